"""The recommenders, and the greedy step that two of them share.

Letters:  t past tasks · m configurations · k observed results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from autometa.recommend.cost import Cost
from autometa.recommend.memory import Memory
from autometa.recommend.similarity import Resemblance, Similarity
from autometa.space import FAMILY, Config, SearchSpace, config_key

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks

Origin = Literal["default", "portfolio", "similar"]
Observed = Sequence[tuple[Config, float]]

NOISE = 0.03  # of a past standing as a forecast; without it the greedy sees no gain any more once every task is covered
# The next three by `benchmarks/recommend.py --tune`: regret after 3, 5 and 10 trials on the validation half of Oboe.
# They are forgiving: regret after 5 is .059 to .065 anywhere in the grid, that of the static portfolio .066.
AGREEMENT = 0.5  # how far standings of like tasks differ
SCALES = np.exp(np.linspace(-1.5, 1.5, 7))  # stretches of the observed results that are integrated over
MISTRUST = 0.2  # share of the weight that no result can take from a past task
FLOOR = 0.5  # share of the weight that is independent of meta-features
SAFE_BY = 3  # one default is among the first three


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a configuration did on one past task."""

    task: str
    similarity: float  # in [0, 1]; share of the weight where there are no meta-features to compare
    agrees: tuple[str, ...]  # the meta-features in which the two tasks agree most
    score: float  # in the metric's unit, larger is better; NaN if it was not evaluated there
    standing: float  # in [0, 1], 1 = the best configuration there; estimated where the score is NaN
    rank: int  # 1 = the best of `of`; 0 where it was not evaluated
    of: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A configuration to try, and why."""

    config: Config
    origin: Origin
    expected: float | None  # expected standing: 0 = among the worst tenth of configurations, 1 = the best one known
    reason: str
    evidence: tuple[Evidence, ...] = ()
    gain: float | None = None  # expected improvement of the standing over everything recommended or observed before
    seconds: float | None = None  # expected cost; None where the past says nothing


class Defaults:
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

    def recommend(
        self, metafeatures: MetaFeatures | None, m: int, *, observed: Observed = (), seconds: float | None = None
    ) -> list[Recommendation]:
        """The first `m` defaults that were not observed yet; fewer when there are fewer."""
        tried = {config_key(config) for config, _ in observed}
        left = [entry for entry in self._ordered if config_key(entry[0]) not in tried]
        return [self._explain(*entry) for entry in left[: max(m, 0)]]

    def _explain(self, config: Config, column: int | None, rank: float | None) -> Recommendation:
        name = f"The default of {config[FAMILY]}" if FAMILY in config else "The default of every parameter"
        if column is None or rank is None:
            return Recommendation(dict(config), "default", None, f"{name}; no past task knows it.")
        where = _count(self._memory.t, "past task")
        reason = f"{name}: mean rank {rank:.1f} among {len(self._ordered)} defaults on {where}."
        return Recommendation(dict(config), "default", float(self._memory.standing[:, column].mean()), reason)


class Portfolio:
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
        self._greedy = _Greedy(memory, np.full(memory.t, 1 / max(memory.t, 1)))
        self._steps: list[_Step] = []
        return self

    def recommend(
        self, metafeatures: MetaFeatures | None, m: int, *, observed: Observed = (), seconds: float | None = None
    ) -> list[Recommendation]:
        """The first `m` of the list that were not observed yet; the defaults when there is no past."""
        if self._memory.m == 0:
            return self._defaults.recommend(metafeatures, m, observed=observed)
        tried = _columns(self._memory, observed)
        while len(self._steps) < min(m + len(tried), self._memory.m):
            step = self._greedy.step()
            assert step is not None  # the list is shorter than the memory
            self._steps.append(step)
        left = [step for step in self._steps if step.column not in tried]
        return [self._explain(step) for step in left[: max(m, 0)]]

    def _explain(self, step: _Step) -> Recommendation:
        memory, column = self._memory, step.column
        evidence = _evidence(memory, column, step.share)
        good = int(np.sum(memory.standing[:, column] >= 0.9))
        if step.place == 0:
            reason = f"The best single start: close to the best on {good} of {_count(memory.t, 'past task')}."
        else:
            where = _names([e.task for e in evidence])
            reason = (
                f"Covers what {_count(step.place, 'configuration')} before it left open, "
                f"most on {where}; close to the best on {good} of {_count(memory.t, 'past task')}."
            )
        return Recommendation(
            dict(memory.configs[column]),
            "portfolio",
            step.expected,
            _with_repairs(reason, memory, column),
            evidence,
            step.gain,
        )


class NearestTasks:
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

    def recommend(
        self, metafeatures: MetaFeatures | None, m: int, *, observed: Observed = (), seconds: float | None = None
    ) -> list[Recommendation]:
        """The best of the nearest task, of the second nearest, ..., then their seconds; without any, the portfolio."""
        memory = self._memory
        seen = self._similarity.to(metafeatures) if memory.m else None
        if seen is None or seen.strange:
            why = "No past task resembles this one, so: " if seen is not None else "No meta-features to compare, so: "
            others = self._portfolio.recommend(metafeatures, m, observed=observed)
            return [replace(r, reason=_after(why, r.reason)) for r in others] if memory.m else others
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
        evidence = _evidence(memory, column, share, seen)
        reason = f"{_ordinal(evidence[0])} on {evidence[0].task}, {_likeness(evidence[0])}."
        expected = float(seen.similarity @ memory.standing[:, column] / max(seen.similarity.sum(), 1e-300))
        return Recommendation(
            dict(memory.configs[column]), "similar", expected, _with_repairs(reason, memory, column), evidence
        )


class AdaptivePortfolio:
    """The greedy portfolio with a weight for every past task: how much it resembles this one and agrees with it.

    Before any result the weights come from meta-features, with a floor, so that every past task keeps some say. Each
    result then multiplies them by how likely it is if this task's scores are that task's standings, shifted and
    stretched: the shift is integrated out, the stretch summed over a grid, so neither the metric's unit nor the best
    score need be known. With a budget in seconds the gain is divided by the expected cost. One default is among the
    first three.
    """

    def __init__(
        self,
        *,
        floor: float = FLOOR,
        agreement: float = AGREEMENT,
        mistrust: float = MISTRUST,
        safe: bool = True,
    ) -> None:
        """`floor` and `mistrust` are shares in [0, 1]; `agreement` is a standard deviation of standings."""
        self.floor, self.agreement, self.mistrust, self.safe = floor, agreement, mistrust, safe

    def fit(self, past: PastTasks, space: SearchSpace) -> Self:
        """Reads the past, its meta-features and its costs."""
        self._memory = memory = Memory.of(past, space)
        self._similarity = _similarity(past, memory)
        sizes = np.array([[record.n_rows, record.n_columns] for record in memory.records], dtype=float).reshape(-1, 2)
        self._cost = Cost(memory.seconds, sizes)
        self._defaults = Defaults()._learn(memory)
        return self

    def recommend(
        self, metafeatures: MetaFeatures | None, m: int, *, observed: Observed = (), seconds: float | None = None
    ) -> list[Recommendation]:
        """The next `m` configurations.

        Args:
            metafeatures: Of the new task, if known.
            m: How many. Fewer come back when the past knows fewer, or `seconds` allow fewer.
            observed: Configurations tried so far with their scores, larger is better; NaN is still running or unknown,
                -inf failed. Those that the past does not know are skipped.
            seconds: What is left to spend on the recommendations.
        """
        memory = self._memory
        if memory.m == 0:
            return self._defaults.recommend(metafeatures, m, observed=observed)
        seen = self._similarity.to(metafeatures)
        believed = seen if seen is not None and not seen.strange else None
        tried = _columns(memory, observed)
        weights, agreeing = self._weights(believed, tried)
        cost = self._cost.of(metafeatures) if self._cost.known else None
        greedy = _Greedy(memory, weights, cost=cost, seconds=seconds)
        for column, score in tried.items():
            greedy.take(column, covers=not np.isneginf(score))

        default_keys = {config_key(config) for config in memory.defaults}
        had_default = any(config_key(config) in default_keys for config, _ in observed)
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
            recommendation = self._explain(step, believed, agreeing, safe)
            if seen is not None and seen.strange:
                why = "No past task resembles this one, so the portfolio: "
                recommendation = replace(recommendation, reason=_after(why, recommendation.reason))
            expected_seconds = None if cost is None else float(cost[step.column])
            chosen.append(replace(recommendation, seconds=expected_seconds))
        return chosen

    def weights(self, metafeatures: MetaFeatures | None, observed: Observed = ()) -> dict[str, float]:
        """The say of every past task, by fingerprint; sums to one."""
        seen = self._similarity.to(metafeatures)
        believed = seen if seen is not None and not seen.strange else None
        weights, _ = self._weights(believed, _columns(self._memory, observed))
        return {record.fingerprint: float(w) for record, w in zip(self._memory.records, weights, strict=True)}

    def _known_defaults(self) -> list[int]:
        columns = (self._memory.column(config) for config in self._memory.defaults)
        return [column for column in columns if column is not None]

    def _weights(self, seen: Resemblance | None, tried: dict[int, float]) -> tuple[NDArray[np.float64], int]:
        """The say of each past task (t,), and how many results had a part in it."""
        t = self._memory.t
        weights = np.full(t, 1 / t)
        if seen is not None:
            weights = self.floor * weights + (1 - self.floor) * seen.similarity / seen.similarity.sum()
        finite = {column: score for column, score in tried.items() if np.isfinite(score)}
        if len(finite) < 2:
            return weights, 0
        likelihood = agreement(
            self._memory.standing[:, list(finite)], np.array(list(finite.values())), spread=self.agreement
        )
        weights = weights * likelihood
        return (1 - self.mistrust) * weights / weights.sum() + self.mistrust / t, len(finite)

    def _explain(self, step: _Step, seen: Resemblance | None, agreeing: int, safe: bool) -> Recommendation:
        memory, column = self._memory, step.column
        evidence = _evidence(memory, column, step.share, seen)
        config = dict(memory.configs[column])
        origin: Origin = "default" if safe else "similar" if seen is not None or agreeing else "portfolio"
        first = evidence[0]
        if safe:
            name = config.get(FAMILY, "every parameter")
            reason = f"A safe start: the default of {name}, expected to stand at {step.expected:.2f} of the best known."
        elif agreeing:
            reason = (
                f"{_ordinal(first)} on {first.task}, where the configurations tried here stand in a similar order "
                f"({_count(agreeing, 'result')})"
                + (f"; {_likeness(first)}." if seen is not None and first.agrees else ".")
            )
        elif seen is not None:
            also = f"; also on {_names([e.task for e in evidence[1:]])}" if len(evidence) > 1 else ""
            reason = f"{_ordinal(first)} on {first.task}, {_likeness(first)}{also}."
        else:
            good = int(np.sum(memory.standing[:, column] >= 0.9))
            where = _names([e.task for e in evidence])
            reason = f"Close to the best on {good} of {_count(memory.t, 'past task')}, most gained on {where}."
        return Recommendation(config, origin, step.expected, _with_repairs(reason, memory, column), evidence, step.gain)


def agreement(
    standing: NDArray[np.float64],  # (t, k) of the observed configurations on past tasks
    scores: NDArray[np.float64],  # (k,) observed, in any unit, larger is better
    *,
    spread: float,
) -> NDArray[np.float64]:  # (t,) largest is 1
    """How likely the results are if this task is like each past one, up to a shift and a stretch of the scores.

    ``scores = a + b standing + noise`` with standard deviation `spread` in units of standing; `a` is integrated out,
    `b` summed over a grid around the ratio of the two spreads.

    Example:
        >>> past = np.array([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]])
        >>> agreement(past, np.array([10.0, 20.0, 30.0]), spread=0.3).round(3)
        array([1.   , 0.001])
    """
    k = len(scores)
    past = standing - standing.mean(axis=1, keepdims=True)  # (t, k)
    new = scores - scores.mean()
    if new.std() < 1e-12 * max(1.0, float(np.abs(scores).max())):
        new = np.zeros(k)  # all the same: tasks that tell these configurations apart become less likely
    else:
        new = new / new.std() * (np.sqrt((past**2).mean()) + 1e-3)
    log = np.stack(
        [-0.5 * ((stretch * new - past) ** 2).sum(axis=1) / spread**2 + (k - 1) * np.log(stretch) for stretch in SCALES]
    )  # (scales, t)
    total = np.logaddexp.reduce(log, axis=0)
    return np.exp(total - total.max())


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One choice of the greedy."""

    place: int  # how many were taken before
    column: int
    gain: float
    expected: float
    share: NDArray[np.float64]  # (t,) part of each past task in the gain, largest first in the explanation


