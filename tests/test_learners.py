"""What makes the learners of `families.learners` themselves, each beside its formula, its library or its slow form."""

from __future__ import annotations

import ast
import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.families import FAMILIES, available, build, cash_space, fit, learners
from autometa.families.learners import forests, gaussian_process
from autometa.families.options import OPTIONS
from autometa.task import Columns


def test_a_learner_knows_no_space_and_no_catalogue():
    """Engine below, ranges above: what a learner imports of this package is other learners, and the tuned numbers."""
    for path in Path(learners.__file__).parent.glob("*.py"):
        imported = {
            node.module
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("autometa")
        }
        known = {
            "autometa.families.options",
            "autometa.task",
            "autometa.task.columns",
            "autometa.task.identifiers",
            "autometa.task.vectors",
        }  # of a task types, columns and vectors
        if path.name == "in_context.py":  # it finds weights and says which are missing; what it is made from is a type
            known |= {"autometa.errors", "autometa.families.foundation", "autometa.space"}
        assert {name for name in imported if not name.startswith("autometa.families.learners")} <= known, path.name


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


@pytest.mark.parametrize("name", ["RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier"])
def test_a_forest_answers_the_same_to_the_last_bit_whatever_its_threads(name):
    """scikit-learn adds what its trees say in the order in which threads end."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(101, 5))
    y = X[:, 0] + rng.normal(size=101)
    y = y if "Regressor" in name else np.digitize(y, [-0.5, 0.5])
    learner = getattr(forests, f"Truncatable{name}")
    models = [learner(60, min_samples_leaf=3, random_state=0, n_jobs=threads).fit(X, y) for threads in (1, 2, 3)]
    method = "predict" if "Regressor" in name else "predict_proba"
    expected = getattr(models[0], method)(X)
    for model in models:
        assert hasattr(model, "predict_proba") == ("Classifier" in name)
        for table in (X, pd.DataFrame(X).to_numpy(), X[:1]):
            np.testing.assert_array_equal(getattr(model, method)(table), expected[: len(table)])
        np.testing.assert_array_equal(model.predict(X), models[0].predict(X))


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
        config, Columns(numeric=("a",)), "regression", n_rows=90, seed=0, threads=1, device="cpu"
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


def test_a_network_ends_within_the_time_it_was_given_and_uses_most_of_it(monkeypatch):
    from autometa.families.learners import mlp

    class Time:
        """A clock that goes on by what is computed: a step is 10 ms, a validation 30 ms."""

        now = 0.0

        @classmethod
        def monotonic(cls):
            return cls.now

    def taking(seconds, method):
        def taken(*arguments):
            Time.now += seconds
            return method(*arguments)

        return taken

    monkeypatch.setattr(mlp, "time", Time)
    monkeypatch.setattr(mlp._Training, "gradient", taking(0.01, mlp._Training.gradient))
    monkeypatch.setattr(mlp._Training, "held_out_loss", taking(0.03, mlp._Training.held_out_loss))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = X[:, 0] * X[:, 1]  # so that it goes on improving to the end
    model = network("regression", dropout=0.0).fit(X, y, seconds=4.0)
    assert 2 < model.truncated_at_ < 60
    assert 3.0 < Time.now <= 4.0


def test_a_network_from_before_it_had_epochs_has_all_of_them():
    config = {k: v for k, v in FAMILIES["mlp"].space("binary").default.items() if k != "epochs"}
    pipeline = FAMILIES["mlp"].build(
        config, Columns(numeric=("a",)), "binary", n_rows=90, seed=0, threads=1, device="cpu"
    )
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


@pytest.mark.parametrize("n_classes", [2, 4])
def test_balanced_histogram_boosting_is_the_librarys_without_its_search_for_each_edge(n_classes, monkeypatch):
    """scikit-learn's search for weighted edges takes 9 to 60 times as long as the trees, and again for each piece."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.ensemble._hist_gradient_boosting import binning

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(900, 4)), columns=list("abcd"))
    y = np.minimum(rng.geometric(0.6, 900) - 1, n_classes - 1)
    X["a"] += y
    kind = "binary" if n_classes == 2 else "multiclass"
    own = {"class_weight": "balanced", "max_iter": 40, "early_stop": False}
    config = cash_space(kind, ["hist_gradient_boosting"]).default
    config |= {f"hist_gradient_boosting.{name}": value for name, value in own.items()}
    asked, weighted_edge = [], binning._weighted_percentile
    monkeypatch.setattr(
        binning, "_weighted_percentile", lambda *args, **how: (asked.append(1), weighted_edge(*args, **how))[1]
    )

    def fitted(config, seconds=None):
        return fit(build(config, Columns(numeric=tuple("abcd")), kind, n_rows=900, seed=0), X, y, seconds=seconds)

    balanced, in_pieces = fitted(config), fitted(config, seconds=3600.0)
    assert not asked
    np.testing.assert_array_equal(balanced.predict_proba(X), in_pieces.predict_proba(X))
    library = HistGradientBoostingClassifier(class_weight="balanced", max_iter=40, early_stopping=False, random_state=0)
    expected = library.fit(X.to_numpy(), y).predict_proba(X.to_numpy())
    assert asked  # the library, as it is
    np.testing.assert_array_equal(balanced.predict_proba(X), expected)  # the same edges
    rare = y == n_classes - 1
    unweighted = fitted(config | {"hist_gradient_boosting.class_weight": None}).predict_proba(X)[rare, -1].mean()
    assert balanced.predict_proba(X)[rare, -1].mean() > unweighted
