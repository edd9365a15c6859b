"""A Task but for its arrays, as JSON: data only, so that reading it runs nothing, whoever wrote it.

Records of this room are written by their names and the fields that are not at their defaults, and read back by calling
them with the fields that they still have: a field that a newer version adds needs a default, and keeps it.

Law: ``decoded(encoded(value)) == value`` for whatever a Task holds; a file names records of this room and nothing else.

An older version wrote a pickle instead, ``task.pickle``. It is read for whoever trusts it, or can tell by its run that
it is their own; then, too, it may name nothing but what a Task is made of.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.errors import InputError, Problem, RunError
from autometa.files import replace
from autometa.pickled import restricted, unusual_names

TASK_FORMAT = 2  # of a saved task; 1 was a pickle
ROOM = "autometa.task"

# What a pickled Task of an older version is made of, beside the records of this room.
_PICKLED_NAMES = frozenset({
    "builtins.bytearray", "builtins.slice", "numpy.dtype", "numpy.ndarray", "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar", "numpy._core.numeric._frombuffer", "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar", "pandas.Categorical", "pandas.CategoricalDtype", "pandas.DataFrame", "pandas.Index",
    "pandas.RangeIndex", "pandas.StringDtype", "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
    "pandas._libs.internals._unpickle_block", "pandas.arrays.ArrowStringArray", "pandas.core.frame.DataFrame",
    "pandas.core.arrays.string_arrow.ArrowStringArray", "pandas.core.arrays.string_.StringDtype",
    "pandas.core.indexes.base.Index", "pandas.core.indexes.base._new_Index", "pandas.core.indexes.range.RangeIndex",
    "pandas.core.internals.managers.BlockManager", "pyarrow.lib._restore_array", "pyarrow.lib.py_buffer",
    "pyarrow.lib.type_for_alias",
})  # fmt: skip


_PLAIN = frozenset({str, float, int, bool, type(None)})  # what JSON has as it is

# Labels that JSON has no word for: their type, how they are written, and how they are read.
_WRITTEN: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "bytes": (bytes, bytes.hex, bytes.fromhex),
    "timestamp": (pd.Timestamp, pd.Timestamp.isoformat, pd.Timestamp),
    "timedelta": (pd.Timedelta, pd.Timedelta.isoformat, pd.Timedelta),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "fraction": (Fraction, str, Fraction),
}


def encoded(value: Any) -> Any:
    """What JSON can hold of plain values, tuples, mappings and records of this room.

    Raises:
        InputError: It holds anything else.

    Example:
        >>> encoded(("a", 1.5)), decoded(encoded(("a", 1.5)))
        ({'tuple': ['a', 1.5]}, ('a', 1.5))
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, tuple):
        return {"tuple": [part if type(part) in _PLAIN else encoded(part) for part in value]}
    if isinstance(value, list):
        return [encoded(part) for part in value]
    if isinstance(value, frozenset | set):
        return {"set": [encoded(part) for part in sorted(value)]}
    if isinstance(value, Mapping):
        return {"mapping": [[encoded(key), encoded(part)] for key, part in value.items()]}
    for name, (kind, written, _) in _WRITTEN.items():
        if isinstance(value, kind):
            return {name: written(value)}
    own: Any = type(value)
    if dataclasses.is_dataclass(value) and _is_of_this_room(own.__module__):
        cells = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        defaults = _defaults(own)
        fields = {
            name: part if type(part) in _PLAIN else encoded(part)
            for name, part in cells.items()
            if name not in defaults or part != defaults[name]
        }
        return {"record": f"{own.__module__}.{own.__qualname__}", "fields": fields}
    what = f"a saved task cannot hold a {own.__module__}.{own.__qualname__}, such as {str(value)[:40]!r}"
    raise InputError(Problem("", what, "Make such labels texts or numbers."))


