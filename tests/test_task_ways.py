"""Ways in: workbooks, archives, several files, partitions, databases, addresses, and tables that are in memory."""

from __future__ import annotations

import bz2
import contextlib
import csv
import datetime
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from autometa import AutoMetaClassifier
from autometa.cli import main
from autometa.errors import InputError
from autometa.search import load_model
from autometa.task import make_task, read_table, read_task
from autometa.task.options import OPTIONS
from autometa.task.read import download, workbooks

CSV = b"zip,x,class\n" + b"".join(b"0%d,%d.5,%s\n" % (i, i, b"ab"[i % 2 : i % 2 + 1]) for i in range(6))
FEW = {"trials": 1, "families": "naive_bayes", "cold": True, "remember": False}


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_table(source, **options)
    return str(caught.value)


# --- workbooks --------------------------------------------------------------------------------------------------------


def workbook(fill: Callable[[Any], None]) -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    fill(book)
    book.save(content)
    return content.getvalue()


def sales(book: Any) -> None:
    sheet = book.active
    sheet.title = "Data"
    sheet.append(["Sales of 2024"])
    sheet.merge_cells("A1:F1")
    sheet.append([])
    sheet.append(["region", "zip", "when", "price", "open", "class"])
    for i in range(6):
        day, clock = datetime.datetime(2024, 1, i + 1), datetime.time(8, i)
        sheet.append(["North" if i % 2 == 0 else None, f"0{i}234", day, 1.5 if i else "k.A.", clock, i % 2])
    sheet.merge_cells("A4:A5")
    sheet["A12"] = "Source: a survey"
    book.create_sheet("Notes").append(["nothing to see"])
    book.create_sheet("Empty")


def test_a_workbook_keeps_what_its_cells_mean_and_names_what_it_leaves_out():
    frame, notes = read_table(workbook(sales))
    assert frame["zip"].tolist() == [f"0{i}234" for i in range(6)]
    assert frame["when"].tolist() == [pd.Timestamp(2024, 1, i + 1) for i in range(6)]
    assert frame["price"].tolist() == ["k.A.", *[1.5] * 5]
    assert frame["open"].tolist() == [f"08:0{i}:00" for i in range(6)]
    assert frame["class"].tolist() == [0, 1] * 3
    assert frame["class"].dtype == np.int64
    assert frame["region"].tolist()[:2] == ["North", "North"]  # merged
    assert pd.isna(frame["region"][3])  # empty
    assert notes == [
        "Sheet 'Data' of 3 is read; --sheet (sheet=...) reads another: 'Notes', 'Empty'.",
        "Row 1 stands above the header and is left out: 'Sales of 2024'.",
        "Row 12 stands below the table and is left out: 'Source: a survey'.",
        "Column 'region' has merged cells: each of their rows has their value (1 cells).",
    ]


@pytest.mark.parametrize("sheet", ["Second", "2", 2], ids=repr)
def test_a_sheet_is_chosen_by_its_name_or_number(sheet):
    def fill(book: Any) -> None:
        book.active.append(["wrong"])
        for row in (["a", "b"], [1, "x"], [2.5, "y"]):
            (book["Second"] if "Second" in book.sheetnames else book.create_sheet("Second")).append(row)

    frame, notes = read_table(workbook(fill), sheet=sheet)
    assert frame.to_dict("list") == {"a": [1.0, 2.5], "b": ["x", "y"]}
    assert notes == []


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("data", "no sheet 'data'. Did you mean 'Data'? Sheets, counted from 1: 'Data', 'Notes', 'Empty'."),
        (0, "no sheet '0'"),
        (4, "no sheet '4'"),
        ("Empty", "nothing stands in 'Empty'"),
    ],
)
def test_a_sheet_that_is_not_there_or_empty_is_refused(sheet, said):
    assert said in refusal(workbook(sales), sheet=sheet)


def test_a_header_of_two_rows_under_merged_cells_becomes_one():
    def fill(book: Any) -> None:
        sheet = book.active
        sheet.append(["region", 2023, None, 2024, None])
        sheet.append([None, "Q1", "Q2", "Q1", "Q2"])
        for merged in ("A1:A2", "B1:C1", "D1:E1"):
            sheet.merge_cells(merged)
        for i in range(3):
            sheet.append([f"r{i}", i, i, i, i])

    frame, notes = read_table(workbook(fill))
    assert list(frame) == ["region", "2023 Q1", "2023 Q2", "2024 Q1", "2024 Q2"]
    assert len(frame) == 3
    assert "The names of the columns stand in the rows 1 and 2" in notes[0]


