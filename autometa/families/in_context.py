"""What foundation models have in common as families: how they are built, and where they take too long.

Each has a file of its own that says which model it is and what its space is; see `families.foundation`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from autometa.families.family import Family
from autometa.families.foundation import FoundationModel
from autometa.families.options import OPTIONS
from autometa.space import Config, SearchSpace

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def foundation_family(model: FoundationModel, space: Callable[[Kind], SearchSpace]) -> Family:
    """The family of a foundation model."""
    return Family(
        model.name,
        model.label,
        space,
        partial(_build, model),
        requires=model.package,
        limit=partial(_limit, model.label),
        uses_gpu=True,
        foundation=model,
    )


def _build(
    model: FoundationModel,
    config: Config,
    columns: Columns,
    kind: Kind,
    *,
    n_rows: int,
    seed: int,
    threads: int,
    device: str,
) -> Pipeline:
    """Numbers standardised, categories as codes; the network normalises for itself as well."""
    from autometa.families.learners.in_context import in_context_pipeline

    return in_context_pipeline(model, config, columns, kind, seed=seed, threads=threads, device=device)


def _limit(label: str, n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """The network tells ten classes apart; its time grows with the cells that it is shown."""
    options = OPTIONS.in_context
    if n_classes > options.most_classes:
        return f"{label} is for up to {options.most_classes} classes"
    cells = min(n_rows, options.rows[1]) * n_columns * max(n_classes, 1)
    if n_columns > options.most_columns or cells > options.most_cells:
        return f"{label} takes too long on {n_rows:,} rows of {n_columns:,} columns and {n_classes} classes"
    return None
