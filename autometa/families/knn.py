"""Nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family
from autometa.families.options import OPTIONS
from autometa.space import Config, SearchSpace, choice, integer

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def space(kind: Kind) -> SearchSpace:
    """`p` is the power of Minkowski's distance."""
    return SearchSpace.of(
        n_neighbors=integer(1, 100, 5, log=True),
        weights=choice("uniform", "distance"),
        p=choice(2, 1),
        scale=choice("standard", "quantile", "robust"),
        categories=choice("onehot", "target"),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Neighbours are at most half the rows, so that any fold has them."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.preprocess import preprocessing

    learner = KNeighborsRegressor if kind == "regression" else KNeighborsClassifier
    model = learner(
        n_neighbors=min(config["n_neighbors"], max(1, n_rows // 2)),
        weights=config["weights"],
        p=config["p"],
        n_jobs=threads,
    )
    steps = preprocessing(columns, kind, categories=config["categories"], scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Prediction compares every row with every other."""
    if float(n_rows) * n_rows * n_columns > OPTIONS.knn.most_products:
        return f"nearest neighbours compare every pair of {n_rows} rows in {n_columns} columns, which takes too long"
    return None


MODEL_FAMILY = Family("knn", "Nearest neighbours", space, build, limit=limit)
