"""XGBoost: boosted trees grown level by level on histograms, with native categories and missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autometa.families.family import Family, Kind
from autometa.families.growth import Growth
from autometa.space import Config, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns

NONE = 1e-4  # the low end of a regularisation range stands for the library's default, 0


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
        reg_alpha=real(NONE, 10.0, NONE, log=True),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """On the processor whatever `device` says: the wheel that this package asks for is built without a GPU."""
    from autometa.families.boosting import boosting_pipeline

    parameters = dict(config)
    rounds, early_stop = parameters.pop("n_estimators"), parameters.pop("early_stop")
    parameters |= {
        "objective": "reg:squarederror" if kind == "regression" else "classification",
        "reg_alpha": 0.0 if config["reg_alpha"] <= NONE else config["reg_alpha"],
        "random_state": seed,
        "n_jobs": threads,
        "tree_method": "hist",
        "verbosity": 0,
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
) -> tuple[Any, int]:
    """The fitted model and its number of rounds."""
    import xgboost

    from autometa.families.boosting import PATIENCE

    options = dict(parameters)
    if categorical:
        options |= {
            "enable_categorical": True,
            "feature_types": ["c"] * categorical + ["q"] * (X.shape[1] - categorical),
        }
    if validation is not None:
        options["early_stopping_rounds"] = PATIENCE
    if late is not None:
        options["callbacks"] = [_ending(late)]
    if options["objective"] == "classification":  # a fold may lack classes: those it has decide
        options["objective"] = "binary:logistic" if y.max() == 1 else "multi:softprob"
        model = xgboost.XGBClassifier(n_estimators=rounds, **options)
    else:
        model = xgboost.XGBRegressor(n_estimators=rounds, **options)
    model.fit(X, y, eval_set=None if validation is None else [validation], verbose=False)
    model.callbacks = None  # not to be pickled with it
    return model, model.get_booster().num_boosted_rounds() if validation is None else model.best_iteration + 1


def _ending(late: Growth) -> Any:
    """A callback that ends the training when the time is over."""
    import xgboost

    class Ending(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return late()

    return Ending()


FAMILY = Family("xgboost", "XGBoost", space, build, requires="xgboost")
