"""Files of any common format become raw tables.

The content decides, not the file's name: compression and binary formats show themselves in their first bytes; what is
left is text, and its encoding, delimiter, quotes and decimal sign are found on a sample. PyArrow does the parsing.

`raw_table` never raises for bad input: it returns what could be read with the problems found, so that `read_task` can
report them with its own. To add a format, add its first bytes to `_SIGNATURES` or its look to `_parse_text`.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from autometa.errors import InputError, Problem
from autometa.task.schema import MISSING, labels, listed, number_style, unique_names

SAMPLE = 1 << 16  # bytes from which the dialect is found
SMALL = 1 << 22  # bytes below which waking threads on a busy machine costs more than they save
SHOWN = 5  # ragged rows listed in a message


@dataclass(slots=True)
class RawTable:
    """What could be read, what was noticed, and what was wrong."""

    name: str
    frame: pd.DataFrame | None = None  # None if nothing could be read
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    duplicated: frozenset[str] = frozenset()  # names that several columns had

    def refuse(self, what: str, fix: str = "") -> RawTable:
        """Adds a problem."""
        self.problems.append(Problem(self.name, what, fix))
        return self


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written."""

    delimiter: str  # " " stands for any run of blanks
    quote: str = '"'
    decimal: str = "."
    escape: str | None = None
    extra: Literal["", "first", "last"] = ""  # the cell that rows have beyond the header: a name, or an empty last one


