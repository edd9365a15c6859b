"""The files of a run that hold data: JSON with its own checksum, and the checksums of everything else.

Law: what is read from a run is what was written, or a `RunError` names the file and what to do about it, whatever was
done to the file and whatever the libraries that read it make of that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from autometa import __version__
from autometa.errors import RunError
from autometa.files import digest, replace

CHECKSUM = "checksum"  # of a JSON record: of all its other values


class Checksums:
    """What the files of a run should be."""

    def __init__(self, folder: Path, files: Mapping[str, str], *, required: bool) -> None:
        """`files` by their path within `folder`; without `required`, one that is not known counts as whole."""
        self.folder, self.required = folder, required
        self._known = dict(files)

    def add(self, files: Mapping[str, str]) -> None:
        """Checksums of more files, or later ones."""
        self._known |= files

    def known(self, path: Path) -> bool:
        """Whether the run had such a file."""
        return path.relative_to(self.folder).as_posix() in self._known

    def of(self, path: Path) -> str:
        """What a file that the run had should be; empty where that is not known."""
        return self._known.get(path.relative_to(self.folder).as_posix(), "")

    def check(self, path: Path, content: bytes | None = None) -> None:
        """Refuses a file, or the `content` that was read of it, that is not as it was written.

        Raises:
            ValueError: It is not.
            OSError: It is missing, or cannot be read.
        """
        name = path.relative_to(self.folder).as_posix()
        known = self._known.get(name)
        if known is None and self.required:
            raise ValueError(f"{name} has no checksum")
        if known is not None and digest(path if content is None else content) != known:
            raise ValueError(f"the checksum of {name} is wrong")

    def check_all(self) -> None:
        """`check` of everything that was written at the start, beside `splits.npz`, which is checked by its reader."""
        for name in self._known:
            if name.startswith("task/"):
                self.check(self.folder / name)

    def wrong(self) -> Iterator[tuple[Path, str]]:
        """Every file that is not as it was written, and what is wrong with it."""
        for name in sorted(self._known):
            try:
                self.check(self.folder / name)
            except (OSError, ValueError) as error:
                missing = isinstance(error, FileNotFoundError)
                yield self.folder / name, "it is missing" if missing else str(error)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever goes wrong while `path` is read becomes a `RunError` that names it."""
    try:
        yield
    except RunError:
        raise
    except MemoryError as error:
        raise DamagedError(path, "it needs more memory than there is") from error
    except FileNotFoundError as error:
        raise DamagedError(Path(error.filename or path), "it is missing") from error
    except Exception as error:  # of a damaged file readers raise anything: EOFError, TokenError, UnpicklingError, ...
        raise DamagedError(path, str(error) or type(error).__name__) from error


class DamagedError(RunError):
    """A file of a run that is not as it was written; the message says what can be done."""

    def __init__(self, path: Path, why: str) -> None:
        """Takes the file, and what is wrong with it."""
        self.path, self.why = path, why.splitlines()[0]
        run = next((folder for folder in path.parents if (folder / "run.json").exists()), path.parent)
        super().__init__(
            f"{path} is damaged ({self.why}); it was left as it is. `autometa verify {run}` says what else is, and "
            "with --repair saves what can be saved"
        )

    def __reduce__(self) -> tuple[type[DamagedError], tuple[Path, str]]:
        """Pickled by its parts, so that it crosses a process boundary whole."""
        return type(self), (self.path, self.why)


def write_record(path: Path, values: dict[str, Any]) -> None:
    """Replaces a JSON file atomically, with its checksum in it."""
    replace(path, json_bytes(with_checksum(values)))


def with_checksum(values: dict[str, Any]) -> dict[str, Any]:
    """The values with one more, the checksum of the others as JSON."""
    plain = json.loads(json_bytes(values))
    return {**plain, CHECKSUM: _checksum(plain)}


def read_record(path: Path, *, newer: int | None = None) -> Any:
    """What a JSON file of a run holds, without its checksum; `newer`: refuse one of a later format.

    Raises:
        RunError: It is of a newer version.
        ValueError: It is damaged.
        OSError: It cannot be read.
    """
    values = json.loads(path.read_bytes())
    if not isinstance(values, dict):
        return values
    said = values.pop(CHECKSUM, None)
    right = said is None or said == _checksum(values)
    if newer is not None and values["format"] > newer:
        or_so = "" if right else ", or is damaged"
        theirs = values.get("autometa", f"of format {values['format']}")
        raise RunError(f"{path} was written by AutoMeta {theirs}, which is newer than this, {__version__}{or_so}")
    if not right:
        raise ValueError("its checksum is wrong")
    if newer is not None and (values["format"] < 1 or (values["format"] > 1 and said is None)):
        raise ValueError("it has no checksum")
    return values


def json_bytes(value: Any) -> bytes:
    """As UTF-8; NumPy's numbers become Python's."""
    return json.dumps(value, indent=1, default=_plain).encode()


def _checksum(values: Mapping[str, Any]) -> str:
    return digest(json.dumps(values, sort_keys=True, separators=(",", ":")).encode())


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
