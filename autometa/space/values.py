"""What the distribution of one parameter can take: membership, the nearest value, and the way to [0, 1] and back.

Somebody's own space may have categories of any type: lists, tuples, functions, NaN. Inside AutoMeta a category is
`plain`: what it is where JSON and a set can hold that, else its text, by which the choice itself is found again.

Laws: ``from_unit(d, to_unit(d, v)) == v`` (floats to rounding) for every `v` that `is_within` says `d` can take;
``plain(plain(v)) == plain(v)``; the choices of a `plain_distribution` all differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
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


def numbers_from_unit(
    distribution: IntDistribution | FloatDistribution, x: NDArray[np.float64]
) -> NDArray[np.float64]:  # (q,)
    """The numbers that `from_unit` gives at q points, on their steps up to rounding.

    Example:
        >>> numbers_from_unit(IntDistribution(1, 9), np.array([0.0, 0.52, 1.0]))
        array([1., 5., 9.])
    """
    low, high, u = float(distribution.low), float(distribution.high), np.clip(x, 0.0, 1.0)
    if distribution.log:
        value = np.asarray(np.exp(math.log(low) + u * (math.log(high) - math.log(low))), dtype=np.float64)
        return np.rint(value) if isinstance(distribution, IntDistribution) else value
    value = low + u * (high - low)
    if distribution.step is None:
        return value
    return np.minimum(low + np.round((value - low) / distribution.step) * distribution.step, high)


def to_units(distribution: BaseDistribution, values: Sequence[Any]) -> NDArray[np.float64]:  # (n, width)
    """`to_unit` of each of n values, as rows; a hundred times as fast where they are many.

    Example:
        >>> to_units(IntDistribution(1, 9), [1, 5]).tolist()
        [[0.0], [0.5]]
    """
    if isinstance(distribution, CategoricalDistribution):
        codes: dict[int, int] = {}  # most values are one of few objects, and none of these goes before the end
        for value in values:
            if id(value) not in codes:
                code = index_of(distribution, value)
                if code is None:
                    raise ValueError(f"{value!r} is none of {list(distribution.choices)}")
                codes[id(value)] = code
        return np.eye(len(distribution.choices))[[codes[id(value)] for value in values]]
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    low, high, numbers = float(distribution.low), float(distribution.high), [float(value) for value in values]
    if distribution.log:
        low, high, numbers = math.log(low), math.log(high), [math.log(number) for number in numbers]
    if low == high:
        return np.full((len(numbers), 1), 0.5)
    return ((np.array(numbers) - low) / (high - low))[:, None]


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


def plain(value: Any) -> Any:
    """A value as JSON and a set can hold it: a category of another type, and one that is not finite, as its text.

    A tuple reads like the list that a storage makes of it, the keys of a mapping like texts and in order, a function by
    its name.

    See Also:
        `fit_value`.

    Example:
        >>> plain(np.float64(0.5)), plain((16, "a")), plain({"b": 1, "a": None}), plain(float("nan")), plain(len)
        (0.5, "[16, 'a']", "{'a': None, 'b': 1}", 'nan', 'builtins.len')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration, too
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return _text(value)


def plain_distribution(distribution: BaseDistribution) -> BaseDistribution:
    """The distribution with plain choices, of which none is twice; numbers stay as they are.

    Example:
        >>> plain_distribution(CategoricalDistribution(["[1]", None, float("inf")])).choices
        ('[1]', None, 'inf')
    """
    if not isinstance(distribution, CategoricalDistribution):
        return distribution
    choices = {(type(choice), choice): choice for choice in plain_choices(distribution)}
    same = len(choices) == len(distribution.choices) and all(map(_is, choices.values(), distribution.choices))
    return distribution if same else CategoricalDistribution(list(choices.values()))


def plain_choices(distribution: CategoricalDistribution) -> list[Any]:
    """Each choice as `plain` has it, in their order; those of which the text is not enough are numbered."""
    found: dict[tuple[type, Any], list[Any]] = {}  # the different choices of a text
    out = []
    for choice in distribution.choices:
        text = plain(choice)
        alike = found.setdefault((type(text), text), [])
        which = next((k for k, other in enumerate(alike) if other is choice or _is(other, choice)), len(alike))
        if which == len(alike):
            alike.append(choice)
        out.append(text if which == 0 or _is(text, choice) else f"{text} ({which + 1})")
    return out


def plain_params(params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """The values of a trial, each as the choices of its distribution are plain."""
    out = {}
    for name, value in params.items():
        distribution = distributions.get(name)
        if type(value) in _PLAIN or (type(value) is float and math.isfinite(value)):  # nearly always
            out[name] = value
        elif isinstance(distribution, CategoricalDistribution) and (which := index_of(distribution, value)) is not None:
            out[name] = plain_choices(distribution)[which]
        else:
            out[name] = plain(value)
    return out


_PLAIN = frozenset({int, str, bool, type(None)})


def _is(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _text(value: Any) -> str:
    """What Python would print of a value, the same in every process and after a storage has turned it into JSON."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_text, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(f'{str(key)!r}: {_text(held)}' for key, held in value.items()))}}}"
    if value is None or isinstance(value, (bool, int, str, np.generic)):
        return repr(plain(value))
    if isinstance(value, float):
        return repr(float(value))
    if hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', None)}.{value.__qualname__}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
