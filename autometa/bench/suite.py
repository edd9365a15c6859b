"""What is benchmarked on: tasks with fixed splits, from OpenML, from a catalogue, or from a folder of tables.

A suite knows the names of its tasks and loads each when it is its turn. OpenML's tasks bring their own splits; a table
of ours is split in `FOLDS`, stratified, with one fixed seed, so that a fold means the same rows on every machine. The
metric is the AutoML Benchmark's for the kind of task (AUC, log loss, RMSE), unless a catalogue names another.

Law: rows of one side of a fold are never on the other; the same table gives the same folds wherever it lies.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import AutoMetaError, InputError, Problem, did_you_mean
from autometa.moved import former
from autometa.store import Exclusion, TaskRecord

if TYPE_CHECKING:
    import pandas as pd

FOLDS, SPLIT_SEED = 10, 0  # of a table of ours: as many as OpenML's tasks have
CATALOG = "catalog.csv"
SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arff", ".jsonl", ".gz", ".zst")
KINDS = ("binary", "multiclass", "regression")

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class BenchTask:
    """A table with its splits.

    See Also:
        `Suite`, `bench_task`.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"x": range(40), "z": [1.5, 2.5] * 20, "class": ["a", "b"] * 20})
        >>> bench_task(frame, key="toy", name="toy", target="class").n
        40
    """

    key: str  # what identifies it in results: ``openml:task/31``, or its name in the catalogue
    name: str
    kind: str
    metric: str  # scorer name
    frame: pd.DataFrame  # (n, p + 1) the features as they came; the target last: text of the class, or a number
    target: str
    classes: tuple[str, ...]  # () for regression
    folds: dict[tuple[int, int], tuple[Rows, Rows]]  # (repeat, fold) -> rows learned from, rows predicted
    fingerprint: str
    family: str | None = None
    openml_id: int | None = None  # of the data set
    task_id: int | None = None  # at OpenML

    @property
    def n(self) -> int:
        """How many rows the table has."""
        return len(self.frame)


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """A task of a suite, not loaded yet."""

    key: str
    load: Callable[[], BenchTask]


@dataclass(frozen=True, slots=True)
class Suite:
    r"""Tasks to compare methods on, each loaded when it is its turn.

    See Also:
        `open_suite`, `only`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("one", "two"):
        ...         rows = "x,target\n" + "1,a\n2,b\n" * 20
        ...         _ = (Path(folder) / f"{name}.csv").write_text(rows, encoding="utf-8")
        ...     suite = open_suite(folder)
        ...     task = only(suite, ["two"]).entries[0].load()
        >>> [entry.key for entry in suite.entries], task.kind, task.n, len(task.folds)
        (['one', 'two'], 'binary', 40, 10)
    """

    name: str
    entries: tuple[SuiteEntry, ...]
    openml_id: int | None = None
    named: Callable[[str], Iterable[int]] = lambda _: ()  # the tasks at OpenML on the datasets of a name


def open_suite(text: str, *, openml: Callable[[], Any] | None = None) -> Suite:
    r"""The suite that is meant by a folder, a catalogue, or an OpenML id or alias.

    Args:
        text: A folder of tables, with a ``catalog.csv`` in it if anything is to be said of them; a catalogue, whose
            tables lie beside it; else an id or alias of OpenML.
        openml: Opens the client when it is needed; None where there is none.

    Raises:
        InputError: It is none of these, or a catalogue is wrong: everything that is.

    See Also:
        `only`, `Suite`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "toy.csv").write_text("x,z,class\n" + "1,2.5,a\n2,1.5,b\n3,0.5,a\n4,0,b\n" * 10)
        ...     suite = open_suite(folder)
        >>> [entry.key for entry in suite.entries]
        ['toy']
    """
    path = Path(text)
    if path.is_dir():
        return _of_folder(path)
    if path.is_file():
        return _of_catalog(path)
    if openml is None or "/" in text or path.suffix.lower() in SUFFIXES:
        raise InputError(Problem(text, "does not exist", "A suite is a folder, a catalogue, or an id of OpenML."))
    client = openml()
    found = client.suite(int(text) if text.isdigit() else text)
    entries = tuple(
        SuiteEntry(f"openml:task/{number}", partial(_of_openml, client, number)) for number in found.task_ids
    )
    if not entries:
        raise InputError(Problem(text, "is a suite without tasks"))
    return Suite(found.name or text, entries, found.id, lambda name: client.tasks_named(name))


def only(suite: Suite, names: Sequence[str], printed: Mapping[str, Iterable[str]] | None = None) -> Suite:
    r"""The tasks of these names alone (of OpenML's, the number is enough).

    Args:
        suite: All of them.
        names: As `SuiteEntry.key`, as `printed`, or of datasets at OpenML; in small letters or not.
        printed: Names of tasks in a report, and the keys of those that are called so.

    Raises:
        InputError: Some are not in the suite: all of those.

    See Also:
        `open_suite`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "toy.csv").write_text("x,z,class\n" + "1,2.5,a\n2,1.5,b\n3,0.5,a\n4,0,b\n" * 10)
        ...     len(only(open_suite(folder), ["toy"]).entries)
        1
    """
    keys = {entry.key for entry in suite.entries}
    known = {name: keys & set(meant) for name, meant in (printed or {}).items()}
    known |= {key.rpartition("/")[2]: {key} for key in keys if key.startswith("openml:")}
    known |= {key: {key} for key in keys}
    folded = {name.casefold(): meant for name, meant in known.items() if meant}
    for name in (name for name in names if name.casefold() not in folded):
        if meant := keys & _at_openml(suite, name):
            folded[name.casefold()] = meant
    wrong = [
        Problem(name, f"is not in {suite.name}", did_you_mean(name, sorted(known)))
        for name in names
        if name.casefold() not in folded
    ]
    if wrong:
        raise InputError(wrong)
    chosen = {key for name in names for key in known.get(name) or folded[name.casefold()]}
    return replace(suite, entries=tuple(e for e in suite.entries if e.key in chosen))


def _at_openml(suite: Suite, name: str) -> set[str]:
    """The keys of tasks on the datasets of a name; none where that cannot be asked."""
    try:
        return {f"openml:task/{number}" for number in suite.named(name)}
    except AutoMetaError:
        return set()


def bench_task(
    frame: pd.DataFrame,
    *,
    key: str,
    name: str,
    target: str | None = None,
    kind: str | None = None,
    metric: str | None = None,
    family: str | None = None,
    openml_id: int | None = None,
    task_id: int | None = None,
    splits: Iterable[tuple[int, int, Rows, Rows]] | None = None,
) -> BenchTask:
    """A table as a task with splits: its own, or `FOLDS` of ours.

    Rows without a label are left out of both sides.

    Args:
        frame: (n, p + 1) features and target.
        key: What identifies it in results.
        name: What it is called.
        target: Column to predict; by default as `autometa fit` finds it.
        kind: Kind of task; by default inferred.
        metric: Any name of a metric; by default that of the kind.
        family: The family of tables that this one is a variant of.
        openml_id: Of the data set.
        task_id: Of the task at OpenML.
        splits: (repeat, fold, rows learned from, rows predicted) by row number of `frame`.

    Raises:
        InputError: The table cannot be one: all that is wrong.

    See Also:
        `BenchTask`.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"x": range(40), "z": [1.5, 2.5] * 20, "class": ["a", "b"] * 20})
        >>> task = bench_task(frame, key="toy", name="toy", target="class")
        >>> task.kind, task.metric, len(task.folds)
        ('binary', 'roc_auc', 10)
    """
    from autometa.evaluation import METRIC_KINDS, plan_splits, resolve_metric
    from autometa.task import make_task

    task = make_task(
        frame, target=target, kind=kind, metric=metric, name=name, family=family, openml_id=openml_id,
        known_metrics=METRIC_KINDS, drop_missing_target=True, keep_lone_classes=True,
    )  # fmt: skip
    labelled = np.flatnonzero(frame[task.target].notna().to_numpy())
    if len(labelled) != task.n:  # a target out of text may spell its missing values, such as "?"
        raise InputError(Problem(name, f"{task.target!r} has missing values written as text", "Leave such rows out."))
    classes = tuple(str(c) for c in task.classes)
    answer = np.array(classes, dtype=object)[task.y] if classes else task.y
    kept = frame.drop(columns=task.target).iloc[labelled].reset_index(drop=True)
    kept = kept.assign(**{task.target: answer})
    folds: dict[tuple[int, int], tuple[Rows, Rows]]
    if splits is None:
        folds = {(0, i): sides for i, sides in enumerate(plan_splits(task, seed=SPLIT_SEED, folds=FOLDS))}
    else:
        place = np.full(len(frame), -1)
        place[labelled] = np.arange(len(labelled))
        folds = {}
        for repeat, fold, train, test in splits:
            sides = [place[np.asarray(rows, dtype=np.intp)] for rows in (train, test)]
            folds[repeat, fold] = sides[0][sides[0] >= 0], sides[1][sides[1] >= 0]
    return BenchTask(
        key=key, name=name, kind=task.kind, metric=resolve_metric(task.metric, task.kind), frame=kept,
        target=task.target, classes=classes, folds=folds, fingerprint=task.fingerprint, family=family,
        openml_id=openml_id, task_id=task_id,
    )  # fmt: skip


def left_out(task: BenchTask, records: Iterable[TaskRecord]) -> Exclusion:
    """What a memory that holds `records` must forget, so that `task` never sees its own answer.

    That is the same content, the same data set or task at OpenML, and its family: the one that is known of the task,
    and those of every record that is the same data or goes by its name.

    Args:
        task: The task under test.
        records: Everything the memory holds, of every search space.

    See Also:
        `autometa.store.Exclusion`.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"x": range(40), "z": [1.5, 2.5] * 20, "class": ["a", "b"] * 20})
        >>> task = bench_task(frame, key="toy", name="toy", target="class", family="toys")
        >>> "toys" in left_out(task, []).families
        True
    """
    numbers = frozenset(number for number in (task.openml_id, task.task_id) if number is not None)
    own = Exclusion(frozenset({task.fingerprint}), numbers, frozenset({task.family} - {None}))  # type: ignore[arg-type]
    alike = [record for record in records if own.excludes(record) or record.name.casefold() == task.name.casefold()]
    families = own.families | {record.family for record in alike if record.family is not None}
    return Exclusion(own.fingerprints | {record.fingerprint for record in alike}, numbers, families)


def _of_openml(client: Any, number: int) -> BenchTask:
    task = client.task(number)
    table = task.table
    return bench_task(
        table.frame, key=f"openml:task/{number}", name=table.name, target=task.target, kind=task.kind,
        openml_id=table.data_id, task_id=number, splits=task.splits,
    )  # fmt: skip


def _of_folder(folder: Path) -> Suite:
    if (folder / CATALOG).is_file():
        return _of_catalog(folder / CATALOG, folder.resolve().name)
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(Problem(str(folder), "holds no table", f"Known endings: {', '.join(SUFFIXES)}."))
    return Suite(folder.resolve().name, _entries([(file, {"name": file.name.split(".")[0]}) for file in files]))


def _of_catalog(catalog: Path, name: str | None = None) -> Suite:
    """A CSV: ``name``, and if known ``file``, ``target``, ``task`` (kind), ``family``, ``openml_id``, ``metric``."""
    with catalog.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    if not rows or "name" not in rows[0]:
        fix = "Expected name, and if known file, target, task, family, openml_id, metric."
        raise InputError(Problem(str(catalog), "has no column 'name', or no rows", fix))
    problems, found = [], []
    seen: set[str] = set()
    for row in rows:
        where = f"{catalog}, {row['name']}"
        file = _table_of(catalog.parent, row)
        if file is None:
            problems.append(Problem(where, "has no table", f"Put it beside {catalog.name}, or name it in 'file'."))
        elif row["name"] in seen:
            problems.append(Problem(where, "is there twice"))
        elif row.get("task") and row["task"] not in KINDS:
            problems.append(Problem(where, f"{row['task']!r} is no kind of task", f"Known: {', '.join(KINDS)}."))
        elif row.get("openml_id") and not row["openml_id"].removesuffix(".0").isdigit():
            problems.append(Problem(where, f"{row['openml_id']!r} is no OpenML id"))
        else:
            found.append((file, row))
        seen.add(row["name"])
    if problems:
        raise InputError(problems)
    return Suite(name or catalog.stem, _entries(found))


def _table_of(folder: Path, row: dict[str, str]) -> Path | None:
    if row.get("file"):
        file = folder / row["file"]
        return file if file.is_file() else None
    places = [f"{row['name']}{suffix}" for suffix in SUFFIXES] + [f"tabular/{row['name']}.parquet"]
    return next((folder / place for place in places if (folder / place).is_file()), None)


def _entries(files: Sequence[tuple[Path, dict[str, str]]]) -> tuple[SuiteEntry, ...]:
    return tuple(SuiteEntry(row["name"], partial(_of_file, file, row)) for file, row in files)


def _of_file(file: Path, row: dict[str, str]) -> BenchTask:
    from autometa.task import read_table

    number = row.get("openml_id")
    frame, _ = read_table(file)
    return bench_task(
        frame, key=row["name"], name=row["name"], target=row.get("target") or None, kind=row.get("task") or None,
        metric=row.get("metric") or None, family=row.get("family") or None,
        openml_id=int(float(number)) if number else None,
    )  # fmt: skip


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
