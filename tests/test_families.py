"""What every family of the catalogue promises, and what makes some of them themselves."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.families import FAMILIES, available, build, cash_space, suited
from autometa.families.learners import gaussian_process
from autometa.families.learners.holdout import inner_split
from autometa.families.options import OPTIONS
from autometa.space import SearchSpace
from autometa.task import Columns

KINDS = ("binary", "multiclass", "regression")
PAIRS = [(kind, family) for kind in KINDS for family in available(kind)]
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


@pytest.mark.parametrize("family", FAMILIES)
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


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prediction_does_not_depend_on_the_other_rows(family):
    kind = "multiclass" if "multiclass" in FAMILIES[family].kinds else "regression"
    frame, y = nasty(kind)
    model = build(cheap(cash_space(kind, [family]).default), COLUMNS, kind, n_rows=90, seed=5).fit(frame, y)
    answer = model.predict if kind == "regression" else model.predict_proba
    np.testing.assert_allclose(answer(frame.iloc[[7, 3]]), answer(frame)[[7, 3]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
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


@pytest.mark.parametrize("family", FAMILIES)
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
    small, large = SimpleNamespace(n=500, p=20, c=2), SimpleNamespace(n=200_000, p=100, c=60)
    assert suited(small, list(FAMILIES)) == {}
    assert {"svm", "knn", "gaussian_process", "catboost", "random_forest"} <= set(suited(large, list(FAMILIES)))
    assert "200000 rows" in suited(large, ["svm"])["svm"]


# -- preprocessing ---------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=30),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(2, 4)),
)
def test_category_codes_are_dense_and_merge_what_is_rare(values, min_frequency, most):
    from autometa.families.learners.preprocess import CategoryCodes

    frame = pd.DataFrame({"x": pd.Categorical(values, categories=["d", "a", "b", "c", "never"])})
    codes = CategoryCodes(most=most, min_frequency=min_frequency).fit(frame).transform(frame)[:, 0]
    assert [np.isnan(code) for code in codes] == [value is None for value in values]
    used = np.unique(codes[~np.isnan(codes)])
    np.testing.assert_array_equal(used, np.arange(len(used)))
    assert most is None or len(used) <= most
    code_of = {value: code for value, code in zip(values, codes, strict=True) if value is not None}
    for value, code in code_of.items():  # what shares its code with another is rare, or one too many
        others = [other for other in code_of if other != value and code_of[other] == code]
        assert not others or most is not None or values.count(value) < min_frequency


def test_category_codes_follow_names_and_not_their_places():
    from autometa.families.learners.preprocess import CategoryCodes

    encoder = CategoryCodes(most=None).fit(pd.DataFrame({"x": pd.Categorical(["a", "b"])}))
    later = pd.DataFrame({"x": pd.Categorical(["b", "new", None, "a"], categories=["new", "b", "a"])})
    np.testing.assert_array_equal(encoder.transform(later)[:, 0], [1, np.nan, np.nan, 0])


def test_one_hot_columns_equal_those_of_the_library():
    from sklearn.preprocessing import OneHotEncoder

    from autometa.families.learners.preprocess import OneHot

    codes = np.array([[0, 0, -1], [2, 0, 1], [1, 0, 0]], dtype=float)
    later = np.array([[-1, -1, -1], [2, 0, 0]], dtype=float)
    library = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(codes)
    np.testing.assert_array_equal(OneHot().fit(codes).transform(later), library.transform(later))


def test_a_target_encoding_of_noise_does_not_leak_the_target():
    from autometa.families.learners.preprocess import TargetMeans

    rng = np.random.default_rng(0)
    codes, y = np.arange(200.0)[:, None] // 2, rng.integers(0, 2, 200)
    encoded = TargetMeans(classification=True, seed=0).fit_transform(codes, y)[:, 0]
    assert abs(np.corrcoef(encoded, y)[0, 1]) < 0.4  # without cross-fitting it is above 0.7


def test_a_target_encoding_has_a_bounded_width():
    from autometa.families.learners.preprocess import TargetMeans

    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 5, (300, 2)).astype(float), rng.integers(0, 100, 300)
    assert TargetMeans(classification=True, seed=0).fit_transform(codes, y).shape == (
        300,
        2 * OPTIONS.preprocessing.most_target_classes,
    )


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.floats(0.05, 0.5), st.integers(0, 5))
def test_an_inner_split_parts_the_rows_and_keeps_every_class_in_training(classes, fraction, seed):
    y = np.array(classes)
    train, held = inner_split(y, classification=True, fraction=fraction, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(len(y)))
    assert set(y[train]) == set(y)
    sizes, taken = np.bincount(y, minlength=6), np.bincount(y[held], minlength=6)
    assert (taken <= np.ceil(sizes * fraction)).all() or taken.sum() == 1


# -- what makes some of them themselves ------------------------------------------------------------------


@pytest.mark.parametrize(("pooling", "shrinkage"), [(0.0, 0.0), (0.3, 0.1), (1.0, 1.0)])
def test_discriminant_analysis_is_bayes_rule_over_gaussians(pooling, shrinkage):
    from scipy.stats import multivariate_normal

    from autometa.families.learners.discriminant import RegularizedDiscriminant

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3))
    y = np.repeat(["a", "b", "c"], [10, 20, 30])
    of_all = sum((y == k).sum() * np.cov(X[y == k].T, bias=True) for k in "abc")
    densities = []
    for k in "abc":
        n, own = (y == k).sum(), np.cov(X[y == k].T, bias=True)
        drawn = ((1 - pooling) * n * own + pooling * of_all) / ((1 - pooling) * n + pooling * 60)
        cov = (1 - shrinkage) * drawn + shrinkage * np.trace(drawn) / 3 * np.eye(3)
        densities.append(n / 60 * multivariate_normal(X[y == k].mean(axis=0), cov).pdf(X))
    naive = np.transpose(densities) / np.sum(densities, axis=0)[:, None]
    model = RegularizedDiscriminant(pooling=pooling, shrinkage=shrinkage, uniform_prior=False).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), naive, rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[naive.argmax(axis=1)])


def test_discriminant_analysis_with_one_covariance_for_all_is_the_librarys_linear_one():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    from autometa.families.learners.discriminant import RegularizedDiscriminant

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 3, 200)
    ours = RegularizedDiscriminant(pooling=1.0, shrinkage=0.0, uniform_prior=False).fit(X + y[:, None], y)
    library = LinearDiscriminantAnalysis(solver="lsqr").fit(X + y[:, None], y)
    np.testing.assert_allclose(ours.predict_proba(X), library.predict_proba(X), atol=1e-6)


def test_discriminant_analysis_answers_for_classes_of_a_single_row_and_columns_that_never_vary():
    from autometa.families.learners.discriminant import RegularizedDiscriminant

    X, y = np.array([[0.0, 1.0], [0.0, 1.0], [5.0, 1.0], [7.0, 1.0]]), np.array([0, 0, 1, 2])
    model = RegularizedDiscriminant(pooling=0.0, shrinkage=1e-4, uniform_prior=True).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), y)
    assert np.isfinite(model.predict_proba(X + 1)).all()


def test_a_ridge_penalty_on_bends_is_the_one_on_second_differences_of_the_splines():
    from autometa.families.learners.additive import Curves

    X = np.random.default_rng(0).exponential(size=(200, 1))
    bends = Curves(bend=1.0, products=False, classification=False).fit(X, X[:, 0]).bends_[0]
    differences = np.diff(bends.c, 2, axis=0)  # of the splines' coefficients, for each bend
    np.testing.assert_allclose(differences, differences[0, 0] * np.eye(len(differences)), atol=1e-9)


def test_an_additive_model_learns_curves_products_of_two_and_goes_on_straight_beyond_its_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(-3, 3, (500, 3)), columns=["a", "b", "c"])
    curve, product = np.sin(2 * frame["a"]) + frame["b"] ** 2, frame["b"] * frame["c"]

    def fitted(y, family="additive", **changes):
        config = cash_space("regression", [family]).default | {f"{family}.{k}": v for k, v in changes.items()}
        return build(config, Columns(numeric=("a", "b", "c")), "regression", n_rows=500, seed=0).fit(frame, y)

    def error(model, y):
        return float(np.sqrt(np.mean((model.predict(frame) - y) ** 2)))

    assert error(fitted(curve, alpha=0.01), curve) < 0.1 * error(fitted(curve, "linear"), curve)
    assert error(fitted(product, alpha=0.01, products=True), product) < 0.01 < error(fitted(product), product)
    line = pd.DataFrame({"a": np.linspace(3.5, 9, 20), "b": 0.0, "c": 0.0})
    np.testing.assert_allclose(np.diff(fitted(curve).predict(line), 2), 0.0, atol=1e-9)


def test_products_of_values_far_from_all_others_grow_no_more():
    from autometa.families.learners.additive import Curves

    X = np.random.default_rng(0).normal(size=(100, 2))
    curves = Curves(bend=1.0, products=True, classification=False).fit(X, X[:, 0])
    far = curves.transform(np.array([[50.0, 70.0]]))[0]
    assert far[:2].tolist() == [50.0, 70.0]
    np.testing.assert_allclose(far[-1], 0.5 * OPTIONS.additive.reach**2 * X.std(axis=0).prod())


def test_products_are_of_the_inputs_that_tell_most_where_there_are_many():
    from autometa.families.learners.additive import Curves

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, OPTIONS.additive.most_multiplied + 10))
    for y in (X[:, 30] - X[:, 34] + 0.1 * rng.normal(size=300), np.sign(X[:, 30] - X[:, 34]).astype(int)):
        curves = Curves(bend=1.0, products=True, classification=y.dtype.kind == "i").fit(X, y)
        assert len(curves.pairs_) == OPTIONS.additive.most_multiplied * (OPTIONS.additive.most_multiplied - 1) / 2
        assert {30, 34} <= set(curves.pairs_.ravel())
        expected = (X[:, 30] - X[:, 30].mean()) * (X[:, 34] - X[:, 34].mean()) / 2
        assert np.isclose(curves.transform(X).T, expected).all(axis=1).any()


@pytest.mark.parametrize("family", ["lightgbm", "xgboost", "catboost", "hist_gradient_boosting"])
def test_early_stopping_ends_boosting_of_noise_soon(family):
    if family not in available("regression"):
        pytest.skip(f"{family} is not installed")
    rng = np.random.default_rng(0)
    frame, y = pd.DataFrame({"x": rng.normal(size=200)}), rng.normal(size=200)
    rounds = "max_iter" if family == "hist_gradient_boosting" else "n_estimators"
    config = cash_space("regression", [family]).default | {f"{family}.early_stop": True, f"{family}.{rounds}": 1000}
    model = build(config, Columns(numeric=("x",)), "regression", n_rows=200, seed=0).fit(frame, y)
    assert model[-1].rounds_ < 200


def test_boosting_grows_fewer_rounds_when_each_has_a_tree_for_every_class():
    from autometa.families.learners.boosting import BoostingClassifier

    asked = []

    def train(job):
        asked.append(job.rounds)
        return None, job.rounds

    y = np.arange(400) % 200
    BoostingClassifier(train, {}, rounds=2000, early_stop=False, categorical=0, seed=0).fit(np.zeros((400, 1)), y)
    assert asked == [OPTIONS.boosting.most_trees // 200]


@pytest.mark.parametrize("large", [False, True])
def test_early_stopping_learns_from_the_held_out_rows_too_where_they_are_few(large):
    from autometa.families.learners.boosting import BoostingRegressor

    n, fits = OPTIONS.boosting.refit_below if large else 200, []

    def train(job):
        fits.append((len(job.rows.X), job.rounds, 0 if job.validation is None else len(job.validation.X)))
        return len(fits), 7

    model = BoostingRegressor(train, {}, rounds=100, early_stop=True, categorical=0, seed=0)
    model.fit(np.zeros((n, 1)), np.arange(n))
    stopped = (round(0.85 * n), 100, round(0.15 * n))
    assert fits == [stopped] if large else [stopped, (n, 7, 0)]
    assert model.model_ == len(fits)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_lightgbm_answers_a_few_rounds_at_a_time_as_it_does_at_once(kind):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 4)), columns=list("abcd"))
    value = X["a"] * X["b"] + rng.normal(size=600) / 5
    y = value if kind == "regression" else pd.cut(value, 2 + 3 * (kind == "multiclass"), labels=False)
    config = cash_space(kind, ["lightgbm"]).default | {"lightgbm.n_estimators": 700}
    for early_stop in (False, True):
        stopping = config | {"lightgbm.early_stop": early_stop}
        pipeline = build(stopping, Columns(numeric=tuple("abcd")), kind, n_rows=600, seed=0).fit(X, y)
        model = pipeline[-1].model_
        assert model.rounds * model.leaves > OPTIONS.boosting.cached_leaves or early_stop
        whole = model.booster.predict(pipeline[:-1].transform(X), num_iteration=model.rounds)
        if kind == "regression":
            np.testing.assert_allclose(pipeline.predict(X), whole, rtol=1e-9, atol=1e-12)
        else:
            said = pipeline.predict_proba(X)
            np.testing.assert_allclose(said[:, 1] if kind == "binary" else said, whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_support_vectors_are_calibrated_as_well_as_by_the_library(n_classes):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.metrics import log_loss
    from sklearn.svm import SVC

    from autometa.families.learners.svm import SupportVectorClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 2))
    truth = np.exp(2 * X @ rng.normal(size=(2, n_classes)))
    truth /= truth.sum(axis=1, keepdims=True)
    y = (truth.cumsum(axis=1) < rng.random((800, 1))).sum(axis=1)
    ours = SupportVectorClassifier(C=1.0, kernel="rbf", gamma=1.0, class_weight=None, seed=0).fit(X[:500], y[:500])
    theirs = CalibratedClassifierCV(SVC(C=1.0), ensemble=False).fit(X[:500], y[:500])
    losses = [log_loss(y[500:], model.predict_proba(X[500:])) for model in (ours, theirs)]
    assert losses[0] < losses[1] + 0.03


def test_an_elastic_net_without_l1_is_nearly_the_ridge_regression_of_the_same_alpha():
    from sklearn.linear_model import Ridge

    from autometa.families.learners.linear import ElasticNetOnScaledTarget

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = 100 + X @ np.array([3.0, -2.0, 0.0, 1.0]) + rng.normal(size=60)
    net = ElasticNetOnScaledTarget(alpha=10.0, l1_ratio=1e-6).fit(X, y)
    np.testing.assert_allclose(net.predict(X), Ridge(alpha=10.0).fit(X, y).predict(X), rtol=1e-2)


# -- the Gaussian process --------------------------------------------------------------------------------


def smooth(n=120, p=4, seed=0):
    """Inputs of which two count, and a standardised target."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    y = np.sin(2 * x[:, 0]) + 0.3 * x[:, 1] + 0.2 * rng.normal(size=n)
    return x, (y - y.mean()) / y.std()


