"""A finished model on a labelled table: every metric, every pipeline of its run, and what became of the promise.

Letters:  n rows · k metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.evaluation import Freedom, bootstrap, drawings, fit_calibration, interval, score, score_all
from autometa.judging.labelled import Labelled, Values, judge_of, labelled, metrics_of, positive_of, seen_rows
from autometa.judging.records import Judged, Judgement, Promise, Scored
from autometa.search import Model, Result, Run, leaderboard, load_model, open_run
from autometa.search.members import Member
from autometa.space import FAMILY


def judge(
    run: str | Path,
    data: Any,
    *,
    drop_missing_target: bool = False,
    allow_missing: bool = False,
    weight: str | None = None,
    trusted: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> Judgement:
    """What a finished model is worth on a labelled table.

    Args:
        run: The folder of a run; or a model file, for which there is no leaderboard and nothing was promised.
        data: A table, as `autometa.openml.read_table` takes it, with the columns and the target of the training table.
        drop_missing_target: Leave out rows without a label instead of refusing them.
        allow_missing: As `Model.predict`.
        weight: The column that says how much each row counts; None for all the same.
        trusted: Read what somebody else made; that runs code which is in it.
        reading: Further keywords of `read_table`.

    Raises:
        InputError: The table cannot be read, lacks columns or its target, or has labels that the model does not know.
        RunError: The run is not finished, damaged, or somebody else's.

    See Also:
        `Judgement`, `compare`.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> judge(run, load_wine(as_frame=True).frame).leaderboard[0].family
        'linear'
    """
    model = load_model(run, trusted=trusted)
    table = labelled(model, data, drop_missing_target, allow_missing, reading or {}, weight)
    folder = Path(run)
    result = open_run(folder, trusted=trusted) if (folder / "run.json").exists() else None
    metrics = metrics_of(model, table.y)
    judge_rows = judge_of(model, table.y, model.answer(table.X), metrics, table.counts)
    scores = judge_rows(np.arange(len(table.y)))
    between = bootstrap(judge_rows, len(table.y), times=drawings(model.metric))
    promised = {} if result is None else _promised(result)
    found = {
        name: Scored(float(scores[i]), interval(float(scores[i]), between[:, i]), promised.get(name))
        for i, name in enumerate(metrics)
    }
    own = found[model.metric]
    notes = table.notes
    if result is not None and result.task.weights is not None and weight is None:
        notes = (
            *notes,
            "The run counted some rows more; here each counts the same. --weight COL (weight=) counts them.",
        )
    seen = 0 if result is None else seen_rows(result, table)
    if seen and result is not None and result.task.validation:
        notes = (*notes, "Rows of the run's validation table count as known: it chose by them.")
    return Judgement(
        metric=model.metric,
        positive=positive_of(model),
        rows=len(table.y),
        scores=found,
        promise=None if result is None else _promise(result, own),
        leaderboard=() if result is None else tuple(_board(model, result, table, trusted)),
        seen=seen,
        notes=notes,
    )


def _promised(result: Result) -> dict[str, float]:
    """Every metric of the out-of-fold predictions, of the optimised one as the search judged it."""
    task = result.task
    rows = np.isfinite(result.oof if result.oof.ndim == 1 else result.oof.sum(axis=1))
    found = score_all(
        task.kind,
        np.asarray(task.y)[rows],
        result.oof[rows],
        task.c,
        positive=task.positive,
        weights=result.weights,
        sample_weight=None if task.weights is None else np.asarray(task.weights)[rows],
        classes=task.classes,
    )
    return {**found, task.metric: result.score}


def _promise(result: Result, here: Scored) -> Promise:
    """How a score differs from the promised one; the interval of the difference from those of both.

    Source:
        Zou, Donner: Construction of confidence limits about effect measures. Statistics in Medicine, 2008.
    """
    difference = here.score - result.score
    ends = None
    if here.interval is not None and math.isfinite(difference):
        low, high = here.interval
        before = result.interval or (result.score, result.score)
        ends = (
            difference - math.hypot(here.score - low, before[1] - result.score),
            difference + math.hypot(high - here.score, result.score - before[0]),
        )
    return Promise(result.score, difference, ends)


def _board(model: Model, result: Result, table: Labelled, trusted: bool) -> Iterator[Judged]:
    """Every trial whose models are there, best on the table first."""
    folder = Run.open(result.run, trusted=trusted)
    folder.trials(folder.study())
    members, found = {member.number: member for member in model.members}, []
    promised = {row.number: row for row in leaderboard(result.trials, model.metric)}
    judged = partial(score, model.metric, classes=model.classes, positive=model.positive, weights=model.weights)
    for number, row in promised.items():
        member = members.get(number) or _by_folds(folder, result, number)
        if member is None:
            continue
        answer = member.predict(table.X, model.kind, len(model.classes))
        own = judged(table.y, answer, sample_weight=table.counts)

        def of(rows: NDArray[np.intp], answer: Values = answer) -> float:
            return judged(
                table.y[rows], answer[rows], sample_weight=None if table.counts is None else table.counts[rows]
            )

        between = bootstrap(of, len(table.y), times=drawings(model.metric))[:, 0]
        here = Scored(own, interval(own, between), row.evaluation.scores[model.metric])
        weight = members[number].weight if number in members else 0.0
        found.append(Judged(number, row.evaluation.config[FAMILY], here, weight))
    yield from sorted(found, key=lambda one: (-one.here.score, one.trial))


def _by_folds(folder: Run, result: Result, number: int) -> Member | None:
    """A trial that is no member, by the models of its folds, calibrated as in the search; None where none were kept."""
    path, oof = folder.fold_models(number), folder.oof(number)
    if path is None or oof is None:
        return None
    member = Member(number, 1.0, folder.read_models(path))
    task = result.task
    if task.kind == "regression":
        return member
    layers = oof if oof.ndim == 3 else oof[None]
    if layers.shape[0] != int(folder.splits.test.sum(axis=0).max()):
        raise RunError(f"{folder.oof_path(number)} does not fit the splits of the run")
    truth = np.concatenate([np.asarray(task.y)[test] for _, test in folder.splits])
    pooled = np.concatenate(folder.splits.by_fold(layers))
    return replace(member, calibration=fit_calibration(pooled, truth, Freedom.OFFSETS))
