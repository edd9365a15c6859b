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
import math
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.errors import AutoMetaError, InputError, Problem
from autometa.evaluation import Attempt, Cancelled, Isolation, Splits, available_cpus, evaluate_isolated, plan_splits
from autometa.families import available, cash_space, presets, suited
from autometa.metafeatures import VERSION, describe
from autometa.moved import former
from autometa.openml import is_address, read_task
from autometa.origins import State
from autometa.space import FAMILY, Config, config_key
from autometa.store import Exclusion, MetaStore, PastTasks, TaskRecord
from autometa.task import Task
from autometa.transfer.scale import standing

if not TYPE_CHECKING:
    __getattr__ = former(__name__)

SPACE = "fit"  # the space under which `fit` looks for experience
SOURCE = "collect"  # who describes a task without a limit of time
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arff", ".jsonl", ".gz", ".zst")


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """What is tried on each table, and what one evaluation may take; `OPTIONS` are the defaults.

    ``meta_db/README.md`` lists the commands by which the memory that ships was collected, with 1,000 rows and 3 folds.
    """

    # Size of the pool per table. Judgement: each family's default and a handful more; the shipped memory was begun so.
    configs: int = 60
    # Only these families of the pool, the winners and the searches; None for all.
    families: Sequence[str] | None = None
    # After the pool, at most so many configurations that are best on some other table and little tried.
    winning: int = 0
    # Then so many configurations per table that a search guided by all tables finds for it.
    searched: int = 0
    # Larger tables are sampled down to this many rows; the evaluations say so. Judgement, not measured.
    rows: int = 5000
    # Of the cross-validation, 1 for a hold-out; None for as many as the size suggests.
    folds: int | None = None
    # Stop after so many seconds; None to finish.
    seconds: float | None = None
    # Seconds that one evaluation may take, and bytes that it may use. Judgement, not measured.
    trial_seconds: float = 60.0
    max_ram: int = 4 * 2**30
    # Evaluations at once; None for one per CPU.
    jobs: int | None = None
    # Of samples, splits and models.
    seed: int = 0
    # Take what is at OpenML from its cache alone.
    offline: bool = False
    # Configurations that fill each family's space: the longest pool. Constant, so that a longer pool begins with the
    # shorter one. Judgement, not measured.
    filling: int = 256
    # A winner is known on fewer than this share of the tasks. Judgement, not measured.
    rare: float = 0.5


OPTIONS = CollectOptions()


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table to collect on, and what the catalogue knows about it.

    Example:
        >>> TableSource(Path("tables/adult-1000.csv"), family="adult", openml_id=1590).family
        'adult'
    """

    path: Path
    family: str | None = None  # of data sets that are variants of one another; None for one of its own
    openml_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A bounded sample on disk, ready for trials."""

    folder: Path
    record: TaskRecord
    splits: Splits
    unsuited: frozenset[str]
    done: set[str]  # keys of the configurations that are in the store


def find_sources(paths: Sequence[Path], catalog: Path | None = None) -> list[TableSource]:
    """Tables named by files and folders (not searched deeper), in the order of their names.

    Args:
        paths: Files, folders of files, or addresses such as ``openml:task/31``.
        catalog: A CSV with columns ``name`` (file stem), ``family`` and ``openml_id``. Tables that share a family are
            variants of one another and will be left out together by benchmarks.

    Raises:
        InputError: Every path that does not exist, folders without a table, a catalogue without names.

    Example:
        >>> [source.path for source in find_sources([Path("openml:task/31")])]
        [PosixPath('openml:task/31')]
        >>> find_sources([Path("nowhere.csv")])
        Traceback (most recent call last):
        autometa.errors.InputError: nowhere.csv: does not exist.
    """
    problems, files = [], []
    for path in paths:
        if is_address(path):
            files.append(path)
        elif path.is_dir():
            inside = sorted(f for f in path.iterdir() if f.suffix.lower() in TABLE_SUFFIXES)
            if not inside:
                problems.append(Problem(str(path), "holds no table", f"Known endings: {', '.join(TABLE_SUFFIXES)}."))
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
        sources.append(TableSource(file, row.get("family") or None, None if number is None else int(float(number))))
    return sources


def _stem(file: Path) -> str:
    """The name of a table's file without the endings that say its format."""
    while file.suffix.lower() in TABLE_SUFFIXES:
        file = file.with_suffix("")
    return file.name


