"""Regularised discriminant analysis: one Gaussian for each class.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import log_softmax

from autometa.families.learners.faces import ProbabilityClassifier


class RegularizedDiscriminant(ProbabilityClassifier):
    """One Gaussian for each class, its covariance drawn towards that of all classes and towards a sphere.

    With W_k the scatter of class k around its mean, n_k its rows, W and n their sums, p columns:

        S_k = ((1 - pooling) W_k + pooling W) / ((1 - pooling) n_k + pooling n)
        C_k = (1 - shrinkage) S_k + shrinkage tr(S_k) / p I

    so that pooling 0 is quadratic and pooling 1 linear discriminant analysis.

    Source:
        Friedman, 1989, "Regularized discriminant analysis", equations 16 to 18
    """

    def __init__(self, *, pooling: float, shrinkage: float, uniform_prior: bool) -> None:
        self.pooling = pooling
        self.shrinkage = shrinkage
        self.uniform_prior = uniform_prior

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Fits rows X (n, p) and their targets y (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = p = X.shape[1]
        counts = np.bincount(codes)
        own = [X[codes == k] for k in range(len(counts))]
        self.means_ = [rows.mean(axis=0) for rows in own]
        scatters = [(rows - mean).T @ (rows - mean) for rows, mean in zip(own, self.means_, strict=True)]  # (p, p) each
        of_all = np.sum(scatters, axis=0)
        floor = 1e-12 * max(float(np.trace(of_all)) / len(X) / p, 1.0)  # a class may never vary
        self.factors_ = []
        for scatter, count in zip(scatters, counts, strict=True):
            drawn = (1 - self.pooling) * scatter + self.pooling * of_all
            drawn /= (1 - self.pooling) * count + self.pooling * len(X)
            sphere = max(self.shrinkage * np.trace(drawn) / p, floor)
            self.factors_.append(np.linalg.cholesky((1 - self.shrinkage) * drawn + sphere * np.eye(p)))
        prior = np.full(len(counts), 1 / len(counts)) if self.uniform_prior else counts / len(X)
        self.offsets_ = np.log(prior) - [np.log(np.diag(factor)).sum() for factor in self.factors_]
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        distances = [
            (solve_triangular(factor, (X - mean).T, lower=True, check_finite=False) ** 2).sum(axis=0)
            for factor, mean in zip(self.factors_, self.means_, strict=True)
        ]
        return np.exp(log_softmax(self.offsets_ - np.transpose(distances) / 2, axis=1))
