"""The trials of one past study, as the functions of all are learned from them.

Letters:  n trials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.features import Points
from autometa.transfer.scale import warped
from autometa.transfer.selection import foremost


@dataclass(frozen=True, slots=True, eq=False)
class StudyTrials:
    """What is known of one past study: the points that it tried, and its warped scores there."""

    points: Points  # (n,)
    y: NDArray[np.float64]  # (n,) finite

    @classmethod
    def of(cls, points: Points, scores: NDArray[np.float64], most: int) -> StudyTrials:
        """From scores in any unit, larger is better; of more than `most` the best third and some of the others."""
        known = np.flatnonzero(np.isfinite(scores))
        y = warped(scores[known])
        if len(known) > most:
            kept = foremost(np.argsort(-y, kind="stable"), most)
            known, y = known[kept], y[kept]
        return cls(points.at(known), y)

    @property
    def tells(self) -> bool:
        """Whether it tells configurations apart."""
        return len(np.unique(self.y)) > 2
