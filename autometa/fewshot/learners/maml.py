"""MAML: a start from which few steps of gradient descent suffice.

The loss on the query is differentiated through the steps on the support, second derivatives included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Generator, Tensor

from autometa.fewshot.descent import adaptable, descend, forward, start
from autometa.fewshot.episode import Episode, Examples, Kind, Problem, mean_loss
from autometa.fewshot.learner import Outcome, Training
from autometa.fewshot.networks import Network, Weights, network_for


@dataclass(frozen=True, slots=True)
class Maml:
    """Model-agnostic meta-learning, second order."""

    kinds: ClassVar[tuple[Kind, ...]] = ("classification", "regression")
    source: ClassVar[str] = "Finn, Abbeel and Levine, 2017"
    transductive: ClassVar[bool] = True
    first_order: ClassVar[bool] = False

    problem: Problem
    steps: int = 1
    test_steps: int = 3
    rate: float = 0.4
    width: int = 64
    halving: Literal["pool", "stride"] = "stride"

    @classmethod
    def preset(cls, problem: Problem) -> dict[str, Any]:
        """The paper's: few ways, many ways, sinusoids."""
        if problem.kind == "regression":
            return {"steps": 1, "test_steps": 1, "rate": 0.01}
        return {} if problem.outputs <= 5 else {"steps": 5, "test_steps": 5, "rate": 0.1}

    @property
    def training(self) -> Training:
        """Meta-batches of 32, 16 with many ways, 25 sinusoids."""
        if self.problem.kind == "regression":
            return Training(tasks=25, query=10)
        return Training(tasks=32 if self.problem.outputs <= 5 else 16, query=1 if self.problem.outputs > 5 else 5)

    @property
    def network(self) -> Network:
        """The network that adapts."""
        return network_for(self.problem, width=self.width, halving=self.halving)

    def initialise(self, generator: Generator) -> Weights:
        """A fresh network and its head."""
        return start(self.problem, self.network, generator)

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, Outcome]:
        """Query loss after `steps` on the support."""
        outputs = self.predict(weights, self._adapt(weights, task.support, self.steps), task.query)
        return mean_loss(self.problem, outputs, task.query), Outcome(outputs, {})

    def adapt(self, weights: Weights, support: Examples) -> Weights:
        """The weights after `test_steps`."""
        return self._adapt(weights, support, self.test_steps)

    def predict(self, weights: Weights, adapted: Weights, query: Examples) -> Tensor:
        """The adapted network's answers; a query set with batch statistics of its own."""
        return forward(self.network, {**weights, **adapted}, query)

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        return descend(
            self.problem, self.network, weights, adaptable(weights), support,
            steps=steps, rate=self.rate, first_order=self.first_order,
        )  # fmt: skip
