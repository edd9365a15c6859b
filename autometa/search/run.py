"""A run folder: everything one search knows, on disk, at every moment.

    run.json              settings, versions, the moment it began           written once, at the start
    task/                 the typed table, as memory maps                   written once, at the start
    splits.npz            which rows are learned from, which predicted      written once, at the start
    recommendations.json  what the memory proposed, and why                 written once, at the start
    journal.log           Optuna's journal: every trial, with its evaluation as a user attribute
    oof/7.npy             out-of-fold predictions of trial 7
    models/7.pkl          its fold models, while it is among the best
    model.pkl             the final model, signed with this user's key
    result.json           what the final model is made of                   written once, at the end
    report.html

Law: killed at any moment, the folder can be opened again and no finished trial is lost. A finished trial is one whose
evaluation is in the journal. Whoever works on a folder holds its lock, which the operating system releases when the
process dies.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout
from optuna.storages.journal import JournalFileOpenLock

from autometa import __version__
from autometa.errors import InputError, Problem, RunError
from autometa.evaluation import Evaluation, Splits
from autometa.files import replace
from autometa.origins import Origin
from autometa.search.settings import Settings, TrialRow
from autometa.search.signature import write_signed
from autometa.task import Task
from autometa.transfer import Evidence, Recommendation

if TYPE_CHECKING:
    import optuna

FORMAT = 1  # of the folder; a newer one is refused
STUDY = "fit"

# Attributes of a trial in the journal. Origin and reason are the sampler's.
EVALUATION, STARTED, FINISHED = "autometa:evaluation", "autometa:started", "autometa:finished"
GRANTED = "autometa:granted"  # of the study: seconds and trials that were added to the run's budget later


class Run:
    """An open run folder."""

    def __init__(self, folder: Path, settings: Settings, created: str, name: str) -> None:
        """Use `create` or `open`."""
        self.folder, self.settings, self.created, self.name = folder, settings, created, name
        self._task: Task | None = None

    @classmethod
    def check_free(cls, folder: Path) -> list[Problem]:
        """Why a new run cannot be made at `folder`; empty when it can."""
        if (folder / "run.json").exists():
            return [
                Problem(
                    str(folder),
                    "already holds a run",
                    f"`autometa resume {folder}` continues it; or name another folder.",
                )
            ]
        if folder.is_dir() and any(folder.iterdir()):
            return [Problem(str(folder), "exists and is not a run", "Name a folder that is new or empty.")]
        if folder.exists() and not folder.is_dir():
            return [Problem(str(folder), "is a file", "Name a folder that is new or empty.")]
        return []

    @classmethod
    def create(cls, folder: Path, task: Task, settings: Settings, splits: Splits) -> Run:
        """Makes the folder; `run.json` comes last, so a folder with one is whole.

        Raises:
            InputError: The folder exists and is not empty.
        """
        if problems := cls.check_free(folder):
            raise InputError(problems)
        run = cls(folder, settings, datetime.now(UTC).isoformat(timespec="seconds"), task.name)
        for part in ("oof", "models"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        task.save(folder / "task")
        run._task = task
        splits.save(folder / "splits.npz")
        head = {
            "format": FORMAT,
            "autometa": __version__,
            "created": run.created,
            "name": task.name,
            "settings": settings.to_dict(),
        }
        write_signed(folder / "run.json", json_bytes(head))
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Opens an existing folder.

        Raises:
            RunError: It is not a run, or one from a newer program, or damaged.
        """
        head = folder / "run.json"
        if not head.exists():
            raise RunError(f"{folder} is not a run: it has no run.json")
        try:
            values = json.loads(head.read_text(encoding="utf-8"))
            if values["format"] > FORMAT:
                theirs = values["autometa"]
                raise RunError(f"{folder} was written by AutoMeta {theirs}, which is newer than this, {__version__}")
            return cls(folder, Settings.from_dict(values["settings"]), values["created"], values["name"])
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{head} is damaged ({error}); it was left as it is") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process.

        Raises:
            RunError: Another process is working on it.
        """
        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(f"{self.folder} is in use by another process") from None
        try:
            yield
        finally:
            lock.release()

    @property
    def task(self) -> Task:
        """The task, memory-mapped."""
        if self._task is None:
            try:
                self._task = Task.load(self.folder / "task")
            except (OSError, ValueError, KeyError) as error:
                raise RunError(f"{self.folder / 'task'} is damaged ({error}); it was left as it is") from error
        return self._task

    @property
    def splits(self) -> Splits:
        """Those of every trial, whatever machine or version goes on with it."""
        path = self.folder / "splits.npz"
        try:
            return Splits.load(path)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise RunError(f"{path} is damaged ({error}); it was left as it is") from error

    def study(self, sampler: optuna.samplers.BaseSampler | None = None, *, repair: bool = False) -> optuna.Study:
        """The study in the journal, created if it is not there.

        Args:
            sampler: Of the study.
            repair: Drop a last line that a kill cut short. Only for whoever holds the lock: to anybody else it may be
                a line that is just being written.

        Raises:
            RunError: The journal is damaged elsewhere than at its end.
        """
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        journal = self.folder / "journal.log"
        if repair:
            drop_torn_line(journal)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=_JournalLock(journal)))
            return optuna.create_study(
                storage=storage, sampler=sampler, study_name=STUDY, direction="maximize", load_if_exists=True
            )
        except (ValueError, KeyError, json.JSONDecodeError) as error:
            raise RunError(f"{journal} is damaged ({error}); it was left as it is") from error

    def trials(self, study: optuna.Study) -> tuple[TrialRow, ...]:
        """Every finished trial, in order."""
        return tuple(row for trial in study.get_trials(deepcopy=False) if (row := trial_row(trial)))

    def grant(self, study: optuna.Study, seconds: float, trials: int) -> tuple[float, int]:
        """Adds to the budget for good, and returns all that was ever added: seconds and trials."""
        before = study.user_attrs.get(GRANTED, (0.0, 0))
        granted = float(before[0] + seconds), int(before[1] + trials)
        if granted != tuple(before):
            study.set_user_attr(GRANTED, granted)
        return granted

    def oof_path(self, number: int) -> Path:
        """Where trial `number` leaves its out-of-fold predictions."""
        return self.folder / "oof" / f"{number}.npy"

    def models_path(self, number: int) -> Path:
        """Where trial `number` leaves its fold models."""
        return self.folder / "models" / f"{number}.pkl"

    def oof(self, number: int) -> np.ndarray | None:
        """Out-of-fold predictions of a trial; None when it left none."""
        path = self.oof_path(number)
        return np.load(path) if path.exists() else None

    def save_recommendations(self, recommendations: list[Recommendation]) -> None:
        """Keeps what the memory proposed."""
        write_json(self.folder / "recommendations.json", [asdict(r) for r in recommendations])

    def recommendations(self) -> tuple[Recommendation, ...]:
        """What the memory proposed; empty for a cold run."""
        path = self.folder / "recommendations.json"
        return recommendations_from(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else ()


def recommendations_from(values: list[dict[str, Any]]) -> tuple[Recommendation, ...]:
    """What `save_recommendations` wrote."""
    return tuple(
        Recommendation(**{**value, "evidence": tuple(
            Evidence(**{**evidence, "agrees": tuple(evidence["agrees"])}) for evidence in value["evidence"]
        )})
        for value in values
    )  # fmt: skip


def origin_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> tuple[str, str]:
    """Where a trial's configuration came from, and why it was tried, as the sampler noted."""
    from autometa.sampler import ORIGIN, REASON

    return trial.user_attrs.get(ORIGIN, Origin.SEARCH.value), trial.user_attrs.get(REASON, "")


