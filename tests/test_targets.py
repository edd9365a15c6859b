"""Several targets of one table: one search each, one folder, one table of answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa import AutoMetaClassifier, AutoMetaRegressor, load_model
from autometa.cli.app import main
from autometa.cli.targets import one_target, several_targets
from autometa.errors import InputError, RunError
from autometa.search import load_models, open_run, parts_of_run

WORDS = ("--trials", "1", "--families", "linear,naive_bayes", "--cold", "--no-remember")
QUICK = {"trials": 1, "families": "linear", "cold": True, "remember": False, "verbose": False}


def houses(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"area": rng.uniform(30, 200, n).round(1), "town": rng.choice(["Ulm", "Bern"], n)})
    table["price"] = (table["area"] * 3 + 50 * (table["town"] == "Bern") + rng.normal(0, 20, n)).round(2)
    table["sold"] = np.where(table["area"] + rng.normal(0, 20, n) > 110, "yes", "no")
    return table


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder with table.csv, new.csv without targets, and a run of a number and of two classes."""
    folder = tmp_path_factory.mktemp("targets")
    houses(200, 0).to_csv(folder / "table.csv", index=False)
    houses(30, 1).drop(columns=["price", "sold"]).to_csv(folder / "new.csv", index=False)
    houses(60, 2).to_csv(folder / "labelled.csv", index=False)
    told = ["fit", str(folder / "table.csv"), "--target", "price,sold", "--metric", "price=r2,sold=accuracy"]
    assert main([*told, *WORDS, "--run", str(folder / "run")]) == 0
    return folder


def test_each_target_has_a_run_of_its_own_kind_and_metric(done):
    parts = parts_of_run(done / "run")
    assert {name: part.name for name, part in parts.items()} == {"price": "1-price", "sold": "2-sold"}
    results = {name: open_run(part) for name, part in parts.items()}
    assert [one.task.kind for one in results.values()] == ["regression", "binary"]
    assert [one.task.metric for one in results.values()] == ["r2", "accuracy"]
    assert all(one.score > one.dummy.score for one in results.values())
    assert results["price"].settings.families == ("linear",)  # the other is not made for numbers
    assert results["sold"].settings.families == ("linear", "naive_bayes")


def test_no_target_is_a_feature_of_another(done):
    for part in parts_of_run(done / "run").values():
        task = open_run(part).task
        assert sorted(task.X.columns) == ["area", "town"]
        assert sorted(task.schema.seen) == ["area", "town"]


