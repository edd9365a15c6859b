"""A function in a process of its own, under a deadline and a RAM cap, that cannot outlive its caller.

`Isolation` owns a `forkserver` process that has the heavy modules loaded; every call is one fork of it, tens of
milliseconds. The calling thread is the watchdog: it waits for the answer, looks at the resident size of the whole
process tree every 50 ms, and cuts the trial's lifeline when the deadline or the cap is passed. Any number of threads
may call at once.

Law: a call returns the function's value, or raises `Killed` with a state and a reason, within about 100 ms of its
deadline; afterwards no process of it is left. To stop everything, `cancel_all`.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Self

from autometa.evaluation.forkserver import kill
from autometa.evaluation.machine import is_stopped, processor_seconds, resident
from autometa.evaluation.options import OPTIONS
from autometa.evaluation.watch import Returned, Watch, cut, last_words
from autometa.files import nameless
from autometa.moved import former

# What trials need, first to last. torch comes last, when trials are running already: a trial of the network then takes
# 3.6 s instead of 6.0 (vehicle, 2 members), for 120 MB more in every trial, shared with the forkserver.
PRELOAD = (
    "autometa.evaluation.isolated",
    "pandas",
    "sklearn.pipeline",
    "sklearn.compose",
    "sklearn.preprocessing",
    "sklearn.impute",
    "autometa.task",
    "autometa.families",
    "pyarrow.feather",
    "lightgbm",
    "sklearn.linear_model",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.decomposition",
    "sklearn.neighbors",
    "sklearn.naive_bayes",
    "sklearn.svm",
    "autometa.search.model",
    "autometa.explain.measure",
    "xgboost",
    "catboost",
    "torch",
)


class Isolation:
    """Calls functions in processes of their own. A context manager; safe to share between threads.

    See Also:
        `evaluate_isolated`; `Killed` and `Cancelled`, which it raises.

    Example:
        >>> import os
        >>> with Isolation(preload=()) as isolation:
        ...     isolation.call(os.getpid, seconds=60) == os.getpid()
        False
    """

    def __init__(self, *, preload: Sequence[str] = PRELOAD) -> None:
        """`preload` names the modules that the forkserver loads; those that it cannot import are left to the trials."""
        self.preload = tuple(preload)
        self._lock = threading.RLock()  # a signal handler may cancel while its own thread is inside
        self._server: subprocess.Popen[bytes] | None = None
        self._owner = 0  # the process that started it
        self._control: socket.socket | None = None
        self._complaints: IO[bytes] | None = None  # what the forkserver printed
        self._running: dict[socket.socket, int] = {}  # lifeline -> resident bytes of its tree
        self._cancelled: set[socket.socket] = set()

    def __enter__(self) -> Self:
        """Starts nothing: `warm_up` or the first call does."""
        return self

    def __exit__(self, *_: object) -> None:
        """`close`."""
        self.close()

    def warm_up(self) -> None:
        """Starts the forkserver, which loads its modules while the caller goes on."""
        with self._lock:
            self._ensure_server()

    @property
    def is_loaded(self) -> bool:
        """Whether the forkserver has begun and has had the processor time that loading takes."""
        with self._lock:
            if self._server is None or self._owner != os.getpid() or self._server.poll() is not None:
                return False
            return processor_seconds([self._server.pid]) >= OPTIONS.processor_to_load

    def close(self) -> None:
        """Ends every call and the forkserver."""
        self.cancel_all()
        with self._lock:
            self._discard_server()

    def cancel_all(self) -> None:
        """Ends every call that is under way, at once; they raise `Cancelled`."""
        with self._lock:
            self._cancelled.update(self._running)
            for lifeline in self._running:
                cut(lifeline)

    def call(
        self, function: Callable[..., Any], /, *args: Any, seconds: float, max_ram: int | None = None, **kwargs: Any
    ) -> Any:
        """The value of ``function(*args, **kwargs)``, computed in a process of its own.

        The function is found by its module and name, so it must be importable; arguments and value are pickled. Of a
        generator function the value is what it yielded last, and that much is kept when it is killed.

        Args:
            function: What to call.
            args: Its positional arguments.
            seconds: Wall-clock seconds after which the process and all that it started are killed.
            max_ram: Resident bytes of its process tree, shared pages and memory maps included, at which they are.
            kwargs: Its keyword arguments.

        Raises:
            Killed: If it did not return; the state is timeout, memory, crashed or failed (it raised).
            Cancelled: If `cancel_all` was called meanwhile.
        """
        return self.run(function, *args, seconds=seconds, max_ram=max_ram, **kwargs).value

    def run(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        seconds: float,
        max_ram: int | None = None,
        patience: float = 0.0,
        **kwargs: Any,
    ) -> Returned:
        """As `call`, with the peak of its resident memory.

        With `patience`, seconds, the deadline of a generator counts from what it yields first, when it has loaded what
        it needs; and it may pass by as much while it works and has had less processor time than `seconds`: the machine
        is crowded then, not the function slow.
        """
        deadline = time.monotonic() + seconds
        with nameless() as payload, nameless() as words:
            pickle.dump((function, args, kwargs), payload, protocol=5)
            payload.flush()
            lifeline, their_lifeline = socket.socketpair()
            conversation, their_conversation = socket.socketpair()
            with lifeline, conversation:
                try:
                    with their_lifeline, their_conversation:
                        self._request(
                            lifeline, [s.fileno() for s in (their_lifeline, their_conversation, payload, words)]
                        )
                    watch = Watch(self, lifeline, conversation, deadline, seconds, max_ram, patience)
                    watch.until_the_end()
                    return watch.verdict(words)
                finally:
                    cut(lifeline)  # also when an interrupt arrives here
                    with self._lock:
                        self._running.pop(lifeline, None)
                        self._cancelled.discard(lifeline)

    def overhead(self) -> int:
        """Resident bytes of this process and of the one that trials are forked from: what is there beside trials."""
        with self._lock:
            server = [] if self._server is None else [self._server.pid]
        return resident([os.getpid(), *server])

    def was_cancelled(self, lifeline: socket.socket) -> bool:
        """Whether a call was ended by `cancel_all`."""
        with self._lock:
            return lifeline in self._cancelled

    def wake(self) -> None:
        """Lets the forkserver go on, if somebody has stopped it: else no trial would begin, or be seen to end."""
        with self._lock:
            if self._server is not None and self._owner == os.getpid() and is_stopped(self._server.pid):
                os.kill(self._server.pid, signal.SIGCONT)

    def is_largest(self, lifeline: socket.socket, size: int) -> bool:
        """Notes the resident bytes of a call's process tree; whether no other call's are more."""
        with self._lock:
            self._running[lifeline] = size
            return size >= max(self._running.values())

    def _request(self, lifeline: socket.socket, descriptors: list[int]) -> None:
        """Asks the forkserver for a trial; starts the forkserver again, once, when it is gone."""
        with self._lock:
            self._running[lifeline] = 0
            try:
                socket.send_fds(self._ensure_server(), [b"!"], descriptors)
            except (BrokenPipeError, ConnectionResetError):
                self._discard_server()
                socket.send_fds(self._ensure_server(), [b"!"], descriptors)

    def _ensure_server(self) -> socket.socket:
        gone = self._server is not None and self._server.poll() is not None
        if gone or self._owner != os.getpid():
            self._discard_server()
        if self._control is None:
            ours, theirs = socket.socketpair()
            arguments = json.dumps([list(map(str, sys.path)), theirs.fileno(), os.getpid(), self.preload])
            self._complaints = nameless()  # closed with the server
            with theirs:
                self._server = subprocess.Popen(
                    [sys.executable, "-c", _PROGRAM, arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._complaints,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C reaches the caller only
                    env=os.environ | _QUIET,
                )
            self._control, self._owner = ours, os.getpid()
        return self._control

    def _discard_server(self) -> None:
        ours = self._owner == os.getpid()  # a fork of the owner only lets go
        if self._control is not None:
            if ours:
                cut(self._control)
            self._control.close()
        if self._server is not None and ours:
            try:
                self._server.wait(0.5)
            except subprocess.TimeoutExpired:  # it is loading a module
                kill(self._server.pid)
                self._server.wait()
        if self._complaints is not None:
            self._complaints.close()
        self._server = self._control = self._complaints = None

    def complaint(self) -> str:
        """What the forkserver printed last."""
        with self._lock:
            return last_words(self._complaints) if self._complaints is not None else ""


# Threads are given to models explicitly; left alone, every library of every trial would take all cores at once. Hashing
# is fixed so that the order of a set of strings cannot make two runs differ. Threads sleep where they wait for others:
# by OpenMP's default they spin, and on a crowded machine that takes the time of those they wait for (LightGBM on two
# threads of two cores beside six busy processes: 58 s and 24 CPU s, instead of 13 and 4.4; `benchmarks/waiting.py`).
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONHASHSEED": "0",
}

_PROGRAM = """
import json, sys
sys.path[:], control, parent, preload = json.loads(sys.argv[1])
from autometa.evaluation.forkserver import main
main(control, parent, preload)
"""


@cache
def shared_isolation() -> Isolation:
    """The isolation that whatever runs in this process can share, so that modules load once; closed at its exit.

    Example:
        >>> shared_isolation() is shared_isolation()
        True
    """
    isolation = Isolation()
    atexit.register(isolation.close)
    return isolation


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
