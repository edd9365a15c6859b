"""AutoMeta for the AutoML Benchmark: what the benchmark's own process imports.

The search itself runs in AutoMeta's environment, which `setup` makes: see ``exec.py``.
"""

from __future__ import annotations

from typing import Any


def setup(*arguments: str, **options: Any) -> None:
    """Makes the environment; the framework definition's version is the argument."""
    from amlb.utils import call_script_in_same_dir

    call_script_in_same_dir(__file__, "setup.sh", *arguments, **options)


def run(dataset: Any, config: Any) -> Any:
    """Runs one fold of a task. Tables travel as parquet files, which every version of pandas reads alike."""
    from frameworks.shared.caller import run_in_venv

    data = {
        "train": {"path": dataset.train.data_path("parquet")},
        "test": {"path": dataset.test.data_path("parquet")},
        "target": {"name": dataset.target.name},
        "problem_type": dataset.type.name,
        "openml_dataset_id": getattr(getattr(dataset, "_oml_dataset", None), "dataset_id", None),
    }
    return run_in_venv(__file__, "exec.py", input_data=data, dataset=dataset, config=config)
