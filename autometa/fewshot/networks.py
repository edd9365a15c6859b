"""Networks in plain sight: weights are a dictionary of tensors, and a network says how they act on one task's examples.

`Conv4` is the network of the literature on small images (four 3 x 3 convolutions), `Perceptron` is for vectors. Both
are a sequence of blocks, so that a learner may bend what flows between them (`task_embedding`, `dynamic`).

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
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn.functional import batch_norm, conv2d, max_pool2d, relu

from autometa.errors import InputError, Problem
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.options import OPTIONS
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
        h = conv2d(h, weights[f"conv{k}"], padding=1, stride=2 if self.halving == "stride" else 1)
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


@dataclass(frozen=True, slots=True)
class EncodedSpec(EpisodeSpec):
    """A problem whose examples pass through a module of one's own before anything is learned from them."""

    encoder: nn.Module | None = field(default=None, compare=False)
    features: int = 0  # numbers that it makes of an example
    tuned: bool = False  # whether its weights are learned with the learner's; else they stay as they are

    @classmethod
    def of(cls, problem: EpisodeSpec, encoder: nn.Module, *, tuned: bool = False) -> EncodedSpec:
        """A problem with an encoder, which is asked once how many numbers it makes.

        Raises:
            InputError: It cannot take examples of that shape, or does not make a vector of each.
        """
        device = next((w.device for w in encoder.parameters()), torch.device("cpu"))
        before = encoder.training
        try:
            with torch.no_grad():
                made = encoder.eval()(torch.zeros((2, *problem.shape), device=device))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            what = f"cannot take examples of shape {problem.shape} ({error})"
            raise InputError(Problem("encoder", what, "Scale the images to what it was trained on.")) from error
        finally:
            encoder.train(before)
        if not isinstance(made, Tensor) or made.ndim < 2 or len(made) != 2 or not made.is_floating_point():
            seen = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise InputError(Problem("encoder", f"made {seen} of two examples", "One vector of each is needed."))
        return cls(problem.kind, problem.shape, problem.outputs, problem.known_classes, encoder, made[0].numel(), tuned)


@dataclass(frozen=True, slots=True)
class EncoderNetwork:
    """A module of one's own, and what is learned on top of it; the module's norms go by what it has learned before."""

    problem: EncodedSpec
    top: Network

    @property
    def depth(self) -> int:
        """The module is one block."""
        return 1 + self.top.depth

    @property
    def widths(self) -> tuple[int, ...]:
        """The module's features, then those of what is on top."""
        return (self.problem.features, *self.top.widths)

    @property
    def features(self) -> int:
        """What is left on top."""
        return self.top.features

    def initialise(self, generator: Generator) -> Weights:
        """The module's own weights, learned ones if it is tuned, and fresh ones on top."""
        return encoder_weights(self.problem) | self.top.initialise(generator)

    def block(
        self, weights: Weights, k: int, h: Tensor, mask: Tensor, norms: Norms, film: Film | None = None
    ) -> Tensor:
        """The module first."""
        if k:
            return self.top.block(weights, k - 1, h, mask, norms, film)
        made = encoded(self.problem, weights, h)
        return made if film is None else made * film[0] + film[1]

    def flatten(self, h: Tensor) -> Tensor:
        """The vectors themselves."""
        return self.top.flatten(h)


def encoder_weights(problem: EncodedSpec) -> Weights:
    """Copies of the module's weights, under names that say whether they are learned."""
    module = _module(problem)
    every = {name: (w, problem.tuned) for name, w in module.named_parameters()}
    every |= {name: (w, False) for name, w in module.named_buffers()}
    return {
        ("" if learned else RUNNING) + ENCODER + name.replace(".", "/"): w.detach().cpu().clone()
        for name, (w, learned) in every.items()
    }


def encoded(problem: EncodedSpec, weights: Weights, x: Tensor) -> Tensor:  # (n, *shape) -> (n, features)
    """What the module makes of examples, with its weights among `weights`."""
    module = _module(problem)
    given = {
        name.split(ENCODER, 1)[1].replace("/", "."): w
        for name, w in weights.items()
        if name.startswith((ENCODER, RUNNING + ENCODER))
    }
    before = module.training
    module.eval()
    made: Tensor = functional_call(module, given, (x,)).flatten(1)
    module.train(before)
    return made


@dataclass(frozen=True, slots=True)
class Plain:
    """No network: vectors as they are, such as the embeddings of a frozen encoder."""

    shape: tuple[int, ...]
    depth: int = 0
    widths: tuple[int, ...] = ()

    @property
    def features(self) -> int:
        """The numbers of an example."""
        return math.prod(self.shape)

    def initialise(self, generator: Generator) -> Weights:
        """There are no weights."""
        return {}

    def block(
        self, weights: Weights, k: int, h: Tensor, mask: Tensor, norms: Norms, film: Film | None = None
    ) -> Tensor:
        """There is no block; this is never called."""
        return h

    def flatten(self, h: Tensor) -> Tensor:
        """The vectors themselves."""
        return h.flatten(1)


def _module(problem: EncodedSpec) -> Any:
    assert problem.encoder is not None
    return problem.encoder


def flat_size(problem: EpisodeSpec) -> int:
    """How many numbers `flat` makes of an example."""
    return problem.features if isinstance(problem, EncodedSpec) else math.prod(problem.shape)


def flat(problem: EpisodeSpec, weights: Weights, examples: Examples) -> Tensor:  # (n, numbers)
    """Examples as vectors, for learners without a network: the encoder's, or the examples' own numbers."""
    if isinstance(problem, EncodedSpec):
        return encoded(problem, weights, examples.x)
    return examples.x.flatten(1)


def flat_weights(problem: EpisodeSpec) -> Weights:
    """The weights that `flat` takes: the encoder's."""
    return encoder_weights(problem) if isinstance(problem, EncodedSpec) else {}


def body_for(problem: EpisodeSpec, *, width: int = 64, halving: Literal["pool", "stride"] = "pool") -> Network:
    """The network of heads that learn on embeddings: none for vectors, for images the encoder or convolutions."""
    if isinstance(problem, EncodedSpec):
        return EncoderNetwork(problem, Plain((problem.features,)))
    if len(problem.shape) == 1:
        return Plain(problem.shape)
    return network_for(problem, width=width, halving=halving)


def network_for(problem: EpisodeSpec, *, width: int = 64, halving: Literal["pool", "stride"] = "pool") -> Network:
    """The network that suits examples of that shape.

    With a frozen encoder that of vectors goes on top of it, so that something is learned; a tuned one stands alone.
    """
    if isinstance(problem, EncodedSpec):
        vectors = EpisodeSpec(problem.kind, (problem.features,), problem.outputs, problem.known_classes)
        return EncoderNetwork(problem, Plain(vectors.shape) if problem.tuned else network_for(vectors, width=width))
    if len(problem.shape) == 3:
        depth = 4 if min(problem.shape[1:]) >= OPTIONS.small_image else 2
        return Conv4(problem.shape, width, halving, depth)
    if problem.kind == "regression":
        return Perceptron(problem.shape, OPTIONS.regression_widths)
    return Perceptron(problem.shape, (width, width), normed=True)


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
