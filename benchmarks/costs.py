"""How well does a search know what a trial will take? Expected against real seconds on tasks of families left out.

    python benchmarks/costs.py            the shipped memory, half a minute
    python benchmarks/costs.py --store URL

What a configuration takes on a new task is expected from past tasks, with the size of the task in mind: for
configurations that they know (`cost.py`, the first proposals), and for others from what those are expected to take
(`surrogate/past.py`, the search after them; half of the configurations are left out here). What the first trials took
moves that (`timing.slower`): as a whole, and per family on top. Reported is the factor by which the other
configurations are missed, in the median and in nine of ten, after 0, 1, 3, 5 and 10 trials at random, with the task's
level alone and with the families' own; and the spreads of tasks, families and trials that are most probable, from which
come the constants in `timing.py`. Appends JSON lines to `results/costs.jsonl`.

Letters:  t tasks · m configurations · k trials that were timed.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recommend import METRICS, Table, among, stored
from scipy.optimize import minimize
from warm_start import families_out

from autometa import timing
from autometa.cost import Cost
from autometa.metafeatures import MetaFeatures
from autometa.space import FAMILY
from autometa.surrogate.encoding import Layout
from autometa.surrogate.past import PastTable

RESULTS = Path(__file__).resolve().parent / "results" / "costs.jsonl"
AFTER = (0, 1, 3, 5, 10)
Rest = tuple[NDArray[np.float64], NDArray[np.str_]]  # of one task: log seconds over the expected ones, and whose


def rests(table: Table, known: bool, seed: int) -> list[Rest]:
    """What is left of the log seconds of every task beyond what tasks of all other families let expect."""
    past, layout, found = table.past, Layout(table.space), []
    families = np.array([config.get(FAMILY, "") for config in past.configs])
    encoded = table.space.encode_all([table.space.clip(config)[0] for config in past.configs])
    told = np.ones(len(families), dtype=bool) if known else np.random.default_rng(seed).random(len(families)) < 0.5
    for train, test in families_out(table.groups):
        part = among(past, train, told)
        cost = Cost.learned(part.records, part.configs, part.seconds)
        for i in test:
            timed = (past.seconds[i] > 0) & (told if known else ~told)
            seen = MetaFeatures(past.metafeature_names, past.metafeatures[i], past.metafeature_version, {})
            if known:
                expected = np.log(cost.of(seen)[timed])
            else:
                near = PastTable(part, layout, metafeatures=seen, forecasting=False)
                expected = near.log_seconds(encoded.x[timed], encoded.mask[timed])
            found.append((np.log(past.seconds[i, timed]) - expected, families[timed]))
    return [(rest, whose) for rest, whose in found if len(rest) > AFTER[-1]]


def misses(found: list[Rest], after: int, spreads: timing.Spreads, seed: int) -> NDArray[np.float64]:
    """Log of the factor by which each task's other configurations are missed after so many trials at random."""
    rng, out = np.random.default_rng(seed), []
    for rest, whose in found:
        order = rng.permutation(len(rest))
        told, asked = order[:after], order[AFTER[-1] :]  # the same are asked for after any number
        out.append(np.abs(rest[asked] - timing.slower(rest[told], whose[told], whose[asked], spreads)))
    return np.concatenate(out)


def most_probable(found: list[Rest]) -> timing.Spreads:
    """The spreads of tasks, of their families, and of trials, by maximum likelihood."""

    def unlikely(log: NDArray[np.float64]) -> float:
        of_tasks, of_families, of_trials = np.exp(2 * log)
        total = 0.0
        for rest, whose in found:
            covariance = of_tasks + of_families * (whose[:, None] == whose) + of_trials * np.eye(len(rest))
            lower = np.linalg.cholesky(covariance)
            total += 0.5 * float(np.sum(np.linalg.solve(lower, rest) ** 2)) + np.log(np.diag(lower)).sum()
        return total

    best = minimize(unlikely, np.log([0.7, 0.6, 0.5]), method="Nelder-Mead", options={"xatol": 0.01, "fatol": 0.1})
    return timing.Spreads(*np.exp(best.x).round(3).tolist())


def measure(table: Table, known: bool, seed: int) -> dict[str, Any]:
    """One kind of task, and one kind of expectation."""
    found, used = rests(table, known, seed), timing.KNOWN if known else timing.OTHERS
    factors = {
        name: {
            str(after): np.exp(np.quantile(misses(found, after, spreads, seed), (0.5, 0.9))).round(3).tolist()
            for after in AFTER
        }
        for name, spreads in {"level": used._replace(families=1e-6), "level and families": used}.items()
    }
    return {
        "benchmark": "costs", "table": table.name, "known": known, "tasks": len(found), "seed": seed,
        "spreads": most_probable(found)._asdict(), "factors": factors, "python": platform.python_version(),
        "machine": platform.machine(), "versions": {name: version(name) for name in ("autometa", "numpy", "scipy")},
    }  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default=str(files("autometa") / "meta_db" / "memory.db"), help="path or URL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-record", action="store_true", help=f"do not write to {RESULTS.name}")
    options = parser.parse_args()
    tables = [stored(options.store, kind) for kind in METRICS]
    rows = []
    for table, known in product(tables, (True, False)):
        row = measure(table, known, options.seed)
        rows.append(row)
        spreads = ", ".join(f"{name} {spread:.2f}" for name, spread in row["spreads"].items())
        what = "known" if known else "other"
        print(f"\n{table.name}, {row['tasks']} tasks, {what} configurations; spreads: {spreads}")
        print(f"{'missed by a factor of':24}" + "".join(f"{f'after {after}':>18}" for after in AFTER))
        for name, by_number in row["factors"].items():
            print(f"{name:24}" + "".join(f"{f'{a:.2f} (9/10: {b:.1f})':>18}" for a, b in by_number.values()))
    if not options.no_record:
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
