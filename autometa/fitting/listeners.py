"""Who is told of every search that ends with a model, beside whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autometa.search import Progress, Result

LISTENERS: dict[str, Callable[[Result], object]] = {}  # by name; `autometa.tracking.autolog` puts itself here


def tell_of(result: Result, progress: Progress) -> None:
    """Tells everybody of a finished search; one who fails is a note, and the search is no less finished.

    Example:
        >>> from autometa.search import Silent, open_run
        >>> LISTENERS["example"] = lambda result: print(result.task.target)
        >>> tell_of(open_run(run), Silent())
        target
        >>> del LISTENERS["example"]
    """
    for name, listener in list(LISTENERS.items()):
        try:
            listener(result)
        except Exception as error:  # noqa: BLE001 - what another's library does is no fault of the search
            progress.note(f"{name} was not told of this run: {type(error).__name__}: {error}")
