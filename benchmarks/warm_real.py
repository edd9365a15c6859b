"""Is a search better for its memory? Real searches, and the hold-out score of their models after some trials.

    python benchmarks/warm_real.py                    20 datasets, 25 trials; what is measured is never repeated
    python benchmarks/warm_real.py --kinds binary     some of them, so that two processes can share the work
    python benchmarks/warm_real.py --methods cold     some of the methods, likewise
    python benchmarks/warm_real.py --report           results/warm_real.md

Each dataset is searched with memory, with memory but without the surrogates, and cold (Optuna's TPE from the first
trial), everything else being the same: at most `--rows` rows to learn from, 25 trials one after another, at most
`--trial-time` seconds for one, no other limit. After 1, 5, 10 and 25 trials the run is copied as it stands, and what
`autometa resume` makes of the copy predicts the same quarter of the rows, which no search has seen: AUC for two
classes, log loss for more, RMSE for numbers.

The memory is the shipped one without the families of all the datasets, and the surrogates are learned anew from what is
left (`--memory`, made first), so nothing here has seen any of them. A cold search begins at random: each dataset has
three of them, of seeds that no other dataset shares, and what they reach is averaged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fit import Dataset, choose, score, split
from recommend import interval, wilcoxon

from autometa.bench.results import append, read_lines
from autometa.bench.run import machine
from autometa.errors import NoModelError
from autometa.learn import learn_fit
from autometa.search import Settings, Silent, load_model, resume, search
from autometa.store import MetaStore, address
from autometa.task import make_task

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "warm_real.jsonl"
MEMORY = REPOSITORY / "build" / "warm_real_memory"
BARE = "memory, no surrogate"
METHODS = ("memory", BARE, "cold")
COLD = 3  # searches of each dataset; with one, of the same seed everywhere, all twenty were lucky or unlucky together
AT = (1, 5, 10, 25)


# the memory -----------------------------------------------------------------------------------------------------------


def without(datasets: Sequence[Dataset], folder: Path) -> None:
    """What ships with the package, as it would be had these datasets' families never been seen."""
    if (folder / "memory.db").exists():
        return
    families = {dataset.family for dataset in datasets}
    shipped = MetaStore(str(address.meta_db() / "memory.db"), read_only=True, immutable=True)
    with tempfile.TemporaryDirectory() as work:
        store = MetaStore(f"{work}/memory.db")
        store.merge(shipped)
        gone = [r for r in store.tasks(space="fit") if r.family in families]
        for record in gone:
            store.remove(record.fingerprint)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{len(gone)} tasks of {len(families)} families left out", flush=True)
        learn_fit(store, folder, seconds=240.0, tell=print)
        store.ship(folder / "memory.db")


@contextmanager
def remembering(folder: Path) -> Iterator[None]:
    """Searches begin from this folder instead of the shipped memory."""
    shipped = address.meta_db
    address.meta_db = lambda: folder
    try:
        yield
    finally:
        address.meta_db = shipped


# searching ------------------------------------------------------------------------------------------------------------


class Copies(Silent):
    """Copies the run as it stands after some trials."""

    def __init__(self, run: Path, at: Sequence[int]) -> None:
        self.run, self.at, self.finished, self.seconds = run, at, 0, 0.0

    def trial_finished(self, trial: Any, incumbent: Any, elapsed: float) -> None:
        """As `Progress`."""
        self.finished, self.seconds = self.finished + 1, elapsed
        if self.finished in self.at:
            copy = self.run.with_name(f"after {self.finished}")
            shutil.copytree(self.run, copy, ignore=shutil.ignore_patterns("*lock"))
            head = json.loads((copy / "run.json").read_text(encoding="utf-8"))
            head["settings"]["trials"] = self.finished  # so that nothing is left but to end
            (copy / "run.json").write_text(json.dumps(head), encoding="utf-8")


