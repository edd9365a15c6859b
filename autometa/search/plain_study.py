"""A study as plain values, and back: for whoever keeps one in a file that holds no code.

said_study   numbers, texts, lists and dictionaries, which JSON takes
read_study   the study again, in memory
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState


def said_study(study: optuna.Study) -> dict[str, Any]:
    """The trials of a study of one objective.

    Example:
        >>> study = optuna.create_study()
        >>> study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
        >>> read_study(said_study(study)).best_params == study.best_params
        True
    """
    return {"direction": study.direction.name.lower(), "trials": [_said(one) for one in study.trials]}


def read_study(said: dict[str, Any]) -> optuna.Study:
    """What `said_study` said."""
    study = optuna.create_study(direction=said["direction"])
    study.add_trials([_read(one) for one in said["trials"]])
    return study


def _said(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": {name: json.loads(distribution_to_json(one)) for name, one in trial.distributions.items()},
        "user_attrs": trial.user_attrs,
        "system_attrs": trial.system_attrs,
        "steps": list(trial.intermediate_values.items()),
        "began": trial.datetime_start and trial.datetime_start.isoformat(),
        "ended": trial.datetime_complete and trial.datetime_complete.isoformat(),
    }


def _read(said: dict[str, Any]) -> FrozenTrial:
    return FrozenTrial(
        number=-1,  # the study numbers them
        trial_id=-1,
        state=TrialState[said["state"]],
        value=said["value"],
        datetime_start=said["began"] and datetime.fromisoformat(said["began"]),
        datetime_complete=said["ended"] and datetime.fromisoformat(said["ended"]),
        params=said["params"],
        distributions={name: json_to_distribution(json.dumps(one)) for name, one in said["distributions"].items()},
        user_attrs=said["user_attrs"],
        system_attrs=said["system_attrs"],
        intermediate_values={int(step): value for step, value in said["steps"]},
    )
