"""Somebody's own studies as past tasks: what is kept of them, and the space that they share.

`remember` is a callback for `Study.optimize`: every finished trial enters a store at once, under the name that the
person gave to the space. `adapt` puts what a store holds under that name into the space as it is now: the space is
learned from the trials, and when it changes (a parameter added, dropped, renamed, a range widened, a category added or
gone), past results count where they still can, and what was done is said.

Laws: remembering twice changes nothing; a store that cannot be written for a while loses nothing that the study still
holds; values are kept so that larger is better, whatever the study's direction; a past configuration is never given a
value that it did not have: what it lacks stays missing.

Letters:  t past studies · m configurations.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autometa.errors import InputError, Problem, StoreError, did_you_mean
from autometa.evaluation import Evaluation
from autometa.space import Condition, Config, Parameter, SearchSpace, config_key
from autometa.store import MetaStore, PastTasks, TaskRecord

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.task import Task

Distributions = Mapping[str, BaseDistribution]

VALUE = "value"  # the metric under which objective values are stored
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
WIDE = 100  # a positive range of past values that is wider than this factor is taken as logarithmic
_log = optuna.logging.get_logger("optuna.autometa")  # says things where and how Optuna does


# ------------------------------------------------------------------------------------------------------------ remember


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
    sign = sign_of(study)
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    new = [trial for trial in trials if trial.number not in kept and trial.params]
    if not new:
        return 0
    texts = {name: distribution_to_json(d) for trial in trials for name, d in trial.distributions.items()}
    if task is None:
        fingerprint = own_fingerprint(study, space)
        record = TaskRecord(fingerprint, study.study_name, "study", VALUE, 0, 0, 0, metafeatures=metafeatures)
    else:
        record = replace(TaskRecord.of(task, metafeatures), name=study.study_name, metric=VALUE)
    record = replace(record, space=space, source="study", distributions=json.dumps(texts, sort_keys=True))
    count = store.add(record, [_evaluation(trial, sign, record.n_rows) for trial in new])
    kept.update(trial.number for trial in new)
    return count


def _evaluation(trial: FrozenTrial, sign: float, rows: int) -> Evaluation:
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
        config={name: plain(choice) for name, choice in trial.params.items()},
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


def plain(value: Any) -> Any:
    """JSON-safe; a category of another type is kept as its text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


# --------------------------------------------------------------------------------------------------------------- adapt


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """Past studies in the space as it is now."""

    past: PastTasks  # configurations hold what the space knows of them; a parameter they never had is missing
    space: SearchSpace | None  # None when nothing is known yet
    notes: tuple[str, ...]  # what was done to past configurations, for people


def adapt(
    past: PastTasks,
    *,
    renamed: Mapping[str, str] | None = None,
    distributions: Distributions | None = None,
    configs: Sequence[Config] = (),
) -> Adapted:
    """Puts past studies into the space of today.

    Args:
        past: As the store holds them, in the metric `VALUE`.
        renamed: Old name of a parameter -> its new one.
        distributions: Of the study at hand, as far as its trials show them; they prevail over what was before.
        configs: What the study at hand has tried: an active parameter that none of them has was dropped.
    """
    renamed = renamed or {}
    old = [{renamed.get(name, name): value for name, value in config.items()} for config in past.configs]
    known = _known(past.records, renamed)
    before: dict[str, BaseDistribution] = {}
    for found in known:
        before.update(found)
    for name in {name for config in old for name in config} - before.keys():  # imported without its distributions
        before[name] = spanned([config[name] for config in old if name in config])
    now = before | dict(distributions or {})
    if not now:
        return Adapted(past, None, ())

    tried = list(configs)
    conditions = {name: _condition(name, now, [c for c in [*old, *tried] if c], known, tried) for name in now}
    dropped = {name for name in now if name not in (distributions or {}) and _is_dropped(conditions[name], name, tried)}
    names = [name for name in now if name not in dropped]
    notes = _changes(before, now, dropped, old)
    kept, columns, lost = [], [], 0
    for column, config in enumerate(old):
        fitted = _fitted({name: value for name, value in config.items() if name in names}, now)
        if fitted:
            kept.append(fitted)
            columns.append(column)
        else:
            lost += 1
    if lost:
        notes.append(f"{lost} past configurations cannot be had in the space of today and are left out.")
    scores = past.scores[:, columns]
    best = _best(kept, scores)
    space = _space(names, now, conditions, best)
    table = replace(past, configs=tuple(kept), scores=scores, seconds=past.seconds[:, columns])
    return Adapted(table, space, tuple(notes))


def spanned(values: Sequence[Any]) -> BaseDistribution:
    """The smallest distribution that holds some values: a range of numbers, logarithmic when wide, else categories."""
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        return CategoricalDistribution(sorted(set(values), key=lambda value: (str(type(value)), str(value))))
    low, high = min(values), max(values)
    log = low > 0 and high > WIDE * low
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _known(records: Iterable[TaskRecord], renamed: Mapping[str, str]) -> list[dict[str, BaseDistribution]]:
    """The distributions that each past study had, the oldest first."""
    out = []
    for record in sorted(records, key=lambda record: record.created):
        if record.distributions:
            texts = json.loads(record.distributions)
            out.append({renamed.get(name, name): json_to_distribution(text) for name, text in texts.items()})
    return out


