"""The index of the reports of several targets of one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from autometa import files
from autometa.report.html import tag
from autometa.report.page import KIND_TITLES, document
from autometa.report.parts import table
from autometa.report.verdict import dummy_words, interval_words
from autometa.report.words import family_label, metric_title, rows_words, spoken_value

if TYPE_CHECKING:
    from autometa.search import Result


def write_index(results: Mapping[str, Result], path: Path) -> Path:
    """Writes the page that leads to the report of each target, in a folder beside it.

    Args:
        results: By target, of runs that are in folders beside `path`; not empty.
        path: The HTML file; one that is there is replaced.

    Returns:
        `path`.
    """
    rows = []
    for name, result in results.items():
        task, best = result.task, result.best
        ends = "" if result.interval is None else interval_words(task.metric, result.interval)
        beside = dummy_words(result) or ""
        model = (
            f"{len(result.members)} pipelines"
            if len(result.members) > 1
            else family_label(best.evaluation.config["family"])
        )
        rows.append(
            [
                tag("a", name, href=f"{quote(result.run.name)}/report.html"),
                KIND_TITLES[task.kind],
                metric_title(task.metric, task.positive_label),
                spoken_value(task.metric, result.score),
                ends,
                model,
                beside,
            ]
        )
    titles = [
        ("target", "name"),
        ("kind", ""),
        ("judged by", ""),
        ("score", "n"),
        ("95 %", "n"),
        ("model", ""),
        ("", ""),
    ]
    first = next(iter(results.values())).task
    what = f"{len(results)} targets of one table of {rows_words(first)}, one search each"
    body = [("targets", "Targets", table(titles, rows, cards=True))]
    text = document(f"{first.name} · AutoMeta", first.name, what, body)
    files.replace(path, text.encode("utf-8", errors="replace"))
    return path
