"""XGBoost as a `Booster`."""

from __future__ import annotations

from typing import Any

from autometa.families.learners.boosting import BoostingJob
from autometa.families.learners.truncation import Deadline
from autometa.families.options import OPTIONS


def train(job: BoostingJob) -> tuple[Any, int]:
    """The fitted model and its number of rounds."""
    import xgboost

    options, (X, y, counts) = dict(job.parameters), job.rows
    if job.categorical:
        options |= {
            "enable_categorical": True,
            "feature_types": ["c"] * job.categorical + ["q"] * (X.shape[1] - job.categorical),
        }
    if job.monotonic is not None:
        options["monotone_constraints"] = job.monotonic
    if job.validation is not None:
        options["early_stopping_rounds"] = OPTIONS.boosting.patience
    if job.deadline is not None:
        options["callbacks"] = [_ending(job.deadline)]
    if options["objective"] == "classification":  # a fold may lack classes: those it has decide
        options["objective"] = "binary:logistic" if y.max() == 1 else "multi:softprob"
        model = xgboost.XGBClassifier(n_estimators=job.rounds, **options)
    else:
        model = xgboost.XGBRegressor(n_estimators=job.rounds, **options)
    held: dict[str, Any] = {}
    if job.validation is not None:
        held["eval_set"] = [(job.validation.X, job.validation.y)]
        if job.validation.counts is not None:
            held["sample_weight_eval_set"] = [job.validation.counts]
    model.fit(X, y, sample_weight=counts, verbose=False, **held)
    model.callbacks = None  # not to be pickled with it
    stopped_early = job.validation is not None
    return model, model.best_iteration + 1 if stopped_early else model.get_booster().num_boosted_rounds()


def _ending(deadline: Deadline) -> Any:
    """A callback that ends the training when the time is over."""
    import xgboost

    class Ending(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return deadline()

    return Ending()
