"""Past studies as functions over configurations: draws of one Gaussian process, which is learned from all of them.

A study that went its own way shares no configuration with another one, yet says something about all. Its scores are

    y(x) = offset + phi(x)'w + residual + noise,      w ~ N(mean, covariance),

with features `phi` that all studies share (`features`). Mean and covariance of the coefficients `w` are learned from
the studies by expectation maximisation: where a study tried nothing it is expected to be as the others are, with the
doubt that they leave. The offset of each study is its own, for a search that went well has tried mostly good
configurations, so that its median says nothing.

Laws: nothing depends on the units of the studies, and next to nothing on their order; the doubt about a configuration
grows with its distance from what a study tried; a study more costs one posterior, and mean and covariance have a fixed
size however many there are.

Source:
    Schwaighofer, Tresp & Yu, "Learning Gaussian process kernels via hierarchical Bayes", NIPS 2004; Wang et al.,
    "Pre-trained Gaussian processes for Bayesian optimization", JMLR 2024.

Letters:  t past studies · n trials of a study · f features · q points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.features import Features, Points, joined_points
from autometa.transfer.gaussian import cholesky, solve
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.relevance import relevance
from autometa.transfer.selection import evenly
from autometa.transfer.study_trials import StudyTrials


@dataclass(frozen=True, slots=True, eq=False)
class StudyPosterior:
    """The coefficients of one study after its trials."""

    weights: NDArray[np.float64]  # (f,) their mean
    reduction: NDArray[np.float64]  # (n, f) R: their covariance is the population's less R'R
    log_evidence: float
    squared_noise: float  # expected, added up over the trials


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """The Gaussian process that past studies are draws of.

    Example:
        >>> from autometa.space import SearchSpace, real
        >>> from autometa.transfer.kernels import Layout
        >>> layout = Layout(SearchSpace.of(x=real(0.0, 1.0, 0.5)))
        >>> def study(seed):  # ten trials at places of its own; the best place is at .7 for all
        ...     x = np.random.default_rng(seed).random((10, 1))
        ...     return StudyTrials.of(Points.of(layout, x, x > -1), -((x[:, 0] - 0.7) ** 2), 60)
        >>> population = Population.learned([study(seed) for seed in range(6)], layout.groups)
        >>> grid = np.linspace(0.0, 1.0, 11)[:, None]
        >>> mean = population.features.of(Points.of(layout, grid, grid > -1)) @ population.mean
        >>> grid[np.argmax(mean), 0].round(1)
        np.float64(0.7)
    """

    features: Features
    mean: NDArray[np.float64]  # (f,)
    covariance: NDArray[np.float64]  # (f, f)
    noise: float  # variance of a score around its study's function
    options: TransferOptions = OPTIONS

    @classmethod
    def learned(
        cls, studies: Sequence[StudyTrials], groups: NDArray[np.int64], options: TransferOptions = OPTIONS
    ) -> Population:
        """From the trials of past studies; length scales are those under which they are most likely.

        `groups` are those of `relevance`: which dimensions of a place belong to one parameter.
        """
        pool = _pool([study.points for study in studies], options.population_pool)
        few = [studies[i] for i in evenly(len(studies), options.population_panel)]
        scales = relevance(few, groups, options)
        best: tuple[float, Population] | None = None
        for length in options.population_lengths:
            features = Features.chosen(pool, length, options.population_level, scales, options.population_features)
            f = len(features.inducing)
            start = cls(features, np.zeros(f), np.eye(f), options.population_noise, options)
            population, evidence = start._improved(few, options.panel_rounds)
            if best is None or evidence > best[0]:
                best = evidence, population
        assert best is not None
        rounds = int(np.clip(options.population_posteriors / len(studies), 2, options.population_rounds))
        return best[1]._improved(studies, rounds)[0]

    def including(self, studies: Iterable[StudyTrials]) -> Population:
        """After one round of expectation maximisation on all studies, however many there are; each is seen once."""
        sums = _Sums(self)
        for study in studies:
            if study.tells:
                sums.add(self.posterior(study), len(study.y))
        return sums.population()

    def posterior(self, study: StudyTrials) -> StudyPosterior:
        """What the trials of one study say of its coefficients."""
        phi = self.features.of(study.points)  # (n, f)
        return self._posterior(study, phi)

    def variance(
        self, points: Points, phi: NDArray[np.float64], usual: NDArray[np.float64], after: Sequence[StudyPosterior] = ()
    ) -> NDArray[np.float64]:  # (q,), or (t, q)
        """How unsure it is by how much a study's function at points differs from what is usual.

        Of its level, which is all but unknown beside the offset of its scores, nothing depends.

        Args:
            points: q of them.
            phi: Their features, (q, f).
            usual: The mean features of random configurations, (f,).
            after: t studies after their trials; none for a study of which nothing is known.
        """
        apart = phi - usual
        before = np.einsum("qf,qf->q", apart @ self.covariance, apart) + self.residual(points, phi)
        if not after:
            return before
        known = np.stack([((posterior.reduction @ apart.T) ** 2).sum(axis=0) for posterior in after])
        return np.maximum(before - known, 0.0)

    def residual(self, points: Points, phi: NDArray[np.float64]) -> NDArray[np.float64]:  # (q,)
        """The variance at points that the features cannot express."""
        return self.options.population_residual * np.maximum(1.0 - np.einsum("qf,qf->q", phi, phi), 0.0)

    def _posterior(self, study: StudyTrials, phi: NDArray[np.float64]) -> StudyPosterior:
        options = self.options
        spread = phi @ self.covariance  # (n, f)
        own = self.noise + self.residual(study.points, phi)
        lower = cholesky(spread @ phi.T + options.population_offset + np.diag(own))
        white = solve(lower, np.column_stack([study.y - phi @ self.mean, spread]))
        first, reduction = white[:, 0], white[:, 1:]  # (n,), (n, f)
        inverse = solve(lower, np.eye(len(study.y)))  # (n, n) of the factor
        surprise = (inverse.T @ first) ** 2 - (inverse**2).sum(axis=0)  # (n,) squared, less what was expected of it
        return StudyPosterior(
            self.mean + reduction.T @ first,
            reduction,
            float(-0.5 * first @ first - np.log(np.diag(lower)).sum() - 0.5 * len(first) * np.log(2 * np.pi)),
            float(np.sum(self.noise + self.noise**2 * surprise)),
        )

    def _improved(self, studies: Sequence[StudyTrials], rounds: int) -> tuple[Population, float]:
        """After some rounds of expectation maximisation on studies, and the evidence of these before the last one."""
        now, seen, evidence = self, [self.features.of(study.points) for study in studies], 0.0
        for _ in range(rounds):
            sums = _Sums(now)
            for study, phi in zip(studies, seen, strict=True):
                sums.add(now._posterior(study, phi), len(study.y))
            now, evidence = sums.population(), sums.evidence
        return now, evidence


class _Sums:
    """What a round of expectation maximisation adds up over the studies."""

    def __init__(self, population: Population) -> None:
        f = len(population.mean)
        self._before, self.evidence = population, 0.0
        self._studies, self._trials, self._noise = 0, 0, 0.0
        self._weights, self._squares, self._known = np.zeros(f), np.zeros((f, f)), np.zeros((f, f))

    def add(self, posterior: StudyPosterior, trials: int) -> None:
        """One study after its trials."""
        self._studies += 1
        self._trials += trials
        self._noise += posterior.squared_noise
        self.evidence += posterior.log_evidence
        self._weights += posterior.weights
        self._squares += np.outer(posterior.weights, posterior.weights)
        self._known += posterior.reduction.T @ posterior.reduction

    def population(self) -> Population:
        """The most probable mean, covariance and noise."""
        before, t, options = self._before, self._studies, self._before.options
        mean = self._weights / (t + options.mean_studies)
        cross = np.outer(self._weights, mean)
        apart = self._squares - cross - cross.T + t * np.outer(mean, mean)
        prior = np.eye(len(mean)) * options.covariance_studies
        covariance = (prior + t * before.covariance - self._known + apart) / (options.covariance_studies + t)
        noise = float(np.clip(self._noise / max(self._trials, 1), 1e-3, 1.0))
        return replace(before, mean=mean, covariance=covariance, noise=noise)


def _pool(points: Sequence[Points], most: int) -> Points:
    """Points of all studies in one, an even selection if there are more than `most`."""
    pool = joined_points(points)
    return pool.at(evenly(len(pool), most))
