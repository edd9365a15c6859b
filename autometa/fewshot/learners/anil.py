"""ANIL, almost no inner loop: only the head adapts, and the body learns features that a head adapts on quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from autometa.fewshot.bodies import Backbone
from autometa.fewshot.descent import DescentLearner, gradient_of
from autometa.fewshot.episode import EpisodeSpec, Examples, mean_loss
from autometa.fewshot.learner import Training
from autometa.fewshot.networks import Norms, Weights, embed, linear_head

HEAD_WEIGHTS = ("head", "head_bias")


@dataclass(frozen=True, slots=True)
class Anil(DescentLearner):
    """ANIL: MAML whose head alone takes inner steps, second order."""

    source: ClassVar[str] = "Raghu, Raghu, Bengio and Vinyals, 2020"

    # MAML's rate; the steps are judgement: those of a head cost little.
    steps: int = 5
    test_steps: int = 10
    rate: float = 0.4  # of an inner step
    backbone: Backbone = "conv4"

    @classmethod
    def preset(cls, problem: EpisodeSpec) -> dict[str, Any]:
        """Smaller steps where values are predicted, as MAML's for sine waves."""
        return {"steps": 5, "test_steps": 5, "rate": 0.01} if problem.kind == "regression" else {}

    @property
    def training(self) -> Training:
        """Meta-batches of 16, of 25 sine waves."""
        return Training(tasks=25, query=10) if self.problem.kind == "regression" else Training(tasks=16, query=5)

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        h = embed(self.network, weights, support.x, support.mask, Norms())  # once: the body does not move

        def loss(head: Weights) -> Tensor:
            return mean_loss(self.problem, linear_head(head, h), support)

        head = {name: weights[name] for name in HEAD_WEIGHTS}
        for _ in range(steps):
            gradient = gradient_of(loss, head)
            head = {name: w - self.rate * gradient[name] for name, w in head.items()}
        return head
