"""A raw column as its distinct texts, and what is noticed about columns on the way.

Letters:  n rows · d distinct texts of a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import UNKNOWN_TEXTS, decimal_shown, has_points_between_thousands, labels, merges
from autometa.task.moments import holds_dates
from autometa.task.names import listed
from autometa.task.options import OPTIONS


@dataclass(frozen=True, slots=True)
class TextColumn:
    """One raw column as its distinct texts."""

    raw: pd.Series  # (n,)
    codes: NDArray[np.intp]  # (n,) into texts; -1 missing
    texts: Sequence[str]  # (d,) each of which some row has

    @classmethod
    def of(cls, raw: pd.Series, missing: frozenset[str]) -> TextColumn:
        """A column, (n,), in which these words are missing."""
        codes, texts = labels(raw, missing)
        present = np.bincount(codes[codes >= 0], minlength=len(texts)) > 0
        if not present.all():  # a pandas category may list labels that no row has
            texts = [text for text, here in zip(texts, present, strict=True) if here]
            codes = np.append(np.cumsum(present) - 1, -1)[codes]
        return cls(raw, codes, texts)

    @property
    def name(self) -> str:
        """Of the column."""
        return str(self.raw.name)

    @property
    def known(self) -> int:
        """Cells that are not missing."""
        return int((self.codes >= 0).sum())

    @property
    def missing(self) -> int:
        """Cells that are."""
        return len(self.codes) - self.known

    def cells(self, texts: Sequence[int]) -> int:
        """How many cells hold one of these texts."""
        return int(np.isin(self.codes, texts).sum())

    def are_missing(self, odd: Sequence[int], good: int, beside: int) -> bool:
        """Whether odd words beside so many good texts are missing cells: see the file's docstring."""
        strange = [i for i in odd if self.texts[i].casefold() not in UNKNOWN_TEXTS]
        if not strange:
            return good >= 2
        if good <= beside:  # most columns of words
            return False
        cells = self.cells(strange)
        rare = len(strange) <= OPTIONS.odd_words and cells <= max(OPTIONS.odd_share * self.known, 1)
        share = OPTIONS.repeated_share if len(strange) == 1 else OPTIONS.several_share
        several = len(strange) <= OPTIONS.odd_words and all(self.cells([i]) > 1 for i in strange)
        repeats = several and cells <= share * self.known
        return rare or repeats


def is_text(column: pd.Series) -> bool:
    """Whether a column has to be looked at as text: it is neither numbers that float64 keeps apart, nor dates."""
    if pd.api.types.is_timedelta64_dtype(column.dtype) or holds_dates(column.dtype):
        return False
    return merges(column) or not pd.api.types.is_numeric_dtype(column.dtype)


def long_columns(frame: pd.DataFrame) -> set[int]:
    """The places of columns whose whole numbers float64 would merge."""
    whole = [i for i, dtype in enumerate(frame.dtypes) if isinstance(dtype, np.dtype) and dtype.kind in "iu"]
    if not whole or not len(frame):
        return set()
    values = frame.iloc[:, whole].to_numpy()
    large = (values.max(axis=0) > 2**53) | (values.min(axis=0) < -(2**53))
    return {whole[k] for k in np.flatnonzero(large) if merges(frame.iloc[:, whole[k]])}


def shown_decimal(columns: Iterable[TextColumn]) -> str:
    """The decimal sign that these text columns show: the comma where one shows it and none the point."""
    shown: set[str] = set()
    looked_at = [column.texts[: OPTIONS.decimals_looked_at] for column in columns]
    for texts in looked_at:
        shown |= decimal_shown(texts)
    if not shown and any(has_points_between_thousands(texts, OPTIONS.pointed_numbers) for texts in looked_at):
        return ","
    return "," if shown == {","} else "."


@dataclass(slots=True)
class Remarks:
    """What is noticed about the columns on the way, by kind; lists are of their names."""

    missing: dict[str, int] = field(default_factory=dict)  # cells of each column
    infinite: list[str] = field(default_factory=list)
    many: list[str] = field(default_factory=list)  # with many categories
    text: list[str] = field(default_factory=list)
    long: list[str] = field(default_factory=list)  # whole numbers that float64 would merge
    single: list[str] = field(default_factory=list)  # whole sentences

    def sentences(self, dropped: Mapping[str, str], cells: int) -> list[str]:
        """All of it as notes, the longest lists shortened; of a table of so many cells."""
        reasons: dict[str, list[str]] = {}
        for name, why in dropped.items():
            reasons.setdefault(why, []).append(name)
        notes = [f"Dropped {listed(names)}: {why}." for why, names in reasons.items()]
        if self.missing:
            count = sum(self.missing.values())
            notes.append(f"Missing: {count} cells ({count / cells:.2%}), in {listed(list(self.missing))}.")
        if self.infinite:
            notes.append(f"Infinite values are taken as missing in {listed(self.infinite)}.")
        if self.many:
            notes.append(f"More than {OPTIONS.many_categories} categories in {listed(self.many)}.")
        if self.text:
            notes.append(f"Free text in {listed(self.text)}.")
        if self.long:
            notes.append(f"Whole numbers with more digits than a number keeps are categories in {listed(self.long)}.")
        return notes + self.single


def say_odd(column: TextColumn, odd: Sequence[int], what: str, remarks: Remarks) -> None:
    """Says which words among numbers or dates are missing cells."""
    if odd:
        words, cells = listed([column.texts[i] for i in odd]), column.cells(odd)
        remarks.single.append(f"Column {column.name!r} holds {what}; {words} taken as missing ({cells} cells).")
