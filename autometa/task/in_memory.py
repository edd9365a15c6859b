"""Tables that are in memory already: frames, arrays, sparse matrices, and whatever speaks Arrow's protocol.

Polars, PyArrow, DuckDB and others hand out their columns through ``__arrow_c_stream__`` (the Arrow PyCapsule
interface); none of them is imported here. A sparse matrix becomes a table with all of its cells, up to a stated size.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from autometa.errors import InputError
from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS


def as_table(table: Any, name: str = "table") -> Any:
    """A table in memory as a DataFrame or an array; anything else as it is.

    Args:
        table: (n, p) of any kind.
        name: What messages call it.

    Raises:
        InputError: It is lazy, has no two dimensions, or is sparse and too large.

    See Also:
        `autometa.make_task`.

    Example:
        >>> import pyarrow as pa
        >>> as_table(pa.table({"x": [1, 2]})).equals(pd.DataFrame({"x": [1, 2]}))
        True
    """
    if isinstance(table, pd.DataFrame) and not _sparse_columns(table):
        return table
    findings = InputFindings(name)
    found = _converted(table, findings)
    if findings.problems:
        raise InputError(findings.problems)
    return found


def as_column(column: Any) -> Any:
    """A column of Arrow's, such as one of polars, as a Series; anything else as it is.

    Example:
        >>> import pyarrow as pa
        >>> as_column(pa.chunked_array([["a", "b"]])).tolist()
        ['a', 'b']
    """
    if isinstance(column, (pd.Series, pd.Index, pd.DataFrame)) or not hasattr(column, "__arrow_c_stream__"):
        return column
    import pyarrow as pa

    try:
        series = pa.chunked_array(column).to_pandas()
    except (pa.ArrowException, TypeError, ValueError):
        return as_table(column)
    name = getattr(column, "name", None)
    return series.rename(name or None) if isinstance(name, str) else series


def in_memory(source: Any, findings: InputFindings) -> Any:
    """A table in memory as a DataFrame, anything else as it is; None, with a problem, where it cannot be one."""
    found = _converted(source, findings)
    if not isinstance(found, np.ndarray):
        return found
    if found.dtype.names:
        return pd.DataFrame(found)
    if found.ndim == 2:
        return pd.DataFrame(found).infer_objects()
    what = f"Expected 2D array, got one of {found.ndim} dimensions instead"
    findings.refuse(what, "Reshape your data to (rows, columns).")
    return None


def _converted(table: Any, findings: InputFindings) -> Any:
    """As `in_memory`, arrays as they are."""
    if isinstance(table, pd.DataFrame):
        sparse = _sparse_columns(table)
        if not sparse:
            return table
        return _densified(table, sparse) if _is_dense_enough(len(table), len(sparse), findings) else None
    if isinstance(table, (np.ndarray, str, bytes)):
        return table
    if hasattr(table, "tocsr") and hasattr(table, "toarray"):  # SciPy's
        if table.ndim != 2:
            findings.refuse(f"Expected 2D array, got a sparse one of {table.ndim} dimensions instead")
            return None
        n, p = table.shape
        return table.toarray() if _is_dense_enough(n, p, findings) else None
    if hasattr(table, "__arrow_c_stream__"):
        return _of_stream(table, findings)
    if hasattr(table, "collect") and hasattr(table, "collect_schema"):
        findings.refuse(f"a {type(table).__name__} has not been computed yet", "Hand over what its .collect() gives.")
        return None
    return table


def _of_stream(table: Any, findings: InputFindings) -> pd.DataFrame | None:
    """The columns of an Arrow stream."""
    import pyarrow as pa

    from autometa.task.read.arrow import as_frame

    try:
        return as_frame(pa.table(table))
    except (pa.ArrowException, TypeError, ValueError) as error:
        findings.refuse(f"a {type(table).__name__} that is no table: {error}", "Columns under names are needed.")
        return None


def _is_dense_enough(n: int, p: int, findings: InputFindings) -> bool:
    """Whether a sparse table may be made one with all of its cells; with a problem where not."""
    if n * p <= OPTIONS.dense_cells:
        return True
    most = f"{8 * OPTIONS.dense_cells / 1e9:.1f} GB"
    what = f"a sparse matrix of {n:,} x {p:,} has {8 * n * p / 1e9:.1f} GB with all of its cells, more than {most}"
    findings.refuse(what, "Fewer columns will do (TruncatedSVD, SelectKBest), or the text or categories themselves.")
    return False


def _sparse_columns(frame: pd.DataFrame) -> list[int]:
    return [i for i, dtype in enumerate(frame.dtypes) if isinstance(dtype, pd.SparseDtype)]


def _densified(frame: pd.DataFrame, sparse: list[int]) -> pd.DataFrame:
    """The frame with all cells of its sparse columns."""
    columns = [
        frame.iloc[:, i].sparse.to_dense() if i in set(sparse) else frame.iloc[:, i] for i in range(frame.shape[1])
    ]
    return pd.concat(columns, axis=1)
