"""JSON: one object a line, or one array of objects.

Half of a pair of surrogates, which JSON can spell and no text can hold, becomes the sign for a letter that is unknown.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pandas as pd

from autometa.task.findings import InputFindings
from autometa.task.names import listed, renamed
from autometa.task.options import OPTIONS
from autometa.task.read.arrow import as_frame, is_unsafe
from autometa.task.read.limits import Limits
from autometa.task.read.raw import Parsed, ReadRequest

# A string that is no key is passed over whole, so that no letter is looked at more than twice.
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*+:|"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_WITHIN_FLOAT = 300  # digits; a whole number of more is infinite, as in every other format


def read_json(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in JSON lines or in one JSON array; None, with a problem, where it is broken or too much.

    PyArrow reads lines at once; where it cannot, because a column mixes types or a line is broken, they are read again
    one by one.
    """
    limits = request.limits
    if not limits.allow_nesting(data, findings):
        return None
    if data.lstrip().startswith(b"["):
        try:
            rows = _loads(data)
        except ValueError as error:
            findings.refuse(f"broken JSON: {error}")
            return None
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict):
                findings.refuse(f"entry {number} of the array is not a JSON object")
                return None
        return _from_records(rows, data, findings, limits)
    rows, keys = data.count(b"\n") + 1, _keys(data)
    if not limits.allow_table(rows, keys, findings):
        return None
    parsed = _at_once(data) if keys <= OPTIONS.keys_at_once else None
    return _read_lines(data, findings, limits) if parsed is None else _checked(parsed, findings, limits)


def _keys(data: bytes) -> int:
    """How many different keys a text has, those within values too: no fewer than columns."""
    found: set[bytes] = set()
    for start in range(0, len(data), 1 << 20):  # a key that is cut here is one more
        found.update(_KEY.findall(data, start, start + (1 << 20)))
    return len(found)


def _at_once(data: bytes) -> Parsed | None:
    """JSON lines by PyArrow; None where it cannot read them."""
    import pyarrow as pa
    import pyarrow.json

    try:
        options = pa.json.ReadOptions(block_size=max(len(data), 1))
        table = pa.json.read_json(pa.BufferReader(data), read_options=options)
        if any(map(is_unsafe, table.columns)):  # whole numbers too long for its floats
            return None
        names = table.column_names
        frame = as_frame(table.rename_columns([str(i) for i in range(len(names))]))
    except (OSError, ValueError, pa.ArrowException):
        return None
    return Parsed(renamed(frame, names))


def _checked(parsed: Parsed, findings: InputFindings, limits: Limits) -> Parsed | None:
    """The table, unless one of its cells is too long."""
    for name, column in parsed.frame.items():
        texts = [len(cell) for cell in column.array if isinstance(cell, str)] if column.dtype.kind in "OT" else []
        if not limits.allow_cell(max(texts, default=0), findings, str(name)):
            return None
    return parsed


def _read_lines(data: bytes, findings: InputFindings, limits: Limits) -> Parsed | None:
    """JSON lines, one by one: slow and exact."""
    rows = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = _loads(line)
        except ValueError as error:
            findings.refuse(f"line {number} is not JSON: {error}")
            return None
        if not isinstance(row, dict):
            findings.refuse(f"line {number} is not a JSON object")
            return None
        rows.append(row)
    return _from_records(rows, data, findings, limits)


def _loads(text: bytes) -> Any:
    """What a text in JSON says.

    Raises:
        ValueError: It is none.
    """
    return json.loads(
        text,
        parse_int=lambda digits: int(digits) if len(digits) <= _WITHIN_FLOAT else float(digits),
        object_pairs_hook=_unlike,
    )


def _unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object out of its keys and values.

    Raises:
        ValueError: Two keys are the same, and one value would be lost.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {_repaired(twice)!r} stands twice in one object")
    return found


def _from_records(
    rows: list[dict[str, Any]], data: bytes, findings: InputFindings, limits: Limits
) -> Parsed | None:  # (n, p), a missing key is a missing cell
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not limits.allow_table(len(rows), len(names), findings):
        return None
    if _SURROGATE.search(data):
        whole = Counter(map(_repaired, names))
        twice = [name for name, count in whole.items() if count > 1]
        if twice:
            what = f"keys that differ only in halves of letters (lone surrogates): {listed(twice)}"
            findings.refuse(what, "Rename them; was the text cut within an emoji?")
            return None
        rows, names = _repaired(rows), _repaired(names)
        findings.note(f"Halves of letters (lone surrogates) became {OPTIONS.unknown_letter!r}.")
    frame = pd.DataFrame(rows)
    for name, dtype in frame.dtypes.items():
        if dtype.kind == "f" and (frame[name].abs() >= 2**53).any():
            whole = _whole([row.get(name) for row in rows])
            frame[name] = frame[name] if whole is None else whole
    return _checked(Parsed(renamed(frame, [str(name) for name in frame.columns])), findings, limits)


def _repaired(value: Any) -> Any:
    """What JSON said, without lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_repaired(name): _repaired(inner) for name, inner in value.items()}
    return [_repaired(inner) for inner in value] if isinstance(value, list) else value


def _whole(cells: list[Any]) -> Any:
    """Whole numbers that are too long for the floats that pandas makes of them beside missing cells; None if others."""
    known = [cell for cell in cells if cell is not None]
    if not all(type(cell) is int for cell in known):
        return None
    return pd.array(cells, dtype="Int64") if max(map(abs, known)) < 2**63 else pd.Series(cells, dtype=object)
