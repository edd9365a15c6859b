"""What AutoGluon takes for a row, and how well its quantiles hold; `practice.py autogluon` runs it where AutoGluon is.

    python benchmarks/autogluon_rows.py latency TRAIN TEST KIND
    python benchmarks/autogluon_rows.py coverage TRAIN TEST KIND SECONDS
    python benchmarks/autogluon_rows.py first FOLDER ROW

The strongest forms that its documentation names: `persist` keeps models in memory, `clone_for_deployment` and
`refit_full` keep what answers, one model for each bag. Prints one JSON object.

Letters:  n rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LEVELS = (0.8, 0.9, 0.95)
MODELS = {"GBM": {}, "LR": {}}  # as AutoMeta's: LightGBM and a linear model


def milliseconds(predictor: Any, rows: pd.DataFrame) -> tuple[float, float]:
    """Of one row at a time, the median of all but ten: the wall's and the processor's."""
    took = []
    for k in range(len(rows)):
        row = rows.iloc[[k]]
        wall, processor = time.perf_counter(), time.process_time()
        predictor.predict(row)
        took.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)))
    wall, processor = np.median(took[10:], axis=0).tolist()
    return wall, processor


def latency(train: pd.DataFrame, test: pd.DataFrame, kind: str) -> dict[str, Any]:
    """Of bags of five models, and of what is refitted and cloned for deployment; both kept in memory."""
    from autogluon.tabular import TabularPredictor

    rows = test.drop(columns="target").head(110)
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("target", path=f"{folder}/bags", problem_type=kind, verbosity=0)
        predictor.fit(train, hyperparameters=MODELS, num_bag_folds=5, num_bag_sets=1, num_cpus=2)
        predictor.persist()
        wall, processor = milliseconds(predictor, rows)
        found: dict[str, Any] = {"search_wall": wall, "search_cpu": processor}
        predictor.refit_full()
        small = predictor.clone_for_deployment(f"{folder}/small", return_clone=True)
        small.persist()
        wall, processor = milliseconds(small, rows)
        found |= {"search_compact_wall": wall, "search_compact_cpu": processor}
        rows.head(1).to_parquet(f"{folder}/row.parquet")
        command = [sys.executable, __file__, "first", f"{folder}/small", f"{folder}/row.parquet"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        return found | json.loads(ran.stdout.splitlines()[-1])


def first(folder: str, row: str) -> dict[str, Any]:
    """Processor's seconds of loading in a new process, and of the first answer there."""
    from autogluon.tabular import TabularPredictor

    predictor = TabularPredictor.load(folder)
    loaded, modules = time.process_time(), len(sys.modules)
    table = pd.read_parquet(row)
    read = time.process_time()
    predictor.predict(table)
    return {"load_s": loaded, "first_s": time.process_time() - read, "modules": modules}


def coverage(train: pd.DataFrame, test: pd.DataFrame, seconds: float) -> dict[str, Any]:
    """How many truths lie between its quantiles, and how far these are apart, in standard deviations of the target."""
    from autogluon.tabular import TabularPredictor

    tails = sorted({round(side, 3) for level in LEVELS for side in ((1 - level) / 2, (1 + level) / 2)})
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(
            "target", path=folder, problem_type="quantile", quantile_levels=tails, verbosity=0
        ).fit(train, time_limit=seconds, num_cpus=2)
        answers = predictor.predict(test.drop(columns="target"))
    found: dict[str, Any] = {}
    y, spread = test["target"].to_numpy(), float(test["target"].std())
    for level in LEVELS:
        low, high = answers[round((1 - level) / 2, 3)].to_numpy(), answers[round((1 + level) / 2, 3)].to_numpy()
        name = f"{level:.0%}".rstrip("%")
        found[f"covered_{name}"] = float(((low <= y) & (y <= high)).mean())
        found[f"width_{name}"] = float((high - low).mean()) / spread
    return found


def main() -> None:
    """One measure, printed."""
    from importlib.metadata import version

    what, one, other, *more = sys.argv[1:]
    if what == "first":
        print(json.dumps(first(one, other)))
        return
    train, test = pd.read_parquet(Path(one)), pd.read_parquet(Path(other))
    found = latency(train, test, more[0]) if what == "latency" else coverage(train, test, float(more[1]))
    print(json.dumps(found | {"autogluon": version("autogluon.tabular")}))


if __name__ == "__main__":
    main()
