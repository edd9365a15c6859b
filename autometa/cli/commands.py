"""The commands: their flags, in the order a person meets them, and the one call that each makes."""

# Annotations are evaluated once, here: typer would compile them from text at every start, which costs 10 ms.
import atexit
import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from autometa.cli.usage import INTERRUPTED, Command, Program, refuse, usage_problem
from autometa.errors import AutoMetaError, InputError, Problem, StoreError

if TYPE_CHECKING:
    from autometa.cli.values import Gathered
    from autometa.search import Result
    from autometa.task import Task

STARTED = time.monotonic()  # the clock of a time budget: what is imported from here on is paid from it
IMPORTANCE_SECONDS = 5.0  # most that permutation importance may take; after a fit, what is left of the budget
LEAST_IMPORTANCE_SECONDS = 0.3  # with less it is not begun

app = typer.Typer(
    cls=Program,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="AutoMeta gives hyperparameter search a memory: a table in, a tuned and explained model out.",
    epilog="Start with: autometa fit table.csv",
)
store_app = typer.Typer(rich_markup_mode=None, help="Look into a store of past evaluations, and tend it.")
app.add_typer(store_app, name="store")

_MEMORY = "The memory"
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A table: CSV, TSV, parquet, feather, ARFF, JSON lines, .gz/.zst; - is standard input; openml:task/31, "
        "openml:data/61.",
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
        rich_help_panel=_MEMORY,
    ),
]
Trust = Annotated[bool, typer.Option("--trust", help="Read a folder that somebody else made: that runs code in it.")]

_TABLE = "The table"
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="COL",
        help="Column to predict; default: target, class, label or y, else the last.",
        rich_help_panel=_TABLE,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="scikit-learn scorer; default: roc_auc, neg_log_loss or neg_root_mean_squared_error.",
        rich_help_panel=_TABLE,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="COL",
        help="Rows with one value here are never on both sides of a split.",
        rich_help_panel=_TABLE,
    ),
]
TimeOrder = Annotated[
    str | None,
    typer.Option(
        "--time-order",
        metavar="COL",
        help="Train on what came before, test on what came after.",
        rich_help_panel=_TABLE,
    ),
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing-target", help="Leave out rows whose target is missing.", rich_help_panel=_TABLE)
]
Rename = Annotated[
    bool, typer.Option("--rename-duplicates", help="Number columns that share a name.", rich_help_panel=_TABLE)
]
Offline = Annotated[
    bool, typer.Option("--offline", help="From OpenML, only what its cache holds.", rich_help_panel=_TABLE)
]

_SEARCH = "The search"
Families = Annotated[
    str | None,
    typer.Option(
        "--families",
        metavar="A,B",
        help="Only these model families; default: all that suit the table.",
        rich_help_panel=_SEARCH,
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        help="Trials at once; default: one per CPU, one with --trials.",
        rich_help_panel=_SEARCH,
    ),
]
Seed = Annotated[
    str, typer.Option("--seed", metavar="N", help="Of splits, models and search.", rich_help_panel=_SEARCH)
]
MaxRam = Annotated[
    str | None,
    typer.Option("--max-ram", metavar="SIZE", help="Memory of one trial, such as 2GB.", rich_help_panel=_SEARCH),
]
TrialTime = Annotated[
    str | None,
    typer.Option(
        "--trial-time", metavar="TIME", help="Longest that one trial may take, such as 30s.", rich_help_panel=_SEARCH
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where the neural network is trained.", rich_help_panel=_SEARCH
    ),
]


