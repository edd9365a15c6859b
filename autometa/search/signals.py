"""What ends a session, heard by a search: Ctrl-C, a scheduler's SIGTERM, the SIGHUP of a terminal that is closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # those of them that this system has


@contextmanager
def heard_by(hear: Callable[[int], None]) -> Iterator[None]:
    """Within, such signals call `hear`, in the main thread; what whoever started this had ignored (nohup) stays so.

    Example:
        >>> heard = []
        >>> with heard_by(heard.append):
        ...     signal.raise_signal(signal.SIGTERM)
        >>> heard == [signal.SIGTERM]
        True
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for name in NAMES if (number := getattr(signal, name, None))}
    for number in [number for number, handler in before.items() if handler is not signal.SIG_IGN]:
        signal.signal(number, lambda signum, frame: hear(signum))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
