"""Presets: a few options under one word, each with what it costs and gives.

A preset says nothing that cannot be said option by option, and an option that is given counts instead of its own. To
add one, give it a line in `PRESETS`, and one in the table of docs/budgets.md; `benchmarks/presets.py` measures it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autometa.errors import InputError, Problem, did_you_mean


@dataclass(frozen=True, slots=True)
class Preset:
    """Options of a search under one word.

    See Also:
        `with_preset`.

    Example:
        >>> PRESETS["light"].values["members"]
        1
    """

    values: Mapping[str, Any]  # fields of `Settings`
    words: str  # what it costs and gives


# Seconds, families and members are judgement; what each costs and gives on unseen rows is for `benchmarks/presets.py`.
PRESETS: dict[str, Preset] = {
    "fast": Preset(
        {"seconds": 10.0, "families": ("linear", "lightgbm", "extra_trees")},
        "10 s, three quick families: a first answer",
    ),
    "balanced": Preset({"seconds": 60.0}, "60 s, all families: as without a preset"),
    "best": Preset(
        {"seconds": 600.0, "patience": "off"},
        "10 min to the last second, all families, repeated folds on small tables: the least error",
    ),
    "light": Preset(
        {"seconds": 30.0, "families": ("linear", "lightgbm"), "members": 1},
        "30 s, one pipeline, linear or LightGBM: small, quick to load and to answer",
    ),
}

_OPTIONS = {"seconds": "time", "families": "families", "patience": "patience", "members": "members", "trials": "trials"}


def with_preset(preset: str | None, given: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The options of a search under a preset, and a sentence that says what it is; as they are, and None, without one.

    Args:
        preset: Its name; None for none.
        given: Options by the names of `Settings`' fields; None where one is not given.

    Raises:
        InputError: There is no such preset.

    See Also:
        `Settings`.

    Example:
        >>> with_preset("light", {"seconds": None, "trials": 20, "families": None})[0]
        {'seconds': None, 'trials': 20, 'families': ('linear', 'lightgbm'), 'members': 1}
        >>> print(with_preset("fast", {"seconds": 30.0, "families": None})[1])
        Preset fast: 10 s, three quick families: a first answer; what was asked for counts instead: time.
    """
    if preset is None:
        return dict(given), None
    if preset not in PRESETS:
        known = f"{did_you_mean(preset, list(PRESETS))} Known: {', '.join(PRESETS)}.".strip()
        raise InputError(Problem("preset", f"{preset!r} is not known", known))
    chosen, found, instead = PRESETS[preset], dict(given), []
    for name, value in chosen.values.items():
        budget = ("seconds", "trials") if name == "seconds" else (name,)  # trials alone are a budget, too
        said = [one for one in budget if given.get(one) is not None]
        instead += [_OPTIONS[one] for one in said]
        if not said:
            found[name] = value
    end = f"; what was asked for counts instead: {', '.join(instead)}" if instead else ""
    return found, f"Preset {preset}: {chosen.words}{end}."
