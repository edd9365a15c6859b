"""When a parameter of somebody's own space is active, learned from trials.

An objective asks for some parameters only with some choices of another one, or with some of its numbers: for `units_2`
where `n_layers` is 3 or more. Trials show which parameters they had; a parent that separates those with the parameter
from those without explains it, the simplest such parent first. One that could do so by chance is not believed.

Laws: a condition never excludes a configuration that had the parameter; a study that did not know the parameter says
nothing about when it is active.

Letters:  m configurations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from autometa.space import Condition, Config, Interval
from autometa.space.values import index_of
from autometa.studies.distributions import Distributions
from autometa.studies.options import OPTIONS, StudiesOptions


@dataclass(frozen=True, slots=True)
class Activity:
    """When a parameter is active, as far as trials tell."""

    when: Condition | None  # None: always, or nobody knows when
    absent: float = 0.0  # share of the configurations without it, where nobody knows when
    dropped: bool = False  # the study at hand does not ask for it any more


class Conditions:
    """What past configurations and those of the study at hand tell about when parameters are active.

    Args:
        distributions: Of all parameters, with plain choices.
        past: Configurations of past studies, m of them.
        knew: Of each parameter which past configurations are of studies that knew it, (m,).
        tried: What the study at hand has tried.

    Example:
        >>> from optuna.distributions import FloatDistribution, IntDistribution
        >>> known = {"layers": IntDistribution(1, 3), "second": FloatDistribution(0, 1)}
        >>> past = [{"layers": 1 + i % 3, **({"second": 0.5} if i % 3 else {})} for i in range(12)]
        >>> Conditions(known, past, {"second": np.ones(12, dtype=bool)}, []).of("second").when
        Condition(name='layers', values=Interval(low=2, high=inf))
    """

    def __init__(
        self,
        distributions: Distributions,
        past: Sequence[Config],
        knew: dict[str, NDArray[np.bool_]],
        tried: Sequence[Config],
        options: StudiesOptions = OPTIONS,
    ) -> None:
        """Nothing is calculated before it is asked for."""
        self._distributions, self._options, self._knew = distributions, options, knew
        self._configs, self._past = [*past, *tried], len(past)
        self._codes: dict[str, NDArray[np.float64]] = {}

    def of(self, name: str) -> Activity:
        """When a parameter is active.

        What past studies say holds as long as the study at hand agrees. Where it does not, the parameter was dropped,
        or is active under a condition of which both together, or it alone, tell.
        """
        has = np.array([name in config for config in self._configs], dtype=bool)
        here = np.arange(len(has)) >= self._past
        knew = self._knew.get(name, np.ones(self._past, dtype=bool))
        before = np.concatenate([knew | has[: self._past], np.zeros(here.sum(), dtype=bool)])
        then = self._learned(name, has, before)
        if not here.any():
            return then
        together = self._learned(name, has, before | here)
        if then.absent and together.when is not None:
            return together
        if before.any() and self._agrees(then, has, here):
            return then
        refined = together.when is not None and (then.when is None or together.when.name == then.when.name)
        if not has[here].any():
            if then.absent:  # sometimes absent before, nobody knows when: how unlikely is it never to be asked for?
                gone = then.absent ** here.sum() < self._options.chance
                return Activity(None, then.absent, gone)
            kept = then.when is not None and refined
            return together if kept else Activity(then.when, dropped=bool(before.any()))
        sometimes = then.when is not None or then.absent > 0
        return together if sometimes and refined else self._learned(name, has, here)

    def _agrees(self, then: Activity, has: NDArray[np.bool_], here: NDArray[np.bool_]) -> bool:
        """Whether the study at hand has a parameter exactly where past studies say that it is active."""
        if then.absent:
            return bool(has[here].any() and not has[here].all())
        when = then.when
        expected = [when is None or when.holds(config) for config in self._configs[self._past :]]
        return bool((has[here] == expected).all())

    def _learned(self, name: str, has: NDArray[np.bool_], telling: NDArray[np.bool_]) -> Activity:
        """By the simplest condition that separates the telling configurations with the parameter from those without."""
        present, absent = np.flatnonzero(has & telling), np.flatnonzero(~has & telling)
        if not len(present) or not len(absent):
            return Activity(None)
        found: list[tuple[float, Condition]] = []
        for parent, distribution in self._distributions.items():
            inside, outside = self._codes_of(parent)[present], self._codes_of(parent)[absent]
            outside = outside[~np.isnan(outside)]
            # A parent is there whenever its child is. One that is there only then explains nothing: it is a sibling.
            if parent == name or np.isnan(inside).any() or not len(outside):
                continue
            condition = _separation(parent, distribution, inside, outside)
            values = len(np.unique(np.concatenate([inside, outside])))
            if condition is None:
                continue
            # So many conditions there are, and so many ways in which presence may fall.
            ways = values * (values + 1) / 2 if isinstance(condition.values, Interval) else 2.0**values
            falls = math.comb(len(inside) + len(outside), len(inside))
            if isinstance(distribution, CategoricalDistribution) or ways <= self._options.chance * falls:
                found.append((ways, condition))
        if not found:
            return Activity(None, len(absent) / (len(present) + len(absent)))
        return Activity(min(found, key=lambda entry: entry[0])[1])

    def _codes_of(self, name: str) -> NDArray[np.float64]:  # (m,)
        """The values of a parameter: its numbers, or which of its choices; NaN where it is absent."""
        if name not in self._codes:
            distribution = self._distributions[name]
            codes = np.full(len(self._configs), np.nan)
            for row, config in enumerate(self._configs):
                value = config.get(name, _ABSENT)
                if value is not _ABSENT and isinstance(distribution, CategoricalDistribution):
                    which = index_of(distribution, value)
                    codes[row] = len(distribution.choices) if which is None else which  # a choice that is gone
                elif isinstance(value, (int, float)):
                    codes[row] = value
            self._codes[name] = codes
        return self._codes[name]


_ABSENT = object()


def _separation(
    parent: str, distribution: BaseDistribution, inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> Condition | None:
    """The condition that holds for all values inside and for none outside; None where there is none."""
    if isinstance(distribution, CategoricalDistribution):
        wanted = set(inside.astype(int).tolist())
        if not wanted.isdisjoint(outside.astype(int).tolist()):
            return None
        return Condition(parent, tuple(choice for k, choice in enumerate(distribution.choices) if k in wanted))
    low, high = float(inside.min()), float(inside.max())
    number = int if isinstance(distribution, IntDistribution) else float
    if np.any((low <= outside) & (outside <= high)):  # no interval, but of whole numbers perhaps some
        apart = number is int and set(inside.tolist()).isdisjoint(outside.tolist())
        return Condition(parent, tuple(sorted(set(inside.astype(int).tolist())))) if apart else None
    below, above = np.any(outside < low), np.any(outside > high)  # open where nothing speaks against it
    return Condition(parent, Interval(number(low) if below else -math.inf, number(high) if above else math.inf))
