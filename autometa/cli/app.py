"""What the commands share: the program and its registry, options that several have, stores, and `main`.

A command stands in a file with its kin, which is read when it is called. To add one, write a function that imports in
its body, and give it a line in `AutoMeta.FILES`: its name, its file, and the first line of its help.

Longer than 400 lines by the options of its commands.
"""

# Annotations are evaluated once, here: typer would compile them from text at every start, which costs 10 ms.
import atexit
import gc
import os
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from typer.main import get_command

from autometa.cli.usage import CLOSED, UNHEARD, Program, refuse, usage_problem
from autometa.errors import AutoMetaError, InputError, Problem, StoreError
from autometa.passwords import wipe_command_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from autometa.store import MetaStore
    from autometa.task import Task
    from autometa.values import Gathered

PROGRAM_STARTED = time.monotonic()  # the clock of a time budget: what is imported from here on is paid from it


class AutoMeta(Program):
    """The program: its commands, the files where they stand, and the first line of each one's help."""

    FILES: ClassVar[Mapping[str, tuple[tuple[str, ...], str]]] = {
        "fit": (("table",), "Find, tune and save a model for a table."),
        "resume": (("table",), "Go on with a run that was stopped or killed."),
        "predict": (("table",), "Predict the rows of a table, as CSV."),
        "score": (("judging",), "Judge a model on a labelled table, beside what was promised."),
        "compare": (("judging",), "Say which of two runs is better, and whether by more than chance."),
        "explain": (
            ("explain",),
            "Say which columns a model needs, where it errs, and why a row is answered as it is.",
        ),
        "export": (("exporting",), "Write a finished model as ONNX, a script, for skops, or for Docker."),
        "report": (("table",), "Write what happened in a run as one HTML file."),
        "watch": (("watching",), "Follow a search on a page while it runs."),
        "mcp": (("agents",), "Let an agent ask the memory, fit and predict (MCP)."),
        "serve": (("serving",), "Serve a model over HTTP: predictions, explanations, and a page to try it by hand."),
        "remember": (("trust",), "Add a finished run to the memory."),
        "verify": (("trust",), "Read everything in a run or a store and say what is damaged."),
        "key": (("trust",), "The key that your models are signed with."),
        "recommend": (("memory",), "Say what to try first on a table, and why."),
        "collect": (("memory",), "Fill a store: the same configurations on many tables."),
        "worker": (("cluster",), "Lend this machine to searches."),
        "cluster": (("cluster",), "Spread a search over several machines."),
        "doctor": (("doctor",), "Check that everything here works."),
        "store": (("store", "imports", "studies"), "Look into a store of past evaluations, and tend it."),
        "bench": (("bench",), "Compare methods on the fixed splits of a suite."),
        "fewshot": (("fewshot", "encoding"), "Few-shot learners: train on many tasks, adapt to a new one."),
        "learn": (("learn",), "Train the surrogate of a search space of your own."),
    }

    def registered(self) -> Mapping[str, Any]:
        """The commands whose files have been read, by name."""
        return get_command(app).commands  # type: ignore[attr-defined]


app = typer.Typer(
    cls=AutoMeta,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="AutoMeta gives hyperparameter search a memory: a table in, a tuned and explained model out.",
    epilog="Start with: autometa fit table.csv",
)

# ------------------------------------------------------------------------------------------------- shared options

MEMORY_PANEL = "The memory"
Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA",
        help="A table: CSV, Excel, parquet, feather, ARFF, JSON lines, SQLite, also .gz/.zst/.bz2/.xz/.zip; several of "
        "the same columns, or their folder; - is standard input; a database URL with --query; an address with "
        "--download; openml:task/31, openml:data/61.",
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value, and nothing else, on standard output.")]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The memory: a file or a database URL; default: your own.",
        rich_help_panel=MEMORY_PANEL,
    ),
]
Trust = Annotated[bool, typer.Option("--trust", help="Read a folder that somebody else made: that runs code in it.")]

