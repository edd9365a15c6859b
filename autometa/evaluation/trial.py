"""One configuration tried on one task.

Each fold is fitted and judged by every metric that its predictions allow; their means are the scores.

Laws: a failure is data (state and reason, with the folds that were finished before it), never an exception; the same
task, configuration, splits and seed give the same scores; a configuration that is hopeless or would pass its deadline
stops between folds, and in a process of its own it is killed at the deadline with what it had finished kept.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.calibration import IDENTITY, JUDGE_SURENESS, Freedom, fit_calibration
from autometa.evaluation.decision import AUTO, MOST_PROBABLE, fit_weights
from autometa.evaluation.fitted import fit_model, predict_aligned
from autometa.evaluation.forkserver import describe_error
from autometa.evaluation.machine import had_gpu, peak_ram
from autometa.evaluation.metrics import judges_labels, score_all
from autometa.evaluation.options import OPTIONS
from autometa.evaluation.record import Evaluation, Outcome
from autometa.evaluation.splits import Splits
from autometa.files import whole
from autometa.moved import former
from autometa.origins import Origin, State

if TYPE_CHECKING:
    from autometa.space import Config
    from autometa.task import Task


@dataclass(frozen=True, slots=True)
class Attempt:
    """One configuration that is to be tried, and how.

    Args:
        config: A configuration of the CASH space.
        splits: Those of `plan_splits` for the task that it is tried on.
        seed: Of the models.
        threads: CPU threads that fitting and predicting may take.
        device: Where a family that can choose runs, ``cpu`` or ``cuda``.
        rival: Per-fold scores, in the task's metric, of the evaluation that must be in reach for this one to go on
            (the incumbent, or the last one that still matters); None lets it finish.
        deadline: Seconds from the start. A fold that would not finish by then is not begun; None for no deadline.
        patience: Seconds of the wall by which the deadline may pass on a crowded machine, as long as processor time
            does not reach it.
        keep_models: File to pickle a list of the fitted models to, one per fold, when the evaluation is complete.
        keep_above: Keep them only if the score reaches this.
        keep_bytes: Keep them only if they are not larger.
        calibrate: Where the task's metric judges how sure a prediction is, or labels, judge all folds as calibrated,
            labels by `threshold` (as `fit_weights`). Predictions are handed on as they were.
        growth: Seconds of the whole evaluation that a model which grows by trees or epochs aims at: it ends with those
            that the first fold had time for, and then the evaluation is of the configuration with so many. None for no
            aim.
        origin: Why it is tried, for the record.
        rows: Of the table that the training sides of the splits stand for (`samples.sampled`); None for all.

    Example:
        >>> from autometa.task import make_task
        >>> import numpy as np
        >>> task = make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10)
        >>> from autometa.evaluation import plan_splits
        >>> Attempt({"family": "naive_bayes"}, plan_splits(task, seed=0), seed=0).threads
        1
    """

    config: Config
    splits: Splits
    seed: int
    threads: int = 1
    device: str = "cpu"
    rival: Sequence[float] | None = None
    deadline: float | None = None
    patience: float = 0.0
    keep_models: Path | None = None
    keep_above: float | None = None
    keep_bytes: int = OPTIONS.kept_bytes
    calibrate: bool = False
    threshold: float | str = AUTO
    growth: float | None = None
    origin: str = Origin.SEARCH.value
    rows: int | None = None


def evaluate(task: Task, config: Config, splits: Splits, *, seed: int, **how: Any) -> Outcome:
    """Tries one configuration in this process. Never raises for what the configuration does.

    Args:
        task: The table, target, kind and metric.
        config: A configuration of the CASH space.
        splits: Those of `plan_splits` for this very task.
        seed: Of the models.
        how: The other fields of `Attempt`, such as threads, rival and deadline.

    Raises:
        ValueError: The splits are of another task.

    See Also:
        `evaluate_isolated`, `plan_splits`, `autometa.families.cash_space`.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.families import cash_space
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> task = make_task(X, y=y, name="wine")
        >>> outcome = evaluate(task, cash_space("multiclass", ["linear"]).default, plan_splits(task, seed=0), seed=0)
        >>> outcome.evaluation.state.label, outcome.evaluation.scores["accuracy"] > 0.9, outcome.oof.shape
        ('complete', True, (178, 3))
    """
    outcome = None
    for outcome in outcomes(task, Attempt(config, splits, seed, **how)):  # noqa: B007 - the last one counts
        pass
    assert outcome is not None
    return outcome


def judged(task: Task, attempt: Attempt, predictions: Sequence[NDArray[np.float64]]) -> Outcome:
    """The complete evaluation of an attempt that somebody else fitted, by what was predicted of each fold's test rows.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.task import make_task
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> task = make_task(X, y=y, name="diabetes")
        >>> splits = plan_splits(task, seed=0, folds=2)
        >>> constant = [np.full(len(test), y[train].mean()) for train, test in splits]
        >>> round(judged(task, Attempt({"family": "constant"}, splits, 0), constant).evaluation.scores["r2"], 2)
        -0.0
    """
    folds = _Folds(task, attempt)
    for prediction, (_, test) in zip(predictions, attempt.splits, strict=True):
        folds._judge(prediction, test)
    return folds.outcome(State.COMPLETE, None)


def outcomes(task: Task, attempt: Attempt) -> Iterator[Outcome]:
    """The outcome so far, after every fold, so that one that is killed leaves what it had finished."""
    splits = attempt.splits
    if splits.n != task.n:
        raise ValueError(f"the splits are of {splits.n} rows, the task has {task.n}")
    seen = _Folds(task, attempt)
    for number, (train, test) in enumerate(splits):
        if number and (end := seen.why_to_stop()):
            state, reason = end
            yield seen.outcome(state, f"{reason}, after fold {number} of {len(splits)}")
            return
        try:
            seen.add(train, test)
        except Exception as error:  # noqa: BLE001 - a failed evaluation is data
            state, reason = _failure(error)
            yield seen.outcome(state, f"{reason}, in fold {number + 1} of {len(splits)}")
            return
        if number + 1 < len(splits):
            yield seen.outcome(State.STOPPED, f"unfinished, after fold {number + 1} of {len(splits)}")
    complete = seen.outcome(State.COMPLETE, None)
    yield complete
    least = attempt.keep_above
    if attempt.keep_models and (least is None or complete.evaluation.scores[task.metric] >= least):
        _keep(seen.models, attempt.keep_models, attempt.keep_bytes)


class _NotFinite(Exception):
    """A prediction that is no finite number."""


def _failure(error: Exception) -> tuple[State, str]:
    """The state and the reason of an evaluation that raised."""
    if isinstance(error, MemoryError):
        return State.MEMORY, describe_error(error)
    if isinstance(error, TimeoutError):
        return State.TIMEOUT, str(error)
    return State.FAILED, str(error) if isinstance(error, _NotFinite) else describe_error(error)


class _Folds:
    """What the finished folds of an attempt amount to."""

    def __init__(self, task: Task, attempt: Attempt) -> None:
        self.task, self.attempt = task, attempt
        self.began, self.processor = time.monotonic(), time.process_time()
        self.longest = 0.0  # seconds of a fold
        self.config = attempt.config  # as it was grown
        self.scores: dict[str, tuple[float, ...]] = {}  # per metric, of each fold
        self.fit_seconds = self.predict_seconds = 0.0
        self.made: tuple[str, ...] | None = None  # columns of the first model; None where it may make none
        self.models: list[Any] = []
        self.answers: list[tuple[NDArray[np.float64], NDArray[Any]]] = []  # per fold: the prediction, and the truth
        self.counts: list[NDArray[np.float64] | None] = []  # per fold: how much each row counts; None for the same
        as_ranked = task.metric not in JUDGE_SURENESS and not judges_labels(task.metric)
        judged_as_is = as_ranked and task.c <= 2 and not task.costs
        self.calibrated = attempt.calibrate and task.kind != "regression" and not judged_as_is

    def why_to_stop(self) -> tuple[State, str] | None:
        """Why no other fold should begin: no hope, or no time; None when it should."""
        rival, deadline = self.attempt.rival, self.attempt.deadline
        if self.made == ():
            return State.STOPPED, "no column that could be made told more than chance"
        if rival is not None and (why := _hopeless(self.scores.get(self.task.metric, ()), rival)):
            return State.STOPPED, why
        if deadline is not None and self._elapsed() + self.longest > deadline:
            why = f"another fold of {self.longest:.3g} s would have passed the deadline of {deadline:.3g} s"
            return State.TIMEOUT, why
        return None

    def _elapsed(self) -> float:
        """Seconds so far: of the wall, less the patience with a crowded machine, and of the processor at least."""
        wall, patience = time.monotonic() - self.began, self.attempt.patience
        if not patience:
            return wall
        return max(wall - patience, (time.process_time() - self.processor) / self.attempt.threads)

    def add(self, train: NDArray[np.intp], test: NDArray[np.intp]) -> None:
        """Fits on some rows, and judges what that predicts for others.

        Raises:
            Exception: Whatever the configuration raises, with the seconds counted that it took.
        """
        began = self._elapsed()
        # Its warnings (no convergence, a constant column) are judged by its score.
        with warnings.catch_warnings(), _limited_threads(self.attempt.threads):
            warnings.simplefilter("ignore")
            model = self._fit(train)
            prediction = self._predict(model, test)
        if bad := int((~np.isfinite(prediction)).reshape(len(test), -1).any(axis=1).sum()):
            raise _NotFinite(f"predicted no finite number for {bad} of {len(test)} rows")
        self._judge(prediction, test)
        self.longest = max(self.longest, self._elapsed() - began)
        if self.attempt.keep_models is not None:
            self.models.append(model)

    def outcome(self, state: State, reason: str | None) -> Outcome:
        """What there is, under a state and its reason."""
        evaluation = Evaluation(
            config=self.config,
            state=state,
            reason=reason,
            scores={metric: _mean(values) for metric, values in self.scores.items()},
            folds=dict(self.scores),
            fit_seconds=self.fit_seconds,
            predict_seconds=self.predict_seconds,
            peak_ram=peak_ram(),
            seed=self.attempt.seed,
            rows=self.attempt.rows or self.task.n,
            versions=_versions(self.config, self.attempt.device),
            origin=self.attempt.origin,
            made=self.made or (),
        )
        if not self.answers:
            return Outcome(evaluation, None)
        return Outcome(evaluation, self.attempt.splits.layered([prediction for prediction, _ in self.answers]))

    def _fit(self, train: NDArray[np.intp]) -> Any:
        from autometa.families import as_made, as_truncated, made_by

        attempt, seconds = self.attempt, None
        if attempt.growth is not None and not self.answers:  # the other folds grow as many as the first
            limit = min(attempt.growth, math.inf if attempt.deadline is None else attempt.deadline)
            seconds = OPTIONS.growth_share * limit / len(attempt.splits)
        began = time.perf_counter()
        try:
            model = fit_model(
                self.task, self.config, train,
                seed=attempt.seed, threads=attempt.threads, device=attempt.device, seconds=seconds,
            )  # fmt: skip
            self.config = as_truncated(self.config, getattr(model, "model", model))  # of one clipped or relabelled
            if not self.answers:  # the other folds make what made some in the first
                self.made, self.config = made_by(model), as_made(self.config, model)
        finally:
            self.fit_seconds += time.perf_counter() - began
        return model

    def _predict(self, model: Any, test: NDArray[np.intp]) -> NDArray[np.float64]:
        began = time.perf_counter()
        try:
            return predict_aligned(model, self.task.X.iloc[test], self.task.kind, self.task.c)
        finally:
            self.predict_seconds += time.perf_counter() - began

    def _judge(self, prediction: NDArray[np.float64], test: NDArray[np.intp]) -> None:
        """Adds the scores of a fold; with the last one, where it matters, all are judged as the model will answer."""
        task = self.task
        self.answers.append((prediction, np.asarray(task.y)[test]))
        self.counts.append(None if task.weights is None else np.asarray(task.weights)[test])
        done = len(self.answers)
        calibration, weights = IDENTITY, MOST_PROBABLE if task.kind == "regression" else task.costs
        if self.calibrated:
            p, y = map(np.concatenate, zip(*self.answers, strict=True))
            counts = None if task.weights is None else np.concatenate([one for one in self.counts if one is not None])
            calibration = fit_calibration(p, y, Freedom.OFFSETS, sample_weight=counts)
            weights = fit_weights(
                task.metric,
                y,
                calibration.apply(p),
                positive=task.positive,
                threshold=self.attempt.threshold,
                costs=task.costs,
                sample_weight=counts,
                classes=task.classes,
            )
        first = 0 if self.calibrated and done == len(self.attempt.splits) else done - 1
        judge = partial(
            score_all, task.kind, also=task.metric, positive=task.positive, weights=weights, classes=task.classes
        )
        new = [
            judge(y, calibration.apply(p), task.c, sample_weight=counted)
            for (p, y), counted in zip(self.answers[first:], self.counts[first:], strict=True)
        ]
        self.scores = {m: (*self.scores.get(m, ())[:first], *(fold[m] for fold in new)) for m in new[0]}


def _hopeless(own: Sequence[float], rival: Sequence[float]) -> str | None:
    """Why a configuration with these scores of the first folds will not catch up with `rival`; None when it may.

    The scores are paired by fold, so that easy and hard folds cancel. The rival's own spread over its folds, s, stands
    for the noise of one score; it holds the differences between folds too, so it errs on the side of going on. Were
    both equally good, the mean of i differences would have a standard error below ``s * sqrt(2 / i)``: at twice that,
    less than one in forty of those that would have caught up is lost.
    """
    against = np.asarray(rival[: len(own)], dtype=np.float64) - np.asarray(own[: len(rival)], dtype=np.float64)
    against = against[np.isfinite(against)]
    known = np.asarray(rival, dtype=np.float64)[np.isfinite(rival)]
    if not len(against) or len(known) < 2:
        return None
    margin = 2.0 * float(known.std(ddof=1)) * math.sqrt(2.0 / len(against))
    behind = float(against.mean())
    return f"behind by {behind:.3g}, more than {margin:.3g}" if behind > margin else None


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


def _limited_threads(threads: int) -> Any:
    """Limits the thread pools of BLAS and OpenMP; finding them costs 8 ms, so not where the limit holds already."""
    if os.environ.get("OMP_NUM_THREADS") == str(threads):
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(threads)


def _versions(config: Config, device: str) -> dict[str, str]:
    """Of scikit-learn, NumPy, and the library that the configuration's family needs; and its GPU, if it had one."""
    from autometa.families import FAMILIES

    family = FAMILIES.get(config.get("family", ""))
    names = {"scikit-learn": "sklearn", "numpy": "numpy", **{n: n for n in (getattr(family, "requires", None),) if n}}
    loaded = {name: module for name, own in names.items() if (module := sys.modules.get(own)) is not None}
    # A plain text: torch has a type of its own for its version, and who reads it has to load torch.
    found = {name: str(getattr(module, "__version__", None) or version(name)) for name, module in loaded.items()}
    return found | ({"device": "cuda"} if family is not None and family.uses_gpu and had_gpu(device) else {})


class _Capped(io.RawIOBase):
    """A file that refuses more than `limit` bytes."""

    def __init__(self, file: Any, limit: int) -> None:
        self.file, self.left = file, limit

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.left -= memoryview(data).nbytes
        if self.left < 0:
            raise OverflowError
        return self.file.write(data)


def _keep(models: list[Any], path: Path, most_bytes: int) -> None:
    """Pickles the models of all folds, unless they are too large or cannot be: then they are fitted again if needed."""
    unpicklable = OverflowError, pickle.PicklingError, TypeError, AttributeError
    with suppress(*unpicklable), whole(path) as temporary, temporary.open("wb") as file:
        pickle.dump(models, _Capped(file, most_bytes), protocol=5)


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
