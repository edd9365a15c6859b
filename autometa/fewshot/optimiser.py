"""Adam, AdamW and plain steps on a dictionary of weights, with a schedule; the state is tensors for the checkpoint.

Adam's step is that of `families.learners.adam`, written out for a measured reason: the first step of an optimiser of
torch's (2.13) imports 823 modules, 2.5 s of one core, and this one's takes 14 ms; later steps cost as much (3.4 ms for
18 layers of 64 x 64 x 3 x 3, torch's 3.0 to 4.9). And its state is a dictionary of tensors, which the checkpoint keeps
like weights. It is torch's AdamW to rounding (tests/test_fewshot_use.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autometa.families.learners.adam import adam_step
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
        if self.training.clip:
            norm = torch.stack([g.square().sum() for g in gradients.values()]).sum().sqrt()
            shrink = (self.training.clip / norm.clamp_min(OPTIONS.adam_epsilon)).clamp_max(1)
            gradients = {name: g * shrink for name, g in gradients.items()}
        for name, gradient in gradients.items():
            w: Tensor = weights[name]
            if self.training.decay:
                w.mul_(1 - rate * self.training.decay)
            if self.training.optimizer == "sgd":
                w.sub_(gradient, alpha=rate)
                continue
            slope, square = state[f"slope.{name}"], state[f"square.{name}"]
            adam_step(w, gradient, slope, square, step=step, rate=rate, betas=OPTIONS.adam_betas)
