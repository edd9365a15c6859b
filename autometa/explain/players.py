"""What is asked together: each column by itself, and the numbers of a vector as one.

A number of an embedding says nothing alone, another one says nearly the same, and a thousand of them would each be
asked apart.

Letters:  n rows · p columns · q players.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.vectors import vector_groups


def players(X: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """What each is called, and its columns, in the order of the table; a vector by what stands before its numbers.

    Args:
        X: (n, p) typed features.

    Example:
        >>> table = pd.DataFrame(np.zeros((2, 64)), columns=[f"emb_{k}" for k in range(64)]).assign(age=3.0)
        >>> {name: len(columns) for name, columns in players(table).items()}
        {'emb': 64, 'age': 1}
    """
    numeric = [str(name) for name, dtype in X.dtypes.items() if pd.api.types.is_numeric_dtype(dtype)]
    return players_among([str(name) for name in X.columns], numeric)


def players_among(names: Sequence[str], numeric: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The same, of columns of which some are numeric.

    Example:
        >>> players_among(["a", "b"], ["a"])
        {'a': ('a',), 'b': ('b',)}
    """
    own = {name: vector for vector, columns in vector_groups(numeric).items() for name in columns}
    taken, found = set(names) - set(own), dict[str, list[str]]()
    for name in names:
        vector = own.get(name)
        found.setdefault(name if vector is None else f"{vector}_*" if vector in taken else vector, []).append(name)
    return {name: tuple(columns) for name, columns in found.items()}


def places_of(X: pd.DataFrame) -> NDArray[np.intp]:  # (p,)
    """Which player each column of a table belongs to.

    Example:
        >>> places_of(pd.DataFrame({"a": [1.0], "b": [2.0]})).tolist()
        [0, 1]
    """
    own = {column: place for place, columns in enumerate(players(X).values()) for column in columns}
    return np.array([own[str(name)] for name in X.columns], dtype=np.intp)
