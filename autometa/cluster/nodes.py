"""Starts the parts of a cluster: a scheduler, a worker, or all of it on this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import distributed

from autometa.cluster.address import Address, is_loopback, security_of
from autometa.cluster.options import OPTIONS
from autometa.cluster.work import CACHE, CORES, RAM
from autometa.errors import InputError, Problem

_VERSION = "autometa version"  # under which a scheduler keeps it

# A worker's death is one trial with a reason, which the search itself tries once more.
_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.daemon": False,  # its trials are processes of their own
    "distributed.nanny.pre-spawn-environ": {},
    # No pages: they would not be encrypted. What is left of their server listens where nobody else can reach it.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
_NO_PAGES = "127.0.0.1:0"


def _prepared() -> None:
    """Dask as a cluster of ours has it: quiet, and with these settings."""
    import dask

    dask.config.set(_SETTINGS)
    logging.getLogger("distributed").setLevel(logging.ERROR)


def local_cluster(workers: int) -> Any:
    """So many workers of one CPU each on this machine, that end with this process."""
    _prepared()
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=_NO_PAGES,
        worker_dashboard_address=_NO_PAGES,
        resources={"cores": 1},
        memory_limit=0,
        env={CORES: "1"},
        silence_logs="ERROR",
    )


def run_scheduler(host: str, port: int, tls: Path | None, ready: Callable[[str], None]) -> None:
    """A scheduler, until it is told to end.

    Raises:
        InputError: It would be open to other machines, or the port is taken.
    """
    from autometa import __version__

    if tls is None and not is_loopback(host):
        what = f"{host} can be reached from other machines, and whoever reaches the port runs what he likes"
        raise InputError([Problem("--host", what, "Give --tls DIR (autometa cluster keys DIR), or 127.0.0.1.")])
    protocol = "tcp" if tls is None else "tls"

    async def until_told() -> None:
        try:
            scheduler = await distributed.Scheduler(
                host=host,
                port=port,
                protocol=f"{protocol}://",
                security=security_of(tls),
                dashboard=False,
                dashboard_address=_NO_PAGES,
            )
        except OSError as error:
            what = f"cannot be listened at ({error.strerror or error})"
            raise InputError([Problem(f"{host}:{port}", what, "Choose another --port.")]) from error
        scheduler.set_metadata(keys=[_VERSION], value=__version__)
        ready(scheduler.address)
        await _told()
        await scheduler.close()

    _prepared()
    asyncio.run(until_told())


def run_worker(address: Address, *, cores: int, max_ram: int, cache: Path | None, ready: Callable[[str], None]) -> None:
    """A worker, until it is told to end or its scheduler is gone.

    Raises:
        InputError: Nobody answers at the address, or the scheduler is of another version.
    """
    _prepared()
    _check_version(address)
    environment = {CORES: str(cores), RAM: str(max_ram)} | ({} if cache is None else {CACHE: str(cache.absolute())})

    async def until_told() -> None:
        nanny = await distributed.Nanny(
            address.url,
            nthreads=cores,
            resources={"cores": cores, **_gpus()},
            memory_limit=max_ram,  # of the worker alone: trials are other processes, within their share of it
            security=address.security or distributed.Security(),
            env=environment,
            silence_logs="ERROR",
            dashboard_address=_NO_PAGES,
            death_timeout=OPTIONS.patience,
        )
        ready(str(nanny.worker_address))
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(_told()), asyncio.ensure_future(nanny.finished())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert done
        await nanny.close()

    os.environ.update(environment)
    asyncio.run(until_told())


def _check_version(address: Address) -> None:
    from autometa import __version__

    try:
        client = distributed.Client(
            address.url, security=address.security, timeout=OPTIONS.patience, set_as_default=False
        )
    except OSError as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        fix = "Is the scheduler running there (autometa cluster head), with the same certificates?"
        raise InputError([Problem(address.url, f"nobody answers ({told})", fix)]) from error
    with client:
        theirs = client.get_metadata([_VERSION], default=None)
    if theirs not in (None, __version__):
        what = f"the scheduler is of AutoMeta {theirs}, and this is {__version__}"
        raise InputError([Problem(address.url, what, "Install the same version on all machines.")])


def _gpus() -> dict[str, float]:
    """A GPU as a resource, where the driver shows one; one trial at a time has it."""
    return {"GPU": 1} if Path("/dev/nvidia0").exists() else {}


async def _told() -> None:
    """Until this process is told to end."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, event.set)
    await event.wait()
