"""What the results so far say about all other configurations of a task.

The prior is a kernel density over the normalised scores of past tasks: one Gaussian around each, with a common
covariance that says which configurations rise and fall together. The results then do two things to each past task: they
change its weight, by how likely they are if this task were like it, and they move it, by what they say about the
difference. Without the second, no weight can describe a task that is like none of the past; without the first, it is
one Gaussian, which cannot say "like these or like those".

The unit of the scores is not known: ``score = a + b z`` with normalised scores z. The offset `a` gets a broad prior,
the scale `b` a grid around the ratio of the spreads. A failure is a normalised score of 0, which needs no unit.

Why this stands beside `gaussian.Adapted`, which does the like: here the past is a finite *table*, and its columns are
all that is asked about. Each past task has a spread of its own where an entry was imputed, hence a covariance, a
Cholesky factor and a gain of its own, and failures are results like others, at the known end of a bounded scale. There
the past is a few *processes* over the whole space, on a scale without an end below: failures are no scores, all prior
means share one covariance, and one factorisation serves all means and scales, which is what makes 256 candidates and
300 results cost milliseconds. One of them could replace the other only where `warm_start.py --ablation` and
`surrogate.py` show regret no worse.

Letters:  t past tasks · m configurations · k results · g grid points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.options import OPTIONS, TransferOptions


@dataclass(frozen=True, slots=True, eq=False)
class Conditioned:
    """A mixture over past tasks: what the new one's normalised scores may be, given its results."""

    weights: NDArray[np.float64]  # (t,) sum to one
    means: NDArray[np.float64]  # (t, m)
    spread: NDArray[np.float64]  # (m,) standard deviation of the difference to the incumbent, within a component


def covariance(
    normalised: NDArray[np.float64],  # (t, m)
    spread: NDArray[np.float64],  # (t, m) standard deviation of single entries, 0 where measured
    shrinkage: float = OPTIONS.shrinkage,
) -> NDArray[np.float64]:  # (m, m)
    """Which configurations rise and fall together over past tasks, drawn to its diagonal by `shrinkage`."""
    centred = normalised - normalised.mean(axis=0)
    whole = centred.T @ centred / max(len(normalised), 1)
    own = np.diag(whole) + (spread**2).mean(axis=0)
    return (1 - shrinkage) * whole + np.diag(own - (1 - shrinkage) * np.diag(whole)) + 1e-9 * np.eye(len(whole))


def condition(
    prior: NDArray[np.float64],  # (t,) weights
    means: NDArray[np.float64],  # (t, m)
    spread: NDArray[np.float64],  # (t, m) standard deviation of single entries, 0 where measured
    kernel: NDArray[np.float64],  # (m, m) covariance within a component
    columns: NDArray[np.int64],  # (k,) the configurations with a result
    scores: NDArray[np.float64],  # (k,) in any unit, larger is better; -inf failed; at least two are finite
    *,
    options: TransferOptions = OPTIONS,
) -> Conditioned:
    """Weights, means and spread after the results."""
    k, finite = len(columns), np.isfinite(scores)
    y = scores[finite] - scores[finite].mean()
    there, entries = means[:, columns], spread[:, columns]  # (t, k)
    joint = kernel[np.ix_(columns, columns)] + options.result_noise**2 * np.eye(k)
    centred = there[:, finite] - there[:, finite].mean(axis=1, keepdims=True)
    usual = np.sqrt((centred**2).mean() + np.diag(joint)[finite].mean())
    if y.std() < 1e-12 * max(1.0, float(np.abs(scores[finite]).max())):
        y, scales = np.zeros_like(y), np.ones(1)  # all the same: their spread tells nothing of their unit
    else:
        y, scales = y / y.std() * usual, np.exp(np.linspace(*options.table_log_scales))
    seen = np.zeros((len(scales), k))  # (g, k) the results as normalised scores; 0 where failed
    seen[:, finite] = scales[:, None] * y + float((prior @ there)[finite].mean())
    offset = options.offset_std * finite  # failures have no unit
    joint = joint + np.outer(offset, offset)
    per_task = joint + entries[:, :, None] ** 2 * np.eye(k)  # (t, k, k)
    factor = np.linalg.cholesky(per_task)
    gap = seen[None] - there[:, None]  # (t, g, k)
    solved = np.linalg.solve(factor, gap.transpose(0, 2, 1))  # (t, k, g)
    log = -0.5 * (solved**2).sum(axis=1) - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)[:, None]
    log = log + (finite.sum() - 1) * np.log(scales) + np.log(np.maximum(prior, 1e-300))[:, None]  # (t, g)
    largest = log.max(axis=1)
    each = np.exp(log - largest[:, None])
    weights = np.exp(largest - largest.max()) * each.sum(axis=1)
    mean_gap = np.einsum("tg,tgk->tk", each / each.sum(axis=1, keepdims=True), gap)
    gain = np.linalg.solve(per_task, mean_gap[..., None])[..., 0]  # (t, k)
    moved = means + gain @ kernel[columns]
    weights = weights / weights.sum()

    incumbent = int(columns[np.flatnonzero(finite)[np.argmax(scores[finite])]])
    reduced = np.linalg.solve(joint, kernel[columns])  # (k, m); of a task without imputed entries, which differs little
    variance = np.diag(kernel) - (kernel[columns] * reduced).sum(axis=0)
    shared = kernel[:, incumbent] - kernel[columns].T @ reduced[:, incumbent]
    return Conditioned(weights, moved, np.sqrt(np.maximum(variance + variance[incumbent] - 2 * shared, 0.0)))
