"""What the columns of a raw table hold, found once on the training table; each encoded alone ever after.

A column holds numbers, truth values, categories, moments in time or free text, or is of no use (constant, empty, or an
identifier). `find_columns` decides, and keeps what it found in one small `ColumnEncoder` for each useful column: that
reads the column of a later table in the same way, whatever its dtype.

Law: what a column holds depends on its own cells and on its name; how a cell is encoded on that cell and on what
training found.
To add a kind of column, add its name to `Holds`, a function to `_DETECTORS` where it comes in their order, and its
features to `ColumnEncoder` and `Schema.apply`.

Letters:  n rows · p columns · d distinct texts of a column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import (
    Style,
    common_unit,
    holds_plain_numbers,
    labels,
    number_style,
    numbers,
    spelled_numbers,
    without_unit,
)
from autometa.task.moments import PARTS, holds_dates, is_ambiguous, moment_pattern, moments, parts
from autometa.task.names import listed
from autometa.task.options import OPTIONS

Holds = Literal["number", "boolean", "category", "datetime", "text"]

_ROW_NAMES = ("index", "idx", "key", "row", "rowid", "rownames")
_WORDS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+")


@dataclass(frozen=True, slots=True)
class ColumnEncoder:
    """What one raw column holds, and what is needed to encode it again; part of every saved model.

    Example:
        >>> raw = pd.Series(["$5", "$1,200", "?"] * 10, name="price")
        >>> (price,) = find_columns(raw.to_frame()).encoders
        >>> price.holds, price.style, price.unit
        ('number', 'thousands', '$')
        >>> price.numbers(pd.Series(["$ 1,000", 7.5]))
        array([1000. ,    7.5])
    """

    name: str  # of the raw column
    holds: Holds
    style: Style = "point"  # of numbers that arrive as text
    unit: str = ""  # that each of those carries: a sign of currency, %, kg
    categories: tuple[str, ...] = ()  # sorted
    pattern: str = "ISO8601"  # of moments that arrive as text, as of strftime
    parts: tuple[str, ...] = ()  # of PARTS, those that varied in training
    origin: float = 0.0  # seconds since 1970 from which the part `elapsed` counts

    @property
    def is_plain(self) -> bool:
        """Whether it becomes one column of numbers: numbers themselves, and truth values as 0 and 1."""
        return self.holds in ("number", "boolean")

    def numbers(self, column: pd.Series) -> NDArray[np.float64]:  # (n,) -> (n,)
        """A column of numbers or truth values; NaN where missing, or neither."""
        if self.holds == "number" or pd.api.types.is_numeric_dtype(column.dtype):
            return numbers(column, self.style, self.unit)
        codes, texts = labels(column)
        words = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
        return np.array([*(words.get(text.lower(), np.nan) for text in texts), np.nan])[codes]

    def moment_parts(self, column: pd.Series) -> list[NDArray[np.float64]]:  # (n,) -> (len(parts), n)
        """The parts of a column of moments; NaN where missing, or no moment."""
        found = parts(moments(column, self.pattern), self.origin)
        return [found[part] for part in self.parts]

    def category(self, column: pd.Series) -> pd.Categorical:  # (n,) -> (n,)
        """A column of categories; one that training did not see is missing."""
        codes, texts = labels(column)
        index = pd.Index(self.categories, dtype="str")
        mapping = np.append(index.get_indexer(texts) if texts else np.empty(0, dtype=np.intp), -1)
        return pd.Categorical.from_codes(mapping[codes], categories=index)

    def text(self, column: pd.Series) -> pd.api.extensions.ExtensionArray:  # (n,) -> (n,)
        """A column of free text; "" where missing."""
        codes, texts = labels(column)
        return pd.array(np.array([*texts, ""], dtype=object)[codes], dtype="str")


@dataclass(frozen=True, slots=True)
class UselessColumn:
    """Why a column is dropped."""

    name: str
    why: str
    spare: bool = False  # whether it is kept, as numbers, where no other column is of use: better than nothing


Found = ColumnEncoder | UselessColumn


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """What the columns of a table hold, in its order, and notes for the user."""

    encoders: tuple[ColumnEncoder, ...]
    dropped: tuple[tuple[str, str], ...]  # name, why
    notes: tuple[str, ...]


def find_columns(frame: pd.DataFrame) -> FoundColumns:  # (n, p), uniquely named
    """What every column holds.

    Raises:
        InputError: If a column holds complex numbers.

    Example:
        >>> found = find_columns(pd.DataFrame({"age": ["31", "?", "45"], "x": [1, 1, 1]}))
        >>> [encoder.holds for encoder in found.encoders], found.dropped
        (['number'], (('x', 'constant'),))
    """
    remarks = _Remarks()
    plain = [i for i, dtype in enumerate(frame.dtypes) if holds_plain_numbers(dtype)]
    others = sorted(set(range(frame.shape[1])) - set(plain))
    by_name = _find_numbers(frame.iloc[:, plain], remarks) if plain else {}
    by_name |= {frame.columns[i]: _find_column(frame.iloc[:, i], remarks) for i in others}
    found: list[Found] = [by_name[name] for name in frame.columns]
    if not any(isinstance(one, ColumnEncoder) for one in found):
        found = [
            ColumnEncoder(one.name, "number") if isinstance(one, UselessColumn) and one.spare else one for one in found
        ]
    encoders = tuple(one for one in found if isinstance(one, ColumnEncoder))
    dropped = {one.name: one.why for one in found if isinstance(one, UselessColumn)}
    return FoundColumns(encoders, tuple(dropped.items()), tuple(remarks.sentences(dropped, frame.size)))


@dataclass(slots=True)
class _Remarks:
    """What is noticed about the columns on the way, by kind; lists are of their names."""

    missing: dict[str, int] = field(default_factory=dict)  # cells of each column
    infinite: list[str] = field(default_factory=list)
    many: list[str] = field(default_factory=list)  # with many categories
    text: list[str] = field(default_factory=list)
    single: list[str] = field(default_factory=list)  # whole sentences

    def sentences(self, dropped: Mapping[str, str], cells: int) -> list[str]:
        """All of it as notes, the longest lists shortened; of a table of so many cells."""
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
            notes.append(f"More than {OPTIONS.many_categories} categories in {listed(self.many)}.")
        if self.text:
            notes.append(f"Free text in {listed(self.text)}.")
        return notes + self.single


# --- columns that arrive as numbers -----------------------------------------------------------------------------------


def _find_numbers(frame: pd.DataFrame, remarks: _Remarks) -> dict[str, Found]:  # (n, p) of numbers and truth values
    """All columns of plain numbers and truth values at once: thousands of them are common."""
    values = frame.to_numpy(np.float64)  # (n, p)
    n = len(values)
    truth = [dtype.kind == "b" for dtype in frame.dtypes]
    finite = np.isfinite(values)
    infinite = np.isinf(values).any(axis=0)
    known = finite.sum(axis=0)
    low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
    out: dict[str, Found] = {}
    for i, name in enumerate(frame.columns):
        if known[i] == 0:
            out[name] = UselessColumn(name, "no values at all")
            continue
        if low[i] == high[i] and known[i] == n:
            out[name] = UselessColumn(name, "constant")
            continue
        if known[i] == n and high[i] - low[i] >= n - 1 and (_is_count(low[i], high[i], n) or _names_identifier(name)):
            column = values[:, i]
            if (column == np.floor(column)).all() and len(np.unique(column)) == n:
                why = "row numbers" if _is_count(low[i], high[i], n) else "an identifier: every row has its own"
                out[name] = UselessColumn(name, why, spare=True)
                continue
        if infinite[i]:
            remarks.infinite.append(name)
        if known[i] < n:
            remarks.missing[name] = n - int(known[i])
        out[name] = ColumnEncoder(name, "boolean" if truth[i] else "number")
    return out


def _is_count(low: float, high: float, n: int) -> bool:
    """Whether n distinct whole numbers between these are 0 to n - 1, or 1 to n."""
    return low in (0, 1) and high - low == n - 1


def _names_identifier(name: str) -> bool:
    """Whether a column is called an identifier: id, user_id, CustomerId, uuid, index."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return len(words) > 0 and (
        words[0] in ("id", "unnamed") or words[-1] in ("id", "uuid") or name.lower() in _ROW_NAMES
    )


