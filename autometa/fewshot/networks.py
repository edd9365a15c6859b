"""Networks in plain sight: weights are a dictionary of tensors, and a network says how they act on one task's examples.

`Conv4` is the network of the literature on small images (four 3 x 3 convolutions), `resnet.ResNet12` its larger one,
`Perceptron` is for vectors. All are a sequence of blocks, so that a learner may bend what flows between them
(`task_embedding`, `dynamic`).

The norms are our own, from primitives: mapping torch's batch norm over tasks gives wrong second-order gradients (torch
2.13: relative error 1e-3, in silence). Where tasks come one by one and nothing is padded, torch's own does the same in
one pass. Each task is normalised by itself: by the examples at hand (``running=False``;
on a query set that is called transductive), or by running statistics gathered in training (``running=True``), which
makes every answer independent of its neighbours.

Law: padding changes nothing. Names: a weight whose last part begins with ``head`` has one row per class; what begins
with ``running.`` is gathered and not learned.

Letters:  n examples · w width · p columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import batch_norm, max_pool2d, relu

from autometa.fewshot.options import OPTIONS
from autometa.fewshot.precision import convolved
from autometa.fewshot.unbatched import is_unbatched

Weights = dict[str, Tensor]
RUNNING = "running."
ENCODER = "encoder/"  # weights of a module that somebody brought; a slash, since no part of their names is ours


def gathered(name: str) -> bool:
    """Whether a weight is a statistic that training gathers; a frozen encoder's are only kept like one."""
    return name.startswith(RUNNING) and not name.startswith(RUNNING + ENCODER)


class Network(Protocol):
    """From examples to features, block by block."""

    @property
    def depth(self) -> int:
        """How many blocks there are."""
        ...

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels that leave each block."""
        ...

    @property
    def features(self) -> int:
        """Numbers that describe an example in the end."""
        ...

    def initialise(self, generator: Generator) -> Weights:
        """Fresh weights, drawn from `generator`."""
        ...

    def block(
        self, weights: Weights, k: int, h: Tensor, mask: Tensor, norms: Norms, film: Film | None = None
    ) -> Tensor:
        """One block; `film` scales and shifts what its norm gives."""
        ...

    def flatten(self, h: Tensor) -> Tensor:
        """What leaves the last block, as vectors (n, features)."""
        ...


Film = tuple[Tensor, Tensor]  # scale and shift, (w,) each


@dataclass(slots=True)
class Norms:
    """How a forward pass normalises, and, where it goes by the examples at hand, what it saw."""

    running: bool = False
    seen: Weights | None = None  # gathered for the running statistics when it is a dictionary
    part: str = ""  # a learner that passes through its network twice keeps the statistics of each pass

    def moments(self, weights: Weights, name: str, h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # (w,), (w,)
        """Mean and variance over the task's examples and places, or the running ones."""
        if self.running:
            return weights[f"{RUNNING}{self.part}{name}_mean"], weights[f"{RUNNING}{self.part}{name}_variance"]
        places = tuple(range(2, h.ndim))
        count = (mask.sum() * math.prod(h.shape[2:])).clamp_min(1)
        square = h.square()
        mean = mask @ (h.sum(places) if places else h) / count
        # One pass less over the largest tensors than from the centred values; a ReLU network's means are no larger
        # than its spreads, so nothing cancels.
        variance = (mask @ (square.sum(places) if places else square) / count - mean.square()).clamp_min(0)
        if self.seen is not None:
            self.seen[f"{RUNNING}{self.part}{name}_mean"] = mean.detach()
            self.seen[f"{RUNNING}{self.part}{name}_variance"] = variance.detach()
        return mean, variance


def normalised(weights: Weights, name: str, h: Tensor, moments: tuple[Tensor, Tensor]) -> Tensor:  # (n, w, ...)
    """Zero mean and unit variance, then a learned scale and shift."""
    shape = (-1, *(1 for _ in h.shape[2:]))
    mean, variance = moments
    scale = weights[f"{name}_scale"] * torch.rsqrt(variance + OPTIONS.norm_epsilon)
    return (h - mean.view(shape)) * scale.view(shape) + weights[f"{name}_shift"].view(shape)


def norm(weights: Weights, name: str, h: Tensor, mask: Tensor, norms: Norms) -> Tensor:  # (n, w, ...)
    """`normalised` by the examples' own moments, or the running ones."""
    plain = is_unbatched() and not norms.running and norms.seen is None and h[:, 0].numel() > 1
    if plain and bool((mask == 1).all()):
        scale, shift = weights[f"{name}_scale"], weights[f"{name}_shift"]
        return batch_norm(h, None, None, scale, shift, training=True, eps=OPTIONS.norm_epsilon)
    return normalised(weights, name, h, norms.moments(weights, name, h, mask))


def norm_weights(name: str, width: int) -> Weights:
    """Fresh weights of a norm: scale 1, shift 0, and running statistics of mean 0 and variance 1."""
    return {
        f"{name}_scale": torch.ones(width),
        f"{name}_shift": torch.zeros(width),
        f"{RUNNING}{name}_mean": torch.zeros(width),
        f"{RUNNING}{name}_variance": torch.ones(width),
    }


