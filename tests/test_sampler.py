"""What the warm-start sampler promises: the contract of every Optuna sampler, and its own."""

from __future__ import annotations

import pickle
import re
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)
from optuna.trial import Trial, TrialState

from autometa.errors import InputError
from autometa.origins import CONFIG, GIVEN, ORIGIN, REASON, Origin
from autometa.sampler import WarmStartSampler, cold_sampler
from autometa.space import FAMILY, Config, SearchSpace, choice, config_key, integer, real
from autometa.store import Exclusion, MetaStore, PastTasks, TaskRecord
from autometa.studies import adapt, remember_study
from autometa.transfer import OPTIONS, Guard, History

optuna.logging.set_verbosity(optuna.logging.ERROR)

SPACE = SearchSpace.cash(
    {
        "tree": SearchSpace.of(depth=integer(1, 16, 6), rule=choice("gini", "entropy")),
        "line": SearchSpace.of(rate=real(1e-4, 1.0, 0.1, log=True)),
    }
)


def past(configs: list[Config] | None = None, t: int = 12) -> PastTasks:
    """Tasks that each like trees of a certain depth; every fourth likes lines better."""
    if configs is None:
        configs = [
            *SPACE.defaults(),
            *({FAMILY: "tree", "tree.depth": d, "tree.rule": "entropy"} for d in range(1, 16)),
        ]
        configs += [{FAMILY: "line", "line.rate": 10.0**-k} for k in range(4)]
    scores = np.array([[quality(config, 3 + i, 0.5 * (i % 4 == 3)) for config in configs] for i in range(t)])
    records = tuple(TaskRecord(f"f{i}", f"task{i}", "binary", "roc_auc", 100, 5, 2) for i in range(t))
    return PastTasks(records, tuple(configs), scores, np.ones(scores.shape), np.zeros((t, 0)), ())


def quality(config: dict[str, Any], deep: int = 9, bonus: float = 0.0) -> float:
    if config.get(FAMILY) == "line":
        return 0.3 + bonus + 0.1 * abs(np.log10(config["line.rate"]))
    return 1 - 0.05 * abs(config.get("tree.depth", config.get("x", 0)) - deep)


def objective(trial: Trial) -> float:
    return quality(SPACE.suggest(trial))


def study_with(sampler: BaseSampler, **options: Any) -> optuna.Study:
    return optuna.create_study(sampler=sampler, **{"direction": "maximize", **options})


def is_recommended(trial: Any) -> bool:
    return Origin(trial.user_attrs[ORIGIN]).recommended


def warm_configs(study: optuna.Study) -> list[Config]:
    return [t.user_attrs[CONFIG] for t in study.trials if is_recommended(t)]


FLAT = past([{"x": float(x), "y": float(-x)} for x in range(-9, 10)])

with warnings.catch_warnings():
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    JOINT = TPESampler(n_startup_trials=0, multivariate=True, seed=0)


for function in (
    BasicSamplerTestCase.test_single_parameter_objective,
    BasicSamplerTestCase.test_combination_of_different_distributions_objective,
):  # Optuna's parameter sets are lambdas, which all have one id; strict pytest wants them told apart
    function.pytestmark = [  # type: ignore[attr-defined]
        pytest.mark.parametrize(
            mark.args[0], mark.args[1], ids=[f"{mark.args[0]}_{i}" for i in range(len(mark.args[1]))]
        ).mark
        for mark in function.pytestmark  # type: ignore[attr-defined]
    ]


class TestWithSeveralObjectives(MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: WarmStartSampler(cold=RandomSampler(seed=0))


class TestWithoutAPast(RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: WarmStartSampler(cold=pickle.loads(pickle.dumps(JOINT)))


class TestWithAPast(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: WarmStartSampler(FLAT, n_initial=6, cold=pickle.loads(pickle.dumps(JOINT)))


class TestWithAPastThatHasNothingToDoWithIt(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: WarmStartSampler(past(), SPACE, n_initial=4, seed=0)


def test_first_the_recommended_configurations_then_the_guarded_search() -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=4, seed=0))
    study.optimize(objective, n_trials=8)
    origins = [trial.user_attrs[ORIGIN] for trial in study.trials]
    assert all(map(is_recommended, study.trials[:4]))
    assert set(origins[4:]) == {"surrogate"}
    assert all(trial.params == trial.user_attrs[CONFIG] for trial in study.trials)
    assert all(trial.user_attrs[REASON].endswith(".") for trial in study.trials)
    assert study.trials[0].params["tree.depth"] in range(5, 13)


def test_without_a_past_it_is_the_cold_sampler() -> None:
    cold, warm = study_with(cold_sampler(3)), study_with(WarmStartSampler(None, SPACE, seed=3))
    for study in (cold, warm):
        study.optimize(objective, n_trials=25)
    assert [t.params for t in cold.trials] == [t.params for t in warm.trials]


def test_unguided_the_cold_sampler_follows() -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=4, guided=False, seed=0))
    study.optimize(objective, n_trials=6)
    assert [trial.user_attrs[ORIGIN] for trial in study.trials[4:]] == ["search", "search"]


