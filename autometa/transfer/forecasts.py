"""The past tasks as experts: each says that this task is like it, up to an offset, a scale and a smooth residual.

Every past task's warped scores are interpolated by a Gaussian process over the configurations that it has tried, so
that it has a forecast everywhere. Results of the task at hand weigh the past tasks by their evidence, all at once: they
share one covariance, that of the residual, hence one Cholesky factorisation.

Letters:  t past tasks · m configurations of the past · q points · d encoded dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve

from autometa.transfer.cost import Cost
from autometa.transfer.gaussian import cholesky
from autometa.transfer.kernels import Layout, matern, squares
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.scale import warped

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks


class PastForecasts:
    """The past within one space: encoded configurations, warped scores, and an interpolation per task."""

    def __init__(
        self,
        past: PastTasks,
        layout: Layout,
        *,
        metafeatures: MetaFeatures | None = None,
        forecasting: bool = True,
        options: TransferOptions = OPTIONS,
    ) -> None:
        """Leaves out what the space does not contain, and tasks with fewer than three different scores.

        `metafeatures` say how large the task at hand is. Without `forecasting` the interpolation is spared.
        """
        self.options, space = options, layout.space
        scores = np.asarray(past.scores, dtype=float).reshape(len(past.records), len(past.configs))
        fits = np.array([space.contains(config) for config in past.configs], dtype=bool)
        columns = np.flatnonzero(fits)
        known = np.isfinite(scores[:, columns]).sum(axis=0)
        z = warped(scores[:, columns])
        peak = np.max(np.where(np.isfinite(z), z, -np.inf), axis=0, initial=-np.inf)
        columns = columns[np.lexsort((-peak, -known))][: options.past_configurations]
        columns = np.sort(columns[np.isfinite(scores[:, columns]).any(axis=0)]) if len(columns) else columns
        telling = np.array([len(set(row[np.isfinite(row)])) > 2 for row in scores[:, columns]], dtype=bool)
        self.rows = np.flatnonzero(telling)  # of the past tasks
        self.scores = scores[telling][:, columns]  # (t, m)
        self.columns = columns
        self.configs = tuple(past.configs[j] for j in columns)
        self.x, self.mask = space.encode_all(self.configs)
        self.z = warped(self.scores)  # (t, m) NaN where unknown
        self.layout = layout
        self.t, self.m = self.z.shape
        self.here = self._places(self.x, self.mask)
        seconds = np.asarray(past.seconds, dtype=float).reshape(scores.shape)[telling][:, columns]
        self._time(Cost.learned([past.records[i] for i in self.rows], self.configs, seconds, options), metafeatures)
        if forecasting:
            self._interpolate()

    def _places(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        size = np.sqrt(self.layout.size(mask))[:, None]
        return self.layout.places(x, mask) / size, self.layout.family(x)

    def _near(self, a: tuple[NDArray, NDArray], b: tuple[NDArray, NDArray], length: float) -> NDArray[np.float64]:
        return matern(squares(a[0], b[0]) / length**2) * (a[1][:, None] == b[1][None, :])

    def _interpolate(self) -> None:
        """Solves every task's process once; the length scale is the one under which the past is most likely."""
        best = -np.inf
        for length in self.options.past_lengths:
            kernel = self._near(self.here, self.here, length)
            same = (self.here[1][:, None] == self.here[1][None, :]).astype(float)
            coefficients, levels, evidence = self._solve(kernel + 0.5 * same)
            if evidence > best or not self.t:
                best, self.length = evidence, length
                self._coefficients, self._levels = coefficients, levels

    def _solve(self, kernel: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Coefficients, (m, t), levels, (t,), and the evidence of all; tasks with the same entries share the work."""
        per_task = self.options.per_task
        coefficients, levels, total = np.zeros((self.m, self.t)), np.zeros(self.t), 0.0
        groups: dict[bytes, list[int]] = {}
        for i, row in enumerate(np.isfinite(self.z)):
            groups.setdefault(row.tobytes(), []).append(i)
        for group in groups.values():
            tasks = np.array(group)
            known = np.flatnonzero(np.isfinite(self.z[tasks[0]]))
            if len(known) > per_task and len(tasks) < 5:  # its best ones and an even selection of the rest
                order = known[np.argsort(-self.z[tasks[0], known], kind="stable")]
                known = np.concatenate([order[: per_task // 3], order[per_task // 3 :: len(order) // per_task + 1]])
            z = self.z[np.ix_(tasks, known)]  # (g, k)
            level = z.mean(axis=1)
            lower = cholesky(kernel[np.ix_(known, known)] + self.options.past_noise * np.eye(len(known)))
            alpha = cho_solve((lower, True), (z - level[:, None]).T, check_finite=False)  # (k, g)
            coefficients[np.ix_(known, tasks)] = alpha
            levels[tasks] = level
            total += -0.5 * float(np.sum((z - level[:, None]).T * alpha)) - len(tasks) * np.log(np.diag(lower)).sum()
        return coefficients, levels, total

    def _time(self, cost: Cost, metafeatures: MetaFeatures | None) -> None:
        """A process through what each configuration is expected to take on a task of that size, in log seconds."""
        self.timed = cost.known  # whether any cost is known
        if not self.timed:
            return
        expected = np.log(cost.of(metafeatures))  # (m,)
        times = np.maximum(cost.times, 0.1)
        self._level = float(np.average(expected, weights=times))
        self._inputs = self.layout.inputs(self.x, self.mask)
        lower = cholesky(self._cost_kernel(self._inputs, self.here[1]) + np.diag(1.0 / times))
        self._cost_coefficients = cho_solve((lower, True), expected - self._level, check_finite=False)  # (m,)

    def _cost_kernel(self, inputs: NDArray[np.float64], family: NDArray[np.int64]) -> NDArray[np.float64]:  # (q, m)
        """The covariance of log seconds: a family's level, a line through its parameters, and a smooth residual."""
        residual = matern(squares(inputs, self._inputs))
        return (4.0 + inputs @ self._inputs.T + residual) * (family[:, None] == self.here[1][None, :])

    def log_seconds(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:  # (q,)
        """Expected log seconds of configurations, from those of past tasks; only where these are `timed`."""
        return (
            self._level
            + self._cost_kernel(self.layout.inputs(x, mask), self.layout.family(x)) @ self._cost_coefficients
        )

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:  # (q, m)
        """The covariance of points with the configurations of the past, by which these are weighed."""
        there = self._places(x, mask)
        same = there[1][:, None] == self.here[1][None, :]
        return (matern(squares(there[0], self.here[0]) / self.length**2) + 0.5) * same

    def forecasts(self, near: NDArray[np.float64], tasks: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Every past task's (or some tasks') warped score at points, (q, t), given `see` of them."""
        if tasks is None:
            return self._levels + near @ self._coefficients
        return self._levels[tasks] + near @ self._coefficients[:, tasks]


class PastProcess:
    """As `experts.Process`: the forecasts are the prior means, the residual is a Matérn process within each family."""

    def __init__(self, past: PastForecasts, residual: float, noise: float = 0.01) -> None:
        """`residual` is the variance of what a past task does not explain."""
        self.past, self.residual, self.noise = past, residual, noise
        self.shares = self.priors = past

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> tuple[NDArray, tuple[NDArray, NDArray]]:
        """The covariance with the configurations of the past, (q, m), places, (q, d + c), and families, (q,)."""
        return self.past.see(x, mask), self.past._places(x, mask)

    def means(self, seen: tuple, kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """What every past task (or those in `kept`) forecasts, (q, t)."""
        return self.past.forecasts(seen[0], kept)

    def apart(self, a: tuple, b: tuple) -> NDArray[np.float64]:
        """The correlation of the residual between two sets of points, (p, q)."""
        return self.past._near(a[1], b[1], 0.5)

    def covariance(self, apart: NDArray[np.float64]) -> NDArray[np.float64]:
        """The covariance of the residual, (p, q)."""
        return self.residual * apart

    def variance(self, seen: tuple) -> NDArray[np.float64]:
        """The variance of the residual, (q,)."""
        return np.full(len(seen[0]), self.residual)
