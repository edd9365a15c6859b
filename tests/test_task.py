"""What a Task promises: one content, one fingerprint; it survives its journeys; its schema reads later tables alike."""

from __future__ import annotations

import gzip
import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.store import TaskRecord
from autometa.task import Schema, Task, make_task, read_table, read_task
from autometa.task.fingerprint import number_bits, shortest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def mixed() -> pd.DataFrame:
    """Every kind of column, some cells missing, and a class."""
    rng = np.random.default_rng(0)
    n = 60
    frame = pd.DataFrame(
        {
            "whole": rng.integers(-5, 50, n),
            "real": rng.normal(size=n),
            "single": rng.normal(size=n).astype(np.float32),
            "truth": rng.random(n) < 0.5,
            "code": pd.Categorical(rng.integers(1, 4, n).astype(str)),
            "town": rng.choice(["Ulm", "Zürich", 'a "quoted", one', "x;y"], n),
            "day": pd.Timestamp("2020-01-31") + pd.to_timedelta(rng.integers(0, 700, n), unit="D"),
            "words": [f"the {i}th note says {w} again" for i, w in enumerate(rng.choice(["yes", "no", "so"], n))],
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "class": rng.choice(["p", "q", "r"], n),
        }
    )
    frame.loc[3, "town"] = None
    return frame


# --- one content, one task, whatever the format -----------------------------------------------------------------------


def as_csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def as_lines(frame: pd.DataFrame) -> bytes:
    return frame.to_json(orient="records", lines=True, date_format="iso", double_precision=15).encode()


def as_parquet(frame: pd.DataFrame) -> bytes:
    return frame.to_parquet(index=False)


def as_feather(frame: pd.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    pa.feather.write_feather(frame, sink)
    return sink.getvalue().to_pybytes()


FORMATS = {
    "csv": as_csv,
    "tsv": lambda f: f.to_csv(index=False, sep="\t").encode(),
    "semicolons and decimal commas": lambda f: f.to_csv(index=False, sep=";", decimal=",").encode(),
    "everything quoted": lambda f: f.to_csv(index=False, quoting=1).encode(),
    "byte order mark": lambda f: f.to_csv(index=False).encode("utf-8-sig"),
    "utf-16": lambda f: f.to_csv(index=False).encode("utf-16"),
    "latin-1": lambda f: f.to_csv(index=False).encode("latin-1"),
    "carriage returns": lambda f: f.to_csv(index=False, lineterminator="\r\n").encode(),
    "gzip": lambda f: gzip.compress(as_csv(f)),
    "zstandard": lambda f: pa.compress(as_csv(f), "zstd", asbytes=True),
    "json lines": as_lines,
    "gzipped json lines": lambda f: gzip.compress(as_lines(f)),
    "parquet": as_parquet,
    "feather": as_feather,
    "a frame": lambda f: f,
    "a frame of objects": lambda f: f.astype(object),
    "a frame of arrow types": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
    "shuffled": lambda f: f.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_content_has_the_same_fingerprint_in_every_format(name: str, mixed: pd.DataFrame) -> None:
    task, other = make_task(mixed, target="class"), read_task(FORMATS[name](mixed), target="class")
    assert other.fingerprint == task.fingerprint
    assert other.kind == task.kind == "multiclass"
    assert other.classes == task.classes == ("p", "q", "r")


def test_an_array_has_the_fingerprint_of_the_frame_it_came_from(mixed: pd.DataFrame) -> None:
    frame = mixed[["whole", "real", "gaps"]]
    y = mixed["class"].to_numpy()
    assert make_task(frame.to_numpy(), y=y).fingerprint == make_task(frame, y=y).fingerprint


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6, width=64), min_size=12, max_size=30, unique=True),
    where=st.integers(0, 11),
    seed=st.integers(0, 99),
)
def test_a_fingerprint_ignores_order_and_sees_every_cell(values: list[float], where: int, seed: int) -> None:
    n = len(values)
    frame = pd.DataFrame({"a": values, "b": np.arange(n) % 5 * 1.5, "target": [f"c{i % 2}" for i in range(n)]})
    task = make_task(frame, target="target")
    shuffled = frame.sample(frac=1, random_state=seed)[["target", "b", "a"]]
    assert make_task(shuffled, target="target").fingerprint == task.fingerprint
    changed = frame.copy()
    changed.loc[where, "b"] += 0.25
    assert make_task(changed, target="target").fingerprint != task.fingerprint