def measure(
    dataset: Dataset, method: str, seed: int, data: Path, memory: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Hold-out score of the model after each number of trials; None where no trial had come to an end."""
    frame = pd.read_parquet(data / "tabular" / f"{dataset.name}.parquet")
    train, test = split(frame, dataset.kind)
    if len(train) > options.rows:
        train = train.sample(options.rows, random_state=0).reset_index(drop=True)
    task = make_task(train, target="target", name=dataset.name, kind=dataset.kind)
    holdout: dict[str, float | None] = {}
    with tempfile.TemporaryDirectory() as folder, remembering(memory):
        run = Path(folder) / "run"
        settings = Settings(
            trials=max(options.at), jobs=1, seed=seed, cold=method == "cold", remember=False,
            store=f"{folder}/own.db", trial_seconds=options.trial_time,
        )  # fmt: skip
        copies = Copies(run, options.at)
        with suppress(NoModelError):
            search(task, settings, run, progress=copies)
        for trials in options.at:
            try:
                result = resume(run.with_name(f"after {trials}"), trusted=True)
            except NoModelError:  # every trial so far ran out of time
                holdout[str(trials)] = None
                continue
            assert len(result.trials) == trials
            model = load_model(result.model, trusted=True)
            features = test.drop(columns="target")
            values = model.predict(features) if dataset.kind == "regression" else model.predict_proba(features)
            classes = np.array([str(c) for c in getattr(model, "classes", ()) or ()])
            found = score(dataset.kind, test["target"].to_numpy(), classes, np.asarray(values, dtype=float))
            holdout[str(trials)] = float(f"{found:.6g}")
    return {"rows": len(train), "holdout": holdout, "search_seconds": round(copies.seconds, 1)}


def run(options: argparse.Namespace) -> None:
    """Everything that is not measured yet."""
    datasets = choose(options.data / "catalog.csv", each=-(-options.datasets // 3))[: options.datasets]
    memory = options.memory / f"without {len(datasets)}"  # datasets: --quick leaves out fewer
    without(datasets, memory)
    bare = memory / "no surrogate"
    bare.mkdir(exist_ok=True)
    if not (bare / "memory.db").exists():
        shutil.copy(memory / "memory.db", bare / "memory.db")
        shutil.copytree(address.meta_db() / "migrations", bare / "migrations")
        shutil.copytree(address.meta_db() / "migrations", memory / "migrations")
    asked = {"most_rows": options.rows, "trial_time": options.trial_time}
    before = [] if options.quick else read_lines(RESULTS)
    done = {(r["dataset"], r["method"], r["seed"]) for r in before if {n: r[n] for n in asked} == asked}
    first = options.seed
    wanted = [(d, "memory", first) for d in datasets]
    wanted += [(d, "cold", first + COLD * k + i) for i in range(COLD) for k, d in enumerate(datasets)]
    wanted += [(d, BARE, first) for d in datasets]
    for dataset, method, seed in wanted:
        learned = (memory / f"surrogate-{dataset.kind}.npz").exists()
        known = (dataset.name, method, seed) in done
        asked_for = dataset.kind in options.kinds and method in options.methods
        if known or not asked_for or (method == BARE and not learned):
            continue
        began = time.perf_counter()
        found = measure(dataset, method, seed, options.data, bare if method == BARE else memory, options)
        row = {"dataset": dataset.name, "family": dataset.family, "kind": dataset.kind, "method": method, "seed": seed}
        row |= asked
        row |= found | {"seconds": round(time.perf_counter() - began, 1), "python": platform.python_version(),
                        "load": round(os.getloadavg()[0], 1), "machine": machine()}  # fmt: skip
        shown = ("dataset", "method", "seed", "holdout", "search_seconds")
        print(json.dumps({name: row[name] for name in shown}), flush=True)
        if not options.quick:
            append(RESULTS, row)


# the report -----------------------------------------------------------------------------------------------------------


Cells = dict[tuple[str, str], list[dict[str, float | None]]]  # by dataset and method: runs, hold-out score by trials


def shares(cells: Cells, dataset: str) -> dict[tuple[str, int], float]:
    """(method, trials) -> 1 for the best score seen on the dataset, 0 for the worst, or for none; mean over runs."""
    runs = {method: cells[dataset, method] for method in METHODS if (dataset, method) in cells}
    known = [v for own in runs.values() for run in own for v in run.values() if v is not None]
    low, high = min(known), max(known)

    def share(score: float | None) -> float:
        return 0.0 if score is None else (score - low) / ((high - low) or 1.0)

    return {(m, k): float(np.mean([share(run[str(k)]) for run in own])) for m, own in runs.items() for k in AT}


def compared(one: str, other: str, found: list[dict[tuple[str, int], float]]) -> list[str]:
    """Rows of Markdown: means of two methods on the datasets that both searched, and the tests."""
    both = [f for f in found if (one, AT[0]) in f and (other, AT[0]) in f]
    ours, theirs = (np.array([[f[method, k] for k in AT] for f in both]) for method in (one, other))
    p = wilcoxon(ours, theirs)
    out = [f"| after | {one} | {other} | better / worse | difference [95 %] | p (Wilcoxon, Holm) |", "|---" * 6 + "|"]
    for k, a, b, value in zip(AT, ours.T, theirs.T, p, strict=True):
        gap = a - b
        low, high = interval(gap, 0)
        wins = f"{(gap > 1e-9).sum()} / {(gap < -1e-9).sum()}"
        means = f"{a.mean():.3f} | {b.mean():.3f}"
        out.append(f"| {k} | {means} | {wins} | {gap.mean():+.3f} [{low:+.3f}, {high:+.3f}] | {value:.2g} |")
    return ["", f"{len(both)} datasets:", "", *out]


def report() -> str:
    """Markdown: how much of what could be had each method has after each number of trials, and the tests."""
    lines: list[dict[str, Any]] = list(read_lines(RESULTS))
    cells: Cells = {}
    for line in lines:
        cells.setdefault((line["dataset"], line["method"]), []).append(line["holdout"])
    kinds = {r["dataset"]: r["kind"] for r in lines}
    whole = [d for d in kinds if (d, "memory") in cells and (d, "cold") in cells]
    found = [shares(cells, d) for d in whole]
    out = [
        "# Real searches, with and without memory",
        "",
        f"By `python benchmarks/warm_real.py`, at most {lines[0]['most_rows']} rows to learn from. Score of the final "
        "model on rows that the search has not seen, on a scale of 0 for the worst and 1 for the best that any of "
        "these searches had on the dataset at any time; mean over datasets, of cold searches over their seeds first.",
    ]
    out += compared("memory", "cold", found)
    ahead = [next((k for k in AT if f["memory", k] >= f["cold", AT[-1]] - 1e-12), np.inf) for f in found]
    reached = ", ".join(f"{np.mean([a <= k for a in ahead]):.0%} after {k}" for k in AT)
    out += ["", f"Share of the datasets on which the search with memory has what the cold one has after 25: {reached}."]
    if any((BARE, AT[0]) in f for f in found):
        out += ["", "Where a surrogate was kept (its panel decides, for each kind of task):"]
        out += compared("memory", BARE, found)
    out += ["", "Scores (AUC, log loss, RMSE; of cold searches the means):", ""]
    out += ["| dataset | kind | " + " | ".join(f"{m}, {k}" for m in METHODS for k in AT) + " |"]
    out += ["|---" * (2 + len(METHODS) * len(AT)) + "|"]
    for name in whole:
        values = [_shown([run[str(k)] for run in cells.get((name, m), [])]) for m in METHODS for k in AT]
        out.append(f"| {name} | {kinds[name]} | {' | '.join(values)} |")
    return "\n".join([*out, ""])


def _shown(scores: list[float | None]) -> str:
    known = [abs(score) for score in scores if score is not None]
    return f"{np.mean(known):.4g}" if known else "none" if scores else ""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--memory", type=Path, default=MEMORY)
    parser.add_argument("--datasets", type=int, default=20)
    parser.add_argument("--kinds", nargs="+", default=["binary", "multiclass", "regression"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--trial-time", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one dataset of each kind, five trials, not recorded")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    options.at = AT
    if options.report:
        RESULTS.with_suffix(".md").write_text(text := report(), encoding="utf-8")
        print(text)
        return
    if options.quick:
        options.datasets, options.at = 3, (1, 5)
    run(options)


if __name__ == "__main__":
    main()
