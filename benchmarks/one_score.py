"""Is the score that a search reports of a small table the one of rows never seen?

    python benchmarks/one_score.py            a dozen tables of fewer than 500 rows to learn from, 10 minutes
    python benchmarks/one_score.py --report   the table of what was measured

Below 500 rows cross-validation is repeated. Each table is halved; on one half five cheap defaults are evaluated as
a search does, and the best trial and the greedy ensemble are chosen and scored in two ways: *averaged* (the predictions
of a row averaged over repeats, then one score over all rows: as `fit` did once) and *each* (the score of each fold of
each repeat, then their mean). The other half judges what was chosen, fitted on all of the first. Reported is how far
the reported score is from the one of unseen rows, over tables and `SEEDS` halvings. Appends JSON lines to
`results/one_score.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from autometa.evaluation import evaluate, fit_model, mean_of_repeats, plan_splits, predict_aligned, score
from autometa.families import cash_space
from autometa.search.ensemble import greedy_ensemble
from autometa.task import make_task

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results" / "one_score.jsonl"
TABLES = (
    "Australian", "colic", "heart-statlog", "hepatitis", "sonar", "haberman",
    "ionosphere", "breast-w", "mw1", "ilpd", "sa-heart", "bupa",
)  # fmt: skip
SEEDS = (0, 1)
FAMILIES = ("linear", "naive_bayes", "knn", "discriminant", "additive")
MOST_ROWS = 300  # to learn from


def measure(data: Path, name: str, seed: int) -> dict[str, Any]:
    """The scores that both ways report of one half of a table, and those of the other half."""
    frame = pd.read_parquet(data / "tabular" / f"{name}.parquet")
    known, unseen = train_test_split(
        frame, train_size=min(MOST_ROWS, len(frame) // 2), random_state=seed, stratify=frame["target"]
    )
    whole = make_task(pd.concat([known, unseen]).reset_index(drop=True), target="target", name=name)
    here = np.arange(len(known))
    task = make_task(known.reset_index(drop=True), target="target", name=name)
    splits = plan_splits(task, seed=0)
    said, later = [], []
    for config in cash_space(task.kind, FAMILIES).defaults():
        outcome = evaluate(task, config, splits, seed=0)
        if outcome.predictions is None or outcome.evaluation.state != "complete":
            continue
        said.append(outcome.predictions)
        model = fit_model(whole, config, here, seed=0)
        later.append(predict_aligned(model, whole.X.iloc[len(known) :], whole.kind, whole.c))
    y, rest = np.asarray(task.y), np.asarray(whole.y)[len(known) :]

    def averaged(predictions: NDArray[np.float64]) -> float:
        return score(task.metric, y, mean_of_repeats(predictions), task.c)

    def each(predictions: NDArray[np.float64]) -> float:
        folds = zip(splits, splits.by_fold(predictions), strict=True)
        return float(np.nanmean([score(task.metric, y[test], p, task.c) for (_, test), p in folds]))

    line: dict[str, Any] = {"dataset": name, "rows": task.n, "metric": task.metric, "seed": seed}
    for way, judge in (("averaged", averaged), ("each", each)):
        order = sorted(range(len(said)), key=lambda k, judge=judge: -judge(said[k]))
        weights = greedy_ensemble([said[k] for k in order], judge)
        mixed, answer = (sum(w * part[k] for w, k in zip(weights, order, strict=True)) for part in (said, later))
        line[way] = {
            "best": judge(said[order[0]]), "best_unseen": score(task.metric, rest, later[order[0]], task.c),
            "ensemble": judge(np.asarray(mixed)),
            "ensemble_unseen": score(task.metric, rest, np.asarray(answer), task.c),
        }  # fmt: skip
    line["versions"] = {package: version(package) for package in ("autometa-ml", "scikit-learn", "numpy")}
    line["machine"] = {"processor": platform.processor() or platform.machine(), "load": os.getloadavg()[0]}
    return line


def report() -> None:
    """Prints how far what was reported is from what was seen later."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    lines = list({(line["dataset"], line["seed"]): line for line in lines}.values())
    print(f"{len(lines)} halvings of {len({line['dataset'] for line in lines})} tables; reported less unseen score")
    print(f"{'':<10}{'scored':<12}{'mean':>9}{'mean distance':>16}{'unseen score':>15}")
    for what in ("best", "ensemble"):
        for way in ("averaged", "each"):
            told, seen = (np.array([line[way][key] for line in lines]) for key in (what, f"{what}_unseen"))
            off = told - seen
            print(f"{what:<10}{way:<12}{off.mean():>+9.4f}{np.abs(off).mean():>16.4f}{seen.mean():>15.4f}")


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with catalog.csv and tabular/")
    parser.add_argument("--tables", nargs="+", default=TABLES, metavar="NAME")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        for name in arguments.tables:
            for seed in SEEDS:
                line = measure(arguments.data, name, seed)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(name, seed, line["averaged"], line["each"], flush=True)
    report()


if __name__ == "__main__":
    main()
