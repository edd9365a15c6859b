"""How long trials take: what one may, and how far they are from what was expected of them.

Letters:  k trials that were timed · q configurations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Spreads(NamedTuple):
    """Standard deviations of log seconds around what past tasks let expect."""

    tasks: float  # of whole tasks, and of machines
    families: float  # of families within a task
    trials: float  # of trials within those


# For configurations that past tasks know, and for others, by the size of the task. What benchmarks/costs.py finds, on
# one kind of machine, is .2, .3 and .4, and .2, .5 and .6: there is more here, because machines differ.
KNOWN, OTHERS = Spreads(0.5, 0.3, 0.4), Spreads(0.5, 0.6, 0.6)
START = 0.3  # seconds; what takes less is heard as the start of a trial's process rather than as the trial


@dataclass(frozen=True, slots=True)
class TrialLimit:
    """How long one trial may take: what grows ends by then with what it has, anything else would be for nothing."""

    seconds: float
    growing: frozenset[str] = frozenset()  # families that end by then

    def costs(self, expected: NDArray[np.float64], families: NDArray[np.str_]) -> NDArray[np.float64]:
        """What trials take that are `expected` to need so many seconds, (q,); infinite where they would be in vain."""
        beyond = np.where(np.isin(families, list(self.growing)), self.seconds, np.inf)
        return np.where(expected <= self.seconds, expected, beyond)


def surprise(seconds: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of what trials took over what was expected of them, (k,), as far as both can be told from starting a process.

    Args:
        seconds: (k,) that trials took, a process of their own included.
        expected: (k,) log of the seconds that were expected.

    Example:
        >>> surprise(np.array([0.25, 3.0]), np.log([0.05, 1.5])).round(2)
        array([0.  , 0.69])
    """
    return np.log(np.maximum(seconds, START)) - np.maximum(expected, np.log(START))


def slower(rest: NDArray[np.float64], families: NDArray, among: NDArray, spreads: Spreads) -> NDArray[np.float64]:
    """By how much log seconds will exceed what is expected, (q,), given by how much they did so far.

    A task, or the machine, is slower than others as a whole, and its families differ on top of that: what one family
    takes says most about that family, and something about the others. The mean of the Gaussian model with these three
    spreads, given the results.

    Args:
        rest: (k,) log of the seconds that trials took over those that were expected.
        families: (k,) whose they are, names or numbers.
        among: (q,) whose is asked for.
        spreads: How far trials usually are from such an expectation.

    Example:
        >>> slower(
        ...     np.log([2.0, 2.0]), np.array(["svm", "svm"]), np.array(["svm", "knn"]), Spreads(0.5, 0.3, 0.4)
        ... ).round(2)
        array([0.56, 0.41])
    """
    if not len(rest):
        return np.zeros(len(among))
    known, which, count = np.unique(families, return_inverse=True, return_counts=True)
    mean = np.bincount(which, weights=rest) / count
    doubt = spreads.families**2 + spreads.trials**2 / count  # of a family's mean, as a sight of the task's level
    level = (mean / doubt).sum() / (1 / spreads.tasks**2 + (1 / doubt).sum())
    own = (mean - level) * spreads.families**2 / doubt
    place = np.minimum(np.searchsorted(known, among), len(known) - 1)
    return level + np.where(known[place] == among, own[place], 0.0)
