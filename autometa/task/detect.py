"""What the columns of a raw table hold, found once on the training table.

A column holds numbers, truth values, categories, moments in time or free text, or is of no use (constant, empty, or an
identifier). A few odd words among numbers or dates are missing cells: those that say so in any number, others where
they are rare, or one that repeats. A column of large whole numbers that float64 would merge holds categories.

Laws: what a column holds depends on its own cells and on its name, unless it is asked for (`ColumnRequest`); only
whether a count of the rows is kept depends on the target: it is where it foretells it. Nothing is dropped unsaid.
To add a kind of column, see `autometa.task.columns`; its detector goes to `_DETECTORS` where it comes in their order.

Letters:  n rows · p columns · d distinct texts of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import (
    MISSING_TEXTS,
    UNKNOWN_TEXTS,
    are_codes,
    are_long,
    holds_plain_numbers,
    number_style,
    numbers,
    spelling,
)
from autometa.task.columns import ColumnEncoder, Found, FoundColumns, UselessColumn, missing_numbers
from autometa.task.distinct import Remarks, TextColumn, is_text, long_columns, say_odd, shown_decimal
from autometa.task.identifiers import foretells, look_like_codes, names_identifier, word_count
from autometa.task.moments import (
    PARTS,
    count_pattern,
    fit,
    holds_dates,
    is_ambiguous,
    likely_pattern,
    moments,
    parts,
    spread,
)
from autometa.task.options import OPTIONS

TYPES = ("number", "category", "text", "date")  # what a column can be asked to hold


@dataclass(frozen=True, slots=True)
class ColumnRequest:
    """What somebody asks of columns; None, and what is not named, is left to the columns."""

    keep: tuple[str, ...] = ()  # never dropped
    drop: tuple[str, ...] = ()  # always dropped
    types: Mapping[str, str] = field(default_factory=dict)  # column -> one of TYPES
    missing: frozenset[str] = MISSING_TEXTS  # the words for missing
    decimal: str | None = None  # the decimal sign of the file

    @property
    def as_written(self) -> tuple[str, ...]:
        """The columns whose cells are taken as a file has them: as categories and as text, 01 is not 1."""
        return tuple(name for name, kind in self.types.items() if kind in ("category", "text"))


NOTHING_ASKED = ColumnRequest()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known beside the cells of a column."""

    request: ColumnRequest
    decimal: str
    y: NDArray[Any] | None  # (n,) the target as codes or numbers
    classes: bool  # whether it is codes


