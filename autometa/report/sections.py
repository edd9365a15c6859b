"""The sections of the report, in the order in which a person asks.

What came out, of which data, how it was found, who leads, what the model is, how good it is, what it leans on, what the
memory said, what failed, and how to do it again. Each section is a function from a report to markup, or to None where
there is nothing to say. To add one, write it and give it a line in `SECTIONS`.
"""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.report import charts
from autometa.report.html import Markup, join, tag
from autometa.report.parts import (
    STATES,
    Report,
    figure,
    figures,
    fold,
    metric_heading,
    origin,
    own_parameters,
    parameters,
    score_words,
    table,
    version,
)
from autometa.report.quality import importance, quality
from autometa.report.words import (
    ORIGINS,
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
    import pandas as pd

    from autometa.search import Settings, TrialRow
    from autometa.task import Task

LEADERS = 25  # rows of the leaderboard
COLUMNS_SHOWN = 200  # rows of the table of columns
CLASSES_SHOWN = 20  # of the target's distribution
FACTS_ROWS = 100_000  # rows from which facts about columns are taken

SHAPES = {"default": "square", "portfolio": "diamond", "similar": "triangle", "surrogate": "wedge", "search": "circle"}


def outcome(report: Report) -> Markup:
    """The figures a person looks for first."""
    result, metric = report.result, report.metric
    best = result.best
    family = family_label(best.evaluation.config["family"])
    failed = sum(t.evaluation.state not in ("complete", "stopped") for t in result.trials)
    several = len(result.members) > 1
    spread = f"± {number(result.score_std, 2)}"
    facts = [
        (spoken_value(metric, result.score), f"{metric_title(metric)} of the model, out of fold", spread),
        (f"{len(result.members)} pipelines", "in the ensemble", "") if several else (family, "is the model", ""),
        (spoken_value(metric, report.score(best)), f"best single pipeline: {family}, trial {best.number}", ""),
        (f"{len(result.trials)}", "configurations tried", f"{failed} failed" if failed else ""),
        (spoken_seconds(result.seconds), f"of {_budget_words(result.settings)}", ""),
    ]
    interrupted = "The run was interrupted; this is the best of what had been tried by then."
    ended = tag("p", interrupted, cls="quiet") if result.interrupted else None
    return join([figures(facts), ended, tag("p", _warm_words(report))])


def _budget_words(settings: Settings) -> str:
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
    warm, others = [t for t in report.leaders if t.proposed], [t for t in report.leaders if not t.proposed]
    if not warm and any(t.proposed for t in result.trials):
        return "Nothing that past tasks proposed could be evaluated here; this run will be remembered for the next."
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


def data(report: Report) -> Markup:
    """The table at a glance, and what was done to it."""
    task = report.task
    columns = task.columns
    X = task.X.iloc[:FACTS_ROWS]
    missing = float(X.isna().to_numpy().mean()) if X.shape[1] else 0.0
    facts = [
        (f"{task.n:,}", "rows", ""),
        (f"{len(columns.numeric):,}", "numeric columns", ""),
        (f"{len(columns.categorical):,}", "categorical columns", ""),
        (f"{len(columns.text):,}", "text columns", ""),
        (f"{missing:.1%}", "of the cells are missing", ""),
    ]
    notes = [*task.notes, *(note for note in task.schema.notes if note not in task.notes)]
    dropped = dict(task.schema.dropped)
    right: list[Any] = []
    if notes:
        right += [tag("h3", "What was understood, and done"), _notes(notes)]
    if dropped:
        left_out = table([("column", "name"), ("why", "")], list(dropped.items()))
        count = f"{len(dropped)} column{'s' if len(dropped) > 1 else ''} left out"
        right.append(join([tag("h3", count), left_out]) if len(dropped) <= 8 else fold(count, left_out))
    target = tag("div", _target_figure(task))
    listing = fold(f"All {task.p:,} columns", _column_table(task, X))
    return join([figures(facts), tag("div", target, tag("div", right), cls="pair"), listing])


def _notes(notes: Sequence[str], shown: int = 12) -> Markup:
    def listing(some: Sequence[str]) -> Markup:
        return tag("ul", [tag("li", note) for note in some], cls="notes")

    if len(notes) <= shown + 3:
        return listing(notes)
    return join([listing(notes[:shown]), fold(f"{len(notes) - shown} more", listing(notes[shown:]))])


def _target_figure(task: Task) -> Markup:
    if task.kind == "regression":
        y = np.asarray(task.y)
        counts, edges = np.histogram(y, bins=min(40, max(8, round(math.sqrt(len(y))))))
        low, middle, high = np.quantile(y, [0.05, 0.5, 0.95])
        chart = charts.columns(edges.tolist(), counts.tolist(), f"Distribution of {task.target}", x_title=task.target)
        words = f"median {number(float(middle))}; nine in ten between {number(float(low))} and {number(float(high))}"
        return figure(f"Target “{task.target}”", chart, words)
    counts = np.bincount(task.y, minlength=len(task.classes))
    order = np.argsort(-counts, kind="stable")[:CLASSES_SHOWN]
    rows = [(str(task.classes[k]), float(counts[k]), f"{counts[k]:,} ({counts[k] / task.n:.1%})") for k in order]
    few = None
    if len(order) < len(task.classes):
        few = f"the {len(order)} most frequent of {len(task.classes)} classes"
    return figure(f"Target “{task.target}”", charts.bars(rows, f"Classes of {task.target}", width=440), few)


def _column_table(task: Task, X: pd.DataFrame) -> Markup:
    kinds = {name: kind for kind in ("numeric", "categorical", "text") for name in getattr(task.columns, kind)}
    rows = []
    for name in list(X.columns)[:COLUMNS_SHOWN]:
        column, kind = X[name], kinds.get(name, "")
        present = column.dropna()
        facts = ""
        if kind == "numeric" and len(present):
            levels = np.quantile(present.to_numpy(dtype=np.float64), [0.0, 0.5, 1.0])
            facts = " … ".join(number(float(level)) for level in levels)
        elif kind == "categorical" and len(present):
            counts = present.value_counts()
            facts = f"most often {counts.index[0]} ({counts.iloc[0] / len(present):.0%})"
        share = 1 - len(present) / max(len(column), 1)
        rows.append([name, kind, f"{share:.1%}" if share else "", f"{present.nunique():,}", facts])
    more = tag("p", f"and {task.p - COLUMNS_SHOWN:,} more", cls="quiet") if task.p > COLUMNS_SHOWN else None
    titles = [("column", "name"), ("kind", ""), ("missing", "n"), ("distinct", "n"), ("lowest … median … highest", "")]
    return join([table(titles, rows), more])


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
        frame.shapes.append(tag("text", "budget", x=x - 6, y=frame.top + 10, text_anchor="end", cls="tick"))
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
        e = trial.evaluation
        what = f"{STATES.get(e.state, e.state)}: {(e.reason or '')[:200]}"
        tip = f"trial {trial.number}: {family_label(e.config['family'])}\n{what}"
        x = frame.across(trial.finished)
        frame.shapes.append(charts.mark(x, frame.height - frame.bottom - 6, "cross", "failed", tip, 3.5))
    for trial in scored:
        reached = f"{spoken_score(metric, report.score(trial))} after {spoken_seconds(trial.finished)}"
        why = f"{origin_words(trial.origin)}{f': {trial.reason}' if trial.reason else ''}"
        tip = f"trial {trial.number}: {family_label(trial.evaluation.config['family'])}\n{reached}\n{why}"
        frame.marker(
            trial.finished, values[trial.number], SHAPES.get(trial.origin, "circle"), f"o-{trial.origin}", tip[:400]
        )
    present = [name for name in ORIGINS if any(t.origin == name for t in result.trials)]
    entries = [(SHAPES[name], f"o-{name}", origin_words(name)) for name in present]
    entries.append(("line", "best", "best so far"))
    if others:
        entries.append(("cross", "failed", "stopped or failed"))
    better = "higher is better" if own_unit(metric, 1.0) > 0 else "lower is better"
    hollow = " Hollow marks lie outside the picture." if any(not frame.up.holds(v) for v in values.values()) else ""
    chart = tag("div", tag("div", frame.svg("Score of every trial over the time"), cls="wide"), cls="scroll")
    words = f"{metric_title(metric)} of each trial when it finished; {better}.{hollow}"
    return join([tag("p", words, cls="lead"), tag("figure", charts.legend(entries), chart), _families(report)])


def _readable_range(values: Sequence[float], *, better_up: bool) -> tuple[float, float]:
    """An interval that shows the good ones apart; a few hopeless ones may lie outside it."""
    if not values:
        return 0.0, 1.0
    signed = sorted(v if better_up else -v for v in values)
    best, middle = signed[-1], signed[len(signed) // 2]
    reach = max(6.0 * (best - middle), (best - signed[0]) * 0.25)
    floor = max(signed[0], best - reach) if reach > 0 else signed[0]
    low, high = charts.spread([floor, best], 0.08)
    return (low, high) if better_up else (-high, -low)


def _families(report: Report) -> Markup:
    """How far each family came, and what it cost."""
    metric, trials = report.metric, report.result.trials
    best: dict[str, TrialRow] = {}
    for trial in report.leaders:
        best.setdefault(trial.evaluation.config["family"], trial)
    rows = []
    for family in dict.fromkeys([*best, *(t.evaluation.config["family"] for t in trials)]):
        own = [t.evaluation for t in trials if t.evaluation.config["family"] == family]
        spent = spoken_seconds(sum(e.fit_seconds + e.predict_seconds for e in own))
        leader = best.get(family)
        score = "no result" if leader is None else score_words(leader, metric)
        rows.append(
            [family_label(family), score, f"{len(own)}", spent, "" if leader is None else origin(leader.origin)]
        )
    titles = [("family", "keep"), (f"best {metric_title(metric)}", "n"), ("trials", "n"), ("time spent", "n")]
    return join([tag("h3", "By family"), table([*titles, ("its best came from", "")], rows)])


def board(report: Report) -> Markup | None:
    """The best trials, with every metric."""
    leaders, metric = report.leaders, report.metric
    if not leaders:
        return None
    weights = dict(report.result.members)
    others = [m for m in leaders[0].evaluation.scores if m != metric]
    titles = [("#", "n"), ("family", "keep"), ("from", ""), (metric_heading(metric), "n chosen"), ("weight", "n")]
    titles += [("trial", "n"), ("fit", "n"), ("predict", "n"), ("memory", "n"), ("parameters", "")]
    titles += [(metric_heading(m), "n") for m in others]
    rows = []
    for rank, trial in enumerate(leaders[:LEADERS], start=1):
        e = trial.evaluation
        weight = f"{weights[trial.number]:.0%}" if trial.number in weights else ""
        cells = [
            str(rank),
            family_label(e.config["family"]),
            origin(trial.origin),
            score_words(trial, metric),
            weight,
        ]
        cells += [str(trial.number), spoken_seconds(e.fit_seconds), spoken_seconds(e.predict_seconds)]
        cells += [spoken_bytes(e.peak_ram), parameters(e.config)]
        rows.append([*cells, *(spoken_value(m, e.scores[m]) if m in e.scores else "" for m in others)])
    lead = (
        f"The {min(LEADERS, len(leaders))} best of {len(leaders)} complete trials. Means over the folds, ± their "
        "standard deviation. ↑ higher is better, ↓ lower is better."
    )
    return join([tag("p", lead, cls="lead"), table(titles, rows, first=True)])


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
        chart = charts.bars(rows, "Weights of the ensemble's members", width=440, name_share=0.5)
        parts.append(figure("Who answers, with which weight", chart, words))
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
            "It was fitted anew on all rows; models of the folds have half the say where they are small."
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
    for name, value in own_parameters(config).items():
        known = f"{config['family']}.{name}" in default
        usual = setting(default[f"{config['family']}.{name}"]) if known else ""
        chosen = setting(value)
        rows.append([tag("code", name), tag("b", chosen) if known and chosen != usual else chosen, usual])
    title = tag("h3", f"The best single pipeline: {family_label(config['family'])}, trial {trial.number}")
    reason = tag("p", origin(trial.origin), " ", trial.reason, cls="quiet small")
    chosen_table = table([("parameter", "name"), ("chosen", "n"), ("default", "n")], rows)
    return join([title, reason, chosen_table if rows else tag("p", "It has no parameters to choose.")])


def _default_of(kind: str, family: str) -> dict[str, Any]:
    from autometa.errors import InputError
    from autometa.families import cash_space

    try:
        return cash_space(kind, [family]).default  # type: ignore[arg-type]
    except InputError:  # the run used a family that is not installed here
        return {}


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
    lead = "What was proposed before the first trial, and the past tasks that it rests on."
    parts: list[Any] = [tag("p", lead, cls="lead")]
    if tasks:
        ranked = sorted(tasks.items(), key=lambda item: -(item[1]["similarity"] or 0.0))[:12]
        rows: list[list[Any]] = []
        for name, facts in ranked:
            alike = ", ".join(str(word).replace("_", " ") for word in facts["agrees"])
            rows.append([name, _meter(facts["similarity"]), alike, str(facts["uses"])])
        titles = [("past task", "name"), ("similarity", "keep"), ("most alike in", ""), ("proposals", "n")]
        parts += [tag("h3", "Similar past tasks"), table(titles, rows)]
    rows = []
    for rank, proposal in enumerate(result.recommendations, start=1):
        trial = tried.get(config_key(proposal.config))
        came = "not tried" if trial is None else STATES.get(trial.evaluation.state) or score_words(trial, report.metric)
        cells = [str(rank), family_label(proposal.config["family"]), origin(proposal.origin), came]
        rows.append([*cells, proposal.reason, parameters(proposal.config)])
    titles = [("#", "n"), ("family", "keep"), ("from", ""), (f"{metric_title(report.metric)} here", "n")]
    parts += [tag("h3", "Proposals"), table([*titles, ("why", "why"), ("parameters", "")], rows)]
    return join(parts)


def _meter(share: float | None) -> Markup | str:
    """A number in [0, 1] with a little bar."""
    if share is None:
        return ""
    full = tag("i", style=f"width:{100 * min(max(share, 0.0), 1.0):.0f}%")
    return join([tag("span", full, cls="meter"), number(float(share), 2)])


def failures(report: Report) -> Markup | None:
    """Trials that gave no score, with their reasons."""
    failed = [t for t in report.result.trials if t.evaluation.state != "complete"]
    if not failed:
        return None
    rows = []
    for trial in failed:
        e = trial.evaluation
        after = spoken_seconds(trial.finished - trial.started)
        cells = [str(trial.number), family_label(e.config["family"]), STATES.get(e.state, e.state), after]
        rows.append([*cells, (e.reason or "")[:600], parameters(e.config)])
    titles = [
        ("trial", "n"),
        ("family", "keep"),
        ("what", "keep"),
        ("after", "n"),
        ("why", "why"),
        ("parameters", ""),
    ]
    lead = f"{len(failed)} of {len(report.result.trials)} trials gave no full score. The search went on without them."
    listing = table(titles, rows)
    return join([tag("p", lead, cls="lead"), listing if len(rows) <= 10 else fold("Show them", listing)])


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
        ("AutoMeta", version()),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
    ]
    parts: list[Any] = [
        tag("p", "Predict the rows of another table:"),
        tag("pre", f"autometa predict {shlex.quote(str(result.run))} new.csv --out predictions.csv"),
        tag("p", "Search again with the same settings:"),
        tag("pre", command(report.task, settings)),
    ]
    if settings.trials is None:
        words = "A time budget does not repeat exactly: how much is tried depends on the machine. --trials does."
        parts.append(tag("p", words, cls="quiet small"))
    return join([*parts, table([("", "quiet keep"), ("", "name")], facts)])


def command(task: Task, settings: Settings) -> str:
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