def pool(
    kind: str, configs: int, seed: int, families: Sequence[str] | None = None, *, filling: int = OPTIONS.filling
) -> list[Config]:
    """The configurations everybody tries: every family's default, presets, then a filling of the space.

    Every prefix of it is a pool too, so collecting with more configurations goes on from fewer; with `families` it is
    the pool without the others.

    Example:
        >>> [config["family"] for config in pool("binary", 3, seed=0, families=["knn", "linear"])]
        ['linear', 'knn', 'linear']
    """
    space = cash_space(kind)  # type: ignore[arg-type]
    seen: dict[str, Config] = {config_key(config): config for config in [*space.defaults(), *presets(kind)]}  # type: ignore[arg-type]
    fillings = []
    for family in available(kind):  # type: ignore[arg-type]
        own = space.only([family])
        turns = len(own) - 1  # a family takes as many turns as it has parameters
        filled = own.fill(filling, seed)
        fillings += [((k + 0.5) / max(turns, 1), family, config) for k, config in enumerate(filled)]
    for _, _, config in sorted(fillings, key=lambda turn: turn[:2]):
        seen.setdefault(config_key(config), config)
    return [config for config in seen.values() if families is None or config[FAMILY] in families][:configs]


def winners(
    past: PastTasks, most: int, families: Sequence[str] | None = None, *, rare: float = OPTIONS.rare
) -> list[Config]:
    """At most `most` configurations that are the best on some task and known on fewer than a share `rare` of the tasks.

    Those come first that are furthest ahead, on average where they are known, of the best that most tasks know; of
    `families` alone, unless that is None.
    """
    if most <= 0 or not len(past):
        return []
    finite = np.where(np.isfinite(past.scores), past.scores, -np.inf)
    best = {int(column) for column in np.argmax(finite, axis=1)}
    little_known = np.sum(~np.isnan(past.scores), axis=0) < rare * len(past)
    stands = standing(past.scores)
    bar = np.max(np.where(little_known | np.isnan(stands), 0.0, stands), axis=1, keepdims=True)
    ahead = np.nanmean(stands - bar, axis=0)
    order = sorted((column for column in best if little_known[column]), key=lambda column: (-ahead[column], column))
    listed = [past.configs[column] for column in order]
    return [config for config in listed if families is None or config[FAMILY] in families][:most]


