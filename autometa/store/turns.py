"""Writers of one file take turns.

SQLite lets whoever asks at the right moment write, which is mostly the one that has just written: of eight busy writers
one waited for more than a minute while another wrote a hundred times. So they queue for a lock on the folder of the
file first, at which the kernel wakes who waits. It orders, and protects nothing: SQLite's own lock does.

Law: a process that dies gives its turn up; who has waited too long goes on without one, and meets SQLite's lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows, where SQLite's own order has to do
    fcntl = None  # type: ignore[assignment]


@contextmanager
def turn(file: Path, seconds: float) -> Iterator[None]:
    """Waits for this process's turn to write `file`, at most so many seconds, and keeps it for the block.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, turn(Path(folder) / "store.db", 1.0):
        ...     list(Path(folder).iterdir())
        []
    """
    descriptor = -1
    with suppress(OSError):  # where none can be made there is no order
        descriptor = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    if fcntl is None or descriptor < 0:
        yield
        return
    waiting = _Waiting(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting.start()
        waiting.join(seconds)
        if not waiting.succeeded():
            yield  # the thread closes the descriptor
            return
    except OSError:  # a file system that knows no such locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)


class _Waiting(threading.Thread):
    """Sleeps in the kernel until the lock is this process's; lets go of it at once if nobody waits for it any more."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self.descriptor = descriptor
        self._mutex = threading.Lock()
        self._locked = self._given_up = False

    def run(self) -> None:
        with suppress(OSError):
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        with self._mutex:
            self._locked = True
            if self._given_up:
                os.close(self.descriptor)

    def succeeded(self) -> bool:
        """Whether the lock is there by now; if not, it is given up for good."""
        with self._mutex:
            self._given_up = not self._locked
            return self._locked
