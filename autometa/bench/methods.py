"""The methods that can be compared: functions that learn a training table and predict a test table.

This file is a program as well. The interpreter of the method's own environment runs it, where nothing of AutoMeta need
be installed, so it imports nothing at the top that Python does not bring:

    python methods.py FOLDER

FOLDER holds ``cell.json`` (what `Cell` reads) and receives ``prediction.npz``, with the classes (c,) and probabilities
(n, c), or the values (n,), and ``facts.json``. The tables are ``train.parquet``, whose last column is the target (text
for a classification, numbers for a regression), and ``test.parquet``, which lacks it.

To add a method, write a function and give it a line in `METHODS`.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Answers = tuple[Any, np.ndarray]  # the classes (c,) or None, and (n, c) or (n,)

OWN = "own"  # the environment that AutoMeta itself lives in
# Tuned numbers stand here and not in `options`: this file runs where nothing of AutoMeta is installed.
FOREST_TREES, FOREST_STEP = 2_000, 50  # the AutoML Benchmark's random forest: so many trees, unless the time is over
# A family whose three folds take longer is no candidate for the best default. Judgement, not measured.
PATIENCE_SECONDS = 20.0

# What the libraries call a scorer of scikit-learn; what is not here they optimise by their own default.
_FLAML = {
    "roc_auc": "roc_auc",
    "neg_log_loss": "log_loss",
    "accuracy": "accuracy",
    "f1": "f1",
    "f1_macro": "macro_f1",
    "r2": "r2",
    "neg_root_mean_squared_error": "rmse",
    "neg_mean_squared_error": "mse",
    "neg_mean_absolute_error": "mae",
}
_AUTOGLUON = {
    "roc_auc": "roc_auc",
    "neg_log_loss": "log_loss",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1": "f1",
    "f1_macro": "f1_macro",
    "r2": "r2",
    "neg_root_mean_squared_error": "root_mean_squared_error",
    "neg_mean_squared_error": "mean_squared_error",
    "neg_mean_absolute_error": "mean_absolute_error",
}


@dataclass
class Cell:
    """What a method is given, and the facts that it leaves behind."""

    folder: Path  # its own, to write in
    data: Path  # where the tables are
    method: str
    kind: str  # binary, multiclass or regression
    target: str
    metric: str  # scorer name of scikit-learn
    seconds: float  # the budget
    cores: int
    seed: int
    store: str | None = None  # of AutoMeta; None for the memory that ships with it
    exclude: dict[str, list[Any]] = field(default_factory=dict)  # what AutoMeta must not remember
    cpus: list[int] = field(default_factory=list)  # to run on; empty for the first `cores` there are
    facts: dict[str, Any] = field(default_factory=dict)

    def tables(self) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
        """Training features, training target and test features, under plain names that every library accepts."""
        import pandas as pd

        train, test = pd.read_parquet(self.data / "train.parquet"), pd.read_parquet(self.data / "test.parquet")
        y = train.pop(self.target)
        train.columns = test.columns = [f"c{i}" for i in range(train.shape[1])]
        return train, y, test

    @contextlib.contextmanager
    def clock(self, name: str = "fit_seconds") -> Iterator[None]:
        """Measures what the block takes: what the budget covers, under the name that it has by default."""
        started = time.monotonic()
        yield
        self.facts[name] = round(time.monotonic() - started, 3)

    @property
    def classifies(self) -> bool:
        """Whether labels are predicted, with their probabilities."""
        return self.kind != "regression"


def autometa(cell: Cell, *, cold: bool = False) -> Answers:
    """`autometa fit` with a memory that has never seen the task, and to which nothing is added."""
    import pandas as pd

    from autometa.fitting import fit_file
    from autometa.search import Settings, jobs_on, load_model
    from autometa.store import Exclusion

    settings = Settings(
        seconds=cell.seconds,
        jobs=jobs_on(cell.cores),
        seed=cell.seed,
        cold=cold,
        store=cell.store or str(cell.folder / "store.db"),  # which does not exist: the shipped memory alone
        remember=False,
        exclude=Exclusion(**{name: frozenset(values) for name, values in cell.exclude.items()}),
    )
    with cell.clock():
        result = fit_file(
            cell.data / "train.parquet",
            target=cell.target,
            metric=cell.metric,
            settings=settings,
            run=cell.folder / "run",
        )
    cell.facts |= {
        "trials": len(result.trials),
        "validation": result.score,
        "winner": result.best.evaluation.config["family"],
        # whom it learned from, so that anybody can check that the task itself is not among them
        "past": sorted({evidence.task for r in result.recommendations for evidence in r.evidence}),
    }
    test = pd.read_parquet(cell.data / "test.parquet")
    with cell.clock("predict_seconds"):
        model = load_model(cell.folder / "run")
        return (model.classes, model.predict_proba(test)) if cell.classifies else (None, model.predict(test))


def cold(cell: Cell) -> Answers:
    """The same program and the same space without memory: Optuna's TPE from the first trial on."""
    return autometa(cell, cold=True)


