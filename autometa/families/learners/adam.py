"""One step of Adam, for whoever writes a training loop out: the network here and the few-shot learners.

Written out because the first use of an optimiser of torch's costs seconds of imports. Weight decay is the caller's, who
knows on which weights: decoupled (AdamW) when it shrinks the weights by ``rate * decay`` beside this step.

Source:
    Kingma and Ba, 2015, algorithm 1; Loshchilov and Hutter, 2019, for the decoupled decay
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

ADAM_EPSILON = 1e-8  # added to the root of the mean square, as in the paper


def adam_step(
    weights: Tensor,
    gradient: Tensor,
    slope: Tensor,
    square: Tensor,
    *,
    step: int,
    rate: float,
    betas: tuple[float, float],
) -> None:
    """Moves `weights` in place, all tensors of one shape; to be called without gradients being recorded.

    Args:
        weights: What is trained.
        gradient: Of the loss by the weights.
        slope: Running mean of the gradients, zeros before the first step; changed in place.
        square: Running mean of their squares, zeros before the first step; changed in place.
        step: How many came before this one.
        rate: The learning rate.
        betas: How much of the running means stays at each step.
    """
    slope.lerp_(gradient, 1 - betas[0])
    square.lerp_(gradient.square(), 1 - betas[1])
    spread = (square / (1 - betas[1] ** (step + 1))).sqrt_().add_(ADAM_EPSILON)
    weights.addcdiv_(slope, spread, value=-rate / (1 - betas[0] ** (step + 1)))


def adam_steps(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    slopes: Sequence[Tensor],
    squares: Sequence[Tensor],
    *,
    step: int,
    rate: float,
    betas: tuple[float, float],
) -> None:
    """`adam_step` of many tensors with one call of each operation: on a GPU launching them is what takes the time."""
    import torch

    torch._foreach_lerp_(slopes, gradients, 1 - betas[0])
    torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - betas[1])
    spreads = torch._foreach_div(squares, 1 - betas[1] ** (step + 1))
    torch._foreach_sqrt_(spreads)
    torch._foreach_add_(spreads, ADAM_EPSILON)
    torch._foreach_addcdiv_(weights, slopes, spreads, value=-rate / (1 - betas[0] ** (step + 1)))