TABLE_PANEL = "The table"
SEARCH_PANEL = "The search"
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="COL,...",
        help="Column to predict, or several, one search each; default: target, class, label or y, else the last.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="scikit-learn scorer, or module:function; default: AUC, log loss or RMSE.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        "--positive",
        metavar="LABEL",
        help="The positive class, of which F1, precision and recall are; default: the rarer of two, 1 of 0 and 1.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        metavar="auto|0.5|VALUE",
        help="Probability from which a row is positive; auto: chosen out of fold where the metric judges labels.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="COL",
        help="Rows with one value here are never on both sides of a split.",
        rich_help_panel=TABLE_PANEL,
    ),
]
TimeOrder = Annotated[
    str | None,
    typer.Option(
        "--time-order",
        metavar="COL",
        help="Train on what came before, test on what came after.",
        rich_help_panel=TABLE_PANEL,
    ),
]
DropMissing = Annotated[
    bool,
    typer.Option(
        "--drop-missing-target",
        help="Leave out rows whose target is missing.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Rename = Annotated[
    bool, typer.Option("--rename-duplicates", help="Number columns that share a name.", rich_help_panel=TABLE_PANEL)
]
Offline = Annotated[
    bool, typer.Option("--offline", help="From OpenML, only what its cache holds.", rich_help_panel=TABLE_PANEL)
]

Families = Annotated[
    str | None,
    typer.Option(
        "--families",
        metavar="A,B",
        help="Only these model families; default: all that suit the table.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        help="Trials at once; default: one per CPU, one with --trials.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Seed = Annotated[
    str, typer.Option("--seed", metavar="N", help="Of splits, models and search.", rich_help_panel=SEARCH_PANEL)
]
MaxRam = Annotated[
    str | None,
    typer.Option(
        "--max-ram", metavar="SIZE", help="Memory of all its processes, such as 2GB.", rich_help_panel=SEARCH_PANEL
    ),
]
TrialTime = Annotated[
    str | None,
    typer.Option(
        "--trial-time",
        metavar="TIME",
        help="Longest that one trial may take, such as 30s.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Where networks run: the neural network, a learner of --fewshot.",
        rich_help_panel=SEARCH_PANEL,
    ),
]

OPENML_PANEL = "OpenML"
Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Another server than openml.org.", rich_help_panel=OPENML_PANEL),
]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Its cache; default: the client's.", rich_help_panel=OPENML_PANEL),
]
OnlyCached = Annotated[bool, typer.Option("--offline", help="Only what its cache holds.", rich_help_panel=OPENML_PANEL)]


# ------------------------------------------------------------------------------------------------- reading them


def budget_of(gathered: "Gathered", time: str | None, trials: str | None) -> dict[str, Any]:
    """What --time and --trials say, as ``seconds`` and ``trials`` of a search's settings; None where not given."""
    from autometa.values import duration, whole

    return {
        "seconds": gathered.option(duration, "--time", time),
        "trials": gathered.option(whole, "--trials", trials, 1),
    }


def limits_of(
    gathered: "Gathered", jobs: str | None, seed: str, max_ram: str | None, trial_time: str | None
) -> dict[str, Any]:
    """What --jobs, --seed, --max-ram and --trial-time say, by the names of a search's settings."""
    from autometa.values import duration, size, whole

    return {
        "jobs": gathered.option(whole, "--jobs", jobs, 1),
        "seed": gathered.option(whole, "--seed", seed, 0),
        "max_ram": gathered.option(size, "--max-ram", max_ram),
        "trial_seconds": gathered.option(duration, "--trial-time", trial_time),
    }


def families_of(gathered: "Gathered", text: str | None) -> tuple[str, ...] | None:
    """Known families; whether they suit the table is for the search to say."""
    if text is None:
        return None
    from autometa.families import catalogue
    from autometa.values import names, one_of

    chosen, known = names(text), tuple(catalogue())
    if not chosen:
        gathered.problems.append(Problem("--families", "names none", f"Known: {', '.join(known)}."))
    for name in chosen:
        gathered.option(one_of, "--families", name, known)
    return chosen


def threshold_of(gathered: "Gathered", text: str | None) -> float | str:
    """What --threshold says: ``auto``, or a probability."""
    from autometa.values import probability

    given = None if text is None or text.strip().casefold() == "auto" else text
    found = gathered.option(probability, "--threshold", given)
    return "auto" if found is None else found


def source_of(data: list[str]) -> str | list[str]:
    """What DATA names, as `autometa.task.read_table` takes it: one thing, or several."""
    return data[0] if len(data) == 1 else data


def task_of(gathered: "Gathered", data: list[str], metric: str | None, table: dict[str, Any]) -> "Task | None":
    """The table as a task, told apart as `fit` does; None, and its problems gathered, when it cannot be one."""
    from dataclasses import replace

    from autometa.evaluation import METRIC_KINDS, resolve_metric
    from autometa.openml import read_task

    task = gathered.take(read_task, source_of(data), metric=metric, known_metrics=METRIC_KINDS, **table)
    return None if task is None else replace(task, metric=resolve_metric(task.metric, task.kind))


# ------------------------------------------------------------------------------------------------- stores


def with_shipped(store: str | None) -> "MetaStore":
    """The store with the shipped memory under it."""
    from autometa.store import MetaStore

    return MetaStore.with_shipped(store)


def own(store: str | None, *, read_only: bool = False) -> "MetaStore":
    """The store alone; to read only, it must be there."""
    from autometa.store import MetaStore

    return MetaStore(store, read_only=read_only)


def grow(opened: "MetaStore", add: "Callable[[MetaStore], Any]", as_json: bool) -> None:
    """Lets a store grow, and says by how much."""
    before = opened.info()
    add(opened)
    after = opened.info()
    grown = {f"new_{noun}": after[noun] - before[noun] for noun in ("tasks", "evaluations")}
    done({"url": after["url"], **grown, "tasks": after["tasks"], "evaluations": after["evaluations"]}, as_json)


def done(values: dict[str, Any], as_json: bool) -> None:
    """What was done, as JSON or for a person."""
    from autometa.cli.show import emit, show_record

    emit(values) if as_json else show_record(values)


# ------------------------------------------------------------------------------------------------- running it


@app.callback(invoke_without_command=True)
def _autometa(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """The program's own options; without a command, its help."""
    if version:
        from autometa import __version__

        typer.echo(f"autometa {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _show_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """What a person should know as one line; of other warnings, where they come from as well."""
    ours = category.__module__.startswith("autometa.")
    place = "" if ours else f"{filename}:{lineno}: {category.__name__}: "
    print(f"autometa: {place}{message}", file=sys.stderr)


def _open_what_is_closed() -> None:
    """Standard streams that are closed (`>&-`) lead nowhere, rather than into the file that is opened next."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            CLOSED.add(name)
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _unheard() -> int:
    """What could not be written is not tried again at the end; the exit code of a program that nobody reads."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return UNHEARD


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; gives its exit code."""
    atexit.register(gc.freeze)  # spares the half second that collecting everything costs a process that ends anyway
    if arguments is None:
        arguments = sys.argv[1:]
        wipe_command_line()
    as_json = "--json" in arguments
    _open_what_is_closed()
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a label that the terminal cannot show is no reason to stop
    try:
        code = get_command(app).main(arguments, prog_name="autometa", standalone_mode=False) or 0
        sys.stdout.flush()  # while somebody can still be told that it cannot be written
        return code
    except BrokenPipeError:  # `| head -1`: whoever read has enough
        return _unheard()
    except AutoMetaError as error:
        return refuse(error, as_json=as_json)
    except typer.TyperException as error:
        return refuse(InputError(usage_problem(error)), as_json=as_json)
    except OSError as error:  # a full disk, a folder without permission
        _unheard()
        return refuse(StoreError(str(error)), as_json=as_json)
