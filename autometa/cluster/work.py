"""What runs on a worker: an order comes, a process of its own does it under its limits, and the answer goes back.

An order names its table by what is in it. A worker that lacks the table says so, and is sent it, once.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.cluster.options import OPTIONS
from autometa.cluster.tables import TableCache
from autometa.evaluation import Attempt, Evaluation, Isolation, State, available_ram, evaluate_isolated

if TYPE_CHECKING:
    from autometa.families import FamilyOrigin

CACHE, CORES, RAM = "AUTOMETA_WORKER_CACHE", "AUTOMETA_WORKER_CORES", "AUTOMETA_WORKER_RAM"  # `nodes` says them
SHARE = 0.8  # of what is free, that all trials of a worker may take where nobody says; as `SearchOptions.ram_share`


class MissingTable(Exception):
    """A worker does not have the table of an order."""

    def __init__(self, worker: str) -> None:
        super().__init__(worker)
        self.worker = worker


@dataclass(frozen=True, slots=True)
class TableKey:
    """Which table an order is about."""

    key: str  # `digest_of` its folder
    shared: str  # where it is for whoever sees the sender's files


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is asked to do."""

    session: str  # whose it is: a search's
    table: TableKey
    seconds: float
    threads: int
    patience: float = 0.0
    families: Sequence[FamilyOrigin] = ()
    on_gpu: bool = False  # whether it has a GPU of the worker's for itself


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial that ended on a worker."""

    evaluation: Evaluation
    oof: bytes | None = None  # the file of its predictions
    models: bytes | None = None  # the file of its models; None where they are too large, or none were asked for


@dataclass(slots=True)
class _Session:
    """The processes of one search on this worker."""

    isolation: Isolation
    last: float = field(default_factory=time.monotonic)
    running: int = 0


_sessions: dict[str, _Session] = {}
_lock = threading.Lock()


@cache
def tables() -> TableCache:
    """What this worker keeps."""
    folder = os.environ.get(CACHE)
    if folder is None:
        import platformdirs

        folder = platformdirs.user_cache_dir("autometa") + "/cluster"
    return TableCache(Path(folder))


def keep_table(key: str, content: bytes) -> None:
    """Takes a table that was sent, unless it is there by now."""
    if tables().find(key) is None:
        tables().keep(key, content)


def try_out(order: Order, attempt: Attempt, keep_models: bool, keep_oof: bool) -> Tried:
    """One configuration, as on the machine of the search.

    Raises:
        MissingTable: The table has to be sent first.
    """
    with tempfile.TemporaryDirectory(prefix="autometa-trial-") as name, _using(order) as (isolation, folder):
        _recall(order.families)
        models, oof = Path(name, "models.pkl"), Path(name, "oof.npy")
        attempt = replace(attempt, keep_models=models if keep_models else None)
        evaluation = evaluate_isolated(
            isolation,
            folder,
            attempt,
            seconds=order.seconds,
            max_ram=_ram(order.threads),
            oof_path=oof if keep_oof else None,
            patience=order.patience,
        )
        kept = models.read_bytes() if models.exists() and models.stat().st_size <= OPTIONS.models_bytes else None
        return Tried(evaluation, oof.read_bytes() if oof.exists() else None, kept)


def write_out(order: Order, function: Callable[..., None], args: tuple[Any, ...], how: dict[str, Any]) -> bytes:
    """What ``function(folder, *args, path, **how)`` writes to a file.

    Raises:
        MissingTable: The table has to be sent first.
        Killed: It did not end, or not in time.
    """
    with tempfile.TemporaryDirectory(prefix="autometa-fit-") as name, _using(order) as (isolation, folder):
        path = Path(name, "written")
        isolation.call(function, folder, *args, path, seconds=order.seconds, max_ram=_ram(order.threads), **how)
        return path.read_bytes()


def warm(session: str) -> None:
    """Begins to load what the trials of a search need."""
    with _lock:
        known = _sessions.setdefault(session, _Session(Isolation()))
    known.isolation.warm_up()


def cancel(session: str) -> None:
    """Ends what a search has under way here."""
    with _lock:
        known = _sessions.get(session)
    if known is not None:
        known.isolation.cancel_all()


def leave(session: str) -> None:
    """A search is over: its processes end."""
    with _lock:
        known = _sessions.pop(session, None)
    if known is not None:
        known.isolation.close()


def about() -> dict[str, Any]:
    """What a worker is: its version, and the CPUs that trials may use."""
    from autometa import __version__

    return {"version": __version__, "cores": int(os.environ.get(CORES, "1")), "process": os.getpid()}


class _using:
    """The processes of an order's search, and the folder of its table."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def __enter__(self) -> tuple[Isolation, Path]:
        from distributed import get_worker

        folder = tables().find(self.order.table.key, self.order.table.shared)
        if folder is None:
            raise MissingTable(str(get_worker().address))
        with _lock:
            for name in [name for name, one in _sessions.items() if _is_over(one)]:
                _sessions.pop(name).isolation.close()
            self.session = _sessions.setdefault(self.order.session, _Session(Isolation()))
            self.session.running += 1
        self.held = tables().using(folder)
        return self.session.isolation, self.held.__enter__()

    def __exit__(self, *error: object) -> None:
        self.held.__exit__(None, None, None)
        with _lock:
            self.session.running -= 1
            self.session.last = time.monotonic()


def _is_over(session: _Session) -> bool:
    return not session.running and time.monotonic() - session.last > OPTIONS.idle


def _ram(threads: int) -> int:
    """Bytes that a trial on so many of this worker's CPUs may hold."""
    cores = int(os.environ.get(CORES, "1"))
    whole = int(os.environ.get(RAM, "0")) or int(SHARE * available_ram() / max(1, (os.cpu_count() or 1) // cores))
    return max(whole * min(threads, cores) // cores, 1)


def _recall(families: Sequence[FamilyOrigin]) -> None:
    if families:
        from autometa.families import REGISTRY

        REGISTRY.recalled(families)


def crashed(attempt: Attempt, why: str) -> Evaluation:
    """The record of a trial whose workers died."""
    rows = attempt.rows or attempt.splits.n
    return Evaluation(
        attempt.config, State.CRASHED, f"{why}, twice", {}, {}, 0.0, 0.0, 0, attempt.seed, rows, {}, attempt.origin
    )
