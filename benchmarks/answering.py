"""Who should answer in the end: a model fitted again on all rows, the models of the folds, or all of them?

    python benchmarks/answering.py                  fits; what is there is never fitted again
    python benchmarks/answering.py --report         results/answering.md

On datasets of up to 4,000 rows, each of a family that is not in `fit.py`, every family's default and a few
configurations that did well elsewhere are cross-validated (five folds) on 75 % of the rows and fitted again on all of
them. The other 25 % judge what `fit` could make of that: for single configurations and for the greedy ensemble over
out-of-fold predictions, *refit* (the mean over models fitted on all rows), *folds* (the models of the folds) and
*both* (all six models of each). Then, with half the say for each of the two, other ways to choose the weights, and for
classifications how sure to be: the log loss with and without temperatures, of the members and of the ensemble.

Scores are scaled per dataset: 0 is a constant prediction, 1 the best of all compared. Intervals are bootstraps over
datasets, p-values Wilcoxon's against the first, with Holm's correction.
"""

from __future__ import annotations

import argparse
import csv
import pickle
import random
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from fit import choose, split
from numpy.typing import NDArray

from autometa.evaluation import (
    JUDGE_SURENESS,
    Calibration,
    Freedom,
    Isolation,
    Killed,
    available_cpus,
    evaluate,
    fit_calibration,
    fit_model,
    plan_splits,
    predict_aligned,
)
from autometa.evaluation.metrics import score
from autometa.families import cash_space, presets, suited
from autometa.search.ensemble import greedy_ensemble
from autometa.space import FAMILY, Config
from autometa.task import Task, make_task

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "answering.md"
KINDS = ("binary", "multiclass", "regression")
K = TypeVar("K")
LEAST, MOST, FOLDS, PRESETS, LONGEST = 150, 4000, 5, 4, 120.0


class Tried(NamedTuple):
    """What one configuration says, of n rows to learn from and q to be judged by."""

    config: Config
    oof: NDArray[np.float64]  # (n,) or (n, c)
    refit: NDArray[np.float64]  # (q,) or (q, c)
    folds: NDArray[np.float64]  # (q,) or (q, c) mean over the folds' models


class Judged(NamedTuple):
    """One dataset."""

    name: str
    kind: str
    metric: str
    y: NDArray[Any]
    answers: NDArray[Any]
    splits: list[NDArray[np.intp]]
    tried: list[Tried]

    @property
    def c(self) -> int:
        """Classes; 0 for regression."""
        return 0 if self.kind == "regression" else self.tried[0].oof.shape[1]


