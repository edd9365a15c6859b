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


def labels_of(probability: Values, weights: Sequence[float] = ()) -> NDArray[np.intp]:  # (n, c), (c,) -> (n,)
    """The most probable class, or that with the largest weighted probability.

    Example:
        >>> labels_of(np.array([[0.8, 0.2], [0.6, 0.4]]), (0.3, 0.7))
        array([0, 1])
    """
    return (probability * np.asarray(weights) if len(weights) else probability).argmax(axis=1)


class Comparison:
    """The truth beside a prediction, and what several metrics need of both, computed when first asked for."""

    def __init__(
        self, y: ArrayLike, prediction: ArrayLike, *, positive: int = 1, weights: Sequence[float] = ()
    ) -> None:
        """Class codes (n,) with probabilities (n, c), or values (n,) with values (n,).

        `positive` is the code of the positive class, of two; `weights` (c,) those of the classes before the largest
        probability is the label, none for the most probable class.
        """
        self.positive, self.weights = positive, tuple(weights)
        self.prediction: Values = np.asarray(prediction, dtype=np.float64)
        self.y: NDArray[Any] = np.asarray(y) if self.prediction.ndim == 1 else np.asarray(y).astype(np.intp, copy=False)

    @cached_property
    def confusion(self) -> Values:  # (c, c)
        """How many rows of each true class (down) were taken for each class (across)."""
        c = self.prediction.shape[1]
        counts = np.bincount(self.y * c + labels_of(self.prediction, self.weights), minlength=c * c)
        return counts.reshape(c, c).astype(np.float64)

    @cached_property
    def support(self) -> Values:  # (c,)
        """How many rows each class has."""
        return np.bincount(self.y, minlength=self.prediction.shape[1]).astype(np.float64)

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
            own = np.sort(p[self.y == a])
            below = (np.searchsorted(own, p, "left") + np.searchsorted(own, p, "right")) / (2.0 * len(own))
            lost = np.bincount(self.y, weights=below, minlength=c)
            out[a, present] = 1.0 - lost[present] / self.support[present]
        return out

    @cached_property
    def area(self) -> float:
        """The area under the ROC curve of class 1 against class 0; NaN where one is absent."""
        p = self.prediction[:, 1]
        positive, negative = np.sort(p[self.y == 1]), np.sort(p[self.y == 0])
        if not (len(positive) and len(negative)):
            return float("nan")
        lost = np.searchsorted(positive, negative, "left") + np.searchsorted(positive, negative, "right")
        return float(1.0 - lost.sum() / (2.0 * len(positive) * len(negative)))


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to judge a prediction.

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
