"""Linear algebra on one thread, for as long as transfer calculates.

Its matrices are small: many threads wait for one another far longer than they calculate. On two busy cores 200 products
and factorisations of 60 by 60 took 10 s on two threads and .08 s on one.

Law: the number of threads is as it was once the calculation ends. It is the process's own, so only the main thread
changes it: of several that did so at once, the last would leave what another had set.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """As a context or a decorator; in another thread than the main one it does nothing.

    Example:
        >>> with one_thread():
        ...     [library["num_threads"] for library in _libraries().info()][:1]
        [1]
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _libraries().limit(limits=1):
        yield


@cache
def _libraries() -> Any:
    """The libraries of linear algebra in this process: NumPy's, and SciPy's own, which is loaded for it."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