def of_library(kernel):
    """scikit-learn's kernel of the same parameters."""
    from sklearn.gaussian_process import kernels

    nu = {"rbf": np.inf, "matern_32": 1.5, "matern_52": 2.5}[kernel.shape]
    found = kernel.amplitude * kernels.Matern(kernel.lengths, nu=nu) + kernels.WhiteKernel(kernel.noise)
    return found + kernel.slope * kernels.DotProduct(1.0) if kernel.slope else found


KERNELS = [
    gaussian_process.ProcessKernel(shape, 1.3, 0.2, slope, np.array(lengths))
    for shape in ("rbf", "matern_32", "matern_52")
    for slope in (0.0, 0.4)
    for lengths in ([1.7], [0.8, 1.5, 3.0, 9.0])
]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: f"{k.shape} {k.slope} {len(k.lengths)}")
def test_through_all_of_its_rows_the_process_is_the_library_s(kernel):
    from sklearn.gaussian_process import GaussianProcessRegressor

    (x, y), (others, _) = smooth(), smooth(seed=1)
    fitted = gaussian_process.project(kernel, x, y, x)
    exact = GaussianProcessRegressor(of_library(fitted.kernel), optimizer=None).fit(x, y)
    np.testing.assert_allclose(gaussian_process.predict(fitted, others), exact.predict(others), atol=1e-3)
    noises = fitted.kernel.noise * np.array([0.7, 1.0, 1.4])  # the one it found is the likeliest
    likelihoods = [
        GaussianProcessRegressor(of_library(kernel._replace(noise=noise)), optimizer=None)
        .fit(x, y).log_marginal_likelihood_value_
        for noise in noises
    ]  # fmt: skip
    assert np.argmax(likelihoods) == 1


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: f"{k.shape} {k.slope} {len(k.lengths)}")
def test_the_gradient_by_which_a_kernel_is_learned_is_that_of_the_library_s_likelihood(kernel):
    from scipy.optimize import approx_fprime
    from sklearn.gaussian_process import GaussianProcessRegressor

    x, y = smooth(60)
    objective = gaussian_process._objective(x, y, kernel.shape, kernel.slope > 0)
    logs = np.log([kernel.amplitude, kernel.noise, kernel.slope or 1.0, *kernel.lengths])
    value, gradient = objective(logs)
    np.testing.assert_allclose(gradient, approx_fprime(logs, lambda at: objective(at)[0], 1e-6), atol=1e-3)
    usual, spread = np.log(4) / 2 + OPTIONS.gaussian_process.prior[0], OPTIONS.gaussian_process.prior[1]
    prior = 0.5 * (((np.log(kernel.lengths) - usual) / spread) ** 2).sum()
    model = GaussianProcessRegressor(of_library(kernel), optimizer=None).fit(x, y)
    constant = 0.5 * len(y) * np.log(2 * np.pi)
    assert value == pytest.approx(prior - model.log_marginal_likelihood_value_ - constant, abs=1e-2)


