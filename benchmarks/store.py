"""How fast the metadata store is: opening it, writing it, learning from it, adding one finished task.

    python benchmarks/store.py                 1,000 tasks x 1,000 evaluations, on SQLite
    python benchmarks/store.py --quick         100 x 200, in seconds
    python benchmarks/store.py --postgres URL  on PostgreSQL as well; what is written there is removed again
    python benchmarks/store.py --large         10,000 x 1,000 as well (some 5 GB on the disk)

Half of each task's evaluations are of a pool of configurations that all tasks share, half are the task's own, as a
search leaves them; each has eight metrics over five folds, of random digits, which nothing compresses. Stores are
written by `merge` from blocks that are ready (what moving experience costs), and one more task by `add` from its
evaluations (what a finished run pays). The last line is a shipped memory of 60,000 evaluations, in single precision.
Prints a table and appends JSON lines, with versions and machine, to ``benchmarks/results/store.jsonl``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from autometa.evaluation import Evaluation
from autometa.metafeatures import FEATURE_NAMES, VERSION, MetaFeatures
from autometa.store import MetaStore, TaskRecord
from autometa.store.blocks import Block, encode
from autometa.store.options import OPTIONS
from autometa.store.reading import Entry

METRICS = (
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "f1",
    "matthews_corrcoef",
    "neg_brier_score",
    "neg_log_loss",
    "roc_auc",
)
FOLDS = 5
VERSIONS = {"scikit-learn": "1.9.1", "lightgbm": "4.6.0"}
RESULTS = Path(__file__).resolve().parent / "results"


class Source:
    """Tasks with random evaluations; for `MetaStore.merge` a stand-in for another store."""

    url = "random"

    def __init__(self, tasks: int, evaluations: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.tasks, self.evaluations = tasks, evaluations
        self.pool = [self.config() for _ in range(evaluations // 2)]
        self.layers = (self,)
        self.blocks: list[Block] = []
        self.seconds = 0.0  # spent in making them up

    def exists(self) -> bool:
        """As a store says."""
        return True

    def config(self) -> dict[str, Any]:
        """A configuration of one of four families."""
        family = ("lightgbm", "random_forest", "mlp", "knn")[self.rng.integers(4)]
        config: dict[str, Any] = {"family": family}
        for i in range(3 if family == "knn" else 8):
            value = self.rng.random()
            config[f"{family}.parameter_{i}"] = value if i % 2 else int(500 * value)
        return config

    def record(self) -> TaskRecord:
        """A new task."""
        features = MetaFeatures(FEATURE_NAMES, self.rng.random(len(FEATURE_NAMES)), VERSION, {})
        fingerprint = self.rng.bytes(16).hex()
        return TaskRecord(fingerprint, fingerprint[:8], "binary", "roc_auc", 5000, 20, 2, metafeatures=features)

    def made_up(self) -> list[Evaluation]:
        """The evaluations of a task: first those of the pool."""
        configs = self.pool + [self.config() for _ in range(self.evaluations - len(self.pool))]
        folds = self.rng.random((len(configs), len(METRICS), FOLDS))
        numbers = self.rng.random((len(configs), 2))
        memory = self.rng.integers(10**8, 10**9, len(configs))
        return [
            Evaluation(
                config=config,
                state="complete",
                reason=None,
                scores=dict(zip(METRICS, folds[i].mean(1).tolist(), strict=True)),
                folds={metric: tuple(values) for metric, values in zip(METRICS, folds[i].tolist(), strict=True)},
                fit_seconds=float(numbers[i, 0]),
                predict_seconds=float(numbers[i, 1]),
                peak_ram=int(memory[i]),
                seed=0,
                rows=5000,
                versions=VERSIONS,
            )
            for i, config in enumerate(configs)
        ]

    def batches(self) -> Iterator[list[Entry]]:
        """All tasks; beyond a thousand their blocks come round again, for making them up takes longest."""
        for first in range(0, self.tasks, 64):
            start = time.perf_counter()
            batch = [Entry(self.record(), self.block(i)) for i in range(first, min(first + 64, self.tasks))]
            self.seconds += time.perf_counter() - start
            yield batch

    def block(self, i: int) -> Block:
        """The evaluations of task `i`."""
        if i >= 1000:
            return self.blocks[i % 1000]
        self.blocks.append(encode(self.made_up()))
        return self.blocks[i]


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call takes, and its value."""
    start = time.perf_counter()
    value = call()
    return time.perf_counter() - start, value


