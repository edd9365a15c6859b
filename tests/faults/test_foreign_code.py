"""Nothing runs that somebody else wrote, until a person says that they trust it; and nothing of it is signed by us."""

from __future__ import annotations

import datetime
import importlib
import json
import pickle
import platform
import tarfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError, RunError
from autometa.pickled import names_in, restricted, unusual_names
from autometa.search import Run, load_model, open_run, resume
from autometa.search.keys import export_key, import_key, known_keys, signing_key, why_fleeting
from autometa.search.signature import is_own, read_signed, write_signed
from autometa.task import Task
from autometa.task.saved import decoded, encoded

BEFORE = Path(__file__).parents[1] / "fixtures" / "before"
COMMANDS = ("report", "resume", "predict", "remember", "verify")


class Trap:
    """Touches a file when it is unpickled, and is then what it was put in the place of."""

    def __init__(self, mark: Path, content: bytes) -> None:
        self.mark, self.content = mark, content

    def __reduce__(self):
        code = "(__import__('pathlib').Path({!r}).touch(), __import__('pickle').loads({!r}))[1]"
        return eval, (code.format(str(self.mark), self.content),)


def spring(path: Path, mark: Path) -> None:
    """Replaces a pickle by a trap."""
    path.write_bytes(pickle.dumps(Trap(mark, path.read_bytes() if path.exists() else pickle.dumps(None))))


def arguments(command: str, run: Path, table: Path) -> list[str]:
    more = {"predict": [str(table)], "resume": ["--trials", "1"], "remember": ["--store", str(run.parent / "s.db")]}
    return [command, str(run), *more.get(command, [])]


def test_a_run_has_no_pickle_but_its_models_and_each_is_signed(run):
    pickles = {path for path in run.rglob("*") if path.is_file() and path.read_bytes()[:1] == b"\x80"}
    assert pickles == {run / "model.pkl", *(run / "models").glob("*.pkl")}
    assert len(pickles) > 2
    assert all(is_own(path) for path in pickles)


