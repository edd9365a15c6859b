"""JSON: one object a line, or one array of objects.

Half of a pair of surrogates, which JSON can spell and no text can hold, becomes the sign for a letter that is unknown.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd

from autometa.task.findings import InputFindings
from autometa.task.names import renamed
from autometa.task.options import OPTIONS
from autometa.task.read.arrow import as_frame, frame_apart
from autometa.task.read.limits import Limits
from autometa.task.read.raw import Parsed, ReadRequest

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
    tried = InputFindings(findings.name)
    parsed = _at_once(data, tried, limits)
    if parsed is not None or any("--limits" in problem.fix for problem in tried.problems):
        findings.problems.extend(tried.problems)
        return parsed
    return _read_lines(data, findings, limits)


def _at_once(data: bytes, findings: InputFindings, limits: Limits) -> Parsed | None:
    """JSON lines by PyArrow, in a process of its own where they may spell many more cells than they have bytes.

    None, with a problem, where they cannot be read so.
    """
    import pyarrow as pa
    import pyarrow.json

    if (data.count(b"\n") + 1) * data.count(b":") > OPTIONS.cells_at_once:  # a key of its own in every row
        return frame_apart(data, "json", findings, limits)
    try:
        options = pa.json.ReadOptions(block_size=max(len(data), 1))
        table = pa.json.read_json(pa.BufferReader(data), read_options=options)
        names = table.column_names
        if not limits.allow_columns(len(names), findings):
            return None
        frame = as_frame(table.rename_columns([str(i) for i in range(len(names))]))
    except (OSError, ValueError, pa.ArrowException) as error:
        findings.refuse(f"damaged json data: {error}")
        return None
    return _checked(Parsed(renamed(frame, names)), findings, limits)


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
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) <= _WITHIN_FLOAT else float(digits))


def _from_records(
    rows: list[dict[str, Any]], data: bytes, findings: InputFindings, limits: Limits
) -> Parsed | None:  # (n, p), a missing key is a missing cell
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not limits.allow_table(len(rows), len(names), findings):
        return None
    if _SURROGATE.search(data):
        rows, names = _repaired(rows), _repaired(names)
        findings.note(f"Halves of letters (lone surrogates) became {OPTIONS.unknown_letter!r}.")
    frame = pd.DataFrame(rows)
    return _checked(Parsed(renamed(frame, [str(name) for name in frame.columns])), findings, limits)


def _repaired(value: Any) -> Any:
    """What JSON said, without lone surrogates; names that become one are one."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_repaired(name): _repaired(inner) for name, inner in value.items()}
    return [_repaired(inner) for inner in value] if isinstance(value, list) else value
