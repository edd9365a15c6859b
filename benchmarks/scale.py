"""Does `autometa fit` end in a model, in time, whatever the size of the table and the load of the machine?

    python benchmarks/scale.py                     every size, idle and beside 8 busy loops: an hour
    python benchmarks/scale.py --sizes 10x3 200000x20 --load 8 --time 30
    python benchmarks/scale.py --report            the table of what was measured

Each cell is a whole process of `autometa fit` on a made table (numbers, a fifth of the columns categories, some cells
missing, two classes), from before the interpreter starts until it has ended, with its peak resident memory, children
included. As many loops as `--load` says keep the processors busy meanwhile, at the same priority. As many rows again,
at most 20,000, judge the model (AUC; a constant has .5). `load` in a line is the machine's load average when the cell
began, which counts what else ran there. Appends JSON lines to `results/scale.jsonl`; a cell that is measured again
counts by its newest line.
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
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "scale.jsonl"
SIZES = ("10x3", "100x5", "300x5", "2000x5000", "50000x50", "200000x20", "1000000x20")
MOST_JUDGING = 20_000
OVERRUN = 60.0  # seconds after which a process that should have ended is killed


def table(rows: int, columns: int, seed: int = 0) -> pd.DataFrame:
    """Two classes by a few columns, their products and a category; half of the noise is in the label."""
    rng = np.random.default_rng(seed)
    frame = {f"n{k}": rng.normal(size=rows).astype(np.float32) for k in range(columns - columns // 5)}
    frame["n0"][rng.random(rows) < 0.1] = np.nan
    for k in range(columns // 5):
        frame[f"k{k}"] = rng.choice(np.array(["red", "green", "blue", "grey"]), rows)
    signal = np.nan_to_num(frame["n0"]) + frame["n1"] * frame[f"n{min(2, columns - columns // 5 - 1)}"]
    if "k0" in frame:
        signal = signal + 1.5 * (frame["k0"] == "red")
    label = signal + rng.logistic(size=rows) > np.median(signal)
    return pd.DataFrame({**frame, "target": np.where(label, "yes", "no")})


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that count as fast as they can."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def peak(process: psutil.Process) -> int:
    """Resident bytes of a process and of all that it started, now."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def cell(size: str, seconds: float, load: int) -> dict[str, Any]:
    """One fit, and what became of it."""
    rows, columns = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as name, busy(load):
        folder = Path(name)
        judging = max(min(rows, MOST_JUDGING), 200)
        whole = table(rows + judging, columns)
        whole.iloc[:rows].to_parquet(folder / "known.parquet")
        unseen = whole.iloc[rows:].reset_index(drop=True)
        before, began = os.getloadavg()[0], time.monotonic()
        command = [
            sys.executable, "-m", "autometa", "fit", str(folder / "known.parquet"), "--time", f"{seconds:g}", "--json",
            "--no-remember", "--run", str(folder / "run"),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watched, most, killed = psutil.Process(process.pid), 0, False
        while process.poll() is None:
            most = max(most, peak(watched))
            if time.monotonic() - began > seconds + OVERRUN:
                killed = True
                process.kill()
            time.sleep(0.2)
        took = time.monotonic() - began
        said = process.stdout.read() if process.stdout is not None else ""
        line: dict[str, Any] = {
            "size": size, "budget": seconds, "loops": load, "load": round(before, 1), "exit": process.returncode,
            "killed": killed, "seconds": round(took, 1), "peak_mb": round(most / 1e6), "auc": None,
        }  # fmt: skip
        if process.returncode == 0:
            summary = json.loads(said)
            line |= {"family": summary["best"]["family"], "trials": summary["trials"], "failed": summary["failed"]}
            line["auc"] = judge(folder / "run", unseen)
    line["versions"] = {package: version(package) for package in ("autometa", "lightgbm", "scikit-learn")}
    line["machine"] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    return line


def judge(run: Path, unseen: pd.DataFrame) -> float:
    """The AUC on rows that the search has not seen."""
    from sklearn.metrics import roc_auc_score

    from autometa.search import load_model

    model = load_model(run)
    said = model.predict_proba(unseen.drop(columns="target"))[:, list(model.classes).index("yes")]
    return round(float(roc_auc_score(unseen["target"] == "yes", said)), 4)


def report() -> None:
    """Prints the newest line of every cell."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    newest = {(line["size"], line["loops"], line["budget"]): line for line in lines}
    heads = f"{'rows x columns':<16}{'budget':>8}{'loops':>7}{'load':>7}{'exit':>6}{'seconds':>9}{'MB':>7}{'AUC':>8}"
    print(f"{heads}{'trials':>8}  best")
    for line in newest.values():
        auc = f"{line['auc']:.3f}" if line["auc"] is not None else "-"
        print(
            f"{line['size']:<16}{line['budget']:>8g}{line['loops']:>7}{line['load']:>7}{line['exit']:>6}"
            f"{line['seconds']:>9}{line['peak_mb']:>7}{auc:>8}{line.get('trials', 0):>8}  {line.get('family', '')}"
        )


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="ROWSxCOLUMNS")
    parser.add_argument("--load", nargs="+", type=int, default=(0, 8), metavar="LOOPS", help="busy loops beside it")
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        for load in arguments.load:
            for size in arguments.sizes:
                line = cell(size, arguments.time, load)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(json.dumps({key: line[key] for key in line if key not in ("versions", "machine")}), flush=True)
    report()


if __name__ == "__main__":
    main()
