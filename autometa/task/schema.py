"""How a raw table becomes features: fitted once on the training table, applied to any later one.

Every raw column is found to hold numbers, truth values, categories, moments in time or free text, or to be of no use
(constant, or an identifier). What was found is kept in one small `Reading` per column; `Schema.apply` replays them.
Whether a column arrives as numbers, as text that spells numbers, or as a pandas category, one cell has one meaning:
`labels` gives every cell the same text whatever the file format, and everything else is decided from those texts.

Laws: ``apply`` of a row does not depend on the other rows; columns in another order, and columns more than needed,
change nothing; a category that was never seen is missing.
To add a kind of column, add its name to `Holds`, its detection to `_read_column` and its features to `Schema.apply`.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean

Holds = Literal["number", "boolean", "category", "datetime", "text"]
Style = Literal["point", "comma", "thousands"]  # how text spells a number: 1234.5, 1.234,5 or 1,234.5

MISSING = frozenset(
    (
        "",
        "?",
        "NA",
        "N/A",
        "n/a",
        "#N/A",
        "#NA",
        "<NA>",
        "null",
        "Null",
        "NULL",
        "None",
        "nan",
        "NaN",
        "NAN",
        "-nan",
        "NaT",
    )
)
SHOWN = 20  # missing columns that a message lists
HIGH_CARDINALITY = 100  # categories; beyond this a note is due
MAX_ODD = 5  # distinct odd words that a column of numbers may hold
PARTS = ("year", "month", "day", "weekday", "hour", "elapsed")

_SPELLINGS: dict[Style, re.Pattern[str]] = {  # in the order in which they are tried
    "point": re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?inf(inity)?", re.IGNORECASE),
    "thousands": re.compile(r"[+-]?([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)(\.[0-9]*)?(e[+-]?[0-9]+)?", re.IGNORECASE),
    "comma": re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]*)?(e[+-]?[0-9]+)?", re.IGNORECASE),
}
_CURRENCY = r"[$€£¥₹₽₩₺₫₴₦₱₪]|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD"  # may stand before a number too
_QUANTITY = re.compile(
    rf"(?P<sign>[+-]?)\s?(?P<before>({_CURRENCY})?)\s?(?P<number>[+-]?[0-9.][0-9.,]*(e[+-]?[0-9]+)?)"
    rf"\s?(?P<after>(%|‰|°[CF]?|{_CURRENCY}|[^\W\d_]{{1,12}})?)",
    re.IGNORECASE,
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?")
_ROW_NAMES = ("index", "idx", "key", "row", "rowid", "rownames")
_WORDS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+")

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
_TWINS = {"%m/%d": "%d/%m", "%d-%m": "%m-%d"}  # the readings that the same text may allow


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the typed feature columns, by what they hold."""

    numeric: tuple[str, ...] = ()  # float64, NaN = missing; truth values as 0 and 1, parts of dates
    categorical: tuple[str, ...] = ()  # pandas 'category' whose categories are str, sorted; NaN = missing
    text: tuple[str, ...] = ()  # str; missing = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, in the order of the columns of X."""
        return self.numeric + self.categorical + self.text


