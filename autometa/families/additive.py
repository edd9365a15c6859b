"""Additive models: a smooth curve for each number, beside them products of two if asked for; ridge or logistic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.families import linear
from autometa.families.family import Family, every_onnx
from autometa.families.options import OPTIONS
from autometa.space import Config, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind


def space(kind: Kind) -> SearchSpace:
    """The strength is that of `linear`; `bend` is how readily a curve bends: 0.03 hardly."""
    return SearchSpace.of(
        **linear.strength(kind),
        bend=real(0.03, 10.0, 1.0, log=True),
        products=choice(False, True),
        scale=choice("standard", "quantile", "robust"),
        categories=choice("onehot", "target"),
        min_frequency=integer(1, 50, 1, log=True),
    )


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """The pipeline of `linear` with curves before its model; one penalty for all, no weights of classes."""
    from autometa.families.learners.additive import Curves

    pipeline = linear.build(config, columns, kind, n_rows=n_rows, seed=seed, threads=threads, device=device)
    curves = Curves(bend=config["bend"], products=config["products"], classification=kind != "regression")
    pipeline.steps.insert(1, ("curves", curves))
    return pipeline


def limit(n_rows: int, n_columns: int, n_classes: int) -> str | None:
    """The matrix of all curves is dense, and every class has coefficients of its own."""
    if float(n_rows) * n_columns * max(n_classes, 1) > OPTIONS.additive.most_cells:
        return f"an additive model makes a dozen inputs of each of {n_columns} columns, too many for {n_rows} rows"
    return None


MODEL_FAMILY = Family("additive", "Additive model", space, build, limit=limit, takes_weights=True, onnx=every_onnx)
