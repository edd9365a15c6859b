"""The curves of an additive model, which come before a linear one.

An input x stays, and beside it come the bends of a cubic spline with knots at its quantiles: B-splines in coordinates
in which a ridge penalty is the usual one on their second differences. So a heavy penalty leaves a straight line.

Letters:  n rows · p inputs · k B-splines of an input.

Source:
    Eilers and Marx, 1996, "Flexible smoothing with B-splines and penalties", as a mixed model (Currie and Durbán, 2002)
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from sklearn.base import BaseEstimator, TransformerMixin

from autometa.families.options import OPTIONS


class Curves(TransformerMixin, BaseEstimator):
    """Inputs, the bends of those that tell most of the target, and products of every two of the first of these.

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
        """Fits rows X (n, p) and their targets y (n,)."""
        self.n_features_in_ = X.shape[1]
        self.center_, spread = X.mean(axis=0), X.std(axis=0)
        varies = np.flatnonzero(spread > 1e-12)
        tells = self._tells((X[:, varies] - self.center_[varies]) / spread[varies], y)
        first = varies[np.argsort(-tells, kind="stable")]  # what tells most
        bent = np.sort(first[: OPTIONS.additive.most_bent])
        quantiles = np.quantile(X[:, bent], np.linspace(0, 1, OPTIONS.additive.knots), axis=0)  # (knots, bent)
        splines = {int(j): _bends(X[:, j], places) for j, places in zip(bent, quantiles.T, strict=True)}
        self.bends_ = {j: spline for j, spline in splines.items() if spline is not None}
        multiplied = np.sort(first[: OPTIONS.additive.most_multiplied if self.products else 0])
        self.reach_ = OPTIONS.additive.reach * spread
        self.pairs_ = np.array(list(combinations(multiplied, 2)), dtype=int).reshape(-1, 2)
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, p) to (n, p + bends + products)."""
        centred = np.clip(X - self.center_, -self.reach_, self.reach_)
        first, second = self.pairs_.T
        parts = [self.bend * _bent(X[:, j], bends) for j, bends in self.bends_.items()]
        return np.hstack([X, *parts, 0.5 * centred[:, first] * centred[:, second]])

    def _tells(self, scaled: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:  # (n, p) -> (p,)
        """How much each input alone says about the target, in any unit."""
        if not self.classification:
            return np.abs(scaled.T @ (y - y.mean()))
        return np.sum([(y == c).sum() * scaled[y == c].mean(axis=0) ** 2 for c in np.unique(y)], axis=0)


def _bends(column: NDArray[np.float64], quantiles: NDArray[np.float64]) -> BSpline | None:
    """The bends (k - 2) of an input as one spline with as many values, which together vary by 1 over the rows.

    Its knots are at quantiles of the input. None for one with few values.
    """
    if len(np.unique(column)) < OPTIONS.additive.least_distinct:
        return None
    inner = np.unique(quantiles)
    if len(inner) < 4:  # nearly all rows have one value
        inner = np.linspace(column.min(), column.max(), 4)
    knots = np.concatenate([[inner[0]] * 3, inner, [inner[-1]] * 3])
    differences = np.diff(np.eye(len(knots) - 4), 2, axis=0)  # (k - 2, k)
    turn = differences.T @ np.linalg.inv(differences @ differences.T)
    unit = np.sqrt(BSpline(knots, turn, 3)(column).var(axis=0).sum())
    return BSpline(knots, turn / max(float(unit), 1e-12), 3)


def _bent(column: NDArray[np.float64], bends: BSpline) -> NDArray[np.float64]:  # (n,) -> (n, k - 2)
    """Beyond the first and the last knot nothing bends any more."""
    return bends(np.clip(column, bends.t[0], bends.t[-1]))
