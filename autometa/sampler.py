"""The Optuna face of the warm start: a sampler that begins with what worked on similar past tasks.

The first trials come from a recommender, which sees the results so far; then a cold sampler (TPE by default) takes over
for good. All book-keeping is in the study: which trial was given what, and why, stands in the trial's attributes, so a
study may be resumed, shared by workers, and mixed with enqueued trials; nothing is counted in the sampler itself.

    autometa:origin   default | portfolio | similar | search (the cold sampler) | enqueued
    autometa:reason   a sentence for people
    autometa:config   the configuration that the trial was given

Law: a configuration that any trial of the study has, whatever became of it, is not given again; without a past the
study is exactly the cold sampler's own. To use another recommender, pass it, or its name in `recommend.RECOMMENDERS`.

Letters:  m configurations.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autometa.errors import InputError, Problem, did_you_mean
from autometa.recommend import RECOMMENDERS, Recommendation, Recommender
from autometa.recommend.memory import standing
from autometa.space import FAMILY, Condition, Config, Parameter, SearchSpace, config_key
from autometa.store import Exclusion, PastTasks

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.task import Task

ORIGIN, REASON, CONFIG = "autometa:origin", "autometa:reason", "autometa:config"
WARM = frozenset({"default", "portfolio", "similar"})
N_INITIAL = 20
LEAST_GAIN = 0.001  # of the standing: less than this to be expected, and the cold sampler takes over early
LEAST_WARM = 3  # trials that are recommended however little they promise


def cold_sampler(seed: int | None = None) -> optuna.samplers.TPESampler:
    """Optuna's TPE as it does best on a conditional space: each family's parameters are modelled jointly.

    The default TPE's joint space is only what all trials share, in a CASH space the choice of family.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


@runtime_checkable
class Store(Protocol):
    """What past tasks can be read from: a `MetaStore`, or the shipped memory under one."""

    def past(self, *, kind: str | None, metric: str, exclude: Exclusion) -> PastTasks:
        """The past tasks in one metric."""
        ...