@dataclass(frozen=True, slots=True)
class Reading:
    """What one raw column holds, and what is needed to read it again."""

    name: str  # of the raw column
    holds: Holds
    style: Style = "point"  # of numbers that arrive as text
    unit: str = ""  # that each of those carries: a sign of currency, %, kg
    categories: tuple[str, ...] = ()
    pattern: str = "ISO8601"  # of moments that arrive as text
    parts: tuple[str, ...] = ()  # of PARTS, those that varied in training
    origin: float = 0.0  # seconds since 1970 from which `elapsed` counts


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """How a raw table becomes typed features; made by `Schema.fit`.

    Example:
        >>> raw = pd.DataFrame({"age": ["31", "?", "45"], "town": ["Ulm", "Bern", "Ulm"], "x": [1, 1, 1]})
        >>> schema = Schema.fit(raw)
        >>> schema.columns
        Columns(numeric=('age',), categorical=('town',), text=())
        >>> dict(schema.dropped)
        {'x': 'constant'}
        >>> schema.apply(pd.DataFrame({"town": ["Rome"], "age": [50]}))
            age town
        0  50.0  NaN
    """

    columns: Columns
    seen: tuple[str, ...]  # every raw feature column of the training table, in order
    readings: tuple[Reading, ...]
    dropped_columns: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def raw(self) -> tuple[str, ...]:
        """The raw feature columns that `apply` needs, in order."""
        return tuple(reading.name for reading in self.readings)

    @property
    def dropped(self) -> Mapping[str, str]:
        """Raw columns that were of no use, and why."""
        return MappingProxyType(dict(self.dropped_columns))

    @classmethod
    def fit(cls, frame: pd.DataFrame) -> Schema:  # frame: (n, raw p)
        """Finds what every column of `frame` holds. Duplicated column names are made unique as `unique_names` does."""
        frame = named(frame)
        readings, dropped, notes = _read_columns(frame)
        names = {holds: [r.name for r in readings if r.holds == holds] for holds in get_args(Holds)}
        plain = [r.name for r in readings if r.holds in ("number", "boolean")]
        taken = {r.name for r in readings}
        parts = [name for r in readings if r.holds == "datetime" for name in _part_names(r, taken)]
        columns = Columns((*plain, *parts), tuple(names["category"]), tuple(names["text"]))
        return cls(columns, tuple(frame.columns), tuple(readings), tuple(dropped.items()), tuple(notes))

    def apply(self, frame: pd.DataFrame | NDArray[Any]) -> pd.DataFrame:  # (n, raw p) -> (n, p)
        """The typed features of a raw table.

        A DataFrame is read by the names of its columns (1 and "1" are the same name), a NumPy array by position.

        Raises:
            InputError: If columns are missing (all are listed), or an array has another width than the training table.
        """
        frame = self._aligned(frame)
        block = np.empty((len(self.columns.numeric), len(frame)))  # (numeric p, n): each column contiguous
        plain = [i for i, reading in enumerate(self.readings) if reading.holds in ("number", "boolean")]
        direct = np.array([_is_plain(dtype) for dtype in frame.dtypes], dtype=bool)[plain]
        block[: len(plain)][direct] = frame.iloc[:, np.array(plain, dtype=int)[direct]].to_numpy(np.float64).T
        for k in np.flatnonzero(~direct).tolist():
            block[k] = _spelled(frame.iloc[:, plain[k]], self.readings[plain[k]])
        k = len(plain)
        others: dict[str, Any] = {}
        for i, reading in enumerate(self.readings):
            if reading.holds == "datetime":
                parts = _parts(moments(frame.iloc[:, i], reading.pattern), reading.origin)
                block[k : k + len(reading.parts)] = [parts[part] for part in reading.parts]
                k += len(reading.parts)
            elif reading.holds == "category":
                others[reading.name] = _categorical(frame.iloc[:, i], reading.categories)
            elif reading.holds == "text":
                codes, texts = labels(frame.iloc[:, i])
                others[reading.name] = pd.array(np.array([*texts, ""], dtype=object)[codes], dtype="str")
        block[np.isinf(block)] = np.nan
        numeric = pd.DataFrame(block.T, columns=pd.Index(self.columns.numeric, dtype="str"), copy=False)
        if not others:
            return numeric
        rest = pd.DataFrame({name: others[name] for name in (*self.columns.categorical, *self.columns.text)})
        return pd.concat([numeric, rest], axis=1) if self.columns.numeric else rest

    def _aligned(self, frame: pd.DataFrame | NDArray[Any]) -> pd.DataFrame:
        """The raw columns needed, in order, under their names."""
        raw = self.raw
        if not isinstance(frame, pd.DataFrame):
            array = np.asarray(frame)
            if array.ndim != 2 or array.shape[1] not in (len(self.seen), len(raw)):
                what = f"an array of shape {array.shape} came where (n, {len(self.seen)}) is needed"
                raise InputError(Problem("table", what))
            frame = pd.DataFrame(array, columns=self.seen if array.shape[1] == len(self.seen) else raw).infer_objects()
        frame = named(frame)
        if tuple(frame.columns) == raw:
            return frame
        where = frame.columns.get_indexer(list(raw))
        lacking = [name for name, i in zip(raw, where, strict=True) if i < 0]
        if lacking:
            names = list(frame.columns)
            problems = [Problem("table", f"no column {name!r}", did_you_mean(name, names)) for name in lacking[:SHOWN]]
            if len(lacking) > SHOWN:
                problems.append(Problem("table", f"{len(lacking) - SHOWN} more columns are missing"))
            raise InputError(problems)
        return frame.iloc[:, where]


