"""The sections of the report, in the order in which a person asks.

What came out, of which data, how it was found, who leads, what the model is, how good it is, what it leans on, what the
memory said, what failed, and how to do it again. Each section is a function from a result to markup, or to None where
there is nothing to say. To add one, write it and give it a line in `SECTIONS`.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import base64
import hashlib
import math
import platform
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autometa.report import charts
from autometa.report.findings import Importance, calibration, confusion, judged, roc, thinned
from autometa.report.html import Markup, join, tag
from autometa.report.words import (
    ORIGINS,
    evidence_values,
    family_label,
    metric_title,
    number,
    origin_words,
    own_unit,
    spoken_bytes,
    spoken_seconds,
    spoken_value,
)

CSS, SCRIPT = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))

LEADERS = 25  # rows of the leaderboard
COLUMNS_SHOWN = 200  # rows of the table of columns
CLASSES_SHOWN = 20  # of a confusion matrix
DOTS = 1500  # of a scatter plot
FACTS_ROWS = 100_000  # rows from which facts about columns are taken

SHAPES = {"default": "square", "portfolio": "diamond", "similar": "triangle", "search": "circle"}
STATES = {
    "stopped": "stopped early, without hope",
    "failed": "failed",
    "timeout": "ran out of time",
    "memory": "ran out of memory",
    "crashed": "crashed",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A result, and what was worked out about it."""

    result: Any  # search.Result
    importance: Sequence[Importance]
    importance_wanted: bool

    @property
    def task(self) -> Any:
        """The task."""
        return self.result.task

    @property
    def metric(self) -> str:
        """The optimised metric."""
        return str(self.result.task.metric)

    @property
    def leaders(self) -> list[Any]:
        """Complete trials, best first."""
        complete = [t for t in self.result.trials if t.evaluation.state == "complete" and math.isfinite(self.score(t))]
        return sorted(complete, key=lambda t: (-self.score(t), t.number))

    def score(self, trial: Any) -> float:
        """A trial's score in the optimised metric, larger is better; NaN without one."""
        return float(trial.evaluation.scores.get(self.metric, math.nan))


def page(report: Report) -> str:
    """The whole file."""
    task = report.task
    sections = [(name, title, body) for name, title, build in SECTIONS if (body := build(report)) is not None]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{task.name} · AutoMeta"),
        tag("style", Markup(CSS)),
    )
    what = f"{KINDS[task.kind]} of “{task.target}” from {task.p:,} columns and {task.n:,} rows, judged by {metric_title(report.metric)}"
    body = tag(
        "body",
        tag("header", tag("h1", task.name), tag("p", what, cls="what"), cls="top"),
        tag("nav", tag("div", [tag("a", title, href=f"#{name}") for name, title, _ in sections])),
        tag("main", [tag("section", tag("h2", title), body, id=name) for name, title, body in sections]),
        tag("footer", f"Written by AutoMeta {_version()}. This file needs nothing else: no network, no other file."),
        tag("div", id="tip", role="status"),
        tag("script", Markup(SCRIPT)),
    )
    return f'<!doctype html>\n<html lang="en">\n{head}\n{body}\n</html>\n'


KINDS = {"binary": "Binary classification", "multiclass": "Multiclass classification", "regression": "Regression"}


# --------------------------------------------------------------------------------------------------------- what came out


def outcome(report: Report) -> Markup:
    """The figures a person looks for first."""
    result, metric = report.result, report.metric
    best = result.best
    failed = sum(t.evaluation.state not in ("complete", "stopped") for t in result.trials)
    several = len(result.members) > 1
    figures = [
        (
            spoken_value(metric, result.score),
            f"± {number(result.score_std, 2)}",
            f"{metric_title(metric)} of the model, out of fold",
        ),
        (
            f"{len(result.members)} pipelines" if several else family_label(best.evaluation.config["family"]),
            "",
            "in the ensemble" if several else "is the model",
        ),
        (
            spoken_value(metric, report.score(best)),
            "",
            f"best single pipeline: {family_label(best.evaluation.config['family'])}, trial {best.number}",
        ),
        (f"{len(result.trials)}", f"{failed} failed" if failed else "", "configurations tried"),
        (spoken_seconds(result.seconds), "", f"of {_budget_words(result.settings)}"),
    ]
    cells = [
        tag("div", tag("b", value, " ", tag("i", extra) if extra else None), tag("span", words))
        for value, extra, words in figures
    ]
    ended = (
        tag("p", "The run was interrupted; this is the best of what had been tried by then.", cls="quiet")
        if result.interrupted
        else None
    )
    return join([tag("div", cells, cls="figures"), ended, tag("p", _warm_words(report))])


