"""Does a meta-learned start help our neural network for tables? The rule by which `fit` would use one, or does not.

    python benchmarks/mlp_start.py --train      Reptile over past tasks, into build/mlp_start.npz; goes on where it was
    python benchmarks/mlp_start.py              judges; what is measured is never repeated
    python benchmarks/mlp_start.py --report     results/mlp_start.md

What tables of any width can share is learned: one encoder of a number (its waves and how they are mixed), the same for
every column of a new table; the hidden layers behind the first; the biases. The first layer, the categories' vectors
and the outputs start at random, as always. The inner loop is the network's own training (`mlp.fit`, its default
configuration, fewer epochs) on a few hundred rows; the outer step goes towards where it ended (Reptile: Nichol,
Achiam, Schulman, 2018), over the tables of half of all dataset families.

The other half judges, one table per family: the same training from both starts, by rows to learn from and by epochs.
The loss is log loss, or 1 - R2, over that of a constant prediction: 1 is useless, 0 perfect. Intervals are bootstraps
over families, p-values Wilcoxon's, with Holm's correction. The rule: fewer steps and less data to the same loss, or it
stays out.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from autometa.bench.ranking import holm
from autometa.bench.results import append, read_lines
from autometa.bench.run import machine
from autometa.families import FAMILIES, build, cash_space
from autometa.families.learners import mlp
from autometa.task import Task, read_task

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "mlp_start.jsonl"
WEIGHTS = REPOSITORY / "build" / "mlp_start.npz"
SUPPORTS, EPOCHS, QUERY = (50, 200, 500), (2, 6, 20, 60), 1000
INNER_ROWS, INNER_EPOCHS, OUTER_RATE, KEPT_EVERY = (100, 500), 10, 0.1, 100
STARTS = ("random", "learned")
Start = dict[str, NDArray[np.float32]]


def families(data: Path, seed: int = 0) -> tuple[list[str], list[str]]:
    """Names of tables to learn from, and one table of at least 700 rows of each other family to judge by."""
    with (data / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted((r for r in csv.DictReader(file) if r["origin"] == "real"), key=lambda r: r["name"])
    names = sorted({r["family"] for r in rows})
    random.Random(seed).shuffle(names)
    past = set(names[: len(names) // 2])
    judged: dict[str, str] = {}
    for row in rows:
        if row["family"] not in past and int(row["n_rows"]) >= 700:
            judged.setdefault(row["family"], row["name"])
    return [r["name"] for r in rows if r["family"] in past], list(judged.values())


def read(data: Path, name: str) -> Task:
    """At most 2,000 rows of a table."""
    return read_task(data / "tabular" / f"{name}.parquet", target="target").sample(2000, seed=0)


def fitted(task: Task, rows: NDArray[np.intp], seed: int, epochs: int) -> Any:
    """The network with its default configuration but for the epochs, in its pipeline."""
    config = cash_space(task.kind, ["mlp"]).default | {"mlp.epochs": epochs}
    model = build(config, task.columns, task.kind, n_rows=len(rows), seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(task.X.iloc[rows], task.y[rows])


@contextmanager
def training(start: Start | None) -> Iterator[None]:
    """Trains every network from a start."""
    import torch

    fresh = mlp.initialise

    def begin(config: Any, p: int, q: int, n_vectors: int, outputs: int, generator: Any) -> dict[str, Any]:
        weights = fresh(config, p, q, n_vectors, outputs, generator)
        for name, learned in (start or {}).items():
            if name in weights:
                weights[name] = torch.from_numpy(learned).expand(weights[name].shape).clone()
        return weights

    mlp.initialise = begin
    try:
        yield
    finally:
        mlp.initialise = fresh


def shared(weights: dict[str, NDArray[Any]]) -> Start:
    """What tables of any width share: of what each column has, the mean over columns."""
    kept = {n: w for n, w in weights.items() if n.startswith("hidden") and n != "hidden_0"}
    encoder = {
        n: weights[n].mean(axis=0, keepdims=True)
        for n in ("frequencies", "phases", "mixing", "mixing_bias")
        if n in weights
    }
    return kept | encoder


def first_start() -> Start:
    """Where Reptile begins: a fresh network's weights, the encoder that of one column."""
    import torch

    config = FAMILIES["mlp"].space("binary").default
    return shared(
        {n: w.numpy() for n, w in mlp.initialise(config, 1, 0, 0, 2, torch.Generator().manual_seed(0)).items()}
    )


# learning the start ---------------------------------------------------------------------------------------------------


def learn(data: Path, path: Path, visits: int) -> None:
    """Reptile. A visit depends on its number and on the start only, so a run that was stopped ends as any other."""
    past, _ = families(data)
    done, start = 0, first_start()
    if path.exists():
        with np.load(path) as file:
            start = {n: file[n] for n in file.files if n != "visits"}
            done = int(file["visits"])
    tasks: dict[str, Task] = {}
    began = time.monotonic()
    for visit in range(done, visits):
        rng = np.random.default_rng(visit)
        name = past[int(rng.integers(len(past)))]
        task = tasks.get(name) or tasks.setdefault(name, read(data, name))
        rows = rng.permutation(task.n)[: int(rng.integers(*INNER_ROWS))]
        if task.kind == "regression" or len(np.unique(task.y[rows])) > 1:
            with training(start):
                model = fitted(task, rows, visit, INNER_EPOCHS)[-1]
            rate = OUTER_RATE * (1 - visit / visits)
            for part, ended in shared(model.weights_).items():
                start[part] = (start[part] + rate * (ended - start[part])).astype(np.float32)
        if (visit + 1) % KEPT_EVERY == 0 or visit + 1 == visits:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}")
            parts: dict[str, Any] = {"visits": visit + 1, **start}
            with unfinished.open("wb") as file:
                np.savez(file, **parts)
            unfinished.replace(path)
            print(f"{visit + 1}/{visits} visits, {time.monotonic() - began:.0f} s", flush=True)


