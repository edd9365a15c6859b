"""What is known of the task at hand: the only place where a trial becomes numbers.

A recommender is told `Observation`s, the guard a `History` of points in one space; both come from the trials of an
Optuna study by `of_trials`, read as `TrialReading` says.

Laws: a trial that failed, broke a constraint, or was stopped before it reported anything, counts as the worst there is;
a trial that was stopped counts by what it reported last; nothing is known of a trial that runs until it reports.

Letters:  m evaluations · d encoded dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from autometa.origins import CONFIG, GIVEN, ROWS
from autometa.space import Config, SearchSpace, config_key, family_in
from autometa.space.values import plain, plain_params
from autometa.transfer.cost import TrialLimit
from autometa.transfer.scale import MOST
from autometa.transfer.selection import foremost

Point = tuple[NDArray[np.float64], NDArray[np.bool_]]  # (d,), (d,) as of `SearchSpace.encode`


@dataclass(frozen=True, slots=True)
class TrialReading:
    """How the trials of a study are read as numbers."""

    sign: float = 1.0  # turns a value of the study into a score, larger is better: -1 where it minimises
    folds: int | None = None  # of a trial, if it reports its mean over them; None: reports follow its training
    limit: TrialLimit | None = None  # what one trial may take

    # What is missing of a trial lowers its fidelity by so much where folds are missing: they differ, but do not drift
    # as a training does. Counted as a training, hopeless trials were hardly believed, and `fit` tried their
    # look-alikes. The value is judgement, not measured.
    fold_difference: float = 0.2

    # Share of the limit above which a trial of a family that stops early may have been cut short, so that nobody knows
    # what it takes. Judgement, not measured.
    cut_short: float = 0.5


@dataclass(frozen=True, slots=True)
class Observation:
    """One trial as numbers."""

    number: int
    given: Config  # what it was told to try
    tried: Config  # what ran; what was given while that is not known
    score: float  # larger is better, any unit; NaN = not known yet, -inf = failed
    seconds: float  # that a whole trial of it takes; NaN = unknown
    fidelity: float  # in [0, 1], 1 = of a whole trial
    running: bool  # or waiting
    constraints: Mapping[str, float] = field(default_factory=dict)  # feasible up to 0

    @classmethod
    def of_trials(
        cls, trials: Iterable[FrozenTrial], reading: TrialReading, configs: dict[int, Config] | None = None
    ) -> list[Observation]:
        """The trials whose configuration is known, in their order; those on other rows are left out.

        `configs` are those of trials that ended, by their number; it is added to, so that each is read once.

        Example:
            >>> import optuna
            >>> study = optuna.create_study(direction="minimize")
            >>> study.optimize(lambda trial: trial.suggest_float("x", 2, 2), n_trials=1)
            >>> [seen] = Observation.of_trials(study.trials, TrialReading(sign=-1.0))
            >>> seen.tried, seen.score, seen.fidelity
            ({'x': 2.0}, -2.0, 1.0)
        """
        trials = [trial for trial in trials if ROWS not in trial.user_attrs]
        last, known = _last_step(trials, reading), {} if configs is None else configs
        for trial in trials:
            if trial.state.is_finished() and trial.number not in known and (config := config_of(trial)) is not None:
                known[trial.number] = config
        found = ((t, known[t.number] if t.number in known else config_of(t)) for t in trials)
        return [_observed(trial, config, last, reading) for trial, config in found if config is not None]

    @property
    def results(self) -> list[tuple[Config, float, float]]:
        """As recommenders are told it: configuration, score (NaN while it runs) and seconds.

        Where something else ran than was given, that has the score, and of what was given nothing is known.
        """
        ran = self.tried, math.nan if self.running else self.score, self.seconds
        same = self.tried == self.given or config_key(self.tried) == config_key(self.given)
        return [ran] if same else [ran, (self.given, math.nan, math.nan)]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The evaluations of one task so far; their order never matters.

    See Also:
        `Guard`.
    """

    x: NDArray[np.float64]  # (m, d) as of `SearchSpace.encode_all`
    mask: NDArray[np.bool_]  # (m, d)
    scores: NDArray[np.float64]  # (m,) larger is better, any unit; NaN = running, -inf = failed
    seconds: NDArray[np.float64] | None = None  # (m,) that a whole evaluation takes; NaN = unknown
    fidelity: NDArray[np.float64] | None = None  # (m,) in (0, 1], 1 = full
    constraints: Mapping[str, NDArray[np.float64]] | None = None  # (m,) each, feasible up to 0; NaN = not told

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        configs: Sequence[Config],
        scores: Sequence[float],
        seconds: Sequence[float] | None = None,
        fidelity: Sequence[float] | None = None,
    ) -> History:
        """The history of configurations that `space` contains."""
        x, mask = space.encode_all(configs)
        return cls(
            x,
            mask,
            np.asarray(scores, dtype=float),
            None if seconds is None else np.asarray(seconds, dtype=float),
            None if fidelity is None else np.asarray(fidelity, dtype=float),
        )

    @classmethod
    def of_trials(
        cls,
        space: SearchSpace,
        trials: Iterable[FrozenTrial],
        reading: TrialReading,
        encoded: dict[int, Point] | None = None,
        configs: dict[int, Config] | None = None,
    ) -> History:
        """The trials of a study, pruned and running ones by what they reported last, at a lower fidelity.

        Args:
            space: Where they are encoded; what it does not contain is clipped, trials of other families are left out.
            trials: Of one study.
            reading: How they are read.
            encoded: Number of a trial -> its point, for trials that ended; is added to, so that each is encoded once.
            configs: As `Observation.of_trials` takes them.

        Example:
            >>> import optuna
            >>> from autometa.space import real
            >>> study = optuna.create_study(direction="minimize")
            >>> study.optimize(lambda trial: trial.suggest_float("x", 2, 2), n_trials=1)
            >>> history = History.of_trials(SearchSpace.of(x=real(0.0, 4.0, 1.0)), study.trials, TrialReading(sign=-1))
            >>> history.x, history.scores
            (array([[0.5]]), array([-2.]))
        """
        points = {} if encoded is None else encoded
        families = space.families
        seen = [
            trial
            for trial in Observation.of_trials(trials, reading, configs)
            if not families or family_in(trial.tried) in families
        ]
        for trial in seen:
            if trial.running or trial.number not in points:
                points[trial.number] = space.encode(space.clip(trial.tried)[0])
        names = dict.fromkeys(name for trial in seen for name in trial.constraints)
        told = {name: np.array([t.constraints.get(name, math.nan) for t in seen], dtype=float) for name in names}
        return cls(
            np.array([points[trial.number][0] for trial in seen], dtype=float).reshape(len(seen), space.d),
            np.array([points[trial.number][1] for trial in seen], dtype=bool).reshape(len(seen), space.d),
            np.array([trial.score for trial in seen], dtype=float),
            np.array([trial.seconds for trial in seen], dtype=float) if seen else None,
            np.array([trial.fidelity for trial in seen], dtype=float) if seen else None,
            told or None,
        )

    def __len__(self) -> int:
        """The number of evaluations, m, running and failed ones among them."""
        return len(self.scores)

    def at(self, rows: NDArray) -> History:
        """Some of the evaluations."""
        return History(
            self.x[rows],
            self.mask[rows],
            self.scores[rows],
            None if self.seconds is None else self.seconds[rows],
            None if self.fidelity is None else self.fidelity[rows],
            None if self.constraints is None else {name: told[rows] for name, told in self.constraints.items()},
        )

    def with_constraints(self, constraints: Mapping[str, NDArray[np.float64]]) -> History:
        """With what the evaluations said of constraints, (m,) each."""
        return replace(self, constraints=dict(constraints))

    def with_running(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> History:  # (d,), (d,)
        """With one more trial that runs."""

        def longer(values: NDArray[np.float64] | None, last: float) -> NDArray[np.float64] | None:
            return None if values is None else np.append(values, last)

        told = {name: np.append(values, math.nan) for name, values in (self.constraints or {}).items()}
        return History(
            np.vstack([self.x, x]),
            np.vstack([self.mask, mask]),
            np.append(self.scores, math.nan),
            longer(self.seconds, math.nan),
            longer(self.fidelity, 1.0),
            told or None,
        )

    @property
    def infeasible(self) -> NDArray[np.bool_]:  # (m,)
        """Which evaluations broke a constraint."""
        told = list((self.constraints or {}).values())
        return np.any(np.array(told) > 0, axis=0) if told else np.zeros(len(self), dtype=bool)


def thinned(history: History, most: int) -> History:
    """At most `most` evaluations: the best third of that, and of the others an even selection by their score.

    Running evaluations stay. So the time that an answer takes is bounded, whatever the number of trials.
    """
    if len(history) <= most:
        return history
    running = np.flatnonzero(np.isnan(history.scores))
    others = np.flatnonzero(~np.isnan(history.scores))
    order = others[np.lexsort((*history.x[others].T, -history.scores[others]))]
    return history.at(np.concatenate([foremost(order, most), running]))


def bounded(value: float) -> float:
    """A value no further from 0 than `scale.MOST`, so that differences and squares of values stay finite."""
    return min(max(value, -MOST), MOST)


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether a trial kept its constraints, as far as it said so (Optuna's `set_constraint`, or `constraints_func`)."""
    return all(value <= 0.0 for value in trial.constraints.values())


def config_of(trial: FrozenTrial) -> Config | None:
    """The configuration that ran, once that is known; before, what the trial was given; None while it is sampled.

    Of a trial that failed before it asked for all of its parameters, the rest is what it was given.
    """
    given = trial.user_attrs.get(CONFIG)
    if not trial.state.is_finished():
        return given if given is not None else _plain(trial.system_attrs.get("fixed_params"))
    ran = plain_params(trial.params, trial.distributions)
    return {**(given or {}), **ran} if trial.state == TrialState.FAIL or not ran else ran


def given_to(trial: FrozenTrial) -> Config | None:
    """The configuration that a trial was given, whatever ran; else the one that it has."""
    given = trial.user_attrs.get(GIVEN, trial.user_attrs.get(CONFIG))
    return config_of(trial) if given is None else given


def _plain(config: Config | None) -> Config | None:
    return None if config is None else {name: plain(value) for name, value in config.items()}


def _observed(trial: FrozenTrial, config: Config, last: int | None, reading: TrialReading) -> Observation:
    ended = trial.state.is_finished()
    score, fidelity, step = _score(trial, reading), 1.0, trial.last_step
    if math.isnan(score) and step is not None:
        missing = 0.0 if last is None else 1.0 - _share_done(step, last)
        fidelity = 1.0 - missing * (1.0 if reading.folds is None else reading.fold_difference)
        reported = trial.intermediate_values[step]
        score = reading.sign * bounded(reported) if math.isfinite(reported) else math.nan
    given, told = given_to(trial) or config, trial.constraints
    return Observation(trial.number, given, config, score, _takes(trial, last, reading), fidelity, not ended, told)


def _score(trial: FrozenTrial, reading: TrialReading) -> float:
    """What it ended with; NaN if not known (yet), -inf if it failed, is infeasible, or was pruned unreported."""
    if not is_feasible(trial):
        return -math.inf
    if trial.state == TrialState.FAIL or (trial.state == TrialState.PRUNED and trial.last_step is None):
        return -math.inf
    if trial.state != TrialState.COMPLETE or trial.value is None:
        return math.nan
    return reading.sign * bounded(trial.value) if math.isfinite(trial.value) else -math.inf


def _last_step(trials: Iterable[FrozenTrial], reading: TrialReading) -> int | None:
    """The step at which a whole trial reports last; None where that is not known yet."""
    if reading.folds is not None:
        return reading.folds - 1
    steps = (trial.last_step for trial in trials if trial.state == TrialState.COMPLETE)
    return max((step for step in steps if step is not None), default=None)


def _share_done(step: int, last: int) -> float:
    """The share of a whole trial that was done when it reported at `step`."""
    return min((step + 1) / (last + 1), 1.0)


def _takes(trial: FrozenTrial, last: int | None, reading: TrialReading) -> float:
    """Seconds that a whole trial of this configuration takes, by what this one took; NaN if that does not say."""
    took = math.nan if trial.duration is None else trial.duration.total_seconds()
    limit = math.inf if reading.limit is None else reading.limit.seconds
    if trial.state == TrialState.PRUNED and trial.last_step is not None:
        took /= math.nan if last is None else _share_done(trial.last_step, last)
    elif trial.state == TrialState.PRUNED:  # before the first report: for want of time, or for another reason
        took *= (reading.folds or 1) if took >= limit else math.nan
    elif trial.state != TrialState.COMPLETE:
        return math.nan
    stops_early = reading.limit is not None and family_in(trial.params) in reading.limit.growing
    return math.nan if stops_early and took > reading.cut_short * limit else took
