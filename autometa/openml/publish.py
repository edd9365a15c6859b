"""Publishing: predictions that fit a task are uploaded once, though an upload may break off when it has arrived.

These functions run in the process that has the client loaded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.errors import InputError, Problem
from autometa.openml.options import OPTIONS
from autometa.openml.records import OpenMLTask, Publication
from autometa.openml.retry import brief, pause_after
from autometa.openml.session import KEY_NEEDED, ClientSession
from autometa.openml.tables import parts_of
from autometa.openml.tables import task as task_of

if TYPE_CHECKING:
    import pandas as pd


def publish(
    session: ClientSession,
    task_id: int,
    flow: str,
    version: str,
    description: str,
    parameters: Mapping[str, Any],
    predictions: pd.DataFrame,
    dry: bool,
) -> Publication:
    """Uploads a flow, unless it is there, and a run of it; see `OpenML.publish`."""
    openml, task = session.openml, task_of(session, task_id)
    if problems := _unfit(task, predictions):
        raise InputError(problems)
    if not dry and not openml.config.apikey:
        raise InputError(Problem(session.server, "needs a key to publish", KEY_NEEDED))
    with session.cache.parquet(f"task/{task_id}"):
        theirs = openml.tasks.get_task(task_id, **parts_of(session, task.table.data_id))
    values = {name: json.dumps(value) for name, value in parameters.items()}
    method = openml.flows.OpenMLFlow(
        name=flow, description=description, model=None, components={}, parameters=values,
        parameters_meta_info={name: {"description": None, "data_type": None} for name in values},
        external_version=version, tags=[], language="English", dependencies=version, extension=_NoExtension(),
    )  # fmt: skip
    run = openml.runs.OpenMLRun(
        task_id, None, task.table.data_id, flow=method, flow_name=flow,
        data_content=_rows(theirs, task, predictions),
        parameter_settings=[{"oml:name": name, "oml:value": value} for name, value in values.items()],
    )  # fmt: skip
    if dry:
        return Publication(None, None, None, method._to_xml(), run._to_xml(), len(predictions))

    def there() -> int | None:
        return openml.flows.flow_exists(flow, version) or None

    def arrived() -> int | None:
        new = _runs(session, task_id, run.flow_id) - before
        return new.pop() if len(new) == 1 else None

    session.tell(f"publishing a run of {flow} on task {task_id}")
    method.flow_id = run.flow_id = there() or _upload(session, lambda: method.publish().flow_id, there)
    for setting in run.parameter_settings:
        setting["oml:component"] = run.flow_id
    before = _runs(session, task_id, run.flow_id)
    run.run_id = _upload(session, lambda: run.publish().run_id, arrived)
    return Publication(run.flow_id, run.run_id, run.openml_url, method._to_xml(), run._to_xml(), len(predictions))


def _upload(session: ClientSession, send: Callable[[], Any], arrived: Callable[[], int | None]) -> int:
    """The number of what was uploaded; one that broke off may have arrived, so that is looked up first."""
    for attempt in range(1, OPTIONS.tries + 1):
        try:
            return int(send())
        except session.openml.exceptions.OpenMLServerException:  # it arrived, and the answer is no
            raise
        except Exception as error:
            if (number := arrived()) is not None:
                return number
            if attempt == OPTIONS.tries:
                raise
            session.tell(f"the upload broke off, and is tried again: {brief(error)}")
            time.sleep(pause_after(attempt))
    raise AssertionError


def _runs(session: ClientSession, task_id: int, flow_id: int) -> set[int]:
    """Numbers of the runs of a flow on a task that the server has."""
    try:
        found = session.openml.runs.list_runs(task=[task_id], flow=[flow_id], output_format="dataframe")
    except session.openml.exceptions.OpenMLServerNoResult:
        return set()
    return set() if found.empty else {int(run) for run in found["run_id"]}


class _NoExtension:
    """What the client asks for to turn a flow into a model, which nobody does here."""


def _unfit(task: OpenMLTask, predictions: pd.DataFrame) -> list[Problem]:
    """Why predictions are not those of a task: one row for each test row of each split, and what it takes."""
    where = f"predictions for openml:task/{task.task_id}"
    classes = [] if task.kind == "regression" else _labels(task)
    probabilities = [f"proba_{label}" for label in classes]
    lacking = [c for c in ("repeat", "fold", "row", "prediction", *probabilities) if c not in predictions]
    if lacking:
        return [Problem(where, f"no column {', '.join(map(repr, lacking))}")]
    problems = []
    given = {key: sorted(part["row"]) for key, part in predictions.groupby(["repeat", "fold"])}
    for repeat, fold, _, test in task.splits:
        if given.pop((repeat, fold), None) != sorted(test):
            problems.append(Problem(where, f"not one for each test row of repeat {repeat}, fold {fold}"))
    problems += [Problem(where, f"there is no repeat {repeat}, fold {fold}") for repeat, fold in given]
    numbers = predictions[probabilities or ["prediction"]].to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        problems.append(Problem(where, f"{int((~np.isfinite(numbers)).any(axis=1).sum())} rows without finite numbers"))
    if classes and (unknown := set(predictions["prediction"].astype(str)) - set(classes)):
        problems.append(Problem(where, f"labels that the task does not know: {', '.join(sorted(unknown))}"))
    return problems


def _labels(task: OpenMLTask) -> list[str]:
    """The classes of a task, as text."""
    return [str(label) for label in task.table.frame[task.target].astype("category").cat.categories]


def _rows(theirs: Any, task: OpenMLTask, predictions: pd.DataFrame) -> list[list[Any]]:
    """Predictions in the order that OpenML's file has; `theirs` is the client's own record of the task."""
    from openml.runs.functions import format_prediction

    truth, classes = task.table.frame[task.target], [] if task.kind == "regression" else _labels(task)
    rows = []
    for row in predictions.to_dict(orient="records"):
        index = int(row["row"])
        predicted, true = row["prediction"], truth.iloc[index]
        predicted, true = (str(predicted), str(true)) if classes else (float(predicted), float(true))
        probabilities = {label: float(row[f"proba_{label}"]) for label in classes} or None
        rows.append(
            format_prediction(theirs, int(row["repeat"]), int(row["fold"]), index, predicted, true, proba=probabilities)
        )
    return rows