def process(**settings):
    from autometa.families.learners.gaussian_process import GaussianProcess

    given = {"kernel": "matern_52", "relevance": True, "linear": True, "inducing": 200, "seed": 0}
    return GaussianProcess(**(given | settings))


def test_a_process_of_many_rows_sees_them_all_through_few():
    x, y = smooth(4000, 6)
    few, many = process(inducing=300).fit(x[:200], y[:200]), process(inducing=300).fit(x[:3000], y[:3000])
    errors = [np.mean((model.predict(x[3000:]) - y[3000:]) ** 2) for model in (few, many)]
    assert errors[1] < 0.065  # the noise alone is .04 / .72 = .056
    assert errors[1] < 0.9 * errors[0]
    assert many.fitted_.alpha.shape == (300,)
    assert (many.fitted_.kernel.lengths[2:] > 10 * many.fitted_.kernel.lengths[0]).all()  # what does not count


def test_the_noise_is_that_of_all_rows_and_not_of_the_few_the_kernel_saw():
    x, y = smooth(2000)
    noisy = process(inducing=150).fit(x, y + np.random.default_rng(5).normal(size=len(y)))
    assert 0.47 < noisy.fitted_.kernel.noise < 0.56  # as it is, 1.05 of 2.05; those rows alone would say .37


