"""A validation table: every model is judged on its rows, and none learns from them."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from autometa import AutoMetaClassifier, AutoMetaRegressor, load_model
from autometa.cli.app import main
from autometa.errors import InputError, RunError
from autometa.evaluation import Splits, plan_splits
from autometa.explain import explain
from autometa.fitting import resume_run
from autometa.report.page import page
from autometa.report.parts import Report, command
from autometa.search import open_run, remember_run
from autometa.task import make_task, with_validation
from autometa.task.validation import repeated_rows

WORDS = ("--trials", "2", "--families", "linear,lightgbm", "--cold", "--no-remember")
QUICK = {"trials": 1, "families": "linear", "cold": True, "remember": False, "verbose": False}


def customers(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"plan": rng.choice(["basic", "plus"], n), "calls": rng.normal(2, 1, n).round(6)})
    table["churned"] = np.where(table["calls"] + rng.normal(0, 0.7, n) > 2, "yes", "no")
    return table


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder with train.csv, valid.csv, of whose 120 rows 20 are in train.csv as well, and a run of them."""
    folder = tmp_path_factory.mktemp("validation")
    train, valid = customers(300, 0), customers(100, 1)
    train.to_csv(folder / "train.csv", index=False)
    pd.concat([valid, train.head(20)])[["churned", "calls", "plan"]].to_csv(folder / "valid.csv", index=False)
    told = ["fit", str(folder / "train.csv"), "--target", "churned", "--validation", str(folder / "valid.csv")]
    assert main([*told, *WORDS, "--run", str(folder / "run")]) == 0
    return folder


def test_every_configuration_and_the_model_are_judged_on_the_validation_rows(done):
    result, valid = open_run(done / "run"), pd.read_csv(done / "valid.csv")
    model = load_model(done / "run")
    p = model.predict_proba(valid)[:, 1]
    assert result.score == pytest.approx(roc_auc_score(valid["churned"] == "yes", p))  # of the very model that answers
    assert all(row.evaluation.n_folds == 1 for row in result.trials)
    known = np.isfinite(result.oof[:, 0])
    assert known.sum() == 120
    assert not known[:300].any()
    np.testing.assert_allclose(result.oof[300:, 1], p)
    assert result.refitted


def test_no_model_learns_from_a_validation_row(done):
    """With labels of validation rows turned round, every pipeline is the same; only what is chosen by them differs."""
    train, valid = customers(200, 3), customers(60, 4)
    turned = valid.assign(churned=np.where(valid["churned"] == "yes", "no", "yes"))
    X, y = train[["plan", "calls"]], train["churned"]
    fitted = []
    for rows in (valid, turned):
        model = AutoMetaClassifier(**QUICK).fit(X, y, validation=(rows[["plan", "calls"]], rows["churned"]))
        (member,) = model.model_.members
        fitted.append(np.mean([one.predict_proba(model.model_.schema.apply(X)) for one in member.models[0]], axis=0))
    np.testing.assert_array_equal(*fitted)


def test_what_is_made_from_held_out_rows_is_made_from_them(done):
    result, model = open_run(done / "run"), load_model(done / "run")
    assert model.conformal.overall.count == 120
    known = explain(done / "run", seconds=60)
    assert known.importance[0].column == "calls"
    assert "120" in known.words
    assert result.interval[0] < result.score < result.interval[1]


