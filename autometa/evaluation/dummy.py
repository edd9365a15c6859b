"""What a model gets that looks at no column: the mean, the classes' shares, always one class.

A score says little without it: an accuracy of 0.95 is nothing where 95 of 100 rows are of one class. The constants are
judged as every trial is, fold by fold, each made from the rows that are learned from.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.formulas import METRICS
from autometa.evaluation.metrics import judges_labels, score
from autometa.evaluation.options import OPTIONS
from autometa.quantiles import quantile_of

if TYPE_CHECKING:
    from autometa.evaluation.splits import Splits
    from autometa.task import Task


@dataclass(frozen=True, slots=True)
class Dummy:
    """The best constant answer, and what it scores.

    See Also:
        `score`.

    Example:
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(40.0).reshape(20, 2), y=["no"] * 15 + ["yes"] * 5, metric="accuracy")
        >>> found = Dummy.of(task, plan_splits(task, seed=0))
        >>> found.says, found.score
        ("always answering 'no'", 0.75)
    """

    says: str  # "predicting the mean", for a sentence
    score: float  # larger is better, as everywhere
    answer: float | None = None  # the number that it says, of the whole table; None of classes

    @classmethod
    def of(cls, task: Task, splits: Splits) -> Dummy:
        """Of the constants that there are, the one that the task's metric likes best.

        Args:
            task: What is learned.
            splits: By which every trial is judged.
        """
        y = np.asarray(task.y)
        folds: list[dict[str, float]] = []
        for train, test in splits:
            counts = None if task.weights is None else np.asarray(task.weights)
            counted = None if counts is None else counts[test]
            constants = _constants(task, y[train], None if counts is None else counts[train], len(test))
            folds.append(
                {
                    says: score(
                        task.metric,
                        y[test],
                        said,
                        task.c,
                        positive=task.positive,
                        weights=task.costs,
                        sample_weight=counted,
                        classes=task.classes,
                    )
                    for says, said in constants
                }
            )
        means = {says: _mean([fold[says] for fold in folds if says in fold]) for says in folds[0]}
        says = max(means, key=lambda one: means[one] if np.isfinite(means[one]) else -np.inf)
        known = task.learned
        whole = dict(_constants(task, np.asarray(known.y), known.weights, 1))
        return cls(says, means[says], float(whole[says][0]) if task.kind == "regression" else None)

    def gone(self, metric: str, score: float) -> float | None:
        """The share of the dummy's error that a score has not; None where the metric has no best value to compare with.

        Example:
            >>> round(Dummy("predicting the mean", -4.0).gone("neg_root_mean_squared_error", -1.0), 2)
            0.75
            >>> round(Dummy("always answering 'no'", 0.9).gone("accuracy", 0.95), 2)
            0.5
        """
        known = METRICS.get(metric)
        best = 0.0 if metric.startswith("neg_") else 1.0 if known is not None else None
        if best is None or not (np.isfinite(self.score) and np.isfinite(score)) or self.score >= best:
            return None
        return float((score - self.score) / (best - self.score))

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def read(cls, values: Mapping[str, Any] | None) -> Dummy | None:
        """What `to_dict` gave; None of a run that knows none."""
        return None if values is None else cls(**values)


def _constants(
    task: Task, y: NDArray[Any], counts: NDArray[np.float64] | None, n: int
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Constant answers made from targets `y`, which count so much, as predictions of `n` rows, each with its words."""
    counts = np.ones(len(y)) if counts is None or not counts.sum() > 0 else counts
    if task.kind == "regression":
        known = counts > 0
        alike = counts.min() == counts.max()
        quantile = np.quantile(y[known], 0.5, weights=counts[known], method="inverted_cdf")
        median = np.median(y) if alike else quantile
        yield "predicting the mean", np.full(n, np.average(y, weights=counts))
        yield "predicting the median", np.full(n, median)
        if (share := quantile_of(task.metric)) is not None:
            asked = np.quantile(y[known], share, weights=counts[known], method="inverted_cdf")
            yield f"predicting the quantile {share:g}", np.full(n, asked)
        if (wanted := quantile_of(task.metric)) is not None:
            usual = np.quantile(y[known], wanted, weights=counts[known], method="inverted_cdf")
            yield f"predicting the quantile {wanted:g}", np.full(n, usual)
        return
    shares = np.bincount(y, weights=counts, minlength=task.c) / counts.sum()
    if not judges_labels(task.metric):
        yield "giving every row the shares of the classes", np.tile(shares, (n, 1))
        return
    most = range(task.c) if task.c <= OPTIONS.dummy_classes else [int(np.bincount(task.y).argmax())]
    for k in most:
        yield f"always answering {str(task.classes[k])!r}", np.tile(np.eye(task.c)[k], (n, 1))


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
