"""A Task: a typed table, a target, a kind and a metric.

Laws: a Task is immutable; ``Task.load`` of what ``save`` wrote has the same content and fingerprint; a `sample` keeps
every class.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.moved import former
from autometa.task.fingerprint import fingerprint
from autometa.task.schema import Columns, Schema
from autometa.task.target import Kind

if not TYPE_CHECKING:
    __getattr__ = former(__name__)

_ARRAYS = ("y", "groups", "time_order")
_COMPUTED = ("fingerprint",)  # what a Task remembers once it was asked for


@dataclass(frozen=True, eq=False)  # no slots: it remembers what was computed
class Task:
    """A typed table, a target, a kind and a metric; immutable. Made by `make_task` or `read_task`.

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

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.y)

    @property
    def p(self) -> int:
        """Typed feature columns."""
        return self.X.shape[1]

    @property
    def c(self) -> int:
        """Classes; 0 for regression."""
        return len(self.classes)

    @property
    def columns(self) -> Columns:
        """The names of the columns of X by what they hold."""
        return self.schema.columns

    @cached_property
    def fingerprint(self) -> str:
        """Thirty-two hexadecimal digits of the content (`autometa.task.fingerprint`), computed when first asked for."""
        return fingerprint(self.X, self.y, self.classes, self.kind)

    def __setstate__(self, state: dict[str, Any] | list[Any]) -> None:
        """Takes what is pickled: today `__dict__`; before, when a Task had slots, its fields and what was computed."""
        if isinstance(state, list):
            names = [field.name for field in fields(self)]
            state = dict(zip(names, state, strict=False)) | state[len(names)]
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
        )

    def save(self, folder: Path) -> None:
        """Writes files into `folder` (created if need be) that `load` maps into memory.

        Raises:
            OSError: If the folder cannot be written to.
        """
        from pyarrow import feather

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        columns = self.columns
        np.save(folder / "numeric.npy", np.asfortranarray(self.X[list(columns.numeric)].to_numpy(np.float64)))
        codes = np.empty((len(columns.categorical), self.n), dtype=np.int32)
        for k, name in enumerate(columns.categorical):
            codes[k] = self.X[name].cat.codes
        np.save(folder / "codes.npy", codes)
        if columns.text:
            feather.write_feather(self.X[list(columns.text)], folder / "text.feather", compression="uncompressed")
        for name in _ARRAYS:
            if getattr(self, name) is not None:
                np.save(folder / f"{name}.npy", getattr(self, name))
        bare = replace(self, X=self.X.iloc[:0], y=self.y[:0], groups=None, time_order=None)
        (folder / "task.pickle").write_bytes(pickle.dumps((bare, self._computed)))

    @staticmethod
    def load(folder: Path) -> Task:
        """The Task that `save` wrote, its arrays mapped read-only; cheap enough for every trial process.

        It unpickles: load only what you, or somebody you trust, saved.

        Raises:
            OSError: If a file is missing or cannot be read.
        """
        from pyarrow import feather

        folder = Path(folder)
        bare, computed = pickle.loads((folder / "task.pickle").read_bytes())
        columns = bare.columns
        numeric = np.asarray(np.load(folder / "numeric.npy", mmap_mode="r"))
        X = pd.DataFrame(numeric, columns=pd.Index(columns.numeric, dtype="str"), copy=False)
        parts = [X] if columns.numeric else []
        if columns.categorical:
            codes = np.asarray(np.load(folder / "codes.npy", mmap_mode="r"))
            categories = {
                name: pd.Categorical.from_codes(own, dtype=bare.X[name].dtype, validate=False)
                for name, own in zip(columns.categorical, codes, strict=True)
            }
            parts.append(pd.DataFrame(categories))
        if columns.text:
            parts.append(feather.read_table(folder / "text.feather", memory_map=True).to_pandas())
        arrays = {
            name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))
            if (folder / f"{name}.npy").exists()
            else None
            for name in _ARRAYS
        }
        task = replace(bare, X=pd.concat(parts, axis=1) if len(parts) > 1 else parts[0], **arrays)
        task.__dict__.update(computed)
        return task

    @property
    def _computed(self) -> dict[str, Any]:
        """What was computed so far."""
        return {name: value for name, value in vars(self).items() if name in _COMPUTED}


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
