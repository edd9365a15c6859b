"""An evaluation is what the naive loop over folds gives, and whatever goes wrong in it is data."""

from __future__ import annotations

import json
import math
import pickle
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from autometa.evaluation import (
    METRICS,
    Attempt,
    Evaluation,
    Isolation,
    State,
    evaluate,
    evaluate_isolated,
    fit_model,
    plan_splits,
    predict_aligned,
    score,
    score_all,
)
from autometa.evaluation.trial import _hopeless
from autometa.families import FAMILIES, Family, cash_space
from autometa.space import SearchSpace
from autometa.task import make_task

PATIENCE = 300.0  # seconds for what ends by itself, however slow the machine


def table(kind: str, n: int = 120, seed: int = 0, **more):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    signal = X["a"] + 0.5 * X["b"] + 0.3 * rng.normal(size=n)
    c = {"binary": 2, "multiclass": 3}.get(kind)
    target = signal if c is None else pd.qcut(signal, c, labels=list("xyz")[:c]).astype(str)
    return make_task(X.assign(target=target, **more), target="target", kind=kind, **{k: k for k in more})


class Stub(ClassifierMixin, BaseEstimator):
    """Predicts the shares of the classes, after doing to a fold what a test asks for."""

    fits = 0

    def __init__(self, does=None):
        self.does = does

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        type(self).fits += 1
        if self.does is not None:
            self.does(type(self).fits)
        return self

    def predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))


@pytest.fixture
def family(monkeypatch):
    """Makes a model the family ``stub`` of the catalogue."""

    def install(make):
        Stub.fits = 0
        entry = Family("stub", "Stub", lambda kind: SearchSpace([]), lambda config, *_, **__: make())
        monkeypatch.setitem(FAMILIES, "stub", entry)
        return {"family": "stub"}

    return install


def raising(error):
    def raise_in_the_third_fold(fit):
        if fit == 3:
            raise error

    return raise_in_the_third_fold


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_an_evaluation_is_the_naive_loop_over_folds(kind, family):
    task = table(kind)
    splits = plan_splits(task, seed=1)
    make = Ridge if kind == "regression" else LogisticRegression
    config = family(make)
    outcome = evaluate(task, config, splits, seed=0)
    expected, sums, times = [], np.zeros((task.n, task.c) if task.c else task.n), np.zeros(task.n)
    for train, test in splits:
        model = make().fit(task.X.iloc[train], task.y[train])
        prediction = model.predict_proba(task.X.iloc[test]) if task.c else model.predict(task.X.iloc[test])
        expected.append(score_all(kind, task.y[test], prediction, task.c))
        sums[test] += prediction
        times[test] += 1
    evaluation = outcome.evaluation
    assert (evaluation.state, evaluation.reason, evaluation.rows, evaluation.seed) == ("complete", None, task.n, 0)
    assert set(evaluation.scores) == {name for name, metric in METRICS.items() if kind in metric.kinds}
    for name, values in evaluation.folds.items():
        assert values == pytest.approx([fold[name] for fold in expected], rel=1e-9, nan_ok=True)
        assert evaluation.scores[name] == pytest.approx(
            np.nanmean(values) if np.isfinite(values).any() else math.nan, nan_ok=True
        )
    assert outcome.oof == pytest.approx((sums.T / times).T)
    assert evaluation.fit_seconds > 0
    assert evaluation.predict_seconds > 0
    assert evaluation.seconds == evaluation.fit_seconds + evaluation.predict_seconds
    assert evaluation.peak_ram > 1e6
    assert set(evaluation.versions) == {"scikit-learn", "numpy"}


def test_the_same_seed_gives_the_same_scores(monkeypatch):
    asked = []

    def build(config, columns, kind, *, n_rows, seed, threads, device):
        asked.append((config, columns.numeric, kind, n_rows, seed, threads, device))
        return ExtraTreesClassifier(3, random_state=seed)

    monkeypatch.setitem(FAMILIES, "stub", Family("stub", "Stub", lambda kind: SearchSpace([]), build))
    task = table("binary", 600)
    splits, config = plan_splits(task, seed=0), {"family": "stub", "stub.depth": 3}
    one, same, other = (evaluate(task, config, splits, seed=seed, threads=2) for seed in (5, 5, 6))
    assert one.evaluation.folds == same.evaluation.folds
    assert np.array_equal(one.oof, same.oof)
    assert not np.array_equal(one.oof, other.oof)
    assert asked[0] == ({"depth": 3}, ("a", "b", "c"), "binary", 480, 5, 2, "cpu")


