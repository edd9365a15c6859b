"""Why a model answers as it does: ``autometa explain``."""

import shlex
import sys
import time as clock
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autometa.cli.app import AsJson, Offline, RunFolder, Trust, app, source_of
from autometa.cli.options import OPTIONS
from autometa.cli.reading import Download, Encoding, Header, LimitsOption, Member, Query, Sheet, reading_of
from autometa.cli.usage import Command
from autometa.errors import Problem

if TYPE_CHECKING:
    from autometa.explain import ModelExplanation
    from autometa.explain.shapley import Contributions
    from autometa.explain.slices import Slice
    from autometa.task import Task


@app.command(cls=Command)
def explain(
    run: RunFolder,
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATA", help="A table, as of predict; its rows are explained one by one."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Write each row of DATA with the contribution of every column, as CSV."
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option("--rows", metavar="N", help="Explain the first N rows only; default: all, in the time."),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="How long it may take; default: 20 s.")
    ] = None,
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
    """Say which columns a model needs, where it errs, and why a row is answered as it is.

    Without DATA it looks at rows that the run held out. With DATA whose answers are known it looks at these; --out
    explains every row by Shapley values, which add up to its answer.
    """
    from autometa.cli.targets import each_target, refuse_for_several, refuse_stdin
    from autometa.search import parts_of_run

    how = {"encoding": encoding, "header": header, "limits": limits, "sheet": sheet, "member": member, "query": query}
    reading: dict[str, Any] = {**how, "download": download}
    asked = _Explaining(data, out, rows, time, reading, offline, trust, as_json)
    if not (parts := parts_of_run(run)):
        _explain_one(run, asked)
        return
    refuse_for_several(parts, {"--out": out, "--rows": rows})
    refuse_stdin(source_of(data) if data else None)
    each_target(parts, run, lambda part: _explain_one(part, asked), as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Explaining:
    """What was asked of ``explain``."""

    data: list[str] | None
    out: Path | None
    rows: str | None
    time: str | None
    reading: dict[str, Any]
    offline: bool
    trust: bool
    as_json: bool


def _explain_one(run: Path, asked: _Explaining) -> None:
    """Explains the model of one run."""
    from autometa.explain import ModelExplanation, explain_table
    from autometa.explain import explain as explain_run
    from autometa.explain.rows import explained_rows
    from autometa.explain.shapley import background_of
    from autometa.openml import read_table
    from autometa.search import load_model, open_run
    from autometa.values import Gathered, check_writable, duration, whole

    data, out, rows, trust, as_json = asked.data, asked.out, asked.rows, asked.trust, asked.as_json
    gathered = Gathered()
    seconds = gathered.option(duration, "--time", asked.time)
    most = gathered.option(whole, "--rows", rows, 1)
    said = reading_of(gathered, **asked.reading)
    for name, value in (("--out", out), ("--rows", rows)):
        if value is not None and not data:
            gathered.problems.append(Problem(name, "is of a table", f"autometa explain {shlex.quote(str(run))} DATA"))
    gathered.take(check_writable, "--out", out)
    from autometa.cli.trusting import say_what_runs

    say_what_runs(run, trust)
    if not data:
        gathered.refuse()
        result, known = open_run(run, trusted=trust), ModelExplanation.load(run)
        if known is None or not known.importance or seconds is not None:
            known = explain_run(run, seconds=seconds, trusted=trust, result=result)
        show(run, known, slices_of(result.task, result.oof), result.task, as_json=as_json)
        return

    model = load_model(run, trusted=trust)
    source: Any = source_of(data)
    if model.schema.encoder:
        from autometa.cli.answers import encoded_source

        source = gathered.take(encoded_source, model, source, said)
        gathered.refuse()
    read = gathered.take(read_table, source, offline=asked.offline, **said, **model.schema.reading)
    gathered.refuse()
    assert read is not None
    frame = read[0]
    values: dict[str, Any] = {"run": str(run), "rows": len(frame)}
    budget = OPTIONS.explain_seconds if seconds is None else seconds
    until = clock.monotonic() + budget
    explained = None
    if out is not None or model.target not in frame.columns:
        wanted = frame if most is None else frame.head(most)
        task = open_run(run, trusted=trust).task
        X, _ = model.schema.apply_later(wanted)
        explained, table = explained_rows(model, background_of(task), X, until)
        if len(explained) < len(wanted):
            done = f"{len(explained):,} of {len(wanted):,} rows were explained in {budget:g} s"
            print(f"autometa: {done}; --time gives more.", file=sys.stderr)
        values |= {"explained": len(explained), "contributions": mean_sizes(explained)}
        if out is not None:
            table.to_csv(out, index=False)
            values["out"] = str(out)
    if model.target not in frame.columns:
        show_contributions(values, explained, as_json=as_json)
        return
    from autometa.explain.labelled import labelled_task

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said by predict
        answered = labelled_task(model, frame)
    known = explain_table(run, answered, seconds=max(until - clock.monotonic(), budget / 4), trusted=trust)
    show(run, known, slices_of(answered, model.answer(answered.X)), answered, as_json=as_json, also=values)
    if out is not None and not as_json:
        print(f"autometa: {values['explained']:,} rows are explained in {out}", file=sys.stderr)


def slices_of(task: "Task", prediction: Any) -> "list[Slice]":
    """Where predictions of a table are wrong more than elsewhere."""
    from autometa.explain.slices import find_slices, row_errors

    return find_slices(task, row_errors(task, prediction))


def mean_sizes(explained: "Contributions") -> list[dict[str, Any]]:
    """The mean size of each column's contributions, the largest first."""
    import numpy as np

    sizes = np.abs(explained.values).mean(axis=0) if len(explained) else np.zeros(len(explained.columns))
    order = np.argsort(-sizes, kind="stable")
    return [{"column": explained.columns[j], "mean_contribution": float(sizes[j])} for j in order]


def show(
    run: Path,
    known: "ModelExplanation",
    slices: "list[Slice]",
    task: "Task",
    *,
    as_json: bool,
    also: dict[str, Any] | None = None,
) -> None:
    """Prints which columns matter and where the model errs."""
    from dataclasses import asdict

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from autometa.cli.show import emit, page
    from autometa.report.words import metric_title, number
    from autometa.values import printable

    if as_json:
        emit({**(also or {"run": str(run)}), "metric": task.metric, "target": task.target, "said": known.words,
              **asdict(known), "slices": [asdict(one) for one in slices]})  # fmt: skip
        return
    console = page()
    title = metric_title(task.metric, task.positive_label)
    if known.importance:
        table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
        table.add_column("column", overflow="fold")
        table.add_column(Text(f"{printable(title)} is worse by"), justify="right", no_wrap=True)
        table.add_column("interval", justify="right", no_wrap=True)
        table.add_column("the answer", overflow="fold")
        for one in known.importance[: OPTIONS.important]:
            between = f"{number(one.low, 2)} to {number(one.high, 2)}" if one.low == one.low else ""
            table.add_row(Text(printable(one.column)), number(one.drop, 3), between, Text(printable(one.direction)))
        console.print(table)
        if len(known.importance) > OPTIONS.important:
            more = len(known.importance) - OPTIONS.important
            console.print(Text(f"and {more:,} more, with --json.", style="dim"))
    console.print(Text(printable(known.words), style="dim"))
    if slices:
        console.print()
        what = f"mean error in {printable(task.target)}" if task.kind == "regression" else "probability given away"
        table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
        table.add_column("where it errs more", overflow="fold")
        for heading in ("rows", what, "elsewhere"):
            table.add_column(Text(heading), justify="right")
        for part in slices:
            table.add_row(
                Text(printable(part.what)), f"{part.rows:,}", number(part.error, 3), number(part.elsewhere, 3)
            )
        console.print(table)


def show_contributions(values: dict[str, Any], explained: "Contributions | None", *, as_json: bool) -> None:
    """Prints how much columns contributed to the answers of a table, on average."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from autometa.cli.show import emit, page
    from autometa.report.words import number
    from autometa.values import printable

    if as_json:
        emit(values)
        return
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
    table.add_column("column", overflow="fold")
    table.add_column("moves an answer by, on average", justify="right")
    for one in values["contributions"][: OPTIONS.important]:
        table.add_row(Text(printable(one["column"])), number(one["mean_contribution"], 3))
    console = page()
    console.print(table)
    where = f" They are in {values['out']}." if "out" in values else " --out FILE writes them row by row."
    console.print(Text(f"Shapley values of {values['explained']:,} rows.{where}", style="dim"))
