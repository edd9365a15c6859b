"""One user, thirty tables of one domain one after the other, each remembered: what is the memory worth as it grows?

    python benchmarks/stream.py                              every stream and method; may be stopped and started again
    python benchmarks/stream.py --streams cal_housing        one of the streams
    python benchmarks/stream.py --quick                      four tables of one stream, five trials
    python benchmarks/stream.py --again own "own + shipped"  forgets what was measured of a method, and measures it
    python benchmarks/stream.py --report                     results/stream.md and stream.svg

A stream is made of one shared table. Each of its tables has 1,500 of the rows, drawn without replacement and with
weights that lean towards one end of a column (covariate shift), without up to a third of the columns, with noise on
half of the numbers. A trial is one configuration of the product's space, learned on 400 rows and judged on the other
1,100 in the product's metric: `fit` without its folds and processes, so that a search takes seconds. Families that take
longer are left out. A search has ten trials:

    own + shipped   `WarmStartSampler` over the user's store, which grows by every search, above the shipped memory
    own             the same without the shipped memory
    shipped         the shipped memory alone: what does not grow
    enqueue         TPE, after `enqueue_trial` of the best of the tables before, the latest first
    tpe             Optuna's TPE, multivariate and grouped: cold
    random          random search: twenty trials, whose median is the scale's 1

The shipped memory is read without the family of the stream's table. Reported is the regret of the incumbent, 0 for the
best that any method had on the table and 1 for the median random configuration, after 1, 3, 5 and 10 trials, by how
many searches the user had finished before. Evaluations are kept under `build/stream`, so that no method pays for what
another has tried, and a stream that was stopped is soon where it was.

Letters:  n rows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from surrogate import RESULTS, ROOT, stamp
from warm_start import plot

import autometa
from autometa.bench.results import append, read_lines
from autometa.bench.run import revision
from autometa.evaluation import Evaluation, Splits, evaluate
from autometa.families import available, cash_space
from autometa.metafeatures import describe
from autometa.space import Config, SearchSpace, config_key
from autometa.store import Exclusion, TaskRecord
from autometa.task import Task, make_task

STREAMS = {"bank-marketing": "binary", "cal_housing": "regression", "electricity": "binary"}
CHEAP = ("linear", "knn", "naive_bayes", "discriminant", "svm", "extra_trees", "lightgbm")
METHODS = ("random", "tpe", "enqueue", "shipped", "own", "own + shipped")
SEED = 22
TABLES, LEARNED, JUDGED = 30, 400, 1_100
TRIALS, RANDOM = 10, 20
AT = (1, 3, 5, 10)
BEFORE = ((0, 0), (1, 4), (5, 9), (10, 19), (20, 29))  # own runs so far, from and to
KEPT = ROOT / "build" / "stream"


# ---------------------------------------------------------------------------------------------------------- tables


def sampled(whole: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Another table of the domain: some of the rows, leaning to one side, and of the columns, with noise."""
    columns = [name for name in whole if name != "target"]
    numbers = [name for name in columns if pd.api.types.is_numeric_dtype(whole[name])]
    lean = whole[rng.choice(numbers)].rank(pct=True).fillna(0.5).to_numpy() - 0.5
    weight = np.exp(rng.uniform(-3, 3) * lean)
    rows = rng.choice(len(whole), size=LEARNED + JUDGED, replace=False, p=weight / weight.sum())
    frame = whole.iloc[rows].reset_index(drop=True)
    gone = rng.choice(columns, size=rng.integers(0, len(columns) // 3 + 1), replace=False)
    for name in numbers:
        values = frame[name].astype(float)
        noise = rng.standard_normal(len(frame)) * (values.std() or 1.0)
        if rng.random() < 0.5:
            frame[name] = values + rng.uniform(0, 0.3) * noise
    return frame.drop(columns=gone)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One table of a stream as a task."""

    stream: str
    number: int
    task: Task
    features: Any
    space: SearchSpace
    splits: Splits

    def tried(self, config: Config) -> Evaluation:
        """A configuration on this table, evaluated once and for all."""
        path = KEPT / f"{self.stream}-{self.number}.jsonl"
        key = config_key(config)
        known = {line["key"]: line["evaluation"] for line in read_lines(path)}
        if key not in known:
            made = evaluate(self.task, config, self.splits, seed=0).evaluation.to_dict()
            append(path, {"key": key, "evaluation": made})
            known[key] = made
        return Evaluation.from_dict(known[key])


@cache
def given(stream: str, number: int) -> Given:
    """Table `number` of a stream."""
    whole = pd.read_parquet(ROOT.parent / "shared" / "data" / "tabular" / f"{stream}.parquet")
    kind = STREAMS[stream]
    if kind != "regression":
        whole = whole.assign(target=whole["target"].astype(str))
    rng = np.random.default_rng([SEED, zlib.crc32(stream.encode()), number])
    task = make_task(sampled(whole, rng), target="target", name=f"{stream} {number}", kind=kind)
    learned = np.zeros((1, task.n), dtype=bool)
    learned[0, rng.permutation(task.n)[:LEARNED]] = True
    splits = Splits(learned, ~learned, f"{LEARNED} rows learn, the others judge")
    families = [family for family in CHEAP if family in available(task.kind)]
    return Given(stream, number, task, describe(task), cash_space(task.kind, families), splits)


# -------------------------------------------------------------------------------------------------------- searches


def sampler_of(method: str, table: Given, store: Path, seed: int) -> optuna.samplers.BaseSampler:
    """The sampler of a method, with what it remembers so far."""
    if method == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if method in ("tpe", "enqueue"):
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
    past = autometa.MetaStore(store) if method == "own" else autometa.MetaStore.with_shipped(store)
    return autometa.WarmStartSampler(
        past, table.space, table.features, n_initial=TRIALS // 2, seed=seed,
        kind=table.task.kind, metric=table.task.metric, exclude=Exclusion(families=frozenset({table.stream})),
    )  # fmt: skip


def searched(method: str, table: Given, store: Path, bests: list[Config], seed: int, trials: int) -> list[Evaluation]:
    """What one search tried, in order."""
    evaluations = []

    def objective(trial: Any) -> float:
        evaluations.append(table.tried(table.space.suggest(trial)))
        score = evaluations[-1].scores.get(table.task.metric, np.nan)
        if not np.isfinite(score):
            raise optuna.TrialPruned
        return score

    study = optuna.create_study(direction="maximize", sampler=sampler_of(method, table, store, seed))
    for config in bests[::-1][:trials]:
        study.enqueue_trial(table.space.clip(config)[0], skip_if_exists=True)
    study.optimize(objective, n_trials=trials)
    return evaluations


def chain(stream: str, method: str, seed: int, tables: int, trials: int) -> dict[str, Any]:
    """One method on a whole stream, remembering as it goes."""
    scores: list[list[float | None]] = []
    bests: list[Config] = []
    folder = Path(tempfile.mkdtemp())
    try:
        for number in range(tables):
            table = given(stream, number)
            start = zlib.crc32(f"{stream} {number} {seed}".encode())
            most = RANDOM if method == "random" else trials
            found = searched(method, table, folder / "own.db", bests if method == "enqueue" else [], start, most)
            values = [e.scores.get(table.task.metric, np.nan) for e in found]
            bests.append(found[int(np.nanargmax(values))].config)
            if method.startswith("own"):
                record = TaskRecord.of(table.task, table.features, source="fit")
                autometa.MetaStore(folder / "own.db").add(record, found)
            scores.append([round(float(v), 6) if np.isfinite(v) else None for v in values])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"stream": stream, "method": method, "seed": seed, "tables": tables, "trials": trials, "scores": scores}


# ---------------------------------------------------------------------------------------------------------- report


def regrets(lines: list[dict[str, Any]]) -> dict[tuple[str, int], dict[str, NDArray[np.float64]]]:
    """(stream, table) -> method -> regret of the incumbent at `AT`, mean over seeds."""
    scores: dict[tuple[str, int], dict[str, list[NDArray[np.float64]]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for number, values in enumerate(line["scores"]):
            row = np.array([np.nan if v is None else v for v in values])
            scores[line["stream"], number][line["method"]].append(row)
    out: dict[tuple[str, int], dict[str, NDArray[np.float64]]] = {}
    for table, methods in scores.items():
        if "random" not in methods:
            continue
        best = max(np.nanmax(row) for rows in methods.values() for row in rows)
        usual = np.nanmedian(np.concatenate(methods["random"]))
        for method, rows in methods.items():
            runs = [np.fmax.accumulate(row) for row in rows]
            found = (best - np.array([[run[t - 1] for t in AT if t <= len(run)] for run in runs])) / (best - usual)
            out.setdefault(table, {})[method] = np.where(np.isnan(found), 1.0, found).mean(axis=0)
    return out


def report(lines: list[dict[str, Any]], path: Path) -> str:
    """The table, as Markdown; draws the figure beside it."""
    found = regrets(lines)
    streams = sorted({stream for stream, _ in found})
    commits = sorted({line.get("revision", "unknown") for line in lines if "own" in line["method"]})
    out = [
        "# A memory that grows",
        "",
        f"By `python benchmarks/stream.py`: {', '.join(streams)}; mean regret of the incumbent after t trials, by how "
        "many searches the user had finished before. The memory's methods are those of "
        f"{', '.join(commits) or 'no revision yet'}.",
    ]
    curves: dict[str, list[tuple[float, float]]] = {}
    for k, t in enumerate(AT):
        heads = [f"{low} to {high}" if high > low else f"{low}" for low, high in BEFORE]
        out += ["", f"t = {t}", "", f"| own runs before | {' | '.join(heads)} | all |", "|---" * (len(heads) + 2) + "|"]
        for method in METHODS:
            values = {table: row[method][k] for table, row in found.items() if method in row and k < len(row[method])}
            if not values:
                continue
            groups = [[v for (_, number), v in values.items() if low <= number <= high] for low, high in BEFORE]
            cells = [f"{np.mean(group):.3f}" if group else "" for group in [*groups, list(values.values())]]
            out.append(f"| {method} | {' | '.join(cells)} |")
            if t == 5:
                middles = [(low + high) / 2 for low, high in BEFORE]
                points = zip(middles, groups, strict=True)
                curves[method] = [(x, float(np.mean(group))) for x, group in points if group]
    if curves:
        plot(path.with_suffix(".svg"), "Regret after 5 trials by own searches before", curves, "own searches before")
    return "\n".join(out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--streams", nargs="+", choices=STREAMS, default=list(STREAMS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--tables", type=int, default=TABLES)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--again", nargs="+", choices=METHODS, default=[], help="methods to be measured anew")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if options.quick:
        options.streams, options.tables, options.trials = options.streams[:1], 4, 5
    path = RESULTS / ("stream-quick.jsonl" if options.quick else "stream.jsonl")
    keys = ("stream", "method", "seed", "tables", "trials")
    known = {tuple(line[k] for k in keys): line for line in read_lines(path)}
    for cell in [(s, m, k, options.tables, options.trials) for k in range(options.seeds)
                 for s in options.streams for m in options.methods]:  # fmt: skip
        if not options.report and (cell not in known or cell[1] in options.again):
            known[cell] = {**chain(*cell), "revision": revision(), **stamp()}
            append(path, known[cell])
            last = known[cell]["scores"][-1]
            print(json.dumps({**dict(zip(keys, cell, strict=True)), "last": last}), flush=True)
    text = report(list(known.values()), path)
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
