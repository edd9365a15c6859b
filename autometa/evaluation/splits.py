"""Which rows are learned from and which are predicted, in every fold.

Sized by rows and cells, because noise falls with rows and cost grows with cells: cross-validation is repeated where a
table is tiny, plain where it is of middling size, and one hold-out where it is big. Classes (or tenths of a regression
target) are dealt out like cards: rows sorted by stratum, ties at random, then one to each fold in turn. So every fold
holds its share of every class to within one row, and a class with fewer rows than folds needs no exception.

Laws: no row is in both sides of a fold; no group is; in time order no row is learned from that is as late as one
predicted; each row is predicted once per repeat (once at most in a hold-out or in time order). The same seed plans the
same splits.

Letters:  n rows · p columns · k folds · g groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.evaluation.options import OPTIONS
from autometa.files import whole

if TYPE_CHECKING:
    from autometa.task import Task

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """A sequence of (train, test) row numbers, one pair per fold; cheap to pickle.

    See Also:
        `plan_splits`.

    Example:
        >>> from autometa.task import make_task
        >>> splits = plan_splits(make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10), seed=0)
        >>> train, test = splits.folds[0]
        >>> splits.n, len(train) + len(test), set(train) & set(test)
        (20, 20, set())
    """

    train: NDArray[np.bool_]  # (folds, n) whether fold and row: learned from
    test: NDArray[np.bool_]  # (folds, n) whether fold and row: predicted
    description: str  # a sentence for the report
    apart: bool = False  # whether the final model learns from no row that is predicted either

    @property
    def n_folds(self) -> int:
        """How many fits one evaluation takes."""
        return len(self.train)

    @property
    def n(self) -> int:
        """Rows of the task that these splits are of."""
        return self.train.shape[1]

    def predicted(self, folds: int) -> int:
        """How many predictions of rows the first folds make.

        Example:
            >>> from autometa.task import make_task
            >>> splits = plan_splits(make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10), seed=0, folds=5)
            >>> splits.predicted(5), splits.predicted(1)
            (20, 4)
        """
        return int(self.test[:folds].sum())

    @property
    def growth(self) -> float:
        """How many times the rows of a fold's training side the final model may learn from, on average."""
        known = self.train.any(axis=0).sum() * len(self.train) if self.apart else self.train.size
        return float(known / self.train.sum())

    @property
    def folds(self) -> tuple[tuple[Rows, Rows], ...]:
        """All pairs at once."""
        return tuple(self)

    def layered(self, predictions: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:  # (r, n) or (r, n, c)
        """Predictions of the first folds, each (rows of its test side,) or with c columns, as r layers of all rows.

        A row's first prediction is in the first layer, that of the next repeat in the second, and so on; NaN where it
        is not predicted so often.

        Example:
            >>> test = np.array([[True, False], [False, True], [True, False], [False, True]])
            >>> twice = Splits(~test, test, "2-fold cross-validation, repeated twice")
            >>> twice.layered([np.array([value]) for value in (0.1, 0.2, 0.3, 0.4)])
            array([[0.1, 0.2],
                   [0.3, 0.4]])
        """
        layers = np.full((int(self.test.sum(axis=0).max()), self.n, *predictions[0].shape[1:]), np.nan)
        for fold, prediction in enumerate(predictions):
            layers[self._layer(fold), np.flatnonzero(self.test[fold])] = prediction
        return layers

    def by_fold(self, layers: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """What `layered` was given, of all folds."""
        return [layers[self._layer(fold), np.flatnonzero(test)] for fold, test in enumerate(self.test)]

    def _layer(self, fold: int) -> Rows:
        """How often each row of a fold's test side was predicted before."""
        return self.test[:fold, self.test[fold]].sum(axis=0)

    def save(self, path: Path) -> None:
        """Writes them to an ``.npz`` file."""
        with whole(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, train=self.train, test=self.test, description=np.array(self.description), apart=self.apart
            )

    @classmethod
    def load(cls, path: Path) -> Splits:
        """What `save` wrote."""
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return cls(file["train"], file["test"], str(file["description"]), bool(file.get("apart", False)))

    def __len__(self) -> int:
        """`n_folds`."""
        return len(self.train)

    def __getitem__(self, fold: int) -> tuple[Rows, Rows]:
        """The row numbers that fold learns from, and those that it predicts, ascending."""
        return np.flatnonzero(self.train[fold]), np.flatnonzero(self.test[fold])

    def __iter__(self) -> Iterator[tuple[Rows, Rows]]:
        """The folds, in order."""
        return (self[fold] for fold in range(len(self)))


def plan_splits(task: Task, *, seed: int, folds: int | None = None) -> Splits:
    """The splits that suit a task's size, classes, groups and time order.

    Args:
        task: What is to be split.
        seed: The same seed plans the same splits.
        folds: How many folds, once, instead of the sizing above; 1 is a hold-out.

    Raises:
        InputError: If there are too few rows, groups or points in time to learn from some and predict others.

    See Also:
        `Splits`, `sampled`.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> splits = plan_splits(make_task(X, y=y, name="wine"), seed=0)
        >>> splits.n_folds, splits.description
        (15, '5-fold cross-validation, stratified by class, repeated 3 times')
    """
    if task.validation:
        return _of_validation(task)
    repeats = 1 if folds is not None else next((count for limit, count in OPTIONS.repeats if task.n < limit), 1)
    k = folds if folds is not None else _folds(task.n, task.n * max(task.p, 1))
    hold_out, k = k == 1, _parts(task.n) if k == 1 else k
    if task.n < 2:
        raise InputError(Problem("rows", f"{task.n} cannot be split into rows to learn from and rows to predict"))
    k = min(k, task.n)
    rng = np.random.default_rng(seed)
    strata = strata_of(task)
    if task.time_order is not None and task.groups is not None:
        return _ordered_groups(np.asarray(task.time_order), np.asarray(task.groups), strata, k, hold_out, rng)
    if task.time_order is not None:
        return _ordered(np.asarray(task.time_order), k, hold_out)
    if task.groups is not None:
        k = _fewer_groups(np.asarray(task.groups), k)
        dealt = [_deal_groups(np.asarray(task.groups), strata, k, rng) for _ in range(repeats)]
    else:
        dealt = [_deal(strata, k, rng) for _ in range(repeats)]
    by = "target" if task.kind == "regression" else "class"
    test = np.stack([fold == j for fold in dealt for j in range(1 if hold_out else k)])
    return Splits(~test, test, _sentence(k, hold_out, repeats, f"stratified by {by}", task.groups is not None))


def _of_validation(task: Task) -> Splits:
    """All of the training table, judged by all of the validation table."""
    test = np.arange(task.n)[None, :] >= task.n_learned
    return Splits(~test, test, f"a validation table of {task.validation:,} rows, which no model learns from", True)


def splits_of(cv: Any, X: Any, y: Any, groups: Any = None) -> Splits:
    """The splits that somebody chose: by a splitter of scikit-learn, or pairs of row numbers.

    Args:
        cv: Has ``split(X, y, groups)``, or gives pairs of row numbers: to learn from, to predict.
        X: (n, p) table.
        y: (n,) labels or numbers.
        groups: (n,) of the rows; None for none.

    Raises:
        InputError: There is no pair, a side is empty, a row is on both sides of a pair, or there is no such row.

    Example:
        >>> from sklearn.model_selection import KFold
        >>> splits_of(KFold(4), np.zeros((8, 1)), np.arange(8)).n_folds
        4
    """
    n = len(y)
    try:
        pairs = list(cv.split(X, y, groups) if hasattr(cv, "split") else cv)
        sides = [tuple(_mask(side, n) for side in (train, test)) for train, test in pairs]
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(Problem("cv", f"{error}", "Give a splitter, or pairs of row numbers.")) from error
    if not sides:
        raise InputError(Problem("cv", "gives no split", "Give a splitter, or pairs of row numbers."))
    for number, (train, test) in enumerate(sides, start=1):
        if not train.any() or not test.any():
            raise InputError(
                Problem("cv", f"split {number} has no rows to {'predict' if train.any() else 'learn from'}")
            )
        if both := int((train & test).sum()):
            raise InputError(Problem("cv", f"split {number} predicts {both} rows that it learns from"))
    train, test = (np.stack(side) for side in zip(*sides, strict=True))
    times = "1 split" if len(sides) == 1 else f"{len(sides)} splits"
    return Splits(train, test, f"{times} of your own")


def _mask(rows: Any, n: int) -> NDArray[np.bool_]:
    """Whether each row is among some row numbers, or a mask as it is."""
    rows = np.asarray(rows)
    if rows.dtype == bool:
        if len(rows) != n:
            raise ValueError(f"a mask of {len(rows)} rows is not of {n}")
        return rows
    rows = rows if len(rows) else np.zeros(0, dtype=np.intp)
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise ValueError(f"row {rows.min() if rows.min() < 0 else rows.max()} is none of {n}")
    mask = np.zeros(n, dtype=bool)
    mask[rows] = True
    return mask


def _folds(n: int, cells: int) -> int:
    if n >= OPTIONS.hold_out_rows or cells >= OPTIONS.hold_out_cells:
        return 1
    return 3 if n >= OPTIONS.three_folds_rows or cells >= OPTIONS.three_folds_cells else 5


def _parts(n: int) -> int:
    """Into how many equal parts the rows are dealt, of which a hold-out takes one."""
    return max(5, round(n / np.clip(OPTIONS.held_out * n, OPTIONS.fewest_held_out, OPTIONS.most_held_out)))


def strata_of(task: Task) -> Rows:  # (n,)
    """The class of each row, or its tenth of the regression target."""
    y = np.asarray(task.y)
    if task.kind != "regression":
        return y.astype(np.intp)
    rank = np.empty(len(y), dtype=np.intp)
    rank[np.argsort(y, kind="stable")] = np.arange(len(y))
    return rank * OPTIONS.strata // len(y)


def _deal(strata: Rows, k: int, rng: np.random.Generator) -> Rows:  # (n,) -> (n,)
    """The fold of each row: sorted by stratum, ties at random, one to each fold in turn."""
    fold = np.empty(len(strata), dtype=np.intp)
    fold[np.lexsort((rng.random(len(strata)), strata))] = np.arange(len(strata)) % k
    return fold


def _deal_groups(groups: NDArray[Any], strata: Rows, k: int, rng: np.random.Generator) -> Rows:  # (n,), (n,) -> (n,)
    """The fold of each row: each group, largest first, goes to the fold that has least of what the group holds.

    What it holds is its rows of each stratum and its rows in all, as shares of the table; the fold f with the least
    ``f @ held`` is the one whose squared imbalance grows least.
    """
    names, group = np.unique(groups, return_inverse=True)
    levels, stratum = np.unique(strata, return_inverse=True)
    held = np.zeros((len(names), len(levels) + 1))  # (g, strata + 1)
    np.add.at(held, (group, stratum), 1.0)
    held[:, -1] = held[:, :-1].sum(axis=1)
    shares = held / held.sum(axis=0)
    shuffled = rng.permutation(len(names))
    fold_of, load = np.empty(len(names), dtype=np.intp), np.zeros((k, held.shape[1]))
    for j in shuffled[np.argsort(-held[shuffled, -1], kind="stable")]:
        fold_of[j] = int(np.argmin(load @ shares[j]))
        load[fold_of[j]] += shares[j]
    return fold_of[group]


def _fewer_groups(groups: NDArray[Any], k: int) -> int:
    """As many folds as there are groups, at most `k`."""
    count = len(np.unique(groups))
    if count < 2:
        raise InputError(Problem("group", "all rows are of one group", "Leave out --group, or name another column."))
    return min(k, count)


def _ordered(time: NDArray[Any], k: int, hold_out: bool) -> Splits:
    """Expanding windows: k blocks of the later rows, each predicted from all rows before its first instant."""
    ranked = np.sort(time)
    n = len(time)
    starts = [ranked[n * j // (k + 1)] for j in range(1, k + 1)] if not hold_out else [ranked[n - max(n // k, 1)]]
    starts = [start for start in dict.fromkeys(starts) if start > ranked[0]]
    if not starts:  # most rows share the first instant: whatever is later is predicted from it
        starts = [later for later in ranked if later > ranked[0]][:1]
    if not starts:
        raise InputError(Problem("time order", "all rows have the same time", "Leave it out, or name another column."))
    train = np.stack([time < start for start in starts])
    until = np.vstack([train[1:], np.ones((1, n), dtype=bool)])  # a block ends where the next begins
    test = until & ~train
    if len(starts) == 1:
        return Splits(
            train, test, f"hold-out of the latest {test.mean():.0%} of the rows, predicted from all before them"
        )
    return Splits(train, test, f"{len(starts)} folds in time order, each predicted from all rows before it")


def _ordered_groups(
    time: NDArray[Any], groups: NDArray[Any], strata: Rows, k: int, hold_out: bool, rng: np.random.Generator
) -> Splits:
    """The later rows of some groups, predicted from the earlier rows of the others."""
    fold = _deal_groups(groups, strata, _fewer_groups(groups, k), rng)
    cut = np.sort(time)[int(0.6 * len(time))]
    late = time >= cut
    pairs = [(~late & (fold != j), late & (fold == j)) for j in range(1 if hold_out else int(fold.max()) + 1)]
    pairs = [(train, test) for train, test in pairs if train.any() and test.any()]
    if not pairs:
        what = "no group has rows after the time at which another has rows before"
        raise InputError(Problem("group and time order", what, "Give only one of them."))
    train, test = (np.stack(side) for side in zip(*pairs, strict=True))
    sentence = f"{len(pairs)} folds, later rows of some groups predicted from earlier rows of the others"
    return Splits(train, test, sentence)


def _sentence(k: int, hold_out: bool, repeats: int, stratified: str, grouped: bool) -> str:
    head = f"hold-out of {1 / k:.0%} of the rows" if hold_out else f"{k}-fold cross-validation"
    again = {1: "", 2: ", repeated twice"}.get(repeats, f", repeated {repeats} times")
    return f"{head}, {stratified}{', groups kept whole' if grouped else ''}{again}"
