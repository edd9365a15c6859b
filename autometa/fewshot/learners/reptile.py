"""Reptile: train on a task for a while, then move the start towards where that led. No query, no second derivative.

The loss below has the value of the query loss, for the learning curve, and the gradient ``start - end``, which is
Reptile's; with plain steps of a rate that falls from 1 to 0 the start moves towards the end. Adam's second moments
outlive the tasks, as in the authors' code: a fresh Adam takes its first steps by the sign of the gradient alone. A
support set of at most `batch` examples is taken whole; of a larger one each step takes the next slice, so padding there
thins a slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from autometa.fewshot.bodies import Backbone
from autometa.fewshot.descent import DescentLearner, adaptable, slope
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import TaskOutcome, Training
from autometa.fewshot.networks import RUNNING, Weights
from autometa.fewshot.options import OPTIONS

SQUARE = f"{RUNNING}square."  # Adam's second moments of the weights


@dataclass(frozen=True, slots=True)
class Reptile(DescentLearner):
    """Reptile: the start moves towards where inner steps of Adam (first moment off) lead."""

    source: ClassVar[str] = "Nichol, Achiam and Schulman, 2018"

    # Defaults are the authors' for Omniglot with five ways.
    steps: int = 5
    test_steps: int = 50
    rate: float = 0.001  # of an inner step of Adam
    batch: int = 10  # support examples of an inner step
    backbone: Backbone = "conv4"

    @classmethod
    def preset(cls, problem: EpisodeSpec) -> dict[str, Any]:
        """The authors' settings for few and many ways, and for sinusoids."""
        if problem.kind == "regression":
            return {"steps": 32, "test_steps": 32, "rate": 0.02, "batch": 10}
        return {} if problem.outputs <= 5 else {"steps": 10, "rate": 0.0005, "batch": 20}

    @property
    def training(self) -> Training:
        """Ten examples of each class, five tasks, plain steps from 1 down to 0."""
        shot = 50 if self.problem.kind == "regression" else 10
        return Training(tasks=5, optimizer="sgd", rate=1.0, schedule="linear", shot=shot, query=1)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh network, and second moments so large that the first inner steps are small."""
        weights = DescentLearner.initialise(self, generator)
        return {**weights, **{f"{SQUARE}{name}": torch.ones_like(w) for name, w in weights.items()}}

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """A number whose gradient is the way back from where training on the support led."""
        end, squares = self._train(weights, task.support, self.steps)
        outputs = self.predict(weights, end, task.query).detach()
        back = [(weights[name] * (weights[name] - w).detach()).sum() for name, w in end.items()]
        towards = torch.stack(back).sum()
        seen = {f"{SQUARE}{name}": square for name, square in squares.items()}
        return mean_loss(self.problem, outputs, task.query) + towards - towards.detach(), TaskOutcome(outputs, seen)

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        return self._train(weights, support, steps)[0]

    def _train(self, weights: Weights, support: Examples, steps: int) -> tuple[Weights, Weights]:
        """Where some steps of Adam lead, and the mean squares of the gradients on the way."""
        still = {name: w.detach() for name, w in weights.items()}
        moving = adaptable(still)
        moment = {name: still[f"{SQUARE}{name}"] for name in moving}
        seen = {name: torch.zeros_like(w) for name, w in moving.items()}
        beta = OPTIONS.adam_betas[1]  # the first moment is off, as in the paper
        slices = max(1, -(-len(support.y) // self.batch))
        for step in range(steps):
            first = (step % slices) * self.batch
            some = Examples(*(a[first : first + self.batch] for a in support))
            gradient = slope(self.problem, self.network, still, moving, some)
            square = {name: g.detach().square() for name, g in gradient.items()}
            seen = {name: v + square[name] / steps for name, v in seen.items()}
            moment = {name: beta * v + (1 - beta) * square[name] for name, v in moment.items()}
            moving = {
                name: (w - self.rate * gradient[name] / (moment[name].sqrt() + OPTIONS.adam_epsilon)).detach()
                for name, w in moving.items()
            }
        return moving, seen
