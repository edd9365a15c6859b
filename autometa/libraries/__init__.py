"""The words of the libraries: shipped experience for a study that tunes a library's own parameters.

    vocabulary    every library: which families of the catalogue its past is, and its words
    boosted, classical    the words: parameters under all their names, and what they mean in the catalogue's words
    words         values that are the same thing, and which of them an objective's distribution takes
    past          the past of one library, put into the names and ranges of the study at hand
    shipped       the memory that ships with the package, and what it knows of a library

Laws: what a configuration does not say of a word is missing, never made up; what is clipped, left out or not known is
said. To add a library, give it a table of words and a line in `LIBRARIES`.

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from autometa.libraries.past import Glossary, LibraryPast
from autometa.libraries.shipped import SHIPPED, read_library, shipped_store, target_of
from autometa.libraries.vocabulary import LIBRARIES, Library
from autometa.libraries.words import NewTable, Word, taken

__all__ = [
    "LIBRARIES",
    "SHIPPED",
    "Glossary",
    "Library",
    "LibraryPast",
    "NewTable",
    "Word",
    "read_library",
    "shipped_store",
    "taken",
    "target_of",
]
