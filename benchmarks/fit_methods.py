"""The methods that `benchmarks/fit.py` compares: functions that learn a training table and predict a test table.

`fit.py` runs this file as a program of its own in the environment of the method (nothing of AutoMeta is imported for
the methods of others), with two parquet files as input and one `.npz` file as output:

    python fit_methods.py METHOD FOLDER SECONDS CORES SEED FAMILY

FOLDER holds ``train.parquet`` and ``test.parquet`` (the last column of the first is ``target``: text for a
classification, a number for a regression; the second has none) and ``kind``; it receives ``prediction.npz`` with the
classes (c,) and the probabilities (n, c), or the values (n,), and ``facts.json``. To add a method, write a function and
give it a line in `METHODS`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

METRICS = {"binary": "roc_auc", "multiclass": "neg_log_loss", "regression": "neg_root_mean_squared_error"}


@dataclass
class Cell:
    """What a method is given, and the facts that it leaves behind."""

    folder: Path
    kind: str
    seconds: float
    cores: int
    seed: int
    family: str  # dataset family: what AutoMeta must not remember
    facts: dict[str, Any] = field(default_factory=dict)

    def tables(self) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
        """Training features, training target and test features, under plain names that every library accepts."""
        import pandas as pd

        train, test = pd.read_parquet(self.folder / "train.parquet"), pd.read_parquet(self.folder / "test.parquet")
        y = train.pop("target")
        train.columns = test.columns = [f"c{i}" for i in range(train.shape[1])]
        return train, y, test

    @contextlib.contextmanager
    def clock(self, name: str = "fit_seconds") -> Any:
        """Measures what the budget covers."""
        started = time.monotonic()
        yield
        self.facts[name] = round(time.monotonic() - started, 3)


Prediction = "tuple[np.ndarray | None, np.ndarray]"  # the classes (c,) or None, and (n, c) or (n,)


def autometa(cell: Cell, *, cold: bool = False) -> Prediction:
    """`autometa fit` with the shipped memory, less the family of this dataset."""
    import pandas as pd

    from autometa.estimator import fit_file, load_model
    from autometa.search import Settings
    from autometa.store import Exclusion

    settings = Settings(
        seconds=cell.seconds,
        jobs=cell.cores,
        seed=cell.seed,
        cold=cold,
        store=str(cell.folder / "store.db"),
        exclude=Exclusion(families=frozenset({cell.family})),
    )
    with cell.clock():
        result = fit_file(
            cell.folder / "train.parquet",
            target="target",
            metric=METRICS[cell.kind],
            settings=settings,
            run=cell.folder / "run",
        )
    cell.facts |= {
        "trials": len(result.trials),
        "validation": result.score,
        "winner": result.best.evaluation.config["family"],
    }
    model, test = load_model(cell.folder / "run"), pd.read_parquet(cell.folder / "test.parquet")
    if cell.kind == "regression":
        return None, model.predict(test)
    return model.classes, model.predict_proba(test)


def autometa_cold(cell: Cell) -> Prediction:
    """The same program and the same space without memory: Optuna's TPE from the first trial on."""
    return autometa(cell, cold=True)


def best_default(cell: Cell) -> Prediction:
    """Every suited family's default in cross-validation, the best of them fitted on all rows.

    It is held to no budget, except that a family whose three folds take more than 20 s is left out: it stands for what
    a patient person gets without any tuning.
    """
    import pandas as pd

    from autometa.evaluation import evaluate_isolated, plan_splits
    from autometa.evaluation.isolation import Isolation
    from autometa.families import available, build, cash_space, suited
    from autometa.task import make_task

    train, test = pd.read_parquet(cell.folder / "train.parquet"), pd.read_parquet(cell.folder / "test.parquet")
    metric = METRICS[cell.kind]
    with cell.clock():
        task = make_task(train, target="target", metric=metric, kind=cell.kind, name="train")
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
                    isolation,
                    cell.folder / "task",
                    config,
                    splits,
                    seconds=20.0,
                    max_ram=None,
                    oof_path=None,
                    seed=cell.seed,
                    threads=cell.cores,
                )
                if evaluation.state == "complete":
                    scores[config["family"]] = evaluation.scores[metric]
        winner = max(scores, key=scores.__getitem__)
        model = build(
            space.complete({"family": winner}),
            task.columns,
            task.kind,
            n_rows=task.n,
            seed=cell.seed,
            threads=cell.cores,
        )
        model.fit(task.X, task.y)
    cell.facts |= {"winner": winner, "validation": scores[winner], "defaults": scores}
    X = task.schema.apply(test)
    if cell.kind == "regression":
        return None, model.predict(X)
    return task.classes, model.predict_proba(X)


