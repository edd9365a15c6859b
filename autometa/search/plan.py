"""What a search will do before it does anything: which families, which splits, how many trials at once.

SearchPlan.of(task, settings, cpus)    families that suit the table, folds that the time allows, jobs and threads
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autometa.errors import InputError, Problem
from autometa.evaluation import (
    AUTO,
    Here,
    Local,
    Splits,
    available_cpus,
    available_ram,
    crowding,
    plan_splits,
    shared_isolation,
)
from autometa.families import FAMILIES, REGISTRY, available, cash_space, foundation_models, makes_features, suited
from autometa.quantiles import quantile_of
from autometa.search.options import OPTIONS, SearchOptions
from autometa.search.pace import ends_by_itself, too_many_trees
from autometa.search.settings import Settings
from autometa.space import SearchSpace
from autometa.space.narrowing import narrowed
from autometa.task import Task

if TYPE_CHECKING:
    from autometa.evaluation import Executor


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What is searched and how, decided before the first trial.

    Args:
        space: Of every family that suits the table.
        splits: By which every trial is judged.
        cpus: That the search may use.
        jobs: Trials at once.
        max_ram: Bytes that all processes may hold together; None for a share of what is free when a trial begins.
        options: The tuned numbers.
        threshold: As `Settings` has it.
        members: As there.
        most_threads: That one trial can take, for it runs on one machine; None for all.

    See Also:
        `Settings`.
    """

    space: SearchSpace
    splits: Splits
    cpus: int
    jobs: int
    max_ram: int | None = None
    options: SearchOptions = OPTIONS
    threshold: float | str = AUTO
    members: int | None = None
    infer_limit: float | None = None
    most_threads: int | None = None

    @classmethod
    def of(
        cls,
        task: Task,
        settings: Settings,
        cpus: int,
        *,
        splits: Splits | None = None,
        options: SearchOptions = OPTIONS,
        machines: Executor | None = None,
    ) -> SearchPlan:
        """The plan for a table.

        Args:
            task: What to learn.
            settings: What was asked.
            cpus: That the search may use.
            splits: Those of a run that goes on; None for those that the time allows.
            options: The tuned numbers.
            machines: Whose CPUs these are; None for this one's.

        Raises:
            InputError: A family is unknown, or none suits the table; or there are too few rows to split.

        Example:
            >>> from sklearn.datasets import load_wine
            >>> from autometa.task import make_task
            >>> X, y = load_wine(return_X_y=True, as_frame=True)
            >>> plan = SearchPlan.of(make_task(X, y=y, name="wine"), Settings(seconds=60, families=("knn",)), cpus=4)
            >>> plan.splits.n_folds, plan.jobs, plan.threads, plan.threads_for(2)
            (5, 4, 1, 2)
        """
        _check_threshold(task, settings)
        if task.monotonic and quantile_of(task.metric) is not None:
            what = "boosting that fits a quantile sets its leaves anew, and keeps no column monotonic"
            raise InputError(Problem("monotonic", what, "Name another metric, or leave out --monotonic."))
        here = isinstance(machines, Here)
        space, places = search_space(task, settings, options), 1 if machines is None else machines.places
        return cls(
            space=space,
            splits=splits or affordable_splits(task, settings, cpus, options, here=here),
            cpus=cpus,
            jobs=1 if here else settings.jobs or default_jobs(task, settings, cpus, options, places),
            max_ram=settings.max_ram,
            options=options,
            threshold=settings.threshold,
            members=settings.members,
            infer_limit=settings.infer_limit,
            most_threads=cpus if machines is None else machines.most_threads,
        )

    @property
    def threads(self) -> int:
        """CPU threads of one trial."""
        return self.threads_for(self.jobs)

    def threads_for(self, fits: int) -> int:
        """CPU threads of one fit, where there are `fits` in all."""
        return max(1, min(self.cpus // min(self.jobs, fits), self.most_threads or self.cpus))

    def trial_ram(self, others: int = 0) -> int:
        """Bytes that one trial may hold: its part of what `max_ram` leaves, or else a share of what is free now.

        `others` are held beside trials (`Isolation.overhead`).
        """
        if self.max_ram is None:
            return int(self.options.ram_share * available_ram() / self.jobs)
        return max((self.max_ram - others) // self.jobs, self.options.least_ram)


def executor_for(settings: Settings, options: SearchOptions = OPTIONS) -> Local | Here:
    """Where trials run on this machine: each in a process of its own, or all here, where the time is over before that.

    A crowded machine gives few of the seconds that another process needs to load its libraries. Nobody can end a trial
    that runs here, so only what ends by itself is tried, and there is another way where none was asked for.

    Example:
        >>> type(executor_for(Settings(seconds=60.0))).__name__
        'Local'
        >>> type(executor_for(Settings(seconds=1.0, families=("svm",)))).__name__
        'Local'
    """
    isolation, asked = shared_isolation(), settings.families
    suits = not settings.own_families and (
        asked is None or any(name in FAMILIES and ends_by_itself(name) for name in asked)
    )
    if settings.seconds is None or not suits or isolation.is_loaded:
        return Local(isolation)
    if settings.seconds >= options.processor_to_begin * options.most_crowded:
        return Local(isolation)  # whatever the machine gives
    return Here() if settings.seconds / crowding() < options.processor_to_begin else Local(isolation)


def _check_threshold(task: Task, settings: Settings) -> None:
    """Refuses a threshold where there are not two classes."""
    most_probable = 0.5
    if settings.threshold != AUTO and task.costs:
        what = "the costs of mistakes say it, and a threshold says it otherwise"
        raise InputError(Problem("threshold", what, "Leave out one of --threshold and --costs."))
    if settings.threshold == AUTO or task.kind == "binary":
        return
    if task.kind == "regression":
        what, fix = f"{task.target!r} is a number, and has no classes", "Leave it out."
    elif settings.threshold != most_probable:
        what = f"{settings.threshold} is for two classes, and {task.target!r} has {task.c}"
        fix = "Say auto, or 0.5 for the most probable class."
    else:
        return
    raise InputError(Problem("threshold", what, fix))


def searched_families(task: Task, settings: Settings) -> tuple[str, ...]:
    """The families that were asked for, or all there are, foundation models too, and those of this search alone."""
    REGISTRY.recalled(settings.own_families)
    every = settings.families or (*available(task.kind), *foundation_models(task.kind))
    own = tuple(origin.name for origin in settings.own_families)
    return (*(name for name in every if name not in own), *own)


def search_space(task: Task, settings: Settings, options: SearchOptions = OPTIONS) -> SearchSpace:
    """The conditional space of every family that was asked for, is installed and suits the table and the time.

    Raises:
        InputError: A family or parameter is unknown, none is left, or a parameter cannot take what was asked for.
    """
    asked = searched_families(task, settings)
    own = [origin.name for origin in settings.own_families]
    if wrong := [name for name in own if task.kind not in FAMILIES[name].kinds]:
        what = f"tells classes apart, and {task.target!r} is a number"
        raise InputError([Problem(f"learner {name}", what, "Leave it out.") for name in wrong])
    cash_space(task.kind, asked)  # refuses unknown names
    unsuited = suited(task, asked)
    if settings.exportable:
        unsuited |= _unexportable(task, asked)
    if wrong := [name for name in own if name in unsuited]:
        raise InputError(
            [Problem(f"learner {name}", unsuited[name], "Leave it out, or name another.") for name in wrong]
        )
    slow = too_slow(task, settings, options)
    kept = tuple(f for f in asked if f not in unsuited and f not in slow)
    if not kept:
        raise InputError([Problem(f"family {f}", why, "Choose another.") for f, why in unsuited.items()])
    wanted: dict[str, Any] = {}
    for name in kept if task.monotonic else ():
        wanted |= {f"{name}.{own}": value for own, value in FAMILIES[name].fixed_if_monotonic.items()}
    space = cash_space(task.kind, kept)
    if why := without_features(task, settings):
        asked_for = [name for name in settings.space if makes_features({name: settings.space[name]})]
        problems = [Problem(f"parameter {name}", why, "Leave it out.") for name in asked_for]
        if problems:
            raise InputError(problems)
        space = SearchSpace(space.parameters)
    return narrowed(space, {**wanted, **settings.space})


def without_features(task: Task, settings: Settings) -> str | None:
    """Why no pipeline may make columns of columns; None where some may.

    Example:
        >>> from autometa.task import make_task
        >>> import numpy as np
        >>> task = make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10)
        >>> without_features(task, Settings(exportable=True))
        'what makes columns of others cannot be exported to ONNX'
    """
    if settings.exportable:
        return "what makes columns of others cannot be exported to ONNX"
    if task.monotonic:
        return "columns made of others keep no answer rising"
    return None


def _unexportable(task: Task, asked: Sequence[str]) -> dict[str, str]:
    """Which families' pipelines on this table do not become ONNX, and why.

    Raises:
        InputError: None do, since a column holds free text.
    """
    if task.columns.text:
        what, names = "ONNX has no words of texts", ", ".join(map(repr, task.columns.text))
        raise InputError(Problem("exportable", f"{what}, and free text is in {names}", "Drop them (--drop)."))
    reasons = {name: FAMILIES[name].onnx(task.columns) for name in asked}
    return {name: why for name, why in reasons.items() if why is not None}


def without_export(task: Task, settings: Settings) -> str | None:
    """Which families are left out because they cannot be exported; None where nobody asks for that."""
    asked = searched_families(task, settings)
    names = [FAMILIES[name].label for name in _unexportable(task, asked)] if settings.exportable else []
    return f"Left out, since they cannot be exported to ONNX: {', '.join(names)}." if names else None


def too_slow(task: Task, settings: Settings, options: SearchOptions = OPTIONS) -> list[str]:
    """The families that no trial would end of, for all the classes; one that was asked for by name is tried."""
    if settings.families or not task.c:
        return []
    space = cash_space(task.kind, available(task.kind))
    return too_many_trees(space, task.c, settings.seconds, options)


def without_many_trees(task: Task, settings: Settings, options: SearchOptions = OPTIONS) -> str | None:
    """Which families are left out because a tree for each class takes too long; None where there are none."""
    names = [FAMILIES[name].label for name in too_slow(task, settings, options) if not suited(task, [name])]
    short = f"{settings.seconds or 0:g} s are short for a tree for each of {task.c} classes"
    return f"Left out, since {short}: {', '.join(names)}." if names else None


def without_weights(task: Task, settings: Settings) -> str | None:
    """Which families are left out because they take no weights of rows; None where there are none."""
    if task.weights is None:
        return None
    asked = searched_families(task, settings)
    names = [FAMILIES[name].label for name in asked if not FAMILIES[name].takes_weights]
    return f"Left out, since they take no weights of rows: {', '.join(names)}." if names else None


def without_quantiles(task: Task, settings: Settings) -> str | None:
    """Which families are left out because they fit no quantile; None where none is asked for."""
    if quantile_of(task.metric) is None:
        return None
    asked = searched_families(task, settings)
    names = [FAMILIES[name].label for name in asked if FAMILIES[name].quantile_rows < task.n]
    return f"Left out, since they fit no quantile of so many rows: {', '.join(names)}." if names else None


def without_monotonic(task: Task, settings: Settings) -> str | None:
    """Which families are left out because they cannot keep a column monotonic; None where none is asked to."""
    if not task.monotonic:
        return None
    asked = searched_families(task, settings)
    names = [FAMILIES[name].label for name in asked if not FAMILIES[name].keeps_monotonic]
    return f"Left out, since they cannot keep a column monotonic: {', '.join(names)}." if names else None


def affordable_splits(
    task: Task, settings: Settings, cpus: int, options: SearchOptions = OPTIONS, *, here: bool = False
) -> Splits:
    """The splits that suit the task's size, with fewer fits per trial where the time budget is short for it.

    A trial that takes a tenth of the budget leaves a search of ten; what more folds gain in the judgement of each trial
    does not make up for that. Repeats wait for five minutes, and a table too large for five folds gets three or one.
    With one CPU there is half of the time, while more than two run more trials, none of them faster. Where one default
    is tried `here`, it is in a hurry.
    """
    full = plan_splits(task, seed=settings.seed, folds=settings.folds)
    if settings.folds is not None:
        return full
    if settings.seconds is None:
        return full
    load = cells_per_second(task, settings.seconds * min(cpus, 2) / 2, options)
    hold_out_above = options.large_hold_out_load if task.n >= options.large else options.hold_out_load
    folds = 1 if load > hold_out_above else 3 if load > options.three_folds_load else 5
    if here:
        folds = 3 if task.n <= options.folds_here else 1
    if full.n_folds <= folds or (folds == 5 and settings.seconds >= options.repeats_from):
        return full
    return plan_splits(task, seed=settings.seed, folds=folds)


def cells_per_second(task: Task, seconds: float, options: SearchOptions = OPTIONS) -> float:
    """Cells of the table per second of the budget; boosting fits a tree per class, so many classes count like rows."""
    return task.n * max(task.p, 1) * max(task.c / options.free_classes, 1.0) / seconds


def default_jobs(task: Task, settings: Settings, cpus: int, options: SearchOptions = OPTIONS, places: int = 1) -> int:
    """Trials at once where nobody says: one per CPU, but one with all CPUs where a trial is heavy for the budget.

    Two heavy trials side by side on half of the threads each end too late, or not at all; and no more than there is
    memory for. Without a time budget there is one, so that a search repeats exactly.
    """
    if settings.seconds is None or cells_per_second(task, settings.seconds, options) > options.hold_out_load:
        return 1 if settings.seconds is None else places
    if settings.max_ram is None:
        return cpus
    return min(cpus, max((settings.max_ram - options.parent_ram) // options.least_ram, 1))


def jobs_on(cores: int) -> int | None:
    """`Settings.jobs` for somebody who may use `cores` CPUs; None, which leaves it to the search, where they are all.

    See Also:
        `Settings`.

    Example:
        >>> jobs_on(10_000) is None
        True
    """
    return None if cores >= available_cpus() else cores
