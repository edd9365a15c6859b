"""From a URL to a database: where a store is, its schema and the steps between schemas, and what its errors mean.

Three tables: one row per (task, space), beside it one block that holds the task's evaluations, and per space the
weights of the surrogate that was learned from them. They are named with the prefix ``autometa_``, so that a store may
share a database with Optuna's own tables.

A schema step is a file in ``meta_db/migrations/versions``; `HEAD` names the last one. A new store is created at `HEAD`
outright and an older one is stepped forward in the transaction that first writes to it; Alembic, which costs 0.4 s, is
imported only then. To change the schema, change the tables below, add a step, and set `HEAD` to it: a test compares the
two ways.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from autometa.errors import StoreError
from autometa.store.records import TaskRecord

T = TypeVar("T")

HEAD = "0002"
VARIABLE = "AUTOMETA_STORE"  # environment variable that names the user's store
BUSY_SECONDS = 30.0  # how long SQLite waits for another writer before it gives up

metadata = sa.MetaData()

task = sa.Table(
    "autometa_task",
    metadata,
    sa.Column("fingerprint", sa.String(128), primary_key=True),
    sa.Column("space", sa.String(128), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("n_rows", sa.BigInteger, nullable=False),
    sa.Column("n_columns", sa.BigInteger, nullable=False),
    sa.Column("n_classes", sa.BigInteger, nullable=False),
    sa.Column("family", sa.Text),
    sa.Column("openml_id", sa.BigInteger),
    sa.Column("metafeatures", sa.Text),  # JSON: names, values, version, seconds
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("distributions", sa.Text),  # JSON, of the parameters of somebody's own space
)

block = sa.Table(
    "autometa_block",
    metadata,
    sa.Column("fingerprint", sa.String(128), primary_key=True),
    sa.Column("space", sa.String(128), primary_key=True),
    sa.Column("evaluations", sa.BigInteger, nullable=False),
    # What learning reads of every task at once comes first: SQLite finds it without passing over the details.
    sa.Column("scores", sa.LargeBinary, nullable=False),
    sa.Column("details", sa.LargeBinary, nullable=False),
    sa.ForeignKeyConstraint(
        ["fingerprint", "space"], ["autometa_task.fingerprint", "autometa_task.space"], ondelete="CASCADE"
    ),
)

weights = sa.Table(
    "autometa_weights",
    metadata,
    sa.Column("space", sa.String(128), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),  # an .npz archive, empty while the first is being learned
    sa.Column("tasks", sa.BigInteger, nullable=False),  # how many it was learned from
    sa.Column("claimed", sa.Float),  # seconds since 1970 when somebody began to learn it anew; null when nobody is
)

version = sa.Table("autometa_version", metadata, sa.Column("version_num", sa.String(32), primary_key=True))

# Blocks are compressed already: PostgreSQL need not try again.
for _name in ("scores", "details"):
    _statement: Any = sa.DDL(f"ALTER TABLE autometa_block ALTER COLUMN {_name} SET STORAGE EXTERNAL")  # type: ignore[no-untyped-call]
    sa.event.listen(block, "after_create", _statement.execute_if(dialect="postgresql"))


def meta_db() -> Path:
    """The folder of the shipped memory and the schema steps; one address in a checkout and in an installed wheel."""
    return Path(str(importlib.resources.files("autometa") / "meta_db"))


def shipped_memory() -> Path | None:
    """The shipped memory, or None where none was shipped."""
    path = meta_db() / "memory.db"
    return path if path.is_file() else None


# ----------------------------------------------------------------------------------------------------------- rows


def values_of(record: TaskRecord) -> dict[str, Any]:
    """The row of a task."""
    values = {column.name: getattr(record, column.name) for column in task.c}
    if (m := record.metafeatures) is not None:
        content = {
            "names": list(m.names),
            "values": [float(v) for v in m.values],
            "version": m.version,
            "seconds": {name: float(v) for name, v in m.seconds.items()},
        }
        values["metafeatures"] = json.dumps(content, separators=(",", ":"))
    return values


def record_of(row: Any) -> TaskRecord:
    """The task in a row; `values_of` undone."""
    values = {column.name: getattr(row, column.name) for column in task.c}
    if values["metafeatures"] is not None:
        from autometa.metafeatures import MetaFeatures

        m = json.loads(values["metafeatures"])
        names, numbers = tuple(m["names"]), np.array(m["values"], dtype=np.float64)
        values["metafeatures"] = MetaFeatures(names, numbers, m["version"], m["seconds"])
    return TaskRecord(**values)


# --------------------------------------------------------------------------------------------------------- addresses


def locate(url: str | Path | None) -> URL:
    """The address of a store: of the user's own for None, of a file for a path, else what the URL says.

    Raises:
        StoreError: If it is a URL of something that cannot hold a store.
    """
    if url is None or not str(url):
        url = os.environ.get(VARIABLE) or _users_own()
    text = str(url)
    if isinstance(url, Path) or "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    try:
        address = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "the store's URL cannot be read. Name a file, or postgresql://user:password@host/database."
        ) from error
    shown = shown_url(address)
    backend = address.get_backend_name()
    if backend == "sqlite":
        if not address.database or address.database == ":memory:":
            raise StoreError(
                f"{shown}: a store in memory would be lost at once. Name a file: sqlite:///path/to/store.db."
            )
        return URL.create("sqlite", database=str(Path(address.database).expanduser().absolute()))
    if backend in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg")
    raise StoreError(f"{shown}: a store is an SQLite file or a PostgreSQL database, not {backend!r}.")


def _users_own() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("autometa", appauthor=False)) / "store.db"


def shown_url(address: URL) -> str:
    """The address as messages show it: a path, or a URL without its password."""
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    return address.set(drivername="postgresql").render_as_string(hide_password=True)


class Database:
    """A database that connections are opened to, each for one transaction.

    Connections are not pooled: an open one would cross a fork, and would keep SQLite's write-ahead log from being
    folded into the file. Opening one costs a third of a millisecond (SQLite) or some ten (PostgreSQL).
    """

    def __init__(self, address: URL, *, read_only: bool = False, immutable: bool = False) -> None:
        """Opens nothing yet. An immutable file is never written by anybody: it is opened without locks or journals."""
        self.address = address
        self.read_only = read_only or immutable
        self.immutable = immutable

    @property
    def shown(self) -> str:
        """How messages name it."""
        return shown_url(self.address)

    @property
    def file(self) -> Path | None:
        """Its file, where it is SQLite."""
        return Path(str(self.address.database)) if self.address.get_backend_name() == "sqlite" else None

    def exists(self) -> bool:
        """Whether there is anything to read; a server always counts as there."""
        with self._translated():
            try:
                return self.file is None or self.file.stat().st_size > 0
            except FileNotFoundError:
                return False

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """A transaction that reads; None where no store has been created yet.

        An older store is stepped forward first, unless it must not be written.

        Raises:
            StoreError: If it cannot be used: damaged, not a store, newer than this program, no permission, unreachable.
        """
        if not self.exists():
            yield None
            return
        with self._translated():
            with self._reader.connect() as connection:
                state = self._state(connection)
                if state in ("current", "absent"):
                    yield connection if state == "current" else None
                    return
            if self.read_only:
                raise StoreError(
                    f"{self.shown}: the store has an older schema. Write to it once to bring it up to date."
                )
            self.write(lambda connection: None)
            with self._reader.connect() as connection:
                yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """``work(connection)`` in one transaction that writes; the store is created or stepped forward if need be.

        While another process writes it waits; a transaction that lost such a race is run again from its start.

        Raises:
            StoreError: If the store cannot be used, or not be written.
        """
        if self.read_only:
            raise StoreError(f"{self.shown}: the store was opened for reading only.")
        deadline, pause = time.monotonic() + 2 * BUSY_SECONDS, 0.01
        with self._translated():
            if not self.exists():
                self._create_file()
            while True:
                try:
                    with self._writer.begin() as connection:
                        self._bring_forward(connection)
                        return work(connection)
                except DBAPIError as error:
                    if not _lost_a_race(error) or time.monotonic() > deadline:
                        raise
                time.sleep(pause)
                pause = min(2 * pause, 0.5)

    def bytes(self, connection: Connection) -> int:
        """What the store occupies."""
        if self.file is not None:
            logs = (self.file, self.file.with_name(self.file.name + "-wal"))
            return sum(path.stat().st_size for path in logs if path.exists())
        tables = (task.name, block.name)
        return sum(int(connection.scalar(sa.func.pg_total_relation_size(name).select()) or 0) for name in tables)

    def seal(self) -> None:
        """Folds the write-ahead log into the file and leaves one compact file that opens without writing."""
        with self._translated():
            connection = sqlite3.connect(str(self.file), isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("VACUUM")
            finally:
                connection.close()

    # ---------------------------------------------------------------------------------------------------------- schema

    def _state(self, connection: Connection) -> str:
        """Whether the schema is "absent", "older" or "current"; a newer one is refused."""
        if not sa.inspect(connection).has_table(version.name):
            return "absent"
        found = connection.scalar(sa.select(version.c.version_num))
        if found == HEAD:
            return "current"
        if found in {path.name.split("_")[0] for path in _steps().glob("versions/[0-9]*.py")}:
            return "older"
        raise StoreError(
            f"{self.shown}: the store was written by a newer AutoMeta (schema {found}; this one knows {HEAD}). "
            "Upgrade AutoMeta, or name another store."
        )

    def _bring_forward(self, connection: Connection) -> None:
        """Creates the schema, or takes the steps that are missing, in the transaction of `connection`."""
        if self._state(connection) == "current":
            return
        if connection.dialect.name == "postgresql":  # SQLite's write transaction is a lock already
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        match self._state(connection):
            case "absent":
                metadata.create_all(connection)
                connection.execute(version.insert().values(version_num=HEAD))
            case "older":
                take_steps(connection)

    # ----------------------------------------------------------------------------------------------------- connections

    @cached_property
    def _reader(self) -> Engine:
        return self._engine(write=False)

    @cached_property
    def _writer(self) -> Engine:
        return self._engine(write=True)

    def _engine(self, *, write: bool) -> Engine:
        if self.file is not None:
            engine = sa.create_engine("sqlite://", creator=self._open_file, poolclass=NullPool)
            # The driver's own transactions begin late and deferred, and two that read first would deadlock on writing.
            begin = "BEGIN IMMEDIATE" if write else "BEGIN"
            sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
            return engine
        arguments: dict[str, Any] = {} if "connect_timeout" in self.address.query else {"connect_timeout": 10}
        try:
            return sa.create_engine(
                self.address,
                poolclass=NullPool,
                isolation_level="READ COMMITTED" if write else "REPEATABLE READ",
                connect_args=arguments | {"cursor_factory": _binary_cursor()},
            )
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{self.shown}: the driver is missing. Install it: pip install 'autometa[postgresql]'."
            ) from error

    def _open_file(self) -> sqlite3.Connection:
        file = self.file
        assert file is not None
        mode = "mode=ro" if self.read_only else "mode=rw"
        unwritable = not os.access(file.parent, os.W_OK) and not file.with_name(file.name + "-wal").exists()
        if self.immutable or unwritable:  # in an unwritable folder a write-ahead log could not be opened
            mode = "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"file:{quote(str(file))}?{mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _create_file(self) -> None:
        file = self.file
        assert file is not None
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(str(file), timeout=BUSY_SECONDS, isolation_level=None)
        try:
            switch_to_wal(connection)
        finally:
            connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The database's own errors as `StoreError`, with what to do."""
        try:
            yield
        except (DBAPIError, sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.shown}: {self._meaning(error)}") from error

    def _meaning(self, error: Exception) -> str:
        text = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        if self.file is None:
            if self.address.password:
                text = text.replace(str(self.address.password), "***")
            return f"the server cannot be used ({text}). Check that it runs, and the URL's user, password and database."
        if any(sign in text for sign in ("not a database", "malformed", "no such column", "corrupt")):
            return (
                f"not a store, or a damaged one ({text}). It was left as it is: put a copy in its place, move it away, "
                f"or name another store (--store, {VARIABLE})."
            )
        if _is_busy(text):
            return "another process keeps it locked. Try again later; on a network file system use PostgreSQL."
        return f"cannot be opened or written ({text}). Check the path, its permissions and the space on the disk."