def _budget_words(settings: Any) -> str:
    parts = []
    if settings.seconds is not None:
        parts.append(f"{spoken_seconds(settings.seconds)} allowed")
    if settings.trials is not None:
        parts.append(f"{settings.trials:,} trials allowed")
    return " and ".join(parts) or "no limit"


def _warm_words(report: Report) -> str:
    """What starting from past tasks was worth."""
    result, metric = report.result, report.metric
    if result.settings.cold:
        return "The search started cold: no past task had a say in what was tried."
    warm = [t for t in report.leaders if t.origin in ("portfolio", "similar")]
    others = [t for t in report.leaders if t.origin not in ("portfolio", "similar")]
    if not warm:
        return "The memory had no past task that could say what to try here; this run will be remembered for the next."
    first = warm[0]
    words = (
        f"Of what past tasks proposed, {len(warm)} configurations were tried; the best of them, trial {first.number} "
        f"({family_label(first.evaluation.config['family'])}), reached {spoken_value(metric, report.score(first))} "
        f"after {spoken_seconds(first.finished)}."
    )
    if others:
        words += (
            f" The best of all other trials, number {others[0].number} ({origin_words(others[0].origin)}), "
            f"reached {spoken_value(metric, report.score(others[0]))}."
        )
    return words


# ---------------------------------------------------------------------------------------------------------------- data


def data(report: Report) -> Markup:
    """The table at a glance, and what was done to it."""
    task = report.task
    columns = task.columns
    X = task.X.iloc[:FACTS_ROWS]
    missing = float(X.isna().to_numpy().mean()) if X.shape[1] else 0.0
    figures = [
        (f"{task.n:,}", "rows"),
        (f"{len(columns.numeric):,}", "numeric columns"),
        (f"{len(columns.categorical):,}", "categorical columns"),
        (f"{len(columns.text):,}", "text columns"),
        (f"{missing:.1%}", "of the cells are missing"),
    ]
    cells = [tag("div", tag("b", value), tag("span", words)) for value, words in figures]
    notes = [*task.notes, *(note for note in task.schema.notes if note not in task.notes)]
    dropped = dict(task.schema.dropped)
    parts: list[Any] = [tag("div", cells, cls="figures")]
    right: list[Any] = []
    if notes:
        right += [tag("h3", "What was understood, and done"), _notes(notes)]
    if dropped:
        rows = [tag("tr", tag("td", name, cls="name"), tag("td", why)) for name, why in dropped.items()]
        table = tag("table", tag("thead", tag("tr", tag("th", "column"), tag("th", "why"))), tag("tbody", rows))
        count = f"{len(dropped)} column{'s' if len(dropped) > 1 else ''} left out"
        right.append(tag("h3", count) if len(dropped) <= 8 else None)
        right.append(table if len(dropped) <= 8 else tag("details", tag("summary", count), table))
    parts.append(tag("div", tag("div", _target_figure(task)), tag("div", right), cls="pair"))
    parts.append(tag("details", tag("summary", f"All {task.p:,} columns"), _column_table(task, X)))
    return join(parts)


def _notes(notes: Sequence[str], shown: int = 12) -> Markup:
    def listing(some: Sequence[str]) -> Markup:
        return tag("ul", [tag("li", note) for note in some], cls="notes")

    if len(notes) <= shown + 3:
        return listing(notes)
    return join(
        [listing(notes[:shown]), tag("details", tag("summary", f"{len(notes) - shown} more"), listing(notes[shown:]))]
    )


def _target_figure(task: Any) -> Markup:
    if task.kind == "regression":
        y = np.asarray(task.y)
        counts, edges = np.histogram(y, bins=min(40, max(8, round(math.sqrt(len(y))))))
        low, middle, high = np.quantile(y, [0.05, 0.5, 0.95])
        chart = charts.columns(edges.tolist(), counts.tolist(), f"Distribution of {task.target}", x_title=task.target)
        words = f"median {number(float(middle))}; nine in ten between {number(float(low))} and {number(float(high))}"
        return _figure(f"Target “{task.target}”", chart, words)
    counts = np.bincount(task.y, minlength=len(task.classes))
    order = np.argsort(-counts, kind="stable")[:CLASSES_SHOWN]
    rows = [(str(task.classes[k]), float(counts[k]), f"{counts[k]:,} ({counts[k] / task.n:.1%})") for k in order]
    words = (
        None if len(order) == len(task.classes) else f"the {len(order)} most frequent of {len(task.classes)} classes"
    )
    return _figure(f"Target “{task.target}”", charts.bars(rows, f"Classes of {task.target}", width=440), words)


