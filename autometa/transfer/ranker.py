"""A learned ranker: the normalised score of any configuration on a task, from the task's meta-features.

Gaussian process regression over tasks and configurations at once, in closed form and in NumPy. The covariance of two
cells is ``k(task, task') c(config, config')``, so with normalised scores Z of past tasks (t, m) the prediction is

    mean + k(new)ᵀ (K + λ I)⁻¹ (Z - mean)                          configurations that past tasks know        (m,)
    the same, carried over by c(other, known) (C + ν I)⁻¹          configurations that no past task has tried

with a Gaussian k over the ranks of the meta-features and a Gaussian c over encoded configurations, which is zero
between families. λ is chosen by the exact leave-one-out error, which costs one eigendecomposition for all.

Letters:  t past tasks · m configurations · f meta-features · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, SearchSpace
from autometa.transfer.completion import alike, families
from autometa.transfer.options import OPTIONS, TransferOptions


class Ranker:
    """Predicted normalised scores of configurations on a task, learned from past tasks."""

    def __init__(
        self,
        ranks: NDArray[np.float64],  # (t, f) of meta-features, in [0, 1]; NaN where unknown
        normalised: NDArray[np.float64],  # (t, m) without missing entries
        options: TransferOptions = OPTIONS,
    ) -> None:
        """Chooses the ridge by leave-one-out and keeps its coefficients."""
        self._width = options.ranker_width
        self._ranks = _centred(ranks)
        self.mean = normalised.mean(axis=0)
        residual = normalised - self.mean
        values, vectors = np.linalg.eigh(_gaussian(self._ranks, self._ranks, self._width))
        turned = vectors.T @ residual
        best = np.inf
        for ridge in options.ranker_ridges:
            inverse = 1.0 / (np.maximum(values, 0.0) + ridge)
            coefficients = vectors @ (inverse[:, None] * turned)  # (t, m)
            errors = coefficients / ((vectors**2) @ inverse)[:, None]
            loss = float((errors**2).mean())
            if loss < best * (1 - 1e-9):
                best, self.ridge = loss, ridge
                self._coefficients, self.errors = coefficients, errors
        self.explained = 1.0 - best / max(float((residual**2).mean()) * _left_out(len(residual)), 1e-300)
        self.predicted = normalised - self.errors  # (t, m) of each task from all others

    def predict(self, ranks: NDArray[np.float64]) -> NDArray[np.float64]:  # (f,) -> (m,)
        """Expected normalised scores of the configurations that past tasks evaluated."""
        near = _gaussian(_centred(ranks[None]), self._ranks, self._width)[0]
        return self.mean + near @ self._coefficients


def carry_over(
    predicted: NDArray[np.float64],  # (..., m) normalised scores of known configurations
    known: Sequence[Config],  # (m,)
    others: Sequence[Config],
    space: SearchSpace,
    options: TransferOptions = OPTIONS,
) -> NDArray[np.float64]:  # (..., others)
    """Expected normalised scores of configurations that no past task has tried, from those of known ones near them.

    Far from everything known it is the mean of the family, and of all where the family is new.

    Example:
        >>> from autometa.space import real
        >>> space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
        >>> carry_over(np.array([0.2, 0.8]), [{"x": 0.0}, {"x": 1.0}], [{"x": 0.0}, {"x": 0.9}], space).round(2)
        array([0.23, 0.76])
    """
    mine, theirs = families(known), families(others)
    overall = predicted.mean(axis=-1, keepdims=True)
    names, counts = np.unique(mine, return_counts=True)
    members = (mine[:, None] == names).astype(float)  # (m, families)
    means = (predicted @ members + overall) / (counts + 1)  # (..., families)
    means = np.concatenate([means, overall], axis=-1)
    position = {name: i for i, name in enumerate(names)}
    base = means[..., [position[name] for name in mine]]
    x, z = space.encode_all(known), space.encode_all(others)
    same, across = (
        (mine[:, None] == mine) * alike(x, x, options.reach),
        (mine[:, None] == theirs) * alike(x, z, options.reach),
    )
    weights = np.linalg.solve(same + options.carry_over_noise * np.eye(len(mine)), across)  # (m, others)
    return means[..., [position.get(name, len(names)) for name in theirs]] + (predicted - base) @ weights


def _gaussian(a: NDArray[np.float64], b: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.exp(-0.5 * np.maximum(squares, 0.0) / max(a.shape[1], 1) / width**2)


def _centred(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(ranks), ranks - 0.5, 0.0)


def _left_out(t: int) -> float:
    """Mean squared error of the mean of the others, in units of that of the mean of all."""
    return (t / max(t - 1, 1)) ** 2
