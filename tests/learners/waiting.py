"""Families that wait: their trials take the time that a test asks for, on a fast machine and on a slow one.

``waiting`` trains like a forest, ``n_estimators`` rounds of ``pause`` seconds each, and predicts the shares of the
classes, or the mean; ``stuck`` does not end. The fixture `waiting` of `conftest.py` puts them into the catalogue for
one test, and `waiting_isolation` into the one of the processes in which trials run.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline

from autometa.families import FAMILIES
from autometa.families.family import Family
from autometa.families.learners.truncation import Deadline, Truncatable
from autometa.space import SearchSpace, integer, real


class Waiting(Truncatable, BaseEstimator):
    """Waits for each of its rounds."""

    def __init__(self, rounds, pause):
        self.rounds, self.pause = rounds, pause

    def wait(self, seconds):
        deadline = None if seconds is None else Deadline(seconds)
        for _ in range(self.rounds):
            time.sleep(self.pause)
            if deadline is not None and deadline():
                self.truncated_at_ = deadline.rounds
                return


class WaitingClassifier(ClassifierMixin, Waiting):
    def fit(self, X, y, *, seconds=None):
        self.wait(seconds)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class WaitingRegressor(RegressorMixin, Waiting):
    def fit(self, X, y, *, seconds=None):
        self.wait(seconds)
        self.mean_ = np.mean(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def space(kind):
    return SearchSpace.of(n_estimators=integer(1, 10_000, 10_000), pause=real(0.0, 10.0, 0.1))


def build(config, columns, kind, **_):
    face = WaitingRegressor if kind == "regression" else WaitingClassifier
    return Pipeline([("model", face(config["n_estimators"], config["pause"]))])


def build_stuck(config, columns, kind, **_):
    face = WaitingRegressor if kind == "regression" else WaitingClassifier
    return Pipeline([("model", face(1, 3600.0))])


FAMILIES["waiting"] = Family("waiting", "Waiting", space, build, grows_by="n_estimators")
FAMILIES["stuck"] = Family("stuck", "Stuck", lambda kind: SearchSpace([]), build_stuck)
