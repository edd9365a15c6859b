"""scikit-learn's histogram gradient boosting as a `Booster`, its bins for weighted rows made quickly.

With class weights scikit-learn looks for the edges of the bins among weighted rows by a call for each edge of each
column, before the first tree and again at each piece of a training that ends at a deadline: 9 to 60 times the time of
the trees. Here one call finds the same edges of a column. Bins that do not know the weights are no quicker, and the AUC
is .003 to .005 less on three of four tables, since a rare class gets fewer of them
(`benchmarks/balanced_histograms.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.common import ALMOST_INF

from autometa.families.learners.boosting import BoostingJob


class QuicklyBinnedClassifier(HistGradientBoostingClassifier):
    """`HistGradientBoostingClassifier` that finds all edges of a column's bins at once."""

    def _bin_data(self, X: NDArray[Any], sample_weight: NDArray[Any] | None, is_training_data: bool) -> NDArray[Any]:
        mapper = self._bin_mapper
        if sample_weight is None or not is_training_data or len(X) > mapper.subsample:
            return super()._bin_data(X, sample_weight, is_training_data)  # which draws from so many rows, by weight
        mapper.fit(X)
        most = mapper.n_bins - 1
        for column in np.flatnonzero(mapper.is_categorical_ == 0):
            known = ~np.isnan(X[:, column])
            values = X[known, column]
            if len(np.unique(values)) > most:
                places = np.linspace(0, 100, most + 1)[1:-1]
                edges = np.unique(weighted_percentiles(values, sample_weight[known], places))
                mapper.bin_thresholds_[column] = np.minimum(edges, ALMOST_INF)
                mapper.n_bins_non_missing_[column] = len(edges) + 1
        return mapper.transform(X)


def weighted_percentiles(
    values: NDArray[np.float64],  # (n,) finite
    weights: NDArray[np.float64],  # (n,) above 0
    places: NDArray[np.float64],  # (m,) between 0 and 100
) -> NDArray[np.float64]:  # (m,)
    """The values below which lie so many hundredths of the weight; between two where that is exactly the case.

    As scikit-learn's own for bins of weighted rows, which sorts once for all places and then looks at one at a time.

    Example:
        >>> weighted_percentiles(np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0]), np.array([25.0, 50.0, 90.0]))
        array([1. , 1.5, 3. ])
    """
    order = np.argsort(values)
    values, until = values[order], np.cumsum(weights[order])
    wanted = places / 100 * until[-1]
    found = np.minimum(np.searchsorted(until, wanted), len(values) - 1)
    beyond = until[found] - wanted > np.finfo(np.float64).eps
    return np.where(beyond, values[found], (values[found] + values[np.minimum(found + 1, len(values) - 1)]) / 2)


def train(job: BoostingJob) -> tuple[Any, int]:
    """The fitted model and its number of rounds; the split is ours, the library's own refuses a class of one row."""
    parameters, (X, y, counts), validation = job.parameters, job.rows, job.validation
    of_values = parameters["loss"] in ("squared_error", "quantile")
    learner = HistGradientBoostingRegressor if of_values else QuicklyBinnedClassifier
    model = learner(
        **parameters,
        warm_start=job.deadline is not None,
        early_stopping=validation is not None,
        categorical_features=list(range(job.categorical)) or None,
        monotonic_cst=job.monotonic,
    )
    X = np.where(np.isnan(X).all(axis=0), 0.0, X)  # its binning refuses a column without a value; no split will use it
    held_out: dict[str, Any] = {} if validation is None else {"X_val": validation.X, "y_val": validation.y}
    if validation is not None and counts is not None:
        held_out["sample_weight_val"] = validation.counts
    for until in (job.rounds,) if job.deadline is None else job.deadline.pieces(job.rounds):
        model.max_iter = until
        model.fit(X, y, sample_weight=counts, **held_out)
        if model.n_iter_ < until:  # it stopped by itself
            break
    return model, model.n_iter_
