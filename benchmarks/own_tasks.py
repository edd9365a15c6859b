"""Published tables as functions that a study can ask anywhere, and past studies of configurations of their own.

A task of a table becomes a function of its configurations: a forest of 100 extremely randomised trees, fitted on the
table's results of that task, and evaluated as one array over all trees (a hundred times faster than the library's own
`predict` of one row, and the same numbers). A past study is such a function tried by Optuna's TPE or at random, by
turns, for 20 to 100 trials. `PASTS` says what the past is like: `plain`; `flipped`, where each past study minimised
what the new one maximises; `changed`, where each past study knew a narrower range of half of its numbers.

Laws: everything follows from `SEED`; no two studies share a configuration; what takes long to make (past studies, the
best and the median value of a task) is kept under `build/own_studies`, by the version of Optuna that made it.
A further space is one function and one line in `SPACES`.

Letters:  t tasks · m configurations · d encoded dimensions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution, IntDistribution
from surrogate import DATA, ROOT, TABLES, Table

from autometa.space import Config, Parameter, SearchSpace, integer, real

SEED = 21  # of the halves, of trajectories and of the functions
RANDOM = 20_000  # configurations that say what is best and what is usual
LENGTHS = (20, 100)  # trials of a past study
PASTS = ("plain", "flipped", "changed")
KEPT = ROOT / "build" / "own_studies"


# ---------------------------------------------------------------------------------------------------------- spaces


def nap_xgb() -> Table:
    """NAP's tables of XGBoost: other configurations on each task. Its values are read as losses (see its README)."""
    ranges = {"x0": (0.05, 1, False), "x1": (0.05, 1, False), "x2": (1e-5, 1, True), "x3": (0.05, 10, True),
              "x4": (1e-5, 2, True), "x5": (1e-5, 2, True)}  # fmt: skip
    return _own("nap_xgb", "nap_hpobench_xgb", ranges)


def iaml_glmnet() -> Table:
    """The elastic net of YAHPO Gym: four tasks, error as the surrogate models predict it."""
    return _own("iaml_glmnet", "yahpo_surrogate_samples", {"alpha": (0, 1, False), "s": (1e-3, 1e3, True)})


def _own(name: str, folder: str, ranges: dict[str, tuple[float, float, bool]]) -> Table:
    """A table of losses in which each task may have its own configurations; numbers only."""
    import pandas as pd

    frame = pd.read_parquet(DATA / folder / "evaluations.parquet")
    frame = frame[frame["space"] == name] if name in set(frame["space"]) else frame
    space = SearchSpace.of(
        **{n: real(low, high, (low * high) ** 0.5 if log else (low + high) / 2, log=log)
           for n, (low, high, log) in ranges.items()}
    )  # fmt: skip
    frame = frame.sort_values("task_id", kind="stable")
    configs = tuple(space.clip(row)[0] for row in frame[list(ranges)].astype(float).to_dict("records"))
    tasks = sorted(frame["task_id"].unique())
    scores = np.full((len(tasks), len(frame)), np.nan)
    for row, task in enumerate(tasks):
        own = (frame["task_id"] == task).to_numpy()
        scores[row, own] = -frame["metric_value"].to_numpy(float)[own]
    x, mask = space.encode_all(configs)
    groups = np.array([str(task) for task in tasks])
    return Table(name, space, configs, scores, np.full(scores.shape, np.nan), groups, x, mask)


SPACES: dict[str, Callable[[], Table]] = {
    **{name: TABLES[name] for name in ("rbv2_xgboost", "rbv2_rpart", "lcbench", "hpobench_mlp", "hpolib_fcnet")},
    "nap_xgb": nap_xgb,
    "oboe": TABLES["oboe"],  # twelve learners, each with parameters of its own
    "iaml_glmnet": iaml_glmnet,
}


@cache
def table_of(space: str) -> Table:
    """The table of a space, read once per process."""
    return SPACES[space]()


# ------------------------------------------------------------------------------------------------------- functions


class Forest:
    """A fitted forest of regression trees as arrays over all of its nodes; one point is asked at all trees at once."""

    def __init__(self, model: Any) -> None:
        """From a fitted forest of scikit-learn."""
        trees = [estimator.tree_ for estimator in model.estimators_]
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        self.roots = starts[:-1]
        self.depth = max(tree.max_depth for tree in trees)
        self.feature = np.concatenate([np.maximum(tree.feature, 0) for tree in trees])
        self.threshold = np.concatenate([tree.threshold for tree in trees])
        self.value = np.concatenate([tree.value[:, 0, 0] for tree in trees])
        own = np.arange(starts[-1])  # a leaf leads to itself
        left, right = (
            np.concatenate([np.where(side < 0, -1, side + start) for side, start in zip(sides, starts, strict=False)])
            for sides in ([tree.children_left for tree in trees], [tree.children_right for tree in trees])
        )
        self.next = np.stack([np.where(right < 0, own, right), np.where(left < 0, own, left)])

    def __call__(self, point: NDArray[np.float64]) -> float:  # (2 d,)
        """The mean of the trees at one point."""
        seen, node = point.astype(np.float32), self.roots  # trees compare in single precision
        for _ in range(self.depth):
            node = self.next[(seen[self.feature[node]] <= self.threshold[node]).astype(int), node]
        return float(self.value[node].mean())


