"""The whole file: head, sections, style sheet and script."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from autometa.report.html import Markup, tag
from autometa.report.parts import Report, version
from autometa.report.sections import SECTIONS
from autometa.report.words import metric_title

CSS, SCRIPT = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
KINDS = {"binary": "Binary classification", "multiclass": "Multiclass classification", "regression": "Regression"}


def page(report: Report) -> str:
    """The whole file."""
    task = report.task
    sections = [(name, title, body) for name, title, build in SECTIONS if (body := build(report)) is not None]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{task.name} · AutoMeta"),
        tag("style", Markup(CSS)),
    )
    what = f"{KINDS[task.kind]} of “{task.target}” from {task.p:,} columns and {task.n:,} rows"
    body = tag(
        "body",
        tag(
            "header",
            tag("h1", task.name),
            tag("p", f"{what}, judged by {metric_title(report.metric)}", cls="what"),
            cls="top",
        ),
        tag("nav", tag("div", [tag("a", title, href=f"#{name}") for name, title, _ in sections])),
        tag("main", [tag("section", tag("h2", title), body, id=name) for name, title, body in sections]),
        tag("footer", f"Written by AutoMeta {version()}. This file needs nothing else: no network, no other file."),
        tag("div", id="tip", role="status"),
        tag("script", Markup(SCRIPT)),
    )
    return f'<!doctype html>\n<html lang="en">\n{head}\n{body}\n</html>\n'
