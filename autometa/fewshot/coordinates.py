"""What the learned update rules share: all weights as one vector, whose numbers are updated by the same small network.

`preprocessed` is the scaling of gradients and losses of Andrychowicz et al. (2016), which Ravi and Larochelle adopted.

Letters:  m numbers (coordinates) · h hidden.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Size, Tensor

from autometa.fewshot.networks import Weights

SCALE = 10.0  # gradients below exp(-10) are told apart linearly


def flat(weights: Weights) -> Tensor:  # (m,)
    """All weights as a vector."""
    return torch.cat([w.flatten() for w in weights.values()])


def named(vector: Tensor, shapes: dict[str, Size]) -> Weights:
    """A vector as weights."""
    parts = vector.split([math.prod(shape) for shape in shapes.values()])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def preprocessed(x: Tensor) -> Tensor:  # (m,) -> (m, 2)
    """Logarithm of the size and the sign; of tiny numbers, the number."""
    size = x.abs().clamp_min(1e-30).log() / SCALE
    large = x.abs() >= math.exp(-SCALE)
    return torch.stack(
        [
            torch.where(large, size, torch.full_like(x, -1.0)),
            torch.where(large, x.sign(), x * math.exp(SCALE)),
        ],
        -1,
    )


def lstm_weights(name: str, inputs: int, hidden: int, generator: Generator, spread: float | None = None) -> Weights:
    """An LSTM cell; the gates are input, forget, cell, output."""
    spread = 1 / math.sqrt(hidden) if spread is None else spread
    bias = torch.zeros(4 * hidden)
    bias[hidden : 2 * hidden] = 1.0  # remembers at first
    matrix = (2 * torch.rand((inputs + hidden, 4 * hidden), generator=generator) - 1) * spread
    return {f"{name}_gates": matrix, f"{name}_bias": bias}


def lstm_cell(
    weights: Weights, name: str, x: Tensor, state: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:  # (n, inputs), 2 x (n, h) -> 2 x (n, h)
    """One step; the state is hidden and cell."""
    hidden, cell = state
    gates = torch.cat([x, hidden], -1) @ weights[f"{name}_gates"] + weights[f"{name}_bias"]
    enter, forget, new, leave = gates.chunk(4, -1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * cell.tanh(), cell
