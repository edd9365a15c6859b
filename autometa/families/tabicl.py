"""TabICL: a network trained on tables that were made up, which answers from rows (`learners.in_context`).

Optional: the package `tabicl` (extra ``foundation``) and its weights on this machine; see `families.foundation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family
from autometa.families.foundation import FoundationModel
from autometa.families.options import OPTIONS
from autometa.space import Config, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind

MODEL = FoundationModel(
    "tabicl",
    "TabICL",
    "tabicl",
    (2, 2),
    (3, 0),
    "jingang/TabICL",
    {
        "binary": "tabicl-classifier-v2-20260212.ckpt",
        "multiclass": "tabicl-classifier-v2-20260212.ckpt",
        "regression": "tabicl-regressor-v2-20260212.ckpt",
    },
    "BSD-3-Clause",  # the card of its repository on the hub
)


def space(kind: Kind) -> SearchSpace:
    """Members, normalisations and temperature are the package's own defaults; it takes all rows, and here a part."""
    parameters = {
        "members": integer(1, 32, 8, log=True),
        "context": integer(*OPTIONS.in_context.rows, log=True),
        "norm": choice("none+power", "none", "power", "quantile", "robust"),
        "outliers": real(2.0, 12.0, 4.0, log=True),
    }
    if kind != "regression":
        parameters["temperature"] = real(0.5, 2.0, 0.9, log=True)
    return SearchSpace.of(**parameters)


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Numbers standardised, categories as codes; the network normalises for itself as well."""
    from autometa.families.learners.in_context import in_context_pipeline

    return in_context_pipeline(MODEL, config, columns, kind, seed=seed, threads=threads, device=device)


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """The network tells ten classes apart; its time grows with the cells that it is shown."""
    options = OPTIONS.in_context
    if n_classes > options.most_classes:
        return f"TabICL is for up to {options.most_classes} classes"
    cells = min(n_rows, options.rows[1]) * n_columns * max(n_classes, 1)
    if n_columns > options.most_columns or cells > options.most_cells:
        return f"TabICL takes too long on {n_rows:,} rows of {n_columns:,} columns and {n_classes} classes"
    return None


MODEL_FAMILY = Family(
    MODEL.name, MODEL.label, space, build, requires=MODEL.package, limit=limit, uses_gpu=True, foundation=MODEL
)
