"""A validation table, read beside the table that is learned from; and what cannot be asked together with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autometa.errors import Problem
from autometa.openml import is_address, read_table
from autometa.search import Settings
from autometa.task import Task, with_validation
from autometa.task.read.sources import shown


def with_table(
    task: Task | None,
    validation: Any,
    weight: str | None,
    drop_missing_target: bool,
    offline: bool,
    reading: Mapping[str, Any],
) -> Task | None:
    """A task with a validation table, read as its own was; where there is no task, only what is wrong with the table.

    Raises:
        InputError: Everything that is.
    """
    names = ("encoding", "header", "limits", "download", *(("server", "cache") if is_address(validation) else ()))
    known: dict[str, Any] = {name: reading[name] for name in names if name in reading}
    if task is not None:
        known |= task.schema.reading
        if any(isinstance(one, str) for one in task.classes):  # 01 is not 1, and NA may be a class
            known["text"] = (*known["text"], task.target)
    frame, notes = read_table(validation, offline=offline, **known)
    if task is None:
        return None
    name = f"the validation table {Path(shown(validation)).name}"
    task = with_validation(
        task, frame, weight=weight, drop_missing_target=drop_missing_target, name=name, source=shown(validation)
    )
    return replace(task, notes=(*task.notes, *(f"{name}: {note}" for note in notes)))


def split_twice(folds: Any, groups: Any, time_order: Any) -> list[Problem]:
    """What says how the rows are split, where a validation table says it already.

    Example:
        >>> split_twice(5, None, None)[0].where
        'folds'
    """
    given = {"folds": folds, "group": groups, "time order": time_order}
    names = [name for name, value in given.items() if value is not None]
    what = "say how rows are split, and the validation table says it already"
    if len(names) == 1:
        what = what.replace("say how", "says how", 1)
    fix = "Leave out one of the two; rows of one group, or of one time, are yours to keep on one side."
    return [Problem(" and ".join(names), what, fix)] if names else []


def wrong_validation(validation: Any, settings: Settings, cv: Any, groups: Any, time_order: Any) -> list[Problem]:
    """What cannot be done with validation rows in memory."""
    problems = split_twice(cv if cv is not None else settings.folds, groups, time_order)
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        problems.append(Problem("validation", "is neither (X, y) nor (X, y, sample_weight)"))
    return problems
