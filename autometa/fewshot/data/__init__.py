"""The data sets by name: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.data.digits import digits
from autometa.fewshot.data.images import images
from autometa.fewshot.data.omniglot import omniglot, omniglot_lake
from autometa.fewshot.data.sinusoid import sinusoid
from autometa.fewshot.data.source import Choice, Data, Description, EpisodeSource
from autometa.fewshot.data.synthetic import synthetic
from autometa.fewshot.data.tables import prior, tables
from autometa.moved import former

__all__ = ["DATA", "TABULAR", "Choice", "Data", "Description", "EpisodeSource", "load_data"]

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

DATA: dict[str, Callable[[str | None, dict[str, Any]], Data]] = {
    "omniglot": omniglot,
    "omniglot_lake": omniglot_lake,
    "images": images,
    "digits": digits,
    "sinusoid": sinusoid,
    "tables": tables,
    "prior": prior,
    "synthetic": synthetic,
}
TABULAR = ("tables", "prior", "synthetic")  # whose examples are rows, standardised by the support


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
    return DATA[name](path, options)
