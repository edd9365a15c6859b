"""Gaussian process regression for tables of many rows; see `learners.gaussian_process`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import REGRESSION, Family
from autometa.families.options import OPTIONS
from autometa.moved import former
from autometa.space import Config, SearchSpace, choice, integer

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind
else:
    __getattr__ = former(__name__)


def space(kind: Kind) -> SearchSpace:
    """The default is ours: no library has one for this process."""
    return SearchSpace.of(
        kernel=choice("matern_52", "matern_32", "rbf"),
        relevance=choice(True, False),
        linear=choice(True, False),
        scale=choice("standard", "quantile", "robust"),
        categories=choice("onehot", "target"),
        inducing=integer(OPTIONS.gaussian_process.fewest_inducing, 3000, 1500, log=True),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """`relevance` gives each input its own length scale, `linear` adds a linear kernel."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.gaussian_process import GaussianProcess
    from autometa.families.learners.preprocess import preprocessing

    own = space(kind).complete(config)  # one of before `inducing` was in the space has the default
    learner = {name: own[name] for name in ("kernel", "relevance", "linear", "inducing")}
    model = GaussianProcess(**learner, seed=seed)
    steps = preprocessing(columns, kind, categories=config["categories"], scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Its time grows with the rows, however few the inducing ones are."""
    if n_rows > (most := OPTIONS.gaussian_process.most_rows):
        return f"a Gaussian process on {n_rows} rows takes too long (at most {most})"
    return None


MODEL_FAMILY = Family(
    "gaussian_process", "Gaussian process", space, build, kinds=REGRESSION, limit=limit, grows_by="inducing"
)