def test_where_the_past_misleads_it_loses_its_say() -> None:
    space = SearchSpace.of(x=real(0.0, 1.0, 0.5), y=real(0.0, 1.0, 0.5))
    rng = np.random.default_rng(0)
    configs = [space.sample(rng) for _ in range(40)]
    records = tuple(TaskRecord(f"f{i}", f"task{i}", "binary", "roc_auc", 100, 5, 2) for i in range(8))
    shape = np.array([np.sin(9 * c["x"]) + np.cos(7 * c["y"]) for c in configs])
    misleading = PastTasks(records, tuple(configs), np.tile(shape, (8, 1)), np.ones((8, 40)), np.zeros((8, 0)), ())
    study = study_with(WarmStartSampler(misleading, space, n_initial=3, seed=0))
    study.optimize(
        lambda t: -np.sin(9 * t.suggest_float("x", 0, 1)) - np.cos(7 * t.suggest_float("y", 0, 1)), n_trials=24
    )
    assert study.trials[3].user_attrs[ORIGIN] == "surrogate"
    said = [re.search(r"this task's own results (\d+)%", trial.user_attrs[REASON]) for trial in study.trials[3:]]
    shares = [int(found.group(1)) if found else 0 for found in said]
    assert min(shares[9:]) >= 80


def test_several_are_suggested_from_one_belief_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(Guard):
        def suggest_several(self, history: History, count: int, **how: Any) -> Any:
            asked.append(count)
            return super().suggest_several(history, count, **how)

    asked: list[int] = []
    monkeypatch.setattr("autometa.transfer.improve.Guard", Counted)
    sampler = WarmStartSampler(past(), SPACE, n_initial=2, seed=0)
    sampler.ahead = 4
    study = study_with(sampler)
    study.optimize(objective, n_trials=2)
    begun = [(trial, SPACE.suggest(trial)) for trial in [study.ask() for _ in range(8)]]
    assert len({config_key(config) for _, config in begun}) == 8
    assert asked == [4, 4]
    assert {trial.user_attrs[ORIGIN] for trial, _ in begun} == {"surrogate"}
    again = pickle.loads(pickle.dumps(sampler))  # what was made ahead is made anew
    assert again.ahead == 4
    assert not again._ahead


def test_after_hundreds_of_trials_the_cold_sampler_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hurried(Guard):
        def suggest(self, history: History, **how: Any) -> Any:
            asked.append(len(history))
            return super().suggest(history, **how)

    asked: list[int] = []
    hurried = partial(Hurried, options=replace(OPTIONS, longest_history=8))
    monkeypatch.setattr("autometa.transfer.improve.Guard", hurried)
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=2, seed=0))
    study.optimize(objective, n_trials=10)
    origins = [trial.user_attrs[ORIGIN] for trial in study.trials]
    assert origins[2:8] == ["surrogate"] * 6
    assert origins[8:] == ["search"] * 2
    assert asked == list(range(2, 8))  # no answer is made in vain
    assert "TPE" in study.trials[8].user_attrs[REASON]


def test_the_origin_can_be_read_while_the_trial_runs() -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=2, seed=0))
    trial = study.ask()
    SPACE.suggest(trial)
    assert is_recommended(trial)


def test_a_study_that_minimises_gets_the_same_configurations_for_negated_values() -> None:
    up = study_with(WarmStartSampler(past(), SPACE, n_initial=6, seed=0))
    down = study_with(WarmStartSampler(past(), SPACE, n_initial=6, seed=0), direction="minimize")
    up.optimize(objective, n_trials=6)
    down.optimize(lambda trial: -objective(trial), n_trials=6)
    assert warm_configs(up) == warm_configs(down)
    assert len(warm_configs(up)) == 6


