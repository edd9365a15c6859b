"""Learning to learn by gradient descent by gradient descent: an LSTM that turns gradients into steps.

The same two-layer LSTM updates every number of the network, from its gradient alone. It is trained on the sum of the
losses along its way (here those of the query), with gradients as constants. The paper starts from random networks; few
examples say little about one, so here the start is learned with the rule.

Letters:  m numbers of the base learner · h hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor
from torch.func import grad

from autometa.fewshot.coordinates import flat, lstm_cell, lstm_weights, named, preprocessed
from autometa.fewshot.descent import adaptable, forward, start
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.networks import Network, Weights, network_for

LAYERS = 2


@dataclass(frozen=True, slots=True)
class LearnedOptimizer:
    """A coordinate-wise LSTM optimiser."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "Andrychowicz et al., 2016"
    transductive: ClassVar[bool] = True

    problem: EpisodeSpec
    steps: int = 5
    hidden: int = 20
    scale: float = 0.1  # of the steps
    width: int = 32
    halving: Literal["pool", "stride"] = "stride"

    @classmethod
    def preset(cls, problem: EpisodeSpec) -> dict[str, Any]:
        """Smaller steps where values are predicted."""
        return {"scale": 0.03} if problem.kind == "regression" else {}

    @property
    def training(self) -> Training:
        """Clipped: unrolled recurrences sometimes explode."""
        return Training(tasks=4, clip=1.0, query=15 if self.problem.kind == "classification" else 10)

    @property
    def network(self) -> Network:
        """What is optimised."""
        return network_for(self.problem, width=self.width, halving=self.halving)

    def initialise(self, generator: Generator) -> Weights:
        """A start, the LSTM, and its output: a step against the sign of the gradient, until it has learned better."""
        weights = start(self.problem, self.network, generator)
        for layer in range(LAYERS):
            weights |= lstm_weights(f"rule.lstm{layer}", self.hidden if layer else 2, self.hidden, generator)
        weights["rule.output"] = torch.randn((self.hidden, 1), generator=generator) * 0.1
        weights["rule.direct"] = torch.tensor([[0.0], [-0.1]])  # of the two preprocessed inputs
        return weights

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Mean query loss along the way."""
        path = self._path(weights, task.support)
        losses, outputs = [], None
        for place in path[1:] or path:
            outputs = self.predict(weights, place, task.query)
            losses.append(mean_loss(self.problem, outputs, task.query))
        assert outputs is not None
        return torch.stack(losses).mean(), TaskOutcome(outputs, {})

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """The weights after `steps`."""
        return self._path(weights, support)[-1]

    def predict(self, weights: Weights, adapted: Weights, query: Examples) -> Tensor:
        """The optimised network's answers."""
        return forward(self.network, {**weights, **adapted}, query)

    def _path(self, weights: Weights, support: Examples) -> list[Weights]:
        base = adaptable(weights)
        shapes = {name: w.shape for name, w in base.items()}
        still = {name: w.detach() for name, w in weights.items()}
        place = flat(base)  # (m,)
        nothing = torch.zeros_like(place)[:, None].expand(-1, self.hidden)
        states, path = [(nothing, nothing)] * LAYERS, [base]

        def support_loss(vector: Tensor) -> Tensor:
            return mean_loss(self.problem, forward(self.network, {**still, **named(vector, shapes)}, support), support)

        for _ in range(self.steps):
            seen = preprocessed(grad(support_loss)(place.detach()).detach())  # (m, 2)
            h = seen
            for layer in range(LAYERS):
                states[layer] = lstm_cell(weights, f"rule.lstm{layer}", h, states[layer])
                h = states[layer][0]
            place = place + self.scale * (h @ weights["rule.output"] + seen @ weights["rule.direct"])[:, 0]
            path.append(named(place, shapes))
        return path
