"""Parameters that are fixed or have other ranges, and own splits: in a space, on the command line, in Python."""

from __future__ import annotations

import json
import shlex

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.model_selection import GroupKFold, KFold, PredefinedSplit

from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.cli import main
from autometa.errors import InputError
from autometa.evaluation import plan_splits, splits_of
from autometa.families import cash_space
from autometa.report.parts import command
from autometa.sampler import WarmStartSampler
from autometa.search import Settings, open_run
from autometa.space.narrowing import narrowed, read_wish, wish_text
from autometa.store import MetaStore
from autometa.task import make_task

WISHES = {"lightgbm.num_leaves": 31, "lightgbm.learning_rate": (0.01, 0.1), "knn.weights": ["distance"]}


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True, as_frame=True)


def said_by(*words) -> int:
    """The exit code of a command line."""
    return main([str(word) for word in words])


# --------------------------------------------------------------------------------------------------------------- space


def test_every_configuration_has_what_was_asked_for():
    space = narrowed(cash_space("binary"), WISHES | {"xgboost.n_estimators": 5000, "lightgbm.early_stop": True})
    rng = np.random.default_rng(0)
    for config in [*space.defaults(), *space.fill(60), *(space.sample(rng) for _ in range(200))]:
        assert space.contains(config)
        assert config.get("lightgbm.num_leaves", 31) == 31
        assert 0.01 <= config.get("lightgbm.learning_rate", 0.05) <= 0.1
        assert config.get("knn.weights", "distance") == "distance"
        assert config.get("xgboost.n_estimators", 5000) == 5000  # beyond the usual range
        assert config.get("lightgbm.early_stop", True) is True


def test_the_rest_is_as_it_was():
    before, after = cash_space("binary"), narrowed(cash_space("binary"), WISHES)
    assert [p.name for p in before] == [p.name for p in after]
    assert [p for p in before if p.name not in WISHES] == [p for p in after if p.name not in WISHES]
    assert narrowed(before, {}) == before


