"""Which format the bytes of a table are in: the content decides, not the file's name.

Binary formats show themselves in their first bytes, what is left is text. To add a format, write a function from its
bytes to a frame, and add its first bytes to `_BINARY` or its look to `_reader_of_text`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS
from autometa.task.read.arff import is_arff, read_arff
from autometa.task.read.arrow import read_feather, read_parquet
from autometa.task.read.decode import utf8
from autometa.task.read.delimited import read_delimited
from autometa.task.read.json import read_json
from autometa.task.read.raw import Parsed, ReadRequest, refuse_idle
from autometa.task.read.workbooks import is_workbook, read_workbook

Reader = Callable[
    [bytes, InputFindings, ReadRequest], Parsed | None
]  # None, with a problem, where nothing could be read


def parse(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in bytes that are neither compressed nor an archive; None, with a problem, where there is none."""
    if is_workbook(data):
        return read_workbook(data, findings, request)
    if refuse_idle(request, findings, "no workbook", "sheet"):
        return None
    for first, reader in _BINARY.items():
        if data.startswith(first):
            return reader(data, findings, request)
    if not re.search(rb"[^\x00\xef\xbb\xbf\xff\xfe \t\r\n]", data):
        findings.refuse("empty", "A header line and rows are needed.")
        return None
    text = utf8(data, findings, request.encoding)
    return None if text is None else _reader_of_text(text)(text, findings, request)


def is_delimited(data: bytes) -> bool:
    """Whether the first bytes of a file are those of a delimited text: of no binary format, and no other text."""
    if is_workbook(data) or any(data.startswith(first) for first in _BINARY):
        return False
    return _reader_of_text(data) is read_delimited


def _reader_of_text(text: bytes) -> Reader:
    """Which format a text is in, by its beginning."""
    start = text[: OPTIONS.sample_bytes].lstrip()
    if start.startswith((b"{", b"[{")) or re.match(rb"\[\s*\{", start):
        return read_json
    if re.match(rb"<(!doctype html|html|\?xml|table)\b", start, re.IGNORECASE):
        return _refuse_as("a page of HTML or XML, not a table", "Save or export the table itself, as CSV or Excel.")
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
    b"%PDF": _refuse_as("a PDF document", "A table in CSV or parquet is needed."),
    b"\x89HDF": _refuse_as("an HDF5 file", "Write the table as parquet or CSV."),
    b"Obj\x01": _refuse_as("an Avro file", "Write the table as parquet or CSV."),
    b"7z\xbc\xaf\x27\x1c": _refuse_as("a 7z archive", "Unpack it, or use zip."),
    b"Rar!\x1a\x07": _refuse_as("a RAR archive", "Unpack it, or use zip."),
}
