"""Promises of `imports`: what enters is what was measured, and what cannot enter is counted and named."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from autometa.cli import main
from autometa.errors import InputError
from autometa.families import build
from autometa.imports import import_table
from autometa.imports.flows import translate
from autometa.imports.rules import Facts, Unmapped
from autometa.imports.translations import TRANSLATIONS
from autometa.imports.values import family_space, read_value
from autometa.store import MetaStore
from autometa.task import make_task, read_task

N, P = 240, 6
SCALED = "sklearn.pipeline.Pipeline(scaler=sklearn.preprocessing.StandardScaler,model={})(3)"


def a_task(kind: str):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) * [1, 5, 0.2, 1, 1, 3] + 2
    signal = X[:, 0] + np.sin(X[:, 1]) + 3 * X[:, 2]
    y = 40 * signal + rng.normal(size=N) if kind == "regression" else (signal + rng.normal(size=N) > signal.mean())
    return make_task(pd.DataFrame(X), y=y if kind == "regression" else np.where(y, "yes", "no"))


def settings_of(model) -> list[dict]:
    """As OpenML has the hyperparameters of a scikit-learn flow."""
    component = f"{type(model).__module__}.{type(model).__name__}"
    return [
        {"component": component, "name": name, "value": json.dumps(value), "default": None}
        for name, value in model.get_params().items()
        if not (isinstance(value, float) and math.isnan(value))
    ]


def learners():
    """Models of other libraries, and how closely ours must follow them (None: to the last digit)."""
    from lightgbm import LGBMClassifier
    from sklearn import ensemble, linear_model, neighbors, svm
    from xgboost import XGBClassifier

    seed = {"random_state": 7}
    forest = {"n_estimators": 31, "min_samples_leaf": 3}
    return [
        (ensemble.RandomForestClassifier(**forest, **seed, max_features=0.4, max_samples=0.7), None),
        (ensemble.RandomForestRegressor(**forest, **seed), None),
        (ensemble.ExtraTreesClassifier(**forest, **seed, class_weight="balanced"), None),
        (ensemble.HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8, early_stopping=False, **seed), None),
        (ensemble.HistGradientBoostingRegressor(max_iter=20, l2_regularization=2.0, max_features=0.5, **seed), None),
        (ensemble.GradientBoostingClassifier(n_estimators=40, max_depth=2, **seed), 0.97),
        (LGBMClassifier(n_estimators=25, num_leaves=7, subsample=0.7, subsample_freq=1, reg_lambda=1.0, **seed), None),
        (LGBMClassifier(n_estimators=25, subsample=0.7, **seed), None),  # it is not told how often to draw rows
        (XGBClassifier(n_estimators=25, max_depth=3, subsample=0.7, colsample_bylevel=1.0, **seed), None),
        (neighbors.KNeighborsClassifier(7, weights="distance", p=1), None),
        (svm.SVC(C=3.0, gamma=0.1), 0.97),
        (svm.SVC(C=3.0, kernel="poly", degree=2, coef0=1.0, gamma="auto"), 0.97),
        (svm.SVR(C=80.0, epsilon=9.0, gamma=0.05), 0.99999),
        (linear_model.LogisticRegression(C=0.05), 0.9999),
        (linear_model.Ridge(alpha=30.0), 0.999999),
        (linear_model.Lasso(alpha=9.0), 0.9999),
        (linear_model.ElasticNet(alpha=2.0, l1_ratio=0.95), 0.9999),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(17))
def test_a_translated_configuration_builds_the_same_model(number):
    from sklearn.base import is_regressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model, alike = learners()[number]
    task = a_task("regression" if is_regressor(model) else "binary")
    name = f"{type(model).__module__}.{type(model).__name__}"
    scaled = name.split(".")[1] in ("svm", "neighbors", "linear_model")
    facts = Facts(task.kind, N, P, P, 0, float(task.y.std()) if task.kind == "regression" else 1.0)
    config = translate(SCALED.format(name) if scaled else name, settings_of(model), facts)
    assert family_space(config["family"], task.kind).contains(config)
    ours = build(config, task.columns, task.kind, n_rows=N, seed=7).fit(task.X, task.y)
    theirs = (make_pipeline(StandardScaler(), model) if scaled else model).fit(task.X.to_numpy(), task.y)

    def answers(fitted, X):
        return fitted.predict_proba(X)[:, 1] if hasattr(fitted, "predict_proba") else fitted.predict(X)

    if type(model).__name__ == "SVC":  # ours has probabilities of its own making
        assert np.mean(ours.predict(task.X) == theirs.predict(task.X.to_numpy())) > alike
    elif alike is None:
        np.testing.assert_allclose(answers(ours, task.X), answers(theirs, task.X.to_numpy()), rtol=1e-6)
    else:
        assert np.corrcoef(answers(ours, task.X), answers(theirs, task.X.to_numpy()))[0, 1] > alike


def mlr(name: str, **values) -> tuple[str, list[dict]]:
    """As OpenML has the hyperparameters of an mlr flow: in R's notation, and only those that were set."""
    flow = f"mlr.classif.{name}"
    return f"{flow}(4)", [
        {"component": flow, "name": parameter.replace("_", ".") if name == "ranger" else parameter,
         "value": {True: "TRUE", False: "FALSE"}.get(value, str(value)), "default": None}
        for parameter, value in values.items()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        (mlr("ranger", num_trees=250, mtry=4, min_node_size=9, sample_fraction=0.6),
         {"n_estimators": 250, "max_features": 0.2, "min_samples_leaf": 4, "bootstrap": True, "max_samples": 0.6}),
        (mlr("xgboost", nrounds=150, eta=0.05, colsample_bytree=0.9, colsample_bylevel=0.8),
         {"n_estimators": 150, "learning_rate": 0.05, "colsample_bytree": 0.9 * 0.8, "reg_lambda": 1.0}),
        (mlr("svm", cost=8, gamma=0.02),
         {"family": "svm", "C": 8.0, "kernel": "rbf", "gamma": 0.02 * 30, "scale": "standard", "categories": "onehot"}),
        (mlr("glmnet", **{"alpha": 0.4, "lambda": 0.01}),
         {"family": "linear", "C": 1 / (900 * 0.01), "penalty": "elasticnet", "l1_ratio": 0.4}),
        (mlr("glmnet", alpha=0, s=0.1), {"penalty": "l2", "C": 1 / 90}),
    ],
)  # fmt: skip
def test_what_an_mlr_learner_was_set_to_is_said_in_our_units(flow, expected):
    config = translate(*flow, Facts("binary", n=900, p=20, width=30, categorical=2))
    found = {name.split(".")[-1]: value for name, value in config.items()}
    assert {name: found[name] for name in expected} == pytest.approx(expected)


