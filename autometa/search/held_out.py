"""The rows that folds hold out, end to end, fold after fold: what is true of them, how much they count, how they score.

A model is scored by each fold of each repeat and then on average, as a trial is: the averages of several repeats, or
all folds in one, would be judged too well.

Letters:  m held-out rows, of all folds of all repeats · n rows of the task · c classes · k folds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation import Splits, Weights, score

if TYPE_CHECKING:
    from autometa.task import Task

Rows = NDArray[np.intp]


class HeldOut:
    """All of them, or some of each fold where those tell enough.

    Example:
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(40.0).reshape(20, 2), y=np.arange(20.0))
        >>> held_out = HeldOut(task, plan_splits(task, seed=0, folds=2))
        >>> held_out.pooled(np.arange(20.0)[None, :]).shape, held_out.scores(held_out.truth + 1.0)
        ((20,), array([-1., -1.]))
        >>> held_out.every(4).truth.shape
        (6,)
    """

    def __init__(self, task: Task, splits: Splits, some: Sequence[Rows | slice] | None = None) -> None:
        """`some` are places within the test side of each fold; None for all."""
        self.task, self.splits = task, splits
        self._some = [slice(None)] * len(splits) if some is None else some
        rows = [test[part] for (_, test), part in zip(splits, self._some, strict=True)]
        self.truths = [np.asarray(task.y)[of_fold] for of_fold in rows]
        weights = None if task.weights is None else np.asarray(task.weights)
        self._counts = None if weights is None else [weights[of_fold] for of_fold in rows]
        self._ends = np.cumsum([len(truth) for truth in self.truths])[:-1]

    def every(self, step: int) -> HeldOut:
        """One row of `step`, of each fold alike."""
        return HeldOut(self.task, self.splits, [slice(None, None, step)] * len(self.splits))

    def sample(self, rows: int, seed: int) -> HeldOut:
        """About so many rows, drawn from each fold in proportion."""
        sizes = [len(test) for _, test in self.splits]
        share, rng = min(1.0, rows / max(sum(sizes), 1)), np.random.default_rng(seed)
        drawn = [np.sort(rng.permutation(size)[: math.ceil(share * size)]) for size in sizes]
        return HeldOut(self.task, self.splits, drawn)

    @cached_property
    def truth(self) -> NDArray[Any]:
        """(m,) class codes or values."""
        return np.concatenate(self.truths)

    @cached_property
    def counts(self) -> NDArray[np.float64] | None:
        """(m,) how much each counts; None for all the same."""
        return None if self._counts is None else np.concatenate(self._counts)

    def pooled(self, oof: NDArray[np.float64]) -> NDArray[np.float64]:  # (r, n) or (r, n, c) -> (m,) or (m, c)
        """Their predictions, of layers as `Splits.layered` makes them."""
        folds = self.splits.by_fold(oof)
        return np.concatenate([fold[part] for fold, part in zip(folds, self._some, strict=True)])

    def by_fold(self, pooled: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Predictions as of `pooled`, those of each fold."""
        return np.split(pooled, self._ends)

    def scores(self, pooled: NDArray[np.float64], labelled: Weights = ()) -> NDArray[np.float64]:  # (k,)
        """The score of each fold; `labelled` are weights of classes with which the largest probability is the label."""
        task, nothing = self.task, [None] * len(self.truths)
        judge = partial(score, task.metric, positive=task.positive, weights=labelled, classes=task.classes)
        folds = zip(self.truths, self.by_fold(pooled), self._counts or nothing, strict=True)
        return np.array([judge(y, said, task.c, sample_weight=counted) for y, said, counted in folds])
