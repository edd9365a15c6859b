"""What a reader of files is told, and the raw table that it hands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from autometa.task.cells import MISSING_TEXTS
from autometa.task.findings import InputFindings
from autometa.task.kinds import as_stored
from autometa.task.options import OPTIONS
from autometa.task.read.limits import USUAL, Limits

# A column of a text, (n,), as it was written, by its name: None in cells that are one of these words and have no
# quotes; by default the words that the file was read with.
Written = Callable[[str, Sequence[str] | None], pd.Series]


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What somebody knows of a file; None leaves it to the file.

    Example:
        >>> sorted(ReadRequest(na=("-",)).missing)
        ['', '-']
    """

    rename_duplicates: bool = False  # duplicated column names are made unique rather than refused
    encoding: str | None = None
    header: bool | None = None  # whether the first line names the columns
    na: tuple[str, ...] | None = None  # the words for missing, instead of the usual ones
    decimal: str | None = None  # the decimal sign where the file does not show one: that of the training table
    limits: Limits = USUAL
    sheet: str | int | None = None  # of a workbook, by its name or its number from 1
    member: str | None = None  # of an archive, by its name or a pattern of names
    query: str | None = None  # of a database
    download: bool = False  # whether addresses on the web may be fetched

    @property
    def missing(self) -> frozenset[str]:
        """The words for missing; an empty cell always is."""
        return MISSING_TEXTS if self.na is None else frozenset(self.na) | {""}


def refuse_idle(request: ReadRequest, findings: InputFindings, what: str, *options: str) -> bool:
    """Refuses options that mean nothing for what is read, such as a sheet of a text; whether there are any."""
    idle = [name for name in options if getattr(request, name) is not None]
    for name in idle:
        findings.refuse(f"{what}, so --{name} ({name}=...) has no meaning", "Leave it out.")
    return bool(idle)


NO_ROWS = "a header without rows"  # the one problem that is none where rows are to be answered


UNFORESEEN = "cannot be read"  # the beginning of a problem that no reader foresaw


AS_IT_IS = ReadRequest()  # nothing is known


@dataclass(slots=True)
class RawTable:
    """What could be read, with what was noticed and what was wrong."""

    findings: InputFindings
    frame: pd.DataFrame | None = None  # (n, p); None, with a problem, if nothing could be read
    duplicated: frozenset[str] = field(default_factory=frozenset)  # names that several columns had
    decimal: str | None = None  # the decimal sign of a text, where it shows one
    written: Written | None = None  # by the name of a column

    def target_of(self, name: str, *, classes: bool = False) -> pd.Series:  # (n,)
        """A column whose cells may be labels, or are (`classes`): numbers only where they would be written so."""
        assert self.frame is not None
        column = self.frame[name]
        dates = classes and pd.api.types.is_datetime64_any_dtype(column.dtype)
        if self.written is None or not (dates or _may_be_labels(column)):
            return column
        is_written = (
            isinstance(column.dtype, pd.StringDtype) and not column.hasnans
        )  # a word for missing may have quotes
        return as_stored(column.astype(object).rename(None) if is_written else self.written(name, None))

    def as_written(self, names: Sequence[str]) -> pd.DataFrame:  # (n, p)
        """The frame, these columns of it as the file has them."""
        assert self.frame is not None
        if self.written is None:
            return self.frame
        return self.frame.assign(**{name: self.written(name, None) for name in names if name in self.frame})

    def bare(self, name: str) -> pd.Series | None:  # (n,)
        """A column of a text as it is there, words for missing too; None where the file is no text."""
        return None if self.written is None else self.written(name, ("",))


def _may_be_labels(column: pd.Series) -> bool:
    """Whether what a column is read as may not be what is written: not so of dates, and of too many fractions."""
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    return column.dtype != np.float64 or column.nunique() <= OPTIONS.either_classes


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reader of one format hands on: columns by place, and their names, which need not be unique."""

    frame: pd.DataFrame
    decimal: str | None = None
    written: Callable[[int, Sequence[str] | None], pd.Series] | None = None  # by the place of a column
