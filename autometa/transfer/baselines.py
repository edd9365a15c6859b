"""The recommenders that do not learn from results: the bars for the one that does.

Letters:  t past tasks · m configurations · k observed results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from autometa.space import FAMILY, Config, SearchSpace, config_key
from autometa.transfer.greedy import Belief, Greedy, Step
from autometa.transfer.past import Memory
from autometa.transfer.ranker import Ranker, carry_over
from autometa.transfer.reasons import (
    Recommendation,
    counted,
    evidence_for,
    likeness_words,
    listed,
    ordinal,
    preceded,
    with_repairs,
)
from autometa.transfer.similarity import Resemblance, Similarity

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks
    from autometa.transfer.cost import TrialLimit

Observed = Sequence[tuple[Config, float] | tuple[Config, float, float]]  # with the seconds that it takes, if known

LEAST_TASKS = 10  # before a ranker is learned


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
        tried = columns_of(self._memory, observed)
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
        self._similarity = similarity_of(past, self._memory)
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
        tried = set(columns_of(memory, observed))
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
        self._similarity = similarity_of(past, memory)
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
        for column in columns_of(memory, observed):
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


def similarity_of(past: PastTasks, memory: Memory) -> Similarity:
    """How past tasks resemble each other and a new one, by the meta-features that the past has."""
    names = tuple(past.metafeature_names) if memory.metafeatures.shape[1] else ()
    return Similarity(memory.metafeatures, names, getattr(past, "metafeature_version", ""))


def columns_of(memory: Memory, observed: Observed) -> dict[int, float]:
    """Observed scores by column, in the order of observation; the last result of a configuration counts."""
    found = ((memory.column(config), score) for config, score, *_ in observed)
    return {column: float(score) for column, score in found if column is not None}
