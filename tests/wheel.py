"""The smoke test of the built wheel (`make wheel`), in a folder that knows nothing of the checkout.

The dependencies are those of the environment that runs this; AutoMeta itself comes from the wheel alone. The source
distribution must build a wheel of the same files.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

USE = """
import autometa, sys
from importlib.metadata import version
from importlib.resources import files
assert autometa.__file__.startswith(sys.argv[1]), f"{autometa.__file__} is not the wheel's"
assert version("autometa") == autometa.__version__
from autometa import MetaStore
from autometa.families import FAMILIES
store = MetaStore.with_shipped(sys.argv[1] + "/store.db")
tasks = len(store.tasks())
assert tasks >= int(sys.argv[2]), f"the wheel remembers {tasks} tasks"
print(f"wheel: {len(FAMILIES)} families, {tasks} remembered tasks")
"""


def check(wheel: Path, least_tasks: int) -> None:
    """Installs `wheel` alone into an empty folder and uses it from there; raises when anything is missing."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("autometa/meta_db/")}
    tracked = subprocess.run(
        ["git", "ls-files", "meta_db"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    missing = {f"autometa/{name}" for name in tracked.stdout.split()} - packed
    if missing or not packed:
        raise SystemExit(f"{wheel.name} lacks {sorted(missing) or 'autometa/meta_db'}")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "site").resolve()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
        subprocess.run([*pip, str(wheel)], check=True)
        run = [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(target)!r})\n{USE}"]
        subprocess.run([*run, str(target), str(least_tasks)], cwd=folder, check=True)
        version = [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(target)!r}); from autometa.cli import main; main()",
        ]
        subprocess.run([*version, "--version"], cwd=folder, check=True)


if __name__ == "__main__":
    dist = Path(sys.argv[1])
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (source,) = Path(folder).iterdir()
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, source],
            check=True,
            stdout=-3,
        )
        (again,) = Path(folder).glob("*.whl")
        one, other = (set(zipfile.ZipFile(w).namelist()) for w in (wheel, again))
        if one != other:
            raise SystemExit(f"the wheel of the source distribution differs: {sorted(one ^ other)}")
    check(wheel, least_tasks=100)
