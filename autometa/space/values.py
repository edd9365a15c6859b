"""What the distribution of one parameter can take: membership, the nearest value, and the way to [0, 1] and back.

Law: ``from_unit(d, to_unit(d, v)) == v`` (floats to rounding) for every `v` that `is_within` says `d` can take.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution


def index_of(distribution: CategoricalDistribution, value: Any) -> int | None:
    """Which choice `value` is, telling 1 from True and from 1.0; None when it is none of them."""
    same = (i for i, c in enumerate(distribution.choices) if value is c or (type(value) is type(c) and value == c))
    return next(same, None)


def is_within(distribution: BaseDistribution, value: Any) -> bool:
    """Whether the distribution can take this value; never for NaN, infinity, a value off its step, or a bool as number.

    Example:
        >>> is_within(IntDistribution(1, 9), 3), is_within(IntDistribution(1, 9), True)
        (True, False)
    """
    if isinstance(distribution, CategoricalDistribution):
        return index_of(distribution, value) is not None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return bool(distribution._contains(value))  # type: ignore[arg-type]  # False for NaN, infinity, and off the step


def range_text(distribution: BaseDistribution) -> str:
    """What the distribution can take, for a message.

    Example:
        >>> range_text(IntDistribution(1, 9)), range_text(CategoricalDistribution(("a", None)))
        ('[1, 9]', "['a', None]")
    """
    if isinstance(distribution, CategoricalDistribution):
        return f"{list(distribution.choices)}"
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    return f"[{distribution.low}, {distribution.high}]"


def nearest(distribution: BaseDistribution, value: Any, default: Any) -> Any:
    """The value in range that is closest to `value`, or `default` where closeness means nothing.

    Example:
        >>> nearest(IntDistribution(1, 9), 12.7, 3), nearest(IntDistribution(1, 9), "many", 3)
        (9, 3)
    """
    if isinstance(distribution, CategoricalDistribution) or isinstance(value, bool):
        return default
    if not isinstance(value, (int, float, np.integer, np.floating)) or value != value:  # the last is NaN
        return default
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    value = min(max(value, distribution.low), distribution.high)
    return on_grid(distribution, float(value))


def on_grid(distribution: IntDistribution | FloatDistribution, value: float) -> Any:
    """Rounds to the distribution's step and into its bounds."""
    if distribution.step is not None and not distribution.log:
        value = distribution.low + round((value - distribution.low) / distribution.step) * distribution.step
    value = min(max(value, distribution.low), distribution.high)
    return round(value) if isinstance(distribution, IntDistribution) else float(value)


def to_unit(distribution: BaseDistribution, value: Any) -> NDArray[np.float64] | float:
    """A value in range as a number in [0, 1], in the logarithm where the distribution is; a category as its one-hot.

    Example:
        >>> round(float(to_unit(FloatDistribution(0.01, 100.0, log=True), 1.0)), 6)
        0.5
    """
    if isinstance(distribution, CategoricalDistribution):
        return np.eye(len(distribution.choices))[index_of(distribution, value)]
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    low, value, high = float(distribution.low), float(value), float(distribution.high)
    if distribution.log:
        low, value, high = math.log(low), math.log(value), math.log(high)
    return 0.5 if low == high else (value - low) / (high - low)


def from_unit(distribution: BaseDistribution, x: NDArray[np.float64]) -> Any:  # (1,), or (choices,)
    """The value at a point of [0, 1], into which it is clipped first; of a category the largest of its one-hot.

    Example:
        >>> from_unit(IntDistribution(1, 9), np.array([0.5]))
        5
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(np.argmax(x))]
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    low, high = float(distribution.low), float(distribution.high)
    u = min(max(float(x[0]), 0.0), 1.0)
    if distribution.log:
        return on_grid(distribution, math.exp(math.log(low) + u * (math.log(high) - math.log(low))))
    return on_grid(distribution, low + u * (high - low))
