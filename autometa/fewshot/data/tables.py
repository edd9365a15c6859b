"""Episodes of tables: a task is a table and some of its classes; past tasks from files, or made up by a prior.

Tables differ in columns and classes, episodes do not: some columns are drawn from wider tables, narrower ones get
columns of zeros, and where a table has fewer classes than the episode has ways, the rest are padding. Numbers are
standardised by the support set alone (`standardised`), as they are when a learner is asked later; categories enter as
their codes, missing cells as the mean.

``tables`` reads files: ``--path`` is a folder (or several, or single files, with commas between them) of tables that
`read_task` reads. The split is by *family*, so that no variant of a training table is in the test: a ``catalog.csv``
in the folder or above it (columns name, family) says who belongs together, else each file is its own family.
``prior`` draws each table afresh: random networks over random causes, or clusters.

Letters:  t tasks · n rows · p columns · c classes.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.data.source import Choice, Data, Description, whole_option
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples
from autometa.fewshot.options import OPTIONS

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arff", ".jsonl")
WHERE_TABLES = (
    "Give a folder of tables (CSV, parquet, ARFF; the target is target, class, label, y or the last column), or use "
    "--data prior, which needs none."
)


class Table(NamedTuple):
    """A past table for classification."""

    name: str
    x: NDArray[np.float32]  # (n, p) NaN where missing
    y: NDArray[np.int64]  # (n,)


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """A source of past tables; a task is a table and some of its classes."""

    tables: tuple[Table, ...]
    columns: int = OPTIONS.table_columns
    device: torch.device | str = "cpu"

    @property
    def domains(self) -> tuple[str, ...]:
        """The names of the tables."""
        return tuple(table.name for table in self.tables)

    def problem(self, way: int) -> EpisodeSpec:
        """Classification of rows; classes mean nothing beyond their table."""
        return EpisodeSpec("classification", (self.columns,), way)

    def check(self, way: int, examples: int) -> list[Problem]:
        """Tables without two classes of so many rows."""
        short = [t.name for t in self.tables if (np.bincount(t.y) >= examples).sum() < 2]
        if not short:
            return []
        named = ", ".join(short[:5]) + (", ..." if len(short) > 5 else "")
        what = f"{len(short)} of {len(self.tables)} tables lack two classes of {examples} rows: {named}"
        return [Problem("rows", what, "Lower --shot or --query, or leave these tables out.")]

    @property
    def fingerprint(self) -> str:
        """A number that tells other tables; the place they were read from does not count."""
        crc = 0
        for table in self.tables:
            crc = zlib.crc32(f"{table.name}{table.x.shape}".encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(table.x).tobytes() + table.y.tobytes(), crc)
        return f"{crc:08x}"

    def propose(self, rng: Generator, count: int, way: int, domain: str | None = None) -> list[Choice]:
        """A table, and at most `way` of its classes; the larger ones are likelier."""
        names, chosen = self.domains, []
        for _ in range(count):
            k = names.index(domain) if domain is not None else int(rng.integers(len(self.tables)))
            sizes = np.bincount(self.tables[k].y).astype(float)
            some = rng.choice(len(sizes), min(way, len(sizes)), replace=False, p=sizes / sizes.sum())
            chosen.append(Choice(names[k], (k, way, *(int(c) for c in some))))
        return chosen

    def describe(self, choices: Sequence[Choice]) -> Description:
        """Size, shape and how far apart the classes' means are, in spreads."""
        rows = []
        for choice in choices:
            table = self.tables[int(choice.key[0])]
            x = np.nan_to_num(table.x)
            spread = x.std(0) + 1e-9
            means = np.stack([x[table.y == c].mean(0) for c in choice.key[2:]]) / spread
            apart = float(np.sqrt(((means - means.mean(0)) ** 2).mean()))
            missing = float(np.isnan(table.x).mean())
            rows.append([np.log10(len(x)), np.log10(x.shape[1]), len(means) / 10, missing, apart])
        features = np.array(rows)
        return Description(features, -features[:, -1])

    def episode(self, rng: Generator, choices: Sequence[Choice], shot: int, query: int) -> Episode:
        """Rows of each class that has enough; columns in a random order."""
        tasks = []
        for choice in choices:
            table, way = self.tables[int(choice.key[0])], int(choice.key[1])
            columns = rng.permutation(table.x.shape[1])[: self.columns]
            rows, y, there = [], [], []
            for label in range(way):
                pool = np.flatnonzero(table.y == choice.key[2 + label]) if label < len(choice.key) - 2 else np.array([])
                enough = len(pool) >= shot + query
                rows.append(rng.choice(pool, shot + query, replace=False) if enough else np.zeros(shot + query, int))
                y.append(np.full(shot + query, label))
                there.append(np.full(shot + query, float(enough)))
            x = table.x[np.stack(rows)][..., columns]  # (c, k, p)
            tasks.append((x, np.stack(y), np.stack(there)))
        return _episode(tasks, shot, self.columns, rng, self.device)

    def to(self, device: torch.device | str) -> Tables:
        """Tables stay where they are; episodes go to the device."""
        return Tables(self.tables, self.columns, device)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What sources of tables that never were have in common."""

    columns: int = OPTIONS.table_columns
    device: torch.device | str = "cpu"

    def problem(self, way: int) -> EpisodeSpec:
        """Classification of rows; classes mean nothing beyond their table."""
        return EpisodeSpec("classification", (self.columns,), way)

    def check(self, way: int, examples: int) -> list[Problem]:
        """Nothing: there are always enough rows."""
        return []

    def to(self, device: torch.device | str) -> Self:
        """The same source, whose episodes are on another device."""
        return replace(self, device=device)


class Prior(MadeUp):
    """Tables that never were: each task is drawn from a random mechanism, by a seed of its own."""

    @property
    def domains(self) -> tuple[str, ...]:
        """The mechanisms that a table can be drawn from."""
        return ("network", "clusters")

    def propose(self, rng: Generator, count: int, way: int, domain: str | None = None) -> list[Choice]:
        """A mechanism, a seed, and how hard the task is."""
        chosen = []
        for _ in range(count):
            kind = self.domains.index(domain) if domain is not None else int(rng.integers(2))
            key = (kind, way, int(rng.integers(2**31)), float(rng.uniform(0.0, 1.0)))
            chosen.append(Choice(self.domains[kind], key))
        return chosen

    def describe(self, choices: Sequence[Choice]) -> Description:
        """By mechanism and noise; the more noise, the harder."""
        keys = np.array([(choice.key[0], choice.key[3]) for choice in choices])
        return Description(keys, keys[:, 1])

    def episode(self, rng: Generator, choices: Sequence[Choice], shot: int, query: int) -> Episode:
        """As many rows of every class, from a table that is drawn anew."""
        tasks = []
        for choice in choices:
            kind, way, seed, noise = int(choice.key[0]), int(choice.key[1]), int(choice.key[2]), choice.key[3]
            own = np.random.default_rng([seed, int(rng.integers(2**31))])
            p = int(own.integers(2, self.columns + 1))
            make = _network if kind == 0 else _clusters
            x = make(own, way, shot + query, p, noise)  # (c, k, p)
            x[own.random(x.shape) < own.choice([0.0, 0.1])] = np.nan
            y = np.repeat(np.arange(way), shot + query).reshape(way, -1)
            tasks.append((x.astype(np.float32), y, np.ones(y.shape)))
        return _episode(tasks, shot, self.columns, rng, self.device)


def standardised(
    support: NDArray[Any], others: NDArray[Any], columns: int = OPTIONS.table_columns
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # (s, p), (q, p) -> (s, columns), (q, columns)
    """Both by the support's means and spreads, clipped to 5, missing cells 0; narrow ones filled up with zeros."""
    lost = np.isnan(support)
    count = np.maximum((~lost).sum(0), 1)
    mean = np.where(lost, 0.0, support).sum(0) / count
    spread = np.sqrt((np.where(lost, 0.0, support - mean) ** 2).sum(0) / count)
    scale = np.where(spread > 1e-9, spread, 1.0)
    found = []
    for x in (support, others):
        z = np.clip(np.nan_to_num((x - mean) / scale, nan=0.0), -5, 5)
        found.append(np.pad(z, ((0, 0), (0, max(0, columns - x.shape[1])))).astype(np.float32))
    return found[0], found[1]


