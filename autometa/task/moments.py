"""Moments in time: the patterns in which text spells them, and the numbers that a model learns from.

A column of text holds moments when one pattern fits its distinct texts, all but a few. Moments are what the clock
showed where they were written: a time zone is left out (`clock`). They become the `PARTS` that varied in training.

To recognise another way to write dates or times, add it to `_DATES`, `_TIMES` or `_OTHERS`; the first pattern that fits
counts. Names of months, weekdays and the like are brought to one way of writing before (`clocks`).

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
from autometa.task.clocks import tidied
from autometa.task.options import OPTIONS

Clock = Literal["local", "utc"]

PARTS = ("year", "month", "day", "weekday", "hour", "elapsed")  # the last: seconds since the first in training

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?")
_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%Y.%m.%d", "%Y-%m-%d"),
    *("%Y-%b-%d", "%d/%b/%Y", "%d%b%Y", "%d %b %y"),
)
_TIMES = (
    *("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S.%f", "T%H:%M:%S", ":%H:%M:%S"),
    *("T%H:%M", "T%H:%M:%S.%f"),
)
_OTHERS = ("%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M:%S %p", "%G-W%V-%u", "%b %d %H:%M:%S %Y", "%Y-%m", "%m/%Y", "%b %Y")
_PATTERNS = ("ISO8601", *_OTHERS[:2], *(date + time for time in _TIMES for date in _DATES), *_OTHERS[2:])
_COUNTS = {  # what numbers count, where it is said that they are dates: their unit, origin and range
    "years": ("Y", "0000-01-01", 1e3, 1e4),
    "excel days": ("D", "1899-12-30", 1e4, 3e5),
    "epoch seconds": ("s", "1970-01-01", 1e8, 1e11),
    "epoch milliseconds": ("ms", "1970-01-01", 1e11, 1e14),
    "epoch microseconds": ("us", "1970-01-01", 1e14, 1e17),
    "epoch nanoseconds": ("ns", "1970-01-01", 1e17, 9e18),
}
_ZONE = re.compile(r" ?(Z|UTC|[+-]\d{2}:?\d{2})$")
_FIELDS = {  # what a field of a pattern looks like
    **dict.fromkeys(("%d", "%m", "%H", "%I"), r"\d{1,2}"),
    **dict.fromkeys(("%y", "%M", "%S", "%V"), r"\d{2}"),
    **dict.fromkeys(("%Y", "%G"), r"\d{4}"),
    "%u": r"[1-7]",
    "%b": "(?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?i:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%p": "[AaPp][Mm]",
    "%f": r"\d{1,9}",
}
_TWINS = {"%m/%d": "%d/%m", "%d-%m": "%m-%d"}  # day and month exchanged: patterns that the same text may fit
_SEASON = re.compile(r"\d\d(\d\d)-(\d\d)")  # 2010-11 is a season where all such are


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
    ways = [tuple(dict.fromkeys((text, tidied(text)))) for text in first]
    masks = {}
    for pattern in _PATTERNS:
        has = _shape(pattern).fullmatch
        mask = [any(map(has, way)) for way in ways]
        if any(mask):
            masks[pattern] = mask
    likely = []
    for pattern in masks:
        family = [masks[one] for one in _family(pattern) if one in masks]
        if 2 * sum(map(any, zip(*family, strict=True))) >= max(len(first), 1):
            likely.append(pattern)
    if not likely or all(map(_is_season, texts)):
        return None
    return max(likely, key=lambda pattern: int(_parse_moments(texts, pattern).notna().sum()))  # the first of equals


def fits(texts: Sequence[str], pattern: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:  # (len(texts),) each
    """Which texts are moments in a pattern, and which look like them: ``31/02/2020`` does, and is none.

    Example:
        >>> [found.tolist() for found in fits(["31/01/2020", "31/02/2020", "x"], "%d/%m/%Y")]
        [[True, False, False], [True, True, False]]
    """
    shapes = [_shape(one).fullmatch for one in _family(pattern)]
    looks = np.array([any(has(text) or has(tidied(text)) for has in shapes) for text in texts], dtype=bool)
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
    has = _shape(pattern).fullmatch  # cheap, and stricter than the parser
    return all(has(text) or has(tidied(text)) for text in texts) and bool(_parse(texts, pattern).notna().all())


def moments(
    column: pd.Series, pattern: str = "ISO8601", clock: Clock = "local", missing: Collection[str] = MISSING_TEXTS
) -> pd.Series:  # (n,) datetime64[us]
    """A column as moments in time without a time zone, NaT where missing or not a moment.

    Args:
        column: (n,) of any dtype.
        pattern: How its texts spell moments, if it holds text; ISO 8601, and the same date with another time or none,
            are understood besides. Or what its numbers count (`count_pattern`).
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