# --- columns that arrive as anything else -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _TextColumn:
    """One raw column as its distinct texts."""

    raw: pd.Series  # (n,)
    codes: NDArray[np.intp]  # (n,) into texts; -1 missing
    texts: Sequence[str]  # (d,) each of which some row has

    @classmethod
    def of(cls, raw: pd.Series) -> _TextColumn:
        codes, texts = labels(raw)
        present = np.bincount(codes[codes >= 0], minlength=len(texts)) > 0
        if not present.all():  # a pandas category may list labels that no row has
            texts = [text for text, here in zip(texts, present, strict=True) if here]
            codes = np.append(np.cumsum(present) - 1, -1)[codes]
        return cls(raw, codes, texts)

    @property
    def name(self) -> str:
        return str(self.raw.name)

    @property
    def known(self) -> int:
        """Cells that are not missing."""
        return int((self.codes >= 0).sum())

    @property
    def missing(self) -> int:
        return len(self.codes) - self.known


def _find_column(column: pd.Series, remarks: _Remarks) -> Found:  # (n,)
    """What a column of any dtype but plain numbers holds."""
    name = str(column.name)
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype):
        return _find_numbers(pd.DataFrame({name: numbers(column)}), remarks)[name]
    if holds_dates(column.dtype):
        return _found_moments(name, moments(column), "ISO8601", remarks)
    texts = _TextColumn.of(column)
    found = (detect(texts, remarks) for detect in _DETECTORS)
    return next((one for one in found if one is not None), None) or _category(texts, remarks)


