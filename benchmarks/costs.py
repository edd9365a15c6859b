"""How well does a search know what a trial will take? Expected against real seconds on tasks of families left out.

    python benchmarks/costs.py            the shipped memory, half a minute
    python benchmarks/costs.py --store URL
    python benchmarks/costs.py --places   how much costs should count under a time budget, 10 minutes

What a configuration takes on a new task is expected from past tasks, with the size of the task in mind: for
configurations that they know (`cost.py`, the first proposals), and for others from what those are expected to take
(`transfer/forecasts.py`, the search after them; half of the configurations are left out here). What the first trials
took moves that (`cost.slower`): as a whole, and per family on top. Reported is the factor by which the other
configurations are missed, in the median and in nine of ten, after 0, 1, 3, 5 and 10 trials at random, with the task's
level alone and with the families' own; and the spreads of tasks, families and trials that are most probable, from which
come `TransferOptions.known_spreads` and `other_spreads`. Appends JSON lines to `results/costs.jsonl`.

`--places` replays searches under a time budget on the validation families: five proposals of the portfolio, then the
guard (without a surrogate, which would have seen the tasks), among the configurations that were evaluated on the task,
until the next one would not be finished in time. A trial takes `PROCESS` seconds more than it took then. Reported is
the normalised regret at the end, 1 being the distance of the best to the lower quartile, for several values of
`TransferOptions.places`: with few of them costs hardly count, with many the search prefers what is cheap.

Letters:  t tasks · m configurations · k trials that were timed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recommend import METRICS, Table, among, features_of, interval, stored
from scipy.optimize import minimize
from scipy.stats import wilcoxon
from surrogate import regret, stamp
from warm_start import families_out, judged, left_out

from autometa.space import FAMILY, Encoded
from autometa.transfer import OPTIONS, AdaptivePortfolio, Guard, History
from autometa.transfer.cost import Cost, slower
from autometa.transfer.forecasts import PastForecasts
from autometa.transfer.kernels import Layout
from autometa.transfer.options import Spreads

RESULTS = Path(__file__).resolve().parent / "results" / "costs.jsonl"
AFTER = (0, 1, 3, 5, 10)
PLACES = (OPTIONS.places, 1, 5, 10, 40, 100)
BUDGETS = (5, 15)  # in mean trials of the task
PROCESS = 0.3  # seconds
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
            seen = features_of(past, i)
            if known:
                expected = np.log(cost.of(seen)[timed])
            else:
                near = PastForecasts(part, layout, metafeatures=seen, forecasting=False)
                expected = near.log_seconds(encoded.x[timed], encoded.mask[timed])
            found.append((np.log(past.seconds[i, timed]) - expected, families[timed]))
    return [(rest, whose) for rest, whose in found if len(rest) > AFTER[-1]]


def misses(found: list[Rest], after: int, spreads: Spreads, seed: int) -> NDArray[np.float64]:
    """Log of the factor by which each task's other configurations are missed after so many trials at random."""
    rng, out = np.random.default_rng(seed), []
    for rest, whose in found:
        order = rng.permutation(len(rest))
        told, asked = order[:after], order[AFTER[-1] :]  # the same are asked for after any number
        out.append(np.abs(rest[asked] - slower(rest[told], whose[told], whose[asked], spreads)))
    return np.concatenate(out)


def most_probable(found: list[Rest]) -> Spreads:
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
    return Spreads(*np.exp(best.x).round(3).tolist())


def measure(table: Table, known: bool, seed: int) -> dict[str, Any]:
    """One kind of task, and one kind of expectation."""
    found, used = rests(table, known, seed), OPTIONS.known_spreads if known else OPTIONS.other_spreads
    factors = {
        name: {
            str(after): np.exp(np.quantile(misses(found, after, spreads, seed), (0.5, 0.9))).round(3).tolist()
            for after in AFTER
        }
        for name, spreads in {"level": used._replace(families=1e-6), "level and families": used}.items()
    }
    return {
        "benchmark": "costs", "table": table.name, "known": known, "tasks": len(found), "seed": seed,
        "spreads": most_probable(found)._asdict(), "factors": factors, **stamp(),
    }  # fmt: skip


