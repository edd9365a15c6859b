"""Learners that grow tree by tree, or epoch by epoch, can end when their time is over, with what there is by then.

Laws: without a time limit nothing changes; a model that was cut short after so many trees or epochs is the model that
the same configuration with so many gives (but for CatBoost's automatic learning rate, which it chooses for the number
that was asked for).
"""

from __future__ import annotations

import time
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

TREES, EPOCHS = "n_estimators", "epochs"  # the parameters that count what grows
FEWEST, STEPS = 10, 20  # trees that a forest grows before it first looks at the clock; looks at most


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


class Growing:
    """For an estimator that can be told, before `fit`, how long it may grow."""

    counts: ClassVar[str] = TREES  # the parameter of its family's space
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
        wanted = forest.n_estimators
        self.cut_, clock = None, Growth(self.seconds)
        for trees in np.unique(np.linspace(min(FEWEST, wanted), wanted, STEPS).astype(int)):
            forest.n_estimators = int(trees)
            plain.fit(X, y)
            forest.warm_start = True
            if clock() and trees < wanted:
                self.cut_ = int(trees)
                break
        forest.warm_start = False
        return self
