"""What a trial's attributes say of where its configuration came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial

from autometa.origins import ORIGIN, Origin
from autometa.space import Config
from autometa.studies import plain


def given_origin(trial: FrozenTrial) -> Origin | None:
    """The origin of a configuration that this sampler gave; None for anything else.

    What was enqueued may carry any attributes: those of the trial that it retries, which has them too and counts, or
    such as somebody else wrote.
    """
    return None if "fixed_params" in trial.system_attrs else Origin.read(trial.user_attrs.get(ORIGIN))


def other_trials(study: Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """All trials of the study but one."""
    return [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]


def note(study: Study, trial: FrozenTrial, attributes: Mapping[str, Any]) -> None:
    """Writes into the storage, and into the copy that the objective's `Trial` holds."""
    for name, value in attributes.items():
        study._storage.set_trial_user_attr(trial._trial_id, name, value)
        trial.user_attrs[name] = value


def storable(config: Mapping[str, Any]) -> Config:
    """A configuration that a storage can keep."""
    return {name: plain(value) for name, value in config.items()}
