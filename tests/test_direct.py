"""A model answers a row in little time: the steps of its pipelines are gone through directly, shared ones once."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_wine

from autometa import load_model
from autometa.families import available, build, cash_space
from autometa.families.learners import direct
from autometa.families.learners.direct import SharedInputs, alike
from autometa.fitting import fit_table
from autometa.search import Settings
from autometa.task import Task, make_task


def a_table(kind: str, n: int = 80) -> Task:
    """Numbers with gaps, a constant, categories, text and a target that follows from them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).round(2)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame.loc[::9, "b"] = np.nan
    frame["step"] = np.round(x[:, 1])
    frame["colour"] = np.where(x[:, 0] > 0, "red", np.where(x[:, 1] > 0, "blue", "green"))
    frame["note"] = [f"{word} words about number {k} and more" for k, word in enumerate(rng.choice(["good", "bad"], n))]
    score = x[:, 0] + 0.5 * x[:, 1] + 0.3 * rng.normal(size=n)
    y = {"regression": score, "binary": (score > 0).astype(int), "multiclass": np.digitize(score, [-0.5, 0.5])}[kind]
    return make_task(frame, y=y, kind="regression" if kind == "regression" else "classification")


@pytest.fixture(scope="module")
def tables() -> dict[str, Task]:
    return {kind: a_table(kind) for kind in ("binary", "multiclass", "regression")}


def later(task: Task) -> pd.DataFrame:
    """Rows that were not learned from: far away, all missing, a colour that was never seen."""
    raw = pd.DataFrame({"a": [99.0, np.nan, 0.1], "b": [np.nan, np.nan, -50.0], "c": [0.0, np.nan, 1.0]})
    raw = raw.assign(step=[0.0, np.nan, 3.0], colour=["mauve", None, "red"], note=["", None, "good words"])
    return pd.concat([task.X, task.schema.apply(raw)], ignore_index=True).astype(task.X.dtypes.to_dict())


def configurations(kind: str) -> list[dict]:
    """The default of each family, and of the linear one every way of making inputs."""
    found = [cash_space(kind, [name]).default for name in available(kind)]
    linear = cash_space(kind, ["linear"]).default
    for scale in ("standard", "quantile", "robust"):
        found += [linear | {"linear.scale": scale, "linear.categories": way} for way in ("onehot", "target")]
    return found


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_what_a_pipeline_answers_directly_is_to_the_bit_what_it_answers(kind, tables):
    task = tables[kind]
    X, method = later(task), "predict" if kind == "regression" else "predict_proba"
    small = {"mlp.max_epochs": 2, "catboost.iterations": 5, "catboost.n_estimators": 5}
    for config in configurations(kind):
        config = {name: small.get(name, value) for name, value in config.items()}
        model = build(config, task.columns, task.kind, n_rows=task.n, seed=0).fit(task.X, np.asarray(task.y))
        np.testing.assert_array_equal(
            SharedInputs(X).ask(model, method), getattr(model, method)(X), err_msg=str(config)
        )


def test_a_row_alone_is_answered_as_among_others(tables):
    task = tables["binary"]
    for name in ("linear", "lightgbm", "random_forest"):
        model = build(cash_space("binary", [name]).default, task.columns, "binary", n_rows=task.n, seed=0, threads=2)
        model.fit(task.X, np.asarray(task.y))
        alone = [SharedInputs(task.X.iloc[[i]]).ask(model, "predict_proba")[0] for i in range(5)]
        np.testing.assert_allclose(alone, SharedInputs(task.X).ask(model, "predict_proba")[:5], rtol=1e-12)


def test_preprocessing_that_is_the_same_is_done_once(tables, monkeypatch):
    task = tables["binary"]
    configs = [cash_space("binary", ["lightgbm"]).default | {"lightgbm.num_leaves": leaves} for leaves in (4, 8, 16)]
    models = [build(c, task.columns, "binary", n_rows=task.n, seed=0).fit(task.X, np.asarray(task.y)) for c in configs]
    models = [pickle.loads(pickle.dumps(model)) for model in models]  # as they come out of a file
    expected = [model.predict_proba(task.X) for model in models]
    alike(models)
    done: list[BaseEstimator] = []
    real = direct.transformed
    monkeypatch.setattr(direct, "transformed", lambda step, X: (done.append(step), real(step, X))[1])
    shared = SharedInputs(task.X)
    for model, said in zip(models, expected, strict=True):
        np.testing.assert_array_equal(shared.ask(model, "predict_proba"), said)
    assert len(done) == 3  # categories, numbers and text of the first; the other two find them


def test_a_table_with_its_columns_in_another_order_is_left_to_the_pipeline(tables):
    task = tables["binary"]
    model = build(cash_space("binary", ["linear"]).default, task.columns, "binary", n_rows=task.n, seed=0)
    model.fit(task.X, np.asarray(task.y))
    turned = task.X[task.X.columns[::-1]]
    np.testing.assert_array_equal(SharedInputs(turned).ask(model, "predict_proba"), model.predict_proba(task.X))


@pytest.fixture(scope="module")
def a_run(tmp_path_factory) -> Path:
    X, y = load_wine(return_X_y=True, as_frame=True)
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    return fit_table(X, y.to_numpy(), settings=settings, run=tmp_path_factory.mktemp("direct") / "run").run


def test_a_compact_model_is_its_refitted_members_alone(a_run, tmp_path):
    X, _ = load_wine(return_X_y=True, as_frame=True)
    model = load_model(a_run)
    small = model.compact()
    (member,) = model.members
    (whole,), *_ = member.models
    refitted = member.calibration.apply(whole.predict_proba(model.schema.apply(X)))
    np.testing.assert_allclose(small.predict_proba(X), refitted, rtol=1e-9)
    assert len(member.models) == 2
    assert [len(models) for models in small.members[0].models] == [1]
    small.save(tmp_path / "small.pkl")
    model.save(tmp_path / "whole.pkl")
    assert (tmp_path / "small.pkl").stat().st_size < (tmp_path / "whole.pkl").stat().st_size / 3
    again = load_model(tmp_path / "small.pkl")
    np.testing.assert_array_equal(again.predict_proba(X), small.predict_proba(X))
    np.testing.assert_array_equal(again.compact().predict_proba(X), small.predict_proba(X))


def test_loading_a_model_imports_only_what_its_members_need(a_run):
    code = (
        "import json, sys; from autometa import load_model; model = load_model(sys.argv[1]); loaded = set(sys.modules);"
        "import pandas; model.predict(pandas.DataFrame([dict.fromkeys(model.schema.raw, 1.0)]));"
        "tops = lambda names: sorted({name.split('.')[0] for name in names});"
        "print(json.dumps([tops(loaded), tops(sys.modules)]))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(a_run)], capture_output=True, text=True, check=True)
    loaded, asked = map(set, json.loads(ran.stdout))
    search = {"lightgbm", "catboost", "xgboost", "torch", "sqlalchemy", "openml", "rich", "alembic", "filelock"}
    assert loaded & (search | {"sklearn", "optuna", "psutil"}) == set()
    assert asked & (search - {"rich"}) == set()  # scikit-learn looks for that one itself
