"""Connections to a store's database, each for one transaction, and what the database's errors mean.

SQLite waits for another writer under a write-ahead log, PostgreSQL under row locks; a transaction that lost a race is
run again. Every error of a driver leaves here as a `StoreError` that names the store and says what to do.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from autometa.errors import StoreError
from autometa.files import first, private_folder
from autometa.moved import former
from autometa.passwords import masked
from autometa.store.address import VARIABLE, shown_url
from autometa.store.options import OPTIONS, StoreOptions
from autometa.store.schema import block, bring_forward, state, task
from autometa.store.turns import turn

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
                if self.file is not None and self.file.stat().st_size == 0:
                    raise StoreError(
                        f"{self.shown}: the file is empty, and no store ever is. Restore a copy, or remove the file to "
                        "begin anew."
                    )
                return True
            except FileNotFoundError:
                return False

    @contextmanager
    def reading(self, *, check: bool = True) -> Iterator[Connection | None]:
        """A transaction that reads; None where no store has been created yet.

        An older store is stepped forward first, unless it must not be written.

        Args:
            check: Refuse an SQLite file whose pages do not fit together, of which SQLite would leave out a part.

        Raises:
            StoreError: If it cannot be used: damaged, not a store, newer than this program, no permission, unreachable.
        """
        if not self.exists():
            yield None
            return
        with self._translated():
            with self._reader.connect() as connection:
                if check:
                    self._check_pages(connection)
                found = state(connection, self.shown)
                if found in ("current", "absent") or (found == "readable" and self.read_only):
                    yield None if found == "absent" else connection
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
        with self._translated():
            if not self.exists():
                self._create_file()
            with nullcontext() if self.file is None else turn(self.file, self.options.busy_seconds):
                return self._write(work, time.monotonic() + self.options.busy_seconds)

    def _write(self, work: Callable[[Connection], T], deadline: float) -> T:
        """`write`, tried again until `deadline` while somebody else writes."""
        while True:
            known = self.file is not None and _SOUND.get(str(self.file)) == _state_of(self.file)
            try:
                with self._writer.begin() as connection:
                    bring_forward(connection, self.shown)
                    done = work(connection)
            except DBAPIError as error:
                if not _lost_a_race(error) or time.monotonic() > deadline:
                    raise
                # At random, and for all who wait alike: whoever has just written must not always be first again.
                time.sleep(random.uniform(self.options.shortest_pause, self.options.longest_pause))
                continue
            if known and self.file is not None:  # what was sound is so after a transaction of ours
                _SOUND[str(self.file)] = _state_of(self.file)
            return done

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
            engine = sa.create_engine("sqlite://", creator=partial(self._open_file, write=write), poolclass=NullPool)
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
                f"{self.shown}: the driver is missing. Install it: pip install 'autometa-ml[postgresql]'."
            ) from error

    def _open_file(self, *, write: bool = False) -> sqlite3.Connection:
        file = self.file
        assert file is not None
        mode = "mode=ro" if self.read_only else "mode=rw"
        unwritable = not os.access(file.parent, os.W_OK) and not file.with_name(file.name + "-wal").exists()
        if self.immutable or unwritable:  # in an unwritable folder a write-ahead log could not be opened
            mode = "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"file:{quote(str(file))}?{mode}",
            uri=True,
            timeout=0.0 if write else self.options.busy_seconds,  # `write` waits, in turn with the others
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _create_file(self) -> None:
        file = self.file
        assert file is not None
        private_folder(file.parent)
        with first(file) as temporary:
            connection = sqlite3.connect(str(temporary), isolation_level=None)
            try:
                switch_to_wal(connection)
                connection.execute("PRAGMA user_version=1")  # so that there is a page
            finally:
                connection.close()

    def _check_pages(self, connection: Connection) -> None:
        """Refuses a file whose pages do not fit together; looked at once in each state that this process meets.

        30 ms for the 5 MB of the shipped memory, which is not looked at, since nobody writes it.
        """
        if self.file is None or self.immutable:
            return
        now = _state_of(self.file)
        if _SOUND.get(str(self.file)) == now:
            return
        found = connection.connection.cursor().execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{self.shown}: {self._meaning(ValueError(f'malformed: {found}'))}")
        _SOUND[str(self.file)] = now

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The database's own errors as `StoreError`, with what to do."""
        try:
            yield
        except (DBAPIError, sqlite3.Error, OSError, UnicodeDecodeError) as error:
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
        if any(sign in text for sign in ("not a database", "malformed", "no such column", "corrupt", "decode")):
            return (
                f"not a store, or a damaged one ({text}). It was left as it is: `autometa verify {self.file} --repair` "
                f"saves what can be saved; or put a copy in its place, or name another store (--store, {VARIABLE})."
            )
        if _is_busy(text):
            return "another process keeps it locked. Try again later; on a network file system use PostgreSQL."
        return f"cannot be opened or written ({text}). Check the path, its permissions and the space on the disk."


_SOUND: dict[str, tuple[int, ...]] = {}  # files whose pages fitted together when they were looked at, and were so


def _state_of(file: Path) -> tuple[int, ...]:
    """What changes when an SQLite file, or its write-ahead log, does."""
    found: list[int] = []
    for path in (file, file.with_name(file.name + "-wal")):
        with suppress(FileNotFoundError):
            said = path.stat()
            found += [said.st_ino, said.st_size, said.st_mtime_ns]
    return tuple(found)


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
