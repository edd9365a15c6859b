"""What has to be known of a delimited text before a part of it is parsed as the whole would be.

Every part is parsed once, with types of its own, and what was found of each is joined: the type of a column, whether it
has missing cells, whether a word among its cells is more than it seems. `surveyed` gives None where a part does not
tell enough: then the text is read in one piece.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import IO, Any

import numpy as np
import pandas as pd

from autometa.task.cells import decimal_shown, may_have_points_between_thousands
from autometa.task.findings import InputFindings
from autometa.task.names import columns_at, renamed
from autometa.task.options import OPTIONS
from autometa.task.read.arrow import as_frame, is_unsafe, may_have_been
from autometa.task.read.decode import utf8
from autometa.task.read.delimited import may_be_thousands, note_dialect, opened
from autometa.task.read.formats import is_delimited
from autometa.task.read.header import footer
from autometa.task.read.raw import ReadRequest
from autometa.task.read.records import DISGUISED, Body, has_cell, line_ends, lines_of

_NUMBERS_WITH_COMMAS = re.compile(rb",[0-9]")
_COMMA_AS_SIGN = re.compile(rb'(^|[";\t|\n])[0-9]+,[0-9]{1,2}["; \t|\r\n]')


@dataclass(slots=True)
class SurveyedColumn:
    """What the parts of a column were found to be, joined."""

    kinds: list[Any] = field(default_factory=list)  # of PyArrow, each once
    nulls: bool = False
    long: bool = False  # whether a whole number is beyond what float64 keeps apart
    unsafe: bool = False  # as `is_unsafe`
    fractions: bool = False  # whether a number is not whole

    def see(self, cells: Any) -> None:
        """One part more."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.nulls |= cells.null_count > 0
        kind = cells.type
        if pa.types.is_null(kind):
            return
        if kind not in self.kinds:
            self.kinds.append(kind)
        if pa.types.is_integer(kind):
            ends = pc.min_max(cells).as_py()
            beyond = ends["max"] is not None and (ends["max"] > 2**53, ends["min"] < -(2**53))
            self.long |= bool(beyond and any(beyond))
            self.unsafe |= ends["max"] is not None and max(ends["max"], -ends["min"]) >= 2**53
        elif pa.types.is_floating(kind):
            self.unsafe |= is_unsafe(cells)
            self.fractions |= may_have_been(cells) != "powers"
        elif pa.types.is_timestamp(kind):
            self.unsafe |= kind.tz is not None

    def may_have_been(self, kind: Any) -> str:
        """As `arrow.may_have_been`, of a part of this type and those before it: what the text has to be asked for."""
        import pyarrow as pa

        if pa.types.is_floating(kind):
            return "" if self.fractions else "powers"
        return "hexadecimal" if pa.types.is_integer(kind) else ""

    def kind(self) -> Any:
        """What the whole column is; None where that cannot be told from its parts."""
        import pyarrow as pa

        if not self.kinds:
            return pa.null()
        if len(self.kinds) == 1:
            return self.kinds[0]
        if pa.string() in self.kinds:
            return pa.string()
        return pa.float64() if set(self.kinds) == {pa.int64(), pa.float64()} else None

    def like_the_whole(self, cells: pd.Series) -> pd.Series:
        """A part of the column, (n,), in the dtype that the whole of it has."""
        import pyarrow as pa

        kind = self.kind()
        if self.nulls and pa.types.is_integer(kind):
            long = "UInt64" if kind == pa.uint64() else "Int64"
            return cells.astype(long if self.long else np.float64)
        return cells.astype(object) if self.nulls and pa.types.is_boolean(kind) else cells


@dataclass(slots=True)
class Survey:
    """What a survey found of a text."""

    columns: list[SurveyedColumn]
    rows: int = 0
    disguised: set[str] = field(default_factory=set)  # kinds of cells that PyArrow takes for numbers
    thousands: list[bool] = field(default_factory=list)  # whether a column may have points between them
    commas: bool = False  # before a digit
    commas_as_sign: bool = False
    quotes: bool = False
    spans: bool = False  # whether a cell spans lines
    kept: list[Any] | None = None  # the parts as PyArrow's tables, until `tables` passes them on

    def kinds(self) -> list[Any]:
        """What each column is."""
        return [column.kind() for column in self.columns]

    def tell_the_whole(self) -> bool:
        """Whether the parts tell the types of all columns: 0x1 is a number among whole ones only."""
        mixed = "hexadecimal" in self.disguised and any(len(column.kinds) > 1 for column in self.columns)
        return bool(self.rows) and not mixed and all(kind is not None for kind in self.kinds())

    def tables(self) -> Iterator[Any] | None:
        """The parts that were kept, in the types of the whole, each let go once passed on; None if one is otherwise.

        A part without a cell has any type, and whole numbers among fractions are the fractions that they would be read
        as: none is too large for that (then the column is unsafe, and read as it is written).
        """
        import pyarrow as pa

        if self.kept is None:
            return None
        kinds = self.kinds()
        schema = pa.schema([(str(i), kind) for i, kind in enumerate(kinds)])
        fits = all(
            own == kind or pa.types.is_null(own) or (pa.types.is_integer(own) and kind == pa.float64())
            for table in self.kept
            for own, kind in zip(table.schema.types, kinds, strict=True)
        )
        if not fits:
            return None
        kept, self.kept = self.kept[::-1], None
        return (kept.pop().cast(schema) for _ in range(len(kept)))


