"""Experience: the same configurations tried on many tables, for the memory to learn from.

Everybody's pool is the same: each family's default, then what did well elsewhere, then configurations that fill the
space, families taking turns in proportion to how many parameters they have. After the pool come the winners, which are
best on some table and have been tried on few others, and then a search of each table's own, which finds new winners.
The tables take turns too, so that stopping at any moment leaves a balanced table of tasks x configurations, and
starting again goes on where it stopped: what is in the store is not done twice.

Only what is measured is kept (scores, seconds, memory, meta-features), never a row of the data.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from autometa.errors import AutoMetaError, InputError, Problem
from autometa.evaluation import Attempt, Cancelled, Isolation, Splits, available_cpus, evaluate_isolated, plan_splits
from autometa.families import available, cash_space, presets, suited
from autometa.metafeatures import VERSION, describe
from autometa.openml import is_address, read_task
from autometa.space import FAMILY, Config, config_key
from autometa.store import Exclusion, MetaStore, PastTasks, TaskRecord
from autometa.task import Task
from autometa.transfer.scale import standing

SPACE = "fit"  # the space under which `fit` looks for experience
SOURCE = "collect"  # who describes a task without a limit of time
SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arff", ".jsonl", ".gz", ".zst")
UNLIMITED = 1e9  # seconds


@dataclass(frozen=True, slots=True)
class Source:
    """A table to collect on, and what the catalogue knows about it."""

    path: Path
    family: str | None = None
    openml_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A bounded sample on disk, ready for trials."""

    folder: Path
    record: TaskRecord
    splits: Splits
    unsuited: frozenset[str]
    done: set[str]  # keys of the configurations that are in the store


def find_sources(paths: Sequence[Path], catalog: Path | None = None) -> list[Source]:
    """Tables named by files and folders (not searched deeper), in the order of their names.

    Args:
        paths: Files, folders of files, or addresses such as ``openml:task/31``.
        catalog: A CSV with columns ``name`` (file stem), ``family`` and ``openml_id``. Tables that share a family are
            variants of one another and will be left out together by benchmarks.

    Raises:
        InputError: Every path that does not exist, folders without a table, a catalogue without names.
    """
    problems, files = [], []
    for path in paths:
        if is_address(path):
            files.append(path)
        elif path.is_dir():
            inside = sorted(f for f in path.iterdir() if f.suffix.lower() in SUFFIXES)
            if not inside:
                problems.append(Problem(str(path), "holds no table", f"Known endings: {', '.join(SUFFIXES)}."))
            files += inside
        elif path.exists():
            files.append(path)
        else:
            problems.append(Problem(str(path), "does not exist"))
    known: dict[str, dict[str, str]] = {}
    if catalog is not None:
        if not catalog.is_file():
            problems.append(Problem(str(catalog), "does not exist"))
        else:
            with catalog.open(newline="", encoding="utf-8") as text:
                rows = list(csv.DictReader(text))
            if not rows or "name" not in rows[0]:
                problems.append(Problem(str(catalog), "has no column 'name'", "Expected: name, family, openml_id."))
            else:
                known = {row["name"]: row for row in rows}
    if problems:
        raise InputError(problems)
    sources = []
    for file in files:
        row = known.get(_stem(file), {})
        number = row.get("openml_id") or None
        sources.append(Source(file, row.get("family") or None, None if number is None else int(float(number))))
    return sources


def _stem(file: Path) -> str:
    """The name of a table's file without the endings that say its format."""
    while file.suffix.lower() in SUFFIXES:
        file = file.with_suffix("")
    return file.name


def pool(kind: str, configs: int, seed: int, families: Sequence[str] | None = None) -> list[Config]:
    """The configurations everybody tries: every family's default, presets, then a filling of the space.

    Every prefix of it is a pool too, so collecting with more configurations goes on from fewer; with `families` it is
    the pool without the others.
    """
    space = cash_space(kind)  # type: ignore[arg-type]
    seen: dict[str, Config] = {config_key(config): config for config in [*space.defaults(), *presets(kind)]}  # type: ignore[arg-type]
    fillings = []
    for family in available(kind):  # type: ignore[arg-type]
        own = space.only([family])
        turns = len(own) - 1  # a family takes as many turns as it has parameters
        # 256 whatever is asked for, so that a longer pool begins with the shorter one.
        fillings += [((k + 0.5) / max(turns, 1), family, config) for k, config in enumerate(own.fill(256, seed))]
    for _, _, config in sorted(fillings, key=lambda turn: turn[:2]):
        seen.setdefault(config_key(config), config)
    return [config for config in seen.values() if families is None or config[FAMILY] in families][:configs]


