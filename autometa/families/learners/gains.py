"""How much candidates tell of the mistakes of a model: the share of their variance, estimated without bias.

Letters:  n rows · m candidates · b bins · c columns of mistakes, one for each class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autometa.families.learners.recipes import Base, Values
from autometa.families.options import OPTIONS


def share_told(values: Values, mistakes: Values, base: Base) -> Values:  # (n, m) -> (m,)
    """The share of the mistakes' variance that each candidate explains."""
    if base == "linear":
        return along_lines(values, mistakes)
    return between_bins(np.column_stack([binned(column) for column in values.T]), mistakes)


def binned(values: Values) -> NDArray[np.intp]:
    """(n,) bins of about equally many rows; the last of all is for what is missing."""
    most = OPTIONS.features.bins
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(len(values), most)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, most + 1)[1:-1]))
    return np.where(np.isnan(values), most, np.searchsorted(edges, values, side="right"))


def between_bins(bins_of: NDArray[np.intp], mistakes: Values, bins: int | None = None) -> Values:
    """(m,) the share of the mistakes' variance that lies between the bins (n, m) of each candidate.

    Of a bin, the square of the sum less the sum of squares estimates the square of its mean without bias: pairs of
    different rows only (a U-statistic).
    """
    m = bins_of.shape[1]
    b = (OPTIONS.features.bins + 1) if bins is None else bins
    flat = (bins_of + b * np.arange(m)).ravel()
    counts = np.bincount(flat, minlength=b * m)
    total, gain = 0.0, np.zeros(b * m)
    for column in mistakes.T:
        sums = np.bincount(flat, np.repeat(column, m), b * m)
        squares = np.bincount(flat, np.repeat(column * column, m), b * m)
        gain += (sums * sums - squares) / np.maximum(counts - 1, 1)
        total += float(column @ column)
    return gain.reshape(m, b).sum(axis=1) / max(total, 1e-300)


def along_lines(values: Values, mistakes: Values) -> Values:  # (n, m) -> (m,)
    """As `between_bins`, of a line through each candidate without its outer twentieths, its middle where missing."""
    gains, total = np.zeros(values.shape[1]), max(float((mistakes * mistakes).sum()), 1e-300)
    for j, column in enumerate(values.T):
        if np.isnan(column).all():
            continue
        low, middle, high = np.nanquantile(column, [0.05, 0.5, 0.95])
        line = np.clip(np.where(np.isnan(column), middle, column), low, high)
        line -= line.mean()
        norm = float(line @ line)
        if norm > 0:
            along = line[:, None] * mistakes
            gains[j] = float((along.sum(axis=0) ** 2 - (along * along).sum(axis=0)).sum()) / norm / total
    return gains