def _column_table(task: Any, X: Any) -> Markup:
    kinds = {name: kind for kind in ("numeric", "categorical", "text") for name in getattr(task.columns, kind)}
    rows = []
    for name in list(X.columns)[:COLUMNS_SHOWN]:
        column, kind = X[name], kinds.get(name, "")
        present = column.dropna()
        if kind == "numeric" and len(present):
            values = present.to_numpy(dtype=np.float64)
            low, middle, high = (float(v) for v in np.quantile(values, [0.0, 0.5, 1.0]))
            facts = f"{number(low)} … {number(middle)} … {number(high)}"
        elif kind == "categorical" and len(present):
            counts = present.value_counts()
            facts = f"most often {counts.index[0]} ({counts.iloc[0] / len(present):.0%})"
        else:
            facts = ""
        distinct = f"{present.nunique():,}"
        share = 1 - len(present) / max(len(column), 1)
        cells = (
            tag("td", name, cls="name"),
            tag("td", kind),
            tag("td", f"{share:.1%}" if share else "", cls="n"),
            tag("td", distinct, cls="n"),
        )
        rows.append(tag("tr", *cells, tag("td", facts)))
    more = tag("p", f"and {task.p - COLUMNS_SHOWN:,} more", cls="quiet") if task.p > COLUMNS_SHOWN else None
    titles = (
        tag("th", "column"),
        tag("th", "kind"),
        tag("th", "missing", cls="n"),
        tag("th", "distinct", cls="n"),
        tag("th", "lowest … median … highest"),
    )
    return join([_table(titles, rows), more])


# -------------------------------------------------------------------------------------------------------------- search


def search(report: Report) -> Markup:
    """Every trial over the time, by where it came from, and the best so far."""
    result, metric = report.result, report.metric
    scored = [t for t in result.trials if t.evaluation.state == "complete" and math.isfinite(report.score(t))]
    others = [t for t in result.trials if t not in scored]
    values = {t.number: own_unit(metric, report.score(t)) for t in scored}
    end = max([t.finished for t in result.trials] + [result.settings.seconds or 0.0]) or 1.0
    frame = charts.Frame(
        (0.0, end * 1.02),
        _readable_range([values[t.number] for t in scored], better_up=own_unit(metric, 1.0) > 0),
        "seconds since the start",
        metric_title(metric),
        width=960,
        height=360,
    )
    if result.settings.seconds is not None:
        x = frame.across(result.settings.seconds)
        frame.shapes.append(tag("line", x1=x, x2=x, y1=frame.top, y2=frame.height - frame.bottom, cls="budget"))
    best: float | None = None
    line: list[charts.Point] = []
    for trial in sorted(scored, key=lambda t: t.finished):
        score = report.score(trial)
        if best is None or score > best:
            best = score
            line.append((trial.finished, own_unit(metric, score)))
    if line:
        frame.path([*line, (max(t.finished for t in result.trials), line[-1][1])], "best", steps=True)
    for trial in others:
        reason = trial.evaluation.reason or ""
        tip = f"trial {trial.number}: {family_label(trial.evaluation.config['family'])}\n{STATES.get(trial.evaluation.state, trial.evaluation.state)}: {reason[:200]}"
        x = frame.across(trial.finished)
        frame.shapes.append(charts.mark(x, frame.height - frame.bottom - 6, "cross", "failed", tip, 3.5))
    for trial in scored:
        tip = (
            f"trial {trial.number}: {family_label(trial.evaluation.config['family'])}\n"
            f"{metric_title(metric)} {spoken_value(metric, report.score(trial))} after {spoken_seconds(trial.finished)}\n"
            f"{origin_words(trial.origin)}{f': {trial.reason}' if trial.reason else ''}"
        )
        frame.marker(
            trial.finished, values[trial.number], SHAPES.get(trial.origin, "circle"), f"o-{trial.origin}", tip[:400]
        )
    present = [origin for origin in ORIGINS if any(t.origin == origin for t in result.trials)]
    entries = [(SHAPES[origin], f"o-{origin}", origin_words(origin)) for origin in present]
    entries.append(("line", "best", "best so far"))
    if others:
        entries.append(("cross", "failed", "stopped or failed"))
    better = "higher is better" if own_unit(metric, 1.0) > 0 else "lower is better"
    hollow = " Hollow marks lie outside the picture." if any(not frame.up.holds(v) for v in values.values()) else ""
    chart = tag(
        "div",
        charts.legend(entries),
        tag("div", tag("div", frame.svg("Score of every trial over the time"), cls="wide"), cls="scroll"),
    )
    words = f"{metric_title(metric)} of each trial when it finished; {better}.{hollow}"
    return join([tag("p", words, cls="lead"), tag("figure", chart), _families_figure(report, scored)])


