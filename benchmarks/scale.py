"""Does `autometa fit` end in a good model, in time, whatever the size of the table and the load of the machine?

    python benchmarks/scale.py                     every size, idle and beside 8 busy loops: an hour
    python benchmarks/scale.py --sizes 10x3 200000x20:number --load 8 --time 30
    python benchmarks/scale.py --reference         LightGBM with all the time it wants, on each size
    python benchmarks/scale.py --beside            AutoMeta, FLAML and AutoGluon as rows grow: half an hour
    python benchmarks/scale.py --report            results/scale.md, scale_beside.md and its two drawings

A size is ROWSxCOLUMNS of two classes, ROWSxCOLUMNS:number or ROWSxCOLUMNS:CLASSES. Each cell is a whole process of
`autometa fit` on a made table (numbers, a fifth of the columns categories, some cells missing), from before the
interpreter starts until it has ended, with its peak resident memory, children included. As many loops as `--load` says
keep the processors busy meanwhile, at the same priority. Unseen rows, 20,000 at most, judge the model: AUC of two
classes (a constant has .5), accuracy of several, R2 of a number. The reference is LightGBM with 200 trees at a rate of
.1 and early stopping on a tenth of the rows, with categories as such, which is not interrupted; from a million rows on
it learns from a million. `load` in a line is the machine's load average when the cell began, which counts what else ran
there. Appends JSON lines to `results/scale.jsonl`; a cell that is measured again counts by its newest line.

`--beside` runs methods of `autometa bench` on tables of two classes, each as the bench runs it: the same split, cores
and metric, in its own environment (`benchmarks/fit.py --setup`), killed after two budgets and a minute. Resumable;
appends to `results/scale_beside.jsonl`. Its seconds are those of the whole process: start, reading and the
answers to the unseen rows included.
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
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from autometa.bench.results import read_lines

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "scale.jsonl"
BESIDE = HERE / "results" / "scale_beside.jsonl"
METHODS = ("autometa", "flaml", "autogluon", "autogluon-best_quality")
GROWING = ("1000x20", "10000x20", "100000x20", "1000000x20")
SIZES = (
    "10x3", "100x5", "300x5", "2000x5000", "100x20000", "20000x2000", "50000x10:500", "50000x50", "200000x20",
    "200000x20:number", "1000000x20", "1000000x20:number",
)  # fmt: skip
MOST_REFERENCE = 1_000_000  # rows
MOST_JUDGING = 20_000
OVERRUN = 60.0  # seconds after which a process that should have ended is killed


def parts(size: str) -> tuple[int, int, int]:
    """Rows, columns and classes (0: a number) of a size."""
    shape, _, kind = size.partition(":")
    rows, columns = map(int, shape.split("x"))
    return rows, columns, 0 if kind == "number" else int(kind or 2)


def table(rows: int, columns: int, classes: int = 2, seed: int = 0) -> pd.DataFrame:
    """Classes or a number by a few columns, their products and a category; half of the noise is in the label."""
    rng = np.random.default_rng(seed)
    frame = {f"n{k}": rng.normal(size=rows).astype(np.float32) for k in range(columns - columns // 5)}
    frame["n0"][rng.random(rows) < 0.1] = np.nan
    for k in range(columns // 5):
        frame[f"k{k}"] = rng.choice(np.array(["red", "green", "blue", "grey"]), rows)
    signal = np.nan_to_num(frame["n0"]) + frame["n1"] * frame[f"n{min(2, columns - columns // 5 - 1)}"]
    if "k0" in frame:
        signal = signal + 1.5 * (frame["k0"] == "red")
    noisy = signal + rng.logistic(size=rows)
    if classes == 0:
        target: Any = noisy.astype(np.float64)
    elif classes == 2:
        target = np.where(noisy > np.median(signal), "yes", "no")
    else:  # parts of the signal, each as large as the others, with a little noise
        order = np.argsort(np.argsort(signal + 0.1 * rng.normal(size=rows)))
        target = np.char.add("c", (order * classes // rows).astype(str))
    return pd.DataFrame({**frame, "target": target})


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


def cell(size: str, seconds: float, load: int, max_ram: str | None = None) -> dict[str, Any]:
    """One fit, and what became of it."""
    rows, columns, classes = parts(size)
    with tempfile.TemporaryDirectory() as name, busy(load):
        folder = Path(name)
        known, unseen = halves(rows, columns, classes)
        known.to_parquet(folder / "known.parquet")
        del known
        before, began = os.getloadavg()[0], time.monotonic()
        command = [
            sys.executable, "-m", "autometa", "fit", str(folder / "known.parquet"), "--time", f"{seconds:g}", "--json",
            "--no-remember", "--run", str(folder / "run"),
        ]  # fmt: skip
        command += [] if max_ram is None else ["--max-ram", max_ram]
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
            "killed": killed, "max_ram": max_ram, "seconds": round(took, 1), "peak_mb": round(most / 1e6),
            "score": None,
        }  # fmt: skip
        if process.returncode == 0:
            summary = json.loads(said)
            line |= {"family": summary["best"]["family"], "trials": summary["trials"], "failed": summary["failed"]}
            line["score"] = judge(folder / "run", unseen)
    line["versions"] = {package: version(package) for package in ("autometa-ml", "lightgbm", "scikit-learn")}
    line["machine"] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    return line


def halves(rows: int, columns: int, classes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is learned from, and what judges."""
    whole = table(rows + max(min(rows, MOST_JUDGING), 200), columns, classes)
    return whole.iloc[:rows], whole.iloc[rows:].reset_index(drop=True)


