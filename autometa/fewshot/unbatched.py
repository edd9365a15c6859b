"""Whether functions of one task are called as they are, or mapped over tasks.

What is called as it is (the back end ``loop``) may use autograd's own tape and torch's own layers. Mapped over tasks,
those cost more or are wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_alone: ContextVar[bool] = ContextVar("alone", default=False)


@contextlib.contextmanager
def one_by_one() -> Iterator[None]:
    """Within, functions of a task are called as they are."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def alone() -> bool:
    """Whether this is within `one_by_one`."""
    return _alone.get()
