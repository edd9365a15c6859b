"""A value out of a file, as a parameter of ours has it: read from its text, in the type of the parameter."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from autometa.families import FAMILIES
from autometa.space import SearchSpace


def read_value(text: Any) -> Any:
    """A hyperparameter out of its text: JSON as scikit-learn's flows have it, or R's notation.

    Example:
        >>> [read_value(t) for t in ('"gini"', "null", "TRUE", "0.5", "None", "radial")]
        ['gini', None, True, 0.5, None, 'radial']
    """
    if not isinstance(text, str):
        return text
    words = {"TRUE": True, "True": True, "T": True, "FALSE": False, "False": False, "F": False, "None": None, "": None}
    words |= {"NULL": None, "NA": None}
    if text.strip() in words:
        return words[text.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return text.strip().strip("'\"")


@cache
def family_space(name: str, kind: str) -> SearchSpace:
    """The space of one family as a choice of families, whether or not its library is installed here."""
    return SearchSpace.cash({name: FAMILIES[name].space(kind)})  # type: ignore[arg-type]


def fitted(space: SearchSpace, name: str, value: Any) -> Any:
    """A value in the type that a parameter has: 100.0 for a whole number is 100, "1.0" for the choice 1.0 is that."""
    if name not in space:
        return value
    distribution = space[name].distribution
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return next((choice for choice in choices if same(choice, value)), value)
    if isinstance(value, str):
        value = read_value(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    whole = type(distribution).__name__ == "IntDistribution"
    return int(value) if whole and float(value).is_integer() else value if whole else float(value)


def same(a: Any, b: Any) -> bool:
    """Equal, whatever the type that a file gave them: True is "true" but not 1."""
    a, b = read_value(a), read_value(b)
    if isinstance(a, float) and math.isnan(a):
        a = None
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9)
    return str(a) == str(b)
