"""Configurations as a few numbers of which a smooth function is a linear combination.

The features of a Matérn process by Nyström's method: with inducing points z, ``phi(x) = L^-1 k(z, x)`` where
``L L' = k(z, z)``. Standard normal coefficients give back the process near the inducing points; what they cannot
express, ``k(x, x') - phi(x)'phi(x')``, is known as well. So functions of many studies live in one space of
coefficients, in which they have a mean and a covariance.

Source:
    Williams & Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000; inducing points by pivoted
    Cholesky factorisation, as in Fine & Scheinberg, JMLR 2001.

Letters:  f features · q points · d encoded dimensions · c of them conditional.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.gaussian import cholesky, solve
from autometa.transfer.kernels import Layout, matern, squares


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Configurations as kernels see them."""

    places: NDArray[np.float64]  # (q, d + c) in roots of the number of active parameters
    family: NDArray[np.int64]  # (q,)

    @classmethod
    def of(cls, layout: Layout, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Points:
        """From encoded configurations, (q, d) each."""
        return cls(layout.places(x, mask) / np.sqrt(layout.size(mask))[:, None], layout.family(x))

    def __len__(self) -> int:
        """The number of points, q."""
        return len(self.family)

    def at(self, rows: NDArray[np.int64]) -> Points:
        """Some of the points."""
        return Points(self.places[rows], self.family[rows])

    def scaled(self, scales: NDArray[np.float64]) -> Points:
        """With every dimension multiplied by its scale."""
        return Points(self.places * scales, self.family)


def joined_points(points: Sequence[Points]) -> Points:
    """Several sets of points as one."""
    return Points(np.concatenate([p.places for p in points]), np.concatenate([p.family for p in points]))


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A Matérn process of variance one, with a level of its own in each family, by its inducing points."""

    inducing: Points  # (f,)
    length: float
    level: float  # share of the variance that is common to a family
    scales: NDArray[np.float64]  # (d + c,) of the dimensions, by how much they matter
    lower: NDArray[np.float64]  # (f, f) Cholesky factor of the covariance of the inducing points

    @classmethod
    def at(cls, inducing: Points, length: float, level: float, scales: NDArray[np.float64]) -> Features:
        """The features that belong to these inducing points."""
        moved = inducing.scaled(scales)
        covariance = _kernel(moved, moved, length, level)
        return cls(inducing, length, level, scales, cholesky(covariance + 1e-6 * np.eye(len(inducing))))

    @classmethod
    def chosen(cls, among: Points, length: float, level: float, scales: NDArray[np.float64], most: int) -> Features:
        """At most `most` inducing points: each the one of which those before say least; fewer where they say all."""
        unexplained, chosen = np.ones(len(among)), []
        factor, moved = np.zeros((len(among), most)), among.scaled(scales)
        for j in range(min(most, len(among))):
            pivot = int(np.argmax(unexplained))
            if unexplained[pivot] < 1e-3:
                break
            row = _kernel(moved.at(np.array([pivot])), moved, length, level)[0]
            factor[:, j] = (row - factor[:, :j] @ factor[pivot, :j]) / np.sqrt(unexplained[pivot])
            unexplained = np.maximum(unexplained - factor[:, j] ** 2, 0.0)
            chosen.append(pivot)
        return cls.at(among.at(np.array(chosen, dtype=np.int64)), length, level, scales)

    def of(self, points: Points) -> NDArray[np.float64]:  # (q, f)
        """The features of points."""
        return solve(self.lower, self.kernel(self.inducing, points)).T

    def kernel(self, a: Points, b: Points) -> NDArray[np.float64]:  # (p, q)
        """The covariance of the process between two sets of points; one at distance zero."""
        return _kernel(a.scaled(self.scales), b.scaled(self.scales), self.length, self.level)


def _kernel(a: Points, b: Points, length: float, level: float) -> NDArray[np.float64]:
    same = a.family[:, None] == b.family[None, :]
    return ((1.0 - level) * matern(squares(a.places, b.places) / length**2) + level) * same
