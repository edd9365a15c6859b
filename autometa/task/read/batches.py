r"""A table read part by part, to the same cells as in one piece: for whoever answers more rows than memory holds.

What a column is read as depends on all of its cells: one word among a million numbers makes them text. So a file is
read twice. The first time it is surveyed, and what was found of each part is joined; the second time every part is
parsed as the whole would have been. A text that comes in pieces, or is compressed, is put into a nameless file first.

Law: the parts below one another are the table that `raw_table` reads. Whatever this room cannot promise that of (a
word of doubt about the decimal sign, a ragged row, another format than delimited text and parquet) has no batches: it
is read in one piece, which also says what is wrong with it.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol
from weakref import finalize

import numpy as np
import pandas as pd

from autometa.files import nameless
from autometa.task.cells import decimal_shown, may_have_points_between_thousands
from autometa.task.findings import InputFindings
from autometa.task.names import columns_at, renamed
from autometa.task.options import OPTIONS
from autometa.task.read.apart import stream_apart, survey_apart
from autometa.task.read.archives import is_archive
from autometa.task.read.arrow import as_frame, is_unsafe, may_have_been
from autometa.task.read.databases import is_database, is_sqlite
from autometa.task.read.decode import compression, unpacking, utf8
from autometa.task.read.delimited import may_be_thousands, opened
from autometa.task.read.download import is_on_the_web
from autometa.task.read.formats import is_delimited
from autometa.task.read.header import footer
from autometa.task.read.limits import RATIO_FROM, Limits
from autometa.task.read.raw import ReadRequest
from autometa.task.read.records import DISGUISED, Body, has_cell, line_ends, lines_are_rows
from autometa.task.read.sources import sources

_NUMBERS_WITH_COMMAS = re.compile(rb",[0-9]")
_COMMA_AS_SIGN = re.compile(rb'(^|[";\t|\n])[0-9]+,[0-9]{1,2}["; \t|\r\n]')


class Batches:
    r"""The parts of a table, in order, as often as they are asked for; made by `batches`.

    Example:
        >>> text = "town,price\n" + "Ulm,1\n" * 5 + "Bern,2.5\n"
        >>> table = batches(io.BytesIO(text.encode()), rows=4, least=0)
        >>> table.rows, table.names, [part["price"].tolist() for part in table]
        (6, ['town', 'price'], [[1.0, 1.0, 1.0, 1.0], [1.0, 2.5]])
    """

    def __init__(self, table: _Table, rows: int, written: Sequence[str], whole: Any) -> None:
        """Use `batches`."""
        self._whole = whole
        self._end = finalize(self, _close_both, table.file, whole)
        self._table, self._at_once = table, rows
        self._written = tuple(name for name in written if name in table.names)
        self.names = list(table.names)
        self.rows = table.found.rows

    def in_one_piece(self) -> Any:
        """What `read_table` reads all of it from, instead; there are no parts any more."""
        self._end.detach()
        if not isinstance(self._whole, _Named) or self._whole.file is not self._table.file:
            _close(self._table.file, self._whole)
        return self._whole

    @property
    def dated(self) -> frozenset[str]:
        """The columns of moments, of which one cell tells how all are printed."""
        import pyarrow as pa

        kinds = self._table.found.kinds()
        return frozenset(name for name, kind in zip(self.names, kinds, strict=True) if pa.types.is_temporal(kind))

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Frames of so many rows each, the last of what is left."""
        left: list[pd.DataFrame] = []
        for frame in self._table.frames(self._written):
            left.append(frame)
            while sum(map(len, left)) >= self._at_once:
                whole = pd.concat(left, ignore_index=True) if len(left) > 1 else left[0]
                yield whole.iloc[: self._at_once].reset_index(drop=True)
                left = [whole.iloc[self._at_once :]]
        if sum(map(len, left)):
            yield pd.concat(left, ignore_index=True)


