"""scikit-learn's histogram gradient boosting, with native categories and missing values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from autometa.families.boosting import NO_PENALTY, boosting_pipeline, penalty
from autometa.families.family import Family, every_onnx
from autometa.families.options import OPTIONS
from autometa.moved import former
from autometa.space import Config, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind
else:
    __getattr__ = former(__name__)


def space(kind: Kind) -> SearchSpace:
    """Early stopping is the library's "auto" by default: on above 10,000 rows."""
    parameters = {
        "max_iter": integer(20, 1000, 100, log=True),
        "early_stop": choice("auto", True, False),
        "learning_rate": real(0.005, 0.5, 0.1, log=True),
        "max_leaf_nodes": integer(4, 255, 31, log=True),
        "min_samples_leaf": integer(1, 100, 20, log=True),
        "l2_regularization": real(NO_PENALTY, 100.0, NO_PENALTY, log=True),
        "max_features": real(0.2, 1.0, 1.0),
    }
    if kind != "regression":
        parameters["class_weight"] = choice(None, "balanced")
    return SearchSpace.of(**parameters)


def build(
    config: Config,
    columns: Columns,
    kind: Kind,
    *,
    n_rows: int,
    seed: int,
    threads: int,
    device: str,
    quantile: float | None = None,
    monotonic: Mapping[str, int] | None = None,
) -> Pipeline:
    """Its threads are OpenMP's, which the caller limits; the learner itself has no such parameter."""
    from autometa.families.learners.hist_gradient_boosting import train

    parameters = dict(config)
    rounds, early_stop = parameters.pop("max_iter"), parameters.pop("early_stop")
    parameters |= {
        "loss": "squared_error" if kind == "regression" else "log_loss",
        "l2_regularization": penalty(config["l2_regularization"]),
        "random_state": seed,
    }
    if quantile is not None:
        parameters |= {"loss": "quantile", "quantile": quantile}
    if early_stop == "auto":
        early_stop = n_rows > 10_000
    how = {"rounds": rounds, "early_stop": early_stop, "seed": seed}
    return boosting_pipeline(columns, kind, train, parameters, monotonic=monotonic, **how)


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """A round grows a tree per class."""
    if n_classes > (most := OPTIONS.boosting.most_histogram_classes):
        return f"histogram boosting grows a tree per class and round, and there are {n_classes} (at most {most})"
    return None


MODEL_FAMILY = Family(
    "hist_gradient_boosting",
    "Histogram gradient boosting",
    space,
    build,
    limit=limit,
    grows_by="max_iter",
    takes_weights=True,
    quantile_rows=math.inf,
    keeps_monotonic=True,
    makes_features=True,
    onnx=every_onnx,
)
