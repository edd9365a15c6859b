"""What the trials so far tell about how long others take: families that are too slow, rounds that there is time for."""

from __future__ import annotations

from collections.abc import Sequence

from autometa.families import rounds_of, suited_to
from autometa.origins import State
from autometa.search.settings import TrialRow
from autometa.space import FAMILY, Config, SearchSpace


def late_families(trials: Sequence[TrialRow], times: int) -> frozenset[str]:
    """The families whose last trials, so many `times`, all ran out of time."""
    last: dict[str, int] = {}  # family -> how many of its trials have run out of time since one did not
    for row in sorted(trials, key=lambda row: row.number):
        family = row.evaluation.config[FAMILY]
        last[family] = last.get(family, 0) + 1 if row.evaluation.state == State.TIMEOUT else 0
    return frozenset(family for family, late in last.items() if late >= times)


def boosting_default(space: SearchSpace) -> Config | None:
    """The default of the first family that is boosting; None where none is searched."""
    return next((config for config in space.defaults() if rounds_of(config) is not None), None)


def affordable(config: Config, trials: Sequence[TrialRow], *, seconds: float, folds: int, rows: int) -> Config:
    """A boosting configuration with the rounds that there is time for, and a rate and a size that suit them.

    Cut off at the rate that was meant for many rounds it would underfit. By what a round of this family took last.

    Args:
        config: Of any family; what is not boosting stays as it is.
        trials: That have finished.
        seconds: For all folds.
        folds: Of a trial.
        rows: That it learns from.
    """
    family = config[FAMILY]
    newest = sorted(trials, key=lambda row: -row.number)
    known = (row.evaluation for row in newest if row.evaluation.config[FAMILY] == family and row.evaluation.n_folds)
    for last in known:
        rounds = rounds_of(last.config)
        if rounds is None:
            return config
        pace = last.fit_seconds / last.n_folds / rounds * rows / last.rows
        return suited_to(config, int(seconds / folds / max(pace, 1e-9)))
    return config