# --- one cell, one meaning --------------------------------------------------------------------------------------------


def labels(column: pd.Series, missing: Collection[str] = MISSING) -> tuple[NDArray[np.intp], list[str]]:
    """Every cell as a code, (n,), into distinct texts, the same texts however the column arrived; -1 = missing.

    Whole numbers lose their ``.0``, texts their surrounding blanks, and the usual words for missing are missing.

    Example:
        >>> labels(pd.Series([" b", "a", "NA", None, "b"]))
        (array([ 0,  1, -1, -1,  0]), ['b', 'a'])
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy().astype(np.intp), column.cat.categories
    else:
        try:
            codes, values = pd.factorize(column)
        except TypeError:  # unhashable cells, such as lists out of JSON
            codes, values = pd.factorize(column.map(str, na_action="ignore").astype(object))
    known: dict[str, int] = {}
    mapping = np.full(len(values) + 1, -1, dtype=np.intp)  # the last is for code -1
    for i, value in enumerate(values.tolist()):
        text = label(value)
        if text not in missing:
            mapping[i] = known.setdefault(text, len(known))
    return mapping[codes], list(known)


def label(value: Any) -> str:
    """One value as text: ``3`` for 3 and for 3.0, no surrounding blanks."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip()


def number_style(texts: Sequence[str]) -> Style | None:
    """How these texts spell numbers; None if one of them is no number.

    Example:
        >>> [number_style(texts) for texts in (["1.5", "-2e3"], ["1,5", "2"], ["1,234", "12.5"], ["1", "a"])]
        ['point', 'comma', 'thousands', None]
    """
    for style, pattern in _SPELLINGS.items():
        if all(pattern.fullmatch(text) for text in texts):
            return style
    return None


def common_unit(texts: Sequence[str], most_odd: int = 0) -> str:
    """The unit that all texts but at most `most_odd` carry beside a number; "" where there is none, or several.

    A currency before or after the number, or a word or sign after it. Another word before it is none: ``c12`` is the
    name of something.

    Example:
        >>> [common_unit(texts) for texts in (["$5", "-$1,200"], ["3 kg", "2.5kg"], ["3 kg", "2 lb"], ["c1", "c2"])]
        ['$', 'kg', '', '']
    """
    found, odd = "", 0
    for text in texts:
        quantity = _QUANTITY.fullmatch(text)
        unit = "" if quantity is None else quantity["before"] + quantity["after"]
        if not unit or (found and unit != found):
            odd += 1
            if odd > most_odd:
                return ""
        else:
            found = unit
    return found


def without_unit(text: str, unit: str) -> str | None:
    """The bare number of a text that carries this unit; None where it does not.

    Example:
        >>> without_unit("- 1.200,50 €", "€"), without_unit("5 kg", "€"), without_unit("5", "€")
        ('-1.200,50', None, None)
    """
    quantity = _QUANTITY.fullmatch(text) if unit else None
    if quantity is None or quantity["before"] + quantity["after"] != unit:
        return None
    return quantity["sign"] + quantity["number"]


