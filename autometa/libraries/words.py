"""What a library's word means: values that are the same thing, and which of them an objective's distribution takes.

A configuration of the catalogue says of each word of a library what it amounts to, as *equivalents*: the trees of a
forest without a bound have the depths ``(inf, None, -1)``, a third of ten columns is ``(0.33, 3)``. The distribution
that the objective asks for takes one of them: a choice that is equal, the nearest number among its choices, a whole
number in a range of whole numbers, clipped where it is out of range.

Law: no equivalents, no value. What a configuration does not say, or what cannot be said without knowing the table, is
missing, never made up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autometa.families.boosting import penalty
from autometa.space import Config
from autometa.space.values import plain
from autometa.studies.distributions import fit_value, typed

Equivalents = tuple[Any, ...]  # values that are the same thing, the most usual first; () where nothing can be said
UNKNOWN = math.nan  # among equivalents: there is a number as well, which cannot be said without the table


@dataclass(frozen=True, slots=True)
class NewTable:
    """What some words need to know of the new table; None for what is not known.

    See Also:
        `Word`.

    Example:
        >>> NewTable("binary", rows=1000).columns is None
        True
    """

    kind: str
    rows: int | None = None
    columns: int | None = None
    spread: float | None = None  # standard deviation of a numeric target


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a configuration of the catalogue says what a word amounts to."""

    parameters: tuple[str, ...]  # of the family, that the word says all of; () for what the family does not vary
    of: Callable[[Config, NewTable], Equivalents]


@dataclass(frozen=True, slots=True)
class Word:
    """A parameter of a library, under all its names.

    See Also:
        `Library`, `Glossary`.

    Example:
        >>> from autometa.libraries import LIBRARIES
        >>> next(word.names for word in LIBRARIES["lightgbm"].words if "num_leaves" in word.names)[0]
        'num_leaves'
    """

    names: tuple[str, ...]  # the most usual first; a name that ends in "#" stands for itself with any number
    meaning: Meaning


def word(names: str, meaning: Meaning) -> Word:
    """A word from its names, separated by spaces.

    Example:
        >>> eta = word("learning_rate eta", given("learning_rate"))
        >>> eta.names, eta.meaning.of({"learning_rate": 0.5}, NewTable("binary"))
        (('learning_rate', 'eta'), (0.5, 0))
    """
    return Word(tuple(names.split()), meaning)


# what a word may mean -------------------------------------------------------------------------------------------------


def same(value: Any) -> Equivalents:
    """A value with its other spellings: numbers as whole and as real numbers, None also in words.

    Example:
        >>> same(3), same(2.6), same(None), same("gini")
        ((3, 3.0), (2.6, 3), (None, 'None', 'none'), ('gini',))
    """
    if value is None:
        return (None, "None", "none")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return (value,)
    if not math.isfinite(value):
        return (value,)
    return (value, float(value)) if isinstance(value, int) else (value, round(value))


def given(parameter: str, *, known_as: dict[Any, Equivalents] | None = None) -> Meaning:
    """The family's own parameter one to one; `known_as` has other spellings of some of its values."""

    def of(config: Config, table: NewTable) -> Equivalents:
        if parameter not in config:
            return ()
        value = config[parameter]
        return (known_as or {}).get(value, ()) or same(value)

    return Meaning((parameter,), of)


def penalised(parameter: str) -> Meaning:
    """The strength of a penalty; the low end of the family's range is none at all (`families.boosting`)."""
    return Meaning((parameter,), lambda config, table: same(float(penalty(config[parameter]))))


def always(*equivalents: Any) -> Meaning:
    """What the family leaves at the library's default: every evaluation had that value."""
    every = tuple(spelling for value in equivalents for spelling in same(value))
    return Meaning((), lambda config, table: every)


def without_bound(*spellings: Any) -> Meaning:
    """No bound at all, in a range of numbers its upper end; `spellings` are how the library says so."""
    return Meaning((), lambda config, table: (math.inf, *spellings))


def derived(parameters: str, of: Callable[[Config, NewTable], Equivalents]) -> Meaning:
    """Calculated from several parameters, or from what the table is like."""
    return Meaning(tuple(parameters.split()), of)


# what a distribution takes --------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """A value as a distribution takes it."""

    value: Any
    exact: bool  # whether it is what was meant, not the nearest there is


def taken(equivalents: Sequence[Any], distribution: BaseDistribution) -> Taken | None:
    """The equivalent that a distribution takes, else the nearest number it has; None where it has none.

    See Also:
        `autometa.studies.fit_value`.

    Example:
        >>> (
        ...     taken(same(0.5), FloatDistribution(0.01, 0.3)),
        ...     taken(same(None), CategoricalDistribution([None, "balanced"])),
        ... )
        (Taken(value=0.3, exact=False), Taken(value=None, exact=True))
        >>> taken((math.inf, -1), IntDistribution(3, 12)), taken(same("sqrt"), IntDistribution(1, 8))
        (Taken(value=12, exact=False), None)
    """
    if isinstance(distribution, CategoricalDistribution):
        return _chosen(equivalents, distribution.choices)
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    kind = int if isinstance(distribution, IntDistribution) else float
    numbers = [v for v in equivalents if v == math.inf or (isinstance(v, kind) and _is_number(v))]
    inside = [v for v in numbers if distribution.low <= v <= distribution.high]
    if not numbers:
        return None
    meant = (inside or numbers)[0]
    value = fit_value(distribution.high if meant == math.inf else meant, distribution)[1]
    reals = [v for v in equivalents if isinstance(v, float) and math.isfinite(v)]
    rounded = kind is int and any(v != meant and round(v) == meant for v in reals)
    return Taken(value, not rounded and math.isclose(value, meant, rel_tol=1e-9))


def _chosen(equivalents: Sequence[Any], choices: Sequence[Any]) -> Taken | None:
    """An equal choice, else the number among the choices that is nearest, in proportion where all are positive."""
    for meant in equivalents:
        for choice in choices:
            if typed(plain(choice)) == typed(plain(meant)):
                return Taken(choice, True)
    meant = next((v for v in equivalents if _is_number(v)), None)
    numbers = [choice for choice in choices if _is_number(choice)]
    if meant is None or not numbers:
        return None
    if meant == math.inf:
        return Taken(max(numbers), False)
    if min(meant, *numbers) > 0:
        return Taken(min(numbers, key=lambda choice: abs(math.log(choice / meant))), False)
    return Taken(min(numbers, key=lambda choice: abs(choice - meant)), False)


def _is_number(value: Any) -> bool:
    """Whether it is a number, a known one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
