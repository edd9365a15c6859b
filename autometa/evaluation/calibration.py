"""How sure a classifier should be: temperature scaling (Guo, Pleiss, Sun, Weinberger: ICML 2017).

Forests on many classes are right far more often than they predict, boosting on few rows less often. One number per
model, fitted on predictions of rows that it had not seen, fixes both: probabilities are raised to the power of one over
the temperature and made to sum to one again. Neither the most probable class nor, of two classes, any ranking changes.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.options import OPTIONS

JUDGE_SURENESS = ("neg_log_loss", "neg_brier_score")  # the metrics that change with a temperature


def fit_temperature(probability: NDArray[np.float64], y: NDArray[np.intp]) -> float:
    """The temperature with the least log loss, by probabilities (n, c) of rows of the classes y (n,).

    The logarithm of the temperature has a normal prior about zero, of standard deviation
    `EvaluationOptions.temperature_spread`.

    Example:
        >>> too_shy = np.tile([0.6, 0.4], (200, 1))  # and always right
        >>> fit_temperature(too_shy, np.zeros(200, dtype=np.intp)) < 0.3
        True
    """
    from scipy.optimize import minimize_scalar

    step = -(-len(y) // OPTIONS.temperature_rows)
    logs, truth = _logs(probability[::step]), np.asarray(y[::step], dtype=np.intp)[:, None]

    def loss(log_temperature: float) -> float:
        scaled = logs / math.exp(log_temperature)
        own = np.take_along_axis(scaled, truth, axis=1)[:, 0]
        return float(
            (np.log(np.exp(scaled).sum(axis=1)) - own).sum() + 0.5 * (log_temperature / OPTIONS.temperature_spread) ** 2
        )

    bounds = math.log(OPTIONS.coldest), math.log(OPTIONS.hottest)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-2}).x)


def tempered(probability: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:  # (n, c)
    """Probabilities at a temperature: below one they are more confident, above one less, at one as they were.

    Example:
        >>> tempered(np.array([[0.8, 0.2]]), 0.5).round(3)
        array([[0.941, 0.059]])
    """
    if temperature == 1.0:
        return probability
    raised = np.exp(_logs(probability) / temperature)
    return raised / raised.sum(axis=1, keepdims=True)


def _logs(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms, less the largest of each row."""
    logs = np.log(np.maximum(probability, OPTIONS.least_probability))
    return logs - logs.max(axis=1, keepdims=True)
