"""What a threshold buys: precision and recall, and what mistakes cost, of the positive class.

Letters:  n rows · c classes · k thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.report import charts
from autometa.report.findings import classes_shown, precision_recall, thinned
from autometa.report.html import Markup, join, tag
from autometa.report.parts import figure, table
from autometa.report.words import held_out_words, number

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]
RATIOS = (1, 3, 10, 30, 100)  # what a missed positive may cost, in false alarms, where nobody says


def precision_recall_figure(task: Task, y: NDArray[Any], probability: Values, names: Sequence[str]) -> Markup:
    """Precision over recall, of the positive class, or of each of the most frequent against all others."""
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), "recall", "precision", width=440, height=360)
    shown = classes_shown(task, y, charts.SERIES)
    entries = []
    for series, k in enumerate(shown):
        recall, precision, average = precision_recall(y == k, probability[:, k])
        frame.path(thinned(recall, precision), f"series-{series}")
        entries.append(("line", f"series-{series}", f"{names[k]}: average precision {average:.4f}"))
    if task.kind == "binary":
        share = float((y == task.positive).mean())
        frame.path([(0.0, share), (1.0, share)], "diagonal")
        words = f"for {names[task.positive]}; the dashed line, {share:.1%}, is what chance would give"
    else:
        words = "each class against all others"
        if len(shown) < len(names):
            words += f"; the {len(shown)} most frequent of {len(names)}, all of which are in the table"
    chart = tag("div", frame.svg("Precision and recall"), charts.legend(entries))
    return figure("Precision and recall", chart, words)


def threshold_figure(task: Task, y: NDArray[Any], probability: Values, limit: float) -> Markup:
    """Precision, recall and F1 at every threshold, what mistakes cost where it is said, and which is the model's."""
    positive, p = y == task.positive, probability[:, task.positive]
    at, caught, alarms = counts_at(positive, p)
    total = max(int(positive.sum()), 1)
    recall = caught / total
    precision = caught / np.maximum(caught + alarms, 1)
    f1 = 2 * caught / np.maximum(total + caught + alarms, 1)
    title = f"probability from which a row is {task.positive_label}"
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), title, "", width=440, height=360)
    shown = (caught + alarms) > 0
    for series, values in enumerate((precision, recall, f1)):
        frame.path(thinned(at[shown], values[shown]), f"series-{series}")
    x = frame.across(limit)
    frame.shapes.append(tag("line", x1=x, x2=x, y1=frame.top, y2=frame.height - frame.bottom, cls="budget"))
    entries = [("line", f"series-{k}", name) for k, name in enumerate(("precision", "recall", "F1"))]
    if task.costs:
        hit, missed, alarm, rest = _costs_of(task)
        cost = (hit * caught + missed * (total - caught) + alarm * alarms + rest * (len(y) - total - alarms)) / len(y)
        low, high = float(cost.min()), float(cost.max())
        frame.path(thinned(at, (cost - low) / ((high - low) or 1.0)), "series-3")
        entries.append(("line", "series-3", f"cost per row, from {number(low, 3)} to {number(high, 3)}"))
    words = f"the dashed line is the model's, {limit:.3g}; predict --threshold takes another"
    return figure("Thresholds", tag("div", frame.svg("Thresholds"), charts.legend(entries)), words)


def costs_table(task: Task, y: NDArray[Any], probability: Values) -> Markup:
    """Which threshold costs least, by what a missed positive costs; by what was said, where it was said."""
    positive, p = y == task.positive, probability[:, task.positive]
    at, caught, alarms = counts_at(positive, p)
    total, n = int(positive.sum()), len(y)
    rows = []
    if task.costs:
        rows.append(["as was said", *_cheapest(at, caught, alarms, total, n, _costs_of(task))])
    for ratio in RATIOS:
        said = "as much as a false alarm" if ratio == 1 else f"{ratio} times as much"
        rows.append([said, *_cheapest(at, caught, alarms, total, n, (0.0, float(ratio), 1.0, 0.0))])
    titles = [
        (f"a missed {task.positive_label} costs", ""),
        ("best threshold", "n"),
        ("precision", "n"),
        ("recall", "n"),
        ("rows taken for it", "n"),
        ("cost a row", "n"),
    ]
    where = held_out_words(task)
    words = f"Where each mistake has its price, the best threshold is the one that costs least, {where}."
    return tag("div", tag("h3", "What mistakes cost"), tag("p", words, cls="quiet small"), table(titles, rows))


def counts_at(positive: NDArray[np.bool_], p: Values) -> tuple[Values, Values, Values]:  # (n,), (n,) -> (k,) each
    """Thresholds, from the strictest on, and how many positives and how many others are at or above each.

    Example:
        >>> [values.tolist() for values in counts_at(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))]
        [[1.0, 0.9, 0.5], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]]
    """
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)  # the end of each run of ties
    caught = np.cumsum(positive[order])[last].astype(np.float64)
    at, above = p[order][last], last + 1.0
    if at[0] < 1.0:  # at 1 no row is
        at, caught, above = np.append(1.0, at), np.append(0.0, caught), np.append(0.0, above)
    return at, caught, above - caught


def _costs_of(task: Task) -> tuple[float, float, float, float]:
    """What a caught positive, a missed one, a false alarm and a rightly left row cost, as was said."""
    costs, own, other = np.asarray(task.costs, dtype=np.float64), task.positive, 1 - task.positive
    return costs[own, own], costs[own, other], costs[other, own], costs[other, other]


def _cheapest(
    at: Values, caught: Values, alarms: Values, total: int, n: int, costs: tuple[float, float, float, float]
) -> list[str]:
    """The threshold that costs least: itself, precision, recall, rows, cost; costs of caught, missed, alarm, rest."""
    hit, missed, alarm, rest = costs
    cost = hit * caught + missed * (total - caught) + alarm * alarms + rest * (n - total - alarms)
    k = int(cost.argmin())
    taken = caught[k] + alarms[k]
    precision = f"{caught[k] / taken:.3f}" if taken else "-"
    recall = f"{caught[k] / total:.3f}" if total else "-"
    return [number(float(at[k]), 3), precision, recall, f"{int(taken):,}", number(float(cost[k] / n), 3)]


def class_table(task: Task, y: NDArray[Any], probability: Values, counts: NDArray[Any], shown: int) -> Markup:
    """Recall, precision, F1, AUC and average precision of every class; many are folded."""
    from autometa.report.findings import roc
    from autometa.report.parts import fold

    names = [str(label) for label in task.classes]
    truths, guesses, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    rows = []
    for k in np.argsort(-truths, kind="stable"):
        precision = f"{right[k] / guesses[k]:.3f}" if guesses[k] else "-"
        recall, f1 = right[k] / max(truths[k], 1), 2 * right[k] / max(truths[k] + guesses[k], 1)
        area = roc(y == k, probability[:, k])[2]
        average = precision_recall(y == k, probability[:, k])[2]
        cells = [f"{recall:.3f}", precision, f"{f1:.3f}", number(area, 3), number(average, 3)]
        rows.append([names[k], f"{truths[k]:,}", *cells])
    titles = [("class", "name"), ("rows", "n"), ("recall", "n"), ("precision", "n"), ("F1", "n"), ("AUC", "n")]
    titles += [("average precision", "n")]
    more = fold(f"The other {len(rows) - shown} classes", table(titles, rows[shown:])) if len(rows) > shown else None
    return tag("div", tag("h3", "Class by class"), join([table(titles, rows[:shown]), more]))
