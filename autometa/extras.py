"""What is not installed with AutoMeta, and is needed for some of it: an extra that is missing is said in one message.

Base installation and start stay small: what few people need is an extra, imported where it is used.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from autometa.errors import InputError, Problem

EXTRAS: Mapping[str, tuple[str, ...]] = {  # the modules that an extra of pyproject.toml brings
    "serve": ("fastapi", "uvicorn"),
    "mcp": ("mcp",),
    "plots": ("matplotlib",),
    "mlflow": ("mlflow",),
}


def need(extra: str, what: str) -> None:
    """Refuses what needs an extra that is not installed, and says how to install it.

    Args:
        extra: Of `EXTRAS`.
        what: Needs it.

    Raises:
        InputError: A module of it is not there.

    Example:
        >>> need("plots", "plot_importance")
    """
    lacking = [module for module in EXTRAS[extra] if importlib.util.find_spec(module) is None]
    if lacking:
        names = " and ".join(lacking)
        verb = "is" if len(lacking) == 1 else "are"
        fix = f"pip install 'autometa-ml[{extra}]'."
        raise InputError(Problem(what, f"needs {names}, which {verb} not installed", fix))
