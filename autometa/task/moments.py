"""Moments in time: the patterns in which text spells them, and the numbers that a model learns from.

A column of text holds moments when one pattern fits its distinct texts, all but a few. Moments are what the clock
showed where they were written: a time zone is left out (`clock`). They become the `PARTS` that varied in training.

To recognise another way to write dates or times, add it to `_DATES` or `_TIMES`; the first pattern that fits counts.

Letters:  n rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import MISSING_TEXTS, labels
from autometa.task.options import OPTIONS

Clock = Literal["local", "utc"]

PARTS = ("year", "month", "day", "weekday", "hour", "elapsed")  # the last: seconds since the first in training

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?")
_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%Y.%m.%d"),
)
_TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S.%f", "T%H:%M:%S")
_PATTERNS = ("ISO8601", "%H:%M:%S", "%H:%M", *(date + time for time in _TIMES for date in _DATES))
_ZONE = re.compile(r" ?(Z|UTC|[+-]\d{2}:?\d{2})$")
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


def likely_pattern(texts: Sequence[str]) -> str | None:
    """The pattern that fits most of these texts, and at least half of the first of them; None if there is none.

    Example:
        >>> likely_pattern(["31/01/2020", "01/02/2020", "31/02/2020"]), likely_pattern(["2020-01-31", "x", "y"])
        ('%d/%m/%Y', None)
    """
    first = texts[: OPTIONS.dates_looked_at]
    fits = {pattern: sum(map(bool, map(_shape(pattern).fullmatch, first))) for pattern in _PATTERNS}
    likely = [pattern for pattern in _PATTERNS if 2 * fits[pattern] >= max(len(first), 1)]
    if not likely:
        return None
    return max(likely, key=lambda pattern: int(_parse_moments(texts, pattern).notna().sum()))  # the first of equals


def fits(texts: Sequence[str], pattern: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:  # (len(texts),) each
    """Which texts are moments in a pattern, and which look like them: ``31/02/2020`` does, and is none.

    Example:
        >>> [found.tolist() for found in fits(["31/01/2020", "31/02/2020", "x"], "%d/%m/%Y")]
        [[True, False, False], [True, True, False]]
    """
    looks = np.array([_shape(pattern).fullmatch(text) is not None for text in texts], dtype=bool)
    return looks & _parse_moments(texts, pattern).notna().to_numpy(), looks


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


def moments(
    column: pd.Series, pattern: str = "ISO8601", clock: Clock = "local", missing: Collection[str] = MISSING_TEXTS
) -> pd.Series:  # (n,) datetime64[us]
    """A column as moments in time without a time zone, NaT where missing or not a moment.

    Args:
        column: (n,) of any dtype.
        pattern: How its texts spell moments, if it holds text; ISO 8601 is understood besides.
        clock: Where there is a time zone, whether the moment is what the clock showed there, or in UTC.
        missing: The texts that count as missing.

    Example:
        >>> moments(pd.Series(["31/01/2020", "2020-02-01T08:00+05:00", "?"]), "%d/%m/%Y").tolist()
        [Timestamp('2020-01-31 00:00:00'), Timestamp('2020-02-01 08:00:00'), NaT]
    """
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if holds_dates(column.dtype):
        return _naive(column.reset_index(drop=True), clock)
    codes, texts = labels(column, missing)
    found = _parse_moments(texts, pattern, clock)
    if pattern != "ISO8601" and found.isna().any():  # a later table may come from a file format that knows dates
        found = found.fillna(_parse_moments([text if _ISO.fullmatch(text) else "" for text in texts], "ISO8601", clock))
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
    return found | {"elapsed": seconds(when) - origin}


def seconds(when: pd.Series) -> NDArray[np.float64]:  # (n,) -> (n,)
    """Moments as seconds since 1970, NaN where there is none.

    Example:
        >>> seconds(moments(pd.Series(["2420-01-01", "?"])))
        array([1.42006176e+10,            nan])
    """
    microseconds = when.astype("datetime64[us]").to_numpy().astype(np.int64)  # which hold every year that has 4 digits
    return np.where(when.isna(), np.nan, microseconds / 1e6)


@cache
def _shape(pattern: str) -> re.Pattern[str]:
    """What texts of a pattern look like."""
    if pattern == "ISO8601":
        return _ISO
    return re.compile(re.sub("%[A-Za-z]", lambda match: _FIELDS[match.group()], re.escape(pattern)))


def _parse_moments(texts: Sequence[str], pattern: str, clock: Clock = "local") -> pd.Series:
    """Texts as moments, (len(texts),) datetime64[us]; NaT where one does not fit the pattern."""
    if clock == "local" and pattern == "ISO8601":
        texts = [_ZONE.sub("", text) if ":" in text else text for text in texts]
    column = pd.Series(texts, dtype=object)
    return _naive(pd.Series(pd.to_datetime(column, format=pattern, errors="coerce", utc=True)), "utc")


def _naive(when: pd.Series, clock: Clock) -> pd.Series:  # (n,) datetime64[us]
    """Moments without a time zone: as the clock showed them where there was one, or in UTC."""
    if isinstance(when.dtype, pd.DatetimeTZDtype):
        when = (when.dt.tz_convert("UTC") if clock == "utc" else when).dt.tz_localize(None)
    try:
        return when.astype("datetime64[us]")
    except pd.errors.OutOfBoundsDatetime:  # of a file that counts seconds, beyond the year 290,000
        most = np.iinfo(np.int64).max // 1_000_000 if when.dt.unit == "s" else np.iinfo(np.int64).max // 1_000
        counted = when.to_numpy().astype(np.int64)
        return when.where(abs(counted) < most).astype("datetime64[us]")
