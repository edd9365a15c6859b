"""Whatever is done to a store or an export: the same answers, or an error or warning of ours that names it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autometa.errors import InputError, StoreError
from autometa.evaluation import Evaluation
from autometa.origins import State
from autometa.store import MetaStore, TaskRecord
from autometa.store.reading import DamagedTaskWarning

from .conftest import begun_at_once
from .judging import judge_store, state_of_store, survived
from .mutations import MUTATIONS

SHARED = Path(__file__).resolve().parents[3] / "shared"


def several(url: Path, tasks: int = 6) -> MetaStore:
    """A store of some tasks, alike but for their numbers."""
    from autometa.metafeatures import VERSION, MetaFeatures

    store = MetaStore(url)
    for k in range(tasks):
        features = MetaFeatures(("rows", "skew"), np.array([100.0 + k, np.nan]), VERSION, {"rows": 0.1})
        record = TaskRecord(
            f"{k:032x}",
            f"task {k}",
            "binary",
            "roc_auc",
            100,
            3,
            2,
            metafeatures=features,
            created="2026-01-01T00:00:00",
        )
        config = {"family": "knn", "knn.n_neighbors": 5}
        tried = [
            Evaluation({**config, "knn.n_neighbors": i}, State.COMPLETE, None, {"roc_auc": 0.5 + i / 100 + k / 1000},
                       {"roc_auc": (0.5,)}, 1.5, 0.1, 10**8, 0, 100, {"numpy": "2"})
            for i in range(1, 9)
        ]  # fmt: skip
        store.add(record, tried)
    return store


def test_every_kind_of_damage_to_a_store_is_named_or_does_no_harm(tmp_path):
    url = tmp_path / "store.db"
    several(url)
    content, expected = url.read_bytes(), state_of_store(url)
    wrong = []
    times = int(os.environ.get("AUTOMETA_FAULTS", "0")) or 3
    for kind, change in MUTATIONS.items():
        for seed in range(1 if kind in ("gone", "empty", "cut_one_byte", "doubled") else times):
            changed = change(content, np.random.default_rng(seed))
            if changed is None or changed == content:
                continue  # a store that is gone is one that is new
            url.write_bytes(changed)
            if not survived(verdict := judge_store(url, expected)):
                wrong.append((kind, seed, verdict))
    assert wrong == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE autometa_task SET metafeatures = replace(metafeatures, '103.0', '193.0') WHERE name = 'task 3'",
        "UPDATE autometa_task SET metafeatures = '{' WHERE name = 'task 3'",
        "UPDATE autometa_task SET kind = 'regression' WHERE name = 'task 3'",
        "UPDATE autometa_task SET fingerprint = 'f' WHERE name = 'task 3'",
        "UPDATE autometa_block SET scores = x'0011' WHERE fingerprint LIKE '%3'",
        "UPDATE autometa_block SET fingerprint = 'f' WHERE fingerprint LIKE '%3'",
        "DELETE FROM autometa_block WHERE fingerprint LIKE '%3'",
    ],
)
def test_a_damaged_task_is_set_aside_and_named_and_the_others_are_used(change, tmp_path, said):
    url = tmp_path / "store.db"
    store = several(url)
    assert len(store.past(kind="binary", metric="roc_auc")) == 6
    with sqlite3.connect(url) as connection:
        connection.execute(change)
    connection.close()
    with pytest.warns(DamagedTaskWarning, match=r"autometa verify .*store\.db.* --repair"):
        past = MetaStore(url).past(kind=None, metric="roc_auc")
    assert [record.name for record in past.records] == [f"task {k}" for k in (0, 1, 2, 4, 5)]
    with pytest.raises(StoreError):  # a copy that lacks a task is none
        MetaStore(url).export(tmp_path / "export")
    code, text = said("verify", url)
    assert code == 3
    code, text = said("verify", url, "--repair")
    assert (code, "5 tasks are kept, " in text) == (0, True)
    assert len(MetaStore(url).past(kind="binary", metric="roc_auc")) == 5
    assert (tmp_path / "store.db.damaged").exists()


def test_an_empty_file_is_no_store_and_a_new_one_is_never_empty(tmp_path):
    (tmp_path / "store.db").touch()
    for use in (lambda s: s.tasks(), lambda s: s.add(TaskRecord("0" * 32, "a", "binary", "auc", 1, 1, 2), [])):
        with pytest.raises(StoreError, match="empty"):
            use(MetaStore(tmp_path / "store.db"))
    several(tmp_path / "new.db", 1)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith("store")] == ["new.db"]


@pytest.mark.shared("cases/faults/corrupt")
def test_the_store_that_once_raised_something_foreign_does_not(tmp_path):
    (case,) = (SHARED / "cases/faults/corrupt").glob("STORE*.bin")
    shutil.copy(case, tmp_path / "store.db")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        MetaStore(tmp_path / "store.db").tasks(space=None)
    assert any("store.db" in str(one.message) for one in heard)
    assert MetaStore(tmp_path / "store.db").verify() != []


# ----------------------------------------------------------------------------------------------------------- imports


def doctored(folder: Path, name: str, change: Any) -> None:
    """An export whose manifest vouches for what was changed in it."""
    import hashlib

    table = change(pq.read_table(folder / name))
    pq.write_table(table, folder / name)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def with_column(name: str, value: Any) -> Any:
    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index(name)
        column = pa.array([value] * len(table), table.schema.field(name).type)
        return table.set_column(place, table.schema.field(name), column)

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tasks.parquet", with_column("kind", "nonsense")),
        ("tasks.parquet", with_column("metafeatures", "{")),
        (
            "tasks.parquet",
            with_column("metafeatures", '{"names": ["a"], "values": [1, 2], "version": "1", "seconds": {}}'),
        ),
        ("tasks.parquet", with_column("fingerprint", "no digits")),
        ("tasks.parquet", with_column("n_rows", -1)),
        ("tasks.parquet", with_column("created", "once")),
        ("tasks.parquet", with_column("name", None)),
        ("tasks.parquet", lambda table: table.drop_columns(["metric"])),
        ("tasks.parquet", lambda table: table.slice(0, 1)),
        ("evaluations.parquet", with_column("config", "{")),
        ("evaluations.parquet", with_column("config", "[1]")),
        ("evaluations.parquet", with_column("state", "nonsense")),
        ("evaluations.parquet", with_column("metrics", '["a", "b"]')),
        ("evaluations.parquet", with_column("scores", [float("inf")])),
        ("evaluations.parquet", with_column("versions", "[")),
        ("evaluations.parquet", with_column("rows", -5)),
        ("evaluations.parquet", lambda table: table.drop_columns(["seed"])),
        ("evaluations.parquet", lambda table: pa.concat_tables([table, table])),
    ],
    ids=map(str, range(18)),
)
def test_an_import_is_checked_as_a_whole_before_anything_is_written(name, change, tmp_path):
    several(tmp_path / "store.db", 2).export(tmp_path / "export")
    doctored(tmp_path / "export", name, change)
    mine = several(tmp_path / "mine.db", 1)
    before = (tmp_path / "mine.db").read_bytes()
    with pytest.raises(InputError, match="export"):
        mine.import_(tmp_path / "export")
    assert (tmp_path / "mine.db").read_bytes() == before


def test_a_doctored_store_is_not_merged(tmp_path):
    several(tmp_path / "theirs.db", 2)
    with sqlite3.connect(tmp_path / "theirs.db") as connection:
        connection.execute("UPDATE autometa_task SET created = 'once', checksum = NULL")
    connection.close()
    mine = several(tmp_path / "mine.db", 1)
    with pytest.raises(StoreError, match=r"nothing was added.*ISO 8601"):
        mine.merge(MetaStore(tmp_path / "theirs.db"))
    assert len(mine.tasks()) == 1


# ----------------------------------------------------------------------------------------------------------- writers

WRITER = textwrap.dedent("""
    import sys, time
    from autometa.store import MetaStore, TaskRecord
    from autometa.store.options import StoreOptions
    url, who, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # As long as it takes on a machine that is busy with other things; that a turn comes is the promise.
    store, longest = MetaStore(url, options=StoreOptions(busy_seconds=600)), 0.0
    print("ready", flush=True)
    sys.stdin.readline()
    for k in range(times):
        began = time.monotonic()
        store.add(TaskRecord(f"{1000 * who + k:032x}", "a", "binary", "roc_auc", 1, 1, 2), [])
        longest = max(longest, time.monotonic() - began)
    print(longest, flush=True)
""")


def test_writers_wait_in_turn_and_none_is_refused(tmp_path):
    times = 100 if os.environ.get("AUTOMETA_FAULTS") else 12
    writers = begun_at_once([[WRITER, tmp_path / "store.db", k, times] for k in range(8)])
    said = [writer.communicate(timeout=600)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 8
    assert len(MetaStore(tmp_path / "store.db").tasks()) == 8 * times
    print("longest wait of each writer, s:", [round(float(line), 2) for line in said])
