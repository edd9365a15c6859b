"""What every family of the catalogue promises, and what the catalogue does."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError
from autometa.families import FAMILIES, REGISTRY, available, build, cash_space, foundation_models, suited
from autometa.space import SearchSpace
from autometa.task import Columns

KINDS = ("binary", "multiclass", "regression")
PAIRS = [(kind, family) for kind in KINDS for family in (*available(kind), *foundation_models(kind))]
HERE = [name for name in FAMILIES if any(name == family for _, family in PAIRS)]  # AUTOMETA_WEIGHTS names more
COLUMNS = Columns(
    numeric=("café", '{"a":1}', "all missing", "constant", "some missing", "huge"),
    categorical=("colour", "many", "[0]", "constant too"),
    text=("comment",),
)


def nasty(kind, n=90):
    """A small table with every kind of column, and what goes wrong in folds: unseen, all missing, constant, rare."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=n)
    colours = rng.choice(["red", "green", "blue", "żółty"], size=n)
    frame = pd.DataFrame(
        {
            "café": signal,
            '{"a":1}': rng.exponential(size=n) * 1e6,
            "all missing": np.nan,
            "constant": 3.0,
            "some missing": np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 3, n)),
            "huge": np.where(rng.random(n) < 0.05, 1e300, 1.0),
            "colour": pd.Categorical(np.where(rng.random(n) < 0.2, None, colours)),
            "many": pd.Categorical([f"id {i // 2}" for i in rng.permutation(n)]),
            "[0]": pd.Categorical(["0"] * (n - 1) + [None]),
            "constant too": pd.Categorical(["only"] * n),
            "comment": rng.choice(["", "a good day", "a bad night, again", "naïve ☃", "..."], size=n),
        }
    )
    frame.loc[n - 5 :, "all missing"] = 7.0  # seen in prediction only
    score = signal + (colours == "red") + 0.3 * rng.normal(size=n)
    if kind == "regression":
        return frame, 1000.0 + 50.0 * score
    if kind == "binary":
        return frame, (score > 0).astype(np.int64)
    return frame, np.select([score < -0.7, score < 0.5], [0, 2], 5).astype(np.int64)  # codes with gaps, as in a fold


def cheap(config):
    """The same configuration with few rounds and a narrow network of few epochs: what is tested is that it works."""
    bounds = {"n_estimators": 40, "max_iter": 40, "width": 48, "members": 3, "epochs": 3}
    return {
        name: min(value, bounds[own]) if (own := name.split(".")[-1]) in bounds else value
        for name, value in config.items()
    }


def predictions(config, kind, frame, y, rows, columns=COLUMNS):
    """Fits on some rows, predicts all, and checks what any scikit-learn model of that kind promises."""
    model = build(cheap(config), columns, kind, n_rows=len(rows), seed=3)
    model.fit(frame.iloc[rows], y[rows])
    if kind == "regression":
        values = model.predict(frame)
        assert values.shape == (len(frame),)
        assert np.isfinite(values).all()
        return values
    probabilities = model.predict_proba(frame)
    assert list(model.classes_) == sorted(set(y[rows]))
    assert probabilities.shape == (len(frame), len(model.classes_))
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert set(model.predict(frame)) <= set(y[rows])
    return probabilities


# -- what every family promises --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "family"), PAIRS)
def test_a_space_is_small_and_survives_json(kind, family):
    space = FAMILIES[family].space(kind)
    assert 3 <= len(space) <= 11
    assert space.contains(space.default)
    assert SearchSpace.from_json(space.to_json()) == space
    assert json.loads(json.dumps(space.default)) == space.default


@pytest.mark.parametrize(("kind", "family"), PAIRS)
def test_random_configurations_fit_a_nasty_table(kind, family):
    frame, y = nasty(kind)
    space = cash_space(kind, [family])
    rng = np.random.default_rng(1)
    for config in [space.default, *(space.sample(rng) for _ in range(5))]:
        predictions(config, kind, frame, y, np.arange(60))  # the other rows bring unseen categories and words


@pytest.mark.parametrize("family", HERE)
def test_a_seed_repeats_exactly_and_a_pickled_pipeline_predicts_the_same(family):
    kind = "binary" if "binary" in FAMILIES[family].kinds else "regression"
    frame, y = nasty(kind)
    config = cheap(cash_space(kind, [family]).default)
    first, second = (build(config, COLUMNS, kind, n_rows=90, seed=5).fit(frame, y) for _ in range(2))
    answer = "predict" if kind == "regression" else "predict_proba"
    np.testing.assert_array_equal(getattr(first, answer)(frame), getattr(second, answer)(frame))
    np.testing.assert_array_equal(
        getattr(first, answer)(frame), getattr(pickle.loads(pickle.dumps(second)), answer)(frame)
    )


