"""Files that are whole or not there, and private: written beside their place, then moved into it.

Law: whoever reads the path sees the old content or the new one, never a part of either, whatever dies in between; two
writers, threads or processes, never share a temporary file; a writer that fails leaves nothing behind, and what one
leaves that is killed goes with the next `sweep`; nobody else can read what is written, whatever the umask, unless the
file that is replaced was open to them.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
_TEMPORARY = re.compile(r"\..+\.([0-9]+)\.[0-9a-f]{8}(\.[^.]*)?")  # as `_beside` names them, with the writer's number
DIGEST_BYTES = 16


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, with its suffix, that takes its place once the block ends well.

    It is there and empty when the block begins, and only its owner can read it; a file that is replaced hands its
    permissions on.

    Raises:
        OSError: The folder does not exist, or cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole(Path(folder) / "notes.txt") as temporary:
        ...         _ = temporary.write_text("done", encoding="utf-8")
        ...     [file.name for file in Path(folder).iterdir()]
        ['notes.txt']
    """
    with _beside(path) as temporary:
        yield temporary
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)


@contextmanager
def first(path: Path) -> Iterator[Path]:
    """As `whole`, but a file that is at `path` by then stays: of several writers the first one wins.

    Raises:
        OSError: The folder does not exist, or cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for word in ("one", "two"):
        ...         with first(Path(folder) / "notes.txt") as temporary:
        ...             _ = temporary.write_text(word, encoding="utf-8")
        ...     (Path(folder) / "notes.txt").read_text(encoding="utf-8"), len(list(Path(folder).iterdir()))
        ('one', 1)
    """
    with _beside(path) as temporary:
        yield temporary
        with suppress(FileExistsError):
            os.link(temporary, path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An empty file of its own beside `path`, that only its owner can read; gone when the block ends."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}{path.suffix}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Removes what writers that were killed left in a folder and those in it; for whoever has it for itself.

    What a process that lives is just writing stays.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in (f".notes.{2**22 + 1}.0a1b2c3d.txt", f".notes.{os.getpid()}.0a1b2c3d.txt", ".mine"):
        ...         (Path(folder) / name).touch()
        ...     sweep(Path(folder))
        ...     sorted(file.name.split(".")[1] for file in Path(folder).iterdir())
        ['mine', 'notes']
    """
    for path in folder.rglob(".*"):
        if (named := _TEMPORARY.fullmatch(path.name)) and not _lives(int(named[1])):
            path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    if os.name != "posix":  # where asking might end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # somebody else's; no number of a process
        return True
    return True


def nameless() -> IO[bytes]:
    """A file without a name, to write and read, gone when it is closed: in memory where no folder takes one.

    Raises:
        OSError: There is neither a folder for temporary files that can be written, nor Linux's files in memory.

    Example:
        >>> with nameless() as file:
        ...     file.write(b"done")
        4
    """
    try:
        return tempfile.TemporaryFile()
    except OSError:
        if not hasattr(os, "memfd_create"):
            raise
        return os.fdopen(os.memfd_create("autometa"), "w+b")


def replace(path: Path, content: bytes | str) -> None:
    """Writes a whole file: bytes as they are, text as UTF-8; it is on the disk before it takes its place.

    Raises:
        OSError: The folder does not exist, or cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     replace(Path(folder) / "notes.txt", "done")
        ...     (Path(folder) / "notes.txt").read_bytes()
        b'done'
    """
    with whole(path) as temporary, temporary.open("wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def private_folder(path: Path) -> None:
    """Makes a folder, and those above it that are missing, for its owner alone; one that is there stays as it is.

    Raises:
        OSError: It cannot be made, or is a file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     private_folder(Path(folder) / "a" / "b")
        ...     oct(stat.S_IMODE((Path(folder) / "a").stat().st_mode))
        '0o700'
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is not a folder")


def digest(content: Path | bytes) -> str:
    """What tells a changed file, or changed bytes, from the same: 32 hexadecimal digits (BLAKE2b).

    Raises:
        OSError: The file is not there, or cannot be read.

    Example:
        >>> digest(b"done") == digest(b"done"), digest(b"done") == digest(b"gone"), len(digest(b""))
        (True, False, 32)
    """
    if isinstance(content, bytes):
        return hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()
