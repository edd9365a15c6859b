"""The answers of a model as a table: predictions, and beside them what was asked for.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from autometa.search.model import Model


def answers_of(
    model: Model,
    X: pd.DataFrame,
    *,
    proba: bool = False,
    threshold: float | None = None,
    interval: float | None = None,
    by: str | None = None,
) -> pd.DataFrame:
    """Predictions as a table with a column ``prediction`` and, if asked for, ``proba_LABEL`` for each class.

    With an interval, numbers have ``lower`` and ``upper``, and classes a ``prediction_set``, as JSON: those that a row
    may be of.

    Args:
        model: What answers.
        X: (n, p) typed features, as its schema makes them.
        proba: Whether classes have their probabilities beside them.
        threshold: Of two classes, the probability from which a row counts as positive; None for the model's own.
        interval: The share of rows whose truth an interval, or a set of classes, is to hold; None for neither.
        by: The column whose categories are to have that share each.

    Example:
        >>> from autometa.search import load_model
        >>> model = load_model(run)
        >>> answers_of(model, model.schema.apply(wines.head(2)), proba=True).columns.tolist()
        ['prediction', 'proba_0', 'proba_1', 'proba_2']
    """
    values = model.answer(X)  # (n,) or (n, c)
    if model.kind == "regression":
        answers = pd.DataFrame({"prediction": values})
        if interval is None:
            return answers
        low, high = model.interval_of(X, values, interval, by).T
        return answers.assign(lower=low, upper=high)
    answers = pd.DataFrame({"prediction": model.labels(values, threshold)})
    if proba:
        probabilities = {f"proba_{label}": values[:, k] for k, label in enumerate(model.classes)}
        answers = pd.DataFrame({"prediction": answers["prediction"], **probabilities})
    if interval is None:
        return answers
    inside = model.set_of(X, values, interval, by)
    sets = [[one for one, held in zip(model.classes, row, strict=True) if held] for row in inside]
    return answers.assign(prediction_set=[json.dumps(one, default=str, ensure_ascii=False) for one in sets])