def default(cell: Cell) -> Answers:
    """Every suited family's default in cross-validation, the best of them fitted on all rows.

    It is held to no budget, except that a family whose folds take more than `PATIENCE_SECONDS` is left out: it stands
    for what a patient person gets without any tuning.
    """
    import pandas as pd

    from autometa.evaluation import METRIC_KINDS, Attempt, Isolation, evaluate_isolated, plan_splits
    from autometa.families import available, build, cash_space, suited
    from autometa.task import make_task

    train, test = pd.read_parquet(cell.data / "train.parquet"), pd.read_parquet(cell.data / "test.parquet")
    with cell.clock():
        task = make_task(
            train, target=cell.target, metric=cell.metric, kind=cell.kind, name="train",
            keep_lone_classes=True, known_metrics=METRIC_KINDS,
        )  # fmt: skip
        task.save(cell.folder / "task")
        splits = plan_splits(task, seed=cell.seed, folds=3)
        space = cash_space(task.kind)
        left_out = suited(task, available(task.kind))
        scores: dict[str, float] = {}
        with Isolation() as isolation:
            for config in space.defaults():
                if config["family"] in left_out:
                    continue
                evaluation = evaluate_isolated(
                    isolation, cell.folder / "task", Attempt(config, splits, cell.seed, threads=cell.cores),
                    seconds=PATIENCE_SECONDS,
                )  # fmt: skip
                if evaluation.state == "complete":
                    scores[config["family"]] = evaluation.scores[cell.metric]
        winner = max(scores, key=scores.__getitem__)
        model = build(
            space.complete({"family": winner}), task.columns, task.kind,
            n_rows=task.n, seed=cell.seed, threads=cell.cores,
        )  # fmt: skip
        model.fit(task.X, task.y)
    cell.facts |= {"winner": winner, "validation": scores[winner], "defaults": scores}
    X = task.schema.apply(test)
    with cell.clock("predict_seconds"):
        return (task.classes, model.predict_proba(X)) if cell.classifies else (None, model.predict(X))


def forest(cell: Cell, trees: int = FOREST_TREES) -> Answers:
    """A random forest, as the AutoML Benchmark has it for a baseline: it grows to its size or until the time ends."""
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    X, y, test = cell.tables()
    for name in X.columns:
        if not pd.api.types.is_numeric_dtype(X[name].dtype) or isinstance(X[name].dtype, pd.CategoricalDtype):
            codes = {value: code for code, value in enumerate(sorted(map(str, X[name].dropna().unique())))}
            X[name], test[name] = (t[name].map(lambda v, codes=codes: codes.get(str(v), np.nan)) for t in (X, test))
    X, test = X.astype(float).fillna(X.astype(float).median()), test.astype(float)
    X, test = X.fillna(0.0), test.fillna(X.median()).fillna(0.0)
    make = RandomForestClassifier if cell.classifies else RandomForestRegressor
    model = make(n_estimators=0, warm_start=True, n_jobs=cell.cores, random_state=cell.seed)
    started = step = time.monotonic()
    with cell.clock():
        while model.n_estimators < trees:
            model.n_estimators += FOREST_STEP
            model.fit(X, y)
            now = time.monotonic()
            if now - started + (now - step) > cell.seconds:  # the next trees would not be ready in time
                break
            step = now
    cell.facts["trees"] = model.n_estimators
    with cell.clock("predict_seconds"):
        return (model.classes_, model.predict_proba(test)) if cell.classifies else (None, model.predict(test))


def lightgbm(cell: Cell) -> Answers:
    """LightGBM as it comes, with its own treatment of categories and missing values."""
    import lightgbm as library
    import pandas as pd

    X, y, test = cell.tables()
    for name in X.columns:
        if not pd.api.types.is_numeric_dtype(X[name].dtype) and not isinstance(X[name].dtype, pd.CategoricalDtype):
            X[name] = X[name].astype("category")
            test[name] = test[name].astype(X[name].dtype)
    make = library.LGBMClassifier if cell.classifies else library.LGBMRegressor
    with cell.clock():
        model = make(n_jobs=cell.cores, random_state=cell.seed, verbose=-1).fit(X, y)
    with cell.clock("predict_seconds"):
        return (model.classes_, model.predict_proba(test)) if cell.classifies else (None, model.predict(test))


