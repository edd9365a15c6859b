"""Does a long search stay as light as a short one? 2,000 trials of a cheap family on a tiny table, watched.

    python benchmarks/soak.py                     2,000 trials, some ten minutes
    python benchmarks/soak.py --trials 200        fewer (the tests' size)
    python benchmarks/soak.py --pretend --family all --trials 400
                                                  trials that are made up, so that the searching process is seen alone,
                                                  in the space of all families, where a suggestion costs most
    python benchmarks/soak.py --processes         the processes of trials alone: begun, answered, ended, 2,000 times
    python benchmarks/soak.py --profile           and where that spends its CPU time in the last third
    python benchmarks/soak.py --report            results/soak.md

For every hundred trials, of the process that searches (trials run in others, forked by a forkserver):

    cpu       CPU seconds a trial, user and system
    wall      seconds a trial, on whatever else the machine did
    rss       resident MB at the end of the hundred
    handles   open files, sockets and pipes; threads beside them
    server    resident MB of the forkserver

Lines go to `results/soak.jsonl` with the revision, one a hundred and one for the end (`"end": true`), which has what
`finish` took. The report puts revisions side by side, as ratios to the first hundred of each.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import tempfile
import threading
import time
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import psutil

from autometa.bench.results import append, read_lines
from autometa.bench.run import revision
from autometa.evaluation import Attempt, Evaluation, Isolation, State
from autometa.search import Settings, Silent, open_run, search
from autometa.task import Task, make_task

RESULTS = Path(__file__).resolve().parent / "results" / "soak.jsonl"
WINDOW = 100  # trials


def tiny() -> Task:
    """60 rows, four numbers, two classes that overlap."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).round(3)
    labels = np.where(x[:, 0] + x[:, 1] ** 2 + rng.normal(size=60) > 1, "yes", "no")
    return make_task(pd.DataFrame(x, columns=list("abcd")).assign(y=labels), target="y", name="tiny")


class Watch(Silent):
    """Writes a line for every hundred trials."""

    def __init__(
        self, about: dict[str, Any], results: Path | None, window: int, profile: cProfile.Profile | None
    ) -> None:
        """`about` stands in every line; without `results` the lines are kept in `lines` only."""
        self.about, self.results, self.window, self.profile = about, results, window, profile
        self.lines: list[dict[str, Any]] = []
        self.process = psutil.Process()
        self.done, self.cpu, self.wall = 0, time.process_time(), time.monotonic()

    def trial_started(self, number: int, config: Any, origin: str, reason: str) -> None:
        """Switches the profile on for the last third, in the thread that tries."""
        if self.profile is not None and self.done == self.about["asked"] * 2 // 3:
            self.profile.enable()

    def trial_finished(self, trial: Any, incumbent: Any, elapsed: float) -> None:
        """Counts, and looks."""
        self.done += 1
        if self.done % self.window:
            return
        self.write({"trials": self.done})

    def write(self, more: dict[str, Any]) -> None:
        """One line: what was used since the last one, a trial, and what is held now."""
        cpu, wall = time.process_time(), time.monotonic()
        each = 1 if more.get("end") else self.window
        servers = [child.memory_info().rss for child in self.process.children()]
        facts = {
            "cpu": round((cpu - self.cpu) / each, 5),
            "wall": round((wall - self.wall) / each, 5),
            "rss": round(self.process.memory_info().rss / 1e6, 1),
            "handles": self.process.num_fds(),
            "threads": threading.active_count(),
            "server": round(max(servers, default=0) / 1e6, 1),
        }
        self.lines.append({**self.about, **more, **facts})
        if self.results is not None:
            append(self.results, self.lines[-1])
            print(json.dumps(self.lines[-1]), flush=True)
        self.cpu, self.wall = time.process_time(), time.monotonic()


