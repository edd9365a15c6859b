"""How far a score would be off had other rows been drawn: the bootstrap.

Rows are drawn with repetition, whole groups where rows belong together, and judged again; how far the scores come apart
is how far the one that was measured may be off. Large tables are judged by some thousands of drawn rows: the deviations
shrink with the root of the rows, so they are scaled to the rows that there are (Bickel, Götze, van Zwet: Resampling
fewer than n observations. Statistica Sinica, 1997).

Law: the same rows, judge and seed give the same interval. What it does not hold: other training rows, and that the best
of many was chosen.

Letters:  n rows · k scores that are judged together · b drawings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autometa.evaluation.formulas import METRICS
from autometa.evaluation.options import OPTIONS

Interval = tuple[float, float]
Rows = NDArray[np.intp]


def bootstrap(
    judge: Callable[[Rows], ArrayLike],
    n: int,
    *,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
    times: int = OPTIONS.bootstraps,
    out_of_time: Callable[[], bool] = lambda: False,
) -> NDArray[np.float64]:  # (b, k)
    """How far the scores of drawn rows are from those of all rows; NaN where one is not defined.

    Args:
        judge: Takes row numbers, some of them several times, and gives the scores (k,) of these rows.
        n: How many rows there are.
        groups: (n,) of the rows; rows of one are drawn together. None where each is on its own.
        seed: Of the drawings.
        times: Drawings, b.
        out_of_time: Ends them early, once there are enough for an interval.

    See Also:
        `interval`, `judged_by_fold`.

    Example:
        >>> y = np.random.default_rng(0).normal(size=400)
        >>> deviations = bootstrap(lambda rows: [y[rows].mean()], 400)
        >>> deviations.shape, deviations.std().round(2)  # one over the root of 400
        ((200, 1), np.float64(0.05))

    Source:
        Efron, Tibshirani: An introduction to the bootstrap. Chapman and Hall, 1993.
    """
    whole = np.atleast_1d(np.asarray(judge(np.arange(n)), dtype=np.float64))
    found = list[NDArray[np.float64]]()
    for rows, scale in _drawn(n, groups, np.random.default_rng(seed), times):
        if len(found) >= OPTIONS.least_bootstraps and out_of_time():
            break
        found.append(scale * (np.atleast_1d(np.asarray(judge(rows), dtype=np.float64)) - whole))
    return np.array(found).reshape(len(found), len(whole))


def drawings(metric: str) -> int:
    """How many drawings there are for a metric: fewer where judging costs more.

    See Also:
        `bootstrap`.

    Example:
        >>> drawings("roc_auc"), drawings("jaccard")
        (200, 50)
    """
    return OPTIONS.bootstraps if metric in METRICS else OPTIONS.slow_bootstraps


def interval(score: float, deviations: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """The interval of a score by the deviations (b,) of drawn rows; None where there are too few of them to say.

    See Also:
        `bootstrap`.

    Example:
        >>> [round(end, 3) for end in interval(0.8, np.linspace(-0.1, 0.1, 201))]
        [0.705, 0.895]
        >>> interval(0.8, np.array([0.1])) is None
        True
    """
    known = deviations[np.isfinite(deviations)]
    if len(known) < OPTIONS.least_bootstraps or not np.isfinite(score):
        return None
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(known, (tail, 1.0 - tail))
    return float(score + low), float(score + high)


def judged_by_fold(
    judge: Callable[..., float],
    truths: Sequence[NDArray[Any]],
    predictions: Sequence[NDArray[np.float64]],
    tests: Sequence[Rows],
    n: int,
    sample_weight: NDArray[np.float64] | None = None,
) -> Callable[[Rows], float]:
    """A judge for `bootstrap`: the mean over the folds of what drawn rows score, as a search judges.

    Args:
        judge: The score of a truth and a prediction, which takes ``sample_weight=`` where rows are weighed.
        truths: Of each fold's test rows.
        predictions: Of each fold's test rows.
        tests: The row numbers of each fold's test rows.
        n: Rows of the table.
        sample_weight: (n,) how much each row counts; None for all the same.

    See Also:
        `bootstrap`.

    Example:
        >>> y = np.arange(4.0)
        >>> tests = [np.array([0, 1]), np.array([2, 3])]
        >>> off = lambda truth, said: -float(np.abs(truth - said).mean())
        >>> judged_by_fold(off, [y[:2], y[2:]], [y[:2], y[2:] + 1], tests, 4)(np.arange(4))
        -0.5
    """

    def judged(rows: Rows) -> float:
        times = np.bincount(rows, minlength=n)
        scores = []
        for truth, prediction, test in zip(truths, predictions, tests, strict=True):
            again = np.repeat(np.arange(len(test)), times[test])
            counted = {} if sample_weight is None else {"sample_weight": sample_weight[test][again]}
            scores.append(judge(truth[again], prediction[again], **counted) if len(again) else np.nan)
        known = [one for one in scores if np.isfinite(one)]
        return float(np.mean(known)) if known else float("nan")

    return judged


def _drawn(n: int, groups: NDArray[Any] | None, rng: np.random.Generator, times: int) -> Iterator[tuple[Rows, float]]:
    """Drawn rows, and by what the deviation of their scores is scaled."""
    if groups is None:
        most = min(n, OPTIONS.bootstrap_rows)
        for _ in range(times):
            yield rng.integers(0, n, most), float(np.sqrt(most / n))
        return
    codes = np.unique(groups, return_inverse=True)[1]
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes)
    members = np.split(order, np.cumsum(sizes)[:-1])
    most = max(2, min(len(members), round(len(members) * OPTIONS.bootstrap_rows / n)))
    for _ in range(times):
        picked = rng.integers(0, len(members), most)
        yield np.concatenate([members[one] for one in picked]), float(np.sqrt(most / len(members)))
