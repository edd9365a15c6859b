"""Intervals and sets hold the truth as often as was asked: of any model, in every part that was asked for."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.cli import main
from autometa.errors import InputError, TableWarning
from autometa.evaluation import fit_conformal
from autometa.evaluation.conformal import ScoreRanks
from autometa.evaluation.options import OPTIONS
from autometa.fitting import fit_file
from autometa.search import Settings, load_model
from autometa.task import make_task

QUICK = {"cold": True, "remember": False, "families": ("linear",)}


def houses(n: int, seed: int) -> pd.DataFrame:
    """Prices whose spread grows with them, and is larger in one town."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"area": rng.uniform(20, 200, n), "town": rng.choice(["Bern", "Chur"], n)})
    spread = frame["area"] * np.where(frame["town"] == "Bern", 0.5, 0.1)
    frame["price"] = 5 * frame["area"] + spread * rng.normal(size=n) + 20
    return frame


def fruit(n: int, seed: int) -> pd.DataFrame:
    """Three kinds of which one is rare, and none clear."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.6, 0.32, 0.08])
    return pd.DataFrame({"size": kind + rng.normal(size=n), "kind": np.array(["apple", "pear", "fig"])[kind]})


@pytest.fixture(scope="module")
def priced(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("priced")
    houses(1000, 0).to_csv(folder / "houses.csv", index=False)
    settings = Settings(trials=1, **QUICK)
    return fit_file(folder / "houses.csv", target="price", settings=settings, run=folder / "run").run


# ------------------------------------------------------------------------------------------------ as a person asks


@pytest.mark.parametrize("level", [0.5, 0.9, 0.98])
def test_intervals_hold_the_truth_as_often_as_was_asked(level, priced):
    new = houses(4000, 1)
    low, high = load_model(priced).predict_interval(new, level).T
    assert ((low <= new["price"]) & (new["price"] <= high)).mean() == pytest.approx(level, abs=0.035)


def test_an_interval_is_as_wide_as_rows_of_its_size_need(priced):
    new = houses(4000, 1)
    low, high = load_model(priced).predict_interval(new, 0.9).T
    small, large = (new["area"] < 60).to_numpy(), (new["area"] > 160).to_numpy()
    held = ((low <= new["price"]) & (new["price"] <= high)).to_numpy()
    assert np.mean((high - low)[large]) > 2 * np.mean((high - low)[small])
    assert held[small].mean() == pytest.approx(0.9, abs=0.05)
    assert held[large].mean() == pytest.approx(0.9, abs=0.05)
    assert low.min() >= 0  # no price was negative


def test_every_category_has_its_share_where_that_is_asked(priced):
    new, model = houses(4000, 1), load_model(priced)
    low, high = model.predict_interval(new, 0.9, by="town").T
    held = ((low <= new["price"]) & (new["price"] <= high)).to_numpy()
    for town in ("Bern", "Chur"):
        assert held[(new["town"] == town).to_numpy()].mean() == pytest.approx(0.9, abs=0.04)
    with pytest.warns(TableWarning, match="Genf"):
        unseen = model.predict_interval(new.head(3).assign(town="Genf"), 0.9, by="town")
    whole = model.conformal.overall.needed(0.9)
    np.testing.assert_allclose((unseen[:, 1] - unseen[:, 0])[unseen[:, 0] > 0], 2 * whole)


def test_predict_writes_intervals_beside_its_answers(priced, tmp_path, capsys):
    new = houses(20, 2)
    new.to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(priced), str(tmp_path / "new.csv"), "--interval", "90%"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    expected = load_model(priced).predict_interval(new, 0.9)
    assert list(rows[0]) == ["prediction", "lower", "upper"]
    np.testing.assert_allclose([[float(r["lower"]), float(r["upper"])] for r in rows], expected)
    arguments = ["--interval", "0.8", "--by", "town", "--json"]
    assert main(["predict", str(priced), str(tmp_path / "new.csv"), *arguments]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    np.testing.assert_allclose(
        [r["upper"] for r in rows], load_model(priced).predict_interval(new, 0.8, by="town")[:, 1]
    )


def test_sets_of_classes_hold_the_true_one_as_often_as_was_asked(tmp_path, capsys):
    known, new = fruit(3000, 0), fruit(4000, 1)
    model = AutoMetaClassifier(trials=1, **QUICK, run=tmp_path / "run").fit(known[["size"]], known["kind"])
    codes = np.searchsorted(model.classes_, new["kind"])
    for level in (0.7, 0.9):
        inside = model.predict_set(new[["size"]], level)
        assert inside.shape == (4000, 3)
        assert inside[np.arange(4000), codes].mean() == pytest.approx(level, abs=0.035)
    of_each = model.predict_set(new[["size"]], 0.9, by="target")
    held = of_each[np.arange(4000), codes]
    for k in range(3):
        assert held[codes == k].mean() == pytest.approx(0.9, abs=0.07)
    new.head(5).to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "new.csv"), "--interval", "0.9", "--proba"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    first = model.predict_set(new[["size"]].head(1), 0.9)[0]
    assert json.loads(rows[0]["prediction_set"]) == model.classes_[first].tolist()
    assert "proba_fig" in rows[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--interval", "1.5"], "is not a number between 0 and 1"),
        (["--interval", "wide"], "is not a number between 0 and 1"),
        (["--interval", "0.9999"], "9,999 held-out rows, and the model has 1,000"),
        (["--by", "town"], "is for --interval"),
        (["--interval", "0.9", "--by", "towns"], "no such column"),
        (["--interval", "0.9", "--by", "area"], "no categories"),
    ],
)
def test_an_interval_that_cannot_be_is_refused_and_nothing_is_written(arguments, said, priced, tmp_path, capsys):
    houses(5, 1).to_csv(tmp_path / "new.csv", index=False)
    out = tmp_path / "answers.csv"
    assert main(["predict", str(priced), str(tmp_path / "new.csv"), "--out", str(out), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_intervals_are_of_numbers_sets_of_classes_and_neither_of_an_older_model(priced):
    model, new = load_model(priced), houses(3, 1)
    with pytest.raises(InputError, match="predict_interval"):
        model.predict_set(new)
    with pytest.raises(InputError, match="Fit it again"):
        replace(model, conformal=None).predict_interval(new)
    assert model.predict_interval(new.iloc[:0]).shape == (0, 2)


def test_a_regressor_has_intervals_though_its_run_is_gone():
    known = houses(300, 0)
    model = AutoMetaRegressor(trials=1, **QUICK).fit(known.drop(columns="price"), known["price"])
    low, high = model.predict_interval(houses(5, 1), 0.5).T
    assert (low < high).all()
    wide = model.predict_interval(houses(5, 1), 0.9)
    assert (wide[:, 0] <= low).all()
    assert (wide[:, 1] >= high).all()


# ---------------------------------------------------------------------------------------------------------- the parts


@given(st.integers(1, 3000), st.floats(0.01, 0.99), st.integers(0, 2**31))
def test_what_is_needed_is_the_score_of_a_rank_or_one_a_little_larger(n, level, seed):
    scores = np.random.default_rng(seed).exponential(size=n)
    rank = math.ceil((n + 1) * level - 1e-9)
    found = ScoreRanks.of(scores).needed(level)
    if rank > n:
        assert math.isinf(found)
        return
    exact = np.sort(scores)[rank - 1]
    assert found >= exact
    if n <= OPTIONS.kept_scores:
        assert found == exact
    else:
        assert (scores < found).mean() - rank / n < 1 / 300


def test_rows_that_were_never_held_out_say_nothing():
    x = np.arange(100.0)
    task = make_task(pd.DataFrame({"x": x**1.1}), y=x)
    oof = np.where(x < 50, x + 1.0, np.nan)
    assert fit_conformal(task, oof).overall.count == 50
    assert fit_conformal(task, np.full(100, np.nan)) is None


def test_few_rows_have_one_width():
    x = np.arange(150.0)
    task = make_task(pd.DataFrame({"x": x**1.1}), y=x)
    assert fit_conformal(task, x + 1.0).edges == ()


def test_rows_that_count_more_count_more_in_intervals():
    """Weights are rows that are there so often: the interval of one is that of the other."""
    rng = np.random.default_rng(0)
    scores, counts = rng.exponential(size=3000), rng.integers(0, 4, 3000).astype(float)
    counts[scores > 1.5] += 3
    weighted, repeated = ScoreRanks.of(scores, counts), ScoreRanks.of(np.repeat(scores, counts.astype(int)))
    for level in (0.5, 0.8, 0.9, 0.95):
        assert weighted.needed(level) == pytest.approx(repeated.needed(level), rel=0.05)
        assert weighted.needed(level) > ScoreRanks.of(scores).needed(level)
    assert ScoreRanks.of(scores, np.full(3000, 2.0)).needed(0.9) == ScoreRanks.of(scores).needed(0.9)
    assert np.isinf(weighted.needed(0.99999))
    nothing = ScoreRanks.of(scores, np.zeros(3000))  # a category of which no row counts
    assert nothing.needed(0.9) == ScoreRanks.of(scores).needed(0.9)
