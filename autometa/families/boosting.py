"""What the boosting libraries share: class codes, early stopping on an inner split, and a cap on the number of trees.

A library's own part is one function `train(parameters, X, y, rounds=..., categorical=..., validation=..., late=...)` in
its family's file, which returns the fitted model and the number of rounds it settled on. `late`, unless it is None, is
to be asked after every round whether the time is over, or, where the library asks nobody, for pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline

from autometa.families.family import Kind
from autometa.families.growth import Growing, Growth
from autometa.families.holdout import inner_split
from autometa.families.preprocess import preprocessing

if TYPE_CHECKING:
    from autometa.task import Columns

Pair = tuple[NDArray[Any], NDArray[Any]]  # X, y

MOST_TREES = 20_000  # one round grows a tree per class: 2000 rounds of 10 classes is as far as a trial goes
PATIENCE = 50  # rounds without improvement; fewer stops slow learning rates too early
REFIT_BELOW = 10_000  # rows; on small tables the held-out rows are worth a second fit with the rounds found


class _Boosting(Growing, BaseEstimator):
    def __init__(
        self,
        train: Callable[..., tuple[Any, int]],
        parameters: Mapping[str, Any],
        *,
        rounds: int,
        early_stop: bool,
        categorical: int,
        seed: int,
    ) -> None:
        self.train = train
        self.parameters = parameters
        self.rounds = rounds
        self.early_stop = early_stop
        self.categorical = categorical  # the first so many columns hold category codes
        self.seed = seed

    def _boost(self, X: NDArray[Any], y: NDArray[Any], n_classes: int) -> None:
        rounds = min(self.rounds, MOST_TREES // n_classes) if n_classes > 2 else self.rounds
        common = {"parameters": dict(self.parameters), "categorical": self.categorical}
        early_stop, again = self.early_stop and len(y) >= 20, len(y) < REFIT_BELOW
        late = None if self.seconds is None else Growth(self.seconds / 2 if early_stop and again else self.seconds)
        if not early_stop:
            self.model_, self.rounds_ = self.train(X=X, y=y, rounds=rounds, validation=None, late=late, **common)
        else:
            fit, hold = inner_split(y, classification=n_classes > 0, fraction=0.15, seed=self.seed)
            self.model_, self.rounds_ = self.train(
                X=X[fit], y=y[fit], rounds=rounds, validation=(X[hold], y[hold]), late=late, **common
            )
            if again:
                self.model_, _ = self.train(X=X, y=y, rounds=self.rounds_, validation=None, late=None, **common)
        self.cut_ = late.rounds if late is not None and late.over and late.rounds < rounds else None


class BoostingClassifier(ClassifierMixin, _Boosting):
    """Gradient boosting of any library; labels may be any codes, contiguous or not."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, width), categories first; y: (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        if len(self.classes_) > 1:
            self._boost(X, codes, len(self.classes_))
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Aligned with `classes_`."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return np.asarray(self.model_.predict_proba(X), dtype=np.float64)

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """The likeliest class."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]


class BoostingRegressor(RegressorMixin, _Boosting):
    """Gradient boosting of any library."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, width), categories first; y: (n,)."""
        self.n_features_in_ = X.shape[1]
        self._boost(X, np.asarray(y, dtype=np.float64), 0)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Values."""
        return np.asarray(self.model_.predict(X), dtype=np.float64)


def boosting_pipeline(
    columns: Columns,
    kind: Kind,
    train: Callable[..., tuple[Any, int]],
    parameters: Mapping[str, Any],
    *,
    rounds: int,
    early_stop: bool,
    seed: int,
) -> Pipeline:
    """Native preprocessing (category codes first, NaN kept) and a boosting estimator."""
    face = BoostingRegressor if kind == "regression" else BoostingClassifier
    model = face(
        train, parameters, rounds=rounds, early_stop=early_stop, categorical=len(columns.categorical), seed=seed
    )
    return Pipeline([("preprocessing", preprocessing(columns, kind, categories="codes", seed=seed)), ("model", model)])
