"""Columns along which a prediction may only rise, or only fall: kept by whatever answers, on rows never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa import AutoMetaClassifier, AutoMetaRegressor, load_model
from autometa.cli.app import main
from autometa.errors import InputError, RunError
from autometa.evaluation import fit_model, predict_aligned
from autometa.families import FAMILIES, available, build, cash_space
from autometa.report.parts import command
from autometa.search import open_run, remember_run
from autometa.task import Columns, Task, make_task

KEEPING = [name for name, family in FAMILIES.items() if family.keeps_monotonic]
QUICK = {"trials": 2, "jobs": 1, "cold": True, "remember": False, "verbose": False, "cv": 3}


def applicants(n: int, seed: int) -> pd.DataFrame:
    """Income helps and age hurts, but for stretches that noise, a wave and missing cells turn round."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "town": rng.choice(["Ulm", "Bern", "Rome"], n),
            "income": rng.gamma(4, 10, n).round(2),
            "age": rng.uniform(18, 80, n).round(1),
            "debts": rng.poisson(2, n).astype(float),
        }
    )
    signal = table["income"] / 20 - table["age"] / 40 + np.sin(table["income"] / 4) + (table["town"] == "Ulm")
    signal = signal * np.where(table["town"] == "Rome", -0.5, 1)
    table.loc[rng.random(n) < 0.1, "income"] = np.nan
    table["repaid"] = np.where(signal + rng.normal(0, 1, n) > 0.6, "yes", "no")
    table["limit"] = signal * 100 + rng.normal(0, 60, n)
    return table


def ways(answer, columns: list[str], column: str, rows: int = 40) -> np.ndarray:
    """The differences of answers along a column (rows, steps - 1), other cells those of rows never seen."""
    grid = np.linspace(-20, 200, 60)
    seen = applicants(rows, 99)[columns]
    table = seen.loc[np.repeat(np.arange(rows), len(grid))].reset_index(drop=True)
    table[column] = np.tile(grid, rows)
    return np.diff(answer(table).reshape(rows, len(grid)), axis=1)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder with table.csv, and a run whose answer is an ensemble, calibrated."""
    folder = tmp_path_factory.mktemp("monotonic")
    applicants(400, 0).drop(columns="limit").to_csv(folder / "table.csv", index=False)
    told = ["fit", str(folder / "table.csv"), "--target", "repaid", "--monotonic", "income=+", "--monotonic", "age=-"]
    words = [
        "--trials",
        "4",
        "--families",
        "lightgbm,xgboost,linear",
        "--metric",
        "neg_log_loss",
        "--cold",
        "--no-remember",
        "--run",
        str(folder / "run"),
    ]
    assert main([*told, *words]) == 0
    return folder


def test_the_answering_model_is_monotonic_on_rows_never_seen(done):
    model, result = load_model(done / "run"), open_run(done / "run")
    columns = ["town", "income", "age", "debts"]
    assert result.score > result.dummy.score
    along = {name: ways(lambda t: model.predict_proba(t)[:, 1], columns, name) for name in ("income", "age", "debts")}
    assert along["income"].min() >= -1e-12
    assert along["age"].max() <= 1e-12
    assert along["income"].max() > 0.001
    assert along["age"].min() < -0.001
    assert {row.evaluation.config["family"] for row in result.trials} <= set(KEEPING)


def test_it_is_said_and_kept(done, capsys):
    result = open_run(done / "run")
    notes = " ".join(result.task.notes)
    assert "The probability of 'yes' never falls as 'income' rises." in notes
    assert "The probability of 'yes' never rises as 'age' rises." in notes
    assert Task.load(done / "run" / "task").monotonic == (("income", 1), ("age", -1))
    again = command(result.task, result.settings)
    assert "--monotonic income=+ --monotonic age=-" in again
    with pytest.raises(RunError, match="monotonic columns"):
        remember_run(done / "run", store=str(done / "store.db"))


@pytest.mark.parametrize("family", KEEPING)
@pytest.mark.parametrize("target", ["repaid", "limit"])
def test_every_family_that_says_so_keeps_a_column_monotonic(family, target):
    kind = "binary" if target == "repaid" else "regression"
    if family not in available(kind):
        pytest.skip(f"{family} is not installed")
    table = applicants(500, 1)
    columns = ["town", "income", "age", "debts"]
    space = cash_space(kind, [family])
    task = make_task(table[[*columns, target]], target=target, monotonic={"income": 1, "age": "-"})
    fixed = {f"{family}.{own}": value for own, value in FAMILIES[family].fixed_if_monotonic.items()}
    fixed |= {f"{family}.{FAMILIES[family].grows_by}": 40}
    configs = [space.default | fixed, space.default | _drawn(space) | fixed]
    for config in configs:
        model = fit_model(task, config, np.arange(task.n), seed=0)

        def answer(frame, model=model):
            said = predict_aligned(model, task.schema.apply(frame), task.kind, task.c)
            return said if said.ndim == 1 else said[:, 1]

        assert ways(answer, columns, "income").min() >= -1e-9 * table["limit"].std()
        assert ways(answer, columns, "age").max() <= 1e-9 * table["limit"].std()
    free = fit_model(make_task(table[[*columns, target]], target=target), configs[0], np.arange(task.n), seed=0)

    def unbound(frame):
        said = predict_aligned(free, task.schema.apply(frame), task.kind, task.c)
        return said if said.ndim == 1 else said[:, 1]

    assert ways(unbound, columns, "income").min() < -1e-3  # the table is one on which it matters


def _drawn(space):
    """Other values of a family's parameters: few rounds, and every switch turned."""
    found = {}
    for name in space.default:
        own = name.rpartition(".")[2]
        if own == "early_stop" or own == "extra_trees":
            found[name] = True
        elif own == "class_weight":
            found[name] = "balanced"
        elif own in ("subsample", "colsample_bytree", "max_features", "colsample_bylevel"):
            found[name] = 0.6
    return found


