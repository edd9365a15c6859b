"""``autometa store import``: experience that somebody else wrote down.

    autometa store import FOLDER             what `store export` wrote
    autometa store import table FILE ...     a table of evaluations
    autometa store import openml ...         past runs at OpenML

To bring in another kind, give `import_app` a command; a first word that is none of them is the folder of an export.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autometa.cli.app import OPENML_PANEL, AsJson, Cache, Offline, OnlyCached, Server, Store, done, grow, own
from autometa.cli.options import OPTIONS
from autometa.cli.store import store_app
from autometa.cli.usage import Command
from autometa.errors import Problem, did_you_mean


class _KindOrFolder(TyperGroup):
    """The kinds of import; a first word that is none is the folder of an export."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Arguments with ``export`` before a first word that is no kind of import."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            mistyped = len(args) > 1 and did_you_mean(args[0], list(self.commands)) and not Path(args[0]).exists()
            args = args if mistyped else ["export", *args]
        return super().parse_args(ctx, args)


import_app = typer.Typer(
    cls=_KindOrFolder,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Add what another store exported, a table of evaluations, or past runs at OpenML.",
    epilog="`autometa store import FOLDER` is `autometa store import export FOLDER`.",
)
store_app.add_typer(import_app, name="import")


@import_app.command(cls=Command)
def export(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `store export` wrote.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add what another store exported.

    What is known already is not added again.
    """
    grow(own(store), lambda opened: opened.import_(path), as_json)


@import_app.command(cls=Command)
def table(
    path: Annotated[str, typer.Argument(metavar="FILE", help="A table, one evaluation a row: CSV, parquet, ...")],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="FILE", help="JSON or TOML that says what its columns mean.")
    ] = None,
    offline: Offline = False,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add a table of evaluations.

    All that is wrong with it is said at once, and then nothing is added. The same table again adds nothing.
    """
    from autometa.values import Gathered

    gathered = Gathered()
    if mapping is None:
        what, such = "say which columns are the task, the family, the score", "Such as --mapping columns.json:"
        example = '{"task": "dataset", "family": "model", "scores": {"auc": "roc_auc"}, "tasks": {...}}'
        gathered.problems.append(Problem("--mapping", what, f"{such} {example}"))
    gathered.refuse()

    from autometa.imports import import_table

    opened = own(store)
    _finish(opened, import_table(path, str(mapping), opened, offline=offline, tell=_tell), as_json)


@import_app.command(cls=Command)
def openml(
    suite: Annotated[
        str | None, typer.Option("--suite", metavar="ID", help="On the tasks of this suite: a number or an alias.")
    ] = None,
    tasks: Annotated[str | None, typer.Option("--task", metavar="A,B", help="On these tasks.")] = None,
    flows: Annotated[
        str | None, typer.Option("--flow", metavar="A,B", help="Only of these flows: numbers, or parts of their names.")
    ] = None,
    setups: Annotated[bool, typer.Option("--setups", help="Of every flow that has a counterpart here.")] = False,
    limit: Annotated[str, typer.Option("--limit", metavar="N", help="At most so many runs of each task.")] = "1000",
    server: Server = None,
    cache: Cache = None,
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="TIME", help="For each task.", rich_help_panel=OPENML_PANEL)
    ] = "5m",
    offline: OnlyCached = False,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add past runs at OpenML, their hyperparameters as those of our families.

    What has no counterpart here is counted and named. The same runs again add nothing.
    """
    from autometa.values import Gathered, duration, names, whole

    gathered = Gathered()
    most, seconds = gathered.option(whole, "--limit", limit, 1), gathered.option(duration, "--deadline", deadline)
    numbers = [gathered.option(whole, "--task", number, 1) for number in names(tasks or "")]
    if suite is None and not numbers:
        gathered.problems.append(Problem("--suite", "say on which tasks", "Such as --suite 99, or --task 31."))
    if (flows is None) is not setups:
        both = "is the opposite of --flow" if setups else "of which flows?"
        gathered.problems.append(Problem("--setups", both, "--setups takes every flow, --flow NAME some."))
    gathered.refuse()
    assert seconds is not None

    from autometa.imports import import_openml
    from autometa.openml import OpenML

    opened = own(store)
    door = OpenML(server=server, cache=cache, deadline=seconds, offline=offline, tell=_tell)
    chosen = [number for number in numbers if number is not None]
    found = import_openml(door, opened, suite=suite, tasks=chosen, flows=names(flows or ""), limit=most, tell=_tell)
    _finish(opened, found, as_json)


def _tell(text: str) -> None:
    """Progress, on standard error."""
    from autometa.values import printable

    print(printable(text), file=sys.stderr)


def _finish(opened: Any, brought: Any, as_json: bool) -> None:
    """Says what was brought, and what was left and why."""
    values = {"url": opened.info()["url"], **brought.to_dict()}
    if as_json:
        done(values, as_json)
        return
    left, unreadable = values.pop("left_out"), values.pop("unreadable")
    done({**values, "left out": sum(part["evaluations"] for part in left)}, as_json)
    for line in _lines(left, unreadable):
        print(line)


def _lines(left: list[dict[str, Any]], unreadable: dict[str, str]) -> list[str]:
    from autometa.values import printable

    lines = [f"  {part['evaluations']:>6}  {part['what']}: {part['why']}" for part in left[: OPTIONS.reasons]]
    if len(left) > OPTIONS.reasons:
        lines.append(f"  and {len(left) - OPTIONS.reasons} more reasons; --json lists them all")
    lines += [f"  not read: {name}: {why.splitlines()[0]}" for name, why in unreadable.items()]
    return [printable(line) for line in lines]