def find_columns(
    frame: pd.DataFrame,  # (n, p), uniquely named
    request: ColumnRequest = NOTHING_ASKED,
    y: NDArray[Any] | None = None,  # (n,)
    *,
    classes: bool = True,
) -> FoundColumns:
    """What every column holds.

    Args:
        frame: (n, p) raw, uniquely named.
        request: What is asked of some.
        y: (n,) the target as codes or numbers, if there is one: whether a count of the rows foretells it.
        classes: Whether `y` is codes.

    Raises:
        InputError: If a column holds complex numbers.

    Example:
        >>> found = find_columns(pd.DataFrame({"age": ["31", "?", "45"], "x": [1, 1, 1]}))
        >>> [encoder.holds for encoder in found.encoders], found.dropped
        (['number'], (('x', 'constant'),))
    """
    remarks = Remarks()
    asked = {name for name in frame.columns if name in request.types or name in request.drop}
    direct = [holds_plain_numbers(dtype) for dtype in frame.dtypes]
    long = long_columns(frame)
    plain = [i for i, name in enumerate(frame.columns) if direct[i] and name not in asked and i not in long]
    others = dict(frame.iloc[:, sorted(set(range(frame.shape[1])) - set(plain))].items())
    texts = {name: TextColumn.of(column, request.missing) for name, column in others.items() if is_text(column)}
    decimal = request.decimal or shown_decimal(texts.values())
    seen = Seen(request, decimal, y, classes)
    by_name: dict[str, Found] = {}
    step = max(1, OPTIONS.cells_at_once // max(len(frame), 1))
    for start in range(0, len(plain), step):
        by_name |= _find_numbers(frame.iloc[:, plain[start : start + step]], seen, remarks)
    by_name |= {name: _find_column(column, texts.get(name), seen, remarks) for name, column in others.items()}
    found: list[Found] = [_kept(by_name[name], frame, seen, remarks) for name in frame.columns]
    if not any(isinstance(one, ColumnEncoder) for one in found):
        found = [
            ColumnEncoder(one.name, "number", missing=request.missing)
            if isinstance(one, UselessColumn) and one.spare
            else one
            for one in found
        ]
    rare = OPTIONS.rarely_missing * max(len(frame), 1)
    encoders = tuple(
        replace(one, had_missing=remarks.missing.get(one.name, 0) > rare)
        for one in found
        if isinstance(one, ColumnEncoder)
    )
    dropped = {one.name: one.why for one in found if isinstance(one, UselessColumn)}
    return FoundColumns(encoders, tuple(dropped.items()), tuple(remarks.sentences(dropped, frame.size)), decimal)


def _kept(found: Found, frame: pd.DataFrame, seen: Seen, remarks: Remarks) -> Found:
    """What was found, unless it would be dropped and is asked to be kept: then it holds numbers, text or categories."""
    if isinstance(found, ColumnEncoder) or found.name not in seen.request.keep:
        return found
    column = frame[found.name]
    if found.spare or not is_text(column):
        return ColumnEncoder(found.name, "number", missing=seen.request.missing)
    texts = TextColumn.of(column, seen.request.missing)
    return (
        _free_text(texts, seen, remarks)
        if len(texts.texts) > OPTIONS.text_distinct
        else _category(texts, seen, remarks)
    )


# --- columns that arrive as numbers -----------------------------------------------------------------------------------


def _find_numbers(frame: pd.DataFrame, seen: Seen, remarks: Remarks) -> dict[str, Found]:  # (n, p) plain numbers
    """All columns of plain numbers and truth values at once: thousands of them are common."""
    values = frame.to_numpy(np.float64)  # (n, p)
    said = missing_numbers(seen.request.missing)
    if len(said):
        values = np.where(np.isin(values, said), np.nan, values)
    n = len(values)
    truth = [dtype.kind == "b" for dtype in frame.dtypes]
    finite = np.isfinite(values)
    infinite = np.isinf(values).any(axis=0).tolist()
    known = finite.sum(axis=0).tolist()
    low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf).tolist()
    high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf).tolist()
    out: dict[str, Found] = {}
    for i, name in enumerate(frame.columns):
        if known[i] == 0:
            out[name] = UselessColumn(name, "no values at all")
            continue
        if low[i] == high[i] and known[i] == n:
            out[name] = UselessColumn(name, "constant")
            continue
        count = low[i] in (0, 1) and high[i] - low[i] == n - 1  # 0 to n - 1, or 1 to n
        if known[i] == n and high[i] - low[i] >= n - 1 and (count or names_identifier(name)):
            column = values[:, i]
            if (column == np.floor(column)).all() and len(np.unique(column)) == n:
                why = "row numbers" if count else "an identifier: every row has its own"
                useless = _useless_count(name, why, column, seen, remarks)
                if useless is not None:
                    out[name] = useless
                    continue
        if infinite[i]:
            remarks.infinite.append(name)
        if known[i] < n:
            remarks.missing[name] = n - known[i]
        out[name] = ColumnEncoder(name, "boolean" if truth[i] else "number", missing=seen.request.missing)
    return out


def _useless_count(
    name: str, why: str, column: NDArray[np.float64], seen: Seen, remarks: Remarks
) -> UselessColumn | None:  # column: (n,)
    """A count of the rows is of no use, unless it foretells the target, and not because the rows are sorted by it."""
    told, ordered = foretells(column, seen.y, classes=seen.classes)
    if told and not ordered:
        remarks.single.append(
            f"Column {name!r} numbers the rows and foretells the target: it is kept; --drop drops it."
        )
        return None
    if told and not seen.classes and not names_identifier(name):
        remarks.single.append(f"Column {name!r} numbers the rows, which are in order of the target: it is kept.")
        return None
    return UselessColumn(name, f"{why}; the rows are sorted by the target" if told else why, spare=True)


# --- columns that arrive as anything else -----------------------------------------------------------------------------


def _find_column(column: pd.Series, texts: TextColumn | None, seen: Seen, remarks: Remarks) -> Found:  # (n,)
    """What a column of any dtype but plain numbers holds, or one that is asked to be something."""
    name = str(column.name)
    if name in seen.request.drop:
        return UselessColumn(name, "as asked")
    if name in seen.request.types:
        return _asked(column, seen, remarks)
    if texts is None and holds_dates(column.dtype):
        return _found_moments(name, moments(column), "ISO8601", seen, remarks)
    if texts is None:
        return _find_numbers(pd.DataFrame({name: numbers(column)}), seen, remarks)[name]
    found = (detect(texts, seen, remarks) for detect in _DETECTORS)
    return next((one for one in found if one is not None), None) or _category(texts, seen, remarks)


