"""What learners that see the task as a whole share: a vector that describes it.

For classes it is the mean of the class means of the support's features, before anything is bent; for values a set
encoder, the mean over the support of a small network of example and value. Neither knows the order of the support, nor
the names of the classes.

Letters:  s support · w features · z numbers of the task vector.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import relu

from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.metric import class_means
from autometa.fewshot.networks import RUNNING, Network, Norms, Weights, embed

PLAIN = "plain."  # running statistics of the pass before anything is bent
SET = 64  # width of the set encoder


def task_width(problem: EpisodeSpec, network: Network) -> int:
    """Numbers of the task vector."""
    return network.features if problem.kind == "classification" else SET


def task_weights(problem: EpisodeSpec, network: Network, weights: Weights, generator: Generator) -> Weights:
    """What the task vector needs beside the network: the set encoder, or statistics of the plain pass."""
    if problem.kind == "classification":
        own = {name: w for name, w in weights.items() if name.startswith(RUNNING)}
        return {RUNNING + PLAIN + name.removeprefix(RUNNING): w.clone() for name, w in own.items()}
    entering = math.prod(problem.shape) + problem.outputs
    sizes = ((entering, SET), (SET, SET))
    return {
        f"set{k}": torch.randn(size, generator=generator) * math.sqrt(2 / size[0]) for k, size in enumerate(sizes)
    } | {f"set{k}_bias": torch.zeros(SET) for k in range(len(sizes))}


def task_vector(
    problem: EpisodeSpec, network: Network, weights: Weights, support: Examples, *, running: bool, seen: Weights | None
) -> Tensor:  # (z,)
    """The task in numbers."""
    if problem.kind == "classification":
        h = embed(network, weights, support.x, support.mask, Norms(running, seen, PLAIN))
        means, counts = class_means(h, support, problem.outputs)
        there = (counts > 0).to(h.dtype)
        return there @ means / there.sum().clamp_min(1)
    h = torch.cat([support.x.flatten(1), support.y], -1)
    for k in range(2):
        h = relu(h @ weights[f"set{k}"] + weights[f"set{k}_bias"])
    return support.mask @ h / support.mask.sum().clamp_min(1)
