"""A kernel machine for small tables whose kernel is chosen by a meta-learned set network: no fitting but one solve.

A network looks at the training rows as a set of columns (how each column goes with the classes, its shape, how alike
the columns are) and answers, for this table, how much every column counts in each of four kernels, how the kernels are
mixed, how much noise there is and how sure to be. The classes are then a ridge regression in closed form. The network
was trained on made-up tables only (`autometa fewshot train --learner set_kernel --data synthetic`), so that no real
table is known to it; its weights ship as ``meta_db/set_kernel.npz``.

The four kernels: linear; Laplace's of the ranks, which is what a forest of random splits tends to; Gaussian; and a sum
of one Laplace kernel per column.

The same lines run in NumPy, where the family predicts, and in torch, where the learner of that name is trained: `xp` is
one of the two. Laws: rows and columns may come in any order; a row whose mask is 0 and a column that is constant change
nothing.

Letters:  s support rows · q query rows · p columns · c classes · f summaries of a column · h hidden.

Sources:
    Bertinetto et al. (2019), closed-form solvers inside meta-learning; Patacchiola et al. (2020), deep kernel
    transfer; Hollmann et al. (2023) for training on made-up tables; Balog et al. (2016) for forests and Laplace's
    kernel.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from autometa.families.learners.faces import ProbabilityClassifier
from autometa.families.options import OPTIONS

SUMMARIES, FACTS, HIDDEN, KERNELS = 9, 6, 48, 4  # f, of the table, h, linear to additive
BINS = 8  # of the ranks, to see whether classes differ along a column in any shape
CONSTANT, LEAST_NOISE, EPSILON = 0.1, 1e-4, 1e-9


class KernelChoice(NamedTuple):
    """What the network chooses for a table: the weights of its columns, the mixture of kernels, noise and sharpness."""

    linear: Any  # (p,) weights of the columns in each kernel, of which constant columns have 0
    laplace: Any  # (p,)
    gauss: Any  # (p,)
    additive: Any  # (p,)
    mixture: Any  # (4,)
    noise: Any  # ()
    sharpness: Any  # ()


class FittedSetKernel(NamedTuple):
    """A table whose kernel was chosen and whose ridge regression was solved."""

    choice: KernelChoice
    x: Any  # (s, p) the support as it came, for the ranks of others
    centre: Any  # (p,)
    spread: Any  # (p,)
    there: Any  # (p,) 1, or 0 for a constant column
    mask: Any  # (s,)
    z: Any  # (s, p) standardised
    u: Any  # (s, p) ranks in -1..1
    shares: Any  # (c,) of the classes
    alpha: Any  # (s, c)


def shapes() -> dict[str, tuple[int, ...]]:
    """The shape of each weight of the network, by its name."""
    h = HIDDEN
    return {
        "column": (SUMMARIES + FACTS, h), "column_bias": (h,), "mixed": (3 * h, h), "mixed_bias": (h,),
        "weights": (h, KERNELS), "weights_bias": (KERNELS,), "table": (2 * h + FACTS, h), "table_bias": (h,),
        "settings": (h, KERNELS + 2), "settings_bias": (KERNELS + 2,),
    }  # fmt: skip


def start(name: str) -> tuple[float, Any]:
    """How fresh weights are drawn: the spread of normal numbers, and what is added. Begins as a plain kernel mean."""
    if name == "settings_bias":
        return 0.0, (-1.0, 0.0, 0.0, 0.0, -2.0, 1.5)
    if name.endswith("bias"):
        return 0.0, 0.0
    return (0.05 if name in ("weights", "settings") else 1.0) / math.sqrt(shapes()[name][0]), 0.0


def fit(
    xp: Any, weights: Any, x: Any, y: Any, mask: Any, *, width: float = 1.0, smoothing: float = 1.0
) -> FittedSetKernel:  # (s, p) without NaN, (s, c) one-hot, (s,)
    """Chooses the kernel of a table and solves for its classes.

    `width` multiplies the length scales that the network chose, `smoothing` the noise.
    """
    return _solved(xp, weights, x, y, mask, width, smoothing)[0]


def logits(xp: Any, fitted: FittedSetKernel, x: Any) -> Any:  # (q, p) -> (q, c)
    """The logits of the classes for other rows, from the classes' shares and the kernel to the support."""
    return (fitted.shares + nearness(xp, fitted, x) @ fitted.alpha) * fitted.choice.sharpness


