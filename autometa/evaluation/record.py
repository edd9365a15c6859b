"""What became of one configuration on one task.

`Evaluation` is the record that a store keeps, written as strict JSON; `Outcome` adds what only the search at hand
needs, the out-of-fold predictions.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.origins import Origin, State

if TYPE_CHECKING:
    from autometa.space import Config


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One configuration tried on one task, whatever came of it.

    See Also:
        `Outcome`, `evaluate`, `State`.

    Example:
        >>> config = {"family": "knn", "knn.n_neighbors": 5}
        >>> scores, folds = {"roc_auc": 0.9}, {"roc_auc": (0.88, 0.92)}
        >>> one = Evaluation(config, State.COMPLETE, None, scores, folds, 0.5, 0.1, 0, 0, 90, {})
        >>> one.ended_well, one.n_folds, one == Evaluation.from_dict(one.to_dict())
        (True, 2, True)
    """

    config: Config
    state: State  # or the same as plain text, where an older version wrote it
    reason: str | None  # for anything but complete
    scores: dict[str, float]  # mean over the folds where it is defined, per metric; larger is better; {} without a fold
    folds: dict[str, tuple[float, ...]]  # per metric, of each finished fold; NaN where undefined
    fit_seconds: float  # total over folds
    predict_seconds: float  # total over folds
    peak_ram: int  # bytes, of the process tree that ran it
    seed: int
    rows: int  # of the task that was evaluated, which may be a sample of a larger one
    versions: dict[str, str]  # of the libraries that had a part in it
    origin: str = Origin.SEARCH.value  # an `Origin`, or what a newer version calls it
    made: tuple[str, ...] = ()  # columns that its first model makes of others; not in a store, which names no column

    @property
    def ended_well(self) -> bool:
        """Whether it says how good the configuration is; a state that this version does not know says nothing."""
        state = State.read(self.state)
        return state is not None and state.ended_well

    @property
    def n_folds(self) -> int:
        """How many folds were finished."""
        return len(next(iter(self.folds.values()), ()))

    @property
    def seconds(self) -> float:
        """Fitting and predicting together."""
        return self.fit_seconds + self.predict_seconds

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: what is not finite becomes text, NumPy scalars become Python's."""
        return _jsonable(asdict(self))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Evaluation:
        """What `to_dict` made, read back equal; unknown keys are left out."""
        known = {field.name: record[field.name] for field in fields(cls) if field.name in record}
        known["state"] = State.read(known["state"]) or known["state"]
        known["scores"] = {metric: float(value) for metric, value in known["scores"].items()}
        known["made"] = tuple(known.get("made", ()))
        known["folds"] = {metric: tuple(map(float, values)) for metric, values in known["folds"].items()}
        known["fit_seconds"], known["predict_seconds"] = float(known["fit_seconds"]), float(known["predict_seconds"])
        return cls(**known)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """An evaluation and its out-of-fold predictions.

    See Also:
        `Evaluation`, `evaluate`.

    Example:
        >>> from autometa.evaluation import evaluate, plan_splits
        >>> from autometa.families import cash_space
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10)
        >>> config = cash_space("binary").only(["naive_bayes"]).default
        >>> outcome = evaluate(task, config, plan_splits(task, seed=0), seed=0)
        >>> outcome.oof.shape, "roc_auc" in outcome.evaluation.scores
        ((20, 2), True)
    """

    evaluation: Evaluation
    # (r, n) or (r, n, c): of each row by each repeat, NaN where it was not predicted so often; None without a fold
    predictions: NDArray[np.float64] | None

    @property
    def oof(self) -> NDArray[np.float64] | None:  # (n,) or (n, c)
        """Mean over repeats, NaN where never predicted; None without a fold."""
        return None if self.predictions is None else mean_of_repeats(self.predictions)


def mean_of_repeats(predictions: NDArray[np.float64]) -> NDArray[np.float64]:  # (r, n[, c]) -> (n[, c])
    """The mean of a row's predictions; NaN where there is none.

    See Also:
        `Outcome`, `plan_splits`.

    Example:
        >>> mean_of_repeats(np.array([[0.25, np.nan], [0.75, np.nan]]))
        array([0.5, nan])
    """
    known = np.isfinite(predictions)
    if len(predictions) == 1:
        return np.where(known[0], predictions[0], np.nan)
    times = known.sum(axis=0)
    return np.where(known, predictions, 0.0).sum(axis=0) / np.where(times == 0, np.nan, times)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, StrEnum):
        return value.value
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
