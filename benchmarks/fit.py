"""How good is `autometa fit` on data that it has never seen, beside what else could be done in the same time?

    python benchmarks/fit.py --setup            the environments of FLAML and AutoGluon, under .venvs/
    python benchmarks/fit.py --time 30 60       runs what is not in the results yet; may be stopped at any time
    python benchmarks/fit.py --quick            three small data sets at 10 s
    python benchmarks/fit.py --report           tables from the results so far
    python benchmarks/fit.py --time 3 5 8 15 --load 8 --cores 1 --methods autometa forest-50 lightgbm-default
                                                beside eight busy loops: results of their own, `fit-load8.jsonl`

One *cell* is a method on a dataset under a budget, run as `autometa bench` runs it: a process tree of its own, on the
same 2 cores, with the same 75 % of the rows to learn from (split once with seed 0, stratified), the same metric (AutoML
Benchmark: AUC, log loss, RMSE) and a hard limit of two budgets and a minute. The dataset and its whole family are left
out of the memory that AutoMeta starts from, and nothing is added to it. All cells of one dataset run before the next
dataset begins, in an order that is drawn anew for each, so a stop at any moment leaves whole datasets to compare.

The datasets are chosen by `choose`, a fixed rule with a fixed seed, never by result.

Letters:  n rows · t datasets · b resamplings.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import json
import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scale import busy

from autometa.bench import cells as bench_cells
from autometa.bench import methods as bench_methods
from autometa.bench.environments import interpreter, set_up
from autometa.bench.ranking import holm
from autometa.bench.run import machine
from autometa.bench.suite import BenchTask, bench_task, left_out
from autometa.evaluation import Isolation
from autometa.store import Exclusion, MetaStore
from autometa.task import DEFAULT_METRICS as METRICS

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "fit.jsonl"
METHODS = {  # what the results file calls them -> what `autometa bench` does
    "autometa": "autometa",
    "autometa-cold": "cold",
    "best-default": "default",
    "lightgbm-default": "lightgbm",
    "forest-50": "rf50",
    "flaml": "flaml",
    "autogluon": "autogluon",
    "autogluon-best": "autogluon-best",
    **{name: name for name in bench_methods.METHODS if name.startswith("autogluon-")},
}
UNTIMED = tuple(name for name, own in METHODS.items() if not bench_methods.METHODS[own].timed)  # run once
COMPARED = tuple(  # by default: presets need more time, and the small forest is for seconds
    m for m in METHODS if m != "forest-50" and not m.startswith("autogluon-")
)
ENVIRONMENTS = REPOSITORY / ".venvs"
NOTHING = Exclusion()  # is left out of the memory
RESAMPLINGS = 100  # b: of the test rows, the same for every method
BANDS = ((500, 2_000), (2_000, 10_000), (10_000, 50_001))  # rows

# the datasets --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row of the catalogue."""

    name: str
    kind: str
    family: str
    rows: int


def choose(catalog: Path, each: int = 8, seed: int = 0) -> list[Dataset]:
    """`each` datasets of each kind: real ones, of families that are all different, small, middle and large in turn.

    Among the real datasets of 500 to 50,000 rows whose rarest class has at least 20 rows, those in OpenML-CC18 or the
    AutoML Benchmark come first, and otherwise the order is drawn with `seed`. The kinds take turns in the list.
    """
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real" and 500 <= int(r["n_rows"]) <= 50_000]
    rows = [r for r in rows if r["task"] == "regression" or float(r["minority_fraction"] or 0) * int(r["n_rows"]) >= 20]
    rows.sort(key=lambda r: r["name"])
    random.Random(seed).shuffle(rows)
    rows.sort(key=lambda r: "1" not in (r["in_cc18"], r["in_amlb"]))  # stable
    chosen: list[Dataset] = []
    for turn in range(each):
        for kind in METRICS:
            used = {d.family for d in chosen}
            low, high = BANDS[turn % len(BANDS)]
            free = [r for r in rows if r["task"] == kind and r["family"] not in used]
            first = next((r for r in free if low <= int(r["n_rows"]) < high), free[0])
            chosen.append(Dataset(first["name"], kind, first["family"], int(first["n_rows"])))
    return chosen


