"""LightGBM as a `Booster`, and its model with predictions that stay in the processor's cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.families.learners.boosting import BoostingJob
from autometa.families.learners.truncation import Deadline
from autometa.families.options import OPTIONS


def train(job: BoostingJob) -> tuple[LightGBMModel, int]:
    """The fitted model and its number of rounds."""
    import lightgbm

    parameters, (X, y, counts) = dict(job.parameters), job.rows
    if job.monotonic is not None:
        parameters["monotone_constraints"] = list(job.monotonic)
    if parameters["objective"] in ("regression", "quantile"):
        model = lightgbm.LGBMRegressor(n_estimators=job.rounds, **parameters)
    else:  # a fold may lack classes: LightGBM counts those it sees
        objective = "binary" if y.max() == 1 else "multiclass"
        model = lightgbm.LGBMClassifier(n_estimators=job.rounds, **{**parameters, "objective": objective})
    options: dict[str, Any] = {"categorical_feature": list(range(job.categorical))} if job.categorical else {}
    callbacks: list[Any] = []
    if job.validation is not None:
        options["eval_X"], options["eval_y"], held_counts = job.validation
        options["eval_sample_weight"] = None if held_counts is None else [held_counts]
        callbacks.append(lightgbm.early_stopping(OPTIONS.boosting.patience, verbose=False))
    if job.deadline is not None:
        callbacks.append(_ending(job.deadline))
    model.fit(X, y, sample_weight=counts, callbacks=callbacks or None, **options)
    rounds = model.best_iteration_ or job.rounds
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
        step = max(OPTIONS.boosting.cached_leaves // (self.leaves * self.booster.num_model_per_iteration()), 1)
        few = len(X) * step < OPTIONS.boosting.trees_for_threads  # which takes less than waking other threads
        parts = (
            self.booster.predict(
                X,
                raw_score=True,
                start_iteration=start,
                num_iteration=min(step, self.rounds - start),
                num_threads=1 if few else self.threads,
            )
            for start in range(0, self.rounds, step)
        )
        return sum(parts, start=np.zeros(()))

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Probabilities of all classes."""
        from scipy.special import expit, softmax

        raw = self.predict(X)
        if raw.ndim == 2:
            return softmax(raw, axis=1)
        return np.column_stack([expit(-raw), expit(raw)])


def _ending(deadline: Deadline) -> Callable[[Any], None]:
    """A callback that ends the training when the time is over, at the best round so far where there is a validation."""
    from lightgbm.callback import EarlyStopException

    best = (math.inf, 0)  # loss, round

    def after(state: Any) -> None:
        nonlocal best
        judged = state.evaluation_result_list or [("", "", -state.iteration, False)]
        best = min(best, (judged[0][2], state.iteration))
        if deadline():
            raise EarlyStopException(best[1], state.evaluation_result_list or [])

    return after