def test_a_process_short_of_time_is_what_so_few_inducing_rows_give():
    x, y = smooth(3000)
    truncated = process(inducing=1500).fit(x, y, seconds=1e-3)
    whole = process(inducing=250).fit(x, y, seconds=1e3)
    assert (truncated.truncated_at_, whole.truncated_at_) == (200, None)
    np.testing.assert_array_equal(truncated.predict(x), process(inducing=200).fit(x, y).predict(x))
    np.testing.assert_array_equal(whole.predict(x), process(inducing=250).fit(x, y).predict(x))


def test_a_process_has_as_many_inducing_rows_as_there_is_time_for(monkeypatch):
    class Time:
        now = 0.0

        @classmethod
        def monotonic(cls):
            cls.now += 0.5
            return cls.now

    monkeypatch.setattr(gaussian_process, "time", Time)  # the small one takes half a second
    x, y = smooth(3000)
    models = [process(inducing=600).fit(x, y, seconds=seconds) for seconds in (3.0, 11.0)]
    assert 200 < models[0].truncated_at_ < 600
    assert models[0].fitted_.alpha.shape == (models[0].truncated_at_,)
    assert models[1].truncated_at_ is None


def test_a_process_from_before_it_had_inducing_rows_has_the_usual_number():
    space = FAMILIES["gaussian_process"].space("regression")
    config = {k: v for k, v in space.default.items() if k != "inducing"}
    pipeline = FAMILIES["gaussian_process"].build(
        config, COLUMNS, "regression", n_rows=90, seed=0, threads=1, device="cpu"
    )
    assert pipeline[-1].inducing == space.default["inducing"]


