"""Does the memory help when every past study went its own way, and more than what people do by hand?

    python benchmarks/own_studies.py                        every space; may be stopped and started again
    python benchmarks/own_studies.py --quick                two new studies on two spaces, ten trials
    python benchmarks/own_studies.py --spaces lcbench --methods warm enqueue tpe --past 5 20
    python benchmarks/own_studies.py --half validation      the tasks on which constants are chosen, to another file
    python benchmarks/own_studies.py --report               results/own_studies.md from the cells measured so far

Only the public interface is used. A task of a published table becomes a function of its configurations: a forest of
extremely randomised trees, fitted on the table's results of that task. Past studies are other tasks of the table, none
of the same data set, each tried by Optuna's TPE or at random (by turns) for 20 to 100 trials of its own, and kept by
`remember_study`; no two share a configuration. A new study then runs under each method:

    warm      `WarmStartSampler` over the store that holds the past studies
    enqueue   TPE, after `enqueue_trial` of the best configuration of every past study, in a random order
    tpe       Optuna's TPE, cold
    gp        Optuna's GPSampler, cold
    random    random search

Reported is the regret of the incumbent, 0 for the best of 20,000 random configurations and the table's, 1 for the
median random configuration, after 1, 3, 5, 10, 25, 50 and 100 trials, with bootstrap intervals over tasks, Wilcoxon's
test of `warm` against each other method (Holm over methods and trials), and the share of tasks on which `warm` is
worse than cold TPE by more than .02. `--pasts` chooses what the past is like: `plain`; `flipped`, where each past study
minimised what the new one maximises; `changed`, where each past study knew a narrower range of half of its numbers.

Letters:  t tasks · m configurations · d encoded dimensions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution, IntDistribution
from surrogate import DATA, RESULTS, TABLES, Table, stamp

import autometa
from autometa.bench.ranking import holm
from autometa.bench.results import read_lines
from autometa.space import Parameter, SearchSpace, integer, real

AT = (1, 3, 5, 10, 25, 50, 100)
SEED = 21  # of the halves, of trajectories and of the functions
RANDOM = 20_000  # configurations that say what is best and what is usual
LENGTHS = (20, 100)  # trials of a past study
NEW = 20  # new studies on each space, at most
HARM = 0.02
METHODS = ("random", "tpe", "gp", "enqueue", "warm")
PASTS = ("plain", "flipped", "changed")


def nap_xgb() -> Table:
    """NAP's tables of XGBoost: other configurations on each task. Its values are read as losses (see its README)."""
    import pandas as pd

    frame = pd.read_parquet(DATA / "nap_hpobench_xgb" / "evaluations.parquet")
    ranges = {"x0": (0.05, 1, False), "x1": (0.05, 1, False), "x2": (1e-5, 1, True), "x3": (0.05, 10, True),
              "x4": (1e-5, 2, True), "x5": (1e-5, 2, True)}  # fmt: skip
    space = SearchSpace.of(**{n: real(low, high, (low + high) / 2, log=log) for n, (low, high, log) in ranges.items()})
    frame = frame.sort_values("task_id", kind="stable")
    configs = tuple(space.clip(row)[0] for row in frame[list(ranges)].astype(float).to_dict("records"))
    tasks = sorted(frame["task_id"].unique())
    scores = np.full((len(tasks), len(frame)), np.nan)
    for row, task in enumerate(tasks):
        own = (frame["task_id"] == task).to_numpy()
        scores[row, own] = -frame["metric_value"].to_numpy(float)[own]
    x, mask = space.encode_all(configs)
    return Table("nap_xgb", space, configs, scores, np.full(scores.shape, np.nan), np.array(tasks), x, mask)


SPACES: dict[str, Callable[[], Table]] = {
    **{name: TABLES[name] for name in ("rbv2_xgboost", "rbv2_rpart", "lcbench", "hpobench_mlp", "hpolib_fcnet")},
    "nap_xgb": nap_xgb,
}


@cache
def table_of(space: str) -> Table:
    """Read once per process."""
    return SPACES[space]()


@cache
def function_of(space: str, task: int) -> tuple[Any, float, float]:
    """A task as a function of encoded configurations: the model, its best and its median over random configurations."""
    from sklearn.ensemble import ExtraTreesRegressor

    table = table_of(space)
    known = np.isfinite(table.scores[task])
    inputs = np.hstack([table.x, table.mask])[known]
    model = ExtraTreesRegressor(100, random_state=SEED, n_jobs=1).fit(inputs, table.scores[task, known])
    random = random_inputs(space)
    values = model.predict(random)
    return model, float(max(values.max(), table.scores[task, known].max())), float(np.median(values))


@cache
def random_inputs(space: str) -> NDArray[np.float64]:
    """(20000, 2 d) encoded random configurations and their masks."""
    encoded = table_of(space).space
    rng = np.random.default_rng([SEED, 1])
    x, mask = encoded.encode_all([encoded.sample(rng) for _ in range(RANDOM)])
    return np.hstack([x, mask])


