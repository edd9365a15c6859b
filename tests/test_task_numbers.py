"""Promises of numbers and dates: the decimal sign, thousands, odd words, impossible dates, clocks, long codes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autometa.task import Schema, Task, make_task, read_task
from autometa.task.cells import spelling
from autometa.task.quantities import quantity


def lines(header: str, row: object, n: int = 60) -> bytes:
    return (header + "\n" + "".join(f"{row(i)}\n" for i in range(n))).encode()  # type: ignore[operator]


def of(cells: list[str], delimiter: str = ";") -> Task:
    """A task with a column v of these cells, out of a file."""
    frame = pd.DataFrame({"a": np.arange(len(cells)) % 7, "v": cells, "y": np.arange(len(cells)) % 2})
    return read_task(frame.to_csv(index=False, sep=delimiter).encode())


# --- the decimal sign -------------------------------------------------------------------------------------------------


def german(i: int) -> str:
    return f"{str(20 + i * 0.5).replace('.', ',')};{i % 5};" + f"{700 + 37 * i:,}".replace(",", ".")


def test_where_the_comma_is_the_decimal_sign_a_point_before_three_digits_is_none() -> None:
    task = read_task(lines("area;rooms;price", german, 120))
    np.testing.assert_allclose(task.y, [700 + 37 * i for i in range(120)])
    assert task.X["area"][1] == 20.5
    features = read_task(lines("area;rooms;price", german, 120), target="rooms")
    np.testing.assert_allclose(features.X["price"], [700 + 37 * i for i in range(120)])
    assert any("'price'" in note and "between thousands" in note for note in features.notes)


@pytest.mark.parametrize("far", [False, True])
def test_a_decimal_comma_beyond_the_sample_or_in_quotes_counts_for_the_whole_file(far: bool) -> None:
    n = 9000 if far else 60
    row = (lambda i: f"{i % 9 + 1}.{i % 900 + 100};{i % 2};{'20,5' if i == n - 1 else i}") if far else None
    data = (
        lines("price;y;area", row, n)
        if row
        else lines("price,area,y", lambda i: f'"{i + 1}.{100 + i}","{i},5",{i % 2}')
    )
    task = read_task(data, target="y")
    assert task.X["price"][11] == (3111 if far else 12111)


def test_a_frame_of_text_has_the_decimal_sign_that_its_columns_show() -> None:
    frame = pd.DataFrame({"price": [f"{i + 1}.{i:03}" for i in range(40)], "area": [f"{i},5" for i in range(40)]})
    schema = Schema.fit(frame)
    assert schema.apply(frame)["price"][2] == 3002
    assert Schema.fit(frame[["price"]]).apply(frame)["price"][2] == 3.002


# --- how numbers are written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f", "\u2009", "'", "’"])
def test_a_blank_or_an_apostrophe_between_thousands(blank: str) -> None:
    task = of([f"{i + 1}{blank}{(i * 37) % 1000:03d},50" for i in range(200)])
    assert "v" in task.columns.numeric
    assert task.X["v"][3] == 4111.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(1,234.50)", -1234.5),
        ("($5)", -5),
        ("−3.5", -3.5),
        ("12-", -12),
        ("1.2M", 1.2e6),
        ("300K", 3e5),
        ("3 bn", 3e9),
        ("$1.5k", 1500),
        ("€ 2 500", 2500),
        ("- 7 %", -7),
        ("5 Mio.", 5e6),
    ],
)
def test_a_number_is_read_in_any_dress(text: str, value: float) -> None:
    found = quantity(text)
    assert found is not None
    (number,) = spelling([found.number]).values  # type: ignore[union-attr]
    assert number == value


@pytest.mark.parametrize(
    "text", ["c12", "10-14", "2020-01-31", "12:30", "1/2", "a", "", "(5", "5)", "--5", "1e5M", "M"]
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert quantity(text) is None


def test_what_an_accountant_owes_is_negative_and_numbers_all_in_parentheses_are_labels() -> None:
    assert of([f"({i},000)" if i % 3 == 0 else f"{i},000" for i in range(1, 61)], "\t").X["v"].min() == -60000
    assert of([f"({i % 5})" for i in range(60)]).columns.categorical == ("v",)


def test_multiples_are_multiplied_out() -> None:
    assert of([("1.2M", "300K", "5k")[i % 3] if i % 2 else str(i) for i in range(60)]).X["v"].max() == 1.2e6


# --- odd words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["-", ".", "none", "k.A.", "#DIV/0!", "unbekannt", "oops"])
@pytest.mark.parametrize("every", [10, 3, 2])
def test_a_word_that_repeats_among_numbers_is_missing_at_any_share(word: str, every: int) -> None:
    task = of([word if i % every == 0 else f"{i * 7 % 101}.25" for i in range(400)])
    assert "v" in task.columns.numeric
    assert task.X["v"].isna().sum() == len(range(0, 400, every))
    assert any(repr(word) in note and "missing" in note for note in task.notes)


def test_words_among_a_few_numbers_are_categories_unless_they_say_that_nothing_is_there() -> None:
    assert of([["7", "8", "9", "J", "Q", "K"][i % 6] for i in range(60)]).columns.categorical == ("v",)
    assert of([["1", "2", "3", "-"][i % 4] for i in range(60)]).X["v"].isna().sum() == 15
    assert of([["low", "high", str(i)][i % 3] for i in range(90)]).columns.categorical == ("v",)


# --- dates ------------------------------------------------------------------------------------------------------------


def test_a_date_beyond_the_range_of_nanoseconds_is_read() -> None:
    for never in ("9999-12-31", "0001-01-01", "1582-10-01"):
        day = [never if i % 9 == 0 else f"2024-0{1 + i % 9}-1{i % 7}" for i in range(80)]
        task = of(day)
        assert "v.elapsed" in task.X
        assert task.X["v.year"].iloc[0] == int(never[:4])
        frame = pd.DataFrame(
            {"v": pd.to_datetime(pd.Series(day), format="ISO8601").astype("datetime64[us]"), "y": np.arange(80) % 2}
        )
        np.testing.assert_array_equal(make_task(frame).X["v.elapsed"], task.X["v.elapsed"])


@pytest.mark.parametrize("bad", ["0000-00-00", "2024-02-30", "2024-13-01", "-", "unknown"])
def test_one_impossible_date_does_not_cost_the_column(bad: str) -> None:
    days = [f"{pd.Timestamp(2024, 1, 1) + pd.Timedelta(days=i):%Y-%m-%d}" for i in range(400)]
    task = of([bad if i == 5 else day for i, day in enumerate(days)])
    assert task.X["v.elapsed"].isna().sum() == 1
    assert any(repr(bad) in note for note in task.notes)


def test_the_pattern_is_the_one_that_fits_most() -> None:
    days = [f"{1 + i % 12:02d}.{1 + i % 12:02d}.2024" for i in range(50)] + ["31.02.2024", "25.03.2024", "13.04.2024"]
    task = of(days)
    assert task.X["v.day"][51] == 25
    assert np.isnan(task.X["v.day"][50])


def test_a_clock_with_a_time_zone_keeps_its_hour() -> None:
    texts = [f"2024-0{1 + i % 9}-03T{i % 24:02d}:30:00{'+02:00' if i % 3 else '-05:00'}" for i in range(60)]
    assert of(texts).X["v.hour"].tolist() == [i % 24 for i in range(60)]
    zoned = pd.Series(pd.date_range("2024-01-01 22:00", periods=60, freq="7h", tz="Europe/Berlin"))
    task = make_task(pd.DataFrame({"v": zoned, "y": np.arange(60) % 2}))
    assert task.X["v.hour"].tolist() == zoned.dt.hour.tolist()


# --- long codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [2**53, 10**17, 10**19])
def test_long_whole_numbers_stay_apart(base: int) -> None:
    codes = [base + i % 3 for i in range(60)]
    from_file = of([str(code) for code in codes])
    assert from_file.columns.categorical == ("v",)
    assert from_file.X["v"].tolist() == [str(code) for code in codes]
    frame = pd.DataFrame({"v": codes, "a": np.arange(60) % 7, "y": np.arange(60) % 2})
    task = make_task(frame)
    assert task.X["v"].nunique() == 3
    assert task.schema.apply(frame)["v"].tolist() == task.X["v"].tolist()


def test_whole_numbers_that_float64_keeps_are_numbers() -> None:
    assert of([str(10**15 + 7 * i) for i in range(60)]).columns.numeric == ("a", "v")


# --- whatever is written is read --------------------------------------------------------------------------------------

WRITERS = {
    "point": lambda v: f"{v:.2f}",
    "thousands": lambda v: f"{v:,.2f}",
    "comma": lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")),
    "blank": lambda v: f"{v:,.2f}".translate(str.maketrans(",.", "\u202f,")),
    "apostrophe": lambda v: f"{v:,.2f}".replace(",", "'"),
    "accountant": lambda v: f"({-v:,.2f})" if v < 0 else f"{v:,.2f}",
    "minus": lambda v: f"{v:,.2f}".replace("-", "−"),
    "behind": lambda v: f"{-v:.2f}-" if v < 0 else f"{v:.2f}",
    "euro": lambda v: f"{v:,.2f} €".translate(str.maketrans(",.", ".,")),
}


@pytest.mark.parametrize("writer", WRITERS)
@given(values=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=30))
def test_numbers_come_back_from_every_way_to_write_them(writer: str, values: list[int]) -> None:
    numbers = [value / 100 for value in [*values, 123456789, -1]]
    found = spelling([WRITERS[writer](number) for number in numbers])
    assert found is not None
    assert found.values.tolist() == numbers


def test_telephone_numbers_are_no_numbers() -> None:
    for pattern in ("+49 100 200 {}", "+1 555-010-{}", "+44 (0)20 7946 0{}"):
        frame = pd.DataFrame({"phone": [pattern.format(100 + i % 20) for i in range(80)], "x": np.arange(80) ** 1.5})
        task = make_task(frame.assign(y=np.arange(80) % 2), target="y")
        assert task.columns.categorical == ("phone",)
    changes = pd.DataFrame({"change": [f"{'+-'[i % 2]}{i + 1} 200" for i in range(80)], "y": np.arange(80) % 2})
    assert make_task(changes, target="y").X["change"].tolist() == [(-1) ** i * (i * 1000 + 1200) for i in range(80)]
