"""What is the memory worth? Replays of recommenders and of cold search on the collected evaluations.

    python benchmarks/warm_start.py                       the shipped memory: every method, one family of data left out
    python benchmarks/warm_start.py --store PATH          another store (it is copied first, so it may be in use)
    python benchmarks/warm_start.py --oboe                the Oboe error matrix
    python benchmarks/warm_start.py --half validation     the families on which constants were chosen
    python benchmarks/warm_start.py --ablation            each part off, each group of meta-features off and alone
    python benchmarks/warm_start.py --embedding           a trained set encoder beside the meta-features
    python benchmarks/warm_start.py --curve               regret against the number of past tasks, 5 to all
    python benchmarks/warm_start.py --holes               how well a hidden part of the memory is predicted
    python benchmarks/warm_start.py --own                 configurations that hardly any past task knows, and their harm
    python benchmarks/warm_start.py --families            where each family is best, and what is lost without it
    python benchmarks/warm_start.py --without a,b         the memory with and without some families, judged among all
    python benchmarks/warm_start.py --time                the order under a time budget, with Oboe's own runtimes
    python benchmarks/warm_start.py --ready               how long until the first recommendation, in a fresh process
    python benchmarks/warm_start.py --half report --report    plots of that half, and warm_start.md from all so far

A replay is one task taken as new: nothing of its family is in the past, the configurations are those that were
evaluated on it, and its score for each one chosen is looked up. Reported is the normalised regret
``(best - incumbent) / (best - worst)`` over all evaluated on that task, after 1, 3, 5, 10, 25 and 50 trials as far as
the pool goes, with a bootstrap 95 % interval; paired two-sided Wilcoxon tests against the static portfolio and against
cold TPE (Holm over the trials); the share of tasks that are worse than cold TPE, and than the portfolio, by more than
.02; and the median trial at which a method is where cold TPE is at the end. What is random is averaged over seeds per
task before anything else.

Cold TPE is Optuna's with `multivariate=True, group=True`; its suggestions are taken to the nearest configuration not
tried yet, and that is what it is told of. The constants of our methods were chosen on the families of `VALIDATION`,
which `--half report` leaves out of the judging (not of the past).

Letters:  t tasks · m configurations · k trials.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recommend import METRICS, TABLE, BestOnAverage, Table, among, features_of, interval, oboe, regret, wilcoxon

from autometa.bench.results import read_lines
from autometa.metafeatures import GROUPS, MetaFeatures
from autometa.space import FAMILY, Config, Parameter, SearchSpace
from autometa.space import real as real_number
from autometa.store import MetaStore, PastTasks
from autometa.transfer import (
    OPTIONS,
    AdaptivePortfolio,
    Defaults,
    LearnedRanker,
    NearestTasks,
    Portfolio,
    Recommendation,
)

AT = (1, 3, 5, 10, 25, 50)
HARM = 0.02
COMMON = 0.06  # of the tasks know a configuration of the pool; what searches found is known by fewer
FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results" / "warm_start.jsonl"
VALIDATION = FOLDER / "warm_start_validation.txt"
SHIPPED = Path(str(files("autometa") / "meta_db" / "memory.db"))
Curve = NDArray[np.float64]  # (k,) regret after each trial

# the tables ----------------------------------------------------------------------------------------------------------


def collected(store: Path) -> list[Table]:
    """The tasks of each kind in a copy of a store, over the product's own space."""
    from autometa.families import cash_space

    tables = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "store.db"
        source, target = sqlite3.connect(f"file:{store}?mode=ro", uri=True), sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        for kind, metric in METRICS.items():
            past = MetaStore(copy).past(kind=kind, metric=metric)
            groups = np.array([record.family or record.fingerprint for record in past.records])
            tables.append(Table(kind, past, cash_space(kind), groups))
    return tables


