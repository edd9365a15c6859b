"""Trials on other machines: real schedulers and workers on this one, killed, stopped, and spoken to with wrong keys."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
from dataclasses import replace
from pathlib import Path

import clustered
import numpy as np
import psutil
import pytest

pytest.importorskip("distributed", reason="needs autometa-ml[cluster]")

from autometa import AutoMetaClassifier
from autometa.cli import main
from autometa.cluster import Address, Cluster, connect, write_keys
from autometa.cluster.options import OPTIONS
from autometa.cluster.tables import TableCache, digest_of, packed
from autometa.errors import InputError
from autometa.evaluation import Cancelled
from autometa.search import Settings, open_run, resume, search
from autometa.task import Task, make_task

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own, of sockets that a killed worker leaves open

LONG = 300.0  # seconds that nothing here takes, on any machine


@pytest.fixture(scope="module")
def task() -> Task:
    from sklearn.datasets import load_wine

    X, y = load_wine(return_X_y=True, as_frame=True)
    return make_task(X, y=y, name="wine")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Cluster:
    """Two workers on this machine, which keep tables in a folder of their own."""
    kept = str(tmp_path_factory.mktemp("tables"))
    before = os.environ.get("AUTOMETA_WORKER_CACHE")
    os.environ["AUTOMETA_WORKER_CACHE"] = kept
    try:
        with connect("local:2") as found:
            yield found
    finally:
        os.environ.pop("AUTOMETA_WORKER_CACHE")
        if before is not None:
            os.environ["AUTOMETA_WORKER_CACHE"] = before


@pytest.fixture
def saved(task, tmp_path) -> Path:
    task.save(tmp_path / "task")
    return tmp_path / "task"


def quick(trials: int, **more) -> Settings:
    return Settings(trials=trials, families=("linear", "knn"), cold=True, remember=False, **more)


def wait_for(what, seconds: float = LONG) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)


# ------------------------------------------------------------------------------------------------------------ a search


def test_a_search_is_the_same_on_a_cluster(two, task, tmp_path):
    far = search(task, quick(4), tmp_path / "far", executor=two)
    near = search(task, quick(4), tmp_path / "near")
    assert [t.evaluation.config for t in far.trials] == [t.evaluation.config for t in near.trials]
    assert [t.evaluation.scores for t in far.trials] == [t.evaluation.scores for t in near.trials]
    assert far.members == near.members
    assert far.score == near.score
    assert (tmp_path / "far" / "model.pkl").exists()


def test_a_run_goes_on_without_its_cluster_and_with_one(two, task, tmp_path):
    search(task, quick(2), tmp_path / "run", executor=two)
    assert len(resume(tmp_path / "run", trials=1).trials) == 3
    assert len(resume(tmp_path / "run", trials=1, executor=two).trials) == 4


def test_a_table_is_sent_once_to_each_worker_that_cannot_see_it(two, task, saved, monkeypatch):
    elsewhere = saved.with_name("elsewhere")
    monkeypatch.setattr("autometa.cluster.cluster.TableKey", lambda key, shared: _Unseen(key, shared))
    saved.rename(elsewhere)
    before = two.sent
    for k in range(6):
        assert two.written(clustered.parents, elsewhere, path=Path("unused"), seconds=LONG, threads=1), k
    assert 0 < two.sent - before <= 2 * len(packed(elsewhere))
    again = two.sent
    two.written(clustered.parents, elsewhere, path=Path("unused"), seconds=LONG, threads=1)
    assert two.sent == again


class _Unseen:
    """A table whose folder workers do not see."""

    def __init__(self, key: str, shared: str) -> None:
        self.key, self.shared = key, shared

    def __reduce__(self):
        from autometa.cluster.work import TableKey

        return TableKey, (self.key, "/nowhere")


# ------------------------------------------------------------------------------------------------------------- losses


def worker_of(marker: Path, cluster: Cluster) -> int:
    """The worker under which something hangs."""
    wait_for(marker.exists)
    above = {int(number) for number in marker.read_text().split()}
    return next(number for number in cluster.client.run(os.getpid).values() if number in above)


def test_what_a_killed_worker_was_doing_is_done_once_more_elsewhere(two, saved, tmp_path):
    said, marker = [], tmp_path / "marker"
    two.tell = said.append
    threading.Thread(target=lambda: os.kill(worker_of(marker, two), signal.SIGKILL), daemon=True).start()
    assert (
        two.written(clustered.hang_once, saved, str(marker), path=tmp_path / "x", seconds=LONG, threads=1)
        == b"answered"
    )
    assert said == ["a worker died: what it was doing is tried once more."]


def test_a_worker_that_is_stopped_for_too_long_counts_as_lost(two, saved, tmp_path, monkeypatch):
    two.client.wait_for_workers(2, timeout=LONG)
    said, marker, stopped, later = [], tmp_path / "marker", [], [0.0]
    two.tell = said.append
    clock = types.SimpleNamespace(monotonic=lambda: time.monotonic() + later[0])
    monkeypatch.setattr("autometa.cluster.cluster.time", clock)

    def stop() -> None:
        stopped.append(worker_of(marker, two))
        os.kill(stopped[0], signal.SIGSTOP)
        later[0] = 10 * LONG

    threading.Thread(target=stop, daemon=True).start()
    try:
        found = two.written(clustered.hang_once, saved, str(marker), path=tmp_path / "x", seconds=LONG, threads=1)
        assert found == b"answered"
        assert ["has not answered" in text for text in said] == [True]
    finally:
        for number in stopped:
            os.kill(number, signal.SIGKILL)


def test_who_cancels_ends_what_runs_on_workers(two, saved, tmp_path):
    marker = tmp_path / "marker"

    def cancel() -> None:
        wait_for(marker.exists)
        two.cancel_all()

    threading.Thread(target=cancel, daemon=True).start()
    with pytest.raises(Cancelled):
        two.written(clustered.hang, saved, str(marker), path=tmp_path / "x", seconds=LONG, threads=1)
    assert two.written(clustered.parents, saved, path=tmp_path / "x", seconds=LONG, threads=1)  # and the next is heard


PROGRAM = textwrap.dedent("""
    import sys
    from pathlib import Path
    from sklearn.datasets import load_wine
    from autometa.cluster import connect
    from autometa.search import Settings, Silent, search
    from autometa.task import make_task

    class Loud(Silent):
        def trial_finished(self, trial, incumbent, elapsed):
            print("finished", trial.number, flush=True)

        def note(self, text):
            print("note", text, flush=True)

    if __name__ == "__main__":
        X, y = load_wine(return_X_y=True, as_frame=True)
        address, folder, keys = sys.argv[1], Path(sys.argv[2]), sys.argv[3] or None
        loud = Loud()
        settings = Settings(trials=int(sys.argv[4]), families=("linear", "knn"), cold=True, remember=False, jobs=2)
        with connect(address, tls=keys, tell=loud.note) as workers:
            result = search(make_task(X, y=y, name="wine"), settings, folder, progress=loud, executor=workers)
        print("ended", len(result.trials), flush=True)
