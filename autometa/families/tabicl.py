"""TabICL: a network trained on tables that were made up, which answers from rows (`learners.in_context`).

Optional: the package `tabicl` (extra ``foundation``) and its weights on this machine; see `families.foundation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.foundation import FoundationModel
from autometa.families.in_context import foundation_family
from autometa.families.options import OPTIONS
from autometa.space import SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from autometa.task import Kind

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


MODEL_FAMILY = foundation_family(MODEL, space)
