"""CatBoost: boosted symmetric trees with ordered statistics of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.families.family import Family, Kind
from autometa.families.growth import Growth
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns


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
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """On the processor whatever `device` says: its GPU learner has other defaults, and other results."""
    from autometa.families.boosting import boosting_pipeline

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
) -> tuple[CatBoostModel, int]:
    """The fitted model and its number of rounds."""
    import catboost

    from autometa.families.boosting import PATIENCE

    options = dict(parameters)
    if options["loss_function"] == "RMSE":
        model = catboost.CatBoostRegressor(iterations=rounds, **options)
    else:  # a fold may lack classes: those it has decide
        options["loss_function"] = "Logloss" if y.max() == 1 else "MultiClass"
        model = catboost.CatBoostClassifier(iterations=rounds, **options)
    wrapped = CatBoostModel(model, categorical)
    judged: dict[str, Any] = {}
    if validation is not None:
        judged = {"eval_set": wrapped.pool(*validation), "early_stopping_rounds": PATIENCE, "use_best_model": True}
    if late is not None:
        judged["callbacks"] = [_Ending(late)]
    model.fit(wrapped.pool(X, y), **judged)
    return wrapped, int(model.tree_count_)


class _Ending:
    """CatBoost's protocol: whether to go on."""

    def __init__(self, late: Growth) -> None:
        self.late = late

    def after_iteration(self, info: Any) -> bool:
        return not self.late()


class CatBoostModel:
    """A CatBoost model that takes the same matrix as the other libraries: category codes first, as floats."""

    def __init__(self, model: Any, categorical: int) -> None:
        self.model = model
        self.categorical = categorical

    def pool(self, X: NDArray[Any], y: NDArray[Any] | None = None) -> Any:
        """CatBoost wants categories as integers or strings; a missing one is a category of its own, -1."""
        import catboost
        import pandas as pd

        if not self.categorical:
            return catboost.Pool(np.asarray(X, dtype=np.float32), y)
        codes = pd.DataFrame(np.nan_to_num(X[:, : self.categorical], nan=-1.0).astype(np.int32))
        numbers = pd.DataFrame(X[:, self.categorical :].astype(np.float32))
        table = pd.concat([codes, numbers], axis=1, ignore_index=True)
        return catboost.Pool(table, y, cat_features=list(range(self.categorical)))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """Values."""
        return self.model.predict(self.pool(X))

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:  # (n, c)
        """Probabilities."""
        return self.model.predict_proba(self.pool(X))


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """A round costs as much as its classes; a thousand rounds of many classes outlast any trial."""
    if n_classes > 30:
        return f"CatBoost's time grows with the classes, and there are {n_classes} (at most 30)"
    return None


FAMILY = Family("catboost", "CatBoost", space, build, requires="catboost", limit=limit)
