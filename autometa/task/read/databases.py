"""Databases by their URL, and SQLite files: the rows of a query as a table. SQLAlchemy does the asking.

Nothing is changed: what the query does is taken back, PostgreSQL and SQLite are told to read only. A password is used
and neither kept nor shown; without one in the URL the driver looks where it always does (PGPASSWORD, ``~/.pgpass``).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from autometa.passwords import masked
from autometa.task.findings import InputFindings
from autometa.task.names import listed, renamed
from autometa.task.options import OPTIONS
from autometa.task.read.header import shortened
from autometa.task.read.raw import NO_ROWS, Parsed, ReadRequest, refuse_idle
from autometa.task.read.values import series_of

SQLITE = b"SQLite format 3\0"  # the first bytes of a file of SQLite
_URL = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\+[A-Za-z0-9_]+)?://")
_EXTRAS = {"psycopg": "postgresql"}  # a driver's module -> our extra that brings it


def is_database(source: Any) -> bool:
    """Whether a source is the URL of a database, known or not.

    Example:
        >>> is_database("postgresql://me@host/shop"), is_database("shop.db"), is_database("http://host/a.csv")
        (True, False, False)
    """
    if not isinstance(source, str) or source.lower().startswith(("http://", "https://")):
        return False
    return _URL.match(source) is not None


def read_database(url: str, request: ReadRequest) -> tuple[Parsed | None, InputFindings]:
    """The rows of the query at a database; None, with a problem, where there are none to be had."""
    import sqlalchemy as sa

    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # whose texts quote parts of the URL
        findings = InputFindings("database")
        findings.refuse("its URL cannot be read", "Such as postgresql://user@host/database or sqlite:///shop.db.")
        return None, findings
    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "")
        findings = InputFindings(path.name or "sqlite")
        if not address.database or not path.is_file():
            findings.at(masked(url)).refuse(
                "no such file", "sqlite:///shop.db is a file here, sqlite:////a/shop.db one at /a."
            )
            return None, findings
        return read_sqlite(path, findings, request)
    shown = masked(address.render_as_string(hide_password=True))
    findings = InputFindings(address.database or address.host or "database")
    problems = findings.at(shown)
    options: dict[str, Any] = {}
    if address.get_backend_name() in ("postgresql", "postgres"):
        driver = address.drivername.partition("+")[2] or "psycopg"
        address = address.set(drivername=f"postgresql+{driver}")
        options = {"connect_args": {"connect_timeout": int(OPTIONS.database_seconds)}}
    try:
        engine = sa.create_engine(address, poolclass=sa.pool.NullPool, **options)
    except sa.exc.NoSuchModuleError:
        fix = (
            "A file, postgresql://... or another database of SQLAlchemy's, and http(s)://... with --download are read."
        )
        problems.refuse(f"no database is known here by the name {address.drivername!r}", fix)
        return None, findings
    except ModuleNotFoundError as error:
        name = str(error.name)
        how = f"autometa-ml[{_EXTRAS[name]}]" if name in _EXTRAS else name
        problems.refuse(f"its driver {name!r} is not installed", f"pip install '{how}'.")
        return None, findings
    except (sa.exc.ArgumentError, TypeError, ValueError):  # whose texts quote parts of the URL
        problems.refuse("its URL cannot be used", "Such as postgresql://user@host/database.")
        return None, findings
    return _ask(engine, request, findings, problems), findings


def is_sqlite(data: Any) -> bool:
    """Whether these are the bytes of a file of SQLite, or this is its path."""
    if isinstance(data, bytes):
        return data.startswith(SQLITE)
    try:
        with Path(data).open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        return False


def read_sqlite(
    source: bytes | Path, findings: InputFindings, request: ReadRequest
) -> tuple[Parsed | None, InputFindings]:
    """The rows of the query at a file of SQLite, opened to read only; without a query, of its only table."""
    import sqlalchemy as sa

    def connect() -> sqlite3.Connection:
        if isinstance(source, Path):
            return sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True, check_same_thread=False)
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.deserialize(source[:18] + b"\1\1" + source[20:])  # without a journal beside it
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.StaticPool)
    return _ask(engine, request, findings, findings), findings


def _ask(engine: Any, request: ReadRequest, findings: InputFindings, problems: InputFindings) -> Parsed | None:
    """The rows of a query; None, with a problem, where it cannot be asked or answers with none."""
    import sqlalchemy as sa

    if refuse_idle(request, problems, "a database", "sheet", "member"):
        return None
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            query = request.query or _query_of_only_table(connection, problems)
            if query is None:
                return None
            result = connection.execution_options(no_parameters=True).exec_driver_sql(query)
            if not result.returns_rows:
                problems.refuse(f"the query answers with no rows: {shortened(query)}", "A SELECT is needed.")
                return None
            names, rows = [str(name) for name in result.keys()], result.fetchall()  # noqa: SIM118
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        said = masked(" ".join(str(getattr(error, "orig", None) or error).split()))
        problems.refuse(f"the database says: {said}")
        return None
    finally:
        engine.dispose()
    if request.query is not None:
        findings.note(f"{len(rows):,} rows of the query {shortened(query)}.")
    if not rows:
        problems.refuse(NO_ROWS, "The query finds none.")
        empty = pd.DataFrame({i: pd.Series(dtype=object) for i in range(len(names))})
        return Parsed(renamed(empty, names))
    return Parsed(renamed(pd.concat([series_of(column) for column in zip(*rows, strict=True)], axis=1), names))


def _query_of_only_table(connection: Any, problems: InputFindings) -> str | None:
    """What asks for all of a database that has one table; None, with a problem that names them, where it has others."""
    import sqlalchemy as sa

    inspector = sa.inspect(connection)
    tables = [*inspector.get_table_names(), *inspector.get_view_names()]
    quoted: Callable[[str], str] = connection.dialect.identifier_preparer.quote_identifier
    if len(tables) == 1:
        return f"select * from {quoted(tables[0])}"
    if not tables:
        problems.refuse("a database without tables")
    else:
        what = f"a database of {len(tables)} tables: {listed(tables)}"
        problems.refuse(what, f"--query (query=...) says what to read, such as 'select * from {quoted(tables[0])}'.")
    return None
