"""Promises of records: no line is lost in silence, and what is no row is left out by its number."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.task import read_table, read_task

B, Q = chr(92), chr(34)


def lines(header: str, row: object, n: int = 60) -> bytes:
    return (header + "\n" + "".join(f"{row(i)}\n" for i in range(n))).encode()  # type: ignore[operator]


def folders(i: int) -> str:
    path = f"C:{B}new{B}{'ab'[i % 2]}" if i % 5 else f"{Q}C:{B}data{B}{Q}"
    return f"{path},{i % 7}.5,{i % 2}"


# --- quotes and backslashes -------------------------------------------------------------------------------------------


def test_a_quoted_folder_that_ends_in_a_backslash_swallows_no_row() -> None:
    task = read_task(lines("path,a,y", folders))
    assert task.n == 60
    assert set(task.X["path"]) == {f"C:{B}new{B}a", f"C:{B}new{B}b", f"C:{B}data{B}"}


def test_a_folder_beyond_the_sample_swallows_no_row_either() -> None:
    data = lines("path,a,y", lambda i: folders(1 if i < 9000 else i), 9060)
    assert read_table(data)[0].shape == (9060, 3)


@pytest.mark.parametrize("far", [0, 9000])
def test_a_backslash_escapes_a_quote_where_rows_come_out_even_only_so(far: int) -> None:
    frame, notes = read_table(
        b"said,a,y\n" + b"x,1,2\n" * far + b'"He said \\"hi, you\\"",1,0\n"and, so",2,1\n' * 20,
    )
    assert frame["said"][far] == 'He said "hi, you"'
    assert len(frame) == far + 40
    assert any("backslash" in note for note in notes)


def test_quotes_within_cells_are_letters() -> None:
    frame, _ = read_table(lines("size,y", lambda i: f"{i}{Q} disk,{i}"))
    assert frame["size"][3] == f"3{Q} disk"
    assert len(frame) == 60


def test_a_cell_that_spans_lines_is_said_with_its_lines() -> None:
    _, notes = read_table(b'a,b,c\n1,x,3\n2,"two\nlines",3\n4,"three\n\nlines",5\n')
    assert "2 rows have cells that span lines, the first in lines 3 to 4." in notes


def test_a_quote_that_swallows_rows_is_refused_with_its_lines() -> None:
    with pytest.raises(InputError, match="the quote that opens in line 7 closes in line 11, and the lines between"):
        read_table(lines("a,b,c", lambda i: f"{i},{Q if i in (5, 9) else ''}x,{i}", 20))


cell = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=["Cc", "Cs"]), max_size=8)
spoiled = st.builds("".join, st.lists(st.sampled_from(["a", '"', ",", ";", "\n", B, "'", "#", "7"]), max_size=6))


@given(rows=st.lists(st.lists(cell | spoiled, min_size=3, max_size=3), min_size=1, max_size=8), quoting=st.booleans())
def test_rows_that_were_written_are_read_or_refused(rows: list[list[str]], quoting: bool) -> None:
    file = io.StringIO(newline="")
    write = csv.writer(file, quoting=csv.QUOTE_ALL if quoting else csv.QUOTE_MINIMAL, lineterminator="\n")
    write.writerows([["first", "second", "third"], *rows])
    try:
        frame, notes = read_table(file.getvalue().encode(), header=True)
    except InputError:
        return
    left_out = sum("is left out" in note for note in notes)
    assert len(frame) + left_out == len(rows)


# --- what stands around the rows --------------------------------------------------------------------------------------


def iris(i: int) -> str:
    return f"{i % 9}.1,3.{i % 5},1.{i % 3},0.{i % 5},{['Iris-setosa', 'Iris-virginica'][i % 2]}"


@pytest.mark.parametrize(
    ("first", "row"),
    [
        ("5.1,3.5,1.4,0.2,Iris-setosa", iris),
        ("6,148,72,35,0,33.6,0.627,50,1", lambda i: f"{i % 9},1{i % 90},{i},3,0,2{i}.5,0.5,{i},{i % 2}"),
        ("p,x,s,n", lambda i: f"{'pe'[i % 2]},{'xyb'[i % 3]},{'sfg'[i % 3]},{'nwy'[i % 3]}"),
        ("?,3.5,a", lambda i: f"{i}.5,{i % 4}.5,{'ab'[i % 2]}"),
        ("5,0,0,0", lambda i: f"{i % 10},0,{i},{i * 2}"),
    ],
)
def test_a_first_line_like_the_others_is_kept_as_a_row_and_said(first: str, row: object) -> None:
    frame, notes = read_table(lines(first, row))
    assert len(frame) == 61
    assert frame.columns[0] == "column_1"
    assert any("No header" in note for note in notes)
    named, _ = read_table(lines(first, row), header=True, rename_duplicates=True)
    assert len(named) == 60


@pytest.mark.parametrize(
    ("first", "row"),
    [
        ("country,2019,2020,2021", lambda i: f"c{i},{i}.5,{i},{i * 2}"),
        ("0,1,2,3", lambda i: f"{i}.5,{i},{i * 3},{i % 2}"),
        (",0", lambda i: f"{i},{i}.5"),
        ("1,2,3,label", lambda i: f"{i}.5,{i},{i * 3},{'ab'[i % 2]}"),
        ("town,kind", lambda i: f"town {i},{'ab'[i % 2]}"),
        ("id,name", lambda i: f"{i},n{i}"),
    ],
)
def test_names_are_a_header_though_they_may_be_numbers(first: str, row: object) -> None:
    frame, notes = read_table(lines(first, row))
    assert len(frame) == 60
    assert not any("No header" in note for note in notes)
    numbered, notes = read_table(lines(first, row), header=False)
    assert len(numbered) == 61
    assert any("as asked" in note for note in notes)


def test_titles_and_comments_above_and_footers_below_are_left_out_by_line() -> None:
    rows = b"".join(b"%d.5;%d;x%d\n" % (i, i % 3, i % 2) for i in range(20))
    for above in (b"Sales of 2024\n\n", b"Sales of 2024;;\n;;\n", b"# made by hand\n# twice\n"):
        frame, notes = read_table(above + b"a;b;c\n" + rows + b"\nSource: the office\n")
        assert frame.shape == (20, 3)
        assert list(frame) == ["a", "b", "c"]
        assert any(note.startswith("Line 1 stands above the header") for note in notes)
        assert any("below the table and is left out: 'Source: the office'" in note for note in notes)
        assert any(f"Line {above.count(b'%c' % 10) + 23} stands below" in note for note in notes)


def test_a_header_behind_a_comment_sign_is_one() -> None:
    assert list(read_table(b"#a,b\n1,2\n3,4\n")[0]) == ["#a", "b"]


def test_a_sum_in_the_last_row_is_said_and_kept() -> None:
    frame, notes = read_table(lines("a,b", lambda i: f"x{i},{i}") + b"Total,1770\n")
    assert len(frame) == 61
    assert any("'Total'" in note for note in notes)


def test_a_row_that_was_cut_is_no_footer() -> None:
    with pytest.raises(InputError, match="line 62 has 1"):
        read_table(lines("a,b,c", lambda i: f"{i},{i},{i}") + b"60\n")


def test_a_key_that_stands_twice_in_an_object_of_json_is_refused() -> None:
    for text in (b'{"a": 1, "y": 0}\n{"a": 1, "y": 1, "a": 2}\n', b'[{"a": 1, "y": 0}, {"a": 1, "y": 1, "a": 2}]'):
        with pytest.raises(InputError, match="the key 'a' stands twice in one object"):
            read_table(text)


@pytest.mark.parametrize("second", [rb'{"a\udfff": 2, "y": 1}', rb'{"a\ud800": 1, "a\udfff": 2, "y": 1}'])
def test_keys_of_json_that_only_lone_surrogates_tell_apart_are_refused(second: bytes) -> None:
    with pytest.raises(InputError, match=r"keys that differ only in halves of letters \(lone surrogates\): 'a\ufffd'"):
        read_table(rb'{"a\ud800": 1, "y": 0}' + b"\n" + second)
    assert read_table(rb'{"a\ud800": 1, "y": 0}')[0].columns.tolist() == ["a\ufffd", "y"]
