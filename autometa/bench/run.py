"""All cells of a suite: what is to do, in which order, and every result on disk before the next.

Task by task, fold by fold; within a fold the methods in an order drawn anew, so that none always runs on the warmest
machine. A stop at any moment leaves whole folds to compare, and the next start goes on where this one ended.

Laws: a finished cell is never run again; nothing that is measured here enters a memory; no two cells share a core at
one moment.

Longer than 400 lines by the examples in its docstrings.
"""

from __future__ import annotations

import os
import platform
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from autometa import __version__, files
from autometa.bench.cells import Cancelled, CellPrediction, Setting, run_cell, split_to
from autometa.bench.environments import FOLDER, interpreter
from autometa.bench.methods import DEFAULT_METHODS, METHODS
from autometa.bench.options import OPTIONS
from autometa.bench.results import RESULTS, SESSIONS, Key, Record, append, claimed, key_of, read_results
from autometa.bench.suite import FOLDS, BenchTask, Suite, left_out
from autometa.errors import AutoMetaError, InputError, Problem, RunError, did_you_mean
from autometa.evaluation import Isolation, available_cpus, available_ram
from autometa.store import Exclusion, TaskRecord

PREDICTIONS = "predictions"  # folder of the cells' predictions, for publishing and for whoever wants to score anew


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare, and how.

    Args:
        methods: Names in `METHODS`.
        seconds: The budget of the timed methods.
        folds: Fold numbers of repeat 0; None for every fold of every repeat.
        jobs: Cells at once.
        cores: Of each cell; None for an equal share of what there is.
        max_ram: Bytes that a cell's processes may hold together; None for a share of what is free.
        seed: Of the methods.
        store: The memory that AutoMeta may read; None for the one that ships with it. Nothing is added to it.
        environments: Folder of the other methods' environments.
        retry: Run cells again that ended without a score.

    See Also:
        `bench`, `prepare`.

    Example:
        >>> plan = Plan(("autometa", "rf"), seconds=30.0, folds=(0, 1), cores=1)
        >>> plan.setting("rf").deadline  # seconds
        120.0
    """

    methods: tuple[str, ...] = DEFAULT_METHODS
    seconds: float = 60.0
    folds: tuple[int, ...] | None = None
    jobs: int = 1
    cores: int | None = None
    max_ram: int | None = None
    seed: int = 0
    store: str | None = None
    environments: Path = FOLDER
    retry: bool = False

    def __post_init__(self) -> None:
        """Raises one `InputError` with every value that cannot be."""
        known = list(METHODS)
        wrong = [
            Problem("--methods", f"{m!r} is not known", f"{did_you_mean(m, known)} Known: {', '.join(known)}.".strip())
            for m in self.methods
            if m not in METHODS
        ]
        if not self.methods:
            wrong.append(Problem("--methods", "names none", f"Known: {', '.join(known)}."))
        cpus = available_cpus()
        if self.jobs * (self.cores or 1) > cpus:
            what = f"{self.jobs} cells at once on {self.cores or 1} cores each need more than the {cpus} there are"
            wrong.append(Problem("--jobs", what, "Times would mean nothing: ask for fewer."))
        if wrong:
            raise InputError(wrong)

    def setting(self, method: str) -> Setting:
        """Of one method. Raises RunError where its environment is not there."""
        python = interpreter(method, self.environments)
        if python is None:
            raise RunError(f"{method} is not installed: `autometa bench --setup` installs it")
        return Setting(
            method=method,
            budget=self.seconds if METHODS[method].timed else 0.0,
            cores=self.cores or max(available_cpus() // self.jobs, 1),
            seed=self.seed,
            python=python.absolute(),
            max_ram=self.max_ram or int(OPTIONS.ram_share * available_ram() / self.jobs),
            store=self.store,
        )


@dataclass(slots=True)
class Session:
    """What one run of the program came to.

    See Also:
        `bench`.

    Example:
        >>> Session(Path("results"), [], cell_seconds=75.0, seconds=100.0).overhead
        0.25
    """

    out: Path
    records: list[Record]  # every finished cell of the suite, those of earlier sessions too
    new: int = 0  # cells that were run now
    cell_seconds: float = 0.0  # that their methods' own processes took
    seconds: float = 0.0  # that everything took
    jobs: int = 1
    unreadable: dict[str, str] = field(default_factory=dict)  # task -> why it could not be had
    interrupted: bool = False

    @property
    def overhead(self) -> float | None:
        """The share of its time that was not the methods' own; None when nothing was run."""
        return None if not self.cell_seconds else 1.0 - self.cell_seconds / self.jobs / self.seconds