def test_results_change_what_comes_next() -> None:
    up = study_with(WarmStartSampler(past(), SPACE, n_initial=8, seed=0))
    against = study_with(WarmStartSampler(past(), SPACE, n_initial=8, seed=0))
    up.optimize(objective, n_trials=8)
    against.optimize(lambda trial: -objective(trial), n_trials=8)
    assert warm_configs(up)[:2] == warm_configs(against)[:2]
    assert warm_configs(up) != warm_configs(against)


def test_a_seed_repeats_a_whole_study() -> None:
    runs = []
    for _ in range(2):
        study = study_with(WarmStartSampler(past(), SPACE, n_initial=3, seed=5))
        study.optimize(objective, n_trials=20)
        runs.append([trial.params for trial in study.trials])
    assert runs[0] == runs[1]


def test_a_pickled_sampler_goes_on_where_it_was(tmp_path: Any) -> None:
    storage = optuna.storages.InMemoryStorage()
    whole, first = (
        WarmStartSampler(past(), SPACE, n_initial=4, seed=0),
        WarmStartSampler(past(), SPACE, n_initial=4, seed=0),
    )
    reference = study_with(whole)
    reference.optimize(objective, n_trials=9)
    study = study_with(first, storage=storage, study_name="s")
    study.optimize(objective, n_trials=2)
    resumed = optuna.load_study(study_name="s", storage=storage, sampler=pickle.loads(pickle.dumps(first)))
    resumed.optimize(objective, n_trials=7)
    assert [t.params for t in resumed.trials] == [t.params for t in reference.trials]


def test_a_resumed_study_is_given_only_what_is_left() -> None:
    storage = optuna.storages.InMemoryStorage()
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=5, seed=0), storage=storage, study_name="s")
    study.optimize(objective, n_trials=3)
    fresh = WarmStartSampler(past(), SPACE, n_initial=5, seed=1)
    resumed = optuna.load_study(study_name="s", storage=storage, sampler=fresh)
    resumed.optimize(objective, n_trials=4)
    configs = warm_configs(resumed)
    assert len(configs) == 5
    assert len({config_key(c) for c in configs}) == 5
    assert [t.user_attrs[ORIGIN] for t in resumed.trials[5:]] == ["surrogate", "surrogate"]


def test_enqueued_configurations_are_run_observed_and_not_given_again() -> None:
    alone = study_with(WarmStartSampler(past(), SPACE, n_initial=3, seed=0))
    alone.optimize(objective, n_trials=3)
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=3, seed=0))
    study.enqueue_trial(warm_configs(alone)[0])
    study.enqueue_trial({FAMILY: "line"})
    study.optimize(objective, n_trials=5)
    assert [t.user_attrs[ORIGIN] for t in study.trials[:2]] == ["enqueued", "enqueued"]
    assert study.trials[1].params[FAMILY] == "line"
    assert len(warm_configs(study)) == 3
    assert config_key(warm_configs(alone)[0]) not in {config_key(c) for c in warm_configs(study)}


FALL_BACK = {FAMILY: "line", "line.rate": 0.5}


@pytest.mark.parametrize("fall_backs", [1, 2])
@pytest.mark.parametrize("origin", ["fallback", "default"], ids=["today", "in a run made before"])
def test_a_fall_back_is_no_recommendation(fall_backs: int, origin: str) -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=4, seed=0))
    for k in range(fall_backs):
        SPACE.suggest(trial := study.ask())
        study.tell(trial, state=TrialState.FAIL)
        study.enqueue_trial({**FALL_BACK, "line.rate": 0.5 / (k + 1)}, user_attrs={ORIGIN: origin, REASON: "Cheap."})
        study.optimize(objective, n_trials=1)
    study.optimize(objective, n_trials=6 - fall_backs)
    given = [trial for trial in study.trials if CONFIG in trial.user_attrs and is_recommended(trial)]
    assert len({config_key(trial.user_attrs[CONFIG]) for trial in given}) == 4
    assert [trial.user_attrs[ORIGIN] for trial in study.trials].count(origin) >= fall_backs


@pytest.mark.parametrize("origin", ["portfolio", "search"])
def test_an_enqueued_trial_counts_for_nothing_whatever_attributes_it_brings_along(origin: str) -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=3, seed=0))
    study.enqueue_trial(FALL_BACK, user_attrs={ORIGIN: origin, REASON: "Because.", CONFIG: FALL_BACK})
    study.optimize(objective, n_trials=5)
    assert [is_recommended(trial) for trial in study.trials[1:]] == [True, True, True, False]


