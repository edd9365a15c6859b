"""What is kept of somebody's own studies: every finished trial, at once, under the name of its space.

`remember` is a callback for `Study.optimize`; `remember_study` and `remember_studies` take studies that exist already.

Laws: remembering twice changes nothing; a store that cannot be written for a while loses nothing that the study still
holds; values are kept so that larger is better, whatever the study's direction.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autometa.errors import InputError, Problem, StoreError, did_you_mean
from autometa.evaluation import Evaluation
from autometa.space.values import plain_distribution, plain_params
from autometa.store import MetaStore, TaskRecord
from autometa.studies.distributions import read_distribution

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.task import Task

VALUE = "value"  # the metric under which objective values are stored
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)  # trials that are kept
_log = optuna.logging.get_logger("optuna.autometa")  # says things where and how Optuna does


def remember(store: MetaStore | str | Path, space: str, task: Any = None) -> Callable[[Study, FrozenTrial], None]:
    """A callback for `Study.optimize` that keeps every finished trial in a store.

    It is called after each trial and keeps all trials that are not kept yet, so what was there before it, and what a
    locked store refused, follows with the next. What goes wrong with the store is logged and never ends the study.

    Args:
        store: A store, or its URL.
        space: The name under which studies of this search space are kept together.
        task: What the study is about, if that is a table: ``(X, y)``, a `Task`, or its meta-features. Studies on the
            same table are one past task. Only meta-features are kept of it.

    Raises:
        ValueError: When called for a study of several objectives.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = MetaStore(folder.name + "/team.db")
        >>> study = optuna.create_study(study_name="first")
        >>> study.optimize(lambda trial: trial.suggest_float("x", 0, 1), 3, callbacks=[remember(store, space="demo")])
        >>> (
        ...     [record.name for record in store.tasks(space="demo")],
        ...     len(store.past(space="demo", kind=None, metric=VALUE)),
        ... )
        (['first'], 1)
        >>> folder.cleanup()
    """
    target = store if isinstance(store, MetaStore) else MetaStore(store)
    about, metafeatures = described(task)
    kept: set[int] = set()

    def callback(study: Study, trial: FrozenTrial) -> None:
        try:
            _keep(target, study, space, about, metafeatures, kept)
        except StoreError as error:
            _log.warning(f"{error} Trial {trial.number} is kept with a later one, once the store can be written.")

    return callback


def remember_study(study: Study, store: MetaStore | str | Path, space: str, task: Any = None) -> int:
    """Keeps all finished trials of a study; returns how many were new.

    Args:
        study: A study with one objective, finished or not.
        store: A store, or its URL.
        space: The name under which studies of this search space are kept together.
        task: As in `remember`.

    Raises:
        StoreError: If the store cannot be used.
        ValueError: If the study has several objectives.

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
    return _keep(target, study, space, *described(task), set())


def remember_studies(
    storage: str, store: MetaStore | str | Path, space: str, *, only: Sequence[str] | None = None
) -> dict[str, int]:
    """Keeps the studies in one of Optuna's storages; returns how many evaluations of each were new.

    Args:
        storage: The URL of a database, or the file of a journal. It is only read.
        store: A store, or its URL.
        space: The name under which the studies are kept together.
        only: Names of studies; None for all that have one objective.

    Raises:
        InputError: If there is no such storage, it cannot be read, lacks a study, or has one of several objectives.
        StoreError: If the store cannot be used.
    """
    opened = _storage(storage)
    found = {study.study_name: study for study in optuna.get_all_study_summaries(opened)}
    wanted = list(found) if only is None else list(only)
    problems = [] if found else [Problem(storage, "holds no study of Optuna", "Name the storage of a study.")]
    for name in wanted:
        if name not in found:
            known = f"{did_you_mean(name, list(found))} There are: {', '.join(list(found)[:10]) or 'none'}.".strip()
            problems.append(Problem(storage, f"no study {name!r}", known))
        elif only is not None and len(found[name].directions) > 1:
            problems.append(Problem(storage, f"{name!r} has several objectives", "Leave it out."))
    if problems:
        raise InputError(problems)
    return {
        name: remember_study(optuna.load_study(study_name=name, storage=opened), store, space)
        for name in wanted
        if len(found[name].directions) == 1
    }


