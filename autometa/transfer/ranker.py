"""A learned ranker: the standing of any configuration on a task, from how the task looks.

Gaussian process regression over tasks and configurations at once, in closed form and in NumPy. The covariance of two
cells is ``k(task, task') c(config, config')``, so with standings Z of past tasks (t, m) the prediction is

    mean + k(new)ᵀ (K + λ I)⁻¹ (Z - mean)                          configurations that past tasks know        (m,)
    the same, carried over by c(other, known) (C + ν I)⁻¹          configurations that no past task has tried

with a Gaussian k over the ranks of the meta-features and a Gaussian c over encoded configurations, which is zero
between families. λ is chosen by the exact leave-one-out error, which costs one eigendecomposition for all.

`Ranker.key` is the task embedding that was learned on the way: the predicted standings on the principal axes of all
past predictions. Tasks on which the same configurations are expected to win have keys that lie near, however different
they look otherwise. A set encoder over the columns of a table forecast less than the meta-features do, and nothing
beside them, on families left out (`benchmarks/warm_start.py --embedding`), so there is none.

Letters:  t past tasks · m configurations · f meta-features · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, SearchSpace
from autometa.transfer.completion import alike, families

WIDTH = 0.35  # root mean square difference of ranks, which are 0.41 apart for unrelated tasks; 0.2 to 0.5 are alike
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)  # the last one is next to no trust in meta-features
NUGGET = 0.1
AXES = 8


class Ranker:
    """Predicted standings of configurations on a task, learned from past tasks."""

    def __init__(self, ranks: NDArray[np.float64], standing: NDArray[np.float64]) -> None:
        """`ranks` is (t, f), meta-features in [0, 1] with NaN where unknown; `standing` is (t, m), without holes."""
        self._ranks = _centred(ranks)
        self.mean = standing.mean(axis=0)
        rest = standing - self.mean
        values, vectors = np.linalg.eigh(_gaussian(self._ranks, self._ranks))
        turned = vectors.T @ rest
        best = np.inf
        for ridge in RIDGES:
            inverse = 1.0 / (np.maximum(values, 0.0) + ridge)
            coefficients = vectors @ (inverse[:, None] * turned)  # (t, m)
            errors = coefficients / ((vectors**2) @ inverse)[:, None]
            loss = float((errors**2).mean())
            if loss < best * (1 - 1e-9):
                best, self.ridge = loss, ridge
                self._coefficients, self.errors = coefficients, errors
        self.explained = 1.0 - best / max(float((rest**2).mean()) * _left_out(len(rest)), 1e-300)
        self.predicted = standing - self.errors  # (t, m) of each task from all others

    def predict(self, ranks: NDArray[np.float64]) -> NDArray[np.float64]:  # (f,) -> (m,)
        """Expected standing of the configurations that past tasks know."""
        near = _gaussian(_centred(ranks[None]), self._ranks)[0]
        return self.mean + near @ self._coefficients

    @cached_property
    def _axes(self) -> NDArray[np.float64]:  # (a, m)
        rest = self.predicted - self.mean
        return np.linalg.eigh(rest.T @ rest)[1][:, ::-1][:, :AXES].T

    @cached_property
    def keys(self) -> NDArray[np.float64]:  # (t, a)
        """Where the past tasks stand in the embedding, each by what the others tell of it."""
        return (self.predicted - self.mean) @ self._axes.T

    def key(self, ranks: NDArray[np.float64]) -> NDArray[np.float64]:  # (f,) -> (a,)
        """Where a task stands in the embedding."""
        return (self.predict(ranks) - self.mean) @ self._axes.T

    def likeness(self, ranks: NDArray[np.float64]) -> NDArray[np.float64]:  # (f,) -> (t,)
        """In [0, 1]: how near past tasks are in the embedding, in units of the usual distance to a fifth neighbour."""
        gaps = np.linalg.norm(self.keys - self.key(ranks), axis=1)
        between = np.linalg.norm(self.keys[:, None] - self.keys[None], axis=2)
        unit = np.median(np.sort(between, axis=1)[:, min(5, len(gaps) - 1)])
        return np.exp(-0.5 * (gaps / max(float(unit), 1e-9)) ** 2) + 1e-300


def carry_over(
    predicted: NDArray[np.float64],  # (..., m) standings of known configurations
    known: Sequence[Config],  # (m,)
    others: Sequence[Config],
    space: SearchSpace,
) -> NDArray[np.float64]:  # (..., others)
    """Expected standings of configurations that no past task has tried, from those of known ones near them.

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
    place = {name: i for i, name in enumerate(names)}
    base = means[..., [place[name] for name in mine]]
    x, z = space.encode_all(known), space.encode_all(others)
    same, across = (mine[:, None] == mine) * alike(x, x), (mine[:, None] == theirs) * alike(x, z)
    weights = np.linalg.solve(same + NUGGET * np.eye(len(mine)), across)  # (m, others)
    return means[..., [place.get(name, len(names)) for name in theirs]] + (predicted - base) @ weights


def _gaussian(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.exp(-0.5 * np.maximum(squares, 0.0) / max(a.shape[1], 1) / WIDTH**2)


def _centred(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(ranks), ranks - 0.5, 0.0)


def _left_out(t: int) -> float:
    """Mean squared error of the mean of the others, in units of that of the mean of all."""
    return (t / max(t - 1, 1)) ** 2