def trial_row(trial: optuna.trial.FrozenTrial) -> TrialRow | None:
    """A journalled trial as a row; None when it has no evaluation yet."""
    attributes = trial.user_attrs
    if EVALUATION not in attributes:
        return None
    origin, reason = origin_of(trial)
    evaluation = Evaluation.from_dict(attributes[EVALUATION])
    return TrialRow(trial.number, evaluation, origin, reason, attributes[STARTED], attributes[FINISHED])


def drop_torn_line(journal: Path) -> None:
    """Cuts off what stands after the last line end: an entry whose writer was killed in mid-write."""
    if not journal.exists():
        return
    with journal.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file atomically."""
    replace(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """As UTF-8; NumPy's numbers become Python's."""
    return json.dumps(value, indent=1, default=_plain).encode()


def default_folder(name: str) -> Path:
    """``autometa_runs/NAME-DATE-TIME`` in the current folder, made unique; the folder is not made.

    Example:
        >>> default_folder("my table.csv").name.rsplit("-", 2)[0]
        'my_table_csv'
    """
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60] or "table"
    base = Path("autometa_runs") / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, k = base, 1
    while folder.exists():
        folder, k = base.with_name(f"{base.name}-{k}"), k + 1
    return folder


class _JournalLock(JournalFileOpenLock):
    """A lock the operating system releases with the process; Optuna's own outlives a kill by 30 s."""

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._lock = FileLock(f"{journal}.lock", thread_local=False)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