def test_making_a_sampler_starts_no_process_and_writes_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MetaStore(tmp_path / "team.db")
    for i in range(6):
        study = optuna.create_study(study_name=f"past {i}", sampler=RandomSampler(seed=i))
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
        remember_study(study, store, "mine")
    content, files = (tmp_path / "team.db").read_bytes(), sorted(tmp_path.iterdir())
    monkeypatch.setattr("subprocess.Popen.__init__", lambda *arguments, **options: pytest.fail("a process was started"))
    sampler = WarmStartSampler(store, space="mine")
    assert sampler.space is not None
    assert store.weights("mine") == (None, 0)
    assert ((tmp_path / "team.db").read_bytes(), sorted(tmp_path.iterdir())) == (content, files)


def test_a_failed_configuration_is_not_tried_again() -> None:
    def failing(trial: Trial) -> float:
        SPACE.suggest(trial)
        raise ArithmeticError

    study = study_with(WarmStartSampler(past(), SPACE, n_initial=5, seed=0))
    study.optimize(failing, n_trials=7, catch=(ArithmeticError,))
    assert all(trial.state == TrialState.FAIL for trial in study.trials)
    assert len({config_key(c) for c in warm_configs(study)}) == 5
    assert study.trials[-1].user_attrs[ORIGIN] == "surrogate"


def test_a_trial_that_is_tried_again_counts_once() -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=3, seed=0))
    SPACE.suggest(trial := study.ask())
    study.tell(trial, state=TrialState.FAIL)
    dead = study.trials[0]
    study.enqueue_trial(dead.params, user_attrs=dead.user_attrs)  # as Optuna does for a worker that died
    study.optimize(objective, n_trials=4)
    assert [is_recommended(t) for t in study.trials] == [True, True, True, True, False]
    assert study.trials[1].params == dead.params
    assert len({config_key(c) for c in warm_configs(study)}) == 3


def test_running_configurations_are_taken() -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=4, seed=0))
    asked = [SPACE.suggest(study.ask()) for _ in range(6)]
    assert len({config_key(c) for c in asked[:4]}) == 4
    assert len(warm_configs(study)) == 4


def test_threads_are_given_different_configurations() -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=8, seed=0))
    gate = threading.Barrier(2, timeout=5)

    def together(trial: Trial) -> float:
        gate.wait()
        return objective(trial)

    study.optimize(together, n_trials=8, n_jobs=2)
    assert len({config_key(c) for c in warm_configs(study)}) == 8


def test_two_processes_that_choose_the_same_do_not_both_keep_it() -> None:
    storage = optuna.storages.InMemoryStorage()
    first = study_with(WarmStartSampler(past(), SPACE, n_initial=8, seed=0), storage=storage, study_name="s")
    other = optuna.load_study(
        study_name="s", storage=storage, sampler=WarmStartSampler(past(), SPACE, n_initial=8, seed=0)
    )
    sampler = first.sampler
    assert isinstance(sampler, WarmStartSampler)
    original = sampler._recommend
    late: list[Config] = []

    def slow(study: optuna.Study, trials: Any, m: int) -> Any:
        found = original(study, trials, m)
        if not late:  # the other process is given the same configuration between our choice and our note
            late.append(SPACE.suggest(other.ask()))
        return found

    sampler._recommend = slow  # type: ignore[method-assign]
    mine = SPACE.suggest(first.ask())
    assert config_key(mine) != config_key(late[0])


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_of_five_that_begin_together_no_two_keep_the_same_however_slow_the_storage(seconds: float) -> None:
    class Slow(optuna.storages.InMemoryStorage):
        def set_trial_user_attr(self, *args: Any, **kwargs: Any) -> None:
            time.sleep(seconds)
            super().set_trial_user_attr(*args, **kwargs)

    storage, gate = Slow(), threading.Barrier(5, timeout=20)
    study_with(WarmStartSampler(past(), SPACE), storage=storage, study_name="s")

    def work(own: WarmStartSampler) -> Config:
        study = optuna.load_study(study_name="s", storage=storage, sampler=own)
        gate.wait()
        return SPACE.suggest(study.ask())

    samplers = [WarmStartSampler(past(), SPACE, n_initial=8, seed=0) for _ in range(5)]
    with ThreadPoolExecutor(5) as threads:
        assert len({config_key(config) for config in threads.map(work, samplers)}) == 5


