"""The report of a comparison: Markdown for a README, one HTML file for a browser.

What is said is worked out in `findings`; here it is put into tables. The HTML refers to nothing outside itself; the
Markdown shows the diagram that is written beside it. Both link to the scores of every fold and to what was recorded.

Letters:  t tasks · k methods.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa import files
from autometa.bench.charts import rank_diagram, standing_alone, time_chart
from autometa.bench.findings import Findings, failures, load, measured, rounded, titles, verdict
from autometa.bench.methods import METHODS
from autometa.bench.options import OPTIONS
from autometa.bench.ranking import Duel, MethodComparison
from autometa.bench.results import RESULTS, Record
from autometa.moved import former
from autometa.origins import State
from autometa.report.html import Markup, tag
from autometa.report.page import document
from autometa.report.parts import figure, figures, table
from autometa.report.words import counted, metric_heading, number, own_unit, spoken_bytes, spoken_seconds

DIAGRAM, MARKDOWN, PAGE, FOLDS = "ranks.svg", "report.md", "report.html", "folds.csv"


def write(found: Findings, out: Path) -> dict[str, Path]:
    """Writes ``report.html``, ``report.md``, ``ranks.svg`` and ``folds.csv`` into a folder; gives their paths."""
    texts = {PAGE: page(found), MARKDOWN: markdown(found)}
    if found.comparison is not None and found.ranked is not None:
        texts |= {DIAGRAM: standing_alone(_diagram(found.ranked)), FOLDS: fold_table(found.comparison)}
    for name, text in texts.items():
        files.replace(out / name, text.encode("utf-8", errors="replace"))
    return {name: out / name for name in texts}


def _ranked(c: MethodComparison) -> list[tuple[str, list[str]]]:
    """Of each method, best first: its name and the figures of the table of ranks."""
    rank, scaled, forest, worst = c.ranks, c.scaled, c.over_forest, c.worst
    rng = np.random.default_rng(0)
    draws = rank[rng.integers(0, len(c.tasks), (OPTIONS.draws, len(c.tasks)))].mean(axis=1)  # (draws, k)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return [
        (
            c.methods[j],
            [
                f"{rank[:, j].mean():.2f}",
                f"{low[j]:.2f} to {high[j]:.2f}" if c.enough else "-",
                f"{scaled[:, j].mean():.3f}",
                "-" if forest is None else _cut(float(np.median(forest[:, j]))),
                f"{worst[j]}",
                *_took(c, j),
            ],
        )
        for j in np.argsort(rank.mean(axis=0), kind="stable")
    ]


def _cut(value: float) -> str:
    """A value on the forest's scale, which is cut at -1."""
    return "-1 or less" if value <= -1 else f"{value:.3f}"


def _took(c: MethodComparison, j: int) -> list[str]:
    """Of a method: cells that failed, seconds of its fits, memory, and how busy the machine was."""
    cells = [r for r in c.cells if r["method"] == c.methods[j]]
    seconds = c.seconds[:, j][np.isfinite(c.seconds[:, j])]
    longest = max((float(r["fit_seconds"]) for r in cells if r.get("fit_seconds") is not None), default=None)
    killed = max((float(r["seconds"]) for r in cells if r["state"] == State.TIMEOUT), default=0.0)
    if killed > (longest or 0.0):
        most = f"killed after {spoken_seconds(killed)}"
    else:
        most = "-" if longest is None else spoken_seconds(longest)
    busy = load(c, c.methods[j])
    return [
        f"{c.failed[:, j].sum()}",
        spoken_seconds(float(np.median(seconds))) if len(seconds) else "-",
        most,
        "-" if busy is None else f"{busy:g}",
        spoken_bytes(float(np.median([r["peak_ram"] for r in cells]))),
    ]


_TOOK_TITLES = ("failed", "fit, median", "fit, longest", "load", "peak RAM")
RANK_TITLES = ("average rank", "95 % interval", "scaled", "over forest", "worst on", *_TOOK_TITLES)


