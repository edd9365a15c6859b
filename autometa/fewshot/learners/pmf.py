"""P>M>F: pre-train, meta-train, fine-tune. Nearest class means, whose embedding's last layers a task fine-tunes.

Meant for an encoder of one's own that was pre-trained on other data: frozen or tuned in meta-training (`tune_encoder`),
its last layers take steps of Adam on the support of each task. What the support is judged by in these steps are its own
examples: images are moved a little, in five ways by turns, and the mean that an example is held against is without it.
Without an encoder it is the network of images or vectors whose last blocks move.

Letters:  s support · q query · c classes · w features.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from autometa.errors import InputError, Problem
from autometa.families.learners import heads
from autometa.fewshot.bodies import Backbone, EncodedSpec, Halving, body_for, network_for
from autometa.fewshot.descent import gradient_of
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss, one_hot
from autometa.fewshot.heads import training_above
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.metric import masked
from autometa.fewshot.networks import ENCODER, RUNNING, Network, Norms, Weights, embed
from autometa.fewshot.options import OPTIONS

SHARPNESS = "sharpness"
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0), (0, 0))  # of an image, down and across, in the share of a side it may be


@dataclass(frozen=True, slots=True)
class Pmf:
    """P>M>F: nearest class means of length 1, whose embedding's last layers are fine-tuned on the support."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification",)
    source: ClassVar[str] = "Hu, Li, Stühmer, Kim and Hospedales, 2022"
    transductive: ClassVar[bool] = False

    problem: EpisodeSpec
    test_steps: int = 50  # of fine-tuning; the paper's
    rate: float = 1e-3  # of a step of Adam; the paper chooses among 0 and 1e-4 to 1e-3 for each domain
    layers: int = 2  # how many layers move, from the last one on; 0 is all of them, as in the paper
    width: int = 64
    halving: Halving = "pool"
    backbone: Backbone = "conv4"

    def __post_init__(self) -> None:
        """Refuses numbers that nothing can be fine-tuned by."""
        wrong = [
            Problem(f"Pmf: {name}", f"{value} is not {what}")
            for name, value, fine, what in (
                ("test_steps", self.test_steps, self.test_steps >= 0, "0 or more"),
                ("layers", self.layers, self.layers >= 0, "0 or more"),
                ("rate", self.rate, 0 <= self.rate < math.inf, "a number of 0 or more"),
            )
            if not fine
        ]
        if wrong:
            raise InputError(wrong)

    @property
    def training(self) -> Training:
        """Four tasks a step; where an encoder stays as it is, the one number that is left learns fast."""
        return training_above(self.network)

    @property
    def network(self) -> Network:
        """The encoder alone, or the network that suits the examples."""
        make = body_for if isinstance(self.problem, EncodedSpec) else network_for
        return make(self.problem, width=self.width, halving=self.halving, backbone=self.backbone)

    def initialise(self, generator: Generator) -> Weights:
        """The network, and what squared distances are multiplied by, as a logarithm."""
        return self.network.initialise(generator) | {SHARPNESS: torch.tensor(math.log(OPTIONS.head_sharpness))}

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Meta-training fine-tunes nothing: support and query pass through the network together."""
        norms = Norms(seen={})
        both = task.joined()
        h = heads.unit(torch, embed(self.network, weights, both.x, both.mask, norms))
        s = len(task.support.x)
        outputs = self._logits(weights, h[s:], *self._means(h[:s], task.support))
        return mean_loss(self.problem, outputs, task.query), TaskOutcome(outputs, norms.seen or {})

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Any]:
        """The weights that moved, and the means (c, w) of the support as it is embedded then."""
        moved = self._tuned({name: w.detach() for name, w in weights.items()}, support)
        h = self._embedded({**weights, **moved}, support)
        means, counts = self._means(h, support)
        return {"moved": moved, "means": means, "counts": counts, "support": h, "mask": support.mask}

    def predict(self, weights: Weights, adapted: dict[str, Any], query: Examples) -> Tensor:
        """Logits: minus the squared distances to the means, sharpened."""
        h = self._embedded({**weights, **adapted["moved"]}, query)
        return self._logits(weights, h, adapted["means"], adapted["counts"])

    def attention(self, weights: Weights, adapted: dict[str, Any], query: Examples) -> Tensor:  # (q, s)
        """Nearness of each support example: the softmax of minus the squared distances, sharpened."""
        h = self._embedded({**weights, **adapted["moved"]}, query)
        near = -weights[SHARPNESS].exp() * heads.squared_distances(h, adapted["support"])
        return masked(near, adapted["mask"]).softmax(-1)

    def _tuned(self, weights: Weights, support: Examples) -> Weights:
        """The last layers after `test_steps` of Adam."""
        moving = {name: weights[name] for name in last_layers(self.problem, weights, self.layers)}
        first = {name: torch.zeros_like(w) for name, w in moving.items()}
        second = dict(first)
        (b1, b2), epsilon = OPTIONS.adam_betas, OPTIONS.adam_epsilon
        for step in range(self.test_steps if moving else 0):

            def loss(some: Weights, step: int = step) -> Tensor:
                return self._own_loss({**weights, **some}, support, step)

            gradient = gradient_of(loss, moving)
            first = {name: (b1 * first[name] + (1 - b1) * g).detach() for name, g in gradient.items()}
            second = {name: (b2 * second[name] + (1 - b2) * g.square()).detach() for name, g in gradient.items()}
            short, long = 1 - b1 ** (step + 1), 1 - b2 ** (step + 1)
            moving = {
                name: w - self.rate * (first[name] / short) / ((second[name] / long).sqrt() + epsilon)
                for name, w in moving.items()
            }
        return moving

    def _own_loss(self, weights: Weights, support: Examples, step: int) -> Tensor:
        """Cross-entropy of the support, moved a little, by means each of which is without the example itself."""
        h = self._embedded(weights, support)
        asked = support._replace(x=moved(support.x, step)) if len(self.problem.shape) == 3 else support
        q = h if asked is support else self._embedded(weights, asked)
        means, counts = self._means(h, support)
        others = counts / (counts - 1).clamp_min(1)  # how much further the mean is without one of so many
        own = one_hot(support.y, self.problem.outputs, h)  # (s, c)
        further = 1 + own * (others.square() - 1)
        logits = masked(-weights[SHARPNESS].exp() * heads.squared_distances(q, means) * further, counts)
        return mean_loss(self.problem, logits, support)

    def _embedded(self, weights: Weights, examples: Examples) -> Tensor:  # (n, w)
        return heads.unit(torch, embed(self.network, weights, examples.x, examples.mask, Norms(running=True)))

    def _means(self, h: Tensor, support: Examples) -> tuple[Tensor, Tensor]:  # (c, w), (c,)
        return heads.means(torch, h, one_hot(support.y, self.problem.outputs, h), support.mask)

    def _logits(self, weights: Weights, h: Tensor, means: Tensor, counts: Tensor) -> Tensor:  # (q, c)
        return masked(-weights[SHARPNESS].exp() * heads.squared_distances(h, means), counts)


def last_layers(problem: EpisodeSpec, weights: Weights, layers: int) -> list[str]:
    """The names of the weights of the last layers: modules of an encoder, blocks of a network; of all for 0.

    Example:
        >>> names = dict.fromkeys(["conv0", "norm0_scale", "conv1", "norm1_scale", "running.norm1_mean", "sharpness"])
        >>> last_layers(EpisodeSpec("classification", (1, 28, 28), 5), names, 1)
        ['conv1', 'norm1_scale']
    """
    of_layer: dict[str, list[str]] = {}
    if isinstance(problem, EncodedSpec) and problem.encoder is not None:
        for name, _ in problem.encoder.named_parameters():
            inside = ENCODER + name.replace(".", "/")
            of_layer.setdefault(name.rpartition(".")[0], []).append(inside if problem.tuned else RUNNING + inside)
    else:
        for name in weights:
            number = re.match(r"[a-z]+(\d+)", name)
            if number is not None:
                of_layer.setdefault(number[1], []).append(name)
    return [name for names in list(of_layer.values())[-layers:] for name in names]


def moved(x: Tensor, step: int) -> Tensor:  # (n, ch, h, w)
    """Images moved by what training crops at most, in the turn of a step; what comes in is their edge."""
    for axis, way in zip((-2, -1), MOVES[step % len(MOVES)], strict=True):
        side = x.shape[axis]
        most = max(1, round(side * OPTIONS.cropped_share))
        x = x.index_select(axis, (torch.arange(side, device=x.device) + way * most).clamp(0, side - 1))
    return x
