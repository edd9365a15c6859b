"""``autometa worker`` and ``autometa cluster``: what a search is spread over."""

from pathlib import Path
from typing import Annotated, Any

import typer

from autometa.cli.app import AsJson, app, done
from autometa.cli.spreading import Tls, needs_dask
from autometa.cli.usage import Command
from autometa.errors import Problem

cluster_app = typer.Typer(rich_markup_mode=None, help="Spread a search over several machines.")
app.add_typer(cluster_app, name="cluster")


@cluster_app.command(cls=Command)
def keys(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for them.")], as_json: AsJson = False
) -> None:
    """Make the certificates of a new cluster.

    Copy the folder to every machine, safely: whoever has it can run anything on all of them.
    """
    needs_dask()
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
    needs_dask()
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
    """Lend this machine to searches.

    Until Ctrl-C, or until the scheduler ends. It refuses a scheduler of another version of AutoMeta.
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
    needs_dask()
    from autometa.cluster.nodes import run_worker

    run_worker(
        found,
        cores=asked or available_cpus(),
        max_ram=ram or int(0.8 * available_ram()),
        cache=cache,
        ready=lambda own: typer.echo(f"worker {own}"),
    )


def _check_tls(gathered: Any, tls: Path | None) -> None:
    if tls is not None:
        from autometa.cluster.keys import problems_of

        gathered.problems += problems_of(tls)
