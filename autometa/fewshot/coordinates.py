"""What the learned update rules share: a network's weights as one vector, each number of which the same rule updates.

`preprocessed` is the scaling of gradients and losses of Andrychowicz et al. (2016), which Ravi and Larochelle adopted.

Letters:  m numbers (coordinates) of the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Size, Tensor

from autometa.fewshot.descent import adaptable, forward
from autometa.fewshot.episode import EpisodeSpec, Examples, mean_loss
from autometa.fewshot.networks import Network, Weights
from autometa.fewshot.options import OPTIONS


class Coordinates(NamedTuple):
    """A network's weights as a vector, and how good another vector would be."""

    start: Tensor  # (m,) the weights as they were learned
    shapes: dict[str, Size]  # of the weights by name, in the vector's order
    loss: Callable[[Tensor], Tensor]  # (m,) -> () of the support; the learned weights count as constants in it


def coordinates_of(problem: EpisodeSpec, network: Network, weights: Weights, support: Examples) -> Coordinates:
    """The adaptable weights of a learner, to be updated on a support set."""
    base = adaptable(weights)
    shapes = {name: w.shape for name, w in base.items()}
    constant = {name: w.detach() for name, w in weights.items()}

    def loss(vector: Tensor) -> Tensor:
        return mean_loss(problem, forward(network, {**constant, **named(vector, shapes)}, support), support)

    return Coordinates(flat(base), shapes, loss)


def flat(weights: Weights) -> Tensor:  # (m,)
    """All weights, one after another, as a vector."""
    return torch.cat([w.flatten() for w in weights.values()])


def named(vector: Tensor, shapes: dict[str, Size]) -> Weights:  # (m,)
    """A vector as weights; ``named(flat(weights), shapes)`` are the weights."""
    parts = vector.split([math.prod(shape) for shape in shapes.values()])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def preprocessed(x: Tensor) -> Tensor:  # (m,) -> (m, 2)
    """Gradients of any size as two numbers within about -1..1.

    With ``p = 10``: ``(log|x| / p, sign x)`` where ``|x| >= exp(-p)``, else ``(-1, exp(p) x)``.
    """
    scale = OPTIONS.gradient_log_scale
    size = x.abs().clamp_min(1e-30).log() / scale
    large = x.abs() >= math.exp(-scale)
    return torch.stack(
        [
            torch.where(large, size, torch.full_like(x, -1.0)),
            torch.where(large, x.sign(), x * math.exp(scale)),
        ],
        -1,
    )