def lightgbm_default(cell: Cell) -> Prediction:
    """LightGBM as it comes, with its own treatment of categories and missing values."""
    import lightgbm

    X, y, test = cell.tables()
    for column in X.columns[[not hasattr(d, "categories") and d.kind not in "biuf" for d in X.dtypes]]:
        X[column] = X[column].astype("category")
        test[column] = test[column].astype(X[column].dtype)
    make = lightgbm.LGBMRegressor if cell.kind == "regression" else lightgbm.LGBMClassifier
    with cell.clock():
        model = make(n_jobs=cell.cores, random_state=cell.seed, verbose=-1).fit(X, y)
    return (None, model.predict(test)) if cell.kind == "regression" else (model.classes_, model.predict_proba(test))


def flaml(cell: Cell) -> Prediction:
    """FLAML with its defaults, as the AutoML Benchmark calls it."""
    from flaml import AutoML

    X, y, test = cell.tables()
    model = AutoML()
    with cell.clock():
        model.fit(
            X,
            y,
            task="regression" if cell.kind == "regression" else "classification",
            metric={"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[cell.kind],
            time_budget=cell.seconds,
            n_jobs=cell.cores,
            seed=cell.seed,
            verbose=0,
        )
    cell.facts |= {"winner": model.best_estimator, "validation": -model.best_loss}
    return (None, model.predict(test)) if cell.kind == "regression" else (model.classes_, model.predict_proba(test))


def autogluon(cell: Cell, **options: Any) -> Prediction:
    """AutoGluon with its defaults."""
    from autogluon.tabular import TabularPredictor

    X, y, test = cell.tables()
    predictor = TabularPredictor(
        label="target",
        problem_type=cell.kind,
        eval_metric={"binary": "roc_auc", "multiclass": "log_loss", "regression": "root_mean_squared_error"}[cell.kind],
        path=str(cell.folder / "autogluon"),
        verbosity=0,
    )
    with cell.clock():
        predictor.fit(X.assign(target=y), time_limit=cell.seconds, num_cpus=cell.cores, num_gpus=0, **options)
    cell.facts |= {"winner": predictor.model_best, "trials": len(predictor.model_names())}
    if cell.kind == "regression":
        return None, predictor.predict(test).to_numpy()
    proba = predictor.predict_proba(test)
    return proba.columns.to_numpy(), proba.to_numpy()


def autogluon_best(cell: Cell) -> Prediction:
    """AutoGluon with the preset that it enters in the AutoML Benchmark: bagging and stacking.

    Without the rehearsal that this preset begins with: it takes a quarter of the time, and where that quarter is too
    short for one model the whole fit ends without any (1.6.3 at 10 s).
    """
    return autogluon(cell, presets="best_quality", dynamic_stacking=False)


METHODS: dict[str, tuple[Callable[[Cell], Any], str]] = {  # method, and the environment it lives in
    "autometa": (autometa, ".venv"),
    "autometa-cold": (autometa_cold, ".venv"),
    "best-default": (best_default, ".venv"),
    "lightgbm-default": (lightgbm_default, ".venv"),
    "flaml": (flaml, ".venvs/flaml"),
    "autogluon": (autogluon, ".venvs/autogluon"),
    "autogluon-best": (autogluon_best, ".venvs/autogluon"),
}
UNTIMED = ("best-default", "lightgbm-default")  # what a budget does not change: run once


def main() -> None:
    """Runs one cell."""
    name, folder, seconds, cores, seed, family = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    import warnings

    import numpy as np

    warnings.simplefilter("ignore")
    kind = Path(folder, "kind").read_text(encoding="utf-8")
    cell = Cell(Path(folder), kind, float(seconds), int(cores), int(seed), family)
    classes, prediction = METHODS[name][0](cell)
    names = np.array([], dtype=str) if classes is None else np.array([str(c) for c in classes])
    np.savez(cell.folder / "prediction.npz", classes=names, prediction=np.asarray(prediction, dtype=float))
    from importlib.metadata import distributions

    wanted = {
        "autometa",
        "lightgbm",
        "scikit-learn",
        "optuna",
        "flaml",
        "autogluon.tabular",
        "xgboost",
        "xgboost-cpu",
        "catboost",
        "torch",
        "pandas",
    }
    cell.facts["versions"] = {
        d.metadata["Name"].lower(): d.version for d in distributions() if d.metadata["Name"].lower() in wanted
    }
    (cell.folder / "facts.json").write_text(json.dumps(cell.facts), encoding="utf-8")


if __name__ == "__main__":  # forkserver children import this file too
    main()
