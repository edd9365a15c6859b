"""Stops a trial once it will improbably win.

What a trial reports at a step is compared with what finished trials reported there and where they ended: the end of
this one is forecast by a line through theirs, drawn towards "it ends as far above its report as they did", with a
Student t-distribution for the residual. A trial is stopped when the probability that it ends better than the incumbent
is below a threshold because of what it reports: late in a study every trial wins improbably, and where reports predict
nothing none is stopped. No rank and no quota: where every trial may still win, none is stopped either.

Letters:  m finished trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autometa.studies import sign_of
from autometa.transfer.observation import bounded, is_feasible


@dataclass(frozen=True, slots=True)
class PrunerOptions:
    """Constants of the forecast; `OPTIONS` are the ones in use. Judgement, neither was measured.

    See Also:
        `autometa.ImprobableWinPruner`.

    Example:
        >>> PrunerOptions(telling=0.5).slope_prior
        1.0
    """

    slope_prior: float = 1.0  # weight of the prior that the line's slope is 1, in units of the spread of the reports
    telling: float = 0.25  # a report must make a win so many times less likely than it is for any trial


OPTIONS = PrunerOptions()


class ImprobableWinPruner(BasePruner):
    """Prunes a trial when the probability that it beats the incumbent is small.

    Args:
        threshold: The probability below which a trial is stopped.
        least: Finished trials that reported at a step before anything is stopped there.
        warm_up: Steps before which nothing is stopped.

    See Also:
        `WarmStartSampler`, with which it goes together.

    Example:
        >>> import optuna
        >>> study = optuna.create_study(pruner=ImprobableWinPruner())
        >>> def objective(trial):
        ...     loss = (trial.number - 1) ** 2
        ...     for step in range(3):
        ...         trial.report(loss + 0.1 * (2 - step), step)
        ...         if trial.should_prune():
        ...             raise optuna.TrialPruned
        ...     return loss
        >>> study.optimize(objective, n_trials=8)
        >>> [trial.state.name for trial in study.trials].count("PRUNED"), study.best_value
        (4, 0.0)
    """

    def __init__(self, threshold: float = 0.05, *, least: int = 4, warm_up: int = 0) -> None:
        """Raises ValueError for a threshold outside [0, 1] or fewer than three finished trials."""
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is a probability, not {threshold}")
        if least < 3:
            raise ValueError(f"least is {least}; with fewer than 3 finished trials nothing can be forecast")
        self.threshold, self.least, self.warm_up = threshold, least, warm_up

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial is to be stopped at its last reported step; one that reports NaN is."""
        step = trial.last_step
        if step is None or step < self.warm_up:
            return False
        sign, report = sign_of(study), bounded(trial.intermediate_values[step])
        if math.isnan(trial.intermediate_values[step]):
            return True
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        feasible = [t for t in finished if is_feasible(t)]  # no other is to be beaten
        ends = [sign * bounded(t.value) for t in feasible if t.value is not None and math.isfinite(t.value)]
        pairs = [
            (sign * bounded(at), sign * bounded(t.value))
            for t in finished
            if (at := _at(t, step)) is not None and t.value is not None and math.isfinite(t.value)
        ]
        if len(pairs) < self.least or not ends:
            return False
        usual = 1 / (len(finished) + 1)  # of a trial that nothing is known of
        return chance(sign * report, pairs, best=max(ends)) < min(self.threshold, OPTIONS.telling * usual)


def chance(report: float, pairs: Sequence[tuple[float, float]], *, best: float) -> float:
    """The probability that a trial which reports this ends above `best`; larger is better.

    Args:
        report: What the trial reports at a step.
        pairs: What finished trials reported at that step, and where they ended.
        best: The incumbent.

    See Also:
        `autometa.ImprobableWinPruner`.

    Example:
        >>> curves = [(0.5, 0.6), (0.6, 0.71), (0.4, 0.49), (0.7, 0.8)]
        >>> round(chance(0.3, curves, best=0.8), 3), chance(0.75, curves, best=0.8) > 0.9
        (0.0, True)
    """
    from scipy.stats import t as student

    at, end = np.array(pairs).T
    m, spread = len(at), np.sum((at - at.mean()) ** 2)
    belief = OPTIONS.slope_prior * spread / m + 1e-300
    slope = (np.sum((at - at.mean()) * (end - end.mean())) + belief) / (spread + belief)
    residual = end - end.mean() - slope * (at - at.mean())
    mean = end.mean() + slope * (report - at.mean())
    # One of the m residuals is spent on the level and, where the reports differ, one on the slope.
    free = m - 1 - (spread > 0)
    reach = 1 + 1 / m + (report - at.mean()) ** 2 / (spread + belief)
    width = math.sqrt(max(float(np.sum(residual**2)) / free * reach, 1e-24))
    return float(student.sf((best - mean) / width, free))


def _at(trial: FrozenTrial, step: int) -> float | None:
    """What a trial had reported by a step: its last finite value until then."""
    known = [s for s, value in trial.intermediate_values.items() if s <= step and math.isfinite(value)]
    return trial.intermediate_values[max(known)] if known else None