def nearness(xp: Any, fitted: FittedSetKernel, x: Any) -> Any:  # (q, p) -> (q, s)
    """The kernel between other rows and the support's: the one that was chosen for this table."""
    z = _scaled(xp, x, fitted.centre, fitted.spread) * fitted.there
    u = _ranks(xp, x, fitted.x, fitted.mask) * fitted.there
    return kernel(xp, fitted.choice, (z, u), (fitted.z, fitted.u))


def fit_sharpened(weights: Any, x: Any, y: Any, *, width: float = 1.0, smoothing: float = 1.0) -> FittedSetKernel:
    """`fit` in NumPy, with the sharpness under which the rows predict one another best, each by all the others.

    The network's choice stays the prior: `doubt` is what a factor of e has to earn in the rows' summed log loss. One
    mistake more than was seen is counted (Laplace's rule), so that a table without any does not make it overconfident.
    """
    doubt = OPTIONS.set_kernel.doubt
    fitted, noisy = _solved(np, weights, x, y, np.ones(len(x)), width, smoothing)
    left_out = y - fitted.alpha / np.diag(np.linalg.inv(noisy))[:, None]  # (s, c) in closed form
    factors = np.linspace(-1.5, 3.0, 19)
    costs = []
    for factor in factors:
        logits = left_out * fitted.choice.sharpness * np.exp(factor)
        most = logits.max(axis=1, keepdims=True)
        log_sum = most[:, 0] + np.log(np.exp(logits - most).sum(axis=1))
        lost = (log_sum - (logits * y).sum(axis=1)).sum()
        mistake = (log_sum - np.where(y > 0, -np.inf, logits).max(axis=1)).mean() if y.shape[1] > 1 else 0.0
        costs.append(lost + mistake + doubt * factor**2)
    best = np.exp(factors[int(np.argmin(costs))])
    return fitted._replace(choice=fitted.choice._replace(sharpness=fitted.choice.sharpness * best))


def _solved(
    xp: Any, weights: Any, x: Any, y: Any, mask: Any, width: float, smoothing: float
) -> tuple[FittedSetKernel, Any]:  # and (s, s) the kernel matrix with the noise
    centre, scale, there, z, u = standardised(xp, x, mask)
    shares = mask @ y / mask.sum()
    choice = _chosen(xp, weights, z, u, y, mask, there, shares, width, smoothing)
    gram = kernel(xp, choice, (z, u), (z, u)) * mask[:, None] * mask
    noisy = gram + xp.diag(choice.noise + 0.0 * mask)
    alpha = xp.linalg.solve(noisy, (y - shares) * mask[:, None]) * mask[:, None]
    return FittedSetKernel(choice, x, centre, scale, there, mask, z, u, shares, alpha), noisy


def kernel(xp: Any, choice: KernelChoice, a: tuple[Any, Any], b: tuple[Any, Any]) -> Any:  # (q, p) twice, (s, p) twice
    """The mixture of the four kernels between two sets of rows, (q, s); each as z-scores and as ranks."""
    (za, ua), (zb, ub) = a, b
    linear = (za * choice.linear) @ zb.T
    ga, gb = za * choice.gauss**0.5, zb * choice.gauss**0.5
    squared = (ga**2).sum(1)[:, None] + (gb**2).sum(1) - 2 * ga @ gb.T
    apart = additive = 0.0 * squared
    for j in range(za.shape[1]):  # column by column, so that memory stays that of one matrix
        gap = xp.abs(ua[:, j, None] - ub[:, j])
        apart = apart + choice.laplace[j] * gap
        additive = additive + choice.additive[j] * xp.exp(-2 * gap)
    m = choice.mixture
    smooth = m[1] * xp.exp(-apart) + m[2] * xp.exp(-xp.clip(squared, 0, None) / 2)
    return m[0] * linear + smooth + m[3] * additive + CONSTANT


