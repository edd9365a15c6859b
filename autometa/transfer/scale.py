"""The scales on which scores of different tasks compare, and who uses which.

Scores come in any unit and mostly have a long lower tail: how bad the bad ones are differs wildly between tasks and
tells nothing of where the best is. Three scales forget it, each in its way:

    normalised   0 at the lower quartile and below, 1 at the best. The table of past tasks that the portfolio covers is
                 made of it, and regret: bounded, so that gains of different tasks may be added.
    warped       1 at the best, 0 at the median, without an end below, logarithmic. What experts see: a Gaussian process
                 wants scores that are spread like a Gaussian. Past tasks are warped by their own best and median, a
                 history by those that it has seen; the offset and scale that remain are integrated out (`gaussian`).
    ranked       Gaussian quantiles of the ranks. The labels of meta-training by default: they generalise best.

Law: none of them depends on the unit of the scores, and each keeps their order, as far as it does not clip: what lies
beyond 1e100, where differences and squares would overflow, counts as that.

Letters:  m evaluations · t tasks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.options import OPTIONS


def normalised(
    scores: NDArray[np.float64],  # (t, m)
    floor_quantile: float = OPTIONS.floor_quantile,
) -> NDArray[np.float64]:  # (t, m)
    """Scores of each task scaled to [0, 1]: its lower quartile and below (failures too) is 0, its best 1; NaN stays.

    Clipping below makes the scale blind to how bad the bad ones are, which differs wildly between metrics.

    Example:
        >>> normalised(np.array([[0.5, 0.9, np.nan, 0.7, -np.inf]]))
        array([[0. , 1. , nan, 0.5, 0. ]])
    """
    if scores.size == 0:
        return scores.astype(float)
    scores, finite = _within(scores), np.isfinite(scores)
    some = finite.any(axis=1, keepdims=True)
    ordered = np.sort(np.where(finite, scores, np.inf), axis=1)
    lowest = np.floor(floor_quantile * np.maximum(finite.sum(axis=1) - 1, 0)).astype(int)
    low = np.where(some, np.take_along_axis(ordered, lowest[:, None], axis=1), 0.0)
    high = np.where(some, np.max(np.where(finite, scores, -np.inf), axis=1, keepdims=True), 0.0)
    span = np.where(high > low, high - low, 1.0)
    scaled = np.clip((np.where(finite, scores, low) - low) / span, 0.0, 1.0)
    return np.where(np.isnan(scores), np.nan, scaled)


MOST, _FAR = 1e100, 1e100  # of a score, and of its distance from the best in units


def _within(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Finite scores no further from 0 than `MOST`; what is not finite stays."""
    return np.where(np.isfinite(scores), np.clip(scores, -MOST, MOST), scores)


class Warp(NamedTuple):
    """The best score of a task and its unit, by which scores are warped; arrays of shape (..., 1) for many tasks."""

    best: NDArray[np.float64]
    unit: NDArray[np.float64]  # from the median to the best

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> Warp:  # (..., m)
        """By the finite scores along the last axis."""
        if scores.shape[-1] == 0:
            return cls(np.zeros((*scores.shape[:-1], 1)), np.ones((*scores.shape[:-1], 1)))
        scores, finite = _within(scores), np.isfinite(scores)
        some = finite.any(axis=-1, keepdims=True)
        best = np.where(some, np.max(np.where(finite, scores, -np.inf), axis=-1, keepdims=True), 0.0)
        lowest = np.where(some, np.min(np.where(finite, scores, np.inf), axis=-1, keepdims=True), 0.0)
        ordered = np.sort(np.where(finite, scores, np.inf), axis=-1)
        count = finite.sum(axis=-1, keepdims=True)
        middle = np.concatenate([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, np.maximum(count - 1, 0))], -1)
        median = np.where(some, np.take_along_axis(ordered, middle, axis=-1).mean(axis=-1, keepdims=True), 0.0)
        unit = np.where(best > median, best - median, best - lowest)
        return cls(best, np.where(unit > 0, unit, 1.0))

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:  # (..., m) -> (..., m)
        """Warped scores: 1 at the best, straight on above it; NaN where a score is not finite."""
        scores, finite = _within(scores), np.isfinite(scores)
        with np.errstate(over="ignore"):
            gap = np.clip((self.best - np.where(finite, scores, self.best)) / self.unit, -_FAR, _FAR)
        return np.where(finite, 1.0 - np.where(gap > 0, np.log2(1.0 + np.maximum(gap, 0.0)), gap / np.log(2.0)), np.nan)


def warped(scores: NDArray[np.float64]) -> NDArray[np.float64]:  # (..., m) -> (..., m)
    """``1 - log2(1 + (best - score) / (best - median))`` along the last axis; NaN where a score is not finite.

    Where half of the scores equal the best, the lowest takes the median's place; where all are equal, all are 1.

    Example:
        >>> warped(np.array([0.9, 0.8, 0.7, 0.5, -np.inf])).round(2)
        array([ 1.  ,  0.26, -0.22, -0.87,   nan])
    """
    return Warp.of(scores)(scores)


def ranked(scores: NDArray[np.float64]) -> NDArray[np.float64]:  # (t, m) -> (t, m)
    """Gaussian quantiles of the mean ranks within each row; NaN where a score is not finite.

    Example:
        >>> ranked(np.array([[3.0, 1.0, 2.0, np.nan]])).round(2)
        array([[ 0.97, -0.97,  0.  ,   nan]])
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    out = np.full(scores.shape, np.nan)
    for row, values in zip(out, scores, strict=True):
        finite = np.isfinite(values)
        row[finite] = ndtri((rankdata(values[finite]) - 0.5) / max(int(finite.sum()), 1))
    return out


def comparable(labels: NDArray[np.float64]) -> NDArray[np.float64]:  # (t, m) -> (t, m)
    """Labels of thinly logged tasks, moved to where tasks that know the common configurations would have them.

    A search leaves mostly good configurations behind, so the worst of them is not the worst there is. The reference are
    the configurations that many tasks know, and the tasks that know nearly all of those. Any other task with three or
    more of them gets the offset and scale by which those have the mean and spread that reference tasks give them.

    Example:
        >>> dense = np.tile(np.array([-1.0, 0.0, 1.0, 2.0, 3.0]), (5, 1))
        >>> thin = np.array([[np.nan, np.nan, -1.0, 0.0, 1.0]])
        >>> comparable(np.vstack([dense, thin]))[-1]
        array([nan, nan,  1.,  2.,  3.])
    """
    known = np.isfinite(labels)
    count = known.sum(axis=0)
    reference = count >= max(4.0, 0.5 * count.max(initial=0))
    share = known[:, reference].sum(axis=1)
    dense = share >= 0.8 * reference.sum()
    if not reference.any() or dense.sum() < 4 or dense.all():
        return labels
    out = labels.copy()
    for i in np.flatnonzero(~dense & (share >= 3)):
        shared = reference & known[i]
        theirs = labels[np.ix_(dense, shared)]
        complete = theirs[np.isfinite(theirs).all(axis=1)]
        spread = labels[i, shared].std()
        if len(complete) >= 4 and spread > 0:
            scale = complete.std(axis=1).mean() / spread
            out[i] = complete.mean() + scale * (labels[i] - labels[i, shared].mean())
    return out


LABEL_SCALES = {"warped": warped, "ranked": ranked}
