"""Moments in time: the patterns in which text spells them, and the numbers that a model learns from.

A column of text holds moments when one pattern fits its distinct texts, all but a few. Moments are what the clock
showed where they were written: a time zone is left out (`clock`). They become the `PARTS` that varied in training.

To recognise another way to write dates or times, add it to `_DATES`, `_TIMES` or `_OTHERS`; the first pattern that fits
counts. Names of months, weekdays and the like are brought to one way of writing before (`clocks`).

Letters:  n rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
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
_DIGIT = re.compile(r"\d")
_ZONE = re.compile(r" ?(Z|UTC|[+-]\d{2}:?\d{2})$")
_FIELDS = {  # what a field of a pattern looks like
    **dict.fromkeys(("%d", "%m", "%H", "%I"), r"\d{1,2}"),
    **dict.fromkeys(("%y", "%M", "%S", "%V"), r"\d{2}"),
    **dict.fromkeys(("%Y", "%G"), r"\d{4}"),
    "%u": r"\d",
    "%b": "(?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?i:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%p": "[AaPp][Mm]",
    "%f": r"\d{1,9}",
}
_MAYBE = re.compile(rf"(?:[\d/.:, +-]|T|Z|W|UTC|{_FIELDS['%B']}|{_FIELDS['%b']}|[AP]M)+", re.IGNORECASE)  # of a moment
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
    alike = [frozenset[str]().union(*_ways(text)) for text in first]
    if 2 * sum(map(bool, alike)) < max(len(first), 1):
        return None
    seen = frozenset[str]().union(*alike)
    likely = []
    for pattern in _PATTERNS:
        family = seen.intersection(_family(pattern)) if pattern in seen else ()
        if family and 2 * sum(not found.isdisjoint(family) for found in alike) >= len(first):
            likely.append(pattern)
    if not likely or all(map(_is_season, texts)):
        return None
    if len(likely) == 1:
        return likely[0]
    return max(likely, key=lambda pattern: int(_parse_moments(texts, pattern).notna().sum()))  # the first of equals


@dataclass(frozen=True, slots=True, eq=False)
class PatternFit:
    """How texts fit a pattern."""

    when: NDArray[np.datetime64]  # (len(texts),) as microseconds; NaT where one is no moment
    looks: NDArray[np.bool_]  # which look like moments: 31/02/2020 does, and is none

    @property
    def moment(self) -> NDArray[np.bool_]:  # (len(texts),)
        """Which look like moments, and are."""
        return self.looks & ~np.isnat(self.when)


def fit(texts: Sequence[str], pattern: str) -> PatternFit:
    """How texts fit a pattern, or one of its family.

    Example:
        >>> found = fit(["31/01/2020", "31/02/2020", "x"], "%d/%m/%Y")
        >>> found.moment.tolist(), found.looks.tolist()
        ([True, False, False], [True, True, False])
    """
    has, family = _shape(pattern).fullmatch, frozenset(_family(pattern))
    looks = [bool(has(text)) or any(not family.isdisjoint(found) for found in _ways(text)) for text in texts]
    return PatternFit(_parse_moments(texts, pattern).to_numpy("datetime64[us]"), np.array(looks, dtype=bool))


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
    return spread(_parse_moments(texts, pattern, clock).to_numpy("datetime64[us]"), codes)


def spread(when: NDArray[np.datetime64], codes: NDArray[np.intp]) -> pd.Series:  # (d,), (n,) -> (n,)
    """The moments of distinct texts as those of the cells; NaT where a code is -1.

    Example:
        >>> spread(fit(["2020-01-31"], "ISO8601").when, np.array([0, -1])).tolist()
        [Timestamp('2020-01-31 00:00:00'), NaT]
    """
    return pd.Series(np.append(when, np.datetime64("NaT", "us"))[codes])


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


def _ways(text: str) -> Iterator[frozenset[str]]:
    """The patterns that a text looks like as it is, then tidied; moments that differ in their digits are asked once."""
    yield _shaped(_DIGIT.sub("1", text)) if _MAYBE.fullmatch(text) else frozenset()
    new = tidied(text)
    yield _shaped(_DIGIT.sub("1", new)) if new != text and _MAYBE.fullmatch(new) else frozenset()


@lru_cache(maxsize=4096)
def _shaped(text: str) -> frozenset[str]:
    return frozenset(pattern for pattern in _PATTERNS if _shape(pattern).fullmatch(text))


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
            zoned = (":" in text and (text[-1] in "ZC" or "+" in text or text.count("-") > 2) for text in texts)
            texts = [_ZONE.sub("", text) if may else text for text, may in zip(texts, zoned, strict=True)]
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
