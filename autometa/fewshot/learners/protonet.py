"""Prototypical networks: a class is the mean of its support embeddings, and a query belongs to the nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from autometa.fewshot.bodies import Backbone, Halving, network_for
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.metric import class_means, masked, prototype_logits, squared_distances
from autometa.fewshot.networks import Network, Norms, Weights, embed


@dataclass(frozen=True, slots=True)
class ProtoNet:
    """Prototypical networks with the squared Euclidean distance."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification",)
    source: ClassVar[str] = "Snell, Swersky and Zemel, 2017"
    transductive: ClassVar[bool] = False
    fixed_body: ClassVar[bool] = True  # an example is embedded alike for every task
    precision: ClassVar[str] = "bfloat16"  # of its convolutions on a GPU: it only measures distances

    problem: EpisodeSpec
    width: int = 64  # the paper's
    halving: Halving = "pool"
    backbone: Backbone = "conv4"

    @property
    def training(self) -> Training:
        """Episodes of 60 classes with 5 queries each; the rate halves every 2000 episodes."""
        known = self.problem.known_classes
        way = min(60, known) if known else None
        return Training(tasks=1, schedule="halving", way=way, query=5)

    @property
    def network(self) -> Network:
        """The network that embeds an example."""
        return network_for(self.problem, width=self.width, halving=self.halving, backbone=self.backbone)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh embedding; there is nothing else to learn."""
        return self.network.initialise(generator)

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Support and query pass through the embedding together, as in the authors' training."""
        norms = Norms(seen={})
        both = task.joined()
        h = embed(self.network, weights, both.x, both.mask, norms)
        s = len(task.support.x)
        outputs = prototype_logits(h[s:], *class_means(h[:s], task.support, len(task.classes)))
        return mean_loss(self.problem, outputs, task.query), TaskOutcome(outputs, norms.seen or {})

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Tensor]:
        """Prototypes (c, w), how many examples each has (c,), and the embedded support (s, w) for `attention`."""
        h = embed(self.network, weights, support.x, support.mask, Norms(running=True))
        means, counts = class_means(h, support, self.problem.outputs)
        return {"prototypes": means, "counts": counts, "support": h, "mask": support.mask}

    def predict(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:
        """Logits: minus the squared distances to the prototypes."""
        h = embed(self.network, weights, query.x, query.mask, Norms(running=True))
        return prototype_logits(h, adapted["prototypes"], adapted["counts"])

    def attention(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:  # (q, s)
        """Nearness of each support example: the softmax of minus the squared distances."""
        h = embed(self.network, weights, query.x, query.mask, Norms(running=True))
        return masked(-squared_distances(h, adapted["support"]), adapted["mask"]).softmax(-1)
