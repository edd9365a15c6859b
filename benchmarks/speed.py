"""How long AutoMeta lets a person wait, whether it keeps to the time it was given, and how much memory it takes.

    python benchmarks/speed.py            everything, in about ten minutes
    python benchmarks/speed.py --quick    fewer repeats
    python benchmarks/speed.py --only startup trials

`startup`       `autometa --help` beside a Python that imports only typer and rich, in pairs that take turns (goal: 1.3)
`trials`        from the start of the process to the first finished trial, and what each trial costs beyond fitting and
                predicting: one job, the time between the first trial's start and the last one's end, less the folds'
                own seconds, per trial
`budget`        whole processes of `autometa fit --time N`, from before the interpreter starts to after it ended, with
                budgets of 5 to 30 s on tables of mixed size (goal: beyond N by at most the larger of 2 s and 3 %), and
                the peak resident memory of the process tree
`reading`       a table of 300,000 x 18 as CSV: seconds of the CPU, on one thread, of `read_table` and of `read_task`
                beside those of PyArrow's reader alone, in turns
`describing`    tables that are long, wide, or of many classes, as parquet: seconds of the CPU, children included, to
                read it, make the task, its meta-features and fingerprint, and to save and open it as a trial does
`metafeatures`  calls benchmarks/metafeatures.py: the description of a table against pymfe's
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fit import REPOSITORY, machine, revision, watched

RESULTS = REPOSITORY / "benchmarks" / "results" / "speed.jsonl"
TABLES = ("credit-g", "quake", "letter", "adult")  # 1,000 x 20, 2,178 x 3, 20,000 x 16 and 48,842 x 14
BUDGETS = (5, 10, 15, 20, 30)

Record = dict[str, Any]


def startup(arguments: argparse.Namespace) -> Iterator[Record]:
    """Seconds of both, pair by pair."""
    program = Path(sys.executable).with_name("autometa")
    ours = [str(program), "--help"] if program.exists() else [sys.executable, "-m", "autometa", "--help"]
    theirs = [sys.executable, "-c", "import typer, rich"]
    repeats = 5 if arguments.quick else 30
    pairs = []
    for i in range(repeats + 1):
        pair = {}
        for name, command in sorted({"ours": ours, "theirs": theirs}.items(), reverse=bool(i % 2)):
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            pair[name] = time.perf_counter() - started
        pairs.append(pair)
    pairs = pairs[1:]  # the first one compiles
    ratios = sorted(p["ours"] / p["theirs"] for p in pairs)
    yield {
        "measure": "startup",
        "seconds": statistics.median(p["ours"] for p in pairs),
        "typer_and_rich": statistics.median(p["theirs"] for p in pairs),
        "ratio": statistics.median(ratios),
        "quartiles": [ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]],
        "goal": 1.3,
    }


def trials(arguments: argparse.Namespace) -> Iterator[Record]:
    """One watched fit per table."""
    for table in TABLES[:2] if arguments.quick else TABLES:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            seconds = "10" if arguments.quick else "20"
            program = [
                sys.executable,
                Path(__file__).with_name("watched_fit.py"),
                _table(arguments, table),
                folder,
                seconds,
            ]
            ran = subprocess.run(program, capture_output=True, text=True, check=False, cwd=folder)
            if ran.returncode != 0:
                yield {"measure": "trials", "table": table, "error": _last(ran.stderr)}
                continue
            yield {"measure": "trials", "table": table, **json.loads(ran.stdout.splitlines()[-1])}


def budget(arguments: argparse.Namespace) -> Iterator[Record]:
    """Every table under every budget, as a person would call it."""
    for seconds in BUDGETS[:2] if arguments.quick else BUDGETS:
        for table in TABLES:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
                folder = Path(name)
                program = [sys.executable, "-m", "autometa", "fit", _table(arguments, table), "--target", "target"]
                program += ["--time", str(seconds), "--run", folder / "run", "--store", folder / "store.db", "--json"]
                error, took, peak = watched([str(p) for p in program], folder, seconds * 3 + 60)
                record: Record = {
                    "measure": "budget",
                    "table": table,
                    "budget": seconds,
                    "took": took,
                    "over": took - seconds,
                }
                record |= {"allowed": max(2.0, 0.03 * seconds), "peak_ram": peak, "error": error}
                if error is None:
                    answer = json.loads((folder / "output").read_text(encoding="utf-8"))
                    record |= {"trials": answer["trials"], "score": answer["score"]}
                yield record


def reading(arguments: argparse.Namespace) -> Iterator[Record]:
    """One table, read in three ways."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.csv

    from autometa.task import read_table, read_task

    rng, n = np.random.default_rng(0), 300_000
    frame = pd.DataFrame({f"x{i}": rng.normal(size=n).round(4) for i in range(10)})
    frame = frame.assign(**{f"k{i}": rng.integers(0, 1000, n) for i in range(4)})
    frame = frame.assign(**{f"c{i}": rng.choice(list("abcdefgh"), n) for i in range(3)}, target=rng.integers(0, 2, n))
    data = frame.to_csv(index=False).encode()
    ways: dict[str, Callable[[], Any]] = {
        "pyarrow": lambda: pa.csv.read_csv(pa.BufferReader(data)).to_pandas(),
        "table": lambda: read_table(data),
        "task": lambda: read_task(data),
    }
    pa.set_cpu_count(1)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(3 if arguments.quick else 9):
        for name, read in ways.items():
            started = time.process_time()
            read()
            took[name].append(time.process_time() - started)
    middle = {name: statistics.median(seconds) for name, seconds in took.items()}
    yield {"measure": "reading", **middle, "ratio": middle["task"] / middle["pyarrow"]}


