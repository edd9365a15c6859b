"""R2-D2: ridge regression on the embeddings, in closed form, which is differentiated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from autometa.families.learners import heads
from autometa.fewshot.bodies import Backbone, Halving
from autometa.fewshot.episode import EpisodeKind, EpisodeSpec, Examples
from autometa.fewshot.heads import Centre, HeadLearner
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True)
class RidgeHead(HeadLearner):
    """Least squares on the classes' indicators, or on values; penalty, scale and shift are learned over tasks."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "Bertinetto et al., 2019 (R2-D2)"

    problem: EpisodeSpec
    centre: Centre = "none"  # the paper's
    normalise: bool = False
    penalty: float = 1.0  # at first; it is learned
    width: int = 64
    halving: Halving = "pool"
    backbone: Backbone = "conv4"

    def start(self) -> dict[str, float]:
        """The penalty, and what is made of indicators to be logits; values are taken as they are."""
        scale = math.log(OPTIONS.head_sharpness) if self.problem.kind == "classification" else 0.0
        return {"penalty": math.log(self.penalty), "sharpness": scale, "shift": 0.0}

    def solve(self, weights: Weights, h: Tensor, support: Examples) -> dict[str, Tensor]:
        """Coefficients (w + 1, o), the intercept's last, and of classes how many examples each has (o,)."""
        y = self.indicators(h, support)
        solved = heads.ridge(torch, h, y, support.mask, weights["penalty"].exp())
        return {"coefficients": solved, "counts": heads.means(torch, h, y, support.mask)[1]}

    def answer(self, weights: Weights, state: dict[str, Tensor], h: Tensor, query: Examples) -> Tensor:
        """Logits, or values."""
        outputs = weights["sharpness"].exp() * heads.linear(torch, h, state["coefficients"]) + weights["shift"]
        return heads.there(torch, outputs, state["counts"]) if self.problem.kind == "classification" else outputs