@dataclass(frozen=True, slots=True)
class SurveyedText:
    """A delimited text in a file, and all that is needed to parse any part of it as the whole would be."""

    file: IO[bytes]
    body: Body  # without its bytes
    start: int  # where the rows begin and end, in bytes of the file
    end: int
    missing: Sequence[str]
    names: Sequence[str]
    found: Survey
    notes: tuple[str, ...] = ()  # on its dialect, and on what stands above the rows
    footed: bool = False  # whether something stands below them

    def parts(self) -> Iterator[Body]:
        """The text in parts of whole rows.

        Raises:
            ValueError: A row is longer than a part may be.
        """
        quote, line = self.body.dialect.quote.encode(), self.body.first_line
        place, left = self.start, b""
        while place < self.end:
            self.file.seek(place)
            data = left + self.file.read(min(OPTIONS.batch_bytes, self.end - place))
            place = self.file.tell()
            if place >= self.end:
                data = data if data.endswith((b"\n", b"\r")) else data + b"\n"
                cut = len(data)
            else:
                ends, inside = line_ends(data, quote if data.find(quote) >= 0 else None)
                outside = ends[~inside]
                if not len(outside) and len(data) > 8 * OPTIONS.batch_bytes:
                    raise ValueError("a row longer than a part")
                cut = int(outside[-1]) + 1 if len(outside) else 0
            part, left = data[:cut], data[cut:]
            if part:
                yield replace(self.body, data=part, first_line=line)
                line += part.count(b"\n")

    def frames(self, written: Sequence[str], tables: Iterator[Any] | None = None) -> Iterator[pd.DataFrame]:
        """The parts as frames, these columns as they are written; of `tables` if they tell enough."""
        import pyarrow as pa
        import pyarrow.csv

        kinds = self.found.kinds()
        convert = pa.csv.ConvertOptions(
            null_values=list(self.missing),
            strings_can_be_null=True,
            decimal_point=self.body.dialect.decimal,
            column_types={str(i): kind for i, kind in enumerate(kinds)},
        )
        places = [i for i in range(len(kinds)) if self._is_unsafe(i)]
        places = sorted({*places, *(self.names.index(name) for name in written)})
        parsed: Iterator[tuple[Body, Any]] = ((part, part.parse(convert, [])) for part in self.parts())
        if tables is not None and not places:
            parsed = zip(repeat(self.body), tables, strict=False)
        for part, table in parsed:
            frame = as_frame(table)
            if not len(frame):
                continue
            found: dict[int, Any] = dict(enumerate(columns_at(frame, slice(None))))
            found |= {i: self.found.columns[i].like_the_whole(cells) for i, cells in found.items()}
            if places:
                found |= dict(zip(places, part.written(places, self.missing), strict=True))
            yield renamed(pd.DataFrame(found, copy=False), self.names)

    def _is_unsafe(self, place: int) -> bool:
        """Whether what PyArrow makes of a column may not be what the text says."""
        import pyarrow as pa

        column, kind = self.found.columns[place], self.found.columns[place].kind()
        if pa.types.is_integer(kind):
            return "hexadecimal" in self.found.disguised
        if pa.types.is_floating(kind):
            return column.unsafe or ("powers" in self.found.disguised and not column.fractions)
        return column.unsafe and pa.types.is_timestamp(kind)


def surveyed(file: IO[bytes], request: ReadRequest, *, keep: bool = False) -> SurveyedText | None:
    """The text in a file, every part of it looked at; None where it has to be read in one piece.

    Args:
        file: Of the text.
        request: What is known of it.
        keep: Whether the parts stay in memory for `Survey.tables`.
    """
    text = _opened(file, request)
    if text is None:
        return None
    text.found.kept = [] if keep else None
    try:
        found = _survey(text)
    except (ValueError, OSError):  # PyArrow's errors are such
        return None
    if found is None or not found.tell_the_whole():
        return None
    if len(found.columns) == 1 and not found.columns[0].kinds:  # a line of its name, and blank ones
        return None
    text = replace(text, found=found)
    return None if _may_be_comma(text) else text


