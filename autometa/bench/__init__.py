"""Benchmarks that anybody can run: methods on the fixed splits of a suite, and a report of who is better.

    suite         folder, catalogue or OpenML -> tasks with splits; what a memory must forget of a task under test
    methods       what is compared: functions, and the program that runs one in its own environment
    environments  those environments
    cells         one method on one fold: isolated, under a deadline and a RAM cap, scored here
    run           all cells, resumable
    results       JSON lines on disk
    ranking       ranks, Friedman, Nemenyi, Wilcoxon, the AutoML Benchmark's scale
    findings      what a comparison says, as values and sentences
    report        Markdown for a README, HTML for a browser
    publish       runs for OpenML
    program       all of it in one go, as `autometa bench` does
    options       deadlines, levels, numbers of rows, each with its origin

Laws: a benchmark never sees its own answer (the task under test, by content, OpenML id or family, is left out of the
memory, and nothing is written back); a finished cell is never repeated; a failure is a result with its reason.

Letters:  n rows · p columns · c classes · t tasks · k methods.
"""

from __future__ import annotations

from autometa.bench.environments import missing, set_up
from autometa.bench.methods import DEFAULT_METHODS, METHODS
from autometa.bench.program import Concluded, Prepared, prepare, session
from autometa.bench.run import Plan, Session, Watcher, bench
from autometa.bench.suite import BenchTask, Suite, bench_task, left_out, only, open_suite

__all__ = [
    "DEFAULT_METHODS",
    "METHODS",
    "BenchTask",
    "Concluded",
    "Plan",
    "Prepared",
    "Session",
    "Suite",
    "Watcher",
    "bench",
    "bench_task",
    "left_out",
    "missing",
    "only",
    "open_suite",
    "prepare",
    "session",
    "set_up",
]
