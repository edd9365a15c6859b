"""Every invariant of a store, checked.

Each check is a function that takes one task with its block and says what is wrong; to check more, write one and name it
in `CHECKS`. Nothing is changed, whatever is found.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from autometa.errors import Problem, StoreError
from autometa.origins import State
from autometa.store.blocks import Block, canonical, check, configs_in, decode, key, unpack
from autometa.store.database import Database
from autometa.store.reading import Entry
from autometa.store.schema import block, record_of, task, task_columns, values_of

if TYPE_CHECKING:
    from autometa.evaluation import Evaluation

KINDS = ("binary", "multiclass", "regression")
# Every task with its block, and what has no counterpart.
_SAME = sa.and_(task.c.fingerprint == block.c.fingerprint, task.c.space == block.c.space)
_BLOCK = [c.label(f"block_{c.name}") for c in block.c]


def _both(connection: Connection) -> sa.Select[Any]:
    return sa.select(*task_columns(connection), *_BLOCK).select_from(task.join(block, _SAME, full=True))


_EXAMPLES = 3  # places named of one thing that is wrong many times


def verify(database: Database) -> list[Problem]:
    """Everything that is wrong; empty when nothing is. Raises StoreError when it cannot be opened at all."""
    with database.reading(check=False) as connection:
        if connection is None:
            return []
        problems: list[Problem] = []
        try:
            for row in connection.execution_options(yield_per=16).execute(_both(connection)):
                problems += _wrong_with(row)
            if connection.dialect.name == "sqlite":
                lines = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
                problems += [Problem(database.shown, f"SQLite: {line}", _REPLACE) for line in lines if line != "ok"]
        except DBAPIError as error:  # broken pages; what could be read before them was looked at
            problems.append(Problem(database.shown, f"cannot be read to its end: {error.orig}", _REPLACE))
        return problems


def wrong_with(entries: Iterable[Entry]) -> Iterator[Problem]:
    """Everything that is wrong with tasks that are about to be added."""
    for record, content in entries:
        parts = {f"block_{name}": value for name, value in content._asdict().items()}
        identity = {"block_fingerprint": record.fingerprint, "block_space": record.space}
        yield from _wrong_with(SimpleNamespace(**values_of(record), **identity, **parts))


def told(problems: Sequence[Problem]) -> str:
    """The first problems in one text, and how many more there are."""
    more = f" And {len(problems) - _EXAMPLES} more problems." if len(problems) > _EXAMPLES else ""
    return " ".join(str(Problem(problem.where, problem.what)) for problem in problems[:_EXAMPLES]) + more


def repair(database: Database, fill: Callable[[Path, Sequence[Entry]], None]) -> list[str]:
    """Sets a damaged file aside, and has another filled with the tasks with which nothing is wrong.

    Returns:
        What was done, in a sentence each; empty when nothing had to be.

    Raises:
        StoreError: It is on a server, cannot be opened at all, or cannot be written.
    """
    if not verify(database):
        return []
    path = database.file
    if path is None:
        raise StoreError(
            f"{database.shown}: a server's store is not repaired. `autometa store rm TASK` forgets a task."
        )
    entries, others = _whole_entries(database)
    new, aside = path.with_name(path.name + ".repaired"), path.with_name(path.name + ".damaged")
    new.unlink(missing_ok=True)  # of a try that was killed
    fill(new, entries)
    path.replace(aside)
    for log in ("-wal", "-shm"):
        path.with_name(path.name + log).unlink(missing_ok=True)
    new.replace(path)
    return [f"{path}: {len(entries)} tasks are kept, {others} were damaged; the old file is {aside.name}."]


def _whole_entries(database: Database) -> tuple[list[Entry], int]:
    """The tasks with which nothing is wrong, as far as the database can be read, and how many others were met."""
    found: list[Entry] = []
    others = 0
    with database.reading(check=False) as connection:
        try:
            for row in (
                () if connection is None else connection.execution_options(yield_per=16).execute(_both(connection))
            ):
                if next(_wrong_with(row), None) is None:
                    content = Block(row.block_scores, row.block_details, row.block_evaluations)
                    found.append(Entry(record_of(row), content))
                else:
                    others += 1
        except DBAPIError:  # broken pages: what could be read before them is what there is
            others += 1
    return found, others


_REPLACE = "Restore a copy, or merge what can still be read into a new store."
_REMOVE = "Remove the task and add it again."


def _wrong_with(row: Any) -> Iterator[Problem]:
    """Everything that is wrong with one task and its block."""
    if row.fingerprint is None:
        yield Problem(f"block {row.block_fingerprint} ({row.block_space})", "belongs to no task", "Remove it.")
        return
    where = f"task {row.name!r} ({row.fingerprint[:12]}, {row.space})"
    for what in _record(row):
        yield Problem(where, what, _REMOVE)
    try:
        record_of(row)
    except (ValueError, KeyError, TypeError) as error:
        yield Problem(where, f"its record is damaged: {error}", _REMOVE)
    if row.block_fingerprint is None:
        yield Problem(where, "has no block of evaluations", _REMOVE)
        return
    content = Block(row.block_scores, row.block_details, row.block_evaluations)
    try:
        check(content)
        evaluations = decode(content)
        texts, _ = configs_in(unpack(content.scores))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        yield Problem(where, f"its evaluations are damaged: {error}", _REMOVE)
        return
    wrong_configs = list(_configs(texts.to_pylist()))
    yield from (Problem(where, what, _REMOVE) for what in wrong_configs)
    if wrong_configs:
        return
    for says, holds in CHECKS.items():
        wrong = [index for index, evaluation in enumerate(evaluations) if not holds(evaluation)]
        if wrong:
            yield Problem(where, f"{says}: {_places(wrong)}", _REMOVE)
    keys = [key(evaluation) for evaluation in evaluations]
    first = {name: index for index, name in reversed(list(enumerate(keys)))}
    if twice := [index for index, name in enumerate(keys) if first[name] != index]:
        yield Problem(where, f"is there twice: {_places(twice)}", _REMOVE)


def _record(row: Any) -> Iterator[str]:
    if absent := [c.name for c in task.c if not c.nullable and getattr(row, c.name) is None]:
        yield f"it has no {' and no '.join(absent)}"
        return
    if not re.fullmatch("[0-9a-f]{16,128}", row.fingerprint):
        yield f"the fingerprint {row.fingerprint!r} is not 16 or more hexadecimal digits"
    if row.space == "fit" and row.kind not in KINDS:
        yield f"unknown kind {row.kind!r}"
    if min(row.n_rows, row.n_columns, row.n_classes) < 0:
        yield "a negative number of rows, columns or classes"
    try:
        datetime.fromisoformat(row.created)
    except ValueError:
        yield f"the time {row.created!r} is not in ISO 8601"
    if row.metafeatures is not None:
        try:
            content = json.loads(row.metafeatures)
            names, values = content["names"], content["values"]
            if len(names) != len(values) or len(set(names)) != len(names):
                yield f"{len(values)} meta-features under {len(set(names))} different names"
            if any(math.isinf(float(value)) for value in values):
                yield "a meta-feature is infinite"
        except (ValueError, KeyError, TypeError) as error:
            yield f"its meta-features cannot be read: {error}"


def _configs(texts: Sequence[str]) -> Iterator[str]:
    wrong = []
    for text in texts:
        config = json.loads(text)
        if not isinstance(config, dict) or canonical(config) != text:
            wrong.append(text)
    if wrong:
        yield f"{len(wrong)} configurations are not canonical JSON, such as {wrong[0][:80]}"


def _places(wrong: Sequence[int]) -> str:
    more = f" and {len(wrong) - _EXAMPLES} more" if len(wrong) > _EXAMPLES else ""
    return "evaluation " + ", ".join(map(str, wrong[:_EXAMPLES])) + more


def _finite(values: Any) -> bool:
    return not any(math.isinf(value) for value in values)


# What is said when it does not hold, and what must hold of every evaluation.
CHECKS: dict[str, Callable[[Evaluation], bool]] = {
    "unknown state": lambda e: State.read(e.state) is not None,
    "complete, but without a score": lambda e: e.state != State.COMPLETE or bool(e.scores),
    "not complete, and no reason given": lambda e: e.state == State.COMPLETE or bool(e.reason),
    "a score is infinite": lambda e: _finite(e.scores.values()),
    "a fold's score is infinite": lambda e: all(_finite(values) for values in e.folds.values()),
    "scores by fold in a metric that has no score": lambda e: set(e.folds) <= set(e.scores),
    "negative seconds, memory or rows": lambda e: not (min(e.fit_seconds, e.predict_seconds, e.peak_ram, e.rows) < 0),
}
