"""The journal of a run: Optuna's entries, one a line, each numbered and with a checksum.

    {"op_code":8, ..., "n":12,"crc":"5d41402a"}

The checksum (CRC-32) covers the line with its number, so a changed, lost or exchanged entry shows. How far the journal
reaches stands in a second file, ``journal.head``, which is written after each entry: a journal that ends before is one
that was cut, and one that ends behind was not told of its last entry before its writer died. What stands after the last
line end is an entry whose writer was killed in mid-write.

Laws: looking never writes; only whoever holds the run's lock appends, or drops a torn end; damage is named, with its
line. Optuna reads the file as it is. Entries of older versions have neither number nor checksum: `Journal.rewrite`
gives them both.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation

from autometa.errors import RunError
from autometa.files import PRIVATE, replace

_ENTRY = re.compile(rb'(\{.*,"n":([0-9]+)),"crc":"([0-9a-f]{8})"\}', re.DOTALL)
_HEAD = re.compile(rb"([0-9]{12}) ([0-9a-f]{8})\n")


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of a journal, as far as it can be read; or a place where lines are missing."""

    place: int  # from 1
    text: bytes  # without its end; empty where lines are missing
    entry: dict[str, Any] | None  # None where it is damaged or missing
    why: str = ""  # it is


@dataclass(frozen=True, slots=True)
class JournalScan:
    """Everything that is in a journal, whole or not."""

    lines: tuple[JournalLine, ...]
    torn: int  # bytes after the last line end
    problem: str  # of the journal as a whole: cut off, or without its head; empty when there is none
    count: int  # of the last entry
    size: int  # bytes of the whole lines

    @property
    def damage(self) -> list[str]:
        """What is wrong; empty when nothing is."""
        wrong = [f"line {line.place}: {line.why}" for line in self.lines if line.entry is None]
        return [*wrong, *[self.problem] * bool(self.problem)]


