"""Files of any common format become raw tables.

The content decides, not the file's name: compression and binary formats show themselves in their first bytes; what is
left is text, and its encoding, delimiter, quotes and decimal sign are found on a sample. PyArrow does the parsing.

`raw_table` never raises for bad input: it returns what could be read with the problems found, so that `read_task` can
report them with its own.

To add a format, write a function from its bytes to a frame, and add its first bytes to `_BINARY` or its look to
`_reader_of_text`. Where things are decided: `decode` and `encoding` compression and encoding, `dialect` delimiter,
quotes and decimal sign, `header` what is no row, `records` the rows, `json`, `arff` and `arrow` the formats of these
names, `limits` how much is read, `apart` what another process reads; what a cell means, and what a column holds, is
decided later, in `autometa.task.cells` and `autometa.task.columns`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from autometa.errors import InputError
from autometa.moved import former
from autometa.task.findings import InputFindings
from autometa.task.names import listed, renamed, unique_names
from autometa.task.options import OPTIONS
from autometa.task.read.arff import is_arff, read_arff
from autometa.task.read.arrow import read_feather, read_parquet
from autometa.task.read.decode import decompress, read_bytes, utf8
from autometa.task.read.delimited import read_delimited
from autometa.task.read.json import read_json
from autometa.task.read.limits import Limits
from autometa.task.read.raw import AS_IT_IS, NO_ROWS, UNFORESEEN, Parsed, RawTable, ReadRequest

if not TYPE_CHECKING:
    __getattr__ = former(__name__)

__all__ = ["RawTable", "ReadRequest", "raw_table", "read_table"]

Reader = Callable[
    [bytes, InputFindings, ReadRequest], Parsed | None
]  # None, with a problem, where nothing could be read


def read_table(
    source: Any,
    *,
    rename_duplicates: bool = False,
    encoding: str | None = None,
    header: bool | None = None,
    na: Sequence[str] | None = None,
    decimal: str | None = None,
    text: Sequence[str] = (),
    allow_empty: bool = False,
    limits: Mapping[str, int] | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    r"""The raw table in a file, and notes on how it was read.

    Formats: CSV and TSV with any usual delimiter, encoding, quotes and decimal sign; JSON lines; ARFF; each of them
    also in gzip or zstandard; parquet; feather.

    Args:
        source: A path, ``"-"`` for standard input, bytes, a readable file, a DataFrame or a 2-D array.
        rename_duplicates: Whether duplicated column names of a file are made unique rather than refused.
        encoding: Of a text, as Python calls it; by default found, and said where it is a guess.
        header: Whether the first line of a delimited text names its columns; by default found, and said where it does
            not.
        na: The words for missing cells, instead of the usual ones; an empty cell always is.
        text: Columns of a delimited text whose cells are taken as they are written: 01 is not 1.
        allow_empty: Whether a table without rows is one.
        decimal: ``","`` where a delimited text without a decimal sign is one with commas.
        limits: What a file may hold at most, where that is not the usual: ``size``, ``ratio``, ``columns``, ``cell``,
            ``nesting`` (`limits.Limits`).

    Returns:
        The raw columns, (n, p), under unique text names, and sentences for the user.

    Raises:
        InputError: With everything that is wrong with the file.

    Example:
        >>> frame, notes = read_table(b"town;price\nUlm;1,5\nBern;2,5\n")
        >>> frame["price"].tolist(), notes
        ([1.5, 2.5], ['Delimiter: semicolon.', 'Decimal sign: comma.'])
    """
    words = None if na is None else tuple(na)
    table = raw_table(source, ReadRequest(rename_duplicates, encoding, header, words, decimal, Limits.of(limits)))
    problems = [one for one in table.findings.problems if one.what != NO_ROWS or not allow_empty]
    if problems or table.frame is None:
        raise InputError(problems)
    return table.as_written(text), table.findings.notes


def raw_table(source: Any, request: ReadRequest = AS_IT_IS) -> RawTable:
    """As `read_table`, with the problems in the table rather than raised."""
    if isinstance(source, pd.DataFrame):
        return _of_frame(source)
    if isinstance(source, np.ndarray):
        return _of_array(source)
    data, findings = read_bytes(source, request.limits)
    if data is not None:
        data = decompress(data, findings, request.limits)
    parsed = None if data is None else _parsed(data, findings, request)
    return RawTable(findings) if parsed is None else _uniquely_named(parsed, findings, request.rename_duplicates)


def _parsed(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """As `_parse`, whatever is in the bytes; what no reader foresaw is a fault of ours, and still no traceback."""
    try:
        return _parse(data, findings, request)
    except MemoryError:
        findings.refuse("takes more memory than there is", "Take rows or columns out of it.")
    except Exception as error:  # noqa: BLE001 - what is wrong with a stranger's file can be anything
        what = f"{UNFORESEEN} ({type(error).__name__}: {' '.join(str(error).split())[: OPTIONS.sentence_letters]})"
        findings.refuse(what, "Is it damaged? If not, this is a fault of AutoMeta: please report it.")
    return None


def _of_frame(frame: pd.DataFrame) -> RawTable:
    frame = renamed(frame.reset_index(drop=True), [str(name) for name in frame.columns])
    return _uniquely_named(Parsed(frame), InputFindings(), True)


def _of_array(array: np.ndarray) -> RawTable:
    if array.dtype.names:
        return _of_frame(pd.DataFrame(array))
    if array.ndim == 2:
        return _of_frame(pd.DataFrame(array).infer_objects())
    table = RawTable(InputFindings())
    what = f"Expected 2D array, got one of {array.ndim} dimensions instead"
    table.findings.refuse(what, "Reshape your data to (rows, columns).")
    return table


def _uniquely_named(parsed: Parsed, findings: InputFindings, rename: bool) -> RawTable:
    """The table under unique names; that some were duplicated is a problem unless `rename`, then a note."""
    frame = parsed.frame
    names = frame.columns.tolist()
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice and rename:
        findings.note(f"Duplicated column names made unique: {listed(twice)}.")
    elif twice:
        fix = "Rename them, or pass --rename-duplicates (rename_duplicates=True). Is the first line a header at all?"
        findings.refuse(f"duplicate column names: {listed(twice)}", fix)
    unique = unique_names(names) if twice else names
    places, by_place = {name: i for i, name in enumerate(unique)}, parsed.written
    written = None if by_place is None else lambda name, words: by_place(places[name], words)
    frame = renamed(frame, unique) if twice else frame
    return RawTable(findings, frame, frozenset(twice), parsed.decimal, written)


# --- which format -----------------------------------------------------------------------------------------------------


def _parse(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in bytes that are not compressed."""
    for first, reader in _BINARY.items():
        if data.startswith(first):
            return reader(data, findings, request)
    if not re.search(rb"[^\x00\xef\xbb\xbf\xff\xfe \t\r\n]", data):
        findings.refuse("empty", "A header line and rows are needed.")
        return None
    text = utf8(data, findings, request.encoding)
    return None if text is None else _reader_of_text(text)(text, findings, request)


