"""Promises of the system for TabArena, against TabArena's code as it is.

Its environment is a gigabyte, so what its code expects is recorded in ``fixtures/tabarena.json``, and `TabArena` below
stands in for its base class in the order of its calls. TABARENA_PYTHON names a Python that has both installed: its code
then must agree with the record, and a local task is run by TabArena's own runner.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from autometa.evaluation import METRIC_KINDS
from autometa.search import open_run
from autometa.store import MetaStore, TaskRecord

PLACE = Path(__file__).resolve().parents[1] / "integrations" / "tabarena"
CONTRACT = json.loads((Path(__file__).parent / "fixtures" / "tabarena.json").read_text(encoding="utf-8"))
GIVEN_WAY = {
    *("pac", "amex_metric", "roc_auc_ovr_micro", "symmetric_mean_absolute_percentage_error", "spearmanr", "pearsonr")
}
READ_FROM_ITS_CODE = """
import dataclasses, inspect, json
from autogluon.core.metrics import METRICS
from tabarena.benchmark.exec_models import ExternalSystemModel
from tabarena.benchmark.task.metadata import ValidationMetadata
from tabarena.models._method_metadata import MethodMetadata
from tabarena.systems._system_info import SystemInfo
from tabarena.utils.config_utils import SystemConfigGenerator
from tabarena_autometa import autometa_info
names = lambda function: [name for name in inspect.signature(function).parameters if name != "self"]
print(json.dumps({
    "fit_system": names(ExternalSystemModel._fit_system),
    "off": {name: getattr(ExternalSystemModel, name) for name in %r},
    "validation_metadata": [field.name for field in dataclasses.fields(ValidationMetadata)],
    "system_info": [field.name for field in dataclasses.fields(SystemInfo)],
    "method_metadata": [field.name for field in dataclasses.fields(MethodMetadata)],
    "config_generator": names(SystemConfigGenerator.__init__),
    "metrics": {kind: [name for name in all if all[name].name == name] for kind, all in METRICS.items()},
}))
"""


class ExternalSystemModel:
    """Stands in for the base class: what it sets, and in which order it calls."""

    def __init__(self, problem_type, eval_metric, *, validation_metadata=None, fit_kwargs=None):
        self.problem_type, self.eval_metric = problem_type, SimpleNamespace(name=eval_metric)
        self.validation_metadata = SimpleNamespace(
            **dict.fromkeys(CONTRACT["validation_metadata"]) | (validation_metadata or {})
        )
        self.fit_kwargs = dict.fromkeys(("num_cpus", "num_gpus", "memory_limit", "time_limit")) | (fit_kwargs or {})

    def fit_custom(self, X, y, X_test):
        said = {"target_name": "target", "problem_type": self.problem_type, "eval_metric": self.eval_metric}
        said |= {"validation_metadata": self.validation_metadata, "random_state": 3, **self.fit_kwargs}
        assert {"X", "y", *said} == set(CONTRACT["fit_system"])
        assert self._fit_system(X.copy(), y, **said) is self
        X_test = X_test.iloc[::-1].reset_index(drop=True)  # it shuffles the rows of the test
        answers = (self._predict if self.problem_type == "regression" else self._predict_proba)(X_test)
        assert answers.index.equals(X_test.index)
        return answers.iloc[::-1]


@pytest.fixture(scope="module")
def package():
    """The system, on the stand-in: of metadata and configurations all that TabArena is told is kept."""
    with pytest.MonkeyPatch.context() as patch:
        for name, held, what in (
            ("tabarena.benchmark.exec_models", "ExternalSystemModel", ExternalSystemModel),
            ("tabarena.utils.config_utils", "SystemConfigGenerator", _told("config_generator")),
            ("tabarena.systems._system_info", "SystemInfo", _told("system_info")),
            ("tabarena.models._method_metadata", "MethodMetadata", SimpleNamespace(system=_told("method_metadata"))),
        ):
            parts = name.split(".")
            for k in range(1, len(parts) + 1):
                patch.setitem(sys.modules, ".".join(parts[:k]), ModuleType(".".join(parts[:k])))
            setattr(sys.modules[name], held, what)
        patch.syspath_prepend(PLACE)
        yield importlib.import_module("tabarena_autometa")
        for name in [name for name in sys.modules if name.split(".")[0] == "tabarena_autometa"]:
            del sys.modules[name]


def _told(what):
    def told(**said):
        assert set(said) <= set(CONTRACT[what])
        return SimpleNamespace(**said)

    return told


def people(n: int = 180) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    frame = pd.DataFrame({"x": x, "town": pd.Categorical(rng.choice(["u", "v"], n))})
    return frame.assign(
        when=pd.date_range("2020", periods=n), person=np.arange(n) // 3, target=np.digitize(x, [-0.4, 0.4])
    )


def test_a_split_is_answered_under_the_original_labels_with_groups_and_time_as_the_task_has_them(package, tmp_path):
    frame = people()
    labels = pd.Categorical(frame["target"].map({0: "10", 1: "<a>", 2: "b 2"}))
    X, y = frame.drop(columns="target"), pd.Series(labels, index=frame.index)
    system = package.AutoMetaSystemModel(
        problem_type="multiclass", eval_metric="log_loss", families=["linear"], trials=1, cold=True, path=str(tmp_path),
        validation_metadata={"group_on": ["person"], "time_on": "when"},
        fit_kwargs={"num_cpus": 1, "num_gpus": 0, "memory_limit": 8.0},
    )  # fmt: skip
    answers = system.fit_custom(X[:120], y[:120], X[120:])
    assert sorted(answers.columns) == ["10", "<a>", "b 2"]
    assert answers.sum(axis=1).to_numpy() == pytest.approx(1)
    assert (answers.idxmax(axis=1).to_numpy() == np.asarray(labels)[120:]).mean() > 0.7
    task = open_run(tmp_path / "run").task
    assert task.metric == "neg_log_loss"
    assert "person" not in task.X.columns  # the groups of the test rows are others
    assert len(np.unique(task.groups)) == 40
    assert task.time_order is not None
    system.cleanup()
    assert (tmp_path / "run").is_dir()  # a folder that was named stays


def test_numbers_come_back_as_numbers_and_the_folder_goes(package):
    frame = people()
    X, y = frame[["x", "town"]], frame["x"] * 3 + 1
    system = package.AutoMetaSystemModel(
        problem_type="regression", eval_metric="root_mean_squared_error", families=["linear"], trials=1, cold=True
    )
    answers = system.fit_custom(X[:120], y[:120], X[120:])
    assert np.corrcoef(answers.to_numpy(), y[120:].to_numpy())[0, 1] > 0.95
    assert system._folder.is_dir()
    system.cleanup()
    assert not system._folder.exists()


def test_time_cores_memory_and_seed_are_the_runs(package, tmp_path, monkeypatch):
    monkeypatch.setattr("autometa.search.plan.available_cpus", lambda: 4)
    system = package.AutoMetaSystemModel(problem_type="binary", eval_metric="roc_auc", cold=True)
    asked = {"seconds": 60, "cores": 2, "gpus": 0, "gigabytes": 1.5, "seed": 2**31 + 7}
    settings = system._settings(tmp_path, None, **asked)
    assert (settings.seconds, settings.jobs, settings.max_ram) == (60.0, 2, 3 * 2**29)
    assert (settings.seed, settings.device, settings.cold, settings.remember) == (7, "cpu", True, False)
    free = system._settings(tmp_path, None, **dict.fromkeys(asked))
    assert (free.jobs, free.max_ram, free.seed, free.device) == (None, None, 0, "auto")
    assert list(inspect.signature(system._fit_system).parameters) == CONTRACT["fit_system"]
    assert callable(system.warmup_fn)


def test_every_metric_of_theirs_is_ours_or_gives_way_to_the_usual_one(package, caplog):
    metric = importlib.import_module("tabarena_autometa.system").metric
    kinds = ("binary", "multiclass", "regression")
    ours = {kind: {name: metric(name, kind) for name in CONTRACT["metrics"][kind]} for kind in kinds}
    assert ours["binary"]["roc_auc"] == "roc_auc"
    assert ours["multiclass"]["log_loss"] == ours["binary"]["log_loss"] == "neg_log_loss"
    assert ours["regression"]["root_mean_squared_error"] == "neg_root_mean_squared_error"
    for kind, names in ours.items():
        assert all(kind in METRIC_KINDS[name] for name in names.values())
    given_way = {
        name
        for kind in kinds
        for name in CONTRACT["metrics"][kind]
        if f"no metric {name!r} for a {kind}" in caplog.text
    }
    assert given_way == GIVEN_WAY


class TestMemory:
    def test_no_table_of_their_suites_is_left_in_the_memory(self, package):
        forgetting = importlib.import_module("tabarena_autometa.forgetting")
        records = list(MetaStore.with_shipped("none.db").tasks(space=None))
        exclude = forgetting.forgotten(records, kind="binary", columns=(10_000,))
        gone = {record.name for record in records if exclude.excludes(record)}
        with forgetting.TABLES.open() as text:
            rows = list(csv.DictReader(text))
        assert [row["suite"] for row in rows].count("TabArena-v0.1") == 51
        also = {name for row in rows for name in row["also"].split("|") if name}
        assert also <= gone  # each is in the memory, under that name
        held = {forgetting.plain(record.name) for record in records}
        theirs = {forgetting.plain(row["name"]) for row in rows if row["suite"] == "TabArena-v0.1"}
        assert len(theirs & held) == 13
        assert {"credit-g", "diabetes", "anneal", "wine_quality", "jm1", "coil2000", "pc1"} <= gone  # families, too
        assert len(gone) < len(held) / 4

    def test_what_has_the_shape_or_a_name_that_is_given_is_left_out_with_its_family(self, package):
        forgetting = importlib.import_module("tabarena_autometa.forgetting")
        shape, other, named, kin = (
            TaskRecord(f"{k}" * 32, name, "binary", "roc_auc", 500, columns, 2, family=family)
            for k, (name, columns, family) in enumerate(
                [("a", 7, "mine"), ("b", 8, "mine"), ("My Own", 9, None), ("c", 11, None)]
            )
        )
        exclude = forgetting.forgotten([shape, other, named, kin], kind="binary", columns=(7, 6), names=["my_own"])
        assert [exclude.excludes(one) for one in (shape, other, named, kin)] == [True, True, True, False]


def test_the_registry_is_told_what_it_asks_for(package):
    info = package.autometa_info
    assert info.system_cls is package.AutoMetaSystemModel
    assert info.config_generator.manual_configs == [{}, {"cold": True}]
    assert not info.method_metadata.verified
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


@pytest.mark.skipif("TABARENA_PYTHON" not in os.environ, reason="TABARENA_PYTHON names no Python that has TabArena")
def test_the_record_is_of_its_code_and_a_local_task_runs_under_its_runner():
    python = os.environ["TABARENA_PYTHON"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PLACE), str(PLACE.parents[1])])}
    code = READ_FROM_ITS_CODE % (tuple(CONTRACT["off"]),)
    read = json.loads(subprocess.run([python, "-c", code], env=env, check=True, capture_output=True).stdout)
    assert read == {name: CONTRACT[name] for name in read}
    ran = subprocess.run(
        [python, PLACE / "run_local.py", "--tables", "wine", "--time", "30"],
        env=env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert float(ran.stdout.rsplit("error ")[1].split(",")[0]) < 0.5  # log loss
