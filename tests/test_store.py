"""The metadata store: what was added reads back equal, adding twice changes nothing, and nothing else ever changes."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.cli import main
from autometa.errors import InputError, StoreError
from autometa.evaluation import Evaluation
from autometa.metafeatures import VERSION, MetaFeatures
from autometa.origins import State
from autometa.space import config_key
from autometa.store import Exclusion, MetaStore, PastTasks, TaskRecord, blocks, database, metastore, schema
from autometa.store.address import meta_db
from autometa.store.options import StoreOptions
from autometa.store.reading import DamagedTaskWarning

# ----------------------------------------------------------------------------------------------------------- the stage


def evaluation(i: int = 0, **changes: Any) -> Evaluation:
    """A finished evaluation; `i` makes it another one."""
    content = {
        "config": {"family": "knn", "knn.n_neighbors": i, "knn.p": 0.1 + 0.2},
        "state": "complete",
        "reason": None,
        "scores": {"accuracy": 0.9 - i / 1000, "neg_log_loss": -0.5 - i, "roc_auc": float("nan")},
        "folds": {"accuracy": (0.9, 0.9 - i / 500), "roc_auc": (float("nan"), 1 / 3)},
        "fit_seconds": 1.5 + i,
        "predict_seconds": 0.25,
        "peak_ram": 123_456_789 + i,
        "seed": 3,
        "rows": 1000,
        "versions": {"scikit-learn": "1.9.1"},
        "origin": "search",
    }
    return Evaluation(**{**content, **changes})


def failure(i: int = 0, state: str = "timeout", **changes: Any) -> Evaluation:
    return evaluation(i, **{"state": state, "reason": "took longer than 30 s", "scores": {}, "folds": {}, **changes})


def record(i: int = 0, **changes: Any) -> TaskRecord:
    features = MetaFeatures(("rows", "skew"), np.array([100.0 + i, np.nan]), VERSION, {"rows": 0.001})
    content = {
        "fingerprint": f"{i:032x}",
        "name": f"task {i}",
        "kind": "binary",
        "metric": "roc_auc",
        "n_rows": 1000,
        "n_columns": 7,
        "n_classes": 2,
        "family": f"family {i}",
        "openml_id": 1000 + i,
        "metafeatures": features,
        "source": "test",
    }
    return TaskRecord(**{**content, **changes})


def texts(evaluations: list[Evaluation]) -> list[str]:
    """Comparable, also where NaN is within."""
    return [json.dumps(e.to_dict(), sort_keys=True) for e in evaluations]


def content(store: Any) -> dict[tuple[str, str], tuple[Any, set[str]]]:
    """Everything a store holds, comparable."""
    return {
        (r.fingerprint, r.space): (
            replace(r, metafeatures=None),
            r.metafeatures and (r.metafeatures.names, repr(r.metafeatures.values), r.metafeatures.version),
            frozenset(texts(store.evaluations(r.fingerprint, r.space))),
        )
        for r in store.tasks(space=None)
    }


@pytest.fixture
def store(new_url: Callable[[], str]) -> MetaStore:
    return MetaStore(new_url())


@pytest.fixture
def own(tmp_path: Path) -> MetaStore:
    """An SQLite store, for what does not depend on the database."""
    return MetaStore(tmp_path / "own.db")


# -------------------------------------------------------------------------------------------------------- what is kept

number = st.floats(width=64)
name = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
setting = st.one_of(st.booleans(), st.none(), st.integers(-(2**60), 2**60), number, name)
any_evaluation = st.builds(
    Evaluation,
    config=st.dictionaries(name, setting, max_size=4),
    state=st.sampled_from(["complete", "stopped", "failed", "timeout", "memory", "crashed"]),
    reason=st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="'\"`"), max_size=20),
    scores=st.dictionaries(name, number, max_size=3),
    folds=st.dictionaries(name, st.lists(number, max_size=3).map(tuple), max_size=3),
    fit_seconds=number,
    predict_seconds=number,
    peak_ram=st.integers(0, 2**50),
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 2**40),
    versions=st.dictionaries(name, name, max_size=2),
    origin=name,
)


@given(evaluations=st.lists(any_evaluation, max_size=6), more=st.lists(any_evaluation, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_evaluations_read_back_equal_from_a_block_and_join_it_once(evaluations, more):
    block = blocks.encode(evaluations)
    assert texts(blocks.decode(block)) == texts(evaluations)
    assert block.evaluations == len(evaluations)
    longer = blocks.extend(block, more)
    held = {blocks.key(e) for e in evaluations}
    fresh = [e for k, e in {blocks.key(e): e for e in more}.items() if k not in held]
    assert texts(blocks.decode(longer)) == texts([*evaluations, *fresh])
    assert blocks.extend(longer, [*more, *evaluations]) is longer


def test_what_was_added_reads_back_equal(store):
    evaluations = [*map(evaluation, range(5)), failure(9), failure(10, "crashed", reason="killed by signal 11")]
    assert store.add(record(created="2026-01-02T03:04:05+00:00"), evaluations) == 7
    assert texts(store.evaluations(record().fingerprint)) == texts(evaluations)
    (found,) = store.tasks()
    features = found.metafeatures
    assert replace(found, metafeatures=None) == record(created="2026-01-02T03:04:05+00:00", metafeatures=None)
    assert features.names == ("rows", "skew")
    assert features.version == VERSION
    assert features.seconds == {"rows": 0.001}
    np.testing.assert_array_equal(features.values, [100, np.nan])
    assert store.verify() == []


def test_a_state_is_read_as_one_and_a_newer_versions_state_stays_a_text_that_verify_reports(own):
    later = failure(1, "asleep")
    own.add(record(), [evaluation(0), failure(2, "timeout"), later])
    states = [e.state for e in own.evaluations(record().fingerprint)]
    assert states == [State.COMPLETE, State.TIMEOUT, "asleep"]
    assert [isinstance(state, State) for state in states] == [True, True, False]
    assert own.add(record(), [later]) == 0
    assert [str(problem).partition(": ")[2] for problem in own.verify()] == [
        "unknown state: evaluation 2. Remove the task and add it again."
    ]
    past = own.past(kind="binary", metric="accuracy")
    assert np.isneginf(past.scores).sum() == 2  # nobody knows that it did well


def test_adding_twice_changes_nothing(store):
    evaluations = [*map(evaluation, range(5)), failure(9)]
    store.add(record(), evaluations)
    before = content(store)
    assert store.add(replace(record(), created="2031-01-01T00:00:00+00:00"), evaluations[::-1]) == 0
    assert content(store) == before


def test_an_evaluation_that_differs_in_anything_is_another_one(own):
    one = evaluation()
    others = [
        replace(one, seed=4),
        replace(one, rows=2000),
        replace(one, fit_seconds=9.0),
        replace(one, scores={**one.scores, "accuracy": 0.1}),
        replace(one, config={**one.config, "knn.p": 0.5}),
        replace(one, state="stopped", reason="hopeless"),
    ]
    assert own.add(record(), [one, *others, replace(one, config=dict(reversed(one.config.items())))]) == 7


def test_a_task_known_already_gains_what_it_lacked_and_keeps_what_it_says(own):
    own.add(record(name="first", family=None, openml_id=None, metafeatures=None), [evaluation(1)])
    assert own.add(record(name="second", family="adult", openml_id=7), [evaluation(1), evaluation(2)]) == 1
    (found,) = own.tasks()
    assert (found.name, found.family, found.openml_id) == ("first", "adult", 7)
    assert found.metafeatures is not None
    newer = MetaFeatures(("rows",), np.array([5.0]), VERSION + ".1", {})
    own.add(record(metafeatures=newer), [])
    assert own.tasks()[0].metafeatures.names == ("rows",)
    own.add(record(), [])
    assert own.tasks()[0].metafeatures.version == VERSION + ".1"


def test_one_task_may_stand_in_several_spaces(store):
    store.add(record(), [evaluation(1)])
    store.add(record(space="0123456789abcdef"), [evaluation(2), evaluation(3)])
    assert len(store.tasks()) == 1
    assert len(store.tasks(space=None)) == 2
    assert len(store.evaluations(record().fingerprint, "0123456789abcdef")) == 2
    assert store.remove(record().fingerprint, "fit") == 1
    assert store.tasks() == []
    assert store.remove(record().fingerprint) == 2
    assert store.remove(record().fingerprint) == 0
    assert store.tasks(space=None) == []
    assert store.verify() == []


def test_tasks_are_found_by_kind_by_name_and_by_the_beginning_of_a_fingerprint(own):
    own.add(record(1), [])
    own.add(record(2, kind="regression", fingerprint="abcd" * 8), [])
    assert [r.name for r in own.tasks(kind="regression")] == ["task 2"]
    assert own.find("task 1").name == "task 1"
    assert own.find("abcd").name == "task 2"
    with pytest.raises(InputError, match="Did you mean 'task 2'"):
        own.find("tsk 2")
    own.add(record(3, fingerprint="abce" * 8), [])
    with pytest.raises(InputError, match="is 2 tasks"):
        own.find("abc")


def test_info_counts_what_is_there(store):
    other = {"family": "mlp", "mlp.layers": 2}
    store.add(record(1), [evaluation(1), evaluation(2), evaluation(2, config=other)])
    store.add(record(2), [failure(1)])
    info = store.info()
    assert list(info) == ["url", "tasks", "evaluations", "families", "bytes", "schema"]
    assert info["url"] == store.url
    assert (info["tasks"], info["evaluations"], info["families"]) == (2, 4, {"knn": 3, "mlp": 1})
    assert info["bytes"] > 1000
    assert info["schema"] == schema.SCHEMA


def test_no_cell_of_a_table_enters_the_store(own):
    task = pytest.importorskip("autometa.task", reason="the task room is needed to make a table a task")
    from autometa.metafeatures import describe

    pandas = pytest.importorskip("pandas")
    marker = "Zebrafinch"
    table = pandas.DataFrame(
        {
            "colour": [f"{marker} {i % 7}" for i in range(60)],
            "size": np.arange(60) * 1.000737251,
            "target": [f"{marker}!{i % 2}" for i in range(60)],
        }
    )
    made = task.make_task(table, target="target", name="birds")
    reason = f"ValueError: could not convert string to float: '{marker} 3', isn't it \"{marker}\""
    own.add(
        TaskRecord.of(made, describe(made, groups=["simple", "statistical", "information"])),
        [evaluation(), failure(state="failed", reason=reason)],
    )
    everything = Path(own.url).read_bytes()
    for entry in own.entries(scores=True, details=True):
        for part in (entry.block.scores, entry.block.details):
            everything += json.dumps(blocks.unpack(part).to_pydict(), ensure_ascii=False).encode()
    assert marker.encode() not in everything
    assert b"1.000737251" not in everything
    assert b"isn't it '...'" in everything  # the search would find what is there


# ---------------------------------------------------------------------------------------------------- what learners get


def naive_past(
    entries: list[tuple[TaskRecord, list[Evaluation]]], metric: str
) -> dict[tuple[str, str], tuple[float, float]]:
    """The table of `past` as the obvious loop makes it: score and seconds by fingerprint and configuration."""
    cells = {}
    for task, evaluations in entries:
        groups = defaultdict(list)
        for e in evaluations:
            groups[config_key(e.config)].append(e)
        row = {}
        for key, group in groups.items():
            top = [e for e in group if e.rows == max(x.rows for x in group)]
            finished = [e for e in top if e.state in ("complete", "stopped")]
            score = float(np.mean([e.scores.get(metric, np.nan) for e in finished])) if finished else -np.inf
            row[key] = score, float(np.mean([e.fit_seconds + e.predict_seconds for e in top]))
        if any(np.isfinite(score) for score, _ in row.values()):
            cells.update({(task.fingerprint, key): cell for key, cell in row.items()})
    return cells


def as_cells(past: PastTasks) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (past.records[i].fingerprint, config_key(past.configs[j])): (past.scores[i, j], past.seconds[i, j])
        for i, j in zip(*np.nonzero(~np.isnan(past.seconds)), strict=True)
    }


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "neg_log_loss", "r2"])
def test_past_is_what_the_naive_loop_finds(store, metric):
    rng = np.random.default_rng(7)
    entries = []
    for i in range(8):
        evaluations = []
        for _ in range(12):
            make = failure if rng.random() < 0.3 else evaluation
            state = rng.choice(["failed", "memory"]) if make is failure else rng.choice(["complete", "stopped"])
            scores = {m: float(rng.normal()) for m in ("accuracy", "roc_auc") if rng.random() < 0.8}
            evaluations.append(
                make(
                    int(rng.integers(6)),
                    state=str(state),
                    scores={} if make is failure else scores,
                    folds={},
                    rows=int(rng.integers(1, 3)) * 100,
                    fit_seconds=float(rng.random()),
                    reason=None if state == "complete" else "a reason",
                )
            )
        entries.append((record(i), evaluations))
        store.add(*entries[-1])
    past, expected = store.past(kind="binary", metric=metric), naive_past(entries, metric)
    found = as_cells(past)
    assert found.keys() == expected.keys()
    for place, cell in expected.items():
        assert found[place] == pytest.approx(cell, nan_ok=True)
    assert past.scores.shape == past.seconds.shape == (len(past.records), len(past.configs))
    assert past.metafeatures.shape == (len(past.records), len(past.metafeature_names))


def test_past_leaves_out_what_is_the_same_task_or_of_its_family(own):
    for i in range(4):
        own.add(record(i), [evaluation(i), evaluation(9)])

    def names(**exclusion: frozenset[Any]) -> list[str]:
        past = own.past(kind="binary", metric="accuracy", exclude=Exclusion(**exclusion))
        assert {c["knn.n_neighbors"] for c in past.configs} == {9, *(int(r.name[-1]) for r in past.records)}
        return [r.name for r in past.records]

    assert len(names()) == 4
    assert names(fingerprints=frozenset({record(0).fingerprint})) == ["task 1", "task 2", "task 3"]
    assert names(openml_ids=frozenset({1001})) == ["task 0", "task 2", "task 3"]
    assert names(families=frozenset({"family 2", "family 3"})) == ["task 0", "task 1"]


def test_past_depends_on_what_is_in_the_store_and_not_on_when_it_came(tmp_path):
    first, second = MetaStore(tmp_path / "1.db"), MetaStore(tmp_path / "2.db")
    for i in range(4):
        first.add(record(i), [evaluation(i), evaluation(7)])
        second.add(record(3 - i), [evaluation(3 - i), evaluation(7)])
    one, two = (store.past(kind="binary", metric="accuracy") for store in (first, second))
    assert one.configs == two.configs
    np.testing.assert_array_equal(one.scores, two.scores)
    np.testing.assert_array_equal(one.metafeatures, two.metafeatures)


def test_a_narrow_table_keeps_what_most_tasks_tried_then_what_won_somewhere(own):
    for i in range(3):
        searched = [evaluation(100 * (i + 1) + j, scores={"accuracy": 0.5 + j / 10}) for j in range(4)]
        own.add(record(i), [evaluation(1), evaluation(2), *searched])
    kept = own.past(kind="binary", metric="accuracy", most=5)
    assert [c["knn.n_neighbors"] for c in kept.configs] == [1, 2, 103, 203, 303]
    whole = own.past(kind="binary", metric="accuracy", most=None)
    assert len(whole.configs) == 14
    large = MetaStore(own.url, options=StoreOptions(held_bytes=0))  # its blocks are not kept but unpacked again
    assert large.past(kind="binary", metric="accuracy", most=None).configs == whole.configs
    assert large.past(kind="binary", metric="accuracy", most=5).configs == kept.configs


def test_metafeatures_of_another_version_are_not_mixed_in(own):
    own.add(record(0), [evaluation()])
    other = MetaFeatures(("skew", "rows"), np.array([1.0, 2.0]), VERSION + ".old", {})
    own.add(record(1, metafeatures=other), [evaluation()])
    own.add(record(2, metafeatures=MetaFeatures(("skew", "rows"), np.array([1.0, 2.0]), VERSION, {})), [evaluation()])
    own.add(record(3, metafeatures=None), [evaluation()])
    past = own.past(kind="binary", metric="accuracy")
    assert past.metafeature_names == ("rows", "skew")
    assert past.metafeature_version == VERSION
    np.testing.assert_array_equal(past.metafeatures, [[100, np.nan], [np.nan] * 2, [2, 1], [np.nan] * 2])


def test_learning_reads_blocks_with_as_many_statements_for_many_tasks_as_for_one(own):
    statements: list[int] = []
    sa.event.listen(own._database._reader, "before_cursor_execute", lambda *args: statements.append(1))
    counts = []
    for i in range(12):
        own.add(record(i), list(map(evaluation, range(5))))
        statements.clear()
        own.past(kind="binary", metric="accuracy")
        counts.append(len(statements))
    assert set(counts) == {counts[0]}


def test_an_empty_store_teaches_nothing(own):
    for expected in (0, 1):
        past = own.past(kind="binary", metric="accuracy")
        assert (len(past), past.configs, past.scores.shape, past.metafeatures.shape) == (0, (), (0, 0), (0, 0))
        assert len(own.tasks()) == expected
        own.add(record(), [])


# ----------------------------------------------------------------------------------------------------- layers of stores


def test_the_shipped_memory_lies_beneath_the_users_store(tmp_path, monkeypatch):
    source = MetaStore(tmp_path / "source.db")
    source.add(record(0), [evaluation(0), evaluation(1)])
    source.add(record(1, family=None), [evaluation(1)])
    shipped = tmp_path / "memory.db"
    source.ship(shipped, folds=True)
    before = shipped.read_bytes()
    monkeypatch.setattr(metastore, "shipped_memory", lambda: shipped)
    union = MetaStore.with_shipped(tmp_path / "own.db")
    assert len(union.tasks()) == 2
    assert not (tmp_path / "own.db").exists()
    assert union.add(record(1), [evaluation(5)]) == 1
    assert union.add(record(2), [evaluation(6), failure(7)]) == 2
    assert [r.name for r in union.tasks()] == ["task 0", "task 1", "task 2"]
    assert union.tasks()[1].family == "family 1"
    assert len(union.evaluations(record(1).fingerprint)) == 2
    assert [r.name for r in MetaStore(tmp_path / "own.db").tasks()] == ["task 1", "task 2"]
    past = union.past(kind="binary", metric="accuracy")
    assert past.scores.shape == (3, 5)
    assert np.isneginf(past.scores).sum() == 1
    assert union.info()["tasks"] == 3
    assert union.info()["evaluations"] == 6
    assert union.info()["url"] == str(tmp_path / "own.db")
    assert union.info()["bytes"] > MetaStore(tmp_path / "own.db").info()["bytes"] + len(before) - 1
    assert shipped.read_bytes() == before
    assert not list(tmp_path.glob("memory.db-*"))


def test_what_is_written_copied_and_checked_is_the_upper_layer_alone(tmp_path):
    beneath = MetaStore(tmp_path / "beneath.db")
    beneath.add(record(0), [evaluation(0)])
    store = MetaStore(tmp_path / "own.db", beneath=MetaStore(tmp_path / "beneath.db", read_only=True))
    assert not store.exists()
    assert store.remove(record(0).fingerprint) == 0
    assert list(store.batches()) == []
    store.add(record(1), [evaluation(1)])
    store.keep_weights("fit", b"weights", 1)
    assert store.export(tmp_path / "export")["tasks"] == 1
    assert beneath.weights("fit") == (None, 0)
    assert [r.name for r in beneath.tasks()] == ["task 0"]
    # Whoever merges it takes in both, also where the upper one has not been created.
    assert MetaStore(tmp_path / "both.db").merge(store) == 2
    assert MetaStore(tmp_path / "one.db").merge(MetaStore(tmp_path / "none.db", beneath=beneath)) == 1


def test_without_a_shipped_memory_it_is_the_users_store_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(metastore, "shipped_memory", lambda: None)
    assert MetaStore.with_shipped(tmp_path / "own.db").tasks() == []


def test_a_shipped_file_is_compact_and_holds_single_precision(tmp_path):
    source = MetaStore(tmp_path / "source.db")
    for i in range(3):
        source.add(record(i), [*map(evaluation, range(50)), failure(60)])
    assert source.ship(tmp_path / "new folder" / "memory.db") < source.info()["bytes"]
    shipped = MetaStore(tmp_path / "new folder" / "memory.db", immutable=True)
    assert shipped.verify() == []
    for was, is_ in zip(
        source.evaluations(record().fingerprint), shipped.evaluations(record().fingerprint), strict=True
    ):
        assert is_.folds == {}
        assert is_.scores == pytest.approx(was.scores, rel=1e-6, nan_ok=True)
        assert replace(is_, folds={}, scores={}) == replace(was, folds={}, scores={})
    with sqlite3.connect(shipped.url) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    with pytest.raises(StoreError, match="reading only"):
        shipped.add(record(), [evaluation(70)])
    # What was shipped may be added to elsewhere: it is widened.
    other = MetaStore(tmp_path / "other.db")
    assert other.merge(shipped) == 153
    assert other.add(record(), [evaluation(70)]) == 1
    assert len(other.evaluations(record().fingerprint)) == 52


# ----------------------------------------------------------------------------------------------- stores that cannot be


def test_a_store_that_does_not_exist_reads_as_empty_and_is_not_created(tmp_path):
    store = MetaStore(tmp_path / "a" / "b" / "store.db")
    assert store.tasks() == []
    assert store.evaluations("0" * 32) == []
    assert store.info()["tasks"] == store.info()["bytes"] == 0
    assert store.verify() == []
    assert store.remove("0" * 32) == 0
    assert list(tmp_path.iterdir()) == []
    store.add(record(), [evaluation()])
    assert (tmp_path / "a" / "b" / "store.db").exists()


def test_a_store_is_named_by_path_url_environment_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOMETA_STORE", "sqlite:///env.db")
    assert MetaStore().url == str(tmp_path / "env.db")
    assert MetaStore(tmp_path / "x.db").url == MetaStore("x.db").url == MetaStore("sqlite:///x.db").url
    assert MetaStore(f"sqlite:///{tmp_path / 'x.db'}").url == str(tmp_path / "x.db")
    monkeypatch.setenv("AUTOMETA_STORE", "")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name, **_: str(tmp_path / "data" / name))
    assert MetaStore().url == str(tmp_path / "data" / "autometa" / "store.db")
    assert MetaStore("postgres://me:secret@host/db").url == "postgresql://me:***@host/db"
    for wrong in ("mysql://me:secret@host/db", "sqlite://", "sqlite:///:memory:", "postgresql://host:port/db", "://"):
        with pytest.raises(StoreError) as caught:
            MetaStore(wrong)
        assert "secret" not in str(caught.value)


def broken_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files that are no usable store, and what must be said of them."""
    good = MetaStore(folder / "good.db")
    for i in range(20):
        good.add(record(i), list(map(evaluation, range(40))))
    whole = Path(good.url).read_bytes()
    for what, data in {
        "junk": b"\0\1\2 not a database at all" * 100,
        "text": b"a,b,c\n1,2,3\n",
        "half": whole[: len(whole) // 2],
        "torn": whole[:4096] + bytes(len(whole) - 4096),
        "scrambled": whole[:100] + bytes(b ^ 0x5A for b in whole[100:]),
    }.items():
        (folder / f"{what}.db").write_bytes(data)
        yield folder / f"{what}.db", "damaged"
    newer = MetaStore(folder / "newer.db")
    newer.add(record(), [evaluation()])
    with sqlite3.connect(newer.url) as connection:
        connection.execute("UPDATE autometa_version SET version_num = '9999'")
    connection.close()
    yield folder / "newer.db", "newer AutoMeta"


def test_a_store_that_cannot_be_used_is_refused_by_name_and_left_as_it_is(tmp_path):
    for path, says in broken_files(tmp_path):
        before = path.read_bytes()
        for use in (
            lambda store: store.tasks(),
            lambda store: store.past(kind="binary", metric="accuracy"),
            lambda store: store.add(record(30), [evaluation()]),
        ):
            with pytest.raises(StoreError, match=says) as caught:
                use(MetaStore(path))
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)
        assert path.read_bytes() == before, path
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreError, match=r"folder\.db"):
        MetaStore(tmp_path / "folder.db").tasks()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        MetaStore(tmp_path / "file" / "store.db").add(record(), [])


