"""A Task, and how a raw table becomes one.

`make_task` finds the target, says what kind of problem it is, leaves rows without a label out if told to, and hands the
rest to `Schema`. Everything that is wrong with the input is collected on the way and reported at once.

Laws: a Task is immutable; ``Task.load`` of what ``save`` wrote has the same content and fingerprint; a `sample` keeps
every class.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.task.fingerprint import fingerprint
from autometa.task.read import RawTable, raw_table
from autometa.task.schema import (
    Columns,
    Schema,
    holds_dates,
    labels,
    listed,
    moment_pattern,
    moments,
    number_style,
    numbers,
)
from autometa.task.target import Kind, Metric, Target, find_target, labelled, read_target

DEFAULT_METRICS: Mapping[Kind, str] = {  # the convention of the AutoML Benchmark (Gijsbers et al., 2024)
    "binary": "roc_auc",
    "multiclass": "neg_log_loss",
    "regression": "neg_root_mean_squared_error",
}
SHOWN = 20  # columns that a message lists

_ARRAYS = ("y", "groups", "time_order")


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A typed table, a target, a kind and a metric; immutable.

    Example:
        >>> frame = pd.DataFrame({"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "class": list("abbaab")})
        >>> task = make_task(frame)
        >>> task.kind, task.metric, task.classes, task.y.tolist()
        ('binary', 'roc_auc', ('a', 'b'), [0, 1, 1, 0, 0, 1])
    """

    name: str
    X: pd.DataFrame  # (n, p) typed, columns numeric + categorical + text; RangeIndex
    y: NDArray[Any]  # (n,) int64 class codes 0..c-1 | float64
    kind: Kind
    metric: str  # scikit-learn scorer name
    classes: tuple[Any, ...]  # (c,) original labels, y indexes it; () for regression
    target: str
    schema: Schema
    groups: NDArray[np.int64] | None = None  # (n,)
    time_order: NDArray[np.float64] | None = None  # (n,) sortable
    notes: tuple[str, ...] = ()
    openml_id: int | None = None
    family: str | None = None  # datasets that are variants of one another share it
    _cache: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.y)

    @property
    def p(self) -> int:
        """Typed feature columns."""
        return self.X.shape[1]

    @property
    def c(self) -> int:
        """Classes; 0 for regression."""
        return len(self.classes)

    @property
    def columns(self) -> Columns:
        """The names of the columns of X by what they hold."""
        return self.schema.columns

    @property
    def fingerprint(self) -> str:
        """Thirty-two hexadecimal digits of the content (`autometa.task.fingerprint`), computed when first asked for."""
        if "fingerprint" not in self._cache:
            self._cache["fingerprint"] = fingerprint(self.X, self.y, self.classes, self.kind)
        return self._cache["fingerprint"]

    def sample(self, rows: int, seed: int) -> Task:
        """At most `rows` rows in their original order, classes in proportion and none lost; itself if it is no larger.

        Every class keeps two rows or more; where that would be too many rows, one; where there are more classes than
        `rows`, the sample has one row of each.
        """
        if self.n <= rows:
            return self
        rng = np.random.default_rng(seed)
        if self.kind == "regression":
            return self._take(np.sort(rng.choice(self.n, rows, replace=False)))
        counts = np.bincount(self.y, minlength=self.c)
        order = rng.permutation(self.n)
        order = order[np.argsort(self.y[order], kind="stable")]  # by class, at random within
        rank = np.arange(self.n) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._take(np.sort(order[rank < np.repeat(_shares(counts, rows), counts)]))

    def _take(self, rows: NDArray[np.intp]) -> Task:
        return replace(
            self,
            X=self.X.iloc[rows].reset_index(drop=True),
            y=self.y[rows],
            groups=None if self.groups is None else self.groups[rows],
            time_order=None if self.time_order is None else self.time_order[rows],
        )

    def save(self, folder: Path) -> None:
        """Writes files into `folder` (created if need be) that `load` maps into memory."""
        from pyarrow import feather

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        columns = self.columns
        np.save(folder / "numeric.npy", np.asfortranarray(self.X[list(columns.numeric)].to_numpy(np.float64)))
        codes = np.empty((len(columns.categorical), self.n), dtype=np.int32)
        for k, name in enumerate(columns.categorical):
            codes[k] = self.X[name].cat.codes
        np.save(folder / "codes.npy", codes)
        if columns.text:
            feather.write_feather(self.X[list(columns.text)], folder / "text.feather", compression="uncompressed")
        for name in _ARRAYS:
            if getattr(self, name) is not None:
                np.save(folder / f"{name}.npy", getattr(self, name))
        bare = replace(self, X=self.X.iloc[:0], y=self.y[:0], groups=None, time_order=None)
        (folder / "task.pickle").write_bytes(pickle.dumps((bare, self._cache)))

    @staticmethod
    def load(folder: Path) -> Task:
        """The Task that `save` wrote, its arrays mapped read-only; cheap enough for every trial process."""
        from pyarrow import feather

        folder = Path(folder)
        bare, cache = pickle.loads((folder / "task.pickle").read_bytes())
        columns = bare.columns
        numeric = np.asarray(np.load(folder / "numeric.npy", mmap_mode="r"))
        X = pd.DataFrame(numeric, columns=pd.Index(columns.numeric, dtype="str"), copy=False)
        parts = [X] if columns.numeric else []
        if columns.categorical:
            codes = np.asarray(np.load(folder / "codes.npy", mmap_mode="r"))
            categories = {
                name: pd.Categorical.from_codes(own, dtype=bare.X[name].dtype, validate=False)
                for name, own in zip(columns.categorical, codes, strict=True)
            }
            parts.append(pd.DataFrame(categories))
        if columns.text:
            parts.append(feather.read_table(folder / "text.feather", memory_map=True).to_pandas())
        arrays = {
            name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))
            if (folder / f"{name}.npy").exists()
            else None
            for name in _ARRAYS
        }
        task = replace(bare, X=pd.concat(parts, axis=1) if len(parts) > 1 else parts[0], **arrays)
        task._cache.update(cache)
        return task


