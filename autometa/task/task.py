"""A Task, and how a raw table becomes one.

`make_task` finds the target, says what kind of problem it is, sets rows aside whose label is missing if told to, and hands
the rest to `Schema`. Everything that is wrong with the input is collected on the way and reported at once.

Laws: a Task is immutable; ``Task.load`` of what ``save`` wrote has the same content and fingerprint; a `sample` keeps
every class.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.task.fingerprint import fingerprint
from autometa.task.read import RawTable, raw_table
from autometa.task.schema import (
    MISSING,
    Columns,
    Schema,
    labels,
    listed,
    moment_format,
    moments,
    number_style,
    numbers,
    spelled_numbers,
)

Kind = Literal["binary", "multiclass", "regression"]

MIN_ROWS = 5  # the fewest rows that can be cross-validated
MIN_CLASS_ROWS = 2  # one to learn from, one to be judged by
TARGET_NAMES = ("target", "class", "label", "y")
DEFAULT_METRICS: Mapping[Kind, str] = {  # the convention of the AutoML Benchmark (Gijsbers et al., 2024)
    "binary": "roc_auc",
    "multiclass": "neg_log_loss",
    "regression": "neg_root_mean_squared_error",
}
MAX_CODES = 30  # whole numbers from 0 or 1 upwards are class codes up to this many classes,
ROWS_PER_CODE = 10  # if there are this many rows for each on average,
MAX_GAPS = 1.3  # and if few codes are left out: their span at most this many times their number
RARE_ROWS = 10  # a class with fewer rows deserves a note
IMBALANCE = 0.05  # a rarest class below this share deserves a note


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
        """Thirty-two hexadecimal digits of the content; see `autometa.task.fingerprint`."""
        if "fingerprint" not in self._cache:
            self._cache["fingerprint"] = fingerprint(self.X, self.y, self.classes, self.kind)
        return self._cache["fingerprint"]

    def sample(self, rows: int, seed: int) -> Task:
        """At most `rows` rows in their original order, classes in proportion and none lost; itself if it is no larger.

        Every class keeps at least two rows (one, where two for each would be more than `rows`).
        """
        if self.n <= rows:
            return self
        rng = np.random.default_rng(seed)
        if self.kind == "regression":
            return self._take(np.sort(rng.choice(self.n, rows, replace=False)))
        counts = np.bincount(self.y, minlength=self.c)
        keep = _shares(counts, rows)
        order = rng.permutation(self.n)
        order = order[np.argsort(self.y[order], kind="stable")]  # by class, random within
        rank = np.arange(self.n) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._take(np.sort(order[rank < np.repeat(keep, counts)]))

    def _take(self, rows: NDArray[np.intp]) -> Task:
        return Task(
            **{name: getattr(self, name) for name in _VALUES},
            X=self.X.iloc[rows].reset_index(drop=True),
            **{name: None if (a := getattr(self, name)) is None else a[rows] for name in _ARRAYS},
        )

    def save(self, folder: Path) -> None:
        """Writes files into `folder` (created if need be) that `load` maps into memory."""
        from pyarrow import feather

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        columns = self.columns
        numeric = self.X[list(columns.numeric)].to_numpy(np.float64)
        np.save(folder / "numeric.npy", np.asfortranarray(numeric))
        codes = [self.X[name].cat.codes.to_numpy(np.int32) for name in columns.categorical]
        np.save(folder / "codes.npy", np.array(codes, dtype=np.int32).reshape(len(codes), self.n))
        if columns.text:
            feather.write_feather(self.X[list(columns.text)], folder / "text.feather", compression="uncompressed")
        for name in _ARRAYS:
            if getattr(self, name) is not None:
                np.save(folder / f"{name}.npy", getattr(self, name))
        values = {name: getattr(self, name) for name in _VALUES}
        categories = [self.X[name].cat.categories.tolist() for name in columns.categorical]
        (folder / "task.pickle").write_bytes(pickle.dumps((values, categories, dict(self._cache))))

    @staticmethod
    def load(folder: Path) -> Task:
        """The Task that `save` wrote, its arrays mapped read-only; cheap enough for every trial process."""
        folder = Path(folder)
        values, categories, cache = pickle.loads((folder / "task.pickle").read_bytes())
        columns: Columns = values["schema"].columns
        numeric = np.asarray(np.load(folder / "numeric.npy", mmap_mode="r"))
        parts = [pd.DataFrame(numeric, columns=pd.Index(columns.numeric, dtype="str"), copy=False)]
        if columns.categorical:
            codes = np.load(folder / "codes.npy", mmap_mode="r")
            parts.append(
                pd.DataFrame(
                    {
                        name: pd.Categorical.from_codes(own, categories=pd.Index(known, dtype="str"), validate=False)
                        for name, own, known in zip(columns.categorical, codes, categories, strict=True)
                    }
                )
            )
        if columns.text:
            from pyarrow import feather

            parts.append(feather.read_table(folder / "text.feather", memory_map=True).to_pandas())
        parts = [part for part in parts if part.shape[1]]
        arrays = {
            name: np.asarray(np.load(path, mmap_mode="r")) if (path := folder / f"{name}.npy").exists() else None
            for name in _ARRAYS
        }
        task = Task(**values, X=pd.concat(parts, axis=1) if len(parts) > 1 else parts[0], **arrays)
        task._cache.update(cache)
        return task


_ARRAYS = ("y", "groups", "time_order")
_VALUES = ("name", "kind", "metric", "classes", "target", "schema", "notes", "openml_id", "family")


def _shares(counts: NDArray[np.int64], rows: int) -> NDArray[np.int64]:  # (c,) -> (c,)
    """How many rows of each class make `rows` rows: a floor for each, the rest in proportion (largest remainders)."""
    floor = np.minimum(counts, 2 if 2 * len(counts) <= rows else 1)
    left = max(rows - int(floor.sum()), 0)
    quota = left * (counts - floor) / max(int((counts - floor).sum()), 1)
    keep = floor + quota.astype(np.int64)
    short = max(rows - int(keep.sum()), 0)
    keep[np.argsort(quota.astype(np.int64) - quota, kind="stable")[:short]] += 1
    return keep


def read_task(
    path: Any,
    *,
    target: str | None = None,
    metric: str | None = None,
    kind: str | None = None,
    group: str | None = None,
    time_order: str | None = None,
    name: str | None = None,
    drop_missing_target: bool = False,
    rename_duplicates: bool = False,
    known_metrics: Mapping[str, Collection[str]] | None = None,
    openml_id: int | None = None,
    family: str | None = None,
) -> Task:
    """The Task in a file, `"-"` (standard input), DataFrame or array: `read_table`, then `make_task`.

    Raises:
        InputError: With the problems of both, all of them.
    """
    table = raw_table(path, rename_duplicates=rename_duplicates)
    return _make(
        table,
        y=None,
        target=target,
        metric=metric,
        kind=kind,
        group=group,
        time_order=time_order,
        name=name or table.name,
        drop_missing_target=drop_missing_target,
        known_metrics=known_metrics,
        openml_id=openml_id,
        family=family,
    )


def make_task(
    frame: pd.DataFrame | NDArray[Any],
    *,
    y: Any = None,
    target: str | None = None,
    metric: str | None = None,
    kind: str | None = None,
    group: str | None = None,
    time_order: str | None = None,
    name: str = "table",
    drop_missing_target: bool = False,
    known_metrics: Mapping[str, Collection[str]] | None = None,
    openml_id: int | None = None,
    family: str | None = None,
) -> Task:
    """The Task in a raw table.

    Args:
        frame: (n, p) features, and the target unless `y` holds it; group and time-order columns may be among them.
        y: (n,) the target, where it is not a column of `frame`.
        target: The target's column; by default one called target, class, label or y, else the last.
        metric: A scorer name; by default `DEFAULT_METRICS` of the kind. It also tells the kind, if `known_metrics` does.
        kind: "binary", "multiclass", "classification" or "regression"; by default inferred from the target.
        group: A column whose equal values must stay on one side of every split; not a feature.
        time_order: A column that orders the rows in time; not a feature.
        name: What messages call the table.
        drop_missing_target: Whether rows without a label are left out rather than refused.
        known_metrics: Every metric name with the kinds it serves; without it names are not checked.
        openml_id: The dataset's number at OpenML, if it is known to come from there.
        family: The family of datasets that this one is a variant of.

    Raises:
        InputError: With everything that is wrong with the input.
    """
    table = raw_table(frame)
    return _make(
        table,
        y=y,
        target=target,
        metric=metric,
        kind=kind,
        group=group,
        time_order=time_order,
        name=name,
        drop_missing_target=drop_missing_target,
        known_metrics=known_metrics,
        openml_id=openml_id,
        family=family,
    )


def _make(
    table: RawTable,
    *,
    y: Any,
    target: str | None,
    metric: str | None,
    kind: str | None,
    group: str | None,
    time_order: str | None,
    name: str,
    drop_missing_target: bool,
    known_metrics: Mapping[str, Collection[str]] | None,
    openml_id: int | None,
    family: str | None,
) -> Task:
    problems, notes = list(table.problems), list(table.notes)
    problems += _metric_problems(metric, known_metrics)
    frame = table.frame
    if frame is None:  # nothing could be read
        raise InputError(problems)

    # the columns that are no features
    column: pd.Series | None = None
    if y is not None:
        column = _series(y, target or "target")
        target = str(column.name)
        if len(column) != len(frame):
            problems.append(Problem(name, f"the table has {len(frame)} rows, the target {len(column)}"))
            column = None
    elif len(frame.columns):
        target, why = _find_target(frame, target)
        if why is not None:
            notes.append(f"Target: column {target!r}, {why}.")
            column = frame[target]
            frame = frame.drop(columns=target)
        else:
            problems.append(_no_column(name, str(target), frame))
    if target in table.duplicated:
        problems.append(Problem(name, f"the target's name {target!r} belongs to several columns", "Rename all but one."))
    grouping = _take_column(frame, group, name, problems)
    timing = _take_column(frame, time_order, name, problems)
    frame = frame.drop(columns=[c for c in {group, time_order} if c is not None and c in frame.columns])

    # rows without a label
    codes: NDArray[Any] = np.empty(0)
    classes: tuple[Any, ...] = ()
    resolved: Kind | None = None
    if column is not None:
        where = f"{name}, target {target!r}"
        column, keep = _labelled(column, where, drop_missing_target, problems, notes)
        if not keep.all():
            frame, grouping, timing = (None if t is None else t.loc[keep].reset_index(drop=True) for t in (frame, grouping, timing))
        if len(column) or not len(keep):
            if 0 < len(column) < MIN_ROWS:
                rows = "1 row" if len(column) == 1 else f"{len(column)} rows"
                problems.append(Problem(name, f"only {rows} (n_samples={len(column)})", f"At least {MIN_ROWS} are needed."))
            if len(column):
                codes, classes, resolved = _read_target(column, where, kind, metric, known_metrics, problems, notes)

    schema = None
    if frame.shape[1] == 0:
        problems.append(Problem(name, "no feature columns", "At least one column besides the target is needed."))
    elif len(frame):
        try:
            schema = Schema.fit(frame)
        except InputError as error:
            problems += error.problems
        if schema is not None and not schema.readings:
            problems.append(
                Problem(name, f"only constant or empty feature columns: {listed(schema.seen)}", "There is nothing to learn from.")
            )
    groups = None if grouping is None else _read_groups(grouping, group, name, problems, notes)
    times = None if timing is None else _read_times(timing, time_order, name, problems, notes)
    if problems:
        raise InputError(problems)
    assert schema is not None and resolved is not None and target is not None
    if metric is None:
        metric = DEFAULT_METRICS[resolved]
        notes.append(f"Metric: {metric}, the usual one for {resolved} tasks.")
    return Task(
        name=name,
        X=schema.apply(frame),
        y=codes,
        kind=resolved,
        metric=metric,
        classes=classes,
        target=target,
        schema=schema,
        groups=groups,
        time_order=times,
        notes=(*notes, *schema.notes),
        openml_id=openml_id,
        family=family,
    )


def _metric_problems(metric: str | None, known: Mapping[str, Collection[str]] | None) -> list[Problem]:
    if metric is None or known is None or metric in known:
        return []
    fix = f"{did_you_mean(metric, list(known))} Known metrics: {', '.join(sorted(known))}.".strip()
    return [Problem("metric", f"unknown metric {metric!r}", fix)]


def _series(y: Any, name: str) -> pd.Series:
    """A target given on its own."""
    if isinstance(y, pd.DataFrame):
        y = y.iloc[:, 0] if y.shape[1] == 1 else y.to_numpy()
    if isinstance(y, pd.Series):
        return y.reset_index(drop=True).rename(str(y.name) if y.name is not None else name)
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(Problem("target", f"an array of shape {array.shape} came where (n,) is needed"))
    return pd.Series(array, name=name).infer_objects()


def _find_target(frame: pd.DataFrame, target: str | None) -> tuple[str, str | None]:
    """The target column and why it is the one; None for why if there is no such column."""
    if target is not None:
        target = str(target)
        return target, "as asked" if target in frame.columns else None
    for wanted in TARGET_NAMES:
        for name in frame.columns:
            if name.strip().casefold() == wanted:
                return name, "because of its name"
    return frame.columns[-1], "the last one, as none is called " + ", ".join(TARGET_NAMES[:-1]) + f" or {TARGET_NAMES[-1]}"


def _no_column(where: str, column: str, frame: pd.DataFrame) -> Problem:
    names = list(frame.columns)
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return Problem(where, f"no column {column!r}", f"{did_you_mean(column, names)} Columns: {shown}.".strip())


def _take_column(frame: pd.DataFrame, column: str | None, where: str, problems: list[Problem]) -> pd.Series | None:
    if column is None:
        return None
    if column not in frame.columns:
        problems.append(_no_column(where, column, frame))
        return None
    return frame[column].reset_index(drop=True)


def _labelled(
    column: pd.Series, where: str, drop_missing: bool, problems: list[Problem], notes: list[str]
) -> tuple[pd.Series, NDArray[np.bool_]]:
    """The rows that have a label, and which they are.

    Whole numbers that are floats only because some are missing become whole again. "None" is a label like any other in a
    target that holds text. From here on, every cell that is left is a label.
    """
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        keep = np.isfinite(column.to_numpy(np.float64, na_value=np.nan))
    else:
        codes, texts = labels(column, MISSING - {"None"})
        if "None" in texts:
            if number_style([text for text in texts if text != "None"]) is None:
                notes.append("The label 'None' is taken as a class.")
            else:
                codes = np.where(codes == texts.index("None"), -1, codes)
        keep = codes >= 0
    missing = int((~keep).sum())
    if not missing:
        return column.reset_index(drop=True), keep
    if missing == len(keep):
        problems.append(Problem(where, "every label is missing", "Name another column as the target."))
    elif drop_missing:
        notes.append(f"Left out {missing} of {len(keep)} rows, whose label is missing.")
    else:
        fix = "Fill them in, or leave these rows out with --drop-missing-target (drop_missing_target=True)."
        problems.append(Problem(where, f"{missing} of {len(keep)} labels are missing (NaN) or infinite", fix))
    column = column.loc[keep].reset_index(drop=True)
    if column.dtype == np.float64 and (column == np.floor(column)).all() and column.abs().max() < 2**53:
        column = column.astype(np.int64)
    return column, keep


def _read_target(
    column: pd.Series,  # (n,) no value is missing
    where: str,
    kind: str | None,
    metric: str | None,
    known_metrics: Mapping[str, Collection[str]] | None,
    problems: list[Problem],
    notes: list[str],
) -> tuple[NDArray[Any], tuple[Any, ...], Kind | None]:
    """The target as codes or numbers, its classes, and the kind of task."""
    serves = frozenset((known_metrics or {}).get(metric or "", ()))
    why = "as asked"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        problems.append(Problem(where, "dates cannot be predicted", "Name another column as the target."))
        return np.empty(0), (), None
    if kind is None:
        if serves == {"regression"}:
            kind, why = "regression", f"because {metric} measures numbers"
        elif serves and "regression" not in serves:
            kind, why = "classification", f"because {metric} measures classes"
        else:
            kind, why = infer_kind(column)
    if kind == "regression":
        values, odd = _numeric_target(column)
        if odd:
            cells = int(np.isnan(values).sum())
            fix = "Correct or remove these rows."
            problems.append(Problem(where, f"text among the numbers of a regression target: {listed(odd)} in {cells} rows", fix))
        elif np.ptp(values) == 0:
            problems.append(Problem(where, f"constant: every value is {values[0]:g}", "There is nothing to learn."))
        notes.append(f"Task: regression, {why}.")
        if serves and "regression" not in serves:
            problems.append(_wrong_metric(metric, serves, "regression"))
        return values, (), "regression"
    if kind not in ("classification", "binary", "multiclass"):
        problems.append(Problem("kind", f"unknown kind {kind!r}", "Known: binary, multiclass, classification, regression."))
        return np.empty(0), (), None
    codes, classes = _classes(column)
    resolved: Kind = "binary" if len(classes) == 2 else "multiclass"
    if kind == "binary" and len(classes) > 2:
        problems.append(Problem(where, f"{len(classes)} classes where a binary task was asked for: {listed(classes)}"))
    notes.append(f"Task: {resolved} classification of {len(classes)} classes, {why}.")
    counts = np.bincount(codes, minlength=len(classes))
    if len(classes) == 1:
        problems.append(Problem(where, f"constant: the only class is {str(classes[0])!r}", "At least two classes are needed."))
    elif (counts < MIN_CLASS_ROWS).any():
        rare = [classes[i] for i in np.flatnonzero(counts < MIN_CLASS_ROWS)]
        fix = "Merge each with another class, leave it out, or add rows."
        if len(rare) > 0.2 * len(codes):
            fix = "Is this a number to be predicted? Then ask for regression by its metric. Otherwise merge classes or add rows."
        noun = "class has" if len(rare) == 1 else "classes have"
        problems.append(Problem(where, f"{len(rare)} {noun} one row only: {listed(rare)}", fix))
    else:
        rare = [f"{classes[i]} ({counts[i]})" for i in np.flatnonzero(counts < RARE_ROWS)]
        if rare:
            notes.append(f"Classes with fewer than {RARE_ROWS} rows: {listed(rare)}.")
        if counts.min() < IMBALANCE * len(codes):
            i = int(counts.argmin())
            notes.append(f"Imbalanced: the rarest class, {str(classes[i])!r}, has {counts[i] / len(codes):.2%} of the rows.")
    if serves and resolved not in serves and len(classes) > 1:
        problems.append(_wrong_metric(metric, serves, resolved))
    return codes, classes, resolved


def _wrong_metric(metric: str | None, serves: Collection[str], kind: str) -> Problem:
    return Problem("metric", f"{metric!r} measures {' and '.join(sorted(serves))} tasks, and this one is {kind}")


def infer_kind(column: pd.Series) -> tuple[str, str]:
    """Whether a target without missing values asks for "classification" or "regression", and why.

    Text, categories and truth values are classes, unless the text spells numbers. Two distinct numbers are classes. More
    are classes if they look like codes: stored as whole numbers, from 0 or 1 upwards with few gaps, at least two rows for each
    and ten on average, and not more than `MAX_CODES` unless all are about equally frequent. All other numbers are to be
    predicted as numbers. Agrees with the catalogue on all but 9 of 367 real tables written to CSV.

    Example:
        >>> infer_kind(pd.Series([1, 2, 3] * 20))[0], infer_kind(pd.Series([0.5, 1.5, 2.5] * 20))[0]
        ('classification', 'regression')
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "classification", "because it holds categories"
    if pd.api.types.is_bool_dtype(column.dtype):
        return "classification", "because it is true or false"
    whole_type = pd.api.types.is_integer_dtype(column.dtype)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        values, odd = _numeric_target(column)
        if odd:
            mostly = np.isfinite(values).mean() > 0.9
            distinct = np.unique(values[np.isfinite(values)])
            if mostly and (len(distinct) > MAX_CODES or (distinct != np.floor(distinct)).any()):
                return "regression", "because almost all of it are numbers"
            return "classification", "because it holds text"
        whole_type = all(text.lstrip("+-").isdigit() for text in labels(column, ())[1])
    else:
        values = column.to_numpy(np.float64)
    distinct, counts = np.unique(values, return_counts=True)
    k = len(distinct)
    if k <= 2:
        return "classification", f"because it has {k} distinct values"
    if (distinct != np.floor(distinct)).any():
        return "regression", "because it holds fractional numbers"
    span = distinct[-1] - distinct[0] + 1
    supported = counts.min() >= MIN_CLASS_ROWS and len(values) >= ROWS_PER_CODE * k
    few = k <= MAX_CODES or counts.min() >= 0.8 * counts.max()
    if whole_type and supported and few and distinct[0] in (0, 1) and span <= MAX_GAPS * k:
        return "classification", f"because it holds the codes {distinct[0]:g} to {distinct[-1]:g}"
    return "regression", f"because it holds {k} distinct numbers"


