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

from autometa.origins import Origin
from autometa.space import Config, SearchSpace, config_key, family_in
from autometa.transfer.greedy import Greedy, Step, TaskMixture
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.past import PastTable
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


class _Timeless(ABC):
    """A recommender that says the same however much time there is."""

    def __init__(self, *, options: TransferOptions = OPTIONS) -> None:
        """`options` say how the past is read."""
        self.options = options

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
    """Each family's default configuration, in the order of its mean rank among the defaults on past tasks.

    See Also:
        `Portfolio`, `AdaptivePortfolio`.

    Example:
        >>> from autometa.families import cash_space
        >>> from autometa.store import MetaStore
        >>> past = MetaStore.with_shipped("no_such_folder/store.db").past(kind="binary", metric="roc_auc")
        >>> recommender = Defaults().fit(past, cash_space("binary"))
        >>> len({r.config["family"] for r in recommender.recommend(None, 3)})
        3
    """

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Ranks the defaults; those that no past task knows come last, in the space's order."""
        return self._learn(PastTable.of(past, space, self.options))

    def _learn(self, table: PastTable) -> Self:
        self._table = table
        columns = [table.column(config) if table.m else None for config in table.defaults]
        known = [column for column in columns if column is not None]
        values = table.normalised[:, known]  # (t, defaults)
        better = values[:, None, :] > values[:, :, None]  # (t, defaults, defaults)
        tied = values[:, None, :] == values[:, :, None]
        ranks = dict(zip(known, (better + 0.5 * tied).sum(axis=2).mean(axis=0) + 0.5, strict=True)) if known else {}
        entries = [
            (config, column, None if column is None else float(ranks[column]))
            for config, column in zip(table.defaults, columns, strict=True)
        ]
        self._ordered = sorted(entries, key=lambda entry: np.inf if entry[2] is None else entry[2])  # stable
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The first `m` defaults that were not observed yet; fewer when there are fewer."""
        tried = {config_key(config) for config, *_ in observed}
        left = [entry for entry in self._ordered if config_key(entry[0]) not in tried]
        return [self._explain(*entry) for entry in left[: max(m, 0)]]

    def _explain(self, config: Config, column: int | None, rank: float | None) -> Recommendation:
        name = f"The default of {family}" if (family := family_in(config)) else "The default of every parameter"
        if column is None or rank is None:
            return Recommendation(dict(config), Origin.DEFAULT, None, f"{name}; no past task knows it.")
        where = counted(self._table.t, "past task")
        reason = f"{name}: mean rank {rank:.1f} among {len(self._ordered)} defaults on {where}."
        return Recommendation(dict(config), Origin.DEFAULT, float(self._table.normalised[:, column].mean()), reason)


class Portfolio(_Timeless):
    """The static greedy portfolio: the configurations that together leave the fewest past tasks badly served.

    Next is the configuration with the largest expected improvement over those before it, averaged over past tasks. The
    same list for every task: the bar for everything that adapts.

    See Also:
        `AdaptivePortfolio`, `Defaults`.

    Example:
        >>> from autometa.families import cash_space
        >>> from autometa.store import MetaStore
        >>> past = MetaStore.with_shipped("no_such_folder/store.db").past(kind="binary", metric="roc_auc")
        >>> portfolio = Portfolio().fit(past, cash_space("binary"))
        >>> len(portfolio.recommend(None, 2))
        2
    """

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Reads the past; the list itself is drawn up as far as it is asked for."""
        return self._learn(PastTable.of(past, space, self.options))

    def _learn(self, table: PastTable) -> Self:
        self._table = table
        self._defaults = Defaults(options=self.options)._learn(table)
        self._greedy = Greedy(_equally(table, table.normalised, self.options))
        self._steps: list[Step] = []
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The first `m` of the list that were not observed yet; the defaults when there is no past."""
        if self._table.m == 0:
            return self._defaults._next(metafeatures, m, observed)
        tried = columns_of(self._table, observed)
        while len(self._steps) < min(m + len(tried), self._table.m):
            step = self._greedy.step()
            assert step is not None  # the list is shorter than the table
            self._steps.append(step)
        left = [step for step in self._steps if step.column not in tried]
        return [self._explain(step) for step in left[: max(m, 0)]]

    def _explain(self, step: Step) -> Recommendation:
        table, column = self._table, step.column
        evidence = evidence_for(table, column, step.share)
        good = int(np.sum(table.normalised[:, column] >= 0.9))
        if step.position == 0:
            reason = f"The best single start: close to the best on {good} of {counted(table.t, 'past task')}."
        else:
            where = listed([e.task for e in evidence])
            reason = (
                f"Covers what {counted(step.position, 'configuration')} before it left open, "
                f"most on {where}; close to the best on {good} of {counted(table.t, 'past task')}."
            )
        return Recommendation(
            dict(table.configs[column]),
            Origin.PORTFOLIO,
            step.expected,
            with_repairs(reason, table, column),
            evidence,
            step.gain,
        )


class NearestTasks(_Timeless):
    """The best configurations of the past tasks whose meta-features are nearest, taking turns.

    See Also:
        `AdaptivePortfolio`, `Neighbour`.

    Example:
        >>> from autometa.families import cash_space
        >>> from autometa.store import MetaStore
        >>> past = MetaStore.with_shipped("no_such_folder/store.db").past(kind="binary", metric="roc_auc")
        >>> nearest = NearestTasks(k=5).fit(past, cash_space("binary"))
        >>> len(nearest.recommend(None, 2))
        2
    """

    def __init__(self, k: int = 10, *, options: TransferOptions = OPTIONS) -> None:
        """The best configurations of `k` past tasks are recommended."""
        super().__init__(options=options)
        self.k = k

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Reads the past and its meta-features."""
        self._table = PastTable.of(past, space, self.options)
        self._similarity = similarity_of(past, self._table, self.options)
        self._portfolio = Portfolio(options=self.options)._learn(self._table)
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The best of the nearest task, of the second nearest, ..., then their seconds; without any, the portfolio."""
        table = self._table
        seen = self._similarity.to(metafeatures) if table.m else None
        if seen is None or seen.strange:
            why = "No past task resembles this one, so: " if seen is not None else "No meta-features to compare, so: "
            others = self._portfolio._next(metafeatures, m, observed)
            return [replace(r, reason=preceded(why, r.reason)) for r in others] if table.m else others
        tried = set(columns_of(table, observed))
        nearest = [i for i in np.argsort(seen.distances, kind="stable")[: self.k] if np.isfinite(seen.distances[i])]
        orders = [
            np.argsort(-np.where(np.isnan(table.scores[i]), -np.inf, table.scores[i]), kind="stable") for i in nearest
        ]
        chosen: list[Recommendation] = []
        for position in range(table.m):
            for i, order in zip(nearest, orders, strict=True):
                column = int(order[position])
                if len(chosen) >= m:
                    return chosen
                if column not in tried and np.isfinite(table.scores[i, column]):
                    tried.add(column)
                    chosen.append(self._explain(column, int(i), seen))
        return chosen

    def _explain(self, column: int, task: int, seen: Resemblance) -> Recommendation:
        table = self._table
        share = np.zeros(table.t)
        share[task] = 1.0
        evidence = evidence_for(table, column, share, seen)
        reason = f"{ordinal(evidence[0])} on {evidence[0].task}, {likeness_words(evidence[0])}."
        expected = float(seen.similarity @ table.normalised[:, column] / max(seen.similarity.sum(), 1e-300))
        return Recommendation(
            dict(table.configs[column]), Origin.SIMILAR, expected, with_repairs(reason, table, column), evidence
        )


class LearnedRanker(_Timeless):
    """The greedy portfolio over past tasks, moved by what the learned ranker predicts of this one.

    Results change nothing. It also predicts configurations that no past task has tried (`expected`).

    See Also:
        `AdaptivePortfolio`.

    Example:
        >>> from autometa.families import cash_space
        >>> from autometa.store import MetaStore
        >>> past = MetaStore.with_shipped("no_such_folder/store.db").past(kind="binary", metric="roc_auc")
        >>> ranker = LearnedRanker().fit(past, cash_space("binary"))
        >>> len(ranker.recommend(None, 2))
        2
    """

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Learns from meta-features which configurations score high."""
        self._table = table = PastTable.of(past, space, self.options)
        self._similarity = similarity_of(past, table, self.options)
        self._portfolio = Portfolio(options=self.options)._learn(table)
        self._ranker = ranker_of(table, self._similarity)
        return self

    def _next(self, metafeatures: MetaFeatures | None, m: int, observed: Observed) -> list[Recommendation]:
        """The next `m`; those of the static portfolio where meta-features cannot be compared."""
        table, seen = self._table, self._similarity.to(metafeatures)
        if self._ranker is None or seen is None or seen.strange:
            others = self._portfolio._next(metafeatures, m, observed)
            if not table.m:
                return others
            strange = seen is not None and seen.strange
            why = "No past task resembles this one, so: " if strange else "No meta-features to compare, so: "
            return [replace(r, reason=preceded(why, r.reason)) for r in others]
        moved = np.clip(table.normalised + self._ranker.predict(seen.ranks) - self._ranker.predicted, 0.0, 1.0)
        greedy = Greedy(_equally(table, moved, self.options))
        for column in columns_of(table, observed):
            greedy.take(column)
        chosen: list[Recommendation] = []
        while len(chosen) < m and (step := greedy.step()) is not None:
            evidence = evidence_for(table, step.column, step.share, seen)
            reason = (
                f"Normalised score {step.expected:.2f} predicted from the meta-features, "
                f"{step.expected - table.normalised[:, step.column].mean():+.2f} to its mean over past tasks."
            )
            reason = with_repairs(reason, table, step.column)
            config = dict(table.configs[step.column])
            chosen.append(Recommendation(config, Origin.SIMILAR, step.expected, reason, evidence, step.gain))
        return chosen

    def expected(self, metafeatures: MetaFeatures | None, configs: Sequence[Config]) -> NDArray[np.float64]:  # (m,)
        """The normalised score predicted for any configurations; the past's mean where nothing is known of the task."""
        table, seen = self._table, self._similarity.to(metafeatures)
        if not table.m:
            return np.full(len(configs), np.nan)
        known = seen is not None and self._ranker is not None
        forecast = self._ranker.predict(seen.ranks) if known else table.normalised.mean(axis=0)  # type: ignore[union-attr]
        return np.clip(carry_over(forecast, table.configs, configs, table.space, self.options), 0.0, 1.0)


def similarity_of(past: PastTasks, table: PastTable, options: TransferOptions = OPTIONS) -> Similarity:
    """How past tasks resemble each other and a new one, by the meta-features that the past has."""
    names = tuple(past.metafeature_names) if table.metafeatures.shape[1] else ()
    return Similarity(table.metafeatures, names, getattr(past, "metafeature_version", ""), options)


def ranker_of(table: PastTable, similarity: Similarity) -> Ranker | None:
    """The ranker that the past teaches; None where there are no meta-features to learn from, or too few tasks."""
    options = similarity.options
    if not table.m or not similarity.names or table.t < options.ranker_tasks:
        return None
    return Ranker(similarity.ranks, table.normalised, options)


def _equally(table: PastTable, normalised: NDArray[np.float64], options: TransferOptions) -> TaskMixture:
    """All past tasks with the same weight."""
    return TaskMixture(np.full(table.t, 1 / max(table.t, 1)), normalised, table.spread, table.t, options=options)


def columns_of(table: PastTable, observed: Observed) -> dict[int, float]:
    """Observed scores by column, in the order of observation; the last result of a configuration counts."""
    found = ((table.column(config), score) for config, score, *_ in observed)
    return {column: float(score) for column, score in found if column is not None}
