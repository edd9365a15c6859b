"""Promises of `openml`: what comes is whole or does not come, whatever the server and the cache do to it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError
from autometa.openml import OpenML, OpenMLError, is_address, read_task

SERVER = Path(__file__).resolve().parents[2] / "shared" / "openml_server" / "openml_server.py"
pytestmark = pytest.mark.shared("openml_server/openml_server.py")
EVERY_ERROR = ("500", "503", "107", "drop")
N = 90
TASKS = {1001: "binary", 1002: "multiclass", 1003: "regression"}
SPLITS = {  # repeat and fold: 10-fold cross-validation, 5 times 2-fold, one hold-out
    "binary": [(0, fold) for fold in range(10)],
    "multiclass": [(repeat, fold) for repeat in range(5) for fold in range(2)],
    "regression": [(0, 0)],
}


@pytest.fixture(scope="module")
def server_module():
    spec = importlib.util.spec_from_file_location("openml_server", SERVER)
    module = importlib.util.module_from_spec(spec)
    sys.modules["openml_server"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three tables in the server's format, with categories, whole numbers and missing values."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for kind in TASKS.values():
        frame = pd.DataFrame(
            {
                "real": np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N)),
                "whole": rng.integers(0, 9, N),
                "nominal, 'quoted'": pd.Categorical(rng.choice(["a", "b c", "d'e"], N)),
            }
        )
        labels = {"binary": ["no", "yes"], "multiclass": ["x", "y", "z"]}
        frame["target"] = rng.normal(size=N) if kind == "regression" else pd.Categorical(rng.choice(labels[kind], N))
        frame.to_parquet(folder / f"{kind}.parquet")
    catalog = {"name": list(TASKS.values()), "task": list(TASKS.values()), "split": ["cv10", "cv2x5", "holdout33"]}
    pd.DataFrame(catalog).to_csv(folder / "catalog.csv", index=False)
    pd.DataFrame(
        [
            ["binary", flow, measure, value, trees]
            for flow in ("mlr.classif.ranger", "weka.J48")
            for trees in (50, 100, 200)
            for measure, value in (("predictive_accuracy", 0.5 + trees / 1000), ("area_under_roc_curve", 0.7))
        ],
        columns=["dataset", "flow", "function", "value", "param:num.trees"],
    ).to_csv(folder / "evaluations.csv", index=False)
    return folder


@pytest.fixture
def serve(server_module, data, tmp_path_factory):
    """Starts servers, with faults or without."""
    running = []

    def start(**faults):
        server = server_module.OpenMLServer(
            data, data / "catalog.csv", tmp_path_factory.mktemp("state"), evaluations=data / "evaluations.csv",
            faults=server_module.Faults(**faults), request_log=tmp_path_factory.mktemp("log") / "requests",
        )  # fmt: skip
        server.__enter__()
        running.append(server)
        return server

    yield start
    for server in running:
        server.__exit__()


def requests_of(server) -> list[dict]:
    return [json.loads(line) for line in Path(server._log.name).read_text().splitlines()]


def client(server, tmp_path, **options) -> OpenML:
    return OpenML(server=server.api_url, cache=tmp_path / "cache", **options)


def is_as_served(task, data) -> None:
    """The naive check: the served file, cell by cell, and the splits, row by row."""
    kind = TASKS[task.task_id]
    truth = pd.read_parquet(data / f"{kind}.parquet")
    assert list(task.table.frame) == list(truth)
    for name in truth:
        ours, theirs = task.table.frame[name], truth[name]
        if isinstance(theirs.dtype, pd.CategoricalDtype):
            assert name in task.table.categorical
            assert ours.astype(str).tolist() == theirs.astype(str).tolist()
        else:
            np.testing.assert_allclose(ours.to_numpy(float), theirs.to_numpy(float))
    assert (task.kind == "regression") == (kind == "regression")
    assert task.target == "target"
    assert [split[:2] for split in task.splits] == SPLITS[kind]
    tests = [test for *_, test in task.splits]
    if kind != "regression":  # crossed: every row is tested once in each repeat
        repeats = SPLITS[kind][-1][0] + 1
        assert sorted(np.concatenate(tests)) == sorted(list(range(N)) * repeats)
    for _, _, train, test in task.splits:
        assert sorted([*train, *test]) == list(range(N))


# ------------------------------------------------------------------------------------------------- what the server does


def test_a_suite_gives_tasks_with_their_tables_and_splits_and_then_nothing_is_asked_again(serve, data, tmp_path):
    server = serve()
    openml = client(server, tmp_path)
    suite = openml.suite("all")
    assert (suite.id, suite.task_ids) == (1, tuple(TASKS))
    assert len(openml.missing(suite)) == 3
    for number in suite.task_ids:
        is_as_served(openml.task(number), data)
    assert openml.missing(suite) == []
    asked = len(requests_of(server))
    for number in suite.task_ids:
        is_as_served(openml.task(number), data)
    assert len(requests_of(server)) == asked


@pytest.mark.parametrize("mode", ["connection", "silent"])
def test_nothing_wrong_comes_of_a_server_that_fails_cuts_and_dawdles_and_all_of_it_comes(serve, data, tmp_path, mode):
    server = serve(
        seed=5, latency_ms=5, jitter_ms=10, error_rate=0.2, error_kinds=EVERY_ERROR,
        truncate_rate=0.2, truncate_mode=mode,
    )  # fmt: skip
    told: list[str] = []
    openml = client(server, tmp_path, tell=told.append)
    for number in openml.suite("all").task_ids:
        is_as_served(openml.task(number), data)
    assert len(openml.evaluations(suite="all", measure=["predictive_accuracy", "area_under_roc_curve"])) == 6
    faults = {entry["fault"] for entry in requests_of(server)} - {None}
    assert len(faults) >= 4  # or this test has not tried much
    assert any("again" in text for text in told)


def test_where_parquet_never_comes_the_other_copy_gives_the_same_task(serve, data, tmp_path):
    server = serve(paths="/datasets/", error_rate=1.0, error_kinds=("107",))
    for number in TASKS:
        is_as_served(client(server, tmp_path).task(number), data)
    task = read_task_at(server, tmp_path, 1001)
    whole = read_task(data / "binary.parquet", target="target")
    assert task.fingerprint == whole.fingerprint


def read_task_at(server, tmp_path, number, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMETA_OPENML_SERVER", server.api_url)
        patch.setenv("OPENML_CACHE_DIR", str(tmp_path / "cache"))
        return read_task(f"openml:task/{number}", **options)


def measured(server, tmp_path) -> float:
    """Seconds that fetching a task takes on this machine now, with the client loaded, but at least one."""
    client(server, tmp_path).task(1003)
    began = time.monotonic()
    client(server, tmp_path).task(1002)
    return max(1.0, time.monotonic() - began)


def test_a_call_ends_at_its_deadline_whatever_it_hangs_in_and_the_next_one_works(serve, data, tmp_path):
    deadline = round(4 * measured(serve(), tmp_path), 1)
    silent = serve(latency_ms=1000 * 100 * deadline)
    began = time.monotonic()
    with pytest.raises(OpenMLError, match=rf"deadline of {deadline:g} s while: .*task/1001"):
        client(silent, tmp_path, deadline=deadline).task(1001)
    assert time.monotonic() - began < 20 * deadline
    is_as_served(client(serve(), tmp_path).task(1001), data)


FETCH_AT_ONCE = """
import multiprocessing, pickle, sys
from autometa.openml.process import ClientSettings
from autometa.openml.server import answer
from autometa.openml.session import ClientSession
settings = ClientSettings(sys.argv[1], None, sys.argv[2], False)
ClientSession(settings, 600.0, print)  # loads the client once
def fetch(k):
    task = answer(ClientSession(settings, 600.0, lambda text: None), "task", {"task_id": 1001 + k % 2})
    return task.task_id, len(task.splits), int(task.table.frame.notna().to_numpy().sum())