FOREST = "sklearn.ensemble.forest.RandomForestClassifier"


def setting(component: str, name: str, value: str) -> list[dict]:
    return [{"component": component, "name": name, "value": value, "default": "0"}]


@pytest.mark.parametrize(
    ("flow", "settings", "why"),
    [
        ("weka.J48(3)", [], "no family of ours is J48"),
        (f"sklearn.model_selection.RandomizedSearchCV(estimator={FOREST})", [], "a search"),
        (f"sklearn.pipeline.Pipeline(p=sklearn.decomposition.PCA,f={FOREST})", [], "our pipelines have no PCA"),
        (f"sklearn.ensemble.VotingClassifier(a={FOREST},b=sklearn.svm.SVC)", [], "several learners"),
        (FOREST, setting(FOREST, "max_depth", "7"), "max_depth=7 has no counterpart"),
        (FOREST, setting(FOREST, "n_estimators", "5"), r"n_estimators is outside \[30, 500\]"),
        (FOREST, setting(FOREST, "n_estimators", '"many"'), "n_estimators is outside"),
        (FOREST, setting(FOREST, "min_samples_leaf", '"few"'), "means nothing here"),
        (FOREST, setting(FOREST, "brand_new", "1"), "parameter brand_new has no counterpart"),
        ("sklearn.svm.classes.SVC", [], "not scaled"),
        (SCALED.format("sklearn.linear_model.Ridge"), [], "Ridge is not made for binary"),
        (*mlr("glmnet", alpha=0.5), "does not say how much it shrinks"),
        (SCALED.format("sklearn.svm.SVC"), setting("sklearn.svm.SVC", "kernel", '"linear"'), "no kernel of ours"),
        (*mlr("ranger", replace=False), "without replacement"),
    ],
)
def test_what_has_no_counterpart_is_left_with_its_reason(flow, settings, why):
    with pytest.raises(Unmapped, match=why):
        translate(flow, settings, Facts("binary", n=900, p=20, width=20, categorical=0))