def _condition(
    name: str,
    distributions: Distributions,
    configs: Sequence[Config],
    known: Sequence[Distributions],
    tried: Sequence[Config],
) -> Condition | None:
    """When a parameter is active, as far as trials tell: always (None), or with some choices of another one.

    Only configurations of studies that knew the parameter can tell; an older study simply did not have it.
    """
    partners = {other for found in known if name in found for other in found}
    telling = [config for config in configs if name in config or not partners or config.keys() <= partners]
    if tried and any(name in config for config in tried):
        telling = list(tried)
    present = [config for config in telling if name in config]
    absent = [config for config in telling if name not in config]
    if not present or not absent:
        return None
    for parent, distribution in distributions.items():
        if parent == name or not isinstance(distribution, CategoricalDistribution):
            continue
        if all(parent in config for config in present):
            inside = {_typed(config[parent]) for config in present}
            if inside.isdisjoint({_typed(config[parent]) for config in absent if parent in config}):
                return Condition(
                    parent, tuple(choice for choice in distribution.choices if _typed(plain(choice)) in inside)
                )
    return None


def _typed(value: Any) -> tuple[str, Any]:
    """A value that tells 1 from True and from 1.0."""
    return type(value).__name__, value


def _is_dropped(condition: Condition | None, name: str, tried: Sequence[Config]) -> bool:
    """Whether the study at hand had occasion to use a parameter and never did."""
    return any(name not in config and (condition is None or condition.holds(config)) for config in tried)


def _changes(before: Distributions, now: Distributions, dropped: set[str], configs: Sequence[Config]) -> list[str]:
    """What is different about the space, parameter by parameter."""
    notes = []
    for name in sorted(dropped):
        count = sum(name in config for config in configs)
        notes.append(f"{name!r} is not searched any more: left out of {count} past configurations.")
    if not configs:
        return notes
    for name, distribution in now.items():
        if name not in before:
            notes.append(f"{name!r} is new: past configurations count without it.")
        elif distribution != before[name]:
            notes.append(f"{name!r} is now {_words(distribution)}, before {_words(before[name])}.")
    return notes


def _words(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {list(distribution.choices)}"
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    return f"from {distribution.low} to {distribution.high}{' (logarithmic)' if distribution.log else ''}"


def _fitted(config: Config, distributions: Distributions) -> Config | None:
    """A past configuration with its numbers clipped into today's ranges; None where a category is gone."""
    out = {}
    for name, value in config.items():
        fits, fitted = fit_value(value, distributions[name])
        if not fits:
            return None
        out[name] = fitted
    return out


def fit_value(value: Any, distribution: BaseDistribution) -> tuple[bool, Any]:
    """Whether a distribution can take a value, numbers after clipping; and the value as it takes it."""
    if isinstance(distribution, CategoricalDistribution):
        same = [choice for choice in distribution.choices if _typed(plain(choice)) == _typed(value)]
        return (True, same[0]) if same else (False, None)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False, None
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    alone = SearchSpace([Parameter("value", distribution, distribution.low)])
    clipped = alone.clip({"value": value})[0]["value"]
    return True, int(clipped) if isinstance(distribution, IntDistribution) else float(clipped)


def _best(configs: Sequence[Config], scores: NDArray[np.float64]) -> Config:
    """The configuration with the best mean rank over the studies that tried it."""
    if not configs:
        return {}
    finite = np.where(np.isfinite(scores), scores, np.nan)
    ranks = np.full(finite.shape, np.nan)
    for row, own in enumerate(finite):
        known = np.flatnonzero(~np.isnan(own))
        ranks[row, known] = (np.argsort(np.argsort(own[known])) + 1.0) / (len(known) + 1)
    # Two average results are added, so that a configuration that was tried once is not taken for the best.
    mean = (np.nansum(ranks, axis=0) + 1.0) / (np.sum(~np.isnan(ranks), axis=0) + 2)
    return configs[int(np.argmax(mean))]


def _space(
    names: Sequence[str], distributions: Distributions, conditions: Mapping[str, Condition | None], best: Config
) -> SearchSpace:
    """Parents before their children; each default is that of the best past configuration, else the middle."""
    placed: dict[str, Parameter] = {}
    waiting = list(names)
    while waiting:
        ready = [n for n in waiting if (when := conditions[n]) is None or when.name in placed] or waiting[:1]
        for name in ready:
            when = conditions[name]
            when = when if when is not None and when.name in placed else None
            distribution = distributions[name]
            fits, default = fit_value(best[name], distribution) if name in best else (False, None)
            placed[name] = Parameter(name, distribution, default if fits else _middle(distribution), when)
        waiting = [name for name in waiting if name not in placed]
    return SearchSpace(list(placed.values()))


def _middle(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    alone = SearchSpace([Parameter("value", distribution, distribution.low)])
    return alone.decode(np.full(alone.d, 0.5))["value"]


def without_own(past: PastTasks, fingerprint: str, configs: Iterable[Config]) -> PastTasks:
    """`past` without what the study at hand has put there itself: a result must not speak for itself twice."""
    own = {config_key(config) for config in configs}
    rows = [row for row, record in enumerate(past.records) if record.fingerprint == fingerprint]
    columns = [column for column, config in enumerate(past.configs) if config_key(config) in own]
    if not rows or not columns:
        return past
    scores = past.scores.copy()
    scores[np.ix_(rows, columns)] = np.nan
    return replace(past, scores=scores)
