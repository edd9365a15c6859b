"""Whether everything here works: what is installed, what the machine has, whether the stores can be read and written.

`examine` never fails: what cannot be found out is part of what it reports. Importing torch is left to a process of its
own with a deadline, because a broken GPU driver can hang it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from autometa.cli.app import AsJson, Store, app
from autometa.cli.options import OPTIONS
from autometa.cli.usage import Command
from autometa.errors import StoreError
from autometa.passwords import masked

REQUIRED = (
    "numpy",
    "pandas",
    "scikit-learn",
    "optuna",
    "lightgbm",
    "torch",
    "openml",
    "SQLAlchemy",
    "alembic",
    "pyarrow",
    "typer",
    "rich",
    "platformdirs",
    "psutil",
)
OPTIONAL = {  # name: distributions that bring it, and what is not there without it
    "xgboost": (("xgboost-cpu", "xgboost"), "its family is left out"),
    "catboost": (("catboost",), "its family is left out"),
    "foundation": (("tabicl", "tabdpt"), "their families are left out"),
    "shap": (("shap",), "Shapley values of trees are sampled"),
    "onnx": (("onnxruntime",), "no export --to onnx"),
    "skops": (("skops",), "no export --to skops"),
    "serve": (("fastapi",), "no autometa serve"),
    "cluster": (("distributed",), "no --cluster"),
    "mcp": (("mcp",), "no autometa mcp"),
    "mlflow": (("mlflow-skinny", "mlflow"), "no log of runs in MLflow"),
    "plots": (("matplotlib",), "no plot_... in Python"),
    "postgresql": (("psycopg",), "no store in PostgreSQL"),
}

_ASK_TORCH = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"


@app.command(cls=Command)
def doctor(
    store: Store = None,
    download: Annotated[
        str | None,
        typer.Option("--download", metavar="tabicl|tabdpt", help="Fetch the weights of a foundation model, and stop."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check that everything here works."""
    from autometa.cli.show import emit

    if download is not None:
        return fetch(download, as_json)
    findings = examine(store)
    emit(findings) if as_json else show_findings(findings)
    return 0 if findings["store"]["usable"] else StoreError.exit_code


def examine(store: str | None) -> dict[str, Any]:
    """Everything that is worth knowing when something does not work, as JSON."""
    import autometa

    packages = {name: _version(name) for name in REQUIRED}
    findings: dict[str, Any] = {
        "autometa": autometa.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "missing": [name for name, version in packages.items() if version is None],
        "optional": {name: _first(map(_version, ways)) for name, (ways, _) in OPTIONAL.items()},
        **_machine(),
        "foundation": _foundation(),
        "gpu": _gpu(),
        "store": _store(store),
        "shipped": _shipped(),
    }
    return findings


def show_findings(findings: dict[str, Any]) -> None:
    """The findings for a person, with how to fix what is wrong."""
    from rich.table import Table
    from rich.text import Text

    from autometa.cli.show import page
    from autometa.report.words import counted, spoken_bytes
    from autometa.values import printable

    console = page()
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")

    def row(good: bool | None, name: str, text: str) -> None:
        mark = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("·", "dim")}[good]
        table.add_row(Text(*mark), name, Text(printable(text)))

    row(True, "autometa", f"{findings['autometa']}, Python {findings['python']}, {findings['platform']}")
    missing = findings["missing"]
    installed = ", ".join(f"{name} {version}" for name, version in findings["packages"].items() if version is not None)
    row(True, "packages", installed)
    for name in missing:
        row(False, name, f"is not installed. pip install {name}")
    for name, version in findings["optional"].items():
        row(
            True if version else None,
            name,
            version or f"not installed: {OPTIONAL[name][1]}. pip install 'autometa-ml[{name}]'",
        )
    row(
        True,
        "machine",
        f"{findings['cpus']} CPUs, {spoken_bytes(findings['ram_free'])} of {spoken_bytes(findings['ram'])} memory free",
    )
    for name, model in findings["foundation"].items():
        row(True if model["ready"] else None, name, model["said"])
    gpu = findings["gpu"]
    row(True if gpu["name"] else None, "GPU", gpu["name"] or gpu["why"])
    store = findings["store"]
    told = store["why"] or "not there yet: the first fit makes it"
    if store["usable"] and not store["new"]:
        told = f"{counted(store['tasks'], 'task')}, {counted(store['evaluations'], 'evaluation')}"
    row(store["usable"], "store", f"{store['url']}  {told}")
    shipped = findings["shipped"]
    size = f"{counted(shipped['tasks'], 'task')}, {counted(shipped['evaluations'], 'evaluation')} came with the package"
    row(bool(shipped["tasks"]) or None, "memory", shipped["why"] or size)
    console.print(table)