def test_a_sheet_without_a_header_keeps_its_first_row_and_one_that_begins_elsewhere_is_found():
    def bare(book: Any) -> None:
        for i in range(8):
            book.active.append([5.1 + i, "ab"[i % 2]])

    frame, notes = read_table(workbook(bare))
    assert len(frame) == 8
    assert "No header, as the first row looks like the others" in notes[0]

    def apart(book: Any) -> None:
        for i, row in enumerate([["a", "b"], [1, "x"], [2, "y"]]):
            for k, cell in enumerate(row):
                book.active.cell(5 + i, 4 + k, cell)

    assert read_table(workbook(apart))[0].to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_a_stray_cell_at_the_end_of_a_sheet_is_refused_and_does_not_end_the_process():
    def fill(book: Any) -> None:
        sales(book)
        book.active["XFD1048576"] = 1

    said = refusal(workbook(fill))
    assert "reaches to row 1,048,576 and column 16,384" in said
    assert [workbooks._column_number(letters) for letters in (b"XFD", b"BL")] == [16384, 64]


def opendocument(*rows: str) -> bytes:
    """A workbook of LibreOffice: rows of cells as its XML has them."""
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = " ".join(f'xmlns:{one}="{office}{one}:1.0"' for one in ("office", "table", "text"))
    cells = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    body = f'<office:spreadsheet><table:table table:name="Data">{cells}</table:table></office:spreadsheet>'
    content = f"<office:document-content {spaces}><office:body>{body}</office:body></office:document-content>"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", '<?xml version="1.0" encoding="UTF-8"?>' + content)
    return data.getvalue()


def ods_cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    return f'<table:table-cell office:value-type="float" office:value="{value}"/>'


def test_a_workbook_of_libreoffice_is_read_and_its_codes_stay_codes():
    rows = [["zip", "price", "class"], *([f"0{i}", i + 0.5, "ab"[i % 2]] for i in range(6))]
    frame, _ = read_table(opendocument(*("".join(map(ods_cell, row)) for row in rows)))
    assert frame["zip"].tolist() == [f"0{i}" for i in range(6)]
    assert frame["price"].tolist() == [i + 0.5 for i in range(6)]
    assert frame["class"].tolist() == list("ababab")
    assert "Rows are needed" in refusal(opendocument("".join(map(ods_cell, ["zip", "class"]))))


def test_a_workbook_of_excel_97_is_read():
    xlwt = pytest.importorskip("xlwt", reason="writes workbooks of Excel 97")
    book = xlwt.Workbook()
    sheet = book.add_sheet("Data")
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for column, name in enumerate(("zip", "day", "class")):
        sheet.write(0, column, name)
    for i in range(6):
        sheet.write(i + 1, 0, f"0{i}")
        sheet.write(i + 1, 1, datetime.datetime(2024, 1, i + 1), day)
        sheet.write(i + 1, 2, i % 2)
    content = io.BytesIO()
    book.save(content)
    frame, _ = read_table(content.getvalue())
    assert frame["zip"].tolist() == [f"0{i}" for i in range(6)]
    assert frame["day"].tolist() == [pd.Timestamp(2024, 1, i + 1) for i in range(6)]
    assert frame["class"].tolist() == [0, 1] * 3


def test_a_damaged_workbook_is_refused():
    content = workbook(sales)
    assert "damaged archive or workbook" in refusal(content[:-200])
    assert "no workbook that can be read" in refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))


# --- compression and archives -----------------------------------------------------------------------------------------


