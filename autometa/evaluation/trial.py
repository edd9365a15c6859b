"""One configuration tried on one task.

Each fold is fitted and judged by every metric that its predictions allow; their means are the scores. `Evaluation` is
the record that a store keeps; `Outcome` adds what only this run needs: the out-of-fold predictions.

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autometa.evaluation.calibration import JUDGE_SURENESS, fit_temperature, tempered
from autometa.evaluation.forkserver import describe_error
from autometa.evaluation.isolation import Isolation, Killed
from autometa.evaluation.metrics import score_all
from autometa.evaluation.splits import Splits
from autometa.origins import Origin, State

if TYPE_CHECKING:
    import pandas as pd

    from autometa.space import Config
    from autometa.task import Task

BEYOND = 0.5  # of the range of the targets that were learned from, to which a regressor may go beyond it
GROWTH_SHARE = 0.8  # of a fold's time, where growth may be cut short: the rest is for preprocessing and predicting

# A model above this is fitted again rather than kept: writing it would cost about as much as fitting it.
KEPT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One configuration tried on one task, whatever came of it."""

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

    @property
    def ended_well(self) -> bool:
        """Whether it says how good the configuration is; a state that this version does not know says nothing."""
        state = State.read(self.state)
        return state is not None and state.ended_well

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
        known["folds"] = {metric: tuple(map(float, values)) for metric, values in known["folds"].items()}
        known["fit_seconds"], known["predict_seconds"] = float(known["fit_seconds"]), float(known["predict_seconds"])
        return cls(**known)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """An evaluation and its out-of-fold predictions."""

    evaluation: Evaluation
    oof: NDArray[np.float64] | None  # (n,) or (n, c), mean over repeats, NaN where never predicted; None without a fold


@dataclass(frozen=True, slots=True, eq=False)
class ClosedUp:
    """A classifier fitted on rows that lack some classes of the task, under codes without gaps."""

    model: Any
    classes_: NDArray[np.intp]  # the codes of the task that it knows, ascending

    def predict(self, X: pd.DataFrame) -> NDArray[np.intp]:  # (n,)
        """The most probable class, in the task's codes."""
        return self.classes_[np.asarray(self.model.predict(X), dtype=np.intp)]

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n, classes it knows)
        """Probabilities of `classes_`."""
        return self.model.predict_proba(X)


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """A regressor that goes beyond the targets it learned from by half of their range, and no further.

    One cell far outside what was learned from, a mistyped one say, takes what is linear in it, or a product, far away.
    """

    model: Any
    low: float
    high: float

    @classmethod
    def by(cls, model: Any, y: NDArray[np.float64]) -> Self:
        """Bounds for a model that learned from these targets, (n,)."""
        low, high = float(y.min()), float(y.max())
        beyond = BEYOND * (high - low)
        return cls(model, low - beyond, high + beyond)

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n,)
        """Values; those that are not finite stay as they are, and fail as such."""
        values = predict_aligned(self.model, X, "regression", 0)
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
    """Builds and fits a configuration on some rows of a task: a model with predict, predict_proba and classes_.

    Classes that these rows lack are closed up, because not every library takes codes with gaps; where there is
    one class only, it is predicted. After `seconds` a learner that grows tree by tree ends with those there are.
    """
    from autometa.families import build, limit_growth

    X, y = task.X.iloc[rows], np.asarray(task.y)[rows]
    model: Any = build(config, task.columns, task.kind, n_rows=len(rows), seed=seed, threads=threads, device=device)
    limit_growth(model, seconds)
    if task.kind == "regression":
        return Bounded.by(model.fit(X, y), y)
    present, codes = np.unique(y, return_inverse=True)
    if len(present) == task.c:
        return model.fit(X, y)
    if len(present) == 1:
        from sklearn.dummy import DummyClassifier

        model = DummyClassifier(strategy="prior")
    return ClosedUp(model.fit(X, codes), present)


