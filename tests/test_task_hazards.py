"""Promises of hazards: what flatters a score is said with the flag that acts on it, and copies stay together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autometa.evaluation import plan_splits
from autometa.task import Task, make_task


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=200), "b": rng.integers(0, 5, 200), "y": rng.choice(["no", "yes"], 200)})


def said(task: Task, words: str) -> bool:
    return any(words in note for note in task.notes)


def test_an_ordinary_table_has_nothing_to_be_said(frame: pd.DataFrame) -> None:
    task = make_task(frame)
    for words in ("repeat", "tells the target", "identifier", "changes along", "tell them apart"):
        assert not said(task, words)
    assert task.groups is None


def test_rows_that_repeat_are_said_and_never_on_both_sides_of_a_split(frame: pd.DataFrame) -> None:
    task = make_task(pd.concat([frame, frame[:60]]))
    assert said(task, "60 of 260 rows repeat others in all features; copies stay together")
    for train, test in plan_splits(task, seed=0):
        assert not set(task.X["a"].iloc[train]) & set(task.X["a"].iloc[test])
    grouped = make_task(pd.concat([frame, frame[:60]]).assign(g=np.arange(260) % 9), group="g")
    assert grouped.groups is not None
    assert len(np.unique(grouped.groups)) == 9


def test_rows_that_repeat_by_chance_are_left_alone() -> None:
    frame = pd.DataFrame({"a": np.arange(200) % 5, "b": np.arange(200) // 7 % 3, "y": np.arange(200) % 2})
    task = make_task(frame)
    assert task.groups is None
    assert not said(task, "repeat")


def test_rows_that_differ_in_their_label_alone_are_said(frame: pd.DataFrame) -> None:
    other = frame[:30].assign(y=np.where(frame["y"][:30] == "yes", "no", "yes"))
    assert said(make_task(pd.concat([frame, other])), "60 rows have the same features as rows of another class")


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_column_that_is_the_target_in_other_words_is_said(frame: pd.DataFrame, kind: str) -> None:
    if kind == "classes":
        task = make_task(frame.assign(paid=frame["y"].map({"no": "0 EUR", "yes": "9 EUR"})), target="y")
        assert said(task, "Column 'paid' tells the target of every row")
        assert said(task, "--drop paid")
    else:
        price = frame["a"] * 3 + 7
        task = make_task(frame.assign(net=price / 1.19).drop(columns="y"), y=price)
        assert said(task, "Columns 'a', 'net' each tell the target")


def test_rows_of_one_person_and_a_target_that_changes_in_time_are_said(frame: pd.DataFrame) -> None:
    when = pd.date_range("2024-01-01", periods=200, freq="D").strftime("%Y-%m-%d")
    late = np.where(np.arange(200) + 60 * frame["a"] > 100, "late", "early")
    task = make_task(frame.assign(patient_id=np.arange(200) // 4 * 7, when=when, y=late), target="y")
    assert said(task, "'patient_id' looks like an identifier that 4.0 rows share")
    assert said(task, "--group patient_id")
    assert said(task, "The target changes along 'when'")
    assert not said(make_task(frame.assign(when=when), target="y", time_order="when"), "changes along")
