"""Values and the distributions that they come from: what a distribution can take, and which one holds given values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autometa.space import Parameter, SearchSpace
from autometa.studies.options import OPTIONS

Distributions = Mapping[str, BaseDistribution]


def plain(value: Any) -> Any:
    """A value that JSON can hold; a category of another type is kept as its text.

    Example:
        >>> plain(np.float64(0.5)), plain(("a", 1))
        (0.5, "('a', 1)")
    """
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def typed(value: Any) -> tuple[str, Any]:
    """A value with the name of its type, so that 1, True and 1.0 differ."""
    return type(value).__name__, value


def spanned(values: Sequence[Any]) -> BaseDistribution:
    """The smallest distribution that holds some values: a range of numbers, logarithmic when wide, else categories.

    Example:
        >>> spanned([0.001, 1.0]), spanned(["b", "a"]).choices
        (FloatDistribution(high=1.0, log=True, low=0.001, step=None), ('a', 'b'))
    """
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        return CategoricalDistribution(sorted(set(values), key=lambda value: (str(type(value)), str(value))))
    low, high = min(values), max(values)
    log = low > 0 and high > OPTIONS.log_ratio * low
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def fit_value(value: Any, distribution: BaseDistribution) -> tuple[bool, Any]:
    """Whether a distribution can take a value, numbers after clipping; and the value as it takes it.

    Example:
        >>> fit_value(7, FloatDistribution(0.0, 5.0)), fit_value("c", CategoricalDistribution(["a", "b"]))
        ((True, 5.0), (False, None))
    """
    if isinstance(distribution, CategoricalDistribution):
        same = [choice for choice in distribution.choices if typed(plain(choice)) == typed(value)]
        return (True, same[0]) if same else (False, None)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False, None
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    alone = SearchSpace([Parameter("value", distribution, distribution.low)])
    clipped = alone.clip({"value": value})[0]["value"]
    return True, int(clipped) if isinstance(distribution, IntDistribution) else float(clipped)


def middle(distribution: BaseDistribution) -> Any:
    """The first of its choices, or the middle of its range, on the scale on which it is searched."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    alone = SearchSpace([Parameter("value", distribution, distribution.low)])
    return alone.decode(np.full(alone.d, 0.5))["value"]


def in_words(distribution: BaseDistribution) -> str:
    """The choices or the range, for people."""
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {list(distribution.choices)}"
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    return f"from {distribution.low} to {distribution.high}{' (logarithmic)' if distribution.log else ''}"
