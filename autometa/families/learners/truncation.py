"""Training that ends at a deadline, with what there is by then.

Boosting and forests end after the round in which the time is over, a network plans its epochs and a Gaussian process
its inducing rows beforehand. The number that was reached is the estimator's `truncated_at_`, and a search records it as
the configuration. A deadline is handed to `fit`; it is no parameter of the estimator.

Laws: without a deadline nothing changes; a model that was truncated after so many rounds, epochs or inducing rows is
the model that the same configuration with so many gives (but for CatBoost's automatic learning rate, which it chooses
for the number that was asked for).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self

from numpy.typing import NDArray

from autometa.families.options import OPTIONS


class Deadline:
    """A callback for a learner that trains in rounds: asked after each of them whether the time is over.

    Args:
        seconds: From now on.

    Example:
        >>> deadline = Deadline(3600.0)
        >>> deadline(), deadline.rounds
        (False, 1)
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.rounds = 0  # there were so far
        self.over = False

    def __call__(self) -> bool:
        """Whether the time is over, after one round more."""
        self.rounds += 1
        self.over = time.monotonic() >= self.end
        return self.over

    def affords(self, pace: float) -> int:
        """How many rounds more there is time for, at `pace` seconds a round."""
        left = max(self.end - time.monotonic(), 0.0)
        return int(OPTIONS.truncation.share_of_rest * left / max(pace, 1e-9))

    def pieces(self, wanted: int) -> Iterator[int]:
        """Up to which round to train next, for a library that takes no callback but can go on where it ended.

        Example:
            >>> list(Deadline(3600.0).pieces(7))
            [7]
        """
        until = min(OPTIONS.truncation.first_rounds, wanted)
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


class Truncatable:
    """An estimator whose ``fit(X, y, seconds=...)`` ends after about so many seconds; None is no limit."""

    truncated_at_: int | None = None  # the rounds, epochs or inducing rows there was time for; None if for all


class TruncatableForest(Truncatable):
    """To put before a forest of scikit-learn, which goes on from the trees it has where `warm_start` is set."""

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: Any = None, *, seconds: float | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,), by a copy, so that no parameter of this forest changes."""
        from sklearn.base import clone

        forest: Any = self
        plain: Any = super()
        self.truncated_at_ = None
        if seconds is None:
            return plain.fit(X, y, sample_weight)
        deadline, growing = Deadline(seconds), clone(forest).set_params(warm_start=True)
        for trees in deadline.pieces(forest.n_estimators):
            growing.set_params(n_estimators=trees).fit(X, y, sample_weight)
        parameters = forest.get_params(deep=False)
        vars(self).update({name: value for name, value in vars(growing).items() if name not in parameters})
        self.truncated_at_ = deadline.rounds if deadline.over else None
        return self
