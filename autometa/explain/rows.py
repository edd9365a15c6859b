"""The rows of a table, each with what its columns contributed to its answer, as far as there is time.

Letters:  n rows · p columns · b background rows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from autometa.explain.players import players
from autometa.explain.shapley import Contributions, contributions, in_time
from autometa.explain.trees import tree_contributions

if TYPE_CHECKING:
    from autometa.search import Model


def explained_rows(
    model: Model, background: pd.DataFrame, X: pd.DataFrame, until: float
) -> tuple[Contributions, pd.DataFrame]:
    """The contributions of the columns of rows, as far as there is time, and the table to be written.

    Args:
        model: What answers.
        background: (b, p) rows of the training table (`autometa.explain.shapley.background_of`).
        X: (n, p) the rows, as the model's schema makes them.
        until: When no more rows are begun (`time.monotonic`); the first four are explained in any case.

    Returns:
        The contributions, and a table of as many rows: ``prediction``, of classes which one is ``explained``, the
        ``answer`` of the model, the ``base`` that it is explained against, and ``shap_COLUMN`` for each column; the
        numbers of a vector are one.

    Example:
        >>> from autometa.explain.shapley import background_of
        >>> from autometa.search import load_model, open_run
        >>> model, task = load_model(run), open_run(run).task
        >>> found, table = explained_rows(model, background_of(task), model.schema.apply(wines.head(2)), until=0.0)
        >>> bool(np.allclose(table["base"] + found.values.sum(axis=1), table["answer"]))
        True
    """
    said = model.answer(X)
    codes = None
    if model.kind == "binary":
        codes = np.full(len(X), model.positive)
    elif model.kind == "multiclass":
        codes = said.argmax(axis=1)

    def some(start: int, end: int) -> Contributions:
        part, own = X.iloc[start:end], None if codes is None else codes[start:end]
        exact = tree_contributions(model, part, background)
        return contributions(model.answer, part, background, own) if exact is None else exact

    parts = list(in_time(some, len(X), lambda: time.monotonic() > until))
    names = tuple(players(X))
    joined = Contributions(
        names,
        *(np.concatenate([getattr(part, name) for part in parts]) if parts else np.empty((0, *([len(names)] * many)))
          for name, many in (("base", 0), ("values", 1), ("answer", 0))),
    )  # fmt: skip
    n = len(joined)
    prediction = said[:n] if codes is None else model.labels(said[:n])
    head: dict[str, Any] = {"prediction": prediction}
    if codes is not None:
        head["explained"] = np.array([str(model.classes[k]) for k in codes[:n]], dtype=object)
    head |= {"answer": joined.answer, "base": joined.base}
    own = {f"shap_{name}": joined.values[:, j] for j, name in enumerate(joined.columns)}
    return joined, pd.DataFrame({**head, **own})