def objective_of(space: str, task: int, *, sign: float = 1.0, narrow: int | None = None) -> Callable[[Any], float]:
    """What a study of the task maximises; `narrow` is the seed of the narrower ranges of a changed space."""
    whole = table_of(space).space
    asked = whole if narrow is None else narrowed(whole, narrow)
    model, *_ = function_of(space, task)

    def objective(trial: Any) -> float:
        x, mask = whole.encode_all([asked.suggest(trial)])
        return sign * float(model.predict(np.hstack([x, mask]))[0])

    return objective


def narrowed(space: SearchSpace, seed: int) -> SearchSpace:
    """Half of the numbers have a range of two thirds of the width."""
    rng, parameters = np.random.default_rng([SEED, 2, seed]), []
    for p in space:
        distribution: Any = p.distribution
        if isinstance(distribution, (FloatDistribution, IntDistribution)) and rng.random() < 0.5:
            ends = np.array([distribution.low, distribution.high], dtype=float)
            ends = np.log(ends) if distribution.log else ends
            start = ends[0] + rng.uniform(0, 1 / 3) * (ends[1] - ends[0])
            low, high = start, start + 2 / 3 * (ends[1] - ends[0])
            low, high = (np.exp(low), np.exp(high)) if distribution.log else (low, high)
            if isinstance(distribution, IntDistribution):
                low, high = int(np.ceil(low)), max(int(high), int(np.ceil(low)))
            make = integer if isinstance(distribution, IntDistribution) else real
            distribution, default = make(low, high, min(max(p.default, low), high), log=distribution.log)
            p = Parameter(p.name, distribution, default, p.when)
        parameters.append(p)
    return SearchSpace(parameters)


@cache
def past_study(space: str, task: int, past: str) -> optuna.Study:
    """One past study: 20 to 100 trials of its own, by TPE or at random."""
    rng = np.random.default_rng([SEED, 3, task])
    trials, seed = int(rng.integers(*LENGTHS, endpoint=True)), int(rng.integers(2**31))
    sampler: Any = (
        optuna.samplers.TPESampler(seed=seed) if rng.random() < 0.5 else optuna.samplers.RandomSampler(seed=seed)
    )
    sign, narrow = (-1.0 if past == "flipped" else 1.0), (task if past == "changed" else None)
    study = optuna.create_study(study_name=f"{space}-{task}", direction="maximize", sampler=sampler)
    study.optimize(objective_of(space, task, sign=sign, narrow=narrow), n_trials=trials)
    return study


def halves(table: Table) -> dict[str, NDArray[np.int64]]:
    """New studies to choose constants on and to report: whole data sets, once, by seed."""
    names = np.random.default_rng(SEED).permutation(np.unique(table.groups))
    chosen = names[: len(names) // 2]
    inside = np.isin(table.groups, chosen)
    return {"validation": np.flatnonzero(inside)[:NEW], "report": np.flatnonzero(~inside)[:NEW]}


def sampler_of(method: str, store: Any, seed: int) -> optuna.samplers.BaseSampler:
    """The sampler of a method."""
    if method == "warm":
        return autometa.WarmStartSampler(store, "own", seed=seed, learn=False)
    if method == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed) if method == "random" else optuna.samplers.TPESampler(seed=seed)


@dataclass(frozen=True, slots=True)
class Cell:
    """One new task with one past: every method plays it."""

    space: str
    task: int
    past: str
    count: int
    seed: int
    methods: tuple[str, ...]
    trials: int

    def key(self, method: str) -> str:
        """What says whether it was measured."""
        return f"{self.space} {self.task} {self.past} {self.count} {self.seed} {method} {self.trials}"


