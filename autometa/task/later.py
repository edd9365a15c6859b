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
from autometa.task.names import listed
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


def unread(encoders: Sequence[ColumnEncoder], frame: pd.DataFrame) -> list[LaterColumn]:
    """The columns of a later table, (n, p) in the order of the encoders, that cannot be read as they were learned.

    Numbers, truth values and dates that cannot be read are always told; new categories where they are half of a column;
    a column that is wholly missing where training had few missing cells in it.

    Example:
        >>> from autometa.task import Schema
        >>> schema = Schema.fit(pd.DataFrame({"x": [1.5, 2.5, 4.0]}))
        >>> later = schema.unread(pd.DataFrame({"x": ["0.5 kg", "0.7 kg"]}))
        >>> print(later[0])
        Column 'x': 2 of 2 cells (100%) are no numbers as in training ('0.5 kg', '0.7 kg'); they count as missing.
        >>> later[0].is_lost
        True
    """
    out = []
    for i, encoder in enumerate(encoders):
        column = frame.iloc[:, i]
        found = _looked_at(encoder, column) if len(column) else None
        if found is not None:
            out.append(found)
    return out


def _looked_at(encoder: ColumnEncoder, column: pd.Series) -> LaterColumn | None:
    """One column, if there is anything to say about it."""
    n = len(column)
    if encoder.is_plain and holds_plain_numbers(column.dtype):
        values = column.to_numpy(np.float64)
        missing, infinite = int(np.isnan(values).sum()), np.isinf(values)
        if infinite.any():
            examples = tuple(map(str, dict.fromkeys(values[infinite].tolist())))
            return LaterColumn(encoder.name, encoder.holds, n, missing, int(infinite.sum()), examples)
        if missing < n or encoder.had_missing:
            return None
        return LaterColumn(encoder.name, encoder.holds, n, missing, 0, ())
    codes, texts = labels(column, encoder.missing | frozenset(encoder.odd))
    missing = int((codes < 0).sum())
    if missing == n:
        return None if encoder.had_missing else LaterColumn(encoder.name, encoder.holds, n, n, 0, ())
    if encoder.holds == "text":
        return None
    lost = (codes >= 0) & _without_value(encoder, column)
    count = int(lost.sum())
    few = encoder.holds == "category" and count < OPTIONS.new_categories_share * (n - missing)
    if count == 0 or few:
        return None
    examples = tuple(texts[code] for code in dict.fromkeys(codes[lost].tolist()))[: OPTIONS.unread_shown]
    return LaterColumn(encoder.name, encoder.holds, n, missing, count, examples)


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
    deciles, gaps = _deciles(X.iloc[:, numeric].to_numpy(np.float64))
    found = [ColumnProfile(str(X.columns[i]), gaps[k], tuple(deciles[k])) for k, i in enumerate(numeric)]
    for name in X.columns[[isinstance(dtype, pd.CategoricalDtype) for dtype in X.dtypes]]:
        shares = X[name].value_counts(normalize=True).head(OPTIONS.pictured_categories)
        missing = float(X[name].isna().mean()) if len(X) else 0.0
        found.append(ColumnProfile(name, missing, shares=tuple((str(k), float(v)) for k, v in shares.items() if v > 0)))
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
