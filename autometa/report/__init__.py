"""What people look at after a search: one HTML file that opens anywhere, offline, on a phone, in the dark, on paper.

    words      how scores, families and origins are said
    findings   curves, tables and importances from out-of-fold predictions
    charts     inline SVG
    html       escaping by construction
    page       the sections, the style sheet and the script

Laws: the file refers to nothing outside itself, and its content security policy lets only its own script run; no text
from a table becomes markup. To add a section, write a function in `page` and give it a line in `SECTIONS`.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["write"]


def write(
    result: Any,
    path: str | Path,
    *,
    predict: Callable[[pd.DataFrame], NDArray[np.float64]] | None = None,
    seconds: float = 5.0,
) -> Path:
    """Writes the report of a finished search.

    Args:
        result: A `search.Result`.
        path: The HTML file; one that is there is replaced.
        predict: The final model on typed features, (n, p) -> (n,) values or (n, c) probabilities; with it, permutation
            importance is measured.
        seconds: How long that may take.

    Returns:
        `path`.
    """
    import os

    from autometa.report.findings import permutation_importance
    from autometa.report.page import Report, page

    path = Path(path)
    found = (
        []
        if predict is None
        else permutation_importance(result.task, predict, seconds=seconds, seed=result.settings.seed)
    )
    text = page(Report(result, found, importance_wanted=predict is not None))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8", errors="replace")
    temporary.replace(path)
    return path
