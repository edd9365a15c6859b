"""The formulas of the metrics, and their catalogue.

Law: a formula gives what `sklearn.metrics.get_scorer(name)` gives, wherever that is defined, in the metric's own unit;
with weights of rows too. To add a metric, write its formula and give it a line in `METRICS`: the tests find
scikit-learn's scorer by its name.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.comparison import Comparison, Metric, Values
from autometa.quantiles import quantile_of


def _share(part: Values, whole: Values) -> Values:
    return part / np.where(whole > 0, whole, 1.0)


def _accuracy(seen: Comparison) -> float:
    return np.trace(seen.confusion) / seen.total


def _recalls(seen: Comparison) -> Values:  # (c,)
    return _share(np.diag(seen.confusion), seen.confusion.sum(axis=1))


def _precisions(seen: Comparison) -> Values:  # (c,)
    return _share(np.diag(seen.confusion), seen.confusion.sum(axis=0))


def _f1s(seen: Comparison) -> Values:  # (c,)
    return _share(2.0 * np.diag(seen.confusion), seen.confusion.sum(axis=0) + seen.confusion.sum(axis=1))


def _occurs(seen: Comparison) -> NDArray[np.bool_]:  # (c,)
    return seen.confusion.sum(axis=0) + seen.confusion.sum(axis=1) > 0


def _balanced_accuracy(seen: Comparison) -> float:
    return _recalls(seen)[seen.support > 0].mean()


def _matthews(seen: Comparison) -> float:
    true, guessed, n = seen.confusion.sum(axis=1), seen.confusion.sum(axis=0), seen.total
    spread = (n * n - guessed @ guessed) * (n * n - true @ true)
    return 0.0 if spread == 0 else (np.trace(seen.confusion) * n - true @ guessed) / np.sqrt(spread)


def _rest(seen: Comparison) -> Values:  # (k,) of the classes that are there and not alone
    present = np.flatnonzero(seen.support > 0)
    if len(present) < 2:
        return np.full(1, np.nan)
    pairs, weights = seen.separation[np.ix_(present, present)], np.tile(seen.support[present], (len(present), 1))
    np.fill_diagonal(weights, 0.0)
    return (pairs * weights).sum(axis=1) / weights.sum(axis=1)


def _rest_weighted(seen: Comparison) -> float:
    each = _rest(seen)
    return float(each @ seen.support[seen.support > 0]) / seen.total if len(each) > 1 else float("nan")


def _pairs(seen: Comparison) -> float:
    present = np.flatnonzero(seen.support > 0)
    pairs = seen.separation[np.ix_(present, present)][~np.eye(len(present), dtype=bool)]
    return pairs.mean() if len(pairs) else float("nan")


def _average_precision(seen: Comparison) -> float:
    p, positives = seen.prediction[:, seen.positive], seen.support[seen.positive]
    if positives == 0:
        return float("nan")
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)  # the end of each run of ties
    counted = np.ones(len(p)) if seen.sample_weight is None else seen.sample_weight[order]
    hits = np.cumsum(counted * (seen.y[order] == seen.positive))[last]
    return float(np.diff(hits / positives, prepend=0.0) @ _share(hits, np.cumsum(counted)[last]))


def _log_loss(seen: Comparison) -> float:
    tiny = np.finfo(np.float64).eps
    return seen.mean(-np.log(np.clip(seen.of_truth, tiny, 1.0 - tiny)))


def _brier(seen: Comparison) -> float:
    squared = (seen.prediction**2).sum(axis=1) - 2.0 * seen.of_truth + 1.0
    return seen.mean(squared) / (2.0 if seen.prediction.shape[1] == 2 else 1.0)


def _of_variance(residual: float, total: float) -> float:
    """One less the share that remains; scikit-learn's finite answers where the truth is constant."""
    return float(1.0 - residual / total) if total > 0 else float(residual == 0)


def _r2(seen: Comparison) -> float:
    if len(seen.y) < 2:
        return float("nan")
    return _of_variance(_squared_error(seen), seen.mean((seen.y - seen.mean(seen.y)) ** 2))


def _explained_variance(seen: Comparison) -> float:
    off = seen.y - seen.prediction
    return _of_variance(seen.mean((off - seen.mean(off)) ** 2), seen.mean((seen.y - seen.mean(seen.y)) ** 2))


def _squared_error(seen: Comparison) -> float:
    return seen.mean((seen.y - seen.prediction) ** 2)


def _absolute_error(seen: Comparison) -> float:
    return seen.mean(np.abs(seen.y - seen.prediction))


def _median_error(seen: Comparison) -> float:
    off = np.abs(seen.y - seen.prediction)
    if seen.sample_weight is None:
        return float(np.median(off))
    known = seen.sample_weight > 0
    return float(np.quantile(off[known], 0.5, weights=seen.sample_weight[known], method="inverted_cdf"))


def _percentage_error(seen: Comparison) -> float:
    return seen.mean(np.abs(seen.y - seen.prediction) / np.maximum(np.abs(seen.y), np.finfo(np.float64).eps))


def _squared_log_error(seen: Comparison) -> float:
    """A prediction of -1 or less has no logarithm, and counts as just above: it costs much, and is defined."""
    if seen.y.min() <= -1:
        return float("nan")
    return seen.mean((np.log1p(seen.y) - np.log1p(np.maximum(seen.prediction, -1.0 + 1e-6))) ** 2)


def _quadratic_kappa(seen: Comparison) -> float:
    apart = np.subtract.outer(np.arange(len(seen.confusion)), np.arange(len(seen.confusion))) ** 2.0
    by_chance = np.outer(seen.confusion.sum(axis=1), seen.confusion.sum(axis=0)) / seen.total
    expected = float((apart * by_chance).sum())
    return 1.0 - float((apart * seen.confusion).sum()) / expected if expected > 0 else float("nan")


