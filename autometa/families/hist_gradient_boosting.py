"""scikit-learn's histogram gradient boosting, with native categories and missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.families.family import Family, Kind
from autometa.families.growth import Growth
from autometa.space import Config, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns

NONE = 1e-4  # the low end of the regularisation range stands for the library's default, 0


def space(kind: Kind) -> SearchSpace:
    """Early stopping is the library's "auto" by default: on above 10,000 rows."""
    parameters = {
        "max_iter": integer(20, 1000, 100, log=True),
        "early_stop": choice("auto", True, False),
        "learning_rate": real(0.005, 0.5, 0.1, log=True),
        "max_leaf_nodes": integer(4, 255, 31, log=True),
        "min_samples_leaf": integer(1, 100, 20, log=True),
        "l2_regularization": real(NONE, 100.0, NONE, log=True),
        "max_features": real(0.2, 1.0, 1.0),
    }
    if kind != "regression":
        parameters["class_weight"] = choice(None, "balanced")
    return SearchSpace.of(**parameters)


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Its threads are OpenMP's, which the caller limits; the learner itself has no such parameter."""
    from autometa.families.boosting import boosting_pipeline

    parameters = dict(config)
    rounds, early_stop = parameters.pop("max_iter"), parameters.pop("early_stop")
    parameters |= {
        "loss": "squared_error" if kind == "regression" else "log_loss",
        "l2_regularization": 0.0 if config["l2_regularization"] <= NONE else config["l2_regularization"],
        "random_state": seed,
    }
    if early_stop == "auto":
        early_stop = n_rows > 10_000
    return boosting_pipeline(columns, kind, train, parameters, rounds=rounds, early_stop=early_stop, seed=seed)


def train(
    *,
    parameters: Config,
    X: NDArray[Any],
    y: NDArray[Any],
    rounds: int,
    categorical: int,
    validation: Any,
    late: Growth | None,
) -> tuple[Any, int]:
    """The fitted model and its number of rounds; the split is ours, the library's own refuses a class of one row."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    learner = HistGradientBoostingRegressor if parameters["loss"] == "squared_error" else HistGradientBoostingClassifier
    model = learner(
        **parameters,
        warm_start=late is not None,
        early_stopping=validation is not None,
        categorical_features=list(range(categorical)) or None,
    )
    X = np.where(np.isnan(X).all(axis=0), 0.0, X)  # its binning refuses a column without a value; no split will use it
    held_out = {} if validation is None else {"X_val": validation[0], "y_val": validation[1]}
    for until in (rounds,) if late is None else late.pieces(rounds):
        model.max_iter = until
        model.fit(X, y, **held_out)
        if model.n_iter_ < until:  # it stopped by itself
            break
    return model, model.n_iter_


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """A round grows a tree per class."""
    if n_classes > 100:
        return f"histogram gradient boosting grows a tree per class and round, and there are {n_classes} (at most 100)"
    return None


FAMILY = Family("hist_gradient_boosting", "Histogram gradient boosting", space, build, limit=limit)
