"""Who answers for which rows: models that have not learned from them.

After a search, the models of each fold answer for the rows that their fold held out, together as the ensemble does:
calibrated, weighted, calibrated. Only pipelines that can answer in time do; where no models of folds were kept, the
final model answers for rows that it knows, and it is said.

Letters:  n rows · p columns · c classes · b blocks of rows.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation import Weights, predict_aligned
from autometa.explain.options import OPTIONS

if TYPE_CHECKING:
    import pandas as pd

    from autometa.evaluation import Splits
    from autometa.search import Model
    from autometa.search.members import Member
    from autometa.task import Task

# Of a fold and a typed table X (n, p): values (n,), or probabilities (n, c).
Answer = Callable[[int, "pd.DataFrame"], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class RowBlock:
    """Rows that the models of one fold may judge."""

    fold: int
    rows: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """Models, and the rows for which they may answer.

    Args:
        task: The table.
        blocks: Of rows; what they differ by says how sure a figure is.
        answer: Of the models of a fold.
        seconds: That answering one row takes, about.
        weights: How labels come from probabilities.
        source: As `ModelExplanation.source`.
        answering: As `ModelExplanation.answering`.
        weight: As `ModelExplanation.weight`.
    """

    task: Task
    blocks: tuple[RowBlock, ...]
    answer: Answer
    seconds: float
    weights: Weights = ()
    source: str = "held out"
    answering: tuple[int, int] = (1, 1)
    weight: float = 1.0


def affordable(members: Sequence[tuple[float, float]], seconds: float) -> list[int]:
    """Which of (weight, cost) answer within so many seconds together: the heaviest that fit, or the cheapest one.

    Example:
        >>> affordable([(0.6, 9.0), (0.3, 1.0), (0.1, 0.5)], 2.0), affordable([(0.6, 9.0), (0.4, 8.0)], 2.0)
        ([1, 2], [1])
    """
    chosen, left = [], seconds
    for place in sorted(range(len(members)), key=lambda place: -members[place][0]):
        if members[place][1] <= left:
            chosen.append(place)
            left -= members[place][1]
    return sorted(chosen) or [min(range(len(members)), key=lambda place: members[place][1])]


def blocks_of(folds: Sequence[tuple[int, NDArray[np.intp]]], y: NDArray[Any], least: int) -> tuple[RowBlock, ...]:
    """The held-out rows of folds as at least so many blocks: where there are fewer folds, they are dealt out evenly.

    Example:
        >>> [len(block.rows) for block in blocks_of([(0, np.arange(10))], np.arange(10.0), 5)]
        [2, 2, 2, 2, 2]
    """
    parts = -(-least // len(folds))
    found = []
    for fold, rows in folds:
        order = rows[np.argsort(np.asarray(y)[rows], kind="stable")]
        found += [RowBlock(fold, np.sort(order[part::parts])) for part in range(parts) if len(order) > part]
    return tuple(found)


def once_each(splits: Splits) -> list[tuple[int, NDArray[np.intp]]]:
    """The folds until a row would be predicted again: the first repeat of a cross-validation."""
    seen, found = np.zeros(splits.n, dtype=bool), []
    for fold, test in enumerate(splits.test):
        if (seen & test).any():
            break
        seen |= test
        found.append((fold, np.flatnonzero(test)))
    return found


def of_ensemble(
    task: Task,
    model: Model,
    splits: Splits,
    kept: dict[int, Path],
    costs: dict[int, float],
    *,
    read: Callable[[Path], bytes],
    seconds: float,
) -> Judges:
    """The fold models of an ensemble, as many of its members as can answer all cells of a first look in time.

    Args:
        task: The table.
        model: The ensemble.
        splits: Its folds.
        kept: By trial, where the pickled models of its folds are, of those that were kept; not empty.
        costs: By trial, the seconds that it takes for one row.
        read: Reads such a file, and checks its signature.
        seconds: For a first look at every column.
    """
    there = [member for member in model.members if member.number in kept]
    cells = (task.p + 1) * min(OPTIONS.fewer_rows[0], task.n)
    chosen = [there[k] for k in affordable([(m.weight, costs[m.number] * cells) for m in there], seconds)]
    models = {member.number: pickle.loads(read(kept[member.number])) for member in chosen}
    total = sum(member.weight for member in chosen)

    def answer(fold: int, X: pd.DataFrame) -> NDArray[np.float64]:
        said = [_one(member, models[member.number][fold], X, task) * (member.weight / total) for member in chosen]
        mean = np.asarray(sum(said))
        return mean if task.kind == "regression" else model.calibration.apply(mean)

    return Judges(
        task,
        blocks_of(once_each(splits), task.y, OPTIONS.blocks),
        answer,
        sum(costs[member.number] for member in chosen),
        model.weights,
        "held out",
        (len(chosen), len(model.members)),
        total / sum(member.weight for member in model.members),
    )


def of_model(task: Task, model: Model, *, source: str, seconds: float = 0.0) -> Judges:
    """The final model, for all rows of a table that its schema was applied to."""
    blocks = blocks_of([(0, np.arange(task.n))], task.y, min(OPTIONS.blocks, max(task.n // 2, 1)))
    return Judges(task, blocks, lambda _, X: model.answer(X), seconds, model.weights, source)


def _one(member: Member, fitted: Any, X: pd.DataFrame, task: Task) -> NDArray[np.float64]:
    answered = predict_aligned(fitted, X, task.kind, task.c)
    return answered if task.kind == "regression" else member.calibration.apply(answered)
