"""Is the set kernel as good as a forest on small tables? The rule by which it is a family of `fit`, or is not.

    python benchmarks/small_tables.py                 judges; what is measured is never repeated
    python benchmarks/small_tables.py --report        results/small_tables.md
    python benchmarks/small_tables.py --memory        as a landmark and as a task embedding, beside the meta-features
    python benchmarks/small_tables.py --ship RUN      the weights of a training, into meta_db/set_kernel.npz

Tables of at most 1000 rows are cut, at random, into 20, 50, 100 or 500 rows to learn from, with every class among them,
and the others (300 at most) to be judged by. Reported is the area under the ROC curve (the mean over classes of one
against the others) and the log loss (probabilities clipped at .001), averaged over cuts, then over the tables of a
family, then over families; intervals are bootstraps over families, p-values Wilcoxon's over families, with Holm's
correction. All methods are families of `fit` with their default configuration and the preprocessing that goes with it.

The set kernel was trained on made-up tables only, so that every family of real tables is one it has never seen.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from autometa.bench.ranking import holm
from autometa.bench.results import read_lines
from autometa.bench.run import machine
from autometa.families import FAMILIES, build, cash_space
from autometa.families.learners import set_kernel
from autometa.families.options import OPTIONS
from autometa.task import Task, read_task

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "small_tables.jsonl"
MEMORY = RESULTS.with_name("small_tables_memory.jsonl")
WEIGHTS = REPOSITORY / "meta_db" / "set_kernel.npz"
METHODS = ("set_kernel", "linear", "random_forest", "lightgbm", "knn")
SUPPORTS, QUERY, MOST_ROWS, LEAST_OF_CLASS = (20, 50, 100, 500), 300, 1000, 4


def tables(data: Path, most: int | None) -> list[tuple[str, str]]:
    """Name and family of the small tables for classification, families in turn."""
    with (data / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["task"] != "regression" and int(r["n_rows"]) <= MOST_ROWS]
    turn: dict[str, int] = defaultdict(int)
    placed = []
    for row in sorted(rows, key=lambda r: r["name"]):
        placed.append((turn[row["family"]], row["name"], row["family"]))
        turn[row["family"]] += 1
    return [(name, family) for _, name, family in sorted(placed)][:most]


def cut(y: NDArray[np.int64], s: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Rows to learn from and rows to be judged by; None where the table is too small for it."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.flatnonzero((np.bincount(y) >= LEAST_OF_CLASS)[y]))
    if len(rows) < s + 20:
        return None
    _, first = np.unique(y[rows], return_index=True)
    if len(first) < 2 or len(first) + 2 > s:
        return None
    order = np.concatenate([first, np.setdiff1d(np.arange(len(rows)), first)])
    support, query = rows[order[:s]], rows[order[s : s + QUERY]]
    return (support, query) if len(np.unique(y[query])) == len(first) else None


def measures(y: NDArray[np.int64], classes: NDArray[np.int64], p: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the curve, and log loss."""
    if len(classes) == 2:
        area = roc_auc_score(y == classes[1], p[:, 1])
    else:
        area = np.mean([roc_auc_score(y == k, p[:, i]) for i, k in enumerate(classes)])
    chosen = p[np.arange(len(y)), np.searchsorted(classes, y)]
    return float(area), float(-np.log(np.clip(chosen, 1e-3, 1)).mean())


def judge(task: Task, s: int, seed: int, method: str) -> dict[str, Any] | None:
    """One method on one cut."""
    sides = cut(task.y, s, seed)
    if sides is None:
        return None
    support, query = sides
    config = cash_space(task.kind, [method]).default
    began = time.process_time()
    pipeline = build(config, task.columns, task.kind, n_rows=s, seed=seed)
    pipeline.fit(task.X.iloc[support], task.y[support])
    p = pipeline.predict_proba(task.X.iloc[query])
    area, loss = measures(task.y[query], np.unique(task.y[support]), p)
    return {"auc": round(area, 5), "log_loss": round(loss, 5), "cpu_seconds": round(time.process_time() - began, 4)}


