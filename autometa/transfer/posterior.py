"""What the results so far say about all other configurations of a task.

The prior is a kernel density over the standings of past tasks: one Gaussian around each, with a common covariance that
says which configurations rise and fall together. The results then do two things to each past task: they change its
weight, by how likely they are if this task were like it, and they move it, by what they say about the difference.
Without the second, no weight can describe a task that is like none of the past; without the first, it is one
Gaussian, which cannot say "like these or like those".

The unit of the scores is not known: ``score = a + b standing``. `a` gets a broad prior, `b` a grid around the ratio of
the spreads. A failure is a standing of 0, which needs no unit.

Letters:  t past tasks · m configurations · k results · g grid points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRETCHES = np.exp(np.linspace(-1.2, 1.2, 7))  # (g,)
SHIFT = 0.3  # standard deviation of `a`, in units of standing
SHRINKAGE = 0.1  # of the covariance towards its diagonal


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """A mixture over past tasks: what the new one's standings may be."""

    weights: NDArray[np.float64]  # (t,) sum to one
    means: NDArray[np.float64]  # (t, m)
    spread: NDArray[np.float64]  # (m,) standard deviation of the difference to the incumbent, within a component


def covariance(standing: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:  # (m, m)
    """Which configurations rise and fall together over past tasks; `spread` is the uncertainty of the standings."""
    centred = standing - standing.mean(axis=0)
    whole = centred.T @ centred / max(len(standing), 1)
    own = np.diag(whole) + (spread**2).mean(axis=0)
    return (1 - SHRINKAGE) * whole + np.diag(own - (1 - SHRINKAGE) * np.diag(whole)) + 1e-9 * np.eye(len(whole))


def condition(
    prior: NDArray[np.float64],  # (t,) weights
    means: NDArray[np.float64],  # (t, m)
    spread: NDArray[np.float64],  # (t, m) standard deviation of single cells, 0 where measured
    kernel: NDArray[np.float64],  # (m, m) covariance within a component
    columns: NDArray[np.int64],  # (k,) the configurations with a result
    scores: NDArray[np.float64],  # (k,) in any unit, larger is better; -inf failed; at least two are finite
    *,
    noise: float,
) -> Posterior:
    """Weights, means and spread after the results."""
    k, finite = len(columns), np.isfinite(scores)
    y = scores[finite] - scores[finite].mean()
    there, cells = means[:, columns], spread[:, columns]  # (t, k)
    joint = kernel[np.ix_(columns, columns)] + noise**2 * np.eye(k)
    centred = there[:, finite] - there[:, finite].mean(axis=1, keepdims=True)
    usual = np.sqrt((centred**2).mean() + np.diag(joint)[finite].mean())
    if y.std() < 1e-12 * max(1.0, float(np.abs(scores[finite]).max())):
        y, stretches = (
            np.zeros_like(y),
            np.ones(1),
        )  # all the same: the spread of the scores tells nothing of their unit
    else:
        y, stretches = y / y.std() * usual, STRETCHES
    seen = np.zeros((len(stretches), k))  # (g, k) the results in units of standing; 0 where failed
    seen[:, finite] = stretches[:, None] * y + float((prior @ there)[finite].mean())
    shift = SHIFT * finite  # failures have no unit to shift
    joint = joint + np.outer(shift, shift)
    per_task = joint + cells[:, :, None] ** 2 * np.eye(k)  # (t, k, k)
    factor = np.linalg.cholesky(per_task)
    gap = seen[None] - there[:, None]  # (t, g, k)
    solved = np.linalg.solve(factor, gap.transpose(0, 2, 1))  # (t, k, g)
    log = -0.5 * (solved**2).sum(axis=1) - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)[:, None]
    log = log + (finite.sum() - 1) * np.log(stretches) + np.log(np.maximum(prior, 1e-300))[:, None]  # (t, g)
    largest = log.max(axis=1)
    each = np.exp(log - largest[:, None])
    weights = np.exp(largest - largest.max()) * each.sum(axis=1)
    mean_gap = np.einsum("tg,tgk->tk", each / each.sum(axis=1, keepdims=True), gap)
    gain = np.linalg.solve(per_task, mean_gap[..., None])[..., 0]  # (t, k)
    moved = means + gain @ kernel[columns]
    weights = weights / weights.sum()

    incumbent = int(columns[np.flatnonzero(finite)[np.argmax(scores[finite])]])
    reduced = np.linalg.solve(joint, kernel[columns])  # (k, m); of a task without holes, which differs little
    variance = np.diag(kernel) - (kernel[columns] * reduced).sum(axis=0)
    shared = kernel[:, incumbent] - kernel[columns].T @ reduced[:, incumbent]
    return Posterior(weights, moved, np.sqrt(np.maximum(variance + variance[incumbent] - 2 * shared, 0.0)))
