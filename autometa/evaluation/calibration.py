"""Probabilities that mean probabilities: of rows that are given 30 %, 30 % come true.

A model's probabilities are wrong in few ways. It is too sure or too shy (boosting on few rows, forests on many classes,
a linear model under a strong penalty); it was fitted with weights that make all classes equally frequent, so that a
rare class is given far too much; or it is wrong about one class, or at one end. One map mends all of them, fitted to
predictions of rows that the model had not seen: the logarithm of each class's probability gets a slope and an offset,
and the row sums to one again. For two classes this is beta calibration (Kull, Silva Filho, Flach: AISTATS 2017), with
equal slopes Platt's, without offsets temperature scaling; for more it is vector scaling (Guo, Pleiss, Sun, Weinberger:
ICML 2017), the diagonal of Dirichlet calibration (Kull et al.: NeurIPS 2019).

Laws: of two classes no ranking changes, so neither does the AUC. Few rows say little: every number has a prior about
the map that changes nothing, and a map with more of them is taken only where it foretells rows better that it was not
fitted to.

Letters:  n rows · c classes · L logarithms of probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.options import OPTIONS

JUDGE_SURENESS = ("neg_log_loss", "neg_brier_score")  # the metrics that change with how sure a prediction is

Values = NDArray[np.float64]


class Freedom(IntEnum):
    """What a map may change.

    See Also:
        `Calibration`, `fit_calibration`.
    """

    NOTHING = 0
    SLOPE = 1  # one slope about equal probabilities, which is a temperature
    OFFSETS = 2  # one slope about the usual prediction, and an offset for each class
    SLOPES = 3  # a slope for each class as well


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map of probabilities: a slope and an offset for the logarithm of each class's.

    See Also:
        `fit_calibration`, `Freedom`.

    Example:
        >>> import numpy as np
        >>> balanced = np.array([[0.5, 0.5]])  # of a model for which both classes were equally frequent
        >>> Calibration((1.0, 1.0), (np.log(0.9), np.log(0.1))).apply(balanced).round(3)
        array([[0.9, 0.1]])
    """

    slopes: tuple[float, ...] = (1.0,)  # (c,), or one for all classes
    offsets: tuple[float, ...] = (0.0,)  # the same

    @classmethod
    def of_temperature(cls, temperature: float) -> Calibration:
        """The probabilities to the power of one over a temperature, as models of an older version have it."""
        return IDENTITY if temperature == 1.0 else cls((1.0 / temperature,))

    def apply(self, probability: Values) -> Values:  # (n, c) -> (n, c)
        """The calibrated probabilities; rows that are not known stay so."""
        if self == IDENTITY:
            return probability
        return _softmax(_logs(probability) * np.asarray(self.slopes) + np.asarray(self.offsets))


IDENTITY = Calibration()


