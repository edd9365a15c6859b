"""How much a new task looks like each past one, and in what.

Every meta-feature is put on the scale of its ranks over the past tasks (0 the smallest, 1 the largest; beyond the ends
it goes on linearly), so that no unit and no outlier rules the distance: the root mean square difference over what both
know. A task is *strange* when even its nearest neighbour is further away than past tasks' nearest neighbours nearly
always are.

Letters:  t past tasks · f meta-features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures

NEIGHBOURS = 5  # the distance to this neighbour, typical over the past tasks, is one unit of unlikeness
STRANGE_QUANTILE = 0.95
SHARED = 0.5  # tasks that share fewer than this part of the known meta-features cannot be compared
FLOOR = 0.5  # share of a past task's say that does not depend on how it looks
SIZE_SPREAD = 2.0  # of the logarithm of the rows: a task 4 times as large has 79 % of the say, one 20 times, 33 %
SIZE_FLOOR = 1e-3  # what a task of quite another size has to say at least


@dataclass(frozen=True, slots=True, eq=False)
class Resemblance:
    """One new task beside all past tasks."""

    distances: NDArray[np.float64]  # (t,) inf where they cannot be compared
    similarity: NDArray[np.float64]  # (t,) in [0, 1], 1 = the same meta-features
    strange: bool  # nothing in the past is like it
    agreement: NDArray[np.float64]  # (t, f) how much more a meta-feature agrees than it does with the past at large
    names: tuple[str, ...]  # (f,)
    ranks: NDArray[np.float64]  # (f,) of the new task

    def agrees(self, task: int, k: int = 3) -> tuple[str, ...]:
        """The names of the `k` meta-features that speak most for the resemblance to a past task."""
        order = np.argsort(-self.agreement[task], kind="stable")
        return tuple(self.names[j] for j in order[:k] if self.agreement[task, j] > 0)

    def differs(self, task: int, k: int = 2) -> tuple[str, ...]:
        """The names of the `k` meta-features that speak most against it."""
        known = np.isfinite(self.agreement[task])
        order = np.argsort(np.where(known, self.agreement[task], np.inf), kind="stable")
        return tuple(self.names[j] for j in order[:k] if self.agreement[task, j] < 0)


class Similarity:
    """Distances between tasks in the ranks of their meta-features."""

    def __init__(self, metafeatures: NDArray[np.float64], names: tuple[str, ...], version: str = "") -> None:
        """`metafeatures` is (t, f) with NaN where unknown; a column that never varies says nothing and is left out."""
        varies = np.array([len(np.unique(column[np.isfinite(column)])) > 1 for column in metafeatures.T], dtype=bool)
        self.names = tuple(name for name, keep in zip(names, varies, strict=True) if keep)
        self.version = version
        self._past = metafeatures[:, varies]
        self._ordered = [np.sort(column[np.isfinite(column)]) for column in self._past.T]
        self.ranks = self._rank(self._past)
        t = len(self._past)
        between = _between(self.ranks)
        between.sort(axis=1)
        self.unit = _typical(between[:, min(NEIGHBOURS, max(t - 1, 1)) - 1] if t > 1 else np.array([]), 0.5)
        self.limit = _typical(between[:, 0] if t > 1 else np.array([]), STRANGE_QUANTILE)

    def to(self, metafeatures: MetaFeatures | None) -> Resemblance | None:
        """The past tasks beside a new one; None when there is nothing to compare."""
        if metafeatures is None or not self.names or not np.isfinite(self.unit):
            return None
        if self.version and metafeatures.version != self.version:
            return None
        value_of = dict(zip(metafeatures.names, metafeatures.values, strict=True))
        new = self._rank(np.array([[value_of.get(name, np.nan) for name in self.names]], dtype=float))[0]  # (f,)
        distances = self._distances(new, self.ranks)
        if not np.isfinite(distances).any():
            return None
        gaps = np.abs(self.ranks - new)  # (t, f)
        known = np.isfinite(gaps)
        usual = np.where(known, gaps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)  # (f,)
        return Resemblance(
            distances=distances,
            similarity=np.exp(-0.5 * (distances / self.unit) ** 2),
            strange=bool(distances.min() > self.limit),
            agreement=np.where(known, usual - gaps, -np.inf),
            names=self.names,
            ranks=new,
        )

    def _rank(self, values: NDArray[np.float64]) -> NDArray[np.float64]:  # (a, f) -> (a, f)
        ranks = np.full(values.shape, np.nan)
        for j, ordered in enumerate(self._ordered):
            column, n = values[:, j], len(ordered)
            middle = (np.searchsorted(ordered, column, "left") + np.searchsorted(ordered, column, "right")) / 2 / n
            span = max(ordered[-1] - ordered[0], 1e-300)
            beyond = np.maximum(column - ordered[-1], 0) / span - np.maximum(ordered[0] - column, 0) / span
            ranks[:, j] = np.where(np.isfinite(column), middle + np.clip(beyond, -1, 1), np.nan)
        return ranks

    def _distances(
        self, new: NDArray[np.float64], ranks: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # (f,), (t, f) -> (t,)
        squares = (ranks - new) ** 2
        shared = np.isfinite(squares).sum(axis=1)
        enough = shared >= max(SHARED * np.isfinite(new).sum(), 1)
        mean = np.where(np.isfinite(squares), squares, 0.0).sum(axis=1) / np.maximum(shared, 1)
        return np.where(enough, np.sqrt(mean), np.inf)


def prior_say(
    sizes: NDArray[np.float64], rows: float, seen: Resemblance | None, floor: float = FLOOR
) -> NDArray[np.float64]:  # (t,)
    """How much each past task has to say before there is any result; sums to one.

    What wins on a thousand rows need not win on fifty thousand, whatever else is alike: so a task of another size has
    less to say, and of two of one size the one that looks more like this one has more.

    Args:
        sizes: (t,) rows of the past tasks; those that are not positive are unknown.
        rows: Of the new task; NaN if unknown.
        seen: How the past tasks look beside it, if that is known.
        floor: Share of the say that does not depend on looks.
    """
    known = (sizes > 0) & (rows > 0)
    steps = np.log(np.where(known, sizes, 1.0)) - np.log(rows if rows > 0 else 1.0)
    say = np.where(known, np.maximum(np.exp(-0.5 * (steps / SIZE_SPREAD) ** 2), SIZE_FLOOR), 1.0)
    if seen is None:
        return say / say.sum()
    alike = say * seen.similarity
    return floor * say / say.sum() + (1 - floor) * alike / max(float(alike.sum()), 1e-300)


def rows_of(metafeatures: MetaFeatures | None) -> float:
    """How large a task is; NaN where it is not known."""
    known = metafeatures is not None and "rows" in metafeatures.names
    return metafeatures["rows"] if known else np.nan  # type: ignore[index]


def _between(ranks: NDArray[np.float64]) -> NDArray[np.float64]:  # (t, f) -> (t, t)
    """All distances at once, by products of matrices; infinite from a task to itself."""
    known = np.isfinite(ranks)
    values, there = np.where(known, ranks, 0.0), known.astype(float)
    shared = there @ there.T
    squares = (values**2) @ there.T + there @ (values**2).T - 2 * values @ values.T
    enough = shared >= np.maximum(SHARED * known.sum(axis=1), 1)[:, None]
    out = np.where(enough, np.sqrt(np.maximum(squares, 0.0) / np.maximum(shared, 1)), np.inf)
    np.fill_diagonal(out, np.inf)
    return out


def _typical(distances: NDArray[np.float64], quantile: float) -> float:
    finite = distances[np.isfinite(distances)]
    return max(float(np.quantile(finite, quantile)), 1e-6) if len(finite) else np.inf
