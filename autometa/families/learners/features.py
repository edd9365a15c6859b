"""The step of a pipeline that adds columns which it makes of others to a typed frame; they are numbers to what follows.

What it may make say its generators, what it makes is chosen by `screening` on the rows that it is fitted on, and how a
column is made stands in `recipes`.

Laws: rows can be answered one by one; the same rows and the same seed make the same columns.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from autometa.families.learners.preprocess import MADE
from autometa.families.learners.recipes import Base, Cells, Recipe
from autometa.families.learners.screening import screened
from autometa.task import Columns


class MadeFeatures(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """A typed frame, and behind its columns those that were worth making.

    Args:
        generators: Of `GENERATORS`, what may be made.
        numbers: Columns of numbers.
        categories: Columns of categories.
        classification: Whether the target is classes.
        base: The quick model by whose mistakes it is chosen what is made.
        seed: Of the rows that are looked at, and of the cross-fitting.

    Attributes:
        made_: What is made, in order, each a `Recipe`.
        generators_: Which of the generators made each.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = pd.DataFrame({"price": rng.uniform(1, 9, 2000), "area": rng.uniform(1, 9, 2000)})
        >>> step = MadeFeatures(("arithmetic",), ("price", "area"), (), classification=False, base="linear", seed=0)
        >>> frame = step.fit_transform(X, (X["price"] / X["area"]).to_numpy())
        >>> step.made_[0].name, frame.shape[0]
        ('price / area', 2000)
    """

    def __init__(
        self,
        generators: tuple[str, ...],
        numbers: tuple[str, ...],
        categories: tuple[str, ...],
        *,
        classification: bool,
        base: Base,
        seed: int,
    ) -> None:
        self.generators = generators
        self.numbers = numbers
        self.categories = categories
        self.classification = classification
        self.base = base
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Chooses what is made, and learns what it takes to make it."""
        how: dict[str, Any] = {"classification": self.classification, "base": self.base, "seed": self.seed}
        columns = Columns(self.numbers, self.categories)
        chosen, cells = screened(X, y, columns, self.generators, **how), Cells(X)
        self.made_: tuple[Recipe, ...] = tuple(make(cells) for make in chosen.recipes)
        self.generators_ = chosen.generators
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table with the columns that are made, each row by itself."""
        if not self.made_:
            return X
        cells = Cells(X)
        made = {MADE + str(i): recipe.values(cells) for i, recipe in enumerate(self.made_)}
        return pd.concat([X, pd.DataFrame(made, index=X.index)], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The columns of the frame, then what was made."""
        names = [str(name) for name in self.feature_names_in_] + [one.name for one in self.made_]
        return np.asarray(names, dtype=object)