def _asked(column: pd.Series, seen: Seen, remarks: Remarks) -> Found:
    """A column as it is asked to be; what cannot be read so is missing, and said."""
    name, kind = str(column.name), seen.request.types[str(column.name)]
    texts = TextColumn.of(column, seen.request.missing)
    if not texts.known:
        return UselessColumn(name, "no values at all")
    if kind in ("category", "text"):
        found = _category(texts, seen, remarks) if kind == "category" else _free_text(texts, seen, remarks)
        return ColumnEncoder(name, found.holds, categories=found.categories, missing=found.missing, written=True)
    if kind == "date" and not is_text(column) and not holds_dates(column.dtype):
        counted = count_pattern(numbers(column))
        if counted is not None:
            when = moments(column, counted, missing=seen.request.missing)
            return _found_moments(name, when, counted, seen, remarks)
    if kind == "number" and not is_text(column) and not holds_dates(column.dtype):
        if column.nunique() == 1:
            return ColumnEncoder(name, "number", missing=seen.request.missing)
        found_ = _find_numbers(pd.DataFrame({name: numbers(column)}), seen, remarks)[name]
        return (
            ColumnEncoder(name, "number", missing=seen.request.missing) if isinstance(found_, UselessColumn) else found_
        )
    if kind == "date" and holds_dates(column.dtype):
        return _found_moments(name, moments(column), "ISO8601", seen, remarks)
    odd: Sequence[int]
    if kind == "date":
        pattern = likely_pattern(texts.texts) or "ISO8601"
        read = fit(texts.texts, pattern)
        odd = np.flatnonzero(~read.moment).tolist()
        say_odd(texts, odd, "dates", remarks)
        when = spread(read.when, texts.codes)
        return _found_moments(name, when, pattern, seen, remarks, texts.texts, tuple(texts.texts[i] for i in odd))
    spelled = spelling(texts.texts, seen.decimal)
    assert spelled is not None
    say_odd(texts, spelled.odd, "numbers", remarks)
    return ColumnEncoder(name, "number", spelled.style, spelled.unit, missing=seen.request.missing)


def _useless(column: TextColumn, seen: Seen, remarks: Remarks) -> UselessColumn | None:
    """No values, or one."""
    if not column.known:
        return UselessColumn(column.name, "no values at all")
    if len(column.texts) == 1 and not column.missing:
        return UselessColumn(column.name, "constant")
    return None


def _boolean(column: TextColumn, seen: Seen, remarks: Remarks) -> ColumnEncoder | None:
    """Truth values."""
    if not all(text.lower() in ("true", "false") for text in column.texts):
        return None
    if column.missing:
        remarks.missing[column.name] = column.missing
    return ColumnEncoder(column.name, "boolean", missing=seen.request.missing)


def _spelled(column: TextColumn, seen: Seen, remarks: Remarks) -> Found | None:
    """Texts that spell numbers, all but a few odd words. A pandas category holds categories, whatever they spell."""
    if isinstance(column.raw.dtype, pd.CategoricalDtype) or are_codes(column.texts):
        return None
    name, texts = column.name, column.texts
    found = spelling(texts, seen.decimal, most_odd=OPTIONS.odd_words + len(UNKNOWN_TEXTS))
    if found is None or (
        found.odd and not column.are_missing(found.odd, len(texts) - len(found.odd), OPTIONS.odd_beside)
    ):
        return None
    if are_long(texts):
        remarks.long.append(name)
        return None
    say_odd(column, found.odd, "numbers", remarks)
    if found.unit:
        remarks.single.append(f"Column {name!r} holds numbers with the unit {found.unit!r}, which is left out.")
    if seen.decimal == "," and found.style == "comma" and number_style(texts) == "point":
        example = next((text for text in texts if "." in text), "")
        remarks.single.append(
            f"Column {name!r}: {example} has a point between thousands, as the decimal sign is the comma."
        )
    values = np.append(found.values, np.nan)[column.codes]
    numeric = _find_numbers(pd.DataFrame({name: values}), seen, remarks)[name]
    if isinstance(numeric, UselessColumn) and not (numeric.spare and found.unit):  # what is weighed is no count
        return numeric
    odd = tuple(texts[i] for i in found.odd)
    return ColumnEncoder(name, "number", found.style, found.unit, missing=seen.request.missing, odd=odd)