def judge(run: Path, unseen: pd.DataFrame) -> float:
    """AUC, accuracy or R2 on rows that the search has not seen."""
    from autometa.search import load_model

    model, X = load_model(run), unseen.drop(columns="target")
    if model.kind == "regression":
        return worth(unseen["target"], model.predict(X))
    if len(model.classes) == 2:
        return worth(unseen["target"] == "yes", model.predict_proba(X)[:, list(model.classes).index("yes")])
    return round(float((np.asarray(model.predict(X)) == unseen["target"].to_numpy()).mean()), 4)


def worth(truth: Any, said: Any) -> float:
    """AUC where the truth is yes or no, R2 where it is a number."""
    from sklearn.metrics import r2_score, roc_auc_score

    return round(float((roc_auc_score if np.asarray(truth).dtype == bool else r2_score)(truth, said)), 4)


def reference(size: str) -> dict[str, Any]:
    """LightGBM with 200 trees at a rate of .1, early stopping on a tenth of the rows, and all the time it wants."""
    import lightgbm

    rows, columns, classes = parts(size)
    known, unseen = halves(rows, columns, classes)
    known = known.iloc[:MOST_REFERENCE]
    words = [name for name in known.columns if name.startswith("k")]
    known, unseen = (part.astype(dict.fromkeys(words, "category")) for part in (known, unseen))
    held = np.random.default_rng(0).random(len(known)) < 0.1
    model: Any = (lightgbm.LGBMRegressor if classes == 0 else lightgbm.LGBMClassifier)(n_estimators=200, verbosity=-1)
    names, codes = np.unique(pd.concat([known["target"], unseen["target"]]), return_inverse=True)
    y = known["target"].to_numpy() if classes == 0 else codes[: len(known)]
    truth = unseen["target"].to_numpy() if classes == 0 else codes[len(known) :]
    X, Z, began = known.drop(columns="target"), unseen.drop(columns="target"), time.monotonic()
    stop = [lightgbm.early_stopping(20, verbose=False)]
    model.fit(X[~held], y[~held], eval_X=X[held], eval_y=y[held], callbacks=stop)
    took = time.monotonic() - began
    if classes == 0:
        found = worth(truth, model.predict(Z))
    elif classes == 2:
        found = worth(truth == int(np.flatnonzero(names == "yes")[0]), model.predict_proba(Z)[:, 1])
    else:
        found = round(float((model.predict(Z) == truth).mean()), 4)
    return {"size": size, "reference": True, "seconds": round(took, 1), "score": found, "lightgbm": version("lightgbm")}


def beside(size: str, seconds: float, method: str, cores: int) -> dict[str, Any]:
    """One method of the bench on a table; its fault, where it ends in one, is in the line."""
    from fit import benched

    from autometa.bench.run import machine
    from autometa.bench.suite import bench_task

    rows, columns, classes = parts(size)
    known, unseen = halves(rows, columns, classes)
    sides = np.arange(rows), np.arange(rows, rows + len(unseen))
    whole = pd.concat([known, unseen], ignore_index=True)
    task = bench_task(whole, key=size, name=size, target="target", splits=[(0, 0, *sides)])
    record, prediction, answers = benched(task, method, seconds, cores)
    line = {"size": size, "method": method, "budget": seconds, "cores": cores, "load": round(os.getloadavg()[0], 1)}
    line |= {"seconds": record["seconds"], "peak_mb": round(record["peak_ram"] / 1e6)}
    line |= {"score": None, "reason": record["reason"], "versions": record.get("versions", {}), "machine": machine()}
    if prediction is not None and classes == 0:
        line["score"] = worth(answers, prediction.values)
    elif prediction is not None:
        line["score"] = worth(answers == "yes", prediction.values[:, prediction.classes.index("yes")])
    return line


def all_beside(sizes: Sequence[str], seconds: float, methods: Sequence[str], cores: int) -> None:
    """What is not in the results yet, size by size."""
    done = {(one["size"], one["method"], one["budget"], one["cores"]) for one in read_lines(BESIDE)}
    for size in sizes:
        for method in methods:
            if (size, method, seconds, cores) not in done:
                keep(beside(size, seconds, method, cores), BESIDE)


