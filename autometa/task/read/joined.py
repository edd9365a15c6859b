"""Several tables of the same columns as one: the rows of each below those of the one before.

Columns are matched by their names, in any order. A column that holds numbers in one file and text in another is taken
as it is written in all of them, as it would be in one file.

Law: a cell means what it would in one file with all of the rows.

Letters:  n rows · p columns · k parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from autometa.task.findings import InputFindings
from autometa.task.kinds import as_stored
from autometa.task.names import listed
from autometa.task.options import OPTIONS
from autometa.task.read.raw import NO_ROWS, RawTable

Keys = Sequence[tuple[str, str | None]]  # columns of one value in a part, such as the keys of a partition


def joined(parts: Sequence[tuple[RawTable, Keys]], findings: InputFindings) -> RawTable:
    """The rows of all parts, (n, p), columns in the order of the first; what was noticed once is said once.

    Args:
        parts: (k,) the tables, and what their folders say: these columns come first.
        findings: Told what is wrong with the parts, and with them together.
    """
    tables = [table for table, _ in parts]
    _say_of_parts(tables, findings)
    if any(table.frame is None for table in tables):
        return RawTable(findings)
    keys = [dict(own) for _, own in parts]
    _check_columns(tables, keys, findings)
    if findings.problems:
        return RawTable(findings)
    names = [*keys[0], *_frame(tables[0]).columns]
    columns = {name: _column(name, tables, keys, findings) for name in names}
    n = sum(len(_frame(table)) for table in tables)
    frame = pd.DataFrame(columns, index=pd.RangeIndex(n)).set_axis(pd.Index(names, dtype="str"), axis=1)
    said = [f"{table.findings.name} ({len(_frame(table)):,})" for table in tables]
    findings.note(f"Read {len(tables)} files of the same columns, with their rows: {_few(said)}.")
    if not n:
        findings.refuse(NO_ROWS, "Rows are needed below the header.")
    return RawTable(
        findings,
        frame,
        frozenset[str]().union(*(table.duplicated for table in tables)),
        next((table.decimal for table in tables if table.decimal is not None), None),
        lambda name, words: _written(name, tables, keys, words),
    )


def _say_of_parts(tables: Sequence[RawTable], findings: InputFindings) -> None:
    """The notes and problems of the parts; a note of several is said once, problems beyond a few are counted."""
    empty = [one for table in tables for one in table.findings.problems if one.what == NO_ROWS]
    notes: dict[str, list[str]] = {}
    for table in tables:
        for note in table.findings.notes:
            notes.setdefault(note, []).append(table.findings.name)
    for note, names in notes.items():
        findings.note(note if len(names) == len(tables) else f"{_few(names)}: {note}")
    wrong = [one for table in tables for one in table.findings.problems if one not in empty]
    findings.problems.extend(wrong[: OPTIONS.names_listed])
    if len(wrong) > OPTIONS.names_listed:
        findings.refuse(f"{len(wrong) - OPTIONS.names_listed} more problems of this kind")
    if empty and len(empty) < len(tables):
        findings.note(f"A header without rows: {_few([one.where for one in empty])}.")


def _check_columns(tables: Sequence[RawTable], keys: Sequence[dict[str, Any]], findings: InputFindings) -> None:
    """Refuses parts whose columns differ from those of the first, all in one problem."""
    first = tables[0]
    names = list(_frame(first).columns)
    wrong = []
    for table in tables[1:]:
        own = list(_frame(table).columns)
        lacking = [name for name in names if name not in set(own)]
        extra = [name for name in own if name not in set(names)]
        said = [f"lacks {listed(lacking)}"] if lacking else []
        said += [f"also has {listed(extra)}"] if extra else []
        if said:
            wrong.append(f"{table.findings.name} {' and '.join(said)}")
    if wrong:
        what = f"their columns differ: beside {first.findings.name}, {_few(wrong, '; ')}"
        findings.refuse(what, "Files of the same columns make one table; rename those columns, or name fewer files.")
    both = sorted({name for own in keys for name in own} & set(names))
    if both:
        what = f"the folders' keys {listed(both)} are columns of {first.findings.name} as well"
        findings.refuse(what, "Rename one of them.")


def _column(
    name: str, tables: Sequence[RawTable], keys: Sequence[dict[str, str | None]], findings: InputFindings
) -> pd.Series:  # (n,)
    """A column of all parts."""
    if name in keys[0]:
        return as_stored(_written(name, tables, keys, None))
    columns = [(table.findings.name, _frame(table)[name]) for table in tables]
    known = [(file, column) for file, column in columns if column.notna().any()]
    kinds = {_kind(column): file for file, column in reversed(known)}
    if len(kinds) > 1:
        said = " and ".join(f"{kind} in {file}" for kind, file in sorted(kinds.items()))
        findings.note(f"Column {name!r} holds {said}: it is taken as it is written in all of them.")
    if len(kinds) > 1 or _merge([column for _, column in known]):
        return _written(name, tables, keys, None)
    missing = {"numbers": np.dtype(np.float64), "text": np.dtype(object)}
    filled = [
        column if column.notna().any() else column.astype(missing.get(kind, known[0][1].dtype))
        for kind in kinds
        for _, column in columns
        if len(column)
    ]
    return pd.concat(filled or [column for _, column in columns], ignore_index=True)


def _kind(column: pd.Series) -> str:
    """What a column is stored as, as far as files of one table may differ in it."""
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return "truth values"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "dates"
    return "durations" if pd.api.types.is_timedelta64_dtype(dtype) else "text"


def _merge(columns: Sequence[pd.Series]) -> bool:
    """Whether whole numbers in some of these columns would be taken for others beside the fractions of another."""
    whole = [column for column in columns if pd.api.types.is_integer_dtype(column.dtype)]
    return 0 < len(whole) < len(columns) and any(column.abs().max() > 2**53 for column in whole)


def _written(
    name: str, tables: Sequence[RawTable], keys: Sequence[dict[str, str | None]], words: Sequence[str] | None
) -> pd.Series:  # (n,)
    """A column as it is written in all parts: as it is in those that are no texts."""
    parts = []
    for table, own in zip(tables, keys, strict=True):
        if name in own:
            parts.append(pd.Series([own[name]] * len(_frame(table)), dtype=object))
        elif table.written is not None:
            parts.append(table.written(name, words).astype(object))
        else:
            parts.append(_frame(table)[name].astype(object))
    return pd.concat(parts, ignore_index=True)


def _frame(table: RawTable) -> pd.DataFrame:
    assert table.frame is not None
    return table.frame


def _few(texts: Sequence[str], between: str = ", ") -> str:
    most = OPTIONS.names_listed
    return between.join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