def _moments(column: TextColumn, seen: Seen, remarks: Remarks) -> Found | None:
    """Texts that are moments in one pattern, all but a few that are impossible, or odd words."""
    texts = [text for text in column.texts if text.casefold() not in UNKNOWN_TEXTS]
    pattern = likely_pattern(texts)
    if pattern is None:
        return None
    read = fit(column.texts, pattern)
    odd = np.flatnonzero(~read.moment).tolist()
    impossible = column.cells(odd) <= max(OPTIONS.impossible_share * column.known, 1)
    if (
        odd
        and not (read.looks[odd].all() and impossible)
        and not column.are_missing(odd, len(texts) - len(odd), OPTIONS.dates_beside)
    ):
        return None
    say_odd(column, odd, "dates", remarks)
    when = spread(read.when, column.codes)
    odd_words = tuple(column.texts[i] for i in odd)
    return _found_moments(column.name, when, pattern, seen, remarks, column.texts, odd_words)


def _found_moments(
    name: str,
    when: pd.Series,  # (n,)
    pattern: str,
    seen: Seen,
    remarks: Remarks,
    texts: Sequence[str] = (),
    odd: tuple[str, ...] = (),
) -> Found:
    """A column of moments: its parts that vary."""
    if when.isna().all():
        return UselessColumn(name, "no values at all")
    if when.notna().all() and when.nunique() == 1 and name not in seen.request.types:
        return UselessColumn(name, "constant")
    if when.isna().any():
        remarks.missing[name] = int(when.isna().sum())
    origin = float(np.nanmin(parts(when, 0.0)["elapsed"]))
    found = parts(when, origin)
    varying = tuple(part for part in PARTS if np.nanmin(found[part]) < np.nanmax(found[part])) or ("elapsed",)
    note = f"Column {name!r} holds dates or times; its features: {', '.join(varying)}"
    if is_ambiguous([text for text in texts if text not in odd], pattern):
        note += f"; its order of day and month is ambiguous and read as {pattern}"
    remarks.single.append(f"{note}.")
    return ColumnEncoder(
        name, "datetime", pattern=pattern, parts=varying, origin=origin, missing=seen.request.missing, odd=odd
    )


def _text(column: TextColumn, seen: Seen, remarks: Remarks) -> ColumnEncoder | None:
    """Sentences: three words on average that seldom repeat, or two that hardly ever do."""
    distinct = len(column.texts)
    words = sum(map(word_count, column.texts)) / distinct
    share = distinct / column.known
    seldom = words >= 3 and share > OPTIONS.text_three_words_share
    hardly = words >= 2 and share > OPTIONS.text_two_words_share
    if distinct <= OPTIONS.text_distinct or not (seldom or hardly):
        return None
    return _free_text(column, seen, remarks)


def _free_text(column: TextColumn, seen: Seen, remarks: Remarks) -> ColumnEncoder:
    """A column of text, whatever is in it."""
    remarks.text.append(column.name)
    if column.missing:
        remarks.missing[column.name] = column.missing
    return ColumnEncoder(column.name, "text", missing=seen.request.missing)


def _identifier(column: TextColumn, seen: Seen, remarks: Remarks) -> Found | None:
    """A word of its own for every row: an identifier where they look like codes, names and the like are text."""
    if len(column.texts) < len(column.codes) or len(column.codes) < OPTIONS.identifier_rows:
        return None
    if look_like_codes(column.texts) or names_identifier(column.name):
        return UselessColumn(column.name, "an identifier: every row has its own")
    return _free_text(column, seen, remarks) if len(column.texts) > OPTIONS.text_distinct else None


def _category(column: TextColumn, seen: Seen, remarks: Remarks) -> ColumnEncoder:
    """What holds nothing else."""
    if column.missing:
        remarks.missing[column.name] = column.missing
    if len(column.texts) > OPTIONS.many_categories:
        remarks.many.append(column.name)
    return ColumnEncoder(column.name, "category", categories=tuple(sorted(column.texts)), missing=seen.request.missing)


# Asked in this order; the first that does not say None decides, and what none of them knows holds categories.
_Detector = Callable[[TextColumn, Seen, Remarks], Found | None]
_DETECTORS: tuple[_Detector, ...] = (_useless, _boolean, _spelled, _moments, _text, _identifier)
