"""What an older version wrote still opens: runs, models, stores, checkpoints, pickled estimators, imports.

`tests/fixtures/make.py` says what the files of `tests/fixtures/before` are, and how they were made.
"""

from __future__ import annotations

import importlib
import lzma
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autometa
from autometa.errors import RunError
from autometa.moved import MODULES, NAMES

BEFORE = Path(__file__).parent / "fixtures" / "before"


def unpacked(name: str) -> object:
    return pickle.loads(lzma.decompress((BEFORE / name).read_bytes()))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with tarfile.open(BEFORE / "run.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "run"


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_models_of_every_family_answer_as_they_did(kind):
    task = unpacked(f"task-{kind}.xz")
    found = unpacked("models.xz")
    families = [family for made, family in found if made == kind]
    assert len(families) >= 10
    for family in families:
        content, answers = found[kind, family]
        for model, answer in zip(pickle.loads(content), answers, strict=True):
            np.testing.assert_allclose(
                np.asarray(model.predict(task.X), dtype=float), answer, rtol=1e-5, err_msg=family
            )


def test_a_model_of_a_run_predicts_as_it_did(run):
    table = pd.read_csv(BEFORE / "table.csv")
    model = autometa.load_model(run, trusted=True)
    np.testing.assert_allclose(model.predict_proba(table), np.load(BEFORE / "answers.npy"), rtol=1e-6)


def test_a_run_is_reported_and_goes_on(run, tmp_path):
    from autometa.report import write
    from autometa.search import open_run, resume

    with pytest.raises(RunError, match="older AutoMeta as a pickle"):
        open_run(run)
    result = open_run(run, trusted=True)
    assert len(result.trials) == 6
    assert write(result, tmp_path / "report.html").exists()
    assert len(resume(run, trials=2, trusted=True).trials) == 8
    assert not (run / "task" / "task.pickle").exists()
    assert len(open_run(run).trials) == 8  # it is this version's now, and this user's


def test_a_pickled_estimator_is_one_still():
    learner, X, answers = unpacked("estimator.xz")
    np.testing.assert_allclose(learner.predict_proba(X), answers, rtol=1e-6)
    assert len(learner.leaderboard_) == 6


def test_a_store_is_read_with_its_studies_and_their_surrogate(tmp_path):
    shutil.copy(BEFORE / "store.db", tmp_path)
    store = autometa.MetaStore(tmp_path / "store.db")
    assert [record.name for record in store.tasks(space="fit")] != []
    assert len(store.tasks(space="own")) == 5
    sampler = autometa.WarmStartSampler(store, "own", seed=0)
    assert sampler._surrogate is not None


def test_a_few_shot_checkpoint_is_trained_on(tmp_path):
    from autometa.fewshot import Checkpoint

    shutil.copy(BEFORE / "maml.npz", tmp_path / "checkpoint.npz")
    assert Checkpoint.load(tmp_path / "checkpoint.npz").step == 4


def test_pickled_few_shot_classifiers_answer_and_explain_as_they_did():
    queries, found = unpacked("fewshot.xz")
    assert len(found) == 13
    for name, (content, answers) in found.items():
        model = pickle.loads(content)
        np.testing.assert_allclose(model.predict_proba(queries), answers, rtol=1e-5, err_msg=name)
        assert len(model.explain(queries[:1])) == 1


def test_a_name_of_before_is_found_where_it_is_today():
    for module, homes in MODULES.items():
        importlib.import_module(module)
        for home in homes:
            importlib.import_module(home)
    for name, today in NAMES.items():
        (module, _, old), (home, _, new) = name.rpartition("."), today.rpartition(".")
        assert getattr(importlib.import_module(module), old) is getattr(importlib.import_module(home), new), name


def test_a_name_that_never_was_is_an_attribute_error_and_a_module_that_never_was_an_import_error():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("autometa.oracle")
    for module in MODULES:
        with pytest.raises(AttributeError, match="oracle"):
            importlib.import_module(module).oracle  # noqa: B018


def test_nothing_of_the_package_imports_by_a_name_of_before():
    package = Path(autometa.__file__).parent
    for path in package.rglob("*.py"):
        text = "" if path.name == "moved.py" else path.read_text(encoding="utf-8")
        assert not [m for m in MODULES if f"from {m} import" in text or f"import {m}\n" in text], path
