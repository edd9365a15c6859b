"""JSON: one object a line, or one array of objects."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from autometa.task.findings import InputFindings
from autometa.task.names import renamed
from autometa.task.read.arrow import checked_frame
from autometa.task.read.raw import Parsed, ReadRequest


def read_json(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in JSON lines or in one JSON array; None, with a problem, where it is broken.

    PyArrow reads lines at once; where it cannot, because a column mixes types or a line is broken, they are read again
    one by one.
    """
    import pyarrow as pa
    import pyarrow.json

    if data.lstrip().startswith(b"["):
        try:
            rows = json.loads(data)
        except ValueError as error:
            findings.refuse(f"broken JSON: {error}")
            return None
        return _from_records(rows)
    try:
        options = pa.json.ReadOptions(block_size=min(max(len(data), 1), 1 << 30))
        return checked_frame(pa.json.read_json(pa.BufferReader(data), read_options=options), findings)
    except (OSError, pa.ArrowException):
        return _read_lines(data, findings)


def _read_lines(data: bytes, findings: InputFindings) -> Parsed | None:
    """JSON lines, one by one: slow and exact."""
    rows = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            findings.refuse(f"line {number} is not JSON: {error}")
            return None
        if not isinstance(row, dict):
            findings.refuse(f"line {number} is not a JSON object")
            return None
        rows.append(row)
    return _from_records(rows)


def _from_records(rows: list[dict[str, Any]]) -> Parsed:  # (n, p), a missing key is a missing cell
    frame = pd.DataFrame(rows)
    return Parsed(renamed(frame, [str(name) for name in frame.columns]))
