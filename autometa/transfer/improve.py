"""The guarded mixture: whom to believe on this task, what to try next, and when to leave it to the cold sampler.

Three experts forecast the score of any configuration: the meta-learned surrogate, the past tasks themselves, and a
cold Gaussian process that knows of no past. The weight of each is its prior times its evidence on this task's own
results, so that transfer which misleads loses its say by its own mistakes. The next configuration has the largest
expected improvement, averaged over the experts, per expected share of the time when it is short.

Letters:  m evaluations · q candidates · d encoded dimensions · t past tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.space import FAMILY, Config, Encoded, SearchSpace
from autometa.transfer.experts import Expert, Observed, Opinion, chance_of_failure, cold, expected_log_seconds, joined
from autometa.transfer.forecasts import RESTS, PastProcess, PastTable
from autometa.transfer.gaussian import Mixture
from autometa.transfer.kernels import Layout
from autometa.transfer.observation import History, thinned

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks
    from autometa.transfer.cost import TrialLimit
    from autometa.transfer.meta.surrogate import Surrogate

# Before any result. Beside a surrogate the past tasks have no say: on validation tasks of Oboe, regret at 10 was .021
# with them as equals, .014 without, and an answer took 40 % longer.
WITH_SURROGATE, WITHOUT = {"transfer": 0.9, "cold": 0.1}, {"past": 0.8, "cold": 0.2}
TEMPER = 1.0  # exponent of the evidence
# When the past misleads, the cold expert plays on itself: handing over to TPE at a weight of .95 cost regret on alien
# validation tasks (Oboe, flipped, at 25: .113 against .042; TPE from the start .302). So the hand-over is for long
# searches only, where a Gaussian process becomes slow.
HAND_OVER = 2.0  # weight of the cold expert from which on, after twelve results, the cold sampler takes over
HAND_OVER_AT = 12
ENOUGH = 300  # finished trials after which the cold sampler takes over in any case
CANDIDATES, NEIGHBOURS, ROUNDS = 256, 64, 2
# Under a time budget a trial costs its share of the time that is left, and one of so many places. With 1, 5, 10, 20, 40
# and 100 of them the regret after 15 mean trials' time is .028, .019, .019, .018, .020, .023 (benchmarks/costs.py).
PLACES = 20
SWITCH = 1 / 6  # of the neighbours change a category
NAMES = {"transfer": "the meta-learned surrogate", "past": "past tasks", "cold": "this task's own results"}


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """What to try next, and why."""

    config: Config
    reason: str
    weights: dict[str, float]  # of the experts, sum to one
    cold: bool  # the user's cold sampler should choose this one instead
    expected: float  # expected improvement, in warped units
    row: int | None = None  # which of `among`, where that was given


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the mixture expects of some configurations, in the warped scale: 1 is the best so far, 0 the median."""

    mean: NDArray[np.float64]  # (q,)
    std: NDArray[np.float64]  # (q,)
    better: NDArray[np.float64]  # (q,) probability of beating the incumbent
    seconds: NDArray[np.float64] | None  # (q,)
    failure: NDArray[np.float64]  # (q,)


