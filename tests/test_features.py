"""Columns that pipelines make of others: values, what is worth making, that nothing leaks, and where they are off."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError, RunError
from autometa.evaluation import Evaluation, State, evaluate, fit_model, plan_splits, predict_aligned
from autometa.families import build, cash_space, fit, made_by, makes_features, without_features
from autometa.families.features import CHOICES, GENERATORS, as_made
from autometa.families.learners.direct import SharedInputs
from autometa.families.learners.features import MadeFeatures
from autometa.families.learners.preprocess import MADE
from autometa.families.learners.recipes import (
    Arithmetic,
    Cells,
    Groups,
    WithinGroup,
)
from autometa.families.learners.screening import screened
from autometa.search import Settings
from autometa.search.plan import search_space
from autometa.space import SearchSpace, config_key
from autometa.task import Columns, make_task

TINY = pd.DataFrame(
    {
        "price": [10.0, 6.0, 1.0, np.nan, 8.0],
        "area": [2.0, 0.0, 4.0, 5.0, 2.0],
        "town": pd.Categorical(["Ulm", "Bern", "Ulm", "Ulm", None]),
        "shop": pd.Categorical(["a", "a", "b", "a", "b"]),
    }
)
NEW = pd.DataFrame(
    {
        "price": [4.0, np.nan, 9.0],
        "area": [2.0, 1.0, 3.0],
        "town": pd.Categorical(["Rome", "Ulm", None], categories=["Rome", "Ulm"]),
        "shop": pd.Categorical(["b", "a", "b"]),
    }
)


def houses(n=600, seed=0):
    """A price that is a ratio, among other columns."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({name: rng.uniform(1, 9, n) for name in ("rent", "area", "age")})
    X["town"] = pd.Categorical(rng.choice(list("abcdefghij"), n))
    level = X["town"].cat.codes.to_numpy()
    return X, (X["rent"] / X["area"]).to_numpy() * 10 + level + rng.normal(0, 0.1, n)


HOUSES = Columns(numeric=("rent", "area", "age"), categorical=("town",))


# ------------------------------------------------------------------------------------------------ each recipe, by hand


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Arithmetic("-", "price", "area"), [8, 6, -3, np.nan, 6]),
        (Arithmetic("/", "price", "area"), [5, np.nan, 0.25, np.nan, 4]),
        (Arithmetic("*", "price", "area"), [20, 0, 4, np.nan, 16]),
    ],
)
def test_arithmetic_has_no_value_where_a_number_is_missing_or_divided_by_zero(recipe, expected):
    assert np.array_equal(recipe.values(Cells(TINY)), np.array(expected, dtype=float), equal_nan=True)


def test_a_difference_beyond_all_numbers_is_missing_and_no_infinity():
    far = pd.DataFrame({"a": [1e300, np.inf], "b": [1e-300, 0.0]})
    assert np.isfinite(Arithmetic("-", "a", "b").values(Cells(far))).all()
    assert not np.isinf(Arithmetic("/", "a", "b").values(Cells(far))).any()


def test_groups_of_two_categories_are_aligned_by_names():
    cells = Cells(TINY)
    both = Groups.of(cells, ("town", "shop"))
    turned = TINY.assign(town=TINY["town"].cat.reorder_categories(["Ulm", "Bern"]))
    assert np.array_equal(Cells(turned).codes(both), cells.codes(both))
    assert both.k == 4
    assert Cells(NEW).codes(both).tolist() == [both.k, cells.codes(both)[0], cells.codes(both)[4]]


def test_numbers_within_their_group():
    cells, new = Cells(TINY), Cells(NEW)
    mean = WithinGroup.of("mean", cells, ["shop"], "price")
    assert np.allclose(mean.values(cells), [8, 8, 4.5, 8, 4.5])  # of 10 and 6, of 1 and 8
    distance = WithinGroup.of("distance", cells, ["shop"], "price")
    assert np.allclose(distance.values(cells), [2, -2, -3.5, np.nan, 3.5], equal_nan=True)
    by_town = WithinGroup.of("mean", cells, ["town"], "price")
    assert np.allclose(by_town.values(new), [6.25, 5.5, 8])  # a new town is all rows; no town is the row without one


