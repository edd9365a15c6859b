"""The model card: a page of Markdown beside a model, for whoever is handed it without the run.

What it is and how it is asked, what it was learned from (in figures of columns, never rows or cells), how good it is
and how sure that is, which columns it needs, where it errs, what it must not be taken for, how it is made again.

Source:
    Mitchell et al.: Model cards for model reporting. FAT* 2019.
"""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.explain import ModelExplanation
from autometa.explain.options import OPTIONS as EXPLAINED
from autometa.explain.slices import find_slices, row_errors
from autometa.report.findings import judged
from autometa.report.options import OPTIONS
from autometa.report.parts import Report, command, version
from autometa.report.verdict import dummy_words, interval_words
from autometa.report.words import (
    counted,
    family_label,
    held_out_words,
    metric_heading,
    metric_title,
    number,
    rows_words,
    spoken_score,
    spoken_seconds,
    spoken_value,
)

if TYPE_CHECKING:
    from autometa.search import Result
    from autometa.task import Task

CARD = "model_card.md"  # beside the model of a run
KIND_WORDS = {"binary": "one of two classes", "multiclass": "one of several classes", "regression": "a number"}


def card(result: Result, explanation: ModelExplanation | None = None, *, ask: str | None = None) -> str:
    """The card of the model of a finished search, as Markdown.

    Args:
        result: A `search.Result`.
        explanation: Why the model answers as it does; None for what is kept in the folder of the run.
        ask: How the model is asked, in Markdown; None for a run folder's.
    """
    report = Report.of(result, explanation)
    task = report.task
    parts = [f"# Model card: {_plain(task.name)}", _what(report), ask or _ask(result.run), *_data(task)]
    parts += [*_scores(report), *_columns(report), *_errors(report), *_limits(report), *_again(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _ask(run: Path) -> str:
    return (
        f"```console\n$ autometa predict {shlex.quote(str(run))} new.csv --out predictions.csv\n```\n\n"
        f"In Python: `autometa.load_model({str(run)!r}).predict(table)`. Reading a model runs code that is in it: take "
        "it from whom you trust."
    )


def _what(report: Report) -> str:
    result, task = report.result, report.task
    by_number = {trial.number: trial for trial in result.trials}
    members = [
        (family_label(by_number[n].evaluation.config["family"]), weight)
        for n, weight in sorted(result.members, key=lambda member: -member[1])
    ]
    made = members[0][0]
    if len(members) > 1:
        made = f"an ensemble of {len(members)}: " + ", ".join(f"{label} ({weight:.0%})" for label, weight in members)
    metric = _plain(metric_title(report.metric, task.positive_label))
    return (
        f"Predicts **{_plain(task.target)}**, {KIND_WORDS[task.kind]}, from {counted(task.p, 'column')}. It is {made}; "
        f"it was chosen by {metric} among {counted(len(result.trials), 'configuration')} by AutoMeta {version()}."
    )


def _data(task: Task) -> list[str]:
    columns, kinds = task.columns, []
    for noun, names in (("numeric", columns.numeric), ("categorical", columns.categorical), ("text", columns.text)):
        if names:
            kinds.append(f"{len(names):,} {noun}")
    missing = float(task.X.iloc[: OPTIONS.facts_rows].isna().to_numpy().mean()) if task.p else 0.0
    facts = f"{rows_words(task)}, {', '.join(kinds)} columns, {missing:.1%} of the cells missing."
    if task.kind == "regression":
        low, middle, high = np.quantile(np.asarray(task.y), [0.05, 0.5, 0.95])
        facts += (
            f" `{_code(task.target)}` has the median {number(float(middle))}; nine in ten rows lie between "
            f"{number(float(low))} and {number(float(high))}."
        )
    else:
        counts = np.bincount(np.asarray(task.y), minlength=task.c)
        order = np.argsort(-counts, kind="stable")[: OPTIONS.classes]
        shares = ", ".join(f"{_plain(task.classes[k])} {counts[k] / task.n:.1%}" for k in order)
        facts += f" Classes: {shares}{' and others' if len(order) < task.c else ''}."
        if task.c == 2:
            facts += f" The positive class is {_plain(task.positive_label)}."
    dropped = "\n".join(f"- {_plain(name)}: {_plain(why)}" for name, why in dict(task.schema.dropped).items())
    listed = f"Columns left out:\n\n{dropped}" if dropped else ""
    return ["## What it was learned from", facts, listed, f"Fingerprint of the data: `{task.fingerprint}`."]


def _scores(report: Report) -> list[str]:
    result, positive = report.result, report.task.positive_label
    words = f"**{_plain(spoken_score(report.metric, result.score, positive=positive))}** {held_out_words(report.task)}"
    if result.interval is not None:
        words += f" (95 %: {interval_words(report.metric, result.interval)})"
    if beside := dummy_words(result):
        words += f", where {_plain(beside)}"
    words += f"; {_split(report)}. Scores are a little flattered by the search, which chose the best of many."
    best = report.result.best.evaluation
    rows = [
        (metric_heading(name, positive), spoken_value(name, value))
        for name, value in best.scores.items()
        if math.isfinite(value)
    ]
    table = _table(("metric, of the best single pipeline", held_out_words(report.task)), rows)
    return ["## How good it is", words, table]


def _split(report: Report) -> str:
    if report.task.validation:
        return f"those are {report.task.validation:,} rows of a table of its own, from which nothing was learned"
    rows = int(judged(np.asarray(report.result.oof, dtype=np.float64)).sum())
    return f"{rows:,} of {report.task.n:,} rows were predicted by models that had not seen them"


def _columns(report: Report) -> list[str]:
    known = report.explanation
    if not known.importance:
        return ["## Which columns it needs", _plain(known.words)]
    rows = [
        (one.column, number(one.drop, 2), "" if math.isnan(one.low) else _between(one.low, one.high), one.direction)
        for one in known.importance[:10]
    ]
    title = f"{metric_title(report.metric, report.task.positive_label)} is worse by"
    table = _table(("column", title, f"{EXPLAINED.coverage:.0%} interval", "the answer"), rows)
    return ["## Which columns it needs", _plain(known.words), table]


def _errors(report: Report) -> list[str]:
    slices = find_slices(report.task, row_errors(report.task, np.asarray(report.result.oof, dtype=np.float64)))
    if not slices:
        return []
    what = "mean error" if report.task.kind == "regression" else "probability given to wrong classes"
    rows = [(one.what, f"{one.rows:,}", number(one.error, 3), number(one.elsewhere, 3)) for one in slices]
    return ["## Where it errs more", _table(("rows where", "rows", what, "elsewhere"), rows)]


def _limits(report: Report) -> list[str]:
    task, result = report.task, report.result
    said = [
        "It answers for rows like those it was learned from. `autometa predict RUN new.csv --drift` says how another "
        "table differs; what a column holds that training never saw counts as missing, and is said.",
        "It says what goes together in that table, not what causes what. Nobody has looked at whether it is fair to "
        "the people that rows may stand for.",
    ]
    if task.kind == "regression":
        said.append("`--interval 0.9` gives two numbers between which nine of ten truths lie, of rows like these.")
    else:
        said.append(
            f"Probabilities are calibrated {held_out_words(task)}; `--interval 0.9` gives the classes a row may be of."
        )
    if task.groups is not None:
        said.append("Rows of one group were never on both sides of a split: the scores are those of new groups.")
    if task.time_order is not None:
        said.append("Later rows were predicted from earlier ones: the scores are those of rows to come.")
    if result.interrupted:
        said.append("The search was interrupted; this is the best of what had been tried by then.")
    if not result.refitted:
        said.append("There was no time to fit everything anew on all rows: members answer by their folds' models.")
    return ["## What it must not be taken for", "\n".join(f"- {one}" for one in said)]


def _again(report: Report) -> list[str]:
    result = report.result
    versions: dict[str, str] = {}
    for trial in result.trials:
        versions |= trial.evaluation.versions
    facts = [
        ("AutoMeta", version()),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("libraries", ", ".join(f"{name} {one}" for name, one in sorted(versions.items()))),
        ("seed", str(result.settings.seed)),
        ("took", spoken_seconds(result.seconds)),
    ]
    again = f"```console\n$ {command(report.task, result.settings)}\n```"
    return ["## How it is made again", again, _table(("", ""), facts)]


def _between(low: float, high: float) -> str:
    return f"{number(low, 2)} to {number(high, 2)}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line if line == "---" else _plain(line) for line in row) + " |" for row in lines)


def _plain(value: Any) -> str:
    r"""A text that is nothing but text in Markdown, on one line.

    Example:
        >>> _plain("a|b\n<b>*c*")
        'a\\|b &lt;b&gt;\\*c\\*'
    """
    text = " ".join("".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in str(value)).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#" else c for c in text)


def _code(value: Any) -> str:
    """A text within backticks."""
    return " ".join(str(value).replace("`", "'").split())