def measure(cell: Cell) -> list[dict[str, Any]]:
    """Every method on one new task."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table = table_of(cell.space)
    others = np.flatnonzero(table.groups != table.groups[cell.task])
    rng = np.random.default_rng([SEED, 4, cell.task, cell.seed])
    chosen = rng.permutation(others)[: cell.count]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        store, bests = autometa.MetaStore(Path(folder) / "own.db"), []
        for task in chosen:
            study = past_study(cell.space, int(task), cell.past)
            autometa.remember_study(study, store, "own")
            bests.append(study.best_params)
        _, best, usual = function_of(cell.space, cell.task)
        for method in cell.methods:
            seed = zlib.crc32(f"{cell.space} {cell.task} {cell.seed}".encode())
            study = optuna.create_study(direction="maximize", sampler=sampler_of(method, store, seed))
            for config in bests if method == "enqueue" else []:
                study.enqueue_trial(config, skip_if_exists=True)
            study.optimize(objective_of(cell.space, cell.task), n_trials=cell.trials)
            values = np.maximum.accumulate([t.value for t in study.trials])
            regret = (best - values) / max(best - usual, 1e-12)
            took = [(t.datetime_complete - t.datetime_start).total_seconds() for t in study.trials]
            lines.append(
                {
                    "cell": cell.key(method), "space": cell.space, "task": cell.task, "past": cell.past,
                    "studies": len(chosen), "count": cell.count, "seed": cell.seed, "method": method,
                    "regret": [round(float(r), 6) for r in regret], "seconds": round(float(np.sum(took)), 2),
                }
            )  # fmt: skip
    return lines


# --------------------------------------------------------------------------------------------------------- report


def report(lines: list[dict[str, Any]], half: str) -> str:
    """The tables, as Markdown."""
    from scipy.stats import wilcoxon

    found: dict[tuple[str, int, str], dict[str, dict[tuple[str, int], NDArray[np.float64]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for line in lines:
        group, task = (line["past"], line["count"], line["space"]), (line["space"], line["task"])
        for one in (group, (*group[:2], "all spaces")):
            runs = found[one][line["method"]]
            runs[task] = np.array(line["regret"]) if task not in runs else (runs[task] + line["regret"]) / 2
    command = "python benchmarks/own_studies.py" + (f" --half {half}" if half != "report" else "")
    out = [
        "# Past studies that each went their own way\n",
        f"By `{command}`. Mean regret of the incumbent [95 %], 0 the best, 1 the median random configuration;",
        "* differs from `warm` (Wilcoxon over tasks, Holm, p < .05).\n",
    ]
    for (past, count, space), methods in sorted(found.items()):
        tasks = sorted(set.intersection(*(set(runs) for runs in methods.values())))
        if len(tasks) < 2:
            continue
        at = [t for t in AT if t <= min(len(r) for runs in methods.values() for r in runs.values())]
        values = {m: np.array([[runs[t][a - 1] for a in at] for t in tasks]) for m, runs in methods.items()}
        pairs = [(m, k) for m in values if m != "warm" for k in range(len(at))] if "warm" in values else []
        p = [float(wilcoxon(values["warm"][:, k], values[m][:, k], zero_method="zsplit").pvalue) for m, k in pairs]
        apart = {pair for pair, value in zip(pairs, holm(p) if p else [], strict=True) if value < 0.05}
        out += [f"## {space}, {past} past, {count} studies: {len(tasks)} tasks", "",
                "| after trials | " + " | ".join(map(str, at)) + " |", "|---|" + "---|" * len(at)]  # fmt: skip
        for method in [m for m in METHODS if m in values]:
            cells = [
                f"{values[method][:, k].mean():.3f}{'*' * ((method, k) in apart)} {interval(values[method][:, k])}"
                for k in range(len(at))
            ]
            out.append(f"| {method} | " + " | ".join(cells) + " |")
        if {"warm", "tpe"} <= set(values):
            worse = (values["warm"] > values["tpe"] + HARM).mean(axis=0)
            out.append(f"| warm worse than tpe by > {HARM} | " + " | ".join(f"{100 * w:.0f} %" for w in worse) + " |")
        out.append("")
    return "\n".join(out)


def interval(values: NDArray[np.float64]) -> str:
    """The 95 % bootstrap interval of a mean."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"[{low:.3f}, {high:.3f}]"


def cells(arguments: argparse.Namespace) -> Iterator[Cell]:
    """What is asked for, the first seeds first."""
    for seed in range(arguments.seeds):
        for past in arguments.pasts:
            for count in arguments.past:
                for space in arguments.spaces:
                    tasks = halves(table_of(space))[arguments.half][: arguments.most]
                    for task in tasks:
                        yield Cell(space, int(task), past, count, seed, tuple(arguments.methods), arguments.trials)


def main() -> None:
    """Measures what is not measured yet, and writes the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["tpe", "enqueue", "warm"])
    parser.add_argument("--pasts", nargs="+", choices=PASTS, default=["plain"])
    parser.add_argument("--past", nargs="+", type=int, default=[20], help="past studies; as many as there are, at most")
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--most", type=int, default=NEW, help="new studies on each space")
    parser.add_argument("--half", choices=["report", "validation"], default="report")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.spaces, arguments.most, arguments.trials, arguments.past = ["lcbench", "hpobench_mlp"], 2, 10, [5]
    suffix = "-quick" if arguments.quick else "-validation" if arguments.half == "validation" else ""
    path = RESULTS / f"own_studies{suffix}.jsonl"
    lines = read_lines(path) if path.exists() else []
    if not arguments.report:
        known = {line["cell"] for line in lines}
        left = []
        for cell in cells(arguments):
            methods = tuple(m for m in cell.methods if cell.key(m) not in known)
            if methods:
                left.append(Cell(cell.space, cell.task, cell.past, cell.count, cell.seed, methods, cell.trials))
        with path.open("a", encoding="utf-8") as file, ProcessPoolExecutor(arguments.jobs) as pool:
            for number, found in enumerate(pool.map(measure, left), start=1):
                for line in found:
                    file.write(json.dumps({**line, **stamp()}) + "\n")
                file.flush()
                ends = ", ".join(f"{line['method']} {line['regret'][-1]:.3f}" for line in found)
                print(f"{number}/{len(left)} {found[0]['space']} task {found[0]['task']}: {ends}", flush=True)
    text = report(read_lines(path), arguments.half)
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
