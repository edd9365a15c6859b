"""What AutoMeta's memory must forget under TabArena: a benchmark never sees its own answer.

A system is handed the training rows of one split, so it cannot tell by the content of the whole table whether the
memory holds it, nor is it told the name. So two rules leave out more than one table: every table of both suites, by the
names it has there and in the memory (``tables.csv``), and everything that has the kind and the number of columns of the
rows at hand. With each goes its family: what was made from the same data.

tables.csv   suite, name, kind, rows, columns: of TabArena 0.1.0's own metadata; `also`: names in AutoMeta's memory
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TABLES = Path(__file__).with_name("tables.csv")


def forgotten(records: Iterable[Any], *, kind: str, columns: Iterable[int], names: Iterable[str] = ()) -> Any:
    """The `autometa.store.Exclusion` for one split.

    Args:
        records: `TaskRecord` of all that the memory holds.
        kind: binary, multiclass or regression.
        columns: How many columns the table may have in the memory: all, and those that are of use.
        names: Of tables or families that are to be left out besides.
    """
    from autometa.store import Exclusion

    records, columns = list(records), set(columns)
    known = {plain(name) for name in (*benchmarked(), *names)}
    alike = [
        record
        for record in records
        if plain(record.name) in known
        or plain(record.family or "") in known
        or (record.kind == kind and record.n_columns in columns)
    ]
    families = frozenset(record.family for record in alike if record.family is not None)
    return Exclusion(frozenset(record.fingerprint for record in alike), frozenset(), families)


def benchmarked() -> list[str]:
    """The names of all tables of both suites, there and in the memory."""
    with TABLES.open(newline="", encoding="utf-8") as text:
        return [name for row in csv.DictReader(text) for name in (row["name"], *filter(None, row["also"].split("|")))]


def plain(name: str) -> str:
    """A name without what differs between its spellings: case, underscores, hyphens."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())