def test_the_library_of_a_family_is_among_the_versions():
    task = table("binary")
    config = cash_space("binary", ["lightgbm"]).default
    versions = evaluate(task, config, plan_splits(task, seed=0, folds=1), seed=0).evaluation.versions
    assert set(versions) == {"scikit-learn", "numpy", "lightgbm"}


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (ValueError("no good\nat all"), "failed", "ValueError: no good, in fold 3 of 5"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError, in fold 3 of 5"),
        (MemoryError("64 GiB"), "memory", "MemoryError: 64 GiB, in fold 3 of 5"),
    ],
)
def test_an_exception_is_data_and_keeps_the_folds_before_it(error, state, reason, family):
    task = table("binary", 600)
    outcome = evaluate(task, family(lambda: Stub(raising(error))), plan_splits(task, seed=0), seed=0)
    assert (outcome.evaluation.state, outcome.evaluation.reason) == (state, reason)
    assert [len(values) for values in outcome.evaluation.folds.values()] == [2] * len(outcome.evaluation.folds)
    assert np.isnan(outcome.oof).any(axis=1).sum() == 360


def test_an_unknown_family_is_data():
    task = table("binary")
    outcome = evaluate(task, {"family": "astrology"}, plan_splits(task, seed=0), seed=0)
    assert outcome.evaluation.state == "failed"
    assert "'astrology': unknown" in outcome.evaluation.reason
    assert (outcome.evaluation.scores, outcome.oof) == ({}, None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_no_number_is_a_failure(value, family):
    class Wild(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.where(np.arange(len(X)) < 3, value, 0.0)

    task = table("regression")
    evaluation = evaluate(task, family(Wild), plan_splits(task, seed=0, folds=4), seed=0).evaluation
    assert (evaluation.state, evaluation.reason) == (
        "failed",
        "predicted no finite number for 3 of 30 rows, in fold 1 of 4",
    )


def test_a_warning_is_no_failure(family):
    import warnings

    config = family(lambda: Stub(lambda fit: warnings.warn("it did not converge", UserWarning, stacklevel=2)))
    task = table("binary")
    assert evaluate(task, config, plan_splits(task, seed=0), seed=0).evaluation.state == "complete"


def test_a_class_that_the_training_rows_lack_gets_no_probability(family):
    class Strict(Stub):
        """As XGBoost, refuses codes with gaps."""

        def fit(self, X, y):
            assert set(y) == set(range(len(set(y))))
            return super().fit(X, y)

    task = table("multiclass", 60)
    task = replace(task, time_order=np.argsort(np.argsort(task.y == 1, kind="stable")).astype(float))
    outcome = evaluate(task, family(Strict), plan_splits(task, seed=0, folds=2), seed=0)
    assert outcome.evaluation.state == "complete"
    first = plan_splits(task, seed=0, folds=2)[0][1]
    assert (outcome.oof[first, 1] == 0).all()
    assert outcome.oof[first].sum(axis=1) == pytest.approx(1.0)
    assert math.isfinite(outcome.evaluation.scores["neg_log_loss"])


def test_a_mistyped_cell_takes_a_regression_half_a_range_beyond_its_targets_at_most():
    task = table("regression")
    low, high = task.y.min(), task.y.max()
    for config in cash_space("regression", ["linear", "additive"]).defaults():
        model = fit_model(task, config, np.arange(task.n), seed=0)
        wild = predict_aligned(model, task.X * 1e6, "regression", 0)
        np.testing.assert_allclose([wild.min(), wild.max()], [1.5 * low - 0.5 * high, 1.5 * high - 0.5 * low])
        np.testing.assert_array_equal(predict_aligned(model, task.X, "regression", 0), model.model.predict(task.X))


def test_training_rows_of_one_class_predict_it():
    task = table("binary", 60)
    task = replace(task, time_order=np.argsort(np.argsort(task.y, kind="stable")).astype(float))
    config = cash_space("binary", ["linear"]).default
    outcome = evaluate(task, config, plan_splits(task, seed=0, folds=2), seed=0)
    assert outcome.evaluation.state == "complete"
    assert outcome.evaluation.folds["accuracy"][0] == np.mean(task.y[plan_splits(task, seed=0, folds=2)[0][1]] == 0)


def test_rows_that_are_never_predicted_have_no_prediction(family):
    task = table("binary")
    splits = plan_splits(task, seed=0, folds=1)
    oof = evaluate(task, family(Stub), splits, seed=0).oof
    assert np.array_equal(np.flatnonzero(np.isfinite(oof[:, 0])), splits[0][1])


def test_splits_of_another_task_are_refused(family):
    with pytest.raises(ValueError, match="the splits are of 120 rows, the task has 130"):
        evaluate(table("binary", 130), family(Stub), plan_splits(table("binary", 120), seed=0), seed=0)


def test_a_hopeless_configuration_stops_between_folds(family):
    task = table("binary", 600)
    splits = plan_splits(task, seed=0)
    evaluation = evaluate(task, family(Stub), splits, seed=0, rival=(0.95, 0.93, 0.94, 0.96, 0.92)).evaluation
    assert evaluation.state == "stopped"
    assert evaluation.reason == "behind by 0.45, more than 0.0447, after fold 1 of 5"
    assert evaluation.folds["roc_auc"] == (0.5,)


def test_a_configuration_as_good_as_its_rival_goes_on(family):
    task = table("binary", 600)
    splits = plan_splits(task, seed=0)
    config = family(LogisticRegression)
    rival = evaluate(task, config, splits, seed=0).evaluation.folds["roc_auc"]
    assert evaluate(task, config, splits, seed=0, rival=rival).evaluation.state == "complete"


def test_few_that_would_have_caught_up_are_stopped():
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(2000):
        rival, own = rng.normal(size=(2, 5))  # no fold is harder than another: the worst case
        own += rival.mean() - own.mean()  # as good in the end
        lost += any(_hopeless(own[:done], rival) for done in range(1, 5))
    assert lost / 2000 < 0.025 * 4


def test_an_undefined_score_stops_nothing():
    assert _hopeless((math.nan,), (0.9, 0.8, 0.7)) is None
    assert _hopeless((0.1,), (0.9,)) is None


def test_a_fold_that_would_pass_the_deadline_is_not_begun(family):
    task = table("binary", 600)
    config = family(lambda: Stub(lambda fit: time.sleep(0.2)))
    evaluation = evaluate(task, config, plan_splits(task, seed=0), seed=0, deadline=0.5).evaluation
    assert evaluation.state == "timeout"
    assert "would have passed the deadline of 0.5 s, after fold" in evaluation.reason
    assert 1 <= len(evaluation.folds["accuracy"]) < 5


def test_models_are_kept_when_the_score_is_worth_it(family, tmp_path):
    task = table("multiclass")
    splits = plan_splits(task, seed=0, folds=3)
    config, reached = family(LogisticRegression), evaluate(task, family(LogisticRegression), splits, seed=0)
    for name, above in (("all", None), ("good", -2.0), ("bad", 0.0)):
        evaluate(task, config, splits, seed=0, keep_models=tmp_path / name, keep_above=above)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "good"]
    models = pickle.loads((tmp_path / "good").read_bytes())
    oof = np.zeros((task.n, 3))
    for model, (_, test) in zip(models, splits, strict=True):
        oof[test] = predict_aligned(model, task.X.iloc[test], task.kind, task.c)
    assert np.array_equal(oof, reached.oof)


def test_models_that_are_too_large_or_cannot_be_pickled_are_not_kept(family, tmp_path):
    task = table("binary")
    splits = plan_splits(task, seed=0, folds=3)
    large = evaluate(task, family(LogisticRegression), splits, seed=0, keep_models=tmp_path / "large", keep_bytes=100)
    unpicklable = evaluate(task, family(lambda: Stub(lambda fit: None)), splits, seed=0, keep_models=tmp_path / "no")
    assert large.evaluation.state == unpicklable.evaluation.state == "complete"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("values", [(0.5, math.nan), (math.inf, -math.inf)])
def test_an_evaluation_reads_back_equal_from_strict_json(values):
    evaluation = Evaluation(
        {"family": "knn", "knn.n_neighbors": np.int64(3), "knn.weights": None, "knn.p": np.float64(1.5)},
        State.FAILED, "because", {"f1": values[0], "roc_auc": values[1]}, {"f1": values}, 1.0, 2.0, 3, 4, 5,
        {"numpy": "2"}, "default",
    )  # fmt: skip
    text = json.dumps(evaluation.to_dict(), allow_nan=False)
    assert str(Evaluation.from_dict(json.loads(text))) == str(
        replace(evaluation, config=evaluation.to_dict()["config"])
    )


MISCHIEF = """
import ctypes, os, time
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from autometa.families import FAMILIES, Family
from autometa.space import SearchSpace

fits = 0

class Mischief(ClassifierMixin, BaseEstimator):
    def __init__(self, does):
        self.does = does

    def fit(self, X, y):
        global fits
        self.classes_ = np.unique(y)
        fits += 1
        if fits == 3:
            {"hang": lambda: time.sleep(3600), "crash": lambda: ctypes.string_at(0), "exit": lambda: os._exit(3),
             "hog": lambda: np.ones(1 << 40 >> 10), "raise": lambda: 1 / 0}[self.does]()
        return self

    def __getstate__(self):
        if self.does == "slow to keep":
            time.sleep(3600)
        return self.__dict__

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1.0 / len(self.classes_))

class Tame(Mischief):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

for name in ("hang", "crash", "exit", "hog", "raise"):
    FAMILIES[name] = Family(name, name, lambda kind: SearchSpace([]), lambda *_, name=name, **__: Mischief(name))
FAMILIES["slow to keep"] = Family("slow", "slow", lambda kind: SearchSpace([]), lambda *_, **__: Tame("slow to keep"))
"""


@pytest.fixture(scope="module")
def isolation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mischief")
    (folder / "mischief_of_test_evaluation.py").write_text(MISCHIEF)
    preload = ["autometa.evaluation.trial", "sklearn.neighbors", "mischief_of_test_evaluation"]
    with pytest.MonkeyPatch.context() as patch, Isolation(preload=preload) as isolation:
        patch.syspath_prepend(folder)
        isolation.warm_up()
        while not isolation.call(eval, f"{preload[-1]!r} in __import__('sys').modules", seconds=PATIENCE):
            pass  # it loads one module at a time, and a trial may come between
        yield isolation


@pytest.fixture
def moment(isolation, saved) -> float:
    """Seconds, many times what a small evaluation takes here and now."""
    _, folder, splits = saved
    began = time.monotonic()
    evaluate_isolated(isolation, folder, Attempt({"family": "raise"}, splits, 0), seconds=PATIENCE)
    return max(2.0, 20 * (time.monotonic() - began))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    task = table("multiclass", 600)
    folder = tmp_path_factory.mktemp("task")
    task.save(folder)
    return task, folder, plan_splits(task, seed=0)


def test_in_isolation_an_evaluation_is_the_same(isolation, saved, tmp_path):
    task, folder, splits = saved
    config = cash_space("multiclass", ["knn"]).default
    apart = evaluate_isolated(
        isolation, folder, Attempt(config, splits, 0, keep_models=tmp_path / "models", origin="default"),
        seconds=PATIENCE, max_ram=4 << 30, oof_path=tmp_path / "oof.npy",
    )  # fmt: skip
    here = evaluate(task, config, splits, seed=0, origin="default")
    measured = {"fit_seconds": 0.0, "predict_seconds": 0.0, "peak_ram": 0}
    assert str(replace(apart, **measured)) == str(replace(here.evaluation, **measured))
    assert 1e7 < apart.peak_ram < 4 << 30
    assert np.array_equal(np.load(tmp_path / "oof.npy"), here.oof)
    assert len(pickle.loads((tmp_path / "models").read_bytes())) == 5
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("does", "state", "reason"),
    [
        ("hang", "timeout", "killed at its deadline of {moment:.3g} s, in fold 3 of 5"),
        ("crash", "crashed", "killed by SIGSEGV (Segmentation fault), in fold 3 of 5"),
        ("exit", "crashed", "ended by itself with exit code 3, in fold 3 of 5"),
        ("hog", "memory", "over its cap of 419 MB, in fold 3 of 5"),
        ("raise", "failed", "ZeroDivisionError: division by zero, in fold 3 of 5"),
    ],
)
def test_whatever_happens_to_a_trial_is_data_and_keeps_the_folds_before_it(
    isolation, saved, tmp_path, moment, does, state, reason
):
    _, folder, splits = saved
    evaluation = evaluate_isolated(
        isolation, folder, Attempt({"family": does}, splits, 0),
        seconds=moment if does == "hang" else PATIENCE, max_ram=400 << 20, oof_path=tmp_path / "oof.npy",
    )  # fmt: skip
    assert evaluation.state == state
    assert evaluation.reason.endswith(reason.format(moment=moment))
    assert [len(values) for values in evaluation.folds.values()] == [2] * len(evaluation.folds)
    assert evaluation.scores["neg_log_loss"] == pytest.approx(-math.log(3))
    assert evaluation.peak_ram > 1e7
    assert list(tmp_path.iterdir()) == []


def test_an_evaluation_that_was_complete_counts_though_its_models_were_not_written_in_time(
    isolation, saved, tmp_path, moment
):
    task, folder, splits = saved
    evaluation = evaluate_isolated(
        isolation, folder, Attempt({"family": "slow to keep"}, splits, 0, keep_models=tmp_path / "models"),
        seconds=moment, oof_path=tmp_path / "oof.npy",
    )  # fmt: skip
    assert (evaluation.state, evaluation.reason) == ("complete", None)
    assert score("accuracy", task.y, np.load(tmp_path / "oof.npy"), 3) > 0
    assert not (tmp_path / "models").exists()


def test_a_trial_killed_before_its_first_fold_is_data(isolation, saved):
    _, folder, splits = saved
    evaluation = evaluate_isolated(
        isolation, folder / "missing", Attempt({"family": "knn"}, splits, 7), seconds=PATIENCE
    )
    assert evaluation.state == "failed"
    assert evaluation.reason.endswith("in fold 1 of 5")
    assert (evaluation.scores, evaluation.folds, evaluation.seed, evaluation.rows) == ({}, {}, 7, 600)
