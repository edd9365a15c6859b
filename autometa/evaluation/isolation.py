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
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

import psutil

from autometa.evaluation.forkserver import FRAME, RAISED, RETURNED, STATUS, YIELDED, descendants, kill
from autometa.origins import State

POLL_SECONDS = 0.05
URGENT_POLL_SECONDS = 0.01  # once half the cap is used: memory can be filled at some GB a second
END_SECONDS = 10.0  # the longest that a killed process may take to give back its memory

# What trials need, first to last. torch comes last, when trials are running already: a trial of the network then takes
# 3.6 s instead of 6.0 (vehicle, 2 members), for 120 MB more in every trial, shared with the forkserver.
PRELOAD = (
    "autometa.evaluation.trial",
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
    "xgboost",
    "catboost",
    "torch",
)


class Killed(Exception):
    """A call that did not return: why, and what it had handed over by then."""

    def __init__(
        self,
        state: State,
        reason: str,
        peak_ram: int = 0,  # bytes, of its process tree
        partial: Any = None,  # what a generator yielded last
        details: str = "",  # the traceback in the child, or what it printed last
    ) -> None:
        super().__init__(reason)
        self.state, self.reason, self.peak_ram, self.partial, self.details = state, reason, peak_ram, partial, details


class Cancelled(Exception):
    """A call that was ended by `Isolation.cancel_all`."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call returned, and what it took."""

    value: Any
    peak_ram: int  # bytes, of its process tree


