"""Curves and tables from out-of-fold predictions.

Letters:  n rows · c classes · k points of a curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def judged(oof: Values) -> NDArray[np.bool_]:  # oof: (n,) or (n, c) -> (n,)
    """Which rows have an out-of-fold prediction."""
    return np.asarray(np.isfinite(oof.reshape(len(oof), -1)).all(axis=1))


def confusion(y: NDArray[Any], labels: NDArray[Any], c: int) -> NDArray[np.int64]:  # (n,), (n,) -> (c, c)
    """How many rows of each true class (down) were taken for each class (across)."""
    return np.bincount(y * c + labels, minlength=c * c).reshape(c, c)


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


@dataclass(frozen=True, slots=True)
class ThresholdCurves:
    """What each threshold would give: of the positive class, on rows that no model had seen."""

    thresholds: Values  # (k,) ascending
    precision: Values  # (k,) NaN where nothing is called positive
    recall: Values  # (k,)
    cost: Values  # (k,) per row, of `costs`, or where it is not said the share of wrong labels


def threshold_curves(
    positive: NDArray[np.bool_],  # (n,)
    probability: Values,  # (n,) of the positive class
    *,
    costs: tuple[float, float, float, float] = (0.0, 1.0, 1.0, 0.0),
    sample_weight: Values | None = None,
    points: int = 101,
) -> ThresholdCurves:
    """Precision, recall and cost where rows count as positive from a probability on, at evenly spread ones.

    `costs` are those of a true negative, a false positive, a false negative and a true positive.

    Example:
        >>> found = threshold_curves(np.array([True, False]), np.array([0.8, 0.3]), points=3)
        >>> found.precision.tolist(), found.recall.tolist(), found.cost.tolist()
        ([0.5, 1.0, nan], [1.0, 1.0, 0.0], [0.5, 0.0, 0.5])
    """
    counts = np.ones(len(probability)) if sample_weight is None else sample_weight
    thresholds = np.linspace(0.0, 1.0, points)
    order = np.argsort(probability, kind="stable")
    below = np.searchsorted(probability[order], thresholds, side="left")  # rows that are not called positive
    missed = np.concatenate([[0.0], np.cumsum((counts * positive)[order])])[below]
    passed = np.concatenate([[0.0], np.cumsum((counts * ~positive)[order])])[below]
    positives, negatives = float((counts * positive).sum()), float((counts * ~positive).sum())
    hits, alarms = positives - missed, negatives - passed
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(hits + alarms > 0, hits / (hits + alarms), np.nan)
        recall = hits / positives
    per_row = costs[0] * passed + costs[1] * alarms + costs[2] * missed + costs[3] * hits
    return ThresholdCurves(thresholds, precision, recall, per_row / (positives + negatives))


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
