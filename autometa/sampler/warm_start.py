"""`WarmStartSampler`: Optuna's side of the warm start. See the room for what a trial is given and how that is noted.

Longer than other files, because a sampler is one class with many arguments, each of which is explained.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autometa.errors import InputError, Problem
from autometa.learn import Learned, kept_surrogate, learn_aloud
from autometa.libraries import SHIPPED, LibraryPast, read_library, shipped_store, target_of
from autometa.origins import CONFIG, ORIGIN, REASON, Origin
from autometa.sampler.arguments import refuse_arguments
from autometa.sampler.cold import cold_sampler, several_cold_sampler
from autometa.sampler.fronts import FrontRecommender
from autometa.sampler.options import OPTIONS
from autometa.sampler.past import read_past, same_encoding, task_weights
from autometa.sampler.trials import (
    as_asked,
    fitted,
    given_origin,
    note,
    note_what_ran,
    other_trials,
    storable,
    taken_keys,
)
from autometa.space import FAMILY, Config, SearchSpace, config_key, family_in
from autometa.store import Exclusion, MetaStore, PastTasks
from autometa.store.told import ToldTask
from autometa.studies import About, AdaptedPast, FollowedPast, sign_of, told_constraints
from autometa.studies.keeping import SEVERAL
from autometa.transfer import RECOMMENDERS, History, Recommendation, Recommender
from autometa.transfer.cost import TrialLimit
from autometa.transfer.observation import Observation, Point, TrialReading, given_to

if TYPE_CHECKING:
    from autometa.transfer import Guard, Suggestion, Surrogate

_log = optuna.logging.get_logger("optuna.autometa")


class WarmStartSampler(BaseSampler):
    """First what the past recommends for this task, then a search that goes on learning from it.

    Args:
        past: A store, its URL, or past tasks read from one; "shipped" for the memory that ships with AutoMeta (a file
            of that name is ``"./shipped"``); None for no memory: the study is the cold sampler's own.
        space: The name under which `remember` keeps studies of this search space: the space is then learned from them.
            Or the `SearchSpace` where configurations come from; without either, the flat space that the past
            configurations span. With "shipped", a library in `autometa.libraries.LIBRARIES`, in its own words.
        task: The new task: ``(X, y)``, a `Task`, or its meta-features; None if nothing is known of it.
        recommender: A name in `RECOMMENDERS`, or a recommender.
        n_initial: At most so many trials are recommended; fewer when the recommender expects nothing more of them. By
            default 3 before a guided search, 20 before the cold sampler, 10 in a study of several objectives.
        surrogate: The meta-trained surrogate that takes part in the search after that, or "store" for the one that was
            learned for the named space, if there is one. None searches with past tasks and a cold process alone.
        guided: Whether the guarded mixture searches after the initial design; otherwise the cold sampler does.
        cold: The sampler for what the past does not help with; TPE by default.
        constraints_func: As Optuna's TPE takes it, where the objective does not say `Trial.set_constraint` itself: what
            it returns of a trial is feasible up to 0. Not beside `cold`, which takes its own.
        seed: Of the search; the recommendations are deterministic.
        seconds: Time that the whole study may take: expected costs are then weighed.
        jobs: Trials that run at once, in all processes: a second of the study is so many seconds of trials.
        limit: What one trial may take, and which families end by then with what they have.
        folds: How many folds a trial has, if what it reports after each, at steps from 0 on, is its mean over those so
            far: then a trial that was stopped says nearly as much as a finished one. None where reports say how far
            training got.
        renamed: Old name of a parameter, or the library's -> its name today, for a named space.
        learn: Whether a surrogate is learned for a named space here and now, in about a minute, if there are enough new
            studies of it; see `learn`.
        kind: Kind of the past tasks to read from a store: binary, multiclass or regression; the task's by default.
        metric: Metric to read from a store; the task's own by default. Its scores are compared with the study's values,
            negated if the study minimises. Not for a named space, whose objective values are compared.
        exclude: What must not be read from a store.

    Raises:
        InputError: If something is not known (recommender, library, kind, metric) or missing; everything is listed.
        StoreError: If a store cannot be used, or no memory was shipped.

    Attributes:
        space: The space that the past configurations stand in; None while nothing is known.
        notes: What was done to past configurations to fit them into it, for people; it is on Optuna's log, too.
        ahead: How many configurations a guided search suggests at once, each as if those before it ran: 1 by default;
            more where trials are asked for faster than they can be thought about one by one.

    See Also:
        `autometa.remember` keeps a study while it runs, `autometa.remember_study` one that has ended;
        `autometa.ImprobableWinPruner` stops trials that improbably win; `autometa.MetaStore`.

    Example:
        Nothing is remembered, so the first study is the cold sampler's; the second begins with what the first found. A
        trial says where it came from, and why.

        >>> import tempfile
        >>> import autometa, optuna
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> store = autometa.MetaStore(f"{tempfile.mkdtemp()}/store.db")
        >>> def study_of(seed):
        ...     sampler = WarmStartSampler(store, space="parabolas", seed=seed)
        ...     study = optuna.create_study(sampler=sampler)
        ...     keep = autometa.remember(store, space="parabolas")
        ...     study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=5, callbacks=[keep])
        ...     return study
        >>> study_of(0).trials[0].user_attrs["autometa:origin"]
        'search'
        >>> first = study_of(1).trials[0]
        >>> first.user_attrs["autometa:origin"], bool(first.user_attrs["autometa:reason"])
        ('portfolio', True)
    """

    _guard: Guard | None  # made when it is first asked
    _encoded: dict[int, Point]  # by the number of a trial that ended, so that each is looked at once; so are the next
    _configs: dict[int, Config]
    _keys: dict[int, set[str]]
    _handed_over: bool  # whether the study is the cold sampler's by now
    _ahead: list[Suggestion]  # that were made with an earlier one

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
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
        seed: int | None = None,
        seconds: float | None = None,
        jobs: int = 1,
        limit: TrialLimit | None = None,
        folds: int | None = None,
        renamed: Mapping[str, str] | None = None,
        learn: bool = False,
        kind: str | None = None,
        metric: str | None = None,
        exclude: Exclusion | None = None,
    ) -> None:
        """Reads the past once and fits the recommender."""
        shipped = isinstance(past, str) and past == SHIPPED
        past = shipped_store() if shipped else past
        store = MetaStore(past) if isinstance(past, (str, Path)) else past if isinstance(past, MetaStore) else None
        name = space if isinstance(space, str) else None
        self._about, self._renamed = About.of(task), dict(renamed or {})
        known = metric or getattr(self._about.table, "metric", None)
        refuse_arguments(recommender, n_initial, name, store, known, cold, constraints_func, learn=learn and shipped)

        usual = OPTIONS.guided_initial if guided else OPTIONS.unguided_initial
        self.n_initial = usual if n_initial is None else n_initial
        self.guided, self.seconds, self.jobs, self.limit, self.folds = guided, seconds, jobs, limit, folds
        self.ahead = 1
        self.wanted = frozenset[str]()  # families among which the next guided one is, where one is worth trying
        self.notes: tuple[str, ...] = ()  # what was done to past configurations to fit them into the space
        self.space = space.plain() if isinstance(space, SearchSpace) else None
        self._asked = {p.name: p.distribution for p in space} if isinstance(space, SearchSpace) else {}
        self._store, self._name, self._chosen = (None if shipped else store), name, recommender
        self._told: Sequence[ToldTask] = ()  # past studies with constraints
        self._cold_several = several_cold_sampler(seed, constraints_func) if cold is None else cold
        self._cold = cold_sampler(seed, constraints_func) if cold is None else cold
        self._seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        self._surrogate = None if isinstance(surrogate, str) else surrogate

        exclude, table, words = Exclusion() if exclude is None else exclude, None, None
        if store is None:
            table = past if isinstance(past, PastTasks) else None
        elif shipped and name is not None:
            words = read_library(store, name, self._about, target_of(task), kind, metric, exclude, self._renamed)
        else:
            table, self._told = read_past(store, name, self._about, kind, known, exclude, renamed, learn=learn)
            if name is not None and surrogate == "store":
                self._surrogate = kept_surrogate(store, name)
        fronts = (
            () if store is None or name is None or shipped else store.told(space=name, kind=SEVERAL, exclude=exclude)
        )
        self._fronts = FrontRecommender(fronts, n_initial, self._renamed, name or "", self._about)
        self._known = self.space, dict(self._asked), table, words  # before a study shows anything
        self._study: tuple[BaseStorage, int] | None = None  # that is served
        self._begin()
        self._lock, self._started = threading.Lock(), time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock, the clock, the store (its URL may hold a password) and what can be calculated again."""
        calculated = ("_guard", "_encoded", "_configs", "_keys", "_handed_over", "_ahead")
        gone = ("_lock", "_started", "_study", "_store", *calculated)
        return {k: v for k, v in self.__dict__.items() if k not in gone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With a lock of its own; the time starts again."""
        older = {"_about": About(), "_asked": {}, "_told": [], "_renamed": {}, "_words": None, "ahead": 1}
        self.__dict__.update(older | state)
        if "_known" not in state:
            self._known = self.space, self._asked, self._past, self._words
        self._store = self._study = None
        self._forget()
        self._lock, self._started = threading.Lock(), time.monotonic()

    def reseed_rng(self) -> None:
        """Reseeds the cold sampler; the rest draws from the seed and the number of the trial, so workers differ."""
        self._cold.reseed_rng()
        self._cold_several.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Before anything is sampled: notes trials that somebody enqueued."""
        if "fixed_params" in trial.system_attrs and ORIGIN not in trial.user_attrs:
            note(study, trial, {ORIGIN: Origin.ENQUEUED.value, REASON: "Enqueued by the user."})
        self._cold_for(study).before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Decides where the trial comes from, once; the space of what it was given, else the cold sampler's."""
        if ORIGIN not in trial.user_attrs:
            self._assign(study, trial)
        if CONFIG not in trial.user_attrs:
            return self._cold_for(study).infer_relative_search_space(study, trial)
        # Given values are handed out by `sample_independent`, which is told what distribution the objective asks for. A
        # relative space of another kind would be an error there, a value out of range silently be replaced.
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The given values of the active parameters in `search_space`, else the cold sampler's."""
        config = trial.user_attrs.get(CONFIG)
        if config is None:
            found = self._cold_for(study).sample_relative(study, trial, search_space)
            return {name: self._in_time(name, value, trial, search_space[name]) for name, value in found.items()}
        taken = {name: fitted(config, name, d, trial, self._words) for name, d in search_space.items()}
        return {name: value for name, (fits, value) in taken.items() if fits}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The given value, fitted into the distribution that the objective asks for, else the cold sampler's."""
        fits, value = fitted(trial.user_attrs.get(CONFIG, {}), param_name, param_distribution, trial, self._words)
        if fits:
            return value
        value = self._cold_for(study).sample_independent(study, trial, param_name, param_distribution)
        return self._in_time(param_name, value, trial, param_distribution)

    @property
    def _late(self) -> frozenset[str]:
        """Families of which nothing ends in time."""
        return frozenset() if self.limit is None else self.limit.late

    def _in_time(self, name: str, value: Any, trial: FrozenTrial, distribution: BaseDistribution) -> Any:
        """What the cold sampler chose, but for a family that is late any other."""
        late = self._late
        if name != FAMILY or value not in late or not isinstance(distribution, CategoricalDistribution):
            return value
        others = [choice for choice in distribution.choices if choice not in late]
        return others[np.random.default_rng([self._seed, trial.number]).integers(len(others))] if others else value

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Notes what ran, where that is something else than was given, and tells the cold sampler."""
        note_what_ran(study, trial, state)
        self._cold_for(study).after_trial(study, trial, state, values)

    def recommend(self, study: Study, m: int = 1) -> list[Recommendation]:
        """The next `m` recommendations, for `enqueue_trial` or to look at; empty when it is the search's turn.

        Example:
            >>> from autometa.store import TaskRecord
            >>> records = (TaskRecord("f0", "march", "study", "value", 0, 0, 0),)
            >>> tried = ({"x": 0.1}, {"x": 0.9})
            >>> past = PastTasks(records, tried, np.array([[1.0, 3.0]]), np.ones((1, 2)), np.zeros((1, 0)), ())
            >>> sampler = WarmStartSampler(past, seed=0)
            >>> [next_one] = sampler.recommend(optuna.create_study(sampler=sampler, direction="maximize"))
            >>> print(next_one.config, next_one.origin)
            {'x': 0.9} portfolio
        """
        with self._lock:
            self._turn_to(study)
            self._follow(study, study.get_trials(deepcopy=False))
        found = self._recommend(study, study.get_trials(deepcopy=False), m)
        if len(study.directions) > 1:
            return [replace(one, config=as_asked(one.config, self._fronts.asked_by(study), None)) for one in found]
        return [replace(one, config=as_asked(one.config, self._asked, self._words)) for one in found]

    def learn(self, *, seconds: float = 60.0, seed: int = 0) -> Learned:
        """Learns a surrogate from the remembered studies of the named space, here and now; the search then uses it.

        It is kept in the store for later studies as well, unless held-out studies are worse for it.

        Args:
            seconds: Most that training may take, in all.
            seed: Of the held-out studies and of training.

        Raises:
            InputError: If the sampler has no store and name of a space (a pickled one has lost its store), or too few
                studies are remembered under that name.
            StoreError: If the store cannot be used.

        Example:
            >>> import tempfile
            >>> folder = tempfile.TemporaryDirectory()
            >>> sampler = WarmStartSampler(folder.name + "/team.db", space="churn")
            >>> sampler.learn(seconds=30)
            Traceback (most recent call last):
            autometa.errors.InputError: ...: 0 studies of the space 'churn', at least 5 are needed. Spaces there: none.
            >>> folder.cleanup()
        """
        if self._store is None or self._name is None:
            fix = "Make a sampler with a store and the name of a space, or call autometa.learn.learn(store, space)."
            raise InputError(Problem("learn", "the sampler knows of no store and name of a space to learn from", fix))
        learned = learn_aloud(self._store, self._name, seconds=seconds, seed=seed)
        with self._lock:
            self._surrogate, self._guard = kept_surrogate(self._store, self._name), None
        return learned

    # ----------------------------------------------------------------------------------------------------- the past

    def _forget(self) -> None:
        """What was calculated in the space as it was."""
        self._guard, self._encoded, self._configs, self._keys, self._handed_over = None, {}, {}, {}, False
        self._ahead = []

    def _turn_to(self, study: Study) -> None:
        """Begins anew where it is another study: what one showed of its space, and its results, are not the other's."""
        served, self._study = self._study, (study._storage, study._study_id)
        if served is not None and (served[0] is not study._storage or served[1] != study._study_id):
            self._started = time.monotonic()
            self._fronts.forget()
            self._begin()

    def _begin(self) -> None:
        """Fits the recommender to past tasks, in the given space, in the one they span, or in a library's words."""
        self._forget()
        self.space, self._asked, past, words = self._known
        self._words = words
        self._past: PastTasks | None = None
        self._recommender: Recommender | None = None
        self._similarity: NDArray[np.float64] | None = None
        self._followed: FollowedPast | LibraryPast | None = words
        if words is not None:
            self._settle(words.first())
        if past is None or not past.configs:
            return
        if self.space is not None:
            self._fit(replace(past, configs=tuple(map(storable, past.configs))))
            return
        self._followed = FollowedPast(past, renamed=self._renamed, space_name=self._name or "", about=self._about)
        self._settle(self._followed.first())

    def _settle(self, adapted: AdaptedPast) -> None:
        """Fits the recommender to the past in the space as far as it is known, and says what was done to it."""
        for said in adapted.notes:
            if said not in self.notes:
                _log.info(said)
        self.space, self.notes, self._asked = adapted.space, adapted.notes, dict(adapted.asked)
        self._fit(adapted.past)

    def _fit(self, past: PastTasks) -> None:
        """Fits the recommender; what was calculated in another space is forgotten."""
        assert self.space is not None
        self._forget()
        self._past, self._similarity = past, task_weights(past, self._about.metafeatures)
        if self.n_initial > 0:
            chosen = RECOMMENDERS[self._chosen]() if isinstance(self._chosen, str) else self._chosen
            self._recommender = chosen.fit(past, self.space)

    def _follow(self, study: Study, trials: Iterable[FrozenTrial]) -> None:
        """Adapts the past to what the study's trials show of its space, once they show something new."""
        if self._followed is None or len(study.directions) > 1:
            return
        if (adapted := self._followed.follow(study, trials)) is not None:
            self._settle(adapted)

    def _cold_for(self, study: Study) -> BaseSampler:
        """The cold sampler of a study: of several objectives Optuna's default."""
        return self._cold if len(study.directions) == 1 else self._cold_several

    # --------------------------------------------------------------------------------------------------- the next trial

    def _assign(self, study: Study, trial: FrozenTrial) -> None:
        """Gives the trial a configuration, or leaves it to the cold sampler, and notes which and why."""
        with self._lock:
            self._turn_to(study)
            self._follow(study, other_trials(study, trial))
            for choice in range(OPTIONS.choices):  # two processes may choose at once: who sees a double moves on
                began = time.monotonic()
                config, origin, reason = self._next(study, other_trials(study, trial), trial.number)
                if config is None and choice > 0:  # the cold sampler's turn: what is noted cannot be taken back
                    return
                given = {} if config is None else {CONFIG: config}
                note(study, trial, {**given, ORIGIN: origin, REASON: reason})
                if config is None or not (doubles := self._doubles(study, trial, config)):
                    return
                # Of two that saw each other only one has to move on: the later one, for which the earlier one waits,
                # and the longer the slower the storage is.
                if all(other.number > trial.number and not other.state.is_finished() for other in doubles):
                    time.sleep(max(OPTIONS.yield_seconds, OPTIONS.yield_choices * (time.monotonic() - began)))
                    if not self._doubles(study, trial, config):
                        return

    def _doubles(self, study: Study, trial: FrozenTrial, config: Config) -> list[FrozenTrial]:
        """The other trials that were given the configuration, or ran it."""
        key = config_key(config)
        return [other for other in other_trials(study, trial) if key in taken_keys([other], self._keys)]

    def _next(self, study: Study, others: Sequence[FrozenTrial], number: int) -> tuple[Config | None, str, str]:
        """What a trial is given, None to leave it to the cold sampler; where that comes from, and why."""
        several = len(study.directions) > 1
        if (made := self._made_ahead()) is not None:
            return storable(made.config), Origin.SURROGATE.value, made.reason
        others = others if self._words is None or several else self._words.in_words(others)
        if found := self._recommend(study, others, 1):
            return storable(found[0].config), str(found[0].origin), found[0].reason
        suggestion = None if several else self._search(study, others, number)
        if suggestion is None:
            return None, Origin.SEARCH.value, f"Searched by {self._cold_for(study)}."
        origin = Origin.NEWCOMER if family_in(suggestion.config) in self.wanted else Origin.SURROGATE
        return storable(suggestion.config), origin.value, suggestion.reason

    def _recommend(self, study: Study, trials: Sequence[FrozenTrial], m: int) -> list[Recommendation]:
        """The next recommendations, none once `n_initial` were given or a search has begun."""
        if len(study.directions) > 1:
            return self._fronts.recommend(study, trials, m, len(self._past or ()))
        given = [(trial, origin) for trial in trials if (origin := given_origin(trial)) is not None]
        recommended = (given_to(trial) for trial, origin in given if origin.recommended)
        count = len({config_key(c) for c in recommended if c is not None})  # a retried trial counts once
        searching = any(origin.searched for _, origin in given)
        if self._recommender is None or count >= self.n_initial or searching:
            return []
        found = self._recommender.recommend(
            self._about.metafeatures,
            self.n_initial - count,
            observed=[one for seen in Observation.of_trials(trials, self._reading(study)) for one in seen.results],
            seconds=self._clock()[0],
            limit=self.limit,
        )
        found = [one for one in found if family_in(one.config) not in self._late]
        return [
            recommendation
            for i, recommendation in enumerate(found[:m], start=count)
            if recommendation.gain is None or recommendation.gain >= OPTIONS.least_gain or i < OPTIONS.least_recommended
        ]

    def _search(self, study: Study, trials: Sequence[FrozenTrial], number: int) -> Suggestion | None:
        """What the guarded mixture would try next; None where nothing guides it, or it hands a long search over."""
        if not self.guided or self._past is None or self.space is None or self.space.d == 0:
            return None
        from autometa.transfer import Guard

        if self._guard is None:
            fits = self._surrogate is not None and same_encoding(self._surrogate.space, self.space)
            surrogate = self._surrogate if fits else None
            known: dict[str, Any] = {"constraints": told_constraints(self._told, self.space, self._renamed)}
            self._guard = Guard(self.space, self._past, surrogate, metafeatures=self._about.metafeatures, **known)
        if self._handed_over:
            return None
        history = History.of_trials(self.space, trials, self._reading(study), self._encoded, self._configs)
        if self._guard.hands_over(history):
            self._handed_over = True  # for good: what has ended only grows
            return None
        left, spent = self._clock()
        known = {"seconds_left": left, "seconds_spent": spent, "limit": self.limit, "similarity": self._similarity}
        rng = np.random.default_rng([self._seed, number])
        if wanted := self.wanted.intersection(self.space.families):
            others = self._late.union(set(self.space.families) - wanted)
            only = replace(self.limit or TrialLimit(math.inf), late=others)
            found = self._guard.suggest(history, rng=rng, **known | {"limit": only})
            if found.expected > OPTIONS.least_expected:
                return replace(found, reason=f"{found.reason[:-1]}, among families not tried yet.")
        if self.ahead == 1:
            return self._guard.suggest(history, rng=rng, **known)
        first, *self._ahead = self._guard.suggest_several(history, self.ahead, rng=rng, **known)
        return first

    def _made_ahead(self) -> Suggestion | None:
        """One that was made with an earlier one, of a family that is not late."""
        while self._ahead:
            if family_in((one := self._ahead.pop(0)).config) not in self._late:
                return one
        return None

    def _reading(self, study: Study) -> TrialReading:
        """How the trials of the study are read as numbers."""
        return TrialReading(sign_of(study), self.folds, self.limit)

    def _clock(self) -> tuple[float | None, float | None]:
        """Seconds of trials that are left, and that were spent; None without a budget."""
        if self.seconds is None:
            return None, None
        spent = min(time.monotonic() - self._started, self.seconds)
        return (self.seconds - spent) * self.jobs, spent * self.jobs