def _readable_range(values: Sequence[float], *, better_up: bool) -> tuple[float, float]:
    """An interval that shows the good ones apart; a few hopeless ones may lie outside it."""
    if not values:
        return 0.0, 1.0
    signed = sorted(v if better_up else -v for v in values)
    best, middle = signed[-1], signed[len(signed) // 2]
    reach = max(3.0 * (best - middle), (best - signed[0]) * 0.25)
    floor = max(signed[0], best - reach) if reach > 0 else signed[0]
    low, high = charts.spread([floor, best], 0.08)
    return (low, high) if better_up else (-high, -low)


def _families_figure(report: Report, scored: Sequence[Any]) -> Markup | None:
    if not scored:
        return None
    metric = report.metric
    rows = []
    counts = Counter(t.evaluation.config["family"] for t in report.result.trials)
    spent: Counter[str] = Counter()
    for t in report.result.trials:
        spent[t.evaluation.config["family"]] += t.evaluation.fit_seconds + t.evaluation.predict_seconds
    best: dict[str, Any] = {}
    for t in report.leaders:
        best.setdefault(t.evaluation.config["family"], t)
    for family in [*best, *(f for f in counts if f not in best)]:
        trial = best.get(family)
        score = (
            spoken_value(metric, report.score(trial), _fold_spread(trial, metric)) if trial is not None else "no result"
        )
        cells = (score, f"{counts[family]}", spoken_seconds(spent[family]))
        rows.append(
            tag(
                "tr",
                tag("td", family_label(family), cls="keep"),
                [tag("td", cell, cls="n") for cell in cells],
                tag("td", _origin(trial.origin) if trial else ""),
            )
        )
    titles = [
        tag("th", "family"),
        *(tag("th", t, cls="n") for t in (f"best {metric_title(metric)}", "trials", "time fitting")),
        tag("th", "its best came from"),
    ]
    return join([tag("h3", "By family"), _table(titles, rows)])


# --------------------------------------------------------------------------------------------------------- leaderboard


def board(report: Report) -> Markup | None:
    """The best trials, with every metric."""
    leaders, metric = report.leaders, report.metric
    if not leaders:
        return None
    weights = dict(report.result.members)
    metrics = [metric, *(m for m in leaders[0].evaluation.scores if m != metric)]
    titles: list[Any] = [tag("th", "#", cls="n"), tag("th", "family"), tag("th", "from")]
    titles += [
        tag("th", f"{metric_title(m)} {'↑' if own_unit(m, 1.0) > 0 else '↓'}", cls="n chosen" if m == metric else "n")
        for m in metrics[:1]
    ]
    titles += [
        tag("th", "weight", cls="n"),
        tag("th", "trial", cls="n"),
        tag("th", "fit", cls="n"),
        tag("th", "predict", cls="n"),
        tag("th", "memory", cls="n"),
    ]
    titles += [tag("th", f"{metric_title(m)} {'↑' if own_unit(m, 1.0) > 0 else '↓'}", cls="n") for m in metrics[1:]]
    titles.append(tag("th", "parameters"))
    rows = []
    for rank, trial in enumerate(leaders[:LEADERS], start=1):
        e = trial.evaluation
        cells: list[Any] = [
            tag("td", str(rank), cls="n"),
            tag("td", family_label(e.config["family"]), cls="keep"),
            tag("td", _origin(trial.origin)),
        ]
        cells.append(tag("td", spoken_value(metric, e.scores[metric], _fold_spread(trial, metric)), cls="n"))
        weight = f"{weights[trial.number]:.0%}" if trial.number in weights else ""
        cells += [
            tag("td", text, cls="n")
            for text in (
                weight,
                str(trial.number),
                spoken_seconds(e.fit_seconds),
                spoken_seconds(e.predict_seconds),
                spoken_bytes(e.peak_ram),
            )
        ]
        cells += [tag("td", spoken_value(m, e.scores[m]) if m in e.scores else "", cls="n") for m in metrics[1:]]
        cells.append(tag("td", _parameters(e.config)))
        rows.append(tag("tr", cells, cls="first" if rank == 1 else None))
    lead = f"Means over the folds, ± their standard deviation. ↑ higher is better, ↓ lower is better. The {min(LEADERS, len(leaders))} best of {len(leaders)} complete trials."
    return join([tag("p", lead, cls="lead"), _table(titles, rows)])


def _parameters(config: Mapping[str, Any]) -> Markup:
    own = _own_parameters(config)
    if not own:
        return Markup("")
    text = ", ".join(f"{name} = {number(value)}" for name, value in own.items())
    return tag("details", tag("summary", f"{len(own)}"), tag("div", text, cls="params"))


def _own_parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(f"{config['family']}."): value for name, value in config.items() if name != "family"}