def test_values_are_fitted_into_what_the_objective_asks_for() -> None:
    def narrower(trial: Trial) -> float:
        family = trial.suggest_categorical(FAMILY, ["tree", "forest"])  # other choices than in the past
        assert family in ("tree", "forest")
        depth = trial.suggest_int("tree.depth", 1, 4)  # the past liked 8 and more
        extra = trial.suggest_float("unheard_of", 0, 1)
        return depth + extra

    study = study_with(WarmStartSampler(past(), SPACE, n_initial=2, seed=0))
    study.optimize(narrower, n_trials=4)
    assert study.trials[0].user_attrs[GIVEN]["tree.depth"] > 4
    assert study.trials[0].user_attrs[CONFIG] == study.trials[0].params
    assert study.trials[0].params["tree.depth"] == 4
    assert isinstance(study.trials[0].params["tree.depth"], int)
    assert len({config_key(t.user_attrs[GIVEN]) for t in study.trials if is_recommended(t)}) == 2


def test_a_parameter_of_another_kind_is_converted() -> None:
    study = study_with(WarmStartSampler(FLAT, n_initial=2, seed=0))
    study.optimize(lambda trial: trial.suggest_int("x", -10, 10) + trial.suggest_float("y", -10, 10), n_trials=2)
    assert isinstance(study.trials[0].params["x"], int)
    assert study.trials[0].params["x"] == study.trials[0].user_attrs[CONFIG]["x"]


def test_attributes_survive_a_file(tmp_path: Any) -> None:
    def storage() -> optuna.storages.JournalStorage:
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal")))

    study = study_with(WarmStartSampler(past(), SPACE, n_initial=2, seed=0), storage=storage(), study_name="s")
    study.optimize(objective, n_trials=2)
    read = optuna.load_study(study_name="s", storage=storage())
    assert [t.user_attrs[CONFIG] for t in read.trials] == [t.params for t in study.trials]


def test_recommend_shows_what_would_come_next_without_a_trial() -> None:
    study = study_with(WarmStartSampler(past(), SPACE, n_initial=3, seed=0))
    sampler = study.sampler
    assert isinstance(sampler, WarmStartSampler)
    shown = [r.config for r in sampler.recommend(study, 10)]
    assert study.trials == []
    assert len(shown) == 3
    study.optimize(objective, n_trials=1)
    assert study.trials[0].params == shown[0]


def test_it_hands_over_early_when_nothing_more_is_expected() -> None:
    configs = [{"x": float(x)} for x in range(12)]
    alike = past(configs)
    certain = PastTasks(
        alike.records, alike.configs, np.tile(np.eye(12)[5], (12, 1)), alike.seconds, alike.metafeatures, ()
    )
    study = study_with(WarmStartSampler(certain, n_initial=10, cold=RandomSampler(seed=0)))
    study.optimize(lambda trial: float(trial.suggest_float("x", 0, 11) == 5), n_trials=10)
    assert study.trials[0].params["x"] == 5
    assert 3 <= len(warm_configs(study)) < 10


def test_a_store_is_read_in_the_metric_of_the_task() -> None:
    asked: list[tuple[Any, ...]] = []

    class Shelf(MetaStore):
        def past(self, *, kind: str | None, metric: str, exclude: Exclusion, **_: Any) -> PastTasks:
            asked.append((kind, metric, exclude))
            return past()

    left_out = Exclusion(families=frozenset({"adult"}))
    WarmStartSampler(Shelf("none.db"), SPACE, kind="binary", metric="roc_auc", exclude=left_out)
    assert asked == [("binary", "roc_auc", left_out)]


def test_everything_wrong_is_said_at_once() -> None:
    class Shelf(MetaStore):
        def past(self, *, kind: str | None, metric: str, exclude: Exclusion, **_: Any) -> PastTasks:
            raise AssertionError

    with pytest.raises(InputError) as caught:
        WarmStartSampler(Shelf("none.db"), SPACE, recommender="adaptiv", n_initial=-1)
    assert len(caught.value.problems) == 3
    assert "Did you mean 'adaptive'?" in str(caught.value)


def test_the_space_of_a_past_is_what_its_configurations_span() -> None:
    space = adapt(past()).space
    assert space is not None
    assert space["tree.depth"].distribution.low == 1  # type: ignore[attr-defined]
    assert isinstance(space[FAMILY].distribution, CategoricalDistribution)
    assert isinstance(space["line.rate"].distribution, FloatDistribution)
    assert space["line.rate"].distribution.log
    assert all(space.contains(config) for config in past().configs)
    assert space.default in past().configs