def decoded(value: Any) -> Any:
    """What `encoded` wrote.

    Raises:
        ValueError: It is nothing that `encoded` writes.
    """
    match value:
        case {"tuple": list(parts)}:
            return tuple(part if type(part) in _PLAIN else decoded(part) for part in parts)
        case {"set": list(parts)}:
            return frozenset(map(decoded, parts))
        case {"mapping": list(pairs)}:
            return {decoded(key): decoded(part) for key, part in pairs}
        case {"record": str(name), "fields": dict(fields)}:
            return _record(name, fields)
        case dict() if len(value) == 1 and (found := _WRITTEN.get(next(iter(value)))):
            return found[2](*value.values())
        case dict():
            raise ValueError(f"neither a record nor a plain value: {str(value)[:80]}")
        case list():
            return [decoded(part) for part in value]
    return value


def write_head(path: Path, values: Mapping[str, Any]) -> None:
    """Writes the parts of a Task that are no arrays."""
    replace(path, json.dumps({"format": TASK_FORMAT, **{name: encoded(value) for name, value in values.items()}}))


def read_head(path: Path) -> dict[str, Any]:
    """What `write_head` wrote.

    Raises:
        OSError: It is not there, or cannot be read.
        ValueError: It is damaged, or of a newer version.
    """
    values = json.loads(path.read_bytes())
    if not isinstance(values, dict) or values.pop("format", None) != TASK_FORMAT:
        raise ValueError(f"{path.name} is not in format {TASK_FORMAT} of a saved task")
    return {name: decoded(value) for name, value in values.items()}


def read_pickle(path: Path, *, trusted: bool) -> tuple[Any, dict[str, Any]]:
    """The Task without rows and what was computed of it, as an older version pickled them.

    Raises:
        OSError: It is not there, or cannot be read.
        RunError: It is not `trusted`.
        ValueError: It is damaged, or names what no Task is made of; that was not run.
    """
    content = path.read_bytes()
    if not trusted:
        other = unusual_names(content)
        names = f"; it names {', '.join(other[:5])}" if other else ""
        raise RunError(
            f"{path} was written by an older AutoMeta as a pickle, and not by you on this machine: reading it can run "
            f"code that is in it{names}. If you trust whoever made it, use --trust (in Python: trusted=True)"
        )
    try:
        bare, computed = restricted(content, _is_of_a_task)
    except Exception as error:
        raise ValueError(f"{path.name}: {error}") from error
    return bare, computed


def _is_of_this_room(module: str) -> bool:
    return module == ROOM or module.startswith(f"{ROOM}.")


def _is_of_a_task(module: str, name: str) -> bool:
    if f"{module}.{name}" in _PICKLED_NAMES:
        return True
    return _is_of_this_room(module) and "." not in name and _record_class(module, name) is not None


@cache
def _record_class(module: str, name: str) -> type | None:
    """The record of this room that is called so, today or before; None where there is none."""
    if not _is_of_this_room(module):
        return None
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    ours = isinstance(found, type) and dataclasses.is_dataclass(found) and _is_of_this_room(found.__module__)
    return found if ours else None


@cache
def _known(kind: Any) -> frozenset[str]:
    """The fields of a record by which it is called."""
    return frozenset(field.name for field in dataclasses.fields(kind) if field.init)


@cache
def _defaults(kind: Any) -> dict[str, Any]:
    """The fields of a record that may be left out, each with what it is then."""
    found = dataclasses.fields(kind)
    return {field.name: field.default for field in found if field.default is not dataclasses.MISSING}


def _record(name: str, fields: Mapping[str, Any]) -> Any:
    module, _, own = name.rpartition(".")
    kind: Any = _record_class(module, own)
    if kind is None:
        raise ValueError(f"{name!r} is no record of a task")
    known = _known(kind)
    try:
        return kind(
            **{
                field: value if type(value) in _PLAIN else decoded(value)
                for field, value in fields.items()
                if field in known
            }
        )
    except TypeError as error:
        raise ValueError(f"{name} cannot be made: {error}") from error
