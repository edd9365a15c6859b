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
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol
from weakref import finalize

import pandas as pd

from autometa.files import nameless
from autometa.task.names import columns_at, renamed
from autometa.task.options import OPTIONS
from autometa.task.read.apart import stream_apart, survey_apart
from autometa.task.read.archives import is_archive
from autometa.task.read.arrow import as_frame
from autometa.task.read.databases import is_database, is_sqlite
from autometa.task.read.decode import compression, unpacking
from autometa.task.read.download import is_on_the_web
from autometa.task.read.limits import RATIO_FROM, Limits
from autometa.task.read.raw import ReadRequest
from autometa.task.read.sources import sources
from autometa.task.read.survey import Survey, SurveyedColumn, surveyed


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
        table = surveyed(file, request)
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
    return plain_file(Path(parts[0].given), least, limits), source


def plain_file(path: Path, least: int, limits: Limits) -> IO[bytes] | None:
    """The bytes of a file, unpacked; None where it is smaller than `least`, or better read in one piece."""
    try:
        size = path.stat().st_size if path.is_file() else 0
        if not max(least, 1) <= size <= limits.size or is_sqlite(path):
            return None
        file = path.open("rb")
    except (OSError, ValueError):
        return None
    plain = _plain(file, size, limits)
    if plain is not file:
        file.close()
    return plain


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


# --- parquet ----------------------------------------------------------------------------------------------------------


class _Table(Protocol):
    """What `Batches` reads."""

    @property
    def file(self) -> IO[bytes]:
        """Its bytes, unpacked."""

    @property
    def names(self) -> Sequence[str]:
        """Of the columns, each once."""

    @property
    def found(self) -> Survey:
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
    found: Survey

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
        SurveyedColumn([kinds.get(kind, pa.string())], nulls, long)
        for kind, nulls, long in zip(said["kinds"], said["nulls"], said["long"], strict=True)
    ]
    shown = [i for i, one in enumerate(said["names"]) if not one.startswith("__index_level_")]
    found = Survey([columns[i] for i in shown], said["rows"])
    return _Parquet(file, name, limits, rows, [said["names"][i] for i in shown], found) if shown else None
