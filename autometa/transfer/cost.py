"""How long trials take: what is expected of configurations, how far results are from it, and what one trial may take.

The logarithm of the seconds is linear in the logarithms of rows, columns and classes, with slopes per configuration
that are shrunk towards the slope of all; seconds that are far from a configuration's usual ones are drawn in first, so
that one stalled machine does not spoil it.

Letters:  t past tasks · m configurations · k trials that were timed · q configurations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, family_in
from autometa.transfer.options import OPTIONS, Spreads, TransferOptions

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import TaskRecord


@dataclass(frozen=True, slots=True)
class TrialLimit:
    """How long one trial may take: a family that stops early ends by then with what it has, any other fails.

    See Also:
        `autometa.families.truncatable`.

    Example:
        >>> limit = TrialLimit(10.0, frozenset({"catboost"}))
        >>> limit.costs(np.array([3.0, 30.0, 30.0]), np.array(["svm", "svm", "catboost"]))
        array([ 3., inf, 10.])
    """

    seconds: float
    growing: frozenset[str] = frozenset()  # families that stop early
    late: frozenset[str] = frozenset()  # families that ran out of time again and again, and are not proposed any more

    def costs(self, expected: NDArray[np.float64], families: NDArray[np.str_]) -> NDArray[np.float64]:
        """Seconds of trials that are `expected` to need so many, (q,); infinite where they cannot finish in time."""
        beyond = np.where(np.isin(families, list(self.growing)), self.seconds, np.inf)
        return np.where(self.is_late(families), np.inf, np.where(expected <= self.seconds, expected, beyond))

    def is_late(self, families: NDArray[np.str_]) -> NDArray[np.bool_]:  # (q,)
        """Which configurations are of a family that is not proposed any more."""
        return np.isin(families, list(self.late))


def surprise(
    seconds: NDArray[np.float64],  # (k,)
    expected: NDArray[np.float64],  # (k,)
    start: float = OPTIONS.start_seconds,
) -> NDArray[np.float64]:  # (k,)
    """Log of what trials took over what was expected of them, both at least the start of a process.

    Args:
        seconds: That trials took, the start of their process included.
        expected: Log of the seconds that were expected.
        start: Seconds that starting a process takes.

    Example:
        >>> surprise(np.array([0.25, 3.0]), np.log([0.05, 1.5])).round(2)
        array([0.  , 0.69])
    """
    return np.log(np.maximum(seconds, start)) - np.maximum(expected, np.log(start))


def slower(
    residual: NDArray[np.float64],  # (k,)
    families: NDArray,  # (k,)
    among: NDArray,  # (q,)
    spreads: Spreads,
) -> NDArray[np.float64]:  # (q,)
    """By how much log seconds will exceed what is expected, given by how much they did so far.

    A task, or the machine, is slower than others as a whole, and its families differ on top of that: what one family
    takes says most about that family, and something about the others. The mean of the Gaussian model with these three
    spreads, given the results.

    Args:
        residual: Log of the seconds that trials took over those that were expected.
        families: Their families, names or numbers.
        among: The families that are asked about.
        spreads: How far trials usually are from such an expectation.

    Example:
        >>> slower(
        ...     np.log([2.0, 2.0]), np.array(["svm", "svm"]), np.array(["svm", "knn"]), Spreads(0.5, 0.3, 0.4)
        ... ).round(2)
        array([0.56, 0.41])
    """
    if not len(residual):
        return np.zeros(len(among))
    known, which, count = np.unique(families, return_inverse=True, return_counts=True)
    mean = np.bincount(which, weights=residual) / count
    variance = spreads.families**2 + spreads.trials**2 / count  # of a family's mean, around the task's level
    level = (mean / variance).sum() / (1 / spreads.tasks**2 + (1 / variance).sum())
    own = (mean - level) * spreads.families**2 / variance
    position = np.minimum(np.searchsorted(known, among), len(known) - 1)
    return level + np.where(known[position] == among, own[position], 0.0)


SIZES = ("rows", "columns", "classes")  # the meta-features that say how large a task is


class Cost:
    """Expected seconds of configurations, by the size of a task and by what was timed on it."""

    def __init__(
        self,
        seconds: NDArray[np.float64],  # (t, m) NaN where unknown
        sizes: NDArray[np.float64],  # (t, 3) rows, columns, classes (0 in regression)
        families: NDArray[np.str_],  # (m,)
        options: TransferOptions = OPTIONS,
    ) -> None:
        """Fits level and slopes of every configuration."""
        self.options = options
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
        # One slope for all, within configurations: one that was tried on large tasks only must not seem slow.
        x_mean = np.einsum("tm,tk->mk", weights, x) / np.maximum(count, 1)[:, None]  # (m, 3)
        dx = np.where(known[:, :, None], x[:, None, :] - x_mean[None], 0.0)  # (t, m, 3)
        dy = np.where(known, y - mean, 0.0)
        common = np.linalg.solve(
            np.einsum("tmi,tmj->ij", dx, dx) + np.eye(len(SIZES)), np.einsum("tmi,tm->i", dx, dy)
        )  # (3,)
        residual = np.where(known, y - x @ common[:, None], 0.0)
        within = np.einsum("tmi,tmj->mij", dx, dx) + options.slope_tasks * np.eye(len(SIZES))
        own = np.linalg.solve(within, np.einsum("tmi,tm->mi", dx, residual)[..., None])[..., 0]  # (m, 3)
        self.slopes = common + own
        base = (y[known] - (x @ common)[np.nonzero(known)[0]]).mean()
        level = np.where(known, y - x @ self.slopes.T, 0.0).sum(axis=0)
        self.level = (level + base) / (count + 1)

    @classmethod
    def learned(
        cls,
        records: Sequence[TaskRecord],  # (t,)
        configs: Sequence[Config],  # (m,)
        seconds: NDArray[np.float64],  # (t, m) NaN where unknown
        options: TransferOptions = OPTIONS,
    ) -> Self:
        """What past tasks tell about their configurations."""
        sizes = np.array([(r.n_rows, r.n_columns, r.n_classes) for r in records], dtype=float).reshape(-1, 3)
        return cls(seconds, sizes, np.array([family_in(config) for config in configs]), options)

    def of(self, metafeatures: MetaFeatures | None, took: Mapping[int, float] | None = None) -> NDArray[np.float64]:
        """Expected seconds, (m,), on a task of that size (of the typical size if it is not known).

        `took` maps columns to the seconds that they took there, by which those of the others are corrected.
        """
        value_of = {} if metafeatures is None else dict(zip(metafeatures.names, metafeatures.values, strict=True))
        size = np.array([value_of.get(name, np.nan) for name in SIZES], dtype=float)
        x = np.where(np.isfinite(size), np.log(np.maximum(size, 1.0)) - self.centre, 0.0)
        log = self.level + self.slopes @ x
        if took:
            columns, seconds = np.array(list(took)), np.array(list(took.values()))
            residual = surprise(seconds, log[columns], self.options.start_seconds)
            spreads = self.options.known_spreads
            log = log + slower(residual, self.families[columns], self.families, spreads)
        return np.maximum(np.exp(log), self.options.least_seconds)
