"""What a Task promises, however its table arrives."""

from __future__ import annotations

import gzip
import pickle
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.task import Schema, Task, make_task, read_table, read_task
from autometa.task.fingerprint import number_bits

METRICS = {
    "roc_auc": {"binary"},
    "accuracy": {"binary", "multiclass"},
    "neg_log_loss": {"binary", "multiclass"},
    "r2": {"regression"},
}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def rows(header: str, line: str, n: int = 30) -> bytes:
    """A CSV file whose lines are `line` formatted with i."""
    text = header + "\n" + "".join(eval(f"f{line!r}", {"i": i}) + "\n" for i in range(n))
    return text.encode()


PLAIN = rows("age,town,height,class", "{20 + i % 7},{'ab'[i % 2]},{i * 0.37:.2f},{'yn'[i % 3 == 0]}")


@pytest.fixture
def mixed() -> pd.DataFrame:
    """Every kind of column, with holes, and a class."""
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
            "holes": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "class": rng.choice(["p", "q", "r"], n),
        }
    )
    frame.loc[3, "town"] = None
    return frame


def problems(source: object, **options: object) -> str:
    """The message with which a table is refused."""
    with pytest.raises(InputError) as caught:
        read_task(source, known_metrics=METRICS, **options)
    return str(caught.value)


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
    frame = mixed[["whole", "real", "holes"]]
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


@pytest.mark.timed
def test_loading_maps_the_numbers_rather_than_copying_them(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50_000, 40)))
    frame["y"] = frame[0] * 2
    make_task(frame).save(tmp_path)
    Task.load(tmp_path)
    start = time.process_time()
    task = Task.load(tmp_path)
    assert time.process_time() - start < 0.1
    block = task.X.to_numpy()
    assert not block.flags.owndata
    assert not block.flags.writeable


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


# --- what is to be predicted ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b"] * 20, "binary"),
        ([0, 1] * 20, "binary"),
        ([1.0, 2.0] * 20, "binary"),
        ([-1, 1] * 20, "binary"),
        ([True, False] * 20, "binary"),
        ([0, 1, 2, 3] * 20, "multiclass"),
        (["1", "2", "3"] * 20, "multiclass"),
        (pd.Categorical([5, 17, 99] * 20), "multiclass"),
        (list(range(1, 27)) * 20, "multiclass"),
        (list(range(1, 101)) * 16, "multiclass"),
        ([*[1, 2, 4, 5, 6, 7] * 30], "multiclass"),
        ([0.5, 1.5, 2.5] * 20, "regression"),
        ([1.0, 2.0, 3.0] * 20, "regression"),
        (list(range(40)), "regression"),
        ([15, 30, 70, 99] * 20, "regression"),
        ([0, 1, 2, 3, 9] + [0, 1] * 40, "regression"),
        ([f"{v / 3:.2f}".replace(".", ",") for v in range(40)], "regression"),
    ],
)
def test_the_kind_is_inferred_from_the_target(values: object, kind: str) -> None:
    n = len(values)  # type: ignore[arg-type]
    task = make_task(np.random.default_rng(0).normal(size=(n, 2)), y=values)
    assert task.kind == kind
    assert any(note.startswith("Task: ") and kind in note for note in task.notes)
    assert task.metric == {"binary": "roc_auc", "multiclass": "neg_log_loss"}.get(kind, "neg_root_mean_squared_error")


def test_whole_numbers_with_holes_are_still_codes() -> None:
    data = rows("a,b,y", "{i % 7}.5,{i % 4}.25,{i % 3 if i else ''}", 60)
    task = read_task(data, drop_missing_target=True)
    assert (task.kind, task.classes, task.n) == ("multiclass", (0, 1, 2), 59)
    assert any("1 of 60 rows" in note for note in task.notes)


