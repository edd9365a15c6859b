"""A table in, a model out: ``autometa fit``, ``resume``, ``predict`` and ``report``.

Longer than 400 lines by the options of its commands.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autometa.cli.app import (
    PROGRAM_STARTED,
    AsJson,
    Cache,
    Data,
    Device,
    DropMissing,
    Families,
    Group,
    Jobs,
    MaxRam,
    Metric,
    Offline,
    Positive,
    Rename,
    RunFolder,
    Seed,
    Server,
    Store,
    Target,
    Threshold,
    TimeOrder,
    TrialTime,
    Trust,
    app,
    budget_of,
    families_of,
    limits_of,
    source_of,
    task_of,
    threshold_of,
)
from autometa.cli.options import OPTIONS
from autometa.cli.reading import (
    AllowMissing,
    Costs,
    Download,
    Drop,
    EncoderName,
    EncoderOptions,
    Encoding,
    Header,
    Keep,
    Kind,
    LimitsOption,
    Member,
    MonotonicOption,
    Na,
    Query,
    Sheet,
    Types,
    Validation,
    Weight,
    options_said,
    reading_of,
)
from autometa.cli.searching import (
    Cold,
    Exportable,
    Fixed,
    Folds,
    InferLimit,
    LearnerOption,
    Members,
    NewRun,
    NoRemember,
    PatienceOption,
    PresetOption,
    SpaceFile,
    Time,
    TrialsOption,
    preset_of,
    searching_of,
)
from autometa.cli.spreading import ClusterAddress, Tls, cluster_of, spread
from autometa.cli.targets import (
    EachProgress,
    conclude_targets,
    fit_several,
    metrics_of,
    of_one_search,
    one_target,
    predict_targets,
    refuse_for_several,
    several_targets,
)
from autometa.cli.trusting import say_what_runs
from autometa.cli.usage import CLOSED, INTERRUPTED, Command
from autometa.errors import AutoMetaError, Problem

if TYPE_CHECKING:
    from autometa.search import Result
    from autometa.values import Gathered


@app.command(cls=Command)
def fit(
    data: Data,
    target: Target = None,
    metric: Metric = None,
    positive: Positive = None,
    group: Group = None,
    time_order: TimeOrder = None,
    weight: Weight = None,
    costs: Costs = None,
    monotonic: MonotonicOption = None,
    validation: Validation = None,
    drop_missing_target: DropMissing = False,
    rename_duplicates: Rename = False,
    server: Server = None,
    cache: Cache = None,
    offline: Offline = False,
    kind: Kind = None,
    keep: Keep = None,
    drop: Drop = None,
    types: Types = None,
    na: Na = None,
    encoding: Encoding = None,
    header: Header = None,
    limits: LimitsOption = None,
    sheet: Sheet = None,
    member: Member = None,
    query: Query = None,
    download: Download = False,
    encoder: EncoderName = None,
    encoder_option: EncoderOptions = None,
    preset: PresetOption = None,
    time: Time = None,
    trials: TrialsOption = None,
    jobs: Jobs = None,
    threshold: Threshold = None,
    families: Families = None,
    seed: Seed = "0",
    max_ram: MaxRam = None,
    trial_time: TrialTime = None,
    fixed: Fixed = None,
    space: SpaceFile = None,
    folds: Folds = None,
    patience: PatienceOption = None,
    members: Members = None,
    infer_limit: InferLimit = None,
    exportable: Exportable = False,
    fewshot: LearnerOption = None,
    device: Device = "auto",
    cluster: ClusterAddress = None,
    tls: Tls = None,
    store: Store = None,
    cold: Cold = False,
    no_remember: NoRemember = False,
    run: NewRun = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the search on a page while it runs, to this machine alone.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Find, tune and save a model for a table.

    Tries what worked on similar tables first, then searches; ends in a folder with the model and a report.
    """
    from autometa.values import Gathered, one_of

    gathered = Gathered()
    of_trials = limits_of(gathered, jobs, seed, max_ram, trial_time)
    gathered.option(one_of, "--device", device, ("auto", "cpu", "cuda"))
    wishes: dict[str, Any] = {"members": members, "infer_limit": infer_limit, "exportable": exportable}
    searching = searching_of(gathered, fixed=fixed, space=space, folds=folds, patience=patience, **wishes)
    asked = {**budget_of(gathered, time, trials), **searching, "families": families_of(gathered, families)}
    chosen, said = preset_of(gathered, preset, asked)
    labelled = threshold_of(gathered, threshold)
    cluster_of(gathered, cluster, tls)
    how: dict[str, Any] = {"encoding": encoding, "header": header, "sheet": sheet, "member": member, "query": query}
    columns: dict[str, Any] = {"keep": keep, "drop": drop, "types": types, "na": na, "monotonic": monotonic}
    reading = reading_of(gathered, kind=kind, positive=positive, **columns, limits=limits, **how, download=download)
    table: dict[str, Any] = {
        "target": target if several_targets(target) else one_target(target),
        "group": group,
        "time_order": time_order,
        "weight": weight,
        "costs": costs,
        "drop_missing_target": drop_missing_target,
        "rename_duplicates": rename_duplicates,
        "offline": offline,
        "server": server,
        "cache": cache,
    }
    fed = gathered.take(options_said, "--encoder-option", encoder_option)
    embedding: dict[str, Any] = {"encoder": encoder, "encoder_options": fed}
    if gathered.problems:  # nothing will be fitted, so look at the table as well: hear of everything at once
        _look_at_all(gathered, data, run, metric, {**table, **reading}, validation, searching["folds"])
    targets, metrics = several_targets(target), gathered.take(metrics_of, metric)
    gathered.problems += of_one_search({"--watch": watch}) if targets else []
    gathered.refuse()

    from autometa.cli.watching import followed
    from autometa.fitting import fit_file
    from autometa.fitting.learner import with_learner
    from autometa.live import live
    from autometa.search import Settings

    settings = with_learner(
        Settings(
            **of_trials, **chosen, store=store, cold=cold, remember=not no_remember, device=device, threshold=labelled
        ),
        fewshot,
    )
    if targets:
        how = {**table, **embedding, "reading": reading, "validation": validation, "settings": settings, "run": run}
        return fit_several(source_of(data), targets, metrics, how, said, where=(cluster, tls), as_json=as_json)
    with (
        live() as lines,
        followed(lines, run, data, wanted=watch) as (progress, run),
        spread(cluster, tls, progress.note) as executor,
    ):
        if said is not None:
            progress.note(said)
        result = fit_file(
            source_of(data),
            metric=metric,
            **table,
            **embedding,
            reading=reading,
            validation=validation,
            settings=settings,
            run=run,
            progress=progress,
            started=PROGRAM_STARTED,
            executor=executor,
        )
    return conclude(result, as_json=as_json)


