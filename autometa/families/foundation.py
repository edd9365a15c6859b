"""Foundation models of other people's making: where their weights lie, whose licence they have, why one lacks.

A family of such a model says which it is (`Family.foundation`). Its weights are read from the folder that the
environment variable `FOLDER` names, else from the cache of the Hugging Face hub, by the names under which they were
published; a file of one's own under such a name is taken as well.

Laws: nothing is downloaded but by `download`, which only ``autometa doctor --download`` calls; looking for weights
imports neither the model's package nor the hub's client, and opens no socket.

To add one: a `FoundationModel`, a file beside `families.tabicl` with its space, and a line in
`learners.in_context.NETWORKS`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from autometa.errors import InputError, Problem

if TYPE_CHECKING:
    from autometa.task import Kind

FOLDER = "AUTOMETA_WEIGHTS"  # environment variable: a folder of weights, looked into before the hub's cache
EXTRA = "pip install 'autometa-ml[foundation]'"


@dataclass(frozen=True, slots=True)
class FoundationModel:
    """A trained network that answers from rows with their targets, as its makers publish it.

    See Also:
        `autometa.families.Family.foundation`; docs/foundation.md.

    Example:
        >>> one = FoundationModel("demo", "Demo", "demo", (1, 0), (2, 0), "me/demo", {"binary": "demo.ckpt"}, "MIT")
        >>> one.file("regression") is None, one.why_not("binary").where
        (True, "family 'demo'")
    """

    name: str  # of the family
    label: str
    package: str  # import name, and distribution
    least: tuple[int, int]  # version of the package
    below: tuple[int, int]  # version that is too new: another interface, or other weights
    repository: str  # on the hub
    files: Mapping[str, str]  # kind of a task -> file of the weights
    licence: str  # of the weights, as their card says

    @property
    def command(self) -> str:
        """What fetches the weights."""
        return f"autometa doctor --download {self.name}"

    @property
    def version(self) -> str | None:
        """Of the installed package; None where there is none."""
        if importlib.util.find_spec(self.package) is None:
            return None
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return "unknown"

    def file(self, kind: Kind) -> str | None:
        """The name of the weights for a kind of task."""
        return self.files.get(kind)

    def found(self, kind: Kind) -> Path | None:
        """Where the weights lie on this machine; None where they do not."""
        name = self.file(kind)
        if name is None:
            return None
        places = [_own() / name] if _own() is not None else []  # type: ignore[operator]
        places += [_cached(self.repository, name)]
        return next((path for path in places if path.is_file()), None)

    def why_not(self, kind: Kind) -> Problem | None:
        """Why it cannot be used here, and what to do; None where it can.

        Looked at are the package, its version, and whether there are weights that look whole.
        """
        where, version = f"family {self.name!r}", self.version
        if version is None:
            return Problem(where, f"needs the package {self.package}", f"{EXTRA}, or leave the family out.")
        span = f"{_dotted(self.least)} or later, below {_dotted(self.below)}"
        if not self.least <= _numbers(version) < self.below:
            fix = f"pip install '{self.package}>={_dotted(self.least)},<{_dotted(self.below)}'."
            return Problem(where, f"needs {self.package} {span}, and {version} is installed", fix)
        own = _own()
        if own is not None and not own.is_dir():
            return Problem(f"{FOLDER}={own}", "is no folder", "Name the folder that holds the weights, or unset it.")
        path = self.found(kind)
        if path is None:
            missing = f"{self.file(kind)} is not in the hub's cache" + (f", nor in {own}" if own is not None else "")
            return Problem(where, f"has no weights here: {missing}", f"`{self.command}` fetches them.")
        if why := damage(path):
            return Problem(f"weights {path}", why, f"Remove it, and `{self.command}` fetches it again.")
        return None

    def needs(self, kind: Kind) -> Path:
        """The weights for a kind of task.

        Raises:
            InputError: It cannot be used here.
        """
        if (problem := self.why_not(kind)) is not None:
            raise InputError(problem)
        path = self.found(kind)
        assert path is not None
        return path

    def told(self, kind: Kind) -> str:
        """What a search says of the weights that it uses: which, whose licence, from where."""
        path = self.needs(kind)
        own = _own()
        whose = f"published as {self.repository} under {self.licence}"
        if own is not None and path.parent == own:
            return f"{self.label} is tried: {path.name} of {own} ({whose}; a file of your own has its own licence)."
        return f"{self.label} is tried: {path.name} from the hub's cache ({whose})."

    def __hash__(self) -> int:
        """By its name."""
        return hash(self.name)


def damage(path: Path) -> str | None:
    """What is wrong with a file of weights, as far as its outline tells; None where nothing is.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".ckpt") as file:
        ...     damage(Path(file.name))
        'is no checkpoint of PyTorch, or only a part of one'
    """
    try:
        if path.suffix == ".safetensors":
            return _damage_of_tensors(path)
        if not zipfile.is_zipfile(path):
            return "is no checkpoint of PyTorch, or only a part of one"
        with zipfile.ZipFile(path) as archive:
            whole = any(name.endswith("/data.pkl") for name in archive.namelist())
        return None if whole else "is no checkpoint of PyTorch"
    except (OSError, zipfile.BadZipFile) as error:
        return f"cannot be read ({error})"


def _damage_of_tensors(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= size - 8:
            return "is no file of safetensors, or only a part of one"
        try:
            head = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in head.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return "is no file of safetensors"
    return None if max(ends, default=0) == size - 8 - length else "is only a part of a file of safetensors"


def digest_of(path: Path) -> str:
    """The SHA-256 of a file of weights; of the same file once in a process."""
    stat = path.stat()
    return _digest(str(path.resolve()), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: str, size: int, written: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(model: FoundationModel) -> list[Path]:
    """Fetches the weights of a model into the hub's cache, with its client's progress; gives the files.

    Raises:
        InputError: The package is not installed, or the hub does not answer.
    """
    if model.version is None:
        raise InputError(Problem(f"--download {model.name}", f"needs the package {model.package}", f"{EXTRA}."))
    from huggingface_hub import hf_hub_download

    found = []
    for name in dict.fromkeys(model.files.values()):
        try:
            path = Path(hf_hub_download(repo_id=model.repository, filename=name))
        except Exception as error:  # whatever the hub's client raises
            said = " ".join(str(error).split())[:200]
            fix = f"Fetch {name} from {model.repository} elsewhere, into a folder that {FOLDER} names."
            what = f"{name} cannot be had ({type(error).__name__}: {said})"
            raise InputError(Problem(f"--download {model.name}", what, fix)) from error
        if why := damage(path):
            raise InputError(Problem(f"weights {path}", why, "Remove it, and try again."))
        found.append(path)
    return found


def _own() -> Path | None:
    named = os.environ.get("AUTOMETA_WEIGHTS")
    return Path(named).expanduser() if named else None


def _cached(repository: str, name: str) -> Path:
    """Where the hub's client keeps a file of a model: the main revision's, as its variables say."""
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or str(Path(home) / "hub")
    folder = Path(os.path.expandvars(cache)).expanduser() / f"models--{repository.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        revision = "main"
    return folder / "snapshots" / revision / name


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
