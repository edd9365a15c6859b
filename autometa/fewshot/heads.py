"""What learners share that put a head on embeddings: the head is solved for a task, and little or nothing is learned.

On vectors, the embeddings of somebody's frozen encoder, the head stands alone: what is learned over tasks are one or
two numbers, such as the penalty. On images there is an encoder below it, or convolutions that are learned with it
(`bodies.body_for`). The mathematics are those of `families.learners.heads`, in torch to be differentiated.

Embeddings are moved and scaled before (`placed`), unless an option says otherwise: away from the centre of the training
classes, which gathers in training like the statistics of a norm, or from that of the support, and to length 1. Above
convolutions that are learned with it a head does what its paper does.

Letters:  s support · q query · n either · w features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from autometa.errors import InputError, Problem
from autometa.families.learners import heads
from autometa.fewshot.bodies import Backbone, EncodedSpec, Halving, body_for, network_for
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss, one_hot
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.networks import RUNNING, Network, Norms, Weights, embed
from autometa.fewshot.options import OPTIONS

CENTRE = RUNNING + "centre"
Centre = Literal["training", "support", "none"]


def training_above(network: Network) -> Training:
    """Four tasks a step; where nothing is learned below, the few numbers of a head learn faster than a network.

    Example:
        >>> training_above(body_for(EpisodeSpec("classification", (8,), 2))).rate == OPTIONS.head_rate
        True
    """
    learned = any(not name.startswith(RUNNING) for name in network.initialise(Generator()))
    return Training(tasks=4, query=10, rate=1e-3 if learned else OPTIONS.head_rate)


class HeadLearner(ABC):
    """A learner that solves its head for each task; they differ in `start`, `solve` and `answer`.

    What `solve` gives, and what the embeddings were centred by, is what `adapt` gives.
    """

    __slots__ = ()

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification",)
    fixed_body: ClassVar[bool] = True  # an example is embedded alike for every task

    problem: EpisodeSpec
    centre: Centre
    normalise: bool
    width: int
    halving: Halving
    backbone: Backbone

    @classmethod
    def preset(cls, problem: EpisodeSpec) -> dict[str, Any]:
        """Vectors of somebody's encoder are centred and of length 1, whatever the paper's own network made."""
        frozen = len(problem.shape) == 1 or isinstance(problem, EncodedSpec)
        return {"centre": "training", "normalise": True} if frozen and problem.kind == "classification" else {}

    def __post_init__(self) -> None:
        """Refuses options that no head can have."""
        wrong = [
            Problem(f"{type(self).__name__}: {name}", f"{value} is not {what}")
            for name, least, what in (
                ("penalty", 1e-12, "above 0"),
                ("shrinkage", 1e-12, "above 0"),
                ("steps", 1, "1 or more"),
                ("refine", 0, "0 or more"),
            )
            if not (value := getattr(self, name, least)) >= least or value == float("inf")
        ]
        if wrong:
            raise InputError(wrong)

    @property
    def transductive(self) -> bool:
        """Whether queries move the answers to others: where they refine what the support said."""
        return getattr(self, "refine", 0) > 0

    @property
    def training(self) -> Training:
        """Four tasks a step; the few numbers of a head that stands alone learn faster than a network."""
        return training_above(self.network)

    @property
    def network(self) -> Network:
        """What embeds an example; nothing where examples are embeddings."""
        make = body_for if self.problem.kind == "classification" else network_for
        return make(self.problem, width=self.width, halving=self.halving, backbone=self.backbone)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh network, if there is one, the centre, and the head's own numbers."""
        network = self.network
        own = {name: torch.tensor(value) for name, value in self.start().items()}
        return network.initialise(generator) | {CENTRE: torch.zeros(network.features)} | own

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Support and query pass through the network together; their mean is the centre, and is gathered."""
        norms = Norms(seen={})
        both = task.joined()
        h = embed(self.network, weights, both.x, both.mask, norms)
        mean = both.mask @ h / both.mask.sum().clamp_min(1)
        s = len(task.support.x)
        centre = mean if self.centre == "training" else self._centre(weights, h[:s], task.support)
        h = self.placed(h, centre)
        state = self.solve(weights, h[:s], task.support)
        outputs = self.answer(weights, state, h[s:], task.query)
        seen = (norms.seen or {}) | {CENTRE: mean.detach()}
        return mean_loss(self.problem, outputs, task.query), TaskOutcome(outputs, seen)

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Tensor]:
        """The head, solved for the support."""
        h = embed(self.network, weights, support.x, support.mask, Norms(running=True))
        centre = self._centre(weights, h, support)
        return self.solve(weights, self.placed(h, centre), support) | {"centre": centre}

    def predict(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:  # (q, o)
        """What the head makes of the queries."""
        h = embed(self.network, weights, query.x, query.mask, Norms(running=True))
        return self.answer(weights, adapted, self.placed(h, adapted["centre"]), query)

    def placed(self, h: Tensor, centre: Tensor) -> Tensor:  # (n, w), (w,) -> (n, w)
        """Embeddings around their centre, of length 1 if the head wants them so."""
        h = h - centre
        return heads.unit(torch, h) if self.normalise else h

    def indicators(self, like: Tensor, examples: Examples) -> Tensor:  # (n, o)
        """A one for the class of each example; or the values that it has."""
        return one_hot(examples.y, self.problem.outputs, like) if self.problem.kind == "classification" else examples.y

    def _centre(self, weights: Weights, h: Tensor, support: Examples) -> Tensor:  # (w,)
        if self.centre == "training":
            return weights[CENTRE]
        mean = support.mask @ h / support.mask.sum().clamp_min(1)
        return mean if self.centre == "support" else 0 * mean

    @abstractmethod
    def start(self) -> dict[str, float]:
        """The head's own numbers, as they begin: logarithms of what has to be above zero."""

    @abstractmethod
    def solve(self, weights: Weights, h: Tensor, support: Examples) -> dict[str, Tensor]:
        """The head for embeddings (s, w)."""

    @abstractmethod
    def answer(self, weights: Weights, state: dict[str, Tensor], h: Tensor, query: Examples) -> Tensor:
        """What it makes of others (q, w)."""