def _cells(c: MethodComparison, i: int) -> list[tuple[str, bool]]:
    """The scores of a task in the metric's own unit, and whether each is the best."""
    metric, best = c.about[i]["metric"], c.scores[i].max()
    out = []
    for j in range(len(c.methods)):
        words = number(own_unit(metric, float(c.scores[i, j])))
        if c.failed[i, j]:
            words = "failed" if c.failed[i, j] == c.folds[i] else f"{words} ({c.failed[i, j]} failed)"
        out.append((words, bool(c.scores[i, j] == best)))
    return out


def _diagram(c: MethodComparison) -> Markup:
    return rank_diagram(titles(c.methods), [float(r) for r in c.ranks.mean(axis=0)], c.critical)


def _against_time(found: Findings) -> Markup:
    lines: dict[str, list[tuple[float, float]]] = {}
    for c in (*found.others, found.comparison):
        assert c is not None
        for j, method in enumerate(c.methods):
            seconds = rounded(c.seconds[:, j])
            if seconds is not None and (METHODS[method].timed or c is found.comparison):
                lines.setdefault(METHODS[method].title, []).append((seconds, float(c.scaled[:, j].mean())))
    return time_chart(lines)


# ---------------------------------------------------------------------------------------------------------- Markdown


def markdown(found: Findings) -> str:
    """The report for a README."""
    c, ranked = found.comparison, found.ranked
    lines = [f"# {found.suite}", ""]
    if c is None or ranked is None:
        return "\n".join([*lines, "No dataset has been tried with every method yet.", "", *_left_out_lines(found)])
    lines += [
        f"{c.budget:g} s, {counted(found.cores, 'core')}, {counted(len(c.tasks), 'dataset')}. {verdict(ranked)}",
        "",
    ]
    lines += [f"![Average ranks{'; ' + _BAR if ranked.critical is not None else ''}]({DIAGRAM})", ""]
    lines += [_row(["method", *RANK_TITLES]), _row(["---"] * (1 + len(RANK_TITLES)))]
    lines += [_row([METHODS[m].title, *values]) for m, values in _ranked(ranked)]
    lines += ["", _SCALES, ""]
    first = METHODS[ranked.methods[0]].title
    if len(ranked.methods) > 1:
        lines += [f"{first} against each:", ""]
        lines += [_row(_DUEL_TITLES), _row(["---"] * len(_DUEL_TITLES))]
        lines += [_row(cells) for cells in _duels(ranked.against())]
        lines.append("")
    if found.apart:
        lines += [f"{first} against each that no budget holds:", ""]
        lines += [_row(_APART_TITLES), _row(["---"] * len(_APART_TITLES))]
        lines += [_row(cells) for cells in _apart(c, found.apart)]
        lines.append("")
    lines += [_row(["dataset", "rows", "metric", *titles(c.methods)]), _row(["---"] * (3 + len(c.methods)))]
    for i, about in enumerate(c.about):
        scores = [f"**{words}**" if best else words for words, best in _cells(c, i)]
        lines.append(_row([about["name"], f"{about['rows']:,}", metric_heading(about["metric"]), *scores]))
    lines.append("")
    if failed := failures(c):
        lines += [f"{counted(len(failed), 'cell')} failed:", ""]
        lines += [f"- {name}, fold {fold}, {method}: {why}" for name, fold, method, why in failed[: OPTIONS.failures]]
        lines.append("")
    lines += _left_out_lines(found)
    lines += [f"- {line}" for line in measured(found)]
    lines.append(f"- Every fold: [{FOLDS}]({FOLDS}). Every cell as it was recorded: [{RESULTS}]({RESULTS}).")
    return "\n".join([*lines, ""])


