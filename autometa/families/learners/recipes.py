"""How one column is made of others: arithmetic of two numbers, numbers within their category, means of the target.

A `Recipe` learns from a training table what it needs (`of`), and then gives a number for each row of any table.

Laws: a row's number depends on that row and on the training rows alone; in training a target's mean is one over other
rows (scikit-learn's `TargetEncoder`, cross-fitted); what is missing, or has no value (a division by zero), is NaN.

Letters:  n rows · k groups · q numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.families.learners.preprocess import TargetMeans, transformed

Values = NDArray[np.float64]
Sign = Literal["-", "/", "*"]
Base = Literal["boosting", "linear"]  # the quick model whose mistakes say what is worth making


class Recipe(Protocol):
    """How one column is made."""

    @property
    def name(self) -> str:
        """As people read it, such as ``price / area``."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that it is made of."""

    def values(self, cells: Cells) -> Values:
        """(n,) of a table."""


class Cells:
    """A typed frame whose columns are looked up once, however many recipes ask for them."""

    def __init__(self, X: pd.DataFrame) -> None:
        self.X = X
        self._numbers: dict[str, Values] = {}
        self._groups: dict[tuple[str, ...], Groups] = {}
        self._codes: dict[int, tuple[Groups, NDArray[np.intp]]] = {}

    def number(self, name: str) -> Values:
        """A column of numbers, (n,), within the range of float32."""
        if name not in self._numbers:
            bound = float(np.finfo(np.float32).max) / 4
            self._numbers[name] = np.clip(self.X[name].to_numpy(dtype=np.float64), -bound, bound)
        return self._numbers[name]

    def groups(self, columns: Sequence[str]) -> Groups:
        """The groups of these rows by one category, or by two together."""
        names = tuple(columns)
        if names not in self._groups:
            self._groups[names] = Groups.of(self, names)
        return self._groups[names]

    def codes(self, groups: Groups) -> NDArray[np.intp]:
        """(n,) from 0 to k - 1 of the groups; k for one that they do not know."""
        if id(groups) not in self._codes:
            wanted = groups.joined(self)
            place = np.minimum(np.searchsorted(groups.known, wanted), groups.k - 1)
            self._codes[id(groups)] = groups, np.where(groups.known[place] == wanted, place, groups.k)
        return self._codes[id(groups)][1]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers, one operation.

    Example:
        >>> X = pd.DataFrame({"price": [10.0, 6.0, 1.0], "area": [2.0, 0.0, np.nan]})
        >>> Arithmetic("/", "price", "area").name, Arithmetic("/", "price", "area").values(Cells(X))
        ('price / area', array([ 5., nan, nan]))
    """

    sign: Sign
    left: str
    right: str

    @property
    def name(self) -> str:
        """``left / right``."""
        return f"{self.left} {self.sign} {self.right}"

    @property
    def sources(self) -> tuple[str, ...]:
        """Both numbers."""
        return self.left, self.right

    def values(self, cells: Cells) -> Values:
        """(n,); NaN where a number is missing, or the divisor is 0."""
        a, b = cells.number(self.left), cells.number(self.right)
        with np.errstate(all="ignore"):
            out = a - b if self.sign == "-" else a * b if self.sign == "*" else a / b
        return np.where(np.isfinite(out), out, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows by one category, or by two together; a missing category is one of its own.

    Example:
        >>> X = pd.DataFrame({"town": ["Ulm", "Bern", "Ulm"], "shop": ["a", "b", "b"]}, dtype="category")
        >>> cells = Cells(X)
        >>> cells.codes(cells.groups(["town"]))
        array([1, 0, 1])
        >>> new = pd.DataFrame({"town": pd.Categorical(["Rome", "Ulm"]), "shop": pd.Categorical(["a", "a"])})
        >>> Cells(new).codes(cells.groups(["town", "shop"]))  # of three groups, which Rome is none of
        array([3, 1])
    """

    columns: tuple[str, ...]
    categories: tuple[pd.Index, ...]  # of each column, in the order of their codes
    known: NDArray[np.int64]  # (k,) of the groups that training saw, ascending

    @classmethod
    def of(cls, cells: Cells, columns: tuple[str, ...]) -> Groups:
        """The groups of a training table."""
        found = cls(columns, tuple(cells.X[name].cat.categories for name in columns), np.empty(0, dtype=np.int64))
        return cls(columns, found.categories, np.unique(found.joined(cells)))

    @property
    def name(self) -> str:
        """``town`` or ``town × shop``."""
        return " × ".join(self.columns)

    @property
    def k(self) -> int:
        """The number of groups."""
        return len(self.known)

    def joined(self, cells: Cells) -> NDArray[np.int64]:
        """(n,) one number for each combination of categories, whichever order another table lists them in; -1: new."""
        out, new = np.zeros(len(cells.X), dtype=np.int64), np.zeros(len(cells.X), dtype=bool)
        for name, known in zip(self.columns, self.categories, strict=True):
            column = cells.X[name].cat
            codes = column.codes.to_numpy().astype(np.int64)
            if column.categories is not known and not column.categories.equals(known):
                places = np.append(known.get_indexer(column.categories), -1)
                new |= (places[codes] < 0) & (codes >= 0)
                codes = places[codes]
            out = out * (len(known) + 1) + codes + 1
        return np.where(new, -1, out)


