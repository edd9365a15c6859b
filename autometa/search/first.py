"""The first model of a search under a time budget: there before any process has started or library is loaded.

A quick linear model (`families.learners.quick`), fitted in this process on as many rows as a tenth of the budget, or
two seconds, leave time for, and judged by the splits of the search. It answers where not one configuration could be
evaluated, and then stands among the trials as a fall-back that says what it was made from.

Law: if a constant can be predicted there is a model, whatever the size of the table, the load of the machine and the
budget: a fold that there is no time for, and one whose linear model is worse than a constant, is predicted by the
constant.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation import Splits, predict_aligned, score
from autometa.families import QUICK
from autometa.families.learners.quick import QuickLinear
from autometa.files import replace
from autometa.search.options import OPTIONS, SearchOptions
from autometa.space import FAMILY, Config
from autometa.task import Task

CONFIG: Config = {FAMILY: QUICK}
HERE = "A library's default, tried in the search's own process: no time to begin another, nor to ask the memory."


@dataclass(frozen=True, slots=True, eq=False)
class FirstModel:
    """What was fitted at once.

    Args:
        models: One for each fold; a classifier's `classes_` are codes of the task.
        predictions: Of the rows that each fold predicts.
        rows: Of the table that the models learned from, at most.
        fit_seconds: Of all folds.
        n: Rows of the table.
    """

    models: tuple[QuickLinear, ...]
    predictions: tuple[NDArray[np.float64], ...]
    rows: int
    fit_seconds: float
    n: int

    @property
    def is_constant(self) -> bool:
        """Whether it answers the same for every row."""
        return all(model.is_constant for model in self.models)

    def reason(self, *, alone: bool = True) -> str:
        """What it was made from, in a sentence, and that it is `alone`."""
        of = f"{self.rows:,} of {self.n:,} rows" if self.rows < self.n else f"{self.n:,} rows"
        what = "A constant, the usual answer" if self.is_constant else "A quick linear model"
        return f"{what} of {of}, fitted at the start{': nothing else was evaluated in time' if alone else ''}."

    def pickled(self) -> bytes:
        """As trials leave the models of their folds."""
        return pickle.dumps(list(self.models), protocol=5)

    def save(self, path: Any) -> None:
        """Writes `pickled` to a file, whole or not at all."""
        replace(path, self.pickled())


def first_model(
    task: Task,
    splits: Splits,
    *,
    seed: int,
    seconds: float,
    now: Callable[[], float] = time.monotonic,
    options: SearchOptions = OPTIONS,
) -> FirstModel:
    """A model of every fold, after about so many seconds.

    Args:
        task: What to learn.
        splits: By which the search judges.
        seed: Of the order in which rows are learned from.
        seconds: By `now`, after which no piece of work is begun.
        now: The clock.
        options: The tuned numbers: at most `first_rows` rows are learned from.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> task = make_task(X, y=y, name="wine")
        >>> first = first_model(task, plan_splits(task, seed=0, folds=5), seed=0, seconds=60.0)
        >>> len(first.models), first.rows, first.reason().partition(",")[0]
        (5, 143, 'A quick linear model of 143 of 178 rows')
    """
    began = now()
    rng = np.random.default_rng(seed)
    order = rng.permutation(task.n)
    models, predictions, most = [], [], 0
    for fold, (train, test) in enumerate(splits):
        late = partial(_is_over, now, began + seconds * (fold + 1) / len(splits))
        learned = np.zeros(task.n, dtype=bool)
        learned[train] = True
        rows = order[learned[order]][: options.first_rows]
        model, said = _better(task, rows, test, late)
        models.append(model)
        predictions.append(said)
        most = max(most, model.rows_)
    return FirstModel(tuple(models), tuple(predictions), most, now() - began, task.n)


def _is_over(now: Callable[[], float], until: float) -> bool:
    return now() >= until


def _better(
    task: Task, rows: NDArray[np.intp], test: NDArray[np.intp], late: Callable[[], bool]
) -> tuple[QuickLinear, NDArray[np.float64]]:
    """The linear model of a fold and what it predicts, or the constant's, where that is better or time is over."""
    classification, y = task.kind != "regression", np.asarray(task.y)
    counts = None if task.weights is None else np.asarray(task.weights)
    learned = None if counts is None else counts[rows]
    constant = QuickLinear(classification=classification).fit(task.X.iloc[rows, :0], y[rows], sample_weight=learned)
    X = task.X.iloc[test]
    usual = predict_aligned(constant, X, task.kind, task.c)
    if late() or task.monotonic:  # which a linear model may not keep
        return constant, usual
    try:
        linear = QuickLinear(classification=classification)
        linear.fit(task.X.iloc[rows], y[rows], sample_weight=learned, out_of_time=late)
        said = predict_aligned(linear, X, task.kind, task.c)
    except (ArithmeticError, ValueError, TypeError, MemoryError, np.linalg.LinAlgError):
        return constant, usual
    judge = partial(
        score,
        task.metric,
        y[test],
        classes=task.classes,
        positive=task.positive,
        weights=task.costs,
        sample_weight=None if counts is None else counts[test],
    )
    if not np.isfinite(said).all() or judge(said) < judge(usual):
        return constant, usual
    return linear, said
