"""The program from what a person asks for to who is better: what can run, all cells, and the reports.

prepare    what is asked for, with everything that is wrong with it said at once
session    every cell that has no result yet, then the reports
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autometa.bench.environments import FOLDER, missing
from autometa.bench.findings import Findings, findings, summary
from autometa.bench.methods import METHODS
from autometa.bench.publish import Offer, offer
from autometa.bench.report import write
from autometa.bench.results import RESULTS, read_results
from autometa.bench.run import Plan, Session, Watcher, bench
from autometa.bench.suite import Suite, only, open_suite
from autometa.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Prepared:
    r"""A suite, and a plan of those methods that can run here.

    See Also:
        `prepare`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "toy.csv").write_text("x,z,class\n" + "1,2.5,a\n2,1.5,b\n3,0.5,a\n4,0,b\n" * 10)
        ...     prepare(folder, ["rf"]).plan.methods
        ('rf',)
    """

    suite: Suite
    plan: Plan
    absent: tuple[str, ...]  # methods that were asked for and are not installed


@dataclass(frozen=True, slots=True)
class Concluded:
    """What a session came to: the cells, what they say, and where that was written.

    See Also:
        `session`.

    Example:
        >>> Concluded(Session(Path("results"), []), Plan(), None, {}).scored
        False
    """

    run: Session
    plan: Plan
    findings: Findings
    paths: dict[str, Path]  # report.html, report.md, ranks.svg, folds.csv -> where it is

    @property
    def scored(self) -> bool:
        """Whether any cell of the suite, of this session or an earlier one, has a score."""
        return any(record["score"] is not None for record in self.run.records)

    def offers(self) -> list[Offer]:
        """The runs that could be published: methods on OpenML's tasks that were not sent before."""
        cores = self.plan.setting(self.plan.methods[0]).cores
        return offer(self.run.records, self.plan.methods, self.run.out, cores=cores, seed=self.plan.seed)

    def to_dict(self) -> dict[str, Any]:
        """What ``autometa bench --json`` prints."""
        run = self.run
        return {**summary(self.findings), "out": str(run.out), "new": run.new, "interrupted": run.interrupted}


def folder_of(suite: str) -> Path:
    """Where results of a suite go unless another folder is named.

    Example:
        >>> folder_of("tables/my suite.csv").as_posix()
        'autometa_runs/bench-my-suite'
    """
    return Path("autometa_runs") / f"bench-{re.sub(r'[^A-Za-z0-9_-]+', '-', Path(suite).stem).strip('-')}"


def check_free(out: Path) -> list[Problem]:
    """What speaks against a new comparison in a folder: results that are there already."""
    if not (out / RESULTS).exists():
        return []
    fix = f"Add --resume to go on, or name another folder than {out} with --out."
    return [Problem(str(out), "holds results already", fix)]


def prepare(
    suite: str,
    methods: Sequence[str],
    *,
    tasks: Sequence[str] | None = None,
    out: Path | None = None,
    openml: Callable[[], Any] | None = None,
    environments: Path = FOLDER,
    **plan: Any,
) -> Prepared:
    r"""Opens a suite and plans its cells; methods that are not installed are left out, and named.

    Args:
        suite: A folder, a catalogue, or an id or alias of OpenML.
        methods: Names in `METHODS`, the one that is compared with each other one first.
        tasks: Only these tasks of the suite: their keys, or the names that a report in `out` calls them by.
        out: Where results may be already.
        openml: Makes an `autometa.openml.OpenML`, asked only if the suite is there.
        environments: Folder of the other methods' environments.
        plan: The other fields of `Plan`.

    Raises:
        InputError: Everything that is wrong with the suite, the plan and the methods, together.

    See Also:
        `session`, `Prepared`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "toy.csv").write_text("x,z,class\n" + "1,2.5,a\n2,1.5,b\n3,0.5,a\n4,0,b\n" * 10)
        ...     prepared = prepare(folder, ["rf", "lightgbm"], folds=(0,))
        >>> prepared.plan.methods, prepared.absent
        (('rf', 'lightgbm'), ())
    """
    absent = missing((name for name in methods if name in METHODS), environments)
    present = tuple(name for name in methods if name not in absent)
    problems: list[Problem] = []
    planned: Plan | None = None
    opened: Suite | None = None
    try:
        planned = Plan(methods=present or tuple(methods), environments=environments, **plan)
    except InputError as error:
        problems += error.problems
    try:
        opened = open_suite(suite, openml=openml)
        opened = opened if tasks is None else only(opened, tasks, _printed(out))
    except InputError as error:
        problems += error.problems
    if not present:
        fix = "`autometa bench --setup` installs them."
        problems.append(Problem("--methods", "none of them is installed here", fix))
    if problems or planned is None or opened is None:
        raise InputError(problems)
    return Prepared(opened, planned, tuple(absent))


def _printed(out: Path | None) -> dict[str, set[str]]:
    """The names of tasks in a folder of results, and the keys of those that are called so."""
    names: dict[str, set[str]] = {}
    for record in read_results(out).values() if out is not None else ():
        names.setdefault(record["name"], set()).add(record["task"])
    return names


def session(prepared: Prepared, out: Path, watcher: Watcher | None = None) -> Concluded:
    """Runs every cell that has no result in `out` yet, and writes the reports of all that is there.

    Args:
        prepared: What to run.
        out: Folder of results and reports; created if need be.
        watcher: Told what happens, and first which methods are left out.

    Raises:
        RunError: `out` is in use, or its results are of other data.

    See Also:
        `prepare`, `Concluded`.

    Example:
        >>> import tempfile
        >>> from sklearn.datasets import load_wine
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "tables").mkdir()
        ...     load_wine(as_frame=True).frame.to_csv(Path(folder) / "tables" / "wine.csv", index=False)
        ...     prepared = prepare(f"{folder}/tables", ["lightgbm"], folds=(0,), seconds=60)
        ...     done = session(prepared, Path(folder) / "results")
        >>> done.scored, sorted(done.paths)
        (True, ['folds.csv', 'ranks.svg', 'report.html', 'report.md'])
    """
    watcher, plan = watcher or Watcher(), prepared.plan
    for name in prepared.absent:
        watcher.note(f"{METHODS[name].title} is not installed and is left out; `autometa bench --setup` installs it")
    done = bench(prepared.suite, plan, out, watcher)
    found = findings(
        prepared.suite.name, done.records, plan.methods, plan.seconds,
        cores=plan.setting(plan.methods[0]).cores, seed=plan.seed, out=out,
        absent=prepared.absent, unreadable=done.unreadable,
    )  # fmt: skip
    return Concluded(done, plan, found, write(found, out))
