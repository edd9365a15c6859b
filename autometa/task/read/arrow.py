"""Parquet and feather, and how tables of PyArrow become frames: also those that it parsed from text.

What can crash whoever reads it is read in a process of its own (`apart`).
"""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from autometa.task.findings import InputFindings
from autometa.task.names import renamed
from autometa.task.options import OPTIONS
from autometa.task.read.apart import Format, read_apart
from autometa.task.read.limits import Limits
from autometa.task.read.raw import NO_ROWS, Parsed, ReadRequest


def read_parquet(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in a parquet file; None, with a problem, where it is damaged, too large, or has no columns."""
    return frame_apart(data, "parquet", findings, request.limits)


def read_feather(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in a feather file; None, with a problem, where it is damaged, too large, or has no columns."""
    return frame_apart(data, "feather", findings, request.limits)


def frame_apart(data: bytes, format_: Format, findings: InputFindings, limits: Limits) -> Parsed | None:
    """The table in a file that another process reads, a named index as a column; None, with a problem, if none."""
    import pyarrow as pa

    read = read_apart(data, format_, findings, limits)
    if read is None:
        return None
    if not read.names:
        findings.refuse("no columns")
        return None
    try:
        frame = renamed(as_frame(read.table), read.names)
    except (pa.ArrowException, ValueError, OverflowError) as error:  # moments beyond what pandas holds, and the like
        findings.refuse(f"cannot be read as a table: {error}")
        return None
    if not len(frame):
        findings.refuse(NO_ROWS)
    inner = [name.startswith("__index_level_") for name in read.names]
    return Parsed(frame.loc[:, [not hidden for hidden in inner]] if any(inner) else frame)


def as_frame(arrow: Any) -> pd.DataFrame:
    """A table of PyArrow, its columns named by their places, as a frame: times of day as text.

    Whole numbers that float64 would merge stay whole, as Int64, though some are missing.
    """
    import pyarrow as pa

    arrays, long = [], {}
    for name, column in zip(arrow.column_names, arrow.columns, strict=True):
        if pa.types.is_time(column.type):
            column = column.cast(pa.string())
        elif pa.types.is_integer(column.type) and column.null_count and _is_long(column):
            long[name] = pd.array(column.to_pylist(), dtype="UInt64" if column.type == pa.uint64() else "Int64")
            column = pa.nulls(len(column))
        arrays.append(column)
    plain = pa.Table.from_arrays(arrays, names=arrow.column_names)
    frame = plain.to_pandas(date_as_object=False, use_threads=plain.nbytes > OPTIONS.threads_from_bytes)
    return frame.assign(**long) if long else frame


def _is_long(column: Any) -> bool:
    """Whether float64 may merge some of the whole numbers of a column of PyArrow."""
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return ends["max"] is not None and max(ends["max"], -ends["min"]) > 2**53


def is_unsafe(column: Any) -> bool:
    """Whether what PyArrow found in a column of text would lose something of it: the hour where a clock stands, digits.

    Moments with a time zone become those of UTC, whole numbers beyond 64 bits float64.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        return column.type.tz is not None
    if not pa.types.is_floating(column.type):
        return False
    large = pc.abs(column)
    return bool(pc.any(pc.and_(pc.greater_equal(large, 2.0**53), pc.is_finite(large))).as_py())


def may_have_been(column: Any) -> Literal["", "hexadecimal", "powers"]:
    """What else than usual digits a column of numbers may have been in the text: ``0x1``, which is 1, or ``1E2``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type):
        return "hexadecimal"
    if not pa.types.is_floating(column.type):
        return ""
    whole = pc.all(pc.or_(pc.equal(column, pc.floor(column)), pc.is_inf(column))).as_py()
    return "powers" if whole else ""
