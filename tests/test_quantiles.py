"""Quantiles: a metric that asks for one, families that fit one, and a search that tries no others."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_pinball_loss

from autometa import AutoMetaRegressor
from autometa.cli import main
from autometa.errors import InputError
from autometa.evaluation import fit_model, predict_aligned, resolve_metric, score
from autometa.families import FAMILIES, cash_space, suited
from autometa.quantiles import quantile_of
from autometa.task import make_task

FITTING = [name for name, family in FAMILIES.items() if family.quantile_rows]


def waits(n: int, seed: int) -> pd.DataFrame:
    """Waiting times whose spread grows with the queue."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"queue": rng.uniform(0, 10, n), "desk": rng.choice(["a", "b"], n)})
    frame["wait"] = frame["queue"] * (1 + rng.exponential(1, n)) + (frame["desk"] == "a")
    return frame


@pytest.mark.parametrize(
    "asked", ["pinball@0.9", "pinball_0.9", "Quantile 0.9", "neg_mean_pinball_loss_0.9", "pinball .9"]
)
def test_a_quantile_is_asked_for_by_the_name_of_its_loss(asked):
    metric = resolve_metric(asked, "regression")
    assert metric == "neg_mean_pinball_loss_0.9"
    assert quantile_of(metric) == 0.9
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=50), rng.normal(size=50)
    assert score(metric, y, p) == pytest.approx(-mean_pinball_loss(y, p, alpha=0.9))


@pytest.mark.parametrize(("asked", "kind"), [("pinball@1.5", "regression"), ("pinball@0.9", "binary")])
def test_a_quantile_that_cannot_be_is_refused(asked, kind):
    with pytest.raises(InputError, match=r"unknown|does not fit"):
        resolve_metric(asked, kind)


def test_the_families_that_were_promised_fit_quantiles():
    assert {"lightgbm", "catboost", "hist_gradient_boosting", "linear"} == set(FITTING)


@pytest.mark.parametrize("family", FITTING)
def test_of_a_family_that_fits_a_quantile_so_many_truths_lie_below(family):
    task = make_task(waits(1500, 0), target="wait", metric="neg_mean_pinball_loss_0.9")
    new = make_task(waits(3000, 1), target="wait")
    config = cash_space("regression", [family]).default
    if family == "catboost":
        config |= {"catboost.n_estimators": 200}
    model = fit_model(task, config, np.arange(task.n), seed=0)
    said = predict_aligned(model, new.X, "regression", 0)
    assert (new.y <= said).mean() == pytest.approx(0.9, abs=0.05)
    mean = predict_aligned(fit_model(new, config, np.arange(500), seed=0), new.X, "regression", 0)
    assert said.mean() > mean.mean()


def test_families_that_fit_no_quantile_are_left_out_or_refused():
    task = make_task(waits(200, 0), target="wait", metric="neg_mean_pinball_loss_0.9")
    left_out = suited(task, list(cash_space("regression").default and FAMILIES))
    assert not set(left_out) & set(FITTING)
    assert left_out["random_forest"] == "fits the mean, and no quantile"
    with pytest.raises(InputError, match="fits the mean, and no quantile"):
        AutoMetaRegressor(metric="pinball@0.9", families=["knn"], trials=1, cold=True, remember=False).fit(
            task.X[["queue"]], task.y
        )


def test_a_search_for_a_quantile_ends_in_one_and_is_not_remembered(tmp_path, capsys):
    waits(300, 0).to_csv(tmp_path / "waits.csv", index=False)
    arguments = ["fit", str(tmp_path / "waits.csv"), "--target", "wait", "--metric", "pinball@0.9", "--trials", "2"]
    arguments += ["--families", "linear,lightgbm", "--run", str(tmp_path / "run"), "--store", str(tmp_path / "s.db")]
    assert main([*arguments, "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["metric"] == "neg_mean_pinball_loss_0.9"
    assert "Not remembered: what fits a quantile" in told.err
    from autometa.search import load_model

    new = waits(2000, 1)
    said = load_model(tmp_path / "run").predict(new)
    assert (new["wait"] <= said).mean() == pytest.approx(0.9, abs=0.06)
    assert "pinball loss at 0.9" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
