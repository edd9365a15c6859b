"""Past runs at OpenML as evaluations of our families.

A task's table is fetched as well: without it nobody could tell that a new table is the same, or like it. Scores are
OpenML's, over its own splits, in every measure that is a scorer of ours; hyperparameters go through `flows.translate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autometa.errors import AutoMetaError, InputError, Problem
from autometa.evaluation import METRIC_KINDS, METRICS, Evaluation, resolve_metric
from autometa.imports.flows import translate
from autometa.imports.rules import Facts, Unmapped
from autometa.imports.summary import Imported
from autometa.metafeatures import describe
from autometa.openml import MEASURES, OpenML, as_task
from autometa.origins import State
from autometa.store import TaskRecord

if TYPE_CHECKING:
    from autometa.openml import OpenMLTask
    from autometa.store import MetaStore
    from autometa.task import Task

FIT_TIME, PREDICT_TIME = "usercpu_time_millis_training", "usercpu_time_millis_testing"


def import_openml(
    openml: OpenML,
    store: MetaStore,
    *,
    suite: int | str | None = None,
    tasks: Sequence[int] = (),
    flows: Sequence[int | str] = (),
    limit: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Imported:
    """Adds past runs on the tasks of a suite, or on some tasks, to a store.

    Args:
        openml: The client.
        store: Where they go; runs that are there already are not added again.
        suite: Number or alias of a suite.
        tasks: Numbers of tasks.
        flows: Only runs of these flows: numbers, or parts of their names; empty for all.
        limit: At most so many runs of each task.
        tell: Called with a sentence about each task.

    Returns:
        What was brought; a task that could not be had is in `Imported.unreadable` with the reason.

    Raises:
        InputError: Neither a suite nor a task is named, or there is no such suite.
        OpenMLError: None of the tasks could be had.

    See Also:
        `import_table`, `Imported`.

    Example:
        >>> from autometa.openml import OpenML
        >>> from autometa.store import MetaStore
        >>> try:  # with tasks=[31], flows=["ranger"] it asks the server, or with offline=True its cache
        ...     import_openml(OpenML(offline=True), MetaStore("no_such_folder/store.db"))
        ... except InputError as error:
        ...     print(error)
        import: of which tasks? Name a suite (--suite 99) or tasks (--task 31).
    """
    if suite is None and not tasks:
        raise InputError(Problem("import", "of which tasks?", "Name a suite (--suite 99) or tasks (--task 31)."))
    numbers = [*tasks, *(openml.suite(suite).task_ids if suite is not None else ())]
    brought = Imported()
    problem: AutoMetaError | None = None
    for done, number in enumerate(dict.fromkeys(numbers), start=1):
        tell(f"task {number} ({done} of {len(numbers)}): {brought.new} evaluations so far")
        try:
            _import_task(openml, store, number, flows, limit, brought)
        except AutoMetaError as error:
            problem = error
            brought.unreadable[f"openml:task/{number}"] = str(error)
    if problem is not None and len(brought.unreadable) == len(set(numbers)):
        raise problem
    return brought


def _import_task(
    openml: OpenML, store: MetaStore, number: int, flows: Sequence[int | str], limit: int | None, brought: Imported
) -> None:
    found = openml.task(number)
    task = as_task(found, drop_missing_target=True, keep_lone_classes=True, known_metrics=METRIC_KINDS)
    measures = [name for name, scorers in MEASURES.items() if task.kind in scorers]
    runs = openml.evaluations(
        task=number, flow=list(flows) or None, measure=[*measures, FIT_TIME, PREDICT_TIME], limit=limit
    )
    brought.read += len(runs)
    facts = facts_of(task, found)
    evaluations = []
    for run in runs:
        try:
            evaluations.append(_evaluation(run, task, facts))
        except Unmapped as why:
            brought.left_out[run["flow_name"], str(why)] += 1
    if evaluations:
        task = replace(task, metric=resolve_metric(task.metric, task.kind), family=task.name)
        brought.tasks += 1
        brought.new += store.add(TaskRecord.of(task, describe(task), source="openml"), evaluations)


def facts_of(task: Task, found: OpenMLTask) -> Facts:
    """What a translation needs to know of a task; rows are those of the first split's training part."""
    columns = task.columns
    levels = sum(len(task.X[name].cat.categories) for name in columns.categorical)
    return Facts(
        kind=task.kind,
        n=len(found.splits[0][2]),
        p=task.p,
        width=max(len(columns.numeric) + levels, 1),
        categorical=len(columns.categorical),
        spread=float(task.y.std()) or 1.0 if task.kind == "regression" else 1.0,
    )


def _evaluation(run: dict[str, Any], task: Task, facts: Facts) -> Evaluation:
    config = translate(run["flow_name"], run["setup"], facts)
    scores = {}
    for measure, value in run["values"].items():
        name = MEASURES.get(measure, {}).get(task.kind)
        if name is not None and math.isfinite(value):
            scores[name] = METRICS[name].sign * value
    if not scores:
        raise Unmapped("no score in a measure of ours")
    fit, predict = (run["values"].get(name, math.nan) / 1000.0 for name in (FIT_TIME, PREDICT_TIME))
    return Evaluation(
        config, State.COMPLETE, None, scores, {}, fit, predict, 0, 0, task.n, {"openml": run["flow_name"]}, "import"
    )