def test_it_is_said_everywhere(done, capsys):
    result = open_run(done / "run")
    notes = " ".join(result.task.notes)
    assert "Every model is judged on the 120 rows of the validation table valid.csv" in notes
    assert "20 of 120 rows of the validation table valid.csv are in the training table as well" in notes
    html, card = page(Report.of(result)), (done / "run" / "model_card.md").read_text()
    assert "on the validation rows" in html
    assert "300 rows and 120 to validate" in html
    assert "out of fold" not in html
    assert "on the validation rows" in card
    assert "120 rows of a table of its own, from which nothing was learned" in card
    assert (result.summary()["rows"], result.summary()["validation_rows"]) == (300, 120)
    again = command(result.task, result.settings)
    assert f"--validation {done / 'valid.csv'}" in again
    assert main(["score", str(done / "run"), str(done / "valid.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows_learned_from"] == 120
    with pytest.raises(RunError, match="a validation table"):
        remember_run(done / "run", store=str(done / "store.db"))


def test_a_run_goes_on_with_the_same_validation_rows_and_refuses_others(done, tmp_path):
    shutil.copytree(done / "run", tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()  # as if killed before the end
    result = resume_run(tmp_path / "run", trials=1)
    assert (result.task.n_learned, result.task.validation, len(result.trials)) == (300, 120, 3)
    assert all(row.evaluation.n_folds == 1 for row in result.trials)
    y = np.load(tmp_path / "run" / "task" / "y.npy")
    y[-1] = 1 - y[-1]
    np.save(tmp_path / "run" / "task" / "y.npy", y)
    with pytest.raises(RunError, match=r"y\.npy"):
        resume_run(tmp_path / "run", trials=1)


BAD = {
    "nothing.csv": (None, ["nothing.csv: no such file"]),
    "lacks.csv": (lambda t: t.drop(columns=["calls", "churned"]), ["no column 'calls'", "no column 'churned'"]),
    "strange.csv": (lambda t: t.assign(churned="perhaps"), ["have a class that the model does not know: 'perhaps'"]),
    "odd.csv": (lambda t: t.assign(calls="many", churned=None), ["'calls'", "labels are missing"]),
    "empty.csv": (lambda t: t.head(0), ["a header without rows"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_validation_table_that_cannot_be_used_is_refused_whole_before_anything_is_written(
    name, done, tmp_path, capsys
):
    change, says = BAD[name]
    if change is not None:
        change(customers(40, 2)).to_csv(tmp_path / name, index=False)
    table, run = tmp_path / name, tmp_path / "run"
    told = ["fit", str(done / "train.csv"), "--target", "churned", "--validation", str(table), "--run", str(run)]
    assert main([*told, *WORDS]) == 2
    shown = capsys.readouterr().err
    for one in says:
        assert one in shown
    assert not run.exists()


def test_rows_are_split_in_one_way_only(done, tmp_path, capsys):
    told = ["fit", str(done / "train.csv"), "--target", "churned", "--validation", str(done / "valid.csv")]
    asked = ("--folds", "3", "--group", "plan", "--time-order", "calls", "--run", str(tmp_path / "run"))
    assert main([*told, *WORDS, *asked]) == 2
    shown = capsys.readouterr().err
    assert "folds and group and time order: say how rows are split" in shown
    assert main([*told, "--trials", "none", "--folds", "3"]) == 2
    shown = capsys.readouterr().err
    assert "folds: says how rows are split" in shown
    assert "--trials" in shown
    assert not (tmp_path / "run").exists()
    train = customers(40, 0)
    with pytest.raises(InputError, match="folds: says how rows are split"):
        AutoMetaClassifier(cv=3, **QUICK).fit(train[["calls"]], train["churned"], validation=(train, train))
    with pytest.raises(InputError, match=r"neither \(X, y\)"):
        AutoMetaClassifier(**QUICK).fit(train[["calls"]], train["churned"], validation=train)


def test_rows_without_a_label_are_left_out_where_that_is_asked_for(done, tmp_path):
    task = make_task(customers(60, 0), target="churned", apart=True)
    table = customers(30, 5)
    table.loc[:4, "churned"] = None
    with pytest.raises(InputError, match="5 of 30 labels are missing"):
        with_validation(task, table)
    both = with_validation(task, table, drop_missing_target=True)
    assert both.validation == 25
    assert "left out 5 of 30 rows" in both.notes[-1]
    np.testing.assert_array_equal(both.held_out.X["calls"], table["calls"][5:])


def test_a_regressor_counts_the_weights_of_validation_rows(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = X[:, 0] + rng.normal(0, 0.3, 120)
    counts = rng.uniform(0.1, 5, 40)
    model = AutoMetaRegressor(**QUICK, run=tmp_path / "run")
    model.fit(X[:80], y[:80], sample_weight=np.ones(80), validation=(X[80:], y[80:], counts))
    error = np.sqrt(np.average((model.predict(X[80:]) - y[80:]) ** 2, weights=counts))
    assert model.summary_["score"] == pytest.approx(-error)
    with pytest.raises(InputError, match="its rows have weights, and those of the training table have none"):
        AutoMetaRegressor(**QUICK).fit(X[:80], y[:80], validation=(X[80:], y[80:], counts))


def test_splits_of_a_validation_table_come_back_as_they_were_kept(tmp_path):
    task = make_task(customers(60, 0), target="churned", apart=True)
    task = with_validation(task, customers(20, 1))
    splits = plan_splits(task, seed=0)
    assert (splits.n_folds, splits.growth, splits.train.sum(), splits.test.sum()) == (1, 1.0, 60, 20)
    splits.save(tmp_path / "splits.npz")
    again = Splits.load(tmp_path / "splits.npz")
    assert (again.apart, again.growth) == (True, 1.0)


def test_rows_of_a_wide_table_are_recognised_and_nothing_is_said_of_how_it_lies_in_memory():
    rng = np.random.default_rng(0)
    task = make_task(pd.DataFrame(rng.normal(size=(40, 150))).add_prefix("x"), y=rng.normal(size=40))
    pieces = task.X[["x0"]].iloc[:6].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is in pieces, which is what is wanted here
        for name in task.X.columns[1:]:
            pieces[name] = task.X[name].iloc[:6]
    assert repeated_rows(task, pieces, np.asarray(task.y)[:6]) == 6
