"""Probabilities and labels as people meet them: from a table to `predict_proba`, `predict`, and the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, get_scorer, precision_score, recall_score

from autometa import AutoMetaClassifier
from autometa.evaluation import fit_weights, labels_of, score, score_all, threshold_of

ASKED = {"trials": 1, "families": ["naive_bayes"], "cold": True, "remember": False, "jobs": 1}


def claims(n: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Of some tables, one row in fourteen is a fraud."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    X["d"] = X.a + 0.3 * rng.normal(size=n)  # told twice: naive Bayes is too sure
    return X, np.where(rng.random(n) < 1 / (1 + np.exp(3.4 - 1.6 * X.a - X.b)), "fraud", "legit")


@pytest.fixture(scope="module")
def judged_by_f1():
    return AutoMetaClassifier(metric="f1", **ASKED).fit(*claims(1500))


def test_rates_are_those_that_come_true_and_labels_come_from_the_threshold(judged_by_f1):
    X, y = claims(6000, seed=1)
    model, p = judged_by_f1, judged_by_f1.predict_proba(X)
    assert model.classes_.tolist() == ["fraud", "legit"]
    assert abs(p[:, 0].mean() - (y == "fraud").mean()) < 0.02
    for part in np.array_split(np.argsort(p[:, 0]), 5):
        assert abs(p[part, 0].mean() - (y[part] == "fraud").mean()) < 0.05
    assert model.summary_["positive"] == "fraud"
    assert model.summary_["threshold"] < 0.5
    labels = model.predict(X)
    found = f1_score(y, labels, pos_label="fraud")
    best = max(
        f1_score(y, np.where(p[:, 0] > t, "fraud", "legit"), pos_label="fraud") for t in np.linspace(0.02, 0.9, 45)
    )
    assert found > best - 0.03
    assert (labels == "fraud").sum() == (p[:, 0] > model.model_.threshold).sum()


def test_another_threshold_can_be_asked_for_at_any_time(judged_by_f1):
    X, _ = claims(500, seed=2)
    p = judged_by_f1.predict_proba(X)[:, 0]
    assert (judged_by_f1.predict(X, threshold=0.9) == "fraud").sum() == (p > 0.9).sum()
    with pytest.raises(ValueError, match="is not a number between 0 and 1"):
        judged_by_f1.predict(X, threshold=2)


def test_it_is_in_every_table_of_scores(judged_by_f1, tmp_path, capsys, monkeypatch):
    from autometa.cli.app import main

    X, y = claims(300)
    monkeypatch.chdir(tmp_path)
    X.assign(y=y).to_csv("claims.csv", index=False)
    common = ["--trials", "1", "--families", "naive_bayes", "--cold", "--no-remember", "--run", "run"]
    asked = ["--metric", "f1", "--positive", "legit", "--threshold", "0.7"]
    assert main(["fit", "claims.csv", *asked, *common]) == 0
    page = capsys.readouterr().out
    assert "F1 of 'legit'" in page
    assert "'legit' from a probability of 0.7" in page
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "F1 of &#x27;legit&#x27;" in report or "F1 of 'legit'" in report or "F1 of &#39;legit&#39;" in report
    assert main(["predict", "run", "claims.csv", "--proba", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert all((row["prediction"] == "legit") == (row["proba_legit"] > 0.7) for row in rows)
    assert main(["predict", "run", "claims.csv", "--proba", "--json", "--threshold", "0.05"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert all((row["prediction"] == "legit") == (row["proba_legit"] > 0.05) for row in rows)


def test_what_cannot_be_asked_is_refused_in_one_message_and_nothing_is_written(tmp_path, capsys, monkeypatch):
    from autometa.cli.app import main

    X, y = claims(100)
    monkeypatch.chdir(tmp_path)
    X.assign(y=y).to_csv("claims.csv", index=False)
    assert main(["fit", "claims.csv", "--positive", "frau", "--threshold", "70%", "--run", "run"]) == 2
    said = capsys.readouterr().err
    assert "--threshold 70%: is not a number between 0 and 1" in said
    assert "'frau' is none of the classes" in said
    assert not (tmp_path / "run").exists()


def test_the_positive_class_is_scikit_learns_under_either_code():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 200), rng.random(200).round(1)  # with ties
    both = np.column_stack([1 - p, p])
    labels = both.argmax(axis=1)
    for positive in (0, 1):
        found = score_all("binary", y, both, 2, positive=positive)
        assert found["f1"] == pytest.approx(f1_score(y, labels, pos_label=positive))
        assert found["precision"] == pytest.approx(precision_score(y, labels, pos_label=positive))
        assert found["recall"] == pytest.approx(recall_score(y, labels, pos_label=positive))
        expected = average_precision_score(y == positive, both[:, positive])
        assert found["average_precision"] == pytest.approx(expected)
        judge = get_scorer("jaccard")._score_func
        assert score("jaccard", y, both, 2, positive=positive) == pytest.approx(judge(y, labels, pos_label=positive))


@pytest.mark.parametrize("metric", ["accuracy", "recall", "precision", "roc_auc", "neg_log_loss"])
def test_what_a_threshold_would_only_spoil_is_left_at_the_most_probable_class(metric):
    rng = np.random.default_rng(0)
    p = rng.beta(1, 6, 500)
    y = (rng.random(500) < p).astype(int)
    assert fit_weights(metric, y, np.column_stack([1 - p, p])) == ()


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1_macro"])
def test_of_several_classes_the_rare_ones_are_weighed_where_the_metric_asks_for_them(metric):
    rng = np.random.default_rng(0)
    shares = np.array([0.8, 0.15, 0.05])
    y = rng.choice(3, 6000, p=shares)
    x = rng.normal(size=(3, 3))[y] * 1.5 + rng.normal(size=(6000, 3))
    from sklearn.linear_model import LogisticRegression

    p = LogisticRegression().fit(x[:3000], y[:3000]).predict_proba(x)
    weights = fit_weights(metric, y[:3000], p[:3000])
    plain, weighed = (score(metric, y[3000:], p[3000:], 3, weights=w) for w in ((), weights))
    assert weights[2] > weights[0]
    assert weighed > plain
    assert set(labels_of(p, weights)) == {0, 1, 2}


def test_a_threshold_that_does_no_better_on_other_rows_is_not_taken():
    rng = np.random.default_rng(3)
    kept = 0
    for _ in range(20):  # nothing to be learned: any threshold is luck
        y = np.arange(60) % 2
        p = rng.random(60) * 0.02 + 0.49
        kept += threshold_of(fit_weights("matthews_corrcoef", y, np.column_stack([1 - p, p]))) == 0.5
    assert kept >= 8