def _numeric_target(column: pd.Series) -> tuple[NDArray[np.float64], list[str]]:  # (n,)
    """The target as numbers, and the texts that are none."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return numbers(column), []
    texts = labels(column, ())[1]
    numeric = [text for text in texts if number_style([text]) is not None]
    style = number_style(numeric) or "point"
    values = numbers(column.astype("str") if isinstance(column.dtype, pd.CategoricalDtype) else column, style)
    odd = [text for text, value in zip(texts, spelled_numbers(texts, style), strict=True) if not np.isfinite(value)]
    return values, odd


def _classes(column: pd.Series) -> tuple[NDArray[np.int64], tuple[Any, ...]]:  # (n,)
    """Codes and the sorted original labels: numbers stay numbers, truth values stay truth values."""
    if pd.api.types.is_bool_dtype(column.dtype):
        values: Any = column.to_numpy(bool)
    elif pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(np.float64)
        if (values == np.floor(values)).all() and np.abs(values).max() < 2**53:
            values = values.astype(np.int64)
    else:
        codes, texts = labels(column, ())
        values = np.array(texts, dtype=object)[codes]
    distinct, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), tuple(distinct.tolist())


def _read_groups(
    column: pd.Series, group: str | None, where: str, problems: list[Problem], notes: list[str]
) -> NDArray[np.int64]:  # (n,)
    codes, texts = labels(column)
    if (codes < 0).any():
        problems.append(Problem(where, f"{int((codes < 0).sum())} rows have no value in the group column {group!r}", "Fill them in."))
    elif len(texts) < 2:
        problems.append(Problem(where, f"the group column {group!r} has one value only", "At least two groups are needed."))
    notes.append(f"Rows with the same {group!r} stay together in every split ({len(texts)} groups); it is no feature.")
    return codes.astype(np.int64)


def _read_times(
    column: pd.Series, time_order: str | None, where: str, problems: list[Problem], notes: list[str]
) -> NDArray[np.float64]:  # (n,)
    values = _sortable(column)
    bad = int(np.isnan(values).sum())
    if bad:
        fix = "Numbers or dates are needed in every row."
        problems.append(Problem(where, f"{bad} rows have no time in the time-order column {time_order!r}", fix))
    notes.append(f"Rows are ordered by {time_order!r}: every model is judged on later rows; it is no feature.")
    return values


def _sortable(column: pd.Series) -> NDArray[np.float64]:  # (n,)
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype):
        return numbers(column)
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        texts = labels(column)[1]
        style = number_style(texts)
        if style is not None:
            return numbers(column.astype("str"), style)
        column = moments(column, moment_format(texts) or "ISO8601")
    return (moments(column) - pd.Timestamp(0)).dt.total_seconds().to_numpy(np.float64)
