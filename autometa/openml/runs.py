"""Suites, and past runs with their hyperparameters: what is listed rather than downloaded.

Listings are kept in the cache, and come from there offline. These functions run in the process that has the client
loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from autometa.errors import InputError, Problem
from autometa.openml.options import OPTIONS
from autometa.openml.records import OpenMLSuite
from autometa.openml.session import ClientSession

MOST_LISTED = 10_000  # runs, the most that OpenML lists at once


def suite(session: ClientSession, name: str, *, offline: bool = False) -> OpenMLSuite:
    """A suite by its number or alias; `offline` takes it from the cache whatever the session may do."""

    def fetch() -> dict[str, Any]:
        found = session.openml.study.get_suite(int(name) if name.isdecimal() else name)
        return asdict(OpenMLSuite(int(found.id), found.name, tuple(map(int, found.tasks or ()))))

    kept = session.cache.listing(f"suite/{name}", None if offline else fetch)
    return OpenMLSuite(kept["id"], kept["name"], tuple(kept["task_ids"]))


def tasks_named(session: ClientSession, name: str) -> list[int]:
    """The tasks on the datasets of a name."""

    def fetch() -> list[int]:
        try:
            found = session.openml.tasks.list_tasks(data_name=name, output_format="dataframe")
        except session.openml.exceptions.OpenMLServerNoResult:
            return []
        return [int(number) for number in found.get("tid", ())]

    return session.cache.listing(f"tasks/{name}", fetch)


def missing(session: ClientSession, wanted: str | OpenMLSuite) -> list[Problem]:
    """What the cache lacks of a suite, itself or its name; see `OpenML.missing`."""
    if isinstance(wanted, str):
        try:
            wanted = suite(session, wanted, offline=True)
        except InputError as error:
            return list(error.problems)
    lacking = {task_id: session.cache.lacking(f"task/{task_id}") for task_id in wanted.task_ids}
    return [session.cache.not_cached(f"task/{task_id}", what) for task_id, what in lacking.items() if what]


def evaluations(
    session: ClientSession, task_id: int, flows: Sequence[int | str], measures: Sequence[str], limit: int | None
) -> list[dict[str, Any]]:
    """Past runs of one task; see `OpenML.evaluations`."""
    asked = json.dumps([task_id, list(flows), list(measures), limit])

    def fetch() -> list[dict[str, Any]]:
        found: dict[int, Any] = {}
        values: dict[int, dict[str, float | None]] = {}
        for measure in measures:  # a run may lack any of them, and is one all the same
            for run, evaluation in _found(session, task_id, flows, measure, limit).items():
                found.setdefault(run, evaluation)
                values.setdefault(run, {})[measure] = evaluation.value
        runs = sorted(found)[:limit]
        for measure in measures if limit is not None else ():  # of those that a listing had no place for
            for some in _parts([run for run in runs if measure not in values[run]]):
                for run, evaluation in _list(session, measure, task_id, runs=some, size=None).items():
                    values[run][measure] = evaluation.value
        setups = _setups(session, {int(found[run].setup_id) for run in runs})
        return [_row(run, found[run], values[run], setups) for run in runs]

    return session.cache.listing(f"evaluations/{asked}", fetch)


def _found(
    session: ClientSession, task_id: int, flows: Sequence[int | str], measure: str, limit: int | None
) -> Mapping[int, Any]:
    """Runs of a task, by their number, of flows that are named by number or by a part of their name."""
    numbers = [int(flow) for flow in flows if str(flow).isdecimal()] or None
    words = [str(flow).casefold() for flow in flows if not str(flow).isdecimal()]
    found = {} if words and not numbers else _list(session, measure, task_id, flows=numbers, size=limit)
    for page in range(OPTIONS.pages if words else 0):  # the server looks for no names, so they are looked for here
        named = _list(session, measure, task_id, size=MOST_LISTED, offset=page * MOST_LISTED)
        found |= {run: e for run, e in named.items() if any(word in e.flow_name.casefold() for word in words)}
        if len(named) < MOST_LISTED or (limit is not None and len(found) >= limit):
            break
    return found


def _list(session: ClientSession, measure: str, task_id: int, **filters: Any) -> dict[int, Any]:
    """The client's listing of evaluations by their run's number; empty where the server has no result."""
    try:
        return session.openml.evaluations.list_evaluations(measure, tasks=[task_id], output_format="object", **filters)
    except session.openml.exceptions.OpenMLServerNoResult:
        return {}


def _setups(session: ClientSession, numbers: set[int]) -> dict[int, Any]:
    """Setups, which hold hyperparameters, by their number."""
    setups: dict[int, Any] = {}
    for some in _parts(sorted(numbers)):
        setups |= session.openml.setups.list_setups(setup=some, output_format="object")
    return setups


def _row(run: int, entry: Any, values: Mapping[str, float | None], setups: Mapping[int, Any]) -> dict[str, Any]:
    parameters = getattr(setups.get(int(entry.setup_id)), "parameters", None) or {}
    return {
        "run_id": run,
        **{name: int(getattr(entry, name)) for name in ("task_id", "data_id", "setup_id", "flow_id")},
        "data_name": entry.data_name,
        "flow_name": entry.flow_name,
        "values": {m: float(v) for m, v in values.items() if v is not None},
        "setup": [
            {"component": p.flow_name, "name": p.parameter_name, "value": p.value, "default": p.default_value}
            for p in parameters.values()
        ],
    }


def _parts(numbers: list[int]) -> Iterator[list[int]]:
    """Lists short enough for an address."""
    for first in range(0, len(numbers), OPTIONS.numbers_at_once):
        yield numbers[first : first + OPTIONS.numbers_at_once]
