"""What does a cluster gain, cost and bear?

    python benchmarks/cluster.py                 trials a minute, what `fit` loses, how far one coordinator reaches
    python benchmarks/cluster.py --workers 1 2   fewer workers
    python benchmarks/cluster.py --report        results/cluster.md

    fixed       trials a minute that sleep for a second each, on so many workers of this machine; without any cost they
                would be workers x 60
    fit         seconds and trials of `fit --cluster local:2` beside `--jobs 2`, in the same time
    sent        bytes of the table that a worker is sent
    coordinator trials a minute of a search on so many workers that are not there: a trial sleeps for a second in a
                thread of this process, so what is lost is lost by proposing, writing and telling; and what that takes
                of the processor, in milliseconds a trial

Appends JSON lines to `results/cluster.jsonl`, with the load of the machine when each began.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results" / "cluster.jsonl"
PAUSE = 1.0  # seconds of a trial that sleeps


def a_task() -> Any:
    """A small table."""
    from sklearn.datasets import load_breast_cancer

    from autometa.task import make_task

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return make_task(X, y=y, name="breast_cancer")


def asleep(task: Any) -> Any:
    """An executor that is asked nothing: each trial sleeps, and comes out as a constant does."""
    import numpy as np

    from autometa.evaluation import Evaluation, State

    class Asleep:
        """So many workers that are not there."""

        def __init__(self, workers: int) -> None:
            self.cpus, self.most_threads, self.places = workers, 1, workers
            self.cpu: list[float] = []  # seconds of this process when each trial began

        def warm_up(self) -> None:
            """Nothing."""

        cancel_all = warm_up

        def overhead(self) -> int:
            """Nothing."""
            return 0

        def evaluate(self, folder: Path, attempt: Any, *, oof_path: Path | None = None, **_: Any) -> Evaluation:
            """Sleeps."""
            self.cpu.append(time.process_time())
            time.sleep(PAUSE)
            rng = np.random.default_rng(abs(hash(str(sorted(attempt.config.items())))) % 2**32)
            value = float(-rng.uniform(0.3, 0.7))
            if oof_path is not None:
                np.save(oof_path, np.full((1, task.n, task.c), 0.5))
            folds = {task.metric: (value,) * len(attempt.splits)}
            return Evaluation(
                attempt.config, State.COMPLETE, None, {task.metric: value}, folds, PAUSE, 0.0, 0, attempt.seed, task.n,
                {}, attempt.origin,
            )  # fmt: skip

    return Asleep


def sleeping(folder: Path, path: Path, **_: Any) -> None:
    """What a worker does in a trial of fixed length."""
    time.sleep(PAUSE)
    path.write_text("done")


def fixed(workers: int, rounds: int) -> dict[str, Any]:
    """Trials of a second each on real workers, as many at once as there are workers."""
    from concurrent.futures import ThreadPoolExecutor

    from cluster import sleeping as asleep_there  # by the name of this file, under which workers find it

    from autometa.cluster import connect

    with connect(f"local:{workers}") as found, tempfile.TemporaryDirectory() as name:
        a_task().save(Path(name) / "task")

        def one(k: int) -> bytes:
            return found.written(asleep_there, Path(name) / "task", path=Path(name) / str(k), seconds=60.0, threads=1)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, range(2 * workers)))  # processes start
            began = time.monotonic()
            list(pool.map(one, range(rounds * workers)))
            took = time.monotonic() - began
    return {"what": "fixed", "workers": workers, "per_minute": round(rounds * workers / took * 60, 1)}


def fit(how: list[str], seconds: float) -> dict[str, Any]:
    """One whole `autometa fit`."""
    with tempfile.TemporaryDirectory() as name:
        task = a_task()
        task.X.assign(target=task.y).to_csv(Path(name) / "table.csv", index=False)
        command = [
            sys.executable, "-m", "autometa", "fit", str(Path(name) / "table.csv"), "--target", "target", "--time",
            f"{seconds:g}", "--patience", "off", "--no-remember", "--json", "--run", str(Path(name) / "run"), *how,
        ]  # fmt: skip
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        said = json.loads(done.stdout)
        return {
            "what": "fit", "how": " ".join(how), "budget": seconds, "seconds": round(time.monotonic() - began, 1),
            "trials": said["trials"],
        }  # fmt: skip


def coordinator(workers: int, seconds: float) -> dict[str, Any]:
    """A search on so many workers that are not there."""
    from autometa.search import Settings, search
    from autometa.search.finish import Finish

    task = a_task()
    ended: list[float] = []

    class Enough(Exception):
        """The trials are done; what comes after is not measured."""

    def stop(*_: Any) -> None:
        raise Enough

    Finish.conduct = stop  # type: ignore[method-assign]
    settings = Settings(seconds=seconds, remember=False, patience="off", families=("linear", "knn", "lightgbm"))
    with tempfile.TemporaryDirectory() as name:
        run, began, executor = Path(name) / "run", time.monotonic(), asleep(task)(workers)
        with contextlib.suppress(Enough):
            search(task, settings, run, executor=executor)
        from autometa.search import Run

        opened = Run.open(run)
        with opened.locked():
            ended = sorted(row.finished for row in opened.trials(opened.study()))
        took = time.monotonic() - began
    first = ended[workers] if len(ended) > workers else ended[-1]
    minutes = (ended[-1] - first) / 60
    rate = (len(ended) - workers) / minutes if minutes > 0 else 0.0
    return {
        "what": "coordinator", "workers": workers, "trials": len(ended), "seconds": round(took, 1),
        "per_minute": round(rate, 1), "of": workers * 60 / PAUSE,
        "cpu_ms": round(1000 * (executor.cpu[-1] - executor.cpu[workers]) / max(len(executor.cpu) - 1 - workers, 1), 1),
    }  # fmt: skip


def keep(line: dict[str, Any]) -> None:
    """Appends to the results, and prints."""
    print(json.dumps(line), flush=True)
    line |= {
        "load": round(os.getloadavg()[0], 1),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
    }
    line["versions"] = {package: version(package) for package in ("autometa-ml", "distributed")}
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def report() -> str:
    """The newest line of each, as Markdown."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    newest = {(line["what"], line.get("workers"), line.get("how")): line for line in lines}
    text = [
        "# cluster.py",
        "",
        "| what | workers | trials a minute | at most | seconds | processor, ms a trial | load |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in newest.values():
        workers, how = line.get("workers", ""), line.get("how", "")
        most = line.get("of", 60.0 * workers / PAUSE if line["what"] == "fixed" else "")
        rate = line.get("per_minute", f"{line.get('trials')} trials")
        text.append(
            f"| {line['what']} {how} | {workers} | {rate} | {most} | {line.get('seconds', '')} | "
            f"{line.get('cpu_ms', '')} | {line['load']} |"
        )
    return "\n".join(text) + "\n"


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--pretended", nargs="*", type=int, default=[8, 32, 64, 256])
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        for workers in arguments.workers:
            keep(fixed(workers, rounds=10))
        for workers in arguments.pretended:
            keep(coordinator(workers, arguments.time))
        if arguments.time:
            for how in (["--jobs", "2"], ["--cluster", "local:2"]):
                keep(fit(how, arguments.time))
    RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")


if __name__ == "__main__":
    main()
