"""Collecting experience: balanced, resumable, and never a row of data."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from autometa.cli import main
from autometa.collect import CollectOptions, collect, find_sources, pool, winners
from autometa.errors import InputError
from autometa.families import available, cash_space
from autometa.space import config_key
from autometa.store import MetaStore, PastTasks, TaskRecord


@pytest.fixture
def tables(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "tables"
    folder.mkdir()
    for name in ("one", "two"):
        frame = pd.DataFrame({"a": rng.normal(size=80), "secret": rng.choice(["zanzibar", "timbuktu"], 80)})
        frame["target"] = (frame["a"] > 0).map({True: "up", False: "down"})
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / "broken.csv").write_text("")
    (tmp_path / "catalog.csv").write_text("name,family,openml_id\none,twins,31\ntwo,twins,\n")
    return folder


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_the_pool_begins_with_every_default_and_a_longer_one_begins_with_the_shorter(kind):
    space = cash_space(kind)
    short, long = pool(kind, 30, 0), pool(kind, 70, 0)
    assert short[: len(available(kind))] == space.defaults()
    assert long[:30] == short
    assert len(long) == 70
    assert all(space.contains(config) for config in long)


def test_tables_take_turns_what_is_done_is_not_done_again_and_no_row_is_kept(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "autometa.collect.run.pool",
        lambda kind, configs, seed, families=None, **_: pool(kind, 60, 0)[3:4] + pool(kind, 60, 0)[9:11],
    )
    store = MetaStore(tmp_path / "store.db")
    told = []
    first = collect(
        find_sources([tables], tmp_path / "catalog.csv"),
        store,
        CollectOptions(configs=2, folds=2, jobs=1),
        tell=lambda done, total, text: told.append(text),
    )
    assert first["evaluations"] == 4
    assert [text.split(":")[0] for text in told] == ["one", "two", "one", "two"]
    assert list(first["unreadable"]) == [str(tables / "broken.csv")]
    records = store.tasks()
    assert {(r.name, r.family, r.openml_id) for r in records} == {("one", "twins", 31), ("two", "twins", None)}
    again = collect(find_sources([tables], tmp_path / "catalog.csv"), store, CollectOptions(configs=3, folds=2, jobs=1))
    assert again["evaluations"] == 2
    content = b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))
    assert b"zanzibar" not in content
    assert b"timbuktu" not in content


def test_a_catalogue_says_which_rows_belong_together_what_orders_them_and_what_was_made(tables, tmp_path):
    days = pd.date_range("2024-01-01", periods=80).astype(str)
    for name, role in (("one", [f"site {k // 8}" for k in range(80)]), ("two", days)):
        frame = pd.read_csv(tables / f"{name}.csv")
        frame.assign(role=role)[["role", "a", "target"]].to_csv(tables / f"{name}.csv", index=False)
    head = "name,family,group,time_order,origin"
    (tmp_path / "catalog.csv").write_text(f"{head}\none,twins,role,,simulated\ntwo,twins,,role,\n")
    sources, store = find_sources([tables], tmp_path / "catalog.csv"), MetaStore(tmp_path / "store.db")
    collect(sources, store, CollectOptions(configs=1, folds=2, jobs=1, families=["naive_bayes"]))
    records = {record.name: record for record in store.tasks()}
    looks = {name: (r.metafeatures["rows_per_group"], r.metafeatures["time_ordered"]) for name, r in records.items()}
    assert looks == {"one": (8.0, 0.0), "two": (1.0, 1.0)}
    assert {name: (r.source, r.n_columns) for name, r in records.items()} == {
        "one": ("simulated", 1), "two": ("collect", 1),
    }  # fmt: skip


def test_a_description_that_lacks_what_was_added_since_is_made_anew(tables, tmp_path, monkeypatch):
    store, asked = MetaStore(tmp_path / "store.db"), CollectOptions(configs=1, folds=2, jobs=1, families=["knn"])
    sources = find_sources([tables / "one.csv"], tmp_path / "catalog.csv")
    collect(sources, store, asked)
    (record,) = store.tasks()
    older = replace(record.metafeatures, names=record.metafeatures.names[1:], values=record.metafeatures.values[1:])
    with_older = MetaStore(tmp_path / "older.db")
    with_older.add(replace(record, metafeatures=older), store.evaluations(record.fingerprint))
    collect(sources, with_older, replace(asked, configs=2, families=["knn", "naive_bayes"]))
    (renewed,) = with_older.tasks()
    assert renewed.metafeatures.names == record.metafeatures.names
    assert renewed.merged(replace(record, metafeatures=older)).metafeatures.names == record.metafeatures.names


def test_a_table_by_another_number_of_rows_is_a_task_of_its_own(tables, tmp_path):
    store = MetaStore(tmp_path / "store.db")
    sources = find_sources([tables / "one.csv"], tmp_path / "catalog.csv")
    for rows in (5000, 30, 30):
        collect(sources, store, CollectOptions(configs=1, rows=rows, folds=2, jobs=1, families=["naive_bayes"]))
    whole, part = sorted(store.tasks(), key=lambda r: -r.n_rows)
    assert whole.n_rows > part.n_rows == 30
    assert whole.family == part.family == "twins"
    assert whole.fingerprint != part.fingerprint
    assert [len(store.evaluations(r.fingerprint)) for r in (whole, part)] == [1, 1]  # the third time, nothing to do
    assert store.verify() == []


def test_a_table_that_the_store_knows_is_not_described_again(tables, tmp_path, monkeypatch):
    store = MetaStore(tmp_path / "store.db")
    sources = find_sources([tables], tmp_path / "catalog.csv")
    options = {"families": ["naive_bayes", "knn"], "folds": 2, "jobs": 1}
    collect(sources, store, CollectOptions(configs=1, **options))
    before = store.tasks()
    module = sys.modules["autometa.collect.run"]
    monkeypatch.setattr(module, "describe", lambda *_, **__: pytest.fail("described again"))
    assert collect(sources, store, CollectOptions(configs=2, **options))["evaluations"] == 2
    for now, then in zip(store.tasks(), before, strict=True):
        np.testing.assert_array_equal(now.metafeatures.values, then.metafeatures.values)
    monkeypatch.undo()
    monkeypatch.setattr(module, "VERSION", "2")  # what the features mean has changed since
    described = []
    monkeypatch.setattr(module, "describe", lambda task, **_: described.append(task.name) or before[0].metafeatures)
    collect(sources, store, CollectOptions(configs=3, **options))
    assert len(described) == 2


def test_paths_that_hold_no_table_are_all_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        find_sources([tmp_path / "empty", tmp_path / "nowhere.csv"], tmp_path / "catalog.csv")
    assert len(caught.value.problems) == 3


def test_the_winners_are_best_somewhere_and_little_known():
    configs = tuple({"family": "knn", "knn.n_neighbors": k} for k in range(1, 5))
    records = tuple(TaskRecord(f"{i:032x}", f"t{i}", "binary", "roc_auc", 9, 2, 2) for i in range(4))
    n = np.nan
    scores = np.array([[0.5, 0.9, n, n], [0.6, n, 0.7, n], [0.7, n, n, 0.2], [0.8, n, n, 0.1]])
    past = PastTasks(records, configs, scores, np.ones((4, 4)), np.zeros((4, 0)), ())
    found = winners(past, 5)  # the first is the best of two tasks, but everybody knows it; the last two know it as bad
    assert found == [configs[1], configs[2]]
    assert winners(past, 1) == [configs[1]]
    assert winners(past, 1, ["linear"]) == []
    assert winners(past, 0) == []


def test_winners_that_are_far_ahead_of_what_everybody_knows_come_first():
    configs = tuple({"family": "knn", "knn.n_neighbors": k} for k in range(1, 6))
    records = tuple(TaskRecord(f"{i:032x}", f"t{i}", "binary", "roc_auc", 9, 2, 2) for i in range(3))
    n = np.nan
    scores = np.array([[0.5, 0.89, 0.9, n, n], [0.5, 0.6, n, 0.9, n], [0.5, 0.5, n, n, 0.7]])
    past = PastTasks(records, configs, scores, np.ones((3, 5)), np.zeros((3, 0)), ())
    assert winners(past, 5) == [configs[4], configs[3], configs[2]]


def test_after_the_pool_come_winners_and_a_search_of_each_tables_own(tables, tmp_path):
    store = MetaStore(tmp_path / "store.db")
    sources = find_sources([tables], tmp_path / "catalog.csv")
    options = {"families": ["knn", "linear"], "folds": 2, "jobs": 1}
    pooled = collect(sources, store, CollectOptions(configs=3, **options))
    assert pooled["evaluations"] == 6
    searched = collect(sources, store, CollectOptions(configs=3, searched=2, **options))
    assert searched["evaluations"] == 4
    everything = {config_key(c) for c in pool("binary", 400, 0)}
    for task in store.tasks():
        own = store.evaluations(task.fingerprint)[3:]
        assert len(own) == 2
        assert all(e.config["family"] in ("knn", "linear") for e in own)
        assert {config_key(e.config) for e in own} - everything
    assert collect(sources, store, CollectOptions(configs=3, winning=4, **options))["evaluations"] <= 8


def test_samples_of_several_sizes_are_past_tasks_of_their_own_and_nothing_is_done_twice(tables, tmp_path, capsys):
    command = ["collect", str(tables), "--store", str(tmp_path / "store.db"), "--configs", "1", "--folds", "2"]
    command += ["--families", "naive_bayes", "--rows", "60,40", "--jobs", "1", "--json"]
    assert main(command) == 0
    done = json.loads(capsys.readouterr().out)
    sizes = [record.n_rows for record in MetaStore(tmp_path / "store.db").tasks()]
    assert len(sizes) == done["evaluations"]
    assert {40, 60} <= set(sizes) <= set(range(61))
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["evaluations"] == 0
    assert main([*command, "--rows", "40,few"]) == 2
    assert "--rows few: is not a whole number" in capsys.readouterr().err
