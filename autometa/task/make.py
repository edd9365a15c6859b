"""How a raw table becomes a Task.

`make_task` finds the target, says what kind of problem it is, leaves rows without a label out if told to, and hands the
rest to `Schema`. Everything that is wrong with the input is collected on the way and reported at once.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, did_you_mean
from autometa.task.cells import MISSING_TEXTS
from autometa.task.counting import read_counting
from autometa.task.detect import TYPES, ColumnRequest
from autometa.task.findings import InputFindings
from autometa.task.hazards import find_hazards
from autometa.task.in_memory import as_column
from autometa.task.later import profile
from autometa.task.monotonic import read_monotonic
from autometa.task.names import listed
from autometa.task.options import OPTIONS
from autometa.task.ordering import read_groups, read_times
from autometa.task.read import RawTable, ReadRequest, raw_table
from autometa.task.read.limits import Limits
from autometa.task.schema import Schema
from autometa.task.target import DEFAULT_METRICS, Target, TargetRequest, find_target, labelled, read_target
from autometa.task.task import Task
from autometa.task.vectors import numbers_of, spread, told_vectors


def read_task(
    path: Any,
    *,
    name: str | None = None,
    rename_duplicates: bool = False,
    encoding: str | None = None,
    header: bool | None = None,
    na: Sequence[str] | None = None,
    limits: Mapping[str, int] | None = None,
    sheet: str | int | None = None,
    member: str | None = None,
    query: str | None = None,
    download: bool = False,
    **options: Any,
) -> Task:
    r"""The Task in a file, in several, in a database or a table in memory: `read_table`, then `make_task`.

    Args:
        path: As `read_table`.
        name: What messages call the table; by default the file's name.
        rename_duplicates: As `read_table`.
        encoding: As `read_table`.
        header: As `read_table`.
        na: As `read_table`.
        limits: As `read_table`.
        sheet: As `read_table`.
        member: As `read_table`.
        query: As `read_table`.
        download: As `read_table`.
        **options: As `make_task`.

    Raises:
        InputError: With the problems of both, all of them.

    See Also:
        `autometa.make_task`, `read_table`.

    Example:
        >>> task = read_task(b"age,town,class\n" + b"31,Ulm,yes\n45,Bern,no\n27,Ulm,yes\n" * 4)
        >>> task.n, task.columns.categorical, task.classes
        (12, ('town',), ('no', 'yes'))
    """
    words = None if na is None else tuple(na)
    request = ReadRequest(
        rename_duplicates, encoding, header, words, None, Limits.of(limits), sheet, member, query, download
    )
    table = raw_table(path, request)
    return make_task(table, name=name or table.findings.name, na=na, **options)


def make_task(
    frame: Any,
    *,
    y: Any = None,
    target: str | None = None,
    metric: str | None = None,
    kind: str | None = None,
    group: str | None = None,
    time_order: str | None = None,
    weight: str | None = None,
    costs: Any = None,
    name: str = "table",
    drop_missing_target: bool = False,
    keep_lone_classes: bool = False,
    known_metrics: Mapping[str, Collection[str]] | None = None,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    types: Mapping[str, str] | None = None,
    na: Sequence[str] | None = None,
    positive: Any = None,
    openml_id: int | None = None,
    family: str | None = None,
    apart: bool = False,
    others: Sequence[str] = (),
    monotonic: Mapping[Any, Any] | None = None,
) -> Task:
    """The Task in a raw table.

    Args:
        frame: (n, p) features, and the target unless `y` holds it; group and time-order columns may be among them.
            A DataFrame, an array, a sparse matrix, or any table that speaks Arrow's protocol, such as polars'.
        y: (n,) the target, where it is not a column of `frame`.
        target: The target's column; by default one called target, class, label or y, else the last.
        metric: A scorer name; by default `DEFAULT_METRICS` of the kind. It tells the kind if `known_metrics` does.
        kind: "binary", "multiclass", "classification" or "regression"; by default inferred from the target.
        group: A column whose equal values must stay on one side of every split; not a feature.
        time_order: A column that orders the rows in time; not a feature.
        weight: A column that says how much each row counts, from 0 up; not a feature.
        costs: What it costs to take a row of one class for another: ``{(true, predicted): cost}``, where nothing is
            said 0; or (c, c) numbers, true classes down, in the order of the sorted labels; or a CSV file of them, with
            the labels in its first row and column.
        name: What messages call the table.
        drop_missing_target: Whether rows without a label are left out rather than refused.
        keep_lone_classes: Whether classes with one row are accepted; a fold that must predict one has never seen it.
        keep: Columns that are features though they look like identifiers or counts of the rows.
        drop: Columns that are no features.
        types: What columns hold, by name: "number", "category", "text" or "date"; what is not named is found.
        na: The words for missing cells, instead of the usual ones; an empty cell always is.
        positive: The label of the positive class, of two; by default the rarer one, of 0 and 1 the 1.
        known_metrics: Every metric name with the kinds it serves; without it names are not checked.
        openml_id: The dataset's number at OpenML, if it is known to come from there.
        family: The family of datasets that this one is a variant of.
        monotonic: Numeric columns along which the prediction may only rise (1, "+") or only fall (-1, "-"); of two
            classes, the probability of the positive one.
        others: Columns that are other targets: no features.
        apart: Whether a table of its own judges models (`with_validation`): no row of this one is held out.

    Raises:
        InputError: With everything that is wrong with the input.

    See Also:
        `read_task` for a file, `describe` for what a task looks like.

    Example:
        >>> frame = pd.DataFrame({"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "price": [3.0, 4.5, 6.0, 7.5, 9.0, 10.5]})
        >>> task = make_task(frame, target="price")
        >>> task.kind, task.metric, list(task.X)
        ('regression', 'neg_root_mean_squared_error', ['x'])
    """
    table = raw_table(frame)
    y = as_column(y)
    findings = InputFindings(name, list(table.findings.notes), list(table.findings.problems))
    words = None if na is None else frozenset(map(str, na)) | {""}
    request = TargetRequest(
        kind, metric, known_metrics, drop_missing_target, keep_lone_classes, words, table.decimal or ".", positive
    )
    columns = ColumnRequest(
        tuple(map(str, keep)),
        tuple(map(str, drop)),
        {str(column): holds for column, holds in (types or {}).items()},
        MISSING_TEXTS if words is None else words,
        table.decimal,
    )
    request.check_metric(findings)
    if table.frame is None:  # nothing could be read
        raise InputError(findings.problems)
    group, time_order, weight = (None if column is None else str(column) for column in (group, time_order, weight))
    roles = {"group": group, "time_order": time_order, "weight": weight}
    column, target = _target_column(table, y, target, request, findings)
    if target in table.duplicated:
        what = f"the name of the target, {target!r}, belongs to several columns"
        findings.refuse(what, "Rename all but one.")
    groups, times, weights = (_column(table.frame, one, findings) for one in roles.values())
    if weight is not None and weight in (target, group, time_order):
        findings.refuse(f"{weight!r} cannot be the weight of the rows and something else", "Name another column.")
    _check_columns(columns, table.frame, findings)
    aside = {group, time_order, weight, *others} | (set() if y is not None else {target})
    raw = spread(_without(table.as_written(columns.as_written), aside), findings, {*columns.drop, *columns.types})
    columns = replace(columns, keep=tuple(one for name in columns.keep for one in numbers_of(name, raw)))
    parts = _Parts(raw, column, groups, times, weights)
    bare = partial(table.bare, target) if y is None and target in table.frame else lambda: None
    found, parts = _read_target(parts, target, request, bare, findings)
    schema = _fit_schema(parts.features, columns, found, findings)
    group_codes = None if parts.groups is None else read_groups(parts.groups, group, findings)
    times_as_numbers = None if parts.times is None else read_times(parts.times, time_order, findings)
    file = str(costs) if isinstance(costs, (str, Path)) else None
    counts, matrix = read_counting(parts.weights, weight, costs, found, findings)
    constrained = read_monotonic(monotonic, schema, found, findings)
    if findings.problems:
        raise InputError(findings.problems)
    assert schema is not None
    assert found is not None
    if metric is None:
        metric = "neg_cost" if matrix else DEFAULT_METRICS[found.kind]
        why = "because it is said what mistakes cost" if matrix else f"the usual one for {found.kind} tasks"
        findings.note(f"Metric: {metric}, {why}.")
    X = schema.apply(parts.features)
    held = {"grouped": group_codes is not None or apart, "ordered": times_as_numbers is not None or apart}
    hazards = find_hazards(X, found.y, schema.encoders, classes=bool(found.classes), **held)
    return Task(
        name=name,
        X=X,
        y=found.y,
        kind=found.kind,
        metric=metric,
        classes=found.classes,
        target=target,
        schema=replace(schema, picture=profile(X)),
        groups=hazards.groups if group_codes is None else group_codes,
        time_order=times_as_numbers,
        notes=(*findings.notes, *schema.notes, *told_vectors(schema.columns.numeric), *hazards.notes),
        openml_id=openml_id,
        family=family,
        positive=found.positive,
        weights=counts,
        costs=matrix,
        monotonic=constrained,
        aside=tuple((role, name) for role, name in (*roles.items(), ("costs", file)) if name is not None),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """A raw table taken apart."""

    features: pd.DataFrame  # (n, p)
    target: pd.Series | None  # (n,) raw; None, with a problem, where there is none
    groups: pd.Series | None  # (n,) raw
    times: pd.Series | None  # (n,) raw
    weights: pd.Series | None = None  # (n,) raw

    def rows(self, keep: NDArray[np.bool_]) -> _Parts:  # (n,)
        """The same without the other rows; the target is not touched."""
        if keep.all():
            return self
        features = self.features.loc[keep].reset_index(drop=True)
        groups, times, weights = (
            None if column is None else column.loc[keep].reset_index(drop=True)
            for column in (self.groups, self.times, self.weights)
        )
        return replace(self, features=features, groups=groups, times=times, weights=weights)


def _without(frame: pd.DataFrame, aside: set[str | None]) -> pd.DataFrame:
    """The columns that are not set aside."""
    kept = frame.copy(deep=False)
    for name in aside & set(frame.columns):
        del kept[name]  # a view of the others, where a list of them would be a copy
    return kept


def _target_column(
    table: RawTable, y: Any, target: str | None, request: TargetRequest, findings: InputFindings
) -> tuple[pd.Series | None, str]:
    """The target's column and its name; None, with a problem, where there is no such column."""
    frame = table.frame
    assert frame is not None
    if y is not None:
        column = _series(y, target or "target")
        if column is None or len(column) != len(frame):
            what = f"{len(frame)} rows, but a target of shape {np.shape(y)}"
            findings.refuse(what, "One label for each row is needed.")
            return None, target or "target"
        return column, str(column.name)
    if not frame.shape[1]:
        findings.refuse("no columns")
        return None, target or "target"
    found, why = find_target(frame.columns, target)
    if why is None:
        _refuse_column(found, frame, findings)
        return None, found
    findings.note(f"Target: column {found!r}, {why}.")
    return table.target_of(found, classes=request.asks_for_classes), found


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


def _column(frame: pd.DataFrame, column: str | None, findings: InputFindings) -> pd.Series | None:  # (n,)
    """A column that was asked for; None, with a problem, where there is no such column."""
    if column is None:
        return None
    if column not in frame.columns:
        _refuse_column(column, frame, findings)
        return None
    return frame[column]


def _check_columns(request: ColumnRequest, frame: pd.DataFrame, findings: InputFindings) -> None:
    """Refuses what is asked of columns that are not there, or cannot be asked."""
    for column in dict.fromkeys([*request.keep, *request.drop, *request.types]):
        if column not in frame.columns:
            _refuse_column(column, frame, findings)
    for column in sorted({*request.drop} & {*request.keep, *request.types}):
        findings.at(f"column {column!r}").refuse("is to be dropped, and to be kept or read as a type")
    for column, holds in request.types.items():
        if holds not in TYPES:
            fix = f"{did_you_mean(holds, TYPES)} Known: {', '.join(TYPES)}.".strip()
            findings.at(f"column {column!r}").refuse(f"unknown type {holds!r}", fix)


def _refuse_column(column: str, frame: pd.DataFrame, findings: InputFindings) -> None:
    """Says that there is no such column, and which there are."""
    names, most = list(frame.columns), OPTIONS.columns_listed
    shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
    findings.refuse(f"no column {column!r}", f"{did_you_mean(column, names)} Columns: {shown}.".strip())


def _read_target(
    parts: _Parts,
    target: str,
    request: TargetRequest,
    bare: Callable[[], pd.Series | None],
    findings: InputFindings,
) -> tuple[Target | None, _Parts]:
    """The target as codes or numbers, and the parts without the rows that have no label.

    None, with a problem, where there is no target that can be learned.
    """
    if parts.target is None:
        return None, parts
    if not len(parts.target):
        if not findings.problems:
            findings.refuse("0 rows (0 samples)", "Rows are needed.")
        return None, parts
    of_target = findings.at(f"{findings.name}, target {target!r}")
    column, keep = labelled(parts.target, request, of_target, bare)
    found = read_target(column, request, of_target) if len(column) else None
    return found, parts.rows(keep)


def _fit_schema(
    features: pd.DataFrame, request: ColumnRequest, target: Target | None, findings: InputFindings
) -> Schema | None:  # features: (n, p)
    """What the features hold; None, with a problem, where there are none."""
    if features.shape[1] == 0:
        findings.refuse("no feature columns (0 features)", "At least one column besides the target is needed.")
    if features.size == 0:
        return None
    try:
        y, classes = (None, True) if target is None else (target.y, bool(target.classes))
        schema = Schema.fit(features, request, y, classes=classes)
    except InputError as error:
        findings.problems.extend(error.problems)
        return None
    if not schema.encoders:
        what = f"only constant or empty feature columns: {listed(schema.seen)}"
        findings.refuse(what, "There is nothing to learn from.")
    return schema
