"""MLflow's autologging against a local store, and Optuna's dashboard on the journal of a run: real ones, both."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa import tracking
from autometa.errors import InputError
from autometa.fitting import fit_table
from autometa.fitting.listeners import LISTENERS, tell_of
from autometa.listening import listen
from autometa.search import Settings, Silent, load_model

SECONDS = 300

LOGGED = """
import sys, json, warnings
warnings.simplefilter("ignore")  # MLflow's own are not ours to mend
import mlflow, numpy as np, pandas as pd
import autometa.tracking
from autometa import AutoMetaClassifier

mlflow.set_tracking_uri(sys.argv[1])
autometa.tracking.autolog()
frame = pd.read_csv(sys.argv[2])
X, y = frame[["a", "b"]], frame["y"]
asked = dict(trials=2, families=["linear"], cold=True, remember=False, verbose=False)
model = AutoMetaClassifier(**asked).fit(X, y)
with mlflow.start_run() as outer:
    AutoMetaClassifier(**asked).fit(X, y)
autometa.tracking.autolog(disable=True)
AutoMetaClassifier(**asked).fit(X, y)
runs = mlflow.search_runs(search_all_experiments=True, order_by=["start_time"])
client = mlflow.MlflowClient()
first = runs.iloc[0]
kept = mlflow.pyfunc.load_model(f"runs:/{first.run_id}/model")
print(json.dumps({
    "runs": len(runs), "outer": bool((runs["run_id"] == outer.info.run_id).any()),
    "params": client.get_run(first.run_id).data.params, "metrics": client.get_run(first.run_id).data.metrics,
    "curve": [one.value for one in client.get_metric_history(first.run_id, "best_so_far")],
    "files": [one.path for one in client.list_artifacts(first.run_id)],
    "same": kept.predict(X[["b", "a"]]).tolist() == model.predict(X).tolist(), "score": model.summary_["score"],
}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(90, 2)), columns=["a", "b"])
    settings = Settings(trials=2, families=("linear",), cold=True, remember=False)
    folder = tmp_path_factory.mktemp("tracked") / "run"
    return fit_table(frame, np.where(frame["a"] > 0, "yes", "no"), settings=settings, run=folder).run


def test_mlflow_has_run_parameters_metrics_report_and_model(tmp_path: Path) -> None:
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("needs the extra mlflow")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(90, 2)), columns=["a", "b"])
    frame["y"] = np.where(frame["a"] + rng.normal(size=90) > 0, "yes", "no")
    frame.to_csv(tmp_path / "table.csv", index=False)
    words = [sys.executable, "-c", LOGGED, f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "table.csv")]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["runs"] == 2  # the third was not logged
    assert told["outer"]  # the active run was used
    assert told["params"]["metric"] == "roc_auc"
    assert told["params"]["best.family"] == "linear"
    assert told["params"]["trials"] == "2"
    assert told["metrics"]["roc_auc"] == pytest.approx(told["score"])
    assert told["metrics"]["roc_auc_low"] < told["metrics"]["roc_auc"] < told["metrics"]["roc_auc_high"]
    assert told["metrics"]["best_pipeline.log_loss"] > 0  # in its own unit
    assert told["curve"] == sorted(told["curve"])
    assert len(told["curve"]) == 2
    assert {"report.html", "model_card.md"} <= set(told["files"])
    assert told["same"]  # the model that MLflow kept answers alike, its columns in any order


def test_who_fails_to_be_told_is_a_note(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autometa.search import open_run

    class Noting(Silent):
        said: list[str] = []  # noqa: RUF012 - of this test

        def note(self, text: str) -> None:
            self.said.append(text)

    def away(result: object) -> None:
        raise ConnectionError("the server is away")

    monkeypatch.setitem(LISTENERS, "mlflow", away)
    tell_of(open_run(run), Noting())
    assert Noting.said == ["mlflow was not told of this run: ConnectionError: the server is away"]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlflow" else there(name))
    with pytest.raises(InputError, match=r"pip install 'autometa-ml\[mlflow\]'"):
        tracking.autolog()
    assert "mlflow" not in LISTENERS


def test_optunas_dashboard_opens_the_journal_of_a_run(run: Path) -> None:
    if importlib.util.find_spec("optuna_dashboard") is None:
        pytest.skip("needs optuna-dashboard")
    before = (run / "journal.log").read_bytes()
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    program = "import sys; from optuna_dashboard._cli import main; sys.exit(main())"
    words = [sys.executable, "-W", "ignore", "-c", program, str(run / "journal.log"), "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            until, told = time.monotonic() + SECONDS, None
            open_ = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
            while told is None:
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                assert time.monotonic() < until
                try:
                    with open_(f"http://127.0.0.1:{port}/api/studies", timeout=SECONDS) as answer:
                        told = json.loads(answer.read())
                except OSError:
                    time.sleep(0.2)
            (study,) = told["study_summaries"]
            with open_(f"http://127.0.0.1:{port}/api/studies/{study['study_id']}", timeout=SECONDS) as answer:
                trials = json.loads(answer.read())["trials"]
        finally:
            process.terminate()
    assert study["study_name"] == "fit"
    assert [trial["state"] for trial in trials] == ["Complete", "Complete"]
    assert (run / "journal.log").read_bytes() == before  # which only looks
    assert load_model(run).kind == "binary"
