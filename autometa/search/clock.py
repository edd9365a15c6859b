"""How long everything may take: pure arithmetic on a budget and on what the best trial so far took.

Law: without a time budget and a limit on trials nothing here depends on the time, so that a search with a trial budget
repeats exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autometa.search.budget import Budget
from autometa.search.options import OPTIONS, SearchOptions

if TYPE_CHECKING:
    from autometa.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Clock:
    """The times of one search, in seconds; infinite where there is no limit.

    Args:
        budget: What may be spent, with what a resumed run was granted later, and since when.
        seconds: The time budget that was asked for at first; None for none.
        trial_seconds: Longest that one trial may take; None for no limit.
        growth: How many times the rows of a fold's training side the whole table has (`Splits.growth`).
        options: The tuned numbers.
        rows: Of the whole table; 0 where no trial learns from fewer.

    Example:
        >>> now = iter([20.0, 20.0, 40.0, 40.0])
        >>> clock = Clock(Budget(60.0, None, 0.0, lambda: next(now)), 60.0, None)
        >>> clock.longest, clock.left_to_search(None), clock.deadline(None), clock.may_begin(None, begun=3)
        (15.0, 34.0, 17.0, True)
    """

    budget: Budget
    seconds: float | None
    trial_seconds: float | None
    growth: float = 1.0
    options: SearchOptions = OPTIONS
    rows: int = 0

    @property
    def longest(self) -> float:
        """Seconds that a trial should take at most."""
        total = math.inf if self.seconds is None else self.options.trial_share * self.seconds
        return min(total, self.trial_seconds or math.inf)

    @property
    def to_describe(self) -> float:
        """Seconds for computing meta-features."""
        if self.seconds is None:
            return self.options.unhurried
        return min(self.options.describe_seconds, self.options.describe_share * self.seconds)

    def left_to_search(self, best: Evaluation | None) -> float:
        """Seconds for more trials, less what fitting the best so far, and others beside it, on all rows takes.

        None is kept where its models know nearly all rows as it is. Without a best one there is little to put together.
        """
        if self.seconds is None:
            return math.inf
        wanted = 0.0
        if best is not None and self.lacking(best) > self.options.as_good_as_all:
            there = self.options.refit_reserve * self.budget.crowded_reserve
            wanted = max(self.options.refit_margin * self.options.refit_members * self.to_refit(best) - there, 0.0)
        most = self.options.refit_share * self.seconds
        if wanted > most and best is not None and best.rows < self.rows:  # it goes on with more rows before that
            wanted = 0.0
        kept = self.budget.reserve if best is None else self.budget.crowded_reserve
        return self.budget.left - kept - min(wanted, most)

    def may_begin(self, best: Evaluation | None, *, begun: int, quickest: float = 0.0) -> bool:
        """Whether trials are left for another, `begun` having begun, and time in which one may come to an end.

        The quickest that did took so many seconds; what is killed late is time that the final model lacks.
        """
        return self.left_to_search(best) > self.options.least_left * quickest and self.has_trials(begun)

    def has_trials(self, begun: int) -> bool:
        """Whether the trial budget, if there is one, allows another trial after `begun` trials."""
        return self.budget.trials is None or begun < self.budget.trials

    def deadline(self, best: Evaluation | None, longest: float | None = None) -> float:
        """Seconds after which the next trial is killed, which should take `longest` at most; None for `longest`."""
        limits = [self.trial_seconds or math.inf]
        if self.seconds is None:
            limits.append(self.options.unhurried)
        else:
            left = self.left_to_search(best)
            first = max(self.options.first_share * left, self.options.least_first)
            limits += [left, first if best is None else self.options.grace * (longest or self.longest)]
        return max(min(limits), self.options.shortest)

    def patience(self, best: Evaluation | None, deadline: float) -> float:
        """Seconds by which a trial may pass its deadline on a crowded machine: as many again, while there are."""
        if self.seconds is None:
            return 0.0
        return max(min(deadline, self.left_to_search(best) - deadline), 0.0)

    def to_grow(self, deadline: float, longest: float | None = None) -> float | None:
        """Seconds that a learner which can end early should aim at under a deadline; None for no aim."""
        return None if math.isinf(self.longest) else min(deadline, longest or self.longest)

    @property
    def longest_on_sample(self) -> float:
        """Seconds that a trial should take at most which learns from a part of the rows only."""
        return self.longest * self.options.sample_trial_share

    @property
    def to_first_model(self) -> float:
        """Seconds for the model that is there before any trial."""
        if self.seconds is None:
            return self.options.unhurried
        share = max(self.options.first_model_share * self.seconds, self.options.first_model_least)
        return min(share, max(self.budget.left_to_search, self.options.first_model_late))

    def to_refit(self, evaluation: Evaluation) -> float:
        """Seconds that fitting an evaluated configuration on all rows is expected to take."""
        return evaluation.fit_seconds / evaluation.n_folds * self.lacking(evaluation)

    def lacking(self, evaluation: Evaluation) -> float:
        """How many times the rows that its models learned from the whole table has."""
        return self.growth * max(self.rows / max(evaluation.rows, 1), 1.0)

    @property
    def left_to_refit(self) -> float:
        """Seconds left for fitting the members of the final model on all rows."""
        if self.seconds is None:
            return self.options.unhurried
        return self.budget.left - self.options.refit_until * self.budget.crowded_reserve

    @property
    def too_late_to_choose(self) -> bool:
        """Whether the ensemble should be settled, because what comes after it needs the time."""
        return self.budget.left < self.options.ensemble_until * self.budget.crowded_reserve
