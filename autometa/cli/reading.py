"""How a table is to be read, as options of the commands that read one, and what they say as keywords of `read_task`."""

# Annotations are evaluated once, here: typer would compile them from text at every start, which costs 10 ms.
import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autometa.cli.app import TABLE_PANEL
from autometa.errors import InputError, Problem

if TYPE_CHECKING:
    from autometa.values import Gathered

READING_PANEL = "How the table is read"
KINDS = ("classification", "binary", "multiclass", "regression")

AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Answer though a column is lacking or cannot be read at all.")
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="classification or regression; default: by the target, and said.",
        rich_help_panel=READING_PANEL,
    ),
]
Weight = Annotated[
    str | None,
    typer.Option(
        "--weight",
        metavar="COL",
        help="How much each row counts, in fitting and in scores; not a feature.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Validation = Annotated[
    str | None,
    typer.Option(
        "--validation",
        metavar="FILE",
        help="A table with the same columns: models are judged on its rows, and learn from none of them.",
        rich_help_panel=TABLE_PANEL,
    ),
]
MonotonicOption = Annotated[
    list[str] | None,
    typer.Option(
        "--monotonic",
        metavar="COL=+|-",
        help="The prediction may only rise (+) or only fall (-) with this numeric column. As often as you like.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Costs = Annotated[
    Path | None,
    typer.Option(
        "--costs",
        metavar="FILE",
        help="What mistakes cost: CSV, true classes down, what they are taken for across.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Keep = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="COL,...",
        help="Features, though they look like identifiers.",
        rich_help_panel=READING_PANEL,
    ),
]
Drop = Annotated[
    str | None,
    typer.Option("--drop", metavar="COL,...", help="Columns that are no features.", rich_help_panel=READING_PANEL),
]
Types = Annotated[
    str | None,
    typer.Option(
        "--types",
        metavar="COL=TYPE,...",
        help="What columns hold: number, category, text or date.",
        rich_help_panel=READING_PANEL,
    ),
]
Na = Annotated[
    str | None,
    typer.Option(
        "--na",
        metavar="WORD,...",
        help="The words for missing, instead of the usual ones; '' for none but empty cells.",
        rich_help_panel=READING_PANEL,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Of a text: utf-8, gbk, cp1252 ...; default: found, and said where it is a guess.",
        rich_help_panel=READING_PANEL,
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line names the columns; default: found.",
        rich_help_panel=READING_PANEL,
        show_default=False,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet",
        metavar="NAME",
        help="Of a workbook, or its number from 1; default: the first, and said.",
        rich_help_panel=READING_PANEL,
    ),
]
Member = Annotated[
    str | None,
    typer.Option(
        "--member",
        metavar="NAME",
        help="Of an archive; '*.csv' takes several of the same columns.",
        rich_help_panel=READING_PANEL,
    ),
]
Query = Annotated[
    str | None,
    typer.Option("--query", metavar="SQL", help="What to ask a database.", rich_help_panel=READING_PANEL),
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="MODEL",
        help="Of images or texts: FILE.onnx, .pt, .pt2, module:function, timm:NAME, sentence-transformers:NAME; "
        "default: a simple one that is built in.",
        rich_help_panel=READING_PANEL,
    ),
]
EncoderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder-option",
        metavar="NAME=VALUE",
        help="Of the encoder: column, size, scaling, trust, download (docs/fewshot.md). As often as you like.",
        rich_help_panel=READING_PANEL,
    ),
]
Download = Annotated[
    bool,
    typer.Option("--download", help="Fetch the table from its address on the web.", rich_help_panel=READING_PANEL),
]

LimitsOption = Annotated[
    str | None,
    typer.Option(
        "--limits",
        metavar="NAME=N,...",
        help="What a file may hold at most: size, ratio, columns, cell, nesting (docs/tables.md).",
        rich_help_panel=READING_PANEL,
    ),
]


def reading_of(
    gathered: "Gathered",
    *,
    kind: str | None = None,
    keep: str | None = None,
    drop: str | None = None,
    types: str | None = None,
    monotonic: list[str] | None = None,
    na: str | None = None,
    limits: str | None = None,
    **as_it_is: Any,
) -> dict[str, Any]:
    """What these options say, as keywords of `autometa.task.read_task`; those that were not given are left out."""
    from autometa.values import one_of

    said: dict[str, Any] = {
        "kind": gathered.option(one_of, "--kind", kind, KINDS),
        "keep": None if keep is None else listed_names(keep),
        "drop": None if drop is None else listed_names(drop),
        "types": gathered.option(_types, "--types", types),
        "monotonic": gathered.option(_signs, "--monotonic", None if monotonic is None else ",".join(monotonic)),
        "na": None if na is None else listed_names(na),
        "limits": gathered.option(limits_said, "--limits", limits),
        **as_it_is,  # encoding, header, sheet, member, query, download
    }
    return {name: value for name, value in said.items() if value is not None}


def options_said(option: str, texts: list[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping.

    Example:
        >>> options_said("--encoder-option", ["size=64", "column=picture"])
        {'size': '64', 'column': 'picture'}
    """
    wrong = [Problem(f"{option} {text}", "is not NAME=VALUE") for text in texts or [] if "=" not in text]
    if wrong:
        raise InputError(wrong)
    return {name.strip(): value for name, _, value in (text.partition("=") for text in texts or [])}


def limits_said(option: str, text: str) -> dict[str, int]:
    """``size=20GB,columns=1000000`` as a mapping.

    Example:
        >>> limits_said("--limits", "size=20GB,columns=1_000_000")
        {'size': 20000000000, 'columns': 1000000}
    """
    from autometa.task.read.limits import Limits
    from autometa.values import size

    pairs = pairs_of(option, text, "NAME=N", "columns=1000000")
    found = {name: size(option, value.replace("_", "")) for name, value in pairs.items()}
    Limits.of(found)
    return found


def listed_names(text: str) -> tuple[str, ...]:
    """A list with commas; a name that holds one stands in quotes.

    Example:
        >>> listed_names('age, "town, street"'), listed_names("")
        (('age', 'town, street'), ())
    """
    rows = csv.reader([text], skipinitialspace=True)
    return tuple(dict.fromkeys(name.strip() for row in rows for name in row if name.strip()))


def _types(option: str, text: str) -> dict[str, str]:
    """``zip=category,when=date`` as a mapping."""
    return pairs_of(option, text, "COL=TYPE", "zip=category")


def _signs(option: str, text: str) -> dict[str, str]:
    """``income=+,age=-`` as a mapping."""
    found = pairs_of(option, text, "COL=+ or COL=-", "income=+")
    if len(found) < len(listed_names(text)):
        raise InputError(Problem(f"{option} {text}", "asks for both directions of one column", "Give one of them."))
    return found


def pairs_of(option: str, text: str, form: str, example: str) -> dict[str, str]:
    """What stands before and behind the last equals sign of each."""
    found = {}
    for one in listed_names(text):
        name, sign, value = one.rpartition("=")
        if not sign or not name:
            raise InputError(Problem(f"{option} {text}", f"{one!r} is no {form}", f"Such as {option} {example}."))
        found[name.strip()] = value.strip()
    return found
