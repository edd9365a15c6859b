"""How far a prediction may be off: intervals, and sets of classes, that hold the truth as often as was asked.

Conformal prediction from predictions of rows that a model had not seen. Each such row has a score, how badly its truth
fits what was said of it: of numbers the distance, of classes one less the probability of the true one. What comes with
a new row holds every answer whose score would be no worse than the one that so many of n rows do not exceed; among
``n + 1`` rows that could as well have come in another order, the truth of a new one is within with that probability,
whatever the model is.

The scores are those of the models of folds, the answer is that of the final model, which knows more rows: so this is
the cheap form of cross-conformal prediction, without its models at hand for every row. Its coverage is measured
(`benchmarks/practice.py`). An interval is as wide as rows of such a size need: rows are parted by what is predicted
(Mondrian conformal regression), or by a column, where that is asked for.

Law: without parts, of exchangeable rows and a model that knows none of them, the coverage is at least what was asked.

Letters:  n rows · c classes · k categories.

Source:
    Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World. Springer 2005. Barber, Candès, Ramdas, Tibshirani:
    Predictive inference with the jackknife+. Annals of Statistics 49, 2021. Boström, Johansson: Mondrian conformal
    regressors. COPA 2020. Sets: Sadinle, Lei, Wasserman: Least ambiguous set-valued classifiers with bounded error
    levels. JASA 114, 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.evaluation.options import OPTIONS

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRanks:
    """Scores of held-out rows, sorted, with their ranks; of many rows only some, so that nothing is told too small."""

    count: int  # rows
    values: Values  # (m,) ascending
    ranks: NDArray[Any]  # (m,) from 1; how much the rows up to each count, where some count more

    @classmethod
    def of(cls, scores: Values, counts: Values | None = None) -> ScoreRanks:
        """The scores (n,), at most `OPTIONS.kept_scores` of them: the largest, and others evenly.

        Where some rows count more, `counts` (n,), the rank of a score is how much the rows up to it count, of n in all:
        weighted conformal prediction, in which a row to come counts as one of those held out does on average.

        Source:
            Tibshirani, Barber, Candès, Ramdas: Conformal prediction under covariate shift. NeurIPS 2019.

        Example:
            >>> ranks = ScoreRanks.of(np.arange(100.0))
            >>> ranks.needed(0.9), ranks.needed(0.995)
            (90.0, inf)
        """
        order, most = np.argsort(scores, kind="stable"), OPTIONS.kept_scores
        ordered, ranks = scores[order], np.arange(1, len(scores) + 1)
        if counts is not None and counts.sum() > 0:
            ranks = np.cumsum(counts[order]) * (len(scores) / counts.sum())
        kept = np.arange(len(ordered))
        if len(ordered) > most:
            tail = len(ordered) - most // 4
            kept = np.unique(np.append(np.linspace(0, tail, most - most // 4).astype(np.int64), kept[tail:]))
        return cls(len(ordered), ordered[kept], ranks[kept])

    def needed(self, level: float) -> float:
        """The score that holds so large a share of rows and one to come; infinite where they are too few to say."""
        rank = math.ceil((self.count + 1) * level - 1e-9)
        place = min(int(np.searchsorted(self.ranks, rank - 1e-9)), len(self.values) - 1)
        return float(self.values[place]) if rank <= self.count else math.inf

    def clear_of_ties(self, level: float) -> float:
        """As `needed`, of probabilities: with all rows of a tie, or with none but a few, where many are all but equal.

        A model that says nearly the same of many rows (a few leaves, the shares of the classes) says it a little
        differently in each fold and in the end. A limit in the midst of such rows would hold all of them, or none.

        Example:
            >>> ranks = ScoreRanks.of(np.concatenate([np.full(60, 0.35), np.linspace(0.65, 0.653, 40)]))
            >>> round(ranks.needed(0.8), 3), round(ranks.clear_of_ties(0.8), 3)
            (0.652, 0.656)
        """
        limit = self.needed(level)
        if math.isinf(limit):
            return limit
        near = limit + OPTIONS.tied_width * max(limit * (1.0 - limit), 0.0)
        last = int(np.searchsorted(self.values, near, side="right")) - 1
        tied = self.ranks[last] - self.ranks[int(np.searchsorted(self.values, limit))]
        return float(near) if tied >= OPTIONS.tied_share * self.count else limit


@dataclass(frozen=True, slots=True, eq=False)
class Conformal:
    """What intervals, or sets of classes, are made of.

    Args:
        overall: Of all held-out rows.
        edges: (b - 1,) between the parts of what is predicted, ascending; none for one part. Of numbers only.
        parts: (b,) of the rows of each part.
        groups: By column, by category, of its rows.
        classes: (c,) of the rows of each class.
        least: Below which no truth lies: 0 where no target that was learned from is negative.

    See Also:
        `fit_conformal`.

    Example:
        >>> made = Conformal(ScoreRanks.of(np.arange(100.0)))  # held-out rows that were off by 0, 1 ... 99
        >>> made.reach(0.9, np.zeros(2), pd.DataFrame(index=range(2)), by=None)
        array([90., 90.])
    """

    overall: ScoreRanks
    edges: tuple[float, ...] = ()
    parts: tuple[ScoreRanks, ...] = ()
    groups: Mapping[str, Mapping[str, ScoreRanks]] = field(default_factory=dict)
    classes: tuple[ScoreRanks, ...] = ()
    least: float = -math.inf

    def check(self, level: float) -> None:
        """Refuses a level that cannot be, or for which there are too few rows.

        Raises:
            InputError: It cannot be.
        """
        read_level(level)
        if math.isinf(self.overall.needed(level)):
            what = f"{level:g} takes {math.ceil(level / (1 - level) - 1e-6):,} held-out rows, and the model has "
            raise InputError(Problem("interval", f"{what}{self.overall.count:,}", "Ask for less."))

    def reach(self, level: float, prediction: Values, X: pd.DataFrame, by: str | None) -> Values:  # (n,)
        """How far each truth may be off its prediction (n,).

        Args:
            level: The share of rows whose truth is to be within.
            prediction: (n,) values.
            X: (n, p) typed features.
            by: The column whose categories are to have that share each; None for parts of what is predicted.

        Raises:
            InputError: As `check`; or there is no such column, or it holds no categories.
        """
        self.check(level)
        if by is not None:
            return self._by_group(level, X, by)
        whole = self.overall.needed(level)
        if not self.edges:
            return np.full(len(prediction), whole)
        own = np.array([part.needed(level) for part in self.parts])
        own[np.isinf(own)] = whole
        return np.asarray(own[np.searchsorted(self.edges, prediction, side="right")])

    def within(
        self, level: float, probability: Values, X: pd.DataFrame, by: str | None, target: str
    ) -> NDArray[np.bool_]:  # (n, c)
        """Whether each class is in the set of each row.

        A set may be empty: where the most probable class is right more often than `level` asks, the rows of which it is
        least sure are the ones that are given up.

        Args:
            level: The share of rows whose class is to be in their set.
            probability: (n, c) calibrated.
            X: (n, p) typed features.
            by: As `reach`; or the target, for every class to have that share.
            target: Its name.

        Raises:
            InputError: As `reach`.
        """
        self.check(level)
        if by is not None and by == target:
            limits = np.array([own.clear_of_ties(level) for own in self.classes])[None, :]
        elif by is not None:
            limits = self._by_group(level, X, by)[:, None]
        else:
            limits = np.full((1, 1), self.overall.clear_of_ties(level))
        return np.asarray(1.0 - probability <= limits + 1e-12)

    def check_column(self, by: str, columns: Sequence[str]) -> None:
        """Refuses a column, of these, whose categories have no scores of their own.

        Raises:
            InputError: It has none; those that have are listed.
        """
        if by in self.groups:
            return
        what, known = "holds no categories that intervals could be told apart by", list(self.groups)
        what = what if by in columns else "no such column"
        fix = f"{did_you_mean(by, known)} There are: {', '.join(known) or 'none'}.".strip()
        raise InputError(Problem(f"by {by!r}", what, fix))

    def _by_group(self, level: float, X: pd.DataFrame, by: str) -> Values:  # (n,)
        """What each row's category needs; the whole table's where there are too few rows of it."""
        self.check_column(by, list(map(str, X.columns)))
        whole = self.overall.needed(level)
        needed = {name: own.needed(level) for name, own in self.groups[by].items()}
        texts = X[by].astype("str").to_numpy(dtype=object)
        found = np.array([needed.get(text, whole) for text in texts], dtype=np.float64)
        return np.where(np.isinf(found), whole, found)


def fit_conformal(task: Task, oof: Values) -> Conformal | None:
    """What intervals or sets are made of, from out-of-fold predictions; None where there are none.

    Args:
        task: The table.
        oof: (n,) values or (n, c) calibrated probabilities; NaN where a row was not held out.

    See Also:
        `Conformal`.

    Example:
        >>> from autometa.task import make_task
        >>> x = np.arange(100.0)
        >>> task = make_task(pd.DataFrame({"x": x**1.1}), y=x)
        >>> fit_conformal(task, x + np.where(x % 2, 3.0, -5.0)).overall.needed(0.4)
        3.0
    """
    known = np.isfinite(oof.reshape(len(oof), -1)).all(axis=1)
    if not known.any():
        return None
    y, said = np.asarray(task.y)[known], oof[known]
    counts = None if task.weights is None else np.asarray(task.weights)[known]

    def ranked(own: Values, rows: Any = slice(None)) -> ScoreRanks:
        return ScoreRanks.of(own[rows], None if counts is None else counts[rows])

    groups = {}
    if task.kind == "regression":
        scores = np.abs(y - said)
        edges, parts = _parts(scores, said, ranked)
        least = 0.0 if float(np.min(task.y)) >= 0 else -math.inf
        classes: tuple[ScoreRanks, ...] = ()
    else:
        scores = 1.0 - said[np.arange(len(y)), y]
        edges, parts, least = (), (), -math.inf
        classes = tuple(ranked(scores, y == k) for k in range(task.c))
    for name in task.columns.categorical[: OPTIONS.conformal_columns]:
        column = task.X[name][known]
        if 1 < len(column.cat.categories) <= OPTIONS.conformal_categories:
            codes = column.cat.codes.to_numpy()
            categories = enumerate(map(str, column.cat.categories))
            groups[str(name)] = {text: ranked(scores, codes == k) for k, text in categories}
    return Conformal(ranked(scores), edges, parts, groups, classes, least)


def read_level(value: Any) -> float:
    """A level that was asked for: a number between 0 and 1.

    Raises:
        InputError: It is none.

    See Also:
        `fit_conformal`.

    Example:
        >>> read_level("0.9")
        0.9
    """
    try:
        level = float(value)
    except (TypeError, ValueError):
        level = math.nan
    if isinstance(value, bool) or not 0.0 < level < 1.0:
        fix = "Such as 0.9: the share of rows whose truth is to be within."
        raise InputError(Problem("interval", f"{value!r} is not a number between 0 and 1", fix))
    return level


def _parts(
    scores: Values, said: Values, ranked: Callable[..., ScoreRanks]
) -> tuple[tuple[float, ...], tuple[ScoreRanks, ...]]:
    """The scores by parts of what is predicted, as many as have enough rows; none where one is all there is."""
    count = min(OPTIONS.conformal_parts, len(said) // OPTIONS.conformal_rows)
    edges = np.unique(np.quantile(said, np.linspace(0, 1, count + 1)[1:-1])) if count > 1 else np.empty(0)
    places = np.searchsorted(edges, said, side="right")
    if not len(edges) or np.bincount(places, minlength=len(edges) + 1).min() < OPTIONS.conformal_rows // 2:
        return (), ()
    return tuple(edges.tolist()), tuple(ranked(scores, places == k) for k in range(len(edges) + 1))