def count_pattern(values: NDArray[np.float64]) -> str | None:  # (n,)
    """What numbers count that are said to be dates: years, days since 1899 as in spreadsheets, or seconds since 1970.

    Example:
        >>> [count_pattern(np.array([one])) for one in (45000.0, 1.7e9, 1.7e12, 7.0)]
        ['excel days', 'epoch seconds', 'epoch milliseconds', None]
    """
    known = np.abs(values[np.isfinite(values)])
    middle = float(np.median(known)) if len(known) else 0.0
    return next((name for name, (_, _, low, high) in _COUNTS.items() if low <= middle < high), None)


def _counted(texts: Sequence[str], pattern: str) -> pd.Series:
    unit, origin, *_ = _COUNTS[pattern]
    if unit == "Y":
        return _parse([text if re.fullmatch(r"\d{4}", text) else "" for text in texts], "%Y")
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").astype(np.float64)
    step = {"D": 86_400e6, "s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[unit]
    since = np.datetime64(origin, "us").astype(np.int64) + np.round(numbers.to_numpy() * step)
    fits = np.isfinite(since) & (np.abs(since) < 2**60)
    return pd.Series(np.where(fits, since, np.iinfo(np.int64).min).astype(np.int64).view("datetime64[us]"))


def _is_season(text: str) -> bool:
    found = _SEASON.fullmatch(text)
    return found is not None and (int(found[1]) + 1) % 100 == int(found[2])


@cache
def _family(pattern: str) -> tuple[str, ...]:
    """A pattern, and those in which the same column may have other cells: the date with another time, ISO 8601."""
    date = next((date for date in sorted(_DATES, key=len, reverse=True) if pattern.startswith(date)), None)
    others = () if date is None else tuple(date + time for time in _TIMES)
    return tuple(dict.fromkeys((pattern, *others, *(("ISO8601",) if pattern not in _OTHERS else ()))))


def _parse_moments(texts: Sequence[str], pattern: str, clock: Clock = "local") -> pd.Series:
    """Texts as moments, (len(texts),) datetime64[us]; NaT where one fits neither the pattern nor one of its family."""
    if pattern in _COUNTS:
        found = _counted(texts, pattern)
        return found.fillna(_parse(texts, "ISO8601", clock)) if found.isna().any() else found
    found = _parse(texts, pattern, clock)
    for other in _family(pattern)[1:]:
        left = np.flatnonzero(found.isna())
        has = _shape(other).fullmatch
        fit = [i for i in left.tolist() if has(texts[i]) or has(tidied(texts[i]))]
        if fit:
            found.iloc[fit] = _parse([texts[i] for i in fit], other, clock).to_numpy()
    return found


def _parse(texts: Sequence[str], pattern: str, clock: Clock = "local") -> pd.Series:
    """Texts as moments in one pattern, (len(texts),) datetime64[us]; NaT where one does not fit it."""
    has = _shape(pattern).fullmatch
    if clock == "local":
        texts = [text if has(text) else tidied(text) for text in texts]
        if pattern == "ISO8601":
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
