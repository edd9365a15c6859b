"""Meta-SGD: the start, and for each weight its own step, sign included, are learned together; one step is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from autometa.fewshot.descent import adaptable, descend, forward, start
from autometa.fewshot.episode import Episode, Examples, Kind, Problem, mean_loss
from autometa.fewshot.learner import Outcome, Training
from autometa.fewshot.networks import Network, Weights, network_for

RATE = "rate."
LOWEST, HIGHEST = 0.005, 0.1  # of the fresh rates, as in the paper


@dataclass(frozen=True, slots=True)
class MetaSgd:
    """MAML with learned rates."""

    kinds: ClassVar[tuple[Kind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "Li, Zhou, Chen and Li, 2017"
    transductive: ClassVar[bool] = True

    problem: Problem
    steps: int = 1
    test_steps: int = 1
    width: int = 64
    halving: Literal["pool", "stride"] = "stride"

    @property
    def training(self) -> Training:
        """As for MAML."""
        return Training(tasks=25, query=10) if self.problem.kind == "regression" else Training(tasks=16, query=5)

    @property
    def network(self) -> Network:
        """The network that adapts."""
        return network_for(self.problem, width=self.width, halving=self.halving)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh network, its head, and a rate for each of their numbers."""
        fresh = start(self.problem, self.network, generator)
        rates = {
            RATE + name: LOWEST + (HIGHEST - LOWEST) * torch.rand(w.shape, generator=generator)
            for name, w in fresh.items()
        }
        return {**fresh, **rates}

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, Outcome]:
        """Query loss after `steps` on the support."""
        outputs = self.predict(weights, self._adapt(weights, task.support, self.steps), task.query)
        return mean_loss(self.problem, outputs, task.query), Outcome(outputs, {})

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """The weights after `test_steps`."""
        return self._adapt(weights, support, self.test_steps)

    def predict(self, weights: Weights, adapted: Weights, query: Examples) -> Tensor:
        """The adapted network's answers."""
        return forward(self.network, {**weights, **adapted}, query)

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        moving = adaptable(weights)
        rates = {name: weights[RATE + name] for name in moving}
        return descend(self.problem, self.network, weights, moving, support, steps=steps, rate=rates)
