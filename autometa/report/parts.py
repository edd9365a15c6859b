"""What the sections share: the report's data, tables, figures, and small marks."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autometa.evaluation import AUTO
from autometa.explain import ModelExplanation
from autometa.moved import former
from autometa.origins import Origin
from autometa.report.html import Markup, tag
from autometa.report.words import origin_words, own_parameters, setting
from autometa.space.narrowing import wish_text
from autometa.task import OF_POSITIVE

if TYPE_CHECKING:
    from autometa.search import Result, Settings, TrialRow
    from autometa.task import Task


@dataclass(frozen=True, slots=True)
class Report:
    """A result, and what was worked out about it."""

    result: Result
    explanation: ModelExplanation
    rows: bool = True  # whether rows of the table are shown

    @classmethod
    def of(cls, result: Result, explanation: ModelExplanation | None = None, *, rows: bool = True) -> Report:
        """With what is kept in the folder of the run, unless another explanation is given."""
        known = explanation or ModelExplanation.load(result.run)
        return cls(result, known or ModelExplanation((), why_not="It was not measured."), rows)

    @property
    def task(self) -> Task:
        """The task that was searched."""
        return self.result.task

    @property
    def metric(self) -> str:
        """The optimised metric."""
        return str(self.result.task.metric)

    @property
    def leaders(self) -> list[TrialRow]:
        """The trials of the leaderboard, best first."""
        from autometa.search import leaderboard

        return leaderboard(self.result.trials, self.metric)

    def score(self, trial: TrialRow) -> float:
        """A trial's score in the optimised metric, larger is better; NaN without one."""
        return float(trial.evaluation.scores.get(self.metric, math.nan))


def table(
    titles: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], *, first: bool = False, cards: bool = False
) -> Markup:
    """A table from (title, class of the column) and rows of cells; `first` sets its first row off.

    With `cards` each row becomes a card on a narrow screen, where every cell says what it is.
    """
    head = tag("thead", tag("tr", [tag("th", title, cls=cls or None) for title, cls in titles]))
    body = []
    for k, row in enumerate(rows):
        cells = [
            tag("td", cell, cls=cls or None, data_is=title if cards else None)
            for cell, (title, cls) in zip(row, titles, strict=True)
        ]
        body.append(tag("tr", cells, cls="first" if first and k == 0 else None))
    return tag(
        "div",
        tag(
            "table",
            head if any(title for title, _ in titles) else None,
            tag("tbody", body),
            cls="cards" if cards else None,
        ),
        cls="scroll",
    )


def fold(summary: str, *inside: Any) -> Markup:
    """Content that is hidden under a summary until it is opened."""
    return tag("details", tag("summary", summary), inside)


def figures(facts: Sequence[tuple[str, str, str]]) -> Markup:
    """Key figures: (value, words under it, what stands small beside it)."""
    cells = [
        tag("div", tag("b", value, " ", tag("i", beside) if beside else None), tag("span", words))
        for value, words, beside in facts
    ]
    return tag("div", cells, cls="figures")


def figure(title: str, chart: Any, words: str | None = None) -> Markup:
    """A chart under its title."""
    return tag("figure", tag("figcaption", title, tag("small", words) if words else None), chart)


def origin(name: str) -> Markup:
    """Where a configuration came from, as a coloured word."""
    known = Origin.read(name) or Origin.DEFAULT
    return tag("span", origin_words(name), cls=f"origin o-{known}")


def command(task: Task, settings: Settings) -> str:
    """The command that searches again with the same settings; the data file is for the person to name."""
    words = ["autometa", "fit", "DATA", "--target", str(task.target), "--metric", str(task.metric)]
    given = settings.threshold != AUTO
    flags = {
        "--positive": task.positive_label if given or task.metric in OF_POSITIVE else None,
        "--threshold": settings.threshold if given else None,
        **_aside(task),
        "--time": None if settings.seconds is None else f"{settings.seconds:g}",
        "--trials": settings.trials,
        "--jobs": settings.jobs,
        "--families": ",".join(settings.families) if settings.families else None,
        "--store": settings.shown_store,
        "--max-ram": settings.max_ram,
        "--trial-time": None if settings.trial_seconds is None else f"{settings.trial_seconds:g}",
        "--folds": settings.folds,
        "--members": settings.members,
        "--patience": settings.patience if settings.patience != AUTO else None,
        "--device": settings.device if settings.device != "auto" else None,
        "--seed": settings.seed,
    }
    for flag, value in flags.items():
        words += [] if value is None else [flag, str(value)]
    for name, sign in task.monotonic:
        words += ["--monotonic", f"{name}={'+' if sign > 0 else '-'}"]
    for name, wanted in settings.space.items():
        words += ["--set", f"{name}={wish_text(wanted)}"]
    words += ["--cold"] if settings.cold else []
    words += [] if settings.remember else ["--no-remember"]
    return " ".join(shlex.quote(word) for word in words)


def _aside(task: Task) -> dict[str, str]:
    """The flags of what was named beside the table; what was handed over in Python has no name there."""
    named = dict(task.aside)
    there = {"weight": task.weights is not None, "costs": bool(task.costs), "validation": bool(task.validation)}
    found = {}
    for role in ("group", "time_order", "weight", "costs", "validation"):
        name = named.get(role, "autometa:" if there.get(role) else None)
        if name is not None:
            unnamed = "FILE" if role in ("costs", "validation") else "COL"
            found[f"--{role.replace('_', '-')}"] = unnamed if name.startswith("autometa:") else name
    return found


def version() -> str:
    """The version of this program."""
    from autometa import __version__

    return __version__


def parameters(config: Mapping[str, Any]) -> Markup:
    """How many parameters a configuration has; what they are when it is asked for."""
    own = own_parameters(config)
    text = ", ".join(f"{name} = {setting(value)}" for name, value in own.items())
    return fold(f"{len(own)}", tag("div", text, cls="params")) if own else Markup("")


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
