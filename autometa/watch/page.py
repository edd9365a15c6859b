"""What the page shows of a run at one moment, from the parts of the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.origins import Origin
from autometa.report.html import Markup, join, tag
from autometa.report.page import KIND_TITLES, document
from autometa.report.parts import Report, figures, origin, table, version
from autometa.report.sections import memory, outcome
from autometa.report.trials import board, failures, search
from autometa.report.verdict import ends_words
from autometa.report.words import (
    family_label,
    metric_title,
    rows_words,
    score_words,
    spoken_seconds,
    spoken_value,
)
from autometa.search import Ends
from autometa.watch.options import OPTIONS

if TYPE_CHECKING:
    from autometa.search import TrialRow
    from autometa.search.sight import Sight

SCRIPT, STYLE = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("watch.js", "watch.css"))
TITLES = {
    "now": "Now",
    "search": "Search",
    "origins": "Where trials came from",
    "leaderboard": "Leaderboard",
    "memory": "What the memory said",
    "failures": "Failures",
    "notes": "Notes",
}


def watch_page(name: str) -> str:
    """The page before anything is on it; its script fills the sections."""
    sections = [(key, title, tag("div", id=f"{key}-content")) for key, title in TITLES.items()]
    times = {"ask": OPTIONS.ask_ms, "askFinished": OPTIONS.ask_finished_ms}
    return document(
        f"{name} · AutoMeta",
        name,
        "",
        sections,
        script=SCRIPT.replace("TIMES", json.dumps(times)),
        style=STYLE,
        connects=True,
        foot=f"Shown by AutoMeta {version()}, to this machine alone. It looks at the run and changes nothing.",
    )


def head_of(sight: Sight) -> str:
    """The line under the name of the table."""
    task = sight.result.task
    what = f"{KIND_TITLES[task.kind]} of “{task.target}” from {task.p:,} columns and {rows_words(task)}"
    return f"{what}, judged by {metric_title(task.metric, task.positive_label)}"


def contents_of(sight: Sight, stage: str, notes: Sequence[str]) -> dict[str, str]:
    """The content of each section, as markup; empty where there is nothing to say."""
    report = Report.of(sight.result, rows=False)
    tried = bool(sight.result.trials)
    shown: dict[str, Any] = {
        "now": _now(sight, report, stage),
        "search": search(report) if tried else None,
        "origins": _origins(report) if tried else None,
        "leaderboard": board(report) if tried else None,
        "memory": memory(report),
        "failures": failures(report) if tried else None,
        "notes": tag("ul", [tag("li", note) for note in notes], cls="notes") if notes else None,
    }
    return {name: "" if content is None else str(content) for name, content in shown.items()}


def _now(sight: Sight, report: Report, stage: str) -> Markup:
    """The best so far, how far the budget is spent, and what is being tried."""
    result = sight.result
    if sight.state == "finished":
        told = tag("p", "The search is finished. ", tag("code", f"{result.run}/report.html"), " says all of it.")
        return join([told, outcome(report)])
    ends = Ends.of(result.trials)
    best = report.leaders[0] if report.leaders else None
    metric = metric_title(report.metric, report.task.positive_label)
    score = "nothing yet" if best is None else spoken_value(report.metric, report.score(best))
    facts = [
        (score, f"best {metric} so far", ""),
        (f"{len(result.trials):,}", "trials" if sight.trials is None else f"of {sight.trials:,} trials",
         ends_words(ends) if result.trials else ""),
    ]  # fmt: skip
    bar = tag("div", tag("i", id="spent"), cls="budget", title="The share of the budget that is spent")
    clocks = tag("div", tag("span", id="clock"), bar, id="clocks")
    ended = None
    if sight.state == "ended":
        ended = tag("p", "Nobody works on this run, and it is not finished. ",
                    tag("code", f"autometa resume {result.run}"), " goes on with it.", cls="warning")  # fmt: skip
    doing = tag("p", f"{stage}.", cls="quiet") if stage else None
    return join([ended, figures(facts), clocks, _incumbent(best), doing, _running(sight)])


def _incumbent(best: TrialRow | None) -> Markup | None:
    if best is None:
        return None
    family = family_label(best.evaluation.config["family"])
    words = f"The best: trial {best.number}, {family}, after {spoken_seconds(best.finished)} "
    return tag("p", words, origin(best.origin), f" {best.reason}" if best.reason else None)


def _running(sight: Sight) -> Markup | None:
    """What is being tried; its script counts the seconds."""
    if not sight.running:
        return None
    rows = [
        [
            str(one.number),
            family_label(one.family) if one.family else "",
            tag("span", spoken_seconds(one.seconds), data_seconds=f"{one.seconds:.1f}"),
            origin(one.origin),
            one.reason,
        ]
        for one in sight.running
    ]
    titles = [("trial", "n"), ("family", "keep"), ("for", "n"), ("from", ""), ("why", "why")]
    return join([tag("h3", "Being tried"), table(titles, rows)])


def _origins(report: Report) -> Markup:
    """Trials by where their configurations came from: how many, how they ended, the best of each."""
    metric, rows = report.metric, []
    for known in Origin:
        own = [trial for trial in report.result.trials if trial.origin == known]
        if not own:
            continue
        best = next((trial for trial in report.leaders if trial.origin == known), None)
        spent = sum(trial.finished - trial.started for trial in own)
        score = "no result" if best is None else score_words(best, metric)
        rows.append([origin(known), f"{len(own):,}", ends_words(Ends.of(own)), score, spoken_seconds(spent)])
    titles = [
        ("from", ""),
        ("trials", "n"),
        ("ended", ""),
        (f"best {metric_title(metric, report.task.positive_label)}", "n"),
    ]
    return table([*titles, ("time spent", "n")], rows, cards=True)