def judged(table: Table, half: str, least: int) -> NDArray[np.int64]:
    """The tasks to replay: of the wanted families, and with enough configurations that differ in their scores."""
    if table.name == "oboe":
        groups = np.random.default_rng(0).permutation(np.unique(table.groups))
        validation = set(groups[: len(groups) // 2])  # the halves of `recommend.py`
    else:
        validation = set(VALIDATION.read_text(encoding="utf-8").split())
    wanted = []
    for i, (scores, group) in enumerate(zip(table.past.scores, table.groups, strict=True)):
        finite = scores[np.isfinite(scores)]
        if len(finite) < least or finite.max() == finite.min():
            continue
        if half == "all" or (str(group) in validation) == (half == "validation"):
            wanted.append(i)
    return np.array(wanted, dtype=np.int64)


def left_out(
    table: Table, wanted: NDArray[np.int64], half: str, folds: int
) -> Iterator[tuple[int, PastTasks, NDArray[np.int64]]]:
    """Each task with its past, which holds none of its family (or of its fold), and the columns to replay it on.

    These were evaluated on it and on many others (`COMMON`): what a search chose to try on a task promised to be good
    there, and offering it would tell.
    """
    known = judged(table, "validation", 2) if half == "validation" else np.arange(len(table.groups))
    names = np.random.default_rng(1).permutation(np.unique(table.groups[wanted]))
    fold_of = {name: k % folds if folds else k for k, name in enumerate(names)}
    for fold in sorted(set(fold_of.values())):
        out = {name for name, f in fold_of.items() if f == fold}
        rows = np.array([i for i in known if table.groups[i] not in out], dtype=np.int64)
        whole, shared = among(table.past, rows), (~np.isnan(table.past.scores[rows])).mean(axis=0) >= COMMON
        for i in (i for i in wanted if table.groups[i] in out):
            evaluated = ~np.isnan(table.past.scores[i]) & shared
            columns = np.flatnonzero(evaluated)
            yield int(i), whole if evaluated.all() else among(table.past, rows, evaluated), columns


# the methods ---------------------------------------------------------------------------------------------------------


class OneNeighbour:
    """FLAML's rule: the best configurations of the past task nearest in four meta-features, then the portfolio.

    FLAML (Wang et al., 2021; its zero-shot AutoML) takes rows, columns, classes and the share of numeric columns,
    centred and scaled over the past.
    """

    def fit(self, past: PastTasks, space: SearchSpace) -> OneNeighbour:
        """Scales the four."""
        self._past, self._portfolio = past, Portfolio().fit(past, space)
        names = list(past.metafeature_names)
        wanted = ("rows", "columns", "classes", "numeric_columns")
        self._columns = [names.index(name) for name in wanted if name in names]
        self._centre = np.nanmedian(past.metafeatures[:, self._columns], axis=0)
        self._scale = np.maximum(np.nanstd(past.metafeatures[:, self._columns], axis=0), 1e-12)
        return self

    def recommend(self, metafeatures: Any, m: int, *, observed: Any = (), **_: Any) -> list[Recommendation]:
        """The next `m`."""
        tried = {json.dumps(config, sort_keys=True) for config, *_ in observed}
        listed: list[Config] = []
        if metafeatures is not None and self._columns:
            gaps = (self._past.metafeatures - metafeatures.values)[:, self._columns] / self._scale
            scores = self._past.scores[int(np.argmin(np.nan_to_num(gaps**2).sum(axis=1)))]
            order = np.argsort(-np.where(np.isfinite(scores), scores, -np.inf), kind="stable")
            listed = [self._past.configs[j] for j in order[: int(np.isfinite(scores).sum())]]
        left = [config for config in listed if json.dumps(config, sort_keys=True) not in tried]
        if len(left) < m:
            seen = [(config, 0.0) for config in left]
            left += [r.config for r in self._portfolio.recommend(None, m, observed=[*observed, *seen])]
        return [Recommendation(config, "similar", None, "") for config in left[:m]]


class NoMetaFeatures:
    """A recommender that is told nothing of how the task looks."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def fit(self, past: PastTasks, space: SearchSpace) -> NoMetaFeatures:
        """Learns without meta-features."""
        without = replace(past, metafeatures=np.zeros((len(past.records), 0)), metafeature_names=())
        self.inner.fit(without, space)
        return self

    def recommend(self, metafeatures: Any, m: int, **known: Any) -> list[Recommendation]:
        """The next `m`."""
        return self.inner.recommend(None, m, **known)


class Only:
    """The adaptive portfolio with some of the meta-features."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.inner = set(names), AdaptivePortfolio()

    def fit(self, past: PastTasks, space: SearchSpace) -> Only:
        """Learns from those only."""
        self.keep = np.array([name in self.names for name in past.metafeature_names], dtype=bool)
        kept = tuple(name for name in past.metafeature_names if name in self.names)
        self.inner.fit(replace(past, metafeatures=past.metafeatures[:, self.keep], metafeature_names=kept), space)
        return self

    def recommend(self, metafeatures: Any, m: int, **known: Any) -> list[Recommendation]:
        """The next `m`."""
        if metafeatures is not None:
            names = tuple(name for name in metafeatures.names if name in self.names)
            metafeatures = replace(metafeatures, names=names, values=metafeatures.values[self.keep])
        return self.inner.recommend(metafeatures, m, **known)


def adaptive(**changed: Any) -> Callable[[], AdaptivePortfolio]:
    """Makes the adaptive portfolio with other values of some options."""
    return lambda: AdaptivePortfolio(options=replace(OPTIONS, **changed))


METHODS: dict[str, Callable[[], Any]] = {
    "defaults of families": Defaults,
    "best on average": BestOnAverage,
    "static portfolio": Portfolio,
    "nearest tasks": NearestTasks,
    "FLAML's rule": OneNeighbour,
    "learned ranker": LearnedRanker,
    "adaptive": AdaptivePortfolio,
}
NAMES = {group: [feature.__name__ for feature in features] for group, features in GROUPS.items()}
EVERY = [name for names in NAMES.values() for name in names]
ABLATIONS: dict[str, Callable[[], Any]] = {
    "static portfolio": Portfolio,
    "adaptive": AdaptivePortfolio,
    "adaptive, no meta-features": lambda: NoMetaFeatures(AdaptivePortfolio()),
    "adaptive, no learned ranker": adaptive(ranker_tasks=10**9),
    "adaptive, no similarity weights": adaptive(similarity_floor=1.0),
    "adaptive, results weigh only": adaptive(bandwidth=1e-6, result_noise=0.5),
    "adaptive, results count for more": adaptive(unmoved_share=0.3),
    "adaptive, size says nothing": adaptive(size_spread=np.inf),
    "adaptive, size counts for more": adaptive(size_spread=1.5),
    "adaptive, size counts for less": adaptive(size_spread=3.0),
    "adaptive, one task's own at their word": adaptive(single_task_noise=0.0),
    "adaptive, normalised from the lower decile": adaptive(floor_quantile=0.1),
    "adaptive, normalised from the median": adaptive(floor_quantile=0.5),
    "adaptive, optimistic about missing entries": adaptive(optimism=1.0),
    "adaptive, missing entries at their mean": adaptive(optimism=0.0),
    **{f"without {g}": lambda g=g: Only([n for n in EVERY if n not in NAMES[g]]) for g in NAMES},
    **{f"only {g}": lambda g=g: Only(NAMES[g]) for g in NAMES},
}


def replay(recommender: Any, table: Table, i: int, columns: NDArray[np.int64], trials: int) -> list[int]:
    """The places among `columns` that a recommender chooses on task `i`, one after another, seeing each score."""
    past = table.past
    place_of = {json.dumps(past.configs[j], sort_keys=True): k for k, j in enumerate(columns)}
    seen = features_of(past, i)
    observed: list[tuple[Config, float]] = []
    chosen: list[int] = []
    while len(chosen) < min(trials, len(columns)):
        found = recommender.recommend(seen, 1, observed=observed)
        place = place_of.get(json.dumps(found[0].config, sort_keys=True)) if found else None
        if place is None:  # a default that was not evaluated here, or nothing left
            if not found:
                break
            observed.append((found[0].config, float("nan")))
            continue
        chosen.append(place)
        observed.append((found[0].config, float(past.scores[i, columns[place]])))
    return chosen


class Nearest:
    """Suggestions of a sampler over the whole space, taken to the nearest configuration of a pool."""

    def __init__(self, space: SearchSpace, configs: Sequence[Config]) -> None:
        self.space, self.configs = space, configs
        encoded = space.encode_all(configs)
        self.x = np.where(encoded.mask, encoded.x, 0.0)
        self.family = np.array([str(config.get(FAMILY, "")) for config in configs])
        self.distributions = [{name: space[name].distribution for name in config} for config in configs]

    def of(self, config: Config, free: NDArray[np.bool_], rng: np.random.Generator) -> int:
        """The nearest free one: of the same family while there is one."""
        encoded = self.space.encode(config)
        gaps = ((self.x - np.where(encoded.mask, encoded.x, 0.0)) ** 2).sum(axis=1)
        gaps = gaps + 1e6 * (self.family != str(config.get(FAMILY, ""))) + 1e-9 * rng.random(len(gaps))
        other = self.family[int(np.argmin(gaps))] != str(config.get(FAMILY, ""))
        return int(np.argmin(np.where(free, rng.random(len(gaps)) if other else gaps, np.inf)))


def searched(pool: Nearest, scores: NDArray[np.float64], first: Sequence[int], trials: int, seed: int) -> list[int]:
    """Optuna's TPE over the pool, after the trials `first`; the places it chooses."""
    import optuna

    from autometa.sampler import cold_sampler

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng = np.random.default_rng(seed)
    study = optuna.create_study(direction="maximize", sampler=cold_sampler(seed))
    free, chosen = np.ones(len(scores), dtype=bool), []

    def told(place: int) -> None:
        chosen.append(place)
        free[place] = False
        failed = not np.isfinite(scores[place])
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
                params=pool.configs[place],
                distributions=pool.distributions[place],
                value=None if failed else float(scores[place]),
            )
        )

    for place in first:
        told(place)
    while len(chosen) < min(trials, len(scores)):
        trial = study.ask()
        config = pool.space.suggest(trial)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        place = pool.of(config, free, rng)
        told(place if free[place] else int(rng.choice(np.flatnonzero(free))))
    return chosen


# judging -------------------------------------------------------------------------------------------------------------


