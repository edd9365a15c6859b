"""Columns along which a prediction may only rise, or only fall: as people ask for them, checked against the table.

Letters:  p columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autometa.errors import did_you_mean
from autometa.task.findings import InputFindings
from autometa.task.names import listed

if TYPE_CHECKING:
    from autometa.task.schema import Schema
    from autometa.task.target import Target

Monotonic = tuple[tuple[str, int], ...]  # numeric columns, each with 1 (may only rise) or -1 (may only fall)

SIGNS: dict[Any, int] = {"+": 1, "-": -1, 1: 1, -1: -1, 0: 0, "1": 1, "-1": -1, "+1": 1, "0": 0}
_HOLDS = {"category": "categories", "text": "text", "datetime": "dates"}


def read_monotonic(
    wanted: Mapping[Any, Any] | None, schema: Schema | None, target: Target | None, findings: InputFindings
) -> Monotonic:
    """The columns that were asked for, as far as they can be; what cannot is told.

    Args:
        wanted: Column -> 1 or ``+`` for a prediction that never falls as the column rises, -1 or ``-`` for one that
            never rises; 0 for either.
        schema: Of the table; None where it cannot be read.
        target: What is predicted; of two classes the constraint is of the positive one's probability.
        findings: Told what is wrong, and what was understood.

    Example:
        >>> import pandas as pd
        >>> from autometa.task.schema import Schema
        >>> findings = InputFindings("table")
        >>> schema = Schema.fit(pd.DataFrame({"age": [31.5, 45.0, 27.5], "town": ["Ulm", "Bern", "Ulm"]}))
        >>> read_monotonic({"age": "+", "town": 1, "ag": 1}, schema, None, findings)
        (('age', 1),)
        >>> [problem.what for problem in findings.problems]
        ['holds categories, along which nothing rises', 'no such feature']
    """
    if not wanted or schema is None:
        return ()
    holds = {encoder.name: encoder.holds for encoder in schema.encoders}
    dropped, found = dict(schema.dropped), []
    for name, sign in ((str(name), sign) for name, sign in wanted.items()):
        where = findings.at(f"monotonic {name!r}")
        direction = SIGNS.get(sign.strip() if isinstance(sign, str) else sign) if _is_plain(sign) else None
        if direction is None:
            where.refuse(f"{sign!r} is neither + nor -", "+ (1): may only rise with the column; - (-1): only fall.")
        if name in dropped:
            where.refuse(f"the column was left out: {dropped[name]}", "--keep takes it as a feature, or leave it out.")
        elif name not in holds:
            where.refuse(
                "no such feature", f"{did_you_mean(name, list(holds))} There are: {listed(list(holds))}.".strip()
            )
        elif name not in schema.columns.numeric:
            fix = (
                f"If these are numbers, --types {name}=number reads them as such." if holds[name] == "category" else ""
            )
            where.refuse(f"holds {_HOLDS.get(holds[name], holds[name])}, along which nothing rises", fix)
        elif direction:
            found.append((name, direction))
    if target is not None and len(target.classes) > 2:
        what = f"of {len(target.classes)} classes not all can become more probable together"
        findings.at("monotonic").refuse(what, "It is for numbers, and for two classes.")
    elif target is not None and found:
        what = f"probability of {str(target.classes[target.positive])!r}" if target.classes else "prediction"
        for sign, verb in ((1, "falls"), (-1, "rises")):
            if names := [name for name, own in found if own == sign]:
                findings.note(f"The {what} never {verb} as {listed(names)} {'rises' if len(names) == 1 else 'rise'}.")
    return tuple(found)


def _is_plain(sign: Any) -> bool:
    """Whether it may be looked up: a truth value is no sign."""
    return isinstance(sign, (int, str)) and not isinstance(sign, bool)
