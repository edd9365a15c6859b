"""Few-shot heads on vectors that an encoder made, for few rows of each class; see `learners.few_shot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families.family import CLASSIFICATION, Family, every_onnx
from autometa.families.options import OPTIONS
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def space(kind: Kind) -> SearchSpace:
    """Which head, how much it is held back, and how vectors are scaled before."""
    parameters = SearchSpace.of(
        head=choice("mahalanobis", "logistic", "ridge", "means"),
        scale=choice("length", "standard", "none"),
        categories=choice("onehot", "target"),
    )
    return SearchSpace(
        [
            *parameters,
            Parameter("C", *real(0.1, 1e4, 30.0, log=True), Condition("head", ("logistic",))),
            Parameter("alpha", *real(1e-3, 1e2, 0.3, log=True), Condition("head", ("ridge",))),
            Parameter("shrinkage", *real(1e-3, 10.0, 0.3, log=True), Condition("head", ("mahalanobis",))),
        ]
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Each embedding as a whole, centred and scaled, beside all that is none."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.few_shot import FewShotHead, embedded

    head = config["head"]
    strength = config[{"logistic": "C", "ridge": "alpha", "mahalanobis": "shrinkage"}[head]] if head != "means" else 1.0
    steps = embedded(columns, kind, scale=config["scale"], categories=config["categories"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", FewShotHead(head=head, strength=strength, seed=seed))])


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """Every row is held against each class in all columns, some hundred times."""
    cells = float(n_rows) * n_columns * n_classes
    if cells > OPTIONS.few_shot.most_cells:
        return f"few-shot heads are for fewer rows than {n_rows} of {n_columns} columns and {n_classes} classes"
    return None


def suits(columns: Columns, n_rows: int) -> str | None:
    """They learn from vectors: those that an encoder made, or the many numbers of a table with few rows."""
    from autometa.task.vectors import vector_groups

    options, numbers = OPTIONS.few_shot, len(columns.numeric)
    many = numbers >= options.many_columns and n_rows <= options.few_rows
    if many or vector_groups(columns.numeric):
        return None
    return "few-shot heads are for embeddings (a column of lists, or emb_0, emb_1, ...), or few rows of many numbers"


MODEL_FAMILY = Family(
    "few_shot", "Few-shot head", space, build, kinds=CLASSIFICATION, limit=limit, suits=suits, onnx=every_onnx
)
