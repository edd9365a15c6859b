"""Forests of scikit-learn that can end at a deadline, are pickled in a fraction of the room, and answer repeatably.

Law: what a forest answers is the same to the last bit in every call, whatever its `n_jobs`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.utils import _safe_indexing

from autometa.families.learners.packing import PackedTrees
from autometa.families.learners.truncation import TruncatableForest


class ClassesInOrder:
    """To put before a forest of scikit-learn, which adds the answers of its trees in the order in which threads end.

    The last digits of their sum would then be chance. Here each thread has rows of its own, for which the trees answer
    one after the other.
    """

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probabilities of the classes, (n, c)."""
        return _by_rows(self, ClassesInOrder, "predict_proba", X)


class ValuesInOrder:
    """`ClassesInOrder`, for a forest of values."""

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The values, (n,)."""
        return _by_rows(self, ValuesInOrder, "predict", X)


def _by_rows(forest: Any, before: type, method: str, X: Any) -> NDArray[np.float64]:
    """The answer of the forest behind a class, asked in as many threads as it may have, each with some of the rows."""
    alone = object.__new__(type(forest))
    vars(alone).update(vars(forest), n_jobs=1)
    answer = getattr(super(before, alone), method)
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    threads = min(effective_n_jobs(forest.n_jobs), rows)
    if threads < 2:
        return answer(X)
    parts = (_safe_indexing(X, part) for part in np.array_split(np.arange(rows), threads))
    return np.concatenate(Parallel(threads, require="sharedmem")(delayed(answer)(part) for part in parts))


class TruncatableRandomForestClassifier(TruncatableForest, PackedTrees, ClassesInOrder, RandomForestClassifier):
    """scikit-learn's random forest for classes, which can end at a deadline and takes little room."""


class TruncatableRandomForestRegressor(TruncatableForest, PackedTrees, ValuesInOrder, RandomForestRegressor):
    """scikit-learn's random forest for values, which can end at a deadline and takes little room."""


class TruncatableExtraTreesClassifier(TruncatableForest, PackedTrees, ClassesInOrder, ExtraTreesClassifier):
    """scikit-learn's extremely randomised trees for classes, which can end at a deadline and take little room."""


class TruncatableExtraTreesRegressor(TruncatableForest, PackedTrees, ValuesInOrder, ExtraTreesRegressor):
    """scikit-learn's extremely randomised trees for values, which can end at a deadline and take little room."""
