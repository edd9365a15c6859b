"""What is said of a model on a labelled table, and of two runs beside each other.

Letters:  n rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autometa.evaluation import Interval


@dataclass(frozen=True, slots=True)
class Scored:
    """One score, larger is better, and where it would be, 19 times of 20, had other rows been drawn.

    See Also:
        `Judgement`.

    Example:
        >>> Scored(0.9, (0.85, 0.94), promised=0.91).interval
        (0.85, 0.94)
    """

    score: float
    interval: Interval | None
    promised: float | None = None  # out of fold; None where there is no run


@dataclass(frozen=True, slots=True)
class Promise:
    """How a score differs from what was promised out of fold; `interval` of the difference, new less promised.

    See Also:
        `Judgement`.

    Example:
        >>> Promise(0.9, -0.01, (-0.03, 0.01)).verdict, Promise(0.8, -0.11, (-0.15, -0.06)).verdict
        ('as promised', 'lower')
    """

    score: float
    difference: float
    interval: Interval | None

    @property
    def verdict(self) -> str:
        """``lower``, ``higher`` or ``as promised``: whether chance alone would explain the difference."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "as promised"
        return "lower" if self.difference < 0 else "higher"


@dataclass(frozen=True, slots=True)
class Judged:
    """One trial on the table: as it answers in the model where it is a member, else by the models of its folds.

    See Also:
        `Judgement`.

    Example:
        >>> Judged(3, "linear", Scored(0.9, None), weight=0.4).here.score
        0.9
    """

    trial: int
    family: str
    here: Scored
    weight: float  # in the model; 0 of one that is no member


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model is worth on a labelled table.

    See Also:
        `judge`.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.judging import judge
        >>> found = judge(run, load_wine(as_frame=True).frame)
        >>> found.metric, found.rows, found.scores["accuracy"].score > 0.9, found.seen
        ('neg_log_loss', 178, True, 178)
    """

    metric: str
    positive: str | None
    rows: int
    scores: Mapping[str, Scored]
    promise: Promise | None  # None of a model file without its run
    leaderboard: tuple[Judged, ...]
    seen: int  # rows of the table that the run learned from; 0 where chance may explain them
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """What ``autometa score --json`` prints."""
        own = self.scores[self.metric]
        return {
            "metric": self.metric,
            "rows": self.rows,
            "score": own.score,
            "interval": own.interval,
            "scores": {name: plain(one) for name, one in self.scores.items()},
            "promised": None
            if self.promise is None
            else {
                "score": self.promise.score,
                "difference": self.promise.difference,
                "interval": self.promise.interval,
                "verdict": self.promise.verdict,
            },
            "leaderboard": [
                {"trial": one.trial, "family": one.family, "weight": one.weight, **plain(one.here)}
                for one in self.leaderboard
            ],
            "rows_learned_from": self.seen,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Side:
    """One metric of two runs, and the difference, first less second, with its interval.

    See Also:
        `Versus`.

    Example:
        >>> side = Side(0.9, 0.8, (0.02, 0.18))
        >>> round(side.difference, 2), side.verdict
        (0.1, 'first')
    """

    first: float
    second: float
    interval: Interval | None

    @property
    def difference(self) -> float:
        """Above 0 where the first is better."""
        return self.first - self.second

    @property
    def verdict(self) -> str:
        """``first``, ``second`` or ``neither``: which is better beyond chance."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "neither"
        return "first" if self.difference > 0 else "second"


@dataclass(frozen=True, slots=True)
class Versus:
    """Two runs beside each other, on the same rows.

    See Also:
        `compare`.

    Example:
        >>> from autometa.judging import compare
        >>> found = compare(run, run)
        >>> found.rows, found.scores[found.metric].difference, found.scores[found.metric].verdict
        (178, 0.0, 'neither')
    """

    metric: str
    positive: str | None
    rows: int
    scores: Mapping[str, Side]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """What ``autometa compare --json`` prints."""
        return {
            "metric": self.metric,
            "rows": self.rows,
            "verdict": self.scores[self.metric].verdict,
            "scores": {
                name: {
                    "first": one.first,
                    "second": one.second,
                    "difference": one.difference,
                    "interval": one.interval,
                    "verdict": one.verdict,
                }
                for name, one in self.scores.items()
            },
            "notes": list(self.notes),
        }


def plain(one: Scored) -> dict[str, Any]:
    """As JSON holds it."""
    return {"score": one.score, "interval": one.interval, "promised": one.promised}
