"""How many folds should judge a trial, where time is short and where it is not? The same search with each number.

    python benchmarks/folds.py                 thirteen tables, 60 s, a core each, two at a time: 20 minutes
    python benchmarks/folds.py --tables adult avila --folds 1 3
    python benchmarks/folds.py --small         twelve tables of 600 to 3,000 rows with five folds and eight
    python benchmarks/folds.py --quick         two tables, 15 s
    python benchmarks/folds.py --report        the table of what was measured

Each cell is a process of its own on one core: a fifth of the table judges, and the memory is without the table's
family. No table is of a family of the suite of the proof (`suite.csv`). Appends JSON lines to `results/folds.jsonl`;
may be stopped and started again, finished cells are not repeated. The table says how much larger the error is than that
of the best (1 - AUC, log loss, RMSE), and where the search itself would draw the line. The small tables are of the
validation half (`patience.py`), four of each kind.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results" / "folds.jsonl"
TABLES = (
    "electricity", "adult", "default-of-credit-card-clients", "spambase", "kropt", "avila", "pendigits",
    "anuran_species", "cal_housing", "Bike_Sharing_Demand", "ailerons", "Chicago", "kin8nm",
)  # fmt: skip
FOLDS = (1, 3, 5)
SMALL = (
    "stock", "islr_wage", "car_prices", "debutanizer", "car-evaluation", "cjs", "anneal", "vehicle", "tokyo1",
    "aer_HMDA", "profb", "audit_risk",
)  # fmt: skip
FOLDS_OF_SMALL = (5, 8)  # eight, as AutoGluon bags
HELD_OUT = 0.2


def cell(data: Path, name: str, folds: int, seconds: float) -> dict[str, Any]:
    """One search in this process."""
    began = time.monotonic()
    from sklearn.model_selection import train_test_split

    from autometa.evaluation import plan_splits, score
    from autometa.search import SearchPlan, Settings, load_model, search
    from autometa.search.plan import affordable_splits, cells_per_second
    from autometa.store import Exclusion
    from autometa.task import make_task

    with (data / "catalog.csv").open(encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["name"] == name)
    frame, kind = pd.read_parquet(data / "tabular" / f"{name}.parquet"), row["task"]
    stratify = None if kind == "regression" else frame["target"]
    train, test = train_test_split(frame, test_size=HELD_OUT, random_state=0, stratify=stratify)
    task = make_task(train.reset_index(drop=True), target="target", name=name, kind=kind)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            seconds=seconds,
            remember=False,
            store=str(Path(folder) / "none.db"),
            exclude=Exclusion(families=frozenset({row["family"]})),
        )
        chosen = affordable_splits(task, settings, 1).n_folds
        splits = plan_splits(task, seed=settings.seed, folds=folds)
        plan = SearchPlan.of(task, settings, 1, splits=splits)  # of one core, as `main` sees to
        result = search(task, settings, Path(folder) / "run", started=began, plan=plan)
        model = load_model(result.run)
    X, y = test.drop(columns="target"), test["target"].to_numpy()
    if kind == "regression":
        judged = score(task.metric, y, np.asarray(model.predict(X)), 0)
    else:
        code = {str(label): k for k, label in enumerate(model.classes)}
        y = np.array([code[str(label)] for label in y])
        judged = score(task.metric, y, np.asarray(model.predict_proba(X)), task.c)
    return {
        "dataset": name,
        "kind": task.kind,
        "rows": task.n,
        "load": round(cells_per_second(task, seconds / 2)),
        "folds": folds,
        "chosen": chosen,
        "error": 1.0 - judged if task.kind == "binary" else -judged,
        "complete": sum(t.evaluation.state == "complete" for t in result.trials),
        "trials": len(result.trials),
        "budget": seconds,
        "seconds": round(result.seconds, 1),
    }


def run(data: Path, name: str, folds: int, seconds: float, cpu: int) -> None:
    """One cell in a process of its own; what it prints becomes a line of the results."""
    command = [
        sys.executable, str(Path(__file__)), "--data", str(data), "--cell", name, str(folds), str(seconds), str(cpu)
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=10 * seconds, check=False)
    if done.returncode:
        print(f"{name}, {folds} folds: failed\n{done.stderr[-2000:]}", flush=True)
        return
    line = json.loads(done.stdout.splitlines()[-1])
    packages = ("autometa-ml", "optuna", "scikit-learn", "lightgbm")
    line["versions"] = {package: importlib.metadata.version(package) for package in packages}
    line["machine"] = {"processor": platform.processor() or platform.machine(), "cores": 1}
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{name}, {folds} folds: error {line['error']:.5g}, {line['complete']} trials complete", flush=True)


def finished(seconds: float) -> dict[tuple[str, int], dict[str, Any]]:
    """The newest line of each cell."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return {(r["dataset"], r["folds"]): r for r in map(json.loads, lines) if r["budget"] == seconds}


