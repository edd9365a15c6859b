"""What was tried: every trial over the time, how far each family came, the leaderboard, and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autometa.origins import Origin, State
from autometa.report import charts
from autometa.report.html import Markup, join, tag
from autometa.report.options import OPTIONS
from autometa.report.parts import Report, fold, origin, parameters, table
from autometa.report.words import (
    family_label,
    metric_heading,
    metric_title,
    origin_words,
    own_unit,
    score_words,
    spoken_bytes,
    spoken_score,
    spoken_seconds,
    spoken_value,
    state_words,
)
from autometa.values import spoken_brief

if TYPE_CHECKING:
    from autometa.search import TrialRow


def search(report: Report) -> Markup:
    """Every trial over the time, by where it came from, and the best so far."""
    metric = report.metric
    scored = sorted(report.leaders, key=lambda t: t.finished)
    unscored = [t for t in report.result.trials if t not in scored]
    values = {t.number: own_unit(metric, report.score(t)) for t in scored}
    frame = _time_frame(report, list(values.values()))
    _best_so_far(frame, report, scored)
    for trial in unscored:
        e = trial.evaluation
        what = f"{state_words(e.state)}: {(e.reason or '')[: OPTIONS.tip_letters]}"
        tip = f"trial {trial.number}: {family_label(e.config['family'])}\n{what}"
        x = frame.across(trial.finished)
        frame.shapes.append(charts.mark(x, frame.height - frame.bottom - 6, "cross", "failed", tip, 3.5))
    for trial in scored:
        reached = f"{spoken_score(metric, report.score(trial))} after {spoken_seconds(trial.finished)}"
        why = f"{origin_words(trial.origin)}{f': {trial.reason}' if trial.reason else ''}"
        tip = f"trial {trial.number}: {family_label(trial.evaluation.config['family'])}\n{reached}\n{why}"
        frame.marker(
            trial.finished, values[trial.number], _shape(trial), f"o-{trial.origin}", tip[: 2 * OPTIONS.tip_letters]
        )
    entries = [(known.shape, f"o-{known}", known.label) for known in Origin if any(t.origin == known for t in scored)]
    entries.append(("line", "best", "best so far"))
    if unscored:
        entries.append(("cross", "failed", "stopped or failed"))
    better = "higher is better" if own_unit(metric, 1.0) > 0 else "lower is better"
    hollow = " Hollow marks lie outside the picture." if any(not frame.up.holds(v) for v in values.values()) else ""
    chart = tag("div", tag("div", frame.svg("Score of every trial over the time"), cls="wide"), cls="scroll")
    words = f"{metric_title(metric)} of each trial when it finished; {better}.{hollow}"
    return join([tag("p", words, cls="lead"), tag("figure", charts.legend(entries), chart), _families(report)])


def _shape(trial: TrialRow) -> str:
    known = Origin.read(trial.origin)
    return "circle" if known is None else known.shape


def _time_frame(report: Report, values: Sequence[float]) -> charts.Frame:
    """Axes of score against time, and where the budget ended."""
    seconds = report.result.settings.seconds
    end = max([t.finished for t in report.result.trials] + [seconds or 0.0]) or 1.0
    frame = charts.Frame(
        (0.0, end * 1.02),
        _readable_range(values, better_up=own_unit(report.metric, 1.0) > 0),
        "seconds since the start",
        metric_title(report.metric),
        width=960,
        height=360,
    )
    if seconds is not None:
        x = frame.across(seconds)
        frame.shapes.append(tag("line", x1=x, x2=x, y1=frame.top, y2=frame.height - frame.bottom, cls="budget"))
        frame.shapes.append(tag("text", "budget", x=x - 6, y=frame.top + 10, text_anchor="end", cls="tick"))
    return frame


def _best_so_far(frame: charts.Frame, report: Report, scored: Sequence[TrialRow]) -> None:
    """A line that rises with each new best of the trials, in the order in which they finished."""
    best: float | None = None
    line: list[charts.Point] = []
    for trial in scored:
        score = report.score(trial)
        if best is None or score > best:
            best = score
            line.append((trial.finished, own_unit(report.metric, score)))
    if line:
        frame.path([*line, (max(t.finished for t in report.result.trials), line[-1][1])], "best", steps=True)


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
    titles = [
        ("family", "keep"),
        (f"best {metric_title(metric, report.task.positive_label)}", "n"),
        ("trials", "n"),
        ("time spent", "n"),
    ]
    return join([tag("h3", "By family"), table([*titles, ("its best came from", "")], rows)])


def board(report: Report) -> Markup | None:
    """The best trials, with every metric."""
    leaders, metric = report.leaders, report.metric
    if not leaders:
        return None
    weights = dict(report.result.members)
    others = [m for m in leaders[0].evaluation.scores if m != metric]
    positive = report.task.positive_label
    titles = [
        ("#", "n"),
        ("family", "keep"),
        (metric_heading(metric, positive), "n chosen"),
        ("weight", "n"),
        ("from", ""),
        ("trial", "n"),
        ("fit", "n"),
        ("a row", "n"),
        ("memory", "n"),
        ("parameters", ""),
    ]
    rows, judged = [], []
    for rank, trial in enumerate(leaders[: OPTIONS.leaders], start=1):
        e = trial.evaluation
        weight = f"{weights[trial.number]:.0%}" if trial.number in weights else ""
        family, score = family_label(e.config["family"]), score_words(trial, metric)
        costs = [spoken_seconds(e.fit_seconds), spoken_brief(trial.row_seconds), spoken_bytes(e.peak_ram)]
        cells = [str(rank), family, score, weight, origin(trial.origin), str(trial.number), *costs]
        rows.append([*cells, parameters(e.config)])
        values = [spoken_value(m, e.scores[m]) if m in e.scores else "" for m in (metric, *others)]
        judged.append([str(rank), family, *values])
    lead = (
        f"The {min(OPTIONS.leaders, len(leaders))} best of {len(leaders)} complete trials. Means over the folds, ± "
        "their standard deviation. ↑ higher is better, ↓ lower is better."
    )
    heads = [("#", "n"), ("family", "keep"), *((metric_heading(m, positive), "n") for m in (metric, *others))]
    every = fold("All metrics", table(heads, judged, first=True, cards=True)) if others else None
    return join([tag("p", lead, cls="lead"), table(titles, rows, first=True, cards=True), every])


def failures(report: Report) -> Markup | None:
    """Trials that gave no score, with their reasons."""
    failed = [t for t in report.result.trials if t.evaluation.state != State.COMPLETE]
    if not failed:
        return None
    rows = []
    for trial in failed:
        e = trial.evaluation
        after = spoken_seconds(trial.finished - trial.started)
        cells = [str(trial.number), family_label(e.config["family"]), state_words(e.state), after]
        rows.append([*cells, (e.reason or "")[: OPTIONS.reason_letters], parameters(e.config)])
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
    return join([tag("p", lead, cls="lead"), listing if len(rows) <= OPTIONS.failures else fold("Show them", listing)])