def _look_at_all(
    gathered: "Gathered",
    data: list[str],
    run: Path | None,
    metric: str | None,
    table: dict[str, Any],
    validation: str | None,
    folds: int | None,
) -> None:
    """Gathers what is wrong with the tables and the folder as well, where options are wrong already."""
    from autometa.search import Run
    from autometa.task.vectors import may_have_images

    gathered.problems += Run.check_free(run) if run is not None else []
    if len(data) == 1 and may_have_images(data[0]):
        return  # which are encoded before they are a table
    targets = several_targets(table["target"])
    for name in targets or (table["target"],):
        task_of(gathered, data, None if targets else metric, {**table, "target": name})
    if validation is not None:
        from autometa.fitting import split_twice
        from autometa.openml import read_table

        gathered.problems += split_twice(folds, table["group"], table["time_order"])
        gathered.take(read_table, validation, offline=table["offline"])


@app.command(cls=Command)
def resume(
    run: RunFolder,
    time: Annotated[str | None, typer.Option("--time", metavar="TIME", help="Time to add to what was left.")] = None,
    trials: Annotated[str | None, typer.Option("--trials", metavar="N", help="Trials to add to what was left.")] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="URL", help="Its memory, where that is another now, or needs its password again."
        ),
    ] = None,
    cluster: ClusterAddress = None,
    tls: Tls = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a run that was stopped or killed.

    No finished trial is lost. What was left of its budget is spent, and what --time or --trials add.
    """
    from autometa.values import Gathered

    gathered = Gathered()
    budget = budget_of(gathered, time, trials)
    cluster_of(gathered, cluster, tls)
    gathered.refuse()

    from autometa.fitting import resume_run, resume_targets
    from autometa.live import live
    from autometa.search import parts_of_run

    if parts_of_run(run):
        telling = EachProgress()
        with spread(cluster, tls, telling.note) as executor:
            results = resume_targets(run, **budget, telling=telling, trusted=trust, store=store, executor=executor)
        return conclude_targets(results, as_json=as_json)
    say_what_runs(run, trust, everything=True)
    with live() as progress, spread(cluster, tls, progress.note) as executor:
        result = resume_run(run, **budget, progress=progress, trusted=trust, store=store, executor=executor)
    return conclude(result, as_json=as_json)


@app.command(cls=Command)
def predict(
    run: RunFolder,
    data: Data,
    proba: Annotated[bool, typer.Option("--proba", help="Add a column proba_LABEL for each class.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write them here: CSV, or parquet where it ends so."),
    ] = None,
    carry: Annotated[
        str | None, typer.Option("--id", metavar="COL,...", help="Columns of the table to write beside the answers.")
    ] = None,
    keep_columns: Annotated[bool, typer.Option("--keep-columns", help="All of them.")] = False,
    allow_missing: AllowMissing = False,
    threshold: Annotated[
        str | None,
        typer.Option("--threshold", metavar="VALUE", help="Probability from which a row is positive, for this once."),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            "--interval",
            metavar="LEVEL",
            help="Such as 0.9: add lower and upper, or of classes prediction_set, that hold the truth so often.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="COL",
            help="With --interval: each category of this column has that share, not only all rows.",
        ),
    ] = None,
    drift: Annotated[
        bool, typer.Option("--drift", help="Say how the table differs from the training table; no answers.")
    ] = False,
    escape_formulas: Annotated[
        bool, typer.Option("--escape-formulas", help="Put an apostrophe before cells that a spreadsheet would run.")
    ] = False,
    encoding: Encoding = None,
    header: Header = None,
    limits: LimitsOption = None,
    sheet: Sheet = None,
    member: Member = None,
    query: Query = None,
    download: Download = False,
    offline: Offline = False,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Predict the rows of a table, as CSV.

    The answers are in the column `prediction`, in the target's own labels.
    """
    from autometa.cli.answers import Answering, answer, encoded_source, parts_of, show_drift
    from autometa.cli.reading import listed_names
    from autometa.openml import read_table
    from autometa.search import load_model, parts_of_run
    from autometa.task.read.batches import Batches
    from autometa.values import Gathered, check_writable, probability, share

    gathered = Gathered()
    say_what_runs(run, trust)
    parts = parts_of_run(run)
    if parts:
        refuse_for_several(parts, {"--threshold": threshold, "--by": by, "--drift": drift})
    model = load_model(next(iter(parts.values()), run), trusted=trust)
    said = reading_of(
        gathered,
        encoding=encoding,
        header=header,
        limits=limits,
        sheet=sheet,
        member=member,
        query=query,
        download=download,
    )
    source: Any = source_of(data)
    if model.schema.encoder:
        source = gathered.take(encoded_source, model, source, said)
        gathered.refuse()
    if parts:
        level = gathered.option(share, "--interval", interval)
        gathered.take(check_writable, "--out", out)
        gathered.refuse()
        beside = listed_names(carry or "")
        asked = Answering(
            run, proba, out, beside, allow_missing, escape_formulas, as_json, None, level, keep=keep_columns
        )
        predict_targets(parts, source, asked, trusted=trust, offline=offline, said=said)
        return
    if not drift and (out is not None or not as_json):  # else all of it is needed at once
        parted = gathered.take(parts_of, source, model, carry, keep_columns=keep_columns, **said)
        source = source if parted is None else parted
    read: Any = source
    if not isinstance(source, Batches):
        whole = gathered.take(read_table, source, offline=offline, allow_empty=True, **said, **model.schema.reading)
        read = None if whole is None else whole[0]
    if proba and model.kind == "regression":
        gathered.problems.append(
            Problem("--proba", f"{model.target!r} is a number, and has no probabilities", "Leave it out.")
        )
    limit = gathered.option(probability, "--threshold", threshold)
    if limit is not None:
        gathered.take(model.check_threshold, limit)
    level = gathered.option(share, "--interval", interval)
    if level is not None:
        gathered.take(model.check_interval, level, by)
    elif by is not None and interval is None:
        gathered.problems.append(Problem(f"--by {by}", "is for --interval", "Add --interval 0.9, or leave it out."))
    gathered.take(check_writable, "--out", out)
    if out is None and "stdout" in CLOSED:
        gathered.problems.append(Problem("standard output", "is closed", "Name a file with --out."))
    gathered.refuse()
    assert read is not None
    if drift:
        show_drift(model, read, allow_missing=allow_missing, as_json=as_json)
        return
    names = read.names if isinstance(read, Batches) else read.columns
    beside = tuple(names) if keep_columns else listed_names(carry or "")
    answer(model, read, Answering(run, proba, out, beside, allow_missing, escape_formulas, as_json, limit, level, by))


