"""What a command prints at its end: one JSON value for a program, a page for a person.

Names from somebody's table are printed as text, never as markup, and without control characters.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autometa.cli.values import printable
from autometa.report.words import (
    counted,
    evidence_values,
    family_label,
    metric_title,
    number,
    origin_words,
    own_unit,
    setting,
    spoken_bytes,
    spoken_score,
    spoken_seconds,
    spoken_value,
)

if TYPE_CHECKING:
    from autometa.recommend import Explanation, Recommendation
    from autometa.search import Result, TrialRow
    from autometa.task import Task

LEADERS = 10  # rows of the leaderboard
WIDEST = 110  # columns; wider lines are hard to read
PIPED = 100  # columns where the output is not a terminal

ORIGIN_STYLES = {"default": "", "portfolio": "cyan", "similar": "magenta", "surrogate": "yellow", "search": "blue"}


def emit(value: Any) -> None:
    """Prints one JSON value; what is not a number (NaN, infinity) becomes null."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def console_width(console: Console) -> int:
    """Columns to use: the terminal's, as far as lines stay readable."""
    return min(console.width, WIDEST)


def page() -> Console:
    """Standard output for a person; in a pipe without the blanks that fill a line."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.width = console_width(console)
        return console
    return Console(file=cast(IO[str], _Trimmed()), highlight=False, width=PIPED)


class _Trimmed(io.TextIOBase):
    """Standard output without blanks at the ends of lines."""

    def write(self, text: str) -> int:
        return sys.stdout.write(re.sub(r" +$", "", text, flags=re.MULTILINE))


def show_result(result: Result, report: Path) -> None:
    """What came of a search: data, leaderboard, model, what the memory was worth, where everything is, what next."""
    console = page()
    task, metric = result.task, result.task.metric
    console.print()
    facts = f"{counted(task.n, 'row')} × {counted(task.p, 'column')}, predicting {printable(task.target)!r}"
    console.print(
        Text.assemble(
            (printable(task.name), "bold"), f"  {facts}: {_kind_words(task)}, judged by {metric_title(metric)}"
        )
    )
    console.print(_leaderboard(result))
    failed = Counter(t.evaluation.state for t in result.trials if t.evaluation.state not in ("complete", "stopped"))
    tried = f"{counted(len(result.trials), 'configuration')} tried in {spoken_seconds(result.seconds)}"
    if failed:
        tried += "; " + ", ".join(f"{count} {_STATES.get(state, state)}" for state, count in failed.items())
    console.print(Text(f"{tried}{'; interrupted' if result.interrupted else ''}.", style="dim"))
    console.print()

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("model", _model_words(result))
    grid.add_row("memory", Text(warm_start_words(result)))
    grid.add_row("saved", Text(str(result.model)))
    grid.add_row("report", Text(str(report)))
    grid.add_row("next", Text(f"autometa predict {_quoted(result.run)} new.csv", style="bold"))
    console.print(grid)


def warm_start_words(result: Result) -> str:
    """What the memory was worth: how far its proposals got, how far the others, and who found the best."""
    metric = result.task.metric
    complete = [t for t in result.trials if t.evaluation.state == "complete"]
    warm, others = [t for t in complete if t.proposed], [t for t in complete if not t.proposed]
    if result.settings.cold:
        return "not used (--cold)"
    if not warm:
        proposed = sum(t.proposed for t in result.trials)
        in_vain = f"proposed {counted(proposed, 'configuration')}, none of which could be evaluated here"
        return in_vain if proposed else "had nothing to offer for this task yet"
    best = result.best
    best_warm = max(warm, key=lambda t: t.evaluation.scores[metric])
    words = f"its {counted(len(warm), 'proposal')} reached {spoken_value(metric, best_warm.evaluation.scores[metric])}"
    words += f" after {spoken_seconds(best_warm.finished)} (trial {best_warm.number})"
    if others:
        best_other = max(others, key=lambda t: t.evaluation.scores[metric])
        words += f"; the best of the others {spoken_value(metric, best_other.evaluation.scores[metric])}"
        words += f" ({origin_words(best_other.origin)}, trial {best_other.number})"
    return f"{words}. The best trial, {best.number}, came from {_ORIGIN_PHRASES.get(best.origin, best.origin)}."


def show_recommendations(
    task: Task, recommendations: Sequence[Recommendation], explanation: Explanation | None = None
) -> None:
    """Configurations to try first, each with its reason; with an explanation, also what that rests on."""
    console = page()
    facts = f"{counted(task.n, 'row')} × {counted(task.p, 'column')}, predicting {printable(task.target)!r}"
    console.print(
        Text.assemble(
            (printable(task.name), "bold"), f"  {facts}: {_kind_words(task)}, judged by {metric_title(task.metric)}"
        )
    )
    console.print()
    if explanation is not None:
        _show_explanation(console, explanation)
    unitless = task.kind != "regression" or task.metric == "r2"  # other metrics of numbers are in the target's unit
    for rank, recommendation in enumerate(recommendations, start=1):
        title = Text(f"{rank:>3}  ", style="dim")
        title.append(family_label(recommendation.config["family"]), style="bold default not dim")
        style = ORIGIN_STYLES.get(recommendation.origin, "")
        title.append(f"  {origin_words(recommendation.origin)}", style=f"{style} not dim".strip())
        if recommendation.expected is not None:
            title.append(f"  expected {recommendation.expected:.2f}", style="default not dim")
            if explanation is not None and recommendation.low is not None:
                title.append(f" ({recommendation.low:.2f} to {recommendation.high or 0.0:.2f})")
        console.print(title)
        settings = parameters_of(recommendation.config)
        lines = [", ".join(f"{name}={setting(value)}" for name, value in settings.items()) or "its own defaults"]
        console.print(Padding(Text(printable(lines[0])), (0, 0, 0, 5)))
        console.print(Padding(Text(printable(recommendation.reason), style="dim"), (0, 0, 0, 5)))
        if explanation is None:
            continue
        details = []
        if unitless and recommendation.score is not None:
            scores = (recommendation.score, recommendation.score_low, recommendation.score_high)
            middle, low, high = (spoken_value(task.metric, v) for v in scores if v is not None)
            details.append(f"{metric_title(task.metric)} on past tasks {middle} (80 %: {low} to {high})")
        if recommendation.over_default is not None:
            details.append(f"better than the best default with probability {recommendation.over_default:.2f}")
        if details:
            console.print(Padding(Text("; ".join(details), style="dim"), (0, 0, 0, 5)))
        if recommendation.evidence:
            table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
            table.add_column("past task")
            table.add_column("similarity", justify="right")
            table.add_column("score there", justify="right")
            for evidence in recommendation.evidence:
                table.add_row(*(Text(printable(cell)) for cell in evidence_cells(evidence)))
            console.print(Padding(table, (0, 0, 0, 5)))
    if not recommendations:
        console.print("The memory has nothing to recommend for a task of this kind.")


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


def evidence_cells(evidence: Any) -> tuple[str, str, str]:
    """A piece of evidence as (past task, similarity, score there)."""
    values = evidence_values(evidence)
    similarity, score = ("-" if v is None else number(float(v), 3) for v in (values["similarity"], values["score"]))
    return str(values["task"]), similarity, score


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's own parameters, without the family before their names."""
    prefix = f"{config['family']}." if "family" in config else ""
    return {name.removeprefix(prefix): value for name, value in config.items() if name != "family"}


