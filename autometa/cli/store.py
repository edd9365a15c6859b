"""``autometa store``: what a store knows, and how it is tended."""

from pathlib import Path
from typing import Annotated, Any

import typer

from autometa.cli.app import AsJson, Store, app, done, grow, own, with_shipped
from autometa.cli.usage import Command
from autometa.errors import StoreError

store_app = typer.Typer(rich_markup_mode=None, help="Look into a store of past evaluations, and tend it.")
app.add_typer(store_app, name="store")


def _store_command(function: Any) -> Any:
    """Registers a function as ``autometa store NAME``."""
    return store_app.command(name=function.__name__.strip("_"), cls=Command)(function)


@_store_command
def info(store: Store = None, as_json: AsJson = False) -> None:
    """How much a store knows, and how much the shipped memory under it."""
    from autometa.cli.show import emit, show_record

    both, values = with_shipped(store), own(store).info()
    if both.beneath is not None:
        shipped, together = both.beneath.info(), both.info()
        told = ("tasks", "evaluations") if not as_json else ("tasks", "evaluations", "families", "bytes")
        values["shipped"] = {name: shipped[name] for name in told}
        values["together"] = {name: together[name] for name in ("tasks", "evaluations")}
    emit(values) if as_json else show_record(values)


@_store_command
def list_(
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Only tasks of this kind; study: no known table.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option("--space", metavar="NAME", help="Only tasks of this search space; fit is AutoMeta's own."),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """The tasks that a store knows."""
    from autometa.cli.memory_page import show_tasks, task_values
    from autometa.cli.show import emit
    from autometa.values import Gathered, one_of

    gathered = Gathered()
    chosen: Any = gathered.option(one_of, "--kind", kind, ("binary", "multiclass", "regression", "study"))
    gathered.refuse()
    tasks = with_shipped(store).tasks(space=space, kind=chosen)
    emit([task_values(task) for task in tasks]) if as_json else show_tasks(tasks)


@_store_command
def show(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name or fingerprint of a task.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """One task, and how configurations did on it."""
    from autometa.cli.memory_page import show_task, task_values
    from autometa.cli.show import emit

    opened = with_shipped(store)
    record = opened.find(task)
    evaluations = opened.evaluations(record.fingerprint, record.space)
    if as_json:
        emit({**task_values(record), "evaluations": [evaluation.to_dict() for evaluation in evaluations]})
    else:
        show_task(record, evaluations)


@_store_command
def export(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it: a new folder.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Write everything in a store to a folder of parquet files.

    `autometa store import FOLDER` reads it.
    """
    opened = own(store, read_only=True)
    opened.export(path)
    done({"url": opened.info()["url"], "exported": str(path), "tasks": opened.info()["tasks"]}, as_json)


@_store_command
def merge(
    other: Annotated[str, typer.Argument(metavar="URL", help="The store to take from; it is only read.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add everything that another store knows."""
    grow(own(store), lambda opened: opened.merge(own(other, read_only=True)), as_json)


@_store_command
def verify(store: Store = None, as_json: AsJson = False) -> int:
    """Read everything in a store and say what is wrong.

    The exit code is 3 when something is.
    """
    from autometa.cli.show import emit
    from autometa.values import printable

    opened = own(store)
    problems = opened.verify()
    if as_json:
        said = [{"where": p.where, "what": p.what, "fix": p.fix} for p in problems]
        emit({"url": opened.info()["url"], "problems": said})
    else:
        print("\n".join(printable(problem) for problem in problems) or "Everything in it reads back as it should.")
    return StoreError.exit_code if problems else 0


@_store_command
def rm(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name or fingerprint of a task.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Forget a task and every evaluation on it."""
    opened = own(store)
    record = opened.find(task)
    opened.remove(record.fingerprint)
    done({"removed": record.fingerprint, "name": record.name}, as_json)
