"""The missing entries of a table of past tasks and configurations, imputed, and how uncertain each of them is.

The normalised scores of a task are taken for one draw of a Gaussian process over the configurations: a mean for each of
them, a covariance that says which rise and fall together, and noise. All three are learned from all tasks at once, by
expectation maximisation, from a prior that expects alike configurations to do alike (`kinship`). So a task that tried
two forests says something of all others, and what hardly any task evaluated is expected near what resembles it.

Letters:  t past tasks · m configurations · k known entries of one task.

Source:
    Schwaighofer, Tresp and Yu, 2004, "Learning Gaussian process kernels via hierarchical Bayes"
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, Encoded, SearchSpace, family_in
from autometa.transfer.options import OPTIONS, TransferOptions


def kinship(
    configs: Sequence[Config], space: SearchSpace, options: TransferOptions = OPTIONS
) -> NDArray[np.float64]:  # (m, m) in [0, 1]
    """How alike configurations are a priori: a third for being one, one for the family, and one for nearness."""
    own, encoded = families(configs), space.encode_all(configs)
    same = own[:, None] == own
    return (1 + same + same * alike(encoded, encoded, options.reach)) / 3


def alike(a: Encoded, b: Encoded, reach: float = OPTIONS.reach) -> NDArray[np.float64]:  # (m, d), (m', d) -> (m, m')
    """In [0, 1]: Gaussian in the mean square difference over dimensions active in either, of length scale `reach`.

    A dimension that is active in one only counts as the whole width of the cube.
    """
    a_on, b_on = a.mask.astype(float), b.mask.astype(float)
    x, z = np.where(a.mask, a.x, 0.0), np.where(b.mask, b.x, 0.0)
    both = a_on @ b_on.T
    either = a_on.sum(axis=1)[:, None] + b_on.sum(axis=1) - both
    squares = (x**2) @ b_on.T + a_on @ (z**2).T - 2 * x @ z.T + either - both
    return np.exp(-0.5 * np.maximum(squares, 0.0) / np.maximum(either, 1) / reach**2)


def families(configs: Sequence[Config]) -> NDArray[np.str_]:
    """The family of each configuration, (m,); "" in a space without."""
    return np.array([family_in(config) for config in configs], dtype=np.str_)


def complete(table: NDArray[np.float64]) -> NDArray[np.float64]:  # (t, m) -> (t, m)
    """The table with its missing entries imputed: the first of what `impute` gives."""
    return impute(table)[0]


def impute(
    table: NDArray[np.float64], kin: NDArray[np.float64] | None = None, options: TransferOptions = OPTIONS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Imputes the missing entries of a (t, m) table in [0, 1], and says how uncertain each of them is.

    Args:
        table: NaN where missing.
        kin: How alike the configurations are, (m, m) in [0, 1] and positive semidefinite, as `kinship` gives it; None:
            nothing is known of them.
        options: Variances of the prior, and how long it may take.

    Returns:
        The table without missing entries, and the standard deviation of each entry: 0 where it was known. Both (t, m).

    Example:
        >>> filled, spread = impute(np.array([[0.0, 1.0], [0.1, 0.9], [0.0, np.nan]]))
        >>> bool(filled[2, 1] > 0.5), bool(spread[2, 1] > 0), bool(spread[0, 0] > 0)
        (True, True, False)
    """
    known = ~np.isnan(table)
    if known.all() or not known.any():
        return table.copy(), np.zeros(table.shape)
    process = _TableProcess(table, known, (1 + np.eye(table.shape[1])) / 2 if kin is None else kin, options)
    hidden = known & (np.random.default_rng(0).random(known.shape) < 0.1)
    if hidden.sum() < 10:
        process.learn(known, options.completion_rounds)
        unit = 1.0
    else:  # a tenth is predicted from the rest, and says how far off the variances are
        process.learn(known & ~hidden, options.completion_rounds)
        guess, variance = process.posterior()
        unit = float(np.mean((guess[hidden] - table[hidden]) ** 2 / variance[hidden]))
        process.learn(known, 1)
    filled, variance = process.posterior()
    spread = np.sqrt(np.minimum(unit * variance, 0.25))  # nothing in [0, 1] is less certain than a coin
    return np.where(known, table, np.clip(filled, 0.0, 1.0)), np.where(known, 0.0, spread)


