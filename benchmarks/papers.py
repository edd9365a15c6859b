"""What the methods after papers are made of: a Gaussian process, a deep kernel, Parzen densities, quantiles.

The methods of `surrogate_methods.py` (finite tables) and `own_methods.py` (studies with their own configurations) are
built from these. Nothing here imports AutoMeta's transfer: a baseline must not change when the product does.

Laws: larger scores are better; points come with a mask of the dimensions that belong to active parameters; the same
seed gives the same numbers.

Letters:  n, k points · m points asked about · p parameters · d encoded dimensions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtri
from scipy.stats import rankdata

ROOT5 = 5**0.5
Points = tuple[NDArray[np.float64], NDArray[np.bool_]]  # (n, d) encoded, (n, d) mask


def standardised(y: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,) -> (n,)
    """Mean 0 and standard deviation 1; all 0 where the values are equal."""
    return (y - y.mean()) / spread if (spread := y.std()) > 1e-12 else np.zeros(len(y))


def quantiles(y: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,) -> (n,)
    """Normal scores of the empirical distribution, winsorised (Salinas, Shen and Perrone, 2020, section 4)."""
    n = len(y)
    least = 1 / (4 * n**0.25 * (np.pi * np.log(max(n, 2))) ** 0.5)
    return ndtri(np.clip(rankdata(y) / n, least, 1 - least))


def log_improvement(mean: NDArray[np.float64], std: NDArray[np.float64], best: float) -> NDArray[np.float64]:
    """Logarithm of the expected improvement of normal predictions over `best`, (m,); stable far below it."""
    z = (mean - best) / std
    near = np.clip(z, -30, 30)
    log_density = -0.5 * near**2 - 0.5 * np.log(2 * np.pi)
    usual = log_density + np.log1p(near * np.exp(log_ndtr(near) - log_density))
    far_below = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(np.maximum(np.abs(z), 30))
    return np.log(std) + np.where(z < -30, far_below, np.where(z > 30, np.log(np.maximum(z, 30)), usual))


# ------------------------------------------------------------------------------------------------ Gaussian process


class Apart:
    """How far points are apart in each parameter, squared.

    Two categories are 1 apart; where a parameter is inactive it has its middle value, and is 1 further from where it is
    active. These are distances of a Euclidean space, so kernels of their weighted sums are kernels.
    """

    def __init__(self, slices: Mapping[str, slice]) -> None:
        """From the encoded dimensions of each parameter."""
        self.slices = list(slices.values())

    def __call__(self, a: Points, b: Points) -> NDArray[np.float64]:  # (p, n, m)
        """Squared distances by parameter."""
        out = np.empty((len(self.slices), len(a[0]), len(b[0])))
        (left, have), (right, has) = ((np.where(mask, x, 0.5), mask) for x, mask in (a, b))
        for row, where in zip(out, self.slices, strict=True):
            dimensions = range(where.start, where.stop)
            row[:] = sum((left[:, [k]] - right[:, k]) ** 2 for k in dimensions)
            row /= 2 if len(dimensions) > 1 else 1  # categories differ in two dimensions
            row += have[:, [where.start]] != has[:, where.start]
        return out


class Process:
    """A Gaussian process with a Matern 5/2 kernel of one length scale per parameter, learned by MAP.

    Scores are standardised inside; predictions are of standardised scores. Length scales have the log-normal prior that
    grows with the number of parameters (Hvarfner, Hellsten and Nardi, 2024), the noise one around 1e-3.
    """

    def __init__(self, apart: Apart) -> None:
        self.apart = apart
        p = len(apart.slices)
        self.middle = np.append(np.full(p, 2**0.5 + 0.5 * np.log(p)), np.log(1e-3))
        self.spread = np.append(np.full(p, 3**0.5), 2.0)
        self.theta = np.append(np.full(p, 0.5 * np.log(p) - 0.7), np.log(1e-3))

    def fit(self, points: Points, y: NDArray[np.float64], most: int = 40) -> Process:
        """Learns from (n,) scores, beginning where the last fit ended."""
        self.points, self.z = points, standardised(y)
        apart = self.apart(points, points)
        bounds = [(-4.0, 5.0)] * (len(self.theta) - 1) + [(np.log(1e-5), 0.0)]
        found = minimize(self._loss, self.theta, (apart,), "L-BFGS-B", True, bounds=bounds, options={"maxiter": most})
        self.theta = found.x
        shape = self._shape(apart, self.theta)[0]
        self.lower = np.linalg.cholesky(shape + (np.exp(self.theta[-1]) + 1e-8) * np.eye(len(y)))
        self.alpha = cho_solve((self.lower, True), self.z)
        return self

    @staticmethod
    def _shape(apart: NDArray[np.float64], theta: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        r = np.sqrt(np.maximum(np.tensordot(np.exp(-2 * theta[:-1]), apart, 1), 1e-16))
        decay = np.exp(-ROOT5 * r)
        return (1 + ROOT5 * r + 5 / 3 * r**2) * decay, 5 / 3 * (1 + ROOT5 * r) * decay

    def _loss(self, theta: NDArray[np.float64], apart: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The negative log posterior and its gradient."""
        n, noise = len(self.z), np.exp(theta[-1])
        shape, slope = self._shape(apart, theta)
        lower = np.linalg.cholesky(shape + (noise + 1e-8) * np.eye(n))
        alpha = cho_solve((lower, True), self.z)
        away = (theta - self.middle) / self.spread
        value = 0.5 * self.z @ alpha + np.log(np.diag(lower)).sum() + 0.5 * away @ away
        inner = np.outer(alpha, alpha) - cho_solve((lower, True), np.eye(n))
        by_scale = -0.5 * np.tensordot(apart, inner * slope, ([1, 2], [0, 1])) * np.exp(-2 * theta[:-1])
        return value, np.append(by_scale, -0.5 * np.trace(inner) * noise) + away / self.spread

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of the standardised score, without noise, (m,) each."""
        cross = self._shape(self.apart(self.points, points), self.theta)[0]
        white = solve_triangular(self.lower, cross, lower=True)
        return cross.T @ self.alpha, np.sqrt(np.maximum(1 - (white**2).sum(axis=0), 1e-10))

    def left_out(self) -> NDArray[np.float64]:
        """Mean at each of its own points, learned from the others, (n,)."""
        return self.z - self.alpha / np.diag(cho_solve((self.lower, True), np.eye(len(self.z))))


# ------------------------------------------------------------------------------------------------------ deep kernel


class DeepKernel:
    """A Gaussian process on the outputs of a network (Wistuba and Grabocka, 2021)."""

    WIDTHS, RATE = (128, 128, 32), 1e-3

    def __init__(self, weights: dict[str, Any]) -> None:
        """From tensors by name."""
        self.weights = weights

    @classmethod
    def trained(cls, tasks: Sequence[tuple[Any, Any]], *, seed: int, steps: int = 2000, batch: int = 50) -> DeepKernel:
        """Meta-trained on the marginal likelihood of `batch` results of one task at a time.

        Args:
            tasks: (n, d) inputs and (n,) labels of each task, the labels from 0 for its worst to 1 for its best; a
                random stretch of them is taken for 0 to 1 at each step, since nobody knows a new task's range.
            seed: Of the first weights and of the batches.
            steps: Gradient steps.
            batch: Results per step, at most.
        """
        import torch

        generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
        tensors = [tuple(torch.as_tensor(v, dtype=torch.float32) for v in task) for task in tasks]
        weights: dict[str, Any] = {}
        for k, (a, b) in enumerate(itertools.pairwise((tensors[0][0].shape[1], *cls.WIDTHS))):
            weights[f"w{k}"] = torch.randn(a, b, generator=generator) * (2 / a) ** 0.5
            weights[f"b{k}"] = torch.zeros(b)
        weights["length"], weights["scale"], weights["noise"] = torch.zeros(()), torch.zeros(()), torch.tensor(-4.0)

        def some() -> tuple[Any, Any]:
            inputs, labels = tensors[int(rng.integers(len(tensors)))]
            rows = rng.choice(len(inputs), size=min(batch, len(inputs)), replace=False)
            least, most = sorted(rng.random(2))
            return inputs[rows], (labels[rows] - least) / max(most - least, 0.1)

        return cls(cls._descend(weights, some, steps))

    def tuned(self, inputs: Any, labels: Any, epochs: int = 100) -> DeepKernel:
        """Fine-tuned on (n, d) inputs and (n,) labels of the new task."""
        import torch

        seen = torch.as_tensor(inputs, dtype=torch.float32), torch.as_tensor(labels, dtype=torch.float32)
        return DeepKernel(self._descend({n: v.clone() for n, v in self.weights.items()}, lambda: seen, epochs))

    @classmethod
    def _descend(cls, weights: dict[str, Any], some: Any, steps: int) -> dict[str, Any]:
        import torch

        for value in weights.values():
            value.requires_grad_(True)
        optimiser = torch.optim.Adam(list(weights.values()), lr=cls.RATE)
        for _ in range(steps):
            inputs, labels = some()
            lower = cls._cholesky(weights, cls._features(weights, inputs))
            white = torch.linalg.solve_triangular(lower, (labels - labels.mean())[:, None], upper=False)
            loss = (0.5 * (white**2).sum() + lower.diagonal().log().sum()) / len(labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return {name: value.detach() for name, value in weights.items()}

    @staticmethod
    def _features(weights: dict[str, Any], inputs: Any) -> Any:
        hidden = (inputs @ weights["w0"] + weights["b0"]).relu()
        hidden = (hidden @ weights["w1"] + weights["b1"]).relu()
        return (hidden @ weights["w2"] + weights["b2"]) * (-weights["length"]).exp()

    @staticmethod
    def _kernel(weights: dict[str, Any], a: Any, b: Any) -> Any:
        squares = ((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T).clamp_min(1e-12)
        root = (5.0 * squares + 1e-12).sqrt()
        return weights["scale"].exp() * ((1.0 + root + (5.0 / 3.0) * squares) * (-root).exp())

    @classmethod
    def _cholesky(cls, weights: dict[str, Any], features: Any) -> Any:
        import torch

        covariance = cls._kernel(weights, features, features)
        return torch.linalg.cholesky(covariance + (weights["noise"].exp() + 1e-4) * torch.eye(len(features)))

    def posterior(self, inputs: Any, labels: Any, at: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation at (m, d) inputs, given (n, d) inputs and (n,) labels: (m,) each."""
        import torch

        weights = self.weights
        inputs, labels, at = (torch.as_tensor(v, dtype=torch.float32) for v in (inputs, labels, at))
        with torch.no_grad():
            features, asked = self._features(weights, inputs), self._features(weights, at)
            lower = self._cholesky(weights, features)
            cross = torch.linalg.solve_triangular(lower, self._kernel(weights, features, asked), upper=False)
            white = torch.linalg.solve_triangular(lower, (labels - labels.mean())[:, None], upper=False)
            mean = (labels.mean() + (cross.T @ white)[:, 0]).double().numpy()
            std = (weights["scale"].exp() - (cross**2).sum(0)).clamp_min(1e-8).sqrt().double().numpy()
        return mean, std


