"""What learners that see the task as a whole share: a vector that describes it, and conditions the network.

For classes the task vector is the mean of the class means of the support's features, before the network is conditioned;
for values it is a set encoder's, the mean over the support of a small network of example and value. Neither knows the
order of the support, nor the names of the classes. Classes are then told apart by their prototypes in the conditioned
network, as in TADAM, and values predicted by a linear head, as a conditional neural process does. Nothing is optimised
for a new task.

Letters:  s support · w features · z numbers of the task vector.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import relu

from autometa.fewshot.bodies import Backbone, Halving, network_for
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.metric import class_means, prototype_logits
from autometa.fewshot.networks import RUNNING, Network, Norms, Weights, embed, gathered, head_weights, linear_head
from autometa.fewshot.options import OPTIONS

PLAIN = "plain."  # running statistics of the pass before the network is conditioned


def task_width(problem: EpisodeSpec, network: Network) -> int:
    """How many numbers the task vector has: z."""
    return network.features if problem.kind == "classification" else OPTIONS.set_encoder_width


def task_weights(problem: EpisodeSpec, network: Network, weights: Weights, generator: Generator) -> Weights:
    """What the task vector needs beside the network: the set encoder, or statistics of the plain pass."""
    if problem.kind == "classification":
        own = {name: w for name, w in weights.items() if gathered(name)}
        return {RUNNING + PLAIN + name.removeprefix(RUNNING): w.clone() for name, w in own.items()}
    entering = math.prod(problem.shape) + problem.outputs
    width = OPTIONS.set_encoder_width
    sizes = ((entering, width), (width, width))
    return {
        f"set{k}": torch.randn(size, generator=generator) * math.sqrt(2 / size[0]) for k, size in enumerate(sizes)
    } | {f"set{k}_bias": torch.zeros(width) for k in range(len(sizes))}


def task_vector(
    problem: EpisodeSpec, network: Network, weights: Weights, support: Examples, *, running: bool, seen: Weights | None
) -> Tensor:  # (z,)
    """The task in numbers; `seen` gathers what the norms of the plain pass saw, unless they are `running`."""
    if problem.kind == "classification":
        h = embed(network, weights, support.x, support.mask, Norms(running, seen, PLAIN))
        means, counts = class_means(h, support, problem.outputs)
        there = (counts > 0).to(h.dtype)
        return there @ means / there.sum().clamp_min(1)
    h = torch.cat([support.x.flatten(1), support.y], -1)
    for k in range(2):
        h = relu(h @ weights[f"set{k}"] + weights[f"set{k}_bias"])
    return support.mask @ h / support.mask.sum().clamp_min(1)


class ConditionedLearner(ABC):
    """A learner whose network the task vector conditions; they differ in how, and so in three methods.

    What a task conditions the network by is kept in what `adapt` gives, under the name `condition`.
    """

    __slots__ = ()

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification", "regression")
    transductive: ClassVar[bool] = False
    condition: ClassVar[str]

    problem: EpisodeSpec
    width: int
    halving: Halving
    backbone: Backbone

    @property
    def training(self) -> Training:
        """Four tasks a step, 25 sinusoids."""
        return Training(tasks=25, query=10) if self.problem.kind == "regression" else Training(tasks=4, query=10)

    @property
    def network(self) -> Network:
        """The network that the task vector conditions, as it is without it."""
        return network_for(self.problem, width=self.width, halving=self.halving, backbone=self.backbone)

    def initialise(self, generator: Generator) -> Weights:
        """The network, what the task vector needs, what conditions the network, and for values a head."""
        network = self.network
        weights = network.initialise(generator)
        weights |= task_weights(self.problem, network, weights, generator)
        weights |= self._condition_weights(network, generator)
        if self.problem.kind == "regression":
            weights |= head_weights(network.features, self.problem.outputs, generator)
        return weights

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Support and query pass through the conditioned network together."""
        seen: Weights = {}
        z = task_vector(self.problem, self.network, weights, task.support, running=False, seen=seen)
        condition = self._condition(weights, z)
        h = self._embed(weights, task.joined(), condition, Norms(seen=seen))
        s = len(task.support.x)
        if self.problem.kind == "regression":
            outputs = linear_head(weights, h[s:])
        else:
            outputs = prototype_logits(h[s:], *class_means(h[:s], task.support, self.problem.outputs))
        return mean_loss(self.problem, outputs, task.query) + self._cost(condition), TaskOutcome(outputs, seen)

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Tensor]:
        """The condition and, for classes, their prototypes (c, w) and how many examples each has (c,)."""
        z = task_vector(self.problem, self.network, weights, support, running=True, seen=None)
        condition = self._condition(weights, z)
        adapted = {self.condition: condition}
        if self.problem.kind == "classification":
            h = self._embed(weights, support, condition, Norms(running=True))
            means, counts = class_means(h, support, self.problem.outputs)
            adapted |= {"prototypes": means, "counts": counts}
        return adapted

    def predict(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:  # (q, o)
        """Through the network as the support conditioned it."""
        h = self._embed(weights, query, adapted[self.condition], Norms(running=True))
        if self.problem.kind == "regression":
            return linear_head(weights, h)
        return prototype_logits(h, adapted["prototypes"], adapted["counts"])

    @abstractmethod
    def _condition_weights(self, network: Network, generator: Generator) -> Weights: ...

    @abstractmethod
    def _condition(self, weights: Weights, z: Tensor) -> Tensor:
        """What the network is conditioned by, from the task vector (z,)."""

    @abstractmethod
    def _embed(self, weights: Weights, examples: Examples, condition: Tensor, norms: Norms) -> Tensor:
        """Features (n, w) in the conditioned network."""

    def _cost(self, condition: Tensor) -> Tensor | float:
        """What the condition adds to the loss of training."""
        return 0.0
