"""What `autometa.openml` is worth: tasks that come whole from a server with faults, by it and by the client alone.

    python benchmarks/openml_door.py            40 tasks under each kind of fault (10 minutes, most of it waiting)
    python benchmarks/openml_door.py --quick    6 tasks (4 minutes)

The loopback server of ``../shared/openml_server`` serves tables of the shared data. Each task is asked for once while
the server fails, and once more when it is healthy again, from the same cache: what the cache has kept is then right or
wrong for ever. `alone` is the unmodified client as its documentation has it, `door` (as the records call it) is
`autometa.openml.OpenML`, each from eight threads in the last setting. A task is right when every cell of its table and
every row of its splits is what the client reads from a healthy server into an empty cache.
Prints a table and appends JSON lines, with versions and machine, to ``benchmarks/results/openml_door.jsonl``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HOME = Path(__file__).resolve().parents[1]
RESULTS = HOME / "benchmarks" / "results" / "openml_door.jsonl"
ERRORS = {"error_rate": 0.2, "error_kinds": ("500", "503", "107", "drop")}
SETTINGS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "20 % errors": ERRORS,
    "20 % errors, 10 % cut connections": ERRORS | {"truncate_rate": 0.1, "truncate_mode": "connection"},
    "20 % errors, 10 % short answers": ERRORS | {"truncate_rate": 0.1, "truncate_mode": "silent"},
    "20 % errors, 8 at once": ERRORS,
}


def digest(frame: pd.DataFrame, splits: list[tuple[Any, Any]]) -> str:
    """A hash of every cell and of every row of every split, whatever the types that they came in."""
    out = hashlib.sha256()
    for name in sorted(map(str, frame.columns)):
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(column.dtype):
            out.update("\0".join(map(str, column.astype(object).where(column.notna(), None))).encode())
        else:
            out.update(np.round(column.to_numpy(np.float64), 9).tobytes())
    for train, test in splits:
        out.update(
            np.sort(np.asarray(train, np.int64)).tobytes() + b"|" + np.sort(np.asarray(test, np.int64)).tobytes()
        )
    return out.hexdigest()[:16]


def by_client(number: int) -> str:
    """A task as the client's documentation has it."""
    import openml

    task = openml.tasks.get_task(number, download_splits=True, download_data=True)
    frame, *_ = task.get_dataset().get_data(dataset_format="dataframe")
    repeats, folds, _ = task.get_split_dimensions()
    pairs = [task.get_train_test_split_indices(fold=k, repeat=r) for r in range(repeats) for k in range(folds)]
    return digest(frame, pairs)


def alone(server: str, cache: str, numbers: list[int], threads: int) -> None:
    """Runs in a process of its own: the client alone; prints what came, or the exception's name."""
    import warnings

    warnings.simplefilter("ignore")
    import openml

    openml.config.server = server
    openml.config.set_root_cache_directory(cache)

    def fetch(number: int) -> str:
        try:
            return by_client(number)
        except Exception as error:
            return f"failed: {type(error).__name__}"

    with ThreadPoolExecutor(threads) as pool:
        print(json.dumps(list(pool.map(fetch, numbers))))


def ask_client(server: str, cache: Path, numbers: list[int], threads: int) -> list[str]:
    """What the client alone gives for some tasks."""
    arguments = [sys.executable, __file__, "--alone", server, str(cache), json.dumps(numbers), str(threads)]
    environment = os.environ | {"OPENML_CACHE_DIR": str(cache)}
    ran = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def ask_autometa(server: str, cache: Path, numbers: list[int], threads: int) -> list[str]:
    """What `autometa.openml` gives for some tasks."""
    from autometa.openml import OpenML

    openml = OpenML(server=server, cache=cache)

    def fetch(number: int) -> str:
        try:
            task = openml.task(number)
        except Exception as error:
            return f"failed: {type(error).__name__}"
        return digest(task.table.frame, [(train, test) for _, _, train, test in task.splits])

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(fetch, numbers))


def serve(module: Any, data: Path, catalog: Path, state: Path, port: int, faults: dict[str, Any], seed: int) -> Any:
    """A running server; the address is the same for healthy and failing ones, as the cache is known by it."""
    return module.OpenMLServer(data, catalog, state, port=port, faults=module.Faults(seed=seed, **faults))


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--shared", type=Path, default=HOME.parent / "shared")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    spec = importlib.util.spec_from_file_location("openml_server", options.shared / "openml_server/openml_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["openml_server"] = module
    spec.loader.exec_module(module)
    known = pd.read_csv(options.shared / "data" / "catalog.csv")
    chosen = known[(known["n_rows"].between(300, 3000)) & (known["n_features"] <= 60)].drop_duplicates("family")
    chosen = chosen.sample(6 if options.quick else 40, random_state=options.seed)
    versions = {name: importlib.metadata.version(name) for name in ("autometa-ml", "openml", "pandas", "pyarrow")}
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        chosen[["name", "task"]].to_csv(folder / "catalog.csv", index=False)
        data, catalog, state = options.shared / "data" / "tabular", folder / "catalog.csv", folder / "state"
        with serve(module, data, catalog, state, 0, {}, options.seed) as server:
            numbers = list(server.repository.tasks)
            truth = ask_client(server.api_url, folder / "truth", numbers, 1)
        assert not any(value.startswith("failed") for value in truth), truth
        head = ("right", "wrong", "failed")
        print(f"{'setting':<36} {'who':<6}", *(f"{word:>6}" for word in (*head, "sec.")), " then:", *head)
        for title, faults in SETTINGS.items():
            threads = 8 if "at once" in title else 1
            for who, ask in (("alone", ask_client), ("door", ask_autometa)):
                cache = folder / f"{who}-{title}"
                with serve(module, data, catalog, state, 0, faults, options.seed) as server:
                    port, began = server.server_address[1], time.monotonic()
                    first = ask(server.api_url, cache, numbers, threads)
                    seconds = time.monotonic() - began
                with serve(module, data, catalog, state, port, {}, options.seed) as server:
                    later = ask(server.api_url, cache, numbers, 1)
                counts = [count(found, truth) for found in (first, later)]
                cells = [f"{counts[0][word]:>6}" for word in head] + [f"{seconds:>6.0f}", "       "]
                print(f"{title:<36} {who:<6}", *cells, *(f"{counts[1][word]:>5}" for word in head), flush=True)
                record = {
                    "setting": title, "who": who, "tasks": len(numbers), "seconds": seconds, "first": counts[0],
                    "later": counts[1], "failures": Counter(v for v in first if v.startswith("failed")),
                    "seed": options.seed, "versions": versions, "machine": machine, "load": os.getloadavg()[0],
                    "when": time.strftime("%Y-%m-%dT%H:%M:%S"),
                }  # fmt: skip
                RESULTS.parent.mkdir(exist_ok=True)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")


def count(found: list[str], truth: list[str]) -> dict[str, int]:
    """How many came right, wrong and not at all."""
    right = sum(a == b for a, b in zip(found, truth, strict=True))
    failed = sum(a.startswith("failed") for a in found)
    return {"right": right, "wrong": len(found) - right - failed, "failed": failed}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        alone(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
