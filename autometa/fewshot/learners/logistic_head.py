"""A logistic head: multinomial logistic regression on the embeddings, by a few steps that are differentiated."""

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
class LogisticHead(HeadLearner):
    """Logistic regression of any number of classes; its penalty and the scale of its logits are learned over tasks."""

    source: ClassVar[str] = "Tian et al., 2020; steps: Böhning, 1992"

    problem: EpisodeSpec
    centre: Centre = "training"
    normalise: bool = True  # as Tian et al. have it
    steps: int = 10  # judgement: of unit vectors the loss has all but stopped falling
    penalty: float = 0.1  # at first; it is learned
    width: int = 64
    halving: Halving = "pool"
    backbone: Backbone = "conv4"

    def start(self) -> dict[str, float]:
        """The penalty, and the scale of the logits."""
        return {"penalty": math.log(self.penalty), "sharpness": 0.0}

    def solve(self, weights: Weights, h: Tensor, support: Examples) -> dict[str, Tensor]:
        """Coefficients (w + 1, c), the intercept's last, and how many examples each class has (c,)."""
        y = self.indicators(h, support)
        solved = heads.logistic(torch, h, y, support.mask, weights["penalty"].exp(), self.steps)
        return {"coefficients": solved, "counts": heads.means(torch, h, y, support.mask)[1]}

    def answer(self, weights: Weights, state: dict[str, Tensor], h: Tensor, query: Examples) -> Tensor:
        """Logits."""
        outputs = weights["sharpness"].exp() * heads.linear(torch, h, state["coefficients"])
        return heads.there(torch, outputs, state["counts"])
