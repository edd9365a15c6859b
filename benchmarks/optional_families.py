"""Are PerpetualBoosting, EBM (interpret-core) and xRFM worth being optional families of `fit`?

    python benchmarks/optional_families.py --setup     .venvs/optional: PyTorch's CPU build, then the three packages
    python benchmarks/optional_families.py             tables that the results lack; may be stopped at any time
    python benchmarks/optional_families.py --quick     three tables, few rows, into files that are not kept
    python benchmarks/optional_families.py --report    results/optional_families.md

Tables are real ones of 500 to 5,000 rows, 60 columns and 10 classes at most, no class with fewer than 20 rows, no
family twice, in an order that is no result's: four of two classes, four of more, eight of values. Of each at most
`--rows` rows, 75 % to learn from and the others to judge. Every candidate is fitted on three folds; its out-of-fold
predictions choose, and the mean of its fold models answers for the rows that judge. Probabilities are calibrated by
the out-of-fold ones, as a search does. Candidates of ours are the default and the first two presets of each family of
`OURS` (one of CatBoost's and none of the network's, which take the time); a newcomer is one more candidate, at its
library's default, from the inputs that its documentation asks for. Losses are log loss and RMSE, to choose and to
judge; the ensemble is chosen as a search does (`greedy_ensemble`). *Control* is the default of one more family of
ours, XGBoost: what another trial of the ordinary sort is worth.

The rule; its gates were written before anything was measured, the limits of rows and seconds and *EBM short* while the
first three tables ran. A newcomer becomes an optional family only if all of this holds:
    its licence is a permissive one (MIT, BSD, Apache), as its package says;
    with it the loss of the ensemble on the rows that judge is lower by .5 % or more, in the geometric mean of tables;
    p < .05 by Wilcoxon's one-sided signed-rank test over tables, after Holm's correction for all newcomers;
    its fits take less than three times the processor seconds of the slowest of our defaults, over all tables together.
A table on which a newcomer fails, or takes more than 60 processor seconds, counts as one on which it changes
nothing, and as 60 seconds. EBM's default (14 bags, three pairs of columns for each column) did on the first table,
where a fit of its size takes minutes, and is not tried on others. *EBM short* was added then, before its ensembles were
seen: 2 bags, 10 pairs, 5,000 rounds at most.

Letters:  n rows · p columns, of which the first q are category codes · c classes · m candidates.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import pickle
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from optional_newcomers import LONGEST, NEWCOMERS

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "optional_families.jsonl"
ENVIRONMENT = REPOSITORY / ".venvs" / "optional"
KEPT = REPOSITORY / "autometa_runs" / "optional_families"  # predictions, so that judging again costs nothing
OURS = ("lightgbm", "catboost", "extra_trees", "linear", "mlp", "additive", "svm", "gaussian_process")
CONTROL = "xgboost"
PRESETS = {"catboost": 1, "mlp": 0, CONTROL: 0}  # how many, where it is not two
EACH = {"binary": 4, "multiclass": 4, "regression": 8}  # tables
FOLDS, SHARE_JUDGING, SLOW = 3, 0.25, "processor time is over"
LEAST_GAIN, LEVEL, MOST_TIMES = 0.005, 0.05, 3.0  # the rule

Array = NDArray[Any]


# one table -----------------------------------------------------------------------------------------------------------


def choose(catalog: Path) -> list[dict[str, str]]:
    """The tables, kinds in turn."""
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real" and 500 <= int(r["n_rows"]) <= 5_000]
    rows = [r for r in rows if int(r["n_features"]) <= 60 and int(r["n_classes"] or 0) <= 10]
    rows = [r for r in rows if r["task"] == "regression" or int(r["n_rows"]) * float(r["minority_fraction"]) >= 20]
    rows.sort(key=lambda r: hashlib.sha256(r["name"].encode()).hexdigest())
    taken: set[str] = set()
    chosen: dict[str, list[dict[str, str]]] = {kind: [] for kind in EACH}
    for row in rows:
        own = chosen[row["task"]]
        if row["family"] not in taken and len(own) < EACH[row["task"]]:
            taken.add(row["family"])
            own.append(row)
    places = range(max(EACH.values()))
    return [chosen[kind][k] for k in places for kind in EACH if k < len(chosen[kind])]


def configurations(kind: str, families: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The candidates of ours by their names: default and first two presets of each family, and the control."""
    from autometa.families import cash_space, presets

    found: dict[str, Mapping[str, Any]] = {}
    for family in (*families, CONTROL):
        if family == "gaussian_process" and kind != "regression":
            continue
        found[family] = cash_space(kind, [family]).default
        own = [config for config in presets(kind) if config["family"] == family][: PRESETS.get(family, 2)]
        found |= {f"{family} {k}": config for k, config in enumerate(own, start=1)}
    return found