def _useless(column: _TextColumn, remarks: _Remarks) -> UselessColumn | None:
    """No values, or one."""
    if not column.known:
        return UselessColumn(column.name, "no values at all")
    if len(column.texts) == 1 and not column.missing:
        return UselessColumn(column.name, "constant")
    return None


def _boolean(column: _TextColumn, remarks: _Remarks) -> ColumnEncoder | None:
    """Truth values."""
    if not {text.lower() for text in column.texts} <= {"true", "false"}:
        return None
    if column.missing:
        remarks.missing[column.name] = column.missing
    return ColumnEncoder(column.name, "boolean")


def _spelled(column: _TextColumn, remarks: _Remarks) -> Found | None:
    """Texts that spell numbers, all but a few odd words. A pandas category holds categories, whatever they spell."""
    if isinstance(column.raw.dtype, pd.CategoricalDtype):
        return None
    name, codes, texts = column.name, column.codes, column.texts
    unit = common_unit(texts, OPTIONS.odd_words)
    spelled = [without_unit(text, unit) or "" for text in texts] if unit else texts
    style = number_style(spelled)
    if style is None:
        strange = (i for i, text in enumerate(spelled) if number_style([text]) is None)
        odd = list(islice(strange, OPTIONS.odd_words + 1))
        if len(odd) > OPTIONS.odd_words or len(texts) - len(odd) <= OPTIONS.odd_beside:
            return None
        style = number_style([text for i, text in enumerate(spelled) if i not in odd])
        cells = np.isin(codes, odd).sum()
        if style is None or cells > OPTIONS.odd_share * column.known:
            return None
        words = listed([texts[i] for i in odd])
        remarks.single.append(f"Column {name!r} holds numbers; {words} taken as missing ({cells} cells).")
    if unit:
        remarks.single.append(f"Column {name!r} holds numbers with the unit {unit!r}, which is left out.")
    values = np.append(spelled_numbers(spelled, style), np.nan)[codes]
    found = _find_numbers(pd.DataFrame({name: values}), remarks)[name]
    return ColumnEncoder(name, "number", style, unit) if isinstance(found, ColumnEncoder) else found


def _moments(column: _TextColumn, remarks: _Remarks) -> Found | None:
    """Texts that are moments, all in one pattern."""
    pattern = moment_pattern(column.texts)
    if pattern is None:
        return None
    return _found_moments(column.name, moments(column.raw, pattern), pattern, remarks, column.texts)


def _found_moments(name: str, when: pd.Series, pattern: str, remarks: _Remarks, texts: Sequence[str] = ()) -> Found:
    """A column of moments: its parts that vary."""
    if when.isna().all():
        return UselessColumn(name, "no values at all")
    if when.notna().all() and when.nunique() == 1:
        return UselessColumn(name, "constant")
    if when.isna().any():
        remarks.missing[name] = int(when.isna().sum())
    origin = float(np.nanmin(parts(when, 0.0)["elapsed"]))
    found = parts(when, origin)
    varying = tuple(part for part in PARTS if np.nanmin(found[part]) < np.nanmax(found[part])) or ("elapsed",)
    note = f"Column {name!r} holds dates or times; its features: {', '.join(varying)}"
    if is_ambiguous(texts, pattern):
        note += f"; its order of day and month is ambiguous and read as {pattern}"
    remarks.single.append(f"{note}.")
    return ColumnEncoder(name, "datetime", pattern=pattern, parts=varying, origin=origin)


def _text(column: _TextColumn, remarks: _Remarks) -> ColumnEncoder | None:
    """Sentences: three words on average that seldom repeat, or two that hardly ever do."""
    distinct = len(column.texts)
    words = sum(len(text.split()) for text in column.texts) / distinct
    share = distinct / column.known
    seldom = words >= 3 and share > OPTIONS.text_three_words_share
    hardly = words >= 2 and share > OPTIONS.text_two_words_share
    if distinct <= OPTIONS.text_distinct or not (seldom or hardly):
        return None
    remarks.text.append(column.name)
    return ColumnEncoder(column.name, "text")


def _identifier(column: _TextColumn, remarks: _Remarks) -> UselessColumn | None:
    """A word of its own for every row."""
    if len(column.texts) < len(column.codes) or len(column.codes) < OPTIONS.identifier_rows:
        return None
    return UselessColumn(column.name, "an identifier: every row has its own")


def _category(column: _TextColumn, remarks: _Remarks) -> ColumnEncoder:
    """What holds nothing else."""
    if column.missing:
        remarks.missing[column.name] = column.missing
    if len(column.texts) > OPTIONS.many_categories:
        remarks.many.append(column.name)
    return ColumnEncoder(column.name, "category", categories=tuple(sorted(column.texts)))


# Asked in this order; the first that does not say None decides, and what none of them knows holds categories.
_Detector = Callable[[_TextColumn, _Remarks], Found | None]
_DETECTORS: tuple[_Detector, ...] = (_useless, _boolean, _spelled, _moments, _text, _identifier)
