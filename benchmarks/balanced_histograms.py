"""What does it cost, and change, to find all edges of a column's bins at once under `class_weight="balanced"`?

    python benchmarks/balanced_histograms.py            eight tables, 5 folds, 3 minutes of one core
    python benchmarks/balanced_histograms.py --report   the table of what was measured

Histogram gradient boosting at its default, by scikit-learn as it is (edges of the bins among weighted rows), as the
family `hist_gradient_boosting` fits it (the same, all of a column at once), and with bins that do not know the weights.
Five folds of each table, the same for all, one thread: the AUC or the log loss of each fold, and processor seconds of
fitting, the smallest of `TIMES` runs. A difference is beyond noise from two standard errors of the paired folds on.
Appends JSON lines to `results/balanced_histograms.jsonl`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

from autometa.evaluation import METRICS, plan_splits
from autometa.families import build, cash_space
from autometa.families.learners.hist_gradient_boosting import QuicklyBinnedClassifier
from autometa.task import make_task

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results" / "balanced_histograms.jsonl"
TABLES = (
    "pc4", "qsar-biodeg", "sick", "ozone-level-8hr", "polish_bankruptcy_3year",
    "page-blocks", "hpc_data", "wall-robot-navigation",
)  # fmt: skip
MOST_ROWS = 5_000
TIMES = 1  # runs, of which the fastest counts


class UnweightedBins(HistGradientBoostingClassifier):
    """Bins that hold the same numbers of rows, whatever these weigh."""

    def _bin_data(self, X: NDArray[Any], sample_weight: NDArray[Any] | None, is_training_data: bool) -> NDArray[Any]:
        return super()._bin_data(X, None, is_training_data)


LEARNERS = {
    "weighted": HistGradientBoostingClassifier,
    "at once": QuicklyBinnedClassifier,
    "unweighted": UnweightedBins,
}


def folds_of(data: Path, name: str) -> tuple[Any, Iterator[tuple[NDArray[Any], NDArray[Any]]]]:
    """The task of a shared table, and its five folds."""
    frame = pd.read_parquet(data / "tabular" / f"{name}.parquet")
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0).reset_index(drop=True)
    task = make_task(frame, target="target", name=name)
    return task, iter(plan_splits(task, seed=0, folds=5))


def measure(data: Path, name: str) -> dict[str, Any]:
    """Scores and seconds of both on one table."""
    task, folds = folds_of(data, name)
    metric = METRICS["roc_auc" if task.kind == "binary" else "neg_log_loss"]
    config = cash_space(task.kind, ["hist_gradient_boosting"]).default
    pipeline = build(config, task.columns, task.kind, n_rows=task.n, seed=0)
    parameters = {"early_stopping": False, "class_weight": "balanced", "random_state": 0}
    scores: dict[str, list[float]] = {which: [] for which in LEARNERS}
    seconds = dict.fromkeys(LEARNERS, 0.0)
    for train, test in folds:
        prepare = clone(pipeline[:-1]).fit(task.X.iloc[train], task.y[train])
        X, unseen = prepare.transform(task.X.iloc[train]), prepare.transform(task.X.iloc[test])
        for which, learner in LEARNERS.items():
            took = []
            for _ in range(TIMES):
                model = learner(**parameters, categorical_features=list(range(len(task.columns.categorical))) or None)
                began = time.process_time()
                model.fit(X, task.y[train])
                took.append(time.process_time() - began)
            seconds[which] += min(took)
            said = np.zeros((len(test), task.c))
            said[:, model.classes_] = model.predict_proba(unseen)
            scores[which].append(metric.function(task.y[test], said))
    return {
        "dataset": name, "rows": task.n, "columns": task.p, "classes": task.c, "metric": metric.title,
        "scores": scores, "seconds": {which: round(value, 3) for which, value in seconds.items()},
        "versions": {package: version(package) for package in ("autometa-ml", "scikit-learn", "numpy")},
        "machine": {"processor": platform.processor() or platform.machine(), "load": os.getloadavg()[0]},
    }  # fmt: skip


def report() -> None:
    """Prints the table of the newest line of each dataset."""
    lines = {line["dataset"]: line for line in map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())}
    print(
        f"{'dataset':<24}{'rows':>6}{'columns':>9}{'bins':>12}{'score':>9}{'difference':>18}{'seconds':>9}{'faster':>8}"
    )
    for name, line in lines.items():
        for which, scores in line["scores"].items():
            off, took = np.array(scores) - line["scores"]["weighted"], line["seconds"][which]
            print(
                f"{name:<24}{line['rows']:>6}{line['columns']:>9}{which:>12}{np.mean(scores):>9.4f}{off.mean():>+9.4f}"
                f" ± {off.std(ddof=1) / np.sqrt(len(off)):.4f}{took:>9.2f}{line['seconds']['weighted'] / took:>8.1f}"
            )


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with catalog.csv and tabular/")
    parser.add_argument("--tables", nargs="+", default=TABLES, metavar="NAME")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        with (arguments.data / "catalog.csv").open(encoding="utf-8") as file:
            known = {row["name"] for row in csv.DictReader(file)}
        if lacking := [name for name in arguments.tables if name not in known]:
            parser.error(f"not in the catalogue: {', '.join(lacking)}")
        for name in arguments.tables:
            line = measure(arguments.data, name)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{name}: {line['seconds']}", flush=True)
    report()


if __name__ == "__main__":
    main()
