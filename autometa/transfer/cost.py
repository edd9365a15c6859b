"""How long trials take: what is expected of configurations, how far results are from it, and what one trial may take.

The logarithm of the seconds is linear in the logarithms of rows, columns and classes, with slopes per configuration
that are shrunk towards the slope of all; seconds that are far from a configuration's usual ones are drawn in first, so
that one stalled machine does not spoil it.

Letters:  t past tasks · m configurations · k trials that were timed · q configurations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from autometa.space import FAMILY, Config

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import TaskRecord


class Spreads(NamedTuple):
    """Standard deviations of log seconds around what past tasks let expect."""

    tasks: float  # of whole tasks, and of machines
    families: float  # of families within a task
    trials: float  # of trials within those


# For configurations that past tasks know, and for others, by the size of the task. What benchmarks/costs.py finds, on
# one kind of machine, is .2, .3 and .4, and .2, .5 and .6: there is more here, because machines differ.
KNOWN, OTHERS = Spreads(0.5, 0.3, 0.4), Spreads(0.5, 0.6, 0.6)
START = 0.3  # seconds; what takes less is heard as the start of a trial's process rather than as the trial


@dataclass(frozen=True, slots=True)
class TrialLimit:
    """How long one trial may take: what grows ends by then with what it has, anything else would be for nothing."""

    seconds: float
    growing: frozenset[str] = frozenset()  # families that end by then

    def costs(self, expected: NDArray[np.float64], families: NDArray[np.str_]) -> NDArray[np.float64]:
        """What trials take that are `expected` to need so many seconds, (q,); infinite where they would be in vain."""
        beyond = np.where(np.isin(families, list(self.growing)), self.seconds, np.inf)
        return np.where(expected <= self.seconds, expected, beyond)


def surprise(seconds: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of what trials took over what was expected of them, (k,), as far as both can be told from starting a process.

    Args:
        seconds: (k,) that trials took, a process of their own included.
        expected: (k,) log of the seconds that were expected.

    Example:
        >>> surprise(np.array([0.25, 3.0]), np.log([0.05, 1.5])).round(2)
        array([0.  , 0.69])
    """
    return np.log(np.maximum(seconds, START)) - np.maximum(expected, np.log(START))


def slower(rest: NDArray[np.float64], families: NDArray, among: NDArray, spreads: Spreads) -> NDArray[np.float64]:
    """By how much log seconds will exceed what is expected, (q,), given by how much they did so far.

    A task, or the machine, is slower than others as a whole, and its families differ on top of that: what one family
    takes says most about that family, and something about the others. The mean of the Gaussian model with these three
    spreads, given the results.

    Args:
        rest: (k,) log of the seconds that trials took over those that were expected.
        families: (k,) whose they are, names or numbers.
        among: (q,) whose is asked for.
        spreads: How far trials usually are from such an expectation.

    Example:
        >>> slower(
        ...     np.log([2.0, 2.0]), np.array(["svm", "svm"]), np.array(["svm", "knn"]), Spreads(0.5, 0.3, 0.4)
        ... ).round(2)
        array([0.56, 0.41])
    """
    if not len(rest):
        return np.zeros(len(among))
    known, which, count = np.unique(families, return_inverse=True, return_counts=True)
    mean = np.bincount(which, weights=rest) / count
    doubt = spreads.families**2 + spreads.trials**2 / count  # of a family's mean, as a sight of the task's level
    level = (mean / doubt).sum() / (1 / spreads.tasks**2 + (1 / doubt).sum())
    own = (mean - level) * spreads.families**2 / doubt
    place = np.minimum(np.searchsorted(known, among), len(known) - 1)
    return level + np.where(known[place] == among, own[place], 0.0)


SHRINKAGE = 3.0  # a configuration's own slope counts as much as everybody's after about this many tasks
SIZES = ("rows", "columns", "classes")  # the meta-features that say how large a task is
LEAST = 0.05  # seconds that even the cheapest trial takes