def test_a_rank_is_the_share_of_the_groups_training_rows_below():
    cells = Cells(TINY)
    rank = WithinGroup.of("rank", cells, ["shop"], "price")
    assert np.allclose(rank.values(cells), [0.75, 0.25, 0.25, np.nan, 0.75], equal_nan=True)
    by_town = WithinGroup.of("rank", cells, ["town"], "price")
    assert np.allclose(by_town.values(Cells(NEW)), [0.25, np.nan, 1.0], equal_nan=True)  # of 1 6 8 10; 9 is above 8


def test_ranks_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.integers(0, 9, 200).astype(float), "g": pd.Categorical(rng.choice(list("abc"), 200))})
    rank = WithinGroup.of("rank", Cells(X), ["g"], "x").values(Cells(X))
    for i in range(0, 200, 17):
        own = X["x"][X["g"] == X["g"][i]]
        assert rank[i] == pytest.approx((own < X["x"][i]).mean() + 0.5 * (own == X["x"][i]).mean())


# --------------------------------------------------------------------------------------------------- what is worth it


@pytest.mark.parametrize("base", ["boosting", "linear"])
def test_what_tells_is_made_and_the_best_comes_first(base):
    X, y = houses()
    found = screened(X, y, HOUSES, ("arithmetic",), classification=False, base=base, seed=0)
    assert found.recipes[0](Cells(X)).name == "rent / area"
    assert len(found.recipes) == len(found.gains) == len(found.generators)


@pytest.mark.parametrize("rows", [0, 5, 150])
def test_without_rows_columns_or_a_target_nothing_is_made(rows):
    X = pd.DataFrame({"a": np.full(rows, 3.0), "b": np.full(rows, np.nan)})
    how = {"classification": False, "base": "boosting", "seed": 0}
    assert screened(X, np.ones(rows), Columns(numeric=("a", "b")), GENERATORS, **how).gains == ()
    assert screened(X, np.arange(rows) / 7, Columns(numeric=("a", "b")), GENERATORS, **how).gains == ()


