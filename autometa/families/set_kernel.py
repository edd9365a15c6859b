"""A kernel machine for small tables whose kernel a meta-learned network chooses; see `learners.set_kernel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import CLASSIFICATION, Family
from autometa.families.options import OPTIONS
from autometa.moved import former
from autometa.space import Config, SearchSpace, choice, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind
else:
    __getattr__ = former(__name__)


def space(kind: Kind) -> SearchSpace:
    """Both factors bend what the network says; 1 leaves it."""
    return SearchSpace.of(
        width=real(0.25, 4.0, 1.0, log=True),
        smoothing=real(0.1, 10.0, 1.0, log=True),
        categories=choice("onehot", "target"),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Numbers standardised, categories as columns."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.preprocess import preprocessing
    from autometa.families.learners.set_kernel import SetKernelClassifier

    steps = preprocessing(columns, kind, categories=config["categories"], scale="standard", seed=seed)
    model = SetKernelClassifier(width=config["width"], smoothing=config["smoothing"])
    return Pipeline([("preprocessing", steps), ("model", model)])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """It was trained on small tables, and solves a system as large as there are rows."""
    if n_rows > (most := OPTIONS.set_kernel.most_rows):
        return f"the set kernel is for tables of up to {most} rows"
    if n_classes > (most := OPTIONS.set_kernel.most_classes):
        return f"the set kernel is for up to {most} classes"
    return None


MODEL_FAMILY = Family("set_kernel", "Set kernel", space, build, kinds=CLASSIFICATION, limit=limit)
