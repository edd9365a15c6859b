"""How good is what is tried first? Replays of recommenders on tables of finished evaluations.

    python benchmarks/recommend.py                    the Oboe error matrix: 418 data sets x 219 configurations
    python benchmarks/recommend.py --store URL        a store of past tasks, per kind of task
    python benchmarks/recommend.py --half validation  the half of the tasks on which constants were chosen
    python benchmarks/recommend.py --tune             how: the grid of constants, on that half

A replay is one task, taken as new: the recommender has learned from the tasks of the other folds and, where it adapts,
sees the table's score of each configuration that it chose. Reported is the mean over tasks of the normalised regret
``(best - incumbent) / (best - worst)`` after 1, 3, 5, 10 and 25 trials, a bootstrap 95 % interval, and the two-sided
Wilcoxon test against the static portfolio (Holm over the five). The tasks are split in two once, by seed and by family
of data: constants are chosen on the validation half, figures reported on the other, with the validation half as past.

The Oboe table has no meta-features: what stands in for them there are the times that its five fastest configurations
took, which tell the size of a data set and nothing of the scores.

Letters:  t tasks · m configurations.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.bench.ranking import holm
from autometa.metafeatures import MetaFeatures
from autometa.space import FAMILY, SearchSpace, choice
from autometa.store import MetaStore, PastTasks, TaskRecord
from autometa.transfer import OPTIONS, AdaptivePortfolio, Defaults, LearnedRanker, NearestTasks, Portfolio, Recommender

AT = (1, 3, 5, 10, 25)
ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT.parent / "shared" / "hpo" / "oboe_error_matrix" / "evaluations.parquet"
RESULTS = Path(__file__).resolve().parent / "results" / "recommend.jsonl"
METRICS = {"binary": "roc_auc", "multiclass": "neg_log_loss", "regression": "neg_root_mean_squared_error"}
DEFAULTS = {  # scikit-learn's own, as far as the table varies them; it writes numbers as text in some columns
    "n_estimators": "50.0", "learning_rate": ("1", "0.1", "adaptive"), "min_samples_split": "2.0", "criterion": "gini",
    "max_depth": "3.0", "max_features": "none", "n_neighbors": "5.0", "p": "2.0", "C": "1.0",
    "solver": ("liblinear", "adam"), "penalty": "l2", "learning_rate_init": "0.001", "alpha": "0.0001", "kernel": "rbf",
    "coef0": "0.0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Tasks to replay: all of them as past tasks, the space of their configurations, and who belongs together."""

    name: str
    past: PastTasks
    space: SearchSpace
    groups: NDArray[np.str_]  # (t,)


def oboe(path: Path) -> Table:
    """The Oboe error matrix; every parameter is a category, every learner a family with its library's default."""
    import pandas as pd

    frame = pd.read_parquet(path)
    columns = [name for name in frame.columns if name.startswith("hp_")]
    numbers = frame[columns].select_dtypes("number").columns
    frame[numbers] = frame[numbers].astype(float).round(8)
    frame[columns] = frame[columns].astype(object).where(frame[columns].notna(), "none").astype(str)
    frame["key"] = frame["space"].str.cat([frame[name] for name in columns], sep="|")
    scores = -frame.pivot_table(index="openml_id", columns="key", values="metric_value")
    seconds = frame.pivot_table(index="openml_id", columns="key", values="runtime")
    first = frame.drop_duplicates("key").set_index("key").loc[scores.columns]
    spaces: dict[str, SearchSpace] = {}
    for family, rows in first.groupby("space"):
        choices = {name[3:]: sorted(set(rows[name])) for name in columns if set(rows[name]) != {"none"}}
        spaces[str(family)] = SearchSpace.of(**{name: _default_first(name, values) for name, values in choices.items()})
    configs = tuple(
        {
            FAMILY: row["space"],
            **{f"{row['space']}.{name}": row[f"hp_{name}"] for name in (p.name for p in spaces[row["space"]])},
        }
        for _, row in first.iterrows()
    )
    fastest = seconds.median().nsmallest(5).index
    size = np.maximum(1, (1e4 * seconds[fastest].sum(axis=1)).astype(int))
    records = tuple(
        TaskRecord(f"oboe{i}", f"OpenML {i}", "multiclass", "balanced_error", int(n), 1, 2, openml_id=int(i))
        for i, n in zip(scores.index, size, strict=True)
    )
    features = np.column_stack([np.log(seconds[fastest].to_numpy(float)), size])
    names = (*(f"log seconds of {name.split('|')[0]}" for name in fastest), "rows")
    past = PastTasks(records, configs, scores.to_numpy(float), seconds.to_numpy(float), features, names)
    return Table("oboe", past, SearchSpace.cash(spaces), np.array([str(i) for i in scores.index]))