@cache
def forest_of(space: str, task: int) -> tuple[Any, Forest]:
    """The forest of a task: scikit-learn's, which is fast at many points, and ours, which is fast at one."""
    from sklearn.ensemble import ExtraTreesRegressor

    table = table_of(space)
    known = np.isfinite(table.scores[task])
    inputs = np.hstack([table.x, table.mask])[known]
    model = ExtraTreesRegressor(100, random_state=SEED, n_jobs=1).fit(inputs, table.scores[task, known])
    return model, Forest(model)


@cache
def scale_of(space: str, task: int) -> tuple[float, float]:
    """The best value of a task over 20,000 random configurations and the table's, and the median of the random ones."""

    def make() -> list[float]:
        table, values = table_of(space), forest_of(space, task)[0].predict(random_inputs(space))
        return [float(max(values.max(), np.nanmax(table.scores[task]))), float(np.median(values))]

    best, usual = kept(f"{space}-{task}-scale", make)
    return best, usual


@cache
def random_inputs(space: str) -> NDArray[np.float64]:
    """(20000, 2 d) encoded random configurations and their masks."""
    encoded = table_of(space).space
    rng = np.random.default_rng([SEED, 1])
    x, mask = encoded.encode_all([encoded.sample(rng) for _ in range(RANDOM)])
    return np.hstack([x, mask])


def objective_of(space: str, task: int, *, sign: float = 1.0, narrow: int | None = None) -> Callable[[Any], float]:
    """What a study of the task maximises; `narrow` is the seed of the narrower ranges of a changed space."""
    whole = table_of(space).space
    asked = whole if narrow is None else narrowed(whole, narrow)
    forest = forest_of(space, task)[1]

    def objective(trial: Any) -> float:
        x, mask = whole.encode(asked.suggest(trial))
        return sign * forest(np.concatenate([x, mask]))

    return objective


def narrowed(space: SearchSpace, seed: int) -> SearchSpace:
    """The space with half of the numbers in a range of two thirds of their width."""
    rng, parameters = np.random.default_rng([SEED, 2, seed]), []
    for p in space:
        distribution: Any = p.distribution
        if isinstance(distribution, (FloatDistribution, IntDistribution)) and rng.random() < 0.5:
            ends = np.array([distribution.low, distribution.high], dtype=float)
            ends = np.log(ends) if distribution.log else ends
            start = ends[0] + rng.uniform(0, 1 / 3) * (ends[1] - ends[0])
            low, high = start, start + 2 / 3 * (ends[1] - ends[0])
            low, high = (np.exp(low), np.exp(high)) if distribution.log else (low, high)
            if isinstance(distribution, IntDistribution):
                low, high = int(np.ceil(low)), max(int(high), int(np.ceil(low)))
            make = integer if isinstance(distribution, IntDistribution) else real
            distribution, default = make(low, high, min(max(p.default, low), high), log=distribution.log)
            p = Parameter(p.name, distribution, default, p.when)
        parameters.append(p)
    return SearchSpace(parameters)


# -------------------------------------------------------------------------------------------------------- the past


@dataclass(frozen=True, slots=True, eq=False)
class PastStudy:
    """What one past study tried, in order; larger values are better in its own eyes."""

    name: str
    space: SearchSpace  # as it was then
    configs: tuple[Config, ...]
    values: tuple[float, ...]

    @property
    def best(self) -> Config:
        """The configuration of its best trial."""
        return self.configs[int(np.argmax(self.values))]

    def study(self) -> optuna.Study:
        """The same as a study of Optuna."""
        study = optuna.create_study(study_name=self.name, direction="maximize")
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params=config, distributions={n: self.space[n].distribution for n in config}, value=value
                )
                for config, value in zip(self.configs, self.values, strict=True)
            ]
        )
        return study


@cache
def past_study(space: str, task: int, past: str) -> PastStudy:
    """One past study: 20 to 100 trials of its own, by TPE or at random."""
    whole = table_of(space).space
    narrow = task if past == "changed" else None
    asked = whole if narrow is None else narrowed(whole, narrow)

    def make() -> dict[str, Any]:
        rng = np.random.default_rng([SEED, 3, task])
        trials, seed = int(rng.integers(*LENGTHS, endpoint=True)), int(rng.integers(2**31))
        tpe = rng.random() < 0.5
        sampler: Any = optuna.samplers.TPESampler(seed=seed) if tpe else optuna.samplers.RandomSampler(seed=seed)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(
            objective_of(space, task, sign=-1.0 if past == "flipped" else 1.0, narrow=narrow), n_trials=trials
        )
        return {"configs": [t.params for t in study.trials], "values": [t.value for t in study.trials]}

    found = kept(f"{space}-{task}-{past}", make)
    return PastStudy(f"{space}-{task}", asked, tuple(found["configs"]), tuple(found["values"]))


def kept(name: str, make: Callable[[], Any]) -> Any:
    """`make()`, or what it gave when it was last asked for under this name."""
    path = KEPT / f"{SEED}-{optuna.__version__}" / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        draft = Path(f"{path}.{os.getpid()}")  # two processes may make the same at the same time
        draft.write_text(json.dumps(made), encoding="utf-8")
        draft.replace(path)
    return json.loads(path.read_text(encoding="utf-8"))
