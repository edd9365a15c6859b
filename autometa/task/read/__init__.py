"""Files of any common format, databases and addresses on the web become raw tables.

The content decides, not the file's name: compression, archives and binary formats show themselves in their first
bytes; what is left is text, and its encoding, delimiter, quotes and decimal sign are found on a sample. PyArrow and
calamine do the parsing.

`raw_table` never raises for bad input: it returns what could be read with the problems found, so that `read_task` can
report them with its own.

To add a format, see `formats`. Where things are decided: `sources` and `joined` which files, and how several are one;
`decode`, `encoding` and `archives` compression, encoding and members, `dialect` delimiter, quotes and decimal sign,
`header` what is no row, `records` the rows, `workbooks` sheets, `json`, `arff` and `arrow` the formats of these names,
`limits` how much is read, `apart` what another process reads, `databases` and `download` what is not a file, `batches`,
`large` and `survey` what is read part by part; what a cell means, and what a column holds, is decided later, in
`autometa.task.cells` and `autometa.task.columns`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from autometa.errors import InputError
from autometa.moved import former
from autometa.task.findings import InputFindings
from autometa.task.in_memory import in_memory
from autometa.task.names import listed, renamed, unique_names
from autometa.task.options import OPTIONS
from autometa.task.read.archives import is_archive, members
from autometa.task.read.databases import is_database, is_sqlite, read_database, read_sqlite
from autometa.task.read.decode import decompress, read_bytes
from autometa.task.read.download import fetched, is_on_the_web
from autometa.task.read.formats import parse
from autometa.task.read.joined import Keys, joined
from autometa.task.read.large import read_large
from autometa.task.read.limits import Limits
from autometa.task.read.raw import AS_IT_IS, NO_ROWS, UNFORESEEN, Parsed, RawTable, ReadRequest, refuse_idle
from autometa.task.read.sources import Source, sources
from autometa.task.read.workbooks import is_workbook

if not TYPE_CHECKING:
    __getattr__ = former(__name__)

__all__ = ["RawTable", "ReadRequest", "raw_table", "read_table"]


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
    sheet: str | int | None = None,
    member: str | None = None,
    query: str | None = None,
    download: bool = False,
) -> tuple[pd.DataFrame, list[str]]:
    r"""The raw table in a file, and notes on how it was read.

    Formats: CSV and TSV with any usual delimiter, encoding, quotes and decimal sign; JSON lines; ARFF; parquet;
    feather; Excel and OpenDocument workbooks; SQLite; each of them also in gzip, zstandard, bzip2, xz or lz4, and in
    zip and tar archives.

    Args:
        source: A path, ``"-"`` for standard input, bytes, a readable file; several of these, a pattern (``"*.csv"``) or
            a folder, whose files have the same columns; the URL of a database; an address on the web; a DataFrame, a
            2-D array, a sparse matrix, or any table that speaks Arrow's protocol (polars, PyArrow, DuckDB).
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
        sheet: Of a workbook, by its name or its number from 1; by default the first, and said where there are more.
        member: Of an archive, by its name; a pattern such as ``"*.csv"`` takes several.
        query: What to ask a database.
        download: Whether an address on the web (http, https) may be fetched.

    Returns:
        The raw columns, (n, p), under unique text names, and sentences for the user.

    Raises:
        InputError: With everything that is wrong with the file.

    See Also:
        `read_task`; `autometa.openml.read_table`.

    Example:
        >>> frame, notes = read_table(b"town;price\nUlm;1,5\nBern;2,5\n")
        >>> frame["price"].tolist(), notes
        ([1.5, 2.5], ['Delimiter: semicolon.', 'Decimal sign: comma.'])
    """
    words = None if na is None else tuple(na)
    allowed = Limits.of(limits)
    request = ReadRequest(rename_duplicates, encoding, header, words, decimal, allowed, sheet, member, query, download)
    table = raw_table(source, request)
    problems = [one for one in table.findings.problems if one.what != NO_ROWS or not allow_empty]
    if problems or table.frame is None:
        raise InputError(problems)
    return table.as_written(text), table.findings.notes


def raw_table(source: Any, request: ReadRequest = AS_IT_IS) -> RawTable:
    """As `read_table`, with the problems in the table rather than raised."""
    if isinstance(source, RawTable):
        return source
    parts, findings = sources(source)
    if findings.problems:
        return RawTable(findings)
    if len(parts) == 1 and not parts[0].keys:
        found = _read(parts[0], request)
        found.findings.notes[:0] = findings.notes
        return found
    return _joined([(part.keys, partial(_read, part)) for part in parts], findings, request)


def _read(source: Source, request: ReadRequest) -> RawTable:
    """One file, or what else is one table."""
    found = InputFindings()
    table = in_memory(source.given, found)
    if isinstance(table, pd.DataFrame):
        frame = renamed(table.reset_index(drop=True), [str(name) for name in table.columns])
        return _uniquely_named(Parsed(frame), found, True)
    if table is None:
        return RawTable(found)
    if is_database(source.given):
        return _of_columns(*read_database(source.given, request), request)
    if isinstance(source.given, (str, Path)) and is_sqlite(source.given):
        path = Path(source.given)
        return _of_columns(*read_sqlite(path, InputFindings(source.name or path.name), request), request)
    if isinstance(source.given, (str, Path)) and not is_on_the_web(source.given) and str(source.given) != "-":
        findings = InputFindings(source.name or Path(source.given).name)
        large = read_large(Path(source.given), findings, request)
        if large is not None:
            return _of_columns(large, findings, request)
    data, findings = (
        fetched(source.given, request) if is_on_the_web(source.given) else read_bytes(source.given, request.limits)
    )
    findings = findings if source.name is None else findings.at(source.name)
    return RawTable(findings) if data is None else _of_bytes(data, findings, request)


def _of_bytes(data: bytes, findings: InputFindings, request: ReadRequest) -> RawTable:
    """The table in the bytes of a file: unpacked, a member of an archive chosen, then read by its format."""
    plain = decompress(data, findings, request.limits)
    if plain is None:
        return RawTable(findings)
    if is_archive(plain) and not is_workbook(plain):
        return _of_archive(plain, findings, request)
    if is_sqlite(plain):
        return _of_columns(*read_sqlite(plain, findings, request), request)
    if refuse_idle(request, findings, "neither an archive nor a database", "member", "query"):
        return RawTable(findings)
    return _of_columns(_parsed(plain, findings, request), findings, request)


def _of_archive(data: bytes, findings: InputFindings, request: ReadRequest) -> RawTable:
    """The table in one member of an archive, or in several of the same columns."""
    found = members(data, findings, request.member, request.limits)
    if found is None:
        return RawTable(findings)
    within = replace(request, member=None)
    if len(found) == 1:
        return _of_bytes(found[0][1], findings, within)
    parts = [((), partial(_of_bytes, content, InputFindings(name))) for name, content in found]
    return _joined(parts, findings, within)


def _joined(
    parts: Sequence[tuple[Keys, Callable[[ReadRequest], RawTable]]], findings: InputFindings, request: ReadRequest
) -> RawTable:
    """Several tables as one; the decimal sign that one of them shows is that of all."""
    tables = [read(request) for _, read in parts]
    shown = next((table.decimal for table in tables if table.decimal is not None), None)
    if shown is not None:
        again = replace(request, decimal=shown)
        tables = [
            table if table.decimal is not None else read(again) for table, (_, read) in zip(tables, parts, strict=True)
        ]
    return joined([(table, keys) for table, (keys, _) in zip(tables, parts, strict=True)], findings)


def _of_columns(parsed: Parsed | None, findings: InputFindings, request: ReadRequest) -> RawTable:
    """What a reader found, under unique names."""
    return RawTable(findings) if parsed is None else _uniquely_named(parsed, findings, request.rename_duplicates)


def _parsed(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """As `parse`, whatever is in the bytes; what no reader foresaw is a fault of ours, and still no traceback."""
    try:
        return parse(data, findings, request)
    except MemoryError:
        findings.refuse("takes more memory than there is", "Take rows or columns out of it.")
    except Exception as error:  # noqa: BLE001 - what is wrong with a stranger's file can be anything
        what = f"{UNFORESEEN} ({type(error).__name__}: {' '.join(str(error).split())[: OPTIONS.sentence_letters]})"
        findings.refuse(what, "Is it damaged? If not, this is a fault of AutoMeta: please report it.")
    return None


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
