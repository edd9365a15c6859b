"""What meta-features see of a task: a bounded sample in canonical order, and the parts that several features share.

Neither position nor seed chooses the sample. Rows and columns are hashed by content: the cells of a column, each
blended with the hash of its row, give the hash of the column, and then the cells of a row, each blended with the hash
of its column, that of the row (colour refinement on the graph of rows and columns). The smallest hashes are kept, and
sorted. So everything computed from a view is exactly the same however rows and columns of the table were ordered, and
whatever the columns are called; no feature has to see to it.

Law: permuting rows or columns of a task changes nothing in its view.

What several features share is computed once, and the first that asks pays: parts of the sample are properties of the
view, and any function of a view becomes such a part under `@shared`.

Letters:  n rows · p columns · c classes of the task;  r rows · q numeric columns · k categorical columns of the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.metafeatures.options import OPTIONS, MetafeatureOptions
from autometa.task.names import columns_at

if TYPE_CHECKING:
    from autometa.task import Task

Part = TypeVar("Part")


class Coded(NamedTuple):
    """A column whose cells are codes 0..m-1 of what they hold."""

    codes: NDArray[np.integer]  # (r,)
    counts: NDArray[np.int64]  # (m,) how often each occurs: never 0


def compact(codes: NDArray[np.integer], number: int) -> Coded:  # (r,) in 0..number-1
    """The codes that occur, renumbered without gaps in the same order.

    Example:
        >>> compact(np.array([4, 0, 4]), 5)
        Coded(codes=array([1, 0, 1]), counts=array([1, 2]))
    """
    counts = np.bincount(codes, minlength=number)
    occurs = counts > 0
    if occurs.all():
        return Coded(codes, counts)
    return Coded((np.cumsum(occurs) - 1).astype(codes.dtype)[codes], counts[occurs])


def shared(part: Callable[[View], Part]) -> Callable[[View], Part]:
    """Makes a function of a view a part of it: computed when first asked for, then remembered."""

    @wraps(part)
    def once(view: View) -> Part:
        if part not in view.parts:
            view.parts[part] = part(view)
        return view.parts[part]

    return once


class View:
    """A task as meta-features see it; every part is computed when first asked for, then kept.

    It has at most the rows, columns and cells that `options` allow; a table within these bounds is seen whole.

    Example:
        >>> from autometa.task import make_task
        >>> task = make_task(pd.DataFrame({"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "class": list("abbaab")}))
        >>> view = View(task)
        >>> view.n, view.p, view.c, view.class_counts.tolist(), sorted(view.sample[0][0].values.tolist())
        (6, 1, 2, [3, 3], [0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    """

    def __init__(self, task: Task, options: MetafeatureOptions = OPTIONS) -> None:
        """Keeps the task; nothing is computed yet."""
        self.task = task
        self.options = options
        self.n, self.p = task.X.shape
        self.c = len(task.classes)
        self.regression = task.kind == "regression"
        self.parts: dict[Callable[[View], Any], Any] = {}

    @cached_property
    def class_counts(self) -> NDArray[np.int64]:  # (c,)
        """Rows of each class; empty for regression."""
        return np.zeros(0, np.int64) if self.regression else np.bincount(self.task.y, minlength=self.c)

    @cached_property
    def _ordered(self) -> tuple[list[Column], NDArray[np.int64]]:
        """The kept columns in canonical order, and the places of all rows in theirs."""
        columns, y = _columns(self.task), np.asarray(self.task.y)
        hashes = _blend(_bits(y.astype(np.float64)), np.zeros((), np.uint64))
        hashes = _hash_rows(columns, _hash_columns(columns, hashes), hashes)
        keys = _number_copies(_hash_columns(columns, hashes))  # so that only rows that are equal keep equal hashes
        hashes = _number_copies(_hash_rows(columns, keys, hashes))
        columns = [columns[j] for j in np.argsort(keys)[: self.options.columns]]
        return columns, np.argsort(hashes)

    @property
    def rows(self) -> NDArray[np.int64]:  # (n,)
        """The places of all rows, in canonical order."""
        return self._ordered[1]

    @cached_property
    def sample(self) -> tuple[list[Column], NDArray[Any]]:
        """The kept columns in canonical order, their rows in canonical order, and the targets of these rows, (r,)."""
        columns, order = self._ordered
        rows = order[: min(self.options.rows, self.options.cells // max(len(columns), 1))]
        return [column.take(rows) for column in columns], np.asarray(self.task.y)[rows]

    @cached_property
    def y(self) -> NDArray[Any]:  # (r,)
        """The target: class codes, or numbers."""
        return self.sample[1]

    @cached_property
    def categorical(self) -> list[Coded]:  # (k,)
        """The categorical columns, categories in the order of their names, "missing" as one more."""
        return [column.coded() for column in self.sample[0] if column.holds == "categorical"]


# -- columns, and their hashes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: its cells, and how to hash them."""

    holds: str  # "numeric" | "categorical" | "text"
    values: NDArray[Any]  # (n,) float64, or codes of the categories in the order of their names (-1 missing), or str
    categories: int = 0
    hashes: NDArray[np.uint64] | None = None  # (categories + 1,) the last of "missing"; or (n,) of the texts

    def take(self, rows: NDArray[np.int64]) -> Column:
        """The same column at these rows."""
        hashes = self.hashes[rows] if self.holds == "text" and self.hashes is not None else self.hashes
        return replace(self, values=self.values[rows], hashes=hashes)

    def bits(self, rows: slice) -> NDArray[np.uint64]:
        """64 bits for each of these cells, equal where the cells are equal."""
        if self.hashes is None:
            return _bits(self.values[rows])
        return self.hashes[rows] if self.holds == "text" else self.hashes[self.values[rows]]

    def coded(self) -> Coded:
        """Codes of the categories that occur; missing cells come last."""
        return compact(np.where(self.values < 0, self.categories, self.values), self.categories + 1)

    def numbers(self, categories: int) -> NDArray[np.float64]:  # (n, w)
        """The column as w columns of numbers.

        A numeric one as it is; a categorical one as 0 or 1 for each of its most frequent `categories`, for one of them
        where it has two; a text as its number of words.
        """
        if self.holds == "numeric":
            return self.values[:, None].astype(np.float64)
        if self.holds == "text":
            return np.array([[float(len(text.split()))] for text in self.values])
        codes, counts = self.coded()
        frequent = np.argsort(-counts, kind="stable")[:categories]
        return (codes[:, None] == frequent[None, : 1 if len(counts) == 2 else None]).astype(np.float64)


def _columns(task: Task) -> list[Column]:
    """All columns of the task, cells in the order of its rows."""
    numeric, categorical, text = task.columns.numeric, task.columns.categorical, task.columns.text
    X = task.X if tuple(task.X.columns) == task.columns.all else task.X[list(task.columns.all)]
    columns = []
    step = max(1, OPTIONS.hashed_at_once // max(len(X), 1))
    for start in range(0, len(numeric), step):
        block = X.iloc[:, start : min(start + step, len(numeric))].to_numpy(np.float64)
        columns += [Column("numeric", values) for values in block.T]  # each contiguous
    known: dict[tuple[str, ...], tuple[NDArray[np.integer], NDArray[np.uint64]]] = {}
    for column in columns_at(X, slice(len(numeric), len(numeric) + len(categorical))):
        names = tuple(map(str, column.array.categories.tolist()))
        if names not in known:
            array = np.array(names, dtype=object)
            order = np.argsort(array)
            rank = np.append(np.argsort(order), -1)  # of each category; at -1, of missing
            hashes = pd.util.hash_array(array[order], categorize=False) if names else np.zeros(0, np.uint64)
            known[names] = rank, np.append(hashes, np.uint64(0))
        rank, hashes = known[names]
        columns.append(Column("categorical", rank[column.array.codes], len(names), hashes))
    for name in text:
        texts = X[name].to_numpy(dtype=object)
        columns.append(Column("text", texts, hashes=pd.util.hash_array(texts)))
    return columns


def _bits(values: NDArray[np.float64]) -> NDArray[np.uint64]:  # (n,)
    """The bits of numbers, equal for 0.0 and -0.0 and for every NaN."""
    numbers = values + 0.0
    missing = np.isnan(numbers)
    if missing.any():
        numbers[missing] = np.nan
    return numbers.view(np.uint64)


def _blend(bits: NDArray[np.uint64], salt: NDArray[np.uint64]) -> NDArray[np.uint64]:  # (n,)
    """A hash of each pair, after the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).

    Apart from `task.fingerprint`, whose hash may change without a new `VERSION` of the meta-features.
    """
    blended = bits ^ salt
    blended *= np.uint64(0xBF58476D1CE4E5B9)
    blended ^= blended >> np.uint64(32)
    blended *= np.uint64(0x94D049BB133111EB)
    blended ^= blended >> np.uint64(29)
    return blended


def _hash_columns(columns: Sequence[Column], hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:  # (n,) -> (p,)
    """Hashes of the columns from the hashes of the rows: sums over the cells, which do not depend on their order."""
    keys = np.zeros(len(columns), np.uint64)
    for some, rows, bits in _blocks(columns, len(hashes)):
        keys[some] += _blend(bits, hashes[rows]).sum(axis=1, dtype=np.uint64)
    return keys


def _hash_rows(
    columns: Sequence[Column],
    keys: NDArray[np.uint64],  # (p,)
    hashes: NDArray[np.uint64],  # (n,)
) -> NDArray[np.uint64]:  # (n,)
    """Hashes of the rows that tell more of them apart, from these and the hashes of the columns."""
    finer = hashes.copy()
    for some, rows, bits in _blocks(columns, len(hashes)):
        finer[rows] += _blend(bits, keys[some, np.newaxis]).sum(axis=0, dtype=np.uint64)
    return _blend(finer, np.zeros((), np.uint64))


def _blocks(columns: Sequence[Column], n: int) -> Iterator[tuple[slice, slice, NDArray[np.uint64]]]:
    """The table in parts that stay in the processor's cache: which columns, which rows, and the bits of their cells."""
    wide = max(1, OPTIONS.hashed_at_once // max(n, 1))
    for rows in _chunks(n):
        for start in range(0, len(columns), wide):
            some = columns[start : start + wide]
            if all(one.hashes is None for one in some):
                bits = _bits(np.stack([one.values[rows] for one in some]))
            else:
                bits = np.stack([one.bits(rows) for one in some])
            yield slice(start, start + wide), rows, bits


def _chunks(n: int) -> Iterator[slice]:
    """Slices that cover n rows."""
    step = OPTIONS.hashed_at_once
    return (slice(start, start + step) for start in range(0, n, step))


def _number_copies(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:  # (n,)
    """Other hashes, of which no two are equal: copies are numbered, so a sample takes some of them, not all or none."""
    order = np.argsort(hashes)
    first = np.append(True, np.diff(hashes[order]) != 0)
    place = np.arange(len(hashes))
    copies = np.empty(len(hashes), np.uint64)
    copies[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return _blend(hashes, _blend(copies, np.zeros((), np.uint64)))