def measure(
    table: Table,
    methods: dict[str, Callable[[], Any]],
    *,
    half: str,
    folds: int,
    least: int,
    trials: int,
    seeds: int,
    search: bool,
    most: int | None,
) -> dict[str, NDArray[np.float64]]:  # (t, k)
    """Regret curves of every method on every replayed task."""
    wanted = judged(table, half, least)
    if most is not None:
        wanted = np.random.default_rng(0).permutation(wanted)[:most]
    curves: dict[str, list[Curve]] = {}
    learned_from: PastTasks | None = None
    fitted: dict[str, Any] = {}
    for i, past, columns in left_out(table, wanted, half, folds):
        if past is not learned_from:
            fitted = {name: make().fit(past, table.space) for name, make in methods.items()}
            learned_from = past
        scores = table.past.scores[i, columns]
        rng = np.random.default_rng(i)
        orders = [list(rng.permutation(len(scores))) for _ in range(50)]
        curves.setdefault("random", []).append(np.mean([regret(scores, o, trials) for o in orders], axis=0))
        chosen = {name: replay(recommender, table, i, columns, trials) for name, recommender in fitted.items()}
        for name, places in chosen.items():
            curves.setdefault(name, []).append(regret(scores, places, trials))
        if search:
            pool = Nearest(table.space, [table.past.configs[j] for j in columns])
            cold = [regret(scores, searched(pool, scores, (), trials, 1000 * i + s), trials) for s in range(seeds)]
            curves.setdefault("cold TPE", []).append(np.mean(cold, axis=0))
            first = chosen["static portfolio"][:5]
            then = [regret(scores, searched(pool, scores, first, trials, 1000 * i + s), trials) for s in range(seeds)]
            curves.setdefault("portfolio (5) + TPE", []).append(np.mean(then, axis=0))
    return {name: np.array(rows) for name, rows in curves.items()}


def reached(curves: NDArray[np.float64], goal: NDArray[np.float64]) -> float:  # (t, k), (t,)
    """The median trial at which a method's regret is at most the goal's."""
    there = curves <= goal[:, None] + 1e-12
    first = np.where(there.any(axis=1), there.argmax(axis=1) + 1, np.inf)
    return float(np.median(first))


def summary(name: str, results: dict[str, NDArray[np.float64]], at: Sequence[int], facts: dict[str, Any]) -> list[dict]:
    """Prints one table; returns its rows for the record."""
    columns = [a - 1 for a in at]
    static, cold = results.get("static portfolio"), results.get("cold TPE")
    count = len(next(iter(results.values())))
    print(f"\n{name}: {count} tasks; mean normalised regret [95 %]; in brackets the share of the static portfolio's")
    print(f"{'':38}" + "".join(f"{f'after {a}':>28}" for a in at) + "   reaches TPE's end   worse than TPE, portfolio")
    rows = []
    for method, curves in results.items():
        values = curves[:, columns]
        p_static = None if static is None or method == "static portfolio" else wilcoxon(values, static[:, columns])
        p_cold = None if cold is None or method == "cold TPE" else wilcoxon(values, cold[:, columns])
        intervals = [interval(column, 0) for column in values.T]
        cells = []
        for j, (low, high) in enumerate(intervals):
            bar = 0.0 if static is None else float(static[:, columns[j]].mean())
            share = f" ({values[:, j].mean() / bar:.2f})" if bar > 1e-9 else ""
            star = "*" if p_static is not None and p_static[j] < 0.05 else ""
            cells.append(f"{f'{values[:, j].mean():.4f}{star}{share} [{low:.3f} {high:.3f}]':>28}")
        late = [j for j, a in enumerate(at) if a >= 10] or [len(at) - 1]
        worse = {
            other: {str(at[j]): round(float(np.mean(values[:, j] > them[:, columns[j]] + HARM)), 4) for j in late}
            for other, them in (("cold TPE", cold), ("static portfolio", static))
            if them is not None and other != method
        }
        median = None if cold is None else reached(curves, cold[:, columns[-1]])
        end = "" if median is None else f"{median:>10.1f}"
        print(f"{method:38}" + "".join(cells) + end + "   " + "  ".join(str(list(w.values())) for w in worse.values()))
        rows.append({
            **facts, "table": name, "method": method, "tasks": count,
            "regret": {str(a): round(float(values[:, j].mean()), 5) for j, a in enumerate(at)},
            "interval": {str(a): [round(x, 5) for x in intervals[j]] for j, a in enumerate(at)},
            "p_against_portfolio": p_static and {str(a): round(p, 6) for a, p in zip(at, p_static, strict=True)},
            "p_against_cold_tpe": p_cold and {str(a): round(p, 6) for a, p in zip(at, p_cold, strict=True)},
            "share_worse_by_more_than_0.02": worse, "median_trial_at_which_cold_tpe_ends": median,
            "curve": [round(float(x), 5) for x in curves.mean(axis=0)],
        })  # fmt: skip
    print("* differs from the static portfolio, Holm-corrected p < .05")
    return rows


def facts_of(options: argparse.Namespace, started: float, **more: Any) -> dict[str, Any]:
    """What every record says of itself."""
    return {
        "benchmark": "warm_start", "half": options.half, "seed": 0, **more,
        "seconds": round(time.perf_counter() - started, 1), "python": platform.python_version(),
        "versions": {name: version(name) for name in ("autometa-ml", "numpy", "scipy", "optuna")},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
    }  # fmt: skip


def write(rows: Sequence[dict], options: argparse.Namespace, path: Path = RESULTS) -> None:
    """Appends to the record, unless told not to."""
    if options.no_record or options.quick:
        return
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


# the programs --------------------------------------------------------------------------------------------------------


def tables_of(options: argparse.Namespace) -> list[Table]:
    """What to replay on."""
    return [oboe(TABLE)] if options.oboe else collected(options.store)


def compare(options: argparse.Namespace, methods: dict[str, Callable[[], Any]], what: str, *, search: bool) -> None:
    """Every method on every table, and on all tables together."""
    together: list[dict[str, NDArray[np.float64]]] = []
    common: list[int] = list(AT)
    for table in tables_of(options):
        started = time.perf_counter()
        sizes = (~np.isnan(table.past.scores[judged(table, options.half, options.least)])).sum(axis=1)
        if not len(sizes):
            print(f"{table.name}: no task of these families with {options.least} configurations")
            continue
        at = [a for a in AT if a < np.median(sizes) and (search or a <= 10)]
        common = [a for a in common if a in at]
        results = measure(
            table, methods, half=options.half, folds=10 if options.oboe else 0, least=options.least,
            trials=max(AT) if search else 10, seeds=1 if options.quick else options.seeds, search=search,
            most=8 if options.quick else options.most,
        )  # fmt: skip
        together.append(results)
        more = {
            "what": what,
            "configurations": len(table.past.configs),
            "median_evaluated": float(np.median(sizes)),
            "past_tasks_in_all": len(table.past.records),
        }
        write(summary(table.name, results, at, facts_of(options, started, **more)), options)
    if len(together) > 1:
        joint = {name: np.concatenate([results[name] for results in together]) for name in together[0]}
        write(summary("all kinds", joint, common, facts_of(options, started, what=what)), options)


def curve(options: argparse.Namespace) -> None:
    """Regret against the number of past tasks: subsets of the past, three draws of each size."""
    for table in tables_of(options):
        started = time.perf_counter()
        wanted = judged(table, options.half, options.least)
        wanted = np.random.default_rng(0).permutation(wanted)[: 20 if options.quick else options.most]
        if not len(wanted):
            continue
        sizes = [s for s in (5, 10, 20, 40, 80, 160, 320) if s < len(table.groups) * 0.8]
        found: dict[tuple[str, int], list[Curve]] = {}
        for i, past, columns in left_out(table, wanted, options.half, 0 if not options.oboe else 10):
            t = len(past.records)
            # Densely evaluated tasks are what a past is made of: a size means so many of those.
            rich = np.argsort(-np.isfinite(past.scores).sum(axis=1), kind="stable")
            for size in [*sizes, t]:
                for draw in range(1 if size == t else 2 if options.quick else 3):
                    rng = np.random.default_rng([i, size, draw])
                    rows = np.sort(rng.permutation(rich)[:size])
                    some = among(past, rows)
                    for name, make in (("static portfolio", Portfolio), ("adaptive", AdaptivePortfolio)):
                        chosen = replay(make().fit(some, table.space), table, i, columns, 10)
                        key = (name, size if size < t else 0)
                        found.setdefault(key, []).append(regret(table.past.scores[i, columns], chosen, 10))
        rows = []
        print(f"\n{table.name}: mean normalised regret after 1, 3, 5, 10 trials by the number of past tasks")
        for (name, size), curves in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or 10**9)):
            means = np.mean(curves, axis=0)[[0, 2, 4, 9]]
            past_tasks = size or len(table.groups)
            print(f"{name:20}{past_tasks:6}" + "".join(f"{x:10.4f}" for x in means))
            regrets = {str(a): round(float(x), 5) for a, x in zip((1, 3, 5, 10), means, strict=True)}
            rows.append({**facts_of(options, started, what="curve"), "table": table.name, "method": name,
                         "past_tasks": past_tasks, "tasks": len(wanted), "regret": regrets})  # fmt: skip
        write(rows, options)