class WarmStartSampler(BaseSampler):
    """First what the past recommends for this task, then Optuna's own search.

    Args:
        past: Past tasks, or a store to read them from; None for no memory: the study is the cold sampler's own.
        space: Where configurations come from; without it, the flat space that the past configurations span.
        task: The new task, or its meta-features; None if nothing is known of it.
        recommender: A name in `RECOMMENDERS`, or a recommender.
        n_initial: At most so many trials are recommended; fewer when the recommender expects nothing more of them.
        cold: The sampler that takes over; TPE by default.
        seed: Of the cold sampler, when that is TPE; the recommendations are deterministic.
        seconds: Time that the whole study may take: recommendations then weigh their expected cost.
        kind: Kind of the past tasks to read from a store; the task's own by default.
        metric: Metric to read from a store; the task's own by default. Its scores are compared with the study's values,
            negated if the study minimises.
        exclude: What must not be read from a store.

    Raises:
        InputError: If the recommender is not known, `n_initial` is negative, or a store is given but no metric.
        ValueError: When used in a study of several objectives, if there is a past.

    Example:
        >>> import optuna
        >>> sampler = WarmStartSampler(None, seed=0)
        >>> study = optuna.create_study(sampler=sampler)
        >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
        >>> [trial.user_attrs["autometa:origin"] for trial in study.trials]
        ['search', 'search', 'search']
    """

    def __init__(
        self,
        past: PastTasks | Store | None = None,
        space: SearchSpace | None = None,
        task: Task | MetaFeatures | None = None,
        *,
        recommender: str | Recommender = "adaptive",
        n_initial: int = N_INITIAL,
        cold: BaseSampler | None = None,
        seed: int | None = None,
        seconds: float | None = None,
        kind: str | None = None,
        metric: str | None = None,
        exclude: Exclusion | None = None,
    ) -> None:
        """Reads the past once and fits the recommender."""
        problems = []
        if isinstance(recommender, str) and recommender not in RECOMMENDERS:
            known = f"{did_you_mean(recommender, list(RECOMMENDERS))} Known: {', '.join(RECOMMENDERS)}.".strip()
            problems.append(Problem("recommender", f"{recommender!r} is not known", known))
        if n_initial < 0:
            problems.append(Problem("n_initial", f"{n_initial} is negative", "Take 0 for no warm start."))
        kind, metric = kind or getattr(task, "kind", None), metric or getattr(task, "metric", None)
        if isinstance(past, Store) and metric is None:
            problems.append(Problem("metric", "a store is given but no metric", "Pass metric=, or a Task as task=."))
        if problems:
            raise InputError(problems)

        if isinstance(past, Store):
            assert metric is not None
            past = past.past(kind=kind, metric=metric, exclude=Exclusion() if exclude is None else exclude)
        self.n_initial = n_initial
        self.seconds = seconds
        self._cold = cold_sampler(seed) if cold is None else cold
        self._metafeatures = _metafeatures(task)
        self._recommender: Recommender | None = None
        if space is None and past is not None and past.configs:
            space = spanned(past)
        self.space = space
        if space is not None and n_initial > 0 and past is not None:
            chosen = RECOMMENDERS[recommender]() if isinstance(recommender, str) else recommender
            self._recommender = chosen.fit(past, space)
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock and the clock."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_lock", "_started")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With a lock of its own; the time starts again."""
        self.__dict__.update(state)
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def reseed_rng(self) -> None:
        """Reseeds the cold sampler; recommendations have no randomness, the study's trials tell workers apart."""
        self._cold.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Before anything is sampled: notes trials that somebody enqueued."""
        if "fixed_params" in trial.system_attrs and ORIGIN not in trial.user_attrs:
            _note(study, trial, {ORIGIN: "enqueued", REASON: "Enqueued by the user."})
        self._cold.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Decides where the trial comes from, once; the space of a recommended one, else the cold sampler's."""
        if self._recommender is not None:
            self._raise_error_if_multi_objective(study)
        if ORIGIN not in trial.user_attrs:
            self._assign(study, trial)
        if CONFIG not in trial.user_attrs:
            return self._cold.infer_relative_search_space(study, trial)
        # Recommended values are handed out by `sample_independent`, which is told what distribution the objective asks
        # for. A relative space of another kind would be an error there, a value out of range silently be replaced.
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The recommended values of the active parameters in `search_space`, else the cold sampler's."""
        if self._recommender is not None:
            self._raise_error_if_multi_objective(study)
        config = trial.user_attrs.get(CONFIG)
        if config is None:
            return self._cold.sample_relative(study, trial, search_space)
        fitted = {name: _fitted(config[name], search_space[name]) for name in search_space if name in config}
        return {name: value for name, (fits, value) in fitted.items() if fits}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The recommended value, fitted into the distribution that the objective asks for, else the cold sampler's."""
        if self._recommender is not None:
            self._raise_error_if_multi_objective(study)
        config = trial.user_attrs.get(CONFIG, {})
        if param_name in config:
            fits, value = _fitted(config[param_name], param_distribution)
            if fits:
                return value
        return self._cold.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tells the cold sampler."""
        self._cold.after_trial(study, trial, state, values)

    def recommend(self, study: Study, m: int = 1) -> list[Recommendation]:
        """What would be tried next, for `enqueue_trial` or to look at; empty when it is the cold sampler's turn."""
        return self._recommend(study, study.get_trials(deepcopy=False), m)

    def _assign(self, study: Study, trial: FrozenTrial) -> None:
        """Gives the trial a recommendation, or leaves it to the cold sampler, and notes which."""
        with self._lock:
            for _ in range(3):  # two processes may choose at the same moment: who sees a double moves on
                found = self._recommend(study, self._others(study, trial), 1)
                if not found:
                    if CONFIG not in trial.user_attrs:
                        _note(study, trial, {ORIGIN: "search", REASON: f"Searched by {self._cold}."})
                    return
                config = _plain(found[0].config)
                _note(study, trial, {CONFIG: config, ORIGIN: found[0].origin, REASON: found[0].reason})
                taken = (_config_of(other) for other in self._others(study, trial))
                if config_key(config) not in {config_key(c) for c in taken if c is not None}:
                    return

    def _others(self, study: Study, trial: FrozenTrial) -> list[FrozenTrial]:
        return [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]

    def _recommend(self, study: Study, trials: Sequence[FrozenTrial], m: int) -> list[Recommendation]:
        origins = [trial.user_attrs.get(ORIGIN) for trial in trials]
        given = (trial for trial, origin in zip(trials, origins, strict=True) if origin in WARM)
        warm = len({config_key(trial.user_attrs[CONFIG]) for trial in given})  # a retried trial counts once
        if self._recommender is None or warm >= self.n_initial or "search" in origins:
            return []
        sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
        observed = [(config, _score(trial, sign)) for trial in trials if (config := _config_of(trial)) is not None]
        left = None if self.seconds is None else max(self.seconds - (time.monotonic() - self._started), 0.0)
        found = self._recommender.recommend(
            self._metafeatures, min(m, self.n_initial - warm), observed=observed, seconds=left
        )
        return [r for i, r in enumerate(found) if r.gain is None or r.gain >= LEAST_GAIN or warm + i < LEAST_WARM]


