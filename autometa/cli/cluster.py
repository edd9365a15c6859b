"""``autometa worker`` and ``autometa cluster``: what a search is spread over."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autometa.cli.app import AsJson, app, done
from autometa.cli.usage import Command
from autometa.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autometa.cluster import Cluster
    from autometa.values import Gathered

CLUSTER_PANEL = "Cluster"
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Try on other machines: tls://HOST:PORT, or local:N for N workers started here.",
        rich_help_panel=CLUSTER_PANEL,
    ),
]
Tls = Annotated[
    Path | None,
    typer.Option(
        "--tls", metavar="DIR", help="Its certificates (autometa cluster keys DIR).", rich_help_panel=CLUSTER_PANEL
    ),
]

cluster_app = typer.Typer(rich_markup_mode=None, help="Spread a search over several machines.")
app.add_typer(cluster_app, name="cluster")


@cluster_app.command(cls=Command)
def keys(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for them.")], as_json: AsJson = False
) -> None:
    """Make the certificates of a new cluster.

    Copy the folder to every machine, safely: whoever has it can run anything on all of them.
    """
    _needs_dask()
    from autometa.cluster import write_keys

    made = write_keys(folder)
    done({"keys": str(made)}, as_json)


@cluster_app.command(cls=Command)
def head(
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[str, typer.Option("--port", metavar="N", help="Which port.")] = "8786",
    tls: Tls = None,
) -> None:
    """Start the scheduler that workers and searches meet at, until Ctrl-C."""
    from autometa.values import Gathered, whole

    gathered = Gathered()
    number = gathered.option(whole, "--port", port, 0)
    _check_tls(gathered, tls)
    gathered.refuse()
    _needs_dask()
    from autometa.cluster.nodes import run_scheduler

    run_scheduler(host, number or 0, tls, lambda address: typer.echo(f"scheduler {address}", err=False))


@app.command(cls=Command)
def worker(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of the scheduler, such as tls://head:8786.")],
    cores: Annotated[
        str | None, typer.Option("--cores", metavar="N", help="CPUs for trials; default: all that it may use.")
    ] = None,
    max_ram: Annotated[
        str | None, typer.Option("--max-ram", metavar="SIZE", help="Memory of all its trials together, such as 32GB.")
    ] = None,
    tls: Tls = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Where it keeps tables; default: the user's cache.")
    ] = None,
) -> None:
    """Lend this machine to searches, until Ctrl-C or until the scheduler ends.

    It refuses a scheduler of another version of AutoMeta.
    """
    from autometa.cluster.address import Address
    from autometa.evaluation import available_cpus, available_ram
    from autometa.values import Gathered, size, whole

    gathered = Gathered()
    asked = gathered.option(whole, "--cores", cores, 1)
    ram = gathered.option(size, "--max-ram", max_ram)
    found = gathered.take(Address.read, address, tls, "ADDRESS")
    if found is not None and found.workers:
        fix = "fit --cluster local:N starts workers by itself."
        gathered.problems.append(Problem("ADDRESS", f"{address!r} is no scheduler", fix))
    gathered.refuse()
    assert found is not None
    _needs_dask()
    from autometa.cluster.nodes import run_worker

    run_worker(
        found,
        cores=asked or available_cpus(),
        max_ram=ram or int(0.8 * available_ram()),
        cache=cache,
        ready=lambda own: typer.echo(f"worker {own}"),
    )


def cluster_of(gathered: "Gathered", cluster: str | None, tls: Path | None) -> None:
    """Whether --cluster and --tls can be what they say, before anything is read."""
    if cluster is None:
        if tls is not None:
            gathered.problems.append(Problem("--tls", "is for --cluster, which is missing", "Leave it out."))
        return
    from autometa.cluster.address import Address

    gathered.take(Address.read, cluster, tls)


@contextmanager
def spread(cluster: str | None, tls: Path | None, tell: "Callable[[str], None]") -> "Iterator[Cluster | None]":
    """The cluster that is meant, as long as the block lasts; None for this machine."""
    if cluster is None:
        yield None
        return
    _needs_dask()
    from autometa.cluster import connect

    with connect(cluster, tls=tls, tell=tell) as found:
        tell(f"Cluster: {found.places} workers with {found.cpus} CPUs in all.")
        yield found


def _check_tls(gathered: Any, tls: Path | None) -> None:
    if tls is not None:
        from autometa.cluster.keys import problems_of

        gathered.problems += problems_of(tls)


def _needs_dask() -> None:
    from importlib.util import find_spec

    if find_spec("distributed") is None or find_spec("cryptography") is None:
        what = "needs Dask, which is not installed"
        raise InputError([Problem("cluster", what, "Install autometa[cluster].")])
