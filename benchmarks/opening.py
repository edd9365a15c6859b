"""What does a large memory cost: opening a sampler, remembering one more study, a suggestion; and is all of it heard?

    python benchmarks/opening.py                     50, 300, 600 and 1,000 past studies
    python benchmarks/opening.py --studies 10000     others; the store of the same revision grows, and is kept
    python benchmarks/opening.py --quick             5 and 20 studies
    python benchmarks/opening.py --report            results/opening.md

Past studies have 100 trials of their own over 20 parameters (twelve numbers, four integers, four categories), half of
them random and half around the best of those; the score is a quadratic around a place that studies nearly share. For
each count, in a process of its own:

    open        CPU and wall seconds of `WarmStartSampler(url, "own")`, the first time and afterwards (median of three)
    suggest     CPU and wall milliseconds of `study.ask()` with 100 trials finished, median and nine in ten, of 20
    remember    CPU milliseconds of `remember_study` of one more study, median of the last 10
    learn       CPU seconds of the one among them that learned from all studies anew
    reason      what the sampler says of its tenth trial: how much each expert counts there
    regret      of the incumbent after 10 trials of a new study, 1 for the median random one; mean of 3 studies

Lines go to `results/opening.jsonl` with the revision; the report shows all of them, the oldest revision first.

Letters:  d encoded dimensions.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import optuna
from surrogate import RESULTS, ROOT, stamp

import autometa
from autometa.bench.results import append, read_lines
from autometa.bench.run import revision
from autometa.origins import REASON
from autometa.space import Config, SearchSpace, choice, integer, real
from autometa.studies.keeping import About
from autometa.studies.remembering import StudyKeeper

TRIALS = 100
STUDIES = (50, 300, 600, 1_000)
ASKED, NEW = 20, 3
SPACE = SearchSpace.of(
    **{f"number_{i}": real(0.0, 1.0, 0.5) for i in range(8)},
    **{f"log_{i}": real(1e-5, 1.0, 1e-2, log=True) for i in range(4)},
    **{f"integer_{i}": integer(1, 64, 8) for i in range(4)},
    **{f"category_{i}": choice("a", "b", "c") for i in range(4)},
)


class Source:
    """A task: its best place is near one that all tasks share."""

    def __init__(self, number: int) -> None:
        """By number, which is its seed."""
        self.number, self.rng = number, np.random.default_rng([7, number])
        shared = np.random.default_rng(7)
        self.best = np.clip(shared.uniform(0.2, 0.8, SPACE.d) + 0.1 * self.rng.standard_normal(SPACE.d), 0, 1)
        self.weight = shared.uniform(0.2, 2.0, SPACE.d)

    def score(self, config: Config) -> float:
        """Larger is better; 0 is the best of all."""
        return -float(self.weight @ (SPACE.encode(config).x - self.best) ** 2)

    def study(self, trials: int = TRIALS, sampler: Any = None) -> optuna.Study:
        """A study of finished trials: half of them random, half around the best of those."""
        name = f"opening-{self.number}"
        study = optuna.create_study(study_name=name, direction="maximize", sampler=sampler)
        distributions = {p.name: p.distribution for p in SPACE}
        configs = [SPACE.sample(self.rng) for _ in range(trials // 2)]
        best = SPACE.encode(max(configs, key=self.score)).x
        steps = 0.15 * self.rng.standard_normal((trials - len(configs), SPACE.d))
        configs += [SPACE.decode(np.clip(best + step, 0, 1)) for step in steps]
        study.add_trials(
            [optuna.trial.create_trial(params=c, distributions=distributions, value=self.score(c)) for c in configs]
        )
        return study


def clocked(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds of this process, wall seconds, and the value."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = call()
    return time.process_time() - cpu, time.perf_counter() - wall, value


def asked(url: str) -> dict[str, Any]:
    """Opening a sampler, and asking it; to be called in a process of its own."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    opened = [clocked(lambda: autometa.WarmStartSampler(url, "own", seed=0)) for _ in range(4)]
    sampler = opened[0][2]
    source = Source(-1 % 2**31)
    study = source.study(TRIALS, sampler)
    took = []
    for _ in range(ASKED + 1):
        cpu, wall, trial = clocked(lambda: asked_once(study))
        study.tell(trial, source.score(trial.params))
        took.append((cpu, wall))
    first, later = took[0], np.array(took[1:]) * 1e3
    regrets, reasons = [], []
    for number in range(NEW):
        new = Source(2**31 - 2 - number)
        usual = np.median([new.score(SPACE.sample(new.rng)) for _ in range(1000)])
        fresh = optuna.create_study(direction="maximize", sampler=autometa.WarmStartSampler(url, "own", seed=number))
        fresh.optimize(lambda trial, new=new: new.score(SPACE.suggest(trial)), n_trials=10)
        regrets.append(float(fresh.best_value / usual))
        reasons.append(fresh.trials[-1].user_attrs.get(REASON, ""))
    return {
        "open_cpu_s": opened[0][0], "open_wall_s": opened[0][1],
        "again_cpu_s": float(np.median([o[0] for o in opened[1:]])),
        "first_suggest_cpu_ms": 1e3 * first[0],
        **{f"suggest_{kind}_ms_{name}": float(np.quantile(later[:, k], q))
           for k, kind in enumerate(("cpu", "wall")) for name, q in (("p50", 0.5), ("p90", 0.9))},
        "regret_10": float(np.mean(regrets)), "reasons": reasons,
    }  # fmt: skip