def flaml(cell: Cell) -> Answers:
    """FLAML with its defaults, as the AutoML Benchmark calls it."""
    from flaml import AutoML  # type: ignore[import-not-found]

    X, y, test = cell.tables()
    model = AutoML()
    with cell.clock():
        model.fit(
            X,
            y,
            task="classification" if cell.classifies else "regression",
            metric=_FLAML.get(cell.metric, "auto"),
            time_budget=cell.seconds,
            n_jobs=cell.cores,
            seed=cell.seed,
            verbose=0,
        )
    cell.facts |= {"winner": model.best_estimator, "validation": -model.best_loss}
    with cell.clock("predict_seconds"):
        return (model.classes_, model.predict_proba(test)) if cell.classifies else (None, model.predict(test))


def autogluon(cell: Cell, **options: Any) -> Answers:
    """AutoGluon with its defaults."""
    from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found]

    X, y, test = cell.tables()
    predictor = TabularPredictor(
        label="target",
        problem_type=cell.kind,
        eval_metric=_AUTOGLUON.get(cell.metric),
        path=str(cell.folder / "autogluon"),
        verbosity=0,
    )
    with cell.clock():
        predictor.fit(X.assign(target=y), time_limit=cell.seconds, num_cpus=cell.cores, num_gpus=0, **options)
    cell.facts |= {"winner": predictor.model_best, "trials": len(predictor.model_names())}
    with cell.clock("predict_seconds"):
        if not cell.classifies:
            return None, predictor.predict(test).to_numpy()
        proba = predictor.predict_proba(test)
        return proba.columns.to_numpy(), proba.to_numpy()


def autogluon_best(cell: Cell) -> Answers:
    """AutoGluon's `best_quality` without the rehearsal that it begins with.

    That takes a quarter of the time, and where a quarter is too short for one model the whole fit ends without any
    (1.6.3 at 10 s): this is the better opponent where time is short. ``autogluon-best_quality`` is the preset as it is.
    """
    return autogluon(cell, presets="best_quality", dynamic_stacking=False)


# The presets of AutoGluon 1.6.3 that bag, as they come; `_v150` have the portfolio of December 2025 and do not stack.
_PRESETS = ("good_quality", "high_quality", "high_quality_v150", "best_quality", "best_quality_v150")


@dataclass(frozen=True)
class Method:
    """What is known of a method without running it."""

    function: Callable[[Cell], Any]
    title: str
    environment: str = OWN  # its interpreter's: `OWN`, or a name in `environments.PACKAGES`
    timed: bool = True  # whether a budget changes what it does; otherwise it is run once, under budget 0


METHODS = {
    "autometa": Method(autometa, "AutoMeta"),
    "cold": Method(cold, "cold TPE"),
    "default": Method(default, "best default", timed=False),
    "rf": Method(forest, "random forest"),
    "rf50": Method(partial(forest, trees=50), "forest of 50 trees"),  # what anybody has at once
    "lightgbm": Method(lightgbm, "LightGBM default", timed=False),
    "flaml": Method(flaml, "FLAML", "flaml"),
    "autogluon": Method(autogluon, "AutoGluon", "autogluon"),
    "autogluon-best": Method(autogluon_best, "AutoGluon best quality", "autogluon"),
    **{
        f"autogluon-{preset}": Method(partial(autogluon, presets=preset), f"AutoGluon {preset}", "autogluon")
        for preset in _PRESETS
    },
}
# The presets need more than some minutes each, and the small forest is for seconds.
DEFAULT_METHODS = tuple(name for name in METHODS if name != "rf50" and not name.startswith("autogluon-"))

_VERSIONS = (
    "autometa-ml", "autogluon.tabular", "catboost", "flaml", "lightgbm", "optuna", "pandas", "scikit-learn", "torch",
    "xgboost", "xgboost-cpu",
)  # fmt: skip


def main(folder: Path) -> None:
    """Runs the cell whose ``cell.json`` is in `folder`, and leaves its prediction and facts there."""
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [p for p in sys.path if str(Path(p or ".").resolve()) != here]  # these files are no top-level modules
    values = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
    cell = Cell(folder=folder, **{**values, "data": Path(values["data"])})
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cell.cpus or sorted(os.sched_getaffinity(0))[: cell.cores])
    import warnings

    import numpy as np

    warnings.simplefilter("ignore")
    classes, prediction = METHODS[cell.method].function(cell)
    names = np.array([], dtype=str) if classes is None else np.array([str(c) for c in classes])
    np.savez_compressed(folder / "prediction.npz", classes=names, prediction=np.asarray(prediction, dtype=float))
    from importlib.metadata import PackageNotFoundError, version

    cell.facts["versions"] = versions = {}
    for name in _VERSIONS:
        with contextlib.suppress(PackageNotFoundError):
            versions[name.removesuffix("-ml")] = version(name)
    (folder / "facts.json").write_text(json.dumps(cell.facts), encoding="utf-8")


if __name__ == "__main__":  # processes that a method starts may import this file too
    main(Path(sys.argv[1]))
