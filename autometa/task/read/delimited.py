"""Delimited text (CSV, TSV and their kin): a header, and rows that PyArrow parses.

Ragged rows are one problem, with the lines they stand in, and the others are still read, so that whatever else is wrong
with the table is reported as well.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from autometa.task.cells import MISSING_TEXTS
from autometa.task.findings import InputFindings
from autometa.task.names import renamed
from autometa.task.options import OPTIONS
from autometa.task.read.arrow import as_frame
from autometa.task.read.dialect import Dialect, sniff

_SPELLED = {"\t": "tab", ";": "semicolon", "|": "bar", " ": "blanks"}  # delimiters, as a note calls them


def read_delimited(data: bytes, findings: InputFindings) -> pd.DataFrame | None:  # data: UTF-8
    """The table in delimited text; None, with a problem, where it cannot be parsed."""
    start = re.match(rb"[\r\n]*(sep=(.)\r?\n)?", data)
    assert start is not None
    above, data = data[: start.end()].count(b"\n"), data[start.end() :]
    if b"\r" in data[: OPTIONS.sample_bytes] and b"\n" not in data:  # lines of old Macintoshes
        data = data.replace(b"\r", b"\n")
    sample = _whole_lines(data)
    dialect = sniff(sample, start.group(2).decode("latin-1") if start.group(2) else None)
    if dialect.delimiter == " ":
        data = b"\n".join(b" ".join(line.split()) for line in data.splitlines())
        sample = _whole_lines(data)
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote)
    try:
        header = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        findings.refuse(f"cannot be parsed: {error} in the first line", "Is it a table at all?")
        return None
    offset = 0
    for _ in range(reader.line_num):
        offset = data.find(b"\n", offset) + 1 or len(data)
    names = {"first": ["", *header], "last": [*header, ""]}.get(dialect.extra, header)
    names = [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    if not re.compile(rb"\S").search(data, offset):
        findings.refuse("a header without rows", "Rows are needed below the header.")
        return renamed(pd.DataFrame({i: [] for i in range(len(names))}), names)
    _note_dialect(dialect, findings)
    return read_rows(data, offset, names, dialect, findings, first_line=above + reader.line_num + 1)


def _whole_lines(data: bytes) -> str:
    """The first lines, as text: some five, and as many more as the sample holds."""
    end = 0
    for _ in range(5):
        end = data.find(b"\n", end) + 1 or len(data)
    end = max(end, data.rfind(b"\n", 0, OPTIONS.sample_bytes) + 1)
    return data[: end if len(data) > OPTIONS.sample_bytes else len(data)].decode("utf-8", "replace")


def _note_dialect(dialect: Dialect, findings: InputFindings) -> None:
    """Says what of the dialect is unusual."""
    if dialect.delimiter != ",":
        findings.note(f"Delimiter: {_SPELLED.get(dialect.delimiter, dialect.delimiter)}.")
    if dialect.decimal == ",":
        findings.note("Decimal sign: comma.")
    if dialect.extra:
        findings.note(f"Rows have one cell more than the header: the {dialect.extra} column has no name.")


def read_rows(
    data: bytes,  # UTF-8
    start: int,
    names: Sequence[str],  # (p,) need not be unique
    dialect: Dialect,
    findings: InputFindings,
    *,
    first_line: int,
) -> pd.DataFrame | None:  # (n, p)
    """The rows from byte `start` on, which is line `first_line` of the file; None, with a problem, where they break."""
    import pyarrow as pa
    import pyarrow.csv

    bad: list[int] = []

    def ragged(row: Any) -> str:
        bad.append(row.actual_columns)
        return "skip"

    keys = [str(i) for i in range(len(names))]
    longest = max(map(len, data[start : start + OPTIONS.sample_bytes].split(b"\n")))
    size = len(data) - start
    block = min(max(1 << 22, 64 * longest, size // 8), 1 << 30)  # every block is a chunk of every column: few
    threads = size > OPTIONS.threads_from_bytes
    parse = pa.csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char=dialect.quote,
        escape_char=dialect.escape or False,
        newlines_in_values=data.find(dialect.quote.encode(), start) >= 0,
        invalid_row_handler=ragged,
        ignore_empty_lines=len(names) > 1,
    )
    convert = pa.csv.ConvertOptions(
        null_values=sorted(MISSING_TEXTS - {"None"}),  # which may be a label
        strings_can_be_null=True,
        decimal_point=dialect.decimal,
    )
    for block_size in (block, min(size + 1, (1 << 31) - 1)):
        bad.clear()
        try:
            arrow = pa.csv.read_csv(
                pa.BufferReader(pa.py_buffer(data).slice(start)),
                read_options=pa.csv.ReadOptions(column_names=keys, block_size=block_size, use_threads=threads),
                parse_options=parse,
                convert_options=convert,
            )
            break
        except pa.ArrowInvalid as error:
            if "straddling" in str(error) and block_size == block:  # a row longer than a block
                continue
            findings.refuse(f"cannot be parsed: {error}")
            return None
    if bad:
        _refuse_ragged(data[start:], len(names), len(bad), dialect, findings, first_line)
    elif not arrow.num_rows:
        findings.refuse("a header without rows")
    return renamed(as_frame(arrow), names)


def _refuse_ragged(
    body: bytes, width: int, count: int, dialect: Dialect, findings: InputFindings, first_line: int
) -> None:
    """Which lines have how many cells."""
    shown, most = [], OPTIONS.ragged_rows_listed
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
            if len(shown) == most:
                break
            line = first_line + reader.line_num
    except csv.Error as error:
        shown.append(f"line {first_line + reader.line_num}: {error}")
    more = f", and {count - len(shown)} more" if count > len(shown) else ""
    rows = "1 row has" if count == 1 else f"{count} rows have"
    fix = "Correct these lines, or put quotes around cells that hold the delimiter."
    findings.refuse(f"{rows} another number of cells than the header's {width}: {', '.join(shown)}{more}", fix)