def _binary_cursor() -> type[Any]:
    """A cursor of PostgreSQL that gets blocks as bytes: as text each would come as twice as many hexadecimal digits."""
    from psycopg import Cursor
    from psycopg.pq import Format

    class BinaryCursor(Cursor[Any]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.format = Format.BINARY

    return BinaryCursor


def switch_to_wal(connection: sqlite3.Connection) -> bool:
    """Turns the write-ahead log on, under which readers and a writer need not wait; whether it is on.

    It needs memory shared between processes, which network file systems lack. The rollback journal then serves, more
    slowly (60 against 1,700 transactions a second), and the busy timeout still orders the writers.
    """
    try:
        return bool(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal")
    except sqlite3.OperationalError:  # locked by one who is switching, or no shared memory: the journal stays as it is
        return False


def take_steps(connection: Connection, target: str = "head") -> None:
    """Applies the schema steps up to `target`, in the transaction of `connection`."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory(str(_steps()))
    options = {"version_table": version.name, "fn": lambda revision, _: steps._upgrade_revs(target, revision)}
    context = MigrationContext.configure(connection, opts=options)
    with Operations.context(context):
        context.run_migrations()


_LOCK = 0x6175746F6D657461  # "autometa": orders the processes that create or change the schema of one database


def _steps() -> Path:
    return meta_db() / "migrations"


def _lost_a_race(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in ("40001", "40P01"):  # PostgreSQL: serialization failure, deadlock
        return True
    return _is_busy(str(error.orig))


def _is_busy(text: str) -> bool:
    return "locked" in text or "busy" in text or "locking protocol" in text
