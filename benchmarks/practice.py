"""Does a model do what it says it does? On twenty real tables of families that are all different.

    python benchmarks/practice.py coverage              what is not in the results yet; may be stopped at any time
    python benchmarks/practice.py coverage --quick      four tables at 5 s, printed only
    python benchmarks/practice.py exports               as coverage; also with --quick
    python benchmarks/practice.py latency               as coverage; also with --quick
    python benchmarks/practice.py latency --tag before  the same under another name, to be reported beside it
    python benchmarks/practice.py autogluon             what AutoGluon can of it, in an environment of its own
                                                        (`python benchmarks/fit.py --setup` makes it)
    python benchmarks/practice.py coverage --report     results/practice.md, of all measures

`coverage`: how many truths of rows that were held back lie within the intervals (`predict_interval`, of numbers) and
the sets (`predict_set`, of classes) that were to hold 80, 90 and 95 of 100. Half of the rows, 2,000 at most, are
learned from in `--time` seconds with one job, no memory and the default metric; the other half, 10,000 at most, judge.
Ten tables of each kind, drawn with a fixed seed and never by result; the rule for sets of classes was chosen on the
twenty that the seed draws before them, which are left out. *Width* is the mean width of an interval in
standard deviations of the target, *size* the mean number of classes in a set.

`exports`: a model of `--exportable` and four trials, and how far what its ONNX file answers of the other half is
from what it answers: the largest difference of a probability, or of a number in standard deviations of the target;
whether all labels are the same; whether the copy of skops answers the same to the bit; and how far the score of the
script without AutoMeta is from the one that the search found, before calibration.

`latency`: of the model of a search of three trials among linear models and LightGBM, of its compact form, and of one
linear and one LightGBM pipeline, each with the models of its five folds: the milliseconds of answering one row at a
time, the median of 100 rows after ten. The processor's, which a crowded machine changes least; the wall's are in the
results as well. And of the search's model the processor's seconds of `load_model` in a new process, and of the first
answer there.

`autogluon`: the same of AutoGluon, LightGBM and its linear model in bags of five, kept in memory; compact is what it
refits and clones for deployment; and, of numbers, its quantiles in the seconds that `coverage` has
(`benchmarks/autogluon_rows.py`). It has no sets of classes, and no export of a whole pipeline.

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
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.bench.results import read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "practice.jsonl"
LEVELS = (0.8, 0.9, 0.95)
MOST_LEARNED, MOST_JUDGED = 2_000, 10_000
TRIALS = 4  # at most, of a search whose model is exported, or asked row by row
EXPORTED = ("lightgbm", "linear", "extra_trees", "xgboost", "hist_gradient_boosting", "additive")
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


def exports(path: Path, of_classes: bool, seconds: float) -> dict[str, Any]:
    """How far the answers of exported models are from those of the model."""
    from autometa.export import export, load_skops
    from autometa.export.to_onnx import ask, feed_of
    from autometa.fitting import fit_table
    from autometa.search import Settings, load_model, open_run

    train, test = halves(pd.read_parquet(path), of_classes)
    text = [
        name
        for name in train
        if train[name].astype(object).map(lambda cell: isinstance(cell, str) and " " in cell).mean() > 0.5
    ]
    X, y = train.drop(columns=["target", *text], errors="ignore"), train["target"].to_numpy()
    settings = Settings(trials=TRIALS, folds=2, jobs=1, cold=True, remember=False, exportable=True, families=EXPORTED)
    with tempfile.TemporaryDirectory() as folder:
        kind = "classification" if of_classes else "regression"
        run = fit_table(X, y, kind=kind, settings=settings, run=Path(folder) / "run").run
        model, result = load_model(run), open_run(run)
        typed = model.schema.apply(test)
        expected = model.answer(typed)
        found: dict[str, Any] = {"rows": len(train), "judged": len(test), "members": len(model.members)}
        (file,) = export(run, "onnx")
        said = ask(file.read_bytes(), feed_of(model, typed))
        answer = said["probabilities" if of_classes else "prediction"]
        found["onnx_off"] = float(np.abs(answer - expected).max() / (1.0 if of_classes else np.std(y)))
        found["onnx_bytes"] = file.stat().st_size
        if of_classes:
            found["same_labels"] = bool((said["label"].astype(str) == model.labels(expected).astype(str)).all())
        found["skops_same"] = bool((load_skops(*export(run, "skops")).answer(typed) == expected).all())
        export(run, "python")
        command = [sys.executable, "pipeline.py"]
        ran = subprocess.run(command, cwd=run / "python", capture_output=True, text=True, check=True)
        metric, score, *_, promised = ran.stdout.strip().rstrip(")").split()
        found |= {"family": result.best.evaluation.config["family"], "metric": metric.rstrip(":")}
        found |= {"score": float(score), "script_off": abs(float(score) - float(promised))}
    return found


def latency(path: Path, of_classes: bool, seconds: float) -> dict[str, Any]:
    """Milliseconds of answering one row, of several models."""
    from autometa import AutoMetaClassifier, AutoMetaRegressor

    train, test = halves(pd.read_parquet(path), of_classes)
    X, y, rows = train.drop(columns="target"), train["target"].to_numpy(), test.drop(columns="target").head(110)
    face = AutoMetaClassifier if of_classes else AutoMetaRegressor
    found: dict[str, Any] = {"rows": len(train), "columns": X.shape[1]}
    with tempfile.TemporaryDirectory() as folder:
        plain = {"jobs": 1, "cv": 5, "cold": True, "remember": False, "verbose": False}
        fits = {
            "search": {"trials": 3, "families": ["linear", "lightgbm"]},
            "linear": {"trials": 1},
            "lightgbm": {"trials": 1},
        }
        for name, how in fits.items():
            asked = how if name == "search" else how | {"families": [name]}
            model = face(**plain, **asked, run=Path(folder) / name).fit(X, y).model_
            found[f"{name}_members"] = len(model.members)
            found |= _milliseconds(name, model, rows)
            if name == "search":
                found["families"] = sorted({str(one) for one in _families(Path(folder) / name, model)})
            if hasattr(model, "compact"):
                found |= _milliseconds(f"{name}_compact", model.compact(), rows)
        rows.head(1).to_parquet(Path(folder) / "row.parquet")
        code = (
            "import time, sys, json; from autometa import load_model;"
            "model = load_model(sys.argv[1]); loaded, modules = time.process_time(), len(sys.modules); import pandas;"
            "row = pandas.read_parquet(sys.argv[2]); read = time.process_time(); model.predict(row);"
            "print(json.dumps([loaded, time.process_time() - read, modules]))"
        )
        command = [sys.executable, "-c", code, str(Path(folder) / "search"), str(Path(folder) / "row.parquet")]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        found["load_s"], found["first_s"], found["modules"] = json.loads(ran.stdout.splitlines()[-1])
    return found


def autogluon(path: Path, of_classes: bool, seconds: float) -> dict[str, Any]:
    """What AutoGluon takes for a row, and how well its quantiles hold."""
    from autometa.bench.environments import interpreter

    python = interpreter("autogluon", REPOSITORY / ".venvs")
    if python is None:
        raise SystemExit("autogluon is not installed: python benchmarks/fit.py --setup")
    train, test = halves(pd.read_parquet(path), of_classes)
    classes = "binary" if train["target"].nunique() == 2 else "multiclass"
    kind, found = classes if of_classes else "regression", {"rows": len(train), "judged": len(test)}
    with tempfile.TemporaryDirectory() as folder:
        for name, half in (("train", train), ("test", test)):
            half.to_parquet(Path(folder) / f"{name}.parquet")
        given = [str(Path(folder) / f"{name}.parquet") for name in ("train", "test")] + [kind, str(seconds)]
        for what in ("latency",) if of_classes else ("latency", "coverage"):
            command = [str(python.absolute()), str(REPOSITORY / "benchmarks" / "autogluon_rows.py"), what, *given]
            ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
            if ran.returncode:
                raise SystemExit(ran.stderr[-2000:])
            found |= json.loads(ran.stdout.splitlines()[-1])
    return found


def _families(run: Path, model: Any) -> list[str]:
    """The families of the members."""
    from autometa.search import open_run

    by_number = {row.number: row for row in open_run(run).trials}
    return [by_number[member.number].evaluation.config["family"] for member in model.members]


def _milliseconds(name: str, model: Any, rows: pd.DataFrame) -> dict[str, float]:
    """Of one row at a time, the median: the wall's and the processor's."""
    took = []
    for k in range(len(rows)):
        row = rows.iloc[[k]]
        wall, processor = time.perf_counter(), time.process_time()
        model.predict(row, allow_missing=True)
        took.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)))
    wall, processor = np.median(took[10:], axis=0).tolist()
    return {f"{name}_wall": wall, f"{name}_cpu": processor}


MEASURES: dict[str, Callable[[Path, bool, float], dict[str, Any]]] = {
    "coverage": coverage,
    "exports": exports,
    "latency": latency,
    "autogluon": autogluon,
}


def read() -> dict[tuple[str, str], dict[str, Any]]:
    """What was measured so far, by measure and table."""
    return {(line["measure"], line["table"]): line for line in read_lines(RESULTS)}


def report() -> str:
    """Markdown: what was measured of each kind."""
    parts = [_of_coverage(), _of_exports(), _of_latency()]
    return "\n".join(["# practice.py", "", *filter(None, parts)])


def _of_exports() -> str:
    """The largest differences, and each table."""
    found = [line for (measure, _), line in read().items() if measure == "exports"]
    if not found:
        return ""
    off, script = max(line["onnx_off"] for line in found), max(line["script_off"] for line in found)
    same = sum(line["skops_same"] for line in found)
    text = [
        f"Exports on {len(found)} tables: ONNX is off by {off:.1e} at most, a script's score by {script:.1e}; skops "
        f"the same on {same}."
    ]
    text += [
        "",
        "| table | rows | members | ONNX off | ONNX MB | labels | skops | script: family | metric | score | off |",
    ]
    text.append("|---" * 11 + "|")
    for line in found:
        labels = {True: "same", False: "OTHER", None: ""}[line.get("same_labels")]
        cells = [
            line["table"],
            line["judged"],
            line["members"],
            f"{line['onnx_off']:.0e}",
            f"{line['onnx_bytes'] / 1e6:.1f}",
        ]
        cells += [labels, "same" if line["skops_same"] else "OTHER", line["family"], line["metric"]]
        text.append("| " + " | ".join(map(str, [*cells, f"{line['score']:.4g}", f"{line['script_off']:.0e}"])) + " |")
    return "\n".join(text) + "\n"


def _of_latency() -> str:
    """Medians over the tables, before and now."""
    names = {"latency_before": "before", "latency": "now", "autogluon": "AutoGluon"}
    lines = {said: [one for (m, _), one in read().items() if m == measure] for measure, said in names.items()}
    if not any(lines.values()):
        return ""
    shown = {
        "linear": "one linear",
        "lightgbm": "one LightGBM",
        "search": "the search's",
        "search_compact": "the search's, compact",
    }
    text = [
        "Processor's milliseconds of one row at a time: the median of 100 rows, then over tables (largest of a table).",
        "",
    ]
    text += [
        "| | tables | " + " | ".join(shown.values()) + " | load, s | first answer, s | modules |",
        "|---" * (len(shown) + 5) + "|",
    ]
    for said, found in lines.items():
        if found:
            cells = []
            for name in [*(f"{one}_cpu" for one in shown), "load_s", "first_s", "modules"]:
                own = np.array([line[name] for line in found if name in line])
                cells.append(f"{np.median(own):.3g} ({own.max():.3g})" if len(own) else "")
            text.append("| " + " | ".join([said, str(len(found)), *cells]) + " |")
    return "\n".join(text) + "\n"


def _of_coverage() -> str:
    """Means over the tables, and each table."""
    found = [line for (measure, _), line in read().items() if measure == "coverage"]
    if not found:
        return ""
    text = [f"Coverage on {len(found)} tables.", ""]
    text += ["| asked | covered, mean | lowest | highest | tables within 2 points |", "|---|---|---|---|---|"]
    for level in LEVELS:
        name = f"covered_{level:.0%}".rstrip("%")
        own = np.array([line[name] for line in found if name in line])
        near = int((np.abs(own - level) <= 0.02).sum())
        text.append(f"| {level} | {own.mean():.3f} | {own.min():.3f} | {own.max():.3f} | {near} of {len(own)} |")
    text += _of_quantiles(found)
    text += ["", "| table | rows | judged | trials | covered at 0.9 | width or size at 0.9 |", "|---" * 6 + "|"]
    for line in found:
        said = f"{line['width_90']:.2f} sd" if "width_90" in line else f"{line['size_90']:.2f} classes"
        cells = [line["table"], line["rows"], line["judged"], line["trials"], f"{line['covered_90']:.3f}", said]
        text.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(text) + "\n"


def _of_quantiles(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """AutoGluon's quantiles beside our intervals, on the tables of numbers that both have."""
    ours = {line["table"]: line for line in found}
    both = [(ours[t], line) for (m, t), line in read().items() if m == "autogluon" and t in ours and "width_90" in line]
    if not both:
        return []
    text = ["", f"On the {len(both)} tables of numbers, AutoGluon's quantiles of the same seconds beside them:", ""]
    text += ["| asked | covered, mean | off, mean | width, sd | AutoGluon covered, mean | off, mean | width, sd |"]
    text += ["|---" * 7 + "|"]
    for level in LEVELS:
        name, cells = f"{level:.0%}".rstrip("%"), [str(level)]
        for k in range(2):
            covered = np.array([pair[k][f"covered_{name}"] for pair in both])
            width = np.mean([pair[k][f"width_{name}"] for pair in both])
            cells += [f"{covered.mean():.3f}", f"{np.abs(covered - level).mean():.3f}", f"{width:.2f}"]
        text.append("| " + " | ".join(cells) + " |")
    return text


def main() -> None:
    """Measures what is missing, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--time", type=float, default=8.0, help="seconds of a fit")
    parser.add_argument("--quick", action="store_true", help="four tables at 5 s, printed only")
    parser.add_argument("--tag", help="a word behind the name of the measure, to be reported beside it")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    from autometa import __version__

    name = options.measure + (f"_{options.tag}" if options.tag else "")
    tables, seconds = (4, 5.0) if options.quick else (options.tables, options.time)
    for table, of_classes in choose(options.data / "catalog.csv", tables):
        if (name, table) in read() and not options.quick:
            continue
        found = {"measure": name, "table": table, "time": seconds, "autometa": __version__}
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
