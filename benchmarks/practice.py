"""Does a model do what it says it does? On twenty real tables of families that are all different.

    python benchmarks/practice.py coverage              what is not in the results yet; may be stopped at any time
    python benchmarks/practice.py coverage --quick      four tables at 5 s, printed only
    python benchmarks/practice.py coverage --report     results/practice.md

`coverage`: how many truths of rows that were held back lie within the intervals (`predict_interval`, of numbers) and
the sets (`predict_set`, of classes) that were to hold 80, 90 and 95 of 100. Half of the rows, 2,000 at most, are
learned from in `--time` seconds with one job, no memory and the default metric; the other half, 10,000 at most, judge.
Ten tables of each kind, drawn with a fixed seed and never by result; the rule for sets of classes was chosen on the
twenty that the seed draws before them, which are left out. *Width* is the mean width of an interval in
standard deviations of the target, *size* the mean number of classes in a set.

To measure something else, write a function of a table and the seconds of a fit, and give it a line in `MEASURES`.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.bench.results import read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "practice.jsonl"
LEVELS = (0.8, 0.9, 0.95)
MOST_LEARNED, MOST_JUDGED = 2_000, 10_000
CHOSEN_ON = 20  # of the tables that are drawn, the first: what is measured here was chosen on them


def choose(catalog: Path, most: int) -> list[tuple[str, bool]]:
    """Real tables of 600 to 20,000 rows, no family twice, of numbers and of classes in turn: name, and which."""
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real"]
    rows = [r for r in rows if 600 <= int(r["n_rows"]) <= 20_000 and int(r["n_features"]) <= 100]
    rows.sort(key=lambda r: r["name"])
    random.Random(30).shuffle(rows)
    families: set[str] = set()
    chosen: list[tuple[str, bool]] = []
    while len(chosen) < CHOSEN_ON + most:
        of_classes = len(chosen) % 2 == 1
        free = [r for r in rows if r["family"] not in families and (r["task"] != "regression") == of_classes]
        if not free:
            break
        families.add(free[0]["family"])
        chosen.append((free[0]["name"], of_classes))
    return chosen[CHOSEN_ON:]


def halves(frame: pd.DataFrame, of_classes: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """To learn from, and to be judged by; rows in an order of their own."""
    if of_classes:
        frame = frame.assign(target=frame["target"].astype(str))
        counts = frame["target"].value_counts()
        frame = frame[frame["target"].isin(counts.index[counts >= 10])]
    order = np.random.default_rng(0).permutation(len(frame))
    half = len(frame) // 2
    learned, kept = order[:half][:MOST_LEARNED], order[half:][:MOST_JUDGED]
    return frame.iloc[learned].reset_index(drop=True), frame.iloc[kept].reset_index(drop=True)


def coverage(path: Path, of_classes: bool, seconds: float) -> dict[str, Any]:
    """The share of truths within, and how much that says, at every level."""
    from autometa import AutoMetaClassifier, AutoMetaRegressor

    train, test = halves(pd.read_parquet(path), of_classes)
    X, y = train.drop(columns="target"), train["target"].to_numpy()
    new, truth = test.drop(columns="target"), test["target"].to_numpy()
    began = time.monotonic()
    face = AutoMetaClassifier if of_classes else AutoMetaRegressor
    model = face(time=seconds, jobs=1, cold=True, remember=False).fit(X, y)
    found: dict[str, Any] = {"rows": len(train), "judged": len(test), "trials": len(model.leaderboard_)}
    found["seconds"] = round(time.monotonic() - began, 1)
    held_out = model.model_.conformal.overall.count
    for level in LEVELS:
        if held_out < level / (1 - level):
            continue
        if of_classes:
            inside = model.predict_set(new, level)
            codes = np.searchsorted(np.asarray(model.classes_, dtype=str), truth.astype(str))
            known = np.isin(truth.astype(str), np.asarray(model.classes_, dtype=str))
            held = inside[np.arange(len(new)), np.minimum(codes, inside.shape[1] - 1)] & known
            found[f"size_{level:.0%}".rstrip("%")] = float(inside.sum(axis=1).mean())
        else:
            low, high = model.predict_interval(new, level).T
            held = (low <= truth) & (truth <= high)
            found[f"width_{level:.0%}".rstrip("%")] = float((high - low).mean() / np.std(truth))
        found[f"covered_{level:.0%}".rstrip("%")] = float(held.mean())
    return found


MEASURES: dict[str, Callable[[Path, bool, float], dict[str, Any]]] = {"coverage": coverage}


def read() -> dict[tuple[str, str], dict[str, Any]]:
    """What was measured so far, by measure and table."""
    return {(line["measure"], line["table"]): line for line in read_lines(RESULTS)}


def report() -> str:
    """Markdown: means over the tables, and each table."""
    found = [line for (measure, _), line in read().items() if measure == "coverage"]
    text = ["# practice.py", "", f"Coverage on {len(found)} tables.", ""]
    text += ["| asked | covered, mean | lowest | highest | tables within 2 points |", "|---|---|---|---|---|"]
    for level in LEVELS:
        name = f"covered_{level:.0%}".rstrip("%")
        own = np.array([line[name] for line in found if name in line])
        near = int((np.abs(own - level) <= 0.02).sum())
        text.append(f"| {level} | {own.mean():.3f} | {own.min():.3f} | {own.max():.3f} | {near} of {len(own)} |")
    text += ["", "| table | rows | judged | trials | covered at 0.9 | width or size at 0.9 |", "|---" * 6 + "|"]
    for line in found:
        said = f"{line['width_90']:.2f} sd" if "width_90" in line else f"{line['size_90']:.2f} classes"
        cells = [line["table"], line["rows"], line["judged"], line["trials"], f"{line['covered_90']:.3f}", said]
        text.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(text) + "\n"


def main() -> None:
    """Measures what is missing, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--time", type=float, default=8.0, help="seconds of a fit")
    parser.add_argument("--quick", action="store_true", help="four tables at 5 s, printed only")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    from autometa import __version__

    tables, seconds = (4, 5.0) if options.quick else (options.tables, options.time)
    for table, of_classes in choose(options.data / "catalog.csv", tables):
        if (options.measure, table) in read() and not options.quick:
            continue
        found = {"measure": options.measure, "table": table, "time": seconds, "autometa": __version__}
        found |= {"machine": f"{platform.machine()}, {os.cpu_count()} CPUs", "load": round(os.getloadavg()[0], 1)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found |= MEASURES[options.measure](options.data / "tabular" / f"{table}.parquet", of_classes, seconds)
        print(json.dumps(found), flush=True)
        if not options.quick:
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