def run(options: argparse.Namespace) -> None:
    """Everything that has no result yet."""
    done = {(r["table"], r["rows"], r["cut"], r["method"]) for r in read_lines(options.results)}
    where, chosen = machine(), tables(options.data, 6 if options.quick else options.most)
    for i, (name, family) in enumerate(chosen):
        wanted = [
            (s, k, m)
            for s in SUPPORTS
            for k in range(options.cuts)
            for m in METHODS
            if (name, s, k, m) not in done and m in options.methods
        ]
        if not wanted:
            continue
        task, lines = read_task(str(options.data / "tabular" / f"{name}.parquet")), []
        for s, k, method in wanted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = judge(task, s, k, method)
            if found is not None:
                lines.append({"table": name, "family": family, "rows": s, "cut": k, "method": method, **found})
        if not options.no_record:
            options.results.parent.mkdir(parents=True, exist_ok=True)
            with options.results.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps({**line, "machine": where["processor"]}) + "\n" for line in lines)
        mean = {m: np.mean([x["auc"] for x in lines if x["method"] == m] or [np.nan]) for m in options.methods}
        print(f"[{i + 1}/{len(chosen)}] {name}: " + ", ".join(f"{m} {v:.3f}" for m, v in mean.items()), flush=True)


def report(records: list[dict[str, Any]]) -> str:
    """Markdown: a table per measure."""
    from scipy.stats import wilcoxon

    lines = ["# small_tables.py", ""]
    for measure, sign, title in (("auc", 1, "Area under the ROC curve"), ("log_loss", -1, "Log loss")):
        lines += [f"## {title}, mean over families", "", "| rows | families | " + " | ".join(METHODS) + " |"]
        lines += ["|---|---|" + "---|" * len(METHODS)]
        against = []
        for s in SUPPORTS:
            by_table: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for r in records:
                if r["rows"] == s:
                    by_table[r["family"], r["table"]][r["method"]].append(r[measure])
            families: dict[str, list[list[float]]] = defaultdict(list)
            for (family, _), own in by_table.items():
                if set(own) == set(METHODS):
                    families[family].append([float(np.mean(own[m])) for m in METHODS])
            if len(families) < 2:
                continue
            values = np.array([np.mean(rows, axis=0) for rows in families.values()])  # (families, methods)
            best = int(np.argmax(sign * values.mean(axis=0)))
            cells = [f"**{v:.4f}**" if j == best else f"{v:.4f}" for j, v in enumerate(values.mean(axis=0))]
            lines.append(f"| {s} | {len(values)} | " + " | ".join(cells) + " |")
            draws = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
            gaps = sign * (values[:, :1] - values[:, 1:])
            p = holm([wilcoxon(gap).pvalue if np.abs(gap).sum() else 1.0 for gap in gaps.T])
            for j, method in enumerate(METHODS[1:]):
                low, high = np.quantile(gaps[draws, j].mean(axis=1), [0.025, 0.975])
                wins = f"{(gaps[:, j] > 0).sum()} / {(gaps[:, j] == 0).sum()} / {(gaps[:, j] < 0).sum()}"
                against.append(
                    f"| {s} | {method} | {gaps[:, j].mean():+.4f} [{low:+.4f}, {high:+.4f}] | {wins} | {p[j]:.2g} |"
                )
        lines += [
            "",
            "| rows | set kernel against | better by | wins / ties / losses | p (Holm) |",
            "|---|---|---|---|---|",
        ]
        lines += [*against, ""]
    seconds = {
        m: np.median([r["cpu_seconds"] for r in records if r["method"] == m and r["rows"] == 100]) for m in METHODS
    }
    lines.append(
        "CPU seconds to fit 100 rows and answer, median: " + ", ".join(f"{m} {v:.3f}" for m, v in seconds.items())
    )
    return "\n".join([*lines, ""])


