"""Linear models that stop at an iteration cap: logistic regression, and the elastic net on a standardised target.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import ElasticNet, LogisticRegression, QuantileRegressor
from sklearn.utils.extmath import softmax

from autometa.families.learners.faces import ProbabilityClassifier, StandardisedTargetRegressor, converged_or_not
from autometa.families.options import OPTIONS


class LogisticRegressionUpToACap(ProbabilityClassifier):
    """Logistic regression that stops after a number of passes, converged or not; see `converged_or_not`."""

    def __init__(self, *, C: float, l1_ratio: float, class_weight: str | None, seed: int) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,), each counting as much as it does."""
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        options = OPTIONS.linear
        solver: dict[str, Any] = {"max_iter": options.logistic_steps}
        if self.l1_ratio:
            solver = {"solver": "saga", "max_iter": options.elastic_logistic_passes, "tol": options.tolerance}
        self.model_ = LogisticRegression(
            C=self.C, l1_ratio=self.l1_ratio, class_weight=self.class_weight, random_state=self.seed, **solver
        )
        if len(self.classes_) > 1:
            with converged_or_not():
                self.model_.fit(X, y, sample_weight)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        said = X @ self.model_.coef_.T + self.model_.intercept_
        if len(self.classes_) > 2:
            return softmax(said, copy=False)
        positive = expit(said[:, 0])
        return np.column_stack([1 - positive, positive])


class ElasticNetOnScaledTarget(StandardisedTargetRegressor):
    """Elastic net whose `alpha` is in ridge regression's unit (scikit-learn's divided by n), converged or not."""

    def __init__(self, *, alpha: float, l1_ratio: float) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,), each counting as much as it does."""
        target = self._standardise(X, y)
        self.model_ = ElasticNet(
            alpha=self.alpha / len(y),
            l1_ratio=self.l1_ratio,
            max_iter=OPTIONS.linear.elastic_passes,
            tol=OPTIONS.linear.tolerance,
        )
        with converged_or_not():
            self.model_.fit(X, target, sample_weight)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Predicted values, in the target's unit."""
        return self._restore(X @ self.model_.coef_ + self.model_.intercept_)


class QuantileOnScaledTarget(StandardisedTargetRegressor):
    """Linear quantile regression; `alpha` is in ridge regression's unit, of the sum of the coefficients' sizes."""

    def __init__(self, *, alpha: float, quantile: float) -> None:
        self.alpha = alpha
        self.quantile = quantile

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,), each counting as much as it does."""
        target = self._standardise(X, y)
        self.model_ = QuantileRegressor(quantile=self.quantile, alpha=self.alpha / len(y), solver="highs")
        with converged_or_not():
            self.model_.fit(X, target, sample_weight)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Predicted quantiles, in the target's unit."""
        return self._restore(X @ self.model_.coef_ + self.model_.intercept_)
