"""Methods after papers for studies that each tried their own configurations, as Optuna samplers.

`surrogate_methods.py` has them for finite tables, where every past task knows every configuration; here nothing is
shared but the space. All are given the same (`own_known.Known`), and choose among the same candidates.

    RGPE           ranking-weighted ensemble of Gaussian processes; Feurer, Letham, Hutter and Bakshy, 2022
    TST            two-stage transfer surrogate with rankings; Wistuba, Schilling and Schmidt-Thieme, 2016
    FSBO           few-shot Bayesian optimisation with a deep kernel; Wistuba and Grabocka, 2021
    CTS            Thompson sampling from a learned prior on quantiles; Salinas, Shen and Perrone, 2020
    GCP            a Gaussian process on what that prior leaves; the same paper
    MetaLearnTPE   TPE over similar tasks; Watanabe, Awad, Onishi and Hutter, 2023

Where a paper begins with random trials, the method begins with what the past says instead, as the papers of FSBO and
MetaLearnTPE do: a baseline should not lose for want of a first trial. Each class says what else it simplifies.
A further method is a class and one line in `OWN_METHODS`.

Letters:  t past studies · m candidates · n trials of a study · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from own_known import Known, PaperSampler, Tried, pool_of
from papers import (
    Apart,
    DeepKernel,
    Points,
    Process,
    best_and_rest,
    log_improvement,
    overlap,
    parzen,
    parzen_density,
    parzen_width,
    quantiles,
)

from autometa.space import Config, config_key


class RGPE(PaperSampler):
    """The ranking-weighted ensemble of Gaussian processes (Feurer, Letham, Hutter and Bakshy, 2022).

    Weights: how often a model's mean has the smallest ranking loss over bootstrap samples of the trials, the target's
    being its leave-one-out mean; ties share. Against dilution a past model is dropped with one minus the share of
    samples in which it beats the target, times what is left of 100 trials. Expected improvement over the ensemble's
    best. It begins with three of the past's best (`Known.best_first`), where the authors try random ones: with equal
    weights instead, the first three were next to each other, for past models learn nothing from a trial.
    """

    SAMPLES, HORIZON, START = 1_000, 100, 3

    def __init__(self, known: Known, seed: int) -> None:
        super().__init__(known, seed)
        self.target = Process(Apart(known.space.slices))

    def weights(self, seen: Tried) -> NDArray[np.float64]:
        """Of the past models and of the target's, (t + 1,)."""
        t, n = len(self.known.studies), len(seen.y)
        truth = seen.y[:, None] < seen.y[None, :]
        past = self.known.base_at(seen.points)[0]
        wrong = (past[:, :, None] < past[:, None, :]) != truth
        own = (self.target.left_out()[:, None] < self.target.z[None, :]) != truth
        often = self.rng.multinomial(n, np.full(n, 1 / n), self.SAMPLES).astype(float)  # (samples, n)
        losses = np.array(
            [np.einsum("si,ij,sj->s", often, w.astype(float), often, optimize=True) for w in [*wrong, own]]
        )
        better = (losses[:-1] < losses[-1]).mean(axis=1) * max(0.0, 1 - n / self.HORIZON)
        losses[:-1][self.rng.random(t) >= better] = np.inf
        least = losses == losses.min(axis=0)
        return (least / least.sum(axis=0)).mean(axis=1)

    def propose(self, seen: Tried) -> Config:
        """As `PaperSampler`."""
        if len(seen.y) < min(self.START, len(self.known.best_first)):
            return self.known.best_first[len(seen.y)]
        self.target.fit(seen.points, seen.y)
        weights = self.weights(seen)
        used = np.flatnonzero(weights[:-1] > 0)

        def ensemble(points: Points | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            if points is None:
                means, stds = (part[used] for part in self.known.base)
            else:
                found = [self.known.studies[i].process.predict(points) for i in used]
                size = len(points[0])
                means, stds = (np.array([f[k] for f in found]).reshape(len(used), size) for k in (0, 1))
            mean, variance = weights[used] @ means, weights[used] ** 2 @ stds**2
            if weights[-1]:
                own, std = self.target.predict(self.known.points if points is None else points)
                mean, variance = mean + weights[-1] * own, variance + weights[-1] ** 2 * std**2
            return mean, np.sqrt(np.maximum(variance, 1e-10))

        best = float(ensemble(seen.points)[0].max())
        return self.most(lambda points: log_improvement(*ensemble(points), best), seen)


class TST(PaperSampler):
    """The two-stage transfer surrogate, ranking version (Wistuba, Schilling and Schmidt-Thieme, 2016); bandwidth .9.

    The mean of all processes, each by an Epanechnikov kernel of the share of pairs that it ranks otherwise than the
    trials so far, and the target's with the kernel's largest value; the uncertainty is the target's. It begins with
    three of the past's best, as `RGPE`.
    """

    BANDWIDTH, START = 0.9, 3

    def __init__(self, known: Known, seed: int) -> None:
        super().__init__(known, seed)
        self.target = Process(Apart(known.space.slices))

    def propose(self, seen: Tried) -> Config:
        """As `PaperSampler`."""
        n = len(seen.y)
        if n < min(self.START, len(self.known.best_first)):
            return self.known.best_first[n]
        self.target.fit(seen.points, seen.y)
        left, right = np.triu_indices(n, 1)
        past = self.known.base_at(seen.points)[0]
        discord = ((past[:, left] < past[:, right]) != (seen.y[left] < seen.y[right])).mean(axis=1)
        similar = np.where(discord < self.BANDWIDTH, 0.75 * (1 - (discord / self.BANDWIDTH) ** 2), 0.0)

        def both(points: Points | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            means = self.known.base[0] if points is None else self.known.base_at(points)[0]
            mean, std = self.target.predict(self.known.points if points is None else points)
            return (0.75 * mean + similar @ means) / (0.75 + similar.sum()), std

        best = float(both(seen.points)[0].max())
        return self.most(lambda points: log_improvement(*both(points), best), seen)


class FSBO(PaperSampler):
    """Few-shot Bayesian optimisation (Wistuba and Grabocka, 2021): a deep kernel, fine-tuned at every trial.

    Meta-trained on the past studies' own trials, each scaled to its worst and best, stretched at random; fine-tuned
    from there on the trials of the new one, scaled likewise (the paper scales by the task's true range). It begins with
    five configurations that the past studies' surrogates order greedily, as the paper's warm start does by evolution.
    """

    STEPS, EPOCHS, START = 2_000, 100, 5

    def __init__(self, known: Known, seed: int, steps: int = STEPS) -> None:
        """Trains the kernel."""
        super().__init__(known, seed)
        self.kernel = DeepKernel.trained([(s.inputs(), _unit(s.y)) for s in known.studies], seed=seed, steps=steps)

    def propose(self, seen: Tried) -> Config:
        """As `PaperSampler`."""
        if len(seen.y) < min(self.START, len(self.known.best_first)):
            return self.known.best_first[len(seen.y)]
        labels = _unit(seen.y)
        kernel = self.kernel.tuned(seen.inputs(), labels, self.EPOCHS)

        def value(points: Points | None) -> NDArray[np.float64]:
            at = self.known.points if points is None else points
            return log_improvement(*kernel.posterior(seen.inputs(), labels, np.hstack(at)), float(labels.max()))

        return self.most(value, seen)


def _unit(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 0 for the worst to 1 for the best."""
    return (y - y.min()) / max(y.max() - y.min(), 1e-12)


class CTS(PaperSampler):
    """Thompson sampling from a prior on quantiles (Salinas, Shen and Perrone, 2020).

    A network of three hidden layers of 50, with dropout, is trained by likelihood to say mean and standard deviation of
    a past study's Gaussian quantiles at a configuration; each trial draws from that at 10,000 random configurations and
    takes the largest. It learns nothing from the new study. Batches of 64 and 1,200 steps; the weights that are best on
    a tenth of the trials are kept, as in the authors' code.
    """

    HIDDEN, LAYERS, DROPOUT, STEPS, BATCH = 50, 3, 0.1, 1_200, 64

    def __init__(self, known: Known, seed: int, steps: int = STEPS) -> None:
        """Trains the prior."""
        super().__init__(known, seed)
        import torch

        inputs = np.concatenate([s.inputs() for s in known.studies])
        self.centre, self.spread = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)
        x = torch.as_tensor((inputs - self.centre) / self.spread, dtype=torch.float32)
        z = torch.as_tensor(np.concatenate([quantiles(s.y) for s in known.studies]), dtype=torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = self._fitted(x, z, steps)

    def _fitted(self, x: object, z: object, steps: int) -> object:
        import torch
        from torch import nn

        layers: list[nn.Module] = [nn.Linear(x.shape[1], self.HIDDEN)]
        for _ in range(self.LAYERS):
            layers += [nn.Linear(self.HIDDEN, self.HIDDEN), nn.ReLU(), nn.Dropout(self.DROPOUT)]
        network = nn.Sequential(*layers, nn.Linear(self.HIDDEN, 2))
        for layer in network:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
        order = self.rng.permutation(len(x))
        held, train = order[: len(x) // 10], order[len(x) // 10 :]
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
        least, kept = np.inf, None
        for step in range(steps):
            rows = self.rng.choice(train, size=min(self.BATCH, len(train)), replace=False)
            mean, std = _normal(network(x[rows]))
            loss = (std.log() + 0.5 * ((z[rows] - mean) / std) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if step % 100 == 99 or step == steps - 1:
                with torch.no_grad():
                    network.eval()
                    error = float(((_normal(network(x[held]))[0] - z[held]) ** 2).mean()) if len(held) else 0.0
                    network.train()
                if error < least:
                    least, kept = error, {k: v.clone() for k, v in network.state_dict().items()}
        network.load_state_dict(kept)
        return network.eval()

    def prior(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of the quantile at points, (m,) each."""
        import torch

        with torch.no_grad():
            inputs = torch.as_tensor((np.hstack(points) - self.centre) / self.spread, dtype=torch.float32)
            mean, std = _normal(self.network(inputs))
        return mean.double().numpy(), std.double().numpy()

    def propose(self, seen: Tried) -> Config:
        """As `PaperSampler`."""
        configs, points = pool_of(self.known.space)
        mean, std = self.prior(points)
        tried = {config_key(c) for c in seen.configs}
        order = np.argsort(-(mean + std * self.rng.standard_normal(len(mean))))
        return next(configs[j] for j in order if config_key(configs[j]) not in tried)


def _normal(out: object) -> tuple[object, object]:
    """Mean and standard deviation from a network's two outputs."""
    import torch

    return out[:, 0], torch.nn.functional.softplus(out[:, 1]) + 1e-3


class GCP(CTS):
    """A Gaussian process on what the prior leaves of the new study's quantiles (the same paper); expected improvement.

    It begins with five draws of `CTS`, as in the authors' code.
    """

    START = 5

    def propose(self, seen: Tried) -> Config:
        """As `PaperSampler`."""
        if len(seen.y) < self.START:
            return super().propose(seen)
        z = quantiles(seen.y)
        mean, std = self.prior(seen.points)
        rest = (z - mean) / std
        process = Process(Apart(self.known.space.slices)).fit(seen.points, rest)
        middle, scale = rest.mean(), max(rest.std(), 1e-6)  # the process standardises

        def value(points: Points | None) -> NDArray[np.float64]:
            at = self.known.points if points is None else points
            (mean, std), (own, unsure) = self.prior(at), process.predict(at)
            return log_improvement(mean + std * (middle + scale * own), std * scale * unsure, float(z.max()))

        return self.most(value, seen)


class MetaLearnTPE(PaperSampler):
    """TPE over similar tasks (Watanabe, Awad, Onishi and Hutter, 2023), for one objective.

    Each study's best tenth and the rest have a Parzen density; the ratio of their sums over studies, weighted by the
    number of results and by similarity, chooses among 24 draws from each study's good density. Studies are as similar
    as their good densities overlap, over 1,000 random configurations; the paper first drops the less important
    dimensions, which is left out. It begins with five of the past's best (`Known.best_first`).
    """

    BEST, START, DRAWS = 0.1, 5, 24

    def __init__(self, known: Known, seed: int) -> None:
        """Splits the past studies."""
        super().__init__(known, seed)
        self.past = [self._sides(s) for s in known.studies]

    def _sides(self, study: Tried) -> list[Points]:
        return [(study.points[0][side], study.points[1][side]) for side in best_and_rest(study.y, self.BEST)]

    def _density(self, side: Points, at: Points) -> NDArray[np.float64]:  # (m,)
        return parzen_density(parzen(self.known.space.slices, at, side, len(side[0])))

    def _drawn(self, side: Points) -> list[Config]:
        """From a good density: around its results, the uniform kernel among them."""
        space, out = self.known.space, []
        width = parzen_width(len(side[0]), len(space.slices))
        for k in self.rng.integers(len(side[0]) + 1, size=self.DRAWS):
            x = self.rng.random(space.d)
            for p in space if k < len(side[0]) else ():
                where = space.slices[p.name]
                if side[1][k, where].any() and (p.width == 1 or self.rng.random() < 0.8):
                    step = width * self.rng.standard_normal() if p.width == 1 else 0.0
                    x[where] = side[0][k, where] + step
            out.append(space.decode(np.clip(x, 0, 1)))
        return out

    def propose(self, seen: Tried) -> Config:
        """As `PaperSampler`."""
        if len(seen.y) < min(self.START, len(self.known.best_first)):
            return self.known.best_first[len(seen.y)]
        t = len(self.past)
        sides = [*self.past, self._sides(seen)]
        at = self.known.points[0][:1000], self.known.points[1][:1000]
        good = np.array([self._density(side[0], at) for side in sides])
        similar = overlap(good[:-1], good[-1]) / (t + 1)
        weights = np.append(similar, 1 - similar.sum())
        configs = [config for side in sides for config in self._drawn(side[0])]
        asked: Points = tuple(self.known.space.encode_all(configs))  # type: ignore[assignment]
        top, rest = (
            sum(w * len(side[k][0]) * self._density(side[k], asked) for w, side in zip(weights, sides, strict=True))
            for k in (0, 1)
        )
        tried = {config_key(c) for c in seen.configs}
        order = np.argsort(-(top / np.maximum(rest, 1e-300)), kind="stable")
        return next((configs[j] for j in order if config_key(configs[j]) not in tried), configs[order[0]])


OWN_METHODS: dict[str, Callable[[Known, int], PaperSampler]] = {
    "rgpe": RGPE,
    "tst": TST,
    "fsbo": FSBO,
    "cts": CTS,
    "gcp": GCP,
    "metalearntpe": MetaLearnTPE,
}
