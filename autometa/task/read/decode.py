"""Bytes: where they come from, what they are compressed with, and the encoding of text.

To read another compression, add its first bytes to `_COMPRESSIONS`; encodings that are neither UTF-8 nor UTF-16 are
guessed in `encoding`.
"""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import Any

from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS
from autometa.task.read.encoding import decoded, guessed
from autometa.task.read.limits import USUAL, Limits, read_all, unpacked

_COMPRESSIONS = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}  # PyArrow's name -> the first bytes
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # what text does not hold


def read_bytes(source: Any, limits: Limits = USUAL) -> tuple[bytes | None, InputFindings]:
    """The bytes of a path, of ``"-"`` (standard input), of bytes or a readable file; None, with a problem, if none.

    So is what is more than the limits.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        findings = InputFindings("table")
        return (bytes(source) if limits.allow_size(len(source), findings) else None), findings
    if hasattr(source, "read"):
        data = source.read()
        return data.encode() if isinstance(data, str) else data, InputFindings(str(getattr(source, "name", "table")))
    if str(source) == "-":
        findings = InputFindings("standard input")
        return read_all(sys.stdin.buffer, findings, limits), findings
    path = Path(source)
    findings = InputFindings(path.name)
    try:
        if path.is_dir():
            findings.refuse("a directory, not a file", "Name one file in it.")
        elif path.is_file():
            return (path.read_bytes() if limits.allow_size(path.stat().st_size, findings) else None), findings
        elif path.exists():  # a pipe, a device
            with path.open("rb") as file:
                return read_all(file, findings, limits), findings
        else:
            findings = InputFindings(str(path))
            findings.refuse("no such file", _similar_file(path))
    except (OSError, ValueError) as error:  # the latter for a name that no file can have
        findings.refuse(f"cannot be read: {getattr(error, 'strerror', None) or error}")
    return None, findings


def _similar_file(path: Path) -> str:
    """The file in the same folder that may have been meant."""
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    return f"Did you mean {str(path.with_name(close[0]))!r}?" if close else ""


def decompress(data: bytes, findings: InputFindings, limits: Limits = USUAL) -> bytes | None:
    """The content of gzip or zstandard data, anything else as it is; None, with a problem, if damaged or too much."""
    import pyarrow as pa

    for name, first in _COMPRESSIONS.items():
        if data.startswith(first):
            try:
                stream = pa.CompressedInputStream(pa.BufferReader(data), name)
                return unpacked(lambda: stream.read(1 << 20), len(data), findings, limits)  # noqa: B023 - used here
            except (OSError, pa.ArrowException) as error:
                findings.refuse(f"damaged {name} data: {error}", "Fetch or write the file again.")
                return None
    return data


def utf8(data: bytes, findings: InputFindings, encoding: str | None = None) -> bytes | None:
    r"""The same text in UTF-8 and without a byte order mark; None, with a problem, where it is no text.

    UTF-16 shows by its mark or by zeros in every other byte; what is not valid UTF-8 either is guessed (`encoding`),
    unless it is said.

    Example:
        >>> findings = InputFindings()
        >>> utf8("Zürich".encode("utf-16"), findings).decode(), findings.notes
        ('Zürich', ['Encoding: utf-16.'])
    """
    if encoding is not None:
        text = decoded(data, encoding, findings)
        return None if text is None else text.removeprefix("\ufeff").encode("utf-8", "replace")
    wide, sample = None, data[: OPTIONS.sample_bytes]
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
        sample = data[: OPTIONS.sample_bytes]
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        wide = "utf-16"
    elif b"\x00" in sample:
        wide = _wide_encoding(sample)
    if wide is None and len(_CONTROL.findall(sample)) > OPTIONS.control_share * len(sample):
        fix = "Known formats: CSV, TSV, JSON lines, ARFF, parquet, feather."
        findings.refuse("binary data, not a table in a known format", fix)
        return None
    if wide is None:
        if data.isascii():
            return data
        try:
            data.decode("utf-8")
            return data
        except UnicodeDecodeError:
            return guessed(data, findings).encode("utf-8")
    try:
        text = data.decode(wide)
    except UnicodeDecodeError as error:
        findings.refuse(f"damaged {wide} text: {error.reason} at byte {error.start}")
        return None
    findings.note(f"Encoding: {wide}.")
    return text.encode("utf-8")


def _wide_encoding(sample: bytes) -> str | None:
    """The kind of UTF-16 in which every other byte is mostly zero, if this is one."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    most, other = max(even, odd), min(even, odd)
    if most < OPTIONS.wide_zero_share * len(sample) or other > OPTIONS.wide_other_share * most:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"
