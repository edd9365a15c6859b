"""How many rows a configuration learns from: a sample at first, more where that is promising and there is time.

The rows of a large table make a ladder, each rung four times the one below. A new configuration is tried on the base
rung, where one costs a few hundredths of the budget; from there the better ones climb, as in asynchronous successive
halving (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2: the best quarter of a
rung goes on). Before the time for it is over the best so far goes up as far as the time allows. All rungs predict the
same rows, so scores of different rungs compare the models that answer. How much longer a configuration takes with more
rows is what the memory knows of its family (`transfer.growth`): boosting that stops early may climb where a forest has
no time to.

Law: without a time budget, and below `SearchOptions.sampled_from` rows, there is one rung, which is the whole table.

Letters:  n rows of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation import Splits, crowding, places, sampled
from autometa.families import rounds_of
from autometa.origins import Origin
from autometa.search.options import OPTIONS, SearchOptions
from autometa.search.plan import SearchPlan
from autometa.search.result import leaderboard
from autometa.search.settings import Settings, TrialRow
from autometa.space import FAMILY
from autometa.task import Task


@dataclass(frozen=True, slots=True)
class Climb:
    """A configuration that goes on with more rows."""

    row: TrialRow  # the trial that was promising
    rows: int  # that it learns from next
    seconds: float  # that it is expected to take


@dataclass(frozen=True, slots=True)
class Rungs:
    """The rows of the rungs, and from which one new configurations start.

    Example:
        >>> rungs = Rungs((12_500, 50_000, 200_000), base=0)
        >>> rungs.rows, rungs.moved(took=0.02, aim=2.4).rows, rungs.moved(took=30.0, aim=2.4).rows
        (12500, 200000, 12500)
    """

    ladder: tuple[int, ...]  # ascending; the last is the whole table
    base: int = 0  # a position in it
    options: SearchOptions = OPTIONS
    growth: Mapping[str, float] = field(default_factory=dict)  # of a family's seconds: the power of the rows

    @classmethod
    def of(cls, task: Task, settings: Settings, plan: SearchPlan, trials: Sequence[TrialRow] = ()) -> Rungs:
        """The ladder of a table, and the rung where a trial is expected to take its share of the budget.

        `trials` are those of a search that goes on: it stays on its rung.
        """
        options = plan.options
        ladder = [task.n]
        while settings.seconds is not None and ladder[0] >= options.sampled_from:
            ladder.insert(0, round(ladder[0] / options.halving))
        rungs = cls(tuple(ladder), len(ladder) - 1, options)
        if len(ladder) == 1:
            return rungs
        for row in sorted(trials, key=lambda row: -row.number):
            if row.origin != Origin.GROWN and row.evaluation.rows in ladder:
                return rungs.at(ladder.index(row.evaluation.rows))
        cells = task.n * max(task.p, 1) * max(task.c / 2, 1.0) * len(plan.splits)
        expected = cells / options.boosted_cells / min(plan.threads, 2) * crowding()
        return rungs.moved(expected, options.sample_share * settings.seconds)  # type: ignore[operator]

    @property
    def rows(self) -> int:
        """That a new configuration learns from."""
        return self.ladder[self.base]

    @property
    def samples(self) -> bool:
        """Whether a new configuration learns from a part of the rows."""
        return self.base < len(self.ladder) - 1

    @property
    def n(self) -> int:
        """Of the whole table."""
        return self.ladder[-1]

    def at(self, base: int) -> Rungs:
        """The same ladder from another rung on."""
        return replace(self, base=base)

    def moved(self, took: float, aim: float) -> Rungs:
        """From the highest rung where what took so many seconds on the present one takes about `aim` or less."""
        seconds = [took * rows / self.rows for rows in self.ladder]
        within = [base for base, expected in enumerate(seconds) if expected <= self.options.sample_slack * aim]
        return self.at(max(within, default=0))

    def climb(
        self, trials: Sequence[TrialRow], metric: str, *, begun: Set[tuple[int, int]], left: float, longest: float
    ) -> Climb | None:
        """The trial that should go on with more rows now, if one should.

        Args:
            trials: That have finished.
            metric: Of the task.
            begun: Numbers of trials that have gone on, and with how many rows.
            left: Seconds for more trials.
            longest: Seconds that one trial should take at most.
        """
        if not self.samples:
            return None
        ranked = leaderboard(trials, metric)
        ended = {row.grown_from for row in trials if row.grown_from is not None}
        vain = ended - {row.grown_from for row in ranked}
        return self._late(ranked, begun, left) or self._promising(ranked, begun, vain, left, min(left, longest))

    def _promising(
        self,
        ranked: Sequence[TrialRow],
        begun: Set[tuple[int, int]],
        vain: Set[tuple[int, int]],
        left: float,
        longest: float,
    ) -> Climb | None:
        """From the highest rung down, the best of a rung that has not gone on yet, as many as a quarter of its trials.

        One that went on in vain does not count. Boosting may be expected to take longer than a trial should: it gets
        the rounds that there is time for.
        """
        for rows, more in reversed(list(pairwise(self.ladder))):
            here = [row for row in ranked if row.evaluation.rows == rows]
            went = [row for row in here if (row.number, more) in begun]
            places, lost = len(here) // self.options.halving, sum((row.number, more) in vain for row in went)
            if len(went) - lost >= places:
                continue
            for row in here[: places + lost]:
                up, boosted = self._to(row, more), rounds_of(row.evaluation.config) is not None
                most = min(self.options.boosted_climb * longest, left) if boosted else longest
                if row not in went and up.seconds <= most:
                    return up
        return None

    def _late(self, ranked: Sequence[TrialRow], begun: Set[tuple[int, int]], left: float) -> Climb | None:
        """The best so far, on as many rows as there is time for, once there will soon be no time for it any more.

        Where not even twice its rows can be had, it stays; where it has gone on in vain, the next one goes.
        """
        options, tried = self.options, {number for number, _ in begun}
        for row in ranked:
            known, took, start = row.evaluation.rows, max(row.evaluation.seconds, 1e-9), _start(row)
            if known >= self.n:
                return None
            if row.number in tried:
                continue
            times = max(left / options.last_climb - start, 0.0) / took
            most = int(min(self.n, known * times ** (1 / self._power(row))))
            soon = left < options.last_climb * options.last_climb * self._to(row, self.n).seconds
            return self._to(row, most) if soon and most >= options.least_climb * known else None
        return None

    def _to(self, row: TrialRow, rows: int) -> Climb:
        more = (rows / max(row.evaluation.rows, 1)) ** self._power(row)
        return Climb(row, rows, _start(row) + row.evaluation.seconds * more)

    def _power(self, row: TrialRow) -> float:
        return self.growth.get(row.evaluation.config[FAMILY], 1.0)


class Samples:
    """The splits of a search with fewer rows to learn from."""

    def __init__(self, task: Task, splits: Splits, seed: int) -> None:
        """Draws nothing until it is asked."""
        self.task, self.splits, self.seed = task, splits, seed

    def of(self, rows: int) -> Splits:
        """As of a table of so many rows (`sampled`)."""
        return self.splits if rows >= self.task.n else sampled(self.splits, self._places, rows)

    @cached_property
    def _places(self) -> NDArray[np.float64]:
        return places(self.task, seed=self.seed)


def _start(row: TrialRow) -> float:
    """Seconds that a trial took beside fitting and predicting: its process, libraries, the table."""
    return max(row.finished - row.started - row.evaluation.seconds, 0.0)
