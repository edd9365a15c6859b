"""The step of a pipeline that adds columns which it makes of others to a typed frame; they are numbers to what follows.

What it may make say its generators, what it makes is chosen by `screening` on the rows that it is fitted on, and how a
column is made stands in `recipes`.

Laws: rows can be answered one by one; the same rows and the same seed make the same columns.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from autometa.families.learners.preprocess import MADE
from autometa.families.learners.recipes import Base, Cells, Recipe, TargetColumns, TargetOf, Values
from autometa.families.learners.screening import screened

if TYPE_CHECKING:
    from autometa.task import Columns


class MadeFeatures(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """A typed frame, and behind its columns those that were worth making.

    Args:
        generators: Of `GENERATORS`, what may be made.
        columns: The typed columns of the table.
        classification: Whether the target is classes.
        base: The quick model by whose mistakes it is chosen what is made.
        seed: Of the rows that are looked at, and of the cross-fitting.

    Attributes:
        made_: What is made, in order: `Recipe`s, and `TargetOf`s.
        generators_: Which of the generators made each.

    Example:
        >>> from autometa.task import Columns
        >>> rng = np.random.default_rng(0)
        >>> X = pd.DataFrame({"price": rng.uniform(1, 9, 2000), "area": rng.uniform(1, 9, 2000)})
        >>> step = MadeFeatures(("arithmetic",), Columns(numeric=("price", "area")), False, "linear", 0)
        >>> frame = step.fit_transform(X, (X["price"] / X["area"]).to_numpy())
        >>> step.made_[0].name, frame.shape[0]
        ('price / area', 2000)
    """

    def __init__(
        self, generators: tuple[str, ...], columns: Columns, classification: bool, base: Base, seed: int
    ) -> None:
        self.generators = generators
        self.columns = columns
        self.classification = classification
        self.base = base
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Chooses what is made, and learns what it takes to make it."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: NDArray[Any]) -> pd.DataFrame:
        """The training rows; a target's mean is one over other rows."""
        how: dict[str, Any] = {"classification": self.classification, "base": self.base, "seed": self.seed}
        chosen = screened(X, y, self.columns, self.generators, **how)
        cells = Cells(X)
        self.recipes_ = [make(cells) for make in chosen.recipes]
        self.target_ = None
        parts = [recipe.values(cells) for recipe in self.recipes_]
        if chosen.targets:
            self.target_ = TargetColumns(chosen.targets, classification=self.classification, seed=self.seed)
            parts.extend(self.target_.fit_values(cells, y).T)
        self.made_: tuple[Recipe | TargetOf, ...] = (*self.recipes_, *chosen.targets)
        self.generators_ = chosen.generators
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self._extended(X, parts)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows that were not trained on, each by itself."""
        cells = Cells(X)
        parts = [recipe.values(cells) for recipe in self.recipes_]
        if self.target_ is not None:
            parts.extend(self.target_.values(cells).T)
        return self._extended(X, parts)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The columns of the frame, then what was made."""
        names = [str(name) for name in self.feature_names_in_] + [one.name for one in self.made_]
        return np.asarray(names, dtype=object)

    def _extended(self, X: pd.DataFrame, parts: list[Values]) -> pd.DataFrame:
        if not parts:
            return X
        made = pd.DataFrame({MADE + str(i): part for i, part in enumerate(parts)}, index=X.index)
        return pd.concat([X, made], axis=1)
