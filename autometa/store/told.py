"""All that was told of the evaluations of some tasks: every metric, whatever became of them.

`past` is one metric of all tasks at once; this is all metrics of each task, for tasks that need them: several
objectives, constraints.

Letters:  n evaluations of one task.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from autometa.origins import State
from autometa.space import Config
from autometa.store.blocks import configs_in, unpack
from autometa.store.reading import DAMAGE, Layer, damaged_task
from autometa.store.records import Exclusion, TaskRecord


@dataclass(frozen=True, slots=True, eq=False)
class ToldTask:
    """One task with what its evaluations told."""

    record: TaskRecord
    configs: tuple[Config, ...]  # (n,)
    ended_well: NDArray[np.bool_]  # (n,) complete, or stopped early
    metrics: dict[str, NDArray[np.float64]]  # (n,) each, NaN where it was not told


def told_in(layers: Sequence[Layer], *, space: str, kind: str, exclude: Exclusion) -> list[ToldTask]:
    """The tasks of a space and kind; one that several layers know comes from each of them."""
    found = []
    for layer in layers:
        for record, block in layer.entries(space=space, kind=kind, scores=True):
            if exclude.excludes(record):
                continue
            try:
                found.append(_told(record, unpack(block.scores)))
            except DAMAGE as error:
                layer.set_aside(damaged_task(record, error))
    return found


def _told(record: TaskRecord, table: pa.Table) -> ToldTask:
    texts, which = configs_in(table)
    configs = [json.loads(text) for text in texts.to_pylist()]
    states = [State.read(text) for text in table["state"].to_pylist()]
    metrics: dict[str, NDArray[np.float64]] = {}
    for row, (names, values) in enumerate(zip(table["metrics"].to_pylist(), table["scores"].to_pylist(), strict=True)):
        for name, value in zip(json.loads(names), values, strict=True):
            metrics.setdefault(name, np.full(len(which), np.nan))[row] = value
    ended_well = np.array([state is not None and state.ended_well for state in states], dtype=bool)
    return ToldTask(record, tuple(configs[k] for k in which), ended_well, metrics)