def _fold_spread(trial: Any, metric: str) -> float | None:
    folds = [f for f in trial.evaluation.folds.get(metric, ()) if math.isfinite(f)]
    return float(np.std(folds)) if len(folds) > 1 else None


# --------------------------------------------------------------------------------------------------------------- model


def model(report: Report) -> Markup:
    """Who answers, and with which parameters."""
    result, metric = report.result, report.metric
    by_number = {t.number: t for t in result.trials}
    parts: list[Any] = []
    if len(result.members) > 1:
        gain = abs(own_unit(metric, result.score) - own_unit(metric, report.score(result.best)))
        better = result.score > report.score(result.best)
        words = "The final model is a weighted average of pipelines"
        words += f", better than the best of them alone by {number(gain, 2)}." if better else "."
        rows = []
        for n, weight in sorted(result.members, key=lambda m: -m[1]):
            family = family_label(by_number[n].evaluation.config["family"])
            rows.append((f"{family}, trial {n}", weight, f"{weight:.0%}"))
        chart = charts.bars(rows, "Weights of the ensemble's members", width=440, name_share=0.42)
        parts.append(_figure("Who answers, with which weight", chart, words))
    else:
        n = result.members[0][0] if result.members else result.best.number
        family = family_label(by_number[n].evaluation.config["family"])
        parts.append(
            tag("p", f"The model is one pipeline, {family} from trial {n}: no ensemble of the trials was better.")
        )
    refitted = getattr(result, "refitted", True)
    parts.append(
        tag(
            "p",
            "It was fitted anew on all rows."
            if refitted
            else "There was no time to fit everything anew on all rows: members answer by the models of their folds.",
            cls="quiet small",
        )
    )
    return tag("div", tag("div", parts), tag("div", _winner(report)), cls="pair")


def _winner(report: Report) -> Markup:
    """The best single configuration beside its family's default."""
    trial = report.result.best
    config = trial.evaluation.config
    default = _default_of(report.task.kind, config["family"])
    rows = []
    for name, value in _own_parameters(config).items():
        usual = default.get(f"{config['family']}.{name}")
        changed = usual is not None and usual != value
        rows.append(
            tag(
                "tr",
                tag("td", tag("code", name), cls="name"),
                tag("td", number(value), cls="n changed" if changed else "n"),
                tag("td", "" if usual is None else number(usual), cls="n"),
            )
        )
    title = f"The best single pipeline: {family_label(config['family'])}, trial {trial.number}"
    reason = tag(
        "p",
        f"{origin_words(trial.origin).capitalize()}: {trial.reason}"
        if trial.reason
        else f"It came from {origin_words(trial.origin)}.",
        cls="quiet small",
    )
    if not rows:
        return join([tag("h3", title), reason, tag("p", "It has no parameters to choose.")])
    table = _table((tag("th", "parameter"), tag("th", "chosen", cls="n"), tag("th", "default", cls="n")), rows)
    return join([tag("h3", title), reason, table])


def _default_of(kind: str, family: str) -> dict[str, Any]:
    from autometa.errors import InputError
    from autometa.families import cash_space

    try:
        return cash_space(kind, [family]).default  # type: ignore[arg-type]
    except InputError:  # the run used a family that is not installed here
        return {}


# -------------------------------------------------------------------------------------------------------------- quality


def quality(report: Report) -> Markup | None:
    """How the out-of-fold predictions compare with the truth."""
    task, oof = report.task, np.asarray(report.result.oof, dtype=np.float64)
    rows = judged(oof)
    if not rows.any():
        return None
    lead = f"From predictions of {int(rows.sum()):,} rows by models that had not seen them."
    y, prediction = np.asarray(task.y)[rows], oof[rows]
    body = (
        _regression_quality(task, y, prediction) if task.kind == "regression" else _class_quality(task, y, prediction)
    )
    return join([tag("p", lead, cls="lead"), body])


