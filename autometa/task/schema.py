"""How a raw table becomes typed features: fitted once on the training table, applied to any later one.

`Schema.fit` keeps one `ColumnEncoder` for each useful column (`autometa.task.detect` finds what it holds), and
`Schema.apply` has them encode the columns of another table, found by their names.

Laws: ``apply`` of a row does not depend on the other rows; columns in another order, and columns more than needed,
change nothing; a category that was never seen is missing.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.moved import former
from autometa.task.cells import MISSING_TEXTS, holds_plain_numbers
from autometa.task.columns import ColumnEncoder, missing_numbers
from autometa.task.detect import NOTHING_ASKED, ColumnRequest, find_columns
from autometa.task.in_memory import as_table
from autometa.task.later import ColumnProfile, LaterColumn, Tally, tallies, unread
from autometa.task.names import columns_at, listed, named, part_at
from autometa.task.options import OPTIONS
from autometa.task.vectors import spread

if not TYPE_CHECKING:
    __getattr__ = former(__name__)


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the typed feature columns, by what they hold.

    See Also:
        `Schema`, `autometa.families.build`.

    Example:
        >>> Columns(numeric=("age",), text=("note",)).all
        ('age', 'note')
    """

    numeric: tuple[str, ...] = ()  # float64, NaN = missing; truth values as 0 and 1, parts of dates
    categorical: tuple[str, ...] = ()  # pandas 'category' whose categories are str, sorted; NaN = missing
    text: tuple[str, ...] = ()  # str; missing = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, in the order of the columns of X."""
        return self.numeric + self.categorical + self.text


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """How a raw table becomes typed features; made by `Schema.fit`.

    See Also:
        `Columns`; `autometa.make_task`, which fits one.

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
    encoders: tuple[ColumnEncoder, ...]  # one for each raw column of use, in order
    dropped_columns: tuple[tuple[str, str], ...]  # the others: name, why
    notes: tuple[str, ...]  # sentences for the user
    decimal: str = "."  # the decimal sign of the file
    picture: tuple[ColumnProfile, ...] = ()  # of the training table
    encoder: str = ""  # what made its vectors of images or texts, as `autometa.fewshot.embedded.Record` says it

    def __setstate__(self, state: list[Any]) -> None:
        """Takes the fields in their order; what an older version did not know has its default."""
        for i, one in enumerate(fields(self)):
            object.__setattr__(self, one.name, state[i] if i < len(state) else one.default)

    @property
    def raw(self) -> tuple[str, ...]:
        """The raw feature columns that `apply` needs, in order."""
        return tuple(encoder.name for encoder in self.encoders)

    @property
    def dropped(self) -> Mapping[str, str]:
        """Raw columns that were of no use, and why."""
        return MappingProxyType(dict(self.dropped_columns))

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,  # (n, raw p)
        request: ColumnRequest = NOTHING_ASKED,
        y: NDArray[Any] | None = None,  # (n,)
        *,
        classes: bool = True,
    ) -> Schema:
        """Finds what every column of `frame` holds. Duplicated column names are made unique as `unique_names` does.

        Args:
            frame: (n, raw p) the training table.
            request: What is asked of some columns.
            y: (n,) the target as codes or numbers: whether a count of the rows foretells it.
            classes: Whether `y` is codes.

        Raises:
            InputError: If a column holds complex numbers.
        """
        frame = named(frame)
        found = find_columns(frame, request, y, classes=classes)
        names = {kind: tuple(e.name for e in found.encoders if e.holds == kind) for kind in ("category", "text")}
        plain = tuple(e.name for e in found.encoders if e.is_plain)
        columns = Columns((*plain, *_part_names(found.encoders)), names["category"], names["text"])
        return cls(columns, tuple(frame.columns), found.encoders, found.dropped, found.notes, found.decimal)

    def apply(self, frame: Any) -> pd.DataFrame:  # (n, raw p) -> (n, p)
        """The typed features of a raw table.

        A DataFrame, or a table of Arrow's, is read by the names of its columns (1 and "1" are the same name), an array
        or a sparse matrix by position.

        Raises:
            InputError: If columns are missing (all are listed), or an array has another width than the training table.
        """
        return self._encoded(*self._aligned(frame))

    def _encoded(self, frame: pd.DataFrame, where: NDArray[np.intp]) -> pd.DataFrame:  # (n, any), (raw p,) -> (n, p)
        """The typed features of a table under unique names, its raw columns at `where`."""
        numeric = self._numeric(frame, where)
        places = [i for i, encoder in enumerate(self.encoders) if encoder.holds in ("category", "text")]
        others: dict[str, Any] = {}
        for i, column in zip(places, columns_at(frame, where[places]), strict=True):
            encoder = self.encoders[i]
            others[encoder.name] = encoder.category(column) if encoder.holds == "category" else encoder.text(column)
        if not others:
            return numeric
        rest = pd.DataFrame({name: others[name] for name in (*self.columns.categorical, *self.columns.text)})
        return pd.concat([numeric, rest], axis=1) if self.columns.numeric else rest

    def apply_later(
        self, frame: Any, *, allow_missing: bool = False
    ) -> tuple[pd.DataFrame, list[LaterColumn]]:  # (n, raw p) -> (n, p)
        """As `apply`, and the columns that cannot be read as they were learned.

        Args:
            frame: As `apply`.
            allow_missing: Take a column that is lacking as missing, and one of which no cell can be read.

        Raises:
            InputError: As `apply`; and if of a column no cell that is there can be read, unless `allow_missing`.
        """
        aligned = self._aligned(self._filled(frame) if allow_missing else frame)
        later = self.judged(tallies(self.encoders, *aligned), allow_missing=allow_missing)
        return self._encoded(*aligned), later

    def apply_counted(
        self, frame: Any, *, allow_missing: bool = False
    ) -> tuple[pd.DataFrame, list[Tally]]:  # (n, raw p) -> (n, p)
        """As `apply`, for a part of the rows of a table, with counts of what of it cannot be read, for `judged`.

        Args:
            frame: As `apply`.
            allow_missing: Take a column that is lacking as missing.

        Raises:
            InputError: As `apply`.
        """
        aligned = self._aligned(self._filled(frame) if allow_missing else frame)
        return self._encoded(*aligned), tallies(self.encoders, *aligned)

    def judged(self, counts: Sequence[Tally], *, allow_missing: bool = False) -> list[LaterColumn]:
        """The columns of a table that cannot be read as they were learned, by the sums of what its parts have.

        Raises:
            InputError: Of a column no cell that is there can be read, unless `allow_missing`.
        """
        said = [count.said(encoder) for encoder, count in zip(self.encoders, counts, strict=False)]
        later = [column for column in said if column is not None]
        lost = [column for column in later if column.is_lost]
        if lost and not allow_missing:
            fix = "Is it the right column? --allow-missing (allow_missing=True) takes it as missing."
            raise InputError([Problem("table", column.found, fix) for column in lost])
        return later

    def _filled(self, frame: Any) -> Any:
        """A table with the columns that it lacks, as missing."""
        frame = as_table(frame)
        if not isinstance(frame, pd.DataFrame):
            return frame
        frame = named(frame)
        if any(name not in frame.columns for name in self.raw):
            frame = self._spread(frame)
        lacking = {name: np.nan for name in self.raw if name not in frame.columns}
        return frame.assign(**lacking) if lacking else frame

    def _spread(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A later table with its vectors in columns (`vectors.spread`), refused where they are of another length."""
        wider = spread(frame)
        made = Counter(name.rpartition("_")[0] for name in wider.columns.difference(frame.columns))
        before = Counter(name.rpartition("_")[0] for name in self.seen)
        for column, width in made.items():
            if before[column] not in (0, width):
                what = f"vectors of {width} numbers, which were {before[column]} in training"
                raise InputError(Problem(f"column {column!r}", what, "Take the encoder that was taken then."))
        return wider

    def unread(self, frame: Any) -> list[LaterColumn]:
        """The columns of a later table, as `apply` takes it, that cannot be read as they were learned.

        Raises:
            InputError: As `apply`.
        """
        return unread(self.encoders, *self._aligned(frame))

    @property
    def reading(self) -> dict[str, Any]:
        """How `read_table` reads a later file as the training table was read: three of its keywords.

        Example:
            >>> Schema.fit(pd.DataFrame({"x": [1, 2, 4]})).reading
            {'na': None, 'decimal': '.', 'text': ()}
        """
        words = self.encoders[0].missing if self.encoders else MISSING_TEXTS
        text = tuple(encoder.name for encoder in self.encoders if encoder.written)
        return {"na": None if words == MISSING_TEXTS else tuple(sorted(words)), "decimal": self.decimal, "text": text}

    def _numeric(
        self, frame: pd.DataFrame, where: NDArray[np.intp]
    ) -> pd.DataFrame:  # (n, any), (raw p,) -> (n, numeric p)
        """Numbers and truth values, then the parts of moments; infinite values are missing."""
        block = np.empty((len(self.columns.numeric), len(frame)))  # (numeric p, n): each column contiguous
        plain = [i for i, encoder in enumerate(self.encoders) if encoder.is_plain]
        direct = _direct(frame)[where[plain]]
        if plain and len(missing_numbers(self.encoders[plain[0]].missing)):  # -999, where somebody says so
            direct[:] = False
        own, step = where[plain], max(1, OPTIONS.cells_at_once // max(len(frame), 1))
        rows = np.flatnonzero(direct)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            block[some] = part_at(frame, own[some]).to_numpy(np.float64).T
        for k in np.flatnonzero(~direct).tolist():
            block[k] = self.encoders[plain[k]].numbers(frame.iloc[:, own[k]])
        k = len(plain)
        for i, encoder in enumerate(self.encoders):
            if encoder.holds == "datetime":
                block[k : k + len(encoder.parts)] = encoder.moment_parts(frame.iloc[:, where[i]])
                k += len(encoder.parts)
        for start in range(0, len(block), step):
            part = block[start : start + step]
            part[np.isinf(part)] = np.nan
        return pd.DataFrame(block.T, columns=pd.Index(self.columns.numeric, dtype="str"), copy=False)

    def _aligned(self, frame: Any) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        """The table under unique names, and the places in it of the raw columns needed, (raw p,)."""
        raw, frame = self.raw, as_table(frame)
        if not isinstance(frame, pd.DataFrame):
            array = np.asarray(frame)
            if array.ndim != 2 or array.shape[1] not in (len(self.seen), len(raw)):
                what = f"an array of shape {array.shape} came where (n, {len(self.seen)}) is needed"
                raise InputError(Problem("table", what))
            frame = pd.DataFrame(array, columns=self.seen if array.shape[1] == len(self.seen) else raw).infer_objects()
        names = [str(name) for name in frame.columns]
        twice = (
            [name for name in raw if names.count(name) > 1 and f"{name}.1" not in self.seen]
            if (len(set(names)) < len(names))
            else []
        )
        if twice:
            what = f"several columns are called {listed(twice)}"
            raise InputError(Problem("table", what, "In training there was one: rename the others, or leave them out."))
        frame = named(frame)
        if tuple(frame.columns) == raw:
            return frame, np.arange(len(raw))
        where = frame.columns.get_indexer(list(raw))
        if (where < 0).any() and (wider := self._spread(frame)) is not frame:
            frame, where = wider, wider.columns.get_indexer(list(raw))
        lacking = [name for name, i in zip(raw, where, strict=True) if i < 0]
        if lacking:
            names, most = list(frame.columns), OPTIONS.columns_listed
            problems = [Problem("table", f"no column {name!r}", did_you_mean(name, names)) for name in lacking[:most]]
            if len(lacking) > most:
                problems.append(Problem("table", f"{len(lacking) - most} more columns are missing"))
            raise InputError(problems)
        return frame, np.asarray(where)


def _direct(frame: pd.DataFrame) -> NDArray[np.bool_]:  # (p,)
    """Which columns of a table are plain numbers."""
    return np.array([holds_plain_numbers(dtype) for dtype in frame.dtypes], dtype=bool)


def _part_names(encoders: tuple[ColumnEncoder, ...]) -> list[str]:
    """The names of the parts of moments, none of which may be another column's."""
    taken, names = {encoder.name for encoder in encoders}, []
    for encoder in encoders:
        for part in encoder.parts:
            name = f"{encoder.name}.{part}"
            while name in taken:
                name += "'"
            taken.add(name)
            names.append(name)
    return names