def spanned(past: PastTasks) -> SearchSpace:
    """The smallest space that holds the past configurations: somebody's own, recovered from what was tried in it.

    Numbers span their range (logarithmic when positive and wider than a factor of 100), anything else is a category. In
    a CASH space the parameters of a family are active with it. The default is the configuration with the best mean
    standing.

    Raises:
        InputError: If a parameter is there in some configurations only and no family says when.
    """
    configs = past.configs
    means = np.nanmean(np.where(np.isfinite(past.scores), standing(past.scores), 0.0), axis=0)
    best = configs[int(np.argmax(means))]
    values: dict[str, list[Any]] = {}
    for config in configs:
        for name, value in config.items():
            values.setdefault(name, []).append(value)
    families = [config.get(FAMILY) for config in configs]
    parameters, problems = [], []
    for name in sorted(values, key=lambda name: name != FAMILY):
        owner = name.split(".")[0] if "." in name and name.split(".")[0] in families else None
        expected = len(configs) if owner is None else families.count(owner)
        if len(values[name]) < expected:
            problems.append(
                Problem(name, f"only {len(values[name])} of {expected} past configurations have it", "Pass space=.")
            )
        distribution = _spanned(values[name])
        default = best[name] if name in best else values[name][0]
        default = float(default) if isinstance(distribution, FloatDistribution) else default
        parameters.append(
            Parameter(name, distribution, default, None if owner is None else Condition(FAMILY, (owner,)))
        )
    if problems:
        raise InputError(problems)
    return SearchSpace(parameters)


def _spanned(values: Sequence[Any]) -> BaseDistribution:
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        return CategoricalDistribution(sorted(set(values), key=lambda value: (str(type(value)), str(value))))
    low, high = min(values), max(values)
    log = low > 0 and high > 100 * low
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _fitted(value: Any, distribution: BaseDistribution) -> tuple[bool, Any]:
    """Whether a distribution can take a value, numbers after clipping; and the value as it takes it."""
    if isinstance(distribution, CategoricalDistribution):
        same = [choice for choice in distribution.choices if type(choice) is type(value) and choice == value]
        return (True, same[0]) if same else (False, None)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False, None
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    alone = SearchSpace([Parameter("value", distribution, distribution.low)])
    clipped = alone.clip({"value": value})[0]["value"]
    return True, int(clipped) if isinstance(distribution, IntDistribution) else float(clipped)


def _config_of(trial: FrozenTrial) -> Config | None:
    """The configuration that a trial was given, or is known to have or to get; None while it is being sampled."""
    if CONFIG in trial.user_attrs:
        return trial.user_attrs[CONFIG]
    if trial.state.is_finished():
        return trial.params
    return trial.system_attrs.get("fixed_params")


def _score(trial: FrozenTrial, sign: float) -> float:
    """Larger is better; NaN if not known (yet), -inf if the trial failed."""
    if trial.state == TrialState.FAIL:
        return -math.inf
    if trial.state != TrialState.COMPLETE or trial.value is None:
        return math.nan
    return sign * trial.value if math.isfinite(trial.value) else -math.inf


def _note(study: Study, trial: FrozenTrial, attributes: Mapping[str, Any]) -> None:
    """Writes into the storage, and into the copy that the objective's `Trial` holds."""
    for name, value in attributes.items():
        study._storage.set_trial_user_attr(trial._trial_id, name, value)
        trial.user_attrs[name] = value


def _plain(config: Mapping[str, Any]) -> Config:
    """JSON-safe: NumPy's scalars become Python's."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in config.items()}


def _metafeatures(task: Task | MetaFeatures | None) -> MetaFeatures | None:
    if task is None or hasattr(task, "values"):
        return task  # type: ignore[return-value]
    from autometa.metafeatures import describe

    return describe(task)
