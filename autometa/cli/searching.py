"""The options of `fit` that say how it searches: parameters and their ranges, folds, and when it is enough."""

# Annotations are evaluated once, here: typer would compile them from text at every start, which costs 10 ms.
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autometa.cli.app import MEMORY_PANEL, SEARCH_PANEL

if TYPE_CHECKING:
    from autometa.values import Gathered

Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="TIME",
        help="Time for everything: 60, 90s, 5m, 1h30m; default: 60 s, none with --trials.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
TrialsOption = Annotated[
    str | None,
    typer.Option("--trials", metavar="N", help="How many configurations to try.", rich_help_panel=SEARCH_PANEL),
]
Cold = Annotated[bool, typer.Option("--cold", help="Search without it.", rich_help_panel=MEMORY_PANEL)]
NoRemember = Annotated[
    bool, typer.Option("--no-remember", help="Do not add what is found to it.", rich_help_panel=MEMORY_PANEL)
]
NewRun = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="Folder for everything; default: autometa_runs/NAME-DATE-TIME."),
]
Fixed = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Fix a parameter (lightgbm.num_leaves=31), or give it a range (lightgbm.learning_rate=0.01..0.1) or "
        "choices (knn.weights=uniform|distance). As often as you like.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
SpaceFile = Annotated[
    Path | None,
    typer.Option(
        "--space",
        metavar="FILE",
        help="The same from a TOML file: a table for each family, num_leaves = 31, learning_rate = [0.01, 0.1].",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Folds = Annotated[
    str | None,
    typer.Option(
        "--folds",
        metavar="N",
        help="Judge every trial by N folds; 1 is a hold-out; default: what suits the table and the time.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
PatienceOption = Annotated[
    str | None,
    typer.Option(
        "--patience",
        metavar="auto|off|TIME",
        help="End early: where nothing better is expected (auto, the default), never (off), or after TIME without a "
        "better trial.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
InferLimit = Annotated[
    str | None,
    typer.Option(
        "--infer-limit",
        metavar="TIME",
        help="Longest that answering a row may take in a table of many, such as 1ms; bounds the ensemble.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Exportable = Annotated[
    bool,
    typer.Option(
        "--exportable",
        help="Search only what `autometa export --to onnx` can write.",
        rich_help_panel=SEARCH_PANEL,
    ),
]


LearnerOption = Annotated[
    str | None,
    typer.Option(
        "--fewshot",
        metavar="CHECKPOINT",
        help="Adapt this learner of `fewshot train`, or one that comes trained, too (docs/fewshot.md).",
        rich_help_panel=SEARCH_PANEL,
    ),
]


PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="fast|balanced|best|light",
        help="Time, families and size under one word; what is given beside it counts instead.",
        rich_help_panel=SEARCH_PANEL,
    ),
]
Members = Annotated[
    str | None,
    typer.Option(
        "--members",
        metavar="N",
        help="Pipelines that answer together, at most; 1 is one, fitted once; default: as many as help.",
        rich_help_panel=SEARCH_PANEL,
    ),
]


def searching_of(
    gathered: "Gathered",
    *,
    fixed: list[str] | None,
    space: Path | None,
    folds: str | None,
    patience: str | None,
    members: str | None,
    infer_limit: str | None,
    exportable: bool,
) -> dict[str, Any]:
    """What these options say, by the names of a search's settings; None where one is not given."""
    from autometa.space.narrowing import wishes_of
    from autometa.values import duration, patience_of, whole

    return {
        "patience": gathered.option(patience_of, "--patience", patience),
        "space": gathered.take(wishes_of, fixed or (), space) or {},
        "exportable": exportable,
        "infer_limit": gathered.option(duration, "--infer-limit", infer_limit),
        "folds": gathered.option(whole, "--folds", folds, 1),
        "members": gathered.option(whole, "--members", members, 1),
    }


def preset_of(gathered: "Gathered", preset: str | None, given: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The options of a search under a preset, less those that nobody gives, and a sentence that says what it is."""
    if preset is None:
        return {name: value for name, value in given.items() if value is not None}, None
    from autometa.search.presets import with_preset

    chosen, said = gathered.take(with_preset, preset, given) or (given, None)
    return {name: value for name, value in chosen.items() if value is not None}, said