def test_two_cells_exchanged_between_rows_change_the_fingerprint(mixed: pd.DataFrame) -> None:
    other = mixed.copy()
    other.loc[[0, 1], "real"] = mixed.loc[[1, 0], "real"].to_numpy()
    assert make_task(other, target="class").fingerprint != make_task(mixed, target="class").fingerprint


def test_the_target_and_the_kind_are_part_of_the_fingerprint() -> None:
    frame = pd.DataFrame({"a": np.arange(40) ** 1.5, "b": np.arange(40) % 2, "c": np.arange(40) % 2})
    prints = {
        make_task(frame, target=t, kind=k).fingerprint for t, k in (("b", None), ("b", "regression"), ("a", None))
    }
    assert len(prints) == 3


def test_a_table_judged_otherwise_is_kept_apart_whatever_the_order_of_its_rows() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=60), "class": rng.choice(["a", "b"], 60)})
    roles = {
        "shop": rng.integers(0, 6, 60),
        "town": rng.choice(list("uvw"), 60),
        "day": np.arange(60),
        "pay": rng.random(60),
    }
    ways: list[dict[str, str]] = [
        {}, {"group": "shop"}, {"group": "town"}, {"time_order": "day"}, {"weight": "pay"},
        {"time_order": "day", "weight": "pay"},
    ]  # fmt: skip

    def judged(rows: pd.DataFrame, way: dict[str, str]) -> str:
        asked = rows[["x", "class", *way.values()]]
        return make_task(asked, target="class", **way).judged_fingerprint  # type: ignore[arg-type]

    whole = frame.assign(**roles)
    found = [judged(whole, way) for way in ways]
    assert len(set(found)) == len(ways)
    assert found[0] == make_task(frame, target="class").fingerprint
    assert [judged(whole.sample(frac=1, random_state=1), way) for way in ways] == found
    task = make_task(frame, target="class")
    assert TaskRecord.of(replace(task, validation=20)).fingerprint != TaskRecord.of(task).fingerprint


def test_fingerprints_never_change_between_versions(mixed: pd.DataFrame) -> None:
    """Stores are keyed by them: a new algorithm would need a new store."""
    frame = pd.DataFrame({"a": np.arange(20) * 0.1, "b": list("xyz?w") * 4, "y": [0, 1] * 10})
    assert make_task(frame).fingerprint == "f33c65b2db3ed0ad2beec9f93765aa50"


def test_numbers_agree_to_ten_digits_and_differ_at_eight() -> None:
    x = np.random.default_rng(0).normal(size=(200, 1)) + 1 / 3
    assert (number_bits(x) == number_bits(x * (1 + 1e-15))).mean() > 0.99
    assert (number_bits(x) != number_bits(x * (1 + 1e-8))).all()
    assert len(np.unique(number_bits(np.array([[0.0], [-0.0]])))) == 1


# --- a task survives its journeys -------------------------------------------------------------------------------------


def same(a: Task, b: Task) -> None:
    pd.testing.assert_frame_equal(a.X, b.X)
    np.testing.assert_array_equal(a.y, b.y)
    assert (a.kind, a.metric, a.classes, a.target, a.notes, a.columns) == (
        *(b.kind, b.metric, b.classes, b.target, b.notes),
        b.columns,
    )
    for name in ("groups", "time_order"):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_array_equal(left, right)