class _TableProcess:
    """Means (m,), covariance (m, m) and noise of the Gaussian process that the tasks are draws of."""

    def __init__(
        self, table: NDArray[np.float64], known: NDArray[np.bool_], kin: NDArray[np.float64], options: TransferOptions
    ) -> None:
        self.table, self.t, self.options = table, len(table), options
        unit = max(float(table[known].var()), 1e-9)
        self.noise = options.first_noise * unit
        self.covariance = self.prior = options.prior_covariance * unit * kin
        factor = 1 + (options.single_task_noise / np.maximum(known.sum(axis=0), 1)) ** 2
        self.noise_factor = factor / factor.min()  # (m,) at least 1
        self.means = self.prior_means = self._prior_means(known, unit, options.prior_means * unit * kin)

    def learn(self, known: NDArray[np.bool_], rounds: int) -> None:
        """At most `rounds` of expectation maximisation from the entries of `known`; fewer where a round takes long."""
        rng, entries = np.random.default_rng(0), [np.flatnonzero(row) for row in known]
        most = self.options.completion_entries
        self.entries = [k if len(k) <= most else np.sort(rng.permutation(k)[:most]) for k in entries]
        work = 4.0 * len(self.means) ** 3 + 2.0 * sum(len(k) ** 3 for k in self.entries)
        for _ in range(min(rounds, int(self.options.completion_operations / work))):
            self._round()

    def _prior_means(
        self, known: NDArray[np.bool_], unit: float, between: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # (m,)
        """Each configuration's average, drawn towards those of its like the more, the fewer tasks evaluated it."""
        overall, counts = float(self.table[known].mean()), known.sum(axis=0)
        seen = counts > 0
        residual = np.where(known, self.table - overall, 0.0).sum(axis=0)[seen] / counts[seen]
        own = np.diag(unit * self.noise_factor[seen] / counts[seen])
        return overall + between[:, seen] @ np.linalg.solve(between[np.ix_(seen, seen)] + own, residual)

    def _solve(self, i: int) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Entries used of task `i`, (k,); their precision, (k, k); and that times their gaps from the means, (k,)."""
        k = self.entries[i]
        seen = self.covariance[k[:, None], k]
        seen[np.diag_indices(len(k))] += self.noise * self.noise_factor[k]
        precision = np.linalg.inv(seen)
        return k, precision, precision @ (self.table[i, k] - self.means[k])

    def _round(self) -> None:
        """One round of expectation maximisation: means, covariance and noise, given the posterior of every task."""
        m, left = len(self.means), 0.0
        solved, precisions = np.zeros((self.t, m)), np.zeros((m, m))
        for i in range(self.t):
            k, precision, solved[i, k] = self._solve(i)
            precisions[k[:, None], k] += precision
            noise = self.noise * self.noise_factor[k]
            # Of every known entry the squared residual, and its variance, as a share of its noise.
            left += float((noise * solved[i, k] ** 2 + 1 - noise * precision.diagonal()).sum())
        moved = solved @ self.covariance  # (t, m) of each task from the means
        tasks = self.options.mean_tasks
        offset = (moved.sum(axis=0) + tasks * (self.prior_means - self.means)) / (self.t + tasks)
        moved -= offset
        variance = self.t * self.covariance - self.covariance @ precisions @ self.covariance
        tasks = self.options.covariance_tasks * self.t
        learned = (tasks * self.prior + moved.T @ moved + variance) / (tasks + self.t)
        self.covariance = (learned + learned.T) / 2
        self.means = self.means + offset
        self.noise *= left / sum(map(len, self.entries))

    def posterior(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of every entry as it would be measured, given those of its task. Both (t, m)."""
        solved, variance = np.zeros(self.table.shape), np.empty(self.table.shape)
        for i in range(self.t):
            k, precision, solved[i, k] = self._solve(i)
            across = self.covariance[:, k]
            variance[i] = np.diag(self.covariance) - ((across @ precision) * across).sum(axis=1)
        return self.means + solved @ self.covariance, np.maximum(variance, 0.0) + self.noise
