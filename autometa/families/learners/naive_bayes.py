"""Gaussian naive Bayes whose prior may be uniform.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import GaussianNB

from autometa.families.learners.faces import ProbabilityClassifier


class NaiveBayes(ProbabilityClassifier):
    """Gaussian naive Bayes whose prior may be uniform over the classes that were seen."""

    def __init__(self, *, var_smoothing: float, uniform_prior: bool) -> None:
        self.var_smoothing = var_smoothing
        self.uniform_prior = uniform_prior

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,), each counting as much as it does."""
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        prior = np.full(len(self.classes_), 1 / len(self.classes_)) if self.uniform_prior else None
        self.model_ = GaussianNB(priors=prior, var_smoothing=self.var_smoothing).fit(X, y, sample_weight)
        self.model_.var_ = np.maximum(self.model_.var_, 1e-12)  # the library's smoothing is none if all is constant
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        probabilities = self.model_.predict_proba(X)
        return probabilities / probabilities.sum(axis=1, keepdims=True)  # extreme likelihoods leave them 1e-5 off