# -- the network -----------------------------------------------------------------------------------------


def network(kind="binary", seed=0, **changes):
    from autometa.families.learners.mlp import NetworkClassifier, NetworkRegressor

    config = FAMILIES["mlp"].space(kind).default | {"members": 2, "width": 32} | changes
    face = NetworkRegressor if kind == "regression" else NetworkClassifier
    return face(config, categorical=0, seed=seed)


def test_the_network_learns_what_no_single_column_tells():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(600, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    assert network().fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.93


def test_the_network_leaves_global_random_state_and_threads_alone():
    import torch

    before, threads = torch.get_rng_state(), torch.get_num_threads()
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    network().fit(X, y).predict_proba(X)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_training_a_network_does_not_import_the_compiler_of_torch():
    code = (
        "import sys, numpy as np\n"
        "from autometa.families import FAMILIES\n"
        "from autometa.families.learners.mlp import NetworkRegressor\n"
        "X = np.random.default_rng(0).normal(size=(20, 2))\n"
        "NetworkRegressor(FAMILIES['mlp'].space('regression').default, categorical=0).fit(X, X[:, 0]).predict(X)\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_network_short_of_time_is_what_so_few_epochs_give(kind, monkeypatch):
    from autometa.families.learners import mlp

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 5)), rng.normal(size=600)
    y = y if kind == "regression" else (y > 0).astype(int)
    monkeypatch.setattr(mlp, "_seconds_of", lambda work, times: (work(), 0.01)[1])  # of a step, and of a validation
    # A tenth of the time is left over; an epoch has 32 steps, and there are 12 validations.
    truncated = network(kind, dropout=0.2).fit(X, y, seconds=2.6)
    few = network(kind, dropout=0.2, epochs=6).fit(X, y)
    whole = network(kind, dropout=0.2).fit(X, y, seconds=1000.0)
    free = network(kind, dropout=0.2).fit(X, y)
    assert [model.truncated_at_ for model in (truncated, few, whole, free)] == [6, None, None, None]
    np.testing.assert_array_equal(truncated.predict(X), few.predict(X))
    np.testing.assert_array_equal(whole.predict(X), free.predict(X))
    with pytest.raises(TimeoutError, match="too short for 2 epochs"):
        truncated.fit(X, y, seconds=0.1)


