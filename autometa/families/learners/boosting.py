"""What the boosting libraries share: class codes, early stopping on an inner split, a deadline, a bound on the trees.

A library's own part is one function, a `Booster`, in the file of its name: it fits what a `BoostingJob` asks for. To
add a library, write its `Booster`, and its family one floor up.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from autometa.families.learners.faces import ProbabilityClassifier
from autometa.families.learners.holdout import inner_split
from autometa.families.learners.truncation import Deadline, Truncatable
from autometa.families.options import OPTIONS


class LabelledRows(NamedTuple):
    """Rows and their targets, for a boosting library."""

    X: NDArray[Any]  # (n, p) category codes first, NaN where missing
    y: NDArray[Any]  # (n,) class codes 0..c-1, or values
    counts: NDArray[np.float64] | None = None  # (n,) how much each row counts; None for all the same

    def at(self, part: NDArray[np.intp]) -> LabelledRows:
        """Some of them."""
        return LabelledRows(self.X[part], self.y[part], None if self.counts is None else self.counts[part])


@dataclass(frozen=True, slots=True)
class BoostingJob:
    """What a boosting library is asked to fit."""

    parameters: Mapping[str, Any]  # the library's own, but for the number of rounds and `monotonic`
    rows: LabelledRows
    rounds: int  # at most
    categorical: int  # the first so many inputs are category codes
    validation: LabelledRows | None = None  # for early stopping; None for none
    monotonic: tuple[int, ...] | None = None  # (p,) 1: the answer may only rise with the input; -1: only fall
    deadline: Deadline | None = None  # asked after each round, or for pieces where the library takes no callback


class Booster(Protocol):
    """A boosting library's own part."""

    def __call__(self, job: BoostingJob, /) -> tuple[Any, int]:
        """The fitted model, which has `predict` and for classes `predict_proba`, and its number of rounds."""


class _Boosting(Truncatable, BaseEstimator):
    def __init__(
        self,
        train: Booster,
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
        self.categorical = categorical  # the first so many inputs hold category codes
        self.seed = seed

    def _boost(self, rows: LabelledRows, n_classes: int, seconds: float | None) -> None:
        """Fits `model_`, of `rounds_` rounds; with early stopping half of the time is for the second fit."""
        options, n = OPTIONS.boosting, len(rows.y)
        rounds = min(self.rounds, options.most_trees // n_classes) if n_classes > 2 else self.rounds
        early_stop, again = self.early_stop and n >= options.fewest_rows, n < options.refit_below
        deadline = None if seconds is None else Deadline(seconds / 2 if early_stop and again else seconds)
        parameters = dict(self.parameters)
        places = parameters.pop("monotonic", None)  # by input
        signs = None if places is None else tuple(places.get(place, 0) for place in range(rows.X.shape[1]))
        job = BoostingJob(parameters, rows, rounds, self.categorical, monotonic=signs, deadline=deadline)
        if not early_stop:
            self.model_, self.rounds_ = self.train(job)
        else:
            fit, held = inner_split(rows.y, classification=n_classes > 0, fraction=options.held_out, seed=self.seed)
            learned_on, validation = (rows.at(part) for part in (fit, held))
            self.model_, self.rounds_ = self.train(replace(job, rows=learned_on, validation=validation))
            if again:
                self.model_, _ = self.train(replace(job, rounds=self.rounds_, deadline=None))
        truncated = deadline is not None and deadline.over and deadline.rounds < rounds
        self.truncated_at_ = deadline.rounds if deadline is not None and truncated else None


class BoostingClassifier(ProbabilityClassifier, _Boosting):
    """Gradient boosting of any library; labels may be any codes, contiguous or not."""

    def fit(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        sample_weight: NDArray[np.float64] | None = None,
        seconds: float | None = None,
    ) -> Self:
        """Fits rows X (n, p), category codes first, and their targets y (n,), each counting as much as it does."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        if len(self.classes_) > 1:
            self._boost(LabelledRows(X, codes, sample_weight), len(self.classes_), seconds)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return np.asarray(self.model_.predict_proba(X), dtype=np.float64)


class BoostingRegressor(RegressorMixin, _Boosting):
    """Gradient boosting of any library."""

    def fit(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        sample_weight: NDArray[np.float64] | None = None,
        seconds: float | None = None,
    ) -> Self:
        """Fits rows X (n, p), category codes first, and their targets y (n,), each counting as much as it does."""
        self.n_features_in_ = X.shape[1]
        self._boost(LabelledRows(X, np.asarray(y, dtype=np.float64), sample_weight), 0, seconds)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Predicted values."""
        return np.asarray(self.model_.predict(X), dtype=np.float64)
