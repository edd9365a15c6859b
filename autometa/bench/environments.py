"""The environments of the methods that do not live in ours, because their dependencies would fight with ours.

To add one, give it a line in `PACKAGES`. An environment is a folder with a ``bin/python``; it counts as installed when
the file that is written last is there, so an installation that was interrupted is done again.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from autometa.bench.methods import METHODS, OWN
from autometa.errors import RunError

FOLDER = Path(".venvs")  # of the environments, unless another is named
TORCH = "2.13.0"
PACKAGES = {  # exact versions of what is compared
    "flaml": ("flaml[automl]==2.7.0", "pyarrow"),
    "autogluon": ("autogluon.tabular[lightgbm,catboost,xgboost,fastai]==1.6.3", "pyarrow"),
}
INSTALLED = "installed"  # the file that is written last: a hash of the packages


def interpreter(method: str, folder: Path = FOLDER) -> Path | None:
    """The Python that runs a method; None when its environment is not there."""
    name = METHODS[method].environment
    if name == OWN:
        return Path(sys.executable)
    python = folder / name / "bin" / "python"
    return python if python.exists() and (folder / name / INSTALLED).exists() else None


def missing(methods: Iterable[str], folder: Path = FOLDER) -> list[str]:
    """The methods whose environment is not there.

    See Also:
        `set_up`.

    Example:
        >>> missing(["rf", "lightgbm"])  # they live in ours
        []
    """
    return [method for method in methods if interpreter(method, folder) is None]


def set_up(methods: Iterable[str], folder: Path = FOLDER, tell: Callable[[str], None] = lambda text: None) -> list[str]:
    """Creates the environments of some methods; gives the names of those that were made.

    One that is there with the same packages is left alone, one with others is made anew.

    Raises:
        RunError: An environment could not be made; what it lacks and why.

    See Also:
        `missing`.

    Example:
        >>> set_up(["rf"])  # nothing to make
        []
    """
    made = []
    for name in dict.fromkeys(METHODS[method].environment for method in methods):
        if name == OWN:
            continue
        place, wanted = folder / name, hashlib.sha256(" ".join(PACKAGES[name]).encode()).hexdigest()
        if (place / INSTALLED).exists() and (place / INSTALLED).read_text(encoding="utf-8") == wanted:
            continue
        tell(f"{name}: installing {PACKAGES[name][0]}, which takes minutes")
        shutil.rmtree(place, ignore_errors=True)
        create(place, PACKAGES[name])
        (place / INSTALLED).write_text(wanted, encoding="utf-8")
        made.append(name)
    return made


def create(place: Path, packages: Iterable[str]) -> None:
    """An environment with some packages at `place`, as `set_up` makes them.

    torch comes first, so that its CPU build is taken where there is one: the default build is gigabytes more.

    Raises:
        RunError: It could not be made; what it lacks and why.
    """
    _run([sys.executable, "-m", "venv", str(place)], place.name)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    if subprocess.run([*pip, f"torch=={TORCH}+cpu"], capture_output=True, check=False).returncode != 0:
        _run([*pip, f"torch=={TORCH}"], place.name)
    _run([*pip, *packages], place.name)


def _run(program: list[str], name: str) -> None:
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RunError(f"{name} could not be installed: {said[-1] if said else f'exit code {done.returncode}'}")
