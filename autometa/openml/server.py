"""The far side of the pipe: a process that has the official client loaded, and answers one call at a time.

Each call comes with settings of its own, which the client gets for that call alone (`session`). To add a call, write a
function of a `ClientSession` and give it a line in `CALLS`, and its face to `client.OpenML`.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from autometa.errors import AutoMetaError, OpenMLError
from autometa.openml import publish, runs, tables
from autometa.openml.options import OPTIONS
from autometa.openml.session import ClientSession

CALLS: dict[str, Callable[..., Any]] = {
    "evaluations": runs.evaluations,
    "missing": runs.missing,
    "publish": publish.publish,
    "suite": runs.suite,
    "table": tables.table,
    "task": tables.task,
    "tasks_named": runs.tasks_named,
}


def answer(session: ClientSession, call: str, arguments: Mapping[str, Any]) -> Any:
    """What a call gives.

    Raises:
        AutoMetaError: It could not be answered; the client's own exceptions are the cause.
    """
    try:
        return CALLS[call](session, **arguments)
    except AutoMetaError:
        raise
    except Exception as error:
        raise session.translated(error) from error


def serve() -> None:
    """Answers calls from standard input on standard output until it is closed, or none comes for a while.

    A call is ``(settings, its name, its arguments, seconds that it may take)``, pickled; what is answered are pairs:
    any number of ``("tell", text)``, then ``("answer", value)`` or ``("error", exception)``.
    """
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
            settings, call, arguments, seconds = calls.get(timeout=OPTIONS.idle)
        except queue.Empty:
            os._exit(0)
        try:
            found = answer(ClientSession(settings, seconds, lambda text: say("tell", text)), call, arguments)
        except AutoMetaError as error:
            say("error", error)
        except Exception as error:  # noqa: BLE001 - it is raised on the other side
            say("error", OpenMLError(f"the OpenML client failed: {type(error).__name__}: {error}"))
        else:
            say("answer", found)
