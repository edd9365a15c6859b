"""A search space: Optuna distributions in order, some active only under a condition.

The space of `fit` is one of these (a choice of family, then that family's own parameters), and so is the flat space of
somebody's own study. A configuration is a plain dictionary holding the *active* parameters only; nothing is imputed for
the inactive ones.

A parameter may be *optional*: off, and then not named, in every configuration but those that somebody gave it to. No
sampler draws it and no encoding has it, so a space with it encodes as it did before there was one.

Laws: ``decode(encode(c)) == c`` (floats to rounding, but for what is optional); every sampled, filled, clipped or
decoded configuration is contained; a mask is one exactly at the dimensions of the active parameters.

Letters:  d encoded dimensions · m configurations.

Longer than 400 lines by the examples in its docstrings.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from autometa.errors import did_you_mean
from autometa.origins import CONFIG
from autometa.space.parameters import FAMILY, OFF, Condition, Config, Interval, Parameter, config_key
from autometa.space.values import (
    from_unit,
    is_within,
    nearest,
    plain,
    plain_distribution,
    range_text,
    to_unit,
    to_units,
)

__all__ = [
    "FAMILY",
    "OFF",
    "Condition",
    "Config",
    "Encoded",
    "Interval",
    "Parameter",
    "SearchSpace",
    "choice",
    "config_key",
    "family_in",
    "integer",
    "real",
    "split_family",
]


class Encoded(NamedTuple):
    """A configuration as numbers; several of them are stacked to (m, d).

    See Also:
        `autometa.SearchSpace`.

    Example:
        >>> space = SearchSpace.of(C=real(1e-2, 1e2, 1.0, log=True), kernel=choice("rbf", "linear"))
        >>> encoded = space.encode({"C": 1.0, "kernel": "rbf"})
        >>> encoded.x.round(1), encoded.mask
        (array([0.5, 1. , 0. ]), array([ True,  True,  True]))
    """

    x: NDArray[np.float64]  # (d,) in [0, 1]; 0 where inactive
    mask: NDArray[np.bool_]  # (d,) whether the dimension belongs to an active parameter


def real(low: float, high: float, default: float, *, log: bool = False) -> tuple[FloatDistribution, float]:
    """A real parameter in [low, high] and its default, to be named in `SearchSpace.of`; `log` for its logarithm.

    See Also:
        `integer`, `choice`.

    Example:
        >>> SearchSpace.of(rate=real(1e-4, 1.0, 0.1, log=True)).default
        {'rate': 0.1}
    """
    return FloatDistribution(low, high, log=log), default


def integer(low: int, high: int, default: int, *, log: bool = False) -> tuple[IntDistribution, int]:
    """An integer parameter from `low` to `high` and its default, to be named in `SearchSpace.of`.

    See Also:
        `real`, `choice`.

    Example:
        >>> SearchSpace.of(depth=integer(1, 10, 6)).default
        {'depth': 6}
    """
    return IntDistribution(low, high, log=log), default


def choice(*choices: Any) -> tuple[CategoricalDistribution, Any]:
    """A categorical parameter whose default is its first choice, to be named in `SearchSpace.of`.

    See Also:
        `real`, `integer`.

    Example:
        >>> SearchSpace.of(kernel=choice("rbf", "linear")).default
        {'kernel': 'rbf'}
    """
    return CategoricalDistribution(choices), choices[0]


class SearchSpace:
    """Parameters in an order in which every parent comes before its children.

    See Also:
        `AutoMetaClassifier`, whose families each have one.

    Example:
        >>> space = SearchSpace.of(depth=integer(1, 16, 6), rate=real(1e-3, 1.0, 0.1, log=True))
        >>> space.default
        {'depth': 6, 'rate': 0.1}
        >>> space.clip({"depth": 99, "rate": 0.5})
        ({'depth': 16, 'rate': 0.5}, ['depth: 99 is outside [1, 16], taken as 16'])
    """

    optional: tuple[Parameter, ...] = ()  # of one that an older version pickled

    def __init__(self, parameters: Sequence[Parameter], optional: Sequence[Parameter] = ()) -> None:
        """From parameters in order, every parent before its children, and those that are off unless they are given.

        Raises:
            ValueError: A name occurs twice, a parent comes after its child, or a default is outside its range.
        """
        self.parameters, self.optional = tuple(parameters), tuple(optional)
        seen: dict[str, Parameter] = {}
        for parameter in (*self.parameters, *self.optional):
            if parameter.name in seen:
                raise ValueError(f"parameter {parameter.name!r} occurs twice")
            if parameter.when is not None and parameter.when.name not in seen:
                raise ValueError(f"{parameter.name!r} depends on {parameter.when.name!r}, which must come before it")
            if not is_within(parameter.distribution, parameter.default):
                raise ValueError(f"the default of {parameter.name!r}, {parameter.default!r}, is outside its range")
            seen[parameter.name] = parameter
        self._by_name = seen

    @classmethod
    def of(cls, **parameters: tuple[BaseDistribution, Any]) -> SearchSpace:
        """A flat space from `real`, `integer` and `choice`."""
        return cls([Parameter(name, distribution, default) for name, (distribution, default) in parameters.items()])

    @classmethod
    def cash(cls, spaces: Mapping[str, SearchSpace]) -> SearchSpace:
        """Combined algorithm selection and hyperparameter optimisation (Thornton et al., 2013).

        The choice ``family`` comes first (its default is the first key); the parameters of family ``f`` follow, renamed
        ``f.parameter`` and active only when ``family == f``.
        """
        names = tuple(spaces)
        joined, optional = [Parameter(FAMILY, CategoricalDistribution(names), names[0])], list[Parameter]()
        for family, space in spaces.items():
            for p in (*space, *space.optional):
                inner = p.when and Condition(f"{family}.{p.when.name}", p.when.values)
                when = inner or Condition(FAMILY, (family,))
                found = Parameter(f"{family}.{p.name}", p.distribution, p.default, when)
                (optional if p in space.optional else joined).append(found)
        return cls(joined, optional)

    def __iter__(self) -> Iterator[Parameter]:
        """Goes through the parameters, in order."""
        return iter(self.parameters)

    def __len__(self) -> int:
        """The number of parameters."""
        return len(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        """The parameter of that name; KeyError with a suggestion."""
        if name not in self._by_name:
            raise KeyError(f"no parameter {name!r}. {did_you_mean(name, list(self._by_name))}".strip())
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        """Whether a parameter has that name. Membership of a configuration is `contains`."""
        return name in self._by_name

    def __eq__(self, other: object) -> bool:
        """Whether `other` has the same parameters, in the same order; what is optional is in no encoding."""
        return isinstance(other, SearchSpace) and self.parameters == other.parameters

    def __hash__(self) -> int:
        """A hash that is equal for equal spaces."""
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        """The number of parameters and of encoded dimensions."""
        return f"SearchSpace({len(self)} parameters, {self.d} dimensions)"

    @cached_property
    def d(self) -> int:
        """The number of encoded dimensions: one for each number, one for each choice of a category."""
        return sum(p.width for p in self.parameters)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The encoded dimensions of each parameter, by its name."""
        out, start = {}, 0
        for p in self.parameters:
            out[p.name] = slice(start, start + p.width)
            start += p.width
        return out

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The model families of a CASH space: the names that its parameter ``family`` chooses from; else none."""
        distribution = self[FAMILY].distribution if FAMILY in self and self[FAMILY].when is None else None
        choices = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
        names = [choice for choice in choices if isinstance(choice, str)]
        return tuple(names) if len(names) == len(choices) else ()

    @property
    def default(self) -> Config:
        """Every parameter at its default, as far as it is active."""
        return self.complete({})

    def complete(self, partial: Mapping[str, Any]) -> Config:
        """`partial` with defaults for the active parameters it lacks; inactive and unknown names are dropped.

        Example:
            >>> SearchSpace.of(depth=integer(1, 16, 6), leaves=integer(2, 99, 31)).complete({"depth": 3, "width": 5})
            {'depth': 3, 'leaves': 31}
        """
        return self._with_optional(self._walk(lambda p: partial.get(p.name, p.default)), partial)

    def defaults(self) -> list[Config]:
        """The default of every choice of the top-level ``family``, or the one default of a flat space."""
        return [self.complete({FAMILY: family}) for family in self.families] or [self.default]

    def problems(self, config: Mapping[str, Any]) -> list[str]:
        """Why `config` is not a configuration of this space; empty when it is.

        Example:
            >>> SearchSpace.of(depth=integer(1, 16, 6)).problems({"dept": 3})
            ['depth: missing', "dept: unknown. Did you mean 'depth'?"]
        """
        out, expected = [], self._expected(config)
        for name in expected:
            if name not in config:
                out.append(f"{name}: missing")
            elif not is_within(self[name].distribution, config[name]):
                out.append(f"{name}: {config[name]!r} is outside {range_text(self[name].distribution)}")
        for name in config:
            if name not in self:
                out.append(f"{name}: unknown. {did_you_mean(name, list(self._by_name))}".strip())
            elif name not in expected:
                out.append(f"{name}: inactive under this configuration")
        return out

    def contains(self, config: Mapping[str, Any]) -> bool:
        """Whether `config` holds exactly the active parameters, each within its range; `problems` says why it does not.

        Example:
            >>> SearchSpace.of(depth=integer(1, 16, 6)).contains({"depth": 17})
            False
        """
        expected = self._expected(config)
        return expected.keys() == config.keys() and all(
            is_within(self[name].distribution, config[name]) for name in expected
        )

    def _expected(self, config: Mapping[str, Any]) -> Config:
        """What is active under a configuration, with what it has for it; an optional parameter where it has one."""
        expected = self._walk(lambda p: config.get(p.name, p.default))
        for p in self.optional:
            if p.name in config and (p.when is None or p.when.holds(expected)):
                expected[p.name] = config[p.name]
        return expected

    def clip(self, config: Mapping[str, Any]) -> tuple[Config, list[str]]:
        """The nearest configuration of this space, and what was changed to get there."""
        changes: list[str] = []

        def repair(p: Parameter) -> Any:
            if p.name not in config:
                changes.append(f"{p.name}: missing, taken as {p.default!r}")
                return p.default
            value = config[p.name]
            if is_within(p.distribution, value):
                return value
            value_in_range = nearest(p.distribution, value, p.default)
            changes.append(f"{p.name}: {value!r} is outside {range_text(p.distribution)}, taken as {value_in_range!r}")
            return value_in_range

        clipped = self._walk(repair)
        clipped |= {
            p.name: config[p.name]
            for p in self.optional
            if p.name in config and (not p.when or p.when.holds(clipped)) and is_within(p.distribution, config[p.name])
        }
        changes += [f"{name}: dropped" for name in config if name not in clipped]
        return clipped, changes

    def encode(self, config: Mapping[str, Any]) -> Encoded:
        """Numbers in [0, 1] (log applied, integers scaled, categories one-hot), and which belong to active parameters.

        Example:
            >>> SearchSpace.of(kernel=choice("rbf", "poly"), C=real(0.01, 100.0, 1.0, log=True)).encode(
            ...     {"kernel": "rbf"}
            ... )
            Encoded(x=array([1., 0., 0.]), mask=array([ True,  True, False]))
        """
        x, mask = np.zeros(self.d), np.zeros(self.d, dtype=bool)
        for p in self.parameters:
            if p.name in config:
                where = self.slices[p.name]
                x[where] = to_unit(p.distribution, config[p.name])
                mask[where] = True
        return Encoded(x, mask)

    def encode_all(self, configs: Sequence[Mapping[str, Any]]) -> Encoded:
        """`encode` of each of m configurations, stacked: x and mask are (m, d)."""
        x, mask = np.zeros((len(configs), self.d)), np.zeros((len(configs), self.d), dtype=bool)
        for p in self.parameters:
            rows, where = [row for row, config in enumerate(configs) if p.name in config], self.slices[p.name]
            if rows:
                x[rows, where] = to_units(p.distribution, [configs[row][p.name] for row in rows])
                mask[rows, where] = True
        return Encoded(x, mask)

    def decode(self, x: NDArray[np.float64]) -> Config:  # x: (d,)
        """The configuration at a point; the point is clipped into [0, 1], a category is the largest of its one-hot."""
        return self._walk(lambda p: from_unit(p.distribution, x[self.slices[p.name]]))

    def sample(self, rng: np.random.Generator) -> Config:
        """One configuration, uniform in the encoded space, families equally likely."""
        return self.decode(rng.random(self.d))

    def fill(self, m: int, seed: int = 0) -> list[Config]:
        """`m` configurations that cover the space (scrambled Sobol points over the active dimensions).

        In a CASH space the families take turns, so that any prefix is balanced.
        """
        from scipy.stats import qmc

        if not self.families:
            points = qmc.Sobol(max(self.d, 1), seed=seed).random_base2(max(1, math.ceil(math.log2(max(m, 2)))))
            return [self.decode(point) for point in points[:m]]
        each = -(-m // len(self.families))
        columns = [
            [{FAMILY: family, **config} for config in self._within(family).fill(each, seed + k)]
            for k, family in enumerate(self.families)
        ]
        return [config for row in zip(*columns, strict=True) for config in row][:m]

    def _within(self, family: str) -> SearchSpace:
        """The parameters that one choice of ``family`` leaves active."""
        own: dict[str, Parameter] = {}
        for p in self.parameters:
            if p.when is not None and p.when.name == FAMILY and family in p.when.values:
                own[p.name] = replace(p, when=None)
            elif p.name != FAMILY and (p.when is None or p.when.name in own):
                own[p.name] = p
        return SearchSpace(list(own.values()))

    def suggest(self, trial: Any) -> Config:
        """The configuration that an Optuna trial suggests, asked for parameter by parameter in this space's order."""
        config = self._walk(lambda p: trial._suggest(p.name, p.distribution))
        if not self.optional:
            return config
        told = getattr(trial, "_cached_frozen_trial", trial)
        given = {**told.system_attrs.get("fixed_params", {}), **told.user_attrs.get(CONFIG, {})}
        own = {p.name: trial._suggest(p.name, p.distribution) for p in self.optional if p.name in given}
        return self._with_optional(config, own)

    def _with_optional(self, config: Config, given: Mapping[str, Any]) -> Config:
        """With the optional parameters that are given, or on by default; what is off is not named."""
        for p in self.optional:
            if (p.when is None or p.when.holds(config)) and (value := given.get(p.name, p.default)) != OFF:
                config[p.name] = value
        return config

    def only(self, families: Sequence[str]) -> SearchSpace:
        """This CASH space restricted to some of its families, the first of which becomes the default."""
        keep = [p for p in self.parameters if p.name.split(".")[0] in families and p.name != FAMILY]
        head = Parameter(FAMILY, CategoricalDistribution(tuple(families)), families[0])
        return SearchSpace([head, *keep], [p for p in self.optional if p.name.split(".")[0] in families])

    def plain(self) -> SearchSpace:
        """This space with its categories as `values.plain` has them: the same one where all are texts and numbers."""
        parameters = []
        for p in self.parameters:
            distribution = plain_distribution(p.distribution)
            parameters.append(Parameter(p.name, distribution, plain(p.default), p.when and p.when.plain()))
        found = SearchSpace(parameters, self.optional)
        return self if found == self else found

    def to_json(self) -> str:
        """A JSON text that `from_json` reads back equal; what is optional is not in it."""
        return json.dumps(
            [
                {
                    "name": p.name,
                    "distribution": json.loads(distribution_to_json(p.distribution)),
                    "default": p.default,
                    "when": p.when and p.when.to_json(),
                }
                for p in self.parameters
            ]
        )

    @classmethod
    def from_json(cls, text: str) -> SearchSpace:
        """The space that `to_json` wrote."""
        return cls(
            [
                Parameter(
                    p["name"],
                    json_to_distribution(json.dumps(p["distribution"])),
                    p["default"],
                    p["when"] and Condition.from_json(p["when"]),
                )
                for p in json.loads(text)
            ]
        )

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that depend on every parameter."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def _walk(self, value: Callable[[Parameter], Any]) -> Config:
        """Visits the parameters in order; each active one takes ``value(parameter)``."""
        config: Config = {}
        for p in self.parameters:
            if p.when is None or p.when.holds(config):
                config[p.name] = value(p)
        return config


def family_in(config: Mapping[str, Any]) -> str:
    """The model family that a configuration names; "" where there is none, also if its ``family`` is no name.

    See Also:
        `split_family`.

    Example:
        >>> family_in({"family": "knn"}), family_in({"family": 3})
        ('knn', '')
    """
    family = config.get(FAMILY)
    return family if isinstance(family, str) else ""


def split_family(config: Mapping[str, Any]) -> tuple[str, Config]:
    """A configuration of a CASH space as its family and that family's own parameters.

    See Also:
        `family_in`, `autometa.families.cash_space`.

    Example:
        >>> split_family({"family": "knn", "knn.n_neighbors": 5})
        ('knn', {'n_neighbors': 5})
    """
    family = config[FAMILY]
    return family, {k.removeprefix(f"{family}."): v for k, v in config.items() if k != FAMILY}
