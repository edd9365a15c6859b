"""Large, grouped and time-ordered tables, simulated from real ones: what the shipped memory knows of such tables.

    python benchmarks/made_tables.py TABLES --catalog meta_db/tables.csv --out made

writes Parquet files and ``made/catalog.csv`` for `autometa collect`, whose column ``origin`` says *simulated* and whose
``family`` is that of the table each was made from, so that who leaves out a family leaves out all of it. Of the tables
at hand none has more than 50,000 rows, and few say which rows belong together or came first.

* *Large* (60 tables of 60,000 rows, from real ones of 4,000 rows and more): a row lies between a real row and one of
  its nearest neighbours (Chawla et al. 2002, SMOTE), each category and each gap is of either. The target is drawn from
  a teacher: a mixture, with weights drawn for each table, of boosted trees, extra trees and a linear model, each fitted
  on two thirds of the real rows at a time, at the temperature that is best on the others; of a number, the residuals of
  those others are its noise. So how hard the table is stays what it was, and no one family is right on all. Which
  rows are drawn drifts along one direction of the columns.
* *Grouped* (20 tables of 1,000 to 3,000 rows): neighbours along a random direction make groups of 5 to 60 rows. A group
  has an effect of its own on the target (half a standard deviation of a number; a share of the labels, a tenth on
  average, becomes the group's), and two columns tell it from others: what predicts known groups misleads on new ones.
* *Ordered* (20 tables, likewise): rows come in the order of a random direction and noise; the target moves with time by
  half a standard deviation or a quarter of its labels, and so do two of the columns.

    python benchmarks/made_tables.py --judge                the memory that ships, into results/made_tables.md

asks what such tasks are worth to the memory: for each made task, its family of data sets left out, the recommender's
first one, two and three of the configurations that were tried on it, and what each was expected to take; from all other
tasks, and from the real ones alone. A regret is what the best of the first so many lacks of the best that was tried,
as a share of the best's distance from the median; seconds are off by a factor, its geometric mean.

Letters:  n rows · p columns · c classes · k groups · m configurations.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from autometa.bench.results import read_lines
from autometa.collect import find_sources
from autometa.collect.sources import TableSource
from autometa.evaluation import predict_aligned
from autometa.families import build, cash_space, fit
from autometa.files import whole
from autometa.metafeatures import MetaFeatures
from autometa.space import SearchSpace, config_key
from autometa.store import MetaStore, PastTasks
from autometa.task import DEFAULT_METRICS, Task, read_task
from autometa.transfer import AdaptivePortfolio
from autometa.transfer.cost import Cost

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "made_tables.jsonl"
FEWEST = 4  # configurations that are to be told apart
TEACHERS = ("lightgbm", "extra_trees", "linear")
LARGE_FROM = 4_000  # rows of a real table that a large one is made from: fewer say little of what 60,000 would be like
MOST_LEARNED = 20_000  # rows that a teacher learns from
MOST_COLUMNS, MOST_CLASSES = 120, 30  # of a real table: beyond, an evaluation of 60,000 rows takes minutes
NEIGHBOURS = 5  # as SMOTE
FOLDS = 3


def coordinates(task: Task, rng: np.random.Generator, most: int = 30) -> NDArray[np.float64]:  # (n, d)
    """Rows as points: ranks of numbers, codes of categories in a random order, `most` columns at random."""
    X = task.X[list(task.columns.all)]
    chosen = rng.permutation(X.shape[1])[:most]
    columns = []
    for name in X.columns[chosen]:
        column = X[name]
        if name in task.columns.numeric:
            ranks = column.rank(pct=True).fillna(0.5).to_numpy(dtype=float)
        else:
            codes = column.astype("category").cat.codes.to_numpy()
            ranks = rng.permutation(codes.max() + 2)[codes] / (codes.max() + 2)
        columns.append(ranks - 0.5)
    return np.column_stack(columns)


class Teacher:
    """What the target of made rows is drawn from: a mixture of models of the real ones."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        """Fits the models of each fold, and finds the temperature or the residuals on the rows that it left out."""
        self.task, self.weights = task, rng.dirichlet(np.ones(len(TEACHERS)))
        fold_of = rng.permutation(task.n) % FOLDS
        self.models: list[list[Any]] = []
        held_out = np.zeros((task.n, task.c) if task.c else task.n)
        for fold in range(FOLDS):
            train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
            models = [self._fitted(family, train) for family in TEACHERS]
            held_out[test] = self._mixed(models, task.X.iloc[test])
            self.models.append(models)
        if task.kind == "regression":
            self.residuals = np.asarray(task.y, dtype=float) - held_out
        else:
            self.power = min(np.geomspace(0.3, 3.0, 25), key=lambda power: self._loss(held_out, power))

    def _fitted(self, family: str, rows: NDArray[np.intp]) -> Any:
        task = self.task
        config = cash_space(task.kind, [family]).default
        model = build(config, task.columns, task.kind, n_rows=len(rows), seed=0, threads=1)
        return fit(model, task.X.iloc[rows], task.y[rows])

    def _mixed(self, models: Sequence[Any], X: pd.DataFrame) -> NDArray[np.float64]:
        return sum(
            w * predict_aligned(model, X, self.task.kind, self.task.c)
            for w, model in zip(self.weights, models, strict=True)
        )  # type: ignore[return-value]

    def _loss(self, probabilities: NDArray[np.float64], power: float) -> float:
        tempered = _tempered(probabilities, power)
        return float(-np.log(tempered[np.arange(self.task.n), self.task.y]).mean())

    def draw(self, X: pd.DataFrame, near: NDArray[np.intp], rng: np.random.Generator) -> NDArray[Any]:  # (m,), (m,)
        """Targets for made rows; `near` are the real rows each was made from."""
        mixed = sum(self._mixed(models, X) for models in self.models) / FOLDS
        if self.task.kind == "regression":
            return np.asarray(mixed + self.residuals[near])
        levels = np.cumsum(_tempered(mixed, self.power), axis=1)
        codes = (rng.random(len(X))[:, None] > levels[:, :-1]).sum(axis=1)
        return np.asarray(self.task.classes, dtype=object)[codes]


def _tempered(probabilities: NDArray[np.float64], power: float) -> NDArray[np.float64]:  # (n, c)
    raised = np.clip(probabilities, 1e-6, 1.0) ** power
    return raised / raised.sum(axis=1, keepdims=True)


def large(task: Task, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """As many rows as asked for, between real ones, their targets from a teacher."""
    from sklearn.neighbors import NearestNeighbors

    task = task.sample(MOST_LEARNED, 0)
    points = coordinates(task, rng)
    near = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(points).kneighbors(points, return_distance=False)
    along = points @ rng.normal(size=points.shape[1])
    along = (along - along.mean()) / max(along.std(), 1e-12)
    first = np.concatenate([  # the drift: where rows are drawn from, in ten steps of time
        rng.choice(task.n, len(part), p=(w := np.exp(0.5 * (2 * k / 9 - 1) * along)) / w.sum())
        for k, part in enumerate(np.array_split(np.arange(rows), 10))
    ])  # fmt: skip
    second = near[first, rng.integers(1, NEIGHBOURS + 1, rows)]
    share = rng.random(rows)
    frame = {}
    for name in task.columns.all:
        cells, numeric = task.X[name], name in task.columns.numeric
        one, other = cells.iloc[first].reset_index(drop=True), cells.iloc[second].reset_index(drop=True)
        frame[name] = one.where(pd.Series(rng.random(rows) > share), other)
        if numeric:
            a, b = one.to_numpy(dtype=float), other.to_numpy(dtype=float)
            between = a + share * (b - a)
            whole = bool((cells.dropna() % 1 == 0).all()) and cells.nunique() < LARGE_FROM
            between = np.round(between) if whole else between
            frame[name] = np.where(np.isfinite(between), between, frame[name].to_numpy(dtype=float))
    X = pd.DataFrame(frame)
    X = X.astype({name: task.X[name].dtype for name in X.columns if name not in task.columns.numeric})
    return X.assign(target=Teacher(task, rng).draw(X, first, rng))


def moved(
    task: Task, effect: NDArray[np.float64], share: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[Any]:
    """The target with an effect added, in half standard deviations; of classes, that share of rows gets another label.

    The label is the one that the effect names: classes in the order of their codes lie between -2 and 2.
    """
    if task.kind == "regression":
        return np.asarray(task.y, dtype=float) + 0.5 * float(np.std(task.y)) * effect
    named = np.clip(((effect + 2) / 4 * task.c).astype(int), 0, task.c - 1)
    codes = np.where(rng.random(task.n) < share, named, task.y)
    return np.asarray(task.classes, dtype=object)[codes]


def grouped(task: Task, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """A sample whose rows belong to groups with effects of their own."""
    task = task.sample(rows, 0)
    points = coordinates(task, rng)
    along = points @ rng.normal(size=points.shape[1])
    along = along + 0.3 * along.std() * rng.normal(size=task.n)
    sizes = rng.integers(5, 61, task.n)
    group = np.empty(task.n, dtype=int)
    group[np.argsort(along)] = np.repeat(np.arange(task.n), sizes)[: task.n]
    k = group.max() + 1
    effect = rng.normal(size=k)
    level = rng.normal(size=(k, 2))
    y = moved(task, effect[group], rng.beta(1, 9, size=k)[group], rng)
    levels = {f"site_{j + 1}": level[group, j] + 0.05 * rng.normal(size=task.n) for j in (0, 1)}
    return task.X.assign(**levels, site=np.char.add("site ", group.astype(str)), target=y)


def ordered(task: Task, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """A sample in an order of time, along which target and columns move."""
    task = task.sample(rows, 0)
    points = coordinates(task, rng)
    along = points @ rng.normal(size=points.shape[1])
    place = np.argsort(np.argsort(along + along.std() * rng.normal(size=task.n))) / task.n  # 0 the first, 1 the last
    y = moved(task, 2 * place - 1, 0.25 * place, rng)
    X = task.X.copy()
    for name in list(rng.permutation(list(task.columns.numeric)))[:2]:
        X[name] = X[name] + 0.5 * float(X[name].std()) * place
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(place * 1000 * 24), unit="h")
    return X.assign(day=day, target=y).iloc[np.argsort(place)].reset_index(drop=True)


Maker = Callable[[Task, int, np.random.Generator], pd.DataFrame]
KINDS: dict[str, tuple[Maker, dict[str, str]]] = {  # what is made -> by what, and the roles of its columns
    "large": (large, {}),
    "grouped": (grouped, {"group": "site"}),
    "ordered": (ordered, {"time_order": "day"}),
}


def suits(task: Task, kind: str) -> bool:
    """Whether a table of a kind can be made from a real one."""
    least = LARGE_FROM if kind == "large" else 1_000
    return task.n >= least and 3 <= task.p <= MOST_COLUMNS and task.c <= MOST_CLASSES and len(task.columns.numeric) >= 2


def make(sources: Sequence[TableSource], kind: str, number: int, rows: int, out: Path) -> list[dict[str, str]]:
    """Writes up to `number` tables of a kind, at most two of a family; what is there already is left as it is."""
    maker, roles = KINDS[kind]
    order = np.random.default_rng(len(kind)).permutation(len(sources))
    made: list[dict[str, str]] = []
    of_family: Counter[str] = Counter()
    for index in order:
        source = sources[index]
        name, family = source.path.stem, source.family or source.path.stem
        file = out / f"{name}-{kind}.parquet"
        if len(made) == number or of_family[family] == 2:
            continue
        if not file.exists():
            task = read_task(source.path)
            if not suits(task, kind):
                continue
            rng = np.random.default_rng([index, len(kind)])
            size = rows if kind == "large" else int(rng.integers(1_000, min(task.n, 3_000) + 1))
            with whole(file) as temporary:
                maker(task, size, rng).to_parquet(temporary)
            print(f"{len(made) + 1}/{number} {file.name}", flush=True)
        of_family[family] += 1
        made.append({"name": file.stem, "family": family, "openml_id": "", "origin": "simulated", **roles})
    return made


def judged(store: MetaStore) -> list[dict[str, Any]]:
    """What the memory says of every made task, with other made tasks in it and without."""
    lines = []
    for kind, metric in DEFAULT_METRICS.items():
        whole, space = store.past(kind=kind, metric=metric), cash_space(kind)
        real = np.array([record.source != "simulated" for record in whole.records])
        for t in np.flatnonzero(~real):
            record = whole.records[t]
            tried = np.isfinite(whole.scores[t]) & (whole.seconds[t] > 0)
            if tried.sum() < FEWEST or record.metafeatures is None:
                continue
            scores, seconds = whole.scores[t, tried], np.log(whole.seconds[t, tried])
            others = np.array([other.family != record.family for other in whole.records])
            line: dict[str, Any] = {"table": record.name, "rows": record.n_rows, "family": record.family, "kind": kind}
            for name, kept in (("all", others), ("real", others & real)):
                past = part(whole, kept, tried)
                expected = np.log(Cost.learned(past.records, past.configs, past.seconds).of(record.metafeatures))
                line[name] = {"regret": regrets(past, space, record.metafeatures, scores),
                              "off": round(float(np.abs(expected - seconds).mean()), 4)}  # fmt: skip
            lines.append(line)
    return lines


def regrets(
    past: PastTasks, space: SearchSpace, metafeatures: MetaFeatures, scores: NDArray[np.float64]
) -> list[float]:  # scores: (m,), of the configurations of `past` on the task that is asked for
    """What the best of the first one, two and three recommended lacks of the best, in spreads; 1 at most."""
    first = AdaptivePortfolio().fit(past, space).recommend(metafeatures, 3)
    place = {config_key(config): k for k, config in enumerate(past.configs)}
    found = [scores[place[config_key(one.config)]] for one in first if config_key(one.config) in place]
    spread = max(scores.max() - np.median(scores), 1e-12)
    lacking = [float((scores.max() - max(found[:k])) / spread) for k in (1, 2, 3)] if found else [1.0] * 3
    return [round(min(one, 1.0), 4) for one in lacking]


def part(past: PastTasks, tasks: NDArray[np.bool_], configs: NDArray[np.bool_] | None = None) -> PastTasks:
    """Some tasks (t,) and some configurations (m,), or all of these."""
    configs = np.ones(len(past.configs), dtype=bool) if configs is None else configs
    return replace(
        past,
        records=tuple(record for record, keep in zip(past.records, tasks, strict=True) if keep),
        configs=tuple(config for config, keep in zip(past.configs, configs, strict=True) if keep),
        scores=past.scores[np.ix_(tasks, configs)],
        seconds=past.seconds[np.ix_(tasks, configs)],
        metafeatures=past.metafeatures[tasks],
    )


def report() -> str:
    """A line for each kind of made task."""
    text = ["# made_tables.py", "", "Regret after one, two and three configurations; seconds off by."]
    text += ["", "| made | tasks | all others know | real ones alone | p | seconds, all | real ones |"]
    text += ["|---|---|---|---|---|---|---|"]
    lines = read_lines(RESULTS)
    for kind in KINDS:
        of_kind = [line for line in lines if line["table"].endswith(f"-{kind}")]
        for rows in sorted({line["rows"] for line in of_kind}) if kind == "large" else (None,):
            some = [line for line in of_kind if rows in (None, line["rows"])]
            if not some:
                continue
            compared = in_cells(*([line[name]["regret"] for line in some] for name in ("all", "real")))
            off = [f"{np.exp(np.mean([line[name]['off'] for line in some])):.2f}" for name in ("all", "real")]
            title = kind if rows is None else f"{kind}, {rows:,} rows"
            text.append(f"| {title} | {len(some)} | {compared} | {off[0]} | {off[1]} |")
    return "\n".join([*text, ""])


def in_cells(these: Sequence[Sequence[float]], those: Sequence[Sequence[float]]) -> str:
    """Two means of `regrets` of the same tasks, (t, 3) each, and the p of their difference, as cells of a table."""
    means = [" ".join(f"{one:.3f}".removeprefix("0") for one in np.mean(some, axis=0)) for some in (these, those)]
    gained = np.mean(those, axis=1) - np.mean(these, axis=1)
    p = wilcoxon(gained).pvalue if np.any(gained) else 1.0
    return f"{means[0]} | {means[1]} | {p:.2g}"


def main() -> None:
    """Makes what is asked for, or judges it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="?", help="folder of real tables")
    parser.add_argument("--judge", action="store_true", help="what the tasks are worth to the memory")
    parser.add_argument("--store", type=Path, default=REPOSITORY / "meta_db" / "memory.db", help="with --judge")
    parser.add_argument("--catalog", type=Path, help="CSV with columns name and family, as for `autometa collect`")
    parser.add_argument("--out", type=Path, help="folder for what is made")
    parser.add_argument("--rows", type=int, default=60_000, help="of a large table (default 60,000)")
    for kind, number in (("large", 60), ("grouped", 20), ("ordered", 20)):
        parser.add_argument(f"--{kind}", type=int, default=number, help=f"{kind} tables (default {number})")
    asked = parser.parse_args()
    if asked.judge:
        lines = judged(MetaStore(asked.store))
        RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    if asked.tables is None or asked.out is None:
        parser.error("name a folder of tables and one for what is made, or --judge")
    asked.out.mkdir(parents=True, exist_ok=True)
    sources = find_sources([asked.tables], asked.catalog)
    catalog = [row for kind in KINDS for row in make(sources, kind, getattr(asked, kind), asked.rows, asked.out)]
    with (asked.out / "catalog.csv").open("w", newline="", encoding="utf-8") as file:
        columns = ("name", "family", "openml_id", "origin", "group", "time_order")
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(catalog)


if __name__ == "__main__":
    main()
