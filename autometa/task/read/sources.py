"""What a person names as a table, taken apart: files, patterns, folders, and parts of a partitioned one.

A folder is all the tables in it, and in the folders ``key=value`` below it, which are columns (Hive's partitions); no
other folder is searched. Files that do not end as a table does are left out, and named.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from autometa.passwords import masked
from autometa.task.findings import InputFindings
from autometa.task.names import listed
from autometa.task.read.archives import ends_as_table
from autometa.task.read.download import is_on_the_web, shown_address

_EMPTY = "__HIVE_DEFAULT_PARTITION__"  # how Hive writes a missing value


@dataclass(frozen=True, slots=True)
class Source:
    """One file or other thing that is read, and what its folders say."""

    given: Any  # as `decode.read_bytes` takes it
    name: str | None = None  # what messages call it; None for its own
    keys: tuple[tuple[str, str | None], ...] = ()  # columns and their one value


def sources(given: Any) -> tuple[list[Source], InputFindings]:
    """The parts of what is given, in order; none, with a problem, where there are none."""
    if not isinstance(given, (list, tuple)):
        findings = InputFindings(_name(given))
        return _expanded(given, findings), findings
    findings = InputFindings("files" if not given else f"{_name(given[0])} and {len(given) - 1} more")
    if not given:
        findings.refuse("none is named", "Name at least one.")
    found = [one for each in given for one in _expanded(each, findings)]
    for one in found:
        if str(one.given).lower().startswith("openml:"):
            findings.at(str(one.given)).refuse("cannot be joined with other tables", "Name it alone.")
    _refuse_twice(found, findings)
    return found, findings


def shown(given: Any) -> str:
    """What is given as it may be shown: without passwords.

    Example:
        >>> shown(["a.csv", "postgresql://me:secret@host/shop"])
        'a.csv, postgresql://me:***@host/shop'
    """
    if isinstance(given, (list, tuple)):
        return ", ".join(map(shown, given))
    return shown_address(given) if is_on_the_web(given) else masked(str(given))


def _name(given: Any) -> str:
    """The name of what is given, without its folders."""
    return Path(shown(given)).name if isinstance(given, (str, Path)) else "table"


def _expanded(given: Any, findings: InputFindings) -> list[Source]:
    """One thing that is named, as its parts."""
    if not isinstance(given, (str, Path)) or str(given) == "-" or "://" in str(given):
        return [Source(given)]
    path = Path(given)
    if path.is_dir():
        return _of_folder(path, findings)
    if not os.path.lexists(path) and glob.has_magic(str(given)):
        files = sorted(one for one in glob.glob(str(given)) if Path(one).is_file())  # noqa: PTH207, of any folder
        if not files:
            findings.at(str(given)).refuse("no file has such a name")
        return [Source(file, file) for file in files]
    return [Source(given)]


def _of_folder(folder: Path, findings: InputFindings) -> list[Source]:
    """The tables in a folder, and in the folders of its partitions."""
    found: list[Source] = []
    others: list[str] = []
    try:
        _search(folder, folder, (), found, others)
    except OSError as error:
        findings.at(str(folder)).refuse(f"cannot be read: {error.strerror or error}")
        return []
    of_folder = findings.at(str(folder))
    if not found:
        what = f"a folder without tables; in it: {listed(others)}" if others else "an empty folder"
        of_folder.refuse(what, "Name a table.")
    elif others:
        findings.note(f"Left out of the folder {folder.name!r}: {listed(others)}.")
    keys = {tuple(name for name, _ in one.keys) for one in found}
    if len(keys) > 1:
        ways = " and ".join(sorted("/".join(f"{name}=..." for name in one) or "none" for one in keys))
        of_folder.refuse(f"its files stand in folders of different keys: {ways}", "Name those that belong together.")
    return found


def _search(
    root: Path, folder: Path, keys: tuple[tuple[str, str | None], ...], found: list[Source], others: list[str]
) -> None:
    for path in sorted(folder.iterdir()):
        name, sign, value = path.name.partition("=")
        if path.name.startswith((".", "_")):  # what Spark and others keep beside their tables
            continue
        if path.is_dir() and sign and name:
            one = (unquote(name), None if value == _EMPTY else unquote(value))
            _search(root, path, (*keys, one), found, others)
        elif path.is_file() and ends_as_table(path.name):
            found.append(Source(path, str(path.relative_to(root)), keys))
        else:
            others.append(str(path.relative_to(root)))


def _refuse_twice(found: Sequence[Source], findings: InputFindings) -> None:
    """Refuses a file that is named twice: its rows would count twice."""
    seen: set[str] = set()
    for one in found:
        if not isinstance(one.given, (str, Path)):
            continue
        text = str(one.given)
        place = text if text == "-" or "://" in text else os.path.realpath(text)
        if place in seen:
            findings.at(one.name or text).refuse("named twice", "Name each file once.")
        seen.add(place)
