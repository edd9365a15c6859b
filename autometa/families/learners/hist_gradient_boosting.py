"""scikit-learn's histogram gradient boosting as a `Booster`."""

from __future__ import annotations

from typing import Any

import numpy as np

from autometa.families.learners.boosting import BoostingJob


def train(job: BoostingJob) -> tuple[Any, int]:
    """The fitted model and its number of rounds; the split is ours, the library's own refuses a class of one row."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    parameters, (X, y), validation = job.parameters, job.rows, job.validation
    learner = HistGradientBoostingRegressor if parameters["loss"] == "squared_error" else HistGradientBoostingClassifier
    model = learner(
        **parameters,
        warm_start=job.deadline is not None,
        early_stopping=validation is not None,
        categorical_features=list(range(job.categorical)) or None,
    )
    X = np.where(np.isnan(X).all(axis=0), 0.0, X)  # its binning refuses a column without a value; no split will use it
    held_out = {} if validation is None else {"X_val": validation[0], "y_val": validation[1]}
    for until in (job.rounds,) if job.deadline is None else job.deadline.pieces(job.rounds):
        model.max_iter = until
        model.fit(X, y, **held_out)
        if model.n_iter_ < until:  # it stopped by itself
            break
    return model, model.n_iter_
