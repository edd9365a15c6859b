"""The estimators: everything scikit-learn asks of one, and what is ours."""

from __future__ import annotations

import pickle
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.errors import InputError, RunError, TableWarning
from autometa.export import trusted_types
from autometa.search import Silent

QUICK = {"trials": 1, "families": ("linear",), "cold": True, "remember": False, "verbose": False}


class Heard(Silent):
    """A progress that prints alike in every process: names of tests hold it."""

    def __repr__(self):
        return "Heard()"


WITH_MEMORY = {**QUICK, "cold": False, "jobs": 2, "progress": Heard(), "cv": 2}  # two folds: they fit a hundred times


SPLITS = "rows of weight 0, or that are there twice, fall into other folds: the models that answer are others"
OTHERWISE = {f"check_sample_weight_equivalence_on_{kind}_data": SPLITS for kind in ("dense", "sparse")}


@parametrize_with_checks(
    [AutoMetaClassifier(**WITH_MEMORY), AutoMetaRegressor(**WITH_MEMORY)],
    expected_failed_checks=lambda estimator: OTHERWISE,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [AutoMetaClassifier(**QUICK), AutoMetaRegressor(**QUICK)])
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_complex_data,
        estimator_checks.check_dtype_object,
        estimator_checks.check_estimators_empty_data_messages,
        estimator_checks.check_supervised_y_no_nan,
        estimator_checks.check_supervised_y_2d,
        estimator_checks.check_n_features_in,
        estimator_checks.check_fit1d,
        estimator_checks.check_fit2d_predict1d,
        estimator_checks.check_requires_y_none,
        estimator_checks.check_n_features_in_after_fitting,
    ],
)
def test_what_they_leave_out_where_the_order_of_columns_is_free(estimator, check):
    """`no_validation` takes these with the one check that is meant: `check_dataframe_column_names_consistency`."""
    validating = type("Validating", (type(estimator),), {"__sklearn_tags__": _validating_tags})
    check(type(estimator).__name__, validating(**QUICK))


def _validating_tags(self):
    tags = super(type(self), self).__sklearn_tags__()
    tags.no_validation = False
    return tags


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    n = 240
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "town": rng.choice(["Ulm", "Bonn", "Köln", None], n, p=[0.4, 0.3, 0.2, 0.1]),
            "since": pd.date_range("2020-01-01", periods=n, freq="D"),
            "<b>'\"{}": rng.normal(size=n),
        }
    )
    frame.loc[::7, "age"] = np.nan
    answer = np.where((frame["age"].fillna(40) > 50) ^ (frame["town"] == "Ulm"), "yes", "no")
    return frame, answer


class TestTables:
    def test_a_raw_table_needs_no_preparation(self, people):
        X, y = people
        model = AutoMetaClassifier(trials=3, families=("lightgbm", "linear"), remember=False, cold=True).fit(X, y)
        assert list(model.feature_names_in_) == list(X.columns)
        assert list(model.classes_) == ["no", "yes"]
        assert model.predict_proba(X).shape == (240, 2)
        assert model.score(X, y) > 0.8

    def test_a_town_that_was_never_seen_is_predicted_for(self, people):
        X, y = people
        model = AutoMetaClassifier(**QUICK).fit(X, y)
        with pytest.warns(TableWarning, match="Atlantis"):
            assert len(model.predict(X.assign(town="Atlantis"))) == 240

    def test_columns_are_found_by_their_names_in_any_order_and_among_others(self, people):
        X, y = people
        X = X.assign(constant=1)
        learner = AutoMetaClassifier(**QUICK).fit(X, y)
        expected = learner.predict_proba(X)
        for other in (X[X.columns[::-1]], X.assign(id=1, answer=y), X.drop(columns="constant")):
            np.testing.assert_array_equal(learner.predict_proba(other), expected)
        assert learner.predict(X[:0]).shape == (0,)
        assert learner.predict_proba(X[:0]).shape == (0, 2)

    def test_what_cannot_be_read_is_warned_of_or_refused(self, people):
        X, y = people
        learner = AutoMetaClassifier(**QUICK).fit(X, y)
        pounds = X.assign(age=[f"{age} lb" for age in X["age"]])
        with pytest.raises(InputError, match=r"'age': 2\d\d of 240 cells"):
            learner.predict(pounds)
        with pytest.warns(TableWarning, match="'age'"):
            assert len(learner.predict(pounds, allow_missing=True)) == 240
        with pytest.warns(TableWarning, match=r"'town': .* categories that training never saw"):
            learner.predict(X.assign(town="Atlantis"))
        with pytest.raises(InputError, match="no column 'age'"):
            learner.predict(X.drop(columns="age"))
        assert len(learner.predict(X.drop(columns="age"), allow_missing=True)) == 240

    def test_columns_can_be_kept_dropped_and_typed(self, people):
        X, y = people
        learner = AutoMetaClassifier(**QUICK, keep="number", drop=["since"], types={"age": "category"}, na=["Ulm"]).fit(
            X.assign(number=np.arange(240)), y
        )
        assert learner.model_.schema.columns.numeric == ("<b>'\"{}", "number")
        assert learner.model_.schema.columns.categorical == ("age", "town")
        assert "Ulm" not in learner.model_.schema.encoders[1].categories

    @pytest.mark.parametrize("labels", [("a ", "b "), ("01", "1"), (2**53, 2**53 + 1), (-1.0, 1.0)])
    def test_labels_come_back_as_they_went_in(self, labels):
        X = np.random.default_rng(0).normal(size=(80, 3))
        y = np.where(X[:, 0] > 0, *labels)
        learner = AutoMetaClassifier(**{**QUICK, "families": "linear"}).fit(X, y)
        assert set(learner.classes_.tolist()) == set(y.tolist())
        assert {type(one) for one in learner.predict(X).tolist()} == {type(one) for one in y.tolist()}
        assert learner.score(X, y) > 0.8

    def test_missing_columns_are_all_named(self, people):
        X, y = people
        model = AutoMetaClassifier(**QUICK).fit(X, y)
        with pytest.raises(ValueError, match="age"):
            model.predict(X.drop(columns=["age", "town"]))

    def test_groups_and_time_can_be_given(self, people):
        X, y = people
        groups = np.repeat(np.arange(24), 10)
        model = AutoMetaClassifier(**QUICK).fit(X, y, groups=groups)
        assert len(model.predict(X)) == 240
        AutoMetaClassifier(**QUICK).fit(X, y, time_order=np.arange(240))
        with pytest.raises(InputError, match="3 entries for 240 rows"):
            AutoMetaClassifier(**QUICK).fit(X, y, groups=[1, 2, 3])


