"""The methods that `surrogate.py` compares: what each learns from past tasks, and how it plays one task.

A method is a function from a `Lesson` to a `Player` maker; a player is asked for the next row of the table, given the
rows tried so far and their scores. What a method learned is kept in the lesson, so that it is learned once per table.
The guard, TPE, GPSampler, CMA-ES and the portfolios are the libraries' own; RGPE, TST, FSBO, the quantile transfer
(CTS) and MetaLearnTPE are written here after their papers, so that all play by the same rules; each says where it
simplifies.

Letters:  t past tasks · m rows of the table · d encoded dimensions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from papers import DeepKernel, best_and_rest, overlap, parzen, parzen_density

from autometa.space import Encoded, config_key
from autometa.store import PastTasks
from autometa.transfer import OPTIONS, AdaptivePortfolio, Guard, History, Portfolio, Surrogate, train
from autometa.transfer.gaussian import Mixture
from autometa.transfer.improve import log_expected_improvement
from autometa.transfer.kernels import Layout, matern, squares
from autometa.transfer.scale import ranked


@dataclass(eq=False)
class Lesson:
    """What may be known before a task begins."""

    table: Any  # surrogate.Table: its space, its rows encoded; never its scores
    past: PastTasks
    cache: Path  # a folder of its own
    seed: int = 0
    name: str = ""  # how it differs from what the table's own split gives
    kept: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """`make()`, the first time."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    @property
    def layout(self) -> Layout:
        """Of the space."""
        return self.once("layout", lambda: Layout(self.table.space))

    @property
    def column_of(self) -> dict[str, int]:
        """Rows of the table by configuration."""
        return self.once("columns", lambda: {config_key(c): j for j, c in enumerate(self.table.configs)})

    def portfolio(self, most: int = 25) -> list[int]:
        """The static greedy portfolio."""

        def make() -> list[int]:
            found = Portfolio().fit(self.past, self.table.space).recommend(None, most)
            return [self.column_of[config_key(r.config)] for r in found]

        return self.once("portfolio", make)

    def adaptive(self, rows: list[int], scores: list[float]) -> int | None:
        """The next of the adaptive portfolio."""
        model = self.once("adaptive", lambda: AdaptivePortfolio().fit(self.past, self.table.space))
        observed = [(self.table.configs[j], s) for j, s in zip(rows, scores, strict=True)]
        found = model.recommend(None, 1, observed=observed)
        return self.column_of[config_key(found[0].config)] if found else None

    def surrogate(self, **options: Any) -> Surrogate | None:
        """Trained on the past, or read from the cache; None where the past is too small to learn from."""
        name = "-".join([self.table.name, self.name, str(self.seed), str(len(self.past)), *map(str, options.values())])
        file = self.cache / f"{name}.npz"

        def make() -> Surrogate | None:
            if file.exists():
                return Surrogate.load(file, self.table.space)
            if len(self.past) < OPTIONS.fewest_tasks:
                return None
            trained = train(self.past, self.table.space, seed=self.seed, **options)
            trained.save(file)
            return trained

        return self.once(name, make)

    def thinner(self, share: float) -> Lesson:
        """The same with every past task knowing a random share of the rows, another one for each."""

        def make() -> Lesson:
            hidden = np.random.default_rng(1).random(self.past.scores.shape) >= share
            past = replace(self.past, scores=np.where(hidden, np.nan, self.past.scores))
            return Lesson(self.table, past, self.cache, self.seed, f"thin{share}")

        return self.once(f"thin {share}", make)

    def fewer(self, t: int) -> Lesson:
        """The same with `t` of the past tasks."""

        def make() -> Lesson:
            rows = np.sort(np.random.default_rng(2).permutation(len(self.past))[:t])
            past = replace(
                self.past,
                records=tuple(self.past.records[i] for i in rows),
                scores=self.past.scores[rows],
                seconds=self.past.seconds[rows],
                metafeatures=self.past.metafeatures[rows],
            )
            return Lesson(self.table, past, self.cache, self.seed, f"of{t}")

        return self.once(f"fewer {t}", make)

    def nearest(self, config: dict[str, Any], rows: list[int]) -> int:
        """The untried row nearest to a configuration."""
        x, mask = self.table.space.encode(config)
        here = self.layout.places(x[None], mask[None])
        there = self.once("places", lambda: self.layout.places(self.table.x, self.table.mask))
        families = self.once("families", lambda: self.layout.family(self.table.x))
        distance = squares(here, there)[0] + 100.0 * (families != self.layout.family(x[None])[0])
        distance[rows] = np.inf
        return int(np.argmin(distance))


