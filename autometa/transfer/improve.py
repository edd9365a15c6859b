"""What to try next: the largest expected improvement, averaged over what is believed of the task.

Under a time budget a trial's improvement counts per expected share of the time, less so as the time runs out; in long
searches the cold sampler takes over.

Letters:  m evaluations · q candidates · d encoded dimensions · t past tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, Encoded, SearchSpace
from autometa.transfer.belief import Belief
from autometa.transfer.experts import Expert
from autometa.transfer.feasibility import Feasibility, ToldConstraint
from autometa.transfer.forecasts import PastForecasts
from autometa.transfer.gaussian import Mixture
from autometa.transfer.observation import History
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.threads import one_thread

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks
    from autometa.transfer.cost import TrialLimit
    from autometa.transfer.meta.surrogate import Surrogate

EXPERT_PHRASES = {"transfer": "the meta-learned surrogate", "past": "past tasks", "cold": "this task's own results"}


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """What to try next, and why.

    See Also:
        `Guard`.

    Example:
        >>> weights = {"past": 0.6, "cold": 0.4}
        >>> max(Suggestion({"C": 1.0}, "expected to be the best", weights, cold=False, expected=0.9).weights)
        'past'
    """

    config: Config
    reason: str
    weights: dict[str, float]  # of the experts, sum to one
    cold: bool  # the user's cold sampler should choose this one instead
    expected: float  # expected improvement, in warped units
    row: int | None = None  # which of `among`, where that was given


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What is expected of some configurations, in the warped scale: 1 is the best so far, 0 the median.

    See Also:
        `Guard`.

    Example:
        >>> one = np.array([0.5])
        >>> Prediction(mean=one, std=one, better=one / 2, seconds=None, failure=one * 0).better
        array([0.25])
    """

    mean: NDArray[np.float64]  # (q,)
    std: NDArray[np.float64]  # (q,)
    better: NDArray[np.float64]  # (q,) probability of beating the incumbent
    seconds: NDArray[np.float64] | None  # (q,)
    failure: NDArray[np.float64]  # (q,) probability


