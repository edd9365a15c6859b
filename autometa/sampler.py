"""The Optuna face of the warm start: a sampler that begins with what worked on similar past tasks.

    initial design   a recommender, which sees the results so far
    search           the guarded mixture of what past tasks, the meta-trained surrogate and a cold process expect
    cold             Optuna's TPE: where there is no past, and in long searches

The space is given, or named: then it is learned from the trials that `studies.remember` kept in a store under that
name, and follows what the study at hand asks for. All book-keeping is in the study: which trial was given what, and
why, stands in the trial's attributes, so a study may be resumed, shared by workers, and mixed with enqueued trials;
nothing is counted in the sampler itself.

    autometa:origin   default | portfolio | similar | surrogate | search (the cold sampler) | enqueued
    autometa:reason   a sentence for people
    autometa:config   the configuration that the trial was given

Laws: a configuration that any trial of the study has, whatever became of it, is not recommended again; without a past
the study is exactly the cold sampler's own. To use another recommender, pass it, or its name in `RECOMMENDERS`.

Letters:  m configurations.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autometa.errors import AutoMetaError, InputError, Problem, did_you_mean
from autometa.space import FAMILY, Config, SearchSpace, config_key
from autometa.store import Exclusion, MetaStore, PastTasks
from autometa.studies import FINISHED, VALUE, adapt, described, fit_value, own_fingerprint, plain, sign_of, without_own
from autometa.transfer import RECOMMENDERS, Recommendation, Recommender
from autometa.transfer.cost import TrialLimit
from autometa.transfer.similarity import Similarity, prior_weights, rows_of

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.transfer import Guard, History, Suggestion, Surrogate

ORIGIN, REASON, CONFIG = "autometa:origin", "autometa:reason", "autometa:config"
WARM = frozenset({"default", "portfolio", "similar"})
SEARCHED = frozenset({"surrogate", "search"})
# Guided, three diverse ones let the guard see a mismatch, and from then on it is ahead: on 60 test tasks of published
# tables its regret after 10 trials is .005, that of the portfolio .011 (benchmarks/surrogate.py).
N_INITIAL, N_UNGUIDED = 3, 20
LEAST_GAIN = 0.001  # of the standing: less than this to be expected, and the search takes over early
LEAST_WARM = 3  # trials that are recommended however little they promise
FOLD_DOUBT = 0.2  # of what an evaluation lacks in fidelity, where what it lacks is folds: they differ, but do not drift
CUT = 0.5  # of the limit of a trial: what grows and took more may have been cut short, so nobody knows what it takes
ENOUGH = 5  # past studies of a space of one's own from which a surrogate is learned
GROWTH = 1.2  # it is learned anew once there are so many times more of them
LEARNING_SECONDS = 900.0  # after which one who began to learn is taken for dead

_log = optuna.logging.get_logger("optuna.autometa")


def cold_sampler(seed: int | None = None) -> optuna.samplers.TPESampler:
    """Optuna's TPE as it does best on a conditional space: each family's parameters are modelled jointly.

    The default TPE's joint space is only what all trials share, in a CASH space the choice of family.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