@app.callback(invoke_without_command=True)
def _autometa(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """What holds before any command."""
    if version:
        from autometa import __version__

        typer.echo(f"autometa {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


# ------------------------------------------------------------------------------------------------- a table, a model


@app.command(cls=Command)
def fit(
    data: Data,
    target: Target = None,
    metric: Metric = None,
    group: Group = None,
    time_order: TimeOrder = None,
    drop_missing_target: DropMissing = False,
    rename_duplicates: Rename = False,
    offline: Offline = False,
    time: Annotated[
        str | None,
        typer.Option(
            "--time",
            metavar="TIME",
            help="Time for everything: 60, 90s, 5m, 1h30m; default: 60 s, none with --trials.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option("--trials", metavar="N", help="How many configurations to try.", rich_help_panel=_SEARCH),
    ] = None,
    jobs: Jobs = None,
    families: Families = None,
    seed: Seed = "0",
    max_ram: MaxRam = None,
    trial_time: TrialTime = None,
    device: Device = "auto",
    store: Store = None,
    cold: Annotated[bool, typer.Option("--cold", help="Search without it.", rich_help_panel=_MEMORY)] = False,
    no_remember: Annotated[
        bool, typer.Option("--no-remember", help="Do not add what is found to it.", rich_help_panel=_MEMORY)
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Folder for everything; default: autometa_runs/NAME-DATE-TIME."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Find, tune and save a model for a table.

    Tries what worked on similar tables first, then searches; ends in a folder with the model and a report.
    """
    from autometa.cli.values import Gathered, one_of

    gathered = Gathered()
    budget = _budget(gathered, time, trials)
    limits = _limits(gathered, jobs, seed, max_ram, trial_time)
    gathered.option(one_of, "--device", device, ("auto", "cpu", "cuda"))
    chosen = _families(gathered, families)
    table: dict[str, Any] = {
        "target": target,
        "group": group,
        "time_order": time_order,
        "drop_missing_target": drop_missing_target,
        "rename_duplicates": rename_duplicates,
        "offline": offline,
    }
    if gathered.problems:  # nothing will be fitted, so look at the table as well: hear of everything at once
        from autometa.search import Run

        gathered.problems += Run.check_free(run) if run is not None else []
        _task(gathered, data, metric, table)
    gathered.refuse()

    from autometa.cli.live import live
    from autometa.estimator import fit_file
    from autometa.search import Settings

    settings = Settings(
        **budget, **limits, families=chosen, store=store, cold=cold, remember=not no_remember, device=device
    )
    with live() as progress:
        result = fit_file(data, metric=metric, **table, settings=settings, run=run, progress=progress, started=STARTED)
    return _conclude(result, as_json=as_json)


@app.command(cls=Command)
def resume(
    run: RunFolder,
    time: Annotated[str | None, typer.Option("--time", metavar="TIME", help="Time to add to what was left.")] = None,
    trials: Annotated[str | None, typer.Option("--trials", metavar="N", help="Trials to add to what was left.")] = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a run that was stopped or killed.

    No finished trial is lost. What was left of its budget is spent, and what --time or --trials add.
    """
    from autometa.cli.values import Gathered

    gathered = Gathered()
    budget = _budget(gathered, time, trials)
    gathered.refuse()

    from autometa.cli.live import live
    from autometa.search import resume as go_on

    with live() as progress:
        result = go_on(run, **budget, progress=progress, trusted=trust)
    return _conclude(result, as_json=as_json, trusted=trust)


@app.command(cls=Command)
def predict(
    run: RunFolder,
    data: Data,
    proba: Annotated[bool, typer.Option("--proba", help="Add a column proba_LABEL for each class.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the CSV here instead of standard output.")
    ] = None,
    offline: Offline = False,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Predict the rows of a table, as CSV.

    The answers are in the column `prediction`, in the target's own labels.
    """
    from autometa.cli.show import emit
    from autometa.cli.values import Gathered
    from autometa.openml import read_table
    from autometa.search import load_model

    gathered = Gathered()
    model = load_model(run, trusted=trust)
    read = gathered.take(read_table, data, offline=offline)
    if proba and model.kind == "regression":
        gathered.problems.append(
            Problem("--proba", f"{model.target!r} is a number, and has no probabilities", "Leave it out.")
        )
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        gathered.problems.append(
            Problem(f"--out {out}", "is a folder" if out.is_dir() else "its folder does not exist")
        )
    gathered.refuse()
    assert read is not None
    answers = _answers(model, read[0], proba=proba)
    if out is not None:
        answers.to_csv(out, index=False)
    if as_json:
        values = {"run": str(run), "rows": len(answers), "out": None if out is None else str(out)}
        emit(values if out is not None else {**values, "predictions": answers.to_dict(orient="records")})
    elif out is None:
        answers.to_csv(sys.stdout, index=False)
    else:
        print(f"{len(answers)} predictions are in {out}", file=sys.stderr)


@app.command(cls=Command)
def report(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to write it; default: report.html in the run."),
    ] = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Write what happened in a run as one HTML file.

    It opens offline, in any browser.
    """
    from autometa.cli.show import emit
    from autometa.search import open_run

    path = _report(open_run(run), out, seconds=IMPORTANCE_SECONDS, trusted=trust)
    if as_json:
        emit({"run": str(run), "report": str(path)})
    else:
        print(path)


# ------------------------------------------------------------------------------------------------- the memory


@app.command(cls=Command)
def recommend(
    data: Data,
    n: Annotated[str, typer.Option("-n", metavar="N", help="How many configurations.")] = "10",
    explain: Annotated[bool, typer.Option("--explain", help="Show the past tasks that each rests on.")] = False,
    target: Target = None,
    metric: Metric = None,
    group: Group = None,
    time_order: TimeOrder = None,
    drop_missing_target: DropMissing = False,
    rename_duplicates: Rename = False,
    offline: Offline = False,
    families: Families = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Say what to try first on a table, and why.

    Nothing is fitted: this is what the memory knows.
    """
    from autometa.cli.show import emit, show_recommendations
    from autometa.cli.values import Gathered, whole

    gathered = Gathered()
    m = gathered.option(whole, "-n", n, 1)
    chosen = _families(gathered, families)
    table: dict[str, Any] = {
        "target": target,
        "group": group,
        "time_order": time_order,
        "drop_missing_target": drop_missing_target,
        "rename_duplicates": rename_duplicates,
        "offline": offline,
    }
    task = _task(gathered, data, metric, table)
    gathered.refuse()
    assert m is not None
    assert task is not None

    from dataclasses import fields

    from autometa.metafeatures import describe
    from autometa.recommend import AdaptivePortfolio
    from autometa.search import Settings
    from autometa.search.search import search_space
    from autometa.store import MetaStore

    space = search_space(task, Settings(families=chosen))
    past = MetaStore.with_shipped(store).past(space="fit", kind=task.kind, metric=task.metric)
    recommender, seen = AdaptivePortfolio().fit(past, space), describe(task)
    recommendations = recommender.recommend(seen, m)
    explanation = recommender.explain(seen) if explain else None
    if not as_json:
        show_recommendations(task, recommendations, explanation)
    elif explain:  # a list either way, so that what reads the one reads the other
        emit([{**{f.name: getattr(r, f.name) for f in fields(r)}, "explanation": explanation} for r in recommendations])
    else:
        emit([{name: getattr(r, name) for name in ("config", "expected", "reason", "origin")} for r in recommendations])


@app.command(cls=Command)
def collect(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATHS...", help="Tables, folders of them, openml:task/31, openml:data/61."),
    ],
    store: Annotated[str | None, typer.Option("--store", metavar="URL", help="The store to fill.")] = None,
    configs: Annotated[
        str, typer.Option("--configs", metavar="N", help="Configurations to evaluate on each table.")
    ] = "60",
    families: Families = None,
    winners: Annotated[
        str, typer.Option("--winners", metavar="N", help="Then N that are best on some other table.")
    ] = "0",
    search: Annotated[
        str, typer.Option("--search", metavar="N", help="Then N that a search of each table's own finds.")
    ] = "0",
    rows: Annotated[
        str, typer.Option("--rows", metavar="N", help="Larger tables are sampled down to N rows.")
    ] = "5000",
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds", metavar="N", help="Of cross-validation, 1 for a hold-out; default: by the table's size."
        ),
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option(
            "--catalog",
            metavar="CSV",
            help="Columns name, family, openml_id: which tables are variants of one another.",
        ),
    ] = None,
    offline: Offline = False,
    time: Annotated[str | None, typer.Option("--time", metavar="TIME", help="Stop after this long.")] = None,
    jobs: Jobs = None,
    seed: Seed = "0",
    max_ram: MaxRam = None,
    trial_time: TrialTime = None,
    as_json: AsJson = False,
) -> None:
    """Fill a store: the same configurations on many tables.

    Stop it at any moment and start it again: what is in the store is not done twice.
    """
    from autometa.cli.values import Gathered, duration, whole

    gathered = Gathered()
    if store is None:
        gathered.problems.append(Problem("--store", "say which store to fill", "Such as --store memory.db."))
    asked = {
        "configs": gathered.option(whole, "--configs", configs, 1),
        "families": _families(gathered, families),
        "winning": gathered.option(whole, "--winners", winners, 0),
        "searched": gathered.option(whole, "--search", search, 0),
        "rows": gathered.option(whole, "--rows", rows, 1),
        "folds": gathered.option(whole, "--folds", folds, 1),
        "seconds": gathered.option(duration, "--time", time),
        **_limits(gathered, jobs, seed, max_ram, trial_time),
    }
    from autometa.collect import collect as fill
    from autometa.collect import find_sources

    sources = gathered.take(find_sources, paths, catalog)
    gathered.refuse()
    assert sources is not None

    from autometa.cli.live import counting
    from autometa.cli.show import emit, show_collected
    from autometa.store import MetaStore

    with counting("collecting") as tell:
        given = {name: value for name, value in asked.items() if value is not None}
        summary = fill(sources, MetaStore(store), **given, offline=offline, tell=tell)
    emit(summary) if as_json else show_collected(summary)


# ------------------------------------------------------------------------------------------------- a store


def _store_command(function: Any) -> Any:
    """Registers a function as ``autometa store NAME``."""
    return store_app.command(name=function.__name__.strip("_"), cls=Command)(function)


@_store_command
def info(store: Store = None, as_json: AsJson = False) -> None:
    """How much a store knows, with the shipped memory under it."""
    from autometa.cli.show import emit, show_record

    values = _memory(store).info()
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
    from autometa.cli.show import emit, show_tasks, task_values
    from autometa.cli.values import Gathered, one_of

    gathered = Gathered()
    chosen: Any = gathered.option(one_of, "--kind", kind, ("binary", "multiclass", "regression", "study"))
    gathered.refuse()
    tasks = _memory(store).tasks(space=space, kind=chosen)
    emit([task_values(task) for task in tasks]) if as_json else show_tasks(tasks)


@_store_command
def show(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name or fingerprint of a task.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """One task, and how configurations did on it."""
    from autometa.cli.show import emit, show_task, task_values

    memory = _memory(store)
    record = memory.find(task)
    evaluations = memory.evaluations(record.fingerprint, record.space)
    if as_json:
        emit({**task_values(record), "evaluations": [evaluation.to_dict() for evaluation in evaluations]})
    else:
        show_task(record, evaluations)


@_store_command
def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Write everything in a store to one file."""
    opened = _own(store)
    opened.export(path)
    _done({"url": opened.info()["url"], "exported": str(path), "tasks": opened.info()["tasks"]}, as_json)


@_store_command
def merge(
    other: Annotated[str, typer.Argument(metavar="URL", help="The store to take from; it is only read.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add everything that another store knows."""
    from autometa.store import MetaStore

    _grow(_own(store), lambda opened: opened.merge(MetaStore(other, read_only=True)), as_json)


@_store_command
def verify(store: Store = None, as_json: AsJson = False) -> int:
    """Read everything in a store and say what is wrong.

    The exit code is 3 when something is.
    """
    from autometa.cli.show import emit
    from autometa.cli.values import printable

    opened = _own(store)
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
    opened = _own(store)
    record = opened.find(task)
    opened.remove(record.fingerprint)
    _done({"removed": record.fingerprint, "name": record.name}, as_json)


# ------------------------------------------------------------------------------------------------- health


@app.command(cls=Command)
def doctor(store: Store = None, as_json: AsJson = False) -> int:
    """Check that everything here works."""
    from autometa.cli.doctor import examine, show_findings
    from autometa.cli.show import emit

    findings = examine(store)
    emit(findings) if as_json else show_findings(findings)
    return 0 if findings["store"]["usable"] else StoreError.exit_code


# ------------------------------------------------------------------------------------------------- shared by commands


def _budget(gathered: "Gathered", time: str | None, trials: str | None) -> dict[str, Any]:
    """Seconds and trials, None where not given."""
    from autometa.cli.values import duration, whole

    return {
        "seconds": gathered.option(duration, "--time", time),
        "trials": gathered.option(whole, "--trials", trials, 1),
    }


def _limits(
    gathered: "Gathered", jobs: str | None, seed: str, max_ram: str | None, trial_time: str | None
) -> dict[str, Any]:
    """What bounds a trial, None where not given."""
    from autometa.cli.values import duration, size, whole

    return {
        "jobs": gathered.option(whole, "--jobs", jobs, 1),
        "seed": gathered.option(whole, "--seed", seed, 0),
        "max_ram": gathered.option(size, "--max-ram", max_ram),
        "trial_seconds": gathered.option(duration, "--trial-time", trial_time),
    }


def _families(gathered: "Gathered", text: str | None) -> tuple[str, ...] | None:
    """Known families; whether they suit the table is for the search to say."""
    if text is None:
        return None
    from autometa.cli.values import names, one_of
    from autometa.families import FAMILIES

    chosen = names(text)
    if not chosen:
        gathered.problems.append(Problem("--families", "names none", f"Known: {', '.join(FAMILIES)}."))
    for name in chosen:
        gathered.option(one_of, "--families", name, tuple(FAMILIES))
    return chosen


def _task(gathered: "Gathered", data: str, metric: str | None, table: dict[str, Any]) -> "Task | None":
    """The table as a task, told apart as `fit` does; None, and its problems gathered, when it cannot be one."""
    from dataclasses import replace

    from autometa.evaluation import METRIC_KINDS, resolve_metric
    from autometa.openml import read_task

    task = gathered.take(read_task, data, metric=metric, known_metrics=METRIC_KINDS, **table)
    return None if task is None else replace(task, metric=resolve_metric(task.metric, task.kind))


def _conclude(result: "Result", *, as_json: bool, trusted: bool = False) -> int:
    """Writes the report of a finished search and says what came of it."""
    from autometa.cli.show import emit, show_result

    left = IMPORTANCE_SECONDS
    if result.settings.seconds is not None:
        left = min(left, result.settings.seconds - (time.monotonic() - STARTED))
    path = _report(result, None, seconds=0.0 if result.interrupted else left, trusted=trusted)
    emit(result.summary()) if as_json else show_result(result, path)
    return INTERRUPTED if result.interrupted else 0


def _report(result: "Result", out: Path | None, *, seconds: float, trusted: bool) -> Path:
    """Writes the report; permutation importance is in it when there is time for it."""
    from autometa.report import measure, write

    path = out or result.run / "report.html"
    if seconds < LEAST_IMPORTANCE_SECONDS:
        return write(result, path, importance="There was no time left to measure it.")
    return write(result, path, importance=measure(result, seconds=seconds, trusted=trusted))


def _answers(model: Any, frame: Any, *, proba: bool) -> Any:
    """Predictions as a table with a column ``prediction`` and, if asked for, ``proba_LABEL`` for each class."""
    import pandas as pd

    if not proba:
        return pd.DataFrame({"prediction": model.predict(frame)})
    probabilities = model.predict_proba(frame)  # (n, c)
    labels = [model.classes[k] for k in probabilities.argmax(axis=1)]
    columns = {f"proba_{label}": probabilities[:, k] for k, label in enumerate(model.classes)}
    return pd.DataFrame({"prediction": labels, **columns})


def _memory(store: str | None) -> Any:
    """The store with the shipped memory under it."""
    from autometa.store import MetaStore

    return MetaStore.with_shipped(store)


def _own(store: str | None) -> Any:
    """The store alone."""
    from autometa.store import MetaStore

    return MetaStore(store)


def _grow(opened: Any, add: Any, as_json: bool) -> None:
    """Lets a store grow, and says by how much."""
    before = opened.info()
    add(opened)
    after = opened.info()
    grown = {f"new_{noun}": after[noun] - before[noun] for noun in ("tasks", "evaluations")}
    _done({"url": after["url"], **grown, "tasks": after["tasks"], "evaluations": after["evaluations"]}, as_json)


def _done(values: dict[str, Any], as_json: bool) -> None:
    """What was done, as JSON or for a person."""
    from autometa.cli.show import emit, show_record

    emit(values) if as_json else show_record(values)


# ------------------------------------------------------------------------------------------------- the door


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; gives its exit code."""
    atexit.register(gc.freeze)  # spares the half second that collecting everything costs a process that ends anyway
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a label that the terminal cannot show is no reason to stop
    try:
        return get_command(app).main(arguments, prog_name="autometa", standalone_mode=False) or 0
    except AutoMetaError as error:
        return refuse(error, as_json=as_json)
    except typer.TyperException as error:
        return refuse(InputError(usage_problem(error)), as_json=as_json)
    except OSError as error:  # a full disk, a folder without permission
        return refuse(StoreError(str(error)), as_json=as_json)