def test_a_metric_or_a_kind_overrides_what_the_target_looks_like() -> None:
    data = rows("a,b,y", "{i % 7}.5,{i % 4}.25,{i % 3}", 60)
    assert read_task(data, metric="r2", known_metrics=METRICS).kind == "regression"
    assert read_task(data, kind="regression").y.dtype == np.float64
    data = rows("a,b,y", "{i % 7}.5,{i % 4}.25,{i % 3 * 40}", 60)
    assert read_task(data).kind == "regression"
    assert read_task(data, metric="accuracy", known_metrics=METRICS).classes == (0, 40, 80)


@pytest.mark.parametrize(
    ("y", "otherwise"),
    [("{i % 3}", "rmse"), ("{i % 3 * 40}", "log_loss"), ("{i}", None), ("{i % 2}", None), ("{i % 9}.5", None)],
)
def test_where_whole_numbers_might_be_either_the_notes_say_how_to_have_the_other(y: str, otherwise: str | None) -> None:
    data = rows("a,b,y", "{i % 7}.5,{i % 4}.25," + y, 60)
    (note,) = (note for note in read_task(data).notes if note.startswith("Task: "))
    assert ("would make them" in note) == (otherwise is not None)
    if otherwise is not None:
        assert f"the metric {otherwise} would" in note
        usual = {"rmse": {"regression"}, "log_loss": {"binary", "multiclass"}}
        changed = read_task(data, metric=otherwise, known_metrics=usual)
        assert (changed.kind == "regression") == (otherwise == "rmse")


@pytest.mark.parametrize(
    ("header", "target"),
    [("a,Target,class", "Target"), ("Label,b,c", "Label"), ("y,b,class", "class"), ("a,b,c", "c")],
)
def test_the_target_is_found_by_name_or_is_the_last_column_and_the_notes_say_why(header: str, target: str) -> None:
    task = read_task(rows(header, "{i % 2},{i % 2},{i % 2}"), kind="binary")
    assert task.target == target
    why = "the last one" if target == "c" else "its name"
    assert any(repr(target) in note and why in note for note in task.notes)


def test_classes_keep_their_own_type_and_none_is_a_label_of_a_text_target() -> None:
    assert read_task(rows("a,y", "{i % 7},{i % 2}")).classes == (0, 1)
    assert read_task(rows("a,y", "{i % 7},{i % 2 == 0}")).classes == (False, True)
    assert read_task(rows("a,y", "{i % 7},{('None', 'some')[i % 2]}")).classes == ("None", "some")


# --- groups and time --------------------------------------------------------------------------------------------------


def test_groups_and_time_are_no_features() -> None:
    data = rows("site,when,a,y", "s{i % 3},2020-01-{30 - i % 30:02d},{i % 7},{i % 2}")
    task = read_task(data, group="site", time_order="when")
    assert list(task.X) == ["a"]
    assert task.groups is not None
    assert task.groups.tolist() == [0, 1, 2] * 10
    assert task.time_order is not None
    assert (np.diff(task.time_order) == -86400).all()
    assert "site" not in task.schema.raw


def test_group_and_time_columns_that_cannot_serve_are_listed_together() -> None:
    message = problems(PLAIN, group="twon", time_order="town", target="height")
    assert "no column 'twon'. Did you mean 'town'?" in message
    assert "30 rows have no number or date in the time-order column 'town'" in message


# --- bad input --------------------------------------------------------------------------------------------------------

