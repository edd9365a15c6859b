"""Linear models: logistic regression, ridge regression, and elastic nets of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family, every_onnx
from autometa.families.options import OPTIONS
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from optuna.distributions import FloatDistribution
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def strength(kind: Kind) -> dict[str, tuple[FloatDistribution, float]]:
    """`C` is logistic regression's inverse strength, `alpha` ridge regression's strength; both 1 by default."""
    name, low, high = ("alpha", 1e-3, 1e4) if kind == "regression" else ("C", 1e-4, 1e3)
    return {name: real(low, high, 1.0, log=True)}


def space(kind: Kind) -> SearchSpace:
    """How strong the penalty is and of what kind, and how columns become inputs."""
    parameters = {
        **strength(kind),
        "penalty": choice("l2", "elasticnet"),
        "scale": choice("standard", "quantile", "robust"),
        "categories": choice("onehot", "target"),
        "min_frequency": integer(1, 50, 1, log=True),
    }
    if kind != "regression":
        parameters["class_weight"] = choice(None, "balanced")
    mixture = Parameter("l1_ratio", *real(0.05, 1.0, 0.5), Condition("penalty", ("elasticnet",)))
    return SearchSpace([*SearchSpace.of(**parameters), mixture])


def build(
    config: Config,
    columns: Columns,
    kind: Kind,
    *,
    n_rows: int,
    seed: int,
    threads: int,
    device: str,
    quantile: float | None = None,
) -> Pipeline:
    """Inputs are always scaled: the penalty means nothing otherwise."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.linear import (
        ElasticNetOnScaledTarget,
        LogisticRegressionUpToACap,
        QuantileOnScaledTarget,
    )
    from autometa.families.learners.preprocess import preprocessing

    steps = preprocessing(
        columns,
        kind,
        categories=config["categories"],
        scale=config["scale"],
        min_frequency=config["min_frequency"],
        seed=seed,
    )
    l1_ratio = config.get("l1_ratio", 0.0)
    if kind != "regression":
        model = LogisticRegressionUpToACap(
            C=config["C"], l1_ratio=l1_ratio, class_weight=config.get("class_weight"), seed=seed
        )
    elif quantile is not None:
        model = QuantileOnScaledTarget(alpha=config["alpha"], quantile=quantile)
    elif l1_ratio:
        model = ElasticNetOnScaledTarget(alpha=config["alpha"], l1_ratio=l1_ratio)
    else:
        model = Ridge(alpha=config["alpha"], solver="auto", random_state=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


MODEL_FAMILY = Family(
    "linear",
    "Linear model",
    space,
    build,
    takes_weights=True,
    quantile_rows=OPTIONS.linear.quantile_rows,
    makes_features=True,
    onnx=every_onnx,
)
