"""What a search came to, in the sentences that terminal, report and Python share.

The score with its interval, what a constant answer gets beside it, and how the trials ended.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from autometa.report.words import metric_title, number, own_unit, spoken_score, spoken_value, state_words

if TYPE_CHECKING:
    from autometa.evaluation import Interval
    from autometa.search import Ends, Result


def interval_words(metric: str, interval: Interval) -> str:
    """The ends of an interval in the metric's own unit, the lower first.

    Example:
        >>> interval_words("neg_root_mean_squared_error", (-3.2, -2.8)), interval_words("r2", (0.5, 0.75))
        ('2.800 to 3.200', '0.5000 to 0.7500')
    """
    low, high = sorted(own_unit(metric, end) for end in interval)
    return f"{number(low)} to {number(high)}"


def scored(result: Result) -> str:
    """``ROC AUC 0.9931 (95 %: 0.9872 to 0.9968)``; an older run has the deviation of its folds, if it had several."""
    metric, positive = result.task.metric, result.task.positive_label
    if result.interval is not None:
        words = spoken_score(metric, result.score, positive=positive)
        return f"{words} (95 %: {interval_words(metric, result.interval)})"
    return spoken_score(metric, result.score, result.score_std or None, positive=positive)


def dummy_words(result: Result) -> str | None:
    """What a constant answer gets, and how much of its error is gone; None of a run of an older version."""
    dummy, metric = result.dummy, result.task.metric
    if dummy is None or not math.isfinite(dummy.score):
        return None
    what = dummy.says if dummy.answer is None else f"{dummy.says} ({number(dummy.answer)})"
    words = f"{what} gets {metric_title(metric, result.task.positive_label)} {spoken_value(metric, dummy.score)}"
    gone = dummy.gone(metric, result.score)
    if gone is None or gone <= 0:
        return words
    goal = "of that error is gone" if metric.startswith("neg_") else "of the way from there to 1"
    return f"{words}; {gone:.0%} {goal}"


def made_words(result: Result) -> str | None:
    """Which columns the members of the model make of yours, each with its trial; None where they make none."""
    members = {number for number, _ in result.members}
    made: dict[str, list[int]] = {}
    for row in result.trials:
        for name in row.evaluation.made if row.number in members else ():
            made.setdefault(name, []).append(row.number)
    return "; ".join(f"{name} ({counted_trials(numbers)})" for name, numbers in made.items()) or None


def counted_trials(numbers: list[int]) -> str:
    """``trial 4`` or ``trials 4, 9``."""
    return f"{'trial' if len(numbers) == 1 else 'trials'} {', '.join(map(str, sorted(numbers)))}"


def warning(result: Result) -> str | None:
    """That the model is no better than a constant, or not clearly so; None where it is."""
    dummy = result.dummy
    if dummy is None or not math.isfinite(dummy.score):
        return None
    if not result.score > dummy.score:
        return f"The model is no better than {dummy.says}: nothing was learned that holds for other rows."
    if result.interval is not None and result.interval[0] <= dummy.score:
        return f"The model is not clearly better than {dummy.says}, which is within its interval."
    return None


def ends_words(ends: Ends) -> str:
    """How the trials ended: evaluated, stopped because they could not win any more, or failed, and of what.

    Example:
        >>> from autometa.search import Ends
        >>> ends_words(Ends(20, 41, {"timeout": 9, "crashed": 2}))
        '20 complete, 41 stopped early, 11 failed (9 ran out of time, 2 crashed)'
        >>> ends_words(Ends(3, 0, {"failed": 1})), ends_words(Ends(2, 0, {}))
        ('3 complete, 1 failed', '2 complete')
    """
    parts = [f"{ends.complete} complete"]
    if ends.stopped:
        parts.append(f"{ends.stopped} stopped early")
    if ends.failed:
        why = ", ".join(f"{count} {state_words(state)}" for state, count in ends.failed.items() if state != "failed")
        parts.append(f"{sum(ends.failed.values())} failed{f' ({why})' if why else ''}")
    return ", ".join(parts)
