"""Splits never let a fold see what it is judged on, and hold every class, group and point in time to its side."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies

from autometa.errors import InputError
from autometa.evaluation import plan_splits


def table(y, *, kind="multiclass", p=3, groups=None, time_order=None):
    """What planning looks at of a task."""
    y = np.asarray(y)
    return SimpleNamespace(y=y, n=len(y), p=p, kind=kind, groups=groups, time_order=time_order, validation=0)


labels = strategies.lists(strategies.integers(0, 3), min_size=5, max_size=80)


@given(y=labels, seed=strategies.integers(0, 9), folds=strategies.sampled_from([None, 1, 2, 5]))
def test_no_row_is_on_both_sides_and_each_is_predicted_once_per_repeat(y, seed, folds):
    splits = plan_splits(table(y), seed=seed, folds=folds)
    times = np.zeros(len(y), dtype=int)
    for train, test in splits:
        assert len(np.intersect1d(train, test)) == 0
        assert len(train) + len(test) == len(y)
        assert len(train) > 0
        assert len(test) > 0
        times[test] += 1
    assert times.max() == 1 if folds == 1 else len(set(times)) == 1


@given(y=labels, seed=strategies.integers(0, 9), k=strategies.integers(2, 5))
def test_every_fold_predicts_its_share_of_every_class_to_within_a_row(y, seed, k):
    splits = plan_splits(table(y), seed=seed, folds=k)
    for level in set(y):
        counts = [np.sum(np.asarray(y)[test] == level) for _, test in splits]
        assert max(counts) - min(counts) <= 1


def test_a_class_of_two_rows_is_learned_from_in_every_fold():
    y = [0] * 40 + [1] * 2
    assert all(1 in np.asarray(y)[train] for train, _ in plan_splits(table(y), seed=0))


def test_a_regression_target_is_spread_evenly():
    y = np.random.default_rng(0).gamma(1.0, size=1000)
    means = [y[test].mean() for _, test in plan_splits(table(y, kind="regression"), seed=0)]
    unstratified = [part.mean() for part in np.array_split(np.random.default_rng(1).permutation(y), 5)]
    assert np.std(means) < np.std(unstratified) / 2


def test_the_same_seed_plans_the_same_and_another_seed_another():
    one, same, other = (plan_splits(table(np.arange(50) % 3), seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.test, same.test)
    assert not np.array_equal(one.test, other.test)


def test_repeats_differ():
    splits = plan_splits(table(np.arange(300) % 2), seed=0)
    assert not np.array_equal(splits.test[:5], splits.test[5:])


@pytest.mark.parametrize(
    ("n", "p", "fits", "said"),
    [
        (150, 4, 15, "5-fold cross-validation, stratified by class, repeated 3 times"),
        (400, 4, 10, "5-fold cross-validation, stratified by class, repeated twice"),
        (1000, 4, 5, "5-fold cross-validation, stratified by class"),
        (1000, 5000, 3, "3-fold cross-validation, stratified by class"),
        (20_000, 4, 3, "3-fold cross-validation, stratified by class"),
        (50_000, 4, 1, "hold-out of 10% of the rows, stratified by class"),
        (5_000, 5_000, 1, "hold-out of 20% of the rows, stratified by class"),
    ],
)
def test_the_larger_the_table_the_fewer_the_fits(n, p, fits, said):
    splits = plan_splits(table(np.arange(n) % 2, p=p), seed=0)
    assert (splits.n_folds, len(splits), splits.n, splits.description) == (fits, fits, n, said)
    assert splits.growth == pytest.approx(n / len(splits[0][0]), rel=0.02)


@pytest.mark.parametrize(
    ("n", "held"), [(100, 20), (10_000, 2_000), (20_000, 2_500), (40_000, 4_000), (90_000, 9_000), (400_000, 10_000)]
)
def test_a_hold_out_takes_what_it_needs_and_leaves_the_rest_to_learn_from(n, held):
    splits = plan_splits(table(np.arange(n) % 2), seed=0, folds=1)
    assert splits.test.sum() == pytest.approx(held, rel=0.01)


def test_fewer_rows_than_folds_make_fewer_folds():
    assert len(plan_splits(table([0, 1, 0]), seed=0, folds=5)) == 3


def test_one_row_cannot_be_split():
    with pytest.raises(InputError, match="1 cannot be split"):
        plan_splits(table([0]), seed=0)


@given(
    groups=strategies.lists(strategies.integers(0, 7), min_size=8, max_size=60).filter(lambda g: len(set(g)) > 1),
    seed=strategies.integers(0, 9),
    folds=strategies.sampled_from([None, 1, 3]),
    kind=strategies.sampled_from(["multiclass", "regression"]),
)
def test_no_group_is_on_both_sides(groups, seed, folds, kind):
    groups = np.array(groups)
    y = np.random.default_rng(0).integers(3, size=len(groups))
    splits = plan_splits(table(y, kind=kind, groups=groups), seed=seed, folds=folds)
    for train, test in splits:
        assert len(train) > 0
        assert len(test) > 0
        assert not set(groups[train]) & set(groups[test])
    assert "groups kept whole" in splits.description


def test_groups_are_dealt_so_that_folds_are_alike():
    rng = np.random.default_rng(0)
    groups = rng.integers(100, size=2000)
    y = (rng.random(2000) < 0.2).astype(int)
    for _, test in plan_splits(table(y, kind="binary", groups=groups), seed=0):
        assert len(test) == pytest.approx(400, abs=20)
        assert y[test].mean() == pytest.approx(y.mean(), abs=0.02)


def test_groups_of_one_class_each_still_fill_folds_evenly():
    groups = np.repeat(np.arange(50), 20)
    sizes = [len(test) for _, test in plan_splits(table(groups, groups=groups), seed=0)]
    assert sizes == [200] * 5


def test_fewer_groups_than_folds_make_fewer_folds():
    assert len(plan_splits(table(np.arange(600) % 2, groups=np.arange(600) % 3), seed=0)) == 3


def test_one_group_cannot_be_split():
    with pytest.raises(InputError, match="all rows are of one group"):
        plan_splits(table(np.arange(20) % 2, groups=np.zeros(20)), seed=0)


@given(
    time=strategies.lists(strategies.integers(0, 30), min_size=6, max_size=60).filter(lambda t: len(set(t)) > 1),
    folds=strategies.sampled_from([None, 1, 3]),
)
def test_nothing_is_learned_from_a_row_as_late_as_one_that_is_predicted(time, folds):
    time = np.array(time, dtype=float)
    splits = plan_splits(table(np.arange(len(time)) % 2, time_order=time), seed=0, folds=folds)
    for train, test in splits:
        assert len(train) > 0
        assert len(test) > 0
        assert time[train].max() < time[test].min()
    assert splits.test.sum(axis=0).max() == 1


def test_windows_expand_to_the_end():
    splits = plan_splits(table(np.arange(600) % 2, time_order=np.arange(600.0)), seed=0)
    assert [len(train) for train, _ in splits] == [100, 200, 300, 400, 500]
    assert [len(test) for _, test in splits] == [100] * 5
    assert splits.description == "5 folds in time order, each predicted from all rows before it"


def test_one_instant_cannot_be_split():
    with pytest.raises(InputError, match="all rows have the same time"):
        plan_splits(table(np.arange(20) % 2, time_order=np.ones(20)), seed=0)


def test_groups_in_time_order_are_held_apart_in_both():
    rng = np.random.default_rng(0)
    groups, time = rng.integers(12, size=400), rng.random(400)
    splits = plan_splits(table(np.arange(400) % 2, groups=groups, time_order=time), seed=0)
    assert len(splits) == 5
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
        assert time[train].max() < time[test].min()


def test_groups_that_follow_one_another_cannot_be_held_apart_in_both():
    groups = np.arange(40) % 2
    with pytest.raises(InputError, match="Give only one of them"):
        plan_splits(table(groups, groups=groups, time_order=np.where(np.arange(40) < 30, 1.0, 1.0)), seed=0)


def test_splits_are_cheap_to_send_to_a_trial():
    splits = plan_splits(table(np.arange(10_000) % 2), seed=0)
    sent = pickle.dumps(splits, protocol=5)
    assert len(sent) < 150_000
    assert np.array_equal(pickle.loads(sent).test, splits.test)
