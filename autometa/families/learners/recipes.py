"""How one column is made of others: arithmetic of two numbers, and numbers within the category of their row.

A `Recipe` learns from a training table what it needs (`of`), and then gives a number for each row of any table.

Laws: a row's number depends on that row and on the training rows alone, and on no row's target; what is missing, or has
no value (a division by zero), is NaN.

Letters:  n rows · k groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.columns import category_dtype

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
    categories: tuple[tuple[str, ...], ...]  # of each column, in the order of their codes
    known: NDArray[np.int64]  # (k,) of the groups that training saw, ascending

    @classmethod
    def of(cls, cells: Cells, columns: tuple[str, ...]) -> Groups:
        """The groups of a training table."""
        categories = tuple(tuple(cells.X[name].cat.categories) for name in columns)
        found = cls(columns, categories, np.empty(0, dtype=np.int64))
        return cls(columns, categories, np.unique(found.joined(cells)))

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
        for name, categories in zip(self.columns, self.categories, strict=True):
            known, column = category_dtype(categories).categories, cells.X[name].cat
            codes = column.codes.to_numpy().astype(np.int64)
            if column.categories is not known and not column.categories.equals(known):
                places = np.append(known.get_indexer(column.categories), -1)
                new |= (places[codes] < 0) & (codes >= 0)
                codes = places[codes]
            out = out * (len(known) + 1) + codes + 1
        return np.where(new, -1, out)


Within = Literal["mean", "distance", "rank"]


@dataclass(frozen=True, slots=True, eq=False)
class WithinGroup:
    """A number within the group of its row: the group's mean, the distance from it, the rank within the group.

    A group that training did not see, or not with that number, is taken as all rows together.
    """

    how: Within
    groups: Groups
    number: str
    means: Values  # (k + 1,) of the groups, then of all rows
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
        unit = values / scale  # sums stay finite
        with np.errstate(invalid="ignore"):
            means = np.bincount(codes, unit, groups.k) / counts
        overall = unit.mean() if len(unit) else np.nan
        means = np.append(np.where(counts == 0, overall, means), overall) * scale
        ordered, starts = np.empty(0), np.zeros(groups.k + 2, dtype=np.intp)
        if how == "rank":
            ordered = np.concatenate([values[np.lexsort((values, codes))], np.sort(values)])
            starts = np.concatenate([[0], np.cumsum(counts), [2 * len(values)]])
            starts = starts.astype(np.intp)
        return cls(how, groups, number, means, ordered, starts)

    @property
    def name(self) -> str:
        """``price − mean by town`` and the like."""
        shown = {
            "mean": f"mean of {self.number} by {self.groups.name}",
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
