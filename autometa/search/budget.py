"""What a search may spend: time that includes everything, or a number of trials.

The clock starts when the command did, not when the search does. Part of a time budget is set aside for what comes after
the last trial (ensemble, refit, remembering), so that the end of the run holds as well as the end of the search.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds in all (None: unlimited), trials in all (None: unlimited), and when the clock started (monotonic)."""

    seconds: float | None
    trials: int | None
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the clock started."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left in all; infinity without a time budget."""
        return float("inf") if self.seconds is None else self.seconds - self.elapsed

    @property
    def reserve(self) -> float:
        """Seconds set aside for ensembling, refitting and remembering: a tenth, between 1 and 30 s."""
        return 0.0 if self.seconds is None else min(max(0.1 * self.seconds, 1.0), 30.0)

    @property
    def left_to_search(self) -> float:
        """Seconds left for trials."""
        return self.left - self.reserve
