"""Labels as people hand them over: lists, arrays, columns of tables; and names of columns, by which tables are aligned.

What is missing or mixed is told in words: NumPy would make text of ``["a", nan]``, and would end in a `TypeError` where
it sorts ``[None, "a"]``.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import Problem


def label_array(y: Any, where: str = "support") -> NDArray[Any] | list[Problem]:  # (n,)
    """Labels that can be sorted and compared, or what is wrong with them.

    Example:
        >>> label_array(["ant", "bee"]).tolist()
        ['ant', 'bee']
        >>> print(*label_array([0, "a", None]))
        support: 1 label is missing (at 2). Name it, or leave the example out. support: labels of mixed types: number \
(0), text ('a'). Give all of them one type.
    """
    cells = _cells(y)
    if cells.ndim == 2 and cells.shape[1] == 1:
        cells = cells[:, 0]
    if cells.ndim != 1:
        return [Problem(where, f"labels of shape {cells.shape}", "One label for each example.")]
    lost = np.asarray(pd.isna(cells), dtype=bool) if cells.dtype.kind in "OfMm" else np.zeros(len(cells), bool)
    wrong = []
    if lost.any():
        at = ", ".join(map(str, np.flatnonzero(lost)[:5])) + (", ..." if lost.sum() > 5 else "")
        what = "1 label is missing" if lost.sum() == 1 else f"{int(lost.sum())} labels are missing"
        wrong.append(Problem(where, f"{what} (at {at})", "Name it, or leave the example out."))
    if cells.dtype.kind == "O":
        kinds: dict[str, Any] = {}
        for cell in cells[~lost]:
            kinds.setdefault(_kind(cell), cell)
        if len(kinds) > 1:
            shown = ", ".join(f"{kind} ({cell!r})" for kind, cell in kinds.items())
            wrong.append(Problem(where, f"labels of mixed types: {shown}", "Give all of them one type."))
        elif kinds and next(iter(kinds)) not in ("text", "number", "truth value", "bytes", "date"):
            wrong.append(Problem(where, f"labels are {next(iter(kinds))}", "Give text or numbers."))
        if not wrong:
            cells = np.array(cells.tolist()) if "date" not in kinds else cells
    elif cells.dtype.kind not in "biufUSMm":
        wrong.append(Problem(where, f"labels of type {cells.dtype}", "Give text or numbers."))
    return wrong or cells


def value_array(y: Any, where: str = "support") -> NDArray[np.float32] | list[Problem]:  # (n, o)
    """Values to predict, or what is wrong with them."""
    try:
        cells = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        return [Problem(where, "values that are no numbers", "This learner predicts numbers.")]
    cells = cells.reshape(len(cells), -1) if cells.ndim else cells.reshape(1, 1)
    lost = ~np.isfinite(cells).all(1)
    if lost.any():
        at = ", ".join(map(str, np.flatnonzero(lost)[:5]))
        return [Problem(where, f"{int(lost.sum())} values are NaN or infinite (at {at})", "Leave these examples out.")]
    return cells.astype(np.float32)


def column_names(x: Any) -> tuple[str, ...] | None:
    """The names of the columns of a table, if it has any."""
    columns = getattr(x, "columns", None)
    if columns is None or not hasattr(columns, "__len__") or not all(isinstance(name, str) for name in columns):
        return None
    return tuple(columns)


def aligned(
    query: Any, names: Sequence[str] | None, wanted: Sequence[str] | None, where: str = "query"
) -> Any | list[Problem]:  # (q, p)
    """The columns of a query in the order of the support's, where both have names; or which do not fit."""
    if names is None or wanted is None or list(names) == list(wanted):
        return query
    lacking, other = [n for n in wanted if n not in names], [n for n in names if n not in wanted]
    wrong = []
    if lacking:
        wrong.append(Problem(where, f"lacks columns of the support: {_listed(lacking)}"))
    if other:
        wrong.append(Problem(where, f"columns that the support has not: {_listed(other)}", "Rename or drop them."))
    if wrong:
        return wrong
    order = [list(names).index(name) for name in wanted]
    return query.iloc[:, order] if hasattr(query, "iloc") else np.asarray(query)[:, order]


def _cells(y: Any) -> NDArray[Any]:
    """The labels one by one as they are, without NumPy's making them alike."""
    if isinstance(y, np.ndarray):
        return y
    if hasattr(y, "detach"):
        return y.detach().cpu().numpy()
    if isinstance(y, pd.DataFrame | pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        found: NDArray[Any] = np.asarray(y.astype(object))
        return found
    listed = list(y)
    if any(isinstance(cell, list | tuple | np.ndarray) and np.ndim(cell) for cell in listed):
        return np.asarray(y)
    cells = np.empty(len(listed), dtype=object)
    cells[:] = [cell.item() if getattr(cell, "ndim", 1) == 0 and hasattr(cell, "item") else cell for cell in listed]
    return cells


def _kind(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return "truth value"
    if isinstance(cell, str):
        return "text"
    if isinstance(cell, numbers.Real):
        return "number"
    if isinstance(cell, bytes):
        return "bytes"
    if hasattr(cell, "isoformat") or isinstance(cell, np.datetime64):
        return "date"
    return type(cell).__name__


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
