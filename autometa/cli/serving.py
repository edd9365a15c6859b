"""A finished model as a web service: ``autometa serve``."""

import os
import secrets
import sys
from typing import Annotated

import typer

from autometa.cli.app import RunFolder, Trust, app
from autometa.cli.usage import Command
from autometa.listening import LOOPBACK

SERVICE_PANEL = "The service"
TOKEN = "AUTOMETA_TOKEN"


@app.command(cls=Command)
def serve(
    run: RunFolder,
    host: Annotated[
        str,
        typer.Option("--host", metavar="ADDRESS", help="Where it listens; default: this machine alone.",
                     rich_help_panel=SERVICE_PANEL),
    ] = LOOPBACK,
    port: Annotated[
        str, typer.Option("--port", metavar="N", help="0 is any that is free.", rich_help_panel=SERVICE_PANEL)
    ] = "8000",
    token: Annotated[
        bool,
        typer.Option("--token", help=f"Hear only who carries a token: that in {TOKEN}, else one that is printed.",
                     rich_help_panel=SERVICE_PANEL),
    ] = False,
    most_rows: Annotated[
        str | None,
        typer.Option("--max-rows", metavar="N", help="Rows of one request; default: 10,000.",
                     rich_help_panel=SERVICE_PANEL),
    ] = None,
    most_bytes: Annotated[
        str | None,
        typer.Option("--max-body", metavar="SIZE", help="Of one request, such as 5MB; default: 32MB.",
                     rich_help_panel=SERVICE_PANEL),
    ] = None,
    trust: Trust = False,
) -> None:  # fmt: skip
    """Serve a model over HTTP: predictions, explanations, and a page to try it by hand.

    RUN is the folder of a finished run, or a model file. Ctrl-C ends it; requests that are being answered are answered.
    """
    from autometa.extras import need
    from autometa.values import Gathered, size, whole

    gathered = Gathered()
    number = gathered.option(whole, "--port", port, 0)
    rows = gathered.option(whole, "--max-rows", most_rows, 1)
    body = gathered.option(size, "--max-body", most_bytes)
    gathered.take(need, "serve", "serve")
    gathered.refuse()
    assert number is not None

    from autometa.cli.trusting import say_what_runs
    from autometa.listening import is_loopback, listen, url_of
    from autometa.serve import Service
    from autometa.serve.options import OPTIONS

    with listen(host, number) as made:  # before the model is read: whoever is told that a port is taken has not waited
        say_what_runs(run, trust)
        service = Service.open(run, trusted=trust, rows=rows or OPTIONS.rows)

        from autometa.serve.running import run as run_until_ended
        from autometa.serve.web import application

        secret = (os.environ.get("AUTOMETA_TOKEN") or secrets.token_urlsafe(24)) if token else None
        local = is_loopback(host)
        url = url_of(made, host)

        def ready() -> None:
            print(f"{url}?token={secret}" if secret and TOKEN not in os.environ else url, flush=True)
            whole_name = f"{service.model.name}: {service.model.target!r} ({service.model.kind})"
            print(f"autometa: serving {whole_name}. Ctrl-C ends it.", file=sys.stderr)
            if not local and secret is None:
                print("autometa: whoever reaches this address can ask it; --token asks for a token.", file=sys.stderr)

        run_until_ended(application(service, token=secret, local=local, most_bytes=body or OPTIONS.bytes), made, ready)
    print("autometa: ended.", file=sys.stderr)
