"""What is kept of a task, what a reader leaves out, and what a reader gets.

Letters:  t tasks · m configurations · f meta-features.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.space import Config


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def sample_fingerprint(fingerprint: str, rows: int) -> str:
    """Of some rows of a table: what wins on a thousand of them need not win on all, so the two are two tasks.

    See Also:
        `TaskRecord`.

    Example:
        >>> len(sample_fingerprint("5eed" * 8, 1000))
        32
    """
    return hashlib.blake2b(f"{fingerprint}:{rows}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What the store keeps of a task: how it looks, never a row of it.

    One record per fingerprint and space. `family` names the data set family whose variants share answers; `space` is
    ``"fit"`` for the product's own search space, else the name that somebody gave to their own.

    See Also:
        `autometa.MetaStore`, `autometa.describe`.

    Example:
        >>> TaskRecord("5eed" * 8, "bank", "binary", "roc_auc", n_rows=45211, n_columns=16, n_classes=2).space
        'fit'
    """

    fingerprint: str
    name: str
    kind: str
    metric: str
    n_rows: int
    n_columns: int
    n_classes: int  # 0 for regression
    family: str | None = None
    openml_id: int | None = None
    metafeatures: MetaFeatures | None = None
    space: str = "fit"
    created: str = field(default_factory=_now)  # ISO 8601, UTC
    source: str = ""  # who added it: "fit", "collect", ...
    distributions: str | None = None  # JSON of the parameters that were searched, for somebody's own space

    @classmethod
    def of(
        cls, task: Any, metafeatures: MetaFeatures | None = None, *, space: str = "fit", source: str = ""
    ) -> TaskRecord:
        """The record of a `Task`."""
        return cls(
            task.judged_fingerprint, task.name, task.kind, task.metric, task.n, task.p, task.c,
            task.family, task.openml_id, metafeatures, space, source=source,
        )  # fmt: skip

    def merged(self, newer: TaskRecord) -> TaskRecord:
        """This record with what it lacks from `newer`, the earlier time and the later meta-features and space."""
        filled = {f.name: getattr(newer, f.name) for f in fields(self) if getattr(self, f.name) in (None, "")}
        filled["created"] = min(self.created, newer.created)
        if self.distributions and newer.distributions:  # a worker may have met other parameters than the next one
            filled["distributions"] = json.dumps(
                json.loads(self.distributions) | json.loads(newer.distributions), sort_keys=True
            )
        else:
            filled["distributions"] = newer.distributions or self.distributions
        mine, theirs = self.metafeatures, newer.metafeatures
        if (
            mine is not None
            and theirs is not None
            and (_order(theirs.version), len(theirs.names)) > (_order(mine.version), len(mine.names))
        ):  # of one version, the later description has the meta-features that were added since
            filled["metafeatures"] = theirs
        return replace(self, **filled)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Which tasks a reader must not see: a benchmark never sees its own answer.

    See Also:
        `autometa.MetaStore`, `autometa.bench.left_out`.

    Example:
        >>> bank = TaskRecord("5eed" * 8, "bank-1000", "binary", "roc_auc", 1000, 16, 2, family="bank", openml_id=1461)
        >>> Exclusion(families=frozenset({"bank"})).excludes(bank), Exclusion(openml_ids=frozenset({31})).excludes(bank)
        (True, False)
    """

    fingerprints: frozenset[str] = frozenset()
    openml_ids: frozenset[int] = frozenset()
    families: frozenset[str] = frozenset()

    def excludes(self, record: TaskRecord) -> bool:
        """Whether `record` is the same data, the same OpenML task or data set, or of the same family."""
        return (
            record.fingerprint in self.fingerprints
            or record.openml_id in self.openml_ids
            or (record.family is not None and record.family in self.families)
        )


NOTHING = Exclusion()


@dataclass(frozen=True, slots=True, eq=False)
class PastTasks:
    """What recommenders learn from: a table of tasks and configurations in one metric.

    See Also:
        `PastTrials`, `autometa.transfer.AdaptivePortfolio`.

    Example:
        >>> task = TaskRecord("5eed" * 8, "bank", "binary", "roc_auc", 45211, 16, 2)
        >>> config = {"family": "knn", "knn.n_neighbors": 5}
        >>> past = PastTasks((task,), (config,), np.array([[0.91]]), np.array([[1.6]]), np.zeros((1, 0)), ())
        >>> len(past), past.scores.shape
        (1, (1, 1))
    """

    records: tuple[TaskRecord, ...]  # (t,)
    configs: tuple[Config, ...]  # (m,) distinct configurations, the union over the tasks
    scores: NDArray[np.float64]  # (t, m) larger is better; NaN = not evaluated, -inf = failed
    seconds: NDArray[np.float64]  # (t, m) to fit and predict; NaN = unknown
    metafeatures: NDArray[np.float64]  # (t, f) NaN = not known, or of another version
    metafeature_names: tuple[str, ...]  # (f,)
    metafeature_version: str = ""

    def __len__(self) -> int:
        """The number of tasks, t."""
        return len(self.records)

    def columns(self, kept: Sequence[int], configs: Sequence[Config]) -> Self:
        """Some of the columns, in that order, under other configurations: as they are in another space, say."""
        rows = list(kept)
        return replace(self, configs=tuple(configs), scores=self.scores[:, rows], seconds=self.seconds[:, rows])


@dataclass(frozen=True, slots=True, eq=False)
class PastTrials:
    """What each past task tried, in one metric: for tasks that each tried configurations of their own.

    See Also:
        `PastTasks`.

    Example:
        >>> task = TaskRecord("5eed" * 8, "bank", "binary", "roc_auc", 45211, 16, 2)
        >>> tried = (np.array([0]), np.array([0.91]), np.array([1.6]))
        >>> past = PastTrials((task,), ({"C": 1.0},), (tried,), np.zeros((1, 0)), ())
        >>> len(past), past.configs[past.tried[0][0][0]]
        (1, {'C': 1.0})
    """

    records: tuple[TaskRecord, ...]  # (t,)
    configs: tuple[Config, ...]  # (m,) distinct configurations, the union over the tasks
    tried: tuple[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]], ...]  # (t,) each (n,), the same
    # configuration, score (larger is better, -inf = failed), seconds (NaN = unknown)
    metafeatures: NDArray[np.float64]  # (t, f) NaN = not known, or of another version
    metafeature_names: tuple[str, ...]  # (f,)
    metafeature_version: str = ""

    def __len__(self) -> int:
        """The number of tasks, t."""
        return len(self.records)


def _order(version: str) -> list[tuple[int, str]]:
    """Versions in their natural order: "2" before "10"."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.split(".")]
