"""When foundation models are tried: once as they were trained, then more of those that are among the best.

The memory knows nothing of them, so that nothing of it proposes them: the sampler searches the other families, and here
is said which trial of theirs comes when. What one takes is forecast from the rows and columns that it is shown, its
members and the machine's speed, which is measured for an instant; the first trial corrects that. Where the time is too
short for the default, it is tried with fewer members and then with fewer rows.

Laws: one at a time, and only where there is time for it; without a time budget nothing depends on the time.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.errors import RunError
from autometa.evaluation import Splits
from autometa.families import FAMILIES
from autometa.families.options import OPTIONS as FAMILY_OPTIONS
from autometa.origins import ORIGIN, REASON, Origin
from autometa.search.options import OPTIONS, SearchOptions
from autometa.search.result import leaderboard
from autometa.search.settings import Settings, TrialRow
from autometa.space import FAMILY, Config, SearchSpace, split_family
from autometa.task import Task

if TYPE_CHECKING:
    import optuna

    from autometa.evaluation import Executor
    from autometa.search.plan import SearchPlan


def is_foundation(family: str) -> bool:
    """Whether a family is that of a foundation model.

    Example:
        >>> is_foundation("tabicl"), is_foundation("linear")
        (True, False)
    """
    found = FAMILIES.get(family)
    return found is not None and found.foundation is not None


def without_foundation(space: SearchSpace) -> SearchSpace:
    """The space that a sampler searches: without them, unless there is nothing else.

    Example:
        >>> from autometa.families import cash_space
        >>> without_foundation(cash_space("binary", ["linear"])).families
        ('linear',)
    """
    others = [name for name in space.families if not is_foundation(name)]
    return space if not others or len(others) == len(space.families) else space.only(others)


def foundation_notes(task: Task, settings: Settings, space: SearchSpace) -> list[str]:
    """What is said at the start: whose weights are used, and what keeps an installed one from being tried."""
    notes = []
    for name, family in FAMILIES.items():
        model = family.foundation
        if model is None or task.kind not in family.kinds:
            continue
        if name in space.families:
            notes.append(model.told(task.kind))
        elif settings.families is None and model.version is not None and (why := model.why_not(task.kind)) is not None:
            notes.append(f"{model.label} is not tried. {why}")
    return notes


def with_families_of(space: SearchSpace, study: optuna.Study, kind: str) -> SearchSpace:
    """The space of a run that goes on: of the foundation models that it began with, no more and no fewer.

    Raises:
        RunError: One of them cannot be used any more.
    """
    begun = next((t.distributions[FAMILY] for t in study.get_trials(deepcopy=False) if FAMILY in t.distributions), None)
    choices = getattr(begun, "choices", space.families)
    for name in choices:
        model = FAMILIES[name].foundation if name in FAMILIES else None
        if model is not None and name not in space.families and (why := model.why_not(kind)) is not None:  # type: ignore[arg-type]
            raise RunError(f"the run tries {name} as well. {why}")
    known = [name for name in space.families if name in choices or not is_foundation(name)]
    return space if len(known) == len(space.families) else space.only(known)


@lru_cache(maxsize=4)
def processor_speed(threads: int) -> float:
    """Floating-point operations per second of a processor here, measured for an instant."""
    options = FAMILY_OPTIONS.in_context
    a = np.ones((256, 256), dtype=np.float32)
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < options.timed_seconds or not done:
        a @ a
        done += 1
    return 2.0 * 256**3 * done / max(took, 1e-9) * threads


def operations(config: Config, rows: int, answered: int, columns: int) -> float:
    """Floating-point operations of one fit and its answers.

    Args:
        config: Of a foundation model's family.
        rows: That it is fitted on.
        answered: Rows that it answers.
        columns: Of the table.

    Example:
        >>> few, many = {"family": "tabicl", "tabicl.members": 1, "tabicl.context": 500}, 8
        >>> operations(few | {"tabicl.members": many}, 1000, 200, 10) / operations(few, 1000, 200, 10)
        8.0
    """
    options, (name, own) = FAMILY_OPTIONS.in_context, split_family(config)
    shown = min(rows, own["context"])
    answered += shown * (math.ceil(answered / options.answered) or 1)  # what is shown goes through as well, each time
    cells = options.cell * columns if name == "tabicl" else 0.0
    return float(own["members"] * answered * (2.0 * options.parameters + options.pair * shown + cells))


@dataclass(frozen=True, slots=True)
class InContext:
    """What decides it.

    Args:
        space: Of the search.
        metric: That is judged.
        splits: By which trials are judged.
        columns: Of the table.
        speed: Operations per second, by the family's device.
        trials: That the search may make in all; None for no limit.
        seed: Of the variants.
        options: The tuned numbers.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.families import cash_space
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> splits = plan_splits(make_task(X, y=y, name="wine"), seed=0)
        >>> InContext(cash_space("multiclass", ["knn"]), "neg_log_loss", splits, columns=13, speed=1e9).families
        ()
    """

    space: SearchSpace
    metric: str
    splits: Splits
    columns: int
    speed: float
    trials: int | None = None
    seed: int = 0
    options: SearchOptions = OPTIONS

    @classmethod
    def of(cls, task: Task, settings: Settings, plan: SearchPlan, trials: int | None, executor: Executor) -> InContext:
        """For a search; the speed is measured where there is a time budget and a model to be tried."""
        wanted = any(map(is_foundation, plan.space.families)) and settings.seconds is not None
        on_gpu = settings.device != "cpu" and bool(getattr(executor, "gpus", ()))
        speed = FAMILY_OPTIONS.in_context.gpu_speed if on_gpu else processor_speed(plan.threads) if wanted else 1.0
        return cls(plan.space, task.metric, plan.splits, task.p, speed, trials, settings.seed, plan.options)

    @property
    def families(self) -> tuple[str, ...]:
        """Those of the space."""
        return tuple(filter(is_foundation, self.space.families))

    def reserved(self) -> frozenset[str]:
        """Families that no sampler should propose: these, unless there is nothing else."""
        own = frozenset(self.families)
        return own if len(own) < len(self.space.families) else frozenset()

    def untried(self, finished: Sequence[TrialRow]) -> str | None:
        """Which of them the budget ended without, in a sentence; None where there is none."""
        tried = {row.evaluation.config[FAMILY] for row in finished}
        names = [FAMILIES[name].label for name in self.families if name not in tried]
        return f"Not tried, for want of time or trials: {', '.join(names)}." if names else None

    def enqueue(
        self, study: optuna.Study, finished: Sequence[TrialRow], rows: int, *, left: float, longest: float
    ) -> None:
        """Puts what is due next in the queue of a study."""
        if not self.reserved():
            return
        begun = Counter(_family_of(trial) for trial in study.get_trials(deepcopy=False))
        due = self.next(finished, begun, rows, left=left, longest=longest)
        if due is not None:
            config, noted = due
            study.enqueue_trial(config, user_attrs=noted, skip_if_exists=True)

    def next(
        self, finished: Sequence[TrialRow], begun: Counter[str], rows: int, *, left: float, longest: float
    ) -> tuple[Config, dict[str, str]] | None:
        """The configuration that is due, and what is noted of it; None where none is.

        Args:
            finished: Trials that have ended.
            begun: How many trials of each family have begun.
            rows: That a new configuration learns from.
            left: Seconds for more trials.
            longest: Seconds that one trial should take at most.
        """
        ranked = leaderboard(finished, self.metric)
        ended = Counter(row.evaluation.config[FAMILY] for row in finished)
        after = self.options.foundation_after
        after = after if self.trials is None else min(after, self.trials // 2)
        if len(ranked) < after or any(begun[name] > ended[name] for name in self.families):
            return None
        most = min(longest, self.options.foundation_share * left)
        for name in self.families:
            if not begun[name] and (config := self.affordable(name, finished, rows, most)) is not None:
                label, seconds = FAMILIES[name].label, self.seconds(config, finished, rows)
                took = "" if math.isinf(most) else f", in about {seconds:.0f} s"
                less = "" if config == self._default(name) else ", with fewer members or rows, for want of time"
                reason = f"{label} as it was trained{took}{less}."
                return config, {ORIGIN: Origin.DEFAULT.value, REASON: reason}
        return self._variant(finished, ranked, begun, rows, most)

    def affordable(self, name: str, finished: Sequence[TrialRow], rows: int, most: float) -> Config | None:
        """The default, or as many of its members, and then of its rows, as `most` seconds are enough for."""
        config = self._default(name)
        for part in ("members", "context"):
            low = self.space[f"{name}.{part}"].distribution.low  # type: ignore[attr-defined]
            while self.seconds(config, finished, rows) > most and config[f"{name}.{part}"] > low:
                shown = config[f"{name}.{part}"] if part == "members" else min(config[f"{name}.{part}"], rows)
                smaller = config | {f"{name}.{part}": max(shown // 2, low)}
                if not self.space.contains(smaller):  # it is fixed
                    break
                config = smaller
        return config if self.seconds(config, finished, rows) <= most else None

    def seconds(self, config: Config, finished: Sequence[TrialRow], rows: int) -> float:
        """What a trial on so many rows is expected to take, by the last of its family that ended."""
        name, loading = config[FAMILY], FAMILY_OPTIONS.in_context.loading
        pace = 1.0 / self.speed
        for row in sorted(finished, key=lambda row: row.number):
            tried = row.evaluation
            if tried.config[FAMILY] == name and tried.n_folds and tried.predict_seconds > 0:
                asked = self._operations(tried.config, tried.rows) * tried.n_folds / self.splits.n_folds
                pace = tried.predict_seconds / asked  # it answers by the network, and only loads it when it is fitted
        return loading + self._operations(config, rows) * pace

    def _operations(self, config: Config, rows: int) -> float:
        """Of all folds of a trial."""
        share = min(rows / self.splits.n, 1.0)
        learned, answered = self.splits.train.sum(axis=1), self.splits.test.sum(axis=1)
        folds = zip(learned.tolist(), answered.tolist(), strict=True)
        return sum(operations(config, round(n * share), m, self.columns) for n, m in folds)

    def _default(self, name: str) -> Config:
        return next(config for config in self.space.defaults() if config[FAMILY] == name)

    def _variant(
        self, finished: Sequence[TrialRow], ranked: Sequence[TrialRow], begun: Counter[str], rows: int, most: float
    ) -> tuple[Config, dict[str, str]] | None:
        """One more of the best of these families, if that is among the best of all; once for every few trials."""
        best = [row for row in ranked[: self.options.foundation_among] if is_foundation(row.evaluation.config[FAMILY])]
        tries = sum(begun[name] for name in self.families) - len(self.families)
        if not best or tries >= len(finished) // self.options.foundation_every:
            return None
        name = best[0].evaluation.config[FAMILY]
        own, rng = self.space.only([name]), np.random.default_rng([self.seed, begun[name]])
        for _ in range(self.options.foundation_draws):
            config = own.sample(rng)
            if self.seconds(config, finished, rows) <= most:
                reason = f"{FAMILIES[name].label} is among the best: another configuration of it."
                return config, {ORIGIN: Origin.SEARCH.value, REASON: reason}
        return None


def _family_of(trial: Any) -> str:
    """Of a trial, whether it was asked for already or waits in the queue."""
    return str(trial.params.get(FAMILY) or trial.system_attrs.get("fixed_params", {}).get(FAMILY, ""))