def _shares(counts: NDArray[np.int64], rows: int) -> NDArray[np.int64]:  # (c,) -> (c,)
    """How many rows of each class make `rows` rows: a floor for each, the rest in proportion (largest remainders).

    Example:
        >>> _shares(np.array([900, 90, 3]), 100)
        array([88, 10, 2])
    """
    floor = np.minimum(counts, 2 if 2 * len(counts) <= rows else 1)
    left = max(rows - int(floor.sum()), 0)
    quota = left * (counts - floor) / max(int((counts - floor).sum()), 1)
    keep = floor + quota.astype(np.int64)
    short = max(rows - int(keep.sum()), 0)
    keep[np.argsort(quota.astype(np.int64) - quota, kind="stable")[:short]] += 1
    return keep


def read_task(path: Any, *, name: str | None = None, rename_duplicates: bool = False, **options: Any) -> Task:
    """The Task in a file, in ``"-"`` (standard input), in a DataFrame or an array: `read_table`, then `make_task`.

    Args:
        path: As `read_table`.
        name: What messages call the table; by default the file's name.
        rename_duplicates: As `read_table`.
        **options: As `make_task`.

    Raises:
        InputError: With the problems of both, all of them.
    """
    table = raw_table(path, rename_duplicates=rename_duplicates)
    table.name = name or table.name
    return make_task(table, name=table.name, **options)


