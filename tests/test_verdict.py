"""What is said of a score: what a constant gets, how far it may be off, how trials ended, in Python and elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import get_scorer

import autometa
from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.cli.app import main
from autometa.errors import InputError
from autometa.evaluation import Dummy, bootstrap, interval, plan_splits
from autometa.report.verdict import dummy_words, scored, warning
from autometa.search import Settings, open_run, resume, search
from autometa.task import make_task

QUICK = {"trials": 2, "families": "linear,knn", "cold": True, "remember": False}


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(1)
    return pd.DataFrame(rng.normal(size=(150, 3)), columns=list("abc")), rng.permutation(["no"] * 110 + ["yes"] * 40)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run on breast cancer, by the command line."""
    folder = tmp_path_factory.mktemp("verdict")
    frame = load_breast_cancer(as_frame=True).frame
    frame.to_csv(folder / "cancer.csv", index=False)
    words = ["fit", str(folder / "cancer.csv"), "--run", str(folder / "run"), "--trials", "3"]
    assert main([*words, "--families", "linear,knn", "--cold", "--no-remember"]) == 0
    return folder / "run"


# ------------------------------------------------------------------------------------------------------------ dummies


@pytest.mark.parametrize("metric", ["neg_root_mean_squared_error", "neg_mean_absolute_error", "r2"])
def test_the_dummy_of_numbers_is_scikit_learns_best_constant(metric):
    from sklearn.dummy import DummyRegressor

    X, y = load_diabetes(return_X_y=True, as_frame=True)
    splits = plan_splits(task := make_task(X, y=y, metric=metric), seed=0)
    best = max(
        np.mean([
            get_scorer(metric)(DummyRegressor(strategy=how).fit(X.iloc[train], y[train]), X.iloc[test], y[test])
            for train, test in splits
        ])
        for how in ("mean", "median")
    )  # fmt: skip
    assert Dummy.of(task, splits).score == pytest.approx(best)


def test_the_dummy_of_a_quantile_is_the_quantile():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    task = make_task(X, y=y, metric="neg_mean_pinball_loss_0.9")
    found = Dummy.of(task, plan_splits(task, seed=0))
    assert found.says == "predicting the quantile 0.9"
    assert found.answer == pytest.approx(np.quantile(y, 0.9), abs=2)


@pytest.mark.parametrize(
    ("metric", "says", "score"),
    [
        ("accuracy", "always answering 'no'", 110 / 150),
        ("roc_auc", "giving every row the shares of the classes", 0.5),
        ("f1", "always answering 'yes'", 2 * 40 / 190),
        ("balanced_accuracy", "always answering 'no'", 0.5),
    ],
)
def test_the_dummy_of_classes_is_what_suits_the_metric(noise, metric, says, score):
    X, y = noise
    task = make_task(X, y=y, metric=metric)
    found = Dummy.of(task, plan_splits(task, seed=0, folds=5))
    assert (found.says, found.score) == (says, pytest.approx(score, abs=0.01))