""")


def started(*arguments: str, program: bool = False) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM] if program else [sys.executable, "-m", "autometa"]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.long
def test_a_coordinator_that_is_killed_loses_no_finished_trial_and_leaves_no_worker(tmp_path):
    process = started("local:2", str(tmp_path / "run"), "", "1000", program=True)
    finished = set()
    while len(finished) < 3:
        line = process.stdout.readline()
        assert line, "it ended"
        if line.startswith("finished"):
            finished.add(int(line.split()[1]))
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=LONG)
    _, alive = psutil.wait_procs(children, timeout=LONG)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
    from autometa.search import Run

    run = Run.open(tmp_path / "run")
    with run.locked():
        numbers = [row.number for row in run.trials(run.study(repair=True))]
    assert finished <= set(numbers)
    assert len(numbers) == len(set(numbers))


@pytest.mark.long
def test_with_certificates_over_a_scheduler_that_dies_the_search_goes_on_here(tmp_path):
    keys, other = write_keys(tmp_path / "keys"), write_keys(tmp_path / "other")
    head = started("cluster", "head", "--port", "0", "--tls", str(keys))
    nodes = [head]
    try:
        address = head.stdout.readline().split()[1]
        assert address.startswith("tls://127.0.0.1:")
        nodes += [started("worker", address, "--cores", "1", "--tls", str(keys), "--cache", str(tmp_path / "kept"))]
        assert nodes[1].stdout.readline().startswith("worker tls://")
        with pytest.raises(InputError, match="nobody answers"), connect(address, tls=other):
            pass
        with pytest.raises(InputError, match="needs certificates"), connect(address):
            pass
        process = started(address, str(tmp_path / "run"), str(keys), "6", program=True)
        nodes.append(process)
        while not (line := process.stdout.readline()).startswith("finished"):
            assert line, "it ended"
        head.kill()
        rest, _ = process.communicate(timeout=LONG)
        assert "is gone: the search goes on here." in rest
        assert "ended 6" in rest
        result = open_run(tmp_path / "run")
        assert len({trial.number for trial in result.trials}) == 6
        nodes[1].wait(timeout=LONG)  # a worker without a scheduler ends
    finally:
        for node in nodes:
            node.kill()
            node.communicate()


# --------------------------------------------------------------------------------------------------- who may, and what


@pytest.mark.parametrize(
    ("text", "tls", "said"),
    [
        ("head:8786", None, "is no address of a cluster"),
        ("local:0", None, "is no address of a cluster"),
        ("tcp://10.0.0.1:8786", None, "would not be encrypted"),
        ("tcp://0.0.0.0:8786", None, "would not be encrypted"),
        ("tls://head:8786", None, "needs certificates"),
        ("local:2", "keys", "need no certificates"),
        ("tcp://127.0.0.1:8786", "keys", "is not encrypted"),
        ("tls://head:8786", "nowhere", "lacks ca.pem, certificate.pem, key.pem"),
    ],
)
def test_addresses_that_may_not_be_spoken_to_are_refused(tmp_path, text, tls, said):
    write_keys(tmp_path / "keys")
    with pytest.raises(InputError, match=said):
        Address.read(text, None if tls is None else tmp_path / tls)


def test_keys_that_others_can_read_are_refused_and_none_are_overwritten(tmp_path):
    folder = write_keys(tmp_path / "keys")
    assert Address.read("tls://head:8786", folder).tls == folder
    (folder / "key.pem").chmod(0o644)
    with pytest.raises(InputError, match="others on this machine can read key"):
        Address.read("tls://head:8786", folder)
    with pytest.raises(InputError, match="is there already"):
        write_keys(folder)


def test_a_worker_of_another_version_is_refused(two, monkeypatch):
    two.client.wait_for_workers(2, timeout=LONG)
    monkeypatch.setattr("autometa.__version__", "99.0")
    with pytest.raises(InputError) as caught:
        Cluster(two.client)
    assert len(caught.value.problems) == 2
    assert "and this is 99.0" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "TABLE", "--cluster", "tcp://10.1.2.3:8786", "--trials", "0"], ["not be encrypted", "--trials"]),
        (["fit", "TABLE", "--tls", "keys"], ["is for --cluster"]),
        (["fit", "TABLE", "--cluster", "tcp://127.0.0.1:1"], ["nobody answers"]),
        (["worker", "local:2"], ["is no scheduler"]),
        (
            ["worker", "tls://head:1", "--cores", "0", "--max-ram", "2QB"],
            ["--cores", "--max-ram", "needs certificates"],
        ),
        (["cluster", "head", "--host", "0.0.0.0"], ["can be reached from other machines"]),
        (["cluster", "head", "--port", "many", "--tls", "nowhere"], ["--port", "lacks ca.pem"]),
    ],
)
def test_bad_input_is_told_at_once_and_nothing_is_written(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.setattr("autometa.cluster.cluster.OPTIONS", replace(OPTIONS, patience=1.0))
    (tmp_path / "table.csv").write_text("a,b\n" + "1,no\n2,yes\n" * 20)
    monkeypatch.chdir(tmp_path)
    arguments = ["table.csv" if one == "TABLE" else one for one in arguments]
    assert main(arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    for text in said:
        assert text in told
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_the_least_used_table_makes_room(tmp_path):
    sources = []
    for k in range(3):
        folder = tmp_path / f"task{k}"
        folder.mkdir()
        (folder / "a").write_bytes(bytes([k]) * 10_000)
        sources.append((digest_of(folder), packed(folder)))
    tables = TableCache(tmp_path / "kept", most_bytes=35_000, in_use=0.0)
    for key, content in sources[:2]:
        tables.keep(key, content)
        os.utime(tables.folder / key, (1.0, 1.0 + len(list(tables.folder.iterdir()))))
    with tables.using(tables.find(sources[0][0])):
        tables.keep(*sources[2])
    assert tables.find(sources[0][0]) is not None
    assert tables.find(sources[1][0]) is None
    assert tables.find(sources[2][0]) is not None
    with pytest.raises(ValueError, match="not what its key says"):
        tables.keep(sources[1][0], sources[0][1])


def test_the_command_line_searches_on_a_cluster(two, tmp_path, monkeypatch, capsys):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" + "".join(f"{k % 7},{'yes' if k % 7 > 3 else 'no'}\n" for k in range(80)))
    monkeypatch.setattr("autometa.cluster.connect", lambda address, **_: contextlib.nullcontext(two))
    command = ["fit", str(table), "--trials", "1", "--families", "linear", "--cold", "--no-remember", "--json"]
    assert main([*command, "--cluster", "local:2", "--run", str(tmp_path / "run")]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["trials"] == 1
    assert "Cluster: 2 workers with 2 CPUs in all." in said.err


def test_several_targets_are_searched_on_a_cluster_and_go_on_there(two, tmp_path, monkeypatch, capsys):
    table = tmp_path / "table.csv"
    table.write_text("x,a,b\n" + "".join(f"{k % 7},{'yes' if k % 7 > 3 else 'no'},{k % 5}\n" for k in range(80)))
    monkeypatch.setattr("autometa.cluster.connect", lambda address, **_: contextlib.nullcontext(two))
    asked: list[str] = []
    evaluate = Cluster.evaluate

    def counted(self, folder, attempt, **how):
        asked.append(folder.parent.name)
        return evaluate(self, folder, attempt, **how)

    monkeypatch.setattr(Cluster, "evaluate", counted)
    run, spread = str(tmp_path / "run"), ["--cluster", "local:2", "--json"]
    how = ["--trials", "1", "--families", "linear", "--cold", "--no-remember"]
    assert main(["fit", str(table), "--target", "a,b", *how, "--run", run, *spread]) == 0
    said = capsys.readouterr()
    assert set(json.loads(said.out)["targets"]) == {"a", "b"}
    assert "Cluster: 2 workers with 2 CPUs in all." in said.err
    assert asked == ["1-a", "2-b"]
    assert main(["resume", run, "--trials", "1", *spread]) == 0
    assert asked == ["1-a", "2-b"] * 2


def test_an_estimator_of_several_targets_searches_on_its_cluster(two, monkeypatch):
    given: list[object] = []
    monkeypatch.setattr("autometa.cluster.connect", lambda cluster, **_: contextlib.nullcontext(two))
    monkeypatch.setattr(
        "autometa.estimator.search_targets", lambda *_, executor, **how: given.append(executor) or 1 / 0
    )
    learner = AutoMetaClassifier(cluster="local:2", trials=1, families="linear", cold=True, verbose=False)
    with pytest.raises(ZeroDivisionError):
        learner.fit(np.arange(40.0)[:, None], np.array([["a", "b"], ["c", "d"]] * 20))
    assert given == [two]


def test_workers_begin_to_load_while_the_search_is_prepared(two):
    """Before any trial: whoever connects has told them of the search."""

    def loading(dask_worker) -> bool:
        from autometa.cluster import work

        session = work._sessions.get(name)
        return session is not None and session.isolation._server is not None

    name = two._session
    two.warm_up()
    assert all(two.client.run(loading).values())