def _default_first(name: str, values: list[str]) -> Any:
    wanted = DEFAULTS[name] if isinstance(DEFAULTS[name], tuple) else (DEFAULTS[name],)
    return choice(*sorted(values, key=lambda value: value not in wanted))


def hidden(table: Table, share: float, seed: int) -> Table:
    """The same with some of the cells hidden, as in a store whose tasks did not all try everything."""
    scores = table.past.scores.copy()
    scores[np.random.default_rng(seed).random(scores.shape) < share] = np.nan
    return replace(table, past=replace(table.past, scores=scores))


def stored(url: str, kind: str) -> Table:
    """The tasks of one kind in a store, over the families of the product's own space."""
    from autometa.families import cash_space

    past = MetaStore(url, read_only=True).past(kind=kind, metric=METRICS[kind])
    groups = np.array([record.family or record.fingerprint for record in past.records])
    return Table(f"store {kind}", past, cash_space(kind), groups)


def among(past: PastTasks, rows: NDArray[np.int64], columns: NDArray[np.bool_] | None = None) -> PastTasks:
    """Some of the past tasks, and some of the configurations."""
    keep = np.ones(len(past.configs), dtype=bool) if columns is None else columns
    return replace(
        past,
        records=tuple(past.records[i] for i in rows),
        configs=tuple(config for config, kept in zip(past.configs, keep, strict=True) if kept),
        scores=past.scores[rows][:, keep],
        seconds=past.seconds[rows][:, keep],
        metafeatures=past.metafeatures[rows],
    )


