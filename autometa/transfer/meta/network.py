"""The network of the surrogate: prior mean, features, cost and failure of any configuration; weights are values.

    inputs (d + c) -> one linear map per family -> 48 -> 64 -> 64 -> mean | log cost | failure logit | 24 features
    covariance = features . features' + level [same family] + Matérn(inputs / length scales) [same family] + noise

`forward` and `kernel` are written once for NumPy and torch: asking needs NumPy only and agrees with training by
construction.

Letters:  d encoded dimensions · c of them conditional within a family · q points · k features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.kernels import Layout, matern
from autometa.transfer.options import OPTIONS, TransferOptions

Weights = dict[str, Any]  # name -> array, NumPy's or torch's


class Heads(NamedTuple):
    """What the network predicts of q points."""

    mean: Any  # (q,)
    features: Any  # (q, k)
    log_seconds: Any  # (q,) relative to the task's level
    failure: Any  # (q,) logit


def initial(
    layout: Layout, rng: np.random.Generator, options: TransferOptions = OPTIONS
) -> dict[str, NDArray[np.float64]]:
    """Weights before training, by name."""
    latent, hidden, features = options.latent, options.hidden, options.features
    width = layout.space.d + len(layout.conditional)

    def linear(inputs: int, outputs: int, gain: float = 1.0) -> NDArray[np.float64]:
        return rng.standard_normal((inputs, outputs)) * gain / np.sqrt(inputs)

    active = max(float(np.mean(layout.size(np.ones((1, layout.space.d), dtype=bool)))), 1.0)
    families = max(layout.choice.stop - layout.choice.start, 1)
    return {
        "embed": rng.standard_normal((width, latent)) / np.sqrt(max(active / families, 2.0)),
        "embed_bias": np.zeros(latent),
        "first": linear(latent, hidden),
        "first_bias": np.zeros(hidden),
        "second": linear(hidden, hidden),
        "second_bias": np.zeros(hidden),
        "heads": linear(hidden, features + 3, 0.5),
        "heads_bias": np.array([0.0, 0.0, -4.0] + [0.0] * features),
        "log_lengths": np.full(layout.space.d, np.log(0.7 * np.sqrt(active / families))),
        "log_rest": np.array(np.log(0.2)),
        "log_level": np.array(np.log(0.1)),
        "log_noise": np.array(np.log(0.03)),
    }


def forward(weights: Weights, inputs: Any, xp: Any = np) -> Heads:  # inputs: (..., d + c)
    """What the network predicts of points."""
    hidden = inputs @ weights["embed"] + weights["embed_bias"]
    hidden = xp.tanh(hidden) @ weights["first"] + weights["first_bias"]
    hidden = xp.tanh(hidden) @ weights["second"] + weights["second_bias"]
    out = xp.tanh(hidden) @ weights["heads"] + weights["heads_bias"]  # (..., 3 + k)
    features = out[..., 3:]
    return Heads(out[..., 0], features * (2.0 / features.shape[-1] ** 0.5), out[..., 1], out[..., 2])


def lengths(weights: Weights, conditional: NDArray[np.int64], xp: Any = np) -> Any:  # (d + c,)
    """Length scales of inputs: an indicator shares that of its value."""
    own = xp.exp(xp.clip(weights["log_lengths"], -2.5, 4.0))
    return xp.concatenate([own, own[conditional]])


def kernel(weights: Weights, features: tuple[Any, Any], squared: Any, same: Any, xp: Any = np) -> Any:
    """Covariance between points of (..., p, k) and (..., q, k) features, of squared scaled distances (..., p, q)."""
    low_rank = features[0] @ xp.swapaxes(features[1], -1, -2)
    return low_rank + same * (xp.exp(weights["log_rest"]) * matern(squared, xp) + xp.exp(weights["log_level"]))
