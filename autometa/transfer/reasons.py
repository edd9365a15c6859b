"""What a recommendation says for itself: values for programs, sentences for people.

Letters:  t past tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.origins import Origin
from autometa.space import Config
from autometa.transfer.past import PastTable
from autometa.transfer.similarity import Resemblance


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a configuration did on one past task.

    See Also:
        `Recommendation`, `Neighbour`.

    Example:
        >>> Evidence("adult", 0.8, ("rows",), score=0.92, standing=0.97, rank=2, of=53).rank
        2
    """

    task: str
    similarity: float  # in [0, 1]; share of the weight where there are no meta-features to compare
    agrees: tuple[str, ...]  # the meta-features in which the two tasks agree most
    score: float  # in the metric's unit, larger is better; NaN if it was not evaluated there
    standing: float  # normalised score, 1 = the best one there; predicted where the score is NaN. So named in journals
    rank: int  # 1 = the best of `of`; 0 where it was not evaluated
    of: int
    distance: float | None = None  # root mean square difference of the ranks of the meta-features


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A configuration to try, and why.

    See Also:
        `Recommender`, `Evidence`.

    Example:
        >>> one = Recommendation({"family": "linear"}, Origin.DEFAULT, None, "the family's default")
        >>> one.config["family"], one.reason
        ('linear', "the family's default")
    """

    config: Config
    origin: Origin
    expected: float | None  # expected normalised score: 0 = the lower quartile of configurations or below, 1 = the best
    reason: str
    evidence: tuple[Evidence, ...] = ()
    gain: float | None = None  # expected improvement, in normalised scores, over all recommended or observed before
    seconds: float | None = None  # expected cost; None where the past says nothing
    low: float | None = None  # the normalised score lies between these with probability 0.8
    high: float | None = None
    score: float | None = None  # median score on past tasks, by their weight; as comparable as the metric is
    score_low: float | None = None  # and the tenth and ninetieth percentile; None where fewer than three tasks tried it
    score_high: float | None = None
    over_default: float | None = None  # probability that it is better than the default expected to be best


@dataclass(frozen=True, slots=True)
class Neighbour:
    """How a past task resembles the new one, and what it counts.

    See Also:
        `Explanation`.

    Example:
        >>> Neighbour("adult", distance=1.2, similarity=0.8, agrees=("rows",), differs=("gravity",), weight=0.3).task
        'adult'
    """

    task: str
    distance: float  # root mean square difference of the ranks of the meta-features
    similarity: float  # in [0, 1]
    agrees: tuple[str, ...]  # the meta-features that speak most for the resemblance
    differs: tuple[str, ...]  # and those that speak most against it
    weight: float  # in [0, 1]; those of all past tasks sum to one


@dataclass(frozen=True, slots=True)
class Explanation:
    """What recommendations rest on.

    See Also:
        `Neighbour`, `AdaptivePortfolio`.

    Example:
        >>> Explanation(tasks=0, configurations=0, abstains="nothing in the memory resembles this table").neighbours
        ()
    """

    tasks: int  # past tasks
    configurations: int
    abstains: str  # why the static portfolio is recommended instead; empty where past tasks resemble this one
    usual_distance: float | None = None  # from a past task to its fifth nearest neighbour, in the median
    moved: bool = False  # whether past tasks are moved by what the learned ranker forecasts for this one
    neighbours: tuple[Neighbour, ...] = ()  # nearest first
    default: Config | None = None  # the default that is expected to be best
    default_expected: float | None = None  # its expected normalised score
    default_low: float | None = None  # which lies between these with probability 0.8
    default_high: float | None = None


def evidence_for(
    table: PastTable, column: int, share: NDArray[np.float64], seen: Resemblance | None = None, k: int = 3
) -> tuple[Evidence, ...]:
    """The past tasks that had the largest part in a choice."""
    order = [int(i) for i in np.argsort(-share, kind="stable")[:k] if share[i] > 0]
    total = max(float(share.sum()), 1e-300)
    out = []
    for i in order:
        score = float(table.scores[i, column])
        distance = float(seen.distances[i]) if seen is not None and np.isfinite(seen.distances[i]) else None
        rank, of = table.rank(i, column) if not np.isnan(score) else (0, table.evaluated(i))
        likeness = float(seen.similarity[i]) if seen is not None else float(share[i]) / total
        agrees = seen.agrees(i) if seen is not None else ()
        out.append(
            Evidence(
                table.records[i].name, likeness, agrees, score, float(table.normalised[i, column]), rank, of, distance
            )
        )
    return tuple(out)


def weighted_quantiles(
    values: NDArray[np.float64],  # (t,) NaN where unknown, -inf where failed
    weights: NDArray[np.float64],  # (t,)
    at: tuple[float, ...],
) -> list[float | None]:
    """Quantiles of the finite values by weight; None where fewer than three are.

    Example:
        >>> weighted_quantiles(np.array([0.9, 0.7, np.nan, 0.8]), np.array([8.0, 1.0, 5.0, 1.0]), (0.15, 0.5))
        [0.8, 0.9]
    """
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 3:
        return [None] * len(at)
    order = known[np.argsort(values[known])]
    below = np.cumsum(weights[order]) / weights[order].sum()
    return [float(values[order[min(int(np.searchsorted(below, q)), len(order) - 1)]]) for q in at]


def ordinal(evidence: Evidence) -> str:
    """How well the configuration did on that past task."""
    if evidence.rank == 1:
        return f"The best of {evidence.of} configurations"
    if evidence.rank:
        return f"Number {evidence.rank} of {evidence.of} configurations"
    return f"Expected normalised score {evidence.standing:.2f}"


def study_words(table: PastTable, column: int) -> str:
    """How a trial of one past study is expected to do on the others, of which none has tried it."""
    better = int(np.sum(table.normalised[:, column] >= 0.8))
    owners = np.flatnonzero(np.isfinite(table.scores[:, column]))
    told = f"expected to be close to the best on {better} of {table.t} past {'study' if table.t == 1 else 'studies'}"
    if not len(owners):
        return f"{told[:1].upper()}{told[1:]}."
    rank, of = table.rank(int(owners[0]), column)
    place = f"The best of {counted(of, 'trial')}" if rank == 1 else f"Number {rank} of {counted(of, 'trial')}"
    return f"{place} of {table.records[owners[0]].name}, {told}."


def likeness_words(evidence: Evidence) -> str:
    """How much that past task resembles this one, and in what."""
    alike = (
        f" (much alike in {listed([name.replace('_', ' ') for name in evidence.agrees])})" if evidence.agrees else ""
    )
    return f"similarity {evidence.similarity:.2f}{alike}"


def listed(names: Sequence[str]) -> str:
    """Names in one phrase, with commas and "and"."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else "none"


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural unless it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def preceded(why: str, reason: str) -> str:
    """`why` and `reason` as one sentence."""
    return why + reason[:1].lower() + reason[1:]


def with_repairs(reason: str, table: PastTable, column: int) -> str:
    """The reason, and what was changed to fit the configuration into the space."""
    changes = table.repairs[column]
    return f"{reason} Fitted to this space: {'; '.join(changes)}." if changes else reason
