"""Curves and tables from out-of-fold predictions.

Letters:  n rows · c classes · k points of a curve.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]


def judged(oof: Values) -> NDArray[np.bool_]:  # oof: (n,) or (n, c) -> (n,)
    """Which rows have an out-of-fold prediction."""
    return np.asarray(np.isfinite(oof.reshape(len(oof), -1)).all(axis=1))


def confusion(y: NDArray[Any], labels: NDArray[Any], c: int) -> NDArray[np.int64]:  # (n,), (n,) -> (c, c)
    """How many rows of each true class (down) were taken for each class (across)."""
    return np.bincount(y * c + labels, minlength=c * c).reshape(c, c)


def classes_shown(task: Task, y: NDArray[Any], most: int) -> list[int]:
    """Of which classes a figure has a curve: the positive one, or of several the `most` most frequent ones."""
    if task.kind == "binary":
        return [task.positive]
    return [int(k) for k in np.argsort(-np.bincount(y, minlength=task.c), kind="stable")[:most]]


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


def precision_recall(positive: NDArray[np.bool_], score: Values) -> tuple[Values, Values, float]:  # (n,), (n,)
    """Recall and precision from the strictest threshold to the loosest, and the average precision.

    Precision is what it is at the strictest threshold up to its recall. NaN, and two points, without a positive row.

    Example:
        >>> recall, precision, average = precision_recall(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]))
        >>> recall.tolist(), precision.round(2).tolist(), round(average, 3)
        ([0.0, 0.5, 0.5, 1.0], [1.0, 1.0, 0.5, 0.67], 0.833)
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # the end of each run of ties
    caught = np.cumsum(positive[order])[last]
    if caught[-1] == 0:
        return np.array([0.0, 1.0]), np.array([0.0, 0.0]), math.nan
    recall, precision = caught / caught[-1], caught / (last + 1)
    average = float(np.diff(recall, prepend=0.0) @ precision)
    return np.append(0.0, recall), np.append(precision[0], precision), average


def thinned(x: Values, y: Values, most: int = 200) -> list[tuple[float, float]]:  # (k,), (k,)
    """At most so many points of a curve, its ends among them."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
    return [(float(x[k]), float(y[k])) for k in keep]


def calibration(
    hit: NDArray[np.bool_], probability: Values, bins: int = 10
) -> list[tuple[float, float, int]]:  # (n,), (n,)
    """(mean probability, share that came true, rows) in bins of about equally many rows."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return [(float(probability[part].mean()), float(hit[part].mean()), len(part)) for part in parts]