def embedding(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:  # (s, p) without NaN, (s, c) one-hot -> (2 h + 6,)
    """What the set kernel's network takes a table to be: its pooled columns and the table's facts."""
    mask = np.ones(len(x))
    _, _, there, z, u = set_kernel.standardised(np, x, mask)
    _, pooled, facts = set_kernel.encoded(np, set_kernel.weights(), z, u, y, mask, there, y.mean(axis=0))
    return np.concatenate([pooled, facts])


def memory(options: argparse.Namespace) -> None:
    """How well each way of describing a task forecasts normalised scores of families left out of the shipped memory.

    Landmarks are the kernel's area under the curve and log loss in two folds of at most 1000 rows; the embedding is
    what its network pools. *Explained* is the share of the variance beyond each configuration's mean.
    """
    from sklearn.model_selection import StratifiedKFold
    from warm_start import families_out, forecast_scores

    from autometa.store import MetaStore
    from autometa.transfer.completion import complete
    from autometa.transfer.scale import normalised

    store, lines = MetaStore(REPOSITORY / "meta_db" / "memory.db", read_only=True, immutable=True), []
    for kind, metric in (("binary", "roc_auc"), ("multiclass", "neg_log_loss")):
        past = store.past(kind=kind, metric=metric)
        paths = [options.data / "tabular" / f"{r.name}.parquet" for r in past.records]
        rows = [i for i, path in enumerate(paths) if path.exists()][: 30 if options.quick else None]
        landmarks, embeddings = [], []
        for i in rows:
            task = read_task(str(paths[i])).sample(MOST_ROWS, 0)
            config = cash_space(kind, ["set_kernel"]).default
            x = build(config, task.columns, kind, n_rows=task.n, seed=0)[0].fit_transform(task.X, task.y)
            labels = np.eye(task.c)[task.y]
            embeddings.append(embedding(x[:, : OPTIONS.set_kernel.most_columns], labels))
            found = []
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for a, b in StratifiedKFold(2, shuffle=True, random_state=0).split(x, task.y):
                    model = build(config, task.columns, kind, n_rows=len(a), seed=0).fit(task.X.iloc[a], task.y[a])
                    p, classes = model.predict_proba(task.X.iloc[b]), np.unique(task.y[a])
                    known = np.isin(task.y[b], classes)
                    found.append(measures(task.y[b][known], classes, p[known]))
            landmarks.append(np.nanmean(found, axis=0))
        z = normalised(past.scores[rows])
        full, groups = complete(z), np.array([past.records[i].family for i in rows])
        own = {
            "meta-features": past.metafeatures[rows],
            "with landmarks": np.column_stack([past.metafeatures[rows], landmarks]),
            "embedding alone": np.array(embeddings),
            "with embedding": np.column_stack([past.metafeatures[rows], embeddings]),
        }
        measured, mean = ~np.isnan(z), np.zeros_like(full)
        for label, features in own.items():
            forecast = np.zeros_like(full)
            for train, test in families_out(groups):
                mean[test] = full[train].mean(axis=0)
                forecast[test] = forecast_scores(features, full, train, test)
            errors = [(np.where(measured, z - f, 0) ** 2).sum(axis=1) / measured.sum(axis=1) for f in (mean, forecast)]
            draws = np.random.default_rng(0).integers(0, len(rows), (2000, len(rows)))
            low, high = np.quantile(1 - errors[1][draws].mean(axis=1) / errors[0][draws].mean(axis=1), [0.025, 0.975])
            explained = 1 - errors[1].mean() / errors[0].mean()
            print(
                f"{kind:12}{label:18}{len(rows)} tasks  explained {explained:.3f} [{low:.3f}, {high:.3f}]", flush=True
            )
            lines.append({"memory": kind, "features": label, "tasks": len(rows), "explained": round(explained, 4),
                          "interval": [round(low, 4), round(high, 4)]})  # fmt: skip
    if not options.no_record:
        MEMORY.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def ship(folder: Path) -> None:
    """The last weights of a training (its rate falls to nothing), single precision, with where they come from."""
    from autometa.fewshot.checkpoint import Checkpoint

    state = Checkpoint.load(folder, learner="set_kernel")
    card = {"data": state.data, "steps": state.step, "seconds": round(state.progress["seconds"])}
    card["settings"] = state.settings
    with WEIGHTS.open("wb") as file:
        np.savez(
            file,
            card=np.array(json.dumps(card)),
            **{name: state.weights[name].cpu().numpy().astype(np.float32) for name in set_kernel.shapes()},
        )
    print(f"{WEIGHTS}: {WEIGHTS.stat().st_size} bytes; {json.dumps(card)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--methods", nargs="+", choices=[m for m in METHODS if m in FAMILIES], default=list(METHODS))
    parser.add_argument("--cuts", type=int, default=2, help="of each table and size")
    parser.add_argument("--most", type=int, help="tables")
    parser.add_argument("--ship", type=Path, metavar="RUN")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--quick", action="store_true", help="six tables")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    if options.ship:
        ship(options.ship)
    elif options.memory:
        memory(options)
    elif options.report:
        text = report(read_lines(options.results))
        options.results.with_suffix(".md").write_text(text, encoding="utf-8")
        print(text)
    else:
        run(options)


if __name__ == "__main__":
    main()
