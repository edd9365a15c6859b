"""The process that starts trials: one thread, heavy modules loaded, a fork per trial.

`isolation.Isolation` starts it as a fresh interpreter (`main`), so nothing of the caller's is run again: neither an
unguarded script, nor a notebook, nor its locks and OpenMP threads, after which a plain fork would deadlock.

A request is one byte on the control socket with four file descriptors: the trial's *lifeline* to the caller, the
*conversation* on which it answers, its pickled *payload*, and a file for its last *words* (what it prints). On the
lifeline this process reports the trial's process number, and at its end its exit status and largest resident size.

Laws: a trial lives no longer than the caller's end of its lifeline; what a trial started dies with it; nothing outlives
the control socket. They hold against kill -9: of the caller, since the kernel closes its sockets; of this process,
since trials ask for its death signal (Linux) or watch their conversation (elsewhere). Orphans are found because this
process and every trial adopt them (PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import ctypes
import errno
import gc
import importlib
import inspect
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

STATUS = struct.Struct("=qq")  # (process number, 0) at the start; (exit status, largest resident bytes) at the end
FRAME = struct.Struct("=cQ")  # what follows on the conversation: its kind and its length in bytes
YIELDED, RETURNED, RAISED = b"y", b"r", b"e"

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"
_MAXRSS_UNIT = 1024 if _LINUX else 1  # ru_maxrss is in KiB on Linux, in bytes on macOS


def main(control: int, parent: int, preload: Sequence[str]) -> None:
    """Serves requests from the socket `control` until the process `parent` closes it or dies."""
    os.umask(0o077)  # what trials write is their owner's alone
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to answer
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    trials: dict[int, socket.socket] = {}  # process number -> its lifeline
    waiting = list(preload)
    wake_read, wake_write = socket.socketpair()
    wake_read.setblocking(False)
    wake_write.setblocking(False)
    signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with socket.socket(fileno=control) as asked, selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        while os.getppid() == parent:
            # Modules load one at a time while nobody asks: the first trial need not wait for the last of them.
            for key, _ in selector.select(0.0 if waiting else 1.0):
                if key.fileobj is asked:
                    message, descriptors, _, _ = socket.recv_fds(asked, 1, 4)
                    if not message:
                        _end()
                    ours = [asked, wake_read, wake_write, selector, *trials.values()]
                    process, lifeline = _start(descriptors, ours)
                    if process:
                        trials[process] = lifeline
                        selector.register(lifeline, selectors.EVENT_READ, process)
                elif key.fileobj is wake_read:
                    _drain(wake_read)
                elif key.data in trials:  # whatever comes along a lifeline, its end included, asks for an end
                    selector.unregister(key.fileobj)
                    kill(key.data)
            for process, status, size in _dead():
                if process in trials:
                    with trials.pop(process) as lifeline:
                        if lifeline in selector.get_map():
                            selector.unregister(lifeline)
                        _report(lifeline, status, size)
                _kill_orphans(trials)
            if waiting:
                _load(waiting.pop(0))
                if not waiting:
                    gc.collect()
                    gc.freeze()  # what is loaded stays shared: a trial's collections do not copy its pages
        _end()


def _load(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception:  # noqa: BLE001 - a trial that needs it fails with this reason, where it can be recorded
        return


def _start(descriptors: list[int], ours: list[object]) -> tuple[int, socket.socket]:
    """Forks one trial; (0, lifeline) when the system would not."""
    lifeline, conversation, payload, words = descriptors
    channel = socket.socket(fileno=lifeline)
    try:
        process = os.fork()
    except OSError as error:
        _report(channel, -(error.errno or errno.EAGAIN), 0)
        channel.close()
        process = 0
    else:
        if process == 0:
            _become_trial(conversation, payload, words, [*ours, channel])
        _report(channel, process, 0)
    for descriptor in (conversation, payload, words):
        os.close(descriptor)
    return process, channel


def _become_trial(conversation: int, payload: int, words: int, inherited: list[object]) -> None:
    """Runs the function of the payload in this fresh fork, and never returns."""
    try:
        server = os.getppid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for thing in inherited:  # another trial's lifeline must not be held open here
            thing.close()  # type: ignore[attr-defined]
        os.dup2(words, 1)
        os.dup2(words, 2)
        channel = socket.socket(fileno=conversation)
        if not _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
            threading.Thread(target=_watch, args=(channel,), daemon=True).start()
        elif os.getppid() != server:  # it died before the signal was asked for
            os._exit(1)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _offer_to_the_oom_killer()
        _work(channel, payload)
    finally:
        os._exit(1)  # without the caller's exit handlers, which are not this process's to run


def _work(channel: socket.socket, payload: int) -> None:
    try:
        with os.fdopen(payload, "rb") as file:
            file.seek(0)
            function, args, kwargs = pickle.load(file)
        value = function(*args, **kwargs)
        if inspect.isgenerator(value):
            for latest in value:
                send(channel, YIELDED, pickle.dumps(latest, protocol=5))
            answer = RETURNED, b""
        else:
            answer = RETURNED, pickle.dumps(value, protocol=5)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller hears of it
        state = "memory" if isinstance(error, MemoryError) else "failed"
        answer = RAISED, pickle.dumps((state, describe_error(error), traceback.format_exc()))
    send(channel, *answer)
    os._exit(0)


def send(channel: socket.socket, kind: bytes, body: bytes) -> None:
    """Writes one frame."""
    channel.sendall(FRAME.pack(kind, len(body)))
    channel.sendall(body)


def describe_error(error: BaseException) -> str:
    """``ValueError: first line``, the way a failed evaluation records its reason."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _watch(channel: socket.socket) -> None:
    """Ends this process when the caller's end of the conversation closes; nothing is ever received on it."""
    channel.recv(1)
    os._exit(1)


