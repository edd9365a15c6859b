"""Rows that grow: a large table is searched on a sample, and what is promising goes on with more rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from autometa.evaluation import Evaluation, State, places, plan_splits, sampled
from autometa.search.options import OPTIONS
from autometa.search.plan import SearchPlan
from autometa.search.rungs import Rungs
from autometa.search.settings import Settings, TrialRow
from autometa.task import make_task


def table(n: int, **columns):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    return X, (X["a"] + rng.normal(size=n) > 1.5).astype(int).to_numpy()


def trial(number: int, score: float, rows: int, seconds: float = 1.0, state: State = State.COMPLETE) -> TrialRow:
    scores = {"roc_auc": score} if state is State.COMPLETE else {}
    config = {"family": "knn", "knn.n_neighbors": number}
    evaluation = Evaluation(config, state, None, scores, {"roc_auc": (score,)}, seconds, 0.0, 0, 0, rows, {})
    return TrialRow(number, evaluation, "search", "", 0.0, 1.0)


# ------------------------------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_larger_sample_holds_every_smaller_one_and_keeps_the_shares(kind):
    X, y = table(4000)
    task = make_task(X, y=y if kind == "classes" else X["b"].to_numpy(), name="t")
    place, splits = places(task, seed=3), plan_splits(task, seed=3, folds=5)
    few, more = sampled(splits, place, 400), sampled(splits, place, 1600)
    assert (few.train <= more.train).all()
    assert (more.train <= splits.train).all()
    assert (few.test == splits.test).all()
    assert few.train.sum() == pytest.approx(0.1 * splits.train.sum(), rel=0.02)
    if kind == "classes":
        assert y[few.train[0]].mean() == pytest.approx(y.mean(), abs=0.01)


def test_the_rarest_class_is_in_every_sample():
    X, _ = table(2000)
    y = np.array(["no"] * 1997 + ["rare", "rare", "once"])
    task = make_task(X, y=y, name="t", keep_lone_classes=True)
    assert set(y[places(task, seed=0) < 0.001]) == {"no", "rare", "once"}


def test_groups_are_taken_whole():
    X, y = table(3000)
    task = make_task(X.assign(who=np.arange(3000) // 7), y=y, name="t", group="who")
    splits = plan_splits(task, seed=0, folds=3)
    learned = sampled(splits, places(task, seed=0), 600).train
    groups = np.asarray(task.groups)
    for fold in range(3):
        inside = set(groups[learned[fold]])
        assert not inside & set(groups[splits.train[fold] & ~learned[fold]])
    assert learned.sum() == pytest.approx(0.2 * splits.train.sum(), rel=0.1)


def test_time_order_is_kept():
    X, y = table(3000)
    task = make_task(X.assign(day=pd.date_range("2020", periods=3000, freq="h")), y=y, name="t", time_order="day")
    splits = plan_splits(task, seed=0, folds=3)
    time = np.asarray(task.time_order)
    for train, test in sampled(splits, places(task, seed=0), 500):
        assert time[train].max() < time[test].min()
        assert len(train) < 500


def test_a_sample_of_almost_nothing_still_learns_from_two_rows():
    X, y = table(1000)
    task = make_task(X, y=y, name="t")
    assert (sampled(plan_splits(task, seed=0, folds=5), places(task, seed=0), 1).train.sum(axis=1) >= 2).all()


# --------------------------------------------------------------------------------------------------------------- rungs


def plan(n: int, seconds: float | None = 60.0, trials: int | None = None):
    X, y = table(n)
    task = make_task(X, y=y, name="t")
    settings = Settings(seconds=seconds, trials=trials)
    return task, settings, SearchPlan.of(task, settings, 2)


def test_a_small_table_has_one_rung():
    rungs = Rungs.of(*plan(OPTIONS.sampled_from - 1))
    assert not rungs.samples
    assert (
        rungs.climb([trial(k, k / 10, rungs.rows) for k in range(9)], "roc_auc", begun=set(), left=9e9, longest=9e9)
        is None
    )


def test_without_a_time_budget_nothing_is_sampled():
    assert Rungs.of(*plan(50_000, seconds=None, trials=3)).ladder == (50_000,)


def test_the_shorter_the_budget_the_fewer_rows():
    rows = [Rungs.of(*plan(400_000, seconds=seconds)).rows for seconds in (0.05, 5.0, 1e6)]
    assert rows[0] < rows[1] < rows[2] == 400_000
    assert rows[0] >= OPTIONS.sampled_from / OPTIONS.halving


def test_a_search_that_goes_on_stays_on_its_rung():
    task, settings, planned = plan(400_000, seconds=1e6)
    ladder = Rungs.of(task, settings, planned).ladder
    seen = [trial(0, 0.8, ladder[0])]
    assert Rungs.of(task, settings, planned, seen).rows == ladder[0]


def test_the_best_quarter_goes_on_and_each_once():
    rungs = Rungs((10, 40, 160), 0)
    trials = [trial(k, 0.5 + k / 100, 10) for k in range(8)]
    begun: set[tuple[int, int]] = set()
    went = []
    while up := rungs.climb(trials, "roc_auc", begun=begun, left=1e6, longest=1e6):
        begun.add((up.row.number, up.rows))
        went.append((up.row.number, up.rows, up.seconds))
    assert went == [(7, 40, 4.0), (6, 40, 4.0)]
    assert rungs.climb(trials[:3], "roc_auc", begun=set(), left=1e6, longest=1e6) is None  # three have no best quarter


def test_one_that_went_on_in_vain_leaves_its_place_to_the_next():
    rungs = Rungs((10, 40), 0)
    trials = [trial(k, 0.5 + k / 100, 10) for k in range(4)]
    vain = [*trials, replace(trial(4, math.nan, 40, state=State.TIMEOUT), grown_from=(3, 40))]
    up = rungs.climb(vain, "roc_auc", begun={(3, 40)}, left=1e6, longest=1e6)
    assert up is not None
    assert up.row.number == 2
    came = [*trials, replace(trial(4, 0.9, 40), grown_from=(3, 40))]
    assert rungs.climb(came, "roc_auc", begun={(3, 40)}, left=1e6, longest=1e6) is None


def test_boosting_may_be_expected_to_take_longer_for_it_is_cut_to_the_time():
    rungs = Rungs((10, 40), 0)
    plain = [trial(k, 0.5, 10) for k in range(4)]
    config = {"family": "lightgbm", "lightgbm.n_estimators": 100, "lightgbm.learning_rate": 0.1}
    boosted = [replace(row, evaluation=replace(row.evaluation, config=config)) for row in plain]
    assert rungs.climb(plain, "roc_auc", begun=set(), left=1e6, longest=3.0) is None
    assert rungs.climb(boosted, "roc_auc", begun=set(), left=1e6, longest=3.0) is not None


def test_what_takes_too_long_or_came_to_no_end_does_not_go_on():
    rungs = Rungs((10, 40), 0)
    trials = [trial(k, 0.5, 10) for k in range(4)]
    assert rungs.climb(trials, "roc_auc", begun=set(), left=1e6, longest=3.9) is None
    failed = [trial(k, math.nan, 10, state=State.TIMEOUT) for k in range(8)]
    assert rungs.climb(failed, "roc_auc", begun=set(), left=1.0, longest=1.0) is None


def test_what_the_memory_knows_of_a_family_says_what_more_rows_take():
    linear = Rungs((10, 40, 160), 0)
    root = replace(linear, growth={"knn": 0.5, "linear": 2.0})
    trials = [trial(k, 0.5 + k / 100, 10) for k in range(4)]

    def climb(rungs, left, longest):
        return rungs.climb(trials, "roc_auc", begun=set(), left=left, longest=longest)

    assert climb(linear, 1e6, 3.0) is None
    assert (up := climb(root, 1e6, 3.0)) is not None
    assert (up.row.number, up.rows, up.seconds) == (3, 40, 2.0)
    assert root.at(1).growth == root.growth
    late, sooner = (climb(rungs, 6.5, 1.0) for rungs in (linear, root))
    assert (late.rows, late.seconds) == (50, 5.0)
    assert (sooner.rows, sooner.seconds) == (160, 4.0)


def test_before_the_time_is_over_the_best_goes_as_far_up_as_it_can():
    rungs = Rungs((10, 40, 160), 0)
    trials = [trial(0, 0.9, 10, seconds=1.0), trial(1, 0.8, 10)]

    def climb(left, begun=frozenset()):
        up = rungs.climb(trials, "roc_auc", begun=begun, left=left, longest=10.0)
        return None if up is None else (up.row.number, up.rows)

    assert climb(100.0) is None  # there is time yet
    assert climb(25.0) == (0, 160)
    number, rows = climb(13.0)
    assert (number, rows) == (0, 100)  # which takes 10 of the 13 seconds
    assert climb(1.5) is None  # hardly more rows than it knows
    assert climb(13.0, begun={(0, 40)}) == (1, 100)  # it has gone on, so the next one does