def scan(path: Path, *, numbered: bool) -> JournalScan:
    """Reads a journal to its end, whatever it finds.

    Args:
        path: The ``journal.log`` of a run.
        numbered: Whether its entries have to be numbered, as those of this version are.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    head = _read_head(path) if numbered else None
    reached = head == (0, 0)
    lines: list[JournalLine] = []
    count = 0
    for place, text in enumerate(content[:whole].split(b"\n")[:-1], start=1):
        line, n, crc = _line(place, text, numbered)
        if line.entry is not None and n is not None:
            if n <= count:
                line = JournalLine(place, text, None, f"entry {n} stands behind entry {count}")
            elif n > count + 1:
                lines.append(JournalLine(place, b"", None, f"entries {count + 1} to {n - 1} are missing before it"))
        count = max(count + 1, n or 0) if numbered else count + 1
        lines.append(line)
        reached = reached or (line.entry is not None and head == (n, crc))
    problem = ""
    if numbered and head is None:
        problem = f"{_head_path(path).name} is missing or damaged, so nobody can say whether entries are lost"
    elif head is not None and not reached:
        problem = f"it ends after entry {count}, and {head[0]} had been written"
        if head[0] <= count:
            problem = f"entry {head[0]} is not the one that was written"
    return JournalScan(tuple(lines), len(content) - whole, problem, count, whole)


class Journal(BaseJournalBackend):
    """Where Optuna's entries are read and appended; one process at a time writes, under the lock of the run."""

    def __init__(self, path: Path, *, writable: bool = False, numbered: bool = True) -> None:
        """Reads what is there; a torn end is left out, and stays in the file until `drop_torn_end`.

        Raises:
            RunError: It is missing or damaged.
        """
        self.path, self.writable = path, writable
        try:
            found = scan(path, numbered=numbered)
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}). {_remedy(path)}") from error
        if found.damage:
            raise RunError(f"{path} is damaged ({found.damage[0]}); it was left as it is. {_remedy(path)}")
        self._fresh = [line.entry for line in found.lines if line.entry is not None]  # not yet read by Optuna
        self._read = 0  # entries that came before those
        self._count, self._size, self.torn = found.count, found.size, found.torn

    @staticmethod
    def create(path: Path) -> None:
        """An empty journal that only its owner can read."""
        replace(_head_path(path), _head(0, 0))
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))

    @staticmethod
    def rewrite(path: Path, entries: Iterable[dict[str, Any]]) -> None:
        """Replaces a journal by one with these entries, numbered anew; for whoever holds the lock."""
        crc, lines = 0, []
        for n, entry in enumerate(entries, start=1):
            line, crc = _encoded(entry, n)
            lines.append(line)
        replace(_head_path(path), _head(0, 0))  # true of any journal, so that no moment between is damage
        replace(path, b"".join(lines))
        replace(_head_path(path), _head(len(lines), crc))

    def drop_torn_end(self) -> int:
        """Cuts off an entry whose writer was killed in mid-write; how many bytes that were."""
        dropped, self.torn = self.torn, 0
        if dropped:
            os.truncate(self.path, self._size)
        return dropped

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The entries from a number on, which comes from Optuna and only grows."""
        del self._fresh[: log_number_from - self._read]
        self._read = max(self._read, log_number_from)
        yield from tuple(self._fresh)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes entries to the disk, then how far the journal reaches.

        A parameter, of which a trial has a dozen, waits in the system's memory for the next entry of another kind: it
        is lost with the machine alone, and with it a trial that had hardly begun.

        Raises:
            RunError: It was opened to look, or another process has written to it.
            OSError: The disk is full, or cannot be written; the file is as it was.
        """
        if not self.writable:
            raise RunError(f"{self.path} was opened to look only")
        told = any(entry.get("op_code") != JournalOperation.SET_TRIAL_PARAM for entry in logs)
        crc, lines = 0, []
        for n, entry in enumerate(logs, start=self._count + 1):
            line, crc = _encoded(entry, n)
            lines.append(line)
        with self.path.open("rb+", buffering=0) as file:
            if file.seek(0, os.SEEK_END) != self._size:
                raise RunError(f"{self.path} was written to by another process. {_remedy(self.path)}")
            left = memoryview(b"".join(lines))
            try:
                while left:
                    left = left[file.write(left) :]
                if told:
                    os.fsync(file.fileno())
            except OSError:
                file.truncate(self._size)
                raise
        self._size += sum(map(len, lines))
        self._count += len(logs)
        self._fresh += [json.loads(line) for line in lines]
        if not told:
            return
        with _head_path(self.path).open("rb+") as file:  # of one size always, so this needs no space
            file.write(_head(self._count, crc))


def _encoded(entry: dict[str, Any], n: int) -> tuple[bytes, int]:
    """An entry as a line, and its checksum."""
    plain = {name: value for name, value in entry.items() if name not in ("n", "crc")}
    body = json.dumps({**plain, "n": n}, separators=(",", ":"))[:-1].encode()
    crc = zlib.crc32(body)
    return b'%s,"crc":"%08x"}\n' % (body, crc), crc


def _line(place: int, text: bytes, numbered: bool) -> tuple[JournalLine, int | None, int | None]:
    """A line as read, its number and its checksum; None where it has none."""
    found = _ENTRY.fullmatch(text)
    if found is None and numbered:
        return JournalLine(place, text, None, "no entry, or one without its number and checksum"), None, None
    n, crc = (None, None) if found is None else (int(found[2]), int(found[3], 16))
    if found is not None and zlib.crc32(found[1]) != crc:
        return JournalLine(place, text, None, "its checksum is wrong"), None, None
    try:
        entry = json.loads(text)
        if not isinstance(entry, dict) or "op_code" not in entry:
            raise ValueError("no entry of Optuna's")
    except ValueError as error:
        return JournalLine(place, text, None, str(error)), None, None
    return JournalLine(place, text, entry), n, crc


def _head_path(journal: Path) -> Path:
    return journal.with_name("journal.head")


def _head(count: int, crc: int) -> bytes:
    return b"%012d %08x\n" % (count, crc)


def _read_head(journal: Path) -> tuple[int, int] | None:
    """How many entries were written at least, and the checksum of the last; None where it cannot be read."""
    try:
        found = _HEAD.fullmatch(_head_path(journal).read_bytes())
    except OSError:
        return None
    return None if found is None else (int(found[1]), int(found[2], 16))


def _remedy(journal: Path) -> str:
    return f"`autometa verify {journal.parent} --repair` saves what can be saved"