class Watcher:
    """What is told while cells run; this one is told and does nothing.

    See Also:
        `bench`.

    Example:
        >>> class Counting(Watcher):
        ...     done = 0
        ...
        ...     def ended(self, record):
        ...         self.done += 1
        >>> watcher = Counting()
        >>> watcher.ended({})
        >>> watcher.done
        1
    """

    def planned(self, cells: int, done: int) -> None:
        """So many cells in all, so many of them finished before; told again when a task has others than thought."""

    def began(self, task: str, fold: tuple[int, int], method: str) -> None:
        """A cell begins."""

    def ended(self, record: Mapping[str, Any]) -> None:
        """A cell ended."""

    def note(self, text: str) -> None:
        """Something the person should know."""


def bench(suite: Suite, plan: Plan, out: Path, watcher: Watcher | None = None) -> Session:
    """Runs every cell that has no result in `out`, and adds its result there.

    Ctrl-C ends the cells that run, without a result, and returns.

    Args:
        suite: The tasks.
        plan: Methods and budget.
        out: Folder of the results; created if need be.
        watcher: Told what happens.

    Raises:
        RunError: `out` is in use, or its results are of other data; a method's environment is not there.

    See Also:
        `Plan`, `open_suite`, `session`.

    Example:
        >>> import tempfile
        >>> from sklearn.datasets import load_wine
        >>> from autometa.bench import open_suite
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "tables").mkdir()
        ...     load_wine(as_frame=True).frame.to_csv(Path(folder) / "tables" / "wine.csv", index=False)
        ...     plan = Plan(methods=("lightgbm",), seconds=60, folds=(0,))
        ...     done = bench(open_suite(f"{folder}/tables"), plan, Path(folder) / "results")
        >>> done.new, done.records[0]["method"]
        (1, 'lightgbm')
    """
    began, watcher = time.monotonic(), watcher or Watcher()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # a busy machine makes every figure doubtful
    with claimed(out):
        done = read_results(out)
        if plan.retry:
            done = {key: record for key, record in done.items() if record["score"] is not None}
        session = Session(out, [], jobs=plan.jobs)
        with tempfile.TemporaryDirectory(prefix="autometa-bench-", ignore_cleanup_errors=True) as work:
            _Work(suite, plan, done, session, watcher, Path(work)).run()
        session.seconds = time.monotonic() - began
        keys = {entry.key for entry in suite.entries}
        session.records = [record for record in done.values() if record["task"] in keys]
        if session.new:
            summary = {
                "suite": suite.name, "when": _now(), "cells": session.new, "jobs": plan.jobs,
                "seconds": round(session.seconds, 3), "cell_seconds": round(session.cell_seconds, 3),
                "overhead": round(session.overhead or 0.0, 5), "interrupted": session.interrupted,
                "machine": machine(), "version": __version__, "load": load,
            }  # fmt: skip
            append(out / SESSIONS, summary)
    return session


