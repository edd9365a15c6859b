"""What the system does to a search: it works, or says in one sentence why not; and a finished model is never lost."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autometa.errors import AutoMetaError, RunError
from autometa.evaluation import Isolation
from autometa.search import Run, Settings, load_model, open_run, remember_run, resume, search
from autometa.store import MetaStore

from .conftest import begun_at_once

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
    for name in ("SIGHUP", "SIGTERM"):  # as a session that closes, and impatient schedulers do
        process.send_signal(getattr(signal, name))
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


# ------------------------------------------------------------------------------------------------------ bare systems


def command(*words: object) -> list[str]:
    """`autometa` as a process of its own."""
    return [sys.executable, "-c", "import sys; from autometa.cli import main; sys.exit(main())", *map(str, words)]


def test_a_search_needs_no_home_no_locale_few_files_and_nobody_who_reads(labelled, tmp_path):
    """No variable of the environment but where programs are, 64 open files, and all three streams closed."""
    words = ["fit", labelled, "--trials", "2", "--families", "linear,naive_bayes", "--cold", "--no-remember"]
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    env |= {"LC_ALL": "C", "TMPDIR": "/proc/nowhere", "HOME": "/proc/nowhere"}

    def bare() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        for number in range(3):
            os.close(number)

    line = command(*words, "--run", tmp_path / "run")
    done = subprocess.Popen(line, env=env, cwd=tmp_path, preexec_fn=bare)
    assert done.wait(timeout=900) == 0
    assert len(open_run(tmp_path / "run").trials) == 2
    assert load_model(tmp_path / "run", trusted=True).members


def predicted(run: Path, table: Path, **how) -> tuple[int, str]:
    done = subprocess.run(command("predict", run, table), stderr=subprocess.PIPE, text=True, timeout=600, **how)
    return done.returncode, done.stderr


def test_answers_that_nobody_reads_are_no_error_of_ours(run, table):
    """`| head -1`, a full disk and `>&-`."""
    read, write = os.pipe()
    os.close(read)
    assert predicted(run, table, stdout=write) == (141, "")
    os.close(write)
    code, said = predicted(run, table, preexec_fn=lambda: os.close(1))
    assert (code, said) == (2, "autometa: standard output: is closed. Name a file with --out.\n")
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            code, said = predicted(run, table, stdout=full)
        assert code == 3
        assert said.count("\n") == 1
        assert "No space left" in said


def test_a_trial_needs_no_folder_for_temporary_files(monkeypatch):
    if not hasattr(os, "memfd_create"):
        pytest.skip("needs files in memory")

    def no_folder():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryFile", no_folder)
    with Isolation(preload=()) as isolation:
        assert isolation.call(os.getpid, seconds=120) != os.getpid()


def test_a_clock_that_jumps_changes_nothing(task, tmp_path, monkeypatch):
    """Years forward and back at every look: budgets and deadlines are monotonic."""
    looks, now = [0], time.time()

    def jumping() -> float:
        looks[0] += 1
        return now + (1 if looks[0] % 2 else -1) * 1e8

    monkeypatch.setattr(time, "time", jumping)
    settings = Settings(trials=3, seconds=3000.0, families=FAMILIES, cold=True, remember=False)
    result = search(task, settings, tmp_path / "run")
    assert [row.evaluation.state for row in result.trials] == ["complete"] * 3
    assert not result.interrupted
    assert 0 <= result.summary()["seconds"] < 3000
    assert len(resume(tmp_path / "run", trials=1).trials) == 4


# ----------------------------------------------------------------------------------------------------------- no space


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system in memory that is made as large as is asked; needs the rights to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def sized(kilobytes: int) -> Path:
        how = f"{'remount,' if os.path.ismount(folder) else ''}size={kilobytes}k"
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", how, "none", str(folder)], capture_output=True)
        if made.returncode:
            pytest.skip("needs the rights to mount a file system")
        return folder

    try:
        if sys.platform != "linux" or shutil.which("mount") is None:
            pytest.skip("needs mount")
        yield sized
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)


@pytest.mark.long
def test_a_disk_that_is_full_at_any_page_costs_nothing_that_was_finished(task, small_disk):
    """The last state that was kept goes on once there is space, and ends in a model."""
    settings = Settings(trials=2, families=FAMILIES, cold=True, remember=False)
    folder = small_disk(64_000)
    search(task, settings, folder / "whole")
    needed = sum(-(-path.stat().st_size // 4096) * 4 for path in (folder / "whole").rglob("*") if path.is_file())
    shutil.rmtree(folder / "whole")
    step = 4 if os.environ.get("AUTOMETA_FAULTS") else needed // 3
    for k, kilobytes in enumerate(range(8, needed + 8, step)):
        run = small_disk(kilobytes) / f"run{k}"
        kept = 0
        with contextlib.suppress(AutoMetaError, OSError):  # the command line makes a sentence of either
            search(task, settings, run)
        small_disk(64_000)
        if (run / "run.json").exists():
            opened = Run.open(run)
            kept = len([row for row in opened.trials(opened.study()) if row.evaluation.state == "complete"])
            result = resume(run)
        else:  # nothing had begun
            result = search(task, settings, run)
        complete = [row for row in result.trials if row.evaluation.state == "complete"]
        assert len(complete) >= max(kept, 1)
        assert load_model(run).members
        assert not [path for path in run.rglob(".*") if path.is_file()]
        shutil.rmtree(run)


# ------------------------------------------------------------------------------------------------------------ writers


WRITER = """
import sys
from dataclasses import replace
from autometa.store import MetaStore
url, source, who = sys.argv[1:]
store, given = MetaStore(url), MetaStore(source)
task = given.tasks()[0]
evaluation = given.evaluations(task.fingerprint)[0]
print("ready", flush=True)
sys.stdin.readline()
for i in range(100):
    store.add(task, [replace(evaluation, seed=100 * int(who) + i)])
print("done", flush=True)
"""


@pytest.mark.long
def test_of_800_writes_of_eight_processes_none_is_refused(store, tmp_path):
    for process in begun_at_once([[WRITER, tmp_path / "many.db", store, who] for who in range(8)]):
        said, complained = process.communicate(timeout=900)
        assert (process.returncode, said, complained) == (0, "done\n", "")
    many = MetaStore(tmp_path / "many.db")
    assert many.verify() == []
    seeds = {evaluation.seed for evaluation in many.evaluations(many.tasks()[0].fingerprint)}
    assert seeds == set(range(800))
