"""Which columns are asked first, where there may be no time for all: those whose values go with the target most.

Letters:  n rows · p columns · q numeric columns · m targets (1, or one for each class) · k groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.explain.options import OPTIONS

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]


def first_size(seconds_a_row: float, p: int, rows: int, seconds: float) -> tuple[int, int]:
    """How many rows, and of how many columns, a first shuffle is of, that takes so many seconds at most.

    Example:
        >>> first_size(1e-5, 30, 500, 1.0), first_size(1e-3, 30, 500, 1.0), first_size(1e-3, 3000, 500, 1.0)
        ((500, 30), (25, 30), (25, 39))
    """
    sizes = [rows, *(fewer for fewer in OPTIONS.fewer_rows if fewer < rows)]
    for size in sizes:
        if seconds_a_row * size * (p + 1) <= seconds:
            return size, p
    return sizes[-1], int(min(p, max(OPTIONS.dependent, seconds / (seconds_a_row * sizes[-1]) - 1)))


def closest(task: Task, names: Sequence[str], count: int, groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """So many columns whose values go with the target most, by ranks, the closest first; vectors before them.

    Args:
        task: The table.
        names: (p,) of columns and vectors.
        count: Of those that are wanted.
        groups: The columns of each name.
    """
    most = max(OPTIONS.fewer_rows[-1], min(OPTIONS.rows, OPTIONS.cells // max(task.p, 1)))
    rows = np.random.default_rng(0).permutation(task.n)[:most]
    X, y = task.X.iloc[rows], np.asarray(task.y, dtype=np.float64)[rows]
    targets = ranks(y)[:, None] if task.c <= 2 else (y[:, None] == np.arange(task.c)).astype(np.float64)  # (n, m)
    strength = dict.fromkeys(names, math.inf)
    single = [name for name in names if len(groups[name]) == 1]
    numeric = [name for name in single if pd.api.types.is_numeric_dtype(X.dtypes[name])]
    placed = X[numeric].astype(np.float64).rank(pct=True).to_numpy()  # as `ranks`, of each column
    strength |= dict(zip(numeric, correlation(placed, targets), strict=True))
    for name in set(single) - set(numeric):
        codes, distinct = pd.factorize(X[name], use_na_sentinel=False)
        spread = len(distinct) / len(codes)  # what as many groups tell of anything by chance
        strength[name] = explained(codes, targets) ** 0.5 - spread**0.5
    return sorted(names, key=lambda name: -strength[name])[:count]


def ranks(values: Values) -> Values:  # (n,) -> (n,)
    """In (0, 1], NaN where missing.

    Example:
        >>> ranks(np.array([3.0, np.nan, 1.0])).tolist()
        [1.0, nan, 0.5]
    """
    return pd.Series(values).rank(pct=True).to_numpy(np.float64)


def correlation(columns: Values, targets: Values) -> Values:  # (n, q), (n, m) -> (q,)
    """The largest correlation of each column with any target, whatever its sign, over the rows where it is known.

    Example:
        >>> correlation(np.array([[1.0, 5.0], [2.0, np.nan], [4.0, 5.0]]), np.array([[2.0], [9.0], [8.0]])).round(2)
        array([0.66, 0.  ])
    """
    known = np.isfinite(columns)
    rows = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, columns, 0.0)
    centred = np.where(known, centred - centred.sum(axis=0) / rows, 0.0)
    there = known.astype(np.float64)
    spread = there.T @ targets**2 - (there.T @ targets) ** 2 / rows[:, None]  # (q, m)
    scale = np.sqrt((centred**2).sum(axis=0)[:, None] * np.maximum(spread, 0.0))
    together = np.abs(centred.T @ targets)
    return np.divide(together, scale, out=np.zeros_like(together), where=scale > 1e-9).max(axis=1)


def explained(codes: NDArray[np.intp], targets: Values) -> float:  # (n,), (n, m)
    """The largest share of a target's variance that groups explain.

    Example:
        >>> explained(np.array([0, 0, 1, 1]), np.array([[1.0], [1.0], [0.0], [0.0]]))
        1.0
    """
    counts = np.bincount(codes)
    sums = np.zeros((len(counts), targets.shape[1]))
    np.add.at(sums, codes, targets)
    apart = sums / np.maximum(counts, 1)[:, None] - targets.mean(axis=0)
    total = targets.var(axis=0)
    share = np.divide(counts @ apart**2 / len(codes), total, out=np.zeros_like(total), where=total > 0)
    return float(share.max())