def test_answers_stand_in_one_table(done, capsys):
    new, models = pd.read_csv(done / "new.csv"), load_models(done / "run")
    joint = models.predict(new)
    assert list(joint) == ["price", "sold"]
    assert set(models.predict_proba(new)) == {"sold"}
    told = ["predict", str(done / "run"), str(done / "new.csv")]
    asked = ["--proba", "--interval", "0.8", "--id", "town", "--out", str(done / "answers.csv")]
    assert main([*told, *asked]) == 0
    written = pd.read_csv(done / "answers.csv")
    assert list(written) == [
        "town", "price", "lower_price", "upper_price", "sold", "proba_sold_no", "proba_sold_yes", "set_sold"
    ]  # fmt: skip
    np.testing.assert_allclose(written["price"], joint["price"])
    assert written["sold"].tolist() == joint["sold"].tolist()
    for name, part in parts_of_run(done / "run").items():
        np.testing.assert_array_equal(load_model(part).predict(new), joint[name])
    capsys.readouterr()
    assert main([*told, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert len(rows) == 30
    assert set(rows[0]) == {"price", "sold"}


def test_they_are_judged_explained_and_reported_together(done, capsys):
    assert main(["score", str(done / "run"), str(done / "labelled.csv"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["targets"]
    assert (scores["price"]["metric"], scores["sold"]["metric"]) == ("r2", "accuracy")
    assert main(["explain", str(done / "run"), "--json"]) == 0
    why = json.loads(capsys.readouterr().out)["targets"]
    assert {one["target"] for one in why.values()} == {"price", "sold"}
    index = (done / "run" / "report.html").read_text()
    assert 'href="1-price/report.html"' in index
    assert 'href="2-sold/report.html"' in index
    assert all((part / "report.html").is_file() for part in parts_of_run(done / "run").values())
    (done / "run" / "report.html").unlink()
    assert main(["report", str(done / "run")]) == 0
    assert "sold" in capsys.readouterr().out
    assert (done / "run" / "report.html").is_file()


def test_a_run_that_was_killed_goes_on_with_what_is_not_finished(done, tmp_path, capsys):
    """Killed in the second of two searches: the first is as it was, the second is there in the end."""
    shutil.copytree(done / "run", tmp_path / "run")
    first, second = (tmp_path / "run" / name for name in ("1-price", "2-sold"))
    before = (first / "result.json").read_bytes()
    for gone in ("result.json", "model.pkl", "oof.npy", "recommendations.json"):
        (second / gone).unlink(missing_ok=True)
    with pytest.raises(RunError):
        load_models(tmp_path / "run")
    assert main(["resume", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["targets"]
    assert set(found) == {"price", "sold"}
    assert (first / "result.json").read_bytes() == before
    assert list(load_models(tmp_path / "run").predict(pd.read_csv(done / "new.csv"))) == ["price", "sold"]


def test_a_run_that_was_killed_before_the_first_trial_goes_on(tmp_path):
    """All runs are made first, so that whatever is killed holds the table."""
    from contextlib import nullcontext

    from autometa.fitting import resume_targets
    from autometa.search import Settings, Silent, prepare
    from autometa.search.several import folders_of, save_targets
    from autometa.task import make_task

    table, run = houses(80, 0), tmp_path / "run"
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    parts = folders_of(run, ["price", "sold"])
    for name, other in (("price", "sold"), ("sold", "price")):
        prepare(make_task(table, target=name, others=(other,)), settings, parts[name])
    save_targets(run, parts)
    found = resume_targets(run, telling=lambda: nullcontext(Silent()))
    assert [len(one.trials) for one in found.results.values()] == [1, 1]
    assert not found.interrupted


def test_the_time_is_for_all_targets_together(tmp_path, monkeypatch):
    """What an earlier target does not need of its share is shared among the later ones."""
    import time
    from contextlib import nullcontext

    from autometa.fitting import targets
    from autometa.search import Run, Settings, Silent
    from autometa.task import make_task

    clock, granted = [1000.0], []
    monkeypatch.setattr(targets.time, "monotonic", lambda: clock[0])

    def searched(part, **how):
        folder = Run.open(part)
        extra = folder.study(repair=True).user_attrs.get("autometa:granted", (0.0, 0))[0]
        granted.append((folder.settings.seconds, extra))
        clock[0] += 6.0  # of a share of 20
        return type("Done", (), {"interrupted": False})()

    monkeypatch.setattr(targets, "resume_run", searched)
    table = houses(80, 0).assign(rooms=np.arange(80) % 5 + 0.5)
    names = ["price", "rooms", "area"]
    tasks = {one: make_task(table, target=one, others=[o for o in names if o != one]) for one in names}
    settings = Settings(seconds=60, families=("linear",), cold=True, remember=False)
    silent = {"telling": lambda: nullcontext(Silent()), "started": 1000.0}
    targets.search_targets(tasks, settings, tmp_path / "run", **silent)
    assert granted == [(20.0, 0.0), (20.0, 7.0), (20.0, 28.0)]  # (60 - 6) / 2 - 20, and 60 - 12 - 20
    assert time.monotonic() == 1000.0 + 18.0


def test_what_cannot_be_is_refused_and_nothing_is_written(done, tmp_path, capsys):
    told = ["fit", str(done / "table.csv"), *WORDS, "--run", str(tmp_path / "run")]
    assert main([*told, "--target", "price,nothing,nowhere"]) == 2
    shown = capsys.readouterr().err
    assert "no column 'nothing'" in shown
    assert "no column 'nowhere'" in shown
    assert main([*told, "--target", "price,sold", "--metric", "price=f1,sale=r2"]) == 2
    assert "metric: 'sale' is no target. Targets: price, sold." in capsys.readouterr().err
    assert main([*told, "--target", "price,sold", "--metric", "r2"]) == 2
    assert "r2" in capsys.readouterr().err
    assert main(["fit", "-", *told[2:], "--target", "price,sold"]) == 2
    assert "standard input can be read once" in capsys.readouterr().err
    assert main([*told, "--target", "price,sold", "--watch"]) == 2
    assert "--watch: is of one search, and there are several. Leave it out." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    for words in (["--threshold", "0.3"], ["--by", "town"], ["--drift"]):
        assert main(["predict", str(done / "run"), str(done / "new.csv"), *words]) == 2
        assert "is of one target. Name the run of one: " in capsys.readouterr().err
    bad = pd.read_csv(done / "new.csv").drop(columns="area")
    bad.to_csv(tmp_path / "bad.csv", index=False)
    assert main(["predict", str(done / "run"), str(tmp_path / "bad.csv"), "--out", str(tmp_path / "a.csv")]) == 2
    assert capsys.readouterr().err.count("no column 'area'") == 1
    assert not (tmp_path / "a.csv").exists()
    with pytest.raises(RunError, match="holds the runs of 2 targets: name one of"):
        open_run(done / "run")
    with pytest.raises(RunError, match="or load_models"):
        load_model(done / "run")


def test_a_name_with_a_comma_stands_in_quotes(done, tmp_path):
    assert several_targets('"a,b",c') == ("a,b", "c")
    assert (several_targets('"a,b"'), one_target('"a,b"')) == ((), "a,b")
    houses(60, 3).rename(columns={"price": "price, net"}).to_csv(tmp_path / "t.csv", index=False)
    words = ["--target", '"price, net"', *WORDS, "--families", "linear", "--run", str(tmp_path / "run")]
    assert main(["fit", str(tmp_path / "t.csv"), *words]) == 0
    assert open_run(tmp_path / "run").task.target == "price, net"


def test_estimators_take_several_columns(tmp_path):
    table = houses(120, 4)
    X, y = table[["area", "town"]], table[["price", "area"]].assign(area=table["area"] ** 2)
    model = AutoMetaRegressor(run=tmp_path / "run", **QUICK).fit(X, y)
    assert model.predict(X).shape == (120, 2)
    assert model.score(X, y) > 0.5
    assert model.targets_ == ("price", "area")
    assert set(model.feature_importance(X, y, time=60)["target"]) == {"price", "area"}
    assert list(model.model_.predict(X)) == ["price", "area"]
    assert list(load_models(tmp_path / "run").predict(X)) == ["price", "area"]
    labels = table[["sold", "town"]]
    classifier = AutoMetaClassifier(**QUICK).fit(table[["area", "price"]], labels)
    assert [list(one) for one in classifier.classes_] == [["no", "yes"], ["Bern", "Ulm"]]
    assert [one.shape for one in classifier.predict_proba(table[["area", "price"]])] == [(120, 2), (120, 2)]
    assert 0 < classifier.score(table[["area", "price"]], labels) < 1
    classifier.fit(table[["area", "price"]], table["sold"])  # of one again
    assert classifier.predict(table[["area", "price"]]).shape == (120,)
    with pytest.raises(InputError, match="lightbgm"):
        AutoMetaRegressor(**{**QUICK, "families": "lightbgm"}, run=tmp_path / "no").fit(X, y)
    assert not (tmp_path / "no").exists()