RAGGED = PLAIN + b"1,2\n3,4,5,6,7\n"
BAD = {
    "empty": (b"", {}, "empty"),
    "blank": (b"\n \n", {}, "empty"),
    "header only": (b"a,b,class\n", {}, "a header without rows"),
    "target not found": (
        PLAIN,
        {"target": "clas"},
        "no column 'clas'. Did you mean 'class'? Columns: age, town, height",
    ),
    "target all missing": (rows("a,class", "{i},"), {}, "every label is missing"),
    "labels missing": (
        rows("a,class", "{i},{'' if i < 4 else i % 2}"),
        {},
        "4 labels are missing (NaN) or infinite, of 30. Fill them in, or leave these rows out with --drop-missing",
    ),
    "constant target": (rows("a,class", "{i},x"), {}, "one class only, 'x'"),
    "constant number": (rows("a,y", "{i},2.5"), {"metric": "r2"}, "every value is 2.5"),
    "too few rows": (rows("a,class", "{i},{i % 2}", 4), {}, "only 4 rows"),
    "a class with one row": (PLAIN + b"1,a,2.5,solo\n", {}, "1 class has one row only: 'solo'"),
    "duplicate names": (rows("a,a,b,b,class", "1,2,3,{i},{i % 2}"), {}, "duplicate column names: 'a', 'b'"),
    "duplicate target": (
        rows("a,class,class", "{i},{i % 2},{i % 2}"),
        {"rename_duplicates": True},
        "the name of the target, 'class', belongs to several columns",
    ),
    "only constant features": (rows("a,b,class", "1,,{i % 2}"), {}, "only constant or empty feature columns: 'a', 'b'"),
    "no features": (rows("class", "{i % 2}"), {}, "no feature columns"),
    "ragged rows": (
        RAGGED,
        {},
        "2 rows have another number of cells than the header's 4: line 32 has 2, line 33 has 5",
    ),
    "binary junk": (np.random.default_rng(0).bytes(4000), {}, "binary data"),
    "a workbook": (b"PK\x03\x04" + bytes(50), {}, "Excel workbook"),
    "a cut gzip file": (gzip.compress(PLAIN)[:-12], {}, "damaged gzip data"),
    "damaged parquet": (b"PAR1" + bytes(50), {}, "damaged parquet data"),
    "text in a regression target": (
        rows("a,price", "{i % 7},{i * 1.5}", 60) + b"1,unknown\n2,tba\n",
        {},
        "text among the numbers of a regression target: 'unknown', 'tba' (2 cells)",
    ),
    "a regression metric on text": (PLAIN, {"metric": "r2"}, "text among the numbers"),
    "a date as target": (rows("a,when", "{i % 7},2020-01-{i + 1:02d}"), {}, "dates cannot be predicted"),
    "unknown metric": (
        PLAIN,
        {"metric": "acuracy"},
        "unknown metric 'acuracy'. Did you mean 'accuracy'? Known metrics: acc",
    ),
    "a metric of another kind": (
        rows("a,class", "{i % 7},{'xyz'[i % 3]}"),
        {"metric": "roc_auc"},
        "'roc_auc' does not measure multiclass tasks, and this is one. Metrics that do: accuracy, neg_log_loss",
    ),
    "unknown kind": (PLAIN, {"kind": "clustering"}, "unknown kind 'clustering'"),
    "one endless cell": (b"x" * 300_000, {}, "field larger than field limit"),
    "ragged rows under blank lines": (b"\n\n" + RAGGED, {}, "line 34 has 2, line 35 has 5"),
    "broken json": (b'{"a": 1, "y": 2}\n{"a": 1,\n', {}, "line 2 is not JSON"),
    "broken arff": (b"@relation r\n@attribute a wrongtype\n@data\n1\n", {}, "broken ARFF"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_where_and_why(name: str) -> None:
    source, options, expected = BAD[name]
    message = problems(source, **options)
    assert expected in message
    assert all(": " in line for line in message.splitlines())


def test_a_missing_file_suggests_its_sibling_and_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adult.csv").write_bytes(PLAIN)
    assert f"Did you mean {str(tmp_path / 'adult.csv')!r}?" in problems(tmp_path / "adlt.csv")
    assert "a directory" in problems(tmp_path)
    assert "no such file" in problems(tmp_path / "nowhere" / "x.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["adult.csv"]


def test_all_problems_are_reported_together() -> None:
    data = rows("a,a,class", "1,1,{'x' if i else ''}") + b"1,2\n"
    message = problems(data, metric="foo", group="g", target="class")
    for part in (
        "line 32 has 2",
        "duplicate column names",
        "unknown metric",
        "no column 'g'",
        "1 label is missing",
        "only constant",
    ):
        assert part in message, part
    assert len(message.splitlines()) >= 6


def test_a_class_of_one_row_is_found_even_where_its_neighbours_are_missing() -> None:
    message = problems(rows("a,class", "{i % 7},{'' if i == 3 else 'abc'[i % 2 if i else 2]}"))
    assert "1 label is missing" in message
    assert "1 class has one row only: 'c'" in message


def test_duplicated_names_are_accepted_on_request_and_from_a_frame() -> None:
    task = read_task(rows("a,a,class", "{i % 7},{i % 5},{i % 2}"), rename_duplicates=True)
    assert list(task.X) == ["a", "a.1"]
    assert any("made unique" in note for note in task.notes)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=["x", "x", 1])
    task = make_task(frame, y=[0, 1] * 10)
    assert list(task.X) == ["x", "x.1", "1"]
    assert any("made unique" in note for note in task.notes)


def test_names_may_be_any_text() -> None:
    names = ["größe", '{"a": [1]}', "a:b,c", "x[0]<1", "", " ", "名前", "0"]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, len(names))), columns=names)
    task = make_task(frame, y=[0, 1] * 10)
    assert list(task.X) == names
    read = read_task(frame.assign(target=[0, 1] * 10).to_csv(index=False).encode())
    assert read.fingerprint == task.fingerprint


