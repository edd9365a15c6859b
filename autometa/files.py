"""Files that are whole or not there: written beside their place, then moved into it.

Law: whoever reads the path sees the old content or the new one, never a part of either, whatever dies in between; two
writers, threads or processes, never share a temporary file; a writer that fails leaves nothing behind.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, that takes its place once the block ends well.

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
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace(path: Path, content: bytes | str) -> None:
    """Writes a whole file: bytes as they are, text as UTF-8.

    Raises:
        OSError: The folder does not exist, or cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     replace(Path(folder) / "notes.txt", "done")
        ...     (Path(folder) / "notes.txt").read_bytes()
        b'done'
    """
    with whole(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
