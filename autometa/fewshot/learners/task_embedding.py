"""Task embedding: the vector that describes a task scales and shifts every block of the network (FiLM).

Letters:  z numbers of the task vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from autometa.fewshot.bodies import Backbone, Halving
from autometa.fewshot.conditioning import ConditionedLearner, task_width
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.networks import Film, Network, Norms, Weights, embed


@dataclass(frozen=True, slots=True)
class TaskEmbedding(ConditionedLearner):
    """A network whose blocks are scaled and shifted (FiLM) by the task vector."""

    source: ClassVar[str] = "Oreshkin et al., 2018 (TADAM); Perez et al., 2018; Garnelo et al., 2018"
    condition: ClassVar[str] = "task"

    problem: EpisodeSpec
    width: int = 64  # conv4-64, the usual one
    halving: Halving = "stride"
    backbone: Backbone = "conv4"

    def _condition_weights(self, network: Network, generator: Generator) -> Weights:
        """A FiLM for each block that bends nothing yet."""
        z, weights = task_width(self.problem, network), {}
        for k, w in enumerate(network.widths):
            weights[f"film{k}"] = torch.randn((z, 2 * w), generator=generator) * (0.1 / z**0.5)
            weights[f"film{k}_bias"] = torch.zeros(2 * w)
        return weights

    def _condition(self, weights: Weights, z: Tensor) -> Tensor:  # (z,) -> (z,)
        return z

    def _embed(self, weights: Weights, examples: Examples, condition: Tensor, norms: Norms) -> Tensor:
        return embed(self.network, weights, examples.x, examples.mask, norms, self._films(weights, condition))

    def _films(self, weights: Weights, z: Tensor) -> list[Film]:
        """Scale and shift of each block."""
        bends = [z @ weights[f"film{k}"] + weights[f"film{k}_bias"] for k in range(self.network.depth)]
        return [(1 + scale, shift) for scale, shift in (bend.chunk(2) for bend in bends)]
