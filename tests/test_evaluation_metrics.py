"""A score equals scikit-learn's, is larger when it is better, and is NaN, not a warning, where it is undefined."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from sklearn.metrics import get_scorer
from sklearn.utils import Tags, TargetTags

from autometa.errors import InputError
from autometa.evaluation import METRIC_KINDS, METRICS, metric_for, resolve_metric, score, score_all
from autometa.evaluation.formulas import OTHERS as OWN

KINDS = ("binary", "multiclass", "regression")
PAIRS = [(name, kind) for name, metric in METRICS.items() for kind in KINDS if kind in metric.kinds]


class Oracle:
    """A fitted estimator, as scikit-learn's scorers want one, that predicts what it is given as X."""

    def __init__(self, kind, c):
        self._estimator_type = "regressor" if kind == "regression" else "classifier"
        self.classes_ = np.arange(c)

    def __sklearn_tags__(self):
        return Tags(estimator_type=self._estimator_type, target_tags=TargetTags(required=True))

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X if X.ndim == 1 else X.argmax(axis=1)

    def predict_proba(self, X):
        return X


def example(kind: str, seed: int, n: int = 60):
    rng = np.random.default_rng(seed)
    if kind == "regression":
        y = np.round(rng.gamma(2.0, size=n), 1)
        return y, np.maximum(y + rng.normal(size=n), 0.0), 0
    c = 2 if kind == "binary" else 4
    y = np.concatenate([np.arange(c), rng.integers(c, size=n - c)])
    p = rng.dirichlet(np.ones(c), n) + 0.5 * np.eye(c)[y] * rng.random((n, 1))
    p = np.round(p / p.sum(axis=1, keepdims=True), 1)  # so that there are ties
    return y, p / p.sum(axis=1, keepdims=True), c


@pytest.mark.parametrize(("name", "kind"), PAIRS)
@settings(max_examples=10)
@given(seed=strategies.integers(0, 10_000))
def test_a_score_is_that_of_scikit_learns_scorer(name, kind, seed):
    y, prediction, c = example(kind, seed)
    expected = get_scorer(name)(Oracle(kind, c), prediction, y)
    assert score(name, y, prediction, c) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_all_scores_are_each_score(kind):
    y, prediction, c = example(kind, 0)
    together = score_all(kind, y, prediction, c)
    assert together == {name: score(name, y, prediction, c) for name, of in PAIRS if of == kind}
    assert all(type(value) is float for value in together.values())


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_truth_scores_at_least_as_well_as_anything_else(name, kind):
    y, prediction, c = example(kind, 1)
    truth = y.astype(float) if kind == "regression" else np.eye(c)[y]
    assert score(name, y, truth, c) >= score(name, y, prediction, c)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "multiclass" in metric.kinds])
def test_a_class_that_a_fold_lacks_leaves_every_score_defined(name):
    y, prediction, c = example("multiclass", 2)
    seen = y != 3
    assert math.isfinite(score(name, y[seen], prediction[seen], c))


@pytest.mark.parametrize("name", ["neg_log_loss", "neg_brier_score"])
def test_a_class_that_a_fold_lacks_still_counts_in_the_probabilities(name):
    from sklearn.metrics import brier_score_loss, log_loss

    y, prediction, c = example("multiclass", 2)
    y, prediction = y[y != 3], prediction[y != 3]
    oracle = {"neg_log_loss": log_loss, "neg_brier_score": brier_score_loss}[name]
    assert score(name, y, prediction, c) == pytest.approx(-oracle(y, prediction, labels=range(c)))


def test_ranking_metrics_of_a_fold_that_lacks_a_class_average_over_the_others():
    from sklearn.metrics import roc_auc_score

    y, p, c = example("multiclass", 2)
    y, p = y[y != 3], p[y != 3]
    by_class = [roc_auc_score(y == a, p[:, a]) for a in range(3)]
    assert score("roc_auc_ovr", y, p, c) == pytest.approx(np.mean(by_class))
    pairs = [
        roc_auc_score((y == a)[np.isin(y, (a, b))], p[np.isin(y, (a, b)), a])
        for a in range(3)
        for b in range(3)
        if a != b
    ]
    assert score("roc_auc_ovo", y, p, c) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("roc_auc", "binary"),
        ("average_precision", "binary"),
        ("roc_auc_ovr", "multiclass"),
        ("roc_auc_ovr_weighted", "multiclass"),
        ("roc_auc_ovo", "multiclass"),
    ],
)
def test_one_class_alone_cannot_be_ranked(name, kind):
    _, prediction, c = example(kind, 3)
    assert math.isnan(score(name, np.zeros(len(prediction), dtype=int), prediction, c))


def test_logarithms_of_what_is_too_negative_are_undefined():
    assert math.isnan(score("neg_root_mean_squared_log_error", np.array([-2.0, 3.0]), np.array([1.0, 2.0])))


def test_a_prediction_without_a_logarithm_costs_much_and_leaves_no_fold_undefined():
    y = np.array([0.0, 3.0, 8.0])
    worse = score("neg_root_mean_squared_log_error", y, np.array([-7.0, 3.0, 8.0]))
    assert worse < score("neg_root_mean_squared_log_error", y, np.array([-0.5, 3.0, 8.0])) < 0


