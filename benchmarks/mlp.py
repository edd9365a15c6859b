"""Our neural network's default against scikit-learn's, LightGBM's default and, where installed, RealMLP and TabM.

    python benchmarks/mlp.py            eight datasets, two splits each
    python benchmarks/mlp.py --quick    three datasets, one split
    python benchmarks/mlp.py --setup    .venvs/pytabkit: PyTorch's CPU build and pytabkit, and whatever ours has
    .venvs/pytabkit/bin/python benchmarks/mlp.py --splits 1 --rows 1000     with RealMLP and TabM
    python benchmarks/mlp.py --report   results/mlp.md: our network's loss as a share of each of the others'

None of the datasets was looked at in choosing the network's default. Each is cut to at most `--rows` rows, then 75 %
learn and 25 % judge: by log loss for classes, by 1 - R2 for values (smaller is better in both). RealMLP and TabM are
pytabkit's with its tuned defaults, without a GPU and on one thread, as ours; they run in an environment that has
pytabkit, and are said to be left out otherwise. Prints a table and appends JSON lines, with versions, seed and machine,
to ``benchmarks/results/mlp.jsonl``. The report takes the last line of each dataset, size, split and method, of datasets
on which pytabkit's were run.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sysconfig
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from autometa.families import build, cash_space
from autometa.families.learners.preprocess import preprocessing
from autometa.task import Task, read_task

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data" / "tabular"
RESULTS = HERE / "results" / "mlp.jsonl"
ENVIRONMENT, PYTABKIT = HERE.parent / ".venvs" / "pytabkit", "pytabkit==1.8.0"
DATASETS = ("qsar-biodeg", "Sacramento", "satimage", "MiceProtein", "car", "pc4", "spambase", "cal_housing")


def of_family(family: str) -> Callable[[Task, int, int], Any]:
    """The default of one of our families."""

    def make(task: Task, n_rows: int, seed: int) -> Any:
        config = cash_space(task.kind, [family]).default
        return build(config, task.columns, task.kind, n_rows=n_rows, seed=seed)

    return make


def of_library(task: Task, n_rows: int, seed: int) -> Any:
    """scikit-learn's network stopping early; standardised inputs and target, one-hot categories."""
    if task.kind == "regression":
        model = TransformedTargetRegressor(
            MLPRegressor(early_stopping=True, max_iter=500, random_state=seed), transformer=StandardScaler()
        )
    else:
        model = MLPClassifier(early_stopping=True, max_iter=500, random_state=seed)
    return make_pipeline(
        preprocessing(task.columns, task.kind, categories="onehot", scale="standard", seed=seed), model
    )


def of_pytabkit(name: str, **options: Any) -> Callable[[Task, int, int], Any]:
    """RealMLP or TabM; pytabkit takes the typed frame and does its own preprocessing. `options` are for classes."""

    def make(task: Task, n_rows: int, seed: int) -> Any:
        import pytabkit

        face = getattr(pytabkit, f"{name}_{'Regressor' if task.kind == 'regression' else 'Classifier'}")
        own = {} if task.kind == "regression" else options
        return face(device="cpu", n_threads=1, random_state=seed, **own)

    return make


METHODS: dict[str, Callable[[Task, int, int], Any]] = {
    "mlp": of_family("mlp"),
    "scikit-learn MLP": of_library,
    "lightgbm": of_family("lightgbm"),
}
if importlib.util.find_spec("pytabkit") is not None:
    METHODS |= {"RealMLP": of_pytabkit("RealMLP_TD"), "TabM": of_pytabkit("TabM_D")}
    # Their defaults choose the epoch by errors, and RealMLP's smooths labels; for probabilities pytabkit advises this.
    METHODS["RealMLP log loss"] = of_pytabkit("RealMLP_TD", val_metric_name="cross_entropy", use_ls=False)
    METHODS["TabM log loss"] = of_pytabkit("TabM_D", val_metric_name="cross_entropy")


def judge(task: Task, model: Any, X: pd.DataFrame, y: np.ndarray) -> dict[str, float]:
    """Loss (smaller is better) and, for classes, accuracy."""
    if task.kind == "regression":
        return {"loss": 1 - float(r2_score(y, model.predict(X)))}
    p = np.zeros((len(y), task.c))
    p[:, model.classes_] = model.predict_proba(X)
    p = np.clip(p, 1e-7, 1) / np.clip(p, 1e-7, 1).sum(axis=1, keepdims=True)
    return {
        "loss": float(log_loss(y, p, labels=np.arange(task.c))),
        "accuracy": float(accuracy_score(y, p.argmax(axis=1))),
    }


def set_up() -> None:
    """The environment; what it lacks is taken from ours."""
    from autometa.bench.environments import create

    create(ENVIRONMENT, [PYTABKIT])
    python = ENVIRONMENT / "bin" / "python"
    where = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    ours = f"{sysconfig.get_path('purelib')}\n{HERE.parent}\n"
    (Path(where) / "ours.pth").write_text(ours, encoding="utf-8")


