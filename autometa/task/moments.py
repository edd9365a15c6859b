"""Moments in time: the patterns in which text spells them, and the numbers that a model learns from.

A column of text holds moments when one pattern fits all of its distinct texts. Moments are taken without a time zone
(UTC where there was one), and become the `PARTS` that varied in training.

To recognise another way to write dates or times, add it to `_DATES` or `_TIMES`; the first pattern that fits counts.

Letters:  n rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import labels

PARTS = ("year", "month", "day", "weekday", "hour", "elapsed")  # the last: seconds since the first in training

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?")
_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%Y.%m.%d"),
)
_TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S.%f", "T%H:%M:%S")
_PATTERNS = ("ISO8601", "%H:%M:%S", "%H:%M", *(date + time for time in _TIMES for date in _DATES))
_FIELDS = {  # what a field of a pattern looks like
    **dict.fromkeys(("%d", "%m", "%H", "%I"), r"\d{1,2}"),
    **dict.fromkeys(("%y", "%M", "%S"), r"\d{2}"),
    "%Y": r"\d{4}",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,}",
    "%p": "[AaPp][Mm]",
    "%f": r"\d{1,6}",
}
_TWINS = {"%m/%d": "%d/%m", "%d-%m": "%m-%d"}  # day and month exchanged: patterns that the same text may fit


def holds_dates(dtype: Any) -> bool:
    """Whether a dtype is one of moments in time. Arrow's are read as text."""
    if isinstance(dtype, pd.ArrowDtype):
        return False
    return bool(pd.api.types.is_datetime64_any_dtype(dtype)) or isinstance(dtype, pd.PeriodDtype)


def moment_pattern(texts: Sequence[str]) -> str | None:
    """The pattern (as of strftime) by which all of these texts are moments in time, if there is one.

    Example:
        >>> [moment_pattern(texts) for texts in (["31/01/2020", "01/02/2020"], ["2020-01-31 10:00"], ["a-1", "b-2"])]
        ['%d/%m/%Y', 'ISO8601', None]
    """
    return next((pattern for pattern in _PATTERNS if _all_moments(texts, pattern)), None)


def is_ambiguous(texts: Sequence[str], pattern: str) -> bool:
    """Whether texts of this pattern fit it with day and month exchanged as well.

    Example:
        >>> is_ambiguous(["01/02/2020"], "%m/%d/%Y"), is_ambiguous(["01/31/2020"], "%m/%d/%Y")
        (True, False)
    """
    return any(
        pattern.startswith(here) and _all_moments(texts, pattern.replace(here, there, 1))
        for here, there in _TWINS.items()
    )


def _all_moments(texts: Sequence[str], pattern: str) -> bool:
    """Whether every text is a moment in this pattern."""
    shape = _shape(pattern)  # cheap, and stricter than the parser, which would take 2010-11 for a date as well
    return all(shape.fullmatch(text) for text in texts) and bool(_parse_moments(texts, pattern).notna().all())


def moments(column: pd.Series, pattern: str = "ISO8601") -> pd.Series:  # (n,) datetime64[us]
    """A column as moments in time without a time zone (UTC where there was one), NaT where missing or not a moment.

    Example:
        >>> moments(pd.Series(["31/01/2020", "2020-02-01", "?"]), "%d/%m/%Y").tolist()
        [Timestamp('2020-01-31 00:00:00'), Timestamp('2020-02-01 00:00:00'), NaT]
    """
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if holds_dates(column.dtype):
        return _naive(column.reset_index(drop=True))
    codes, texts = labels(column)
    found = _parse_moments(texts, pattern)
    if pattern != "ISO8601" and found.isna().any():  # a later table may come from a file format that knows dates
        found = found.fillna(_parse_moments([text if _ISO.fullmatch(text) else "" for text in texts], "ISO8601"))
    return pd.Series(np.append(found.to_numpy("datetime64[us]"), np.datetime64("NaT", "us"))[codes])


def parts(when: pd.Series, origin: float) -> dict[str, NDArray[np.float64]]:  # when: (n,)
    """Every one of `PARTS`, each (n,), NaN where there is no moment; `elapsed` counts seconds from `origin` (of 1970).

    Example:
        >>> found = parts(moments(pd.Series(["1970-01-02 12:00", "?"])), origin=0.0)
        >>> {part: values.tolist() for part, values in found.items() if part in ("weekday", "elapsed")}
        {'weekday': [4.0, nan], 'elapsed': [129600.0, nan]}
    """
    attributes = {"weekday": "day_of_week"}
    found = {part: getattr(when.dt, attributes.get(part, part)).to_numpy(np.float64) for part in PARTS[:-1]}
    return found | {"elapsed": (when - pd.Timestamp(0)).dt.total_seconds().to_numpy(np.float64) - origin}


@cache
def _shape(pattern: str) -> re.Pattern[str]:
    """What texts of a pattern look like."""
    if pattern == "ISO8601":
        return _ISO
    return re.compile(re.sub("%[A-Za-z]", lambda match: _FIELDS[match.group()], re.escape(pattern)))


def _parse_moments(texts: Sequence[str], pattern: str) -> pd.Series:  # (len(texts),) datetime64[us]
    """Texts as moments, NaT where one does not fit the pattern."""
    return _naive(pd.Series(pd.to_datetime(pd.Series(texts, dtype=object), format=pattern, errors="coerce", utc=True)))


def _naive(when: pd.Series) -> pd.Series:  # (n,) datetime64[us]
    """Moments without a time zone: those of UTC where there was one."""
    if isinstance(when.dtype, pd.DatetimeTZDtype):
        when = when.dt.tz_convert("UTC").dt.tz_localize(None)
    return when.astype("datetime64[us]")