def _class_quality(task: Any, y: Any, probability: Any) -> Markup:
    names = [str(label) for label in task.classes]
    counts = confusion(y, probability)
    figures: list[Any] = []
    if len(names) <= CLASSES_SHOWN:
        figures.append(
            _figure(
                "Confusion",
                charts.matrix(counts.tolist(), names, "Confusion matrix"),
                "rows of each true class, by the most probable class",
            )
        )
    else:
        off = counts.copy()
        np.fill_diagonal(off, 0)
        flat = np.argsort(-off, axis=None, kind="stable")[:15]
        pairs = [
            (f"{names[k // len(names)]} → {names[k % len(names)]}", float(off.flat[k]), f"{int(off.flat[k]):,}")
            for k in flat
            if off.flat[k]
        ]
        figures.append(
            _figure(
                "Most frequent confusions",
                charts.bars(pairs, "Most frequent confusions", width=440, name_share=0.5),
                "true class → predicted class, rows",
            )
        )
    figures.append(_roc_figure(task, y, probability, names))
    figures.append(_calibration_figure(task, y, probability))
    parts: list[Any] = [tag("div", figures, cls="pair")]
    truths, guesses, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    rows = []
    for k in np.argsort(-truths, kind="stable")[:CLASSES_SHOWN]:
        recall, precision = right[k] / max(truths[k], 1), right[k] / max(guesses[k], 1)
        f1 = 2 * right[k] / max(truths[k] + guesses[k], 1)
        cells = [f"{truths[k]:,}", f"{recall:.3f}", f"{precision:.3f}" if guesses[k] else "-", f"{f1:.3f}"]
        rows.append(tag("tr", tag("td", names[k], cls="name"), [tag("td", cell, cls="n") for cell in cells]))
    titles = [tag("th", "class"), *(tag("th", t, cls="n") for t in ("rows", "recall", "precision", "F1"))]
    parts.append(
        tag(
            "div", tag("div", tag("h3", "Class by class"), _table(titles, rows)), cls="pair" if len(rows) < 30 else None
        )
    )
    return join(parts)


def _roc_figure(task: Any, y: Any, probability: Any, names: Sequence[str]) -> Markup:
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), "false positive rate", "true positive rate", width=440, height=360)
    frame.path([(0, 0), (1, 1)], "diagonal")
    if task.kind == "binary":
        shown = [1]
    else:
        shown = [int(k) for k in np.argsort(-np.bincount(y, minlength=len(names)), kind="stable")[: charts.SERIES]]
    entries = []
    for series, k in enumerate(shown):
        x, rate, area = roc(y == k, probability[:, k])
        frame.path(thinned(x, rate), f"series-{series}")
        entries.append(("line", f"series-{series}", f"{names[k]}: area {number(area)}"))
    words = f"for {names[1]} against {names[0]}" if task.kind == "binary" else "each class against all others"
    return _figure("ROC", tag("div", frame.svg("ROC curves"), charts.legend(entries)), words)


def _calibration_figure(task: Any, y: Any, probability: Any) -> Markup:
    binary = task.kind == "binary"
    p = probability[:, 1] if binary else probability.max(axis=1)
    hit = (y == 1) if binary else (probability.argmax(axis=1) == y)
    points = calibration(hit, p)
    title = f"probability given to {task.classes[1]}" if binary else "probability of the predicted class"
    frame = charts.Frame((0.0, 1.0), (0.0, 1.0), title, "share that came true", width=440, height=360)
    frame.path([(0, 0), (1, 1)], "diagonal")
    frame.path([(x, share) for x, share, _ in points], "series-0")
    for x, share, rows in points:
        frame.marker(x, share, "circle", "series-0", f"{rows:,} rows: {x:.1%} expected, {share:.1%} came true")
    return _figure("Calibration", frame.svg("Calibration"), "on the diagonal, probabilities mean what they say")


def _regression_quality(task: Any, y: Any, prediction: Any) -> Markup:
    rng = np.random.default_rng(0)
    some = np.sort(rng.permutation(len(y))[:DOTS])
    words = None if len(some) == len(y) else f"{len(some):,} rows drawn at random"
    low, high = charts.spread([*y[some].tolist(), *prediction[some].tolist()])
    actual = charts.Frame(
        (low, high), (low, high), f"predicted {task.target}", "actual", width=440, height=380, left=70
    )
    actual.path([(low, low), (high, high)], "diagonal")
    residual = y - prediction
    around = charts.Frame(
        charts.spread(prediction[some].tolist()),
        charts.spread(residual[some].tolist()),
        f"predicted {task.target}",
        "residual",
        width=440,
        height=380,
        left=70,
    )
    around.path([(around.x[0], 0.0), (around.x[1], 0.0)], "diagonal")
    for p, truth in zip(prediction[some].tolist(), y[some].tolist(), strict=True):
        tip = f"predicted {number(p)}, actual {number(truth)}"
        actual.marker(p, truth, "circle", "dot", tip, 3)
        around.marker(p, truth - p, "circle", "dot", tip, 3)
    counts, edges = np.histogram(residual, bins=min(40, max(8, round(math.sqrt(len(y))))))
    histogram = charts.columns(edges.tolist(), counts.tolist(), "Distribution of residuals", x_title="residual")
    sizes = np.quantile(np.abs(residual), [0.5, 0.9, 0.99])
    facts = f"half of the rows are off by less than {number(float(sizes[0]))}, nine in ten by less than {number(float(sizes[1]))}, 99 in 100 by less than {number(float(sizes[2]))}"
    figures = [
        _figure("Actual against predicted", actual.svg("Actual against predicted"), words),
        _figure("Residuals", around.svg("Residuals against predicted"), "actual less predicted"),
        _figure("How far off", histogram, facts),
    ]
    return tag("div", figures, cls="pair")