def test_a_translation_is_a_configuration_of_ours_or_is_refused_whatever_the_settings():
    rng = np.random.default_rng(0)
    texts = [
        "null",
        "true",
        "FALSE",
        "0",
        "1",
        "2.5",
        "-3",
        "1e9",
        '"sqrt"',
        '"l1"',
        "gbtree",
        "[]",
        '{"a": 1}',
        "nan",
        "",
    ]
    translated = 0
    for name, learner in TRANSLATIONS.items():
        names = sorted({*learner.rules, *learner.fixed, "brand_new"})
        component = f"sklearn.x.{name}" if "." not in name else name.replace("mlr.", "mlr.classif.")
        for kind in ("binary", "regression"):
            for trial in range(40):
                chosen = rng.choice(names, 1 + trial % 2, replace=False)
                settings = [part for each in chosen for part in setting(component, str(each), str(rng.choice(texts)))]
                try:
                    config = translate(SCALED.format(component), settings, Facts(kind, 90, 9, 9, 0))
                except Unmapped:
                    continue
                translated += 1
                assert family_space(config["family"], kind).contains(config)
    assert translated > 50


# --------------------------------------------------------------------------------------------------------- from a table


def a_mapping(**changes) -> dict:
    return {
        "task": "dataset",
        "family": "model",
        "seconds": "time",
        "scores": {"auc": "roc_auc", "loss": {"metric": "neg_log_loss", "direction": "minimize"}, "r2": "r2"},
        "families": {"gbm": "lightgbm"},
        "parameters": {"lightgbm": {"lr": "learning_rate", "trees": "n_estimators"}, "knn": {"k": "n_neighbors"}},
        "tasks": {
            "mine": {"data": "mine.csv", "target": "y"},
            "theirs": {"kind": "regression", "rows": 500, "columns": 8},
        },
        **changes,
    }


TABLE = """dataset,model,auc,loss,r2,time,lr,trees,k
mine,gbm,0.91,0.30,,1.5,0.1,200,
mine,gbm,0.93,0.28,,2.5,0.05,400,
mine,knn,0.80,0.51,,0.1,,,7
theirs,knn,,,0.4,0.2,,,9
"""


@pytest.fixture
def folder(tmp_path):
    frame = a_task("binary").X.assign(y=np.arange(N) % 2)
    frame.to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "runs.csv").write_text(TABLE)
    (tmp_path / "map.json").write_text(json.dumps(a_mapping()))
    return tmp_path


def test_a_table_enters_as_it_is_said_to_be_and_once(folder):
    store = MetaStore(folder / "store.db")
    brought = import_table(folder / "runs.csv", folder / "map.json", store)
    assert (brought.tasks, brought.read, brought.new) == (2, 4, 4)
    pd.read_csv(folder / "runs.csv").to_parquet(folder / "runs.parquet")
    assert import_table(folder / "runs.parquet", folder / "map.json", store).new == 0
    assert store.verify() == []
    mine, theirs = store.find("mine"), store.find("theirs")
    assert mine.fingerprint == read_task(folder / "mine.csv", target="y").fingerprint
    assert (mine.metafeatures is None, theirs.metafeatures is None) == (False, True)
    best = max(store.evaluations(mine.fingerprint), key=lambda e: e.scores["roc_auc"])
    assert best.scores == {"roc_auc": 0.93, "neg_log_loss": -0.28}
    assert (best.config["lightgbm.learning_rate"], best.config["lightgbm.n_estimators"]) == (0.05, 400)
    assert best.config == family_space("lightgbm", "binary").complete(best.config)
    assert (best.seconds, best.rows) == (2.5, N)
    assert store.evaluations(theirs.fingerprint)[0].scores == {"r2": 0.4}


def test_toml_says_the_same_as_json(folder):
    (folder / "map.toml").write_text(
        """
        task = "dataset"
        family = "model"
        seconds = "time"
        [scores]
        auc = "roc_auc"
        loss = {metric = "neg_log_loss", direction = "minimize"}
        r2 = "r2"
        [families]
        gbm = "lightgbm"
        [parameters]
        lightgbm = {lr = "learning_rate", trees = "n_estimators"}
        knn = {k = "n_neighbors"}
        [tasks]
        mine = {data = "mine.csv", target = "y"}
        theirs = {kind = "regression", rows = 500, columns = 8}
        """
    )
    store = MetaStore(folder / "store.db")
    assert import_table(folder / "runs.csv", folder / "map.toml", store).new == 4
    assert import_table(folder / "runs.csv", folder / "map.json", store).new == 0


def test_everything_that_is_wrong_with_a_mapping_is_said_at_once_and_nothing_enters(folder):
    wrong = a_mapping(
        task="datset", famly="model", seconds="tim", missing="ignore", families={"gbm": "lightgmb"},
        scores={"auc": {"metric": "roc_auc", "direction": "up"}, "los": "neg_log_loss"},
        parameters={"lightgbm": {"lr": "learningrate"}, "svn": {}},
    )  # fmt: skip
    with pytest.raises(InputError) as refused:
        import_table(folder / "runs.csv", wrong, MetaStore(folder / "store.db"))
    said = str(refused.value)
    for part in ("no column 'datset'. Did you mean 'dataset'?", "famly: is not known. Did you mean 'family'?", "'tim'",
                 "'ignore'", "'lightgmb' is no family of ours. Did you mean 'lightgbm'?", "no column 'los'",
                 "'learningrate'. Did you mean 'learning_rate'?", "svn: is no family of ours. Did you mean 'svm'?",
                 "is no score"):  # fmt: skip
        assert part in said
    assert not (folder / "store.db").exists()