@dataclass(frozen=True, slots=True, eq=False)
class Frequency:
    """How often a group occurs: the logarithm of one more than its training rows; 0 for a new one."""

    groups: Groups
    counts: Values  # (k + 1,)

    @classmethod
    def of(cls, cells: Cells, columns: Sequence[str]) -> Frequency:
        """By the rows of a training table."""
        groups = cells.groups(columns)
        return cls(groups, np.bincount(cells.codes(groups), minlength=groups.k + 1).astype(np.float64))

    @property
    def name(self) -> str:
        """``frequency of town``."""
        return f"frequency of {self.groups.name}"

    @property
    def sources(self) -> tuple[str, ...]:
        """The categories."""
        return self.groups.columns

    def values(self, cells: Cells) -> Values:
        """(n,)."""
        return np.log1p(self.counts)[cells.codes(self.groups)]


Within = Literal["mean", "spread", "distance", "rank"]


@dataclass(frozen=True, slots=True, eq=False)
class WithinGroup:
    """A number within the group of its row: the group's mean or spread, the distance from its mean, the rank within it.

    A group that training did not see, or not with that number, is taken as all rows together.
    """

    how: Within
    groups: Groups
    number: str
    means: Values  # (k + 1,) of the groups, then of all rows
    spreads: Values  # (k + 1,) standard deviations, 0 for a group of one
    ordered: Values  # numbers of the training rows, by group and then ascending; for `rank`
    starts: NDArray[np.intp]  # (k + 2,) where each group begins there; the last group is all rows

    @classmethod
    def of(cls, how: Within, cells: Cells, columns: Sequence[str], number: str) -> WithinGroup:
        """By the rows of a training table."""
        groups = cells.groups(columns)
        codes, values = cells.codes(groups), cells.number(number)
        codes, values = codes[~np.isnan(values)], values[~np.isnan(values)]
        counts = np.bincount(codes, minlength=groups.k)
        scale = max(float(np.abs(values).max(initial=0.0)), 1e-300)
        unit = values / scale  # squares stay finite
        with np.errstate(invalid="ignore"):
            means = np.bincount(codes, unit, groups.k) / counts
        rest = unit - means[codes]
        spreads = np.sqrt(np.bincount(codes, rest * rest, groups.k) / np.maximum(counts, 1))
        overall = (unit.mean(), unit.std()) if len(unit) else (np.nan, np.nan)
        empty = counts == 0
        means = np.append(np.where(empty, overall[0], means), overall[0]) * scale
        spreads = np.append(np.where(empty, overall[1], spreads), overall[1]) * scale
        ordered, starts = np.empty(0), np.zeros(groups.k + 2, dtype=np.intp)
        if how == "rank":
            ordered = np.concatenate([values[np.lexsort((values, codes))], np.sort(values)])
            starts = np.concatenate([[0], np.cumsum(counts), [2 * len(values)]])
            starts = starts.astype(np.intp)
        return cls(how, groups, number, means, spreads, ordered, starts)

    @property
    def name(self) -> str:
        """``price − mean by town`` and the like."""
        shown = {
            "mean": f"mean of {self.number} by {self.groups.name}",
            "spread": f"spread of {self.number} by {self.groups.name}",
            "distance": f"{self.number} - its mean by {self.groups.name}",
            "rank": f"rank of {self.number} by {self.groups.name}",
        }
        return shown[self.how]

    @property
    def sources(self) -> tuple[str, ...]:
        """The number, then the categories."""
        return (self.number, *self.groups.columns)

    def values(self, cells: Cells) -> Values:
        """(n,)."""
        codes = cells.codes(self.groups)
        if self.how == "mean":
            return self.means[codes]
        if self.how == "spread":
            return self.spreads[codes]
        number = cells.number(self.number)
        return number - self.means[codes] if self.how == "distance" else self._ranks(codes, number)

    def _ranks(self, codes: NDArray[np.intp], number: Values) -> Values:
        """(n,) shares of the group's training rows that lie below, those that are equal by half; NaN where missing."""
        first, last = self.starts[codes], self.starts[codes + 1]
        empty = first == last
        first, last = np.where(empty, self.starts[-2], first), np.where(empty, self.starts[-1], last)
        low, high = _searched(self.ordered, first, last, number)
        share = (0.5 * (low + high) - first) / np.maximum(last - first, 1)
        return np.where(np.isnan(number) | (first == last), np.nan, share)


