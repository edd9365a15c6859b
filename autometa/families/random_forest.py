"""Random forest: averaged trees on bootstrap samples, each split over a random subset of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family, every_onnx
from autometa.families.options import OPTIONS
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def forest_space(kind: Kind, *, bootstrap: bool) -> SearchSpace:
    """The parameters that both kinds of forest share; they differ in whether they resample rows by default."""
    classification = kind != "regression"
    fractions = (0.2, 0.4, 0.6, 0.8)
    parameters = {
        "n_estimators": integer(30, 500, 100, log=True),
        "max_features": choice("sqrt", "log2", *fractions, 1.0)
        if classification
        else choice(1.0, "sqrt", "log2", *fractions),
        "min_samples_leaf": integer(1, 64, 1, log=True),
        "categories": choice("ordinal", "onehot", "target"),
        "bootstrap": choice(bootstrap, not bootstrap),
    }
    if classification:
        parameters["criterion"] = choice("gini", "entropy")
        parameters["class_weight"] = choice(None, "balanced")
    sample = Parameter("max_samples", *real(0.3, 1.0, 1.0), Condition("bootstrap", (True,)))
    return SearchSpace([*SearchSpace.of(**parameters), sample])


def forest_pipeline(
    learner: type, config: Config, columns: Columns, kind: Kind, *, seed: int, threads: int
) -> Pipeline:
    """Missing numbers go to whichever side of a split is better; missing categories are a code of their own."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.preprocess import preprocessing

    parameters = dict(config)
    categories = parameters.pop("categories")
    model = learner(**parameters, random_state=seed, n_jobs=threads)
    return Pipeline(
        [
            ("preprocessing", preprocessing(columns, kind, categories=categories, seed=seed)),
            ("model", model),
        ]
    )


def forest_limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Fully grown trees keep every class in every leaf: at the limit a hundred trees take some 2 GB."""
    if n_rows * n_classes > (most := OPTIONS.forest.most_cells):
        return f"a forest's leaves for {n_rows} rows times {n_classes} classes (at most {most:,}) do not fit in memory"
    return None


def space(kind: Kind) -> SearchSpace:
    """Ranges: the union of those of TabRepo and of rbv2 (YAHPO)."""
    return forest_space(kind, bootstrap=True)


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """A random forest behind the preprocessing of `forest_pipeline`."""
    from autometa.families.learners.forests import TruncatableRandomForestClassifier, TruncatableRandomForestRegressor

    learner = TruncatableRandomForestRegressor if kind == "regression" else TruncatableRandomForestClassifier
    return forest_pipeline(learner, config, columns, kind, seed=seed, threads=threads)


MODEL_FAMILY = Family(
    "random_forest",
    "Random forest",
    space,
    build,
    limit=forest_limit,
    grows_by="n_estimators",
    takes_weights=True,
    onnx=every_onnx,
)
