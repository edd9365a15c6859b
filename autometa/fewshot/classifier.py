"""The scikit-learn face of the learners: `fit` on a handful of examples adapts, `predict` answers.

What was learned before, over many tasks, comes from a checkpoint or from `meta_fit`; without either there is nothing to
adapt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from autometa.errors import InputError, Problem
from autometa.fewshot.data import Data, load_data
from autometa.fewshot.learner import make
from autometa.fewshot.learners import find_learner
from autometa.fewshot.trained import Trained, support_labels
from autometa.fewshot.trainer import TrainingSettings, train


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Any few-shot learner as a scikit-learn classifier.

    Args:
        learner: A name in `LEARNERS`.
        checkpoint: File or folder of `autometa fewshot train`, or None if `meta_fit` is called.
        options: The learner's own options, for `meta_fit`.
        random_state: Seed of `meta_fit`.
        device: ``cpu`` or ``cuda``.

    See Also:
        `AutoMetaClassifier` for one table of more than a handful of rows.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> X, y = load_digits(return_X_y=True)
        >>> model = FewShotClassifier("protonet").meta_fit("digits", steps=3, way=3, shot=2)
        >>> new = (y >= 7).nonzero()[0]  # digits that meta_fit never saw: two examples of each, and it tells them apart
        >>> first = [i for d in (7, 8, 9) for i in new[y[new] == d][:2]]
        >>> model.fit(X[first] / 16, y[first]).predict_proba(X[new[-4:]] / 16).shape
        (4, 3)
    """

    def __init__(
        self,
        learner: str = "protonet",
        *,
        checkpoint: str | Path | None = None,
        options: dict[str, Any] | None = None,
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        self.learner = learner
        self.checkpoint = checkpoint
        self.options = options
        self.random_state = random_state
        self.device = device

    def meta_fit(self, data: Data | str, *, steps: int, way: int = 5, shot: int = 1, **settings: Any) -> Self:
        """Meta-trains on many tasks.

        Args:
            data: A data set, or its name in `DATA`.
            steps: Of the training.
            way: Classes of an episode.
            shot: Support examples of a class.
            **settings: The other fields of `TrainingSettings`, such as ``seconds``.
        """
        data = load_data(data) if isinstance(data, str) else data
        learner = make(find_learner(self.learner), data.train.problem(way), self.options)
        asked = TrainingSettings(steps, way, shot, seed=self.random_state, **settings)
        state = train(learner, data, asked, device=self.device)
        self.trained_ = Trained.of(state, self.device)
        return self

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # (s, *shape), (s,)
        """Takes a support set of s labelled examples, to which every prediction adapts.

        Raises:
            InputError: The learner cannot use it, or has not been trained yet.
        """
        if not hasattr(self, "trained_"):
            if self.checkpoint is None:
                raise InputError(
                    Problem(
                        "FewShotClassifier", "has not learned from tasks yet", "Give a checkpoint, or call meta_fit."
                    )
                )
            self.trained_ = Trained.load(self.checkpoint, device=self.device, learner=self.learner)
        support = np.array(X, copy=True), np.array(y, copy=True)
        self.trained_.answer(*support, support[0][:1])  # so that what is wrong with it is said now
        self.support_ = support
        self.classes_ = np.array(support_labels(support[1]))
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # (q, *shape) -> (q, c)
        """Probabilities in the order of `classes_`; a transductive learner normalises these queries together."""
        check_is_fitted(self, "support_")
        return self.trained_.answer(*self.support_, X)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # (q, *shape) -> (q,)
        """The most probable class of each query."""
        return self.classes_[self.predict_proba(X).argmax(1)]

    def explain(self, X: ArrayLike) -> list[dict[str, Any]]:
        """Why each query was answered so; the keys are those of `Trained.explain`."""
        check_is_fitted(self, "support_")
        return self.trained_.explain(*self.support_, X)
