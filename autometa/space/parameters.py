"""One parameter of a space, and when it is active: with some choices of a parent, or with some of its numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from autometa.space.values import plain

Config = dict[str, Any]

FAMILY = "family"  # the top-level choice of a CASH space
OFF = "off"  # what an optional parameter is in a configuration that does not name it


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from `low` to `high`, both included.

    See Also:
        `Condition`.

    Example:
        >>> 3 in Interval(low=2), 1 in Interval(low=2), "3" in Interval(low=2)
        (True, False, False)
    """

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, value: object) -> bool:
        """Whether a value is such a number."""
        return isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of a parameter that is active only while `name` is active and takes one of `values`.

    See Also:
        `Parameter`.

    Example:
        >>> Condition("layers", Interval(low=2)).holds({"layers": 3}), Condition("kind", ("mlp",)).holds({"layers": 3})
        (True, False)
    """

    name: str
    values: tuple[Any, ...] | Interval

    def holds(self, config: Mapping[str, Any]) -> bool:
        """Whether `config` satisfies this condition."""
        return self.name in config and config[self.name] in self.values

    def plain(self) -> Condition:
        """This condition with its choices as `values.plain` has them."""
        return self if isinstance(self.values, Interval) else Condition(self.name, tuple(map(plain, self.values)))

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold of it: choices as a list, an interval as its ends, None for one that is open."""
        if not isinstance(self.values, Interval):
            return {"name": self.name, "values": list(self.values)}
        ends = (self.values.low, self.values.high)
        return {"name": self.name, "between": [end if math.isfinite(end) else None for end in ends]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Condition:
        """The condition that `to_json` made this of."""
        if "values" in content:
            return cls(content["name"], tuple(content["values"]))
        low, high = content["between"]
        return cls(content["name"], Interval(-math.inf if low is None else low, math.inf if high is None else high))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its Optuna distribution, its default, and the condition under which it is active.

    See Also:
        `real`, `integer`, `choice`, which make one; `Condition`.

    Example:
        >>> from optuna.distributions import FloatDistribution
        >>> Parameter("C", FloatDistribution(0.1, 10, log=True), 1.0).width
        1
    """

    name: str
    distribution: BaseDistribution
    default: Any
    when: Condition | None = None

    @property
    def width(self) -> int:
        """How many encoded dimensions it takes: one per category, otherwise one."""
        if isinstance(self.distribution, CategoricalDistribution):
            return len(self.distribution.choices)
        return 1


def config_key(config: Mapping[str, Any]) -> str:
    """One text per configuration, whatever the order of its keys: canonical JSON with floats to 10 digits.

    See Also:
        `split_family`.

    Example:
        >>> config_key({"b": 0.1 + 0.2, "a": 1})
        '{"a":1,"b":0.3}'
    """
    rounded = {k: float(f"{v:.10g}") if isinstance(v, float) else v for k, v in config.items()}
    return json.dumps(rounded, sort_keys=True, separators=(",", ":"), default=lambda v: v.item())
