"""Which columns a model needs, and which way they move its answers: permutation importance, and partial dependence.

The values of a column are shuffled among rows that the answering models have not learned from; how much worse they are
then judged is the column's importance. All columns of a block of rows are answered in one call, as what a call costs
is more than what a row does. Every column is shuffled once before any is shuffled again, and what is known is handed
over after each step: whoever stops listening has figures for all columns, of few rows at first, and time makes them
steadier. What blocks of rows differ by is the interval (Student's t).

Letters:  n rows · p columns · c classes · b blocks of rows.

Source:
    Breiman: Random forests. Machine Learning 45, 2001. For any model: Fisher, Rudin, Dominici: All models are wrong,
    but many are useful. JMLR 20, 2019. Partial dependence: Friedman: Greedy function approximation. Annals
    of Statistics 29, 2001.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.explain.judges import Judges, RowBlock
from autometa.explain.options import OPTIONS
from autometa.explain.order import closest, first_size, ranks
from autometa.explain.players import players
from autometa.explain.record import Dependence, Importance, ModelExplanation

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]


def look(judges: Judges, *, seconds: float, rows: int, repeats: int, seed: int) -> Iterator[ModelExplanation]:
    """What is known after each step, coarse at first.

    Args:
        judges: Who answers.
        seconds: That there are: by them it is chosen how many rows, and if need be columns, are begun with; of a wide
            table as many columns as there is time for.
        rows: At most.
        repeats: Shuffles of each column, at most.
        seed: Of the shuffles.
    """
    task, rng, began = judges.task, np.random.default_rng(seed), time.monotonic()
    groups = players(task.X)
    names = list(groups)
    rows = enough_rows(task, rows)
    first_rows, count = first_size(judges.seconds, len(names), rows, OPTIONS.first_share * seconds)
    if count < len(names) or len(names) > OPTIONS.wide:
        names = closest(task, names, count, groups)
    some = [_some(task, block, first_rows, len(judges.blocks), rng) for block in judges.blocks]
    seen = _AllSeen(task, groups, len(judges.blocks))
    dependence: tuple[Dependence, ...] = ()

    def late(share: float = 1.0) -> bool:
        return time.monotonic() - began > share * seconds

    def known(repeat: int, used: Sequence[RowBlock]) -> ModelExplanation:
        found = sorted((one.importance() for one in seen.values() if one.counted), key=_order)
        return ModelExplanation(
            tuple(found),
            dependence,
            judges.source,
            sum(len(block.rows) for block in used),
            repeat,
            len(groups),
            judges.answering,
            judges.weight,
        )

    for repeat in range(1, repeats + 1):
        for place, block in enumerate(some):
            first = repeat == 1 and not place
            _shuffle(judges, block, names, seen, place, rng, partial(late, 1 / len(some) if first else 1.0))
            names = [name for name in names if name in seen]  # for the others there was no time
            if repeat == 1 and place < len(some) - 1:
                yield known(1, some[: place + 1])
                if late():
                    return
        yield known(repeat, some)
        if late():
            return
        if repeat == 1:
            single = [one.column for one in known(1, some).importance if len(groups[one.column]) == 1]
            top = single[: OPTIONS.dependent]
            dependence = depend(judges, some, top, late)
            yield known(1, some)
            some = [_some(task, block, rows, len(judges.blocks), rng) for block in judges.blocks]


def enough_rows(task: Task, rows: int) -> int:
    """So many rows, or more where a class is rare: each block should have some of it to judge by.

    Example:
        >>> from autometa.task import make_task
        >>> y = np.arange(20_000) % 100 == 0
        >>> enough_rows(make_task(pd.DataFrame({"x": np.arange(20_000.0)}), y=y), 500)
        4000
    """
    if task.kind == "regression":
        return min(rows, task.n)
    counts = np.bincount(np.asarray(task.y), minlength=task.c)
    wanted = OPTIONS.rare_rows * OPTIONS.blocks * task.n / max(int(counts[counts > 0].min()), 1)
    return int(min(task.n, max(rows, min(wanted, OPTIONS.most_growth * rows))))


def depend(
    judges: Judges, blocks: Sequence[RowBlock], names: Sequence[str], late: Callable[[], bool] = lambda: False
) -> tuple[Dependence, ...]:
    """Partial dependence of some columns, until it is late; text, and a column of one value, have none."""
    points = {name: at for name in names if len((at := points_of(judges.task.X[name]))[0]) > 1}
    rows = -(-OPTIONS.dependence_rows // len(blocks))
    at_once = max(1, OPTIONS.cells // max(OPTIONS.points * rows * judges.task.p, 1))
    found: list[Dependence] = []
    for start in range(0, len(points), at_once):
        if start and late():
            break
        found += _curves(judges, blocks, dict(list(points.items())[start : start + at_once]), rows)
    return tuple(found)


def _curves(
    judges: Judges, blocks: Sequence[RowBlock], points: dict[str, tuple[list[Any], bool]], rows: int
) -> list[Dependence]:
    """The mean answer at some points of some columns, over at most about so many rows of each block."""
    task, count = judges.task, 0
    totals = {name: np.zeros((len(at), max(task.c, 1))) for name, (at, _) in points.items()}
    for block in blocks:
        X = task.X.iloc[block.rows[:: max(len(block.rows) // rows, 1)]]
        changes = [_constant(X[name], one).to_frame(name) for name, (at, _) in points.items() for one in at]
        means = judges.answer(block.fold, stacked(X, changes)).reshape(len(changes), len(X), -1).sum(axis=1)
        count += len(X)
        for name, (at, _) in points.items():
            totals[name] += means[: len(at)]
            means = means[len(at) :]
    found = []
    for name, (at, categorical) in points.items():
        mean = totals[name] / max(count, 1)
        if task.kind == "regression":
            curves = {task.target: tuple(mean[:, 0].tolist())}
        else:
            shown = [task.positive] if task.c == 2 else np.argsort(-np.ptp(mean, axis=0), kind="stable").tolist()
            curves = {str(task.classes[k]): tuple(mean[:, k].tolist()) for k in shown[: OPTIONS.dependent]}
        found.append(Dependence(str(name), categorical, tuple(at), curves))
    return found


def points_of(column: pd.Series) -> tuple[list[Any], bool]:
    """Values of a column at which to ask, and whether they are categories; none of a column of text.

    Example:
        >>> points_of(pd.Series([3.0, 1.0, 2.0, 2.0])), points_of(pd.Series(["b", "a", "b"], dtype="category"))
        (([1.0, 2.0, 3.0], False), (['b', 'a'], True))
    """
    present = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        counts = present.value_counts()
        return [str(one) for one in counts.index[counts > 0][: OPTIONS.categories]], True
    if not pd.api.types.is_numeric_dtype(column.dtype) or not len(present):
        return [], False
    values = np.unique(present.to_numpy(np.float64))
    if len(values) > OPTIONS.points:
        places = np.linspace(0.02, 0.98, OPTIONS.points)  # beyond them are few rows, and far outliers
        values = np.unique(np.quantile(present.to_numpy(np.float64), places))
    return values.tolist(), False


@dataclass(slots=True, eq=False)
class _Seen:
    """What shuffles of one column, or of the numbers of one vector, came to."""

    task: Task
    name: str
    columns: tuple[str, ...]
    blocks: int
    drops: list[list[float]] = field(init=False)
    moved: Values = field(init=False)  # (3, c): sums of both changes multiplied, and of each squared
    by_category: Values | None = field(init=False, default=None)  # (k, 1 + c): rows, and the sums of changes

    def __post_init__(self) -> None:
        self.drops = [[] for _ in range(self.blocks)]
        self.moved = np.zeros((3, max(self.task.c, 1)))
        column = self.task.X[self.columns[0]]
        if isinstance(column.dtype, pd.CategoricalDtype):
            self.by_category = np.zeros((len(column.cat.categories), 1 + max(self.task.c, 1)))

    @property
    def counted(self) -> bool:
        """Whether a shuffle of it could be judged, or at least was made."""
        return any(self.drops)

    def add(self, place: int, drop: float, before: pd.DataFrame, after: pd.DataFrame, change: Values) -> None:
        """One shuffle of a block: by how much the score fell, and how the answers changed (n, c) with the values."""
        self.drops[place].append(drop)
        if len(self.columns) == 1:  # a vector is neither high nor low
            self._move(before[self.columns[0]], after[self.columns[0]], change)

    def _move(self, before: pd.Series, after: pd.Series, change: Values) -> None:
        if self.by_category is not None:
            moved = np.column_stack([np.ones(len(change)), change])
            for column, sign in ((after, 1.0), (before, -1.0)):  # what came with a category, and what went with it
                codes = column.cat.codes.to_numpy()
                np.add.at(self.by_category, codes[codes >= 0], (moved * [1.0, *[sign] * change.shape[1]])[codes >= 0])
        elif pd.api.types.is_numeric_dtype(before.dtype):
            placed = ranks(np.concatenate([before.to_numpy(np.float64), after.to_numpy(np.float64)]))
            step = placed[len(before) :] - placed[: len(before)]
            known = np.isfinite(step)
            step, change = step[known, None], change[known]
            self.moved += np.stack([(step * change).sum(axis=0), (step**2).sum(axis=0) + 0 * change.sum(axis=0),
                                    (change**2).sum(axis=0)])  # fmt: skip

    def importance(self) -> Importance:
        """The mean over blocks of the means over shuffles, its interval, and the direction."""
        means = np.array([np.mean(own) for own in self.drops if own and np.isfinite(own).all()])
        if not len(means):
            return Importance(str(self.name), math.nan, direction=self._direction())
        low, high = interval(means)
        return Importance(str(self.name), float(means.mean()), low, high, self._direction())

    def _direction(self) -> str:
        if self.by_category is not None:
            return self._by_category()
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = np.nan_to_num(self.moved[0] / np.sqrt(self.moved[1] * self.moved[2]))
        task = self.task
        k = task.positive if task.c == 2 else int(np.argmax(np.abs(self.moved[0]) * (np.abs(effect) > 0)))
        if abs(effect[k]) < OPTIONS.direction:
            return ""
        if not task.c:
            return f"the higher, the {'higher' if effect[k] > 0 else 'lower'} {task.target}"
        return f"the higher, the {'more' if effect[k] > 0 else 'less'} likely {str(task.classes[k])!r}"

    def _by_category(self) -> str:
        assert self.by_category is not None
        rows = self.by_category[:, 0]
        often = np.flatnonzero(rows >= max(3.0, 0.01 * rows.sum()))
        if len(often) < 2:
            return ""
        task, means = self.task, self.by_category[often, 1:] / rows[often, None]
        k = task.positive if task.c == 2 else int(np.argmax(np.ptp(means, axis=0)))
        if np.ptp(means[:, k]) == 0:
            return ""
        names = [str(task.X[self.name].cat.categories[one]) for one in often]
        most, least = names[int(means[:, k].argmax())], names[int(means[:, k].argmin())]
        what = task.target if not task.c else str(task.classes[k])
        ends = ("highest", "lowest") if not task.c else ("most likely", "least")
        return f"{what if not task.c else repr(what)} {ends[0]} for {most!r}, {ends[1]} for {least!r}"


class _AllSeen(dict[str, _Seen]):
    """What shuffles came to, by column; one that is asked for the first time has none yet."""

    def __init__(self, task: Task, groups: Mapping[str, tuple[str, ...]], blocks: int) -> None:
        super().__init__()
        self._task, self._groups, self._blocks = task, groups, blocks

    def __missing__(self, name: str) -> _Seen:
        self[name] = found = _Seen(self._task, name, self._groups[name], self._blocks)
        return found


def interval(means: Values) -> tuple[float, float]:  # (b,)
    """The interval of a mean, by Student's t; NaN of one block.

    Example:
        >>> [round(end, 3) for end in interval(np.array([0.1, 0.2, 0.3, 0.2, 0.2]))]
        [0.133, 0.267]
    """
    from scipy.stats import t

    if len(means) < 2:
        return math.nan, math.nan
    wide = float(t.ppf(0.5 + OPTIONS.coverage / 2, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means)))
    return float(means.mean() - wide), float(means.mean() + wide)


def _shuffle(
    judges: Judges,
    block: RowBlock,
    names: Sequence[str],
    seen: _AllSeen,
    place: int,
    rng: np.random.Generator,
    late: Callable[[], bool],
) -> None:
    """Shuffles each column among the rows of a block once, and notes what came of it; some of them where it is late."""
    from autometa.evaluation import score

    task = judges.task
    X, y = task.X.iloc[block.rows], np.asarray(task.y)[block.rows]
    counts = None if task.weights is None else np.asarray(task.weights)[block.rows]

    def judge(said: Values) -> float:
        how = {"positive": task.positive, "weights": judges.weights, "sample_weight": counts, "classes": task.classes}
        return score(task.metric, y, said, task.c, **how)  # type: ignore[arg-type]

    at_once = max(1, OPTIONS.cells // max(len(X) * task.p, 1))
    begun = min(at_once, OPTIONS.dependent) if len(names) > OPTIONS.wide else at_once
    cuts = [0, *range(begun, len(names), at_once), len(names)] if names else []
    before: Values | None = None
    for start, end in pairwise(cuts):
        if start and late():
            break
        some = names[start:end]
        own = [list(seen[name].columns) for name in some]
        shuffled = [X[columns].take(rng.permutation(len(X))).set_axis(X.index) for columns in own]
        answers = judges.answer(block.fold, stacked(X, shuffled, first=before is None))
        if before is None:
            before, answers = answers[: len(X)], answers[len(X) :]
        whole = judge(before)
        flat = before.reshape(len(X), -1)
        for k, (name, columns) in enumerate(zip(some, shuffled, strict=True)):
            said = answers[k * len(X) : (k + 1) * len(X)]
            seen[name].add(place, whole - judge(said), X[own[k]], columns, said.reshape(len(X), -1) - flat)


def stacked(X: pd.DataFrame, changes: Sequence[pd.DataFrame], *, first: bool = False) -> pd.DataFrame:
    """A table once for each change, end to end, with some columns as the change has them; before these as it is.

    Args:
        X: (n, p).
        changes: (n, columns) each.
        first: Whether the table as it is stands before the others.

    Example:
        >>> table = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
        >>> stacked(table, [pd.DataFrame({"a": [2, 1]}), pd.DataFrame({"b": [4, 3]})]).to_numpy().T.tolist()
        [[2, 1, 1, 2], [3, 4, 4, 3]]
    """
    n, times = len(X), len(changes) + first
    whole = X.take(np.tile(np.arange(n), times)).reset_index(drop=True)
    for k, change in enumerate(changes, start=int(first)):
        for name in change:
            column = whole[name]
            parts = [column.iloc[: k * n], change[name], column.iloc[(k + 1) * n :]]
            whole[name] = pd.concat(parts, ignore_index=True)
    return whole


def _some(task: Task, block: RowBlock, rows: int, blocks: int, rng: np.random.Generator) -> RowBlock:
    """At most so many rows, shared among so many blocks, of every class or size of the target in proportion."""
    share = max(2, -(-rows // blocks))
    if len(block.rows) <= share:
        return block
    order = rng.permutation(block.rows)
    order = order[np.argsort(np.asarray(task.y)[order], kind="stable")]
    places = ((np.arange(share) + rng.random()) * len(order) / share).astype(np.intp)
    return RowBlock(block.fold, np.sort(order[np.minimum(places, len(order) - 1)]))


def _constant(column: pd.Series, value: Any) -> pd.Series:
    """A column of one value, of the same type."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        code = column.cat.categories.astype("str").get_loc(value)
        return pd.Series(pd.Categorical.from_codes(np.full(len(column), code), dtype=column.dtype), index=column.index)
    return pd.Series(np.full(len(column), value, dtype=np.float64), index=column.index)


def _order(one: Importance) -> tuple[bool, float]:
    """The most important first; what could not be judged last."""
    return (math.isnan(one.drop), -one.drop)