_SCALES = (
    "*scaled*: mean of the scores on a scale where 0 is a constant prediction and 1 the best of these methods; *over "
    "forest*: median where 0 is the random forest, cut at -1; *worst on*: datasets on which it is the last, alone; the "
    "interval is a bootstrap over datasets; *load*: processes that ran or waited as the cells began, median."
)
_BAR = "a bar joins methods that do not differ significantly"
_DUEL_TITLES = ["against", "wins / ties / losses", "mean difference", "largest loss", "on", "Wilcoxon p (Holm)"]


def _duels(duels: Sequence[Duel]) -> list[list[str]]:
    return [
        [
            METHODS[d.other].title,
            f"{d.wins} / {d.ties} / {d.losses}",
            f"{d.mean:+.4f}",
            f"{d.largest_loss:.4f}" if d.largest_loss else "none",
            d.where,
            "too few datasets" if d.p is None else f"{d.p:.2g}",
        ]
        for d in duels
    ]


_APART_TITLES = [*_DUEL_TITLES[:-1], *_TOOK_TITLES]


def _apart(c: MethodComparison, duels: Sequence[Duel]) -> list[list[str]]:
    """The duels with the methods that no budget holds, and what these took."""
    return [
        [*cells[:-1], *_took(c, c.methods.index(duel.other))] for cells, duel in zip(_duels(duels), duels, strict=True)
    ]


def fold_table(c: MethodComparison) -> str:
    """Every cell that was compared, as CSV: scores in the metric's own unit, seconds, the load of the machine."""
    names = ("task", "name", "repeat", "fold", "method", "budget", "cores", "seed", "metric")
    own = ("score", "constant", "state", "reason", "fit_seconds", "predict_seconds", "seconds", "peak_ram", "load")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*names, *own])
    for r in c.cells:
        rows.writerow([*(r.get(name) for name in names), *_measures(r), *(r.get(name) for name in own[2:])])
    return text.getvalue()


def _measures(record: Record) -> list[float | None]:
    """What a cell scored, and a constant prediction, in the metric's own unit."""
    values = (record["score"], record["zero"])
    return [None if value is None else own_unit(record["metric"], value) for value in values]


def _left_out_lines(found: Findings) -> list[str]:
    lines = [f"- {METHODS[m].title} is not installed here, and was left out." for m in found.absent]
    lines += [f"- {task} could not be read, and was left out: {why}" for task, why in found.unreadable.items()]
    if found.comparison is not None and found.comparison.partial:
        lines.append(f"- Not tried with every method yet: {', '.join(found.comparison.partial)}.")
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"


# -------------------------------------------------------------------------------------------------------------- HTML


def page(found: Findings) -> str:
    """The report for a browser, one file."""
    c, ranked = found.comparison, found.ranked
    sections: list[tuple[str, str, Any]] = []
    if c is None or ranked is None:
        sections.append(("ranks", "Nothing to compare yet", tag("p", "No dataset has been tried with every method.")))
    else:
        sections = [
            ("ranks", "Average ranks", _html_ranks(ranked)),
            ("duels", f"{METHODS[ranked.methods[0]].title} against each", _html_duels(ranked)),
            ("apart", "Methods that no budget holds", _html_apart(found)),
            ("time", "Score against time", _html_time(found)),
            ("datasets", "Every dataset", _html_datasets(c)),
            ("failures", "Failures", _html_failures(c)),
            ("how", "How it was measured", tag("ul", [tag("li", line) for line in measured(found)], cls="notes")),
            ("raw", "Raw results", _html_raw()),
        ]
        sections = [section for section in sections if section[2] is not None]
    if notes := _left_out_lines(found):
        sections.append(
            ("left-out", "Left out", tag("ul", [tag("li", line.removeprefix("- ")) for line in notes], cls="notes"))
        )
    what = (
        "A benchmark"
        if c is None
        else f"{counted(len(c.methods), 'method')} on {counted(len(c.tasks), 'dataset')}, {c.budget:g} s on "
        f"{counted(found.cores, 'core')} each"
    )
    return document(f"{found.suite} · AutoMeta bench", found.suite, what, sections)


