"""What the metric learners share: class means, distances, and classes or examples that are not there.

Letters:  s support · q query · c classes · w width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autometa.fewshot.episode import Examples, one_hot

ABSENT = -1e4  # logit of a class without examples; finite, so that no gradient becomes NaN


def class_means(h: Tensor, support: Examples, c: int) -> tuple[Tensor, Tensor]:  # (s, w) -> (c, w), (c,)
    """Mean of each class's rows, and the weight of its examples."""
    members = one_hot(support.y, c, h) * support.mask[:, None]  # (s, c)
    counts = members.sum(0)
    return members.T @ h / counts.clamp_min(1e-8)[:, None], counts


def squared_distances(a: Tensor, b: Tensor) -> Tensor:  # (n, w), (m, w) -> (n, m)
    """Squared Euclidean distances, without the (n, m, w) of differences."""
    return a.square().sum(-1)[:, None] + b.square().sum(-1) - 2 * a @ b.T


def masked(logits: Tensor, weights: Tensor) -> Tensor:  # (q, c), (c,) -> (q, c)
    """Logits where there is something to choose."""
    return torch.where(weights > 0, logits, ABSENT)
