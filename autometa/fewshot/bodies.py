"""Which network a problem gets: convolutions, a perceptron, an encoder of one's own, or none.

An encoder is any module that makes a vector of each example. Frozen, it is like other data: the network of vectors is
learned on top of it. Tuned, its weights are learned with the learner's. The module itself is never changed: its weights
are copied into the learner's, and it is called with those (`torch.func.functional_call`), so that any back end may map
and differentiate it. It is never in training mode, so its norms go by what it has learned before.

Letters:  n examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from autometa.errors import InputError, Problem
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.networks import ENCODER, RUNNING, Conv4, Film, Network, Norms, Perceptron, Weights
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.resnet import ResNet12

Halving = Literal["pool", "stride"]  # how four convolutions halve an image
Backbone = Literal["conv4", "resnet12"]  # the network of images


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
class EmbeddedSpec(EpisodeSpec):
    """A problem whose examples are what the learner's own network made of them: there is nothing below its head."""


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


def body_for(
    problem: EpisodeSpec, *, width: int = 64, halving: Halving = "pool", backbone: Backbone = "conv4"
) -> Network:
    """The network of heads that learn on embeddings: none for vectors, for images the encoder or convolutions."""
    if isinstance(problem, EncodedSpec):
        return EncoderNetwork(problem, Plain((problem.features,)))
    if len(problem.shape) == 1:
        return Plain(problem.shape)
    return network_for(problem, width=width, halving=halving, backbone=backbone)


def network_for(
    problem: EpisodeSpec, *, width: int = 64, halving: Halving = "pool", backbone: Backbone = "conv4"
) -> Network:
    """The network that suits examples of that shape; `halving` is of four convolutions.

    With a frozen encoder that of vectors goes on top of it, so that something is learned; a tuned one stands alone.
    """
    if isinstance(problem, EmbeddedSpec):
        return Plain(problem.shape)
    if isinstance(problem, EncodedSpec):
        vectors = EpisodeSpec(problem.kind, (problem.features,), problem.outputs, problem.known_classes)
        return EncoderNetwork(problem, Plain(vectors.shape) if problem.tuned else network_for(vectors, width=width))
    if backbone == "resnet12":
        return ResNet12(problem.shape, width)
    if len(problem.shape) == 3:
        depth = 4 if min(problem.shape[1:]) >= OPTIONS.small_image else 2
        return Conv4(problem.shape, width, halving, depth)
    if problem.kind == "regression":
        return Perceptron(problem.shape, OPTIONS.regression_widths)
    return Perceptron(problem.shape, (width, width), normed=True)
