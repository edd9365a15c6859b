"""Regularised discriminant analysis: one Gaussian for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import CLASSIFICATION, Family, every_onnx
from autometa.families.options import OPTIONS
from autometa.space import Config, SearchSpace, choice, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def space(kind: Kind) -> SearchSpace:
    """`pooling` goes from a covariance for each class (0, quadratic) to one for all (1, linear)."""
    return SearchSpace.of(
        pooling=real(0.0, 1.0, 0.1),
        shrinkage=real(1e-4, 1.0, 0.01, log=True),
        scale=choice("standard", "quantile", "robust"),
        categories=choice("onehot", "target"),
        prior=choice("observed", "uniform"),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Gaussians on numbers and encoded categories."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.discriminant import RegularizedDiscriminant
    from autometa.families.learners.preprocess import preprocessing

    model = RegularizedDiscriminant(
        pooling=config["pooling"], shrinkage=config["shrinkage"], uniform_prior=config["prior"] == "uniform"
    )
    steps = preprocessing(columns, kind, categories=config["categories"], scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Every class has a covariance of all columns, and every row is held against each."""
    cells = float(n_classes) * n_columns**2
    if cells > OPTIONS.discriminant.most_cells or cells * n_rows > OPTIONS.discriminant.most_products:
        return f"discriminant analysis holds {n_rows} rows against {n_classes} covariances of {n_columns} columns"
    return None


MODEL_FAMILY = Family(
    "discriminant", "Discriminant analysis", space, build, kinds=CLASSIFICATION, limit=limit, onnx=every_onnx
)
