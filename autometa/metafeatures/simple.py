"""What a table is like before looking into its cells: sizes, types of columns, balance of the classes.

Each function is a meta-feature, its name the feature's name. To add one, write it and give it a line in
`SIMPLE_FEATURES`.
"""

from __future__ import annotations

import math

import numpy as np

from autometa.metafeatures.view import View


def rows(view: View) -> float:
    """Number of rows n."""
    return view.n


def columns(view: View) -> float:
    """Number of feature columns p."""
    return view.p


def classes(view: View) -> float:
    """Number of classes c; undefined for regression."""
    return np.nan if view.regression else view.c


def log_rows(view: View) -> float:
    """Natural logarithm of the number of rows."""
    return math.log(view.n) if view.n else np.nan


def log_columns(view: View) -> float:
    """Natural logarithm of the number of columns."""
    return math.log(view.p) if view.p else np.nan


def log_classes(view: View) -> float:
    """Natural logarithm of the number of classes; undefined for regression."""
    return math.log(view.c) if view.c else np.nan


def columns_per_row(view: View) -> float:
    """Columns divided by rows."""
    return view.p / view.n if view.n else np.nan


def numeric_columns(view: View) -> float:
    """Number of numeric columns."""
    return len(view.task.columns.numeric)


def categorical_columns(view: View) -> float:
    """Number of categorical columns."""
    return len(view.task.columns.categorical)


def text_columns(view: View) -> float:
    """Number of columns of free text."""
    return len(view.task.columns.text)


def categorical_share(view: View) -> float:
    """Share of the columns that are categorical."""
    return categorical_columns(view) / view.p if view.p else np.nan


def smallest_class_share(view: View) -> float:
    """Share of the rows that are of the rarest class; undefined for regression."""
    return np.nan if view.regression else view.class_counts.min() / view.n


def largest_class_share(view: View) -> float:
    """Share of the rows that are of the most frequent class; undefined for regression."""
    return np.nan if view.regression else view.class_counts.max() / view.n


def rows_per_group(view: View) -> float:
    """Rows divided by the groups that belong together; 1 where every row stands for itself."""
    groups = view.task.groups
    return 1.0 if groups is None or not len(groups) else len(groups) / len(np.unique(groups))


def time_ordered(view: View) -> float:
    """1 where later rows are predicted from earlier ones, else 0."""
    return float(view.task.time_order is not None)


SIMPLE_FEATURES = (
    rows,
    columns,
    classes,
    log_rows,
    log_columns,
    log_classes,
    columns_per_row,
    numeric_columns,
    categorical_columns,
    text_columns,
    categorical_share,
    smallest_class_share,
    largest_class_share,
    rows_per_group,
    time_ordered,
)