def read(url: str, most: int) -> dict[str, float]:
    """Opening a store and the bulk read: every evaluation is read; the table has the pool's configurations."""
    start = time.process_time()
    opened, tasks = seconds(lambda: MetaStore(url, read_only=True).tasks())
    bulk, past = seconds(lambda: MetaStore(url, read_only=True).past(kind="binary", metric="f1", most=most))
    assert len(past) == len(tasks)
    return {"open_s": opened, "bulk_read_s": bulk, "read_cpu_s": time.process_time() - start}


def read_afresh(url: str, most: int) -> dict[str, float]:
    """`read` in a process of its own, as a search finds the store."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(read, url, most).result()


def measure(url: str, backend: str, tasks: int, evaluations: int) -> dict[str, Any]:
    """One row of the table: seconds, and megabytes."""
    store, source = MetaStore(url), Source(tasks, evaluations)
    write, written = seconds(lambda: store.merge(source))
    assert written == tasks * evaluations, written
    finished, made_up = source.record(), source.made_up()
    add, _ = seconds(lambda: store.add(finished, made_up))
    again, new = seconds(lambda: store.add(finished, made_up))
    assert new == 0
    found = store.tasks()
    source.blocks.clear()
    row = {
        "backend": backend,
        "tasks": tasks,
        "evaluations": tasks * evaluations,
        "write_s": write - source.seconds,
        **read_afresh(url, most=evaluations // 2),
        "add_task_s": add,
        "add_again_s": again,
        "megabytes": store.info()["bytes"] / 1e6,
    }
    if backend == "postgresql":
        for record in found:
            store.remove(record.fingerprint)
    return row


def shipped(folder: Path) -> dict[str, Any]:
    """A shipped memory of 60,000 evaluations: its size, and how soon a recommender has what it learns from."""
    store, path = MetaStore(folder / "source.db"), folder / "memory.db"
    source = Source(333, 180)
    for _ in range(333):
        store.add(source.record(), source.made_up())
    store.ship(path)
    row: dict[str, Any] = {"backend": "shipped", "tasks": 333, "evaluations": 333 * 180}
    return {**row, **read_afresh(str(path), most=OPTIONS.width), "megabytes": path.stat().st_size / 1e6}


def main() -> None:
    """Measures, prints and writes down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--postgres", metavar="URL")
    arguments = parser.parse_args()
    sizes = [(100, 200)] if arguments.quick else [(1000, 1000)]
    sizes += [(10_000, 1000)] if arguments.large else []
    machine = {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "load": os.getloadavg()[0],
        "versions": {name: importlib.metadata.version(name) for name in ("SQLAlchemy", "pyarrow", "numpy")},
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    columns = (
        "backend",
        "tasks",
        "evaluations",
        "write_s",
        "open_s",
        "bulk_read_s",
        "read_cpu_s",
        "add_task_s",
        "add_again_s",
        "megabytes",
    )
    print("".join(f"{name:>12}" for name in columns))
    RESULTS.mkdir(exist_ok=True)
    written = RESULTS / ("store-quick.jsonl" if arguments.quick else "store.jsonl")
    with written.open("a", encoding="utf-8") as results, tempfile.TemporaryDirectory() as work:
        runs = [(lambda n=n, m=m: measure(str(Path(work) / f"{n}.db"), "sqlite", n, m)) for n, m in sizes]
        if arguments.postgres:
            runs += [(lambda n=n, m=m: measure(arguments.postgres, "postgresql", n, m)) for n, m in sizes]
        for run in [*runs, lambda: shipped(Path(work))]:
            row = run()
            cells = (row.get(name, "") for name in columns)
            print("".join(f"{cell:12.3f}" if isinstance(cell, float) else f"{cell:>12}" for cell in cells))
            results.write(json.dumps({**row, **machine}) + "\n")


if __name__ == "__main__":
    main()