def summaries(xp: Any, z: Any, u: Any, y: Any, mask: Any, there: Any, shares: Any) -> tuple[Any, Any]:  # (p, f), (6,)
    """What the network sees: each column beside the classes and the others, and the table's size."""
    total, c = mask.sum(), (shares > 0).sum() + 0.0 * mask.sum()
    degrees = xp.clip(c - 1, 1, None)
    own = y * mask[:, None]

    def explained(a: Any) -> Any:  # (p,) share of the variance between classes
        centred = a - mask @ a / total
        between = ((own.T @ centred) ** 2 / xp.clip(own.sum(0), EPSILON, None)[:, None]).sum(0)
        return between / (mask @ centred**2 + EPSILON)

    def ratio(e: Any) -> Any:  # Fisher's F
        return xp.clip(e, 0, 1) / (1.001 - xp.clip(e, 0, 1)) * xp.clip(total - c, 1, None) / degrees

    by_value, by_rank = explained(z), explained(u)
    f_value, f_rank = ratio(by_value) * there, ratio(by_rank) * there
    counts = []
    for b in range(BINS):
        low, high = -1 + 2 * b / BINS, -1 + 2 * (b + 1) / BINS
        inside = 0.5 * (xp.sign(u - low) - xp.sign(u - (high if b < BINS - 1 else 2.0)))
        counts.append(own.T @ inside / total)  # (c, p)
    table = xp.stack(counts)  # (b, c, p)
    rows, columns = table.sum(1), table.sum(0)  # (b, p), (c, p)
    free = rows[:, None] * columns[None]
    information = (table * xp.log((table + EPSILON) / (free + EPSILON))).sum(0).sum(0)
    used = xp.sign(xp.clip(rows - 1e-6, 0, None)).sum(0)
    g = xp.clip(2 * total * information / (xp.clip(used - 1, 1, None) * degrees), 0, None)  # G over its degrees
    norm = (mask @ u**2 + EPSILON) ** 0.5
    alike = ((u * mask[:, None]).T @ u / norm[:, None] / norm) ** 2  # (p, p)
    p = there.sum()
    column = xp.stack(
        [
            xp.log1p(f_value) - 1,
            xp.log1p(f_rank) - 1,
            xp.log1p(g) - 1,
            2 * by_value,
            2 * by_rank,
            2 * xp.amax(rows, 0) - 1,
            (mask @ z**4 / total) ** 0.5 / 2 - 1,
            2 * (alike * there).sum(1) / xp.clip(p, 1, None) - 0.5,
            (mask @ z**3 / total) / 3,
        ],
        -1,
    )
    strong = xp.clip(f_value, 0, 1e4)
    facts = xp.stack(
        [
            xp.log(total) / 2 - 2.3,
            xp.log(xp.clip(p, 1, None)) / 2 - 1.3,
            xp.log(xp.clip(c, 1, None)) - 1,
            2 * xp.amax(shares, 0) - 1,
            2 * xp.amax(by_value * there, 0) - 1,
            xp.log1p(strong.sum() / xp.clip(p, 1, None)) - 1,
        ]
    )
    return xp.clip(column, -5, 5) * there[:, None], xp.clip(facts, -5, 5)


def encoded(
    xp: Any, weights: Any, z: Any, u: Any, y: Any, mask: Any, there: Any, shares: Any
) -> tuple[Any, Any, Any]:  # (p, h), (2 h,), (6,)
    """The columns, what they are together, and the table's facts."""
    column, facts = summaries(xp, z, u, y, mask, there, shares)
    both = column @ weights["column"][:SUMMARIES] + facts @ weights["column"][SUMMARIES:] + weights["column_bias"]
    hidden = _silu(xp, both)
    mean = (hidden * there[:, None]).sum(0) / xp.clip(there.sum(), 1, None)
    most = xp.amax(hidden * there[:, None] - 10 * (1 - there[:, None]), 0)
    return hidden, xp.concatenate([mean, most]), facts


