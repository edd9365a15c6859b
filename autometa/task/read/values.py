"""Columns of Python's own values, as workbooks and databases hand them out, become columns of a frame.

Law: a value keeps its meaning: text stays text (``"01"`` is not 1), whole numbers stay whole, dates are dates, and a
column that mixes types keeps each cell as it would be written.

Letters:  n rows.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

_PLAIN = (str, bool, int, float, type(None))


def series_of(values: Sequence[Any]) -> pd.Series:  # (n,), None is missing
    """A column of Python values.

    Example:
        >>> [series_of(cells).tolist() for cells in ([1, None], ["01", 2], [Decimal("1.50"), 2], [True, False])]
        [[1.0, nan], ['01', 2], [1.5, 2.0], [True, False]]
        >>> import datetime
        >>> str(series_of([datetime.date(2024, 1, 2), None]).dtype)
        'datetime64[us]'
    """
    types = {type(value) for value in values} - {type(None)}
    if not types:
        return pd.Series(np.full(len(values), np.nan))
    if types <= {int, float, Decimal}:
        return _numbers(values, types)
    if types <= {datetime.date, datetime.datetime} and all(getattr(one, "tzinfo", None) is None for one in values):
        return pd.Series(np.array(values, dtype="datetime64[us]"))
    if types <= {datetime.timedelta}:
        return pd.Series(np.array(values, dtype="timedelta64[us]"))
    if types == {bool} and None not in values:
        return pd.Series(values)
    cells = values if types <= set(_PLAIN) else [_cell(value) for value in values]
    return pd.Series(cells, dtype=object)


def _numbers(values: Sequence[Any], types: set[type]) -> pd.Series:
    """Numbers as float64; whole ones as such where none is missing, or where float64 would take some for others."""
    if types == {int}:
        large = any(abs(value) > 2**53 for value in values if value is not None)
        if None not in values or large:
            return (
                pd.Series(values, dtype=object).infer_objects()
                if None not in values
                else pd.Series(values, dtype=object)
            )
    return pd.Series([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def _cell(value: Any) -> Any:
    """A value as it would be written."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ") if value.tzinfo is None else value.isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)