def test_what_was_saved_loads_equal(mixed: pd.DataFrame, tmp_path: Path) -> None:
    task = make_task(mixed, target="class", group="code", time_order="day", openml_id=7, family="f")
    task.save(tmp_path / "task")
    loaded = Task.load(tmp_path / "task")
    same(task, loaded)
    assert loaded.fingerprint == task.fingerprint
    assert (loaded.openml_id, loaded.family) == (7, "f")
    same(task, pickle.loads(pickle.dumps(task)))


@pytest.mark.parametrize("keep", [["real"], ["town"], ["words"], ["real", "words"]])
def test_tasks_with_one_kind_of_column_load_equal(keep: list[str], mixed: pd.DataFrame, tmp_path: Path) -> None:
    task = make_task(mixed[[*keep, "class"]])
    task.save(tmp_path)
    same(task, Task.load(tmp_path))


def test_a_task_remembers_its_fingerprint_wherever_it_goes(
    mixed: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, other = make_task(mixed, target="class"), make_task(mixed, target="class")
    known = task.fingerprint
    task.save(tmp_path / "known")
    other.save(tmp_path / "unknown")
    monkeypatch.setattr("autometa.task.task.fingerprint", lambda *_: "computed")
    assert Task.load(tmp_path / "known").fingerprint == pickle.loads(pickle.dumps(task)).fingerprint == known
    assert Task.load(tmp_path / "unknown").fingerprint == "computed"
    assert task.sample(20, seed=0).fingerprint == "computed"


def test_loading_maps_the_numbers_rather_than_copying_them(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 4)))
    frame["y"] = frame[0] * 2
    make_task(frame).save(tmp_path)
    loaded = Task.load(tmp_path)
    for array in (loaded.X.to_numpy(), loaded.y):
        assert not array.flags.writeable
        while array.base is not None and not isinstance(array, np.memmap):
            array = array.base
        assert isinstance(array, np.memmap)


def test_a_sample_keeps_every_class_and_the_order_of_rows() -> None:
    n = 1000
    frame = pd.DataFrame(
        {"a": np.arange(n) + 0.5, "b": np.arange(n) % 3 / 7, "class": ["x"] * 900 + ["y"] * 97 + ["z"] * 3}
    )
    task = make_task(frame)
    sample = task.sample(100, seed=1)
    assert sample.n == 100
    assert np.bincount(sample.y)[2] == 2
    assert 85 <= np.bincount(sample.y)[0] <= 92
    assert sample.X["a"].is_monotonic_increasing
    assert isinstance(sample.X.index, pd.RangeIndex)
    np.testing.assert_array_equal(frame["class"].map({"x": 0, "y": 1, "z": 2})[sample.X["a"].astype(int)], sample.y)
    assert sample.fingerprint != task.fingerprint
    same(sample, task.sample(100, seed=1))
    assert task.sample(n, seed=0) is task


def test_a_sample_smaller_than_the_number_of_classes_has_one_row_of_each() -> None:
    task = make_task(pd.DataFrame({"a": np.arange(60) / 7, "class": [f"c{i % 20}" for i in range(60)]}))
    assert np.bincount(task.sample(5, seed=0).y).tolist() == [1] * 20


# --- applying a schema ------------------------------------------------------------------------------------------------


def test_one_row_is_read_as_it_is_among_many(mixed: pd.DataFrame) -> None:
    schema = Schema.fit(mixed.drop(columns="class"))
    whole = schema.apply(mixed)
    for i in (0, 3, 59):
        pd.testing.assert_frame_equal(schema.apply(mixed.iloc[[i]]), whole.iloc[[i]].reset_index(drop=True))


