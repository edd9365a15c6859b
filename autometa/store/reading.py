"""One store or several layers of stores, read as one.

A layer hands out its entries: a task's record and the block of its evaluations. Every question is answered from the
entries of all layers, joined by fingerprint and space; the memory shipped with the package is a layer beneath the
user's own store.

Letters:  t tasks · m configurations · n evaluations of one task · f meta-features.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, StoreError, did_you_mean
from autometa.moved import former
from autometa.store.blocks import Block, configs_in, decode, key, on_gpu, scores_in, unpack
from autometa.store.records import Exclusion, PastTasks, PastTrials, TaskRecord

if TYPE_CHECKING:
    from autometa.evaluation import Evaluation
    from autometa.space import Config


if not TYPE_CHECKING:
    __getattr__ = former(__name__)

T = TypeVar("T")


class Entry(NamedTuple):
    """One task in one space. Of its block, what was not asked for is empty."""

    record: TaskRecord
    block: Block


class DamagedTaskWarning(UserWarning):
    """A task in a store is damaged, and left out of what is read."""


class DamagedTask(NamedTuple):
    """A task that cannot be read: its name and fingerprint, as far as they can, and why."""

    name: str
    fingerprint: str
    why: str

    def sentence(self, store: str) -> str:
        """What a person is told."""
        return (
            f"{store}: the task {self.name!r} ({self.fingerprint[:12]}) is damaged: {self.why}. "
            f"`autometa verify {store}` lists everything that is, and with --repair saves the rest."
        )


class Layer(Protocol):
    """A store as reading needs it: its name, and its tasks with their blocks."""

    @property
    def url(self) -> str:
        """The store as messages name it."""

    def entries(
        self,
        *,
        space: str | None = None,
        kind: str | None = None,
        fingerprints: Sequence[str] | None = None,
        scores: bool = False,
        details: bool = False,
    ) -> list[Entry]:
        """The tasks that match, by fingerprint and space, with the parts of their blocks that were asked for."""

    def set_aside(self, damaged: DamagedTask) -> None:
        """Told of a task that is damaged and left out."""


def records_in(
    layers: Sequence[Layer], *, space: str | None, kind: str | None, fingerprints: Sequence[str] | None = None
) -> list[TaskRecord]:
    """The record of every task, what one layer lacks filled in from the next."""
    return [record for record, _ in _joined(layers, space=space, kind=kind, fingerprints=fingerprints)]


def evaluations_in(layers: Sequence[Layer], fingerprint: str, space: str) -> list[Evaluation]:
    """Every evaluation of a task once, in the order in which they were added."""
    seen: dict[str, Evaluation] = {}
    for layer in layers:
        for entry in layer.entries(space=space, fingerprints=[fingerprint], scores=True, details=True):
            for evaluation in sound(layer, entry.record, decode, entry.block):
                seen.setdefault(key(evaluation), evaluation)
    return list(seen.values())


def past_in(
    layers: Sequence[Layer],
    *,
    space: str,
    kind: str | None,
    metric: str,
    exclude: Exclusion,
    most: int | None,
    held: int,  # bytes of unpacked blocks to keep
    gpu: bool = False,
) -> PastTasks:
    """The table of tasks and configurations in one metric, from one read of each layer."""
    records, cells, read = _sparse(layers, space, kind, metric, exclude, None, held, gpu)
    kept = _foremost(cells, read.configs, most)
    column_of = np.full(read.configs, -1)
    column_of[kept] = np.arange(len(kept))
    scores = np.full((len(cells), len(kept)), np.nan)
    seconds = np.full((len(cells), len(kept)), np.nan)
    for row, found in enumerate(cells):
        column = column_of[found.config]
        scores[row, column[column >= 0]] = found.score[column >= 0]
        seconds[row, column[column >= 0]] = found.seconds[column >= 0]
    return PastTasks(tuple(records), read.texts(kept), scores, seconds, *_metafeatures(records))


def trials_in(
    layers: Sequence[Layer],
    *,
    space: str,
    metric: str,
    exclude: Exclusion,
    fingerprints: Sequence[str] | None,
    held: int,
) -> PastTrials:
    """What each task tried, in one metric, from one read of each layer; nothing is made for what it did not try."""
    records, cells, read = _sparse(layers, space, None, metric, exclude, fingerprints, held)
    kept = np.unique(np.concatenate([found.config for found in cells])) if cells else np.zeros(0, dtype=np.int64)
    tried = tuple((np.searchsorted(kept, found.config), found.score, found.seconds) for found in cells)
    return PastTrials(tuple(records), read.texts(kept), tried, *_metafeatures(records))


def info_in(layers: Sequence[Layer]) -> dict[str, Any]:
    """Tasks, evaluations, and evaluations per model family, of all layers together."""
    families: Counter[str] = Counter()
    tasks, evaluations = 0, 0
    for record, blocks in _joined(layers, space=None, kind=None, scores=True):
        tasks += 1
        for layer, block in blocks:
            try:
                families.update(_families(block))
                evaluations += block.evaluations
            except DAMAGE as error:
                layer.set_aside(damaged_task(record, error))
    return {"tasks": tasks, "evaluations": evaluations, "families": dict(sorted(families.items()))}


def find_in(layers: Sequence[Layer], text: str) -> TaskRecord:
    """The one task whose name is `text` or whose fingerprint begins with it."""
    records = records_in(layers, space=None, kind=None)
    found = [r for r in records if r.name == text] or [r for r in records if text and r.fingerprint.startswith(text)]
    if not found:
        raise InputError(Problem(layers[-1].url, f"no task {text!r}", did_you_mean(text, [r.name for r in records])))
    if len({r.fingerprint for r in found}) > 1:
        names = ", ".join(f"{r.fingerprint[:12]} ({r.name})" for r in found[:5])
        raise InputError(Problem(layers[-1].url, f"{text!r} is {len(found)} tasks", f"Say which: {names}."))
    return found[0]


def sound(layer: Layer, record: TaskRecord, read: Callable[..., T], *arguments: Any) -> T:
    """``read(*arguments)``; a block that is broken becomes a `StoreError` that names its task."""
    try:
        return read(*arguments)
    except DAMAGE as error:
        raise StoreError(damaged_task(record, error).sentence(layer.url)) from error


DAMAGE = (ValueError, KeyError, TypeError, IndexError)  # what reading a damaged block raises


def damaged_task(record: TaskRecord, error: Exception) -> DamagedTask:
    """A task whose evaluations cannot be read."""
    return DamagedTask(record.name, record.fingerprint, f"its evaluations cannot be read ({error})")


def _joined(
    layers: Sequence[Layer],
    *,
    space: str | None,
    kind: str | None,
    fingerprints: Sequence[str] | None = None,
    scores: bool = False,
) -> Iterator[tuple[TaskRecord, list[tuple[Layer, Block]]]]:
    """Each task once, with its blocks from every layer; ordered by content, so that equal stores read equally."""
    joined: dict[tuple[str, str], tuple[TaskRecord, list[tuple[Layer, Block]]]] = {}
    for layer in layers:
        for record, block in layer.entries(space=space, kind=kind, fingerprints=fingerprints, scores=scores):
            identity = record.fingerprint, record.space
            if identity in joined:
                known, blocks = joined[identity]
                joined[identity] = known.merged(record), [*blocks, (layer, block)]
            else:
                joined[identity] = record, [(layer, block)]
    for identity in sorted(joined):
        yield joined[identity]


class _Read(NamedTuple):
    """The parts that were read, for a second look at the configurations."""

    sources: list[_Texts]
    lengths: list[int]
    first: NDArray[np.int64]  # of each configuration the position among all evaluations at which it stands first

    @property
    def configs(self) -> int:
        """The number of distinct configurations."""
        return len(self.first)

    def texts(self, kept: NDArray[np.int64]) -> tuple[Config, ...]:
        """Some of the configurations."""
        # One parse of one long text takes half the time of one parse per configuration.
        return tuple(json.loads("[" + ",".join(_configs(self.sources, self.lengths, self.first[kept])) + "]"))


def _sparse(
    layers: Sequence[Layer],
    space: str,
    kind: str | None,
    metric: str,
    exclude: Exclusion,
    fingerprints: Sequence[str] | None,
    held: int,
    gpu: bool = False,
) -> tuple[list[TaskRecord], list[_Cells], _Read]:
    """The tasks on which something has a score in this metric, what each of them tried, and what was read."""
    records: list[TaskRecord] = []
    parts: list[_Columns] = []
    owner: list[int] = []  # of each part, the position of its task in `records`
    texts: list[_Texts] = []  # of each part
    kept_bytes = 0
    for record, blocks in _joined(layers, space=space, kind=kind, fingerprints=fingerprints, scores=True):
        if exclude.excludes(record):
            continue
        for layer, block in blocks:
            try:
                table = unpack(block.scores)
                parts.append(_columns(table, metric))
            except DAMAGE as error:
                layer.set_aside(damaged_task(record, error))
                continue
            kept_bytes += table.nbytes
            texts.append(_Texts(block, table if kept_bytes < held else None))
            owner.append(len(records))
        if owner and owner[-1] == len(records):  # a part of it could be read
            records.append(record)
    codes, first = _coded([part.config for part in parts])
    own: list[list[tuple[NDArray[np.int64], _Columns]]] = [[] for _ in records]
    for position, code, part in zip(owner, codes, parts, strict=True):
        own[position].append((code, part))
    cells = [_cells(one, gpu) for one in own]
    taught = [(r, c) for r, c in zip(records, cells, strict=True) if np.isfinite(c.score).any()]
    read = _Read(texts, [len(part.rows) for part in parts], first)
    return [record for record, _ in taught], [found for _, found in taught], read


class _Columns(NamedTuple):
    """The columns of one block that learning needs, in one metric."""

    config: NDArray[np.int64]  # (n,) hash of the text: of a million texts two share one with a probability of 3e-8
    score: NDArray[np.float64]  # (n,)
    seconds: NDArray[np.float64]  # (n,)
    rows: NDArray[np.int64]  # (n,)
    on_gpu: NDArray[np.bool_]  # (n,)


class _Cells(NamedTuple):
    """The row of the table that belongs to one task, sparse."""

    config: NDArray[np.int64]  # (n,) distinct codes
    score: NDArray[np.float64]  # (n,)
    seconds: NDArray[np.float64]  # (n,)


class _Texts(NamedTuple):
    """Where the configurations of a part are: in its table, or to be unpacked again."""

    block: Block
    table: pa.Table | None


def _columns(table: pa.Table, metric: str) -> _Columns:
    """What learning needs of a block's table, none of it a view that would keep the table in memory."""
    texts, which = configs_in(table)
    hashes = np.fromiter(map(hash, texts.to_pylist()), dtype=np.int64, count=len(texts))
    seconds = table["fit_seconds"].to_numpy().astype(np.float64) + table["predict_seconds"].to_numpy()
    rows = table["rows"].to_numpy().copy()
    return _Columns(hashes[which], scores_in(table, metric), seconds, rows, on_gpu(table))


