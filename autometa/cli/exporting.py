"""A finished model elsewhere: ``autometa export``."""

from pathlib import Path
from typing import Annotated

import typer

from autometa.cli.app import AsJson, RunFolder, Trust, app
from autometa.cli.usage import Command


@app.command(cls=Command)
def export(
    run: RunFolder,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="onnx|python|skops|docker",
            help="A file for any ONNX runtime; a script that fits the best pipeline again without AutoMeta; a file "
            "that is read without running code; a folder with Dockerfile, locked requirements and server.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PATH", help="The file or folder to write; default: one in RUN."),
    ] = None,
    compact: Annotated[
        bool,
        typer.Option("--compact", help="Without the models of folds: smaller and quicker, and errs a little more."),
    ] = False,
    trial: Annotated[
        str | None, typer.Option("--trial", metavar="N", help="With --to python: that trial; default: the best.")
    ] = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Write a finished model as ONNX, a script, for skops, or for Docker.

    What is written answers as the model does; where a pipeline has no counterpart in a format, it is refused with the
    reason. `autometa fit --exportable` searches only what becomes ONNX.
    """
    from autometa.cli.app import done
    from autometa.cli.trusting import say_what_runs
    from autometa.values import Gathered, whole

    gathered = Gathered()
    number = gathered.option(whole, "--trial", trial, 0)
    gathered.refuse()

    from autometa.export import export as write

    say_what_runs(run, trust)
    written = write(run, to, out, compact=compact, trial=number, trusted=trust)
    done({"run": str(run), "to": to, "written": [str(path) for path in written]}, as_json)
