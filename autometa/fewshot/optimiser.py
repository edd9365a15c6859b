"""Adam, AdamW and plain steps on a dictionary of weights, with a schedule; the state is tensors for the checkpoint.

Adam's step is that of `families.learners.adam`, written out for a measured reason: the first step of an optimiser of
torch's (2.13) imports 823 modules, 2.5 s of one core, and this one's takes 14 ms; later steps cost as much (3.4 ms for
18 layers of 64 x 64 x 3 x 3, torch's 3.0 to 4.9). And its state is a dictionary of tensors, which the checkpoint keeps
like weights. It is torch's AdamW to rounding (tests/test_fewshot_use.py). All weights take each operation together:
that spares a GPU a hundred launches a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from autometa.families.learners.adam import adam_steps
from autometa.fewshot.learner import Training
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True)
class Optimiser:
    """How gradients become steps: the rule, the schedule of its rate, clipping and decay."""

    training: Training
    steps: int  # of the whole training, for the linear schedule

    def initialise(self, weights: Weights) -> Weights:
        """Running means of gradients and of their squares; nothing for plain steps."""
        if self.training.optimizer == "sgd":
            return {}
        return {f"{kind}.{name}": torch.zeros_like(w) for name, w in weights.items() for kind in ("slope", "square")}

    def rate(self, step: int) -> float:
        """The rate of a step; the first is step 0."""
        training = self.training
        if training.schedule == "halving":
            return training.rate * 0.5 ** (step // training.half_life)
        if training.schedule == "linear":
            return training.rate * max(0.0, 1 - step / max(self.steps, 1))
        return training.rate

    @torch.no_grad()
    def move(self, weights: Weights, gradients: Weights, state: Weights, step: int) -> None:
        """One step, in place: gradients are clipped to a norm, decay is decoupled."""
        rate = self.rate(step)
        names = list(gradients)
        moved, slopes = [weights[name] for name in names], [gradients[name] for name in names]
        if self.training.clip:
            norm = torch.stack([g.square().sum() for g in slopes]).sum().sqrt()
            shrink = (self.training.clip / norm.clamp_min(OPTIONS.adam_epsilon)).clamp_max(1)
            slopes = torch._foreach_mul(slopes, shrink)
        if self.training.decay:
            torch._foreach_mul_(moved, 1 - rate * self.training.decay)
        if self.training.optimizer == "sgd":
            torch._foreach_sub_(moved, slopes, alpha=rate)
            return
        means = ([state[f"{kind}.{name}"] for name in names] for kind in ("slope", "square"))
        adam_steps(moved, slopes, *means, step=step, rate=rate, betas=OPTIONS.adam_betas)
