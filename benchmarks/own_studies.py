"""Does the memory help when every past study went its own way, and more than what people do by hand?

    python benchmarks/own_studies.py                        every space; may be stopped and started again
    python benchmarks/own_studies.py --quick                two new studies on two spaces, ten trials
    python benchmarks/own_studies.py --spaces lcbench --methods warm enqueue tpe --past 5 20 50 100
    python benchmarks/own_studies.py --half validation      the tasks on which constants are chosen, to another file
    python benchmarks/own_studies.py --again warm           forgets what was measured of a method, and measures it
    python benchmarks/own_studies.py --report               results/own_studies.md from the cells measured so far

Only the public interface is used. The tasks are those of `own_tasks.py`: published tables as functions. Past studies
are other tasks of the table, none of the same data set, each tried for 20 to 100 trials of its own, and kept by
`remember_study`. A new study then runs under each method:

    warm         `WarmStartSampler` over the store that holds the past studies
    enqueue      TPE, after `enqueue_trial` of the best configuration of every past study, in a random order
    best first   the same in the order of what each adds by what the other past studies' interpolations say of it
    tpe          Optuna's TPE, cold
    tpe again    the same from another seed: what chance alone makes of a comparison
    gp           Optuna's GPSampler, cold
    random       random search
    rgpe tst fsbo cts gcp metalearntpe   after papers: `own_methods.py`

Reported is the regret of the incumbent, 0 for the best of 20,000 random configurations and the table's, 1 for the
median random configuration, after 1, 3, 5, 10, 25, 50 and 100 trials, with bootstrap intervals over tasks, Wilcoxon's
test of `warm` against each other method on the tasks that both played (Holm over methods and trials), the share of
tasks on which `warm` is worse than cold TPE by more than .02, and what has been set as the goal.

Letters:  t tasks · m configurations.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
import zlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from own_known import Known, Tried
from own_methods import OWN_METHODS
from own_tasks import PASTS, SEED, SPACES, PastStudy, objective_of, past_study, scale_of, table_of
from surrogate import RESULTS, Table, stamp

import autometa
from autometa.bench.ranking import holm
from autometa.bench.results import read_lines
from autometa.bench.run import revision

AT = (1, 3, 5, 10, 25, 50, 100)
NEW = 20  # new studies on each space, at most
HARM = 0.02
METHODS = ("random", "tpe", "tpe again", "gp", *OWN_METHODS, "enqueue", "best first", "warm")


def halves(table: Table) -> dict[str, NDArray[np.int64]]:
    """New studies to choose constants on and to report: whole data sets, once, by seed."""
    names = np.random.default_rng(SEED).permutation(np.unique(table.groups))
    chosen = names[: len(names) // 2]
    inside = np.isin(table.groups, chosen)
    return {"validation": np.flatnonzero(inside)[:NEW], "report": np.flatnonzero(~inside)[:NEW]}


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

    @property
    def others(self) -> list[int]:
        """The past tasks: of other data sets, the same for every method."""
        groups = table_of(self.space).groups
        rng = np.random.default_rng([SEED, 4, self.task, self.seed])
        chosen = rng.permutation(np.flatnonzero(groups != groups[self.task]))[: self.count]
        return [int(task) for task in chosen]


@cache
def tried(space: str, task: int, past: str) -> Tried:
    """A past study as the methods after papers see it; what they learn of it alone is learned once per process."""
    found = past_study(space, task, past)
    return Tried(table_of(space).space, found.configs, found.values)


def prepared(
    method: str, cell: Cell, past: list[PastStudy], folder: Path, seed: int
) -> tuple[Any, list[dict[str, Any]]]:
    """The sampler of a method, and what is enqueued before."""
    if method == "warm":
        store = autometa.MetaStore(folder / "own.db")
        for found in past:
            autometa.remember_study(found.study(), store, "own")
        return autometa.WarmStartSampler(store, "own", seed=seed, learn=False), []
    if method == "random":
        return optuna.samplers.RandomSampler(seed=seed), []
    if method == "gp":
        return optuna.samplers.GPSampler(seed=seed), []
    cold = optuna.samplers.TPESampler(seed=seed + (method == "tpe again"))
    if method in ("tpe", "tpe again"):
        return cold, []
    if method == "enqueue":
        return cold, [found.best for found in past]
    known = Known(table_of(cell.space).space, [tried(cell.space, task, cell.past) for task in cell.others])
    return (cold, known.best_first) if method == "best first" else (OWN_METHODS[method](known, seed), [])


def measure(cell: Cell) -> list[dict[str, Any]]:
    """Every method on one new task."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    best, usual = scale_of(cell.space, cell.task)
    past = [past_study(cell.space, task, cell.past) for task in cell.others]
    seed = zlib.crc32(f"{cell.space} {cell.task} {cell.seed}".encode())
    lines = []
    for method in cell.methods:
        used = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            sampler, first = prepared(method, cell, past, Path(folder), seed)
            study = optuna.create_study(direction="maximize", sampler=sampler)
            for config in first[: cell.trials]:
                study.enqueue_trial(config, skip_if_exists=True)
            begun = time.process_time()
            study.optimize(objective_of(cell.space, cell.task), n_trials=cell.trials)
        values = np.maximum.accumulate([t.value for t in study.trials])
        regret = (best - values) / max(best - usual, 1e-12)
        lines.append(
            {
                "cell": cell.key(method), "space": cell.space, "task": cell.task, "past": cell.past,
                "studies": len(cell.others), "count": cell.count, "seed": cell.seed, "method": method,
                "regret": [round(float(r), 6) for r in regret],
                "learn_cpu_s": round(begun - used, 2), "trials_cpu_s": round(time.process_time() - begun, 2),
            }
        )  # fmt: skip
    return lines


