"""The whole file: head, sections, style sheet and script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autometa.report.html import Markup, tag
from autometa.report.parts import Report, version
from autometa.report.sections import SECTIONS
from autometa.report.words import metric_title, rows_words

CSS, SCRIPT = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
KIND_TITLES = {"binary": "Binary classification", "multiclass": "Multiclass classification", "regression": "Regression"}


def page(report: Report) -> str:
    """The whole file of a finished search."""
    task = report.task
    sections = [(name, title, body) for name, title, build in SECTIONS if (body := build(report)) is not None]
    what = f"{KIND_TITLES[task.kind]} of “{task.target}” from {task.p:,} columns and {rows_words(task)}"
    return document(f"{task.name} · AutoMeta", task.name, f"{what}, judged by {metric_title(report.metric)}", sections)


def document(
    title: str,
    heading: str,
    what: str,
    sections: Sequence[tuple[str, str, Any]],
    *,
    script: str = "",
    style: str = "",
    connects: bool = False,
    foot: str | None = None,
) -> str:
    """One self-contained page: (name, title, content) of each section, under a heading and a line about it.

    Args:
        title: Of the window.
        heading: Of the page.
        what: A line about it.
        sections: In order.
        script: Of this page alone, after that of every page.
        style: Of this page alone, after that of every page.
        connects: Whether its script may ask the server that the page came from.
        foot: The last line; None for that of a file.
    """
    scripts = [SCRIPT, script] if script else [SCRIPT]
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    own = "connect-src 'self'; " if connects else ""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; {own}form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(CSS + style)),
    )
    foot = foot or f"Written by AutoMeta {version()}. This file needs nothing else: no network, no other file."
    body = tag(
        "body",
        tag("header", tag("h1", heading), tag("p", what, cls="what"), cls="top"),
        tag("nav", tag("div", [tag("a", words, href=f"#{name}") for name, words, _ in sections])),
        tag("main", [tag("section", tag("h2", words), content, id=name) for name, words, content in sections]),
        tag("footer", foot),
        tag("div", id="tip", role="status"),
        [tag("script", Markup(one)) for one in scripts],
    )
    return f'<!doctype html>\n<html lang="en">\n{head}\n{body}\n</html>\n'
