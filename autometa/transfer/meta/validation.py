"""How well a surrogate predicts tasks that it did not learn from.

Letters:  t tasks · m configurations · d encoded dimensions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.meta.surrogate import Surrogate
from autometa.transfer.observation import History
from autometa.transfer.scale import Warp


def judged(
    surrogate: Surrogate,
    x: NDArray[np.float64],  # (m, d)
    mask: NDArray[np.bool_],  # (m, d)
    scores: NDArray[np.float64],  # (t, m)
    *,
    seed: int = 0,
    supports: tuple[int, ...] = (3, 10, 25),
    most: int = 40,
) -> dict[str, dict[str, float]]:
    """How well held-out tasks are predicted: per support size, log density, correlation and coverage of intervals.

    Supports and up to `most` queries are drawn at random; densities are of the warped score, by what is known of the
    support alone.

    See Also:
        `train`.

    Example:
        >>> from autometa.space import SearchSpace, real
        >>> from autometa.store import PastTasks, TaskRecord
        >>> from autometa.transfer import train
        >>> space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
        >>> records = tuple(TaskRecord(f"{i}", f"task {i}", "binary", "roc_auc", 100, 5, 2) for i in range(4))
        >>> configs = tuple({"x": k / 9} for k in range(10))
        >>> scores = np.array([[1 - (c["x"] - 0.6 - 0.05 * i) ** 2 for c in configs] for i in range(4)])
        >>> past = PastTasks(records, configs, scores, np.ones((4, 10)), np.zeros((4, 0)), (), "1")
        >>> surrogate, points = train(past, space, steps=2, validation=0.0), space.encode_all(configs)
        >>> sorted(judged(surrogate, points.x, points.mask, scores, supports=(3,)))
        ['3']
    """
    from scipy.special import ndtri
    from scipy.stats import spearmanr

    out = {}
    for support in supports:
        rng = np.random.default_rng([seed, support])
        density: list[float] = []
        correlation: list[float] = []
        inside: dict[int, list[float]] = {50: [], 80: [], 95: []}
        for row in scores:
            known = rng.permutation(np.flatnonzero(np.isfinite(row)))
            if len(known) < support + 5:
                continue
            seen, query = known[:support], known[support : support + most]
            warp = Warp.of(row[seen])
            truth = warp(row[query])
            mean, std, *_ = surrogate.posterior(History(x[seen], mask[seen], row[seen]), x[query], mask[query])
            z = (truth - mean) / std
            density.append(float(np.mean(-0.5 * z**2 - np.log(std) - 0.5 * np.log(2 * np.pi))))
            if truth.std() > 0 and mean.std() > 0:
                correlation.append(float(spearmanr(truth, mean).statistic))
            for share, found in inside.items():
                found.append(float(np.mean(np.abs(z) <= ndtri(0.5 + share / 200))))
        if density:
            out[str(support)] = {
                "log_density": round(float(np.median(density)), 4),
                "rank_correlation": round(float(np.mean(correlation)), 4) if correlation else 0.0,
                **{f"coverage_{share}": round(float(np.mean(found)), 4) for share, found in inside.items()},
            }
    return out
