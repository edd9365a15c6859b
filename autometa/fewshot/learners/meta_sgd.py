"""Meta-SGD: the start, and for each weight its own step, sign included, are learned together; one step is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator

from autometa.fewshot.bodies import Backbone
from autometa.fewshot.descent import DescentLearner, adaptable, descend, start
from autometa.fewshot.episode import Examples
from autometa.fewshot.learner import Training
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS

RATES = "rate."


@dataclass(frozen=True, slots=True)
class MetaSgd(DescentLearner):
    """Meta-SGD: MAML that also learns the rate of each weight, its sign included."""

    source: ClassVar[str] = "Li, Zhou, Chen and Li, 2017"

    backbone: Backbone = "conv4"

    @property
    def training(self) -> Training:
        """Meta-batches of 16, of 25 sine waves."""
        return Training(tasks=25, query=10) if self.problem.kind == "regression" else Training(tasks=16, query=5)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh network, its head, and a rate for each of their numbers."""
        fresh = start(self.problem, self.network, generator)
        lowest, highest = OPTIONS.meta_sgd_rates
        rates = {
            RATES + name: lowest + (highest - lowest) * torch.rand(w.shape, generator=generator)
            for name, w in fresh.items()
        }
        return {**fresh, **rates}

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        moving = adaptable(weights)
        rates = {name: weights[RATES + name] for name in moving}
        return descend(self.problem, self.network, weights, moving, support, steps=steps, rate=rates)
