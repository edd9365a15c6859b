"""One call in a process of its own, watched from its request to its end.

The watchdog waits for the answer, looks at the resident size of the whole process tree, and cuts the trial's lifeline
when the deadline or the cap is passed. `Killed` says why a call did not return.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Protocol

from autometa.evaluation.forkserver import FRAME, RAISED, RETURNED, STATUS, YIELDED, descendants, kill
from autometa.evaluation.machine import (
    available_ram,
    is_dead,
    megabytes,
    oom_kills,
    processor_seconds,
    ram_reserve,
    resident,
)
from autometa.evaluation.options import OPTIONS
from autometa.origins import State


class Killed(Exception):
    """A call that did not return: why, and what it had handed over by then.

    See Also:
        `Isolation`, `Cancelled`.

    Example:
        >>> from autometa.origins import State
        >>> killed = Killed(State.TIMEOUT, "killed at its deadline of 3 s")
        >>> killed.state.value, killed.reason
        ('timeout', 'killed at its deadline of 3 s')
    """

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
    """A call that was ended by `Isolation.cancel_all`.

    See Also:
        `Isolation`, `Killed`.

    Example:
        >>> try:
        ...     raise Cancelled
        ... except Cancelled:
        ...     print("ended before it was done")
        ended before it was done
    """


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call returned, and what it took."""

    value: Any
    peak_ram: int  # bytes, of its process tree


class Calls(Protocol):
    """The calls that are under way, each known by its lifeline."""

    def was_cancelled(self, lifeline: socket.socket) -> bool:
        """Whether a call was ended by its caller."""

    def is_largest(self, lifeline: socket.socket, size: int) -> bool:
        """Notes the resident bytes of a call's process tree; whether no other call's are more."""

    def wake(self) -> None:
        """Lets the forkserver go on, if somebody has stopped it."""

    def complaint(self) -> str:
        """What the forkserver printed last."""


