"""What a trial's attributes say of where its configuration came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autometa.libraries import LibraryPast
from autometa.origins import CONFIG, GIVEN, ORIGIN, REASON, Origin
from autometa.space import Config, config_key
from autometa.space.values import plain, plain_params
from autometa.studies.distributions import Distributions, fit_value
from autometa.transfer.observation import config_of, given_to


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


def as_asked(config: Config, asked: Distributions, words: LibraryPast | None) -> Config:
    """A configuration with its categories as the studies have them, or in the library's names."""
    if words is not None and words.is_foreign(config):
        return words.canonical(config)
    taken = {name: fit_value(value, asked[name]) for name, value in config.items() if name in asked}
    return config | {name: value for name, (fits, value) in taken.items() if fits}


def taken_keys(trials: Iterable[FrozenTrial], known: dict[int, set[str]]) -> set[str]:
    """What trials were given and what they ran, mostly one and the same, as `config_key` has them.

    `known` are those of trials that ended, by their number; it is added to.
    """
    taken: set[str] = set()
    for trial in trials:
        if trial.number not in known:
            own = {config_key(config) for config in (given_to(trial), config_of(trial)) if config is not None}
            if not trial.state.is_finished():
                taken |= own
                continue
            known[trial.number] = own
        taken |= known[trial.number]
    return taken


def note_what_ran(study: Study, trial: FrozenTrial, state: TrialState) -> None:
    """Corrects what is noted of a trial that ends, where something else ran than it was given.

    The objective may ask for other ranges, and another sampler around this one may fix values.
    """
    given = trial.user_attrs.get(CONFIG)
    if given is None or GIVEN in trial.user_attrs or state == TrialState.FAIL or not trial.params:
        return
    ran = plain_params(trial.params, trial.distributions)
    if config_key(ran) == config_key(given):
        return
    moved = [name for name in ran if name in given and config_key({"": ran[name]}) != config_key({"": given[name]})]
    reason = trial.user_attrs.get(REASON, "")
    if moved:
        reason = f"{reason} It ran with another value of {', '.join(map(repr, moved))}.".strip()
    note(study, trial, {CONFIG: ran, GIVEN: given, REASON: reason})


def fitted(
    config: Config, name: str, distribution: BaseDistribution, trial: FrozenTrial, words: LibraryPast | None
) -> tuple[bool, Any]:
    """Whether a distribution can take what a configuration has for a parameter, and the value as it takes it."""
    if words is not None and words.is_foreign(config):
        return words.handed(config, name, distribution, trial.params)
    return fit_value(config[name], distribution) if name in config else (False, None)