def asked_once(study: optuna.Study) -> optuna.Trial:
    """One trial, with a value for every parameter."""
    trial = study.ask()
    SPACE.suggest(trial)
    return trial


def grow(url: str, studies: int) -> tuple[float, float]:
    """Remembers until there are so many; CPU seconds of the last ten, which are always new ones: median, and the most.

    All before those are kept without being learned from, so that one of the ten has to learn everything.
    """
    store = autometa.MetaStore(url)
    have = len(store.tasks(space="own"))
    took = []
    for number in range(have, studies):
        study = Source(number).study()
        if number < studies - 10:
            StudyKeeper(store, "own", About()).keep_all(study)
        else:
            took.append(clocked(lambda study=study: autometa.remember_study(study, store, "own"))[0])
    return (float(np.median(took)), max(took)) if took else (float("nan"), float("nan"))


def report(lines: list[dict[str, Any]]) -> str:
    """The record as Markdown: a table for each revision, and what the sampler says."""
    out = [
        "# What a large memory costs",
        "",
        f"By `python benchmarks/opening.py`: studies of {TRIALS} trials over {len(SPACE)} parameters. CPU (wall).",
    ]
    for commit in dict.fromkeys(line["revision"] for line in lines):
        own = {line["studies"]: line for line in lines if line["revision"] == commit}
        heads = (
            "past studies", "remember, ms", "learn, s", "open, s", "again, s", "first suggestion, ms",
            "suggestion p50, ms", "p90, ms", "regret after 10", "store, MB",
        )  # fmt: skip
        title = f"## {commit}, {next(iter(own.values()))['date']}"
        out += ["", title, "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        for studies, line in sorted(own.items()):
            remember = "" if line["remember_cpu_ms"] is None else f"{line['remember_cpu_ms']:.0f}"
            out.append(
                f"| {studies:,} | {remember} | {line.get('learn_cpu_s') or ''} "
                f"| {line['open_cpu_s']:.2f} ({line['open_wall_s']:.2f}) "
                f"| {line['again_cpu_s']:.2f} | {line['first_suggest_cpu_ms']:.0f} "
                f"| {line['suggest_cpu_ms_p50']:.0f} ({line['suggest_wall_ms_p50']:.0f}) "
                f"| {line['suggest_cpu_ms_p90']:.0f} ({line['suggest_wall_ms_p90']:.0f}) "
                f"| {line['regret_10']:.3f} | {line['megabytes']:.1f} |"
            )
        out += ["", "Of its tenth trial the sampler says:", ""]
        out += [f"- {studies:,} studies: {' / '.join(line['reasons'])}" for studies, line in sorted(own.items())]
    return "\n".join(out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", type=int, default=list(STUDIES))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--revision", help="what to call this one; the commit, if it is not said")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = RESULTS / ("opening-quick.jsonl" if options.quick else "opening.jsonl")
    commit = options.revision or revision()
    store = ROOT / "build" / "opening" / f"{commit}{'-quick' if options.quick else ''}.db"
    store.parent.mkdir(parents=True, exist_ok=True)
    for studies in sorted([5, 20] if options.quick else options.studies) if not options.report else []:
        remember, learn = grow(str(store), studies)
        have = len(autometa.MetaStore(str(store)).tasks(space="own"))
        if have != studies:
            raise SystemExit(f"{store} holds {have} studies, more than {studies}: remove it, or ask for larger counts")
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            found = pool.submit(asked, str(store)).result()
        shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()}
        line = {
            "revision": commit, "date": time.strftime("%Y-%m-%d"), "studies": studies,
            "remember_cpu_ms": None if np.isnan(remember) else round(1e3 * remember, 1),
            "learn_cpu_s": None if np.isnan(learn) else round(learn, 2),
            **shown, "megabytes": round(store.stat().st_size / 1e6, 2), "load": round(os.getloadavg()[0], 1), **stamp(),
        }  # fmt: skip
        append(path, line)
        print(json.dumps(line), flush=True)
    text = report(read_lines(path))
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