def test_a_model_that_learned_nothing_is_warned_of_on_the_terminal_in_json_in_the_report_and_in_python(
    noise, tmp_path, capsys
):
    X, y = noise
    X.assign(y=y).to_csv(tmp_path / "noise.csv", index=False)
    words = ["fit", str(tmp_path / "noise.csv"), "--run", str(tmp_path / "run"), "--metric", "accuracy"]
    assert main([*words, "--trials", "1", "--families", "knn", "--cold", "--no-remember"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "always answering 'no' gets accuracy 0.7333" in shown
    assert "warning The model is n" in shown
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "always answering" in page
    assert "The model is n" in page
    model = AutoMetaClassifier(**{**QUICK, "trials": 1, "families": "knn"}, metric="accuracy", verbose=False).fit(X, y)
    assert any("better than always answering 'no'" in note for note in model.notes_)
    assert model.summary_["dummy"]["score"] == pytest.approx(110 / 150)


def test_the_page_says_what_a_constant_gets_and_how_much_of_its_error_is_gone(tmp_path, capsys):
    frame = load_diabetes(as_frame=True).frame
    frame.to_csv(tmp_path / "diabetes.csv", index=False)
    words = ["fit", str(tmp_path / "diabetes.csv"), "--run", str(tmp_path / "run"), "--trials", "1"]
    assert main([*words, "--families", "linear", "--cold", "--no-remember"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    result = open_run(tmp_path / "run")
    assert "predicting the mean (152.1) gets RMSE 77" in shown
    assert "% of that error is gone" in shown
    assert "± 0" not in shown
    assert warning(result) is None
    assert dummy_words(result) in shown


# ---------------------------------------------------------------------------------------------------------- intervals


def test_an_interval_holds_the_truth_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(100):
        sample = rng.exponential(size=300)
        found = interval(
            sample.mean(), bootstrap(lambda rows, sample=sample: sample[rows].mean(), 300, times=100)[:, 0]
        )
        held += found[0] <= 1.0 <= found[1]
    assert 88 <= held <= 99


def test_the_interval_of_a_large_table_is_as_narrow_as_its_rows_make_it():
    values = np.random.default_rng(0).normal(size=50_000)
    spread = bootstrap(lambda rows: values[rows].mean(), 50_000)[:, 0].std()
    assert spread == pytest.approx(1 / np.sqrt(50_000), rel=0.2)


def test_rows_of_a_group_are_drawn_together():
    values = np.repeat(np.random.default_rng(0).normal(size=40), 25)  # 1,000 rows that are 40
    groups = np.repeat(np.arange(40), 25)
    alone = bootstrap(lambda rows: values[rows].mean(), 1000)[:, 0].std()
    together = bootstrap(lambda rows: values[rows].mean(), 1000, groups=groups)[:, 0].std()
    assert together > 3 * alone


def test_a_hold_out_has_an_interval_and_never_plus_minus_nothing(tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    task = make_task(X, y=y, name="diabetes")
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    from autometa.evaluation import available_cpus
    from autometa.search import SearchPlan

    plan = SearchPlan.of(task, settings, available_cpus(), splits=plan_splits(task, seed=0, folds=1))
    result = search(task, settings, tmp_path / "run", plan=plan)
    assert result.score_std == 0
    low, high = result.interval
    assert low < result.score < high
    assert "±" not in scored(result)
    assert open_run(tmp_path / "run").interval == result.interval


def test_the_interval_is_in_json_and_holds_the_score(run):
    summary = open_run(run).summary()
    low, high = summary["interval"]
    assert low < summary["score"] < high <= 1
    assert json.loads(json.dumps(summary)) == summary


# ------------------------------------------------------------------------------------------------------------- counts


def test_what_was_stopped_is_not_called_failed(run, capsys):
    summary = open_run(run).summary()
    assert summary["complete"] + summary["stopped"] + summary["failed"] == summary["trials"] == 3


def test_a_run_that_is_finished_is_read_back_and_says_so(run, capsys):
    before = (run / "model.pkl").read_bytes(), (run / "result.json").stat().st_mtime_ns
    assert main(["resume", str(run), "--json"]) == 0
    shown = capsys.readouterr()
    assert "is finished, and nothing is fitted again" in shown.err
    assert "refitting" not in shown.err
    assert json.loads(shown.out)["trials"] == 3
    assert ((run / "model.pkl").read_bytes(), (run / "result.json").stat().st_mtime_ns) == before


def test_a_finished_run_goes_on_where_more_is_granted_or_its_model_is_gone(run, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "model.pkl").unlink()
    assert resume(copy).model.exists()
    assert len(resume(copy, trials=1).trials) == 4
    assert len(resume(copy).trials) == 4


# -------------------------------------------------------------------------------------------------------------- python


def test_python_tells_as_much_as_the_terminal(capsys):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = AutoMetaClassifier(**QUICK).fit(X.assign(one=1), y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "searching" in shown.err
    assert "ROC AUC 0.9" in shown.err
    assert "giving every row the shares of the classes gets ROC AUC 0.5000" in shown.err
    assert "1 complete, 1 stopped early in" in shown.err
    assert any("'one'" in note for note in model.notes_)
    assert all(note in " ".join(shown.err.split()) for note in model.notes_)
    AutoMetaClassifier(**QUICK, verbose=False).fit(X, y)
    assert capsys.readouterr() == ("", "")


def test_python_takes_what_the_flags_take():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = AutoMetaRegressor(**QUICK, time="5m", max_ram="2GB", trial_time="1h", verbose=False).fit(X, y)
    assert set(model.leaderboard_["family"]) <= {"linear", "knn"}
    settings, _ = model._settings()
    assert (settings.seconds, settings.max_ram, settings.trial_seconds) == (300.0, 2_000_000_000, 3600.0)
    with pytest.raises(InputError) as caught:
        AutoMetaRegressor(time="5x", max_ram="much", threshold=7).fit(X, y)
    assert [problem.where.split()[0] for problem in caught.value.problems] == ["time", "max_ram", "threshold"]


def test_load_model_reads_what_save_wrote(tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = AutoMetaRegressor(**QUICK, verbose=False).fit(X, y)
    model.save(tmp_path / "saved.pkl")
    np.testing.assert_array_equal(autometa.load_model(tmp_path / "saved.pkl").predict(X), model.predict(X))
    X.to_csv(tmp_path / "new.csv", index=False)
    out = tmp_path / "out.csv"
    assert main(["predict", str(tmp_path / "saved.pkl"), str(tmp_path / "new.csv"), "--out", str(out)]) == 0
    np.testing.assert_allclose(pd.read_csv(out)["prediction"], model.predict(X))


def test_the_package_says_that_it_is_typed():
    assert (Path(autometa.__file__).parent / "py.typed").exists()
