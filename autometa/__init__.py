"""AutoMeta gives hyperparameter search a memory.

Public names load on first use, so that `import autometa` costs milliseconds and `autometa --help` answers at once.
"""

from __future__ import annotations

import importlib
from typing import Any

from autometa import moved

__version__ = "0.1.0"

_HOMES = {
    "AutoMetaClassifier": "estimator",
    "AutoMetaRegressor": "estimator",
    "load_model": "search",
    "MetaStore": "store",
    "WarmStartSampler": "sampler",
    "ImprobableWinPruner": "pruner",
    "remember": "studies",
    "remember_study": "studies",
    "SearchSpace": "space",
    "Task": "task",
    "read_task": "task",
    "make_task": "task",
    "describe": "metafeatures",
    "FewShotClassifier": "fewshot",
    "InputError": "errors",
    "StoreError": "errors",
    "RunError": "errors",
    "OpenMLError": "errors",
    "NoModelError": "errors",
    "AutoMetaError": "errors",
}

__all__ = ["__version__", *_HOMES]

moved.install()


def __getattr__(name: str) -> Any:
    """Imports the room of a public name when the name is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'autometa' has no attribute {name!r}")
    return getattr(importlib.import_module(f"autometa.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
