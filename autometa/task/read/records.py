"""The rows of a delimited text: PyArrow parses them, and an independent count says whether it found them all.

The count is that of the line ends outside quotes; where a stray quote spoils it, the csv module decides. A cell that
spans lines is said, and refused where the lines within it look like rows: then a quote was never closed.

Law: every line is a row, part of a cell that is said, or part of a problem.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.findings import InputFindings
from autometa.task.names import renamed
from autometa.task.options import OPTIONS
from autometa.task.read.arrow import as_frame, is_unsafe, may_have_been
from autometa.task.read.dialect import Dialect
from autometa.task.read.raw import NO_ROWS, Parsed

_EDGE = rb"[\s,;|\"'+-]"
DISGUISED = {  # cells that PyArrow takes for numbers, and the letters that they have
    "hexadecimal": ((b"0x", b"0X"), re.compile(_EDGE + rb"0[xX][0-9a-fA-F]+" + _EDGE)),
    "powers": ((b"e", b"E"), re.compile(_EDGE + rb"[0-9]+[eE][0-9]+" + _EDGE)),
}


@dataclass(frozen=True, slots=True)
class Body:
    """The rows of a text: where they begin, how they are written, and the names of their columns."""

    data: bytes  # UTF-8, the rows alone
    names: Sequence[str]  # (p,) need not be unique
    dialect: Dialect
    first_line: int  # of the file

    def parse(self, convert: Any, ragged: list[int]) -> Any:
        """A table of PyArrow, (n, p), its columns named by their places; `ragged` gets the widths of rows left out.

        Raises:
            pyarrow.ArrowInvalid: The text cannot be parsed.
        """
        import pyarrow as pa
        import pyarrow.csv

        def skip(row: Any) -> str:
            ragged.append(row.actual_columns)
            return "skip"

        dialect, data = self.dialect, self.data
        longest = max(map(len, data[: OPTIONS.sample_bytes].split(b"\n")))
        block = max(1 << 22, 64 * longest, len(data) // 8)  # every block is a chunk of every column: few
        block = min(block, len(data) + 1, 1 << 30)  # and PyArrow lays out all of it, for a few rows too
        parse = pa.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            escape_char=dialect.escape or False,
            newlines_in_values=data.find(dialect.quote.encode()) >= 0,
            invalid_row_handler=skip,
            ignore_empty_lines=len(self.names) > 1,
        )
        for size in (block, min(len(data) + 1, (1 << 31) - 1)):
            ragged.clear()
            try:
                return pa.csv.read_csv(
                    pa.BufferReader(pa.py_buffer(data)),
                    read_options=pa.csv.ReadOptions(
                        column_names=[str(i) for i in range(len(self.names))],
                        block_size=size,
                        use_threads=len(data) > OPTIONS.threads_from_bytes,
                    ),
                    parse_options=parse,
                    convert_options=convert,
                )
            except pa.ArrowInvalid as error:
                if "straddling" not in str(error) or size != block:  # else a row is longer than a block
                    raise
        raise AssertionError

    def written(self, places: Sequence[int], missing: Sequence[str] = ("",)) -> list[pd.Series]:  # (n,) each
        """Columns as they are written; None in a cell that is one of these words and has no quotes."""
        import pyarrow as pa
        import pyarrow.csv

        keys = [str(i) for i in places]
        convert = pa.csv.ConvertOptions(
            column_types={key: pa.string() for key in keys},
            include_columns=keys,
            null_values=list(missing),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        table = self.parse(convert, [])
        return [pd.Series(table[key].to_pylist(), dtype=object) for key in keys]

    def rows(self) -> Iterator[tuple[int, int, list[str]]]:
        """Every row by the csv module, slowly: its first and last line in the file, and its cells."""
        reader = csv.reader(
            io.StringIO(self.data.decode("utf-8", "replace"), newline=""),
            delimiter=self.dialect.delimiter,
            quotechar=self.dialect.quote,
            escapechar=self.dialect.escape,
        )
        line = self.first_line
        for row in reader:
            last = self.first_line + reader.line_num - 1
            if row or len(self.names) == 1:
                yield line, last, row
            line = last + 1


def read_rows(body: Body, findings: InputFindings, missing: Sequence[str]) -> Parsed | None:
    """The rows of a text, (n, p); None, with a problem, where they break."""
    import pyarrow as pa
    import pyarrow.csv

    convert = pa.csv.ConvertOptions(
        null_values=list(missing), strings_can_be_null=True, decimal_point=body.dialect.decimal
    )
    ragged: list[int] = []
    try:
        table = body.parse(convert, ragged)
    except pa.ArrowInvalid as error:
        findings.refuse(f"cannot be parsed: {error}")
        return None
    if ragged:
        _refuse_ragged(body, len(ragged), findings)
    elif not table.num_rows:
        findings.refuse(NO_ROWS)
    else:
        _check_lines(body, table.num_rows, findings)
    disguises = [may_have_been(column) for column in table.columns]
    found = {what for what in set(disguises) - {""} if has_cell(b"", body.data, *DISGUISED[what])}
    places = [i for i, what in enumerate(disguises) if what in found or is_unsafe(table.column(i))]
    frame = as_frame(table)
    if places:
        columns = {i: frame.iloc[:, i] for i in range(frame.shape[1])}
        columns |= dict(zip(places, body.written(places, missing), strict=True))
        frame = pd.concat([columns[i] for i in range(len(columns))], axis=1)
    known: dict[tuple[str, ...], list[pd.Series]] = {}

    def written(place: int, words: Sequence[str] | None) -> pd.Series:
        words = tuple(missing if words is None else words)
        if len(body.data) > OPTIONS.sample_bytes:
            return body.written([place], words)[0]
        if words not in known:  # all at once, where that is little
            known[words] = body.written(range(len(body.names)), words)
        return known[words][place]

    return Parsed(renamed(frame, body.names), written=written)


def has_cell(before: bytes, data: bytes, letters: Sequence[bytes], shape: re.Pattern[bytes]) -> bool:
    """Whether a text, and what stands before it, has a cell of a shape; most have not even its letters."""
    return any(data.find(some) >= 0 for some in letters) and shape.search(before + data if before else data) is not None


def lines_of(body: Body, rows: int) -> InputFindings:
    """A problem where so many rows are not as many as there are lines outside quotes; a note where cells span lines."""
    findings = InputFindings()
    _check_lines(body, rows, findings)
    return findings


def _check_lines(body: Body, rows: int, findings: InputFindings) -> None:
    """Compares the rows that were read with the lines there are; says which cells span several."""
    data, quote = body.data, body.dialect.quote.encode()
    ends, inside = line_ends(data, quote if data.find(quote) >= 0 else None)
    if _count(data, ends[~inside], count_blank=len(body.names) == 1) != rows:  # a quote within a cell, an escape
        try:
            found = [(first, last) for first, last, _ in body.rows()]
        except csv.Error as error:
            findings.note(f"{rows} rows; their number could not be checked against the lines ({error}).")
            return
        if len(found) != rows:
            what = f"{rows} rows were read where {len(found)} are written"
            findings.refuse(what, "Is a quote missing? Put quotes around cells that hold quotes.")
        spans = [(first - body.first_line, last - body.first_line) for first, last in found if last > first]
    else:
        last = np.append(np.flatnonzero(~inside), len(ends))  # the line in which each row ends
        first = np.append(0, last[:-1] + 1)
        several = last > first
        spans = list(zip(first[several].tolist(), last[several].tolist(), strict=True))
    if not spans:
        return
    starts = np.append(0, ends + 1)
    for begin, end in spans[: OPTIONS.spans_checked]:
        inner = [data[starts[line] : starts[line + 1]] for line in range(begin + 1, end)]
        if len(body.names) > 2 and inner and all(_looks_like_row(line, body) for line in inner):
            lines = f"line {body.first_line + begin} closes in line {body.first_line + end}"
            what = f"the quote that opens in {lines}, and the lines between look like rows"
            findings.refuse(what, "Close it, or double the quotes that belong to cells.")
            return
    begin, end = spans[0]
    many = "1 row has a cell that spans lines" if len(spans) == 1 else f"{len(spans)} rows have cells that span lines"
    findings.note(f"{many}, the first in lines {body.first_line + begin} to {body.first_line + end}.")


def _looks_like_row(line: bytes, body: Body) -> bool:
    return line.count(body.dialect.delimiter.encode()) == len(body.names) - 1


def line_ends(data: bytes, quote: bytes | None) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:  # (lines,) each
    """The places of all line ends, and whether each is within quotes."""
    ends, within = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=bool)]
    odd, size = False, 1 << 24
    for start in range(0, len(data), size):
        chunk = np.frombuffer(data, dtype=np.uint8, count=min(size, len(data) - start), offset=start)
        found = np.flatnonzero(chunk == ord("\n"))
        ends.append(found + start)
        if quote is None:
            within.append(np.zeros(len(found), dtype=bool))
            continue
        quotes = np.flatnonzero(chunk == quote[0])
        within.append((np.searchsorted(quotes, found) + odd) % 2 == 1)
        odd ^= bool(len(quotes) % 2)
    return np.concatenate(ends), np.concatenate(within)


def _count(data: bytes, ends: NDArray[np.int64], *, count_blank: bool) -> int:
    """How many records these ends close, blank ones left out unless they count; the last may lack its end."""
    letters = np.frombuffer(data, dtype=np.uint8)
    lengths = np.diff(ends, prepend=-1) - 1
    blank = (lengths == 0) | ((lengths == 1) & (letters[ends - 1] == ord("\r")))
    last = data[int(ends[-1]) + 1 if len(ends) else 0 :].strip(b"\r")
    return int(len(ends) if count_blank else (~blank).sum()) + bool(last)


def _refuse_ragged(body: Body, count: int, findings: InputFindings) -> None:
    """Which lines have how many cells."""
    shown, most, width = [], OPTIONS.ragged_rows_listed, len(body.names)
    try:
        for line, _, row in body.rows():
            if len(row) != width:
                shown.append(f"line {line} has {len(row)}")
            if len(shown) == most:
                break
    except csv.Error as error:
        shown.append(str(error))
    more = f", and {count - len(shown)} more" if count > len(shown) else ""
    rows = "1 row has" if count == 1 else f"{count} rows have"
    fix = "Correct these lines, or put quotes around cells that hold the delimiter."
    findings.refuse(f"{rows} another number of cells than the header's {width}: {', '.join(shown)}{more}", fix)
