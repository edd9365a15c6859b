"""What commands share that may be spread over a cluster: ``--cluster`` and ``--tls``, and what they lead to."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    needs_dask()
    from autometa.cluster import connect

    with connect(cluster, tls=tls, tell=tell) as found:
        tell(f"Cluster: {found.places} workers with {found.cpus} CPUs in all.")
        yield found


def needs_dask() -> None:
    """Refuses where the extra is not installed."""
    from importlib.util import find_spec

    if find_spec("distributed") is None or find_spec("cryptography") is None:
        what = "needs Dask, which is not installed"
        raise InputError([Problem("cluster", what, "Install autometa-ml[cluster].")])
