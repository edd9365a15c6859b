"""How a model family's seconds grow with the rows it learns from, as past tables say that were tried at several sizes.

Between two samples of one table a configuration's seconds grow as a power of the rows. A family's exponent is the
median over its configurations, then over the pairs of samples, drawn towards 1 as if some pairs had said that: boosting
that stops early grows by less, a forest by more. Only samples of ten thousand rows and more are compared, which are
judged by one hold-out each: among smaller ones the number of folds changes as well.

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from autometa.space import family_in
from autometa.store import PastTasks
from autometa.transfer.options import OPTIONS, TransferOptions


def samples(past: PastTasks, least: int = 0) -> dict[tuple[str, str | None], list[int]]:
    """The places of each table's tasks among the past ones, the fewest rows first, of those with `least` rows and more.

    Example:
        >>> from autometa.store import TaskRecord
        >>> records = tuple(TaskRecord(f"{n:032x}", "bank", "binary", "roc_auc", n, 16, 2) for n in (400, 100, 200))
        >>> past = PastTasks(records, (), np.ones((3, 0)), np.ones((3, 0)), np.zeros((3, 0)), ())
        >>> samples(past, 200)
        {('bank', None): [2, 0]}
    """
    of_table = defaultdict[tuple[str, str | None], list[int]](list)
    for k in sorted(range(len(past)), key=lambda k: past.records[k].n_rows):
        if past.records[k].n_rows >= least:
            of_table[past.records[k].name, past.records[k].family].append(k)
    return dict(of_table)


def growth(past: PastTasks, options: TransferOptions = OPTIONS) -> Mapping[str, float]:
    """The exponent of rows of each model family that past tasks tell something about.

    See Also:
        `autometa.collect.learning_curves`.

    Example:
        >>> from autometa.store import TaskRecord
        >>> sizes = (10_000, 40_000)
        >>> records = tuple(TaskRecord(f"{n:032x}", "bank", "binary", "roc_auc", n, 16, 2) for n in sizes)
        >>> configs = ({"family": "knn"}, {"family": "linear"})
        >>> seconds = np.array([[1.0, 1.0], [16.0, 2.0]])
        >>> past = PastTasks(records, configs, np.ones((2, 2)), seconds, np.zeros((2, 0)), ())
        >>> growth(past)
        {'knn': 1.2, 'linear': 0.9}
    """
    families = np.array([family_in(config) for config in past.configs])
    seconds = np.where(past.seconds > 0, past.seconds, np.nan)
    told = defaultdict[str, list[float]](list)
    for places in samples(past, options.curve_rows).values():
        for one, other in combinations(places, 2):
            more = np.log(past.records[other].n_rows / past.records[one].n_rows)
            if more < np.log(2):
                continue
            grown = np.log(seconds[other] / seconds[one])  # (m,)
            done = np.isfinite(past.scores[[one, other]]).all(axis=0) & np.isfinite(grown)
            for family in np.unique(families[done]):
                told[family].append(float(np.median(grown[done & (families == family)]) / more))
    prior = options.curve_prior
    return {
        str(family): round((len(said) * float(np.median(said)) + prior) / (len(said) + prior), 3)
        for family, said in sorted(told.items())
    }