@app.command(cls=Command)
def report(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to write it; default: report.html in the run."),
    ] = None,
    no_rows: Annotated[
        bool, typer.Option("--no-rows", help="Leave out the rows that the model gets most wrong, and their cells.")
    ] = False,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Write what happened in a run as one HTML file.

    It opens offline, in any browser.
    """
    from autometa.cli.show import emit
    from autometa.explain import ModelExplanation, explain
    from autometa.report import write
    from autometa.search import open_run, parts_of_run

    if parts := parts_of_run(run):
        from autometa.fitting import open_targets

        refuse_for_several(parts, {"--out": out, "--no-rows": no_rows})
        conclude_targets(open_targets(run, trusted=trust), as_json=as_json)
        return
    say_what_runs(run, trust)
    result, known = open_run(run, trusted=trust), ModelExplanation.load(run)
    if known is None or not known.importance:
        known = explain(run, seconds=OPTIONS.importance_seconds, thorough=False, trusted=trust, result=result)
    path = write(result, out or run / "report.html", explanation=known, rows=not no_rows)
    if as_json:
        emit({"run": str(run), "report": str(path)})
    else:
        print(path)


def conclude(result: "Result", *, as_json: bool) -> int:
    """Writes the report of a finished search and says what came of it."""
    from autometa.cli.result_page import show_result
    from autometa.cli.show import emit
    from autometa.report import write

    path: Path | None = None
    try:
        path = write(result, result.run / "report.html")
    except (AutoMetaError, OSError) as error:  # the model is there, and whoever asked for it has it
        print(f"autometa: the report was not written: {error}. `autometa report {result.run}` does.", file=sys.stderr)
    emit(result.summary()) if as_json else show_result(result, path)
    return INTERRUPTED if result.interrupted else 0