def _prctl(option: int, value: int) -> bool:
    """Whether the kernel took the request; there is none to ask but Linux's."""
    return _LINUX and ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0


def _offer_to_the_oom_killer() -> None:
    """Where memory runs out, the system should take a trial, not the search."""
    if _LINUX:
        try:
            Path("/proc/self/oom_score_adj").write_text("1000")
        except OSError:  # a container may forbid it, and nothing depends on it
            return


def _dead(*, wait: bool = False) -> list[tuple[int, int, int]]:
    """(process number, exit status, largest resident bytes) of every child that has ended."""
    found: list[tuple[int, int, int]] = []
    while True:
        try:
            process, status, usage = os.wait4(-1, 0 if wait and not found else os.WNOHANG)
        except ChildProcessError:
            return found
        if process == 0:
            return found
        found.append((process, os.waitstatus_to_exitcode(status), usage.ru_maxrss * _MAXRSS_UNIT))


def children(process: int) -> list[int]:
    """The numbers of the processes that `process` started or adopted, and that are not reaped yet."""
    if not _LINUX:
        import psutil

        try:
            return [child.pid for child in psutil.Process(process).children()]
        except psutil.Error:
            return []
    found: list[int] = []
    try:  # a file per thread, where psutil would read every process of the machine at every look
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    except OSError:  # it ended meanwhile
        pass
    return found


def descendants(process: int) -> list[int]:
    """`children`, theirs, and so on."""
    found = children(process)
    for number in found:  # grows while it is walked
        found += children(number)
    return found


def kill(process: int) -> None:
    """Ends a process, so that it cannot see or answer how its children end, and then everything that was under it.

    What escapes by being started meanwhile is found as an orphan.
    """
    for number in [process, *descendants(process)]:
        try:
            os.kill(number, signal.SIGKILL)
        except OSError:  # it ended meanwhile
            continue


def _kill_orphans(trials: dict[int, socket.socket]) -> None:
    """Ends what a dead trial had started and left behind: every child of this process that is not a trial."""
    for number in children(os.getpid()):
        if number not in trials:
            kill(number)


def _end() -> None:
    """Ends everything that descends from this process, then this process."""
    while children(os.getpid()):
        for number in children(os.getpid()):
            kill(number)
        _dead(wait=True)
    os._exit(0)  # the exit handlers of the modules loaded have nothing to save


def _drain(wake: socket.socket) -> None:
    try:
        while wake.recv(4096):
            pass
    except BlockingIOError:
        return


def _report(lifeline: socket.socket, *numbers: int) -> None:
    try:
        lifeline.sendall(STATUS.pack(*numbers))
    except OSError:  # the caller is gone, or does not want to know
        return