class Player(Protocol):
    """One task being played."""

    def next(self, rows: list[int], scores: list[float]) -> int:
        """The next row of the table."""
        ...


# ------------------------------------------------------------------------------------------------ Optuna's samplers


class Sampled:
    """An Optuna sampler after an initial design; its suggestions are taken to the nearest untried row."""

    def __init__(self, lesson: Lesson, sampler: Any, start: list[int] | None = None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.lesson, self.start, self.told = lesson, start or [], 0
        self.study = optuna.create_study(direction="maximize", sampler=sampler)

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        import optuna

        table = self.lesson.table
        for row, score in zip(rows[self.told :], scores[self.told :], strict=True):
            config = table.configs[row]
            distributions = {name: table.space[name].distribution for name in config}
            self.study.add_trial(optuna.trial.create_trial(params=config, distributions=distributions, value=score))
        self.told = len(rows)
        for row in self.start:
            if row not in rows:
                return row
        trial = self.study.ask()
        config = table.space.suggest(trial)
        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)  # failed trials are left out by these samplers
        return self.lesson.nearest(config, rows)


def tpe(seed: int, *, group: bool) -> Any:
    """Optuna 5's TPE: its default, or with the parameters of each branch modelled jointly."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if group:
            return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
        return optuna.samplers.TPESampler(seed=seed)


def gp_sampler(seed: int) -> Any:
    """Optuna's own Gaussian process."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.samplers.GPSampler(seed=seed, deterministic_objective=True)


