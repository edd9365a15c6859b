"""The smoke test of the built wheel (`make wheel`), in a folder that knows nothing of the checkout.

The dependencies are those of the environment that runs this; AutoMeta itself comes from the wheel, with one of its
extras, in an environment of its own. The source distribution must build the very same wheel, bit by bit, and an index
must take both. `benchmarks/wheel.py` does the same with every extra and nothing installed.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

EXTRA = "skops"
USE = """
import autometa, sys
from importlib.metadata import version
from importlib.resources import files
assert autometa.__file__.startswith(sys.argv[1]), f"{autometa.__file__} is not the wheel's"
assert version("autometa-ml") == autometa.__version__
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
        place = Path(folder).resolve() / "environment"
        venv.create(place, symlinks=True)
        target = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
        # What is installed here is seen from there, after what is there: pip finds every dependency, and fetches none.
        (target / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
        python = str(place / "bin" / "python")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--no-index",
            "--ignore-installed",
        ]
        subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
        subprocess.run([*pip[:-1], f"{wheel}[{EXTRA}]"], check=True)
        run = [python, "-W", "error", "-c", USE, str(target), str(least_tasks)]
        subprocess.run(run, cwd=folder, check=True)
        subprocess.run([str(place / "bin" / "autometa"), "--version"], cwd=folder, check=True)


def alike(wheel: Path, again: Path) -> None:
    """Raises unless two wheels are equal bit by bit; says which files are not."""
    if wheel.read_bytes() == again.read_bytes():
        return
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        names = {**dict.fromkeys(one.namelist()), **dict.fromkeys(other.namelist())}
        differ = [
            name
            for name in names
            if not {name} <= set(one.namelist()) & set(other.namelist())
            or one.read(name) != other.read(name)
            or one.getinfo(name).external_attr != other.getinfo(name).external_attr
        ]
    raise SystemExit(f"the wheel of the source distribution differs: {differ[:20] or 'in its order or its times'}")


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
        alike(wheel, again)
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist], check=True)
    check(wheel, least_tasks=100)