# judging it -----------------------------------------------------------------------------------------------------------


def loss(task: Task, model: Any, learned_from: NDArray[np.intp], rows: NDArray[np.intp]) -> float:
    """Over that of a constant prediction."""
    y = task.y[rows]
    if task.kind == "regression":
        constant = task.y[learned_from].mean()
        return float(np.mean((model.predict(task.X.iloc[rows]) - y) ** 2) / np.mean((constant - y) ** 2))
    p = np.zeros((len(rows), task.c))
    p[:, model.classes_] = model.predict_proba(task.X.iloc[rows])
    shares = (np.bincount(task.y[learned_from], minlength=task.c) + 1.0) / (len(learned_from) + task.c)
    own, constant = (
        log_loss(y, np.clip(q, 1e-3, 1) / np.clip(q, 1e-3, 1).sum(axis=1, keepdims=True), labels=np.arange(task.c))
        for q in (p, np.tile(shares, (len(rows), 1)))
    )
    return float(own / constant)


def judge(data: Path, weights: Path, seeds: int) -> None:
    """Every table, number of rows, number of epochs and seed, from both starts."""
    with np.load(weights) as file:
        start, visits = {n: file[n] for n in file.files if n != "visits"}, int(file["visits"])
    done = {(r["table"], r["rows"], r["epochs"], r["seed"], r["start"]) for r in read_lines(RESULTS)}
    _, judged = families(data)
    for number, name in enumerate(judged):
        task = read(data, name)
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(task.n)
            for rows in SUPPORTS:
                support, query = order[:rows], order[rows : rows + QUERY]
                if task.kind != "regression" and len(np.unique(task.y[support])) < 2:
                    continue
                for epochs in EPOCHS:
                    for kind in STARTS:
                        if (name, rows, epochs, seed, kind) in done:
                            continue
                        with training(start if kind == "learned" else None):
                            found = loss(task, fitted(task, support, seed, epochs), support, query)
                        key = {"table": name, "rows": rows, "epochs": epochs, "seed": seed, "start": kind}
                        append(RESULTS, key | {"loss": found, "visits": visits, "machine": machine()})
        print(f"[{number + 1}/{len(judged)}] {name}", flush=True)


def report() -> str:
    """Markdown: mean loss from both starts, and their difference."""
    from scipy.stats import wilcoxon

    lines: list[dict[str, Any]] = list(read_lines(RESULTS))
    cells: dict[tuple[int, int, str, str], list[float]] = {}
    for line in lines:
        cells.setdefault((line["rows"], line["epochs"], line["start"], line["table"]), []).append(line["loss"])
    tables = sorted({line["table"] for line in lines})

    def losses(rows: int, epochs: int, start: str) -> dict[str, float]:
        return {t: float(np.mean(cells[rows, epochs, start, t])) for t in tables if (rows, epochs, start, t) in cells}

    def compared(ours: dict[str, float], theirs: dict[str, float]) -> tuple[NDArray[np.float64], float]:
        both = sorted(set(ours) & set(theirs))
        gaps = np.array([ours[t] - theirs[t] for t in both])
        return gaps, float(wilcoxon(gaps).pvalue) if np.abs(gaps).sum() else 1.0

    pairs = [(rows, epochs) for rows in SUPPORTS for epochs in EPOCHS if losses(rows, epochs, "learned")]
    found = [compared(losses(*pair, "learned"), losses(*pair, "random")) for pair in pairs]
    out = [
        "# mlp_start.py",
        "",
        f"{len(tables)} tables of as many families; {lines[0]['visits']} visits of Reptile.",
        "",
    ]
    out += ["| rows | epochs | random start | learned start | difference | better / worse | p (Holm) |"]
    out += ["|---|---|---|---|---|---|---|"]
    for (rows, epochs), (gaps, _), p in zip(pairs, found, holm([p for _, p in found]), strict=True):
        draws = np.random.default_rng(0).integers(0, len(gaps), (2000, len(gaps)))
        low, high = np.quantile(gaps[draws].mean(axis=1), [0.025, 0.975])
        means = [np.mean(list(losses(rows, epochs, start).values())) for start in STARTS]
        out.append(
            f"| {rows} | {epochs} | {means[0]:.4f} | {means[1]:.4f} | {gaps.mean():+.4f} [{low:+.4f}, {high:+.4f}] "
            f"| {(gaps < 0).sum()} / {(gaps > 0).sum()} | {p:.2g} |"
        )
    out += ["", "## The rule: a third of the steps to the same loss, after a learned start", ""]
    out += [
        "| rows | learned, epochs | random, epochs | difference | better / worse | p |",
        "|---|---|---|---|---|---|",
    ]
    for rows in SUPPORTS:
        for fewer, more in pairwise(EPOCHS):
            gaps, p = compared(losses(rows, fewer, "learned"), losses(rows, more, "random"))
            wins = f"{(gaps < 0).sum()} / {(gaps > 0).sum()}"
            out.append(f"| {rows} | {fewer} | {more} | {gaps.mean():+.4f} | {wins} | {p:.2g} |")
    return "\n".join([*out, ""])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--visits", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.train:
        learn(options.data, options.weights, options.visits)
    elif options.report:
        RESULTS.with_suffix(".md").write_text(text := report(), encoding="utf-8")
        print(text)
    else:
        judge(options.data, options.weights, options.seeds)


if __name__ == "__main__":
    main()
