"""What is known of each column of the sample; all of it found at once, while the column is in the processor's cache.

The groups of meta-features take what they need from the profile. Missing and infinite cells are left out, or are a code
of their own.

Letters:  r rows · q numeric columns, q' of them vary · k categorical columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.metafeatures.view import Coded, View, compact, shared


class Profile(NamedTuple):
    """What is known of the numeric columns of a sample."""

    skewness: NDArray[np.float64]  # (q,) NaN where a column is constant or empty
    kurtosis: NDArray[np.float64]  # (q,) excess
    distinct: NDArray[np.int64]  # (q,)
    present: NDArray[np.int64]  # (q,) cells that are not missing
    outliers: NDArray[np.bool_]  # (q,) whether a cell lies beyond 1.5 interquartile ranges of the quartiles
    coded: list[Coded]  # (q,) in bins of equal frequency
    standardised: NDArray[np.float64]  # (r, q') mean 0 and variance 1; missing cells hold the mean
    incomplete: NDArray[np.bool_]  # (r,) whether a cell of the row is missing


@shared
def profile(view: View) -> Profile:
    """The profile of the numeric columns."""
    columns = [column.values for column in view.sample[0] if column.holds == "numeric"]
    r, q = len(view.y), len(columns)
    skewness, kurtosis = np.full(q, np.nan), np.full(q, np.nan)
    distinct, present, outliers = np.zeros(q, np.int64), np.zeros(q, np.int64), np.zeros(q, bool)
    standardised, incomplete = np.empty((r, q), order="F"), np.zeros(r, bool)
    coded, varying = [], 0
    for j, values in enumerate(columns):
        missing = ~np.isfinite(values)
        if not missing.any():
            missing = None
        else:
            incomplete |= missing
        ordered = np.sort(values if missing is None else values[~missing])
        coded.append(equal_frequency(values, ordered, missing))
        present[j] = len(ordered)
        if not len(ordered):
            continue
        distinct[j] = 1 + np.count_nonzero(ordered[1:] != ordered[:-1])
        lower, upper = quantiles(ordered, np.array([0.25, 0.75]))
        whisker = 1.5 * (upper - lower)
        outliers[j] = ordered[0] < lower - whisker or ordered[-1] > upper + whisker
        centred = values - ordered.mean()
        if missing is not None:
            centred[missing] = 0.0
        squared = centred * centred
        total = squared.sum()
        if distinct[j] < 2 or not 0 < total < np.inf:
            continue
        skewness[j], kurtosis[j] = _shape(centred, squared, total, len(ordered))
        np.divide(centred, np.sqrt(total / r), out=standardised[:, varying])
        varying += 1
    return Profile(skewness, kurtosis, distinct, present, outliers, coded, standardised[:, :varying], incomplete)


def shape(values: NDArray[np.float64]) -> tuple[float, float]:  # (n,)
    """Skewness and excess kurtosis.

    These are `b_1` and `b_2` of Joanes and Gill (1998), with the variance over n - 1: the default of pymfe and of R's
    e1071.

    Example:
        >>> shape(np.array([0.0, 0.0, 0.0, 4.0]))
        (0.75, -1.6875)
    """
    centred = values - values.mean()
    squared = centred * centred
    return _shape(centred, squared, squared.sum(), len(values))


def _shape(centred: NDArray[np.float64], squared: NDArray[np.float64], total: float, n: int) -> tuple[float, float]:
    """Skewness and excess kurtosis of n values about their mean, with their squares and the sum of these."""
    variance = total / (n - 1)
    third, fourth = squared @ centred / n, squared @ squared / n
    return float(third / variance**1.5), float(fourth / variance**2 - 3.0)


def quantiles(ordered: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,), (b,) -> (b,)
    """`numpy.quantile` to the last bit, of values that are sorted already.

    Example:
        >>> quantiles(np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.75]))
        array([1., 3.])
    """
    place = at * (len(ordered) - 1)
    below = np.floor(place).astype(np.int64)
    part = place - below
    low, high = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    return np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))


def equal_frequency(
    values: NDArray[np.float64],  # (n,)
    ordered: NDArray[np.float64],  # (m,) those that are not missing, sorted
    missing: NDArray[np.bool_] | None = None,  # (n,); None: nothing is
) -> Coded:
    """Bins of equal frequency, the cube root of m many; missing values are one more.

    Edges closer than 1e-8 fall together, as they do in pymfe.

    Example:
        >>> equal_frequency(np.arange(8.0), np.arange(8.0)).codes
        array([0, 0, 0, 0, 1, 1, 1, 1], dtype=uint8)
    """
    codes = np.zeros(len(values), np.uint8)  # 256 bins would need 16 million rows
    edges = np.zeros(0)
    if len(ordered):
        edges = quantiles(ordered, np.linspace(0, 1, int(len(ordered) ** (1 / 3)) + 1)[1:])
        edges = edges[np.append(True, np.diff(edges) > 1e-8)]
    for edge in edges:  # faster than np.searchsorted, whose branches cannot be predicted
        codes += values > edge
    if missing is not None:
        codes[missing] = len(edges) + 1
    return compact(codes, len(edges) + 2)


def standardise(table: NDArray[np.float64]) -> NDArray[np.float64]:  # (r, q) -> (r, q')
    """Mean 0 and variance 1, missing cells at the mean; constant and empty columns are left out."""
    missing = ~np.isfinite(table)
    filled = np.where(missing, 0.0, table)
    centred = filled - filled.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    centred[missing] = 0.0
    scale = np.sqrt((centred * centred).mean(axis=0))
    varies = np.isfinite(scale) & (scale > 1e-12 * np.abs(filled).max(axis=0, initial=0.0))
    return centred[:, varies] / scale[varies]
