"""Names of a room that are imported when they are first asked for: who needs a few of them does not load all."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def late(room: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a room: each name is in the file that `homes` says.

    Example:
        >>> late("autometa.evaluation", {"Dummy": "dummy"})("Dummy").__name__
        'Dummy'
    """

    def found(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{room}.{homes[name]}"), name)

    return found