with multiprocessing.get_context("fork").Pool(8) as pool:
    print(pool.map(fetch, range(8), chunksize=1))
"""


def test_eight_processes_on_a_cold_cache_lose_none_and_fetch_each_file_once(serve, data, tmp_path):
    server = serve(latency_ms=20)
    ran = subprocess.run(
        [sys.executable, "-c", FETCH_AT_ONCE, server.api_url, str(tmp_path)], capture_output=True, text=True
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    counts = {
        1001 + k: int(pd.read_parquet(data / f"{TASKS[1001 + k]}.parquet").notna().to_numpy().sum()) for k in (0, 1)
    }
    assert eval(ran.stdout.splitlines()[-1]) == [(1001 + k % 2, 10, counts[1001 + k % 2]) for k in range(8)]
    gets = [entry["path"] for entry in requests_of(server) if entry["method"] == "GET"]
    assert len(gets) == len(set(gets))


# -------------------------------------------------------------------------------------------------- what the cache does

DAMAGES = ["tasks/1001/task.xml", "tasks/1001/datasplits.arff", "tasks/1001/datasplits.pkl.py3",
           "datasets/1/description.xml", "datasets/1/features.xml", "datasets/1/dataset_1.pq",
           "datasets/1/dataset_1.pkl.py3"]  # fmt: skip


def test_what_is_cut_in_the_cache_is_found_out_and_fetched_again_and_offline_it_is_said(serve, data, tmp_path):
    server = serve()
    openml, offline = client(server, tmp_path), client(server, tmp_path, offline=True)
    openml.task(1001)
    (cache,) = {path.parent for path in (tmp_path / "cache").rglob("tasks")}
    for name in DAMAGES:
        path = cache / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        if path.suffix == ".arff":  # as if it had never been read
            path.with_suffix(".pkl.py3").unlink()
        if path.suffix == ".py3":  # only a copy of what was read
            is_as_served(offline.task(1001), data)
        else:
            with pytest.raises(InputError, match="offline, and the cache"):
                offline.task(1001)
        is_as_served(openml.task(1001), data)


def test_offline_asks_nothing_and_says_what_is_missing(serve, data, tmp_path):
    server = serve()
    openml = client(server, tmp_path)
    openml.suite(1)
    openml.task(1001)
    runs = openml.evaluations(task=1001)
    assert (openml.tasks_named("binary"), openml.tasks_named("nobody")) == ((1001,), ())
    server.__exit__()
    offline = client(server, tmp_path, offline=True)
    for name in ("qualities.xml", "whole.autometa"):  # as the client alone leaves a cache
        (path,) = [path for path in tmp_path.rglob(name) if path.parent.name in ("1", "1001")]
        path.unlink()
    is_as_served(offline.task(1001), data)
    assert offline.suite(1).task_ids == tuple(TASKS)
    assert offline.tasks_named("binary") == (1001,)
    assert offline.evaluations(task=1001) == runs
    assert [problem.where for problem in offline.missing(1)] == ["openml:task/1002", "openml:task/1003"]
    for refused in (lambda: offline.task(1002), lambda: offline.suite(2), lambda: offline.evaluations(task=1002)):
        with pytest.raises(InputError, match=r"offline, and the cache .* lacks"):
            refused()


def test_the_users_own_configuration_is_read_and_left_as_it_is(serve, tmp_path, monkeypatch):
    server = serve()
    configuration = tmp_path / "config" / "openml" / "config"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(f"server = {server.api_url}\napikey = theirs\n")
    before = configuration.read_bytes()
    script = "from autometa.openml import OpenML; import sys; print(OpenML(cache=sys.argv[1]).suite(1).name)"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "theirs"))
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "cache")], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "Suite all"
    assert configuration.read_bytes() == before
    assert not (tmp_path / "theirs").exists()


# --------------------------------------------------------------------------------------------------------- what is said


def test_what_is_not_there_is_named(serve, tmp_path):
    openml = client(serve(), tmp_path)
    for ask, what in (
        (lambda: openml.task(7), "openml:task/7: there is no such task"),
        (lambda: openml.table(99), "openml:data/99: there is no such dataset"),
        (lambda: openml.suite("nix"), "openml:suite/nix: there is no such suite"),
    ):
        with pytest.raises(InputError, match=what):
            ask()


def test_a_dataset_in_the_cache_outlives_a_server_that_fails(serve, data, tmp_path):
    server = serve()
    client(server, tmp_path).task(1001)
    (features,) = (tmp_path / "cache").rglob("features.xml")
    features.unlink()
    server.__exit__()
    with pytest.raises(OpenMLError, match="cannot be reached"):
        client(server, tmp_path).task(1001)
    assert list((tmp_path / "cache").rglob("dataset_1.pq"))


def test_a_server_that_is_down_and_one_that_only_fails_are_told_apart(serve, tmp_path, monkeypatch):
    with pytest.raises(OpenMLError, match="cannot be reached: nothing answers there") as down:
        OpenML(server="http://127.0.0.1:9", cache=tmp_path).task(1)
    assert down.value.exit_code == 3
    told: list[str] = []
    deadline = 4 * measured(serve(), tmp_path)
    failing = serve(error_rate=1.0, error_kinds=("500",))
    with pytest.raises(OpenMLError) as failed:
        client(failing, tmp_path, deadline=deadline, tell=told.append).task(1001)
    assert any("HTTP 500; trying again" in text for text in told)
    assert "nothing answers there" not in str(failed.value)


def test_an_address_that_is_not_one_is_refused():
    with pytest.raises(InputError, match="is not an address"):
        OpenML(server="openml")


# ----------------------------------------------------------------------------------------------------- as tables of fit


def test_an_address_is_the_same_task_as_the_file(serve, data, tmp_path):
    server = serve()
    task = read_task_at(server, tmp_path, 1001)
    file = read_task(data / "binary.parquet", target="target")
    assert (task.fingerprint, task.name, task.openml_id) == (file.fingerprint, "binary", 1)
    assert (task.metric, read_task_at(server, tmp_path, 1003).metric) == ("roc_auc", "neg_root_mean_squared_error")
    assert read_task_at(server, tmp_path, 1001, metric="accuracy").metric == "accuracy"
    other = read_task_at(server, tmp_path, 1001, target="real", drop_missing_target=True)
    assert (other.kind, other.target) == ("regression", "real")


@pytest.mark.parametrize("address", ["openml:taks/31", "openml:31", "openml:data/x"])
def test_a_mistyped_address_is_refused_with_what_was_meant(address):
    assert is_address(address)
    with pytest.raises(InputError, match=r"Such as openml:task/31"):
        read_task(address)


# ------------------------------------------------------------------------------------- past evaluations, and publishing


def test_past_evaluations_come_with_their_hyperparameters(serve, tmp_path):
    openml = client(serve(), tmp_path)
    runs = openml.evaluations(task=1001, measure=["predictive_accuracy", "area_under_roc_curve"])
    assert len(runs) == 6
    first = runs[0]
    assert first["values"] == {"predictive_accuracy": 0.55, "area_under_roc_curve": 0.7}
    assert first["setup"] == [
        {"component": "mlr.classif.ranger", "name": "num.trees", "value": "50", "default": None}
    ] or first["setup"][0]["default"] in ("", None)
    assert len(openml.evaluations(suite="all", flow="ranger")) == 3
    assert len(openml.evaluations(task=1001, flow=first["flow_id"], limit=2)) == 2
    assert openml.evaluations(task=1002) == []


def predictions_of(task) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    parts = []
    for repeat, fold, _, test in task.splits:
        p = rng.random(len(test))
        said = np.where(p > 0.5, "yes", "no")
        parts.append(
            pd.DataFrame(
                {"repeat": repeat, "fold": fold, "row": test, "prediction": said, "proba_yes": p, "proba_no": 1 - p}
            )
        )
    return pd.concat(parts)


def test_a_published_run_is_scored_as_it_should_be_and_arrives_once_though_uploads_break_off(serve, tmp_path):
    from sklearn.metrics import accuracy_score, roc_auc_score

    server = serve(seed=2, paths="/(run|flow)/?$", error_rate=0.5, error_kinds=("drop", "503"))
    openml = client(server, tmp_path, key="any")
    task = openml.task(1001)
    predictions = predictions_of(task)
    asked = {
        "task_id": 1001, "flow": "autometa.Test", "version": "autometa==0", "description": "A test.",
        "parameters": {"seconds": 60, "families": None}, "predictions": predictions,
    }  # fmt: skip
    dry = openml.publish(**asked)
    assert (dry.run_id, dry.predictions) == (None, N)
    assert not [entry for entry in requests_of(server) if entry["method"] == "POST"]
    done = openml.publish(**asked, dry=False)
    runs = openml.evaluations(task=1001, flow=done.flow_id, measure=["predictive_accuracy", "area_under_roc_curve"])
    assert [run["run_id"] for run in runs] == [done.run_id]
    ordered = predictions.sort_values("row")
    truth = task.table.frame["target"].astype(str)
    assert runs[0]["values"]["predictive_accuracy"] == pytest.approx(accuracy_score(truth, ordered["prediction"]))
    assert runs[0]["values"]["area_under_roc_curve"] == pytest.approx(
        roc_auc_score(truth == "yes", ordered["proba_yes"])
    )
    assert {part["name"]: part["value"] for part in runs[0]["setup"]} == {"seconds": "60", "families": "null"}


def test_predictions_that_do_not_fit_the_task_are_refused_with_all_that_is_wrong(serve, tmp_path):
    openml = client(serve(), tmp_path)
    predictions = predictions_of(openml.task(1001))
    asked = {"task_id": 1001, "flow": "autometa.Test", "version": "0", "description": "", "parameters": {}}
    wrong = predictions.iloc[1:].assign(prediction="maybe", proba_no=np.nan)
    with pytest.raises(InputError) as refused:
        openml.publish(**asked, predictions=wrong, dry=False)
    assert len(refused.value.problems) == 3
    with pytest.raises(InputError, match="needs a key to publish"):
        openml.publish(**asked, predictions=predictions, dry=False)


# -------------------------------------------------------------------------------------------------------- as experience


def test_a_run_without_the_first_measure_is_brought_and_one_without_any_of_ours_is_counted(
    serve, server_module, data, tmp_path, monkeypatch
):
    from autometa.imports import import_openml
    from autometa.store import MetaStore

    measures = {50: "area_under_roc_curve", 100: "usercpu_time_millis_training", 200: "predictive_accuracy"}
    rows = [["binary", "mlr.classif.ranger", measure, 0.7, trees] for trees, measure in measures.items()]
    table = tmp_path / "evaluations.csv"
    pd.DataFrame(rows, columns=["dataset", "flow", "function", "value", "param:num.trees"]).to_csv(table, index=False)
    whole = server_module.OpenMLServer
    monkeypatch.setattr(server_module, "OpenMLServer", lambda *a, evaluations, **k: whole(*a, evaluations=table, **k))
    store = MetaStore(tmp_path / "store.db")
    brought = import_openml(client(serve(), tmp_path), store, tasks=[1001], limit=3)
    assert (brought.read, brought.new) == (3, 2)
    assert brought.left_out == {("mlr.classif.ranger(1)", "no score in a measure of ours"): 1}
    (record,) = store.tasks()
    assert [sorted(e.scores) for e in store.evaluations(record.fingerprint)] == [["roc_auc"], ["accuracy"]]


def test_fit_and_recommend_ask_the_server_and_the_cache_that_they_are_given(serve, tmp_path, capsys):
    from autometa.cli import main

    server = serve()
    at = ["--server", server.api_url, "--cache", str(tmp_path / "cache")]
    words = ["--trials", "1", "--families", "linear", "--no-remember", "--run", str(tmp_path / "run"), "--json"]
    assert main(["fit", "openml:task/1001", *at, *words]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "binary"
    server.__exit__()
    assert main(["recommend", "openml:task/1001", *at, "--offline", "-n", "1", "--json"]) == 0
    capsys.readouterr()
    assert main(["fit", str(tmp_path / "cache"), *at]) == 2
    said = capsys.readouterr().err
    assert said.count("is not at OpenML") == 2


def test_past_runs_become_evaluations_once_and_the_rest_is_counted_and_named(serve, data, tmp_path):
    from autometa.cli import main
    from autometa.imports import import_openml
    from autometa.store import Exclusion, MetaStore

    server = serve()
    openml = OpenML(server=server.api_url, cache=tmp_path / "cache")
    store = MetaStore(tmp_path / "store.db")
    brought = import_openml(openml, store, suite="all", tasks=[77])
    assert (brought.tasks, brought.read, brought.new) == (1, 6, 3)
    assert brought.left_out == {("weka.J48(1)", "no family of ours is J48"): 3}
    assert list(brought.unreadable) == ["openml:task/77"]
    assert import_openml(openml, store, suite="all", flows=["ranger"]).new == 0
    assert store.verify() == []
    (record,) = store.tasks()
    assert record.fingerprint == read_task(data / "binary.parquet", target="target").fingerprint
    assert (record.openml_id, record.metafeatures is not None) == (1, True)
    best = max(store.evaluations(record.fingerprint), key=lambda e: e.scores["accuracy"])
    assert (best.config["random_forest.n_estimators"], best.scores) == (200, {"accuracy": 0.7, "roc_auc": 0.7})
    assert len(store.past(kind="binary", metric="accuracy")) == 1
    assert len(store.past(kind="binary", metric="accuracy", exclude=Exclusion(openml_ids=frozenset({1})))) == 0

    arguments = ["store", "import", "openml", "--suite", "1", "--flow", "ranger", "--server", server.api_url]
    assert main([*arguments, "--cache", str(tmp_path / "cache"), "--offline", "--store", str(tmp_path / "o.db")]) == 2
    assert main([*arguments, "--cache", str(tmp_path / "cache"), "--store", str(tmp_path / "other.db"), "--json"]) == 0
    assert MetaStore(tmp_path / "other.db").info()["evaluations"] == 3