def spelled_numbers(texts: Sequence[str], style: Style, unit: str = "") -> NDArray[np.float64]:  # (len(texts),)
    """The numbers that texts spell; NaN where a text is no number in this style nor, on its own, in another.

    With a `unit`, it may stand beside them.
    """
    out = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        text = without_unit(text, unit) or text
        own = style if _SPELLINGS[style].fullmatch(text) else number_style([text])
        if own == "comma":
            text = text.replace(".", "").replace(",", ".")
        elif own == "thousands":
            text = text.replace(",", "")
        if own is not None:
            out[i] = float(text)
    return out


def numbers(column: pd.Series, style: Style = "point", unit: str = "") -> NDArray[np.float64]:  # (n,)
    """A column as numbers, NaN where missing or not a number.

    Raises:
        InputError: If the column holds complex numbers.
    """
    if _is_complex(column.dtype):
        raise InputError(Problem(f"column {column.name!r}", "Complex data not supported", "Split it into two columns."))
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds().to_numpy(np.float64)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    codes, texts = labels(column)
    return np.append(spelled_numbers(texts, style, unit), np.nan)[codes]


def moments(column: pd.Series, pattern: str = "ISO8601") -> pd.Series:  # (n,) datetime64[us]
    """A column as moments in time without a time zone (UTC where there was one), NaT where missing or not a moment."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if holds_dates(column.dtype):
        return _naive(column.reset_index(drop=True))
    codes, texts = labels(column)
    found = _parse_moments(texts, pattern)
    if pattern != "ISO8601" and found.isna().any():  # a later table may come from a file format that knows dates
        found = found.fillna(_parse_moments([text if _ISO.fullmatch(text) else "" for text in texts], "ISO8601"))
    return pd.Series(np.append(found.to_numpy("datetime64[us]"), np.datetime64("NaT", "us"))[codes])


def unique_names(names: Sequence[Any]) -> list[str]:
    """Names as text, each made unique: the second ``a`` becomes ``a.1``.

    Example:
        >>> unique_names(["a", 1, "a", "a.1"])
        ['a', '1', 'a.2', 'a.1']
    """
    texts = [str(name) for name in names]
    if len(set(texts)) == len(texts):
        return texts
    given, used, out = set(texts), set(), []
    count: dict[str, int] = {}
    for text in texts:
        name = text
        while name in used or (name != text and name in given):
            count[text] = count.get(text, 0) + 1
            name = f"{text}.{count[text]}"
        used.add(name)
        out.append(name)
    return out


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` under unique text names; the same object if it has them already."""
    names = unique_names(frame.columns.tolist())
    if names == frame.columns.tolist():
        return frame
    return frame.set_axis(pd.Index(names, dtype="str"), axis=1)


# --- what a column holds ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Useless:
    """Why a column is dropped; `spare` marks one that may be kept if no other is left."""

    why: str
    spare: bool = False


@dataclass(slots=True)
class _Remarks:
    """What the user should hear of the columns."""

    missing: dict[str, int] = field(default_factory=dict)  # cells
    infinite: list[str] = field(default_factory=list)
    many: list[str] = field(default_factory=list)  # categories
    text: list[str] = field(default_factory=list)
    single: list[str] = field(default_factory=list)  # whole sentences

    def sentences(self, dropped: Mapping[str, str], cells: int) -> list[str]:
        """All of it, the longest lists shortened."""
        reasons: dict[str, list[str]] = {}
        for name, why in dropped.items():
            reasons.setdefault(why, []).append(name)
        notes = [f"Dropped {listed(names)}: {why}." for why, names in reasons.items()]
        if self.missing:
            count = sum(self.missing.values())
            notes.append(f"Missing: {count} cells ({count / cells:.2%}), in {listed(list(self.missing))}.")
        if self.infinite:
            notes.append(f"Infinite values are taken as missing in {listed(self.infinite)}.")
        if self.many:
            notes.append(f"More than {HIGH_CARDINALITY} categories in {listed(self.many)}.")
        if self.text:
            notes.append(f"Free text in {listed(self.text)}.")
        return notes + self.single


