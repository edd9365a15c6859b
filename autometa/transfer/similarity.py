"""How much a new task resembles each past one, and in what.

Every meta-feature is put on the scale of its ranks over the past tasks (0 the smallest, 1 the largest; beyond the ends
it goes on linearly), so that no unit and no outlier rules the distance: the root mean square difference over those
that both have. A task is *strange* when even its nearest neighbour is further away than past tasks' nearest
neighbours nearly always are.

What an embedding is like is compared between tasks that have one, as it is (`metafeatures.embedding`: from 0 to 1);
between one with and one without there is nothing to compare, and all of it differs. Where the new task has none, or no
past task has, all is as if there were no such meta-features.

Letters:  t past tasks · f meta-features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.options import OPTIONS, TransferOptions

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures


EMBEDDING = "embedding_"  # what the meta-features of an embedding begin with


@dataclass(frozen=True, slots=True, eq=False)
class Resemblance:
    """How much one new task resembles every past task, and in what."""

    distances: NDArray[np.float64]  # (t,) inf where they cannot be compared
    similarity: NDArray[np.float64]  # (t,) in [0, 1], 1 = the same meta-features
    strange: bool  # nothing in the past is like it
    agreement: NDArray[np.float64]  # (t, f) how much nearer a meta-feature is than it is to past tasks at large
    names: tuple[str, ...]  # (f,)
    ranks: NDArray[np.float64]  # (f,) of the new task
    same_space: NDArray[np.bool_]  # (t,) whether both are of an embedding, or neither; all where no past task is

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

    def __init__(
        self,
        metafeatures: NDArray[np.float64],
        names: tuple[str, ...],
        version: str = "",
        options: TransferOptions = OPTIONS,
    ) -> None:
        """`metafeatures` is (t, f) with NaN where unknown; a column that never varies is left out."""
        self.options = options
        of_space = np.array([name.startswith(EMBEDDING) for name in names], dtype=bool)
        self.space_names = tuple(name for name, own in zip(names, of_space, strict=True) if own)
        self._spaces = metafeatures[:, of_space]  # (t, e)
        varies = np.array([len(np.unique(column[np.isfinite(column)])) > 1 for column in metafeatures.T], dtype=bool)
        varies &= ~of_space
        self.names = tuple(name for name, keep in zip(names, varies, strict=True) if keep)
        self.version = version
        self._past = metafeatures[:, varies]
        self._ordered = [np.sort(column[np.isfinite(column)]) for column in self._past.T]
        self.ranks = self._rank(self._past)
        t = len(self._past)
        between = _between(np.hstack([self.ranks, self._spaces]), options.shared_metafeatures)
        between.sort(axis=1)
        self.unit = _typical(between[:, min(options.unit_neighbour, max(t - 1, 1)) - 1] if t > 1 else np.array([]), 0.5)
        self.limit = _typical(between[:, 0] if t > 1 else np.array([]), options.strange_quantile)

    def to(self, metafeatures: MetaFeatures | None) -> Resemblance | None:
        """How past tasks resemble a new one; None when there is nothing to compare."""
        if metafeatures is None or not self.names or not np.isfinite(self.unit):
            return None
        if self.version and metafeatures.version != self.version:
            return None
        value_of = dict(zip(metafeatures.names, metafeatures.values, strict=True))
        new = self._rank(np.array([[value_of.get(name, np.nan) for name in self.names]], dtype=float))[0]  # (f,)
        there = np.asarray(np.isfinite(self._spaces).any(axis=1), dtype=np.bool_)  # (t,)
        own = np.array([value_of.get(name, np.nan) for name in self.space_names])  # (e,)
        spaces, same = self._spaces, np.ones(len(there), dtype=np.bool_)
        if there.any():
            same = there == np.isfinite(own).any()
        if there.any() and np.isfinite(own).any():
            spaces = np.where(there[:, None], spaces, own + 1.0)  # as different as can be
        everything = np.hstack([self.ranks, spaces])
        distances = self._distances(np.append(new, own), everything)
        if not np.isfinite(distances).any():
            return None
        gaps = np.abs(everything - np.append(new, own))  # (t, f)
        known = np.isfinite(gaps)
        usual = np.where(known, gaps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)  # (f,)
        return Resemblance(
            distances=distances,
            similarity=np.exp(-0.5 * (distances / self.unit) ** 2),
            strange=bool(distances.min() > self.limit),
            agreement=np.where(known, usual - gaps, -np.inf),
            names=self.names + self.space_names,
            ranks=new,
            same_space=same,
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
        enough = shared >= max(self.options.shared_metafeatures * np.isfinite(new).sum(), 1)
        mean = np.where(np.isfinite(squares), squares, 0.0).sum(axis=1) / np.maximum(shared, 1)
        return np.where(enough, np.sqrt(mean), np.inf)


def prior_weights(
    sizes: NDArray[np.float64],  # (t,)
    rows: float,
    seen: Resemblance | None,
    options: TransferOptions = OPTIONS,
    same_space: NDArray[np.bool_] | None = None,  # (t,)
) -> NDArray[np.float64]:  # (t,)
    """The weight of each past task before there is any result; they sum to one.

    What wins on a thousand rows need not win on fifty thousand, whatever else is alike: so a task of another size has
    less weight, and of two of one size the one with more similar meta-features has more.

    Args:
        sizes: Rows of the past tasks; those that are not positive are unknown.
        rows: Of the new task; NaN if unknown.
        seen: How the past tasks resemble it, if that is known.
        options: How much size and resemblance count.
        same_space: Whether past task and new one are both of an embedding, or neither (`Resemblance.same_space`).

    Example:
        >>> prior_weights(np.array([100.0, 100.0, 10_000.0]), 100.0, None).round(2)
        array([0.48, 0.48, 0.03])
    """
    known = (sizes > 0) & (rows > 0)
    steps = np.log(np.where(known, sizes, 1.0)) - np.log(rows if rows > 0 else 1.0)
    near = np.exp(-0.5 * (steps / options.size_spread) ** 2)
    weight = np.where(known, np.maximum(near, options.size_floor), 1.0)
    if same_space is not None:
        weight = weight * np.where(same_space, 1.0, options.other_space)
    if seen is None:
        return weight / weight.sum()
    floor = options.similarity_floor
    alike = weight * seen.similarity
    return floor * weight / weight.sum() + (1 - floor) * alike / max(float(alike.sum()), 1e-300)


def rows_of(metafeatures: MetaFeatures | None) -> float:
    """The number of rows of a task; NaN where it is not known."""
    known = metafeatures is not None and "rows" in metafeatures.names
    return metafeatures["rows"] if known else np.nan  # type: ignore[index]


def _between(ranks: NDArray[np.float64], least_shared: float) -> NDArray[np.float64]:  # (t, f) -> (t, t)
    """All distances at once, by products of matrices; infinite from a task to itself."""
    known = np.isfinite(ranks)
    values, there = np.where(known, ranks, 0.0), known.astype(float)
    shared = there @ there.T
    squares = (values**2) @ there.T + there @ (values**2).T - 2 * values @ values.T
    enough = shared >= np.maximum(least_shared * known.sum(axis=1), 1)[:, None]
    out = np.where(enough, np.sqrt(np.maximum(squares, 0.0) / np.maximum(shared, 1)), np.inf)
    np.fill_diagonal(out, np.inf)
    return out


def _typical(distances: NDArray[np.float64], quantile: float) -> float:
    finite = distances[np.isfinite(distances)]
    return max(float(np.quantile(finite, quantile)), 1e-6) if len(finite) else np.inf
