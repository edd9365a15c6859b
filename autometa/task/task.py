"""A Task: a typed table, a target, a kind and a metric.

Laws: a Task is immutable; ``Task.load`` of what ``save`` wrote has the same content and fingerprint; a `sample` keeps
every class.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.files import private_folder, whole
from autometa.moved import former
from autometa.task.columns import category_dtype
from autometa.task.fingerprint import fingerprint
from autometa.task.saved import read_head, read_pickle, write_head
from autometa.task.schema import Columns, Schema
from autometa.task.target import Kind

if not TYPE_CHECKING:
    __getattr__ = former(__name__)

HEAD = "task.json"  # of a saved task: all but its arrays
_ARRAYS = ("y", "groups", "time_order", "weights")
_COMPUTED = ("fingerprint",)  # what a Task remembers once it was asked for


@dataclass(frozen=True, eq=False)  # no slots: it remembers what was computed
class Task:
    """A typed table, a target, a kind and a metric; immutable. Made by `make_task` or `read_task`.

    See Also:
        `make_task` and `read_task`, which make one.

    Example:
        >>> from autometa.task import make_task
        >>> frame = pd.DataFrame({"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "class": list("abbaab")})
        >>> task = make_task(frame)
        >>> task.kind, task.metric, task.classes, task.y.tolist()
        ('binary', 'roc_auc', ('a', 'b'), [0, 1, 1, 0, 0, 1])
    """

    name: str
    X: pd.DataFrame  # (n, p) typed, columns numeric + categorical + text; RangeIndex
    y: NDArray[Any]  # (n,) int64 class codes 0..c-1 | float64
    kind: Kind
    metric: str  # scikit-learn scorer name
    classes: tuple[Any, ...]  # (c,) original labels, y indexes it; () for regression
    target: str
    schema: Schema
    groups: NDArray[np.int64] | None = None  # (n,)
    time_order: NDArray[np.float64] | None = None  # (n,) sortable
    notes: tuple[str, ...] = ()
    openml_id: int | None = None
    family: str | None = None  # datasets that are variants of one another share it
    positive: int = 1  # the code of the positive class, where there are two
    weights: NDArray[np.float64] | None = None  # (n,) how much each row counts, 1 on average; None for all the same
    costs: tuple[tuple[float, ...], ...] = ()  # (c, c) of each true class taken for each; () where it is not said
    validation: int = 0  # the last so many rows judge every model, and none learns from them
    monotonic: tuple[tuple[str, int], ...] = ()  # numeric columns, each 1 (the prediction may only rise) or -1 (fall)
    # What was named beside the table: group, time_order and weight are columns, costs and validation files.
    aside: tuple[tuple[str, str], ...] = ()

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.y)

    @property
    def n_learned(self) -> int:
        """The rows that models learn from: all but those of `validation`, which come last."""
        return self.n - self.validation

    @property
    def learned(self) -> Task:
        """The rows that models learn from; itself where those are all."""
        return replace(self._take(np.arange(self.n_learned)), validation=0) if self.validation else self

    @property
    def held_out(self) -> Task:
        """The rows that judge every model, where a validation table holds them."""
        return replace(self._take(np.arange(self.n_learned, self.n)), validation=0)

    @property
    def p(self) -> int:
        """Typed feature columns."""
        return self.X.shape[1]

    @property
    def c(self) -> int:
        """Classes; 0 for regression."""
        return len(self.classes)

    @property
    def positive_label(self) -> str | None:
        """The positive class as text; None unless there are two classes."""
        return str(self.classes[self.positive]) if self.c == 2 else None

    @property
    def columns(self) -> Columns:
        """The names of the columns of X by what they hold."""
        return self.schema.columns

    @cached_property
    def fingerprint(self) -> str:
        """Thirty-two hexadecimal digits of the content (`autometa.task.fingerprint`), computed when first asked for."""
        return fingerprint(self.X, self.y, self.classes, self.kind)

    @cached_property
    def judged_fingerprint(self) -> str:
        """By which a store keeps the table as it is judged: `fingerprint`, unless that was said beside the table.

        What wins where groups stay together, or only later rows judge, need not win where rows are dealt out at random.

        Example:
            >>> from autometa.task import make_task
            >>> frame = pd.DataFrame({"x": range(40), "shop": [0, 1, 2, 3] * 10, "class": list("abba") * 10})
            >>> table, grouped = make_task(frame.drop(columns="shop")), make_task(frame, group="shop")
            >>> table.fingerprint == grouped.fingerprint == table.judged_fingerprint != grouped.judged_fingerprint
            True
        """
        beside: dict[str, NDArray[Any]] = {}
        if self.groups is not None and "group" in dict(self.aside):  # rows that repeat are the table's own
            sizes = np.bincount(self.groups)  # a code says when its group came first; its size and sum do not
            beside |= {"size": sizes[self.groups], "sum": np.bincount(self.groups, self.y)[self.groups]}
        if self.time_order is not None:
            beside["time"] = self.time_order
        if self.weights is not None:
            beside["weight"] = self.weights
        if not beside and not self.validation:
            return self.fingerprint
        how = fingerprint(pd.DataFrame(beside, index=self.X.index), self.y, self.classes, self.kind)
        return hashlib.sha256(f"{self.fingerprint} {how} {self.validation}".encode()).hexdigest()[:32]

    def __setstate__(self, state: dict[str, Any] | list[Any]) -> None:
        """Takes what is pickled: today `__dict__`; before, when a Task had slots, its fields and what was computed."""
        if isinstance(state, list):
            names = [field.name for field in fields(self)]  # more than there were then
            state = dict(zip(names, state[:-1], strict=False)) | state[-1]
        self.__dict__.update(state)

    def sample(self, rows: int, seed: int) -> Task:
        """At most `rows` rows in their original order, classes in proportion and none lost; itself if it is no larger.

        Every class keeps two rows or more; where that would be too many rows, one; where there are more classes than
        `rows`, the sample has one row of each.

        Example:
            >>> from autometa.task import make_task
            >>> frame = pd.DataFrame({"x": np.arange(100.0), "class": ["rare"] * 4 + ["common"] * 96})
            >>> np.bincount(make_task(frame).sample(25, seed=0).y).tolist()
            [23, 2]
        """
        if self.n <= rows:
            return self
        rng = np.random.default_rng(seed)
        if self.kind == "regression":
            return self._take(np.sort(rng.choice(self.n, rows, replace=False)))
        counts = np.bincount(self.y, minlength=self.c)
        order = rng.permutation(self.n)
        order = order[np.argsort(self.y[order], kind="stable")]  # by class, at random within
        rank = np.arange(self.n) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._take(np.sort(order[rank < np.repeat(_shares(counts, rows), counts)]))

    def _take(self, rows: NDArray[np.intp]) -> Task:
        """The Task of these rows."""
        return replace(
            self,
            X=self.X.iloc[rows].reset_index(drop=True),
            y=self.y[rows],
            groups=None if self.groups is None else self.groups[rows],
            time_order=None if self.time_order is None else self.time_order[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def save(self, folder: Path) -> None:
        """Writes files into `folder` (created if need be) that `load` maps into memory: JSON, NumPy arrays, Arrow.

        Raises:
            OSError: If the folder cannot be written to.
            InputError: If it holds a label that no file can, such as a function.
        """
        from pyarrow import feather

        folder = Path(folder)
        private_folder(folder)
        columns = self.columns
        arrays = {"numeric": np.asfortranarray(self.X[list(columns.numeric)].to_numpy(np.float64))}
        coded = [column.array for _, column in self.X[list(columns.categorical)].items()]
        smallest = np.result_type(np.int8, *(one.codes.dtype for one in coded))  # as pandas has them, that maps them
        arrays["codes"] = np.empty((len(coded), self.n), dtype=smallest)
        for k, one in enumerate(coded):
            arrays["codes"][k] = one.codes
        arrays |= {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        for name, values in arrays.items():
            with whole(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, values, allow_pickle=False)
        if columns.text:
            with whole(folder / "text.feather") as temporary:
                feather.write_feather(self.X[list(columns.text)], temporary, compression="uncompressed")
        head = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("X", *_ARRAYS)}
        categories = {
            name: tuple(one.categories.tolist()) for name, one in zip(columns.categorical, coded, strict=True)
        }
        write_head(folder / HEAD, {**head, "arrays": tuple(arrays), "categories": categories, **self._computed})

    @staticmethod
    def load(folder: Path, *, trusted: bool = False) -> Task:
        """The Task that `save` wrote, its arrays mapped read-only; cheap enough for every trial process.

        Args:
            folder: Where it was saved.
            trusted: Read it though an older version saved it, as a pickle, which can hold code.

        Raises:
            OSError: If a file is missing or cannot be read.
            ValueError: If a file is damaged.
            RunError: If it is a pickle, and not `trusted`.
        """
        folder = Path(folder)
        if not (folder / HEAD).exists() and (folder / "task.pickle").exists():
            bare, computed = read_pickle(folder / "task.pickle", trusted=trusted)
            categories = {name: tuple(bare.X[name].cat.categories) for name in bare.columns.categorical}
            head = {field.name: getattr(bare, field.name) for field in fields(bare) if field.name != "X"}
            there = tuple(name for name in _ARRAYS if (folder / f"{name}.npy").exists())
        else:
            head = read_head(folder / HEAD)
            categories, there = head.pop("categories"), head.pop("arrays")
            computed = {name: head.pop(name) for name in _COMPUTED if name in head}
        arrays = {name: _mapped(folder / f"{name}.npy") if name in there else None for name in _ARRAYS}
        task = Task(**{**head, **arrays, "X": _features(folder, head["schema"].columns, categories)})
        if len(task.X) != task.n:
            raise ValueError(f"{folder} has {len(task.X)} rows of features and {task.n} of the target")
        task.__dict__.update(computed)
        return task

    @property
    def _computed(self) -> dict[str, Any]:
        """What was computed so far."""
        return {name: value for name, value in vars(self).items() if name in _COMPUTED}


def _mapped(path: Path) -> NDArray[Any]:
    """An array on the disk, mapped read-only.

    Raises:
        OSError: It is missing, or cannot be read.
        ValueError: It is no array, or one of objects.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError:
        raise
    except Exception as error:  # NumPy parses the header as Python, and what that raises is any of a dozen things
        raise ValueError(f"{path.name} is no array: {error}") from error


def _features(folder: Path, columns: Columns, categories: dict[str, tuple[Any, ...]]) -> pd.DataFrame:  # (n, p)
    """The typed table that was saved."""
    from pyarrow import feather

    numeric = _mapped(folder / "numeric.npy")
    parts = [pd.DataFrame(numeric, columns=pd.Index(columns.numeric, dtype="str"), copy=False)]
    if columns.categorical:
        codes = _mapped(folder / "codes.npy")
        cells = {}
        for name, own in zip(columns.categorical, codes, strict=True):
            cells[name] = pd.Categorical.from_codes(own, dtype=category_dtype(categories[name]), validate=False)
        parts.append(pd.DataFrame(cells))
    if columns.text:
        parts.append(feather.read_table(folder / "text.feather", memory_map=True).to_pandas())
    parts = parts[0 if columns.numeric or len(parts) == 1 else 1 :]
    return pd.concat(parts, axis=1) if len(parts) > 1 else parts[0]


def _shares(counts: NDArray[np.int64], rows: int) -> NDArray[np.int64]:  # (c,) -> (c,)
    """How many rows of each class make `rows` rows: a floor for each, the rest in proportion (largest remainders).

    Example:
        >>> _shares(np.array([900, 90, 3]), 100)
        array([88, 10, 2])
    """
    floor = np.minimum(counts, 2 if 2 * len(counts) <= rows else 1)
    left = max(rows - int(floor.sum()), 0)
    quota = left * (counts - floor) / max(int((counts - floor).sum()), 1)
    keep = floor + quota.astype(np.int64)
    short = max(rows - int(keep.sum()), 0)
    keep[np.argsort(quota.astype(np.int64) - quota, kind="stable")[:short]] += 1
    return keep