def _reader_of_text(text: bytes) -> Reader:
    """Which format a text is in, by its beginning."""
    start = text[: OPTIONS.sample_bytes].lstrip()
    if start.startswith((b"{", b"[{")) or re.match(rb"\[\s*\{", start):
        return read_json
    return read_arff if is_arff(start) else read_delimited


def _refuse_as(what: str, fix: str) -> Reader:
    """The reader of a format that is known and not read."""

    def refuse(data: bytes, findings: InputFindings, request: ReadRequest) -> None:
        findings.refuse(what, fix)

    return refuse


_BINARY: dict[bytes, Reader] = {  # the first bytes -> the reader
    b"PAR1": read_parquet,
    b"ARROW1": read_feather,
    b"FEA1": read_feather,
    b"PK\x03\x04": _refuse_as("a zip archive or an Excel workbook", "Unpack it, or save the sheet as CSV."),
    b"\xd0\xcf\x11\xe0": _refuse_as("an old Excel workbook", "Save the sheet as CSV."),
    b"BZh": _refuse_as("bzip2 data", "Unpack it first, or use gzip or zstandard."),
    b"\xfd7zXZ": _refuse_as("xz data", "Unpack it first, or use gzip or zstandard."),
    b"SQLite format 3": _refuse_as("an SQLite database", "Export the table as CSV."),
    b"%PDF": _refuse_as("a PDF document", "A table in CSV or parquet is needed."),
    b"\x89HDF": _refuse_as("an HDF5 file", "Write the table as parquet or CSV."),
}
