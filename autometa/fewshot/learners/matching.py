"""Matching networks with full context embeddings: attention from a query to the support, labels weighed by it.

Each support embedding is read in the context of the others by a bidirectional LSTM, each query by an LSTM that attends
to the support `reads` times; so the order of the support matters a little, as in the paper. Attention is the softmax
of cosines times a learned sharpness: with bare cosines five ways could not be told apart with more than .65 certainty.

Letters:  s support · q query · w features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from autometa.fewshot.bodies import Backbone, Halving, network_for
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss, one_hot
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.lstm import lstm_cell, lstm_weights
from autometa.fewshot.metric import ABSENT, masked
from autometa.fewshot.networks import Network, Norms, Weights, embed
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True)
class Matching:
    """Matching networks: labels of the support, weighted by attention."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification",)
    source: ClassVar[str] = "Vinyals et al., 2016"
    transductive: ClassVar[bool] = False
    fixed_body: ClassVar[bool] = True  # an example is embedded alike for every task
    precision: ClassVar[str] = "bfloat16"  # of its convolutions on a GPU: it only measures distances

    problem: EpisodeSpec
    reads: int = 3  # steps of a query's LSTM; judgement
    full_context: bool = True  # whether embeddings are read in the context of the support
    width: int = 64  # the paper's
    halving: Halving = "pool"
    backbone: Backbone = "conv4"

    @property
    def training(self) -> Training:
        """As for prototypical networks, in the ways of the test: the LSTMs get used to the length of the support."""
        return Training(tasks=4, schedule="halving", query=5)

    @property
    def network(self) -> Network:
        """The network that embeds an example by itself, before context."""
        return network_for(self.problem, width=self.width, halving=self.halving, backbone=self.backbone)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh embedding, the sharpness, and the LSTMs that read in context."""
        w = self.network.features
        weights = self.network.initialise(generator) | {"sharpness": torch.tensor(math.log(OPTIONS.matching_sharpness))}
        if self.full_context:
            for name, inputs in (("forward", w), ("backward", w), ("reader", 2 * w)):
                weights |= lstm_weights(name, inputs, w, generator)
        return weights

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Support and query pass through the embedding together."""
        norms = Norms(seen={})
        both = task.joined()
        h = embed(self.network, weights, both.x, both.mask, norms)
        s = len(task.support.x)
        g = self._in_context(weights, h[:s], task.support.mask)
        attention = self._attend(weights, h[s:], g, task.support.mask)
        outputs = _logits(attention, task.support, len(task.classes))
        return mean_loss(self.problem, outputs, task.query), TaskOutcome(outputs, norms.seen or {})

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Tensor]:
        """The support in context (s, w), its labels (s, c) and mask (s,)."""
        h = embed(self.network, weights, support.x, support.mask, Norms(running=True))
        labels = one_hot(support.y, self.problem.outputs, h)
        return {"context": self._in_context(weights, h, support.mask), "labels": labels, "mask": support.mask}

    def predict(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:
        """Logarithm of the attention that each class gets."""
        counts = (adapted["labels"] * adapted["mask"][:, None]).sum(0)
        return masked(
            (self.attention(weights, adapted, query) @ adapted["labels"] + OPTIONS.matching_floor).log(), counts
        )

    def attention(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:  # (q, s)
        """Of each query to each support example; sums to 1."""
        h = embed(self.network, weights, query.x, query.mask, Norms(running=True))
        return self._attend(weights, h, adapted["context"], adapted["mask"])

    def _in_context(self, weights: Weights, h: Tensor, mask: Tensor) -> Tensor:  # (s, w)
        """Each with what an LSTM made of those before and another of those after it; padding is skipped."""
        if not self.full_context:
            return h
        total = h
        for name, order in (("forward", range(len(h))), ("backward", range(len(h) - 1, -1, -1))):
            state = (torch.zeros_like(h[:1]), torch.zeros_like(h[:1]))
            seen: list[Tensor] = []
            for i in order:
                new = lstm_cell(weights, name, h[i : i + 1], state)
                there = mask[i] > 0
                state = (torch.where(there, new[0], state[0]), torch.where(there, new[1], state[1]))
                seen.append(state[0])
            total = total + torch.cat(seen if name == "forward" else seen[::-1])
        return total

    def _attend(self, weights: Weights, h: Tensor, g: Tensor, mask: Tensor) -> Tensor:  # (q, w), (s, w) -> (q, s)
        f = h
        if self.full_context:
            hidden, cell, read = h, torch.zeros_like(h), torch.zeros_like(h)
            for _ in range(self.reads):
                hidden, cell = lstm_cell(weights, "reader", torch.cat([h, read], -1), (hidden, cell))
                hidden = hidden + h
                read = torch.where(mask > 0, hidden @ g.T, ABSENT).softmax(-1) @ g
            f = hidden
        cosine = _unit(f) @ _unit(g).T
        return torch.where(mask > 0, cosine * weights["sharpness"].exp(), ABSENT).softmax(-1)


def _unit(h: Tensor) -> Tensor:
    return h * torch.rsqrt(h.square().sum(-1, keepdim=True) + OPTIONS.matching_floor)


def _logits(attention: Tensor, support: Examples, c: int) -> Tensor:  # (q, s) -> (q, c)
    labels = one_hot(support.y, c, attention)
    return masked((attention @ labels + OPTIONS.matching_floor).log(), (labels * support.mask[:, None]).sum(0))
