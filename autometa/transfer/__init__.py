"""What past tasks tell about a new one: how good any configuration is, how sure that is, and what it costs.

Two questions are asked of it. *Cover*: which configurations to try first, given a task's meta-features and the results
so far (`Recommender`; `AdaptivePortfolio` is the default, the others of `RECOMMENDERS` the bars that it has to pass).
*Improve*: what to try next, once there are results (`Guard`, which weighs the meta-learned `Surrogate` against the past
tasks themselves and against a process that knows of no past, by how well each foresaw this task's results).

Laws: nothing is recommended that the space does not contain or that was observed already; without a past everybody
recommends the defaults; every recommendation carries its reason; predictions depend neither on the order of the
evaluations nor on the unit of the score; nothing is imputed for inactive parameters; asking needs NumPy and SciPy only,
and torch is imported for training, in `meta`, only.

Past tasks that tried the same configurations are a table (`past`), whose missing entries are imputed. Past studies that
each tried their own are functions (`past_studies`), draws of one Gaussian process that is learned from all of them
(`population`, `features`, `relevance`). Both answer the same two questions through the same recommender and guard.

To add a recommender, write a class with `fit` and `recommend` and give it a line in `cover.RECOMMENDERS`: the contract
tests find it there. To add an expert to the guard, write an `experts.Process`.

Letters:  t past tasks · m configurations or evaluations · f meta-features · d encoded dimensions · q points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from autometa.late import late
from autometa.transfer.baselines import Defaults, LearnedRanker, NearestTasks, Observed, Portfolio
from autometa.transfer.cost import TrialLimit
from autometa.transfer.cover import RECOMMENDERS, AdaptivePortfolio
from autometa.transfer.observation import History
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.reasons import Evidence, Explanation, Neighbour, Recommendation

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.space import SearchSpace
    from autometa.store import PastTasks
    from autometa.transfer.improve import Guard, Prediction, Suggestion
    from autometa.transfer.meta.surrogate import Posterior, Surrogate
    from autometa.transfer.meta.training import train
    from autometa.transfer.meta.validation import judged

__all__ = [
    "OPTIONS",
    "RECOMMENDERS",
    "AdaptivePortfolio",
    "Defaults",
    "Evidence",
    "Explanation",
    "Guard",
    "History",
    "LearnedRanker",
    "NearestTasks",
    "Neighbour",
    "Portfolio",
    "Posterior",
    "Prediction",
    "Recommendation",
    "Recommender",
    "Suggestion",
    "Surrogate",
    "TransferOptions",
    "TrialLimit",
    "judged",
    "train",
]

_LATE = {  # names of files that import SciPy, which takes half a second
    "Guard": "improve",
    "Posterior": "meta.surrogate",
    "Prediction": "improve",
    "Suggestion": "improve",
    "Surrogate": "meta.surrogate",
    "judged": "meta.validation",
    "train": "meta.training",
}


__getattr__ = late(__name__, _LATE)  # SciPy takes half a second


class Recommender(Protocol):
    """What every recommender can do.

    See Also:
        `autometa.transfer.RECOMMENDERS`, `AdaptivePortfolio`.

    Example:
        >>> from autometa.store import MetaStore
        >>> from autometa.families import cash_space
        >>> past = MetaStore("no_such_folder/store.db").past(kind="binary", metric="roc_auc")
        >>> recommender: Recommender = Portfolio().fit(past, cash_space("binary"))
        >>> recommender.recommend(None, 1)[0].origin.value  # without a past everybody recommends the defaults
        'default'
    """

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