def _opened(file: IO[bytes], request: ReadRequest) -> SurveyedText | None:
    """A delimited text in UTF-8, as far as its first lines and its last ones tell."""
    first = file.read(max(2 * OPTIONS.batch_bytes, 4 * OPTIONS.sample_bytes))
    first = first[: first.rfind(b"\n") + 1]
    mark = 3 if first.startswith(b"\xef\xbb\xbf") else 0
    findings = InputFindings()
    data = first[mark:]
    if not data or not is_delimited(data) or utf8(data, findings) is not data or findings.notes or findings.problems:
        return None
    head = opened(data, findings, request)
    if head is None or findings.problems or head.dialect.delimiter == " ":
        return None
    names = head.head.names
    if len(set(names)) < len(names) or not data.endswith(head.data):  # doubled names; lines that were written anew
        return None
    start, end = mark + len(data) - len(head.data) + head.offset, file.seek(0, io.SEEK_END)
    tail = max(start, end - OPTIONS.sample_bytes)
    file.seek(tail)
    last = file.read()
    last, tail = (last, tail) if tail == start else (last[last.find(b"\n") + 1 :], tail + last.find(b"\n") + 1)
    within, below = footer(last, head.dialect.delimiter, head.dialect.quote, len(names))
    body = Body(b"", names, head.dialect, head.first_line)
    missing = sorted(request.missing - {"None"})
    note_dialect(head.dialect, head.head, request, findings)
    found, notes = Survey([SurveyedColumn() for _ in names]), tuple(findings.notes)
    return SurveyedText(file, body, start, tail + within, missing, names, found, notes, bool(below))


def _survey(text: SurveyedText) -> Survey | None:
    """What all parts of a text are; None where one of them has to be told from all."""
    import pyarrow as pa
    import pyarrow.csv

    dialect, found = text.body.dialect, text.found
    quote, escaped = dialect.quote.encode(), f"\\{dialect.quote}".encode()
    convert = pa.csv.ConvertOptions(
        null_values=list(text.missing), strings_can_be_null=True, decimal_point=dialect.decimal
    )
    possible = np.ones(len(text.names), dtype=bool)
    for number, part in enumerate(text.parts()):
        data = part.data
        if b"\x1b" in data or b"\0" in data or (dialect.escape is None and escaped in data):
            return None
        if b"\r" in data and not _ends_are_plain(data):
            return None
        if not data.isascii():
            data.decode("utf-8")  # whose error is a ValueError
        ragged: list[int] = []
        table = part.parse(convert, ragged)
        lines = lines_of(part, table.num_rows)
        if ragged or lines.problems:
            return None
        found.spans |= bool(lines.notes)
        found.rows += table.num_rows
        if found.kept is not None:
            found.kept.append(table)
        for column, cells in zip(found.columns, table.columns, strict=True):
            column.see(cells)
        before = b"\n" if number else b""
        wanted = {column.may_have_been(cells.type) for column, cells in zip(found.columns, table.columns, strict=True)}
        for what in wanted - {""} - found.disguised:  # looking through all of the text for what nobody asks is slow
            if has_cell(before, data, *DISGUISED[what]):
                found.disguised.add(what)
        found.quotes |= quote in data
        found.commas = found.commas or _NUMBERS_WITH_COMMAS.search(data) is not None
        if dialect.delimiter != ",":
            found.commas_as_sign = found.commas_as_sign or _COMMA_AS_SIGN.search(before + data) is not None
        floats = [i for i, cells in enumerate(table.columns) if possible[i] and pa.types.is_floating(cells.type)]
        if floats:
            possible[floats] &= may_be_thousands(as_frame(table.select(floats)).to_numpy(np.float64))
    found.thousands = possible.tolist()
    return found


def _ends_are_plain(data: bytes) -> bool:
    """Whether every carriage return stands before a line end."""
    return data.count(b"\r") == data.count(b"\r\n")


def _may_be_comma(text: SurveyedText) -> bool:
    """Whether the decimal sign may be the comma, though the first lines do not show it: then all is to be looked at."""
    import pyarrow as pa

    found, dialect = text.found, text.body.dialect
    if dialect.decimal == ",":
        return False
    kinds = found.kinds()
    thousands = _may_be_thousands(text)
    may_show = (dialect.delimiter != "," or found.quotes) and found.commas
    if not may_show and not thousands:
        return False
    first = next(text.frames(()))
    words = [i for i, kind in enumerate(kinds) if pa.types.is_string(kind)]
    shown = frozenset[str]()
    for column in columns_at(first.iloc[: OPTIONS.decimals_looked_at], words):
        shown |= decimal_shown(cell for cell in column.unique().tolist() if isinstance(cell, str))
    if not shown and found.commas_as_sign:
        return True
    return shown == {","} or (not shown and thousands)


def _may_be_thousands(text: SurveyedText) -> bool:
    """Whether the points in a column of numbers may stand between thousands, as far as one text after another tells."""
    import pyarrow as pa

    kinds, columns = text.found.kinds(), text.found.columns
    left = [
        i
        for i, kind in enumerate(kinds)
        if pa.types.is_floating(kind) and text.found.thousands[i] and columns[i].fractions
    ]
    for part in text.parts() if left else ():
        cells = [column.dropna().str.strip().unique().tolist() for column in part.written(left)]
        left = [i for i, own in zip(left, cells, strict=True) if may_have_points_between_thousands(own)]
        if not left:
            break
    return bool(left)