def _searched(
    ordered: Values, first: NDArray[np.intp], last: NDArray[np.intp], wanted: Values
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each number would stand among the ascending ones from `first` to `last`: before its equals, and behind."""
    found = []
    for behind in (False, True):
        low, high = first.copy(), last.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            here = ordered[np.minimum(middle, len(ordered) - 1)]
            after = open_ & ((here <= wanted) if behind else (here < wanted))
            low, high = np.where(after, middle + 1, low), np.where(open_ & ~after, middle, high)
        found.append(low)
    return found[0], found[1]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Several numbers as one: a principal axis of them, each standardised first, what is missing at its mean."""

    number: int  # of the axis, from 1
    columns: tuple[str, ...]
    centre: Values  # (q,)
    scale: Values  # (q,) 1 over the spread, 0 for a constant
    weights: Values  # (q,)

    @classmethod
    def axes(cls, cells: Cells, columns: Sequence[str], most: int) -> list[Projection]:
        """The first axes of some columns of a training table."""
        values = np.column_stack([cells.number(name) for name in columns])
        with np.errstate(all="ignore"):
            known = ~np.isnan(values)
            counts = np.maximum(known.sum(axis=0), 1)
            centre = np.where(known, values, 0.0).sum(axis=0) / counts
            rest = np.where(known, values - centre, 0.0)
            spread = np.sqrt((rest * rest).sum(axis=0) / counts)
        scale = np.where(np.isfinite(spread) & (spread > 0), 1 / np.where(spread > 0, spread, 1.0), 0.0)
        z = rest * scale
        _, vectors = np.linalg.eigh(z.T @ z / max(len(z), 1))
        vectors = vectors[:, ::-1][:, :most]
        signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
        return [cls(i + 1, tuple(columns), centre, scale, v) for i, v in enumerate((vectors * signs).T)]

    @property
    def name(self) -> str:
        """``axis 1 of a, b and 6 others``."""
        shown, others = ", ".join(self.columns[:2]), len(self.columns) - 2
        return f"axis {self.number} of {shown}" + (f" and {others} others" if others > 0 else "")

    @property
    def sources(self) -> tuple[str, ...]:
        """The numbers."""
        return self.columns

    def values(self, cells: Cells) -> Values:
        """(n,)."""
        rest = np.column_stack([cells.number(name) for name in self.columns]) - self.centre
        return np.where(np.isnan(rest), 0.0, rest) * self.scale @ self.weights


@dataclass(frozen=True, slots=True)
class TargetOf:
    """The mean of the target in a group; of several classes, the share of one of them."""

    columns: tuple[str, ...]  # one category, or two together
    part: int | None = None  # the class, by its code among the most frequent; None for a number or two classes

    @property
    def name(self) -> str:
        """``target by town``."""
        return f"{'target' if self.part is None else f'class {self.part}'} by {' × '.join(self.columns)}"

    @property
    def sources(self) -> tuple[str, ...]:
        """The categories."""
        return self.columns


class TargetColumns:
    """The target's means in groups, for any of their columns, each row's in training over other rows."""

    def __init__(self, wanted: Sequence[TargetOf], *, classification: bool, seed: int) -> None:
        self.wanted = tuple(wanted)
        self.classification = classification
        self.seed = seed

    def fit_values(self, cells: Cells, y: NDArray[Any]) -> Values:
        """(n, wanted) of the training rows."""
        names = list(dict.fromkeys(one.columns for one in self.wanted))
        self.groups_ = [cells.groups(columns) for columns in names]
        self.means_ = TargetMeans(classification=self.classification, seed=self.seed)
        out = self.means_.fit_transform(self._codes(cells), y)
        each = out.shape[1] // len(names)
        self.places_ = [names.index(one.columns) * each + (one.part or 0) for one in self.wanted]
        return out[:, self.places_]

    def values(self, cells: Cells) -> Values:
        """(n, wanted) of other rows."""
        return transformed(self.means_, self._codes(cells))[:, self.places_]

    def _codes(self, cells: Cells) -> Values:
        return np.column_stack([cells.codes(groups) for groups in self.groups_]).astype(np.float64)