def halves(table: Table, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Validation and report tasks: groups of data shuffled once and cut in the middle."""
    groups = np.random.default_rng(seed).permutation(np.unique(table.groups))
    first = np.isin(table.groups, groups[: len(groups) // 2])
    return np.flatnonzero(first), np.flatnonzero(~first)


def replays(table: Table, half: str, folds: int, seed: int, most: int | None) -> Iterator[tuple[int, PastTasks]]:
    """Each task taken as new, with what it may know: never its own family of data, nor (in tuning) a report task."""
    validation, report = halves(table, seed)
    tested = {"validation": validation, "report": report, "all": np.concatenate([validation, report])}[half]
    known = validation if half == "validation" else np.concatenate([validation, report])
    groups = np.random.default_rng(seed + 1).permutation(np.unique(table.groups[tested]))
    left = most
    for fold in range(folds):
        out = np.isin(table.groups, groups[fold::folds])
        past_rows = np.array([i for i in known if not out[i]])
        whole = among(table.past, past_rows)
        for i in (i for i in tested if out[i]):
            evaluated = ~np.isnan(table.past.scores[i])
            finite = table.past.scores[i][np.isfinite(table.past.scores[i])]
            if len(finite) < 2 or finite.max() == finite.min():
                continue
            if left is not None:
                left -= 1
                if left < 0:
                    return
            yield int(i), whole if evaluated.all() else among(table.past, past_rows, evaluated)


def features_of(past: PastTasks, i: int) -> MetaFeatures:
    """What is known of a past task that is taken as new."""
    return MetaFeatures(past.metafeature_names, past.metafeatures[i], past.metafeature_version, {})


def replay(recommender: Recommender, table: Table, i: int, *, trials: int, metafeatures: bool = True) -> list[int]:
    """The columns that a recommender chooses on task `i`, one after another, seeing each score."""
    past = table.past
    column_of = {json.dumps(config, sort_keys=True): j for j, config in enumerate(past.configs)}
    seen = features_of(past, i) if metafeatures else None
    observed: list[tuple[dict[str, Any], float]] = []
    chosen: list[int] = []
    while len(chosen) < trials:
        found = recommender.recommend(seen, 1, observed=observed)
        if not found:
            break
        column = column_of[json.dumps(found[0].config, sort_keys=True)]
        chosen.append(column)
        observed.append((found[0].config, float(past.scores[i, column])))
    return chosen


def regret(scores: NDArray[np.float64], chosen: list[int], trials: int) -> NDArray[np.float64]:  # (trials,)
    """Normalised regret after each trial; a list that ends early leaves the incumbent as it is."""
    finite = scores[np.isfinite(scores)]
    best, worst = finite.max(), finite.min()
    got = np.where(np.isfinite(scores[chosen]), scores[chosen], worst)
    incumbents = np.maximum.accumulate(np.concatenate([got, np.full(trials, -np.inf)])[:trials])
    return (best - incumbents) / (best - worst)


def at_random(scores: NDArray[np.float64], trials: int, rng: np.random.Generator) -> NDArray[np.float64]:  # (trials,)
    """Mean regret of 20 random orders."""
    known = np.flatnonzero(~np.isnan(scores))
    return np.mean([regret(scores, list(rng.permutation(known)), trials) for _ in range(20)], axis=0)


class BestOnAverage:
    """The configurations in the order of their mean normalised score: a baseline without the greedy's diversity."""

    def fit(self, past: PastTasks, space: SearchSpace) -> BestOnAverage:
        """Orders the configurations."""
        from autometa.transfer.completion import complete
        from autometa.transfer.scale import normalised

        self._configs = [past.configs[j] for j in np.argsort(-complete(normalised(past.scores)).mean(axis=0))]
        return self

    def recommend(self, metafeatures: Any, m: int, *, observed: Any = (), seconds: Any = None) -> list[Any]:
        """The next `m`."""
        from autometa.origins import Origin
        from autometa.transfer import Recommendation

        return [Recommendation(c, Origin.PORTFOLIO, None, "") for c in self._configs[len(observed) : len(observed) + m]]


METHODS: dict[str, tuple[Callable[[], Any], bool]] = {  # how it is made, and whether it sees meta-features
    "defaults": (Defaults, True),
    "best on average": (BestOnAverage, True),
    "portfolio": (Portfolio, True),
    "nearest": (NearestTasks, True),
    "ranker": (LearnedRanker, True),
    "adaptive, no meta-features": (AdaptivePortfolio, False),
    "adaptive": (AdaptivePortfolio, True),
}
GRID: dict[str, tuple[Callable[[], Any], bool]] = {
    ", ".join(f"{name} {value}" for name, value in changed.items()) or "as it is": (
        lambda changed=changed: AdaptivePortfolio(options=replace(OPTIONS, **changed)),
        True,
    )
    for changed in [
        {},
        *({"similarity_floor": floor} for floor in (0.1, 1.0)),
        *({"bandwidth": bandwidth} for bandwidth in (0.1, 0.2, 0.8)),
        *({"result_noise": noise} for noise in (0.05, 0.2)),
        *({"unmoved_share": share} for share in (0.0, 0.1, 0.6)),
        {"ranker_tasks": 10**9},  # never learned
    ]
}


def measure(
    table: Table,
    methods: dict[str, tuple[Callable[[], Any], bool]],
    *,
    half: str,
    folds: int,
    seed: int,
    most: int | None,
) -> dict[str, NDArray[np.float64]]:  # (t, AT)
    """Regret of every method on every replayed task."""
    trials, rng = max(AT), np.random.default_rng(seed)
    curves: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ("random", *methods)}
    fitted: dict[str, Recommender] = {}
    learned_from: PastTasks | None = None
    for i, past in replays(table, half, folds, seed, most):
        if past is not learned_from:
            fitted = {name: make().fit(past, table.space) for name, (make, _) in methods.items()}
            learned_from = past
        scores = table.past.scores[i]
        curves["random"].append(at_random(scores, trials, rng))
        for name, (_, sees) in methods.items():
            chosen = replay(fitted[name], table, i, trials=trials, metafeatures=sees)
            curves[name].append(regret(scores, chosen, trials))
    return {name: np.array(rows)[:, [a - 1 for a in AT]] for name, rows in curves.items()}


def interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Bootstrap 95 % interval of the mean over tasks."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def wilcoxon(a: NDArray[np.float64], b: NDArray[np.float64]) -> list[float]:  # (t, AT) each
    """Wilcoxon's two-sided p per column, Holm-corrected; 1 where nothing differs."""
    from scipy.stats import wilcoxon as test

    pairs = zip(a.T, b.T, strict=True)
    return holm([float(test(x, y).pvalue) if np.any(np.abs(x - y) > 1e-12) else 1.0 for x, y in pairs])


def report(
    table: Table, results: dict[str, NDArray[np.float64]], *, seed: int, half: str, started: float
) -> list[dict]:
    """Prints the table; returns its rows for the record."""
    count = len(next(iter(results.values())))
    print(
        f"\n{table.name}: {count} tasks ({half}), {len(table.past.configs)} configurations; "
        "mean normalised regret [95 %]"
    )
    print(f"{'':42}" + "".join(f"{f'after {a}':>24}" for a in AT))
    rows = []
    for name, values in results.items():
        p = wilcoxon(values, results["portfolio"]) if "portfolio" in results and name != "portfolio" else None
        intervals = [interval(column, seed) for column in values.T]
        cells = []
        for j, (low, high) in enumerate(intervals):
            star = (
                ""
                if p is None or p[j] >= 0.05
                else "-"
                if values[:, j].mean() < results["portfolio"][:, j].mean()
                else "+"
            )
            cells.append(f"{f'{values[:, j].mean():.4f}{star} [{low:.3f} {high:.3f}]':>24}")
        print(f"{name:42}" + "".join(cells))
        rows.append({
            "benchmark": "recommend", "table": table.name, "half": half, "method": name, "tasks": count, "seed": seed,
            "regret": {str(a): round(float(values[:, j].mean()), 5) for j, a in enumerate(AT)},
            "interval": {str(a): [round(x, 5) for x in intervals[j]] for j, a in enumerate(AT)},
            "p_against_portfolio": None if p is None else {str(a): round(p[j], 6) for j, a in enumerate(AT)},
            "seconds": round(time.perf_counter() - started, 1), "python": platform.python_version(),
            "versions": {name: version(name) for name in ("autometa-ml", "numpy", "scipy", "optuna")},
            "machine": platform.machine(),
        })  # fmt: skip
    print("-, + : better, worse than the static portfolio, Holm-corrected p < .05")
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE, help="evaluations.parquet of the Oboe error matrix")
    parser.add_argument("--store", help="replay on a store instead: path or URL")
    parser.add_argument("--half", choices=("report", "validation", "all"), default="report")
    parser.add_argument("--hide", type=float, default=0.0, help="part of the past's cells that is hidden")
    parser.add_argument(
        "--tune", action="store_true", help="the grid of constants instead of the methods, on the validation half"
    )
    parser.add_argument("--folds", type=int, default=5, help="0 leaves out one family of data at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="40 tasks")
    parser.add_argument("--no-record", action="store_true", help=f"do not write to {RESULTS.name}")
    options = parser.parse_args()

    tables = [stored(options.store, kind) for kind in METRICS] if options.store else [oboe(options.table)]
    half, methods = (
        ("validation", {"portfolio": METHODS["portfolio"], **GRID}) if options.tune else (options.half, METHODS)
    )
    for table in tables:
        if len(table.past.records) < 4:
            print(f"{table.name}: too few tasks ({len(table.past.records)})")
            continue
        started = time.perf_counter()
        folds = options.folds or len(np.unique(table.groups))
        if options.hide:
            table = hidden(table, options.hide, options.seed)
        most = 40 if options.quick else None
        results = measure(table, methods, half=half, folds=folds, seed=options.seed, most=most)
        rows = report(table, results, seed=options.seed, half=half, started=started)
        if not (options.no_record or options.quick or options.tune):
            RESULTS.parent.mkdir(exist_ok=True)
            with RESULTS.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
