"""What the families of the boosting libraries share: the pipeline, and how a range stands for no penalty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autometa.moved import former

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.boosting import Booster
    from autometa.task import Columns, Kind
else:
    __getattr__ = former(__name__)

NO_PENALTY = 1e-4  # the low end of a logarithmic range of penalties, which stands for the library's default, 0


def penalty(value: float) -> float:
    """The strength of a penalty whose range begins at `NO_PENALTY`.

    Example:
        >>> penalty(NO_PENALTY), penalty(0.5)
        (0.0, 0.5)
    """
    return 0.0 if value <= NO_PENALTY else value


def boosting_pipeline(
    columns: Columns,
    kind: Kind,
    train: Booster,
    parameters: Mapping[str, Any],
    *,
    rounds: int,
    early_stop: bool,
    seed: int,
    monotonic: Mapping[str, int] | None = None,
) -> Pipeline:
    """Native preprocessing (category codes first, NaN kept) and a boosting estimator.

    `monotonic` are numeric columns along which its answer may only rise, 1, or only fall, -1.
    """
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.boosting import BoostingClassifier, BoostingRegressor
    from autometa.families.learners.preprocess import preprocessing

    face = BoostingRegressor if kind == "regression" else BoostingClassifier
    if monotonic:  # numbers stand behind the categories, as they are
        first = len(columns.categorical)
        places = {first + columns.numeric.index(name): sign for name, sign in monotonic.items()}
        parameters = {**parameters, "monotonic": places}
    model = face(
        train, parameters, rounds=rounds, early_stop=early_stop, categorical=len(columns.categorical), seed=seed
    )
    return Pipeline([("preprocessing", preprocessing(columns, kind, categories="codes", seed=seed)), ("model", model)])
