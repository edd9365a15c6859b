"""What a scorer takes for a fitted estimator: apart, because it needs scikit-learn to be a class at all.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator


class Answers(BaseEstimator):
    """What a scorer takes for a fitted estimator: it answers with what it is given."""

    def __init__(self, c: int = 0) -> None:
        self.c = c
        self.classes_ = np.arange(c)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if self.c else "regressor"
        return tags

    def fit(self, X: Any, y: Any) -> Answers:
        """Nothing is learned."""
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """The most probable class, or the number."""
        return X.argmax(axis=1) if self.c else X

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:  # (n, c)
        """The probabilities."""
        return X
