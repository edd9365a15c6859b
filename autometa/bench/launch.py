"""A program in an isolated process: what `evaluation.Isolation` calls there, and nothing else to import."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def launch(program: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Runs a program in `folder`, all that it prints to ``log`` there; gives its exit code."""
    with (folder / "log").open("wb") as log:
        return subprocess.run(
            program, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(environment), check=False
        ).returncode