def made_up(isolation: Any, folder: Path, attempt: Attempt, *, oof_path: Path, **limits: Any) -> Evaluation:
    """What a trial might have said: a score that is a smooth function of its numbers, and predictions beside it."""
    numbers = [value for value in attempt.config.values() if isinstance(value, float)] or [1.0]
    score = 0.7 + 0.2 * float(np.mean(np.sin(np.log(np.abs(numbers) + 1e-12))))
    rng = np.random.default_rng(zlib.crc32(repr(sorted(attempt.config.items())).encode()))
    np.save(oof_path, rng.dirichlet([1, 1], 60))
    folds = tuple((score + 0.01 * rng.normal(size=len(attempt.splits))).tolist())
    names = ("roc_auc", "accuracy", "f1", "log_loss")
    scores = {name: float(np.mean(folds)) for name in names}
    return Evaluation(
        attempt.config, State.COMPLETE, None, scores, dict.fromkeys(names, folds), 0.05, 0.01, 10**8, 0, 60, {}
    )


def soak(
    trials: int, family: str, results: Path | None, window: int = WINDOW, profile: bool = False, pretend: bool = False
) -> Watch:
    """One search, watched to its end."""
    about = {"revision": revision(), "family": family, "asked": trials, "seed": 0, "pretend": pretend}
    profiler = cProfile.Profile(time.thread_time) if profile else None
    watch = Watch(about, results, window, profiler)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(trials=trials, families=None if family == "all" else (family,), store=f"{folder}/store.db")
        with mock.patch("autometa.evaluation.executor.evaluate_isolated", made_up) if pretend else nullcontext():
            search(tiny(), settings, Path(folder) / "run", progress=watch)
        assert len(open_run(Path(folder) / "run").trials) == trials
        watch.write({"trials": trials, "end": True})
    if profiler is not None:
        profiler.create_stats()
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).sort_stats("cumulative").print_stats(70)
        print(text.getvalue())
    return watch


def processes(times: int, results: Path | None, window: int = WINDOW) -> Watch:
    """Calls that do nothing, each in a process of its own, as trials are."""
    about = {"revision": revision(), "family": "nothing", "asked": times, "seed": 0, "pretend": False}
    watch = Watch(about, results, window, None)
    with Isolation(preload=()) as isolation:
        for _ in range(times):
            isolation.call(os.getpid, seconds=600.0)
            watch.trial_finished(None, None, 0.0)
    return watch


def report(lines: list[dict[str, Any]]) -> str:
    """A table per revision and family: the first hundred trials, and how many times that later ones are."""
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        what = f"{line['asked']:,} trials of {line['family']}" + " (made up)" * line["pretend"]
        runs.setdefault((line["revision"], what), []).append(line)
    parts = [
        "# A long search, watched",
        "",
        "By `python benchmarks/soak.py`: a table of 60 rows, one job. Of the process that searches; the first row is",
        "what its first hundred trials took, the others are ratios to that, but for what is held. Wall seconds are",
        "those of a machine that did much else. *Made up*: the trials' answers, so that nothing else is seen;",
        "*nothing*: processes of trials that do nothing.",
    ]
    for (revised, what), found in runs.items():
        windows = [line for line in found if not line.get("end")]
        first = windows[0]
        parts += ["", f"## {revised}: {what}", ""]
        parts += ["| trials | CPU s a trial | wall s a trial | RSS, MB | handles | threads | forkserver, MB |"]
        parts += ["|---|---|---|---|---|---|---|"]
        shown = {100, 200, 300, 400, 500, 1000, 1500, 2000, first["trials"], windows[-1]["trials"]}
        for line in (line for line in windows if line["trials"] in shown):
            held = f"{line['rss']:.0f} | {line['handles']} | {line['threads']} | {line['server']:.0f}"
            if line is first:
                took = f"{line['cpu']:.3f} | {line['wall']:.3f}"
            else:
                took = f"x {line['cpu'] / first['cpu']:.2f} | x {line['wall'] / first['wall']:.2f}"
            parts.append(f"| {line['trials']} | {took} | {held} |")
        parts += [f"\nThe end (ensemble, final model, memory): {e['cpu']:.1f} s of CPU." for e in found if e.get("end")]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--family", default="naive_bayes", help="or all: with --pretend, whose trials cost nothing")
    parser.add_argument("--pretend", action="store_true")
    parser.add_argument("--processes", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if arguments.report:
        arguments.results.with_suffix(".md").write_text(report(read_lines(arguments.results)), encoding="utf-8")
        return
    if arguments.processes:
        processes(arguments.trials, arguments.results)
        return
    soak(arguments.trials, arguments.family, arguments.results, profile=arguments.profile, pretend=arguments.pretend)


if __name__ == "__main__":  # the processes of trials import this file too
    main()