def batches(
    source: Any,
    *,
    rows: int,
    least: int | None = None,
    text: Sequence[str] = (),
    limits: Mapping[str, int] | None = None,
    na: Sequence[str] | None = None,
    **known: Any,
) -> Batches | Any:
    """The parts of a delimited text or a parquet file; of all else, and of what is small, what `read_table` is to read.

    Args:
        source: As `read_table`. What can be read only once is not lost: then what is returned has it all.
        rows: Of each part.
        least: Bytes below which nothing is gained; None for the usual ones.
        text: As `read_table`.
        limits: As `read_table`.
        na: As `read_table`.
        **known: The other keywords of `read_table` that name a file's encoding, header and decimal sign.

    Raises:
        InputError: There is no such limit.
    """
    allowed = Limits.of(limits)
    request = ReadRequest(na=None if na is None else tuple(na), limits=allowed, **known)
    if any(getattr(request, name) is not None for name in ("encoding", "sheet", "member", "query")) or request.download:
        return source
    file, whole = _file_of(source, OPTIONS.batched_from_bytes if least is None else least, allowed)
    if file is None:
        return whole
    first = file.read(4)
    file.seek(0)
    if first == b"PAR1":
        name = getattr(whole, "name", None) or Path(str(whole)).name
        table: _Table | None = _parquet(file, name, allowed, rows)
    else:
        table = _surveyed(file, request)
    if table is not None:
        return Batches(table, rows, text, whole)
    if not isinstance(whole, _Named) or whole.file is not file:
        _close(file, source)
    return whole


def _close(file: IO[bytes], whole: Any) -> None:
    """Closes the files that this room has opened."""
    if file is not whole:
        file.close()


def _close_both(file: IO[bytes], whole: Any) -> None:
    """Closes a table's file, and what else it would have been read from."""
    _close(file, whole)
    if isinstance(whole, _Named):
        whole.file.close()


# --- where the bytes come from ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Named:
    """A file of what was taken from elsewhere, under its name."""

    file: IO[bytes]
    name: str

    def read(self) -> bytes:
        """All of it, once."""
        with self.file:
            self.file.seek(0)
            return self.file.read()


def _file_of(source: Any, least: int, limits: Limits) -> tuple[IO[bytes] | None, Any]:
    """Plain bytes that can be read twice, or None where one piece is better; and what to read in one piece then."""
    if isinstance(source, io.BytesIO):
        return source, source
    if not isinstance(source, (str, Path)) or is_on_the_web(source) or is_database(source):
        return None, source
    if str(source) == "-":
        spooled = nameless()
        shutil.copyfileobj(sys.stdin.buffer, _Bounded(spooled, limits.size))
        size = spooled.tell()
        spooled.seek(0)
        again = _Named(spooled, "standard input")
        if size > limits.size or size < least:
            return None, again
        return _plain(spooled, size, limits), again
    parts, findings = sources(source)
    if findings.problems or len(parts) != 1 or parts[0].keys or parts[0].name is not None:
        return None, source
    path = Path(parts[0].given)
    try:
        size = path.stat().st_size if path.is_file() else 0
        if not max(least, 1) <= size <= limits.size or is_sqlite(path):
            return None, source
        file = path.open("rb")
    except (OSError, ValueError):
        return None, source
    plain = _plain(file, size, limits)
    if plain is not file:
        file.close()
    return plain, source