def _read_columns(frame: pd.DataFrame) -> tuple[list[Reading], dict[str, str], list[str]]:
    """The readings of the useful columns, the others with the reason, and notes."""
    remarks = _Remarks()
    plain = [i for i, dtype in enumerate(frame.dtypes) if _is_plain(dtype)]
    found: dict[str, Reading | _Useless] = dict.fromkeys(frame.columns, _Useless(""))
    found |= _read_numbers(frame.iloc[:, plain], remarks) if plain else {}
    for i in sorted(set(range(frame.shape[1])) - set(plain)):
        found[frame.columns[i]] = _read_column(frame.iloc[:, i], remarks)
    if not any(isinstance(outcome, Reading) for outcome in found.values()):  # better an identifier than nothing
        for name, outcome in found.items():
            if isinstance(outcome, _Useless) and outcome.spare:
                found[name] = Reading(name, "number")
    useful = [outcome for outcome in found.values() if isinstance(outcome, Reading)]
    dropped = {name: outcome.why for name, outcome in found.items() if isinstance(outcome, _Useless)}
    return useful, dropped, remarks.sentences(dropped, frame.size)


def _read_numbers(frame: pd.DataFrame, remarks: _Remarks) -> dict[str, Reading | _Useless]:
    """All plain number and truth columns at once: thousands of columns are common."""
    values = frame.to_numpy(np.float64)  # (n, p)
    n = len(values)
    truth = [dtype.kind == "b" for dtype in frame.dtypes]
    finite = np.isfinite(values)
    infinite = np.isinf(values).any(axis=0)
    known = finite.sum(axis=0)
    low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
    out: dict[str, Reading | _Useless] = {}
    for i, name in enumerate(frame.columns):
        if known[i] == 0:
            out[name] = _Useless("no values at all")
            continue
        if low[i] == high[i] and known[i] == n:
            out[name] = _Useless("constant")
            continue
        if known[i] == n and high[i] - low[i] >= n - 1 and (_is_count(low[i], high[i], n) or _names_identifier(name)):
            column = values[:, i]
            if (column == np.floor(column)).all() and len(np.unique(column)) == n:
                why = "row numbers" if _is_count(low[i], high[i], n) else "an identifier: every row has its own"
                out[name] = _Useless(why, spare=True)
                continue
        if infinite[i]:
            remarks.infinite.append(name)
        if known[i] < n:
            remarks.missing[name] = n - int(known[i])
        out[name] = Reading(name, "boolean" if truth[i] else "number")
    return out


def _read_column(column: pd.Series, remarks: _Remarks) -> Reading | _Useless:
    """Any one column, decided from its distinct texts."""
    name, n = str(column.name), len(column)
    if _is_complex(column.dtype):
        raise InputError(Problem(f"column {name!r}", "Complex data not supported", "Split it into two columns."))
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype):
        as_numbers = pd.DataFrame({name: numbers(column)})
        return _read_numbers(as_numbers, remarks)[name]
    if holds_dates(column.dtype):
        return _read_moments(name, moments(column), "ISO8601", remarks)
    codes, texts = labels(column)
    present = np.bincount(codes[codes >= 0], minlength=len(texts)) > 0
    if not present.all():  # a pandas category may list labels that no row has
        texts = [text for text, here in zip(texts, present, strict=True) if here]
        codes = np.append(np.cumsum(present) - 1, -1)[codes]
    known = int((codes >= 0).sum())
    if known == 0:
        return _Useless("no values at all")
    if len(texts) == 1 and known == n:
        return _Useless("constant")
    if {text.lower() for text in texts} <= {"true", "false"}:
        if known < n:
            remarks.missing[name] = n - known
        return Reading(name, "boolean")
    if not isinstance(column.dtype, pd.CategoricalDtype):
        as_numbers = _read_spelled(name, codes, texts, remarks)
        if as_numbers is not None:
            return as_numbers
    pattern = moment_pattern(texts)
    if pattern is not None:
        return _read_moments(name, moments(column, pattern), pattern, remarks, texts)
    if _is_text(texts, known):
        remarks.text.append(name)
        return Reading(name, "text")
    if len(texts) == n and n >= 10:
        return _Useless("an identifier: every row has its own")
    if known < n:
        remarks.missing[name] = n - known
    if len(texts) > HIGH_CARDINALITY:
        remarks.many.append(name)
    return Reading(name, "category", categories=tuple(sorted(texts)))


