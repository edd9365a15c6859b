"""Gaussian process regression, for small tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family, Kind
from autometa.space import Config, SearchSpace, choice

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns

MOST_ROWS = 3000


def space(kind: Kind) -> SearchSpace:
    """The default adds noise to the library's kernel (amplitude times RBF), without which it repeats noisy targets."""
    return SearchSpace.of(
        kernel=choice("rbf", "matern_32", "matern_52"),
        relevance=choice(False, True),
        linear=choice(False, True),
        scale=choice("standard", "quantile", "robust"),
        categories=choice("onehot", "target"),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """`relevance` gives each input its own length scale, `linear` adds a linear kernel."""
    from sklearn.pipeline import Pipeline

    from autometa.families.estimators import GaussianProcess
    from autometa.families.preprocess import preprocessing

    model = GaussianProcess(kernel=config["kernel"], relevance=config["relevance"], linear=config["linear"], seed=seed)
    steps = preprocessing(columns, kind, categories=config["categories"], scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Its time grows with the cube of the rows, its memory with the square."""
    if n_rows > MOST_ROWS:
        return f"a Gaussian process on {n_rows} rows takes too long (at most {MOST_ROWS})"
    return None


FAMILY = Family("gaussian_process", "Gaussian process", space, build, kinds=frozenset({"regression"}), limit=limit)
