"""A whole model as one ONNX file: raw columns in, the labels and probabilities or the numbers of `predict` out.

    RUN/model.onnx      inputs: a column of the table each, (rows, 1)
                        outputs: label (rows,) and probabilities (rows, c), or prediction (rows,)

Law: what the file answers is asked before it is written, of rows of the run's own table, and differs from what the
model answers by no more than `TOLERANCE`, of the spread of the target where that is a number.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, RunError
from autometa.evaluation import IDENTITY, Calibration
from autometa.export.columns import typed_columns
from autometa.export.graph import Graph
from autometa.export.learners import answers_of, calibrated, mean_of
from autometa.search.model import Model
from autometa.task import label_array

TOLERANCE = 1e-5  # the issue's
CHECKED_ROWS = 1_000  # of the run's own table; judgement: a branch that is taken wrongly shows in few


def onnx_bytes(model: Model, X: pd.DataFrame | None = None) -> bytes:
    """A model as the content of an ONNX file.

    Args:
        model: What answers.
        X: (n, p) typed rows, to compare the answers of; None to compare none.

    Raises:
        InputError: The packages of the extra ``onnx`` are not installed.
        RunError: A member, a step or a column has no counterpart in ONNX, all are named; or the answers differ.

    See Also:
        `export`.
    """
    _check_packages()
    graph, c = Graph(), len(model.classes)
    typed = typed_columns(graph, model.schema)
    reasons: Counter[str] = Counter()
    parts = []
    for member in model.members:
        try:
            means = [
                mean_of(graph, [answers_of(graph, one, typed, model.schema, model.kind, c) for one in models])
                for models in member.models
            ]
        except RunError as error:
            reasons[f"trial {member.number}: {error}"] += 1
            continue
        said = _calibrated(graph, mean_of(graph, means), member.calibration, c)
        parts.append(graph.scaled(said, member.weight))
    if reasons:
        many = f"{len(reasons)} of {len(model.members)} pipelines cannot be exported to ONNX"
        fix = "`autometa fit --exportable` searches only what can"
        raise RunError(f"{many}: {'; '.join(reasons)}. {fix}")
    _answer(graph, model, _calibrated(graph, graph.add(*parts), model.calibration, c))
    content = graph.model(model.name or "model", _properties(model)).SerializeToString()
    if X is not None and len(X):
        _check(model, content, X)
    return content


def _check_packages() -> None:
    from importlib.util import find_spec

    from autometa.errors import Problem

    lacking = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if lacking:
        raise InputError(
            Problem("--to", f"onnx needs {' and '.join(lacking)}", 'Install them: pip install "autometa-ml[onnx]".')
        )


def _calibrated(graph: Graph, said: str, calibration: Calibration, c: int) -> str:
    if calibration == IDENTITY or not c:
        return said
    return calibrated(graph, said, np.asarray(calibration.slopes), np.asarray(calibration.offsets), c)


def _answer(graph: Graph, model: Model, said: str) -> None:
    """The outputs: labels by the model's own rule, and probabilities; or numbers."""
    flat = graph.constant([-1], np.int64)
    if model.kind == "regression":
        graph.output("prediction", graph.op("Reshape", said, flat), "double")
        return
    weights = np.asarray(model.weights)
    judged = said
    if weights.ndim == 2:
        judged = graph.op("Neg", graph.product(said, weights))
    elif len(weights):
        judged = graph.scaled(said, weights)
    code = graph.op("ArgMax", judged, axis=1, keepdims=0)
    labels, holds = _labels(model)
    graph.output("label", graph.op("Gather", graph.constant(labels, labels.dtype), code, axis=0), holds)
    graph.output("probabilities", said, "double", len(model.classes))


def _labels(model: Model) -> tuple[NDArray[Any], str]:
    """The labels in a dtype that ONNX has."""
    labels = label_array(model.classes)
    if labels.dtype.kind == "b":
        return labels, "bool"
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64), "int64"
    if labels.dtype.kind == "f":
        return labels.astype(np.float64), "double"
    return np.array([str(one) for one in labels], dtype=object), "string"


def _properties(model: Model) -> dict[str, str]:
    """What a reader should know, in the file's own properties."""
    kinds = {"number": "double, NaN where missing", "boolean": "double: 0, 1, or NaN where missing"}
    kinds |= {"category": "string: the label; any other where missing", "datetime": "double: seconds since 1970"}
    inputs = {encoder.name: kinds[encoder.holds] for encoder in model.schema.encoders}
    said = {"target": model.target, "kind": model.kind, "metric": model.metric, "inputs": json.dumps(inputs)}
    if model.classes:
        said["classes"] = json.dumps([str(one) for one in model.classes])
    return said


def feed_of(model: Model, X: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """The inputs (n, 1) of a model's ONNX file for typed rows (n, p); of moments those that their parts tell."""
    feed: dict[str, NDArray[Any]] = {}
    from autometa.task.schema import _part_names

    parts = iter(_part_names(model.schema.encoders))
    for encoder in model.schema.encoders:
        if encoder.holds == "category":
            values = X[encoder.name].astype(object)
            feed[encoder.name] = values.where(values.notna(), "").to_numpy(object)[:, np.newaxis]
        elif encoder.holds == "datetime":
            own = {part: X[next(parts)].to_numpy(np.float64) for part in encoder.parts}
            feed[encoder.name] = (own["elapsed"] + encoder.origin)[:, np.newaxis]
        else:
            feed[encoder.name] = X[encoder.name].to_numpy(np.float64)[:, np.newaxis]
    return feed


def ask(content: bytes, feed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What an ONNX file answers, by the names of its outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _check(model: Model, content: bytes, X: pd.DataFrame) -> None:
    """Refuses a file that answers otherwise than the model."""
    X = X.iloc[:: max(1, len(X) // CHECKED_ROWS)].iloc[:CHECKED_ROWS]
    if any(encoder.holds == "datetime" and "elapsed" not in encoder.parts for encoder in model.schema.encoders):
        return
    expected = model.answer(X)
    found = ask(content, feed_of(model, X))["prediction" if model.kind == "regression" else "probabilities"]
    spread = float(np.std(expected)) or 1.0 if model.kind == "regression" else 1.0
    worst = float(np.abs(found - expected).max()) / spread
    if not worst <= TOLERANCE:
        raise RunError(f"the ONNX file would answer otherwise, by up to {worst:.2g}; it was not written. Please report")
