"""Several objectives: hypervolume after t trials of a study that remembers past fronts, beside TPE and NSGA-II.

    python benchmarks/several_objectives.py            # writes results/several_objectives.md

Problems of two families are made from a seed. `bowls`: distances from two or three points, which lie elsewhere on each
task, so that the front is what lies between them. `deceiving`: ZDT1 (Zitzler, Deb and Thiele, 2000) with its best
values of the other parameters moved. Past: studies of 40 trials on other tasks of the family, by TPE and at random in
turns. New: WarmStartSampler against Optuna's defaults, and against TPE after all front members of the past studies were
enqueued in the order of the studies, which is what people do by hand.

Hypervolume is a share of the best that is known, that of all methods' trials together with the front's own points; the
reference point is the median of 200 random configurations on each objective. Means over tasks, ± 95 % by a t interval.
`mislead` is `bowls` whose past is of a family of other points altogether.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import Trial

from autometa import MetaStore, WarmStartSampler, remember_study

TRIALS, PAST, LENGTH = (1, 3, 5, 10, 20, 40), 6, 40
Objective = Callable[[Trial], tuple[float, ...]]


def bowls(
    seed: int, spread: float = 0.08, d: int = 6, centre: int = 0
) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
    """K points in the unit cube around those of the family; the objectives are the distances from them."""
    k = 2 + centre % 2
    anchors = np.random.default_rng(1000 + centre).random((k, d))
    points = np.clip(anchors + spread * np.random.default_rng(seed).standard_normal((k, d)), 0, 1)
    scale = np.exp(np.random.default_rng(seed + 1).standard_normal(k))
    return k, lambda x: scale * ((x - points) ** 2).sum(axis=1) ** 0.7


def deceiving(seed: int, d: int = 6) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
    """ZDT1 whose g is least where the other parameters are at values of the task's own."""
    rest = np.clip(0.7 + 0.08 * np.random.default_rng(seed).standard_normal(d - 1), 0, 1)

    def both(x: np.ndarray) -> np.ndarray:
        g = 1 + 9 * np.abs(x[1:] - rest).mean()
        return np.array([x[0], g * (1 - np.sqrt(x[0] / g))])

    return 2, both


def objective_of(values: Callable[[np.ndarray], np.ndarray], d: int = 6) -> Objective:
    """As an objective of Optuna."""
    return lambda trial: tuple(map(float, values(np.array([trial.suggest_float(f"x{j}", 0, 1) for j in range(d)]))))


def hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Of what the points dominate below the reference."""
    inside = points[(points < reference).all(axis=1)]
    return float(optuna._hypervolume.compute_hypervolume(inside, reference)) if len(inside) else 0.0


def study_of(objective: Objective, k: int, sampler: BaseSampler, trials: int, name: str) -> optuna.Study:
    """A study that minimises k objectives."""
    study = optuna.create_study(directions=["minimize"] * k, sampler=sampler, study_name=name)
    study.optimize(objective, trials)
    return study


def one(family: str, task: int) -> dict[str, tuple[np.ndarray, float]]:
    """Of each method the share of the best hypervolume after `TRIALS`, and CPU milliseconds a trial."""

    def make(seed: int, past: bool) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
        if family == "deceiving":
            return deceiving(seed)
        return bowls(seed, centre=task + (500 if family == "mislead" and past else 0) * 2)

    k, values = make(10_000 + task, False)
    objective = objective_of(values)
    found: dict[str, list[np.ndarray]] = {}
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store, fronts = MetaStore(Path(folder) / "store.db"), []
        for i in range(PAST):
            sampler: BaseSampler = RandomSampler(seed=i) if i % 2 else TPESampler(seed=i)
            study = study_of(objective_of(make(100 * task + i, True)[1]), k, sampler, LENGTH, f"past {i}")
            remember_study(study, store, "mine")
            fronts += [trial.params for trial in study.best_trials[: max(TRIALS) // PAST]]
        for name in ("remembered fronts", "TPE", "TPE after enqueue", "NSGA-II"):
            started = time.process_time()
            sampler = {
                "remembered fronts": lambda: WarmStartSampler(store, space="mine", seed=task),
                "NSGA-II": lambda: NSGAIISampler(seed=task, population_size=10),
            }.get(name, lambda: TPESampler(seed=task))()
            study = optuna.create_study(directions=["minimize"] * k, sampler=sampler)
            if name == "TPE after enqueue":
                for params in fronts[:10]:
                    study.enqueue_trial(params)
            study.optimize(objective, max(TRIALS))
            took[name] = 1e3 * (time.process_time() - started) / max(TRIALS)
            found[name] = [np.array(trial.values) for trial in study.trials]
    rng = np.random.default_rng(task)
    reference = np.median([values(x) for x in rng.random((200, 6))], axis=0)
    everything = np.array([point for points in found.values() for point in points])
    long = study_of(objective, k, NSGAIISampler(seed=1), 400, "long")
    best = hypervolume(np.vstack([everything, [trial.values for trial in long.trials]]), reference)
    shares = {n: np.array([hypervolume(np.array(p[:t]), reference) for t in TRIALS]) / best for n, p in found.items()}
    return {name: (share, took[name]) for name, share in shares.items()}


def main() -> None:
    """Runs every family and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10, help="tasks of each family")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "several_objectives.md")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    from scipy.stats import t as student

    head = f"| family | method | {' | '.join(f't={t}' for t in TRIALS)} | ms |"
    lines = [
        f"`python benchmarks/several_objectives.py --tasks {arguments.tasks}`, Optuna {optuna.__version__}. Share "
        f"of the best known hypervolume after t trials; {PAST} past studies of {LENGTH} trials. Mean ± 95 %.\n",
        head,
        "|" + "---|" * (len(TRIALS) + 3),
    ]
    for family in ("bowls", "deceiving", "mislead"):
        found = [one(family, task) for task in range(arguments.tasks)]
        for method in found[0]:
            shares = np.array([result[method][0] for result in found])
            half = student.ppf(0.975, len(shares) - 1) * shares.std(axis=0, ddof=1) / np.sqrt(len(shares))
            cells = [f"{mean:.2f} ± {h:.2f}" for mean, h in zip(shares.mean(axis=0), half, strict=True)]
            ms = np.median([result[method][1] for result in found])
            lines.append(f"| {family} | {method} | {' | '.join(cells)} | {ms:.0f} |")
            print(lines[-1], flush=True)
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
