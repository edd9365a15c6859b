"""What stands beside a table in memory: groups, moments and weights of its rows, as more columns.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from autometa.errors import InputError, Problem


def with_columns(
    frame: pd.DataFrame | NDArray[Any],
    groups: ArrayLike | None,
    time_order: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> tuple[pd.DataFrame | NDArray[Any], str | None, str | None, str | None]:
    """The table with groups, moments and weights as more columns, and their names; None where there are none."""
    named = {"autometa:group": groups, "autometa:time": time_order, "autometa:sample_weight": sample_weight}
    extra = {name: np.asarray(values) for name, values in named.items() if values is not None}
    if extra:
        frame = pd.DataFrame(frame).reset_index(drop=True)
        wrong = [
            Problem(name, f"has {len(v)} entries for {len(frame)} rows")
            for name, v in extra.items()
            if len(v) != len(frame)
        ]
        if wrong:
            raise InputError(wrong)
        frame = pd.concat([frame, pd.DataFrame(extra)], axis=1)
    group, order, weight = (name if name in extra else None for name in named)
    return frame, group, order, weight
