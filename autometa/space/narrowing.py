"""A space with some of its parameters fixed or given other ranges, by somebody who knows what they want.

A parameter is given a value, which fixes it; two numbers, which are its range; or, of a category, some choices. Ranges
may go beyond those of the space: whoever asks for 5,000 rounds gets them.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autometa.errors import InputError, Problem, did_you_mean
from autometa.space import FAMILY, SearchSpace
from autometa.space.parameters import Parameter
from autometa.space.values import index_of, nearest

_WORDS = {"true": True, "false": False, "none": None, "null": None}


def narrowed(space: SearchSpace, wanted: Mapping[str, Any]) -> SearchSpace:
    """The space with what is wanted of its parameters.

    Args:
        space: Any; of a CASH space the names are ``family.parameter``.
        wanted: Name of a parameter -> a value, two numbers (from, to), or a list of choices.

    Raises:
        InputError: A parameter is unknown, or cannot take what is wanted; all such are named.

    Example:
        >>> from autometa.families import cash_space
        >>> space = narrowed(cash_space("binary", ["knn"]), {"knn.n_neighbors": (3, 9), "knn.weights": "distance"})
        >>> space["knn.n_neighbors"].distribution.high, space.default["knn.weights"]
        (9, 'distance')
    """
    problems: list[Problem] = []
    changed: dict[str, Parameter] = {}
    for name, value in wanted.items():
        if name not in space or name == FAMILY:
            problems.append(_unknown(space, name))
            continue
        found = _distribution(space[name].distribution, value)
        if isinstance(found, str):
            problems.append(Problem(f"parameter {name}", found, _fix(space[name].distribution, name)))
        else:
            changed[name] = replace(space[name], distribution=found, default=_default(found, space[name].default))
    if problems:
        raise InputError(problems)
    return SearchSpace(*([changed.get(p.name, p) for p in part] for part in (space, space.optional)))


def read_wish(text: str) -> Any:
    """What is wanted of a parameter, as people type it: ``31``, ``0.01..0.1``, ``gini|entropy``, ``true``, ``none``.

    Example:
        >>> read_wish("31"), read_wish("0.01..0.1"), read_wish("gini|entropy"), read_wish("none")
        (31, (0.01, 0.1), ['gini', 'entropy'], None)
    """
    if "|" in text:
        return [_scalar(part) for part in text.split("|")]
    low, between, high = text.partition("..")
    return (_scalar(low), _scalar(high)) if between else _scalar(text)


def wish_text(wanted: Any) -> str:
    """What `read_wish` reads as this.

    Example:
        >>> wish_text(31), wish_text([0.01, 0.1]), wish_text(["gini", "entropy"]), wish_text(None)
        ('31', '0.01..0.1', 'gini|entropy', 'none')
    """
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        return _shown(wanted)
    numbers = all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in wanted)
    return (".." if numbers else "|").join(map(_shown, wanted))


def read_wishes(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The wishes in a TOML file: a table for each family, ``num_leaves = 31``, ``learning_rate = [0.01, 0.1]``.

    Example:
        >>> read_wishes({"lightgbm": {"num_leaves": 31, "learning_rate": [0.01, 0.1]}})
        {'lightgbm.num_leaves': 31, 'lightgbm.learning_rate': [0.01, 0.1]}
    """
    out: dict[str, Any] = {}
    for family, own in tables.items():
        if isinstance(own, Mapping):
            out |= {f"{family}.{name}": value for name, value in own.items()}
        else:
            out[family] = own  # refused by its name
    return out


def wishes_of(fixed: Sequence[str], file: Path | None) -> dict[str, Any]:
    """What ``--set NAME=VALUE`` and a TOML file want of parameters; what is set on the command line counts.

    Raises:
        InputError: One is no NAME=VALUE, or the file cannot be read; everything is named.

    Example:
        >>> wishes_of(["knn.n_neighbors=3..9", "knn.weights=distance"], None)
        {'knn.n_neighbors': (3, 9), 'knn.weights': 'distance'}
    """
    problems: list[Problem] = []
    wishes: dict[str, Any] = {}
    if file is not None:
        try:
            wishes |= read_wishes(tomllib.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            problems.append(Problem(f"--space {file}", "there is no such file"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problems.append(Problem(f"--space {file}", f"cannot be read: {error}", "It has to be TOML."))
    for text in fixed:
        name, sign, value = (part.strip() for part in text.partition("="))
        if sign and name and value:
            wishes[name] = read_wish(value)
        else:
            problems.append(Problem(f"--set {text}", "is no NAME=VALUE", "Such as --set lightgbm.num_leaves=31."))
    if problems:
        raise InputError(problems)
    return wishes


def _scalar(text: str) -> Any:
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _unknown(space: SearchSpace, name: str) -> Problem:
    family, _, own = name.partition(".")
    known = [p.name for p in (*space, *space.optional) if p.name != FAMILY]
    if space.families and family not in space.families:
        what = f"no family {family!r} is searched" if own else "needs the family before it, as in lightgbm.num_leaves"
        return Problem(f"parameter {name}", what, f"Searched: {', '.join(space.families)}.")
    of_family = [other for other in known if other.startswith(f"{family}.")] or known
    return Problem(
        f"parameter {name}", "unknown", f"{did_you_mean(name, of_family)} Known: {', '.join(of_family)}.".strip()
    )


def _fix(distribution: BaseDistribution, name: str) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"Its choices are {', '.join(map(_shown, distribution.choices))}."
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    kind = "a whole number" if isinstance(distribution, IntDistribution) else "a number"
    return f"It takes {kind}, or two for a range: {name}={distribution.low:g}..{distribution.high:g} is the usual one."


def _shown(choice: Any) -> str:
    return "none" if choice is None else str(choice).lower() if isinstance(choice, bool) else str(choice)


def _distribution(old: BaseDistribution, wanted: Any) -> BaseDistribution | str:
    """The distribution for what is wanted, or why there is none."""
    several = list(wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, str) else None
    if isinstance(old, CategoricalDistribution):
        choices = [wanted] if several is None else several
        if not choices:
            return "an empty list leaves no choice"
        unknown = [choice for choice in choices if index_of(old, choice) is None]
        return (
            f"{', '.join(map(_shown, unknown))} is none of its choices" if unknown else CategoricalDistribution(choices)
        )
    assert isinstance(old, (IntDistribution, FloatDistribution))
    ends = [wanted, wanted] if several is None else several
    if len(ends) != 2:
        return f"{len(ends)} numbers are neither a value nor a range"
    if any(isinstance(end, bool) or not isinstance(end, (int, float)) or not math.isfinite(end) for end in ends):
        return f"{' to '.join(map(_shown, ends)) if several else _shown(wanted)} is not a number"
    if ends[0] > ends[1]:
        return f"{ends[0]:g} is above {ends[1]:g}"
    if old.log and ends[0] <= 0:
        return f"{ends[0]:g} is not above 0, and it is searched by its logarithm"
    if isinstance(old, IntDistribution):
        if any(end != int(end) for end in ends):
            return "it takes whole numbers"
        return IntDistribution(int(ends[0]), int(ends[1]), log=old.log)
    return FloatDistribution(float(ends[0]), float(ends[1]), log=old.log)


def _default(distribution: BaseDistribution, old: Any) -> Any:
    """The old default, or what is nearest to it."""
    if isinstance(distribution, CategoricalDistribution):
        return old if index_of(distribution, old) is not None else distribution.choices[0]
    return nearest(distribution, old, None)