def _html_ranks(c: MethodComparison) -> Markup:
    rank = c.ranks.mean(axis=0)
    mine = METHODS[c.methods[0]].title
    facts = [
        (f"{rank[0]:.2f}", f"average rank of {mine}", f"of {len(c.methods)}"),
        (f"{c.scaled[:, 0].mean():.3f}", "its mean score, 1 = best of all", ""),
        (f"{int((c.ranks[:, 0] == 1).sum())}", "datasets on which it is first", f"of {len(c.tasks)}"),
        (f"{c.worst[0]}", "on which it is last", f"of {len(c.tasks)}"),
    ]
    columns = [("", "keep"), *((title, "n") for title in RANK_TITLES)]
    rows = [[METHODS[m].title, *values] for m, values in _ranked(c)]
    bars = "A bar joins methods whose average ranks do not differ significantly (Nemenyi, 5 %)."
    words = bars if c.critical is not None else "Too few datasets or methods to say which differences are significant."
    return tag(
        "div",
        figures(facts),
        tag("p", verdict(c)),
        figure("Average rank, the best at the left", tag("div", _diagram(c), cls="scroll wide"), words),
        table(columns, rows, first=True),
        tag("p", _SCALES.replace("*", ""), cls="quiet small"),
    )


def _html_duels(c: MethodComparison) -> Markup | None:
    if len(c.methods) < 2:
        return None
    columns = [("against", "keep"), ("wins / ties / losses", "n"), ("mean difference", "n"), ("largest loss", "n")]
    words = "Differences are on the scale 0 = constant prediction, 1 = best of these methods."
    return tag(
        "div",
        tag("p", words, cls="lead"),
        table([*columns, ("on", "keep"), ("Wilcoxon p (Holm)", "n")], _duels(c.against())),
    )


def _html_apart(found: Findings) -> Markup | None:
    c, ranked = found.comparison, found.ranked
    if c is None or ranked is None or not found.apart:
        return None
    columns = [(title, "keep" if title in ("against", "on") else "n") for title in _APART_TITLES]
    words = (
        "They take the time that they take, so they have no rank and nothing is tested. Differences are those of "
        f"{METHODS[ranked.methods[0]].title}, on the scale 0 = constant prediction, 1 = best of all methods."
    )
    return tag("div", tag("p", words, cls="lead"), table(columns, _apart(c, found.apart)))


def _html_raw() -> Markup:
    return tag(
        "ul",
        tag("li", "Every fold, in the metric's own unit, with seconds and load: ", tag("a", FOLDS, href=FOLDS)),
        tag("li", "Every cell as it was recorded, with versions and machine: ", tag("a", RESULTS, href=RESULTS)),
        cls="notes",
    )


def _html_time(found: Findings) -> Markup:
    words = "Each point is a method under a budget: how long its fit took, and how far it came."
    return tag("div", tag("p", words, cls="lead"), tag("div", _against_time(found), cls="scroll wide"))


def _html_datasets(c: MethodComparison) -> Markup:
    columns = [("dataset", "keep"), ("rows", "n"), ("metric", "keep"), *((title, "n") for title in titles(c.methods))]
    rows: list[list[Any]] = []
    for i, about in enumerate(c.about):
        scores: list[Any] = [tag("b", words) if best else words for words, best in _cells(c, i)]
        rows.append([about["name"], f"{about['rows']:,}", metric_heading(about["metric"]), *scores])
    words = "Mean over the folds, in the metric's own unit; the best of a row is bold. ↑ larger is better, ↓ smaller."
    return tag("div", tag("p", words, cls="lead"), table(columns, rows))


def _html_failures(c: MethodComparison) -> Markup | None:
    failed = failures(c)
    if not failed:
        return None
    columns = [("dataset", "name"), ("fold", "n"), ("method", "keep"), ("why", "why")]
    more = [tag("p", f"and {len(failed) - OPTIONS.failures} more")] if len(failed) > OPTIONS.failures else []
    return tag("div", table(columns, [list(row) for row in failed[: OPTIONS.failures]]), *more)


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
