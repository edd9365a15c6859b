"""How far past tasks can be compared with the task at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.space import SearchSpace
from autometa.store import PastTasks
from autometa.transfer.similarity import Similarity, prior_weights, rows_of

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures


def same_encoding(one: SearchSpace, other: SearchSpace) -> bool:
    """Whether two spaces encode alike: their defaults may differ."""
    return [(p.name, p.distribution, p.when) for p in one] == [(p.name, p.distribution, p.when) for p in other]


def task_weights(past: PastTasks, metafeatures: MetaFeatures | None) -> NDArray[np.float64] | None:
    """The weight of each past task before there is any result, (t,); None where nothing can be compared."""
    if metafeatures is None or not past.metafeature_names:
        return None
    seen = Similarity(past.metafeatures, tuple(past.metafeature_names), past.metafeature_version).to(metafeatures)
    sizes = np.array([record.n_rows for record in past.records], dtype=float)
    return None if seen is None else prior_weights(sizes, rows_of(metafeatures), None if seen.strange else seen)
