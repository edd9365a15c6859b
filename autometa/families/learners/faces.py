"""What several estimators share: the likeliest class, a standardised target, silence about convergence.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning


class ProbabilityClassifier(ClassifierMixin, BaseEstimator):
    """A classifier that is given by its probabilities: it predicts the likeliest of `classes_`."""

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """The likeliest class of each row."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]


class StandardisedTargetRegressor(RegressorMixin, BaseEstimator):
    """A regressor whose learner sees a target of mean 0 and standard deviation 1."""

    center_: float  # mean of the target in training
    spread_: float  # its standard deviation, in the target's unit; 1 for a constant target

    def _standardise(self, X: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:  # (n, p), (n,) -> (n,)
        """The standardised target; remembers how it was standardised, and the number of inputs."""
        self.n_features_in_ = X.shape[1]
        self.center_, self.spread_ = float(np.mean(y)), float(np.std(y)) or 1.0
        return (y - self.center_) / self.spread_

    def _restore(self, values: NDArray[Any]) -> NDArray[np.float64]:  # (n,) -> (n,)
        """Standardised values in the target's unit."""
        return values * self.spread_ + self.center_


@contextmanager
def converged_or_not() -> Iterator[None]:
    """Within it scikit-learn's ConvergenceWarning is silent.

    The iteration caps here are meant to be reached: half-converged coefficients predict about as well, and time is what
    a search is short of.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
