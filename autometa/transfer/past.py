"""Past tasks as a table that recommenders can calculate with.

`PastTable.of` keeps the configurations that the space at hand can express, normalises every task's scores (`scale`) and
imputes the missing entries (`completion`).

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, SearchSpace, config_key, family_in
from autometa.transfer.completion import impute, kinship
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.past_studies import PastStudies
from autometa.transfer.scale import normalised

if TYPE_CHECKING:
    from autometa.store import PastTasks, TaskRecord


@dataclass(frozen=True, slots=True, eq=False)
class PastTable:
    """Past tasks and configurations of one search space, with normalised scores, those that are missing imputed."""

    space: SearchSpace
    records: tuple[TaskRecord, ...]  # (t,)
    configs: tuple[Config, ...]  # (m,) all contained in the space
    repairs: tuple[tuple[str, ...], ...]  # (m,) what was changed to fit into the space; mostly ()
    scores: NDArray[np.float64]  # (t, m) in the metric's unit; NaN = not evaluated, -inf = failed
    normalised: NDArray[np.float64]  # (t, m) in [0, 1], missing entries imputed
    spread: NDArray[np.float64]  # (t, m) standard deviation of the normalised score; 0 where it was measured
    seconds: NDArray[np.float64]  # (t, m) NaN = unknown
    metafeatures: NDArray[np.float64]  # (t, f)
    defaults: tuple[Config, ...]  # of the space, one per family
    column_of: dict[str, int]  # config_key -> column, also of the configurations before their repair
    tried: NDArray[np.int64] | None = None  # (t,) trials of each study, where only its best are columns

    @classmethod
    def of(cls, past: PastTasks, space: SearchSpace, options: TransferOptions = OPTIONS) -> PastTable:
        """The tasks of `past` that tell configurations apart, and the configurations that fit into `space`."""
        if isinstance(past, PastStudies):
            return cls._of_studies(past, space, options)
        scores = np.asarray(past.scores, dtype=float).reshape(len(past.records), len(past.configs))
        seconds = np.asarray(past.seconds, dtype=float).reshape(scores.shape)
        columns, configs, repairs, column_of = _admissible(
            past.configs, _worth_keeping(scores, options.single_task_best), space
        )
        telling = np.array([len(set(row[np.isfinite(row)])) > 1 for row in scores[:, columns]], dtype=bool)
        scores, seconds = scores[telling][:, columns], seconds[telling][:, columns]
        metafeatures = np.asarray(past.metafeatures, dtype=float)
        metafeatures = metafeatures.reshape(len(past.records), len(past.metafeature_names))[telling]
        completed, spread = impute(
            normalised(scores, options.floor_quantile), kinship(configs, space, options), options
        )
        return cls(
            space=space,
            records=tuple(record for record, keep in zip(past.records, telling, strict=True) if keep),
            configs=configs,
            repairs=repairs,
            scores=scores,
            normalised=completed,
            spread=spread,
            seconds=seconds,
            metafeatures=metafeatures,
            defaults=tuple(space.defaults()),
            column_of=column_of,
        )

    @classmethod
    def _of_studies(cls, past: PastStudies, space: SearchSpace, options: TransferOptions) -> PastTable:
        """Past studies of own configurations: what their functions let expect, less a share of the uncertainty."""
        columns, configs, repairs, column_of = _admissible(past.configs, range(len(past.configs)), space)
        expected, spread = past.expected(space, configs), past.spread[:, columns]
        return cls(
            space=space,
            records=past.records,
            configs=configs,
            repairs=repairs,
            scores=past.scores[:, columns],
            normalised=np.clip(expected - options.study_pessimism * spread, 0.0, 1.0),
            spread=spread,
            seconds=past.seconds[:, columns],
            metafeatures=np.asarray(past.metafeatures, dtype=float).reshape(len(past.records), -1),
            defaults=tuple(space.defaults()),
            column_of=column_of,
            tried=past.tried,
        )

    @property
    def t(self) -> int:
        """The number of past tasks."""
        return len(self.records)

    @property
    def m(self) -> int:
        """The number of configurations; 0 without a task that tells any apart."""
        return len(self.configs) if self.records else 0

    def column(self, config: Config) -> int | None:
        """The column of `config`, None if no past task evaluated it."""
        return self.column_of.get(config_key(config))

    def rank(self, task: int, column: int) -> tuple[int, int]:
        """Rank of a configuration among those evaluated on a past task, 1 the best, and how many there are."""
        return int(np.sum(self.scores[task] > self.scores[task, column])) + 1, self.evaluated(task)

    def evaluated(self, task: int) -> int:
        """The number of configurations that were evaluated on a past task."""
        return int(np.sum(~np.isnan(self.scores[task])) if self.tried is None else self.tried[task])


def _worth_keeping(scores: NDArray[np.float64], single_task_best: int) -> list[int]:
    """Configurations that several tasks evaluated, and the best few of those that one task alone did.

    Searches leave thousands that no other task has tried and that were nothing special: they would cost time and tell
    nothing.
    """
    if scores.size == 0:
        return []
    several = np.isfinite(scores).sum(axis=0) > 1
    best = np.argsort(-np.where(np.isfinite(scores), scores, -np.inf), axis=1, kind="stable")[:, :single_task_best]
    own = np.zeros_like(several)
    own[best[np.isfinite(np.take_along_axis(scores, best, axis=1))]] = True
    return [int(j) for j in np.flatnonzero(several | own)]


def _admissible(
    configs: Sequence[Config], among: Sequence[int], space: SearchSpace
) -> tuple[list[int], tuple[Config, ...], tuple[tuple[str, ...], ...], dict[str, int]]:
    """Which configurations fit into the space, exactly or after clipping numbers; those that fit exactly come first."""
    exact: list[tuple[int, Config, tuple[str, ...]]] = []
    repaired: list[tuple[int, Config, tuple[str, ...]]] = []
    for i in among:
        config = configs[i]
        if space.families and family_in(config) not in space.families:
            continue
        problems = space.problems(config)
        if not problems:
            exact.append((i, config, ()))
        elif (fixed := _repair(config, space)) is not None:
            repaired.append((i, *fixed))
    columns: list[int] = []
    kept: list[Config] = []
    repairs: list[tuple[str, ...]] = []
    column_of: dict[str, int] = {}
    for i, config, changes in exact + repaired:
        key = config_key(config)
        if key not in column_of:
            column_of[key] = len(columns)
            columns.append(i)
            kept.append(dict(config))
            repairs.append(changes)
        column_of.setdefault(config_key(configs[i]), column_of[key])
    return columns, tuple(kept), tuple(repairs), column_of


def _repair(config: Config, space: SearchSpace) -> tuple[Config, tuple[str, ...]] | None:
    """Clipped, if only numbers were out of range or parameters are new; None where it would become another one."""
    clipped, changes = space.clip(config)
    same_names = all(name in clipped for name in config)
    same_choices = all(
        config[name] == value or (not hasattr(space[name].distribution, "choices") and _number(config[name]))
        for name, value in clipped.items()
        if name in config
    )
    return (clipped, tuple(changes)) if same_names and same_choices else None


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