class _Bounded:
    """Takes no more bytes than are read, and one."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.file, self.most = file, most

    def write(self, data: bytes) -> int:
        if self.file.tell() <= self.most:
            self.file.write(data)
        return len(data)


def _plain(file: IO[bytes], packed: int, limits: Limits) -> IO[bytes] | None:
    """The same bytes once they are unpacked; None where they are packed in a way, or so much, that one piece tells."""
    first = file.read(OPTIONS.sample_bytes)
    file.seek(0)
    if is_archive(first):
        return None
    how = compression(first)
    if how is None:
        return file
    out = nameless()
    with os.fdopen(os.dup(file.fileno()), "rb") as again:
        if not _unpacked(how, again, out, min(limits.size, max(limits.ratio * packed, RATIO_FROM))):
            out.close()
            return None
    out.seek(0)
    plain = _plain(out, packed, limits)
    if plain is not out:
        out.close()
    return plain


def _unpacked(how: str, file: IO[bytes], out: IO[bytes], most: int) -> bool:
    """Whether a compressed file could be unpacked to another, to so many bytes at most."""
    try:
        stream = unpacking(how, file)
        while part := stream.read(1 << 20):
            out.write(part)
            if out.tell() > most:
                return False
    except Exception:  # noqa: BLE001 - damaged: reading it in one piece says so
        return False
    return True


# --- the survey -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Column:
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
class _Found:
    """What a survey found of a text."""

    columns: list[_Column]
    rows: int = 0
    disguised: set[str] = field(default_factory=set)  # kinds of cells that PyArrow takes for numbers
    thousands: list[bool] = field(default_factory=list)  # whether a column may have points between them
    commas: bool = False  # before a digit
    commas_as_sign: bool = False
    quotes: bool = False

    def kinds(self) -> list[Any]:
        """What each column is."""
        return [column.kind() for column in self.columns]


class _Table(Protocol):
    """What `Batches` reads."""

    @property
    def file(self) -> IO[bytes]:
        """Its bytes, unpacked."""

    @property
    def names(self) -> Sequence[str]:
        """Of the columns, each once."""

    @property
    def found(self) -> _Found:
        """What a survey found of it."""

    def frames(self, written: Sequence[str]) -> Iterator[pd.DataFrame]:
        """The parts as frames, these columns as they are written."""


@dataclass(frozen=True, slots=True)
class _Parquet:
    """A parquet file, and what was found of it."""

    file: IO[bytes]
    name: str
    limits: Limits
    rows: int
    names: Sequence[str]
    found: _Found

    def frames(self, written: Sequence[str]) -> Iterator[pd.DataFrame]:
        """The parts as frames; none of it was written otherwise than it is read."""
        for table in stream_apart(self.file, self.name, self.limits, self.rows, self.names):
            frame = as_frame(table)
            cells = zip(self.found.columns, columns_at(frame, slice(None)), strict=True)
            yield renamed(
                pd.DataFrame({i: column.like_the_whole(one) for i, (column, one) in enumerate(cells)}), self.names
            )


def _parquet(file: IO[bytes], name: str, limits: Limits, rows: int) -> _Parquet | None:
    """A parquet file, its truth values and whole numbers looked at; None where it has to be read in one piece."""
    import pyarrow as pa

    said = survey_apart(file, limits, rows)
    if said is None or not said["rows"] or len(set(said["names"])) < len(said["names"]):
        return None
    kinds = {"boolean": pa.bool_(), "integer": pa.int64(), "unsigned": pa.uint64(), "temporal": pa.timestamp("us")}
    columns = [
        _Column([kinds.get(kind, pa.string())], nulls, long)
        for kind, nulls, long in zip(said["kinds"], said["nulls"], said["long"], strict=True)
    ]
    shown = [i for i, one in enumerate(said["names"]) if not one.startswith("__index_level_")]
    found = _Found([columns[i] for i in shown], said["rows"])
    return _Parquet(file, name, limits, rows, [said["names"][i] for i in shown], found) if shown else None


@dataclass(frozen=True, slots=True)
class _Text:
    """A delimited text in a file, and all that is needed to parse any part of it as the whole would be."""

    file: IO[bytes]
    body: Body  # without its bytes
    start: int  # where the rows begin and end, in bytes of the file
    end: int
    missing: Sequence[str]
    names: Sequence[str]
    found: _Found

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

    def frames(self, written: Sequence[str]) -> Iterator[pd.DataFrame]:
        """The parts as frames, these columns as they are written."""
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
        for part in self.parts():
            frame = as_frame(part.parse(convert, []))
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


def _surveyed(file: IO[bytes], request: ReadRequest) -> _Text | None:
    """The text in a file, every part of it looked at; None where it has to be read in one piece."""
    text = _opened(file, request)
    if text is None:
        return None
    try:
        found = _survey(text)
    except (ValueError, OSError):  # PyArrow's errors are such
        return None
    if found is None or not found.rows or any(kind is None for kind in found.kinds()):
        return None
    if len(found.columns) == 1 and not found.columns[0].kinds:  # a line of its name, and blank ones
        return None
    text = replace(text, found=found)
    return None if _may_be_comma(text) else text


def _opened(file: IO[bytes], request: ReadRequest) -> _Text | None:
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
    within, _ = footer(last, head.dialect.delimiter, head.dialect.quote, len(names))
    body = Body(b"", names, head.dialect, head.first_line)
    missing = sorted(request.missing - {"None"})
    return _Text(file, body, start, tail + within, missing, names, _Found([_Column() for _ in names]))


def _survey(text: _Text) -> _Found | None:
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
        if ragged or not lines_are_rows(part, table.num_rows):
            return None
        found.rows += table.num_rows
        for column, cells in zip(found.columns, table.columns, strict=True):
            column.see(cells)
        before = b"\n" if number else b""
        found.disguised |= {what for what, how in DISGUISED.items() if has_cell(before, data, *how)}
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


def _may_be_comma(text: _Text) -> bool:
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


def _may_be_thousands(text: _Text) -> bool:
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
