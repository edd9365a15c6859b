"""The closed form: a Gaussian process adapted to a task whose offset and scale are unknown.

The scores are ``y = a + b z``, where ``z`` is a Gaussian process with prior means `means` (several, of which one is
right: past tasks, say) and one covariance. `a` is integrated out under a flat prior, `b` summed over a grid in units of
the spread of the scores, so neither the unit nor the best score of the task need be known. One Cholesky factorisation
serves all means and all scales. How this differs from `posterior.condition`, which does the like for a table of past
tasks, stands there.

Law: the evidence is the product of the one-step-ahead predictives in any order; ``y -> c + s y`` moves and scales
what is predicted likewise.

Letters:  m evaluations · q points · e prior means · b scales.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtrs

from autometa.transfer.options import OPTIONS, Grid


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture of Gaussians at each of q points."""

    weights: NDArray[np.float64]  # (c,) sum to one
    mean: NDArray[np.float64]  # (q, c)
    std: NDArray[np.float64]  # (q, c)

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (q,), (q,)
        """Mean and standard deviation of the mixture."""
        mean = self.mean @ self.weights
        second = (self.std**2 + self.mean**2) @ self.weights
        return mean, np.sqrt(np.maximum(second - mean**2, 1e-18))


class Adapted:
    """Prior means and one covariance, adapted to the scores of one task."""

    def __init__(
        self,
        y: NDArray[np.float64],  # (m,)
        means: NDArray[np.float64],  # (m, e)
        covariance: NDArray[np.float64],  # (m, m) with the noise
        log_prior: NDArray[np.float64] | None = None,  # (e,)
        *,
        most: int = 8,
        positions: NDArray[np.int64] | None = None,  # (e,) numbers of the means; by default their own
        scales: Grid = OPTIONS.scales,  # of b, in units of the spread of the scores
    ) -> None:
        """At most `most` means, the most probable ones, take part in predictions; `kept` says which."""
        m, e = means.shape
        prior = np.full(e, -np.log(e)) if log_prior is None else log_prior
        self.log_evidence = 0.0
        self.m = m
        if m == 0:
            keep = np.argsort(-prior, kind="stable")[:most]
            self.kept = keep if positions is None else positions[keep]
            weight = np.exp(prior[keep] - prior[keep].max())
            self.weights = weight / weight.sum()
            return
        self._lower = cholesky(covariance)
        white = solve(self._lower, np.column_stack([np.ones(m), y, means]))  # (m, 2 + e)
        one, wy, wm = white[:, 0], white[:, 1], white[:, 2:]
        precision = float(one @ one)
        spread = float(y.std())
        b = log_spaced(scales) * spread if spread > 1e-12 * max(1.0, float(np.abs(y).max())) else np.ones(1)
        # Residuals are wy / b - wm - c one, so their squares need inner products only.
        wy, wm_centred = wy - one * (one @ wy) / precision, wm - np.outer(one, one @ wm) / precision
        quadratic = (
            (wy @ wy) / b**2
            - 2.0 * (wm_centred.T @ wy)[:, None] / b
            + np.einsum("me,me->e", wm_centred, wm_centred)[:, None]
        )  # (e, b)
        log = (
            prior[:, None]
            - np.log(len(b))
            - 0.5 * quadratic
            - (m - 1) * (np.log(b) + 0.5 * np.log(2 * np.pi))
            - np.log(np.diag(self._lower)).sum()
            - 0.5 * np.log(precision)
        )
        top = log.max()
        joint = np.exp(log - top)  # (e, b)
        self.log_evidence = float(top + np.log(joint.sum()))
        marginal = joint.sum(axis=1)
        keep = np.argsort(-marginal, kind="stable")[:most]
        self.kept = keep if positions is None else positions[keep]
        self.responsibility = joint[keep] / joint.sum()  # (e', b)
        self.weights = self.responsibility.sum(axis=1) / self.responsibility.sum()  # (e',)
        self._b, self._one, self._precision = b, one, precision
        self._wy, self._wm = wy, wm_centred[:, keep]
        self._offset_y = float(white[:, 0] @ white[:, 1]) / precision  # generalised mean of y
        self._offset_m = (white[:, 0] @ white[:, 2:])[keep] / precision  # (e',)

    def predict(
        self,
        means: NDArray[np.float64],  # (q, e') at the points, of the kept means
        cross: NDArray[np.float64],  # (q, m)
        variance: NDArray[np.float64],  # (q,) of the process before any result
    ) -> Mixture:
        """The score at q points: one Gaussian per kept mean, the scales merged by their moments.

        With the noise in `variance` it is the next result's, without it the latent score's.
        """
        if self.m == 0:
            return Mixture(self.weights, means, np.sqrt(np.broadcast_to(variance[:, None], means.shape)))
        v = solve(self._lower, cross.T)  # (m, q)
        reduced = 1.0 - v.T @ self._one  # (q,)
        left = np.maximum(variance - np.einsum("mq,mq->q", v, v), 1e-10) + reduced**2 / self._precision  # (q,)
        # y-hat = [offset_y + v'wy] + b [mean - offset_m - v'wm]: linear in b.
        base = self._offset_y + v.T @ self._wy  # (q,)
        slope = means - self._offset_m - v.T @ self._wm  # (q, e')
        share = self.responsibility / np.maximum(self.responsibility.sum(axis=1, keepdims=True), 1e-300)  # (e', b)
        first, second = share @ self._b, share @ self._b**2  # (e',)
        mean = base[:, None] + slope * first
        spread = left[:, None] * second + slope**2 * np.maximum(second - first**2, 0.0)
        return Mixture(self.weights, mean, np.sqrt(np.maximum(spread, 1e-18)))

    def between(
        self,
        cross: NDArray[np.float64],  # (q, m)
        prior: NDArray[np.float64],  # (q, q) the covariance of the points before any result
    ) -> NDArray[np.float64]:  # (q, q)
        """The covariance of q points after the results, but for the scale, which stretches all of it alike."""
        if self.m == 0:
            return prior
        v = solve(self._lower, cross.T)  # (m, q)
        reduced = (1.0 - v.T @ self._one) / np.sqrt(self._precision)  # (q,)
        return prior - v.T @ v + np.outer(reduced, reduced)


def log_spaced(grid: Grid) -> NDArray[np.float64]:  # (number,)
    """The numbers of a grid, spaced evenly by their logarithms."""
    return np.exp(np.linspace(np.log(grid.low), np.log(grid.high), grid.number))


def cholesky(covariance: NDArray[np.float64]) -> NDArray[np.float64]:  # (m, m) -> (m, m)
    """The lower factor, by LAPACK itself: SciPy's checks cost more than the work at these sizes.

    A covariance that is not positive definite in floating point is lifted on its diagonal until it is.
    """
    lift = 0.0
    while True:
        lower, failed = dpotrf(covariance + lift * np.eye(len(covariance)), lower=1, clean=1)
        if not failed:
            return lower
        if not np.isfinite(covariance).all():
            raise ValueError("a covariance is not finite")
        lift = max(1e-8 * float(np.trace(covariance)) / len(covariance), 10.0 * lift)


def solve(lower: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The solution x of ``lower @ x = right``, for a lower triangular matrix of full rank."""
    return dtrtrs(lower, right, lower=1)[0]
