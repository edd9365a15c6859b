"""`collect`: evaluates what is planned for each table, round after round, into a store."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autometa.collect.options import OPTIONS, CollectOptions
from autometa.collect.planned import SPACE, pool, proposed, winners
from autometa.collect.sources import TableSource, stem
from autometa.errors import AutoMetaError
from autometa.evaluation import Attempt, Cancelled, Executor, Isolation, Local, Splits, plan_splits
from autometa.families import available, suited
from autometa.metafeatures import FEATURE_NAMES, VERSION, describe
from autometa.openml import is_address, read_task
from autometa.origins import State
from autometa.search.options import OPTIONS as SEARCH
from autometa.space import FAMILY, Config, config_key
from autometa.store import MetaStore, TaskRecord, sample_fingerprint
from autometa.task import Task

SOURCE = "collect"  # who describes a task without a limit of time, unless the catalogue has a word for its origin


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A bounded sample on disk, ready for trials."""

    folder: Path
    record: TaskRecord
    splits: Splits
    unsuited: frozenset[str]
    done: set[str]  # keys of the configurations that are in the store


def collect(
    sources: Sequence[TableSource],
    store: MetaStore,
    options: CollectOptions = OPTIONS,
    *,
    tell: Callable[[int, int, str], None] = lambda done, total, text: None,
    executor: Executor | None = None,
) -> dict[str, Any]:
    r"""Evaluates the pool on every table that it can read, round by round, into a store.

    Args:
        sources: Tables, from `find_sources`.
        store: Where evaluations go; what is there already is not done again.
        options: What is tried on each table, and what one evaluation may take.
        tell: Called with evaluations done, evaluations in all, and what happened.
        executor: Where they run; None for this machine.

    Returns:
        ``tables``, ``evaluations`` (new), ``failed`` (of those), ``unreadable`` ({path: why}), ``seconds``.

    Raises:
        StoreError: If the store cannot be used; what was evaluated before is kept.

    See Also:
        `find_sources`, `pool`.

    Example:
        >>> from autometa.collect import find_sources
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
        executor = executor or Local(isolation)
        executor.warm_up()
        collection = _Collection(sources, store, options, executor, Path(folder), began, tell)
        collection.run()
    return collection.summary()


def learning_curves(
    sources: Sequence[TableSource],
    store: MetaStore,
    rows: Sequence[int],
    options: CollectOptions = OPTIONS,
    **how: Any,
) -> dict[str, Any]:
    r"""`collect` on samples of each of so many rows: what more rows are worth, and what they take.

    A table with fewer rows than a sample would have is evaluated whole, once.

    Args:
        sources: As `collect`.
        store: As `collect`.
        rows: Of the samples; the fewest come first.
        options: As `collect`; its `rows` do not count, and its `seconds` are for all samples.
        **how: As `collect`.

    Returns:
        As `collect`, of all samples together.

    See Also:
        `collect`.

    Example:
        >>> from autometa.collect import find_sources
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table, store = Path(folder) / "tiny.csv", MetaStore(Path(folder) / "store.db")
        ...     _ = table.write_text("a,b\n" + "1,no\n2,yes\n" * 40)
        ...     asked = CollectOptions(configs=1, families=["naive_bayes"], folds=2)
        ...     done = learning_curves(find_sources([table]), store, [20, 40, 80, 160], asked)
        ...     sorted(record.n_rows for record in store.tasks())
        [20, 40, 80]
        >>> done["tables"], done["evaluations"]
        (1, 3)
    """
    began, whole = time.monotonic(), dict[str, Any]()
    with Isolation() as isolation:  # one for all samples: starting it takes seconds
        how["executor"] = how.get("executor") or Local(isolation)
        for n in sorted(set(rows)):
            left = None if options.seconds is None else options.seconds - (time.monotonic() - began)
            if whole and left is not None and left <= 0:
                break
            found = collect(sources, store, replace(options, rows=n, seconds=left), **how)
            for name in ("evaluations", "failed"):
                found[name] += whole.get(name, 0)
            found["tables"] = max(found["tables"], whole.get("tables", 0))
            found["seconds"] = round(time.monotonic() - began, 1)
            whole = found
    return whole


class _Collection:
    """One call of `collect`: what the threads that evaluate share."""

    def __init__(
        self,
        sources: Sequence[TableSource],
        store: MetaStore,
        options: CollectOptions,
        executor: Executor,
        folder: Path,
        began: float,
        tell: Callable[[int, int, str], None],
    ) -> None:
        """Reads what the store knows and makes the pools; evaluates nothing yet."""
        self.sources, self.store, self.options = sources, store, options
        self.executor, self.folder, self.began, self.tell = executor, folder, began, tell
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
        workers = ThreadPoolExecutor(self.options.jobs or self.executor.cpus)
        tables = range(len(self.sources))
        try:
            for k in range(self.rounds):
                # One table at a time per worker within a round: tables are prepared once, by whoever comes first.
                list(workers.map(self.evaluate, tables, [k] * len(tables)))
        except BaseException:
            self.stop.set()
            self.executor.cancel_all()
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

    def evaluation_ram(self) -> int:
        """Bytes that the next evaluation may hold."""
        options = self.options
        if options.max_ram is None:
            return options.evaluation_ram
        left = (options.max_ram - self.executor.overhead()) // (options.jobs or self.executor.cpus)
        return max(left, SEARCH.least_ram)

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
            evaluation = self.executor.evaluate(
                ready.folder,
                Attempt(config, ready.splits, self.options.seed, calibrate=True),  # as `fit` judges
                seconds=self.options.trial_seconds,
                max_ram=self.evaluation_ram(),
                patience=self.options.patience * self.options.trial_seconds,
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
            return proposed(self.store, record, ready.unsuited, options.families, options.seed)
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


def _address(task: Task, n: int, known: Mapping[str, TaskRecord]) -> str:  # known: what the store has, by fingerprint
    """The table's fingerprint; that of a sample of it where the store knows the table by another number of rows."""
    whole = task.judged_fingerprint
    return whole if whole not in known or known[whole].n_rows == n else sample_fingerprint(whole, n)


def _prepare(
    source: TableSource, store: MetaStore, known: Mapping[str, TaskRecord], folder: Path, options: CollectOptions
) -> _Prepared:
    """Reads a table and saves a sample of it in `folder`; raises what `read_task` raises."""
    name = None if is_address(source.path) else stem(source.path)  # OpenML knows its own
    family, number = source.family or name, source.openml_id
    roles: dict[str, Any] = {"group": source.group, "time_order": source.time_order}
    task = read_task(source.path, name=name, family=family, openml_id=number, offline=options.offline, **roles)
    task = replace(task, family=task.family or task.name)
    sample = task.sample(options.rows, options.seed)
    sample.save(folder)
    # The record describes the rows that were evaluated, under the fingerprint of the whole table: scores and seconds
    # belong to that many rows, and a large new table should not take a sample for its like.
    fingerprint = _address(task, sample.n, known)
    before = known.get(fingerprint)
    by = source.origin or SOURCE
    described = None if before is None or before.source != by else before.metafeatures
    if described is None or (described.version, described.names) != (VERSION, FEATURE_NAMES):
        described = describe(sample, seconds=math.inf)
    record = replace(TaskRecord.of(sample, described, space=SPACE, source=by), fingerprint=fingerprint)
    done = {config_key(e.config) for e in store.evaluations(record.fingerprint, SPACE) if e.seed == options.seed}
    unsuited = frozenset(suited(sample, available(task.kind)))
    return _Prepared(folder, record, plan_splits(sample, seed=options.seed, folds=options.folds), unsuited, done)
