"""The head of Simple CNAPs: a Gaussian for each class, whose covariance is shrunk by how few examples it has."""

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


@dataclass(frozen=True, slots=True)
class SimpleCnaps(HeadLearner):
    """The nearest class by the Mahalanobis distance; with `refine`, the queries' soft labels count in means and spread.

    The paper's network, which adapts its filters to the task, is not part of it: `task_embedding` has one.
    """

    source: ClassVar[str] = "Bateni et al., 2020; refine: Bateni et al., 2022"

    problem: EpisodeSpec
    centre: Centre = "none"
    normalise: bool = False
    shrinkage: float = 1.0  # of the sphere, at first; it is learned
    refine: int = 0  # times that means and covariances are taken anew with the queries
    width: int = 64
    halving: Halving = "pool"
    backbone: Backbone = "conv4"

    def start(self) -> dict[str, float]:
        """The sphere's part, and the scale of half the squared distances."""
        return {"shrinkage": math.log(self.shrinkage), "sharpness": 0.0}

    def solve(self, weights: Weights, h: Tensor, support: Examples) -> dict[str, Tensor]:
        """The Gaussians (`heads.Gaussians`); with `refine` the support itself too."""
        y = self.indicators(h, support)
        state = dict(heads.gaussians(torch, h, y, support.mask, weights["shrinkage"].exp())._asdict())
        return state | ({"support": h, "indicators": y, "mask": support.mask} if self.refine else {})

    def answer(self, weights: Weights, state: dict[str, Tensor], h: Tensor, query: Examples) -> Tensor:
        """Logits: minus half the squared distances."""
        found = heads.Gaussians(*(state[name] for name in heads.Gaussians._fields))
        logits = self._logits(weights, found, h, state["counts"])
        for _ in range(self.refine):
            y = torch.cat([state["indicators"], logits.softmax(-1)])
            both, mask = torch.cat([state["support"], h]), torch.cat([state["mask"], query.mask])
            found = heads.gaussians(torch, both, y, mask, weights["shrinkage"].exp())
            logits = self._logits(weights, found, h, state["counts"])
        return logits

    def _logits(self, weights: Weights, found: heads.Gaussians, h: Tensor, counts: Tensor) -> Tensor:  # (q, c)
        distances = heads.mahalanobis(torch, found, h)
        return heads.there(torch, -0.5 * weights["sharpness"].exp() * distances, counts)