def fit_calibration(
    probability: Values,
    y: NDArray[np.intp],
    freedom: Freedom | None = None,
    *,
    sample_weight: Values | None = None,
) -> Calibration:  # (n, c), (n,)
    """The map with which probabilities foretell the classes of rows best.

    Args:
        probability: (n, c) of rows that the model had not seen.
        y: (n,) class codes.
        freedom: What the map may change; None for what foretells best: the log loss of each is cross-validated.
        sample_weight: (n,) how much each row counts, 1 on average; None for all the same.

    See Also:
        `Calibration`, `fit_weights`.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> p = rng.beta(1, 9, 2000)
        >>> y = (rng.random(2000) < p).astype(int)
        >>> balanced = 9 * p / (9 * p + 1 - p)
        >>> both = np.column_stack([1 - balanced, balanced])
        >>> after = fit_calibration(both, y).apply(both)
        >>> [float(share.round(2)) for share in (both[:, 1].mean(), after[:, 1].mean(), y.mean())]
        [0.42, 0.1, 0.1]

    Source:
        Kull, Silva Filho, Flach: Beta calibration. AISTATS 2017. Guo, Pleiss, Sun, Weinberger: On calibration of modern
        neural networks. ICML 2017.
    """
    if len(np.unique(y)) < 2:
        return IDENTITY
    c = probability.shape[1]
    affordable, each_class = OPTIONS.calibration_cells // c, OPTIONS.calibration_class_rows * c
    rows = max(min(OPTIONS.calibration_rows, affordable), min(each_class, OPTIONS.calibration_slack * affordable))
    step = -(-len(y) // rows)
    logs, truth = _logs(probability[::step]), np.asarray(y[::step], dtype=np.intp)
    counts = np.ones(len(truth)) if sample_weight is None else sample_weight[::step]
    if freedom is not None:
        return _fitted(logs, truth, freedom, counts)
    parts = parts_of(truth, OPTIONS.calibration_parts)
    chosen, least = Freedom.NOTHING, _surprise(IDENTITY, logs, truth)
    for more in (Freedom.OFFSETS, Freedom.SLOPES) if c == 2 else (Freedom.SLOPE, Freedom.OFFSETS, Freedom.SLOPES):
        surprise = np.empty(len(truth))
        for part in range(OPTIONS.calibration_parts):
            own = parts == part
            surprise[own] = _surprise(_fitted(logs[~own], truth[~own], more, counts[~own]), logs[own], truth[own])
        gain = (least - surprise) * counts
        if gain.mean() > OPTIONS.calibration_margin * gain.std() / np.sqrt(len(gain)):
            chosen, least = more, surprise
    return _fitted(logs, truth, chosen, counts)


def parts_of(y: NDArray[np.intp], k: int) -> NDArray[np.intp]:  # (n,) -> (n,)
    """Which of k parts each row is in: the rows of a class take turns.

    Example:
        >>> parts_of(np.array([0, 1, 0, 1, 0, 1]), 2)
        array([0, 1, 1, 0, 0, 1])
    """
    place = np.empty(len(y), dtype=np.intp)
    place[np.argsort(y, kind="stable")] = np.arange(len(y))
    return place % k


def _fitted(logs: Values, y: NDArray[np.intp], freedom: Freedom, counts: Values) -> Calibration:
    """The map of least log loss and penalty: a convex problem but for the slopes, which are powers of e.

    `counts` (n,) say how much each row counts.
    """
    from scipy.optimize import minimize

    n, c = logs.shape
    if freedom == Freedom.NOTHING:
        return IDENTITY
    centre, directions, spread = np.zeros(c), np.zeros((0, c)), []
    if freedom >= Freedom.OFFSETS:
        centre = logs.mean(axis=0)  # a slope turns about it, so that a shy model need not be shifted back
        shares = np.log((np.bincount(y, weights=counts, minlength=c) + 1.0) / (counts.sum() + c))
        directions = np.array([[-0.5, 0.5]]) if c == 2 else np.vstack([shares - shares.mean(), np.eye(c) - 1.0 / c])
        spread = [OPTIONS.spread_of_shift, *[OPTIONS.spread_of_class] * (len(directions) - 1)]
    slopes = c if freedom >= Freedom.SLOPES else 0
    deviations = np.array([OPTIONS.spread_of_slope, *spread, *[OPTIONS.spread_of_class_slope] * slopes])
    around, last, at = logs - centre, 1 + len(directions), (np.arange(n), y)

    def unpacked(x: Values) -> tuple[Values, Values]:  # slopes (c,) and offsets (c,) about the centre
        return np.exp(x[0] + (x[last:] if slopes else np.zeros(c))), centre + x[1:last] @ directions

    def loss(x: Values) -> tuple[float, Values]:
        slope, offset = unpacked(x)
        scaled = around * slope + offset
        scaled -= scaled.max(axis=1, keepdims=True)
        true = scaled[at]
        wrong = np.exp(scaled, out=scaled)
        total = wrong.sum(axis=1)
        wrong *= (counts / total)[:, None]
        wrong[at] -= counts
        value = ((np.log(total) - true) * counts).sum() + 0.5 * ((x / deviations) ** 2).sum()
        by_slope = np.einsum("nc,nc->c", wrong, around) * slope
        gradient = np.concatenate([[by_slope.sum()], directions @ wrong.sum(axis=0), by_slope if slopes else []])
        return float(value), gradient + x / deviations**2

    bounds: list[Any] = [(np.log(OPTIONS.least_slope), np.log(OPTIONS.most_slope))]
    bounds += [(None, None)] * len(directions) + [(-2.0, 2.0)] * slopes
    start = np.zeros(len(deviations))
    start[0] = max(0.0, -np.log(max(float(around.std()), 1.0 / OPTIONS.most_slope)))  # what is all but flat is far off
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    slope, offset = unpacked(found.x)
    offset = offset - slope * centre
    return Calibration(tuple(slope.tolist()), tuple((offset - offset.mean()).tolist()))


def _surprise(map_: Calibration, logs: Values, y: NDArray[np.intp]) -> Values:  # (n,)
    """The log loss of each row."""
    scaled = logs * np.asarray(map_.slopes) + np.asarray(map_.offsets)
    probability = _softmax(scaled)[np.arange(len(y)), y]
    return -np.log(np.maximum(probability, OPTIONS.least_probability))


def _softmax(scaled: Values) -> Values:  # (n, c)
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _logs(probability: Values) -> Values:  # (n, c)
    """Logarithms, nearly flat below the least probability: an order stays, and what is ruled out costs no infinity.

    Of two classes both come from the second, by which they are ranked: of the first, more digits may be known.
    """
    if probability.shape[1] == 2:
        probability = np.column_stack([1.0 - probability[:, 1], probability[:, 1]])
    least = OPTIONS.least_probability
    below = np.log(np.clip(probability, np.finfo(np.float64).tiny, least) / least)
    return np.log(np.maximum(probability, least)) + 1e-9 * below
