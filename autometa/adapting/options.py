"""The tuned numbers of the room, with the origin of each value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdaptingOptions:
    """Numbers of the space and of what fits a learner."""

    # Inner steps at most, where a learner was not trained with more, and the factor by which the rate may be smaller
    # or larger than in training. Judgement: a table has more rows than an episode, and bears more steps.
    most_steps: int = 50
    rate_span: float = 30.0
    # Share of a vector's numbers up to which the last one has to be there where some lack. Judgement: those that never
    # vary are left out of a table, and a shorter vector is another.
    share_of_numbers: float = 0.9


OPTIONS = AdaptingOptions()
