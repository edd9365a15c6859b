"""Archives (zip, tar): which of their members are the table.

One member, or the only one with the ending of a table, is read without a word from the user; of several, one is chosen
by its name, or some by a pattern. Nothing is unpacked onto the disk.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from autometa.errors import did_you_mean
from autometa.task.findings import InputFindings
from autometa.task.names import listed
from autometa.task.read.decode import content_of
from autometa.task.read.limits import USUAL, Limits

ZIP = b"PK\x03\x04"
_FIRST = (ZIP, b"PK\x05\x06")  # the first bytes of a zip, the second of an empty one
_PACKED = (".gz", ".zst", ".bz2", ".xz", ".lz4")
TABLES = (  # endings of tables
    *(".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".arff"),
    *(".json", ".jsonl", ".ndjson", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".db", ".sqlite", ".sqlite3"),
)
ENDINGS = (*TABLES, *_PACKED, ".zip", ".tar", ".tgz")  # of what is read


def ends_as_table(name: str) -> bool:
    """Whether a file's name ends as that of a table, compressed or not.

    Example:
        >>> [ends_as_table(name) for name in ("a.csv", "a.CSV.gz", "README.md", "part-0")]
        [True, True, False, False]
    """
    path = PurePosixPath(name.lower())
    while path.suffix in _PACKED:
        path = path.with_suffix("")
    return path.suffix in TABLES


def is_archive(data: bytes) -> bool:
    """Whether these are the bytes of a zip or tar archive."""
    return data.startswith(_FIRST) or data[257:262] == b"ustar"


def zip_names(data: bytes) -> list[str]:
    """The names of the members of a zip archive; none where it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return []


def members(
    data: bytes, findings: InputFindings, asked: str | None, limits: Limits = USUAL
) -> list[tuple[str, bytes]] | None:
    """The members of an archive that are the table, by name; None, with a problem, where that cannot be told or read.

    Args:
        data: The archive.
        findings: Told what is left out.
        asked: The name of a member, or a pattern of names.
        limits: How much is unpacked.
    """
    try:
        with _opened(data) as (names, open_member):
            files = _files(names)
            if not files:
                findings.refuse("an archive without files")
                return None
            chosen = _chosen(files, asked, findings)
            if chosen is None:
                return None
            found = []
            for name in chosen:
                content = content_of(open_member(name), len(data), findings, limits)
                if content is None:
                    return None
                found.append((name, content))
            return found
    except RuntimeError as error:  # what zipfile raises where a password is needed, and for methods it does not know
        if "password" in str(error):
            findings.refuse("an archive protected by a password", "Unpack it first.")
        else:
            findings.refuse(f"an archive that cannot be unpacked here: {error}", "Unpack it first.")
    except (zipfile.BadZipFile, zlib.error, tarfile.TarError, EOFError, OSError, ValueError) as error:
        findings.refuse(f"a damaged archive or workbook: {error}", "Fetch or write the file again.")
    return None


@contextmanager
def _opened(data: bytes) -> Iterator[tuple[list[str], Callable[[str], Any]]]:
    """The names of an archive's files, and what opens one."""
    if data.startswith(_FIRST):
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            yield [one.filename for one in zipped.infolist() if not one.is_dir()], zipped.open
    else:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tarred:
            yield [one.name for one in tarred.getmembers() if one.isfile()], tarred.extractfile


def _files(names: Sequence[str]) -> list[str]:
    """Without what systems and programs put beside the files of people."""
    return sorted(
        {
            name
            for name in names
            if not any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
        }
    )


def _chosen(files: Sequence[str], asked: str | None, findings: InputFindings) -> list[str] | None:
    """The names that are asked for, or that can be the table alone."""
    if asked is not None:
        short = [name for name in files if PurePosixPath(name).name == asked]
        found = [asked] if asked in files else short or [name for name in files if fnmatchcase(name, asked)]
        if not found:
            findings.refuse(f"no member {asked!r}", f"{did_you_mean(asked, files)} Members: {listed(files)}.".strip())
            return None
        return found
    tables = list(files) if len(files) == 1 else [name for name in files if ends_as_table(name)]
    if len(tables) != 1:
        fix = "--member NAME (member=...) chooses one; a pattern such as '*.csv' takes several of the same columns."
        findings.refuse(f"an archive of {len(files)} files: {listed(files)}", fix)
        return None
    others = [name for name in files if name != tables[0]]
    left = f"; left out: {listed(others)}" if others else ""
    findings.note(f"Read from the archive: {tables[0]!r}{left}.")
    return tables
