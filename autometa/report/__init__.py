"""What people look at after a search: one HTML file that opens anywhere, offline, on a phone, in the dark, on paper.

    words      how scores, families and origins are said
    findings   curves and tables from out-of-fold predictions
    importance which columns matter to the model
    charts     inline SVG
    html       escaping by construction
    parts      tables, figures and marks that sections share
    data       the section on the table
    trials     the sections on what was tried
    quality    the sections on how good the model is, and which columns matter to it
    sections   the other sections, and their order
    page       the whole file, with page.css and page.js
    options    how much of each thing is shown

Laws: the file refers to nothing outside itself, and its content security policy lets only its own script run; no text
from a table becomes markup. To add a section, write a function in `sections` and give it a line in `SECTIONS`.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autometa.report.importance import Importance, measure

if TYPE_CHECKING:
    from autometa.search import Result

__all__ = ["Importance", "measure", "write"]


def write(
    result: Result,
    path: str | Path,
    *,
    importance: Sequence[Importance] | str = "It was not measured.",
) -> Path:
    """Writes the report of a finished search.

    Args:
        result: A `search.Result`.
        path: The HTML file; one that is there is replaced.
        importance: What `measure` found: importances, or in words why there are none.

    Returns:
        `path`.

    Example:
        >>> from autometa.search import open_run
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(open_run(run), f"{folder}/report.html").read_text(encoding="utf-8")[:15]
        '<!doctype html>'
    """
    from autometa import files
    from autometa.report.page import page
    from autometa.report.parts import Report

    path = Path(path)
    files.replace(path, page(Report(result, importance)).encode("utf-8", errors="replace"))
    return path