def in_lz4(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    "lz4": lambda data: in_lz4(data),
    "gzip of bz2": lambda data: gzip.compress(bz2.compress(data)),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_compressed_text_is_read_and_a_cut_one_refused(pack):
    assert read_table(pack(CSV))[0].equals(read_table(CSV)[0])
    assert "damaged" in refusal(pack(CSV * 99)[:-9])


def test_compression_without_end_is_refused():
    data = CSV
    for _ in range(OPTIONS.packed_layers + 1):
        data = gzip.compress(data)
    assert "compressed more than" in refusal(data)


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return content.getvalue()


def test_the_only_table_of_an_archive_is_read():
    frame, notes = read_table(zipped(a__csv=CSV, README__md=b"words"))
    assert frame.equals(read_table(CSV)[0])
    assert notes == ["Read from the archive: 'a.csv'; left out: 'README.md'."]
    assert read_table(zipped(a__csv__gz=gzip.compress(CSV)))[0].equals(frame)
    assert read_table(zipped(a__xlsx=workbook(sales)), sheet="Data")[0].shape == (6, 6)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        member = tarfile.TarInfo("folder/a.csv")
        member.size = len(CSV)
        archive.addfile(member, io.BytesIO(CSV))
    assert read_table(content.getvalue())[0].equals(frame)


def test_of_several_members_one_is_chosen_by_name_or_some_by_a_pattern():
    both = zipped(a__csv=CSV, b__csv=CSV, c__json=b"{}")
    said = refusal(both)
    assert "an archive of 3 files: 'a.csv', 'b.csv', 'c.json'" in said
    assert "--member NAME" in said
    assert len(read_table(both, member="b.csv")[0]) == 6
    assert len(read_table(both, member="*.csv")[0]) == 12
    assert "no member 'd.csv'. Did you mean" in refusal(both, member="d.csv")


def test_archives_that_hold_nothing_or_are_damaged_are_refused():
    assert "without files" in refusal(zipped())
    content = zipped(a__csv=CSV)
    at = content.index(CSV[:20])
    assert "damaged archive" in refusal(content[:at] + b"XXXX" + content[at + 4 :])
    assert "a 7z archive" in refusal(b"7z\xbc\xaf\x27\x1c" + bytes(40))


@pytest.mark.parametrize("option", ["sheet", "member", "query"])
def test_an_option_that_means_nothing_is_refused(option):
    assert f"--{option} ({option}=...) has no meaning" in refusal(CSV, **{option: "x"})


# --- several files ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(3):
        half = ",5" if i == 1 else ""  # the decimal sign shows in one file alone
        rows = "".join(f"{k};1.07{k}{half};0{k}\n" for k in range(1, 4))
        (tmp_path / f"p{i}.csv").write_text("x;price;code\n" + rows)
    return tmp_path


def test_several_files_are_one_table_however_they_are_named(folder):
    frame, notes = read_table(folder)
    assert frame["x"].tolist() == [1, 2, 3] * 3
    prices = read_task(folder, target="x").X["price"].tolist()
    assert prices == [1071.0, 1072.0, 1073.0, 1071.5, 1072.5, 1073.5, 1071.0, 1072.0, 1073.0]
    assert "Read 3 files of the same columns, with their rows: p0.csv (3), p1.csv (3), p2.csv (3)." in notes
    assert notes.count("Delimiter: semicolon.") == 1
    for source in (str(folder / "p*.csv"), [folder / f"p{i}.csv" for i in range(3)], [str(folder)]):
        assert read_table(source)[0].equals(frame)


def test_columns_are_matched_by_name_and_differing_ones_are_one_message(folder):
    (folder / "p3.csv").write_text("code;x;price\nA1;7;8\n")
    frame, notes = read_table(folder)
    assert frame["x"].tolist()[-1] == 7
    assert frame["code"].tolist()[:3] == ["01", "02", "03"]  # as written, since one file holds words
    assert any("Column 'code' holds numbers in p0.csv and text in p3.csv" in note for note in notes)
    (folder / "p4.csv").write_text("code;x;prize\n1;7;8\n")
    said = refusal(folder)
    assert said.count("\n") == 0
    assert "beside p0.csv, p4.csv lacks 'price' and also has 'prize'" in said


def test_a_header_without_rows_adds_none_and_changes_no_column(folder):
    (folder / "p3.csv").write_text("x;price;code\n")
    frame, notes = read_table(folder)
    assert len(frame) == 9
    assert frame["x"].dtype == np.int64
    assert "A header without rows: p3.csv." in notes


def test_files_that_cannot_be_one_table_are_refused(folder, tmp_path_factory):
    assert "named twice" in refusal([folder / "p0.csv", folder / ".." / folder.name / "p0.csv"])
    assert "no such file" in refusal([folder / "p0.csv", folder / "p9.csv"])
    assert "no file has such a name" in refusal(str(folder / "z*.csv"))
    assert "an empty folder" in refusal(tmp_path_factory.mktemp("empty"))
    assert "cannot be joined" in refusal([str(folder / "p0.csv"), "openml:data/61"])
    assert "none is named" in refusal([])
    assert "a dict is no table" in refusal({"a": [1]})


def test_labels_of_several_files_are_as_in_one(folder, tmp_path_factory):
    whole = tmp_path_factory.mktemp("whole") / "whole.csv"
    whole.write_text("x;price;code\n" + "".join((folder / f"p{i}.csv").read_text().split("\n", 1)[1] for i in range(3)))
    one, several = read_task(whole, kind="classification"), read_task(folder, kind="classification")
    assert one.classes == several.classes == ("01", "02", "03")
    assert one.fingerprint == several.fingerprint


def test_partitions_are_columns_and_the_last_column_stays_the_target(tmp_path):
    frame = pd.DataFrame(
        {"year": [2023, 2024] * 4, "zip": ["01", "01", "02", "02"] * 2, "v": np.arange(8.0), "y": list("aabb") * 2}
    )
    frame.to_parquet(tmp_path / "t", partition_cols=["year", "zip"])
    (tmp_path / "t" / "_SUCCESS").touch()
    found, _ = read_table(tmp_path / "t")
    assert list(found) == ["year", "zip", "v", "y"]
    found = found.sort_values("v").reset_index(drop=True)
    assert found["year"].tolist() == frame["year"].tolist()
    assert found["zip"].tolist() == frame["zip"].tolist()
    assert read_task(tmp_path / "t").target == "y"
    (tmp_path / "t" / "loose.parquet").write_bytes(next((tmp_path / "t").rglob("*.parquet")).read_bytes())
    assert "folders of different keys: none and year=.../zip=..." in refusal(tmp_path / "t")


def test_a_missing_partition_is_a_missing_value(tmp_path):
    for key in ("k=a b", "k=c%2Fd", "k=__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / key).mkdir()
        (tmp_path / key / "part.csv").write_bytes(CSV)
    assert read_table(tmp_path)[0]["k"].tolist()[::6] == [None, "a b", "c/d"]


# --- databases --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("create table customers (id integer, zip text, spend real, class text)")
        rows = [(2**53 + i, f"0{i}", None if i == 2 else i * 1.5, "ab"[i % 2]) for i in range(8)]
        database.executemany("insert into customers values (?, ?, ?, ?)", rows)
    return path


def test_a_database_is_asked_by_url_and_by_file(shop):
    frame, _ = read_table(shop)
    assert frame["id"].tolist() == [2**53 + i for i in range(8)]
    assert frame["zip"].tolist() == [f"0{i}" for i in range(8)]
    assert frame["spend"].isna().tolist() == [i == 2 for i in range(8)]
    for source in (f"sqlite:///{shop}", str(shop), shop.read_bytes(), gzip.compress(shop.read_bytes())):
        assert read_table(source)[0].equals(frame)
    some, notes = read_table(
        f"sqlite:///{shop}", query="select spend, class from customers where zip like '0%' and id % 2 = 0"
    )
    assert some["class"].tolist() == ["a"] * 4
    assert notes[0].startswith('4 rows of the query "select spend')


def test_a_query_changes_nothing(shop):
    before = shop.read_bytes()
    for query in ("drop table customers", "insert into customers values (1, 'a', 1, 'b')", "delete from customers"):
        assert "readonly" in refusal(shop, query=query)
    assert shop.read_bytes() == before
    assert [path.name for path in shop.parent.iterdir()] == ["shop.db"]


def test_what_a_database_cannot_answer_is_refused(shop, tmp_path):
    assert "no such column: nope" in refusal(shop, query="select nope from customers")
    assert "The query finds none." in refusal(shop, query="select * from customers where id < 0")
    assert "no such file" in refusal(f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()
    assert "duplicate column names: 'id'" in refusal(shop, query="select id, id from customers")
    with contextlib.closing(sqlite3.connect(shop)) as database, database:
        database.execute("create table orders (x)")
    said = refusal(shop)
    assert "a database of 2 tables: 'customers', 'orders'" in said
    assert "--query" in said


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:s3cret@127.0.0.1:1/shop", "nothing://me:s3cret@host/shop", "postgresql://me:s3cret@[::h/shop",
     "mysql+nodriver://me:s3cret@host/shop", "postgresql://host/shop?password=s3cret&port=x"],
)  # fmt: skip
def test_a_password_is_shown_nowhere(url, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "s3cret" not in refusal(url, query="select 1")
    assert main(["fit", url, "--query", "select 1", "--time", "5"]) == 2
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    assert list(tmp_path.iterdir()) == []


# --- the web ----------------------------------------------------------------------------------------------------------


class Server(BaseHTTPRequestHandler):
    """Answers with a table, and with what servers do wrong."""

    asked: list[tuple[str, str | None]]
    may_end: threading.Event

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/table.csv")
            self.end_headers()
            return
        if self.path.startswith("/silent"):
            self.may_end.wait(60)
            return
        if self.path.startswith("/none"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CSV) + (9 if self.path.startswith("/cut") else 0)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"<!doctype html>".ljust(len(CSV)) if self.path.startswith("/page") else CSV)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    Server.asked, Server.may_end = [], threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Server.may_end.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_is_fetched_only_when_asked(web):
    assert "--download (download=True) fetches it" in refusal(f"{web}/table.csv")
    assert Server.asked == []
    frame, notes = read_table(f"{web}/table.csv?key=s3cret", download=True)
    assert frame.equals(read_table(CSV)[0])
    assert notes[0] == f"Fetched {len(CSV)} bytes from {web}/table.csv."


def test_a_password_in_an_address_goes_to_its_host_and_no_further(web):
    assert len(read_table(f"{web.replace('//', '//me:s3cret@')}/moved", download=True)[0]) == 6
    assert Server.asked == [("/moved", "Basic bWU6czNjcmV0"), ("/table.csv", None)]
    assert "s3cret" not in refusal(f"{web.replace('//', '//me:s3cret@')}/none?key=s3cret", download=True)


def test_what_a_server_does_wrong_is_said(web, monkeypatch):
    assert "the server answers 404 Not Found" in refusal(f"{web}/none", download=True)
    assert f"cut short: {len(CSV)} of {len(CSV) + 9} bytes came" in refusal(f"{web}/cut", download=True)
    assert "a page of HTML or XML, not a table" in refusal(f"{web}/page", download=True)
    assert "cannot be reached" in refusal("http://127.0.0.1:1/a.csv", download=True)
    small = type("Small", (), {"download_bytes": 10, "download_silence": 5.0, "download_seconds": 60.0})
    monkeypatch.setattr(download, "OPTIONS", small)
    assert "more than 0.0 GB" in refusal(f"{web}/table.csv", download=True)


def test_a_server_that_says_nothing_or_takes_too_long_is_not_waited_for(web, monkeypatch):
    hasty = type("Hasty", (), {"download_bytes": 10**6, "download_silence": 0.2, "download_seconds": 60.0})
    monkeypatch.setattr(download, "OPTIONS", hasty)
    assert "the server was silent for 0.2 s" in refusal(f"{web}/silent", download=True)
    monkeypatch.setattr(hasty, "download_silence", 60.0)
    monkeypatch.setattr(hasty, "download_seconds", -1.0)
    assert "took more than -1 s" in refusal(f"{web}/table.csv", download=True)


# --- in memory --------------------------------------------------------------------------------------------------------


def frames() -> tuple[pd.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(0)
    x, town = rng.normal(size=60), rng.choice(list("abc"), 60)
    plain = pd.DataFrame(
        {"x": x, "town": town, "day": pd.date_range("2024-01-01", periods=60), "y": np.where(x > 0, "yes", "no")}
    )
    return plain, pl.DataFrame(
        {name: plain[name].to_numpy() if name != "day" else plain[name].dt.to_pydatetime().tolist() for name in plain}
    ).with_columns(pl.col("town").cast(pl.Categorical))


def test_tables_of_arrow_are_tasks_like_those_of_pandas():
    plain, polars = frames()
    expected = make_task(plain, target="y")
    for table in (polars, polars.to_arrow(), pa.Table.from_pandas(plain)):
        assert make_task(table, target="y").fingerprint == expected.fingerprint
    by_y = make_task(polars.drop("y"), y=polars["y"])
    assert by_y.classes == ("no", "yes")
    assert by_y.y.tolist() == expected.y.tolist()
    assert "a LazyFrame has not been computed yet. Hand over what its .collect() gives." in refusal(polars.lazy())
    assert "is no table" in refusal(polars["x"])


def test_tables_of_duckdb_are_tasks_like_those_of_pandas():
    duckdb = pytest.importorskip("duckdb", reason="another table that speaks the protocol of Arrow")
    plain, _ = frames()
    relation = duckdb.connect().from_df(plain.astype({"town": object, "y": object}))
    task = make_task(relation, target="y")
    assert task.columns.categorical == ("town",)
    np.testing.assert_allclose(task.X["x"], plain["x"])
    assert [task.classes[k] for k in task.y] == plain["y"].tolist()


def test_estimators_take_polars_by_the_names_of_its_columns():
    _, polars = frames()
    X, y = polars.drop("y"), polars["y"]
    model = AutoMetaClassifier(**FEW).fit(X, y)
    assert list(model.feature_names_in_) == X.columns
    assert model.score(X, y) > 0.9
    assert (model.predict(X.select(X.columns[::-1])) == model.predict(X)).all()
    assert (model.model_.predict(X.select(X.columns[::-1])) == model.predict(X.to_pandas())).all()
    with pytest.raises(InputError, match="LazyFrame"):
        model.predict(X.lazy())


def test_estimators_take_sparse_matrices():
    dense = np.random.default_rng(0).integers(0, 2, (60, 5)).astype(float)
    y = np.where(dense[:, 0] + dense[:, 1] > 0, "a", "b")
    model = AutoMetaClassifier(**FEW).fit(sp.csr_matrix(dense), y)
    assert model.n_features_in_ == 5
    assert model.score(sp.csr_matrix(dense), y) > 0.7
    for kind in (sp.csr_matrix, sp.csc_array, sp.coo_array):
        assert (model.predict(kind(dense)) == model.predict(dense)).all()
        assert make_task(kind(dense), y=y).fingerprint == make_task(dense, y=y).fingerprint


def test_sparse_columns_of_pandas_are_those_that_they_stand_for():
    dense = pd.DataFrame(np.eye(6), columns=list("abcdef"))
    y = list("xyxyxy")
    assert make_task(dense.astype(pd.SparseDtype(float, 0.0)), y=y).fingerprint == make_task(dense, y=y).fingerprint


def test_a_sparse_matrix_that_is_too_large_is_refused_in_one_sentence():
    large = sp.csr_matrix((200_000, 20_000))
    with pytest.raises(InputError, match=r"X: a sparse matrix of 200,000 x 20,000 has 32.0 GB with all of its cells"):
        AutoMetaClassifier(**FEW).fit(large, np.arange(200_000) % 2)


# --- the command line -------------------------------------------------------------------------------------------------


def test_fit_predict_and_recommend_take_every_way(tmp_path, shop, capsys):
    plain, _ = frames()
    plain.to_excel(tmp_path / "t.xlsx", index=False, sheet_name="Data")
    plain[:30].to_csv(tmp_path / "a.csv", index=False)
    plain[30:].to_csv(tmp_path / "b.csv", index=False)
    few = ["--trials", "1", "--families", "naive_bayes", "--cold", "--no-remember", "--json"]
    run = tmp_path / "run"
    assert main(["fit", str(tmp_path / "t.xlsx"), "--sheet", "Data", "--run", str(run), *few]) == 0
    capsys.readouterr()
    answers = {}
    for name, source in {
        "workbook": [str(tmp_path / "t.xlsx")],
        "files": [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")],
        "pattern": [str(tmp_path / "[ab].csv")],
    }.items():
        assert main(["predict", str(run), *source]) == 0
        answers[name] = [row["prediction"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert answers["workbook"] == answers["files"] == answers["pattern"]
    assert load_model(run).predict(plain).tolist() == answers["files"]
    query = ["--query", "select spend, class from customers"]
    assert main(["recommend", f"sqlite:///{shop}", *query, "-n", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    for wrong in (["--sheet", "Other"], ["--member", "x"]):
        assert main(["fit", str(tmp_path / "t.xlsx"), *wrong, "--run", str(tmp_path / "no"), *few]) == 2
        assert main(["predict", str(run), str(tmp_path / "t.xlsx"), *wrong]) == 2
    assert not (tmp_path / "no").exists()


def test_a_run_from_a_database_is_resumed_without_it(tmp_path, shop, capsys):
    run, few = tmp_path / "run", ["--families", "naive_bayes", "--cold", "--no-remember", "--json"]
    asked = ["fit", f"sqlite:///{shop}", "--query", "select spend, zip, class from customers", "--drop", "zip"]
    assert main([*asked, "--trials", "1", "--run", str(run), *few]) == 0
    shop.unlink()
    assert main(["resume", str(run), "--trials", "1", "--json"]) == 0
    assert "shop.db" in capsys.readouterr().err
