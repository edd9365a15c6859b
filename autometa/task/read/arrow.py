"""Parquet and feather, and how tables of PyArrow become frames: also those that it parsed from text."""

from __future__ import annotations

from typing import Any

import pandas as pd

from autometa.task.findings import InputFindings
from autometa.task.names import renamed
from autometa.task.options import OPTIONS
from autometa.task.read.raw import NO_ROWS, Parsed, ReadRequest


def read_parquet(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in a parquet file; None, with a problem, where it is damaged or has no columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return checked_frame(pq.read_table(pa.BufferReader(data)), findings)
    except (OSError, pa.ArrowException) as error:
        findings.refuse(f"damaged parquet data: {error}", "Fetch or write the file again.")
        return None


def read_feather(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in a feather file; None, with a problem, where it is damaged or has no columns."""
    import pyarrow as pa
    from pyarrow import feather

    try:
        return checked_frame(feather.read_table(pa.BufferReader(data)), findings)
    except (OSError, pa.ArrowException) as error:
        findings.refuse(f"damaged feather data: {error}", "Fetch or write the file again.")
        return None


def checked_frame(arrow: Any, findings: InputFindings) -> Parsed | None:
    """As `as_frame`, with a problem where there are no columns (then None) or no rows."""
    if not arrow.num_columns:
        findings.refuse("no columns")
        return None
    frame = as_frame(arrow)
    if not len(frame):
        findings.refuse(NO_ROWS)
    return Parsed(frame)


def as_frame(arrow: Any) -> pd.DataFrame:
    """A table of PyArrow as a frame: times of day as text, decimals as float64, a named index as a column."""
    import pyarrow as pa

    names = arrow.column_names
    arrays = []
    for column in arrow.columns:
        if pa.types.is_time(column.type):
            column = column.cast(pa.string())
        elif pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        arrays.append(column)
    plain = pa.Table.from_arrays(arrays, names=[str(i) for i in range(len(names))])
    frame = plain.to_pandas(date_as_object=False, use_threads=plain.nbytes > OPTIONS.threads_from_bytes)
    index = [column for column in _index_columns(arrow) if column in names and not column.startswith("__index_level_")]
    frame = renamed(frame, names)
    return frame.loc[:, [n in index or not n.startswith("__index_level_") for n in names]]


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


def _index_columns(arrow: Any) -> list[str]:
    """The columns that were the index of a frame of pandas."""
    metadata = (arrow.schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in metadata if isinstance(name, str)]
