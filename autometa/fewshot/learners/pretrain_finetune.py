"""Multi-task pre-training and fine-tuning: the baseline that every meta-learner has to beat.

One body learns all training tasks together, as one classification over all their classes (or, where classes have no
identity beyond an episode, and for values, through one shared head). A new task fine-tunes a fresh head, by plain
gradient descent on the support.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from autometa.fewshot.bodies import Backbone, Halving, network_for
from autometa.fewshot.descent import gradient_of
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.networks import Network, Norms, Weights, embed, head_weights, linear_head

KNOWN_HEAD = "known_head"  # not `head...`: its rows are the training classes, not those of an episode


@dataclass(frozen=True, slots=True)
class PretrainFinetune:
    """The baseline: one classifier of all training classes, whose head is fine-tuned for a task."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "Caruana, 1997; Chen et al., 2019 (Baseline)"
    transductive: ClassVar[bool] = False

    problem: EpisodeSpec
    # Chen et al. take 100 steps of batches; 50 of the whole support are judgement.
    test_steps: int = 50
    rate: float = 0.1  # of a step of fine-tuning
    body: bool = False  # whether the body is fine-tuned with the head
    width: int = 64
    halving: Halving = "stride"
    backbone: Backbone = "conv4"

    @classmethod
    def preset(cls, problem: EpisodeSpec) -> dict[str, Any]:
        """Values are predicted by fine-tuning everything."""
        return {"body": True, "rate": 0.01} if problem.kind == "regression" else {}

    @property
    def fixed_body(self) -> bool:
        """Whether an example is embedded alike for every task."""
        return not self.body

    @property
    def training(self) -> Training:
        """Meta-batches of four tasks."""
        return Training(tasks=4, query=10)

    @property
    def network(self) -> Network:
        """The body that all tasks share."""
        return network_for(self.problem, width=self.width, halving=self.halving, backbone=self.backbone)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh body, a head for the known classes, and a blank one for a new task."""
        network, problem = self.network, self.problem
        weights = network.initialise(generator)
        if problem.kind == "classification" and problem.known_classes:
            known = head_weights(network.features, problem.known_classes, generator)
            weights |= {KNOWN_HEAD: known["head"], f"{KNOWN_HEAD}_bias": known["head_bias"]}
            return weights | {
                "head": torch.zeros(problem.outputs, network.features),
                "head_bias": torch.zeros(problem.outputs),
            }
        return weights | head_weights(network.features, problem.outputs, generator)

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Loss over all examples of the task, without any adaptation."""
        norms = Norms(seen={})
        both = task.joined()
        h = embed(self.network, weights, both.x, both.mask, norms)
        s = len(task.support.x)
        if KNOWN_HEAD not in weights:
            outputs = linear_head(weights, h)
            return mean_loss(self.problem, outputs, both), TaskOutcome(outputs[s:], norms.seen or {})
        logits = h @ weights[KNOWN_HEAD].T + weights[f"{KNOWN_HEAD}_bias"]  # (n, known classes)
        loss = mean_loss(self.problem, logits, both._replace(y=task.classes.clamp_min(0)[both.y]))
        return loss, TaskOutcome(logits[s:, task.classes.clamp_min(0)], norms.seen or {})

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """Head, and body if asked for, after `test_steps`."""
        still = {name: w.detach() for name, w in weights.items()}
        names = [name for name in still if name.startswith("head")]
        if self.body:
            names += [name for name in still if not name.startswith(("head", "running.", KNOWN_HEAD))]
        moving = {name: still[name] for name in names}
        features = None if self.body else self._features(still, support)

        def loss(some: Weights) -> Tensor:
            merged = {**still, **some}
            h = self._features(merged, support) if features is None else features
            return mean_loss(self.problem, linear_head(merged, h), support)

        for _ in range(self.test_steps):
            gradient = gradient_of(loss, moving)
            moving = {name: (w - self.rate * gradient[name]).detach() for name, w in moving.items()}
        return moving

    def predict(self, weights: Weights, adapted: Weights, query: Examples) -> Tensor:
        """Logits or values of the fine-tuned network."""
        merged = {**weights, **adapted}
        return linear_head(merged, self._features(merged, query))

    def _features(self, weights: Weights, examples: Examples) -> Tensor:  # (n, w)
        return embed(self.network, weights, examples.x, examples.mask, Norms(running=True))
