"""Which configurations to try first: the portfolio of past tasks, as if they were this one.

Letters:  t past tasks · m configurations · k observed results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from autometa.origins import Origin
from autometa.space import SearchSpace
from autometa.transfer.baselines import (
    Defaults,
    LearnedRanker,
    NearestTasks,
    Observed,
    Portfolio,
    columns_of,
    ranker_of,
    similarity_of,
)
from autometa.transfer.cost import Cost
from autometa.transfer.greedy import Greedy, Step, TaskMixture
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.past import PastTable
from autometa.transfer.past_studies import PastStudies
from autometa.transfer.posterior import condition, covariance
from autometa.transfer.ranker import Ranker
from autometa.transfer.reasons import (
    Explanation,
    Neighbour,
    Recommendation,
    counted,
    evidence_for,
    likeness_words,
    listed,
    ordinal,
    preceded,
    study_words,
    weighted_quantiles,
    with_repairs,
)
from autometa.transfer.similarity import Resemblance, prior_weights, rows_of
from autometa.transfer.threads import one_thread

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks
    from autometa.transfer.cost import TrialLimit


class AdaptivePortfolio:
    """The greedy portfolio over what the past tasks would be if they were this one.

    Before any result every past task is moved by what the learned ranker says about the difference between it and this
    one, if that helped on the past tasks themselves, and weighted by its size and by resemblance (`prior_weights`).
    Results then change the weights and move the tasks again (`posterior`), in all but a share of the mixture. With a
    budget in seconds the gain is divided by the expected share of time and places.

    With meta-features that say nothing, past tasks of one size and no results it is the static portfolio, configuration
    for configuration. Without a past it recommends the space's defaults.

    See Also:
        `Guard`, which goes on; `Portfolio`, `Recommendation`.

    Example:
        >>> from autometa.space import real
        >>> from autometa.store import PastTasks, TaskRecord
        >>> records = tuple(TaskRecord(f"{i}", f"task {i}", "binary", "roc_auc", 100, 5, 2) for i in range(3))
        >>> configs = ({"x": 0.1}, {"x": 0.5}, {"x": 0.9})
        >>> scores = np.array([[0.7, 0.9, 0.8], [0.6, 0.8, 0.9], [0.5, 0.9, 0.6]])
        >>> past = PastTasks(records, configs, scores, np.full((3, 3), np.nan), np.zeros((3, 0)), (), "1")
        >>> adaptive = AdaptivePortfolio().fit(past, SearchSpace.of(x=real(0.0, 1.0, 0.5)))
        >>> [(found.config, found.origin.value) for found in adaptive.recommend(None, 2)]
        [({'x': 0.5}, 'portfolio'), ({'x': 0.9}, 'portfolio')]
    """

    def __init__(self, *, options: TransferOptions = OPTIONS) -> None:
        """`options` are the tuned numbers; the product uses `OPTIONS`."""
        self.options = options

    @one_thread()
    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Reads the past, its meta-features and its costs."""
        self._table = table = PastTable.of(past, space, self.options)
        if isinstance(past, PastStudies):  # their spread is in the table already
            noise = self.options.study_forecast_noise
            self.options = replace(self.options, optimism=0.0, forecast_noise=noise)
        self._similarity = similarity_of(past, table, self.options)
        self._cost = Cost.learned(table.records, table.configs, table.seconds, self.options)
        self._defaults = Defaults(options=self.options)._learn(table)
        self._sizes = np.array([record.n_rows for record in table.records], dtype=float)
        self._kernel = np.zeros((0, 0))
        if table.m:
            kernel = covariance(table.normalised, table.spread, self.options.shrinkage)
            self._kernel = self.options.bandwidth * kernel
        ranker = ranker_of(table, self._similarity)
        self._ranker = ranker if ranker is not None and _helps(ranker, table) else None
        return self

    @one_thread()
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
                -inf failed; and the seconds that they take, where known. Those that no past task evaluated are skipped.
            seconds: What is left to spend on the recommendations.
            limit: What one of them may take, where that is less.
        """
        table = self._table
        if table.m == 0:
            return self._defaults.recommend(metafeatures, m, observed=observed)
        seen = self._similarity.to(metafeatures)
        tried = columns_of(table, observed)
        mixture = self._mixture(metafeatures, seen, tried)
        expected = cost = self._cost.of(metafeatures, _took(table, observed)) if self._cost.known else None
        if cost is not None and limit is not None:
            cost = limit.costs(cost, self._cost.families)
        greedy = Greedy(mixture, cost=cost, seconds=seconds, slots=m)
        for column, score in tried.items():
            greedy.take(column, covers=not np.isneginf(score))

        default = self._best_default(mixture)
        chosen: list[Recommendation] = []
        while len(chosen) < m and (step := greedy.step()) is not None:
            takes = None if cost is None or expected is None else float(min(cost[step.column], expected[step.column]))
            chosen.append(self._judged(self._explain(step, seen, mixture.results), step, mixture, default, takes))
        return chosen

    def _judged(
        self, found: Recommendation, step: Step, mixture: TaskMixture, default: int | None, seconds: float | None
    ) -> Recommendation:
        """The recommendation with its interval, its odds against the best default, its cost and its usual score."""
        low, high = mixture.interval(step.column)
        over = None if default is None or default == step.column else mixture.better(step.column, default)
        weights = mixture.by_task(mixture.weights)
        quantiles = weighted_quantiles(self._table.scores[:, step.column], weights, (0.1, 0.5, 0.9))
        return replace(
            found,
            seconds=seconds,
            low=low,
            high=high,
            over_default=over,
            score_low=quantiles[0],
            score=quantiles[1],
            score_high=quantiles[2],
        )

    def explain(self, metafeatures: MetaFeatures | None, *, observed: Observed = (), k: int = 5) -> Explanation:
        """What the recommendations for this task rest on: its `k` nearest past tasks, and what a default would do."""
        table, seen = self._table, self._similarity.to(metafeatures)
        if not table.m:
            return Explanation(table.t, 0, "There are no past tasks of this kind.")
        strange = seen is not None and seen.strange
        abstains = (
            "The meta-features cannot be compared with those of past tasks."
            if seen is None
            else "No past task resembles this one: even the nearest is further away than past tasks usually are, "
            "and those of its size count most."
            if strange
            else ""
        )
        mixture = self._mixture(metafeatures, seen, columns_of(table, observed))
        weights = mixture.by_task(mixture.weights)
        neighbours = []
        if seen is not None:
            order = [int(i) for i in np.argsort(seen.distances, kind="stable")[:k] if np.isfinite(seen.distances[i])]
            neighbours = [
                Neighbour(
                    table.records[i].name,
                    float(seen.distances[i]),
                    float(seen.similarity[i]),
                    seen.agrees(i),
                    seen.differs(i),
                    float(weights[i]),
                )
                for i in order
            ]
        column = self._best_default(mixture)
        low, high = (None, None) if column is None else mixture.interval(column)
        return Explanation(
            tasks=table.t,
            configurations=table.m,
            abstains=abstains,
            usual_distance=float(self._similarity.unit) if np.isfinite(self._similarity.unit) else None,
            moved=not abstains and self._ranker is not None,
            neighbours=tuple(neighbours),
            default=None if column is None else dict(table.configs[column]),
            default_expected=None if column is None else mixture.expected(column),
            default_low=low,
            default_high=high,
        )

    def weights(self, metafeatures: MetaFeatures | None, observed: Observed = ()) -> dict[str, float]:
        """The weight of every past task, by fingerprint; they sum to one."""
        seen = self._similarity.to(metafeatures)
        mixture = self._mixture(metafeatures, seen, columns_of(self._table, observed))
        weights = mixture.by_task(mixture.weights)
        return {record.fingerprint: float(w) for record, w in zip(self._table.records, weights, strict=True)}

    def _best_default(self, mixture: TaskMixture) -> int | None:
        """The column of the default that is expected to be best; None where the past knows none."""
        columns = (self._table.column(config) for config in self._table.defaults)
        known = [column for column in columns if column is not None]
        return max(known, key=mixture.expected) if known else None

    def _mixture(
        self, metafeatures: MetaFeatures | None, seen: Resemblance | None, tried: dict[int, float]
    ) -> TaskMixture:
        """What the normalised scores of this task may be: past tasks, weighted and moved."""
        table, options = self._table, self.options
        rows, same = (np.nan, None) if seen is None else (rows_of(metafeatures), seen.same_space)
        if seen is not None and seen.strange:
            seen = None
        weights, means = prior_weights(self._sizes, rows, seen, options, same), table.normalised
        if seen is not None and self._ranker is not None:
            means = np.clip(means + self._ranker.predict(seen.ranks) - self._ranker.predicted, 0.0, 1.0)
        results = {column: score for column, score in tried.items() if not np.isnan(score)}
        finite = sum(np.isfinite(score) for score in results.values())
        if finite < 2:
            return TaskMixture(weights, means, table.spread, table.t, options=options)
        columns, scores = np.array(list(results)), np.array(list(results.values()))
        after = condition(weights, means, table.spread, self._kernel, columns, scores, options=options)
        return TaskMixture(
            np.concatenate([options.unmoved_share * weights, (1 - options.unmoved_share) * after.weights]),
            np.vstack([means, after.means]),
            np.vstack([table.spread, np.hypot(table.spread, after.spread)]),
            table.t,
            int(finite),
            options,
        )

    def _explain(self, step: Step, seen: Resemblance | None, results: int) -> Recommendation:
        """The step as a recommendation, with its reason; `results` of this task had a part in it."""
        table, column = self._table, step.column
        strange = seen is not None and seen.strange
        alike = None if strange else seen
        evidence = evidence_for(table, column, step.share, alike)
        origin = Origin.SIMILAR if alike is not None or results else Origin.PORTFOLIO
        first = evidence[0]
        if results:
            reason = (
                f"{ordinal(first)} on {first.task}, where the configurations tried here stand in a similar order "
                f"({counted(results, 'result')})"
                + (f"; {likeness_words(first)}." if alike is not None and first.agrees else ".")
            )
        elif alike is not None:
            also = f"; also on {listed([e.task for e in evidence[1:]])}" if len(evidence) > 1 else ""
            reason = f"{ordinal(first)} on {first.task}, {likeness_words(first)}{also}."
        elif table.tried is not None:
            reason = study_words(table, column)
        else:
            good = int(np.sum(table.normalised[:, column] >= 0.9))
            where = listed([e.task for e in evidence])
            reason = f"Close to the best on {good} of {counted(table.t, 'past task')}, most gained on {where}."
        reason = with_repairs(reason, table, column)
        if strange:
            reason = preceded("No past task resembles this one, so the portfolio: ", reason)
        config = dict(table.configs[column])
        return Recommendation(config, origin, step.expected, reason, evidence, step.gain)


def _helps(ranker: Ranker, table: PastTable) -> bool:
    """Whether moving past tasks towards the ranker's forecast would have given past tasks a better first trial.

    Each is given the configuration that would have been first with all others moved, and unmoved. Meta-features that
    tell nothing leave the portfolio as it is.
    """
    t = table.t
    measured = ~np.isnan(table.scores)
    others = (table.normalised.sum(axis=0) - table.normalised) / max(t - 1, 1)
    usual = (ranker.predicted.sum(axis=0) - ranker.predicted) / max(t - 1, 1)
    got = []
    for forecasts in (others, others + ranker.predicted - usual):
        first = np.argmax(np.where(measured, forecasts, -np.inf), axis=1)
        got.append(table.normalised[np.arange(t), first].mean())
    return bool(got[1] > got[0])


def _took(table: PastTable, observed: Observed) -> dict[int, float]:
    """Observed seconds by column, of those that were timed."""
    found = ((table.column(config), seconds[0]) for config, _, *seconds in observed if seconds)
    return {column: took for column, took in found if column is not None and took > 0}


RECOMMENDERS: dict[str, Callable[[], Defaults | Portfolio | NearestTasks | LearnedRanker | AdaptivePortfolio]] = {
    "defaults": Defaults,
    "portfolio": Portfolio,
    "nearest": NearestTasks,
    "ranker": LearnedRanker,
    "adaptive": AdaptivePortfolio,
}
