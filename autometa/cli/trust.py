"""What is whole, and whose it is: ``autometa verify``, ``key`` and ``remember``."""

from pathlib import Path
from typing import Annotated

import typer

from autometa.cli.app import AsJson, RunFolder, Store, Trust, app, done, own
from autometa.cli.usage import Command
from autometa.errors import Problem, StoreError
from autometa.passwords import masked

key_app = typer.Typer(rich_markup_mode=None, help="The key that your models are signed with.")
app.add_typer(key_app, name="key")


@key_app.command(name="export", cls=Command)
def export_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, which only you will be able to read.")],
    as_json: AsJson = False,
) -> None:
    """Write your key to a file, to take to another machine of yours.

    Whoever has it can make files that open on your machines as your own: carry it as you would a password.
    """
    from autometa.search.keys import export_key

    export_key(path)
    done({"key": str(path)}, as_json)


@key_app.command(name="import", cls=Command)
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What `key export` wrote.")], as_json: AsJson = False
) -> None:
    """Take models that you made on another machine for your own.

    They open without --trust from then on.
    """
    from autometa.search.keys import import_key

    done({"key": str(path), "new": import_key(path)}, as_json)


@app.command(cls=Command)
def verify(
    path: Annotated[str, typer.Argument(metavar="RUN|STORE", help="The folder of a run, or a store.")],
    repair: Annotated[bool, typer.Option("--repair", help="Set aside what is damaged, and save the rest.")] = False,
    trust: Trust = False,
    as_json: AsJson = False,
) -> int:
    """Read everything in a run or a store and say what is damaged.

    The exit code is 3 when something is, and was not repaired. Nothing is changed without --repair.
    """
    from autometa.cli.show import emit
    from autometa.values import printable

    done, problems = _seen_to(path, repair, trust)
    if as_json:
        said = [{"where": p.where, "what": p.what, "fix": p.fix} for p in problems]
        emit({"path": masked(path), "problems": said, "repaired": done})
    else:
        lines = [*done, *map(str, problems)] or ["Everything in it is whole."]
        print("\n".join(printable(line) for line in lines))
    return StoreError.exit_code if problems else 0


def _seen_to(path: str, repair: bool, trust: bool) -> tuple[list[str], list[Problem]]:
    """What was repaired, and what is wrong then."""
    if Path(path).is_dir():
        from autometa.search import repair_run, verify_run

        folder = Path(path)
        done = repair_run(folder, trusted=trust) if repair else []
        return done, verify_run(folder, trusted=trust)
    opened = own(path)
    if not opened.exists():
        raise StoreError(f"{opened.url}: there is neither a run nor a store.")
    done = opened.repair() if repair else []
    return done, opened.verify()


@app.command(cls=Command)
def remember(run: RunFolder, store: Store = None, trust: Trust = False, as_json: AsJson = False) -> None:
    """Add a finished run to the memory.

    For one that could not be remembered at its end, or was made with --no-remember. What is known is not added again.
    """
    from autometa.search import remember_run

    done({"run": str(run), "new_evaluations": remember_run(run, store=store, trusted=trust)}, as_json)
