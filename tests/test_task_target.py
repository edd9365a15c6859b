"""Promises of the target: which column it is, classes or numbers, its labels; what groups rows and what orders them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError
from autometa.task import make_task, read_table, read_task
from autometa.task.target import infer_kind

METRICS = {
    "roc_auc": {"binary"},
    "accuracy": {"binary", "multiclass"},
    "neg_log_loss": {"binary", "multiclass"},
    "r2": {"regression"},
}


def rows(header: str, line: str, n: int = 30) -> bytes:
    """A CSV file whose lines are `line` formatted with i."""
    text = header + "\n" + "".join(eval(f"f{line!r}", {"i": i}) + "\n" for i in range(n))
    return text.encode()


PLAIN = rows("age,town,height,class", "{20 + i % 7},{'ab'[i % 2]},{i * 0.37:.2f},{'yn'[i % 3 == 0]}")


def problems(source: object, **options: object) -> str:
    """The message with which a table is refused."""
    with pytest.raises(InputError) as caught:
        read_task(source, known_metrics=METRICS, **options)
    return str(caught.value)


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
        ([1.0, 2.0, 4.0] * 20, "regression"),
        ([-1, 0, 1] * 100, "multiclass"),
        (["01", "02", "10"] * 20, "multiclass"),
        ([2**60, 2**60 + 1, 2**60 + 8] * 20, "multiclass"),
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


@pytest.mark.shared("data")
def test_the_kind_of_363_of_367_real_targets_out_of_a_csv_file_is_that_of_the_catalogue() -> None:
    """Where the constants of `infer_kind` come from; the others are codes with gaps or another start, and grades."""
    data = Path(__file__).resolve().parents[2] / "shared" / "data"
    wrong = []
    for row in pd.read_csv(data / "catalog.csv").itertuples():
        target = pd.read_parquet(data / "tabular" / f"{row.name}.parquet", columns=["target"])
        column = read_table(target.to_csv(index=False).encode())[0]["target"].dropna()
        if (infer_kind(column)[0] == "regression") != (row.task == "regression"):
            wrong.append(row.name)
    assert len(wrong) == 4, wrong


def test_whole_numbers_of_which_some_are_missing_are_still_codes() -> None:
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


def test_rare_classes_and_imbalance_are_noted() -> None:
    frame = pd.DataFrame({"a": np.arange(300) / 7, "class": ["x"] * 297 + ["y"] * 3})
    notes = "\n".join(make_task(frame).notes)
    assert "fewer than 10 rows: 'y (3)'" in notes
    assert "the rarest class, 'y', has 1.00%" in notes


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


# --- targets that are refused -----------------------------------------------------------------------------------------

BAD = {
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
    "duplicate target": (
        rows("a,class,class", "{i},{i % 2},{i % 2}"),
        {"rename_duplicates": True},
        "the name of the target, 'class', belongs to several columns",
    ),
    "only constant features": (rows("a,b,class", "1,,{i % 2}"), {}, "only constant or empty feature columns: 'a', 'b'"),
    "no features": (rows("class", "{i % 2}"), {}, "no feature columns"),
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
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_target_is_refused_with_where_and_why(name: str) -> None:
    source, options, expected = BAD[name]
    message = problems(source, **options)
    assert expected in message
    assert all(": " in line for line in message.splitlines())


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