def _chosen(
    xp: Any, weights: Any, z: Any, u: Any, y: Any, mask: Any, there: Any, shares: Any, width: float, smoothing: float
) -> KernelChoice:
    hidden, pooled, facts = encoded(xp, weights, z, u, y, mask, there, shares)
    p = xp.clip(there.sum(), 1, None)
    mixed = hidden @ weights["mixed"][:HIDDEN] + pooled @ weights["mixed"][HIDDEN:] + weights["mixed_bias"]
    each = xp.exp(xp.clip(_silu(xp, mixed) @ weights["weights"] + weights["weights_bias"], -8, 8)) * there[:, None]
    table = _silu(xp, xp.concatenate([pooled, facts]) @ weights["table"] + weights["table_bias"])
    settings = xp.clip(table @ weights["settings"] + weights["settings_bias"], -8, 8)
    return KernelChoice(
        linear=each[:, 0] / xp.clip(each[:, 0].sum(), EPSILON, None),
        laplace=2 * each[:, 1] / p**0.75 / width,
        gauss=each[:, 2] / p / width**2 + EPSILON,
        additive=each[:, 3] / xp.clip(each[:, 3].sum(), EPSILON, None),
        mixture=xp.exp(settings[:KERNELS]),
        noise=smoothing * xp.exp(settings[KERNELS]) + LEAST_NOISE,
        sharpness=xp.exp(settings[KERNELS + 1]),
    )


def standardised(xp: Any, x: Any, mask: Any) -> tuple[Any, Any, Any, Any, Any]:  # (p,) three times, (s, p) twice
    """Centre and spread of the columns, which of them vary, and where the rows stand: standardised, and by rank."""
    total = mask.sum()
    centre = mask @ x / total
    spread = (mask @ (x - centre) ** 2 / total) ** 0.5
    there = xp.sign(xp.clip(spread - 1e-6, 0, None))
    scale = spread + (1 - there)
    return centre, scale, there, _scaled(xp, x, centre, scale) * there, _ranks(xp, x, x, mask) * there


def _scaled(xp: Any, x: Any, centre: Any, scale: Any) -> Any:
    return xp.clip((x - centre) / scale, -5, 5)


def _ranks(xp: Any, x: Any, among: Any, mask: Any) -> Any:  # (q, p), (s, p) -> (q, p) in -1..1
    """Where each value stands among the support's, ties in their middle."""
    total = mask.sum()
    ranks = [xp.sign(x[:, j, None] - among[:, j]) @ mask / total for j in range(x.shape[1])]
    return xp.stack(ranks, -1)


def _silu(xp: Any, a: Any) -> Any:
    return a / (1 + xp.exp(-a))


@cache
def weights() -> dict[str, Any]:
    """The weights that ship with the package."""
    from importlib.resources import files

    with (files("autometa") / "meta_db" / "set_kernel.npz").open("rb") as file, np.load(file) as stored:
        return {name: stored[name].astype(float) for name in shapes()}


class SetKernelClassifier(ProbabilityClassifier):
    """A kernel machine whose kernel a meta-learned network chooses by looking at the table; see `set_kernel`."""

    def __init__(self, *, width: float, smoothing: float) -> None:
        self.width = width
        self.smoothing = smoothing

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Fits rows X (n, p) and their targets y (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        labels = np.eye(len(self.classes_))[codes]
        self.columns_ = _strongest(X, labels, OPTIONS.set_kernel.most_columns)
        x = X[:, self.columns_].astype(float)
        options = {"width": self.width, "smoothing": self.smoothing}
        self.fitted_ = fit_sharpened(weights(), x, labels, **options)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        found = logits(np, self.fitted_, X[:, self.columns_].astype(float))
        return np.exp(log_softmax(found, axis=1))


def _strongest(X: NDArray[Any], labels: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The columns with the largest share of variance between classes, in their order."""
    if X.shape[1] <= most:
        return np.arange(X.shape[1])
    centred = X - X.mean(axis=0)
    between = ((labels.T @ centred) ** 2 / labels.sum(axis=0)[:, None]).sum(axis=0)
    share = between / np.maximum((centred**2).sum(axis=0), 1e-12)
    return np.sort(np.argsort(-share, kind="stable")[:most])
