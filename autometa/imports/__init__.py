"""Experience that somebody else wrote down, brought into a store.

    table    a table of evaluations, and a small file that says what its columns mean
    openml   past runs at OpenML
    mapping  that file: read, checked, and the tasks that it names
    flows    a run of another library's learner as a configuration of one of our families
    translations · rules · values     which learner is which family, parameter by parameter, value by value

Laws: a configuration enters under its own parameters or not at all: what has no counterpart here is counted and named
with its reason; scores are larger when better, whatever the source says; importing again changes nothing.

To teach another learner, give it a line in `translations.TRANSLATIONS`.

Letters:  n rows · p columns · m evaluations.
"""

from __future__ import annotations

from autometa.imports.openml import import_openml
from autometa.imports.summary import Imported
from autometa.imports.table import import_table

__all__ = ["Imported", "import_openml", "import_table"]
