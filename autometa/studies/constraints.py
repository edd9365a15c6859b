"""What past studies said of constraints, in the space as it is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autometa.space import Encoded, SearchSpace
from autometa.store.told import ToldTask
from autometa.studies.adapting import today
from autometa.studies.keeping import CONSTRAINT
from autometa.transfer.feasibility import ToldConstraint, pooled
from autometa.transfer.options import OPTIONS


def told_constraints(
    told: Sequence[ToldTask], space: SearchSpace, renamed: Mapping[str, str]
) -> dict[str, ToldConstraint]:
    """By the name of the constraint, what past studies said of it; of each study an even selection.

    See Also:
        `autometa.remember_study`.

    Example:
        >>> told_constraints([], SearchSpace([]), {})
        {}
    """
    parts: dict[str, list[tuple[Encoded, NDArray[np.float64]]]] = {}
    for task in told[-OPTIONS.constraint_past // 4 :]:
        fitted = [today(config, space, renamed) for config in task.configs]
        for metric, values in task.metrics.items():
            rows = [row for row in np.flatnonzero(~np.isnan(values)) if fitted[row] is not None]
            if metric.startswith(CONSTRAINT) and rows:
                where = space.encode_all([config for row in rows if (config := fitted[row]) is not None])
                parts.setdefault(metric.removeprefix(CONSTRAINT), []).append((where, values[rows]))
    return {name: pooled(found, OPTIONS.constraint_past) for name, found in parts.items()}