def predict_aligned(model: Any, X: pd.DataFrame, kind: str, n_classes: int) -> NDArray[np.float64]:
    """(n,) values, or (n, c) probabilities of all classes, rows summing to one; 0 for a class that it never saw."""
    if kind == "regression":
        return np.asarray(model.predict(X), dtype=np.float64).reshape(len(X))
    out = np.zeros((len(X), n_classes))
    if hasattr(model, "predict_proba"):
        out[:, np.asarray(model.classes_, dtype=np.intp)] = model.predict_proba(X)
    else:
        out[np.arange(len(X)), np.asarray(model.predict(X), dtype=np.intp)] = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # a row of zeros becomes NaN, and fails as such
        return out / out.sum(axis=1, keepdims=True)


def evaluate(
    task: Task,
    config: Config,
    splits: Splits,
    *,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    rival: Sequence[float] | None = None,
    deadline: float | None = None,
    keep_models: Path | None = None,
    keep_above: float | None = None,
    calibrate: bool = False,
    growth: float | None = None,
    origin: str = "search",
) -> Outcome:
    """Tries one configuration in this process. Never raises for what the configuration does.

    Args:
        task: The table, target, kind and metric.
        config: A configuration of the CASH space.
        splits: Those of `plan_splits` for this very task.
        seed: Of the models.
        threads: CPU threads that fitting and predicting may take.
        device: Where a family that can choose runs, ``cpu`` or ``cuda``.
        rival: Per-fold scores, in the task's metric, of the evaluation that must be in reach for this one to go on
            (the incumbent, or the last one that still matters); None lets it finish.
        deadline: Seconds from now. A fold that would not finish by then is not begun.
        keep_models: File to pickle a list of the fitted models to, one per fold, when the evaluation is complete.
        keep_above: Keep them only if the score reaches this.
        calibrate: Where the task's metric judges how sure a prediction is, judge all folds at their best temperature:
            for whoever tempers what the model says later on. Predictions are handed on as they were.
        growth: Seconds of the whole evaluation that a model which grows by trees or epochs aims at: it ends with those
            that the first fold had time for, and then the evaluation is of the configuration with so many. None for no
            aim.
        origin: Why it was tried, for the record.
    """
    outcome = None
    for outcome in _evaluate(  # noqa: B007 - the last one counts
        task, config, splits, seed=seed, threads=threads, device=device, rival=rival, deadline=deadline,
        keep_models=keep_models, keep_above=keep_above, calibrate=calibrate, growth=growth, origin=origin,
    ):  # fmt: skip
        pass
    assert outcome is not None
    return outcome


