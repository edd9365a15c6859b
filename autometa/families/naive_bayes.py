"""Gaussian naive Bayes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import CLASSIFICATION, Family, every_onnx
from autometa.space import Config, SearchSpace, choice, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def space(kind: Kind) -> SearchSpace:
    """`scale` decides how Gaussian the columns are; "quantile" makes every one of them so."""
    return SearchSpace.of(
        var_smoothing=real(1e-12, 1.0, 1e-9, log=True),
        scale=choice("standard", "quantile", "robust"),
        categories=choice("onehot", "target"),
        prior=choice("observed", "uniform"),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """The library's learner, with a prior that may ignore the classes' frequencies."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.naive_bayes import NaiveBayes
    from autometa.families.learners.preprocess import preprocessing

    model = NaiveBayes(var_smoothing=config["var_smoothing"], uniform_prior=config["prior"] == "uniform")
    steps = preprocessing(columns, kind, categories=config["categories"], scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


MODEL_FAMILY = Family(
    "naive_bayes", "Naive Bayes", space, build, kinds=CLASSIFICATION, takes_weights=True, onnx=every_onnx
)
