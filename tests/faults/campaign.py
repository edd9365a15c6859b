"""Does harm for an hour, counts what was survived, and goes on next time where it stopped: `make faults`.

    cd tests
    python -m faults.campaign                           an hour of new faults of every kind
    python -m faults.campaign --minutes 10 --only table store
    python -m faults.campaign --again                   only those that were not survived, after a mend
    python -m faults.campaign --report                  writes the table of docs/trust.md anew

Every fault is one line of `benchmarks/results/faults.jsonl`: its kind, its case (which says how to do it again), what
became of it, and the revision. Kinds take turns by the time that they have had, so that each has some whenever the
campaign is stopped. The work is done in a process of its own: where a fault crashes or hangs that, the fault was not
survived, and the next worker goes on behind it.

To add a kind, write a generator of `Case` in `kinds.py` and name it in `KINDS` there.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autometa.bench.results import append, read_lines
from autometa.bench.run import revision

from .judging import foreign, survived

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "faults.jsonl"
DOCUMENT = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- faults -->\n", "<!-- /faults -->"
BEGUN = "begun"  # the line of a fault that was not judged yet
LONGEST = 600  # seconds that a fault may take on a busy machine before it counts as a hang


class Hang(BaseException):
    """A fault that nothing ended."""


def latest(lines: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The last verdict of each fault."""
    return {(line["kind"], line["case"]): line for line in lines if line["verdict"] != BEGUN}


# ---------------------------------------------------------------------------------------------------------- the worker


def turns(names: list[str], folder: Path, done: set[tuple[str, str]], wanted: set[tuple[str, str]] | None) -> Iterator:
    """(kind, case) that are not done, or those that are wanted; always of the kind that had the least of its share."""
    from .kinds import KINDS

    def of(name: str) -> Iterator[Any]:
        (folder / name).mkdir()
        for case in KINDS[name].cases(folder / name):
            if wanted is None and (name, case.name) not in done:
                yield case
            elif wanted is not None:
                if not any(kind == name for kind, _ in wanted):
                    return
                if (name, case.name) in wanted:
                    wanted.discard((name, case.name))
                    yield case

    cases, had = {name: of(name) for name in names}, dict.fromkeys(names, 0.0)
    while cases:
        name = min(cases, key=lambda name: had[name] / KINDS[name].share)
        began = time.monotonic()
        if (case := next(cases[name], None)) is None:
            del cases[name]
            continue
        yield name, case
        had[name] += time.monotonic() - began


def judged(case: Any) -> str:
    """What became of one fault."""

    def hangs(signum: int, frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(LONGEST)
    try:
        return case.judge()
    except Hang:
        return f"hangs for {LONGEST} s"
    except AssertionError as error:
        return f"not as it should be: {(str(error) or foreign(error)).splitlines()[0]}"
    except Exception as error:  # noqa: BLE001
        return foreign(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def work(arguments: argparse.Namespace) -> None:
    """Injects faults until the time is over; one line before each, and one after."""
    from .kinds import KINDS

    found = latest(read_lines(arguments.results))
    wanted = {key for key, line in found.items() if not survived(line["verdict"])} if arguments.again else None
    if unknown := set(arguments.only) - set(KINDS):
        sys.exit(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    names = [name for name in KINDS if not arguments.only or name in arguments.only]
    revised, supervisor = revision(), os.getppid()
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        os.environ["XDG_DATA_HOME"] = str(Path(folder) / "home")
        for name, case in itertools.islice(turns(names, Path(folder), set(found), wanted), arguments.most):
            if time.time() > arguments.until or os.getppid() != supervisor:
                return
            line = {"kind": name, "case": case.name, "revision": revised}
            append(arguments.results, {**line, "verdict": BEGUN})
            began = time.monotonic()
            verdict = judged(case)
            append(arguments.results, {**line, "verdict": verdict, "seconds": round(time.monotonic() - began, 3)})
            if not survived(verdict):
                print(f"{name} | {case.name} | {verdict}", flush=True)


def supervise(arguments: argparse.Namespace) -> None:
    """Workers one after the other; the fault at which one dies was not survived."""
    until = time.time() + 60 * arguments.minutes
    while time.time() < until:
        command = [sys.executable, "-m", "faults.campaign", *sys.argv[1:], "--until", str(until)]
        worker = subprocess.Popen(command, cwd=ROOT / "tests")
        try:
            code = worker.wait()
        except KeyboardInterrupt:
            worker.wait()
            return
        lines = read_lines(arguments.results)
        if code == 0:
            return
        if not lines or lines[-1]["verdict"] != BEGUN or code in (-signal.SIGTERM, -signal.SIGINT):
            sys.exit(code)
        append(arguments.results, {**lines[-1], "verdict": f"the process died: {code}"})
        print(f"{lines[-1]['kind']} | {lines[-1]['case']} | the process died: {code}", flush=True)
        if arguments.again:
            return


# ---------------------------------------------------------------------------------------------------------- the report


def table(lines: list[dict[str, Any]]) -> str:
    """By kind: how many were injected, survived at first, and survive today."""
    from .kinds import KINDS

    first: dict[tuple[str, str], bool] = {}
    for line in lines:
        if line["verdict"] != BEGUN:
            first.setdefault((line["kind"], line["case"]), survived(line["verdict"]))
    last = latest(lines)
    rows = ["| faults | injected | not survived at first | not survived today |", "|---|---|---|---|"]
    totals = [0, 0, 0]
    for name, kind in KINDS.items():
        keys = [key for key in first if key[0] == name]
        if not keys:
            continue
        counts = len(keys), sum(not first[key] for key in keys), sum(not survived(last[key]["verdict"]) for key in keys)
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        rows.append(f"| {kind.title} | " + " | ".join(f"{count:,}" for count in counts) + " |")
    rows.append("| all | " + " | ".join(f"**{total:,}**" for total in totals) + " |")
    return "\n".join(rows) + "\n"


def report(arguments: argparse.Namespace) -> None:
    """Writes the table into the documentation."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{head}{BEGIN}{table(read_lines(arguments.results))}{END}{rest}", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--most", type=int, help="faults, whatever the time")
    parser.add_argument("--only", nargs="+", default=[], help="kinds, by their names in kinds.py")
    parser.add_argument("--again", action="store_true", help="those that were not survived")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="write the table into docs/trust.md")
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.report:
        report(arguments)
    elif arguments.until is not None:
        work(arguments)
    else:
        supervise(arguments)


if __name__ == "__main__":
    main()
