"""Runs AutoMeta through TabArena's own runner on local tasks: no server, no account, a minute or two.

    python run_local.py                                     three tables that come with scikit-learn, one split each
    python run_local.py --tables wine --time 60 --cores 4 --memory 16

Run it with a Python that has AutoMeta and TabArena (README.md).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))


def tables() -> dict[str, Any]:
    """Two classes with groups, three classes named by text, numbers in an order of time."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    cancer, wine, diabetes = (load(as_frame=True) for load in (load_breast_cancer, load_wine, load_diabetes))
    ordered = diabetes.frame.assign(visit=np.arange(len(diabetes.frame)))
    return {
        "breast_cancer": (cancer.frame.assign(clinic=np.arange(len(cancer.frame)) // 10), {"group_on": "clinic"}),
        "wine": (wine.frame.assign(target=[wine.target_names[k] for k in wine.target]), {}),
        "diabetes": (ordered, {"time_on": "visit"}),
    }


def user_task(name: str, folder: Path) -> Any:
    """One of them as a task of TabArena, kept in a folder, with one split: the last third is predicted."""
    from tabarena.benchmark.task.user_task import UserTask

    frame, roles = tables()[name]
    if not roles:
        frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    cut = 2 * len(frame) // 3
    task = UserTask(task_name=f"autometa_{name}", task_cache_path=folder)
    kind = "regression" if name == "diabetes" else "classification"
    splits = {0: {0: (list(range(cut)), list(range(cut, len(frame))))}}
    per = {"group_labels": "per_sample"} if "group_on" in roles else {}
    task.save_task(
        task.create_task(target_feature="target", problem_type=kind, dataset=frame, splits=splits, **roles, **per)
    )
    return task


def run(name: str, folder: Path, *, seconds: float, cores: int, memory: float, **settings: Any) -> dict[str, Any]:
    """The result of one split of one table, as TabArena's runner gives it."""
    from tabarena.benchmark.experiment import ExternalSystemExperiment
    from tabarena_autometa import AutoMetaSystemModel

    spec = user_task(name, folder)
    fit = {"num_cpus": cores, "num_gpus": 0, "memory_limit": memory, "time_limit": seconds}
    experiment = ExternalSystemExperiment(
        name="AutoMeta", system_cls=AutoMetaSystemModel, system_hyperparameters={**settings, "fit_kwargs": fit}
    )
    return experiment.run(task=spec.load(), fold=0, task_name=name, cache_task_key=spec.cache_key)


def main() -> None:
    """Parses, runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=list(tables()), choices=list(tables()))
    parser.add_argument("--time", type=float, default=30)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--memory", type=float, default=4, help="GB")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.tables:
            found = run(name, Path(folder), seconds=asked.time, cores=asked.cores, memory=asked.memory)
            print(f"{name}: {found['metric']} error {found['metric_error']:.4f}, {found['time_train_s']:.1f} s to fit")


if __name__ == "__main__":
    main()
