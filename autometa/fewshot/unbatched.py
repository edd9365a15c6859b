"""Whether a function of one task is called for that task alone, or mapped over tasks by `torch.func.vmap`.

Called for one task at a time (the back end ``loop``), autograd's own tape and torch's own layers serve, which cost
less. Under vmap they are slower or wrong: mapped over tasks, torch's batch norm gives wrong second derivatives.

Law: both ways give the same numbers, to rounding, so what is kept here decides about time and never about a result.
It is a context variable and no argument, since a learner's methods are functions of weights and one task, whoever
calls them; each thread has its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_unbatched: ContextVar[bool] = ContextVar("unbatched", default=False)


@contextlib.contextmanager
def unbatched() -> Iterator[None]:
    """Within, functions of a task are called for one task at a time.

    Example:
        >>> is_unbatched()
        False
        >>> with unbatched():
        ...     is_unbatched()
        True
    """
    token = _unbatched.set(True)
    try:
        yield
    finally:
        _unbatched.reset(token)


def is_unbatched() -> bool:
    """Whether this is within `unbatched`."""
    return _unbatched.get()