class Cost:
    """Expected seconds of configurations, by the size of a task and by what was timed on it."""

    def __init__(self, seconds: NDArray[np.float64], sizes: NDArray[np.float64], families: NDArray[np.str_]) -> None:
        """`seconds` is (t, m), NaN where unknown; `sizes` (t, 3): rows, columns, classes (0 in regression)."""
        t, m = seconds.shape
        self.families = families  # (m,)
        known = np.isfinite(seconds) & (seconds > 0)  # (t, m)
        y = np.log(np.where(known, seconds, 1.0))
        logs = np.log(np.maximum(sizes, 1.0))
        self.centre = np.median(logs, axis=0) if t else np.zeros(len(SIZES))
        x = logs - self.centre  # (t, 3)
        weights = known.astype(float)
        self.times = count = weights.sum(axis=0)  # (m,) that each was timed
        self.known = bool(known.any())
        if not self.known:
            self.level, self.slopes = np.zeros(m), np.zeros((m, len(SIZES)))
            return
        overall = y[known].mean()
        mean = (np.where(known, y, 0.0).sum(axis=0) + overall) / (count + 1)  # (m,)
        spread = np.sqrt(np.where(known, (y - mean) ** 2, 0.0).sum() / known.sum())
        y = np.clip(y, mean - 3 * spread, mean + 3 * spread)
        # One slope for all, within configurations: one that was tried on large tasks only shall not look slow.
        x_mean = np.einsum("tm,tk->mk", weights, x) / np.maximum(count, 1)[:, None]  # (m, 3)
        dx = np.where(known[:, :, None], x[:, None, :] - x_mean[None], 0.0)  # (t, m, 3)
        dy = np.where(known, y - mean, 0.0)
        common = np.linalg.solve(
            np.einsum("tmi,tmj->ij", dx, dx) + np.eye(len(SIZES)), np.einsum("tmi,tm->i", dx, dy)
        )  # (3,)
        rest = np.where(known, y - x @ common[:, None], 0.0)
        within = np.einsum("tmi,tmj->mij", dx, dx) + SHRINKAGE * np.eye(len(SIZES))
        own = np.linalg.solve(within, np.einsum("tmi,tm->mi", dx, rest)[..., None])[..., 0]  # (m, 3)
        self.slopes = common + own
        base = (y[known] - (x @ common)[np.nonzero(known)[0]]).mean()
        level = np.where(known, y - x @ self.slopes.T, 0.0).sum(axis=0)
        self.level = (level + base) / (count + 1)

    @classmethod
    def learned(cls, records: Sequence[TaskRecord], configs: Sequence[Config], seconds: NDArray[np.float64]) -> Self:
        """From past tasks, for their configurations; `seconds` is (t, m)."""
        sizes = np.array([(r.n_rows, r.n_columns, r.n_classes) for r in records], dtype=float).reshape(-1, 3)
        return cls(seconds, sizes, np.array([str(config.get(FAMILY, "")) for config in configs]))

    def of(self, metafeatures: MetaFeatures | None, took: Mapping[int, float] | None = None) -> NDArray[np.float64]:
        """Expected seconds, (m,), on a task of that size (of the typical size if it is not known).

        `took` says what some of the configurations take there: they and their like are expected accordingly.
        """
        value_of = {} if metafeatures is None else dict(zip(metafeatures.names, metafeatures.values, strict=True))
        size = np.array([value_of.get(name, np.nan) for name in SIZES], dtype=float)
        x = np.where(np.isfinite(size), np.log(np.maximum(size, 1.0)) - self.centre, 0.0)
        log = self.level + self.slopes @ x
        if took:
            columns, seconds = np.array(list(took)), np.array(list(took.values()))
            log = log + slower(surprise(seconds, log[columns]), self.families[columns], self.families, KNOWN)
        return np.maximum(np.exp(log), LEAST)