def datasets(data: Path, each: int) -> list[tuple[str, str]]:
    """Name and kind: real ones of families that are all different and not in `fit.py`, kinds in turn."""
    used = {d.family for d in choose(data / "catalog.csv")}
    with (data / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real" and LEAST <= int(r["n_rows"]) <= MOST]
    rows.sort(key=lambda r: r["name"])
    random.Random(1).shuffle(rows)
    chosen = []
    for _ in range(each):
        for kind in KINDS:
            first = next((r for r in rows if r["task"] == kind and r["family"] not in used), None)
            if first is not None:
                used.add(first["family"])
                chosen.append((first["name"], kind))
    return chosen


def one(train: Task, test: Any, config: Config, seed: int = 0) -> Tried:
    """Cross-validates, fits again, and lets all of them answer."""
    splits = plan_splits(train, seed=seed, folds=FOLDS)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "models"
        outcome = evaluate(train, config, splits, seed=seed, keep_models=kept)
        models = pickle.loads(kept.read_bytes())
    refit = fit_model(train, config, np.arange(train.n), seed=seed)
    said = [predict_aligned(model, test, train.kind, train.c) for model in (*models, refit)]
    assert outcome.oof is not None
    return Tried(config, outcome.oof, said[-1], np.mean(said[:-1], axis=0))


def fitted(name: str, kind: str, options: argparse.Namespace, isolation: Isolation) -> Judged:
    """Everything on one dataset, from the folder where it is kept if it is there."""
    import answering
    import pandas as pd

    path = options.work / f"{name}.pkl"
    if path.exists():
        return pickle.loads(path.read_bytes())
    train, test = split(pd.read_parquet(options.data / "tabular" / f"{name}.parquet"), kind)
    task = make_task(train, target="target", kind=kind, name=name, keep_lone_classes=True)
    codes = {label: k for k, label in enumerate(task.classes)}
    test = test[test["target"].isin(codes)] if kind != "regression" else test
    answers = test["target"].to_numpy(float) if kind == "regression" else test["target"].map(codes).to_numpy(int)
    features = task.schema.apply(test)
    space = cash_space(kind)
    configs = [*space.defaults(), *presets(kind)[:PRESETS]]
    left_out = suited(task, sorted({c[FAMILY] for c in configs}))

    def tried(config: Config) -> Tried | None:
        try:
            return isolation.call(answering.one, task, features, config, seconds=LONGEST)
        except Killed as killed:
            print(f"  {name}: {config[FAMILY]}: {killed}", flush=True)
            return None

    with ThreadPoolExecutor(options.jobs) as pool:
        found = [t for t in pool.map(tried, [c for c in configs if c[FAMILY] not in left_out]) if t is not None]
    folds = [rows for _, rows in plan_splits(task, seed=0, folds=FOLDS)]
    judged = Judged(name, kind, task.metric, np.asarray(task.y), answers, folds, found)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_bytes(pickle.dumps(judged))
    path.with_suffix(".part").replace(path)
    return judged


# what could be made of it --------------------------------------------------------------------------------------------

Weights = NDArray[np.float64]  # (m,)


def greedy(judged: Judged, order: Sequence[int], rows: NDArray[np.intp] | None = None) -> Weights:
    """As `fit` does, over some of the candidates."""
    rows = np.arange(len(judged.y)) if rows is None else rows
    weights = np.zeros(len(judged.tried))
    weights[list(order)] = greedy_ensemble(
        [judged.tried[k].oof[rows] for k in order], lambda p: score(judged.metric, judged.y[rows], p, judged.c)
    )
    return weights


def ranked(judged: Judged) -> list[int]:
    """Candidates, best first."""
    return sorted(
        range(len(judged.tried)),
        key=lambda k: (
            -np.mean([score(judged.metric, judged.y[r], judged.tried[k].oof[r], judged.c) for r in judged.splits])
        ),
    )


def best(judged: Judged) -> Weights:
    """The best alone."""
    return np.eye(len(judged.tried))[ranked(judged)[0]]


def caruana(judged: Judged) -> Weights:
    """Greedy."""
    return greedy(judged, ranked(judged))


def bagged(judged: Judged) -> Weights:
    """Mean over ten greedy selections, each among half of the candidates (Caruana et al., 2004)."""
    rng, order = np.random.default_rng(0), ranked(judged)
    half = max(2, len(order) // 2)
    bags = [[order[k] for k in np.sort(rng.permutation(len(order))[:half])] for _ in range(10)]
    return np.mean([greedy(judged, bag) for bag in bags], axis=0)


def crossed(judged: Judged) -> Weights:
    """Mean over greedy selections, each on the rows of all folds but one."""
    order = ranked(judged)
    return np.mean([greedy(judged, order, np.setdiff1d(np.arange(len(judged.y)), r)) for r in judged.splits], axis=0)


def even(judged: Judged, k: int) -> Weights:
    """The best, evenly."""
    weights, order = np.zeros(len(judged.tried)), ranked(judged)[:k]
    weights[order] = 1 / len(order)
    return weights


def begun(judged: Judged, k: int, rounds: int = 40) -> Weights:
    """Greedy, beginning with the best k (sorted initialisation, Caruana et al., 2004)."""
    order = ranked(judged)
    counts = np.zeros(len(order))
    counts[order[:k]] = 1
    total = np.asarray(sum(judged.tried[i].oof for i in order[:k]))
    best_score, best_counts = score(judged.metric, judged.y, total / counts.sum(), judged.c), counts.copy()
    for _ in range(rounds):
        size = counts.sum() + 1
        found = [score(judged.metric, judged.y, (total + judged.tried[i].oof) / size, judged.c) for i in order]
        pick = order[int(np.nanargmax(found))]
        counts[pick] += 1
        total = total + judged.tried[pick].oof
        if max(found) > best_score:
            best_score, best_counts = max(found), counts.copy()
    return best_counts / best_counts.sum()


def half_even(judged: Judged) -> Weights:
    """Half greedy, half the best five evenly."""
    weights = caruana(judged) / 2
    top = ranked(judged)[:5]
    weights[top] += 0.5 / len(top)
    return weights


CHOICES: dict[str, Callable[[Judged], Weights]] = {
    "best alone": best, "greedy": caruana, "greedy, bagged": bagged, "greedy, over folds": crossed,
    "best three": partial(even, k=3), "best five": partial(even, k=5), "greedy from best three": partial(begun, k=3),
    "greedy from best five": partial(begun, k=5), "greedy and best five": half_even,
}  # fmt: skip
ANSWERS: dict[str, Callable[[Tried], NDArray[np.float64]]] = {
    "refit": lambda t: t.refit,
    "folds": lambda t: t.folds,
    "both": lambda t: (t.refit + FOLDS * t.folds) / (FOLDS + 1),
    "half each": lambda t: (t.refit + t.folds) / 2,
}


def constant(judged: Judged, metric: str | None = None) -> float:
    """The score of the best prediction that looks at no feature; of the dataset's own metric by default."""
    metric = metric or judged.metric
    if judged.kind == "regression":
        return score(metric, judged.answers, np.full(len(judged.answers), judged.y.mean()))
    shares = np.bincount(judged.y, minlength=judged.c) / len(judged.y)
    return score(metric, judged.answers, np.tile(shares, (len(judged.answers), 1)), len(shares))


def temperature(oof: NDArray[np.float64], y: NDArray[Any]) -> Calibration:
    """One slope, about equal probabilities."""
    return fit_calibration(oof, y, Freedom.SLOPE)


def at_own_temperatures(judged: Judged) -> Judged:
    """With every candidate at its temperature, where `fit` does so."""
    if judged.metric not in JUDGE_SURENESS:
        return judged
    maps = [temperature(t.oof, judged.y) for t in judged.tried]
    tried = [
        Tried(t.config, *(map_.apply(p) for p in (t.oof, t.refit, t.folds)))
        for t, map_ in zip(judged.tried, maps, strict=True)
    ]
    return judged._replace(tried=tried)


def scores(judged: Judged) -> dict[tuple[str, str], float]:
    """By the choice of weights and who answers; at the temperatures that `fit` gives them."""
    judged, found = at_own_temperatures(judged), {}
    for choice, choose_weights in CHOICES.items():
        weights = choose_weights(judged)
        oof = np.asarray(sum(w * t.oof for w, t in zip(weights, judged.tried, strict=True)))
        calibration = temperature(oof, judged.y) if judged.c else None
        for answer, of in ANSWERS.items():
            said = np.asarray(sum(w * of(t) for w, t in zip(weights, judged.tried, strict=True) if w > 0))
            said = calibration.apply(said) if calibration else said
            found[choice, answer] = score(judged.metric, judged.answers, said, judged.c)
    return found


def losses(judged: Judged) -> dict[str, float]:
    """Of the greedy ensemble, half each, with temperatures fitted on out-of-fold predictions; larger is better."""
    found = {}
    for member in (False, True):
        own = at_own_temperatures(judged._replace(metric="neg_log_loss")) if member else judged
        weights = caruana(own._replace(metric=judged.metric))
        oof = np.asarray(sum(w * t.oof for w, t in zip(weights, own.tried, strict=True)))
        said = np.asarray(sum(w * ANSWERS["half each"](t) for w, t in zip(weights, own.tried, strict=True)))
        for together in (False, True):
            after = temperature(oof, judged.y).apply(said) if together else said
            found[TEMPERED[member, together]] = score("neg_log_loss", judged.answers, after)
    return found


TEMPERED = {
    (False, False): "as said", (False, True): "all together", (True, False): "each member",
    (True, True): "each member, then all together",
}  # fmt: skip


def singles(judged: Judged) -> dict[str, dict[str, float]]:
    """Family -> answer -> score of its default, scaled by refit and constant."""
    zero = constant(judged)
    found: dict[str, dict[str, float]] = {}
    for t in judged.tried:
        if t.config[FAMILY] not in found:
            own = {a: score(judged.metric, judged.answers, of(t), judged.c) for a, of in ANSWERS.items()}
            if own["refit"] - zero > 1e-9:
                found[t.config[FAMILY]] = {a: (v - zero) / (own["refit"] - zero) for a, v in own.items()}
    return found


def report(all_judged: list[Judged]) -> str:
    """Markdown: who answers, under greedy weights; how to weigh, under half each; then single defaults."""
    found = [scaled(scores(j), constant(j)) for j in all_judged]
    tried = np.mean([len(j.tried) for j in all_judged])
    lines = ["# answering.py", "", f"{len(all_judged)} datasets, {tried:.0f} configurations each.", ""]
    for kind in ("all", *KINDS):
        some = [own for j, own in zip(all_judged, found, strict=True) if kind in ("all", j.kind)]
        if len(some) < 5:
            continue
        lines += [f"## {kind}, {len(some)} datasets", ""]
        lines += compared(some, "answer", {answer: ("greedy", answer) for answer in ANSWERS})
        lines += compared(
            some, "weights", {c: (c, "half each") for c in ("greedy", *(c for c in CHOICES if c != "greedy"))}
        )
    for kind in ("binary", "multiclass"):
        by_name = [scaled(losses(j), constant(j, "neg_log_loss")) for j in all_judged if j.kind == kind]
        if len(by_name) >= 5:
            lines += [f"## Log loss with temperatures, {kind}, {len(by_name)} datasets", ""]
            lines += compared(by_name, "temperature", {name: name for name in TEMPERED.values()})
    by_family: dict[str, list[list[float]]] = {}
    for j in all_judged:
        for family, of_answers in singles(j).items():
            by_family.setdefault(family, []).append([of_answers[a] for a in ANSWERS])
    lines += ["## Single defaults, median: 0 is a constant prediction, 1 the model fitted again", ""]
    lines += ["| family | datasets | " + " | ".join(ANSWERS) + " |", "|---|---|" + "---|" * len(ANSWERS)]
    for family, rows in sorted(by_family.items()):
        cells = " | ".join(f"{v:.4f}" for v in np.median(np.array(rows), axis=0))
        lines.append(f"| {family} | {len(rows)} | {cells} |")
    return "\n".join([*lines, ""])


def scaled(own: dict[K, float], zero: float) -> dict[K, float]:
    """0 is the constant prediction, 1 the best of all."""
    unit = max(max(own.values()) - zero, 1e-12)
    return {key: float(np.clip((value - zero) / unit, -1, 1)) for key, value in own.items()}


def compared(found: list[dict[K, float]], what: str, pairs: dict[str, K]) -> list[str]:
    """A table: each against the first."""
    from scipy.stats import wilcoxon

    from autometa.bench.ranking import holm

    values = np.array([[own[pair] for pair in pairs.values()] for own in found])  # (datasets, pairs)
    gaps = values[:, 1:] - values[:, :1]
    draws = np.random.default_rng(0).integers(0, len(found), (2000, len(found)))
    low, high = np.quantile(gaps[draws].mean(axis=1), [0.025, 0.975], axis=0)
    p = holm([wilcoxon(gap).pvalue if np.abs(gap).sum() else 1.0 for gap in gaps.T])
    first, *others = pairs
    lines = [f"| {what} | scaled | against {first} | wins / losses | p (Holm) |", "|---|---|---|---|---|"]
    lines.append(f"| {first} | {values[:, 0].mean():.4f} | | | |")
    for k, name in enumerate(others):
        against = f"{gaps[:, k].mean():+.4f} [{low[k]:+.4f}, {high[k]:+.4f}]"
        wins = f"{(gaps[:, k] > 0).sum()} / {(gaps[:, k] < 0).sum()}"
        lines.append(f"| {name} | {values[:, k + 1].mean():.4f} | {against} | {wins} | {p[k]:.2g} |")
    return [*lines, ""]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "answering")
    parser.add_argument("--each", type=int, default=60, help="datasets of each kind, as far as there are families")
    parser.add_argument("--jobs", type=int, default=available_cpus())
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    chosen = datasets(options.data, options.each)
    if options.report:
        paths = [options.work / f"{name}.pkl" for name, _ in chosen]
        text = report([pickle.loads(path.read_bytes()) for path in paths if path.exists()])
        RESULTS.write_text(text, encoding="utf-8")
        print(text)
        return
    with Isolation() as isolation:
        for i, (name, kind) in enumerate(chosen):
            judged = fitted(name, kind, options, isolation)
            print(f"[{i + 1}/{len(chosen)}] {name}: {len(judged.tried)} configurations", flush=True)


if __name__ == "__main__":
    main()
