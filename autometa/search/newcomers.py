"""Families that the search has not tried yet, which the ensemble gains most by, and how far behind they may be.

With w of the weight on a newcomer that is worse by delta, an ensemble's loss is that of what it has, plus ``w delta``,
less ``w (1 - w) D``, where D is how far their predictions are apart (for squared error their mean squared distance:
Krogh and Vedelsby, 1995, Neural network ensembles, cross validation, and active learning; for any other score what
averaging half and half gains, times four). So it helps while delta is below D, and of two trials of one family D is
small. On tables of some thousand rows the first trial of a family adds more to the ensemble than another one of a
family that was tried; on small ones it does not (`benchmarks/ensembles.py`). So there every other trial after the
initial design is of a new family, the one that promises most, and is not given up before it is behind by more than D.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation import Freedom, fit_calibration
from autometa.origins import Origin
from autometa.search.candidates import layers
from autometa.search.held_out import HeldOut
from autometa.search.plan import SearchPlan
from autometa.search.run import Run
from autometa.search.settings import TrialRow
from autometa.space import FAMILY

if TYPE_CHECKING:
    import optuna

SEARCHED = frozenset(origin.value for origin in Origin if origin.searched)


class Newcomers:
    """Which families are asked next, and what they may lack; keeps the predictions that it has read."""

    def __init__(self, run: Run, plan: SearchPlan) -> None:
        """Nothing is read yet."""
        self.run, self.plan = run, plan
        self.wanted = plan.members != 1 and run.task.n > plan.options.newcomers_above
        self._known: dict[int, NDArray[np.float64] | None] = {}  # of trials

    def due(self, study: optuna.Study, trials: Sequence[TrialRow]) -> frozenset[str]:
        """The families among which the next trial is chosen; none where any may be.

        Args:
            study: Whose running trials count as tried.
            trials: That have finished.
        """
        from optuna.trial import TrialState

        if not self.wanted or not trials:
            return frozenset()
        running = [trial.params for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))]
        searched = sum(row.origin in SEARCHED for row in trials) + len(running)
        if searched % 2:
            return frozenset()
        tried = {row.evaluation.config[FAMILY] for row in trials}
        return frozenset(self.plan.space.families) - tried - {params.get(FAMILY) for params in running}

    def rival(self, leaders: Sequence[TrialRow], trials: Sequence[TrialRow], family: str) -> tuple[float, ...] | None:
        """The scores by fold that a trial of a family has to keep up with; None where there are none.

        They are those of the best trial, for a new family less what it may be behind.
        """
        if not leaders:
            return None
        new = all(row.evaluation.config[FAMILY] != family for row in trials)
        slack = self.slack(leaders) if new and self.wanted else 0.0
        return tuple(one - slack for one in leaders[0].evaluation.folds[self.run.task.metric])

    def slack(self, leaders: Sequence[TrialRow]) -> float:
        """By how much a trial of a new family may be worse than the best and still help; 0 where nothing tells that.

        It is what the best trials of the families so far are apart from the best of all, in the median of those that
        help it.
        """
        first: dict[str, TrialRow] = {}
        for row in leaders:
            if row.evaluation.rows == leaders[0].evaluation.rows:
                first.setdefault(row.evaluation.config[FAMILY], row)
        said = [one for row in first.values() if (one := self._predictions(row.number)) is not None]
        if len(said) < 2:
            return 0.0
        best, *others = said
        top, apart = self._score(best), []
        for one in others:
            own = self._score(one)
            distance = 4 * (self._score((best + one) / 2) - (top + own) / 2)
            apart += [distance] if distance > top - own else []
        return max(float(np.median(apart)), 0.0) if apart else 0.0

    @cached_property
    def _held_out(self) -> HeldOut:
        return HeldOut(self.run.task, self.plan.splits).sample(self.plan.options.newcomer_rows, seed=0)

    def _predictions(self, number: int) -> NDArray[np.float64] | None:
        """Of some held-out rows, fold after fold, calibrated as the ensemble has them."""
        if number not in self._known:
            oof, self._known[number] = self.run.oof(number), None
            if oof is not None:
                said = self._held_out.pooled(layers(oof, self.run))
                if self.run.task.kind != "regression":
                    rows = self._held_out
                    said = fit_calibration(said, rows.truth, Freedom.OFFSETS, sample_weight=rows.counts).apply(said)
                self._known[number] = said
        return self._known[number]

    def _score(self, pooled: NDArray[np.float64]) -> float:
        return float(np.nanmean(self._held_out.scores(pooled)))
