"""``autometa store import study``: finished studies of Optuna become past tasks of the space that they share."""

from typing import Annotated

import typer

from autometa.cli.app import AsJson, Store, done, own
from autometa.cli.imports import import_app
from autometa.cli.usage import Command


@import_app.command(cls=Command)
def study(
    storage: Annotated[
        str, typer.Argument(metavar="STORAGE", help="Optuna's storage: a URL, or the file of a journal.")
    ],
    space: Annotated[str, typer.Option("--space", metavar="NAME", help="The name under which they are remembered.")],
    studies: Annotated[
        str | None, typer.Option("--study", metavar="A,B", help="Only these studies; default: all.")
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add studies of Optuna to the memory of a search space of your own.

    What is known already is not added again.
    """
    from autometa.studies import remember_studies
    from autometa.values import names

    opened = own(store)
    added = remember_studies(storage, opened, space, only=None if studies is None else names(studies))
    done({"url": opened.url, "space": space, "studies": len(added), "new_evaluations": sum(added.values())}, as_json)