def winners(past: PastTasks, most: int, families: Sequence[str] | None = None) -> list[Config]:
    """At most `most` configurations that are the best on some task and known on fewer than half of the tasks.

    Those come first that are furthest ahead, on average where they are known, of the best that most tasks know; of
    `families` alone, unless that is None.
    """
    if most <= 0 or not len(past):
        return []
    finite = np.where(np.isfinite(past.scores), past.scores, -np.inf)
    best = {int(column) for column in np.argmax(finite, axis=1)}
    rare = np.sum(~np.isnan(past.scores), axis=0) < 0.5 * len(past)
    stands = standing(past.scores)
    bar = np.max(np.where(rare | np.isnan(stands), 0.0, stands), axis=1, keepdims=True)
    ahead = np.nanmean(stands - bar, axis=0)
    order = sorted((column for column in best if rare[column]), key=lambda column: (-ahead[column], column))
    listed = [past.configs[column] for column in order]
    return [config for config in listed if families is None or config[FAMILY] in families][:most]


def collect(
    sources: Sequence[Source],
    store: MetaStore,
    *,
    configs: int = 60,
    families: Sequence[str] | None = None,
    winning: int = 0,
    searched: int = 0,
    rows: int = 5000,
    folds: int | None = None,
    seconds: float | None = None,
    trial_seconds: float = 60.0,
    max_ram: int = 4 * 2**30,
    jobs: int | None = None,
    seed: int = 0,
    offline: bool = False,
    tell: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> dict[str, Any]:
    """Evaluates the pool on every table that it can read, round by round, into a store.

    Args:
        sources: Tables, from `find_sources`.
        store: Where evaluations go; what is there already is not done again.
        configs: Size of the pool per table.
        families: Only these of the pool, the winners and the searches; None for all.
        winning: After the pool, at most so many configurations that are best on some other table and little tried.
        searched: Then so many configurations per table that a search guided by all tables finds for it.
        rows: Larger tables are sampled down to this many rows; the evaluations say so.
        folds: Of the cross-validation, 1 for a hold-out; None for as many as the size suggests.
        seconds: Stop after this time; None to finish.
        trial_seconds: Longest that one evaluation may take.
        max_ram: Bytes that one evaluation may use.
        jobs: Evaluations at once; None for one per CPU.
        seed: Of samples, splits and models.
        offline: Take what is at OpenML from its cache alone.
        tell: Called with evaluations done, evaluations in all, and what happened.

    Returns:
        ``tables``, ``evaluations`` (new), ``failed`` (of those), ``unreadable`` ({path: why}), ``seconds``.
    """
    began = time.monotonic()
    unreadable: dict[str, str] = {}
    counts = {"evaluations": 0, "failed": 0}
    lock = threading.Lock()
    stop = threading.Event()
    rounds = configs + winning + searched
    total = len(sources) * rounds

    with tempfile.TemporaryDirectory(prefix="autometa-collect-") as work, Isolation() as isolation:
        isolation.warm_up()
        prepared: dict[int, _Prepared] = {}
        known = {record.fingerprint: record for record in store.tasks(space=SPACE)}

        def prepare(index: int) -> _Prepared | None:
            source = sources[index]
            if str(source.path) in unreadable:
                return None
            if index not in prepared:
                try:
                    prepared[index] = _prepare(
                        source, store, known, Path(work) / str(index),
                        rows=rows, folds=folds, seed=seed, offline=offline,
                    )  # fmt: skip
                except AutoMetaError as error:
                    unreadable[str(source.path)] = str(error)
                    return None
            return prepared[index]

        def one(index: int, k: int) -> None:
            if stop.is_set() or (seconds is not None and time.monotonic() - began > seconds):
                return
            ready = prepare(index)
            if ready is None:
                return
            config = planned(ready, k)
            if config is None or config[FAMILY] in ready.unsuited or config_key(config) in ready.done:
                return
            try:
                evaluation = evaluate_isolated(
                    isolation,
                    ready.folder,
                    Attempt(config, ready.splits, seed, calibrate=True),  # as `fit` judges
                    seconds=trial_seconds,
                    max_ram=max_ram,
                )
            except Cancelled:
                return
            store.add(ready.record, [evaluation])
            with lock:
                ready.done.add(config_key(config))
                counts["evaluations"] += 1
                counts["failed"] += evaluation.state != "complete"
                tell(counts["evaluations"], total, f"{ready.record.name}: {config[FAMILY]} {evaluation.state}")

        pools = {kind: pool(kind, configs, seed, families) for kind in ("binary", "multiclass", "regression")}

        @cache
        def won(kind: str, metric: str) -> list[Config]:
            return winners(store.past(space=SPACE, kind=kind, metric=metric), winning, families)

        def planned(ready: _Prepared, k: int) -> Config | None:
            """What a table tries in a round: of the pool, of the winners, then what its own search proposes."""
            if k >= configs + winning:
                return _proposed(ready, store, families, seed)
            kind = ready.record.kind
            listed, place = (pools[kind], k) if k < configs else (won(kind, ready.record.metric), k - configs)
            return listed[place] if place < len(listed) else None

        workers = ThreadPoolExecutor(jobs or available_cpus())
        try:
            for k in range(rounds):
                # One table at a time per worker within a round: tables are prepared once, by whoever comes first.
                list(workers.map(one, range(len(sources)), [k] * len(sources)))
        except BaseException:
            stop.set()
            isolation.cancel_all()
            raise
        finally:
            workers.shutdown(wait=True, cancel_futures=True)
    return {**counts, "tables": len(prepared), "unreadable": unreadable, "seconds": round(time.monotonic() - began, 1)}


def _proposed(ready: _Prepared, store: MetaStore, families: Sequence[str] | None, seed: int) -> Config | None:
    """The next configuration of a table's own search, guided by what all tables know; None without a family for it."""
    from autometa.transfer import Guard, History

    record = ready.record
    asked = [f for f in available(record.kind) if families is None or f in families]  # type: ignore[arg-type]
    among = [f for f in asked if f not in ready.unsuited]
    if not among:
        return None
    own = Exclusion(fingerprints=frozenset({record.fingerprint}))
    past = store.past(space=SPACE, kind=record.kind, metric=record.metric, exclude=own)
    space = cash_space(record.kind, among)  # type: ignore[arg-type]
    known = [e for e in store.evaluations(record.fingerprint, SPACE) if space.contains(e.config)]
    scores = [e.scores.get(record.metric, -np.inf) for e in known]
    history = History.of(space, [e.config for e in known], scores, [e.seconds for e in known])
    return Guard(space, past).suggest(history, rng=np.random.default_rng([seed, len(known)])).config


def _address(task: Task, n: int, known: TaskRecord | None) -> str:  # known: what the store has by its fingerprint
    """The table's fingerprint; another, made from it, where the store knows the table by another number of rows.

    What wins on a thousand rows of a table need not win on all of them, so the two are two tasks of one family.
    """
    if known is None or known.n_rows == n:
        return task.fingerprint
    return hashlib.blake2b(f"{task.fingerprint}:{n}".encode(), digest_size=16).hexdigest()


def _prepare(
    source: Source,
    store: MetaStore,
    known: Mapping[str, TaskRecord],
    folder: Path,
    *,
    rows: int,
    folds: int | None,
    seed: int,
    offline: bool,
) -> _Prepared:
    name = None if is_address(source.path) else _stem(source.path)  # OpenML knows its own
    task = read_task(source.path, name=name, family=source.family or name, openml_id=source.openml_id, offline=offline)
    task = replace(task, family=task.family or task.name)
    sample = task.sample(rows, seed)
    sample.save(folder)
    # The record describes the rows that were evaluated, under the fingerprint of the whole table: scores and seconds
    # belong to that many rows, and a large new table should not take a sample for its like.
    fingerprint = _address(task, sample.n, known.get(task.fingerprint))
    before = known.get(fingerprint)
    described = None if before is None or before.source != SOURCE else before.metafeatures
    if described is None or described.version != VERSION:
        described = describe(sample, seconds=UNLIMITED)
    record = replace(TaskRecord.of(sample, described, space=SPACE, source=SOURCE), fingerprint=fingerprint)
    done = {config_key(e.config) for e in store.evaluations(record.fingerprint, SPACE) if e.seed == seed}
    unsuited = frozenset(suited(sample, available(task.kind)))
    return _Prepared(folder, record, plan_splits(sample, seed=seed, folds=folds), unsuited, done)
