"""What the gradient learners share: a network with a linear head, and inner steps of gradient descent on the support.

The steps are functional: weights go in, new weights come out, and the derivative with respect to the first ones exists
to any order. `first_order` cuts it, so that a step is taken as a constant shift. Where tasks come one after another
(`unbatched`), autograd's own tape serves, which costs less than torch's functional transforms; those are for tasks
that are mapped.

Laws: no steps are the identity; both ways give the same numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from autometa.fewshot.bodies import Backbone, Halving, network_for
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training, query_loss
from autometa.fewshot.networks import RUNNING, Network, Norms, Weights, embed, gathered, head_weights, linear_head
from autometa.fewshot.unbatched import is_unbatched

Forward = Callable[[Weights, Examples], Tensor]


def gradient_of(loss: Callable[[Weights], Tensor], at: Weights) -> Weights:
    """The derivative of a number with respect to weights, itself differentiable where they are.

    A weight that the number does not depend on has a derivative of 0, on both ways.
    """
    if not is_unbatched():
        return torch.func.grad(loss)(at)
    onwards = torch.is_grad_enabled() and any(w.requires_grad for w in at.values())
    with torch.enable_grad():
        leaves = at if onwards else {name: w.detach().requires_grad_() for name, w in at.items()}
        value = loss(leaves)
        if not value.requires_grad:
            return {name: torch.zeros_like(w) for name, w in at.items()}
        found = torch.autograd.grad(
            value, list(leaves.values()), create_graph=onwards, allow_unused=True, materialize_grads=True
        )
    return dict(zip(at, found, strict=True))


def start(problem: EpisodeSpec, network: Network, generator: Generator) -> Weights:
    """A fresh network with its head; it is normalised by the examples at hand, so without running statistics."""
    own = {name: w for name, w in network.initialise(generator).items() if not gathered(name)}
    return {**own, **head_weights(network.features, problem.outputs, generator)}


def forward(network: Network, weights: Weights, examples: Examples) -> Tensor:  # (n, o)
    """What the network says of examples that are normalised by themselves."""
    return linear_head(weights, embed(network, weights, examples.x, examples.mask, Norms()))


def slope(problem: EpisodeSpec, network: Network, weights: Weights, moving: Weights, support: Examples) -> Weights:
    """Gradient of the support loss with respect to the weights that move."""

    def loss(some: Weights) -> Tensor:
        return mean_loss(problem, forward(network, {**weights, **some}, support), support)

    return gradient_of(loss, moving)


def descend(
    problem: EpisodeSpec,
    network: Network,
    weights: Weights,
    moving: Weights,
    support: Examples,
    *,
    steps: int,
    rate: float | Mapping[str, Tensor],
    first_order: bool = False,
) -> Weights:
    """The moving weights after some steps; `rate` is one for all, or one for each number."""
    for _ in range(steps):
        if first_order:
            still = {name: w.detach() for name, w in weights.items()}
            at = {name: w.detach() for name, w in moving.items()}
            gradient = slope(problem, network, still, at, support)
            gradient = {name: g.detach() for name, g in gradient.items()}
        else:
            gradient = slope(problem, network, weights, moving, support)
        moving = {
            name: w - (rate if isinstance(rate, float) else rate[name]) * gradient[name] for name, w in moving.items()
        }
    return moving


def adaptable(weights: Weights) -> Weights:
    """The network's own weights: no running statistics, nothing a learner keeps beside (``rate.``, ``rule.``)."""
    return {name: w for name, w in weights.items() if not name.startswith((RUNNING, "rate.", "rule."))}


class AdaptedNetwork:
    """What learners share whose network gets other weights from a support set, by steps or by a learned rule."""

    __slots__ = ()

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification", "regression")
    transductive: ClassVar[bool] = True
    source: ClassVar[str]

    problem: EpisodeSpec
    width: int
    halving: Halving
    backbone: Backbone

    @property
    def network(self) -> Network:
        """The network that adapts."""
        return network_for(self.problem, width=self.width, halving=self.halving, backbone=self.backbone)

    def predict(self, weights: Weights, adapted: Weights, query: Examples) -> Tensor:  # (q, o)
        """The adapted network's answers; a query set is normalised by its own statistics."""
        return forward(self.network, {**weights, **adapted}, query)


@dataclass(frozen=True, slots=True)
class DescentLearner(AdaptedNetwork, ABC):
    """A learner whose network takes steps of gradient descent on the support; they differ in `_adapt`."""

    problem: EpisodeSpec
    steps: int = 1  # inner steps in training
    test_steps: int = 1  # inner steps afterwards
    width: int = 64  # channels of a block; the conv4-64 of the literature
    halving: Halving = "stride"  # how a block halves an image; MAML's, for Omniglot

    @property
    @abstractmethod
    def training(self) -> Training:
        """How its paper trains it."""

    def initialise(self, generator: Generator) -> Weights:
        """A fresh network and its head."""
        return start(self.problem, self.network, generator)

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Query loss after `steps` on the support."""
        return query_loss(self, weights, self.adapt_in_training(weights, task.support), task)

    def adapt_in_training(self, weights: Weights, support: Examples) -> Weights:
        """The weights that moved, after `steps`."""
        return self._adapt(weights, support, self.steps)

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """The weights that moved, after `test_steps`."""
        return self._adapt(weights, support, self.test_steps)

    @abstractmethod
    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights: ...