def cma_es(lesson: Lesson, seed: int) -> Any:
    """Optuna's CMA-ES, started from the mean ranked score of the past (`source_trials`)."""
    import optuna

    past = lesson.past
    means = ranked(past.scores).mean(axis=0)
    space = lesson.table.space
    numeric = [p.name for p in space if not isinstance(p.distribution, optuna.distributions.CategoricalDistribution)]
    sources = [
        optuna.trial.create_trial(
            params={name: config[name] for name in numeric if name in config},
            distributions={name: space[name].distribution for name in numeric if name in config},
            value=float(mean),
        )
        for config, mean in zip(past.configs, means, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.samplers.CmaEsSampler(seed=seed, source_trials=sources, warn_independent_sampling=False)


# ----------------------------------------------------------------------------------------------------- the guard


class Guarded:
    """The guarded mixture after the first of a portfolio; TPE goes on after hundreds of trials."""

    def __init__(
        self,
        lesson: Lesson,
        guard: Guard,
        seed: int,
        *,
        initial: int = 3,
        adaptive: bool = True,
        anywhere: bool = False,
    ) -> None:
        self.lesson, self.guard, self.initial, self.adaptive, self.anywhere = lesson, guard, initial, adaptive, anywhere
        self.rng, self.seed = np.random.default_rng(seed), seed
        self.cold: Sampled | None = None
        self.weights: dict[str, float] = {}
        self.handed_over = 0

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        table = self.lesson.table
        if len(rows) < self.initial:
            row = self.lesson.adaptive(rows, scores) if self.adaptive else self.lesson.portfolio()[len(rows)]
            if row is not None:
                return row
        history = History(table.x[rows], table.mask[rows], np.array(scores, dtype=float))
        left = np.setdiff1d(np.arange(len(table.configs)), rows)
        among = None if self.anywhere else Encoded(table.x[left], table.mask[left])
        found = self.guard.suggest(history, rng=self.rng, among=among)
        self.weights = found.weights
        if found.cold:
            self.handed_over = self.handed_over or len(rows)
            self.cold = self.cold or Sampled(self.lesson, tpe(self.seed, group=True))
            return self.cold.next(rows, scores)
        return int(left[found.row]) if found.row is not None else self.lesson.nearest(found.config, rows)


def guarded(
    *,
    training: dict[str, Any] | None = None,
    learned: bool = True,
    initial: int = 3,
    adaptive: bool = True,
    anywhere: bool = False,
    prior: dict[str, float] | None = None,
) -> Callable[[Lesson, int], Player]:
    """The guard with some of its parts; `prior` holds the weights of the experts that take part before any result."""
    weights = tuple((prior or {}).items())
    options = OPTIONS if prior is None else replace(OPTIONS, with_surrogate=weights, without_surrogate=weights)

    def make(lesson: Lesson, seed: int) -> Player:
        def build() -> Guard:
            surrogate = lesson.surrogate(**(training or {})) if learned else None
            return Guard(lesson.table.space, lesson.past, surrogate, options=options)

        guard = lesson.once(f"guard {learned} {training} {prior}", build)
        return Guarded(lesson, guard, seed, initial=initial, adaptive=adaptive, anywhere=anywhere)

    return make


# ------------------------------------------------------------------------------------------- baselines after papers


class Random:
    """Any untried row."""

    def __init__(self, lesson: Lesson, seed: int) -> None:
        self.order = np.random.default_rng(seed).permutation(len(lesson.table.configs))

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        return int(self.order[len(rows)])


class Static:
    """The portfolio, as far as it goes; then as `Random`."""

    def __init__(self, lesson: Lesson, seed: int, most: int = 100) -> None:
        self.order = lesson.portfolio(most)
        rest = np.random.default_rng(seed).permutation(len(lesson.table.configs))
        self.order = [*self.order, *(int(j) for j in rest if j not in set(self.order))]

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        return self.order[len(rows)]


class _Target:
    """A Gaussian process on the task alone: Matern 5/2, its length scale and noise by evidence over a grid."""

    def __init__(self, lesson: Lesson) -> None:
        layout, table = lesson.layout, lesson.table
        size = np.sqrt(layout.size(table.mask))[:, None]
        places = lesson.once("scaled places", lambda: layout.places(table.x, table.mask) / size)
        family = layout.family(table.x)
        same = lesson.once("same", lambda: family[:, None] == family[None, :])
        distance = lesson.once("distances", lambda: squares(places, places))
        self.kernels = lesson.once("kernels", lambda: [matern(distance / s**2) * same for s in (0.25, 0.5, 1.0, 2.0)])

    def fit(self, rows: list[int], z: NDArray[np.float64]) -> None:
        """Takes standardised scores, (k,)."""
        best = -np.inf
        for kernel in self.kernels:
            for noise in (1e-4, 1e-2):
                inverse = np.linalg.inv(kernel[np.ix_(rows, rows)] + noise * np.eye(len(rows)))
                alpha = inverse @ z
                evidence = -0.5 * z @ alpha + 0.5 * np.linalg.slogdet(inverse)[1]
                if evidence > best:
                    best, self.kernel, self.alpha, self.inverse = evidence, kernel, alpha, inverse
        self.rows = rows

    def predict(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation at every row, (m,) each."""
        cross = self.kernel[:, self.rows]
        variance = 1.0 - np.einsum("mk,kl,ml->m", cross, self.inverse, cross)
        return cross @ self.alpha, np.sqrt(np.maximum(variance, 1e-10))

    def left_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Leave-one-out mean and standard deviation at the tried rows, (k,) each, of standardised scores."""
        variance = 1.0 / np.diag(self.inverse)
        return -self.alpha * variance, np.sqrt(variance)  # relative to the score itself


def _standard(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = scores.std(axis=-1, keepdims=True)
    return (scores - scores.mean(axis=-1, keepdims=True)) / np.where(spread > 1e-12, spread, 1.0)


def _improvement(mean: NDArray, std: NDArray, best: float, rows: list[int]) -> int:
    value = log_expected_improvement(Mixture(np.ones(1), mean[:, None], std[:, None]), best)
    value[rows] = -np.inf
    return int(np.argmax(value))


class RGPE:
    """The ranking-weighted ensemble of Gaussian processes (Feurer, Letham and Bakshy, 2018).

    Weights: how often a model has the smallest ranking loss, the target's being sampled from its leave-one-out
    posterior; a base model whose loss is above the target's 95 % quantile is dropped. Past tasks are dense here, so a
    base model is certain: its mean at a row is the standardised score there, its standard deviation .1.
    """

    SAMPLES, NOISE = 50, 0.1

    def __init__(self, lesson: Lesson, seed: int) -> None:
        self.rng, self.target = np.random.default_rng(seed), _Target(lesson)
        self.base = lesson.once("base", lambda: _standard(lesson.past.scores))  # (t, m)

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        t, m = self.base.shape
        y = np.array(scores)
        z = _standard(y) if len(y) > 1 else np.zeros(len(y))
        weights = np.append(np.full(t, 1 / t), 0.0)
        mean, std = np.zeros(m), np.ones(m)
        if len(rows):
            self.target.fit(rows, z)
            mean, std = self.target.predict()
        if len(rows) >= 3:
            left, right = np.triu_indices(len(rows), 1)
            truth = y[left] < y[right]  # (pairs,)
            base = self.base[:, rows]  # (t, k)
            losses = ((base[:, left] < base[:, right]) != truth).sum(axis=1)  # (t,)
            offset, spread = self.target.left_out()
            own = z + offset + self.rng.standard_normal((self.SAMPLES, len(rows))) * spread  # (samples, k)
            loss = ((own[:, left] < z[right]) != truth).sum(axis=1)  # (samples,)
            kept = np.where(losses <= np.quantile(loss, 0.95), losses, np.inf)
            all_losses = np.column_stack([np.tile(kept, (self.SAMPLES, 1)), loss])  # (samples, t + 1)
            least = all_losses == all_losses.min(axis=1, keepdims=True)
            weights = (least / least.sum(axis=1, keepdims=True)).mean(axis=0)
        mean = weights[:t] @ self.base + weights[t] * mean
        std = np.sqrt((weights[:t] ** 2).sum() * self.NOISE**2 + weights[t] ** 2 * std**2)
        best = float(mean[rows].max()) if len(rows) else float(mean.max())
        return _improvement(mean, np.broadcast_to(np.maximum(std, 1e-3), mean.shape), best, rows)


class TST:
    """Two-stage transfer surrogate, ranking version (Wistuba, Schilling and Schmidt-Thieme, 2018); bandwidth .9."""

    BANDWIDTH = 0.9

    def __init__(self, lesson: Lesson, seed: int) -> None:
        self.target = _Target(lesson)
        self.base = lesson.once("base", lambda: _standard(lesson.past.scores))

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        t, m = self.base.shape
        y = np.array(scores)
        z = _standard(y) if len(y) > 1 else np.zeros(len(y))
        mean, std, similar = np.zeros(m), np.ones(m), np.full(t, 0.75)
        if len(rows):
            self.target.fit(rows, z)
            mean, std = self.target.predict()
        if len(rows) >= 2:
            past = self.base[:, rows]
            upper = np.triu_indices(len(rows), 1)
            truth = (y[:, None] < y[None, :])[upper]
            discord = ((past[:, :, None] < past[:, None, :])[:, upper[0], upper[1]] != truth).mean(axis=1)
            similar = np.where(discord < self.BANDWIDTH, 0.75 * (1 - (discord / self.BANDWIDTH) ** 2), 0.0)
        own = 0.75 if len(rows) else 0.0
        mean = (own * mean + similar @ self.base) / (own + similar.sum())
        best = float(mean[rows].max()) if len(rows) else float(mean.max())
        return _improvement(mean, std, best, rows)


class CTS:
    """Quantile transfer with Thompson sampling (Salinas, Shen and Perrone, 2020), as Syne Tune runs it.

    Gaussian quantiles of all past scores are regressed on the configuration by gradient boosting; every trial draws a
    sample at all untried rows, with the residual standard deviation, and takes the largest.
    """

    def __init__(self, lesson: Lesson, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.mean, self.std = lesson.once("cts", lambda: self._fit(lesson))

    def _fit(self, lesson: Lesson) -> tuple[NDArray[np.float64], float]:
        from xgboost import XGBRegressor

        z = ranked(lesson.past.scores)  # (t, m)
        inputs = lesson.layout.inputs(lesson.table.x, lesson.table.mask)
        model = XGBRegressor(max_depth=10, n_estimators=50, n_jobs=1).fit(np.tile(inputs, (len(z), 1)), z.ravel())
        mean = model.predict(inputs)
        return mean, float((z - mean).std())

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        drawn = self.mean + self.std * self.rng.standard_normal(len(self.mean))
        drawn[rows] = -np.inf
        return int(np.argmax(drawn))


class MetaLearnTPE:
    """TPE over similar tasks (Watanabe, Awad, Onishi and Hutter, 2023), for one objective.

    Densities are products of kernels over the parameters that both configurations have, with a uniform one among them.
    Tasks are as similar as the densities of their best tenths overlap; here over the rows of the table, where the paper
    draws samples of fewer dimensions, and every row is a candidate. It begins with the first five of the portfolio.
    """

    BEST, START = 0.1, 5

    def __init__(self, lesson: Lesson, seed: int) -> None:
        self.lesson = lesson
        self.good, self.bad = lesson.once("meta tpe", self._past)  # (t, m) each

    def _past(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        split = [best_and_rest(scores, self.BEST) for scores in self.lesson.past.scores]
        good, bad = (self._kernel(len(side)) for side in split[0])
        return (
            np.array([parzen_density(good[:, best]) for best, _ in split]),
            np.array([parzen_density(bad[:, rest]) for _, rest in split]),
        )

    def _kernel(self, n: int, among: Any = slice(None)) -> NDArray[np.float64]:  # (m, k)
        """Of all rows with some of them, by a bandwidth for `n` results; 1 would be uniform."""
        table = self.lesson.table
        return parzen(table.space.slices, (table.x, table.mask), (table.x[among], table.mask[among]), n)

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        if len(rows) < self.START:
            return self.lesson.portfolio()[len(rows)]
        sides = [np.array(rows)[side] for side in best_and_rest(np.array(scores), self.BEST)]
        own = [parzen_density(self._kernel(len(side), side)) for side in sides]
        (t, m), k = self.good.shape, len(sides[0])
        similar = overlap(self.good, own[0]) / (t + 1)
        n = int(np.ceil(self.BEST * m))
        alone = 1 - similar.sum()
        good = n * similar @ self.good + alone * k * own[0]
        bad = (m - n) * similar @ self.bad + alone * (len(rows) - k) * own[1]
        ratio = good / bad
        ratio[rows] = -np.inf
        return int(np.argmax(ratio))


class FSBO:
    """Few-shot Bayesian optimisation (Wistuba and Grabocka, 2021): a deep kernel, fine-tuned at every trial.

    Meta-trained on the marginal likelihood of 50 results of one task at a time, labels stretched at random as in the
    paper; then 100 epochs of fine-tuning per trial from the meta-learned weights. It begins with the first five of the
    portfolio. As published, labels are scaled by the task's true worst and best, which nobody has in practice.
    """

    START = 5

    def __init__(self, lesson: Lesson, seed: int, low: float, high: float) -> None:
        self.lesson, self.low, self.high = lesson, low, high
        self.inputs = lesson.layout.inputs(lesson.table.x, lesson.table.mask)
        self.kernel = lesson.once("fsbo", lambda: self._trained(lesson))

    def _trained(self, lesson: Lesson) -> DeepKernel:
        scores = lesson.past.scores
        low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
        return DeepKernel.trained([(self.inputs, y) for y in (scores - low) / (high - low)], seed=lesson.seed)

    def next(self, rows: list[int], scores: list[float]) -> int:
        """As `Player`."""
        if len(rows) < self.START:
            return self.lesson.portfolio()[len(rows)]
        y = (np.array(scores) - self.low) / (self.high - self.low)
        kernel = self.kernel.tuned(self.inputs[rows], y)
        mean, std = kernel.posterior(self.inputs[rows], y, self.inputs)
        return _improvement(mean, std, float(y.max()), rows)


# ------------------------------------------------------------------------------------------------------ the list


@dataclass(frozen=True)
class Method:
    """How it is made, and how much of it the measured size can afford."""

    make: Callable[..., Player]  # (lesson, seed) -> Player; with the task's worst and best for FSBO
    seeds: int = 1
    tasks: int | None = None  # per table; None for all
    trials: int = 100
    oracle: bool = False  # is told the task's true worst and best score
    tables: tuple[str, ...] | None = None
    needs: str = ""  # a package without which it is left out
    turn: int = 0  # methods of a later turn are measured after all others
    aliens: bool = False  # also plays the tasks about which the past misleads
    group: str = "baseline"  # baseline | ours | ablation | thin | curve


def _fsbo(lesson: Lesson, seed: int, low: float, high: float) -> Player:
    return FSBO(lesson, seed, low, high)


def _ablation(*, aliens: bool = False, **options: Any) -> Method:
    return Method(
        guarded(**options), tasks=10, tables=("rbv2_xgboost", "oboe"), aliens=aliens, group="ablation", turn=2
    )


def _thin(make: Callable[..., Player]) -> Method:
    return Method(lambda lesson, seed: make(lesson.thinner(0.15), seed), tasks=10, group="thin", turn=2)


def _fewer(t: int) -> Method:
    return Method(
        lambda lesson, seed: guarded()(lesson.fewer(t), seed),
        tasks=10, trials=10, tables=("rbv2_xgboost", "oboe"), group="curve", turn=3,
    )  # fmt: skip


def _portfolio_tpe(lesson: Lesson, seed: int) -> Player:
    return Sampled(lesson, tpe(seed, group=True), lesson.portfolio()[:10])


METHODS: dict[str, Method] = {  # the fast ones first: a run that is stopped early has them whole
    "guard": Method(guarded(), group="ours", aliens=True),
    "TPE group": Method(lambda lesson, seed: Sampled(lesson, tpe(seed, group=True)), aliens=True),
    "random": Method(Random, seeds=3, aliens=True),
    "portfolio": Method(Static),
    "portfolio + TPE": Method(_portfolio_tpe),
    "RGPE": Method(RGPE),
    "TPE group, another seed": Method(  # how often TPE is worse than itself
        lambda lesson, seed: Sampled(lesson, tpe(seed + 1, group=True)), tasks=4, aliens=True, turn=1
    ),
    "TST": Method(TST, turn=1),
    "CTS": Method(CTS, turn=1),
    "cold GP": Method(guarded(learned=False, prior={"cold": 1.0}, initial=0), turn=1),
    "TPE": Method(lambda lesson, seed: Sampled(lesson, tpe(seed, group=False)), turn=1),
    "transfer, unguarded": _ablation(prior={"transfer": 1.0, "cold": 1e-12}, aliens=True),  # cold in name only
    "guard, no meta-learning": _ablation(learned=False),
    "guard, past tasks too": _ablation(prior={"transfer": 0.6, "past": 0.3, "cold": 0.1}),
    "guard, warped labels": _ablation(training={"labels": ("warped",)}),
    "guard, static portfolio first": _ablation(adaptive=False),
    "guard, from the first trial": _ablation(initial=0),
    "guard, anywhere": _ablation(anywhere=True),
    "guard, thin past": _thin(guarded()),
    "portfolio, thin past": _thin(Static),
    "portfolio + TPE, thin past": _thin(_portfolio_tpe),
    "CMA-ES, source trials": Method(
        lambda lesson, seed: Sampled(lesson, cma_es(lesson, seed)),
        tables=("rbv2_rpart", "lcbench"),
        turn=3,
        needs="cmaes",
    ),
    "MetaLearnTPE": Method(MetaLearnTPE, turn=1),
    "FSBO": Method(_fsbo, oracle=True, turn=3),
    "GPSampler": Method(lambda lesson, seed: Sampled(lesson, gp_sampler(seed)), turn=3),
    **{f"guard, {t} past tasks": _fewer(t) for t in (5, 10, 20, 40)},
}
