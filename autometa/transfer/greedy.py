"""The greedy step: next is what improves most, in expectation, on everything taken before.

Improvement is averaged over a mixture of what the task's normalised scores may be: past tasks with weights. An imputed
entry counts with its mean and a share of its uncertainty (`TransferOptions.optimism`).

Law: under a budget of seconds the gain is divided by the share of the time and of the places that a configuration
takes. For its seconds alone, a design of five would fill with whatever is cheapest.

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.options import OPTIONS, TransferOptions


@dataclass(frozen=True, slots=True, eq=False)
class TaskMixture:
    """What the normalised scores of a task may be: those of past tasks, weighted and perhaps moved."""

    weights: NDArray[np.float64]  # (a t,) each past task may occur `a` times, all of them before the next time
    means: NDArray[np.float64]  # (a t, m)
    spread: NDArray[np.float64]  # (a t, m)
    t: int  # past tasks
    results: int = 0  # that had a part in it
    options: TransferOptions = OPTIONS

    def by_task(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:  # (a t,) -> (t,)
        """Shares of the components, added up per past task."""
        return shares.reshape(-1, self.t).sum(axis=0)

    def expected(self, column: int) -> float:
        """The mean normalised score of a configuration."""
        return float(np.clip(self.weights @ self.means[:, column], 0.0, 1.0))

    def interval(self, column: int, inside: float = 0.8) -> tuple[float, float]:
        """Where its normalised score lies with probability `inside`, to a hundredth."""
        grid = np.linspace(0.0, 1.0, 101)
        below = self.weights @ probability(
            grid - self.means[:, column, None], np.hypot(self.spread[:, column, None], self.options.forecast_noise)
        )
        out = (1 - inside) / 2
        low, high = int(np.searchsorted(below, out)), int(np.searchsorted(below, 1 - out))
        return float(grid[min(low, 100)]), float(grid[min(high, 100)])

    def better(self, column: int, other: int) -> float:
        """The probability that one configuration is better than another."""
        noise = 1.4 * self.options.forecast_noise
        spread = np.hypot(np.hypot(self.spread[:, column], self.spread[:, other]), noise)
        return float(self.weights @ probability(self.means[:, column] - self.means[:, other], spread))


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One configuration that `Greedy` took."""

    position: int  # how many were taken before
    column: int
    gain: float
    expected: float
    share: NDArray[np.float64]  # (t,) part of each past task in the gain, largest first in the explanation


class Greedy:
    """Takes the configuration with the largest weighted improvement over those taken, again and again."""

    def __init__(
        self,
        mixture: TaskMixture,
        *,
        cost: NDArray[np.float64] | None = None,  # (m,) seconds; infinite for what cannot finish in time
        seconds: float | None = None,
        slots: int = 1,  # how many configurations are wanted
    ) -> None:
        self._mixture, self._cost, self._left, self._slots = mixture, cost, seconds, slots
        options = mixture.options
        self._covered = np.zeros(len(mixture.weights))
        self._taken = np.zeros(mixture.means.shape[1], dtype=bool)
        self._expected = np.clip(mixture.weights @ mixture.means, 0.0, 1.0)
        self._spread = np.hypot(options.optimism * mixture.spread, options.forecast_noise)

    def take(self, column: int, *, covers: bool = True) -> None:
        """Counts a configuration as tried; it `covers` past tasks unless it failed on this one."""
        self._taken[column] = True
        if covers:
            self._covered = np.maximum(self._covered, self._mixture.means[:, column])

    def step(self, among: Sequence[int] | None = None) -> Step | None:
        """The next configuration; None when all are taken, or all that are left take longer than there is time."""
        allowed = ~self._taken
        if among is not None:
            allowed &= np.isin(np.arange(len(self._taken)), np.asarray(among, dtype=int))
        cost, left = self._cost, self._left
        if cost is not None:
            fitting = allowed & np.isfinite(cost) & (cost <= (np.inf if left is None else left))
            # When nothing fits into the time and nothing was tried yet, what promises most for its time has to run.
            allowed = fitting if fitting.any() or self._taken.any() else allowed
        if not allowed.any():
            return None
        weights, means = self._mixture.weights, self._mixture.means
        gains = weights @ softened(means - self._covered[:, None], self._spread)  # (m,)
        value = gains
        if cost is not None and left is not None:
            value = gains / (cost / max(left, 1e-9) + 1 / max(self._slots, 1))
        column = int(np.argmax(np.where(allowed, value, -np.inf)))
        share = self._mixture.by_task(weights * softened(means[:, column] - self._covered, self._spread[:, column]))
        if cost is not None and left is not None:
            self._left = left - float(cost[column])
            self._slots -= 1
        step = Step(int(self._taken.sum()), column, float(share.sum()), float(self._expected[column]), share)
        self.take(column)
        return step


def probability(gap: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a Gaussian gap is positive, by the logistic function, which is within 0.01 of it."""
    return 0.5 * (1 + np.tanh(0.851 * gap / spread))


def softened(improvement: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected positive part of an uncertain improvement, by its close relative, the soft plus."""
    width = 0.6 * spread  # makes the two agree at zero to 5 %
    return width * np.logaddexp(0.0, improvement / width)
