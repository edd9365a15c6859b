"""Which columns matter to the final model: how much worse it gets when the values of one are shuffled.

Every column is shuffled once before any is shuffled again; each round is handed over when it is complete. So whoever
stops listening has figures for all columns or for none, and time makes them steadier.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.report.options import OPTIONS

if TYPE_CHECKING:
    import pandas as pd

    from autometa.evaluation import Weights
    from autometa.search import Result
    from autometa.task import Task


@dataclass(frozen=True, slots=True)
class Importance:
    """How much the score falls when one column is shuffled.

    Example:
        >>> Importance("age", drop=0.031, spread=0.004).column
        'age'
    """

    column: str
    drop: float  # mean over the shuffles, in the metric's unit; above 0: the model uses the column
    spread: float  # standard deviation over the shuffles


def measure(result: Result, *, seconds: float, trusted: bool = False) -> list[Importance] | str:
    """Importance of each column for the model of a run, most important first, or in words why it was not measured.

    Runs in a process of its own, so the time is kept whatever the model does.

    Args:
        result: A finished search.
        seconds: How long it may take.
        trusted: Read the model even though somebody else made it.

    Example:
        >>> from autometa.search import open_run
        >>> found = measure(open_run(run), seconds=60)
        >>> found if isinstance(found, str) else found[0].column in open_run(run).task.X
        True
    """
    from autometa.evaluation import Killed, shared_isolation

    isolation = shared_isolation()
    try:
        found: list[Importance] = isolation.call(
            of_run, Path(result.run).absolute(), result.settings.seed, trusted, seconds=seconds
        )
        return found
    except Killed as killed:
        if killed.partial:
            return list(killed.partial)
        if killed.state == "timeout":
            return f"Shuffling every column once takes longer than the {seconds:.1f} s that there were."
        return f"It could not be measured: {killed.reason}."


def of_run(run: Path, seed: int, trusted: bool) -> Iterator[list[Importance]]:
    """`permutation_importance` of the final model of a run."""
    from autometa.search import load_model, open_run

    model, task = load_model(run, trusted=trusted), open_run(run, trusted=trusted).task
    yield from permutation_importance(task, model.answer, seed=seed, weights=model.weights)


def permutation_importance(
    task: Task,
    predict: Callable[[pd.DataFrame], NDArray[np.float64]],  # typed X -> (n,) values or (n, c) probabilities
    *,
    seed: int,
    weights: Weights = (),
) -> Iterator[list[Importance]]:
    """Importance of each column on a bounded sample, most important first, after each round of shuffles.

    Source:
        Breiman: Random forests. Machine Learning 45, 2001. For any model: Fisher, Rudin, Dominici: All models are
        wrong, but many are useful. JMLR 20, 2019.
    """
    from autometa.evaluation import score

    sample = task.sample(OPTIONS.importance_rows, seed)
    rng = np.random.default_rng(seed)

    def judge(X: pd.DataFrame) -> float:
        return score(task.metric, sample.y, predict(X), task.c, positive=task.positive, weights=weights)

    whole = judge(sample.X)
    drops: dict[str, list[float]] = {str(name): [] for name in sample.X.columns}
    for _ in range(OPTIONS.importance_rounds):
        for name, values in drops.items():
            shuffled = sample.X.copy(deep=False)
            shuffled[name] = sample.X[name].take(rng.permutation(sample.n)).set_axis(sample.X.index)
            values.append(whole - judge(shuffled))
        found = [Importance(name, float(np.mean(values)), float(np.std(values))) for name, values in drops.items()]
        yield sorted(found, key=lambda i: -i.drop)
