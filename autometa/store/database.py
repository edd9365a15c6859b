"""Connections to a store's database, each for one transaction, and what the database's errors mean.

SQLite waits for another writer under a write-ahead log, PostgreSQL under row locks; a transaction that lost a race is
run again. Every error of a driver leaves here as a `StoreError` that names the store and says what to do.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from autometa.errors import StoreError
from autometa.files import PRIVATE, private_folder
from autometa.moved import former
from autometa.passwords import masked
from autometa.store.address import VARIABLE, shown_url
from autometa.store.options import OPTIONS, StoreOptions
from autometa.store.schema import block, bring_forward, state, task

if not TYPE_CHECKING:
    __getattr__ = former(__name__)

T = TypeVar("T")


class Database:
    """A database that connections are opened to, each for one transaction.

    Connections are not pooled: an open one would cross a fork, and would keep SQLite's write-ahead log from being
    folded into the file. Opening one costs a third of a millisecond (SQLite) or some ten (PostgreSQL).
    """

    def __init__(
        self, address: URL, *, read_only: bool = False, immutable: bool = False, options: StoreOptions = OPTIONS
    ) -> None:
        """Opens nothing yet. An immutable file is never written by anybody: it is opened without locks or journals."""
        self.address = address
        self.options = options
        self.read_only = read_only or immutable
        self.immutable = immutable

    @property
    def shown(self) -> str:
        """The database as messages name it: a path, or a URL without its password."""
        return shown_url(self.address)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for a server."""
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
                found = state(connection, self.shown)
                if found in ("current", "absent"):
                    yield connection if found == "current" else None
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
        deadline, pause = time.monotonic() + 2 * self.options.busy_seconds, self.options.first_pause
        with self._translated():
            if not self.exists():
                self._create_file()
            while True:
                try:
                    with self._writer.begin() as connection:
                        bring_forward(connection, self.shown)
                        return work(connection)
                except DBAPIError as error:
                    if not _lost_a_race(error) or time.monotonic() > deadline:
                        raise
                time.sleep(pause)
                pause = min(2 * pause, self.options.longest_pause)

    def bytes(self, connection: Connection) -> int:
        """The bytes that the store occupies, with its write-ahead log."""
        if self.file is not None:
            logs = (self.file, self.file.with_name(self.file.name + "-wal"))
            return sum(path.stat().st_size for path in logs if path.exists())
        tables = (task.name, block.name)
        return sum(int(connection.scalar(sa.func.pg_total_relation_size(name).select()) or 0) for name in tables)

    def compact(self) -> None:
        """Folds the write-ahead log of an SQLite file into it and leaves one small file that opens without writing."""
        with self._translated():
            connection = sqlite3.connect(str(self.file), isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("VACUUM")
            finally:
                connection.close()

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
        patience = {"connect_timeout": self.options.connect_seconds}
        arguments: dict[str, Any] = {} if "connect_timeout" in self.address.query else patience
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
            timeout=self.options.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _create_file(self) -> None:
        file = self.file
        assert file is not None
        private_folder(file.parent)
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        connection = sqlite3.connect(str(file), timeout=self.options.busy_seconds, isolation_level=None)
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
            # A server's errors may quote what they were given, so a traceback does not show them either.
            raise StoreError(f"{self.shown}: {self._meaning(error)}") from (error if self.file is not None else None)

    def _without_password(self, text: str) -> str:
        """What the driver says, whichever way it quotes the password."""
        known = {self.address.password, self.address.query.get("password")}
        for password in {str(word) for word in known if word}:
            for written in (password, quote(password), quote(password, safe=""), unquote(password)):
                text = text.replace(written, "***")
        return masked(text)

    def _meaning(self, error: Exception) -> str:
        text = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        if self.file is None:
            text = self._without_password(text)
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


def _lost_a_race(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in ("40001", "40P01"):  # PostgreSQL: serialization failure, deadlock
        return True
    return _is_busy(str(error.orig))


def _is_busy(text: str) -> bool:
    return "locked" in text or "busy" in text or "locking protocol" in text