# --- reading ----------------------------------------------------------------------------------------------------------


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(PLAIN)))
    assert read_task("-").n == 30


def test_a_row_longer_than_a_block_and_a_quoted_line_break_are_read() -> None:
    long = "x" * (5 << 20)
    data = f'a,b,class\n1,"{long}\n{long}",p\n'.encode() + rows("", '{i},"two\nlines",q')[1:]
    frame, _ = read_table(data)
    assert frame.shape == (31, 3)
    assert len(frame["b"][0]) == 2 * len(long) + 1
    assert frame["b"][5] == "two\nlines"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("sep=;\na;b\n1;2\n3;4\n", ["a", "b"]),
        ('"a" "b"\n"r1" 1 2\n"r2" 3 4\n', ["Unnamed: 0", "a", "b"]),
        ("a  b   c\n1  2 3\n4 5    6\n", ["a", "b", "c"]),
        ("\n\na|b\r\n1|2\r\n", ["a", "b"]),
        ("a,b\r1,2\r3,4\r", ["a", "b"]),
        ("a,'b c'\n1,'x,y'\n2,'z'\n", ["a", "b c"]),
        ("a,b\n1,x,\n2,y,\n", ["a", "b", "Unnamed: 2"]),
        ("a,,c\n1,2,3\n", ["a", "Unnamed: 1", "c"]),
        ('[{"a": 1, "b": "x"}, {"a": 2, "b": [1]}]', ["a", "b"]),
    ],
)
def test_dialects_are_recognised(text: str, columns: list[str]) -> None:
    frame, _ = read_table(text.encode())
    assert list(frame) == columns


def test_arff_is_read_dense_and_sparse() -> None:
    head = "% note\n@RELATION r\n@attribute 'the a' numeric\n@attribute b {x,'y z'}\n@attribute class {no,yes}\n@data\n"
    dense = read_task((head + "1,x,yes\n?,'y z',no\n% note\n3.5,x,no\n" * 5).encode())
    assert dense.columns.categorical == ("b",)
    assert dense.X["b"].cat.categories.tolist() == ["x", "y z"]
    assert dense.X["the a"].isna().sum() == 5
    sparse = read_task((head + "{0 1, 2 yes}\n{0 2, 1 'y z'}\n{0 3.5}\n" * 5).encode())
    assert sparse.X["b"].tolist() == ["x", "y z", "x"] * 5
    assert sparse.classes == ("no", "yes")


