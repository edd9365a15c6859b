"""Why one row is answered as it is: how much each of its columns moved the answer away from the average one.

The contribution of a column is its Shapley value in the game in which the columns of a coalition are the row's, and the
others those of a row of the training table. So contributions and the base, the mean answer for those rows, add up to
the answer, of whatever the model is: the whole ensemble, calibrated.

    exact     every coalition is asked, up to `OPTIONS.exact_columns` columns
    sampled   columns are put in one after the other in random orders, each order also backwards

Law: base + sum of contributions is the answer, to rounding.

Letters:  n rows · p columns · b background rows · m orders.

Source:
    Lundberg, Lee: A unified approach to interpreting model predictions. NeurIPS 2017. Orders forwards and backwards:
    Mitchell, Cooper, Frank, Holmes: Sampling permutations for Shapley value estimation. JMLR 23, 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.explain.options import OPTIONS
from autometa.explain.players import places_of, players

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]
Predict = Callable[[pd.DataFrame], Values]  # typed X (n, p) -> (n,)


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Of some rows: ``base + values.sum(axis=1) == answer``."""

    columns: tuple[str, ...]  # (p,) or fewer: the numbers of a vector are one
    base: Values  # (n,) the mean answer for the background rows
    values: Values  # (n, p)
    answer: Values  # (n,) a value, or the probability of the class that is explained

    def __len__(self) -> int:
        """How many rows."""
        return len(self.answer)


def background_of(task: Task, seed: int = 0) -> pd.DataFrame:
    """Rows of a training table, as the average that a row is explained against: of every size of the target."""
    order = np.random.default_rng(seed).permutation(task.n)
    order = order[np.argsort(np.asarray(task.y)[order], kind="stable")]
    count = min(OPTIONS.background, task.n)
    places = ((np.arange(count) + 0.5) * task.n / count).astype(np.intp)
    return task.X.iloc[order[places]].reset_index(drop=True)


def contributions(
    answer: Callable[[pd.DataFrame], Values],  # typed X -> (n,) values or (n, c) probabilities
    X: pd.DataFrame,
    background: pd.DataFrame,
    codes: NDArray[np.intp] | None = None,
    *,
    seed: int = 0,
) -> Contributions:
    """The contributions of the columns of some rows.

    Args:
        answer: Of the model.
        X: (n, p) the rows, typed as the model's schema makes them.
        background: (b, p) rows of the training table.
        codes: (n,) of classes, which one is explained of each row.
        seed: Of the orders.

    Example:
        >>> table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 0.0]})
        >>> found = contributions(lambda X: (2 * X["a"] + X["b"]).to_numpy(), table, table.iloc[:1])
        >>> found.base.tolist(), found.values.tolist(), found.answer.tolist()
        ([5.0, 5.0], [[0.0, 0.0], [2.0, -3.0]], [5.0, 4.0])
    """
    names = tuple(players(X))
    q = len(names)
    masks, places, weights = (
        _exact(q, len(background)) if q <= OPTIONS.exact_columns else _sampled(q, len(background), seed)
    )
    cells = masks[:, places_of(X)]  # (m, p)
    at_once = max(1, OPTIONS.cells // max(cells.size, 1))
    parts = []
    for start in range(0, len(X), at_once):
        rows = X.iloc[start : start + at_once]
        said = answer(_mixed(rows, background, cells, places)).reshape(len(rows), len(masks), -1)
        own = np.zeros(len(rows), dtype=np.intp) if codes is None else codes[start : start + at_once]
        chosen = np.take_along_axis(said, own[:, None, None], axis=2)[:, :, 0]  # (rows, masks)
        parts.append(chosen)
    asked = np.concatenate(parts) if parts else np.empty((0, len(masks)))
    empty, full = ~masks.any(axis=1), masks.all(axis=1)
    base = asked[:, empty].mean(axis=1) if len(asked) else np.empty(0)
    whole = asked[:, full].mean(axis=1) if len(asked) else np.empty(0)
    return Contributions(names, base, asked @ weights, whole)


def _mixed(
    rows: pd.DataFrame, background: pd.DataFrame, masks: NDArray[np.bool_], places: NDArray[np.intp]
) -> pd.DataFrame:
    """For each row all mixtures (n m, p): cells of the row where the mask says so, else of a background row."""
    n, m = len(rows), len(masks)
    pool = pd.concat([rows, background], ignore_index=True)
    own = np.repeat(np.arange(n), m)
    other = np.tile(n + places, n)
    return pd.DataFrame(
        {name: pool[name].array.take(np.where(np.tile(masks[:, j], n), own, other)) for j, name in enumerate(pool)}
    )


def _exact(p: int, b: int) -> tuple[NDArray[np.bool_], NDArray[np.intp], Values]:
    """Masks (2^p b, p), background rows (2^p b,), and weights (2^p b, p) that make answers Shapley values."""
    coalitions = (np.arange(2**p)[:, None] >> np.arange(p)) & 1 == 1  # (2^p, p)
    size = coalitions.sum(axis=1)
    factor = [math.factorial(s) * math.factorial(p - s - 1) / math.factorial(p) if s < p else 0.0 for s in range(p + 1)]
    with_it = np.array([0.0, *factor[:-1]])[size]  # of a coalition that has the column: that of one smaller
    weights = np.where(coalitions, with_it[:, None], -np.array(factor)[size][:, None]) / b
    return np.repeat(coalitions, b, axis=0), np.tile(np.arange(b), 2**p), np.repeat(weights, b, axis=0)


def _sampled(p: int, b: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.intp], Values]:
    """As `_exact`, along random orders and the same backwards; every background row has as many of them."""
    rng = np.random.default_rng(seed)
    orders = [order for _ in range(OPTIONS.orders) for one in [rng.permutation(p)] for order in (one, one[::-1])]
    orders += orders[: -len(orders) % b]  # as many for each background row
    masks, places, weights = [], [], []
    for k, order in enumerate(orders):
        rank = np.argsort(order)
        steps = np.arange(p + 1)
        masks.append(rank[None, :] < steps[:, None])  # (p + 1, p): one more column with each step
        places.append(np.full(p + 1, k % b))
        step = np.zeros((p + 1, p))
        step[rank + 1, np.arange(p)] += 1.0
        step[rank, np.arange(p)] -= 1.0
        weights.append(step / len(orders))
    return np.concatenate(masks), np.concatenate(places), np.concatenate(weights)


def in_time(
    explain_some: Callable[[int, int], Contributions], n: int, late: Callable[[], bool], *, first: int = 4
) -> Iterator[Contributions]:
    """The contributions of rows `start` to `end`, piece by piece, until all are there or it is late."""
    start, size = 0, first
    while start < n:
        end = min(start + size, n)
        yield explain_some(start, end)
        if late():
            return
        start, size = end, min(2 * size, 256)
