"""What a decision tree looks like that was fully grown on a small sample.

Each function is a meta-feature, its name the feature's name. To add one, write it and give it a line in
`MODEL_FEATURES`.

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


class SmallSample(NamedTuple):
    """What models are fitted on: numbers only, standardised, nothing missing."""

    X: NDArray[np.float64]  # (s, w)
    y: NDArray[Any]  # (s,)


@shared
def small_sample(view: View) -> SmallSample:
    """The first rows of the sample, some of every class among them, and its first columns, as standardised numbers."""
    columns, y = view.sample
    options = view.options
    rows = np.arange(len(y))
    if not view.regression:
        order = np.argsort(y, kind="stable")
        counts = np.bincount(y, minlength=view.c)
        rank = np.empty(len(y), np.int64)  # of each row within its class
        rank[order] = rows - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.argsort(rank >= min(options.small_class_rows, options.small_rows // view.c), kind="stable")
    rows = np.sort(rows[: options.small_rows])
    blocks: list[NDArray[np.float64]] = []
    for column in columns:
        blocks.append(column.take(rows).numbers(options.encoded_categories))
        if sum(block.shape[1] for block in blocks) >= options.small_columns:
            break
    return SmallSample(standardise(np.hstack(blocks)[:, : options.small_columns]), y[rows])


def decision_tree(view: View, *, depth: int | None = None) -> DecisionTreeClassifier | DecisionTreeRegressor:
    """A decision tree, not yet fitted, at most `depth` splits deep; CART, with its impurity and no pruning."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if view.regression:
        return DecisionTreeRegressor(max_depth=depth, min_samples_leaf=view.options.leaf_rows, random_state=0)
    return DecisionTreeClassifier(max_depth=depth, random_state=0)


@shared
def tree(view: View) -> DecisionTreeClassifier | DecisionTreeRegressor:
    """The tree that was fully grown on the small sample."""
    return decision_tree(view).fit(*small_sample(view))


@shared
def leaf_depths(view: View) -> NDArray[np.int64]:  # (leaves,)
    """Depth of each leaf of the tree: splits on the way from the root."""
    left, right = tree(view).tree_.children_left, tree(view).tree_.children_right
    depth = np.zeros(len(left), np.int64)
    for node in np.flatnonzero(left >= 0):  # parents come before their children
        depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth[left < 0]


def tree_leaves(view: View) -> float:
    """Number of leaves of the fully grown tree."""
    return tree(view).tree_.n_leaves


def tree_depth(view: View) -> float:
    """Depth of the deepest leaf of the fully grown tree."""
    return leaf_depths(view).max()


def tree_leaf_depth_mean(view: View) -> float:
    """Mean depth of the leaves of the fully grown tree."""
    return leaf_depths(view).mean()


def tree_nodes_per_row(view: View) -> float:
    """Splits of the tree, divided by the rows it was grown on."""
    return (tree_leaves(view) - 1) / len(small_sample(view).y)


def tree_nodes_per_column(view: View) -> float:
    """Splits of the tree, divided by the columns it was grown on."""
    return (tree_leaves(view) - 1) / small_sample(view).X.shape[1]


def tree_importance_max(view: View) -> float:
    """Importance of the most important column: the share of the impurity that splits on it remove."""
    return tree(view).feature_importances_.max()


def tree_importance_sd(view: View) -> float:
    """Importance of a column (see `tree_importance_max`), standard deviation over columns."""
    return sd(tree(view).feature_importances_)


MODEL_FEATURES = (
    tree_leaves,
    tree_depth,
    tree_leaf_depth_mean,
    tree_nodes_per_row,
    tree_nodes_per_column,
    tree_importance_max,
    tree_importance_sd,
)
