"""The truth beside a prediction, and what a metric makes of it.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


# How labels come from probabilities: () the most probable class, (c,) that with the largest weighted probability, or
# (c, c) costs, of each true class (down) taken for each (across): that of the least expected cost.
Weights = tuple[float, ...] | tuple[tuple[float, ...], ...]


def labels_of(probability: Values, weights: Weights = ()) -> NDArray[np.intp]:  # (n, c) -> (n,)
    """The most probable class, that with the largest weighted probability, or that of the least expected cost.

    See Also:
        `fit_weights`.

    Example:
        >>> probability = np.array([[0.8, 0.2], [0.6, 0.4]])
        >>> labels_of(probability, (0.3, 0.7)), labels_of(probability, ((0.0, 1.0), (3.0, 0.0)))
        (array([0, 1]), array([0, 1]))

    Source:
        Elkan: The foundations of cost-sensitive learning. IJCAI 2001.
    """
    if not len(weights):
        return probability.argmax(axis=1)
    given = np.asarray(weights)
    return (-(probability @ given) if given.ndim == 2 else probability * given).argmax(axis=1)


def as_weights(values: Sequence[Any]) -> Weights:
    """Weights as JSON had them.

    Example:
        >>> as_weights([0.3, 0.7]), as_weights([[0, 1], [3, 0]])
        ((0.3, 0.7), ((0, 1), (3, 0)))
    """
    return tuple(tuple(one) if isinstance(one, (list, tuple)) else one for one in values)


class Comparison:
    """The truth beside a prediction, and what several metrics need of both, computed when first asked for."""

    def __init__(
        self,
        y: ArrayLike,
        prediction: ArrayLike,
        *,
        positive: int = 1,
        weights: Weights = (),
        sample_weight: ArrayLike | None = None,
        classes: Sequence[Any] = (),
    ) -> None:
        """Class codes (n,) with probabilities (n, c), or values (n,) with values (n,).

        `positive` is the code of the positive class, of two; `weights` say how labels come from probabilities
        (`labels_of`); `sample_weight` (n,) how much each row counts, None for all the same; `classes` (c,) are the
        labels, for metrics of one's own.
        """
        self.classes = tuple(classes)
        self.positive, self.weights = positive, weights
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.prediction: Values = np.asarray(prediction, dtype=np.float64)
        self.y: NDArray[Any] = np.asarray(y) if self.prediction.ndim == 1 else np.asarray(y).astype(np.intp, copy=False)

    @property
    def total(self) -> float:
        """How much all rows count together: n, unless they are weighed."""
        return float(len(self.y) if self.sample_weight is None else self.sample_weight.sum())

    def mean(self, values: Values) -> float:  # (n,)
        """The mean over rows, each counting as much as it does."""
        if self.sample_weight is None:
            return float(values.mean())
        return float((values * self.sample_weight).sum() / self.total) if self.total > 0 else float("nan")

    @cached_property
    def confusion(self) -> Values:  # (c, c)
        """How many rows of each true class (down) were taken for each class (across)."""
        c = self.prediction.shape[1]
        places = self.y * c + labels_of(self.prediction, self.weights)
        counts = np.bincount(places, weights=self.sample_weight, minlength=c * c)
        return counts.reshape(c, c).astype(np.float64)

    @cached_property
    def support(self) -> Values:  # (c,)
        """How many rows each class has."""
        counts = np.bincount(self.y, weights=self.sample_weight, minlength=self.prediction.shape[1])
        return counts.astype(np.float64)

    @cached_property
    def of_truth(self) -> Values:  # (n,)
        """The probability that each row's own class was given."""
        return self.prediction[np.arange(len(self.y)), self.y]

    @cached_property
    def separation(self) -> Values:  # (c, c)
        """``[a, b]``: how often a row of class a is given more of class a than a row of class b is, ties counted half.

        Off the diagonal this is the area under the ROC curve of a against b by the probability of a (Hand and Till,
        2001); every AUC is an average of it. NaN where either class is absent.
        """
        c = self.prediction.shape[1]
        out = np.full((c, c), np.nan)
        present = self.support > 0
        for a in np.flatnonzero(present):
            p = self.prediction[:, a]
            below = self._below(p, p[self.y == a], self.y == a)
            weighed = below if self.sample_weight is None else below * self.sample_weight
            lost = np.bincount(self.y, weights=weighed, minlength=c)
            out[a, present] = 1.0 - lost[present] / self.support[present]
        return out

    @cached_property
    def area(self) -> float:
        """The area under the ROC curve of class 1 against class 0; NaN where one is absent."""
        p, ones = self.prediction[:, 1], self.y == 1
        if not (self.support[:2] > 0).all():
            return float("nan")
        lost = self._below(p[~ones], p[ones], ones)
        if self.sample_weight is None:
            return float(1.0 - lost.sum() / len(lost))
        return float(1.0 - (lost * self.sample_weight[~ones]).sum() / self.support[0])

    def _below(self, p: Values, own: Values, rows: NDArray[np.bool_]) -> Values:  # (m,), (k,) -> (m,)
        """The share of what is in `own`, the probabilities of some `rows`, that lies below each, ties counted half."""
        if self.sample_weight is None:
            own = np.sort(own)
            return (np.searchsorted(own, p, "left") + np.searchsorted(own, p, "right")) / (2.0 * len(own))
        order = np.argsort(own, kind="stable")
        own, until = own[order], np.concatenate([[0.0], np.cumsum(self.sample_weight[rows][order])])
        low, high = np.searchsorted(own, p, "left"), np.searchsorted(own, p, "right")
        return (until[low] + until[high]) / (2.0 * until[-1])


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to judge a prediction.

    See Also:
        `score`, `resolve_metric`.

    Example:
        >>> from autometa.evaluation import METRICS
        >>> METRICS["neg_log_loss"].needs, METRICS["neg_log_loss"].value(-0.3)
        ('probability', 0.3)
    """

    name: str  # scikit-learn's scorer name
    title: str  # what people call it, in its own unit
    kinds: frozenset[str]
    needs: Literal["label", "probability", "value"]
    sign: Literal[1, -1]  # -1: smaller is better in the metric's own unit
    formula: Callable[[Comparison], float]  # in the metric's own unit; NaN where undefined

    def function(self, y: ArrayLike, prediction: ArrayLike) -> float:
        """The value in the metric's own unit (an RMSE is positive); NaN where undefined."""
        return float(self.formula(Comparison(y, prediction)))

    def value(self, score: float) -> float:
        """A score (larger is better) in the metric's own unit."""
        return self.sign * score
