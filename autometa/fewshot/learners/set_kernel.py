"""The set kernel: a network reads a table's columns and chooses the kernel of a ridge regression in closed form.

The mathematics are those of the family of the same name (`families.learners.set_kernel`), in torch to be trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from autometa.families.learners import set_kernel
from autometa.fewshot.bodies import flat, flat_weights
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, one_hot
from autometa.fewshot.learner import TaskOutcome, Training, query_loss
from autometa.fewshot.networks import Weights


@dataclass(frozen=True, slots=True)
class SetKernel:
    """For rows of tables, of any number of columns and classes."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification",)
    source: ClassVar[str] = "after Bertinetto et al., 2019, and Patacchiola et al., 2020"
    transductive: ClassVar[bool] = False

    problem: EpisodeSpec

    @property
    def training(self) -> Training:
        """Meta-batches of six tables; the rate falls to nothing."""
        return Training(tasks=6, rate=3e-3, schedule="linear", clip=1.0)

    def initialise(self, generator: Generator) -> Weights:
        """Begins as an even mean of the four kernels."""
        weights = flat_weights(self.problem)
        for name, shape in set_kernel.shapes().items():
            spread, centre = set_kernel.start(name)
            weights[name] = torch.randn(shape, generator=generator) * spread + torch.tensor(centre)
        return weights

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Cross-entropy of the query rows."""
        return query_loss(self, weights, self.adapt(weights, task.support), task)

    def adapt(self, weights: Weights, support: Examples) -> dict[str, Tensor]:
        """The table as it was read and solved."""
        x = flat(self.problem, weights, support)
        fitted = set_kernel.fit(torch, weights, x, one_hot(support.y, self.problem.outputs, x), support.mask)
        return fitted.choice._asdict() | {k: v for k, v in fitted._asdict().items() if k != "choice"}

    def predict(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:
        """Logits of the query rows."""
        return set_kernel.logits(torch, _fitted(adapted), flat(self.problem, weights, query))

    def attention(self, weights: Weights, adapted: dict[str, Tensor], query: Examples) -> Tensor:  # (q, s)
        """Nearness of each support row, in the kernel that was chosen for this table."""
        fitted, x = _fitted(adapted), flat(self.problem, weights, query)
        near = set_kernel.nearness(torch, fitted, x).clamp_min(0) * fitted.mask
        return near / near.sum(-1, keepdim=True).clamp_min(1e-12)


def _fitted(adapted: dict[str, Tensor]) -> set_kernel.FittedSetKernel:
    choice = set_kernel.KernelChoice(*(adapted[name] for name in set_kernel.KernelChoice._fields))
    return set_kernel.FittedSetKernel(choice, *(adapted[name] for name in set_kernel.FittedSetKernel._fields[1:]))
