"""Which configurations to try first where there are several objectives: those that cover the fronts of past tasks.

Each past task's objectives are normalised (`scale`), and a Gaussian process over its own results says what it expects
of any configuration, pessimistically: what is far from all that it tried it expects little of. A configuration covers
the part of the unit cube that it dominates, on every past task; the greedy choice adds the most hypervolume, summed
over the tasks. Results of the task at hand weigh the past tasks by how well they agree with them.

Letters:  t past tasks · c candidates · k objectives · n points of the cube · m results · d encoded dimensions.

Source:
    Knowles, 2006 (ParEGO), and Zitzler and Thiele, 1998, for hypervolume as the one measure of a front
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.space import Encoded
from autometa.transfer.experts import ColdProcess
from autometa.transfer.kernels import Layout
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.scale import normalised, ranked
from autometa.transfer.selection import evenly


@dataclass(frozen=True, slots=True, eq=False)
class TaskFront:
    """What one past task told of several objectives."""

    name: str
    where: Encoded  # (m, d)
    scores: NDArray[np.float64]  # (m, k) larger is better; -inf where it failed


def is_front(scores: NDArray[np.float64]) -> NDArray[np.bool_]:  # (m, k) -> (m,)
    """Which results no other one dominates, of those that are finite.

    Example:
        >>> is_front(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.5], [-np.inf, 2.0]]))
        array([ True,  True, False, False])
    """
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(scores).all(axis=1))
    better = np.asarray((scores[None] >= scores[:, None]).all(axis=2) & (scores[None] > scores[:, None]).any(axis=2))
    return np.asarray(finite & ~(better & finite[None]).any(axis=1))


class FrontCover:
    """Past tasks of several objectives as functions, and the greedy cover of their fronts.

    Example:
        >>> from autometa.space import SearchSpace, real
        >>> space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
        >>> tried = space.encode_all([{"x": k / 8} for k in range(9)])
        >>> x = tried.x[:, 0]
        >>> past = [TaskFront("march", tried, np.stack([-((x - 0.2) ** 2), -((x - 0.8) ** 2)], axis=1))]
        >>> cover = FrontCover(Layout(space), past)
        >>> cover.choose(tried, np.zeros((0, 1)), np.zeros((0, 2)), 1), cover.choose(tried, tried.x, past[0].scores, 0)
        ([4], [])
    """

    def __init__(self, layout: Layout, past: Sequence[TaskFront], options: TransferOptions = OPTIONS) -> None:
        """Fits one process to each past task; of many tasks the last ones, of many results an even selection."""
        from scipy.stats import qmc

        self.past, self.options = list(past)[-options.front_tasks :], options
        self._process = ColdProcess(layout, options.front_length, options.front_noise)
        self._layout = layout
        k = self.past[0].scores.shape[1] if self.past else 1
        self._cube = qmc.Sobol(k, seed=0).random(options.front_points)  # (n, k)
        self._fitted = [self._fit(task) for task in self.past]

    def _fit(self, task: TaskFront) -> tuple[tuple[NDArray, NDArray], NDArray[np.float64], NDArray[np.float64]]:
        front = np.flatnonzero(is_front(task.scores))
        rest = np.setdiff1d(np.arange(len(task.scores)), front)
        room = max(self.options.front_results - len(front), 0)
        rows = np.concatenate([front, rest[evenly(len(rest), room)]])
        rows = rows[: self.options.front_results]
        y = normalised(task.scores.T)[:, rows].T  # (m, k)
        seen = self._process.see(task.where.x[rows], task.where.mask[rows])
        covariance = self._process.covariance(self._process.apart(seen, seen))
        inverse = np.asarray(np.linalg.inv(covariance + self._process.noise * np.eye(len(rows))), dtype=np.float64)
        return seen, y, inverse

    def expected(self, where: Encoded) -> NDArray[np.float64]:  # (t, c, k)
        """What each past task expects of configurations, normalised, less what it does not know."""
        there = self._process.see(*where)
        variance = self._process.variance(there)
        out = np.empty((len(self.past), len(where.x), self._cube.shape[1]))
        for row, (seen, y, inverse) in enumerate(self._fitted):
            across = self._process.covariance(self._process.apart(there, seen))  # (c, m)
            level = y.mean(axis=0)
            mean = level + across @ inverse @ (y - level)
            left = np.maximum(1.0 - ((across @ inverse) * across).sum(axis=1) / variance, 0.0)
            out[row] = mean - self.options.front_pessimism * np.sqrt(left)[:, None] * y.std(axis=0)
        return np.clip(out, 0.0, 1.0)

    def weights(self, x: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:  # (t,)
        """Of the past tasks, by the rank correlation of what they expect of the results here with those results."""
        finite = np.isfinite(scores).all(axis=1)
        if finite.sum() < 3:
            return np.ones(len(self.past))
        expected = self.expected(self._layout.complete(x[finite]))  # (t, m, k)
        here = ranked(scores[finite].T)  # (k, m)
        agree = [np.mean([_correlation(a, b) for a, b in zip(task.T, here, strict=True)]) for task in expected]
        return self.options.front_doubt + np.maximum(np.array(agree), 0.0)

    def choose(self, among: Encoded, x: NDArray[np.float64], scores: NDArray[np.float64], most: int) -> list[int]:
        """The next configurations of a greedy cover.

        Args:
            among: The candidates, (c, d) each.
            x: What was tried here, (m, d), covered already.
            scores: What came of it, (m, k), larger is better; NaN while it is not known, -inf where it failed.
            most: How many. Fewer come back when no candidate adds anything.
        """
        weights = self.weights(x, scores)
        tried = np.isfinite(scores).all(axis=1) | np.isnan(scores).any(axis=1)
        covered = np.zeros((len(self.past), len(self._cube)), dtype=bool)
        if tried.any():
            covered = np.asarray(self._dominated(self.expected(self._layout.complete(x[tried]))).any(axis=1))
        dominated = self._dominated(self.expected(among))  # (t, c, n)
        chosen: list[int] = []
        while len(chosen) < most:
            gain = np.einsum("tcn,t->c", dominated & ~covered[:, None], weights)
            best = int(np.argmax(gain)) if len(gain) else -1
            if best < 0 or gain[best] <= 0:
                break
            chosen.append(best)
            covered |= dominated[:, best]
        return chosen

    def _dominated(self, expected: NDArray[np.float64]) -> NDArray[np.bool_]:  # (t, c, k) -> (t, c, n)
        return (self._cube[None, None] <= expected[:, :, None]).all(axis=3)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if a.std() < 1e-12 or b.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(ranked(a[None])[0], b)[0, 1])
