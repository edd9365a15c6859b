"""How good the model is, by its out-of-fold predictions, and which columns matter to it.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation import Weights, labels_of, threshold_of
from autometa.explain.options import OPTIONS as EXPLAINED
from autometa.report import charts
from autometa.report.findings import calibration, confusion, judged, roc, thinned, threshold_curves
from autometa.report.html import Markup, join, tag
from autometa.report.options import OPTIONS
from autometa.report.parts import Report, figure, fold, table
from autometa.report.words import metric_title, number

if TYPE_CHECKING:
    from autometa.task import Task


def quality(report: Report) -> Markup | None:
    """How the out-of-fold predictions compare with the truth."""
    task, oof = report.task, np.asarray(report.result.oof, dtype=np.float64)
    rows = judged(oof)
    if not rows.any():
        return None
    lead = f"From predictions of {int(rows.sum()):,} rows by models that had not seen them."
    y, prediction = np.asarray(task.y)[rows], oof[rows]
    counted = None if task.weights is None else np.asarray(task.weights)[rows]
    body = (
        _regression_quality(task, y, prediction)
        if task.kind == "regression"
        else _class_quality(task, y, prediction, report.result.weights, counted)
    )
    return join([tag("p", lead, cls="lead"), body])


def _class_quality(
    task: Task, y: NDArray[Any], probability: NDArray[np.float64], weights: Weights, counted: Any = None
) -> Markup:
    names = [str(label) for label in task.classes]
    counts = confusion(y, labels_of(probability, weights), task.c)
    by = "the most probable class"
    if weights and task.kind == "binary":
        by = f"a threshold: {task.positive_label} from {threshold_of(weights, task.positive):.3g}"
    elif weights:
        by = "the least expected cost" if task.costs else "the largest probability after the classes are weighed"
    figures = [
        _confusion_figure(counts, names, by),
        _roc_figure(task, y, probability, names),
        _calibration_figure(task, y, probability),
    ]
    if task.kind == "binary":
        figures.insert(1, _threshold_figure(task, y, probability, names, weights, counted))
    truths, guesses, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    rows = []
    for k in np.argsort(-truths, kind="stable")[: OPTIONS.classes]:
        precision = f"{right[k] / guesses[k]:.3f}" if guesses[k] else "-"
        recall, f1 = right[k] / max(truths[k], 1), 2 * right[k] / max(truths[k] + guesses[k], 1)
        rows.append([names[k], f"{truths[k]:,}", f"{recall:.3f}", precision, f"{f1:.3f}"])
    titles = [("class", "name"), ("rows", "n"), ("recall", "n"), ("precision", "n"), ("F1", "n")]
    figures.append(tag("div", tag("h3", "Class by class"), table(titles, rows)))
    return tag("div", figures, cls="pair")


def _threshold_figure(
    task: Task, y: Any, probability: Any, names: Sequence[str], weights: Weights, counted: Any
) -> Markup:
    """What each threshold would give, and where the one in use stands."""
    one, other = task.positive, 1 - task.positive
    costs = np.asarray(task.costs or (1.0 - np.eye(2)), dtype=np.float64)
    outcomes = (costs[other, other], costs[other, one], costs[one, other], costs[one, one])
    found = threshold_curves(y == one, probability[:, one], costs=outcomes, sample_weight=counted)
    low, high = float(found.cost.min()), float(found.cost.max())
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), f"probability of {names[one]}", "", width=440, height=360)
    used = threshold_of(weights, one)
    frame.path([(used, 0.0), (used, 1.0)], "diagonal")
    height = (found.cost - low) / ((high - low) or 1.0)
    for series, values in enumerate((found.precision, found.recall, height)):
        known = np.isfinite(values)
        frame.path(thinned(found.thresholds[known], values[known]), f"series-{series}")
    what = "cost per row" if task.costs else "share of wrong labels"
    entries = [
        ("line", "series-0", "precision"),
        ("line", "series-1", "recall"),
        ("line", "series-2", f"{what}, from {number(low)} to {number(high)}"),
    ]
    at = int(np.abs(found.thresholds - used).argmin())
    words = f"what each threshold gives; {used:.3g} is used: precision {number(float(found.precision[at]), 3)}, recall "
    words += f"{number(float(found.recall[at]), 3)}, {what} {number(float(found.cost[at]), 3)}"
    return figure("Threshold", tag("div", frame.svg("Threshold"), charts.legend(entries)), words)


def _confusion_figure(counts: NDArray[np.int64], names: Sequence[str], by: str) -> Markup:
    if len(names) <= OPTIONS.classes:
        chart = charts.matrix(counts.tolist(), names, "Confusion matrix")
        return figure("Confusion", chart, f"rows of each true class, by {by}")
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    pairs = []
    for k in np.argsort(-wrong, axis=None, kind="stable")[: OPTIONS.confusions]:
        true, taken = divmod(int(k), len(names))
        if wrong[true, taken]:
            pairs.append((f"{names[true]} → {names[taken]}", float(wrong[true, taken]), f"{wrong[true, taken]:,}"))
    chart = charts.bars(pairs, "Most frequent confusions", width=440, name_share=0.5)
    return figure("Most frequent confusions", chart, "true class → predicted class, in rows")


def _roc_figure(task: Task, y: Any, probability: Any, names: Sequence[str]) -> Markup:
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), "false positive rate", "true positive rate", width=440, height=360)
    frame.path([(0, 0), (1, 1)], "diagonal")
    if task.kind == "binary":
        shown = [task.positive]
    else:
        shown = [int(k) for k in np.argsort(-np.bincount(y, minlength=len(names)), kind="stable")[: charts.SERIES]]
    entries = []
    for series, k in enumerate(shown):
        x, rate, area = roc(y == k, probability[:, k])
        frame.path(thinned(x, rate), f"series-{series}")
        entries.append(("line", f"series-{series}", f"{names[k]}: area {area:.4f}"))
    words = (
        f"for {names[task.positive]} against {names[1 - task.positive]}"
        if task.kind == "binary"
        else "each class against all others"
    )
    return figure("ROC", tag("div", frame.svg("ROC curves"), charts.legend(entries)), words)


def _calibration_figure(task: Task, y: Any, probability: Any) -> Markup:
    binary = task.kind == "binary"
    p = probability[:, task.positive] if binary else probability.max(axis=1)
    hit = (y == task.positive) if binary else (probability.argmax(axis=1) == y)
    points = calibration(hit, p)
    title = f"probability given to {task.positive_label}" if binary else "probability of the predicted class"
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), title, "share that came true", width=440, height=360)
    frame.path([(0, 0), (1, 1)], "diagonal")
    frame.path([(x, share) for x, share, _ in points], "series-0")
    for x, share, rows in points:
        frame.marker(x, share, "circle", "series-0", f"{rows:,} rows: {x:.1%} expected, {share:.1%} came true")
    return figure("Calibration", frame.svg("Calibration"), "on the diagonal, probabilities mean what they say")


def _regression_quality(task: Task, y: Any, prediction: Any) -> Markup:
    rng = np.random.default_rng(0)
    some = np.sort(rng.permutation(len(y))[: OPTIONS.dots])
    words = None if len(some) == len(y) else f"{len(some):,} rows drawn at random"
    low, high = charts.spread([*y[some].tolist(), *prediction[some].tolist()])
    actual = charts.Frame(
        (low, high), (low, high), f"predicted {task.target}", "actual", width=440, height=380, left=70
    )
    actual.path([(low, low), (high, high)], "diagonal")
    residual = y - prediction
    around = charts.Frame(
        charts.spread(prediction[some].tolist()),
        charts.spread(residual[some].tolist()),
        f"predicted {task.target}",
        "residual",
        width=440,
        height=380,
        left=70,
    )
    around.path([(around.x[0], 0.0), (around.x[1], 0.0)], "diagonal")
    for p, truth in zip(prediction[some].tolist(), y[some].tolist(), strict=True):
        tip = f"predicted {number(p)}, actual {number(truth)}"
        actual.marker(p, truth, "circle", "dot", tip, 3)
        around.marker(p, truth - p, "circle", "dot", tip, 3)
    counts, edges = np.histogram(residual, bins=min(40, max(8, round(math.sqrt(len(y))))))
    histogram = charts.columns(edges.tolist(), counts.tolist(), "Distribution of residuals", x_title="residual")
    sizes = np.quantile(np.abs(residual), [0.5, 0.9, 0.99])
    half, nine, most = (number(float(size)) for size in sizes)
    facts = (
        f"half of the rows are off by less than {half}, nine in ten by less than {nine}, 99 in 100 by less than {most}"
    )
    figures = [
        figure("Actual against predicted", actual.svg("Actual against predicted"), words),
        figure("Residuals", around.svg("Residuals against predicted"), "actual less predicted"),
        figure("How far off", histogram, facts),
    ]
    return tag("div", figures, cls="pair")


def importance(report: Report) -> Markup:
    """Permutation importance with its intervals and directions, or why there is none."""
    known, where = report.explanation, shlex.quote(str(report.result.run))
    if not known.importance:
        hint = f"`autometa explain {where}` takes the time to."
        return tag("p", f"{known.words} {hint}", cls="quiet")
    shown = list(known.importance)[: OPTIONS.important]
    sure = [not math.isnan(i.low) for i in shown]
    rows = [(i.column, i.drop, number(i.drop, 2)) for i in shown]
    errors = [(i.drop - i.low) if ok else 0.0 for i, ok in zip(shown, sure, strict=True)]
    chart = charts.bars(rows, "Permutation importance", errors=errors, width=640)
    lead = (
        f"How much {metric_title(report.metric)} gets worse when the values of one column are shuffled. {known.words} "
        "It says what the model needs, not what causes the target; columns that say the same share their importance."
    )
    if any(sure):
        lead += f" The whisker is a {EXPLAINED.coverage:.0%} interval, by what blocks of rows differ."
    if len(shown) < len(known.importance):
        lead += f" The {len(shown)} most important of {len(known.importance)} columns."
    ways = [[i.column, i.direction] for i in shown if i.direction]
    directions = table([("column", "name"), ("the answer", "")], ways) if ways else None
    return join(
        [
            tag("p", lead, cls="lead"),
            tag("figure", tag("div", tag("div", chart, cls="wide"), cls="scroll")),
            fold("Which way each column moves the answer", directions) if ways else None,
        ]
    )
