"""One cell: a method on a fold of a task, in a process of its own, and what came of it.

The parent splits the table and keeps the answers; the method gets the rows to learn from and the rows to predict, in a
process tree that has a deadline, a RAM cap and its own cores, and that dies with the parent. What it returns is scored
here, the same way for all. A method that fails, for whatever reason, gives a record that says why.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.bench.launch import launch
from autometa.bench.methods import METHODS
from autometa.bench.options import OPTIONS
from autometa.bench.results import Record
from autometa.bench.suite import BenchTask
from autometa.evaluation import Cancelled, Isolation, Killed, score_all
from autometa.moved import former
from autometa.passwords import without_password
from autometa.store import Exclusion

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class CellPrediction:
    """What a method returned: classes (c,) and probabilities (n, c), or no classes and values (n,)."""

    classes: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all cells of a method under a budget."""

    method: str
    budget: float  # seconds; 0 for a method that no budget changes
    cores: int
    seed: int
    python: Path  # the interpreter that runs it
    max_ram: int | None = None  # bytes of the whole process tree
    store: str | None = None  # that AutoMeta may read; None for the memory that ships with it

    @property
    def deadline(self) -> float:
        """Seconds after which the cell is killed: twice the budget and a minute; 15 minutes without one."""
        if not METHODS[self.method].timed:
            return OPTIONS.untimed_seconds
        return OPTIONS.deadline_budgets * self.budget + OPTIONS.deadline_grace


def split_to(task: BenchTask, fold: tuple[int, int], folder: Path) -> NDArray[Any]:  # (n,) the answers
    """Writes the tables of a fold to `folder`; the answers of the rows to predict are returned, and are not in it."""
    train, test = task.folds[fold]
    frame = _writable(task.frame)
    folder.mkdir(parents=True, exist_ok=True)
    frame.iloc[train].reset_index(drop=True).to_parquet(folder / "train.parquet", index=False)
    frame.iloc[test].drop(columns=task.target).reset_index(drop=True).to_parquet(folder / "test.parquet", index=False)
    return np.asarray(task.frame[task.target].iloc[test])