SHAPES = {  # rows x columns: classes
    "2000x5000": 2, "100x20000": 2, "20000x2000": 2, "50000x10": 500, "100000x20": 2, "1000000x20": 2, "5000000x20": 2,
}  # fmt: skip


def describing(arguments: argparse.Namespace) -> Iterator[Record]:
    """Every shape: numbers, a fifth of the columns categories, some cells missing."""
    import numpy as np
    import pandas as pd

    from autometa.metafeatures import describe
    from autometa.task import Task, make_task
    from autometa.task.read import raw_table

    def took() -> float:
        used = os.times()
        return used.user + used.system + used.children_user + used.children_system

    describe(make_task(pd.DataFrame({"a": range(20), "b": list("xyyx") * 5})))  # loads what is loaded once
    for shape, classes in SHAPES.items():
        rows, columns = map(int, shape.split("x"))
        rng = np.random.default_rng(0)
        numeric = rng.normal(size=(rows, columns - columns // 5)).astype(np.float32)
        numeric[rng.random(rows) < 0.1, 0] = np.nan
        words = rng.choice(np.array(["red", "green", "blue", "grey"]), (rows, columns // 5))
        label = np.array([f"class {i}" for i in range(classes)])[rng.integers(0, classes, rows)]
        frame = pd.concat([pd.DataFrame(numeric).add_prefix("n"), pd.DataFrame(words).add_prefix("k")], axis=1)
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "table.parquet"
            frame.assign(target=label).to_parquet(path)
            times = [took()]
            raw = raw_table(path)
            times.append(took())
            task = make_task(raw)
            times.append(took())
            describe(task)
            times.append(took())
            assert task.fingerprint
            times.append(took())
            task.save(Path(name) / "task")
            times.append(took())
            Task.load(Path(name) / "task")
            times.append(took())
        steps = dict(
            zip(("read", "make", "describe", "fingerprint", "save", "open"), np.diff(times).round(2), strict=True)
        )
        yield {"measure": "describing", "shape": shape, "classes": classes, **steps}


def metafeatures(arguments: argparse.Namespace) -> Iterator[Record]:
    """What benchmarks/metafeatures.py prints."""
    program = [sys.executable, Path(__file__).with_name("metafeatures.py")]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)
    yield {"measure": "metafeatures", "output": ran.stdout, "error": None if ran.returncode == 0 else _last(ran.stderr)}


MEASURES: dict[str, Callable[[argparse.Namespace], Iterator[Record]]] = {
    "startup": startup,
    "trials": trials,
    "budget": budget,
    "reading": reading,
    "describing": describing,
    "metafeatures": metafeatures,
}


def table_of(records: list[Record]) -> str:
    """What was measured, in Markdown."""
    lines = []
    for r in records:
        if r["measure"] == "startup":
            low, high = r["quartiles"]
            ours, theirs = _milliseconds(r["seconds"]), _milliseconds(r["typer_and_rich"])
            lines += [
                f"Start-up: {ours} ms, typer and rich alone {theirs} ms; "
                f"ratio {r['ratio']:.2f} (quartiles {low:.2f} to {high:.2f}; goal {r['goal']})",
                "",
            ]
    rows = [r for r in records if r["measure"] == "trials"]
    if rows:
        lines += [
            "| table | first finished trial, s | trials | overhead per trial, ms | within it | between two |",
            "|---|---|---|---|---|---|",
        ]
        for r in rows:
            lines.append(
                f"| {r['table']} | {r['error']} | | | | |"
                if r.get("error")
                else f"| {r['table']} | {r['first_trial']:.2f} | {r['trials']} | {_milliseconds(r['overhead'])} "
                f"| {_milliseconds(r['inside'])} | {_milliseconds(r['between'])} |"
            )
        lines.append("")
    rows = [r for r in records if r["measure"] == "budget"]
    if rows:
        lines += [
            "| table | budget, s | took | over | allowed | trials | peak RAM, MB |",
            "|---|---|---|---|---|---|---|",
        ]
        for r in rows:
            over = f"{r['over']:+.2f}" if r["over"] <= r["allowed"] else f"**{r['over']:+.2f}**"
            lines.append(
                f"| {r['table']} | {r['budget']} | {r['took']:.2f} | {over} | {r['allowed']:.2f} "
                f"| {r.get('trials') or r['error']} | {r['peak_ram'] / 1e6:.0f} |"
            )
        late, worst = [r for r in rows if r["over"] > r["allowed"]], max(r["over"] for r in rows)
        lines += ["", f"{len(rows)} runs, {len(late)} beyond what is allowed; largest overrun {worst:+.2f} s, "
                  f"largest memory {max(r['peak_ram'] for r in rows) / 1e6:.0f} MB.", ""]  # fmt: skip
    for r in records:
        if r["measure"] == "reading":
            alone, ours = f"{r['pyarrow']:.2f} s of the CPU by PyArrow alone", f"{r['table']:.2f} s as a table"
            task = f"{r['task']:.2f} s as a task, {r['ratio']:.1f} times as much"
            lines += [f"Reading 300,000 x 18: {alone}, {ours}, {task}.", ""]
        if r["measure"] == "describing":
            steps = ", ".join(
                f"{step} {r[step]:.1f}" for step in ("read", "make", "describe", "fingerprint", "save", "open")
            )
            lines += [f"Describing {r['shape']} of {r['classes']} classes, seconds of the CPU: {steps}.", ""]
        if r["measure"] == "metafeatures":
            lines += ["Meta-features:", "", r["error"] or r["output"].strip(), ""]
    return "\n".join(lines)


def _table(arguments: argparse.Namespace, name: str) -> Path:
    return arguments.data.resolve() / "tabular" / f"{name}.parquet"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.0f}"


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


def main() -> None:
    """Measures, appends to the results and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    context = {"machine": machine(), "revision": revision(), "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    records = []
    for name in arguments.only:
        for record in MEASURES[name](arguments):
            records.append(record)
            print(
                f"{name}: " + ", ".join(f"{k} {v}" for k, v in record.items() if k not in ("measure", "output")),
                file=sys.stderr,
                flush=True,
            )
            with arguments.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record | context) + "\n")
    print(table_of(records))


if __name__ == "__main__":
    main()
