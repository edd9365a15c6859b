"""Extremely randomised trees: averaged trees that draw their thresholds at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family, every_onnx
from autometa.families.random_forest import forest_limit, forest_pipeline, forest_space
from autometa.space import Config, SearchSpace

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def space(kind: Kind) -> SearchSpace:
    """The space of a random forest, but every tree gets all rows by default."""
    return forest_space(kind, bootstrap=False)


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Extra trees behind the preprocessing of `random_forest.forest_pipeline`."""
    from autometa.families.learners.forests import TruncatableExtraTreesClassifier, TruncatableExtraTreesRegressor

    learner = TruncatableExtraTreesRegressor if kind == "regression" else TruncatableExtraTreesClassifier
    return forest_pipeline(learner, config, columns, kind, seed=seed, threads=threads)


MODEL_FAMILY = Family(
    "extra_trees",
    "Extra trees",
    space,
    build,
    limit=forest_limit,
    grows_by="n_estimators",
    takes_weights=True,
    onnx=every_onnx,
)