class Timed:
    """One task whose configurations have been evaluated, to be searched again under a time budget."""

    def __init__(self, table: Table, i: int, past: Any, columns: NDArray[np.int64]) -> None:
        """Task `i`, its `past`, and the `columns` that it was evaluated on."""
        self.configs = [table.past.configs[j] for j in columns]
        self.x, self.mask = table.space.encode_all([table.space.clip(config)[0] for config in self.configs])
        scores = table.past.scores[i, columns]
        self.scores = np.where(np.isfinite(scores), scores, -np.inf)
        self.seconds = np.nan_to_num(table.past.seconds[i, columns], nan=1.0) + PROCESS
        self.seen = features_of(table.past, i)
        self.portfolio = AdaptivePortfolio().fit(past, table.space)
        self.guards = {
            number: Guard(table.space, past, metafeatures=self.seen, options=replace(OPTIONS, places=number))
            for number in PLACES
        }

    def begun(self, budget: float) -> list[int]:
        """The proposals that there is time for."""
        tried: list[int] = []
        observed: list[Any] = []
        while len(observed) < 5:
            left = budget - self.seconds[tried].sum()
            told = self.portfolio.recommend(self.seen, 5 - len(observed), observed=observed, seconds=left)
            if not told:
                break
            if told[0].config not in self.configs:  # a default that was not evaluated here
                observed.append((told[0].config, np.nan))
                continue
            k = self.configs.index(told[0].config)
            if self.seconds[k] > left:
                break
            tried.append(k)
            observed.append((told[0].config, float(self.scores[k]), float(self.seconds[k])))
        return tried

    def searched(self, tried: list[int], budget: float, places: int) -> float:
        """Regret when the budget is spent, after what was `tried`."""
        tried = list(tried)
        while len(tried) < len(self.configs):
            rest, spent = np.setdiff1d(np.arange(len(self.configs)), tried), float(self.seconds[tried].sum())
            history = History(self.x[tried], self.mask[tried], self.scores[tried], self.seconds[tried])
            found = self.guards[places].suggest(
                history, rng=np.random.default_rng(0), seconds_left=budget - spent, seconds_spent=spent,
                among=Encoded(self.x[rest], self.mask[rest]),
            )  # fmt: skip
            assert found.row is not None
            if self.seconds[rest[found.row]] > budget - spent:
                break
            tried.append(int(rest[found.row]))
        lowest = self.scores[np.isfinite(self.scores)].min()
        return float(regret(np.maximum(self.scores, lowest), tried, 0.25)[-1]) if tried else 1.0


def places(tables: list[Table], seed: int, most: int) -> list[dict[str, Any]]:
    """Regret under time budgets for several numbers of places, the one in use first."""
    found: dict[int, list[list[float]]] = {budget: [] for budget in BUDGETS}
    for table in tables:
        wanted = np.random.default_rng(seed).permutation(judged(table, "validation", 25))[:most]
        for i, past, columns in left_out(table, wanted, "validation", 10):
            task = Timed(table, i, past, columns)
            for budget in BUDGETS:
                seconds = budget * float(task.seconds.mean())
                begun = task.begun(seconds)
                found[budget].append([task.searched(begun, seconds, number) for number in PLACES])
    rows = []
    for budget, values in found.items():
        regrets = np.array(values)  # (t, places)
        print(f"\n{len(regrets)} tasks, {budget} mean trials of time: regret [95 %], p against {OPTIONS.places} places")
        for number, own in zip(PLACES, regrets.T, strict=True):
            p = float(wilcoxon(own, regrets[:, 0]).pvalue) if (own != regrets[:, 0]).any() else 1.0
            low, high = interval(own, seed)
            print(f"{number:6} {own.mean():.4f} [{low:.4f} {high:.4f}]  {p:.3f}")
            rows.append({"benchmark": "places", "budget": budget, "places": number, "tasks": len(own), "seed": seed,
                         "regret": round(float(own.mean()), 5), "interval": [round(low, 5), round(high, 5)],
                         "p": round(p, 5), **stamp()})  # fmt: skip
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default=str(files("autometa") / "meta_db" / "memory.db"), help="path or URL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--places", action="store_true", help="replays under a time budget")
    parser.add_argument("--most", type=int, default=100, help="tasks of each kind with --places")
    parser.add_argument("--no-record", action="store_true", help=f"do not write to {RESULTS.name}")
    options = parser.parse_args()
    tables = [stored(options.store, kind) for kind in METRICS]
    rows = places(tables, options.seed, options.most) if options.places else []
    for table, known in [] if options.places else product(tables, (True, False)):
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
