"""A model on a labelled table, and two runs beside each other, as a user asks for them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer

from autometa import AutoMetaClassifier, load_model
from autometa.cli.app import main
from autometa.errors import InputError
from autometa.judging import Promise, compare, judge

QUICK = ("--trials", "3", "--families", "linear,knn", "--cold", "--no-remember")


def people(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, town = rng.normal(40 + shift, 12, n), rng.choice(["Ulm", "Bonn", "Bern"], n)
    odds = 1 / (1 + np.exp(-(age - 45) / 6 - (town == "Ulm")))
    answer = np.where(rng.random(n) < odds, "01", "NA")  # labels that a careless reader changes
    return pd.DataFrame({"age": age.round(1), "town": town, "answer": answer})


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("judging")
    people(300, 0).to_csv(folder / "train.csv", index=False)
    people(400, 7).to_csv(folder / "new.csv", index=False)
    assert main(["fit", str(folder / "train.csv"), "--run", str(folder / "run"), "--na", "", *QUICK]) == 0
    words = ["fit", str(folder / "train.csv"), "--run", str(folder / "weak"), "--na", "", "--drop", "age"]
    assert main([*words, "--trials", "1", "--families", "linear", "--cold", "--no-remember"]) == 0
    return folder


def refused(capsys, *words: str) -> str:
    assert main(list(words)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = [line for line in shown.err.splitlines() if line]
    assert all(line.startswith("autometa:") for line in lines)
    return "\n".join(lines)


# -------------------------------------------------------------------------------------------------------------- judging


def test_score_judges_by_every_metric_and_is_what_scikit_learn_says(place, capsys):
    assert main(["score", str(place / "run"), str(place / "new.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    table = pd.read_csv(place / "new.csv", dtype=str, keep_default_na=False).astype({"age": float})
    model = load_model(place / "run")
    y = (table["answer"] == str(model.classes[1])).astype(int)
    p = model.predict_proba(table)[:, 1]
    for name, expected in {
        "roc_auc": get_scorer("roc_auc")._score_func(y, p),
        "accuracy": (model.predict(table) == table["answer"]).mean(),
        "neg_log_loss": -get_scorer("neg_log_loss")._score_func(y, p),
    }.items():
        assert found["scores"][name]["score"] == pytest.approx(expected)
        low, high = found["scores"][name]["interval"]
        assert low < expected < high
    assert (found["rows"], found["metric"], found["rows_learned_from"]) == (400, "roc_auc", 0)


def test_score_has_the_leaderboard_on_the_table_each_member_as_it_answers(place):
    found = judge(place / "run", place / "new.csv")
    model = load_model(place / "run")
    assert {one.trial for one in found.leaderboard} >= {member.number for member in model.members}
    assert sum(one.weight for one in found.leaderboard) == pytest.approx(1)
    here = [one.here.score for one in found.leaderboard]
    assert here == sorted(here, reverse=True)
    if len(model.members) == 1:
        own = next(one for one in found.leaderboard if one.weight)
        assert own.here.score == pytest.approx(found.scores["roc_auc"].score)


def test_rows_like_those_of_training_are_as_promised_and_others_are_not(place, tmp_path, capsys):
    assert judge(place / "run", place / "new.csv").promise.verdict == "as promised"
    odd = people(400, 2)
    odd["answer"] = np.random.default_rng(0).permutation(odd["answer"])
    odd.to_csv(tmp_path / "odd.csv", index=False)
    assert main(["score", str(place / "run"), str(tmp_path / "odd.csv")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "worse by" in shown
    assert "more than chance explains" in shown
    assert "on 400 rows" in shown


def test_rows_that_were_learned_from_are_said(place, capsys):
    assert main(["score", str(place / "run"), str(place / "train.csv")]) == 0
    assert "300 of 300 rows (100%) are in the table that the run learned from" in capsys.readouterr().out


def test_a_promise_is_broken_only_beyond_chance():
    assert Promise(0.9, -0.05, (-0.08, -0.02)).verdict == "lower"
    assert Promise(0.9, -0.05, (-0.12, 0.02)).verdict == "as promised"
    assert Promise(0.9, 0.05, (0.01, 0.09)).verdict == "higher"


def test_of_new_tables_of_the_same_kind_few_are_called_broken(place):
    verdicts = [judge(place / "run", people(200, seed)).promise.verdict for seed in range(10, 18)]
    assert verdicts.count("as promised") >= 6


def test_a_saved_model_is_judged_without_a_run(place, tmp_path):
    table = people(200, 3)
    model = AutoMetaClassifier(trials=1, families="linear", cold=True, remember=False, verbose=False, na=[])
    model.fit(table[["age", "town"]], table["answer"].rename("answer")).save(tmp_path / "saved.pkl")
    found = judge(tmp_path / "saved.pkl", table.rename(columns={"answer": "target"}))
    assert (found.promise, found.leaderboard, found.rows) == (None, (), 200)


def test_what_cannot_be_judged_is_refused_in_one_message(place, tmp_path, capsys):
    table = people(60, 4)
    for name, bad, says in (
        ("no.csv", table.drop(columns="answer"), "no column 'answer', which is the target"),
        ("other.csv", table.assign(answer=["maybe"] * 5 + ["01"] * 55), "5 rows have a class that the model does not"),
        ("gaps.csv", table.assign(answer=[None] * 7 + ["01"] * 53), "7 of 60 labels are missing"),
        ("lacks.csv", table.drop(columns="age"), "no column 'age'"),
    ):
        bad.to_csv(tmp_path / name, index=False)
        assert says in refused(capsys, "score", str(place / "run"), str(tmp_path / name))
    assert main(["score", str(place / "run"), str(tmp_path / "gaps.csv"), "--drop-missing-target", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 53
    code = main(["score", str(tmp_path / "nothing"), str(place / "new.csv")])
    assert code != 0
    assert "does not exist" in capsys.readouterr().err


def test_a_number_is_judged_with_text_among_it_refused(tmp_path, capsys):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=120), "price": rng.normal(50, 9, 120).round(2)})
    table["price"] += 5 * table["a"]
    table[:80].to_csv(tmp_path / "train.csv", index=False)
    words = ["fit", str(tmp_path / "train.csv"), "--run", str(tmp_path / "run"), "--trials", "1"]
    assert main([*words, "--families", "linear", "--cold", "--no-remember"]) == 0
    capsys.readouterr()
    table[80:].to_csv(tmp_path / "new.csv", index=False)
    assert main(["score", str(tmp_path / "run"), str(tmp_path / "new.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    said = load_model(tmp_path / "run").predict(table[80:])
    assert found["score"] == pytest.approx(-np.sqrt(((said - table["price"][80:]) ** 2).mean()))
    table[80:].astype({"price": object}).assign(price=["dear"] * 3 + ["9.5"] * 37).to_csv(tmp_path / "bad.csv")
    assert "text among numbers: 'dear'" in refused(capsys, "score", str(tmp_path / "run"), str(tmp_path / "bad.csv"))


# ------------------------------------------------------------------------------------------------------------ comparing


def test_compare_pairs_the_rows_of_two_runs_on_one_table(place, capsys):
    assert main(["compare", str(place / "run"), str(place / "weak"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["metric"], found["verdict"]) == (300, "roc_auc", "first")
    own = found["scores"]["roc_auc"]
    assert own["difference"] == pytest.approx(own["first"] - own["second"])
    assert 0 < own["interval"][0] < own["difference"] < own["interval"][1]
    assert main(["compare", str(place / "weak"), str(place / "run")]) == 0
    assert "By ROC AUC the second is better by" in capsys.readouterr().out


def test_of_errors_the_smaller_is_better_and_intervals_ascend(tmp_path, capsys):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=150), "b": rng.normal(size=150)})
    table.assign(price=3 * table["a"] + rng.normal(size=150)).to_csv(tmp_path / "t.csv", index=False)
    for name, drop in (("good", "b"), ("bad", "a")):
        words = ["fit", str(tmp_path / "t.csv"), "--run", str(tmp_path / name), "--drop", drop, "--trials", "1"]
        assert main([*words, "--families", "linear", "--cold", "--no-remember"]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "good"), str(tmp_path / "bad")]) == 0
    shown = capsys.readouterr().out
    row = next(line for line in shown.splitlines() if line.startswith("RMSE")).split()
    low, high = (float(row[k].replace(",", "")) for k in (5, 7))
    assert low < high < 0
    assert "By RMSE the first is better by" in shown


def test_a_run_is_no_better_than_itself(place, tmp_path, capsys):
    shutil.copytree(place / "run", tmp_path / "copy")
    assert compare(place / "run", tmp_path / "copy").scores["accuracy"].verdict == "neither"
    assert main(["compare", str(place / "run"), str(tmp_path / "copy")]) == 0
    assert "neither is better beyond chance" in capsys.readouterr().out


def test_runs_on_different_tables_are_compared_on_a_third_or_not_at_all(place, tmp_path, capsys):
    people(200, 5).to_csv(tmp_path / "train.csv", index=False)
    words = ["fit", str(tmp_path / "train.csv"), "--run", str(tmp_path / "run"), "--na", "", "--drop", "age"]
    assert main([*words, "--trials", "1", "--families", "linear", "--cold", "--no-remember"]) == 0
    capsys.readouterr()
    said = refused(capsys, "compare", str(place / "run"), str(tmp_path / "run"))
    assert "different tables, of 300 and 200 rows, and cannot be compared" in said
    assert "--data" in said
    words = ["compare", str(place / "run"), str(tmp_path / "run"), "--data", str(place / "new.csv"), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["verdict"]) == (400, "first")
    assert found["scores"]["roc_auc"]["first"] == pytest.approx(
        judge(place / "run", place / "new.csv").scores["roc_auc"].score
    )


def test_runs_that_answer_other_questions_are_not_compared(place, tmp_path):
    table = people(120, 6)
    table.assign(answer=table["answer"].map({"01": 1, "NA": 0})).to_csv(tmp_path / "train.csv", index=False)
    words = ["fit", str(tmp_path / "train.csv"), "--run", str(tmp_path / "run"), "--trials", "1"]
    assert main([*words, "--families", "linear", "--cold", "--no-remember"]) == 0
    with pytest.raises(InputError, match="know different classes of 'answer'"):
        compare(place / "run", tmp_path / "run")