def _coded(hashes: Sequence[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """The code of every evaluation, in order of appearance, part by part; and of each code where it appears first."""
    if not hashes:
        return [], np.zeros(0, dtype=np.int64)
    _, first, code = np.unique(np.concatenate(hashes), return_index=True, return_inverse=True)
    appearance = np.argsort(first)
    rank = np.empty_like(appearance)
    rank[appearance] = np.arange(len(first))
    ends = np.cumsum([len(part) for part in hashes])
    return np.split(rank[code], ends[:-1]), first[appearance]


def _configs(texts: Sequence[_Texts], lengths: Sequence[int], where: NDArray[np.int64]) -> list[str]:
    """The configurations at some positions among the evaluations of all parts."""
    starts = np.cumsum([0, *lengths])
    part = np.searchsorted(starts, where, side="right") - 1
    out = np.empty(len(where), dtype=object)
    for number in np.unique(part):
        block, table = texts[number]
        known, which = configs_in(unpack(block.scores) if table is None else table)
        here = part == number
        out[here] = known.take(pa.array(which[where[here] - starts[number]])).to_pylist()
    return list(out)


def _cells(parts: Sequence[tuple[NDArray[np.int64], _Columns]], gpu: bool) -> _Cells:
    """One cell per configuration: the mean over its evaluations on the most rows; -inf only if all of those failed.

    What took its seconds on a GPU tells a machine without one nothing of them; one with a GPU is told by these first.
    """
    code = np.concatenate([codes for codes, _ in parts])
    score, seconds, rows, devices = (
        np.concatenate([getattr(part, name) for _, part in parts]) for name in ("score", "seconds", "rows", "on_gpu")
    )
    config, cell = np.unique(code, return_inverse=True)
    if devices.any():
        there = np.bincount(cell[devices], minlength=len(config)) > 0
        seconds = np.where(devices != (gpu & there[cell]), np.nan, seconds)
    if len(config) == len(code):
        return _Cells(code, score, seconds)
    most = np.zeros(len(config), dtype=rows.dtype)
    np.maximum.at(most, cell, rows)
    top = rows == most[cell]
    finished = top & ~np.isneginf(score)
    count = np.bincount(cell[finished], minlength=len(config))
    total = np.bincount(cell[finished], score[finished], minlength=len(config))
    mean = np.full(len(config), -np.inf)
    np.divide(total, count, out=mean, where=count > 0)
    timed = top & np.isfinite(seconds)
    times = np.bincount(cell[timed], minlength=len(config))
    spent = np.full(len(config), np.nan)
    np.divide(np.bincount(cell[timed], seconds[timed], minlength=len(config)), times, out=spent, where=times > 0)
    return _Cells(config, mean, spent)


def _foremost(cells: Sequence[_Cells], m: int, most: int | None) -> NDArray[np.int64]:
    """Codes, in order, of the `most` configurations that the most tasks have tried; of equals the best somewhere."""
    tasks = np.zeros(m, dtype=np.int64)
    rank = np.full(m, np.iinfo(np.int64).max)
    for found in cells:
        tasks[found.config] += 1
        best_first = found.config[np.argsort(-found.score, kind="stable")]
        rank[best_first] = np.minimum(rank[best_first], np.arange(len(best_first)))
    foremost = np.lexsort((rank, -tasks))[: np.count_nonzero(tasks)]
    return np.sort(foremost if most is None else foremost[:most])


def _metafeatures(records: Sequence[TaskRecord]) -> tuple[NDArray[np.float64], tuple[str, ...], str]:
    """The meta-features of the tasks, (t, f), in this program's version if any has it, else in the most common one."""
    from autometa.metafeatures import VERSION

    versions = Counter(r.metafeatures.version for r in records if r.metafeatures is not None)
    if not versions:
        return np.zeros((len(records), 0)), (), VERSION
    version = VERSION if VERSION in versions else versions.most_common(1)[0][0]
    names: dict[str, int] = {}
    for record in records:
        if record.metafeatures is not None and record.metafeatures.version == version:
            for name in record.metafeatures.names:
                names.setdefault(name, len(names))
    order = tuple(names)
    values = np.full((len(records), len(names)), np.nan)
    for row, record in enumerate(records):
        if (m := record.metafeatures) is not None and m.version == version:
            values[row, slice(None) if m.names == order else [names[name] for name in m.names]] = m.values
    return values, order, version


_FAMILY = re.compile(r'"family":"((?:[^"\\]|\\.)*)"')


def _families(block: Block) -> Counter[str]:
    """How many evaluations of a block tried which model family."""
    texts, which = configs_in(unpack(block.scores))
    counts: Counter[str] = Counter()
    for text, count in zip(texts.to_pylist(), np.bincount(which, minlength=len(texts)).tolist(), strict=True):
        if found := _FAMILY.search(text):
            counts[found.group(1)] += count
    return counts
