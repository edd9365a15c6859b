"""What the memory has to do with one search: the sampler that asks it, what it proposes, and what it is given back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autometa.errors import InputError, RunError, StoreError
from autometa.evaluation import METRICS, crowding
from autometa.families import truncatable
from autometa.quantiles import quantile_of
from autometa.search.clock import Clock
from autometa.search.first import CONFIG
from autometa.search.in_context import without_foundation
from autometa.search.options import OPTIONS
from autometa.search.plan import SearchPlan
from autometa.search.result import Result, open_run
from autometa.search.run import Run
from autometa.search.rungs import Rungs
from autometa.search.settings import Progress, Settings, TrialRow
from autometa.space import FAMILY
from autometa.store import Exclusion
from autometa.task import DEFAULT_METRICS, Task
from autometa.transfer.cost import TrialLimit
from autometa.transfer.growth import growth
from autometa.transfer.made import Experience, made_before

if TYPE_CHECKING:
    import optuna

    from autometa.metafeatures import MetaFeatures
    from autometa.sampler import WarmStartSampler
    from autometa.space import SearchSpace
    from autometa.store import PastTasks
    from autometa.transfer import Recommendation, Surrogate


@dataclass(frozen=True, slots=True)
class Recall:
    """The sampler of a search, and the meta-features of its table; None where neither past nor store asks for them."""

    sampler: WarmStartSampler
    metafeatures: MetaFeatures | None
    made: Mapping[str, Experience] = field(default_factory=dict)  # what past tables say of made columns, by family
    knows_embeddings: bool = False  # whether past tasks were of embeddings, as this one is
    growth: Mapping[str, float] = field(default_factory=dict)  # of seconds with rows, by family


def recall(
    task: Task, settings: Settings, plan: SearchPlan, clock: Clock, rungs: Rungs, progress: Progress, gpu: bool = False
) -> Recall:
    """The sampler, with what the store remembers behind it unless the search is cold.

    Raises:
        StoreError: The metadata store cannot be used.
    """
    from autometa.metafeatures import describe
    from autometa.sampler import WarmStartSampler
    from autometa.sampler.past import task_weights
    from autometa.store import MetaStore

    metafeatures, space = None, without_foundation(plan.space)
    if settings.remember or not settings.cold:
        progress.stage("describing")
        metafeatures = describe(task.learned, seconds=clock.to_describe)
    if settings.cold:
        return Recall(WarmStartSampler(None, space, seed=settings.seed), metafeatures)
    known = task.metric if task.metric in METRICS else DEFAULT_METRICS[task.kind]  # of others past tasks know nothing
    past = MetaStore.with_shipped(settings.store).past(kind=task.kind, metric=known, exclude=settings.exclude, gpu=gpu)
    trials, most = clock.budget.trials, plan.options.warm_trials
    sampler = WarmStartSampler(
        past,
        space,
        metafeatures,
        n_initial=most if trials is None else min(most, -(-trials // 2)),
        surrogate=shipped_surrogate(task.kind, space, settings.exclude, progress),
        seed=settings.seed,
        seconds=None if settings.seconds is None else max(clock.budget.left_to_search, 0.0),
        jobs=plan.jobs,
        limit=None if math.isinf(clock.longest) else _first_limit(settings, plan, clock, rungs),
        folds=len(plan.splits),
    )
    sampler.ahead = max(1, min(int(plan.jobs * plan.options.proposed_share), plan.options.most_proposed))
    made = made_before(past, task_weights(past, metafeatures))
    knows_embeddings = _knows_embeddings(past, metafeatures, plan.space)
    return Recall(sampler, metafeatures, made, knows_embeddings, growth(past) if rungs.samples else {})


def _knows_embeddings(past: PastTasks, metafeatures: MetaFeatures | None, space: SearchSpace) -> bool:
    """Whether few-shot heads were tried on a past task of embeddings, and this is one."""
    name = "embedding_width"
    if metafeatures is None or name not in past.metafeature_names or not math.isfinite(metafeatures[name]):
        return False
    there = np.isfinite(past.metafeatures[:, past.metafeature_names.index(name)])
    heads = np.array([config.get(FAMILY) == "few_shot" for config in past.configs], dtype=bool)
    return "few_shot" in space.families and bool(np.isfinite(past.scores[there][:, heads]).any())


def _first_limit(settings: Settings, plan: SearchPlan, clock: Clock, rungs: Rungs) -> TrialLimit:
    """What a trial may take, in seconds of the machines where past tasks were timed.

    On a crowded one a second is worth less, which the first result tells by itself (`Trials`). What past tasks say is
    of all rows, so on a sample a trial may take more by that.
    """
    slow = 1.0 if settings.seconds is None else crowding()
    longest = clock.longest_on_sample * rungs.n / rungs.rows if rungs.samples else clock.longest
    return TrialLimit(longest / slow, truncatable(plan.space))


def shipped_surrogate(kind: str, space: SearchSpace, exclude: Exclusion, progress: Progress) -> Surrogate | None:
    """The surrogate that ships with the package, if it knows everything that is searched here.

    Weights cannot forget what they learned from, so there is none where a past task is excluded.
    """
    from autometa.store.address import meta_db
    from autometa.transfer import Surrogate

    path = meta_db() / f"surrogate-{kind}.npz"
    if not path.is_file() or exclude != Exclusion():
        return None
    try:
        return Surrogate.load(path).restricted(space)
    except InputError as error:
        what = ", ".join(str(problem.where) for problem in error.problems[:3])
        more = f" and {len(error.problems) - 3} others" if len(error.problems) > 3 else ""
        progress.note(f"The surrogate that ships with AutoMeta is not used: it was not trained for this {what}{more}.")
        return None


def first_recommendations(
    run: Run, sampler: WarmStartSampler, study: optuna.Study, finished: Sequence[TrialRow], shown: int
) -> list[Recommendation]:
    """What the memory proposed before the first trial: asked for once, then read from the run."""
    if run.settings.cold:
        return []
    if not finished and not run.recommendations():
        run.save_recommendations(study, sampler.recommend(study, shown))
    return list(run.recommendations())


def why_not_remembered(task: Task) -> str | None:
    """Why the evaluations of a task cannot stand beside those of others in the memory; None where they can."""
    unusual = (
        ("weights of rows", task.weights is not None),
        ("costs", bool(task.costs)),
        ("a validation table", bool(task.validation)),
        ("monotonic columns", bool(task.monotonic)),
    )
    odd = [what for what, there in unusual if there]
    if quantile_of(task.metric) is not None:
        return "Not remembered: what fits a quantile says nothing of how a configuration does at the mean."
    if odd:
        return f"Not remembered: with {' and '.join(odd)} scores are not those that other searches of this table find."
    return None


def remember_late(result: Result, metafeatures: MetaFeatures | None, progress: Progress) -> None:
    """Adds a finished search to the store; where that fails, it is said, and the search is no less finished."""
    try:
        remember(result.task, result.settings, metafeatures, result.trials)
    except (StoreError, OSError) as error:
        progress.note(
            f"The run is finished, but was not remembered: {error} `autometa remember {result.run}` does it later."
        )


def remember_run(run: str | Path, *, store: str | None = None, trusted: bool = False) -> int:
    """Adds a finished run to the store that it was made with, or to another; how many evaluations were new.

    Args:
        run: Its folder.
        store: URL or path of the store; None for that of the run.
        trusted: Read a run of an older version though somebody else made it.

    Raises:
        RunError: It is not a run, not finished, or damaged.
        StoreError: The metadata store cannot be used.

    See Also:
        `autometa.MetaStore`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     remember_run(run, store=f"{folder}/store.db"), remember_run(run, store=f"{folder}/store.db")
        (1, 0)
    """
    from autometa.metafeatures import describe

    result = open_run(run, trusted=trusted)
    if why := why_not_remembered(result.task):
        raise RunError(f"{run}: {why}")
    settings = replace(result.settings, store=store or result.settings.store)
    metafeatures = describe(result.task, seconds=OPTIONS.describe_seconds)
    return remember(result.task, settings, metafeatures, result.trials)


def remember(task: Task, settings: Settings, metafeatures: MetaFeatures | None, trials: Sequence[TrialRow]) -> int:
    """Adds the task and its evaluations to the store; how many evaluations were new.

    What a configuration is worth on a sample is another task's: that of the sample.

    Raises:
        StoreError: The metadata store cannot be used.
    """
    from autometa.metafeatures import describe
    from autometa.store import MetaStore, TaskRecord, sample_fingerprint

    known = [row.evaluation for row in trials if row.evaluation.config != CONFIG]  # which is in no space
    store, new = MetaStore(settings.store), 0
    for rows in sorted({evaluation.rows for evaluation in known}):
        part, described = task, metafeatures
        if rows < task.n:
            part, described = task.sample(rows, settings.seed), None
        if described is None:  # there was no time for them before
            described = describe(part, seconds=OPTIONS.describe_seconds)
        record = TaskRecord.of(part, described, source="fit")
        if rows < task.n:
            address = sample_fingerprint(task.judged_fingerprint, rows)
            record = replace(record, fingerprint=address, family=task.family or task.name)
        new += store.add(record, [evaluation for evaluation in known if evaluation.rows == rows])
    return new
