"""MAML: a start from which few steps of gradient descent suffice.

The loss on the query is differentiated through the steps on the support, second derivatives included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from autometa.fewshot.bodies import Backbone
from autometa.fewshot.descent import DescentLearner, adaptable, descend
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.learner import Training
from autometa.fewshot.networks import Weights


@dataclass(frozen=True, slots=True)
class Maml(DescentLearner):
    """MAML, second order: the start from which a few inner steps help most."""

    source: ClassVar[str] = "Finn, Abbeel and Levine, 2017"
    first_order: ClassVar[bool] = False

    # Defaults are the paper's for Omniglot with five ways.
    test_steps: int = 3
    rate: float = 0.4  # of an inner step
    backbone: Backbone = "conv4"

    @classmethod
    def preset(cls, problem: EpisodeSpec) -> dict[str, Any]:
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

    def _adapt(self, weights: Weights, support: Examples, steps: int) -> Weights:
        return descend(
            self.problem, self.network, weights, adaptable(weights), support,
            steps=steps, rate=self.rate, first_order=self.first_order,
        )  # fmt: skip
