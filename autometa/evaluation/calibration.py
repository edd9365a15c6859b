"""How sure a classifier should be: temperature scaling (Guo, Pleiss, Sun, Weinberger: ICML 2017).

Forests on many classes are right far more often than they say, boosting on few rows less often. One number per model,
fitted on predictions of rows that it had not seen, mends both: probabilities are raised to the power of one over the
temperature and made to sum to one again. Neither the most probable class nor, of two classes, any ranking changes.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

JUDGE_SURENESS = ("neg_log_loss", "neg_brier_score")  # the metrics that change with a temperature
ROWS = 5_000  # more do not make one number better
SPREAD = 0.5  # of the logarithm of a temperature, before anything is seen: on a few rows it stays near one
COLDEST, HOTTEST = 0.1, 10.0
TINY = 1e-9  # a probability of zero, and what is less, counts as this much


def fit_temperature(probability: NDArray[np.float64], y: NDArray[np.intp]) -> float:
    """The temperature with the least log loss, by probabilities (n, c) of rows of the classes y (n,).

    The logarithm of the temperature has a normal prior about zero, of standard deviation `SPREAD`.
    """
    from scipy.optimize import minimize_scalar

    step = -(-len(y) // ROWS)
    logs, truth = _logs(probability[::step]), np.asarray(y[::step], dtype=np.intp)[:, None]

    def loss(log_temperature: float) -> float:
        scaled = logs / math.exp(log_temperature)
        own = np.take_along_axis(scaled, truth, axis=1)[:, 0]
        return float((np.log(np.exp(scaled).sum(axis=1)) - own).sum() + 0.5 * (log_temperature / SPREAD) ** 2)

    bounds = math.log(COLDEST), math.log(HOTTEST)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-2}).x)


def tempered(probability: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:  # (n, c)
    """Probabilities at a temperature: below one they are surer, above one less sure, at one as they were."""
    if temperature == 1.0:
        return probability
    raised = np.exp(_logs(probability) / temperature)
    return raised / raised.sum(axis=1, keepdims=True)


def _logs(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms, less the largest of each row."""
    logs = np.log(np.maximum(probability, TINY))
    return logs - logs.max(axis=1, keepdims=True)
