"""What every test starts from: nothing of the user's is read or written, and no thread pool fights for the cores."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything numerical is imported

# Of several processes that test at once each has CPUs of its own: threads that share one wait busily for one another.
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    every, workers = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.sched_setaffinity(0, every[int(worker.removeprefix("gw")) :: workers] or every)

# The machine that runs the tests may be busy, so no example has a deadline; the same examples are tried every time.
settings.register_profile("autometa", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("autometa")

collect_ignore = ["learners"]  # whoever imports one of them has it in the catalogue of families


SHARED = Path(__file__).resolve().parents[2] / "shared"  # data beside the checkout, which is not part of the repository


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first; what needs data that is not here is skipped, and says so in one line."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        for marker in item.iter_markers("shared"):
            if not (SHARED / marker.args[0]).exists():
                why = f"needs ../shared/{marker.args[0]}, which is not part of the repository"
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(autouse=True, scope="session")
def no_store_of_the_user(tmp_path_factory: pytest.TempPathFactory):
    """The user's data directory is an empty folder: a finished search is remembered there and nowhere else."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("user_data")
        patch.setenv("XDG_DATA_HOME", str(folder))
        patch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(folder))
        yield folder


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether the process of a number lives: neither gone, nor dead and waiting for the system to collect it."""

    def alive(process: int) -> bool:
        try:
            return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return alive


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> str:
    """The families of `tests/learners/waiting.py` are in the catalogue; this is the name of the one that grows."""
    from autometa.families import FAMILIES

    monkeypatch.syspath_prepend(Path(__file__).parent / "learners")
    for name in ("waiting", "stuck"):
        monkeypatch.setitem(FAMILIES, name, None)
    monkeypatch.delitem(sys.modules, "waiting", raising=False)
    importlib.import_module("waiting")
    return "waiting"


@pytest.fixture
def waiting_isolation(waiting: str):
    """An `Isolation` whose trials know the families that wait, ready to begin one."""
    from autometa.evaluation import Isolation

    with Isolation(
        preload=["autometa.evaluation.trial", "sklearn.linear_model", "sklearn.pipeline", waiting]
    ) as isolation:
        while not isolation.call(eval, f"{waiting!r} in __import__('sys').modules", seconds=60):
            pass  # it loads one module at a time, and a trial may come between
        yield isolation
