"""Few-shot heads, and the vectors before them, as operations of ONNX.

The mathematics are those of `autometa.families.learners.heads`, with everything that was learned as a constant.

Letters:  n rows · p numbers of a vector · c classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autometa.export.graph import Graph
from autometa.families.learners.heads import EPSILON, Gaussians


def vectors(graph: Graph, one: Any, x: str) -> str:
    """Vectors around their mean, scaled; a number that is missing is that mean.

    Args:
        graph: What is added to.
        one: A fitted `autometa.families.learners.few_shot.Vectors`.
        x: (n, p), as float32 can have it.
    """
    x = graph.op("Mul", graph.op("Sub", x, graph.constant(one.mean_)), graph.constant(one.factor_))
    x = graph.where(graph.op("IsNaN", x), graph.constant(0.0), x)
    if one.scale == "none":
        return x
    length = graph.op("Sqrt", graph.shifted(graph.total(graph.op("Mul", x, x)), EPSILON))
    return graph.op("Div", x, length)


def shortened(graph: Graph, one: Any, x: str) -> str:
    """Columns divided by the root of their number."""
    return graph.scaled(x, 1 / np.sqrt(max(one.n_features_in_, 1)))


def head(graph: Graph, learner: Any, x: str, logistic: Callable[[Graph, Any, str], str]) -> str:
    """Probabilities of two classes or more.

    Args:
        graph: What is added to.
        learner: A fitted `autometa.families.learners.few_shot.FewShotHead`.
        x: (n, p).
        logistic: What writes logistic regression.
    """
    solved = learner.solved_
    if learner.head == "logistic":
        return logistic(graph, solved, x)
    if learner.head == "ridge":
        logits = graph.shifted(graph.product(x, solved[0][:-1]), solved[0][-1])
    elif isinstance(solved, Gaussians):
        logits = graph.scaled(graph.concat([_distance(graph, solved, k, x) for k in range(len(solved.centres))]), -0.5)
    else:
        centres, *_, whiten = solved if len(solved) == 3 else (*solved, None)
        x = x if whiten is None else graph.product(x, whiten)
        apart = graph.op("Sub", graph.total(graph.op("Mul", x, x)), graph.scaled(graph.product(x, centres.T), 2.0))
        logits = graph.scaled(graph.shifted(apart, (centres**2).sum(axis=1)), -0.5)
    return graph.op("Softmax", graph.scaled(logits, learner.sharpness_), axis=1)


def _distance(graph: Graph, found: Gaussians, k: int, x: str) -> str:
    """Squared distances (n, 1) to the mean of a class, by its own covariance."""
    apart = graph.op("Sub", x, graph.constant(found.centres[k]))
    if not found.spread.shape[1]:
        return graph.total(graph.op("Mul", graph.product(apart, found.inner[k]), apart))
    along = graph.product(apart, found.spread[k].T)
    taken = graph.total(graph.op("Mul", graph.product(along, found.inner[k]), along))
    whole = graph.total(graph.op("Mul", apart, apart))
    return graph.scaled(graph.op("Sub", whole, taken), 1 / float(found.sphere))
