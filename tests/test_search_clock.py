"""The clock of a search is arithmetic: how long for what, in tables, without waiting for anything."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from autometa.evaluation import Evaluation, State
from autometa.search import SearchPlan, Settings
from autometa.search.budget import Budget
from autometa.search.clock import Clock
from autometa.search.options import OPTIONS
from autometa.search.plan import default_jobs
from autometa.task import make_task


def a_clock(seconds: float | None, elapsed: float, *, trials=None, trial_seconds=None, granted=0.0) -> Clock:
    """So many seconds after its start, of a search whose folds learn from four fifths of the rows."""
    total = None if seconds is None else seconds + granted
    return Clock(Budget(total, trials, 100.0, lambda: 100.0 + elapsed), seconds, trial_seconds, growth=1.25)


def complete(fit_seconds: float, folds: int = 5) -> Evaluation:
    """An evaluation whose fits took so many seconds together."""
    return Evaluation(
        {"family": "knn"}, State.COMPLETE, None, {"f1": 0.5}, {"f1": (0.5,) * folds}, fit_seconds, 0.0, 0, 0, 9, {}
    )


@pytest.mark.parametrize(
    ("seconds", "elapsed", "best", "left"),
    [
        (None, 1e9, None, math.inf),
        (None, 1e9, complete(1e9), math.inf),
        (60.0, 10.0, None, 44.0),  # 6 s are set aside
        (60.0, 10.0, complete(4.0), 44.0),  # two and a half refits of a second fit into what is set aside
        (60.0, 10.0, complete(10.0), 39.5),  # as many of 2.5 s, and a fifth more, less half of the reserve
        (60.0, 10.0, complete(4000.0), 32.0),  # but never more than a fifth of the budget
        (60.0, 58.0, None, -4.0),
        (4.0, 0.0, None, 3.0),  # a second at least
        (3600.0, 0.0, None, 3570.0),  # half a minute at most
    ],
)
def test_time_is_kept_for_what_comes_after_the_trials(seconds, elapsed, best, left):
    assert a_clock(seconds, elapsed).left_to_search(best) == pytest.approx(left)


@pytest.mark.parametrize(("crowding", "kept"), [(1.0, 6.0), (2.0, 12.0), (8.0, 15.0), (0.5, 6.0)])
def test_more_time_is_kept_on_a_crowded_machine(crowding, kept):
    clock = Clock(Budget(60.0, None, 0.0, lambda: 0.0, crowding), 60.0, None)
    assert clock.left_to_search(complete(0.1)) == 60.0 - kept
    assert clock.left_to_search(None) == 54.0  # as long as there is nothing to put together


@pytest.mark.parametrize(
    ("seconds", "trial_seconds", "longest", "growth"),
    [(None, None, math.inf, None), (None, 20.0, 20.0, 20.0), (60.0, None, 15.0, 15.0), (60.0, 8.0, 8.0, 8.0)],
)
def test_a_trial_should_take_a_quarter_of_the_budget_and_no_longer_than_its_limit(
    seconds, trial_seconds, longest, growth
):
    clock = a_clock(seconds, 0.0, trial_seconds=trial_seconds)
    assert clock.longest == longest
    assert clock.to_grow(600.0) == growth
    assert clock.to_grow(1.0) == (None if growth is None else 1.0)


@pytest.mark.parametrize(
    ("seconds", "elapsed", "trial_seconds", "best", "deadline"),
    [
        (None, 5.0, None, None, 600.0),  # a hang ends
        (None, 5.0, 20.0, None, 20.0),
        (60.0, 10.0, None, None, 22.0),  # half of what is left, so that there is a next try
        (60.0, 10.0, None, complete(0.1), 22.5),  # half as long again as it should take
        (60.0, 40.0, None, complete(0.1), 14.0),  # what is left
        (60.0, 10.0, 3.0, complete(0.1), 3.0),
        (6.0, 2.5, None, None, 2.0),  # two seconds at least, while there are
        (6.0, 4.95, None, None, 0.1),
    ],
)
def test_a_deadline_leaves_time_for_another_try(seconds, elapsed, trial_seconds, best, deadline):
    assert a_clock(seconds, elapsed, trial_seconds=trial_seconds).deadline(best) == pytest.approx(deadline)


@pytest.mark.parametrize(
    ("seconds", "elapsed", "best", "patience"),
    [
        (None, 5.0, None, 0.0),  # without a time budget nothing depends on the time
        (60.0, 10.0, None, 22.0),  # the other half
        (60.0, 10.0, complete(0.1), 21.5),
        (60.0, 40.0, None, 7.0),
        (60.0, 40.0, complete(0.1), 0.0),  # nothing would be left
    ],
)
def test_on_a_crowded_machine_a_trial_may_be_as_late_again_as_there_is_time(seconds, elapsed, best, patience):
    clock = a_clock(seconds, elapsed)
    assert clock.patience(best, clock.deadline(best)) == pytest.approx(patience)


@pytest.mark.parametrize(
    ("seconds", "elapsed", "trials", "begun", "may"),
    [
        (None, 1e9, 6, 5, True),
        (None, 0.0, 6, 6, False),
        (60.0, 10.0, None, 10_000, True),
        (60.0, 54.0, None, 0, False),
        (60.0, 10.0, 6, 6, False),
    ],
)
def test_a_trial_begins_while_both_budgets_allow_it(seconds, elapsed, trials, begun, may):
    assert a_clock(seconds, elapsed, trials=trials).may_begin(None, begun=begun) is may


@pytest.mark.parametrize(("quickest", "may"), [(0.0, True), (7.9, True), (8.1, False)])
def test_no_trial_begins_where_half_of_the_quickest_is_not_left(quickest: float, may: bool) -> None:
    clock = a_clock(60, 50)
    assert clock.left_to_search(None) == 4.0
    assert clock.may_begin(None, begun=3, quickest=quickest) is may


def test_what_was_granted_later_lengthens_the_search_and_not_the_trials():
    clock = a_clock(60.0, 60.0, granted=60.0)
    assert clock.left_to_search(None) == pytest.approx(52.8)  # of a hundred and twenty seconds 7.2 are set aside
    assert clock.longest == 15.0


@pytest.mark.parametrize(("seconds", "limit"), [(None, 600.0), (60.0, 1.0), (4.0, 0.2)])
def test_looking_at_the_table_takes_a_twentieth_of_the_budget_at_most(seconds, limit):
    assert a_clock(seconds, 0.0).to_describe == pytest.approx(limit)


def test_a_refit_takes_as_much_longer_as_it_has_more_rows():
    clock = a_clock(60.0, 50.0)
    assert clock.to_refit(complete(20.0)) == pytest.approx(5.0)
    assert clock.to_refit(complete(20.0, folds=1)) == pytest.approx(25.0)
    assert clock.left_to_refit == pytest.approx(7.6)
    assert a_clock(None, 1e9).left_to_refit == 600.0


@pytest.mark.parametrize(("seconds", "elapsed", "late"), [(None, 1e9, False), (60.0, 56.0, False), (60.0, 57.0, True)])
def test_choosing_ends_while_there_is_time_to_fit(seconds, elapsed, late):
    assert a_clock(seconds, elapsed).too_late_to_choose is late


@pytest.mark.parametrize(
    ("seconds", "elapsed", "limit"),
    [(None, 1e9, 600.0), (60.0, 0.0, 6.0), (10.0, 0.0, 2.0), (5.0, 3.0, 1.0), (5.0, 5.0, 0.5), (0.01, 9.0, 0.5)],
)
def test_the_first_model_takes_a_tenth_of_the_budget_or_two_seconds(seconds, elapsed, limit):
    assert a_clock(seconds, elapsed).to_first_model == pytest.approx(limit)


@pytest.fixture
def wide():
    rng = np.random.default_rng(0)
    return make_task(pd.DataFrame(rng.normal(size=(3000, 100))).add_prefix("c"), y=rng.normal(size=3000), name="wide")


def test_a_plan_shares_the_cpus_out_among_trials_and_fits(wide):
    plan = SearchPlan.of(wide, Settings(seconds=60.0, families=("knn",)), cpus=8)
    assert (plan.jobs, plan.threads, plan.threads_for(2), plan.threads_for(100)) == (8, 1, 4, 1)
    plan = SearchPlan.of(wide, Settings(seconds=60.0, families=("knn",), jobs=3, max_ram=2_100_000_000), cpus=8)
    assert (plan.jobs, plan.threads, plan.trial_ram(600_000_000)) == (3, 2, 500_000_000)
    assert plan.trial_ram(2_000_000_000) == OPTIONS.least_ram  # a trial cannot do with less


@pytest.mark.parametrize(("max_ram", "jobs"), [(None, 8), (64 * 10**9, 8), (2 * 10**9, 3), (10**9, 1)])
def test_no_more_trials_run_side_by_side_than_there_is_memory_for(wide, max_ram, jobs):
    assert default_jobs(wide, Settings(seconds=60.0, max_ram=max_ram), 8) == jobs


@pytest.mark.parametrize(("seconds", "jobs"), [(None, 1), (60.0, 8), (5.0, 1)])
def test_trials_run_side_by_side_where_each_is_light_for_the_time(wide, seconds, jobs):
    assert default_jobs(wide, Settings(seconds=seconds, trials=5), 8) == jobs
