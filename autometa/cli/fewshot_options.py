"""The options that the commands of ``autometa fewshot`` share."""

# Annotations are evaluated once, here: typer would compile them from text at every start, which costs 10 ms.
import re
from pathlib import Path
from typing import Annotated

import typer

EPISODES = "The episodes"


def device_named(option: str, text: str) -> str:
    """The name of a device; whether it is there is asked later, since that takes torch."""
    from autometa.values import one_of

    return text if re.fullmatch(r"cuda:\d+", text) else one_of(option, text, ("auto", "cpu", "cuda", "mps"))


Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="What `fewshot train --out` made, or the name of what comes trained (`fewshot list`)."
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to calculate; also cuda:1 and so on, mps.")
]
OwnLearner = Annotated[
    str | None,
    typer.Option("--learner", metavar="module:Class", help="A learner of your own, where it was trained with one."),
]
Way = Annotated[str, typer.Option("--way", metavar="N", help="Classes of an episode.", rich_help_panel=EPISODES)]
Shot = Annotated[
    str, typer.Option("--shot", metavar="N", help="Support examples of each class.", rich_help_panel=EPISODES)
]
Query = Annotated[
    str | None,
    typer.Option(
        "--query", metavar="N", help="Queries of each class when judged; default: 15, or what is there.",
        rich_help_panel=EPISODES,
    ),
]  # fmt: skip
DataPath = Annotated[
    str | None,
    typer.Option("--path", metavar="PATH", help="File or folder of the data.", rich_help_panel=EPISODES),
]
DataOptions = Annotated[
    list[str] | None,
    typer.Option("--data-option", metavar="NAME=VALUE", help="Such as size=84 for images.", rich_help_panel=EPISODES),
]
