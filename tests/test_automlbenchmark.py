"""Promises of the AutoML Benchmark's user directory, against the benchmark's code as it is.

The benchmark is on no package registry, so what its code expects is recorded in ``fixtures/automlbenchmark.json``: the
fields of a constraint, what `result` takes, what a task's config has, and how arrays travel. `CALLEE` stands in for
``frameworks/shared/callee.py`` in the order of its calls. AUTOMLBENCHMARK names a checkout, whose code then is read
instead, and must agree with the record.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from autometa.store import MetaStore, TaskRecord

PLACE = Path(__file__).resolve().parents[1] / "integrations" / "automlbenchmark"
CONTRACT = json.loads((Path(__file__).parent / "fixtures" / "automlbenchmark.json").read_text(encoding="utf-8"))
CALLEE = """
import json, sys
from types import SimpleNamespace
import numpy as np
def result(output_file=None, predictions=None, truth=None, probabilities=None, probabilities_labels=None,
           optional_columns=None, target_is_encoded=False, error_message=None, models_count=None,
           training_duration=None, predict_duration=None, **others):
    return locals()
def namespace(value):
    return SimpleNamespace(**{k: namespace(v) for k, v in value.items()}) if isinstance(value, dict) else value
def call_run(run):
    params = json.loads(sys.stdin.read())
    config = namespace(params["config"])
    config.framework_params = params["config"]["framework_params"]
    params["options"]["serialization"]
    answer = dict(run(namespace(params["dataset"]), config))
    for name in ("predictions", "truth", "probabilities", "optional_columns"):
        array = answer[name]
        if array is not None:
            assert type(array) is np.ndarray, f"{name}: what is no array travels as a file of pandas' version there"
            np.save(f"{config.result_dir}/{name}.npy", array, allow_pickle=True)
            answer[name] = f"{config.result_dir}/{name}.npy"
    with open(config.result_file, "w") as file:
        json.dump(answer, file)
