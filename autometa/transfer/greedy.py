"""The greedy step: next is what improves most, in expectation, on everything taken before.

Improvement is averaged over a belief about the task's standings: past tasks with weights. A standing that was never
measured counts with its mean and half of its uncertainty (`OPTIMISM`).

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOISE = 0.03  # of a past standing as a forecast; without it the greedy sees no gain any more once every task is covered
# How much of the uncertainty of standings counts as a chance of improvement. With all of it, what hardly any task knows
# comes before what many know to be good, and what past tasks' own searches found harms; with none those finds do least
# harm (warm_start.py --own) and replays of the memory itself are a little worse (--ablation).
OPTIMISM = 0.5
# What is largest comes next when there is a budget of time. Regret on Oboe when 0.3, 1, 3 and 10 mean trials are spent:
# gain .457 .277 .310 .069, per root second .141 .036 .026 .014, per second .115 .038 .026 .008 (warm_start.py --time).
# A design of five, though, fills with whatever is cheapest when only time has a price: so a place costs its share too.
ORDERS = {
    "gain": lambda gain, cost, left, slots: gain,
    "gain per root second": lambda gain, cost, left, slots: gain / np.sqrt(cost),
    "gain per second": lambda gain, cost, left, slots: gain / cost,
    "gain per share": lambda gain, cost, left, slots: gain / (cost / left + 1 / slots),
}


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """What the standings of a task may be: those of past tasks, weighted and perhaps moved."""

    weights: NDArray[np.float64]  # (a t,) each past task may occur `a` times, all of them before the next time
    means: NDArray[np.float64]  # (a t, m)
    spread: NDArray[np.float64]  # (a t, m)
    t: int  # past tasks
    results: int = 0  # that had a part in it

    def by_task(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:  # (a t,) -> (t,)
        """Added up per past task."""
        return shares.reshape(-1, self.t).sum(axis=0)

    def expected(self, column: int) -> float:
        """The mean standing of a configuration."""
        return float(np.clip(self.weights @ self.means[:, column], 0.0, 1.0))

    def interval(self, column: int, inside: float = 0.8) -> tuple[float, float]:
        """Where its standing lies with probability `inside`, to a hundredth."""
        grid = np.linspace(0.0, 1.0, 101)
        below = self.weights @ probability(
            grid - self.means[:, column, None], np.hypot(self.spread[:, column, None], NOISE)
        )
        out = (1 - inside) / 2
        low, high = int(np.searchsorted(below, out)), int(np.searchsorted(below, 1 - out))
        return float(grid[min(low, 100)]), float(grid[min(high, 100)])

    def better(self, column: int, other: int) -> float:
        """The probability that one configuration is better than another."""
        doubt = np.hypot(np.hypot(self.spread[:, column], self.spread[:, other]), 1.4 * NOISE)
        return float(self.weights @ probability(self.means[:, column] - self.means[:, other], doubt))


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One choice of the greedy."""

    place: int  # how many were taken before
    column: int
    gain: float
    expected: float
    share: NDArray[np.float64]  # (t,) part of each past task in the gain, largest first in the explanation


class Greedy:
    """Takes the configuration with the largest weighted improvement over those taken, again and again."""

    def __init__(
        self,
        belief: Belief,
        *,
        cost: NDArray[np.float64] | None = None,  # (m,) seconds; infinite for what would be in vain
        seconds: float | None = None,
        slots: int = 1,  # how many configurations are wanted
        order: str = "gain per second",
    ) -> None:
        self._belief, self._cost, self._left, self._order, self._slots = belief, cost, seconds, order, slots
        self._covered = np.zeros(len(belief.weights))
        self._taken = np.zeros(belief.means.shape[1], dtype=bool)
        self._expected = np.clip(belief.weights @ belief.means, 0.0, 1.0)
        self._doubt = np.hypot(OPTIMISM * belief.spread, NOISE)

    def take(self, column: int, *, covers: bool = True) -> None:
        """Counts a configuration as tried; it `covers` past tasks unless it failed here."""
        self._taken[column] = True
        if covers:
            self._covered = np.maximum(self._covered, self._belief.means[:, column])

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
        weights, means = self._belief.weights, self._belief.means
        gains = weights @ softened(means - self._covered[:, None], self._doubt)  # (m,)
        value = gains
        if cost is not None and left is not None:
            value = ORDERS[self._order](gains, cost, max(left, 1e-9), max(self._slots, 1))
        column = int(np.argmax(np.where(allowed, value, -np.inf)))
        share = self._belief.by_task(weights * softened(means[:, column] - self._covered, self._doubt[:, column]))
        if cost is not None and left is not None:
            self._left = left - float(cost[column])
            self._slots -= 1
        step = Step(int(self._taken.sum()), column, float(share.sum()), float(self._expected[column]), share)
        self.take(column)
        return step


def probability(gap: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a gap being positive under Gaussian doubt, by the logistic function, which is within 0.01 of it."""
    return 0.5 * (1 + np.tanh(0.851 * gap / spread))


def softened(improvement: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected positive part of an uncertain improvement, by its close relative, the soft plus."""
    width = 0.6 * spread  # makes the two agree at zero to 5 %
    return width * np.logaddexp(0.0, improvement / width)
