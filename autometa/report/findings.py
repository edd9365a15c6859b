"""What the report computes: curves and tables from out-of-fold predictions, and which columns the model leans on.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

IMPORTANCE_ROWS = 1000  # rows on which importance is measured
IMPORTANCE_ROUNDS = 10  # shuffles of each column, when there is time


def judged(oof: Values) -> NDArray[np.bool_]:  # oof: (n,) or (n, c) -> (n,)
    """Which rows have an out-of-fold prediction."""
    return np.isfinite(oof.reshape(len(oof), -1)).all(axis=1)


def confusion(y: NDArray[Any], probability: Values) -> NDArray[np.int64]:  # (n,), (n, c) -> (c, c)
    """How many rows of each true class (down) were taken for each class (across)."""
    c = probability.shape[1]
    return np.bincount(y * c + probability.argmax(axis=1), minlength=c * c).reshape(c, c)


def roc(positive: NDArray[np.bool_], score: Values) -> tuple[Values, Values, float]:  # (n,), (n,)
    """False and true positive rates from the strictest threshold to the loosest, and the area under them.

    The area is NaN when one of the two classes is absent.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # the end of each run of ties
    true = np.concatenate([[0], np.cumsum(positive[order])[last]])
    false = np.concatenate([[0], last + 1]) - true
    if true[-1] == 0 or false[-1] == 0:
        return np.array([0.0, 1.0]), np.array([0.0, 1.0]), math.nan
    x, y = false / false[-1], true / true[-1]
    return x, y, float(np.trapezoid(y, x))


def thinned(x: Values, y: Values, most: int = 200) -> list[tuple[float, float]]:  # (k,), (k,)
    """At most so many points of a curve, its ends among them."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
    return [(float(x[k]), float(y[k])) for k in keep]


def calibration(
    hit: NDArray[np.bool_], probability: Values, bins: int = 10
) -> list[tuple[float, float, int]]:  # (n,), (n,)
    """(mean probability, share that came true, rows) in bins of about equally many rows."""
    order = np.argsort(probability, kind="stable")
    out = []
    for part in np.array_split(order, min(bins, len(order))):
        out.append((float(probability[part].mean()), float(hit[part].mean()), len(part)))
    return out


@dataclass(frozen=True, slots=True)
class Importance:
    """How much the score falls when one column is shuffled."""

    column: str
    drop: float  # mean over the shuffles, in the metric's unit; above 0: the model leans on the column
    spread: float  # standard deviation over the shuffles


def permutation_importance(
    task: Any,
    predict: Callable[[Any], Values],  # typed X -> (n,) values or (n, c) probabilities
    *,
    seconds: float,
    seed: int = 0,
) -> list[Importance]:
    """Importance of each column on a bounded sample, most important first; [] when not all columns fit in the time.

    Every column is shuffled once before any is shuffled again, so that the time box ends with all or nothing, and what
    time is left makes the figures steadier.

    Source:
        Breiman: Random forests. Machine Learning 45, 2001. Model-agnostic: Fisher, Rudin, Dominici, JMLR 20, 2019.
    """
    from autometa.evaluation import score

    end = time.monotonic() + seconds
    sample = task.sample(IMPORTANCE_ROWS, seed)
    rng = np.random.default_rng(seed)
    c = len(task.classes)

    def judge(X: Any) -> float:
        return score(task.metric, sample.y, predict(X), c)

    whole = judge(sample.X)
    drops: dict[str, list[float]] = {name: [] for name in sample.X.columns}
    for round_ in range(IMPORTANCE_ROUNDS):
        for name in drops:
            if time.monotonic() > end:
                break
            shuffled = sample.X.copy(deep=False)
            shuffled[name] = (
                sample.X[name].to_numpy()[rng.permutation(sample.n)]
                if sample.X[name].dtype != "category"
                else (sample.X[name].take(rng.permutation(sample.n)).set_axis(sample.X.index))
            )
            drops[name].append(whole - judge(shuffled))
        if round_ == 0 and not all(drops.values()):
            return []
    out = [Importance(name, float(np.mean(values)), float(np.std(values))) for name, values in drops.items()]
    return sorted(out, key=lambda i: -i.drop)
