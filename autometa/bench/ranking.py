"""Who is better: what records of cells say about methods, with the statistics that the field uses.

A method's score on a task is its mean over the folds that every method was tried on. A cell that failed counts as what
a constant prediction scores on that fold, as in the AutoML Benchmark (Gijsbers et al., 2024). Tasks are compared by
ranks (Demsar, 2006): Friedman's test asks whether the methods differ at all, Nemenyi's critical difference says from
where on two average ranks do, and a Wilcoxon test with Holm's adjustment compares the first method with each other one.
Of few tasks (`BenchOptions.fewest_tasks`) nothing is tested.

Two scales make scores of different tasks comparable: 0 is a constant prediction (or a random forest) and 1 the best of
the compared methods. On the first there is always something between 0 and 1; the second is the AutoML Benchmark's, cut
at -1, for where no method beats the forest by much a little less looks like an abyss.

Letters:  t tasks · k methods.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.bench.methods import METHODS
from autometa.bench.options import OPTIONS
from autometa.bench.results import Record
from autometa.moved import former

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MethodComparison:
    """Methods beside each other on the tasks that all were tried on."""

    budget: float
    methods: tuple[str, ...]  # (k,)
    tasks: tuple[str, ...]  # (t,)
    about: tuple[Record, ...]  # (t,) one record of each task
    folds: tuple[int, ...]  # (t,) how many each was compared on
    scores: Values  # (t, k) mean over folds, larger is better
    spread: Values  # (t, k) standard deviation over folds; NaN for one
    zero: Values  # (t,) what a constant prediction scores
    failed: NDArray[np.int64]  # (t, k) cells without a score
    seconds: Values  # (t, k) median that the method's fit took; NaN where it failed
    cells: tuple[Record, ...]  # all records compared
    partial: tuple[str, ...]  # tasks that not all methods have been tried on yet

    def of(self, methods: Sequence[str]) -> MethodComparison:
        """The same tasks and folds, for some of the methods."""
        places = [self.methods.index(method) for method in methods]
        values = {name: getattr(self, name)[:, places] for name in ("scores", "spread", "failed", "seconds")}
        cells = tuple(record for record in self.cells if record["method"] in methods)
        return replace(self, methods=tuple(methods), cells=cells, **values)

    @property
    def enough(self) -> bool:
        """Whether there are tasks enough for a test."""
        return len(self.tasks) >= OPTIONS.fewest_tasks

    @property
    def ranks(self) -> Values:  # (t, k)
        """1 for the best of a task; equals share their mean rank."""
        from scipy.stats import rankdata

        return np.asarray(rankdata(-self.scores, axis=1, method="average"))

    @property
    def scaled(self) -> Values:  # (t, k)
        """Scores on the scale 0 = constant prediction, 1 = best of these methods on the task."""
        return scaled(self.scores, self.zero)

    @property
    def over_forest(self) -> Values | None:  # (t, k)
        """0 = random forest, 1 = best, cut at -1; None without the forest."""
        if "rf" not in self.methods:
            return None
        return np.maximum(scaled(self.scores, self.scores[:, self.methods.index("rf")]), -1.0)

    @property
    def friedman(self) -> float | None:
        """The p-value of all methods being alike; None for fewer than 3 methods, or too few tasks."""
        from scipy.stats import friedmanchisquare

        if len(self.methods) < 3 or not self.enough or np.ptp(self.ranks) == 0:
            return None
        return float(friedmanchisquare(*self.ranks.T).pvalue)

    @property
    def critical(self) -> float | None:
        """Nemenyi's critical difference of average ranks; None where there is nothing to compare, or too few tasks."""
        return critical_difference(len(self.methods), len(self.tasks)) if self.enough else None

    @property
    def worst(self) -> NDArray[np.int64]:  # (k,)
        """On how many tasks each method is the last, alone."""
        last = self.ranks == len(self.methods)
        return np.asarray(last.sum(axis=0))

    def against(self, first: int = 0) -> list[Duel]:
        """The method in place `first` against each other one."""
        from scipy.stats import wilcoxon

        gap = self.scaled[:, [first]] - self.scaled  # (t, k)
        others = [j for j in range(len(self.methods)) if j != first]
        p = [float(wilcoxon(gap[:, j]).pvalue) if self.enough and np.abs(gap[:, j]).max() > 0 else 1.0 for j in others]
        duels = []
        for j, adjusted in zip(others, holm(p), strict=True):
            sign = np.where(np.abs(gap[:, j]) < OPTIONS.tie, 0, np.sign(gap[:, j]))
            low = int(np.argmin(gap[:, j]))
            duels.append(
                Duel(
                    self.methods[j],
                    wins=int((sign > 0).sum()),
                    ties=int((sign == 0).sum()),
                    losses=int((sign < 0).sum()),
                    mean=float(gap[:, j].mean()),
                    largest_loss=min(float(gap[low, j]), 0.0),
                    where=self.about[low]["name"] if gap[low, j] < 0 else "",
                    p=adjusted if self.enough else None,
                )
            )
        return duels


@dataclass(frozen=True, slots=True)
class Duel:
    """How the first method did against another: on how many tasks it won, tied and lost, and by how much."""

    other: str
    wins: int
    ties: int
    losses: int
    mean: float  # difference on the scale 0 = constant, 1 = best
    largest_loss: float
    where: str  # on which task
    p: float | None  # Wilcoxon's, after Holm; None with too few tasks