class Isolation:
    """Calls functions in processes of their own. A context manager; safe to share between threads.

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
                _cut(lifeline)

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
        self, function: Callable[..., Any], /, *args: Any, seconds: float, max_ram: int | None = None, **kwargs: Any
    ) -> Returned:
        """As `call`, with the peak of its resident memory."""
        deadline = time.monotonic() + seconds
        with tempfile.TemporaryFile() as payload, tempfile.TemporaryFile() as words:
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
                    watch = _Watch(self, lifeline, conversation, deadline, seconds, max_ram)
                    watch.until_the_end()
                    return watch.verdict(words)
                finally:
                    _cut(lifeline)  # also when an interrupt arrives here
                    with self._lock:
                        self._running.pop(lifeline, None)
                        self._cancelled.discard(lifeline)

    def _was_cancelled(self, lifeline: socket.socket) -> bool:
        with self._lock:
            return lifeline in self._cancelled

    def _is_largest(self, lifeline: socket.socket, size: int) -> bool:
        """Notes the size of a call's tree; whether no other call's is larger."""
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
            self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
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
                _cut(self._control)
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

    def _complaint(self) -> str:
        with self._lock:
            return _last_words(self._complaints) if self._complaints is not None else ""


# Threads are given to models explicitly; left alone, every library of every trial would take all cores at once. Hashing
# is fixed so that the order of a set of strings cannot make two runs differ.
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}

_PROGRAM = """
import json, sys
sys.path[:], control, parent, preload = json.loads(sys.argv[1])
from autometa.evaluation.forkserver import main
main(control, parent, preload)
"""


@cache
def shared_isolation() -> Isolation:
    """The isolation that whatever runs in this process can share, so that modules load once; closed at its exit."""
    isolation = Isolation()
    atexit.register(isolation.close)
    return isolation


class _Watch:
    """One call from request to end: listens, measures, and cuts the lifeline when a limit is passed."""

    def __init__(
        self,
        isolation: Isolation,
        lifeline: socket.socket,
        conversation: socket.socket,
        deadline: float,  # on the monotonic clock
        seconds: float,
        max_ram: int | None,
    ) -> None:
        self.isolation, self.lifeline, self.conversation = isolation, lifeline, conversation
        self.deadline, self.seconds, self.max_ram = deadline, seconds, max_ram
        self.process = 0  # its number; 0 before it was started
        self.tree: list[int] = []  # its number and those of all that descend from it, when last looked
        self.exit_code: int | None = None  # None while it lives, or when the forkserver died before it could tell
        self.peak = 0  # bytes
        self.yielded: bytes | None = None  # the latest value of a generator
        self.answer: tuple[bytes, bytes] | None = None  # how it ended: returned or raised, and what
        self.passed: tuple[State, str] | None = None  # the limit that it passed
        self.oom_kills = _oom_kills()
        self._heard, self._reported = bytearray(), bytearray()

    def until_the_end(self) -> None:
        """Returns when the trial is dead."""
        self.lifeline.setblocking(False)
        self.conversation.setblocking(False)
        ending: float | None = None  # when it was told to end
        with selectors.DefaultSelector() as selector:
            selector.register(self.lifeline, selectors.EVENT_READ, self._hear_server)
            selector.register(self.conversation, selectors.EVENT_READ, self._hear_trial)
            while self.lifeline in selector.get_map():
                heard = selector.select(self._patience())
                for key, _ in heard:
                    if key.data() == b"":
                        selector.unregister(key.fileobj)
                now = time.monotonic()
                if ending is None and (self.answer is not None or self._must_end(now)):
                    ending = now
                    _cut(self.lifeline)
                    if self.answer is None and self.process > 0:
                        kill(self.process)  # at once, though the forkserver may be loading a module
                elif ending is not None and not heard and (_is_dead(self.process) or now > ending + END_SECONDS):
                    return  # the forkserver is busy and will reap it later
        if self.exit_code is None and self.process > 0:  # the forkserver is gone; its trials died of it, nothing else
            with suppress(OSError):
                os.killpg(self.process, signal.SIGKILL)
            for number in self.tree:
                kill(number)
        while self._hear_trial():  # a trial that ended by itself may have said more than was read
            pass

    def _patience(self) -> float:
        urgent = self.max_ram is not None and self.peak > self.max_ram / 2
        until_deadline = self.deadline - time.monotonic()
        pause = URGENT_POLL_SECONDS if urgent else POLL_SECONDS
        return min(pause, until_deadline) if until_deadline > 0 else pause

    def _must_end(self, now: float) -> bool:
        """Whether a limit is passed or the call was cancelled; keeps the former for the verdict."""
        if now >= self.deadline:
            self.passed = State.TIMEOUT, f"killed at its deadline of {self.seconds:.3g} s"
        elif self.process > 0:
            tree = [self.process, *descendants(self.process)]
            if not _is_dead(self.process):  # whose children are no longer its own: those seen last count
                self.tree = tree
            size = _resident(tree)
            self.peak = max(self.peak, size)
            largest = self.isolation._is_largest(self.lifeline, size)
            if self.max_ram is not None and size > self.max_ram:
                cap = _megabytes(self.max_ram)
                self.passed = State.MEMORY, f"killed at {_megabytes(size)} of RAM, over its cap of {cap}"
            elif largest and (left := available_ram()) < _reserve():
                self.passed = (
                    State.MEMORY,
                    f"killed at {_megabytes(size)} of RAM, the machine had {_megabytes(left)} left",
                )
        return self.passed is not None or self.isolation._was_cancelled(self.lifeline)

    def _hear_server(self) -> bytes | None:
        """Reads the lifeline; empty at its end."""
        part = _receive(self.lifeline, 4096)
        self._reported += part or b""
        while len(self._reported) >= STATUS.size:
            first, second = STATUS.unpack(self._reported[: STATUS.size])
            del self._reported[: STATUS.size]
            if self.process:
                self.exit_code, self.peak = first, max(self.peak, second)
            else:
                self.process = first
        return part

    def _hear_trial(self) -> bytes | None:
        """Reads the conversation; empty at its end, None when nothing more is there yet."""
        part = _receive(self.conversation, 1 << 20)
        self._heard += part or b""
        while len(self._heard) >= FRAME.size:
            kind, length = FRAME.unpack(self._heard[: FRAME.size])
            if len(self._heard) < FRAME.size + length:
                break
            with memoryview(self._heard) as heard:
                body = bytes(heard[FRAME.size : FRAME.size + length])
            del self._heard[: FRAME.size + length]
            if kind == YIELDED:
                self.yielded = body
            else:
                self.answer = kind, body
        return part

    def verdict(self, words: IO[bytes]) -> Returned:
        """The value, or why there is none."""
        kind, body = self.answer or (b"", b"")
        yielded = None if self.yielded is None else pickle.loads(self.yielded)
        if kind == RETURNED:
            return Returned(pickle.loads(body) if body else yielded, self.peak)
        if self.isolation._was_cancelled(self.lifeline):
            raise Cancelled("the call was cancelled")
        if kind == RAISED:
            state, reason, details = pickle.loads(body)
            raise Killed(State.read(state) or State.FAILED, reason, self.peak, yielded, details)
        last = _last_words(words)
        if self.passed is not None:
            state, reason = self.passed
        elif self.process < 0:
            state, reason = State.MEMORY, f"could not be started: {os.strerror(-self.process)}"
        elif self.exit_code is None:
            lost = self.isolation._complaint()
            state, reason = State.CRASHED, "lost with the process that had started it" + (f": {lost}" if lost else "")
        else:
            state, reason = _autopsy(self.exit_code, last, _oom_kills() > self.oom_kills)
        raise Killed(state, reason, self.peak, yielded, last)


def _autopsy(exit_code: int, last: str, oom_killed: bool) -> tuple[State, str]:
    """State and reason of a process that ended without an answer and that we did not kill."""
    if exit_code >= 0:
        return State.CRASHED, f"ended by itself with exit code {exit_code}"
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
    if exit_code == -signal.SIGKILL and oom_killed:
        return State.MEMORY, "killed by the system, which had run out of memory"
    if exit_code == -signal.SIGABRT and "bad_alloc" in last:
        return State.MEMORY, "aborted when no more memory could be had (std::bad_alloc)"
    if exit_code == -signal.SIGKILL:
        return State.CRASHED, "killed by SIGKILL from outside, as a system does that runs out of memory"
    return State.CRASHED, f"killed by {name} ({signal.strsignal(-exit_code)})" + (f": {last}" if last else "")


def available_cpus() -> int:
    """CPUs that this process may really use: its affinity, and the quota of its control group."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for path, parse in _CPU_QUOTAS:
        with suppress(OSError, ValueError):
            quota, period = parse(path)
            if quota > 0:
                count = min(count, max(1, round(quota / period)))
    return count


