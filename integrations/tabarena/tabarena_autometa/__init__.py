"""AutoMeta as a system of TabArena: what fits and predicts, which configurations are run, and who it is."""

from __future__ import annotations

from typing import Any

__all__ = ["AutoMetaSystemModel", "autometa_info", "gen_autometa"]

_WHERE = {"AutoMetaSystemModel": "system", "autometa_info": "info", "gen_autometa": "hpo"}


def __getattr__(name: str) -> Any:
    """Names are imported when they are asked for, as TabArena's own systems are."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
