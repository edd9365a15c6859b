"""A finished run and a store to do harm to: made once, copied for each test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.search import Settings, search
from autometa.task import Task, make_task


def a_table() -> pd.DataFrame:
    """60 rows with numbers, a gap, a category, a text and a target of two classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).round(3)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame.loc[::9, "b"] = np.nan
    frame["colour"] = np.where(x[:, 0] > 0, "red", "blue")
    words = np.array(["one small word", "another small word", "and yet another of them", "words without an end"])
    frame["note"] = [" ".join(rng.choice(words, 5)) + f" {k}" for k in range(60)]
    frame["y"] = np.where(x[:, 0] + 0.5 * rng.normal(size=60) > 0, "yes", "no")
    return frame


def begun_at_once(lines: Sequence[Sequence[object]]) -> list[subprocess.Popen[str]]:
    """Processes that each run a script with its arguments; all are ready, and then told to go."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    found = [subprocess.Popen([sys.executable, "-c", *map(str, line)], **pipes) for line in lines]
    for process in found:
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in found:
        process.stdin.write("go\n")
        process.stdin.flush()
    return found


@pytest.fixture
def task() -> Task:
    """The task of the run."""
    return make_task(a_table(), target="y", name="small")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Its table without the target, as a CSV file."""
    a_table().drop(columns="y").to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.fixture
def labelled(table: Path, task) -> Path:
    """The table with its target."""
    lines = table.read_text().splitlines()
    labels = [task.classes[code] for code in task.y]
    table.write_text("\n".join([lines[0] + ",y", *(f"{a},{b}" for a, b in zip(lines[1:], labels, strict=True))]) + "\n")
    return table


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``run``, a finished one of four trials, and ``store.db``, which remembers it; not to be changed."""
    return make(tmp_path_factory.mktemp("made"))


def make(folder: Path) -> Path:
    """Fills a folder with them."""
    settings = Settings(trials=4, families=("linear", "naive_bayes", "knn"), store=str(folder / "store.db"))
    search(make_task(a_table(), target="y", name="small"), settings, folder / "run")
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy of the store."""
    return Path(shutil.copy(made / "store.db", tmp_path / "store.db"))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command; gives its exit code and all that it printed."""
    from autometa.cli import main

    def said(*words: object) -> tuple[int, str]:
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return said
