"""How much each parameter matters, by past studies: a length scale of its own for each.

One Gaussian process per study, all with the same kernel; the scale of one parameter after the other is doubled or
halved as long as the studies become more likely by it (automatic relevance determination, by coordinate ascent).
Without it the many parameters that hardly matter hide the few that do.

Source:
    MacKay, "Bayesian non-linear modelling for the prediction competition", 1994; Rasmussen & Williams, 2006, 5.1.

Letters:  n trials of a study · k dimensions of a place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.gaussian import cholesky, solve
from autometa.transfer.kernels import matern
from autometa.transfer.options import TransferOptions
from autometa.transfer.study_trials import StudyTrials


def relevance(
    studies: Sequence[StudyTrials], groups: NDArray[np.int64], options: TransferOptions
) -> NDArray[np.float64]:  # (k,)
    """What the places of points are to be multiplied by, dimension by dimension.

    Args:
        studies: Those that choose.
        groups: Of each dimension the number of its parameter, (k,): dimensions of one parameter share their scale.
        options: The tuned numbers.
    """
    fits = [_StudyFit(study, options) for study in studies]
    scales = np.ones(len(groups))
    for fit in fits:
        fit.move(scales)
    grid = [(length, noise) for length in options.population_lengths for noise in options.relevance_noises]
    length, noise = max(grid, key=lambda pair: sum(fit.evidence(*pair) for fit in fits))
    best = sum(fit.evidence(length, noise) for fit in fits)
    for _ in range(options.relevance_rounds):
        for group in np.unique(groups):
            for factor in (2.0, 0.5):
                tried = np.where(groups == group, scales * factor, scales)
                found = sum(fit.evidence(length, noise, fit.moved(scales, tried)) for fit in fits)
                if found > best + options.relevance_gain:
                    for fit in fits:
                        fit.squared = fit.moved(scales, tried)
                    best, scales = found, tried
                    break
    return scales


class _StudyFit:
    """The process of one study."""

    def __init__(self, study: StudyTrials, options: TransferOptions) -> None:
        places, family = study.points.places, study.points.family
        self._apart = np.moveaxis((places[:, None, :] - places[None]) ** 2, 2, 0).copy()  # (k, n, n)
        self._same = family[:, None] == family[None]
        self._y, self._options = study.y[:, None], options
        self.squared = np.zeros(self._same.shape)

    def move(self, scales: NDArray[np.float64]) -> None:
        """Measures distances by these scales."""
        self.squared = np.tensordot(scales**2, self._apart, axes=1)

    def moved(self, scales: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:  # (n, n)
        """The squared distances if some of the scales change, by the dimensions that do."""
        changed = np.flatnonzero(scales != to)
        difference = (to**2 - scales**2)[changed]
        return np.maximum(self.squared + np.tensordot(difference, self._apart[changed], axes=1), 0.0)

    def evidence(self, length: float, noise: float, squared: NDArray[np.float64] | None = None) -> float:
        """The log evidence of the study, up to a constant."""
        level, squared = self._options.population_level, self.squared if squared is None else squared
        kernel = ((1.0 - level) * matern(squared / length**2) + level) * self._same
        lower = cholesky(kernel + self._options.population_offset + noise * np.eye(len(self._y)))
        white = solve(lower, self._y)
        return float(-0.5 * np.sum(white**2) - np.log(np.diag(lower)).sum())
