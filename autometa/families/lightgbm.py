"""LightGBM: boosted trees grown leaf by leaf, with native categories and missing values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.families.family import Family, Kind
from autometa.families.growth import Growth
from autometa.space import Config, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns

CACHED_LEAVES = 8_000  # whose trees stay in a processor's cache
NONE = 1e-4  # the low end of the regularisation range stands for the library's default, 0


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
        "reg_lambda": real(NONE, 100.0, NONE, log=True),
        "extra_trees": choice(False, True),
    }
    if kind != "regression":
        parameters["class_weight"] = choice(None, "balanced")
    return SearchSpace.of(**parameters)


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Deterministic: one histogram layout whatever the machine finds faster."""
    from autometa.families.boosting import boosting_pipeline

    parameters = dict(config)
    rounds, early_stop = parameters.pop("n_estimators"), parameters.pop("early_stop")
    parameters |= {
        "objective": {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}[kind],
        "reg_lambda": 0.0 if config["reg_lambda"] <= NONE else config["reg_lambda"],
        "subsample_freq": 1 if config["subsample"] < 1 else 0,
        "random_state": seed,
        "n_jobs": threads,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
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
) -> tuple[LightGBMModel, int]:
    """The fitted model and its number of rounds."""
    import lightgbm

    from autometa.families.boosting import PATIENCE

    if parameters["objective"] == "regression":
        model = lightgbm.LGBMRegressor(n_estimators=rounds, **parameters)
    else:  # a fold may lack classes: LightGBM counts those it sees
        objective = "binary" if y.max() == 1 else "multiclass"
        model = lightgbm.LGBMClassifier(n_estimators=rounds, **parameters | {"objective": objective})
    options: dict[str, Any] = {"categorical_feature": list(range(categorical))} if categorical else {}
    callbacks: list[Any] = []
    if validation is not None:
        options["eval_X"], options["eval_y"] = validation
        callbacks.append(lightgbm.early_stopping(PATIENCE, verbose=False))
    if late is not None:
        callbacks.append(_ending(late))
    model.fit(X, y, callbacks=callbacks or None, **options)
    rounds = model.best_iteration_ or rounds
    return LightGBMModel(model.booster_, rounds, parameters["num_leaves"], parameters["n_jobs"]), rounds


class LightGBMModel:
    """A LightGBM booster that answers with a few rounds at a time for all rows.

    The library sends each row through all the trees; where those of many rounds and classes do not stay in the
    processor's cache, that takes three times as long.
    """

    def __init__(self, booster: Any, rounds: int, leaves: int, threads: int) -> None:
        self.booster = booster
        self.rounds = rounds  # of the best, where there was a validation
        self.leaves = leaves
        self.threads = threads

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,), or (n, c) for more than two classes
        """Values; of a classifier what its link function is then given."""
        step = max(CACHED_LEAVES // (self.leaves * self.booster.num_model_per_iteration()), 1)
        parts = (
            self.booster.predict(
                X,
                raw_score=True,
                start_iteration=start,
                num_iteration=min(step, self.rounds - start),
                num_threads=self.threads,
            )
            for start in range(0, self.rounds, step)
        )
        return sum(parts, start=np.zeros(()))

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Probabilities."""
        from scipy.special import expit, softmax

        raw = self.predict(X)
        if raw.ndim == 2:
            return softmax(raw, axis=1)
        return np.column_stack([expit(-raw), expit(raw)])


def _ending(late: Growth) -> Callable[[Any], None]:
    """A callback that ends the training when the time is over, at the best round so far where there is a validation."""
    from lightgbm.callback import EarlyStopException

    best = (math.inf, 0)  # loss, round

    def after(state: Any) -> None:
        nonlocal best
        judged = state.evaluation_result_list or [("", "", -state.iteration, False)]
        best = min(best, (judged[0][2], state.iteration))
        if late():
            raise EarlyStopException(best[1], state.evaluation_result_list or [])

    return after


FAMILY = Family("lightgbm", "LightGBM", space, build, requires="lightgbm")
