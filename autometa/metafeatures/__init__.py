"""What a task looks like: 69 numbers that tell which past tasks it resembles.

`describe` turns a task into `MetaFeatures`: a named, ordered, versioned vector, a pure function of the task, computed
on a bounded sample within a time box. Groups go from cheap to expensive (`GROUPS`), so that the landmarks are what a
short time box leaves out; what was not computed, or is not defined for this kind of task, is NaN.

Law: neither the order of the rows nor that of the columns matters, nor what the columns are called, but where their
names say that they are one embedding (`task.vectors`). What pymfe computes too has pymfe's value (`PYMFE`), on what
the sample holds.

A meta-feature is a function of a `View`, in the tuple of its group, and its name is the feature's name. To add one,
write it there: tasks that were described before lack it. Raise `VERSION` with every change of a value, as vectors of
different versions cannot be compared.

Letters:  f meta-features.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.metafeatures import embedding, information, landmarking, model, simple, statistical
from autometa.metafeatures.options import OPTIONS, MetafeatureOptions
from autometa.metafeatures.view import View
from autometa.moved import former

if TYPE_CHECKING:
    from autometa.task import Task
else:
    __getattr__ = former(__name__)

__all__ = [
    "FEATURE_NAMES",
    "GROUPS",
    "OPTIONS",
    "PYMFE",
    "VERSION",
    "MetaFeatures",
    "MetafeatureOptions",
    "describe",
]

VERSION = "1"  # of the definitions: names and values

GROUPS: Mapping[str, tuple[Callable[[View], float], ...]] = MappingProxyType(
    {
        "simple": simple.SIMPLE_FEATURES,
        "embedding": embedding.EMBEDDING_FEATURES,
        "statistical": statistical.STATISTICAL_FEATURES,
        "information": information.INFORMATION_FEATURES,
        "model": model.MODEL_FEATURES,
        "landmarking": landmarking.LANDMARKING_FEATURES,
    }
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.__name__ for group in GROUPS.values() for feature in group)


@dataclass(frozen=True, slots=True, eq=False)
class MetaFeatures:
    """What a task looks like: a vector with a name for every value; made by `describe`.

    See Also:
        `autometa.describe`.

    Example:
        >>> from autometa.task import make_task
        >>> look = describe(make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10))
        >>> look["rows"], look["class_balance"], look.version == VERSION
        (20.0, 1.0, True)
    """

    names: tuple[str, ...]  # (f,)
    values: NDArray[np.float64]  # (f,); NaN: not defined for this task, or not computed in time
    version: str  # of the definitions
    seconds: dict[str, float]  # of each feature computed; a shared part is charged to the first that needs it

    def __getitem__(self, name: str) -> float:
        """The value of one feature.

        Raises:
            ValueError: If there is no feature of this name.
        """
        return float(self.values[self.names.index(name)])


def describe(
    task: Task,
    *,
    seconds: float = 1.0,
    groups: Collection[str] | None = None,
    options: MetafeatureOptions = OPTIONS,
) -> MetaFeatures:
    """The meta-features of a task, (f,); what cannot be computed is NaN.

    Args:
        task: What to describe.
        seconds: The time box, in processor seconds of this thread, so that a busy machine does not change the answer.
            No feature is begun after it; one under way is finished. Loading scikit-learn is not counted.
        groups: Compute these groups only (names in `GROUPS`), all by default.
        options: Sizes of the samples, and what the landmarks learn with. Values under other options than the default
            cannot be compared with those in a store.

    Raises:
        InputError: If a group is unknown.

    See Also:
        `make_task` and `read_task`, which make what is described.

    Example:
        >>> import pandas as pd
        >>> from autometa.task import make_task
        >>> task = make_task(pd.DataFrame({"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "class": list("abbaab")}))
        >>> found = describe(task, groups=["simple", "information"])
        >>> found["rows"], found["class_entropy"], found["naive_bayes"], len(found.names)
        (6.0, 1.0, nan, 69)
    """
    from threadpoolctl import threadpool_limits

    wanted = GROUPS if groups is None else groups
    unknown = [name for name in wanted if name not in GROUPS]
    if unknown:
        raise InputError(
            Problem("groups", f"no group of meta-features is called {name!r}", did_you_mean(name, list(GROUPS)))
            for name in unknown
        )
    if {"model", "landmarking"} & set(wanted):
        import sklearn.discriminant_analysis
        import sklearn.linear_model
        import sklearn.naive_bayes
        import sklearn.neighbors
        import sklearn.tree  # noqa: F401
    started = time.thread_time()
    deadline = started + seconds
    view = View(task, options)
    values = np.full(len(FEATURE_NAMES), np.nan)
    cost: dict[str, float] = {}
    with threadpool_limits(
        1
    ):  # tables this small gain nothing from threads, which wait for each other on a busy machine
        for feature in (feature for name, group in GROUPS.items() if name in wanted for feature in group):
            if started >= deadline:
                break
            values[FEATURE_NAMES.index(feature.__name__)] = _value(feature, view)
            started, before = time.thread_time(), started
            cost[feature.__name__] = started - before
    values.flags.writeable = False
    return MetaFeatures(FEATURE_NAMES, values, VERSION, cost)


def _value(feature: Callable[[View], float], view: View) -> float:
    """The feature, NaN where the task has none: arithmetic without a result, a learner that refuses the data."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # collinear columns or classes too many are just what is described
            value = float(feature(view))
    # IndexError: scikit-learn's discriminant analysis, where no column varies within a class.
    except (ArithmeticError, ValueError, IndexError, np.linalg.LinAlgError):
        return np.nan
    return value if np.isfinite(value) else np.nan


# name -> (its name in pymfe, summary), where pymfe computes the same from the same table: `rescale="standard"`, and for
# the landmarks `num_cv_folds=3, score="balanced-accuracy"`. The last two groups are computed from the small sample.
PYMFE: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "rows": ("nr_inst", None),
        "columns": ("nr_attr", None),
        "classes": ("nr_class", None),
        "columns_per_row": ("attr_to_inst", None),
        "numeric_columns": ("nr_num", None),
        "categorical_columns": ("nr_cat", None),
        "smallest_class_share": ("freq_class", "min"),
        "largest_class_share": ("freq_class", "max"),
        "binary_columns": ("nr_bin", None),
        "sparsity_mean": ("sparsity", "nanmean"),
        "skewness_mean": ("skewness", "nanmean"),
        "skewness_sd": ("skewness", "nansd"),
        "kurtosis_mean": ("kurtosis", "nanmean"),
        "kurtosis_sd": ("kurtosis", "nansd"),
        "outlier_columns": ("nr_outliers", None),
        "correlation_mean": ("cor", "nanmean"),
        "correlation_sd": ("cor", "nansd"),
        "correlated_pairs_share": ("nr_cor_attr", None),
        "gravity": ("gravity", None),
        "class_entropy": ("class_ent", None),
        "column_entropy_mean": ("attr_ent", "nanmean"),
        "joint_entropy_mean": ("joint_ent", "nanmean"),
        "mutual_information_mean": ("mut_inf", "nanmean"),
        "mutual_information_max": ("mut_inf", "max"),
        "equivalent_columns": ("eq_num_attr", None),
        "noise_to_signal": ("ns_ratio", None),
        "tree_leaves": ("leaves", None),
        "tree_depth": ("tree_depth", "max"),
        "tree_leaf_depth_mean": ("leaves_branch", "nanmean"),
        "tree_nodes_per_row": ("nodes_per_inst", None),
        "tree_nodes_per_column": ("nodes_per_attr", None),
        "tree_importance_max": ("var_importance", "max"),
        "tree_importance_sd": ("var_importance", "nansd"),
        "decision_node": ("best_node", "nanmean"),
        "naive_bayes": ("naive_bayes", "nanmean"),
        "linear_model": ("linear_discr", "nanmean"),
        "nearest_neighbour": ("one_nn", "nanmean"),
    }
)
