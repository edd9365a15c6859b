"""A run folder: everything one search knows, on disk, at every moment.

    run.json              settings, versions, the moment it began; signed   written once, at the start
    task/                 the typed table, as memory maps                   written once, at the start
    splits.npz            which rows are learned from, which predicted      written once, at the start
    recommendations.json  what the memory proposed, and why                 written once, at the start
    journal.log           Optuna's journal: every trial, with its evaluation as a user attribute
    journal.head          how far the journal reaches
    oof/7.npy             out-of-fold predictions of trial 7
    models/7.pkl          its fold models, while it is among the best; signed
    model.pkl             the final model; signed
    result.json           what the final model is made of                   written once, at the end
    report.html

Laws: killed at any moment, the folder can be opened again and no finished trial is lost. A finished trial is one whose
evaluation is in the journal. Whoever works on a folder holds its lock, which the operating system releases when the
process dies; who only looks writes nothing. Nothing but signed files is unpickled. Every file but the report has a
checksum (`records`), in ``run.json``, in the journal or in itself, and what is damaged is named where it is read. Only
its owner can read the folder, and no password is in it.

Longer than 400 lines by the examples in its docstrings.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from autometa import __version__
from autometa.errors import InputError, Problem, RunError
from autometa.evaluation import Evaluation, Splits
from autometa.files import PRIVATE, digest, private_folder, replace, sweep
from autometa.origins import GROWN_FROM, MADE_FROM, ORIGIN, REASON, ROWS, Origin
from autometa.search.records import Checksums, DamagedError, json_bytes, read_record, reading, with_checksum
from autometa.search.settings import Settings, TrialRow
from autometa.search.several import why_several
from autometa.search.signature import is_own, read_own, sign, write_signed
from autometa.task import Task
from autometa.transfer import Evidence, Recommendation

if TYPE_CHECKING:
    import optuna

FORMAT = 2  # of the folder; a newer one is refused, and an older one, without checksums, is rewritten by `adoption`
STUDY = "fit"

# Attributes of a trial in the journal; origin and reason are the sampler's.
EVALUATION, STARTED, FINISHED = "autometa:evaluation", "autometa:started", "autometa:finished"
FILES = "autometa:files"  # of a trial, and of the study: the checksums of its files
BEGUN = ".begun"  # in a folder that `create` is still filling
_FIRST = {"oof", "models", "task", "splits.npz", "journal.log", "journal.head", "run.json.seal"}  # so far
GRANTED = "autometa:granted"  # of the study: seconds and trials that were added to the run's budget later


class Run:
    """An open run folder.

    See Also:
        `open_run`, `default_folder`.

    Example:
        >>> folder = Run.open(run)
        >>> folder.task.n, len(folder.trials(folder.study()))
        (178, 1)
    """

    def __init__(self, folder: Path, settings: Settings, head: dict[str, Any], *, trusted: bool = False) -> None:
        """Use `create` or `open`."""
        self.folder, self.settings, self.trusted = folder, settings, trusted
        self._task: Task | None = None
        self._take(head)

    def _take(self, head: dict[str, Any]) -> None:
        """What ``run.json`` says."""
        self.created: str = head["created"]
        self.name: str = head["name"]
        self.format: int = head["format"]
        self.checksums = Checksums(self.folder, head.get("files", {}), required=self.format > 1)

    @classmethod
    def check_free(cls, folder: Path) -> list[Problem]:
        """Why a new run cannot be made at `folder`; empty when it can."""
        if (folder / "run.json").exists():
            fix = f"`autometa resume {folder}` continues it; or name another folder."
            return [Problem(str(folder), "already holds a run", fix)]
        if folder.is_dir() and any(folder.iterdir()) and not is_begun(folder):
            return [Problem(str(folder), "exists and is not a run", "Name a folder that is new or empty.")]
        if folder.exists() and not folder.is_dir():
            return [Problem(str(folder), "is a file", "Name a folder that is new or empty.")]
        return []

    @classmethod
    def create(cls, folder: Path, task: Task, settings: Settings, splits: Splits) -> Run:
        """Makes the folder; `run.json` comes last, so a folder with one is whole.

        Raises:
            InputError: The folder exists and is not empty.
            OSError: It cannot be written; another try may use it again.
        """
        if problems := cls.check_free(folder):
            raise InputError(problems)
        for part in (folder, folder / "oof", folder / "models"):
            private_folder(part)
        (folder / BEGUN).touch(PRIVATE)
        task.save(folder / "task")
        splits.save(folder / "splits.npz")
        for old in (folder / "journal.log", folder / "journal.head"):  # of an earlier try
            old.unlink(missing_ok=True)
        _journal().create(folder / "journal.log")
        head = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "name": task.name, "format": FORMAT}
        run = cls(folder, settings, head)
        run.write_head()
        (folder / BEGUN).unlink()
        run._task = task
        return run

    def write_head(self) -> None:
        """Writes ``run.json``, with the checksums of what is written once, and its signature."""
        once = [*sorted((self.folder / "task").glob("[!.]*")), self.folder / "splits.npz"]
        head = {
            "format": FORMAT,
            "autometa": __version__,
            "created": self.created,
            "name": self.name,
            "settings": self.settings.to_dict(),
            "files": {path.relative_to(self.folder).as_posix(): digest(path) for path in once},
        }
        write_signed(self.folder / "run.json", json_bytes(with_checksum(head)))
        self._take(head)

    @classmethod
    def open(cls, folder: Path, *, trusted: bool = False) -> Run:
        """Opens an existing folder, to look.

        Args:
            folder: Of a run.
            trusted: Read what may hold code though somebody else wrote it: the table of a run of an older version.

        Raises:
            RunError: It is not a run, or one from a newer program, or damaged.
        """
        path = folder / "run.json"
        if not path.exists():
            raise RunError(why_several(folder) or f"{folder} is not a run: it has no run.json")
        with reading(path):
            values = read_record(path, newer=FORMAT)
            return cls(folder, Settings.from_dict(values["settings"]), values, trusted=trusted)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process; what killed ones left half-written in it goes.

        Raises:
            RunError: Another process is working on it.
        """
        lock = FileLock(self.folder / "lock", mode=PRIVATE)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(f"{self.folder} is in use by another process") from None
        try:
            sweep(self.folder)
            yield
        finally:
            lock.release()

    @property
    def task(self) -> Task:
        """The task, memory-mapped; its files are checked when it is first asked for.

        Raises:
            RunError: It is damaged; or an older version wrote it, and it is neither trusted nor this user's.
        """
        if self._task is None:
            folder = self.folder / "task"
            with reading(folder):
                self.checksums.check_all()
                old = self.format == 1
                self._task = Task.load(folder, trusted=self.trusted or (old and is_own(self.folder / "run.json")))
        return self._task

    @property
    def splits(self) -> Splits:
        """Those of every trial, whatever machine or version goes on with it."""
        path = self.folder / "splits.npz"
        with reading(path):
            self.checksums.check(path)
            return Splits.load(path)

    def study(
        self, sampler: optuna.samplers.BaseSampler | None = None, *, repair: bool = False, tell: Any = None
    ) -> optuna.Study:
        """The study in the journal, created if it is not there and may be written.

        Args:
            sampler: Of the study.
            repair: Go on with it, and drop a last entry that a kill cut short. Only for whoever holds the lock: to
                anybody else it may be an entry that is just being written.
            tell: Called with a sentence when such an entry was dropped.

        Raises:
            RunError: The journal is damaged elsewhere than at its end, or empty and only looked at.
        """
        import optuna
        from optuna.storages import JournalStorage

        path = self.folder / "journal.log"
        journal = _journal()(path, writable=repair, numbered=self.format > 1)
        if repair and (dropped := journal.drop_torn_end()) and tell is not None:
            tell(f"The last {dropped} bytes of {path} were cut short by a kill, and dropped.")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with reading(path):
            storage = JournalStorage(journal)
            if repair and not storage.get_all_studies():
                return optuna.create_study(storage=storage, sampler=sampler, study_name=STUDY, direction="maximize")
            if not storage.get_all_studies():
                raise RunError(f"{self.folder} has no trial yet. `autometa resume {self.folder}` goes on with it")
            return optuna.load_study(storage=storage, sampler=sampler, study_name=STUDY)

    def trials(self, study: optuna.Study) -> tuple[TrialRow, ...]:
        """Every finished trial, in order; from here on the checksums of their files are known.

        Raises:
            RunError: What is kept of one cannot be read.
        """
        with reading(self.folder / "journal.log"):
            self.checksums.add(study.user_attrs.get(FILES, {}))
            found = []
            for trial in study.get_trials(deepcopy=False):
                self.checksums.add(trial.user_attrs.get(FILES, {}))
                if row := trial_row(trial):
                    found.append(dataclasses.replace(row, predicted=self.splits.predicted(row.evaluation.n_folds)))
            return tuple(found)

    def keep_files(self, number: int) -> dict[str, str]:
        """Signs the fold models that a trial has just left; the checksums of its files, for the journal."""
        files = self.files_of(number, sign_models=True)
        self.checksums.add(files)
        return files

    def drop_models(self, number: int) -> None:
        """Forgets the fold models of a trial that is not among the best any more."""
        path = self.models_path(number)
        for gone in (path, path.with_name(path.name + ".seal")):
            gone.unlink(missing_ok=True)

    def files_of(self, number: int, *, sign_models: bool) -> dict[str, str]:
        """The checksums of the files that a trial left; models that may not be signed do not count."""
        models, found = self.models_path(number), [self.oof_path(number)]
        if models.exists() and sign_models:
            sign(models)
            found.append(models)
        return {path.relative_to(self.folder).as_posix(): digest(path) for path in found if path.exists()}

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
        """Out-of-fold predictions of a trial, with a layer for each repeat if there are several; None if it left none.

        Raises:
            RunError: They are damaged, or were there and are missing.
        """
        path = self.oof_path(number)
        if not self.checksums.known(path) and not path.exists():
            return None
        return self.array(path)

    def array(self, path: Path) -> np.ndarray:
        """An array of the run, checked.

        Raises:
            RunError: It is damaged or missing.
        """
        if self.format > 1 and not self.checksums.known(path):
            self.trials(self.study())  # whose entries have the checksums
        with reading(path):
            self.checksums.check(path)
            return np.load(path, allow_pickle=False)

    def fold_models(self, number: int) -> Path | None:
        """Where the fold models of a trial are, which `read_models` reads; None when they were not kept.

        Raises:
            RunError: They were kept and are missing.
        """
        path = self.models_path(number)
        if self.format > 1 and not self.checksums.known(path):
            return None
        if not path.exists() and self.format > 1:
            raise DamagedError(path, "it is missing")
        return path if path.exists() else None

    def read_models(self, path: Path) -> bytes:
        """Pickled fold models, which this user wrote.

        Raises:
            RunError: They are damaged, missing, or somebody else's.
        """
        content = read_own(path, trusted=self.trusted)
        with reading(path):
            self.checksums.check(path, content)
        return content

    def check_kept(self, numbers: list[int]) -> None:
        """Reads what some trials left, so that nobody searches for an hour to find it damaged at the end.

        Raises:
            RunError: It is damaged, missing, or models are somebody else's.
        """
        for number in numbers:
            self.oof(number)
            if (path := self.fold_models(number)) is not None:
                self.read_models(path)

    def save_recommendations(self, study: optuna.Study, recommendations: list[Recommendation]) -> None:
        """Keeps what the memory proposed."""
        path = self.folder / "recommendations.json"
        content = json_bytes([asdict(r) for r in recommendations])
        replace(path, content)
        files = {path.name: digest(content)}
        study.set_user_attr(FILES, files)
        self.checksums.add(files)

    def recommendations(self) -> tuple[Recommendation, ...]:
        """What the memory proposed; empty for a cold run. `trials` must have been read.

        Raises:
            RunError: It is damaged, or was there and is missing.
        """
        path = self.folder / "recommendations.json"
        if not self.checksums.known(path) and not (self.format == 1 and path.exists()):
            return ()
        with reading(path):
            self.checksums.check(path)
            return recommendations_from(read_record(path))


