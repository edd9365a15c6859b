"""How likely a configuration keeps its constraints.

What trials said of a constraint (feasible up to 0) is taken for draws of one Gaussian process: a part that all tasks
share, and a part of each task's own. Values are squeezed on both sides of 0, which stays where it is: how badly a
constraint is broken tells little. How far both parts reach is chosen by their likelihood.

Law: a task's own results count more than those of past tasks at the same place.

Letters:  m evaluations · q points · d encoded dimensions.

Source:
    Gardner et al., 2014, "Bayesian optimization with inequality constraints"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.space import Encoded
from autometa.transfer.experts import ColdProcess
from autometa.transfer.kernels import Layout, matern
from autometa.transfer.observation import History
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.selection import evenly


class ToldConstraint(NamedTuple):
    """What past tasks said of one constraint."""

    where: Encoded  # (m, d)
    values: NDArray[np.float64]  # (m,) feasible up to 0
    task: NDArray[np.int64]  # (m,) which past task said it, from 0 on


class Feasibility:
    """The probability that all constraints are kept; asked anew for every trial, it keeps nothing between questions.

    Example:
        >>> from autometa.space import SearchSpace, real
        >>> space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
        >>> seen = History.of(space, [{"x": k / 8} for k in range(9)], np.zeros(9))
        >>> told = seen.with_constraints({"c": 0.5 - np.arange(9) / 8})
        >>> Feasibility(Layout(space)).chance(told, space.encode_all([{"x": 0.2}, {"x": 0.8}])).round(2)
        array([0., 1.])
    """

    def __init__(
        self, layout: Layout, past: Mapping[str, ToldConstraint] | None = None, options: TransferOptions = OPTIONS
    ) -> None:
        """`past` holds what past tasks said, by the name of the constraint."""
        self.layout, self.past, self.options = layout, dict(past or {}), options

    def chance(self, history: History, where: Encoded) -> NDArray[np.float64]:  # (q,)
        """The probability at q points, after these results."""
        from scipy.special import ndtr

        out = np.ones(len(where.x))
        own = history.constraints or {}
        for name in dict.fromkeys([*own, *self.past]):
            values = own.get(name, np.full(len(history), np.nan))
            mean, spread = self._forecast(self._told(name, history, values), where)
            out *= ndtr(-mean / np.maximum(spread, 1e-9))
        return out

    def _told(self, name: str, history: History, values: NDArray[np.float64]) -> ToldConstraint:
        """The task's own results, as of task -1, and those of past tasks."""
        known = np.flatnonzero(~np.isnan(values))[-self.options.constraint_results :]
        own = ToldConstraint(
            Encoded(history.x[known], history.mask[known]), values[known], np.full(len(known), -1, dtype=np.int64)
        )
        if name not in self.past:
            return own
        past = self.past[name]
        return ToldConstraint(
            Encoded(np.concatenate([own.where.x, past.where.x]), np.concatenate([own.where.mask, past.where.mask])),
            np.concatenate([own.values, past.values]),
            np.concatenate([own.task, past.task]),
        )

    def _forecast(
        self, told: ToldConstraint, where: Encoded
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (q,), (q,)
        """Mean and spread of the squeezed value at q points of this task."""
        from scipy.linalg import solve_triangular

        most = np.finfo(float).max / 4
        values = np.clip(told.values, -most, most)
        unit = float(np.median(np.abs(values))) or 1.0
        y = np.sign(values) * np.log1p(np.minimum(np.abs(values), 1e6 * min(unit, 1e300)) / unit)
        scale, level = max(float(y.std()), 1e-3), float(y.mean())
        y = (y - level) / scale
        process = ColdProcess(self.layout, 1.0, 0.0)
        here, there = process.see(*told.where), process.see(*where)
        squared, across = process.apart(here, here)[0], process.apart(there, here)[0]
        same, own = told.task[:, None] == told.task, told.task == -1
        options, chosen = self.options, None
        shares = options.constraint_shares if not own.all() else options.constraint_shares[:1]
        for length, share, noise in product(options.constraint_lengths, shares, options.constraint_noises):
            covariance = matern(squared / length**2) * (1 - share + share * same) + noise * np.eye(len(y))
            factor = np.linalg.cholesky(covariance)
            solved = solve_triangular(factor, y, lower=True, check_finite=False)
            likelihood = -0.5 * float(solved @ solved) - float(np.log(np.diag(factor)).sum())
            if chosen is None or likelihood > chosen[0]:
                chosen = likelihood, length, share, noise, factor, solved
        assert chosen is not None
        _, length, share, noise, factor, solved = chosen
        between = matern(across / length**2) * (1 - share + share * own)
        between = solve_triangular(factor, between.T, lower=True, check_finite=False)
        variance = np.maximum(1.0 - (between**2).sum(axis=0), 0.0) + noise
        return level + scale * (between.T @ solved), scale * np.sqrt(variance)


def pooled(parts: Sequence[tuple[Encoded, NDArray[np.float64]]], most: int) -> ToldConstraint:
    """What past tasks said of one constraint, each in its own part; at most `most` of it, evenly from low to high."""
    each = max(most // max(len(parts), 1), 2)
    xs, masks, values, tasks = [], [], [], []
    for task, (where, said) in enumerate(parts):
        order = np.argsort(said, kind="stable")
        rows = order[evenly(len(order), each)]
        xs.append(where.x[rows])
        masks.append(where.mask[rows])
        values.append(said[rows])
        tasks.append(np.full(len(rows), task, dtype=np.int64))
    where = Encoded(np.concatenate(xs), np.concatenate(masks))
    return ToldConstraint(where, np.concatenate(values), np.concatenate(tasks))