def compare(records: Iterable[Record], methods: Sequence[str], budget: float) -> MethodComparison | None:
    """What the records of a budget say about some methods; None when no task has been tried with all of them.

    Only folds that every method has a result for, a failure being one, are looked at.

    Args:
        records: Of cells; of one machine size and seed.
        methods: Names, the one that is compared with the others first.
        budget: Seconds; a method that no budget changes takes part whatever it is.
    """
    wanted = {method: budget if METHODS[method].timed else 0.0 for method in methods}
    table: dict[str, dict[tuple[int, int], dict[str, Record]]] = {}
    for record in records:
        if wanted.get(record["method"]) == record["budget"]:
            fold = record["repeat"], record["fold"]
            table.setdefault(record["task"], {}).setdefault(fold, {})[record["method"]] = record
    whole = {
        task: rows
        for task, folds in table.items()
        if (rows := [[row[m] for m in methods] for _, row in sorted(folds.items()) if len(row) == len(wanted)])
    }
    if not whole:
        return None
    tasks = sorted(
        whole, key=lambda task: (KIND_ORDER[whole[task][0][0]["kind"]], whole[task][0][0]["name"].casefold())
    )
    grid = {task: np.array([[_score(r) for r in row] for row in whole[task]]) for task in tasks}  # (folds, k)
    return MethodComparison(
        budget=budget,
        methods=tuple(methods),
        tasks=tuple(tasks),
        about=tuple(whole[task][0][0] for task in tasks),
        folds=tuple(len(whole[task]) for task in tasks),
        scores=np.array([grid[task].mean(axis=0) for task in tasks]),
        spread=np.array(
            [grid[t].std(axis=0, ddof=1) if len(grid[t]) > 1 else np.full(len(methods), np.nan) for t in tasks]
        ),
        zero=np.array([np.mean([_zero(row[0]) for row in whole[task]]) for task in tasks]),
        failed=np.array(
            [[sum(row[j]["score"] is None for row in whole[t]) for j in range(len(methods))] for t in tasks]
        ),
        seconds=np.array([[_seconds([row[j] for row in whole[t]]) for j in range(len(methods))] for t in tasks]),
        cells=tuple(record for task in tasks for row in whole[task] for record in row),
        partial=tuple(
            sorted(next(iter(next(iter(table[t].values())).values()))["name"] for t in set(table) - set(whole))
        ),
    )


KIND_ORDER = {"binary": 0, "multiclass": 1, "regression": 2}


def scaled(scores: Values, zero: Values) -> Values:  # (t, k), (t,) -> (t, k)
    """Scores with `zero` at 0 and the best of each task at 1; where none is better than `zero`, those as good are 0.

    Example:
        >>> scaled(np.array([[0.9, 0.7, 0.5], [0.5, 0.5, 0.4]]), np.array([0.5, 0.5])).round(2).tolist()
        [[1.0, 0.5, 0.0], [0.0, 0.0, -1.0]]
    """
    unit = scores.max(axis=1) - zero
    some = unit > 1e-12
    apart = (scores - zero[:, None]) / np.where(some, unit, 1.0)[:, None]
    return np.where(some[:, None], apart, np.where(scores >= zero[:, None] - 1e-12, 0.0, -1.0))


def critical_difference(k: int, t: int) -> float | None:
    """From where on the average ranks of two of `k` methods on `t` tasks differ: q sqrt(k (k + 1) / 6 t).

    Example:
        >>> round(critical_difference(4, 14), 2)  # four methods on 14 data sets, as in Demsar (2006)
        1.25

    Source:
        Nemenyi's test, as in Demsar, Statistical comparisons of classifiers over multiple data sets (2006).
    """
    from scipy.stats import studentized_range

    if k < 2 or t < 2:
        return None
    q = float(studentized_range.ppf(1 - OPTIONS.level, k, 1e6)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * t))


def cliques(ranks: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """The longest runs of methods, in the order of their average ranks, within which none differs from another.

    Example:
        >>> cliques([1.2, 1.9, 2.4, 4.5], 1.3)
        [(0, 2)]
    """
    order = sorted(ranks)
    runs = [(i, max(j for j in range(i, len(order)) if order[j] - order[i] <= critical)) for i in range(len(order))]
    return [run for n, run in enumerate(runs) if run[0] < run[1] and all(run[1] > before[1] for before in runs[:n])]


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    out, largest = [0.0] * len(p), 0.0
    for place, i in enumerate(np.argsort(p)):
        largest = max(largest, min(1.0, (len(p) - place) * p[i]))
        out[i] = round(largest, 12)
    return out


def _score(record: Mapping[str, object]) -> float:
    return _zero(record) if record["score"] is None else float(record["score"])  # type: ignore[arg-type]


def _zero(record: Mapping[str, object]) -> float:
    return float("nan") if record["zero"] is None else float(record["zero"])  # type: ignore[arg-type]


def _seconds(records: Sequence[Record]) -> float:
    took = [float(r["fit_seconds"]) for r in records if r.get("fit_seconds") is not None]
    return float(np.median(took)) if took else float("nan")


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
