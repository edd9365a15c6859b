"""What a prediction is worth, under scikit-learn's scorer names.

A score is larger when it is better, always; a `Metric` knows its sign and its unit. Classification is
judged by probabilities (n, c), whose most probable class is the label unless classes are weighed (`decision`);
regression by values (n,). Every metric that a
prediction allows is computed at once from one `Comparison`, which counts the confusion and ranks the probabilities
only once: some twenty scikit-learn calls would cost more than many a fit.

Law: a score equals that of `sklearn.metrics.get_scorer(name)` wherever that is defined. Where a fold lacks a class, the
ranking metrics average over the classes that are there; what is undefined (one class only) is NaN, never a warning.
To add a metric, write its formula and give it a line in `METRICS`: the tests find scikit-learn's scorer by its name.
Any other scorer of scikit-learn can be asked for by its name (`scorers`), and is computed only then.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.evaluation.comparison import Comparison, Metric, Values, Weights
from autometa.evaluation.scorers import scorer_metric, scorer_takes_weights

if TYPE_CHECKING:
    from autometa.task import Kind, Task


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

_ALIASES: dict[str, tuple[str, ...]] = {  # the first that fits the kind is meant
    "auc": ("roc_auc", "roc_auc_ovr"),
    "rocauc": ("roc_auc", "roc_auc_ovr"),
    "ap": ("average_precision",),
    "pr_auc": ("average_precision",),
    "acc": ("accuracy",),
    "bacc": ("balanced_accuracy",),
    "balanced_acc": ("balanced_accuracy",),
    "macro_f1": ("f1_macro",),
    "weighted_f1": ("f1_weighted",),
    "mcc": ("matthews_corrcoef",),
    "logloss": ("neg_log_loss",),
    "cross_entropy": ("neg_log_loss",),
    "brier": ("neg_brier_score",),
    "rmse": ("neg_root_mean_squared_error",),
    "mse": ("neg_mean_squared_error",),
    "mae": ("neg_mean_absolute_error",),
    "medae": ("neg_median_absolute_error",),
    "mape": ("neg_mean_absolute_percentage_error",),
    "msle": ("neg_mean_squared_log_error",),
    "rmsle": ("neg_root_mean_squared_log_error",),
    "poisson": ("neg_mean_poisson_deviance",),
    "poisson_deviance": ("neg_mean_poisson_deviance",),
    "tweedie": ("neg_mean_tweedie_deviance",),
    "tweedie_deviance": ("neg_mean_tweedie_deviance",),
    "qwk": ("quadratic_kappa",),
    "kappa": ("quadratic_kappa",),
    "quadratic_weighted_kappa": ("quadratic_kappa",),
    "cost": (COST,),
}


def _stem(name: str) -> str:
    return name.removeprefix("neg_").removesuffix("_loss").removesuffix("_score")


_FROM_ZERO = frozenset((
    "neg_mean_squared_log_error", "neg_root_mean_squared_log_error", "neg_mean_poisson_deviance",
    "neg_mean_tweedie_deviance",
))  # fmt: skip
_BY_STEM = {_stem(name): (name,) for name in (*METRICS, *OTHERS)} | {
    _stem(alias): names for alias, names in _ALIASES.items()
}


def _folded(name: str) -> str:
    return str(name).strip().casefold().replace("-", "_").replace(" ", "_")


def _meant(name: str) -> tuple[str, ...]:
    asked = _folded(name)
    meant = (asked,) if asked in METRICS or asked in OTHERS else _BY_STEM.get(_stem(asked), ())
    if meant or (found := scorer_metric(asked)) is None:
        return meant
    return (found.name,)


def _known(name: str) -> Metric:
    """A metric by its own name: one of ours, or what a scorer of scikit-learn says."""
    metric = METRICS.get(name) or OTHERS.get(name) or scorer_metric(name)
    if metric is None:
        raise KeyError(name)
    return metric


class _Kinds(Mapping[str, frozenset[str]]):
    """The kinds of task that a metric serves, by any name that `resolve_metric` takes; the usual ones are listed."""

    def __getitem__(self, name: str) -> frozenset[str]:
        if not (meant := _meant(name)):
            raise KeyError(name)
        return frozenset().union(*(_known(known).kinds for known in meant))

    def __iter__(self) -> Iterator[str]:
        return iter((*METRICS, *_ALIASES))

    def __len__(self) -> int:
        return len(METRICS) + len(_ALIASES)


METRIC_KINDS: Mapping[str, frozenset[str]] = _Kinds()


def metric_for(kind: Kind) -> str:
    """The metric of a task that names none: AUC, log loss or RMSE (the AutoML Benchmark's convention).

    Example:
        >>> metric_for("multiclass")
        'neg_log_loss'
    """
    from autometa.task import DEFAULT_METRICS

    return DEFAULT_METRICS[kind]


def resolve_metric(name: str, kind: Kind) -> str:
    """The scorer name that is meant: exact, without its ``neg_`` or ``_score``, or one of the usual short forms.

    Raises:
        InputError: If the metric is unknown, or does not fit a task of this kind; lists those that do.

    Example:
        >>> resolve_metric("RMSE", "regression"), resolve_metric("auc", "multiclass")
        ('neg_root_mean_squared_error', 'roc_auc_ovr')
    """
    meant = _meant(name)
    fitting = [known for known, metric in METRICS.items() if kind in metric.kinds]
    for known in meant:
        if kind in _known(known).kinds:
            return known
    listing = f"Known for a {kind} task: {', '.join(fitting)}."
    if not meant:
        hint = did_you_mean(_folded(name), [*fitting, *_ALIASES])
        raise InputError(Problem("metric", f"{name!r} is unknown", f"{hint} {listing}".strip()))
    instead = next((known for known in fitting if known.startswith(meant[0])), None)
    hint = f"Did you mean {instead!r}?" if instead else ""
    raise InputError(Problem("metric", f"{name!r} does not fit a {kind} task", f"{hint} {listing}".strip()))


def check_metric(metric: str, task: Task) -> None:
    """Refuses a metric that is not defined for what a task holds.

    Args:
        metric: A scorer name that fits its kind.
        task: With its target, classes, costs and weights.

    Raises:
        InputError: It is not: logarithms of negative targets, percentages of 0, an order that classes do not have.

    Example:
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(20.0).reshape(10, 2), y=np.arange(10.0) - 3.5)
        >>> check_metric("neg_root_mean_squared_log_error", task)
        Traceback (most recent call last):
        autometa.errors.InputError: metric: RMSLE is of targets from 0 up, and 4 of 10 are negative, the least -3.5. ...
    """
    y, title, what, fix = np.asarray(task.y), metric.removeprefix("neg_").replace("_", " "), "", ""
    known = METRICS.get(metric) or OTHERS.get(metric)
    title = title if known is None else known.title
    below = int((y < 0).sum()) if task.kind == "regression" else 0
    if metric in _FROM_ZERO and below:
        what = f"{title} is of targets from 0 up, and {below} of {len(y)} are negative, the least {y.min():g}"
        fix = "Leave these rows out, or choose another, such as rmse."
    elif metric in _FROM_ZERO and "deviance" in metric and not y.max() > 0:
        what, fix = f"{title} is of targets of which one at least is above 0", "Choose another, such as rmse."
    elif metric == "neg_mean_gamma_deviance" and not y.min() > 0:
        what = f"the Gamma deviance is of targets above 0, and {int((y <= 0).sum())} of {len(y)} are not"
        fix = "Choose tweedie, which takes zeros, or rmse."
    elif metric == "neg_mean_absolute_percentage_error" and not np.all(y):
        what = f"{title} divides by the target, which is 0 in {int((y == 0).sum())} of {len(y)} rows"
        fix = "Leave these rows out, or choose mae."
    elif metric == "quadratic_kappa" and task.c > 2 and any(isinstance(one, str) for one in task.classes):
        what = f"{title} is of classes that have an order, and texts such as {task.classes[0]!r} say none"
        fix = "Number them in their order, 1, 2, 3."
    elif metric == COST and not task.costs:
        what, fix = "it is not said what mistakes cost", "Name a file with --costs FILE (costs=)."
    elif task.weights is not None and not takes_weights(metric):
        what, fix = f"{title} takes no weights of rows", "Choose another, or leave out --weight (sample_weight=)."
    if what:
        raise InputError(Problem("metric", what, fix))


def takes_weights(metric: str) -> bool:
    """Whether a metric can count some rows more than others.

    Example:
        >>> takes_weights("roc_auc"), takes_weights("neg_max_error"), takes_weights("jaccard_macro")
        (True, False, True)
    """
    return metric in OTHERS or (metric in METRICS and metric != "neg_max_error") or scorer_takes_weights(metric)


def judges_labels(metric: str) -> bool:
    """Whether a metric judges labels, rather than probabilities or values.

    Example:
        >>> judges_labels("f1"), judges_labels("roc_auc"), judges_labels("jaccard_macro"), judges_labels("r2")
        (True, False, True, False)
    """
    return _known(metric).needs == "label"


def score(
    metric: str,
    y: ArrayLike,
    prediction: ArrayLike,
    n_classes: int = 0,
    *,
    positive: int = 1,
    weights: Weights = (),
    sample_weight: ArrayLike | None = None,
) -> float:
    """One score, larger is better; NaN where undefined. Quick: a greedy ensemble asks thousands of times.

    `prediction` is (n, c) probabilities, or (n,) values for regression, where `n_classes` is 0; `positive`,
    `weights` and `sample_weight` as in `Comparison`.

    Example:
        >>> score("neg_root_mean_squared_error", [1.0, 2.0], [1.0, 4.0]).__round__(3)
        -1.414
    """
    chosen = _known(metric)
    seen = Comparison(y, prediction, positive=positive, weights=weights, sample_weight=sample_weight)
    return chosen.sign * float(chosen.formula(seen))


def score_all(
    kind: Kind,
    y: ArrayLike,
    prediction: ArrayLike,
    n_classes: int = 0,
    *,
    also: str | None = None,
    positive: int = 1,
    weights: Weights = (),
    sample_weight: ArrayLike | None = None,
) -> dict[str, float]:
    """Every score of `METRICS` that a task of this kind allows, and another asked for; larger is better, or NaN.

    Example:
        >>> score_all("regression", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])["r2"]
        1.0
    """
    seen = Comparison(y, prediction, positive=positive, weights=weights, sample_weight=sample_weight)
    metrics = {name: metric for name, metric in METRICS.items() if kind in metric.kinds}
    if also is not None and also not in METRICS:
        metrics[also] = _known(also)
    if np.ndim(weights) == 2:
        metrics[COST] = OTHERS[COST]
    return {name: metric.sign * float(metric.formula(seen)) for name, metric in metrics.items()}