def report() -> str:
    """The ratios of losses, ours to each other method's; below 1 ours is better."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    found = {(r["dataset"], r["rows"], r["seed"], r["method"]): r for r in lines}
    cells = sorted({key[:3] for key in found if key[3] == "RealMLP"})
    every = ("RealMLP", "RealMLP log loss", "TabM", "TabM log loss", "scikit-learn MLP", "lightgbm")
    others = [name for name in every if any((*cell, name) in found for cell in cells)]

    def ratios(field: str) -> np.ndarray:  # (cells, others), NaN where a method was not run
        return np.array([[_ratio(found.get((*c, "mlp")), found.get((*c, n)), field) for n in others] for c in cells])

    losses, spent = ratios("loss"), 1 / ratios("cpu_seconds")
    text = ["# mlp.py", "", "Loss of our network as a share of the other's: below 1 ours is better.", ""]
    text += ["| dataset | rows | " + " | ".join(others) + " |", "|---|---|" + "---|" * len(others)]
    for (name, rows, _), own in zip(cells, losses, strict=True):
        text.append(f"| {name} | {rows} | " + " | ".join("" if np.isnan(r) else f"{r:.3f}" for r in own) + " |")
    means, times = np.exp(np.nanmean(np.log(losses), axis=0)), np.exp(np.nanmean(np.log(spent), axis=0))
    middles = np.nanmedian(losses, axis=0)
    text.append("| median | | " + " | ".join(f"{ratio:.3f}" for ratio in middles) + " |")
    text.append("| geometric mean | | " + " | ".join(f"{ratio:.3f}" for ratio in means) + " |")
    text.append("| better / worse | | " + " | ".join(f"{(r < 1).sum()} / {(r > 1).sum()}" for r in losses.T) + " |")
    text.append("| its processor seconds, times ours | | " + " | ".join(f"{ratio:.1f}" for ratio in times) + " |")
    return "\n".join([*text, ""])


def _ratio(own: dict[str, Any] | None, other: dict[str, Any] | None, field: str) -> float:
    return own[field] / other[field] if own and other else float("nan")


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of NAME.parquet with a column 'target'")
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--names", nargs="+", default=DATASETS, help="these datasets only")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--report", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Runs all methods on all datasets and prints what they reached."""
    arguments = read_arguments()
    if arguments.setup:
        set_up()
        return
    if arguments.report:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    datasets, splits = (DATASETS[:3], 1) if arguments.quick else (arguments.names, arguments.splits)

    packages = ("autometa-ml", "scikit-learn", "lightgbm", "torch", "numpy", "pytabkit")
    versions = {
        p: importlib.metadata.version(p)
        for p in packages
        if importlib.util.find_spec(p.replace("scikit-learn", "sklearn"))
    }
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "threads": 1}
    if "RealMLP" not in METHODS:
        print("RealMLP and TabM were not run: pytabkit is not installed here.")
    print(f"{'dataset':14s}{'rows':>6s}  " + "".join(f"{name:>26s}" for name in arguments.methods))
    rows: list[dict[str, Any]] = []
    RESULTS.parent.mkdir(exist_ok=True)
    for dataset in datasets:
        task = read_task(arguments.data / f"{dataset}.parquet", target="target").sample(arguments.rows, seed=0)
        for seed in range(splits):
            stratify = None if task.kind == "regression" else task.y
            train, test = train_test_split(np.arange(task.n), test_size=0.25, random_state=seed, stratify=stratify)
            for name in arguments.methods:
                with threadpool_limits(1), warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    wall, processor = time.perf_counter(), time.process_time()
                    model = METHODS[name](task, len(train), seed)
                    model.fit(task.X.iloc[train], task.y[train])
                    spent = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}
                    scores = judge(task, model, task.X.iloc[test], task.y[test])
                rows.append(
                    {"dataset": dataset, "rows": task.n, "kind": task.kind, "method": name, "seed": seed}
                    | scores
                    | spent
                )
        with RESULTS.open("a", encoding="utf-8") as file:  # as each dataset is done: a run that is cut off loses little
            for row in rows:
                if row["dataset"] == dataset:
                    file.write(json.dumps(row | {"versions": versions, "machine": machine}) + "\n")
        cells = []
        for name in arguments.methods:
            own = [row for row in rows if row["dataset"] == dataset and row["method"] == name]
            loss, accuracy, spent = (
                np.mean([row.get(key, np.nan) for row in own]) for key in ("loss", "accuracy", "cpu_seconds")
            )
            cells.append(
                f"{loss:8.4f}" + (f" ({accuracy:.3f})" if np.isfinite(accuracy) else " " * 8) + f"{spent:6.1f} s"
            )
        print(f"{dataset:14s}{task.n:6d}  " + "".join(f"{cell:>26s}" for cell in cells), flush=True)

    losses = np.array(
        [[row["loss"] for row in rows if row["method"] == name] for name in arguments.methods]
    )  # (methods, runs)
    ranks = losses.argsort(axis=0).argsort(axis=0).mean(axis=1) + 1
    print(f"{'mean rank':22s}" + "".join(f"{rank:26.2f}" for rank in ranks))
    print("Loss (accuracy), processor seconds to fit. Loss: log loss, or 1 - R2; smaller is better.")


if __name__ == "__main__":
    main()
