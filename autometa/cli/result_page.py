"""What came of a search, for a person: the leaderboard, the model, what the memory was worth, and what to do next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from autometa.cli.options import OPTIONS
from autometa.cli.show import facts_grid, page, task_line
from autometa.evaluation import threshold_of
from autometa.live import origin_style
from autometa.origins import Origin
from autometa.report.verdict import dummy_words, ends_words, made_words, scored, warning
from autometa.report.words import (
    counted,
    family_label,
    held_out_words,
    metric_heading,
    origin_words,
    score_words,
    spoken_seconds,
    spoken_value,
)
from autometa.search import Ends, leaderboard
from autometa.values import printable, spoken_brief

if TYPE_CHECKING:
    from autometa.search import Result


def show_result(result: Result, report: Path | None) -> None:
    """What came of a search: data, leaderboard, model, what the memory was worth, where everything is, what next."""
    console = page()
    console.print()
    console.print(task_line(result.task))
    console.print(_leaderboard(result))
    tried = f"{counted(len(result.trials), 'configuration')} tried in {spoken_seconds(result.seconds)}"
    tried += f": {ends_words(Ends.of(result.trials))}"
    console.print(Text(f"{tried}{'; interrupted' if result.interrupted else ''}.", style="dim"))
    console.print()

    grid = facts_grid()
    grid.add_row("model", _model_words(result))
    if (dummy := dummy_words(result)) is not None:
        grid.add_row("dummy", Text(printable(dummy)))
    if (doubt := warning(result)) is not None:
        grid.add_row("warning", Text(printable(doubt), style="bold yellow"))
    if (made := made_words(result)) is not None:
        grid.add_row("columns", Text(printable(f"made of yours: {made}")))
    if result.weights:
        grid.add_row("labels", Text(printable(label_words(result))))
    grid.add_row("memory", Text(warm_start_words(result)))
    grid.add_row("saved", Text(str(result.model)))
    if report is not None:
        grid.add_row("report", Text(str(report)))
    grid.add_row("next", Text(f"autometa predict {shlex.quote(str(result.run))} new.csv", style="bold"))
    console.print(grid)


def warm_start_words(result: Result) -> str:
    """What the memory was worth: how far its proposals got, how far the others, and who found the best."""
    if result.settings.cold:
        return "not used (--cold)"
    metric, warm = result.task.metric, result.warm_start
    if not warm.proposed and result.was_hurried:
        return "was not asked: there was no time for it"
    if not warm.proposed:
        return "had nothing to offer for this task yet"
    if warm.best_proposed is None:
        return f"proposed {counted(warm.proposed, 'configuration')}, none of which could be evaluated here"
    reached = spoken_value(metric, warm.best_proposed.evaluation.scores[metric])
    words = f"its {counted(warm.evaluated, 'proposal')} reached {reached}"
    words += f" after {spoken_seconds(warm.best_proposed.finished)} (trial {warm.best_proposed.number})"
    if (other := warm.best_other) is not None:
        words += f"; the best of the others {spoken_value(metric, other.evaluation.scores[metric])}"
        words += f" ({origin_words(other.origin)}, trial {other.number})"
    origin = Origin.read(result.best.origin)
    phrase = result.best.origin if origin is None else origin.phrase
    return f"{words}. The best trial, {result.best.number}, came from {phrase}."


def label_words(result: Result) -> str:
    """How labels come from probabilities, where it is not by the most probable class."""
    task = result.task
    if task.kind == "binary":
        limit = threshold_of(result.weights, task.positive)
        how = "where it costs least" if task.costs else "--threshold asks for another"
        return f"{task.positive_label!r} from a probability of {limit:.3g}, {how}"
    if task.costs:
        return "those of the least expected cost"
    weighted = [f"{one} ×{weight:.2g}" for one, weight in zip(task.classes, result.weights, strict=True)]
    return f"the largest probability after weighing: {', '.join(weighted[: OPTIONS.reasons])}"


def _leaderboard(result: Result) -> Table:
    metric = result.task.metric
    weights = dict(result.members)
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, pad_edge=False)
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column("family", no_wrap=True)
    for title in (metric_heading(metric, result.task.positive_label), "fit", "trial"):
        table.add_column(Text(printable(title)), justify="right", no_wrap=True)
    limited = result.settings.infer_limit is not None
    if limited:
        table.add_column("a row", justify="right", no_wrap=True)
    table.add_column("from", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    for rank, trial in enumerate(leaderboard(result.trials, metric)[: OPTIONS.leaders], start=1):
        evaluation = trial.evaluation
        table.add_row(
            str(rank),
            Text(family_label(evaluation.config["family"]), style="bold" if rank == 1 else ""),
            score_words(trial, metric),
            spoken_seconds(evaluation.fit_seconds),
            str(trial.number),
            *([spoken_brief(trial.row_seconds)] if limited else []),
            Text(origin_words(trial.origin), style=origin_style(trial.origin)),
            f"{weights[trial.number]:.0%}" if trial.number in weights else "",
        )
    return table


def _model_words(result: Result) -> Text:
    score, where = printable(scored(result)), f" {held_out_words(result.task)}"
    if len(result.members) > 1:
        return Text.assemble(f"an ensemble of {len(result.members)} pipelines, ", (score, "bold green"), where)
    family = family_label(result.best.evaluation.config["family"])
    return Text.assemble(f"{family} (trial {result.members[0][0]}), ", (score, "bold green"), where)
