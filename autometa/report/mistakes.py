"""Which rows the model gets wrong: slices of the table, and the worst rows.

The worst rows are rows of the table: whoever is handed the report is handed them. It says so, and they can be left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from autometa.evaluation import labels_of
from autometa.explain.options import OPTIONS as EXPLAINED
from autometa.explain.slices import find_slices, row_errors, worst_rows
from autometa.report.html import Markup, join, tag
from autometa.report.options import OPTIONS
from autometa.report.parts import Report, table
from autometa.report.words import held_out_words, number, written


def mistakes(report: Report) -> Markup | None:
    """Where the model errs more than elsewhere, and the rows that it gets most wrong."""
    oof = np.asarray(report.result.oof, dtype=np.float64)
    errors = row_errors(report.task, oof)
    if not np.isfinite(errors).any():
        return None
    of_numbers = report.task.kind == "regression"
    what = "how far off its value is" if of_numbers else "the probability that was given to wrong classes"
    lead = f"The error of a row is {what}, {held_out_words(report.task)}."
    return join([tag("p", lead, cls="lead"), _slices(report, errors), _worst(report, oof, errors)])


def _slices(report: Report, errors: Any) -> Markup:
    found = find_slices(report.task, errors)
    if not found:
        words = (
            f"In no slice of the table is the error {EXPLAINED.slice_sureness:g} standard errors above that elsewhere."
        )
        return tag("p", words)
    rows = [
        [one.what, f"{one.rows:,}", number(one.error, 3), number(one.elsewhere, 3), _times(one.error, one.elsewhere)]
        for one in found
    ]
    titles = [("rows where", "name"), ("rows", "n"), ("mean error", "n"), ("of all others", "n"), ("", "n")]
    return join([tag("h3", "Errors by slice"), table(titles, rows)])


def _times(error: float, elsewhere: float) -> str:
    return f"{error / elsewhere:.1f} times" if elsewhere > 0 else ""


def _worst(report: Report, oof: Any, errors: Any) -> Markup | None:
    task = report.task
    if not report.rows:
        return tag("p", "The worst rows were left out (--no-rows).", cls="quiet")
    labels = None if task.kind == "regression" else labels_of(np.nan_to_num(oof), report.result.weights)
    found = worst_rows(task, oof, errors, labels)
    if not found:
        return None
    names = [one.column for one in report.explanation.importance[: OPTIONS.worst_columns]]
    names = [name for name in names if name in task.X.columns] or list(task.X.columns)[: OPTIONS.worst_columns]
    first = task.n_learned if task.validation else 0
    table_words = "validation table" if task.validation else "table as it was learned from"
    rows = []
    for one in found:
        cells = [_cell(task.X[name].iloc[one.row]) for name in names]
        said = [_cell(one.truth), _cell(one.prediction), number(one.error, 3)]
        rows.append([f"{one.row - first + 1:,}", *said, *cells])
    own = "n" if labels is None else "keep"
    titles = [("row", "n"), ("truth", own), ("prediction", own), ("error", "n")]
    numeric = set(task.columns.numeric)
    titles += [(name, "n" if name in numeric else "") for name in names]
    words = (
        f"Rows are counted from 1, in the {table_words}, with the most important columns. These are rows "
        "of your table: whoever gets this file gets them. --no-rows leaves them out."
    )
    return join([tag("h3", "The worst rows"), tag("p", words, cls="quiet small"), table(titles, rows)])


def _cell(value: Any) -> str:
    """A cell, short."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    text = written(value) if isinstance(value, (int, float, np.number)) else str(value)
    return text if len(text) <= OPTIONS.cell_letters else f"{text[: OPTIONS.cell_letters - 1]}…"
