"""Configurations of a conditional space as inputs of networks and kernels, and the kernels themselves.

Nothing is imputed for an inactive parameter: it contributes zero, and where more than the family decides about it, an
indicator says whether it is active. One matrix from these inputs to a latent space is therefore one linear map per
family (a family's dimensions are its own, the indicator of its choice is its bias); a flat space has one family.

Law: ``complete`` gives what decoding and encoding again would give, up to the rounding of integers and steps.

Letters:  d encoded dimensions · c of them conditional within a family · q points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autometa.space import FAMILY, Encoded, Interval, Parameter, SearchSpace
from autometa.space.values import numbers_from_unit


class Layout:
    """How the encoded dimensions of a space belong together."""

    def __init__(self, space: SearchSpace) -> None:
        """Reads which dimensions belong to which parameter, and on what they depend."""
        self.space = space
        self.choice = space.slices[FAMILY] if space.families else slice(0, 0)
        # Two categories differ in two of their one-hot dimensions; this gives them the distance of two ends of a range.
        self.weight = np.ones(space.d)  # (d,)
        self._parts: list[tuple[slice, bool, tuple[int, ...] | Parameter, slice | None]] = []
        for p in space:
            where, categorical = space.slices[p.name], isinstance(p.distribution, CategoricalDistribution)
            if categorical:
                self.weight[where] = np.sqrt(0.5)
            parent: slice | None = None
            wanted: tuple[int, ...] | Parameter = ()  # choices of the parent, or the parent that is a number
            if p.when is not None:
                distribution = space[p.when.name].distribution
                parent = space.slices[p.when.name]
                if isinstance(distribution, CategoricalDistribution):
                    wanted = tuple(k for k, c in enumerate(distribution.choices) if c in p.when.values)
                else:
                    wanted = p
            self._parts.append((where, categorical, wanted, parent))
        nested = np.zeros(space.d, dtype=bool)
        for p in space:
            nested[space.slices[p.name]] = p.when is not None and p.when.name != FAMILY
        self.conditional = np.flatnonzero(nested)  # (c,)
        self._per_parameter = np.ones(space.d)
        for where, *_ in self._parts:
            self._per_parameter[where] /= where.stop - where.start
        self._per_parameter[self.choice] = 0.0
        self.weight[self.choice] = 0.0  # which family it is, kernels learn separately

    def family(self, x: NDArray[np.float64]) -> NDArray[np.int64]:  # (q, d) -> (q,)
        """Which top-level choice each point has; 0 in a flat space."""
        part = x[:, self.choice]
        return np.argmax(part, axis=1) if part.shape[1] else np.zeros(len(x), dtype=np.int64)

    def inputs(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:  # (q, d + c)
        """Centred values of the active dimensions, and which of the conditional ones are active."""
        return np.concatenate([np.where(mask, x - 0.5, 0.0), mask[:, self.conditional]], axis=1)

    def places(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:  # (q, d + c)
        """Where a point lies for a kernel: like `inputs`, every parameter with a range of one."""
        inside = np.where(mask, x - 0.5, 0.0) * self.weight
        return np.concatenate([inside, (0.5 * self.weight * mask)[:, self.conditional]], axis=1)

    @property
    def groups(self) -> NDArray[np.int64]:  # (d + c,)
        """The number of the parameter that each dimension of a place belongs to."""
        own = np.concatenate([np.full(where.stop - where.start, k) for k, (where, *_) in enumerate(self._parts)])
        return np.concatenate([own, own[self.conditional]])

    def size(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:  # (q, d) -> (q,)
        """About how many active parameters a point has (at least one), its family not counted."""
        return np.maximum(mask @ self._per_parameter, 1.0)

    def complete(self, x: NDArray[np.float64]) -> Encoded:  # (q, d) anywhere in the cube
        """The configurations at these points: categories one-hot, inactive dimensions zero, and the mask."""
        out, mask = np.clip(x, 0.0, 1.0), np.ones(x.shape, dtype=bool)
        for where, categorical, wanted, parent in self._parts:
            if parent is None and not categorical:
                continue
            active = np.ones(len(x), dtype=bool)
            if parent is not None:
                if isinstance(wanted, Parameter):
                    active = mask[:, parent.start] & self._holds(wanted, out[:, parent.start])
                else:
                    active = np.asarray((out[:, parent][:, wanted] > 0).any(axis=1))
                mask[:, where] = active[:, None]
                out[~active, where] = 0.0
            if categorical:
                hot = np.argmax(x[:, where], axis=1)
                out[:, where] = 0.0
                out[np.flatnonzero(active), where.start + hot[active]] = 1.0
        return Encoded(out, mask)

    def _holds(self, p: Parameter, x: NDArray[np.float64]) -> NDArray[np.bool_]:  # (q,) -> (q,)
        """Whether a parameter is active where its parent, a number, is encoded as `x`."""
        assert p.when is not None
        distribution, wanted = self.space[p.when.name].distribution, p.when.values
        assert isinstance(distribution, (IntDistribution, FloatDistribution))
        values = numbers_from_unit(distribution, x)
        if isinstance(wanted, Interval):
            return (wanted.low - 1e-9 <= values) & (values <= wanted.high + 1e-9)
        return np.isclose(values[:, None], np.array(wanted, dtype=float), rtol=1e-9, atol=0.0).any(axis=1)

    def grid(self) -> NDArray[np.float64]:  # (d,)
        """The smallest step of every dimension: that of an integer parameter without logarithm, else 0."""
        out = np.zeros(self.space.d)
        for p in self.space:
            distribution: Any = p.distribution
            if isinstance(distribution, IntDistribution) and not distribution.log:
                out[self.space.slices[p.name]] = distribution.step / max(distribution.high - distribution.low, 1)
        return out


def squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:  # (p, k), (q, k) -> (p, q)
    """Squared Euclidean distances."""
    return np.maximum((a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * a @ b.T, 0.0)


def matern(squared: Any, xp: Any = np) -> Any:
    """The Matérn 5/2 correlation at squared distances, which are measured in length scales; NumPy's or torch's."""
    root = xp.sqrt(5.0 * squared + 1e-12)
    return (1.0 + root + (5.0 / 3.0) * squared) * xp.exp(-root)