def test_a_server_that_does_not_answer_is_named_without_its_password():
    pytest.importorskip("psycopg", reason="the PostgreSQL driver psycopg is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        store = MetaStore(f"postgresql://me:hunter2@127.0.0.1:{probe.getsockname()[1]}/db")
        for use in (store.tasks, lambda: store.add(record(), [])):
            with pytest.raises(StoreError, match=r"postgresql://me:\*\*\*@127.0.0.1.*Check that it runs") as caught:
                use()
            assert "hunter2" not in str(caught.value)


def test_a_store_opened_for_reading_refuses_every_write(own):
    own.add(record(), [evaluation()])
    before = Path(own.url).read_bytes()
    reader = MetaStore(own.url, read_only=True)
    assert len(reader.tasks()) == 1
    for write in (
        lambda: reader.add(record(), [evaluation(2)]),
        lambda: reader.remove(record().fingerprint),
        lambda: reader.merge(own),
    ):
        with pytest.raises(StoreError, match="reading only"):
            write()
    assert Path(own.url).read_bytes() == before


def test_a_store_may_share_a_database_with_other_tables(own):
    with sqlite3.connect(own.url) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('optuna')")
    connection.close()
    assert own.tasks() == []
    own.add(record(), [evaluation()])
    with sqlite3.connect(own.url) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("optuna",)]
    connection.close()