def with_finds(
    table: Table,
    rows: NDArray[np.intp],  # (t,) the past tasks
    shared: NDArray[np.intp],  # configurations that everybody knows
    best: NDArray[np.intp],  # (t,) the one that each past task found
    known: int,
    rng: np.random.Generator,
) -> tuple[Table, PastTasks, NDArray[np.intp]]:
    """What each past task found, as a configuration that only `known` of them know; which of the table each one is."""
    past = table.past
    source = np.concatenate([shared, best]) if known else shared
    hidden = np.zeros((len(rows), len(source)), dtype=bool)
    for task in range(len(rows) if known else 0):
        others = rng.permutation(len(rows))[:known]
        hidden[np.setdiff1d(np.arange(len(rows)), [task, *others[: known - 1]]), len(shared) + task] = True
    copies = [0.5] * len(shared) + list(np.linspace(0.0, 0.4, len(rows)))
    configs = tuple({**past.configs[j], "copy": c} for j, c in zip(source, copies, strict=False))
    told = replace(past, scores=past.scores[:, source], seconds=past.seconds[:, source], configs=configs)
    space = SearchSpace([*table.space, Parameter("copy", *real_number(0.0, 1.0, 0.5))])  # tells copies apart
    seen = among(told, rows)
    seen = replace(seen, scores=np.where(hidden, np.nan, seen.scores))
    return Table(table.name, told, space, table.groups), seen, source


def own(options: argparse.Namespace) -> None:
    """The same recommender where each past task has found something of its own as well: help or harm?

    Half of the configurations, drawn at random, are everybody's. Of the other half each past task knows the one that
    was best there, as a configuration of its own that so many others know too. The task at hand has all of them.
    """
    for table in collected(options.store):
        started, past = time.perf_counter(), table.past
        columns = np.flatnonzero((~np.isnan(past.scores)).mean(axis=0) >= 0.75)
        whole = np.flatnonzero(~np.isnan(past.scores[:, columns]).any(axis=1))
        wanted = np.intersect1d(judged(table, options.half, options.least), whole)
        wanted = np.random.default_rng(0).permutation(wanted)[: 5 if options.quick else options.most]
        found: dict[str, list[Curve]] = {}
        for i in wanted:
            rng = np.random.default_rng(int(i))
            rows = np.array([r for r in whole if table.groups[r] != table.groups[i]])
            drawn = rng.permutation(columns)
            shared, rest = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
            best = rest[np.argmax(past.scores[np.ix_(rows, rest)], axis=1)]
            for known in (0, 1, 4, 12):
                told, seen, source = with_finds(table, rows, shared, best, known, rng)
                variants = {"": adaptive(), ", at their word": adaptive(single_task_noise=0.0),
                            ", their mean": adaptive(optimism=0.0),
                            ", all their variance": adaptive(optimism=1.0)}  # fmt: skip
                for what, variant in variants.items():
                    chosen = replay(variant().fit(seen, told.space), told, int(i), np.arange(len(source)), 10)
                    everything = past.scores[i, np.concatenate([source[chosen], drawn])]
                    name = f"known by {known}" if known else "everybody's alone"
                    curve = regret(everything, list(range(len(chosen))), 10)
                    found.setdefault(f"{name}{what}", []).append(curve)
        results = {name: np.array(curves) for name, curves in found.items()}
        write(summary(table.name, results, (1, 3, 5, 10), facts_of(options, started, what="own")), options)


def low_rank(table: NDArray[np.float64], rank: int = 8, sights: int = 20) -> NDArray[np.float64]:  # (t, m)
    """Shrunken column and row means and a low-rank rest, by alternating ridge regressions.

    softImpute-ALS (Hastie, Mazumder, Lee and Zadeh, 2015): what imputed missing entries before `transfer.completion`.
    """
    known = ~np.isnan(table)
    counts, overall = known.sum(axis=0), table[known].mean()
    columns = (np.where(known, table, 0.0).sum(axis=0) + sights * overall) / (counts + sights)
    rest = np.where(known, table - columns, 0.0)
    rows = rest.sum(axis=1, keepdims=True) / (known.sum(axis=1, keepdims=True) + 2)
    rest = np.where(known, rest - rows, 0.0)
    left = np.zeros((len(table), rank))
    right = np.random.default_rng(0).standard_normal((len(columns), rank)) / np.sqrt(len(columns))
    for _ in range(20):
        filled = np.where(known, rest, left @ right.T)
        left = np.linalg.solve(right.T @ right + np.eye(rank), (filled @ right).T).T
        filled = np.where(known, rest, left @ right.T)
        right = np.linalg.solve(left.T @ left + np.eye(rank), (filled.T @ left).T).T
    return np.clip(columns + rows + left @ right.T, 0.0, 1.0)


def holes(options: argparse.Namespace) -> None:
    """A fifth of the known entries hidden at random, and predicted: root mean square error, three draws."""
    from autometa.transfer.completion import impute, kinship
    from autometa.transfer.past import PastTable
    from autometa.transfer.scale import normalised

    for table in collected(options.store):
        started, past = time.perf_counter(), PastTable.of(table.past, table.space)
        whole, kin, found = normalised(past.scores), kinship(past.configs, past.space), []
        for draw in range(3):
            hidden = ~np.isnan(whole) & (np.random.default_rng(draw).random(whole.shape) < 0.2)
            seen = np.where(hidden, np.nan, whole)
            counts = (~np.isnan(seen)).sum(axis=0)
            means = np.where(counts > 0, np.nansum(seen, axis=0) / np.maximum(counts, 1), np.nanmean(seen))
            ours, spread = impute(seen, kin)
            told = {"means of configurations": np.tile(means, (past.t, 1)), "low rank": low_rank(seen),
                    "ours, configurations unlike": impute(seen)[0], "ours": ours}  # fmt: skip
            errors = {name: np.sqrt(np.mean((guess - whole)[hidden] ** 2)) for name, guess in told.items()}
            errors["ours, in its standard deviations"] = np.sqrt(np.mean(((ours - whole) / spread)[hidden] ** 2))
            found.append(errors)
        facts = facts_of(options, started, what="holes") | {"table": table.name, "tasks": past.t}
        mean = {name: round(float(np.mean([errors[name] for errors in found])), 4) for name in found[0]}
        print(f"{table.name}: {past.t} tasks, {past.m} configurations; {mean}")
        write([{**facts, "configurations": past.m, "error": mean}], options)


