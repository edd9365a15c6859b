"""A configuration fitted on some rows of a task, and what it predicts, whatever the learner.

Two wrappers give every family the same face: a classifier that knows only some classes of the task keeps the task's
codes, and a regressor stays near the targets it learned from. Both are inside the pickles of saved models.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.options import OPTIONS
from autometa.quantiles import quantile_of

if TYPE_CHECKING:
    import pandas as pd

    from autometa.families.learners.direct import SharedInputs
    from autometa.space import Config
    from autometa.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class RelabelledClassifier:
    """A classifier fitted on rows that lack some classes of the task, under codes without gaps.

    Not every library takes codes with gaps; `predict` and `classes_` speak in the task's codes.
    """

    model: Any
    classes_: NDArray[np.intp]  # the codes of the task that it knows, ascending

    def predict(self, X: pd.DataFrame) -> NDArray[np.intp]:  # (n,)
        """The most probable class, in the task's codes."""
        return self.classes_[np.asarray(self.model.predict(X), dtype=np.intp)]

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n, classes it knows)
        """Probabilities of `classes_`."""
        return self.model.predict_proba(X)


@dataclass(frozen=True, slots=True, eq=False)
class ClippedRegressor:
    """A regressor whose predictions go beyond the targets it learned from by half of their range, and no further.

    One cell far outside of what was learned from, such as a mistyped one, would take whatever is linear in it, or a
    product, far away.
    """

    model: Any
    low: float
    high: float

    @classmethod
    def around(cls, model: Any, y: NDArray[np.float64]) -> Self:
        """Bounds for a model that learned from these targets, (n,)."""
        low, high = float(y.min()), float(y.max())
        beyond = OPTIONS.beyond_targets * (high - low)
        return cls(model, low - beyond, high + beyond)

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n,)
        """Values; those that are not finite stay as they are, and fail as such."""
        return self.clipped(predict_aligned(self.model, X, "regression", 0))

    def clipped(self, values: NDArray[np.float64]) -> NDArray[np.float64]:  # (n,) -> (n,)
        """Values within the bounds."""
        return np.where(np.isfinite(values), np.clip(values, self.low, self.high), values)


def fit_model(
    task: Task,
    config: Config,
    rows: NDArray[np.intp],
    *,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    seconds: float | None = None,
) -> Any:
    """Builds and fits a configuration on some rows: a model with ``predict``, ``predict_proba`` and ``classes_``.

    Where the rows hold some classes of the task only, the learner gets codes without gaps; where they hold one class,
    it is predicted.

    Args:
        task: The table, its target and kind.
        config: A configuration of the CASH space.
        rows: (n,) row numbers to learn from.
        seed: Of the model.
        threads: CPU threads that it may take.
        device: Where a family that can choose runs, ``cpu`` or ``cuda``.
        seconds: After which a learner that grows by trees or epochs ends with those there are; None for no limit.

    See Also:
        `predict_aligned`, `autometa.families.build`.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.families import cash_space
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> task, rows = make_task(X, y=y, name="wine"), np.arange(100)
        >>> model = fit_model(task, cash_space("multiclass", ["knn"]).default, rows, seed=0)
        >>> predict_aligned(model, task.X, task.kind, task.c).shape
        (178, 3)
    """
    from autometa.families import build, fit

    X, y = task.X.iloc[rows], np.asarray(task.y)[rows]
    counted: dict[str, Any] = {"seconds": seconds}
    if task.weights is not None:
        counted["sample_weight"] = np.asarray(task.weights)[rows]
    how: dict[str, Any] = {"seed": seed, "threads": threads, "device": device, **wished(task)}
    model: Any = build(config, task.columns, task.kind, n_rows=len(rows), **how)
    if task.kind == "regression":
        return ClippedRegressor.around(fit(model, X, y, **counted), y)
    present, codes = np.unique(y, return_inverse=True)
    if len(present) == task.c:
        return fit(model, X, y, **counted)
    if len(present) == 1:
        from sklearn.dummy import DummyClassifier

        return RelabelledClassifier(DummyClassifier(strategy="prior").fit(X, codes), present)
    return RelabelledClassifier(fit(model, X, codes, **counted), present)


def wished(task: Task) -> dict[str, Any]:
    """What a task wants of its pipelines, as `autometa.families.build` takes it: a quantile, columns to rise along.

    Example:
        >>> from autometa.task import make_task
        >>> wished(make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10))
        {'quantile': None}
    """
    found: dict[str, Any] = {"quantile": quantile_of(task.metric)}
    if task.monotonic:  # of the positive class, where learners mean the second
        turned = -1 if task.c == 2 and task.positive == 0 else 1
        found["monotonic"] = {name: sign * turned for name, sign in task.monotonic}
    return found


def predict_aligned(
    model: Any, X: pd.DataFrame, kind: str, n_classes: int, shared: SharedInputs | None = None
) -> NDArray[np.float64]:
    """(n,) values, or (n, c) probabilities of all classes, rows summing to one; 0 for a class it was not fitted on.

    Args:
        model: What `fit_model` gives, or any estimator.
        X: (n, p) typed.
        kind: Of the task.
        n_classes: c.
        shared: What other models made of the same table; None where there are none.

    See Also:
        `fit_model`.

    Example:
        >>> import pandas as pd
        >>> from sklearn.naive_bayes import GaussianNB
        >>> frame = pd.DataFrame({"a": [0.0, 1.0, 5.0, 6.0]})
        >>> model = GaussianNB().fit(frame, [0, 0, 2, 2])  # of three classes it saw two
        >>> predict_aligned(model, frame, "multiclass", 3).round(3)[[0, 3]]
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    if isinstance(model, ClippedRegressor):
        return model.clipped(predict_aligned(model.model, X, kind, n_classes, shared))
    if kind == "regression":
        return np.asarray(_asked(model, "predict", X, shared), dtype=np.float64).reshape(len(X))
    out = np.zeros((len(X), n_classes))
    if isinstance(model, RelabelledClassifier):
        out[:, np.asarray(model.classes_, dtype=np.intp)] = _asked(model.model, "predict_proba", X, shared)
    elif hasattr(model, "predict_proba"):
        out[:, np.asarray(model.classes_, dtype=np.intp)] = _asked(model, "predict_proba", X, shared)
    else:
        out[np.arange(len(X)), np.asarray(model.predict(X), dtype=np.intp)] = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # a row of zeros becomes NaN, and fails as such
        return out / out.sum(axis=1, keepdims=True)


def _asked(model: Any, method: str, X: pd.DataFrame, shared: SharedInputs | None) -> NDArray[Any]:
    """What a model answers; the first model of a search needs no library for it, and none is loaded."""
    if shared is None and not hasattr(model, "steps"):
        return getattr(model, method)(X)
    if shared is None:
        from autometa.families.learners.direct import SharedInputs

        shared = SharedInputs(X)
    return shared.ask(model, method)
