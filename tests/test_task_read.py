"""Promises of reading files: any common format, encoding and dialect; what is wrong is refused with where and why."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError
from autometa.task import make_task, read_table, read_task


def rows(header: str, line: str, n: int = 30) -> bytes:
    """A CSV file whose lines are `line` formatted with i."""
    text = header + "\n" + "".join(eval(f"f{line!r}", {"i": i}) + "\n" for i in range(n))
    return text.encode()


PLAIN = rows("age,town,height,class", "{20 + i % 7},{'ab'[i % 2]},{i * 0.37:.2f},{'yn'[i % 3 == 0]}")


def problems(source: object, **options: object) -> str:
    """The message with which a table is refused."""
    with pytest.raises(InputError) as caught:
        read_task(source, **options)
    return str(caught.value)


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
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


# --- files that are refused -------------------------------------------------------------------------------------------

RAGGED = PLAIN + b"1,2\n3,4,5,6,7\n"
BAD = {
    "empty": (b"", {}, "empty"),
    "blank": (b"\n \n", {}, "empty"),
    "header only": (b"a,b,class\n", {}, "a header without rows"),
    "duplicate names": (rows("a,a,b,b,class", "1,2,3,{i},{i % 2}"), {}, "duplicate column names: 'a', 'b'"),
    "ragged rows": (
        RAGGED,
        {},
        "2 rows have another number of cells than the header's 4: line 32 has 2, line 33 has 5",
    ),
    "binary junk": (np.random.default_rng(0).bytes(4000), {}, "binary data"),
    "a workbook": (b"PK\x03\x04" + bytes(50), {}, "a damaged archive or workbook"),
    "a cut gzip file": (gzip.compress(PLAIN)[:-12], {}, "damaged gzip data"),
    "damaged parquet": (b"PAR1" + bytes(50), {}, "damaged parquet data"),
    "one endless cell": (b"x" * 300_000, {}, "field larger than field limit"),
    "ragged rows under blank lines": (b"\n\n" + RAGGED, {}, "line 34 has 2, line 35 has 5"),
    "broken json": (b'{"a": 1, "y": 2}\n{"a": 1,\n', {}, "line 2 is not JSON"),
    "broken arff": (b"@relation r\n@attribute a wrongtype\n@data\n1\n", {}, "broken ARFF"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_where_and_why(name: str) -> None:
    source, options, expected = BAD[name]
    message = problems(source, **options)
    assert expected in message
    assert all(": " in line for line in message.splitlines())


def test_a_missing_file_suggests_its_sibling_and_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adult.csv").write_bytes(PLAIN)
    assert f"Did you mean {str(tmp_path / 'adult.csv')!r}?" in problems(tmp_path / "adlt.csv")
    (tmp_path / "empty").mkdir()
    assert "an empty folder" in problems(tmp_path / "empty")
    assert "no such file" in problems(tmp_path / "nowhere" / "x.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adult.csv", "empty"]


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
