"""The words of the libraries: they mean what the libraries mean, and a study in them starts from the shipped memory."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autometa.errors import InputError
from autometa.families import FAMILIES
from autometa.libraries import LIBRARIES, SHIPPED, Glossary, LibraryPast, NewTable, read_library, shipped_store, taken
from autometa.libraries.boosted import catboost_rate
from autometa.libraries.words import same
from autometa.origins import CONFIG, GIVEN, ORIGIN, REASON
from autometa.sampler import WarmStartSampler
from autometa.space import config_key
from autometa.store import Exclusion, MetaStore, PastTasks, TaskRecord

TABLE = NewTable("binary", rows=400, columns=9)
SEVERAL = [(name, kind) for name, library in LIBRARIES.items() for kind in sorted(library.kinds)]


def table(kind: str = "binary", n: int = 120) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    y = X["a"] + X["b"] * X["c"] + rng.normal(size=n) / 4
    return X, (y * 10 if kind == "regression" else np.where(y > 0, "yes", "no"))  # type: ignore[return-value]


def own_past(family: str, configs: list[dict[str, Any]], scores: list[list[float]], kind: str = "binary") -> PastTasks:
    """Some tasks on which configurations of one family were tried."""
    full = [FAMILIES[family].space(kind).complete(config) for config in configs]  # type: ignore[arg-type]
    named = tuple({"family": family, **{f"{family}.{k}": v for k, v in config.items()}} for config in full)
    records = tuple(TaskRecord(f"{i:016x}", f"task {i}", kind, "roc_auc", 100, 5, 2) for i in range(len(scores)))
    values = np.array(scores, dtype=float)
    return PastTasks(records, named, values, np.ones_like(values), np.zeros((len(scores), 0)), ())


def followed(past: LibraryPast, distributions: dict[str, Any]) -> Any:
    """What the past becomes once a trial has shown these distributions."""
    past.first()  # a study begins
    study = optuna.create_study()
    study.optimize(lambda trial: float(len([trial._suggest(n, d) for n, d in distributions.items()])), n_trials=1)
    return past.follow(study, study.trials)


# --------------------------------------------------------------------------------------------------------- the words


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_name_stands_for_one_word(name):
    names = [n.casefold() for word in LIBRARIES[name].words for n in word.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "kind"), SEVERAL)
def test_every_configuration_of_a_family_can_be_put_into_the_words(name, kind):
    library = LIBRARIES[name]
    about = NewTable(kind, rows=500, columns=7, spread=3.0)
    for family in library.families:
        space = FAMILIES[family].space(kind)
        for config in [space.default, *space.fill(20, seed=0)]:
            for word in library.words:
                meaning = library.meaning(word, family)
                for value in () if meaning is None else meaning.of(config, about):
                    assert not (isinstance(value, float) and math.isnan(value)), (word.names, config)


@pytest.mark.parametrize(("name", "kind"), SEVERAL)
def test_words_need_nothing_of_the_table_to_be_asked(name, kind):
    library = LIBRARIES[name]
    for family in library.families:
        default = FAMILIES[family].space(kind).default
        for word in library.words:
            if (meaning := library.meaning(word, family)) is not None:
                known = {p.name for k in FAMILIES[family].kinds for p in FAMILIES[family].space(k)}
                assert set(meaning.parameters) <= known
                meaning.of(default, NewTable(kind))


def defaults_of(name: str, kind: str) -> dict[str, Any]:
    """What the library itself has for its parameters."""
    import lightgbm
    from sklearn import ensemble, linear_model, neighbors, svm

    regression = kind == "regression"
    learners = {
        "lightgbm": (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor),
        "hist_gradient_boosting": (
            ensemble.HistGradientBoostingClassifier,
            ensemble.HistGradientBoostingRegressor,
        ),
        "random_forest": (ensemble.RandomForestClassifier, ensemble.RandomForestRegressor),
        "extra_trees": (ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor),
        "svm": (svm.SVC, svm.SVR),
        "logistic_regression": (linear_model.LogisticRegression, None),
        "ridge": (None, linear_model.Ridge),
        "knn": (neighbors.KNeighborsClassifier, neighbors.KNeighborsRegressor),
    }
    return learners[name][regression]().get_params()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "kind"), [case for case in SEVERAL if case[0] not in ("xgboost", "catboost", "elastic_net", "sklearn_mlp")]
)
def test_the_default_of_a_family_is_the_librarys_default_in_every_word(name, kind):
    library = LIBRARIES[name]
    config = FAMILIES[library.families[0]].space(kind).default
    # The kernel's constant matters for polynomials alone; the spread of the target is 1 where units are the target's.
    told = defaults_of(name, kind)
    about = NewTable(kind, rows=400, columns=9, spread=1.0)
    differing = {}
    for word in library.words:
        for known in [n for n in word.names if n in told]:
            meant = library.meaning(word, library.families[0]).of(config, about)
            if meant and told[known] not in meant and told[known] != "deprecated":
                differing[known] = (told[known], meant)
    assert differing == {}


def test_xgboosts_defaults_are_those_that_its_own_trees_have():
    import json

    import xgboost

    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    booster = xgboost.XGBClassifier(n_estimators=2).fit(X, y).get_booster()
    told = json.loads(booster.save_config())["learner"]["gradient_booster"]
    told = told["tree_train_param"] | {"booster": told["name"]}
    library, config = LIBRARIES["xgboost"], FAMILIES["xgboost"].space("binary").default
    checked = 0
    for word in library.words:
        for known in [n for n in word.names if n in told]:
            meant = word.meaning.of(config, TABLE)
            assert any(str(v) == told[known] or _number(v) == _number(told[known]) for v in meant), (known, meant)
            checked += 1
    assert checked >= 12


def _number(value: Any) -> float:
    try:
        return round(float(value), 6)
    except (TypeError, ValueError):
        return math.nan


@pytest.mark.parametrize(("kind", "loss"), [("binary", 2), ("multiclass", 3), ("regression", 0)])
def test_catboosts_automatic_learning_rate_and_its_other_defaults_are_the_librarys(kind, loss):
    import catboost

    rng = np.random.default_rng(0)
    learner = catboost.CatBoostClassifier if loss else catboost.CatBoostRegressor
    for rows, rounds in ((300, 400), (900, 250)):
        X, y = rng.normal(size=(rows, 2)), (np.arange(rows) % loss if loss else rng.normal(size=rows))
        model = learner(
            iterations=rounds, depth=1, logging_level="Silent", thread_count=1, allow_writing_files=False
        ).fit(X, y)  # fmt: skip
        told, about = model.get_all_params(), NewTable(kind, rows=rows, columns=2)
        config = FAMILIES["catboost"].space(kind).default | {"n_estimators": rounds}
        assert catboost_rate(config, about)[0] == pytest.approx(told["learning_rate"], rel=0.02)
    for word in LIBRARIES["catboost"].words:
        for known in [n for n in word.names if n in told and n not in ("iterations", "learning_rate", "depth")]:
            meant = word.meaning.of(config, about)
            assert not meant or any(v == told[known] or _number(v) == _number(told[known]) for v in meant), known


NAMES = {
    "lightgbm": [
        "lambda_l2",
        "reg_lambda",
        "min_data_in_leaf",
        "min_child_samples",
        "bagging_fraction",
        "lgb_num_leaves",
    ],
    "xgboost": ["eta", "learning_rate", "lambda", "alpha", "min_split_loss", "clf__max_depth", "XGB_ETA"],
    "random_forest": ["rf_max_depth", "n_estimators", "model.max_features"],
    "svm": ["C", "svc_c", "gamma"],
    "sklearn_mlp": ["n_units_l0", "n_units_l12", "hidden_layer_sizes", "layer_1_size"],
}


@pytest.mark.parametrize(("name", "known"), [(name, known) for name, several in NAMES.items() for known in several])
def test_people_write_names_in_many_ways(name, known):
    assert Glossary(LIBRARIES[name]).find(known) is not None


@pytest.mark.parametrize("unknown", ["n_layers", "xgb_", "augment", "", "rf_max_depth"])
def test_what_is_no_word_of_the_library_is_none(unknown):
    assert Glossary(LIBRARIES["xgboost"]).find(unknown) is None


# --------------------------------------------------------------------------------------------- what distributions take

NUMBERS = st.one_of(st.integers(-5, 500), st.floats(-5, 500, allow_nan=False), st.just(math.inf))
RANGES = st.one_of(
    st.builds(lambda a, b: IntDistribution(a, a + b), st.integers(0, 50), st.integers(0, 100)),
    st.builds(lambda a, b: FloatDistribution(a, a + b), st.floats(0.1, 50), st.floats(0, 100)),
    st.builds(lambda a, b: IntDistribution(a, a + 3 * b, step=3), st.integers(0, 9), st.integers(0, 30)),
    st.builds(CategoricalDistribution, st.lists(st.integers(0, 300), min_size=1, max_size=5, unique=True)),
)


@given(NUMBERS, RANGES)
def test_what_is_taken_is_within_the_distribution(value, distribution):
    found = taken(same(value), distribution)
    assert found is not None
    assert distribution._contains(distribution.to_internal_repr(found.value))
    if found.exact:
        assert found.value == value


@pytest.mark.parametrize(
    ("meant", "distribution", "value"),
    [
        (same(None), CategoricalDistribution(["none", "balanced"]), "none"),
        (same(0.31), CategoricalDistribution([0.1, 0.5, 1.0]), 0.5),  # in proportion, 0.31 is nearer to 0.5
        (same(0.0), CategoricalDistribution([0, 1, 5]), 0),
        ((math.inf, None), CategoricalDistribution([3, 5, None]), None),
        ((math.inf, -1), IntDistribution(-1, 15), -1),
        ((math.inf, None), CategoricalDistribution([3, 5, 9]), 9),
        (same(True), CategoricalDistribution([1, 0]), None),
        (("sqrt", 0.25, 3), FloatDistribution(0.1, 1.0), 0.25),
        (("sqrt", 0.25, 3), IntDistribution(1, 9), 3),
        ((), FloatDistribution(0.1, 1.0), None),
        (((64, 64), [64, 64], "64-64"), CategoricalDistribution(["32-32", "64-64"]), "64-64"),
    ],
)
def test_an_equivalent_is_taken_where_there_is_one(meant, distribution, value):
    found = taken(meant, distribution)
    assert (None if found is None else found.value) == value


# -------------------------------------------------------------------------------------------- the past in the words


def test_the_past_is_in_the_objectives_names_and_ranges_and_what_was_done_is_said():
    past = own_past(
        "xgboost", [{}, {"learning_rate": 0.01, "max_depth": 12}, {"subsample": 0.6}], [[0.7, 0.9, 0.8]] * 3
    )
    asked = {"eta": FloatDistribution(0.05, 0.5), "max_depth": IntDistribution(2, 8), "bonus": FloatDistribution(0, 1)}
    found = followed(LibraryPast(LIBRARIES["xgboost"], past, TABLE), asked)
    assert found.past.configs == ({"eta": 0.3, "max_depth": 6}, {"eta": 0.05, "max_depth": 8})
    assert found.past.scores.tolist() == [[0.7, 0.9]] * 3  # the one with fewer rows is the first to the objective
    said = " ".join(found.notes)
    assert "'bonus': no word of XGBoost" in said
    assert "'eta' is from 0.05 to 0.5: 1 of 3 past values" in said
    assert "'max_depth' is from 2 to 8: 1 of 3 past values" in said
    assert "'subsample'" in said.split("not asked for")[0]


def test_of_two_that_the_objective_cannot_tell_apart_the_one_nearer_to_the_defaults_counts():
    configs = [{"subsample": 0.5, "colsample_bytree": 0.5}, {}]
    past = own_past("xgboost", configs, [[0.9, 0.6], [0.8, np.nan]])
    found = followed(LibraryPast(LIBRARIES["xgboost"], past, TABLE), {"eta": FloatDistribution(0.01, 0.5)})
    assert found.past.configs == ({"eta": 0.3},)
    assert found.past.scores.tolist() == [[0.6], [0.8]]  # where the default is not known, the other one


def test_rounds_that_stopped_early_are_not_made_up():
    configs = [{}, {"n_estimators": 2000, "early_stop": True, "learning_rate": 0.05}]
    past = LibraryPast(LIBRARIES["lightgbm"], own_past("lightgbm", configs, [[0.7, 0.9]] * 2), TABLE)
    rate, rounds = FloatDistribution(0.01, 0.3, log=True), IntDistribution(10, 3000)
    assert followed(copy.copy(past), {"eta": rate}).past.configs == ({"eta": 0.1}, {"eta": 0.05})
    both = followed(copy.copy(past), {"eta": rate, "num_boost_round": rounds})
    assert both.past.configs == ({"eta": 0.1, "num_boost_round": 100},)
    assert any("stopped early" in note for note in both.notes)
    assert len(past.first().past.configs) == 1


def test_a_learning_rate_makes_up_for_rounds_out_of_range():
    configs = [{"n_estimators": 600, "learning_rate": 0.02}]
    past = LibraryPast(LIBRARIES["lightgbm"], own_past("lightgbm", configs, [[0.7]] * 2), TABLE)
    rate = FloatDistribution(0.01, 0.3, log=True)
    [config] = followed(past, {"n_estimators": IntDistribution(10, 200), "learning_rate": rate}).past.configs
    assert config == {"n_estimators": 200, "learning_rate": pytest.approx(0.06)}
    given_first = past.past.configs[0]
    assert past.handed(given_first, "learning_rate", rate, {"n_estimators": 200}) == (True, pytest.approx(0.06))
    assert past.handed(given_first, "n_estimators", IntDistribution(10, 900), {"learning_rate": 0.03}) == (True, 400)


def test_what_the_objective_cannot_have_is_left_out():
    past = own_past("svm", [{}, {"kernel": "poly", "C": 10.0}], [[0.7, 0.9]] * 2)
    asked = {"kernel": CategoricalDistribution(["rbf", "linear"]), "C": FloatDistribution(0.1, 100.0)}
    found = followed(LibraryPast(LIBRARIES["svm"], past, TABLE), asked)
    assert found.past.configs == ({"kernel": "rbf", "C": 1.0},)
    assert "1 past configurations cannot be had" in " ".join(found.notes)


def test_what_cannot_be_said_without_the_table_is_missing_and_said():
    past = LibraryPast(LIBRARIES["svm"], own_past("svm", [{}], [[0.7]] * 2), NewTable("binary"))
    found = followed(past, {"gamma": FloatDistribution(1e-3, 1.0, log=True), "C": FloatDistribution(0.1, 10.0)})
    assert found.past.configs == ({"C": 1.0},)
    assert "'gamma': not known without the table (pass task=(X, y))" in " ".join(found.notes)
    known = LibraryPast(LIBRARIES["svm"], own_past("svm", [{}], [[0.7]] * 2), TABLE)
    assert followed(copy.copy(known), {"gamma": FloatDistribution(1e-3, 1.0, log=True)}).past.configs == (
        {"gamma": pytest.approx(1 / 9)},
    )
    assert followed(known, {"gamma": CategoricalDistribution(["auto", "scale"])}).past.configs == ({"gamma": "scale"},)


def test_what_belongs_to_a_target_of_deviation_one_is_in_the_targets_unit():
    about = NewTable("regression", rows=100, columns=5, spread=20.0)
    past = LibraryPast(LIBRARIES["svm"], own_past("svm", [{}], [[0.7]] * 2, "regression"), about)
    wide = FloatDistribution(1e-3, 1e3, log=True)
    assert followed(past, {"C": wide, "epsilon": wide}).past.configs == ({"C": 20.0, "epsilon": 2.0},)


# -------------------------------------------------------------------------------------------------- whole studies


def lightgbm_objective(trial: optuna.Trial) -> float:
    """Best where the memory says that LightGBM is good: few leaves, small steps."""
    rate = trial.suggest_float("learning_rate", 0.01, 0.3, log=True)
    leaves = trial.suggest_int("num_leaves", 4, 63, log=True)
    trial.suggest_int("num_boost_round", 20, 400)
    trial.suggest_float("lambda_l2", 1e-8, 10.0, log=True)
    return abs(math.log(rate / 0.03)) + abs(math.log(leaves / 8))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_study_starts_from_shipped_evaluations_and_goes_on_guided(direction):
    sampler = WarmStartSampler("shipped", space="lightgbm", task=table(), seed=0)
    study = optuna.create_study(direction=direction, sampler=sampler)
    sign = 1.0 if direction == "minimize" else -1.0
    study.optimize(lambda trial: sign * lightgbm_objective(trial), n_trials=6)
    origins = [trial.user_attrs[ORIGIN] for trial in study.trials]
    assert set(origins[:3]) <= {"portfolio", "similar"}
    assert set(origins[3:]) == {"surrogate"}
    assert study.trials[0].user_attrs[GIVEN]["family"] == "lightgbm"
    assert study.trials[0].user_attrs[CONFIG] == study.trials[0].params
    assert set(study.trials[1].user_attrs[CONFIG]) == set(study.trials[1].params)
    assert len({config_key(trial.params) for trial in study.trials}) == 6  # what was tried is not proposed again
    assert any("past tasks" in trial.user_attrs[REASON] for trial in study.trials[3:])
    assert any("num_leaves" in note for note in sampler.notes)


def test_other_names_of_the_same_parameters_get_the_same_values():
    def native(trial: optuna.Trial) -> float:
        return (
            trial.suggest_float("eta", 0.01, 0.3) + trial.suggest_int("num_boost_round", 10, 900)
            + trial.suggest_float("lambda", 1e-3, 10) + trial.suggest_int("max_depth", 2, 12)
        )  # fmt: skip

    def scikit(trial: optuna.Trial) -> float:
        return (
            trial.suggest_float("xgb__learning_rate", 0.01, 0.3) + trial.suggest_int("xgb__n_estimators", 10, 900)
            + trial.suggest_float("xgb__reg_lambda", 1e-3, 10) + trial.suggest_int("xgb__max_depth", 2, 12)
        )  # fmt: skip

    tried = []
    for objective in (native, scikit):
        study = optuna.create_study(sampler=WarmStartSampler("shipped", space="xgboost", task=table(), seed=0))
        study.optimize(objective, n_trials=5)
        tried.append([list(trial.params.values()) for trial in study.trials])
    assert tried[0] == tried[1]


def test_the_librarys_names_may_be_the_objectives_own():
    sampler = WarmStartSampler("shipped", space="knn", task=table(), renamed={"n_neighbors": "friends"}, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: float(trial.suggest_int("friends", 1, 60)), n_trials=2)
    known = {config["friends"] for config in sampler._past.configs}
    assert {5, 15} <= known
    assert {trial.params["friends"] for trial in study.trials} <= known


def test_a_trial_that_runs_while_the_words_become_known_is_understood():
    sampler = WarmStartSampler("shipped", space="lightgbm", task=table(), seed=0)
    study = optuna.create_study(sampler=sampler)
    running = study.ask()
    running.suggest_float("learning_rate", 0.01, 0.3, log=True)
    study.optimize(lightgbm_objective, n_trials=1)
    assert running.user_attrs[CONFIG]["family"] == "lightgbm"
    study.optimize(lightgbm_objective, n_trials=1)  # the words are known now, the first trial still runs
    [reworded, *_] = sampler._words.in_words(study.trials)
    assert "family" not in reworded.user_attrs[CONFIG]
    assert study.trials[0].user_attrs[CONFIG]["family"] == "lightgbm"  # what stands in the study is as it was
    study.tell(running, lightgbm_objective(running))
    assert len({config_key(trial.params) for trial in study.trials}) == 3


def test_the_sampler_is_pickled_and_a_study_resumed_in_the_same_words():
    sampler = WarmStartSampler("shipped", space="lightgbm", task=table(), seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lightgbm_objective, n_trials=2)
    again = optuna.create_study(sampler=pickle.loads(pickle.dumps(sampler)))
    again.add_trials(study.trials)
    fresh = optuna.create_study(sampler=WarmStartSampler("shipped", space="lightgbm", task=table(), seed=0))
    fresh.add_trials(study.trials)
    for one in (study, again, fresh):
        one.optimize(lightgbm_objective, n_trials=3)
    assert study.trials[-1].params == again.trials[-1].params == fresh.trials[-1].params


def small(low: float, high: float) -> FloatDistribution:
    return FloatDistribution(low, high, log=True)


STARTED = {
    ("catboost", "regression"): {"depth": IntDistribution(3, 9), "learning_rate": small(0.01, 0.3)},
    ("random_forest", "binary"): {
        "max_features": CategoricalDistribution(["sqrt", "log2", None]),
        "min_samples_leaf": IntDistribution(1, 20),
    },
    ("extra_trees", "regression"): {"max_features": FloatDistribution(0.1, 1.0), "max_depth": IntDistribution(3, 30)},
    ("hist_gradient_boosting", "binary"): {"max_iter": IntDistribution(10, 300), "learning_rate": small(0.01, 0.5)},
    ("svm", "regression"): {"C": small(0.01, 1e3), "gamma": small(1e-3, 10)},
    ("logistic_regression", "binary"): {"C": small(1e-3, 1e3)},
    ("elastic_net", "regression"): {"alpha": small(1e-4, 10.0), "l1_ratio": FloatDistribution(0, 1)},
    ("ridge", "regression"): {"alpha": small(1e-3, 1e3)},
    ("knn", "binary"): {"n_neighbors": IntDistribution(1, 50), "p": CategoricalDistribution([1, 2])},
    ("sklearn_mlp", "binary"): {"n_layers": IntDistribution(1, 3), "n_units_l0": IntDistribution(16, 256, log=True)},
}


@pytest.mark.parametrize(("name", "kind", "asked"), [(*case, asked) for case, asked in STARTED.items()])
def test_every_library_starts_a_study(name, kind, asked):
    sampler = WarmStartSampler("shipped", space=name, task=table(kind), seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: float(len([trial._suggest(n, d) for n, d in asked.items()])), n_trials=5)
    assert study.trials[0].user_attrs[ORIGIN] in ("portfolio", "similar")
    assert set(sampler._past.configs[0]) <= set(asked)
    assert not any("no word" in note for note in sampler.notes)


def test_recommendations_to_look_at_are_in_the_librarys_names():
    sampler = WarmStartSampler("shipped", space="xgboost", task=table(), seed=0)
    found = sampler.recommend(optuna.create_study(sampler=sampler), 2)
    assert len(found) == 2
    assert {"n_estimators", "learning_rate", "max_depth", "reg_lambda"} <= set(found[0].config)


def test_an_objective_that_shares_no_word_is_searched_all_the_same():
    sampler = WarmStartSampler("shipped", space="ridge", task=table("regression"), seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("temperature", 0, 1), n_trials=4)
    assert any("'temperature': no word" in note for note in sampler.notes)


def test_an_own_table_and_its_family_are_left_out_when_asked():
    everything = read_library(shipped_store(), "lightgbm", kind="binary").past
    family = next(record.family for record in everything.records if record.family)
    less = read_library(
        shipped_store(), "lightgbm", kind="binary", exclude=Exclusion(families=frozenset({family}))
    ).past
    assert len(less) < len(everything)
    assert family not in {record.family for record in less.records}


# -------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"space": "xgbost", "kind": "binary"}, "Did you mean 'xgboost'? Libraries: lightgbm, xgboost"),
        ({"space": "xgboost"}, "Pass task=(X, y), or kind= one of binary, multiclass, regression"),
        ({"space": "xgboost", "kind": "regresion"}, "Did you mean 'regression'?"),
        ({"space": "logistic_regression", "kind": "regression"}, "is not made for regression"),
        ({"space": "svm", "kind": "binary", "metric": "rmse"}, "rmse"),
        ({"space": "svm", "kind": "binary", "learn": True}, "nothing is learned"),
        ({}, "a store is given but no metric"),
    ],
)
def test_what_cannot_be_is_refused_in_one_message(arguments, says):
    with pytest.raises(InputError) as caught:
        WarmStartSampler("shipped", **arguments)
    assert says in str(caught.value)


def test_names_in_the_store_are_listed_beside_the_libraries(tmp_path):
    store = MetaStore(tmp_path / "team.db")
    store.add(TaskRecord("5eed" * 8, "march", "study", "value", 0, 0, 0, space="churn"), [])
    with pytest.raises(InputError, match=r"Did you mean 'churn'\? Libraries: .* In the store: churn\."):
        read_library(store, "chrun", kind="binary")


def test_a_kind_that_the_library_has_alone_need_not_be_said():
    assert WarmStartSampler("shipped", space="ridge", seed=0).space is not None


def test_a_file_called_shipped_is_reached_by_its_path_and_the_word_is_said_to_mean_the_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    monkeypatch.setattr(optuna.logging.get_logger("optuna.autometa"), "warning", said.append)
    MetaStore(Path(SHIPPED)).add(TaskRecord("5eed" * 8, "march", "study", "value", 0, 0, 0, space="churn"), [])
    for path in (Path(SHIPPED), f"./{SHIPPED}", str(tmp_path / SHIPPED)):
        assert WarmStartSampler(path, space="churn", seed=0)._words is None
    assert WarmStartSampler(SHIPPED, space="ridge", seed=0)._words is not None
    assert "pass './shipped'" in " ".join(said)


def test_the_shipped_memory_serves_a_space_of_the_catalogue_as_well():
    from autometa.families import cash_space

    sampler = WarmStartSampler("shipped", space=cash_space("binary", ["lightgbm", "knn"]), task=table(), seed=0)
    assert sampler.recommend(optuna.create_study(sampler=sampler), 1)


def test_a_space_that_a_store_knows_no_study_of_is_said_to_start_cold(tmp_path, monkeypatch):
    store = MetaStore(tmp_path / "team.db")
    store.add(TaskRecord("5eed" * 8, "march", "study", "value", 0, 0, 0, space="churn"), [])
    said: list[str] = []
    monkeypatch.setattr(optuna.logging.get_logger("optuna.autometa"), "info", said.append)
    WarmStartSampler(store, space="chrun", seed=0)
    WarmStartSampler(store, space="xgboost", seed=0)
    assert "no study of the space 'chrun' yet. Did you mean 'churn'? Spaces there: churn." in said[0]
    assert "pass 'shipped' as the store" in said[1]