class _Greedy:
    """Takes the configuration with the largest weighted improvement over those taken, again and again."""

    def __init__(
        self,
        memory: Memory,
        weights: NDArray[np.float64],  # (t,)
        *,
        cost: NDArray[np.float64] | None = None,  # (m,) seconds
        seconds: float | None = None,
    ) -> None:
        self._memory, self._weights, self._cost, self._left = memory, weights, cost, seconds
        self._covered = np.zeros(memory.t)
        self._taken = np.zeros(memory.m, dtype=bool)
        self._expected = weights @ memory.standing if memory.m else np.zeros(0)

    def take(self, column: int, *, covers: bool = True) -> None:
        """Counts a configuration as tried; it `covers` past tasks unless it failed here."""
        self._taken[column] = True
        if covers:
            self._covered = np.maximum(self._covered, self._memory.standing[:, column])

    def step(self, among: Sequence[int] | None = None) -> _Step | None:
        """The next configuration; None when all are taken, or all that are left take longer than there is time."""
        allowed = ~self._taken
        if among is not None:
            allowed &= np.isin(np.arange(self._memory.m), np.asarray(among, dtype=int))
        cost, left = self._cost, self._left
        if cost is not None and left is not None:
            fitting = allowed & (cost <= left)
            # When nothing fits into the time and nothing was tried yet, what promises most for its time has to run.
            allowed = fitting if fitting.any() or self._taken.any() else allowed
        if not allowed.any():
            return None
        gains = self._weights @ _softened(self._memory.standing - self._covered[:, None])  # (m,)
        # Gain per second: on Oboe, in the time of one mean trial, regret .07; per root second .08, blind to cost .95.
        value = gains if cost is None or left is None else gains / cost
        column = int(np.argmax(np.where(allowed, value, -np.inf)))
        share = self._weights * _softened(self._memory.standing[:, column] - self._covered)
        if cost is not None and left is not None:
            self._left = left - float(cost[column])
        step = _Step(int(self._taken.sum()), column, float(share.sum()), float(self._expected[column]), share)
        self.take(column)
        return step


