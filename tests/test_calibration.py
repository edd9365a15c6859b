"""Temperature scaling: what one number per model may change, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest

from autometa.evaluation import evaluate, fit_temperature, plan_splits, score, tempered
from autometa.families import cash_space
from autometa.task import make_task


@pytest.fixture
def honest():
    """Probabilities (n, c) that are as sure as they should be, and classes (n,) drawn from them."""
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.full(5, 0.4), size=4000)
    return probability, (probability.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.3, 0.7, 1.0, 1.6, 4.0])
def test_what_made_a_model_too_sure_or_too_shy_is_undone(honest, temperature):
    probability, y = honest
    found = fit_temperature(tempered(probability, temperature), y)
    assert found == pytest.approx(1 / temperature, rel=0.08)
    mended = tempered(tempered(probability, temperature), found)
    assert score("neg_log_loss", y, mended) >= score("neg_log_loss", y, probability) - 1e-3


def test_probabilities_stay_probabilities_and_the_most_probable_class_stays(honest):
    probability, _ = honest
    for temperature in (0.1, 0.5, 3.0, 10.0):
        after = tempered(probability, temperature)
        assert np.isfinite(after).all()
        assert (after >= 0).all()
        np.testing.assert_allclose(after.sum(axis=1), 1.0)
        np.testing.assert_array_equal(after.argmax(axis=1), probability.argmax(axis=1))
    np.testing.assert_array_equal(tempered(probability, 1.0), probability)


def test_the_ranking_of_two_classes_stays():
    rng = np.random.default_rng(1)
    p, y = rng.random(500), rng.integers(0, 2, 500)
    two = np.column_stack([1 - p, p])
    assert score("roc_auc", y, tempered(two, 0.4)) == pytest.approx(score("roc_auc", y, two), abs=1e-12)


def test_a_few_rows_say_little():
    sure = np.tile([0.7, 0.3], (4, 1))
    assert 0.6 < fit_temperature(sure, np.zeros(4, dtype=int)) < 1.0  # all right, so it could be surer without end


def test_a_class_ruled_out_and_found_costs_no_infinity():
    probability = np.tile([1.0, 0.0, 0.0], (50, 1))
    y = np.r_[np.zeros(49, dtype=int), 2]
    found = fit_temperature(probability, y)
    assert found > 1.0
    assert np.isfinite(score("neg_log_loss", y, tempered(probability, found)))


def test_rows_that_were_never_predicted_stay_unknown():
    probability = np.array([[0.2, 0.8], [np.nan, np.nan]])
    after = tempered(probability, 0.5)
    assert np.isfinite(after[0]).all()
    assert np.isnan(after[1]).all()


@pytest.fixture
def crowd():
    """Ten classes around ten centres, well apart: a forest is right, and too shy to say so."""
    import pandas as pd

    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(10), 40)
    X = pd.DataFrame(rng.normal(size=(10, 6))[y] * 2 + rng.normal(size=(400, 6)))
    X.columns = list("abcdef")
    return X, y.astype(str)


def test_a_forest_is_judged_at_its_best_temperature_where_that_is_asked(crowd):
    task, plain, judged = _with_and_without(crowd, "neg_log_loss", "extra_trees")
    np.testing.assert_array_equal(plain.oof, judged.oof)  # handed on as it was
    assert judged.evaluation.scores["accuracy"] == plain.evaluation.scores["accuracy"]
    assert judged.evaluation.scores["neg_log_loss"] > plain.evaluation.scores["neg_log_loss"]
    at_best = tempered(judged.oof, fit_temperature(judged.oof, task.y))
    folds = [score("neg_log_loss", task.y[test], at_best[test]) for _, test in plan_splits(task, seed=0, folds=3)]
    assert judged.evaluation.folds["neg_log_loss"] == pytest.approx(folds, abs=1e-9)  # one temperature for all folds


def test_where_the_metric_does_not_ask_how_sure_nothing_changes(crowd):
    _, plain, judged = _with_and_without(crowd, "accuracy", "naive_bayes")
    assert plain.evaluation.scores == judged.evaluation.scores


def _with_and_without(crowd, metric: str, family: str):
    """The task, and the family's default tried on it as it is and calibrated."""
    X, y = crowd
    task = make_task(X, y=y, metric=metric, name="crowd")
    splits = plan_splits(task, seed=0, folds=3)
    config = cash_space("multiclass", [family]).default
    return task, *(evaluate(task, config, splits, seed=0, calibrate=asked) for asked in (False, True))
