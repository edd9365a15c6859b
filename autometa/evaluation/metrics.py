"""What a prediction is worth, under scikit-learn's scorer names.

A score is larger when it is better, always; a `Metric` knows its sign and its unit. Classification is
judged by probabilities (n, c), whose most probable class is the label unless classes are weighed (`decision`);
regression by values (n,). Every metric that a
prediction allows is computed at once from one `Comparison`, which counts the confusion and ranks the probabilities
only once: some twenty scikit-learn calls would cost more than many a fit.

Law: a score equals that of `sklearn.metrics.get_scorer(name)` wherever that is defined. Where a fold lacks a class, the
ranking metrics average over the classes that are there; what is undefined (one class only) is NaN, never a warning.
Formulas and catalogue stand in `formulas`. Any other scorer of scikit-learn can be asked for by its name (`scorers`),
and is computed only then.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from autometa.errors import InputError, Problem, did_you_mean
from autometa.evaluation.comparison import Comparison, Metric, Weights
from autometa.evaluation.custom import custom_metric, custom_takes_weights, is_custom
from autometa.evaluation.formulas import COST, METRICS, OTHERS, pinball_metric
from autometa.evaluation.scorers import scorer_metric, scorer_takes_weights
from autometa.quantiles import pinball_name, quantile_of

if TYPE_CHECKING:
    from autometa.task import Kind, Task


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
    if is_custom(name):
        return (custom_metric(name.strip()).name,)
    asked = _folded(name)
    if (pinball := pinball_name(asked)) is not None:
        return (pinball,)
    meant = (asked,) if asked in METRICS or asked in OTHERS else _BY_STEM.get(_stem(asked), ())
    if meant or (found := scorer_metric(asked)) is None:
        return meant
    return (found.name,)


def _known(name: str) -> Metric:
    """A metric by its own name: one of ours, or what a scorer of scikit-learn says."""
    metric = METRICS.get(name) or OTHERS.get(name) or pinball_metric(name)
    metric = metric or (custom_metric(name) if is_custom(name) else scorer_metric(name))
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

    See Also:
        `resolve_metric`.

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

    See Also:
        `metric_for`, `score`.

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

    See Also:
        `resolve_metric`.

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
    if is_custom(metric):
        _try(metric, task)


def _try(metric: str, task: Task) -> None:
    """Asks a metric of one's own once, for the truth itself and a little beside it.

    Raises:
        InputError: It raises, or gives no number.
    """
    y = np.asarray(task.y)[:200]
    said = 0.9 * np.eye(task.c)[y] + 0.1 / task.c if task.c else y + 0.1 * y.std()
    counts = None if task.weights is None else np.asarray(task.weights)[:200]
    try:
        found = score(metric, y, said, task.c, positive=task.positive, sample_weight=counts, classes=task.classes)
    except Exception as error:  # somebody's function raises anything
        raise InputError(Problem("metric", f"{metric} raises {type(error).__name__}: {error}")) from error
    if not np.isfinite(found):
        raise InputError(Problem("metric", f"{metric} gives {found}, and not a number"))


def takes_weights(metric: str) -> bool:
    """Whether a metric can count some rows more than others.

    Example:
        >>> takes_weights("roc_auc"), takes_weights("neg_max_error"), takes_weights("jaccard_macro")
        (True, False, True)
    """
    if is_custom(metric):
        return custom_takes_weights(metric)
    ours = metric in OTHERS or quantile_of(metric) is not None
    return ours or (metric in METRICS and metric != "neg_max_error") or scorer_takes_weights(metric)


def judges_labels(metric: str) -> bool:
    """Whether a metric judges labels, rather than probabilities or values.

    See Also:
        `fit_weights`, `resolve_metric`.

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
    classes: Sequence[Any] = (),
) -> float:
    """One score, larger is better; NaN where undefined. Quick: a greedy ensemble asks thousands of times.

    `prediction` is (n, c) probabilities, or (n,) values for regression, where `n_classes` is 0; `positive`,
    `weights`, `sample_weight` and `classes` as in `Comparison`.

    See Also:
        `score_all`, `resolve_metric`.

    Example:
        >>> score("neg_root_mean_squared_error", [1.0, 2.0], [1.0, 4.0]).__round__(3)
        -1.414
    """
    chosen = _known(metric)
    seen = Comparison(
        y,
        prediction,
        positive=positive,
        weights=weights,
        sample_weight=sample_weight,
        classes=classes,
    )
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
    classes: Sequence[Any] = (),
) -> dict[str, float]:
    """Every score of `METRICS` that a task of this kind allows, and another asked for; larger is better, or NaN.

    See Also:
        `score`.

    Example:
        >>> score_all("regression", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])["r2"]
        1.0
    """
    seen = Comparison(
        y,
        prediction,
        positive=positive,
        weights=weights,
        sample_weight=sample_weight,
        classes=classes,
    )
    metrics = {name: metric for name, metric in METRICS.items() if kind in metric.kinds}
    if also is not None and also not in METRICS:
        metrics[also] = _known(also)
    if np.ndim(weights) == 2:
        metrics[COST] = OTHERS[COST]
    return {name: metric.sign * float(metric.formula(seen)) for name, metric in metrics.items()}
