"""The metadata store: an append-only memory of tasks and evaluations behind a URL.

Adding a finished task is one transaction (`statements`), which holds the store's write lock (SQLite) or the task's row
(PostgreSQL), so any number of processes may add at once, and a process that dies leaves the store as it was before.

Longer than other files, because every question to a store is a method of one class with an example that runs; what the
methods do stands in the files beside this one.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autometa.errors import InputError, Problem, StoreError
from autometa.files import whole
from autometa.store.address import locate, shipped_memory
from autometa.store.blocks import check, masked
from autometa.store.database import Database
from autometa.store.options import OPTIONS, StoreOptions
from autometa.store.reading import (
    DamagedTask,
    DamagedTaskWarning,
    Entry,
    evaluations_in,
    find_in,
    info_in,
    past_in,
    records_in,
    sound,
    trials_in,
)
from autometa.store.records import NOTHING, Exclusion, PastTasks, PastTrials, TaskRecord
from autometa.store.schema import SCHEMA, weights
from autometa.store.statements import append, counts, forget, join, select, shipped
from autometa.store.told import ToldTask, told_in

if TYPE_CHECKING:
    from autometa.evaluation import Evaluation


class MetaStore:
    """A store of tasks and evaluations, in an SQLite file or a PostgreSQL database.

    Nothing is opened or created until it is used; a store that does not exist yet reads as an empty one, and comes into
    being with the first write.

    Args:
        url: A path, ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``. None means the store that the
            environment variable AUTOMETA_STORE names, else ``store.db`` in the user's data directory.
        read_only: Refuse every write, and never step the schema forward.
        immutable: Nobody writes the file at all, so that it is opened without locks or journals. Implies `read_only`.
        beneath: A store that is read with this one as if they were one: `tasks`, `find`, `evaluations`, `past` and
            `info` answer from both. Everything else, every write above all, is of this store alone.
        options: How long to wait for other writers, and how much to hold in memory.

    Raises:
        StoreError: If the URL cannot hold a store.

    See Also:
        `remember_study`, which fills it, and `WarmStartSampler`, which reads it.

    Example:
        >>> store = MetaStore("no_such_folder/store.db")
        >>> store.tasks()
        []
    """

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        read_only: bool = False,
        immutable: bool = False,
        beneath: MetaStore | None = None,
        options: StoreOptions = OPTIONS,
    ) -> None:
        """Opens nothing yet."""
        self._database = Database(locate(url), read_only=read_only, immutable=immutable, options=options)
        self.beneath = beneath
        self._told: set[DamagedTask] = set()

    @classmethod
    def with_shipped(cls, url: str | Path | None = None) -> MetaStore:
        """The store at `url` above the shipped memory; where no memory was shipped, the store alone.

        Example:
            >>> memory = MetaStore.with_shipped("no_such_folder/store.db")
            >>> memory.info()["tasks"] > 100, memory.exists()
            (True, False)
        """
        shipped = shipped_memory()
        return cls(url, beneath=None if shipped is None else cls(shipped, immutable=True))

    def __repr__(self) -> str:
        return f"MetaStore({self.url!r})"

    @property
    def url(self) -> str:
        """The file, or the URL without its password."""
        return self._database.shown

    @property
    def address(self) -> str:
        """The whole URL, with its password: for a process that opens the same store, never to be shown."""
        return self._database.address.render_as_string(hide_password=False)

    @property
    def read_only(self) -> bool:
        """Whether every write is refused."""
        return self._database.read_only

    @property
    def layers(self) -> tuple[MetaStore, ...]:
        """The stores that are read as one, the lowest first, this one last."""
        return (self,) if self.beneath is None else (*self.beneath.layers, self)

    def exists(self) -> bool:
        """Whether this store has been created, whatever lies beneath it; a server's counts as there."""
        return self._database.exists()

    # ---------------------------------------------------------------------------------------------------------- reading

    def tasks(
        self, *, space: str | None = "fit", kind: str | None = None, fingerprints: Sequence[str] | None = None
    ) -> list[TaskRecord]:
        """The records of the tasks of a search space (None: of every space) and kind, ordered by fingerprint.

        With `fingerprints` only of those.

        Example:
            >>> tasks = MetaStore.with_shipped("no_such_folder/store.db").tasks(kind="regression")
            >>> {task.kind for task in tasks}, len(tasks) > 100
            ({'regression'}, True)
        """
        return records_in(self.layers, space=space, kind=kind, fingerprints=fingerprints)

    def find(self, text: str) -> TaskRecord:
        """The one task whose name is `text`, or whose fingerprint begins with it.

        Raises:
            InputError: If there is none, or several: then they are named.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     store = MetaStore(folder + "/store.db")
            ...     _ = store.add(TaskRecord("5eed" * 8, "bank", "binary", "roc_auc", 45211, 16, 2), [])
            ...     store.find("bank").n_rows, store.find("5eed").name
            (45211, 'bank')
        """
        return find_in(self.layers, text)

    def evaluations(self, fingerprint: str, space: str = "fit") -> list[Evaluation]:
        """The evaluations of a task in the order in which they were added; empty for a task that is not known.

        Example:
            >>> memory = MetaStore.with_shipped("no_such_folder/store.db")
            >>> len(memory.evaluations(memory.tasks()[0].fingerprint)) > 10, memory.evaluations("5eed" * 8)
            (True, [])
        """
        return evaluations_in(self.layers, fingerprint, space)

    def past(
        self,
        *,
        space: str = "fit",
        kind: str | None,
        metric: str,
        exclude: Exclusion = NOTHING,
        most: int | None = OPTIONS.width,
        gpu: bool = False,
    ) -> PastTasks:
        """What recommenders learn from, in one read.

        Any stored metric may be asked for, also one that no search optimised. A task on which nothing has a finite
        score in it is left out. Several evaluations of one configuration on one task become the mean of those on the
        most rows. A configuration stopped as hopeless has the mean of the folds it finished; one that failed, ran out
        of time or memory, or crashed has -inf.

        Args:
            space: The search space.
            kind: Kind of task; None for all.
            metric: Scorer name.
            exclude: What must not be seen.
            most: At most this many configurations: those that the most tasks have tried, then those that did best on
                their task. The table is dense, and searches that each try their own configurations would make it wide.
            gpu: Whether trials will have a GPU. Seconds that a trial took on one are unknown where there is none; where
                there is one, they count before those of processors.

        Example:
            >>> memory = MetaStore.with_shipped("no_such_folder/store.db")
            >>> past = memory.past(kind="binary", metric="roc_auc", most=50)
            >>> past.scores.shape == (len(past), 50), len(past.configs), past.metafeatures.shape[0] == len(past)
            (True, 50, True)
        """
        held = self._database.options.held_bytes
        return past_in(
            self.layers, space=space, kind=kind, metric=metric, exclude=exclude, most=most, held=held, gpu=gpu
        )

    def told(self, *, space: str, kind: str, exclude: Exclusion = NOTHING) -> list[ToldTask]:
        """The tasks of a space and kind with every metric that their evaluations told, whatever became of them.

        Example:
            >>> MetaStore("no_such_folder/store.db").told(space="churn", kind="several")
            []
        """
        return told_in(self.layers, space=space, kind=kind, exclude=exclude)

    def trials(
        self, *, space: str, metric: str, exclude: Exclusion = NOTHING, fingerprints: Sequence[str] | None = None
    ) -> PastTrials:
        """What each task of a space, or of those in `fingerprints`, tried: as `past` reads it, but nothing left out.

        Example:
            >>> read = MetaStore.with_shipped("no_such_folder/store.db").trials(space="fit", metric="roc_auc")
            >>> len(read) > 100, len(set(map(len, read.tried[0])))  # configurations, scores and seconds of the first
            (True, 1)
        """
        held = self._database.options.held_bytes
        return trials_in(self.layers, space=space, metric=metric, exclude=exclude, fingerprints=fingerprints, held=held)

    def counts(self, space: str) -> dict[str, int]:
        """How many evaluations there are of each task of a space, by fingerprint, added up over the layers."""
        found: Counter[str] = Counter()
        for layer in self.layers:
            with layer._database.reading() as connection:
                found.update({} if connection is None else counts(connection, space))
        return dict(found)

    def info(self) -> dict[str, Any]:
        """`url`, `tasks`, `evaluations`, `families` (evaluations per model family), `bytes` and `schema`.

        Counts and bytes are those of all layers together, `url` is this store's; `beneath` tells its own.

        Example:
            >>> MetaStore("no_such_folder/store.db").info()["tasks"]
            0
        """
        size = sum(layer._bytes() for layer in self.layers)
        return {"url": self.url, **info_in(self.layers), "bytes": size, "schema": SCHEMA}

    def entries(
        self,
        *,
        space: str | None = None,
        kind: str | None = None,
        fingerprints: Sequence[str] | None = None,
        scores: bool = False,
        details: bool = False,
        tell: Callable[[DamagedTask], None] | None = None,
    ) -> list[Entry]:
        """The tasks of this store that match, by fingerprint and space, with the asked parts of their blocks.

        A damaged one is left out and told; None: `set_aside` is.
        """
        tell = self.set_aside if tell is None else tell
        with self._database.reading() as connection:
            return [] if connection is None else select(connection, space, kind, fingerprints, scores, details, tell)

    def set_aside(self, damaged: DamagedTask) -> None:
        """Warns of a task that is damaged and left out, once."""
        if damaged not in self._told:
            self._told.add(damaged)
            warnings.warn(damaged.sentence(self.url), DamagedTaskWarning, stacklevel=2)

    def _refuse(self, damaged: DamagedTask) -> None:
        """A copy of a store that lacks a task would be taken for the whole."""
        raise StoreError(damaged.sentence(self.url))

    # ---------------------------------------------------------------------------------------------------------- writing

    def add(self, record: TaskRecord, evaluations: Sequence[Evaluation]) -> int:
        """Adds a task and its evaluations; what is known already is not added again. Returns how many were new.

        An evaluation is known when one with all of its content is there. A record that is there already keeps what it
        says and gains what it lacked.

        Raises:
            StoreError: If the store cannot be used or written. Nothing was added then.

        Example:
            >>> import tempfile
            >>> from autometa.evaluation import Evaluation
            >>> from autometa.origins import State
            >>> task = TaskRecord("5eed" * 8, "bank", "binary", "roc_auc", 45211, 16, 2)
            >>> config, scores = {"family": "knn", "knn.n_neighbors": 5}, {"roc_auc": 0.91}
            >>> tried = Evaluation(config, State.COMPLETE, None, scores, {}, 1.5, 0.1, 10**8, 0, 45211, {})
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     store = MetaStore(folder + "/store.db")
            ...     store.add(task, [tried]), store.add(task, [tried])
            (1, 0)
        """
        new = [masked(evaluation) for evaluation in evaluations]
        return self._database.write(lambda connection: append(connection, self, record, new))

    def merge(self, other: MetaStore) -> int:
        """Adds everything that `other` and its layers hold; returns how many evaluations were new.

        Doing it again changes nothing.

        Raises:
            StoreError: If either store cannot be used, or `other` does not exist.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     mine, team = MetaStore(folder + "/mine.db"), MetaStore(folder + "/team.db")
            ...     _ = mine.add(TaskRecord("5eed" * 8, "bank", "binary", "roc_auc", 45211, 16, 2), [])
            ...     team.merge(mine), [task.name for task in team.tasks()]
            (0, ['bank'])
        """
        from autometa.store import inspection

        if not any(layer.exists() for layer in other.layers):
            raise StoreError(f"{other.url}: there is no store to merge.")
        wrong = [p for layer in other.layers for batch in layer.batches() for p in inspection.wrong_with(batch)]
        if wrong:
            raise StoreError(f"{other.url}: nothing was added. {inspection.told(wrong)}")
        return sum(self._absorb(batch) for layer in other.layers for batch in layer.batches())

    def remove(self, fingerprint: str, space: str | None = None) -> int:
        """Forgets a task of this store, in one space or in all; returns how many evaluations went with it.

        Raises:
            StoreError: If the store cannot be used or written. Nothing was forgotten then.
        """
        if not self._database.exists():
            return 0

        return self._database.write(lambda connection: forget(connection, fingerprint, space))

    def import_(self, path: str | Path) -> int:
        """Adds what `export` wrote; returns how many evaluations were new.

        Raises:
            InputError: If the folder is not an export, or not as it was written; nothing was added then.
            StoreError: If the store cannot be used or written.

        Example: see `export`.
        """
        from autometa.store import exchange, inspection

        path = Path(path)
        if wrong := [problem for batch in exchange.batches(path) for problem in inspection.wrong_with(batch)]:
            raise InputError(Problem(str(path), f"nothing was added. {inspection.told(wrong)}", "Export again."))
        return sum(self._absorb(batch) for batch in exchange.batches(path))

    # --------------------------------------------------------------------------------------------------------- weights

    def weights(self, space: str) -> tuple[bytes | None, int]:
        """The surrogate's weights that this store keeps for a space, and from how many tasks they were learned.

        None where there are none, or where learning was tried and did not help.
        """
        with self._database.reading() as connection:
            found = sa.select(weights).where(weights.c.space == space)
            row = None if connection is None else connection.execute(found).first()
        return (None, 0) if row is None else (row.content or None, row.tasks)

    def keep_weights(self, space: str, content: bytes, tasks: int) -> None:
        """Keeps the weights of a surrogate for a space in place of earlier ones; empty if none are worth keeping."""

        def work(connection: Connection) -> None:
            connection.execute(sa.delete(weights).where(weights.c.space == space))
            connection.execute(sa.insert(weights).values(space=space, content=content, tasks=tasks))

        self._database.write(work)

    # ------------------------------------------------------------------------------------------------------- elsewhere

    def export(self, path: str | Path) -> dict[str, Any]:
        """Writes this store as a new folder of Parquet files with a manifest, and returns the manifest.

        Raises:
            StoreError: If the store cannot be used, or does not exist; nothing was written then.
            InputError: If there is something at `path`.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     mine, yours = MetaStore(folder + "/mine.db"), MetaStore(folder + "/yours.db")
            ...     _ = mine.add(TaskRecord("5eed" * 8, "bank", "binary", "roc_auc", 45211, 16, 2), [])
            ...     manifest = mine.export(folder + "/export")
            ...     _ = yours.import_(folder + "/export")
            ...     manifest["tasks"], yours.tasks() == mine.tasks()
            (1, True)
        """
        from autometa.store import exchange

        if not self.exists():
            raise StoreError(f"{self.url}: there is no store to export.")
        return exchange.export(self.batches(), Path(path))

    def ship(self, path: str | Path, *, folds: bool = False) -> int:
        """Writes a compact file that opens read-only, as the package ships; returns its bytes.

        Floats are kept in single precision, and the scores of single folds only if `folds`.

        Raises:
            StoreError: If the store cannot be used, or does not exist; the file at `path` is as it was then.
        """
        if not self.exists():
            raise StoreError(f"{self.url}: there is no store to ship.")
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary:
            temporary.unlink()  # an empty file is no store
            copy = MetaStore(temporary)
            for batch in self.batches():
                copy._absorb([Entry(record, sound(self, record, shipped, old, folds)) for record, old in batch])
            copy._database.compact()
            temporary.chmod(0o644)  # for whoever installs it
        return path.stat().st_size

    def verify(self) -> list[Problem]:
        """Everything that is wrong with this store; empty when nothing is. Changes nothing.

        Raises:
            StoreError: If it cannot be opened at all.
        """
        from autometa.store import inspection

        return inspection.verify(self._database)

    def repair(self) -> list[str]:
        """Saves what can be saved of a file, and says in a sentence each what was done; empty when nothing had to be.

        The damaged file is set aside, as ``NAME.damaged``; the tasks with which nothing is wrong are in its place.

        Raises:
            StoreError: It is on a server, cannot be opened at all, or cannot be written.
        """
        from autometa.store import inspection

        def fill(path: Path, entries: Sequence[Entry]) -> None:
            copy = MetaStore(path)
            copy._absorb(entries)
            copy._database.compact()

        return inspection.repair(self._database, fill)

    def batches(self) -> Iterator[list[Entry]]:
        """All entries of this store with their whole blocks, some tasks at a time."""
        fingerprints = sorted({record.fingerprint for record, _ in self.entries(tell=self._refuse)})
        size = self._database.options.batch
        for start in range(0, len(fingerprints), size):
            some = fingerprints[start : start + size]
            found = self.entries(fingerprints=some, scores=True, details=True, tell=self._refuse)
            for record, block in found:
                sound(self, record, check, block)
            yield found

    def _bytes(self) -> int:
        """The bytes that this store alone occupies."""
        with self._database.reading() as connection:
            return 0 if connection is None else self._database.bytes(connection)

    def _absorb(self, entries: Sequence[Entry]) -> int:
        """Adds entries in one transaction; how many evaluations were new."""
        return self._database.write(lambda connection: sum(join(connection, self, entry) for entry in entries))