def worth_of_families(options: argparse.Namespace) -> None:
    """Of each family: on how many tasks the best known configuration is one of its, and what the next best misses.

    What is missed is in normalised scores (0 the lower quartile of the task, 1 its best), averaged over all tasks that
    know the family. Ties count for none.
    """
    from autometa.transfer.scale import normalised

    for table in collected(options.store):
        started, table_of = time.perf_counter(), normalised(table.past.scores)
        family = np.array([config[FAMILY] for config in table.past.configs])
        rows = []
        for name in sorted(set(family)):
            its, others = table_of[:, family == name], table_of[:, family != name]
            both = ~np.isnan(its).all(axis=1) & ~np.isnan(others).all(axis=1)
            missed = np.maximum(np.nanmax(its[both], axis=1) - np.nanmax(others[both], axis=1), 0.0)
            best, mean = int((missed > 0).sum()), round(float(missed.mean()), 4)
            rows.append({"family": name, "tasks": int(both.sum()), "best_on": best, "missed_without": mean})
        print(f"\n{table.name:30}{'tasks':>8}{'best on':>10}{'missed without':>18}")
        for row in sorted(rows, key=lambda row: -row["best_on"]):
            print(f"{row['family']:30}{row['tasks']:8}{row['best_on']:10}{row['missed_without']:18.4f}")
        write([facts_of(options, started, what="families") | {"table": table.name} | row for row in rows], options)


def without(options: argparse.Namespace) -> None:
    """The adaptive portfolio where neither memory nor table has some families, judged among all that was evaluated."""
    gone = set(options.without.split(","))
    together: dict[str, list[NDArray[np.float64]]] = {}
    at, started = (1, 3, 5, 10, 25), time.perf_counter()
    for table in collected(options.store):
        wanted = judged(table, options.half, options.least)
        wanted = np.random.default_rng(0).permutation(wanted)[: 8 if options.quick else options.most]
        found: dict[str, list[Curve]] = {"with them": [], "without them": []}
        for i, past, columns in left_out(table, wanted, options.half, 0):
            kept = np.array([config[FAMILY] not in gone for config in past.configs])
            others = [j for j in columns if table.past.configs[j][FAMILY] not in gone]
            fewer = among(past, np.arange(len(past.records)), kept)
            for name, told, pool in (("with them", past, columns), ("without them", fewer, np.array(others))):
                chosen = pool[replay(AdaptivePortfolio().fit(told, table.space), table, i, pool, max(at))]
                everything = table.past.scores[i, np.concatenate([chosen, columns])]
                found[name].append(regret(everything, list(range(len(chosen))), max(at)))
        for name, curves in found.items():
            together.setdefault(name, []).append(np.array(curves))
    places = [a - 1 for a in at]
    results = {name: np.concatenate(curves) for name, curves in together.items()}
    p = wilcoxon(results["with them"][:, places], results["without them"][:, places])
    rows = summary(f"all kinds, {options.without}", results, at, facts_of(options, started, what="without"))
    print(f"p of the difference, Holm over the trials: {dict(zip(at, np.round(p, 4).tolist(), strict=True))}")
    write([row | {"families": sorted(gone), "p": [round(float(x), 6) for x in p]} for row in rows], options)


TIME_RULES = ("not told of the time", "gain per share")


def under_time(options: argparse.Namespace) -> None:
    """Oboe with its own runtimes: regret when a budget of so many mean trials is spent, knowing of the time or not."""
    table, started = oboe(TABLE), time.perf_counter()
    seconds = table.past.seconds
    wanted = np.random.default_rng(0).permutation(judged(table, options.half, 2))[
        : 20 if options.quick else options.most
    ]
    budgets = (0.3, 1.0, 3.0, 10.0)
    found: dict[tuple[str, float], list[float]] = {}
    for i, past, columns in left_out(table, wanted, options.half, 10):
        scores, taken = table.past.scores[i, columns], seconds[i, columns]
        recommender = AdaptivePortfolio().fit(past, table.space)
        for rule in TIME_RULES:
            for budget in budgets:
                left, observed, chosen = budget * float(np.nanmean(taken)), [], []
                while left > 0:
                    told = recommender.recommend(
                        features_of(table.past, i),
                        max(5 - len(observed), 1), observed=observed,  # a design of five, as in `fit`
                        seconds=left if rule == "gain per share" else None,
                    )  # fmt: skip
                    if not told:
                        break
                    place = table.past.configs.index(told[0].config)
                    left -= float(taken[place])
                    if left >= 0:
                        chosen.append(place)
                    observed.append((told[0].config, float(scores[place]) if left >= 0 else float("-inf")))
                end = regret(scores, chosen, max(len(chosen), 1))[-1] if chosen else 1.0
                found.setdefault((rule, budget), []).append(float(end))
    rows = []
    print("\nOboe: mean normalised regret when the budget is spent, in mean trials of the task")
    print(f"{'':30}" + "".join(f"{b:>22}" for b in budgets))
    for rule in TIME_RULES:
        values = [np.array(found[rule, b]) for b in budgets]
        spans = [interval(v, 0) for v in values]
        print(
            f"{rule:30}"
            + "".join(f"{f'{v.mean():.4f} [{s[0]:.3f} {s[1]:.3f}]':>22}" for v, s in zip(values, spans, strict=True))
        )
        rows.append({**facts_of(options, started, what="time"), "table": "oboe", "method": rule, "tasks": len(wanted),
                     "regret": {str(b): round(float(v.mean()), 5) for b, v in zip(budgets, values, strict=True)},
                     "interval": {str(b): [round(x, 5) for x in s]
                                  for b, s in zip(budgets, spans, strict=True)}})  # fmt: skip
    write(rows, options)


READY = """
import json, sys, time
started = time.perf_counter()
import numpy as np
from autometa.families import cash_space
from autometa.metafeatures import MetaFeatures
from autometa.transfer import AdaptivePortfolio
from autometa.store import MetaStore
imported = time.perf_counter()
past = MetaStore(sys.argv[1], read_only=True, immutable=True).past(kind="binary", metric="roc_auc")
space = cash_space("binary")
read = time.perf_counter()
adaptive = AdaptivePortfolio().fit(past, space)
ready = time.perf_counter()
seen = MetaFeatures(past.metafeature_names, past.metafeatures[0], past.metafeature_version, {})
found = adaptive.recommend(seen, 10)
answered = time.perf_counter()
adaptive.recommend(seen, 1, observed=[(r.config, float(i)) for i, r in enumerate(found)])
again = time.perf_counter()
print(json.dumps({"tasks": len(past.records), "configurations": len(past.configs), "torch": "torch" in sys.modules,
    "sklearn": "sklearn" in sys.modules, "import_s": imported - started, "read_s": read - imported,
    "fit_s": ready - read, "ten_recommendations_s": answered - ready, "next_with_ten_results_s": again - answered}))
"""