def test_everything_that_is_wrong_with_the_rows_is_said_at_once_with_where_it_is(folder):
    rows = TABLE + "mine,gbm,91,-0.2,,x,7,200.5,\nmine,cart,0.5,,,,,,\nmine,gbm,,,,1,9,200,\nnew,gbm,0.5,,,,,,\n"
    (folder / "runs.csv").write_text(rows)
    store = MetaStore(folder / "store.db")
    with pytest.raises(InputError, match="says nothing of 'new'"):
        import_table(folder / "runs.csv", folder / "map.json", store)
    (folder / "runs.csv").write_text(rows.replace("new,", "theirs,").replace("theirs,gbm,0.5,", "theirs,gbm,,"))
    with pytest.raises(InputError) as refused:
        import_table(folder / "runs.csv", folder / "map.json", store)
    said = str(refused.value)
    for part in ("91 in row 5", "Per cent are divided by 100", "-0.2 in row 5", "x in row 5",
                 "outside [0.005, 0.5]: 7 in row 5, 9 in row 7", "200.5 in row 5", "no family of ours: cart in row 6",
                 "without a score: row 8"):  # fmt: skip
        assert part in said.replace("7.0", "7").replace("9.0", "9").replace("91.0", "91")
    assert not (folder / "store.db").exists()


@pytest.mark.parametrize(
    ("asked", "state", "new", "left"),
    [({"missing": "failed"}, "failed", 5, 0), ({"missing": "skip"}, None, 4, 1)],
)
def test_a_row_without_a_score_is_what_the_mapping_says_it_is(folder, asked, state, new, left):
    (folder / "runs.csv").write_text(TABLE + "mine,gbm,,,,1,0.2,100,\n")
    store = MetaStore(folder / "store.db")
    brought = import_table(folder / "runs.csv", {**a_mapping(), **asked, "tasks": tasks_at(folder)}, store)
    assert (brought.new, sum(brought.left_out.values())) == (new, left)
    states = [e.state for e in store.evaluations(store.find("mine").fingerprint)]
    assert (state in states) == (state is not None)


@pytest.mark.parametrize(("outside", "rates"), [("skip", [0.05, 0.1]), ("nearest", [0.05, 0.1, 0.5])])
def test_a_value_out_of_range_is_left_out_or_brought_in_if_that_is_asked_for(folder, outside, rates):
    (folder / "runs.csv").write_text(TABLE + "mine,gbm,0.5,0.9,,1,3.0,100,\n")
    store = MetaStore(folder / "store.db")
    brought = import_table(folder / "runs.csv", a_mapping(outside=outside, tasks=tasks_at(folder)), store)
    assert sum(brought.left_out.values()) == (outside == "skip")
    found = [e.config for e in store.evaluations(store.find("mine").fingerprint) if e.config["family"] == "lightgbm"]
    assert sorted(config["lightgbm.learning_rate"] for config in found) == rates


def tasks_at(folder) -> dict:
    """What `a_mapping` says of tasks, where no file says what its paths are relative to."""
    return a_mapping()["tasks"] | {"mine": {"data": str(folder / "mine.csv"), "target": "y"}}


def test_the_command_tells_what_came_and_an_export_is_still_imported_by_its_name(folder, capsys):
    store, other = str(folder / "store.db"), str(folder / "other.db")
    table = ["store", "import", "table", str(folder / "runs.csv"), "--mapping", str(folder / "map.json")]
    assert main([*table, "--store", store, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["tasks"], said["new_evaluations"], said["left_out"]) == (2, 4, [])
    assert main(["store", "export", str(folder / "out"), "--store", store]) == 0
    for arguments in ([str(folder / "out"), "--store", other], ["--store", other, str(folder / "out")]):
        assert main(["store", "import", *arguments]) == 0
    assert MetaStore(other).info()["evaluations"] == 4
    assert main(table[:4]) == 2
    assert "--mapping" in capsys.readouterr().err


def test_values_are_read_from_json_and_from_r():
    assert [read_value(text) for text in ("null", "NULL", "TRUE", '"a"', "3", "[1]")] == [None, None, True, "a", 3, [1]]
