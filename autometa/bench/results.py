"""Results on disk: one JSON line for each finished cell, there for good before the next one begins.

Law: a process killed at any moment leaves every finished cell readable, and a later one goes on after it. One process
at a time works on a folder; the system frees its lock when it dies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from autometa.errors import RunError

RESULTS, SESSIONS = "results.jsonl", "sessions.jsonl"  # a line for each cell; a line for each time it was run

Key = tuple[str, int, int, str, float, int, int]  # task, repeat, fold, method, budget, cores, seed
Record = dict[str, Any]


def key_of(record: Mapping[str, Any]) -> Key:
    """What identifies a cell: task, repeat, fold, method, budget, cores and seed."""
    return (
        record["task"], record["repeat"], record["fold"], record["method"],
        record["budget"], record["cores"], record["seed"],
    )  # fmt: skip


def read_results(folder: Path) -> dict[Key, Record]:
    """The finished cells; of a repeated one, the last.

    Raises:
        RunError: The file is something else.
    """
    path = folder / RESULTS
    try:
        return {key_of(record): record for record in read_lines(path)}
    except (KeyError, TypeError) as error:
        raise RunError(f"{path} does not hold results of this program; it was left as it is") from error


def read_lines(path: Path) -> list[Record]:
    """The records of a file of JSON lines; none where there is no file. What a kill cut off is left out."""
    records = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        with suppress(ValueError):
            records.append(json.loads(line))
    return records


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Adds one line, which is on the disk when this returns; what a kill left without an end is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Holds a folder of results for this process alone, as long as the block runs.

    Raises:
        RunError: Another one holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout as error:
        raise RunError(
            f"{folder} is in use by another process: wait for it, or name another folder with --out"
        ) from error
