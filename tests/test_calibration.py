"""Calibration: what a map of probabilities mends, what it may not change, and that few rows say little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.evaluation import IDENTITY, Calibration, Freedom, evaluate, fit_calibration, plan_splits, score
from autometa.families import cash_space
from autometa.task import make_task


def drawn(rng: np.random.Generator, probability: np.ndarray) -> np.ndarray:
    """Classes (n,) drawn from probabilities (n, c)."""
    return (probability.cumsum(axis=1) > rng.random((len(probability), 1))).argmax(axis=1)


def two(p: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - p, p])


@pytest.fixture
def honest():
    """Probabilities (n, c) that are as sure as they should be, and classes (n,) drawn from them."""
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.full(5, 0.4), size=4000)
    return probability, drawn(rng, probability)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_what_made_a_model_too_sure_or_too_shy_is_undone(honest, temperature):
    probability, y = honest
    off = Calibration.of_temperature(temperature).apply(probability)
    mended = fit_calibration(off, y).apply(off)
    assert score("neg_log_loss", y, mended) >= score("neg_log_loss", y, probability) - 2e-3


@pytest.mark.parametrize("shares", [(0.933, 0.067), (0.995, 0.005), (0.7, 0.2, 0.1), (0.9, 0.06, 0.02, 0.02)])
def test_the_shift_of_balanced_classes_is_undone(shares):
    rng = np.random.default_rng(0)
    means = rng.normal(size=(len(shares), 4))
    y = rng.choice(len(shares), 6000, p=shares)
    X = means[y] + rng.normal(size=(6000, 4))
    likelihood = np.exp(-0.5 * ((X[:, None] - means) ** 2).sum(axis=2))
    balanced, true = likelihood, likelihood * np.asarray(shares)
    balanced, true = (p / p.sum(axis=1, keepdims=True) for p in (balanced, true))
    fit, new = slice(None, 3000), slice(3000, None)
    after = fit_calibration(balanced[fit], y[fit]).apply(balanced[new])
    np.testing.assert_allclose(after.mean(axis=0), np.bincount(y[new]) / 3000, atol=0.015)
    assert score("neg_log_loss", y[new], after) > score("neg_log_loss", y[new], true[new]) - 0.01


def test_a_model_that_says_the_same_of_all_rows_and_ranks_them_right_is_woken():
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.46).astype(int)
    p = 0.4599 + 1e-3 * (y + 0.3 * rng.normal(size=400))  # all below a half
    after = fit_calibration(two(p), y).apply(two(p))
    assert score("accuracy", y, two(p)) < 0.6
    assert score("accuracy", y, after) > 0.9
    assert score("neg_log_loss", y, after) > -0.2


def test_what_is_wrong_at_one_end_is_mended_by_a_slope_for_each_class():
    rng = np.random.default_rng(0)
    p = rng.random(5000)
    y = (rng.random(5000) < p).astype(int)
    bent = p**3 / (p**3 + (1 - p) ** 0.7)
    plain, beta = (fit_calibration(two(bent), y, freedom).apply(two(bent)) for freedom in (2, 3))
    assert fit_calibration(two(bent), y) == fit_calibration(two(bent), y, Freedom.SLOPES)
    assert score("neg_log_loss", y, beta) > score("neg_log_loss", y, plain) + 0.002
    assert score("neg_log_loss", y, beta) > score("neg_log_loss", y, two(p)) - 0.002


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(5, 300), sharp=st.floats(0.01, 60.0))
def test_the_ranking_of_two_classes_never_changes(seed, n, sharp):
    rng = np.random.default_rng(seed)
    logit = sharp * rng.normal(size=n)
    p = 1 / (1 + np.exp(-logit))
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    after = fit_calibration(two(p), y).apply(two(p))[:, 1]
    assert score("roc_auc", y, two(after)) == pytest.approx(score("roc_auc", y, two(p)), abs=1e-12)
    order = np.argsort(p, kind="stable")
    assert (np.diff(after[order]) >= 0).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), c=st.integers(2, 6), n=st.integers(5, 60))
def test_probabilities_stay_probabilities(seed, c, n):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(c, 0.1), size=n)
    p[rng.random(n) < 0.2] = np.eye(c)[rng.integers(0, c)]
    after = fit_calibration(p, rng.integers(0, c, n)).apply(p)
    assert np.isfinite(after).all()
    assert (after >= 0).all()
    np.testing.assert_allclose(after.sum(axis=1), 1.0)


@pytest.mark.parametrize("c", [2, 8])
@pytest.mark.parametrize("n", [20, 100])
def test_few_rows_of_honest_probabilities_do_little_harm(c, n):
    """Mean over 20 tables: what calibration costs where there is nothing to mend."""
    rng, lost = np.random.default_rng(c * n), []
    for _ in range(20):
        p = rng.dirichlet(np.full(c, 0.7), size=n + 2000)
        y = drawn(rng, p)
        after = fit_calibration(p[:n], y[:n]).apply(p[n:])
        lost.append(score("neg_log_loss", y[n:], p[n:]) - score("neg_log_loss", y[n:], after))
    assert np.mean(lost) < 0.35 / n * (2 + c)  # the parameters of a map cost about half of one over n each


def test_honest_probabilities_are_left_alone_where_no_map_foretells_better(honest):
    probability, y = honest
    found = fit_calibration(probability, y).apply(probability)
    assert np.abs(found - probability).mean() < 0.01


def test_one_class_among_the_rows_says_nothing():
    assert fit_calibration(two(np.full(10, 0.3)), np.ones(10, dtype=int)) == IDENTITY


def test_a_class_ruled_out_and_found_costs_no_infinity():
    probability = np.tile([1.0, 0.0, 0.0], (50, 1))
    y = np.r_[np.zeros(49, dtype=int), 2]
    after = fit_calibration(probability, y, Freedom.SLOPE).apply(probability)
    assert np.isfinite(score("neg_log_loss", y, after))
    assert after[0, 2] > 1e-6


def test_rows_that_were_never_predicted_stay_unknown():
    probability = np.array([[0.2, 0.8], [np.nan, np.nan]])
    after = Calibration((0.5, 0.5), (0.1, -0.1)).apply(probability)
    assert np.isfinite(after[0]).all()
    assert np.isnan(after[1]).all()


def test_a_temperature_of_an_older_version_is_a_map():
    p = np.array([[0.8, 0.2], [0.3, 0.7]])
    raised = p**2 / (p**2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Calibration.of_temperature(0.5).apply(p), raised, rtol=1e-9)
    assert Calibration.of_temperature(1.0) is IDENTITY


@pytest.fixture
def crowd():
    """Ten classes around ten centres, well apart: a forest is right, and too shy to say so."""
    import pandas as pd

    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(10), 40)
    X = pd.DataFrame(rng.normal(size=(10, 6))[y] * 2 + rng.normal(size=(400, 6)))
    X.columns = list("abcdef")
    return X, y.astype(str)


def test_a_forest_is_judged_as_calibrated_where_the_metric_judges_how_sure_it_is(crowd):
    task, plain, judged = _with_and_without(crowd, "neg_log_loss", "extra_trees")
    np.testing.assert_array_equal(plain.oof, judged.oof)  # handed on as it was
    assert judged.evaluation.scores["neg_log_loss"] > plain.evaluation.scores["neg_log_loss"]
    after = fit_calibration(judged.oof, task.y, Freedom.OFFSETS).apply(judged.oof)
    folds = [score("neg_log_loss", task.y[test], after[test]) for _, test in plan_splits(task, seed=0, folds=3)]
    assert judged.evaluation.folds["neg_log_loss"] == pytest.approx(folds, abs=1e-3)  # one map for all folds


def _with_and_without(crowd, metric: str, family: str):
    """The task, and the family's default tried on it as it is and calibrated."""
    X, y = crowd
    task = make_task(X, y=y, metric=metric, name="crowd")
    splits = plan_splits(task, seed=0, folds=3)
    config = cash_space("multiclass", [family]).default
    return task, *(evaluate(task, config, splits, seed=0, calibrate=asked) for asked in (False, True))