def report_beside() -> str:
    """Score and seconds of each method by size as Markdown, and drawn."""
    from warm_start import plot

    lines = {(one["size"], one["method"], one["budget"], one["cores"]): one for one in read_lines(BESIDE)}
    best = {one["size"]: one for one in read_lines(RESULTS) if "reference" in one}
    text = ["# scale.py --beside", "", "AUC on unseen rows, seconds and peak memory of the process.", ""]
    for budget, cores in sorted({key[2:] for key in lines}):
        found = {key[:2]: one for key, one in lines.items() if key[2:] == (budget, cores)}
        sizes, methods = (list(dict.fromkeys(names)) for names in zip(*found, strict=True))
        text += [f"## {budget:g} s, {cores} {'core' if cores == 1 else 'cores'}", ""]
        text += [f"| rows x columns | {' | '.join(methods)} | LightGBM |", "|---" * (len(methods) + 2) + "|"]
        for size in sizes:
            cells = [told(found.get((size, method))) for method in methods]
            text.append(f"| {size} | {' | '.join([*cells, told(best.get(size))])} |")
        known = {package: v for one in found.values() for package, v in one["versions"].items()}
        named = (f"{name} {known[name]}" for name in ("autogluon.tabular", "flaml", "lightgbm") if name in known)
        text += ["", f"{', '.join(named)}.", ""]
        for what in ("score", "seconds"):
            curves = {
                method: [(parts(size)[0], found[size, method][what]) for size in sizes if is_drawn(found, size, method)]
                for method in methods
            }
            low = 0.99 * min(y for points in curves.values() for _, y in points) if what == "score" else 0.0
            title = "AUC on unseen rows" if what == "score" else "seconds of the process"
            place = BESIDE.with_suffix(f".{what}.svg")
            plot(place, title, {k: v for k, v in curves.items() if v}, "rows", title, low=low, log=True)
    return "\n".join(text)


def is_drawn(found: Mapping[tuple[str, str], dict[str, Any]], size: str, method: str) -> bool:
    """Whether a cell has a place in the drawings: those of two classes that have a score."""
    return parts(size)[2] == 2 and (size, method) in found and found[size, method]["score"] is not None


def told(line: dict[str, Any] | None) -> str:
    """A cell of the table."""
    if line is None:
        return ""
    memory = f", {line['peak_mb'] / 1e3:.1f} GB" if "peak_mb" in line else ""
    said = f"no model ({line['reason']})" if line["score"] is None else f"{line['score']:.4f}"
    return f"{said} in {line['seconds']:.0f} s{memory}"


def report() -> str:
    """The newest line of every cell, as Markdown."""
    lines = read_lines(RESULTS)
    best = {line["size"]: line for line in lines if "reference" in line}
    newest = {
        (line["size"], line["loops"], line["budget"], line.get("max_ram")): line
        for line in lines
        if "reference" not in line
    }
    text = ["# scale.py", "", "AUC, accuracy (several classes) or R2 (a number) on unseen rows.", ""]
    heads = (
        "rows x columns", "budget", "memory", "loops", "load", "seconds", "peak MB", "score", "LightGBM", "trials",
        "best",
    )  # fmt: skip
    text += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for line in newest.values():
        beside = best.get(line["size"])
        cells = (
            line["size"], f"{line['budget']:g} s", line.get("max_ram") or "", line["loops"], line["load"],
            line["seconds"], line["peak_mb"],
            "no model" if line["score"] is None else f"{line['score']:.4f}",
            "" if beside is None else f"{beside['score']:.4f} in {beside['seconds']:g} s",
            line.get("trials", 0), line.get("family", ""),
        )  # fmt: skip
        text.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(text) + "\n"


def keep(line: dict[str, Any], path: Path = RESULTS) -> None:
    """Appends to the results, and prints."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps({key: line[key] for key in line if key not in ("versions", "machine")}), flush=True)


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=None, metavar="ROWSxCOLUMNS[:number|:CLASSES]")
    parser.add_argument("--load", nargs="+", type=int, default=(0, 8), metavar="LOOPS", help="busy loops beside it")
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--max-ram", metavar="SIZE", help="of all processes of the fit")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--beside", nargs="*", metavar="METHOD", help=f"of the bench; {' '.join(METHODS)}")
    parser.add_argument("--cores", type=int, default=2, help="of each method with --beside")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if arguments.report:
        for path, text in ((RESULTS, report()), (BESIDE, report_beside())):
            path.with_suffix(".md").write_text(text, encoding="utf-8")
            print(text)
        return
    if arguments.beside is not None:
        all_beside(arguments.sizes or GROWING, arguments.time, arguments.beside or METHODS, arguments.cores)
        return
    arguments.sizes = arguments.sizes or SIZES
    if arguments.reference:
        for size in arguments.sizes:
            keep(reference(size))
        return
    for load in arguments.load:
        for size in arguments.sizes:
            keep(cell(size, arguments.time, load, arguments.max_ram))


if __name__ == "__main__":
    main()
