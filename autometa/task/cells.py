"""One cell, one meaning: texts, numbers and units, however a column arrived.

Whether a column arrives as numbers, as text that spells numbers, or as a pandas category, `labels` gives every cell the
same text whatever the file format; what is missing, what is a number and which unit stands beside it are decided from
those texts alone.

Law: a cell means the same in every file format and beside any other cells of its column.
To have another word for missing, add it to `MISSING_TEXTS`, or to `UNKNOWN_TEXTS` if it is one among numbers only.
Another way to spell numbers is a name in `Style`, a pattern in `_SPELLINGS` and the way back in `_as_float`; what is
written around them is known to `quantities`.

Letters:  n rows · d distinct texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.task.quantities import Quantity, quantity

Style = Literal["point", "comma", "thousands"]  # how text spells a number: 1234.5, 1.234,5 or 1,234.5

MISSING_TEXTS = frozenset(  # how files say that a cell is empty, surrounding blanks aside
    (
        *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "null", "Null", "NULL", "None"),
        *("nan", "NaN", "NAN", "-nan", "NaT"),
    )
)
UNKNOWN_TEXTS = frozenset(  # words that, among numbers or dates, say the same; among words they are words
    (
        *(
            "-",
            "--",
            "---",
            "–",
            "—",
            ".",
            "..",
            "...",
            "…",
            "*",
            "**",
            "/",
            "x",
            "\\n",
            "none",
            "nil",
            "void",
            "(null)",
            "na",
        ),
        *(
            "n.a.",
            "n.a",
            "n. a.",
            "n.d.",
            "nd",
            "n.v.",
            "#value!",
            "#div/0!",
            "#ref!",
            "#num!",
            "#name?",
            "not available",
        ),
        *(
            "unknown",
            "unk",
            "missing",
            "not applicable",
            "tbd",
            "tba",
            "k.a.",
            "k. a.",
            "k.a",
            "keine angabe",
            "unbekannt",
        ),
        *("entfällt", "s/o", "s.o.", "inconnu", "nc", "n.c.", "sin dato", "s/d", "desconocido", "нет", "нет данных"),
        *("н/д", "无", "暂无", "未知", "不明", "なし", "없음"),
    )
)

_GROUPS = r"[1-9][0-9]{0,2}(,[0-9]{3})+|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}"  # 1,234,567; in India 12,34,567
_SPELLINGS: dict[Style, re.Pattern[str]] = {  # in the order in which they are tried
    "point": re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?inf(inity)?", re.IGNORECASE),
    "thousands": re.compile(rf"[+-]?([0-9]+|{_GROUPS})(\.[0-9]*)?(e[+-]?[0-9]+)?", re.IGNORECASE),
    "comma": re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]*)?(e[+-]?[0-9]+)?", re.IGNORECASE),
}
_SHOWS = {  # spellings in which the decimal sign cannot be a mark of thousands
    ".": re.compile(rf"[+-]?([0-9]*\.([0-9]{{1,2}}|[0-9]{{4,}})|({_GROUPS})\.[0-9]+|0\.[0-9]+)"),
    ",": re.compile(r"[+-]?([0-9]*,([0-9]{1,2}|[0-9]{4,})|[1-9][0-9]{0,2}(\.[0-9]{3})+,[0-9]+|0,[0-9]+)"),
}
_POINTED = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+")  # what may be thousands with points between
_BARE = re.compile(r"[+-]?(0|[1-9][0-9]{0,2})")  # and what they would be below a thousand
_ADDRESS = re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}")  # of a machine: 192.168.100.100
_POWER = re.compile(r"[0-9]+[eE][0-9]+")  # 1E2: a code where all are so, for numbers would have a point or a sign


_PHONE = re.compile(r"\+[1-9](?:[ \u00a0\u2009\u202f()/-]*[0-9]){7,14}")  # +49 100 200 300: international, as ITU E.164


def labels(column: pd.Series, missing: Collection[str] = MISSING_TEXTS) -> tuple[NDArray[np.intp], list[str]]:
    """Every cell as a code into distinct texts, the same texts however the column arrived.

    Whole numbers lose their ``.0``, texts their surrounding blanks, and the usual words for missing are missing.

    Args:
        column: (n,) of any dtype; cells that cannot be hashed, such as lists out of JSON, are taken as they print.
        missing: The texts that count as missing.

    Returns:
        (n,) codes, -1 where missing, and the texts in the order of their first appearance; those of a pandas category
        in the order of its categories, also where no row has them.

    Example:
        >>> labels(pd.Series([" b", "a", "NA", None, "b"]))
        (array([ 0,  1, -1, -1,  0]), ['b', 'a'])
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.array.codes.astype(np.intp), column.array.categories.tolist()
    elif isinstance(column.dtype, pd.StringDtype) and column.dtype.storage == "pyarrow":
        codes, values = _factorized(column.array)
    else:
        try:
            codes, found = pd.factorize(column)
        except TypeError:  # unhashable cells, such as lists out of JSON
            codes, found = pd.factorize(column.map(str, na_action="ignore").astype(object))
        values = found.tolist()
    known: dict[str, int] = {}
    mapping = [known.setdefault(text, len(known)) if (text := label(one)) not in missing else -1 for one in values]
    return np.array([*mapping, -1], dtype=np.intp)[codes], list(known)  # the last is for code -1