def make_task(
    frame: pd.DataFrame | NDArray[Any] | RawTable,
    *,
    y: Any = None,
    target: str | None = None,
    metric: str | None = None,
    kind: str | None = None,
    group: str | None = None,
    time_order: str | None = None,
    name: str = "table",
    drop_missing_target: bool = False,
    keep_lone_classes: bool = False,
    known_metrics: Mapping[str, Collection[str]] | None = None,
    openml_id: int | None = None,
    family: str | None = None,
) -> Task:
    """The Task in a raw table.

    Args:
        frame: (n, p) features, and the target unless `y` holds it; group and time-order columns may be among them.
        y: (n,) the target, where it is not a column of `frame`.
        target: The target's column; by default one called target, class, label or y, else the last.
        metric: A scorer name; by default `DEFAULT_METRICS` of the kind. It tells the kind if `known_metrics` does.
        kind: "binary", "multiclass", "classification" or "regression"; by default inferred from the target.
        group: A column whose equal values must stay on one side of every split; not a feature.
        time_order: A column that orders the rows in time; not a feature.
        name: What messages call the table.
        drop_missing_target: Whether rows without a label are left out rather than refused.
        keep_lone_classes: Whether classes with one row are accepted; a fold that must predict one has never seen it.
        known_metrics: Every metric name with the kinds it serves; without it names are not checked.
        openml_id: The dataset's number at OpenML, if it is known to come from there.
        family: The family of datasets that this one is a variant of.

    Raises:
        InputError: With everything that is wrong with the input.
    """
    table = frame if isinstance(frame, RawTable) else raw_table(frame)
    problems, notes = list(table.problems), list(table.notes)
    asked = Metric(metric, known_metrics)
    problems += asked.problems()
    if table.frame is None:  # nothing could be read
        raise InputError(problems)
    rest = table.frame
    group, time_order = (None if c is None else str(c) for c in (group, time_order))

    # the columns that are no features
    column, target = _target_column(rest, y, target, name, problems, notes)
    if target in table.duplicated:
        what = f"the name of the target, {target!r}, belongs to several columns"
        problems.append(Problem(name, what, "Rename all but one."))
    grouping = _column(rest, group, name, problems)
    timing = _column(rest, time_order, name, problems)
    aside = {group, time_order} if y is not None else {target, group, time_order}
    rest = rest[[c for c in rest.columns if c not in aside]] if aside & set(rest.columns) else rest

    found: Target | None = None
    if column is not None and len(column):
        where = f"{name}, target {target!r}"
        column, keep = labelled(column, where, drop_missing_target, problems, notes)
        if not keep.all():
            rest = rest.loc[keep].reset_index(drop=True)
            grouping = None if grouping is None else grouping.loc[keep].reset_index(drop=True)
            timing = None if timing is None else timing.loc[keep].reset_index(drop=True)
        if len(column):
            found = read_target(column, where, kind, asked, problems, notes, keep_lone_classes)
    elif column is not None and not problems:
        problems.append(Problem(name, "0 rows (0 samples)", "Rows are needed."))

    schema = _fit_schema(rest, name, problems)
    groups = None if grouping is None else _read_groups(grouping, group, name, problems, notes)
    times = None if timing is None else _read_times(timing, time_order, name, problems, notes)
    if problems:
        raise InputError(problems)
    assert schema is not None
    assert found is not None
    if metric is None:
        metric = DEFAULT_METRICS[found.kind]
        notes.append(f"Metric: {metric}, the usual one for {found.kind} tasks.")
    return Task(
        name=name,
        X=schema.apply(rest),
        y=found.y,
        kind=found.kind,
        metric=metric,
        classes=found.classes,
        target=target,
        schema=schema,
        groups=groups,
        time_order=times,
        notes=(*notes, *schema.notes),
        openml_id=openml_id,
        family=family,
    )


