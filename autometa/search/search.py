"""The search, as a walk that can be read at one sitting; each step is a file of this room.

    plan      which families, which splits, how many trials at once; rungs: on how many rows
    recall    the sampler, with what the memory knows behind it
    trials    each configuration in a process of its own, journalled before the next begins
    finish    greedy ensemble of what was evaluated, fitted on all rows
    remember  the task and its evaluations join the store

Law: with a trial budget, one job, the same seed and the same store, two searches try the same configurations and end in
the same model. So nothing depends on the time unless there is a time budget.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from autometa.adapting.keeping import copy_into, found_in
from autometa.errors import NoModelError
from autometa.evaluation import Executor, Here, Local, crowding, shared_isolation
from autometa.moved import former
from autometa.search.adoption import adopt
from autometa.search.budget import Budget
from autometa.search.candidates import candidates_of, quick_enough
from autometa.search.clock import Clock
from autometa.search.finish import Finish, fit_by, why_no_model
from autometa.search.first import first_model
from autometa.search.in_context import foundation_notes, with_families_of
from autometa.search.keys import why_fleeting
from autometa.search.pace import begin_with, heads_to_begin_with
from autometa.search.plan import (
    SearchPlan,
    executor_for,
    without_export,
    without_many_trees,
    without_monotonic,
    without_quantiles,
    without_weights,
)
from autometa.search.recall import Recall, first_recommendations, recall, remember_late, why_not_remembered
from autometa.search.result import Result, finished, leaderboard, open_run, save_result
from autometa.search.run import GRANTED, Run
from autometa.search.settings import OFF, Progress, Settings, Silent
from autometa.search.signature import check_signature
from autometa.search.trials import Trials
from autometa.space import FAMILY
from autometa.task import Task

if TYPE_CHECKING:
    import optuna

    from autometa.transfer import Recommendation


def search(
    task: Task,
    settings: Settings,
    run: Path,
    *,
    progress: Progress | None = None,
    started: float | None = None,
    executor: Executor | None = None,
    plan: SearchPlan | None = None,
    kept: float = 0.0,
) -> Result:
    """Searches in a new run folder until the budget ends.

    Args:
        task: What to learn.
        settings: Budget, families, store, seed and the rest.
        run: A folder that is new or empty.
        progress: Told what happens; None for silence.
        started: When the clock of the time budget began (`time.monotonic`); None for now.
        executor: Where trials run; None for this machine, in processes that searches of this process share.
        plan: Families, splits, jobs and tuned numbers; None for those that suit the table and the settings.
        kept: Seconds of the time budget that are not the search's: the caller does something with them afterwards.

    Raises:
        InputError: The folder is taken, a family is unknown, or none suits the table.
        NoModelError: The budget ended before any configuration could be evaluated.
        StoreError: The metadata store cannot be used.

    See Also:
        `resume`, `Settings`, `autometa.fitting.fit_file`.

    Example:
        >>> import tempfile
        >>> from sklearn.datasets import load_wine
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = search(make_task(X, y=y, name="wine"), settings, Path(folder) / "run")
        >>> result.best.evaluation.config["family"], result.model.name, result.interrupted
        ('linear', 'model.pkl', False)
    """
    seconds = None if settings.seconds is None else settings.seconds - kept
    budget = _crowded(Budget(seconds, settings.trials, time.monotonic() if started is None else started))
    executor = executor or executor_for(settings)
    plan = plan or SearchPlan.of(task, settings, executor.cpus, machines=executor)
    folder = prepare(task, settings, run, plan=plan, progress=progress)
    with folder.locked():
        return _conduct(folder, plan, budget, progress or Silent(), executor)


def prepare(
    task: Task, settings: Settings, run: Path, *, plan: SearchPlan | None = None, progress: Progress | None = None
) -> Run:
    """Makes the folder of a run, with all that its search needs; `resume` begins it.

    Raises:
        InputError: The folder is taken, a family is unknown, or none suits the table.

    See Also:
        `search`, which does both.

    Example:
        >>> import tempfile
        >>> from sklearn.datasets import load_wine
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = prepare(make_task(X, y=y, name="wine"), settings, Path(folder) / "run")
        >>> made.task.n, made.settings.trials
        (178, 1)
    """
    plan = plan or SearchPlan.of(task, settings, Local(shared_isolation()).cpus)
    folder = Run.create(run, task, settings, plan.splits)
    for origin in settings.own_families:
        copy_into(origin, run)
    for why in (without_weights, without_quantiles, without_monotonic, without_many_trees, without_export):
        if progress is not None and (left_out := why(task, settings)):
            progress.note(left_out)
    if progress is not None:
        for said in foundation_notes(task, settings, plan.space):
            progress.note(said)
    return folder


def resume(
    run: str | Path,
    *,
    seconds: float | None = None,
    trials: int | None = None,
    progress: Progress | None = None,
    trusted: bool = False,
    store: str | None = None,
    executor: Executor | None = None,
    kept: float = 0.0,
) -> Result:
    """Goes on with a run that was killed at any moment, with what was left of its budget.

    A run that is finished is read back, and nothing is fitted anew.

    Args:
        run: Its folder.
        seconds: Extra time, added to what was left.
        trials: Extra trials, added to what was left.
        progress: Told what happens; None for silence.
        trusted: Go on even though somebody else began it: that runs code that is in the folder.
        store: URL of the metadata store, where it is not that of the run any more, or needs a password that is
            neither in the environment nor in ``~/.pgpass``.
        executor: As `search`; it need not be that with which the run began.
        kept: As `search`, of a run that has a time budget.

    Raises:
        RunError: The folder is not a run, is in use, or is somebody else's.
        NoModelError: The budget ended before any configuration could be evaluated.

    See Also:
        `search`.

    Example:
        >>> from autometa.search import open_run
        >>> before = len(open_run(run).trials)
        >>> len(resume(run).trials) == before  # nothing was left of its budget
        True
    """
    started, run = time.monotonic(), Path(run)
    folder = Run.open(run, trusted=trusted)
    if not trusted:
        check_signature(run / "run.json")
    progress = progress or Silent()
    with folder.locked():
        adopt(folder)
        if store is not None:
            folder.settings = replace(folder.settings, store=store)
        if seconds is not None or trials is not None:  # who asks for more does not want to hear that it is enough
            folder.settings = replace(folder.settings, patience=OFF)
        own = tuple(found_in(origin, run) for origin in folder.settings.own_families)
        folder.settings = replace(folder.settings, own_families=own)
        settings = folder.settings
        study = folder.study(repair=True, tell=progress.note)
        rows = folder.trials(study)
        if not (seconds or trials) and finished(folder, study):
            progress.note(f"{run} is finished, and nothing is fitted again; --time or --trials add to its budget.")
            return open_run(run, trusted=trusted)
        used = max((t.finished for t in rows), default=0.0)
        more_seconds, more_trials = folder.grant(study, seconds or 0.0, trials or 0)
        total = settings.seconds
        if total is not None:
            # What comes after the last trial needs its time even when the search had spent all of its own.
            total = max(total + more_seconds - kept, used + 2 * Budget(total, None).reserve)
        wanted = settings.trials if settings.trials is None else settings.trials + more_trials
        budget = _crowded(Budget(total, wanted, started - used))
        executor = executor or Local(shared_isolation())
        plan = SearchPlan.of(folder.task, settings, executor.cpus, splits=folder.splits, machines=executor)
        plan = replace(plan, space=with_families_of(plan.space, study, folder.task.kind))
        folder.check_kept([row.number for row in leaderboard(rows, folder.task.metric)[: plan.options.candidates]])
        return _conduct(folder, plan, budget, progress, executor, study)


def _crowded(budget: Budget) -> Budget:
    """With more time for the end where processors are busy with others'."""
    return budget if budget.seconds is None else replace(budget, crowding=crowding())


