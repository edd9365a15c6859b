"""The neural network for tables itself: its weights, what it answers, and what a step of its training costs.

Weights are a dictionary of tensors. Numbers enter as they are and as a few learned waves of themselves; categories by
learned vectors. `members` networks share all weights but a scaling of their inputs and their output layers (TabM-mini),
and are averaged. It is trained in `learners.mlp`.

Letters:  n rows · b rows of a batch · p numbers · q categories · e entries of a category's vector · w width · m members
· o outputs.

Sources:
    TabM (Gorishniy et al., 2024) for the ensemble; RealMLP (Holzmüller et al., 2024) for the waves (PBLD); periodic
    embeddings are from Gorishniy et al. (2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.families.options import OPTIONS

if TYPE_CHECKING:
    from torch import Generator, Size, Tensor


class Inputs(NamedTuple):
    """The inputs of rows, all or those of a batch."""

    numbers: Tensor  # (n, p) float32
    codes: Tensor  # (n, q) int64, rows of the table of category vectors


def initialise(
    config: Mapping[str, Any], p: int, q: int, n_vectors: int, outputs: int, generator: Generator
) -> dict[str, Tensor]:
    """Fresh weights. `n_vectors` is how many categories all columns have together, missing ones included."""
    import torch

    def normal(*shape: int, spread: float) -> Tensor:
        return torch.randn(shape, generator=generator) * spread

    m, w, waves, mixed = config["members"], config["width"], OPTIONS.mlp.waves, OPTIONS.mlp.mixed
    weights: dict[str, Tensor] = {}
    entering = p
    if config["embedding"] == "periodic" and 0 < p <= OPTIONS.mlp.most_waved:
        weights["frequencies"] = normal(p, waves, spread=2 * math.pi * config["frequency"])
        weights["phases"] = (torch.rand((p, waves), generator=generator) - 0.5) * 2 * math.pi
        weights["mixing"] = normal(p, waves, mixed, spread=1 / math.sqrt(waves))
        weights["mixing_bias"] = torch.zeros(p, mixed)
        entering = p * (1 + mixed)
    if q:
        e = int(np.clip(512 // q, 2, 8))
        weights["vectors"] = normal(n_vectors, e, spread=0.5)
        entering += q * e
    members = torch.randn((m, entering), generator=generator)
    weights["members"] = members.sign() if m > 1 else torch.ones(1, entering)
    for layer in range(config["depth"]):
        inputs = entering if layer == 0 else w
        weights[f"hidden_{layer}"] = normal(inputs, w, spread=math.sqrt(2 / inputs))
        weights[f"hidden_{layer}_bias"] = torch.zeros(w)
    weights["output"] = normal(m, w, outputs, spread=math.sqrt(1 / w))
    weights["output_bias"] = torch.zeros(m, 1, outputs)
    return weights


def forward(
    weights: dict[str, Tensor], inputs: Inputs, *, dropout: float = 0.0, generator: Generator | None = None
) -> Tensor:
    """The output of every member for every row: (m, b, o) logits, or values."""
    import torch
    from torch.nn.functional import embedding, relu

    numbers, codes = inputs
    parts = [numbers]  # (b, p)
    if "frequencies" in weights:
        angles = torch.addcmul(weights["phases"], numbers[:, :, None], weights["frequencies"])
        waves = torch.cos(angles)  # (b, p, waves)
        mixed = torch.bmm(waves.transpose(0, 1), weights["mixing"]).transpose(0, 1) + weights["mixing_bias"]
        parts.append(mixed.flatten(1))  # (b, p * mixed)
    if "vectors" in weights:
        parts.append(embedding(codes, weights["vectors"]).flatten(1))  # (b, q * e)
    x = torch.cat(parts, dim=1) * weights["members"][:, None, :]  # (m, b, entering)
    layer = 0
    while f"hidden_{layer}" in weights:
        x = relu(x @ weights[f"hidden_{layer}"] + weights[f"hidden_{layer}_bias"])  # (m, b, w)
        if dropout:
            # One draw (b, w) for all members: drawing took a third of a step.
            keep = torch.empty_like(x[0]).bernoulli_(1 - dropout, generator=generator)
            x = x * (keep / (1 - dropout))
        layer += 1
    return torch.baddbmm(weights["output_bias"], x, weights["output"])  # (m, b, o)


def predict(
    weights: dict[str, NDArray[Any]],
    numbers: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    outputs: int,
    threads: int,
) -> NDArray[np.float64]:  # (n, o)
    """Mean over members: of probabilities for several outputs, of values for one."""
    import torch

    with torch_threads(threads):
        tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
        mean = averaged(tensors, Inputs(torch.from_numpy(numbers), torch.from_numpy(codes)), outputs)
        return mean.double().numpy()


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Within it torch takes so many CPU threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def averaged(weights: dict[str, Tensor], inputs: Inputs, outputs: int) -> Tensor:  # (n, o)
    """The mean over members: of probabilities for several outputs, of values for one; without gradients."""
    import torch

    with torch.no_grad():
        chunks = []
        for start in range(0, len(inputs.numbers), 2048):
            answers = forward(weights, Inputs(*(part[start : start + 2048] for part in inputs)))  # (m, chunk, o)
            chunks.append((answers.softmax(dim=2) if outputs > 1 else answers).mean(dim=0))
        return torch.cat(chunks)


def unflattened(flat: Tensor, shapes: dict[str, Size]) -> dict[str, Tensor]:
    """Views into the one vector that holds every weight."""
    parts = flat.split([shape.numel() for shape in shapes.values()])
    return {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def chosen_rows(inputs: Inputs, chosen: Tensor) -> Inputs:
    """The inputs of the chosen rows."""
    return Inputs(inputs.numbers[chosen], inputs.codes[chosen])


def step_operations(shapes: dict[str, Size]) -> int:
    """Floating-point operations of one training step per row: forward, and twice as much backward."""
    members, entering = shapes["members"]
    per_member = sum(shape.numel() for name, shape in shapes.items() if name.startswith("hidden"))
    shared = sum(10 * shapes[name].numel() for name in ("frequencies", "mixing") if name in shapes)
    return 6 * (members * (per_member + entering) + shapes["output"].numel() + shared)
