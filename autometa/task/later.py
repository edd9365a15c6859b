"""A later table beside the training table: what of it cannot be read as it was learned, and how it differs.

A cell of a later table that is there and cannot be read (``0.5 kg`` where training had bare numbers, another pattern of
dates, a category that training never saw) counts as missing; `unread` says so column by column. `profile` keeps a
small picture of the training table, beside which `drift` lays the new one.

Law: no cell that is there counts as missing unsaid.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import holds_plain_numbers, labels
from autometa.task.columns import ColumnEncoder
from autometa.task.names import columns_at, listed, part_at
from autometa.task.options import OPTIONS


@dataclass(frozen=True, slots=True)
class LaterColumn:
    """A column of a later table that is not as it was learned."""

    name: str
    holds: str  # what training found
    rows: int
    missing: int  # cells that are not there
    unread: int  # cells that are there and cannot be read
    examples: tuple[str, ...]  # of those

    @property
    def share(self) -> float:
        """Of the rows that have no value that the model knows."""
        return (self.missing + self.unread) / max(self.rows, 1)

    @property
    def is_lost(self) -> bool:
        """Whether no cell that is there could be read; categories that are all new can be read, and are new."""
        return self.holds != "category" and self.unread > 0 and self.missing + self.unread == self.rows

    def __str__(self) -> str:
        """One sentence: how many cells, of how many, and what they look like."""
        return self.found + ("; they count as missing." if self.unread else "; in training they were not.")

    @property
    def found(self) -> str:
        """How many cells, of how many, and what they look like."""
        if not self.unread:
            return f"Column {self.name!r}: all {self.rows} cells are missing"
        what = "are categories that training never saw" if self.holds == "category" else f"are no {_NOUNS[self.holds]}"
        cells = f"{self.unread} of {self.rows} cells ({self.unread / self.rows:.0%})"
        return f"Column {self.name!r}: {cells} {what} ({listed(self.examples)})"


_NOUNS = {"number": "numbers as in training", "boolean": "truth values", "datetime": "dates as in training"}


@dataclass(frozen=True, slots=True)
class Tally:
    """What of a column, or of a part of its rows, cannot be read as it was learned: counts that add up."""

    rows: int = 0
    missing: int = 0  # cells that are not there
    unread: int = 0  # cells that are there and cannot be read
    examples: tuple[str, ...] = ()  # of those

    def __add__(self, other: Tally) -> Tally:
        """Of these rows and those below them."""
        examples = tuple(dict.fromkeys(self.examples + other.examples))[: OPTIONS.unread_shown]
        return Tally(self.rows + other.rows, self.missing + other.missing, self.unread + other.unread, examples)

    def said(self, encoder: ColumnEncoder) -> LaterColumn | None:
        """The column, if there is anything to say about it.

        Numbers, truth values and dates that cannot be read are always told; new categories where they are half of a
        column; a column that is wholly missing where training had few missing cells in it.
        """
        known = self.rows - self.missing
        few = encoder.holds == "category" and self.unread < OPTIONS.new_categories_share * known
        if not self.rows or (not self.unread and (known or encoder.had_missing)) or (self.unread and few):
            return None
        return LaterColumn(encoder.name, encoder.holds, self.rows, self.missing, self.unread, self.examples)


def tallies(encoders: Sequence[ColumnEncoder], frame: pd.DataFrame, where: NDArray[np.intp]) -> list[Tally]:
    """What of each encoder's column, (p,) places `where` in a table (n, any), cannot be read as it was learned."""
    n = len(frame)
    plain = [
        k
        for k, (encoder, dtype) in enumerate(zip(encoders, frame.dtypes.iloc[where], strict=True))
        if encoder.is_plain and holds_plain_numbers(dtype)
    ]
    out: dict[int, Tally] = {}
    step = max(1, OPTIONS.cells_at_once // max(n, 1))
    for start in range(0, len(plain), step):
        some = plain[start : start + step]
        values = part_at(frame, where[some]).to_numpy(np.float64)
        missing, infinite = np.isnan(values).sum(axis=0).tolist(), np.isinf(values).sum(axis=0).tolist()
        for place, k in enumerate(some):
            cells = values[:, place]
            examples = dict.fromkeys(map(str, cells[np.isinf(cells)].tolist())) if infinite[place] else ()
            out[k] = Tally(n, missing[place], infinite[place], tuple(examples))
    others = [k for k in range(len(encoders)) if k not in out]
    for k, column in zip(others, columns_at(frame, where[others]), strict=True):
        out[k] = _tally(encoders[k], column)
    return [out[k] for k in range(len(encoders))]


def _tally(encoder: ColumnEncoder, column: pd.Series) -> Tally:  # (n,)
    """One column that does not hold plain numbers."""
    n = len(column)
    codes, texts = labels(column, encoder.missing | frozenset(encoder.odd))
    missing = int((codes < 0).sum())
    if encoder.holds == "text" or missing == n:
        return Tally(n, missing)
    lost = (codes >= 0) & _without_value(encoder, column)
    first = pd.unique(codes[lost])[: OPTIONS.unread_shown]
    return Tally(n, missing, int(lost.sum()), tuple(texts[code] for code in first.tolist()))


def unread(encoders: Sequence[ColumnEncoder], frame: pd.DataFrame, where: NDArray[np.intp]) -> list[LaterColumn]:
    """The columns of a later table, (n, any) with those of the encoders at `where`, that are not as they were learned.

    Example:
        >>> from autometa.task import Schema
        >>> schema = Schema.fit(pd.DataFrame({"x": [1.5, 2.5, 4.0]}))
        >>> later = schema.unread(pd.DataFrame({"x": ["0.5 kg", "0.7 kg"]}))
        >>> print(later[0])
        Column 'x': 2 of 2 cells (100%) are no numbers as in training ('0.5 kg', '0.7 kg'); they count as missing.
        >>> later[0].is_lost
        True
    """
    found = (tally.said(one) for one, tally in zip(encoders, tallies(encoders, frame, where), strict=True))
    return [column for column in found if column is not None]


def _without_value(encoder: ColumnEncoder, column: pd.Series) -> NDArray[np.bool_]:  # (n,)
    """Which cells have no value once they are encoded: they cannot be read, or are infinite."""
    if encoder.holds == "category":
        return np.asarray(encoder.category(column).codes) < 0
    if encoder.holds == "datetime":
        return np.isnan(encoder.moment_parts(column)[-1])
    return ~np.isfinite(encoder.numbers(column))


# --- how a table differs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A small picture of one typed column."""

    name: str
    missing: float  # share of the cells
    quantiles: tuple[float, ...] = ()  # of numbers: 0 %, 10 %, ..., 100 %
    shares: tuple[tuple[str, float], ...] = ()  # of categories, the most frequent first

    @property
    def typical(self) -> str:
        """The middle of the numbers and where four fifths of them are, or the most frequent categories."""
        if self.quantiles:
            low, middle, high = (self.quantiles[i] for i in (1, 5, 9))
            return f"{middle:.4g} ({low:.4g} to {high:.4g})"
        return ", ".join(f"{name} {share:.0%}" for name, share in self.shares[: OPTIONS.unread_shown]) or "-"


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How far a column of a new table is from that of the training table.

    See Also:
        `drift`, which makes them.

    Example:
        >>> old = pd.DataFrame({"x": np.arange(100.0)})
        >>> column = drift(profile(old), old + 50)[0]
        >>> column.name, round(column.distance, 1)
        ('x', 0.5)
    """

    name: str
    distance: float  # 0 the same, 1 nothing in common: Kolmogorov's of numbers, the total variation of categories
    before: ColumnProfile
    now: ColumnProfile


def profile(X: pd.DataFrame) -> tuple[ColumnProfile, ...]:  # (n, p) typed
    """A small picture of each typed column but those of free text.

    Example:
        >>> (x,) = profile(pd.DataFrame({"x": [1.0, 2.0, np.nan, 4.0]}))
        >>> x.missing, x.quantiles[0], x.quantiles[-1]
        (0.25, 1.0, 4.0)
    """
    step = max(1, len(X) // OPTIONS.pictured_rows)
    X = X.iloc[::step]
    numeric = [i for i, dtype in enumerate(X.dtypes) if pd.api.types.is_numeric_dtype(dtype)]
    found, width = [], max(1, OPTIONS.cells_at_once // max(len(X), 1))
    for start in range(0, len(numeric), width):
        some = X.iloc[:, numeric[start : start + width]]
        deciles, gaps = _deciles(some.to_numpy(np.float64))
        found += [ColumnProfile(str(name), gaps[k], tuple(deciles[k])) for k, name in enumerate(some.columns)]
    others = [i for i, dtype in enumerate(X.dtypes) if isinstance(dtype, pd.CategoricalDtype)]
    for column in columns_at(X, others):
        codes, names = column.array.codes, column.array.categories.tolist()
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        known, missing = counts.sum(), float((codes < 0).mean()) if len(X) else 0.0
        frequent = np.argsort(-counts, kind="stable")[: OPTIONS.pictured_categories]
        shares = tuple((str(names[i]), float(counts[i] / known)) for i in frequent.tolist() if counts[i])
        found.append(ColumnProfile(str(column.name), missing, shares=shares))
    return tuple(found)


def _deciles(values: NDArray[np.float64]) -> tuple[list[list[float]], list[float]]:  # (n, p)
    """The deciles of the known cells of each column, none where there are none, and the shares of missing ones."""
    n, p = values.shape
    if not n or not p:
        return [[] for _ in range(p)], [0.0] * p
    ordered = np.sort(values, axis=0)  # what is missing comes last
    known = n - np.isnan(values).sum(axis=0)
    at = np.linspace(0, 1, 11)[:, np.newaxis] * np.maximum(known - 1, 0)  # (11, p)
    low = np.floor(at).astype(np.intp)
    high, columns = np.minimum(low + 1, np.maximum(known - 1, 0)), np.arange(p)
    found = ordered[low, columns] * (1 - (at - low)) + ordered[high, columns] * (at - low)
    rows = [row if count else [] for row, count in zip(found.T.tolist(), known, strict=True)]
    return rows, (1 - known / n).tolist()


def drift(before: Sequence[ColumnProfile], X: pd.DataFrame) -> list[ColumnDrift]:  # X: (n, p) typed, with n > 0
    """How the columns of a new table differ from the training table's, the furthest first.

    See Also:
        `autometa predict --drift`; `ColumnDrift`.

    Example:
        >>> old = pd.DataFrame({"x": np.arange(100.0), "y": np.arange(100.0)})
        >>> [(one.name, round(one.distance, 1)) for one in drift(profile(old), old.assign(x=old["x"] + 50))]
        [('x', 0.5), ('y', 0.0)]
    """
    now = {one.name: one for one in profile(X)}
    found = [ColumnDrift(one.name, _distance(one, now[one.name], X[one.name]), one, now[one.name]) for one in before]
    return sorted(found, key=lambda one: -one.distance)


def _distance(before: ColumnProfile, now: ColumnProfile, column: Any) -> float:
    """How far the known cells are apart, and at least by how much the shares of missing cells differ."""
    apart = abs(before.missing - now.missing)
    if before.quantiles and now.quantiles:
        known = np.sort(column.dropna().to_numpy(np.float64))
        at = np.array(before.quantiles)
        # A step of the training table lies between the shares left and right of it: ties are no distance.
        below = np.searchsorted(at, at, "left") / 10, (np.searchsorted(at, at, "right") - 1) / 10
        left, right = np.searchsorted(known, at, "left") / len(known), np.searchsorted(known, at, "right") / len(known)
        gap = np.maximum(np.maximum(left - below[1], below[0] - right), 0.0)
        return float(max(apart, gap.max()))
    if before.shares and now.shares:
        there, here = dict(before.shares), dict(now.shares)
        return max(apart, sum(abs(there.get(k, 0.0) - here.get(k, 0.0)) for k in {*there, *here}) / 2)
    return apart