def test_of_two_classes_it_is_the_positive_one():
    table = applicants(200, 2)
    X, y = table[["income", "age"]], table["repaid"]
    model = AutoMetaClassifier(families="lightgbm", monotonic={"income": "+"}, positive="no", **QUICK).fit(X, y)
    assert any("The probability of 'no' never falls as 'income' rises" in note for note in model.notes_)
    assert ways(lambda t: model.predict_proba(t)[:, 0], ["income", "age"], "income").min() >= -1e-12


def test_families_that_cannot_are_left_out_and_it_is_said():
    table = applicants(200, 2)
    X, y = table[["income", "age"]], table["limit"]
    model = AutoMetaRegressor(families="linear,knn,xgboost", monotonic={"income": 1}, **QUICK).fit(X, y)
    assert any("cannot keep a column monotonic: Linear model" in note for note in model.notes_)
    assert set(model.leaderboard_["family"]) == {"xgboost"}
    assert ways(model.predict, ["income", "age"], "income").min() >= 0
    with pytest.raises(InputError, match="cannot keep a column monotonic"):
        AutoMetaRegressor(families="linear", monotonic={"income": 1}, **QUICK).fit(X, y)
    with pytest.raises(InputError, match="cannot keep a column monotonic"):
        build(cash_space("regression", ["knn"]).default, Columns(("a",)), "regression", n_rows=9, seed=0,
              monotonic={"a": 1})  # fmt: skip
    with pytest.raises(InputError, match="fits a quantile"):
        AutoMetaRegressor(metric="pinball@0.9", monotonic={"income": 1}, **QUICK).fit(X, y)


def test_a_family_searches_only_what_keeps_it():
    from autometa.search import SearchPlan, Settings

    task = make_task(applicants(200, 2)[["town", "income", "limit"]], target="limit", monotonic={"income": 1})
    space = SearchPlan.of(task, Settings(seconds=60), cpus=2).space
    assert set(space.families) == {name for name in KEEPING if name in available("regression")}
    if "catboost" in space.families:
        found = [config for config in space.defaults() if config["family"] == "catboost"]
        assert found[0]["catboost.grow_policy"] == "SymmetricTree"
        assert found[0]["catboost.max_ctr_complexity"] == 1


def test_columns_of_an_array_are_named_by_their_places():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    model = AutoMetaRegressor(families="lightgbm", monotonic={1: -1}, **QUICK).fit(X, X[:, 1] ** 2 + X[:, 0])
    table = np.column_stack([np.zeros(50), np.linspace(-3, 3, 50)])
    assert np.diff(model.predict(table)).max() <= 0


BAD = {
    "town=+": "monotonic 'town': holds categories, along which nothing rises",
    "incme=+": "monotonic 'incme': no such feature. Did you mean 'income'?",
    "income=up": "'up' is neither + nor -",
    "income": "is no COL=+ or COL=-",
    "income=+,income=-": "asks for both directions of one column",
    "same=+": "the column was left out: constant",
    "day=+": "holds dates, along which nothing rises",
}


def test_what_cannot_be_is_refused_at_once_and_nothing_is_written(done, tmp_path, capsys):
    table = applicants(60, 3).drop(columns="limit").assign(same=1)
    table["day"] = pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d")
    table.to_csv(tmp_path / "t.csv", index=False)
    told = ["fit", str(tmp_path / "t.csv"), "--target", "repaid", "--run", str(tmp_path / "run")]
    for asked, says in BAD.items():
        assert main([*told, "--monotonic", asked]) == 2
        assert says in capsys.readouterr().err
    both = ["--monotonic", "town=+", "--monotonic", "incme=-"]
    assert main([*told, *both]) == 2
    shown = capsys.readouterr().err
    assert all(says in shown for says in (BAD["town=+"], BAD["incme=+"]))
    assert main(["fit", str(tmp_path / "t.csv"), "--target", "town", "--monotonic", "income=+"]) == 2
    assert "of 3 classes not all can become more probable together" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
