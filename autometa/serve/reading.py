"""Bodies and parameters of requests as tables and values, or everything that is wrong with them.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from autometa.errors import InputError, Problem, did_you_mean
from autometa.serve.options import OPTIONS
from autometa.task.names import listed
from autometa.task.read import read_table
from autometa.values import Gathered, one_of, probability, share

if TYPE_CHECKING:
    from autometa.search import Model

PARAMETERS = ("proba", "threshold", "interval", "by", "allow_missing")
_ROWS = 'A list of rows, such as [{"column": value, ...}, ...], or one row alone.'


def table_of_json(body: bytes, model: Model, *, allow_missing: bool = False) -> pd.DataFrame:  # (n, any)
    """The table in rows of JSON; a column of the model that only some rows have is a problem, not a missing cell.

    Raises:
        InputError: It is no JSON, no rows, or rows lack columns; everything that is wrong.
    """
    rows = rows_of_json(body, () if allow_missing else model.schema.raw)
    if not rows:
        return pd.DataFrame(columns=pd.Index(model.schema.raw, dtype="str"), dtype=object)
    plain = body.strip()
    return read_table(plain if plain.startswith(b"[") else b"[" + plain + b"]", **model.schema.reading)[0]


def rows_of_json(body: bytes, needed: Sequence[str]) -> list[dict[str, Any]]:
    """The rows in JSON, each with the columns that are needed and that any of them has.

    Raises:
        InputError: As `table_of_json`.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        what = "is nested too deep" if isinstance(error, RecursionError) else f"is not JSON: {error}"
        raise InputError(Problem("body", what, _ROWS)) from error
    rows = [found] if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise InputError(Problem("body", f"is {_kind(rows)} and no rows", _ROWS))
    if problems := _wrong_rows(rows, needed):
        raise InputError(problems)
    return rows


def _wrong_rows(rows: Sequence[Any], needed: Sequence[str]) -> list[Problem]:
    """Entries that are no rows, cells that are no values, columns that some rows have and others lack."""
    found: list[Problem] = []
    dicts = [row for row in rows if isinstance(row, dict)]
    anywhere = {name for row in dicts for name in row}
    for number, row in enumerate(rows, start=1):
        where = f"row {number}"
        if not isinstance(row, dict):
            found.append(Problem(where, f"is {_kind(row)}", "A row is an object, with the names of the columns."))
            continue
        found += [
            Problem(where, f"{name!r} holds {_kind(value)}", "A cell is a text, a number, true, false or null.")
            for name, value in row.items()
            if isinstance(value, (dict, list))
        ]
        lacking = [name for name in needed if name not in row and name in anywhere]
        if lacking:
            found.append(Problem(where, f"lacks {listed(lacking)}", "Give null for a cell that is missing."))
    more = len(found) - OPTIONS.named
    return found if more <= 0 else [*found[: OPTIONS.named], Problem("", f"and {more:,} more of the kind")]


def _kind(value: Any) -> str:
    """What a value of JSON is called."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def table_of_text(body: bytes, model: Model) -> pd.DataFrame:  # (n, any)
    """The table in CSV, or in another file that `autometa predict` reads.

    Raises:
        InputError: With everything that is wrong with it, as there.
    """
    return read_table(body, allow_empty=True, **model.schema.reading)[0]


def parameters_of(given: Mapping[str, str], known: Sequence[str] = PARAMETERS) -> tuple[dict[str, Any], list[Problem]]:
    """What the query of a request asks for, and what is wrong with it.

    Example:
        >>> parameters_of({"proba": "true", "interval": "90%"})
        ({'proba': True, 'interval': 0.9}, [])
        >>> parameters_of({"probs": "1", "interval": "2"})[1][0].fix
        "Did you mean 'proba'? Known: proba, threshold, interval, by, allow_missing."
    """
    gathered, found = Gathered(), dict[str, Any]()
    readers = {"threshold": probability, "interval": share}
    for name, text in given.items():
        if name not in known:
            fix = f"{did_you_mean(name, known)} Known: {', '.join(known)}.".strip()
            gathered.problems.append(Problem(name, "no such parameter", fix))
        elif name in ("proba", "allow_missing"):
            word = gathered.option(one_of, name, text.lower() or "true", ("true", "false", "1", "0"))
            found[name] = word in ("true", "1")
        elif name == "by":
            found[name] = text
        else:
            found[name] = gathered.option(readers[name], name, text)
    if "by" in found and "interval" not in given:
        gathered.problems.append(Problem("by", "is for interval", "Add interval=0.9, or leave it out."))
    return {name: value for name, value in found.items() if value is not None}, gathered.problems
