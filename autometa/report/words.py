"""How scores, families and origins are said to a person: in the metric's own unit, by the names the field uses."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autometa.origins import Origin, State

if TYPE_CHECKING:
    from autometa.search import TrialRow
    from autometa.task import Task


def origin_words(origin: str) -> str:
    """What an origin is called in a table; one that is not known here as it is written.

    Example:
        >>> origin_words("similar"), origin_words("oracle")
        ('similar tasks', 'oracle')
    """
    known = Origin.read(origin)
    return origin if known is None else known.label


def state_words(state: str) -> str:
    """How an evaluation ended; a state that is not known here as it is written.

    Example:
        >>> state_words("timeout"), state_words("asleep")
        ('ran out of time', 'asleep')
    """
    known = State.read(state)
    return state if known is None else known.label


def held_out_words(task: Task) -> str:
    """On which rows a model is judged: ``out of fold``, or ``on the validation rows``."""
    return "on the validation rows" if task.validation else "out of fold"


def rows_words(task: Task) -> str:
    """How many rows there are to learn from, and how many beside them to judge by: ``300 rows and 100 to validate``."""
    return counted(task.n_learned, "row") + (f" and {task.validation:,} to validate" if task.validation else "")


def family_label(name: str) -> str:
    """The display name of a family; its own name when it is not in the catalogue.

    Example:
        >>> family_label("lightgbm"), family_label("protonet_0badcafe")  # of one search alone (`autometa.adapting`)
        ('LightGBM', 'Adapted protonet')
    """
    from autometa.families import FAMILIES, QUICK, QUICK_LABEL

    if name == QUICK:
        return QUICK_LABEL
    if name in FAMILIES:
        return FAMILIES[name].label
    learner = re.fullmatch(r"(\w+)_[0-9a-f]{8}", name)
    return name if learner is None else f"Adapted {learner[1]}"


def metric_title(metric: str, positive: str | None = None) -> str:
    """What people call a metric, with the positive class where it is of that: ``RMSE``, ``F1 of 'fraud'``.

    Example:
        >>> metric_title("f1", "fraud"), metric_title("sklearn.metrics:fbeta_score(beta=2, pos_label='yes')")
        ("F1 of 'fraud'", "F-beta (beta=2, pos_label='yes')")
        >>> metric_title("d2_absolute_error_score"), metric_title("neg_my_metrics:net_loss")
        ('D² absolute error', 'net loss')
    """
    from autometa.evaluation.formulas import METRICS, OTHERS, pinball_metric
    from autometa.task import OF_POSITIVE

    known = METRICS.get(metric) or OTHERS.get(metric) or pinball_metric(metric)
    title = _spoken_metric(metric) if known is None else known.title
    return f"{title} of {positive!r}" if positive is not None and metric in OF_POSITIVE else title


# Words of scorers and functions that people write otherwise.
_METRIC_WORDS = {
    "auc": "AUC",
    "roc": "ROC",
    "f1": "F1",
    "r2": "R²",
    "d2": "D²",
    "fbeta": "F-beta",
    "jaccard": "Jaccard",
}
_METRIC_WORDS |= {"rand": "Rand", "fowlkes": "Fowlkes", "mallows": "Mallows", "cohen": "Cohen", "matthews": "Matthews"}


def _spoken_metric(metric: str) -> str:
    """A scorer that has no title of its own, or one's own function, in words: without its module, its sign and "score".

    Keywords that were set stay; how a scorer asks for probabilities is no part of what it measures.
    """
    place, bracket, keywords = metric.removeprefix("neg_").partition("(")
    words = place.rpartition(":")[2].rpartition(".")[2].strip("_").split("_")
    while len(words) > 1 and words[-1] in ("score", "scorer"):
        words.pop()
    said = [one for one in keywords.removesuffix(")").split(", ") if one and not one.startswith("response_method=")]
    title = " ".join(_METRIC_WORDS.get(word, word) for word in words)
    return f"{title} ({', '.join(said)})" if bracket and said else title


def own_unit(metric: str, score: float) -> float:
    """A score (larger is better) in the metric's own unit: an RMSE is positive."""
    from autometa.evaluation import METRICS

    return METRICS[metric].value(score) if metric in METRICS else -score if metric.startswith("neg_") else score


def spoken_score(metric: str, score: float, spread: float | None = None, *, positive: str | None = None) -> str:
    """``ROC AUC 0.9931 ± 0.0042``, in the metric's own unit."""
    return f"{metric_title(metric, positive)} {spoken_value(metric, score, spread)}"


