"""Trials that may answer in the final model, and what they said of rows that they had not seen.

Letters:  n rows · c classes · r repeats of the cross-validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.evaluation import IDENTITY, Calibration
from autometa.search.options import OPTIONS
from autometa.search.run import Run
from autometa.search.settings import TrialRow


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
            found.append(Candidate(row, _layers(oof, run), run.fold_models(row.number)))
    if not found:
        raise RunError(f"{run.folder / 'oof'} lacks the predictions of every complete trial")
    return found


def mapped(oof: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:  # (r, n, c)
    """Each repeat's probabilities calibrated; rows that are not known stay so."""
    if calibration == IDENTITY:
        return oof
    known = ~np.isnan(oof[..., 0])
    mapped = np.full(oof.shape, np.nan)
    mapped[known] = calibration.apply(oof[known])
    return mapped


def _layers(oof: NDArray[np.float64], run: Run) -> NDArray[np.float64]:  # (r, n) or (r, n, c)
    """The predictions of a trial, a layer for each repeat; of an older run, which kept their mean, that for each."""
    if oof.ndim == (2 if run.task.kind == "regression" else 3):
        return oof
    return np.repeat(oof[None], int(run.splits.test.sum(axis=0).max()), axis=0)