class Table:
    """A table cut into rows to learn from, in three folds, and rows that judge."""

    def __init__(self, path: Path, rows: int) -> None:
        from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

        from autometa.task import read_task

        self.task = task = read_task(path, target="target").sample(rows, seed=0)
        self.y, values = np.asarray(task.y), task.kind == "regression"
        self.known, self.unseen = train_test_split(
            np.arange(task.n), test_size=SHARE_JUDGING, random_state=0, stratify=None if values else self.y
        )
        folds = (KFold if values else StratifiedKFold)(FOLDS, shuffle=True, random_state=0)
        # Row numbers to learn from, and places in `known` that are held out.
        self.folds = [(self.known[a], b) for a, b in folds.split(self.known, self.y[self.known])]
        self.metric = "neg_root_mean_squared_error" if values else "neg_log_loss"

    def ours(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """One configuration of ours: what it says, and processor seconds of each fold."""
        from autometa.evaluation import fit_model, predict_aligned

        held, later, seconds = [], [], []
        for learn, out in self.folds:
            began = time.process_time()
            model = fit_model(self.task, config, learn, seed=0)
            for rows, where in ((self.known[out], held), (self.unseen, later)):
                where.append(predict_aligned(model, self.task.X.iloc[rows], self.task.kind, self.task.c))
            seconds.append(time.process_time() - began)
        return self._whole(held, later, seconds)

    def newcomer(self, name: str) -> dict[str, Any]:
        """The same of a newcomer, in its own environment; an error is data."""
        from autometa.families.learners.preprocess import preprocessing

        task, cells, inputs = self.task, [], NEWCOMERS[name].inputs
        scale = None if inputs == "codes" else "standard"
        for learn, out in self.folds:
            steps = preprocessing(task.columns, task.kind, categories=inputs, scale=scale, seed=0)
            X = steps.fit_transform(task.X.iloc[learn], self.y[learn])
            held, later = (steps.transform(task.X.iloc[rows]) for rows in (self.known[out], self.unseen))
            cells.append((np.asarray(X), self.y[learn], np.asarray(held), np.asarray(later)))
        with tempfile.TemporaryDirectory() as folder:
            cell = {"kind": task.kind, "q": len(task.columns.categorical), "folds": cells}
            (Path(folder) / "cell.pkl").write_bytes(pickle.dumps(cell, protocol=5))
            program = [
                str(ENVIRONMENT / "bin" / "python"),
                str(Path(__file__).with_name("optional_newcomers.py")),
                folder,
                name,
            ]
            alone = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            done = subprocess.run(program, capture_output=True, text=True, check=False, env=alone)
            if done.returncode != 0:
                late = -done.returncode == signal.SIGXCPU
                return {"error": SLOW if late else " ".join(done.stderr.split())[-300:]}
            said = pickle.loads((Path(folder) / "answer.pkl").read_bytes())
        found = self._whole(said["held"], said["later"], said["seconds"]) | {"version": said["version"]}
        finite = np.isfinite(found["held"]).all() and np.isfinite(found["later"]).all()
        return found if finite else {"error": "predictions that are not finite"}

    def _whole(self, held: list[Array], later: list[Array], seconds: list[float]) -> dict[str, Any]:
        """Out-of-fold predictions in the order of `known`, calibrated, and the mean of what the fold models say."""
        from autometa.evaluation import Freedom, fit_calibration

        whole = np.empty((len(self.known), *np.shape(held[0])[1:]))
        for (_, out), part in zip(self.folds, held, strict=True):
            whole[out] = part
        mean = np.mean(later, axis=0)
        if self.task.kind != "regression":
            calibration = fit_calibration(whole, self.y[self.known], Freedom.OFFSETS)
            whole, mean = calibration.apply(whole), calibration.apply(mean)
        return {"held": whole, "later": mean, "seconds": float(np.mean(seconds))}

    def loss(self, said: Array, rows: Array) -> float:
        """Log loss, or RMSE."""
        from autometa.evaluation import score

        return -float(score(self.metric, self.y[rows], said, self.task.c))

    def ensemble(self, said: Mapping[str, dict[str, Any]]) -> tuple[float, dict[str, float]]:
        """Loss on the rows that judge, and the weights."""
        from autometa.search.ensemble import greedy_ensemble

        names = sorted(said, key=lambda name: self.loss(said[name]["held"], self.known))
        held = [said[name]["held"] for name in names]
        weights = greedy_ensemble(held, lambda pooled: -self.loss(pooled, self.known))
        mean = np.asarray(sum(w * said[name]["later"] for w, name in zip(weights, names, strict=True)))
        return self.loss(mean, self.unseen), {n: float(w) for n, w in zip(names, weights, strict=True) if w > 0}


def measure(
    row: dict[str, str], asked: argparse.Namespace, families: Sequence[str], slow: frozenset[str]
) -> dict[str, Any]:
    """All candidates on one table, and the ensembles with and without each newcomer; those that are slow not tried."""
    table = Table(asked.data / "tabular" / f"{row['name']}.parquet", asked.rows)
    kept = asked.kept / f"{row['name']}-{asked.rows}.pkl"
    said: dict[str, dict[str, Any]] = pickle.loads(kept.read_bytes()) if kept.exists() else {}
    if not said:
        said = {name: table.ours(config) for name, config in configurations(table.task.kind, families).items()}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(said, protocol=5))
    for name in NEWCOMERS:
        if name not in said:
            said[name] = {"error": "too slow before"} if name in slow else table.newcomer(name)
            kept.write_bytes(pickle.dumps(said, protocol=5))

    base = {name: said[name] for name in configurations(table.task.kind, families) if name != CONTROL}
    loss, weights = table.ensemble(base)
    ensembles: dict[str, Any] = {"ours": {"loss": loss, "weights": weights}}
    for name in (CONTROL, *NEWCOMERS):
        own = {name: said[name]} if "held" in said[name] else {}
        loss, weights = table.ensemble(base | own)
        ensembles[name] = {"loss": loss, "weight": weights.get(name, 0.0)}
    candidates = {
        name: {"error": one["error"]} if "error" in one else {
            "out_of_fold": table.loss(one["held"], table.known), "unseen": table.loss(one["later"], table.unseen),
            "seconds": one["seconds"],
        }
        for name, one in said.items()
    }  # fmt: skip
    return {
        "table": row["name"], "family": row["family"], "kind": table.task.kind, "rows": table.task.n,
        "columns": len(table.task.X.columns), "metric": table.metric, "candidates": candidates, "ensembles": ensembles,
    }  # fmt: skip