@pytest.mark.timed
def test_a_network_ends_in_about_the_time_it_was_given():
    import time

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 20)), rng.normal(size=20_000)
    model = network("regression", width=128, members=4)
    began = time.monotonic()
    model.fit(X, y, seconds=4.0)
    assert time.monotonic() - began < 8.0
    assert 2 <= model.truncated_at_ < 60
    assert np.isfinite(model.predict(X)).all()


def test_a_network_from_before_it_had_epochs_has_all_of_them():
    config = {k: v for k, v in FAMILIES["mlp"].space("binary").default.items() if k != "epochs"}
    pipeline = FAMILIES["mlp"].build(config, COLUMNS, "binary", n_rows=90, seed=0, threads=1, device="cpu")
    assert pipeline[-1].config["epochs"] == 60


def test_the_ensemble_is_the_mean_of_its_members():
    import torch

    from autometa.families.learners import network as engine

    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 3
    model = network("multiclass", members=3).fit(X, y)
    weights = {name: torch.from_numpy(weight) for name, weight in model.weights_.items()}
    inputs = engine.Inputs(torch.from_numpy(X.astype(np.float32)), torch.zeros((40, 0), dtype=torch.int64))
    alone = []
    for member in range(3):
        own = {
            k: w[member : member + 1] if k in ("members", "output", "output_bias") else w for k, w in weights.items()
        }
        alone.append(engine.forward(own, inputs).softmax(dim=2)[0].numpy())
    np.testing.assert_allclose(model.predict_proba(X), np.mean(alone, axis=0), atol=1e-5)


