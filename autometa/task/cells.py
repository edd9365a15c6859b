"""One cell, one meaning: texts, numbers and units, however a column arrived.

Whether a column arrives as numbers, as text that spells numbers, or as a pandas category, `labels` gives every cell the
same text whatever the file format; what is missing, what is a number and which unit stands beside it are decided from
those texts alone.

Law: a cell means the same in every file format and beside any other cells of its column.
To have another word for missing, add it to `MISSING_TEXTS`. Another way to spell numbers is a name in `Style`, a
pattern in `_SPELLINGS` and the way back in `_as_float`; another sign of currency goes to `_CURRENCY`.

Letters:  n rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem

Style = Literal["point", "comma", "thousands"]  # how text spells a number: 1234.5, 1.234,5 or 1,234.5

MISSING_TEXTS = frozenset(  # how files say that a cell is empty, surrounding blanks aside
    (
        *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "null", "Null", "NULL", "None"),
        *("nan", "NaN", "NAN", "-nan", "NaT"),
    )
)

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

    Example:
        >>> spelled_numbers(["1.234,5", "7", "12.5 kg", "many"], "comma", "kg")
        array([1234.5,    7. ,   12.5,    nan])
    """
    out = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        text = without_unit(text, unit) or text
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


def numbers(column: pd.Series, style: Style = "point", unit: str = "") -> NDArray[np.float64]:  # (n,)
    """A column as numbers, NaN where missing or not a number; durations in seconds.

    Args:
        column: (n,) of any dtype.
        style: How its texts spell numbers, if it holds text; one in another style is read in that.
        unit: What may stand beside the numbers in its texts.

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
    codes, texts = labels(column)
    return np.append(spelled_numbers(texts, style, unit), np.nan)[codes]


def holds_plain_numbers(dtype: Any) -> bool:
    """Whether cells of this dtype are NumPy's numbers or truth values, which need no reading."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iufb"
