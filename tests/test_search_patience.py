"""A search ends where nothing better is expected, says so, and never where somebody asked for all of the time."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from autometa.errors import InputError
from autometa.evaluation import Evaluation, State
from autometa.search.options import OPTIONS
from autometa.search.patience import expected_gain, is_enough
from autometa.search.settings import Settings, TrialRow

ENOUGH = OPTIONS.patient_trials + 4


def trial(number: int, score: float, state: State = State.COMPLETE, spread: float = 0.02) -> TrialRow:
    folds = {"roc_auc": (score - spread, score, score + spread)}
    evaluation = Evaluation({"family": "knn"}, state, None, {"roc_auc": score}, folds, 1.0, 0.0, 0, 0, 90, {})
    return TrialRow(number, evaluation, "search", "", float(number), float(number + 1))


def enough(scores, patience="auto", *, left: float = 30.0, elapsed: float | None = None, **how) -> bool:
    trials = [trial(k, score, **how) for k, score in enumerate(scores)]
    elapsed = float(len(trials)) if elapsed is None else elapsed
    return is_enough(trials, "roc_auc", patience, elapsed=elapsed, left=left)


FLAT, RISING = [0.5, *[0.8] * (ENOUGH - 1)], [0.5 + k / 100 for k in range(ENOUGH)]


def test_what_stays_as_it_is_ends_and_what_rises_goes_on():
    assert enough(FLAT)
    assert not enough(RISING)


def test_a_trial_of_a_new_family_counts_only_if_it_is_the_best():
    among = [replace(trial(2 * k + 1, 0.1), origin="newcomer") for k in range(ENOUGH)]
    rising = [trial(2 * k, score) for k, score in enumerate(RISING)]
    assert not is_enough([*rising, *among], "roc_auc", "auto", elapsed=2.0 * ENOUGH, left=30.0)
    few = [trial(2 * k, score) for k, score in enumerate(FLAT[: OPTIONS.patient_trials - 1])]
    assert not is_enough([*few, *among], "roc_auc", "auto", elapsed=2.0 * ENOUGH, left=30.0)
    better = replace(trial(2 * ENOUGH, 0.8), origin="newcomer")
    flat = [trial(2 * k, 0.5) for k in range(ENOUGH)]
    assert is_enough([*flat, *among], "roc_auc", "auto", elapsed=2.0 * ENOUGH, left=30.0)
    assert not is_enough([*flat, better], "roc_auc", "auto", elapsed=2.0 * ENOUGH, left=30.0)


def test_a_search_that_has_hardly_begun_goes_on():
    assert not enough(FLAT[: OPTIONS.patient_trials - 1])
    assert not enough([])


def test_a_gain_below_what_can_be_told_apart_does_not_count():
    creeping = [0.8 + k / 1e5 for k in range(ENOUGH)]
    assert enough(creeping)
    assert not enough(creeping, spread=1e-5)


def test_the_less_time_is_left_the_less_there_is_to_gain():
    rising_slowly = [0.8 + k / 2000 for k in range(ENOUGH)]
    assert not enough(rising_slowly, left=60.0)
    assert enough(rising_slowly, left=0.5)


def test_without_a_time_budget_a_search_does_not_look_at_the_time():
    assert not enough(FLAT, left=math.inf)
    assert not enough(FLAT, "off")


def test_a_patience_in_seconds_is_that_time_without_a_better_trial():
    late = [0.5, 0.6, 0.7]  # the best ended after 3 s
    assert not enough(late, 10.0, elapsed=12.9)
    assert enough(late, 10.0, elapsed=13.1)
    assert enough(late, 10.0, elapsed=13.1, left=math.inf)  # whoever asks for it, without a time budget too
    assert not enough([0.5] * 3, 10.0, elapsed=99.0, state=State.FAILED)  # there is nothing yet to be content with


@pytest.mark.parametrize(
    ("scores", "more", "gain"),
    [
        ([0.5, 0.6, 0.7, 0.8], 4, 0.2),  # it gained .2 while the trials doubled, and they may double once more
        ([0.5, 0.6, 0.7, 0.8], 12, 0.4),
        ([0.8, math.nan, math.nan, 0.7], 4, 0.0),
        ([math.nan, math.nan, 0.7, 0.8], 4, math.inf),  # nothing is known of a start without a result
    ],
)
def test_every_doubling_gains_what_the_last_one_did(scores, more, gain):
    assert expected_gain(scores, more) == pytest.approx(gain)


@pytest.mark.parametrize("patience", ["always", 0, -1.0, math.nan, True, None])
def test_anything_else_is_refused(patience):
    with pytest.raises(InputError, match="neither auto, off, nor a time"):
        Settings(seconds=10.0, patience=patience)


def test_settings_keep_it_and_older_ones_have_none():
    kept = Settings(seconds=10.0, patience=30).to_dict()
    assert Settings.from_dict(kept).patience == 30.0
    del kept["patience"]
    assert Settings.from_dict(kept).patience == "auto"
