"""An LSTM cell as weights and a function, for the learners that have one.

Letters:  n rows · h hidden.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from autometa.fewshot.networks import Weights


def lstm_weights(name: str, inputs: int, hidden: int, generator: Generator, spread: float | None = None) -> Weights:
    """Fresh weights ``NAME_gates`` (inputs + h, 4 h) and ``NAME_bias``; the gates are input, forget, cell, output.

    They are uniform within ± `spread`, or within ± the inverse root of `hidden`; the forget gate begins open.
    """
    spread = 1 / math.sqrt(hidden) if spread is None else spread
    bias = torch.zeros(4 * hidden)
    bias[hidden : 2 * hidden] = 1.0  # remembers at first
    matrix = (2 * torch.rand((inputs + hidden, 4 * hidden), generator=generator) - 1) * spread
    return {f"{name}_gates": matrix, f"{name}_bias": bias}


def lstm_cell(
    weights: Weights, name: str, x: Tensor, state: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:  # (n, inputs), 2 x (n, h) -> 2 x (n, h)
    """The hidden and cell state after one step."""
    hidden, cell = state
    gates = torch.cat([x, hidden], -1) @ weights[f"{name}_gates"] + weights[f"{name}_bias"]
    enter, forget, new, leave = gates.chunk(4, -1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * cell.tanh(), cell
