"""Learning to learn by gradient descent by gradient descent: an LSTM that turns gradients into steps.

The same two-layer LSTM updates every number of the network, from its gradient alone. It is trained on the sum of the
losses along its way (here those of the query), with gradients as constants. The paper starts from random networks; few
examples say little about one, so here the start is learned with the rule.

Letters:  m numbers of the base learner · h hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor
from torch.func import grad

from autometa.fewshot.bodies import Backbone, Halving
from autometa.fewshot.coordinates import coordinates_of, named, preprocessed
from autometa.fewshot.descent import AdaptedNetwork, adaptable, start
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.lstm import lstm_cell, lstm_weights
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True)
class LearnedOptimizer(AdaptedNetwork):
    """A learned optimiser: an LSTM that turns the gradient of each weight into its step."""

    source: ClassVar[str] = "Andrychowicz et al., 2016"

    problem: EpisodeSpec
    steps: int = 5  # judgement: as many as few examples bear
    hidden: int = 20  # the paper's
    scale: float = 0.1  # what the LSTM's output is multiplied by to make a step; the paper's
    width: int = 32  # judgement: a rule of m coordinates costs m times the LSTM
    halving: Halving = "stride"
    backbone: Backbone = "conv4"

    @classmethod
    def preset(cls, problem: EpisodeSpec) -> dict[str, Any]:
        """Smaller steps where values are predicted."""
        return {"scale": 0.03} if problem.kind == "regression" else {}

    @property
    def training(self) -> Training:
        """Meta-batches of four; gradients are clipped, since unrolled recurrences sometimes explode."""
        return Training(tasks=4, clip=1.0, query=15 if self.problem.kind == "classification" else 10)

    def initialise(self, generator: Generator) -> Weights:
        """A start, the LSTM, and its output: a step against the sign of the gradient, until it has learned better."""
        weights = start(self.problem, self.network, generator)
        for layer in range(OPTIONS.optimizer_layers):
            weights |= lstm_weights(f"rule.lstm{layer}", self.hidden if layer else 2, self.hidden, generator)
        weights["rule.output"] = torch.randn((self.hidden, 1), generator=generator) * 0.1
        weights["rule.direct"] = torch.tensor([[0.0], [-0.1]])  # of the two preprocessed inputs
        return weights

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Mean of the query losses after each step."""
        path = self._path(weights, task.support)
        losses, outputs = [], None
        for place in path[1:] or path:
            outputs = self.predict(weights, place, task.query)
            losses.append(mean_loss(self.problem, outputs, task.query))
        assert outputs is not None
        return torch.stack(losses).mean(), TaskOutcome(outputs, {})

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """The network's weights after `steps`."""
        return self._path(weights, support)[-1]

    def _path(self, weights: Weights, support: Examples) -> list[Weights]:
        """The network's weights before the first step and after each."""
        place, shapes, support_loss = coordinates_of(self.problem, self.network, weights, support)  # (m,)
        zero = torch.zeros_like(place)[:, None].expand(-1, self.hidden)
        states, path = [(zero, zero)] * OPTIONS.optimizer_layers, [adaptable(weights)]
        for _ in range(self.steps):
            seen = preprocessed(grad(support_loss)(place.detach()).detach())  # (m, 2)
            h = seen
            for layer in range(OPTIONS.optimizer_layers):
                states[layer] = lstm_cell(weights, f"rule.lstm{layer}", h, states[layer])
                h = states[layer][0]
            place = place + self.scale * (h @ weights["rule.output"] + seen @ weights["rule.direct"])[:, 0]
            path.append(named(place, shapes))
        return path
