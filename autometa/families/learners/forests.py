"""Forests of scikit-learn that can end at a deadline and are pickled in a fraction of the room."""

from __future__ import annotations

from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from autometa.families.learners.packing import PackedTrees
from autometa.families.learners.truncation import TruncatableForest


class TruncatableRandomForestClassifier(TruncatableForest, PackedTrees, RandomForestClassifier):
    """scikit-learn's random forest for classes, which can end at a deadline and takes little room."""


class TruncatableRandomForestRegressor(TruncatableForest, PackedTrees, RandomForestRegressor):
    """scikit-learn's random forest for values, which can end at a deadline and takes little room."""


class TruncatableExtraTreesClassifier(TruncatableForest, PackedTrees, ExtraTreesClassifier):
    """scikit-learn's extremely randomised trees for classes, which can end at a deadline and take little room."""


class TruncatableExtraTreesRegressor(TruncatableForest, PackedTrees, ExtraTreesRegressor):
    """scikit-learn's extremely randomised trees for values, which can end at a deadline and take little room."""
