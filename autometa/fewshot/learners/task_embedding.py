"""Task embedding: a vector that describes the task scales and shifts every block of the network (FiLM).

The vector is pooled from the support (`conditioning`); classes are then told apart by their prototypes in the bent
network, as in TADAM, and values predicted by a linear head, as a conditional neural process does. Nothing is optimised
for a new task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from autometa.fewshot.conditioning import task_vector, task_weights, task_width
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.metric import class_means, masked, squared_distances
from autometa.fewshot.networks import Film, Network, Norms, Weights, embed, head_weights, linear_head, network_for


@dataclass(frozen=True, slots=True)
class TaskEmbedding:
    """FiLM by a pooled task vector."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "Oreshkin et al., 2018 (TADAM); Perez et al., 2018; Garnelo et al., 2018"
    transductive: ClassVar[bool] = False

    problem: EpisodeSpec
    width: int = 64
    halving: Literal["pool", "stride"] = "stride"

    @property
    def training(self) -> Training:
        """Four tasks a step, 25 sinusoids."""
        return Training(tasks=25, query=10) if self.problem.kind == "regression" else Training(tasks=4, query=10)

    @property
    def network(self) -> Network:
        """What is bent."""
        return network_for(self.problem, width=self.width, halving=self.halving)

    def initialise(self, generator: Generator) -> Weights:
        """A network, and a FiLM that bends nothing yet."""
        network = self.network
        weights = network.initialise(generator)
        weights |= task_weights(self.problem, network, weights, generator)
        z = task_width(self.problem, network)
        for k, w in enumerate(network.widths):
            weights[f"film{k}"] = torch.randn((z, 2 * w), generator=generator) * (0.1 / z**0.5)
            weights[f"film{k}_bias"] = torch.zeros(2 * w)
        if self.problem.kind == "regression":
            weights |= head_weights(network.features, self.problem.outputs, generator)
        return weights

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Support and query pass through the bent network together."""
        seen: Weights = {}
        z = task_vector(self.problem, self.network, weights, task.support, running=False, seen=seen)
        x, mask = (torch.cat([getattr(part, name) for part in task[:2]]) for name in ("x", "mask"))
        h = embed(self.network, weights, x, mask, Norms(seen=seen), self._films(weights, z))
        s = len(task.support.x)
        if self.problem.kind == "regression":
            outputs = linear_head(weights, h[s:])
        else:
            means, counts = class_means(h[:s], task.support, self.problem.outputs)
            outputs = masked(-squared_distances(h[s:], means), counts)
        return mean_loss(self.problem, outputs, task.query), TaskOutcome(outputs, seen)

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Tensor]:
        """The task vector and, for classes, the embedded support."""
        z = task_vector(self.problem, self.network, weights, support, running=True, seen=None)
        adapted = {"task": z}
        if self.problem.kind == "classification":
            h = embed(self.network, weights, support.x, support.mask, Norms(running=True), self._films(weights, z))
            means, counts = class_means(h, support, self.problem.outputs)
            adapted |= {"prototypes": means, "counts": counts}
        return adapted

    def predict(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:
        """Through the bent network."""
        films = self._films(weights, adapted["task"])
        h = embed(self.network, weights, query.x, query.mask, Norms(running=True), films)
        if self.problem.kind == "regression":
            return linear_head(weights, h)
        return masked(-squared_distances(h, adapted["prototypes"]), adapted["counts"])

    def _films(self, weights: Weights, z: Tensor) -> list[Film]:
        bends = [z @ weights[f"film{k}"] + weights[f"film{k}_bias"] for k in range(self.network.depth)]
        return [(1 + scale, shift) for scale, shift in (bend.chunk(2) for bend in bends)]
