"""When is a search done? What the answer is worth on unseen rows after so many seconds, and where `--patience` stops.

    python benchmarks/patience.py                        every table that is not in the results yet; may be stopped
    python benchmarks/patience.py --tables 12 --half validation
    python benchmarks/patience.py --report               where each rule would have stopped, and what that costs

A table of at most 2,000 rows is searched for `--time` seconds with one job and the memory that ships, less the table's
family. Two thirds of its rows are learned from; the others judge. Afterwards, for every few trials, the ensemble of the
trials that had ended by then is put together and fitted on all rows that are learned from, as `fit` does, but without
the models of the folds, which are kept of the best only. So one search tells what stopping anywhere in it would cost.

The families of the shared tables are halved by a fixed draw: the rule's two numbers are chosen on `validation`, and the
figures are of `held-back`. Scores are scaled: 0 is the constant, 1 the best answer that this search had at any time.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.bench.results import read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "patience.jsonl"
MOST_ROWS, LEAST_ROWS, MOST_JUDGING = 2_000, 150, 2_000
AFTER = (1, 2, 3, 5, 7, 10, 13, 17, 21, 26, 32, 40, 50, 63, 80, 100, 125, 160, 200, 250, 320, 400, 500, 640, 800, 1000)


def half(family: str) -> str:
    """In which half of the families a table is, whatever else is in the catalogue."""
    return "validation" if hashlib.sha256(family.encode()).digest()[0] % 2 == 0 else "held-back"


def choose(catalog: Path, which: str | None) -> list[dict[str, str]]:
    """Real tables that are small enough, one of each family, in an order that is no result's."""
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real" and int(r["n_features"]) <= 200]
    rows = [r for r in rows if LEAST_ROWS * 1.5 <= int(r["n_rows"]) <= MOST_ROWS * 1.5 and int(r["n_classes"]) <= 20]
    rows.sort(key=lambda r: hashlib.sha256(r["name"].encode()).hexdigest())
    one_each = {r["family"]: r for r in reversed(rows)}
    return [r for r in rows if one_each[r["family"]] is r and which in (None, half(r["family"]))]


def cut_in_two(path: Path, family: str, most: int = MOST_ROWS) -> tuple[Any, Any, Any]:
    """The task of two thirds of a table's rows, `most` at most; rows that judge; what the memory must forget."""
    import pandas as pd

    from autometa.store import Exclusion
    from autometa.task import make_task

    frame = pd.read_parquet(path)
    order = np.random.default_rng(0).permutation(len(frame))
    cut = min(int(len(frame) * 2 / 3), most)
    known, unseen = frame.iloc[order[:cut]], frame.iloc[order[cut : cut + MOST_JUDGING]]
    task = make_task(known.reset_index(drop=True), target="target", name=path.stem, family=family)
    exclude = Exclusion(families=frozenset({family}), fingerprints=frozenset({task.fingerprint}))
    return task, unseen.reset_index(drop=True), exclude


def measure(path: Path, family: str, seconds: float) -> dict[str, Any]:
    """One search, and what its answers would have been on the way."""
    from autometa.evaluation import fit_model, score
    from autometa.search import Settings, search

    task, unseen, exclude = cut_in_two(path, family)
    settings = Settings(seconds=seconds, jobs=1, remember=False, exclude=exclude, patience="off")
    with tempfile.TemporaryDirectory() as folder:
        result = search(task, settings, Path(folder) / "run")
        fitted: dict[int, bytes] = {}

        def fit(row: Any, **_: Any) -> bytes:
            import pickle

            if row.number not in fitted:
                model = fit_model(task, row.evaluation.config, np.arange(task.n), seed=0)
                fitted[row.number] = pickle.dumps([model], protocol=5)
            return fitted[row.number]

        truth, X = codes(task, unseen["target"]), unseen.drop(columns="target")
        inside = truth >= 0 if task.kind != "regression" else np.isfinite(truth)
        ended = sorted(result.trials, key=lambda row: row.finished)
        answers = []
        for count in [count for count in AFTER if count < len(ended)] + [len(ended)]:
            model = answer(result, ended[:count], fit)
            if model is None:
                continue
            said = model.predict(X) if task.kind == "regression" else model.predict_proba(X)
            value = score(task.metric, truth[inside], np.asarray(said)[inside], task.c)
            answers.append({"trials": count, "seconds": round(ended[count - 1].finished, 2), "unseen": float(value)})
        constant = usual(task, int(inside.sum()))
        return {
            "table": path.stem, "family": family, "half": half(family), "rows": task.n, "metric": task.metric,
            "budget": seconds, "constant": float(score(task.metric, truth[inside], constant, task.c)),
            "answers": answers,
            "trials": [
                {
                    "ended": round(row.finished, 2), "state": str(row.evaluation.state), "origin": row.origin,
                    "family": row.evaluation.config["family"], "score": row.evaluation.scores.get(task.metric),
                    "folds": list(row.evaluation.folds.get(task.metric, ())),
                }
                for row in ended
            ],
        }  # fmt: skip


def codes(task: Any, target: Any) -> NDArray[Any]:
    """The truth of unseen rows as the task has it; -1 or NaN where it has none."""
    if task.kind == "regression":
        return np.asarray(target, dtype=float)
    names = {str(name): code for code, name in enumerate(task.classes)}
    return np.array([names.get(str(value), -1) for value in target])


