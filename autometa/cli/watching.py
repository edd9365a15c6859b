"""A search, followed on a page while it runs: ``autometa watch``."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autometa.cli.app import RunFolder, Trust, app
from autometa.cli.usage import Command

if TYPE_CHECKING:
    from autometa.search import Progress


@app.command(cls=Command)
def watch(
    run: RunFolder,
    port: Annotated[str, typer.Option("--port", metavar="N", help="Default: any that is free.")] = "0",
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    trust: Trust = False,
) -> None:
    """Follow a search on a page while it runs.

    It shows the best so far, what is tried and why, and the time left. Only this machine hears it, and only who knows
    the address that is printed. Ctrl-C ends the page, not the search.
    """
    from autometa.search import Run
    from autometa.values import Gathered, whole
    from autometa.watch import RunWatcher, watching

    gathered = Gathered()
    number = gathered.option(whole, "--port", port, 0)
    gathered.refuse()
    assert number is not None
    Run.open(run, trusted=trust)  # what is wrong with it is said here rather than on the page
    with watching(RunWatcher(run, trusted=trust), number) as address:
        print(address, flush=True)
        print("autometa: Ctrl-C ends the page, not the search.", file=sys.stderr)
        if browser:
            import webbrowser

            webbrowser.open(address)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("autometa: ended.", file=sys.stderr)


@contextmanager
def followed(
    progress: "Progress", run: Path | None, data: list[str], *, wanted: bool
) -> "Iterator[tuple[Progress, Path | None]]":
    """A progress that a page shows as well, where that is wanted, and the folder of the run; its address is a note."""
    if not wanted:
        yield progress, run
        return
    from autometa.search import default_folder
    from autometa.task.read.sources import shown
    from autometa.watch import Followed, RunWatcher, watching

    run = run or default_folder(Path(shown(data[0])).name)
    follow = Followed(progress)
    watcher = RunWatcher(run, follow)
    with watching(watcher) as address:
        progress.note(f"The search is shown at {address}")
        yield follow, run
        watcher.end()
