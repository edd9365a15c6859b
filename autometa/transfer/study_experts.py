"""What past studies as functions let expect of the task at hand: the processes of the expert "past".

Either this task is like one of the studies, up to a share of what sets studies apart, or it is one more draw of the
population that they are draws of. Both are Gaussian processes (`experts.Process`), weighed by their evidence.

Letters:  t studies · f features · q, p points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.space import SearchSpace
from autometa.transfer.features import Points
from autometa.transfer.options import TransferOptions
from autometa.transfer.past_studies import Functions


@dataclass(frozen=True, slots=True, eq=False)
class SeenPoints:
    """What the processes need of q points."""

    points: Points
    phi: NDArray[np.float64]  # (q, f) features
    spread: NDArray[np.float64]  # (q, f) features times the population's covariance


class StudySight:
    """The view that all processes share: it makes points, features and distances once."""

    def __init__(self, functions: Functions, space: SearchSpace, options: TransferOptions) -> None:
        """`space` is the one whose encoded configurations are asked about."""
        self.functions, self.options = functions, options
        self.points_of = functions.points(space)
        self.noise = max(functions.population.noise, options.study_noise)

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> SeenPoints:
        """Points, features, and these times the covariance."""
        population = self.functions.population
        points = self.points_of(x, mask)
        phi = population.features.of(points)
        return SeenPoints(points, phi, phi @ population.covariance)

    def apart(self, a: SeenPoints, b: SeenPoints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The population's covariance between points, and that of what no study explains, (p, q) each."""
        kernel, options = self.functions.population.features.kernel(a.points, b.points), self.options
        common = a.spread @ b.phi.T + options.population_residual * (kernel - a.phi @ b.phi.T)
        return common, options.study_residual * kernel

    def variances(self, seen: SeenPoints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both at distance zero, (q,) each."""
        common = np.einsum("qf,qf->q", seen.spread, seen.phi)
        common = common + self.functions.population.residual(seen.points, seen.phi)
        return common, np.full(len(common), self.options.study_residual)


class StudyProcess:
    """This task is like one of the past studies, up to a share of what sets studies apart."""

    def __init__(self, sight: StudySight, share: float) -> None:
        """`share` of the population's covariance is left between this task and the study."""
        self.sight, self.share = sight, share
        self.shares, self.priors = sight, sight.functions.weights  # (t, f) coefficients of the means
        self.noise = sight.noise

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> SeenPoints:
        """Of points, (q, d) each."""
        return self.sight.see(x, mask)

    def means(self, seen: SeenPoints, kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """What every study, or those in `kept`, lets expect, (q, t)."""
        return seen.phi @ (self.priors if kept is None else self.priors[kept]).T

    def apart(self, a: SeenPoints, b: SeenPoints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """As the processes share it."""
        return self.sight.apart(a, b)

    def covariance(self, apart: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Between two sets of points, (p, q)."""
        return self.share * apart[0] + apart[1]

    def variance(self, seen: SeenPoints) -> NDArray[np.float64]:
        """At each point, (q,)."""
        common, residual = self.sight.variances(seen)
        return self.share * common + residual


class PopulationProcess(StudyProcess):
    """This task is one more draw of the population."""

    def __init__(self, sight: StudySight) -> None:
        """The mean is the population's, and all of its covariance is left."""
        super().__init__(sight, 1.0)
        self.priors = sight.functions.population.mean[None, :]  # (1, f)


def study_processes(functions: Functions, space: SearchSpace, options: TransferOptions) -> list[StudyProcess]:
    """The processes of the expert "past"."""
    sight = StudySight(functions, space, options)
    return [*(StudyProcess(sight, share) for share in options.study_shares), PopulationProcess(sight)]
