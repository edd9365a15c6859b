"""Where stores are: what a URL says, the user's own store, and the memory that ships with the package."""

from __future__ import annotations

import importlib.resources
import os
import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from autometa.errors import StoreError
from autometa.passwords import masked, without_password

VARIABLE = "AUTOMETA_STORE"  # environment variable that names the user's store

_BROKEN = re.compile(r"(?i)(postgres(ql)?|mysql|mariadb|mssql|oracle|sqlite)(\+\w+)?:")  # a URL, and not a file's path


def meta_db() -> Path:
    """The folder of the shipped memory and the schema steps; one address in a checkout and in an installed wheel."""
    return Path(str(importlib.resources.files("autometa") / "meta_db"))


def shipped_memory() -> Path | None:
    """The shipped memory, or None where none was shipped."""
    path = meta_db() / "memory.db"
    return path if path.is_file() else None


def locate(url: str | Path | None) -> URL:
    """The address of a store: of the user's own for None, of a file for a path, else what the URL says.

    Raises:
        StoreError: If it is a URL of something that cannot hold a store.
    """
    if url is None or not str(url):
        url = os.environ.get(VARIABLE) or users_own()
    text = str(url)
    if isinstance(url, str) and "://" not in text and _BROKEN.match(text):
        raise StoreError(
            f"{masked(text)}: the store's URL cannot be read. Name a file, or postgresql://user@host/database."
        )
    if isinstance(url, Path) or "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    try:
        address = make_url(text)
    except (ArgumentError, ValueError):  # whose texts quote parts of the URL
        raise StoreError(
            "the store's URL cannot be read. Name a file, or postgresql://user:password@host/database."
        ) from None
    shown = shown_url(address)
    backend = address.get_backend_name()
    if backend == "sqlite":
        if not address.database or address.database == ":memory:":
            raise StoreError(
                f"{shown}: a store in memory would be lost at once. Name a file: sqlite:///path/to/store.db."
            )
        return URL.create("sqlite", database=str(Path(address.database).expanduser().absolute()))
    if _is_postgresql(address):
        return _with_known_password(address.set(drivername="postgresql+psycopg"), text)
    raise StoreError(f"{shown}: a store is an SQLite file or a PostgreSQL database, not {backend!r}.")


def users_own() -> Path:
    """``store.db`` in the user's data directory."""
    import platformdirs

    return Path(platformdirs.user_data_dir("autometa", appauthor=False)) / "store.db"


def shown_url(address: URL) -> str:
    """The address as messages show it: a path, or a URL without its password."""
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    shown = address.set(drivername="postgresql") if _is_postgresql(address) else address
    return masked(shown.render_as_string(hide_password=True))


def _with_known_password(address: URL, text: str) -> URL:
    """A URL that was kept without its password gets it from the environment, where the same URL stands with it.

    Without one there, the driver looks at PGPASSWORD and at ``~/.pgpass``.
    """
    named = os.environ.get(VARIABLE, "")
    if address.password is not None or "://" not in named or without_password(named) != without_password(text):
        return address
    known = make_url(named)
    password = known.query.get("password", known.password)
    return address.set(password=password) if isinstance(password, str) else address


def _is_postgresql(address: URL) -> bool:
    return address.get_backend_name() in ("postgresql", "postgres")