def _conduct(
    run: Run,
    plan: SearchPlan,
    budget: Budget,
    progress: Progress,
    executor: Executor,
    study: optuna.Study | None = None,  # the run's, where it was read already
) -> Result:
    """Recalls, tries, finishes, remembers; the caller holds the lock of the folder."""
    executor.warm_up()
    task, settings = run.task, run.settings
    clock = Clock(budget, settings.seconds, settings.trial_seconds, plan.splits.growth, plan.options, task.n)
    first = None
    if settings.seconds is not None:  # before anything is loaded
        first = first_model(
            task, plan.splits, seed=settings.seed, seconds=clock.to_first_model, now=budget.now, options=plan.options
        )
    if task.n * task.p > plan.options.hashed_beside:  # the card and the memory ask for it when the time is over
        threading.Thread(target=getattr, args=(task, "judged_fingerprint"), name="fingerprint", daemon=True).start()
    # Where the budget is over by now nothing will be tried, and here one default: no time is spent on what to try.
    over = first is not None and (isinstance(executor, Here) or clock.left_to_search(None) <= 0)
    study = study or run.study(repair=True)
    trials = Trials(run, plan, clock, study, executor, progress, first)
    recalled: Recall | None = None
    recommendations: list[Recommendation] = []
    if not over:
        recalled = recall(task, settings, plan, clock, trials.rungs, progress, trials.gpus.there)
        study.sampler = recalled.sampler
        trials.crossings = replace(trials.crossings, known=recalled.made)
        trials.rungs = replace(trials.rungs, growth=recalled.growth)
        recommendations = first_recommendations(run, recalled.sampler, study, trials.finished, plan.options.shown)
    trials.settle()
    if not over:
        _begin_with_defaults(
            trials, plan, settings, knows_embeddings=recalled is not None and recalled.knows_embeddings
        )
    progress.started(task, replace(settings, cold=settings.cold or over), recommendations)
    if over and not settings.cold:
        progress.note("There is no time to ask the memory: what ends quickly is tried.")
    with trials.interrupts():
        progress.stage("searching")
        _conduct_trials(trials, executor)
        leaders = trials.leaders
        if not leaders and trials.interrupted:
            raise KeyboardInterrupt
        if not leaders:
            raise NoModelError(why_no_model(trials.finished))
        fit = fit_by(executor, run, plan)
        leaders = quick_enough(leaders, settings.infer_limit, progress.note)
        finish = Finish(task, plan, clock, fit, progress, lambda: trials.interrupted, run.read_models)
        done = finish.conduct(candidates_of(run, leaders, plan.options.candidates))
        result = Result(
            run=run.folder,
            task=task,
            settings=settings,
            trials=tuple(sorted(trials.finished, key=lambda row: row.number)),
            recommendations=tuple(recommendations),
            members=tuple((member.number, member.weight) for member in done.model.members),
            score=done.score,
            score_std=done.score_std,
            oof=done.oof,
            seconds=budget.elapsed,
            interrupted=trials.interrupted,
            model=run.folder / "model.pkl",
            refitted=done.refitted,
            weights=done.model.weights,
            interval=done.interval,
            dummy=done.dummy,
        )
        save_result(result, done.model, tuple(study.user_attrs.get(GRANTED, (0.0, 0))))
        if why := why_fleeting():
            progress.note(why)
        if settings.remember and (why := why_not_remembered(task)):
            progress.note(why)
        elif settings.remember:
            progress.stage("remembering")
            remember_late(result, recalled.metafeatures if recalled else None, progress)
        return result


def _begin_with_defaults(trials: Trials, plan: SearchPlan, settings: Settings, *, knows_embeddings: bool) -> None:
    """What comes before all proposals: boosting's default on a large table, learners that were asked for, heads.

    No heads where the memory has seen such: it knows better which.
    """
    trials.begin_with_the_default()
    if trials.finished:
        return
    learners = {origin.name for origin in settings.own_families}
    own = [config for config in plan.space.defaults() if config[FAMILY] in learners]
    begin_with(trials.study, own, "A learner that was asked for, as it was trained.")
    if knows_embeddings:
        return
    heads = heads_to_begin_with(plan.space, trials.run.task.columns.numeric, settings.trials)
    begin_with(trials.study, heads, "Few-shot heads first: columns are embeddings.")


def _conduct_trials(trials: Trials, executor: Executor) -> None:
    """As many as the budget allows, and then what the end of a search needs."""
    if isinstance(executor, Here):
        trials.conduct_here(executor.loading)
    else:
        trials.conduct()
    if not trials.interrupted and (untried := trials.in_context.untried(trials.finished)):
        trials.progress.note(untried)
    if not isinstance(executor, (Local, Here)):
        shared_isolation().warm_up()  # which explains the model, wherever trials ran


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
