"""What the tests of clusters run on workers: each is found there by its module and name."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil


def parents(folder: Path, path: Path, **_: object) -> None:
    """Writes the processes above this one."""
    path.write_text(" ".join(str(parent.pid) for parent in psutil.Process(os.getpid()).parents()))


def hang_once(folder: Path, marker: str, path: Path, **_: object) -> None:
    """Says who hangs, and hangs; the second time it answers."""
    if Path(marker).exists():
        path.write_text("answered")
        return
    coming = Path(marker + ".coming")
    coming.write_text(" ".join(str(parent.pid) for parent in psutil.Process(os.getpid()).parents()))
    coming.rename(marker)
    time.sleep(600)


def hang(folder: Path, marker: str, path: Path, **_: object) -> None:
    """Says who hangs, and hangs."""
    Path(marker).write_text("")
    time.sleep(600)
