"""Gaussian process regression for tables of many rows: a kernel learned on some of them, answers that all of them give.

The kernel is a Gaussian or Matérn one with a length scale for each input (`relevance`), beside a linear one. All rows
are seen through `inducing` of them: the posterior mean of the projected process, which is the exact one where every row
is among those. The kernel's parameters are the likeliest given two thirds as many rows and a prior that keeps functions
of many inputs simple. How much noise there is, few rows tell badly; it is told by the likelihood of all. So time grows
with n and not with its cube. Where there is a time limit, a small process is timed first, and there are as many rows
inducing as there is time for.

Letters:  n rows · r rows that the kernel is learned on · m inducing rows · q other rows · p inputs · l length scales,
p or 1.

Sources:
    Rasmussen and Williams (2006), equations 2.30 and 5.9, and 8.3.4 for the projected process (Seeger et al., 2003;
    "DTC" in Quiñonero-Candela and Rasmussen, 2005); Hvarfner, Hellsten and Nardi (2024) for the mean of the length
    scales' prior; ours is narrower, since tables of a hundred rows must not choose fifty of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize, minimize_scalar

from autometa.families.learners.faces import StandardisedTargetRegressor
from autometa.families.learners.truncation import Truncatable
from autometa.families.options import OPTIONS

Array = NDArray[np.float64]


class ProcessKernel(NamedTuple):
    """What was learned of a table whose inputs and target are standardised."""

    shape: str  # rbf, matern_32, matern_52
    amplitude: float
    noise: float
    slope: float  # variance of the linear kernel; 0 for none
    lengths: Array  # (l,)


class ProjectedProcess(NamedTuple):
    """A table as seen through its inducing rows."""

    kernel: ProcessKernel
    inducing: Array  # (m, p)
    alpha: Array  # (m,)


def fit(
    x: Array,
    y: Array,
    *,
    kernel: str,
    relevance: bool,
    linear: bool,
    inducing: int,
    seed: int,
    seconds: float | None = None,
) -> tuple[ProjectedProcess, int | None]:  # (n, p), (n,) standardised
    """Learns the kernel and, through `inducing` rows, the function.

    Args:
        x: Standardised inputs.
        y: Standardised target.
        kernel: The shape: ``rbf``, ``matern_32`` or ``matern_52``.
        relevance: Whether each input has a length scale of its own.
        linear: Whether there is a linear kernel beside it.
        inducing: How many rows all are seen through, at most n.
        seed: Of which these are.
        seconds: After which it should end; None for no limit.

    Returns:
        The process, and how many inducing rows there was time for; None if for all.

    Example:
        >>> x = np.linspace(-2, 2, 40)[:, None]
        >>> process, _ = fit(x, np.sin(x[:, 0]), kernel="rbf", relevance=True, linear=False, inducing=40, seed=0)
        >>> predict(process, np.array([[1.0]])).round(2)
        array([0.84])
    """
    order = np.random.default_rng(seed).permutation(len(y))

    def through(m: int) -> ProjectedProcess:
        some = order[: 2 * m // 3]
        learned = learn(x[some], y[some], shape=kernel, relevance=relevance, linear=linear)
        return project(learned, x, y, x[order[:m]])

    options = OPTIONS.gaussian_process
    wanted, fewest = min(inducing, len(y)), options.fewest_inducing
    if seconds is None or wanted <= fewest:
        return through(wanted), None
    began = time.monotonic()
    small = through(fewest)
    paid = time.monotonic() - began
    left = options.share_planned * max(seconds - paid, 0.0)
    affordable = int(fewest * (left / paid) ** (1 / options.power))
    if affordable >= wanted:
        return through(wanted), None
    return (through(affordable), affordable) if affordable > fewest else (small, fewest)


def predict(fitted: ProjectedProcess, x: Array) -> Array:  # (q, p) -> (q,)
    """The posterior mean at other rows, in the standardised target's unit."""
    chunk = OPTIONS.gaussian_process.chunk
    pieces = [x[i : i + chunk] for i in range(0, len(x), chunk)]
    return np.concatenate([covariance(fitted.kernel, piece, fitted.inducing) @ fitted.alpha for piece in pieces])


