"""What the metric learners share: class means, distances to them, and classes or examples that are not there.

Letters:  s support · q query · c classes · w features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autometa.fewshot.episode import Examples, one_hot

ABSENT = -1e4  # logit of a class without examples; finite, so that no gradient becomes NaN


def class_means(h: Tensor, support: Examples, c: int) -> tuple[Tensor, Tensor]:  # (s, w) -> (c, w), (c,)
    """Mean of each class's feature vectors, and the sum of its examples' masks."""
    members = one_hot(support.y, c, h) * support.mask[:, None]  # (s, c)
    counts = members.sum(0)
    return members.T @ h / counts.clamp_min(1e-8)[:, None], counts


def squared_distances(a: Tensor, b: Tensor) -> Tensor:  # (n, w), (m, w) -> (n, m)
    """Squared Euclidean distances, without the (n, m, w) of differences."""
    return a.square().sum(-1)[:, None] + b.square().sum(-1) - 2 * a @ b.T


def masked(logits: Tensor, weights: Tensor) -> Tensor:  # (q, c), (c,) -> (q, c)
    """Logits, and `ABSENT` for a class (or example) without weight."""
    return torch.where(weights > 0, logits, ABSENT)


def prototype_logits(h: Tensor, prototypes: Tensor, counts: Tensor) -> Tensor:  # (q, w), (c, w), (c,) -> (q, c)
    """Minus the squared distances to the class means: the logits of prototypical networks (Snell et al., 2017)."""
    return masked(-squared_distances(h, prototypes), counts)
