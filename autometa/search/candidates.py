"""Trials that may answer in the final model, and what they said of rows that they had not seen.

Letters:  n rows · c classes · r repeats of the cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.evaluation import IDENTITY, Calibration
from autometa.search.options import OPTIONS
from autometa.search.run import Run
from autometa.search.settings import TrialRow
from autometa.values import spoken_brief


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A trial that may answer in the final model."""

    row: TrialRow
    oof: NDArray[np.float64]  # (r, n) or (r, n, c) out-of-fold prediction of each repeat, or NaN
    models: Path | None  # pickled models of its folds; None where they were too large to be kept
    calibration: Calibration = IDENTITY


def candidates_of(run: Run, leaders: Sequence[TrialRow], most: int) -> list[Candidate]:
    """The best trials of a run folder whose predictions are there.

    Raises:
        RunError: There are none.
    """
    found: list[Candidate] = []
    for row in leaders[:most]:
        oof = run.oof(row.number)
        if oof is not None:
            if sum(candidate.oof.nbytes for candidate in found) + oof.nbytes > OPTIONS.candidate_bytes and found:
                break
            found.append(Candidate(row, layers(oof, run), run.fold_models(row.number)))
    if not found:
        raise RunError(f"{run.folder / 'oof'} lacks the predictions of every complete trial")
    return found


def quick_enough(leaders: Sequence[TrialRow], limit: float | None, tell: Callable[[str], None]) -> list[TrialRow]:
    """The trials that answer a row within a limit in seconds; where there is none the quickest, and that is told.

    Example:
        >>> from autometa.evaluation import Evaluation, State
        >>> done = Evaluation({"family": "knn"}, State.COMPLETE, None, {}, {}, 0.5, 0.1, 0, 0, 90, {})
        >>> rows = [TrialRow(number, done, "search", "", 0.0, 1.0, None, n) for number, n in enumerate([10, 100])]
        >>> [row.number for row in quick_enough(rows, 0.005, print)]
        [1]
        >>> [row.number for row in quick_enough(rows, 0.0001, print)]
        No pipeline answers a row in 100 µs: the quickest, trial 1, takes 1 ms, and answers alone.
        [1]
    """
    if limit is None:
        return list(leaders)
    quick = [row for row in leaders if not row.row_seconds > limit]
    if quick:
        return quick
    best = min(leaders, key=lambda row: row.row_seconds)
    took = f"the quickest, trial {best.number}, takes {spoken_brief(best.row_seconds)}, and answers alone"
    tell(f"No pipeline answers a row in {spoken_brief(limit)}: {took}.")
    return [best]


def mapped(oof: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:  # (r, n, c)
    """Each repeat's probabilities calibrated; rows that are not known stay so."""
    if calibration == IDENTITY:
        return oof
    known = ~np.isnan(oof[..., 0])
    mapped = np.full(oof.shape, np.nan)
    mapped[known] = calibration.apply(oof[known])
    return mapped


def layers(oof: NDArray[np.float64], run: Run) -> NDArray[np.float64]:  # (r, n) or (r, n, c)
    """The predictions of a trial, a layer for each repeat; of an older run, which kept their mean, that for each."""
    if oof.ndim == (2 if run.task.kind == "regression" else 3):
        return oof
    return np.repeat(oof[None], int(run.splits.test.sum(axis=0).max()), axis=0)