@pytest.mark.parametrize("signed", [True, False], ids=["own seals", "no seals"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_what_a_run_brings_along(command, signed, run, table, said, tmp_path):
    for path in [run / "model.pkl", *(run / "models").glob("*.pkl"), run / "task" / "task.pickle"]:
        spring(path, tmp_path / "sprung")
    if not signed:
        for seal in run.rglob("*.seal"):
            seal.unlink()
    said(*arguments(command, run, table))
    said(*arguments("predict", run, table))
    assert not (tmp_path / "sprung").exists()


def test_a_trap_in_the_fold_models_is_not_put_into_a_model_and_signed(run, table, said, tmp_path):
    for path in (run / "models").glob("*.pkl"):
        spring(path, tmp_path / "sprung")
    before = (run / "model.pkl").read_bytes()
    code, text = said("resume", run, "--trials", "1")
    assert code == 3
    assert "was not written by you" in text
    assert (run / "model.pkl").read_bytes() == before
    assert said("predict", run, table)[0] == 0
    assert not (tmp_path / "sprung").exists()


def test_who_trusts_a_model_is_told_what_will_run(run, table, said, tmp_path):
    spring(run / "model.pkl", tmp_path / "sprung")
    code, text = said("predict", run, table)
    assert code == 3
    assert "builtins.eval" in text
    assert not (tmp_path / "sprung").exists()
    code, text = said("predict", run, table, "--trust")
    assert code == 0
    assert "runs what it names: builtins.eval" in text
    assert (tmp_path / "sprung").exists()


def test_a_signature_counts_for_the_bytes_that_are_read(run):
    """The signature of another file of one's own is none."""
    (run / "model.pkl.seal").write_bytes((run / "run.json.seal").read_bytes())
    with pytest.raises(RunError, match="not written by you"):
        load_model(run)


def test_a_run_of_an_older_version_is_read_when_it_is_ones_own_and_names_only_what_a_table_is_made_of(tmp_path):
    with tarfile.open(BEFORE / "run.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    run = tmp_path / "run"
    with pytest.raises(RunError, match=r"task\.pickle.*--trust"):
        open_run(run)
    write_signed(run / "run.json", (run / "run.json").read_bytes())  # as if this user had made it
    expected = open_run(run).summary()
    assert open_run(run, trusted=True).summary() == expected
    for models in (run / "models").glob("*.pkl"):  # not signed then, so that they may be anybody's
        spring(models, tmp_path / "sprung")
    assert len(resume(run, trials=1).trials) == 7
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("trusted", [True, False])
def test_the_table_of_an_older_run_runs_nothing_even_where_it_is_trusted(trusted, tmp_path):
    with tarfile.open(BEFORE / "run.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    run = tmp_path / "run"
    spring(run / "task" / "task.pickle", tmp_path / "sprung")
    with pytest.raises(RunError, match=r"builtins\.eval"):
        open_run(run, trusted=trusted)
    assert not (tmp_path / "sprung").exists()


def test_a_saved_task_names_records_of_tasks_and_nothing_else(run, task):
    head = json.loads((run / "task" / "task.json").read_text())
    for name in ("os.system", "autometa.search.run.Run", "autometa.task.read.read_table", "autometa.task.nothing.Here"):
        head["schema"] = {"record": name, "fields": {}}
        (run / "task" / "task.json").write_text(json.dumps(head))
        with pytest.raises(ValueError, match="no record of a task"):
            Task.load(run / "task")
    assert encoded(decoded(encoded(task.schema))) == encoded(task.schema)
    with pytest.raises(InputError, match="cannot hold"):
        encoded(Path("a"))


def test_labels_of_every_type_come_back_as_they_were():
    when = datetime.datetime(2020, 2, 29, 12, tzinfo=datetime.UTC)
    labels = (
        b"\x00a",
        when,
        when.date(),
        pd.Timestamp(when),
        Decimal("0.10"),
        2**70,
        0.1,
        True,
        "\ud800",
        (1, "a"),
        None,
    )
    found = decoded(json.loads(json.dumps(encoded(labels))))
    assert found == labels
    assert [type(label) for label in found] == [type(label) for label in labels]


def test_the_names_in_a_pickle_are_found_without_running_it():
    trap = pickle.dumps(Trap(Path("never"), b""))
    assert unusual_names(trap) == ["builtins.eval"]
    assert unusual_names(pickle.dumps([{"inside": trap}])) == ["builtins.eval"]
    assert unusual_names(pickle.dumps(np.arange(3.0))) == []
    assert names_in(b"no pickle") == []
    assert "posix.system" in unusual_names(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.eval"):
        restricted(trap, lambda module, name: False)


def test_a_damaged_pickle_is_told_from_a_strangers(run):
    content = (run / "model.pkl").read_bytes()
    (run / "model.pkl").write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    for trusted in (True, False):
        with pytest.raises(RunError, match="is damaged"):
            load_model(run, trusted=trusted)
    (run / "model.pkl").write_bytes(content)
    assert load_model(run).name == "small"


# -------------------------------------------------------------------------------------------------------------- keys


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user without a key."""
    from autometa.search import keys

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    keys._fleeting_key.cache_clear()
    yield tmp_path / "home"
    keys._fleeting_key.cache_clear()


def test_looking_makes_no_key(run, home):
    with pytest.raises(RunError, match="not written by you"):
        load_model(run)
    Run.open(run)
    assert not home.exists()


def test_a_model_moves_to_another_machine_of_the_same_owner(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "one"))
    write_signed(tmp_path / "a.pkl", pickle.dumps("mine"))
    export_key(tmp_path / "key")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "two"))
    with pytest.raises(RunError, match=r"autometa key export.*autometa key import"):
        read_signed(tmp_path / "a.pkl", trusted=False)
    own = signing_key()
    assert import_key(tmp_path / "key")
    assert not import_key(tmp_path / "key")
    assert read_signed(tmp_path / "a.pkl", trusted=False) == "mine"
    assert signing_key() == own
    assert len(known_keys()) == 2


def test_a_key_is_not_written_over_and_a_damaged_one_not_taken(tmp_path, said):
    assert said("key", "export", tmp_path / "key")[0] == 0
    assert said("key", "export", tmp_path / "key")[0] == 2
    content = (tmp_path / "key").read_text()
    for wrong in ("", content[:-10], content.replace(content[20], "f" if content[20] != "f" else "e", 1), "x" * 99):
        (tmp_path / "key").write_text(wrong)
        with pytest.raises(InputError, match="no key"):
            import_key(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 64])
def test_a_damaged_key_signs_nothing_and_vouches_for_nothing(content, run, home):
    (home / "autometa").mkdir(parents=True)
    (home / "autometa" / "seal.key").write_bytes(content)
    with pytest.raises(RunError, match="32 bytes"):
        load_model(run)
    with pytest.raises(RunError, match="32 bytes"):
        signing_key()


def test_where_no_key_can_be_kept_this_process_signs_and_says_so(tmp_path, home):
    home.write_text("a file, where a folder would be")
    assert "No key can be kept" in why_fleeting()
    write_signed(tmp_path / "a.pkl", pickle.dumps("mine"))
    assert read_signed(tmp_path / "a.pkl", trusted=False) == "mine"
    with pytest.raises(RunError, match="No key can be kept"):
        export_key(tmp_path / "key")


def test_without_a_home_no_folder_is_called_tilde(tmp_path, monkeypatch):
    from autometa.search import keys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_: Path("~/.local/share/autometa"))
    keys._fleeting_key.cache_clear()
    assert "No key can be kept" in why_fleeting()
    assert list(tmp_path.iterdir()) == []
    keys._fleeting_key.cache_clear()


def test_both_signatures_stand_while_a_signed_file_is_replaced(tmp_path, monkeypatch):
    """Killed between any two steps, the file that is there counts as one's own."""
    signature = importlib.import_module("autometa.search.signature")
    path, done = tmp_path / "a.pkl", []
    write_signed(path, b"old")
    real = signature.replace

    def step(target: Path, content: bytes | str) -> None:
        real(target, content)
        done.append(is_own(path))

    monkeypatch.setattr(signature, "replace", step)
    write_signed(path, b"new")
    assert done == [True, True, True]
    assert platform.system() != "Linux" or path.stat().st_mode & 0o077 == 0
