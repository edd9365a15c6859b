"""The LSTM meta-learner: an LSTM whose cell state is the base learner's weights.

The cell update of an LSTM, ``c = forget * c + enter * candidate``, is gradient descent when the candidate is minus the
gradient; here both gates are learned, the same for every number, from its gradient, the loss, its value and the last
gates. The first cell state is a learned start. Gradients enter as constants, as in the paper.

Letters:  m numbers of the base learner · h hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.func import grad_and_value

from autometa.fewshot.bodies import Backbone, Halving
from autometa.fewshot.coordinates import coordinates_of, named, preprocessed
from autometa.fewshot.descent import AdaptedNetwork, start
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples
from autometa.fewshot.learner import TaskOutcome, Training, query_loss
from autometa.fewshot.lstm import lstm_cell, lstm_weights
from autometa.fewshot.networks import Weights


@dataclass(frozen=True, slots=True)
class LstmMeta(AdaptedNetwork):
    """The LSTM meta-learner: an LSTM whose cell state is the network's weights."""

    source: ClassVar[str] = "Ravi and Larochelle, 2017"

    problem: EpisodeSpec
    steps: int = 8  # the paper takes 12 with one shot and 5 with five
    hidden: int = 20  # the paper's
    width: int = 32  # the paper's
    halving: Halving = "stride"
    backbone: Backbone = "conv4"

    @property
    def training(self) -> Training:
        """Meta-batches of four; gradients are clipped to a norm of a quarter, as in the paper."""
        return Training(tasks=4, clip=0.25, query=15 if self.problem.kind == "classification" else 10)

    def initialise(self, generator: Generator) -> Weights:
        """A start, an LSTM, and gates that at first remember (forget gate near 1) and step a little."""
        fresh = start(self.problem, self.network, generator)
        rule = lstm_weights("rule.lstm", 4, self.hidden, generator, spread=0.01)
        for gate, bias in (("forget", 5.0), ("enter", -4.0)):
            rule[f"rule.{gate}"] = (2 * torch.rand((self.hidden + 2, 1), generator=generator) - 1) * 0.01
            rule[f"rule.{gate}_bias"] = torch.full((1,), bias)
        return {**fresh, **rule}

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Query loss of the network with the last cell state as its weights."""
        return query_loss(self, weights, self.adapt(weights, task.support), task)

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """The cell state after `steps`, as weights."""
        cell, shapes, support_loss = coordinates_of(self.problem, self.network, weights, support)  # (m,)
        zero = torch.zeros_like(cell)[:, None].expand(-1, self.hidden)
        state, forget, enter = (zero, zero), torch.ones_like(cell), torch.zeros_like(cell)
        for _ in range(self.steps):
            gradient, loss = (a.detach() for a in grad_and_value(support_loss)(cell.detach()))
            seen = torch.cat([preprocessed(gradient), preprocessed(loss[None]).expand(len(cell), -1)], -1)  # (m, 4)
            state = lstm_cell(weights, "rule.lstm", seen, state)
            forget = self._gate(weights, "forget", state[0], cell, forget)
            enter = self._gate(weights, "enter", state[0], cell, enter)
            cell = forget * cell - enter * gradient
        return named(cell, shapes)

    @staticmethod
    def _gate(weights: Weights, name: str, h: Tensor, cell: Tensor, last: Tensor) -> Tensor:  # (m,)
        entering = torch.cat([h, cell[:, None], last[:, None]], -1)
        return (entering @ weights[f"rule.{name}"] + weights[f"rule.{name}_bias"])[:, 0].sigmoid()
