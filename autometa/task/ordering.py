"""What the rows belong to, and when they were: columns that say how rows are split, as codes and numbers.

Letters:  n rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import labels, number_style, numbers
from autometa.task.findings import InputFindings
from autometa.task.moments import holds_dates, moment_pattern, moments, seconds


def read_groups(column: pd.Series, group: str | None, findings: InputFindings) -> NDArray[np.int64]:  # (n,) -> (n,)
    """The group of each row as a code."""
    codes, texts = labels(column)
    missing = int((codes < 0).sum())
    if missing:
        findings.refuse(f"{missing} rows have no value in the group column {group!r}", "Fill them in.")
    elif len(texts) == 1:
        findings.refuse(f"the group column {group!r} has one value only", "At least two groups are needed.")
    findings.note(
        f"Rows with the same {group!r} stay together in every split ({len(texts)} groups); it is not a feature."
    )
    return codes.astype(np.int64)


def read_times(
    column: pd.Series, time_order: str | None, findings: InputFindings
) -> NDArray[np.float64]:  # (n,) -> (n,)
    """The place of each row in time as a number."""
    values = _sortable(column)
    missing = int((~np.isfinite(values)).sum())
    if missing:
        what = f"{missing} rows have no number or date in the time-order column {time_order!r}"
        findings.refuse(what, "Fill them in.")
    findings.note(f"Rows are ordered by {time_order!r}, and every model is judged on later rows; it is not a feature.")
    return values


def _sortable(column: pd.Series) -> NDArray[np.float64]:  # (n,) -> (n,)
    """A column of numbers or moments as numbers; NaN where it is neither."""
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype):
        return numbers(column)
    pattern = "ISO8601"
    if not holds_dates(column.dtype):
        texts = labels(column)[1]
        style = number_style(texts)
        if style is not None:
            return numbers(column.astype("str"), style)
        pattern = moment_pattern(texts) or pattern
    return seconds(moments(column, pattern))
