"""scikit-learn's histogram gradient boosting as a `Booster`, its bins made without weights.

With class weights scikit-learn looks for the edges of the bins among the weighted rows, by a call for each edge of each
column, before the first tree and again at each piece of a training that ends at a deadline: 9 to 60 times the time of
the trees (`benchmarks/balanced_histograms.py`). Where an edge lies matters little, what a row weighs matters in the
gradients, and there it stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from autometa.families.learners.boosting import BoostingJob


class EvenlyBinnedClassifier(HistGradientBoostingClassifier):
    """`HistGradientBoostingClassifier` whose bins hold the same numbers of rows, whatever these weigh."""

    def _bin_data(self, X: NDArray[Any], sample_weight: NDArray[Any] | None, is_training_data: bool) -> NDArray[Any]:
        return super()._bin_data(X, None, is_training_data)


def train(job: BoostingJob) -> tuple[Any, int]:
    """The fitted model and its number of rounds; the split is ours, the library's own refuses a class of one row."""
    parameters, (X, y), validation = job.parameters, job.rows, job.validation
    learner = HistGradientBoostingRegressor if parameters["loss"] == "squared_error" else EvenlyBinnedClassifier
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
