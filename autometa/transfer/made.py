"""On which past tables columns made of others paid: the same configuration with them and without.

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.families import FAMILIES, makes_features, without_features
from autometa.space import FAMILY, Config, config_key
from autometa.transfer.options import OPTIONS

if TYPE_CHECKING:
    from autometa.store import PastTasks


@dataclass(frozen=True, slots=True)
class Experience:
    """What past tables say of made columns in one family.

    Example:
        >>> Experience(tables=4, paid=3, share=0.8).sentence, Experience(tables=4, paid=3, share=0.8).pays
        ('On similar tables such columns paid 3 times of 4.', True)
    """

    tables: int  # where it was tried
    paid: int  # where it was better than without
    share: float  # of the weight of those tables, those where it paid; one table of each outcome is put beside them

    @property
    def pays(self) -> bool:
        """Whether it may be expected to pay."""
        return self.tables >= OPTIONS.made_tables and self.share > 0.5

    @property
    def in_vain(self) -> bool:
        """Whether it may be expected not to."""
        return self.tables >= OPTIONS.made_tables and self.share < OPTIONS.made_in_vain

    @property
    def sentence(self) -> str:
        """For people."""
        return f"On similar tables such columns paid {self.paid} times of {self.tables}."


def made_before(past: PastTasks, weights: NDArray[np.float64] | None = None) -> dict[str, Experience]:
    """What past tables say, by family; of the families of which none was tried with made columns nothing.

    Args:
        past: Tasks and configurations, with scores (t, m).
        weights: (t,) how much each task resembles the one at hand; None for all the same.

    Example:
        >>> from autometa.store import PastTasks, TaskRecord
        >>> records = tuple(TaskRecord(f"{i}", f"task {i}", "binary", "roc_auc", 100, 5, 2) for i in range(3))
        >>> plain = {"family": "linear", "linear.C": 1.0}
        >>> configs = (plain, plain | {"linear.features": "arithmetic"})
        >>> scores = np.array([[0.7, 0.9], [0.6, 0.8], [0.8, 0.7]])
        >>> past = PastTasks(records, configs, scores, np.full((3, 2), np.nan), np.zeros((3, 0)), (), "1")
        >>> made_before(past)["linear"]
        Experience(tables=3, paid=2, share=0.6)
    """
    if not any(map(makes_features, past.configs)):
        return {}
    scores = np.asarray(past.scores, dtype=float).reshape(len(past.records), len(past.configs))
    weight = np.ones(len(past.records)) if weights is None else weights / max(float(np.mean(weights)), 1e-12)
    plain: dict[str, list[int]] = defaultdict(list)
    for j, config in enumerate(past.configs):
        if not makes_features(config):
            plain[_kin(config)].append(j)
    gains: dict[str, dict[int, float]] = defaultdict(dict)  # family -> task -> the best difference
    for j, config in enumerate(past.configs):
        bases = plain.get(_kin(config), []) if makes_features(config) else []
        for i in np.flatnonzero(~np.isnan(scores[:, j])) if bases else ():
            without = scores[i, bases]
            if np.isfinite(without).any():
                gain = float(scores[i, j] - np.max(without[np.isfinite(without)]))
                own = gains[str(config[FAMILY])]
                own[int(i)] = max(gain, own.get(int(i), -np.inf))
    return {family: _experience(own, weight) for family, own in gains.items()}


def _experience(gains: dict[int, float], weight: NDArray[np.float64]) -> Experience:
    paid = [i for i, gain in gains.items() if gain > 0]
    share = (1.0 + float(weight[paid].sum())) / (2.0 + float(weight[list(gains)].sum()))
    return Experience(len(gains), len(paid), share)


def _kin(config: Config) -> str:
    """What is the same of a configuration with made columns and without: all but these, and how far training came."""
    family = FAMILIES.get(str(config[FAMILY]))
    counts = None if family is None else f"{family.name}.{family.grows_by}"
    return config_key({name: value for name, value in without_features(config).items() if name != counts})
