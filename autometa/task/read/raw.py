"""What a reader of files is told, and the raw table that it hands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from autometa.task.cells import MISSING_TEXTS
from autometa.task.findings import InputFindings


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

    @property
    def missing(self) -> frozenset[str]:
        """The words for missing; an empty cell always is."""
        return MISSING_TEXTS if self.na is None else frozenset(self.na) | {""}


@dataclass(slots=True)
class RawTable:
    """What could be read, with what was noticed and what was wrong."""

    findings: InputFindings
    frame: pd.DataFrame | None = None  # (n, p); None, with a problem, if nothing could be read
    duplicated: frozenset[str] = field(default_factory=frozenset)  # names that several columns had
    decimal: str | None = None  # the decimal sign of a text, where it shows one
    written: Callable[[str], pd.Series] | None = None  # a column of a text, (n,), as it was written; None where missing


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reader of one format hands on: columns by place, and their names, which need not be unique."""

    frame: pd.DataFrame
    decimal: str | None = None
    written: Callable[[int], pd.Series] | None = None  # by the place of a column
