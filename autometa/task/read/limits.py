"""How much of a file is read: what is beyond is refused in a sentence, before it takes the machine with it.

An archive of some kilobytes can hold gigabytes, a line of a megabyte a million columns. Whoever means it says so:
``--limits columns=1000000``, or ``limits={"columns": 1_000_000}``.

To limit something else, give it a field here, and ask where it is first known.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import IO, Any

import numpy as np

from autometa.errors import InputError, Problem, did_you_mean
from autometa.task.findings import InputFindings

_PART = 1 << 20  # bytes that are read at once
RATIO_FROM = 1 << 28  # bytes: whatever is smaller unpacks to no harm
_DEEPEST = 300  # levels that Python prints within its 1,000 frames
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may hold at most.

    Example:
        >>> Limits.of({"columns": 10}).columns
        10
    """

    # Bytes of a file, once it is unpacked, and of its cells at 8 bytes each. Judgement: what is larger does not fit
    # into the memory of most machines, twice.
    size: int = 8 << 30
    # Unpacked bytes for each packed one, where they are many. Judgement: tables of text have 3 to 30, those of zeros up
    # to 200; 10 GB of zeros in gzip have 1,000, in zstandard 30,000.
    ratio: int = 300
    # Judgement: gene expressions have some 50,000, and each column takes about 50 µs and 5 kB.
    columns: int = 100_000
    # Bytes of one cell. Judgement: some fifty books.
    cell: int = 50_000_000
    # Lists and objects within one another, 300 at most. Judgement: those of people have fewer than ten.
    nesting: int = 50

    @classmethod
    def of(cls, said: Mapping[str, int] | None) -> Limits:
        """These, and the usual ones where nothing is said.

        Raises:
            InputError: There is no such limit, or it is no whole number above 0.
        """
        known = [one.name for one in fields(cls)]
        problems = []
        for name, value in (said or {}).items():
            if name not in known:
                problems.append(_no_such(name, known))
            elif isinstance(value, bool) or not isinstance(value, int) or value < 1:
                problems.append(Problem(f"limits {name}={value!r}", "is no whole number above 0"))
            elif name == "nesting" and value > _DEEPEST:
                problems.append(Problem(f"limits {name}={value}", f"Python follows no more than {_DEEPEST}"))
        if problems:
            raise InputError(problems)
        return cls(**dict(said or {}))

    def refuse(self, name: str, what: str, findings: InputFindings, least: int) -> None:
        """Says what is too much, and how to have it all the same."""
        fix = f"Is it meant? --limits {name}={least} (limits={{'{name}': {least}}}) reads it."
        if name == "nesting" and least > _DEEPEST:
            fix = "Flatten it."
        findings.refuse(f"{what}, more than the {getattr(self, name):,} that are read", fix)

    def allow_size(self, size: int, findings: InputFindings, noun: str = "bytes") -> bool:
        """Whether so many bytes are read; if not, that is said."""
        if size > self.size:
            self.refuse("size", f"{size:,} {noun}", findings, size)
        return size <= self.size

    def allow_columns(self, columns: int, findings: InputFindings) -> bool:
        """Whether so many columns are read; if not, that is said."""
        if columns > self.columns:
            self.refuse("columns", f"{columns:,} columns", findings, columns)
        return columns <= self.columns

    def allow_table(self, rows: int, columns: int, findings: InputFindings) -> bool:
        """Whether a table with so many rows and columns is made; if not, that is said."""
        return self.allow_columns(columns, findings) and self.allow_size(
            8 * rows * columns, findings, f"bytes for {rows:,} rows of {columns:,} columns"
        )

    def allow_cell(self, longest: int, findings: InputFindings, column: str = "") -> bool:
        """Whether a cell of so many bytes is read; if not, that is said."""
        if longest > self.cell:
            where = f" in column {column!r}" if column else ""
            self.refuse("cell", f"a cell of {longest:,} bytes{where}", findings, longest)
        return longest <= self.cell

    def allow_nesting(self, data: bytes, findings: InputFindings) -> bool:
        """Whether the lists and objects of a JSON text are read, deep as they are; if not, that is said."""
        deepest = depth(data)
        if deepest > self.nesting and (deepest := depth(_STRING.sub(b"", data))) > self.nesting:
            self.refuse("nesting", f"lists and objects {deepest:,} deep", findings, deepest)
        return deepest <= self.nesting


USUAL = Limits()


def _no_such(name: str, known: list[str]) -> Problem:
    return Problem(f"limits {name}", "no such limit", did_you_mean(name, known) or f"Known: {', '.join(known)}.")


def read_all(file: IO[bytes], findings: InputFindings, limits: Limits = USUAL) -> bytes | None:
    """What a file holds that does not say how much that is; None, with a problem, where it is too much.

    Raises:
        OSError: It cannot be read.
    """
    return unpacked(lambda: file.read(_PART), None, findings, limits)


def unpacked(
    more: Callable[[], Any], packed: int | None, findings: InputFindings, limits: Limits = USUAL
) -> bytes | None:
    """All that a decompressor gives, part by part; None, with a problem, where that is too much.

    Args:
        more: Gives the next bytes, some megabyte, and none at the end.
        packed: How many bytes it makes them of; None where nothing is unpacked.
        findings: Told what is too much.
        limits: How much that is.

    Example:
        >>> findings, parts = InputFindings("zeros.gz"), iter([b"0000", b"0000", b""])
        >>> unpacked(lambda: next(parts), 1, findings, Limits(size=4)) is None
        True
        >>> print(findings.problems[0])
        zeros.gz: more than 4 bytes once it is unpacked. Is it meant? --limits size=... reads more.
    """
    out = io.BytesIO()
    while part := more():
        out.write(part)
        size = out.tell()
        if size > limits.size:
            once = "" if packed is None else " once it is unpacked"
            findings.refuse(f"more than {limits.size:,} bytes{once}", "Is it meant? --limits size=... reads more.")
            return None
        if packed is not None and size > max(RATIO_FROM, limits.ratio * packed):
            what = f"{packed:,} bytes that unpack to more than {limits.ratio:,} times as many"
            findings.refuse(what, "Is it meant? --limits ratio=... reads more.")
            return None
    return out.getvalue()


def depth(data: bytes) -> int:
    """How many brackets are open at once at most, within strings as well.

    Example:
        >>> depth(b'[{"a": [1, 2]}, []]')
        3
    """
    deepest = now = 0
    for start in range(0, len(data), 1 << 24):
        letters = np.frombuffer(data, np.uint8, min(1 << 24, len(data) - start), start)
        letters = letters[(letters | 0x20 == ord("{")) | (letters | 0x20 == ord("}"))]  # [ and ] as well
        if len(letters):
            open_ = now + np.cumsum(np.where(letters | 0x20 == ord("{"), 1, -1))
            deepest, now = max(deepest, int(open_.max())), int(open_[-1])
    return deepest
