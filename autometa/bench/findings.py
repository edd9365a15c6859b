"""What a comparison says, as values for a program and as sentences; every figure is worked out in `ranking`.

Letters:  t tasks · k methods.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autometa.bench.methods import METHODS
from autometa.bench.options import OPTIONS
from autometa.bench.ranking import Duel, MethodComparison, compare
from autometa.bench.results import SESSIONS, Record, read_lines
from autometa.origins import State
from autometa.report.words import counted, state_words


@dataclass(frozen=True, slots=True)
class Findings:
    """A comparison, and what else a reader must know to judge it."""

    suite: str
    comparison: MethodComparison | None  # of all methods; None: no task has been tried with every one yet
    others: tuple[MethodComparison, ...]  # under other budgets, for score against time
    absent: tuple[str, ...]  # methods that were asked for and are not installed
    unreadable: dict[str, str]  # tasks that could not be had
    sessions: tuple[Record, ...]  # each time the program ran
    seed: int
    cores: int

    @property
    def ranked(self) -> MethodComparison | None:
        """The methods that the budget holds; all of them where it holds none."""
        c = self.comparison
        timed = [] if c is None else [method for method in c.methods if METHODS[method].timed]
        return c if c is None or not timed else c.of(timed)

    @property
    def apart(self) -> tuple[Duel, ...]:
        """The first ranked method against each that no budget holds: they had other time, so nothing is tested."""
        c, ranked = self.comparison, self.ranked
        if c is None or ranked is None:
            return ()
        duels = c.against(c.methods.index(ranked.methods[0]))
        return tuple(duel for duel in duels if duel.other not in ranked.methods)


def findings(
    suite: str,
    records: Iterable[Record],
    methods: Sequence[str],
    budget: float,
    *,
    cores: int,
    seed: int,
    out: Path | None = None,
    absent: Sequence[str] = (),
    unreadable: dict[str, str] | None = None,
) -> Findings:
    """What the records of a folder say about some methods under a budget.

    Args:
        suite: Its name.
        records: Of finished cells.
        methods: Names, the one that is compared with each other one first.
        budget: Seconds.
        cores: Only cells on so many,
        seed: and of this seed.
        out: The folder, for what its sessions took.
        absent: Methods that could not run.
        unreadable: Tasks that could not be had, and why.
    """
    kept = [r for r in records if r["cores"] == cores and r["seed"] == seed]
    budgets = sorted({r["budget"] for r in kept} - {0.0, budget})
    others = [found for other in budgets if (found := compare(kept, methods, other)) is not None]
    sessions = tuple(read_lines(out / SESSIONS)) if out is not None else ()
    return Findings(
        suite, compare(kept, methods, budget), tuple(others), tuple(absent), unreadable or {}, sessions, seed, cores
    )


def summary(found: Findings) -> dict[str, Any]:
    """The findings as plain values: what ``autometa bench --json`` prints."""
    out: dict[str, Any] = {
        "suite": found.suite, "absent": list(found.absent), "unreadable": found.unreadable,
        "overhead": overhead(found), "tasks": 0, "methods": [],
    }  # fmt: skip
    whole, c = found.comparison, found.ranked
    if whole is None or c is None:
        return out
    rank, scaled, worst = c.ranks.mean(axis=0), c.scaled.mean(axis=0), c.worst
    duels = [*c.against(), *found.apart]
    return out | {
        "budget": c.budget,
        "tasks": len(c.tasks),
        "cells": len(whole.cells),
        "load": load(whole),
        "friedman": c.friedman,
        "critical_difference": c.critical,
        "methods": [
            {
                "method": m, "average_rank": round(float(rank[j]), 4), "scaled": round(float(scaled[j]), 5),
                "failed": int(c.failed[:, j].sum()), "worst": int(worst[j]),
                "seconds": rounded(c.seconds[:, j]), "load": load(c, m),
            }
            for j, m in sorted(enumerate(c.methods), key=lambda pair: rank[pair[0]])
        ] + [
            {
                "method": d.other, "average_rank": None, "scaled": None,
                "failed": int(whole.failed[:, whole.methods.index(d.other)].sum()), "worst": None,
                "seconds": rounded(whole.seconds[:, whole.methods.index(d.other)]), "load": load(whole, d.other),
            }
            for d in found.apart
        ],
        "against": [
            {
                "method": d.other, "wins": d.wins, "ties": d.ties, "losses": d.losses,
                "p": d.p if d.other in c.methods else None,
            }
            for d in duels
        ],
        "scores": {
            task: {m: rounded(whole.scores[i, [j]], 6) for j, m in enumerate(whole.methods)}
            for i, task in enumerate(whole.tasks)
        },
    }  # fmt: skip


def load(c: MethodComparison, method: str | None = None) -> float | None:
    """Median of the machine's load as cells began: processes that ran or waited for a CPU, mean over a minute."""
    return rounded([r["load"] for r in _loaded(c, method)], 2)


def _loaded(c: MethodComparison, method: str | None = None) -> list[Record]:
    return [r for r in c.cells if r.get("load") is not None and method in (None, r["method"])]


