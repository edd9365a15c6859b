"""Learners that grow tree by tree, or epoch by epoch, can end when their time is over, with what there is by then.

So can a Gaussian process, by its inducing rows. Laws: without a time limit nothing changes; a model that was cut short
after so many trees or epochs is the model that the same configuration with so many gives (but for CatBoost's automatic
learning rate, which it chooses for the number that was asked for).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self

from numpy.typing import NDArray

# The parameters that count what grows; a family has one of them.
COUNTS = ("n_estimators", "max_iter", "epochs", "inducing")
FEWEST = 10  # rounds of the first piece, where a library is asked for pieces
SURE = 0.8  # of the time that is left, what the next piece may take


class Growth:
    """A clock that counts rounds: asked after each whether to end."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.rounds = 0
        self.over = False

    def __call__(self) -> bool:
        """Whether the time is over."""
        self.rounds += 1
        self.over = time.monotonic() >= self.end
        return self.over

    def affords(self, pace: float) -> int:
        """How many rounds more, of so many seconds each."""
        return int(SURE * max(self.end - time.monotonic(), 0.0) / max(pace, 1e-9))

    def pieces(self, wanted: int) -> Iterator[int]:
        """Up to which round to grow next, for a library that asks nobody in between but can go on where it ended."""
        until = min(FEWEST, wanted)
        while True:
            before, began = self.rounds, time.monotonic()
            yield until
            self.rounds = until
            if until == wanted:
                return
            more = self.affords((time.monotonic() - began) / (until - before))
            self.over = more == 0
            if self.over:
                return
            until = min(until + more, wanted)


class Growing:
    """For an estimator that can be told, before `fit`, how long it may grow."""

    seconds: float | None = None  # of growing; None for no limit
    cut_: int | None = None  # the rounds, trees or epochs there was time for; None if there was for all


class GrowingForest(Growing):
    """To put before a forest of scikit-learn, which goes on from its trees where `warm_start` is set."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        forest: Any = self
        plain: Any = super()
        if self.seconds is None:
            return plain.fit(X, y)
        wanted, clock = forest.n_estimators, Growth(self.seconds)
        for trees in clock.pieces(wanted):
            forest.n_estimators = trees
            plain.fit(X, y)
            forest.warm_start = True
        forest.warm_start = False
        self.cut_ = clock.rounds if clock.over else None
        return self
