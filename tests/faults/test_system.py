"""What the system does to a search: it works, or says in one sentence why not; and a finished model is never lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autometa.errors import RunError
from autometa.evaluation import Isolation
from autometa.search import Settings, load_model, open_run, remember_run, resume, search
from autometa.store import MetaStore

FAMILIES = ("linear", "naive_bayes")


class Notes:
    """Progress that remembers what a person is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def __getattr__(self, name: str):
        return lambda *_, **__: None


def fit(table: Path, run: Path, *more: object, env: dict[str, str] | None = None, **how) -> subprocess.CompletedProcess:
    """`autometa fit` as a process of its own."""
    words = ["fit", table, "--trials", "1", "--families", "linear", "--cold", "--run", run, *more]
    command = [sys.executable, "-c", "import sys; from autometa.cli import main; sys.exit(main())", *map(str, words)]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, **how)


def test_a_memory_that_cannot_be_written_costs_no_model(task, tmp_path):
    """A locked store, one that is no store, and one in a folder that is a file: each a note, and remembered later."""
    (tmp_path / "no.db").write_bytes(b"no store at all" * 500)
    (tmp_path / "file").touch()
    for k, store in enumerate((tmp_path / "no.db", tmp_path / "file" / "store.db")):
        notes, run = Notes(), tmp_path / f"run{k}"
        search(task, Settings(trials=1, families=FAMILIES, cold=True, store=str(store)), run, progress=notes)
        assert any("not remembered" in note and f"autometa remember {run}" in note for note in notes.notes)
        assert len(open_run(run).trials) == 1
        assert load_model(run).members
        assert remember_run(run, store=str(tmp_path / "later.db")) == 1


def test_remembering_again_adds_nothing(run, tmp_path, said):
    code, text = said("remember", run, "--store", tmp_path / "other.db", "--json")
    assert code == 0
    assert '"new_evaluations": 4' in text
    assert '"new_evaluations": 0' in said("remember", run, "--store", tmp_path / "other.db", "--json")[1]
    assert len(MetaStore(tmp_path / "other.db").tasks()) == 1


def test_a_store_that_is_locked_for_good_is_said_to_be(run, tmp_path):
    from autometa.errors import StoreError
    from autometa.store.options import StoreOptions

    store = MetaStore(tmp_path / "locked.db", options=StoreOptions(busy_seconds=0.2))
    remember_run(run, store=str(tmp_path / "locked.db"))
    connection = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreError, match="another process keeps it locked"):
        store.add(store.tasks()[0], [])
    assert time.monotonic() - began < 60
    connection.close()


def test_a_folder_that_a_killed_begin_left_is_taken_again(task, tmp_path, monkeypatch):
    from autometa.search import run as module

    settings = Settings(trials=1, families=FAMILIES, cold=True, remember=False)
    monkeypatch.setattr(module.Run, "write_head", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        search(task, settings, tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(RunError, match="not a run"):
        resume(tmp_path / "run")
    assert len(search(task, settings, tmp_path / "run").trials) == 1


def test_a_home_that_cannot_be_written_is_enough(labelled, tmp_path):
    """Nobody can write there, not even root."""
    env = {"HOME": "/proc/nowhere", "XDG_DATA_HOME": "/proc/nowhere"}
    done = fit(labelled, tmp_path / "run", "--no-remember", env=env)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "result.json").exists()
    assert "No key can be kept" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_forkserver_that_was_stopped_goes_on():
    with Isolation(preload=()) as isolation:
        isolation.call(os.getpid, seconds=120)
        os.kill(isolation._server.pid, signal.SIGSTOP)
        assert isolation.call(os.getpid, seconds=120) > 0


def test_the_end_of_a_session_ends_the_search_with_the_best_so_far(labelled, tmp_path):
    words = ["fit", labelled, "--trials", "100000", "--families", "linear,naive_bayes", "--cold", "--no-remember"]
    command = [sys.executable, "-c", "import sys; from autometa.cli import main; sys.exit(main())", *map(str, words)]
    process = subprocess.Popen(
        [*command, "--run", str(tmp_path / "run")], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    oofs = tmp_path / "run" / "oof"
    while process.poll() is None and (not oofs.exists() or len(list(oofs.glob("[0-9]*.npy"))) < 2):
        time.sleep(0.1)
    for _ in range(2):  # as impatient schedulers do
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    said = process.communicate(timeout=600)
    assert process.returncode == 130, said
    assert open_run(tmp_path / "run").interrupted
    assert load_model(tmp_path / "run").members


def test_the_end_of_a_session_while_the_report_is_written_is_as_ctrl_c(labelled, tmp_path):
    waits = (
        "import sys, time, autometa.report; from autometa.cli import main\n"
        "autometa.report.write = lambda *_, **__: print('writing', flush=True) or time.sleep(3600)\n"
        "sys.exit(main())"
    )
    words = ["fit", labelled, "--trials", "1", "--families", "linear", "--cold", "--no-remember"]
    command = [sys.executable, "-c", waits, *map(str, words), "--run", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=600)
    assert process.returncode == 130
    assert load_model(tmp_path / "run").members