def _factorized(texts: Any) -> tuple[NDArray[np.integer], list[str]]:  # (n,) of pandas' dtype str, in PyArrow's memory
    """As `pandas.factorize`, at a third of its cost for a column of a hundred rows: there may be thousands of these."""
    import pyarrow as pa

    cells = pa.array(texts)
    coded = (cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells).dictionary_encode()
    return coded.indices.fill_null(-1).to_numpy(), coded.dictionary.to_pylist()


def label(value: Any) -> str:
    """One value as text: ``3`` for 3 and for 3.0, no surrounding blanks.

    Example:
        >>> label(3.0), label(2.5), label(" a "), label(b"b")
        ('3', '2.5', 'a', 'b')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip()


def number_style(texts: Sequence[str], decimal: str = ".") -> Style | None:
    """How these texts spell numbers; None if one of them is no number.

    Where ``1.234`` or ``1,234`` may mean two things, `decimal` is the decimal sign of the file.

    Example:
        >>> [number_style(texts) for texts in (["1.5", "-2e3"], ["1,5", "2"], ["1,234", "12.5"], ["1", "a"])]
        ['point', 'comma', 'thousands', None]
        >>> number_style(["1.234", "999"]), number_style(["1.234", "999"], decimal=",")
        ('point', 'comma')
    """
    order = ("comma", "point", "thousands") if decimal == "," else _SPELLINGS
    for style in cast("Sequence[Style]", order):
        if all(_SPELLINGS[style].fullmatch(text) for text in texts):
            return style
    return None


def decimal_shown(texts: Iterable[str]) -> frozenset[str]:
    """The decimal signs that texts show beyond doubt: not those that may be marks of thousands.

    Example:
        >>> [sorted(decimal_shown(texts)) for texts in (["20,5", "1.070"], ["1.070", "a"], ["1,234.5"])]
        [[','], [], ['.']]
    """
    texts = [text for text in texts if text[-1:].isdigit()]
    return frozenset(sign for sign, shape in _SHOWS.items() if any(map(shape.fullmatch, texts)))


def has_points_between_thousands(texts: Iterable[str], fewest: int) -> bool:
    """Whether the points in these numbers stand between thousands, though no comma shows it.

    So they do where three digits follow every point in at least `fewest` numbers, and whatever has none is below a
    thousand, as some are: of numbers with fractions, one in ten has fewer digits.

    Example:
        >>> has_points_between_thousands(["999", "1.020", "12.500", "800"], 2)
        True
        >>> has_points_between_thousands(["1.020", "12.500"], 2), has_points_between_thousands(["1.02", "5"], 1)
        (False, False)
    """
    distinct = set(texts)
    if not may_have_points_between_thousands(distinct):
        return False
    pointed = sum("." in text for text in distinct)
    bare = len(distinct) - pointed
    return pointed >= fewest and bare >= max(1, pointed // 100)


def may_have_points_between_thousands(texts: Iterable[str]) -> bool:
    """Whether three digits follow every point in these numbers, and whatever has none is below a thousand.

    Example:
        >>> may_have_points_between_thousands(["1.020", "7"]), may_have_points_between_thousands(["1.02", "7"])
        (True, False)
    """
    return all(_POINTED.fullmatch(text) or _BARE.fullmatch(text) for text in texts)


def common_unit(texts: Sequence[str]) -> str:
    """The unit that all texts carry beside a number; "" where there is none, or several.

    Example:
        >>> [common_unit(texts) for texts in (["$5", "-$1,200"], ["3 kg", "2.5kg"], ["3 kg", "2 lb"], ["c1", "c2"])]
        ['$', 'kg', '', '']
    """
    units = {None if found is None else found.unit for found in map(quantity, texts)}
    return (units.pop() or "") if len(units) == 1 else ""


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """How texts spell numbers, and which of them do not."""

    style: Style
    unit: str
    values: NDArray[np.float64]  # (d,) NaN where a text is no number
    odd: tuple[int, ...]  # the places of those texts


def spelling(texts: Sequence[str], decimal: str = ".", most_odd: float = np.inf) -> Spelling | None:
    """How most of these texts spell numbers; None where more than `most_odd` do not.

    Example:
        >>> found = spelling(["5 kg", "7", "many"])
        >>> found.unit, found.values, found.odd
        ('kg', array([ 5.,  7., nan]), (2,))
    """
    style = number_style(texts, decimal)
    if style is not None:
        return Spelling(style, "", np.array([_as_float(text, style) for text in texts], dtype=np.float64), ())
    found: list[Quantity | None] = []
    odd = 0
    for text in texts:
        found.append(quantity(text))
        odd += found[-1] is None
        if odd > most_odd:
            return None
    numeric = [one for one in found if one is not None]
    (unit, count), *_ = Counter(one.unit for one in numeric if one.unit).most_common(1) or [("", 0)]
    unit = unit if 2 * count >= len(numeric) else ""
    if numeric and all(one.in_parentheses for one in numeric):  # labels, not what an accountant owes
        unit, numeric = "", []
    bare = [one.number for one in numeric if one.unit in ("", unit) and number_style([one.number]) is not None]
    style = number_style(bare, decimal) or "point"
    values = spelled_numbers(texts, style, unit) if bare else np.full(len(texts), np.nan)
    strange = tuple(np.flatnonzero(np.isnan(values)).tolist())
    return None if len(strange) > most_odd else Spelling(style, unit, values, strange)


def spelled_numbers(texts: Sequence[str], style: Style, unit: str = "") -> NDArray[np.float64]:  # (len(texts),)
    """The numbers that texts spell; NaN where a text is no number in this style nor, on its own, in another.

    With a `unit`, it may stand beside them; another may not.

    Example:
        >>> spelled_numbers(["1.234,5", "7", "12.5 kg", "3 lb", "many"], "comma", "kg")
        array([1234.5,    7. ,   12.5,    nan,    nan])
    """
    out = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if not _SPELLINGS[style].fullmatch(text):
            found = quantity(text)
            if found is None or found.unit not in ("", unit):
                continue
            text = found.number
        own = style if _SPELLINGS[style].fullmatch(text) else number_style([text])
        if own is not None:
            out[i] = _as_float(text, own)
    return out


def _as_float(text: str, style: Style) -> float:
    """The number that a text in this style spells."""
    if style == "comma":
        text = text.replace(".", "").replace(",", ".")
    elif style == "thousands":
        text = text.replace(",", "")
    return float(text)


def numbers(
    column: pd.Series, style: Style = "point", unit: str = "", missing: Collection[str] = MISSING_TEXTS
) -> NDArray[np.float64]:  # (n,)
    """A column as numbers, NaN where missing or not a number; durations in seconds.

    Args:
        column: (n,) of any dtype.
        style: How its texts spell numbers, if it holds text; one in another style is read in that.
        unit: What may stand beside the numbers in its texts.
        missing: The texts that count as missing.

    Raises:
        InputError: If the column holds complex numbers.

    Example:
        >>> numbers(pd.Series(["1,5", "?", "2"]), "comma"), numbers(pd.to_timedelta(pd.Series([1, 2]), unit="min"))
        (array([1.5, nan, 2. ]), array([ 60., 120.]))
    """
    if pd.api.types.is_complex_dtype(column.dtype):
        raise InputError(Problem(f"column {column.name!r}", "Complex data not supported", "Split it into two columns."))
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds().to_numpy(np.float64)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    codes, texts = labels(column, missing)
    return np.append(spelled_numbers(texts, style, unit), np.nan)[codes]


def merges(column: pd.Series) -> bool:  # (n,)
    """Whether whole numbers of a column are so large that float64 takes some for one another.

    Example:
        >>> merges(pd.Series([2**53, 2**53 + 1])), merges(pd.Series([2**53, 2**54]))
        (True, False)
    """
    if not pd.api.types.is_integer_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    whole = column.dropna().to_numpy()
    if not len(whole) or max(abs(int(whole.max())), abs(int(whole.min()))) <= 2**53:
        return False
    return len(np.unique(whole)) > len(np.unique(whole.astype(np.float64)))


def are_long(texts: Iterable[str]) -> bool:
    """Whether these are whole numbers, some of which float64 takes for another.

    Example:
        >>> are_long(["9007199254740993", "1"]), are_long(["9007199254740992", "1"]), are_long(["1e20"])
        (True, False, False)
    """
    texts = list(texts)
    digits = all(text.lstrip("+-").isdecimal() for text in texts)
    return digits and any(len(text) > 15 and (len(text) > 300 or int(text) != int(float(text))) for text in texts)


def are_codes(texts: Sequence[str]) -> bool:
    """Whether these look like numbers and are none: 1E2 beside 2E3, the addresses of machines, telephone numbers.

    Example:
        >>> are_codes(["1E2", "0E1"]), are_codes(["1E2", "15"]), are_codes(["192.168.100.100", "192.168.100.101"])
        (True, False, True)
        >>> are_codes(["+49 100 200 300", "+1 555 010 9999", "-"]), are_codes(["+49 100", "-1 200"])
        (True, False)
    """
    if not texts:
        return False
    if any(text[0] == "+" for text in texts[:2] if text):
        known = [text for text in texts if text.casefold() not in UNKNOWN_TEXTS]
        if known and all(map(_PHONE.fullmatch, known)):
            return True
    if any(
        _POWER.fullmatch(text) and np.isinf(float(text)) for text in texts
    ):  # a hash that has one letter, and that e
        return True
    return all(map(_POWER.fullmatch, texts)) or all(
        _ADDRESS.fullmatch(text) is not None and all(int(part) < 256 for part in text.split(".")) for text in texts
    )


def holds_plain_numbers(dtype: Any) -> bool:
    """Whether cells of this dtype are NumPy's numbers or truth values, which need no reading."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iufb"
