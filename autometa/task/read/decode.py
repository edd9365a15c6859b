"""Bytes: where they come from, what they are compressed with, and the encoding of text.

To read another compression, add its first bytes to `_COMPRESSIONS`, and what opens it to `unpacking`; encodings that
are neither UTF-8 nor UTF-16 are guessed in `encoding`.
"""

from __future__ import annotations

import difflib
import io
import lzma
import os
import re
import sys
from pathlib import Path
from typing import Any

from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS
from autometa.task.read.encoding import decoded, guessed
from autometa.task.read.limits import USUAL, Limits, read_all, unpacked

_COMPRESSIONS = {  # PyArrow's name, or that of the standard library -> the first bytes
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
}
_SHIFTED = re.compile(rb"\x1b(\$[@B]|\$\)C|\([IJ])")  # how ISO 2022 begins what is not ASCII: mail of Japan and Korea
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
        data = data.encode() if isinstance(data, str) else data
        findings = InputFindings(str(getattr(source, "name", "table")))
        return (data if limits.allow_size(len(data), findings) else None), findings
    if str(source) == "-":
        findings = InputFindings("standard input")
        return read_all(sys.stdin.buffer, findings, limits), findings
    if not isinstance(source, (str, os.PathLike)):
        findings = InputFindings("table")
        findings.refuse(f"a {type(source).__name__} is no table", "A path, bytes, a readable file or a DataFrame is.")
        return None, findings
    path = Path(source)
    findings = InputFindings(path.name)
    try:
        if path.is_dir():
            findings.refuse("a folder, not a file", "Name one file in it.")
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
    """The content of compressed data, anything else as it is; None, with a problem, if damaged or too much.

    Example:
        >>> import bz2, lzma
        >>> decompress(lzma.compress(bz2.compress(b"a,b")), InputFindings())
        b'a,b'
    """
    for _ in range(OPTIONS.packed_layers):
        name = compression(data)
        if name is None:
            return data
        try:
            content = content_of(unpacking(name, io.BytesIO(data)), len(data), findings, limits)
        except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
            findings.refuse(f"damaged {name} data: {error}", "Fetch or write the file again.")
            return None
        if content is None:
            return None
        data = content
    findings.refuse(f"compressed more than {OPTIONS.packed_layers} times over", "Unpack it first.")
    return None


def compression(data: bytes) -> str | None:
    """How data is compressed, by its first bytes; None where it is not."""
    return next((name for name, first in _COMPRESSIONS.items() if first.match(data)), None)


def unpacking(name: str, file: Any) -> Any:
    """A readable file of what a compressed one holds."""
    if name == "xz":
        return lzma.open(file)
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), name)


def content_of(stream: Any, packed: int, findings: InputFindings, limits: Limits) -> bytes | None:
    """All that a stream gives of so many packed bytes; None, with a problem, where that is too much."""
    return unpacked(lambda: stream.read(1 << 20), packed, findings, limits)


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
        return None if text is None else text.lstrip("\ufeff").encode("utf-8", "replace")
    wide, sample = None, data[: OPTIONS.sample_bytes]
    while data.startswith(b"\xef\xbb\xbf"):  # two where a file was put behind another's mark
        data = data[3:]
        sample = data[: OPTIONS.sample_bytes]
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        wide = "utf-32"
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        wide = "utf-16"
    elif (mark := _SHIFTED.search(data)) is not None:
        wide = "iso2022_kr" if mark.group().endswith(b")C") else "iso2022_jp_2"
    elif b"\x00" in sample:
        wide = _wide_encoding(sample)
    if wide is None and len(_CONTROL.findall(sample)) > OPTIONS.control_share * len(sample):
        fix = "Known formats: CSV, TSV, JSON lines, ARFF, parquet, feather, Excel, SQLite."
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
    return text.lstrip("\ufeff").encode("utf-8")


def _wide_encoding(sample: bytes) -> str | None:
    """The kind of UTF-16 in which every other byte is mostly zero, if this is one."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    most, other = max(even, odd), min(even, odd)
    if most < OPTIONS.wide_zero_share * len(sample) or other > OPTIONS.wide_other_share * most:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"
