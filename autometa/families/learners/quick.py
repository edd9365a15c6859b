"""A linear model on coarse bins that needs nothing but NumPy: fitted at once, where the process already is.

The search's first answer (`autometa.search.first`). No library is loaded for it, and it learns from as many rows as
there is time for: a few of them choose the columns, and then pieces of the table are added to the normal equations
until the time is over.

Laws: a prediction is finite for any typed table; without anything to learn it is the mean, or the shares of the
classes; the same rows in the same order give the same model.

Letters:  n rows · q inputs (a bin or a number each) · c targets (classes, or one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.families.options import OPTIONS

Values = NDArray[np.float64]


def never() -> bool:
    """There is time."""
    return False


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """How a column becomes inputs: a bin each, and for a number its distance from the centre as well."""

    edges: Values  # ascending, of a number's bins; empty for a category
    codes: NDArray[np.intp]  # of a category that have a bin, most frequent first; empty for a number
    centre: float = 0.0
    scale: float = 0.0  # 0: no input for the number itself

    @classmethod
    def of(cls, values: pd.Series) -> _Coded | None:
        """By some rows of the column; None where it holds nothing to count with, such as text."""
        if isinstance(values.dtype, pd.CategoricalDtype):
            codes, counts = np.unique(np.asarray(values.cat.codes, dtype=np.intp), return_counts=True)
            most = codes[np.argsort(-counts, kind="stable")][: OPTIONS.quick.most_levels]
            return cls(np.empty(0), most) if len(codes) > 1 else None
        numbers = _numbers(values)
        if numbers is None:
            return None
        known = numbers[np.isfinite(numbers)]
        if not len(known):
            return None
        low, high = float(known.min()), float(known.max())
        inner = np.quantile(known, np.linspace(0.0, 1.0, OPTIONS.quick.bins + 1)[1:-1])
        edges = np.unique(inner[(inner > low) & (inner <= high)])
        if not len(edges) and len(known) == len(numbers):
            return None  # constant
        quarters = np.quantile(known, [0.25, 0.5, 0.75])  # which one mistyped cell does not move
        return cls(edges, np.empty(0, dtype=np.intp), float(quarters[1]), float(quarters[2] - quarters[0]) / 1.349)

    def is_number_itself(self) -> NDArray[np.bool_]:
        """Which of the inputs is the number rather than a bin."""
        if len(self.codes):
            return np.zeros(len(self.codes), dtype=bool)
        return np.arange(len(self.edges) + 2 + (self.scale > 0)) == len(self.edges) + 2

    def inputs(self, values: pd.Series) -> Values:  # (n,) -> (n, own inputs)
        """Zeros and ones, and the number itself, which is not further from the centre than `reach` deviations."""
        if len(self.codes):
            return (np.asarray(values.cat.codes, dtype=np.intp)[:, None] == self.codes).astype(np.float64)
        numbers = _numbers(values)
        if numbers is None:
            return np.zeros((len(values), len(self.edges) + 2 + (self.scale > 0)))
        known = np.isfinite(numbers)
        bins = np.where(known, np.searchsorted(self.edges, numbers, side="right"), len(self.edges) + 1)
        parts = [(bins[:, None] == np.arange(len(self.edges) + 2)).astype(np.float64)]
        if self.scale > 0:
            reach = OPTIONS.quick.reach
            with np.errstate(over="ignore"):
                far = (np.where(known, numbers, self.centre) - self.centre) / self.scale
            distance = np.clip(far, -reach, reach)
            parts.append(distance[:, None])
        return np.concatenate(parts, axis=1)


class QuickLinear:
    """Ridge regression on the values, or on the classes as zeros and ones, whose answers are kept within bounds.

    Args:
        classification: Whether the targets are class codes.
        out_of_time: Asked between the pieces of the work; once it says so, what is there by then is the model.

    Attributes:
        classes_: (c,) the codes seen, ascending; of a classifier.
        rows_: How many rows it learned from.

    Example:
        >>> X = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0) % 7})
        >>> model = QuickLinear(classification=False).fit(X, 3.0 * X["a"].to_numpy())
        >>> bool(np.abs(model.predict(X) - 3.0 * X["a"]).max() < 15.0), model.rows_
        (True, 100)
    """

    def __init__(self, *, classification: bool) -> None:
        self.classification = classification

    def fit(
        self,
        X: pd.DataFrame,
        y: NDArray[Any],
        *,
        sample_weight: Values | None = None,
        out_of_time: Callable[[], bool] = never,
    ) -> Self:
        """Learns from the rows X (n, p), in their order, and their targets y (n,), as far as the time allows.

        `sample_weight` (n,) says how much each row counts; None for all the same.
        """
        y = np.asarray(y)
        counts = np.ones(len(y)) if sample_weight is None or not sample_weight.sum() > 0 else sample_weight
        if self.classification:
            self.classes_ = np.unique(y).astype(np.intp)
            self._base = np.bincount(np.searchsorted(self.classes_, y), weights=counts) / counts.sum()  # (c,)
        else:
            y = y.astype(np.float64)
            self._base = np.array([np.average(y, weights=counts)])
            self._low, self._high = float(y.min()), float(y.max())
        self.rows_, self._weights = len(y), np.zeros((0, len(self._base)))
        self._coded: dict[int, _Coded] = {}  # by the place of the column
        if not self.classification or len(self.classes_) > 1:
            self._learn(X, y, counts, out_of_time)
        return self

    @property
    def is_constant(self) -> bool:
        """Whether it answers the same for every row."""
        return not len(self._weights)

    def _learn(self, X: pd.DataFrame, y: NDArray[Any], counts: Values, out_of_time: Callable[[], bool]) -> None:
        options = OPTIONS.quick
        some = X.iloc[: options.piece]
        target = self._targets(y[: options.piece])  # (s, c)
        total, found = float((target**2).sum()), []
        for position in range(X.shape[1]):
            if (coded := _Coded.of(some.iloc[:, position])) is not None:
                found.append((_explained(coded.inputs(some.iloc[:, position]), target, total), position, coded))
            if out_of_time():
                break
        best = sorted(found, key=lambda entry: -entry[0])[: options.most_columns]
        self._coded = {position: coded for _, position, coded in sorted(best, key=lambda entry: entry[1])}
        if not self._coded:
            return
        q, c = self._inputs(some.iloc[:1]).shape[1], target.shape[1]
        squares, sums, products, totals = np.zeros((q, q)), np.zeros(q), np.zeros((q, c)), np.zeros(c)
        done, counted = 0, 0.0
        while done < len(y) and not (done and out_of_time()):
            part = X.iloc[done : done + options.piece]
            inputs, target = self._inputs(part), self._targets(y[done : done + options.piece])
            weighed = counts[done : done + options.piece, None]
            squares += inputs.T @ (weighed * inputs)
            products += inputs.T @ (weighed * target)
            sums += (weighed * inputs).sum(axis=0)
            totals += (weighed * target).sum(axis=0)
            counted += float(weighed.sum())
            done += len(part)
        if not counted > 0:
            return
        centre, offset = sums / counted, totals / counted
        numbers = np.concatenate([coded.is_number_itself() for coded in self._coded.values()])
        penalties = np.where(numbers, options.penalty, options.bin_penalty)
        system = squares - counted * np.outer(centre, centre) + np.diag(penalties)
        weights = np.asarray(np.linalg.solve(system, products - counted * np.outer(centre, offset)), dtype=np.float64)
        if np.isfinite(weights).all():
            self._weights, self._offset, self.rows_ = weights, offset - centre @ weights, done

    def _targets(self, y: NDArray[Any]) -> Values:  # (n, c)
        """What is regressed on: by how much each differs from the answer without inputs."""
        if not self.classification:
            return (y - self._base[0])[:, None]
        return (y[:, None] == self.classes_).astype(np.float64) - self._base

    def _inputs(self, X: pd.DataFrame) -> Values:  # (n, q)
        return np.concatenate([coded.inputs(X.iloc[:, place]) for place, coded in self._coded.items()], axis=1)

    def _raw(self, X: pd.DataFrame) -> Values:  # (n, c)
        if not len(self._weights):
            return np.tile(self._base, (len(X), 1))
        step = OPTIONS.quick.piece
        parts = [self._inputs(X.iloc[k : k + step]) @ self._weights for k in range(0, len(X), step)]
        return self._base + self._offset + (np.concatenate(parts) if parts else np.zeros((0, len(self._base))))

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:  # (n,)
        """The most probable class, or a value between the least and the largest that was learned from."""
        if self.classification:
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        return np.clip(self._raw(X)[:, 0], self._low, self._high)

    def predict_proba(self, X: pd.DataFrame) -> Values:  # (n, c)
        """Probabilities of `classes_`, none of them 0."""
        shares = np.maximum(self._raw(X), OPTIONS.quick.least_share * self._base)
        return shares / shares.sum(axis=1, keepdims=True)


def _numbers(values: pd.Series) -> Values | None:
    """A column of numbers, truths or moments; None for any other."""
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return None


def _explained(inputs: Values, target: Values, total: float) -> float:
    """The share of the squares of the targets that the bins of one column explain, less what chance would."""
    bins = inputs[:, (inputs == 0).any(axis=0) & ((inputs == 0) | (inputs == 1)).all(axis=0)]
    counts = np.maximum(bins.sum(axis=0), 1.0)
    return float(((bins.T @ target) ** 2 / counts[:, None]).sum() / max(total, 1e-300)) - bins.shape[1] / len(target)
