"""CatBoost: boosted symmetric trees with ordered statistics of categories."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from autometa.families.boosting import boosting_pipeline
from autometa.families.family import Family
from autometa.families.options import OPTIONS
from autometa.moved import former
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind
else:
    __getattr__ = former(__name__)


def space(kind: Kind) -> SearchSpace:
    """The library chooses its learning rate from the table's size by default; `rate` says whether it may."""
    parameters = {
        "n_estimators": integer(50, 2000, 1000, log=True),
        "early_stop": choice(False, True),
        "rate": choice("automatic", "given"),
        "depth": integer(2, 9, 6),
        "l2_leaf_reg": real(0.3, 30.0, 3.0, log=True),
        "random_strength": real(0.05, 10.0, 1.0, log=True),
        "colsample_bylevel": real(0.2, 1.0, 1.0),
        "grow_policy": choice("SymmetricTree", "Depthwise"),
        "max_ctr_complexity": integer(1, 4, 4),
    }
    if kind != "regression":
        parameters["class_weight"] = choice(None, "balanced")
    given = Parameter("learning_rate", *real(0.005, 0.3, 0.03, log=True), Condition("rate", ("given",)))
    return SearchSpace([*SearchSpace.of(**parameters), given])


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
    """On the processor whatever `device` says: its GPU learner has other defaults, and other results."""
    from autometa.families.learners.catboost import train

    parameters = dict(config)
    rounds, early_stop, _ = parameters.pop("n_estimators"), parameters.pop("early_stop"), parameters.pop("rate")
    if kind != "regression":
        parameters["auto_class_weights"] = "Balanced" if parameters.pop("class_weight") else None
    if not columns.categorical:
        del parameters["max_ctr_complexity"]
    parameters |= {
        "loss_function": "RMSE" if kind == "regression" else "classification",
        "random_seed": seed,
        "thread_count": threads,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
    if quantile is not None:
        parameters["loss_function"] = f"Quantile:alpha={quantile:g}"
    how = {"rounds": rounds, "early_stop": early_stop, "seed": seed}
    return boosting_pipeline(columns, kind, train, parameters, monotonic=monotonic, **how)


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """A round costs as much as its classes; a thousand rounds of many classes outlast any trial."""
    if n_classes > (most := OPTIONS.boosting.most_catboost_classes):
        return f"CatBoost's time grows with the classes, and there are {n_classes} (at most {most})"
    return None


def onnx(columns: Columns) -> str | None:
    """What CatBoost makes of categories has no counterpart; numbers have."""
    return "does with categories what has no counterpart in ONNX" if columns.categorical else None


MODEL_FAMILY = Family(
    "catboost",
    "CatBoost",
    space,
    build,
    requires="catboost",
    limit=limit,
    grows_by="n_estimators",
    takes_weights=True,
    quantile_rows=math.inf,
    keeps_monotonic=True,
    # Other trees than symmetric ones it refuses, and statistics of categories and numbers together know no constraint.
    fixed_if_monotonic={"grow_policy": "SymmetricTree", "max_ctr_complexity": 1},
    makes_features=True,
    onnx=onnx,
)
