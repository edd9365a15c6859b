"""From scaled inputs to the curves of an additive model.

An input x stays, and beside it come the bends of a cubic spline with knots at its quantiles: B-splines in coordinates
in which a ridge penalty is the usual one on their second differences. So a heavy penalty leaves a straight line.

Letters:  n rows · p inputs · k B-splines of an input.

Source:
    Eilers and Marx, 1996, "Flexible smoothing with B-splines and penalties", as a mixed model (Currie and Durbán, 2002)
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from sklearn.base import BaseEstimator, TransformerMixin

KNOTS = 10
LEAST_DISTINCT = 6  # values of an input that gets a curve
MOST_MULTIPLIED = 25  # inputs: 300 products


class _Bends(NamedTuple):
    """Of one input."""

    place: int
    knots: NDArray[np.float64]  # (k + 4,)
    turn: NDArray[np.float64]  # (k, k - 2) from B-splines to bends, which together vary by 1

    def of(self, column: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,) -> (n, k - 2)
        """Beyond the first and the last knot nothing bends any more."""
        inside = np.clip(column, self.knots[0], self.knots[-1])
        return BSpline.design_matrix(inside, self.knots, 3).toarray() @ self.turn


class Curves(TransformerMixin, BaseEstimator):
    """Inputs, their bends, and the products of every two of the inputs that tell most of the target.

    Args:
        bend: Weight of the bends beside the inputs.
        products: Whether there are any.
        classification: Whether the target is a class.
    """

    def __init__(self, *, bend: float, products: bool, classification: bool) -> None:
        self.bend = bend
        self.products = products
        self.classification = classification

    def fit(self, X: NDArray[np.float64], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.n_features_in_ = X.shape[1]
        self.bends_ = [bends for j in range(X.shape[1]) if (bends := _bends(j, X[:, j])) is not None]
        self.center_, spread = X.mean(axis=0), X.std(axis=0)
        varies = np.flatnonzero(spread > 1e-12) if self.products else np.zeros(0, dtype=int)
        if len(varies) > MOST_MULTIPLIED:
            tells = self._tells((X[:, varies] - self.center_[varies]) / spread[varies], y)
            varies = np.sort(varies[np.argsort(-tells, kind="stable")[:MOST_MULTIPLIED]])
        self.pairs_ = np.array(list(combinations(varies, 2)), dtype=int).reshape(-1, 2)
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, p) to (n, p + bends + products)."""
        centred = X - self.center_
        first, second = self.pairs_.T
        parts = [self.bend * bends.of(X[:, bends.place]) for bends in self.bends_]
        return np.hstack([X, *parts, 0.5 * centred[:, first] * centred[:, second]])

    def _tells(self, scaled: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:  # (n, p) -> (p,)
        """How much each input alone says about the target, in any unit."""
        if not self.classification:
            return np.abs(scaled.T @ (y - y.mean()))
        return np.sum([(y == c).sum() * scaled[y == c].mean(axis=0) ** 2 for c in np.unique(y)], axis=0)


def _bends(place: int, column: NDArray[np.float64]) -> _Bends | None:
    """None for an input with few values."""
    if len(np.unique(column)) < LEAST_DISTINCT:
        return None
    inner = np.unique(np.quantile(column, np.linspace(0, 1, KNOTS)))
    if len(inner) < 4:  # nearly all rows have one value
        inner = np.linspace(column.min(), column.max(), 4)
    knots = np.concatenate([[inner[0]] * 3, inner, [inner[-1]] * 3])
    splines = BSpline.design_matrix(column, knots, 3).toarray()
    differences = np.diff(np.eye(splines.shape[1]), 2, axis=0)  # (k - 2, k)
    turn = differences.T @ np.linalg.inv(differences @ differences.T)
    return _Bends(place, knots, turn / max(float(np.sqrt((splines @ turn).var(axis=0).sum())), 1e-12))
