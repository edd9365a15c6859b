"""The tables that paths name, and what a catalogue knows about them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autometa.errors import InputError, Problem
from autometa.openml import is_address

SOURCE_SUFFIXES = (  # of a folder; a file that is named is read whatever its ending
    *(".csv", ".tsv", ".parquet", ".feather", ".arff", ".jsonl", ".xlsx", ".xls", ".ods"),
    *(".gz", ".zst", ".bz2", ".xz", ".zip"),
)


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table to collect on, and what the catalogue knows about it.

    See Also:
        `find_sources`.

    Example:
        >>> TableSource(Path("tables/adult-1000.csv"), family="adult", openml_id=1590).family
        'adult'
    """

    path: Path
    family: str | None = None  # of data sets that are variants of one another; None for one of its own
    openml_id: int | None = None
    group: str | None = None  # the column whose equal cells belong together
    time_order: str | None = None  # the column that orders the rows in time
    origin: str | None = None  # "simulated" and the like, where its rows were made; the memory keeps the word


def find_sources(paths: Sequence[Path], catalog: Path | None = None) -> list[TableSource]:
    """Tables named by files and folders (not searched deeper), in the order of their names.

    Args:
        paths: Files, folders of files, or addresses such as ``openml:task/31``.
        catalog: A CSV with columns ``name`` (file stem), ``family`` and ``openml_id``. Tables that share a family are
            variants of one another and will be left out together by benchmarks. Where they are there, ``group`` and
            ``time_order`` name columns as those options of ``fit`` do, and ``origin`` says that a table is not real
            (``simulated``).

    Raises:
        InputError: Every path that does not exist, folders without a table, a catalogue without names.

    See Also:
        `TableSource`, `collect`.

    Example:
        >>> [source.path for source in find_sources([Path("openml:task/31")])]
        [PosixPath('openml:task/31')]
        >>> find_sources([Path("nowhere.csv")])
        Traceback (most recent call last):
        autometa.errors.InputError: nowhere.csv: does not exist.
    """
    problems, files = [], []
    for path in paths:
        if is_address(path):
            files.append(path)
        elif path.is_dir():
            inside = sorted(f for f in path.iterdir() if f.suffix.lower() in SOURCE_SUFFIXES)
            if not inside:
                problems.append(Problem(str(path), "holds no table", f"Known endings: {', '.join(SOURCE_SUFFIXES)}."))
            files += inside
        elif path.exists():
            files.append(path)
        else:
            problems.append(Problem(str(path), "does not exist"))
    known: dict[str, dict[str, str]] = {}
    if catalog is not None:
        if not catalog.is_file():
            problems.append(Problem(str(catalog), "does not exist"))
        else:
            with catalog.open(newline="", encoding="utf-8") as text:
                rows = list(csv.DictReader(text))
            if not rows or "name" not in rows[0]:
                problems.append(Problem(str(catalog), "has no column 'name'", "Expected: name, family, openml_id."))
            else:
                known = {row["name"]: row for row in rows}
    if problems:
        raise InputError(problems)
    sources = []
    for file in files:
        row = {column: cell for column, cell in known.get(stem(file), {}).items() if cell}
        number = int(float(row["openml_id"])) if "openml_id" in row else None
        roles = (row.get("group"), row.get("time_order"), row.get("origin"))
        sources.append(TableSource(file, row.get("family"), number, *roles))
    return sources


def stem(file: Path) -> str:
    """The name of a table's file without the endings that say its format."""
    while file.suffix.lower() in SOURCE_SUFFIXES:
        file = file.with_suffix("")
    return file.name
