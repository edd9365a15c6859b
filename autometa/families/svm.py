"""Support vector machines with a kernel, for tables that are not large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family
from autometa.families.options import OPTIONS
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def space(kind: Kind) -> SearchSpace:
    """`gamma` is a multiple of the library's "scale", 1 / (columns * variance), so that its default is 1."""
    parameters = {
        "C": real(0.01, 1000.0, 1.0, log=True),
        "kernel": choice("rbf", "poly"),
        "gamma": real(0.01, 100.0, 1.0, log=True),
        "scale": choice("standard", "quantile", "robust"),
        "categories": choice("onehot", "target"),
    }
    if kind == "regression":
        parameters["epsilon"] = real(1e-3, 1.0, 0.1, log=True)
    else:
        parameters["class_weight"] = choice(None, "balanced")
    degree = Parameter("degree", *integer(2, 4, 3), Condition("kernel", ("poly",)))
    return SearchSpace([*SearchSpace.of(**parameters), degree])


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """A regression target is always standardised: `C` and `epsilon` are in its unit."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.preprocess import preprocessing
    from autometa.families.learners.svm import SupportVectorClassifier, SupportVectorRegressor

    own = {k: v for k, v in config.items() if k not in ("scale", "categories")}
    model = SupportVectorRegressor(**own) if kind == "regression" else SupportVectorClassifier(**own, seed=seed)
    steps = preprocessing(columns, kind, categories=config["categories"], scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Its time grows with the square of the rows and, one class against another, of the classes."""
    if n_rows > (most := OPTIONS.svm.most_rows):
        return f"a kernel machine on {n_rows} rows takes too long (at most {most})"
    if n_classes > (most := OPTIONS.svm.most_classes):
        return f"a kernel machine for each pair of {n_classes} classes takes too long (at most {most})"
    return None


MODEL_FAMILY = Family("svm", "Support vectors", space, build, limit=limit, takes_weights=True)