@pytest.mark.parametrize(
    ("name", "wanted", "says"),
    [
        ("lightgbm.num_leafs", 31, "Did you mean 'lightgbm.num_leaves'"),
        ("lightgmb.num_leaves", 31, "no family 'lightgmb' is searched"),
        ("num_leaves", 31, "needs the family before it"),
        ("family", "knn", "needs the family before it"),
        ("lightgbm.num_leaves", 3.5, "takes whole numbers"),
        ("lightgbm.num_leaves", "many", "many is not a number"),
        ("lightgbm.num_leaves", True, "true is not a number"),
        ("lightgbm.num_leaves", (9, 3), "9 is above 3"),
        ("lightgbm.num_leaves", (1, 2, 3), "3 numbers are neither a value nor a range"),
        ("lightgbm.learning_rate", 0, "not above 0"),
        ("lightgbm.learning_rate", float("nan"), "not a number"),
        ("knn.weights", "near", "near is none of its choices"),
        ("knn.weights", [], "leaves no choice"),
        ("lightgbm.early_stop", 1, "1 is none of its choices"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name, wanted, says):
    with pytest.raises(InputError, match=says) as refused:
        narrowed(cash_space("binary"), {name: wanted, "nothing.of": "this kind"})
    assert len(refused.value.problems) == 2  # all of them at once


@pytest.mark.parametrize("wanted", [31, 0.5, "gini", True, None, (0.01, 0.1), ["gini", "entropy"], [None, "balanced"]])
def test_what_a_person_would_type_means_the_same(wanted):
    read = read_wish(wish_text(wanted))
    assert read == wanted
    assert type(read) is type(wanted)


def test_the_memory_proposes_within_it(tmp_path):
    space = narrowed(cash_space("binary"), WISHES)
    past = MetaStore.with_shipped(str(tmp_path / "none.db")).past(kind="binary", metric="roc_auc")
    sampler = WarmStartSampler(past, space, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for number in range(12):
        trial = study.ask()
        assert space.contains(space.suggest(trial))
        study.tell(trial, 0.5 + number / 100)
    assert {trial.user_attrs["autometa:origin"] for trial in study.trials} & {"portfolio", "similar"}


# --------------------------------------------------------------------------------------------------------- whole fits


def test_in_python_and_again_from_the_command_that_the_report_gives(wine, tmp_path):
    wishes = {"knn.n_neighbors": 7, "knn.p": [1]}
    model = AutoMetaClassifier(
        trials=3,
        families="knn",
        space=wishes,
        cold=True,
        remember=False,
        run=tmp_path / "r",
    ).fit(*wine)
    assert {config["knn.n_neighbors"] for config in model.leaderboard_["config"]} == {7}
    result = open_run(tmp_path / "r")
    words = shlex.split(command(result.task, result.settings))
    assert [words[k + 1] for k, word in enumerate(words) if word == "--set"] == ["knn.n_neighbors=7", "knn.p=1"]
    assert Settings.from_dict(json.loads(json.dumps(result.settings.to_dict()))).space == {
        "knn.n_neighbors": 7,
        "knn.p": [1],
    }


def test_on_the_command_line(wine, tmp_path, capsys):
    X, y = wine
    X.assign(target=y).to_csv(tmp_path / "wine.csv", index=False)
    (tmp_path / "space.toml").write_text('[knn]\nn_neighbors = [3, 9]\nweights = "distance"\n', encoding="utf-8")
    code = said_by(
        "fit", tmp_path / "wine.csv", "--trials", 3, "--families", "knn", "--space", tmp_path / "space.toml", "--set",
        "knn.n_neighbors=5", "--folds", 4, "--cold", "--no-remember", "--run", tmp_path / "run", "--json",
    )  # fmt: skip
    assert code == 0, capsys.readouterr().err
    result = open_run(tmp_path / "run")
    assert {row.evaluation.config["knn.n_neighbors"] for row in result.trials} == {5}  # what is typed counts
    assert {row.evaluation.config["knn.weights"] for row in result.trials} == {"distance"}
    assert {len(row.evaluation.folds["neg_log_loss"]) for row in result.trials} == {4}


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_written(wine, tmp_path, capsys):
    X, y = wine
    X.assign(target=y).to_csv(tmp_path / "wine.csv", index=False)
    code = said_by(
        "fit", tmp_path / "wine.csv", "--set", "knn.n_neighbors", "--space", tmp_path / "none.toml", "--folds", "0",
        "--patience", "never", "--run", tmp_path / "run",
    )  # fmt: skip
    assert code == 2
    err = " ".join(capsys.readouterr().err.split())
    for said in ("is no NAME=VALUE", "there is no such file", "--folds 0", "neither auto, off, nor a time"):
        assert said in err
    code = said_by("fit", tmp_path / "wine.csv", "--set", "knn.neighbours=3", "--run", tmp_path / "run")
    assert code == 2
    assert "parameter knn.neighbours: unknown" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------------------------------------- own splits


def test_own_splitters_and_pairs_of_rows(wine):
    X, y = wine
    mine = np.arange(len(y)) % 2 == 0
    for cv, folds in [(KFold(3, shuffle=True, random_state=0), 3), (PredefinedSplit(np.where(mine, -1, 0)), 1), (2, 2),
                      ([(np.flatnonzero(mine), np.flatnonzero(~mine))], 1)]:  # fmt: skip
        model = AutoMetaClassifier(trials=1, families="naive_bayes", cv=cv, cold=True, remember=False).fit(X, y)
        assert model.leaderboard_["state"].tolist() == ["complete"]
        splits = splits_of(cv, X, y) if not isinstance(cv, int) else plan_splits(make_task(X, y=y), seed=0, folds=cv)
        assert splits.n_folds == folds


def test_groups_reach_a_splitter_that_asks_for_them():
    rng = np.random.default_rng(0)
    X, y, groups = pd.DataFrame(rng.normal(size=(60, 2))), rng.normal(size=60), np.arange(60) // 6
    model = AutoMetaRegressor(trials=1, families="linear", cv=GroupKFold(5), cold=True, remember=False)
    assert model.fit(X, y, groups=groups).leaderboard_["state"].tolist() == ["complete"]


@pytest.mark.parametrize(
    ("cv", "says"),
    [
        ([], "no split"),
        ([([0, 1], [1, 2])], "split 1 predicts 1 rows that it learns from"),
        ([([0, 1], [])], "no rows to predict"),
        ([([], [1])], "no rows to learn from"),
        ([([0], [99])], "row 99 is none of 8"),
        ([(np.array([True] * 3), np.array([False] * 3))], "a mask of 3 rows is not of 8"),
        (KFold(20), "20"),
        ("five", "splitter"),
    ],
)
def test_splits_that_cannot_be_are_refused(cv, says):
    with pytest.raises(InputError, match=says):
        splits_of(cv, np.zeros((8, 1)), np.arange(8))
