"""Adam, AdamW and plain steps on a dictionary of weights, with a schedule; the state is tensors for the checkpoint.

Written out because it is a page and its state is data like the weights; why torch's own is not used says `adam_step`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autometa.families.learners.adam import adam_step
from autometa.fewshot.learner import Training
from autometa.fewshot.networks import Weights

BETAS, TINY = (0.9, 0.999), 1e-8


@dataclass(frozen=True, slots=True)
class Optimiser:
    """How gradients become steps."""

    training: Training
    steps: int  # of the whole training, for the linear schedule

    def initialise(self, weights: Weights) -> Weights:
        """Running means of gradients and of their squares; nothing for plain steps."""
        if self.training.optimizer == "sgd":
            return {}
        return {f"{kind}.{name}": torch.zeros_like(w) for name, w in weights.items() for kind in ("slope", "square")}

    def rate(self, step: int) -> float:
        """Of a step, the first being 0."""
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
            shrink = (self.training.clip / norm.clamp_min(TINY)).clamp_max(1)
            gradients = {name: g * shrink for name, g in gradients.items()}
        for name, gradient in gradients.items():
            w: Tensor = weights[name]
            if self.training.decay:
                w.mul_(1 - rate * self.training.decay)
            if self.training.optimizer == "sgd":
                w.sub_(gradient, alpha=rate)
                continue
            slope, square = state[f"slope.{name}"], state[f"square.{name}"]
            adam_step(w, gradient, slope, square, step=step, rate=rate, betas=BETAS)
