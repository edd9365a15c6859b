"""The first trials of a study of several objectives: from the fronts of past studies.

Past studies compare if they have as many objectives, under the same names and directions; where one of the two studies
has no names, the directions in their order decide. Their front members, as configurations of today's space, are the
candidates; `FrontCover` puts them in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autometa.origins import Origin
from autometa.sampler.options import OPTIONS
from autometa.sampler.trials import given_origin, taken_keys
from autometa.space import Config, SearchSpace, config_key
from autometa.store import PastTasks
from autometa.store.told import ToldTask
from autometa.studies import About, AdaptedPast, FollowedPast
from autometa.studies.adapting import today
from autometa.studies.distributions import Distributions
from autometa.studies.keeping import OBJECTIVE, objectives_of, objectives_told, signs_of
from autometa.transfer.kernels import Layout
from autometa.transfer.observation import bounded, config_of, given_to, is_feasible
from autometa.transfer.options import OPTIONS as TRANSFER
from autometa.transfer.reasons import Recommendation, counted
from autometa.transfer.selection import evenly
from autometa.transfer.several import FrontCover, TaskFront, is_front

_log = optuna.logging.get_logger("optuna.autometa")


class FrontRecommender:
    """Recommends for studies of several objectives, each by the past studies that compare with it."""

    def __init__(
        self, told: Sequence[ToldTask], n_initial: int | None, renamed: Mapping[str, str], space_name: str, about: About
    ) -> None:
        """`told` are the past studies of several objectives in the named space; `n_initial` trials are recommended."""
        self.n_initial = OPTIONS.several_initial if n_initial is None else n_initial
        self._told, self._renamed, self._space_name, self._about = list(told), renamed, space_name, about
        self._of: dict[str, PastFronts] = {}  # objectives -> past studies that compare
        self._said: set[str] = set()

    def forget(self) -> None:
        """What a study showed of its space: another one begins."""
        self._of = {}

    def recommend(self, study: Study, trials: Sequence[FrozenTrial], most: int, others: int) -> list[Recommendation]:
        """The next ones, none once `n_initial` were given. `others` past tasks have one objective, which is said."""
        if others and not len(self._past(study)):
            said = counted(others, "past task")
            self._say([f"Of {said} with one objective nothing is used: this study has several."])
        given = [given_to(trial) for trial in trials if (origin := given_origin(trial)) and origin.recommended]
        count = len({config_key(config) for config in given if config is not None})  # a retried trial counts once
        if count >= self.n_initial:
            return []
        past = self._past(study)
        if past.follow(study, trials):
            self._say(past.adapted.notes)
        taken = taken_keys(trials, {})
        found = past.propose(study, trials, taken, min(most, self.n_initial - count))
        return [Recommendation(config, Origin.PORTFOLIO, None, reason, ()) for config, reason in found]

    def asked_by(self, study: Study) -> Distributions:
        """How studies that compare ask for the parameters: categories of any type."""
        return self._past(study).adapted.asked

    def _past(self, study: Study) -> PastFronts:
        key = repr(objectives_of(study))
        if key not in self._of:
            self._of[key] = past = PastFronts(self._told, study, self._renamed, self._space_name, self._about)
            if self._told and not len(past):
                wanted = ", ".join(f"{name or 'objective'} ({direction})" for name, direction in objectives_of(study))
                count = counted(len(self._told), "past task")
                self._say([f"Of {count} with several objectives none has those of this study: {wanted}."])
            self._say(past.adapted.notes)
        return self._of[key]

    def _say(self, notes: Iterable[str]) -> None:
        for said in notes:
            if said not in self._said:
                self._said.add(said)
                _log.info(said)


class PastFronts:
    """Past studies of several objectives that compare with a study, in its space as far as that is known."""

    def __init__(
        self, told: Sequence[ToldTask], study: Study, renamed: Mapping[str, str], space_name: str, about: About
    ) -> None:
        """Picks the studies that compare; nothing is calculated before it is asked for."""
        self._renamed = dict(renamed)
        self._studies = [(task, scores) for task in told if (scores := _scores(task, study)) is not None]
        self._cover: FrontCover | None = None
        self._followed = FollowedPast(
            _as_past([task for task, _ in self._studies]), renamed=renamed, space_name=space_name, about=about
        )
        self.adapted = self._followed.first()

    def __len__(self) -> int:
        """How many past studies compare."""
        return len(self._studies)

    def follow(self, study: Study, trials: Iterable[FrozenTrial]) -> bool:
        """Whether trials showed something new of the space, to which the past was then adapted."""
        adapted: AdaptedPast | None = self._followed.follow(study, trials)
        if adapted is None:
            return False
        self.adapted, self._cover = adapted, None
        return True

    def propose(
        self, study: Study, trials: Sequence[FrozenTrial], taken: set[str], most: int
    ) -> list[tuple[Config, str]]:
        """The next configurations and why; none of `taken`, the keys of what was given or ran."""
        space = self.adapted.space
        if space is None or not self._studies:
            return []
        if self._cover is None:
            self._prepare(space)
        assert self._cover is not None
        rows = [row for row, config in enumerate(self._candidates) if config_key(config) not in taken]
        if not rows:
            return []
        among = space.encode_all([self._candidates[row] for row in rows])
        chosen = self._cover.choose(among, *_results(study, trials, space), most)
        found = [rows[row] for row in chosen]
        return [(dict(self._candidates[row]), self._reason(study, row)) for row in found]

    def _prepare(self, space: SearchSpace) -> None:
        """The past in the space, and the members of its fronts."""
        past, candidates, said = [], dict[str, Config](), dict[str, tuple[str, NDArray[np.float64]]]()
        for task, scores in self._studies[-TRANSFER.front_tasks :]:
            fitted = [today(config, space, self._renamed) for config in task.configs]
            rows = [row for row, config in enumerate(fitted) if config is not None]
            configs = [config for config in fitted if config is not None]
            if not rows:
                continue
            past.append(TaskFront(task.record.name, space.encode_all(configs), scores[rows]))
            front = np.flatnonzero(is_front(scores[rows]))
            order = front[np.argsort(-scores[rows][front, 0], kind="stable")]
            for row in order[evenly(len(order), TRANSFER.front_members)]:
                key = config_key(configs[row])
                candidates.setdefault(key, configs[row])
                said.setdefault(key, (task.record.name, scores[rows][row]))
        self._cover = FrontCover(Layout(space), past)
        self._candidates, self._said = list(candidates.values()), list(said.values())

    def _reason(self, study: Study, row: int) -> str:
        name, scores = self._said[row]
        values = zip(objectives_of(study), signs_of(study), scores, strict=True)
        told = ", ".join(f"{objective or 'objective'} {sign * score:.4g}" for (objective, _), sign, score in values)
        return (
            f"On the Pareto front of {name} ({told}); of the untried ones it adds the most hypervolume over "
            f"{counted(len(self._studies), 'past task')}."
        )


def _scores(task: ToldTask, study: Study) -> NDArray[np.float64] | None:
    """What a past study's trials scored, (n, k), in the order of the study's objectives; None if not comparable."""
    then, now = objectives_told(task.record), objectives_of(study)
    if len(then) != len(now):
        return None
    named = all(name for name, _ in then) and all(name for name, _ in now)
    order = list(range(len(now)))
    if named:
        if sorted(map(tuple, then)) != sorted(map(tuple, now)):
            return None
        order = [then.index(one) for one in now]
    elif [direction for _, direction in then] != [direction for _, direction in now]:
        return None
    missing = np.full(len(task.configs), np.nan)
    scores = np.stack([task.metrics.get(f"{OBJECTIVE}{k}", missing) for k in order], axis=1)
    return np.where((task.ended_well & np.isfinite(scores).all(axis=1))[:, None], scores, -np.inf)


def _as_past(tasks: Sequence[ToldTask]) -> PastTasks:
    """The studies as `adapt` takes them: their configurations, the front members of each above the others."""
    column_of: dict[str, int] = {}
    configs: list[Config] = []
    for task in tasks:
        for config in task.configs:
            if column_of.setdefault(config_key(config), len(configs)) == len(configs):
                configs.append(config)
    scores = np.full((len(tasks), len(configs)), np.nan)
    for row, task in enumerate(tasks):
        told = [values for name, values in task.metrics.items() if name.startswith(OBJECTIVE)]
        good = is_front(np.stack(told, axis=1)) & task.ended_well if told else np.zeros(len(task.configs), dtype=bool)
        for config, ended, front in zip(task.configs, task.ended_well, good, strict=True):
            scores[row, column_of[config_key(config)]] = float(front) if ended else -np.inf
    records = tuple(replace(task.record) for task in tasks)
    return PastTasks(records, tuple(configs), scores, np.full(scores.shape, np.nan), np.zeros((len(tasks), 0)), ())


def _results(
    study: Study, trials: Sequence[FrozenTrial], space: SearchSpace
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (m, d), (m, k)
    """What was tried here, and what came of it: NaN while it is not known, -inf where it failed or is infeasible."""
    signs, points, scores = signs_of(study), [], []
    for trial in trials:
        config = config_of(trial)
        if config is None:
            continue
        points.append(space.encode(space.clip(config)[0]).x)
        values = [s * bounded(v) for s, v in zip(signs, trial.values or [], strict=False)]
        if trial.state == TrialState.COMPLETE and is_feasible(trial) and np.isfinite(values).all():
            scores.append(values)
        else:
            scores.append([-np.inf if trial.state.is_finished() else np.nan] * len(signs))
    return np.array(points).reshape(-1, space.d), np.array(scores, dtype=float).reshape(-1, len(signs))
