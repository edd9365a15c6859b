"""What every test starts from: nothing of the user's is read or written, and no thread pool fights for the cores."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from autometa.evaluation import shared_isolation

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
        if shared_isolation.cache_info().currsize:  # that of doctests before has processes with the folder of the user
            shared_isolation().close()
            shared_isolation.cache_clear()
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


# --------------------------------------------------------------------------------------------------- databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server: the one that AUTOMETA_TEST_POSTGRES names, else a throw-away one."""
    if url := os.environ.get("AUTOMETA_TEST_POSTGRES"):
        yield url
        return
    pytest.importorskip("psycopg", reason="the PostgreSQL driver psycopg is not installed")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(installed[-1]) if installed else None)
    if found is None:
        pytest.skip("no PostgreSQL here: install its server, or name one in AUTOMETA_TEST_POSTGRES")
    programs = Path(found).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="autometa-postgres-"))  # pytest's own folders are closed to other users
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")
    initdb = [str(programs / "initdb"), "-D", data, "-U", "autometa", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run([*as_user, *initdb], check=True, capture_output=True, cwd=folder)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [*as_user, str(programs / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log")]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        yield f"postgresql://autometa:secret@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes URLs of stores that do not exist yet, on either kind of database."""
    made: list[str] = []
    if request.param == "sqlite":

        def make() -> str:
            made.append(str(tmp_path / f"folder {len(made)} of?#%" / "store.db"))
            return made[-1]

        yield make
        return
    server = request.getfixturevalue("postgres")
    import sqlalchemy as sa

    from autometa.store.address import locate

    engine = sa.create_engine(locate(server), poolclass=sa.NullPool)

    def make() -> str:
        name = f"test_{time.monotonic_ns()}"
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        made.append(name)
        return f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{name}"

    yield make
    with engine.begin() as connection:
        for name in made:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
