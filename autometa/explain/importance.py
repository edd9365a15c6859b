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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.explain.judges import Judges, RowBlock
from autometa.explain.options import OPTIONS
from autometa.explain.players import players
from autometa.explain.record import Dependence, Importance, ModelExplanation

if TYPE_CHECKING:
    from autometa.task import Task

Values = NDArray[np.float64]


def look(judges: Judges, *, seconds: float, rows: int, repeats: int, seed: int) -> Iterator[ModelExplanation]:
    """What is known after each step, coarse at first.

    Args:
        judges: Who answers.
        seconds: That there are, about: by them it is chosen how many rows, and if need be columns, are begun with.
        rows: At most.
        repeats: Shuffles of each column, at most.
        seed: Of the shuffles.
    """
    task, rng = judges.task, np.random.default_rng(seed)
    groups = players(task.X)
    names = list(groups)
    rows = enough_rows(task, rows)
    first_rows, count = first_size(judges.seconds, len(names), rows, OPTIONS.first_share * seconds)
    if count < len(names):
        names = closest(task, names, count, groups)
    some = [_some(task, block, first_rows, len(judges.blocks), rng) for block in judges.blocks]
    seen = {name: _Seen(task, name, groups[name], len(judges.blocks)) for name in names}
    dependence: tuple[Dependence, ...] = ()

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
            _shuffle(judges, block, names, seen, place, rng)
            if repeat == 1 and place < len(some) - 1:
                yield known(1, some[: place + 1])
        yield known(repeat, some)
        if repeat == 1:
            single = [one.column for one in known(1, some).importance if len(groups[one.column]) == 1]
            top = single[: OPTIONS.dependent]
            dependence = depend(judges, some, top)
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


def first_size(seconds_a_row: float, p: int, rows: int, seconds: float) -> tuple[int, int]:
    """How many rows, and of how many columns, a first shuffle is of, that takes so many seconds at most.

    Example:
        >>> first_size(1e-5, 30, 500, 1.0), first_size(1e-3, 30, 500, 1.0), first_size(1e-3, 3000, 500, 1.0)
        ((500, 30), (25, 30), (25, 39))
    """
    sizes = [rows, *(fewer for fewer in OPTIONS.fewer_rows if fewer < rows)]
    for size in sizes:
        if seconds_a_row * size * (p + 1) <= seconds:
            return size, p
    return sizes[-1], int(min(p, max(OPTIONS.dependent, seconds / (seconds_a_row * sizes[-1]) - 1)))


