"""How well simple learners do on a small sample (landmarks): which of them does well tells what the task needs.

Scores are cross-validated: balanced accuracy for classes, R2 (not below -1) for a regression target. Classes with fewer
rows in the small sample than there are folds are left out.

Each function is a meta-feature, its name the feature's name. To add one, write it and give it a line in
`LANDMARKING_FEATURES`.

Source:  Pfahringer, Bensusan and Giraud-Carrier (2000).

Letters:  s rows of the small sample · w columns of it, as numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.metafeatures.model import SmallSample, decision_tree, small_sample
from autometa.metafeatures.view import View, shared

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


def decision_node(view: View) -> float:
    """Score of a decision tree of one split (a decision stump)."""
    return score(view, decision_tree(view, depth=1))


def random_node(view: View) -> float:
    """Score of a decision tree of one split on one column: the first in canonical order, which is as good as random."""
    return score(view, decision_tree(view, depth=1), columns=1)


def naive_bayes(view: View) -> float:
    """Score of Gaussian naive Bayes; undefined for regression."""
    from sklearn.naive_bayes import GaussianNB

    return np.nan if view.regression else score(view, GaussianNB())


def linear_model(view: View) -> float:
    """Score of linear discriminant analysis; for regression of ridge regression."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import Ridge

    return score(view, Ridge() if view.regression else LinearDiscriminantAnalysis())


def nearest_neighbour(view: View) -> float:
    """Score of the nearest neighbour, columns standardised."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    kind = KNeighborsRegressor if view.regression else KNeighborsClassifier
    return score(view, kind(n_neighbors=1, algorithm="brute"))


def small_tree(view: View) -> float:
    """Score of a decision tree at most four splits deep."""
    return score(view, decision_tree(view, depth=view.options.small_tree_depth))


def full_tree(view: View) -> float:
    """Score of a fully grown decision tree."""
    return score(view, decision_tree(view))


LANDMARKING_FEATURES = (
    decision_node,
    random_node,
    naive_bayes,
    linear_model,
    nearest_neighbour,
    small_tree,
    full_tree,
)


@shared
def landmark_sample(view: View) -> SmallSample:
    """The small sample without the classes that have fewer rows than there are folds."""
    X, y = small_sample(view)
    if view.regression:
        return SmallSample(X, y)
    enough = (np.bincount(y) >= view.options.folds)[y]
    return SmallSample(X[enough], y[enough])


def score(view: View, model: BaseEstimator, columns: int | None = None) -> float:
    """Mean score of a model over the folds; NaN where there is nothing to learn from.

    Args:
        view: Of the task; the model learns from its `landmark_sample`.
        model: A classifier or a regressor, fitted again for every fold.
        columns: The model sees the first so many columns; None for all.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    X, y = landmark_sample(view)
    X = X[:, :columns]
    if not X.shape[1] or len(y) < view.options.folds or np.ptp(y) == 0:
        return np.nan
    folds = (KFold if view.regression else StratifiedKFold)(
        view.options.folds
    )  # rows lie in an order of their own: no shuffling
    measure = determination if view.regression else balanced_accuracy
    scores = []
    for train, test in folds.split(X, y):
        scores.append(measure(y[test], model.fit(X[train], y[train]).predict(X[test])))
    return float(np.mean(scores))


def balanced_accuracy(y: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:  # (n,), (n,)
    """Share of the rows of a class that are predicted right, mean over the classes.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
        0.5
    """
    counts = np.bincount(y)
    right = np.bincount(y[y == predicted], minlength=len(counts))
    return float((right[counts > 0] / counts[counts > 0]).mean())


def determination(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:  # (n,), (n,)
    """Coefficient of determination R2, not below -1.

    Example:
        >>> determination(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
        0.0
    """
    deviation = y - y.mean()
    error = y - predicted
    return float(max(1 - (error @ error) / (deviation @ deviation), -1.0))
