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
from autometa.report.findings import calibration, classes_shown, confusion, judged, roc, thinned
from autometa.report.html import Markup, join, tag
from autometa.report.options import OPTIONS
from autometa.report.parts import Report, figure, fold, table
from autometa.report.thresholds import class_table, costs_table, precision_recall_figure, threshold_figure
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
    body = (
        _regression_quality(task, y, prediction)
        if task.kind == "regression"
        else _class_quality(task, y, prediction, report.result.weights)
    )
    if task.weights is not None:
        lead += " Scores count rows by their weights; in these figures each row counts once."
    return join([tag("p", lead, cls="lead"), body])


def _class_quality(task: Task, y: NDArray[Any], probability: NDArray[np.float64], weights: Weights) -> Markup:
    names = [str(label) for label in task.classes]
    counts = confusion(y, labels_of(probability, weights), task.c)
    by = "the most probable class"
    if weights and task.kind == "binary":
        by = f"a threshold: {task.positive_label} from {threshold_of(weights, task.positive):.3g}"
    elif weights:
        by = "the least expected cost" if task.costs else "the largest probability after the classes are weighed"
    many = len(names) > OPTIONS.narrow_classes
    confused = _confusion_figure(counts, names, by, width=920 if many else 440)
    figures = [
        None if many else confused,
        _roc_figure(task, y, probability, names),
        precision_recall_figure(task, y, probability, names),
        _calibration_figure(task, y, probability),
    ]
    if task.kind == "binary":
        limit = threshold_of(weights, task.positive) if weights else 0.5
        figures.append(threshold_figure(task, y, probability, limit))
    wide = tag("div", tag("div", confused, cls="wide"), cls="scroll") if many else None
    costs = costs_table(task, y, probability) if task.kind == "binary" else None
    return join(
        [wide, tag("div", figures, cls="pair"), costs, class_table(task, y, probability, counts, OPTIONS.classes)]
    )


def _confusion_figure(counts: NDArray[np.int64], names: Sequence[str], by: str, *, width: int) -> Markup:
    if len(names) <= OPTIONS.classes:
        chart = charts.matrix(counts.tolist(), names, "Confusion matrix", width=width)
        return figure("Confusion", chart, f"rows of each true class, by {by}")
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    pairs = []
    for k in np.argsort(-wrong, axis=None, kind="stable")[: OPTIONS.confusions]:
        true, taken = divmod(int(k), len(names))
        if wrong[true, taken]:
            pairs.append((f"{names[true]} → {names[taken]}", float(wrong[true, taken]), f"{wrong[true, taken]:,}"))
    chart = charts.bars(pairs, "Most frequent confusions", width=width, name_share=0.5)
    return figure("Most frequent confusions", chart, "true class → predicted class, in rows")


def _roc_figure(task: Task, y: Any, probability: Any, names: Sequence[str]) -> Markup:
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), "false positive rate", "true positive rate", width=440, height=360)
    frame.path([(0, 0), (1, 1)], "diagonal")
    shown = classes_shown(task, y, charts.SERIES)
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
    if task.kind != "binary" and len(shown) < len(names):
        words += f"; the {len(shown)} most frequent of {len(names)}, all of which are in the table"
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
            _dependence(report),
        ]
    )


def _dependence(report: Report) -> Markup | None:
    """The mean answer over the values of each of the most important columns, all on one scale."""
    known = report.explanation.dependence
    if not known:
        return None
    ends = charts.spread([value for one in known for curve in one.curves.values() for value in curve])
    task = report.task
    what = f"mean {task.target}" if task.kind == "regression" else "mean probability"
    if task.c == 2:
        what = f"mean probability of {task.positive_label}"
    words = f"The {what} when one column has the same value in every row, and the others are as they are."
    if task.c > 2:
        words += " The classes that it moves most."
    drawn = []
    for one in known:
        entries = []
        if one.categorical:
            label, curve = next(iter(one.curves.items()))
            rows = [(str(name), value, number(value, 3)) for name, value in zip(one.at, curve, strict=True)]
            chart = charts.bars(rows, f"{what} by {one.column}", width=440)
            drawn.append(figure(one.column, chart, f"of {label}" if task.c > 2 else None))
            continue
        low, high = charts.spread([float(at) for at in one.at], 0.0)
        frame = charts.Frame((low, high), ends, one.column, what, width=440, height=260)
        for series, (label, curve) in enumerate(list(one.curves.items())[: charts.SERIES]):
            points = [(float(x), y) for x, y in zip(one.at, curve, strict=True)]
            frame.path(points, f"series-{series}")
            for x, y in points:
                tip = f"{one.column} {number(x)}: {number(y, 3)}"
                frame.marker(x, y, "circle", f"series-{series}", f"{label}\n{tip}" if task.c > 2 else tip, 3)
            entries.append(("line", f"series-{series}", label))
        legend = charts.legend(entries) if len(entries) > 1 else None
        drawn.append(figure(one.column, tag("div", frame.svg(f"{what} over {one.column}"), legend)))
    return join([tag("h3", "Partial dependence"), tag("p", words, cls="quiet small"), tag("div", drawn, cls="pair")])