def test_where_the_write_ahead_log_cannot_be_the_rollback_journal_serves(tmp_path, monkeypatch):
    # This way of locking has no memory shared between processes, as on a network file system.
    connection = sqlite3.connect(f"file:{tmp_path / 'remote.db'}?vfs=unix-dotfile", uri=True, isolation_level=None)
    assert not database.switch_to_wal(connection)
    connection.close()
    monkeypatch.setattr(database, "switch_to_wal", lambda connection: False)
    store = MetaStore(tmp_path / "plain.db")
    assert store.add(record(), [evaluation()]) == 1
    assert texts(store.evaluations(record().fingerprint)) == texts([evaluation()])
    assert store.verify() == []


# ------------------------------------------------------------------------------------------------------------- at once


WRITER = """
    import pickle, sys
    from autometa.store import MetaStore
    store, additions = MetaStore(sys.argv[1]), pickle.load(sys.stdin.buffer)
    print("ready", flush=True)
    sys.stdin.buffer.readline()
    for number, (record, evaluations) in enumerate(additions):
        store.add(record, evaluations)
        print(number, flush=True)
"""


def writer(url: str, who: int, times: int) -> subprocess.Popen[bytes]:
    """A process that adds to a task that all share and to one of its own, by turns."""
    additions = [
        addition
        for i in range(times)
        for addition in ((record(0), [evaluation(1000 * who + i), evaluation(i)]), (record(who), [evaluation(i)]))
    ]
    command = [sys.executable, "-c", textwrap.dedent(WRITER), url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pickle.dump(additions, process.stdin)
    process.stdin.flush()
    return process


def test_several_processes_write_one_store_at_once_and_one_killed_harms_nobody(new_url):
    url, times = new_url(), 8
    writers = [writer(url, 1, times), writer(url, 2, times), writer(url, 3, 500)]
    for process in writers:
        assert process.stdout.readline() == b"ready\n"
    for process in writers:  # none of them has created the store yet: the schema is raced for, too
        process.stdin.write(b"go\n")
        process.stdin.flush()
    killed = writers.pop()
    said = [killed.stdout.readline() for _ in range(10)]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for process in writers:
        process.communicate(timeout=600)
        assert process.returncode == 0
    store = MetaStore(url)
    assert store.verify() == []
    neighbours = {e.config["knn.n_neighbors"] for e in store.evaluations(record(0).fingerprint)}
    expected = {1000 * who + i for who in (1, 2) for i in range(times)} | set(range(times))
    assert expected <= neighbours
    assert said[-1] == b"9\n"
    assert {3000 + i for i in range(5)} <= neighbours
    assert len(store.evaluations(record(1).fingerprint)) == len(store.evaluations(record(2).fingerprint)) == times


def test_a_writer_waits_for_another_and_says_so_when_it_waited_in_vain(own):
    own.add(record(), [])
    connection = sqlite3.connect(own.url, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    assert len(own.tasks()) == 1  # readers do not wait
    with pytest.raises(StoreError, match="another process keeps it locked"):
        MetaStore(own.url, options=StoreOptions(busy_seconds=0.1)).add(record(1), [])
    connection.execute("ROLLBACK")
    connection.close()
    assert own.add(record(1), [evaluation()]) == 1


# ------------------------------------------------------------------------------------------------------ schema's steps


def test_the_steps_lead_to_the_schema_that_a_new_store_has(new_url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    stepped = MetaStore(new_url())
    if stepped._database.file is not None:
        stepped._database._create_file()
    with stepped._database._writer.begin() as connection:
        schema.take_steps(connection)
        context = MigrationContext.configure(connection, opts={"version_table": schema.version.name})
        ours = [d for d in compare_metadata(context, schema.metadata) if "autometa" in str(d)]
        assert ours == []
        assert connection.scalar(sa.select(schema.version.c.version_num)) == schema.SCHEMA
    assert stepped.add(record(), [evaluation()]) == 1
    assert stepped.verify() == []


STEP = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "0003"

def upgrade():
    op.add_column("autometa_task", sa.Column("note", sa.Text))
"""


def test_an_older_store_is_stepped_forward_by_the_first_write_or_read(new_url, tmp_path, monkeypatch):
    stores = [MetaStore(new_url()), MetaStore(new_url())]
    for store in stores:
        store.add(record(), [evaluation()])
    shutil.copytree(meta_db() / "migrations", tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "9999_note.py").write_text(STEP)
    monkeypatch.setattr(schema, "steps", lambda: tmp_path / "migrations")
    monkeypatch.setattr(schema, "SCHEMA", "9999")
    with pytest.raises(StoreError, match="older schema"):
        MetaStore(stores[0]._database.address.render_as_string(hide_password=False), read_only=True).tasks()
    assert stores[0].add(record(1), [evaluation(2)]) == 1
    assert len(stores[1].tasks()) == 1
    for store in stores:
        assert texts(store.evaluations(record().fingerprint)) == texts([evaluation()])
        with store._database.reading() as connection:
            assert "note" in {c["name"] for c in sa.inspect(connection).get_columns("autometa_task")}
            assert connection.scalar(sa.select(schema.version.c.version_num)) == "9999"


def test_using_a_store_that_is_up_to_date_does_not_load_alembic(tmp_path):
    script = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from autometa.store import MetaStore, TaskRecord
        store = MetaStore({str(tmp_path / "store.db")!r})
        store.add(TaskRecord("0" * 32, "t", "binary", "roc_auc", 1, 1, 2), [])
        store.past(kind="binary", metric="roc_auc")
        loaded = {{"alembic", "torch", "sklearn", "lightgbm"}} & set(sys.modules)
        assert not loaded, loaded
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


# ------------------------------------------------------------------------------------------------------ there and back


def filled(store: MetaStore) -> MetaStore:
    for i in range(5):
        store.add(record(i), [*map(evaluation, range(i, 6)), failure(7, "failed")])
    store.add(record(1, space="0123456789abcdef"), [evaluation(4)])
    store.add(record(9, metafeatures=None, openml_id=None), [])
    return store


def test_an_export_imports_as_an_equal_store_once(new_url, tmp_path):
    store, other = filled(MetaStore(new_url())), MetaStore(new_url())
    manifest = store.export(tmp_path / "deep" / "export")
    assert (manifest["tasks"], manifest["evaluations"]) == (7, 26)
    assert sorted(p.name for p in (tmp_path / "deep" / "export").iterdir()) == [
        "evaluations.parquet",
        "manifest.json",
        "tasks.parquet",
    ]
    assert other.import_(tmp_path / "deep" / "export") == 26
    assert content(other) == content(store)
    assert other.import_(tmp_path / "deep" / "export") == 0
    assert content(other) == content(store)
    assert other.verify() == []


def test_an_export_that_is_not_as_it_was_written_is_refused_whole_with_all_its_faults(own, tmp_path):
    filled(own).export(tmp_path / "export")
    other = MetaStore(tmp_path / "other.db")
    with pytest.raises(InputError, match="exists already"):
        own.export(tmp_path / "export")
    with pytest.raises(InputError, match="not an export of a store"):
        other.import_(tmp_path)
    broken = tmp_path / "export" / "evaluations.parquet"
    broken.write_bytes(broken.read_bytes()[:-1])
    (tmp_path / "export" / "tasks.parquet").unlink()
    with pytest.raises(InputError) as caught:
        other.import_(tmp_path / "export")
    assert [Path(p.where).name for p in caught.value.problems] == ["tasks.parquet", "evaluations.parquet"]
    manifest = json.loads((tmp_path / "export" / "manifest.json").read_text())
    (tmp_path / "export" / "manifest.json").write_text(json.dumps({**manifest, "version": 2}))
    with pytest.raises(InputError, match="Upgrade"):
        other.import_(tmp_path / "export")
    assert other.tasks() == []


def test_an_empty_store_exports_and_imports(own, tmp_path):
    own.add(record(), [])
    own.remove(record().fingerprint)
    assert own.export(tmp_path / "export")["tasks"] == 0
    assert MetaStore(tmp_path / "other.db").import_(tmp_path / "export") == 0


def test_a_store_that_does_not_exist_is_neither_exported_nor_merged_nor_shipped(own, tmp_path):
    for refused in (own.export, own.ship, lambda _: MetaStore(tmp_path / "other.db").merge(own)):
        with pytest.raises(StoreError, match=r"own\.db: there is no store to (export|ship|merge)"):
            refused(tmp_path / "new" / "export")
    assert list(tmp_path.iterdir()) == []


def test_the_command_refuses_to_export_a_store_that_does_not_exist(own, tmp_path, capsys):
    command = ["store", "export", str(tmp_path / "new" / "export"), "--store", own.url]
    assert main(command) == 3
    assert "there is no store to export" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    filled(own)
    assert main(command) == 0
    assert (tmp_path / "new" / "export").is_dir()
    assert main(command) == 2  # there is something now


def test_a_damaged_store_leaves_no_part_of_a_shipped_file(own, tmp_path):
    filled(own)
    with sqlite3.connect(own.url) as connection:
        connection.execute("UPDATE autometa_block SET scores = x'00' WHERE rowid = 3")
    connection.close()
    shipped = tmp_path / "shipped" / "memory.db"
    with pytest.raises(StoreError, match="damaged"):
        own.ship(shipped)
    assert list(shipped.parent.iterdir()) == []


def test_merging_is_by_content_whatever_the_databases(new_url, tmp_path):
    one, two = filled(MetaStore(new_url())), MetaStore(tmp_path / "two.db")
    two.add(record(2, created="2020-01-01T00:00:00+00:00"), [evaluation(2), evaluation(50)])
    two.add(record(20), [evaluation(1)])
    assert one.merge(two) == 2
    assert one.merge(two) == 0
    assert one.merge(one) == 0
    assert two.merge(one) == 25
    assert content(one) == content(two)
    assert one.verify() == two.verify() == []
    with pytest.raises(StoreError, match="there is no store"):
        one.merge(MetaStore(tmp_path / "mistyped.db", read_only=True))


# ---------------------------------------------------------------------------------------------------------- inspection


def damaged_block(**changes: Any) -> dict[str, Any]:
    return blocks.encode([evaluation(1, **changes), evaluation(2)])._asdict()


def non_canonical() -> dict[str, Any]:
    table = blocks.unpack(blocks.encode([evaluation()]).scores)
    column = blocks._texts(['{"knn.n_neighbors": 0, "family": "knn"}'])
    scores = blocks.pack(table.set_column(0, "config", column))
    return {**blocks.encode([evaluation()])._asdict(), "scores": scores}


@pytest.mark.parametrize(
    ("table", "values", "says"),
    [
        ("task", {"fingerprint": "Not-Hexadecimal"}, "fingerprint 'Not-Hexadecimal'"),
        ("task", {"kind": "clustering"}, "unknown kind 'clustering'"),
        ("task", {"n_rows": -1}, "negative number of rows"),
        ("task", {"created": "yesterday"}, "'yesterday' is not in ISO 8601"),
        ("task", {"metafeatures": "{"}, "meta-features cannot be read"),
        ("task", {"metafeatures": '{"names": ["a"], "values": [1, 2]}'}, "2 meta-features under 1 different names"),
        ("task", {"metafeatures": '{"names": ["a"], "values": [Infinity]}'}, "meta-feature is infinite"),
        ("block", {"scores": b"\0" * 50}, "evaluations are damaged"),
        ("block", {"details": b"\xff" * 50}, "evaluations are damaged"),
        ("block", {"evaluations": 5}, "5 evaluations were expected, found 2"),
        ("block", {"fingerprint": "f" * 32}, "belongs to no task"),
        ("block", blocks.encode([evaluation(), evaluation()])._asdict(), "is there twice: evaluation 1"),
        ("block", damaged_block(state="splendid"), "unknown state: evaluation 0"),
        ("block", damaged_block(state="failed"), "no reason given: evaluation 0"),
        ("block", damaged_block(scores={}, folds={}), "without a score"),
        ("block", damaged_block(scores={"accuracy": float("inf")}, folds={}), "a score is infinite"),
        ("block", damaged_block(folds={"accuracy": (float("-inf"),)}), "fold's score is infinite"),
        ("block", damaged_block(folds={"r2": (0.1,)}), "metric that has no score"),
        ("block", damaged_block(rows=-4), "negative seconds, memory or rows"),
        ("block", non_canonical(), "not canonical JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_verify_names_what_is_broken_and_changes_nothing(own, table, values, says):
    own.add(record(1), [evaluation(1), evaluation(2)])
    own.add(record(2), [evaluation(1)])
    assert own.verify() == []
    columns = ", ".join(f"{name} = ?" for name in values)
    with sqlite3.connect(own.url) as connection:
        place = (*values.values(), record(1).fingerprint)
        connection.execute(f"UPDATE autometa_{table} SET {columns} WHERE fingerprint = ?", place)
    connection.close()
    before = Path(own.url).read_bytes()
    found = [str(problem) for problem in own.verify()]
    assert any(says in problem for problem in found), found
    assert not any("task 2" in problem for problem in found)
    assert Path(own.url).read_bytes() == before


def test_verify_finds_torn_pages(own):
    for i in range(20):
        own.add(record(i), list(map(evaluation, range(100))))
    whole = Path(own.url).read_bytes()
    page = len(whole) // 2 // 4096 * 4096
    Path(own.url).write_bytes(whole[:page] + bytes(4096 * 4) + whole[page + 4096 * 4 :])
    assert own.verify() != []


def test_a_damaged_block_is_named_where_it_is_met(own):
    own.add(record(1), [evaluation(1)])
    with sqlite3.connect(own.url) as connection:
        connection.execute("UPDATE autometa_block SET scores = x'00112233'")
    connection.close()
    with pytest.warns(DamagedTaskWarning, match=r"'task 1'.*damaged.*verify"):
        assert len(own.past(kind="binary", metric="accuracy")) == 0
    for use in (
        lambda: own.evaluations(record(1).fingerprint),
        lambda: own.add(record(1), [evaluation(2)]),
    ):
        with pytest.raises(StoreError, match=r"'task 1'.*damaged.*verify"):
            use()


# ------------------------------------------------------------------------------------------------- weights of a space


def test_weights_are_kept_by_space_and_replaced(new_url):
    store = MetaStore(new_url())
    assert store.weights("mine") == (None, 0)
    store.keep_weights("mine", b"first", 5)
    store.keep_weights("mine", b"second", 7)
    store.keep_weights("theirs", b"other", 1)
    assert store.weights("mine") == (b"second", 7)
    assert store.weights("theirs") == (b"other", 1)
    store.keep_weights("not worth it", b"", 6)  # so that it is not learned again from the same studies
    assert store.weights("not worth it") == (None, 6)


def test_the_distributions_of_a_space_are_kept_and_the_later_ones_prevail(new_url, tmp_path):
    store = MetaStore(new_url())
    for text in (None, "{}", None, '{"x": 1}', None):
        store.add(record(space="mine", distributions=text), [])
    assert [task.distributions for task in store.tasks(space="mine")] == ['{"x": 1}']
    store.export(tmp_path / "export")
    other = MetaStore(new_url())
    other.import_(tmp_path / "export")
    assert [task.distributions for task in other.tasks(space="mine")] == ['{"x": 1}']
