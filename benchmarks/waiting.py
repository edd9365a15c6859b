"""What it costs that OpenMP's threads spin while they wait for each other: LightGBM on all cores, idle and crowded.

    python benchmarks/waiting.py                 8 busy loops and none: two minutes
    python benchmarks/waiting.py --rows 50000

Each line is one fit of LightGBM's default (100 trees) on made numbers, in a process of its own, with as many threads as
there are cores: seconds of the wall and of the processors, with OpenMP's default policy and with ``PASSIVE``, which
trials run under. JSON lines go to `results/waiting.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results" / "waiting.jsonl"
FIT = """
import json, os, sys, time
import lightgbm, numpy as np
rows, threads = int(sys.argv[1]), os.cpu_count()
rng = np.random.default_rng(0)
X = rng.normal(size=(rows, 20)).astype(np.float32)
y = X[:, 0] + X[:, 1] * X[:, 2] + rng.logistic(size=rows) > 0
model = lightgbm.LGBMClassifier(n_jobs=threads, verbosity=-1, force_col_wise=True)
wall, own = time.perf_counter(), time.process_time()
model.fit(X, y)
print(json.dumps({"wall": round(time.perf_counter() - wall, 2), "cpu": round(time.process_time() - own, 2)}))
"""


def fit(rows: int, policy: str | None) -> dict[str, float]:
    """Seconds of one fit."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    environment |= {} if policy is None else {"OMP_WAIT_POLICY": policy}
    command = [sys.executable, "-c", FIT, str(rows)]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    """Measures both policies, in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--load", nargs="+", type=int, default=(0, 8), metavar="LOOPS")
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    for loops in arguments.load:
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
        try:
            for _ in range(arguments.times):
                for policy in (None, "PASSIVE"):
                    line = {"loops": loops, "load": round(os.getloadavg()[0], 1), "policy": policy or "default"}
                    line |= {"rows": arguments.rows, **fit(arguments.rows, policy)}
                    line |= {"cores": os.cpu_count(), "lightgbm": version("lightgbm")}
                    print(json.dumps(line), flush=True)
                    with RESULTS.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
        finally:
            for process in busy:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
