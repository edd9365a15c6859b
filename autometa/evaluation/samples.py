"""Which rows come first where a configuration learns from a part of the rows only.

Every row has a place in [0, 1) within its stratum, drawn once by the seed; a sample of a share of the rows takes those
whose place is below it. So a larger sample holds every smaller one, each class (or tenth of a regression target) gives
its share and never less than one row, groups are taken whole, and what is predicted stays the same rows, which makes
scores comparable.

Letters:  n rows · g groups.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.splits import Splits, strata_of

if TYPE_CHECKING:
    from autometa.task import Task


def places(task: Task, *, seed: int) -> NDArray[np.float64]:  # (n,)
    """The place of each row in the order in which rows are learned from, in [0, 1); those of a group are one.

    Args:
        task: The table, its classes and groups.
        seed: The same seed gives the same places.

    See Also:
        `sampled`.

    Example:
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(12.0).reshape(6, 2), y=[0, 1] * 3)
        >>> np.sort(places(task, seed=0)[task.y == 0])
        array([0.        , 0.33333333, 0.66666667])
    """
    rng = np.random.default_rng(seed)
    if task.groups is not None:
        group = np.unique(np.asarray(task.groups), return_inverse=True)[1]
        sizes = np.bincount(group)
        order = rng.permutation(len(sizes))
        before = np.empty(len(sizes))
        before[order] = np.cumsum(sizes[order]) - sizes[order]
        return before[group] / task.n
    strata = np.unique(strata_of(task), return_inverse=True)[1]
    sizes = np.bincount(strata)
    order = rng.permutation(task.n)
    order = order[np.argsort(strata[order], kind="stable")]  # strata one after another, each shuffled
    rank = np.empty(task.n)
    rank[order] = np.arange(task.n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank / sizes[strata]


def sampled(splits: Splits, place: NDArray[np.float64], rows: int) -> Splits:
    """Splits whose training sides hold as many rows as they would in a table of so many rows; what is predicted stays.

    Args:
        splits: Of the whole table.
        place: (n,) of each row, as `places` gives them.
        rows: Of the table that they stand for; all of them or more change nothing.

    See Also:
        `plan_splits`, `places`.

    Example:
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(2000.0).reshape(1000, 2), y=[0, 1] * 500)
        >>> whole = plan_splits(task, seed=0, folds=5)
        >>> few = sampled(whole, places(task, seed=0), 250)
        >>> int(few.train.sum()), bool((few.test == whole.test).all())  # a quarter of 5 times 800
        (1000, True)
    """
    if rows >= splits.n:
        return splits
    return replace(splits, train=splits.train & (place < _share(splits, place, rows)))


def _share(splits: Splits, place: NDArray[np.float64], rows: int) -> float:
    """The share of the places that holds about so many of all rows; each fold learns from two rows at least."""
    share = rows / splits.n
    least = max(float(np.partition(place[train], 1)[1]) if train.sum() > 1 else 0.0 for train in splits.train)
    return max(share, np.nextafter(least, 1.0))