class Guard:
    """The experts of one space; asked anew for every trial of every task, it keeps nothing between questions."""

    def __init__(
        self,
        space: SearchSpace,
        past: PastTasks | None = None,
        surrogate: Surrogate | None = None,
        *,
        metafeatures: MetaFeatures | None = None,
        prior: dict[str, float] | None = None,
        temper: float = TEMPER,
        hand_over: float = HAND_OVER,
    ) -> None:
        """Reads the past once.

        `metafeatures` say how large the task is, on which what trials take depends; `prior` names the experts that take
        part with their weights before any result.
        """
        self.space = space
        self.layout = surrogate.layout if surrogate is not None else Layout(space)
        self.surrogate = surrogate
        self.temper, self.hand_over = temper, hand_over
        if prior is None:
            prior = WITHOUT if surrogate is None else WITH_SURROGATE
        self.prior = dict(prior)
        self.experts: dict[str, Expert] = {}
        if surrogate is not None and "transfer" in self.prior:
            self.experts["transfer"] = surrogate.expert
        self.table: PastTable | None = None
        if past is not None and len(past.records):
            table = PastTable(past, self.layout, metafeatures=metafeatures, forecasting="past" in self.prior)
            self.table = table if table.t and table.m else None
            if self.table is not None and "past" in self.prior:
                self.experts["past"] = Expert("past", [PastProcess(table, rest) for rest in RESTS])
        if "cold" in self.prior or not self.experts:
            self.experts["cold"] = cold(self.layout)
            self.prior.setdefault("cold", 1.0)
        self._good = self._good_regions()
        self._grid = self.layout.grid()
        slices = space.slices.values()
        self._choices = [where for where in slices if where.stop - where.start > 1]
        self._numeric = np.ones(space.d, dtype=bool)
        for where in self._choices:
            self._numeric[where] = False

    # ------------------------------------------------------------------ whom to believe

    def weigh(self, history: History) -> dict[str, float]:
        """The weight of every expert after these results; sums to one."""
        return self._ask(Observed(thinned(history, ENOUGH)), None)[0]

    def _ask(
        self, observed: Observed, similarity: NDArray[np.float64] | None
    ) -> tuple[dict[str, float], dict[str, Opinion]]:
        opinions = {}
        for name, expert in self.experts.items():
            log_prior = None
            if name == "past" and similarity is not None and self.table is not None:
                log_prior = np.log(np.maximum(similarity[self.table.rows], 1e-12) / similarity[self.table.rows].sum())
            opinions[name] = expert.adapt(observed, log_prior)
        log = np.array([np.log(self.prior[n]) + self.temper * o.log_evidence for n, o in opinions.items()])
        weight = np.exp(log - log.max())
        return dict(zip(opinions, (weight / weight.sum()).tolist(), strict=True)), opinions

    def _mixture(self, weights: dict[str, float], opinions: dict[str, Opinion], where: Encoded) -> Mixture:
        found = []
        heavy = {name: w for name, w in weights.items() if w > 0.01}
        total = sum(heavy.values())
        for name, weight in heavy.items():
            mixture = opinions[name].predict(where.x, where.mask)
            found.append(Mixture(mixture.weights * weight / total, mixture.mean, mixture.std))
        return joined(found)

    # ------------------------------------------------------------------ what it expects

    def predict(
        self, history: History, configs: Sequence[Config] | Encoded, *, similarity: NDArray[np.float64] | None = None
    ) -> Prediction:
        """Mean, spread and probability of beating the incumbent, for a pruner and for explanations."""
        where = configs if isinstance(configs, Encoded) else self.space.encode_all(configs)
        observed = Observed(thinned(history, ENOUGH))
        weights, opinions = self._ask(observed, similarity)
        mixture = self._mixture(weights, opinions, where)
        mean, std = mixture.moments()
        from scipy.special import ndtr

        better = ndtr((mixture.mean - observed.best) / mixture.std) @ mixture.weights
        log_seconds = self._cost(history, where)
        seconds = None if log_seconds is None else np.exp(log_seconds)
        return Prediction(mean, std, better, seconds, self._failure(history, where))

    # ------------------------------------------------------------------ what to try next

    def suggest(
        self,
        history: History,
        *,
        rng: np.random.Generator,
        seconds_left: float | None = None,
        seconds_spent: float | None = None,
        limit: TrialLimit | None = None,
        similarity: NDArray[np.float64] | None = None,  # (t,) of the past tasks, any positive scale
        among: Encoded | None = None,
    ) -> Suggestion:
        """The next configuration.

        Args:
            history: What was tried so far; running trials of other workers have the score NaN.
            rng: For candidates only; with `among` nothing is random.
            seconds_left: Time that is left: improvement then counts per expected share of it, less so as the time runs
                out, and what is expected to take longer than that comes last.
            seconds_spent: Time that the search took so far; by default the history's.
            limit: What one trial may take, where that is less.
            similarity: How much each past task resembles this one by its meta-features.
            among: Choose among these configurations only (a finite pool) instead of the whole space.
        """
        done = int(np.isfinite(history.scores).sum())
        observed = Observed(thinned(history, ENOUGH))
        weights, opinions = self._ask(observed, similarity)
        handed_over = done >= ENOUGH or (done >= HAND_OVER_AT and weights.get("cold", 0.0) >= self.hand_over)
        best = observed.best if done else 0.5  # before any result: better than the median
        spent = seconds_spent
        if spent is None:
            spent = 0.0 if history.seconds is None else float(np.nansum(history.seconds))

        def value(where: Encoded) -> NDArray[np.float64]:
            mixture = self._mixture(weights, opinions, where)
            log = log_expected_improvement(mixture, best) + np.log1p(-np.minimum(self._failure(history, where), 0.999))
            return log - self._price(history, where, seconds_left, spent, limit)

        if among is not None:
            values = value(among)
            row = int(np.argmax(values))
            config = self.space.decode(among.x[row])
            return Suggestion(config, self._reason(weights), weights, handed_over, float(np.exp(values[row])), row)
        where = self._candidates(history, rng)
        values = value(where)
        for round_ in range(ROUNDS):
            top = np.argsort(-values, kind="stable")[:4]
            near = self._near(where.x[top], 0.08 / (1 + 2 * round_), NEIGHBOURS // 4, rng)
            more = self.layout.complete(near)
            values = np.concatenate([values, value(more)])
            where = Encoded(np.concatenate([where.x, more.x]), np.concatenate([where.mask, more.mask]))
        config, best_value = self._first_new(history, where, values)
        return Suggestion(config, self._reason(weights), weights, handed_over, best_value)

    def _reason(self, weights: dict[str, float]) -> str:
        parts = [f"{NAMES[n]} {w:.0%}" for n, w in sorted(weights.items(), key=lambda e: -e[1]) if w >= 0.01]
        return f"Largest expected improvement, by {', '.join(parts)}."

    def _price(
        self, history: History, where: Encoded, left: float | None, spent: float, limit: TrialLimit | None
    ) -> NDArray[np.float64]:
        """Log of what a trial takes, damped as time runs out; what would not fit comes after all that does.

        It takes a share of the time that is left, and a place: for its seconds alone, the cheapest families would be
        tried again and again while they promise next to nothing.
        """
        log_seconds = None if left is None and limit is None else self._cost(history, where)
        if log_seconds is None:
            return np.zeros(len(where.x))
        seconds = np.exp(log_seconds)
        takes = seconds if limit is None else limit.costs(seconds, self._families(where))
        if left is None:
            return 50.0 * ~np.isfinite(takes)
        left = max(left, 1e-9)
        share = np.minimum(takes, seconds) / left
        return left / (left + spent) * np.log(1 / PLACES + share) + 50.0 * (takes > left)

    def _families(self, where: Encoded) -> NDArray[np.str_]:  # (q,)
        """The family of each configuration; empty names in a flat space."""
        if FAMILY not in self.space:
            return np.full(len(where.x), "")
        names = np.array(self.space[FAMILY].distribution.choices)  # type: ignore[attr-defined]
        return names[self.layout.family(where.x)]

    def _cost(self, history: History, where: Encoded) -> NDArray[np.float64] | None:
        if self.table is not None and self.table.timed:
            return expected_log_seconds(history, self.layout, self.table.log_seconds, where.x, where.mask)
        if self.surrogate is not None and self.surrogate.log_seconds is not None:
            return self.surrogate.cost(history, where.x, where.mask)
        return None

    def _failure(self, history: History, where: Encoded) -> NDArray[np.float64]:
        if self.surrogate is not None:
            return self.surrogate.failure(history, where.x, where.mask)
        return chance_of_failure(self.layout, history, where.x, where.mask)

    # ------------------------------------------------------------------ candidates

    def _good_regions(self) -> NDArray[np.float64]:  # (g, d)
        """The configurations that stand best on past tasks: three of each, the most frequent first."""
        if self.table is None:
            return np.zeros((0, self.space.d))
        z = np.where(np.isfinite(self.table.z), self.table.z, -np.inf)
        top = np.argsort(-z, axis=1, kind="stable")[:, :3]
        columns, counts = np.unique(top, return_counts=True)
        return self.table.x[columns[np.argsort(-counts, kind="stable")][:200]]

    def _candidates(self, history: History, rng: np.random.Generator) -> Encoded:
        """Past tasks' best regions, the whole space, and the neighbourhoods of this task's best."""
        d = self.space.d
        parts = [rng.random((CANDIDATES // 2, d))]
        if len(self._good):
            parts += [self._good[: CANDIDATES // 2], self._near(self._good[: CANDIDATES // 4], 0.1, 1, rng)]
        finished = np.flatnonzero(np.isfinite(history.scores))
        if len(finished):
            order = finished[np.argsort(-history.scores[finished], kind="stable")][:4]
            for spread in (0.2, 0.05):
                parts.append(self._near(history.x[order], spread, CANDIDATES // 32, rng))
        return self.layout.complete(np.concatenate(parts))

    def _near(self, x: NDArray[np.float64], spread: float, each: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Each point `each` times with a few of its dimensions moved; a category changes in one of six."""
        origin = np.repeat(x, each, axis=0)  # (q, d)
        moved = rng.random(origin.shape) < max(0.3, 2.0 / max(self.space.d, 1))
        step = rng.standard_normal(origin.shape) * np.maximum(spread, self._grid)
        many = np.where(self._numeric & moved, origin + step, origin)
        for where in self._choices:
            change = rng.random(len(many)) < (SWITCH if where != self.layout.choice else SWITCH / 3)
            many[change, where] = rng.random((int(change.sum()), where.stop - where.start))
        # What becomes active by a changed category is drawn anew.
        active = np.repeat(self.layout.complete(x).mask, each, axis=0)
        return np.where(active, many, rng.random(many.shape))

    def _first_new(self, history: History, where: Encoded, values: NDArray[np.float64]) -> tuple[Config, float]:
        """The best candidate that was not tried before, as a configuration."""
        for row in np.argsort(-values, kind="stable")[:64]:
            config = self.space.decode(where.x[row])
            x, mask = self.space.encode(config)
            known = len(history) and bool(
                np.any(np.all(np.abs(history.x - x) < 1e-9, axis=1) & np.all(history.mask == mask, axis=1))
            )
            if not known:
                return config, float(np.exp(values[row]))
        return self.space.decode(where.x[int(np.argmax(values))]), 0.0


def log_expected_improvement(mixture: Mixture, best: float) -> NDArray[np.float64]:  # (q,)
    """Log of the expected improvement over `best`, averaged over the mixture; finite far below it.

    Source:
        log h(u) as in LogEI (Ament et al., 2023).
    """
    from scipy.special import erfcx, log_ndtr

    u = (mixture.mean - best) / mixture.std
    density = np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi)
    near = density + u * np.exp(log_ndtr(u))
    far = np.minimum(u, -1.0)
    # phi(u) (1 - |u| Phi(u) / phi(u)), with Phi / phi by the scaled complementary error function
    ratio = np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2.0))
    log_far = -0.5 * far**2 - 0.5 * np.log(2 * np.pi) + np.log(np.maximum(1.0 + far * ratio, 1e-300))
    log_h = np.where(u > -5.0, np.log(np.maximum(near, 1e-300)), log_far)
    log = np.log(np.maximum(mixture.weights, 1e-300)) + log_h + np.log(mixture.std)
    top = log.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(log - top).sum(axis=1, keepdims=True)))[:, 0]
