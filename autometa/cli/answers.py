"""What ``autometa predict`` writes: answers as CSV, columns carried beside them, and how a table differs."""

from __future__ import annotations

import csv
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from autometa.cli.show import emit, page
from autometa.errors import InputError, Problem, TableWarning, did_you_mean
from autometa.values import printable

if TYPE_CHECKING:
    from autometa.search import Model
    from autometa.task import ColumnDrift


_SIGNS = tuple("=+-@＝＋－＠")  # with their wide twins, which some spreadsheets take for them
_FORMULA = (*_SIGNS, "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Answering:
    """What was asked of ``predict``."""

    run: Path
    proba: bool
    out: Path | None
    beside: Sequence[str]  # columns of the table to write beside the answers
    allow_missing: bool
    escape: bool  # put an apostrophe before what a spreadsheet would run
    as_json: bool
    threshold: float | None = None
    interval: float | None = None  # the share of rows whose truth an interval, or a set of classes, is to hold
    by: str | None = None  # the column whose categories are to have that share each


def answer(model: Model, frame: pd.DataFrame, asked: Answering) -> None:
    """Writes the answers for a raw table, and says what of it cannot be read as it was learned."""
    carried = _carried(frame, asked.beside)
    later = model.schema.apply_later(frame, allow_missing=asked.allow_missing)[1]
    for column in later:
        print(f"autometa: {printable(column)}", file=sys.stderr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)  # said above
        answers = answers_of(
            model,
            frame,
            proba=asked.proba,
            allow_missing=asked.allow_missing,
            threshold=asked.threshold,
            interval=asked.interval,
            by=asked.by,
        )
    answers = pd.concat([carried, answers], axis=1)
    if asked.out is not None or not asked.as_json:
        escaped, count = without_formulas(answers)
        if count and not asked.escape:
            cells = "1 cell begins" if count == 1 else f"{count} cells begin"
            print(
                f"autometa: {cells} as a formula does, which a spreadsheet would run: --escape-formulas.",
                file=sys.stderr,
            )
        elif count:
            cells = "1 cell" if count == 1 else f"{count} cells"
            print(f"autometa: an apostrophe stands before {cells} that begin as a formula does.", file=sys.stderr)
            answers = escaped
    if asked.out is not None:
        _write(answers, asked.out)
    if asked.as_json:
        said = [{"column": one.name, "share": one.share, "says": str(one)} for one in later]
        values = {"run": str(asked.run), "rows": len(answers), "out": str(asked.out) if asked.out else None}
        values = {**values, "columns": said}
        emit(values if asked.out is not None else {**values, "predictions": answers.to_dict(orient="records")})
    elif asked.out is None:
        _write(answers, sys.stdout)
    else:
        print(f"{len(answers)} predictions are in {asked.out}", file=sys.stderr)


def _write(answers: pd.DataFrame, where: Path | IO[str]) -> None:
    """Writes CSV; quotes stand around all texts where one has a carriage return, which pandas leaves bare."""
    texts = answers.select_dtypes(exclude="number")
    bare = any("\r" in cell for _, column in texts.items() for cell in column.array if isinstance(cell, str))
    answers.to_csv(where, index=False, quoting=csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL)


def without_formulas(answers: pd.DataFrame) -> tuple[pd.DataFrame, int]:  # (n, p)
    """A table with an apostrophe before each name and text that a spreadsheet takes for a formula, and how many.

    These begin with ``=``, ``+``, ``-``, ``@``, a tab or a line end, whatever blanks are before it, and are no numbers.

    Example:
        >>> table, count = without_formulas(pd.DataFrame({"prediction": ["=1+1", "-1", "- on", "no"]}))
        >>> table["prediction"].tolist(), count
        (["'=1+1", '-1', "'- on", 'no'], 2)
    """
    count, columns = 0, []
    for i, dtype in enumerate(answers.dtypes):
        column = answers.iloc[:, i]
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype)):
            cells = column.astype(object)
            formula = cells.map(lambda cell: isinstance(cell, str) and _is_formula(cell)).to_numpy(dtype=bool)
            count += int(formula.sum())
            column = cells.where(~formula, "'" + cells.astype("str").astype(object)) if formula.any() else column
        columns.append(column)
    names = [f"'{name}" if _is_formula(str(name)) else name for name in answers.columns]
    count += sum(map(_is_formula, map(str, answers.columns)))
    return pd.concat(columns, axis=1).set_axis(names, axis=1), count


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet takes a text for a formula."""
    from autometa.task.cells import number_style

    begins = text[:1] in _FORMULA or text.lstrip()[:1] in _SIGNS
    return begins and number_style([text.strip()]) is None


def answers_of(
    model: Model,
    frame: pd.DataFrame,
    *,
    proba: bool,
    allow_missing: bool = False,
    threshold: float | None = None,
    interval: float | None = None,
    by: str | None = None,
) -> pd.DataFrame:
    """Predictions as a table with a column ``prediction`` and, if asked for, ``proba_LABEL`` for each class.

    With an interval, numbers have ``lower`` and ``upper``, and classes a ``prediction_set``, as JSON: those that a row
    may be of.
    """
    if interval is not None:
        answers = answers_of(model, frame, proba=proba, allow_missing=allow_missing, threshold=threshold)
        if model.kind == "regression":
            low, high = model.predict_interval(frame, interval, by=by, allow_missing=allow_missing).T
            return answers.assign(lower=low, upper=high)
        inside = model.predict_set(frame, interval, by=by, allow_missing=allow_missing)
        sets = [[one for one, held in zip(model.classes, row, strict=True) if held] for row in inside]
        return answers.assign(prediction_set=[json.dumps(one, default=str, ensure_ascii=False) for one in sets])
    if not proba:
        return pd.DataFrame({"prediction": model.predict(frame, allow_missing=allow_missing, threshold=threshold)})
    probabilities = model.predict_proba(frame, allow_missing=allow_missing)  # (n, c)
    columns = {f"proba_{label}": probabilities[:, k] for k, label in enumerate(model.classes)}
    return pd.DataFrame({"prediction": model.labels(probabilities, threshold), **columns})


def _carried(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Columns of the table as they are, those that have the name of an answer under another."""
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        columns = list(frame.columns)
        raise InputError([Problem(f"--id {one}", "no such column", did_you_mean(one, columns)) for one in lacking])
    return frame[list(names)].rename(columns={"prediction": "prediction_before"}).reset_index(drop=True)


def show_drift(model: Model, frame: pd.DataFrame, *, allow_missing: bool, as_json: bool) -> None:
    """Prints how the columns of a table differ from those of the training table, the furthest first."""
    for column in model.schema.apply_later(frame, allow_missing=allow_missing)[1]:
        print(f"autometa: {printable(column)}", file=sys.stderr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)  # said above
        found = model.drift(frame, allow_missing=allow_missing)
    if as_json:
        emit({"rows": len(frame), "columns": [_plain(one) for one in found]})
        return
    table = Table(box=None, pad_edge=False)
    for title in ("column", "distance", "missing", "in training", "here"):
        table.add_column(title, justify="right" if title in ("distance", "missing") else "left")
    for one in found:
        missing = f"{one.before.missing:.0%} -> {one.now.missing:.0%}" if one.before.missing or one.now.missing else ""
        cells = (one.name, f"{one.distance:.2f}", missing, one.before.typical, one.now.typical)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    page().print(table)


def _plain(one: ColumnDrift) -> dict[str, object]:
    return {
        "column": one.name,
        "distance": round(float(one.distance), 4) if np.isfinite(one.distance) else None,
        "missing": [one.before.missing, one.now.missing],
        "before": one.before.typical,
        "now": one.now.typical,
    }