def show_record(values: Mapping[str, Any]) -> None:
    """A few facts, one a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        if name == "bytes":
            value = spoken_bytes(value)
        elif isinstance(value, Mapping):
            value = ", ".join(f"{k} {number(v)}" for k, v in value.items())
        elif isinstance(value, (list, tuple, set, frozenset)):
            value = ", ".join(str(v) for v in value)
        table.add_row(name.replace("_", " "), Text(printable(number(value))))
    page().print(table)


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
        "fingerprint",
        "name",
        "kind",
        "metric",
        "n_rows",
        "n_columns",
        "n_classes",
        "family",
        "openml_id",
        "space",
        "created",
        "source",
    )
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
        e for e in evaluations if e.state == "complete" and math.isfinite(e.scores.get(record.metric, math.nan))
    ]
    complete.sort(key=lambda e: -e.scores[record.metric])
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
    table.add_column(metric_title(record.metric), justify="right", no_wrap=True)
    table.add_column("family", no_wrap=True)
    table.add_column("parameters", overflow="ellipsis", no_wrap=True)
    for e in complete[:LEADERS]:
        settings = ", ".join(f"{k}={setting(v)}" for k, v in parameters_of(e.config).items())
        table.add_row(
            spoken_value(record.metric, e.scores[record.metric]),
            family_label(e.config.get("family", "")),
            Text(printable(settings)),
        )
    console = page()
    console.print(table)
    console.print(Text(f"{counted(len(evaluations), 'evaluation')}, {len(complete):,} complete", style="dim"))


# ------------------------------------------------------------------------------------------------- parts

_STATES = {"failed": "failed", "timeout": "ran out of time", "memory": "ran out of memory", "crashed": "crashed"}
_ORIGIN_PHRASES = {
    "default": "the library's defaults",
    "portfolio": "the portfolio of past tasks",
    "similar": "similar past tasks",
    "surrogate": "the search that past tasks guide",
    "search": "the search",
}


def _kind_words(task: Task) -> str:
    return f"{task.kind}, {len(task.classes)} classes" if task.kind == "multiclass" else task.kind


def _leaderboard(result: Result) -> Table:
    metric = result.task.metric
    weights = dict(result.members)
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column("family", no_wrap=True)
    table.add_column(
        f"{metric_title(metric)} {'↑' if own_unit(metric, 1.0) > 0 else '↓'}", justify="right", no_wrap=True
    )
    table.add_column("fit", justify="right", no_wrap=True)
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column("from", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    complete = [t for t in result.trials if t.evaluation.state == "complete"]
    complete.sort(key=lambda t: (-t.evaluation.scores[metric], t.number))
    for rank, trial in enumerate(complete[:LEADERS], start=1):
        e = trial.evaluation
        table.add_row(
            str(rank),
            Text(family_label(e.config["family"]), style="bold" if rank == 1 else ""),
            spoken_value(metric, e.scores[metric], _spread(trial, metric)),
            spoken_seconds(e.fit_seconds),
            str(trial.number),
            Text(origin_words(trial.origin), style=ORIGIN_STYLES.get(trial.origin, "")),
            f"{weights[trial.number]:.0%}" if trial.number in weights else "",
        )
    return table


def _spread(trial: TrialRow, metric: str) -> float | None:
    """Standard deviation over the folds; None with fewer than two."""
    folds = [f for f in trial.evaluation.folds.get(metric, ()) if math.isfinite(f)]
    if len(folds) < 2:
        return None
    mean = sum(folds) / len(folds)
    return math.sqrt(sum((f - mean) ** 2 for f in folds) / len(folds))


def _model_words(result: Result) -> Text:
    metric = result.task.metric
    score = spoken_score(metric, result.score, result.score_std)
    if len(result.members) > 1:
        return Text.assemble(f"an ensemble of {len(result.members)} pipelines, ", (score, "bold green"), " out of fold")
    family = family_label(result.best.evaluation.config["family"])
    return Text.assemble(f"{family} (trial {result.members[0][0]}), ", (score, "bold green"), " out of fold")


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _plain(value: Any) -> Any:
    """JSON-safe: paths as text, arrays as lists, records as objects, what is not a finite number as null."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)
