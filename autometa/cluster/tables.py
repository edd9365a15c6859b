"""The tables that a worker keeps: each once, by what is in it, on its own disk.

Law: a table is there whole or not at all, whoever else writes it at the same time; one that is in use is never removed.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autometa.cluster.options import OPTIONS


def packed(folder: Path) -> bytes:
    """The files of a saved task, as one piece that `TableCache.keep` takes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in _files(folder):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
    return out.getvalue()


def digest_of(folder: Path) -> str:
    """What is in a folder: names and contents of all its files.

    Example:
        >>> with tempfile.TemporaryDirectory() as name:
        ...     _ = Path(name, "a").write_text("1")
        ...     before = digest_of(Path(name))
        ...     _ = Path(name, "a").write_text("2")
        ...     before == digest_of(Path(name)), len(before)
        (False, 40)
    """
    found = hashlib.blake2b(digest_size=20)
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "blake2b").digest()
        found.update(path.relative_to(folder).as_posix().encode() + b"\0" + content)
    return found.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class TableCache:
    """TableCache by their digest, on this worker's disk.

    Example:
        >>> with tempfile.TemporaryDirectory() as name:
        ...     there, tables = Path(name, "task"), TableCache(Path(name, "kept"))
        ...     there.mkdir()
        ...     _ = (there / "a").write_text("1")
        ...     key = digest_of(there)
        ...     before = tables.find(key)
        ...     tables.keep(key, packed(there))
        ...     with tables.using(tables.find(key)) as folder:
        ...         before, (folder / "a").read_text()
        (None, '1')
    """

    def __init__(
        self, folder: Path, most_bytes: int = OPTIONS.tables_bytes, in_use: float = OPTIONS.tables_in_use
    ) -> None:
        """Makes the folder with the first table; one that was used so many seconds ago may be another worker's."""
        self.folder, self.most_bytes, self.in_use = folder, most_bytes, in_use
        self._lock, self._used, self._same = threading.Lock(), Counter[Path](), dict[Path, str]()

    def find(self, key: str, shared: str | None = None) -> Path | None:
        """Where a table is: at a path that the sender sees as well, if it is the same there, or kept here; None."""
        if shared is not None and (there := Path(shared)).is_dir():
            if there not in self._same:
                self._same[there] = digest_of(there)
            if self._same[there] == key:
                return there
        kept = self.folder / key
        return kept if kept.is_dir() else None

    def keep(self, key: str, content: bytes) -> None:
        """Writes a table that came as `packed` has it.

        Raises:
            ValueError: It is not what its key says.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".coming-") as name:
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(name, filter="data")
            if digest_of(Path(name)) != key:
                raise ValueError("a table that is not what its key says")
            self._make_room(len(content))
            try:
                Path(name).rename(self.folder / key)
            except OSError:  # another worker of this machine was first
                if not (self.folder / key).is_dir():
                    raise
            else:
                Path(name).mkdir(exist_ok=True)  # for the temporary folder to remove

    @contextmanager
    def using(self, folder: Path) -> Iterator[Path]:
        """A table that is not removed meanwhile."""
        with self._lock:
            self._used[folder] += 1
        if folder.parent == self.folder:
            os.utime(folder)
        try:
            yield folder
        finally:
            with self._lock:
                self._used[folder] -= 1

    def _make_room(self, size: int) -> None:
        kept = [path for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        sizes = {path: sum(file.stat().st_size for file in _files(path)) for path in kept}
        with self._lock:
            for path in sorted(kept, key=lambda one: one.stat().st_mtime):
                if sum(sizes.values()) + size <= self.most_bytes:
                    return
                if not self._used[path] and time.time() - path.stat().st_mtime >= self.in_use:
                    sizes.pop(path)
                    shutil.rmtree(path, ignore_errors=True)
