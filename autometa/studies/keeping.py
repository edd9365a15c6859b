"""A trial as the store keeps it, and which past task it belongs to.

A study is its own past task, known by its name and the moment when its first trial began: so it is the same study in
another process, or copied to another storage, and another one where a script runs again under one name. Studies on one
table, in one metric and direction, are one past task.

    value           the objective's value, if there is one objective
    objective K     those of a study of several, from 0 on
    constraint NAME what the trial said of a constraint; above 0 the trial is infeasible, which counts as failed

Laws: a score is larger when better, whatever the direction; an infeasible trial never counts as a good one; nothing of
a table is kept but its meta-features.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autometa.evaluation import Evaluation
from autometa.origins import State
from autometa.space import config_key
from autometa.space.values import plain_params
from autometa.store import TaskRecord
from autometa.transfer.observation import is_feasible

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.task import Task

VALUE = "value"  # the metric under which objective values are stored
OBJECTIVE, CONSTRAINT = "objective ", "constraint "  # and the first words of the others
SEVERAL = "several"  # the kind of a past task with several objectives
CONSTRAINED = "constrained"  # and of one whose trials told of constraints
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)  # trials that are kept


@dataclass(frozen=True, slots=True)
class About:
    """What a study is about, as far as that is kept: never a row of a table.

    See Also:
        `described`.

    Example:
        >>> About.of(None).table is None
        True
    """

    table: TaskRecord | None = None
    metafeatures: MetaFeatures | None = None

    @classmethod
    def of(cls, task: Any) -> About:
        """From what a person hands over: ``(X, y)``, a `Task`, meta-features, or None."""
        table, metafeatures = described(task)
        return cls(None if table is None else TaskRecord.of(table, metafeatures), metafeatures)


def described(task: Any) -> tuple[Task | None, MetaFeatures | None]:
    """The task and the meta-features in what a person hands over: ``(X, y)``, a `Task`, meta-features, or None.

    See Also:
        `About`, `autometa.describe`.

    Example:
        >>> import numpy as np
        >>> task, look = described((np.arange(40.0).reshape(20, 2), [0, 1] * 10))
        >>> task.kind, look["rows"], described(None)
        ('binary', 20.0, (None, None))
    """
    if task is None:
        return None, None
    if hasattr(task, "values") and hasattr(task, "version"):
        return None, task
    from autometa.metafeatures import describe
    from autometa.task import make_task

    if isinstance(task, tuple):
        task = make_task(task[0], y=task[1])
    return task, describe(task)


def signs_of(study: Study) -> tuple[float, ...]:
    """What turns each objective's value into a score, larger is better."""
    return tuple(-1.0 if direction == StudyDirection.MINIMIZE else 1.0 for direction in study.directions)


def sign_of(study: Study) -> float:
    """`signs_of` a study of one objective. ValueError for several.

    See Also:
        `autometa.remember_study`.

    Example:
        >>> import optuna
        >>> sign_of(optuna.create_study(direction="minimize")), sign_of(optuna.create_study(direction="maximize"))
        (-1.0, 1.0)
    """
    if len(study.directions) > 1:
        raise ValueError("a study of several objectives has no one value that could be compared")
    return signs_of(study)[0]


def objectives_of(study: Study) -> list[list[str]]:
    """Name, "" where it has none, and direction of each objective."""
    names = study.metric_names or [""] * len(study.directions)
    return [[name, direction.name.lower()] for name, direction in zip(names, study.directions, strict=True)]


def objectives_told(record: TaskRecord) -> list[list[str]]:
    """`objectives_of` the study that was kept as a past task of several objectives."""
    return [[str(name), str(direction)] for name, direction in json.loads(record.metric)]


def own_fingerprint(study: Study, space: str, about: About | None = None) -> str:
    """What tells a study from others of its space; of studies on one table and metric it is one.

    See Also:
        `autometa.remember_study`.

    Example:
        >>> import optuna
        >>> study = optuna.create_study(study_name="march")
        >>> own_fingerprint(study, "trees") == own_fingerprint(study, "trees") != own_fingerprint(study, "forests")
        True
    """
    if about is not None and about.table is not None:
        return _digest(["table", about.table.fingerprint, about.table.metric, objectives_of(study)])
    trials = study.get_trials(deepcopy=False)
    began = next((trial.datetime_start for trial in trials if trial.datetime_start is not None), None)
    return _digest(["study", space, study.study_name, "" if began is None else began.isoformat()])


def former_fingerprint(study: Study, space: str, about: About | None = None) -> str:
    """What an older version told a study by: its name within its space, or its table."""
    if about is not None and about.table is not None:
        return about.table.fingerprint
    return _digest(["study", space, study.study_name])


def record_of_study(
    study: Study, space: str, about: About, distributions: str, fingerprint: str, *, constrained: bool
) -> TaskRecord:
    """The study as a past task of its space."""
    several = len(study.directions) > 1
    metric = json.dumps(objectives_of(study)) if several else VALUE
    record = about.table or TaskRecord("", "", "study", "", 0, 0, 0, metafeatures=about.metafeatures)
    return replace(
        record,
        fingerprint=fingerprint,
        name=study.study_name,
        kind=SEVERAL if several else CONSTRAINED if constrained else record.kind,
        metric=metric,
        # Studies of one table in several metrics are held out together.
        family=record.family or (None if about.table is None else about.table.fingerprint),
        space=space,
        source="study",
        distributions=distributions,
    )


def evaluation_of(trial: FrozenTrial, signs: Sequence[float], rows: int) -> Evaluation:
    """A trial that ended, as the store keeps it."""
    state, reason, values = State.COMPLETE, None, list(trial.values or [])
    if trial.state == TrialState.PRUNED:
        step = trial.last_step
        values = [] if step is None or len(signs) > 1 else [trial.intermediate_values[step]]
        state, reason = State.STOPPED, "pruned" if step is None else f"pruned at step {step}"
    elif trial.state == TrialState.FAIL:
        state, reason = State.FAILED, str(trial.system_attrs.get("fail_reason", "the objective failed"))
        values = []
    if any(not math.isfinite(value) for value in values):
        if state == State.COMPLETE:
            state, reason = State.FAILED, f"the value was {', '.join(map(str, values))}"
        values = []
    if not is_feasible(trial):
        broken = [f"{name} is {value:.6g}" for name, value in trial.constraints.items() if value > 0]
        state, reason = State.FAILED, f"infeasible: constraint {', '.join(broken)}"
    scores = {VALUE if len(signs) == 1 else f"{OBJECTIVE}{k}": signs[k] * value for k, value in enumerate(values)}
    most = sys.float_info.max
    scores |= {f"{CONSTRAINT}{name}": min(max(value, -most), most) for name, value in trial.constraints.items()}
    return Evaluation(
        config=plain_params(trial.params, trial.distributions),
        state=state,
        reason=reason,
        scores=scores,
        folds={},
        fit_seconds=0.0 if trial.duration is None else trial.duration.total_seconds(),
        predict_seconds=0.0,
        peak_ram=0,
        seed=trial.number,
        rows=rows,
        versions={"optuna": optuna.__version__},
    )


def content_of(evaluation: Evaluation) -> str:
    """What makes two kept trials the same one, whatever versions of libraries wrote them."""
    e = evaluation
    scores = [(name, float(score)) for name, score in sorted(e.scores.items()) if not name.startswith(CONSTRAINT)]
    return repr((e.seed, config_key(e.config), float(e.fit_seconds), scores))


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
