"""One inner split of training rows, for early stopping and calibration.

Law: every class keeps a row in the training part; the same seed gives the same split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def inner_split(
    y: NDArray[Any],  # (n,) class codes or values
    *,
    classification: bool,
    fraction: float,
    seed: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:  # training rows, validation rows
    """Holds out about `fraction` of the rows; of each class the same share, rounded at random.

    A class of one row stays in training. At least one row is held out when there are two of anything.

    Example:
        >>> train, valid = inner_split(np.array([0, 0, 0, 0, 1]), classification=True, fraction=0.25, seed=0)
        >>> len(train), len(valid)
        (4, 1)
    """
    rng = np.random.default_rng(seed)
    groups = np.unique(y, return_inverse=True)[1] if classification else np.zeros(len(y), dtype=np.intp)
    order = rng.permutation(len(y))
    order = order[np.argsort(groups[order], kind="stable")]  # groups one after another, each shuffled
    sizes = np.bincount(groups)
    rank = np.arange(len(y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # place of each row within its group
    wanted = np.floor(sizes * fraction + rng.random(len(sizes))).astype(np.intp)
    if wanted.sum() == 0:
        wanted[np.argmax(sizes)] = 1
    wanted = np.minimum(wanted, sizes - 1)
    held = rank < np.repeat(wanted, sizes)
    return np.sort(order[~held]), np.sort(order[held])
