"""What past tasks say, and more of them: ``autometa recommend`` and ``collect``."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from autometa.cli.app import (
    AsJson,
    Cache,
    Data,
    DropMissing,
    Families,
    Group,
    Jobs,
    MaxRam,
    Metric,
    Offline,
    Rename,
    Seed,
    Server,
    Store,
    Target,
    TimeOrder,
    TrialTime,
    app,
    families_of,
    limits_of,
    task_of,
)
from autometa.cli.reading import (
    Download,
    Drop,
    Encoding,
    Header,
    Keep,
    Kind,
    LimitsOption,
    Member,
    Na,
    Query,
    Sheet,
    Types,
    reading_of,
)
from autometa.cli.spreading import ClusterAddress, Tls, cluster_of, spread
from autometa.cli.usage import Command
from autometa.errors import Problem


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
    families: Families = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Say what to try first on a table, and why.

    Nothing is fitted: this is what the memory knows.
    """
    from autometa.cli.memory_page import show_recommendations
    from autometa.cli.show import emit
    from autometa.values import Gathered, whole

    gathered = Gathered()
    m = gathered.option(whole, "-n", n, 1)
    chosen = families_of(gathered, families)
    table: dict[str, Any] = {
        "target": target,
        "group": group,
        "time_order": time_order,
        "drop_missing_target": drop_missing_target,
        "rename_duplicates": rename_duplicates,
        "offline": offline,
        "server": server,
        "cache": cache,
    }
    table |= reading_of(
        gathered,
        kind=kind,
        keep=keep,
        drop=drop,
        types=types,
        na=na,
        encoding=encoding,
        header=header,
        limits=limits,
        sheet=sheet,
        member=member,
        query=query,
        download=download,
    )
    task = task_of(gathered, data, metric, table)
    gathered.refuse()
    assert m is not None
    assert task is not None

    from dataclasses import fields

    from autometa.search.proposals import proposals_for

    recommendations, explanation = proposals_for(task, m, families=chosen, store=store, explain=explain)
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
        typer.Argument(metavar="PATHS", help="Tables, folders of them, openml:task/31, openml:data/61."),
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
        str,
        typer.Option(
            "--rows",
            metavar="N,...",
            help="Larger tables are sampled down to N rows; several: to each of them, for learning curves.",
        ),
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
    cluster: ClusterAddress = None,
    tls: Tls = None,
    as_json: AsJson = False,
) -> None:
    """Fill a store: the same configurations on many tables.

    Stop it at any moment and start it again: what is in the store is not done twice.
    """
    from autometa.values import Gathered, duration, names, whole

    gathered = Gathered()
    if store is None:
        gathered.problems.append(Problem("--store", "say which store to fill", "Such as --store memory.db."))
    asked = {
        "configs": gathered.option(whole, "--configs", configs, 1),
        "families": families_of(gathered, families),
        "winning": gathered.option(whole, "--winners", winners, 0),
        "searched": gathered.option(whole, "--search", search, 0),
        "folds": gathered.option(whole, "--folds", folds, 1),
        "seconds": gathered.option(duration, "--time", time),
        **limits_of(gathered, jobs, seed, max_ram, trial_time),
    }
    sizes = [gathered.option(whole, "--rows", part, 1) for part in names(rows) or [rows]]
    cluster_of(gathered, cluster, tls)
    from autometa.collect import CollectOptions, find_sources, learning_curves

    sources = gathered.take(find_sources, paths, catalog)
    gathered.refuse()
    assert sources is not None

    from autometa.cli.memory_page import show_collected
    from autometa.cli.show import emit
    from autometa.live import counting
    from autometa.store import MetaStore

    with counting("collecting") as tell:
        given: Any = {name: value for name, value in asked.items() if value is not None}
        collected = CollectOptions(**given, offline=offline)
        with spread(cluster, tls, partial(tell, 0, 0)) as executor:
            counts = [size for size in sizes if size is not None]
            summary = learning_curves(sources, MetaStore(store), counts, collected, tell=tell, executor=executor)
    emit(summary) if as_json else show_collected(summary)