def tables(path: str | None, options: dict[str, Any]) -> Data:
    """Past tables from files, split by family; `path` is a folder, file, or several with commas between them."""
    if path is None:
        raise InputError(Problem("tables", "no --path was given", WHERE_TABLES))
    files = [file for part in path.split(",") for file in _files(Path(part.strip()))]
    families = _families(files)
    kept = whole_option("tables", options, "rows", OPTIONS.table_rows)
    read, wrong = [], []
    for file in files:
        try:
            table = _read(file, kept)
        except InputError as error:
            wrong += list(error.problems)
            continue
        if table is not None:
            read.append((families.get(file.stem, file.stem), table))
    if wrong:
        raise InputError(wrong)
    names = sorted({family for family, _ in read})
    if len(names) < 3:
        raise InputError(
            Problem(path, f"{len(names)} families of tables for classification; three splits need 3", WHERE_TABLES)
        )
    order = [names[k] for k in np.random.default_rng(0).permutation(len(names))]
    first, second = (max(1, round(share * len(order))) for share in OPTIONS.table_shares)
    first = min(first, len(order) - 2)
    split = {family: 0 if i < first else 1 if i < first + second else 2 for i, family in enumerate(order)}
    split[order[-1]] = 2
    parts = [Tables(tuple(table for family, table in read if split[family] == k)) for k in range(3)]
    return Data("tables", parts[0], parts[1], parts[2])