def test_a_missing_category_and_one_never_seen_are_the_same_to_the_network():
    from autometa.families.learners.mlp import NetworkClassifier

    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 3, 60).astype(float), rng.integers(0, 2, 60).astype(float)])
    config = FAMILIES["mlp"].space("binary").default | {"members": 1, "width": 16}
    model = NetworkClassifier(config, categorical=2).fit(X, (X[:, 0] == 1).astype(int))
    unseen, missing = model.predict_proba(np.array([[9.0, 0.0], [np.nan, 0.0]]))
    np.testing.assert_array_equal(unseen, missing)


# -- forests on disk -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
@pytest.mark.parametrize("classes", [0, 2, 20])
def test_a_forest_comes_back_from_disk_as_it_was_and_takes_less_room(name, classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    X[rng.random(X.shape) < 0.1] = np.nan
    y = X[:, 0] if not classes else rng.integers(classes, size=500)
    y = np.nan_to_num(y)
    kind = {0: "regression", 2: "binary", 20: "multiclass"}[classes]
    columns = Columns(numeric=("0", "1", "2", "3"))
    config = FAMILIES[name].space(kind).default
    model = FAMILIES[name].build(config, columns, kind, n_rows=500, seed=0, threads=1, device="cpu")[-1].fit(X, y)
    packed = pickle.dumps(model)
    answer = model.predict if kind == "regression" else model.predict_proba
    for back in (pickle.loads(packed), copy.copy(model), copy.deepcopy(model)):
        np.testing.assert_array_equal((back.predict if kind == "regression" else back.predict_proba)(X), answer(X))
        np.testing.assert_allclose(back.feature_importances_, model.feature_importances_, rtol=1e-5)
    trees = sum(len(pickle.dumps(tree)) for tree in model.estimators_)
    assert len(packed) < (0.7 if classes < 20 else 0.35) * trees


def test_a_forest_pickled_with_whole_trees_can_be_read():
    from autometa.families.learners.forests import TruncatableExtraTreesClassifier

    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 3
    model = TruncatableExtraTreesClassifier(3, random_state=0).fit(X, y)
    back = TruncatableExtraTreesClassifier.__new__(TruncatableExtraTreesClassifier)
    back.__setstate__(dict(vars(model)))
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
