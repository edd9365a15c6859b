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
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.families.family import Family, Kind
from autometa.space import Config, SearchSpace, choice, integer

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns

Array = NDArray[np.float64]

MOST_ROWS = 100_000
INDUCING = (200, 3000)  # at least and at most
MOST_LENGTH_SCALES = 200
STEPS = (40, 5)  # of the kernel's optimiser, on a quarter of the rows and then on all that it is given
FEWEST = 100  # rows, where there are as many, that a kernel is learned on first
POWER, MARGIN = 2.5, 0.8  # of the inducing rows with which time grows at most; of the time, that may be planned
CHUNK = 1024  # rows that are seen at once
JITTER = 1e-8  # of a matrix's mean diagonal
NOISES = (1e-6, 1e1)  # least and most, in the target's variance
AMPLITUDES, LENGTHS = (1e-3, 1e3), (1e-2, 1e4)
PRIOR = (math.sqrt(2), 0.5)  # mean and spread of the log of a length scale, beside half the log of p


class Kernel(NamedTuple):
    """What was learned of a table whose inputs and target are standardised."""

    shape: str  # rbf, matern_32, matern_52
    amplitude: float
    noise: float
    slope: float  # variance of the linear kernel; 0 for none
    lengths: Array  # (l,)


class Fitted(NamedTuple):
    """A table as seen through its inducing rows."""

    kernel: Kernel
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
) -> tuple[Fitted, int | None]:  # (n, p), (n,) standardised
    """Learns the kernel and, through `inducing` rows, the function.

    With them comes how many inducing rows there were to fit into `seconds`, None if there was time for all.
    """
    order = np.random.default_rng(seed).permutation(len(y))

    def through(m: int) -> Fitted:
        some = order[: 2 * m // 3]
        learned = learn(x[some], y[some], shape=kernel, relevance=relevance, linear=linear)
        return project(learned, x, y, x[order[:m]])

    wanted = min(inducing, len(y))
    if seconds is None or wanted <= INDUCING[0]:
        return through(wanted), None
    began = time.monotonic()
    small = through(INDUCING[0])
    paid = time.monotonic() - began
    affordable = int(INDUCING[0] * (MARGIN * max(seconds - paid, 0.0) / paid) ** (1 / POWER))
    if affordable >= wanted:
        return through(wanted), None
    return (through(affordable), affordable) if affordable > INDUCING[0] else (small, INDUCING[0])


def predict(fitted: Fitted, x: Array) -> Array:  # (q, p) -> (q,)
    """The posterior mean."""
    pieces = [x[i : i + CHUNK] for i in range(0, len(x), CHUNK)]
    return np.concatenate([covariance(fitted.kernel, piece, fitted.inducing) @ fitted.alpha for piece in pieces])


def covariance(kernel: Kernel, a: Array, b: Array) -> Array:  # (q, p), (m, p) -> (q, m)
    """Of the function's values, without noise."""
    found = _shaped(kernel.shape, _apart(a / kernel.lengths, b / kernel.lengths))
    found *= kernel.amplitude
    if kernel.slope:
        found += kernel.slope * (a @ b.T + 1)
    return found


def learn(x: Array, y: Array, *, shape: str, relevance: bool, linear: bool) -> Kernel:  # (r, p), (r,) in any order
    """The kernel of the largest posterior density, as far as L-BFGS gets in `STEPS`."""
    from scipy.optimize import minimize

    p = x.shape[1]
    scales = p if relevance and p <= MOST_LENGTH_SCALES else 1
    bounds = np.log([AMPLITUDES, NOISES, (1e-6, 1e2), *[LENGTHS] * scales])
    logs = np.clip(np.log([1.0, 0.1, 0.1 / p, *[math.sqrt(p)] * scales]), *bounds.T)
    for rows, steps in zip((max(len(y) // 4, FEWEST), len(y)), STEPS, strict=True):
        objective = _objective(x[:rows], y[:rows], shape, linear)
        options = {"maxiter": steps, "maxfun": steps + steps // 2}
        logs = minimize(objective, logs, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    amplitude, noise, slope, *lengths = np.exp(logs)
    return Kernel(shape, amplitude, noise, slope if linear else 0.0, np.array(lengths))


def project(kernel: Kernel, x: Array, y: Array, inducing: Array) -> Fitted:  # (n, p), (n,), (m, p)
    """The function that all rows give through the inducing ones, with the noise under which they are likeliest."""
    from scipy.linalg import cho_solve, cholesky, solve_triangular
    from scipy.linalg.blas import dsyrk
    from scipy.optimize import minimize_scalar

    n, m = len(y), len(inducing)
    among = covariance(kernel, inducing, inducing)
    among[np.diag_indices(m)] += JITTER * np.trace(among) / m
    root = cholesky(among, lower=True, overwrite_a=True, check_finite=False)
    gram, target = np.zeros((m, m), order="F"), np.zeros(m)  # of the rows' features, whose prior is white
    for i in range(0, n, CHUNK):
        with_inducing = covariance(kernel, x[i : i + CHUNK], inducing).T  # (m, CHUNK)
        features = solve_triangular(root, with_inducing, lower=True, overwrite_b=True, check_finite=False)
        gram = dsyrk(1.0, features, beta=1.0, c=gram, lower=True, overwrite_c=True)  # its lower half
        target += features @ y[i : i + CHUNK]
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

    least, most = np.log(NOISES)
    noise = math.exp(minimize_scalar(unlikeliness, bounds=(least, most), method="bounded", options={"xatol": 0.2}).x)
    alpha = solve_triangular(root, solved(noise)[1], lower=True, trans="T")
    return Fitted(kernel._replace(noise=noise), inducing, alpha)


def _objective(x: Array, y: Array, shape: str, linear: bool) -> Callable[[Array], tuple[float, Array]]:
    """The negative log of the posterior density and its gradient, by the logs of a kernel's parameters (3 + l,)."""
    from scipy.linalg import cho_solve, cholesky
    from scipy.linalg.lapack import dpotri

    r, p = x.shape
    product = x @ x.T + 1
    unscaled = _apart(x, x)
    diagonal = np.diag_indices(r)
    usual, spread = math.log(p) / 2 + PRIOR[0], PRIOR[1]

    def objective(logs: Array) -> tuple[float, Array]:
        amplitude, noise, slope = np.exp(logs[:3])
        lengths = np.exp(logs[3:])
        z = x / lengths
        apart = unscaled / lengths**2 if len(lengths) == 1 else _apart(z, z)
        values = _shaped(shape, apart)
        total = amplitude * values
        if linear:
            total += slope * product
        total[diagonal] += noise + JITTER * amplitude
        try:
            factor = cholesky(total, lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:  # a corner of the bounds; the line search goes back
            return 1e10, np.zeros_like(logs)
        alpha = cho_solve((factor, True), y, check_finite=False)
        doubt = (logs[3:] - usual) / spread
        value = 0.5 * y @ alpha + np.log(np.diag(factor)).sum() + 0.5 * doubt @ doubt
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
        return float(value), np.concatenate([gradient, by_lengths + doubt / spread])

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
    """Squared distances."""
    found = a @ b.T
    found *= -2
    found += (a**2).sum(axis=1)[:, None]
    found += (b**2).sum(axis=1)
    return np.maximum(found, 0.0, out=found)


# the family ----------------------------------------------------------------------------------------------------------


def space(kind: Kind) -> SearchSpace:
    """The default is ours: no library has one for this process."""
    return SearchSpace.of(
        kernel=choice("matern_52", "matern_32", "rbf"),
        relevance=choice(True, False),
        linear=choice(True, False),
        scale=choice("standard", "quantile", "robust"),
        categories=choice("onehot", "target"),
        inducing=integer(*INDUCING, 1500, log=True),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """`relevance` gives each input its own length scale, `linear` adds a linear kernel."""
    from sklearn.pipeline import Pipeline

    from autometa.families.estimators import GaussianProcess
    from autometa.families.preprocess import preprocessing

    own = space(kind).complete(config)  # one of before `inducing` was in the space has the default
    learner = {name: own[name] for name in ("kernel", "relevance", "linear", "inducing")}
    model = GaussianProcess(**learner, seed=seed)
    steps = preprocessing(columns, kind, categories=config["categories"], scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Its time grows with the rows, however few the inducing ones are."""
    if n_rows > MOST_ROWS:
        return f"a Gaussian process on {n_rows} rows takes too long (at most {MOST_ROWS})"
    return None


FAMILY = Family("gaussian_process", "Gaussian process", space, build, kinds=frozenset({"regression"}), limit=limit)