@dataclass(frozen=True, slots=True)
class Conv4:
    """Four times (or `depth` times): 3 x 3 convolution, norm, pooling or a stride of 2, ReLU."""

    shape: tuple[int, ...]  # (channels, height, width)
    width: int = 64
    halving: Literal["pool", "stride"] = "pool"  # the strided one is averaged in the end: MAML's, for Omniglot
    depth: int = 4

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each block, the same in all."""
        return (self.width,) * self.depth

    @property
    def features(self) -> int:
        """Channels times the places that are left after the last block."""
        if self.halving == "stride":
            return self.width
        return self.width * math.prod(max(side >> self.depth, 1) for side in self.shape[1:])

    def initialise(self, generator: Generator) -> Weights:
        """Convolutions by He's rule, and fresh norms."""
        weights: Weights = {}
        for k in range(self.depth):
            entering = self.shape[0] if k == 0 else self.width
            spread = math.sqrt(2 / (9 * entering))
            weights[f"conv{k}"] = torch.randn((self.width, entering, 3, 3), generator=generator) * spread
            weights |= norm_weights(f"norm{k}", self.width)
        return weights

    def block(
        self, weights: Weights, k: int, h: Tensor, mask: Tensor, norms: Norms, film: Film | None = None
    ) -> Tensor:
        """The moments are those before pooling, the rest is done after it, on a quarter of the numbers.

        A positive scale and ReLU commute with the maximum, so this is norm, ReLU, pooling while the scale is positive.
        """
        h = convolved(h, weights[f"conv{k}"], stride=2 if self.halving == "stride" else 1)
        if self.halving == "pool" and min(h.shape[2:]) > 1:
            moments = norms.moments(weights, f"norm{k}", h, mask)
            h = normalised(weights, f"norm{k}", max_pool2d(h, 2), moments)
        else:
            h = norm(weights, f"norm{k}", h, mask, norms)
        if film is not None:
            h = h * film[0][:, None, None] + film[1][:, None, None]
        return relu(h)

    def flatten(self, h: Tensor) -> Tensor:
        """Feature vectors (n, features) from what leaves the last block."""
        return h.mean((2, 3)) if self.halving == "stride" else h.flatten(1)


@dataclass(frozen=True, slots=True)
class Perceptron:
    """Linear layers with ReLU; normed where `normed` says so (the sinusoid network of MAML is not)."""

    shape: tuple[int, ...]  # (p,)
    widths: tuple[int, ...] = (64, 64)
    normed: bool = False

    @property
    def depth(self) -> int:
        """How many hidden layers there are."""
        return len(self.widths)

    @property
    def features(self) -> int:
        """Width of the last hidden layer."""
        return self.widths[-1]

    def initialise(self, generator: Generator) -> Weights:
        """Uniform, biases too, and small enough that the first inner steps do not explode where nothing is normed."""
        weights: Weights = {}
        for k, (entering, width) in enumerate(zip((self.shape[0], *self.widths), self.widths, strict=False)):
            bound = 1 / math.sqrt(entering)
            weights[f"layer{k}"] = (2 * torch.rand((width, entering), generator=generator) - 1) * bound
            weights[f"layer{k}_bias"] = (2 * torch.rand(width, generator=generator) - 1) * bound
            if self.normed:
                weights |= norm_weights(f"norm{k}", width)
        return weights

    def block(
        self, weights: Weights, k: int, h: Tensor, mask: Tensor, norms: Norms, film: Film | None = None
    ) -> Tensor:
        """One hidden layer."""
        h = h @ weights[f"layer{k}"].T + weights[f"layer{k}_bias"]
        if self.normed:
            h = norm(weights, f"norm{k}", h, mask, norms)
        if film is not None:
            h = h * film[0] + film[1]
        return relu(h)

    def flatten(self, h: Tensor) -> Tensor:
        """The vectors themselves."""
        return h


def embed(
    network: Network, weights: Weights, x: Tensor, mask: Tensor, norms: Norms, films: Sequence[Film | None] = ()
) -> Tensor:  # (n, features)
    """Examples as feature vectors; `films` bend what leaves each norm."""
    h = x
    for k in range(network.depth):
        h = network.block(weights, k, h, mask, norms, films[k] if films else None)
    return network.flatten(h)


def head_weights(features: int, outputs: int, generator: Generator) -> Weights:
    """A fresh linear layer from features to outputs: ``head`` (o, features) and ``head_bias``."""
    head = torch.randn((outputs, features), generator=generator) / math.sqrt(features)
    return {"head": head, "head_bias": torch.zeros(outputs)}


def linear_head(weights: Weights, h: Tensor) -> Tensor:  # (n, features) -> (n, o)
    """Outputs of the linear layer of `head_weights`."""
    return h @ weights["head"].T + weights["head_bias"]
