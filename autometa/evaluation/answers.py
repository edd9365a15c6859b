"""What a scorer takes for a fitted estimator: apart, because it needs scikit-learn to be a class at all.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from autometa.evaluation.comparison import Weights, labels_of
from autometa.task import label_array


class LabelledAnswers(BaseEstimator):
    """What a scorer of one's own takes for a fitted estimator: it answers in the labels of the table."""

    def __init__(self, classes: Sequence[Any] = (), weights: Weights = (), n: int = 0) -> None:
        self.classes = classes
        self.weights = weights
        self.n = n
        self.classes_ = label_array(classes) if classes else np.empty(0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if self.classes else "regressor"
        return tags

    def fit(self, X: Any, y: Any) -> LabelledAnswers:
        """Nothing is learned."""
        return self

    def labels(self, codes: NDArray[Any]) -> NDArray[Any]:  # (n,) -> (n,)
        """Codes as labels; numbers stay."""
        return self.classes_[codes] if self.classes else codes

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """The label, or the number."""
        return self.labels(labels_of(X, self.weights)) if self.classes else X

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:  # (n, c)
        """The probabilities."""
        return X


class Answers(BaseEstimator):
    """What a scorer takes for a fitted estimator: it answers with what it is given.

    Of two classes the positive one is 1 for a scorer: where it is 0 here, the classes change places.
    """

    def __init__(self, c: int = 0, positive: int = 1, weights: Weights = ()) -> None:
        self.c = c
        self.positive = positive
        self.weights = weights
        self.classes_ = np.arange(c)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if self.c else "regressor"
        return tags

    def fit(self, X: Any, y: Any) -> Answers:
        """Nothing is learned."""
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """The label, or the number."""
        return self.as_judged(labels_of(X, self.weights)) if self.c else X

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:  # (n, c)
        """The probabilities."""
        return X[:, ::-1] if self.c == 2 and self.positive == 0 else X

    def as_judged(self, codes: NDArray[Any]) -> NDArray[Any]:  # (n,) -> (n,)
        """Class codes as the scorer knows them."""
        return 1 - codes if self.c == 2 and self.positive == 0 else codes
