"""The table at a glance, and what was done to it: the section that says which data the model is of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.report import charts
from autometa.report.columns import column_warnings
from autometa.report.html import Markup, join, tag
from autometa.report.options import OPTIONS
from autometa.report.parts import Report, figure, figures, fold, table
from autometa.report.words import number

if TYPE_CHECKING:
    import pandas as pd

    from autometa.task import Task


def data(report: Report) -> Markup:
    """The table at a glance, and what was done to it."""
    task = report.task
    columns = task.columns
    X = task.X.iloc[: OPTIONS.facts_rows]
    missing = float(X.isna().to_numpy().mean()) if X.shape[1] else 0.0
    facts = [
        (f"{task.n_learned:,}", "rows", f"and {task.validation:,} to validate" if task.validation else ""),
        (f"{len(columns.numeric):,}", "numeric columns", ""),
        (f"{len(columns.categorical):,}", "categorical columns", ""),
        (f"{len(columns.text):,}", "text columns", ""),
        (f"{missing:.1%}", "of the cells are missing", ""),
    ]
    notes = [*task.notes, *(note for note in task.schema.notes if note not in task.notes)]
    dropped = dict(task.schema.dropped)
    right: list[Any] = []
    if notes:
        right += [tag("h3", "What was understood, and done"), _notes(notes)]
    if dropped:
        left_out = table([("column", "name"), ("why", "")], list(dropped.items()))
        count = f"{len(dropped)} column{'s' if len(dropped) > 1 else ''} left out"
        right.append(join([tag("h3", count), left_out]) if len(dropped) <= OPTIONS.dropped else fold(count, left_out))
    if warned := column_warnings(task, report.explanation):
        right = [tag("h3", "To look at"), _notes(warned), *right]
    target = tag("div", _target_figure(task))
    listing = fold(f"All {task.p:,} columns", _column_table(task, X))
    return join([figures(facts), tag("div", target, tag("div", right), cls="pair"), listing])


def _notes(notes: Sequence[str]) -> Markup:
    shown = OPTIONS.notes

    def listing(some: Sequence[str]) -> Markup:
        return tag("ul", [tag("li", note) for note in some], cls="notes")

    if len(notes) <= shown + 3:
        return listing(notes)
    return join([listing(notes[:shown]), fold(f"{len(notes) - shown} more", listing(notes[shown:]))])


def _target_figure(task: Task) -> Markup:
    if task.kind == "regression":
        y = np.asarray(task.y)
        counts, edges = np.histogram(y, bins=min(40, max(8, round(math.sqrt(len(y))))))
        low, middle, high = np.quantile(y, [0.05, 0.5, 0.95])
        chart = charts.columns(edges.tolist(), counts.tolist(), f"Distribution of {task.target}", x_title=task.target)
        words = f"median {number(float(middle))}; nine in ten between {number(float(low))} and {number(float(high))}"
        return figure(f"Target “{task.target}”", chart, words)
    counts = np.bincount(task.y, minlength=len(task.classes))
    order = np.argsort(-counts, kind="stable")[: OPTIONS.classes]
    rows = [(str(task.classes[k]), float(counts[k]), f"{counts[k]:,} ({counts[k] / task.n:.1%})") for k in order]
    few = None
    if len(order) < len(task.classes):
        few = f"the {len(order)} most frequent of {len(task.classes)} classes"
    return figure(f"Target “{task.target}”", charts.bars(rows, f"Classes of {task.target}", width=440), few)


def _column_table(task: Task, X: pd.DataFrame) -> Markup:
    kinds = {name: kind for kind in ("numeric", "categorical", "text") for name in getattr(task.columns, kind)}
    rows = []
    for name in list(X.columns)[: OPTIONS.columns]:
        column, kind = X[name], kinds.get(name, "")
        present = column.dropna()
        facts = ""
        if kind == "numeric" and len(present):
            levels = np.quantile(present.to_numpy(dtype=np.float64), [0.0, 0.5, 1.0])
            facts = " … ".join(number(float(level)) for level in levels)
        elif kind == "categorical" and len(present):
            counts = present.value_counts()
            facts = f"most often {counts.index[0]} ({counts.iloc[0] / len(present):.0%})"
        share = 1 - len(present) / max(len(column), 1)
        rows.append([name, kind, f"{share:.1%}" if share else "", f"{present.nunique():,}", facts])
    more = tag("p", f"and {task.p - OPTIONS.columns:,} more", cls="quiet") if task.p > OPTIONS.columns else None
    titles = [("column", "name"), ("kind", ""), ("missing", "n"), ("distinct", "n"), ("lowest … median … highest", "")]
    return join([table(titles, rows), more])
