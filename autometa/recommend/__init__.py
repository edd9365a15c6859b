"""Which configurations to try first, given how a task looks and the results so far.

A recommender answers before anything has been evaluated on the new task, and keeps answering as results come in. It has
seen other tasks: their meta-features, and how configurations scored on them. `Defaults` needs no past, `Portfolio`
covers the tasks seen so far, `NearestTasks` trusts resemblance, `LearnedRanker` a forecast from meta-features, and
`AdaptivePortfolio`, the default, brings them together and goes on learning from the results.

Law: nothing is recommended that the space does not contain or that was observed already; without a past everybody
recommends the defaults; every recommendation carries its reason. To add a recommender, write a class with `fit` and
`recommend` and give it a line in `RECOMMENDERS`: the contract tests find it there.

Letters:  t past tasks · m configurations · f meta-features · k observed results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from autometa.recommend.reasons import Evidence, Explanation, Neighbour, Recommendation
from autometa.recommend.recommenders import (
    RECOMMENDERS,
    AdaptivePortfolio,
    Defaults,
    LearnedRanker,
    NearestTasks,
    Observed,
    Portfolio,
)

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.space import SearchSpace
    from autometa.store import PastTasks
    from autometa.timing import TrialLimit

__all__ = [
    "RECOMMENDERS",
    "AdaptivePortfolio",
    "Defaults",
    "Evidence",
    "Explanation",
    "LearnedRanker",
    "NearestTasks",
    "Neighbour",
    "Portfolio",
    "Recommendation",
    "Recommender",
]


class Recommender(Protocol):
    """What every recommender can do."""

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Learns from past tasks; what `space` cannot hold is left out, numbers out of range are clipped."""
        ...

    def recommend(
        self,
        metafeatures: MetaFeatures | None,
        m: int,
        *,
        observed: Observed = (),
        seconds: float | None = None,
        limit: TrialLimit | None = None,
    ) -> list[Recommendation]:
        """At most `m` configurations, the first to try first.

        `observed` holds what was tried on this task: a configuration, its score, larger is better, NaN while it runs,
        -inf if it failed, and, if somebody timed it, the seconds that it takes. `seconds` is the time left to spend on
        them, `limit` what one of them may take.
        """
        ...
