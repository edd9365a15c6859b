"""ANIL, almost no inner loop: only the head adapts, and the body learns features that a head adapts on quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Generator, Tensor

from autometa.fewshot.descent import forward, gradient_of, start
from autometa.fewshot.episode import Episode, Examples, Kind, Problem, mean_loss
from autometa.fewshot.learner import Outcome, Training
from autometa.fewshot.networks import Network, Norms, Weights, embed, linear_head, network_for

HEAD = ("head", "head_bias")


@dataclass(frozen=True, slots=True)
class Anil:
    """MAML on the head alone, second order."""

    kinds: ClassVar[tuple[Kind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "Raghu, Raghu, Bengio and Vinyals, 2020"
    transductive: ClassVar[bool] = True

    problem: Problem
    steps: int = 5
    test_steps: int = 10
    rate: float = 0.4
    width: int = 64
    halving: Literal["pool", "stride"] = "stride"

    @classmethod
    def preset(cls, problem: Problem) -> dict[str, Any]:
        """Smaller steps where values are predicted."""
        return {"steps": 5, "test_steps": 5, "rate": 0.01} if problem.kind == "regression" else {}

    @property
    def training(self) -> Training:
        """As for MAML."""
        return Training(tasks=25, query=10) if self.problem.kind == "regression" else Training(tasks=16, query=5)

    @property
    def network(self) -> Network:
        """Body below, head above."""
        return network_for(self.problem, width=self.width, halving=self.halving)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh network and its head."""
        return start(self.problem, self.network, generator)

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, Outcome]:
        """Query loss after `steps` of the head."""
        outputs = self.predict(weights, self._adapt(weights, task.support, self.steps), task.query)
        return mean_loss(self.problem, outputs, task.query), Outcome(outputs, {})

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """The head after `test_steps`."""
        return self._adapt(weights, support, self.test_steps)

    def predict(self, weights: Weights, adapted: Weights, query: Examples) -> Tensor:
        """The body's features through the adapted head."""
        return forward(self.network, {**weights, **adapted}, query)

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        h = embed(self.network, weights, support.x, support.mask, Norms())  # once: the body does not move

        def loss(head: Weights) -> Tensor:
            return mean_loss(self.problem, linear_head(head, h), support)

        head = {name: weights[name] for name in HEAD}
        for _ in range(steps):
            gradient = gradient_of(loss, head)
            head = {name: w - self.rate * gradient[name] for name, w in head.items()}
        return head
