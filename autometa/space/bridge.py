"""Points of one search space in the encoding of another one that shares some of its parameters.

Law: a number keeps its value: one outside the other space's range lies outside [0, 1]. A parameter that only one of the
two spaces has, and a category that the other space lacks, is missing there.

Letters:  q points · d encoded dimensions of the one space · e of the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from autometa.space import Encoded, SearchSpace
from autometa.space.values import index_of


class Bridge:
    """From the encoding of `source` to that of `target`.

    Example:
        >>> from autometa.space import real
        >>> narrow, wide = SearchSpace.of(x=real(0.0, 1.0, 0.5)), SearchSpace.of(x=real(0.0, 4.0, 0.5))
        >>> Bridge(wide, narrow)(*wide.encode_all([{"x": 1.0}, {"x": 3.0}]))
        Encoded(x=array([[1.],
               [3.]]), mask=array([[ True],
               [ True]]))
    """

    def __init__(self, source: SearchSpace, target: SearchSpace) -> None:
        """Finds the shared parameters: those of one name that are numbers, or categories, in both spaces."""
        self._width = target.d
        self._numbers: list[tuple[int, int, tuple[float, float, bool], tuple[float, float, bool]]] = []
        self._choices: list[tuple[slice, slice, NDArray[np.float64]]] = []
        for p in target:
            if p.name not in source:
                continue
            theirs, ours = source[p.name].distribution, p.distribution
            here, there = source.slices[p.name], target.slices[p.name]
            if isinstance(theirs, CategoricalDistribution) and isinstance(ours, CategoricalDistribution):
                same = np.zeros((len(theirs.choices), len(ours.choices)))
                for k, value in enumerate(theirs.choices):
                    if (position := index_of(ours, value)) is not None:
                        same[k, position] = 1.0
                self._choices.append((here, there, same))
            elif not isinstance(theirs, CategoricalDistribution) and not isinstance(ours, CategoricalDistribution):
                self._numbers.append((here.start, there.start, _range(theirs), _range(ours)))

    def __call__(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Encoded:  # (q, d) each -> (q, e) each
        """The points in the other encoding."""
        out, known = np.zeros((len(x), self._width)), np.zeros((len(x), self._width), dtype=bool)
        for here, there, theirs, ours in self._numbers:
            active = mask[:, here]
            out[active, there] = _position(x[active, here], theirs, ours)
            known[:, there] = active
        for here_, there_, same in self._choices:
            out[:, there_] = x[:, here_] @ same
            known[:, there_] = (out[:, there_] > 0).any(axis=1, keepdims=True) & mask[:, here_][:, :1]
        return Encoded(out, known)


def _range(distribution: Any) -> tuple[float, float, bool]:
    """The ends of a range, in the logarithm where the distribution is, and whether it is."""
    low, high = float(distribution.low), float(distribution.high)
    return (np.log(low), np.log(high), True) if distribution.log else (low, high, False)


def _position(
    u: NDArray[np.float64], theirs: tuple[float, float, bool], ours: tuple[float, float, bool]
) -> NDArray[np.float64]:
    """Where positions in one range lie in another one; a logarithm goes no further than a millionth of its range."""
    value = theirs[0] + u * (theirs[1] - theirs[0])
    if theirs[2] and not ours[2]:
        value = np.exp(value)
    elif ours[2] and not theirs[2]:
        value = np.log(np.maximum(value, np.exp(ours[0]) * 1e-6))
    width = ours[1] - ours[0]
    return np.full(len(u), 0.5) if width == 0 else (value - ours[0]) / width
