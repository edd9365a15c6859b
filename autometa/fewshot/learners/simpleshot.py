"""SimpleShot: a class is the mean of its support embeddings, once these are centred and of length 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from autometa.families.learners import heads
from autometa.fewshot.bodies import Backbone, Halving
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.heads import Centre, HeadLearner
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True)
class SimpleShot(HeadLearner):
    """The nearest class mean; with `refine`, soft k-means moves the means by the queries, all of them together."""

    source: ClassVar[str] = "Wang et al., 2019; refine: Ren et al., 2018"

    problem: EpisodeSpec
    centre: Centre = "training"  # the paper's CL2N
    normalise: bool = True
    refine: int = 0  # steps of soft k-means over the queries
    width: int = 64
    halving: Halving = "pool"
    backbone: Backbone = "conv4"

    def start(self) -> dict[str, float]:
        """What squared distances are multiplied by."""
        return {"sharpness": math.log(OPTIONS.head_sharpness)}

    def solve(self, weights: Weights, h: Tensor, support: Examples) -> dict[str, Tensor]:
        """The means (c, w) and how many examples each has (c,); with `refine` the support itself too."""
        y = self.indicators(h, support)
        means, counts = heads.means(torch, h, y, support.mask)
        state = {"means": means, "counts": counts}
        return state | ({"support": h, "indicators": y, "mask": support.mask} if self.refine else {})

    def answer(self, weights: Weights, state: dict[str, Tensor], h: Tensor, query: Examples) -> Tensor:
        """Logits: minus the squared distances."""
        means, sharpness = state["means"], weights["sharpness"].exp()
        if self.refine:
            known = state["support"], state["indicators"], state["mask"]
            means, _ = heads.refined(torch, *known, h, query.mask, sharpness, self.refine)
        return heads.there(torch, -sharpness * heads.squared_distances(h, means), state["counts"])