def prior(path: str | None, options: dict[str, Any]) -> Data:
    """Tables with as many rows of every class, drawn from a prior; no path is needed."""
    return Data("prior", Prior(), Prior(), Prior())


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        shown = (f for f in path.iterdir() if not f.name.startswith(".") and f.name != "catalog.csv")
        found = sorted(f for f in shown if f.suffix.lower() in TABLE_SUFFIXES)
    else:
        found = [path] if path.is_file() else []
    if not found:
        raise InputError(Problem(str(path), "holds no tables" if path.is_dir() else "does not exist", WHERE_TABLES))
    return found


def _families(files: list[Path]) -> dict[str, str]:
    families: dict[str, str] = {}
    for folder in {place for file in files for place in (file.parent, file.parent.parent)}:
        catalog = folder / "catalog.csv"
        if catalog.is_file():
            with catalog.open(encoding="utf-8", newline="") as stream:
                families |= {row["name"]: row.get("family") or row["name"] for row in csv.DictReader(stream)}
    return families


def _read(file: Path, rows: int) -> Table | None:
    from autometa.task import read_task

    task = read_task(str(file))
    if task.kind == "regression":
        return None
    task = task.sample(rows, seed=0)
    columns = [
        task.X[name].cat.codes.to_numpy(np.float32)
        if task.X[name].dtype.name == "category"
        else task.X[name].to_numpy(np.float32, na_value=np.nan)
        for name in (*task.columns.numeric, *task.columns.categorical)
    ]
    return Table(file.stem, np.column_stack(columns), task.y) if columns else None


def _episode(
    tasks: Sequence[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
    shot: int,
    columns: int,
    rng: Generator,
    device: torch.device | str,
) -> Episode:
    """Tasks of (c, k, p), (c, k), (c, k) as an episode; the support in a random order."""
    parts: list[list[NDArray[Any]]] = [[], [], [], [], [], []]
    for x, y, there in tasks:
        p = x.shape[-1]
        support, query = x[:, :shot].reshape(-1, p), x[:, shot:].reshape(-1, p)
        real = there[:, :shot].ravel() > 0
        z = standardised(support[real], np.concatenate([support, query]), columns)[1]
        order = rng.permutation(len(support))
        halves = (z[: len(support)][order], y[:, :shot].ravel()[order], there[:, :shot].ravel()[order])
        rest = (z[len(support) :], y[:, shot:].ravel(), there[:, shot:].ravel())
        for kept, new in zip(parts, (*halves, *rest), strict=True):
            kept.append(new)
    tensors = [torch.from_numpy(np.stack(part)).to(device) for part in parts]
    support_x, support_y, support_mask, query_x, query_y, query_mask = tensors
    c = len(tasks[0][1])
    return Episode(
        Examples(support_x, support_y, support_mask.float()),
        Examples(query_x, query_y, query_mask.float()),
        torch.full((len(tasks), c), -1, device=device),
    )


def _network(rng: Generator, way: int, k: int, p: int, noise: float) -> NDArray[np.float64]:  # (c, k, p)
    """Columns are nodes of a random network over random causes, the class a bin of one of its other nodes."""
    n, width = 6 * way * k, p + 8
    h = rng.normal(size=(n, int(rng.integers(2, 8))))
    for _ in range(int(rng.integers(1, 4))):
        bend = (np.tanh, np.sin, np.abs)[int(rng.integers(3))]
        h = bend(h @ rng.normal(size=(h.shape[1], width)) / np.sqrt(h.shape[1]))
        h = h + noise * 0.3 * rng.normal(size=h.shape)
    nodes = rng.permutation(width)
    value = h[:, nodes[0]]
    label = np.searchsorted(np.quantile(value, np.arange(1, way) / way), value)
    rows = []
    for c in rng.permutation(way):
        pool = np.flatnonzero(label == c)
        rows.append(rng.choice(pool, k, replace=len(pool) < k))
    return h[:, nodes[1 : p + 1]][np.stack(rows)]


def _clusters(rng: Generator, way: int, k: int, p: int, noise: float) -> NDArray[np.float64]:  # (c, k, p)
    """Each class one to three stretched clouds."""
    x = np.empty((way, k, p))
    for c in range(way):
        centres = rng.normal(size=(int(rng.integers(1, 4)), p)) * (2.0 - noise)
        spread = rng.uniform(0.3, 1.2, p)
        x[c] = centres[rng.integers(len(centres), size=k)] + spread * rng.normal(size=(k, p))
    return x