def overhead(found: Findings) -> float | None:
    """The share of all sessions' time that was not the methods' own."""
    seconds = sum(s["seconds"] for s in found.sessions)
    own = sum(s["cell_seconds"] / s["jobs"] for s in found.sessions)
    return round(1 - own / seconds, 5) if seconds else None


# ------------------------------------------------------------------------------------------------------------- words


def titles(methods: Sequence[str]) -> list[str]:
    """The titles of methods in reports: ``AutoMeta`` for ``autometa``."""
    return [METHODS[m].title for m in methods]


def verdict(c: MethodComparison) -> str:
    """Whether the methods differ, in a sentence or two."""
    rank = c.ranks.mean(axis=0)
    first = int(np.argmin(rank))
    words = f"{METHODS[c.methods[first]].title} has the lowest average rank, {rank[first]:.2f}."
    if not c.enough:
        have = counted(len(c.tasks), "dataset")
        return f"{words} Nothing is tested: {have} cannot tell a difference from chance, {OPTIONS.fewest_tasks} can."
    if c.friedman is None or c.critical is None:
        return f"{words} There are too few methods for a test of all, or none differs anywhere."
    if c.friedman >= OPTIONS.level:
        return f"{words} But the methods do not differ significantly (Friedman p = {c.friedman:.2g})."
    apart = [METHODS[m].title for m, r in zip(c.methods, rank, strict=True) if r - rank[first] > c.critical]
    told = ", ".join(apart) if apart else "none of the others"
    return f"{words} It is significantly ahead of {told} (Friedman p = {c.friedman:.2g}, Nemenyi at {OPTIONS.level})."


def measured(found: Findings) -> list[str]:
    """How it was measured, as sentences."""
    c = found.comparison
    if c is None:
        return []
    one = c.cells[0]
    folds = sorted(set(c.folds))
    each = f"{folds[0]}" if len(folds) == 1 else f"{folds[0]} to {folds[-1]}"
    kinds = Counter(about["kind"] for about in c.about)
    versions = {k: v for record in c.cells for k, v in record.get("versions", {}).items()}
    lines = [
        f"{counted(len(c.tasks), 'dataset')} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())}), {each} of "
        f"their own folds each, {counted(len(c.cells), 'cell')}; seed {found.seed}.",
        f"A budget of {c.budget:g} s on {counted(found.cores, 'core')} is what the timed methods are told. "
        "AutoMeta's covers everything from reading the file on, the others' their fit. "
        f"{_untimed(c.methods)}Each cell is a process tree of its own, killed at twice the budget and a minute.",
        "AutoMeta's memory never saw the dataset under test: whatever has its content, its OpenML id or its family "
        "is left out, and nothing is written back.",
        "A cell that failed counts as a constant prediction, as in the AutoML Benchmark.",
    ]
    lines += _load_lines(c)
    share = overhead(found)
    if share is not None:
        lines.append(f"The benchmark's own work took {share:.2%} of the time; the rest were the methods' processes.")
    lines.append(
        f"{one['machine']['processor']}, {counted(one['machine']['cpus'], 'CPU')}, {one['machine']['system']}, "
        f"Python {one['machine']['python']}; AutoMeta {one['revision']}; "
        + ", ".join(f"{name} {versions[name]}" for name in sorted(versions) if name != "autometa")
        + "."
    )
    return lines


def _untimed(methods: Sequence[str]) -> str:
    names = [METHODS[m].title for m in methods if not METHODS[m].timed]
    return f"Held to no budget, and so neither ranked nor tested: {', '.join(names)}. " if names else ""


def _load_lines(c: MethodComparison) -> list[str]:
    """How busy the machine was, and what that means where it was busier than it has CPUs."""
    seen = [float(r["load"]) for r in _loaded(c)]
    if not seen:
        return ["The load of the machine was not recorded: times may be those of a busy one."]
    cpus, middle = c.cells[0]["machine"]["cpus"], load(c)
    words = (
        f"As cells began, {middle:g} processes ran or waited for {counted(cpus, 'CPU')} "
        f"(median; {min(seen):.2g} to {max(seen):.2g})."
    )
    if middle is not None and middle > cpus:
        words += " That is a busy machine: a quiet one takes less time, and comes further in the same."
    return [words]


def failures(c: MethodComparison) -> list[tuple[str, str, str, str]]:
    """(dataset, fold, method, why) of every cell without a score."""
    return [
        (r["name"], _fold(r), METHODS[r["method"]].title, f"{_ended(r['state'])}: {r['reason']}")
        for r in c.cells
        if r["score"] is None
    ]


def _ended(state: str) -> str:
    """How a cell without a score ended: one that is complete had a prediction that scores nothing."""
    return state_words(State.FAILED if state == State.COMPLETE else state)


def _fold(record: Record) -> str:
    return f"{record['fold']}" if record["repeat"] == 0 else f"{record['repeat']}.{record['fold']}"


def rounded(values: Any, digits: int = 3) -> float | None:
    """The median of the finite values, rounded; None without any."""
    finite = [float(v) for v in np.ravel(values) if math.isfinite(v)]
    return round(float(np.median(finite)), digits) if finite else None
