"""Two runs beside each other, on the same rows.

Letters:  n rows · k metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.evaluation import bootstrap, drawings, interval
from autometa.judging.labelled import judge_of, labelled, metrics_of, positive_of
from autometa.judging.records import Side, Versus
from autometa.search import Model, Result, Run, load_model, open_run


def compare(
    first: str | Path,
    second: str | Path,
    *,
    data: Any = None,
    drop_missing_target: bool = False,
    allow_missing: bool = False,
    trusted: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> Versus:
    """Two runs beside each other: out of fold on the rows of their table, or on another labelled table.

    Args:
        first: The folder of a run; its metric judges.
        second: The folder of another.
        data: A labelled table that both are judged on instead; as `judge`.
        drop_missing_target: As `judge`.
        allow_missing: As `judge`.
        trusted: As `judge`.
        reading: As `judge`.

    Raises:
        InputError: They were judged on different tables, and no other is named; or as `judge`.
        RunError: A run is not finished, damaged, or somebody else's.

    See Also:
        `Versus`, `judge`.

    Example:
        >>> compare(run, run).scores["accuracy"].interval
        (0.0, 0.0)
    """
    models = [load_model(one, trusted=trusted) for one in (first, second)]
    _check_alike(models, (first, second))
    notes = []
    if models[0].metric != models[1].metric:
        notes.append(f"The first was searched for {models[0].metric}, the second for {models[1].metric}.")
    groups, counts = None, None
    if data is not None:
        tables = [labelled(one, data, drop_missing_target, allow_missing, reading or {}) for one in models]
        y, answers = tables[0].y, [model.answer(table.X) for model, table in zip(models, tables, strict=True)]
        notes += dict.fromkeys(note for table in tables for note in table.notes)
    else:
        results = [open_run(one, trusted=trusted) for one in (first, second)]
        rows = _common_rows(results, (first, second))
        y, answers = np.asarray(results[0].task.y)[rows], [result.oof[rows] for result in results]
        own = results[0].task.groups
        groups = None if own is None else np.asarray(own)[rows]
        if (weighed := results[0].task.weights) is not None:
            counts = np.asarray(weighed)[rows]
            notes.append("Rows count as they did in the first run.")
        one, other = (Run.open(Path(run)).splits.test for run in (first, second))
        if not np.array_equal(one, other):
            notes.append("They were split into other folds, which makes the difference a little less sure.")
    if models[0].positive != models[1].positive:
        notes.append(f"Of the positive class of the first, {positive_of(models[0])!r}.")
    metrics = metrics_of(models[0], y)
    judges = [
        judge_of(replace(model, metric=models[0].metric, positive=models[0].positive), y, answer, metrics, counts)
        for model, answer in zip(models, answers, strict=True)
    ]
    whole = [judge_rows(np.arange(len(y))) for judge_rows in judges]
    between = bootstrap(
        lambda rows: judges[0](rows) - judges[1](rows), len(y), groups=groups, times=drawings(models[0].metric)
    )
    found = {
        name: Side(float(whole[0][i]), float(whole[1][i]), interval(float(whole[0][i] - whole[1][i]), between[:, i]))
        for i, name in enumerate(metrics)
    }
    return Versus(models[0].metric, positive_of(models[0]), len(y), found, tuple(notes))


def _check_alike(models: Sequence[Model], runs: tuple[str | Path, str | Path]) -> None:
    """Refuses two runs that do not answer the same question."""
    one, other = models
    where = f"{runs[0]} and {runs[1]}"
    if one.target != other.target:
        what = f"they predict different columns, {one.target!r} and {other.target!r}"
    elif one.kind != other.kind:
        what = f"one is a {one.kind} model, the other a {other.kind} model"
    elif one.classes != other.classes:
        what = f"they know different classes of {one.target!r}"
    else:
        return
    raise InputError(Problem(where, what, "Runs can be compared that answer the same question."))


def _common_rows(results: Sequence[Result], runs: tuple[str | Path, str | Path]) -> NDArray[np.intp]:
    """The rows that both runs predicted out of fold.

    Raises:
        InputError: They were judged on different tables, or by no row in common.
    """
    one, other = (np.asarray(result.task.y) for result in results)
    where, fix = f"{runs[0]} and {runs[1]}", "Name a labelled table that both can be judged on: --data TABLE (data=)."
    if len(one) != len(other):
        what = f"they were judged on different tables, of {len(one):,} and {len(other):,} rows"
        raise InputError(Problem(where, f"{what}, and cannot be compared", fix))
    if not np.array_equal(one, other):
        raise InputError(Problem(where, "they were judged on different tables, and cannot be compared", fix))
    known = [np.isfinite(r.oof if r.oof.ndim == 1 else r.oof.sum(axis=1)) for r in results]
    rows = np.flatnonzero(known[0] & known[1])
    if not len(rows):
        raise InputError(Problem(where, "no row was held out by both", fix))
    return rows