# what came of it -----------------------------------------------------------------------------------------------------


def report(results: Path) -> str:
    """The newcomers by the rule, and the tables."""
    from scipy.stats import wilcoxon

    from autometa.bench.ranking import holm
    from autometa.bench.results import read_lines

    lines = list(read_lines(results))
    names = (*NEWCOMERS, CONTROL)
    logs = {
        n: np.log([line["ensembles"][n]["loss"] / line["ensembles"]["ours"]["loss"] for line in lines]) for n in names
    }
    p = {
        n: float(wilcoxon(ratio, alternative="less", zero_method="zsplit").pvalue) if ratio.any() else 1.0
        for n, ratio in logs.items()
    }
    p |= dict(zip(NEWCOMERS, holm([p[n] for n in NEWCOMERS]), strict=True))
    defaults = [n for n in OURS if any(n in line["candidates"] for line in lines)]
    spent = {n: sum(_seconds(line["candidates"].get(n)) for line in lines) for n in (*defaults, *names)}
    slowest = max(defaults, key=lambda n: spent[n])
    text = ["# optional_families.py", "", f"{len(lines)} tables. Slowest of our defaults: {slowest}.", ""]
    text += [
        "| newcomer | licence | loss of the ensemble, ratio | better / same / worse | p (Holm) | weight"
        " | alone, ratio to our best default | seconds of a fit, times the slowest default's | failed | worth it |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rng = np.random.default_rng(0)
    for n in names:
        ratio = logs[n]
        drawn = ratio[rng.integers(len(ratio), size=(10_000, len(ratio)))].mean(axis=1)
        low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
        alone = [
            np.log(own[n]["out_of_fold"] / min(own[d]["out_of_fold"] for d in defaults if d in own))
            for own in (line["candidates"] for line in lines)
            if "out_of_fold" in own[n]
        ]
        times = spent[n] / spent[slowest]
        passes = ratio.mean() <= np.log(1 - LEAST_GAIN) and p[n] < LEVEL and times < MOST_TIMES and bool(alone)
        weight = np.mean([line["ensembles"][n]["weight"] for line in lines])
        text.append(
            f"| {n if n != CONTROL else f'{n} (control)'} | {NEWCOMERS[n].licence if n != CONTROL else ''} "
            f"| {np.exp(ratio.mean()):.4f} [{low:.4f}, {high:.4f}] "
            f"| {(ratio < 0).sum()} / {(ratio == 0).sum()} / {(ratio > 0).sum()} | {p[n]:.3f} | {weight:.2f} "
            f"| {np.exp(np.mean(alone)) if alone else np.nan:.3f} | {f'{times:.2f}' if alone else 'too slow'} "
            f"| {sum('error' in x['candidates'][n] for x in lines)} "
            f"| {'' if n == CONTROL else 'yes' if passes else 'no'} |"
        )
    text += ["", "Loss of the ensemble with each, ratio to without; seconds of a fit.", ""]
    text += ["| table | kind | rows | " + " | ".join(names) + " |", "|---|---|---|" + "---|" * len(names)]
    for line, *ratios in zip(lines, *(logs[n] for n in names), strict=True):
        cells = [
            f"{np.exp(r):.4f}, {line['candidates'][n].get('seconds', np.nan):.1f} s"
            for n, r in zip(names, ratios, strict=True)
        ]
        text.append(f"| {line['table']} | {line['kind']} | {line['rows']} | " + " | ".join(cells) + " |")
    return "\n".join([*text, ""])


def _seconds(candidate: Mapping[str, Any] | None) -> float:
    """Of a fit; what was cut off took a third of the limit at least."""
    if candidate is None:
        return 0.0
    return LONGEST / FOLDS if candidate.get("error") == SLOW else candidate.get("seconds", 0.0)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="has catalog.csv")
    parser.add_argument("--rows", type=int, default=1_500, help="of a table, at most")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where predictions stay")
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    asked = parser.parse_args()
    if asked.setup:
        from autometa.bench.environments import create

        create(ENVIRONMENT, sorted({f"{one.package}=={one.version}" for one in NEWCOMERS.values()}))
        return
    from autometa.bench.results import append, read_lines
    from autometa.bench.run import machine, revision

    warnings.simplefilter("ignore")
    results, families, tables = RESULTS, OURS, choose(asked.data / "catalog.csv")
    if asked.quick:
        results, families, tables = RESULTS.with_stem("optional_families-quick"), ("lightgbm", "linear"), tables[:3]
        asked.rows, asked.kept = 500, asked.kept / "quick"
    if not asked.report:
        where = {
            "revision": revision(),
            "machine": machine(),
            "versions": {n: one.version for n, one in NEWCOMERS.items()},
        }
        done = {line["table"] for line in read_lines(results)}
        for row in tables:
            if row["name"] in done:
                continue
            began = time.monotonic()
            slow = frozenset(() if row is tables[0] else ("ebm",))
            line = (
                measure(row, asked, families, slow) | where | {"load": os.getloadavg()[0], "when": time.strftime("%F")}
            )
            append(results, line)
            changes = {n: line["ensembles"][n]["loss"] / line["ensembles"]["ours"]["loss"] for n in NEWCOMERS}
            print(
                f"{row['name']} ({line['kind']}, {line['rows']} rows), {time.monotonic() - began:.0f} s: "
                + json.dumps({n: round(ratio, 4) for n, ratio in changes.items()}),
                flush=True,
            )
    results.with_suffix(".md").write_text(report(results), encoding="utf-8")
    print(report(results))


if __name__ == "__main__":
    main()