def machine() -> dict[str, Any]:
    """The machine that this runs on: processor, CPUs, Python and system."""
    model, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model,
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def revision() -> str:
    """The version, and in a checkout the commit, with a plus where it differs from it."""
    git = ["git", "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    place = Path(__file__).resolve().parents[2]
    if not (place / ".git").exists() or shutil.which("git") is None:
        return __version__
    said = subprocess.run(git, cwd=place, capture_output=True, text=True, check=False).stdout.strip()
    return f"{__version__} {said}".strip()


@dataclass(slots=True)
class _Fold:
    """A fold on disk, for as long as its cells need it."""

    folder: Path
    answers: Any  # (n,) of the rows to predict
    left: int  # cells that have not ended


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell that is ready to run."""

    task: BenchTask
    fold: tuple[int, int]
    setting: Setting
    data: _Fold
    exclude: Exclusion


class _Work:
    """One session at work: threads that take the next cell until there is none."""

    def __init__(
        self,
        suite: Suite,
        plan: Plan,
        done: dict[Key, Record],
        session: Session,
        watcher: Watcher,
        folder: Path,
    ) -> None:
        self.suite, self.plan, self.done, self.session = suite, plan, done, session
        self.watcher, self.folder = watcher, folder
        self.settings = [plan.setting(method) for method in plan.methods]
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.next = self._cells()
        self.facts = {"machine": machine(), "revision": revision(), "version": __version__}
        self.finished: dict[str, set[Key]] = {}  # of each task, what was there before
        for key, record in done.items():
            self.finished.setdefault(record["task"], set()).add(key)

    def run(self) -> None:
        """Everything that is to do; returns early after Ctrl-C."""
        cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        cores = self.settings[0].cores
        with Isolation(preload=("autometa.bench.launch",)) as isolation, ThreadPoolExecutor(self.plan.jobs) as pool:
            isolation.warm_up()
            shares = [cpus[i * cores : (i + 1) * cores] for i in range(self.plan.jobs)]
            workers = [pool.submit(self._worker, isolation, share) for share in shares]
            try:
                for worker in workers:
                    worker.result()
            except KeyboardInterrupt:
                self.session.interrupted = True
            finally:
                self.stop.set()
                while wait(workers, 0.1).not_done:  # again and again: one may just have begun a cell
                    isolation.cancel_all()

    def _worker(self, isolation: Isolation, cpus: Sequence[int]) -> None:
        number = 0
        while not self.stop.is_set():
            with self.lock:
                cell = next(self.next, None)
            if cell is None:
                return
            self.watcher.began(cell.task.name, cell.fold, cell.setting.method)
            number += 1
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
            folder = self.folder / f"cell-{threading.get_ident()}-{number}"
            try:
                record, prediction = run_cell(
                    isolation, cell.task, cell.fold, cell.setting, cell.data.folder, cell.data.answers, folder,
                    exclude=cell.exclude, cpus=cpus,
                )  # fmt: skip
            except Cancelled:
                return
            with self.lock:
                self._keep(record | self.facts | {"load": load, "when": _now()}, prediction)
                cell.data.left -= 1
                if not cell.data.left:
                    shutil.rmtree(cell.data.folder, ignore_errors=True)
            self.watcher.ended(record)

    def _keep(self, record: Record, prediction: CellPrediction | None) -> None:
        """The prediction first, so that a result on disk has one."""
        if prediction is not None:
            safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", record["task"])
            name = (
                f"{safe}.{record['repeat']}.{record['fold']}.{record['method']}.{record['budget']:g}.{record['seed']}"
            )
            folder = self.session.out / PREDICTIONS
            folder.mkdir(exist_ok=True)
            values = prediction.values.astype(np.float32) if prediction.classes else prediction.values
            with files.whole(folder / f"{name}.npz") as temporary:
                np.savez_compressed(temporary, classes=np.array(prediction.classes, dtype=str), prediction=values)
            record["prediction"] = f"{PREDICTIONS}/{name}.npz"
        append(self.session.out / RESULTS, record)
        self.done[key_of(record)] = record
        self.session.new += 1
        self.session.cell_seconds += record["seconds"]

    def _cells(self) -> Iterator[_Cell]:
        """Every cell that has no result yet, made ready when it is its turn."""
        guess = [(0, fold) for fold in (self.plan.folds if self.plan.folds is not None else range(FOLDS))]
        todo = {entry.key: self._open(entry.key, guess) for entry in self.suite.entries}
        asked = dict.fromkeys(todo, len(guess) * len(self.settings))
        memory: list[TaskRecord] | None = None
        folds_made = count()

        def tell() -> None:
            left = {key: sum(len(settings) for _, settings in cells) for key, cells in todo.items()}
            self.watcher.planned(sum(asked.values()), sum(asked[key] - left[key] for key in asked))

        tell()
        for entry in self.suite.entries:
            if self.plan.folds is not None and not todo[entry.key]:
                continue
            try:
                task = entry.load()
            except AutoMetaError as error:
                self.session.unreadable[entry.key] = str(error)
                self.watcher.note(f"{entry.key} cannot be read: {error}")
                todo[entry.key], asked[entry.key] = [], 0
                tell()
                continue
            self._same_data(task)
            folds = [f for f in task.folds if self.plan.folds is None or (f[0] == 0 and f[1] in self.plan.folds)]
            if folds != guess:
                todo[entry.key], asked[entry.key] = self._open(entry.key, folds), len(folds) * len(self.settings)
                tell()
            if not todo[entry.key]:
                continue
            if memory is None:
                memory = self._memory() if "autometa" in self.plan.methods else []
            exclude = left_out(task, memory)
            for fold, settings in todo[entry.key]:
                folder = self.folder / f"fold-{next(folds_made)}"
                data = _Fold(folder, split_to(task, fold, folder), len(settings))
                for setting in settings:
                    yield _Cell(task, fold, setting, data, exclude)

    def _open(self, task: str, folds: Iterable[tuple[int, int]]) -> list[tuple[tuple[int, int], list[Setting]]]:
        """The folds of a task in which cells have no result, with those cells in an order of their own."""
        finished, found = self.finished.get(task, set()), []
        for fold in folds:
            settings = [s for s in self.settings if (task, *fold, s.method, s.budget, s.cores, s.seed) not in finished]
            random.Random(f"{task} {fold} {self.plan.seed}").shuffle(settings)
            if settings:
                found.append((fold, settings))
        return found

    def _same_data(self, task: BenchTask) -> None:
        for key in self.finished.get(task.key, ()):
            if self.done[key]["fingerprint"] != task.fingerprint:
                raise RunError(
                    f"{self.session.out} holds results of another table that was called {task.key}: name another "
                    "folder with --out"
                )

    def _memory(self) -> list[TaskRecord]:
        """What AutoMeta's memory holds: the shipped one, and the store that it may read."""
        from autometa.store import MetaStore

        return MetaStore.with_shipped(self.plan.store or self.folder / "none.db").tasks(space=None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