class WarmStartSampler(BaseSampler):
    """First what the past recommends for this task, then a search that goes on learning from it.

    Args:
        past: A store, its URL, or past tasks that were read from one; None for no memory: the study is the cold
            sampler's own.
        space: The name under which `remember` keeps studies of this search space: the space is then learned from them.
            Or the `SearchSpace` where configurations come from; without either, the flat space that the past
            configurations span.
        task: The new task: ``(X, y)``, a `Task`, or its meta-features; None if nothing is known of it.
        recommender: A name in `RECOMMENDERS`, or a recommender.
        n_initial: At most so many trials are recommended; fewer when the recommender expects nothing more of them. By
            default 3 before a guided search, 20 before the cold sampler.
        surrogate: The meta-trained surrogate that takes part in the search after that, or "store" for the one that was
            learned for the named space, if there is one. None searches with past tasks and a cold process alone.
        guided: Whether the guarded mixture searches after the initial design; otherwise the cold sampler does.
        cold: The sampler for what the past does not help with; TPE by default.
        seed: Of the search; the recommendations are deterministic.
        seconds: Time that the whole study may take: expected costs are then weighed.
        jobs: Trials that run at once, in all processes: a second of the study is so many seconds of trials.
        limit: What one trial may take, and which families end by then with what they have.
        folds: How many folds a trial has, if what it reports after each, at steps from 0 on, is its mean over those so
            far: then a trial that was stopped says nearly as much as a finished one. None where reports say how far
            training got.
        renamed: Old name of a parameter -> its name today, for a named space.
        learn: Whether a surrogate is learned for a named space in a process of its own, beside this study, when there
            are enough new studies of it; the next study uses it.
        kind: Kind of the past tasks to read from a store; the task's own by default.
        metric: Metric to read from a store; the task's own by default. Its scores are compared with the study's values,
            negated if the study minimises. Not for a named space, whose objective values are compared.
        exclude: What must not be read from a store.

    Raises:
        InputError: If the recommender is not known, `n_initial` is negative, or a store is given but neither the name
            of a space nor a metric.
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
        past: PastTasks | MetaStore | str | Path | None = None,
        space: SearchSpace | str | None = None,
        task: Any = None,
        *,
        recommender: str | Recommender = "adaptive",
        n_initial: int | None = None,
        surrogate: Surrogate | str | None = "store",
        guided: bool = True,
        cold: BaseSampler | None = None,
        seed: int | None = None,
        seconds: float | None = None,
        jobs: int = 1,
        limit: TrialLimit | None = None,
        folds: int | None = None,
        renamed: Mapping[str, str] | None = None,
        learn: bool = True,
        kind: str | None = None,
        metric: str | None = None,
        exclude: Exclusion | None = None,
    ) -> None:
        """Reads the past once and fits the recommender."""
        named = space if isinstance(space, str) else None
        problems = []
        if isinstance(recommender, str) and recommender not in RECOMMENDERS:
            known = f"{did_you_mean(recommender, list(RECOMMENDERS))} Known: {', '.join(RECOMMENDERS)}.".strip()
            problems.append(Problem("recommender", f"{recommender!r} is not known", known))
        if n_initial is not None and n_initial < 0:
            problems.append(Problem("n_initial", f"{n_initial} is negative", "Take 0 for no warm start."))
        if isinstance(past, (str, Path)):
            past = MetaStore(past)
        stored = isinstance(past, MetaStore)
        kind, metric = kind or getattr(task, "kind", None), metric or getattr(task, "metric", None)
        if named is not None and not stored:
            problems.append(Problem("space", f"the name {named!r} needs a store", "Pass the store that remembers it."))
        if stored and named is None and metric is None:
            fix = "Pass metric=, a Task as task=, or the name of a space of your own as space=."
            problems.append(Problem("metric", "a store is given but no metric", fix))
        if problems:
            raise InputError(problems)

        self.n_initial = n_initial if n_initial is not None else N_INITIAL if guided else N_UNGUIDED
        self.guided, self.seconds, self.jobs, self.limit, self.folds = guided, seconds, jobs, limit, folds
        self.notes: tuple[str, ...] = ()  # what was done to past configurations to fit them into the space
        self._name, self._renamed = named, dict(renamed or {})
        self._task, self._metafeatures = described(task)
        self._cold = cold_sampler(seed) if cold is None else cold
        self._seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        self._chosen = recommender
        exclude = Exclusion() if exclude is None else exclude
        self._surrogate = None if isinstance(surrogate, str) else surrogate
        table: PastTasks | None
        if isinstance(past, PastTasks) or past is None:
            table = past
        elif named is None:
            table = past.past(kind=kind, metric=str(metric), exclude=exclude)
        else:
            store = past
            table = store.past(space=named, kind=None, metric=VALUE, exclude=exclude)
            if surrogate == "store":
                self._surrogate = _learned(store, named)
            if learn:
                _learn_beside(store, named, len(table))
        self._raw = table
        self._followed: tuple[int, Any] = (0, None)
        self.space = space if isinstance(space, SearchSpace) else None
        self._given = self.space is not None
        self._settle(table, None, ())
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock, the clock and what can be calculated again."""
        gone = ("_lock", "_started", "_guard", "_encoded")
        return {k: v for k, v in self.__dict__.items() if k not in gone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With a lock of its own; the time starts again."""
        self.__dict__.update(state)
        self._guard: Guard | None = None
        self._encoded: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def reseed_rng(self) -> None:
        """Reseeds the cold sampler; the rest draws from the seed and the number of the trial, so workers differ."""
        self._cold.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Before anything is sampled: notes trials that somebody enqueued."""
        if "fixed_params" in trial.system_attrs and ORIGIN not in trial.user_attrs:
            _note(study, trial, {ORIGIN: "enqueued", REASON: "Enqueued by the user."})
        self._cold.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Decides where the trial comes from, once; the space of what it was given, else the cold sampler's."""
        self._refuse_several_objectives(study)
        if ORIGIN not in trial.user_attrs:
            self._assign(study, trial)
        if CONFIG not in trial.user_attrs:
            return self._cold.infer_relative_search_space(study, trial)
        # Given values are handed out by `sample_independent`, which is told what distribution the objective asks for. A
        # relative space of another kind would be an error there, a value out of range silently be replaced.
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The given values of the active parameters in `search_space`, else the cold sampler's."""
        self._refuse_several_objectives(study)
        config = trial.user_attrs.get(CONFIG)
        if config is None:
            return self._cold.sample_relative(study, trial, search_space)
        fitted = {name: fit_value(config[name], search_space[name]) for name in search_space if name in config}
        return {name: value for name, (fits, value) in fitted.items() if fits}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The given value, fitted into the distribution that the objective asks for, else the cold sampler's."""
        self._refuse_several_objectives(study)
        config = trial.user_attrs.get(CONFIG, {})
        if param_name in config:
            fits, value = fit_value(config[param_name], param_distribution)
            if fits:
                return value
        return self._cold.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tells the cold sampler."""
        self._cold.after_trial(study, trial, state, values)

    def recommend(self, study: Study, m: int = 1) -> list[Recommendation]:
        """What would be tried next, for `enqueue_trial` or to look at; empty when it is the search's turn."""
        with self._lock:
            self._follow(study, study.get_trials(deepcopy=False))
        return self._recommend(study, study.get_trials(deepcopy=False), m)

    # ----------------------------------------------------------------------------------------------------- the past

    def _settle(
        self, past: PastTasks | None, distributions: Mapping[str, BaseDistribution] | None, configs: Sequence[Config]
    ) -> None:
        """Fits the recommender to the past, in the space as far as it is known."""
        self._recommender: Recommender | None = None
        self._guard, self._encoded = None, {}
        self._past: PastTasks | None = None
        if past is None or not past.configs:
            return
        if not self._given:
            adapted = adapt(past, renamed=self._renamed, distributions=distributions, configs=configs)
            for note in adapted.notes:
                if note not in self.notes:
                    _log.info(note)
            past, self.space, self.notes = adapted.past, adapted.space, adapted.notes
        assert self.space is not None
        self._past, self._similarity = past, _similarity(past, self._metafeatures)
        if self.n_initial > 0:
            chosen = RECOMMENDERS[self._chosen]() if isinstance(self._chosen, str) else self._chosen
            self._recommender = chosen.fit(past, self.space)

    def _follow(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        """Adapts the past to what the study's trials show of its space, once they show something new."""
        if self._given or self._raw is None or not self._raw.configs:
            return
        finished = [trial for trial in trials if trial.state in FINISHED and trial.params]
        if len(finished) == self._followed[0]:
            return
        distributions = {name: d for trial in finished for name, d in trial.distributions.items()}
        seen = {(name, repr(d)) for trial in finished for name, d in trial.distributions.items()}
        shown = seen, {frozenset(trial.params) for trial in finished}
        if shown != self._followed[1]:
            configs = [trial.params for trial in finished]
            fingerprint = own_fingerprint(study, self._name or "") if self._task is None else self._task.fingerprint
            self._settle(without_own(self._raw, fingerprint, configs), distributions, configs)
        self._followed = len(finished), shown

    def _refuse_several_objectives(self, study: Study) -> None:
        """Past scores have one objective; without a past, the cold sampler may do as it can."""
        if self._past is not None:
            self._raise_error_if_multi_objective(study)

    # --------------------------------------------------------------------------------------------------- the next trial

    def _assign(self, study: Study, trial: FrozenTrial) -> None:
        """Gives the trial a configuration, or leaves it to the cold sampler, and notes which and why."""
        with self._lock:
            self._follow(study, self._others(study, trial))
            given = CONFIG in trial.user_attrs
            for _ in range(3):  # two processes may choose at the same moment: who sees a double moves on
                others = self._others(study, trial)
                if found := self._recommend(study, others, 1):
                    config, origin, reason = _values(found[0].config), str(found[0].origin), found[0].reason
                elif given:
                    return
                elif (next_one := self._search(study, others, trial.number)) is None:
                    _note(study, trial, {ORIGIN: "search", REASON: f"Searched by {self._cold}."})
                    return
                elif next_one.cold:
                    _note(study, trial, {ORIGIN: "search", REASON: next_one.reason})
                    return
                else:
                    config, origin, reason = _values(next_one.config), "surrogate", next_one.reason
                _note(study, trial, {CONFIG: config, ORIGIN: origin, REASON: reason})
                taken = (_config_of(other) for other in self._others(study, trial))
                if config_key(config) not in {config_key(c) for c in taken if c is not None}:
                    return

    def _others(self, study: Study, trial: FrozenTrial) -> list[FrozenTrial]:
        return [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]

    def _clock(self) -> tuple[float | None, float | None]:
        """Seconds of trials that are left, and that were spent; None without a budget."""
        if self.seconds is None:
            return None, None
        spent = min(time.monotonic() - self._started, self.seconds)
        return (self.seconds - spent) * self.jobs, spent * self.jobs

    def _last(self, trials: Sequence[FrozenTrial]) -> int | None:
        """The step at which a whole trial reports last; None where that is not known yet."""
        if self.folds is not None:
            return self.folds - 1
        steps = (trial.last_step for trial in trials if trial.state == TrialState.COMPLETE)
        return max((step for step in steps if step is not None), default=None)

    def _takes(self, trial: FrozenTrial, last: int | None) -> float:
        """Seconds that a whole trial of this configuration takes, by what this one took; NaN if that does not say."""
        took = math.nan if trial.duration is None else trial.duration.total_seconds()
        limit = math.inf if self.limit is None else self.limit.seconds
        if trial.state == TrialState.PRUNED and trial.last_step is not None:
            took /= math.nan if last is None else _done(trial.last_step, last)
        elif trial.state == TrialState.PRUNED:  # before the first report: for want of time, or for another reason
            took *= (self.folds or 1) if took >= limit else math.nan
        elif trial.state != TrialState.COMPLETE:
            return math.nan
        grows = self.limit is not None and trial.params.get(FAMILY) in self.limit.growing
        return math.nan if grows and took > CUT * limit else took

    def _recommend(self, study: Study, trials: Sequence[FrozenTrial], m: int) -> list[Recommendation]:
        origins = [trial.user_attrs.get(ORIGIN) for trial in trials]
        given = (trial for trial, origin in zip(trials, origins, strict=True) if origin in WARM)
        warm = len({config_key(c) for c in map(_config_of, given) if c is not None})  # a retried trial counts once
        if self._recommender is None or warm >= self.n_initial or not SEARCHED.isdisjoint(origins):
            return []
        sign, last = sign_of(study), self._last(trials)
        observed = [
            (
                config,
                _score(trial, sign) if trial.state != TrialState.PRUNED else _latest(trial, sign),
                self._takes(trial, last),
            )
            for trial in trials
            if (config := _config_of(trial)) is not None
        ]
        left, _ = self._clock()
        found = self._recommender.recommend(
            self._metafeatures, self.n_initial - warm, observed=observed, seconds=left, limit=self.limit
        )[:m]
        return [r for i, r in enumerate(found) if r.gain is None or r.gain >= LEAST_GAIN or warm + i < LEAST_WARM]

    def _search(self, study: Study, trials: Sequence[FrozenTrial], number: int) -> Suggestion | None:
        """What the guarded mixture would try next; None where there is nothing to guide it."""
        if not self.guided or self._past is None or self.space is None or self.space.d == 0:
            return None
        from autometa.transfer import Guard

        if self._guard is None:
            fits = self._surrogate is not None and _same(self._surrogate.space, self.space)
            surrogate = self._surrogate if fits else None
            self._guard = Guard(self.space, self._past, surrogate, metafeatures=self._metafeatures)
        rng = np.random.default_rng([self._seed, number])
        history, (left, spent) = self._history(study, trials), self._clock()
        return self._guard.suggest(
            history,
            rng=rng,
            seconds_left=left,
            seconds_spent=spent,
            limit=self.limit,
            similarity=self._similarity,
        )

    def _history(self, study: Study, trials: Sequence[FrozenTrial]) -> History:
        """The trials as the guard sees them; pruned and running ones by what they reported last, at low fidelity."""
        from autometa.transfer import History

        space, sign, last = self.space, sign_of(study), self._last(trials)
        assert space is not None
        rows = []
        for trial in trials:
            config = trial.params if trial.state.is_finished() and trial.params else _config_of(trial)
            if config is None:
                continue
            if trial.number not in self._encoded or not trial.state.is_finished():
                self._encoded[trial.number] = tuple(space.encode(space.clip(config)[0]))  # type: ignore[assignment]
            score, fidelity, step = _score(trial, sign), 1.0, trial.last_step
            if math.isnan(score) and step is not None:
                score = _latest(trial, sign)
                missing = 0.0 if last is None else 1.0 - _done(step, last)
                fidelity = 1.0 - missing * (1.0 if self.folds is None else FOLD_DOUBT)
            rows.append((*self._encoded[trial.number], score, self._takes(trial, last), fidelity))
        if not rows:
            return History(np.zeros((0, space.d)), np.zeros((0, space.d), dtype=bool), np.zeros(0))
        x, mask, *numbers = (np.array(column) for column in zip(*rows, strict=True))
        return History(x, mask, *numbers)


def _learned(store: MetaStore, space: str) -> Surrogate | None:
    """The surrogate that a store keeps for a space, if this program can read it."""
    content, _ = store.weights(space)
    if content is None:
        return None
    from autometa.transfer import Surrogate

    try:
        return Surrogate.load(BytesIO(content))
    except AutoMetaError as error:
        _log.warning(f"The surrogate learned for {space!r} is not used: {error}")
        return None


_learning: list[subprocess.Popen[bytes]] = []  # held, so that nobody warns of a process that outlives its sampler


def _learn_beside(store: MetaStore, space: str, tasks: int) -> None:
    """Begins to learn a surrogate in a process of its own, if there is enough that is new and nobody else does."""
    if tasks < ENOUGH or store.read_only or tasks < GROWTH * store.weights(space)[1]:
        return
    if store.claim_learning(space, seconds=LEARNING_SECONDS):
        command = [sys.executable, "-m", "autometa", "learn", "--space", space]
        _learning.append(
            subprocess.Popen(
                command,
                env={**os.environ, "AUTOMETA_STORE": store.address},  # not an argument: others can see those
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        _log.info(f"Learning from {tasks} past studies of {space!r} beside this one; the next study will use it.")


def _same(one: SearchSpace, other: SearchSpace) -> bool:
    """Whether two spaces encode alike: their defaults may differ."""
    return [(p.name, p.distribution, p.when) for p in one] == [(p.name, p.distribution, p.when) for p in other]


def _similarity(past: PastTasks, metafeatures: MetaFeatures | None) -> np.ndarray | None:
    """How much each past task has to say before there is any result, (t,); None where nothing can be compared."""
    if metafeatures is None or not past.metafeature_names:
        return None
    seen = Similarity(past.metafeatures, tuple(past.metafeature_names), past.metafeature_version).to(metafeatures)
    sizes = np.array([record.n_rows for record in past.records], dtype=float)
    return None if seen is None else prior_weights(sizes, rows_of(metafeatures), None if seen.strange else seen)


def _config_of(trial: FrozenTrial) -> Config | None:
    """The configuration that a trial was given, or is known to have or to get; None while it is being sampled."""
    if CONFIG in trial.user_attrs:
        return trial.user_attrs[CONFIG]
    if trial.state.is_finished():
        return trial.params
    return trial.system_attrs.get("fixed_params")


def _score(trial: FrozenTrial, sign: float) -> float:
    """Larger is better; NaN if not known (yet), -inf if the trial failed, or was pruned before it reported anything."""
    if trial.state == TrialState.FAIL or (trial.state == TrialState.PRUNED and trial.last_step is None):
        return -math.inf
    if trial.state != TrialState.COMPLETE or trial.value is None:
        return math.nan
    return sign * trial.value if math.isfinite(trial.value) else -math.inf


def _latest(trial: FrozenTrial, sign: float) -> float:
    """As `_score`; of a trial that did not end, what it reported last, NaN where that is not finite."""
    if trial.last_step is None:
        return _score(trial, sign)
    reported = trial.intermediate_values[trial.last_step]
    return sign * reported if math.isfinite(reported) else math.nan


def _done(step: int, last: int) -> float:
    """The share of a whole trial that was done when it reported at `step`."""
    return min((step + 1) / (last + 1), 1.0)


def _note(study: Study, trial: FrozenTrial, attributes: Mapping[str, Any]) -> None:
    """Writes into the storage, and into the copy that the objective's `Trial` holds."""
    for name, value in attributes.items():
        study._storage.set_trial_user_attr(trial._trial_id, name, value)
        trial.user_attrs[name] = value


def _values(config: Mapping[str, Any]) -> Config:
    """A configuration that a storage can keep."""
    return {name: plain(value) for name, value in config.items()}