"""


@pytest.fixture(scope="module")
def program():
    """``exec.py`` as a module."""
    spec = importlib.util.spec_from_file_location("automlbenchmark_exec", PLACE / "AutoMeta" / "exec.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config(**changes):
    values = {"name": "t", "type": "classification", "metric": "auc", "max_runtime_seconds": 60, "cores": 2, "fold": 0}
    values |= {"max_mem_size_mb": 8192, "seed": 7, "framework_params": {}, "openml_task_id": None}
    values |= {"output_predictions_file": "predictions.csv"} | changes
    assert set(values) <= set(CONTRACT["config"])
    return values


def test_a_fold_is_answered_in_the_original_labels_with_probabilities_in_their_order(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=150)
    labels = np.array(["b 2", "10", "<a>"])[np.digitize(x, [-0.4, 0.4])]
    frame = pd.DataFrame({"x": x, "word": pd.Categorical(rng.choice(["u", "v"], 150)), "class": pd.Categorical(labels)})
    paths = {"train": frame.iloc[:120], "test": frame.iloc[120:]}
    for side, rows in paths.items():
        rows.reset_index(drop=True).to_parquet(tmp_path / f"{side}.parquet")
    package = tmp_path / "frameworks" / "shared"
    package.mkdir(parents=True)
    (package / "callee.py").write_text(CALLEE)
    parameters = {"families": ["naive_bayes"], "trials": 1, "_of_the_benchmark": True}
    order = config(metric="logloss", framework_params=parameters, result_dir=str(tmp_path), cores=1)
    order["max_runtime_seconds"] = 600  # far more than its one trial takes
    dataset = {side: {"path": str(tmp_path / f"{side}.parquet")} for side in paths}
    dataset |= {"target": {"name": "class"}, "problem_type": "multiclass", "openml_dataset_id": None}
    order["result_file"] = str(tmp_path / "result.json")
    root = str(PLACE.parents[1])
    subprocess.run(
        [sys.executable, PLACE / "AutoMeta" / "exec.py"],
        input=json.dumps({"dataset": dataset, "config": order, "options": {"serialization": None}}).encode(),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), root]),
            "XDG_DATA_HOME": str(tmp_path / "home"),
        },
        check=True,
    )
    answer = json.loads((tmp_path / "result.json").read_text())
    assert set(answer) == {*CONTRACT["result"], "others"}
    predictions, truth, probabilities = (  # of a pickle, numpy 2 writes names that the benchmark's numpy 1.24 lacks
        np.load(answer[name], allow_pickle=False) for name in ("predictions", "truth", "probabilities")
    )
    assert answer["probabilities_labels"] == ["10", "<a>", "b 2"]
    assert truth.tolist() == labels[120:].tolist()
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert predictions.tolist() == [answer["probabilities_labels"][k] for k in probabilities.argmax(axis=1)]
    assert (predictions == truth).mean() > 0.7
    assert (answer["models_count"], answer["target_is_encoded"], answer["output_file"]) == (1, False, "predictions.csv")
    assert answer["training_duration"] > 0
    assert answer["predict_duration"] > 0
    assert not list((tmp_path / "home").rglob("*.db*"))  # nothing is remembered


def test_time_cores_memory_and_seed_are_the_constraints(program, monkeypatch):
    from autometa.store import Exclusion

    search = importlib.import_module("autometa.search.plan")
    monkeypatch.setattr(search, "available_cpus", lambda: 4)

    exclude = Exclusion(frozenset({"f"}))
    settings = program.settings(SimpleNamespace(**config(framework_params={"cold": True})), exclude, "folder")
    assert (settings.seconds, settings.jobs, settings.seed, settings.cold) == (60.0, 2, 7, True)
    assert settings.max_ram == 8192 * 2**20  # of all processes together
    assert settings.exclude is exclude
    monkeypatch.setattr(search, "available_cpus", lambda: 2)  # all of them
    assert program.settings(SimpleNamespace(**config()), exclude, "folder").jobs is None
    assert not settings.remember
    assert program.settings(SimpleNamespace(**config(seed=None, max_mem_size_mb=0)), exclude, ".").max_ram is None
    with pytest.raises(ValueError, match="no parameters nonsense; known: families"):
        program.settings(SimpleNamespace(**config(framework_params={"nonsense": 1})), exclude, ".")


def test_the_benchmarks_metrics_are_ours_where_they_fit_the_kind(program):
    assert program.metric("auc", "binary") == "roc_auc"
    assert program.metric("logloss", "multiclass") == "neg_log_loss"
    assert program.metric("rmse", "regression") == "neg_root_mean_squared_error"
    assert program.metric("auc", "multiclass") == "neg_log_loss"  # it does not fit
    assert program.metric("max_pce", "binary") == "roc_auc"  # not ours
    assert program.metric(None, "regression") == "neg_root_mean_squared_error"


def test_the_memory_forgets_the_whole_table_though_only_a_fold_is_given(program, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=60), "y": ["a", "b"] * 30})
    from autometa.task import make_task

    whole = make_task(table.sample(frac=1, random_state=0).reset_index(drop=True), target="y").fingerprint
    record = {"kind": "binary", "metric": "roc_auc", "n_rows": 60, "n_columns": 1, "n_classes": 2}
    store = MetaStore(tmp_path / "s.db")
    for fingerprint, name, family in ((whole, "n", "own"), ("1" * 32, "o", "own"), ("2" * 32, "p", "other")):
        store.add(TaskRecord(fingerprint, name, **record, family=family), [])
    monkeypatch.setattr(MetaStore, "with_shipped", classmethod(lambda *_: store))
    dataset = SimpleNamespace(target=SimpleNamespace(name="y"), problem_type="binary", openml_dataset_id=5)
    exclude = program.left_out_of_memory(table, dataset, SimpleNamespace(**config(openml_task_id=9)))
    assert [r.name for r in store.tasks() if not exclude.excludes(r)] == ["p"]
    assert exclude.openml_ids == {5, 9}


def test_the_benchmarks_process_hands_over_files_and_needs_nothing_of_ours(monkeypatch):
    handed = {}
    modules = {name: ModuleType(name) for name in ("frameworks", "frameworks.shared", "frameworks.shared.caller")}
    modules["frameworks.shared.caller"].run_in_venv = lambda caller, script, **given: handed.update(
        given, script=script
    )
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    source = (PLACE / "AutoMeta" / "__init__.py").read_text(encoding="utf-8")
    assert "autometa" not in source.replace("AutoMeta", "")
    spec = importlib.util.spec_from_file_location("automlbenchmark_module", PLACE / "AutoMeta" / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    split = SimpleNamespace(data_path=lambda kind: f"it.{kind}")
    target, kind = SimpleNamespace(name="y"), SimpleNamespace(name="binary")
    dataset = SimpleNamespace(train=split, test=split, target=target, type=kind)
    module.run(dataset, None)
    assert handed["script"] == "exec.py"
    assert handed["input_data"]["train"] == {"path": "it.parquet"}
    assert handed["input_data"]["problem_type"] == "binary"


def test_definitions_name_modules_constraints_and_files_that_exist():
    frameworks = yaml.safe_load((PLACE / "frameworks.yaml").read_text(encoding="utf-8"))
    assert (PLACE / frameworks["AutoMeta"]["module"] / "__init__.py").is_file()
    assert frameworks["AutoMeta_cold"]["extends"] == "AutoMeta"
    for constraint in yaml.safe_load((PLACE / "constraints.yaml").read_text(encoding="utf-8")).values():
        assert set(constraint) <= set(CONTRACT["constraint"])  # it is made with TaskConstraint(**constraint)
    tasks = yaml.safe_load((PLACE / "benchmarks" / "autometa_offline.yaml").read_text(encoding="utf-8"))
    assert {task["dataset"]["type"] for task in tasks} == {"binary", "multiclass", "regression"}
    for task in tasks:
        sides = [task["dataset"][side] for side in ("train", "test")]
        assert [len(side) for side in sides] == [task["folds"]] * 2
        train, test = (pd.read_csv(side[0].format(user=PLACE)) for side in sides)
        assert list(train.columns) == list(test.columns)
        assert task["dataset"]["target"] in train.columns
        assert len(train) > 8 * len(test)
    done = subprocess.run(["bash", "-n", str(PLACE / "AutoMeta" / "setup.sh")], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.access(PLACE / "AutoMeta" / "setup.sh", os.X_OK)


def test_what_is_asked_of_a_config_and_given_as_a_result_is_what_there_is():
    tree = ast.parse((PLACE / "AutoMeta" / "exec.py").read_text(encoding="utf-8"))
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    assert {n.attr for n in nodes if n.value.id == "config"} <= set(CONTRACT["config"])
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "result"]
    assert {keyword.arg for call in calls for keyword in call.keywords} <= set(CONTRACT["result"])


def test_numbers_are_handed_over_as_numbers(program, tmp_path, monkeypatch):
    """Whatever type a table keeps them in: an array of objects would be pickled."""
    frame = pd.DataFrame({"x": [0.5, 1.5, 2.5], "y": pd.array([1, 2, 3], dtype="Int64")})
    frame.to_parquet(tmp_path / "rows.parquet")
    callee = ModuleType("frameworks.shared.callee")
    callee.result = lambda **given: given
    for name in ("frameworks", "frameworks.shared"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "frameworks.shared.callee", callee)
    monkeypatch.setattr("autometa.fitting.fit_file", lambda *_, **__: SimpleNamespace(trials=[1, 2]))
    model = SimpleNamespace(predict=lambda rows: np.zeros(len(rows)))
    monkeypatch.setattr("autometa.search.load_model", lambda _: model)
    monkeypatch.setattr(program, "left_out_of_memory", lambda *_: None)
    place = SimpleNamespace(path=tmp_path / "rows.parquet")
    dataset = SimpleNamespace(train=place, test=place, target=SimpleNamespace(name="y"), problem_type="regression")
    answer = program.run(dataset, SimpleNamespace(**config(type="regression", metric="rmse")))
    assert [answer[name].dtype.kind for name in ("predictions", "truth")] == ["f", "f"]
    assert answer["truth"].tolist() == [1, 2, 3]


def test_the_set_up_talks_while_an_installation_is_silent(tmp_path):
    place = tmp_path / "integrations" / "automlbenchmark" / "AutoMeta"
    place.mkdir(parents=True)
    for name in ("setup.sh", "requirements.txt"):
        (place / name).write_bytes((PLACE / "AutoMeta" / name).read_bytes())
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    python = tmp_path / "python"  # it makes an environment of itself, and its pip says nothing until it has been heard
    python.write_text(
        "#!/usr/bin/env bash\n"
        'case "$*" in\n'
        '  *venv*) mkdir -p "${@: -1}/bin" && cp "$0" "${@: -1}/bin/python" ;;\n'
        f"  *requirement*) until grep -q 'still installing' {tmp_path}/said; do sleep 0.02; done ;;\n"
        "  *) echo 3.13 ;;\n"
        "esac\n",
        encoding="utf-8",
    )
    python.chmod(0o755)
    told = {**os.environ, "AUTOMETA_PYTHON": str(python), "AUTOMETA_SETUP_SPEAKS_EVERY": "0.05"}
    with (tmp_path / "said").open("w", encoding="utf-8") as said:
        subprocess.run(["bash", str(place / "setup.sh")], env=told, stdout=said, check=True, timeout=120)
    assert "still installing" in (tmp_path / "said").read_text(encoding="utf-8")
    assert (place / ".setup" / "installed").read_text(encoding="utf-8").strip() == "3.13"
    text = (place / "setup.sh").read_text(encoding="utf-8")
    assert "--quiet" not in text
    assert f'"${{AUTOMETA_SETUP_SPEAKS_EVERY:-{CONTRACT["silence_that_ends_a_command_seconds"] // 10}}}"' in text


@pytest.mark.skipif("AUTOMLBENCHMARK" not in os.environ, reason="AUTOMLBENCHMARK names no checkout of the benchmark")
def test_the_record_is_what_the_benchmarks_code_says():
    root = Path(os.environ["AUTOMLBENCHMARK"])
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((root / "amlb").rglob("*.py"))]
    classes = {n.name: n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
    fields = [n.target.id for n in classes["TaskConstraint"].body if isinstance(n, ast.AnnAssign)]
    assert fields == CONTRACT["constraint"]
    callee = ast.parse((root / "frameworks" / "shared" / "callee.py").read_text(encoding="utf-8"))
    result = next(n for n in callee.body if isinstance(n, ast.FunctionDef) and n.name == "result")
    assert [a.arg for a in result.args.args] == CONTRACT["result"]
