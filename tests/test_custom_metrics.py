"""Metrics of one's own: scorers, functions and `module:function`, from the command line and from Python."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import fbeta_score, get_scorer, make_scorer, mean_pinball_loss

from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.cli.app import main
from autometa.errors import InputError
from autometa.evaluation.custom import name_of

QUICK = {"trials": 2, "families": "linear,naive_bayes", "cold": True, "remember": False, "verbose": False, "cv": 3}
WORDS = ("--trials", "2", "--families", "linear,naive_bayes", "--cold", "--no-remember")
PROFIT = '''
import numpy as np
from sklearn.metrics import fbeta_score, make_scorer


def profit(y_true, y_pred, sample_weight=None):
    """Every customer who would leave and is called is worth 10, every call costs 1."""
    called = y_pred == "yes"
    return float(np.average(10.0 * (called & (y_true == "yes")) - called, weights=sample_weight))


def loss(estimator, X, y):
    return -float(((estimator.predict_proba(X)[:, 1] - (y == "yes")) ** 2).mean())


f2 = make_scorer(fbeta_score, beta=2, pos_label="yes")


def broken(y_true, y_pred):
    raise RuntimeError("no such luck")


def odd(one):
    return 0.0


def nothing(y_true, y_pred):
    return float("nan")
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("custom"), np.random.default_rng(0)
    (folder / "my_metrics.py").write_text(PROFIT)
    x = rng.normal(size=200)
    answer = np.where(rng.random(200) < 1 / (1 + np.exp(1.5 - 2 * x)), "yes", "no")
    pd.DataFrame({"x": x, "noise": rng.normal(size=200), "answer": answer}).to_csv(folder / "t.csv", index=False)
    return folder


def test_a_function_in_this_folder_judges_by_the_labels_of_the_table(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert main(["fit", "t.csv", "--metric", "my_metrics:profit", "--run", "run", "--json", *WORDS]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["metric"] == "my_metrics:profit"
    from my_metrics import profit

    from autometa.search import open_run

    result = open_run(place / "run")
    labels = np.asarray(result.task.classes)
    said = labels[(result.oof * np.asarray(result.weights or (1, 1))).argmax(axis=1)]
    assert summary["score"] == pytest.approx(profit(labels[result.task.y], said), abs=0.3)  # averaged over repeats
    assert summary["threshold"] < 0.4  # calling is cheap
    assert summary["dummy"]["says"] == "always answering 'yes'"
    assert main(["score", "run", "t.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metric"] == "my_metrics:profit"
    assert "my_metrics:profit" in (place / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["loss", "f2"])
def test_scorers_of_ones_own_are_taken_as_well(place, monkeypatch, name):
    monkeypatch.chdir(place)
    assert main(["fit", "t.csv", "--metric", f"my_metrics:{name}", "--run", f"run_{name}", *WORDS]) == 0


def test_what_make_scorer_made_is_what_it_says():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 2)), rng.choice(["a", "b"], 150)
    y = np.where(X[:, 0] > 0.8, "b", y)
    scorer = make_scorer(fbeta_score, beta=2, pos_label="b")
    model = AutoMetaClassifier(**QUICK, metric=scorer).fit(X, y)
    assert model.metric_ == "sklearn.metrics:fbeta_score(beta=2, pos_label='b')"
    assert model.summary_["score"] == pytest.approx(0.7, abs=0.25)
    pinball = make_scorer(mean_pinball_loss, alpha=0.9, greater_is_better=False)
    number = AutoMetaRegressor(**{**QUICK, "families": "linear"}, metric=pinball).fit(X, X[:, 0] + rng.normal(size=150))
    assert number.metric_ == "neg_sklearn.metrics:mean_pinball_loss(alpha=0.9)"
    assert number.summary_["score"] < 0
    assert number.summary_["score"] > number.summary_["dummy"]["score"]


def test_a_scorer_of_scikit_learn_itself_has_its_name():
    assert name_of(get_scorer("f1_macro")) == "f1_macro"
    assert name_of(get_scorer("neg_log_loss")) == "neg_log_loss"


@pytest.mark.parametrize(
    "metric", [lambda y, p: 0.0, 7, make_scorer(lambda y, p: 0.0), make_scorer(fbeta_score, beta=np)]
)
def test_what_no_other_process_can_import_is_refused_with_what_to_do(metric):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), [0, 1] * 20
    with pytest.raises(InputError, match="module:function"):
        AutoMetaClassifier(**QUICK, metric=metric).fit(X, y)


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("my_metrics:loot", "cannot be imported: AttributeError"),
        ("no_such_module:loot", "cannot be imported: ModuleNotFoundError"),
        ("my_metrics:broken", "raises RuntimeError: no such luck"),
        ("my_metrics:nothing", "gives nan, and not a number"),
        ("my_metrics:odd", "takes neither (y_true, y_pred) nor (estimator, X, y)"),
        ("my_metrics:np", "is no function"),
        ("sklearn.metrics:fbeta_score(beta=open)", "what is in brackets are no keywords with plain values"),
    ],
)
def test_a_metric_that_cannot_be_is_refused_before_anything_is_written(place, monkeypatch, capsys, metric, says):
    monkeypatch.chdir(place)
    assert main(["fit", "t.csv", "--metric", metric, "--run", "refused", *WORDS]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert len([line for line in shown.err.splitlines() if line.startswith("autometa:")]) == 1
    assert not (place / "refused").exists()


def test_weights_are_for_functions_that_take_them(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    table = pd.read_csv("t.csv").assign(w=lambda t: np.where(t["answer"] == "yes", 2.0, 1.0))
    table[["x", "noise", "w", "answer"]].to_csv("w.csv", index=False)
    assert main(["fit", "w.csv", "--weight", "w", "--metric", "my_metrics:loss", "--run", "weighed", *WORDS]) == 2
    assert "takes no weights of rows" in capsys.readouterr().err
    assert main(["fit", "w.csv", "--weight", "w", "--metric", "my_metrics:profit", "--run", "weighed", *WORDS]) == 0
