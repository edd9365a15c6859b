"""Which made columns are worth it? Held-back rows with each generator and without, on tables of different families.

    python benchmarks/features.py              what is not in the results yet; may be stopped at any time
    python benchmarks/features.py --quick      four tables, printed only
    python benchmarks/features.py --half validation    the tables on which constants were chosen
    python benchmarks/features.py --report     results/features.md

Real tables of 1,000 rows or more, 20,000 of each at most, no family twice, kinds in turn, one with categories and one
of any sort, drawn with a fixed seed and never by result; the first twelve are those on which the constants of
`learners.screening` were chosen (*validation*), the others are *report*. Three fits of two thirds of the rows, judged
by the other third, in the task's metric, with the library's defaults of LightGBM (and slower: 500 rounds at .05 that
stop early) and the linear model. Every variant has the same rows and the same seed. What is compared is the loss (1
less a score that ends at 1, else the score's size); *wins* are tables where it is lower than without. *If it paid* is
what a search does: a fold has the columns only if on the rows of the other two the loss is lower with them. *seconds*
are of one fit.

Target means, frequencies and axes of random subsets were measured with the code of b205c71, as was *all five*.

A target that is permuted has nothing to be told: `--null` makes one of each table, and whatever gains there leaks.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import random
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.bench.results import append, read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "features.jsonl"
KINDS = ("binary", "multiclass", "regression")
ROWS = 20_000
VALIDATION, REPORT = 12, 40
LEARNERS: dict[str, dict[str, Any]] = {
    "lightgbm": {"family": "lightgbm"},
    "lightgbm slow": {
        "family": "lightgbm", "lightgbm.n_estimators": 500, "lightgbm.early_stop": True, "lightgbm.learning_rate": 0.05
    },
    "linear": {"family": "linear"},
}  # fmt: skip


def choose(catalog: Path, seed: int = 34) -> list[dict[str, str]]:
    """The tables, the first twelve for validation."""
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real"]
    rows = [r for r in rows if int(r["n_rows"]) >= 1_000 and int(r["n_features"]) <= 60]
    rows = [r for r in rows if r["task"] == "regression" or int(r["n_classes"]) <= 12]
    rows.sort(key=lambda r: r["name"])
    random.Random(seed).shuffle(rows)
    used: set[str] = set()
    chosen: list[dict[str, str]] = []
    while len(chosen) < VALIDATION + REPORT:
        before = len(chosen)
        for kind in KINDS:
            for fewest in (1, 0):  # two kinds of table in turn: with categories, and any
                free = [r for r in rows if r["task"] == kind and r["family"] not in used]
                free = [r for r in free if int(r["n_categorical"]) >= fewest][:1]
                used.update(r["family"] for r in free)
                chosen += free
        if len(chosen) == before:
            break
    return chosen


def variants() -> dict[str, str]:
    """What is compared, each with the value of the parameter."""
    from autometa.families.features import ALL, GENERATORS

    return {"off": "off", **{name: name for name in GENERATORS}, ALL: ALL}


def measure(path: Path, name: str, wanted: list[tuple[str, str]], *, null: bool = False) -> Iterator[dict[str, Any]]:
    """The mean losses of a table's learners and variants."""
    from autometa.evaluation import fit_model, plan_splits, predict_aligned, score
    from autometa.families import cash_space
    from autometa.task import make_task

    frame = pd.read_parquet(path / f"{name}.parquet")
    frame = frame.sample(min(len(frame), ROWS), random_state=0).reset_index(drop=True)
    if null:
        frame["target"] = np.random.default_rng(0).permutation(frame["target"].to_numpy())
    task = make_task(frame.drop(columns="target"), y=frame["target"], name=name)
    splits, values = plan_splits(task, seed=0, folds=3), variants()
    for learner, variant in wanted:
        given = LEARNERS[learner]
        config = cash_space(task.kind).complete(given)
        if values[variant] != "off":
            config[f"{given['family']}.features"] = values[variant]
        scores, made, took = [], [], 0.0
        for train, test in splits:
            began = time.process_time()
            model = fit_model(task, config, train, seed=0)
            took += time.process_time() - began
            answer = predict_aligned(model, task.X.iloc[test], task.kind, task.c)
            y = np.asarray(task.y)[test]
            scores.append(float(score(task.metric, y, answer, positive=task.positive, n_classes=task.c)))
            step = getattr(model, "model", model).steps[0][1]
            made.append([one.name for one in getattr(step, "made_", ())])
        losses = [1 - s if task.metric in ("roc_auc", "accuracy", "r2") else -s for s in scores]
        line = {"table": name, "kind": task.kind, "rows": task.n, "columns": task.p, "learner": learner}
        line |= {"variant": variant, "loss": float(np.mean(losses)), "losses": losses}
        line |= {"made": made[0], "counts": list(map(len, made))}
        yield line | {"seconds": round(took / len(splits), 3), "null": null}


