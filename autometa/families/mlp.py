"""A neural network for tables: a small ensemble of perceptrons that share their weights; see `learners.mlp`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import Family
from autometa.families.options import OPTIONS
from autometa.moved import former
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind
else:
    __getattr__ = former(__name__)


def space(kind: Kind) -> SearchSpace:
    """The default is ours: no library has one for this network."""
    parameters = {
        "members": integer(1, 16, 8, log=True),
        "width": integer(32, 512, 128, log=True),
        "depth": integer(1, 4, 3),
        "dropout": real(0.0, 0.5, 0.1),
        "learning_rate": real(3e-4, 3e-2, 5e-3, log=True),
        "weight_decay": real(1e-5, 1.0, 1e-2, log=True),
        "scale": choice("robust", "quantile"),
        "embedding": choice("periodic", "none"),
        "epochs": integer(OPTIONS.mlp.fewest_epochs, 60, 60, log=True),
    }
    if kind != "regression":
        parameters["label_smoothing"] = real(0.0, 0.2, 0.0)
    frequency = Parameter("frequency", *real(0.02, 2.0, 0.3, log=True), Condition("embedding", ("periodic",)))
    return SearchSpace([*SearchSpace.of(**parameters), frequency])


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Numbers scaled and bent, categories as codes for their vectors."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.mlp import NetworkClassifier, NetworkRegressor
    from autometa.families.learners.preprocess import preprocessing

    own = space(kind).complete(config)  # one of before `epochs` was in the space has all of them
    face = NetworkRegressor if kind == "regression" else NetworkClassifier
    model = face(own, categorical=len(columns.categorical), seed=seed, threads=threads, device=device)
    steps = preprocessing(columns, kind, categories="codes", scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


MODEL_FAMILY = Family(
    "mlp",
    "Neural network",
    space,
    build,
    requires="torch",
    grows_by="epochs",
    takes_weights=True,
    makes_features=True,
    uses_gpu=True,
)
