"""The holes of a table of past tasks and configurations, filled, and how uncertain each filling is.

The standings of a task are taken for one draw of a Gaussian process over the configurations: a mean for each of them, a
covariance that says which rise and fall together, and noise. All three are learned from all tasks at once, by
expectation maximisation, from a prior that expects alike configurations to do alike (`kinship`). So a task that tried
two forests says something of all others, and what hardly any task knows is expected where its like stand.

Letters:  t past tasks · m configurations · k known standings of one task.

Source:
    Schwaighofer, Tresp and Yu, 2004, "Learning Gaussian process kernels via hierarchical Bayes"
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autometa.space import FAMILY, Config, Encoded, SearchSpace

REACH = 0.3  # how far in the unit cube a configuration's standing tells another one's
# Shares of the variance of all known standings.
COVARIANCE = 1.3  # of the prior
MEANS = 0.25  # of what sets configurations apart on all tasks
NOISE = 0.1  # to begin with
PRIOR_TASKS = 0.05  # how many tasks, as a share of those there are, the prior covariance counts for
PRIOR_MEANS = 2.0  # tasks that the prior means count for
# What few tasks know was tried because it promised to be good there, and kept because it was. Known by n tasks it is
# told as if its noise were 1 + (FINDS / n)^2 times as large: with the finds taken at their word, the regret of another
# task after 3 trials tripled (warm_start.py --own).
FINDS = 10.0
ROUNDS = 3
OPERATIONS = 2e9  # that all rounds may take: a large table is learned in fewer
CELLS = 60  # of one task that are looked at: they determine it


def kinship(configs: Sequence[Config], space: SearchSpace) -> NDArray[np.float64]:  # (m, m) in [0, 1]
    """How alike configurations are a priori: a third for being one, a third for the family, the rest for nearness."""
    own, encoded = families(configs), space.encode_all(configs)
    same = own[:, None] == own
    return (1 + same + same * alike(encoded, encoded)) / 3


def alike(a: Encoded, b: Encoded) -> NDArray[np.float64]:  # (m, d), (m', d) -> (m, m')
    """In [0, 1]: Gaussian in the mean square difference over dimensions active in either.

    A dimension that is active in one only counts as the whole width of the cube.
    """
    a_on, b_on = a.mask.astype(float), b.mask.astype(float)
    x, z = np.where(a.mask, a.x, 0.0), np.where(b.mask, b.x, 0.0)
    both = a_on @ b_on.T
    either = a_on.sum(axis=1)[:, None] + b_on.sum(axis=1) - both
    squares = (x**2) @ b_on.T + a_on @ (z**2).T - 2 * x @ z.T + either - both
    return np.exp(-0.5 * np.maximum(squares, 0.0) / np.maximum(either, 1) / REACH**2)


def families(configs: Sequence[Config]) -> NDArray[np.str_]:
    """The family of each configuration; "" in a space without."""
    return np.array([str(config.get(FAMILY, "")) for config in configs], dtype=np.str_)


def complete(table: NDArray[np.float64]) -> NDArray[np.float64]:  # (t, m) -> (t, m)
    """The table with its holes filled: the first of what `impute` gives."""
    return impute(table)[0]


def impute(
    table: NDArray[np.float64], kin: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fills the holes of a (t, m) table in [0, 1], and says how uncertain each filling is.

    Args:
        table: NaN where unknown.
        kin: How alike the configurations are, (m, m) in [0, 1] and positive semidefinite, as `kinship` gives it; None:
            nothing is known of them.

    Returns:
        The table without holes, and the standard deviation of each cell: 0 where it was known. Both (t, m).
    """
    known = ~np.isnan(table)
    if known.all() or not known.any():
        return table.copy(), np.zeros(table.shape)
    process = _Process(table, known, (1 + np.eye(table.shape[1])) / 2 if kin is None else kin)
    hidden = known & (np.random.default_rng(0).random(known.shape) < 0.1)
    if hidden.sum() < 10:
        process.learn(known, ROUNDS)
        unit = 1.0
    else:  # a tenth is told from the rest, and says how far off the variances are
        process.learn(known & ~hidden, ROUNDS)
        guess, doubt = process.posterior()
        unit = float(np.mean((guess[hidden] - table[hidden]) ** 2 / doubt[hidden]))
        process.learn(known, 1)
    filled, variance = process.posterior()
    spread = np.sqrt(np.minimum(unit * variance, 0.25))  # nothing in [0, 1] is less certain than a coin
    return np.where(known, table, np.clip(filled, 0.0, 1.0)), np.where(known, 0.0, spread)