def _softened(improvement: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected positive part of a noisy improvement, by its close relative, the soft plus."""
    width = 0.6 * NOISE  # makes the two agree at zero to 5 %
    return width * np.logaddexp(0.0, improvement / width)


def _similarity(past: PastTasks, memory: Memory) -> Similarity:
    names = tuple(past.metafeature_names) if memory.metafeatures.shape[1] else ()
    return Similarity(memory.metafeatures, names, getattr(past, "metafeature_version", ""))


def _columns(memory: Memory, observed: Observed) -> dict[int, float]:
    """Observed scores by column, in the order of observation; the last result of a configuration counts."""
    found = ((memory.column(config), score) for config, score in observed)
    return {column: float(score) for column, score in found if column is not None}


def _evidence(
    memory: Memory, column: int, share: NDArray[np.float64], seen: Resemblance | None = None, k: int = 3
) -> tuple[Evidence, ...]:
    """The past tasks that had the largest part in a choice."""
    order = [int(i) for i in np.argsort(-share, kind="stable")[:k] if share[i] > 0]
    total = max(float(share.sum()), 1e-300)
    out = []
    for i in order:
        score = float(memory.scores[i, column])
        rank, of = memory.rank(i, column) if not np.isnan(score) else (0, int(np.sum(~np.isnan(memory.scores[i]))))
        likeness = float(seen.similarity[i]) if seen is not None else float(share[i]) / total
        agrees = seen.agrees(i) if seen is not None else ()
        out.append(
            Evidence(memory.records[i].name, likeness, agrees, score, float(memory.standing[i, column]), rank, of)
        )
    return tuple(out)


def _ordinal(evidence: Evidence) -> str:
    if evidence.rank == 1:
        return f"The best of {evidence.of} configurations"
    if evidence.rank:
        return f"Number {evidence.rank} of {evidence.of} configurations"
    return f"Expected to stand at {evidence.standing:.2f} of the best"


def _likeness(evidence: Evidence) -> str:
    alike = (
        f" (much alike in {_names([name.replace('_', ' ') for name in evidence.agrees])})" if evidence.agrees else ""
    )
    return f"similarity {evidence.similarity:.2f}{alike}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else "none"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _after(why: str, reason: str) -> str:
    return why + reason[:1].lower() + reason[1:]


def _with_repairs(reason: str, memory: Memory, column: int) -> str:
    changes = memory.repairs[column]
    return f"{reason} Fitted to this space: {'; '.join(changes)}." if changes else reason


RECOMMENDERS: dict[str, Callable[[], Defaults | Portfolio | NearestTasks | AdaptivePortfolio]] = {
    "defaults": Defaults,
    "portfolio": Portfolio,
    "nearest": NearestTasks,
    "adaptive": AdaptivePortfolio,
}
