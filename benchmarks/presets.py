"""What does each preset cost and give, on rows that it has not seen?

    python benchmarks/presets.py                        every preset on every table that is not in the results yet
    python benchmarks/presets.py --tables 4 --presets fast,light
    python benchmarks/presets.py --report               a line for each preset

A table is one of `patience.py`, drawn by its name: two thirds of its rows are learned from, with the memory that ships,
less the table's family; the others judge. Scores are scaled: 0 is the constant, 1 the best preset on that table. Bytes
are the file of the model; answers are timed in this process, one row and a thousand at a time, the least of several.
A table takes the time of all presets, twelve minutes; the results grow line by line, and what is there is not measured
again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from patience import choose, cut_in_two

from autometa.bench.results import read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "presets.jsonl"


def measure(path: Path, family: str, preset: str) -> dict[str, Any]:
    """One table under one preset."""
    import pandas as pd

    from autometa.evaluation import Dummy, plan_splits, score
    from autometa.search import Settings, load_model, search, with_preset
    from autometa.task import later_target

    task, unseen, exclude = cut_in_two(path, family)
    chosen, _ = with_preset(preset, {})
    settings = Settings(**chosen, remember=False, exclude=exclude)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        result = search(task, settings, Path(folder) / "run")
        seconds = time.monotonic() - began
        size, model = result.model.stat().st_size, load_model(Path(folder) / "run")
        y, there = later_target(unseen["target"], task.classes, target="target", drop_missing=True)
        answer = model.answer(task.schema.apply(unseen))[there]
        how = {"positive": task.positive, "weights": model.weights, "classes": task.classes}
        some = pd.concat([unseen] * (1 + 1000 // len(unseen)), ignore_index=True).head(1000)
        return {
            "preset": preset,
            "table": path.stem,
            "family": family,
            "metric": task.metric,
            "score": float(score(task.metric, y, answer, task.c, **how)),
            "dummy": Dummy.of(task, plan_splits(task, seed=0)).score,
            "promised": result.score,
            "seconds": round(seconds, 2),
            "trials": len(result.trials),
            "members": len(result.members),
            "bytes": size,
            "one_row_ms": round(1e3 * least(lambda: model.predict(some.head(1))), 3),
            "thousand_rows_ms": round(1e3 * least(lambda: model.predict(some)), 3),
        }


def least(answer: Any, times: int = 7) -> float:
    """Seconds of the quickest of several calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        answer()
        found.append(time.perf_counter() - began)
    return min(found)


def report() -> None:
    """A line for each preset, of the tables that all presets were measured on."""
    rows = read_lines(RESULTS)
    names = list(dict.fromkeys(row["preset"] for row in rows))
    by_table: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_table.setdefault(row["table"], {})[row["preset"]] = row
    whole = [found for found in by_table.values() if len(found) == len(names)]
    print(f"{len(whole)} tables\n\npreset      seconds  scaled score  best on  members     kB  1 row ms  1000 rows ms")
    for name in names:
        scaled, best = [], 0
        for found in whole:
            top = max(one["score"] for one in found.values())
            scaled.append((found[name]["score"] - found[name]["dummy"]) / max(top - found[name]["dummy"], 1e-9))
            best += found[name]["score"] == top

        def middle(key: str, name: str = name) -> float:
            return float(np.median([found[name][key] for found in whole]))

        print(
            f"{name:10} {middle('seconds'):8.1f} {np.mean(scaled):13.3f} {best:8} {middle('members'):8.0f} "
            f"{middle('bytes') / 1e3:6.0f} {middle('one_row_ms'):9.1f} {middle('thousand_rows_ms'):13.1f}"
        )


def main() -> None:
    """Measures what is not measured yet, or reports."""
    from autometa.search import PRESETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="has catalog.csv")
    parser.add_argument("--tables", type=int, default=8)
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--report", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    if asked.report:
        report()
        return
    there = {(row["table"], row["preset"]) for row in read_lines(RESULTS)} if RESULTS.exists() else set()
    for row in choose(asked.data / "catalog.csv", None)[: asked.tables]:
        for preset in asked.presets.split(","):
            if (row["name"], preset) in there:
                continue
            found = measure(asked.data / "tabular" / f"{row['name']}.parquet", row["family"], preset)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
