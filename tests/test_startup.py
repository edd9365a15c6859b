"""Start-up is a feature: asking for help must not import what takes seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autometa.cli.app import AutoMeta

HEAVY = {
    "torch",
    "sklearn",
    "pandas",
    "optuna",
    "openml",
    "scipy",
    "lightgbm",
    "plotly",
    "pyarrow",
    "sqlalchemy",
    "numpy",
}


def imported_by(*arguments: str) -> set[str]:
    """The top-level modules that a Python imports when it runs with `arguments`."""
    ran = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    lines = [line for line in ran.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


def test_the_probe_sees_what_is_imported():
    assert {"autometa", "pandas", "numpy"} <= imported_by("-c", "import autometa; autometa.read_task")


@pytest.mark.parametrize(
    "arguments",
    [["-m", "autometa", "--help"], ["-m", "autometa", "--version"], ["-c", "import autometa"]],
    ids=" ".join,
)
def test_start_up_imports_nothing_heavy(arguments):
    assert not HEAVY & imported_by(*arguments)


@pytest.mark.parametrize("command", [*AutoMeta.FILES])
def test_the_help_of_a_command_imports_nothing_heavy(command):
    assert not HEAVY & imported_by("-m", "autometa", command, "--help")


def test_every_public_name_loads_on_first_use():
    import autometa

    assert [name for name in autometa.__all__ if getattr(autometa, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = autometa.nothing