def _is_text(texts: Sequence[str], known: int) -> bool:
    """Whether distinct texts that fill `known` cells are sentences rather than categories.

    Three words on average that seldom repeat, or two that hardly ever do.
    """
    words = sum(len(text.split()) for text in texts) / len(texts)
    share = len(texts) / known
    return len(texts) > 20 and ((words >= 3 and share > 0.2) or (words >= 2 and share > 0.9))


def _read_spelled(name: str, codes: NDArray[np.intp], texts: list[str], remarks: _Remarks) -> Reading | _Useless | None:
    """A text column whose cells are numbers, all but a few odd words; None if it is not one."""
    unit = common_unit(texts, MAX_ODD)
    spelled = [without_unit(text, unit) or "" for text in texts] if unit else texts
    style, odd = number_style(spelled), []
    if style is None:
        odd = list(islice((i for i, text in enumerate(spelled) if number_style([text]) is None), MAX_ODD + 1))
        if len(odd) > MAX_ODD or len(texts) - len(odd) <= 20:
            return None
        style = number_style([text for i, text in enumerate(spelled) if i not in odd])
        strange = np.isin(codes, odd).sum()
        if style is None or strange > 0.05 * (codes >= 0).sum():
            return None
        words = listed([texts[i] for i in odd])
        remarks.single.append(f"Column {name!r} holds numbers; {words} taken as missing ({strange} cells).")
    if unit:
        remarks.single.append(f"Column {name!r} holds numbers with the unit {unit!r}, which is left out.")
    values = np.append(spelled_numbers(spelled, style), np.nan)[codes]
    outcome = _read_numbers(pd.DataFrame({name: values}), remarks)[name]
    return Reading(name, "number", style, unit) if isinstance(outcome, Reading) else outcome


def _read_moments(
    name: str, when: pd.Series, pattern: str, remarks: _Remarks, texts: Sequence[str] = ()
) -> Reading | _Useless:
    """A column of moments: the parts that vary."""
    if when.isna().all():
        return _Useless("no values at all")
    if when.notna().all() and when.nunique() == 1:
        return _Useless("constant")
    if when.isna().any():
        remarks.missing[name] = int(when.isna().sum())
    origin = float(np.nanmin(_parts(when, 0.0)["elapsed"]))
    parts = _parts(when, origin)
    varying = tuple(part for part in PARTS if np.nanmin(parts[part]) < np.nanmax(parts[part])) or ("elapsed",)
    note = f"Column {name!r} holds dates or times; its features: {', '.join(varying)}."
    for here, there in _TWINS.items():
        if pattern.startswith(here) and _all_moments(texts, pattern.replace(here, there, 1)):
            note = f"{note[:-1]}; its order of day and month is ambiguous and read as {pattern}."
    remarks.single.append(note)
    return Reading(name, "datetime", pattern=pattern, parts=varying, origin=origin)


def moment_pattern(texts: Sequence[str]) -> str | None:
    """The pattern (as of strftime) by which all of these texts are moments in time, if there is one.

    Example:
        >>> [moment_pattern(texts) for texts in (["31/01/2020", "01/02/2020"], ["2020-01-31 10:00"], ["a-1", "b-2"])]
        ['%d/%m/%Y', 'ISO8601', None]
    """
    return next((pattern for pattern in _PATTERNS if _all_moments(texts, pattern)), None)


