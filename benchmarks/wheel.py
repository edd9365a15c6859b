"""Does the wheel install, with each extra, where nothing is; how large does that become, and how long does it import?

    python benchmarks/wheel.py                            alone and with each extra, in an environment of its own each
    python benchmarks/wheel.py --extras none skops        with these; `none` is the wheel alone
    python benchmarks/wheel.py --python python3.13        another Python
    python benchmarks/wheel.py --resolve 3.11 3.14        whether all dependencies have wheels for these Pythons (by uv)
    python benchmarks/wheel.py --report                   results/wheel.md

Each environment gets the CPU build of torch where there is no GPU, then the wheel by pip, or by uv where that is on
PATH; `autometa doctor` must find nothing wrong, and what the extra brings must be importable. Then it is thrown away.
Sizes are those of site-packages; seconds to import are processor time, the least of five starts, less that of Python
alone. Lines are appended to `results/wheel.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "wheel.jsonl"
BRINGS = {  # the modules that an extra is for
    "xgboost": "xgboost",
    "catboost": "catboost",
    "shap": "shap",
    "serve": "fastapi, uvicorn",
    "onnx": "onnx, onnxruntime",
    "skops": "skops.io",
    "cluster": "distributed, cryptography",
    "mcp": "mcp",
    "mlflow": "mlflow",
    "plots": "matplotlib",
    "postgresql": "psycopg",
}
ALONE = "none"  # no extra
OURS = ("dev", "docs")  # extras of the checkout, which are no part of what is installed from an index
MEGABYTE = 1e6


def project() -> dict[str, Any]:
    """The table of that name in pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def built(folder: Path) -> Path:
    """The wheel of this checkout."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, ROOT],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed(wheel: Path, extra: str, python: str, folder: Path) -> dict[str, Any]:
    """Installs into a fresh environment, uses it, and says what it took.

    Raises:
        subprocess.CalledProcessError: Something cannot be installed, imported or used.
    """
    place = folder / extra
    subprocess.run([python, "-m", "venv", *(["--without-pip"] if shutil.which("uv") else []), place], check=True)
    own = str(place / "bin" / "python")
    pip = (
        ["uv", "pip", "install", "--quiet", "--python", own]
        if shutil.which("uv")
        else [own, "-m", "pip", "install", "-q"]
    )
    constrain = ["--constraint", str(ROOT / "constraints.txt")]
    began = time.perf_counter()
    if not shutil.which("nvidia-smi"):
        (torch,) = (line for line in constrain_lines() if line.startswith("torch=="))
        subprocess.run([*pip, f"{torch}+cpu"], check=False, stderr=subprocess.DEVNULL)
    what = str(wheel) if extra == ALONE else f"{wheel}[{extra}]"
    subprocess.run([*pip, *constrain, what], check=True)
    took = time.perf_counter() - began
    if extra != ALONE:
        subprocess.run([own, "-c", f"import {BRINGS[extra]}"], check=True, cwd=folder)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"XDG_DATA_HOME": str(folder)}
    subprocess.run([place / "bin" / "autometa", "doctor"], check=True, cwd=folder, env=clean, stdout=subprocess.DEVNULL)
    (packages,) = place.glob("lib/python*/site-packages")
    bare = least(own, "pass", folder)
    return {
        "benchmark": "installed",
        "extra": extra,
        "python": platform.python_version() if python == sys.executable else python,
        "packages": len(list(packages.glob("*.dist-info"))),
        "megabytes": size(packages) / MEGABYTE,
        "torch": size(packages / "torch") / MEGABYTE,
        "wheel": wheel.stat().st_size / MEGABYTE,
        "install": took,
        "import": least(own, "import autometa", folder) - bare,
        "estimator": least(own, "from autometa import AutoMetaClassifier", folder) - bare,
        "installer": "uv" if shutil.which("uv") else "pip",
        "load": os.getloadavg()[0],
    }


def constrain_lines() -> list[str]:
    """The lines of constraints.txt."""
    return (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def least(python: str, code: str, folder: Path) -> float:
    """Seconds of the processor that the quickest of five processes took: a crowded machine changes them little."""
    took = []
    for _ in range(5):
        before = os.times()
        subprocess.run([python, "-c", code], check=True, cwd=folder)
        after = os.times()
        took.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(took)


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def resolved(version: str) -> dict[str, Any]:
    """Whether every dependency, with all extras, has wheels for a Python; openml's liac-arff is pure and has none."""
    said = project()
    wanted = [*said["dependencies"]]
    for extra, lines in said["optional-dependencies"].items():
        wanted += [] if extra in OURS else lines
    uv = ["uv", "pip", "compile", "--quiet", "--python-version", version, "--only-binary", ":all:"]
    ran = subprocess.run(
        [*uv, "--no-binary", "liac-arff", "-"], input="\n".join(wanted), text=True, capture_output=True, check=False
    )
    named = [line for line in ran.stdout.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    print(f"Python {version}: {len(named)} packages" if not ran.returncode else ran.stderr)
    return {"benchmark": "resolved", "python": version, "works": not ran.returncode, "packages": len(named)}


def keep(line: dict[str, Any]) -> None:
    """Appends and prints a line."""
    line |= {"machine": platform.machine(), "system": platform.system()}
    with RESULTS.open("a", encoding="utf-8") as text:
        text.write(json.dumps(line) + "\n")
    print(json.dumps(line))


def report() -> str:
    """The latest line of each extra as a table."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    latest = {line["extra"]: line for line in lines if line["benchmark"] == "installed"}
    pythons = {line["python"]: line["works"] for line in lines if line["benchmark"] == "resolved"}
    alone = latest[ALONE]
    out = ["| with | packages | MB | more than alone, MB |", "|---|---|---|---|"]
    for extra in (ALONE, *BRINGS):
        if line := latest.get(extra):
            name = "the wheel alone" if extra == ALONE else f"`{extra}`"
            more = "" if extra == ALONE else f"{line['megabytes'] - alone['megabytes']:.0f}"
            out.append(f"| {name} | {line['packages']} | {line['megabytes']:.0f} | {more} |")
    out += [
        "",
        f"The wheel itself has {alone['wheel']:.1f} MB; {alone['torch']:.0f} MB of each environment are torch. "
        f"`import autometa` takes {alone['import']:.2f} s of the processor, since names are loaded when asked for; "
        f"`from autometa import AutoMetaClassifier` takes {alone['estimator']:.1f} s. "
        f"Python {alone['python']}, {alone['system']}, {alone['machine']}.",
    ]
    if pythons:
        works = ", ".join(version for version, works in sorted(pythons.items()) if works)
        out += ["", f"Every dependency, with all extras, has wheels for Python {works} on Linux."]
    return "\n".join([*out, ""])


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", nargs="+", default=[ALONE, *BRINGS], choices=[ALONE, *BRINGS])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--resolve", nargs="+", metavar="VERSION", help="only this")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    assert set(BRINGS) == set(project()["optional-dependencies"]) - set(OURS), "an extra is not in BRINGS"
    if arguments.resolve:
        for version in arguments.resolve:
            keep(resolved(version))
    elif not arguments.report:
        with tempfile.TemporaryDirectory(prefix="wheel-") as name:
            folder = Path(name)
            wheel = built(folder)
            for extra in arguments.extras:
                keep(installed(wheel, extra, arguments.python, folder))
                shutil.rmtree(folder / extra)
    RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")


if __name__ == "__main__":
    main()
