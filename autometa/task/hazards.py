"""What makes a score look better than it is: rows that repeat, a column that is the target, rows of one group or time.

Found cheaply on the typed table, said once, with the flag that acts on it. Rows that repeat others are kept together in
every split, so that none is judged by its own copy.

Law: nothing here changes a cell; a table whose rows repeat by chance, as few values allow no others, is left alone.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.columns import ColumnEncoder
from autometa.task.fingerprint import mix
from autometa.task.identifiers import foretells, names_group
from autometa.task.names import columns_at, listed
from autometa.task.options import OPTIONS


@dataclass(frozen=True, slots=True)
class Hazards:
    """What was found."""

    notes: tuple[str, ...]
    groups: NDArray[np.int64] | None  # (n,) rows that are to stay together; None where none repeats


def find_hazards(
    X: pd.DataFrame,  # (n, p) typed
    y: NDArray[Any],  # (n,) codes or numbers
    encoders: Sequence[ColumnEncoder],
    *,
    classes: bool,
    grouped: bool,
    ordered: bool,
) -> Hazards:
    """What makes a score on this table look better than it is.

    Args:
        X: (n, p) typed features.
        y: (n,) the target.
        encoders: Of the raw columns.
        classes: Whether `y` is codes.
        grouped: Whether rows are grouped already.
        ordered: Whether rows are ordered in time already.

    Example:
        >>> X = pd.DataFrame({"x": np.tile(np.arange(30.0) ** 1.5, 2), "z": np.arange(60) % 7 / 2})
        >>> X["z"] = X["x"] * 3
        >>> found = find_hazards(X, np.tile(np.arange(30) % 2, 2), (), classes=True, grouped=False, ordered=False)
        >>> found.notes[0], len(set(found.groups))
        ('30 of 60 rows repeat others in all features; copies stay together in every split.', 30)
    """
    notes = [*_disguises(X, y, classes=classes)]
    copies, groups = _repeats(X, y, classes=classes, grouped=grouped or ordered)
    notes = copies + notes
    if not grouped:
        for name in (one.name for one in encoders if one.name in X and names_group(one.name)):
            distinct = X[name].nunique()
            if OPTIONS.fewest_groups <= distinct <= len(X) / 2:
                shared = f"Column {name!r} looks like an identifier that {len(X) / distinct:.1f} rows share"
                notes.append(f"{shared}: if new rows are of new ones, --group {name} judges so.")
    if not ordered:
        for encoder in encoders:
            elapsed = f"{encoder.name}.elapsed"
            if encoder.holds == "datetime" and elapsed in X and X[elapsed].notna().all():
                told, _ = foretells(X[elapsed].to_numpy(), y, classes=classes)
                if told:
                    notes.append(
                        f"The target changes along {encoder.name!r}: if new rows are later ones, --time-order "
                        f"{encoder.name} judges so."
                    )
    return Hazards(tuple(notes), groups)


def _repeats(
    X: pd.DataFrame, y: NDArray[Any], *, classes: bool, grouped: bool
) -> tuple[list[str], NDArray[np.int64] | None]:
    """Rows with the same features: how many, how many of them have another label, and the groups that they make."""
    n = len(X)
    if n < OPTIONS.foretold_rows:
        return [], None
    codes, distinct = pd.factorize(_row_hashes(X))
    if len(distinct) == n or not _is_rich(X):
        return [], None
    together = not grouped and n <= OPTIONS.most_rows_together and len(distinct) > 2 * OPTIONS.fewest_groups
    end = "; copies stay together in every split." if together else "; --group keeps copies together in every split."
    notes = [f"{n - len(distinct)} of {n} rows repeat others in all features" + ("." if grouped else end)]
    if classes:
        pairs = len(np.unique(np.stack([codes, y.astype(np.int64)]), axis=1).T)
        if pairs > len(distinct):
            several = np.bincount(np.unique(np.stack([codes, y.astype(np.int64)]), axis=1)[0]) > 1
            rows = int(several[codes].sum())
            notes.append(f"{rows} rows have the same features as rows of another class: no model can tell them apart.")
    return notes, codes.astype(np.int64) if together else None


def _row_hashes(X: pd.DataFrame) -> NDArray[np.uint64]:  # (n, p) -> (n,)
    """Hashes of the rows, equal where the rows are.

    Numbers are taken as many at once as are a small part of the table, and no more where those tell all rows apart.
    """
    salts = mix(np.arange(1, X.shape[1] + 1, dtype=np.uint64))
    hashes = np.zeros(len(X), dtype=np.uint64)
    numeric = [i for i, dtype in enumerate(X.dtypes) if pd.api.types.is_numeric_dtype(dtype)]
    step = max(1, OPTIONS.cells_at_once // max(len(X), 1))
    for start in range(0, len(numeric), step):
        some = numeric[start : start + step]
        values = X.iloc[:, some].to_numpy(np.float64) + 0.0  # which turns -0 into 0, and is a copy
        values[np.isnan(values)] = np.nan
        hashes += mix(np.ascontiguousarray(values).view(np.uint64) ^ salts[some]).sum(axis=1, dtype=np.uint64)
        if start == 0 and len(np.unique(hashes)) == len(X):
            return hashes
    others = sorted(set(range(X.shape[1])) - set(numeric))
    for i, column in zip(others, columns_at(X, others), strict=True):
        is_category = isinstance(column.dtype, pd.CategoricalDtype)
        codes = column.array.codes if is_category else pd.factorize(column)[0]
        hashes += mix(codes.astype(np.int64).view(np.uint64) ^ salts[i])
    return hashes


def _is_rich(X: pd.DataFrame) -> bool:
    """Whether rows hardly repeat by chance: some column has mostly values of its own, but for copies of rows."""
    enough = OPTIONS.rich_share * len(X)
    return any(column.nunique() >= enough for column in columns_at(X, slice(OPTIONS.columns_looked_at)))


def _disguises(X: pd.DataFrame, y: NDArray[Any], *, classes: bool) -> list[str]:
    """Columns that tell the target of every row."""
    first = OPTIONS.rows_looked_at  # most columns are told by the first rows
    some = X.iloc[:first, : OPTIONS.columns_looked_at]
    found = [name for name, column in some.items() if _tells(column, y[:first], classes=classes)]
    found = [str(name) for name in found if len(y) <= first or _tells(X[name], y, classes=classes)]
    if not found:
        return []
    which = "Column" if len(found) == 1 else "Columns"
    end = "tells" if len(found) == 1 else "each tell"
    return [
        f"{which} {listed(found)} {end} the target of every row: are they known when an answer is needed? "
        f"--drop {found[0]} leaves it out."
    ]


def _tells(column: pd.Series, y: NDArray[Any], *, classes: bool) -> bool:
    """Whether a column is the target in other words: each of a few values has one class, or it is a line of it."""
    n = len(y)
    if n < OPTIONS.foretold_rows:
        return False
    if not classes:
        if not pd.api.types.is_numeric_dtype(column.dtype) or column.isna().any():
            return False
        values = column.to_numpy(np.float64)
        values, target = values - values.mean(), y - y.mean()
        spread = float(np.sqrt((values @ values) * (target @ target)))
        return spread > 0 and abs(float(values @ target)) / spread > OPTIONS.disguise_correlation
    cells = column.to_numpy() if isinstance(column.dtype, np.dtype) else column
    codes, distinct = pd.factorize(cells)
    if len(distinct) < 2 or len(distinct) * OPTIONS.code_rows > n or (codes < 0).any():
        return False
    pairs = np.unique(codes.astype(np.int64) * (int(y.max()) + 1) + y)
    return len(pairs) == len(distinct)