def spoken_value(metric: str, score: float, spread: float | None = None) -> str:
    """A score without the metric's name, in its own unit."""
    value = own_unit(metric, score)
    if spread is None or not math.isfinite(spread):
        return number(value)
    return f"{number(value)} ± {number(spread, digits=2)}"


def score_words(trial: TrialRow, metric: str) -> str:
    """A trial's score in the metric's own unit, with its standard deviation over the folds."""
    return spoken_value(metric, trial.evaluation.scores[metric], fold_spread(trial, metric))


def fold_spread(trial: TrialRow, metric: str) -> float | None:
    """Standard deviation of a trial's score over its folds; None with fewer than two."""
    folds = [f for f in trial.evaluation.folds.get(metric, ()) if math.isfinite(f)]
    if len(folds) < 2:
        return None
    mean = sum(folds) / len(folds)
    return math.sqrt(sum((f - mean) ** 2 for f in folds) / len(folds))


def metric_heading(metric: str, positive: str | None = None) -> str:
    """A metric, and which way is better: ``RMSE ↓``."""
    return f"{metric_title(metric, positive)} {'↑' if own_unit(metric, 1.0) > 0 else '↓'}"


def number(value: Any, digits: int = 4) -> str:
    """A number with at least `digits` significant digits, without an exponent where that reads well.

    Example:
        >>> [number(v) for v in (0.98765432, 1234567.8, 52.03641, 0.00001234, 3, True, float("nan"))]
        ['0.9877', '1,234,568', '52.04', '1.234e-05', '3', 'True', '-']
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        try:
            value = value if isinstance(value, bool) else value.item()
        except AttributeError:
            return str(value)
        if isinstance(value, bool):
            return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "-" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 11:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(digits - 1 - size, 0)}f}"


def written(value: Any) -> str:
    """A number of a table as people write it: whole ones whole, points between thousands from 10,000 on, years plain.

    Example:
        >>> [written(v) for v in (1982.0, 144982.0, 0.123456, 7.0)]
        ['1982', '144,982', '0.1235', '7']
    """
    value = float(value)
    if not math.isfinite(value) or value != round(value) or abs(value) >= 1e15:
        return number(value)
    return f"{value:.0f}" if abs(value) < 1e4 else f"{value:,.0f}"


def setting(value: Any) -> str:
    """A parameter's value, short enough to compare and exact enough to copy.

    Example:
        >>> [setting(v) for v in (0.0001, 1000, 0.123456, None, "gini", False, 144982.4)]
        ['0.0001', '1000', '0.1235', 'None', 'gini', 'False', '144982']
    """
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def own_parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's own parameters, without the family before their names.

    Example:
        >>> own_parameters({"family": "knn", "knn.n_neighbors": 5}), own_parameters({"x": 0.5})
        ({'n_neighbors': 5}, {'x': 0.5})
    """
    prefix = f"{config['family']}." if "family" in config else ""
    return {name.removeprefix(prefix): value for name, value in config.items() if name != "family"}


def counted(count: int, noun: str) -> str:
    """A number of things.

    Example:
        >>> counted(1, "task"), counted(1200, "task")
        ('1 task', '1,200 tasks')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def spoken_seconds(seconds: float) -> str:
    """A duration as it is said.

    Example:
        >>> [spoken_seconds(s) for s in (0.012, 4.25, 59.96, 83, 7325)]
        ['12 ms', '4.2 s', '1:00', '1:23', '2:02:05']
    """
    if not math.isfinite(seconds):
        return "-"
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def spoken_bytes(count: float) -> str:
    """An amount of memory as it is said.

    Example:
        >>> spoken_bytes(999), spoken_bytes(2_500_000)
        ('999 B', '2.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def evidence_values(evidence: Any) -> dict[str, Any]:
    """A piece of evidence (`transfer.Evidence`, or one read back from a run) by the names of its fields."""
    values = (
        dict(evidence) if isinstance(evidence, dict) else {name: getattr(evidence, name) for name in evidence.__slots__}
    )
    return {"similarity": None, "agrees": (), "score": None, **values}


def meta_feature_words(name: str) -> str:
    """What a meta-feature measures, in a sentence; empty for one that is not known here.

    Example:
        >>> meta_feature_words("gravity"), meta_feature_words("charm")
        ('Euclidean distance ...', '')
    """
    from autometa.metafeatures import GROUPS

    docstrings = (feature.__doc__ for features in GROUPS.values() for feature in features if feature.__name__ == name)
    return (next(docstrings, None) or "").split("\n", 1)[0].replace("`", "")
