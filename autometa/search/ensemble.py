"""Which evaluated pipelines predict together, and with which weights.

Greedy selection with replacement over out-of-fold predictions (Caruana et al., ICML 2004): start from the best single
pipeline and add, again and again, the one whose addition helps the ensemble most. Nothing is trained.

Letters:  n rows · c classes · m candidates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autometa.search.options import OPTIONS


def greedy_ensemble(
    predictions: Sequence[NDArray[np.float64]],  # m x (n,) or (n, c); best first
    score: Callable[[NDArray[np.float64]], float],  # larger is better
    *,
    rounds: int = OPTIONS.ensemble_rounds,
    out_of_time: Callable[[], bool] = lambda: False,
    most: int | None = None,
    costs: Sequence[float] | None = None,
    limit: float = math.inf,
) -> NDArray[np.float64]:  # (m,) weights, at least 0, sum 1
    """Weights of a greedy ensemble; all on the first candidate when nothing improves on it.

    Each round adds the candidate that gives the best score. The rounds up to the best score seen are kept. Ties go to
    the earlier candidate, so the result depends on nothing but its arguments. Once `most` candidates have a weight, no
    other gets one. What those that have one cost together stays within `limit`, but for the first.

    Example:
        >>> y = np.arange(20.0)
        >>> greedy_ensemble([y + 1, y - 1], lambda p: -float(((p - y) ** 2).mean()))
        array([0.5, 0.5])

    Source:
        Caruana, Niculescu-Mizil, Crew, Ksikes: Ensemble selection from libraries of models. ICML 2004.
    """
    counts = np.zeros(len(predictions), dtype=int)
    counts[0] = 1
    total = np.array(predictions[0], dtype=np.float64)
    best_score, best_counts = score(total), counts.copy()
    for size in range(2, rounds + 2):
        full = most is not None and (counts > 0).sum() >= most
        if len(predictions) == 1 or most == 1 or out_of_time():
            break
        allowed = counts > 0 if full else np.ones(len(counts), dtype=bool)
        if costs is not None:
            allowed &= (counts > 0) | (np.asarray(costs)[counts > 0].sum() + np.asarray(costs) <= limit)
        scores = np.full(len(counts), -np.inf)
        scores[allowed] = [score((total + predictions[k]) / size) for k in np.flatnonzero(allowed).tolist()]
        if not np.isfinite(scores).any():
            break
        pick = int(np.nanargmax(scores))
        counts[pick] += 1
        total += predictions[pick]
        if scores[pick] > best_score:
            best_score, best_counts = scores[pick], counts.copy()
    return best_counts / best_counts.sum()