class Guard:
    """Suggests what to try next, guarded against a past that misleads: experts are weighed by their own forecasts.

    It keeps nothing between questions, so one serves all trials and workers.

    See Also:
        `AdaptivePortfolio`, which comes before; `Surrogate`, `History`.

    Example:
        >>> from autometa.space import real
        >>> space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
        >>> guard = Guard(space)  # no past: the cold process alone
        >>> history = History.of(space, [{"x": 0.1}, {"x": 0.5}, {"x": 0.9}], [0.2, 0.6, 0.9])
        >>> found = guard.suggest(history, rng=np.random.default_rng(0))
        >>> found.config["x"] > 0.6, found.reason
        (True, "Largest expected improvement, by this task's own results 100%.")
    """

    @one_thread()
    def __init__(
        self,
        space: SearchSpace,
        past: PastTasks | None = None,
        surrogate: Surrogate | None = None,
        *,
        metafeatures: MetaFeatures | None = None,
        constraints: Mapping[str, ToldConstraint] | None = None,
        options: TransferOptions = OPTIONS,
    ) -> None:
        """Reads the past once.

        Args:
            space: Where configurations come from.
            past: Past tasks, if any; what `space` does not contain is left out.
            surrogate: Meta-learned for `space`, if there is one.
            metafeatures: They say how large the task is, on which what trials take depends.
            constraints: What past tasks said of them, by name.
            options: The tuned numbers; the product uses `OPTIONS`.
        """
        self.space, self.options = space, options
        self.belief = Belief(space, past, surrogate, metafeatures=metafeatures, options=options)
        self.feasibility = Feasibility(self.belief.layout, constraints, options)
        self._good = self._good_regions()
        self._grid = self.belief.layout.grid()
        slices = space.slices.values()
        self._choices = [where for where in slices if where.stop - where.start > 1]
        self._numeric = np.ones(space.d, dtype=bool)
        for where in self._choices:
            self._numeric[where] = False

    @property
    def experts(self) -> dict[str, Expert]:
        """The experts that take part, by name."""
        return self.belief.experts

    @property
    def table(self) -> PastForecasts | None:
        """The past configurations that candidates and costs come from; None without a past."""
        return self.belief.past

    @one_thread()
    def weigh(self, history: History) -> dict[str, float]:
        """The weight of every expert after these results; they sum to one."""
        return self.belief.after(history).weights

    def hands_over(self, history: History) -> bool:
        """Whether so much is known that the cold sampler should go on: asked first, it spares an answer in vain."""
        return int(np.isfinite(history.scores).sum()) >= self.options.longest_history

    @one_thread()
    def predict(
        self, history: History, configs: Sequence[Config] | Encoded, *, similarity: NDArray[np.float64] | None = None
    ) -> Prediction:
        """Mean, spread and probability of beating the incumbent, of q configurations, for a pruner and explanations."""
        from scipy.special import ndtr

        where = configs if isinstance(configs, Encoded) else self.space.encode_all(configs)
        updated = self.belief.after(history, similarity)
        mixture = updated.mixture(where)
        mean, std = mixture.moments()
        better = ndtr((mixture.mean - updated.observed.best) / mixture.std) @ mixture.weights
        log_seconds = self.belief.log_seconds(history, where)
        seconds = None if log_seconds is None else np.exp(log_seconds)
        return Prediction(mean, std, better, seconds, self.belief.failure(history, where))

    def suggest(self, history: History, *, rng: np.random.Generator, **how: Any) -> Suggestion:
        """The next configuration: the first of `suggest_several`, which says what else it takes."""
        return self.suggest_several(history, 1, rng=rng, **how)[0]

    @one_thread()
    def suggest_several(
        self,
        history: History,
        count: int,
        *,
        rng: np.random.Generator,
        seconds_left: float | None = None,
        seconds_spent: float | None = None,
        limit: TrialLimit | None = None,
        similarity: NDArray[np.float64] | None = None,  # (t,) of the past tasks, any positive scale
        among: Encoded | None = None,
    ) -> list[Suggestion]:
        """The next configurations, from one belief: each but the first as if those before it ran already.

        A trial that runs takes from the variance where it is, and leaves what is expected (the Kriging believer of
        Ginsbourger et al., 2010), so that several are not one and the same. There may be fewer than `count`, but one.

        Args:
            history: What was tried so far; running trials of other workers have the score NaN.
            count: How many.
            rng: For candidates only; with `among` nothing is random.
            seconds_left: Time that is left: improvement then counts per expected share of it, less so as the time runs
                out, and what is expected to take longer than that comes last.
            seconds_spent: Time that the search took so far; by default the history's.
            limit: What one trial may take, where that is less.
            similarity: How much each past task resembles this one by its meta-features.
            among: Choose among these configurations only (a finite pool) instead of the whole space.
        """
        handed_over = self.hands_over(history)
        updated = self.belief.after(history, similarity)
        observed = updated.observed
        best = observed.best if len(observed.finished) else 0.5  # before any result: better than the median
        spent = seconds_spent
        if spent is None:
            spent = 0.0 if history.seconds is None else float(np.nansum(history.seconds))

        def value(where: Encoded, log: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
            if log is None:
                log = log_expected_improvement(updated.mixture(where), best)
            return log + self._log_success(history, where) - self._price(history, where, seconds_left, spent, limit)

        if among is None:
            where = self._candidates(history, rng)
            values = value(where)
            for round_ in range(self.options.refinements):
                top = np.argsort(-values, kind="stable")[:4]
                near = self._near(where.x[top], 0.08 / (1 + 2 * round_), self.options.neighbours // 4, rng)
                more = self.belief.layout.complete(near)
                values = np.concatenate([values, value(more)])
                where = Encoded(np.concatenate([where.x, more.x]), np.concatenate([where.mask, more.mask]))
        else:
            where, values = among, value(among)

        def said(row: int | None, values: NDArray[np.float64]) -> Suggestion:
            best_row = int(np.argmax(values)) if row is None else row
            expected = 0.0 if row is None else float(np.exp(values[best_row]))
            config, of_pool = self.space.decode(where.x[best_row]), None if among is None else row
            return Suggestion(config, _reason(updated.weights), updated.weights, handed_over, expected, of_pool)

        def foremost(history: History, values: NDArray[np.float64]) -> int | None:
            return self._first_new(history, where, values) if among is None else int(np.argmax(values))

        row = foremost(history, values)
        found = [said(row, values)]
        if row is None or count == 1:
            return found
        if among is None:  # whoever is far behind comes to nothing before those ahead are used up
            ahead = np.argsort(-values, kind="stable")[: max(self.options.candidates // 2, 8 * count)]
            where, values = Encoded(where.x[ahead], where.mask[ahead]), values[ahead]
            row = int(np.flatnonzero(ahead == row)[0]) if row in ahead else None
        mixture, fixed, taken = updated.mixture(where), value(where, np.zeros(len(values))), history
        left = updated.left(where)
        next(left)
        while row is not None and len(found) < min(count, len(where.x)):
            beside = replace(mixture, std=mixture.std * left.send(row))
            fixed[row] = -np.inf
            taken = taken.with_running(*self.space.encode(found[-1].config))
            values = log_expected_improvement(beside, best) + fixed
            row = foremost(taken, values)
            found += [] if row is None else [said(row, values)]
        return found

    def _log_success(self, history: History, where: Encoded) -> NDArray[np.float64]:  # (q,)
        """Log of the probability that trials do not fail, and keep the constraints."""
        constrained = bool(history.constraints or self.feasibility.past)
        failing = history.at(np.flatnonzero(~history.infeasible)) if constrained else history
        log = np.log1p(-np.minimum(self.belief.failure(failing, where), 0.999))
        if not constrained:
            return log
        return log + np.log(np.maximum(self.feasibility.chance(history, where), self.options.least_feasible))

    def _price(
        self, history: History, where: Encoded, left: float | None, spent: float, limit: TrialLimit | None
    ) -> NDArray[np.float64]:
        """Log of what a trial takes, damped as time runs out; what would not fit comes after all that does.

        It takes a share of the time that is left, and one of so many places: for its seconds alone, the cheapest
        families would be tried again and again while they promise next to nothing.
        """
        log_seconds = None if left is None and limit is None else self.belief.log_seconds(history, where)
        if log_seconds is None:
            late = np.zeros(len(where.x), bool) if limit is None else limit.is_late(self._families(where))
            return np.where(late, 50.0, 0.0)
        seconds = np.exp(log_seconds)
        takes = seconds if limit is None else limit.costs(seconds, self._families(where))
        if left is None:
            return 50.0 * ~np.isfinite(takes)
        left = max(left, 1e-9)
        share = np.minimum(takes, seconds) / left
        return left / (left + spent) * np.log(1 / self.options.places + share) + 50.0 * (takes > left)

    def _families(self, where: Encoded) -> NDArray[np.str_]:  # (q,)
        """The family of each configuration; empty names in a flat space."""
        return np.array(self.space.families or ("",))[self.belief.layout.family(where.x)]

    # ------------------------------------------------------------------ candidates

    def _good_regions(self) -> NDArray[np.float64]:  # (g, d)
        """The best configurations of past tasks: three of each, the most frequent first."""
        past = self.belief.past
        if past is None:
            return np.zeros((0, self.space.d))
        z = np.where(np.isfinite(past.z), past.z, -np.inf)
        top = np.argsort(-z, axis=1, kind="stable")[:, :3]
        columns, counts = np.unique(top, return_counts=True)
        return past.x[columns[np.argsort(-counts, kind="stable")][:200]]

    def _candidates(self, history: History, rng: np.random.Generator) -> Encoded:
        """Past tasks' best regions, the whole space, and the neighbourhoods of this task's best."""
        d, most = self.space.d, self.options.candidates
        parts = [rng.random((most // 2, d))]
        if len(self._good):
            parts += [self._good[: most // 2], self._near(self._good[: most // 4], 0.1, 1, rng)]
        finished = np.flatnonzero(np.isfinite(history.scores))
        if len(finished):
            order = finished[np.argsort(-history.scores[finished], kind="stable")][:4]
            for spread in (0.2, 0.05):
                parts.append(self._near(history.x[order], spread, most // 32, rng))
        return self.belief.layout.complete(np.concatenate(parts))

    def _near(self, x: NDArray[np.float64], spread: float, each: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Each point `each` times with a few of its dimensions moved, and sometimes a category changed."""
        layout, change_category = self.belief.layout, self.options.category_change
        origin = np.repeat(x, each, axis=0)  # (q, d)
        moved = rng.random(origin.shape) < max(0.3, 2.0 / max(self.space.d, 1))
        step = rng.standard_normal(origin.shape) * np.maximum(spread, self._grid)
        many = np.where(self._numeric & moved, origin + step, origin)
        for where in self._choices:
            change = rng.random(len(many)) < (change_category if where != layout.choice else change_category / 3)
            many[change, where] = rng.random((int(change.sum()), where.stop - where.start))
        # What becomes active by a changed category is drawn anew.
        active = np.repeat(layout.complete(x).mask, each, axis=0)
        return np.where(active, many, rng.random(many.shape))

    def _first_new(self, history: History, where: Encoded, values: NDArray[np.float64]) -> int | None:
        """The best candidate that was not tried before; None where all were."""
        for row in np.argsort(-values, kind="stable"):
            if _is_new(history, where.x[row], where.mask[row]):
                config = self.space.decode(where.x[row])
                if _is_new(history, *self.space.encode(config)):  # whole numbers and steps are rounded
                    return int(row)
        return None


def _is_new(history: History, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> bool:  # (d,), (d,)
    """Whether a point was not tried before."""
    alike = np.flatnonzero((history.mask == mask).all(axis=1))
    return not bool((np.abs(history.x[alike] - x) < 1e-9).all(axis=1).any())


def _reason(weights: dict[str, float]) -> str:
    """By whom a suggestion was made, as a sentence."""
    ordered = sorted(weights.items(), key=lambda entry: -entry[1])
    parts = [f"{EXPERT_PHRASES[name]} {weight:.0%}" for name, weight in ordered if weight >= 0.01]
    return f"Largest expected improvement, by {', '.join(parts)}."


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