def covariance(kernel: ProcessKernel, a: Array, b: Array) -> Array:  # (q, p), (m, p) -> (q, m)
    """The covariance of the function's values at two sets of rows, without noise."""
    found = _shaped(kernel.shape, _apart(a / kernel.lengths, b / kernel.lengths))
    found *= kernel.amplitude
    if kernel.slope:
        found += kernel.slope * (a @ b.T + 1)
    return found


def learn(
    x: Array, y: Array, *, shape: str, relevance: bool, linear: bool
) -> ProcessKernel:  # (r, p), (r,) in any order
    """The kernel of the largest posterior density, as far as L-BFGS gets in the steps it has."""
    p = x.shape[1]
    options = OPTIONS.gaussian_process
    scales = p if relevance and p <= options.most_length_scales else 1
    bounds = np.log([options.amplitudes, options.noises, options.slopes, *[options.lengths] * scales])
    logs = np.clip(np.log([1.0, 0.1, 0.1 / p, *[math.sqrt(p)] * scales]), *bounds.T)
    sizes = max(len(y) // 4, options.fewest_rows), len(y)
    for rows, steps in zip(sizes, options.learning_steps, strict=True):
        objective = _objective(x[:rows], y[:rows], shape, linear)
        most = {"maxiter": steps, "maxfun": steps + steps // 2}
        logs = minimize(objective, logs, jac=True, method="L-BFGS-B", bounds=bounds, options=most).x
    amplitude, noise, slope, *lengths = np.exp(logs)
    return ProcessKernel(shape, amplitude, noise, slope if linear else 0.0, np.array(lengths))


def project(kernel: ProcessKernel, x: Array, y: Array, inducing: Array) -> ProjectedProcess:  # (n, p), (n,), (m, p)
    """The function that all rows give through the inducing ones, with the noise under which they are likeliest."""
    n, m, options = len(y), len(inducing), OPTIONS.gaussian_process
    among = covariance(kernel, inducing, inducing)
    among[np.diag_indices(m)] += options.jitter * np.trace(among) / m
    root = cholesky(among, lower=True, overwrite_a=True, check_finite=False)
    gram, target = np.zeros((m, m), order="F"), np.zeros(m)  # of the rows' features, whose prior is white
    for i in range(0, n, options.chunk):
        with_inducing = covariance(kernel, x[i : i + options.chunk], inducing).T  # (m, chunk)
        features = solve_triangular(root, with_inducing, lower=True, overwrite_b=True, check_finite=False)
        gram = dsyrk(1.0, features, beta=1.0, c=gram, lower=True, overwrite_c=True)  # its lower half
        target += features @ y[i : i + options.chunk]
    square = float(y @ y)

    def solved(noise: float) -> tuple[Array, Array]:  # (m, m), (m,)
        noisy = gram.copy()
        noisy[np.diag_indices(m)] += noise
        factor = cholesky(noisy, lower=True, overwrite_a=True, check_finite=False)
        return factor, cho_solve((factor, True), target, check_finite=False)

    def unlikeliness(log_noise: float) -> float:  # - log p(y), but for a constant
        noise = math.exp(log_noise)
        factor, weights = solved(noise)
        misfit = float(square - target @ weights) / noise
        return 0.5 * misfit + float(np.log(np.diag(factor)).sum()) + 0.5 * (n - m) * log_noise

    least, most = np.log(options.noises)
    noise = math.exp(minimize_scalar(unlikeliness, bounds=(least, most), method="bounded", options={"xatol": 0.2}).x)
    alpha = solve_triangular(root, solved(noise)[1], lower=True, trans="T")
    return ProjectedProcess(kernel._replace(noise=noise), inducing, alpha)


def _objective(x: Array, y: Array, shape: str, linear: bool) -> Callable[[Array], tuple[float, Array]]:
    """The negative log of the posterior density and its gradient, by the logs of a kernel's parameters (3 + l,)."""
    r, p = x.shape
    product = x @ x.T + 1
    unscaled = _apart(x, x)
    diagonal = np.diag_indices(r)
    options = OPTIONS.gaussian_process
    usual, spread = math.log(p) / 2 + options.prior[0], options.prior[1]

    def objective(logs: Array) -> tuple[float, Array]:
        amplitude, noise, slope = np.exp(logs[:3])
        lengths = np.exp(logs[3:])
        z = x / lengths
        apart = unscaled / lengths**2 if len(lengths) == 1 else _apart(z, z)
        values = _shaped(shape, apart)
        total = amplitude * values
        if linear:
            total += slope * product
        total[diagonal] += noise + options.jitter * amplitude
        try:
            factor = cholesky(total, lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:  # a corner of the bounds; the line search goes back
            return 1e10, np.zeros_like(logs)
        alpha = cho_solve((factor, True), y, check_finite=False)
        away = (logs[3:] - usual) / spread  # from the prior's mean
        value = 0.5 * y @ alpha + np.log(np.diag(factor)).sum() + 0.5 * away @ away
        weight, _ = dpotri(factor, lower=1)  # the inverse, below the diagonal; above it zeros
        weight += np.tril(weight, -1).T
        weight -= np.outer(alpha, alpha)  # twice the derivative by the covariance
        by_amplitude, by_noise = amplitude * np.vdot(weight, values), noise * np.trace(weight)
        by_slope = slope * np.vdot(weight, product) if linear else 0.0
        weight *= _slopes(shape, apart)
        if len(lengths) == 1:
            by_lengths = -amplitude * np.array([np.vdot(weight, apart)])
        else:
            by_lengths = 2 * amplitude * ((z * (weight @ z)).sum(axis=0) - weight.sum(axis=1) @ z**2)
        gradient = 0.5 * np.array([by_amplitude, by_noise, by_slope])
        return float(value), np.concatenate([gradient, by_lengths + away / spread])

    return objective


def _shaped(shape: str, apart: Array) -> Array:
    """A kernel's values at squared distances."""
    if shape == "rbf":
        return np.exp(-0.5 * apart)
    steps = np.sqrt((3 if shape == "matern_32" else 5) * apart)
    found = 1 + steps
    if shape == "matern_52":
        found += 5 / 3 * apart
    found *= np.exp(-steps)
    return found


def _slopes(shape: str, apart: Array) -> Array:
    """The derivatives of `_shaped` by the squared distances."""
    if shape == "rbf":
        return -0.5 * np.exp(-0.5 * apart)
    if shape == "matern_32":
        return -1.5 * np.exp(-np.sqrt(3 * apart))
    steps = np.sqrt(5 * apart)
    return -5 / 6 * (1 + steps) * np.exp(-steps)


def _apart(a: Array, b: Array) -> Array:  # (q, p), (m, p) -> (q, m)
    """Squared Euclidean distances between all pairs of rows."""
    found = a @ b.T
    found *= -2
    found += (a**2).sum(axis=1)[:, None]
    found += (b**2).sum(axis=1)
    return np.maximum(found, 0.0, out=found)


class GaussianProcess(Truncatable, StandardisedTargetRegressor):
    """The estimator in front of `fit` and `predict`, on a standardised target; its parameters are those of `fit`."""

    def __init__(self, *, kernel: str, relevance: bool, linear: bool, inducing: int, seed: int) -> None:
        self.kernel = kernel
        self.relevance = relevance
        self.linear = linear
        self.inducing = inducing
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any], *, seconds: float | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,)."""
        target = self._standardise(X, y)
        self.fitted_, self.truncated_at_ = fit(X.astype(float), target, **self.get_params(), seconds=seconds)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Means, in the target's unit."""
        return self._restore(predict(self.fitted_, X.astype(float)))
