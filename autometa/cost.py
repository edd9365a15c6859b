"""How long a configuration will take on a new task, from how long it took on past ones, and others on this one.

The logarithm of the seconds is linear in the logarithms of rows, columns and classes, with slopes per configuration
that are shrunk towards the slope of all; seconds that are far from a configuration's usual ones are drawn in first, so
that one stalled machine does not spoil it.

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from autometa.space import FAMILY, Config
from autometa.timing import KNOWN, slower, surprise

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import TaskRecord

SHRINKAGE = 3.0  # a configuration's own slope counts as much as everybody's after about this many tasks
SIZES = ("rows", "columns", "classes")  # the meta-features that say how large a task is
LEAST = 0.05  # seconds that even the cheapest trial takes


class Cost:
    """Expected seconds of configurations, by the size of a task and by what was timed on it."""

    def __init__(self, seconds: NDArray[np.float64], sizes: NDArray[np.float64], families: NDArray[np.str_]) -> None:
        """`seconds` is (t, m), NaN where unknown; `sizes` (t, 3): rows, columns, classes (0 in regression)."""
        t, m = seconds.shape
        self.families = families  # (m,)
        known = np.isfinite(seconds) & (seconds > 0)  # (t, m)
        y = np.log(np.where(known, seconds, 1.0))
        logs = np.log(np.maximum(sizes, 1.0))
        self.centre = np.median(logs, axis=0) if t else np.zeros(len(SIZES))
        x = logs - self.centre  # (t, 3)
        weights = known.astype(float)
        self.times = count = weights.sum(axis=0)  # (m,) that each was timed
        self.known = bool(known.any())
        if not self.known:
            self.level, self.slopes = np.zeros(m), np.zeros((m, len(SIZES)))
            return
        overall = y[known].mean()
        mean = (np.where(known, y, 0.0).sum(axis=0) + overall) / (count + 1)  # (m,)
        spread = np.sqrt(np.where(known, (y - mean) ** 2, 0.0).sum() / known.sum())
        y = np.clip(y, mean - 3 * spread, mean + 3 * spread)
        # One slope for all, within configurations: one that was tried on large tasks only shall not look slow.
        x_mean = np.einsum("tm,tk->mk", weights, x) / np.maximum(count, 1)[:, None]  # (m, 3)
        dx = np.where(known[:, :, None], x[:, None, :] - x_mean[None], 0.0)  # (t, m, 3)
        dy = np.where(known, y - mean, 0.0)
        common = np.linalg.solve(
            np.einsum("tmi,tmj->ij", dx, dx) + np.eye(len(SIZES)), np.einsum("tmi,tm->i", dx, dy)
        )  # (3,)
        rest = np.where(known, y - x @ common[:, None], 0.0)
        within = np.einsum("tmi,tmj->mij", dx, dx) + SHRINKAGE * np.eye(len(SIZES))
        own = np.linalg.solve(within, np.einsum("tmi,tm->mi", dx, rest)[..., None])[..., 0]  # (m, 3)
        self.slopes = common + own
        base = (y[known] - (x @ common)[np.nonzero(known)[0]]).mean()
        level = np.where(known, y - x @ self.slopes.T, 0.0).sum(axis=0)
        self.level = (level + base) / (count + 1)

    @classmethod
    def learned(cls, records: Sequence[TaskRecord], configs: Sequence[Config], seconds: NDArray[np.float64]) -> Self:
        """From past tasks, for their configurations; `seconds` is (t, m)."""
        sizes = np.array([(r.n_rows, r.n_columns, r.n_classes) for r in records], dtype=float).reshape(-1, 3)
        return cls(seconds, sizes, np.array([str(config.get(FAMILY, "")) for config in configs]))

    def of(self, metafeatures: MetaFeatures | None, took: Mapping[int, float] | None = None) -> NDArray[np.float64]:
        """Expected seconds, (m,), on a task of that size (of the typical size if it is not known).

        `took` says what some of the configurations take there: they and their like are expected accordingly.
        """
        value_of = {} if metafeatures is None else dict(zip(metafeatures.names, metafeatures.values, strict=True))
        size = np.array([value_of.get(name, np.nan) for name in SIZES], dtype=float)
        x = np.where(np.isfinite(size), np.log(np.maximum(size, 1.0)) - self.centre, 0.0)
        log = self.level + self.slopes @ x
        if took:
            columns, seconds = np.array(list(took)), np.array(list(took.values()))
            log = log + slower(surprise(seconds, log[columns]), self.families[columns], self.families, KNOWN)
        return np.maximum(np.exp(log), LEAST)