# ------------------------------------------------------------------------------------------------------- what it leans on


def importance(report: Report) -> Markup | None:
    """Permutation importance, if it was measured."""
    if not report.importance_wanted:
        words = f"Not measured when the run ended. `autometa report {shlex.quote(str(report.result.run))}` takes the time to."
        return tag("p", words, cls="quiet")
    if not report.importance:
        return tag("p", "Shuffling each of so many columns once would have taken too long.", cls="quiet")
    metric = report.metric
    shown = list(report.importance)[:20]
    rows = [(i.column, i.drop, number(i.drop, 2)) for i in shown]
    chart = charts.bars(rows, "Permutation importance", errors=[i.spread for i in shown])
    lead = f"How much {metric_title(metric)} gets worse when the values of one column are shuffled, with the standard deviation over shuffles."
    few = (
        f" The {len(shown)} most important of {len(report.importance)} columns."
        if len(shown) < len(report.importance)
        else ""
    )
    seen = (
        " Measured on rows that the model has seen: read it as what the model leans on, not as what causes the target."
    )
    return join(
        [
            tag("p", lead + few + seen, cls="lead"),
            tag("figure", tag("div", tag("div", chart, cls="wide"), cls="scroll")),
        ]
    )


# -------------------------------------------------------------------------------------------------------------- memory


def memory(report: Report) -> Markup | None:
    """What past tasks proposed, and why."""
    result = report.result
    if not result.recommendations:
        return None
    from autometa.space import config_key

    tried = {config_key(t.evaluation.config): t for t in result.trials}
    tasks: dict[str, dict[str, Any]] = {}
    for recommendation in result.recommendations:
        for evidence in map(evidence_values, recommendation.evidence):
            seen = tasks.setdefault(
                evidence["task"], {"similarity": evidence["similarity"], "agrees": evidence["agrees"], "uses": 0}
            )
            seen["uses"] += 1
    parts: list[Any] = [
        tag("p", "What was proposed before the first trial, and the past tasks that it rests on.", cls="lead")
    ]
    if tasks:
        ranked = sorted(tasks.items(), key=lambda item: -(item[1]["similarity"] or 0.0))[:12]
        largest = max((facts["similarity"] or 0.0 for _, facts in ranked), default=1.0) or 1.0
        rows = []
        for name, facts in ranked:
            similarity = facts["similarity"]
            meter = (
                ""
                if similarity is None
                else join(
                    [
                        tag("span", tag("i", style=f"width:{100 * similarity / max(largest, 1.0):.0f}%"), cls="meter"),
                        number(similarity, 2),
                    ]
                )
            )
            rows.append(
                tag(
                    "tr",
                    tag("td", name, cls="name"),
                    tag("td", meter, cls="keep"),
                    tag("td", ", ".join(word.replace("_", " ") for word in facts["agrees"])),
                    tag("td", f"{facts['uses']}", cls="n"),
                )
            )
        titles = (
            tag("th", "past task"),
            tag("th", "similarity"),
            tag("th", "most alike in"),
            tag("th", "proposals", cls="n"),
        )
        parts += [tag("h3", "Similar past tasks"), _table(titles, rows)]
    parts.append(tag("h3", "Proposals"))
    rows = []
    for rank, recommendation in enumerate(result.recommendations, start=1):
        trial = tried.get(config_key(recommendation.config))
        came = (
            "not tried"
            if trial is None
            else spoken_value(report.metric, report.score(trial))
            if trial.evaluation.state == "complete"
            else STATES.get(trial.evaluation.state, trial.evaluation.state)
        )
        cells = [
            tag("td", str(rank), cls="n"),
            tag("td", family_label(recommendation.config["family"]), cls="keep"),
            tag("td", _origin(recommendation.origin)),
        ]
        cells += [
            tag("td", came, cls="n"),
            tag("td", recommendation.reason, cls="small"),
            tag("td", _parameters(recommendation.config)),
        ]
        rows.append(tag("tr", cells))
    titles = (
        tag("th", "#", cls="n"),
        tag("th", "family"),
        tag("th", "from"),
        tag("th", f"{metric_title(report.metric)} here", cls="n"),
        tag("th", "why"),
        tag("th", "parameters"),
    )
    parts.append(_table(titles, rows))
    return join(parts)


# ------------------------------------------------------------------------------------------------------------- failures


