"""The newcomers of `optional_families.py`: each fits its library's default and gives what predicts.

This file is a program as well. The interpreter of their own environment runs it, where nothing of AutoMeta need be
installed, so it imports nothing of ours:

    python optional_newcomers.py FOLDER NEWCOMER

FOLDER holds ``cell.pkl``: the kind of the task, q, and for each fold X and y to learn from, and two matrices to answer
for. It receives ``answer.pkl``: the answers, processor seconds and the version of the package.

Letters:  n rows · p columns, of which the first q are category codes.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pickle
import resource
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 60  # processor seconds of a newcomer on a table

Array = NDArray[Any]


def perpetual(kind: str, q: int, X: Array, y: Array) -> Callable[[Array], Array]:
    """Numbers as they are, categories as codes; NaN is missing."""
    from perpetual import PerpetualBooster

    objective = "SquaredLoss" if kind == "regression" else "LogLoss"
    model = PerpetualBooster(objective=objective, num_threads=1, categorical_features=list(range(q)) or None)
    model.fit(X.copy(), y.astype(float))  # it writes into what it is given
    answer = model.predict if kind == "regression" else model.predict_proba
    return lambda Z: answer(Z.copy())


def ebm(kind: str, q: int, X: Array, y: Array, **options: int) -> Callable[[Array], Array]:
    """The same inputs; the kinds of its columns are told."""
    from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

    face = ExplainableBoostingRegressor if kind == "regression" else ExplainableBoostingClassifier
    types = ["nominal"] * q + ["continuous"] * (X.shape[1] - q)
    model = face(feature_types=types, n_jobs=1, random_state=0, **options).fit(X, y)
    return model.predict if kind == "regression" else model.predict_proba


def xrfm(kind: str, q: int, X: Array, y: Array) -> Callable[[Array], Array]:
    """Standardised numbers, one-hot categories; a fifth of the rows tunes it, and values are standardised."""
    from sklearn.model_selection import train_test_split
    from xrfm import xRFM

    centre, spread = (float(y.mean()), float(y.std()) or 1.0) if kind == "regression" else (0.0, 1.0)
    target = ((y - centre) / spread).astype(np.float32) if kind == "regression" else y.astype(np.int64)
    learn, tune = train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=0, stratify=None if kind == "regression" else y
    )
    model = xRFM(device="cpu", n_threads=1, random_state=0, verbose=False)
    inputs = X.astype(np.float32)
    model.fit(inputs[learn], target[learn], inputs[tune], target[tune])
    if kind == "regression":
        return lambda Z: np.asarray(model.predict(Z.astype(np.float32))).ravel() * spread + centre
    return lambda Z: np.asarray(model.predict_proba(Z.astype(np.float32)))


class Newcomer(NamedTuple):
    """A family that is judged, at a version of its package."""

    fit: Callable[..., Callable[[Array], Array]]
    package: str
    version: str
    licence: str
    module: str
    inputs: Literal["codes", "onehot"]


SHORT = {"outer_bags": 2, "interactions": 10, "max_rounds": 5_000, "early_stopping_rounds": 50}
EBM = (
    "interpret-core",
    "0.7.8",
    "MIT",
    "interpret.glassbox",
    "codes",
)  # its files say so; its metadata name no licence
NEWCOMERS = {
    "perpetual": Newcomer(perpetual, "perpetual", "2.3.0", "Apache-2.0", "perpetual", "codes"),
    "ebm": Newcomer(ebm, *EBM),
    "ebm short": Newcomer(partial(ebm, **SHORT), *EBM),
    "xrfm": Newcomer(xrfm, "xrfm", "0.4.5", "MIT", "xrfm", "onehot"),
}


def answer(folder: Path, name: str) -> None:
    """Fits a newcomer on every fold of ``FOLDER/cell.pkl``; predictions and processor seconds into ``answer.pkl``."""
    cell = pickle.loads((folder / "cell.pkl").read_bytes())
    warnings.simplefilter("ignore")
    said: dict[str, Any] = {"held": [], "later": [], "seconds": []}
    importlib.import_module(NEWCOMERS[name].module)
    spent = int(time.process_time()) + LONGEST
    resource.setrlimit(resource.RLIMIT_CPU, (spent, spent + 5))
    for X, y, held, later in cell["folds"]:
        began = time.process_time()
        predict = NEWCOMERS[name].fit(cell["kind"], cell["q"], X, y)
        said["held"].append(predict(held))
        said["later"].append(predict(later))
        said["seconds"].append(time.process_time() - began)
    said["version"] = importlib.metadata.version(NEWCOMERS[name].package)
    (folder / "answer.pkl").write_bytes(pickle.dumps(said))


if __name__ == "__main__":
    answer(Path(sys.argv[1]), sys.argv[2])