def test_an_arff_date_is_a_moment() -> None:
    head = '@relation r\n@attribute d date "yyyy-MM-dd"\n@attribute class {a,b}\n@data\n'
    task = read_task((head + "".join(f"2020-01-{i + 1:02d},{'ab'[i % 2]}\n" for i in range(20))).encode())
    assert task.columns.numeric == ("d.day", "d.weekday", "d.elapsed")


def test_a_wide_decimal_comma_is_found_beyond_a_long_header() -> None:
    frame, notes = read_table(
        (";".join(f"column_{i:05d}" for i in range(6000)) + "\n" + ";".join(["1,5"] * 6000)).encode()
    )
    assert (frame == 1.5).all(axis=None)
    assert "Decimal sign: comma." in notes


def test_every_hole_is_missing() -> None:
    words = ["", "NA", "N/A", "?", "null", "None", "nan", "NaN"]
    data = "a,b,class\n" + "".join(f"{w},{w},{i % 2}\n1.5,x,{i % 2}\n2,y,{i % 2}\n" for i, w in enumerate(words))
    task = read_task(data.encode())
    assert task.columns.numeric == ("a",)
    assert task.X["a"].isna().sum() == task.X["b"].isna().sum() == len(words)
    assert any("Missing: 16 cells" in note for note in task.notes)


# --- what columns hold ------------------------------------------------------------------------------------------------


def one(values: object, n: int = 40) -> tuple[Task, str]:
    """A task with that one column, and its notes."""
    frame = pd.DataFrame({"it": values, "other": np.arange(n) % 3 + 0.5, "class": np.arange(n) % 2})
    task = make_task(frame)
    return task, "\n".join(task.notes)


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([f"{i},{i % 10}" for i in range(40)], [i + i % 10 / 10 for i in range(40)]),
        ([f"1.{i:03d},5" for i in range(40)], [1000.5 + i for i in range(40)]),
        ([f"{i + 1},234.5" for i in range(40)], [(i + 1) * 1000 + 234.5 for i in range(40)]),
        ([f" {i / 4} " for i in range(40)], [i / 4 for i in range(40)]),
        (["1e3", "-.5", "+2", "7."] * 10, [1000, -0.5, 2, 7] * 10),
        (["unknown", *[str(i / 4) for i in range(1, 40)]], [np.nan, *[i / 4 for i in range(1, 40)]]),
        ([np.inf, -np.inf, *range(3, 41)], [np.nan, np.nan, *range(3, 41)]),
        (["True", "false", None, "True"] * 10, [1, 0, np.nan, 1] * 10),
        (pd.array([1, None, 3, 4] * 10, dtype="Int64"), [1, np.nan, 3, 4] * 10),
        (pd.to_timedelta([1, 2, 3, 4] * 10, unit="min"), [60, 120, 180, 240] * 10),
    ],
)
def test_numbers_are_found_however_they_are_spelled(values: object, numbers: list[float]) -> None:
    task, _ = one(values)
    assert "it" in task.columns.numeric
    np.testing.assert_allclose(task.X["it"], numbers)


