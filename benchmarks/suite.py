"""The suite of the proof: thirty shared datasets of OpenML-CC18 and the AutoML Benchmark, from files or from a server.

    python benchmarks/suite.py --list          what is in it, by a fixed rule
    python benchmarks/suite.py --write         benchmarks/suite.csv, a catalogue for `autometa bench --suite`
    python benchmarks/suite.py --overhead      what `autometa bench` itself costs: three small ones, one fold, 10 s
    python benchmarks/suite.py --serve         the same through OpenML's protocol as suite 99, with its data ids

    autometa bench --suite benchmarks/suite.csv --folds 0-2 --out benchmarks/results/suite
    autometa bench --suite 99 --server http://127.0.0.1:8642 --folds 0-2 --out benchmarks/results/suite-openml

The rule (`choose`) looks at origin, size, kind and family, never at results. Both ways split in ten stratified folds,
each with a seed of its own, so the figures of one are not those of the other.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autometa.bench import Plan, Watcher, bench, open_suite
from autometa.bench.results import SESSIONS, append, read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "bench.jsonl"
KINDS = ("binary", "multiclass", "regression")
Row = dict[str, str]


def choose(catalog: Path, count: int = 30, seed: int = 0) -> list[Row]:
    """Real datasets of CC18 or the AutoML Benchmark, kinds in turn, no two of a family, drawn with `seed`.

    Only those of 500 rows or more whose rarest class has at least 20, so that every fold of ten has two of each class.
    """
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real" and "1" in (r["in_cc18"], r["in_amlb"])]
    rows = [r for r in rows if int(r["n_rows"]) >= 500]
    rows = [r for r in rows if r["task"] == KINDS[2] or float(r["minority_fraction"]) * int(r["n_rows"]) >= 20]
    rows.sort(key=lambda r: r["name"])
    random.Random(seed).shuffle(rows)
    chosen: list[Row] = []
    while len(chosen) < count:
        for kind in KINDS:
            used = {r["family"] for r in chosen}
            free = [r for r in rows if r["task"] == kind and r["family"] not in used]
            chosen += free[:1] if len(chosen) < count else []
        if not any(r["family"] not in {c["family"] for c in chosen} for r in rows):
            break
    return sorted(chosen, key=lambda r: (KINDS.index(r["task"]), r["name"].casefold()))


def write(rows: Sequence[Row], path: Path, tables: str) -> None:
    """A catalogue; `tables` is the folder of the tables, seen from it."""
    names = ("name", "file", "task", "family", "openml_id")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for r in rows:
            writer.writerow({n: f"{tables}/{r['name']}.parquet" if n == "file" else r[n] for n in names})


def serve(rows: Sequence[Row], data: Path, server: Path, port: int) -> int:
    """Runs the loopback server over these datasets until it is stopped; the suite is 99, each task its own data id."""
    with tempfile.TemporaryDirectory(prefix="autometa-suite-") as name:
        folder = Path(name)
        with (folder / "catalog.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("name", "task", "did", "task_id"))
            writer.writeheader()
            for r in rows:
                writer.writerow(
                    {"name": r["name"], "task": r["task"], "did": r["openml_id"], "task_id": r["openml_id"]}
                )
        suite = {
            "id": 99,
            "alias": "proof",
            "name": "CC18 and AMLB",
            "description": "",
            "datasets": [r["name"] for r in rows],
        }
        (folder / "suites.json").write_text(json.dumps([suite]), encoding="utf-8")
        program = [sys.executable, server, "--data-dir", data / "tabular", "--catalog", folder / "catalog.csv"]
        program += ["--state-dir", folder / "state", "--suites", folder / "suites.json", "--port", port]
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with subprocess.Popen([str(part) for part in program]) as server:
            try:
                return server.wait()
            except KeyboardInterrupt:
                return 0
            finally:
                server.terminate()


def overhead(rows: Sequence[Row], data: Path) -> dict[str, Any]:
    """The three smallest through `autometa bench`, whose session says how much of the time was not the methods' own."""
    with tempfile.TemporaryDirectory(prefix="autometa-suite-") as name:
        folder = Path(name)
        write(rows, folder / "suite.csv", str((data / "tabular").resolve()))
        plan = Plan(("autometa", "cold", "lightgbm", "rf"), 10.0, (0,))
        bench(open_suite(str(folder / "suite.csv")), plan, folder / "out", Told())
        (session,) = read_lines(folder / "out" / SESSIONS)
    return {"benchmark": "overhead", "methods": plan.methods, "budget": plan.seconds, "seed": plan.seed} | session


class Told(Watcher):
    """Says each cell."""

    def ended(self, record: Mapping[str, Any]) -> None:
        """A cell ended."""
        said = record["reason"][:80] if record["score"] is None else f"{record['score']:.4g}"
        took = f"{record['seconds']:.1f} s, ours {record['overhead']:.3f} s"
        print(f"{record['name']} {record['method']}: {said} ({took})")


def main() -> int:
    """Lists, writes or serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the chosen datasets")
    parser.add_argument("--write", action="store_true", help="write the catalogue")
    parser.add_argument("--serve", action="store_true", help="serve them through OpenML's protocol")
    parser.add_argument("--overhead", action="store_true", help="measure what the benchmark itself costs")
    parser.add_argument("--quick", action="store_true", help="three small ones only")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--port", type=int, default=8642)
    shared = REPOSITORY.parent / "shared"
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--server", type=Path, default=shared / "openml_server" / "openml_server.py")
    arguments = parser.parse_args()
    rows = choose(arguments.data / "catalog.csv", arguments.count)
    if arguments.quick or arguments.overhead:
        rows = [min((r for r in rows if r["task"] == kind), key=lambda r: int(r["n_rows"])) for kind in KINDS]
    if arguments.write:
        write(rows, Path(__file__).with_suffix(".csv"), "../../shared/data/tabular")
    if arguments.serve:
        return serve(rows, arguments.data, arguments.server, arguments.port)
    if arguments.overhead:
        session = overhead(rows, arguments.data)
        append(RESULTS, session)
        print(f"{session['overhead']:.2%} of {session['seconds']:.0f} s were not the methods' own")
        return 0
    if arguments.list or not arguments.write:
        for r in rows:
            size = f"{int(r['n_rows']):6} {r['n_features']:>4}"
            print(f"{r['task']:12} {size} {r['name']} ({r['family']}, {r['openml_id']})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