def _evaluate(
    task: Task,
    config: Config,
    splits: Splits,
    *,
    seed: int,
    threads: int,
    device: str,
    rival: Sequence[float] | None,
    deadline: float | None,
    keep_models: Path | None,
    keep_above: float | None,
    calibrate: bool,
    growth: float | None,
    origin: str,
) -> Iterator[Outcome]:
    """The outcome so far, after every fold, so that one that is killed leaves what it had finished."""
    from autometa.families import as_grown

    if splits.n != task.n:
        raise ValueError(f"the splits are of {splits.n} rows, the task has {task.n}")
    began = time.monotonic()
    total = np.zeros((task.n, task.c) if task.kind != "regression" else task.n)
    times_predicted = np.zeros(task.n, dtype=np.intp)
    folds: dict[str, tuple[float, ...]] = {}
    fit_seconds = predict_seconds = longest = 0.0
    models: list[Any] = []
    answers: list[tuple[NDArray[np.float64], NDArray[Any]]] = []  # per fold: what was predicted, and the truth
    sureness = calibrate and task.metric in JUDGE_SURENESS

    def so_far(state: State, reason: str | None) -> Outcome:
        evaluation = Evaluation(
            config=config,
            state=state,
            reason=reason,
            scores={metric: _mean(values) for metric, values in folds.items()},
            folds=dict(folds),
            fit_seconds=fit_seconds,
            predict_seconds=predict_seconds,
            peak_ram=_peak_ram(),
            seed=seed,
            rows=task.n,
            versions=_versions(config),
            origin=origin,
        )
        if not times_predicted.any():
            return Outcome(evaluation, None)
        times = np.where(times_predicted == 0, np.nan, times_predicted)
        return Outcome(evaluation, total / (times[:, None] if total.ndim == 2 else times))

    for number, (train, test) in enumerate(splits):
        where = f"in fold {number + 1} of {len(splits)}"
        own = folds.get(task.metric, ())
        if number and rival is not None and (why := _hopeless(own, rival)):
            yield so_far(State.STOPPED, f"{why}, after fold {number} of {len(splits)}")
            return
        if number and deadline is not None and time.monotonic() - began + longest > deadline:
            why = f"another fold of {longest:.3g} s would have passed the deadline of {deadline:.3g} s"
            yield so_far(State.TIMEOUT, f"{why}, after fold {number} of {len(splits)}")
            return
        fold_began = time.monotonic()
        growing = None
        if growth is not None and not number:  # the other folds grow as many as the first
            growing = GROWTH_SHARE * min(growth, math.inf if deadline is None else deadline) / len(splits)
        try:
            # Its warnings (no convergence, a constant column) are judged by its score.
            with warnings.catch_warnings(), _limited_threads(threads):
                warnings.simplefilter("ignore")
                clock = time.perf_counter()
                try:
                    model = fit_model(task, config, train, seed=seed, threads=threads, device=device, seconds=growing)
                    config = as_grown(config, model.model if isinstance(model, (Bounded, ClosedUp)) else model)
                finally:
                    fit_seconds += time.perf_counter() - clock
                clock = time.perf_counter()
                try:
                    prediction = predict_aligned(model, task.X.iloc[test], task.kind, task.c)
                finally:
                    predict_seconds += time.perf_counter() - clock
            if bad := int((~np.isfinite(prediction)).reshape(len(test), -1).any(axis=1).sum()):
                yield so_far(State.FAILED, f"predicted no finite number for {bad} of {len(test)} rows, {where}")
                return
            answers.append((prediction, np.asarray(task.y)[test]))
            # One temperature for all folds, as the model will have: once they are all there, all are judged at it.
            temperature = fit_temperature(*map(np.concatenate, zip(*answers, strict=True))) if sureness else 1.0
            first = 0 if sureness and number + 1 == len(splits) else number
            scores = [score_all(task.kind, y, tempered(p, temperature), task.c) for p, y in answers[first:]]
        except MemoryError as error:
            yield so_far(State.MEMORY, f"{describe_error(error)}, {where}")
            return
        except TimeoutError as error:
            yield so_far(State.TIMEOUT, f"{error}, {where}")
            return
        except Exception as error:  # noqa: BLE001 - a failed evaluation is data
            yield so_far(State.FAILED, f"{describe_error(error)}, {where}")
            return
        folds = {m: (*folds.get(m, ())[:first], *(fold[m] for fold in scores)) for m in scores[0]}
        total[test] += prediction
        times_predicted[test] += 1
        longest = max(longest, time.monotonic() - fold_began)
        if keep_models is not None:
            models.append(model)
        if number + 1 < len(splits):
            yield so_far(State.STOPPED, f"unfinished, after fold {number + 1} of {len(splits)}")
    complete = so_far(State.COMPLETE, None)
    yield complete
    if keep_models is not None and (keep_above is None or complete.evaluation.scores[task.metric] >= keep_above):
        _keep(models, keep_models)