def test_numbers_may_carry_a_unit() -> None:
    n = 60
    frame = pd.DataFrame(
        {
            "price": [f"${i * 1000 + 5:,}" if i % 9 else f"-${i * 1000 + 5:,}" for i in range(n)],
            "euros": [f"{i + 1}.{i:03},5\xa0€" for i in range(n)],
            "francs": [f"CHF {i * 3}" for i in range(n)],
            "share": [f"{i / 2} %" for i in range(n)],
            "weight": ["unknown" if i == 7 else f"{i}kg" for i in range(n)],
            "term": [f"{(36, 60)[i % 2]} months" for i in range(n)],
            "code": [f"c{i % 30}" for i in range(n)],
            "mixed": [f"{i % 30} {'kg' if i % 2 else 'lb'}" for i in range(n)],
        }
    )
    schema = Schema.fit(frame)
    assert schema.columns.numeric == ("price", "euros", "francs", "share", "weight", "term")
    assert schema.columns.categorical == ("code", "mixed")
    assert sum("unit" in note for note in schema.notes) == 6
    assert any("'unknown' taken as missing" in note for note in schema.notes)
    X = schema.apply(frame)
    assert X.loc[9, "price"] == -9005
    assert X.loc[11, "price"] == 11005
    assert X.loc[11, "euros"] == 12011.5
    assert X.loc[3, "share"] == 1.5
    assert np.flatnonzero(X["weight"].isna()).tolist() == [7]
    assert set(X["term"]) == {36, 60}
    later = frame.iloc[:3].assign(price=[5.0, 6.0, 7.0], share=["7", "8 kg", "9%"])  # as numbers; without, another
    assert schema.apply(later)["price"].tolist() == [5, 6, 7]
    np.testing.assert_array_equal(schema.apply(later)["share"], [7, np.nan, 9])


@pytest.mark.parametrize(
    ("spelled", "kind"),
    [
        ("${:,}.50", "regression"),
        ("{} kg", "regression"),
        ("c{}", None),  # the name of something: too many to be classes
    ],
)
def test_a_target_of_numbers_with_a_unit_is_regression(spelled, kind) -> None:
    frame = pd.DataFrame({"x": np.arange(80.0) ** 1.5, "price": [spelled.format(1000 + 7 * i) for i in range(80)]})
    if kind is None:
        with pytest.raises(InputError, match="80 classes have one row only"):
            make_task(frame, target="price", name="t")
        return
    task = make_task(frame, target="price", name="t")
    assert task.kind == kind
    assert task.y[:2].tolist() == ([1000.5, 1007.5] if "$" in spelled else [1000, 1007])


def test_a_few_grades_with_a_unit_are_classes() -> None:
    frame = pd.DataFrame({"x": np.arange(80.0) ** 1.5, "grade": [f"{1 + i % 5} stars" for i in range(80)]})
    task = make_task(frame, target="grade", name="t")
    assert (task.kind, task.classes[0]) == ("multiclass", "1 stars")


def test_infinities_and_odd_words_are_missing_and_said() -> None:
    assert "Infinite values" in one([np.inf, *range(2, 41)])[1]
    assert "'unknown' taken as missing (1 cells)" in one(["unknown", *[str(i / 4) for i in range(1, 40)]])[1]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["same"] * 40, "constant"),
        ([None] * 40, "no values at all"),
        (list(range(1, 41)), "row numbers"),
        ([f"u{i}" for i in range(40)], "an identifier"),
    ],
)
def test_columns_of_no_use_are_dropped_and_said(values: object, why: str) -> None:
    task, notes = one(values)
    assert list(task.X) == ["other"]
    assert task.schema.dropped["it"].startswith(why)
    assert f"Dropped 'it': {why}" in notes


def test_an_identifier_is_recognised_by_its_name_too_and_kept_where_nothing_else_is_left() -> None:
    ids = np.random.default_rng(0).permutation(9000)[:40]
    task = make_task(pd.DataFrame({"CustomerId": ids, "amount": ids[::-1], "class": np.arange(40) % 2}))
    assert list(task.X) == ["amount"]
    assert list(make_task(pd.DataFrame({"id": ids, "class": np.arange(40) % 2})).X) == ["id"]


def test_categories_are_sorted_text_fixed_when_fitted() -> None:
    task, _ = one(pd.Categorical([3, 1, 2, 1] * 10, categories=[9, 3, 2, 1]))
    assert task.X["it"].cat.categories.tolist() == ["1", "2", "3"]
    later = task.schema.apply(pd.DataFrame({"it": ["3", 1.0, 7, None], "other": 0}))
    assert later["it"].tolist()[:2] == ["3", "1"]
    assert later["it"].isna().tolist() == [False, False, True, True]
    assert later["it"].dtype == task.X["it"].dtype


