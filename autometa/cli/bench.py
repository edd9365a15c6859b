"""``autometa bench``: methods on the fixed splits of a suite, and who is better."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autometa.cli.app import OPENML_PANEL, AsJson, Cache, OnlyCached, Server, app
from autometa.cli.usage import INTERRUPTED, Command
from autometa.errors import InputError, NoModelError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autometa.bench.program import Concluded
    from autometa.openml import OpenML

_WHAT, _LIMITS = "What is compared", "Limits"
MOST_FOLDS = 1000  # numbers that --folds may name


@app.command(cls=Command)
def bench(
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            metavar="SUITE",
            help="OpenML's by id or alias (99 is CC18; 271 and 269 the AutoML Benchmark), a catalogue, or a folder.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            "--tasks",
            metavar="A,B",
            help="Only these of its tasks: names or numbers, as a report prints them.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option("--folds", metavar="0-9", help="Only these folds: 0, 0-2, 0,3.", rich_help_panel=_WHAT),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            metavar="A,B",
            help="autometa, cold, default, rf, rf50, lightgbm, flaml, autogluon, autogluon-best_quality and so on.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    seed: Annotated[
        str, typer.Option("--seed", metavar="N", help="Of the methods; splits have their own.", rich_help_panel=_WHAT)
    ] = "0",
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="A memory that AutoMeta may read, above the shipped one; nothing is added to it.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    time: Annotated[
        str, typer.Option("--time", metavar="TIME", help="What each timed method is told.", rich_help_panel=_LIMITS)
    ] = "60",
    jobs: Annotated[
        str, typer.Option("--jobs", "-j", metavar="N", help="Cells at once.", rich_help_panel=_LIMITS)
    ] = "1",
    cores: Annotated[
        str | None,
        typer.Option(
            "--cores", metavar="N", help="Of each cell; default: an equal share of all.", rich_help_panel=_LIMITS
        ),
    ] = None,
    max_ram: Annotated[
        str | None,
        typer.Option(
            "--max-ram",
            metavar="SIZE",
            help="Memory of one cell, such as 8GB; default: its share of what is free.",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    server: Server = None,
    cache: Cache = None,
    offline: OnlyCached = False,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Upload the finished runs; asks first, and else shows what it would.",
            rich_help_panel=OPENML_PANEL,
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Upload without asking.", rich_help_panel=OPENML_PANEL)] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for results and report; default: by the suite."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in a folder that holds results; what is there is not run again.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="With --resume, run cells again that had failed.")] = False,
    setup: Annotated[
        bool, typer.Option("--setup", help="Install the methods that need environments of their own, and stop.")
    ] = False,
    environments: Annotated[
        Path | None, typer.Option("--environments", metavar="DIR", help="Where those are; default: .venvs.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Compare methods on the fixed splits of a suite.

    Every task under test is left out of the memory. Stop it at any moment and start it again with --resume. Ends in a
    folder with results.jsonl, report.html and report.md.
    """
    from autometa.bench.environments import FOLDER
    from autometa.bench.methods import DEFAULT_METHODS, METHODS
    from autometa.values import Gathered, duration, names, one_of, size, whole

    gathered = Gathered()
    chosen = DEFAULT_METHODS if methods is None else names(methods)
    for name in chosen:
        gathered.option(one_of, "--methods", name, tuple(METHODS))
    place = environments or FOLDER
    if setup:
        gathered.refuse()
        return _set_up(chosen, place, as_json=as_json)
    asked = {
        "seconds": gathered.option(duration, "--time", time),
        "jobs": gathered.option(whole, "--jobs", jobs, 1),
        "cores": gathered.option(whole, "--cores", cores, 1),
        "seed": gathered.option(whole, "--seed", seed, 0),
        "max_ram": gathered.option(size, "--max-ram", max_ram),
        "folds": gathered.option(fold_numbers, "--folds", folds),
    }
    if suite is None:
        gathered.problems.append(Problem("--suite", "say what to compare on", "Such as --suite 99, or a folder."))

    from autometa.bench.program import check_free, folder_of, prepare, session
    from autometa.cli.bench_page import show_findings, watching
    from autometa.cli.show import emit
    from autometa.openml import OpenML

    target = out or folder_of(suite or "")
    gathered.problems += [] if resume else check_free(target)
    gathered.refuse()
    assert suite is not None

    def client() -> OpenML:
        return OpenML(server=server, cache=cache, offline=offline, tell=_tell_openml)

    prepared = prepare(
        suite, chosen, tasks=None if tasks is None else names(tasks), out=target, openml=client,
        environments=place, store=store, retry=retry,
        **{name: value for name, value in asked.items() if value is not None},
    )  # fmt: skip
    with watching() as watcher:
        done = session(prepared, target, watcher)
    values = done.to_dict()
    if publish and not done.run.interrupted:
        values["published"] = _publish(client(), done, yes=yes, quiet=as_json)
    emit(values) if as_json else show_findings(done.findings, done.paths)
    if done.run.interrupted:
        return INTERRUPTED
    return 0 if done.scored else NoModelError.exit_code


