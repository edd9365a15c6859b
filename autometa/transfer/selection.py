"""Fewer of many things, always the same ones: even selections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly(n: int, most: int) -> NDArray[np.int64]:
    """Positions of at most `most` of n things, evenly over them, the first and the last among them.

    Example:
        >>> evenly(9, 3), evenly(2, 3)
        (array([0, 4, 8]), array([0, 1]))
    """
    return np.linspace(0, n - 1, max(min(n, most), 0)).astype(np.int64)


def foremost(order: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of what is ordered, the best first: the best third of that, and an even selection of the others.

    Example:
        >>> foremost(np.arange(100), 6)
        array([ 0,  1,  2, 34, 66, 99])
    """
    first = max(most // 3, 1)
    rest = order[first:]
    return np.concatenate([order[:first], rest[evenly(len(rest), most - first)]])
