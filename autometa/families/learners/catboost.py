"""CatBoost as a `Booster`, and its model behind the matrix that the other libraries take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.families.learners.boosting import BoostingJob
from autometa.families.learners.truncation import Deadline
from autometa.families.options import OPTIONS


def train(job: BoostingJob) -> tuple[CatBoostModel, int]:
    """The fitted model and its number of rounds."""
    import catboost

    options, rows = dict(job.parameters), job.rows
    if options["loss_function"].startswith(("RMSE", "Quantile")):
        model = catboost.CatBoostRegressor(iterations=job.rounds, **options)
    else:  # a fold may lack classes: those it has decide
        options["loss_function"] = "Logloss" if rows.y.max() == 1 else "MultiClass"
        model = catboost.CatBoostClassifier(iterations=job.rounds, **options)
    if job.monotonic is not None:
        model.set_params(monotone_constraints=list(job.monotonic))
    wrapped = CatBoostModel(model, job.categorical)
    judged: dict[str, Any] = {}
    if job.validation is not None:
        judged = {
            "eval_set": wrapped.pool(*job.validation),
            "early_stopping_rounds": OPTIONS.boosting.patience,
            "use_best_model": True,
        }
    if job.deadline is not None:
        judged["callbacks"] = [_Ending(job.deadline)]
    model.fit(wrapped.pool(*rows), **judged)
    return wrapped, int(model.tree_count_)


class _Ending:
    """A deadline as CatBoost's callback, which says whether to go on."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline

    def after_iteration(self, info: Any) -> bool:
        return not self.deadline()


class CatBoostModel:
    """A CatBoost model that takes the same matrix as the other libraries: category codes first, as floats."""

    def __init__(self, model: Any, categorical: int) -> None:
        self.model = model
        self.categorical = categorical

    def pool(self, X: NDArray[Any], y: NDArray[Any] | None = None, counts: NDArray[Any] | None = None) -> Any:
        """CatBoost wants categories as integers or strings; a missing one is a category of its own, -1."""
        import catboost
        import pandas as pd

        if not self.categorical:
            return catboost.Pool(np.asarray(X, dtype=np.float32), y, weight=counts)
        codes = pd.DataFrame(np.nan_to_num(X[:, : self.categorical], nan=-1.0).astype(np.int32))
        numbers = pd.DataFrame(X[:, self.categorical :].astype(np.float32))
        table = pd.concat([codes, numbers], axis=1, ignore_index=True)
        return catboost.Pool(table, y, weight=counts, cat_features=list(range(self.categorical)))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """Predicted values."""
        return self.model.predict(self.pool(X), thread_count=_threads(X))

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:  # (n, c)
        """Probabilities of all classes."""
        return self.model.predict_proba(self.pool(X), thread_count=_threads(X))


def _threads(X: NDArray[Any]) -> int:
    """One for few rows; else all there are, which is -1."""
    return 1 if len(X) <= OPTIONS.preprocessing.rows_on_one_thread else -1