def usual(task: Any, n: int) -> NDArray[Any]:
    """The mean, or the shares of the classes, for n rows."""
    if task.kind == "regression":
        return np.full(n, float(np.mean(task.y)))
    return np.tile(np.bincount(task.y, minlength=task.c) / task.n, (n, 1))


def answer(result: Any, trials: Sequence[Any], fit: Any) -> Any:
    """The model that a search which had ended with these trials would have left; None where nothing was evaluated."""
    from dataclasses import replace
    from unittest.mock import patch

    from autometa.search.budget import Budget
    from autometa.search.candidates import candidates_of
    from autometa.search.clock import Clock
    from autometa.search.finish import Finish
    from autometa.search.options import OPTIONS
    from autometa.search.plan import SearchPlan
    from autometa.search.result import leaderboard
    from autometa.search.run import Run
    from autometa.search.settings import Silent

    run = Run.open(result.run)
    leaders = leaderboard(trials, result.task.metric)
    if not leaders:
        return None
    options = replace(OPTIONS, fold_models_bytes=0)
    plan = SearchPlan.of(result.task, result.settings, 1, splits=run.splits, options=options)
    clock = Clock(Budget(None, None), None, None, run.splits.growth, options, result.task.n)
    finish = Finish(result.task, plan, clock, fit, Silent(), read=lambda path: path.read_bytes())
    with patch.object(Run, "fold_models", return_value=None):  # they are kept of the best only
        return finish.conduct(candidates_of(run, leaders, options.candidates)).model


def main() -> None:
    """Measures what is missing, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--tables", type=int, default=30, help="at most, of each half")
    parser.add_argument("--skip", type=int, default=0, help="so many of them, which another process measures")
    parser.add_argument("--half", choices=("validation", "held-back"))
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    done = {(line["table"], line["budget"]) for line in read_lines(RESULTS)}
    for which in ("validation", "held-back") if options.half is None else (options.half,):
        for row in choose(options.data / "catalog.csv", which)[options.skip : options.tables]:
            if (row["name"], options.time) in done:
                continue
            began = time.monotonic()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                line = measure(options.data / "tabular" / f"{row['name']}.parquet", row["family"], options.time)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            took = time.monotonic() - began
            print(f"{which} {row['name']}: {len(line['trials'])} trials, {took:.0f} s", flush=True)


def stop(line: dict[str, Any], least: int, share: float) -> int:
    """After how many trials a search would have ended under `SearchOptions.patient_trials` and `impatience`."""
    from autometa.evaluation import AUTO, Evaluation
    from autometa.search.options import SearchOptions
    from autometa.search.patience import is_enough
    from autometa.search.settings import TrialRow

    metric, options = line["metric"], SearchOptions(patient_trials=least, impatience=share)
    rows, begun = [], 0.0
    for number, one in enumerate(line["trials"]):
        scores = {} if one["score"] is None else {metric: one["score"]}
        evaluation = Evaluation(
            {"family": one["family"]}, one["state"], None, scores, {metric: tuple(one["folds"])}, 1.0, 0.0, 0, 0,
            line["rows"], {}, one["origin"],
        )  # fmt: skip
        rows.append(TrialRow(number, evaluation, one["origin"], "", begun, one["ended"]))
        begun, left = one["ended"], 0.9 * line["budget"] - one["ended"]
        if left > 0 and is_enough(rows, metric, AUTO, elapsed=one["ended"], left=left, options=options):
            return number + 1
    return len(rows)


def worth(line: dict[str, Any], trials: int) -> tuple[float, float]:
    """The scaled score of the last answer within so many trials, and the share of the time that is saved."""
    answers = [answer for answer in line["answers"] if answer["trials"] <= trials] or line["answers"][:1]
    best, constant = max(answer["unseen"] for answer in line["answers"]), line["constant"]
    scaled = (answers[-1]["unseen"] - constant) / max(best - constant, 1e-12)
    ended = line["trials"][trials - 1]["ended"]
    return scaled, max(1.0 - ended / line["trials"][-1]["ended"], 0.0)


def report() -> str:
    """Where rules would have stopped, and what that costs, on each half."""
    from autometa.search.options import OPTIONS

    text = ["# patience.py", ""]
    for which in ("validation", "held-back"):
        lines = [line for line in read_lines(RESULTS) if line["half"] == which and line["answers"]]
        if not lines:
            continue
        text += [f"## {which}: {len(lines)} tables, {lines[0]['budget']:g} s", ""]
        text += ["| least trials | impatience | scaled score less that of the full budget | worst table | time saved |"]
        text += ["|---|---|---|---|---|"]
        rules = [(least, share) for least in (8, 12, 20) for share in (0.02, 0.05, 0.1, 0.2, 0.4)]
        if which == "held-back":
            rules = [(OPTIONS.patient_trials, OPTIONS.impatience)]
        for least, share in rules:
            full = [worth(line, len(line["trials"]))[0] for line in lines]
            found = [worth(line, stop(line, least, share)) for line in lines]
            lost = np.array([scaled for scaled, _ in found]) - np.array(full)
            saved = np.mean([saved for _, saved in found])
            text.append(f"| {least} | {share:g} | {lost.mean():+.4f} | {lost.min():+.4f} | {saved:.0%} |")
        text.append("")
    return "\n".join(text)


if __name__ == "__main__":
    main()
