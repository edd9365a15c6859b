"""The recommenders.

Letters:  t past tasks · m configurations · k observed results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from autometa.cost import Cost
from autometa.recommend.greedy import Belief, Greedy, Step
from autometa.recommend.memory import Memory
from autometa.recommend.posterior import condition, covariance
from autometa.recommend.ranker import Ranker, carry_over
from autometa.recommend.reasons import (
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
from autometa.recommend.similarity import FLOOR, Resemblance, Similarity, prior_say, rows_of
from autometa.space import FAMILY, Config, SearchSpace, config_key

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks
    from autometa.timing import TrialLimit

Observed = Sequence[tuple[Config, float] | tuple[Config, float, float]]  # with the seconds that it takes, if known

BANDWIDTH = 0.4  # variance of a task around the past one that it is like, in units of the variance over past tasks
RESULT_NOISE = 0.1  # standard deviation of a result, in units of standing
MISTRUST = 0.6  # share of the belief that no result changes
LEAST_TASKS = 10  # before a ranker is learned
SAFE_BY = 3  # with `safe`, one default is among the first three


class _Timeless(ABC):
    """A recommender that says the same however much time there is."""

    def recommend(
        self,
        metafeatures: MetaFeatures | None,
        m: int,
        *,
        observed: Observed = (),
        seconds: float | None = None,
        limit: TrialLimit | None = None,
    ) -> list[Recommendation]:
        """The next `m` configurations."""
        return self._next(metafeatures, m, observed)

    @abstractmethod
    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]: ...


class Defaults(_Timeless):
    """Each family's default configuration, in the order of its mean rank among the defaults on past tasks."""

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Ranks the defaults; those that no past task knows come last, in the space's order."""
        return self._learn(Memory.of(past, space))

    def _learn(self, memory: Memory) -> Self:
        self._memory = memory
        columns = [memory.column(config) if memory.m else None for config in memory.defaults]
        known = [column for column in columns if column is not None]
        table = memory.standing[:, known]  # (t, defaults)
        better = table[:, None, :] > table[:, :, None]  # (t, defaults, defaults)
        tied = table[:, None, :] == table[:, :, None]
        ranks = dict(zip(known, (better + 0.5 * tied).sum(axis=2).mean(axis=0) + 0.5, strict=True)) if known else {}
        entries = [
            (config, column, None if column is None else float(ranks[column]))
            for config, column in zip(memory.defaults, columns, strict=True)
        ]
        self._ordered = sorted(entries, key=lambda entry: np.inf if entry[2] is None else entry[2])  # stable
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The first `m` defaults that were not observed yet; fewer when there are fewer."""
        tried = {config_key(config) for config, *_ in observed}
        left = [entry for entry in self._ordered if config_key(entry[0]) not in tried]
        return [self._explain(*entry) for entry in left[: max(m, 0)]]

    def _explain(self, config: Config, column: int | None, rank: float | None) -> Recommendation:
        name = f"The default of {config[FAMILY]}" if FAMILY in config else "The default of every parameter"
        if column is None or rank is None:
            return Recommendation(dict(config), "default", None, f"{name}; no past task knows it.")
        where = counted(self._memory.t, "past task")
        reason = f"{name}: mean rank {rank:.1f} among {len(self._ordered)} defaults on {where}."
        return Recommendation(dict(config), "default", float(self._memory.standing[:, column].mean()), reason)


class Portfolio(_Timeless):
    """The static greedy portfolio: the configurations that together leave the fewest past tasks badly served.

    Next is the configuration with the largest expected improvement over those before it, averaged over past tasks. The
    same list for every task: the bar for everything that adapts.
    """

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Reads the past; the list itself is drawn up as far as it is asked for."""
        return self._learn(Memory.of(past, space))

    def _learn(self, memory: Memory) -> Self:
        self._memory = memory
        self._defaults = Defaults()._learn(memory)
        self._greedy = Greedy(Belief(np.full(memory.t, 1 / max(memory.t, 1)), memory.standing, memory.spread, memory.t))
        self._steps: list[Step] = []
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The first `m` of the list that were not observed yet; the defaults when there is no past."""
        if self._memory.m == 0:
            return self._defaults._next(metafeatures, m, observed)
        tried = _columns(self._memory, observed)
        while len(self._steps) < min(m + len(tried), self._memory.m):
            step = self._greedy.step()
            assert step is not None  # the list is shorter than the memory
            self._steps.append(step)
        left = [step for step in self._steps if step.column not in tried]
        return [self._explain(step) for step in left[: max(m, 0)]]

    def _explain(self, step: Step) -> Recommendation:
        memory, column = self._memory, step.column
        evidence = evidence_for(memory, column, step.share)
        good = int(np.sum(memory.standing[:, column] >= 0.9))
        if step.place == 0:
            reason = f"The best single start: close to the best on {good} of {counted(memory.t, 'past task')}."
        else:
            where = listed([e.task for e in evidence])
            reason = (
                f"Covers what {counted(step.place, 'configuration')} before it left open, "
                f"most on {where}; close to the best on {good} of {counted(memory.t, 'past task')}."
            )
        return Recommendation(
            dict(memory.configs[column]),
            "portfolio",
            step.expected,
            with_repairs(reason, memory, column),
            evidence,
            step.gain,
        )


class NearestTasks(_Timeless):
    """The best configurations of the past tasks whose meta-features are nearest, taking turns."""

    def __init__(self, k: int = 10) -> None:
        """`k` past tasks are asked."""
        self.k = k

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Reads the past and its meta-features."""
        self._memory = Memory.of(past, space)
        self._similarity = _similarity(past, self._memory)
        self._portfolio = Portfolio()._learn(self._memory)
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The best of the nearest task, of the second nearest, ..., then their seconds; without any, the portfolio."""
        memory = self._memory
        seen = self._similarity.to(metafeatures) if memory.m else None
        if seen is None or seen.strange:
            why = "No past task resembles this one, so: " if seen is not None else "No meta-features to compare, so: "
            others = self._portfolio._next(metafeatures, m, observed)
            return [replace(r, reason=preceded(why, r.reason)) for r in others] if memory.m else others
        tried = set(_columns(memory, observed))
        nearest = [i for i in np.argsort(seen.distances, kind="stable")[: self.k] if np.isfinite(seen.distances[i])]
        orders = [
            np.argsort(-np.where(np.isnan(memory.scores[i]), -np.inf, memory.scores[i]), kind="stable") for i in nearest
        ]
        chosen: list[Recommendation] = []
        for place in range(memory.m):
            for i, order in zip(nearest, orders, strict=True):
                column = int(order[place])
                if len(chosen) >= m:
                    return chosen
                if column not in tried and np.isfinite(memory.scores[i, column]):
                    tried.add(column)
                    chosen.append(self._explain(column, int(i), seen))
        return chosen

    def _explain(self, column: int, task: int, seen: Resemblance) -> Recommendation:
        memory = self._memory
        share = np.zeros(memory.t)
        share[task] = 1.0
        evidence = evidence_for(memory, column, share, seen)
        reason = f"{ordinal(evidence[0])} on {evidence[0].task}, {likeness_words(evidence[0])}."
        expected = float(seen.similarity @ memory.standing[:, column] / max(seen.similarity.sum(), 1e-300))
        return Recommendation(
            dict(memory.configs[column]), "similar", expected, with_repairs(reason, memory, column), evidence
        )


class LearnedRanker(_Timeless):
    """The greedy portfolio over past tasks moved to where the learned ranker sees this one; results change nothing.

    It also forecasts configurations that nobody has tried yet (`expected`).
    """

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Learns from meta-features which configurations stand high."""
        self._memory = memory = Memory.of(past, space)
        self._similarity = _similarity(past, memory)
        self._portfolio = Portfolio()._learn(memory)
        comparable = memory.m and len(self._similarity.names) and memory.t >= LEAST_TASKS
        self._ranker = Ranker(self._similarity.ranks, memory.standing) if comparable else None
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The next `m`; those of the static portfolio where meta-features cannot be compared."""
        memory, seen = self._memory, self._similarity.to(metafeatures)
        if self._ranker is None or seen is None or seen.strange:
            others = self._portfolio._next(metafeatures, m, observed)
            if not memory.m:
                return others
            strange = seen is not None and seen.strange
            why = "No past task resembles this one, so: " if strange else "No meta-features to compare, so: "
            return [replace(r, reason=preceded(why, r.reason)) for r in others]
        moved = np.clip(memory.standing + self._ranker.predict(seen.ranks) - self._ranker.predicted, 0.0, 1.0)
        greedy = Greedy(Belief(np.full(memory.t, 1 / memory.t), moved, memory.spread, memory.t))
        for column in _columns(memory, observed):
            greedy.take(column)
        chosen: list[Recommendation] = []
        while len(chosen) < m and (step := greedy.step()) is not None:
            evidence = evidence_for(memory, step.column, step.share, seen)
            reason = (
                f"Forecast from how the table looks to stand at {step.expected:.2f} of the best known, "
                f"{step.expected - memory.standing[:, step.column].mean():+.2f} to its mean over past tasks."
            )
            reason = with_repairs(reason, memory, step.column)
            config = dict(memory.configs[step.column])
            chosen.append(Recommendation(config, "similar", step.expected, reason, evidence, step.gain))
        return chosen

    def expected(self, metafeatures: MetaFeatures | None, configs: Sequence[Config]) -> NDArray[np.float64]:  # (m,)
        """The standing that is forecast for any configurations of the space; the past's mean where it knows nothing."""
        memory, seen = self._memory, self._similarity.to(metafeatures)
        if not memory.m:
            return np.full(len(configs), np.nan)
        known = seen is not None and self._ranker is not None
        forecast = self._ranker.predict(seen.ranks) if known else memory.standing.mean(axis=0)  # type: ignore[union-attr]
        return np.clip(carry_over(forecast, memory.configs, configs, memory.space), 0.0, 1.0)


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
        self._similarity = _similarity(past, memory)
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
        tried = _columns(memory, observed)
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
        belief = self._belief(metafeatures, seen, _columns(memory, observed))
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
        belief = self._belief(metafeatures, seen, _columns(self._memory, observed))
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


def _similarity(past: PastTasks, memory: Memory) -> Similarity:
    names = tuple(past.metafeature_names) if memory.metafeatures.shape[1] else ()
    return Similarity(memory.metafeatures, names, getattr(past, "metafeature_version", ""))


def _columns(memory: Memory, observed: Observed) -> dict[int, float]:
    """Observed scores by column, in the order of observation; the last result of a configuration counts."""
    found = ((memory.column(config), score) for config, score, *_ in observed)
    return {column: float(score) for column, score in found if column is not None}


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