def collect(
    sources: Sequence[TableSource],
    store: MetaStore,
    options: CollectOptions = OPTIONS,
    *,
    tell: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> dict[str, Any]:
    r"""Evaluates the pool on every table that it can read, round by round, into a store.

    Args:
        sources: Tables, from `find_sources`.
        store: Where evaluations go; what is there already is not done again.
        options: What is tried on each table, and what one evaluation may take.
        tell: Called with evaluations done, evaluations in all, and what happened.

    Returns:
        ``tables``, ``evaluations`` (new), ``failed`` (of those), ``unreadable`` ({path: why}), ``seconds``.

    Raises:
        StoreError: If the store cannot be used; what was evaluated before is kept.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table, store = Path(folder) / "tiny.csv", MetaStore(Path(folder) / "store.db")
        ...     _ = table.write_text("a,b\n" + "1,no\n2,yes\n" * 20)
        ...     asked = CollectOptions(configs=1, families=["naive_bayes"], folds=2)
        ...     done = collect(find_sources([table]), store, asked)
        ...     again = collect(find_sources([table]), store, asked)
        >>> done["tables"], done["evaluations"], done["failed"], again["evaluations"]
        (1, 1, 0, 0)
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="autometa-collect-") as folder, Isolation() as isolation:
        isolation.warm_up()
        collection = _Collection(sources, store, options, isolation, Path(folder), began, tell)
        collection.run()
    return collection.summary()


class _Collection:
    """One call of `collect`: what the threads that evaluate share."""

    def __init__(
        self,
        sources: Sequence[TableSource],
        store: MetaStore,
        options: CollectOptions,
        isolation: Isolation,
        folder: Path,
        began: float,
        tell: Callable[[int, int, str], None],
    ) -> None:
        """Reads what the store knows and makes the pools; evaluates nothing yet."""
        self.sources, self.store, self.options = sources, store, options
        self.isolation, self.folder, self.began, self.tell = isolation, folder, began, tell
        self.known = {record.fingerprint: record for record in store.tasks(space=SPACE)}
        kinds = ("binary", "multiclass", "regression")
        self.pools = {
            kind: pool(kind, options.configs, options.seed, options.families, filling=options.filling) for kind in kinds
        }
        self.winners: dict[tuple[str, str], list[Config]] = {}  # by kind and metric, once asked for
        self.prepared: dict[int, _Prepared] = {}  # by position in `sources`
        self.unreadable: dict[str, str] = {}  # path -> why
        self.evaluations = self.failed = 0
        self.lock, self.stop = threading.Lock(), threading.Event()

    @property
    def rounds(self) -> int:
        """Evaluations on each table."""
        return self.options.configs + self.options.winning + self.options.searched

    def run(self) -> None:
        """Round after round, the tables side by side; whatever ends it early ends the trials under way."""
        workers = ThreadPoolExecutor(self.options.jobs or available_cpus())
        tables = range(len(self.sources))
        try:
            for k in range(self.rounds):
                # One table at a time per worker within a round: tables are prepared once, by whoever comes first.
                list(workers.map(self.evaluate, tables, [k] * len(tables)))
        except BaseException:
            self.stop.set()
            self.isolation.cancel_all()
            raise
        finally:
            workers.shutdown(wait=True, cancel_futures=True)

    def summary(self) -> dict[str, Any]:
        """What `collect` returns."""
        return {
            "evaluations": self.evaluations,
            "failed": self.failed,
            "tables": len(self.prepared),
            "unreadable": self.unreadable,
            "seconds": round(time.monotonic() - self.began, 1),
        }

    def evaluate(self, index: int, k: int) -> None:
        """The evaluation of a table in a round, unless there is none, it is known, or the time is over."""
        limit = self.options.seconds
        if self.stop.is_set() or (limit is not None and time.monotonic() - self.began > limit):
            return
        ready = self.ready(index)
        config = None if ready is None else self.planned(ready, k)
        if ready is None or config is None or config[FAMILY] in ready.unsuited or config_key(config) in ready.done:
            return
        try:
            evaluation = evaluate_isolated(
                self.isolation,
                ready.folder,
                Attempt(config, ready.splits, self.options.seed, calibrate=True),  # as `fit` judges
                seconds=self.options.trial_seconds,
                max_ram=self.options.max_ram,
            )
        except Cancelled:
            return
        self.store.add(ready.record, [evaluation])
        with self.lock:
            ready.done.add(config_key(config))
            self.evaluations += 1
            self.failed += evaluation.state != State.COMPLETE
            said = f"{ready.record.name}: {config[FAMILY]} {evaluation.state}"
            self.tell(self.evaluations, len(self.sources) * self.rounds, said)

    def ready(self, index: int) -> _Prepared | None:
        """A table, prepared when it is first asked for; None for one that cannot be read."""
        source = self.sources[index]
        if str(source.path) in self.unreadable:
            return None
        if index not in self.prepared:
            try:
                prepared = _prepare(source, self.store, self.known, self.folder / str(index), self.options)
            except AutoMetaError as error:
                self.unreadable[str(source.path)] = str(error)
                return None
            self.prepared[index] = prepared
        return self.prepared[index]

    def planned(self, ready: _Prepared, k: int) -> Config | None:
        """What a table tries in a round: of the pool, of the winners, then what its own search proposes."""
        options, record = self.options, ready.record
        if k >= options.configs + options.winning:
            return _proposed(ready, self.store, options.families, options.seed)
        if k < options.configs:
            listed, position = self.pools[record.kind], k
        else:
            listed, position = self.won(record.kind, record.metric), k - options.configs
        return listed[position] if position < len(listed) else None

    def won(self, kind: str, metric: str) -> list[Config]:
        """The winners among the tasks of a kind in a metric."""
        if (kind, metric) not in self.winners:
            past, options = self.store.past(space=SPACE, kind=kind, metric=metric), self.options
            self.winners[kind, metric] = winners(past, options.winning, options.families, rare=options.rare)
        return self.winners[kind, metric]


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
    source: TableSource, store: MetaStore, known: Mapping[str, TaskRecord], folder: Path, options: CollectOptions
) -> _Prepared:
    """Reads a table and saves a sample of it in `folder`; raises what `read_task` raises."""
    name = None if is_address(source.path) else _stem(source.path)  # OpenML knows its own
    family, number = source.family or name, source.openml_id
    task = read_task(source.path, name=name, family=family, openml_id=number, offline=options.offline)
    task = replace(task, family=task.family or task.name)
    sample = task.sample(options.rows, options.seed)
    sample.save(folder)
    # The record describes the rows that were evaluated, under the fingerprint of the whole table: scores and seconds
    # belong to that many rows, and a large new table should not take a sample for its like.
    fingerprint = _address(task, sample.n, known.get(task.fingerprint))
    before = known.get(fingerprint)
    described = None if before is None or before.source != SOURCE else before.metafeatures
    if described is None or described.version != VERSION:
        described = describe(sample, seconds=math.inf)
    record = replace(TaskRecord.of(sample, described, space=SPACE, source=SOURCE), fingerprint=fingerprint)
    done = {config_key(e.config) for e in store.evaluations(record.fingerprint, SPACE) if e.seed == options.seed}
    unsuited = frozenset(suited(sample, available(task.kind)))
    return _Prepared(folder, record, plan_splits(sample, seed=options.seed, folds=options.folds), unsuited, done)
