"""TabDPT: a network trained on real tables, which answers from rows (`learners.in_context`).

Optional: the package `tabdpt` (extra ``foundation``) and its weights on this machine; see `families.foundation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.foundation import FoundationModel
from autometa.families.in_context import foundation_family
from autometa.families.options import OPTIONS
from autometa.space import SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from autometa.task import Kind

WEIGHTS = "tabdpt1_3.safetensors"  # one network for classes and for numbers
MODEL = FoundationModel(
    "tabdpt",
    "TabDPT",
    "tabdpt",
    (1, 3),
    (1, 4),  # the second number of the package's version is that of its weights
    "Layer6/TabDPT",
    {"binary": WEIGHTS, "multiclass": WEIGHTS, "regression": WEIGHTS},
    "Apache-2.0",  # the card of its repository on the hub
)


def space(kind: Kind) -> SearchSpace:
    """Members, normalisation and temperature are the package's own defaults; it takes all rows, and here a part."""
    parameters = {
        "members": integer(1, 32, 8, log=True),
        "context": integer(*OPTIONS.in_context.rows, log=True),
        "norm": choice("standard", "robust", "power", "quantile-uniform", "quantile-normal", "log1p"),
        "clip": real(2.0, 20.0, 8.0, log=True),
    }
    if kind != "regression":
        parameters["temperature"] = real(0.3, 2.0, 1.0, log=True)
    return SearchSpace.of(**parameters)


MODEL_FAMILY = foundation_family(MODEL, space)
