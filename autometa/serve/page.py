"""The page on which a person tries a model by hand: a form for one row, a field for a table, and what programs send.

It is made of the parts of the report, and its script asks this service alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.report.html import Markup, join, tag
from autometa.report.page import KIND_TITLES, document
from autometa.report.parts import figures, table, version
from autometa.report.words import metric_title
from autometa.serve.columns import Field, example_row

if TYPE_CHECKING:
    from autometa.serve.service import Service

SCRIPT, STYLE = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("try.js", "try.css"))


def trial_page(service: Service) -> str:
    """The whole page of a service."""
    model = service.model
    positive = str(model.classes[model.positive]) if model.kind == "binary" else None
    what = f"{KIND_TITLES[model.kind]} of “{model.target}”, judged by {metric_title(model.metric, positive)}"
    pictures = _is_of_images(service)
    sections = [("one", "One image" if pictures else "One row", _one(service))]
    if not pictures:
        sections.append(("many", "A table", _many(service)))
    elif len(service.fields) == 1 and model.kind != "regression":
        sections.append(("many", "Several images", _files(service)))
    sections.append(("programs", "For programs", _programs(service)))
    foot = f"Served by AutoMeta {version()} from this machine. The page asks nothing of anybody else."
    return document(
        f"{model.name} · AutoMeta",
        model.name,
        what,
        sections,
        script=SCRIPT,
        style=STYLE,
        connects=True,
        foot=foot,
    )


def _one(service: Service) -> Markup:
    """A field for each column, filled with what is typical, and where the answer comes."""
    lead = "What is typical of the training table stands here. An empty field is a missing cell."
    if _is_of_images(service):
        lead = "Choose an image of this machine." + (" " + lead if len(service.fields) > 1 else "")
    buttons = [tag("button", "Predict", type="submit", id="predict")]
    if service.background is not None:
        buttons.append(tag("button", "Why?", type="button", id="why", cls="second"))
    form = tag("form", tag("div", [_field(field) for field in service.fields], cls="fields"), tag("p", buttons),
               id="row", autocomplete="off")  # fmt: skip
    out = tag("div", id="answer", role="status", aria_live="polite")
    return join([tag("p", lead, cls="lead"), tag("div", form, out, cls="pair")])


def _field(field: Field) -> Markup:
    """A label, and where its value is typed or chosen."""
    name = {"name": field.name, "data_holds": field.holds}
    if field.holds == "image":
        return tag("label", tag("span", field.name), tag("input", type="file", accept="image/*", **name))
    value = "" if field.example is None else str(field.example)
    choices = ("true", "false") if field.holds == "boolean" else field.choices
    if choices:
        chosen = value.lower() if field.holds == "boolean" else value
        options = [tag("option", "", value="")]
        options += [tag("option", one, value=one, selected=one == chosen) for one in choices]
        entry = tag("select", options, **name)
    elif field.holds == "text":
        entry = tag("textarea", value, rows="2", **name)
    elif field.holds == "number":
        entry = tag("input", type="number", step="any", value=value, **name)
    else:
        entry = tag("input", type="text", value=value, **name)
    unit = tag("i", f" {field.unit}") if field.unit else None
    return tag("label", tag("span", field.name, unit), entry)


def _is_of_images(service: Service) -> bool:
    return service.encoded is not None and service.encoded.images


def _files(service: Service) -> Markup:
    """Fields for files of images, and where their answers come."""
    return join([
        tag("p", f"Images of this machine. Up to {service.rows:,} at once.", cls="lead"),
        tag("form",
            tag("p", tag("input", type="file", id="file", multiple=True, accept="image/*", aria_label="Images",
                         data_field=service.fields[0].name)),
            tag("p", tag("button", "Predict the images", type="submit"),
                tag("label", tag("input", type="checkbox", id="proba"), " with probabilities", cls="inline")),
            id="table", autocomplete="off"),
        tag("div", id="answers", role="status", aria_live="polite"),
    ])  # fmt: skip


def _many(service: Service) -> Markup:
    """A field for a table, and where its answers come."""
    names = ", ".join(field.name for field in service.fields[:6]) + (", ..." if len(service.fields) > 6 else "")
    lead = f"A file, or CSV typed here, with a header: {names}. Up to {service.rows:,} rows."
    header = ",".join(_cell(field.name) for field in service.fields)
    row = ",".join(_cell(field.example) for field in service.fields)
    boxes = [] if service.model.kind == "regression" else [
        tag("label", tag("input", type="checkbox", id="proba"), " with probabilities", cls="inline")
    ]  # fmt: skip
    return join([
        tag("p", lead, cls="lead"),
        tag("form",
            tag("p", tag("input", type="file", id="file", aria_label="A file with rows")),
            tag("textarea", f"{header}\n{row}\n", id="csv", rows="6", spellcheck="false", aria_label="Rows as CSV"),
            tag("p", tag("button", "Predict the table", type="submit"), boxes), id="table", autocomplete="off"),
        tag("div", id="answers", role="status", aria_live="polite"),
    ])  # fmt: skip


def _cell(value: Any) -> str:
    """A cell of CSV."""
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n') else text


def _programs(service: Service) -> Markup:
    """The paths, what to send, and the columns."""
    rows = json.dumps([example_row(service.fields)], ensure_ascii=False)
    quoted = rows.replace("'", "'\\''")
    paths = [
        (
            "POST /predict",
            "predictions of rows; ?proba=true, ?interval=0.9, ?by=COLUMN, ?threshold=0.3, ?allow_missing=true",
        ),
        *(
            []
            if service.encoded is not None
            else [
                ("POST /explain", "what each column contributed to the answer of a row (Shapley values)"),
            ]
        ),
        ("GET /health", "whether it works, and what it is"),
        ("GET /openapi.json", "all of this, for programs (OpenAPI)"),
    ]
    curl = f"curl ADDRESS/predict -H 'Content-Type: application/json' \\\n  --data '{quoted}'\n\n"
    if _is_of_images(service):
        beside = "".join(f" -F '{one.name}={one.example}'" for one in service.fields[1:])
        curl += f"curl ADDRESS/predict -F '{service.fields[0].name}=@picture.png'{beside}"
    else:
        curl += "curl ADDRESS/predict -H 'Content-Type: text/csv' --data-binary @new.csv"
    facts = [
        (f"{len(service.fields):,}", "columns that a row needs", ""),
        (f"{len(service.model.members):,}", "pipelines answer together", ""),
        (f"{service.rows:,}", "rows in a request at most", ""),
    ]
    columns = [[one.name, one.holds, "" if one.example is None else str(one.example)] for one in service.fields]
    words = "What is wrong with a request is said all at once, with status 422: error is a list of where, what, fix."
    return join([
        figures(facts),
        table([("path", "keep"), ("", "")], [[tag("code", path), words] for path, words in paths]),
        tag("h3", "With curl"),
        tag("pre", curl, id="curl"),
        tag("p", words, cls="quiet"),
        tag("h3", "The columns of a row"),
        table([("column", "name"), ("holds", ""), ("such as", "name")], columns),
    ])  # fmt: skip
