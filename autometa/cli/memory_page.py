"""What the memory knows and proposes, for a person: recommendations, tasks of a store, what a collection added."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autometa.cli.options import OPTIONS
from autometa.cli.show import page, show_record, task_line
from autometa.live import origin_style
from autometa.origins import State
from autometa.report.words import (
    counted,
    evidence_values,
    family_label,
    metric_title,
    number,
    origin_words,
    own_parameters,
    setting,
    spoken_seconds,
    spoken_value,
)
from autometa.values import printable

if TYPE_CHECKING:
    from autometa.task import Task
    from autometa.transfer import Explanation, Recommendation


def show_recommendations(
    task: Task, recommendations: Sequence[Recommendation], explanation: Explanation | None = None
) -> None:
    """Configurations to try first, each with its reason; with an explanation, also what that rests on."""
    console = page()
    console.print(task_line(task))
    console.print()
    if explanation is not None:
        _show_explanation(console, explanation)
    for rank, recommendation in enumerate(recommendations, start=1):
        console.print(_title(rank, recommendation, interval=explanation is not None))
        settings = own_parameters(recommendation.config)
        words = ", ".join(f"{name}={setting(value)}" for name, value in settings.items()) or "its own defaults"
        lines = [Text(printable(words)), Text(printable(recommendation.reason), style="dim")]
        if explanation is not None and (details := _details(task, recommendation)):
            lines.append(Text("; ".join(details), style="dim"))
        for line in lines:
            console.print(Padding(line, (0, 0, 0, 5)))
        if explanation is not None and recommendation.evidence:
            console.print(Padding(_evidence(recommendation), (0, 0, 0, 5)))
    if not recommendations:
        console.print("The memory has nothing to recommend for a task of this kind.")


def _title(rank: int, recommendation: Recommendation, *, interval: bool) -> Text:
    """Family, origin and expected score of a recommendation."""
    title = Text(f"{rank:>3}  ", style="dim")
    title.append(family_label(recommendation.config["family"]), style="bold default not dim")
    style = origin_style(recommendation.origin)
    title.append(f"  {origin_words(recommendation.origin)}", style=f"{style} not dim".strip())
    if recommendation.expected is not None:
        title.append(f"  expected {recommendation.expected:.2f}", style="default not dim")
        if interval and recommendation.low is not None:
            title.append(f" ({recommendation.low:.2f} to {recommendation.high or 0.0:.2f})")
    return title


def _details(task: Task, recommendation: Recommendation) -> list[str]:
    """What an explanation adds to a recommendation, in words."""
    details = []
    unitless = task.kind != "regression" or task.metric == "r2"  # other metrics of numbers are in the target's unit
    if unitless and recommendation.score is not None:
        scores = (recommendation.score, recommendation.score_low, recommendation.score_high)
        middle, low, high = (spoken_value(task.metric, v) for v in scores if v is not None)
        details.append(f"{metric_title(task.metric)} on past tasks {middle} (80 %: {low} to {high})")
    if recommendation.over_default is not None:
        details.append(f"better than the best default with probability {recommendation.over_default:.2f}")
    return details


def _evidence(recommendation: Recommendation) -> Table:
    """The past tasks that a recommendation rests on."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("past task")
    table.add_column("similarity", justify="right")
    table.add_column("score there", justify="right")
    for evidence in recommendation.evidence:
        values = evidence_values(evidence)
        numbers = ("-" if v is None else number(float(v), 3) for v in (values["similarity"], values["score"]))
        table.add_row(*(Text(printable(cell)) for cell in (str(values["task"]), *numbers)))
    return table