def is_begun(folder: Path) -> bool:
    """Whether a folder holds nothing but what `Run.create` left that was killed, or found no space."""
    return (folder / BEGUN).exists() and {p.name for p in folder.iterdir() if not p.name.startswith(".")} <= _FIRST


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
    return trial.user_attrs.get(ORIGIN, Origin.SEARCH.value), trial.user_attrs.get(REASON, "")


def trial_row(trial: optuna.trial.FrozenTrial) -> TrialRow | None:
    """A journalled trial as a row; None when it has no evaluation yet."""
    attributes = trial.user_attrs
    if EVALUATION not in attributes:
        return None
    origin, reason = origin_of(trial)
    evaluation = Evaluation.from_dict(attributes[EVALUATION])
    grown = (attributes[GROWN_FROM], attributes[ROWS]) if GROWN_FROM in attributes else None
    times, made = (attributes[STARTED], attributes[FINISHED]), attributes.get(MADE_FROM)
    return TrialRow(trial.number, evaluation, origin, reason, *times, grown, made_from=made)


def default_folder(name: str) -> Path:
    """``autometa_runs/NAME-DATE-TIME`` in the current folder, made unique; the folder is not made.

    See Also:
        `Run`.

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


def _journal() -> Any:
    """`Journal`, whose file imports Optuna: 0.3 s that opening a model does not need."""
    from autometa.search.journal import Journal

    return Journal