def _target_column(
    frame: pd.DataFrame, y: Any, target: str | None, name: str, problems: list[Problem], notes: list[str]
) -> tuple[pd.Series | None, str]:
    """The target's column and its name."""
    if y is not None:
        column = _series(y, target or "target")
        if column is None or len(column) != len(frame):
            what = f"{len(frame)} rows, but a target of shape {np.shape(y)}"
            problems.append(Problem(name, what, "One label for each row is needed."))
            return None, target or "target"
        return column, str(column.name)
    if not frame.shape[1]:
        problems.append(Problem(name, "no columns"))
        return None, target or "target"
    found, why = find_target(frame.columns, target)
    if why is None:
        problems.append(_no_column(name, found, frame))
        return None, found
    notes.append(f"Target: column {found!r}, {why}.")
    return frame[found], found


def _series(y: Any, name: str) -> pd.Series | None:  # (n,)
    """A target given on its own; None if it is not one column."""
    if isinstance(y, pd.Series):
        return y.rename(name if y.name is None else str(y.name))
    if isinstance(y, pd.DataFrame):
        return _series(y.iloc[:, 0], name) if y.shape[1] == 1 else None
    if isinstance(y, pd.api.extensions.ExtensionArray):
        return pd.Series(y, name=name)
    array = np.asarray(y)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    return pd.Series(array, name=name).infer_objects() if array.ndim == 1 else None


def _no_column(where: str, column: str, frame: pd.DataFrame) -> Problem:
    names = list(frame.columns)
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return Problem(where, f"no column {column!r}", f"{did_you_mean(column, names)} Columns: {shown}.".strip())


def _column(frame: pd.DataFrame, column: str | None, where: str, problems: list[Problem]) -> pd.Series | None:
    if column is None:
        return None
    if column not in frame.columns:
        problems.append(_no_column(where, column, frame))
        return None
    return frame[column]


def _fit_schema(frame: pd.DataFrame, where: str, problems: list[Problem]) -> Schema | None:
    if frame.shape[1] == 0:
        what = "no feature columns (0 features)"
        problems.append(Problem(where, what, "At least one column besides the target is needed."))
    if frame.size == 0:
        return None
    try:
        schema = Schema.fit(frame)
    except InputError as error:
        problems += error.problems
        return None
    if not schema.readings:
        what = f"only constant or empty feature columns: {listed(schema.seen)}"
        problems.append(Problem(where, what, "There is nothing to learn from."))
    return schema


def _read_groups(
    column: pd.Series, group: str | None, where: str, problems: list[Problem], notes: list[str]
) -> NDArray[np.int64]:  # (n,)
    codes, texts = labels(column)
    missing = int((codes < 0).sum())
    if missing:
        what = f"{missing} rows have no value in the group column {group!r}"
        problems.append(Problem(where, what, "Fill them in."))
    elif len(texts) == 1:
        what = f"the group column {group!r} has one value only"
        problems.append(Problem(where, what, "At least two groups are needed."))
    notes.append(f"Rows with the same {group!r} stay together in every split ({len(texts)} groups); it is no feature.")
    return codes.astype(np.int64)


def _read_times(
    column: pd.Series, time_order: str | None, where: str, problems: list[Problem], notes: list[str]
) -> NDArray[np.float64]:  # (n,)
    values = _sortable(column)
    missing = int((~np.isfinite(values)).sum())
    if missing:
        what = f"{missing} rows have no number or date in the time-order column {time_order!r}"
        problems.append(Problem(where, what, "Fill them in."))
    notes.append(f"Rows are ordered by {time_order!r}, and every model is judged on later rows; it is no feature.")
    return values


def _sortable(column: pd.Series) -> NDArray[np.float64]:  # (n,)
    """A column of numbers or moments as numbers; NaN where it is neither."""
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype):
        return numbers(column)
    pattern = "ISO8601"
    if not holds_dates(column.dtype):
        texts = labels(column)[1]
        style = number_style(texts)
        if style is not None:
            return numbers(column.astype("str"), style)
        pattern = moment_pattern(texts) or pattern
    return (moments(column, pattern) - pd.Timestamp(0)).dt.total_seconds().to_numpy(np.float64)
