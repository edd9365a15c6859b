"""What is promised about the spaces of people's own studies: any category, any name, and what ran is what counts."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from autometa import MetaStore, WarmStartSampler, remember_study
from autometa.evaluation import Evaluation
from autometa.origins import CONFIG, GIVEN, ORIGIN, REASON, Origin, State
from autometa.space import Condition, Interval, SearchSpace, choice, real
from autometa.store import PastTasks, TaskRecord
from autometa.studies import VALUE, adapt
from autometa.transfer.kernels import Layout

optuna.logging.set_verbosity(optuna.logging.ERROR)

# Optuna says of categories other than texts and numbers that not every storage keeps them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Choices for a categorical", "ignore::optuna.exceptions.ExperimentalWarning"
)


class Shape(enum.Enum):
    FLAT = 1
    DEEP = 2


def first(x: float) -> float:
    return x


def second(x: float) -> float:
    return 1 - x


@pytest.fixture
def store(tmp_path: Path) -> MetaStore:
    return MetaStore(tmp_path / "team.db")


def past_studies(store: MetaStore, objective: Callable[[Trial], float], trials: int = 8, **options: Any) -> None:
    for i in range(3):
        study = optuna.create_study(study_name=f"past {i}", sampler=RandomSampler(seed=i), **options)
        study.optimize(objective, trials)
        assert [remember_study(study, store, "mine") for _ in range(2)] == [trials, 0]


CHOICES: dict[str, list[Any]] = {
    "lists": [[16], [32, 32], []],
    "tuples": [(16,), (32, 32), ()],
    "mappings": [{"b": 1, "a": [1, 2]}, {1: None}, {}],
    "nested": [[(1, 2), {"a": None}], [[1]]],
    "numbers and None": [None, 0.5, 3, True],
    "not numbers": [math.nan, math.inf, -math.inf],
    "texts that look like more": ["(3, 3)", "[16]", [16], "nan", math.nan, "None", None],
    "scalars of NumPy": [np.int64(3), np.float32(0.1), np.str_("a"), np.bool_(True)],
    "members": [Shape.FLAT, Shape.DEEP],
    "functions": [first, second, math.sin],
    "unnamed functions": [lambda x: x, lambda x: -x],
    "only one": [[1, 2]],
}


@pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("kept", ["in memory", "in a journal"])
def test_categories_of_any_type_are_searched_as_those_of_texts(
    choices: list[Any], kept: str, store: MetaStore, tmp_path: Path
) -> None:
    def storage() -> JournalStorage | None:
        return JournalStorage(JournalFileBackend(str(tmp_path / "journal"))) if kept == "in a journal" else None

    def objective(trial: Trial) -> float:
        which = trial.suggest_categorical("layers", choices)
        places = [k for k, one in enumerate(choices) if one is which or (type(one) is type(which) and one == which)]
        return (places[0] if places else 9) + trial.suggest_float("x", 0, 1)

    try:
        optuna.create_study(storage=storage()).optimize(objective, 2)
    except (TypeError, ValueError):
        pytest.skip("this storage of Optuna does not keep such categories")
    past_studies(store, objective, storage=storage())
    study = optuna.create_study(sampler=WarmStartSampler(store, space="mine", seed=0), storage=storage())
    study.optimize(objective, 5)
    assert Origin(study.trials[0].user_attrs[ORIGIN]).recommended
    assert len({repr(trial.params) for trial in study.trials}) >= 4
    assert not any(GIVEN in trial.user_attrs for trial in study.trials)  # each ran as it was given


def test_a_condition_on_a_category_that_is_a_list_is_learned(store: MetaStore) -> None:
    def objective(trial: Trial) -> float:
        layers = trial.suggest_categorical("layers", [(16,), (32, 32)])
        return trial.suggest_float("x", 0, 1) if len(layers) == 1 else trial.suggest_int("z", 1, 9)

    past_studies(store, objective)
    sampler = WarmStartSampler(store, space="mine", seed=0)
    assert sampler.space is not None
    assert {p.name: p.when for p in sampler.space if p.when} == {
        "x": Condition("layers", ("[16]",)),
        "z": Condition("layers", ("[32, 32]",)),
    }


def test_recommendations_are_in_the_values_that_the_objective_asks_for(store: MetaStore) -> None:
    def objective(trial: Trial) -> float:
        return len(trial.suggest_categorical("layers", [[16], [32, 32]])) + trial.suggest_float("x", 0, 1)

    past_studies(store, objective)
    study = optuna.create_study()
    for recommendation in WarmStartSampler(store, space="mine").recommend(study, 2):
        study.enqueue_trial(recommendation.config)
    study.optimize(objective, 2)
    assert [trial.params["layers"] for trial in study.trials] == [[16], [16]]


def test_what_an_older_version_wrote_of_tuples_and_mappings_is_found_again(store: MetaStore) -> None:
    configs = [{"size": "(16,)", "how": "{'b': 1, 'a': 2}"}, {"size": "(32, 32)", "how": "{'b': 3}"}]
    choices = {"how": [{"b": 1, "a": 2}, {"b": 3}], "size": [[16], [32, 32]]}
    of = "CategoricalDistribution"
    texts = json.dumps({n: json.dumps({"name": of, "attributes": {"choices": c}}) for n, c in choices.items()})
    record = TaskRecord("f0", "march", "study", VALUE, 0, 0, 0, space="mine", source="study", distributions=texts)
    tried = [
        Evaluation(config, State.COMPLETE, None, {VALUE: -1.0 * k}, {}, 1, 0, 0, k, 0, {})
        for k, config in enumerate(configs)
    ]
    store.add(record, tried)
    adapted = adapt(store.past(space="mine", kind=None, metric=VALUE))
    assert adapted.notes == ()
    assert {(config["size"], config["how"]) for config in adapted.past.configs} == {
        ("[16]", "{'a': 2, 'b': 1}"),
        ("[32, 32]", "{'b': 3}"),
    }


@pytest.mark.parametrize("name", ["family", "config", "value", "a.b", "family.x", "", "'quoted'", "ключ"])
@pytest.mark.parametrize("kind", ["integer", "number", "choice", "choice of numbers", "choice of lists", "condition"])
def test_any_name_will_do(name: str, kind: str, store: MetaStore) -> None:
    def objective(trial: Trial) -> float:
        rest = trial.suggest_float("rest", 0, 1)
        match kind:
            case "integer":
                return rest + trial.suggest_int(name, 1, 5)
            case "number":
                return rest + trial.suggest_float(name, 1e-3, 5, log=True)
            case "choice":
                return rest + "ab".index(trial.suggest_categorical(name, ["a", "b"]))
            case "choice of numbers":
                return rest + trial.suggest_categorical(name, [1, 2, 4])
            case "choice of lists":
                return rest + len(trial.suggest_categorical(name, [[1], [2, 3]]))
        if trial.suggest_categorical(name, ["a", "b"]) == "a":
            return rest + trial.suggest_float("p", 0, 1)
        return rest + trial.suggest_int("q", 1, 3)

    past_studies(store, objective)
    study = optuna.create_study(sampler=WarmStartSampler(store, space="mine", seed=0))
    study.optimize(objective, 5)
    assert Origin(study.trials[0].user_attrs[ORIGIN]).recommended
    assert len({repr(trial.params) for trial in study.trials}) >= 4


def test_a_space_that_is_given_may_have_any_categories() -> None:
    configs = [{"size": size, "x": x} for size in ((1,), (2, 2)) for x in (0.1, 0.5, 0.9)]
    scores = np.array([[len(c["size"]) + c["x"] + 0.01 * k for c in configs] for k in range(3)])
    records = tuple(TaskRecord(f"f{k}", f"task {k}", "study", VALUE, 0, 0, 0) for k in range(3))
    past = PastTasks(records, tuple(configs), scores, np.ones(scores.shape), np.zeros((3, 0)), ())
    space = SearchSpace.of(size=choice((1,), (2, 2)), x=real(0.0, 1.0, 0.5))
    sampler = WarmStartSampler(past, space, seed=0)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    assert sampler.recommend(study)[0].config == {"size": (2, 2), "x": 0.9}
    study.optimize(lambda trial: len(space.suggest(trial)["size"]), 5)
    assert study.trials[0].params == {"size": (2, 2), "x": 0.9}


def test_a_family_that_is_a_number_is_not_a_choice_of_models() -> None:
    space = SearchSpace.of(family=real(0.0, 1.0, 0.5), x=real(0.0, 1.0, 0.5))
    assert space.families == ()
    assert space.defaults() == [space.default]
    assert len(space.fill(5)) == 5


# ------------------------------------------------------------------------------------------------------------ what ran


def bowl(trial: Trial) -> float:
    return (trial.suggest_float("x", 0, 10) - 5) ** 2 + (trial.suggest_float("y", 0, 10) - 2) ** 2


def test_of_a_sampler_with_fixed_values_what_ran_is_noted_and_counts(
    store: MetaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_studies(store, bowl, 12)
    sampler = WarmStartSampler(store, space="mine", seed=0)
    told: list[Any] = []
    study = optuna.create_study(sampler=PartialFixedSampler({"x": 9.0}, sampler))
    study.optimize(bowl, 2)
    assert sampler._recommender is not None
    recommend = sampler._recommender.recommend
    monkeypatch.setattr(
        sampler._recommender,
        "recommend",
        lambda *arguments, observed, **options: (
            told.extend(observed) or recommend(*arguments, observed=observed, **options)
        ),
    )
    study.optimize(bowl, 3)
    for trial in study.trials:
        assert trial.user_attrs[CONFIG] == trial.params
        assert trial.params["x"] == 9.0
        assert trial.user_attrs[GIVEN]["x"] != 9.0
        assert trial.user_attrs[REASON].endswith("It ran with another value of 'x'.")
    scored = [config for config, score, _ in told if not math.isnan(score)]
    assert scored
    assert all(config["x"] == 9.0 for config in scored)
    given = [trial.user_attrs[GIVEN] for trial in study.trials]
    assert len({repr(config) for config in given}) == 5


def test_a_trial_that_failed_half_way_counts_with_what_it_was_given(store: MetaStore) -> None:
    past_studies(store, bowl, 12)

    def failing(trial: Trial) -> float:
        trial.suggest_float("x", 0, 10)
        raise ArithmeticError

    sampler = WarmStartSampler(store, space="mine", seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(failing, 3, catch=(ArithmeticError,))
    assert sampler.notes == ()  # that `y` was not asked for says nothing
    assert all(trial.state == TrialState.FAIL for trial in study.trials)
    assert len({repr(trial.user_attrs[CONFIG]) for trial in study.trials}) == 3
    assert all(trial.user_attrs[CONFIG].keys() == {"x", "y"} for trial in study.trials)


# ---------------------------------------------------------------------------------------- conditions on numbers


def network(trial: Trial) -> float:
    n = trial.suggest_int("n_layers", 1, 4)
    units = [trial.suggest_int(f"units_{k}", 4, 128, log=True) for k in range(n)]
    return trial.suggest_float("rate", 1e-4, 1, log=True) + sum(units) / 128 + (n - 2) ** 2


def test_layers_that_a_number_switches_on_are_learned_and_kept(store: MetaStore) -> None:
    past_studies(store, network, 15)
    sampler = WarmStartSampler(store, space="mine", seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(network, 8)
    assert sampler.notes == ()
    assert sampler.space is not None
    assert {p.name: p.when for p in sampler.space if p.when} == {
        f"units_{k}": Condition("n_layers", Interval(low=k + 1)) for k in (1, 2, 3)
    }
    assert not any(GIVEN in trial.user_attrs for trial in study.trials)  # each was given exactly what it asked for


@pytest.mark.parametrize("trials", [1, 2, 4])
def test_a_past_too_short_to_tell_when_a_layer_is_active_loses_no_layer(store: MetaStore, trials: int) -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=1))
    study.optimize(network, trials)
    remember_study(study, store, "mine")
    sampler = WarmStartSampler(store, space="mine", seed=0)
    new = optuna.create_study(sampler=sampler)
    new.optimize(network, 10)
    assert not any("not searched any more" in note for note in sampler.notes)


CONDITIONS: dict[str, Any] = {
    "above a number": (lambda t: t.suggest_float("at", 0, 1) > 0.5, lambda c: c["at"] > 0.5),
    "below a number": (lambda t: t.suggest_float("at", 1e-5, 1, log=True) < 0.01, lambda c: c["at"] < 0.01),
    "between": (lambda t: 4 <= t.suggest_int("at", 1, 10) <= 6, lambda c: 4 <= c["at"] <= 6),
    "for a choice": (lambda t: t.suggest_categorical("at", [1, 2, 4]) > 1, lambda c: c["at"] > 1),
}


@pytest.mark.parametrize(("asks", "holds"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions_of_any_kind_are_learned(store: MetaStore, asks: Any, holds: Any) -> None:
    def objective(trial: Trial) -> float:
        return trial.suggest_float("child", 0, 1) if asks(trial) else trial.suggest_float("other", 0, 1)

    past_studies(store, objective, 16)
    space = WarmStartSampler(store, space="mine", seed=0).space
    assert space is not None
    for config in (space.sample(np.random.default_rng(k)) for k in range(200)):
        assert not ("child" in config and not holds(config))  # between what trials show it may have neither
        assert not ("other" in config and holds(config))
    layout, x = Layout(space), np.random.default_rng(0).random((300, space.d))
    found, slow = layout.complete(x), space.encode_all([space.decode(row) for row in x])
    np.testing.assert_array_equal(found.mask, slow.mask)


def test_a_layer_that_is_searched_no_more_is_still_noticed(store: MetaStore) -> None:
    past_studies(store, network, 15)

    def fixed(trial: Trial) -> float:
        n = trial.suggest_int("n_layers", 1, 4)
        return n + trial.suggest_int("units_0", 4, 128, log=True) + trial.suggest_float("rate", 1e-4, 1, log=True)

    sampler = WarmStartSampler(store, space="mine", seed=0)
    study = optuna.create_study(sampler=sampler)
    for n in (4, 3, 2):
        study.enqueue_trial({"n_layers": n})
    study.optimize(fixed, 5)
    assert {note.split("'")[1] for note in sampler.notes if "not searched any more" in note} == {
        "units_1",
        "units_2",
        "units_3",
    }


# ------------------------------------------------------------------------------------------------------- any results

BIG = 1.7e308
RESULTS: dict[str, Callable[[Trial], float]] = {
    "huge": lambda trial: BIG * trial.suggest_float("x", -1, 1),
    "huge of either sign": lambda trial: math.copysign(BIG, trial.suggest_float("x", -1, 1)),
    "too large for a number": lambda trial: 1.8e308 if trial.suggest_float("x", -1, 1) > 0.5 else trial.params["x"],
    "huge now and then": lambda trial: -BIG if trial.suggest_float("x", -1, 1) > 0.5 else trial.params["x"],
    "tiny": lambda trial: 5e-324 * round(100 * trial.suggest_float("x", -1, 1)),
    "all equal": lambda trial: 0 * trial.suggest_float("x", -1, 1) + 3,
    "all equal and huge": lambda trial: 0 * trial.suggest_float("x", -1, 1) + BIG,
    "not a number now and then": lambda trial: math.nan if trial.suggest_float("x", -1, 1) > 0 else 1.0,
    "all infinite": lambda trial: math.inf + trial.suggest_float("x", -1, 1),
    "none": lambda trial: 1 / (0 * trial.suggest_float("x", -1, 1)),
    "on steps": lambda trial: trial.suggest_int("a", 1, 33, step=4) + trial.suggest_float("b", 0, 1, step=0.25),
    "of parameters that cannot vary": lambda trial: trial.suggest_int("a", 3, 3) + trial.suggest_float("b", 2, 2),
    "without parameters": lambda trial: 1.0,
}


def stopped(trial: Trial, *, reports: bool) -> float:
    x = trial.suggest_float("x", -1, 1)
    if reports:
        trial.report(BIG * x, 0)
    raise optuna.TrialPruned


RESULTS["all stopped"] = partial(stopped, reports=True)
RESULTS["all stopped before they reported"] = partial(stopped, reports=False)


@pytest.mark.parametrize("objective", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("trials", [1, 7])
def test_any_results_are_kept_and_searched(store: MetaStore, objective: Any, direction: str, trials: int) -> None:
    for i in range(2):
        study = optuna.create_study(sampler=RandomSampler(seed=i), direction=direction)
        study.optimize(objective, trials, catch=(ArithmeticError,))
        remember_study(study, store, "mine")
    assert store.verify() == []
    sampler = WarmStartSampler(store, space="mine", seed=0)
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.optimize(objective, 6, catch=(ArithmeticError,))
    assert len(study.trials) == 6
    assert sampler.notes == ()


# ------------------------------------------------------------------------------------------- one study after another


def wide(trial: Trial) -> float:
    x, deep = trial.suggest_float("x", 0.0, 1.0), trial.suggest_categorical("deep", [True, False])
    return (x - 0.3) ** 2 + (trial.suggest_float("y", 0.0, 1.0) ** 2 if deep else 0.2)


def narrow(trial: Trial) -> float:
    return 0.1 * (trial.suggest_float("x", 0.5, 0.9) - 0.6) ** 2


@pytest.mark.parametrize("name", ["same", None])
def test_a_sampler_that_served_one_study_serves_the_next_as_a_fresh_one(store: MetaStore, name: str | None) -> None:
    past_studies(store, wide)

    def served(sampler: WarmStartSampler) -> list[dict[str, Any]]:
        study = optuna.create_study(study_name=name, sampler=sampler)
        study.optimize(narrow, 8)
        assert {trial.user_attrs[ORIGIN] for trial in study.trials} <= {"portfolio", "surrogate", "adapted"}
        return [trial.params for trial in study.trials]

    sampler = WarmStartSampler(store, "mine", n_initial=2, seed=0)
    optuna.create_study(study_name=name, sampler=sampler, direction="maximize").optimize(wide, 10)
    assert served(sampler) == served(WarmStartSampler(store, "mine", n_initial=2, seed=0))


def test_a_sampler_of_a_library_serves_a_study_with_other_ranges(store: MetaStore) -> None:
    def neighbours(low: int, high: int) -> Callable[[Trial], float]:
        return lambda trial: trial.suggest_int("n_neighbors", low, high) / high

    def served(sampler: WarmStartSampler) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=sampler)
        study.optimize(neighbours(10, 20), 4)
        return [trial.params for trial in study.trials if trial.user_attrs[ORIGIN] != "search"]

    def fresh() -> WarmStartSampler:
        return WarmStartSampler("shipped", "knn", kind="regression", metric="rmse", seed=0)

    sampler = fresh()
    optuna.create_study(sampler=sampler).optimize(neighbours(1, 5), 4)
    assert served(sampler) == served(fresh())
