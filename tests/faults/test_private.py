"""What is private stays so: files are their owner's alone, and a password is in none of them, nor in anything said."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autometa.errors import AutoMetaError
from autometa.passwords import masked, without_password
from autometa.search import Run, Settings, search
from autometa.store import MetaStore
from autometa.store.address import locate

SECRET = "S3cr3t"
SHARED = Path(__file__).resolve().parents[3] / "shared"
LINES = [  # of ../shared/cases/faults/password, and others of their kind
    "store info --store postgresql://am:S3cr3tWrong@127.0.0.1:1/am",
    "store info --store postgresql://nobody:S3cr3tWrong@127.0.0.1:1/nodb",
    "store info --store postgresql://am:S3cr3t%20Wr@127.0.0.1:1/nodb",
    "store info --store postgresql://am:S3cr3t@x:99999/am",
    "store info --store postgresql://am:S3cr3t/with@signs:in@127.0.0.1:1/am",
    "store info --store postgresql://am:S3cr3t@127.0.0.1:port/am",
    "store info --store mysql://am:S3cr3tWrong@127.0.0.1/am",
    "store info --store postgresql://127.0.0.1:1/am?user=am&password=S3cr3tWrong&connect_timeout=2",
    "store info --store postgresql:/am:S3cr3tWrong@127.0.0.1/am",
    "store info --store postgres:am:S3cr3tWrong@127.0.0.1/am",
    "store info --stor postgresql://am:S3cr3tWrong@127.0.0.1:1/am",
    "store info postgresql://am:S3cr3tWrong@127.0.0.1:1/am",
    "store merge postgresql://am:S3cr3tWrong@127.0.0.1:1/am --store x.db",
    "store import study postgresql://am:S3cr3tWrong@127.0.0.1:1/am --space s --store x.db",
    "store import study postgresql:/am:S3cr3tWrong@127.0.0.1/am --space s --store x.db",
    "store import study mysql://am:S3cr3tWrong@127.0.0.1/am --space s --store x.db",
    "doctor --store postgresql://am:S3cr3tPw0rd@127.0.0.1:1/am",
    "verify postgresql://am:S3cr3tPw0rd@127.0.0.1:1/am",
]


def of_others(folder: Path) -> list[str]:
    """What anybody but the owner can do something with."""
    return [
        str(path.relative_to(folder))
        for path in [folder, *folder.rglob("*")]
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


@pytest.fixture
def no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_whatever_the_umask_a_run_a_store_and_a_key_are_their_owners_alone(task, tmp_path, no_umask, monkeypatch, said):
    from autometa.evaluation import Isolation, Local

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    settings = Settings(trials=2, families=("linear", "knn"), store=str(tmp_path / "stores" / "store.db"))
    with Isolation() as isolation:  # its own, whose processes inherit the umask of now
        search(task, settings, tmp_path / "runs" / "run", executor=Local(isolation))
    assert said("report", tmp_path / "runs" / "run")[0] == 0
    assert said("key", "export", tmp_path / "home" / "exported")[0] == 0
    for name in ("runs", "stores", "home"):
        assert of_others(tmp_path / name) == []


def test_a_file_that_was_opened_to_others_stays_so(tmp_path):
    from autometa.files import replace

    replace(tmp_path / "report.html", "one")
    (tmp_path / "report.html").chmod(0o644)
    replace(tmp_path / "report.html", "two")
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o644


# --------------------------------------------------------------------------------------------------------- passwords


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_no_message_holds_a_password(line, as_json, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = said(*line.split(), *["--json"] * as_json)
    assert code in (2, 3)
    assert text
    assert SECRET not in text


@pytest.mark.shared("cases/faults/password/lines.txt")
def test_none_of_the_lines_that_once_told_it_does(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in (SHARED / "cases/faults/password/lines.txt").read_text().splitlines():
        words = [word.strip('"') for word in line.split()]
        assert SECRET not in said(*words)[1], line


@pytest.mark.parametrize("line", [line for line in LINES if SECRET in line.partition(" --store ")[2]])
def test_no_traceback_holds_a_password(line):
    import traceback

    url = line.split(" --store ")[1]
    with pytest.raises(AutoMetaError) as caught:
        MetaStore(url).tasks()
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in str(caught.value)


def test_a_run_keeps_the_url_of_its_store_without_the_password(task, tmp_path):
    from autometa.evaluation import plan_splits

    url = f"postgresql://am:{SECRET}@127.0.0.1:1/am?password={SECRET}&sslmode=disable"
    settings = Settings(trials=1, store=url, cold=True)
    Run.create(tmp_path / "run", task, settings, plan_splits(task, seed=0))
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert Run.open(tmp_path / "run").settings.store == "postgresql://am@127.0.0.1:1/am?sslmode=disable"
    assert SECRET not in repr(settings)


def test_a_report_shows_no_password(run):
    from dataclasses import replace

    from autometa.report import write
    from autometa.search import open_run

    result = open_run(run)
    url = f"postgresql://am:{SECRET}@127.0.0.1/am"
    write(replace(result, settings=replace(result.settings, store=url)), run / "report.html")
    text = (run / "report.html").read_text(encoding="utf-8")
    assert SECRET not in text
    assert "postgresql://am@127.0.0.1/am" in text


def test_a_pickled_or_printed_estimator_holds_no_password():
    from autometa import AutoMetaClassifier

    estimator = AutoMetaClassifier(store=f"postgresql://am:{SECRET}@127.0.0.1/am")
    assert SECRET.encode() not in pickle.dumps(estimator)
    assert SECRET not in repr(estimator)
    assert SECRET not in str(estimator._repr_html_())
    assert SECRET not in str(estimator._repr_mimebundle_())
    assert estimator.get_params()["store"].count(SECRET) == 1  # it is still used


def test_a_password_is_found_again_in_the_environment(monkeypatch):
    bare = "postgresql://am@host/db"
    assert locate(bare).password is None
    monkeypatch.setenv("AUTOMETA_STORE", f"postgresql://am:{SECRET}@host/db")
    assert locate(bare).password == SECRET
    assert locate("postgresql://am@other/db").password is None
    assert locate("postgresql://am:mine@host/db").password == "mine"


@pytest.mark.parametrize("url", ["data/store.db", "sqlite:////data/store.db", "postgresql://am@host/db", "C:\\a\\b.db"])
def test_a_url_without_a_password_stays_as_it_is(url):
    assert without_password(url) == masked(url) == url


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_list_of_processes_shows_no_password():
    """It is wiped from the command line before anything else is read."""
    program = (
        "import sys; from autometa.cli import main; from pathlib import Path; "
        "import autometa.cli.doctor as d; d.examine = lambda url: sys.exit("
        "Path('/proc/self/cmdline').read_bytes().decode().replace(chr(0), ' '))\n"
        "main()"
    )
    url = f"postgresql://am:{SECRET}@127.0.0.1:1/am"  # of the program, which stands on the command line as well
    done = subprocess.run(
        [sys.executable, "-c", program, "doctor", "--store", url], capture_output=True, text=True, timeout=300
    )
    shown = done.stderr.split("main()")[-1]
    assert "postgresql://am:******@127.0.0.1" in shown
    assert SECRET not in shown