def ready(options: argparse.Namespace) -> None:
    """From the shipped file in fresh processes; and on 367 tasks x 60 configurations with half of the cells missing."""
    from autometa.store import TaskRecord

    started = time.perf_counter()
    runs = []
    for _ in range(2 if options.quick else 5):
        done = subprocess.run(
            [sys.executable, "-c", READY, str(options.store)], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    best = min(runs, key=lambda r: r["read_s"] + r["fit_s"])
    row: dict[str, Any] = {k: round(v, 4) if isinstance(v, float) else v for k, v in best.items()}
    print(f"shipped memory, best of {len(runs)} fresh processes: {row}")
    rng = np.random.default_rng(0)
    space = SearchSpace.of(x=_integers(60))
    scores = rng.random((367, 60))
    scores[rng.random(scores.shape) < 0.5] = np.nan
    records = tuple(TaskRecord(f"{i}", f"t{i}", "binary", "roc_auc", 100 + i, 5, 2) for i in range(367))
    names = tuple(f"f{i}" for i in range(58))
    past = PastTasks(
        records, tuple({"x": i} for i in range(60)), scores, rng.random((367, 60)), rng.random((367, 58)), names, "1"
    )
    times = []
    for _ in range(2 if options.quick else 5):
        before = time.perf_counter()
        adaptive = AdaptivePortfolio().fit(past, space)
        fitted = time.perf_counter()
        adaptive.recommend(MetaFeatures(names, rng.random(58), "1", {}), 1)
        times.append((fitted - before, time.perf_counter() - fitted))
    fit_s, answer_s = min(times)
    print(f"367 tasks x 60 configurations, half known: fit {fit_s:.3f} s, first recommendation {answer_s:.4f} s")
    row |= {"fit_367x60_s": round(fit_s, 4), "answer_367x60_s": round(answer_s, 5)}
    write([{**facts_of(options, started, what="ready"), **row}], options)


def _integers(m: int) -> Any:
    from autometa.space import integer

    return integer(0, m - 1, 0)


# the set encoder -----------------------------------------------------------------------------------------------------

COLUMNS_READ = 100  # of a table, at most
STATISTICS = 7  # of each column


def column_statistics(frame: Any, seed: int = 0) -> NDArray[np.float64]:  # (p, STATISTICS)
    """What a set encoder reads: each column of a table by itself and beside the target, the last one."""
    import pandas as pd

    frame = frame.sample(min(len(frame), 1000), random_state=seed)
    target = frame.iloc[:, -1]
    y = pd.Series(pd.factorize(target)[0] if target.dtype.kind not in "fi" else target.to_numpy()).rank().to_numpy()
    rows = []
    for name in frame.columns[:-1][:COLUMNS_READ]:
        column = frame[name]
        numeric = column.dtype.kind in "fib"
        x = column.to_numpy(dtype=float, na_value=np.nan) if numeric else pd.factorize(column)[0].astype(float)
        known = np.isfinite(x)
        if known.sum() < 3 or np.ptp(x[known]) == 0:
            continue
        z = (x[known] - x[known].mean()) / x[known].std()
        ranks = pd.Series(x[known]).rank().to_numpy()
        alike = abs(np.corrcoef(ranks, y[known])[0, 1]) if np.ptp(y[known]) > 0 else 0.0
        distinct = len(np.unique(x[known]))
        shape = np.clip((z**3).mean(), -5, 5), np.log((z**4).mean())
        counts = np.log(distinct), distinct / known.sum()
        rows.append([float(numeric), 1 - known.mean(), *counts, *shape, np.nan_to_num(alike)])
    return np.array(rows or [[0.0] * STATISTICS])


class SetEncoder:
    """Deep Sets (Zaheer et al., 2017) in NumPy: one hidden layer per column, their mean, and a linear map to scores.

    The pooled vector is the task's embedding; it is trained so that it tells how configurations stand.
    """

    def __init__(self, width: int = 32, steps: int = 400, decay: float = 10.0, seed: int = 0) -> None:
        self.width, self.steps, self.decay, self.seed = width, steps, decay, seed

    def _pooled(self, sets: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x = np.clip((np.concatenate(list(sets)) - self.centre) / self.scale, -3.0, 3.0)
        pool = np.zeros((len(sets), len(x)))
        start = 0
        for i, one in enumerate(sets):
            pool[i, start : start + len(one)] = 1 / len(one)
            start += len(one)
        return np.hstack([x, np.ones((len(x), 1))]), pool

    def fit(self, sets: Sequence[NDArray[np.float64]], normalised: NDArray[np.float64]) -> SetEncoder:
        """Adam on the squared error over measured cells (t, m), NaN elsewhere."""
        rng = np.random.default_rng(self.seed)
        every = np.concatenate(list(sets))
        self.centre, self.scale = every.mean(axis=0), every.std(axis=0) + 1e-9
        x, pool = self._pooled(sets)
        known = ~np.isnan(normalised)
        self.mean = np.where(known, normalised, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        rest = np.where(known, normalised - self.mean, 0.0)
        self.weights = [rng.normal(0, 1 / np.sqrt(x.shape[1]), (x.shape[1], self.width)),
                        np.zeros((self.width + 1, normalised.shape[1]))]  # fmt: skip
        first, second = ([np.zeros_like(w) for w in self.weights] for _ in range(2))
        for step in range(1, self.steps + 1):
            hidden = x @ self.weights[0]
            pooled = np.hstack([pool @ np.maximum(hidden, 0.0), np.ones((len(pool), 1))])
            error = np.where(known, pooled @ self.weights[1] - rest, 0.0) / known.sum()
            back = pool.T @ (error @ self.weights[1][:-1].T) * (hidden > 0)
            slopes = [x.T @ back, pooled.T @ error]
            for k, slope in enumerate(slopes):
                slope = slope + self.decay * self.weights[k] / known.sum()
                first[k] = 0.9 * first[k] + 0.1 * slope
                second[k] = 0.999 * second[k] + 0.001 * slope**2
                self.weights[k] -= 0.01 * (first[k] / (1 - 0.9**step)) / (np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8)
        return self

    def embed(self, sets: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:  # (t, width)
        """The pooled vectors."""
        x, pool = self._pooled(sets)
        return pool @ np.maximum(x @ self.weights[0], 0.0)

    def predict(self, sets: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:  # (t, m)
        """Expected normalised scores."""
        return self.mean + np.hstack([self.embed(sets), np.ones((len(sets), 1))]) @ self.weights[1]


def families_out(groups: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:  # groups: (t,)
    """Five folds of tasks to learn from and tasks to forecast, whole families on one side."""
    names = np.random.default_rng(0).permutation(np.unique(groups))
    for fold in range(5):
        out = np.isin(groups, names[fold::5])
        yield np.flatnonzero(~out), np.flatnonzero(out)


def forecast_scores(
    features: NDArray[np.float64], full: NDArray[np.float64], train: NDArray[np.intp], test: NDArray[np.intp]
) -> NDArray[np.float64]:  # (t, f), (t, m) -> (len(test), m)
    """The ranker's, from the features of tasks; the mean where they say nothing."""
    from autometa.transfer.ranker import Ranker
    from autometa.transfer.similarity import Similarity

    names = tuple(map(str, range(features.shape[1])))
    similarity = Similarity(features[train], names)
    ranker, mean = Ranker(similarity.ranks, full[train]), full[train].mean(axis=0)
    seen = [similarity.to(MetaFeatures(names, features[i], "", {})) for i in test]
    return np.array([mean if one is None else ranker.predict(one.ranks) for one in seen])


def embedding(options: argparse.Namespace) -> None:
    """A trained set encoder beside the meta-features: how well each forecasts families left out."""
    import pandas as pd

    from autometa.transfer.completion import complete
    from autometa.transfer.scale import normalised

    for table in collected(options.store):
        started = time.perf_counter()
        rows = [i for i in judged(table, options.half, options.least)
                if (options.data / "tabular" / f"{table.past.records[i].name}.parquet").exists()]  # fmt: skip
        rows = rows[: 30 if options.quick else None]
        sets = [
            column_statistics(pd.read_parquet(options.data / "tabular" / f"{table.past.records[i].name}.parquet"))
            for i in rows
        ]
        scores, features, groups = table.past.scores[rows], table.past.metafeatures[rows], table.groups[rows]
        z, full = normalised(scores), complete(normalised(scores))
        forecasts = {name: np.zeros_like(full) for name in ("mean", "meta-features", "set encoder", "both")}
        for train, test in families_out(groups):
            forecasts["mean"][test] = full[train].mean(axis=0)
            forecasts["meta-features"][test] = forecast_scores(features, full, train, test)
            encoded = [SetEncoder(seed=s).fit([sets[i] for i in train], z[train]).predict([sets[i] for i in test])
                       for s in range(3)]  # fmt: skip
            forecasts["set encoder"][test] = np.mean(encoded, axis=0)
        forecasts["both"] = (forecasts["meta-features"] + forecasts["set encoder"]) / 2
        measured = ~np.isnan(z)
        base = ((z - forecasts["mean"])[measured] ** 2).mean()
        written = []
        for name, forecast in forecasts.items():
            explained = 1 - ((z - forecast)[measured] ** 2).mean() / base
            first = np.argmax(np.where(measured, forecast, -np.inf), axis=1)
            regrets = np.array([regret(scores[k], [j], 1)[0] for k, j in enumerate(first)])
            low, high = interval(regrets, 0)
            print(f"{table.name:12}{name:16}{len(rows):5} tasks  explained {explained:6.3f}  regret of its first "
                  f"{regrets.mean():.4f} [{low:.3f} {high:.3f}]", flush=True)  # fmt: skip
            written.append({**facts_of(options, started, what="embedding"), "table": table.name, "method": name,
                            "tasks": len(rows), "explained": round(float(explained), 4),
                            "regret": {"1": round(float(regrets.mean()), 5)},
                            "interval": {"1": [round(low, 5), round(high, 5)]}})  # fmt: skip
        write(written, options)


# plots ---------------------------------------------------------------------------------------------------------------

COLOURS = ("#9ca3af", "#c2410c", "#4d7c0f", "#7c3aed", "#be185d", "#57534e", "#a16207", "#0f766e", "#1d4ed8", "#111827")


def plot(
    path: Path,
    title: str,
    lines: dict[str, list[tuple[float, float]]],
    x_title: str,
    y_title: str = "mean normalised regret",
    *,
    low: float = 0.0,
    log: bool = False,
) -> None:
    """A line chart as SVG, as large as its data; `log` spaces numbers of trials, tasks or rows by their logarithm."""
    from autometa.report.charts import Frame

    def across(x: float) -> float:
        return float(np.log10(x)) if log else x

    xs = [across(x) for points in lines.values() for x, _ in points]
    top = max(y for points in lines.values() for _, y in points)
    frame = Frame((min(xs), max(xs)), (low, top + 0.05 * (top - low)), x_title, y_title, right=190)
    if log:
        decades = max(xs) - min(xs) > 2  # then 3,162 is no place to name
        frame.x_text = lambda value, step: "" if decades and value % 1 else f"{10**value:,.0f}"
    for k, points in enumerate(lines.values()):
        frame.path([(across(x), y) for x, y in points], f"line-{k}")
    style = "text{font:12px sans-serif;fill:#444}.grid{stroke:#e5e5e5}.axis{stroke:#888}path{fill:none;stroke-width:2}"
    style += "".join(f".line-{k}{{stroke:{COLOURS[k % len(COLOURS)]}}}" for k in range(len(lines)))
    keys = "".join(
        f'<path d="M{frame.width - 180} {22 + 18 * k}h20" class="line-{k}"/>'
        f'<text x="{frame.width - 154}" y="{26 + 18 * k}">{name}</text>'
        for k, name in enumerate(lines)
    )
    svg = str(frame.svg(title)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    svg = svg.replace(">", f"><style>{style}</style><rect width='100%' height='100%' fill='#fff'/>", 1)
    path.write_text(svg.replace("</svg>", f"{keys}</svg>"), encoding="utf-8")
    print(f"wrote {path.name}")


def markdown(titles: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A table, and the empty line that ends it."""
    lines = [titles, ["---"] * len(titles), *rows]
    return ["| " + " | ".join("–" if cell is None else str(cell) for cell in line) + " |" for line in lines] + [""]


def replays(rows: Sequence[dict[str, Any]], table: str, tasks: int, against: str) -> list[str]:
    """One comparison: regret after each number of trials and its share of the static portfolio's, tests, harm."""
    found = {row["method"]: row for row in rows if row["table"] == table and row["tasks"] == tasks}
    ours = found["adaptive"]
    found = {name: row for name, row in found.items() if row["seconds"] == ours["seconds"]}  # of the same run
    static = found["static portfolio"]["regret"]
    body = [
        [name, *(f"{regret:.3f} ({regret / static[t]:.2f})" for t, regret in row["regret"].items())]
        for name, row in sorted(found.items(), key=lambda item: -item[1]["regret"]["5"])
    ]
    p = ours["p_against_portfolio" if against == "static portfolio" else "p_against_cold_tpe"]
    body.append([f"p of adaptive against {against}", *("< 1e-6" if p[t] < 1e-6 else f"{p[t]:.1g}" for t in static)])
    out = markdown(["method", *static], body)
    harm = {name: row["share_worse_by_more_than_0.02"].get(against, {}) for name, row in found.items()}
    harm = {name: shares for name, shares in harm.items() if shares}
    at = list(harm["adaptive"])
    ends = {name: found[name]["median_trial_at_which_cold_tpe_ends"] for name in harm}
    ended = against == "cold TPE"
    titles = [f"worse than {against} by more than .02", *(f"after {t}" for t in at)]
    shares = [
        [
            name,
            *(f"{share:.1%}" for share in row.values()),
            *([f"{ends[name]:g}".replace("inf", "never")] if ended else []),
        ]
        for name, row in harm.items()
    ]
    return out + markdown(titles + ["trial at which it ends, median"] * ended, shares)


def in_words() -> str:
    """The latest result of everything that was measured, as the documentation includes it."""
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in read_lines(RESULTS):
        key = ("what", "half", "table", "method", "family", "tasks", "past_tasks", "configurations")
        place = tuple(row.get(name) for name in key)
        latest.pop(place, None)  # the newest stand last
        latest[place] = row

    def of(what: str, half: str) -> list[dict[str, Any]]:
        return [row for row in latest.values() if (row["what"], row["half"]) == (what, half)]

    methods, kinds = of("methods", "report"), ("binary", "multiclass", "regression")
    judged = max(row["tasks"] for row in methods if row["table"] == "all kinds")
    last = next(row for row in reversed(methods) if (row["table"], row["method"]) == ("all kinds", "cold TPE"))
    newest = list(latest.values())[-1]
    out = [
        "# Warm starts, replayed on finished tables",
        "",
        f"By `python benchmarks/warm_start.py`, AutoMeta {newest['versions']['autometa']}, Optuna "
        f"{newest['versions']['optuna']}, {newest['machine'].partition(', load')[0]}. Mean normalised regret after "
        "so many trials; in brackets its share of the static portfolio's.",
        "",
        f"## Without a search: {judged} tasks",
        "",
        "`--half report --no-search`",
        "",
        *replays(methods, "all kinds", judged, "static portfolio"),
        "Adaptive by kind of task, as a share of the static portfolio's regret:",
        "",
    ]
    body = []
    for kind in kinds:
        tasks = max(row["tasks"] for row in methods if row["table"] == kind)
        of_kind = {row["method"]: row["regret"] for row in methods if (row["table"], row["tasks"]) == (kind, tasks)}
        ours, static = of_kind["adaptive"], of_kind["static portfolio"]
        body.append([kind, tasks, *(f"{ours[t] / static[t]:.2f}" for t in ("1", "3", "5", "10"))])
    out += markdown(["kind", "tasks", 1, 3, 5, 10], body)
    out += [f"## Beside cold TPE: {last['tasks']} tasks", "", "`--half report --most 30 --seeds 2`", ""]
    out += replays(methods, "all kinds", last["tasks"], "cold TPE")
    out += ["## By the number of past tasks", "", "`--half report --curve --most 30`: adaptive, after 5 trials", ""]
    curve = {(row["table"], row["past_tasks"]): row for row in of("curve", "report") if row["method"] == "adaptive"}
    curve = {key: row for key, row in curve.items() if row["tasks"] == max(r["tasks"] for r in curve.values())}
    counts = sorted({past for _, past in curve if all((kind, past) in curve for kind in kinds)})
    every = {kind: max(past for table, past in curve if table == kind) for kind in kinds}
    out += markdown(
        ["past tasks", *kinds],
        [[past, *(f"{curve[kind, past]['regret']['5']:.3f}" for kind in kinds)] for past in counts]
        + [["all", *(f"{curve[kind, every[kind]]['regret']['5']:.3f} ({every[kind]})" for kind in kinds)]],
    )
    out += ["## A hidden fifth of the memory", "", "`--holes`: root mean square error in normalised scores", ""]
    holes = list({row["table"]: row for row in of("holes", "all")}.values())
    out += markdown(
        ["imputed by", *(row["table"] for row in holes)],
        [
            [name, *(f"{row['error'][name]:.3f}" for row in holes)]
            for name in holes[0]["error"]
            if "deviations" not in name
        ],
    )
    out += ["## Configurations that one past task knows", "", "`--half validation --own`, 15 tasks of each kind", ""]
    own = {(row["method"], row["table"]): row["regret"] for row in of("own", "validation")}
    names = {
        "known by 1": "with them",
        "everybody's alone": "without",
        "known by 1, at their word": "counted like all others",
    }
    out += markdown(
        ["", *(f"{kind}, after {t}" for kind in kinds for t in (3, 10))],
        [
            [words, *(f"{own[name, kind][t]:.3f}" for kind in kinds for t in ("3", "10"))]
            for name, words in names.items()
        ],
    )
    boards = [row for row in methods if row["table"] == "oboe"]
    board = max(row["tasks"] for row in boards)
    out += [f"## Oboe: {board} tasks", "", "`--oboe --half report`", "", *replays(boards, "oboe", board, "cold TPE")]
    out += [
        "## What a model family is worth",
        "",
        "`--families`: loss of the best known score without it (1 = distance from best to lower quartile), mean over "
        "the memory's tables",
        "",
    ]
    from autometa.families import FAMILIES

    worth = {(row["family"], row["table"]): row["missed_without"] for row in of("families", "all")}
    ordered = sorted({family for family, _ in worth}, key=lambda family: -max(worth.get((family, k), 0) for k in kinds))
    out += markdown(
        ["family", *kinds],
        [
            [FAMILIES[family].label, *(f"{worth[family, k]:.3f}" if (family, k) in worth else None for k in kinds)]
            for family in ordered
        ],
    )
    out += ["## With and without two families", "", "`--without additive,discriminant --half HALF`", ""]
    both = [(half, row) for half in ("report", "validation") for row in of("without", half)]
    out += markdown(
        ["half, tasks", "", *both[0][1]["regret"]],
        [
            [f"{half}, {row['tasks']}", row["method"], *(f"{regret:.3f}" for regret in row["regret"].values())]
            for half, row in both
        ],
    )
    ready = of("ready", "all")[-1]
    out += ["## Until the first recommendation", "", "`--ready`, seconds in a fresh process, imports apart", ""]
    out += markdown(
        ["what", "seconds"],
        [
            [f"reading {ready['tasks']} tasks x {ready['configurations']} configurations", f"{ready['read_s']:.2f}"],
            ["fitting the recommender", f"{ready['fit_s']:.2f}"],
            ["fitting it on 367 tasks x 60 configurations", f"{ready['fit_367x60_s']:.2f}"],
        ],
    )
    return "\n".join(out).rstrip() + "\n"


def report(options: argparse.Namespace) -> None:
    """The last result of every table and method as plots, and as text."""
    RESULTS.with_suffix(".md").write_text(in_words(), encoding="utf-8")
    latest: dict[tuple[str, str, str], dict[str, Any]] = {}
    learned: dict[str, list[tuple[float, float]]] = {}
    for row in read_lines(RESULTS):
        if row.get("half") != options.half:
            continue
        latest[row["what"], row.get("table", ""), row.get("method", "")] = row
        if row["what"] == "curve" and row["method"] == "adaptive":
            points = learned.setdefault(row["table"], [])
            if points and row["past_tasks"] <= points[-1][0]:  # another run begins
                points.clear()
            points.append((row["past_tasks"], row["regret"]["5"]))
    if not latest:
        print(f"no results of --half {options.half} yet")
    shown = ("random", "cold TPE", "portfolio (5) + TPE", "best on average", "nearest tasks", "FLAML's rule",
             "static portfolio", "learned ranker", "adaptive")  # fmt: skip
    for name in ("all kinds", "oboe"):
        rows = {method: row for (what, table, method), row in latest.items() if (what, table) == ("methods", name)}
        lines = {m: [(k + 1, y) for k, y in enumerate(rows[m]["curve"][:25])] for m in shown if m in rows}
        if lines:
            place = RESULTS.parent / f"warm_start.{name.replace(' ', '_')}.svg"
            plot(place, f"Regret after each trial, {name}", lines, "trials", log=True)
    if learned:
        place = RESULTS.parent / "warm_start.past_tasks.svg"
        plot(place, "Regret after 5 trials by past tasks", learned, "past tasks", log=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=SHIPPED, help="an SQLite store (default: the shipped memory)")
    parser.add_argument("--oboe", action="store_true", help="the Oboe error matrix instead")
    parser.add_argument("--half", choices=("report", "validation", "all"), default="all")
    parser.add_argument("--least", type=int, default=10, help="configurations that a judged task must have")
    parser.add_argument("--seeds", type=int, default=3, help="of what is random")
    parser.add_argument("--most", type=int, help="tasks per table, drawn at random (default: all)")
    parser.add_argument(
        "--no-search", action="store_true", help="without cold TPE and portfolio + TPE: minutes, not hours"
    )
    flags = "ablation embedding curve holes own families time ready report quick no-record"
    for name in flags.split():
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--data", type=Path, default=FOLDER.parents[1] / "shared" / "data", help="for --embedding")
    parser.add_argument("--without", help="families of models, by commas")
    parser.add_argument("--only", default="", help="for --ablation: variants whose names hold one of these, by commas")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Optuna's experimental options

    if options.ready:
        ready(options)
    elif options.embedding:
        embedding(options)
    elif options.report:
        report(options)
    elif options.time:
        under_time(options)
    elif options.curve:
        curve(options)
    elif options.holes:
        holes(options)
    elif options.own:
        own(options)
    elif options.without:
        without(options)
    elif options.families:
        worth_of_families(options)
    elif options.ablation:
        parts = ["static portfolio", *options.only.split(",")]
        wanted = {n: make for n, make in ABLATIONS.items() if n == "adaptive" or any(part in n for part in parts)}
        compare(options, wanted, "ablation", search=False)
    else:
        compare(options, METHODS, "methods", search=not options.no_search)


if __name__ == "__main__":
    main()
