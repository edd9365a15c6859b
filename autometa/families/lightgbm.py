"""LightGBM: boosted trees grown leaf by leaf, with native categories and missing values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from autometa.families.boosting import NO_PENALTY, boosting_pipeline, penalty
from autometa.families.family import Family, every_onnx
from autometa.moved import former
from autometa.space import Config, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind
else:
    __getattr__ = former(__name__)


def space(kind: Kind) -> SearchSpace:
    """Ranges: the union of what AutoGluon's TabRepo and FLAML found worth searching, bounded in leaves and rounds."""
    parameters = {
        "n_estimators": integer(20, 2000, 100, log=True),
        "early_stop": choice(False, True),
        "learning_rate": real(0.005, 0.5, 0.1, log=True),
        "num_leaves": integer(4, 255, 31, log=True),
        "min_child_samples": integer(1, 100, 20, log=True),
        "subsample": real(0.5, 1.0, 1.0),
        "colsample_bytree": real(0.3, 1.0, 1.0),
        "reg_lambda": real(NO_PENALTY, 100.0, NO_PENALTY, log=True),
        "extra_trees": choice(False, True),
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
    """Deterministic: one histogram layout whatever the machine finds faster."""
    from autometa.families.learners.lightgbm import train

    parameters = dict(config)
    rounds, early_stop = parameters.pop("n_estimators"), parameters.pop("early_stop")
    parameters |= {
        "objective": {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}[kind],
        "reg_lambda": penalty(config["reg_lambda"]),
        "subsample_freq": 1 if config["subsample"] < 1 else 0,
        "random_state": seed,
        "n_jobs": threads,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    if quantile is not None:
        parameters |= {"objective": "quantile", "alpha": quantile}
    how = {"rounds": rounds, "early_stop": early_stop, "seed": seed}
    return boosting_pipeline(columns, kind, train, parameters, monotonic=monotonic, **how)


MODEL_FAMILY = Family(
    "lightgbm",
    "LightGBM",
    space,
    build,
    requires="lightgbm",
    grows_by="n_estimators",
    takes_weights=True,
    quantile_rows=math.inf,
    keeps_monotonic=True,
    makes_features=True,
    onnx=every_onnx,
)