def report(seconds: float, tables: Sequence[str], numbers: Sequence[int]) -> None:
    """Prints the table, and what the last number of folds is worth beside the one before."""
    cells = {  # an AUC of 1 has no error, and still a ratio
        key: line | {"error": max(line["error"], 1e-12)}
        for key, line in finished(seconds).items()
        if key[0] in tables and key[1] in numbers
    }
    heads = "".join(f"{folds:>9}" for folds in numbers)
    print(f"{'dataset':<32}{'rows':>8}{'cells/s':>9}  error over the best by folds\n{'':<49}{heads}   chosen")
    for name in sorted(
        {name for name, _ in cells}, key=lambda n: -next(c["load"] for k, c in cells.items() if k[0] == n)
    ):
        own = {folds: cells[name, folds] for folds in numbers if (name, folds) in cells}
        best = min(c["error"] for c in own.values())
        some = next(iter(own.values()))
        over = "".join(f"{own[f]['error'] / best - 1:>9.1%}" if f in own else f"{'':>9}" for f in numbers)
        print(f"{name:<32}{some['rows']:>8,}{some['load']:>9,}{over}{some['chosen']:>9}")
    if len(numbers) < 2:
        return
    fewer, more = numbers[-2:]
    both = [name for name in tables if (name, more) in cells and (name, fewer) in cells]
    changes = np.log([cells[name, more]["error"] / cells[name, fewer]["error"] for name in both])
    if len(changes) > 1:
        from scipy.stats import wilcoxon

        most = int(np.abs(changes).argmax())
        mean, others = np.exp(changes.mean()), np.exp(np.delete(changes, most).mean())
        print(
            f"{more} folds for {fewer}: errors {mean:.3f} times as large, {others:.3f} without {both[most]}; "
            f"smaller on {(changes < 0).sum()} and larger on {(changes > 0).sum()} of {len(both)} tables, "
            f"p = {wilcoxon(changes).pvalue:.2f}"
        )


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with catalog.csv and tabular/")
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2, help="cells at once, each on a core of its own")
    parser.add_argument("--tables", nargs="+", default=None, metavar="NAME")
    parser.add_argument("--folds", nargs="+", type=int, default=None, metavar="K")
    parser.add_argument("--small", action="store_true", help="small tables, with five folds and eight")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--cell", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        name, folds, seconds, cpu = arguments.cell
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {int(cpu)})
        print(json.dumps(cell(arguments.data, name, int(folds), float(seconds))))
        return
    usual, numbers = (SMALL, FOLDS_OF_SMALL) if arguments.small else (TABLES, FOLDS)
    numbers = sorted(arguments.folds or numbers)
    tables, seconds = (TABLES[3:5], 15.0) if arguments.quick else (arguments.tables or usual, arguments.time)
    if not arguments.report:
        done = finished(seconds)
        cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
        free = cpus[: arguments.jobs]
        wanted = [(name, folds) for name in tables for folds in numbers if (name, folds) not in done]

        def one(which: tuple[str, int]) -> None:
            cpu = free.pop()
            try:
                run(arguments.data, *which, seconds, cpu)
            finally:
                free.append(cpu)

        with ThreadPoolExecutor(len(free)) as pool:
            list(pool.map(one, wanted))
    report(seconds, tables, numbers)


if __name__ == "__main__":
    main()
