"""How much the columns tell about the target, in bits.

Numeric columns, and a regression target, are cut into bins of equal frequency; a missing cell is one more value. Joint
probabilities are smoothed by 1e-8, as pymfe smooths them, so that values agree.

Each function is a meta-feature, its name the feature's name. To add one, write it and give it a line in
`INFORMATION_FEATURES`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autometa.metafeatures.profile import equal_frequency, profile
from autometa.metafeatures.statistical import mean
from autometa.metafeatures.view import Coded, View, shared

SMOOTHING = 1e-8  # of pymfe; part of the definition


def class_entropy(view: View) -> float:
    """Entropy of the classes; undefined for regression."""
    return np.nan if view.regression else entropy(view.class_counts)


def class_balance(view: View) -> float:
    """Entropy of the classes divided by its maximum: 1 if all are equally frequent; undefined for regression."""
    return np.nan if view.c < 2 else class_entropy(view) / np.log2(view.c)


def column_entropy_mean(view: View) -> float:
    """Entropy H(x) of a column, mean over columns."""
    return mean(entropies(view)[0])


def joint_entropy_mean(view: View) -> float:
    """Joint entropy H(x, y) of a column and the target, mean over columns."""
    return mean(entropies(view)[1])


def mutual_information_mean(view: View) -> float:
    """Mutual information H(x) + H(y) - H(x, y) of a column and the target, mean over columns."""
    return mean(information(view))


def mutual_information_max(view: View) -> float:
    """Mutual information with the target, maximum over columns."""
    return float(information(view).max(initial=-np.inf))


def equivalent_columns(view: View) -> float:
    """H(y) divided by the mean mutual information.

    So many columns like the average one would determine the target, were they independent.

    Source:
        The equivalent number of attributes of Michie, Spiegelhalter and Taylor (1994).
    """
    return entropy(coded_target(view).counts) / mutual_information_mean(view)


def noise_to_signal(view: View) -> float:
    """Noise to signal: what columns hold that is not about the target, (mean H(x) - mean I(x, y)) / mean I(x, y)."""
    return column_entropy_mean(view) / mutual_information_mean(view) - 1


INFORMATION_FEATURES = (
    class_entropy,
    class_balance,
    column_entropy_mean,
    joint_entropy_mean,
    mutual_information_mean,
    mutual_information_max,
    equivalent_columns,
    noise_to_signal,
)


def entropy(counts: NDArray[np.int64]) -> float:  # (m,)
    """Entropy in bits of the distribution with these counts.

    Example:
        >>> entropy(np.array([2, 1, 1]))
        1.5
    """
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


@shared
def coded_target(view: View) -> Coded:
    """The classes as codes, or the regression target in bins of equal frequency."""
    if view.regression:
        return equal_frequency(view.y, np.sort(view.y))
    _, codes, counts = np.unique(view.y, return_inverse=True, return_counts=True)
    return Coded(codes, counts)


@shared
def entropies(view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (q + k,) each
    """Entropy of each column, and its joint entropy with the target, in bits."""
    columns, target = profile(view).coded + view.categorical, coded_target(view)
    single, joint = np.empty(len(columns)), np.empty(len(columns))
    for j, column in enumerate(columns):
        single[j] = entropy(column.counts)
        cells = len(column.counts) * len(target.counts)
        pairs = np.multiply(column.codes, len(target.counts), dtype=np.int64) + target.codes
        counts = np.bincount(pairs, minlength=cells)
        share = counts / len(column.codes) + SMOOTHING
        joint[j] = -(share * np.log2(share)).sum()
    return single, joint


@shared
def information(view: View) -> NDArray[np.float64]:  # (q + k,)
    """Mutual information of each column with the target, in bits."""
    single, joint = entropies(view)
    return single + entropy(coded_target(view).counts) - joint