def run_cell(
    isolation: Isolation,
    task: BenchTask,
    fold: tuple[int, int],
    setting: Setting,
    data: Path,
    answers: NDArray[Any],
    folder: Path,
    *,
    exclude: Exclusion,
    cpus: Sequence[int] = (),
) -> tuple[Record, CellPrediction | None]:
    """Runs one cell to its end, its deadline or its cap; a method's own fault is data.

    Args:
        isolation: Where processes come from.
        task: The task.
        fold: (repeat, fold).
        setting: The method and its budget.
        data: Where `split_to` wrote.
        answers: (n,) what it returned.
        folder: The cell's own; created here and removed at the end.
        exclude: What AutoMeta must not remember.
        cpus: The cores to run on; empty for any.

    Raises:
        Cancelled: `isolation.cancel_all` was called meanwhile.
    """
    began = time.monotonic()
    record: Record = {
        "task": task.key, "name": task.name, "repeat": fold[0], "fold": fold[1], "method": setting.method,
        "budget": setting.budget, "cores": setting.cores, "seed": setting.seed, "kind": task.kind,
        "metric": task.metric, "rows": task.n, "columns": task.frame.shape[1] - 1, "classes": len(task.classes),
        "fingerprint": task.fingerprint, "family": task.family, "openml_id": task.openml_id, "task_id": task.task_id,
        "state": "complete", "reason": "", "score": None, "zero": constant_score(task, fold), "scores": {},
    }  # fmt: skip
    folder.mkdir(parents=True)
    try:
        prediction = None
        _order(task, setting, data, folder, exclude, cpus)
        record |= _run(isolation, setting, folder)
        if record["state"] == "complete":
            try:
                prediction, facts = _answer(folder, len(answers), task.kind)
                record |= facts
                scores = judged(task, answers, prediction)
            except (OSError, ValueError, KeyError) as error:
                reason = f"its prediction cannot be used: {error}"[: OPTIONS.reason_letters]
                record |= {"state": "failed", "reason": reason}
            else:
                record |= {"score": _finite(scores[task.metric]), "scores": {k: _finite(v) for k, v in scores.items()}}
                if record["score"] is None:
                    record |= {"state": "failed", "reason": f"{task.metric} of its prediction is undefined"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    record["overhead"] = round(time.monotonic() - began - record["seconds"], 3)  # seconds that were ours
    return record, prediction


def judged(task: BenchTask, answers: NDArray[Any], prediction: CellPrediction) -> dict[str, float]:
    """Every score that the prediction allows, larger is better; a class that the method does not know has nothing."""
    values = prediction.values
    if not task.classes:
        return score_all("regression", answers.astype(np.float64), values)
    if values.min() < 0 or not (values.sum(axis=1) > 0).all():
        raise ValueError("a row has no probabilities")
    shares = np.zeros((len(values), len(task.classes)))
    place = {label: i for i, label in enumerate(task.classes)}
    for column, label in enumerate(prediction.classes):
        shares[:, place[label]] = values[:, column]
    codes = np.array([place[label] for label in answers], dtype=np.intp)
    return score_all(task.kind, codes, shares / values.sum(axis=1, keepdims=True), len(task.classes))  # type: ignore[arg-type]


def constant_score(task: BenchTask, fold: tuple[int, int]) -> float | None:
    """What a prediction scores that looks at no feature: the mean of the rows learned, or their classes' shares."""
    train, test = (np.asarray(task.frame[task.target].iloc[rows]) for rows in task.folds[fold])
    if not task.classes:
        constant = CellPrediction((), np.full(len(test), train.astype(np.float64).mean()))
    else:
        labels, counts = np.unique(train.astype(str), return_counts=True)
        constant = CellPrediction(tuple(labels), np.tile(counts / counts.sum(), (len(test), 1)))
    return _finite(judged(task, test, constant)[task.metric])


def _order(
    task: BenchTask, setting: Setting, data: Path, folder: Path, exclude: Exclusion, cpus: Sequence[int]
) -> None:
    values = {
        "data": str(data), "method": setting.method, "kind": task.kind, "target": task.target, "metric": task.metric,
        "seconds": setting.budget, "cores": setting.cores, "seed": setting.seed,
        "store": None if setting.store is None else without_password(setting.store),
        "cpus": list(cpus),
        "exclude": {
            "fingerprints": sorted(exclude.fingerprints),
            "openml_ids": sorted(exclude.openml_ids),
            "families": sorted(exclude.families),
        },
    }  # fmt: skip
    (folder / "cell.json").write_text(json.dumps(values), encoding="utf-8")


def _run(isolation: Isolation, setting: Setting, folder: Path) -> Record:
    """How the process ended, in how many seconds, with how much memory."""
    program = [str(setting.python), str(Path(__file__).with_name("methods.py")), str(folder)]
    began = time.monotonic()
    state, reason, peak = "complete", "", 0
    try:
        ended = isolation.run(
            launch, program, folder, environment_of(setting), seconds=setting.deadline, max_ram=setting.max_ram
        )
        code, peak = ended.value, ended.peak_ram
        if code != 0:
            state, reason = ("failed", _last_words(folder)) if code > 0 else ("crashed", f"killed by signal {-code}")
            reason = reason or f"exit code {code}, and it said nothing"
    except Killed as killed:
        state, reason, peak = killed.state, str(killed), killed.peak_ram
    return {"state": state, "reason": reason, "seconds": round(time.monotonic() - began, 3), "peak_ram": peak}


def environment_of(setting: Setting) -> dict[str, str]:
    """What the method's process finds set: threads for its cores, no user's packages, AutoMeta where it is ours."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(setting.cores))
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    if METHODS[setting.method].environment == "own":
        kept["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    if setting.store is not None and "://" in setting.store:
        kept["AUTOMETA_STORE"] = setting.store  # where its password is found: in a file it would be kept
    return {**kept, **threads, "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"}


def _answer(folder: Path, n: int, kind: str) -> tuple[CellPrediction, Mapping[str, Any]]:
    with np.load(folder / "prediction.npz") as content:
        prediction = CellPrediction(tuple(str(c) for c in content["classes"]), content["prediction"])
    shape = (n,) if kind == "regression" else (n, len(prediction.classes))
    if prediction.values.shape != shape:
        raise ValueError(f"its shape is {prediction.values.shape}, not {shape}")
    if not np.isfinite(prediction.values).all():
        raise ValueError("a value is not finite")
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return prediction, {name: _finite(value) if isinstance(value, float) else value for name, value in facts.items()}


def _last_words(folder: Path) -> str:
    with (folder / "log").open("rb") as log:
        log.seek(max(log.seek(0, os.SEEK_END) - 4096, 0))
        lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[: OPTIONS.reason_letters] if lines else ""


def _writable(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of mixed things as text: parquet holds one type a column."""
    import pandas as pd

    mixed = [
        name
        for name, dtype in frame.dtypes.items()
        if dtype == np.dtype(object) and pd.api.types.infer_dtype(frame[name], skipna=True) not in ("string", "empty")
    ]
    return frame.assign(**{str(name): frame[name].map(str, na_action="ignore") for name in mixed}) if mixed else frame


def _finite(value: float) -> float | None:
    """None for what JSON cannot say."""
    return float(value) if math.isfinite(value) else None


__all__ = ["Cancelled", "CellPrediction", "Setting", "constant_score", "judged", "run_cell", "split_to"]


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