def _set_up(methods: "Sequence[str]", place: Path, *, as_json: bool) -> int:
    """Installs what methods need, and says what was."""
    from autometa.bench.environments import missing, set_up
    from autometa.cli.show import emit

    made = set_up(methods, place, lambda text: print(text, file=sys.stderr))
    if as_json:
        emit({"installed": made, "missing": missing(methods, place)})
    else:
        print(f"installed {', '.join(made)}" if made else "everything is installed already")
    return 0


def fold_numbers(option: str, text: str) -> tuple[int, ...]:
    """Fold numbers: ``3``, ``0-9``, ``0,2,5-7``.

    Example:
        >>> fold_numbers("--folds", "0,2,5-7")
        (0, 2, 5, 6, 7)
    """
    numbers: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        last = int(match[2] or match[1]) if match else -1
        if match is None or not int(match[1]) <= last < MOST_FOLDS:
            raise InputError(
                Problem(f"{option} {text}", f"{part!r} is no fold", f"Such as {option} 0-9 or {option} 0,3.")
            )
        numbers += range(int(match[1]), last + 1)
    return tuple(dict.fromkeys(numbers))


def _tell_openml(text: str) -> None:
    print(f"OpenML: {text}", file=sys.stderr)


def _publish(client: "OpenML", done: "Concluded", *, yes: bool, quiet: bool) -> list[dict[str, Any]]:
    """A dry run first, always; then, if the person agrees, the upload."""
    from autometa.bench.publish import publish
    from autometa.live import counting

    out = done.run.out
    with counting("preparing") as tell:
        dry = publish(client, done.offers(), out, dry=True, tell=tell)
    ready = [s.offer for s in dry if not s.why]
    for s in dry:
        words = s.why or f"{s.offer.method} on {s.offer.name} (task {s.offer.task_id}): {s.predictions:,} predictions"
        print(f"  {'not published: ' if s.why else 'to publish: '}{words}", file=sys.stderr)
    if not _agreed(len(ready), yes=yes, quiet=quiet):
        return [s.to_dict() for s in dry]
    with counting("publishing") as tell:
        sent = publish(client, ready, out, dry=False, tell=tell)
    for s in sent:
        print(f"  {s.offer.method} on {s.offer.name}: {s.why or s.url}", file=sys.stderr)
    return [s.to_dict() for s in sent]


def _agreed(runs: int, *, yes: bool, quiet: bool) -> bool:
    """Whether to upload; says why not."""
    from autometa.report.words import counted

    if not runs:
        print("Nothing to publish: it takes OpenML tasks with all of their folds, not sent before.", file=sys.stderr)
        return False
    question = f"Upload {counted(runs, 'run')} to OpenML? [y/N] "
    asks = not yes and not quiet and sys.stdin.isatty()
    if yes or (asks and input(question).strip().lower() in ("y", "yes")):
        return True
    print("Nothing was uploaded; --yes uploads without asking.", file=sys.stderr)
    return False
