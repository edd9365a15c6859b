"""The estimators inside scikit-learn's meta-estimators: each works, or refuses in one sentence."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.semi_supervised import SelfTrainingClassifier

from autometa import AutoMetaClassifier, AutoMetaRegressor

PLAIN = {"linear.penalty": "l2", "linear.scale": "standard", "linear.categories": "onehot", "linear.min_frequency": 1}
QUICK = {"trials": 1, "cv": 1, "cold": True, "remember": False, "verbose": False, "families": "linear"}
CLASSIFIER = AutoMetaClassifier(**QUICK, space={**PLAIN, "linear.C": 1.0, "linear.class_weight": [None]})
REGRESSOR = AutoMetaRegressor(**QUICK, space={**PLAIN, "linear.alpha": 1e-3})

FLOWERS, KINDS = (part[::2] for part in load_iris(return_X_y=True))  # 75 rows of three kinds
TWO = KINDS > 0
BOTH = np.column_stack([TWO, KINDS > 1]).astype(int)
LENGTHS, WIDTH = FLOWERS[:, :3], FLOWERS[:, 3]


def around(learner):
    """A logistic or linear regression in the place of the estimators of ours in a meta-estimator."""
    plain = clone(learner)
    for name, value in plain.get_params().items():
        if isinstance(value, (AutoMetaClassifier, AutoMetaRegressor)):
            plain.set_params(**{name: LogisticRegression() if is_classifier(value) else LinearRegression()})
    return plain


def named(meta):
    return type(meta).__name__


CLASSIFIERS = {  # meta-estimator, and what it is fitted to
    "OneVsRest": (OneVsRestClassifier(CLASSIFIER), KINDS),
    "OneVsOne": (OneVsOneClassifier(CLASSIFIER), KINDS),
    "OutputCode": (OutputCodeClassifier(CLASSIFIER, code_size=1.5, random_state=2), KINDS),
    "Bagging": (BaggingClassifier(CLASSIFIER, n_estimators=2, random_state=0), KINDS),
    "AdaBoost": (AdaBoostClassifier(CLASSIFIER, n_estimators=2, random_state=0), KINDS),
    "Stacking": (StackingClassifier([("one", CLASSIFIER)], LogisticRegression(), cv=2), KINDS),
    "Voting": (VotingClassifier([("one", CLASSIFIER), ("other", LogisticRegression())], voting="soft"), KINDS),
    "Calibrated": (CalibratedClassifierCV(CLASSIFIER, cv=2), KINDS),
    "TunedThreshold": (TunedThresholdClassifierCV(CLASSIFIER, cv=2), TWO),
    "FixedThreshold": (FixedThresholdClassifier(CLASSIFIER, threshold=0.3), TWO),
    "SelfTraining": (SelfTrainingClassifier(CLASSIFIER, max_iter=1), np.where(np.arange(75) % 3 == 0, -1, KINDS)),
    "RFE": (RFE(CLASSIFIER, n_features_to_select=3), KINDS),
    "SelectFromModel": (make_pipeline(SelectFromModel(CLASSIFIER), LogisticRegression()), KINDS),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_works_inside(name):
    meta, labels = CLASSIFIERS[name]
    expected, found = (one.fit(FLOWERS, labels).predict(FLOWERS) for one in (around(meta), meta))
    truth = KINDS if name == "SelfTraining" else labels
    assert (found == truth).mean() >= (expected == truth).mean() - 0.05


@pytest.mark.parametrize(
    "meta", [MultiOutputClassifier(CLASSIFIER), ClassifierChain(CLASSIFIER, order=[1, 0])], ids=named
)
def test_a_classifier_answers_several_questions(meta):
    assert (meta.fit(FLOWERS, BOTH).predict(FLOWERS) == BOTH).mean() > 0.9


REGRESSORS = {
    "Bagging": BaggingRegressor(REGRESSOR, n_estimators=2, random_state=0),
    "AdaBoost": AdaBoostRegressor(REGRESSOR, n_estimators=2, random_state=0),
    "Stacking": StackingRegressor([("one", REGRESSOR)], LinearRegression(), cv=2),
    "Voting": VotingRegressor([("one", REGRESSOR), ("other", LinearRegression())]),
    "TransformedTarget": TransformedTargetRegressor(REGRESSOR, func=np.log, inverse_func=np.exp),
    "RFE": RFE(REGRESSOR, n_features_to_select=2),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_works_inside(name):
    expected, found = (
        one.fit(LENGTHS, WIDTH).score(LENGTHS, WIDTH) for one in (around(REGRESSORS[name]), REGRESSORS[name])
    )
    assert found > expected - 0.05


@pytest.mark.parametrize("meta", [MultiOutputRegressor(REGRESSOR), RegressorChain(REGRESSOR)], ids=named)
def test_a_regressor_answers_with_several_numbers(meta):
    assert meta.fit(FLOWERS[:, :2], FLOWERS[:, 2:]).score(FLOWERS[:, :2], FLOWERS[:, 2:]) > 0.5


# Filters of warnings are not those of threads: what Optuna says of its own is heard there now and then.
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("backend", ["loky", "threading", "dask"])
def test_a_grid_is_searched_in_parallel(backend):
    search = GridSearchCV(CLASSIFIER, {"random_state": [0]}, cv=2, refit=False, error_score="raise")
    with ExitStack() as stack:
        if backend == "dask":
            distributed = pytest.importorskip("distributed", reason="dask's distributed is not installed")
            stack.enter_context(distributed.Client(n_workers=1, threads_per_worker=2, dashboard_address=None))
        stack.enter_context(parallel_config(backend, n_jobs=2))
        search.fit(FLOWERS, KINDS)
    assert search.best_score_ > 0.85


def test_without_importances_a_selector_is_told_so():
    model = clone(CLASSIFIER).fit(FLOWERS, KINDS)
    assert model.feature_importances_.shape == (4,)
    assert model.feature_importances_.argmax() == int(model.feature_importance()["column"].iloc[0])
    model.explanation_ = None
    with pytest.raises(AttributeError, match="no importance of columns"):
        _ = model.feature_importances_


def test_sparse_columns_of_an_encoder_are_taken():
    words = np.array(["u", "v", "w"])[KINDS].reshape(-1, 1)
    model = make_pipeline(OneHotEncoder(), CLASSIFIER).fit(words, KINDS)
    assert model.score(words, KINDS) > 0.9