def _all_moments(texts: Sequence[str], pattern: str) -> bool:
    shape = _shape(pattern)  # cheap, and stricter than the parser, which would take 2010-11 for a date as well
    return all(shape.fullmatch(text) for text in texts) and bool(_parse_moments(texts, pattern).notna().all())


@cache
def _shape(pattern: str) -> re.Pattern[str]:
    """What texts of a pattern look like."""
    if pattern == "ISO8601":
        return _ISO
    return re.compile(re.sub("%[A-Za-z]", lambda match: _FIELDS[match.group()], re.escape(pattern)))


def _parse_moments(texts: Sequence[str], pattern: str) -> pd.Series:
    return _naive(pd.Series(pd.to_datetime(pd.Series(texts, dtype=object), format=pattern, errors="coerce", utc=True)))


def _naive(when: pd.Series) -> pd.Series:
    if isinstance(when.dtype, pd.DatetimeTZDtype):
        when = when.dt.tz_convert("UTC").dt.tz_localize(None)
    return when.astype("datetime64[us]")


def _parts(when: pd.Series, origin: float) -> dict[str, NDArray[np.float64]]:
    """Every part of PARTS, each (n,), NaN where there is no moment."""
    attributes = {"weekday": "day_of_week"}
    parts = {part: getattr(when.dt, attributes.get(part, part)).to_numpy(np.float64) for part in PARTS[:-1]}
    return parts | {"elapsed": (when - pd.Timestamp(0)).dt.total_seconds().to_numpy(np.float64) - origin}


def _spelled(column: pd.Series, reading: Reading) -> NDArray[np.float64]:  # (n,)
    """A column read as numbers, or as truth values."""
    if reading.holds == "number" or pd.api.types.is_numeric_dtype(column.dtype):
        return numbers(column, reading.style, reading.unit)
    codes, texts = labels(column)
    words = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
    return np.array([*(words.get(text.lower(), np.nan) for text in texts), np.nan])[codes]


def _categorical(column: pd.Series, categories: Sequence[str]) -> pd.Categorical:
    codes, texts = labels(column)
    index = pd.Index(categories, dtype="str")
    mapping = np.append(index.get_indexer(texts) if texts else np.empty(0, dtype=np.intp), -1)
    return pd.Categorical.from_codes(mapping[codes], categories=index)


def _part_names(reading: Reading, taken: set[str]) -> list[str]:
    """The names of the parts of a date, none of which may meet another column's."""
    names = []
    for part in reading.parts:
        name = f"{reading.name}.{part}"
        while name in taken:
            name += "'"
        taken.add(name)
        names.append(name)
    return names


def _is_plain(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iufb"


def holds_dates(dtype: Any) -> bool:
    """Whether a dtype is one of moments in time. Arrow's are read as text."""
    if isinstance(dtype, pd.ArrowDtype):
        return False
    return bool(pd.api.types.is_datetime64_any_dtype(dtype)) or isinstance(dtype, pd.PeriodDtype)


def _is_complex(dtype: Any) -> bool:
    return bool(pd.api.types.is_complex_dtype(dtype))


def _is_count(low: float, high: float, n: int) -> bool:
    return low in (0, 1) and high - low == n - 1


def _names_identifier(name: str) -> bool:
    """Whether a column is called an identifier: id, user_id, CustomerId, uuid, index."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return len(words) > 0 and (
        words[0] in ("id", "unnamed") or words[-1] in ("id", "uuid") or name.lower() in _ROW_NAMES
    )


def listed(names: Sequence[Any], most: int = 8) -> str:
    """Names for a sentence: ``'a', 'b' and 3 more``.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        "'a', 'b' and 1 more"
    """
    text = ", ".join(repr(str(name)) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
