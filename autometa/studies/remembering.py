"""Somebody's own studies are kept: every finished trial, at once, under the name of its space.

`remember` is a callback for `Study.optimize`; `remember_study` and `remember_studies` take studies that exist already.

Laws: remembering twice changes nothing; a store that cannot be written for a while loses nothing that the study still
holds; what the callback costs does not grow with the study.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial

from autometa.errors import InputError, Problem, StoreError, did_you_mean
from autometa.evaluation import Evaluation
from autometa.passwords import masked
from autometa.space.values import plain_distribution
from autometa.store import MetaStore
from autometa.studies.distributions import read_distribution
from autometa.studies.keeping import (
    ENDED,
    About,
    content_of,
    evaluation_of,
    former_fingerprint,
    own_fingerprint,
    record_of_study,
    signs_of,
)
from autometa.studies.summary import refresh

_log = optuna.logging.get_logger("optuna.autometa")  # says things where and how Optuna does


def remember(store: MetaStore | str | Path, space: str, task: Any = None) -> Remembering:
    """A callback for `Study.optimize` that keeps every finished trial in a store.

    It is called after each trial and keeps that, and all that are not kept yet: what was there before it, and what a
    locked store refused, follows with the next. What goes wrong with the store is logged and never ends the study. It
    can be pickled, for workers in other processes.

    Args:
        store: A store, or its URL.
        space: The name under which studies of this search space are kept together.
        task: What the study is about, if that is a table: ``(X, y)``, a `Task`, or its meta-features. Studies on the
            same table, in one metric and direction, are one past task. Only meta-features are kept of it.

    See Also:
        `remember_study` for a study that is over, `WarmStartSampler` for one that begins.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = MetaStore(folder.name + "/team.db")
        >>> study = optuna.create_study(study_name="first")
        >>> study.optimize(lambda trial: trial.suggest_float("x", 0, 1), 3, callbacks=[remember(store, space="demo")])
        >>> [record.name for record in store.tasks(space="demo")]
        ['first']
        >>> folder.cleanup()
    """
    return Remembering(store if isinstance(store, MetaStore) else MetaStore(store), space, About.of(task))


def remember_study(study: Study, store: MetaStore | str | Path, space: str, task: Any = None) -> int:
    """Keeps all finished trials of a study; returns how many were new.

    Args:
        study: A study of one objective or of several, finished or not.
        store: A store, or its URL.
        space: The name under which studies of this search space are kept together.
        task: As in `remember`.

    Raises:
        StoreError: If the store cannot be used.

    See Also:
        `remember` for a study while it runs, `WarmStartSampler` for one that begins.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = MetaStore(folder.name + "/team.db")
        >>> study = optuna.create_study(study_name="march")
        >>> study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
        >>> remember_study(study, store, "demo"), remember_study(study, store, "demo")
        (3, 0)
        >>> folder.cleanup()
    """
    target = store if isinstance(store, MetaStore) else MetaStore(store)
    new = StudyKeeper(target, space, About.of(task)).keep_all(study)
    refresh(target, space)
    return new


def remember_studies(
    storage: str, store: MetaStore | str | Path, space: str, *, only: Sequence[str] | None = None
) -> dict[str, int]:
    """Keeps the studies in one of Optuna's storages; returns how many evaluations of each were new.

    Args:
        storage: The URL of a database, or the file of a journal. It is only read.
        store: A store, or its URL.
        space: The name under which the studies are kept together.
        only: Names of studies; None for all.

    Raises:
        InputError: If there is no such storage, it cannot be read, or lacks a study.
        StoreError: If the store cannot be used.

    See Also:
        `autometa.remember_study`, `autometa.remember`.

    Example:
        >>> import tempfile
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     study = optuna.create_study(study_name="march", storage=f"sqlite:///{folder}/optuna.db")
        ...     study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
        ...     remember_studies(f"sqlite:///{folder}/optuna.db", f"{folder}/store.db", space="line")
        {'march': 3}
    """
    opened, storage = _storage(storage), masked(storage)
    found = {study.study_name: study for study in optuna.get_all_study_summaries(opened)}
    wanted = list(found) if only is None else list(only)
    problems = [] if found else [Problem(storage, "holds no study of Optuna", "Name the storage of a study.")]
    for name in wanted:
        if name not in found:
            known = f"{did_you_mean(name, list(found))} There are: {', '.join(list(found)[:10]) or 'none'}.".strip()
            problems.append(Problem(storage, f"no study {name!r}", known))
    if problems:
        raise InputError(problems)
    target = store if isinstance(store, MetaStore) else MetaStore(store)
    studies = {name: optuna.load_study(study_name=name, storage=opened) for name in wanted}
    new = {name: StudyKeeper(target, space, About()).keep_all(study) for name, study in studies.items()}
    refresh(target, space)
    return new


def _storage(address: str) -> BaseStorage:
    """Optuna's storage at a URL or in a journal's file, which must be there: Optuna would create it."""
    file = address.removeprefix("sqlite:///") if address.startswith("sqlite:///") else address
    if ("://" not in address or file != address) and not Path(file).is_file():
        raise InputError(
            Problem(masked(address), "there is no such storage", "Name a file, or a URL as Optuna takes it.")
        )
    try:
        if "://" in address:
            return optuna.storages.RDBStorage(address)
        with Path(file).open("rb") as opened:
            if opened.read(6) == b"SQLite":
                return optuna.storages.RDBStorage(f"sqlite:///{file}")
        return optuna.storages.JournalStorage(JournalFileBackend(file))
    except Exception as error:  # noqa: BLE001 - whatever a database driver may raise
        told = masked(str(error).splitlines()[0])
        what = Problem(masked(address), f"Optuna cannot open it ({told})", "Name the storage of a study.")
        raise InputError(what) from (None if "@" in address else error)  # a server's errors may quote the password


class Remembering:
    """The callback that `remember` returns; it goes to other processes with the address of its store.

    Example: see `remember`.
    """

    def __init__(self, store: MetaStore, space: str, about: About) -> None:
        """Of one store and space; any number of studies may call it."""
        self._store, self._space, self._about = store, space, about
        # By the storage itself, not its id: that of one that is gone may be the next one's.
        self._kept: WeakKeyDictionary[BaseStorage, dict[int, StudyKeeper]] = WeakKeyDictionary()

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Keeps a trial that ended; what goes wrong with the store is logged."""
        keepers = self._kept.setdefault(study._storage, {})
        if study._study_id not in keepers:
            refresh(self._store, self._space)  # when a study begins, those before it have ended
            keepers[study._study_id] = StudyKeeper(self._store, self._space, self._about)
        try:
            keepers[study._study_id].keep(study, trial)
        except StoreError as error:
            _log.warning(f"{error} Trial {trial.number} is kept with a later one, once the store can be written.")

    def __getstate__(self) -> dict[str, Any]:
        """The store by its address (with the password, which it needs there), and nothing that can be read again."""
        return {"store": self._store.address, "space": self._space, "about": self._about}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Opens nothing yet."""
        self.__init__(MetaStore(state["store"]), state["space"], state["about"])  # type: ignore[misc]


class StudyKeeper:
    """Keeps one study, each trial once; what a call costs does not grow with the study.

    All trials are looked through at the first call, and after twice as many calls each time: others may have added
    some, and the trials of a worker that died tell nobody that they ended.
    """

    def __init__(self, store: MetaStore, space: str, about: About) -> None:
        """Reads nothing yet."""
        self._store, self._space, self._about = store, space, about
        self._fingerprint: str | None = None
        self._known: dict[str, BaseDistribution] = {}  # that were met, and how they are written
        self._texts: dict[str, str] = {}
        self._kept: set[int] = set()  # numbers of trials
        self._waiting: dict[int, FrozenTrial] = {}  # that the store has not taken yet
        self._calls, self._next_look = 0, 1

    def keep(self, study: Study, trial: FrozenTrial) -> int:
        """Keeps a trial that ended, and what was left over from before; how many the store had not."""
        self._calls += 1
        if self._calls >= self._next_look:
            self._next_look = 2 * self._calls
            return self.keep_all(study)
        return self._keep(study, [trial])

    def keep_all(self, study: Study) -> int:
        """Keeps all trials that ended; how many the store had not."""
        return self._keep(study, study.get_trials(deepcopy=False, states=ENDED))

    def _keep(self, study: Study, trials: Sequence[FrozenTrial]) -> int:
        self._waiting |= {
            trial.number: trial
            for trial in trials
            if trial.number not in self._kept and trial.state in ENDED and trial.params
        }
        new = list(self._waiting.values())
        if not new:
            return 0
        for trial in new:
            for name, distribution in trial.distributions.items():
                if self._known.get(name) != distribution:
                    self._known[name], self._texts[name] = distribution, written(distribution)
        signs, rows = signs_of(study), 0 if self._about.table is None else self._about.table.n_rows
        evaluations = {trial.number: evaluation_of(trial, signs, rows) for trial in new}
        if self._fingerprint is None:
            self._fingerprint = self._find(study, evaluations)
        texts = json.dumps(self._texts, sort_keys=True)
        constrained = any(trial.constraints for trial in new)
        record = record_of_study(study, self._space, self._about, texts, self._fingerprint, constrained=constrained)
        count = self._store.add(record, list(evaluations.values())) if evaluations else 0
        self._kept.update(trial.number for trial in new)
        for trial in new:
            self._waiting.pop(trial.number, None)
        return count

    def _find(self, study: Study, evaluations: dict[int, Evaluation]) -> str:
        """The fingerprint under which the study is kept; what is there already leaves `evaluations`.

        That of an older version only if what it kept there is this study: it told studies by their name alone.
        """
        own, former = (tell(study, self._space, self._about) for tell in (own_fingerprint, former_fingerprint))
        for fingerprint in (own, former):
            held = {content_of(known) for known in self._store.evaluations(fingerprint, self._space)}
            there = [number for number, evaluation in evaluations.items() if content_of(evaluation) in held]
            if there:
                for number in there:
                    del evaluations[number]
                return fingerprint
        return own


def written(distribution: BaseDistribution) -> str:
    """A distribution as JSON, its choices as texts where they would not come back from it the same."""
    plain = plain_distribution(distribution)
    if plain is distribution:
        return distribution_to_json(distribution)
    try:
        text = distribution_to_json(distribution)
        return text if plain_distribution(read_distribution(text)) == plain else distribution_to_json(plain)
    except (TypeError, ValueError):
        return distribution_to_json(plain)
