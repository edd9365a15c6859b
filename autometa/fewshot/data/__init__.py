"""The data sets by name: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.data.arrays import from_arrays, from_dataset
from autometa.fewshot.data.digits import digits
from autometa.fewshot.data.images import images
from autometa.fewshot.data.omniglot import omniglot, omniglot_lake
from autometa.fewshot.data.sinusoid import sinusoid
from autometa.fewshot.data.source import Choice, Data, Description, EpisodeSource
from autometa.fewshot.data.synthetic import synthetic
from autometa.fewshot.data.tables import prior, tables
from autometa.fewshot.data.vectors import VECTORS, vectors
from autometa.moved import former

__all__ = [
    "DATA",
    "DRAWINGS",
    "PIXELS",
    "TABULAR",
    "Choice",
    "Data",
    "Description",
    "EpisodeSource",
    "from_arrays",
    "from_dataset",
    "load_data",
]

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

DATA: dict[str, Callable[[str | None, dict[str, Any]], Data]] = {
    "omniglot": omniglot,
    "omniglot_lake": omniglot_lake,
    "images": images,
    "vectors": vectors,
    "digits": digits,
    "sinusoid": sinusoid,
    "tables": tables,
    "prior": prior,
    "synthetic": synthetic,
}
TABULAR = ("tables", "prior", "synthetic")  # whose examples are rows, standardised by the support
PIXELS = ("omniglot", "omniglot_lake", "digits", "images")  # whose examples are bytes, scaled to 0..1
DRAWINGS = ("omniglot", "omniglot_lake", "digits")  # of which strokes are bright, and all around is black
OPTIONS_OF = {"images": ("size", "grey", "bits"), "tables": ("rows",), "synthetic": ("columns",), "vectors": VECTORS}


def load_data(name: str, path: str | None = None, **options: Any) -> Data:
    """A data set by name, from a path where it needs one.

    Args:
        name: A key of `DATA`.
        path: A file or folder; ``digits``, ``sinusoid``, ``prior`` and ``synthetic`` need none.
        **options: Of the data set, such as ``size=84`` of ``images``; they may be text.

    Raises:
        InputError: There is none of that name, or nothing usable at that path; says where to get it.

    See Also:
        `Data`, `catalogue`.

    Example:
        >>> data = load_data("digits")
        >>> data.train.names, data.test.names, data.train.problem(way=5).shape
        (('0', '1', '2', '3', '4', '5', '6'), ('7', '8', '9'), (1, 8, 8))
    """
    if name not in DATA:
        fix = f"{did_you_mean(name, list(DATA))} Known: {', '.join(DATA)}.".strip()
        raise InputError(Problem(f"data {name!r}", "is not known", fix))
    known = OPTIONS_OF.get(name, ())
    other = [option for option in options if option not in known]
    if other:
        fix = f"Options: {', '.join(known)}." if known else "It has none."
        raise InputError([Problem(f"{name}: {option}", "no such option", fix) for option in other])
    return DATA[name](path, options)
