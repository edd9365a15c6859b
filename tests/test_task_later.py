"""Promises of later tables: what cannot be read as it was learned is told by column, refused where nothing can be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError
from autometa.task import Schema, make_task, read_table, read_task
from autometa.task.later import drift, tallies

N = 60


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=N),
            "flag": rng.integers(0, 2, N),
            "truth": rng.choice(["true", "false"], N),
            "price": [f"{i * 7 % 101}.5 €" if i % 4 else "-" for i in range(N)],
            "town": rng.choice(["Ulm", "Bern", "Rome"], N),
            "when": [f"{1 + i % 28}/03/2024" for i in range(N)],
            "note": [f"the note number {i} of today" for i in range(N)],
            "gaps": np.where(np.arange(N) % 2, np.nan, rng.normal(size=N)),
        }
    )


@pytest.fixture(scope="module")
def schema(raw: pd.DataFrame) -> Schema:
    return make_task(raw, y=np.arange(N) % 2).schema


def test_the_training_table_has_nothing_to_tell(raw: pd.DataFrame, schema: Schema) -> None:
    assert schema.unread(raw) == []
    assert schema.unread(raw.astype(object)) == []
    assert schema.unread(raw[:0]) == []


@pytest.mark.parametrize(
    ("column", "cells", "example"),
    [
        ("x", "0.5 kg", "0.5 kg"),
        ("x", "abc", "abc"),
        ("flag", "yes", "yes"),
        ("truth", "yes", "yes"),
        ("price", "12 $", "12 $"),
        ("when", "March 5, 24", "March 5, 24"),
        ("when", "05032024", "05032024"),
    ],
)
def test_a_column_that_cannot_be_read_is_refused_and_told_where_it_may_be_missing(
    raw: pd.DataFrame, schema: Schema, column: str, cells: str, example: str
) -> None:
    later = raw.assign(**{column: cells})
    with pytest.raises(InputError, match=f"'{column}': 60 of 60 cells") as caught:
        schema.apply_later(later)
    assert repr(example) in str(caught.value)
    assert "--allow-missing" in str(caught.value)
    X, (told,) = schema.apply_later(later, allow_missing=True)
    assert (told.name, told.share) == (column, 1.0)
    assert X[[name for name in X if name.startswith(column)]].isna().all(axis=None)


def test_a_part_of_a_column_that_cannot_be_read_is_told_with_its_share(raw: pd.DataFrame, schema: Schema) -> None:
    later = raw.assign(x=["0.5 kg" if i < 15 else i for i in range(N)], when="2024-03-05")
    _, (told,) = schema.apply_later(later)
    assert (told.name, told.unread, told.share) == ("x", 15, 0.25)
    assert "15 of 60 cells (25%)" in str(told)


def test_new_categories_are_told_where_they_are_many_and_missing_columns_where_they_were_not(
    raw: pd.DataFrame, schema: Schema
) -> None:
    _, (told,) = schema.apply_later(raw.assign(town="Oslo"))
    assert "are categories that training never saw ('Oslo')" in str(told)
    assert schema.unread(raw.assign(town=["Oslo"] + ["Ulm"] * (N - 1))) == []
    _, (told,) = schema.apply_later(raw.assign(x=np.nan, gaps=np.nan))
    assert "all 60 cells are missing" in str(told)
    assert "'x'" in str(told)


@pytest.mark.parametrize("cut", [1, 7, 30, 59])
def test_what_is_counted_in_parts_of_a_table_adds_up_to_the_whole(raw: pd.DataFrame, schema: Schema, cut: int) -> None:
    x = pd.Series(["0.5 kg" if i % 3 else i for i in range(N)], dtype=object)
    later = raw.assign(x=x, town=[f"town {i}" for i in range(N)], gaps=np.inf, flag=np.nan)
    where = np.array([later.columns.get_loc(name) for name in schema.raw])
    whole = tallies(schema.encoders, later, where)
    parts = [tallies(schema.encoders, part, where) for part in (later[:cut], later[cut:])]
    assert [one + other for one, other in zip(*parts, strict=True)] == whole
    assert [str(told.said(one)) for one, told in zip(schema.encoders, whole, strict=True) if told.said(one)]


def test_all_that_is_lost_is_refused_at_once(raw: pd.DataFrame, schema: Schema) -> None:
    with pytest.raises(InputError) as caught:
        schema.apply_later(raw.assign(x="a", flag="b", when="c"))
    assert len(caught.value.problems) == 3


def test_columns_are_found_by_name_and_may_lack_where_that_is_allowed(raw: pd.DataFrame, schema: Schema) -> None:
    expected = schema.apply(raw)
    pd.testing.assert_frame_equal(schema.apply(raw[raw.columns[::-1]].assign(more=1)), expected)
    with pytest.raises(InputError, match="no column 'x'"):
        schema.apply_later(raw.drop(columns="x"))
    X, _ = schema.apply_later(raw.drop(columns="x"), allow_missing=True)
    assert X["x"].isna().all()
    assert len(schema.apply(raw[:0])) == 0


def test_a_later_file_is_read_as_the_training_file_was() -> None:
    rows = "".join(f"{20 + i},5;1.{i:03d};0{i % 3 + 1};{i % 2}\n" for i in range(N))
    task = read_task(("area;price;code;y\n" + rows).encode(), types={"code": "category"}, na=["x"])
    assert task.X["price"][7] == 1007
    frame, _ = read_table(b"area;price;code\n20;1.234;02\n", **task.schema.reading)
    X, told = task.schema.apply_later(frame)
    assert (X["price"][0], X["code"][0], told) == (1234, "02", [])


def test_a_table_is_compared_with_the_training_table(raw: pd.DataFrame, schema: Schema) -> None:
    X = schema.apply(raw)
    assert max(one.distance for one in drift(schema.picture, X)) < 0.12
    moved = drift(schema.picture, schema.apply(raw.assign(x=raw["x"] + 9, town="Ulm", flag=np.nan)))
    assert {one.name for one in moved if one.distance > 0.5} == {"x", "town", "flag"}
    flag = next(one for one in moved if one.name == "flag")
    assert (flag.before.missing, flag.now.missing) == (0, 1)
    assert "Ulm 100%" in next(one for one in moved if one.name == "town").now.typical
