"""Reptile: train on a task for a while, then move the start towards where that led. No query, no second derivative.

The loss below has the value of the query loss, to be looked at, and the gradient ``start - end``, which is Reptile's;
with plain steps of a rate that falls from 1 to 0 the start moves towards the end. A support set of at most `batch`
examples is taken whole; of a larger one each step takes the next slice, so padding there thins a slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from autometa.fewshot.descent import DescentLearner, adaptable, slope
from autometa.fewshot.episode import Episode, Examples, Problem, mean_loss
from autometa.fewshot.learner import Outcome, Training
from autometa.fewshot.networks import Weights

BETA, TINY = 0.999, 1e-8  # Adam's second moment; the first is off, as in the paper


@dataclass(frozen=True, slots=True)
class Reptile(DescentLearner):
    """Reptile with Adam (first moment off) inside."""

    source: ClassVar[str] = "Nichol, Achiam and Schulman, 2018"

    steps: int = 5
    test_steps: int = 50
    rate: float = 0.001
    batch: int = 10

    @classmethod
    def preset(cls, problem: Problem) -> dict[str, Any]:
        """The authors' settings for few and many ways, and for sinusoids."""
        if problem.kind == "regression":
            return {"steps": 32, "test_steps": 32, "rate": 0.02, "batch": 10}
        return {} if problem.outputs <= 5 else {"steps": 10, "rate": 0.0005, "batch": 20}

    @property
    def training(self) -> Training:
        """Ten examples of each class, five tasks, plain steps from 1 down to 0."""
        shot = 50 if self.problem.kind == "regression" else 10
        return Training(tasks=5, optimizer="sgd", rate=1.0, schedule="linear", shot=shot, query=1)

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, Outcome]:
        """A number whose gradient is the way back from where training on the support led."""
        end = self._adapt(weights, task.support, self.steps)
        outputs = self.predict(weights, end, task.query).detach()
        back = [(weights[name] * (weights[name] - w).detach()).sum() for name, w in end.items()]
        towards = torch.stack(back).sum()
        return mean_loss(self.problem, outputs, task.query) + towards - towards.detach(), Outcome(outputs, {})

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        still = {name: w.detach() for name, w in weights.items()}
        moving = adaptable(still)
        square = {name: torch.zeros_like(w) for name, w in moving.items()}
        slices = max(1, -(-len(support.y) // self.batch))
        for step in range(steps):
            first = (step % slices) * self.batch
            some = Examples(*(a[first : first + self.batch] for a in support))
            gradient = slope(self.problem, self.network, still, moving, some)
            square = {name: BETA * v + (1 - BETA) * gradient[name].square() for name, v in square.items()}
            unbiased = 1 - BETA ** (step + 1)
            moving = {
                name: w - self.rate * gradient[name] / ((square[name] / unbiased).sqrt() + TINY)
                for name, w in moving.items()
            }
            moving = {name: w.detach() for name, w in moving.items()}
        return moving
