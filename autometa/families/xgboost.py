"""XGBoost: boosted trees grown level by level on histograms, with native categories and missing values."""

from __future__ import annotations

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
    """Ranges: the union of TabRepo's, rbv2's (YAHPO) and FLAML's, bounded in depth and rounds."""
    return SearchSpace.of(
        n_estimators=integer(20, 2000, 100, log=True),
        early_stop=choice(False, True),
        learning_rate=real(0.005, 0.5, 0.3, log=True),
        max_depth=integer(2, 12, 6),
        min_child_weight=real(0.1, 100.0, 1.0, log=True),
        subsample=real(0.5, 1.0, 1.0),
        colsample_bytree=real(0.3, 1.0, 1.0),
        reg_lambda=real(1e-3, 100.0, 1.0, log=True),
        reg_alpha=real(NO_PENALTY, 10.0, NO_PENALTY, log=True),
    )


def build(
    config: Config,
    columns: Columns,
    kind: Kind,
    *,
    n_rows: int,
    seed: int,
    threads: int,
    device: str,
    monotonic: Mapping[str, int] | None = None,
) -> Pipeline:
    """On the processor whatever `device` says: the wheel that this package asks for is built without a GPU."""
    from autometa.families.learners.xgboost import train

    parameters = dict(config)
    rounds, early_stop = parameters.pop("n_estimators"), parameters.pop("early_stop")
    parameters |= {
        "objective": "reg:squarederror" if kind == "regression" else "classification",
        "reg_alpha": penalty(config["reg_alpha"]),
        "random_state": seed,
        "n_jobs": threads,
        "tree_method": "hist",
        "verbosity": 0,
    }
    how = {"rounds": rounds, "early_stop": early_stop, "seed": seed}
    return boosting_pipeline(columns, kind, train, parameters, monotonic=monotonic, **how)


MODEL_FAMILY = Family(
    "xgboost",
    "XGBoost",
    space,
    build,
    requires="xgboost",
    grows_by="n_estimators",
    takes_weights=True,
    keeps_monotonic=True,
    makes_features=True,
    onnx=every_onnx,
)
