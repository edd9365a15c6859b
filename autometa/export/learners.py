"""What fitted learners answer, as operations of ONNX.

A learner that is not in `CONVERTERS` has no counterpart: nearest neighbours and kernel machines carry their rows along,
networks of ours their own layers. To add one, write what it answers and give it a line there.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.export import few_shot
from autometa.export.columns import inputs_of, step
from autometa.export.graph import Graph
from autometa.export.trees import (
    Tree,
    ensemble,
    oblivious,
    of_catboost,
    of_forest,
    of_histograms,
    of_lightgbm,
    of_xgboost,
)
from autometa.families import made_by
from autometa.task import Schema


def answers_of(graph: Graph, model: Any, typed: list[str], schema: Schema, kind: str, c: int) -> str:
    """What a fitted model of `fit_model` answers: values (n, 1), or probabilities (n, c) of all classes.

    Raises:
        RunError: Its learner, or a step before it, has no counterpart.
    """
    if kind == "regression":
        low, high = getattr(model, "low", -np.inf), getattr(model, "high", np.inf)
        value = _pipeline(graph, getattr(model, "model", model), typed, schema)
        return graph.clip(value, low, high)
    known = np.asarray(model.classes_, dtype=np.intp)
    inner = model.model if type(model).__name__ == "RelabelledClassifier" else model
    if type(inner).__name__ == "DummyClassifier":
        zero = graph.scaled(graph.as_double(graph.op("IsNaN", typed[0])), 0.0)
        own = graph.add(zero, graph.constant([inner.class_prior_]))
    else:
        own = _pipeline(graph, inner, typed, schema)
    spread = np.zeros((len(known), c))
    spread[np.arange(len(known)), known] = 1.0
    said = graph.product(own, spread)
    return graph.op("Div", said, graph.total(said))


def _pipeline(graph: Graph, pipeline: Any, typed: list[str], schema: Schema) -> str:
    if not hasattr(pipeline, "steps"):
        raise RunError("the quick linear model has no counterpart in ONNX: give the search more time")
    if made_by(pipeline) is not None:
        raise RunError("a pipeline that makes columns of its own has no counterpart in ONNX: fit with --exportable")
    (_, columns), *others = pipeline.steps
    learner = others[-1][1]
    convert = CONVERTERS.get(type(learner).__name__)
    if convert is None:
        raise RunError(f"{type(learner).__name__} has no counterpart in ONNX")
    x = inputs_of(graph, columns, typed, schema)
    for _, one in others[:-1]:
        x = step(graph, one, x)
    return convert(graph, learner, x)


def _logistic(graph: Graph, learner: Any, x: str) -> str:
    if len(learner.classes_) == 1:
        return _alone(graph, x)
    model = learner.model_
    said = graph.shifted(graph.product(x, model.coef_.T), model.intercept_)
    return _two(graph, said) if len(learner.classes_) == 2 else graph.op("Softmax", said, axis=1)


def _two(graph: Graph, said: str) -> str:
    """Both probabilities (n, 2) of the second one's log odds (n, 1)."""
    return graph.concat([_logistic_of(graph, graph.op("Neg", said)), _logistic_of(graph, said)])


def _logistic_of(graph: Graph, said: str) -> str:
    return graph.op("Sigmoid", said)


def _alone(graph: Graph, x: str) -> str:
    """Of one class, its probability."""
    return graph.shifted(graph.scaled(graph.total(graph.as_double(graph.op("IsNaN", x))), 0.0), 1.0)


def _linear(graph: Graph, learner: Any, x: str) -> str:
    """Ridge regression, or an elastic net or quantile on a standardised target."""
    model = getattr(learner, "model_", learner)
    said = graph.shifted(graph.product(x, np.reshape(model.coef_, (-1, 1))), np.ravel(model.intercept_))
    if not hasattr(learner, "spread_"):
        return said
    return graph.shifted(graph.scaled(said, learner.spread_), learner.center_)


def _boosted(graph: Graph, learner: Any, x: str) -> str:
    """Boosting: the sum of the trees, and the link of the loss."""
    c = len(getattr(learner, "classes_", ()))
    if c == 1:
        return _alone(graph, x)
    found = _raw(graph, learner.model_, x, c)
    if not c:
        return found
    return _two(graph, found) if c == 2 else graph.op("Softmax", found, axis=1)


def _raw(graph: Graph, model: Any, x: str, c: int) -> str:
    """What the trees of a library add up to."""
    name = type(model).__name__
    if name == "LightGBMModel":
        trees, each = of_lightgbm(model.booster, model.rounds)
        return ensemble(graph, x, trees, each)
    if name.startswith("XGB"):
        early = getattr(model, "early_stopping_rounds", None)
        trees, base, each = of_xgboost(model.get_booster(), model.best_iteration + 1 if early else None)
        start = np.array(base if len(base) == each else base * each)
        if c == 2:
            start = np.log(start / (1 - start))
        return graph.shifted(ensemble(graph, _single(graph, x), trees, each), start)
    if "GradientBoosting" in name or name == "QuicklyBinnedClassifier":
        trees, start = of_histograms(model)
        return graph.shifted(ensemble(graph, x, trees, len(start)), start)
    if model.categorical:
        raise RunError("CatBoost's way with categories has no counterpart in ONNX")
    return oblivious(graph, _single(graph, x), of_catboost(model.model))


