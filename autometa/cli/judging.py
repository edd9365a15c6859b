"""What a model is worth: ``autometa score`` on a labelled table, ``autometa compare`` of two runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autometa.cli.app import AsJson, Data, Offline, RunFolder, Trust, app, source_of
from autometa.cli.reading import (
    AllowMissing,
    Download,
    Encoding,
    Header,
    LimitsOption,
    Member,
    Query,
    Sheet,
    reading_of,
)
from autometa.cli.trusting import say_what_runs
from autometa.cli.usage import Command

if TYPE_CHECKING:
    from autometa.judging import Judgement, Versus

DropUnlabelled = Annotated[bool, typer.Option("--drop-missing-target", help="Leave out rows whose target is missing.")]


@app.command(cls=Command)
def score(
    run: RunFolder,
    data: Data,
    drop_missing_target: DropUnlabelled = False,
    allow_missing: AllowMissing = False,
    weight: Annotated[
        str | None, typer.Option("--weight", metavar="COL", help="How much each row counts; default: all the same.")
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
    """Judge a model on a labelled table, beside what was promised.

    Every metric with its interval, every pipeline of the run on the same rows, and whether the score differs from that
    out of fold by more than chance.
    """
    from autometa.cli.show import emit
    from autometa.cli.targets import each_target, refuse_stdin
    from autometa.judging import judge
    from autometa.search import parts_of_run
    from autometa.values import Gathered

    gathered = Gathered()
    reading = reading_of(
        gathered,
        encoding=encoding,
        header=header,
        limits=limits,
        sheet=sheet,
        member=member,
        query=query,
        download=download,
    )
    gathered.refuse()
    say_what_runs(run, trust, everything=True)
    if parts := parts_of_run(run):
        refuse_stdin(source_of(data))
        asked: dict[str, Any] = {
            "drop_missing_target": drop_missing_target,
            "allow_missing": allow_missing,
            "weight": weight,
        }

        def call(part: Path) -> None:
            one = judge(part, source_of(data), **asked, trusted=trust, reading={**reading, "offline": offline})
            emit({"run": str(part), **one.to_dict()}) if as_json else _show_judgement(one)

        each_target(parts, run, call, as_json=as_json)
        return
    found = judge(
        run,
        source_of(data),
        drop_missing_target=drop_missing_target,
        allow_missing=allow_missing,
        weight=weight,
        trusted=trust,
        reading={**reading, "offline": offline},
    )
    emit({"run": str(run), **found.to_dict()}) if as_json else _show_judgement(found)


@app.command(cls=Command)
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run; its metric judges.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of another.")],
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="TABLE", help="A labelled table to judge both on, instead of out of fold."),
    ] = None,
    drop_missing_target: DropUnlabelled = False,
    allow_missing: AllowMissing = False,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Say which of two runs is better, and whether by more than chance.

    Both are judged row by row on the same rows: out of fold where they are of one table, else on the table of --data.
    """
    from autometa.cli.show import emit
    from autometa.judging import compare as beside

    for run in (first, second):
        say_what_runs(run, trust)
    found = beside(
        first,
        second,
        data=data,
        drop_missing_target=drop_missing_target,
        allow_missing=allow_missing,
        trusted=trust,
    )
    emit({"first": str(first), "second": str(second), **found.to_dict()}) if as_json else _show_versus(found)


def _show_judgement(found: "Judgement") -> None:
    """Metrics, leaderboard, and what became of the promise, for a person."""
    from rich.text import Text

    from autometa.cli.show import page
    from autometa.report.verdict import interval_words
    from autometa.report.words import counted, family_label, metric_heading, metric_title, spoken_value
    from autometa.values import printable

    console, metric = page(), found.metric
    for note in found.notes:
        console.print(Text(printable(note), style="dim"))
    scores = _table(f"on {counted(found.rows, 'row')}", "score", "95 %", "out of fold")
    for name, one in found.scores.items():
        ends = "" if one.interval is None else interval_words(name, one.interval)
        before = "" if one.promised is None else spoken_value(name, one.promised)
        cells = (metric_heading(name, found.positive), spoken_value(name, one.score), ends, before)
        scores.add_row(*(Text(printable(cell), style="bold" if name == metric else "") for cell in cells))
    console.print(scores)
    if found.leaderboard:
        title = f"{metric_title(metric, found.positive)} of each"
        board = _table(printable(title), "here", "95 %", "out of fold", "trial", "weight")
        for judged in found.leaderboard:
            here = judged.here
            shown = (
                family_label(judged.family),
                spoken_value(metric, here.score),
                "" if here.interval is None else interval_words(metric, here.interval),
                "" if here.promised is None else spoken_value(metric, here.promised),
                str(judged.trial),
                f"{judged.weight:.0%}" if judged.weight else "",
            )
            board.add_row(*map(Text, shown))
        console.print()
        console.print(board)
    console.print()
    for line, style in _said(found):
        console.print(Text(printable(line), style=style))


def _said(found: "Judgement") -> list[tuple[str, str]]:
    """Whether the score differs from what was promised, and whether the rows are new."""
    from autometa.report.words import metric_title, number, own_unit, spoken_value

    lines, promise = [], found.promise
    if promise is not None:
        metric = found.metric
        words = f"{metric_title(metric, found.positive)} {spoken_value(metric, found.scores[metric].score)}, promised "
        words += spoken_value(metric, promise.score)
        off = number(abs(own_unit(metric, promise.difference)), 2)
        drift = "`autometa predict RUN DATA --drift` says which columns differ."
        verdicts = {
            "as promised": (f"{words}: within what chance alone explains.", "green"),
            "lower": (f"{words}: worse by {off}, more than chance explains. {drift}", "bold yellow"),
            "higher": (f"{words}: better by {off}, more than chance explains.", "green"),
        }
        lines.append(verdicts[promise.verdict])
    if found.seen:
        share = found.seen / found.rows
        what = f"{found.seen} of {found.rows} rows ({share:.0%}) are in the table that the run learned from"
        lines.append((f"{what}: the score is flattered by them.", "bold yellow"))
    return lines


def _show_versus(found: "Versus") -> None:
    """Two columns of scores, their difference, and the verdict, for a person."""
    from rich.text import Text

    from autometa.cli.show import page
    from autometa.report.words import counted, metric_heading, metric_title, number, own_unit, spoken_value
    from autometa.values import printable

    console, metric = page(), found.metric
    for note in found.notes:
        console.print(Text(printable(note), style="dim"))
    table = _table(f"on {counted(found.rows, 'row')}", "first", "second", "difference", "95 %", "better")
    for name, one in found.scores.items():
        between = sorted(own_unit(name, end) for end in one.interval or ())
        better = "" if one.verdict == "neither" else one.verdict
        cells = (
            metric_heading(name, found.positive),
            spoken_value(name, one.first),
            spoken_value(name, one.second),
            _signed(own_unit(name, one.difference)),
            " to ".join(map(_signed, between)),
            better,
        )
        table.add_row(*(Text(printable(cell), style="bold" if name == metric else "") for cell in cells))
    console.print(table)
    console.print()
    own, title = found.scores[metric], metric_title(metric, found.positive)
    words = f"By {title} neither is better beyond chance."
    if own.verdict != "neither":
        off = number(abs(own_unit(metric, own.difference)), 2)
        words = f"By {title} the {own.verdict} is better by {off}, more than chance explains."
    console.print(Text(printable(words), style="bold"))


def _signed(value: float) -> str:
    from autometa.report.words import number

    return f"{'+' if value > 0 else ''}{number(value, 3)}"


def _table(first: str, *others: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
