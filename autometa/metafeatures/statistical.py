"""How the columns are distributed and depend on each other: missing cells, moments, correlations, ties to the target.

Statistics of the columns are summarised by mean and standard deviation over the columns where they are defined. Nothing
here depends on the units of the columns.

Each function is a meta-feature, its name the feature's name. To add one, write it and give it a line in
`STATISTICAL_FEATURES`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.metafeatures.profile import profile, shape
from autometa.metafeatures.view import View, shared


def missing_share(view: View) -> float:
    """Share of the cells that are missing; infinite ones count as missing."""
    return mean(missing(view))


def columns_with_missing_share(view: View) -> float:
    """Share of the columns with a missing cell."""
    return mean(missing(view) > 0)


def rows_with_missing_share(view: View) -> float:
    """Share of the rows with a missing cell."""
    categorical = [column.values < 0 for column in view.sample[0] if column.holds == "categorical"]
    return float(np.any([profile(view).incomplete, *categorical], axis=0).mean())


def log_categories_mean(view: View) -> float:
    """Logarithm of the number of categories ("missing" is one), mean over categorical columns; 0 without any."""
    return float(np.mean([np.log(len(column.counts)) for column in view.categorical] or [0.0]))


def log_categories_max(view: View) -> float:
    """Logarithm of the number of categories of the categorical column with most; 0 without any."""
    return max((float(np.log(len(column.counts))) for column in view.categorical), default=0.0)


def binary_columns(view: View) -> float:
    """Number of columns with exactly two distinct values."""
    return _count(view, distinct(view)[0] == 2)


def sparsity_mean(view: View) -> float:
    """How often values repeat, (n / distinct - 1) / (n - 1), mean over columns: 0 all distinct, 1 all equal."""
    values, present = distinct(view)
    return mean((present / values - 1) / (present - 1))


def skewness_mean(view: View) -> float:
    """Skewness, mean over the numeric columns."""
    return mean(profile(view).skewness)


def skewness_sd(view: View) -> float:
    """Skewness, standard deviation over the numeric columns."""
    return sd(profile(view).skewness)


def kurtosis_mean(view: View) -> float:
    """Excess kurtosis, mean over the numeric columns."""
    return mean(profile(view).kurtosis)


def kurtosis_sd(view: View) -> float:
    """Excess kurtosis, standard deviation over the numeric columns."""
    return sd(profile(view).kurtosis)


def outlier_columns(view: View) -> float:
    """Number of numeric columns with a value beyond 1.5 interquartile ranges of the quartiles."""
    return _count(view, profile(view).outliers)


def correlation_mean(view: View) -> float:
    """Absolute correlation, mean over the pairs of numeric columns."""
    return mean(pairs(view))


def correlation_sd(view: View) -> float:
    """Absolute correlation, standard deviation over the pairs of numeric columns."""
    return sd(pairs(view))


def correlated_pairs_share(view: View) -> float:
    """Share of the pairs of numeric columns whose absolute correlation is at least one half."""
    return mean(pairs(view) >= 0.5)


def first_component_share(view: View) -> float:
    """Share of the variance (of standardised numeric columns) along the first principal component."""
    return float(spectrum(view).max(initial=-np.inf))


def components_share(view: View) -> float:
    """Share of the principal components that 95 % of the variance needs."""
    shares = spectrum(view)
    return (1 + np.count_nonzero(np.cumsum(shares) < 0.95)) / len(shares) if len(shares) else np.nan


def target_association_mean(view: View) -> float:
    """Association of a numeric column with the target (`association`), mean over numeric columns."""
    return mean(association(view))


def target_association_max(view: View) -> float:
    """Association with the target (`association`) of the numeric column that has most of it."""
    return float(association(view).max(initial=-np.inf))


def gravity(view: View) -> float:
    """Euclidean distance between the means of the largest and the smallest class, numeric columns standardised.

    Undefined for regression.

    Source:
        The centre of gravity of Ali and Smith-Miles (2006).
    """
    X, y = profile(view).standardised, view.y
    if view.regression or view.c < 2 or not X.size:
        return np.nan
    largest = int(np.argmax(view.class_counts))
    smallest = min((code for code in range(view.c) if code != largest), key=lambda code: view.class_counts[code])
    means = [(y == code) @ X / np.count_nonzero(y == code) for code in (largest, smallest)]
    return float(np.linalg.norm(means[0] - means[1]))


def target_skewness(view: View) -> float:
    """Skewness of the regression target."""
    return shape(view.y)[0] if _varying_number(view) else np.nan


def target_kurtosis(view: View) -> float:
    """Excess kurtosis of the regression target."""
    return shape(view.y)[1] if _varying_number(view) else np.nan


def target_distinct_share(view: View) -> float:
    """Distinct values of the regression target, divided by rows."""
    return len(np.unique(view.y)) / len(view.y) if view.regression else np.nan


STATISTICAL_FEATURES = (
    missing_share,
    columns_with_missing_share,
    rows_with_missing_share,
    log_categories_mean,
    log_categories_max,
    binary_columns,
    sparsity_mean,
    skewness_mean,
    skewness_sd,
    kurtosis_mean,
    kurtosis_sd,
    outlier_columns,
    correlation_mean,
    correlation_sd,
    correlated_pairs_share,
    first_component_share,
    components_share,
    target_association_mean,
    target_association_max,
    gravity,
    target_skewness,
    target_kurtosis,
    target_distinct_share,
)


@shared
def missing(view: View) -> NDArray[np.float64]:  # (q + k,)
    """Share of the cells that are missing, in each numeric and categorical column."""
    categorical = [np.mean(column.values < 0) for column in view.sample[0] if column.holds == "categorical"]
    return np.append(1 - profile(view).present / len(view.y), categorical)


@shared
def correlations(view: View) -> NDArray[np.float64]:  # (q', q')
    """Correlations between the numeric columns that vary."""
    X = profile(view).standardised
    return X.T @ X / len(X)


@shared
def pairs(view: View) -> NDArray[np.float64]:
    """Absolute correlation of each pair of numeric columns that vary, (q' (q' - 1) / 2,)."""
    return np.abs(correlations(view)[np.tril_indices(len(correlations(view)), k=-1)])


@shared
def spectrum(view: View) -> NDArray[np.float64]:  # (q',)
    """Shares of the variance along the principal components, largest first."""
    eigenvalues = np.clip(np.linalg.eigvalsh(correlations(view)), 0, None)[::-1]
    return eigenvalues / eigenvalues.sum()


@shared
def association(view: View) -> NDArray[np.float64]:  # (q',)
    """Absolute correlation with the target; for classes the correlation ratio.

    That is the root of the share of a column's variance that lies between the classes.
    """
    X, y = profile(view).standardised, view.y
    if view.regression:
        centred = y - y.mean()
        return np.abs(centred @ X) / np.sqrt(len(y) * (centred @ centred))
    belongs = (y[:, None] == np.unique(y)).astype(np.float64)  # (r, c)
    return np.sqrt(np.clip(((belongs.T @ X) ** 2 / belongs.sum(axis=0)[:, None]).sum(axis=0) / len(y), 0, 1))


@shared
def distinct(view: View) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # (q + k,) each
    """Distinct values, and present cells, of each numeric and categorical column."""
    categories = [len(column.counts) for column in view.categorical]
    return np.append(profile(view).distinct, categories), np.append(
        profile(view).present, [len(column.codes) for column in view.categorical]
    )


def mean(values: NDArray[Any]) -> float:  # of any shape
    """Mean of the values that are finite; NaN if none is.

    Example:
        >>> mean(np.array([1.0, np.nan, 2.0]))
        1.5
    """
    defined = np.asarray(values, np.float64)[np.isfinite(values)]
    return float(defined.mean()) if defined.size else np.nan


def sd(values: NDArray[Any]) -> float:  # of any shape
    """Standard deviation (over n - 1) of the values that are finite; NaN for fewer than two.

    Example:
        >>> sd(np.array([1.0, np.nan, 3.0])) == 2**0.5
        True
    """
    defined = np.asarray(values, np.float64)[np.isfinite(values)]
    return float(defined.std(ddof=1)) if defined.size > 1 else np.nan


def _count(view: View, which: NDArray[np.bool_]) -> float:  # (q + k,) or (q,)
    """How many columns are marked, scaled up to all columns of the task where the sample holds fewer."""
    return float(which.sum()) * view.p / len(view.sample[0])


def _varying_number(view: View) -> bool:
    """Whether the target is a number that varies."""
    return view.regression and bool(np.ptp(view.y) > 0)
