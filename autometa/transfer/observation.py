"""What is known of the task at hand, in one space.

Letters:  m evaluations · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, SearchSpace


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The evaluations of one task so far; their order never matters."""

    x: NDArray[np.float64]  # (m, d) as of `SearchSpace.encode_all`
    mask: NDArray[np.bool_]  # (m, d)
    scores: NDArray[np.float64]  # (m,) larger is better, any unit; NaN = running, -inf = failed
    seconds: NDArray[np.float64] | None = None  # (m,) that a whole evaluation takes; NaN = unknown
    fidelity: NDArray[np.float64] | None = None  # (m,) in (0, 1], 1 = full

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        configs: Sequence[Config],
        scores: Sequence[float],
        seconds: Sequence[float] | None = None,
        fidelity: Sequence[float] | None = None,
    ) -> History:
        """The history of configurations that `space` contains."""
        x, mask = space.encode_all(configs)
        return cls(
            x,
            mask,
            np.asarray(scores, dtype=float),
            None if seconds is None else np.asarray(seconds, dtype=float),
            None if fidelity is None else np.asarray(fidelity, dtype=float),
        )

    def __len__(self) -> int:
        """The number of evaluations, m, running and failed ones among them."""
        return len(self.scores)

    def at(self, rows: NDArray) -> History:
        """Some of the evaluations."""
        return History(
            self.x[rows],
            self.mask[rows],
            self.scores[rows],
            None if self.seconds is None else self.seconds[rows],
            None if self.fidelity is None else self.fidelity[rows],
        )


def thinned(history: History, most: int) -> History:
    """At most `most` evaluations: the best third of that, and of the others an even selection by their score.

    Running evaluations stay. So the time that an answer takes is bounded, whatever the number of trials.
    """
    if len(history) <= most:
        return history
    running = np.flatnonzero(np.isnan(history.scores))
    others = np.flatnonzero(~np.isnan(history.scores))
    order = others[np.lexsort((*history.x[others].T, -history.scores[others]))]
    first = max(most // 3, 1)
    rest = order[first:]
    keep = rest[np.linspace(0, len(rest) - 1, max(min(most - first, len(rest)), 0)).astype(int)]
    return history.at(np.concatenate([order[:first], keep, running]))