def failures(report: Report) -> Markup | None:
    """Trials that gave no score, with their reasons."""
    failed = [t for t in report.result.trials if t.evaluation.state != "complete"]
    if not failed:
        return None
    rows = []
    for trial in failed:
        e = trial.evaluation
        cells = [
            tag("td", str(trial.number), cls="n"),
            tag("td", family_label(e.config["family"]), cls="keep"),
            tag("td", STATES.get(e.state, e.state), cls="keep"),
        ]
        cells += [
            tag("td", spoken_seconds(trial.finished - trial.started), cls="n"),
            tag("td", (e.reason or "")[:600], cls="name small"),
            tag("td", _parameters(e.config)),
        ]
        rows.append(tag("tr", cells))
    titles = (
        tag("th", "trial", cls="n"),
        tag("th", "family"),
        tag("th", "what"),
        tag("th", "after", cls="n"),
        tag("th", "why"),
        tag("th", "parameters"),
    )
    table = _table(titles, rows)
    lead = f"{len(failed)} of {len(report.result.trials)} trials gave no full score. The search learned from them and went on."
    return join(
        [tag("p", lead, cls="lead"), table if len(rows) <= 10 else tag("details", tag("summary", "Show them"), table)]
    )


# ---------------------------------------------------------------------------------------------------------- how to repeat


def again(report: Report) -> Markup:
    """What is needed to do it again."""
    result, settings = report.result, report.result.settings
    versions: dict[str, str] = {}
    for trial in result.trials:
        versions |= trial.evaluation.versions
    facts: list[tuple[str, Any]] = [
        ("run", str(result.run)),
        ("model", str(result.model)),
        ("fingerprint of the data", str(report.task.fingerprint)),
        ("seed", str(settings.seed)),
        ("budget", _budget_words(settings)),
        ("families", ", ".join(settings.families) if settings.families else "all that suit the table"),
        ("memory", "none (cold)" if settings.cold else settings.store or "the user's own store"),
        ("AutoMeta", _version()),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
    ]
    rows = [tag("tr", tag("td", name, cls="quiet keep"), tag("td", value, cls="name")) for name, value in facts]
    parts: list[Any] = [
        tag("p", "Predict the rows of another table:"),
        tag("pre", f"autometa predict {shlex.quote(str(result.run))} new.csv --out predictions.csv"),
    ]
    parts += [tag("p", "Search again with the same settings:"), tag("pre", command(report.task, settings))]
    if settings.trials is None:
        parts.append(
            tag(
                "p",
                "A time budget does not repeat exactly: how much is tried depends on the machine. A number of trials (--trials) does.",
                cls="quiet small",
            )
        )
    parts.append(tag("table", tag("tbody", rows)))
    return join(parts)


def command(task: Any, settings: Any) -> str:
    """The command that searches again with the same settings; the data file is for the person to name."""
    words = ["autometa", "fit", "DATA", "--target", str(task.target), "--metric", str(task.metric)]
    flags = {
        "--time": None if settings.seconds is None else f"{settings.seconds:g}",
        "--trials": settings.trials,
        "--jobs": settings.jobs,
        "--families": ",".join(settings.families) if settings.families else None,
        "--store": settings.store,
        "--max-ram": settings.max_ram,
        "--trial-time": None if settings.trial_seconds is None else f"{settings.trial_seconds:g}",
        "--device": settings.device if settings.device != "auto" else None,
        "--seed": settings.seed,
    }
    for flag, value in flags.items():
        words += [] if value is None else [flag, str(value)]
    words += ["--cold"] if settings.cold else []
    words += [] if settings.remember else ["--no-remember"]
    return " ".join(shlex.quote(word) for word in words)


# ----------------------------------------------------------------------------------------------------------------- parts


def _table(titles: Any, rows: Any) -> Markup:
    return tag("div", tag("table", tag("thead", tag("tr", titles)), tag("tbody", rows)), cls="scroll")


def _figure(title: str, chart: Any, words: str | None = None) -> Markup:
    return tag("figure", tag("figcaption", title, tag("small", words) if words else None), chart)


def _origin(origin: str) -> Markup:
    known = origin if origin in ORIGINS else "default"
    return tag("span", origin_words(origin), cls=f"origin o-{known}")


def _version() -> str:
    from autometa import __version__

    return __version__


SECTIONS = (
    ("outcome", "Outcome", outcome),
    ("data", "Data", data),
    ("search", "Search", search),
    ("leaderboard", "Leaderboard", board),
    ("model", "Model", model),
    ("quality", "How good it is", quality),
    ("importance", "What it leans on", importance),
    ("memory", "What the memory said", memory),
    ("failures", "What failed", failures),
    ("again", "Do it again", again),
)
