"""The portfolio that adapts: what past tasks would be if they were this one, and what to try first on it.

Letters:  t past tasks · m configurations · k observed results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from autometa.space import FAMILY, SearchSpace, config_key
from autometa.transfer.baselines import (
    LEAST_TASKS,
    Defaults,
    LearnedRanker,
    NearestTasks,
    Observed,
    Portfolio,
    columns_of,
    similarity_of,
)
from autometa.transfer.cost import Cost
from autometa.transfer.greedy import Belief, Greedy, Step
from autometa.transfer.past import Memory
from autometa.transfer.posterior import condition, covariance
from autometa.transfer.ranker import Ranker
from autometa.transfer.reasons import (
    Explanation,
    Neighbour,
    Origin,
    Recommendation,
    counted,
    evidence_for,
    likeness_words,
    listed,
    ordinal,
    preceded,
    weighted_quantiles,
    with_repairs,
)
from autometa.transfer.similarity import FLOOR, Resemblance, prior_say, rows_of

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks
    from autometa.transfer.cost import TrialLimit

BANDWIDTH = 0.4  # variance of a task around the past one that it is like, in units of the variance over past tasks
RESULT_NOISE = 0.1  # standard deviation of a result, in units of standing
MISTRUST = 0.6  # share of the belief that no result changes
SAFE_BY = 3  # with `safe`, one default is among the first three


class AdaptivePortfolio:
    """The greedy portfolio over what the past tasks would be if they were this one.

    Before any result every past task is moved by what the learned ranker says about the difference between it and this
    one, if that helped on the past tasks themselves, and weighted by its size and by resemblance (`prior_say`). Results
    then change the weights and move the tasks again (`posterior`), in all but a share of the belief. With a budget in
    seconds the gain is divided by the expected share of time and places.

    With `safe` one default is among the first three, which cost regret on validation families (.96/1.01/.80/1.03 of the
    static portfolio's at 1/3/5/10 trials; without .96/.95/.75/.63; `warm_start.py --ablation`).

    With meta-features that say nothing, past tasks of one size and no results it is the static portfolio, configuration
    for configuration.
    """

    def __init__(
        self,
        *,
        floor: float = FLOOR,
        ranker: bool = True,
        bandwidth: float = BANDWIDTH,
        noise: float = RESULT_NOISE,
        mistrust: float = MISTRUST,
        safe: bool = False,
        learned_key: bool = False,
        order: str = "gain per share",
    ) -> None:
        """`floor` and `mistrust` are shares in [0, 1]; without `ranker` only results move past tasks."""
        self.floor, self.ranker, self.bandwidth = floor, ranker, bandwidth
        self.noise, self.mistrust, self.safe = noise, mistrust, safe
        self.learned_key, self.order = learned_key, order

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Reads the past, its meta-features and its costs."""
        self._memory = memory = Memory.of(past, space)
        self._similarity = similarity_of(past, memory)
        self._cost = Cost.learned(memory.records, memory.configs, memory.seconds)
        self._defaults = Defaults()._learn(memory)
        self._sizes = np.array([record.n_rows for record in memory.records], dtype=float)
        self._kernel = self.bandwidth * covariance(memory.standing, memory.spread) if memory.m else np.zeros((0, 0))
        self._ranker: Ranker | None = None
        if self.ranker and memory.m and len(self._similarity.names) and memory.t >= LEAST_TASKS:
            ranker = Ranker(self._similarity.ranks, memory.standing)
            self._ranker = ranker if _helps(ranker, memory) else None
        return self

    def recommend(
        self,
        metafeatures: MetaFeatures | None,
        m: int,
        *,
        observed: Observed = (),
        seconds: float | None = None,
        limit: TrialLimit | None = None,
    ) -> list[Recommendation]:
        """The next `m` configurations.

        Args:
            metafeatures: Of the new task, if known.
            m: How many. Fewer come back when the past knows fewer, or `seconds` allow fewer.
            observed: Configurations tried so far with their scores, larger is better; NaN is still running or unknown,
                -inf failed; and the seconds that they take, where known. Those that the past does not know are skipped.
            seconds: What is left to spend on the recommendations.
            limit: What one of them may take, where that is less.
        """
        memory = self._memory
        if memory.m == 0:
            return self._defaults.recommend(metafeatures, m, observed=observed)
        seen = self._similarity.to(metafeatures)
        believed = seen if seen is not None and not seen.strange else None
        tried = columns_of(memory, observed)
        belief = self._belief(metafeatures, seen, tried)
        expected = cost = self._cost.of(metafeatures, _took(memory, observed)) if self._cost.known else None
        if cost is not None and limit is not None:
            cost = limit.costs(cost, self._cost.families)
        greedy = Greedy(belief, cost=cost, seconds=seconds, slots=m, order=self.order)
        for column, score in tried.items():
            greedy.take(column, covers=not np.isneginf(score))

        default_keys = {config_key(config) for config in memory.defaults}
        had_default = any(config_key(config) in default_keys for config, *_ in observed)
        default = self._best_default(belief)
        chosen: list[Recommendation] = []
        while len(chosen) < m:
            due = self.safe and not had_default and len(observed) + len(chosen) == SAFE_BY - 1
            if due and not self._known_defaults():
                chosen += self._defaults.recommend(metafeatures, 1)
                had_default = True
                continue
            step = greedy.step(self._known_defaults()) if due else None
            safe = step is not None
            if step is None:
                step = greedy.step()
            if step is None:
                break
            had_default = had_default or config_key(memory.configs[step.column]) in default_keys
            recommendation = self._explain(step, believed, belief.results, safe)
            if seen is not None and seen.strange:
                why = "No past task resembles this one, so the portfolio: "
                recommendation = replace(recommendation, reason=preceded(why, recommendation.reason))
            low, high = belief.interval(step.column)
            over = None if default is None or default == step.column else belief.better(step.column, default)
            takes = None if cost is None or expected is None else min(cost[step.column], expected[step.column])
            scores = weighted_quantiles(memory.scores[:, step.column], belief.by_task(belief.weights), (0.1, 0.5, 0.9))
            chosen.append(
                replace(
                    recommendation,
                    seconds=None if takes is None else float(takes),
                    low=low,
                    high=high,
                    over_default=over,
                    score_low=scores[0],
                    score=scores[1],
                    score_high=scores[2],
                )
            )
        return chosen

    def explain(self, metafeatures: MetaFeatures | None, *, observed: Observed = (), k: int = 5) -> Explanation:
        """What the recommendations for this task rest on: its `k` nearest past tasks, and what a default would do."""
        memory, seen = self._memory, self._similarity.to(metafeatures)
        if not memory.m:
            return Explanation(memory.t, 0, "There are no past tasks of this kind.")
        strange = seen is not None and seen.strange
        abstains = (
            "The meta-features cannot be compared with those of past tasks."
            if seen is None
            else "No past task resembles this one: even the nearest is further away than past tasks usually are, "
            "and those of its size count most."
            if strange
            else ""
        )
        belief = self._belief(metafeatures, seen, columns_of(memory, observed))
        say = belief.by_task(belief.weights)
        neighbours = []
        if seen is not None:
            order = [int(i) for i in np.argsort(seen.distances, kind="stable")[:k] if np.isfinite(seen.distances[i])]
            neighbours = [
                Neighbour(
                    memory.records[i].name,
                    float(seen.distances[i]),
                    float(seen.similarity[i]),
                    seen.agrees(i),
                    seen.differs(i),
                    float(say[i]),
                )
                for i in order
            ]
        column = self._best_default(belief)
        low, high = (None, None) if column is None else belief.interval(column)
        return Explanation(
            tasks=memory.t,
            configurations=memory.m,
            abstains=abstains,
            usual_distance=float(self._similarity.unit) if np.isfinite(self._similarity.unit) else None,
            moved=not abstains and self._ranker is not None,
            neighbours=tuple(neighbours),
            default=None if column is None else dict(memory.configs[column]),
            default_expected=None if column is None else belief.expected(column),
            default_low=low,
            default_high=high,
        )

    def weights(self, metafeatures: MetaFeatures | None, observed: Observed = ()) -> dict[str, float]:
        """The say of every past task, by fingerprint; sums to one."""
        seen = self._similarity.to(metafeatures)
        belief = self._belief(metafeatures, seen, columns_of(self._memory, observed))
        weights = belief.by_task(belief.weights)
        return {record.fingerprint: float(w) for record, w in zip(self._memory.records, weights, strict=True)}

    def _known_defaults(self) -> list[int]:
        columns = (self._memory.column(config) for config in self._memory.defaults)
        return [column for column in columns if column is not None]

    def _best_default(self, belief: Belief) -> int | None:
        """The column of the default that is expected to be best; None where the past knows none."""
        known = self._known_defaults()
        return max(known, key=belief.expected) if known else None

    def _belief(self, metafeatures: MetaFeatures | None, seen: Resemblance | None, tried: dict[int, float]) -> Belief:
        """What the standings of this task may be: past tasks, weighted and moved."""
        memory, t = self._memory, self._memory.t
        rows = np.nan if seen is None else rows_of(metafeatures)
        if seen is not None and seen.strange:
            seen = None
        if seen is not None and self.learned_key and self._ranker is not None:
            seen = replace(seen, similarity=self._ranker.likeness(seen.ranks))
        weights, means = prior_say(self._sizes, rows, seen, self.floor), memory.standing
        if seen is not None and self._ranker is not None:
            means = np.clip(means + self._ranker.predict(seen.ranks) - self._ranker.predicted, 0.0, 1.0)
        told = {column: score for column, score in tried.items() if not np.isnan(score)}
        finite = sum(np.isfinite(score) for score in told.values())
        if finite < 2:
            return Belief(weights, means, memory.spread, t)
        columns, scores = np.array(list(told)), np.array(list(told.values()))
        after = condition(weights, means, memory.spread, self._kernel, columns, scores, noise=self.noise)
        return Belief(
            np.concatenate([self.mistrust * weights, (1 - self.mistrust) * after.weights]),
            np.vstack([means, after.means]),
            np.vstack([memory.spread, np.hypot(memory.spread, after.spread)]),
            t,
            int(finite),
        )

    def _explain(self, step: Step, seen: Resemblance | None, agreeing: int, safe: bool) -> Recommendation:
        memory, column = self._memory, step.column
        evidence = evidence_for(memory, column, step.share, seen)
        config = dict(memory.configs[column])
        origin: Origin = "default" if safe else "similar" if seen is not None or agreeing else "portfolio"
        first = evidence[0]
        if safe:
            name = config.get(FAMILY, "every parameter")
            reason = f"A safe start: the default of {name}, expected to stand at {step.expected:.2f} of the best known."
        elif agreeing:
            reason = (
                f"{ordinal(first)} on {first.task}, where the configurations tried here stand in a similar order "
                f"({counted(agreeing, 'result')})"
                + (f"; {likeness_words(first)}." if seen is not None and first.agrees else ".")
            )
        elif seen is not None:
            also = f"; also on {listed([e.task for e in evidence[1:]])}" if len(evidence) > 1 else ""
            reason = f"{ordinal(first)} on {first.task}, {likeness_words(first)}{also}."
        else:
            good = int(np.sum(memory.standing[:, column] >= 0.9))
            where = listed([e.task for e in evidence])
            reason = f"Close to the best on {good} of {counted(memory.t, 'past task')}, most gained on {where}."
        return Recommendation(config, origin, step.expected, with_repairs(reason, memory, column), evidence, step.gain)


def _helps(ranker: Ranker, memory: Memory) -> bool:
    """Whether moving past tasks towards the ranker's forecast would have served the past tasks better.

    Each is given the configuration that would have been first with all others moved, and unmoved. Meta-features that
    tell nothing leave the portfolio as it is.
    """
    t = memory.t
    measured = ~np.isnan(memory.scores)
    others = (memory.standing.sum(axis=0) - memory.standing) / max(t - 1, 1)
    usual = (ranker.predicted.sum(axis=0) - ranker.predicted) / max(t - 1, 1)
    got = []
    for forecasts in (others, others + ranker.predicted - usual):
        first = np.argmax(np.where(measured, forecasts, -np.inf), axis=1)
        got.append(memory.standing[np.arange(t), first].mean())
    return bool(got[1] > got[0])


def _took(memory: Memory, observed: Observed) -> dict[int, float]:
    """Observed seconds by column, of those that were timed."""
    found = ((memory.column(config), seconds[0]) for config, _, *seconds in observed if seconds)
    return {column: took for column, took in found if column is not None and took > 0}


RECOMMENDERS: dict[str, Callable[[], Defaults | Portfolio | NearestTasks | LearnedRanker | AdaptivePortfolio]] = {
    "defaults": Defaults,
    "portfolio": Portfolio,
    "nearest": NearestTasks,
    "ranker": LearnedRanker,
    "adaptive": AdaptivePortfolio,
}
