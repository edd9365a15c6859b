"""A trial becomes numbers: what it scored, what a whole one takes, and how much it says."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial

from autometa.origins import CONFIG
from autometa.space import FAMILY, SearchSpace, choice, integer, real
from autometa.transfer import History
from autometa.transfer.cost import TrialLimit
from autometa.transfer.observation import Observation, TrialReading

optuna.logging.set_verbosity(optuna.logging.ERROR)

SPACE = SearchSpace.cash(
    {
        "tree": SearchSpace.of(depth=integer(1, 16, 6), rule=choice("gini", "entropy")),
        "line": SearchSpace.of(rate=real(1e-4, 1.0, 0.1, log=True)),
    }
)


@pytest.mark.parametrize(("folds", "fidelity"), [(None, 0.2), (5, 0.84)])
def test_a_pruned_trial_counts_by_what_it_reported_and_as_failed_if_it_reported_nothing(
    folds: int | None, fidelity: float
) -> None:
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=0))
    for reported in (0.4, None, 0.9):
        trial = study.ask()
        SPACE.suggest(trial)
        if reported is None:
            study.tell(trial, state=TrialState.PRUNED)
        elif reported == 0.4:
            trial.report(reported, step=0)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.report(reported, step=4)
            study.tell(trial, reported)
    history = History.of_trials(SPACE, study.get_trials(), TrialReading(folds=folds))
    np.testing.assert_array_equal(history.scores, [0.4, -np.inf, 0.9])
    assert history.fidelity is not None
    np.testing.assert_allclose(history.fidelity, [fidelity, 1.0, 1.0])


@pytest.mark.parametrize(
    ("state", "steps", "seconds", "family", "takes"),
    [
        (TrialState.COMPLETE, 5, 4.0, "line", 4.0),
        (TrialState.PRUNED, 2, 4.0, "line", 10.0),  # two folds of five
        (TrialState.PRUNED, 0, 12.0, "line", 60.0),  # ran out of time in the first fold
        (TrialState.PRUNED, 0, 4.0, "line", np.nan),  # for another reason
        (TrialState.FAIL, 0, 12.0, "line", np.nan),
        (TrialState.COMPLETE, 5, 8.0, "tree", np.nan),  # perhaps cut short
        (TrialState.COMPLETE, 5, 4.0, "tree", 4.0),
    ],
)
def test_what_a_trial_took_says_what_a_whole_one_takes(
    state: TrialState, steps: int, seconds: float, family: str, takes: float
) -> None:
    limit = TrialLimit(10.0, frozenset({"tree"}))
    study = optuna.create_study(direction="maximize")
    config = next(c for c in SPACE.defaults() if c[FAMILY] == family)
    trial = create_trial(
        state=state,
        value=0.7 if state == TrialState.COMPLETE else None,
        params=config,
        distributions={p.name: p.distribution for p in SPACE if p.name in config},
        intermediate_values=dict.fromkeys(range(steps), 0.7),
    )
    trial.datetime_start = datetime(2026, 1, 1)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=seconds)
    study.add_trial(trial)
    history = History.of_trials(SPACE, study.get_trials(), TrialReading(folds=5, limit=limit))
    np.testing.assert_allclose(history.seconds, [takes])


def test_what_a_study_minimises_is_negated_and_what_is_not_finite_has_failed() -> None:
    study = optuna.create_study(direction="minimize", sampler=RandomSampler(seed=0))
    study.optimize(lambda trial: [2.0, float("inf")][trial.number] + 0 * trial.suggest_float("x", 0, 1), n_trials=2)
    assert [seen.score for seen in Observation.of_trials(study.trials, TrialReading(sign=-1.0))] == [-2.0, -np.inf]


def test_a_recommender_is_told_what_was_given_and_nothing_of_what_runs() -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    trial = study.ask()
    assert Observation.of_trials(study.trials, TrialReading()) == []  # being sampled
    trial.set_user_attr(CONFIG, {"x": 3.0})
    trial.suggest_float("x", 0.0, 1.0)
    trial.report(0.5, step=0)
    [seen] = Observation.of_trials(study.trials, TrialReading(folds=5))
    assert seen.running
    assert (seen.given, seen.score) == ({"x": 3.0}, 0.5)
    assert seen.fidelity == pytest.approx(0.84)
    assert [np.isnan(score) for _, score, _ in seen.results] == [True]


def test_a_trial_that_ended_is_encoded_once() -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.optimize(lambda trial: float(len(SPACE.suggest(trial))), n_trials=3)
    SPACE.suggest(study.ask())
    kept: dict = {}
    first = History.of_trials(SPACE, study.trials, TrialReading(), kept)
    before = dict(kept)
    again = History.of_trials(SPACE, study.trials, TrialReading(), kept)
    np.testing.assert_array_equal(first.x, again.x)
    assert [kept[k] is before[k] for k in range(3)] == [True, True, True]
