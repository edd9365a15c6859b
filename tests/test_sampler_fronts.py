"""What is promised of studies of several objectives: past fronts first, then the cold sampler."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import Trial

from autometa import MetaStore, WarmStartSampler, remember_study
from autometa.origins import CONFIG, ORIGIN, REASON, Origin
from autometa.sampler.fronts import PastFronts
from autometa.space import SearchSpace, real
from autometa.studies import About
from autometa.transfer.kernels import Layout
from autometa.transfer.several import FrontCover, TaskFront, is_front

optuna.logging.set_verbosity(optuna.logging.ERROR)

pytestmark = pytest.mark.filterwarnings(
    "ignore::optuna.exceptions.ExperimentalWarning", "ignore:Choices for a categorical"
)


@pytest.fixture
def store(tmp_path: Path) -> MetaStore:
    return MetaStore(tmp_path / "team.db")


def two(trial: Trial, at: float = 0.2) -> tuple[float, float]:
    """Loss to be minimised and gain to be maximised; the front is `x` between `at` and .6, with `y` at .5."""
    x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
    return (x - at) ** 2 + (y - 0.5) ** 2, -((x - 0.6) ** 2) - (y - 0.5) ** 2


WAYS = ["minimize", "maximize"]


def past_studies(
    store: MetaStore, objective: Any = two, directions: list[str] = WAYS, names: list[str] | None = None
) -> list[optuna.Study]:
    studies = []
    for i in range(3):
        study = optuna.create_study(directions=directions, study_name=f"past {i}", sampler=RandomSampler(seed=i))
        if names:
            study.set_metric_names(names)
        study.optimize(objective, 25)
        assert [remember_study(study, store, "mine") for _ in range(2)] == [25, 0]
        studies.append(study)
    return studies


def new_study(store: MetaStore, directions: list[str] = WAYS, **options: Any) -> optuna.Study:
    sampler = WarmStartSampler(store, space="mine", seed=0, **options)
    return optuna.create_study(directions=directions, sampler=sampler)


def recommended(study: optuna.Study) -> list[bool]:
    return [Origin(trial.user_attrs[ORIGIN]).recommended for trial in study.trials]


def test_the_first_trials_are_on_past_fronts_and_then_the_cold_sampler_goes_on(store: MetaStore) -> None:
    past = past_studies(store)
    study = new_study(store, n_initial=4)
    study.optimize(two, 8)
    assert recommended(study) == [True] * 4 + [False] * 4
    fronts = [trial.params for one in past for trial in one.best_trials]
    assert all(trial.params in fronts for trial in study.trials[:4])
    assert len({repr(trial.params) for trial in study.trials[:4]}) == 4
    assert all(abs(trial.params["y"] - 0.5) < 0.3 for trial in study.trials[:4])
    assert "Pareto front of past" in study.trials[0].user_attrs[REASON]
    assert "most hypervolume" in study.trials[0].user_attrs[REASON]


def test_with_a_past_its_hypervolume_is_larger_than_cold(store: MetaStore) -> None:
    past_studies(store)
    volumes = []
    for sampler in (WarmStartSampler(store, space="mine", seed=0), TPESampler(seed=0)):
        study = optuna.create_study(directions=WAYS, sampler=sampler)
        study.optimize(two, 6)
        points = np.array([[trial.values[0], -trial.values[1]] for trial in study.trials])
        inside = points[(points < 0.3).all(axis=1)]
        volumes.append(optuna._hypervolume.compute_hypervolume(inside, np.full(2, 0.3)) if len(inside) else 0.0)
    assert volumes[0] > volumes[1]


def test_without_a_past_it_is_optunas_default(store: MetaStore) -> None:
    runs = []
    for sampler in (TPESampler(seed=3), WarmStartSampler(None, seed=3), WarmStartSampler(store, space="mine", seed=3)):
        study = optuna.create_study(directions=WAYS, sampler=sampler)
        study.optimize(two, 14)
        runs.append([trial.params for trial in study.trials])
    assert runs[0] == runs[1] == runs[2]


def test_a_seed_repeats_and_a_pickled_sampler_goes_on(store: MetaStore) -> None:
    past_studies(store)
    whole, first = new_study(store, n_initial=3), new_study(store, n_initial=3)
    whole.optimize(two, 8)
    first.optimize(two, 2)
    first.sampler = pickle.loads(pickle.dumps(first.sampler))
    first.optimize(two, 6)
    assert [t.params for t in whole.trials] == [t.params for t in first.trials]


def test_objectives_compare_by_their_names_in_any_order(store: MetaStore) -> None:
    past_studies(store, names=["loss", "gain"])
    study = new_study(store, ["maximize", "minimize"])
    study.set_metric_names(["gain", "loss"])
    study.optimize(lambda trial: two(trial)[::-1], 3)
    assert all(recommended(study))
    for names, ways in ((["loss", "speed"], WAYS), (["loss", "gain"], ["minimize", "minimize"])):
        other = new_study(store, ways)
        other.set_metric_names(names)
        other.optimize(two, 2)
        assert not any(recommended(other))


def test_another_number_of_objectives_or_other_directions_do_not_compare_which_is_said(
    store: MetaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_studies(store)
    said: list[str] = []
    monkeypatch.setattr("autometa.sampler.fronts._log.info", said.append)
    for ways in (["minimize"] * 3, ["maximize", "minimize"]):
        study = new_study(store, ways)
        study.optimize(three if len(ways) == 3 else two, 3)
        assert not any(recommended(study))
    assert len(said) == 2
    assert all("Of 3 past tasks with several objectives none has those of this study" in text for text in said)


def three(trial: Trial) -> tuple[float, float, float]:
    return (*two(trial), 1.0)


def test_pasts_of_one_and_of_several_objectives_are_kept_apart(store: MetaStore) -> None:
    past_studies(store)
    for i in range(3):
        study = optuna.create_study(study_name=f"one {i}", sampler=RandomSampler(seed=i))
        study.optimize(lambda trial: two(trial)[0], 10)
        remember_study(study, store, "mine")
    single, several = optuna.create_study(sampler=WarmStartSampler(store, space="mine", seed=0)), new_study(store)
    single.optimize(lambda trial: two(trial)[0], 2)
    several.optimize(two, 2)
    assert all(recommended(single) + recommended(several))
    assert "Pareto" in several.trials[0].user_attrs[REASON]
    assert "Pareto" not in single.trials[0].user_attrs[REASON]


def test_what_is_infeasible_or_failed_is_on_no_front(store: MetaStore) -> None:
    def constrained(trial: Trial) -> tuple[float, float]:
        values = two(trial)
        trial.set_constraint("c", 0.4 - trial.params["x"])
        return values if trial.number % 5 else (float("nan"), 0.0)

    past_studies(store, constrained)
    study = new_study(store, n_initial=5)
    study.optimize(two, 5)
    assert min(trial.params["x"] for trial in study.trials) >= 0.4


def test_categories_conditions_and_a_changed_space(store: MetaStore) -> None:
    def before(trial: Trial) -> tuple[float, float]:
        size = len(trial.suggest_categorical("size", [[1], [2, 2]]))
        more = trial.suggest_float("z", 0, 1) if size == 2 else 0.0
        return trial.suggest_float("x", 0, 1) + more, size - trial.params["x"]

    def now(trial: Trial) -> tuple[float, float]:
        trial.suggest_int("new", 1, 3)
        x = trial.suggest_float("x", 0, 0.5)
        return x, len(trial.suggest_categorical("size", [[1], [2, 2], [3]])) - x

    past_studies(store, before)
    study = new_study(store)
    assert isinstance(study.sampler, WarmStartSampler)
    assert study.sampler.recommend(study)[0].config["size"] in ([1], [2, 2])
    study.optimize(now, 6)
    assert all(recommended(study)[:3])
    assert all(trial.params["x"] <= 0.5 and "new" in trial.params for trial in study.trials)
    assert all(
        trial.user_attrs[CONFIG] == trial.user_attrs[CONFIG] | {"x": trial.params["x"]} for trial in study.trials[:3]
    )


def test_workers_are_given_different_configurations(store: MetaStore) -> None:
    past_studies(store)
    study = new_study(store, n_initial=6)
    asked = [study.ask() for _ in range(6)]
    for trial in asked:
        two(trial)
    assert len({repr(trial.params) for trial in study.trials}) == 6


def test_a_study_does_not_take_its_own_trials_for_the_past(store: MetaStore) -> None:
    study = optuna.create_study(directions=WAYS, sampler=RandomSampler(seed=0))
    study.optimize(two, 5)
    remember_study(study, store, "mine")
    study.sampler = WarmStartSampler(store, space="mine", seed=0)
    study.optimize(two, 2)
    assert not any(recommended_trial(trial) for trial in study.trials)


def recommended_trial(trial: Any) -> bool:
    return ORIGIN in trial.user_attrs and Origin(trial.user_attrs[ORIGIN]).recommended


# ---------------------------------------------------------------------------------------------------------- the cover


def test_a_front_is_what_nothing_dominates() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 3))
    scores[3] = -np.inf
    naive = [
        bool(np.isfinite(a).all()) and not any((b >= a).all() and (b > a).any() for b in scores if np.isfinite(b).all())
        for a in scores
    ]
    assert is_front(scores).tolist() == naive


def test_of_two_past_tasks_that_disagree_results_choose_the_one_that_fits() -> None:
    space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
    tried = space.encode_all([{"x": k / 20} for k in range(21)])
    x = tried.x[:, 0]

    def scores(at: float) -> np.ndarray:
        return np.stack([-((x - at) ** 2), -((x - at - 0.1) ** 2)], axis=1)

    cover = FrontCover(Layout(space), [TaskFront("left", tried, scores(0.1)), TaskFront("right", tried, scores(0.8))])
    some = [2, 6, 10, 14, 18]
    weights = cover.weights(tried.x[some], scores(0.8)[some])
    assert weights[1] > 3 * weights[0]
    assert cover.choose(tried, tried.x[:0], scores(0.8)[:0], 0) == []
    assert len(set(cover.choose(tried, tried.x[:0], scores(0.8)[:0], 5))) == 5


def test_no_past_proposes_nothing() -> None:
    study = optuna.create_study(directions=WAYS)
    assert PastFronts([], study, {}, "mine", About()).propose(study, [], set(), 3) == []


def test_a_sampler_that_served_one_study_serves_the_next_as_a_fresh_one(store: MetaStore) -> None:
    past_studies(store)

    def served(sampler: WarmStartSampler) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=sampler, directions=WAYS)
        study.optimize(two, 4)
        return [trial.params for trial in study.trials if recommended_trial(trial)]

    sampler = WarmStartSampler(store, "mine", seed=0)
    optuna.create_study(sampler=sampler, directions=WAYS).optimize(lambda trial: two(trial, 0.7), 6)
    assert served(sampler) == served(WarmStartSampler(store, "mine", seed=0))