def report() -> str:
    """Markdown: each learner and generator, over the tables."""
    from scipy.stats import wilcoxon

    lines = read_lines(RESULTS)
    order = [r["name"] for r in choose(REPOSITORY.parent / "shared" / "data" / "catalog.csv")]
    halves = {"report": set(order[VALIDATION:]), "validation": set(order[:VALIDATION])}
    parts = ["# features.py", ""]
    for half, names in halves.items():
        known = {(one["learner"], one["variant"], one["table"]): one for one in lines if not one["null"]}
        parts += [f"## {half.capitalize()}", ""]
        heads = ["learner", "generators", "tables", "made on", "wins : losses", "geometric mean", "where made", "p"]
        heads += ["if it paid: wins : losses", "geometric mean", "p", "seconds"]
        parts += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for learner in LEARNERS:
            for variant in sorted({line["variant"] for line in lines} - {"off"}):
                pairs = [
                    (known[learner, "off", name], known[learner, variant, name])
                    for name in sorted(names)
                    if (learner, "off", name) in known and (learner, variant, name) in known
                ]
                if not pairs:
                    continue
                ratios = np.array([b["loss"] / a["loss"] if a["loss"] > 0 else 1.0 for a, b in pairs])
                kept = np.array([_if_it_paid(a["losses"], b["losses"]) for a, b in pairs])
                some = np.array([sum(b["counts"]) > 0 for _, b in pairs])
                logs, better, worse = np.log(ratios), int((ratios < 1).sum()), int((ratios > 1).sum())
                p = wilcoxon(logs[some]).pvalue if some.sum() > 5 and np.any(logs[some]) else math.nan
                ours = np.median([b["seconds"] for _, b in pairs])
                cells = [learner, variant, len(pairs), int(some.sum()), f"{better} : {worse}"]
                cells += [f"{math.exp(logs.mean()):.4f}", f"{math.exp(logs[some].mean()):.4f}" if some.any() else ""]
                cells += ["" if math.isnan(p) else f"{p:.2g}"]
                cells += [f"{int((kept < 1).sum())} : {int((kept > 1).sum())}", f"{math.exp(np.log(kept).mean()):.4f}"]
                q = wilcoxon(np.log(kept[kept != 1])).pvalue if (kept != 1).sum() > 5 else math.nan
                cells += ["" if math.isnan(q) else f"{q:.2g}", f"{ours:.2g}"]
                parts.append("| " + " | ".join(map(str, cells)) + " |")
        parts.append("")
    null = {(one["learner"], one["variant"], one["table"]): one for one in lines if one["null"]}
    pairs = [(null[a, "off", t], one) for (a, v, t), one in null.items() if v != "off" and (a, "off", t) in null]
    if pairs:
        logs = [math.log(b["loss"] / a["loss"]) for a, b in pairs]
        made = sum(sum(b["counts"]) > 0 for _, b in pairs)
        parts += [
            f"Permuted targets: {len(pairs)} fits, {made} made a column; losses {math.exp(np.mean(logs)):.4f}.",
            "",
        ]
    return "\n".join(parts)


def _if_it_paid(without: list[float], with_them: list[float]) -> float:
    """The ratio of the losses where what is made is kept if the other two thirds of the rows say that it pays."""
    a, b = np.array(without), np.array(with_them)
    others = 1.0 - np.eye(len(a))
    kept = np.where(others @ b < others @ a, b, a)
    return float(kept.mean() / a.mean()) if a.mean() > 0 else 1.0


def main() -> None:
    """Measures what is missing, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--half", choices=("validation", "report"), default="report")
    parser.add_argument("--tables", type=int, default=REPORT)
    parser.add_argument("--learners", nargs="*", choices=list(LEARNERS), default=list(LEARNERS))
    parser.add_argument("--variants", nargs="*", choices=list(variants()), default=list(variants()))
    parser.add_argument("--null", action="store_true", help="with permuted targets")
    parser.add_argument("--quick", action="store_true", help="four tables, printed only")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    warnings.simplefilter("ignore")
    chosen = choose(options.data / "catalog.csv")
    chosen = chosen[:VALIDATION] if options.half == "validation" else chosen[VALIDATION:]
    for row in chosen[: 4 if options.quick else options.tables]:
        known = {(o["learner"], o["variant"]) for o in read_lines(RESULTS) if _same(o, row["name"], options.null)}
        wanted = [(a, b) for a in options.learners for b in options.variants if options.quick or (a, b) not in known]
        machine = {"machine": f"{platform.machine()}, {os.cpu_count()} CPUs", "load": round(os.getloadavg()[0], 1)}
        for line in measure(options.data / "tabular", row["name"], wanted, null=options.null):
            print(json.dumps(line), flush=True)
            if not options.quick:
                append(RESULTS, line | machine)


def _same(line: dict[str, Any], name: str, null: bool) -> bool:
    return bool(line["table"] == name and line["null"] == null)


if __name__ == "__main__":
    main()