def read_table(source: Any, *, rename_duplicates: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """The raw table in a file, and notes on how it was read.

    Formats: CSV and TSV with any usual delimiter, encoding, quotes and decimal sign; JSON lines; ARFF; each of them
    also in gzip or zstandard; parquet; feather.

    Args:
        source: A path, ``"-"`` for standard input, bytes, a readable file, a DataFrame or a 2-D array.
        rename_duplicates: Whether duplicated column names of a file are made unique rather than refused.

    Raises:
        InputError: With everything that is wrong with the file.
    """
    table = raw_table(source, rename_duplicates=rename_duplicates)
    if table.problems or table.frame is None:
        raise InputError(table.problems)
    return table.frame, table.notes


def raw_table(source: Any, *, rename_duplicates: bool = False) -> RawTable:
    """As `read_table`, with the problems in the table rather than raised."""
    if isinstance(source, pd.DataFrame):
        return _from_frame(RawTable("table"), source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    table, data = _read_bytes(source)
    if data is None:
        return table
    data = _decompress(table, data)
    if data is not None:
        _parse(table, data)
    if table.frame is not None:
        _settle_names(table, rename_duplicates)
    return table


def _from_frame(table: RawTable, frame: pd.DataFrame) -> RawTable:
    names = [str(name) for name in frame.columns]
    table.frame = frame.reset_index(drop=True).set_axis(pd.Index(names, dtype="str"), axis=1)
    _settle_names(table, True)
    return table


def _from_array(array: np.ndarray) -> RawTable:
    table = RawTable("table")
    if array.dtype.names:
        return _from_frame(table, pd.DataFrame(array))
    if array.ndim != 2:
        what = f"Expected 2D array, got one of {array.ndim} dimensions instead"
        return table.refuse(what, "Reshape your data to (rows, columns).")
    return _from_frame(table, pd.DataFrame(array).infer_objects())


def _settle_names(table: RawTable, rename: bool) -> None:
    """Makes column names unique text; what was duplicated is remembered, and a problem unless `rename`."""
    assert table.frame is not None
    names = table.frame.columns.tolist()
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not twice:
        return
    table.duplicated = frozenset(twice)
    table.frame = table.frame.set_axis(pd.Index(unique_names(names), dtype="str"), axis=1)
    if rename:
        table.notes.append(f"Duplicated column names made unique: {listed(twice)}.")
    else:
        fix = "Rename them, or pass --rename-duplicates (rename_duplicates=True). Is the first line a header at all?"
        table.refuse(f"duplicate column names: {listed(twice)}", fix)


# --- bytes ------------------------------------------------------------------------------------------------------------


def _read_bytes(source: Any) -> tuple[RawTable, bytes | None]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return RawTable("table"), bytes(source)
    if hasattr(source, "read"):
        data = source.read()
        return RawTable(str(getattr(source, "name", "table"))), data.encode() if isinstance(data, str) else data
    if str(source) == "-":
        return RawTable("standard input"), sys.stdin.buffer.read()
    path = Path(source)
    table = RawTable(path.name)
    try:
        if path.is_dir():
            return table.refuse("a directory, not a file", "Name one file in it."), None
        if not path.exists():
            table.name = str(path)
            siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            close = difflib.get_close_matches(path.name, siblings, n=1)
            fix = f"Did you mean {str(path.with_name(close[0]))!r}?" if close else ""
            return table.refuse("no such file", fix), None
        return table, path.read_bytes()
    except OSError as error:
        return table.refuse(f"cannot be read: {error.strerror or error}"), None


def _decompress(table: RawTable, data: bytes) -> bytes | None:
    import pyarrow as pa

    for name, magic in (("gzip", b"\x1f\x8b"), ("zstd", b"\x28\xb5\x2f\xfd")):
        if data.startswith(magic):
            try:
                return pa.CompressedInputStream(pa.BufferReader(data), name).read()
            except (OSError, pa.ArrowException) as error:
                table.refuse(f"damaged {name} data: {error}", "Fetch or write the file again.")
                return None
    return data


def _parse(table: RawTable, data: bytes) -> None:
    for magic, reader in _SIGNATURES.items():
        if data.startswith(magic):
            return reader(table, data)
    if not re.search(rb"[^\x00\xef\xbb\xbf\xff\xfe \t\r\n]", data):
        table.refuse("empty", "A header line and rows are needed.")
        return None
    decoded = _decode(table, data)
    if decoded is not None:
        _parse_text(table, decoded)
    return None


_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # what text does not hold


def _wide_encoding(head: bytes) -> str | None:
    """The kind of UTF-16 in which every other byte is mostly zero, if this is one."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < 0.15 * len(head) or min(even, odd) > 0.05 * max(even, odd):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _decode(table: RawTable, data: bytes) -> bytes | None:
    """The same text in UTF-8, without a byte order mark."""
    encoding = None
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\x00" in data[:SAMPLE]:
        encoding = _wide_encoding(data[:SAMPLE])
    if encoding is None and len(_CONTROL.findall(data[:SAMPLE])) > 0.02 * len(data[:SAMPLE]):
        fix = "Known formats: CSV, TSV, JSON lines, ARFF, parquet, feather."
        table.refuse("binary data, not a table in a known format", fix)
        return None
    if encoding is None:
        if data.isascii():
            return data
        try:
            data.decode("utf-8")
            return data
        except UnicodeDecodeError:
            encoding = "cp1252" if any(0x80 <= byte < 0xA0 for byte in data) else "latin-1"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "cp1252":
            table.refuse(f"damaged {encoding} text: {error.reason} at byte {error.start}")
            return None
        encoding, text = "latin-1", data.decode("latin-1")
    table.notes.append(f"Encoding: {encoding}.")
    return text.encode("utf-8")


# --- binary formats ---------------------------------------------------------------------------------------------------


def _read_parquet(table: RawTable, data: bytes) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _from_arrow(table, pq.read_table(pa.BufferReader(data)))
    except (OSError, pa.ArrowException) as error:
        table.refuse(f"damaged parquet data: {error}", "Fetch or write the file again.")


def _read_feather(table: RawTable, data: bytes) -> None:
    import pyarrow as pa
    from pyarrow import feather

    try:
        _from_arrow(table, feather.read_table(pa.BufferReader(data)))
    except (OSError, pa.ArrowException) as error:
        table.refuse(f"damaged feather data: {error}", "Fetch or write the file again.")


def _from_arrow(table: RawTable, arrow: Any) -> None:
    import pyarrow as pa

    names = arrow.column_names
    arrays = []
    for column in arrow.columns:
        if pa.types.is_time(column.type):
            column = column.cast(pa.string())
        elif pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        arrays.append(column)
    plain = pa.Table.from_arrays(arrays, names=[str(i) for i in range(len(names))])
    frame = plain.to_pandas(date_as_object=False, use_threads=plain.nbytes > SMALL)
    index = [column for column in _index_columns(arrow) if column in names and not column.startswith("__index_level_")]
    frame = frame.set_axis(pd.Index(names, dtype="str"), axis=1)
    table.frame = frame.loc[:, [n in index or not n.startswith("__index_level_") for n in names]]
    if not len(names):
        table.refuse("no columns")
        table.frame = None
    elif not len(frame):
        table.refuse("a header without rows")


def _index_columns(arrow: Any) -> list[str]:
    metadata = (arrow.schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in metadata if isinstance(name, str)]


def _refuse_as(what: str, fix: str) -> Callable[[RawTable, bytes], None]:
    def refuse(table: RawTable, data: bytes) -> None:
        table.refuse(what, fix)

    return refuse


_SIGNATURES: dict[bytes, Callable[[RawTable, bytes], None]] = {
    b"PAR1": _read_parquet,
    b"ARROW1": _read_feather,
    b"FEA1": _read_feather,
    b"PK\x03\x04": _refuse_as("a zip archive or an Excel workbook", "Unpack it, or save the sheet as CSV."),
    b"\xd0\xcf\x11\xe0": _refuse_as("an old Excel workbook", "Save the sheet as CSV."),
    b"BZh": _refuse_as("bzip2 data", "Unpack it first, or use gzip or zstandard."),
    b"\xfd7zXZ": _refuse_as("xz data", "Unpack it first, or use gzip or zstandard."),
    b"SQLite format 3": _refuse_as("an SQLite database", "Export the table as CSV."),
    b"%PDF": _refuse_as("a PDF document", "A table in CSV or parquet is needed."),
    b"\x89HDF": _refuse_as("an HDF5 file", "Write the table as parquet or CSV."),
}


# --- text formats -----------------------------------------------------------------------------------------------------


def _parse_text(table: RawTable, data: bytes) -> None:
    start = data[:SAMPLE].lstrip()
    if start.startswith((b"{", b"[{")) or re.match(rb"\[\s*\{", start):
        _read_json(table, data)
    elif re.match(rb"(%[^\n]*\n|\s)*@relation\b", start, re.IGNORECASE):
        _read_arff(table, data)
    else:
        _read_delimited(table, data)


def _read_json(table: RawTable, data: bytes) -> None:
    """JSON lines, or one array of objects."""
    import pyarrow as pa
    import pyarrow.json

    if data.lstrip().startswith(b"["):
        try:
            rows = json.loads(data)
        except ValueError as error:
            table.refuse(f"broken JSON: {error}")
            return
        table.frame = _from_records(rows)
        return
    try:
        options = pa.json.ReadOptions(block_size=min(max(len(data), 1), 1 << 30))
        _from_arrow(table, pa.json.read_json(pa.BufferReader(data), read_options=options))
        return
    except (OSError, pa.ArrowException):
        pass  # mixed types within a column, or a broken line: read again, slowly and exactly
    rows = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            table.refuse(f"line {number} is not JSON: {error}")
            return
        if not isinstance(row, dict):
            table.refuse(f"line {number} is not a JSON object")
            return
        rows.append(row)
    table.frame = _from_records(rows)


def _from_records(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    return frame.set_axis(pd.Index([str(name) for name in frame.columns], dtype="str"), axis=1)


_ARFF_DATE = re.compile(r"""(?im)^(\s*@attribute\s+(?:'[^']*'|"[^"]*"|\S+)\s+)date\b.*$""")


def _read_arff(table: RawTable, data: bytes) -> None:
    """ARFF: the header by liac-arff, a dense body by the fast reader, anything else by liac-arff."""
    import arff  # type: ignore[import-untyped]

    text = data.decode("utf-8")
    cut = re.search(r"^\s*@data[^\n]*\n?", text, re.IGNORECASE | re.MULTILINE)
    try:
        if cut is None:
            table.refuse("an ARFF file without @data")
            return
        head = _ARFF_DATE.sub(r"\1string", text[: cut.end()])  # liac-arff knows no dates; `Schema` does
        attributes = arff.loads(head)["attributes"]
        body = re.sub(r"(?m)^\s*(%[^\n]*)?\n", "", text[cut.end() :])
        names = [name for name, _ in attributes]
        sparse = body.lstrip().startswith("{")
        frame = None
        if not sparse and "\\" not in body:
            quote = '"' if '"' in body and "'" not in body else "'"
            attempt = RawTable(table.name)
            delimiter = "\t" if "," not in body[:SAMPLE] and "\t" in body[:SAMPLE] else ","
            first = text[: cut.end()].count("\n") + 1
            _read_body(attempt, body.encode(), 0, names, Dialect(delimiter, quote), first_line=first)
            table.problems += attempt.problems
            frame = attempt.frame
        elif body.strip():
            decoded = arff.loads(head + body, return_type=arff.LOD if sparse else arff.DENSE)["data"]
            if sparse:
                zero = [kind[0] if isinstance(kind, list) else 0 for _, kind in attributes]
                rows = [[row.get(i, zero[i]) for i in range(len(names))] for row in decoded]
            else:
                rows = list(decoded)
            frame = pd.DataFrame(rows, columns=range(len(names))).set_axis(pd.Index(names, dtype="str"), axis=1)
    except (arff.ArffException, ValueError) as error:  # it unpacks what it has not checked
        table.refuse(f"broken ARFF: {error}")
        return
    if frame is None or not len(frame):
        table.refuse("a header without rows")
        return
    columns = []
    for i, (_, kind) in enumerate(attributes):
        column = frame.iloc[:, i]
        if isinstance(kind, list):
            codes, texts = labels(column)
            categories = pd.Index(texts, dtype="str")
            columns.append(pd.Series(pd.Categorical.from_codes(codes, categories=categories)))
        else:
            columns.append(column)
    table.frame = pd.concat(columns, axis=1).set_axis(pd.Index(names, dtype="str"), axis=1)


def _read_delimited(table: RawTable, data: bytes) -> None:
    start = re.match(rb"[\r\n]*(sep=(.)\r?\n)?", data)
    assert start is not None
    above, data = data[: start.end()].count(b"\n"), data[start.end() :]
    if b"\r" in data[:SAMPLE] and b"\n" not in data:  # lines of old Macintoshes
        data = data.replace(b"\r", b"\n")
    sample = _whole_lines(data).decode("utf-8", "replace")
    dialect = sniff(sample, start.group(2).decode("latin-1") if start.group(2) else None)
    if dialect.delimiter == " ":
        data = b"\n".join(b" ".join(line.split()) for line in data.splitlines())
        sample = _whole_lines(data).decode("utf-8", "replace")
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote)
    try:
        header = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        table.refuse(f"cannot be parsed: {error} in the first line", "Is it a table at all?")
        return
    offset = 0
    for _ in range(reader.line_num):
        offset = data.find(b"\n", offset) + 1 or len(data)
    names = {"first": ["", *header], "last": [*header, ""]}.get(dialect.extra, header)
    names = [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    if not re.compile(rb"\S").search(data, offset):
        table.refuse("a header without rows", "Rows are needed below the header.")
        table.frame = pd.DataFrame({i: [] for i in range(len(names))}).set_axis(pd.Index(names, dtype="str"), axis=1)
        return
    spelled = {"\t": "tab", ";": "semicolon", "|": "bar", " ": "blanks"}
    if dialect.delimiter != ",":
        table.notes.append(f"Delimiter: {spelled.get(dialect.delimiter, dialect.delimiter)}.")
    if dialect.decimal == ",":
        table.notes.append("Decimal sign: comma.")
    if dialect.extra:
        table.notes.append(f"Rows have one cell more than the header: the {dialect.extra} column has no name.")
    _read_body(table, data, offset, names, dialect, first_line=above + reader.line_num + 1)


def _whole_lines(data: bytes) -> bytes:
    """The first lines: some five, and `SAMPLE` bytes, if there are as many."""
    end = 0
    for _ in range(5):
        end = data.find(b"\n", end) + 1 or len(data)
    end = max(end, data.rfind(b"\n", 0, SAMPLE) + 1)
    return data[: end if len(data) > SAMPLE else len(data)]


def sniff(sample: str, delimiter: str | None = None) -> Dialect:
    r"""The dialect in which a sample of whole lines is written.

    A delimiter is right when the rows have as many cells as the header, then when most rows have the same number, then
    when there are more of them.

    Example:
        >>> sniff("a;b\n1,5;x\n2,5;y\n")
        Dialect(delimiter=';', quote='"', decimal=',', escape=None, extra='')
    """
    single = '"' not in sample and re.search(r"(?m)(^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", sample)
    quote = "'" if single else '"'
    escape = "\\" if '\\"' in sample else None
    candidates = {one: _cells(sample, one, quote, escape) for one in ([delimiter] if delimiter else ",;\t|")}
    chosen = max(candidates, key=lambda one: _plausibility(candidates[one]))  # the first among equals
    rows = candidates[chosen]
    if not delimiter and all(len(row) == 1 for row in rows):
        blanks = _cells("\n".join(" ".join(line.split()) for line in sample.splitlines()), " ", quote, escape)
        alike, _, share, width = _plausibility(blanks)
        numeric = [number_style([cell]) == "point" for row in blanks[1:] for cell in row]
        if len(blanks) > 2 and share == 1 and width > 1 and np.mean(numeric) >= 0.5:
            return Dialect(" ", quote, extra="" if alike else "first")
    body = [cell.strip() for row in rows[1:] for cell in row]
    comma = any(re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", cell) for cell in body)
    point = any(re.fullmatch(r"[+-]?\d+\.\d+([eE][+-]?\d+)?", cell) for cell in body)
    extra: Literal["", "first", "last"] = ""
    if _plausibility(rows)[1]:
        extra = "first" if any(row[-1] for row in rows[1:]) else "last"
    return Dialect(chosen, quote, "," if chosen != "," and comma and not point else ".", escape, extra)


def _plausibility(rows: list[list[str]]) -> tuple[bool, bool, float, int]:
    """How much these rows look like a header and its table; compared in order.

    Whether most rows are as wide as the header, whether they are one cell wider, their share, and their width.
    """
    widths = Counter(map(len, rows[1:])) or Counter(map(len, rows)) or Counter([1])
    width, count = widths.most_common(1)[0]
    header = len(rows[0]) if rows else 1
    return header == width > 1, width == header + 1 > 2, round(count / max(len(rows) - 1, 1), 2), width


def _cells(text: str, delimiter: str, quote: str, escape: str | None, most: int = 200) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, escapechar=escape)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == most:
                break
    except csv.Error:  # a cell beyond the limit of the csv module, or a stray character: this delimiter is unlikely
        pass
    return rows


def _read_body(
    table: RawTable, data: bytes, start: int, names: Sequence[str], dialect: Dialect, *, first_line: int
) -> None:
    """Parses the rows below the header. Ragged rows become one problem, and the rest is still read."""
    import pyarrow as pa
    import pyarrow.csv

    bad: list[int] = []

    def ragged(row: Any) -> str:
        bad.append(row.actual_columns)
        return "skip"

    keys = [str(i) for i in range(len(names))]
    longest = max(map(len, data[start : start + SAMPLE].split(b"\n")))
    size = len(data) - start
    block = min(max(1 << 22, 64 * longest, size // 8), 1 << 30)  # every block is a chunk of every column: few
    parse = pa.csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char=dialect.quote,
        escape_char=dialect.escape or False,
        newlines_in_values=data.find(dialect.quote.encode(), start) >= 0,
        invalid_row_handler=ragged,
        ignore_empty_lines=len(names) > 1,
    )
    convert = pa.csv.ConvertOptions(
        null_values=sorted(MISSING - {"None"}),  # which may be a label
        strings_can_be_null=True,
        decimal_point=dialect.decimal,
    )
    for block_size in (block, min(size + 1, (1 << 31) - 1)):
        bad.clear()
        try:
            arrow = pa.csv.read_csv(
                pa.BufferReader(pa.py_buffer(data).slice(start)),
                read_options=pa.csv.ReadOptions(column_names=keys, block_size=block_size, use_threads=size > SMALL),
                parse_options=parse,
                convert_options=convert,
            )
            break
        except pa.ArrowInvalid as error:
            if "straddling" in str(error) and block_size == block:  # a row longer than a block
                continue
            table.refuse(f"cannot be parsed: {error}")
            return
    if bad:
        _report_ragged(table, data[start:], len(names), len(bad), dialect, first_line)
    if not arrow.num_rows and not bad:
        table.refuse("a header without rows")
    reading = RawTable(table.name)
    _from_arrow(reading, arrow)
    assert reading.frame is not None
    table.frame = reading.frame.set_axis(pd.Index(names, dtype="str"), axis=1)


def _report_ragged(table: RawTable, body: bytes, width: int, count: int, dialect: Dialect, first_line: int) -> None:
    """Which lines have how many cells."""
    shown = []
    reader = csv.reader(
        io.StringIO(body.decode("utf-8", "replace"), newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
    )
    line = first_line
    try:
        for row in reader:
            if row and len(row) != width:
                shown.append(f"line {line} has {len(row)}")
            if len(shown) == SHOWN:
                break
            line = first_line + reader.line_num
    except csv.Error as error:
        shown.append(f"line {first_line + reader.line_num}: {error}")
    more = f", and {count - len(shown)} more" if count > len(shown) else ""
    rows = "1 row has" if count == 1 else f"{count} rows have"
    fix = "Correct these lines, or put quotes around cells that hold the delimiter."
    table.refuse(f"{rows} another number of cells than the header's {width}: {', '.join(shown)}{more}", fix)
