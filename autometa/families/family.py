"""What a model family is: a name, a space, and how to build a pipeline from a configuration of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from autometa.space import SearchSpace

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Kind = Literal["binary", "multiclass", "regression"]

CLASSIFICATION = frozenset({"binary", "multiclass"})
EVERY_KIND = CLASSIFICATION | {"regression"}


def no_limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Suits every size."""
    return None


@dataclass(frozen=True, slots=True)
class Family:
    """One entry of the catalogue.

    `space(kind)` holds the family's own parameters, unprefixed; its default configuration is the library's own default.
    `build(config, columns, kind, *, n_rows, seed, threads, device)` gives an unfitted pipeline, preprocessing included.
    `requires` is the import name without which the family is absent. `limit(n_rows, n_columns, n_classes)` says in a
    sentence why the family does not suit a table of that size, or None when it does.
    """

    name: str
    label: str
    space: Callable[[Kind], SearchSpace]
    build: Callable[..., Pipeline]
    kinds: frozenset[str] = EVERY_KIND
    requires: str | None = None
    limit: Callable[[int, int, int], str | None] = no_limit
