"""How the columns of a raw table are encoded: what was found on the training table, applied to each later one alone.

`autometa.task.detect` finds what every useful column holds and keeps it in one small `ColumnEncoder`: that reads the
column of a later table in the same way, whatever its dtype.

Law: how a cell is encoded depends on that cell and on what training found.
To add a kind of column, add its name to `Holds`, its features to `ColumnEncoder` and `Schema.apply`, and what finds it
to `autometa.task.detect`.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import MISSING_TEXTS, Style, labels, numbers
from autometa.task.moments import Clock, moments, parts

Holds = Literal["number", "boolean", "category", "datetime", "text"]

_TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


@dataclass(frozen=True, slots=True)
class ColumnEncoder:
    """What one raw column holds, and what is needed to encode it again; part of every saved model.

    Example:
        >>> from autometa.task.detect import find_columns
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
    clock: Clock = "local"  # of moments with a time zone
    missing: frozenset[str] = MISSING_TEXTS  # the words for missing
    odd: tuple[str, ...] = ()  # words of the training table that were taken as missing besides
    written: bool = False  # whether its cells are taken as a file has them: 01 is not 1
    had_missing: bool = True  # whether more than a few cells of the training table were missing

    def __setstate__(self, state: list[Any]) -> None:
        """Takes the fields in their order; what an older version did not know is as it was then."""
        before = {"clock": "utc"}
        for i, one in enumerate(fields(self)):
            default = before.get(one.name, None if one.default is MISSING else one.default)
            object.__setattr__(self, one.name, state[i] if i < len(state) else default)

    @property
    def is_plain(self) -> bool:
        """Whether it becomes one column of numbers: numbers themselves, and truth values as 0 and 1."""
        return self.holds in ("number", "boolean")

    def numbers(self, column: pd.Series) -> NDArray[np.float64]:  # (n,) -> (n,)
        """A column of numbers or truth values; NaN where missing, or neither."""
        if self.holds == "number" or pd.api.types.is_numeric_dtype(column.dtype):
            values = numbers(column, self.style, self.unit, self.missing)
            return self._without_missing(values)
        codes, texts = labels(column, self.missing)
        return np.array([*(_TRUTH.get(text.lower(), np.nan) for text in texts), np.nan])[codes]

    def _without_missing(self, values: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,) -> (n,)
        """Numbers without those that are words for missing: -999 where somebody says so."""
        return np.where(np.isin(values, missing_numbers(self.missing)), np.nan, values)

    def moment_parts(self, column: pd.Series) -> list[NDArray[np.float64]]:  # (n,) -> (len(parts), n)
        """The parts of a column of moments; NaN where missing, or no moment."""
        found = parts(moments(column, self.pattern, self.clock, self.missing), self.origin)
        return [found[part] for part in self.parts]

    def category(self, column: pd.Series) -> pd.Categorical:  # (n,) -> (n,)
        """A column of categories; one that training did not see is missing."""
        codes, texts = labels(column, self.missing)
        place = {category: i for i, category in enumerate(self.categories)}
        mapping = np.array([*(place.get(text, -1) for text in texts), -1], dtype=np.int32)
        return pd.Categorical.from_codes(mapping[codes], dtype=category_dtype(self.categories), validate=False)

    def text(self, column: pd.Series) -> pd.api.extensions.ExtensionArray:  # (n,) -> (n,)
        """A column of free text; "" where missing."""
        codes, texts = labels(column, self.missing)
        return pd.array(np.array([*texts, ""], dtype=object)[codes], dtype="str")


@lru_cache(maxsize=256)
def category_dtype(categories: tuple[str, ...]) -> pd.CategoricalDtype:
    """The dtype of these categories; made once where columns share them, as those of a thousand genes do.

    Example:
        >>> category_dtype(("no", "yes")).categories.tolist()
        ['no', 'yes']
    """
    return pd.CategoricalDtype(pd.Index(categories, dtype="str"))


def missing_numbers(words: Collection[str]) -> NDArray[np.float64]:
    """The numbers among words for missing.

    Example:
        >>> missing_numbers({"-999", "NA"})
        array([-999.])
    """
    return np.array([float(word) for word in words if word.lstrip("+-").replace(".", "", 1).isdecimal()])


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
    decimal: str  # the decimal sign of the text among them