def split(frame: pd.DataFrame, kind: str, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """75 % to learn from, 25 % to be judged by; classes as text, in both in their proportions."""
    from sklearn.model_selection import train_test_split

    if kind != "regression":
        frame = frame.assign(target=frame["target"].astype(str))
    train, test = train_test_split(
        frame, test_size=0.25, random_state=seed, stratify=None if kind == "regression" else frame["target"]
    )
    return train.reset_index(drop=True), test.reset_index(drop=True)


# one cell ------------------------------------------------------------------------------------------------------------


def score(
    kind: str,
    y: NDArray[Any],  # (n,) labels as text, or numbers
    classes: NDArray[np.str_],  # (c,)
    prediction: NDArray[np.float64],  # (n, c) probabilities or (n,) values
) -> float:
    """AUC, negative log loss or negative RMSE: larger is better."""
    from sklearn.metrics import roc_auc_score

    if kind == "regression":
        return float(-np.sqrt(np.mean((y - prediction) ** 2)))
    if not np.isfinite(prediction).all():
        raise ValueError("a probability is not finite")
    columns = {label: i for i, label in enumerate(classes)}
    labels = sorted(set(y) | set(classes))
    if kind == "binary":
        return float(roc_auc_score(y == labels[-1], prediction[:, columns[labels[-1]]]))
    clipped = np.clip(prediction / prediction.sum(axis=1, keepdims=True), 1e-15, 1.0)
    own = np.array([clipped[i, columns[label]] if label in columns else 1e-15 for i, label in enumerate(y)])
    return float(np.mean(np.log(own)))


def resampled(kind: str, y: NDArray[Any], classes: NDArray[np.str_], prediction: NDArray[np.float64]) -> list[float]:
    """The score on `RESAMPLINGS` bootstrap samples of the test rows, the same samples for every method."""
    rng, n, out = np.random.default_rng(0), len(y), []
    while len(out) < RESAMPLINGS:
        rows = rng.integers(0, n, n)
        if kind != "binary" or len(set(y[rows])) == 2:
            out.append(float(f"{score(kind, y[rows], classes, prediction[rows]):.6g}"))
    return out


def constant(kind: str, train: NDArray[Any], test: NDArray[Any]) -> float:
    """The score of the best prediction that looks at no feature: the scale's zero."""
    if kind == "regression":
        return score(kind, test, np.array([]), np.full(len(test), train.mean()))
    labels, counts = np.unique(train, return_counts=True)
    return score(kind, test, labels, np.tile(counts / counts.sum(), (len(test), 1)))


def run_cell(dataset: Dataset, method: str, budget: float, cores: int, data: Path, seed: int = 0) -> dict[str, Any]:
    """Runs one cell to its end or its hard limit; never raises for the method's own faults."""
    train, test = split(pd.read_parquet(data / "tabular" / f"{dataset.name}.parquet"), dataset.kind)
    sides = np.arange(len(train)), np.arange(len(train), len(train) + len(test))
    task = bench_task(
        pd.concat([train, test], ignore_index=True),
        key=dataset.name,
        name=dataset.name,
        target="target",
        kind=dataset.kind,
        family=dataset.family,
        splits=[(0, 0, *sides)],
    )
    out: dict[str, Any] = {"dataset": dataset.name, "kind": dataset.kind, "family": dataset.family, "method": method}
    out |= {"budget": budget, "cores": cores, "seed": seed, "metric": METRICS[dataset.kind], "rows": task.n}
    with tempfile.TemporaryDirectory(prefix="autometa-fit-", ignore_cleanup_errors=True) as name:
        exclude = left_out(task, MetaStore.with_shipped(Path(name) / "none.db").tasks(space=None))
    record, prediction, answers = benched(task, METHODS[method], budget, cores, seed, exclude)
    out["constant"] = constant(dataset.kind, train["target"].to_numpy(), answers)
    facts = ("seconds", "peak_ram", "fit_seconds", "trials", "validation", "winner", "defaults", "versions")
    out |= {"score": None, "error": None} | {fact: record[fact] for fact in facts if fact in record}
    if prediction is None:
        return out | {"error": f"{record['state']}: {record['reason']}"}
    try:
        classes = np.array(prediction.classes)
        out["score"] = score(dataset.kind, answers, classes, prediction.values)
        out["resampled"] = resampled(dataset.kind, answers, classes, prediction.values)
    except ValueError as error:
        out |= {"score": None, "error": f"unusable prediction: {error}"}
    return out


def benched(
    task: BenchTask, method: str, budget: float, cores: int, seed: int = 0, exclude: Exclusion = NOTHING
) -> tuple[dict[str, Any], bench_cells.CellPrediction | None, NDArray[Any]]:
    """A method of `autometa bench` on the only fold of a task, as the bench runs it, and the right answers (n,)."""
    python = interpreter(method, ENVIRONMENTS)
    if python is None:
        raise SystemExit(f"{method} is not installed: python benchmarks/fit.py --setup")
    setting = bench_cells.Setting(method, budget, cores, seed, python.absolute())
    with tempfile.TemporaryDirectory(prefix="autometa-fit-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        answers = bench_cells.split_to(task, (0, 0), folder / "data")
        with Isolation(preload=("autometa.bench.launch",)) as isolation:
            record, prediction = bench_cells.run_cell(
                isolation, task, (0, 0), setting, folder / "data", answers, folder / "cell", exclude=exclude
            )
    return record, prediction, answers


def watched(
    program: list[str], folder: Path, limit: float, environment: Mapping[str, str] | None = None
) -> tuple[str | None, float, int]:
    """Runs a program in `folder`, its output to ``output`` and its errors to ``log`` there, and ends its whole tree.

    Returns:
        What went wrong or None, its seconds, and the peak resident memory of its process tree in bytes, looked at ten
        times a second (memory that processes share is counted in each).
    """
    import psutil

    started, peak = time.monotonic(), 0
    with (folder / "output").open("wb") as output, (folder / "log").open("wb") as log:
        process = psutil.Popen(
            program,
            cwd=folder,
            stdout=output,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
        known: dict[int, psutil.Process] = {}  # the method may leave processes behind that outlive it
        while process.poll() is None and time.monotonic() - started < limit:
            with contextlib.suppress(psutil.NoSuchProcess):
                known |= {p.pid: p for p in (process, *process.children(recursive=True))}
                peak = max(peak, sum(p.memory_info().rss for p in known.values() if p.is_running()))
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(0.1)
        seconds, late = time.monotonic() - started, process.poll() is None
        for p in known.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                p.kill()
        psutil.wait_procs(known.values(), timeout=10)
    error = None
    if late:
        error = f"killed at the hard limit of {limit:.0f} s"
    elif process.returncode != 0:
        said = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        error = f"exit code {process.returncode}: {said[-1] if said else 'no output'}"
    return error, round(seconds, 2), peak


# all cells -----------------------------------------------------------------------------------------------------------


def cells(
    datasets: Sequence[Dataset], methods: Sequence[str], budgets: Sequence[float]
) -> Iterator[tuple[Dataset, str, float]]:
    """Dataset by dataset; within one, budgets and methods in an order of its own. Budget 0: no budget changes it."""
    for dataset in datasets:
        own = [(m, b) for m in methods for b in ((0.0,) if m in UNTIMED else budgets)]
        random.Random(dataset.name).shuffle(own)
        yield from ((dataset, method, budget) for method, budget in own)


def key(record: dict[str, Any]) -> tuple[Any, ...]:
    """What identifies a cell."""
    return tuple(record[k] for k in ("dataset", "method", "budget", "cores", "seed"))


def read(results: Path) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The results so far; of a repeated cell, the last. A line that was cut off by a kill is left out."""
    out = {}
    for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        out[key(record)] = record
    return out


def revision() -> str:
    """The commit, with a plus where the checkout differs from it."""
    git = ["git", "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    return subprocess.run(git, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()


def run(arguments: argparse.Namespace, datasets: Sequence[Dataset]) -> None:
    """Runs every cell that has no result yet and appends its result."""
    done = read(arguments.results)
    repeat = set(arguments.repeat)
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    todo = [
        (d, m, b)
        for d, m, b in cells(datasets, arguments.methods, arguments.time)
        if (old := done.get((d.name, m, b, arguments.cores, 0))) is None
        or m in repeat
        or (arguments.retry and old["error"])
    ]
    where = machine()
    for i, (dataset, method, budget) in enumerate(todo, start=1):
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        with busy(arguments.load):
            record = run_cell(dataset, method, budget, arguments.cores, arguments.data)
        record |= {
            "loops": arguments.load,
            "machine": where,
            "load": load,
            "revision": revision(),
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        with arguments.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        said = f"{record['score']:.5g}" if record["score"] is not None else record["error"]
        print(f"[{i}/{len(todo)}] {dataset.name} {method} {budget:g} s: {said} ({record['seconds']:.0f} s)", flush=True)


# the report ----------------------------------------------------------------------------------------------------------


def ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:  # (t, methods) -> (t, methods)
    """Rank 1 for the best of a row; equals share their mean rank, and failures (NaN) the last ones."""
    from scipy.stats import rankdata

    return rankdata(-np.nan_to_num(scores, nan=-np.inf), axis=1, method="average")


def report(records: Sequence[dict[str, Any]], budget: float, methods: Sequence[str], cores: int) -> str:
    """The tables of one budget, in Markdown, over the datasets that every method has been tried on."""
    from scipy.stats import wilcoxon

    table: dict[str, dict[str, dict[str, Any]]] = {}
    for r in records:
        if r["cores"] == cores and r["method"] in {"autometa", *methods} and r["budget"] in (budget, 0.0):
            table.setdefault(r["dataset"], {})[r["method"]] = r
    names = [name for name, row in table.items() if {"autometa", *methods} == set(row)]
    lines = [f"## {budget:g} s, {cores} cores, {len(names)} datasets", ""]
    if not names:
        return "\n".join([*lines, "No dataset has been tried with every method yet.", ""])
    kinds = Counter(table[name]["autometa"]["kind"] for name in names)
    lines += [
        ", ".join(f"{n} {kind}" for kind, n in kinds.items()) + ". Larger is better; the best of a row is bold.",
        "",
    ]

    methods = ["autometa", *(m for m in methods if m != "autometa")]
    scores = np.array([[_number(table[name][m]["score"]) for m in methods] for name in names])  # (t, methods)
    zero = np.array([table[name]["autometa"]["constant"] for name in names])
    # 0 is what a constant prediction scores, 1 the best of all methods: a scale wherever there is anything to learn.
    # Where hardly anything is, whoever is worse than the constant is so by any number of units: -1 at least.
    top = np.nanmax(scores, axis=1)
    unit = np.maximum(top - zero, 1e-12)
    scaled = np.clip((scores - zero[:, None]) / unit[:, None], -1.0, 1.0)
    rank = ranks(scores)

    lines += ["| dataset | rows | metric | " + " | ".join(methods) + " |", "|---|---|---|" + "---|" * len(methods)]
    for i, name in enumerate(names):
        row = [f"**{s:.4f}**" if s == top[i] else ("failed" if np.isnan(s) else f"{s:.4f}") for s in scores[i]]
        own = table[name]["autometa"]
        lines.append(f"| {name} | {own['rows']} | {own['metric'].removeprefix('neg_')} | " + " | ".join(row) + " |")

    rng = np.random.default_rng(0)
    draws = rank[rng.integers(0, len(names), (2000, len(names)))].mean(axis=1)  # (2000, methods)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    lines += [
        "",
        "| method | average rank | 95 % interval | mean scaled score | failed | fit seconds, median | largest "
        "| peak RAM, MB, median |",
    ]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for j in np.argsort(rank.mean(axis=0)):
        rows = [table[name][methods[j]] for name in names]
        took = np.array([r.get("fit_seconds", np.nan) for r in rows], dtype=float)
        lines.append(
            f"| {methods[j]} | {rank[:, j].mean():.2f} | {low[j]:.2f} to {high[j]:.2f} "
            f"| {np.nan_to_num(scaled[:, j]).mean():.4f} "
            f"| {int(np.isnan(scores[:, j]).sum())} | {np.nanmedian(took):.1f} | {np.nanmax(took):.1f} "
            f"| {np.median([r['peak_ram'] for r in rows]) / 1e6:.0f} |"
        )

    mine = methods.index("autometa")
    others = [j for j in range(len(methods)) if j != mine]
    gap = np.nan_to_num(scaled[:, [mine]]) - np.nan_to_num(scaled)  # (t, methods)
    p = [wilcoxon(gap[:, j]).pvalue if np.abs(gap[:, j]).sum() > 0 and len(names) > 5 else 1.0 for j in others]
    lines += [
        "",
        "AutoMeta against each. A difference is in the scale of -1 to 1, 0 = constant prediction, 1 = best of all;",
        "*beyond noise* counts those beyond two standard errors of the paired bootstrap over the test rows.",
        "",
        "| against | wins / ties / losses | beyond noise | mean difference | worst loss | on | Wilcoxon p (Holm) |",
        "|---|---|---|---|---|---|---|",
    ]
    for j, adjusted in zip(others, holm(p), strict=True):
        sure = [_beyond_noise(table[name]["autometa"], table[name][methods[j]]) for name in names]
        plain = np.where(np.abs(gap[:, j]) < 1e-4, 0, np.sign(gap[:, j]))
        worst = int(np.argmin(gap[:, j]))
        lines.append(
            f"| {methods[j]} | {_wins(plain)} | {_wins(np.array(sure))} | {gap[:, j].mean():+.4f} "
            f"| {min(gap[worst, j], 0):.4f} "
            f"| {names[worst] if gap[worst, j] < 0 else ''} | {adjusted:.3g} |"
        )
    failures = [(name, m, table[name][m]["error"]) for name in names for m in methods if table[name][m]["error"]]
    lines += ["", *(f"- {name}, {m}: {error}" for name, m, error in failures)] if failures else []
    versions = {k: v for name in names for m in methods for k, v in table[name][m].get("versions", {}).items()}
    one = table[names[0]]["autometa"]
    lines += [
        "",
        f"{one['machine']['processor']}, {one['machine']['cpus']} CPUs, Python {one['machine']['python']}; "
        f"revision {one['revision']}; ",
    ]
    lines[-1] += ", ".join(
        f"{k} {versions[k]}"
        for k in ("autogluon.tabular", "flaml", "lightgbm", "optuna", "scikit-learn")
        if k in versions
    )
    return "\n".join([*lines, ""])


def more_time(records: Sequence[dict[str, Any]], budgets: Sequence[float], cores: int) -> str:
    """AutoMeta beside itself with more time, on the datasets that it had under both budgets: losses as `_loss`."""
    from scipy.stats import wilcoxon

    own = {(r["dataset"], r["budget"]): r for r in records if r["method"] == "autometa" and r["cores"] == cores}
    lines = []
    for fewer, more in itertools.pairwise(sorted(budgets)):
        names = [name for name, budget in own if budget == more and (name, fewer) in own]
        losses = np.array([[_loss(own[name, b]) for b in (fewer, more)] for name in names])  # (t, 2)
        if len(names) < 2 or np.isnan(losses).any():
            continue
        ratios = np.diff(np.log(np.maximum(losses, 1e-6)), axis=1)[:, 0]  # an AUC of 1 has no loss
        p = wilcoxon(ratios).pvalue if np.abs(ratios).sum() > 0 else 1.0
        lines += [
            f"## From {fewer:g} s to {more:g} s on {cores} {'core' if cores == 1 else 'cores'}: {len(names)} datasets",
            "",
            "| dataset | rows | loss (1 - AUC, log loss, RMSE) with more time, as a share |",
            "|---|---|---|",
        ]
        lines += [
            f"| {names[i]} | {own[names[i], more]['rows']} | {np.exp(ratios[i]):.3f} |" for i in np.argsort(ratios)
        ]
        better, worse = int((ratios < 0).sum()), int((ratios > 0).sum())
        lines += [
            "",
            f"In the geometric mean {np.exp(ratios.mean()):.3f}; better on {better}, worse on {worse}, p = {p:.3g}.",
            "",
        ]
    return "\n".join(lines)


def _loss(record: dict[str, Any]) -> float:
    """1 - AUC, log loss or RMSE."""
    score = _number(record["score"])
    return 1.0 - score if record["kind"] == "binary" else -score


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _beyond_noise(mine: dict[str, Any], other: dict[str, Any]) -> int:
    if mine["score"] is None or other["score"] is None:
        return (mine["score"] is not None) - (other["score"] is not None)
    noise = np.std(np.subtract(mine["resampled"], other["resampled"]))
    difference = mine["score"] - other["score"]
    return int(np.sign(difference)) if abs(difference) > 2 * noise else 0


def _wins(signs: NDArray[Any]) -> str:
    return f"{int((signs > 0).sum())} / {int((signs == 0).sum())} / {int((signs < 0).sum())}"


# the program ---------------------------------------------------------------------------------------------------------


def main() -> None:
    """Parses, then sets up, runs or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="create the environments of the other systems")
    parser.add_argument("--report", action="store_true", help="print the tables and write them beside the results")
    parser.add_argument("--list", action="store_true", help="print the chosen datasets")
    parser.add_argument("--quick", action="store_true", help="three small datasets at 10 s, to results of their own")
    parser.add_argument("--time", type=float, nargs="+", default=[30.0, 60.0], help="budgets in seconds")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(COMPARED))
    parser.add_argument("--datasets", nargs="+", default=None, help="only these of the chosen")
    parser.add_argument("--each", type=int, default=8, help="datasets of each kind")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--load", type=int, default=0, metavar="LOOPS", help="busy loops beside each cell")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--retry", action="store_true", help="run cells again that ended in an error")
    parser.add_argument(
        "--repeat", nargs="+", choices=list(METHODS), default=[], help="run all cells of these methods again"
    )
    arguments = parser.parse_args()
    if arguments.setup:
        print(f"installed {', '.join(set_up(METHODS.values(), ENVIRONMENTS, print)) or 'nothing that was not there'}")
        return
    datasets = choose(arguments.data / "catalog.csv", arguments.each)
    if arguments.quick:
        arguments.time, arguments.results = [10.0], arguments.results.with_stem(f"{arguments.results.stem}-quick")
        datasets = [min((d for d in datasets if d.kind == kind), key=lambda d: d.rows) for kind in METRICS]
    if arguments.load:
        arguments.results = arguments.results.with_stem(f"{arguments.results.stem}-load{arguments.load}")
    if arguments.datasets:
        datasets = [d for d in datasets if d.name in arguments.datasets]
    if arguments.list:
        for d in datasets:
            print(f"{d.kind:12} {d.rows:6} {d.name} ({d.family})")
        return
    if not arguments.report:
        run(arguments, datasets)
    records = list(read(arguments.results).values())
    text = "\n".join(
        [
            *(report(records, budget, arguments.methods, arguments.cores) for budget in arguments.time),
            more_time(records, arguments.time, arguments.cores),
        ]
    )
    print(text)
    arguments.results.with_suffix(".md").write_text(f"# {Path(__file__).name}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
