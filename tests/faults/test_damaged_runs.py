"""Whatever is done to a file of a run: the same result, or an error of ours that names the file and what to do."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.errors import RunError
from autometa.report import write
from autometa.search import Run, load_model, open_run, repair_run, resume, verify_run
from autometa.search.journal import Journal, scan

from .judging import NAMED, files_of, judge_run, state_of_run, survived
from .mutations import MUTATIONS

CORRUPT = "cases/faults/corrupt"
SHARED = Path(__file__).resolve().parents[3] / "shared"


def struck(run: Path, kinds: dict[str, Callable[..., bytes | None]]) -> Iterator[tuple[str, Path]]:
    """Damages each file in turn, and mends it: by three kinds, or with AUTOMETA_FAULTS=n by each kind n times."""
    times = int(os.environ.get("AUTOMETA_FAULTS", "0"))
    for turn, name in enumerate(files_of(run)):
        path = run / name
        content = path.read_bytes()
        some = list(kinds.items()) if times else [[*kinds.items()][(5 * turn + k) % len(kinds)] for k in range(3)]
        for kind, change in some:
            for seed in range(times or 1):
                changed = change(content, np.random.default_rng([seed, len(content)]))
                if changed == content:
                    continue
                path.unlink() if changed is None else path.write_bytes(changed)
                yield f"{name} {kind} {seed}", path
                path.write_bytes(content)


def test_every_file_struck_by_every_kind_of_damage_is_named_or_does_no_harm(run, table):
    frame = pd.read_csv(table)
    expected = state_of_run(run, frame)
    verdicts = {what: judge_run(run, frame, expected, path) for what, path in struck(run, MUTATIONS)}
    assert {what: verdict for what, verdict in verdicts.items() if not survived(verdict)} == {}
    assert list(verdicts.values()).count(NAMED) > 30
    assert state_of_run(run, frame) == expected


def test_verify_finds_what_reading_finds_and_changes_nothing(run, table, said):
    assert said("verify", run) == (0, "Everything in it is whole.\n")
    frame = pd.read_csv(table)
    expected = state_of_run(run, frame)
    missed = []
    for what, path in struck(run, {name: MUTATIONS[name] for name in ("cut", "flip", "gone")}):
        if path.name == "result.json" and not path.exists():
            continue  # as in a run that is not finished
        before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
        try:
            found = verify_run(run)
        except RunError as error:  # without its head it is no run
            assert path.name.startswith("run.json"), what
            found = [error]
        if not found and path.name != "run.json.seal" and (not path.exists() or state_of_run(run, frame) != expected):
            missed.append(what)
        assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert missed == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("journal.log", "cut_at_a_line_end"),
        ("journal.log", "flip"),
        ("journal.head", "gone"),
        ("models/0.pkl", "cut"),
        ("oof/0.npy", "zero"),
        ("model.pkl", "flip"),
        ("result.json", "cut"),
        ("recommendations.json", "gone"),
        ("oof.npy", "gone"),
    ],
)
def test_what_can_be_saved_is_saved_and_the_run_goes_on(name, kind, run, said):
    path = run / name
    if not path.exists():
        name, path = next((p.relative_to(run).as_posix(), p) for p in path.parent.glob(f"*{path.suffix}"))
    changed = MUTATIONS[kind](path.read_bytes(), np.random.default_rng(0))
    path.unlink() if changed is None else path.write_bytes(changed)
    code, text = said("verify", run)
    assert code == 3
    assert path.name.replace("journal.head", "journal.log") in text
    code, text = said("verify", run, "--repair")
    assert code == 0, text
    assert verify_run(run) == []
    assert resume(run).model.exists()
    assert verify_run(run) == []
    assert len(open_run(run).trials) >= 4


def test_what_cannot_be_made_anew_is_said_to_be_lost(run, said):
    (run / "task" / "numeric.npy").write_bytes(b"")
    code, text = said("verify", run)
    assert code == 3
    assert "cannot be made anew" in text
    code, text = said("verify", run, "--repair")
    assert code == 3
    assert "numeric.npy" in text
    assert load_model(run).name == "small"


def test_a_trial_whose_evaluation_is_lost_is_forgotten_and_no_other(run):
    """Whichever line is lost, the trials that are left say what they said."""
    journal = run / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    kept = Run.open(run)
    expected = {row.number: row.evaluation for row in kept.trials(kept.study())}
    for k in range(0, len(lines), 1 if os.environ.get("AUTOMETA_FAULTS") else 7):
        copy = Path(shutil.copytree(run, run.parent / "copy"))
        (copy / "journal.log").write_bytes(b"".join(lines[:k] + lines[k + 1 :]))
        with pytest.raises(RunError, match=r"journal\.log is damaged"):
            open_run(copy)
        repair_run(copy)
        left = Run.open(copy)
        found = {row.number: row.evaluation for row in left.trials(left.study())}
        assert len(found) >= len(expected) - 1
        assert all(expected[number] == evaluation for number, evaluation in found.items()), lines[k]
        shutil.rmtree(copy)


# ----------------------------------------------------------------------------------------------------------- journal


def test_looking_at_a_run_writes_nothing(run, said):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with (run / "journal.log").open("ab") as file:
        file.write(b'{"op_code":8,"worker_id"')  # a line that somebody is just writing
    before[run / "journal.log"] += b'{"op_code":8,"worker_id"'
    result = open_run(run)
    verify_run(run)
    write(result, run / "report.html")
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    after.pop(run / "report.html", None)
    before.pop(run / "report.html", None)
    assert after == before


def test_the_torn_end_of_a_journal_is_cut_by_whoever_goes_on_and_said(run):
    with (run / "journal.log").open("ab") as file:
        file.write(b'{"op_code":8,"worker_id"')
    kept, notes = Run.open(run), []
    with kept.locked():
        kept.study(repair=True, tell=notes.append)
    assert len(notes) == 1
    assert "24 bytes" in notes[0]
    assert scan(run / "journal.log", numbered=True).torn == 0
    assert verify_run(run) == []


def test_optuna_reads_the_journal_as_it_is(run):
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(run / "journal.log")))
    study = optuna.load_study(study_name="fit", storage=storage)
    assert len(study.trials) == 4


def test_a_journal_that_another_process_wrote_to_is_not_written_over(run):
    journal = Journal(run / "journal.log", writable=True)
    with (run / "journal.log").open("ab") as file:
        file.write(b"{}\n")
    before = (run / "journal.log").read_bytes()
    with pytest.raises(RunError, match="another process"):
        journal.append_logs([{"op_code": 2}])
    assert (run / "journal.log").read_bytes() == before


def test_a_journal_that_ends_behind_its_head_was_not_told_of_its_last_entry(run):
    """Killed between the two: nothing is lost, and nothing is wrong."""
    head = (run / "journal.head").read_bytes()
    journal = Journal(run / "journal.log", writable=True)
    journal.append_logs([{"op_code": 2, "worker_id": "w", "study_id": 0, "user_attr": {"a": 1}}])
    (run / "journal.head").write_bytes(head)
    assert scan(run / "journal.log", numbered=True).damage == []
    assert len(open_run(run).trials) == 4


def test_parameters_wait_for_what_follows_them(run, monkeypatch):
    """A dozen of each trial: the disk is waited for, and the head written, once something is told of it."""
    waited = []
    monkeypatch.setattr("os.fsync", waited.append)
    head = (run / "journal.head").read_bytes()
    journal = Journal(run / "journal.log", writable=True)
    entry = {"worker_id": "w", "trial_id": 0}
    journal.append_logs([{"op_code": 5, **entry, "param_name": "a", "param_value_internal": 1.0, "distribution": "{}"}])
    assert not waited
    assert (run / "journal.head").read_bytes() == head
    assert scan(run / "journal.log", numbered=True).damage == []  # as after the death of the process
    journal.append_logs([{"op_code": 8, **entry, "user_attr": {"a": 1}}])
    assert len(waited) == 1
    assert (run / "journal.head").read_bytes() != head
    assert scan(run / "journal.log", numbered=True).damage == []


# ----------------------------------------------------------------------------------------------------- older versions


@pytest.fixture
def older(tmp_path) -> Path:
    """A run of an older version, which has no checksums."""
    with tarfile.open(Path(__file__).parents[1] / "fixtures" / "before" / "run.tar.xz") as archive:
        archive.extractall(tmp_path / "older", filter="data")
    return tmp_path / "older" / "run"


@pytest.mark.shared(CORRUPT)
def test_none_of_the_files_that_once_raised_something_foreign_does(older):
    table = pd.read_csv(Path(__file__).parents[1] / "fixtures" / "before" / "table.csv")
    names = {"oof_1.npy": "oof/1.npy"} | {
        f"task_{n}": f"task/{n}" for n in ("y.npy", "codes.npy", "numeric.npy", "task.pickle")
    }
    cases = [path for path in sorted((SHARED / CORRUPT).glob("*.bin")) if not path.name.startswith("STORE")]
    assert len(cases) > 10
    for case in cases:
        name = case.name.rsplit("-", 2)[0]
        path = older / names.get(name, name)
        content = path.read_bytes()
        path.write_bytes(case.read_bytes())
        with pytest.raises(RunError, match=rf"{path.name}|{path.parent.name}"):
            everything_of(older, table)
        path.write_bytes(content)
    everything_of(older, table)


def everything_of(run: Path, table: pd.DataFrame) -> None:
    result = open_run(run, trusted=True)
    kept = Run.open(run, trusted=True)
    for row in kept.trials(kept.study()):
        kept.oof(row.number)
    assert kept.splits.n == result.task.n
    load_model(run, trusted=True).predict_proba(table)


def test_the_files_of_an_older_run_without_checksums_raise_nothing_foreign(older):
    """Values that nobody vouches for may differ; a foreign exception, or a crash, may not be."""
    table = pd.read_csv(Path(__file__).parents[1] / "fixtures" / "before" / "table.csv")
    wrong = []
    for what, path in struck(older, MUTATIONS):
        if path.suffix in (".seal", ".lock") or path.parent.name == "models":
            continue
        try:
            everything_of(older, table)
        except RunError:
            continue
        except Exception as error:  # noqa: BLE001
            wrong.append((what, f"{type(error).__name__}: {error}"))
    assert wrong == []


@pytest.mark.shared("cases/faults/journal")
def test_a_line_that_was_glued_to_half_of_another_is_taken_apart(older):
    (torn,) = (SHARED / "cases/faults/journal").glob("*.log")
    (older / "journal.log").write_bytes(torn.read_bytes())
    with pytest.raises(RunError, match=r"journal\.log is damaged \(line .*verify .*--repair"):
        open_run(older, trusted=True)
    entries = [line.entry for line in scan(older / "journal.log", numbered=False).lines]
    assert entries.count(None) == 1
    done = repair_run(older, trusted=True)
    assert any("written anew" in sentence for sentence in done)
    left = Run.open(older, trusted=True)
    assert len(left.trials(left.study())) >= 4
    assert (older / "journal.log.damaged").read_bytes() == torn.read_bytes()
