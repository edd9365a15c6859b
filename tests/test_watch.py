"""A search, followed on a page while it runs: what is seen of it at each moment, who hears it, and a real browser."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import Browser

from autometa.cli import main
from autometa.errors import RunError
from autometa.fitting import fit_table
from autometa.listening import listen
from autometa.search import Run, Settings, Silent
from autometa.search.options import OPTIONS
from autometa.search.sight import sight_of
from autometa.watch import Followed, RunWatcher, watching

SECONDS = 120
HOSTILE = "<script>document.title='owned'</script>"


def a_table() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", HOSTILE])
    return frame, np.where(frame["a"] + rng.normal(size=120) > 0, "<b>yes</b>", "no")


class Looking(Silent):
    """Looks at the run whenever its search says something."""

    def __init__(self, folder: Path) -> None:
        self.watcher = RunWatcher(folder, Followed(Silent()))
        self.seen: list[dict[str, Any]] = []
        self.sights: list[Any] = []

    def stage(self, name: str, detail: str = "") -> None:
        self.seen.append(self.watcher.told(""))

    def trial_started(self, *_: Any) -> None:
        self.seen.append(self.watcher.told(""))
        self.sights.append(sight_of(Run.open(self.watcher.folder)))

    def trial_finished(self, *_: Any) -> None:
        self.stage("")


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looking:
    """A search that was looked at from its beginning to its end."""
    folder = tmp_path_factory.mktemp("watched") / "run"
    looking = Looking(folder)
    looking.stage("reading")  # before there is a folder
    settings = Settings(trials=2, families=("linear", "naive_bayes"), remember=False)
    fit_table(*a_table(), settings=settings, run=folder, progress=looking)
    return looking


@pytest.fixture
def half(looked: Looking, tmp_path: Path) -> Path:
    """A run that was left before it was finished, long ago."""
    folder = tmp_path / "run"
    shutil.copytree(looked.watcher.folder, folder)
    shutil.move(folder / "result.json", tmp_path / "result.json")
    import os

    os.utime(folder / "journal.log", (1e9, 1e9))
    return folder


def asked(address: str, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def state_at(address: str, known: str = "") -> dict[str, Any]:
    status, text = asked(address.replace("/?", "/state?") + f"&known={known}")
    assert status == 200
    return json.loads(text)


# ------------------------------------------------------------------------------------------------------- what is seen


def test_a_search_is_seen_from_its_beginning_to_its_end(looked: Looking) -> None:
    assert looked.seen[0]["state"] == "waiting"
    during = [one for one in looked.seen[1:] if one["state"] == "running"]
    assert [one["done"] for one in during] == sorted(one["done"] for one in during)
    assert {0, 1, 2} <= {one["done"] for one in during}
    assert not any(one["wrong"] for one in looked.seen)
    assert looked.seen[-1]["trials"] == 2
    later = next(one for one in during if one["done"] == 1)
    assert "Being tried" in later["sections"]["now"] or "so far" in later["sections"]["now"]
    assert "<svg" in later["sections"]["search"]
    assert "ROC AUC" in later["sections"]["leaderboard"]
    assert "Proposals" in later["sections"]["memory"]


def test_what_is_being_tried_is_seen_with_where_it_comes_from(looked: Looking) -> None:
    first = looked.sights[0]
    assert [one.number for one in first.running] == [0]
    assert first.running[0].family in ("linear", "naive_bayes")
    assert first.running[0].reason
    assert first.state == "running"
    assert first.elapsed >= 0
    assert len(first.result.trials) == 0


def test_a_finished_run_is_seen_as_its_report_has_it(looked: Looking) -> None:
    told = RunWatcher(looked.watcher.folder).told("")
    assert told["state"] == "finished"
    assert "The search is finished." in told["sections"]["now"]
    assert told["title"]
    assert "similar" in told["sections"]["origins"] or "portfolio" in told["sections"]["origins"]


def test_no_text_of_a_table_becomes_markup(looked: Looking) -> None:
    told = RunWatcher(looked.watcher.folder).told("")
    assert HOSTILE not in json.dumps(told["sections"])
    assert "<b>yes</b>" not in "".join(told["sections"].values())


def test_a_run_that_was_left_says_what_goes_on_with_it(half: Path) -> None:
    told = RunWatcher(half).told("")
    assert told["state"] == "ended"
    assert "autometa resume" in told["sections"]["now"]
    with Run.open(half).locked():
        assert RunWatcher(half).told("")["state"] == "running"
    assert RunWatcher(half).told("")["state"] == "ended"


def test_looking_writes_nothing(half: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sorted(half.rglob("*"))}
    RunWatcher(half).told("")
    assert {path: path.stat().st_mtime_ns for path in sorted(half.rglob("*"))} == before


def test_time_that_was_added_counts(half: Path) -> None:
    run = Run.open(half)
    with run.locked():
        run.grant(run.study(repair=True), 0.0, 5)
    assert sight_of(Run.open(half)).trials == 7


def test_a_journal_that_is_written_to_meanwhile_is_read_again(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, calls = Run.study, []

    def cut(self: Run, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise RunError("it ends after entry 3, and 4 had been written")
        return there(self, *arguments, **options)

    monkeypatch.setattr(Run, "study", cut)
    assert sight_of(Run.open(half)).state == "ended"
    assert len(calls) == 3


def test_what_is_damaged_is_said_on_the_page(half: Path) -> None:
    (half / "journal.log").write_bytes((half / "journal.log").read_bytes()[:-40])
    object.__setattr__(OPTIONS, "looks", 1)
    try:
        assert "is damaged" in RunWatcher(half).told("")["wrong"]
    finally:
        object.__setattr__(OPTIONS, "looks", 6)


# -------------------------------------------------------------------------------------------------------- who hears it


def test_only_who_knows_the_token_hears_it(looked: Looking) -> None:
    with watching(RunWatcher(looked.watcher.folder)) as address:
        assert address.startswith("http://127.0.0.1:")
        assert asked(address)[0] == 200
        base = address.split("?")[0]
        for other in ("", "?token=", "?token=wrong", "state", "state?token=x", "?token=%ff"):
            status, told = asked(base + other)
            assert (status, "token" in told["error"]) == (403, True)
        assert asked(address, Host="evil.example")[0] == 421
        assert asked(address.replace("/?", "/run.json?"))[0] == 404
        assert state_at(address)["sections"]
        assert state_at(address, state_at(address)["version"])["sections"] == {}
    with pytest.raises(urllib.error.URLError):
        asked(address)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["watch", *arguments])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return code, shown.err


def test_what_cannot_be_watched_is_said(looked: Looking, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, err = refused(capsys, str(tmp_path))
    assert code == 3
    assert "is not a run" in err
    with listen("127.0.0.1", 0) as taken:
        code, err = refused(capsys, str(looked.watcher.folder), "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "is in use by another program" in err
    assert refused(capsys, str(looked.watcher.folder), "--port", "x")[0] == 2


def test_a_client_that_sends_rubbish_does_no_harm(looked: Looking) -> None:
    with watching(RunWatcher(looked.watcher.folder)) as address:
        host, port = address.split("/")[2].split(":")
        for rubbish in (b"\x00\xff\r\n\r\n", b"GET /" + b"a" * 70_000 + b"\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=SECONDS) as there:
                there.sendall(rubbish)
                there.shutdown(socket.SHUT_WR)
                there.recv(100)
        assert asked(address)[0] == 200


# ------------------------------------------------------------------------------------------------------------ programs


def test_watch_prints_an_address_and_ends_with_a_signal(looked: Looking) -> None:
    words = [sys.executable, "-m", "autometa", "watch", str(looked.watcher.folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert state_at(address)["state"] == "finished"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert err.splitlines()[-1] == "autometa: ended."


def test_fit_shows_itself_and_waits_until_the_page_has_heard_the_end(tmp_path: Path) -> None:
    frame, y = a_table()
    frame.assign(y=y).to_csv(tmp_path / "table.csv", index=False)
    fit = ["fit", "table.csv", "--trials", "2", "--families", "naive_bayes", "--cold", "--no-remember", "--watch"]
    words = [sys.executable, "-m", "autometa", *fit]
    states: list[str] = []
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = line.split()[-1]
        rest = threading.Thread(target=process.stderr.read)
        rest.start()
        while states[-1:] != ["finished"]:
            told = state_at(address)
            states.append(told["state"])
            time.sleep(0.05)
        rest.join()
        assert process.wait(SECONDS) == 0
    assert states[0] in ("waiting", "running")
    assert "Notes" not in told["sections"]["now"]
    assert "Target" in told["sections"]["notes"]
    assert len(list((tmp_path / "autometa_runs").glob("table_csv-*/report.html"))) == 1


def test_the_page_follows_by_itself(half: Path, tmp_path: Path) -> None:
    with Browser(tmp_path) as browser, watching(RunWatcher(half)) as address:
        page = browser.open(address)
        page.until("document.querySelector('#now-content .warning')?.textContent.includes('autometa resume')")
        assert page.evaluate("document.querySelectorAll('#search-content svg').length") >= 1
        page.evaluate("document.querySelector('#memory-content details').open = true")
        shutil.move(tmp_path / "result.json", half / "result.json")  # somebody finished it
        page.until("document.getElementById('now-content').textContent.includes('The search is finished.')")
        assert page.evaluate("document.querySelector('#memory-content details').open")
        assert page.evaluate("document.title").endswith("run")
        assert page.complaints == []
        assert all(one.startswith(address.split("?")[0]) for one in page.requests)
        assert page.is_whole()
        assert browser.open(address, width=390).is_whole()
