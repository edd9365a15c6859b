"""Values and the distributions that they come from: what a distribution can take, and which one holds given values."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)

from autometa.space import Parameter, SearchSpace
from autometa.space.values import index_of, plain, plain_choices
from autometa.studies.options import OPTIONS

Distributions = Mapping[str, BaseDistribution]
_NONE = object()


def typed(value: Any) -> tuple[str, Any]:
    """A value with the name of its type, so that 1, True and 1.0 differ."""
    return type(value).__name__, value


def read_distribution(text: str) -> BaseDistribution:
    """The distribution in a text of Optuna's, without its warning that categories are of unusual types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return json_to_distribution(text)


def spanned(values: Sequence[Any]) -> BaseDistribution:
    """The smallest distribution that holds some values: a range of numbers, logarithmic when wide, else categories.

    See Also:
        `fit_value`.

    Example:
        >>> spanned([0.001, 1.0]), spanned(["b", "a"]).choices
        (FloatDistribution(high=1.0, log=True, low=0.001, step=None), ('a', 'b'))
    """
    numbers = [value for value in values if value not in ("nan", "inf", "-inf")] or values  # those are missing
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in numbers):
        distinct = dict(sorted((str(typed(value)), value) for value in values))
        return CategoricalDistribution(list(distinct.values()))
    values = numbers
    low, high = min(values), max(values)
    log = low > 0 and high > OPTIONS.log_ratio * low
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def united(one: BaseDistribution, other: BaseDistribution) -> BaseDistribution:
    """The smallest distribution that holds what either can take; the other one where they are of different kinds.

    A range is logarithmic only if both are, and keeps no step.

    Example:
        >>> united(FloatDistribution(0.1, 1.0, log=True), FloatDistribution(0.5, 4.0, log=True))
        FloatDistribution(high=4.0, log=True, low=0.1, step=None)
    """
    if one == other:
        return other
    if isinstance(one, CategoricalDistribution) and isinstance(other, CategoricalDistribution):
        known = [typed(plain(choice)) for choice in other.choices]
        more = [choice for choice in one.choices if typed(plain(choice)) not in known]
        return CategoricalDistribution([*other.choices, *more])
    if isinstance(one, CategoricalDistribution) or isinstance(other, CategoricalDistribution):
        return other
    assert isinstance(one, (IntDistribution, FloatDistribution))
    assert isinstance(other, (IntDistribution, FloatDistribution))
    low, high, log = min(one.low, other.low), max(one.high, other.high), one.log and other.log
    if isinstance(one, IntDistribution) and isinstance(other, IntDistribution):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def fit_value(value: Any, distribution: BaseDistribution) -> tuple[bool, Any]:
    """Whether a distribution can take a plain value, numbers after clipping; and the value as it takes it.

    A category is found by what `plain` makes of the choices, also where an older version wrote a tuple as such.

    See Also:
        `spanned`.

    Example:
        >>> fit_value(7, FloatDistribution(0.0, 5.0)), fit_value("c", CategoricalDistribution(["a", "b"]))
        ((True, 5.0), (False, None))
        >>> fit_value("inf", CategoricalDistribution([None, float("inf")]))
        (True, inf)
    """
    if isinstance(distribution, CategoricalDistribution):
        if (which := index_of(distribution, value)) is not None:
            return True, distribution.choices[which]
        choices = [typed(choice) for choice in plain_choices(distribution)]
        found = next((one for one in (plain(value), rewritten(value)) if typed(one) in choices), _NONE)
        return (False, None) if found is _NONE else (True, distribution.choices[choices.index(typed(found))])
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False, None
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    alone = SearchSpace([Parameter("value", distribution, distribution.low)])
    clipped = alone.clip({"value": value})[0]["value"]
    return True, int(clipped) if isinstance(distribution, IntDistribution) else float(clipped)


def rewritten(value: Any) -> Any:
    """A plain value as it is written today: older versions kept the text of a tuple, and a mapping in its own order."""
    if not isinstance(value, str) or value[:1] not in "([{":
        return value
    try:
        return plain(ast.literal_eval(value))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


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