def _show_explanation(console: Console, explanation: Explanation) -> None:
    """What recommendations rest on: the nearest past tasks, and what the best default would do."""
    known = f"{counted(explanation.tasks, 'past task')}, {counted(explanation.configurations, 'configuration')}"
    console.print(
        Text(f"The memory knows {known}. Expected: 0 = its lower quarter, 1 = the best it knows; 80 % interval.")
    )
    if explanation.abstains:
        console.print(Text(f"{explanation.abstains} So these are the static portfolio's.", style="yellow"))
    elif explanation.moved:
        console.print(Text("Past tasks are moved by what the learned ranker forecasts for this one."))
    if explanation.default is not None and explanation.default_expected is not None:
        low, high = explanation.default_low or 0.0, explanation.default_high or 0.0
        console.print(
            Text(
                f"The best default, that of {family_label(explanation.default['family'])}, is expected at "
                f"{explanation.default_expected:.2f} ({low:.2f} to {high:.2f})."
            )
        )
    if explanation.neighbours:
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
        for title in ("nearest past task", "distance", "alike in", "unlike in"):
            table.add_column(title, justify="right" if title == "distance" else "left")
        for n in explanation.neighbours:
            alike, unlike = (", ".join(names).replace("_", " ") for names in (n.agrees, n.differs))
            cells = (printable(n.task), f"{n.distance:.2f}", alike, unlike)
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)
        if explanation.usual_distance is not None:
            usual = f"Usual distance of a past task's fifth neighbour: {explanation.usual_distance:.2f}."
            console.print(Text(usual, style="dim"))
    console.print()


def show_collected(summary: Mapping[str, Any]) -> None:
    """What a collection added, and the tables that it could not read."""
    console = page()
    failed = f"; {summary['failed']} of them failed" if summary["failed"] else ""
    added = f"{counted(summary['evaluations'], 'new evaluation')} on {counted(summary['tables'], 'table')}"
    console.print(f"{added} in {spoken_seconds(summary['seconds'])}{failed}")
    for path, why in summary["unreadable"].items():
        console.print(Text(printable(f"  not read: {path}: {str(why).splitlines()[0]}"), style="yellow"))


def task_values(record: Any) -> dict[str, Any]:
    """A task record as JSON."""
    names = (
        "fingerprint", "name", "kind", "metric", "n_rows", "n_columns", "n_classes", "family",
        "openml_id", "space", "created", "source",
    )  # fmt: skip
    return {name: getattr(record, name) for name in names}


def show_tasks(records: Sequence[Any]) -> None:
    """Tasks, one a line."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
    table.add_column("task", overflow="ellipsis", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for title in ("rows", "columns", "classes"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("space", no_wrap=True)
    table.add_column("source", no_wrap=True)
    table.add_column("fingerprint", no_wrap=True, style="dim")
    for r in records:
        counts = (f"{count:,}" if count else "" for count in (r.n_rows, r.n_columns, r.n_classes))
        table.add_row(
            Text(printable(r.name)),
            r.kind,
            *counts,
            Text(printable(r.space)),
            Text(printable(r.source)),
            r.fingerprint[:12],
        )
    console = page()
    console.print(table)
    console.print(Text(counted(len(records), "task"), style="dim"))


def show_task(record: Any, evaluations: Sequence[Any]) -> None:
    """One task and its best evaluations."""
    show_record({k: v for k, v in task_values(record).items() if v is not None})
    complete = [
        e for e in evaluations if e.state == State.COMPLETE and math.isfinite(e.scores.get(record.metric, math.nan))
    ]
    complete.sort(key=lambda e: -e.scores[record.metric])
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
    table.add_column(metric_title(record.metric), justify="right", no_wrap=True)
    table.add_column("family", no_wrap=True)
    table.add_column("parameters", overflow="ellipsis", no_wrap=True)
    for e in complete[: OPTIONS.leaders]:
        settings = ", ".join(f"{k}={setting(v)}" for k, v in own_parameters(e.config).items())
        table.add_row(
            spoken_value(record.metric, e.scores[record.metric]),
            family_label(e.config.get("family", "")),
            Text(printable(settings)),
        )
    console = page()
    console.print(table)
    console.print(Text(f"{counted(len(evaluations), 'evaluation')}, {len(complete):,} complete", style="dim"))
