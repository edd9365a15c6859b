"""Dynamic architecture: extra blocks, each opened for a task as far as the task's vector says.

After every block of the network but the first stands a residual one, ``h + gate * relu(norm(linear(h)))``. The gates,
one number in 0..1 for each, are a function of the vector that describes the task (`conditioning`), and cost a little in
training, so that a task opens no more than pays: an easy one is answered by a smaller network.

Letters:  k extra blocks · z numbers of the task vector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, relu

from autometa.fewshot.conditioning import task_vector, task_weights, task_width
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.metric import class_means, masked, squared_distances
from autometa.fewshot.networks import (
    Network,
    Norms,
    Weights,
    head_weights,
    linear_head,
    network_for,
    norm,
    norm_weights,
)


@dataclass(frozen=True, slots=True)
class Dynamic:
    """Blocks gated by the task."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "gates after Veit and Belongie, 2018; task vector after Oreshkin et al., 2018"
    transductive: ClassVar[bool] = False

    problem: EpisodeSpec
    price: float = 0.01  # of a gate that is fully open, in units of the loss
    width: int = 64
    halving: Literal["pool", "stride"] = "stride"

    @property
    def training(self) -> Training:
        """Four tasks a step, 25 sinusoids."""
        return Training(tasks=25, query=10) if self.problem.kind == "regression" else Training(tasks=4, query=10)

    @property
    def network(self) -> Network:
        """What is always there."""
        return network_for(self.problem, width=self.width, halving=self.halving)

    def initialise(self, generator: Generator) -> Weights:
        """The network, the extra blocks, and gates half open."""
        network = self.network
        weights = network.initialise(generator)
        weights |= task_weights(self.problem, network, weights, generator)
        image = len(self.problem.shape) == 3
        for k, w in enumerate(network.widths):
            if k == 0:
                continue
            shape = (w, w, 3, 3) if image else (w, w)
            weights[f"extra{k}"] = torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
            weights |= norm_weights(f"extra_norm{k}", w)
        z, extra = task_width(self.problem, network), network.depth - 1
        weights |= {
            "gate": torch.randn((z, extra), generator=generator) / math.sqrt(z),
            "gate_bias": torch.zeros(extra),
        }
        if self.problem.kind == "regression":
            weights |= head_weights(network.features, self.problem.outputs, generator)
        return weights

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Support and query pass through the gated network together; open gates cost."""
        seen: Weights = {}
        gates = self._gates(
            weights, task_vector(self.problem, self.network, weights, task.support, running=False, seen=seen)
        )
        x, mask = (torch.cat([getattr(part, name) for part in task[:2]]) for name in ("x", "mask"))
        h = self._embed(weights, x, mask, gates, Norms(seen=seen))
        s = len(task.support.x)
        if self.problem.kind == "regression":
            outputs = linear_head(weights, h[s:])
        else:
            means, counts = class_means(h[:s], task.support, self.problem.outputs)
            outputs = masked(-squared_distances(h[s:], means), counts)
        return mean_loss(self.problem, outputs, task.query) + self.price * gates.mean(), TaskOutcome(outputs, seen)

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Tensor]:
        """The gates (k,) and, for classes, the prototypes."""
        gates = self._gates(weights, task_vector(self.problem, self.network, weights, support, running=True, seen=None))
        adapted = {"gates": gates}
        if self.problem.kind == "classification":
            h = self._embed(weights, support.x, support.mask, gates, Norms(running=True))
            means, counts = class_means(h, support, self.problem.outputs)
            adapted |= {"prototypes": means, "counts": counts}
        return adapted

    def predict(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:
        """Through the network that the gates left."""
        h = self._embed(weights, query.x, query.mask, adapted["gates"], Norms(running=True))
        if self.problem.kind == "regression":
            return linear_head(weights, h)
        return masked(-squared_distances(h, adapted["prototypes"]), adapted["counts"])

    @staticmethod
    def _gates(weights: Weights, z: Tensor) -> Tensor:  # (z,) -> (k,)
        return (z @ weights["gate"] + weights["gate_bias"]).sigmoid()

    def _embed(self, weights: Weights, x: Tensor, mask: Tensor, gates: Tensor, norms: Norms) -> Tensor:
        network, h = self.network, x
        for k in range(network.depth):
            h = network.block(weights, k, h, mask, norms)
            if k:
                kernel = weights[f"extra{k}"]
                more = conv2d(h, kernel, padding=1) if kernel.ndim == 4 else h @ kernel.T
                h = h + gates[k - 1] * relu(norm(weights, f"extra_norm{k}", more, mask, norms))
        return network.flatten(h)
