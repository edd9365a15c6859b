"""A labelled table as a model reads it, and every metric of its answers.

Letters:  n rows · k metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.evaluation import score_all
from autometa.openml import read_table
from autometa.search import Model, Result
from autometa.task import later_target
from autometa.task.counting import read_weights
from autometa.task.findings import InputFindings
from autometa.task.validation import repeated_rows

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The rows of a later table that have a label."""

    X: pd.DataFrame  # (n, p) typed
    y: NDArray[Any]  # (n,) codes or numbers
    notes: tuple[str, ...]
    counts: Values | None = None  # (n,) how much each row counts; None for all the same


def labelled(
    model: Model,
    data: Any,
    drop_missing: bool,
    allow_missing: bool,
    reading: Mapping[str, Any],
    weight: str | None = None,
) -> Labelled:
    """A labelled table as the model reads it; `weight` names the column that says how much each row counts.

    Raises:
        InputError: It cannot be read so; or lacks the target, or the weights.
    """
    known = model.schema.reading
    if any(isinstance(one, str) for one in model.classes):  # 01 is not 1, and NA may be a class
        known = {**known, "text": (*known["text"], model.target)}
    if model.schema.encoder:
        from autometa.fewshot import embedded

        data, reading = embedded.later(model.schema.encoder, data, **{**known, **reading}), {}
    frame, notes = read_table(data, **{**known, **reading})
    names = [str(name) for name in frame.columns]
    if model.target not in names:
        fix = f"{did_you_mean(model.target, names)} A table to be judged on has the labels.".strip()
        raise InputError(Problem("table", f"no column {model.target!r}, which is the target", fix))
    findings = InputFindings("table", list(notes))
    if weight is not None and weight not in names:
        raise InputError(Problem("table", f"no column {weight!r}, which is the weight", did_you_mean(weight, names)))
    y, there = later_target(
        frame.iloc[:, names.index(model.target)],
        model.classes,
        target=model.target,
        decimal=known["decimal"],
        drop_missing=drop_missing,
    )
    X, later = model.schema.apply_later(frame, allow_missing=allow_missing)
    counts = None
    if weight is not None:
        counts = read_weights(frame.iloc[:, names.index(weight)].loc[there], weight, findings)
        if findings.problems:
            raise InputError(findings.problems)
    if not there.all():
        notes = [*notes, f"Left out {int((~there).sum())} of {len(there)} rows, whose label is missing."]
    return Labelled(X.loc[there].reset_index(drop=True), y, (*notes, *map(str, later)), counts)


def seen_rows(result: Result, table: Labelled) -> int:
    """How many rows of a table are, with their label, rows of a run; 0 where chance may explain them."""
    return repeated_rows(result.task, table.X, table.y)


def metrics_of(model: Model, y: NDArray[Any]) -> tuple[str, ...]:
    """The metrics of a model's kind, its own first."""
    c = len(model.classes)
    answer = np.full((1, c), 1.0 / c) if c else np.ones(1)
    known = score_all(model.kind, y[:1], answer, c, weights=model.weights)  # type: ignore[arg-type]
    return tuple(dict.fromkeys((model.metric, *known)))


def judge_of(
    model: Model, y: NDArray[Any], answer: Values, metrics: Sequence[str], counts: Values | None = None
) -> Callable[[NDArray[np.intp]], Values]:
    """A judge for `bootstrap`: every metric (k,) of some rows; `counts` (n,) say how much each counts."""

    def judged(rows: NDArray[np.intp]) -> Values:
        found = score_all(
            model.kind,  # type: ignore[arg-type]
            y[rows],
            answer[rows],
            len(model.classes),
            also=model.metric,
            positive=model.positive,
            weights=model.weights,
            sample_weight=None if counts is None else counts[rows],
            classes=model.classes,
        )
        return np.array([found.get(name, np.nan) for name in metrics])

    return judged


def positive_of(model: Model) -> str | None:
    """The positive class as text; None unless there are two."""
    return str(model.classes[model.positive]) if len(model.classes) == 2 else None