def test_mixed_columns_become_categories_and_many_categories_are_said() -> None:
    task, _ = one([1, "a", 2.5, None] * 10)
    assert task.X["it"].cat.categories.tolist() == ["1", "2.5", "a"]
    task, notes = one([f"v{i % 150}" for i in range(300)], 300)
    assert task.columns.categorical == ("it",)
    assert "More than 100 categories in 'it'" in notes


def test_rare_classes_and_imbalance_are_said() -> None:
    frame = pd.DataFrame({"a": np.arange(300) / 7, "class": ["x"] * 297 + ["y"] * 3})
    notes = "\n".join(make_task(frame).notes)
    assert "fewer than 10 rows: 'y (3)'" in notes
    assert "the rarest class, 'y', has 1.00%" in notes


def test_sentences_are_text_and_holes_in_them_are_empty() -> None:
    task, notes = one([None, *[f"note {i} of the day" for i in range(39)]])
    assert task.columns.text == ("it",)
    assert task.X["it"][0] == ""
    assert "Free text in 'it'" in notes


@pytest.mark.parametrize(
    "pattern",
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S"],
)
def test_moments_are_found_in_every_common_pattern_and_give_their_parts(pattern: str) -> None:
    when = pd.Series(pd.date_range("2019-11-20 07:30:05", periods=40, freq="100h"))
    task, notes = one(when.dt.strftime(pattern))
    oracle = pd.DataFrame(
        {
            "it.year": [t.year for t in when],
            "it.month": [t.month for t in when],
            "it.day": [t.day for t in when],
            "it.weekday": [t.weekday() for t in when],
            "it.hour": [t.hour for t in when],
            "it.elapsed": [(t - when[0]).total_seconds() for t in when],
        }
    )
    pd.testing.assert_frame_equal(task.X[list(oracle)], oracle, check_dtype=False)
    assert "dates or times" in notes
    same = task.schema.apply(pd.DataFrame({"it": when, "other": 0.0}))
    pd.testing.assert_frame_equal(same[list(oracle)], oracle, check_dtype=False)


def test_ranges_and_versions_are_no_dates() -> None:
    for values in (["10-14", "15-19"] * 20, ["2010-11", "2011-12"] * 20, ["v1.2.3", "v1.2.4"] * 20):
        assert one(values)[0].columns.categorical == ("it",)


def test_an_ambiguous_date_is_said() -> None:
    assert "ambiguous" in one([f"0{i % 9 + 1}/0{i % 7 + 1}/2020" for i in range(40)])[1]


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


@pytest.mark.timed
def test_wide_tables_are_quick() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5000)))
    start = time.process_time()
    task = make_task(frame, y=[0, 1] * 30)
    task.schema.apply(frame.iloc[:1])
    assert len(task.fingerprint) == 32
    assert task.p == 5000
    assert time.process_time() - start < 3  # about 0.3 s on an idle machine


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="Complex data not supported"):
        make_task(np.ones((10, 2)) * 1j, y=[0, 1] * 5)


# --- real tables ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="the shared datasets are not here")
@pytest.mark.parametrize("name", ["iris", "autos", "analcatdata_dmft", "solar-flare_2", "auto_price", "eucalyptus"])
def test_real_tables_keep_kind_and_fingerprint_through_a_csv_file(name: str) -> None:
    catalogue = pd.read_csv(SHARED / "catalog.csv").set_index("name")
    path = SHARED / "tabular" / f"{name}.parquet"
    task = read_task(path)
    assert task.kind == catalogue.task[name]
    again = read_task(as_csv(pd.read_parquet(path)), kind=task.kind)
    assert again.fingerprint == task.fingerprint