# --------------------------------------------------------------------------------------------------------- report


Runs = dict[str, dict[tuple[str, int], NDArray[np.float64]]]  # method -> (space, task) -> regret, mean over seeds


def report(lines: list[dict[str, Any]], half: str) -> str:
    """The tables, as Markdown."""
    found: dict[tuple[str, int, str], dict[str, dict[tuple[str, int], list[Any]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    last = {line["cell"]: line for line in lines}  # the last of a cell counts
    commits = sorted({line.get("revision", "unknown") for line in last.values() if line["method"] == "warm"})
    for line in last.values():
        group, task = (line["past"], line["count"], line["space"]), (line["space"], line["task"])
        for one in (group, (*group[:2], "all spaces")):
            found[one][line["method"]][task].append(line["regret"])
    command = "python benchmarks/own_studies.py" + (f" --half {half}" if half != "report" else "")
    out = [
        "# Past studies that each went their own way",
        "",
        f"By `{command}`. Mean regret of the incumbent [95 %], 0 the best, 1 the median random configuration;",
        "* differs from `warm` (Wilcoxon over tasks, Holm, p < .05). A method that played fewer tasks says how many.",
        f"`warm` is that of {', '.join(commits) or 'no revision yet'}.",
        "",
    ]
    tables: list[str] = []
    verdicts: dict[tuple[str, int], list[tuple[str, Runs, list[int]]]] = defaultdict(list)
    for (past, count, space), methods in sorted(found.items()):
        shortest = min(len(r) for runs in methods.values() for rs in runs.values() for r in rs)
        at = [t for t in AT if t <= shortest]
        runs: Runs = {
            m: {task: np.mean([[r[t - 1] for t in at] for r in rs], axis=0) for task, rs in own.items()}
            for m, own in methods.items()
        }
        if len(runs.get("tpe", {})) >= 2:
            title = f"## {space}, {past} past, {count} studies: {len(runs['tpe'])} tasks"
            tables += [title, "", *_table(runs, at), ""]
            if {"warm", "tpe", "enqueue"} <= set(runs):
                verdicts[past, count].append((space, runs, at))
    for (past, count), spaces in verdicts.items():
        out += [f"The goal, {past} past, {count} studies:", "", *goal(spaces), ""]
    return "\n".join([*out, *tables]).rstrip()


def goal(spaces: list[tuple[str, Runs, list[int]]]) -> list[str]:
    """Where `warm` is beside what has been set as its goal: by space, "all spaces" among them."""
    above: dict[str, list[str]] = {"enqueue": [], "tpe": []}
    for other, most in (("enqueue", 0.0), ("tpe", HARM)):
        for space, runs, at in spaces:
            mine, theirs = (values.mean(axis=0) for values in paired(runs, "warm", other))
            where = [str(t) for t, a, b in zip(at, mine, theirs, strict=True) if a > b + most]
            above[other] += [f"{space} after {', '.join(where)}"] if where else []
    runs, at = next((runs, at) for space, runs, at in spaces if space == "all spaces")
    mine, theirs = paired(runs, "warm", "enqueue")
    ratios = [f"{mine[:, k].mean() / theirs[:, k].mean():.2f} after {t}" for k, t in enumerate(at) if t in (5, 10)]
    mine, theirs = paired(runs, "warm", "tpe")
    worse = f"{100 * (mine[:, -1] > theirs[:, -1] + HARM).mean():.0f} %"
    if "tpe again" in runs:
        again, theirs = paired(runs, "tpe again", "tpe")
        worse += f" (TPE from another seed: {100 * (again[:, -1] > theirs[:, -1] + HARM).mean():.0f} %)"
    return [
        f"- above enqueue in the mean: {'; '.join(above['enqueue']) or 'nowhere'}",
        f"- of enqueue's regret over all, .75 at most: {', '.join(ratios)}",
        f"- above cold TPE by more than {HARM} in the mean: {'; '.join(above['tpe']) or 'nowhere'}",
        f"- worse than cold TPE by more than {HARM} after {at[-1]}, 3 % of tasks at most: {worse}",
    ]


def _table(runs: Runs, at: list[int]) -> list[str]:
    """One table."""
    from scipy.stats import wilcoxon

    pairs, p = [], []
    for method in runs if "warm" in runs else []:
        mine, theirs = paired(runs, "warm", method)
        if method != "warm" and len(mine) > 1:
            pairs += [(method, k) for k in range(len(at))]
            p += [float(wilcoxon(a, b, zero_method="zsplit").pvalue) for a, b in zip(mine.T, theirs.T, strict=True)]
    apart = {pair for pair, value in zip(pairs, holm(p) if p else [], strict=True) if value < 0.05}
    out = ["| after trials | " + " | ".join(map(str, at)) + " |", "|---|" + "---|" * len(at)]
    for method in [m for m in METHODS if m in runs]:
        values = np.array(list(runs[method].values()))
        cells = [f"{v.mean():.3f}{'*' * ((method, k) in apart)} {interval(v)}" for k, v in enumerate(values.T)]
        few = f" ({len(values)})" if len(values) != len(runs["tpe"]) else ""
        out.append(f"| {method}{few} | " + " | ".join(cells) + " |")
        if few and "warm" in runs and len(mine := paired(runs, "warm", method)[0]):
            out.append("| … warm on these | " + " | ".join(f"{v:.3f}" for v in mine.mean(axis=0)) + " |")
    if "warm" in runs:
        for other in [m for m in ("enqueue", "best first", "tpe") if m in runs]:
            mine, theirs = paired(runs, "warm", other)
            if len(mine):
                ratios = mine.mean(axis=0) / np.maximum(theirs.mean(axis=0), 1e-12)
                out.append(f"| warm / {other} | " + " | ".join(f"{r:.2f}" for r in ratios) + " |")
        for one in [m for m in ("warm", "tpe again", "enqueue") if m in runs]:
            mine, theirs = paired(runs, one, "tpe")
            worse = (mine > theirs + HARM).mean(axis=0) if len(mine) else []
            out.append(f"| {one} worse than tpe by > {HARM} | " + " | ".join(f"{100 * w:.0f} %" for w in worse) + " |")
    return out


def paired(runs: Runs, one: str, other: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(t, trials) of each of two methods on the tasks that both played."""
    tasks = sorted(set(runs[one]) & set(runs[other]))
    return np.array([runs[one][t] for t in tasks]), np.array([runs[other][t] for t in tasks])


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


def wanted() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["tpe", "enqueue", "best first", "warm"])
    parser.add_argument("--pasts", nargs="+", choices=PASTS, default=["plain"])
    parser.add_argument("--past", nargs="+", type=int, default=[20], help="past studies; as many as there are, at most")
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--most", type=int, default=NEW, help="new studies on each space")
    parser.add_argument("--half", choices=["report", "validation"], default="report")
    parser.add_argument("--again", nargs="+", choices=METHODS, default=[], help="methods to be measured anew")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Measures what is not measured yet, and writes the report."""
    arguments = wanted()
    if arguments.quick:
        arguments.spaces, arguments.most, arguments.trials, arguments.past = ["lcbench", "hpobench_mlp"], 2, 10, [5]
    suffix = "-quick" if arguments.quick else "-validation" if arguments.half == "validation" else ""
    path = RESULTS / f"own_studies{suffix}.jsonl"
    if not arguments.report:
        known = {line["cell"] for line in read_lines(path) if line["method"] not in arguments.again}
        left = []
        for cell in cells(arguments):
            methods = tuple(m for m in cell.methods if cell.key(m) not in known)
            if methods:
                left.append(replace(cell, methods=methods))
        commit = revision()
        with path.open("a", encoding="utf-8") as file, ProcessPoolExecutor(arguments.jobs) as pool:
            for number, found in enumerate(pool.map(measure, left), start=1):
                for line in found:
                    file.write(json.dumps({**line, "revision": commit, **stamp()}) + "\n")
                file.flush()
                ends = ", ".join(f"{line['method']} {line['regret'][-1]:.3f}" for line in found)
                print(f"{number}/{len(left)} {found[0]['space']} task {found[0]['task']}: {ends}", flush=True)
    text = report(read_lines(path), arguments.half)
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
