"""Exact contributions of columns where every answering model is made of trees, by the library `shap`.

The trees of a regression's members are asked by interventional TreeSHAP, which is exact in the time of the trees rather
than of the coalitions; contributions of members add up as their answers do. Whoever has not installed the extra `shap`,
or has a model of another kind, has sampled contributions (`shapley`). So has a table with text, whose inputs are no
columns, and one with classes: their calibrated probabilities are no sum of trees.

Law: what is given back adds up to the model's answer, or nothing is.

Source:
    Lundberg et al.: From local explanations to global understanding with explainable AI for trees. Nature Machine
    Intelligence 2, 2020.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.explain.players import places_of, players
from autometa.explain.shapley import Contributions

if TYPE_CHECKING:
    import pandas as pd

    from autometa.search import Model

TREES = ("lightgbm", "xgboost", "sklearn.ensemble")  # modules of what TreeSHAP knows; CatBoost's categories it does not


def tree_contributions(model: Model, X: pd.DataFrame, background: pd.DataFrame) -> Contributions | None:
    """The exact contributions of the columns of some rows; None where they cannot be had.

    Args:
        model: What answers.
        X: (n, p) typed features.
        background: (b, p) rows of the training table.
    """
    columns = model.schema.columns
    if model.kind != "regression" or columns.text or importlib.util.find_spec("shap") is None:
        return None
    given = [*columns.categorical, *columns.numeric]  # the order in which trees get them
    order = [given.index(name) for name in X.columns]
    values, base = np.zeros(X.shape), 0.0
    for member in model.members:
        for models in member.models:
            for fitted in models:
                share = member.weight / len(member.models) / len(models)
                found = _of_trees(fitted, X, background, len(given))
                if found is None:
                    return None
                values += share * found[0][:, order]
                base += share * found[1]
    answer = model.answer(X)
    names, places = tuple(players(X)), places_of(X)
    values = np.stack([values[:, places == place].sum(axis=1) for place in range(len(names))], axis=1)
    told = Contributions(names, np.full(len(X), base), values, answer)
    off = np.abs(told.base + values.sum(axis=1) - answer)
    return told if np.all(off <= 1e-4 * max(float(np.ptp(answer)), 1e-12)) else None  # such as where it was clipped


def _of_trees(fitted: Any, X: pd.DataFrame, background: pd.DataFrame, width: int) -> tuple[Any, float] | None:
    """Contributions (n, width) of the inputs of one fitted pipeline, and its base; None where it is not of trees."""
    import shap

    pipeline = getattr(fitted, "model", fitted)  # within the bounds of a regression
    learner = getattr(pipeline, "steps", [("", None)])[-1][1]
    trees = getattr(learner, "model_", learner)
    trees = getattr(trees, "booster", trees)
    home = [one.__module__ for one in type(trees).__mro__]
    if getattr(learner, "n_features_in_", None) != width or not any(name.startswith(TREES) for name in home):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = np.asarray(pipeline[:-1].transform(background), dtype=np.float64)
            explainer = shap.TreeExplainer(trees, data=known, feature_perturbation="interventional")
            rows = np.asarray(pipeline[:-1].transform(X), dtype=np.float64)
            values = np.asarray(explainer.shap_values(rows, check_additivity=False), dtype=np.float64)
            base = float(np.ravel(explainer.expected_value)[0])
    except Exception:  # noqa: BLE001 - splits of categories, a newer format: what it cannot read is sampled
        return None
    return (values, base) if values.shape == (len(X), width) else None