def closest(task: Task, names: Sequence[str], count: int, groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """So many columns whose values go with the target most, by ranks, in the order of the table; vectors first."""
    rows = np.random.default_rng(0).permutation(task.n)[: OPTIONS.rows]
    y = np.asarray(task.y, dtype=np.float64)[rows]
    targets = [_ranks(y)] if task.c <= 2 else [np.asarray(y == k, dtype=np.float64) for k in range(task.c)]
    strength = {}
    for name in names:
        if len(groups[name]) > 1:
            strength[name] = math.inf
            continue
        column = task.X[name].iloc[rows]
        if pd.api.types.is_numeric_dtype(column.dtype):
            own = _ranks(column.to_numpy(np.float64))
            strength[name] = max(abs(_correlation(own, target)) for target in targets)
        else:
            codes, distinct = pd.factorize(column, use_na_sentinel=False)
            spread = len(distinct) / len(codes)  # what as many groups tell of anything by chance
            strength[name] = max(_explained(codes, target) for target in targets) ** 0.5 - spread**0.5
    best = set(sorted(names, key=lambda name: -strength[name])[:count])
    return [name for name in names if name in best]


def depend(judges: Judges, blocks: Sequence[RowBlock], names: Sequence[str]) -> tuple[Dependence, ...]:
    """Partial dependence of some columns; text, and a column of one value, have none."""
    task = judges.task
    points = {name: points_of(task.X[name]) for name in names}
    points = {name: found for name, found in points.items() if len(found[0]) > 1}
    totals = {name: np.zeros((len(at), max(task.c, 1))) for name, (at, _) in points.items()}
    most, count = -(-OPTIONS.dependence_rows // len(blocks)), 0
    for block in blocks if points else ():
        X = task.X.iloc[block.rows[:: max(len(block.rows) // most, 1)]]
        tables = [_with(X, _constant(X[name], one).to_frame(name)) for name, (at, _) in points.items() for one in at]
        means = _answers(judges, block.fold, tables).reshape(len(tables), len(X), -1).sum(axis=1)
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
    return tuple(found)


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
            ranks = _ranks(np.concatenate([before.to_numpy(np.float64), after.to_numpy(np.float64)]))
            step = ranks[len(before) :] - ranks[: len(before)]
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
    seen: dict[str, _Seen],
    place: int,
    rng: np.random.Generator,
) -> None:
    """Shuffles each column among the rows of a block once, and notes what came of it."""
    from autometa.evaluation import score

    task = judges.task
    X, y = task.X.iloc[block.rows], np.asarray(task.y)[block.rows]
    counts = None if task.weights is None else np.asarray(task.weights)[block.rows]

    def judge(said: Values) -> float:
        how = {"positive": task.positive, "weights": judges.weights, "sample_weight": counts, "classes": task.classes}
        return score(task.metric, y, said, task.c, **how)  # type: ignore[arg-type]

    at_once = max(1, OPTIONS.cells // max(len(X) * task.p, 1))
    before: Values | None = None
    for start in range(0, len(names), at_once):
        some = names[start : start + at_once]
        orders = [rng.permutation(len(X)) for _ in some]
        own = [list(seen[name].columns) for name in some]
        shuffled = [X[names].take(order).set_axis(X.index) for names, order in zip(own, orders, strict=True)]
        tables = [_with(X, columns) for columns in shuffled]
        answers = _answers(judges, block.fold, [X, *tables] if before is None else tables)
        if before is None:
            before, answers = answers[: len(X)], answers[len(X) :]
        whole = judge(before)
        flat = before.reshape(len(X), -1)
        for k, (name, columns) in enumerate(zip(some, shuffled, strict=True)):
            said = answers[k * len(X) : (k + 1) * len(X)]
            seen[name].add(place, whole - judge(said), X[own[k]], columns, said.reshape(len(X), -1) - flat)


def _answers(judges: Judges, fold: int, tables: Sequence[pd.DataFrame]) -> Values:
    """The answers for several tables of the same columns, end to end, in one call."""
    return judges.answer(fold, pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0])


def _some(task: Task, block: RowBlock, rows: int, blocks: int, rng: np.random.Generator) -> RowBlock:
    """At most so many rows, shared among so many blocks, of every class or size of the target in proportion."""
    share = max(2, -(-rows // blocks))
    if len(block.rows) <= share:
        return block
    order = rng.permutation(block.rows)
    order = order[np.argsort(np.asarray(task.y)[order], kind="stable")]
    places = ((np.arange(share) + rng.random()) * len(order) / share).astype(np.intp)
    return RowBlock(block.fold, np.sort(order[np.minimum(places, len(order) - 1)]))


def _with(X: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    changed = X.copy(deep=False)
    for name in columns:
        changed[name] = columns[name]
    return changed


def _constant(column: pd.Series, value: Any) -> pd.Series:
    """A column of one value, of the same type."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        code = column.cat.categories.astype("str").get_loc(value)
        return pd.Series(pd.Categorical.from_codes(np.full(len(column), code), dtype=column.dtype), index=column.index)
    return pd.Series(np.full(len(column), value, dtype=np.float64), index=column.index)


def _order(one: Importance) -> tuple[bool, float]:
    """The most important first; what could not be judged last."""
    return (math.isnan(one.drop), -one.drop)


def _ranks(values: Values) -> Values:  # (n,) -> (n,) in [0, 1], NaN where missing
    ranks = pd.Series(values).rank(pct=True)
    return ranks.to_numpy(np.float64)


def _correlation(a: Values, b: Values) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    if not known.any():
        return 0.0
    a, b = a[known] - a[known].mean(), b[known] - b[known].mean()
    spread = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / spread if spread > 0 else 0.0


def _explained(codes: NDArray[np.intp], target: Values) -> float:
    """The share of the target's variance that groups explain."""
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=target) / np.maximum(counts, 1)
    total = float(target.var())
    return float(counts @ (means - target.mean()) ** 2 / len(codes)) / total if total > 0 else 0.0