def evaluate_isolated(
    isolation: Isolation,
    task_folder: Path,
    config: Config,
    splits: Splits,
    *,
    seconds: float,
    max_ram: int | None,
    oof_path: Path | None,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    rival: Sequence[float] | None = None,
    keep_models: Path | None = None,
    keep_above: float | None = None,
    calibrate: bool = False,
    growth: float | None = None,
    origin: str = "search",
) -> Evaluation:
    """`evaluate` in a process of its own, on a saved task; whatever happens to the process becomes a state.

    Args:
        isolation: Where processes come from.
        task_folder: Where `Task.save` wrote the task.
        config: As for `evaluate`, and so on below.
        splits: Those of `plan_splits` for this very task.
        seconds: Wall-clock seconds after which it is killed; what it had finished by then is kept.
        max_ram: Resident bytes of its process tree at which it is killed.
        oof_path: ``.npy`` file for the out-of-fold predictions of a complete evaluation, written whole or not at all.
        seed: Of the models.
        threads: CPU threads that fitting and predicting may take.
        device: ``cpu`` or ``cuda``.
        rival: Per-fold scores that must stay in reach.
        keep_models: File for the fitted models of a complete evaluation.
        keep_above: The score from which they are kept.
        calibrate: Judge all folds at their best temperature, where that matters.
        growth: Seconds that a model which grows by trees or epochs aims at.
        origin: Why it was tried.

    Raises:
        Cancelled: If `Isolation.cancel_all` was called meanwhile.
    """
    unborn = Evaluation(config, State.CRASHED, None, {}, {}, 0.0, 0.0, 0, seed, splits.n, {}, origin)
    options = {
        "seed": seed,
        "threads": threads,
        "device": device,
        "rival": rival,
        "deadline": seconds,
        "keep_models": None if keep_models is None else Path(keep_models).absolute(),
        "keep_above": keep_above,
        "calibrate": calibrate,
        "growth": growth,
        "origin": origin,
    }
    folder, oof = Path(task_folder).absolute(), None if oof_path is None else Path(oof_path).absolute()
    try:
        returned = isolation.run(_trial, folder, config, splits, oof, options, seconds=seconds, max_ram=max_ram)
        return replace(returned.value, peak_ram=returned.peak_ram)
    except Killed as end:
        partial: Evaluation = end.partial or unborn
        peak = max(end.peak_ram, partial.peak_ram)
        if partial.state == State.COMPLETE:  # only its models were still being written
            return replace(partial, peak_ram=peak)
        finished = len(next(iter(partial.folds.values()), ()))
        where = f"in fold {finished + 1} of {len(splits)}"
        return replace(partial, state=end.state, reason=f"{end.reason}, {where}", peak_ram=peak)


def _trial(
    task_folder: Path, config: Config, splits: Splits, oof_path: Path | None, options: dict[str, Any]
) -> Iterator[Evaluation]:
    """What the process of a trial runs: the evaluation so far, and the predictions in a file once it is complete."""
    from autometa.task import Task

    began = time.monotonic()
    task = Task.load(task_folder)
    options["deadline"] -= time.monotonic() - began
    for outcome in _evaluate(task, config, splits, **options):
        if outcome.evaluation.state == State.COMPLETE and oof_path is not None and outcome.oof is not None:
            with _whole(oof_path) as file:
                np.save(file, outcome.oof)
        yield outcome.evaluation


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
    """Holds the thread pools of BLAS and OpenMP to so many; finding them costs 8 ms, so not where they are already."""
    if os.environ.get("OMP_NUM_THREADS") == str(threads):
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(threads)


def _peak_ram() -> int:
    """The largest resident size that this process has had, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _versions(config: Config) -> dict[str, str]:
    """Of scikit-learn, NumPy, and the library that the configuration's family needs."""
    from autometa.families import FAMILIES

    family = FAMILIES.get(config.get("family", ""))
    names = {"scikit-learn": "sklearn", "numpy": "numpy"}
    if family is not None and family.requires is not None:
        names[family.requires] = family.requires
    loaded = {name: sys.modules.get(module) for name, module in names.items()}
    # As plain strings: torch has a type of its own for its version, and who reads it has to load torch.
    return {name: str(module.__version__) for name, module in loaded.items() if module is not None}


class _Bounded(io.RawIOBase):
    """A file that refuses more than so many bytes."""

    def __init__(self, file: Any, limit: int) -> None:
        self.file, self.left = file, limit

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.left -= memoryview(data).nbytes
        if self.left < 0:
            raise OverflowError
        return self.file.write(data)


def _keep(models: list[Any], path: Path) -> None:
    """Pickles the models of all folds, unless they are too large or cannot be: then they are fitted again if needed."""
    with suppress(OverflowError, pickle.PicklingError, TypeError, AttributeError), _whole(path) as file:
        pickle.dump(models, _Bounded(file, KEPT_BYTES), protocol=5)


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that appears under its name when it is whole, or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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