def fetch(name: str, as_json: bool) -> int:
    """Downloads the weights of a foundation model into the hub's cache; says where they lie, how large, whose.

    Raises:
        InputError: There is no such model, its package is not installed, or the hub does not answer.
    """
    from autometa.cli.show import emit, show_record
    from autometa.families import FAMILIES
    from autometa.families.foundation import digest_of, download
    from autometa.values import one_of

    models = {family.name: family.foundation for family in FAMILIES.values() if family.foundation is not None}
    model = models[one_of("--download", name, tuple(models))]
    files = [
        {"file": str(path), "bytes": path.stat().st_size, "sha256": digest_of(path), "licence": model.licence}
        for path in download(model)
    ]
    if as_json:
        emit(files)
    else:
        for file in files:
            show_record(file)
    return 0


def _foundation() -> dict[str, dict[str, Any]]:
    """Of each foundation model: whether its family can be tried, and what there is or what is missing."""
    from autometa.families import FAMILIES

    found = {}
    for family in FAMILIES.values():
        model = family.foundation
        if model is None or model.version is None:
            continue
        lacking = {model.file(kind): model.why_not(kind) for kind in sorted(family.kinds)}
        why = next((problem for problem in lacking.values() if problem is not None), None)
        told = f"weights ({model.licence}) are here: {', '.join(sorted(map(str, lacking)))}"
        said = told if why is None else f"{why}"
        found[family.name] = {"version": model.version, "ready": why is None, "licence": model.licence, "said": said}
    return found


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _first(versions: Any) -> str | None:
    return next((version for version in versions if version is not None), None)


def _machine() -> dict[str, Any]:
    import psutil

    memory = psutil.virtual_memory()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cpus": cpus, "ram": memory.total, "ram_free": memory.available}


def _gpu() -> dict[str, str | None]:
    if importlib.util.find_spec("torch") is None:
        return {"name": None, "why": "torch is not installed"}
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=OPTIONS.torch_seconds
        )
    except subprocess.TimeoutExpired:
        return {"name": None, "why": f"torch did not answer within {OPTIONS.torch_seconds:.0f} s"}
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines()
        return {"name": None, "why": f"torch does not start: {said[-1] if said else f'exit code {answer.returncode}'}"}
    name = answer.stdout.strip()
    return (
        {"name": name, "why": None}
        if name
        else {"name": None, "why": "none that torch can use; networks train on the CPU"}
    )


def _store(url: str | None) -> dict[str, Any]:
    from autometa.errors import AutoMetaError
    from autometa.store import MetaStore

    try:
        opened = MetaStore(url)
        info = opened.info()
        location = str(info["url"])
        problems = [str(problem) for problem in opened.verify()]
    except (AutoMetaError, OSError) as error:
        return {"url": masked(url or "the default"), "usable": False, "new": False, "why": masked(str(error))}
    new = (
        not info["tasks"]
        and location.startswith("sqlite:///")
        and not Path(location.removeprefix("sqlite:///")).exists()
    )
    return {**info, "usable": not problems, "new": new, "why": "; ".join(problems) or None}


def _shipped() -> dict[str, Any]:
    """The read-only memory alone: what the union knows with an empty store above it."""
    import tempfile

    from autometa.errors import AutoMetaError
    from autometa.store import MetaStore

    try:
        with tempfile.TemporaryDirectory(prefix="autometa-doctor-") as folder:
            info = MetaStore.with_shipped(str(Path(folder) / "empty.db")).info()
    except (AutoMetaError, OSError) as error:
        return {"tasks": 0, "evaluations": 0, "why": str(error)}
    return {
        "tasks": info["tasks"],
        "evaluations": info["evaluations"],
        "why": None if info["tasks"] else "none came with the package",
    }