class TestFace:
    def test_it_goes_into_pipelines_and_cross_validation(self):
        X, y = load_wine(return_X_y=True, as_frame=True)
        scaler = StandardScaler().set_output(transform="pandas")
        scores = cross_val_score(make_pipeline(scaler, AutoMetaClassifier(**QUICK)), X, y, cv=2)
        assert scores.min() > 0.85

    def test_what_was_learned_is_there(self):
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        model = AutoMetaRegressor(trials=4, families=("linear", "knn"), remember=False).fit(X, y)
        assert model.best_config_["family"] in ("linear", "knn")
        assert len(model.leaderboard_) == 4 == len(model.study_.trials)
        assert model.leaderboard_["rank"].iloc[0] == 1
        assert "r2" in model.leaderboard_
        assert all("family" in config for config in model.recommendations_)
        assert model.summary_["task"] == "regression"

    def test_a_pickle_and_a_saved_file_answer_the_same(self, tmp_path):
        X, y = load_wine(return_X_y=True)
        model = AutoMetaClassifier(**QUICK).fit(X, y)
        model.save(tmp_path / "wine.model")
        for other in (pickle.loads(pickle.dumps(model)), AutoMetaClassifier.load(tmp_path / "wine.model")):
            np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))

    def test_a_file_that_was_changed_is_refused(self, tmp_path):
        X, y = load_wine(return_X_y=True)
        AutoMetaClassifier(**QUICK).fit(X, y).save(tmp_path / "wine.model")
        content = bytearray((tmp_path / "wine.model").read_bytes())
        content[-10] ^= 1
        (tmp_path / "wine.model").write_bytes(content)
        with pytest.raises(RunError, match="damaged"):
            AutoMetaClassifier.load(tmp_path / "wine.model")

    def test_a_run_folder_is_kept_when_asked_for(self, tmp_path):
        X, y = load_wine(return_X_y=True)
        model = clone(AutoMetaClassifier(**QUICK)).set_params(run=str(tmp_path / "run")).fit(X, y)
        assert (tmp_path / "run" / "model.pkl").exists()
        assert model.run_ == str(tmp_path / "run")

    def test_an_unknown_metric_names_the_known(self):
        X, y = load_wine(return_X_y=True)
        with pytest.raises(InputError, match="Did you mean 'accuracy'"):
            AutoMetaClassifier(metric="acuracy", **QUICK).fit(X, y)


class TestSkops:
    def test_a_fitted_estimator_is_written_and_read_in_a_pipeline_of_others(self, people):
        io = pytest.importorskip("skops.io", reason="skops is not installed")
        X, y = people
        joint = np.column_stack([y, np.where(X["<b>'\"{}"] > 0, "up", "down")])
        both = AutoMetaClassifier(**QUICK).fit(X, joint)
        for learner in (both, both.estimators_[0]):
            content = io.dumps(make_pipeline(FunctionTransformer(), learner))
            again = io.loads(content, trusted=trusted_types(content))
            np.testing.assert_array_equal(again.predict(X), learner.predict(X))
            read = again[-1]
            assert vars(read).keys() == vars(learner).keys()
            assert read.get_params() == learner.get_params()
            assert read.summary_ == learner.summary_
            pd.testing.assert_frame_equal(read.leaderboard_, learner.leaderboard_)
            pd.testing.assert_frame_equal(read.feature_importance(), learner.feature_importance())
            pickled = pickle.loads(pickle.dumps(read))  # what was read is as whole as what was fitted
            np.testing.assert_array_equal(pickled.predict(X), learner.predict(X))
        assert read.study_.trials == learner.study_.trials

    def test_nothing_else_is_trusted(self, tmp_path):
        io = pytest.importorskip("skops.io", reason="skops is not installed")
        learner = AutoMetaRegressor(metric=subprocess.getoutput)
        content = io.dumps(learner)
        assert trusted_types(content) == ["autometa.estimator.AutoMetaRegressor"]
        with pytest.raises(TypeError, match="getoutput"):
            io.loads(content, trusted=trusted_types(content))
        (tmp_path / "no.skops").write_bytes(b"nothing")
        for wrong in (tmp_path / "no.skops", b"nothing"):
            with pytest.raises(RunError, match="no skops file"):
                trusted_types(wrong)
