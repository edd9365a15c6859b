"""A cluster as a search sees it: an executor whose trials run elsewhere.

Laws: a worker that dies costs one trial, which is tried once more elsewhere; where the scheduler is gone, the rest is
done on this machine; a trial's files are written here, whole or not at all.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from autometa.cluster.address import Address
from autometa.cluster.options import OPTIONS
from autometa.cluster.tables import digest_of, packed
from autometa.cluster.work import (
    MissingTable,
    Order,
    TableKey,
    Tried,
    about,
    cancel,
    crashed,
    keep_table,
    leave,
    try_out,
    warm,
    write_out,
)
from autometa.errors import InputError, Problem
from autometa.evaluation import Attempt, Cancelled, Evaluation, Isolation, Killed, Local
from autometa.files import replace as write
from autometa.origins import State

if TYPE_CHECKING:
    from distributed import Client


class _WorkerLost(Exception):
    """The worker of an order died, or did not answer in time."""


class _ClusterLost(Exception):
    """The scheduler is gone."""


@contextmanager
def connect(
    cluster: Any, *, tls: str | Path | None = None, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Cluster]:
    """A cluster, as long as the block lasts.

    Args:
        cluster: ``"local:4"``, ``"tls://head:8786"``, ``"tcp://127.0.0.1:8786"``, or a ``distributed.Client``.
        tls: The folder of its certificates.
        tell: Told what happens.

    Raises:
        InputError: The address is none or may not be used, nobody answers there, there are no workers, one of them is
            of another version, or Dask is not installed.

    See Also:
        `Cluster`, `write_keys`.

    Example:
        >>> with connect("local:1") as workers:  # doctest: +SKIP
        ...     workers.cpus
        1
    """
    where = cluster if isinstance(cluster, str) else "the cluster"
    address = Address.read(cluster, tls) if isinstance(cluster, str) else None
    try:
        import distributed
    except ImportError as error:
        what = Problem("--cluster", "needs Dask, which is not installed", "Install autometa-ml[cluster].")
        raise InputError([what]) from error

    from autometa.cluster.nodes import local_cluster

    started = client = None
    try:
        if address is None:
            client = cluster
        elif address.workers:
            started = local_cluster(address.workers)
            client = distributed.Client(started, set_as_default=False)
        else:
            try:
                client = distributed.Client(
                    address.url, security=address.security, timeout=OPTIONS.patience, set_as_default=False
                )
            except OSError as error:
                told = str(error).splitlines()[0] if str(error) else type(error).__name__
                fix = "Is the scheduler running there (autometa cluster head), with the same certificates?"
                raise InputError([Problem(where, f"nobody answers ({told})", fix)]) from error
        with Cluster(client, where, tell) as found:
            yield found
    finally:
        if client is not None and client is not cluster:
            with suppress(Exception):
                client.close(timeout=5)
        if started is not None:
            with suppress(Exception):
                started.close(timeout=10)


class Cluster:
    """The executor of a search whose trials run on the workers of a Dask cluster. A context manager; see `connect`.

    Attributes:
        cpus: That trials may use, of all workers that were there at the start.
        most_threads: CPUs of the smallest worker.
        places: Workers.
        gpus: A device for each GPU of theirs.
        sent: Bytes of tables that were sent.

    See Also:
        `connect`, `autometa.search.search`.

    Example:
        >>> with connect("local:1") as workers:  # doctest: +SKIP
        ...     result = search(task, settings, folder, executor=workers)
    """

    def __init__(
        self, client: Client, where: str = "the cluster", tell: Callable[[str], None] = lambda text: None
    ) -> None:
        """Looks at the workers that are there; waits a little for the first one.

        Raises:
            InputError: There are none, or one is of another version.
        """
        self.client, self.where, self.tell = client, where, tell
        self.sent = self._cancellations = 0
        self._session = uuid.uuid4().hex
        self._tables: dict[Path, TableKey] = {}
        self._sending: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._futures: set[Any] = set()
        self._silent: set[str] = set()  # workers that did not answer, and are asked nothing more
        self._lost = False
        self._here: Local | None = None
        self._own_isolation: Isolation | None = None
        self._turn: threading.Semaphore | None = None  # where all is done here, as many at once as there are CPUs
        workers = self._workers()
        self.cpus = sum(one["cores"] for one in workers.values())
        self.most_threads = min(one["cores"] for one in workers.values())
        self.places = len(workers)
        # Workers that `autometa worker` started say how many CPUs they have, as what Dask calls resources.
        held = [one.get("resources", {}) for one in client.scheduler_info(n_workers=-1)["workers"].values()]
        self._counted = all("cores" in resources for resources in held)
        self.gpus = ("cuda",) * sum(int(resources.get("GPU", 0)) for resources in held)  # of which one is a worker's

    def _workers(self) -> dict[str, dict[str, Any]]:
        from autometa import __version__

        with suppress(TimeoutError):
            self.client.wait_for_workers(1, timeout=OPTIONS.patience)
        found = self.client.run(about, on_error="return")
        if not found:
            raise InputError([Problem(self.where, "has no workers", "Start some: autometa worker ADDRESS.")])
        problems = []
        for worker, said in found.items():
            if isinstance(said, BaseException):
                what, fix = f"worker {worker} cannot run AutoMeta ({said})", "Install the same version there."
                problems.append(Problem(self.where, what, fix))
            elif said["version"] != __version__:
                what = f"worker {worker} has AutoMeta {said['version']}, and this is {__version__}"
                problems.append(Problem(self.where, what, "Install the same version there."))
        if problems:
            raise InputError(problems)
        return dict(found)

    def __enter__(self) -> Self:
        """The workers begin to load."""
        self.warm_up()
        return self

    def __exit__(self, *_: object) -> None:
        """The workers let go of what was this search's."""
        if not self._lost:
            with suppress(Exception):
                self.client.run(leave, self._session, on_error="ignore")
        if self._own_isolation is not None:
            self._own_isolation.close()

    def warm_up(self) -> None:
        """Workers begin to load what trials need, while the caller goes on."""
        if not self._lost:
            with suppress(Exception):
                self.client.run(warm, self._session, on_error="ignore")

    def overhead(self) -> int:
        """Nothing: trials are not on this machine."""
        return 0

    def cancel_all(self) -> None:
        """Ends every trial that is under way, at once; they raise `Cancelled`."""
        with self._lock:
            self._cancellations += 1
            futures, here = list(self._futures), self._here
        if here is not None:
            here.cancel_all()
        # Ctrl-C waits for nobody: that the workers end them is asked for in passing.
        threading.Thread(target=self._cancel_there, args=(futures,), daemon=True).start()

    def _cancel_there(self, futures: list[Any]) -> None:
        with suppress(Exception):
            self.client.cancel(futures, force=True)
        with suppress(Exception):
            self.client.run(cancel, self._session, on_error="ignore")

    def evaluate(
        self,
        folder: Path,
        attempt: Attempt,
        *,
        seconds: float,
        max_ram: int | None = None,
        oof_path: Path | None = None,
        patience: float = 0.0,
    ) -> Evaluation:
        """As `evaluate_isolated`, on a worker, within the memory that the worker has for it."""
        from autometa.families import REGISTRY

        begun = self._cancellations
        how = patience, REGISTRY.registered(), attempt.device in self.gpus
        order = Order(self._session, self._table(folder), seconds, attempt.threads, *how)
        sent, keep_models = replace(attempt, keep_models=None), attempt.keep_models is not None
        try:
            tried: Tried = self._done(begun, try_out, order, sent, keep_models, oof_path is not None)
        except _WorkerLost as lost:
            return crashed(attempt, str(lost))
        except _ClusterLost:
            own = replace(attempt, device="auto" if attempt.device in self.gpus else attempt.device)
            limits: dict[str, Any] = {"max_ram": max_ram, "oof_path": oof_path, "patience": patience}
            with self._locally(begun) as here:
                return here.evaluate(folder, own, seconds=seconds, **limits)
        if tried.oof is not None and oof_path is not None:
            write(oof_path, tried.oof)
        if tried.models is not None and attempt.keep_models is not None:
            write(Path(attempt.keep_models), tried.models)
        return tried.evaluation

    def written(
        self,
        function: Callable[..., None],
        folder: Path,
        *args: Any,
        path: Path,
        seconds: float,
        max_ram: int | None = None,
        **how: Any,
    ) -> bytes:
        """What a function writes to a file, on a worker."""
        begun = self._cancellations
        threads, on_gpu = int(how.get("threads", 1)), how.get("device") in self.gpus
        order = Order(self._session, self._table(folder), seconds, threads, on_gpu=on_gpu)
        try:
            return bytes(self._done(begun, write_out, order, function, args, how))
        except _WorkerLost as lost:
            raise Killed(State.CRASHED, str(lost)) from lost
        except _ClusterLost:
            with self._locally(begun) as here:
                return here.written(function, folder, *args, path=path, seconds=seconds, max_ram=max_ram, **how)

    def _done(self, begun: int, function: Callable[..., Any], order: Order, *args: Any) -> Any:
        """What a worker made of an order; a worker that was lost is replaced by another, once.

        Raises:
            _WorkerLost: Two were lost.
            _ClusterLost: The scheduler is gone.
        """
        losses = 0
        while True:
            if self._lost:
                raise _ClusterLost
            try:
                return self._ask(begun, function, order, *args)
            except MissingTable as missing:
                self._send(order.table, missing.worker)
            except _WorkerLost as lost:
                losses += 1
                if losses > 1:
                    raise
                self.tell(f"{lost}: what it was doing is tried once more.")

    def _ask(self, begun: int, function: Callable[..., Any], order: Order, *args: Any) -> Any:
        from distributed import KilledWorker
        from distributed import TimeoutError as TooLate

        needs = {"cores": min(order.threads, self.most_threads)} | ({"GPU": 1} if order.on_gpu else {})
        how = {"pure": False, "retries": 0, "resources": needs if self._counted else None}
        ends = time.monotonic() + order.seconds + order.patience + OPTIONS.grace
        try:
            whom = self._others() if self._silent else None
            future = self.client.submit(function, order, *args, workers=whom, **how)
        except Exception as error:
            self._is_lost(error)
            raise _ClusterLost from error
        with self._lock:
            self._futures.add(future)
        try:
            while True:
                try:
                    return future.result(timeout=OPTIONS.look)
                except (TooLate, TimeoutError) as late:
                    if future.status == "error":  # the order's own
                        raise
                    if future.status != "pending":  # it ended in this moment, or was cancelled: the next look says so
                        continue
                    if self._cancellations > begun:
                        raise Cancelled from late
                    if self.client.status != "running":
                        raise ConnectionError("the scheduler is gone") from late
                    if time.monotonic() > ends:
                        self._give_up(future)
                        raise _WorkerLost(f"a worker has not answered for {time.monotonic() - ends:.0f} s") from late
        except KilledWorker as error:
            raise _WorkerLost("a worker died") from error
        except (Cancelled, MissingTable, Killed, _WorkerLost):
            raise
        except BaseException as error:
            if self._cancellations > begun:
                raise Cancelled from error
            gone = type(error).__name__ in ("CancelledError", "FutureCancelledError", "CommClosedError")
            if gone or isinstance(error, ConnectionError):
                self._is_lost(error)
                raise _ClusterLost from error
            raise
        finally:
            with self._lock:
                self._futures.discard(future)
            with suppress(Exception):
                future.release()

    def _others(self) -> list[str] | None:
        """The workers that answer; None, which is any, where there are no others."""
        return [one for one in self.client.scheduler_info(n_workers=-1)["workers"] if one not in self._silent] or None

    def _give_up(self, future: Any) -> None:
        """Whoever has a trial and says nothing is asked nothing more: to Dask it looks idle, once that is cancelled."""
        with suppress(Exception):
            self._silent |= {worker for worker, keys in self.client.processing().items() if future.key in keys}
        with suppress(Exception):
            future.cancel(force=True)

    def _table(self, folder: Path) -> TableKey:
        with self._lock:
            folder = folder.absolute()
            if folder not in self._tables:
                self._tables[folder] = TableKey(digest_of(folder), str(folder))
            return self._tables[folder]

    def _send(self, table: TableKey, worker: str) -> None:
        """A table to a worker that lacks it, once, however many trials wait for it."""
        with self._lock:
            lock = self._sending.setdefault(f"{worker} {table.key}", threading.Lock())
        if not lock.acquire(blocking=False):
            with lock:  # another trial sends it
                return
        try:
            content = packed(Path(table.shared))
            there = self.client.scatter(content, workers=[worker], direct=None, hash=False)
            self.client.submit(keep_table, table.key, there, workers=[worker], pure=False).result()
            with self._lock:
                self.sent += len(content)
        except Exception as error:
            if self.client.status != "running":
                self._is_lost(error)
                raise _ClusterLost from error
            if not self.client.scheduler_info(n_workers=-1)["workers"].get(worker):
                return  # it has died meanwhile
            raise
        finally:
            lock.release()

    def _is_lost(self, error: BaseException) -> None:
        with self._lock:
            if self._lost:
                return
            self._lost, self._own_isolation = True, Isolation()
            self._here = Local(self._own_isolation)
            self._turn = threading.Semaphore(max(1, self._here.cpus))
        self.tell(f"The scheduler of {self.where} is gone: the search goes on here.")

    @contextmanager
    def _locally(self, begun: int) -> Iterator[Local]:
        """This machine, when it is one's turn: a search of many workers has more trials at once than CPUs are here."""
        assert self._here is not None
        assert self._turn is not None
        with self._turn:
            if self._cancellations > begun:
                raise Cancelled
            yield self._here