def test_a_constant_target_has_scikit_learns_finite_answers():
    y = np.full(5, 2.0)
    assert score("r2", y, y) == score("explained_variance", y, y) == 1.0
    assert score("r2", y, y + np.arange(5)) == score("explained_variance", y, y + np.arange(5)) == 0.0


def test_the_own_unit_of_an_error_is_positive():
    rmse = METRICS["neg_root_mean_squared_error"]
    value = rmse.function([1.0, 2.0], [1.0, 4.0])
    assert value == pytest.approx(math.sqrt(2.0))
    assert rmse.value(score(rmse.name, np.array([1.0, 2.0]), np.array([1.0, 4.0]))) == pytest.approx(value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_metric_of_a_task_that_names_none_fits_its_kind(kind):
    assert kind in METRICS[metric_for(kind)].kinds


@pytest.mark.parametrize(
    ("asked", "kind", "meant"),
    [
        ("auc", "binary", "roc_auc"),
        ("AUC", "multiclass", "roc_auc_ovr"),
        ("log_loss", "multiclass", "neg_log_loss"),
        ("logloss", "binary", "neg_log_loss"),
        ("neg_logloss", "binary", "neg_log_loss"),
        ("brier_score_loss", "binary", "neg_brier_score"),
        ("rmse", "regression", "neg_root_mean_squared_error"),
        ("neg-mae", "regression", "neg_mean_absolute_error"),
        ("mean squared error", "regression", "neg_mean_squared_error"),
        ("r2_score", "regression", "r2"),
        ("acc", "multiclass", "accuracy"),
        ("f1", "binary", "f1"),
    ],
)
def test_a_metric_is_known_by_its_usual_names(asked, kind, meant):
    assert resolve_metric(asked, kind) == meant
    assert kind in METRIC_KINDS[asked]  # so reading a table knows it as well


def test_a_metric_by_its_usual_name_tells_the_kind_of_a_numeric_target():
    from autometa import make_task

    X, y = np.arange(300.0)[:, None], np.arange(300) % 30
    assert make_task(X, y=y, metric="log_loss", known_metrics=METRIC_KINDS).kind == "multiclass"
    assert make_task(X, y=y, metric="R2 score", known_metrics=METRIC_KINDS).kind == "regression"
    with pytest.raises(InputError, match="log_lss"):
        make_task(X, y=y, metric="log_lss", known_metrics=METRIC_KINDS)


@pytest.mark.parametrize("name", METRIC_KINDS)
def test_every_name_resolves_for_every_kind_that_it_is_said_to_serve(name):
    for kind in METRIC_KINDS[name]:
        assert kind in {**METRICS, **OWN}[resolve_metric(name, kind)].kinds


def test_an_unknown_metric_is_refused_with_what_was_probably_meant_and_the_known_ones():
    with pytest.raises(InputError, match=r"'rmsee' is unknown.*Did you mean 'rmse'.*neg_median_absolute_error"):
        resolve_metric("rmsee", "regression")


@pytest.mark.parametrize(
    ("name", "kind", "instead"), [("f1", "multiclass", "f1_macro"), ("roc_auc", "multiclass", "roc_auc_ovr")]
)
def test_a_metric_of_another_kind_is_refused_with_one_that_fits(name, kind, instead):
    with pytest.raises(InputError, match=rf"does not fit a {kind} task\. Did you mean {instead!r}"):
        resolve_metric(name, kind)


def test_a_metric_of_regression_does_not_fit_classes():
    with pytest.raises(InputError, match=r"does not fit a binary task\. Known for a binary task: accuracy"):
        resolve_metric("rmse", "binary")


def test_the_refusal_of_a_metric_crosses_a_process_boundary():
    with pytest.raises(InputError) as refused:
        resolve_metric("nonsense", "binary")
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


OTHERS = [
    ("f1_micro", "binary multiclass"), ("jaccard", "binary"), ("jaccard_weighted", "binary multiclass"),
    ("precision_weighted", "binary multiclass"), ("recall_weighted", "binary multiclass"),
    ("roc_auc_ovo_weighted", "multiclass"), ("top_k_accuracy", "multiclass"),
    ("d2_log_loss_score", "binary multiclass"),
    ("d2_absolute_error_score", "regression"), ("neg_mean_poisson_deviance", "regression"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kinds"), OTHERS)
def test_any_scorer_of_scikit_learn_can_be_asked_for_and_is_computed_only_then(name, kinds):
    assert METRIC_KINDS[name] >= set(kinds.split())
    for kind in kinds.split():
        assert resolve_metric(name, kind) == name
        y, prediction, c = example(kind, 0)
        if kind == "regression":
            y, prediction = y + 1, prediction + 1
        expected = get_scorer(name)(Oracle(kind, c), prediction, y)
        assert score(name, y, prediction, c) == pytest.approx(expected)
        assert score_all(kind, y, prediction, c, also=name)[name] == pytest.approx(expected)
        assert name not in score_all(kind, y, prediction, c)


def test_a_scorer_that_a_fold_leaves_undefined_is_nan():
    assert math.isnan(score("roc_auc_ovo_weighted", [0, 1, 1], np.full((3, 3), 1 / 3), 3))
    with pytest.raises(KeyError):
        METRIC_KINDS["oracle"]
