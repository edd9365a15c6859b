"""What a decision tree looks like that was grown to the end on a small sample.

Each function is a meta-feature and its name the feature's name; to add one, write it and give it a line in `FEATURES`.

Letters:  s rows of the small sample · w columns of it, as numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.metafeatures.profile import standardise
from autometa.metafeatures.statistical import sd
from autometa.metafeatures.view import View, shared

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ROWS = 1_000  # a full tree of 1,000 x 64 takes some 40 ms, and four such are grown
COLUMNS = 64  # after encoding
ROWS_PER_CLASS = 10  # where the class has them, so that rare classes are not lost


class Small(NamedTuple):
    """What models are fitted on: numbers only, standardised, nothing missing."""

    X: NDArray[np.float64]  # (s, w)
    y: NDArray[Any]  # (s,)


@shared
def small(view: View) -> Small:
    """The first rows, some of every class among them, and the first columns, as standardised numbers."""
    columns, y = view.sample
    rows = np.arange(len(y))
    if not view.regression:
        order = np.argsort(y, kind="stable")
        counts = np.bincount(y, minlength=view.c)
        rank = np.empty(len(y), np.int64)  # of each row within its class
        rank[order] = rows - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.argsort(rank >= min(ROWS_PER_CLASS, ROWS // view.c), kind="stable")
    rows = np.sort(rows[:ROWS])
    blocks: list[NDArray[np.float64]] = []
    for column in columns:
        blocks.append(column.take(rows).numbers())
        if sum(block.shape[1] for block in blocks) >= COLUMNS:
            break
    return Small(standardise(np.hstack(blocks)[:, :COLUMNS]), y[rows])


def decision_tree(view: View, *, depth: int | None = None) -> DecisionTreeClassifier | DecisionTreeRegressor:
    """A tree, not yet fitted; leaves of a regression tree hold five rows, as else each row would be a leaf."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if view.regression:
        return DecisionTreeRegressor(max_depth=depth, min_samples_leaf=5, random_state=0)
    return DecisionTreeClassifier(max_depth=depth, random_state=0)


@shared
def tree(view: View) -> DecisionTreeClassifier | DecisionTreeRegressor:
    """The tree grown to the end on the small sample."""
    return decision_tree(view).fit(*small(view))


@shared
def leaf_depths(view: View) -> NDArray[np.int64]:
    """Depth of each leaf of the tree."""
    left, right = tree(view).tree_.children_left, tree(view).tree_.children_right
    depth = np.zeros(len(left), np.int64)
    for node in np.flatnonzero(left >= 0):  # parents come before their children
        depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth[left < 0]


def tree_leaves(view: View) -> float:
    """Leaves of the tree."""
    return tree(view).tree_.n_leaves


def tree_depth(view: View) -> float:
    """Depth of the deepest leaf."""
    return leaf_depths(view).max()


def tree_leaf_depth_mean(view: View) -> float:
    """Mean depth of the leaves."""
    return leaf_depths(view).mean()


def tree_nodes_per_row(view: View) -> float:
    """Splits of the tree, divided by the rows it was grown on."""
    return (tree_leaves(view) - 1) / len(small(view).y)


def tree_nodes_per_column(view: View) -> float:
    """Splits of the tree, divided by the columns it was grown on."""
    return (tree_leaves(view) - 1) / small(view).X.shape[1]


def tree_importance_max(view: View) -> float:
    """Share of the impurity that splits on the most important column remove."""
    return tree(view).feature_importances_.max()


def tree_importance_sd(view: View) -> float:
    """Standard deviation over the columns of the share of the impurity that splits on them remove."""
    return sd(tree(view).feature_importances_)


FEATURES = (
    tree_leaves,
    tree_depth,
    tree_leaf_depth_mean,
    tree_nodes_per_row,
    tree_nodes_per_column,
    tree_importance_max,
    tree_importance_sd,
)
