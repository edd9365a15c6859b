"""The near side of the pipe: processes that have the official client loaded (`server`), and calls sent to them.

A process is ended, whatever it hangs in, when the deadline of its call is over; one that has answered waits a while for
the next call. It ends by itself when the process that asked is gone.
"""

from __future__ import annotations

import atexit
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from autometa.errors import OpenMLError
from autometa.moved import former
from autometa.openml.options import OPTIONS

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

Tell = Callable[[str], None]  # one line on what is fetched, repeated or waited for


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The client's settings during one call; where one is None, that of the client's own configuration file."""

    server: str | None  # the address of its API
    key: str | None  # the API key, needed to publish only
    cache: str | None  # a folder
    offline: bool  # whether every request is refused


class _ClientProcess:
    """A process that has the client loaded, and answers one call at a time."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from autometa.openml.server import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process to handle
        )
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
            while True:
                self._answers.put(pickle.load(self._process.stdout))
        self._answers.put(None)

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, request: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(request, self._process.stdin, protocol=5)
        self._process.stdin.flush()

    def receive(self, ends: float) -> tuple[str, Any] | None:
        """The next message, ``(word, value)``; None when the process has ended.

        Raises:
            queue.Empty: Nothing came until `ends`, on the monotonic clock (seconds).
        """
        return self._answers.get(timeout=max(ends - time.monotonic(), 0.0))

    def end(self) -> None:
        """Kills the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast(Any, pipe).close()


_idle: list[_ClientProcess] = []
_turn = threading.Lock()


@atexit.register
def _end_idle() -> None:
    with _turn:
        while _idle:
            _idle.pop().end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's


def _ready() -> _ClientProcess:
    """A process that waits for a call, or a new one."""
    with _turn:
        while _idle:
            process = _idle.pop()
            if process.alive():
                return process
            process.end()
    return _ClientProcess()


def ask(request: Any, ends: float, deadline: float, tell: Tell) -> Any:
    """The answer to a call; the process is ended unless it has answered.

    Args:
        request: ``(settings, name of the call, arguments)``.
        ends: When the call has to be answered, on the monotonic clock (seconds).
        deadline: Seconds that it was given, for the message.
        tell: Progress.

    Raises:
        OpenMLError: No answer came in time, or none could be given.
        InputError: What was asked for is not there.
    """
    for first in (True, False):
        process = _ready()
        last = ""
        try:
            with suppress(BrokenPipeError):
                process.send((*request, max(ends - time.monotonic(), 0.0)))
            while (word := process.receive(ends)) is not None and word[0] == "tell":
                last = word[1]
                tell(last)
        except queue.Empty:
            process.end()
            while_ = f" while: {last}" if last else ""
            raise OpenMLError(
                f"OpenML did not answer within the deadline of {deadline:g} s{while_}. Try again, or allow more time."
            ) from None
        except BaseException:
            process.end()
            raise
        if word is None:  # it ended: by idleness just before it was asked, or by a crash
            process.end()
            if first:
                continue
            raise OpenMLError("the process that talks to OpenML died twice; is there memory enough?")
        with _turn:
            _idle.append(process)
            spare = _idle.pop(0) if len(_idle) > OPTIONS.spare else None
        if spare is not None:
            spare.end()
        if word[0] == "error":
            raise word[1]
        return word[1]
    raise AssertionError
