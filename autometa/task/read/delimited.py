"""Delimited text (CSV, TSV and their kin): its dialect, what stands above and below the table, and its rows.

Ragged rows are one problem, with the lines they stand in, and the others are still read, so that whatever else is wrong
with the table is reported as well. Where they are: `dialect` how the text is written, `header` what is no row,
`records` the rows.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import decimal_shown, has_points_between_thousands
from autometa.task.findings import InputFindings
from autometa.task.names import columns_at, renamed
from autometa.task.options import OPTIONS
from autometa.task.read.dialect import Dialect, cells, sniff
from autometa.task.read.header import footer, is_header, is_rule, note_above, note_footer, note_total, shortened
from autometa.task.read.limits import Limits
from autometa.task.read.raw import NO_ROWS, Parsed, ReadRequest
from autometa.task.read.records import Body, read_rows

_SPELLED = {"\t": "tab", ";": "semicolon", "|": "bar", " ": "blanks"}  # delimiters, as a note calls them


@dataclass(frozen=True, slots=True)
class Head:
    """The first lines of a text."""

    names: Sequence[str]  # (p,)
    lines: int  # before the rows
    above: Sequence[tuple[int, str]]  # the lines above the header that are left out
    found: bool  # whether there is a header
    rule: tuple[int, str] | None = None  # the line that does nothing but underline it


@dataclass(frozen=True, slots=True)
class Opened:
    """A delimited text whose dialect and header are known."""

    data: bytes  # UTF-8, without what stands before its first line, and as PyArrow can parse it
    dialect: Dialect
    head: Head
    offset: int  # of the first row in `data`
    first_line: int  # of the file: that of the first row


def read_delimited(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:  # data: UTF-8
    """The table in delimited text; None, with a problem, where it cannot be parsed."""
    text = opened(data, findings, request)
    if text is None:
        return None
    dialect, head, body = text.dialect, text.head, text.data[text.offset :]
    if not re.compile(rb"\S").search(body):
        findings.refuse(NO_ROWS, "Rows are needed below the header.")
        empty = pd.DataFrame({i: pd.Series(dtype=object) for i in range(len(head.names))})
        return Parsed(renamed(empty, head.names))
    note_dialect(dialect, head, request, findings)
    end, below = footer(body, dialect.delimiter, dialect.quote, len(head.names))
    note_footer(below, text.first_line + body[:end].count(b"\n"), findings)
    missing = sorted(request.missing - {"None"})
    body = body[:end] if body[:end].endswith((b"\n", b"\r")) else body[:end] + b"\n"  # PyArrow's last cell needs one
    rows = Body(body, head.names, dialect, text.first_line)
    parsed = read_rows(rows, findings, missing)
    if parsed is None or not allow_cells(parsed.frame, len(body), request.limits, findings):
        return None
    if dialect.decimal == "." and _is_comma(parsed, rows):
        dialect = replace(dialect, decimal=",")
        findings.note("Decimal sign: comma.")
        parsed = read_rows(replace(rows, dialect=dialect), InputFindings(), missing) or parsed
    note_last(parsed.frame, findings)
    return replace(parsed, decimal=dialect.decimal if dialect.decimal == "," else None)


def opened(data: bytes, findings: InputFindings, request: ReadRequest) -> Opened | None:  # data: UTF-8
    """How a delimited text is written, by its first lines; None, with a problem, where these cannot be parsed."""
    start = re.match(rb"[\r\n]*(sep=(.)\r?\n)?", data)
    assert start is not None
    above, data = data[: start.end()].count(b"\n"), data[start.end() :]
    if b"\r" in data and b"\n" not in data:  # lines of old Macintoshes
        data = data.replace(b"\r", b"\n")
    if not _allow_width(data, request.limits, findings):
        return None
    sample = _whole_lines(data)
    dialect = sniff(sample, start.group(2).decode("latin-1") if start.group(2) else None)
    if dialect.delimiter == " ":
        data = b"\n".join(b" ".join(line.split()) for line in data.splitlines())
        sample = _whole_lines(data)
    dialect = _told(dialect, sample, data, request)
    try:
        head = _head(sample, dialect, request)
    except csv.Error as error:
        findings.refuse(f"cannot be parsed: {error} in the first line", "Is it a table at all?")
        return None
    if not request.limits.allow_columns(len(head.names), findings):
        return None
    note_above([(above + line, text) for line, text in head.above], findings)
    if head.rule is not None:
        number, text = head.rule
        findings.note(f"Line {above + number} underlines the header and is left out: {shortened(text)}.")
    offset = 0
    for _ in range(head.lines):
        offset = data.find(b"\n", offset) + 1 or len(data)
    return Opened(data, dialect, head, offset, above + head.lines + 1)


def _head(sample: str, dialect: Dialect, request: ReadRequest) -> Head:
    """What stands above the rows, and the names of the columns: numbered where there is no header.

    Raises:
        csv.Error: The first line cannot be parsed.
    """
    reader = csv.reader(
        io.StringIO(sample, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
    )
    above, written, line, left = [], re.split(r"\r\n|\n|\r", sample), 0, dialect.above
    for row in reader:
        if row and not left:
            break
        if row:
            above.append((line + 1, written[line].strip()))
            left -= 1
        line = reader.line_num
    first, rows = row, [row for _, row in cells(sample, dialect.delimiter, dialect.quote, dialect.escape)]
    rows = rows[dialect.above + 1 :]
    header = is_header(first, rows) if request.header is None else request.header
    if not header:
        return Head([f"column_{i + 1}" for i in range(len(first))], line, above, False)
    names = [cell.strip() for cell in first]
    names = {"first": ["", *names], "last": [*names, ""]}.get(dialect.extra, names)
    line = reader.line_num
    ruled = len(rows) > 1 and is_rule(rows[0]) and len(rows[0]) == len(first)
    names = [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    return Head(names, line + ruled, above, True, (line + 1, written[line].strip()) if ruled else None)


def _told(dialect: Dialect, sample: str, data: bytes, request: ReadRequest) -> Dialect:
    """The dialect as far as the sample left it open: a backslash beyond it, the decimal sign that is asked for."""
    escaped = f"\\{dialect.quote}"
    if dialect.escape is None and escaped not in sample and escaped.encode() in data:
        whole = sniff(data.decode("utf-8", "replace"), dialect.delimiter)
        dialect = replace(dialect, escape=whole.escape)
    if request.decimal == "," and dialect.decimal == "." and dialect.delimiter != ",":
        edge = rf"(^|$|{re.escape(dialect.delimiter)})"
        point = re.search(rf"(?m){edge}[+-]?\d+\.(\d\d?|\d{{4,}}){edge}", sample)
        dialect = dialect if point else replace(dialect, decimal=",")
    return dialect


def _is_comma(parsed: Parsed, rows: Body) -> bool:
    """Whether the comma is the decimal sign after all: a text shows it, and no number the point beyond doubt."""
    frame = parsed.frame
    quoted = rows.dialect.delimiter != "," or rows.dialect.quote.encode() in rows.data
    may_show = quoted and re.search(rb",[0-9]", rows.data) is not None
    kinds = [
        (i, pd.api.types.is_float_dtype(dtype), not pd.api.types.is_numeric_dtype(dtype))
        for i, dtype in enumerate(frame.dtypes)
    ]
    floats = [i for i, is_float, _ in kinds if is_float]
    thousands = _any_thousands(frame, floats)
    if not may_show and not thousands:
        return False
    shown = frozenset[str]()
    texts = [i for i, _, is_text in kinds if is_text]
    for column in columns_at(frame.iloc[: OPTIONS.decimals_looked_at], texts):
        shown |= decimal_shown(cell for cell in column.unique().tolist() if isinstance(cell, str))
    if not shown:  # it may show itself further down
        some = (
            re.search(rb'(^|[";\t|\n])[0-9]+,[0-9]{1,2}["; \t|\r\n]', rows.data)
            if rows.dialect.delimiter != ","
            else None
        )
        shown = frozenset(",") if some else shown
    if shown != {","} and (shown or not thousands):
        return False
    columns = rows.written(floats) if floats else []
    written = [column.dropna().str.strip().unique().tolist() for column in columns]
    if any("." in decimal_shown(texts) for texts in written):
        return False
    return shown == {","} or any(has_points_between_thousands(texts, OPTIONS.pointed_numbers) for texts in written)


def note_last(frame: pd.DataFrame, findings: InputFindings) -> None:  # (n, p)
    """Says that the last row looks like totals, where it does."""
    if len(frame):
        note_total([cell for cell in frame.iloc[-1].tolist() if isinstance(cell, str)], findings)


def _any_thousands(frame: pd.DataFrame, floats: Sequence[int]) -> bool:  # (n, p)
    """A cheap look before `has_points_between_thousands`: whole numbers and others, all as `may_be_thousands` wants."""
    step = max(1, OPTIONS.cells_at_once // max(len(frame), 1))
    for start in range(0, len(floats), step):
        values = frame.iloc[:, floats[start : start + step]].to_numpy(np.float64)
        known = np.isfinite(values)
        whole = known & (values == np.floor(values))
        if (may_be_thousands(values) & whole.any(axis=0) & (known & ~whole).any(axis=0)).any():
            return True
    return False


def may_be_thousands(values: NDArray[np.float64]) -> NDArray[np.bool_]:  # (n, p) -> (p,)
    """Which columns may have points between thousands: none is as large as a thousand, and below 1 are none but zeros.

    Example:
        >>> may_be_thousands(np.array([[1.02, 0.5], [12.5, 2.0]]))
        array([ True, False])
    """
    sizes = np.abs(values)
    fits = ~np.isfinite(sizes) | ((sizes < 1000) & ((sizes == np.floor(sizes)) | (sizes > 1)))
    return np.asarray(fits.all(axis=0))


def _allow_width(data: bytes, limits: Limits, findings: InputFindings) -> bool:
    """Whether the first line may be one of a table: a look at its delimiters, before anybody takes it apart."""
    end = data.find(b"\n")
    line = data[: end if end >= 0 else len(data)]
    if len(line) <= limits.columns or b'"' in line or b"'" in line:
        return True
    return limits.allow_columns(max(map(line.count, (b",", b";", b"\t", b"|"))) + 1, findings)


def allow_cells(frame: pd.DataFrame, size: int, limits: Limits, findings: InputFindings) -> bool:
    """Whether no cell is longer than it may be, in a text of so many bytes."""
    if size <= limits.cell:
        return True
    for name, column in frame.items():
        if pd.api.types.infer_dtype(column, skipna=True) != "string":  # truth values beside missing cells are objects
            continue
        longest = int(column.str.len().max())
        if not limits.allow_cell(longest, findings, str(name)):
            return False
    return True


def _whole_lines(data: bytes) -> str:
    """The first lines, as text: some five, and as many more as the sample holds."""
    end = 0
    for _ in range(5):
        end = data.find(b"\n", end) + 1 or len(data)
    end = max(end, data.rfind(b"\n", 0, OPTIONS.sample_bytes) + 1)
    return data[: end if len(data) > OPTIONS.sample_bytes else len(data)].decode("utf-8", "replace")


def note_dialect(dialect: Dialect, head: Head, request: ReadRequest, findings: InputFindings) -> None:
    """Says what of the dialect is unusual."""
    if dialect.delimiter != ",":
        findings.note(f"Delimiter: {_SPELLED.get(dialect.delimiter, dialect.delimiter)}.")
    if dialect.decimal == ",":
        findings.note("Decimal sign: comma.")
    if dialect.escape:
        findings.note("Quotes within cells have a backslash before them.")
    if dialect.extra and head.found:
        findings.note(f"Rows have one cell more than the header: the {dialect.extra} column has no name.")
    if not head.found:
        why = "as asked" if request.header is False else "as the first line looks like the others"
        names = f"{head.names[0]!r} to {head.names[-1]!r}"
        findings.note(f"No header, {why} (--header, header=True, makes it one): the columns are {names}.")