def available_ram() -> int:
    """Bytes that can still be taken without the system running out: of the machine, and of the control group."""
    left = psutil.virtual_memory().available
    for limit, usage, statistics, reclaim in _RAM_LIMITS:
        with suppress(OSError, ValueError):
            free = int(Path(limit).read_text()) - int(Path(usage).read_text())
            lines = Path(statistics).read_text().splitlines()
            reclaimable = next((int(line.split()[1]) for line in lines if line.startswith(reclaim)), 0)
            left = min(left, max(free + reclaimable, 0))
    return left


def _quota_v2(path: str) -> tuple[float, float]:
    quota, period = Path(path).read_text().split()
    return float(quota), float(period)  # "max" is no number: no quota


def _quota_v1(path: str) -> tuple[float, float]:
    return float(Path(path, "cpu.cfs_quota_us").read_text()), float(Path(path, "cpu.cfs_period_us").read_text())


_GROUP = "/sys/fs/cgroup"
_CPU_QUOTAS = ((f"{_GROUP}/cpu.max", _quota_v2), (f"{_GROUP}/cpu", _quota_v1))
_RAM_LIMITS = (
    (f"{_GROUP}/memory.max", f"{_GROUP}/memory.current", f"{_GROUP}/memory.stat", "inactive_file "),
    (
        f"{_GROUP}/memory/memory.limit_in_bytes",
        f"{_GROUP}/memory/memory.usage_in_bytes",
        f"{_GROUP}/memory/memory.stat",
        "total_inactive_file ",
    ),
)


def _reserve() -> int:
    """Bytes below which the machine counts as out of memory: a fiftieth of it, at most 256 MB."""
    return min(psutil.virtual_memory().total // 50, 256 << 20)


def _resident(tree: Sequence[int]) -> int:
    """Resident bytes of some processes together."""
    total = 0
    for number in tree:
        with suppress(psutil.Error):
            total += psutil.Process(number).memory_info().rss
    return total


def _is_dead(process: int) -> bool:
    """Whether a process is not there, never was, or only waits to be reaped."""
    try:
        return process <= 0 or psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _oom_kills() -> int:
    """How often the system has killed for want of memory; 0 where it does not say."""
    with suppress(OSError), Path("/proc/vmstat").open() as file:
        return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _receive(channel: socket.socket, size: int) -> bytes | None:
    """What has arrived; None when nothing has yet, empty at the end."""
    try:
        return channel.recv(size)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


def _cut(channel: socket.socket) -> None:
    """Tells the other end that this was all; also where a fork of this process holds a copy of the socket."""
    with suppress(OSError):
        channel.shutdown(socket.SHUT_WR)


def _last_words(words: IO[bytes]) -> str:
    """The last line that was printed, shortened."""
    words.seek(0, os.SEEK_END)
    words.seek(max(words.tell() - 4096, 0))
    lines = words.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