class _Process:
    """Means (m,), covariance (m, m) and noise of the Gaussian process that the tasks are draws of."""

    def __init__(self, table: NDArray[np.float64], known: NDArray[np.bool_], kin: NDArray[np.float64]) -> None:
        self.table, self.t = table, len(table)
        unit = max(float(table[known].var()), 1e-9)
        self.noise = NOISE * unit
        self.covariance = self.prior = COVARIANCE * unit * kin
        finds = 1 + (FINDS / np.maximum(known.sum(axis=0), 1)) ** 2
        self.doubt = finds / finds.min()  # (m,) at least 1
        self.means = self.usual = self._prior_means(known, unit, MEANS * unit * kin)

    def learn(self, known: NDArray[np.bool_], rounds: int) -> None:
        """So many rounds of expectation maximisation, from these cells; fewer where a round takes long."""
        rng, cells = np.random.default_rng(0), [np.flatnonzero(row) for row in known]
        self.places = [k if len(k) <= CELLS else np.sort(rng.permutation(k)[:CELLS]) for k in cells]
        work = 4.0 * len(self.means) ** 3 + 2.0 * sum(len(k) ** 3 for k in self.places)
        for _ in range(min(rounds, int(OPERATIONS / work))):
            self._round()

    def _prior_means(
        self, known: NDArray[np.bool_], unit: float, between: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # (m,)
        """Each configuration's average, drawn towards those of its like the more, the fewer tasks know it."""
        overall, counts = float(self.table[known].mean()), known.sum(axis=0)
        seen = counts > 0
        rest = np.where(known, self.table - overall, 0.0).sum(axis=0)[seen] / counts[seen]
        own = np.diag(unit * self.doubt[seen] / counts[seen])
        return overall + between[:, seen] @ np.linalg.solve(between[np.ix_(seen, seen)] + own, rest)

    def _told(self, i: int) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """What task `i` knows, (k,); the precision of that, (k, k); and it applied to the gaps from the means, (k,)."""
        k = self.places[i]
        seen = self.covariance[k[:, None], k]
        seen[np.diag_indices(len(k))] += self.noise * self.doubt[k]
        precision = np.linalg.inv(seen)
        return k, precision, precision @ (self.table[i, k] - self.means[k])

    def _round(self) -> None:
        m, left = len(self.means), 0.0
        told, precisions = np.zeros((self.t, m)), np.zeros((m, m))
        for i in range(self.t):
            k, precision, told[i, k] = self._told(i)
            precisions[k[:, None], k] += precision
            noise = self.noise * self.doubt[k]
            # Of every known cell what is left, squared, and how uncertain that is, as a share of its noise.
            left += float((noise * told[i, k] ** 2 + 1 - noise * precision.diagonal()).sum())
        moved = told @ self.covariance  # (t, m) of each task from the means
        shift = (moved.sum(axis=0) + PRIOR_MEANS * (self.usual - self.means)) / (self.t + PRIOR_MEANS)
        moved -= shift
        unsure = self.t * self.covariance - self.covariance @ precisions @ self.covariance
        tasks = PRIOR_TASKS * self.t
        learned = (tasks * self.prior + moved.T @ moved + unsure) / (tasks + self.t)
        self.covariance = (learned + learned.T) / 2
        self.means = self.means + shift
        self.noise *= left / sum(map(len, self.places))

    def posterior(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of every cell as it would be measured, from what its task knows. Both (t, m)."""
        told, variance = np.zeros(self.table.shape), np.empty(self.table.shape)
        for i in range(self.t):
            k, precision, told[i, k] = self._told(i)
            across = self.covariance[:, k]
            variance[i] = np.diag(self.covariance) - ((across @ precision) * across).sum(axis=1)
        return self.means + told @ self.covariance, np.maximum(variance, 0.0) + self.noise