def _cost(seen: Comparison) -> float:
    costs = np.asarray(seen.weights)
    return float((seen.confusion * costs).sum() / seen.total) if costs.ndim == 2 else float("nan")


def _deviance(power: float) -> Callable[[Comparison], float]:
    """The mean deviance of Poisson (1) or of Tweedie's distribution, whose variance grows as this power of the mean.

    Predictions that are not above 0 count as a millionth of the mean: a model that is linear in its inputs says such,
    and one of them must not make a score of a whole fold undefined.
    """

    def deviance(seen: Comparison) -> float:
        y = seen.y
        if y.min() < 0 or not y.max() > 0:
            return float("nan")
        p = np.maximum(seen.prediction, 1e-6 * seen.mean(y))
        if power == 1.0:
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = np.where(y > 0, y * np.log(y / p), 0.0)
            return 2.0 * seen.mean(logs - y + p)
        up, down = 2.0 - power, 1.0 - power
        return 2.0 * seen.mean(y**up / (down * up) - y * p**down / down + p**up / up)

    return deviance


_BOTH, _TWO, _MANY, _REAL = (
    frozenset(kinds) for kinds in (("binary", "multiclass"), ("binary",), ("multiclass",), ("regression",))
)


def pinball_metric(name: str) -> Metric | None:
    """The pinball loss of a quantile by its name, such as ``neg_mean_pinball_loss_0.9``; None of any other name.

    Example:
        >>> pinball_metric("neg_mean_pinball_loss_0.9").function([10.0, 0.0], [8.0, 1.0])
        0.95
    """
    quantile = quantile_of(name)
    if quantile is None:
        return None

    def formula(seen: Comparison) -> float:
        beyond = seen.y - seen.prediction
        return seen.mean(np.maximum(quantile * beyond, (quantile - 1.0) * beyond))

    return Metric(name, f"pinball loss at {quantile:g}", frozenset(("regression",)), "value", -1, formula)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _BOTH, "label", 1, _accuracy),
        Metric("balanced_accuracy", "balanced accuracy", _BOTH, "label", 1, _balanced_accuracy),
        Metric("f1", "F1", _TWO, "label", 1, lambda seen: _f1s(seen)[seen.positive]),
        Metric("f1_macro", "macro F1", _BOTH, "label", 1, lambda seen: _f1s(seen)[_occurs(seen)].mean()),
        Metric("f1_weighted", "weighted F1", _BOTH, "label", 1, lambda s: float(_f1s(s) @ s.support) / s.total),
        Metric("precision", "precision", _TWO, "label", 1, lambda seen: _precisions(seen)[seen.positive]),
        Metric("precision_macro", "macro precision", _BOTH, "label", 1, lambda s: _precisions(s)[_occurs(s)].mean()),
        Metric("recall", "recall", _TWO, "label", 1, lambda seen: _recalls(seen)[seen.positive]),
        Metric("recall_macro", "macro recall", _BOTH, "label", 1, lambda seen: _recalls(seen)[_occurs(seen)].mean()),
        Metric("matthews_corrcoef", "Matthews correlation", _BOTH, "label", 1, _matthews),
        Metric("roc_auc", "ROC AUC", _TWO, "probability", 1, lambda seen: seen.area),
        Metric("roc_auc_ovr", "ROC AUC, one against rest", _MANY, "probability", 1, lambda s: _rest(s).mean()),
        Metric("roc_auc_ovr_weighted", "weighted ROC AUC", _MANY, "probability", 1, _rest_weighted),
        Metric("roc_auc_ovo", "ROC AUC, one against one", _MANY, "probability", 1, _pairs),
        Metric("average_precision", "average precision", _TWO, "probability", 1, _average_precision),
        Metric("neg_log_loss", "log loss", _BOTH, "probability", -1, _log_loss),
        Metric("neg_brier_score", "Brier score", _BOTH, "probability", -1, _brier),
        Metric("r2", "R²", _REAL, "value", 1, _r2),
        Metric("explained_variance", "explained variance", _REAL, "value", 1, _explained_variance),
        Metric("neg_root_mean_squared_error", "RMSE", _REAL, "value", -1, lambda s: float(np.sqrt(_squared_error(s)))),
        Metric("neg_mean_squared_error", "MSE", _REAL, "value", -1, _squared_error),
        Metric("neg_mean_absolute_error", "MAE", _REAL, "value", -1, _absolute_error),
        Metric("neg_median_absolute_error", "median absolute error", _REAL, "value", -1, _median_error),
        Metric("neg_mean_absolute_percentage_error", "MAPE", _REAL, "value", -1, _percentage_error),
        Metric("neg_max_error", "largest error", _REAL, "value", -1, lambda s: np.abs(s.y - s.prediction).max()),
        Metric("neg_mean_squared_log_error", "MSLE", _REAL, "value", -1, _squared_log_error),
        Metric("neg_root_mean_squared_log_error", "RMSLE", _REAL, "value", -1, lambda s: _squared_log_error(s) ** 0.5),
    )
}  # fmt: skip

COST = "neg_cost"
# Metrics that no scorer of scikit-learn is named for, computed only where they are asked for, as its other scorers are.
OTHERS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(COST, "cost per row", _BOTH, "label", -1, _cost),
        Metric("quadratic_kappa", "quadratic kappa", _BOTH, "label", 1, _quadratic_kappa),
        Metric("neg_mean_poisson_deviance", "Poisson deviance", _REAL, "value", -1, _deviance(1.0)),
        Metric("neg_mean_tweedie_deviance", "Tweedie deviance (power 1.5)", _REAL, "value", -1, _deviance(1.5)),
    )
}