def test_nothing_leaks_of_a_random_target_with_many_categories():
    """Categories of three rows each and a target that is a coin: held-back rows know no better with the columns."""
    rng = np.random.default_rng(1)
    n = 900
    X = pd.DataFrame({f"id{k}": pd.Categorical(rng.integers(0, n // 3, n).astype(str)) for k in range(3)})
    X["x"], X["z"] = rng.normal(size=n), rng.normal(size=n)
    task = make_task(X, y=rng.integers(0, 2, n), name="coin")
    splits, config = plan_splits(task, seed=0, folds=3), cash_space("binary", ["linear"]).default
    with_them = evaluate(task, config | {"linear.features": "+".join(GENERATORS)}, splits, seed=0)
    assert with_them.evaluation.scores["roc_auc"] < 0.56  # 900 rows: a standard error of .02


def test_of_hundreds_of_columns_nothing_is_made_and_no_time_is_spent():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 400))).rename(columns=str)
    how = {"classification": False, "base": "boosting", "seed": 0}
    assert screened(X, (X["0"] / X["1"]).to_numpy(), Columns(tuple(X)), GENERATORS, **how).gains == ()


# --------------------------------------------------------------------------------------------------------- pipelines


@pytest.mark.parametrize("family", ["lightgbm", "linear"])
def test_rows_are_answered_one_by_one_as_together(family):
    X, y = houses()
    config = cash_space("regression", [family]).complete({f"{family}.features": "arithmetic+groups"})
    model = fit(build(config, HOUSES, "regression", n_rows=600, seed=0), X, y)
    new = X.head(30).assign(town=pd.Categorical(["z", *X["town"].head(29)]), rent=[np.nan, *X["rent"].head(29)])
    together = model.predict(new)
    assert np.isfinite(together).all()
    assert np.allclose([model.predict(new.iloc[[i]])[0] for i in range(30)], together, rtol=1e-12)
    assert np.array_equal(SharedInputs(new).ask(model, "predict"), together)


@pytest.mark.parametrize("family", ["lightgbm", "linear"])
def test_made_columns_pay_where_they_should_and_repeat_under_the_seed(family):
    X, y = houses(1500)
    task = make_task(X, y=y, name="houses")
    splits, config = plan_splits(task, seed=0, folds=2), cash_space("regression", [family]).default
    plain = evaluate(task, config, splits, seed=0)
    made, again = (evaluate(task, config | {f"{family}.features": "arithmetic"}, splits, seed=0) for _ in range(2))
    assert made.evaluation.scores[task.metric] > plain.evaluation.scores[task.metric]
    assert made.evaluation.made[0] == "rent / area"
    assert plain.evaluation.made == ()
    assert np.array_equal(made.oof, again.oof)


def test_names_tell_columns_and_a_column_of_the_same_name_stays_apart():
    X, y = houses()
    X = X.rename(columns={"age": "rent / area"})  # the name of what will be made
    columns = Columns(numeric=("rent", "area", "rent / area"), categorical=("town",))
    step = MadeFeatures(
        ("arithmetic",), columns.numeric, columns.categorical, classification=False, base="linear", seed=0
    )
    frame = step.fit_transform(X, y)
    assert step.get_feature_names_out()[:4].tolist() == ["rent", "area", "rent / area", "town"]
    assert "rent / area" in step.get_feature_names_out()[4:]
    assert frame.columns.is_unique
    assert [name[0] for name in frame.columns[4:]] == [MADE] * len(step.made_)
    assert np.allclose(frame.iloc[:, 4], X["rent"] / X["area"])


def test_it_counts_rows_by_their_weights_where_the_learner_does():
    X, y = houses()
    task = make_task(X.assign(w=np.where(np.arange(600) < 300, 1.0, 0.01)), y=y, weight="w", name="weighed")
    config = cash_space("regression", ["linear"]).default | {"linear.features": "arithmetic"}
    model = fit_model(task, config, np.arange(600), seed=0)
    assert made_by(model)
    assert np.isfinite(predict_aligned(model, task.X, task.kind, 0)).all()


def test_a_trial_whose_columns_would_all_be_chance_ends_after_a_fold():
    task = make_task(pd.DataFrame({"a": np.arange(90.0)}), y=np.arange(90) % 2, name="one")  # of one column nothing
    splits = plan_splits(task, seed=0, folds=3)
    config = cash_space("binary", ["linear"]).default | {"linear.features": "arithmetic"}
    tried = evaluate(task, config, splits, seed=0).evaluation
    assert (tried.state, tried.n_folds) == (State.STOPPED, 1)
    assert "told more than chance" in tried.reason


def test_the_configuration_names_only_what_made_something():
    X, y = houses()
    task = make_task(X, y=y, name="houses")
    config = cash_space("regression", ["linear"]).default | {"linear.features": "arithmetic+groups"}
    tried = evaluate(task, config, plan_splits(task, seed=0, folds=2), seed=0).evaluation
    assert "axes" not in tried.config["linear.features"]  # a linear model adds columns up by itself
    assert "arithmetic" in tried.config["linear.features"]
    assert cash_space("regression").contains(tried.config)


def test_a_model_with_made_columns_comes_back_from_a_pickle():
    X, y = houses()
    config = cash_space("regression", ["linear"]).default | {"linear.features": "+".join(GENERATORS)}
    model = fit(build(config, HOUSES, "regression", n_rows=600, seed=0), X, y)
    back = pickle.loads(pickle.dumps(model))
    assert made_by(back) == made_by(model)
    assert np.array_equal(back.predict(X), model.predict(X))


# ------------------------------------------------------------------------------------------------------- the parameter


def test_it_is_off_in_every_configuration_that_does_not_name_it():
    space = cash_space("binary", ["lightgbm", "linear", "knn"])
    plain = SearchSpace(space.parameters)
    assert space.default == plain.default
    assert (space, space.fingerprint) == (plain, plain.fingerprint)  # what was learned of it still fits
    assert space.fill(20, 3) == plain.fill(20, 3)
    assert not any(map(makes_features, space.fill(50)))
    assert "knn.features" not in space


def test_what_is_given_stays_what_is_wrong_is_named_and_off_is_not_written():
    space = cash_space("binary", ["lightgbm", "linear"])
    on = space.complete({"family": "linear", "linear.features": "arithmetic+groups"})
    assert on["linear.features"] == "arithmetic+groups"
    assert space.contains(on)
    assert space.clip(on) == (on, [])
    assert without_features(on) == space.complete({"family": "linear"})
    assert config_key(space.complete({"family": "linear", "linear.features": "off"})) == config_key(
        without_features(on)
    )
    assert "outside" in space.problems(on | {"linear.features": "magic"})[0]
    assert "inactive" in space.problems(on | {"lightgbm.features": "groups"})[0]
    assert (space.encode(on).x == space.encode(without_features(on)).x).all()


def test_every_choice_is_a_set_of_generators_in_order():
    assert CHOICES[0] == "off"
    assert len(CHOICES) == 2 ** len(GENERATORS) == len(set(CHOICES))
    assert as_made({"family": "linear", "linear.features": "groups"}, None)["linear.features"] == "groups"


def test_a_person_turns_it_on_for_every_trial_or_forbids_it():
    X, y = houses()
    task = make_task(X, y=y, name="houses")
    on = search_space(task, Settings(trials=1, families=("linear",), space={"linear.features": "arithmetic"}))
    assert on.default["linear.features"] == "arithmetic"
    off = search_space(task, Settings(trials=1, families=("linear",), space={"linear.features": "off"}))
    assert not makes_features(off.default)
    assert off.problems(off.default | {"linear.features": "groups"})
    with pytest.raises(InputError, match="magic"):
        search_space(task, Settings(trials=1, families=("linear",), space={"linear.features": "magic"}))


def test_where_a_model_has_to_be_exported_or_rise_there_is_none():
    X, y = houses()
    task = make_task(X, y=y, name="houses")
    asked = {"linear.features": "groups"}
    assert "linear.features" not in search_space(task, Settings(trials=1, families=("linear",), exportable=True))
    with pytest.raises(InputError, match="ONNX"):
        search_space(task, Settings(trials=1, families=("linear",), exportable=True, space=asked))
    rising = make_task(X, y=y, monotonic={"rent": 1}, name="rising")
    assert "lightgbm.features" not in search_space(rising, Settings(trials=1, families=("lightgbm",)))
    config = cash_space("regression", ["lightgbm"]).default | {"lightgbm.features": "groups"}
    with pytest.raises(InputError, match="rising"):
        build(config, HOUSES, "regression", n_rows=600, seed=0, monotonic={"rent": 1})


def test_onnx_refuses_such_a_pipeline_in_a_sentence():
    from autometa.export.learners import _pipeline

    X, y = houses()
    config = cash_space("regression", ["linear"]).default | {"linear.features": "arithmetic"}
    model = fit(build(config, HOUSES, "regression", n_rows=600, seed=0), X, y)
    with pytest.raises(RunError, match="makes columns of its own"):
        _pipeline(None, model, [], None)


def test_an_evaluation_of_before_made_nothing_and_one_of_today_comes_back_equal():
    known = Evaluation({"family": "linear"}, State.COMPLETE, None, {}, {}, 0.1, 0.1, 0, 0, 90, {}, made=("a / b",))
    assert Evaluation.from_dict(json.loads(json.dumps(known.to_dict()))) == known
    before = {name: value for name, value in known.to_dict().items() if name != "made"}
    assert Evaluation.from_dict(before).made == ()
