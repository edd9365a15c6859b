"""Promises to strangers: tables as people of many countries and programs write them mean what their owners mean."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError
from autometa.task import Schema, Task, label_array, make_task, read_table, read_task
from autometa.task.moments import moments

N = 60
DAYS = [datetime(2023, 1, 1) + timedelta(days=37 * i, hours=i % 24, minutes=i * 7 % 60) for i in range(N)]
MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}


def lines(header: str, row: object, n: int = N) -> bytes:
    return (header + "\n" + "".join(f"{row(i)}\n" for i in range(n))).encode()  # type: ignore[operator]


def of(cells: list[object], delimiter: str = ";", **options: object) -> Task:
    """A task with a column v of these cells, out of a file."""
    frame = pd.DataFrame({"a": np.arange(len(cells)) % 7, "v": cells, "y": np.arange(len(cells)) % 2})
    return read_task(frame.to_csv(index=False, sep=delimiter).encode(), **options)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[(dress, 1.0) for dress in ("Rs. {}", "SEK {}", "US$ {:,}.00", "R$ {}", "￥{:,}", "{} руб.", "CHF {}.-")],
        *[(dress, 1.0) for dress in ("{},- €", "{},--", "{} km/h", "{} kr")],
        *[("{} Tsd.", 1e3), ("{} million", 1e6), ("{}万円", 1e4), ("{} lakh", 1e5), ("{}.0D+03", 1e3)],
    ],
)
def test_a_number_in_the_dress_of_any_country_is_that_number(written: str, value: float) -> None:
    numbers = [7 + 13 * i for i in range(N)]
    np.testing.assert_allclose(of([written.format(one) for one in numbers]).X["v"], np.multiply(numbers, value))


@pytest.mark.parametrize("zero", [0xFF10, 0x660, 0x966])
def test_digits_of_any_script_are_digits(zero: int) -> None:
    cells = [str(7 + 13 * i).translate({48 + k: zero + k for k in range(10)}) for i in range(N)]
    assert of(cells).X["v"].tolist() == [7 + 13 * i for i in range(N)]


def test_a_currency_may_stand_before_the_parentheses_of_an_accountant() -> None:
    assert of([f"$({i}.50)" if i % 2 else f"${i}.50" for i in range(N)]).X["v"].min() == -59.5


def test_india_counts_in_lakhs_of_two_digits() -> None:
    cells = [f"{i + 1},{i % 90 + 10},{100 + i}.50" for i in range(N)]
    np.testing.assert_allclose(of(cells).X["v"], [float(cell.replace(",", "")) for cell in cells])


def test_points_stand_between_thousands_where_all_have_three_digits_and_what_has_none_is_small() -> None:
    prices = [700 + 37 * i for i in range(120)]
    cells = [f"{price:,}".replace(",", ".") for price in prices]
    np.testing.assert_allclose(of(cells).X["v"], prices)
    frame = pd.DataFrame({"v": cells, "a": np.arange(120) % 7 / 2})
    np.testing.assert_allclose(make_task(frame, y=np.arange(120) % 2).X["v"], prices)
    weights = [f"{1 + i / 1000:.3f}" for i in range(120)]
    np.testing.assert_allclose(of(weights).X["v"], np.array(weights, dtype=float))


@pytest.mark.parametrize(
    "codes", [("1E2", "2E3", "0E1"), ("192.168.100.100", "192.168.100.101"), ("12345678e9012345", "60303022")]
)
def test_codes_that_look_like_numbers_are_categories_and_classes(codes: tuple[str, ...]) -> None:
    cells = [codes[i % len(codes)] for i in range(N)]
    assert set(of(cells).X["v"]) == set(codes)
    target = read_task(lines("a,y", lambda i: f"{i % 7}.5,{cells[i]}"))
    assert set(target.classes) == set(codes)


def test_hexadecimal_digits_mean_the_same_in_every_format() -> None:
    cells = [f"0x{i % 5:04x}" for i in range(N)]
    frame = pd.DataFrame({"a": np.arange(N) % 7, "v": cells, "y": np.arange(N) % 2})
    assert of(cells).X["v"].tolist() == make_task(frame).X["v"].tolist() == cells


def test_several_words_that_repeat_among_numbers_are_missing() -> None:
    cells = [("refused", "forgot")[i % 2] if i % 10 < 2 else f"{i * 7 % 101}.25" for i in range(400)]
    assert of(cells).X["v"].isna().sum() == 80


@pytest.mark.parametrize("kind", ["csv", "json", "frame", "parquet", "decimals"])
def test_long_whole_numbers_stay_apart_beside_missing_cells(kind: str) -> None:
    cells = [None if i % 5 == 0 else 10**17 + i % 3 for i in range(N)]
    frame = pd.DataFrame({"k": pd.array(cells, dtype="Int64"), "a": np.arange(N) % 7, "y": np.arange(N) % 2})
    source: object = frame
    if kind == "csv":
        source = frame.to_csv(index=False).encode()
    if kind == "json":
        rows = zip(cells, frame["a"].tolist(), frame["y"].tolist(), strict=True)
        source = "\n".join(json.dumps(dict(zip("kay", row, strict=True))) for row in rows).encode()
    if kind in ("parquet", "decimals"):
        file = io.BytesIO()
        exact = [None if cell is None else Decimal(cell) for cell in cells]
        (frame.assign(k=exact) if kind == "decimals" else frame).to_parquet(file)
        source = file.getvalue()
    task = read_task(source)
    assert task.X["k"].nunique() == 3
    if kind == "decimals":  # a database's NUMBER(38): labels in its letters
        return
    as_target = read_task(source, target="k", kind="classification", drop_missing_target=True)
    assert as_target.classes == (10**17, 10**17 + 1, 10**17 + 2)
    assert all(type(one) is int for one in as_target.classes)


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "%A, %d %B %Y",
            "%a %b %d %H:%M:%S %Y",
            "%Y-%b-%d",
            "%b %Y",
            "%B %Y",
            "%Y-%m",
            "%m/%Y",
            "%d. %B %Y",
            "%d%b%Y",
        ),
        *("%d/%b/%Y:%H:%M:%S +0000", "%a, %d %b %Y %H:%M:%S GMT", "%d.%m.%Y, %H:%M", "%d.%m.%Y %H:%M Uhr"),
        *("%H:%M %d.%m.%Y", "%d/%m/%Y %Hh%M", "%Y%m%dT%H%M%S", "%Y-%m-%d %I:%M %p", "%d%b%Y:%H:%M:%S"),
        *("%Y-%m-%d %H:%M:%S CEST", "%Y-%m-%dT%H:%M:%S+01:00[Europe/Berlin]", "%Y-%m-%d %H:%M:%S+00"),
        *("%d.%m.%Y %H:%M:%S +0100", "%Y-%m-%d %H:%M:%S,123", "%Y年%m月%d日", "%Y년 %m월 %d일", "%Y. %m. %d."),
    ],
)
def test_a_date_is_one_however_it_is_written(pattern: str) -> None:
    task = of([day.strftime(pattern) for day in DAYS])
    assert task.X["v.month"].tolist() == [day.month for day in DAYS]
    if "%H" in pattern or "%I" in pattern:
        assert task.X["v.hour"].tolist() == [day.hour for day in DAYS]


@pytest.mark.parametrize("language", MONTHS)
def test_months_have_names_in_many_languages(language: str) -> None:
    of_ = " de " if language == "es" else ". " if language == "de" else " "
    cells = [
        f"{day.day}{of_}{MONTHS[language].split()[day.month - 1]}{of_.replace('. ', ' ')}{day.year}" for day in DAYS
    ]
    assert of(cells).X["v.month"].tolist() == [day.month for day in DAYS]


def test_one_column_may_have_dates_with_and_without_a_clock_or_in_the_iso_way() -> None:
    ways = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%Y-%m-%d")
    task = of([day.strftime(ways[i % 3]) for i, day in enumerate(DAYS)])
    assert task.X["v.month"].tolist() == [day.month for day in DAYS]


@pytest.mark.parametrize(("origin", "step"), [("1970-01-01", 1.0), ("1970-01-01", 0.001), ("1899-12-30", 86400.0)])
def test_numbers_are_dates_where_that_is_said(origin: str, step: float) -> None:
    cells = [int((day - datetime.fromisoformat(origin)).total_seconds() / step) for day in DAYS]
    task = of(cells, types={"v": "date"})
    assert task.X["v.month"].tolist() == [day.month for day in DAYS]
    assert of(cells).columns.numeric == ("a", "v")


def test_years_are_dates_where_that_is_said_and_seasons_are_none() -> None:
    assert of([1950 + i for i in range(N)], types={"v": "date"}).X["v.year"][0] == 1950
    assert of([f"{2000 + i % 6}-{1 + i % 6:02}" for i in range(N)]).columns.categorical == ("v",)


def test_a_pattern_of_an_older_model_reads_what_it_read() -> None:
    assert moments(pd.Series(["31/01/2020", "2020-02-01T08:00+05:00", "?"]), "%d/%m/%Y").dt.day.tolist()[:2] == [31, 1]
    utc = moments(pd.Series(["2020-02-01T01:00+05:00"]), clock="utc")
    assert utc.dt.hour.tolist() == [20]


# --- records ----------------------------------------------------------------------------------------------------------

ROWS = "".join(f"{i}.5;x{i % 3};{i};{i % 2}\n" for i in range(N))


@pytest.mark.parametrize(
    ("above", "header", "said"),
    [
        ("Report; for 2024\n", "a;b;c;y\n", ["Line 1 stands above the header"]),
        ("Station;Ulm\nFrom;2024-01-01\n\n", "a;b;c;y\n", ["Line 1 stands above", "Line 2 stands above"]),
        ("", "a;b;c;y\n---;--;-----;---\n", ["Line 2 underlines the header"]),
    ],
)
def test_titles_with_delimiters_and_lines_under_a_header_are_left_out_by_line(
    above: str, header: str, said: list[str]
) -> None:
    frame, notes = read_table((above + header + ROWS).encode())
    assert (list(frame), len(frame)) == (["a", "b", "c", "y"], N)
    assert all(any(note.startswith(one) for note in notes) for one in said)


def test_a_comment_below_the_rows_is_left_out_by_line() -> None:
    frame, notes = read_table(("a;b;c;y\n" + ROWS + "# checked; twice\n").encode())
    assert len(frame) == N
    assert any("Line 62 stands below" in note for note in notes)


@pytest.mark.parametrize(
    ("first", "row"),
    [
        ("39, Private, 77516, x", lambda i: f"{20 + i}, {('Private', 'Public')[i % 2]}, {500 * i}, {'xy'[i % 2]}"),
        ("ham\tGo until jurong point", lambda i: f"{('ham', 'spam')[i % 2]}\tmessage number {i} for you"),
    ],
    ids=["adult", "spam"],
)
def test_a_first_row_of_words_and_numbers_is_a_row(first: str, row: object) -> None:
    frame, notes = read_table(lines(first, row))
    assert len(frame) == N + 1
    assert any("No header" in note for note in notes)


def test_a_last_cell_that_is_empty_is_missing_though_no_line_ends_there() -> None:
    frame, _ = read_table(b'a|b|c\n1|"x"|y\n2|"y"|z\n3|"z"|', na=[""])
    assert frame["c"].isna().tolist() == [False, False, True]


def test_truth_values_beside_missing_cells_are_read() -> None:
    frame, _ = read_table(b"a,b\n1,TRUE\n2,\n3,FALSE\n")
    assert frame["b"].tolist() == [True, None, False]


# --- encodings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "labels"),
    [
        ("euc_jp", ("はい", "いいえ")),
        ("shift_jis", ("合格", "不合格")),
        ("iso2022_jp", ("はい", "いいえ")),
        ("cp949", ("예", "아니오")),
        ("koi8_r", ("да", "нет")),
        ("koi8_u", ("так", "ні")),
        ("iso8859_5", ("да", "нет")),
        ("cp1251", ("да", "нет")),
        ("cp1250", ("źle", "świetnie")),
        ("cp852", ("źle", "świetnie")),
        ("cp850", ("schön", "übel")),
        ("cp1253", ("ναι", "όχι")),
        ("cp1257", ("gerai ž", "blogai ė")),
        ("iso8859_15", ("cœur", "été €")),
        ("cp1252", ("“oui”", "‘non’ – €")),
        ("utf-32", ("schön", "übel")),
    ],
)
def test_two_labels_are_enough_to_tell_an_encoding(encoding: str, labels: tuple[str, str]) -> None:
    data = lines("x,z,y", lambda i: f"{i % 7}.5,{i % 3},{labels[i % 3 == 0]}").decode().encode(encoding)
    assert set(read_task(data).classes) == set(labels)


def test_lines_in_two_encodings_are_read_line_by_line_and_said() -> None:
    data = lines("x,town,y", lambda i: f"{i % 7}.5,{('Köln', 'Ulm')[i % 2]},{i % 2}")
    data += "".join(f"{i % 7}.5,Köln,{i % 2}\n" for i in range(10)).encode("latin-1")
    task = read_task(b"\xef\xbb\xbf\xef\xbb\xbf" + data)
    assert (list(task.X), set(task.X["town"])) == (["x", "town"], {"Köln", "Ulm"})


# --- labels -----------------------------------------------------------------------------------------------------------


def test_labels_that_are_equal_and_of_another_type_stay_apart() -> None:
    y = np.empty(N, dtype=object)
    y[:] = [(1, True, 1.0, "1")[i % 4] for i in range(N)]
    task = make_task(np.arange(float(N))[:, None] % 7, y=y)
    back = label_array(task.classes)[task.y]
    assert [(type(one), one) for one in back.tolist()] == [(type(one), one) for one in y.tolist()]


def test_dates_are_classes_where_that_is_said() -> None:
    data = lines("a,y", lambda i: f"{i % 7}.5,2024-0{1 + i % 2}-01")
    assert read_task(data, kind="classification").classes == ("2024-01-01", "2024-02-01")
    with pytest.raises(InputError, match=r"dates cannot be predicted.*--kind classification"):
        read_task(data)


def test_words_for_missing_that_an_arff_file_declares_are_labels_with_their_blanks() -> None:
    labels = ("NA", "01", "b ")
    rows = "".join(f"{i},'{labels[i % 3]}'\n" for i in range(N))
    data = "@relation t\n@attribute a numeric\n@attribute y {'NA','01','b '}\n@data\n" + rows
    assert set(read_task(data.encode()).classes) == set(labels)


def test_a_unit_of_the_target_is_said() -> None:
    task = read_task(lines("a;price", lambda i: f"{i % 7};{700 + i * 37} zł"), target="price")
    assert any("'zł'" in note and "left out" in note for note in task.notes)


# --- columns ----------------------------------------------------------------------------------------------------------


def test_a_count_of_the_rows_is_kept_where_the_target_goes_up_and_down_along_it() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=120)
    for y in ([(i - 60) ** 2 for i in range(120)], [round(10 * np.sin(i / 8), 2) for i in range(120)]):
        assert "t" in read_task(lines("t,z,y", lambda i, y=y: f"{i},{noise[i]:.2f},{y[i]}", 120)).X
    assert "t" not in read_task(lines("t,z,y", lambda i: f"{i},{i % 7}.5,{noise[i]:.3f}", 120)).X


def test_sentences_with_a_number_in_them_are_no_codes() -> None:
    task = read_task(lines("text,a,y", lambda i: f"{i}번째요리는{('맛있었다', '별로였다')[i % 2]},{i % 3},{i % 2}"))
    assert task.columns.text == ("text",)


# --- later tables -----------------------------------------------------------------------------------------------------


@pytest.fixture
def schema() -> Schema:
    frame = pd.DataFrame({"x": np.arange(N) / 3, "note": [f"the note number {i} of today" for i in range(N)]})
    return make_task(frame, y=np.arange(N) % 2).schema


def test_what_is_infinite_or_lacks_all_texts_is_told_of_a_later_table(schema: Schema) -> None:
    later = pd.DataFrame({"x": [1.5, np.inf], "note": ["a note", "another note"]})
    (told,) = schema.unread(later)
    assert (told.name, told.unread, told.examples) == ("x", 1, ("inf",))
    (told,) = schema.unread(pd.DataFrame({"x": ["1e999", "2"], "note": ["a note", "another note"]}))
    assert (told.name, told.unread) == ("x", 1)
    (told,) = schema.unread(pd.DataFrame({"x": [1.5], "note": [None]}))
    assert told.name == "note"


def test_a_column_that_a_later_table_has_twice_is_refused(schema: Schema) -> None:
    later = pd.DataFrame([[1.0, "a note", 2.0]], columns=["x", "note", "x"])
    with pytest.raises(InputError, match="several columns are called 'x'"):
        schema.apply(later)
