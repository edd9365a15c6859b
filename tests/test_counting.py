"""What counts: weights of rows and costs of mistakes, from the flag to the label."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_validate

from autometa import AutoMetaClassifier, AutoMetaRegressor, load_model
from autometa.cli.app import main
from autometa.errors import InputError
from autometa.evaluation import METRICS, evaluate, fit_calibration, plan_splits, score
from autometa.evaluation.formulas import OTHERS
from autometa.evaluation.metrics import takes_weights
from autometa.families import FAMILIES, available, build, cash_space, fit
from autometa.search import open_run, remember_run
from autometa.task import Columns, Task, make_task

QUICK = {"trials": 2, "jobs": 1, "families": "linear,naive_bayes", "cold": True, "remember": False, "verbose": False}
QUICK |= {"cv": 3}
WORDS = ("--trials", "2", "--families", "linear,naive_bayes", "--cold", "--no-remember")


# -------------------------------------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("name", [name for name in METRICS if takes_weights(name)])
def test_a_weighted_score_is_scikit_learns(name):
    from autometa.evaluation.answers import Answers

    rng, n = np.random.default_rng(0), 200
    counts = rng.choice([0.0, 0.5, 1.0, 3.0], n)
    for kind in METRICS[name].kinds:
        c = {"binary": 2, "multiclass": 4, "regression": 0}[kind]
        y = rng.integers(0, c, n) if c else rng.exponential(size=n) + 0.1
        p = rng.dirichlet(np.ones(c), n).round(2) + 1e-3 if c else y * rng.uniform(0.5, 2, n)
        p = p / p.sum(axis=1, keepdims=True) if c else p
        own = score(name, y, p, c, sample_weight=counts)
        if name != "roc_auc_ovo":  # for which scikit-learn takes no weights
            theirs = get_scorer(name)(Answers(c), p, y, sample_weight=counts)
            assert own == pytest.approx(theirs, rel=1e-9), kind
        again = np.repeat(np.arange(n), (2 * counts).astype(int))  # what counts twice is there twice
        assert own == pytest.approx(score(name, y[again], p[again], c), rel=1e-9), kind


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_unit_of_weights_does_not_matter(scale):
    frame = pd.DataFrame({"a": np.arange(40.0), "w": scale * np.r_[np.ones(20), np.full(20, 3.0)], "y": [0, 1] * 20})
    np.testing.assert_allclose(make_task(frame, target="y", weight="w").weights, np.repeat([0.5, 1.5], 20))


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        ("neg_mean_poisson_deviance", "mean_poisson_deviance"),
        ("neg_mean_tweedie_deviance", "mean_tweedie_deviance"),
        ("quadratic_kappa", "cohen_kappa_score"),
    ],
)
def test_other_metrics_are_scikit_learns(metric, function):
    rng, n = np.random.default_rng(1), 150
    counts = rng.uniform(0, 3, n)
    if metric == "quadratic_kappa":
        y, p = rng.integers(0, 4, n), rng.dirichlet(np.ones(4), n)
        theirs = sklearn.metrics.cohen_kappa_score(y, p.argmax(axis=1), weights="quadratic", sample_weight=counts)
    else:
        y, p = rng.poisson(2.0, n).astype(float), rng.uniform(0.1, 5, n)
        power = {"power": 1.5} if "tweedie" in metric else {}
        theirs = -getattr(sklearn.metrics, function)(y, p, sample_weight=counts, **power)
    assert score(metric, y, p, 4 if metric == "quadratic_kappa" else 0, sample_weight=counts) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("metric", "y", "says"),
    [
        (
            "rmsle",
            [-2.0, 3.5, 4.25, 9.1] * 10,
            "RMSLE is of targets from 0 up, and 10 of 40 are negative",
        ),
        ("mape", [0.0, 3.5, 4.25, 9.1] * 10, "MAPE divides by the target, which is 0 in 10 of 40 rows"),
        ("poisson", [-1.5, 3.5, 4.25, 9.1] * 10, "Poisson deviance is of targets from 0 up"),
        ("tweedie", [-1.5, 3.5, 4.25, 9.1] * 10, "Tweedie deviance (power 1.5) is of targets from 0 up"),
        (
            "neg_mean_gamma_deviance",
            [0.0, 3.5, 4.25, 9.1] * 10,
            "the Gamma deviance is of targets above 0, and 10",
        ),
        ("qwk", ["low", "mid", "high", "mid"] * 10, "is of classes that have an order, and texts such as"),
        ("cost", ["a", "b"] * 20, "it is not said what mistakes cost"),
    ],
)
def test_a_metric_that_is_not_defined_for_the_target_is_refused_before_anything_is_written(
    metric, y, says, tmp_path, capsys
):
    pd.DataFrame({"a": np.arange(40.0), "y": y}).to_csv(tmp_path / "t.csv", index=False)
    assert main(["fit", str(tmp_path / "t.csv"), "--metric", metric, "--run", str(tmp_path / "run"), *WORDS]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.out == ""
    assert not (tmp_path / "run").exists()


def test_counts_are_searched_by_their_deviance(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200)})
    y = rng.poisson(np.exp(0.5 + X["a"])).astype(float)
    model = AutoMetaRegressor(**{**QUICK, "families": "linear,random_forest"}, metric="poisson").fit(X, y)
    assert model.metric_ == "neg_mean_poisson_deviance"
    assert model.summary_["score"] > model.summary_["dummy"]["score"]


# ------------------------------------------------------------------------------------------------------ weights, fitted


WEIGHED = [(name, "binary") for name, family in FAMILIES.items() if family.takes_weights]
WEIGHED += [(name, "regression") for name in ("linear", "svm", "xgboost", "mlp")]  # one of each learner of ours


@pytest.mark.parametrize(("family", "kind"), WEIGHED)
def test_a_family_that_takes_weights_learns_from_them(family, kind):
    if family not in available(kind):
        pytest.skip(f"{family} is not installed")
    rng, n = np.random.default_rng(0), 240
    X = pd.DataFrame({"a": rng.normal(size=n).round()})  # few values, so that no learner can tell all rows apart
    signal = X["a"] + rng.normal(size=n)
    y = signal.to_numpy() if kind == "regression" else np.digitize(signal, [0.0] if kind == "binary" else [-0.7, 0.7])
    heavy = y >= (1.0 if kind == "regression" else y.max())
    counts = np.where(heavy, 6.0, 0.5)
    counts /= counts.mean()
    config = cash_space(kind, [family]).default

    def answers(weights):
        model = build(config, Columns(numeric=("a",)), kind, n_rows=n, seed=0)
        model = fit(model, X, y, sample_weight=weights)
        new = pd.DataFrame({"a": np.linspace(-2, 2, 41)})
        return model.predict(new) if kind == "regression" else model.predict_proba(new)[:, -1]

    assert answers(counts).mean() > answers(None).mean() + 0.05


def test_weights_that_are_all_alike_change_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 3)), rng.integers(0, 2, 150)
    plain = make_task(X, y=y)
    alike = make_task(pd.DataFrame(X).assign(w=7.0), y=y, weight="w")
    config = cash_space("binary", ["linear"]).default
    splits = plan_splits(plain, seed=0)
    one, other = (evaluate(task, config, splits, seed=0, calibrate=True).evaluation.scores for task in (plain, alike))
    assert one == pytest.approx(other, rel=1e-6)


def test_calibration_counts_rows_as_they_count():
    rng, n = np.random.default_rng(0), 4000
    p = rng.beta(2, 2, n)
    y = (rng.random(n) < p).astype(int)
    counts = np.where(y == 1, 4.0, 1.0)
    both = np.column_stack([1 - p, p])
    found = fit_calibration(both, y, sample_weight=counts / counts.mean()).apply(both)[:, 1]
    assert np.average(found, weights=counts) == pytest.approx(np.average(y, weights=counts), abs=0.02)


# ---------------------------------------------------------------------------------------------------- weights, as users


@pytest.fixture(scope="module")
def survey(tmp_path_factory) -> Path:
    """A table in which group b has another answer, and counts twenty times as much."""
    folder, rng, n = tmp_path_factory.mktemp("survey"), np.random.default_rng(0), 300
    x, group = rng.normal(size=n), rng.choice(["a", "b"], n, p=[0.7, 0.3])
    answer = np.where(np.where(group == "a", x, -x) + 0.3 * rng.normal(size=n) > 0, "yes", "no")
    table = pd.DataFrame({"x": x.round(3), "noise": rng.normal(size=n).round(3), "w": np.where(group == "b", 20, 1)})
    table.assign(answer=answer).to_csv(folder / "t.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def weighed(survey) -> SimpleNamespace:
    """What the command line said of a weighted run, which is in the folder of the survey."""
    words = ["fit", str(survey / "t.csv"), "--weight", "w", "--run", str(survey / "run"), "--json"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main([*words, "--trials", "3", "--families", "linear,knn,lightgbm", "--cold"]) == 0
    return SimpleNamespace(out=out.getvalue(), err=err.getvalue())


def test_the_weight_column_counts_rows_and_is_no_feature(survey, weighed):
    assert "Rows count by 'w' (1 to 20)" in weighed.err
    assert "Left out, since they take no weights of rows: Nearest neighbours." in weighed.err
    assert "Not remembered: with weights of rows" in weighed.err
    result = open_run(survey / "run")
    assert "w" not in load_model(survey / "run").schema.raw
    table = pd.read_csv(survey / "t.csv")
    np.testing.assert_allclose(result.task.weights, table["w"] / table["w"].mean())
    splits, y = plan_splits(result.task, seed=0), result.task.y
    pooled = score("roc_auc", y, result.oof, 2, sample_weight=result.task.weights)
    assert json.loads(weighed.out)["score"] == pytest.approx(pooled, abs=0.05)
    assert splits.n == 300
    said = load_model(survey / "run").predict_proba(table)[:, 1]
    heavy = (table["w"] > 1).to_numpy()
    assert np.corrcoef(said[heavy], table["x"][heavy])[0, 1] < -0.5  # as in the group that counts


@pytest.mark.usefixtures("weighed")
def test_a_weighted_run_goes_on_and_is_not_remembered(survey):
    from autometa.errors import RunError
    from autometa.search import resume

    assert len(resume(survey / "run", trials=1).trials) == 4
    with pytest.raises(RunError, match="Not remembered: with weights of rows"):
        remember_run(survey / "run", store=str(survey / "store.db"))


@pytest.mark.usefixtures("weighed")
def test_a_weighted_run_is_judged_with_weights_or_says_that_it_is_not(survey, capsys):
    from autometa.judging import compare, judge

    table = pd.read_csv(survey / "t.csv")
    plain = judge(survey / "run", survey / "t.csv")
    assert any("here each counts the same" in note for note in plain.notes)
    weighed = judge(survey / "run", survey / "t.csv", weight="w")
    y = (table["answer"] == "yes").to_numpy().astype(int)
    said = load_model(survey / "run").predict_proba(table)[:, 1]
    expected = sklearn.metrics.roc_auc_score(y, said, sample_weight=table["w"])
    assert weighed.scores["roc_auc"].score == pytest.approx(expected)
    assert plain.scores["roc_auc"].score != pytest.approx(expected)
    assert "Rows count as they did in the first run." in compare(survey / "run", survey / "run").notes
    assert main(["score", str(survey / "run"), str(survey / "t.csv"), "--weight", "v"]) == 2
    assert "no column 'v', which is the weight" in capsys.readouterr().err


def test_python_takes_weights_and_scikit_learn_routes_them(survey):
    table = pd.read_csv(survey / "t.csv")
    X, y, w = table[["x", "noise"]], table["answer"], table["w"].to_numpy()
    weighed = AutoMetaClassifier(**QUICK).fit(X, y, sample_weight=w)
    plain = AutoMetaClassifier(**QUICK).fit(X, y)
    by_x = [np.corrcoef(model.predict_proba(X)[:, 1], X["x"])[0, 1] for model in (weighed, plain)]
    assert by_x[0] < 0 < by_x[1]
    assert weighed.score(X, y, sample_weight=w) > plain.score(X, y, sample_weight=w)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = AutoMetaClassifier(**QUICK).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(routed, X, y, cv=2, params={"sample_weight": w}, return_estimator=True)
    assert all(any("Rows count by" in note for note in one.notes_) for one in found["estimator"])


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([-1.0] + [1.0] * 39, "1 of 40 weights are below 0, the least -1"),
        ([np.nan] + [1.0] * 39, "1 of 40 cells are missing or infinite"),
        ([0.0] * 40, "all weights are 0"),
        (["much"] * 2 + ["1"] * 38, "2 cells are no numbers: 'much'"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, says, tmp_path, capsys):
    table = pd.DataFrame({"a": np.arange(40.0), "w": weights, "y": ["p", "q"] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    words = ["fit", str(tmp_path / "t.csv"), "--target", "y", "--weight", "w", "--run", str(tmp_path / "run"), *WORDS]
    assert main(words) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert len([line for line in shown.err.splitlines() if line.startswith("autometa:")]) == 1
    assert not (tmp_path / "run").exists()


def test_a_weight_column_that_is_not_there_or_is_the_target_and_a_family_that_takes_none_are_refused(tmp_path, capsys):
    table = pd.DataFrame({"a": np.arange(40.0), "w": np.ones(40), "y": ["p", "q"] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    for words, says in (
        (["--weight", "v"], "no column 'v'. Columns: a, w, y."),
        (["--weight", "y"], "'y' cannot be the weight of the rows and something else"),
        (["--weight", "w", "--families", "knn"], "takes no weights of rows"),
        (["--weight", "w", "--metric", "r2", "--kind", "regression"], ""),
    ):
        code = main(["fit", str(tmp_path / "t.csv"), "--target", "y", "--run", str(tmp_path / "run"), *WORDS, *words])
        assert code == 2
        assert says in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


def test_weights_are_kept_with_a_task_and_not_in_its_fingerprint(tmp_path):
    frame = pd.DataFrame({"a": np.arange(40.0), "w": np.arange(40.0), "y": [0, 1] * 20})
    task = make_task(frame, target="y", weight="w")
    task.save(tmp_path / "task")
    np.testing.assert_array_equal(Task.load(tmp_path / "task").weights, task.weights)
    assert task.fingerprint == make_task(frame.drop(columns="w"), target="y").fingerprint
    assert len(task.sample(20, 0).weights) == 20


# ---------------------------------------------------------------------------------------------------------------- costs


@pytest.fixture(scope="module")
def frauds(tmp_path_factory) -> Path:
    folder, rng, n = tmp_path_factory.mktemp("frauds"), np.random.default_rng(0), 400
    x = rng.normal(size=n)
    answer = np.where(rng.random(n) < 1 / (1 + np.exp(2.5 - 1.5 * x)), "fraud", "ok")
    pd.DataFrame({"x": x.round(3), "noise": rng.normal(size=n).round(3), "answer": answer}).to_csv(
        folder / "t.csv", index=False
    )
    (folder / "costs.csv").write_text("true,fraud,ok\nfraud,0,20\nok,1,0\n")
    return folder


def test_costs_decide_labels_are_the_metric_and_stand_in_the_table_of_scores(frauds, capsys):
    words = ["fit", str(frauds / "t.csv"), "--costs", str(frauds / "costs.csv"), "--run", str(frauds / "run"), *WORDS]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "Labels are those of the least expected cost (fraud taken for ok: 20; ok taken for fraud: 1)" in shown.err
    assert "cost per row" in shown.out
    assert "'fraud' from a probability of 0.0476, where it costs least" in " ".join(shown.out.split())
    model, table = load_model(frauds / "run"), pd.read_csv(frauds / "t.csv")
    p = model.predict_proba(table)[:, model.classes.index("fraud")]
    np.testing.assert_array_equal(model.predict(table), np.where(p > 1 / 21, "fraud", "ok"))
    result = open_run(frauds / "run")
    assert result.task.metric == "neg_cost"
    y, said = result.task.y, result.oof @ np.asarray(result.task.costs)
    costs = np.asarray(result.task.costs)[y, said.argmin(axis=1)]
    assert -result.score == pytest.approx(costs.mean(), abs=0.1)  # here averaged over repeats
    assert result.score > result.dummy.score
    assert result.dummy.says == "always answering 'fraud'"
    assert "neg_cost" in result.best.evaluation.scores
    page = (frauds / "run" / "report.html").read_text(encoding="utf-8")
    assert "cost per row" in page


def test_costs_beside_another_metric_decide_and_are_said(frauds):
    table = pd.read_csv(frauds / "t.csv")
    costs = {("fraud", "ok"): 20, ("ok", "fraud"): 1}
    model = AutoMetaClassifier(**QUICK, metric="roc_auc", costs=costs).fit(table[["x", "noise"]], table["answer"])
    assert model.metric_ == "roc_auc"
    assert "neg_cost" in model.leaderboard_.columns
    costs = frauds / "costs.csv"  # as a file, too
    again = AutoMetaClassifier(**QUICK, metric="roc_auc", costs=costs).fit(table[["x", "noise"]], table["answer"])
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    plain = AutoMetaClassifier(**QUICK, metric="roc_auc").fit(table[["x", "noise"]], table["answer"])
    assert (model.predict(table) == "fraud").sum() > (plain.predict(table) == "fraud").sum()


def test_of_three_classes_the_least_expected_cost_is_the_label():
    rng, n = np.random.default_rng(0), 300
    x = rng.normal(size=n)
    y = np.digitize(x + 0.7 * rng.normal(size=n), [-0.5, 0.5])
    costs = np.array([[0, 1, 9], [1, 0, 1], [9, 1, 0]], dtype=float)
    X = np.column_stack([x, rng.normal(size=n)])
    model = AutoMetaClassifier(**QUICK, costs=costs).fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict(X), (p @ costs).argmin(axis=1))
    plain = AutoMetaClassifier(**QUICK).fit(X, y)
    assert costs[y, model.predict(X)].mean() < costs[y, plain.predict(X)].mean()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (",fraud,ok\nfraud,0,much\nok,1,0\n", "'much', of 'fraud' taken for 'ok', is no number"),
        ("nonsense", "is no table of classes by classes"),
        (",fraud,fine\nfraud,0,5\nok,1,0\n", "('fraud', 'fine') are no two of the classes"),
        (",fraud,ok\nfraud,0,0\nok,0,0\n", "no mistake costs more than being right does"),
        (None, "cannot be read"),
    ],
)
def test_costs_that_cannot_be_are_refused(text, says, frauds, tmp_path, capsys):
    if text is not None:
        (tmp_path / "costs.csv").write_text(text)
    words = [
        "fit",
        str(frauds / "t.csv"),
        "--costs",
        str(tmp_path / "costs.csv"),
        "--run",
        str(tmp_path / "run"),
        *WORDS,
    ]
    assert main(words) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_costs_are_not_for_numbers_nor_beside_a_threshold(frauds, tmp_path, capsys):
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(InputError, match="a number is predicted"):
        AutoMetaRegressor(**QUICK, costs={("a", "b"): 1}).fit(X, X[:, 0] + 0.5)
    words = ["fit", str(frauds / "t.csv"), "--costs", str(frauds / "costs.csv"), "--threshold", "0.3"]
    assert main([*words, "--run", str(tmp_path / "run"), *WORDS]) == 2
    assert "Leave out one of --threshold and --costs" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_in_the_catalogue_of_others_is_known_by_its_names():
    assert set(OTHERS) == {"neg_cost", "quadratic_kappa", "neg_mean_poisson_deviance", "neg_mean_tweedie_deviance"}


# ------------------------------------------------------------------------------------------------------- threshold plot


def test_the_report_shows_what_every_threshold_costs_and_the_command_names_the_file(frauds, tmp_path):
    words = ["fit", str(frauds / "t.csv"), "--costs", str(frauds / "costs.csv"), "--run", str(tmp_path / "run"), *WORDS]
    assert main(words) == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "the dashed line is the model's, 0.0476" in page.replace("&#x27;", "'").replace("&#39;", "'")
    assert "cost per row, from" in page
    assert "as was said" in page
    assert f"--costs {frauds / 'costs.csv'}" in page
