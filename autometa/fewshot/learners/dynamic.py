"""Dynamic architecture: extra blocks, each opened for a task as far as the task's vector says.

After every block of the network but the first stands a residual one, ``h + gate * relu(norm(linear(h)))``. The gates,
one number in 0..1 for each, are a function of the vector that describes the task (`conditioning`), and cost a little in
training, so that a task opens no more than pays: an easy one is answered by a smaller network.

Letters:  k extra blocks · z numbers of the task vector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, relu

from autometa.fewshot.bodies import Backbone, Halving
from autometa.fewshot.conditioning import ConditionedLearner, task_width
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.networks import Conv4, Network, Norms, Weights, norm, norm_weights
from autometa.fewshot.resnet import ResNet12


@dataclass(frozen=True, slots=True)
class Dynamic(ConditionedLearner):
    """A network whose extra blocks a gate opens for each task, by its vector."""

    source: ClassVar[str] = "gates after Veit and Belongie, 2018; task vector after Oreshkin et al., 2018"
    condition: ClassVar[str] = "gates"

    problem: EpisodeSpec
    price: float = 0.01  # of a gate that is fully open, in units of the loss; judgement
    width: int = 64  # conv4-64, the usual one
    halving: Halving = "stride"
    backbone: Backbone = "conv4"

    def _condition_weights(self, network: Network, generator: Generator) -> Weights:
        """The extra blocks, and gates half open."""
        weights: Weights = {}
        image = isinstance(network, Conv4 | ResNet12)
        for k, w in enumerate(network.widths):
            if k == 0:
                continue
            shape = (w, w, 3, 3) if image else (w, w)
            weights[f"extra{k}"] = torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
            weights |= norm_weights(f"extra_norm{k}", w)
        z, extra = task_width(self.problem, network), network.depth - 1
        return weights | {
            "gate": torch.randn((z, extra), generator=generator) / math.sqrt(z),
            "gate_bias": torch.zeros(extra),
        }

    def _condition(self, weights: Weights, z: Tensor) -> Tensor:  # (z,) -> (k,)
        return (z @ weights["gate"] + weights["gate_bias"]).sigmoid()

    def _embed(self, weights: Weights, examples: Examples, condition: Tensor, norms: Norms) -> Tensor:
        network, h, mask = self.network, examples.x, examples.mask
        for k in range(network.depth):
            h = network.block(weights, k, h, mask, norms)
            if k:
                kernel = weights[f"extra{k}"]
                more = conv2d(h, kernel, padding=1) if kernel.ndim == 4 else h @ kernel.T
                h = h + condition[k - 1] * relu(norm(weights, f"extra_norm{k}", more, mask, norms))
        return network.flatten(h)

    def _cost(self, condition: Tensor) -> Tensor | float:
        return self.price * condition.mean() if len(condition) else 0.0