@pytest.mark.parametrize("family", HERE)
def test_a_prediction_does_not_depend_on_the_other_rows(family):
    kind = "multiclass" if "multiclass" in FAMILIES[family].kinds else "regression"
    frame, y = nasty(kind)
    model = build(cheap(cash_space(kind, [family]).default), COLUMNS, kind, n_rows=90, seed=5).fit(frame, y)
    answer = model.predict if kind == "regression" else model.predict_proba
    np.testing.assert_allclose(answer(frame.iloc[[7, 3]]), answer(frame)[[7, 3]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", HERE)
@pytest.mark.parametrize(
    "columns",
    [
        Columns(numeric=("café",)),
        Columns(categorical=("colour",)),
        Columns(text=("comment",)),
        Columns(categorical=("[0]",)),
    ],
    ids=["one number", "one category", "one text", "one constant"],
)
def test_one_column_and_ten_rows_are_enough(family, columns):
    kind = "binary" if "binary" in FAMILIES[family].kinds else "regression"
    frame, y = nasty(kind)
    if family == "catboost" and columns.categorical == ("[0]",):
        pytest.skip("CatBoost refuses a table whose every column is constant: a failed trial")
    predictions(cash_space(kind, [family]).default, kind, frame, y, np.arange(10), columns)


@pytest.mark.parametrize("family", ["lightgbm", "extra_trees", "linear", "mlp", "knn"])  # one for each preprocessing
def test_a_thousand_columns_are_not_too_many(family):
    kind = "binary" if "binary" in FAMILIES[family].kinds else "regression"
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(rng.normal(size=(40, 600))).add_prefix("n")
    categories = pd.DataFrame(rng.integers(0, 5, size=(40, 600)).astype(str)).add_prefix("c").astype("category")
    columns = Columns(numeric=tuple(numbers), categorical=tuple(categories))
    y = rng.integers(0, 2, 40) if kind == "binary" else rng.normal(size=40)
    config = cheap(cash_space(kind, [family]).default)
    config = {name: min(value, 5) if name.endswith("n_estimators") else value for name, value in config.items()}
    predictions(config, kind, pd.concat([numbers, categories], axis=1), y, np.arange(30), columns)


@pytest.mark.parametrize("family", available("binary"))
def test_a_training_part_of_one_class_predicts_it(family):
    frame, _ = nasty("binary")
    probabilities = predictions(
        cash_space("binary", [family]).default, "binary", frame, np.ones(90, dtype=int), np.arange(60)
    )
    np.testing.assert_allclose(probabilities, 1.0, atol=1e-6)


@pytest.mark.parametrize("family", [name for name in HERE if not FAMILIES[name].foundation])  # whose weights may be any
def test_a_default_learns_an_easy_rule(family):
    kind = "binary" if "binary" in FAMILIES[family].kinds else "regression"
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    score = frame["a"].to_numpy() + 0.5 * frame["b"].to_numpy()
    y = (score > 0).astype(int) if kind == "binary" else 1e4 + 10 * score
    model = build(cash_space(kind, [family]).default, Columns(numeric=("a", "b", "c")), kind, n_rows=200, seed=0)
    assert model.fit(frame[:200], y[:200]).score(frame[200:], y[200:]) > 0.85


# -- the catalogue ---------------------------------------------------------------------------------------


def test_importing_the_catalogue_imports_no_learner():
    heavy = ["sklearn", "scipy", "pandas", "torch", "lightgbm", "catboost", "xgboost"]
    code = f"import autometa.families, sys; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_families_keep_the_order_of_the_catalogue_whatever_order_they_are_asked_for_in():
    assert cash_space("binary", ["knn", "lightgbm"]) == cash_space("binary", ["lightgbm", "knn"])
    assert cash_space("regression").default["family"] == "lightgbm"


def test_every_wrong_family_is_reported_at_once_with_what_was_probably_meant():
    with pytest.raises(InputError) as error:
        cash_space("regression", ["ligthgbm", "naive_bayes", "knn"])
    assert len(error.value.problems) == 2
    assert "Did you mean 'lightgbm'?" in str(error.value)
    assert "is not made for regression" in str(error.value)


def test_a_family_whose_package_is_absent_is_not_available(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "catboost" else SimpleNamespace())
    assert "catboost" not in available("binary")
    with pytest.raises(InputError, match="needs the package catboost"):
        cash_space("binary", ["catboost"])


def test_what_takes_too_long_is_left_out_with_a_reason():
    small, large = (
        SimpleNamespace(n=500, p=20, c=2, columns=COLUMNS, weights=None, monotonic=(), metric="roc_auc"),
        SimpleNamespace(n=200_000, p=100, c=60, columns=COLUMNS, weights=None, monotonic=(), metric="neg_log_loss"),
    )
    own = [name for name in FAMILIES if name in REGISTRY.own]  # whatever other tests have registered
    assert set(suited(small, own)) == {"few_shot"}  # nothing in it is an embedding
    assert {"svm", "knn", "gaussian_process", "catboost", "random_forest"} <= set(suited(large, own))
    assert "200000 rows" in suited(large, ["svm"])["svm"]
