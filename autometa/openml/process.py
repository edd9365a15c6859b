"""Two sides of a pipe: the process that asks, and the one that has the client loaded.

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
from typing import Any, cast

from autometa.errors import AutoMetaError, OpenMLError

IDLE = 60.0  # seconds after which a client process without work ends by itself

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one call; None for the client's own."""

    server: str | None
    key: str | None
    cache: str | None
    offline: bool


class _Process:
    """A process that has the client loaded, and answers one call at a time."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from autometa.openml.process import serve; serve()"],
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
        """The next word; None when the process has ended. Raises `queue.Empty` when the time is over."""
        return self._answers.get(timeout=max(ends - time.monotonic(), 0.0))

    def end(self) -> None:
        """At once, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast(Any, pipe).close()


_idle: list[_Process] = []
_turn = threading.Lock()


@atexit.register
def _end_idle() -> None:
    with _turn:
        while _idle:
            _idle.pop().end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's


def _process() -> _Process:
    """One that waits for work, else a new one."""
    with _turn:
        while _idle:
            process = _idle.pop()
            if process.alive():
                return process
            process.end()
    return _Process()


def ask(request: Any, ends: float, deadline: float, tell: Tell) -> Any:
    """The answer to a call, or its error; the process is ended unless it has answered."""
    for first in (True, False):
        process = _process()
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
            spare = _idle.pop(0) if len(_idle) > 2 else None
        if spare is not None:
            spare.end()
        if word[0] == "error":
            raise word[1]
        return word[1]
    raise AssertionError


def serve() -> None:
    """Answers calls from standard input on standard output until it is closed, or nothing comes for a while."""
    from autometa.openml.tables import Client

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the client prints is not an answer
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        with suppress(EOFError, OSError):
            while True:
                calls.put(pickle.load(sys.stdin.buffer))
        os._exit(0)  # the parent has gone, whatever is being done here

    def say(word: str, value: Any) -> None:
        pickle.dump((word, value), answers, protocol=5)
        answers.flush()

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            settings, name, arguments, seconds = calls.get(timeout=IDLE)
        except queue.Empty:
            os._exit(0)
        try:
            answer = Client(settings, seconds, lambda text: say("tell", text)).answer(name, arguments)
        except AutoMetaError as error:
            say("error", error)
        except Exception as error:  # noqa: BLE001 - it is raised on the other side
            say("error", OpenMLError(f"the OpenML client failed: {type(error).__name__}: {error}"))
        else:
            say("answer", answer)