class Watch:
    """One call from request to end: listens, measures, and cuts the lifeline when a limit is passed."""

    def __init__(
        self,
        calls: Calls,
        lifeline: socket.socket,
        conversation: socket.socket,
        deadline: float,  # on the monotonic clock
        seconds: float,
        max_ram: int | None,
        patience: float = 0.0,  # seconds beyond the deadline
    ) -> None:
        self.calls, self.lifeline, self.conversation = calls, lifeline, conversation
        self.deadline, self.seconds, self.max_ram = deadline, seconds, max_ram
        self.latest = deadline + patience
        self.ready = not patience  # whether the deadline counts: with patience from its first word on
        self.processor = 0.0  # seconds that its tree had used by then
        self.process = 0  # its number; 0 before it was started
        self.tree: list[int] = []  # its number and those of all that descend from it, when last looked
        self.exit_code: int | None = None  # None while it lives, or when the forkserver died before it could tell
        self.peak = 0  # bytes
        self.yielded: bytes | None = None  # the latest value of a generator
        self.answer: tuple[bytes, bytes] | None = None  # how it ended: returned or raised, and what
        self.passed: tuple[State, str] | None = None  # the limit that it passed
        self.oom_kills = oom_kills()
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
                heard = selector.select(self._pause())
                for key, _ in heard:
                    if key.data() == b"":
                        selector.unregister(key.fileobj)
                now = time.monotonic()
                if ending is None and (self.answer is not None or self._must_end(now)):
                    ending = now
                    cut(self.lifeline)
                    if self.answer is None and self.process > 0:
                        kill(self.process)  # at once, though the forkserver may be loading a module
                elif ending is not None and not heard and (is_dead(self.process) or now > ending + OPTIONS.end_seconds):
                    return  # the forkserver is busy and will reap it later
        if self.exit_code is None and self.process > 0:  # the forkserver is gone; its trials died of it, nothing else
            with suppress(OSError):
                os.killpg(self.process, signal.SIGKILL)
            for number in self.tree:
                kill(number)
        while self._hear_trial():  # a trial that ended by itself may have said more than was read
            pass

    def _pause(self) -> float:
        urgent = self.max_ram is not None and self.peak > self.max_ram / 2
        until_deadline = self.deadline - time.monotonic()
        pause = OPTIONS.urgent_poll_seconds if urgent else OPTIONS.poll_seconds
        return min(pause, until_deadline) if until_deadline > 0 else pause

    def _must_end(self, now: float) -> bool:
        """Whether a limit is passed or the call was cancelled; keeps the former for the verdict."""
        if self.process == 0:
            self.calls.wake()
        if now >= self.deadline and not self._is_held_up(now):
            self.passed = State.TIMEOUT, f"killed at its deadline of {self.seconds:.3g} s"
        elif self.process > 0:
            tree = [self.process, *descendants(self.process)]
            if not is_dead(self.process):  # whose children are no longer its own: those seen last count
                self.tree = tree
            size = resident(tree)
            self.peak = max(self.peak, size)
            largest = self.calls.is_largest(self.lifeline, size)
            if self.max_ram is not None and size > self.max_ram:
                cap = megabytes(self.max_ram)
                self.passed = State.MEMORY, f"killed at {megabytes(size)} of RAM, over its cap of {cap}"
            elif largest and (left := available_ram()) < ram_reserve():
                self.passed = (
                    State.MEMORY,
                    f"killed at {megabytes(size)} of RAM, the machine had {megabytes(left)} left",
                )
        return self.passed is not None or self.calls.was_cancelled(self.lifeline)

    def _is_held_up(self, now: float) -> bool:
        """Whether it may go on beyond its deadline: it is loading libraries, or works and was given little processor.

        Else a crowded machine would be taken for a slow configuration. What sleeps is not held up.
        """
        if now >= self.latest:
            return False
        if not self.ready:
            return True
        own, wall = processor_seconds(self.tree) - self.processor, self.seconds + now - self.deadline
        return OPTIONS.idle_share * wall < own < self.seconds

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
                if not self.ready:
                    self.ready, self.processor = True, processor_seconds(self.tree or [self.process])
                    self.deadline = min(time.monotonic() + self.seconds, self.latest)
            else:
                self.answer = kind, body
        return part

    def verdict(self, words: IO[bytes]) -> Returned:
        """The value, or why there is none."""
        kind, body = self.answer or (b"", b"")
        yielded = None if self.yielded is None else pickle.loads(self.yielded)
        if kind == RETURNED:
            return Returned(pickle.loads(body) if body else yielded, self.peak)
        if self.calls.was_cancelled(self.lifeline):
            raise Cancelled("the call was cancelled")
        if kind == RAISED:
            state, reason, details = pickle.loads(body)
            raise Killed(State.read(state) or State.FAILED, reason, self.peak, yielded, details)
        last = last_words(words)
        if self.passed is not None:
            state, reason = self.passed
        elif self.process < 0:
            state, reason = State.MEMORY, f"could not be started: {os.strerror(-self.process)}"
        elif self.exit_code is None:
            lost = self.calls.complaint()
            state, reason = State.CRASHED, "lost with the process that had started it" + (f": {lost}" if lost else "")
        else:
            state, reason = _autopsy(self.exit_code, last, oom_kills() > self.oom_kills)
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


def _receive(channel: socket.socket, size: int) -> bytes | None:
    """What has arrived; None when nothing has yet, empty at the end."""
    try:
        return channel.recv(size)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


def cut(channel: socket.socket) -> None:
    """Tells the other end that this was all; also where a fork of this process holds a copy of the socket."""
    with suppress(OSError):
        channel.shutdown(socket.SHUT_WR)


def last_words(words: IO[bytes]) -> str:
    """The last line that was printed, shortened."""
    words.seek(0, os.SEEK_END)
    words.seek(max(words.tell() - 4096, 0))
    lines = words.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