def test_extra_shuffled_and_differently_named_columns_change_nothing(mixed: pd.DataFrame) -> None:
    schema = Schema.fit(mixed.drop(columns="class"))
    pd.testing.assert_frame_equal(
        schema.apply(mixed.assign(extra=1)[[*mixed.columns[::-1], "extra"][::-1]]), schema.apply(mixed)
    )
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)))
    schema = Schema.fit(numbers)
    pd.testing.assert_frame_equal(schema.apply(numbers.set_axis(["0", "1", "2"], axis=1)), schema.apply(numbers))
    pd.testing.assert_frame_equal(schema.apply(numbers.to_numpy()), schema.apply(numbers))


def test_a_training_table_that_comes_back_as_text_or_empty_is_still_read(mixed: pd.DataFrame) -> None:
    schema = Schema.fit(mixed.drop(columns="class"))
    again, _ = read_table(mixed.to_csv(index=False, quoting=1).encode())
    pd.testing.assert_frame_equal(schema.apply(again.astype("str")), schema.apply(mixed.astype({"single": "str"})))
    empty = schema.apply(mixed.assign(**dict.fromkeys(mixed.columns, None)))
    assert empty[list(schema.columns.numeric + schema.columns.categorical)].isna().all(axis=None)
    assert schema.apply(mixed.iloc[:0]).shape == (0, len(schema.columns.all))


def test_missing_columns_and_wrong_widths_are_all_listed(mixed: pd.DataFrame) -> None:
    schema = Schema.fit(mixed.drop(columns="class"))
    with pytest.raises(InputError) as caught:
        schema.apply(mixed.drop(columns=["real", "town"]).rename(columns={"day": "days"}))
    message = str(caught.value)
    assert "no column 'real'" in message
    assert "no column 'town'" in message
    assert "no column 'day'. Did you mean 'days'?" in message
    with pytest.raises(InputError, match=r"shape \(2, 3\)"):
        schema.apply(np.zeros((2, 3)))


def test_a_table_ten_times_as_wide_takes_about_ten_times_as_long() -> None:
    def seconds(columns: int) -> float:
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, columns)))
        start = time.process_time()
        task = make_task(frame, y=[0, 1] * 30)
        task.schema.apply(frame.iloc[:1])
        assert len(task.fingerprint) == 32
        assert task.p == columns
        return time.process_time() - start

    narrow, wide = (min(seconds(columns) for _ in range(3)) for columns in (500, 5000))
    assert wide < 30 * narrow  # measured: 4 to 7 times; a loop over pairs of columns would take 100 times


# --- real tables ------------------------------------------------------------------------------------------------------


@pytest.mark.shared("data")
@pytest.mark.parametrize("name", ["iris", "autos", "analcatdata_dmft", "solar-flare_2", "auto_price", "eucalyptus"])
def test_real_tables_keep_kind_and_fingerprint_through_a_csv_file(name: str) -> None:
    catalogue = pd.read_csv(SHARED / "catalog.csv").set_index("name")
    path = SHARED / "tabular" / f"{name}.parquet"
    task = read_task(path)
    assert task.kind == catalogue.task[name]
    again = read_task(as_csv(pd.read_parquet(path)), kind=task.kind)
    assert again.fingerprint == task.fingerprint


def test_the_shortest_decimals_of_single_precision_are_those_that_are_written() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    twos, tens = 2.0 ** np.arange(-149, 128), 10.0 ** np.arange(-45, 39)
    kinds = (
        bits[np.isfinite(bits)],
        rng.normal(size=50_000),
        rng.normal(size=50_000).round(3),
        twos,
        tens,
        [np.nan, -0.0],
    )
    for values in (np.asarray(kind, dtype=np.float32) for kind in kinds):
        written = pa.array(values, from_pandas=False).cast(pa.string()).cast(pa.float64()).to_numpy()
        np.testing.assert_array_equal(shortest(values), written)
        beside = np.nextafter(values, np.float32(np.inf))
        written = pa.array(beside, from_pandas=False).cast(pa.string()).cast(pa.float64()).to_numpy()
        np.testing.assert_array_equal(shortest(beside), written)
