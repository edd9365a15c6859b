"""Which rows a model gets wrong: slices of the table where it errs more than elsewhere, and the worst rows.

How wrong a row is: of numbers, how far off; of classes, the probability that was given to the wrong ones. A slice is a
category, a quarter of a numeric column (or of a numeric target), or the rows where a column is missing. It is told when
its mean error is above that of the other rows by `OPTIONS.slice_sureness` standard errors: with some hundred slices
hardly one is told by chance.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.explain.options import OPTIONS

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]
MOST_COLUMNS = 200  # that are cut into slices; the first of a wider table


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that have something in common, and how wrong the model is there.

    Example:
        >>> Slice("town is 'Bern'", rows=120, error=0.31, elsewhere=0.11).rows
        120
    """

    what: str
    rows: int
    error: float  # mean over its rows
    elsewhere: float  # mean over all others


@dataclass(frozen=True, slots=True)
class WorstRow:
    """A row that the model gets wrong: its place in the table as it was learned from, and what was said of it."""

    row: int  # from 0
    truth: Any  # as in the table
    prediction: Any
    error: float


def row_errors(task: Task, prediction: Values) -> Values:  # (n,) or (n, c) -> (n,)
    """How wrong each prediction is; NaN where there is none.

    Example:
        >>> from autometa.task import make_task
        >>> task = make_task(pd.DataFrame({"x": np.arange(6.0) ** 2}), y=["a", "b"] * 3)
        >>> row_errors(task, np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]] * 2)).tolist()
        [0.25, 0.5, 0.0, 0.75, 0.5, 1.0]
    """
    y = np.asarray(task.y)
    if task.kind == "regression":
        return np.abs(y - prediction)
    return np.asarray(1.0 - prediction[np.arange(len(y)), y])


def find_slices(task: Task, errors: Values) -> list[Slice]:
    """Where the model errs more than elsewhere, the clearest first.

    Args:
        task: The table.
        errors: (n,) of each row; NaN where there is no prediction.
    """
    known = np.flatnonzero(np.isfinite(errors))
    errors, n = errors[known], len(known)
    if n < 2 * OPTIONS.slice_rows:
        return []
    least = max(OPTIONS.slice_rows, OPTIONS.slice_share * n)
    total, squares = float(errors.sum()), float((errors**2).sum())
    found: list[tuple[float, Slice]] = []
    for what, rows in _slices(task, task.X.iloc[known], np.asarray(task.y)[known]):
        own = errors[rows]
        k, rest = len(own), n - len(own)
        if k < least or rest < least:
            continue
        mean, others = float(own.mean()), (total - float(own.sum())) / rest
        left = max((squares - float((own**2).sum())) / rest - others**2, 0.0)
        error = math.sqrt(float(own.var(ddof=1)) / k + left / rest)
        if error > 0 and mean - others >= OPTIONS.slice_sureness * error:
            found.append(((mean - others) / error, Slice(what, k, mean, others)))
    found.sort(key=lambda pair: -pair[0])
    return [one for _, one in found[: OPTIONS.slices]]


def worst_rows(task: Task, prediction: Values, errors: Values, labels: NDArray[Any] | None = None) -> list[WorstRow]:
    """The rows that the model gets most wrong.

    Args:
        task: The table.
        prediction: (n,) values; of classes what `errors` was made of.
        errors: (n,) as `row_errors`.
        labels: (n,) predicted class codes, of classes.
    """
    order = np.argsort(-np.nan_to_num(errors, nan=-1.0), kind="stable")[: OPTIONS.worst]
    rows = []
    for row in order.tolist():
        if not errors[row] > 0:
            break
        y = np.asarray(task.y)[row]
        said = float(prediction[row]) if labels is None else task.classes[int(labels[row])]
        rows.append(WorstRow(row, float(y) if labels is None else task.classes[int(y)], said, float(errors[row])))
    return rows


def _slices(task: Task, X: pd.DataFrame, y: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.bool_]]]:  # (n, p), (n,)
    """What some rows of a task have in common, and which of them they are."""
    if task.kind == "regression":
        yield from _quarters(f"{task.target} itself", np.asarray(y, dtype=np.float64))
    for name in list(X.columns)[:MOST_COLUMNS]:
        column = X[name]
        missing = column.isna().to_numpy()
        if missing.any():
            yield f"{name} is missing", missing
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy()
            often = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=1) >= OPTIONS.slice_rows)
            for code in often.tolist():
                yield f"{name} is {str(column.cat.categories[code])!r}", codes == code
        elif pd.api.types.is_numeric_dtype(column.dtype):
            yield from _quarters(str(name), column.to_numpy(np.float64))


def _quarters(name: str, values: Values) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The parts of a numeric column between its quantiles; each value of one with few."""
    present = values[np.isfinite(values)]
    if not len(present):
        return
    distinct = np.unique(present)
    if len(distinct) <= OPTIONS.parts:
        for value in distinct.tolist() if len(distinct) > 1 else ():
            yield f"{name} is {_short(value)}", values == value
        return
    edges = np.unique(np.quantile(present, np.linspace(0, 1, OPTIONS.parts + 1))[1:-1])
    places = np.searchsorted(edges, values, side="right")
    places[~np.isfinite(values)] = -1
    words = [_short(edge) for edge in edges.tolist()]
    yield f"{name} below {words[0]}", places == 0
    for part in range(1, len(edges)):
        yield f"{name} from {words[part - 1]} to {words[part]}", places == part
    yield f"{name} from {words[-1]}", places == len(edges)


def _short(value: float) -> str:
    """A number as people write it: four digits that count, and points between thousands.

    Example:
        >>> _short(144982.0), _short(0.12345), _short(12.0)
        ('144,982', '0.1235', '12')
    """
    if value == round(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
