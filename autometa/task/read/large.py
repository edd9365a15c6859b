r"""A large text becomes one table part by part: in a third of the memory, and in the same time, as in one piece.

Law: the cells, the notes and the problems are those that it would have in one piece. What that cannot be promised of is
read in one piece (`batches` says which texts these are; so are those with cells that span lines, or with lines below
the rows, of which notes give the number).

Letters:  n rows · p columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from weakref import finalize

import pandas as pd

from autometa.task.findings import InputFindings
from autometa.task.names import columns_at
from autometa.task.options import OPTIONS
from autometa.task.read.batches import plain_file
from autometa.task.read.delimited import allow_cells, note_last
from autometa.task.read.raw import Parsed, ReadRequest
from autometa.task.read.survey import SurveyedText, surveyed


def read_large(path: Path, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in a large delimited text; None, with nothing said, where it is to be read in one piece."""
    if any(getattr(request, name) is not None for name in ("encoding", "sheet", "member", "query")):
        return None
    file = plain_file(path, OPTIONS.batched_from_bytes, request.limits)
    if file is None:
        return None
    text = frame = None
    try:
        is_parquet = file.read(4) == b"PAR1"
        file.seek(0)
        text = None if is_parquet else surveyed(file, request, keep=True)
        frame = None if text is None or text.footed or text.found.spans else _whole(text)
    except (ValueError, OSError):  # PyArrow's errors are such: reading it in one piece says what is wrong
        frame = None
    if text is None or frame is None or not allow_cells(frame, text.end - text.start, request.limits, InputFindings()):
        file.close()
        return None
    for note in text.notes:
        findings.note(note)
    note_last(frame, findings)
    decimal = "," if text.body.dialect.decimal == "," else None

    def written(place: int, words: Sequence[str] | None) -> pd.Series:
        known = tuple(text.missing if words is None else words)
        parts = [part.written([place], known)[0] for part in text.parts()]
        return pd.concat(parts, ignore_index=True)

    finalize(written, file.close)  # as long as somebody may ask how a cell is written, the file is open
    return Parsed(frame, decimal, written)


def _whole(text: SurveyedText) -> pd.DataFrame:  # (n, p)
    """All parts below one another, column by column, so that no more than one of them is there twice."""
    parts = [columns_at(frame, slice(None)) for frame in text.frames((), text.found.tables())]
    columns: dict[int, pd.Series] = {}
    for i in range(len(text.names)):
        columns[i] = pd.concat([part[i] for part in parts], ignore_index=True)
        for part in parts:
            part[i] = pd.Series(dtype=object)
    whole = pd.DataFrame(columns, copy=False)
    return whole.set_axis(pd.Index(text.names, dtype="str"), axis=1)
