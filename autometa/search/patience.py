"""Whether a search should go on: it ends where nothing better is expected of the time that is left.

A search gains about as much with every doubling of its trials, or less: what its score gained while their number last
doubled is what the next doubling is expected to gain, and the rest of the budget is a part of a doubling, or several.
The search ends where that gain is small beside the noise of the score itself, the standard error over folds of the best
trial, below which nobody can tell two configurations apart (the idea of Makarova et al. 2022, "Automatic Termination
for Hyperparameter Optimization", without their model). Of a hold-out nobody knows the noise: there it ends where the
last doubling gained nothing. Trials of new families that are no better than the best are not counted: they are tried
for the ensemble's sake.

Law: nothing here looks at the time where there is no time budget and no patience in seconds was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.decision import AUTO
from autometa.origins import Origin, State
from autometa.search.options import OPTIONS, SearchOptions
from autometa.search.settings import OFF, Patience, TrialRow


def is_enough(
    trials: Sequence[TrialRow],
    metric: str,
    patience: Patience,
    *,
    elapsed: float,
    left: float,
    options: SearchOptions = OPTIONS,
) -> bool:
    """Whether a search should end now.

    Args:
        trials: That have finished.
        metric: Of the task.
        patience: What was asked for.
        elapsed: Seconds since the search began.
        left: Seconds for more trials; infinite without a time budget.
        options: The tuned numbers.
    """
    if patience == OFF or not trials:
        return False
    ended = sorted(trials, key=lambda row: row.finished)
    if patience == AUTO:
        ended = _aimed_at_the_best(ended, metric)
    scores = np.array([_score(row, metric) for row in ended])
    if not np.isfinite(scores).any():
        return False
    best = int(np.nanargmax(scores))
    if patience != AUTO:
        return elapsed - ended[best].finished > float(patience)
    if math.isinf(left) or len(ended) < options.patient_trials:
        return False
    expected = expected_gain(scores, left / max(elapsed - ended[0].started, 1e-9) * len(ended))
    return expected <= options.impatience * noise(ended[best], metric)


def why_enough(patience: Patience, left: float, seconds: float | None) -> str:
    """What to tell the person, `left` of whose `seconds` are not used.

    Example:
        >>> why_enough("auto", 41.2, 60.0)
        'Nothing better is expected: 41 s of 60 are not needed.'
    """
    if patience == AUTO and seconds is not None:
        return f"Nothing better is expected: {left:.0f} s of {seconds:.0f} are not needed."
    return f"Nothing better was found for {patience:g} s: the search ends here."


def _aimed_at_the_best(ended: Sequence[TrialRow], metric: str) -> list[TrialRow]:
    """Without the first trials of new families, which are for the ensemble: that one is no better says nothing."""
    found, top = [], -math.inf
    for row in ended:
        score = _score(row, metric)
        if row.origin != Origin.NEWCOMER or score > top:
            found.append(row)
        top = max(top, score) if math.isfinite(score) else top
    return found


def _score(row: TrialRow, metric: str) -> float:
    return row.evaluation.scores.get(metric, math.nan) if row.evaluation.state == State.COMPLETE else math.nan


def expected_gain(scores: Sequence[float] | NDArray[np.float64], more: float) -> float:
    """What a search is expected to gain by so many more trials, in the unit of its scores.

    Args:
        scores: Of its trials, in the order in which they ended; larger is better, NaN where there is none.
        more: Trials.

    Example:
        >>> (
        ...     expected_gain([0.5, 0.6, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7], more=8),
        ...     expected_gain([0.5, 0.6, 0.7, 0.8], more=12),
        ... )
        (0.0, 0.4)
    """
    k = len(scores)
    bests = np.fmax.accumulate(np.asarray(scores, dtype=np.float64))
    before = bests[max(math.ceil(k / 2), 1) - 1]
    gained = bests[-1] - before if np.isfinite(before) else math.inf
    return float(round(gained * math.log2(1.0 + more / k), 12))


def noise(row: TrialRow, metric: str) -> float:
    """The standard error over the folds of a trial; of a hold-out, which has none, 0."""
    folds = np.asarray(row.evaluation.folds.get(metric, ()), dtype=np.float64)
    folds = folds[np.isfinite(folds)]
    return float(folds.std(ddof=1) / math.sqrt(len(folds))) if len(folds) > 1 else 0.0
