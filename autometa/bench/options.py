"""The tuned numbers of the bench: how long a cell may take, what counts as a difference, and how much a report lists.

Those of the methods stand in `methods`, which runs where nothing of AutoMeta is installed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Deadlines, shares and levels; `OPTIONS` are those in use."""

    # Seconds after which a cell of a timed method is killed: so many times its budget, and so many more. Judgement, not
    # measured: later than that nobody should be, and imports from a cold disk are paid.
    deadline_budgets: float = 2.0
    deadline_grace: float = 60.0
    # The longest that a method without a budget may take, in seconds. Judgement, not measured.
    untimed_seconds: float = 900.0
    # Of the free memory, what the cells may take together unless a cap is named. Judgement, not measured: the rest is
    # the parent's, which holds one table.
    ram_share: float = 0.9
    # Characters of a failure's last words. Judgement, not measured.
    reason_letters: int = 400
    # Level of significance. Demsar (2006), as everywhere.
    level: float = 0.05
    # Scores closer than this on the scale 0 = constant, 1 = best are no difference. Judgement, not measured.
    tie: float = 1e-4
    # Tasks from which on Wilcoxon's test with two sides can reach `level`: 2 / 2^5 = .0625, 2 / 2^6 = .03125. Of fewer
    # there is no test, no critical difference and no interval.
    fewest_tasks: int = 6
    # Draws of the bootstrap over datasets that gives the 95 % interval of an average rank. Judgement, not measured.
    draws: int = 2000
    # Failed cells that a report lists. Judgement, not measured.
    failures: int = 200


OPTIONS = BenchOptions()
