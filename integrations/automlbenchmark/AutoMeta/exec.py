"""One fold of a task of the AutoML Benchmark, in AutoMeta's own environment.

The benchmark starts this file with the task on standard input, and wants a `result`: the labels, their probabilities
with the columns in the order of the labels' names, the truth, and what it took. Time, cores, memory, seed and metric
are those of the task and its constraint.

A benchmark never sees its own answer: whatever in AutoMeta's memory has the content of the whole table, its OpenML id,
its name or its family is left out, and nothing is written back.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

METRICS = {  # the benchmark's names; what is not here is left to the kind of task
    "auc": "roc_auc",
    "auc_ovo": "roc_auc_ovo",
    "auc_ovr": "roc_auc_ovr_weighted",
    "pr_auc": "average_precision",
    "logloss": "neg_log_loss",
    "acc": "accuracy",
    "balacc": "balanced_accuracy",
    "f1": "f1",
    "rmse": "neg_root_mean_squared_error",
    "mse": "neg_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "msle": "neg_mean_squared_log_error",
    "rmsle": "neg_root_mean_squared_log_error",
    "r2": "r2",
}
PARAMETERS = ("families", "trials", "cold")  # of the framework definition
MEGABYTE = 2**20  # bytes, as the benchmark counts memory
STARTED = time.monotonic()

log = logging.getLogger(__name__)


def run(dataset: Any, config: Any) -> Any:
    """Searches on the training rows and predicts the test rows."""
    import numpy as np
    import pandas as pd
    from frameworks.shared.callee import result

    from autometa.fitting import fit_file
    from autometa.search import load_model

    train, test = pd.read_parquet(dataset.train.path), pd.read_parquet(dataset.test.path)
    target, classifies = dataset.target.name, config.type == "classification"
    exclude = left_out_of_memory(pd.concat([train, test], ignore_index=True), dataset, config)
    with tempfile.TemporaryDirectory(prefix="autometa-") as folder:
        options = settings(config, exclude, folder)
        log.info("AutoMeta: %s", options)
        found = fit_file(
            dataset.train.path,
            target=target,
            metric=metric(config.metric, dataset.problem_type),
            settings=options,
            run=Path(folder) / "run",
            started=STARTED,
        )
        training = time.monotonic() - STARTED
        began = time.monotonic()
        model, features = load_model(Path(folder) / "run"), test.drop(columns=target)
        probabilities, labels = None, None
        if classifies:
            # The benchmark reads columns by the labels' names, in their order as text.
            names = [str(label) for label in model.classes]
            order = sorted(range(len(names)), key=names.__getitem__)
            labels, probabilities = [names[k] for k in order], model.predict_proba(features)[:, order]
            predictions = np.array(labels)[probabilities.argmax(axis=1)]
        else:
            predictions = model.predict(features)
        predicting = time.monotonic() - began
    # Arrays of text or numbers, never of objects: those are pickled, under names that the benchmark's numpy lacks.
    truth = np.array([str(label) for label in test[target]]) if classifies else test[target].to_numpy(np.float64)
    return result(
        output_file=config.output_predictions_file,
        predictions=predictions,
        truth=truth,
        probabilities=probabilities,
        probabilities_labels=labels,
        target_is_encoded=False,
        models_count=len(found.trials),
        training_duration=training,
        predict_duration=predicting,
    )


def metric(name: str | None, kind: str) -> str:
    """AutoMeta's name of the benchmark's metric, where it fits the kind of task; else the usual one of the kind."""
    from autometa.evaluation import METRIC_KINDS, metric_for

    meant = METRICS.get(name or "")
    if meant is None or kind not in METRIC_KINDS[meant]:
        log.warning("AutoMeta: no metric %r for a %s task; it optimises %s", name, kind, metric_for(kind))
        return str(metric_for(kind))
    return meant


def settings(config: Any, exclude: Any, folder: str) -> Any:
    """The search's settings out of the constraint and the framework's parameters."""
    from autometa.search import Settings, jobs_on

    given = {name: value for name, value in dict(config.framework_params or {}).items() if not name.startswith("_")}
    if unknown := sorted(set(given) - set(PARAMETERS)):
        raise ValueError(f"AutoMeta has no parameters {', '.join(unknown)}; known: {', '.join(PARAMETERS)}")
    if "families" in given:
        given["families"] = tuple(given["families"])
    megabytes = getattr(config, "max_mem_size_mb", None)
    return Settings(
        seconds=float(config.max_runtime_seconds),
        jobs=jobs_on(int(config.cores)),
        seed=int(config.seed) % 2**31 if config.seed is not None else 0,
        max_ram=int(megabytes * MEGABYTE) if megabytes and megabytes > 0 else None,  # of all processes together
        store=str(Path(folder) / "none.db"),  # which does not exist: the memory that AutoMeta ships with, and no other
        remember=False,
        exclude=exclude,
        **given,
    )


def left_out_of_memory(table: Any, dataset: Any, config: Any) -> Any:
    """What the memory must forget; the test rows are looked at for nothing else."""
    from autometa.bench import bench_task, left_out
    from autometa.store import MetaStore

    task = bench_task(
        table,
        key=config.name,
        name=config.name,
        target=dataset.target.name,
        kind=dataset.problem_type,
        openml_id=getattr(dataset, "openml_dataset_id", None),
        task_id=getattr(config, "openml_task_id", None),
        splits=(),
    )
    return left_out(task, MetaStore.with_shipped("none.db").tasks(space=None))


if __name__ == "__main__":
    sys.path = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]
    from frameworks.shared.callee import call_run

    call_run(run)