def _single(graph: Graph, x: str) -> str:
    """Numbers as float32 has them."""
    return graph.as_double(graph.op("Cast", x, to=1))


def _forest_of_classes(graph: Graph, learner: Any, x: str) -> str:
    """The mean of the shares of classes in the leaves; of two classes the second's."""
    c, t = len(learner.classes_), len(learner.estimators_)
    if c == 1:
        return _alone(graph, x)
    wanted = [1] if c == 2 else list(range(c))
    trees: list[Tree] = []
    for one in learner.estimators_:
        shares = one.tree_.value[:, 0, :]
        shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)  # of inner nodes none may be kept
        trees += [of_forest(one, shares[:, k] / t, target) for target, k in enumerate(wanted)]
    found = ensemble(graph, _single(graph, x), trees, len(wanted))
    return found if c > 2 else graph.concat([graph.op("Sub", graph.constant(1.0), found), found])


def _forest_of_values(graph: Graph, learner: Any, x: str) -> str:
    t = len(learner.estimators_)
    trees = [of_forest(one, one.tree_.value[:, 0, 0] / t) for one in learner.estimators_]
    return ensemble(graph, _single(graph, x), trees, 1)


def _discriminant(graph: Graph, learner: Any, x: str) -> str:
    if len(learner.classes_) == 1:
        return _alone(graph, x)
    parts = []
    for factor, mean, offset in zip(learner.factors_, learner.means_, learner.offsets_, strict=True):
        scaled = graph.product(graph.op("Sub", x, graph.constant(mean)), np.linalg.inv(factor).T)
        distance = graph.total(graph.op("Mul", scaled, scaled))
        parts.append(graph.shifted(graph.scaled(distance, -0.5), offset))
    return graph.op("Softmax", graph.concat(parts), axis=1)


def _few_shot(graph: Graph, learner: Any, x: str) -> str:
    return _alone(graph, x) if len(learner.classes_) == 1 else few_shot.head(graph, learner, x, _logistic)


def _naive_bayes(graph: Graph, learner: Any, x: str) -> str:
    model = learner.model_
    parts = []
    for mean, variance, prior in zip(model.theta_, model.var_, model.class_prior_, strict=True):
        off = graph.op("Sub", x, graph.constant(mean))
        distance = graph.total(graph.op("Div", graph.op("Mul", off, off), graph.constant(variance)))
        start = float(np.log(prior) - 0.5 * np.log(2.0 * np.pi * variance).sum())
        parts.append(graph.shifted(graph.scaled(distance, -0.5), start))
    return graph.op("Softmax", graph.concat(parts), axis=1)


Converter = Callable[[Graph, Any, str], str]
CONVERTERS: dict[str, Converter] = {
    "LogisticRegressionUpToACap": _logistic,
    "Ridge": _linear,
    "ElasticNetOnScaledTarget": _linear,
    "QuantileOnScaledTarget": _linear,
    "BoostingClassifier": _boosted,
    "BoostingRegressor": _boosted,
    **{
        f"Truncatable{kind}{of}": convert
        for kind in ("RandomForest", "ExtraTrees")
        for of, convert in (("Classifier", _forest_of_classes), ("Regressor", _forest_of_values))
    },
    "RegularizedDiscriminant": _discriminant,
    "NaiveBayes": _naive_bayes,
    "FewShotHead": _few_shot,
}


def mean_of(graph: Graph, values: list[str]) -> str:
    """The mean of several answers."""
    return values[0] if len(values) == 1 else graph.scaled(graph.add(*values), 1.0 / len(values))


def calibrated(graph: Graph, probability: str, slopes: NDArray[Any], offsets: NDArray[Any], c: int) -> str:
    """Probabilities (n, c) under a map of `autometa.evaluation.calibration`."""
    from autometa.evaluation.options import OPTIONS

    if c == 2:  # both logarithms come from the second
        second = graph.column(probability, [1])
        probability = graph.concat([graph.op("Sub", graph.constant(1.0), second), second])
    least = OPTIONS.least_probability
    low = graph.clip(probability, float(np.finfo(np.float64).tiny), least)
    below = graph.op("Log", graph.op("Div", low, graph.constant(least)))
    logs = graph.add(graph.op("Log", graph.op("Max", probability, graph.constant(least))), graph.scaled(below, 1e-9))
    return graph.op("Softmax", graph.shifted(graph.scaled(logs, slopes), offsets), axis=1)
