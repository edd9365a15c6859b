"""How well cheap learners do on a small sample: where each stands tells what the task asks for.

Scores are cross-validated: balanced accuracy for classes, R2 (not below -1) for a regression target. Classes with fewer
rows in the small sample than there are folds are left out.

Each function is a meta-feature and its name the feature's name; to add one, write it and give it a line in `FEATURES`.

Source: Pfahringer, Bensusan and Giraud-Carrier (2000).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.metafeatures.model import Small, decision_tree, small
from autometa.metafeatures.view import View, shared

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

FOLDS = 3


def decision_node(view: View) -> float:
    """A tree of one split."""
    return score(view, decision_tree(view, depth=1))


def random_node(view: View) -> float:
    """A tree of one split on one column, the first in canonical order."""
    return score(view, decision_tree(view, depth=1), columns=1)


def naive_bayes(view: View) -> float:
    """Gaussian naive Bayes; undefined for regression."""
    from sklearn.naive_bayes import GaussianNB

    return np.nan if view.regression else score(view, GaussianNB())


def linear_model(view: View) -> float:
    """Linear discriminant analysis, or ridge regression."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import Ridge

    return score(view, Ridge() if view.regression else LinearDiscriminantAnalysis())


def nearest_neighbour(view: View) -> float:
    """The nearest neighbour among the standardised rows."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    kind = KNeighborsRegressor if view.regression else KNeighborsClassifier
    return score(view, kind(n_neighbors=1, algorithm="brute"))


def small_tree(view: View) -> float:
    """A tree at most four splits deep."""
    return score(view, decision_tree(view, depth=4))


def full_tree(view: View) -> float:
    """A tree grown to the end."""
    return score(view, decision_tree(view))


FEATURES = (
    decision_node,
    random_node,
    naive_bayes,
    linear_model,
    nearest_neighbour,
    small_tree,
    full_tree,
)


@shared
def judged(view: View) -> Small:
    """The small sample without the classes that cannot be in every fold."""
    X, y = small(view)
    if view.regression:
        return Small(X, y)
    enough = (np.bincount(y) >= FOLDS)[y]
    return Small(X[enough], y[enough])


def score(view: View, model: BaseEstimator, columns: int | None = None) -> float:
    """Mean score of the model over the folds; NaN where there is nothing to learn from."""
    from sklearn.model_selection import KFold, StratifiedKFold

    X, y = judged(view)
    X = X[:, :columns]
    if not X.shape[1] or len(y) < FOLDS or np.ptp(y) == 0:
        return np.nan
    folds = (KFold if view.regression else StratifiedKFold)(FOLDS)  # rows lie in an order of their own: no shuffling
    measure = determination if view.regression else balanced_accuracy
    scores = []
    for train, test in folds.split(X, y):
        scores.append(measure(y[test], model.fit(X[train], y[train]).predict(X[test])))
    return float(np.mean(scores))


def balanced_accuracy(y: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:  # (n,), (n,)
    """Share of the rows that are told right, mean over the classes.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
        0.5
    """
    counts = np.bincount(y)
    right = np.bincount(y[y == predicted], minlength=len(counts))
    return float((right[counts > 0] / counts[counts > 0]).mean())


def determination(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:  # (n,), (n,)
    """R2, not below -1.

    Example:
        >>> determination(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
        0.0
    """
    deviation = y - y.mean()
    error = y - predicted
    return float(max(1 - (error @ error) / (deviation @ deviation), -1.0))
