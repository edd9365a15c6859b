"""Many workers at one Optuna study, by the files of ``integrations/studies``: as processes of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa

from autometa import MetaStore
from autometa.origins import ORIGIN
from autometa.studies import remember_study

optuna.logging.set_verbosity(optuna.logging.ERROR)

PLACE = Path(__file__).resolve().parents[1] / "integrations" / "studies"
TRIALS = 14


@pytest.fixture
def store(tmp_path, monkeypatch) -> str:
    """A memory with two past studies of the same space."""
    monkeypatch.syspath_prepend(PLACE)
    import objective

    url = str(tmp_path / "team.db")
    for seed in range(2):
        study = optuna.create_study(direction=objective.DIRECTION, sampler=optuna.samplers.RandomSampler(seed=seed))
        study.optimize(objective.objective, n_trials=8)
        remember_study(study, MetaStore(url), space=objective.SPACE)
    sys.modules.pop("objective")
    return url


def python(name: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(PLACE.parents[1])}
    return subprocess.Popen(
        [sys.executable, PLACE / name, *arguments], env=environment, text=True, stdout=-1, stderr=-1
    )


def work(storage: str, store: str, workers: int) -> None:
    """So many workers side by side, none of which fails."""
    how = ["--storage", storage, "--store", store, "--trials", str(TRIALS), "--workers", str(workers)]
    begun = [python("worker.py", *how) for _ in range(workers)]
    for one in begun:
        said = one.communicate(timeout=300)
        assert one.returncode == 0, said


def check(storage: str, store: str, workers: int) -> None:
    """Every trial is there once, the past was asked once for all of them, and the study is remembered once."""
    opened = optuna.storages.RDBStorage(storage)
    trials = optuna.load_study(study_name=None, storage=opened).trials
    opened.remove_session()
    opened.engine.dispose()
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert TRIALS <= len(trials) < TRIALS + workers  # whoever has begun ends
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials)
    assert len({tuple(trial.params.items()) for trial in trials}) == len(trials)
    origins = Counter(trial.user_attrs[ORIGIN] for trial in trials)
    assert 1 <= sum(count for origin, count in origins.items() if origin not in ("surrogate", "search")) <= 3 + workers
    assert len(MetaStore(store).tasks(space="bowls")) == 3


def test_four_processes_share_a_study_through_a_proxy(store, tmp_path):
    pytest.importorskip("grpc", reason="grpcio is not installed")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    server = python("serve.py", "--storage", storage, "--port", str(port))
    try:
        assert "with 0 trials" in server.stdout.readline()
        wait_until_listening(port)
        work(f"grpc://localhost:{port}", store, workers=4)
    finally:
        server.kill()
        server.communicate()
    check(storage, store, workers=4)


def test_processes_share_a_study_on_postgresql(store, postgres):
    schema = f"studies_{time.monotonic_ns()}"
    driven = postgres.replace("postgresql://", "postgresql+psycopg://")
    with sa.create_engine(driven, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    storage = f"{driven}{'&' if '?' in driven else '?'}options=-csearch_path%3D{schema}"
    made = python("serve.py", "--storage", storage, "--only-make")
    assert "with 0 trials" in made.communicate(timeout=300)[0]
    work(storage, store, workers=2)
    check(storage, store, workers=2)


def wait_until_listening(port: int) -> None:
    ends = time.monotonic() + 300
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < ends
            time.sleep(0.05)
