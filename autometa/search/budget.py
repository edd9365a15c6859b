"""What a search may spend: time that includes everything, or a number of trials.

The clock starts when the command did, not when the search does. Part of a time budget is set aside for what comes after
the last trial (ensemble, refit, remembering), so that the end of the run holds as well as the end of the search.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autometa.search.options import OPTIONS


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds in all (None: unlimited), trials in all (None: unlimited), when the clock started, and the clock.

    Example:
        >>> budget = Budget(60.0, None, started=100.0, now=lambda: 110.0)
        >>> budget.elapsed, budget.left, budget.reserve, budget.left_to_search
        (10.0, 50.0, 6.0, 44.0)
    """

    seconds: float | None
    trials: int | None
    started: float = field(default_factory=time.monotonic)
    now: Callable[[], float] = field(default=time.monotonic, repr=False)
    crowding: float = 1.0  # seconds of the wall that a processor second takes here

    @property
    def elapsed(self) -> float:
        """Seconds since the clock started."""
        return self.now() - self.started

    @property
    def left(self) -> float:
        """Seconds left in all; infinity without a time budget."""
        return float("inf") if self.seconds is None else self.seconds - self.elapsed

    @property
    def reserve(self) -> float:
        """Seconds set aside for ensembling, refitting and remembering: a tenth of a minute, less of more; 1 to 30 s."""
        if self.seconds is None:
            return 0.0
        beyond = max(self.seconds - OPTIONS.reserve_until, 0.0)
        share = OPTIONS.reserve * (self.seconds - beyond) + OPTIONS.reserve_beyond * beyond
        return min(max(share, OPTIONS.least_reserve), OPTIONS.most_reserve)

    @property
    def crowded_reserve(self) -> float:
        """The same where processors are busy with others' work."""
        return self.reserve * min(max(self.crowding, 1.0), OPTIONS.crowded_reserve)

    @property
    def left_to_search(self) -> float:
        """Seconds left for trials."""
        return self.left - self.reserve
