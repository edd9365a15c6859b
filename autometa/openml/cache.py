"""The client's cache of files, which it never checks: what is whole in it, what is missing, and one writer at a time.

A task and a dataset are each named as in an address, ``task/31`` or ``data/61``, and have a folder each. A mark beside
what was once found whole tells that it can be read without the lock. Listings (suites, evaluations), of which the
client keeps none, are kept here as JSON.

Law: what is damaged is never returned; a fetch into the cache holds its lock.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autometa import files
from autometa.errors import InputError, OpenMLError, Problem
from autometa.openml.process import Tell

MARK = "whole.autometa"  # an empty file beside what was found whole


class Cache:
    """The folder in which the client keeps what it fetched from one server.

    Args:
        folder: That folder.
        offline: Whether nothing may be fetched into it.
        ends: Of the call, on the monotonic clock (seconds): a lock is waited for until then.
        tell: Progress, such as waiting for the lock.
    """

    def __init__(self, folder: Path, *, offline: bool, ends: float, tell: Tell) -> None:
        self.folder, self.offline, self.ends, self.tell = folder, offline, ends, tell

    def folder_of(self, what: str) -> Path:
        """Where the files of ``task/31`` or ``data/61`` are."""
        noun, _, number = what.partition("/")
        return self.folder / {"task": "tasks", "data": "datasets"}[noun] / number

    def folders_of(self, what: str) -> list[Path]:
        """The folders of a task and its dataset, or that of a dataset."""
        folder = self.folder_of(what)
        data_id = self.dataset_of(what)
        return [folder] if data_id is None else [folder, self.folder_of(f"data/{data_id}")]

    def dataset_of(self, what: str) -> int | None:
        """The dataset of a task in the cache; None for one that is not there, and for a dataset."""
        root = _parsed(self.folder_of(what) / "task.xml")
        found = None if root is None else root.find(".//{*}data_set_id")
        return None if found is None or not found.text else int(found.text)

    def has_qualities(self, data_id: int) -> bool:
        """Whether the qualities of a dataset, which say how many rows it has, are there."""
        return _parsed(self.folder_of(f"data/{data_id}") / "qualities.xml") is not None

    def lacking(self, what: str) -> list[str]:
        """Files of a task and its dataset, or of a dataset, that the cache lacks or has in pieces."""
        noun, _, number = what.partition("/")
        if noun == "data":
            return self._lacking_of_data(int(number))
        data_id = self.dataset_of(what)
        if data_id is None:
            return ["task.xml"]
        lacking = [] if (self.folder_of(what) / "datasplits.arff").is_file() else ["datasplits.arff"]
        return lacking + [f"{name} of dataset {data_id}" for name in self._lacking_of_data(data_id)]

    def _lacking_of_data(self, data_id: int) -> list[str]:
        folder = self.folder_of(f"data/{data_id}")
        lacking = [name for name in ("description.xml", "features.xml") if _parsed(folder / name) is None]
        parquet = [folder / f"dataset_{data_id}.pq", folder / "dataset.pq"]
        if not any(map(_has_footer, parquet)) and not (folder / "dataset.arff").is_file():
            lacking.append("the data")
        return lacking

    def not_cached(self, what: str, lacking: Sequence[str]) -> Problem:
        """What to say where something is needed offline and not there."""
        fix = "Fetch it once without --offline."
        return Problem(f"openml:{what}", f"offline, and the cache {self.folder} lacks {', '.join(lacking)}", fix)

    def purge(self, what: str) -> None:
        """Throws away all files of a task and its dataset."""
        import shutil

        for folder in self.folders_of(what):
            shutil.rmtree(folder, ignore_errors=True)

    def drop(self, what: str, pickles: str) -> None:
        """Throws away some of the client's pickled copies of files that it has read; `pickles` is a pattern."""
        for folder in self.folders_of(what):
            for pickled in folder.glob(pickles):
                pickled.unlink(missing_ok=True)

    @contextmanager
    def parquet(self, what: str, *, wanted: bool = True) -> Iterator[None]:
        """Within, the client takes parquet or ARFF: left alone, it asks for parquet even where it has the other."""
        folder = self.folders_of(what)[-1]
        other = (folder / "dataset.arff").is_file() and not any(folder.glob("*.pq"))
        os.environ["OPENML_SKIP_PARQUET"] = str(other or not wanted).lower()
        try:
            yield
        finally:
            del os.environ["OPENML_SKIP_PARQUET"]

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """One process at a time fetches into a cache; the system frees the lock of one that was killed.

        Raises:
            OpenMLError: Another process held it until the deadline.
        """
        from filelock import FileLock, Timeout

        folder = self.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "autometa.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.tell(f"waiting for another process that fetches, before openml:{what}")
            try:
                lock.acquire(timeout=max(self.ends - time.monotonic(), 0.0))
            except Timeout as error:
                said = "another process was fetching from OpenML until the deadline. Allow more time."
                raise OpenMLError(said) from error
        try:
            yield
        finally:
            lock.release()

    def listing(self, what: str, fetch: Callable[[], Any] | None) -> Any:
        """What `fetch` gives (JSON), kept for when there is no network.

        Args:
            what: Its name, such as ``suite/99``.
            fetch: Asks the server; None, like `offline`, takes what was kept.

        Raises:
            InputError: It is not there, and may not be fetched.
        """
        digest = hashlib.sha256(what.encode()).hexdigest()[:16]
        path = self.folder / "autometa" / f"{quote(what, safe='')[:80]}-{digest}.json.gz"
        if self.offline or fetch is None:
            try:
                return json.loads(gzip.decompress(path.read_bytes()))
            except (OSError, ValueError, EOFError):
                raise InputError([self.not_cached(what, ["its listing"])]) from None
        value = fetch()
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, gzip.compress(json.dumps(value).encode(), 6))
        return value


def _parsed(path: Path) -> Any:
    """The root of an XML file; None where there is no whole one."""
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(path.read_bytes())
    except (OSError, ElementTree.ParseError):
        return None


def _has_footer(path: Path) -> bool:
    """Whether a parquet file begins and ends as one: a cut one does not."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(-4, os.SEEK_END)
            return head == file.read() == b"PAR1"
    except OSError:
        return False