def _storage(address: str) -> optuna.storages.BaseStorage:
    """Optuna's storage at a URL or in a journal's file, which must be there: Optuna would create it."""
    file = address.removeprefix("sqlite:///") if address.startswith("sqlite:///") else address
    if ("://" not in address or file != address) and not Path(file).is_file():
        raise InputError(Problem(address, "there is no such storage", "Name a file, or a URL as Optuna takes it."))
    try:
        if "://" in address:
            return optuna.storages.RDBStorage(address)
        with Path(file).open("rb") as opened:
            if opened.read(6) == b"SQLite":
                return optuna.storages.RDBStorage(f"sqlite:///{file}")
        return optuna.storages.JournalStorage(JournalFileBackend(file))
    except Exception as error:  # whatever a database driver may raise
        told = str(error).splitlines()[0]
        raise InputError(Problem(address, f"Optuna cannot open it ({told})", "Name the storage of a study.")) from error


def described(task: Any) -> tuple[Task | None, MetaFeatures | None]:
    """The task and the meta-features in what a person hands over: ``(X, y)``, a `Task`, meta-features, or None."""
    if task is None:
        return None, None
    if hasattr(task, "values") and hasattr(task, "version"):
        return None, task
    from autometa.metafeatures import describe
    from autometa.task import make_task

    if isinstance(task, tuple):
        task = make_task(task[0], y=task[1])
    return task, describe(task)


def own_fingerprint(study: Study, space: str) -> str:
    """What tells a study about no known table from others: its name, within its space."""
    return hashlib.sha256(json.dumps(["study", space, study.study_name]).encode()).hexdigest()


def sign_of(study: Study) -> float:
    """What turns a value of the study into a score, larger is better. ValueError for several objectives."""
    if len(study.directions) > 1:
        raise ValueError("a study of several objectives cannot be compared with past ones; use one objective")
    return -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0


def _keep(
    store: MetaStore,
    study: Study,
    space: str,
    task: Task | None,
    metafeatures: MetaFeatures | None,
    kept: set[int],
) -> int:
    """Adds the trials that ended and are not in `kept`, and puts their numbers there; how many the store had not."""
    sign = sign_of(study)
    trials = study.get_trials(deepcopy=False, states=ENDED)
    new = [trial for trial in trials if trial.number not in kept and trial.params]
    if not new:
        return 0
    texts = {name: _written(d) for trial in trials for name, d in trial.distributions.items()}
    if task is None:
        fingerprint = own_fingerprint(study, space)
        record = TaskRecord(fingerprint, study.study_name, "study", VALUE, 0, 0, 0, metafeatures=metafeatures)
    else:
        record = replace(TaskRecord.of(task, metafeatures), name=study.study_name, metric=VALUE)
    record = replace(record, space=space, source="study", distributions=json.dumps(texts, sort_keys=True))
    count = store.add(record, [_evaluation(trial, sign, record.n_rows) for trial in new])
    kept.update(trial.number for trial in new)
    return count


def _written(distribution: BaseDistribution) -> str:
    """A distribution as JSON, its choices as texts where they would not come back from it the same."""
    plain = plain_distribution(distribution)
    if plain is distribution:
        return distribution_to_json(distribution)
    try:
        text = distribution_to_json(distribution)
        return text if plain_distribution(read_distribution(text)) == plain else distribution_to_json(plain)
    except (TypeError, ValueError):
        return distribution_to_json(plain)


def _evaluation(trial: FrozenTrial, sign: float, rows: int) -> Evaluation:
    """A trial that ended, as the store keeps it."""
    state, reason, value = "complete", None, trial.value
    if trial.state == TrialState.PRUNED:
        step = trial.last_step
        value = None if step is None else trial.intermediate_values[step]
        state, reason = "stopped", "pruned" if step is None else f"pruned at step {step}"
    elif trial.state == TrialState.FAIL:
        state, reason, value = "failed", str(trial.system_attrs.get("fail_reason", "the objective failed")), None
    elif value is None or not math.isfinite(value):
        state, reason, value = "failed", f"the value was {value}", None
    return Evaluation(
        config=plain_params(trial.params, trial.distributions),
        state=state,  # type: ignore[arg-type]
        reason=reason,
        scores={} if value is None or not math.isfinite(value) else {VALUE: sign * value},
        folds={},
        fit_seconds=0.0 if trial.duration is None else trial.duration.total_seconds(),
        predict_seconds=0.0,
        peak_ram=0,
        seed=trial.number,
        rows=rows,
        versions={"optuna": optuna.__version__},
    )
