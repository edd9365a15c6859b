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
from autometa.task.identifiers import foretells, names_group
from autometa.task.names import listed
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
    codes, distinct = pd.factorize(pd.util.hash_pandas_object(X, index=False))
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


def _is_rich(X: pd.DataFrame) -> bool:
    """Whether rows hardly repeat by chance: some column has mostly values of its own, but for copies of rows."""
    enough = OPTIONS.rich_share * len(X)
    return any(X[name].nunique() >= enough for name in X.columns[: OPTIONS.columns_looked_at])


def _disguises(X: pd.DataFrame, y: NDArray[Any], *, classes: bool) -> list[str]:
    """Columns that tell the target of every row."""
    looked_at = X.columns[: OPTIONS.columns_looked_at]
    first = OPTIONS.rows_looked_at  # most columns are told by the first rows
    found = [name for name in looked_at if _tells(X[name].iloc[:first], y[:first], classes=classes)]
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
    codes, distinct = pd.factorize(column)
    if len(distinct) < 2 or len(distinct) * OPTIONS.code_rows > n or (codes < 0).any():
        return False
    pairs = np.unique(codes.astype(np.int64) * (int(y.max()) + 1) + y)
    return len(pairs) == len(distinct)