# ------------------------------------------------------------------------------------------------- Parzen densities


SAME = 0.8  # what a category's kernel gives to itself


def parzen_width(n: int, p: int) -> float:
    """The bandwidth of `n` results over `p` parameters; 1 would be uniform."""
    return 0.3 * max(n, 1) ** (-1 / (4 + p))


def parzen(slices: Mapping[str, slice], a: Points, b: Points, n: int) -> NDArray[np.float64]:  # (m, k)
    """Products over the parameters that both have of kernels at each of (m,) points around each of (k,) points.

    The bandwidth is that of `n` results.
    """
    width = parzen_width(n, len(slices))
    product = np.ones((len(a[0]), len(b[0])))
    for where in slices.values():
        left, right = a[0][:, where], b[0][:, where]
        if (c := left.shape[1]) > 1:
            same = left @ right.T
            kernel = c * (SAME * same + (1 - SAME) / (c - 1) * (1 - same))
        else:
            kernel = np.exp(-0.5 * ((left - right.T) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        have = a[1][:, where][:, :1] & b[1][:, where][:, :1].T
        product *= np.where(have, kernel, 1.0)
    return product


def parzen_density(kernel: NDArray[np.float64]) -> NDArray[np.float64]:  # (m, k) -> (m,)
    """Mean of the kernels and of a uniform one."""
    return (kernel.sum(axis=1) + 1) / (kernel.shape[1] + 1)


def best_and_rest(scores: NDArray[np.float64], share: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which scores are among the best `share` of them, and which are not."""
    order = np.argsort(-scores, kind="stable")
    n = int(np.ceil(share * len(order)))
    return order[:n], order[n:]


def overlap(good: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:  # (t, m), (m,) -> (t,)
    """How alike tasks are to the new one: 1 - total variation of their good densities, over 1 + it."""
    shares = good / good.sum(axis=1, keepdims=True)
    apart = 0.5 * np.abs(shares - own / own.sum()).sum(axis=1)
    return (1 - apart) / (1 + apart)
